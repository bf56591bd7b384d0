"""What recurs is due once on every local date, whatever the clocks do, and nothing falls between two runs."""

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrule, rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contracts.errors import DocumentRefused, has_errors
from contracts.period import Period, zone_named
from vendor_mgmt.jobs.recurrence import CatchUp, Recurrence, Run, check, daily, due_between, due_on, next_due, runs

SITES = ["Europe/Lisbon", "America/New_York", "Africa/Cairo", "Asia/Manila", "Australia/Lord_Howe"]
TWO_YEARS = Period(date(2026, 1, 1), date(2028, 1, 1))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def recurring(rule: str, zone: str = "UTC", starts: str = "2026-01-01T06:00") -> Recurrence:
    return Recurrence(rrule=rule, zone=zone, starts=datetime.fromisoformat(starts))


def local(due: list[datetime], zone: str) -> list[str]:
    return [at.astimezone(zone_named(zone)).isoformat(timespec="minutes")[:16] for at in due]


def clock_changes(zone: ZoneInfo) -> list[date]:
    """The local dates of 2026 and 2027 on which the offset is not the same all day."""
    offsets = {on: datetime.combine(on, time(), zone).utcoffset() for on in Period(TWO_YEARS.from_on, TWO_YEARS.until_on).dates()}
    return [on for on, after in itertools.pairwise(offsets) if offsets[on] != offsets[after]]


@pytest.mark.parametrize("name", SITES)
@given(at=st.times().map(lambda at: at.replace(second=0, microsecond=0)))
@settings(max_examples=25, deadline=None)
def test_a_daily_rule_is_due_once_on_every_local_date_of_two_years(name: str, at: time) -> None:
    zone = zone_named(name)
    first, outside = TWO_YEARS.instants(zone)
    due = due_between(daily(at, name, date(2025, 12, 1)), first - timedelta(microseconds=1), outside - timedelta(microseconds=1))
    assert [moment.astimezone(zone).date() for moment in due] == list(TWO_YEARS.dates())


