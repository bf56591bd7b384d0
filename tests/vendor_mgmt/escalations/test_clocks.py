from __future__ import annotations

from datetime import datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.business_time import Clock
from tests.vendor_mgmt.escalations.builders import levels, office, utc
from vendor_mgmt.escalations import clocks
from vendor_mgmt.escalations.clocks import ClockName, Pause, Stopwatch
from vendor_mgmt.escalations.rules import BusinessSpan, LevelParameters, Policy, QuietHours, Severity

LISBON = office()
CAIRO = office("Africa/Cairo", days=("sun", "mon", "tue", "wed", "thu"))
NIGHT = office("Asia/Manila", days=("mon", "tue", "wed", "thu", "fri"), hours=(("22:00", "07:00"),))
START = utc(2026, 4, 6, 9)

moments = st.integers(0, 60 * 24 * 90).map(lambda minutes: START + timedelta(minutes=minutes))
zones = st.sampled_from([LISBON, CAIRO, NIGHT])
spans = st.one_of(
    st.integers(1, 15).map(lambda days: BusinessSpan(days=days)),
    st.integers(1, 400).map(lambda quarters: BusinessSpan(hours=Decimal(quarters) / 4)),
    st.builds(lambda days, hours: BusinessSpan(days=days, hours=Decimal(hours)), st.integers(1, 5), st.integers(1, 20)),
)


def pauses_of(edges: list[datetime]) -> tuple[Pause, ...]:
    ordered = sorted(set(edges))
    return tuple(Pause(from_=begin, until=end, reason="outage") for begin, end in zip(ordered[::2], ordered[1::2], strict=False))


pauses = st.lists(moments, max_size=8).map(pauses_of)


def watch(goal: BusinessSpan, paused: tuple[Pause, ...] = ()) -> Stopwatch:
    return Stopwatch(name=ClockName.PLAN, goal=goal, started_at=START, pauses=paused)


@pytest.mark.parametrize("span", [{}, {"days": 0}, {"days": -1}, {"hours": Decimal(0)}, {"days": 2, "hours": Decimal(-1)}])
def test_a_span_of_no_business_time_is_refused(span: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="more than nothing"):
        BusinessSpan(**span)  # type: ignore[arg-type]


def test_a_span_is_read_aloud() -> None:
    assert str(BusinessSpan(days=1) + BusinessSpan(hours=Decimal("2.5"))) == "1 business day and 2.5 business hours"


@given(spans, pauses, zones)
@settings(deadline=None)
def test_a_pause_never_brings_a_deadline_forward(goal: BusinessSpan, paused: tuple[Pause, ...], clock: Clock) -> None:
    with_pauses, without = clocks.deadline(watch(goal, paused), clock), clocks.deadline(watch(goal), clock)
    assert with_pauses is not None
    assert without is not None
    assert with_pauses >= without


@given(st.integers(1, 400), pauses, zones)
@settings(deadline=None)
def test_exactly_the_goal_has_passed_at_a_deadline_in_hours(quarters: int, paused: tuple[Pause, ...], clock: Clock) -> None:
    goal = BusinessSpan(hours=Decimal(quarters) / 4)
    due_at = clocks.deadline(watch(goal, paused), clock)
    assert due_at is not None
    shown = clocks.standing(watch(goal, paused), clock, due_at)
    assert (shown.business, shown.left, shown.is_overdue) == (goal.counted, timedelta(0), False)
    assert shown.percent == 100
    assert clocks.standing(watch(goal, paused), clock, due_at + timedelta(microseconds=1)).is_overdue


@given(spans, pauses, zones)
@settings(deadline=None)
def test_thresholds_come_in_order_and_the_last_is_the_deadline(goal: BusinessSpan, paused: tuple[Pause, ...], clock: Clock) -> None:
    running = watch(goal, paused)
    half, most, whole = (clocks.threshold_deadline(running, percent, clock) for percent in (50, 75, 100))
    assert half is not None
    assert most is not None
    assert whole is not None
    assert START <= half <= most <= whole == clocks.deadline(running, clock)


@given(spans, pauses, zones, st.lists(moments, min_size=1, max_size=12))
@settings(deadline=None)
def test_each_threshold_fires_once_and_never_while_the_clock_stands_still(
    goal: BusinessSpan, paused: tuple[Pause, ...], clock: Clock, looks: list[datetime]
) -> None:
    running = watch(goal, paused)
    for at in sorted(looks):
        due = clocks.due_thresholds(running, (50, 75, 100), clock, at)
        assert not due or running.is_running(at)
        assert all(due_at < at for _, due_at in due)
        running = clocks.fire(running, due, at)
        assert clocks.due_thresholds(running, (50, 75, 100), clock, at) == ()
    assert len({each.percent for each in running.fired}) == len(running.fired)


