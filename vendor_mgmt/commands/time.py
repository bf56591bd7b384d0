"""`vendor-mgmt time`: business time, without a database, a network or a clock.

Everything it answers is worked out in `contracts.business_time`, `contracts.period`, `contracts.public_holidays` and
`vendor_mgmt.jobs.recurrence`; this module reads arguments and words the answers. docs/calendars.md describes the calendar document and
the eight conventions.

`--json` answers one object; `schema` is `time/1`, every number is a string, moments are UTC with a Z.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NoReturn, ParamSpec, TypeVar, cast, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import click
import msgspec

from contracts import business_time, public_holidays, reading
from contracts.business_time import Calendar, Clock, Conventions, Pause, Roll, Span
from contracts.errors import ContractError, Finding, RefusedValue, has_errors, render
from contracts.including import read_contract
from contracts.period import (
    COUNTED_YEARS,
    PartPeriods,
    Period,
    Unit,
    Weekday,
    calendar_anchor,
    is_counted,
    is_part,
    local_midnight,
    period_containing,
    periods,
    resolve_local,
    zone_named,
)
from contracts.recurring_interval import RecurringInterval
from vendor_mgmt.commands.contract_files import beside
from vendor_mgmt.jobs import recurrence

SCHEMA = "time/1"
ONE_DAY = timedelta(days=1)

P = ParamSpec("P")
R = TypeVar("R")


class Unusable(click.ClickException):
    """The input cannot be used; what to do about it stands in the message."""

    exit_code = 2


class Worded(click.Command):
    r"""A command whose docstring is raw: `\b` stands there as two characters, and keeps the lines below it as they are."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.help = (self.help or "").replace("\\b\n", "\b\n")


class TimeCommands(Worded, click.Group):
    """Refusals of the rules become sentences and exit code 2, wherever in a command they arise."""

    command_class = Worded

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ContractError, RefusedValue) as refusal:
            raise Unusable(str(refusal)) from refusal


# --------------------------------------------------------------------------- arguments


def _refuse(message: str) -> NoReturn:
    raise click.BadParameter(message)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        return None


class Moment(click.ParamType[datetime | date]):
    """A date, or a date and time; with an offset it is an instant, without one it is what the calendar's clocks show."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | date:
        if isinstance(value, date):
            return value
        on = _date(value)
        if on is not None:
            return on
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no moment; write for example 2026-03-31T09:30+08:00 or 2026-03-31T01:30Z", param, ctx)


class Day(click.ParamType[date]):
    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        on = _date(value)
        if on is None:
            self.fail(f"{value!r} is no date; write for example 2026-03-31", param, ctx)
        if not is_counted(on):
            self.fail(f"{value!r} lies outside the years {COUNTED_YEARS[0]} to {COUNTED_YEARS[-1]}; write a day in them", param, ctx)
        return on


class Amount(click.ParamType[Decimal]):
    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            amount = Decimal(value)
        except InvalidOperation:
            self.fail(f"{value!r} is no number", param, ctx)
        if not amount.is_finite():
            self.fail(f"{value!r} is no number", param, ctx)
        return amount


_DURATION = re.compile(
    r"(?P<sign>[+-])?P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d{1,6})?)S)?)?"
)


class Duration(click.ParamType[timedelta]):
    """ISO 8601, without the months and years that have no fixed length. A day is 24 hours of open time."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        match = _DURATION.fullmatch(value)
        parts = {name: part for name, part in match.groupdict().items() if part and name != "sign"} if match else {}
        if not match or not parts:
            self.fail(f"{value!r} is no duration; write for example PT4H or PT1H30M15S (for working days, --working-days 2)", param, ctx)
        amount = sum((_time(name, Decimal(part)) for name, part in parts.items()), timedelta())
        return -amount if match["sign"] == "-" else amount


_SECONDS_IN = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400, "weeks": 604800}


def _time(unit: str, amount: Decimal) -> timedelta:
    return timedelta(microseconds=int(amount * _SECONDS_IN[unit] * 1_000_000))


class Interval(click.ParamType[tuple[datetime | date, datetime | date | None]]):
    """`A/B`, or `A/` for what has not ended."""

    name = "from/until"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[datetime | date, datetime | date | None]:
        if isinstance(value, tuple):
            return value
        begins, slash, ends = value.partition("/")
        if not slash:
            self.fail(f"{value!r} is no pause; write start and end with a slash between: 2026-03-31T05:00Z/2026-03-31T08:00Z", param, ctx)
        moment = Moment()
        return moment.convert(begins, param, ctx), moment.convert(ends, param, ctx) if ends else None