@pytest.mark.parametrize("name", SITES)
@pytest.mark.parametrize("minute", range(0, 24 * 60, 15))
def test_a_daily_rule_is_due_once_on_the_day_the_clocks_change(name: str, minute: int) -> None:
    schedule = daily(time(minute // 60, minute % 60), name, date(2026, 1, 1))
    assert all(len(due_on(schedule, on)) == 1 for on in clock_changes(zone_named(name)))


def test_the_days_the_clocks_change_are_the_ones_we_mean() -> None:
    assert clock_changes(zone_named("Europe/Lisbon")) == [date(2026, 3, 29), date(2026, 10, 25), date(2027, 3, 28), date(2027, 10, 31)]
    assert len(clock_changes(zone_named("Australia/Lord_Howe"))) == 4
    assert clock_changes(zone_named("Asia/Manila")) == []


@pytest.mark.parametrize("name", SITES)
@pytest.mark.parametrize(
    "rule", ["FREQ=DAILY", "FREQ=HOURLY;INTERVAL=2", "FREQ=MINUTELY;INTERVAL=30", "FREQ=WEEKLY;BYDAY=MO,TH,SU", "FREQ=DAILY;BYHOUR=1,2,3"]
)
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_the_windows_of_all_runs_tile_the_time_whenever_the_service_was_up(name: str, rule: str, data: st.DataObject) -> None:
    schedule = recurring(rule, name, "2026-01-01T00:30")
    watermark = begun = utc("2026-03-01T00:00Z")
    moments = data.draw(st.lists(st.datetimes(datetime.fromisoformat("2026-03-01"), datetime.fromisoformat("2026-04-30")), max_size=8))
    done: list[Run] = []
    for now in sorted(moment.replace(tzinfo=UTC) for moment in moments):
        catch_up: CatchUp = data.draw(st.sampled_from(["latest", "all"]))
        for run in runs(schedule, watermark, now, catch_up):
            # The process may die before any of its runs is done; then the watermark stays where it was.
            if data.draw(st.booleans()):
                break
            done.append(run)
            watermark = run.window_until_at
    edges = [begun, *(run.window_until_at for run in done)]
    assert [run.window_from_at for run in done] == edges[:-1]
    assert all(run.window_from_at < run.window_until_at == run.due_at for run in done)


def test_a_time_the_clocks_jump_over_is_due_that_much_later() -> None:
    assert due_on(daily(time(2, 30), "America/New_York", date(2026, 1, 1)), date(2026, 3, 8)) == [utc("2026-03-08T07:30Z")]


def test_midnight_is_due_in_cairo_on_the_day_that_has_none() -> None:
    assert due_on(daily(time(0, 0), "Africa/Cairo", date(2026, 1, 1)), date(2026, 4, 24)) == [utc("2026-04-23T22:00Z")]
    assert due_on(daily(time(0, 30), "Africa/Cairo", date(2026, 1, 1)), date(2026, 4, 24)) == [utc("2026-04-23T22:30Z")]


def test_a_time_that_happens_twice_is_due_the_first_time_only() -> None:
    assert due_on(daily(time(1, 30), "America/New_York", date(2026, 1, 1)), date(2026, 11, 1)) == [utc("2026-11-01T05:30Z")]


def test_times_that_meet_after_a_gap_are_due_once_and_in_order() -> None:
    schedule = recurring("FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,30", "America/New_York")
    assert due_on(schedule, date(2026, 3, 8)) == [utc("2026-03-08T07:00Z"), utc("2026-03-08T07:30Z")]


def test_the_date_samoa_left_out_brings_no_second_run_on_the_next() -> None:
    due = next_due(daily(time(12, 0), "Pacific/Apia", date(2011, 12, 1)), utc("2011-12-29T12:00Z"), 3)
    assert local(due, "Pacific/Apia") == ["2011-12-29T12:00", "2011-12-31T12:00", "2012-01-01T12:00"]


@pytest.mark.parametrize(
    ("rule", "dates"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=-1", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31", ["2026-01-31", "2026-03-31", "2026-05-31", "2026-07-31"]),
        ("FREQ=MONTHLY;INTERVAL=3;BYDAY=2TH", ["2026-01-08", "2026-04-09", "2026-07-09", "2026-10-08"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", ["2026-01-30", "2026-02-27", "2026-03-31", "2026-04-30"]),
        ("FREQ=WEEKLY;BYDAY=TU", ["2026-01-06", "2026-01-13", "2026-01-20", "2026-01-27"]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", ["2028-02-29", "2032-02-29", "2036-02-29", "2040-02-29"]),
        ("RRULE:FREQ=DAILY;COUNT=2", ["2026-01-01", "2026-01-02"]),
        ("FREQ=DAILY;UNTIL=20260103", ["2026-01-01", "2026-01-02", "2026-01-03"]),
    ],
)
def test_a_rule_is_due_on_the_days_it_says(rule: str, dates: list[str]) -> None:
    due = next_due(recurring(rule), utc("2025-12-01T00:00Z"), 4)
    assert [at.date().isoformat() for at in due] == dates


def test_an_end_in_utc_is_the_last_moment_of_a_local_rule() -> None:
    schedule = recurring("FREQ=DAILY;UNTIL=20260102T220000Z", "Asia/Manila", "2026-01-01T06:00")
    due = next_due(schedule, utc("2025-12-31T00:00Z"), 5)
    assert due == [utc("2025-12-31T22:00Z"), utc("2026-01-01T22:00Z"), utc("2026-01-02T22:00Z")]


def test_a_review_at_nine_in_new_york_moves_by_an_hour_in_manila() -> None:
    due = next_due(recurring("FREQ=WEEKLY;BYDAY=TU", "America/New_York", "2026-03-03T09:00"), utc("2026-03-01T00:00Z"), 2)
    assert local(due, "Asia/Manila") == ["2026-03-03T22:00", "2026-03-10T21:00"]


RULES = st.fixed_dictionaries(
    {"FREQ": st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"])},
    optional={
        "INTERVAL": st.integers(1, 7).map(str),
        "BYMONTH": st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True).map(lambda ns: ",".join(map(str, ns))),
        "BYMONTHDAY": st.lists(st.sampled_from([1, 2, 15, 28, 31, -1, -3]), min_size=1, max_size=3, unique=True).map(
            lambda ns: ",".join(map(str, ns))
        ),
        "BYDAY": st.lists(st.sampled_from(["MO", "TU", "SA", "SU"]), min_size=1, max_size=3, unique=True).map(",".join),
        "BYHOUR": st.sampled_from(["0", "6,18", "23"]),
        "BYSETPOS": st.sampled_from(["1", "-1", "1,-1"]),
        "WKST": st.sampled_from(["MO", "SU"]),
    },
).map(lambda parts: ";".join(f"{name}={value}" for name, value in parts.items()))


@given(
    rule=RULES, starts=st.datetimes(datetime.fromisoformat("2020-01-01"), datetime.fromisoformat("2021-12-31")), days=st.integers(0, 900)
)
@settings(max_examples=150, deadline=None)
def test_a_schedule_that_has_run_for_years_is_due_as_if_counted_from_its_start(rule: str, starts: datetime, days: int) -> None:
    starts = starts.replace(second=0, microsecond=0)
    schedule = recurring(rule, starts=starts.isoformat())
    assume(not has_errors(check(schedule)))
    after = starts.replace(tzinfo=UTC) + timedelta(days=days)
    plain = rrulestr(rule, dtstart=starts)
    assert isinstance(plain, rrule)
    plain = plain.replace(until=starts + timedelta(days=days + 400))
    counted = itertools.islice((at.replace(tzinfo=UTC) for at in plain if at.replace(tzinfo=UTC) > after), 5)
    expected = list(counted)
    assert next_due(schedule, after, 5)[: len(expected)] == expected


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "never due"),
        ("FREQ=MONTHLY;BYDAY=6MO", "never due"),
        ("FREQ=MINUTELY;BYMONTH=4;BYMONTHDAY=31", "never due"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=FR", "never due"),
        ("FREQ=MONTHLY;INTERVAL=12;BYMONTH=3", "never due"),
        ("FREQ=SECONDLY", "more often than once a minute"),
        ("FREQ=MINUTELY;BYSECOND=0,30", "BYSECOND=0,30 cannot be read"),
        ("FREQ=FORTNIGHTLY", "FREQ=FORTNIGHTLY cannot be read"),
        ("BYDAY=MO", "FREQ is missing"),
        ("FREQ=WEEKLY;BYDAY=1", "BYDAY=1 cannot be read"),
        ("FREQ=WEEKLY;BYDAY=2MO", "counts weekdays within a month"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0 cannot be read"),
        ("FREQ=YEARLY;INTERVAL=50", "longer than eight years"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "COUNT and UNTIL are both given"),
        ("FREQ=DAILY;UNTIL=20271301", "UNTIL=20271301 cannot be read"),
        ("FREQ=DAILY;BYSETPOS=1", "no other BY part"),
        ("FREQ=DAILY;BYEASTER=1", "BYEASTER is no part"),
        ("FREQ=DAILY;FREQ=WEEKLY", "FREQ is given twice"),
        ("0 6 * * 1", "no part of a rule"),
        ("", "no part of a rule"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_with_its_reason(rule: str, fault: str) -> None:
    schedule = recurring(rule, starts="2026-01-01T06:00")
    findings = check(schedule)
    assert has_errors(findings)
    assert any(fault in finding.message for finding in findings)
    assert all(finding.repair for finding in findings)
    with pytest.raises(DocumentRefused):
        next_due(schedule, utc("2026-01-01T00:00Z"))


def test_all_faults_of_a_schedule_are_told_at_once() -> None:
    schedule = recurring("FREQ=SECONDLY;BYMONTH=13", "Europe/Lisboa", "2026-01-01T06:00:30")
    assert [finding.path for finding in check(schedule)] == ["$.zone", "$.starts", "$.rrule", "$.rrule"]


def test_a_rule_that_leaves_out_short_months_is_accepted_with_a_warning() -> None:
    (finding,) = check(recurring("FREQ=MONTHLY;BYMONTHDAY=31"))
    assert finding.severity == "warning"
    assert "BYMONTHDAY=-1" in finding.repair


def test_after_an_outage_the_latest_run_covers_everything_and_all_runs_cover_their_own() -> None:
    schedule = daily(time(6, 0), "Europe/Lisbon", date(2026, 1, 1))
    watermark, now = utc("2026-01-10T06:00Z"), utc("2026-01-13T07:00Z")
    (latest,) = runs(schedule, watermark, now, "latest")
    assert latest == Run(due_at=utc("2026-01-13T06:00Z"), window_from_at=watermark, window_until_at=utc("2026-01-13T06:00Z"))
    every = runs(schedule, watermark, now, "all")
    assert [run.due_at for run in every] == [utc("2026-01-11T06:00Z"), utc("2026-01-12T06:00Z"), utc("2026-01-13T06:00Z")]
    assert [run.window_from_at for run in every] == [watermark, *(run.window_until_at for run in every[:-1])]


def test_a_reminder_that_is_late_is_let_go_and_one_in_time_is_sent() -> None:
    schedule = daily(time(6, 0), "UTC", date(2026, 1, 1))
    watermark = utc("2026-01-10T06:00Z")
    assert runs(schedule, watermark, utc("2026-01-13T07:00Z"), "none") == []
    assert [run.due_at for run in runs(schedule, watermark, utc("2026-01-13T06:01Z"), "none")] == [utc("2026-01-13T06:00Z")]


def test_a_tick_at_the_due_instant_finds_it_due_and_the_next_tick_does_not() -> None:
    schedule = daily(time(6, 0), "UTC", date(2026, 1, 1))
    due = utc("2026-01-11T06:00Z")
    assert [run.due_at for run in runs(schedule, due - timedelta(days=1), due, "all")] == [due]
    assert runs(schedule, due, due + timedelta(minutes=1), "all") == []
