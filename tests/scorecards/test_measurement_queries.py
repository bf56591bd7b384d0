"""What was known when: storing, superseding, correcting and adding up measurements in a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from scorecards import measurement_queries as queries
from scorecards.series import GRAINS, SeriesKey, canonical
from vendor_mgmt.database import transaction

FIRST = date(2026, 3, 1)
UNTIL = date(2026, 4, 1)


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Any]:
    opened = await asyncpg.connect(database)
    yield opened
    await opened.close()


async def site(connection: Any, code: str = "lisbon-1") -> int:
    vendor = await connection.fetchval(
        "INSERT INTO vendor (code, name, in_house, created_at) VALUES ('harbour-cx', 'Harbour', false, now())"
        " ON CONFLICT (code) DO UPDATE SET name = vendor.name RETURNING id"
    )
    return int(
        await connection.fetchval(
            "INSERT INTO site (code, name, vendor, time_zone, created_at) VALUES ($1, 'Lisbon', $2, 'Europe/Lisbon', now()) RETURNING id",
            code,
            vendor,
        )
    )


async def series(connection: Any, measure: str = "decisions_audited", at: int | None = None, **dimensions: str) -> int:
    key = SeriesKey(site=at or await site(connection), measure=measure, dims_key=canonical(dimensions))
    (number,) = await queries.series_ids(connection, [key])
    return number


def line(
    number: int, day: date, value: object, row: int, *, grain: str = "day", reported_at: str = "\\N", starts_at: str = "\\N", n: str = "\\N"
) -> bytes:
    text = "\\N" if value is None else str(value)
    return f"{number}\t{GRAINS[grain]}\t{day}\t{starts_at}\t{text}\t{n}\t{reported_at}\t{row}\n".encode()


async def store(connection: Any, *lines: bytes, pull: int = 1) -> queries.Merged:
    await queries.begin_staging(connection)
    await queries.stage(connection, b"".join(lines))
    async with connection.transaction():
        await queries.settle_duplicates(connection)
        return await queries.merge(connection, pull)


async def month(connection: Any, **more: Any) -> dict[int, queries.SeriesSum]:
    return {found.series: found for found in await queries.sums(connection, FIRST, UNTIL, **more)}


async def test_a_month_adds_up_and_says_on_which_days_there_was_a_value(connection: Any) -> None:
    number = await series(connection)
    merged = await store(
        connection, line(number, FIRST, 10, 1), line(number, date(2026, 3, 2), None, 2), line(number, date(2026, 3, 31), "0.5", 3)
    )
    assert (merged.added, merged.changed, merged.unchanged) == (3, 0, 0)
    found = (await month(connection))[number]
    assert (found.total, found.rows, found.values) == (Decimal("10.5"), 3, 2)
    assert found.days == 1 << 0 | 1 << 30
    assert found.grain == "day"


async def test_a_series_without_any_row_is_absent_and_one_with_only_missing_values_has_no_total(connection: Any) -> None:
    number = await series(connection)
    await store(connection, line(number, FIRST, None, 1))
    found = await month(connection)
    assert found[number].total is None
    assert (found[number].rows, found[number].values, found[number].days) == (1, 0, 0)
    assert len(found) == 1


async def test_the_last_day_outside_the_period_does_not_count(connection: Any) -> None:
    number = await series(connection)
    await store(connection, line(number, UNTIL, 7, 1), line(number, FIRST - timedelta(days=1), 7, 2))
    assert await month(connection) == {}


async def test_a_year_is_added_up_in_one_call_and_its_days_are_all_marked(connection: Any) -> None:
    number = await series(connection)
    days = [date(2026, 1, 1) + timedelta(days=i) for i in range(365)]
    await store(connection, *(line(number, day, 1, i) for i, day in enumerate(days, 1)))
    (found,) = await queries.sums(connection, date(2026, 1, 1), date(2027, 1, 1))
    assert found.total == 365
    assert found.days == (1 << 365) - 1


async def test_the_same_rows_again_change_nothing(connection: Any) -> None:
    number = await series(connection)
    lines = [line(number, FIRST + timedelta(days=i), i, i + 1) for i in range(20)]
    await store(connection, *lines)
    again = await store(connection, *lines, pull=2)
    assert (again.added, again.changed, again.unchanged, again.touched) == (0, 0, 20, [])
    assert await connection.fetchval("SELECT count(*) FROM measurement") == 20


async def test_a_restated_value_supersedes_openly_and_the_past_stays_as_it_was_known(connection: Any) -> None:
    number = await series(connection)
    before = await store(connection, line(number, FIRST, 10, 1))
    after = await store(connection, line(number, FIRST, 12, 1), pull=2)
    assert (after.added, after.changed, after.unchanged) == (0, 1, 0)
    assert [touched.touched_until for touched in after.touched] == [date(2026, 3, 2)]
    assert (await month(connection))[number].total == 12
    assert (await month(connection, as_of=before.known_at))[number].total == 10
    assert (await month(connection, as_of=after.known_at))[number].total == 12
    assert await month(connection, as_of=before.known_at - timedelta(microseconds=1)) == {}
    rows = await queries.history(connection, number, FIRST, "day")
    assert [(row.value, row.superseded_at, row.pull) for row in rows] == [(Decimal(10), after.known_at, 1), (Decimal(12), None, 2)]


async def test_a_value_that_becomes_missing_is_a_change(connection: Any) -> None:
    number = await series(connection)
    await store(connection, line(number, FIRST, 10, 1))
    assert (await store(connection, line(number, FIRST, None, 1), pull=2)).changed == 1
    assert (await month(connection))[number].total is None


async def test_a_page_delivered_twice_does_no_harm(connection: Any) -> None:
    number = await series(connection)
    await queries.begin_staging(connection)
    await queries.stage(connection, line(number, FIRST, 10, 1) + line(number, FIRST, 10, 2))
    async with connection.transaction():
        assert await queries.settle_duplicates(connection) == (1, [])
        assert (await queries.merge(connection, 1)).added == 1


async def test_two_values_for_one_span_in_one_pull_are_a_conflict_and_the_first_counts(connection: Any) -> None:
    number = await series(connection)
    await queries.begin_staging(connection)
    await queries.stage(connection, line(number, FIRST, 10, 1) + line(number, FIRST, 11, 2))
    async with connection.transaction():
        repetitions, conflicts = await queries.settle_duplicates(connection)
        await queries.merge(connection, 1)
    assert repetitions == 0
    assert [(c.row_number, c.value, c.first_row_number, c.first_value) for c in conflicts] == [(2, Decimal(11), 1, Decimal(10))]
    assert (await month(connection))[number].total == 10


async def test_of_two_values_the_one_published_later_counts_whatever_order_they_come_in(connection: Any) -> None:
    number = await series(connection)
    old, new = "2026-04-01T00:00:00+00:00", "2026-04-02T00:00:00+00:00"
    await queries.begin_staging(connection)
    await queries.stage(connection, line(number, FIRST, 11, 1, reported_at=new) + line(number, FIRST, 10, 2, reported_at=old))
    async with connection.transaction():
        assert await queries.settle_duplicates(connection) == (1, [])
        await queries.merge(connection, 1)
    stale = await store(connection, line(number, FIRST, 10, 1, reported_at=old), pull=2)
    assert (stale.changed, stale.unchanged) == (0, 1)
    assert (await month(connection))[number].total == 11


async def test_a_correction_by_hand_says_who_and_why_and_outlives_the_repetition_of_what_it_corrected(connection: Any) -> None:
    number = await series(connection)
    await store(connection, line(number, FIRST, 10, 1))
    async with connection.transaction():
        known_at = await queries.correct(connection, number, FIRST, "day", value=Decimal(9), actor=3, reason="double count, case 881")
    assert known_at is not None
    assert (await store(connection, line(number, FIRST, 10, 1), pull=2)).unchanged == 1
    assert (await month(connection))[number].total == 9
    current = (await queries.rows(connection, [number], FIRST, UNTIL))[0]
    assert (current.actor, current.reason, current.pull) == (3, "double count, case 881", None)


async def test_a_source_that_says_something_new_supersedes_a_correction_by_hand(connection: Any) -> None:
    number = await series(connection)
    await store(connection, line(number, FIRST, 10, 1))
    async with connection.transaction():
        await queries.correct(connection, number, FIRST, "day", value=Decimal(9), actor=3, reason="double count")
    assert (await store(connection, line(number, FIRST, 8, 1), pull=2)).changed == 1
    assert (await month(connection))[number].total == 8


async def test_a_correction_of_nothing_is_refused_unless_it_is_an_entry(connection: Any) -> None:
    number = await series(connection)
    with pytest.raises(queries.NothingToCorrect, match="enter one"):
        async with connection.transaction():
            await queries.correct(connection, number, FIRST, "day", value=Decimal(1), actor=3, reason="typed in")
    async with connection.transaction():
        await queries.correct(connection, number, FIRST, "day", value=Decimal(1), actor=3, reason="typed in", add=True)
        assert await queries.correct(connection, number, FIRST, "day", value=Decimal(1), actor=3, reason="again") is None
    assert (await month(connection))[number].total == 1


async def test_spans_shorter_than_a_day_count_by_the_moments_of_the_period(connection: Any) -> None:
    number = await series(connection)
    # The last half hour of February in Lisbon, and the first of March, both on different dates in UTC+2.
    await store(
        connection,
        line(number, date(2026, 3, 1), 5, 1, grain="30m", starts_at="2026-03-01T01:30:00+02:00"),
        line(number, date(2026, 3, 1), 7, 2, grain="30m", starts_at="2026-03-01T02:00:00+02:00"),
    )
    edges = {"from_at": datetime(2026, 3, 1, tzinfo=UTC), "until_at": datetime(2026, 4, 1, tzinfo=UTC)}
    assert (await month(connection, **edges))[number].total == 7
    assert await month(connection) == {}


async def test_a_series_delivered_by_day_and_by_month_gives_two_sums(connection: Any) -> None:
    number = await series(connection)
    await store(connection, line(number, FIRST, 5, 1), line(number, FIRST, 155, 2, grain="month"))
    found = await queries.sums(connection, FIRST, UNTIL)
    assert [(one.grain, one.total) for one in found] == [("day", Decimal(5)), ("month", Decimal(155))]
    assert found[1].days == 0


async def test_series_are_found_by_site_measure_and_dimensions(connection: Any) -> None:
    at = await site(connection)
    one = await series(connection, at=at, workstream="product", language="pt")
    other = await series(connection, at=at, workstream="product", language="es")
    plain = await series(connection, "items_due", at=at)
    assert [s.id for s in await queries.series_of(connection, dimensions={"language": "pt"})] == [one]
    assert [s.id for s in await queries.series_of(connection, sites=[at], measures=["decisions_audited"])] == [one, other]
    assert (await queries.series_of(connection, measures=["items_due"]))[0] == queries.Series(
        id=plain, site=at, measure="items_due", dimensions={}
    )
    # The order in which dimensions are named does not make another series.
    assert await series(connection, at=at, language="pt", workstream="product") == one


@pytest.mark.parametrize("bad", ["NaN", "Infinity"])
async def test_the_database_itself_refuses_what_is_no_number(connection: Any, bad: str) -> None:
    number = await series(connection)
    with pytest.raises(asyncpg.CheckViolationError, match="measurement_value_is_a_number"):
        await store(connection, line(number, FIRST, bad, 1))


async def test_the_database_itself_refuses_to_change_a_measurement(connection: Any) -> None:
    number = await series(connection)
    await store(connection, line(number, FIRST, 10, 1))
    with pytest.raises(asyncpg.RestrictViolationError, match="never changed"):
        await connection.execute("UPDATE measurement SET value = 11")
    with pytest.raises(asyncpg.RestrictViolationError, match="has measurements"):
        await connection.execute("DELETE FROM series")
    await store(connection, line(number, FIRST, 12, 1), pull=2)
    with pytest.raises(asyncpg.RestrictViolationError, match="never changed"):
        await connection.execute("UPDATE measurement SET superseded_at = now() WHERE superseded_at IS NOT NULL")


async def test_later_knowledge_bears_a_later_moment_even_if_the_clock_was_ahead(connection: Any) -> None:
    number = await series(connection)
    ahead = datetime(2099, 1, 1, tzinfo=UTC)
    await connection.execute("UPDATE knowledge SET moment = $1", ahead)
    first = await store(connection, line(number, FIRST, 10, 1))
    second = await store(connection, line(number, FIRST, 11, 1), pull=2)
    assert ahead < first.known_at < second.known_at
    async with transaction() as reading:
        assert await queries.knowledge(reading) == second.known_at
