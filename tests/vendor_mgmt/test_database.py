"""The engine, the pool and transactions, on a real server."""

from __future__ import annotations

import asyncio
import contextvars
import os
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import asyncpg
import pytest
from piccolo.apps.migrations.tables import Migration
from piccolo.engine.exceptions import TransactionError
from piccolo.engine.finder import engine_finder

from vendor_mgmt import database
from vendor_mgmt.database import DatabaseUnavailable, connect, pool, transaction, without_password
from vendor_mgmt.engine import DB, DatabaseNotChosen


async def make_parent_and_child(url: str) -> None:
    """Two tables of which the second refers to the first, checked only at COMMIT."""
    async with connect(url) as connection:
        await connection.execute(
            """
            CREATE TABLE parent (id int PRIMARY KEY);
            CREATE TABLE child (parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
            """
        )


async def rows(table: str) -> int:
    async with transaction() as connection:
        found = await connection.fetchval(f'SELECT count(*) FROM "{table}"')  # noqa: S608  (names of this file's own tables)
    assert isinstance(found, int)
    return found


def test_importing_every_table_connects_to_nothing() -> None:
    """The address leads nowhere; an attempt to connect would warn, and warnings are errors."""
    code = "import vendor_mgmt.piccolo_conf as conf; print(sorted(conf.APP_REGISTRY.app_configs))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "DATABASE_URL": "postgresql://nobody@192.0.2.1:1/none"},
    )
    assert done.stdout.strip() == "['contracts', 'scorecards', 'vendor_mgmt']"
    assert done.stderr == ""


def test_tables_find_the_engine_by_themselves() -> None:
    assert engine_finder() is DB


async def test_without_a_chosen_database_a_query_says_what_to_do() -> None:
    with pytest.raises(DatabaseNotChosen, match="DATABASE_URL"):
        await Migration.select()


async def test_an_absent_server_is_named_with_its_repair_and_without_its_password() -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        url = f"postgresql://clerk:s3cret@127.0.0.1:{placeholder.getsockname()[1]}/books"
        with pytest.raises(DatabaseUnavailable, match="Check that the server runs") as raised:
            async with pool(url):
                pytest.fail("there is no server")
    assert "127.0.0.1" in str(raised.value)
    assert "s3cret" not in str(raised.value)
    assert DB.pool is None


async def test_a_wrong_password_and_a_missing_database_are_told_apart(database_url: str) -> None:
    parts = urlsplit(database_url)
    wrong = parts._replace(netloc=f"{parts.username}:wrong@{parts.hostname}:{parts.port}").geturl()
    with pytest.raises(DatabaseUnavailable, match="Correct the user and password"):
        async with pool(wrong):
            pytest.fail("the password is wrong")
    with pytest.raises(DatabaseUnavailable, match="Create it with `createdb`"):
        async with pool(database_url + "_missing"):
            pytest.fail("the database does not exist")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://a:b@host:5432/db", "postgresql://a@host:5432/db"),
        ("postgresql://a:b%40c@host/db?password=x", "postgresql://a@host/db"),
        ("postgresql:///db", "postgresql:///db"),
        ("postgresql://host/db", "postgresql://host/db"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


async def test_piccolo_and_plain_sql_share_one_transaction(database: str) -> None:
    del database
    with pytest.raises(ZeroDivisionError):
        async with transaction() as connection:
            await connection.execute("CREATE TEMPORARY TABLE seen (name text) ON COMMIT DROP")
            before = await Migration.count()
            assert before == await connection.fetchval("SELECT count(*) FROM migration")
            inner = await DB._run_in_pool("SELECT to_regclass('seen') IS NULL AS absent")
            assert inner[0]["absent"], "another connection must not see it"
            raise ZeroDivisionError


async def test_an_exception_that_leaves_the_block_undoes_everything(database: str) -> None:
    await make_parent_and_child(database)
    async with transaction() as connection:
        await connection.execute("INSERT INTO parent VALUES (1)")
    with pytest.raises(ZeroDivisionError):
        async with transaction() as connection:
            await connection.execute("INSERT INTO parent VALUES (2)")
            raise ZeroDivisionError
    assert await rows("parent") == 1


async def test_a_commit_that_fails_gives_its_connection_back_and_is_forgotten(database: str) -> None:
    await make_parent_and_child(database)
    assert DB.pool is not None
    for _ in range(2 * database_pool_size()):
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            async with transaction() as connection:
                await connection.execute("INSERT INTO child VALUES (99)")
        assert not DB.transaction_exists()
    # A later block must be a transaction again rather than run in autocommit inside the dead one.
    with pytest.raises(ZeroDivisionError):
        async with transaction() as connection:
            await connection.execute("INSERT INTO parent VALUES (1)")
            raise ZeroDivisionError
    assert await rows("parent") == 0
    assert DB.pool.get_idle_size() == DB.pool.get_size(), "every connection is back in the pool"


async def test_a_serialization_conflict_is_reported_and_forgotten(database: str) -> None:
    await make_parent_and_child(database)

    async def count_then_add(number: int, counted: asyncio.Barrier) -> None:
        async with transaction(isolation="serializable") as connection:
            await connection.fetchval("SELECT count(*) FROM parent")
            await counted.wait()
            await connection.execute("INSERT INTO parent VALUES ($1)", number)

    barrier = asyncio.Barrier(2)
    ends = await asyncio.gather(count_then_add(1, barrier), count_then_add(2, barrier), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["NoneType", "SerializationError"]
    assert await rows("parent") == 1
    assert not DB.transaction_exists()


async def test_a_cancelled_transaction_commits_nothing_and_gives_its_connection_back(database: str) -> None:
    await make_parent_and_child(database)
    inserted = asyncio.Event()

    async def work() -> None:
        async with transaction() as connection:
            await connection.execute("INSERT INTO parent VALUES (1)")
            inserted.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inserted.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await rows("parent") == 0
    assert DB.pool is not None
    assert DB.pool.get_idle_size() == DB.pool.get_size()


async def test_wherever_a_transaction_is_cancelled_its_connection_is_not_doubted_aloud(database: str) -> None:
    await make_parent_and_child(database)
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))

    async def work() -> None:
        async with transaction() as connection:
            await connection.execute("SELECT 1")

    # One cancellation after each few turns of the event loop, so that BEGIN, the statement and COMMIT are all hit in the middle.
    for turns in range(60):
        task = asyncio.create_task(work())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    # Connecting anew, when cancelled, has a complaint of the driver's own; it is about no transaction.
    assert [each for each in complaints if "transaction" in str(each)] == []
    assert await rows("parent") == 0


