"""Which days a pull asks for: nothing left out, the recent past read again, quarantine reached for."""

from __future__ import annotations

import json
import os
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendor_mgmt.intake.window import next_window, reread_from
from vendor_mgmt.jobs.recurrence import Recurrence, due_between

CASES = Path(os.environ.get("VENDOR_MGMT_TEST_SHARED", Path(__file__).parents[4] / "shared")) / "cases" / "time-and-escalation.json"


def window(**changed: Any) -> tuple[date | None, date]:
    usual = {
        "watermark_on": None,
        "until_on": date(2026, 3, 10),
        "restates_days": 7,
        "repairs_days": 62,
        "first_day": None,
        "oldest_refused_on": None,
    }
    found = next_window(**usual | changed)
    return found.window_from, found.window_until


def test_the_first_pull_begins_where_the_source_does() -> None:
    assert window() == (None, date(2026, 3, 10))
    assert window(first_day=date(2025, 1, 1)) == (date(2025, 1, 1), date(2026, 3, 10))


def test_later_pulls_read_the_restatement_window_again_but_never_what_lies_before_the_first_day() -> None:
    assert window(watermark_on=date(2026, 3, 9)) == (date(2026, 3, 2), date(2026, 3, 10))
    assert window(watermark_on=date(2026, 3, 9), first_day=date(2026, 3, 5)) == (date(2026, 3, 5), date(2026, 3, 10))


def test_a_day_with_a_refused_row_is_read_again_as_long_as_repairs_are_hoped_for() -> None:
    at = {"watermark_on": date(2026, 3, 10)}
    assert window(**at, oldest_refused_on=date(2026, 2, 1))[0] == date(2026, 2, 1)
    assert window(**at, oldest_refused_on=date(2020, 2, 1))[0] == date(2026, 1, 7)
    assert window(**at, oldest_refused_on=date(2026, 3, 9))[0] == date(2026, 3, 3)


days = st.integers(0, 30)


@given(st.lists(st.tuples(days, st.booleans()), max_size=30), st.integers(0, 20))
def test_whatever_pulls_fail_every_day_is_read_completely_at_least_once(pulls: list[tuple[int, bool]], restates_days: int) -> None:
    first = date(2026, 1, 1)
    until, watermark, read = first, None, set[date]()
    for wait, succeeds in pulls:
        until += timedelta(days=wait)
        found = next_window(
            watermark_on=watermark, until_on=until, restates_days=restates_days, repairs_days=62, first_day=first, oldest_refused_on=None
        )
        assert found.window_until == until
        if succeeds:
            start = found.window_from or first
            read |= {start + timedelta(days=i) for i in range((until - start).days)}
            watermark = until
    if watermark is not None:
        assert read == {first + timedelta(days=i) for i in range((watermark - first).days)}


def open_cases(prefix: str) -> list[Any]:
    if not CASES.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"SKIPPED: the published cases are not at {CASES}"))]
    return [pytest.param(case, id=case["id"]) for case in json.loads(CASES.read_text()) if case["id"].startswith(prefix)]


@pytest.mark.parametrize("case", open_cases("DL-"))
def test_published_cases_of_incremental_pulls(case: Any) -> None:
    given_ = case["inputs"]
    if given_["op"] == "apply_lag":
        initial = date.fromisoformat(given_["initial"]) if given_["initial"] else None
        assert reread_from(date.fromisoformat(given_["last"]), given_["lag_days"], initial).isoformat() == case["expected"]["start"]
        return
    assert given_["op"] == "three_runs_append"
    # The cases count in numbers; days do as well. Their last value is inclusive, and so is where reading begins.
    first, written = date(2026, 1, 1), list[tuple[int, str]]()
    last: date | None = None
    for number, run in enumerate(given_["runs"]):
        start: date | None = None if last is None else reread_from(last, given_["lag"], None)
        for value in run:
            on = first + timedelta(days=value)
            if start is None or on >= start:
                is_known = last is not None and on <= last
                written.append((value, f"{value}_updated_{number}" if is_known else str(value)))
        last = first + timedelta(days=run[-1])
    assert sorted(text for _, text in written) == sorted(case["expected"]["rows_written"])


@pytest.mark.parametrize("zone", ["Europe/Lisbon", "America/New_York", "Africa/Cairo", "Asia/Manila", "Australia/Lord_Howe"])
@pytest.mark.parametrize("at", ["BYHOUR=0;BYMINUTE=0", "BYHOUR=0;BYMINUTE=30", "BYHOUR=1;BYMINUTE=30", "BYHOUR=2;BYMINUTE=30"])
def test_across_every_change_of_clocks_of_two_years_windows_leave_no_day_out_and_read_none_twice(zone: str, at: str) -> None:
    """As a pull works its window out: from when the schedule fell due, on the clocks of its zone."""
    rule = Recurrence(rrule=f"FREQ=DAILY;{at};BYSECOND=0", zone=zone, starts=datetime(2025, 12, 1))  # noqa: DTZ001 - local
    clocks = ZoneInfo(zone)
    fallen_due = due_between(rule, datetime(2025, 12, 31, tzinfo=clocks), datetime(2027, 12, 31, 23, 59, tzinfo=clocks))
    watermark, read, fired_on = date(2025, 12, 31), list[date](), list[date]()
    for due_at in fallen_due:
        today = due_at.astimezone(clocks).date()
        fired_on.append(today)
        found = next_window(
            watermark_on=watermark, until_on=today, restates_days=0, repairs_days=62, first_day=None, oldest_refused_on=None
        )
        assert found.window_from is not None
        read += [found.window_from + timedelta(days=i) for i in range((found.window_until - found.window_from).days)]
        watermark = found.window_until
    every_day = [date(2025, 12, 31) + timedelta(days=i) for i in range((date(2027, 12, 31) - date(2025, 12, 31)).days)]
    assert read == every_day
    # Once on each local date, also on those that lack the hour and those that have it twice.
    assert fired_on == sorted(set(fired_on))
    assert set(fired_on) >= set(every_day[1:])
