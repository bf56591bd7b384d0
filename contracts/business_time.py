"""Business time: when a site works, how much of its time has passed, and when something is due.

A `Calendar` is a document of its own, shared by sites and contracts and versioned by itself. `Conventions` are the eight
questions on which careful people, and good libraries, answer differently; a contract names its answers, and each has a
default. The functions at the end take both and answer in instants (UTC); a `Clock` does the same for one calendar and many
questions.

How a calendar is read, strongest word first:

1. breaks are taken out of everything;
2. an override of a date is final: `closed`, `usual` (a public holiday that is worked), or hours of its own;
3. a holiday closes its date;
4. a special day replaces the hours of its weekday;
5. a season (Ramadan, summer) replaces the whole week between two dates;
6. the week.

Hours are half-open: at the opening the site is open, at the close it is not. They are written in the calendar's local time,
resolved to instants date by date, and what daylight saving swallows is not counted.
"""

from __future__ import annotations

import functools
import itertools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from contracts.errors import CannotCompute, Finding, RefusedValue
from contracts.period import (
    COUNTED_YEARS,
    WEEKDAYS,
    AmbiguousLocalTime,
    NonexistentLocalTime,
    Period,
    UnknownTimeZone,
    Weekday,
    local_instant,
    zone_named,
)

CALENDAR_SCHEMA: Final = "calendar/1"

FIRST_YEAR: Final = COUNTED_YEARS[0]
LAST_YEAR: Final = COUNTED_YEARS[-1]
"""Calendars are worked out for these years only, so that a goal nobody can reach ends in an answer instead of a search."""

ONE_DAY: Final = timedelta(days=1)
NO_TIME: Final = timedelta()

_CLOCK: Final = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?|24:00(?::00)?")


class NeverOpen(CannotCompute):
    """The calendar has too little open time on that side of the moment for the goal to be reached."""


class ClockPaused(CannotCompute):
    """The goal lies beyond a pause that has not ended, so nobody can say when it will be reached."""


class ReversedInterval(CannotCompute):
    """The end lies before the start, and the conventions in use call that an error."""


# --------------------------------------------------------------------------- the document


