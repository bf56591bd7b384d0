"""Single events as measures: tickets, outages, deliveries, counted into days and kept for percentiles and damages by event.

An event belongs to the day, in the contract's zone (or the site's, where its KPIs say so), on which it began (or
ended, if the measure says so).  Where a file of events was delivered, nothing happening is a zero, which is another
thing than nothing being delivered.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from zoneinfo import ZoneInfo

from contracts import business_time
from contracts.business_time import DEFAULT_CONVENTIONS, Calendar, Conventions, Pause
from contracts.document import Contract, EventFilter, FromEvents
from contracts.errors import CannotCompute
from contracts.period import Period, local_midnight
from scorecards.measurement import Case, Exact, Row, Scope, Series
from scorecards.measuring import zones_of

_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}


@dataclass(frozen=True, slots=True)
class Event:
    """One event as delivered; moments are aware.  ``ended_at`` is ``None`` while it goes on."""

    event_id: str
    site: str
    kind: str
    started_at: datetime
    ended_at: datetime | None = None
    value: Decimal | None = None
    dimensions: Scope = ()


@dataclass(frozen=True, slots=True)
class Counted:
    """What a file of events came to: rows by day, and every single case of each series."""

    rows: list[Row]
    cases: dict[Series, list[Case]]
    unfinished: list[str]
    """Events without an end whose duration was asked for; they are left out."""
    unused: list[str] = field(default_factory=list)
    """Pauses that stop no event's clock: no event of their number is at their site."""


def count(
    contract: Contract,
    events: Sequence[Event],
    periods: Sequence[Period],
    sites: Iterable[str],
    calendars: Mapping[str, Calendar],
) -> Counted:
    """Counts events into the measures that are made from them.

    ``sites`` are those that deliver anything, so that one without events has zeros.  Raises :class:`CannotCompute`
    where a measure counts business time in a calendar that is not among ``calendars``.
    """
    declared = {name: one.events for name, one in contract.measures.items() if one.events is not None}
    zone_of = zones_of(contract)
    stopping = {kind for how in declared.values() for kind in how.pauses}
    stopped: dict[tuple[str, str, str], list[Pause]] = {}
    for event in events:
        if event.kind in stopping:
            stopped.setdefault((event.kind, event.site, event.event_id), []).append(Pause(event.started_at, event.ended_at))
    used: set[tuple[str, str, str]] = set()
    cells: dict[str, set[tuple[str, Scope]]] = {}
    for event in events:
        cells.setdefault(event.kind, set()).add((event.site, event.dimensions))
    sums: dict[tuple[str, str, Scope, date], Exact] = {}
    cases: dict[Series, list[Case]] = {}
    unfinished: dict[str, None] = {}
    measured = {on for period in periods for on in period.dates()}
    for name, how in declared.items():
        lasts = duration_in(how, calendars, stopped, lambda site, name=name: zone_of(name, site), contract.conventions)  # type: ignore[misc]
        wanted: list[tuple[Event, date | None]] = []
        for event in events:
            if event.kind != how.kind:
                continue
            used |= {(kind, event.site, event.event_id) for kind in how.pauses} & stopped.keys()
            if not _is_wanted(how, event):
                continue
            if how.at == "period_end":
                aged = _open_at_the_end(event, periods, zone_of(name, event.site))
                wanted += [(one, on) for one, on in aged if _is_inside(how, one, lasts)]
            elif event.ended_at is None and _needs_end(how):
                unfinished[event.event_id] = None
            elif _is_inside(how, event, lasts):
                wanted.append((event, None))
        if how.overlap == "once":
            # The stretches of several events have no pauses left, and are no single events.
            wanted = [(one, None) for one in _together([event for event, _ in wanted], how, stopped)]
            lasts = duration_in(how, calendars, conventions=contract.conventions)
        if how.at == "each_day":
            wanted = [(part, None) for event, _ in wanted for part in _by_day(event, zone_of(name, event.site))]
        for event, at_end_of in wanted:
            amount = _amount(how, event, lasts)
            moment = event.ended_at if how.at == "end" else event.started_at
            if amount is None or moment is None:
                continue
            on = moment.astimezone(zone_of(name, event.site)).date() if at_end_of is None else at_end_of
            if on not in measured:
                continue
            key = (name, event.site, event.dimensions, on)
            sums[key] = sums.get(key, 0) + amount
            if how.overlap == "added":
                cases.setdefault(Series(event.site, name, event.dimensions), []).append(Case(on, event.event_id, amount))
    rows: list[Row] = []
    for name, how in declared.items():
        own = set(cells.get(how.kind, ()))
        own |= {(site, ()) for site in sites if not any(held == site for held, _ in own)}
        for site, dimensions in sorted(own):
            for on in sorted(measured):
                total = sums.get((name, site, dimensions, on), 0)
                rows.append(Row(site, name, dimensions, on, on + timedelta(days=1), "day", _decimal(total)))
            cases.setdefault(Series(site, name, dimensions), [])
    return Counted(rows, cases, list(unfinished), sorted({number for _, _, number in set(stopped) - used}))


