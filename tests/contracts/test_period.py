"""What a contract means by "each month": dates from the first inside to the first outside, wherever the site is."""

import itertools
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.period import (
    FirstPeriod,
    Grain,
    Period,
    Unit,
    UnknownTimeZone,
    Weekday,
    add_months,
    calendar_anchor,
    first_measured_on,
    grain_instants,
    grain_period,
    is_part,
    local_midnight,
    period_containing,
    period_of_row,
    periods,
    resolve_local,
    zone_named,
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def wall(text: str) -> datetime:
    """What the clocks show, without saying where."""
    return datetime.fromisoformat(text)


ZONES = [
    "Europe/Lisbon",
    "Europe/London",
    "America/New_York",
    "America/Havana",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Manila",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
    "America/St_Johns",
    "UTC",
]
MONTHLY = calendar_anchor("month")

units = st.sampled_from(["day", "week", "month", "quarter", "year"])
dates = st.dates(date(2025, 12, 1), date(2028, 2, 1))
anchors = st.dates(date(2020, 1, 1), date(2030, 12, 31))
zones = st.sampled_from(ZONES)
moments = st.datetimes(wall("2026-01-01T00:00"), wall("2027-12-31T00:00"), timezones=st.just(UTC))


@given(units, anchors, dates, dates)
def test_periods_tile_the_dates_without_gap_or_overlap(unit: Unit, anchor: date, one: date, other: date) -> None:
    since, until = min(one, other), max(one, other) + timedelta(days=1)
    tiles = periods(unit, anchor, since, until)
    assert tiles[0].from_on == since
    assert tiles[-1].until_on == until
    assert all(a.until_on == b.from_on for a, b in itertools.pairwise(tiles))
    assert sum(tile.days for tile in tiles) == (until - since).days


@given(units, anchors, zones)
def test_the_instants_of_consecutive_periods_touch_in_every_zone(unit: Unit, anchor: date, name: str) -> None:
    zone = zone_named(name)
    edges = [tile.instants(zone) for tile in periods(unit, anchor, date(2026, 1, 1), date(2028, 1, 1))]
    assert all(begins_at < ends_at for begins_at, ends_at in edges)
    assert all(ends_at == next_at for (_, ends_at), (next_at, _) in itertools.pairwise(edges))


@given(units, anchors, zones, moments)
def test_every_moment_lies_in_exactly_the_period_of_its_local_date(unit: Unit, anchor: date, name: str, at: datetime) -> None:
    zone = zone_named(name)
    whole = period_containing(unit, anchor, at.astimezone(zone).date())
    assert whole.contains_instant(at, zone)
    assert not period_containing(unit, anchor, whole.until_on).contains_instant(at, zone)
    assert not period_containing(unit, anchor, whole.from_on - timedelta(days=1)).contains_instant(at, zone)


@given(units, anchors, dates)
def test_the_period_containing_a_date_contains_it_and_its_neighbours_do_not(unit: Unit, anchor: date, on: date) -> None:
    whole = period_containing(unit, anchor, on)
    assert on in whole
    assert whole.until_on not in whole
    assert period_containing(unit, anchor, whole.until_on).from_on == whole.until_on
    assert period_containing(unit, anchor, whole.from_on) == whole


@given(units, anchors)
def test_a_period_begins_on_its_anchor(unit: Unit, anchor: date) -> None:
    assert period_containing(unit, anchor, anchor).from_on == anchor


def test_a_month_anchored_on_the_31st_uses_the_last_day_of_shorter_months_and_finds_its_way_back() -> None:
    tiles = periods("month", date(2026, 1, 31), date(2026, 1, 31), date(2026, 5, 31))
    assert [tile.from_on for tile in tiles] == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]


def test_a_contract_month_from_the_16th_has_edges_in_utc_that_move_with_daylight_saving() -> None:
    madrid = zone_named("Europe/Madrid")
    spring = period_containing("month", calendar_anchor("month", anchor_day=16), date(2016, 3, 16))
    assert spring == Period(date(2016, 3, 16), date(2016, 4, 16))
    assert spring.instants(madrid) == (utc("2016-03-15T23:00:00Z"), utc("2016-04-15T22:00:00Z"))


def test_a_contract_year_begins_on_the_day_of_the_contract() -> None:
    assert period_containing("year", date(2026, 3, 1), date(2028, 2, 29)) == Period(date(2027, 3, 1), date(2028, 3, 1))