class Span(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Hours within a day, `["09:00", "17:00"]`: from the first moment inside to the first outside, in local time.

    A close that is not after its opening belongs to the next morning: `["22:00", "07:00"]` is a night shift. `["00:00", "24:00"]`
    is a whole day. Equal ends are refused, because they could mean nothing or a whole day.
    """

    opens: str
    closes: str

    def __post_init__(self) -> None:
        for text in (self.opens, self.closes):
            if not _CLOCK.fullmatch(text):
                message = f"{text!r} is not a time of day"
                raise RefusedValue(message, "Write hours and minutes with two digits each, from 00:00 to 24:00.")
        if self.opens.startswith("24"):
            message = f"hours cannot open at {self.opens}, the end of the day"
            raise RefusedValue(message, "Write 00:00 under the next day.")
        if _time_of_day(self.opens) == _time_of_day(self.closes):
            message = f"hours from {self.opens} to {self.closes} are either nothing or a whole day"
            raise RefusedValue(message, 'Write ["00:00", "24:00"] for a whole day, or leave the hours out.')

    @property
    def opens_after(self) -> timedelta:
        """From the local midnight of the date to the opening."""
        return _time_of_day(self.opens)

    @property
    def closes_after(self) -> timedelta:
        """From the local midnight of the date to the close; more than a day for hours that end the next morning."""
        closes = _time_of_day(self.closes)
        return closes if closes > self.opens_after else closes + ONE_DAY

    def __str__(self) -> str:
        return f"{self.opens}-{self.closes}"


@functools.lru_cache(maxsize=4096)
def _time_of_day(text: str) -> timedelta:
    hours, minutes, *seconds = (int(part) for part in text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds[0] if seconds else 0)


Hours = tuple[Span, ...]

WHOLE_DAY: Final[Hours] = (Span("00:00", "24:00"),)


def _refuse_overlap(hours: Hours, where: str) -> None:
    for one, other in itertools.combinations(hours, 2):
        if one.opens_after < other.closes_after and other.opens_after < one.closes_after:
            message = f"the hours {one} and {other} of {where} overlap"
            raise RefusedValue(message, "Join them, or let one end where the other begins.")


def _refuse_repeated_dates(name: str, dates: list[date]) -> None:
    repeated = sorted({on for on in dates if dates.count(on) > 1}) if len(set(dates)) < len(dates) else []
    if repeated:
        message = f"{name} names {', '.join(map(str, repeated))} more than once"
        raise RefusedValue(message, "Keep one entry for each date.", field=name)


class Week(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The usual hours of each weekday; a weekday that is not named is closed."""

    mon: Hours = ()
    tue: Hours = ()
    wed: Hours = ()
    thu: Hours = ()
    fri: Hours = ()
    sat: Hours = ()
    sun: Hours = ()

    def __post_init__(self) -> None:
        for weekday in WEEKDAYS:
            _refuse_overlap(self.on(weekday), weekday)

    def on(self, weekday: Weekday) -> Hours:
        hours: Hours = getattr(self, weekday)
        return hours


AROUND_THE_CLOCK: Final = Week(**dict.fromkeys(WEEKDAYS, WHOLE_DAY))

WrittenWeek = Week | Literal["24x7"]


class Season(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another week for the dates from `from` up to `until`: Ramadan hours, summer hours, a ramp-up."""

    from_on: date = msgspec.field(name="from")
    until_on: date = msgspec.field(name="until")
    week: WrittenWeek
    name: str = ""

    def __post_init__(self) -> None:
        if self.until_on <= self.from_on:
            message = f"the season {self.name!r} ends on {self.until_on}, which is not after its start {self.from_on}"
            raise RefusedValue(message, "`until` is the first date outside.", field="until")


class DayHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hours, or the breaks, of one date."""

    on: date = msgspec.field(name="date")
    hours: Hours
    name: str = ""

    def __post_init__(self) -> None:
        _refuse_overlap(self.hours, str(self.on))


class Holiday(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A date on which the site is closed unless an override says otherwise."""

    on: date = msgspec.field(name="date")
    name: str = ""
    provisional: bool = False
    """The authorities may still move it (a date that waits for the moon, say); deadlines that count across it say so."""


class Override(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last word on one date: `closed`, `usual` (worked as if it were no holiday), or hours of its own."""

    on: date = msgspec.field(name="date")
    hours: Hours | Literal["closed", "usual"]
    reason: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.hours, tuple):
            _refuse_overlap(self.hours, str(self.on))


class HolidaySource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the list of holidays was copied from, and for which dates it is complete."""

    country: str
    subdivision: str = ""
    from_on: date = msgspec.field(name="from")
    until_on: date = msgspec.field(name="until")
    library: str = ""
    """Name and version of the list, such as `holidays 0.109`. A newer one moves no deadline until it is frozen into a new version."""


Overnight = Literal["start_date", "cut_at_midnight"]


class Calendar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a site, or an office, works. One version of it; a change is a new version, never an edit."""

    schema: Literal["calendar/1"] = CALENDAR_SCHEMA
    id: str = msgspec.field(name="calendar")
    version: int = 1
    title: str = ""
    time_zone: str
    week: WrittenWeek
    seasons: tuple[Season, ...] = ()
    daily_breaks: Hours = ()
    breaks: tuple[DayHours, ...] = ()
    special_days: tuple[DayHours, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    holiday_source: HolidaySource | None = None
    overrides: tuple[Override, ...] = ()
    overnight: Overnight = "start_date"
    """Whether a night shift belongs as a whole to the date it starts on, or each part to its own date."""

    def __post_init__(self) -> None:
        try:
            zone_named(self.time_zone)
        except UnknownTimeZone as unknown:
            raise UnknownTimeZone(self.time_zone, field="time_zone") from unknown
        if self.version < 1:
            message = f"a calendar's versions are counted from 1, not {self.version}"
            raise RefusedValue(message, field="version")
        for name in ("special_days", "holidays", "overrides"):
            _refuse_repeated_dates(name, [entry.on for entry in getattr(self, name)])
        for one, other in itertools.combinations(self.seasons, 2):
            if one.from_on < other.until_on and other.from_on < one.until_on:
                message = f"the seasons {one.name!r} and {other.name!r} are both in force on {max(one.from_on, other.from_on)}"
                raise RefusedValue(message, "Let one end where the other begins.", field="seasons")

    @property
    def zone(self) -> ZoneInfo:
        return zone_named(self.time_zone)


def check(calendar: Calendar) -> list[Finding]:
    """What a person should look at before this calendar is used. Only a calendar that is never open is an error."""
    findings = []
    clock = Clock(calendar)
    exceptions = [entry for entry in calendar.overrides if entry.hours not in ("closed", "usual")]
    if not any(clock.has_hours(weekday) for weekday in WEEKDAYS) and not (exceptions or calendar.special_days or calendar.seasons):
        findings.append(Finding("error", "$.week", "the calendar is never open", "Give at least one weekday its hours."))
    overridden = {entry.on for entry in calendar.overrides}
    holidays = {holiday.on for holiday in calendar.holidays}
    for index, special in enumerate(calendar.special_days):
        if special.on in holidays and special.on not in overridden:
            findings.append(
                Finding(
                    "warning",
                    f"$.special_days[{index}]",
                    f"{special.on} is also a holiday, and a holiday closes a special day",
                    "Move the entry to overrides if the site works on that date.",
                )
            )
    for index, override in enumerate(calendar.overrides):
        if override.hours == "usual" and override.on not in holidays:
            findings.append(
                Finding("warning", f"$.overrides[{index}]", f"{override.on} is no holiday, so `usual` changes nothing", "Remove it.")
            )
    for index, holiday in enumerate(calendar.holidays):
        if holiday.provisional and holiday.on not in overridden:
            findings.append(
                Finding(
                    "note",
                    f"$.holidays[{index}]",
                    f"{holiday.on} ({holiday.name}) is provisional",
                    "Deadlines counted across it are worked out again by the version that confirms the date.",
                )
            )
    return findings


# --------------------------------------------------------------------------- the conventions


class Conventions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The answers to eight questions that a contract must not leave open. docs/calendars.md works an example of each."""

    boundary: Literal["close", "next_opening"] = "close"
    """Eight hours from 09:00 on a day from 09:00 to 17:00 are due at the close, or at the next opening."""

    day_zero: Literal["notice", "next_working_day"] = "notice"
    """One working day after a notice on Sunday is Monday (the day of the notice is day 0), or Tuesday (Monday is day 0)."""

    dst: Literal["elapsed", "wall_clock"] = "elapsed"
    """A night in which the clocks go back counts the hours that pass, or the hours the clock on the wall shows."""

    nonexistent: NonexistentLocalTime = "shift"
    """A local time that the clocks jump over. Hours lose only what lies in the gap; `skip` and `first_after` then agree."""

    ambiguous: AmbiguousLocalTime = "first"
    """A local time that happens twice."""

    reversed: Literal["zero", "negative", "error"] = "zero"
    """An interval whose end lies before its start. Commands and the API refuse one unless told otherwise."""

    overnight: Overnight | None = None
    """What a night shift belongs to; the calendar's own answer unless the contract gives another."""

    day: Literal["end_of_business", "keep_time"] = "end_of_business"
    """A deadline in days ends with the business of its last day, or at the hour it began, moved into open time."""


DEFAULT_CONVENTIONS: Final = Conventions()


class Pause(msgspec.Struct, frozen=True):
    """From `from_at` up to `until_at` the clock stands still; None: it still does."""

    from_at: datetime
    until_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.until_at is not None and _checked(self.until_at) < _checked(self.from_at):
            message = f"a pause from {self.from_at.isoformat()} cannot end at {self.until_at.isoformat()}, before it begins"
            raise RefusedValue(message)


class Window(msgspec.Struct, frozen=True, order=True):
    """Open without a break from `opens_at` up to `closes_at` (UTC)."""

    opens_at: datetime
    closes_at: datetime

    @property
    def duration(self) -> timedelta:
        return self.closes_at - self.opens_at


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """When something is due, and by which calendar that was worked out."""

    due_at: datetime
    local: datetime
    """The same moment on the clocks of the calendar's zone, with its offset: what people are shown."""

    calendar: str
    calendar_version: int
    provisional: tuple[date, ...] = ()
    """Holidays between start and deadline that may still move."""

    beyond_known_holidays: bool = False
    """Part of the time lies outside the dates for which the list of holidays is complete."""


Roll = Literal["following", "preceding", "modified_following", "modified_preceding"]
"""Which working day stands in for one that is not: the next, the previous, or that one unless it lies in another month."""


# --------------------------------------------------------------------------- the working out

# A moment on the axis along which time is counted: naive, and either UTC or (wall_clock) what the local clocks show.
_Point = datetime
_Stretch = tuple[_Point, _Point]


class _Year(msgspec.Struct, frozen=True):
    """The open stretches of one year of the axis, and how much open time lies before the end of each."""

    opens: list[_Point]
    closes: list[_Point]
    before: list[timedelta]
    until: list[timedelta]

    @property
    def total(self) -> timedelta:
        return self.until[-1] if self.until else NO_TIME

    def passed(self, at: _Point) -> timedelta:
        """The open time of this year before a moment in it."""
        index = bisect_right(self.opens, at) - 1
        if index < 0:
            return NO_TIME
        return self.before[index] + (min(at, self.closes[index]) - self.opens[index])

    def earliest(self, passed: timedelta) -> _Point:
        """The first moment by which so much (more than nothing) has passed: at a close, the close."""
        index = bisect_left(self.until, passed)
        return self.opens[index] + (passed - self.before[index])

    def latest(self, passed: timedelta) -> _Point:
        """The last moment at which no more than that has passed: at a close, the next opening."""
        index = bisect_right(self.until, passed)
        return self.opens[index] + (passed - self.before[index])


class _Axis:
    """Open time along one axis, worked out a year at a time and kept, so that long intervals cost a few additions."""

    def __init__(self, hours_on: Callable[[date], Sequence[_Stretch]], point: Callable[[datetime], _Point], exceptional: range) -> None:
        self._hours_on = hours_on
        self._point = point
        self._exceptional = exceptional
        self._years: dict[int, _Year] = {}

    def year(self, number: int) -> _Year:
        if number not in self._years:
            self._years[number] = self._worked_out(number)
        return self._years[number]

    def _worked_out(self, number: int) -> _Year:
        first, outside = (datetime.combine(date(year, 1, 1), time()) for year in (number, number + 1))
        # Offsets and night shifts carry hours across the edges of the year, by two days at most.
        dates = (date(number, 1, 1) + timedelta(days=n) for n in range(-2, 369))
        stretches = ((self._point(opens), self._point(closes)) for on in dates for opens, closes in self._hours_on(on))
        clipped = ((max(opens, first), min(closes, outside)) for opens, closes in stretches)
        merged = _merged(clipped)
        until = list(itertools.accumulate((closes - opens for opens, closes in merged), initial=NO_TIME))
        return _Year([opens for opens, _ in merged], [closes for _, closes in merged], until[:-1], until[1:])

    def between(self, start: _Point, end: _Point) -> timedelta:
        """Open time from start to end, which is not before it."""
        if start.year == end.year:
            return self.year(start.year).passed(end) - self.year(start.year).passed(start)
        whole_years = sum((self.year(number).total for number in range(start.year + 1, end.year)), NO_TIME)
        first = self.year(start.year)
        return first.total - first.passed(start) + whole_years + self.year(end.year).passed(end)

    def forward(self, start: _Point, amount: timedelta, *, to_opening: bool) -> _Point:
        """The moment by which `amount` of open time has passed since start; at a close, that or (`to_opening`) the next opening."""
        number = start.year
        target = self.year(number).passed(start) + amount
        while target > self.year(number).total or (to_opening and target == self.year(number).total):
            target -= self.year(number).total
            if number >= LAST_YEAR or (number >= self._exceptional.stop and not self.year(number).total):
                raise NeverOpen(*_never("after", start))
            number += 1
        year = self.year(number)
        # Nothing left to pass is a moment already reached: the year began just where the goal was met.
        return year.latest(target) if to_opening else year.earliest(target)

    def backward(self, start: _Point, amount: timedelta, *, to_close: bool) -> _Point:
        """The moment since which `amount` of open time has passed until start; at an opening, that or (`to_close`) the close before."""
        number = start.year
        target = self.year(number).passed(start) - amount
        while target < NO_TIME or (to_close and not target):
            if number <= FIRST_YEAR or (number < self._exceptional.start and not self.year(number).total):
                raise NeverOpen(*_never("before", start))
            number -= 1
            target += self.year(number).total
        year = self.year(number)
        return year.earliest(target) if to_close else year.latest(target)

    def stretches(self, start: _Point, end: _Point) -> list[_Stretch]:
        """The open stretches between two points, clipped, joined where they touch."""
        found: list[_Stretch] = []
        for number in range(start.year, end.year + 1):
            year = self.year(number)
            low, high = bisect_right(year.closes, start), bisect_left(year.opens, end)
            found += [(max(year.opens[i], start), min(year.closes[i], end)) for i in range(low, high)]
        return _merged(found)

    def is_open(self, at: _Point) -> bool:
        year = self.year(at.year)
        index = bisect_right(year.opens, at) - 1
        return index >= 0 and at < year.closes[index]


def _never(side: str, at: _Point) -> tuple[str, str]:
    return (
        f"the calendar has not enough open time {side} {at.isoformat(sep=' ')}",
        "Give the calendar's week its hours, or name a shorter time.",
    )


def _merged(stretches: Iterable[_Stretch]) -> list[_Stretch]:
    """In order, without the empty ones, and as one where they touch or overlap."""
    merged: list[_Stretch] = []
    for opens, closes in sorted(stretch for stretch in stretches if stretch[0] < stretch[1]):
        if merged and opens <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], closes))
        else:
            merged.append((opens, closes))
    return merged


