"""When something that recurs is due: an RFC 5545 rule, the zone it is meant in, and the local moment it starts from.

The rule is worked out on the wall clock and each local time then becomes an instant, by three conventions that cron engines
do not share (docs/calendars.md compares them):

* a local time the clocks jump over is moved forward by the length of the gap (RFC 5545 3.3.5), so that no date is left out;
* a local time that happens twice is due the first time only;
* so a daily rule is due once on every local date, whatever the clocks do.

Each due instant closes the window that the one before opened. Windows leave no gap and do not overlap, so what a missed tick
did not pull, the next one does. This module reads no clock and touches no table: what makes a firing happen once is the
unique row of the dispatcher.

A rule is held to be dead when it is not due within eight years of its start, which is as far apart as leap days can lie.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from dateutil.rrule import rrule, rrulestr

from contracts.errors import DocumentRefused, Finding, has_errors
from contracts.period import UnknownTimeZone, add_months, local_instant, local_midnight, zone_named

ONE_DAY: Final = timedelta(days=1)
EIGHT_YEARS: Final = timedelta(days=8 * 366)
"""Long enough for a 29 February, also across a century that has none."""

FORTY_YEARS: Final = 5 * EIGHT_YEARS
"""How far ahead the next due instant is looked for where that is cheap: a leap day of every third year lies twelve years apart."""

YEARS: Final = range(1970, 2150)

CatchUp = Literal["latest", "all", "none"]
"""What becomes of due instants that were missed: only the latest, with one window over all of them (scorecards); each with its
own window (pulls); nothing (reminders)."""

_UNITS: Final = {
    "YEARLY": 365 * ONE_DAY,
    "MONTHLY": 28 * ONE_DAY,
    "WEEKLY": 7 * ONE_DAY,
    "DAILY": ONE_DAY,
    "HOURLY": timedelta(hours=1),
    "MINUTELY": timedelta(minutes=1),
}
"""How long each frequency's unit lasts, at the least."""

_BELOW_A_WEEK: Final = ("DAILY", "HOURLY", "MINUTELY")


class Recurrence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule such as `FREQ=WEEKLY;BYDAY=TU`, in a zone, from a local moment on. The start itself is due only if the rule says so.

    Look at `check` before trusting one: the functions below raise `DocumentRefused` for a rule with errors.
    """

    rrule: str
    zone: str
    starts: datetime
    """On the clocks of the zone, without an offset; its time of day is the rule's unless the rule names hours."""