@pytest.mark.parametrize("weekday", ["mon", "sun", "sat"])
def test_a_week_starts_on_the_weekday_the_contract_names(weekday: Weekday) -> None:
    whole = period_containing("week", calendar_anchor("week", week_starts=weekday), date(2026, 7, 15))
    assert whole.days == 7
    assert f"{whole.from_on:%a}".lower() == weekday


def test_a_period_cut_by_the_contract_is_a_part_kept_dropped_or_merged() -> None:
    since, until = date(2026, 3, 10), date(2026, 6, 5)
    kept = periods("month", MONTHLY, since, until)
    assert [is_part("month", MONTHLY, tile) for tile in kept] == [True, False, False, True]
    assert kept[0].share_of(period_containing("month", MONTHLY, since)) == Fraction(22, 31)
    assert periods("month", MONTHLY, since, until, parts="drop") == kept[1:3]
    assert periods("month", MONTHLY, since, until, parts="merge") == (
        Period(since, date(2026, 5, 1)),
        Period(date(2026, 5, 1), until),
    )


def test_two_parts_with_no_whole_month_between_them_merge_into_one() -> None:
    assert periods("month", MONTHLY, date(2026, 3, 10), date(2026, 4, 5), parts="merge") == (Period(date(2026, 3, 10), date(2026, 4, 5)),)


@pytest.mark.parametrize(
    ("rule", "from_on", "first"),
    [
        ("from_date", date(2026, 3, 10), date(2026, 3, 10)),
        ("first_full_month", date(2026, 3, 10), date(2026, 4, 1)),
        ("first_full_month", date(2026, 3, 1), date(2026, 3, 1)),
        ("next_quarter", date(2026, 2, 10), date(2026, 4, 1)),
        ("next_quarter", date(2026, 4, 1), date(2026, 4, 1)),
        ("next_quarter", date(2026, 11, 30), date(2027, 1, 1)),
    ],
)
def test_the_first_measured_date_follows_the_contracts_rule(rule: FirstPeriod, from_on: date, first: date) -> None:
    assert first_measured_on(rule, from_on) == first


def test_the_full_period_follows_the_contracts_own_anchor() -> None:
    assert first_measured_on("full_period", date(2026, 3, 10), anchor=date(2020, 1, 16)) == date(2026, 3, 16)


@given(dates, st.integers(1, 400), st.lists(dates, max_size=6))
def test_splitting_at_amendments_conserves_the_days(from_on: date, days: int, cuts: list[date]) -> None:
    whole = Period(from_on, from_on + timedelta(days=days))
    pieces = whole.split_at(cuts)
    assert pieces[0].from_on == whole.from_on
    assert pieces[-1].until_on == whole.until_on
    assert all(a.until_on == b.from_on for a, b in itertools.pairwise(pieces))
    assert {piece.from_on for piece in pieces} - {from_on} == {on for on in cuts if on in whole and on != from_on}
    assert sum((piece.share_of(whole) for piece in pieces), Fraction()) == 1


@given(dates, st.integers(1, 90), dates, st.integers(1, 90))
def test_the_overlap_holds_exactly_the_dates_of_both(a: date, a_days: int, b: date, b_days: int) -> None:
    one, other = Period(a, a + timedelta(days=a_days)), Period(b, b + timedelta(days=b_days))
    common = one.overlap(other)
    assert set(one.dates()) & set(other.dates()) == (set(common.dates()) if common else set())
    assert one.overlaps(other) == (common is not None)


def test_an_empty_period_is_refused_with_both_dates() -> None:
    with pytest.raises(ValueError, match="from 2026-03-01 until 2026-03-01"):
        Period(date(2026, 3, 1), date(2026, 3, 1))


@pytest.mark.parametrize(
    ("name", "on", "begins", "hours"),
    [
        ("America/New_York", date(2026, 3, 8), "2026-03-08T05:00Z", 23),
        ("Africa/Cairo", date(2026, 4, 24), "2026-04-23T22:00Z", 23),
        ("Africa/Cairo", date(2026, 10, 29), "2026-10-28T21:00Z", 25),
        ("America/Havana", date(2026, 11, 1), "2026-11-01T04:00Z", 25),
        ("Australia/Lord_Howe", date(2026, 10, 4), "2026-10-03T13:30Z", Fraction(47, 2)),
        # Samoa left 30 December 2011 out.
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-30T10:00Z", 0),
    ],
)
def test_a_local_day_lasts_as_long_as_its_clocks_say(name: str, on: date, begins: str, hours: int | Fraction) -> None:
    zone = zone_named(name)
    day = Period(on, on + timedelta(days=1))
    assert day.instants(zone)[0] == utc(begins)
    assert day.hours(zone) == hours


