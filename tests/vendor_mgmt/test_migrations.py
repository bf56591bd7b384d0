"""From an empty database to the newest, on the oldest and the newest PostgreSQL, and nothing implicit on the way.

Most of this holds for every table of every app, also those that are still to be written.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import Date, Integer, Serial, Varchar
from piccolo.conf.apps import AppConfig, Finder
from piccolo.constraints import Check
from piccolo.table import Table, create_db_tables
from procrastinate.schema import SchemaManager

from contracts import piccolo_app
from contracts.exclusion import Exclude
from vendor_mgmt import database_roles, migrating
from vendor_mgmt.database import connect, pool, session_settings, transaction
from vendor_mgmt.embedded_postgres import EmbeddedPostgres
from vendor_mgmt.engine import DB

SYSTEM_15 = Path("/usr/lib/postgresql/15/bin")

# Columns that may have a default in the database, by table and column, each with its reason. There is none so far.
DEFAULTS_ON_PURPOSE: dict[tuple[str, str], str] = {}


@pytest.fixture(scope="module", params=["newest", "15"])
def each_server_url(request: pytest.FixtureRequest, short_folder: Path) -> Iterator[str]:
    """The servers that are supported at the two ends."""
    if request.param == "newest":
        yield request.getfixturevalue("server_url")
        return
    if not SYSTEM_15.is_dir():
        pytest.skip(f"SKIPPED: PostgreSQL 15 is not installed in {SYSTEM_15}; `apt-get install postgresql-15` puts it there")
    with EmbeddedPostgres(short_folder / "fifteen", bin_dir=SYSTEM_15, options={"fsync": "off"}) as endpoint:
        yield endpoint.url


@pytest.fixture
def new_database_url(each_server_url: str) -> Iterator[str]:
    with FreshDatabase(each_server_url) as url:
        yield url


class FreshDatabase:
    """A database for the length of a block."""

    count = 0

    def __init__(self, server_url: str) -> None:
        FreshDatabase.count += 1
        self.server_url = server_url
        self.name = f"migrations_{os.getpid()}_{FreshDatabase.count}"

    def __enter__(self) -> str:
        asyncio.run(execute(self.server_url, f"CREATE DATABASE {self.name}"))
        return at_database(self.server_url, self.name)

    def __exit__(self, *_: object) -> None:
        asyncio.run(execute(self.server_url, f"DROP DATABASE {self.name} WITH (FORCE)"))


def at_database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def as_login(url: str, login: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{login}:pw@{parts.hostname}:{parts.port}").geturl()


async def execute(url: str, *statements: str) -> None:
    async with connect(url) as connection:
        for statement in statements:
            await connection.execute(statement)


async def fetch(url: str, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
    async with connect(url) as connection:
        return [tuple(row) for row in await connection.fetch(statement, *arguments)]


COLUMNS = """
    SELECT format('%s.%s', class.relname, attname), format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid)
      FROM pg_attribute JOIN pg_class AS class ON class.oid = attrelid LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
     WHERE class.relnamespace = 'public'::regnamespace AND class.relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
       AND class.relname <> 'migration'
     ORDER BY 1
"""

# NOT NULL constraints have names of their own since version 18; the columns tell them already.
CONSTRAINTS = """
    SELECT format('%s.%s', conrelid::regclass, conname), pg_get_constraintdef(oid)
      FROM pg_constraint
     WHERE connamespace = 'public'::regnamespace AND contype NOT IN ('t', 'n') AND conrelid <> 'migration'::regclass
     ORDER BY 1
"""

INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'migration' ORDER BY 1"

TRIGGERS = """
    SELECT pg_get_triggerdef(oid), pg_get_functiondef(tgfoid) FROM pg_trigger WHERE NOT tgisinternal
       AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace) ORDER BY 1