def _together(
    events: Sequence[Event], how: FromEvents, stopped: Mapping[tuple[str, str, str], list[Pause]]
) -> list[Event]:
    """The stretches in which at least one of the events lasts, at each site and for its dimensions, pauses taken out."""
    found: list[Event] = []
    places: dict[tuple[str, Scope], list[tuple[datetime, datetime]]] = {}
    for event in events:
        pauses = [one for kind in how.pauses for one in stopped.get((kind, event.site, event.event_id), ())]
        places.setdefault((event.site, event.dimensions), []).extend(_stretches(event, pauses))
    for (site, dimensions), stretches in places.items():
        merged: list[tuple[datetime, datetime]] = []
        for begins, ends in sorted(stretches):
            if merged and begins <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(merged[-1][1], ends)
            else:
                merged.append((begins, ends))
        found += [Event("", site, how.kind, begins, ends, None, dimensions) for begins, ends in merged]
    return found


def _by_day(event: Event, zone: ZoneInfo) -> list[Event]:
    """The event cut at the midnights of the zone."""
    if event.ended_at is None:
        return []
    first, last = event.started_at.astimezone(zone).date(), event.ended_at.astimezone(zone).date()
    edges = [local_midnight(date.fromordinal(on), zone) for on in range(first.toordinal() + 1, last.toordinal() + 1)]
    moments = [event.started_at, *(edge for edge in edges if event.started_at < edge < event.ended_at), event.ended_at]
    return [replace(event, started_at=begins, ended_at=ends) for begins, ends in itertools.pairwise(moments)]


def _open_at_the_end(event: Event, periods: Sequence[Period], zone: ZoneInfo) -> list[tuple[Event, date]]:
    """The event as it stands at the end of every period in which it is still open, with the period's last day."""
    found = []
    for period in periods:
        _, ends = period.instants(zone)
        if event.started_at < ends and (event.ended_at is None or event.ended_at >= ends):
            found.append((replace(event, ended_at=ends), period.last_on))
    return found


Lasts = Callable[[Event, str], Fraction | None]
"""How long an event lasted in a unit; ``None`` while it goes on."""


