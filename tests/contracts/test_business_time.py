"""Business time as a contract means it: what counts, what does not, and where careful people disagree."""

import itertools
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts import reading
from contracts.business_time import (
    Calendar,
    ClockPaused,
    Conventions,
    NeverOpen,
    Pause,
    ReversedInterval,
    Span,
    Window,
    add,
    add_working_days,
    check,
    clock,
    common_windows,
    deadline,
    elapsed,
    is_open,
    next_open,
    nth_working_day,
    previous_open,
    windows,
    working_days_between,
)
from contracts.errors import CannotCompute, NotFound
from contracts.period import WEEKDAYS, Period
from contracts.public_holidays import country_calendar, freeze, public_holidays
from contracts.recurring_interval import RecurringInterval

WORKING_WEEK = ("mon", "tue", "wed", "thu", "fri")
HOUR = timedelta(hours=1)


def calendar(zone: str = "UTC", *spans: str, days: tuple[str, ...] = WORKING_WEEK, **fields: Any) -> Calendar:
    """A calendar with the same hours on some weekdays; anything else as the document writes it."""
    hours = [span.split("-") for span in spans or ("09:00-17:00",)]
    week = fields.pop("week", dict.fromkeys(days, hours))
    return msgspec.convert({"calendar": "site", "time_zone": zone, "week": week, **fields}, Calendar)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def by(**answers: Any) -> Conventions:
    return Conventions(**answers)


MANILA = calendar("Asia/Manila", "22:00-07:00")

# --------------------------------------------------------------------------- properties

def hours_between(edges: list[str], *, overnight: bool) -> list[tuple[str, str]]:
    """Hours that do not overlap, from times of day in order; overnight the last of them end the next morning."""
    turned = edges[1:] + edges[:1] if overnight else edges
    return list(zip(turned[::2], turned[1::2], strict=True))


