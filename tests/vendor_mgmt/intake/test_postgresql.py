"""A vendor's own PostgreSQL is read by a query, and nothing but read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from tests.vendor_mgmt.intake.builders import MAPPING, TODAY, day, found_anywhere, portfolio, pulled, source, stored
from vendor_mgmt.intake import pull
from vendor_mgmt.intake.pull import Request, pull_now
from vendor_mgmt.intake.source import window_of

QUERY = "SELECT site, queue, day, audited, correct, agent FROM daily WHERE day >= :since AND day < :until ORDER BY day"


@pytest.fixture
async def theirs(database: str, empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """A connection to the vendor's database."""
    await portfolio()
    monkeypatch.setenv("WAREHOUSE", empty_database_url)
    pull.configure(allow_private=True)
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("CREATE TABLE daily (site text, queue text, day date, audited int, correct numeric, agent text)")
    for back in range(40, 0, -1):
        await connection.execute(
            "INSERT INTO daily VALUES ('lisbon-1', 'product', $1, 100, 95.10, 'Maria Canaria 4711')", TODAY - timedelta(days=back)
        )
    yield connection
    await connection.close()
    pull.configure()


def reader(query: str = QUERY, **changed: Any) -> dict[str, Any]:
    return {"type": "postgresql", "address": {"env": "WAREHOUSE"}, "query": query} | changed


async def failed(**changed: Any) -> str:
    await source(reader=reader(**changed))
    result, found = await pull_now(Request(source="harbour-daily"))
    assert (result.state, found) == ("failed", None)
    return result.error or ""


async def test_the_days_that_are_wanted_are_asked_for_and_stored_exactly(theirs: Any) -> None:
    await source(reader=reader())
    first = await pulled()
    assert (first.state, first.rows_read, first.added, first.watermark_on) == ("done", 40, 80, TODAY)
    assert str((await stored())["lisbon-1", "correct", day(1)]) == "95.10"
    await theirs.execute("UPDATE daily SET audited = 101 WHERE day IN ($1, $2)", TODAY - timedelta(days=2), TODAY - timedelta(days=20))
    again = await pulled()
    assert (again.rows_read, again.changed) == (7, 1)
    assert (await pulled(from_=TODAY - timedelta(days=21), until=TODAY - timedelta(days=19), reason="restated")).changed == 1
    assert await found_anywhere("Maria Canaria 4711") == []


@pytest.mark.parametrize(
    "query",
    [
        "WITH gone AS (DELETE FROM daily RETURNING *) SELECT * FROM gone",
        "SELECT site, queue, day, audited, correct FROM daily; DELETE FROM daily",
        "SELECT *, setval('counter', 5) FROM daily",
    ],
)
async def test_a_query_cannot_change_anything(theirs: Any, query: str) -> None:
    await theirs.execute("CREATE SEQUENCE counter")
    assert (await failed(query=query)).startswith("The query")
    assert await theirs.fetchval("SELECT count(*) FROM daily") == 40
    assert await theirs.fetchval("SELECT last_value FROM counter") == 1


async def test_more_rows_than_the_limit_are_not_taken_for_all_of_them(theirs: Any) -> None:
    await source(reader=reader(rows_max=30))
    found = await pulled()
    assert (found.state, found.rows_read, found.watermark_on) == ("partial", 30, None)
    assert "more than 30 rows" in found.findings[0]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"query": "SELECT FROM WHERE"}, "is no SQL"),
        ({"query": "SELECT * FROM nowhere"}, 'relation "nowhere" does not exist'),
        ({"query": "SELECT site, day FROM daily"}, "The query gives no column queue, audited, correct; it gives day, site."),
        ({"query": "SELECT *, pg_sleep(9) FROM daily", "limits": {"page_s": 0.2}}, "statement timeout"),
    ],
)
async def test_what_is_wrong_with_a_query_is_said_in_words(theirs: Any, changed: dict[str, Any], words: str) -> None:
    error = await failed(**changed)
    assert words in error


async def test_a_private_database_is_not_reached_unless_it_is_allowed(theirs: Any) -> None:
    pull.configure(allow_private=False)
    assert "such an address is not asked" in await failed()


async def test_an_address_that_is_none_is_not_quoted(theirs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE", "harbour:s3cret")
    error = await failed()
    assert "is not written as postgresql://" in error
    assert "s3cret" not in error


@pytest.mark.parametrize(
    ("query", "numbered", "names"),
    [
        ("SELECT 1 WHERE d >= :since AND d < :until", "SELECT 1 WHERE d >= $1::date AND d < $2::date", ("since", "until")),
        ("SELECT ':since' -- :until\n, d::date, :until, :until", "SELECT ':since' -- :until\n, d::date, $1::date, $1::date", ("until",)),
        ('SELECT ":since" /* :until */', 'SELECT ":since" /* :until */', ()),
    ],
)
def test_days_are_parameters_and_never_text(query: str, numbered: str, names: tuple[str, ...]) -> None:
    assert window_of(query) == (numbered, names)


async def test_binary_fractions_and_moments_are_read(theirs: Any) -> None:
    query = "SELECT 'lisbon-1' AS site, 'product' AS queue, (now() - interval '1 day')::date AS day, 0.1::float8 AS audited, 0 AS correct"
    await source(reader=reader(query=query), mapping=MAPPING)
    assert (await pulled()).added == 2
    values = [value for key, value in (await stored()).items() if key[1] == "audited"]
    assert values == [Decimal("0.1")]
