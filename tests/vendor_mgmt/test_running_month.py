"""The month that is not over yet, from the database: what came so far, and what the rest would have to bring."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

from tests.vendor_mgmt.test_period_close import a_day, agreed, delivered, invoice, month
from vendor_mgmt.database import transaction
from vendor_mgmt.running_month import RunningMonth, running_month

MARCH = date(2026, 3, 1)
ON = date(2026, 3, 12)


async def running(site: str = "lisbon", on: date = ON) -> RunningMonth | None:
    async with transaction() as connection:
        return await running_month(connection, "HX-1", site, on)


async def test_ten_days_are_judged_as_ten_days_and_the_rest_is_reckoned_at_their_pace(database: str) -> None:
    await agreed()
    await delivered([*month(MARCH, "lisbon", "product", right=94, days=10), *month(MARCH, "lisbon", "live", right=50, days=10)])
    found = await running()
    assert found is not None
    assert (found.period.from_on, found.period.until_on, found.counted_until, found.days_left) == (
        MARCH, date(2026, 4, 1), date(2026, 3, 11), 21,
    )  # fmt: skip
    by_key = {(one.result.kpi, one.result.dimensions.get("workstream")): one for one in found.kpis}
    product = by_key["accuracy", "product"]
    assert (product.result.numerator, product.result.denominator, product.result.met) == (Decimal(940), Decimal(1000), False)
    # 95 % of 3 100 is 2 945; 940 are there, so 2 005 of the 2 100 to come.
    assert (product.rest.outlook, product.rest.volume, product.rest.count) == ("behind", Fraction(2100), Fraction(2005))
    # 2 945 − 500 = 2 445 of 2 100 cannot be.
    assert by_key["accuracy", "live"].rest.outlook == "impossible"
    assert by_key["turnaround", None].rest.outlook == "on_course"
    assert by_key["backlog", None].rest.outlook == "unknown"


async def test_nothing_of_it_is_stored_and_the_close_is_not_disturbed(database: str) -> None:
    await agreed()
    await delivered([*month(MARCH, "lisbon", "product", days=5), invoice(MARCH, "lisbon")])
    async with transaction() as connection:
        await running_month(connection, "HX-1", "lisbon", ON)
        for table in ("scorecard", "revision", "ticket", "result"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 - names of this test


async def test_where_nothing_came_yet_there_is_nothing_to_show(database: str) -> None:
    await agreed()
    assert await running() is None
    await delivered([a_day(date(2026, 2, 27), "lisbon", "right", 1, "product"), invoice(MARCH, "lisbon")])
    assert await running() is None
    assert await running(on=date(2025, 3, 1)) is None