class HoursArgument(click.ParamType[Span]):
    name = "HH:MM-HH:MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Span:
        if isinstance(value, Span):
            return value
        opens, _, closes = value.partition("-")
        try:
            return Span(opens, closes)
        except RefusedValue as refusal:
            self.fail(str(refusal), param, ctx)


T = TypeVar("T")


def _document(name: str, type_: type[T], check: Callable[[T], list[Finding]]) -> tuple[T, list[Finding]]:
    """The document in a file, and what is worth a look in it. Ends with every finding and exit code 2 when it cannot be used."""
    try:
        data = Path(name).read_bytes()
    except OSError as error:
        raise Unusable(f"{name} cannot be read: {error.strerror}. docs/calendars.md describes the document.") from error
    found = reading.read(data, type_, name=name)
    findings = [*found.findings, *(found.locate(check(found.document)) if found.document is not None else [])]
    if found.document is None or has_errors(findings):
        raise Unusable(render(findings))
    return found.document, findings


def _calendar(name: str) -> Calendar:
    return _document(name, Calendar, business_time.check)[0]


def _choices(type_: Any) -> list[str]:
    """The words a field's type allows; for an optional one, without the None."""
    if get_origin(type_) is Literal:
        return list(get_args(type_))
    return [word for part in get_args(type_) if get_origin(part) is Literal for word in get_args(part)]


def _with_conventions(function: Callable[P, R]) -> Callable[P, R]:
    """One option for each convention of a contract, named and documented as in `Conventions`."""

    @functools.wraps(function)
    def with_conventions(*args: P.args, **kwargs: P.kwargs) -> R:
        given = {name: kwargs.pop(f"convention_{name}") for name in Conventions.__struct_fields__}
        chosen = {name: value for name, value in given.items() if value is not None}
        contract = cast("Path | None", kwargs.pop("contract"))
        # A reversed interval is a slip of the hand here, unless the contract or the call says what it comes to.
        agreed = _conventions_of(contract) if contract is not None else Conventions(reversed="error")
        kwargs["conventions"] = msgspec.structs.replace(agreed, **chosen)
        return function(*args, **kwargs)

    decorated: Callable[..., R] = with_conventions
    decorated = click.option(
        "--contract", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Count by the conventions of this contract."
    )(decorated)
    types = get_type_hints(Conventions)
    for field in reversed(msgspec.structs.fields(Conventions)):
        default = "error" if field.name == "reversed" else field.default or "as the calendar says"
        decorated = click.option(
            f"--{field.name.replace('_', '-')}",
            f"convention_{field.name}",
            type=click.Choice(_choices(types[field.name])),
            default=None,
            help=f"{_CONVENTION_HELP[field.name]} Default: {default}.",
        )(decorated)
    return decorated


def _conventions_of(file: Path) -> Conventions:
    """The conventions of a contract, whose other parts are of no interest here."""
    contract = read_contract(file.read_bytes(), name=file.name, files=beside(file))
    if contract.document is None:
        raise Unusable(render(contract.findings))
    return contract.document.conventions


_CONVENTION_HELP = {
    "boundary": "Where time that is used up exactly at a close ends.",
    "day_zero": "What day 0 is when counting starts on a day that is not worked.",
    "dst": "Whether nights in which the clocks change count as they pass or as the clocks show.",
    "nonexistent": "A local time that the clocks jump over.",
    "ambiguous": "A local time that happens twice.",
    "reversed": "An interval that ends before it begins.",
    "overnight": "What date the end of a night shift belongs to.",
    "day": "Where a deadline in working days ends.",
}

_json = click.option("--json", "as_json", is_flag=True, help="Answer one JSON object.")
_calendar_argument = click.argument("calendar", metavar="CALENDAR.yaml")
_pauses = click.option(
    "--pause", "pauses", type=Interval(), multiple=True, help="A/B: the clock stands still from A to B; A/: it still does. Repeatable."
)
_also_in = click.option("--also-in", metavar="ZONE", help="Show local times in this zone too.")


