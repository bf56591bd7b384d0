"""Clocks of a ticket: stopwatches that know their pauses, thresholds that fire once, levels that come due.

A stopwatch stores moments and intervals, never a counter: what it shows is worked out from them, so a process that was down
for a week loses nothing, and a corrected pause corrects everything. The data model is that of a service desk's stopwatch
with thresholds; the comparison is always made in time left, because a percentage that was rounded to 100 is not a breach.

Every instant is an aware datetime. An instant belongs to the time still allowed: done at the deadline is in time.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction

import msgspec

from contracts import business_time
from contracts.business_time import Clock
from contracts.period import local_instant
from vendor_mgmt.escalations.rules import DEADLINE_PERCENT, BusinessSpan, LevelParameters, QuietHours

__all__ = [
    "ClockName",
    "Deadline",
    "Fired",
    "LevelSweep",
    "Pause",
    "Standing",
    "Stopwatch",
    "deadline",
    "due_thresholds",
    "end_of",
    "fire",
    "level_deadlines",
    "message_moment",
    "pause",
    "recompute",
    "restart",
    "resume",
    "standing",
    "start",
    "stop",
    "sweep_levels",
    "threshold_deadline",
]


class ClockName(enum.StrEnum):
    ACKNOWLEDGE = "acknowledge"
    PLAN = "plan"
    DECIDE = "decide"
    ESCALATION = "escalation"


class Pause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A span in which the clock stands still; open-ended while nobody knows its end (an outage, an undecided plan)."""

    from_: datetime = msgspec.field(name="from")
    until: datetime | None = None
    reason: str

    def __post_init__(self) -> None:
        if self.until is not None and self.until < self.from_:
            raise ValueError(f"the pause from {self.from_} ends before it begins, at {self.until}")


