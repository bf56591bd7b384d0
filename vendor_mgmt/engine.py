"""Piccolo's engine, made safe for a service.

Three things of `PostgresEngine` do not suit us, and each is a few lines here:

* Making one connects to the server, at import time, and again for every name it checks. Ours connects when somebody asks something.
* Its address is fixed when it is made, which is before the embedded server has one. Ours is told with `point_at`, or reads `DATABASE_URL`
  when first used (so that Piccolo's own tools work).
* When COMMIT itself fails (a deferred constraint, a serialization conflict), its transaction neither gives the connection back nor forgets
  the dead transaction; the pool then never closes and later work of the same task runs without any transaction. Ours does both, always.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import asyncpg
from piccolo.engine.exceptions import TransactionError
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction

from vendor_mgmt.errors import Unavailable

Isolation = Literal["read_committed", "repeatable_read", "serializable"]

CONNECT_TIMEOUT_S = 15.0
ACQUIRE_TIMEOUT_S = 30.0
STATEMENT_ENDS_WITHIN_S = 1.0
"""How long a transaction waits for a connection of the pool before it is told that there is none."""

CLOSE_TIMEOUT_S = 5.0


class DatabaseUnavailable(Unavailable):
    """The database at an address cannot be used; the message says why, and how to repair it. It shows no password."""

    def __init__(self, url: str, problem: str, repair: str) -> None:
        self.problem = problem
        self.repair = repair
        super().__init__(f"The database {without_password(url)} cannot be used: {problem}. {repair}")


UNREACHABLE = (
    DatabaseUnavailable,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    # The driver's own muddle between the server's last word and the end of the connection.
    asyncpg.InternalClientError,
    ConnectionError,
    TimeoutError,
)
"""What is raised when the database has gone, is going or has not come yet."""


class DatabaseNotChosen(Exception):  # noqa: N818  (it says what happened)
    """A query was made before anybody said which database it is for."""

    def __init__(self) -> None:
        super().__init__(
            "No database was chosen: set DATABASE_URL, or do the work inside vendor_mgmt.database.pool or .run, which say which one."
        )


class SafeTransaction(PostgresTransaction):
    """A transaction that leaves nothing behind, however it ends. See the module's third point."""

    __slots__ = ("isolation", "readonly")

    def __init__(self, engine: PostgresEngine, *, allow_nested: bool, isolation: Isolation | None, readonly: bool) -> None:
        super().__init__(engine, allow_nested)
        outer = getattr(self._parent, "isolation", None)
        if self._parent is not None and isolation not in (None, outer):
            raise TransactionError(
                f"A transaction with isolation {isolation} cannot begin inside one that has {outer or 'the default'}; begin the outer "
                "one with it."
            )
        self.isolation = isolation
        self.readonly = readonly

    async def __aenter__(self) -> PostgresTransaction:
        if self._parent is not None:
            return self._parent
        pool = self.engine.pool
        self.connection = await (self.engine.get_new_connection() if pool is None else pool.acquire(timeout=ACQUIRE_TIMEOUT_S))
        try:
            self.transaction = self.connection.transaction(isolation=self.isolation, readonly=self.readonly)
            await self._whole(self.transaction.start())
        except BaseException:
            await self._give_back()
            raise
        self.context = self.engine.current_transaction.set(self)
        return self

    async def __aexit__(self, exception_type: object, exception: object, traceback: object) -> bool:
        if self._parent is not None:
            return False
        try:
            if not (self._committed or self._rolled_back):
                # Cancellation arrives as an exception too, so nothing half-done is ever committed.
                await self._whole(self.transaction.commit() if exception_type is None else self._roll_back())
        finally:
            self.engine.current_transaction.reset(self.context)
            await self._give_back()
        return False

    async def _whole(self, statement: Coroutine[Any, Any, None]) -> None:
        """Do BEGIN, COMMIT or ROLLBACK whole, also when cancelled in the middle: half of one leaves a connection that nobody can trust."""
        doing = asyncio.ensure_future(statement)
        try:
            await asyncio.shield(doing)
        except asyncio.CancelledError:
            await asyncio.wait([doing], timeout=STATEMENT_ENDS_WITHIN_S)
            if doing.done() and not doing.cancelled():
                doing.exception()
            # What it left open ends with the connection; a new one is cheaper than the doubt.
            self.connection.terminate()
            raise

    async def _roll_back(self) -> None:
        try:
            await self.transaction.rollback()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            # The connection is gone, and the transaction with it. What is told is the error that led here, not this one.
            self.connection.terminate()

    async def _give_back(self) -> None:
        if self.engine.pool is not None:
            await self.engine.pool.release(self.connection)
        else:
            await self.connection.close()