clocks = st.times().map(lambda at: at.strftime("%H:%M"))
spans = st.builds(
    hours_between,
    st.sampled_from([0, 2, 4]).flatmap(lambda n: st.lists(clocks, min_size=n, max_size=n, unique=True)).map(sorted),
    overnight=st.booleans(),
)
some_dates = st.dates(date(2026, 3, 20), date(2026, 4, 30))
zones = st.sampled_from(["UTC", "Europe/Lisbon", "Africa/Cairo", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"])
moments = st.datetimes(datetime.fromisoformat("2026-03-22"), datetime.fromisoformat("2026-04-28"), timezones=st.just(UTC)).map(
    lambda at: at.replace(second=0, microsecond=0)
)


def dated(hours: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    by_date = st.dictionaries(some_dates, hours, max_size=4)
    return by_date.map(lambda dates: [{"date": on, "hours": value} for on, value in dates.items()])


@st.composite
def calendars(draw: st.DrawFn, *, worked: bool = False) -> Calendar:
    """Anything a site might work: nights, breaks, holidays, special days, overrides, in zones that change their clocks.

    A `worked` one is open on Wednesdays for certain.
    """
    week = {day: draw(spans) for day in WEEKDAYS}
    daily_breaks = draw(spans)
    if worked:
        week["wed"], daily_breaks = [("09:00", "17:00")], [("12:00", "12:45")]
    return calendar(
        draw(zones),
        week=week,
        daily_breaks=daily_breaks,
        breaks=draw(dated(spans)),
        special_days=draw(dated(spans)),
        overrides=draw(dated(st.one_of(spans, st.sampled_from(["closed", "usual"])))),
        holidays=[{"date": on} for on in draw(st.sets(some_dates, max_size=4))],
        overnight=draw(st.sampled_from(["start_date", "cut_at_midnight"])),
    )


def open_minutes(of: Calendar, start_at: datetime, end_at: datetime) -> int:
    """Another way to the same figure: walk through every minute and ask the plain words of the calendar."""
    zone = ZoneInfo(of.time_zone)
    return sum(opens(of, start_at + n * timedelta(minutes=1), zone) for n in range(int((end_at - start_at) / timedelta(minutes=1))))


def opens(of: Calendar, at: datetime, zone: ZoneInfo) -> bool:
    """Whether a moment is open, by reading its local time off the clock. Good away from the hours in which clocks change."""
    local = at.astimezone(zone).replace(tzinfo=None)
    today, yesterday = local.date(), local.date() - timedelta(days=1)
    breaks = {entry.on: entry.hours for entry in of.breaks}
    for on in (today, yesterday):
        if any(inside(local, on, span) for span in (*of.daily_breaks, *breaks.get(on, ()))):
            return False
    cut = of.overnight == "cut_at_midnight"
    if cut and closed_on(of, today):
        return False
    if not (closed_on(of, today)) and any(inside(local, today, span) for span in hours_of(of, today)):
        return True
    own = {entry.on for entry in of.special_days} | {entry.on for entry in of.overrides if isinstance(entry.hours, tuple)}
    if (cut and today in own) or (not cut and closed_on(of, yesterday)):
        return False
    return any(inside(local, yesterday, span) for span in hours_of(of, yesterday))


def inside(local: datetime, on: date, span: Span) -> bool:
    midnight = datetime.combine(on, time())
    return midnight + span.opens_after <= local < midnight + span.closes_after


def closed_on(of: Calendar, on: date) -> bool:
    override = next((entry.hours for entry in of.overrides if entry.on == on), None)
    return override == "closed" or (override is None and on in {entry.on for entry in of.holidays})


def hours_of(of: Calendar, on: date) -> tuple[Span, ...]:
    override = next((entry.hours for entry in of.overrides if entry.on == on), None)
    if isinstance(override, tuple):
        return override
    special = next((entry.hours for entry in of.special_days if entry.on == on), None)
    if special is not None:
        return special
    assert not isinstance(of.week, str)
    return of.week.on(WEEKDAYS[on.weekday()])


@given(calendars(), moments, st.integers(0, 36 * 60))
def test_elapsed_time_is_what_walking_through_every_minute_counts(of: Calendar, start_at: datetime, minutes: int) -> None:
    end_at = start_at + timedelta(minutes=minutes)
    zone = ZoneInfo(of.time_zone)
    around = [start_at - timedelta(days=2), end_at + timedelta(days=2)]
    assume(around[0].astimezone(zone).utcoffset() == around[1].astimezone(zone).utcoffset())
    assert elapsed(of, start_at, end_at) == timedelta(minutes=open_minutes(of, start_at, end_at))


@given(calendars(), moments, moments, moments)
def test_elapsed_time_adds_up_over_any_moment_in_between(of: Calendar, a: datetime, b: datetime, c: datetime) -> None:
    a, b, c = sorted((a, b, c))
    assert elapsed(of, a, b) + elapsed(of, b, c) == elapsed(of, a, c)
    assert timedelta() <= elapsed(of, a, c) <= c - a


@given(calendars(worked=True), moments, st.integers(1, 100_000), st.sampled_from(["close", "next_opening"]))
def test_after_adding_an_amount_exactly_that_amount_has_passed(of: Calendar, start_at: datetime, seconds: int, boundary: str) -> None:
    amount = timedelta(seconds=seconds)
    due_at = add(of, start_at, amount, conventions=by(boundary=boundary))
    since = add(of, start_at, -amount, conventions=by(boundary=boundary))
    assert elapsed(of, start_at, due_at) == amount
    assert elapsed(of, since, start_at) == amount
    if boundary == "close":
        # No earlier moment would do: the one just before was open.
        assert is_open(of, due_at - timedelta(microseconds=1))
    else:
        assert is_open(of, due_at)


@given(calendars(), moments, moments)
def test_windows_are_open_apart_and_hold_all_the_time_that_counts(of: Calendar, a: datetime, b: datetime) -> None:
    a, b = sorted((a, b))
    found = windows(of, a, b)
    assert sum((window.duration for window in found), timedelta()) == elapsed(of, a, b)
    assert all(is_open(of, window.opens_at) and is_open(of, window.closes_at - timedelta(microseconds=1)) for window in found)
    assert all(one.closes_at < other.opens_at for one, other in itertools.pairwise(found))


@given(calendars(), moments, st.integers(0, 1000), st.lists(st.tuples(moments, st.integers(0, 40_000)), max_size=4))
def test_pauses_take_away_their_own_business_time_and_no_more_however_they_overlap(
    of: Calendar, a: datetime, minutes: int, ends: list[tuple[datetime, int]]
) -> None:
    b = a + timedelta(minutes=minutes)
    pauses = [Pause(at, at + timedelta(minutes=lasting)) for at, lasting in ends]
    paused = {n for pause in pauses for n in range(minute(pause.from_at), minute(pause.until_at))}
    running = [minute(a) + n for n in range(minute(b) - minute(a)) if minute(a) + n not in paused]
    # Minutes without a pause, counted one by one.
    counted = sum((elapsed(of, moment(n), moment(n + 1)) for n in running), timedelta())
    assert elapsed(of, a, b, pauses) == counted


def minute(at: datetime | None) -> int:
    assert at is not None
    return int(at.timestamp()) // 60


def moment(number: int) -> datetime:
    return datetime.fromtimestamp(number * 60, UTC)


@given(calendars(worked=True), moments, st.integers(0, 100_000), st.lists(st.tuples(moments, moments), max_size=3))
def test_a_deadline_with_pauses_leaves_the_whole_goal_outside_them(
    of: Calendar, start_at: datetime, seconds: int, ends: list[tuple[datetime, datetime]]
) -> None:
    pauses = [Pause(*sorted(pair)) for pair in ends]
    due_at = add(of, start_at, timedelta(seconds=seconds), pauses)
    assert elapsed(of, start_at, due_at, pauses) == timedelta(seconds=seconds)


@given(calendars(worked=True), some_dates, st.integers(1, 15))
def test_the_nth_working_day_is_worked_and_lies_n_working_days_ahead(of: Calendar, on: date, days: int) -> None:
    due_on = add_working_days(of, on, days)
    back_on = add_working_days(of, on, -days)
    tomorrow = timedelta(days=1)
    assert clock(of).is_working_day(due_on)
    assert working_days_between(of, on + tomorrow, due_on + tomorrow) == days
    assert clock(of).is_working_day(back_on)
    assert working_days_between(of, back_on, on) == days


@given(calendars())
def test_a_calendar_survives_being_written_down(of: Calendar) -> None:
    again = reading.read(reading.write(of), Calendar)
    assert again.findings == []
    assert again.document == of
    assert clock(of) is clock(again.required())


# --------------------------------------------------------------------------- the eight conventions, each answered both ways


def test_time_used_up_at_the_close_is_due_then_or_at_the_next_opening() -> None:
    friday = utc("2026-01-09T09:00Z")
    assert add(calendar(), friday, 8 * HOUR) == utc("2026-01-09T17:00Z")
    assert add(calendar(), friday, 8 * HOUR, conventions=by(boundary="next_opening")) == utc("2026-01-12T09:00Z")


def test_counted_backwards_the_boundary_is_its_mirror_image() -> None:
    friday = utc("2026-01-09T17:00Z")
    assert add(calendar(), friday, -8 * HOUR) == utc("2026-01-09T09:00Z")
    assert add(calendar(), friday, -8 * HOUR, conventions=by(boundary="next_opening")) == utc("2026-01-08T17:00Z")


def test_one_working_day_after_a_sunday_is_monday_or_tuesday() -> None:
    sunday = date(2026, 1, 4)
    assert add_working_days(calendar(), sunday, 1) == date(2026, 1, 5)
    assert add_working_days(calendar(), sunday, 1, by(day_zero="next_working_day")) == date(2026, 1, 6)


def test_the_night_the_clocks_go_back_counts_as_it_passes_or_as_the_wall_clock_shows() -> None:
    sunday = calendar("Europe/Paris", "00:00-24:00", days=("sun",))
    around = utc("2020-10-24T22:00Z"), utc("2020-10-25T23:00Z")
    assert elapsed(sunday, *around) == 25 * HOUR
    assert elapsed(sunday, *around, conventions=by(dst="wall_clock")) == 24 * HOUR


def test_adding_by_the_wall_clock_ends_at_the_hour_on_the_wall() -> None:
    sunday = calendar("Europe/Paris", "00:00-24:00", days=("sun",))
    midnight = utc("2020-10-24T22:00Z")
    assert add(sunday, midnight, 6 * HOUR) == utc("2020-10-25T04:00Z")
    assert add(sunday, midnight, 6 * HOUR, conventions=by(dst="wall_clock")) == utc("2020-10-25T05:00Z")


def test_an_opening_the_clocks_jump_over_moves_or_is_the_first_instant_after() -> None:
    sunday = calendar("America/New_York", "02:30-06:00", days=("sun",))
    day = utc("2026-03-08T00:00Z"), utc("2026-03-09T00:00Z")
    assert windows(sunday, *day) == [Window(utc("2026-03-08T07:30Z"), utc("2026-03-08T10:00Z"))]
    for answer in ("first_after", "skip"):
        assert windows(sunday, *day, by(nonexistent=answer)) == [Window(utc("2026-03-08T07:00Z"), utc("2026-03-08T10:00Z"))]


def test_an_opening_that_happens_twice_is_the_first_or_the_second() -> None:
    sunday = calendar("America/New_York", "01:30-06:00", days=("sun",))
    day = utc("2026-11-01T00:00Z"), utc("2026-11-02T00:00Z")
    assert elapsed(sunday, *day) == timedelta(hours=5.5)
    assert elapsed(sunday, *day, conventions=by(ambiguous="second")) == timedelta(hours=4.5)


def test_a_reversed_interval_is_nothing_or_negative_or_refused() -> None:
    later, earlier = utc("2026-01-09T12:00Z"), utc("2026-01-09T10:00Z")
    assert elapsed(calendar(), later, earlier) == timedelta()
    assert elapsed(calendar(), later, earlier, conventions=by(reversed="negative")) == -2 * HOUR
    with pytest.raises(ReversedInterval, match="lies before the start"):
        elapsed(calendar(), later, earlier, conventions=by(reversed="error"))
    dates = date(2026, 1, 12), date(2026, 1, 5)
    assert working_days_between(calendar(), *dates) == 0
    assert working_days_between(calendar(), *dates, by(reversed="negative")) == -5
    with pytest.raises(ReversedInterval):
        working_days_between(calendar(), *dates, by(reversed="error"))


def test_a_night_shift_belongs_to_the_date_it_starts_on_or_is_cut_at_midnight() -> None:
    nights = calendar("Asia/Manila", "22:00-07:00", holidays=[{"date": "2026-01-07"}])
    week = utc("2026-01-05T00:00Z"), utc("2026-01-12T00:00Z")
    # Both lose nine hours, but not the same ones: Wednesday's shift, or what of two shifts lies on Wednesday.
    assert elapsed(nights, *week) == elapsed(nights, *week, conventions=by(overnight="cut_at_midnight")) == 36 * HOUR
    wednesday_at_three, thursday_at_three = utc("2026-01-06T19:00Z"), utc("2026-01-07T19:00Z")
    assert is_open(nights, wednesday_at_three)
    assert not is_open(nights, thursday_at_three)
    assert not is_open(nights, wednesday_at_three, by(overnight="cut_at_midnight"))
    assert is_open(nights, thursday_at_three, by(overnight="cut_at_midnight"))


def test_the_morning_end_of_a_night_shift_makes_no_working_day() -> None:
    saturday = date(2026, 1, 10)
    for overnight in ("start_date", "cut_at_midnight"):
        assert not clock(MANILA, by(overnight=overnight)).is_working_day(saturday)
    assert add_working_days(MANILA, date(2026, 1, 9), 1) == date(2026, 1, 12)


def test_a_deadline_in_days_ends_with_business_or_keeps_its_hour() -> None:
    tuesday = utc("2026-01-06T10:30Z")
    assert deadline(calendar(), tuesday, days=2).due_at == utc("2026-01-08T17:00Z")
    assert deadline(calendar(), tuesday, days=2, conventions=by(day="keep_time")).due_at == utc("2026-01-08T10:30Z")
    assert deadline(calendar(), utc("2026-01-06T18:00Z"), days=2, conventions=by(day="keep_time")).due_at == utc("2026-01-09T09:00Z")


# --------------------------------------------------------------------------- deadlines


def test_a_notice_in_the_small_hours_of_a_night_shift_belongs_to_the_day_the_shift_began() -> None:
    wednesday_at_three = utc("2026-01-06T19:00Z")
    due = deadline(MANILA, wednesday_at_three, days=1)
    # Day 0 is Tuesday, so day 1 is Wednesday, whose business ends on Thursday at seven.
    assert due.local.isoformat() == "2026-01-08T07:00:00+08:00"


def test_no_days_are_due_by_the_end_of_business_of_the_same_or_the_next_working_day() -> None:
    assert deadline(calendar(), utc("2026-01-06T10:00Z"), days=0).due_at == utc("2026-01-06T17:00Z")
    assert deadline(calendar(), utc("2026-01-10T10:00Z"), days=0).due_at == utc("2026-01-12T17:00Z")


def test_days_with_hours_on_top_are_counted_one_after_the_other() -> None:
    due = deadline(calendar(), utc("2026-01-06T10:00Z"), days=1, duration=2 * HOUR)
    assert due.due_at == utc("2026-01-08T11:00Z")


def test_business_time_spent_in_a_pause_is_added_to_a_deadline_in_days() -> None:
    tuesday = utc("2026-01-06T10:00Z")
    three_hours = [Pause(utc("2026-01-06T12:00Z"), utc("2026-01-06T15:00Z"))]
    weekend = [Pause(utc("2026-01-09T17:00Z"), utc("2026-01-12T09:00Z"))]
    assert deadline(calendar(), tuesday, days=1, pauses=three_hours).due_at == utc("2026-01-08T17:00Z")
    assert deadline(calendar(), tuesday, days=1, pauses=three_hours, conventions=by(day="keep_time")).due_at == utc("2026-01-07T13:00Z")
    # A pause over a weekend takes no business time, so it moves nothing.
    assert deadline(calendar(), utc("2026-01-09T10:00Z"), days=1, pauses=weekend).due_at == utc("2026-01-12T17:00Z")


def test_a_pause_that_has_not_ended_stops_the_deadline_unless_it_comes_first() -> None:
    start_at, running = utc("2026-01-06T10:00Z"), [Pause(utc("2026-01-06T12:00Z"))]
    assert add(calendar(), start_at, 2 * HOUR, running) == utc("2026-01-06T12:00Z")
    assert elapsed(calendar(), start_at, utc("2026-01-09T10:00Z"), running) == 2 * HOUR
    with pytest.raises(ClockPaused, match="Give the last pause its end"):
        add(calendar(), start_at, 3 * HOUR, running)
    with pytest.raises(ClockPaused):
        deadline(calendar(), start_at, days=1, pauses=running)


def test_a_deadline_says_by_which_calendar_it_was_worked_out_and_how_sure_that_is() -> None:
    cairo = calendar(
        "Africa/Cairo",
        days=("sun", "mon", "tue", "wed", "thu"),
        version=4,
        holidays=[{"date": "2026-05-26", "name": "Day of Arafah", "provisional": True}, {"date": "2026-05-27", "provisional": True}],
        overrides=[{"date": "2026-05-27", "hours": "usual"}],
        holiday_source={"country": "EG", "from": "2026-01-01", "until": "2027-01-01", "library": "holidays 0.109"},
    )
    due = deadline(cairo, utc("2026-05-25T08:00Z"), days=2)
    assert due.due_at == utc("2026-05-28T14:00Z")
    assert due.local.isoformat() == "2026-05-28T17:00:00+03:00"
    assert (due.calendar, due.calendar_version) == ("site", 4)
    assert due.provisional == (date(2026, 5, 26),)
    assert not due.beyond_known_holidays
    assert deadline(cairo, utc("2026-12-30T08:00Z"), days=2).beyond_known_holidays


def test_a_warning_at_a_share_of_the_way_counts_business_time_only() -> None:
    friday = utc("2026-01-09T13:00Z")
    due_at = add(calendar(), friday, 8 * HOUR)
    assert clock(calendar()).share_at(friday, due_at, Fraction(3, 4)) == utc("2026-01-12T11:00Z")


def test_a_goal_needs_days_or_time() -> None:
    with pytest.raises(CannotCompute, match="Give days or a duration"):
        deadline(calendar(), utc("2026-01-09T13:00Z"))


# --------------------------------------------------------------------------- the calendar document


def test_the_strongest_word_about_a_date_holds() -> None:
    of = calendar(
        week={day: [["09:00", "17:00"]] for day in WEEKDAYS},
        seasons=[{"name": "summer", "from": "2026-07-01", "until": "2026-09-01", "week": {day: [["08:00", "14:00"]] for day in WEEKDAYS}}],
        special_days=[{"date": "2026-07-07", "hours": [["10:00", "11:00"]]}, {"date": "2026-07-08", "hours": [["10:00", "11:00"]]}],
        holidays=[{"date": "2026-07-08"}, {"date": "2026-07-09"}, {"date": "2026-07-10"}],
        overrides=[
            {"date": "2026-07-09", "hours": "usual"},
            {"date": "2026-07-10", "hours": [["12:00", "13:30"]]},
            {"date": "2026-07-11", "hours": "closed"},
        ],
        breaks=[{"date": "2026-07-10", "hours": [["13:00", "13:15"]]}],
    )
    open_hours: Mapping[int, float] = {6: 6, 7: 1, 8: 0, 9: 6, 10: 1.25, 11: 0, 12: 6}
    for day, hours in open_hours.items():
        start_at = datetime(2026, 7, day, tzinfo=UTC)
        assert elapsed(of, start_at, start_at + timedelta(days=1)) == timedelta(hours=hours), day
    assert elapsed(of, utc("2026-06-30T00:00Z"), utc("2026-07-01T00:00Z")) == 8 * HOUR


def test_a_site_that_never_closes_counts_every_hour_and_opens_one_window() -> None:
    never_closed = calendar("Africa/Cairo", week="24x7")
    april = utc("2026-03-31T22:00Z"), utc("2026-04-30T21:00Z")
    assert elapsed(never_closed, *april) == 719 * HOUR
    assert windows(never_closed, *april) == [Window(*april)]


def test_a_night_shift_meets_the_breaks_of_both_its_dates() -> None:
    nights = calendar("UTC", "22:00-07:00", days=("mon",), daily_breaks=[["23:30", "00:30"], ["03:00", "03:15"]])
    assert elapsed(nights, utc("2026-01-05T12:00Z"), utc("2026-01-06T12:00Z")) == timedelta(hours=7, minutes=45)


def test_hours_that_run_into_the_next_days_hours_are_not_counted_twice() -> None:
    of = calendar(week={"mon": [["20:00", "10:00"]], "tue": [["09:00", "17:00"]]})
    assert elapsed(of, utc("2026-01-05T00:00Z"), utc("2026-01-07T00:00Z")) == 21 * HOUR


def test_two_sites_meet_when_both_are_open() -> None:
    lisbon, manila = calendar("Europe/Lisbon"), calendar("Asia/Manila", "14:00-23:00")
    week = utc("2026-03-27T00:00Z"), utc("2026-03-31T00:00Z")
    # Lisbon puts its clocks forward on the 29th, so in Manila the shared hours begin an hour earlier after the weekend.
    assert common_windows([lisbon, manila], *week) == [
        Window(utc("2026-03-27T09:00Z"), utc("2026-03-27T15:00Z")),
        Window(utc("2026-03-30T08:00Z"), utc("2026-03-30T15:00Z")),
    ]


def test_the_eighth_and_the_last_working_day_of_a_month_are_found() -> None:
    april = Period(date(2026, 4, 1), date(2026, 5, 1))
    easter = calendar(holidays=[{"date": "2026-04-03"}, {"date": "2026-04-06"}])
    assert nth_working_day(easter, april, 8) == date(2026, 4, 14)
    assert nth_working_day(easter, april, -1) == date(2026, 4, 30)
    assert nth_working_day(easter, april, 21) is None
    assert nth_working_day(easter, april, 0) is None


def test_next_and_previous_open_moments_are_found_over_a_weekend() -> None:
    saturday = utc("2026-01-10T12:00Z")
    assert next_open(calendar(), saturday) == utc("2026-01-12T09:00Z")
    assert previous_open(calendar(), saturday) == utc("2026-01-09T17:00Z")
    assert previous_open(calendar(), utc("2026-01-09T12:00Z")) == utc("2026-01-09T12:00Z")


def test_moments_are_compared_as_instants_also_in_the_hour_that_happens_twice() -> None:
    zone = ZoneInfo("America/New_York")
    first, second = (datetime(2026, 11, 1, 1, 30, tzinfo=zone, fold=fold) for fold in (0, 1))
    assert elapsed(calendar(week="24x7"), first, second) == HOUR
    assert elapsed(calendar(week="24x7"), second, first, conventions=by(reversed="negative")) == -HOUR


@pytest.mark.parametrize("forwards", [True, False])
def test_a_calendar_that_is_never_open_gives_an_answer_instead_of_a_search(*, forwards: bool) -> None:
    never = calendar(week={}, special_days=[{"date": "2026-01-06", "hours": [["09:00", "10:00"]]}])
    start_at, amount = utc("2026-01-06T09:30Z"), HOUR if forwards else -HOUR
    with pytest.raises(NeverOpen, match="not enough open time"):
        add(never, start_at, amount)
    with pytest.raises(NeverOpen):
        add_working_days(never, date(2026, 1, 6), 1 if forwards else -1)
    assert elapsed(never, utc("2020-01-01T00:00Z"), utc("2030-01-01T00:00Z")) == HOUR


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"time_zone": "Europe/Lisboa"}, "Europe/Lisbon"),
        ({"version": 0}, "counted from 1"),
        ({"week": {"mon": [["9:00", "17:00"]]}}, "two digits"),
        ({"week": {"mon": [["09:00", "24:01"]]}}, "not a time of day"),
        ({"week": {"mon": [["09:00", "09:00"]]}}, "nothing or a whole day"),
        ({"week": {"mon": [["24:00", "09:00"]]}}, "cannot open at 24:00"),
        ({"week": {"mon": [["09:00", "13:00"], ["12:00", "17:00"]]}}, "overlap"),
        ({"week": {"mon": [["09:00"]]}}, "length 2"),
        ({"week": {"monday": []}}, "monday"),
        ({"holidays": [{"date": "2026-01-01"}, {"date": "2026-01-01"}]}, "more than once"),
        ({"overrides": [{"date": "2026-01-01", "hours": "open"}]}, "open"),
        ({"seasons": [{"from": "2026-02-01", "until": "2026-01-01", "week": "24x7"}]}, "not after its start"),
        (
            {"seasons": [{"from": f"2026-0{n}-01", "until": "2026-09-01", "week": "24x7", "name": f"s{n}"} for n in (1, 2)]},
            "both in force on 2026-02-01",
        ),
    ],
)
def test_a_calendar_that_could_mean_two_things_is_refused(fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=fault):
        msgspec.convert({"calendar": "site", "time_zone": "UTC", "week": {}, **fields}, Calendar)


