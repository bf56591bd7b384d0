"""Reading a month of 7 200 series as it was known earlier, beside reading it as it is known now.

Half a million daily values, a tenth of them restated since.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg

from contracts import queries as contracts
from scorecards import measurement_queries as queries
from scorecards.series import DAY, SeriesKey, canonical

SERIES, DAYS = 7_200, 70
FIRST = date(2026, 1, 1)


async def load(connection: Any) -> tuple[datetime, list[int]]:
    """Store everything, restate a tenth of it, and return the moment in between and the series."""
    now = datetime.now(UTC)
    vendor = await contracts.save_vendor(connection, "v", "Vendor", now=now)
    site = await contracts.save_site(connection, "s", "Site", vendor=vendor, time_zone="UTC", now=now)
    keys = [SeriesKey(site=site, measure=f"m{i % 24}", dims_key=canonical({"queue": f"q{i // 24}"})) for i in range(SERIES)]
    ids = await queries.series_ids(connection, keys)
    moments: list[datetime] = []
    for pull, every in ((1, 1), (2, 10)):
        await queries.begin_staging(connection)
        for day in range(0, DAYS, 10):
            lines = [
                f"{number}\t{DAY}\t{FIRST + timedelta(days=day + d)}\t\\N\t{number % 97 + pull}\t\\N\t\\N\t1\n"
                for number in ids[::every]
                for d in range(10)
            ]
            await queries.stage(connection, "".join(lines).encode())
        async with connection.transaction():
            moments.append((await queries.merge(connection, pull)).known_at)
    await connection.execute("VACUUM (ANALYZE) measurement")
    return moments[0], ids


async def best_of(connection: Any, as_of: datetime | None) -> tuple[float, list[queries.SeriesSum]]:
    seconds: list[float] = []
    found: list[queries.SeriesSum] = []
    for _ in range(7):
        started = time.perf_counter()
        found = await queries.sums(connection, date(2026, 2, 1), date(2026, 3, 1), as_of=as_of)
        seconds.append(time.perf_counter() - started)
    return min(seconds), found


async def test_a_month_as_it_was_known_costs_at_most_three_times_a_month_as_it_is_known_now(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    before, ids = await load(connection)
    now_s, now = await best_of(connection, None)
    then_s, then = await best_of(connection, before)
    await connection.close()
    assert len(now) == len(then) == SERIES
    assert {one.series: one.total for one in then} == {number: 28 * (number % 97 + 1) for number in ids}
    assert {one.series for one, other in zip(now, then, strict=True) if one.total != other.total} == set(ids[::10])
    print(f"\na month of {SERIES} series: now {now_s:.3f} s, as of then {then_s:.3f} s, ratio {then_s / now_s:.2f}")
    assert then_s <= 3 * now_s
