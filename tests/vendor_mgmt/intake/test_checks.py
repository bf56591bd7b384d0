"""What came is held against itself and against what was stored; a finding refuses, lets in with a remark, or stops, as the source says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.reading import read
from tests.vendor_mgmt.intake.builders import MAPPING, TODAY, day, portfolio, pulled, refused, row, source, stored
from vendor_mgmt.database import transaction
from vendor_mgmt.intake.pull import Request, pull_now
from vendor_mgmt.intake.source import Source

pytestmark = pytest.mark.usefixtures("site_data")

SPLIT = MAPPING | {
    "measures": {"audited": {"column": "audited"}, "correct": {"column": "correct"}, "wrong": {"column": "wrong"}},
}
ADDS_UP = {"check": "adds_up", "total": "audited", "measures": ["correct", "wrong"]}


@pytest.fixture
async def site_data(database: str) -> None:
    await portfolio(wrong={"part_of": "audited"})


async def stopped() -> str:
    result, found = await pull_now(Request(source="harbour-daily"))
    assert (result.state, found) == ("failed", None)
    assert await stored() == {}
    return result.error or ""


ROWS = [row(3, 100, 95, wrong=5), row(2, 100, 95, wrong=6), row(1, 100, 95)]


async def test_parts_that_do_not_come_to_their_total_are_refused_with_it(api: Any) -> None:
    api.script(rows=ROWS)
    await source(api, mapping=SPLIT, checks=[ADDS_UP])
    found = await pulled()
    # A row without one of the parts says nothing about the sum; its missing column is another matter.
    assert (found.state, found.added, found.refused) == ("partial", 5, 2)
    by_check = {one.check: one for one in await refused()}
    assert by_check["adds_up"].reason == "correct + wrong come to 101, and audited is 100."
    assert by_check["adds_up"].raw_row["wrong"] == 6
    assert ("lisbon-1", "audited", day(2)) not in await stored()


async def test_parts_may_be_let_in_with_a_remark_or_stop_the_pull_or_differ_by_a_tolerance(api: Any) -> None:
    api.script(rows=ROWS[:2])
    await source(api, mapping=SPLIT, checks=[ADDS_UP | {"then": "stop"}])
    assert "The check adds_up stopped the pull: correct + wrong come to 101" in await stopped()
    await source(api, mapping=SPLIT, checks=[ADDS_UP | {"then": "flag"}])
    found = await pulled()
    assert (found.state, found.added) == ("done", 6)
    assert found.findings == ["correct + wrong come to 101, and audited is 100."]
    await source(api, mapping=SPLIT, checks=[ADDS_UP | {"tolerance": 1}])
    assert (await pulled()).findings == []


async def test_a_restated_part_is_held_against_the_stored_total(api: Any) -> None:
    api.script(rows=ROWS[:1])
    await source(api, mapping=SPLIT, checks=[ADDS_UP])
    await pulled()
    only = MAPPING | {"measures": {"wrong": {"column": "wrong"}}}
    api.script(rows=[row(3, 100, 95, wrong=4)])
    await source(api, mapping=only, checks=[ADDS_UP])
    found = await pulled()
    assert (found.refused, found.shown[0].reason) == (1, "correct + wrong come to 99, and audited is 100.")
    assert (await stored())["lisbon-1", "wrong", day(3)] == 5


@pytest.mark.parametrize(("then", "added", "refusals"), [("refuse", 2, 2), ("flag", 2, 0)])
async def test_rows_that_contradict_each_other_are_treated_as_the_source_says(api: Any, then: str, added: int, refusals: int) -> None:
    api.script(rows=[row(2, 100, 95), row(2, 101, 96)])
    await source(api, checks=[{"check": "duplicate", "then": then}])
    found = await pulled()
    assert (found.added, found.refused) == (added, refusals)
    assert (await stored())["lisbon-1", "audited", day(2)] == 100
    if then == "flag":
        assert found.findings == ["The row says 101 about the span of row 1, which says 100."]


async def test_rows_that_contradict_each_other_may_stop_the_pull(api: Any) -> None:
    api.script(rows=[row(2, 100, 95), row(2, 101, 96)])
    await source(api, checks=[{"check": "duplicate", "then": "stop"}])
    assert "The check duplicate stopped the pull" in await stopped()


@pytest.mark.parametrize(
    ("check", "bad"), [("unknown", row(1, site="atlantis")), ("unreadable", row(1, audited="many")), ("unreadable", 7)]
)
async def test_what_cannot_be_read_may_stop_the_pull(api: Any, check: str, bad: Any) -> None:
    api.script(rows=[row(2), bad])
    await source(api, checks=[{"check": check, "then": "stop"}])
    assert f"The check {check} stopped the pull: Row 2" in await stopped()


async def test_a_metric_stands_still_only_while_its_volume_moves(api: Any) -> None:
    api.script(
        rows=[row(back, audited=100 + back, correct=95) for back in range(20, 0, -1)]
        + [row(back, audited=100, correct=95, site="porto-2") for back in range(20, 0, -1)]
    )
    await source(api, checks=[{"check": "frozen", "then": "flag", "times": 14, "measures": ["correct"]}])
    found = await pulled()
    # Porto's volume stands still as well: a holiday, or an example, but nothing odd about the one figure.
    assert found.findings == ["correct has been 95 for 20 spans in a row."]
    async with transaction() as connection:
        assert await connection.fetchval("SELECT rows_concerned FROM pull_finding") == 7


async def test_a_jump_beyond_the_stated_band_is_refused_and_one_inside_is_not(api: Any) -> None:
    api.script(rows=[row(back, audited=100, correct=90) for back in range(12, 2, -1)])
    await source(api, checks=[{"check": "jump", "band": "1.5", "measures": ["audited"]}])
    await pulled()
    api.script(rows=[row(2, audited=150, correct=90), row(1, audited=151, correct=90)])
    found = await pulled()
    assert (found.refused, found.shown[0].reason) == (1, "audited is 151, where 100 is usual.")
    assert (await stored())["lisbon-1", "audited", day(2)] == 150


async def test_days_and_sites_are_missed_against_what_is_expected(api: Any) -> None:
    monday = TODAY - timedelta(days=TODAY.weekday() + 7)
    backs = [(TODAY - monday).days - i for i in (0, 2, 3, 4, 5)]
    api.script(rows=[row(back) for back in backs])
    expected: dict[str, Any] = {"check": "missing", "then": "flag", "sites": ["lisbon-1", "porto-2", "atlantis"]}
    expected["weekdays"] = ["mon", "tue", "wed", "thu", "fri"]
    await source(api, first_day=monday.isoformat(), checks=[expected])
    found = await pulled(from_=monday, until=monday + timedelta(days=7), reason="a week")
    assert found.findings == ["atlantis is expected to deliver, and there is no such site."]
    async with transaction() as connection:
        assert await connection.fetchval("SELECT rows_concerned FROM pull_finding") == 3
    await source(api, first_day=monday.isoformat(), checks=[expected | {"sites": ["lisbon-1"]}])
    found = await pulled(from_=monday, until=monday + timedelta(days=7), reason="a week")
    # Saturday came and Sunday did not, and neither is expected.
    assert found.findings == [f"lisbon-1 delivered nothing for 1 of 5 days, first {monday + timedelta(days=1)}."]


async def test_a_missing_site_may_stop_the_pull(api: Any) -> None:
    api.script(rows=[row(1)])
    await source(api, first_day=day(1), checks=[{"check": "missing", "then": "stop", "sites": ["porto-2"]}])
    assert "porto-2 delivered nothing for 1 of 1 days" in await stopped()


async def test_a_month_left_out_of_a_monthly_file_is_missed(database: str, tmp_path: Path) -> None:
    lines = [f"{site},2026-0{month}-01,5" for site in ("lisbon-1", "porto-2") for month in (1, 2, 3) if (site, month) != ("porto-2", 3)]
    (tmp_path / "months.csv").write_text("site,month,audited\n" + "\n".join(lines) + "\n")
    mapping = {
        "site": {"column": "site"},
        "span": {"starts_on": {"column": "month"}, "grain": "month"},
        "measures": {"audited": {"column": "audited"}},
    }
    reader = {"type": "csv", "folder": str(tmp_path), "settle_s": 0}
    await source(reader=reader, mapping=mapping, checks=[{"check": "missing", "then": "flag", "sites": ["lisbon-1", "porto-2"]}])
    found = await pulled()
    assert found.findings == ["porto-2 delivered nothing for 1 of 3 months, first 2026-03-01."]


async def test_something_new_about_an_issued_month_is_flagged(api: Any) -> None:
    api.script(rows=[row(3), row(2)])
    await source(api, checks=[{"check": "closed", "then": "flag"}])
    assert (await pulled()).findings == []
    async with transaction() as connection:
        card = await connection.fetchval(
            "INSERT INTO scorecard (contract, site, period_from, period_until, number, created_at)"
            " SELECT c.id, s.id, $1, $2, 'HARBOUR-0001', now() FROM contract c, site s WHERE s.code = 'lisbon-1' RETURNING id",
            TODAY - timedelta(days=5), TODAY,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO revision (scorecard, number, state, currency, engine, data_as_of, prepared_at, issued_at, issued_by, sha256,"
            " content) VALUES ($1, 0, 'issued', 'EUR', '1', now(), now(), now(), 1, $2, '')",
            card, "0" * 64,
        )  # fmt: skip
    api.script(rows=[row(3), row(2, audited=120)])
    found = await pulled()
    assert found.changed == 1
    assert found.findings == [f"audited of {day(2)} becomes 120 instead of 100, and scorecard HARBOUR-0001 is issued."]


def test_a_check_that_cannot_work_is_refused_with_its_line() -> None:
    text = """source: s
owner: o
reader: {type: csv, folder: in}
mapping: {site: {column: s}, span: {starts_on: {column: d}}, measures: {a: {column: a}}}
checks:
  - {check: adds_up, total: a}
  - {check: adds_up, total: a, measures: [a, b]}
  - {check: unknown, then: flag}
  - {check: missing}
  - {check: jump, band: 1}
  - {check: adds_up, total: a, measures: [b, c], tolerance: -1}
"""
    lines = [finding.where.line for finding in read(text.encode(), Source).findings if not isinstance(finding.where, str)]
    assert lines == [6, 7, 8, 9, 10, 11]