def test_all_faults_of_a_calendar_are_told_at_once_with_their_lines() -> None:
    text = """\
calendar: site
time_zone: Europe/Lisbon
week:
  mon: [["9:00", "17:00"]]
  tue: [["09:00", "09:00"]]
holidays:
  - {date: 2026-02-30}
"""
    found = reading.read(text, Calendar, name="site.yaml")
    assert [finding.line for finding in found.findings] == [4, 5, 7]


def test_a_person_is_told_what_to_look_at_in_a_calendar() -> None:
    of = calendar(
        holidays=[{"date": "2026-05-26", "name": "Arafah", "provisional": True}],
        special_days=[{"date": "2026-05-26", "hours": [["10:00", "11:00"]]}],
        overrides=[{"date": "2026-05-28", "hours": "usual"}],
    )
    assert [(finding.severity, finding.path) for finding in check(of)] == [
        ("warning", "$.special_days[0]"),
        ("warning", "$.overrides[0]"),
        ("note", "$.holidays[0]"),
    ]
    (never,) = check(calendar(week={}))
    assert never.severity == "error"
    assert check(calendar(week="24x7")) == []


@pytest.mark.parametrize("at", ["2026-01-01T00:00", "1776-07-04T00:00Z", "2500-01-01T00:00Z"])
def test_a_moment_without_offset_or_far_away_is_refused(at: str) -> None:
    with pytest.raises(CannotCompute):
        add(calendar(), datetime.fromisoformat(at), HOUR)