class Engine(PostgresEngine):
    """The kind of engine; `DB` below is the one engine of the process, which Piccolo's tables find by themselves."""

    def __init__(self) -> None:
        self._given: dict[str, Any] = {}
        super().__init__(config={})

    @contextlib.contextmanager
    def pointed_at(self, dsn: str, **options: Any) -> Iterator[None]:
        """`point_at` for the length of a block."""
        before = self._given
        self.point_at(dsn, **options)
        try:
            yield
        finally:
            self._given = before

    def point_at(self, dsn: str, **options: Any) -> None:
        """Use the database at `dsn` from now on; `options` are those of `asyncpg.connect`. Refused while a pool is open."""
        if self.pool is not None:
            raise RuntimeError("The database cannot be changed while its connection pool is open")
        self._given = {"dsn": dsn, **options}

    async def move_to(self, dsn: str) -> None:
        """Use the database at `dsn`, which is the same one at another address, from now on, also with a pool that is open."""
        self._given = {**self._given, "dsn": dsn}
        if self.pool is not None:
            self.pool.set_connect_args(**self._given, timeout=CONNECT_TIMEOUT_S)
            await self.pool.expire_connections()

    @property
    def config(self) -> dict[str, Any]:
        """The arguments of `asyncpg.connect`. Raises `DatabaseNotChosen`."""
        if self._given:
            return self._given
        dsn = os.environ.get("DATABASE_URL")
        if not dsn:
            raise DatabaseNotChosen
        return {"dsn": dsn}

    @config.setter
    def config(self, value: Mapping[str, Any]) -> None:
        """Piccolo's constructor sets this to what it was given, which is nothing."""

    async def check_version(self) -> None:
        """Piccolo would connect here, while modules are being imported. `vendor_mgmt.database` checks the version instead."""

    async def prep_database(self) -> None:
        """Piccolo would create extensions here; the schema needs none."""

    def transaction(
        self,
        allow_nested: bool = True,  # noqa: FBT001, FBT002  (as Piccolo declares it)
        *,
        isolation: Isolation | None = None,
        readonly: bool = False,
    ) -> SafeTransaction:
        return SafeTransaction(self, allow_nested=allow_nested, isolation=isolation, readonly=readonly)

    async def start_connection_pool(self, **options: Any) -> None:
        """Raises `DatabaseUnavailable`, and `RuntimeError` where a pool is open already."""
        if self.pool is not None:
            raise RuntimeError("The connection pool is open already")
        config = self.config
        async with _explained(config["dsn"]):
            self.pool = await asyncpg.create_pool(**config, timeout=CONNECT_TIMEOUT_S, **options)

    async def close_connection_pool(self) -> None:
        """Wait a little for connections in use, then cut them off: a forgotten one must not keep the process from ending."""
        if self.pool is None:
            return
        pool, self.pool = self.pool, None
        try:
            await asyncio.wait_for(pool.close(), CLOSE_TIMEOUT_S)
        except TimeoutError:
            pool.terminate()

    async def get_new_connection(self) -> asyncpg.Connection[Any]:
        config = self.config
        async with _explained(config["dsn"]):
            connection: asyncpg.Connection[Any] = await asyncpg.connect(**config, timeout=CONNECT_TIMEOUT_S)
        return connection


DB = Engine()


@contextlib.asynccontextmanager
async def connect(url: str, **options: Any) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A connection of one's own, outside the pool: for LISTEN, for a lock that is held long, for looking at a server.

    Raises `DatabaseUnavailable`.
    """
    async with _explained(url):
        connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S, **options)
    try:
        yield connection
    finally:
        await connection.close(timeout=CLOSE_TIMEOUT_S)


@contextlib.asynccontextmanager
async def _explained(url: str) -> AsyncIterator[None]:
    """Turn what the driver says about a failed connection into something its reader can act on."""
    try:
        yield
    except asyncpg.InvalidCatalogNameError as error:
        raise DatabaseUnavailable(url, str(error), "Create it with `createdb`, or correct the name in DATABASE_URL.") from error
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError) as error:
        raise DatabaseUnavailable(url, str(error), "Correct the user and password in DATABASE_URL.") from error
    except asyncpg.TooManyConnectionsError as error:
        repair = "Raise the server's max_connections, or run fewer processes."
        raise DatabaseUnavailable(url, str(error), repair) from error
    except TimeoutError as error:
        problem = f"it did not answer within {CONNECT_TIMEOUT_S:.0f} s"
        raise DatabaseUnavailable(url, problem, "Check the host, the port and any firewall in between.") from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        problem = str(error) or type(error).__name__
        if isinstance(error, ConnectionRefusedError):
            problem = f"nothing listens at {_host_and_port(url)}"
        elif isinstance(error, socket.gaierror):
            problem = f"the name {urlsplit(url).hostname} is not known here ({error.strerror})"
        repair = "Check that the server runs and that DATABASE_URL names its host and port."
        if isinstance(error, PermissionError):
            # The driver looks for keys below the home folder, which after a change of user may still be the other one's.
            problem, repair = f"{error.filename} may not be read", "Set HOME to the home folder of the user who runs this."
        raise DatabaseUnavailable(url, problem, repair) from error


def _host_and_port(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or 'this machine'} port {parts.port or 5432}"


def without_password(url: str) -> str:
    """The address as it may be shown: `postgresql://user@host:5432/database`."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    # What follows the question mark may hold a password too, so it is left out.
    return f"{parts.scheme}://{user.partition(':')[0]}{at}{host}{parts.path}"