def _instant(moment: datetime | date, zone: ZoneInfo, conventions: Conventions) -> datetime:
    """A moment as typed, as an instant; local times and dates are those of the zone."""
    if not isinstance(moment, datetime):
        return local_midnight(moment, zone)
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    at = resolve_local(moment, zone, nonexistent=conventions.nonexistent, ambiguous=conventions.ambiguous)
    if at is None:
        _refuse(f"{moment.isoformat()} does not exist in {zone}: the clocks jump over it. Write an offset, or --nonexistent shift")
    return at


def _paused(pauses: Sequence[tuple[datetime | date, datetime | date | None]], clock: Clock) -> list[Pause]:
    zone, conventions = clock.calendar.zone, clock.conventions
    return [
        Pause(_instant(begins, zone, conventions), None if ends is None else _instant(ends, zone, conventions)) for begins, ends in pauses
    ]


# --------------------------------------------------------------------------- answers


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _number(value: Fraction | Decimal | int) -> str:
    """A number as a plain decimal; hours of a day in Lord Howe end in a half, nothing here has more than six digits."""
    exact = Fraction(value)
    if exact.denominator == 1:
        return str(exact.numerator)
    return f"{Decimal(exact.numerator) / Decimal(exact.denominator):f}"


def _seconds(amount: timedelta) -> str:
    return _number(Fraction(amount // timedelta(microseconds=1), 1_000_000))


def _spoken(amount: timedelta) -> str:
    """Hours, minutes and seconds: 39:30:00. Hours of open time are not cut into days, which would mean nothing."""
    sign, amount = ("-", -amount) if amount < timedelta() else ("", amount)
    minutes, seconds = divmod(amount, timedelta(minutes=1))
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}:{minutes:02}:{seconds.seconds:02}" + (f".{seconds.microseconds:06}" if seconds.microseconds else "")


def _shown(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    return f"{local:%a} {local.isoformat(sep=' ')} {zone.key}"


def _times(at: datetime, name: str, zone: ZoneInfo, also_in: str | None) -> dict[str, str]:
    """A moment in UTC, on the calendar's clocks, and on those of a second zone if one was asked for."""
    times = {f"{name}_at": _utc(at), f"{name}_local": at.astimezone(zone).isoformat()}
    if also_in:
        times[f"{name}_also"] = at.astimezone(zone_named(also_in)).isoformat()
    return times


def _answer(as_json: bool, fields: dict[str, Any], sentences: Sequence[str]) -> None:  # noqa: FBT001
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"schema": SCHEMA, **fields}), indent=2).decode())
    else:
        click.echo("\n".join(sentences))


def _of(calendar: Calendar) -> dict[str, str]:
    return {"calendar": calendar.id, "version": str(calendar.version), "zone": calendar.time_zone}


# --------------------------------------------------------------------------- the commands


@click.group(name="time", cls=TimeCommands)
def command() -> None:
    r"""Business time: what has passed between two moments, when something is due, when a site is open.

    Needs no database and reads no clock. CALENDAR.yaml is a calendar document; see docs/calendars.md.

    \b
    Moments:  2026-03-31T09:30+08:00   an instant
              2026-03-31T01:30Z        an instant
              2026-03-31T09:30         what the calendar's clocks show
              2026-03-31               a date; where a moment is needed, its first instant

    \b
    Exit codes:
      0  answered
      2  the input or the call cannot be used
    """