def test_a_skipped_local_time_moves_by_the_gap_or_is_left_out_or_becomes_the_first_after() -> None:
    zone = zone_named("America/Los_Angeles")
    skipped = wall("2014-03-09T02:30")
    assert resolve_local(skipped, zone) == utc("2014-03-09T10:30Z")
    assert resolve_local(skipped, zone, nonexistent="first_after") == utc("2014-03-09T10:00Z")
    assert resolve_local(skipped, zone, nonexistent="skip") is None


def test_a_local_time_that_happens_twice_is_the_first_unless_the_second_is_asked_for() -> None:
    zone = zone_named("America/Los_Angeles")
    twice = wall("2014-11-02T01:30")
    assert resolve_local(twice, zone) == utc("2014-11-02T08:30Z")
    assert resolve_local(twice, zone, ambiguous="second") == utc("2014-11-02T09:30Z")


@given(zones, moments)
def test_the_wall_time_of_a_moment_resolves_to_a_moment_with_the_same_wall_time(name: str, at: datetime) -> None:
    zone = zone_named(name)
    wall = at.astimezone(zone).replace(tzinfo=None)
    first, second = resolve_local(wall, zone), resolve_local(wall, zone, ambiguous="second")
    assert at in (first, second)
    assert first is not None
    assert first.astimezone(zone).replace(tzinfo=None, fold=0) == wall.replace(fold=0)


@given(zones, dates)
def test_midnight_is_the_first_instant_of_its_date(name: str, on: date) -> None:
    zone = zone_named(name)
    begins_at = local_midnight(on, zone)
    assert begins_at.astimezone(zone).date() == on
    assert (begins_at - timedelta(microseconds=1)).astimezone(zone).date() == on - timedelta(days=1)


@pytest.mark.parametrize("name", ["Europe/Lisboa", "localtime", "../etc/passwd", "America", "", "Factory"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(UnknownTimeZone, match="unknown time zone"):
        zone_named(name)


def test_an_unknown_zone_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(UnknownTimeZone, match=r"Did you mean .*Europe/Lisbon"):
        zone_named("Europe/Lisboa")


def test_adding_months_keeps_to_the_end_of_a_short_month() -> None:
    assert add_months(date(2024, 1, 31), 1) == date(2024, 2, 29)
    assert add_months(date(2026, 3, 31), -1) == date(2026, 2, 28)


@pytest.mark.parametrize(
    ("grain", "starts", "inside"),
    [
        ("day", date(2026, 3, 31), True),
        ("week", date(2026, 3, 23), True),
        ("week", date(2026, 3, 30), False),
        ("month", date(2026, 3, 1), True),
        ("month", date(2026, 3, 2), False),
        ("quarter", date(2026, 3, 1), False),
        ("hour", utc("2026-03-31T22:00Z"), True),
        ("hour", utc("2026-03-31T22:30Z"), False),
        ("30m", utc("2026-03-31T22:30Z"), True),
        ("15m", utc("2026-03-31T22:50Z"), False),
    ],
)
def test_a_row_lies_inside_one_month_or_is_refused(grain: Grain, starts: date | datetime, *, inside: bool) -> None:
    # London's March ends at 23:00 UTC on the 31st.
    period = period_of_row(grain, starts, "month", MONTHLY, zone_named("Europe/London"))
    assert period == (Period(date(2026, 3, 1), date(2026, 4, 1)) if inside else None)


def test_a_monthly_row_of_a_contract_month_from_the_31st_lies_inside_it() -> None:
    anchor = date(2026, 1, 31)
    row = grain_period("month", date(2026, 2, 28), anchor=anchor)
    assert row == Period(date(2026, 2, 28), date(2026, 3, 31))
    assert period_of_row("month", date(2026, 2, 28), "month", anchor, zone_named("UTC")) == row


def test_a_row_must_start_with_what_its_grain_asks_for() -> None:
    zone = zone_named("UTC")
    with pytest.raises(ValueError, match="give starts_at"):
        period_of_row("hour", date(2026, 3, 1), "month", MONTHLY, zone)
    with pytest.raises(ValueError, match="give starts_on"):
        period_of_row("day", utc("2026-03-01T00:00Z"), "month", MONTHLY, zone)
    with pytest.raises(ValueError, match="has no offset"):
        grain_instants("hour", wall("2026-03-01T00:00"))
    with pytest.raises(ValueError, match="1 to 31"):
        calendar_anchor("month", anchor_day=32)