def _without(stretches: Iterable[_Stretch], removed: Sequence[_Stretch]) -> list[_Stretch]:
    """The stretches less whatever the removed ones cover; those are in order and do not overlap."""
    left = []
    for opens, closes in stretches:
        at = opens
        for gap_opens, gap_closes in removed:
            if gap_closes <= at or gap_opens >= closes:
                continue
            left.append((at, gap_opens))
            at = gap_closes
        left.append((at, closes))
    return [stretch for stretch in left if stretch[0] < stretch[1]]


def _written(week: WrittenWeek) -> Week:
    return AROUND_THE_CLOCK if week == "24x7" else week


class Clock:
    """One calendar under one set of conventions, ready for many questions. It remembers the years it has worked out."""

    def __init__(self, calendar: Calendar, conventions: Conventions = DEFAULT_CONVENTIONS) -> None:
        self.calendar = calendar
        self.conventions = conventions
        self._zone = calendar.zone
        self._cut = (conventions.overnight or calendar.overnight) == "cut_at_midnight"
        self._week = _written(calendar.week)
        self._seasons = [(season, _written(season.week)) for season in calendar.seasons]
        self._special = {entry.on: entry.hours for entry in calendar.special_days}
        self._holidays = {entry.on for entry in calendar.holidays}
        self._overrides = {entry.on: entry.hours for entry in calendar.overrides}
        self._provisional = sorted(entry.on for entry in calendar.holidays if entry.provisional and entry.on not in self._overrides)
        self._breaks: dict[date, list[Span]] = {}
        for entry in calendar.breaks:
            self._breaks.setdefault(entry.on, []).extend(entry.hours)
        self._working_dates: dict[int, list[date]] = {}
        self._exceptional = self._exceptional_years()
        self._real = _Axis(self._hours_on, self._instant, self._exceptional)
        # By the wall clock, the hours need no resolving: they are what the clocks show.
        wall = conventions.dst == "wall_clock"
        self._counted = _Axis(self._hours_on, lambda local: local, self._exceptional) if wall else self._real

    def _exceptional_years(self) -> range:
        """Outside these years only the week counts, and one year is like another."""
        dates = [
            *self._special,
            *self._holidays,
            *self._overrides,
            *self._breaks,
            *(on for season in self.calendar.seasons for on in (season.from_on, season.until_on)),
        ]
        # Without any such date every year is "outside", seen from before and from after.
        return range(min(dates).year - 1, max(dates).year + 2) if dates else range(LAST_YEAR, FIRST_YEAR)

    # -- the hours of a date, in local time

    def _usual(self, on: date) -> Hours:
        """The hours of a date as if it were no holiday and nobody had overridden it."""
        if on in self._special:
            return self._special[on]
        weekday = WEEKDAYS[on.weekday()]
        for season, week in self._seasons:
            if season.from_on <= on < season.until_on:
                return week.on(weekday)
        return self._week.on(weekday)

    def _planned(self, on: date) -> Hours:
        """The hours that begin on a date, whether or not that date is then closed."""
        override = self._overrides.get(on)
        return override if isinstance(override, tuple) else self._usual(on)

    def _is_closed(self, on: date) -> bool:
        override = self._overrides.get(on)
        return override == "closed" or (override is None and on in self._holidays)

    def _begun_on(self, on: date) -> list[_Stretch]:
        """The hours that begin on a date, in local time, without breaks; whole, or only up to midnight."""
        if self._is_closed(on):
            return []
        stretches = [_local(on, span) for span in self._planned(on)]
        if self._cut:
            midnight = datetime.combine(on + ONE_DAY, time())
            stretches = [(opens, min(closes, midnight)) for opens, closes in stretches]
        return self._without_breaks(on, stretches)

    def _hours_on(self, on: date) -> list[_Stretch]:
        """All hours that belong to a date: with shifts cut at midnight, also the end of the night before."""
        begun = self._begun_on(on)
        if not self._cut or self._is_closed(on) or on in self._special or isinstance(self._overrides.get(on), tuple):
            return begun
        midnight = datetime.combine(on, time())
        night_before = (_local(on - ONE_DAY, span) for span in self._planned(on - ONE_DAY))
        return begun + self._without_breaks(on, [(midnight, closes) for _, closes in night_before if closes > midnight])

    def _without_breaks(self, on: date, stretches: list[_Stretch]) -> list[_Stretch]:
        if not self.calendar.daily_breaks and not self._breaks:
            return stretches
        # A night shift meets the breaks of two dates, and a break may itself begin on the evening before.
        dates = (on - ONE_DAY, on, on + ONE_DAY)
        breaks = (_local(day, span) for day in dates for span in (*self.calendar.daily_breaks, *self._breaks.get(day, ())))
        return _without(stretches, _merged(breaks))

    def has_hours(self, weekday: Weekday) -> bool:
        """Whether the plain week opens on that weekday."""
        return bool(self._week.on(weekday))

    # -- from local time to instants and back

    def _instant(self, local: datetime) -> _Point:
        # Hours with an edge that is skipped lose only what lies in the gap: the shift itself took place.
        nonexistent: Literal["shift", "first_after"] = "shift" if self.conventions.nonexistent == "shift" else "first_after"
        return local_instant(local, self._zone, nonexistent=nonexistent, ambiguous=self.conventions.ambiguous).replace(tzinfo=None)

    def _point(self, at: datetime) -> _Point:
        """A moment on the counted axis."""
        if self._counted is self._real:
            return _utc_point(at)
        return _checked(at).astimezone(self._zone).replace(tzinfo=None, fold=0)

    def _moment(self, point: _Point) -> datetime:
        """The instant (UTC) of a point on the counted axis."""
        return (point if self._counted is self._real else self._instant(point)).replace(tzinfo=UTC)

    def local_date(self, at: datetime) -> date:
        """The business date of a moment: its local date, or the date before while a shift that began then is still running."""
        local = _checked(at).astimezone(self._zone).replace(tzinfo=None, fold=0)
        if self._cut:
            return local.date()
        yesterday = local.date() - ONE_DAY
        in_hours_of = [on for on in (local.date(), yesterday) if any(opens <= local < closes for opens, closes in self._hours_on(on))]
        return in_hours_of[0] if in_hours_of else local.date()

    # -- open and closed

    def is_open(self, at: datetime) -> bool:
        """Whether the site works at that moment; at the opening it does, at the close it does not."""
        return self._real.is_open(_utc_point(at))

    def next_open(self, at: datetime) -> datetime:
        """The first open moment at or after this one. Raises `NeverOpen`."""
        return self._real.forward(_utc_point(at), NO_TIME, to_opening=True).replace(tzinfo=UTC)

    def previous_open(self, at: datetime) -> datetime:
        """The moment itself while the site is open, else the last close before it. Raises `NeverOpen`."""
        point = _utc_point(at)
        return (point if self._real.is_open(point) else self._real.backward(point, NO_TIME, to_close=True)).replace(tzinfo=UTC)

    def windows(self, from_at: datetime, until_at: datetime) -> list[Window]:
        """The open windows between two moments, clipped to them; hours that touch are one window."""
        stretches = self._real.stretches(_utc_point(from_at), _utc_point(until_at))
        return [Window(opens.replace(tzinfo=UTC), closes.replace(tzinfo=UTC)) for opens, closes in stretches]

    # -- counting time

    def elapsed(self, start_at: datetime, end_at: datetime, pauses: Iterable[Pause] = ()) -> timedelta:
        """The open time from start to end less what lies in the pauses, to the microsecond.

        Raises `ReversedInterval` when the end lies before the start and the conventions call that an error.
        """
        start_at, end_at = _checked(start_at), _checked(end_at)
        if end_at < start_at:
            if self.conventions.reversed == "negative":
                return -self.elapsed(end_at, start_at, pauses)
            if self.conventions.reversed == "zero":
                return NO_TIME
            message = f"the end {end_at.isoformat()} lies before the start {start_at.isoformat()}"
            raise ReversedInterval(message, "Exchange them, or choose the convention zero or negative for reversed intervals.")
        start, end = self._point(start_at), self._point(end_at)
        if end < start:
            # The clocks went back in between: on the wall less than nothing has passed.
            return NO_TIME
        stopped = ((max(opens, start), min(closes or end, end)) for opens, closes in self._stopped(pauses))
        paused = (self._counted.between(opens, closes) for opens, closes in stopped if opens < closes)
        return self._counted.between(start, end) - sum(paused, NO_TIME)

    def add(self, start_at: datetime, amount: timedelta, pauses: Iterable[Pause] = ()) -> datetime:
        """The moment by which `amount` of open time outside the pauses has passed; negative amounts count backwards.

        No time at all leads to the first open moment at or after the start. Where the goal is met exactly at a close, `boundary`
        decides; backwards, at an opening, it decides the same in mirror image.
        Raises `NeverOpen`, and `ClockPaused` when the goal lies beyond a pause without an end.
        """
        start = self._point(start_at)
        running = self._running(pauses)
        if amount < NO_TIME:
            return self._moment(self._back(start, -amount, running))
        return self._moment(self._ahead(start, amount, running))

    def _ahead(self, start: _Point, left: timedelta, running: list[tuple[_Point | None, _Point | None]]) -> _Point:
        keep_close = self.conventions.boundary == "close"
        for begins, ends in running:
            at = start if begins is None else max(start, begins)
            if ends is None:
                return self._counted.forward(at, left, to_opening=not (keep_close and left))
            if ends <= at:
                continue
            available = self._counted.between(at, ends)
            if left < available or (left == available and keep_close and left):
                return self._counted.forward(at, left, to_opening=not (keep_close and left))
            left -= available
        message = f"the clock has been standing still since {running[-1][1]}, and {left} are left"
        raise ClockPaused(message, "Give the last pause its end.")

    def _back(self, start: _Point, left: timedelta, running: list[tuple[_Point | None, _Point | None]]) -> _Point:
        keep_opening = self.conventions.boundary == "close"
        for begins, ends in reversed(running):
            at = start if ends is None else min(start, ends)
            if begins is None:
                return self._counted.backward(at, left, to_close=not keep_opening)
            if begins >= at:
                continue
            available = self._counted.between(begins, at)
            if left < available or (left == available and keep_opening):
                return self._counted.backward(at, left, to_close=not keep_opening)
            left -= available
        # The first stretch has no beginning, so the loop has returned.
        raise AssertionError

    def _stopped(self, pauses: Iterable[Pause]) -> list[tuple[_Point, _Point | None]]:
        """The pauses as points, in order, merged; None stands for an end that has not come."""
        far = datetime.combine(date.max, time())
        stretches = ((self._point(pause.from_at), far if pause.until_at is None else self._point(pause.until_at)) for pause in pauses)
        return [(opens, None if closes == far else closes) for opens, closes in _merged(stretches)]

    def _running(self, pauses: Iterable[Pause]) -> list[tuple[_Point | None, _Point | None]]:
        """What the pauses leave: stretches in which the clock runs, the first without a beginning."""
        running: list[tuple[_Point | None, _Point | None]] = []
        begins: _Point | None = None
        for stops, resumes in self._stopped(pauses):
            running.append((begins, stops))
            if resumes is None:
                return running
            begins = resumes
        return [*running, (begins, None)]

    # -- counting days

    def is_working_day(self, on: date) -> bool:
        """Whether hours begin on that date. The morning end of a night shift makes no working day."""
        return bool(self._begun_on(on))

    def _working_days_of(self, year: int) -> list[date]:
        if not FIRST_YEAR <= year <= LAST_YEAR:
            raise NeverOpen(*_out_of_years(year))
        if year not in self._working_dates:
            first, outside = date(year, 1, 1), date(year + 1, 1, 1)
            self._working_dates[year] = [on for on in Period(first, outside).dates() if self.is_working_day(on)]
        return self._working_dates[year]

    def _shift(self, on: date, days: int) -> date:
        """The working day so many after (or, negative, before) a date, which is not counted itself."""
        year = on.year
        dates = self._working_days_of(year)
        index = bisect_right(dates, on) + days - 1 if days > 0 else bisect_left(dates, on) + days
        while not 0 <= index < len(dates):
            if not dates and (year >= self._exceptional.stop if days > 0 else year < self._exceptional.start):
                raise NeverOpen(*_never("after" if days > 0 else "before", datetime.combine(on, time())))
            if days > 0:
                index -= len(dates)
                year += 1
                dates = self._working_days_of(year)
            else:
                year -= 1
                dates = self._working_days_of(year)
                index += len(dates)
        return dates[index]

    def roll(self, on: date, how: Roll) -> date:
        """The date itself if it is a working day, else the one that stands in for it."""
        if self.is_working_day(on):
            return on
        step = 1 if how in ("following", "modified_following") else -1
        rolled = self._shift(on, step)
        if how in ("modified_following", "modified_preceding") and (rolled.year, rolled.month) != (on.year, on.month):
            return self._shift(on, -step)
        return rolled

    def add_working_days(self, on: date, days: int, *, roll: Roll | None = None) -> date:
        """The date so many working days after (or, negative, before) `on`.

        Under `day_zero: notice` the date itself is day 0, worked or not, and no days lead to itself. Under `next_working_day`,
        and whenever a `roll` is named, a date that is not worked is first moved to a working day.
        """
        if roll is None and self.conventions.day_zero == "next_working_day":
            roll = "following" if days >= 0 else "preceding"
        start = on if roll is None else self.roll(on, roll)
        return self._shift(start, days) if days else start

    def working_days_between(self, from_on: date, until_on: date) -> int:
        """How many working days lie in the dates from `from_on` up to, and without, `until_on`."""
        if until_on < from_on:
            if self.conventions.reversed == "negative":
                return -self.working_days_between(until_on, from_on)
            if self.conventions.reversed == "zero":
                return 0
            message = f"the end {until_on} lies before the start {from_on}"
            raise ReversedInterval(message, "Exchange them, or choose the convention zero or negative for reversed intervals.")
        years = range(from_on.year, until_on.year + 1)
        return sum(bisect_left(dates, until_on) - bisect_left(dates, from_on) for dates in map(self._working_days_of, years))

    def nth_working_day(self, period: Period, number: int) -> date | None:
        """The nth working day of a period (8: "by the 8th business day"); negative numbers count from its end; None if it has fewer."""
        days = [on for year in range(period.from_on.year, period.last_on.year + 1) for on in self._working_days_of(year) if on in period]
        index = number - 1 if number > 0 else number
        return days[index] if number and -len(days) <= index < len(days) else None

    def end_of_business(self, on: date) -> datetime:
        """When the last hours that begin on that date close. Raises `CannotCompute` when it is no working day."""
        closes = [closes for _, closes in self._begun_on(on)]
        if not closes:
            message = f"{on} is not a working day of {self.calendar.id}, so its business has no end"
            raise CannotCompute(message)
        return self._instant(max(closes)).replace(tzinfo=UTC)

    def add_days(self, start_at: datetime, days: int, pauses: Iterable[Pause] = ()) -> datetime:
        """The moment so many working days after another: at the end of that day's business, or at the same hour moved into open time.

        Business time spent in pauses before the deadline is added to it. A deadline at the end of business that is so moved into
        a day ends with the business of that day.
        """
        start_at, pauses = _checked(start_at), list(pauses)
        begun_on = self.local_date(start_at)
        on = self.add_working_days(begun_on, days)
        end_of_business = self.conventions.day == "end_of_business"
        if end_of_business:
            due_at = self.end_of_business(on if self.is_working_day(on) else self.roll(on, "following"))
        else:
            due_at = self._same_hour(start_at, begun_on, on, backwards=days < 0)
        paused = self.elapsed(start_at, due_at) - self.elapsed(start_at, due_at, pauses) if pauses and start_at < due_at else NO_TIME
        if not paused:
            return due_at
        moved_at = self.add(due_at, paused, _later(pauses, due_at))
        if not end_of_business:
            return moved_at
        # The moment just before belongs to the day whose business ends there.
        return self.end_of_business(self.local_date(moved_at - timedelta(microseconds=1)))

    def _same_hour(self, start_at: datetime, begun_on: date, on: date, *, backwards: bool) -> datetime:
        hour = start_at.astimezone(self._zone).replace(tzinfo=None, fold=0) - datetime.combine(begun_on, time())
        at = self._instant(datetime.combine(on, time()) + hour).replace(tzinfo=UTC)
        return self.previous_open(at) if backwards else self.next_open(at)

    # -- deadlines

    def deadline(
        self, start_at: datetime, *, days: int | None = None, duration: timedelta | None = None, pauses: Iterable[Pause] = ()
    ) -> Deadline:
        """When a goal that starts at `start_at` is due: so many working days, so much open time, or days with open time on top."""
        if days is None and duration is None:
            raise CannotCompute("a goal is counted in working days, in open time, or in both", "Give days or a duration.")
        pauses = list(pauses)
        due_at = start_at if days is None else self.add_days(start_at, days, pauses)
        if duration is not None:
            due_at = self.add(due_at, duration, pauses if days is None else _later(pauses, due_at))
        return self.as_deadline(start_at, due_at)

    def share_at(self, start_at: datetime, due_at: datetime, share: Fraction, pauses: Iterable[Pause] = ()) -> datetime:
        """The moment by which a share of the open time between start and deadline has passed: 3/4 for a warning at 75 %.

        Of a share that is no whole number of microseconds the rest is dropped.
        """
        pauses = list(pauses)
        whole = self.elapsed(start_at, due_at, pauses) // timedelta(microseconds=1)
        return self.add(start_at, timedelta(microseconds=whole * share.numerator // share.denominator), pauses)

    def as_deadline(self, start_at: datetime, due_at: datetime) -> Deadline:
        """A due moment with what must be kept beside it: calendar, version, local time, and how sure its holidays are."""
        local = due_at.astimezone(self._zone)
        first_on, last_on = sorted((start_at.astimezone(self._zone).date(), local.date()))
        source = self.calendar.holiday_source
        return Deadline(
            due_at=due_at,
            local=local,
            calendar=self.calendar.id,
            calendar_version=self.calendar.version,
            provisional=tuple(on for on in self._provisional if first_on <= on <= last_on),
            beyond_known_holidays=source is not None and not source.from_on <= first_on <= last_on < source.until_on,
        )


def _later(pauses: Iterable[Pause], at: datetime) -> list[Pause]:
    """What of the pauses lies after a moment."""
    return [
        Pause(max(_checked(pause.from_at), at), pause.until_at)
        for pause in pauses
        if pause.until_at is None or _checked(pause.until_at) > at
    ]


def _local(on: date, span: Span) -> _Stretch:
    midnight = datetime.combine(on, time())
    return midnight + span.opens_after, midnight + span.closes_after


def _utc_point(at: datetime) -> _Point:
    return _checked(at).replace(tzinfo=None)


def _checked(at: datetime) -> datetime:
    """The moment in UTC: two moments of one zone would be compared, and added to, by what its clocks show.

    Raises `CannotCompute` for one without an offset, and for one outside the years that are worked out.
    """
    if at.utcoffset() is None:
        message = f"{at.isoformat()} has no offset, so it is no moment"
        raise CannotCompute(message, f"Write for example {at.isoformat()}+01:00, or Z at the end for UTC.")
    if not FIRST_YEAR < at.year < LAST_YEAR:
        raise CannotCompute(*_out_of_years(at.year))
    return at.astimezone(UTC)


def _out_of_years(year: int) -> tuple[str, str]:
    return f"calendars are worked out from {FIRST_YEAR} to {LAST_YEAR}, and {year} is outside", "Check the year."


# --------------------------------------------------------------------------- the questions, one at a time


@functools.lru_cache(maxsize=512)
def clock(calendar: Calendar, conventions: Conventions = DEFAULT_CONVENTIONS) -> Clock:
    """The clock of a calendar; equal calendars under equal conventions share one, with the years it has worked out."""
    return Clock(calendar, conventions)


def elapsed(
    calendar: Calendar,
    start_at: datetime,
    end_at: datetime,
    pauses: Iterable[Pause] = (),
    conventions: Conventions = DEFAULT_CONVENTIONS,
) -> timedelta:
    """See `Clock.elapsed`."""
    return clock(calendar, conventions).elapsed(start_at, end_at, pauses)


def add(
    calendar: Calendar,
    start_at: datetime,
    amount: timedelta,
    pauses: Iterable[Pause] = (),
    conventions: Conventions = DEFAULT_CONVENTIONS,
) -> datetime:
    """See `Clock.add`."""
    return clock(calendar, conventions).add(start_at, amount, pauses)


def windows(calendar: Calendar, from_at: datetime, until_at: datetime, conventions: Conventions = DEFAULT_CONVENTIONS) -> list[Window]:
    """See `Clock.windows`."""
    return clock(calendar, conventions).windows(from_at, until_at)


def common_windows(
    calendars: Sequence[Calendar], from_at: datetime, until_at: datetime, conventions: Conventions = DEFAULT_CONVENTIONS
) -> list[Window]:
    """When all of them are open at once: the hours in which two sites in two zones can meet."""
    common = [Window(_checked(from_at), _checked(until_at))]
    for calendar in calendars:
        common = [
            Window(max(one.opens_at, other.opens_at), min(one.closes_at, other.closes_at))
            for one in common
            for other in _overlapping(windows(calendar, from_at, until_at, conventions), one)
        ]
    return common


def _overlapping(found: list[Window], window: Window) -> Iterator[Window]:
    low = bisect_right([one.closes_at for one in found], window.opens_at)
    return itertools.takewhile(lambda one: one.opens_at < window.closes_at, itertools.islice(found, low, None))


def is_open(calendar: Calendar, at: datetime, conventions: Conventions = DEFAULT_CONVENTIONS) -> bool:
    """See `Clock.is_open`."""
    return clock(calendar, conventions).is_open(at)


def next_open(calendar: Calendar, at: datetime, conventions: Conventions = DEFAULT_CONVENTIONS) -> datetime:
    """See `Clock.next_open`."""
    return clock(calendar, conventions).next_open(at)


def previous_open(calendar: Calendar, at: datetime, conventions: Conventions = DEFAULT_CONVENTIONS) -> datetime:
    """See `Clock.previous_open`."""
    return clock(calendar, conventions).previous_open(at)


def add_working_days(
    calendar: Calendar, on: date, days: int, conventions: Conventions = DEFAULT_CONVENTIONS, *, roll: Roll | None = None
) -> date:
    """See `Clock.add_working_days`."""
    return clock(calendar, conventions).add_working_days(on, days, roll=roll)


def working_days_between(calendar: Calendar, from_on: date, until_on: date, conventions: Conventions = DEFAULT_CONVENTIONS) -> int:
    """See `Clock.working_days_between`."""
    return clock(calendar, conventions).working_days_between(from_on, until_on)


def nth_working_day(calendar: Calendar, period: Period, number: int, conventions: Conventions = DEFAULT_CONVENTIONS) -> date | None:
    """See `Clock.nth_working_day`."""
    return clock(calendar, conventions).nth_working_day(period, number)


def deadline(
    calendar: Calendar,
    start_at: datetime,
    *,
    days: int | None = None,
    duration: timedelta | None = None,
    pauses: Iterable[Pause] = (),
    conventions: Conventions = DEFAULT_CONVENTIONS,
) -> Deadline:
    """See `Clock.deadline`."""
    return clock(calendar, conventions).deadline(start_at, days=days, duration=duration, pauses=pauses)