"""


def tables() -> list[type[Table]]:
    return [table for app in migrating.apps() for table in app.table_classes]


def migration_files() -> list[Path]:
    return [file for app in migrating.apps() for file in Path(app.resolved_migrations_folder_path).glob("*.py")]


# From empty to newest


async def test_an_empty_database_becomes_the_newest_and_stays_it(new_database_url: str) -> None:
    expected = await migrating.pending(new_database_url)
    assert {name.split()[0] for name in expected} == {"contracts", "scorecards", "vendor_mgmt"}
    assert await migrating.migrate(new_database_url) == expected
    assert await migrating.pending(new_database_url) == []
    assert await migrating.migrate(new_database_url) == []


async def test_the_database_has_exactly_what_the_tables_declare(new_database_url: str, each_server_url: str) -> None:
    await migrating.migrate(new_database_url)
    with_tables = f"declared_{os.getpid()}"
    await execute(each_server_url, f"DROP DATABASE IF EXISTS {with_tables} WITH (FORCE)", f"CREATE DATABASE {with_tables}")
    declared_url = at_database(each_server_url, with_tables)
    with DB.pointed_at(declared_url):
        await execute(declared_url, "CREATE TABLE migration ()")
        await create_db_tables(*tables())
    assert await fetch(new_database_url, COLUMNS) == await fetch(declared_url, COLUMNS)
    # Piccolo compares constraints by name only; here their texts are compared, as the server understands them.
    assert dict(await fetch(new_database_url, CONSTRAINTS)) == dict(await fetch(declared_url, CONSTRAINTS))
    # Migrations in SQL add indexes that a table class cannot declare.
    migrated, declared = dict(await fetch(new_database_url, INDEXES)), dict(await fetch(declared_url, INDEXES))
    assert declared.items() <= migrated.items()
    await execute(each_server_url, f"DROP DATABASE {with_tables} WITH (FORCE)")


async def test_every_migration_can_be_undone_and_done_again(new_database_url: str) -> None:
    await migrating.migrate(new_database_url)
    before = [await fetch(new_database_url, what) for what in (COLUMNS, CONSTRAINTS, INDEXES, TRIGGERS)]
    with DB.pointed_at(new_database_url):
        for app in reversed(migrating.apps()):
            for _, module in sorted(migrating.migrations_of(app).items(), reverse=True):
                manager = await module.forwards()
                async with DB.transaction():
                    await manager.run(backwards=True)
    left = await fetch(new_database_url, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
    assert left == [("migration",)]
    await execute(new_database_url, "DELETE FROM migration")
    await migrating.migrate(new_database_url)
    assert [await fetch(new_database_url, what) for what in (COLUMNS, CONSTRAINTS, INDEXES, TRIGGERS)] == before


async def test_a_database_of_another_line_of_development_is_refused_with_the_way_out(empty_database_url: str) -> None:
    """As one made while the first tables were still being drawn: it has migrations that are gone, and lacks those that are there now."""
    stranger = "INSERT INTO migration (name, app_name) VALUES ('2020-01-01T00:00:00:000000', 'contracts')"
    await execute(empty_database_url, "CREATE TABLE migration (name text, app_name text)", stranger)
    for look in (migrating.pending, migrating.migrate):
        with pytest.raises(migrating.AnotherHistory) as raised:
            await look(empty_database_url)
        for told in ("contracts 2020-01-01T00:00:00:000000", "pg_dump", "DATABASE_URL", "VENDOR_MGMT_DATA_DIR"):
            assert told in str(raised.value)
    assert await fetch(empty_database_url, "SELECT to_regclass('vendor') IS NULL") == [(True,)]


async def test_a_database_that_a_newer_program_has_migrated_goes_on_working(database_url: str) -> None:
    await execute(database_url, "INSERT INTO migration (name, app_name) VALUES ('9998-01-01T00:00:00:000000', 'contracts')")
    assert await migrating.pending(database_url) == []
    assert await migrating.migrate(database_url) == []


def test_no_migration_bears_a_date_still_to_come() -> None:
    """Migrations are applied in the order of their names; one from the future would run after those that build on it."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")
    for app in migrating.apps():
        assert [name for name in migrating.migrations_of(app) if name > tomorrow] == []


@pytest.mark.parametrize("app", ["contracts", "scorecards", "vendor_mgmt"])
async def test_no_change_of_a_table_waits_for_its_migration(app: str) -> None:
    assert await migrating.unwritten(app) == [], f'write it: vendor-mgmt migrate new {app} --description "…"'