@command.command("elapsed")
@_calendar_argument
@click.option("--from", "from_", type=Moment(), required=True, help="The start.")
@click.option("--until", type=Moment(), required=True, help="The end.")
@click.option("--goal", type=Duration(), help="How long it may take, such as PT4H: says whether it is met and what is left.")
@_pauses
@_json
@_with_conventions
def elapsed_command(
    calendar: str,
    from_: datetime | date,
    until: datetime | date,
    goal: timedelta | None,
    pauses: Sequence[tuple[datetime | date, datetime | date | None]],
    as_json: bool,  # noqa: FBT001
    conventions: Conventions,
) -> None:
    r"""How much business time lies between two moments.

    \b
    Examples:
      vendor-mgmt time elapsed lisbon.yaml --from 2026-03-27T16:00 --until 2026-03-30T10:00
      vendor-mgmt time elapsed manila.yaml --from 2026-03-31T02:00Z --until 2026-04-01T04:00Z \
          --pause 2026-03-31T05:00Z/2026-03-31T08:00Z --goal PT8H --json

    \b
    Exit codes:
      0  answered
      2  the input or the call cannot be used
    """
    clock = business_time.clock(_calendar(calendar), conventions)
    zone = clock.calendar.zone
    start_at, end_at = _instant(from_, zone, conventions), _instant(until, zone, conventions)
    amount = clock.elapsed(start_at, end_at, _paused(pauses, clock))
    fields: dict[str, Any] = {"seconds": _seconds(amount), "from_at": _utc(start_at), "until_at": _utc(end_at), **_of(clock.calendar)}
    sentences = [f"{_spoken(amount)} of business time ({_seconds(amount)} seconds)"]
    if goal is not None:
        met = amount <= goal
        fields |= {"goal_seconds": _seconds(goal), "remaining_seconds": _seconds(goal - amount), "met": met}
        sentences.append(f"goal {_spoken(goal)}: {'met' if met else 'missed'}, {_spoken(abs(goal - amount))} {'left' if met else 'over'}")
    _answer(as_json, fields, sentences)


@command.command("add")
@_calendar_argument
@click.option("--from", "from_", type=Moment(), required=True, help="The start; a date where only working days are added.")
@click.option("--hours", type=Amount(), default=Decimal(0), help="Open hours; negative counts backwards. Units add up.")
@click.option("--minutes", type=Amount(), default=Decimal(0), help="Open minutes.")
@click.option("--seconds", type=Amount(), default=Decimal(0), help="Open seconds.")
@click.option("--days", type=Amount(), default=Decimal(0), help="Days of 24 open hours each: for calendars that never close.")
@click.option("--duration", type=Duration(), default=timedelta(), help="Open time as an ISO 8601 duration, such as PT4H.")
@click.option("--working-days", type=int, help="Working days; open time, if any, is added on top.")
@click.option("--roll", type=click.Choice(get_args(Roll)), help="Move a start that is not worked to a working day first. Dates only.")
@click.option("--percent", type=Amount(), help="The moment by which this share of the way has passed, for warnings.")
@click.option("--backwards", is_flag=True, help="Without any time to add: the last open moment instead of the next.")
@_pauses
@_also_in
@_json
@_with_conventions
def add_command(
    calendar: str,
    from_: datetime | date,
    hours: Decimal,
    minutes: Decimal,
    seconds: Decimal,
    days: Decimal,
    duration: timedelta,
    working_days: int | None,
    roll: Roll | None,
    percent: Decimal | None,
    backwards: bool,  # noqa: FBT001
    pauses: Sequence[tuple[datetime | date, datetime | date | None]],
    also_in: str | None,
    as_json: bool,  # noqa: FBT001
    conventions: Conventions,
) -> None:
    r"""When something is due: so much business time, or so many working days, after a moment.

    \b
    Examples:
      vendor-mgmt time add cairo.yaml --from 2026-04-22T12:00Z --hours 8
      vendor-mgmt time add manila.yaml --from 2026-03-31T10:00 --working-days 10 --json
      vendor-mgmt time add manila.yaml --from 2026-03-31 --working-days 2
      vendor-mgmt time add lisbon.yaml --from 2026-03-31T10:00 --duration PT16H --percent 75

    \b
    Exit codes:
      0  answered
      2  the input or the call cannot be used
    """
    clock = business_time.clock(_calendar(calendar), conventions)
    zone = clock.calendar.zone
    units = {"days": days, "hours": hours, "minutes": minutes, "seconds": seconds}
    amount = sum((_time(unit, number) for unit, number in units.items()), duration)
    if working_days is not None and not amount and not isinstance(from_, datetime):
        _answer_date(clock, clock.add_working_days(from_, working_days, roll=roll), also_in, as_json=as_json)
        return
    if roll is not None:
        raise click.UsageError("--roll moves dates: give --from as a date, and working days alone")
    start_at = _instant(from_, zone, conventions)
    stopped = _paused(pauses, clock)
    if backwards:
        if amount or working_days:
            raise click.UsageError("--backwards is for no time at all; to count backwards, add a negative amount")
        due_at = clock.previous_open(start_at)
    else:
        amount_or_none = amount if amount or working_days is None else None
        due_at = clock.deadline(start_at, days=working_days, duration=amount_or_none, pauses=stopped).due_at
    if percent is not None:
        due_at = clock.share_at(start_at, due_at, Fraction(percent) / 100, stopped)
    due = clock.as_deadline(start_at, due_at)
    sentences = [_shown(due_at, zone), *([_shown(due_at, zone_named(also_in))] if also_in else []), _utc(due_at)]
    sentences += [f"{on} is a provisional holiday: the deadline may still move" for on in due.provisional]
    if due.beyond_known_holidays:
        sentences.append("part of the time lies outside the dates whose holidays the calendar knows")
    _answer(
        as_json,
        {
            "at": _utc(due_at),
            "local": due.local.isoformat(),
            **({"also": due_at.astimezone(zone_named(also_in)).isoformat()} if also_in else {}),
            "date": due.local.date().isoformat(),
            "from_at": _utc(start_at),
            "provisional": [on.isoformat() for on in due.provisional],
            "beyond_known_holidays": due.beyond_known_holidays,
            **_of(clock.calendar),
        },
        sentences,
    )