@given(spans, zones, st.lists(st.tuples(moments, st.sampled_from(["pause", "plan", "resume", "stop"])), max_size=10))
@settings(deadline=None)
def test_whatever_is_done_to_a_clock_its_pauses_stay_in_order(
    goal: BusinessSpan, clock: Clock, done: list[tuple[datetime, str]]
) -> None:
    running = watch(goal)
    for at, what in sorted(done):
        if what == "pause":
            running = clocks.pause(running, at, "outage")
        elif what == "plan":
            running = clocks.pause(running, at, "held", at + timedelta(hours=30))
        elif what == "resume":
            running = clocks.resume(running, at)
        else:
            running = clocks.stop(running, at)
        assert running.is_running(at) is (not running.is_stopped and not running.is_paused(at))
        for earlier, later in zip(running.pauses, running.pauses[1:], strict=False):
            assert earlier.until is not None
            assert earlier.until <= later.from_
        assert (clocks.deadline(running, clock) is None) <= running.is_open_ended


def test_what_was_overdue_when_the_outage_came_stays_overdue() -> None:
    running = watch(BusinessSpan(hours=Decimal(4)))
    late = clocks.pause(running, utc(2026, 4, 6, 15), "outage")
    assert clocks.deadline(late, LISBON) == utc(2026, 4, 6, 13)
    assert clocks.deadline(clocks.pause(running, utc(2026, 4, 6, 12), "outage"), LISBON) is None


def test_a_weekend_is_an_hour_and_a_half_of_business_and_two_and_a_half_days_to_those_who_wait() -> None:
    """SLA-sn: opened Friday 21:00, looked at on Monday 09:30, open from 08 to 17."""
    clock = office("UTC", hours=(("08:00", "17:00"),))
    running = Stopwatch(name=ClockName.PLAN, goal=BusinessSpan(hours=Decimal(8)), started_at=utc(2026, 4, 3, 21))
    shown = clocks.standing(running, clock, utc(2026, 4, 6, 9, 30))
    assert (shown.business, shown.actual) == (timedelta(hours=1, minutes=30), timedelta(hours=60, minutes=30))
    assert shown.percent == Fraction(75, 4)


def test_what_would_round_to_a_hundred_percent_is_in_time() -> None:
    running = watch(BusinessSpan(hours=Decimal(8)))
    shown = clocks.standing(running, office("UTC", hours=(("00:00", "24:00"),)), START + timedelta(hours=7, minutes=59, seconds=59))
    assert shown.percent is not None
    assert round(shown.percent) == 100
    assert not shown.is_overdue


@given(st.integers(0, 60 * 24 * 400), st.integers(0, 47), st.integers(0, 47), zones, st.booleans())
@settings(deadline=None)
def test_a_message_goes_out_in_allowed_hours_and_never_before_it_is_ready(
    minutes: int, begin: int, end: int, clock: Clock, open_days_only: bool  # noqa: FBT001
) -> None:
    if begin == end:
        return
    quiet = QuietHours(
        allowed_from=time(begin // 2, begin % 2 * 30), allowed_until=time(end // 2, end % 2 * 30), open_days_only=open_days_only
    )
    at = START + timedelta(minutes=minutes)
    moment = clocks.message_moment(at, quiet, clock)
    assert moment >= at
    assert moment - at <= timedelta(days=5)
    # Ready then, it goes out then: waiting once is enough.
    assert clocks.message_moment(moment, quiet, clock) == moment


def test_quiet_hours_follow_the_wall_clock_when_the_clocks_change() -> None:
    quiet = QuietHours(open_days_only=False)
    assert clocks.message_moment(utc(2026, 4, 23, 22), quiet, CAIRO) == utc(2026, 4, 24, 5)  # 08:00 at +03:00, from that day on
    assert clocks.message_moment(utc(2026, 4, 22, 22), quiet, CAIRO) == utc(2026, 4, 23, 6)


def test_with_nobody_on_duty_anywhere_the_last_level_is_reached_and_the_log_says_so() -> None:
    found = clocks.sweep_levels({2: START}, levels(), START + timedelta(hours=1), is_staffed=lambda role: role == "client.nobody")
    assert found is not None
    assert (found.level, found.log[-1]) == (3, "nobody on duty at level 3, the last one")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"levels": (LevelParameters(level=2, to=("client.director",), after=BusinessSpan(days=1)),)}, "without a gap"),
        ({"thresholds_percent": (50, 75)}, "include 100"),
        ({"thresholds_percent": (50, 100, 120)}, "include 100"),
        ({"rounds_max": 0}, "at least one"),
        ({"effective_days_min": {Severity.MINOR: 30}}, "each of minor"),
        ({"first_level": {Severity.CRITICAL: 4}}, "do not exist"),
    ],
)
def test_a_policy_that_cannot_work_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Policy(calendar="office", **changes)  # type: ignore[arg-type]


def test_a_level_is_addressed_to_somebody_and_only_the_first_starts_at_once() -> None:
    with pytest.raises(ValueError, match="addressed to nobody"):
        LevelParameters(level=1, to=())
    with pytest.raises(ValueError, match="starts at once"):
        LevelParameters(level=1, to=("client.director",), after=BusinessSpan(days=1))
    with pytest.raises(ValueError, match="starts at once"):
        LevelParameters(level=2, to=("client.director",))
    with pytest.raises(ValueError, match="the ends must differ"):
        QuietHours(allowed_from=time(8), allowed_until=time(8))
