"""The database: which server, a pool of connections to it, and transactions.

    with server(settings) as found:                  # the server behind DATABASE_URL, or the embedded one, started or joined
        ...                                          # in the main thread, before any event loop
        async with pool(found.url):                  # Piccolo's tables work from here on
            async with transaction() as connection:  # one transaction for Piccolo's queries and for plain SQL alike
                await Contract.objects().get(...)
                await connection.copy_records_to_table(...)

A command that wants all of this around one coroutine calls `run(settings, work)`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import asyncpg
import msgspec
import uvloop

from vendor_mgmt import database_roles, migrating
from vendor_mgmt.embedded_postgres import OLDEST_VERSION, EmbeddedPostgres
from vendor_mgmt.engine import DB, DatabaseUnavailable, Isolation, connect, without_password
from vendor_mgmt.errors import Unavailable
from vendor_mgmt.settings import Settings

__all__ = [
    "DatabaseUnavailable",
    "MigrationsPending",
    "Server",
    "connect",
    "pool",
    "run",
    "server",
    "session_settings",
    "transaction",
    "without_password",
]

Result = TypeVar("Result")

POOL_SIZE_MAX = 10


class MigrationsPending(Unavailable):
    """The database is older than this program; `names` are the migrations it lacks."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        super().__init__(f"{len(names)} migrations have not been applied to the database. Run `vendor-mgmt migrate`.")


class Server(msgspec.Struct, kw_only=True):
    """A server that answers. The addresses hold passwords: keep them away from logs.

    They change only where `following` says so: the embedded server is at another address once another process runs it.
    """

    url: str
    """For the service."""

    owner_url: str
    """For migrations; the same as `url` unless the settings say otherwise."""

    embedded: EmbeddedPostgres | None = None

    def __repr__(self) -> str:
        return f"Server({without_password(self.url)})"


@contextlib.contextmanager
def server(settings: Settings, *, is_durable: bool = True) -> Iterator[Server]:
    """The database server to use; the embedded one is started (or joined) here and stopped at the end by the process that started it.

    Call it in the main thread, outside any event loop. Raises `EmbeddedPostgresError`. A server behind DATABASE_URL is not asked
    anything yet. An embedded one that is not `is_durable` does not wait for the disk: it survives the death of processes, and not that of
    the machine.
    """
    if settings.database_url is not None:
        yield Server(url=settings.database_url, owner_url=settings.owner_database_url or settings.database_url)
        return
    options = {} if is_durable else {"fsync": "off"}
    embedded = EmbeddedPostgres(settings.data_dir, bin_dir=settings.postgres_bin_dir, options=options)
    with embedded as endpoint:
        yield Server(url=endpoint.url, owner_url=endpoint.url, embedded=embedded)


@contextlib.asynccontextmanager
async def pool(url: str, *, size_max: int = POOL_SIZE_MAX) -> AsyncIterator[None]:
    """Let Piccolo's tables, `transaction` and `connect` work on the database at `url`, through a pool, for the length of the block.

    Every connection has the service's rights (see `database_roles`) where the login may take them. Raises `DatabaseUnavailable`.
    """
    options = await session_settings(url)
    with DB.pointed_at(url, server_settings=options):
        await DB.start_connection_pool(min_size=1, max_size=size_max)
        try:
            yield
        finally:
            await DB.close_connection_pool()


async def session_settings(url: str) -> dict[str, str]:
    """What every connection of the service sets when it begins: its name, the time zone, and its role if the login may take it.

    Also looks at the server first, and raises `DatabaseUnavailable` where it is too old or does not store UTF-8.
    """
    async with connect(url) as connection:
        version = connection.get_server_version()
        if version.major < OLDEST_VERSION:
            raise DatabaseUnavailable(
                url, f"it is PostgreSQL {version.major}", f"Set DATABASE_URL to PostgreSQL {OLDEST_VERSION} or newer."
            )
        encoding = await connection.fetchval("SHOW server_encoding")
        if encoding != "UTF8":
            repair = "Create the database with `ENCODING 'UTF8' TEMPLATE template0`."
            raise DatabaseUnavailable(url, f"the database is encoded as {encoding}", repair)
        standing = await database_roles.standing(connection)
    settings = {"application_name": "vendor-mgmt", "timezone": "UTC"}
    if standing.may_become:
        settings["role"] = database_roles.SERVICE
    return settings


@contextlib.asynccontextmanager
async def transaction(*, isolation: Isolation | None = None, readonly: bool = False) -> AsyncIterator[asyncpg.Connection[Any]]:
    """One transaction, committed at the end of the block and rolled back by any exception that leaves it.

    Everything in the block that goes through Piccolo belongs to it by itself; the connection is for plain SQL and COPY. Inside another
    transaction it joins that one (`async with connection.transaction()` makes a savepoint), and asking for another isolation is an error.

    A transaction is one conversation: no `asyncio.gather` of queries inside it, and no background task started in it may use the database
    (start such a task outside, or with `context=contextvars.Context()`).
    """
    async with DB.transaction(isolation=isolation, readonly=readonly) as current:
        yield current.connection


def run(settings: Settings, work: Callable[[Server], Awaitable[Result]]) -> Result:
    """Do `work` with a server, an up-to-date schema and a pool around it. For commands; call it in the main thread.

    The embedded database is migrated on the way. A server of somebody else's is not: `MigrationsPending` says what to do.
    """
    with server(settings) as found, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_with_pool(found, work))


async def _with_pool(found: Server, work: Callable[[Server], Awaitable[Result]]) -> Result:
    if found.embedded is not None:
        await migrating.migrate(found.owner_url)
    elif names := await migrating.pending(found.url):
        raise MigrationsPending(names)
    async with pool(found.url):
        return await work(found)