def _answer_date(clock: Clock, on: date, also_in: str | None, *, as_json: bool) -> None:
    closes_at = clock.end_of_business(on) if clock.is_working_day(on) else None
    zone = clock.calendar.zone
    _answer(
        as_json,
        {"date": on.isoformat(), **(_times(closes_at, "closes", zone, also_in) if closes_at else {}), **_of(clock.calendar)},
        [f"{on:%a} {on}" + (f", business ends {_shown(closes_at, zone)}" if closes_at else ", not a working day")],
    )


@command.command("windows")
@click.argument("calendars", metavar="CALENDAR.yaml", nargs=-1, required=True)
@click.option("--from", "from_", type=Moment(), required=True, help="The start.")
@click.option("--until", type=Moment(), required=True, help="The end, itself not included.")
@_also_in
@_json
@_with_conventions
def windows_command(
    calendars: Sequence[str],
    from_: datetime | date,
    until: datetime | date,
    also_in: str | None,
    as_json: bool,  # noqa: FBT001
    conventions: Conventions,
) -> None:
    r"""When a site is open; with several calendars, when all of them are.

    Local times, and dates given to --from and --until, are those of the first calendar.

    \b
    Examples:
      vendor-mgmt time windows cairo.yaml --from 2026-04-20 --until 2026-04-27
      vendor-mgmt time windows lisbon.yaml manila.yaml --from 2026-03-23 --until 2026-03-30 --also-in Asia/Manila

    \b
    Exit codes:
      0  answered
      2  the input or the call cannot be used
    """
    read = [_calendar(calendar) for calendar in calendars]
    zone = read[0].zone
    start_at, end_at = _instant(from_, zone, conventions), _instant(until, zone, conventions)
    if end_at < start_at:
        raise click.UsageError("--until lies before --from")
    found = business_time.common_windows(read, start_at, end_at, conventions)
    total = sum((window.duration for window in found), timedelta())
    _answer(
        as_json,
        {
            "windows": [
                {
                    **_times(window.opens_at, "opens", zone, also_in),
                    **_times(window.closes_at, "closes", zone, also_in),
                    "seconds": _seconds(window.duration),
                }
                for window in found
            ],
            "seconds": _seconds(total),
            "calendars": [_of(calendar) for calendar in read],
        },
        [f"{_shown(window.opens_at, zone)}  until  {_shown(window.closes_at, zone)}  {_spoken(window.duration)}" for window in found]
        + [f"{len(found)} windows, {_spoken(total)} in all"],
    )


