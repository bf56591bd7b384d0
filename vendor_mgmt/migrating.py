"""Bring a database up to date, one process at a time.

Piccolo finds, orders and writes migrations; running them is ours, for three reasons. Two processes that migrate at once must not meet:
everything happens under an advisory lock. A migration and the record that it was applied belong into one transaction: Piccolo writes the
record afterwards. And a command that reports what it did should not print from inside a library.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.apps.migrations.commands.base import BaseMigrationManager
from piccolo.apps.migrations.commands.new import AutoMigrationManager
from piccolo.apps.migrations.commands.new import new as write_migration
from piccolo.apps.migrations.tables import Migration
from piccolo.conf.apps import AppConfig, Finder, MigrationModule

from vendor_mgmt import database_roles
from vendor_mgmt.engine import DB, connect, without_password
from vendor_mgmt.errors import Unavailable

logger = logging.getLogger(__name__)

# Any number will do, as long as nothing else in the database locks the same one.
ADVISORY_LOCK = 7_365_512_001


class AnotherHistory(Unavailable):
    """The database has migrations that this program does not know, and lacks some that it has: one of another line of development."""

    def __init__(self, url: str, unknown: list[str]) -> None:
        self.problem = (
            f"its tables were made by another development version: it has {len(unknown)} migrations that this program does not know "
            f"({unknown[0]}{', …' if unknown[1:] else ''}) and lacks some that it needs"
        )
        self.repair = (
            "Use the version that made it; or keep what you need with pg_dump and begin with an empty database: another DATABASE_URL, or "
            "for the embedded one another VENDOR_MGMT_DATA_DIR."
        )
        super().__init__(f"The database {without_password(url)} cannot be brought up to date: {self.problem}. {self.repair}")


async def migrate(url: str) -> list[str]:
    """Apply what the database at `url` lacks, and return the names of what was applied, as `contracts 2026-…`.

    Safe to call from any number of processes: they take turns, and the later ones find nothing left to do. Each migration is applied
    entirely or not at all; after a failure the earlier ones stay. Call it before the pool is open. Raises `DatabaseUnavailable`,
    `AnotherHistory` and whatever a migration raises.
    """
    applied = []
    async with connect(url, server_settings={"application_name": "vendor-mgmt migrate"}) as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)
        await _missing(url, connection)
        standing = await database_roles.prepare(connection)
        if not standing.may_become:
            logger.warning(
                "The service works with the rights of %s, who may change tables. An administrator of the database can run: %s",
                standing.login,
                standing.by_hand,
            )
        with DB.pointed_at(url):
            await _make_migration_table(connection)
            done = await _applied(connection)
            for app in apps():
                for name, module in sorted(migrations_of(app).items()):
                    if (app.app_name, name) not in done:
                        await _apply(app, name, module)
                        applied.append(f"{app.app_name} {name}")
                        logger.info("Applied the migration %s %s: %s", app.app_name, name, module.DESCRIPTION)
        # The session ends with the block, and the lock with it.
    return applied


async def pending(url: str) -> list[str]:
    """The migrations that the database at `url` lacks, in the order in which they would be applied. Raises `AnotherHistory`."""
    async with connect(url) as connection:
        return await _missing(url, connection)


async def _missing(url: str, connection: asyncpg.Connection[Any]) -> list[str]:
    try:
        done = await _applied(connection)
    except asyncpg.UndefinedTableError:
        done = set()
    known = [(app.app_name, name) for app in apps() for name in sorted(migrations_of(app))]
    missing = [f"{app} {name}" for app, name in known if (app, name) not in done]
    unknown = sorted(f"{app} {name}" for app, name in done - set(known))
    # A database that has more than this program knows, and nothing less, is tomorrow's: today's program goes on working with it.
    if missing and unknown:
        raise AnotherHistory(url, unknown)
    return missing


async def unwritten(app_name: str) -> list[str]:
    """What the tables of an app have that its migrations do not know yet, as Piccolo's statements. Asks no database."""
    with _quietly():
        differences = await AutoMigrationManager(auto_input="n").get_alter_statements(app_config(app_name))
    return [statement for difference in differences for statement in difference.statements]


