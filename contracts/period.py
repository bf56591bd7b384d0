"""Half-open spans of local dates, the periods a contract counts by, and the instants at which they begin and end.

A contract says "each month", and means local dates: from the first date inside to the first date outside. Only where such a
period meets data stamped with instants does a time zone come in, and there the edges move with daylight saving: March 2026
has 743 hours in London. Everything here therefore counts dates, and `Period.instants` is the one place where dates become
moments.

No function reads a clock. Zones are `zoneinfo.ZoneInfo`; `zone_named` turns a name out of a document into one.
"""

import difflib
import functools
import itertools
import math
from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from contracts.errors import RefusedValue

Unit = Literal["day", "week", "month", "quarter", "year"]
"""How long one period is. A contract year is `year` with the contract's first day as anchor."""

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = get_args(Weekday)

Grain = Literal["15m", "30m", "hour", "day", "week", "month", "quarter", "year"]
"""The span one row of data is a count for."""

GRAIN_DURATIONS: Final[dict[Grain, timedelta]] = {
    "15m": timedelta(minutes=15),
    "30m": timedelta(minutes=30),
    "hour": timedelta(hours=1),
}
"""Grains below a day last this long in elapsed time; the others are spans of dates."""

GRAIN_UNITS: Final[dict[Grain, Unit]] = {
    "day": "day",
    "week": "week",
    "month": "month",
    "quarter": "quarter",
    "year": "year",
}

FirstPeriod = Literal["from_date", "full_period", "first_full_month", "next_quarter"]
"""From when a contract is measured: at once (with a part period), or from the next whole one."""

PartPeriods = Literal["keep", "drop", "merge"]
"""What becomes of the piece before the first or after the last whole period: measured by itself, left out, or added to its neighbour."""

NonexistentLocalTime = Literal["shift", "skip", "first_after"]
"""What a local time means that the clocks jump over: that much later (RFC 5545 3.3.5), nothing, or the first instant after the gap."""

AmbiguousLocalTime = Literal["first", "second"]
"""Which of the two instants is meant by a local time that happens twice."""

_MONTHS_IN: Final[dict[Unit, int]] = {"month": 1, "quarter": 3, "year": 12}


class UnknownTimeZone(RefusedValue):
    """A name that is no zone of the IANA database; the repair names the nearest ones that are."""

    def __init__(self, name: str, *, field: str = "") -> None:
        near = difflib.get_close_matches(name, _zone_names(), n=3, cutoff=0.6)
        repair = f"Did you mean {' or '.join(near)}?" if near else "Write an IANA name such as Europe/Lisbon."
        super().__init__(f"unknown time zone {name!r}", repair, field=field)
        self.name = name


@functools.cache
def _zone_names() -> frozenset[str]:
    # "localtime" is whatever the machine was set to and "Factory" is nobody's zone: a contract must not depend on either.
    return frozenset(available_timezones()) - {"localtime", "Factory"}


@functools.cache
def zone_named(name: str) -> ZoneInfo:
    """The zone with this IANA name. Raises `UnknownTimeZone`."""
    if name not in _zone_names():
        raise UnknownTimeZone(name)
    return ZoneInfo(name)