@command.command("open")
@_calendar_argument
@click.option("--at", type=Moment(), required=True, help="The moment; a date asks whether it is a working day.")
@_json
@_with_conventions
def open_command(calendar: str, at: datetime | date, as_json: bool, conventions: Conventions) -> None:  # noqa: FBT001
    r"""Whether a site is open at a moment, or works on a date.

    \b
    Examples:
      vendor-mgmt time open manila.yaml --at 2026-01-10T05:59
      vendor-mgmt time open manila.yaml --at 2026-04-02

    \b
    Exit codes:
      0  answered
      2  the input or the call cannot be used
    """
    clock = business_time.clock(_calendar(calendar), conventions)
    zone = clock.calendar.zone
    if not isinstance(at, datetime):
        working = clock.is_working_day(at)
        _answer(
            as_json,
            {"working": working, "date": at.isoformat(), **_of(clock.calendar)},
            [f"{at:%a} {at} is {'a' if working else 'not a'} working day"],
        )
        return
    moment = _instant(at, zone, conventions)
    is_open = clock.is_open(moment)
    changes_at = clock.windows(moment, moment + 400 * ONE_DAY)[0].closes_at if is_open else clock.next_open(moment)
    _answer(
        as_json,
        {"open": is_open, "at": _utc(moment), **_times(changes_at, "closes" if is_open else "opens", zone, None), **_of(clock.calendar)},
        [f"{'open' if is_open else 'closed'}; {'closes' if is_open else 'opens'} {_shown(changes_at, zone)}"],
    )


@command.command("within")
@click.argument("interval", metavar="INTERVAL.yaml")
@click.option("--at", type=Moment(), required=True, help="The moment.")
@_json
def within_command(interval: str, at: datetime | date, as_json: bool) -> None:  # noqa: FBT001
    r"""Whether a moment lies in a span that returns, such as a maintenance window or quiet hours.

    INTERVAL.yaml names any of times, weekdays, days_of_month, months and years, and a time_zone; docs/calendars.md describes them.

    \b
    Example:
      vendor-mgmt time within maintenance.yaml --at 2026-03-31T23:30Z

    \b
    Exit codes:
      0  answered
      2  the input or the call cannot be used
    """
    document, _ = _document(interval, RecurringInterval, lambda _: [])
    moment = _instant(at, zone_named(document.time_zone), Conventions())
    within = document.contains(moment)
    _answer(as_json, {"within": within, "at": _utc(moment), "zone": document.time_zone}, ["inside" if within else "outside"])


@command.command("days")
@_calendar_argument
@click.option("--from", "from_on", type=Day(), required=True, help="The first date.")
@click.option("--until", "until_on", type=Day(), help="The first date outside.")
@click.option("--through", "through_on", type=Day(), help="Instead of --until: the last date inside.")
@click.option("--nth", type=int, help="The nth working day of those dates; -1 is the last.")
@_json
@_with_conventions
def days_command(
    calendar: str,
    from_on: date,
    until_on: date | None,
    through_on: date | None,
    nth: int | None,
    as_json: bool,  # noqa: FBT001
    conventions: Conventions,
) -> None:
    r"""How many working days lie between two dates, or which of them is the nth.

    \b
    Examples:
      vendor-mgmt time days cairo.yaml --from 2026-04-19 --until 2026-05-01
      vendor-mgmt time days lisbon.yaml --from 2026-04-01 --through 2026-04-30 --nth 8

    \b
    Exit codes:
      0  answered
      2  the input or the call cannot be used
    """
    clock = business_time.clock(_calendar(calendar), conventions)
    if (until_on is None) == (through_on is None):
        raise click.UsageError("give the end as --until (the first date outside) or as --through (the last date inside)")
    outside = until_on if until_on is not None else (through_on or from_on) + ONE_DAY
    if nth is not None:
        on = clock.nth_working_day(Period(from_on, outside), nth)
        shown = None if on is None else on.isoformat()
        _answer(as_json, {"date": shown, **_of(clock.calendar)}, [f"{on:%a} {on}" if on else f"there is no working day number {nth}"])
        return
    count = clock.working_days_between(from_on, outside)
    _answer(as_json, {"count": str(count), **_of(clock.calendar)}, [f"{count} working days"])


@command.command("local")
@click.argument("local", type=Moment())
@click.option("--zone", required=True, help="An IANA name, such as Europe/Lisbon.")
@click.option("--nonexistent", type=click.Choice(["shift", "skip", "first_after"]), default="shift", help="A time the clocks jump over.")
@click.option("--ambiguous", type=click.Choice(["first", "second"]), default="first", help="A time that happens twice.")
@_json
def local_command(
    local: datetime | date,
    zone: str,
    nonexistent: Literal["shift", "skip", "first_after"],
    ambiguous: Literal["first", "second"],
    as_json: bool,  # noqa: FBT001
) -> None:
    r"""Which instant a local time is, also where the clocks skip or repeat it.

    \b
    Example:
      vendor-mgmt time local 2026-03-08T02:30 --zone America/New_York

    \b
    Exit codes:
      0  answered
      2  the input or the call cannot be used
    """
    if not isinstance(local, datetime) or local.tzinfo is not None:
        raise click.UsageError("give a local time without an offset, such as 2026-03-08T02:30")
    at = resolve_local(local, zone_named(zone), nonexistent=nonexistent, ambiguous=ambiguous)
    shown = at.astimezone(zone_named(zone)).isoformat() if at else None
    _answer(as_json, {"at": _utc(at) if at else None, "local": shown, "zone": zone}, [f"{_utc(at)}, {shown}" if at else "does not exist"])


