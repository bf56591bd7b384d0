"""Is there a running problem? The condition of one rule on one KPI at one place, period by period.

    OK ──B, m of n not reached──▶ PENDING ──m of n──▶ BREACHING ──G──▶ RECOVERING ──clear_n good──▶ OK
         ◀───window holds no B───                         ◀──────B (a re-breach)──────┘

A condition is never carried forward as a stored state: it is worked out from the whole series each time. So a corrected
month needs no special case; the series is simply read again.

Excluded and missing periods do not enter the window: they neither break a run nor extend it. A period inside the
hysteresis band (no longer a breach, not yet up to the clear level) leaves the state alone and restarts the count of good ones.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from fractions import Fraction

import msgspec

__all__ = [
    "Condition",
    "Event",
    "EventKind",
    "Flapping",
    "PeriodKind",
    "State",
    "Step",
    "Window",
    "evaluate",
    "events",
    "is_flapping",
    "percent_state_change",
    "step",
]


class PeriodKind(enum.StrEnum):
    """What one period says to a rule."""

    GOOD = "G"
    SHORT = "H"  # held inside the hysteresis band: no breach, but short of the clear level
    BREACH = "B"
    EXCLUDED = "X"  # relief, holiday, no volume, below the minimum sample
    MISSING = "U"

    @property
    def is_evaluated(self) -> bool:
        return self not in (PeriodKind.EXCLUDED, PeriodKind.MISSING)


class State(enum.StrEnum):
    OK = "ok"
    PENDING = "pending"
    BREACHING = "breaching"
    RECOVERING = "recovering"

    @property
    def is_active(self) -> bool:
        """Whether a ticket is owed while the condition is in this state."""
        return self in (State.BREACHING, State.RECOVERING)


class EventKind(enum.StrEnum):
    OPEN = "open"
    REBREACH = "rebreach"
    CLEAR = "clear"


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`open_m` breaches among the last `open_n` evaluated periods open; `clear_n` good ones in a row clear.

    "n in a row" is `open_m == open_n`. Two of three to open and two to clear is the default for what is not critical.
    """

    open_m: int = 2
    open_n: int = 3
    clear_n: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.open_m <= self.open_n:
            raise ValueError(f"opens at {self.open_m} of {self.open_n}: the first must lie between 1 and the second")
        if self.clear_n < 1:
            raise ValueError(f"clears after {self.clear_n} good periods: at least one is needed")


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """`seen` holds the last evaluated periods since the last clear, oldest first, at most `open_n` of them."""

    state: State = State.OK
    seen: tuple[PeriodKind, ...] = ()
    good_run: int = 0


class Event(msgspec.Struct, frozen=True, kw_only=True):
    event: EventKind
    index: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One period of the series, the state after it, and the event it caused, if any."""

    index: int
    kind: PeriodKind
    state: State
    event: EventKind | None = None


def step(condition: Condition, kind: PeriodKind, window: Window) -> tuple[Condition, EventKind | None]:
    """The condition after one more period."""
    if not kind.is_evaluated:
        return condition, None
    if condition.state.is_active:
        return _active_step(condition, kind, window)
    seen = (*condition.seen, kind)[-window.open_n :]
    breaches = seen.count(PeriodKind.BREACH)
    if breaches >= window.open_m:
        return Condition(state=State.BREACHING, seen=seen), EventKind.OPEN
    return Condition(state=State.PENDING if breaches else State.OK, seen=seen), None


def _active_step(condition: Condition, kind: PeriodKind, window: Window) -> tuple[Condition, EventKind | None]:
    if kind is PeriodKind.BREACH:
        event = EventKind.REBREACH if condition.state is State.RECOVERING else None
        return Condition(state=State.BREACHING, seen=condition.seen), event
    if kind is PeriodKind.SHORT:
        return Condition(state=condition.state, seen=condition.seen), None
    good_run = condition.good_run + 1
    if good_run >= window.clear_n:
        # What opened this episode has been answered for: it does not help to open the next one.
        return Condition(), EventKind.CLEAR
    return Condition(state=State.RECOVERING, seen=condition.seen, good_run=good_run), None


def evaluate(kinds: Iterable[PeriodKind], window: Window) -> tuple[Condition, tuple[Step, ...]]:
    """The condition after the whole series, oldest period first, and what each period did to it."""
    condition = Condition()
    steps = []
    for index, kind in enumerate(kinds):
        condition, event = step(condition, kind, window)
        steps.append(Step(index=index, kind=kind, state=condition.state, event=event))
    return condition, tuple(steps)


def events(kinds: Iterable[PeriodKind], window: Window) -> tuple[Event, ...]:
    """The openings, re-breaches and clears of a series, each with the index of its period."""
    _, steps = evaluate(kinds, window)
    return tuple(Event(event=each.event, index=each.index) for each in steps if each.event is not None)


class Flapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Flapping starts at `high` percent or above, stops at `low` or below, and stays as it was in between.

    `periods` is how many of the latest evaluated periods are looked at: 12 months or 13 weeks.
    """

    periods: int = 12
    low: Fraction = Fraction(20)
    high: Fraction = Fraction(30)

    def __post_init__(self) -> None:
        if self.periods <= 1:
            raise ValueError(f"{self.periods} period cannot change state: look at two or more")
        if not 0 <= self.low < self.high:
            raise ValueError(f"flapping stops at {self.low} % and starts at {self.high} %: the first must be the lower")


def percent_state_change(states: Sequence[object]) -> Fraction:
    """How restless a series is, 0 to 100: the weighted share of neighbours that differ, oldest state first.

    The oldest change weighs 0.75 and the newest 1.25, linearly between, so that the weights average one (the measure
    Nagios uses for "state flapping"). A series of fewer than two states has no change.
    """
    changes = len(states) - 1
    if changes < 1:
        return Fraction(0)
    if changes == 1:
        return Fraction(100) if states[0] != states[1] else Fraction(0)
    total = sum(
        (Fraction(3, 4) + Fraction(k, 2 * (changes - 1)) for k in range(changes) if states[k] != states[k + 1]),
        start=Fraction(0),
    )
    return total * 100 / changes


def is_flapping(percent: Fraction, *, was_flapping: bool, limits: Flapping) -> bool:
    """Both limits are inclusive; between them the answer is what it was before."""
    if percent >= limits.high:
        return True
    if percent <= limits.low:
        return False
    return was_flapping