class Run(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One firing: due at an instant, for everything since the window's start (UTC, half-open)."""

    due_at: datetime
    window_from_at: datetime
    window_until_at: datetime


# --------------------------------------------------------------------------- reading a rule


class _Part(msgspec.Struct, frozen=True):
    allowed: Callable[[str], bool]
    repair: str


def _numbers(low: int, high: int, *, from_end: bool = False) -> Callable[[str], bool]:
    def allowed(text: str) -> bool:
        values = text.split(",")
        if not all(re.fullmatch(r"[+-]?\d{1,4}", value) for value in values):
            return False
        return all(low <= int(value) <= high or (from_end and -high <= int(value) <= -low) for value in values)

    return allowed


def _matching(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(pattern, text) is not None


_DAY = r"(?:[+-]?[1-9]\d?)?(?:MO|TU|WE|TH|FR|SA|SU)"

_PARTS: Final[dict[str, _Part]] = {
    "FREQ": _Part(
        lambda text: text in _UNITS,
        "Write YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY or MINUTELY.",
    ),
    "INTERVAL": _Part(_matching(r"0*[1-9]\d{0,3}"), "Write a whole number from 1 to 9999."),
    "COUNT": _Part(_matching(r"0*[1-9]\d{0,3}"), "Write a whole number from 1 to 9999."),
    "UNTIL": _Part(lambda text: _until(text) is not None, "Write a date or moment such as 20261231 or 20261231T220000Z."),
    "BYMONTH": _Part(_numbers(1, 12), "Write months from 1 to 12."),
    "BYMONTHDAY": _Part(_numbers(1, 31, from_end=True), "Write days from 1 to 31, or from -1 for the last day of the month."),
    "BYYEARDAY": _Part(_numbers(1, 366, from_end=True), "Write days from 1 to 366, or from -1 for the last day of the year."),
    "BYWEEKNO": _Part(_numbers(1, 53, from_end=True), "Write weeks from 1 to 53."),
    "BYDAY": _Part(_matching(rf"{_DAY}(?:,{_DAY})*"), "Write weekdays by name: MO,TU,WE,TH,FR,SA,SU; 2TU is the second, -1FR the last."),
    "BYHOUR": _Part(_numbers(0, 23), "Write hours from 0 to 23."),
    "BYMINUTE": _Part(_numbers(0, 59), "Write minutes from 0 to 59."),
    "BYSECOND": _Part(_numbers(0, 0), "Leave it out: nothing is due more often than once a minute, or between two minutes."),
    "BYSETPOS": _Part(_numbers(1, 366, from_end=True), "Write positions from 1, or from -1 for the last."),
    "WKST": _Part(_matching(r"MO|TU|WE|TH|FR|SA|SU"), "Write a weekday by name, such as MO."),
}


def _parts(text: str) -> dict[str, str]:
    """The parts of a rule by name; raises ValueError where the text is no list of parts."""
    parts: dict[str, str] = {}
    for part in text.removeprefix("RRULE:").upper().split(";"):
        name, equals, value = part.partition("=")
        if not (name and equals and value):
            raise ValueError(f"{part!r} is no part of a rule")
        if name in parts:
            raise ValueError(f"{name} is given twice")
        parts[name] = value
    return parts


def _until(text: str) -> datetime | None:
    """The last moment a rule names: aware if it ends in Z, else local; a date alone means all of it."""
    if re.fullmatch(r"\d{8}", text):
        text += "T235959"
    if not re.fullmatch(r"\d{8}T\d{6}Z?", text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def check(recurrence: Recurrence) -> list[Finding]:
    """Everything that is wrong with a rule, or that a person would not expect of it."""
    findings = []
    zone = None
    try:
        zone = zone_named(recurrence.zone)
    except UnknownTimeZone as unknown:
        findings.append(Finding("error", "$.zone", unknown.message, unknown.repair))
    starts = recurrence.starts
    if starts.tzinfo is not None:
        findings.append(Finding("error", "$.starts", f"{starts.isoformat()} has an offset", "Write the local time, without one."))
    elif starts.year not in YEARS:
        findings.append(Finding("error", "$.starts", f"{starts.year} is not a year of this service", "Check the year."))
    elif starts.second or starts.microsecond:
        findings.append(Finding("error", "$.starts", f"{starts.isoformat()} is not on a whole minute", "Leave the seconds out."))
    try:
        parts = _parts(recurrence.rrule)
    except ValueError as error:
        return [*findings, Finding("error", "$.rrule", str(error), "Write a rule such as FREQ=WEEKLY;BYDAY=MO.")]
    findings += _findings_of(parts)
    if has_errors(findings) or zone is None:
        return findings
    if _is_dead(recurrence, parts):
        message = f"the rule is never due within eight years from {starts.isoformat(sep=' ', timespec='minutes')}"
        findings.append(Finding("error", "$.rrule", message, "Check its days, months and interval against its start."))
    return findings


def _findings_of(parts: dict[str, str]) -> Iterator[Finding]:
    for name, value in parts.items():
        if name not in _PARTS:
            yield Finding("error", "$.rrule", f"{name} is no part of an RFC 5545 rule", f"Known: {', '.join(_PARTS)}.")
        elif name == "FREQ" and value == "SECONDLY":
            yield Finding("error", "$.rrule", "FREQ=SECONDLY is due more often than once a minute", "The shortest is MINUTELY.")
        elif not _PARTS[name].allowed(value):
            yield Finding("error", "$.rrule", f"{name}={value} cannot be read", _PARTS[name].repair)
    if "FREQ" not in parts:
        yield Finding("error", "$.rrule", "FREQ is missing", _PARTS["FREQ"].repair)
    if parts.get("FREQ") in _UNITS and _PARTS["INTERVAL"].allowed(parts.get("INTERVAL", "1")):
        step = int(parts.get("INTERVAL", "1"))
        if step * _UNITS[parts["FREQ"]] > EIGHT_YEARS:
            yield Finding("error", "$.rrule", f"INTERVAL={step} is longer than eight years", "Write a shorter one.")
    if "COUNT" in parts and "UNTIL" in parts:
        yield Finding("error", "$.rrule", "COUNT and UNTIL are both given", "Keep one of them.")
    if re.search(r"\d", parts.get("BYDAY", "")) and parts.get("FREQ") not in ("MONTHLY", "YEARLY"):
        counted = f"BYDAY={parts['BYDAY']} counts weekdays within a month"
        yield Finding("error", "$.rrule", counted, "Use FREQ=MONTHLY, or leave the number out.")
    if "BYSETPOS" in parts and not any(name.startswith("BY") and name != "BYSETPOS" for name in parts):
        yield Finding("error", "$.rrule", "BYSETPOS chooses among days, and no other BY part names any", "Add one, such as BYDAY=MO,TU.")
    short = [day for day in ("29", "30", "31") if day in parts.get("BYMONTHDAY", "").split(",")]
    if short and "BYMONTH" not in parts and "BYSETPOS" not in parts:
        yield Finding(
            "warning",
            "$.rrule",
            f"months without a day {' or '.join(short)} are left out",
            "Write BYMONTHDAY=-1 for the last day of every month.",
        )


def _is_dead(recurrence: Recurrence, parts: dict[str, str]) -> bool:
    # Most rules that are never due name a day that no year has. Asked by the year that is found at once; by the day, the hour or the
    # minute the same search takes seconds, so it comes second, for intervals that step over every day they want.
    dated: dict[str, str] = {name: parts[name] for name in ("BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYDAY") if name in parts}
    if parts["FREQ"] in _BELOW_A_WEEK and dated:
        if dated.keys() == {"BYMONTH"}:
            dated["BYDAY"] = "MO,TU,WE,TH,FR,SA,SU"
        if not any(_bounded(dict(FREQ="YEARLY", **dated), recurrence.starts, EIGHT_YEARS)):
            return True
    endless = {name: value for name, value in parts.items() if name not in ("COUNT", "UNTIL")}
    try:
        return not any(_bounded(endless, recurrence.starts, EIGHT_YEARS))
    except ValueError:
        # dateutil sees by itself that an interval steps over every hour or minute that is wanted.
        return True


def _sound(recurrence: Recurrence) -> dict[str, str]:
    """The parts of a rule without errors. Raises `DocumentRefused` with all that is wrong."""
    findings = _checked(recurrence)
    if has_errors(findings):
        raise DocumentRefused(findings, name=recurrence.rrule)
    return _parts(recurrence.rrule)


@functools.lru_cache(maxsize=1024)
def _checked(recurrence: Recurrence) -> tuple[Finding, ...]:
    return tuple(check(recurrence))


# --------------------------------------------------------------------------- working it out


def _rule(parts: dict[str, str], starts: datetime) -> rrule:
    """The rule as dateutil has it."""
    rule = rrulestr(";".join(f"{name}={value}" for name, value in parts.items()), dtstart=starts)
    assert isinstance(rule, rrule)
    return rule


def _bounded(parts: dict[str, str], starts: datetime, horizon: timedelta) -> rrule:
    """The rule with an end, for without one dateutil searches on to the year 9999."""
    return _rule(parts, starts).replace(until=starts + horizon)


def _local_times(recurrence: Recurrence, parts: dict[str, str], since: datetime) -> Iterator[datetime]:
    """The local times of the rule from `since` on, in order; UNTIL is left to the caller."""
    kept = {name: value for name, value in parts.items() if name != "UNTIL"}
    if "COUNT" in kept:
        # A count is of all occurrences from the start, so it cannot begin anywhere else; but it ends by itself.
        rule = _rule(kept, recurrence.starts)
    else:
        starts, kept = _nearer(recurrence.starts, kept, since)
        rule = _bounded(kept, starts, FORTY_YEARS if kept["FREQ"] in ("YEARLY", "MONTHLY") else EIGHT_YEARS)
    return (local for local in rule if local >= since)


def _nearer(starts: datetime, parts: dict[str, str], since: datetime) -> tuple[datetime, dict[str, str]]:
    """The same rule from a later start, so that a schedule that has run for years is not counted out from its first day each time.

    The start moves by whole intervals, to the one before the last that begins before `since`: sets of an interval
    (BYSETPOS, several weekdays) are then complete from `since` on. What the rule takes from its start is written into it first.
    """
    step = int(parts.get("INTERVAL", "1"))
    frequency = parts["FREQ"]
    names_days = any(name in parts for name in ("BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY"))
    parts = dict(parts)
    if frequency in ("MONTHLY", "YEARLY") and not names_days:
        parts["BYMONTHDAY"] = str(starts.day)
        if frequency == "YEARLY":
            parts.setdefault("BYMONTH", str(starts.month))
    if frequency in ("MONTHLY", "YEARLY"):
        months = step * (12 if frequency == "YEARLY" else 1)
        passed = (since.year - starts.year) * 12 + since.month - starts.month
        intervals = passed // months - 1
        if intervals <= 0:
            return starts, parts
        first = starts.date().replace(day=1, month=starts.month if frequency == "MONTHLY" else 1)
        return datetime.combine(add_months(first, intervals * months), starts.time()), parts
    unit = _UNITS[frequency]
    intervals = (since - starts) // (step * unit) - 1
    return (starts + intervals * step * unit if intervals > 0 else starts), parts


def _due(recurrence: Recurrence, after_at: datetime) -> Iterator[datetime]:
    """Every due instant after a moment, in order, each once."""
    parts = _sound(recurrence)
    zone = zone_named(recurrence.zone)
    last_at = _last_moment(parts, zone)
    # A gap moves a local time by a day at the most (Samoa left one out), so two days before are early enough.
    since = _wall(after_at, zone) - 2 * ONE_DAY
    in_order = _without_repeats(_in_order(_local_times(recurrence, parts, since), zone))
    within = itertools.takewhile(lambda due_at: last_at is None or due_at <= last_at, in_order)
    return (due_at for due_at in within if due_at > after_at)


def _last_moment(parts: dict[str, str], zone: ZoneInfo) -> datetime | None:
    last = _until(parts["UNTIL"]) if "UNTIL" in parts else None
    if last is None or last.tzinfo is not None:
        return last
    if "T" not in parts["UNTIL"]:
        return local_midnight(last.date() + ONE_DAY, zone) - timedelta(microseconds=1)
    return local_instant(last, zone)


def _in_order(local_times: Iterator[datetime], zone: ZoneInfo) -> Iterator[datetime]:
    """The instants of local times. One that was moved out of a gap may come after the local times that follow it."""
    waiting: list[datetime] = []
    for local in local_times:
        while waiting and _wall(waiting[0], zone) <= local:
            yield heapq.heappop(waiting)
        heapq.heappush(waiting, local_instant(local, zone))
    while waiting:
        yield heapq.heappop(waiting)


def _without_repeats(instants: Iterator[datetime]) -> Iterator[datetime]:
    return (at for at, _ in itertools.groupby(instants))


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def next_due(recurrence: Recurrence, after_at: datetime, n: int = 1) -> list[datetime]:
    """The next n due instants (UTC) after a moment, fewer if the rule ends. Raises `DocumentRefused` for a rule with errors."""
    return list(itertools.islice(_due(recurrence, after_at), n))


def due_between(recurrence: Recurrence, after_at: datetime, until_at: datetime) -> list[datetime]:
    """The due instants after one moment up to another, which is included: a tick at a due instant finds it due."""
    return list(itertools.takewhile(lambda due_at: due_at <= until_at, _due(recurrence, after_at)))


def due_on(recurrence: Recurrence, on: date) -> list[datetime]:
    """The due instants of one local date."""
    zone = zone_named(recurrence.zone)
    first, outside = local_midnight(on, zone), local_midnight(on + ONE_DAY, zone)
    just_before = timedelta(microseconds=1)
    return due_between(recurrence, first - just_before, outside - just_before)


def runs(
    recurrence: Recurrence,
    watermark_at: datetime,
    now_at: datetime,
    catch_up: CatchUp,
    *,
    grace: timedelta = timedelta(minutes=5),
) -> list[Run]:
    """What is to be run now, when everything before the watermark has been: in order, with windows that touch.

    `latest` and `all` cover the time from the watermark to the last due instant without gap or overlap, so a run that was
    skipped, or a service that was down, loses nothing: keep the watermark, and the next run covers both. `none` lets go of what
    is more than `grace` late; its one run still says since when nothing was run.
    """
    missed = due_between(recurrence, watermark_at, now_at)
    if catch_up == "none":
        missed = [due_at for due_at in missed if now_at - due_at <= grace]
    if not missed:
        return []
    if catch_up != "all":
        missed = missed[-1:]
    edges = [watermark_at.astimezone(UTC), *missed]
    return [Run(due_at=until_at, window_from_at=from_at, window_until_at=until_at) for from_at, until_at in itertools.pairwise(edges)]


def daily(at: time, zone: str, starts_on: date) -> Recurrence:
    """Every local date at one time of day."""
    return Recurrence(rrule="FREQ=DAILY", zone=zone, starts=datetime.combine(starts_on, at))