@command.command("periods")
@click.option("--each", "unit", type=click.Choice(get_args(Unit)), default="month", show_default=True, help="How long one period is.")
@click.option("--zone", default="UTC", show_default=True, help="Whose dates they are.")
@click.option("--from", "from_on", type=Day(), required=True, help="The first date.")
@click.option("--until", "until_on", type=Day(), help="The first date outside; without it, the one period that holds the first date.")
@click.option("--anchor", type=Day(), help="A date on which a period begins, such as the contract's first day.")
@click.option("--anchor-day", type=click.IntRange(1, 31), default=1, help="The day of the month on which months, quarters and years begin.")
@click.option("--week-starts", type=click.Choice(get_args(Weekday)), default="mon", help="The weekday on which weeks begin.")
@click.option("--parts", type=click.Choice(get_args(PartPeriods)), default="keep", show_default=True, help="What becomes of part periods.")
@_json
def periods_command(
    unit: Unit,
    zone: str,
    from_on: date,
    until_on: date | None,
    anchor: date | None,
    anchor_day: int,
    week_starts: Weekday,
    parts: PartPeriods,
    as_json: bool,  # noqa: FBT001
) -> None:
    r"""The periods between two dates, with the instants at which they begin and end.

    \b
    Examples:
      vendor-mgmt time periods --each month --zone Europe/Madrid --from 2016-01-16 --until 2017-01-16 --anchor-day 16
      vendor-mgmt time periods --each day --zone Africa/Cairo --from 2026-04-24
      vendor-mgmt time periods --each year --from 2026-03-01 --until 2028-03-01 --anchor 2026-03-01

    \b
    Exit codes:
      0  answered
      2  the input or the call cannot be used
    """
    if until_on is not None and until_on <= from_on:
        message = f"--until {until_on} is not after --from {from_on}, so no period lies between them. Give a later day in --until."
        raise Unusable(message)
    clocks = zone_named(zone)
    begins_on = anchor or calendar_anchor(unit, week_starts=week_starts, anchor_day=anchor_day)
    if until_on is None:
        found: tuple[Period, ...] = (period_containing(unit, begins_on, from_on),)
    else:
        found = periods(unit, begins_on, from_on, until_on, parts=parts)
    rows = []
    for period in found:
        from_at, until_at = period.instants(clocks)
        rows.append(
            {
                "from": period.from_on.isoformat(),
                "until": period.until_on.isoformat(),
                "from_at": _utc(from_at),
                "until_at": _utc(until_at),
                "days": str(period.days),
                "hours": _number(period.hours(clocks)),
                "part": is_part(unit, begins_on, period),
            }
        )
    sentences = [f"{row['from']} until {row['until']}  {row['from_at']} until {row['until_at']}  {row['hours']} h" for row in rows]
    _answer(as_json, {"periods": rows, "zone": zone}, sentences)