class Fired(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    percent: int
    at: datetime
    due_at: datetime


class Stopwatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One clock of a ticket. `pauses` are in order and do not overlap; only the last may be open.

    `least_until`, where set, is a floor: the deadline is never earlier (a rejected plan keeps a minimum of time).
    """

    name: ClockName
    goal: BusinessSpan
    started_at: datetime
    stopped_at: datetime | None = None
    pauses: tuple[Pause, ...] = ()
    fired: tuple[Fired, ...] = ()
    least_until: datetime | None = None

    def __post_init__(self) -> None:
        for earlier, later in zip(self.pauses, self.pauses[1:], strict=False):
            if earlier.until is None or later.from_ < earlier.until:
                raise ValueError(f"the pause from {later.from_} begins inside the one before it")

    @property
    def is_stopped(self) -> bool:
        return self.stopped_at is not None

    def is_paused(self, at: datetime) -> bool:
        return any(each.from_ <= at and (each.until is None or at < each.until) for each in self.pauses)

    def is_running(self, at: datetime) -> bool:
        return not self.is_stopped and self.started_at <= at and not self.is_paused(at)

    @property
    def is_open_ended(self) -> bool:
        """Whether it stands still with no end in sight, so that nothing can come due."""
        return bool(self.pauses) and self.pauses[-1].until is None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a clock shows at one instant.

    `business` and `actual` are both kept: 1 h 30 of business time may be a whole weekend to the people who wait.
    `left` is negative once the deadline has passed. `percent` is for showing only.
    """

    business: timedelta
    actual: timedelta
    left: timedelta | None
    percent: Fraction | None
    is_overdue: bool


class Deadline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is due when: the instant, the calendar version it rests on, and the wall time people were told.

    `provisional` are holidays on the way that may still move; if one does, the deadline is worked out again.
    """

    name: str
    due_at: datetime
    local: datetime
    calendar: str
    calendar_version: int
    provisional: tuple[date, ...] = ()


def start(name: ClockName, goal: BusinessSpan, at: datetime) -> Stopwatch:
    return Stopwatch(name=name, goal=goal, started_at=at)


def pause(watch: Stopwatch, at: datetime, reason: str, until: datetime | None = None) -> Stopwatch:
    """The clock standing still from `at`. A clock that is stopped, or paused already without end, is left alone.

    A planned pause under way is replaced by one that runs to the later of both ends: pauses never overlap.
    """
    if watch.is_stopped or watch.is_open_ended:
        return watch
    at = max(at, watch.started_at)
    kept = []
    for each in watch.pauses:
        if each.until is not None and each.until <= at:
            kept.append(each)
            continue
        if each.from_ < at:
            kept.append(msgspec.structs.replace(each, until=at))
        if until is not None and each.until is not None:
            until = max(until, each.until)
    return msgspec.structs.replace(watch, pauses=(*kept, Pause(from_=at, until=until, reason=reason)))


def resume(watch: Stopwatch, at: datetime) -> Stopwatch:
    """The clock running again from `at`; a pause planned to last longer is cut short."""
    pauses = []
    for each in watch.pauses:
        if each.from_ >= at:
            continue
        ends = at if each.until is None else min(each.until, at)
        pauses.append(msgspec.structs.replace(each, until=ends))
    return msgspec.structs.replace(watch, pauses=tuple(pauses))


def stop(watch: Stopwatch, at: datetime) -> Stopwatch:
    """The clock stopped for good; an open pause ends with it. Stopping twice keeps the first moment."""
    if watch.is_stopped:
        return watch
    at = max(at, watch.started_at)
    return msgspec.structs.replace(resume(watch, at) if watch.is_paused(at) else watch, stopped_at=at)


def restart(watch: Stopwatch, at: datetime) -> Stopwatch:
    """The clock from zero, with every threshold armed again."""
    return Stopwatch(name=watch.name, goal=watch.goal, started_at=at)


def end_of(span: BusinessSpan, start_at: datetime, clock: Clock, pauses: Sequence[Pause] = ()) -> datetime:
    """When the span that starts then is used up: its days first, then its hours. Raises `business_time.ClockPaused`."""
    return _end_of(span, start_at, clock, tuple(pauses))


# What one close opens begins at one moment, so the same few questions come back for hundreds of tickets, at every sweep.
_REMEMBERED = 16_384


@functools.lru_cache(maxsize=_REMEMBERED)
def _end_of(span: BusinessSpan, start_at: datetime, clock: Clock, pauses: tuple[Pause, ...]) -> datetime:
    stops = [business_time.Pause(each.from_, each.until) for each in pauses]
    at = clock.add_days(start_at, span.days, stops) if span.days else start_at
    return clock.add(at, span.counted, stops) if span.hours else at


def deadline(watch: Stopwatch, clock: Clock) -> datetime | None:
    """When the goal is used up, or None while a pause without an end leaves it open.

    A pause moves the deadline by the business time inside it, and only if it began before the deadline: what was overdue
    when the outage came stays overdue. A deadline in days then moves on to the close of the day it falls on.
    """
    return _due(watch, watch.goal, clock)


def _due(watch: Stopwatch, goal: BusinessSpan, clock: Clock) -> datetime | None:
    try:
        due_at = end_of(goal, watch.started_at, clock, watch.pauses)
    except business_time.ClockPaused:
        return None
    return due_at if watch.least_until is None else max(due_at, watch.least_until)


def threshold_deadline(watch: Stopwatch, percent: int, clock: Clock) -> datetime | None:
    """When `percent` of the business time up to the deadline has been used, or None while that is open.

    For a goal in days the whole is the business time from the start to its close, so that 50 % of one day begun at noon
    is the middle of what is left of it and of the next.
    """
    if percent == DEADLINE_PERCENT:
        return deadline(watch, clock)
    try:
        return _share_of(watch.goal, watch.started_at, clock, tuple(watch.pauses), percent)
    except business_time.ClockPaused:
        return None


@functools.lru_cache(maxsize=_REMEMBERED)
def _share_of(goal: BusinessSpan, started_at: datetime, clock: Clock, pauses: tuple[Pause, ...], percent: int) -> datetime:
    whole = clock.elapsed(started_at, end_of(goal, started_at, clock))
    stops = [business_time.Pause(each.from_, each.until) for each in pauses]
    return clock.add(started_at, whole * percent / DEADLINE_PERCENT, stops)


def due_thresholds(
    watch: Stopwatch, percents: Iterable[int], clock: Clock, at: datetime
) -> tuple[tuple[int, datetime], ...]:
    """The thresholds that have passed and not fired yet, lowest first, each with the instant it was due.

    A clock that does not run fires nothing.
    """
    if not watch.is_running(at):
        return ()
    done = {each.percent for each in watch.fired}
    found = []
    for percent in sorted(percents):
        due_at = threshold_deadline(watch, percent, clock)
        if percent not in done and due_at is not None and due_at < at:
            found.append((percent, due_at))
    return tuple(found)


def fire(watch: Stopwatch, due: Iterable[tuple[int, datetime]], at: datetime) -> Stopwatch:
    """The same clock with those thresholds fired: each does so once."""
    done = {each.percent for each in watch.fired}
    fired = tuple(Fired(percent=percent, at=at, due_at=due_at) for percent, due_at in due if percent not in done)
    return msgspec.structs.replace(watch, fired=(*watch.fired, *fired))


def recompute(watch: Stopwatch, goal: BusinessSpan, clock: Clock, at: datetime) -> Stopwatch:
    """The clock under another goal or another version of the calendar.

    A threshold that had fired is armed again only where its new deadline lies in the future; otherwise people would be told
    the same thing twice.
    """
    changed = msgspec.structs.replace(watch, goal=goal)
    kept = []
    for each in watch.fired:
        due_at = threshold_deadline(changed, each.percent, clock)
        if due_at is not None and due_at <= at:
            kept.append(each)
    return msgspec.structs.replace(changed, fired=tuple(kept))


def standing(watch: Stopwatch, clock: Clock, at: datetime) -> Standing:
    """What the clock shows at an instant; a stopped one shows what it showed when it was stopped."""
    until = max(watch.started_at, min(at, watch.stopped_at) if watch.stopped_at is not None else at)
    spans = [(each.from_, until if each.until is None else min(each.until, until)) for each in watch.pauses if each.from_ < until]
    business = clock.elapsed(watch.started_at, until, [business_time.Pause(begin, end) for begin, end in spans])
    actual = until - watch.started_at - sum((end - begin for begin, end in spans), start=timedelta(0))
    due = deadline(watch, clock)
    if due is None:
        return Standing(business=business, actual=actual, left=None, percent=None, is_overdue=False)
    left = clock.elapsed(until, due) if until <= due else -clock.elapsed(due, until)
    whole = business + left
    return Standing(
        business=business,
        actual=actual,
        left=left,
        percent=Fraction(business * 100 // timedelta(microseconds=1), whole // timedelta(microseconds=1)) if whole else None,
        is_overdue=until > due,
    )


def level_deadlines(
    watch: Stopwatch, levels: Sequence[LevelParameters], current: int, clock: Clock
) -> Mapping[int, datetime]:
    """When each level above the current one comes due; a level whose clock stands still without an end is left out."""
    found = {}
    for each in levels:
        if each.level > current and each.after is not None:
            due_at = _due(watch, each.after, clock)
            if due_at is not None:
                found[each.level] = due_at
    return found


class LevelSweep(msgspec.Struct, frozen=True, kw_only=True):
    """The level now reached, and one sentence for each level, in order: skipped, fired late, fallen through."""

    level: int
    due_at: datetime
    log: tuple[str, ...]


def sweep_levels(
    due: Mapping[int, datetime],
    levels: Sequence[LevelParameters],
    at: datetime,
    *,
    is_staffed: Callable[[str], bool] | None = None,
    late_after: timedelta = timedelta(minutes=10),
) -> LevelSweep | None:
    """The highest level that is overdue at `at`, once, however many came due while nobody looked; None where none is.

    A level at which nobody is on duty falls through to the next one at once. The last level is always kept: somebody has
    to see the ticket, and the log says that nobody was on duty there.
    """
    overdue = sorted(level for level, due_at in due.items() if due_at < at)
    if not overdue:
        return None
    highest = overdue[-1]
    log = [f"level {level} skipped (overdue while down)" for level in overdue[:-1]]
    late = at - due[highest] > late_after
    log.append(f"level {highest} fired late" if late else f"level {highest} reached")
    reached = highest
    while is_staffed is not None and not any(is_staffed(role) for role in levels[reached - 1].to):
        if reached == len(levels):
            log.append(f"nobody on duty at level {reached}, the last one")
            break
        log.append(f"nobody on duty at level {reached}, passed on to level {reached + 1}")
        reached += 1
    return LevelSweep(level=reached, due_at=due[highest], log=tuple(log))


QUIET_DAYS_MAX = 366


def message_moment(at: datetime, quiet: QuietHours, clock: Clock) -> datetime:
    """When a message that is ready at `at` may go out: at once, or when the receiver's hours next begin.

    Only the message waits. The change it reports has happened.
    """
    local = at.astimezone(clock.calendar.zone)
    if _allows(local.time(), quiet) and _is_open_day(local.date(), quiet, clock):
        return at
    day = local.date()
    for _ in range(QUIET_DAYS_MAX):
        opens = local_instant(datetime.combine(day, quiet.allowed_from), clock.calendar.zone).astimezone(UTC)
        if opens > at and _is_open_day(day, quiet, clock):
            return opens
        day += timedelta(days=1)
    # A calendar without a single open day in a year holds nothing back: a late message is better than none.
    return at


def _is_open_day(day: date, quiet: QuietHours, clock: Clock) -> bool:
    return not quiet.open_days_only or clock.is_working_day(day)


def _allows(local: time, quiet: QuietHours) -> bool:
    if quiet.allowed_from < quiet.allowed_until:
        return quiet.allowed_from <= local < quiet.allowed_until
    return local >= quiet.allowed_from or local < quiet.allowed_until