def duration_in(
    how: FromEvents,
    calendars: Mapping[str, Calendar],
    stopped: Mapping[tuple[str, str, str], list[Pause]] = MappingProxyType({}),
    zone_of: Callable[[str], ZoneInfo] = lambda _site: ZoneInfo("UTC"),
    conventions: Conventions = DEFAULT_CONVENTIONS,
) -> Lasts:
    """How long an event lasted: around the clock, or in a calendar's business time, without its pauses; or in dates.

    ``stopped`` are the pauses by their kind, site and the number of the event whose clock they stop; ``zone_of`` a site's
    zone, for dates that no calendar has one for; ``conventions`` are the contract's, by which business time is counted.
    """

    def pauses(event: Event) -> list[Pause]:
        return [one for kind in how.pauses for one in stopped.get((kind, event.site, event.event_id), ())]

    calendar = calendars.get(how.calendar) if how.calendar is not None else None
    if how.calendar is not None and calendar is None:
        msg = f"durations are counted in the calendar {how.calendar!r}, which was not handed in"
        raise CannotCompute(msg, f"Put {how.calendar}.yaml beside the contract.")
    clock = business_time.clock(calendar, conventions) if calendar is not None else None

    def lasted(event: Event, unit: str) -> Fraction | None:
        if event.ended_at is None:
            return None
        if unit in _SECONDS and clock is not None:
            return _seconds(clock.elapsed(event.started_at, event.ended_at, pauses(event))) / _SECONDS[unit]
        if unit in _SECONDS:
            return sum((_seconds(ends - begins) for begins, ends in _stretches(event, pauses(event))), Fraction(0)) / _SECONDS[unit]
        if clock is None:
            if unit == "working_days":
                msg = f"the working days of {how.kind} are those of a calendar, and none is named"
                raise CannotCompute(msg, "Write calendar beside it.")
            zone = zone_of(event.site)
            return Fraction((event.ended_at.astimezone(zone).date() - event.started_at.astimezone(zone).date()).days)
        first, last = clock.local_date(event.started_at), clock.local_date(event.ended_at)
        if unit == "calendar_days":
            return Fraction((last - first).days)
        return Fraction(clock.working_days_between(first + _DAY, last + _DAY))

    return lasted


_DAY = timedelta(days=1)


def _stretches(event: Event, pauses: Sequence[Pause]) -> list[tuple[datetime, datetime]]:
    """From when until when the event's clock runs; pauses may overlap and reach over either end."""
    if event.ended_at is None:
        return []
    # Moments are compared in UTC: two of one zone would be subtracted by their wall clocks.
    at, stop = event.started_at.astimezone(UTC), event.ended_at.astimezone(UTC)
    found: list[tuple[datetime, datetime]] = []
    for pause in sorted(pauses, key=lambda one: one.from_at):
        begins, ends = pause.from_at.astimezone(UTC), stop if pause.until_at is None else pause.until_at.astimezone(UTC)
        if min(begins, stop) > at:
            found.append((at, min(begins, stop)))
        at = max(at, min(ends, stop))
    return [*found, (at, stop)] if stop > at else found


def _seconds(span: timedelta) -> Fraction:
    return Fraction(span // timedelta(microseconds=1), 1_000_000)


def _needs_end(how: FromEvents) -> bool:
    return how.at != "start" or how.overlap == "once" or how.take not in ("count", "value") or any(one.of != "value" for one in how.only)


def _is_wanted(how: FromEvents, event: Event) -> bool:
    own = {"site": event.site, **dict(event.dimensions)}
    return all(
        own.get(name, "") == wanted if isinstance(wanted, str) else own.get(name, "") in wanted
        for name, wanted in how.where.items()
    )


def _is_inside(how: FromEvents, event: Event, lasts: Lasts) -> bool:
    """Whether the event, as a whole, lies in every range."""
    for one in how.only:
        number = Fraction(event.value) if one.of == "value" and event.value is not None else None
        if one.of != "value":
            number = lasts(event, one.of)
        if number is None or not _inside(one, number):
            return False
    return True


def _amount(how: FromEvents, event: Event, lasts: Lasts) -> Exact | None:
    """What the event, or a part of it, counts for."""
    if how.take == "count":
        amount: Fraction | None = Fraction(1)
    elif how.take == "value":
        amount = None if event.value is None else Fraction(event.value)
    else:
        amount = lasts(event, how.take)
    if amount is not None and how.value_percent:
        amount = None if event.value is None else amount * Fraction(event.value) / 100
    return amount if amount is None or amount.denominator != 1 else int(amount)


def _inside(one: EventFilter, number: Fraction) -> bool:
    return (
        (one.at_least is None or number >= Fraction(one.at_least))
        and (one.more_than is None or number > Fraction(one.more_than))
        and (one.at_most is None or number <= Fraction(one.at_most))
        and (one.less_than is None or number < Fraction(one.less_than))
    )


def _decimal(number: Exact) -> Decimal | Fraction:
    """Durations in hours are fractions that no decimal holds; a row carries them as they are."""
    return Decimal(number) if isinstance(number, int) else number


__all__ = ["Counted", "Event", "count", "duration_in"]