async def test_a_block_inside_another_joins_it(database: str) -> None:
    await make_parent_and_child(database)
    with pytest.raises(ZeroDivisionError):
        async with transaction() as outer:
            async with transaction() as inner:
                assert inner is outer
                await inner.execute("INSERT INTO parent VALUES (1)")
            raise ZeroDivisionError
    assert await rows("parent") == 0


async def test_a_savepoint_undoes_only_its_own_part(database: str) -> None:
    await make_parent_and_child(database)
    async with transaction() as connection:
        await connection.execute("INSERT INTO parent VALUES (1)")
        with pytest.raises(asyncpg.UniqueViolationError):
            async with connection.transaction():
                await connection.execute("INSERT INTO parent VALUES (1)")
        await connection.execute("INSERT INTO parent VALUES (2)")
    assert await rows("parent") == 2


async def test_another_isolation_inside_a_transaction_is_refused(database: str) -> None:
    del database
    async with transaction():
        with pytest.raises(TransactionError, match="begin the outer one"):
            async with transaction(isolation="serializable"):
                pytest.fail("it would silently have the outer isolation")
    async with transaction(isolation="serializable"), transaction(isolation="serializable") as connection:
        assert await connection.fetchval("SHOW transaction_isolation") == "serializable"


async def test_a_task_started_outside_a_transaction_is_not_in_it(database: str) -> None:
    del database
    async with transaction():
        task = asyncio.create_task(asyncio.sleep(0, DB.transaction_exists()), context=contextvars.Context())
        assert DB.transaction_exists()
        await task

        async def is_inside() -> bool:
            return DB.transaction_exists()

        assert not await asyncio.create_task(is_inside(), context=contextvars.Context())


async def test_a_pool_closes_although_a_connection_was_never_given_back(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vendor_mgmt.engine.CLOSE_TIMEOUT_S", 0.1)
    async with pool(database_url):
        opened = DB.pool
        assert opened is not None
        forgotten = await opened.acquire()
    assert opened.is_closing()
    with pytest.raises(asyncpg.InterfaceError):
        await forgotten.execute("SELECT 1")


async def test_the_service_may_change_rows_but_no_tables(database: str) -> None:
    del database
    async with transaction() as connection:
        assert await connection.fetchval("SELECT current_user") == "vendor_mgmt_app"
    for forbidden in ("CREATE TABLE mine (id int)", "DROP TABLE migration", "DELETE FROM migration", "ALTER TABLE migration ADD x int"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction() as connection:
                await connection.execute(forbidden)


async def test_row_level_security_holds_for_the_service_and_ends_with_the_transaction(database: str) -> None:
    async with connect(database) as owner:
        await owner.execute(
            """
            CREATE TABLE secret (vendor int);
            INSERT INTO secret VALUES (1), (2), (3);
            ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
            CREATE POLICY of_vendors ON secret TO vendor_mgmt_app
                USING (vendor = ANY (coalesce(nullif(current_setting('app.vendors', true), ''), '{}')::int[]));
            """
        )
    async with transaction() as connection:
        await connection.execute("SELECT set_config('app.vendors', $1, true)", "{1,3}")
        assert [row["vendor"] for row in await connection.fetch("SELECT vendor FROM secret ORDER BY 1")] == [1, 3]
    # Many transactions take turns on the pool's connections; none may see what another was allowed to.
    for _ in range(2 * database_pool_size()):
        assert await rows("secret") == 0


async def test_moments_are_in_utc_whatever_the_server_thinks(database: str) -> None:
    del database
    async with transaction() as connection:
        assert await connection.fetchval("SHOW timezone") == "UTC"


async def test_the_pool_cannot_be_pointed_elsewhere_while_open(database: str) -> None:
    with pytest.raises(RuntimeError, match="pool is open"):
        DB.point_at(database)


def database_pool_size() -> int:
    return database.POOL_SIZE_MAX
