"""The time of a period as a measure: the minutes of a month, or the open hours of a calendar, day by day.

Availability is a share of it.  It is there for every site (and dimensions) for which another measure of the same KPI
has been delivered, so that a month without any figure stays a month without data.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from fractions import Fraction

from contracts import business_time
from contracts.business_time import Calendar, Conventions
from contracts.document import Contract, FromTime
from contracts.errors import CannotCompute
from contracts.period import Period, local_midnight
from scorecards.measurement import Exact, Facts, Series, Span, Tally
from scorecards.measuring import measures_of, zones_of

_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}


def add_time(facts: Facts, contract: Contract, period: Period, calendars: Mapping[str, Calendar]) -> None:
    """Adds the tallies of the measures that are the time of the period.  Raises :class:`CannotCompute` without a calendar."""
    declared = {name: one.time for name, one in contract.measures.items() if one.time is not None}
    if not declared:
        return
    zone_of = zones_of(contract)
    places: dict[str, set[tuple[str, tuple[tuple[str, str], ...]]]] = {name: set() for name in declared}
    came = {(series.site, series.dimensions, series.measure) for series, held in facts.tallies.items() if period.from_on in held}
    for kpi in contract.kpis.values():
        named = set(measures_of(kpi))
        for name in named & declared.keys():
            places[name] |= {(site, dimensions) for site, dimensions, measure in came if measure in named - declared.keys()}
    # Plans made before did not know of these series.
    facts.plans.clear()
    for name, how in declared.items():
        for site, dimensions in sorted(places[name]):
            zone = zone_of(name, site)
            spans: dict[Span, Exact] = {}
            for on in period.dates():
                until = on + timedelta(days=1)
                spans[on, until, ""] = _time(how, local_midnight(on, zone), local_midnight(until, zone), calendars, contract.conventions)
            facts.tallies.setdefault(Series(site, name, dimensions), {})[period.from_on] = Tally(
                total=sum(spans.values()),
                present=len(spans),
                grain="day",
                mask=(1 << period.days) - 1,
                spans=spans,
                last=spans[max(spans)],
            )


def _time(
    how: FromTime, begins: datetime, ends: datetime, calendars: Mapping[str, Calendar], conventions: Conventions
) -> Exact:
    lasted = ends - begins
    if how.calendar is not None:
        calendar = calendars.get(how.calendar)
        if calendar is None:
            msg = f"time is counted in the calendar {how.calendar!r}, which was not handed in"
            raise CannotCompute(msg, f"Put {how.calendar}.yaml beside the contract.")
        lasted = business_time.clock(calendar, conventions).elapsed(begins, ends)
    amount = Fraction(lasted // timedelta(microseconds=1), 1_000_000 * _SECONDS[how.take])
    return int(amount) if amount.denominator == 1 else amount