def test_four_processes_that_migrate_at_once_take_turns(empty_database_url: str) -> None:
    environment = {**os.environ, "DATABASE_URL": empty_database_url}
    command = [sys.executable, "-W", "error", "-m", "vendor_mgmt", "migrate", "--json"]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]
    answers = [(*process.communicate(), process.returncode) for process in started]
    assert [code for _, _, code in answers] == [0, 0, 0, 0], answers
    applied = [msgspec.json.decode(out)["applied"] for out, _, _ in answers]
    # One did everything, and no two did the same.
    assert sorted(len(names) for names in applied)[:3] == [0, 0, 0]
    assert asyncio.run(migrating.pending(empty_database_url)) == []


async def test_a_migration_that_fails_leaves_nothing_of_itself_and_all_before_it(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = ModuleType("broken")
    broken.ID = "9999-01-01T00:00:00:000000"  # type: ignore[attr-defined]
    broken.DESCRIPTION = "Fail half-way"  # type: ignore[attr-defined]
    broken.forwards = migrating.sql_migration(  # type: ignore[attr-defined]
        "contracts", broken.ID, broken.DESCRIPTION, up="CREATE TABLE half (id int); SELECT 1 / 0;", down=""
    )
    real = migrating.migrations_of

    def with_broken(app: AppConfig) -> dict[str, object]:
        return {**real(app), **({broken.ID: broken} if app.app_name == "contracts" else {})}

    monkeypatch.setattr(migrating, "migrations_of", with_broken)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrating.migrate(empty_database_url)
    assert await fetch(empty_database_url, "SELECT to_regclass('half') IS NULL, to_regclass('vendor') IS NOT NULL") == [(True, True)]
    # The lock went with the connection; once repaired, the rest follows.
    monkeypatch.setattr(migrating, "migrations_of", real)
    await migrating.migrate(empty_database_url)
    assert await migrating.pending(empty_database_url) == []


def test_every_file_begins_with_its_apps_name_and_no_two_share_one() -> None:
    for app in migrating.apps():
        for file in Path(app.resolved_migrations_folder_path).glob("*.py"):
            assert file.name.startswith(f"{app.app_name}_"), file
            assert file.name != f"{app.app_name}.py", "that name would hide the package"
    names = [file.name for file in migration_files()]
    assert len(names) == len(set(names))


def test_migrations_are_found_in_a_checkout_and_in_an_installed_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert piccolo_app.migrations_folder("contracts") == Path(__file__).parents[2] / "migrations" / "contracts"
    (tmp_path / "vendor_mgmt" / "_migrations").mkdir(parents=True)
    monkeypatch.setattr(piccolo_app, "ROOT", tmp_path)
    assert piccolo_app.migrations_folder("contracts") == tmp_path / "vendor_mgmt" / "_migrations" / "contracts"


# Nothing implicit


async def test_no_column_has_a_default_that_nobody_asked_for(database_url: str) -> None:
    """Piccolo gives a text '', a number 0, a flag false, a date today unless told otherwise; about a contract each is a false statement."""
    keys = await fetch(
        database_url,
        """
        SELECT conrelid::regclass::text, attname FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
         WHERE contype = 'p' AND connamespace = 'public'::regnamespace
        """,
    )
    found = await fetch(
        database_url,
        """
        SELECT adrelid::regclass::text, attname, pg_get_expr(adbin, adrelid)
          FROM pg_attrdef JOIN pg_attribute ON (attrelid, attnum) = (adrelid, adnum) JOIN pg_class ON pg_class.oid = adrelid
         WHERE relnamespace = 'public'::regnamespace AND relname <> 'migration'
           -- Spelling out "no default" is no default.
           AND pg_get_expr(adbin, adrelid) !~ '^NULL(::.*)?$'
        """,
    )
    numbered = [row[:2] for row in found if str(row[2]).startswith("nextval(")]
    assert set(numbered) <= set(keys), "only a primary key counts by itself"
    assert [row for row in found if row[:2] not in numbered and row[:2] not in DEFAULTS_ON_PURPOSE] == []


def test_no_column_is_filled_in_python_by_a_default_that_nobody_asked_for() -> None:
    """The same defaults once more, where Piccolo fills them in before the database sees the row."""
    filled = [
        (table._meta.tablename, column._meta.name)
        for table in tables()
        for column in table._meta.columns
        if not isinstance(column, Serial) and not column._meta.primary_key and column._meta.params.get("default") is not None
    ]
    assert [each for each in filled if each not in DEFAULTS_ON_PURPOSE] == []


async def test_no_deletion_takes_other_rows_with_it(database_url: str) -> None:
    """Neither cascade nor "set null" nor "set default": history is removed by retention alone."""
    taking = await fetch(database_url, "SELECT conname FROM pg_constraint WHERE contype = 'f' AND confdeltype NOT IN ('a', 'r')")
    in_queue = await fetch(
        database_url, "SELECT conname FROM pg_constraint WHERE contype = 'f' AND connamespace = 'queue'::regnamespace"
    )
    assert set(taking) <= set(in_queue), "Procrastinate's own tables are not history"


def test_constraints_are_named_after_their_table() -> None:
    """PostgreSQL wants the names behind unique and exclusion constraints to differ, and an error should name the table."""
    named = {
        f"{table._meta.tablename}: {constraint._meta.name}": constraint._meta.name.startswith(f"{table._meta.tablename}_")
        for table in tables()
        for constraint in table._meta.constraints
    }
    assert [name for name, is_so in named.items() if not is_so] == []


def test_no_table_is_in_two_apps() -> None:
    names = [table._meta.tablename for table in tables()]
    assert len(names) == len(set(names))


# Writing migrations


class Tariff(Table):
    id = Serial(primary_key=True)
    code = Varchar(length=20, default=None)
    contract = Integer(default=None)
    in_force_from = Date(default=None)
    in_force_until = Date(null=True, default=None)

    tariff_code_is_there = Check("code <> ''")
    tariff_one_in_force = Exclude(
        "int4range(contract, contract, '[]') WITH &&, daterange(in_force_from, in_force_until, '[)') WITH &&",
        where="code <> 'draft'",
    )


@pytest.fixture
def tariff_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppConfig:
    """An app of its own in a folder of its own."""
    app = AppConfig(app_name="tariffs", migrations_folder_path=tmp_path, table_classes=[Tariff])
    monkeypatch.setattr(Finder, "get_app_config", lambda _, app_name: app)
    monkeypatch.setattr(Finder, "get_app_configs", lambda _, sort_by_migration_dependencies=True: [app])
    return app


def test_a_written_migration_makes_the_table_and_is_not_written_twice(
    tariff_app: AppConfig, empty_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = migrating.write_new("tariffs", "Keep tariffs")
    assert file is not None
    assert file.name.startswith("tariffs_")
    assert migrating.write_new("tariffs", "Keep tariffs") is None
    assert capsys.readouterr().out == ""

    asyncio.run(migrating.migrate(empty_database_url))
    definitions = dict(asyncio.run(fetch(empty_database_url, CONSTRAINTS)))
    assert definitions["tariff.tariff_one_in_force"] == (
        "EXCLUDE USING gist (int4range(contract, contract, '[]'::text) WITH &&, "
        "daterange(in_force_from, in_force_until, '[)'::text) WITH &&) WHERE (((code)::text <> 'draft'::text))"
    )


def test_adjoining_spans_are_allowed_and_overlapping_ones_are_not(tariff_app: AppConfig, empty_database_url: str) -> None:
    migrating.write_new("tariffs", "Keep tariffs")
    asyncio.run(migrating.migrate(empty_database_url))

    def insert(code: str, contract: int, in_force_from: str, in_force_until: str) -> str:
        values = f"'{code}', {contract}, {in_force_from}, {in_force_until}"
        return f"INSERT INTO tariff (code, contract, in_force_from, in_force_until) VALUES ({values})"  # noqa: S608

    allowed = [
        insert("a", 1, "'2026-01-01'", "'2026-02-01'"),
        insert("b", 1, "'2026-02-01'", "NULL"),
        insert("c", 2, "'2026-01-15'", "NULL"),
        insert("draft", 1, "'2026-01-15'", "NULL"),
    ]
    asyncio.run(execute(empty_database_url, *allowed))
    with pytest.raises(asyncpg.ExclusionViolationError) as raised:
        asyncio.run(execute(empty_database_url, insert("d", 1, "'2026-03-01'", "'2026-04-01'")))
    assert raised.value.constraint_name == "tariff_one_in_force"


def test_a_frame_for_sql_is_a_migration_that_does_nothing_yet(tariff_app: AppConfig, empty_database_url: str) -> None:
    file = migrating.write_new("tariffs", "Add an index", empty=True)
    assert file is not None
    [(name, module)] = migrating.migrations_of(tariff_app).items()
    assert name in file.read_text()
    assert isinstance(asyncio.run(module.forwards()), MigrationManager)
    assert len(asyncio.run(migrating.migrate(empty_database_url))) == 1


# The work queue


def test_the_queue_is_as_new_as_the_installed_procrastinate(database_url: str) -> None:
    newest = max(path.name for path in Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    [(comment,)] = asyncio.run(fetch(database_url, "SELECT obj_description('queue'::regnamespace)"))
    assert comment == f"procrastinate {newest}", "Procrastinate's schema has changed: apply its newer files in a migration of ours"


async def test_work_is_queued_in_the_transaction_that_asks_for_it(database: str) -> None:
    defer = """
        SELECT (queue.procrastinate_defer_jobs_v1(
                    ARRAY[ROW('pulls', 'pull', 0, NULL, NULL, '{}', NULL)]::queue.procrastinate_job_to_defer_v1[]))[1]
    """
    async with transaction() as connection:
        assert await connection.fetchval(defer) == 1
    with pytest.raises(ZeroDivisionError):
        async with transaction() as connection:
            await connection.fetchval(defer)
            raise ZeroDivisionError
    assert await fetch(database, "SELECT task_name FROM queue.procrastinate_jobs") == [("pull",)]


# Who may do what


async def test_the_service_may_use_every_table_and_create_none(database: str) -> None:
    async with transaction() as connection:
        names = [table._meta.tablename for table in tables()]
        rights = await connection.fetch(
            "SELECT name, has_table_privilege(name, 'SELECT') AND has_table_privilege(name, 'INSERT') AS may"
            " FROM unnest($1::text[]) AS name",
            names,
        )
        assert [row["name"] for row in rights if not row["may"]] == []
        standing = await database_roles.standing(connection)
    assert standing.may_become
    assert not standing.may_create
    del database


@pytest.fixture
def logins(each_server_url: str) -> Iterator[tuple[str, str]]:
    """A database that belongs to a login without any right to make roles, and the name of that login."""
    login = f"owner_{os.getpid()}"
    asyncio.run(execute(each_server_url, f"CREATE ROLE {login} LOGIN PASSWORD 'pw'"))
    name = f"owned_{os.getpid()}"
    asyncio.run(execute(each_server_url, f"CREATE DATABASE {name} OWNER {login}"))
    yield as_login(at_database(each_server_url, name), login), login
    asyncio.run(execute(each_server_url, f"DROP DATABASE {name} WITH (FORCE)", f"DROP ROLE {login}"))


async def test_where_roles_cannot_be_made_it_works_and_says_what_to_run(
    each_server_url: str, logins: tuple[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url, login = logins
    # Roles belong to the whole server, and other tests have made the real one already.
    service = f"service_{os.getpid()}"
    monkeypatch.setattr(database_roles, "SERVICE", service)
    monkeypatch.setattr(database_roles, "BY_HAND", database_roles.BY_HAND.replace("vendor_mgmt_app", service))

    await migrating.migrate(url)
    assert f'CREATE ROLE {service} NOLOGIN; GRANT {service} TO "{login}";' in caplog.text
    assert "role" not in await session_settings(url)

    async with connect(url) as connection:
        by_hand = (await database_roles.standing(connection)).by_hand
    await execute(each_server_url, *by_hand.rstrip(";").split(";"))
    await migrating.migrate(url)
    assert (await session_settings(url))["role"] == service
    async with pool(url), transaction() as connection:
        assert await connection.fetchval("SELECT current_user") == service
        assert await connection.fetchval("SELECT count(*) FROM vendor") == 0
        await connection.fetchval("SELECT count(*) FROM queue.procrastinate_jobs")
    # A role can go only when nothing refers to it any more.
    await execute(at_database(each_server_url, urlsplit(url).path.lstrip("/")), f"DROP OWNED BY {service}", f"DROP ROLE {service}")


async def test_a_right_that_a_migration_took_from_the_service_stays_taken(empty_database_url: str) -> None:
    await migrating.migrate(empty_database_url)
    await execute(empty_database_url, "REVOKE DELETE ON vendor FROM vendor_mgmt_app")
    await migrating.migrate(empty_database_url)
    assert await fetch(empty_database_url, "SELECT has_table_privilege('vendor_mgmt_app', 'vendor', 'DELETE')") == [(False,)]