@command.command("due")
@click.option("--rule", required=True, help="An RFC 5545 rule, such as FREQ=WEEKLY;BYDAY=TU.")
@click.option("--zone", required=True, help="Whose clocks it goes by.")
@click.option("--starts", type=Moment(), required=True, help="The local moment from which it counts, such as 2026-01-01T06:00.")
@click.option("--after", type=Moment(), help="Only what is due after this moment; without it, from the start on.")
@click.option("--until", type=Moment(), help="Only what is due up to this moment, which is included.")
@click.option("--count", type=click.IntRange(1, 1000), default=5, show_default=True, help="At most so many.")
@_json
def due_command(
    rule: str,
    zone: str,
    starts: datetime | date,
    after: datetime | date | None,
    until: datetime | date | None,
    count: int,
    as_json: bool,  # noqa: FBT001
) -> None:
    r"""When something that recurs is due next, in local time and UTC.

    \b
    Example:
      vendor-mgmt time due --rule "FREQ=MONTHLY;BYMONTHDAY=-1" --zone Asia/Manila --starts 2026-01-01T18:00

    \b
    Exit codes:
      0  answered
      2  the input or the call cannot be used
    """
    local = starts if isinstance(starts, datetime) else datetime.fromisoformat(f"{starts}T00:00")
    schedule = recurrence.Recurrence(rrule=rule, zone=zone, starts=local)
    findings = recurrence.check(schedule)
    if has_errors(findings):
        raise Unusable(render(findings))
    clocks = zone_named(zone)
    conventions = Conventions()
    # What is due at the very start belongs to it, and `after` does not include its own moment.
    after_at = _instant(local, clocks, conventions) - timedelta(microseconds=1) if after is None else _instant(after, clocks, conventions)
    found = recurrence.next_due(schedule, after_at, count)
    if until is not None:
        until_at = _instant(until, clocks, conventions)
        found = [at for at in found if at <= until_at]
    _answer(
        as_json,
        {
            "due": [{"at": _utc(at), "local": at.astimezone(clocks).isoformat()} for at in found],
            "zone": zone,
            "warnings": [str(finding) for finding in findings],
        },
        [f"{_utc(at)}  {_shown(at, clocks)}" for at in found] + [str(finding) for finding in findings],
    )


@command.command("check")
@_calendar_argument
def check_command(calendar: str) -> None:
    r"""Whether a calendar document can be used, and what a person should look at in it.

    \b
    Example:
      vendor-mgmt time check manila.yaml

    \b
    Exit codes:
      0  answered
      2  the input or the call cannot be used
    """
    document, findings = _document(calendar, Calendar, business_time.check)
    click.echo(render(findings) if findings else f"{document.id} version {document.version}: nothing to remark")


@command.command("freeze")
@click.argument("calendar", metavar="[CALENDAR.yaml]", required=False)
@click.option("--country", required=True, help="Two letters, such as PH.")
@click.option("--subdivision", default="", help="A state or region, such as SCT or KA.")
@click.option("--from", "from_on", type=Day(), required=True, help="The first date to freeze.")
@click.option("--until", "until_on", type=Day(), required=True, help="The first date outside.")
@click.option("--id", "id_", help="Without CALENDAR.yaml: the name of the new calendar.")
@click.option("--zone", help="Without CALENDAR.yaml: the time zone of the new calendar.")
@click.option("--hours", type=HoursArgument(), multiple=True, help="Without CALENDAR.yaml: hours of a working day. Default 09:00-17:00.")
def freeze_command(
    calendar: str | None,
    country: str,
    subdivision: str,
    from_on: date,
    until_on: date,
    id_: str | None,
    zone: str | None,
    hours: Sequence[Span],
) -> None:
    r"""Write a calendar document with a country's public holidays as plain dates.

    With CALENDAR.yaml the next version of that calendar is written, with its holidays replaced; without it a new calendar, with the
    country's working week. The document goes to standard output.

    \b
    Examples:
      vendor-mgmt time freeze --country EG --from 2026-01-01 --until 2028-01-01 --id cairo-office --zone Africa/Cairo > cairo.yaml
      vendor-mgmt time freeze manila.yaml --country PH --from 2026-01-01 --until 2029-01-01 > manila-v2.yaml

    \b
    Exit codes:
      0  answered
      2  the input or the call cannot be used
    """
    period = Period(from_on, until_on) if from_on < until_on else None
    if period is None:
        raise click.UsageError("--until is the first date outside, so it lies after --from")
    if calendar is not None:
        if id_ or zone or hours:
            raise click.UsageError("--id, --zone and --hours belong to a new calendar; the one named has its own")
        frozen = public_holidays.freeze(_calendar(calendar), country, subdivision=subdivision, period=period)
    elif zone is None:
        raise click.UsageError("a new calendar needs --zone, such as --zone Africa/Cairo")
    else:
        frozen = public_holidays.country_calendar(
            id_ or "-".join(part.lower() for part in (country, subdivision) if part),
            zone,
            country,
            subdivision=subdivision,
            period=period,
            hours=tuple(hours) or public_holidays.OFFICE_HOURS,
        )
    click.echo(reading.write(frozen), nl=False)