def test_years_of_business_time_are_counted_quickly_once_the_years_are_known() -> None:
    of = calendar("Europe/Lisbon", holidays=[{"date": "2026-12-25"}])
    decade = utc("2015-01-01T00:00Z"), utc("2035-01-01T00:00Z")
    elapsed(of, *decade)
    year = clock(of)._real.year
    assert year(2020) is year(2020)
    assert elapsed(of, *decade) == 8 * HOUR * working_days_between(of, date(2015, 1, 1), date(2035, 1, 1))


# --------------------------------------------------------------------------- public holidays

YEAR = Period(date(2026, 1, 1), date(2027, 1, 1))


def test_holidays_are_frozen_as_dates_and_uncertain_ones_are_provisional() -> None:
    listed = {holiday.on: holiday for holiday in public_holidays("EG", period=YEAR)}
    assert not listed[date(2026, 5, 1)].provisional
    assert listed[date(2026, 5, 27)].provisional
    assert all(on in YEAR for on in listed)


def test_freezing_makes_the_next_version_and_keeps_what_people_decided() -> None:
    before = calendar("Asia/Manila", version=2, overrides=[{"date": "2026-04-03", "hours": "usual", "reason": "Good Friday is worked"}])
    after = freeze(before, "PH", period=YEAR)
    assert after.version == 3
    assert after.overrides == before.overrides
    assert after.holiday_source is not None
    assert after.holiday_source.library.startswith("holidays ")
    assert clock(after).is_working_day(date(2026, 4, 3))
    assert not clock(after).is_working_day(date(2026, 4, 2))