class Period(msgspec.Struct, frozen=True, order=True):
    """The local dates from `from_on` up to, and without, `until_on`.

    Raises `ValueError` when it would hold no date.
    """

    from_on: date
    until_on: date

    def __post_init__(self) -> None:
        if self.until_on <= self.from_on:
            message = (
                f"a period ends after it begins, but this one runs from {self.from_on} until {self.until_on}; "
                "`until` is the first date outside"
            )
            raise ValueError(message)

    def __contains__(self, on: date) -> bool:
        return self.from_on <= on < self.until_on

    def __str__(self) -> str:
        return f"{self.from_on}/{self.until_on}"

    @property
    def days(self) -> int:
        """How many local dates lie inside."""
        return (self.until_on - self.from_on).days

    @property
    def last_on(self) -> date:
        """The last date inside, for sentences that people read."""
        return self.until_on - timedelta(days=1)

    def dates(self) -> Iterator[date]:
        """Every date inside, in order."""
        return (self.from_on + timedelta(days=n) for n in range(self.days))

    def instants(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """The first instant inside and the first instant outside, in UTC, when the dates are those of `zone`."""
        return local_midnight(self.from_on, zone), local_midnight(self.until_on, zone)

    def hours(self, zone: ZoneInfo) -> Fraction:
        """How many hours pass between the two instants: 743 for March 2026 in London."""
        begins_at, ends_at = self.instants(zone)
        return Fraction((ends_at - begins_at) // timedelta(microseconds=1), 3_600_000_000)

    def contains_instant(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether the moment `at` (aware) falls inside, in the dates of `zone`."""
        begins_at, ends_at = self.instants(zone)
        return begins_at <= at < ends_at

    def overlap(self, other: "Period") -> "Period | None":
        """The dates both hold, or None."""
        from_on, until_on = max(self.from_on, other.from_on), min(self.until_on, other.until_on)
        return Period(from_on, until_on) if from_on < until_on else None

    def overlaps(self, other: "Period") -> bool:
        """Whether there is a date that both hold; periods that only touch do not overlap."""
        return self.from_on < other.until_on and other.from_on < self.until_on

    def covers(self, other: "Period") -> bool:
        """Whether every date of `other` lies inside."""
        return self.from_on <= other.from_on and other.until_on <= self.until_on

    def split_at(self, dates: Iterable[date]) -> tuple["Period", ...]:
        """The pieces between the given dates, each of which begins a new piece; dates outside cut nothing."""
        cuts = sorted({on for on in dates if self.from_on < on < self.until_on})
        edges = [self.from_on, *cuts, self.until_on]
        return tuple(Period(a, b) for a, b in itertools.pairwise(edges))

    def share_of(self, whole: "Period") -> Fraction:
        """How much of `whole` this covers, by days and exactly: 22/31 for the 10th to the end of March."""
        common = self.overlap(whole)
        return Fraction(common.days if common else 0, whole.days)


def resolve_local(
    local: datetime,
    zone: ZoneInfo,
    *,
    nonexistent: NonexistentLocalTime = "shift",
    ambiguous: AmbiguousLocalTime = "first",
) -> datetime | None:
    """The instant (UTC) at which the clocks of `zone` show `local` (naive); None where it is skipped.

    The defaults are those of RFC 5545 3.3.5: a time inside a gap is read with the offset before the gap, which moves it
    forward by the gap's length, and of two equal times the first is meant.
    """
    if nonexistent != "skip":
        return local_instant(local, zone, nonexistent=nonexistent, ambiguous=ambiguous)
    shifted = local_instant(local, zone, ambiguous=ambiguous)
    exists = shifted.astimezone(zone).replace(tzinfo=None, fold=0) == local.replace(fold=0)
    return shifted if exists else None


def local_instant(
    local: datetime,
    zone: ZoneInfo,
    *,
    nonexistent: Literal["shift", "first_after"] = "shift",
    ambiguous: AmbiguousLocalTime = "first",
) -> datetime:
    """The same where something must happen in any case: there is an instant for every local time."""
    earlier = local.replace(tzinfo=zone, fold=0)
    later = local.replace(tzinfo=zone, fold=1)
    before, after = earlier.utcoffset(), later.utcoffset()
    if before is None or after is None or before == after:
        return earlier.astimezone(UTC)
    if before > after:
        return (earlier if ambiguous == "first" else later).astimezone(UTC)
    if nonexistent == "first_after":
        return _end_of_gap(earlier, later)
    return earlier.astimezone(UTC)


def _end_of_gap(earlier: datetime, later: datetime) -> datetime:
    """The instant the clocks jumped, found by halving: the two readings of a skipped time lie on either side of it."""
    zone = earlier.tzinfo
    low, high = later.astimezone(UTC), earlier.astimezone(UTC)
    offset_before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(microseconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == offset_before:
            low = middle
        else:
            high = middle
    return high


def local_midnight(on: date, zone: ZoneInfo) -> datetime:
    """The first instant (UTC) of a local date.

    Where midnight itself is skipped (Cairo in April) that is the first instant after the gap; where it happens twice
    (Havana in November), the first of the two.
    """
    return local_instant(datetime.combine(on, time()), zone, nonexistent="first_after")


COUNTED_YEARS: Final = range(1900, 2200)
"""The years that a day in data may lie in. One outside is a slip of the pen, and counting periods up to it would take for ever."""


def is_counted(on: date) -> bool:
    """Whether the day lies in the years that periods are counted in."""
    return on.year in COUNTED_YEARS


def add_months(on: date, months: int, *, anchor_day: int | None = None) -> date:
    """The date so many months later, on `anchor_day` (default: its own day) or the last day of a month too short for it.

    Raises `RefusedValue` past the years 1 to 9999, which is all that a date can hold.
    """
    index = on.year * 12 + on.month - 1 + months
    year, month = divmod(index, 12)
    if not MINYEAR <= year <= MAXYEAR:
        message = f"{months} months from {on.isoformat()} lie in the year {year}, and a date holds the years {MINYEAR} to {MAXYEAR}"
        raise RefusedValue(message, "Name an earlier day." if months > 0 else "Name a later day.")
    return date(year, month + 1, min(anchor_day or on.day, monthrange(year, month + 1)[1]))


def _edge(unit: Unit, anchor: date, index: int) -> date:
    """The first date of the period number `index`, counted from the one that begins on the anchor."""
    if unit == "day":
        return anchor + timedelta(days=index)
    if unit == "week":
        return anchor + timedelta(weeks=index)
    # Always counted from the anchor, never from the last edge: a month that begins on the 31st finds its way back after February.
    return add_months(anchor, index * _MONTHS_IN[unit])


def _index(unit: Unit, anchor: date, on: date) -> int:
    """The number of the period that holds `on`."""
    if unit == "day":
        return (on - anchor).days
    if unit == "week":
        return (on - anchor).days // 7
    months = (on.year - anchor.year) * 12 + on.month - anchor.month
    index = math.floor(Fraction(months, _MONTHS_IN[unit]))
    return index if _edge(unit, anchor, index) <= on else index - 1


def calendar_anchor(unit: Unit, *, week_starts: Weekday = "mon", anchor_day: int = 1) -> date:
    """An anchor for periods that follow the calendar: weeks from a weekday, months, quarters and years from a day of the month.

    `anchor_day=16` gives contract months from the 16th to the 15th. Raises `ValueError` outside 1 to 31.
    """
    if unit == "week":
        # 1 January 2001 was a Monday.
        return date(2001, 1, 1) + timedelta(days=WEEKDAYS.index(week_starts))
    if anchor_day not in range(1, 32):
        message = f"a month is anchored on a day from 1 to 31, not {anchor_day}"
        raise ValueError(message)
    return date(2001, 1, anchor_day)


def period_containing(unit: Unit, anchor: date, on: date) -> Period:
    """The whole period of this unit that holds the date `on`; periods are counted both ways from `anchor`."""
    index = _index(unit, anchor, on)
    return Period(_edge(unit, anchor, index), _edge(unit, anchor, index + 1))


def periods(unit: Unit, anchor: date, since: date, until: date, *, parts: PartPeriods = "keep") -> tuple[Period, ...]:
    """The periods that tile the dates from `since` up to `until`, in order.

    A first or last period that is cut by `since` or `until` is kept as a part (`is_part`), dropped, or merged with its whole
    neighbour. Nothing is returned when `until` is not after `since`.
    """
    pieces = []
    on = since
    while on < until:
        whole = period_containing(unit, anchor, on)
        pieces.append(Period(max(whole.from_on, since), min(whole.until_on, until)))
        on = whole.until_on
    if parts == "drop":
        return tuple(piece for piece in pieces if not is_part(unit, anchor, piece))
    if parts == "merge":
        return _merge_parts(unit, anchor, pieces)
    return tuple(pieces)


def _merge_parts(unit: Unit, anchor: date, pieces: list[Period]) -> tuple[Period, ...]:
    if len(pieces) > 1 and is_part(unit, anchor, pieces[0]):
        pieces[:2] = [Period(pieces[0].from_on, pieces[1].until_on)]
    if len(pieces) > 1 and is_part(unit, anchor, pieces[-1]):
        pieces[-2:] = [Period(pieces[-2].from_on, pieces[-1].until_on)]
    return tuple(pieces)


def is_part(unit: Unit, anchor: date, period: Period) -> bool:
    """Whether this is only a piece of a period of that unit."""
    return period != period_containing(unit, anchor, period.from_on)


def first_measured_on(rule: FirstPeriod, from_on: date, *, unit: Unit = "month", anchor: date | None = None) -> date:
    """The first date whose data count, for a contract in force from `from_on`.

    `from_date`: at once, so that the first period may be a part. `full_period`: the first period of the contract's own
    unit and anchor that begins on or after it. `first_full_month` and `next_quarter`: the same for calendar months and quarters.
    A contract that comes into force on such an edge waits for nothing.
    """
    if rule == "from_date":
        return from_on
    if rule == "first_full_month":
        unit, anchor = "month", calendar_anchor("month")
    elif rule == "next_quarter":
        unit, anchor = "quarter", calendar_anchor("quarter")
    period = period_containing(unit, anchor or calendar_anchor(unit), from_on)
    return from_on if period.from_on == from_on else period.until_on


def grain_period(grain: Grain, starts_on: date, *, anchor: date | None = None) -> Period:
    """The dates a row of data of this grain is a count for, when it starts on `starts_on`.

    `anchor` matters only for months that start on the 29th or later. Raises `ValueError` for a grain below a day.
    """
    if grain not in GRAIN_UNITS:
        message = f"a row of grain {grain} starts at a moment, not on a date; give starts_at with an offset"
        raise ValueError(message)
    unit = GRAIN_UNITS[grain]
    if anchor is not None and period_containing(unit, anchor, starts_on).from_on == starts_on:
        return period_containing(unit, anchor, starts_on)
    return Period(starts_on, _edge(unit, starts_on, 1))


def grain_instants(grain: Grain, starts_at: datetime) -> tuple[datetime, datetime]:
    """The moments (UTC) between which a row of a grain below a day counts. Raises `ValueError` for other grains and naive moments."""
    if grain not in GRAIN_DURATIONS:
        message = f"a row of grain {grain} starts on a date, not at a moment; give starts_on"
        raise ValueError(message)
    if starts_at.utcoffset() is None:
        message = f"{starts_at.isoformat()} has no offset, so it is no moment; write for example {starts_at.isoformat()}+01:00"
        raise ValueError(message)
    begins_at = starts_at.astimezone(UTC)
    return begins_at, begins_at + GRAIN_DURATIONS[grain]


def period_of_row(grain: Grain, starts: date | datetime, unit: Unit, anchor: date, zone: ZoneInfo) -> Period | None:
    """The one period that a whole row lies inside, or None when it straddles two and must be refused.

    `starts` is a date for grains from a day up and an aware moment below. A week never lies in one calendar month when it
    crosses the end of it, and a quarter of an hour straddles an edge when the zone's midnight is not on a quarter.
    """
    if grain in GRAIN_UNITS:
        # A `datetime` is a `date` too; its date would be the wrong zone's.
        if isinstance(starts, datetime):
            message = f"a row of grain {grain} starts on a date, not at a moment; give starts_on"
            raise ValueError(message)
        rows = grain_period(grain, starts, anchor=anchor if GRAIN_UNITS[grain] == unit else None)
        whole = period_containing(unit, anchor, starts)
        return whole if whole.covers(rows) else None
    if not isinstance(starts, datetime):
        message = f"a row of grain {grain} starts at a moment, not on a date; give starts_at with an offset"
        raise ValueError(message)  # noqa: TRY004
    begins_at, ends_at = grain_instants(grain, starts)
    whole = period_containing(unit, anchor, begins_at.astimezone(zone).date())
    first, outside = whole.instants(zone)
    return whole if first <= begins_at and ends_at <= outside else None