def write_new(app_name: str, description: str, *, empty: bool = False) -> Path | None:
    """Write the migration that brings `app_name` to its tables, and return its file; None where there is nothing to write.

    With `empty`, write a frame for SQL instead. Asks no database. Raises `ValueError` for an app that does not exist.
    """
    app = app_config(app_name)
    folder = Path(app.resolved_migrations_folder_path)
    before = set(folder.glob("*.py"))
    is_asking = sys.stdin.isatty() and not empty
    with contextlib.nullcontext() if is_asking else _quietly():
        asyncio.run(write_migration(app_name, auto=not empty, desc=description, auto_input=None if is_asking else "n"))
    file = next(iter(set(folder.glob("*.py")) - before), None)
    if file is not None:
        text = file.read_text(encoding="utf-8")
        if empty:
            migration_id = next(line for line in text.splitlines() if line.startswith("ID = "))
            text = SQL_FRAME.format(id=migration_id, app=app_name, description=description)
        else:
            text = GENERATED + text.replace("async def forwards():", "async def forwards() -> MigrationManager:")
        file.write_text(text, encoding="utf-8")
    return file


GENERATED = """\
# Written by `vendor-mgmt migrate new` from the tables as they then were. Read it before it is committed; afterwards it is never changed.
"""


SQL_FRAME = '''"""WHY this is needed."""

from vendor_mgmt.migrating import sql_migration

{id}
DESCRIPTION = "{description}"

forwards = sql_migration(
    "{app}",
    ID,
    DESCRIPTION,
    up="""
    """,
    down="""
    """,
)
'''


def sql_migration(
    app: str, migration_id: str, description: str, *, up: str | Callable[[], str], down: str
) -> Callable[[], Awaitable[MigrationManager]]:
    """A migration in plain SQL, any number of statements, applied in one transaction.

    In a migration file:

        forwards = sql_migration("contracts", ID, DESCRIPTION, up="CREATE INDEX …", down="DROP INDEX …")

    `up` may be a function, called when the migration is applied.
    """

    async def forwards() -> MigrationManager:
        async def apply() -> None:
            await _script(up() if callable(up) else up)

        async def revert() -> None:
            await _script(down)

        manager = MigrationManager(migration_id=migration_id, app_name=app, description=description)
        manager.add_raw(apply)
        manager.add_raw_backwards(revert)
        return manager

    return forwards


@dataclass
class TablesThenSql(MigrationManager):
    """A migration that Piccolo wrote, and SQL for what tables cannot say, in one transaction.

    Piccolo runs SQL of its own (`add_raw`) before it makes the tables; here it comes after them, and is undone before them.
    """

    up: str | Callable[[], str] = ""
    down: str = ""

    async def run(self, backwards: bool = False) -> None:  # noqa: FBT001, FBT002  (as Piccolo declares it)
        async with DB.transaction():
            if backwards:
                await _script(self.down)
            await super().run(backwards)
            if not backwards:
                await _script(self.up() if callable(self.up) else self.up)


def apps() -> list[AppConfig]:
    """The apps, each after those its tables refer to."""
    return Finder().get_app_configs(sort_by_migration_dependencies=True)


def app_config(app_name: str) -> AppConfig:
    return Finder().get_app_config(app_name)


def migrations_of(app: AppConfig) -> dict[str, MigrationModule]:
    """The migrations of an app by name, in no order; their names are moments, and sort."""
    # Piccolo puts the folder in front of the import path and leaves it there.
    before = list(sys.path)
    try:
        return BaseMigrationManager().get_migration_modules(app.resolved_migrations_folder_path)
    finally:
        sys.path[:] = before


async def _apply(app: AppConfig, name: str, module: MigrationModule) -> None:
    manager = await module.forwards()
    async with contextlib.AsyncExitStack() as stack:
        # CREATE INDEX CONCURRENTLY and its like refuse to be part of a transaction.
        if manager.wrap_in_transaction:
            await stack.enter_async_context(DB.transaction())
        with _quietly():
            await manager.run()
        await Migration.insert(Migration(name=name, app_name=app.app_name)).run()


async def _make_migration_table(connection: asyncpg.Connection[Any]) -> None:
    if await connection.fetchval("SELECT to_regclass('public.migration')") is None:
        await Migration.create_table(if_not_exists=True)
        if (await database_roles.standing(connection)).exists:
            await connection.execute(f"REVOKE INSERT, UPDATE, DELETE ON migration FROM {database_roles.SERVICE}")


async def _applied(connection: asyncpg.Connection[Any]) -> set[tuple[str, str]]:
    return {(row["app_name"], row["name"]) for row in await connection.fetch("SELECT app_name, name FROM migration")}


async def _script(sql: str) -> None:
    # Piccolo's own ways of running SQL take a single statement.
    # The driver stumbles over an empty text.
    if sql.strip():
        async with DB.transaction() as current:
            await current.connection.execute(sql)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Piccolo prints its progress; ours is in the log and in what `migrate` returns."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