def test_a_weekend_worked_to_make_up_for_a_holiday_is_worked() -> None:
    china = country_calendar("shanghai", "Asia/Shanghai", "CN", period=YEAR)
    sunday = date(2026, 1, 4)
    assert clock(china).is_working_day(sunday)


def test_a_weekend_that_moved_becomes_a_season() -> None:
    johor = country_calendar("johor", "Asia/Kuala_Lumpur", "MY", subdivision="JHR", period=Period(date(2024, 1, 1), date(2026, 1, 1)))
    fridays_and_sundays = (date(2024, 12, 27), date(2024, 12, 29), date(2025, 1, 3), date(2025, 1, 5))
    assert [clock(johor).is_working_day(on) for on in fridays_and_sundays] == [False, True, True, False]


@pytest.mark.parametrize(("country", "subdivision"), [("XX", ""), ("MY", "QQ"), ("Portugal", "")])
def test_an_unknown_country_or_region_is_refused(country: str, subdivision: str) -> None:
    with pytest.raises(NotFound):
        public_holidays(country, subdivision=subdivision, period=YEAR)


# --------------------------------------------------------------------------- spans that return


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"days_of_month": [[0, 5]]}, "no day of a month"),
        ({"days_of_month": [[5, 2]]}, "run backwards"),
        ({"days_of_month": [[-1, -3]]}, "run backwards"),
        ({"months": [13]}, "no month"),
        ({"years": [[2027, 2026]]}, "run backwards"),
        ({"time_zone": "Mars"}, "unknown time zone"),
        ({"weekdays": ["monday"]}, "monday"),
    ],
)
def test_a_recurring_interval_that_cannot_be_meant_is_refused(fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=fault):
        msgspec.convert(fields, RecurringInterval)


def test_a_maintenance_window_over_midnight_belongs_to_the_date_it_begins_on() -> None:
    window = msgspec.convert({"weekdays": ["sat"], "times": [["22:00", "04:00"]], "time_zone": "Europe/Lisbon"}, RecurringInterval)
    # The clocks go forward on Sunday 29 March at one.
    found = list(window.windows(utc("2026-03-27T00:00Z"), utc("2026-03-30T00:00Z")))
    assert found == [Window(utc("2026-03-28T22:00Z"), utc("2026-03-29T03:00Z"))]
    assert window.contains(utc("2026-03-29T02:59Z"))
    assert not window.contains(utc("2026-03-29T03:00Z"))
    assert not window.contains(utc("2026-03-27T23:00Z"))
    with pytest.raises(CannotCompute):
        window.contains(datetime.fromisoformat("2026-03-29T02:00"))
