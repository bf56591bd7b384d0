"""From tallies to a KPI's value, for one scope and one period, by counts.

This is where *no data is no data* is decided: every way of having no judged value has its own status, and none of
them becomes 0 or 100.  Percentages are never averaged here; a ratio's sides are added first, over series and spans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from types import MappingProxyType
from zoneinfo import ZoneInfo

from contracts.curve import exactly
from contracts.document import Contract, Counts, Intervals, Kpi, Measure, Percentile, Signed, Stratified, Term
from contracts.errors import CannotCompute
from contracts.period import Period, zone_named
from scorecards.measurement import EMPTY, TAKES_OUT, Exact, Facts, Relief, Scope, Series, Span, Tally, scope_of
from scorecards.scorecard import Status

PER_DAY = {"15m": 96, "30m": 48, "hour": 24, "day": 1}


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a ratio: measures with the factor each enters with."""

    terms: tuple[tuple[str, Exact], ...]


def side(counts: Counts) -> Side:
    """A document's counts as terms with factors."""
    if isinstance(counts, str):
        return Side(((counts, 1),))
    if isinstance(counts, Signed):
        plus = side(counts.plus).terms
        minus = tuple((name, -factor) for name, factor in side(counts.minus).terms) if counts.minus else ()
        return Side(plus + minus)
    return Side(tuple(_term(term) for term in counts))


def _term(term: str | Term) -> tuple[str, Exact]:
    if isinstance(term, str):
        return term, 1
    factor = Fraction(term.times)
    return term.measure, int(factor) if factor.denominator == 1 else factor


def measures_of(kpi: Kpi) -> list[str]:
    """Every measure that the KPI's own counts name; derived KPIs name those of their operands elsewhere."""
    value = kpi.value
    pairs: list[Counts | None] = [value.sum, value.count, value.last, value.given]
    if value.ratio:
        pairs += [value.ratio.of, value.ratio.to]
    if value.mean:
        pairs += [value.mean.of, value.mean.per]
    if value.rate:
        pairs += [value.rate.of, value.rate.to]
    if value.stratified:
        pairs += [value.stratified.of, value.stratified.to, value.stratified.volume]
    if value.intervals:
        inner = value.intervals
        pairs += [inner.ratio.of, inner.ratio.to] if inner.ratio else [inner.mean.of, inner.mean.per] if inner.mean else []
    if value.percentile:
        pairs += [value.percentile.of, *(one.measure for one in value.percentile.histogram)]
    names = [name for counts in pairs if counts is not None for name, _ in side(counts).terms]
    return list(dict.fromkeys(names))


def zones_of(contract: Contract) -> Callable[[str, str], ZoneInfo]:
    """Whose midnight cuts the days of a measure at a site: the contract's, or the site's where its KPIs say so."""
    by_site = {
        measure
        for kpi in contract.kpis.values()
        if kpi.zone == "site"
        for measure in (*measures_of(kpi), *([kpi.sample.of] if kpi.sample is not None and kpi.sample.of is not None else []))
    }
    own = {work.site: zone_named(work.time_zone) for work in reversed(contract.scope) if work.time_zone is not None}
    common = zone_named(contract.time_zone)
    return lambda measure, site: own.get(site, common) if measure in by_site else common


def stand_for_the_period(facts: Facts, contract: Contract, period: Period) -> None:
    """Lets the last state of each snapshot measure stand for the whole period, whatever it is counted in; done twice, it
    changes nothing.

    A state is not a flow: three Mondays with ten people each are ten people, not thirty.
    """
    states = {name for name, one in contract.measures.items() if one.snapshot}
    if not states:
        return
    for series, by_period in facts.tallies.items():
        held = by_period.get(period.from_on)
        if held is None or series.measure not in states or not held.present:
            continue
        if held.present > 1 and held.last is None:
            msg = f"{series.measure} is a state, and its last value was not loaded"
            raise CannotCompute(msg)
        last = held.total if held.last is None else held.last
        by_period[period.from_on] = Tally(
            total=last,
            present=1,
            missing=held.missing,
            grain=contract.measured.each,
            mask=1,
            spans={(period.from_on, period.until_on, ""): last},
            last=last,
            n=held.n,
        )


@dataclass(slots=True)
class Measured:
    """A KPI's value for a scope and period before it is judged."""

    status: Status
    numerator: Exact | None = None
    denominator: Exact | None = None
    value: Fraction | None = None
    expected: int | None = None
    present: int | None = None
    relieved: int = 0
    unpaired: int = 0
    n: Exact | None = None
    recomputable: bool = True
    note: str | None = None
    without_relief: Fraction | None = None
    periods: int = 1
    """How many periods' counts it holds, where counts accumulate."""


@dataclass(slots=True)
class Cell:
    """The series of one site and one combination of dimensions that a KPI draws on, each with its factor."""

    site: str
    dimensions: Scope
    above: list[tuple[Series, Exact]]
    below: list[tuple[Series, Exact]]
    lacks: bool = False
    """A measure that the KPI needs has never been delivered here."""
    volume: Series | None = None
    """What weighs the cell's stratum, where the KPI is stratified."""


@dataclass(slots=True)
class Plan:
    """Which series a KPI draws on, by scope; made once, used for every period."""

    kpi_name: str
    kpi: Kpi
    above: Side
    below: Side | None
    times: Exact
    scopes: dict[Scope, list[Cell]]
    paired: bool
    """Both sides are split by the same dimensions, so that spans pair inside each cell."""
    adds_up: bool = True
    """False for reported percentiles, of which nothing can be made together."""


def _matches(where: Mapping[str, str | list[str]], site: str, dimensions: Mapping[str, str]) -> bool:
    for name, wanted in where.items():
        have = site if name == "site" else dimensions.get(name, "")
        if have != wanted if isinstance(wanted, str) else have not in wanted:
            return False
    return True


def times_of(kpi: Kpi) -> Exact:
    """What a KPI's numerator ÷ denominator is multiplied by."""
    return _sides(kpi)[2]


def can_pool(kpi: Kpi) -> bool:
    """Whether the counts of several periods make its value together."""
    if kpi.value.intervals is not None:
        return kpi.value.intervals.take == "share_met"
    return kpi.value.kind in ("ratio", "mean", "rate", "sum", "count")


def _sides(kpi: Kpi) -> tuple[Side, Side | None, Exact]:
    value = kpi.value
    if value.ratio:
        return side(value.ratio.of), side(value.ratio.to), 100
    if value.mean:
        return side(value.mean.of), side(value.mean.per), 1
    if value.rate:
        each = Fraction(value.rate.each)
        return side(value.rate.of), side(value.rate.to), int(each) if each.denominator == 1 else each
    if value.stratified:
        return side(value.stratified.of), side(value.stratified.to), 100
    if value.intervals is not None and value.intervals.ratio is not None:
        return side(value.intervals.ratio.of), side(value.intervals.ratio.to), 100
    if value.intervals is not None and value.intervals.mean is not None:
        return side(value.intervals.mean.of), side(value.intervals.mean.per), 1
    if value.percentile:
        classes = [value.percentile.of] if value.percentile.of else [one.measure for one in value.percentile.histogram]
        return Side(tuple((name, 1) for name in classes)), None, 1
    counts = value.sum or value.count or value.last or value.given
    if counts is None:
        return Side(()), None, 1
    return side(counts), None, 1


def plan(
    name: str,
    kpi: Kpi,
    by_measure: Mapping[str, Sequence[Series]],
    measures: Mapping[str, Measure] = MappingProxyType({}),
    attributes: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> Plan:
    """Finds the series that the KPI draws on and groups them by the scope it is judged at."""
    above, below, times = _sides(kpi)
    wanted = [measure for measure, _ in (*above.terms, *(below.terms if below else ()))]
    split: dict[str, set[frozenset[str]]] = {measure: set() for measure in wanted}
    weighs_by = kpi.value.stratified.volume if kpi.value.stratified is not None else None
    found: dict[tuple[str, Scope], dict[str, Series]] = {}
    for measure in dict.fromkeys([*wanted, weighs_by] if weighs_by else wanted):
        for series in by_measure.get(measure, ()):
            if kpi.where and not _matches(kpi.where, series.site, {**attributes.get(series.site, _NOTHING), **dict(series.dimensions)}):
                continue
            if measure in split:
                split[measure].add(frozenset([dimension for dimension, _ in series.dimensions]))
            found.setdefault((series.site, series.dimensions), {})[measure] = series
    names = [names for names in split.values() if names]
    paired = below is not None and all(one == names[0] for one in names[1:])
    scopes: dict[Scope, list[Cell]] = {}
    by_site, by_dimensions = "site" in kpi.for_each, [name for name in kpi.for_each if name != "site"]
    under = below.terms if below else ()
    for site, dimensions in sorted(found):
        held = found[site, dimensions]
        own = {**attributes.get(site, _NOTHING), **dict(dimensions)}
        key = scope_of(site if by_site else None, {name: own.get(name, "") for name in by_dimensions})
        cell = Cell(
            site,
            dimensions,
            [(held[measure], factor) for measure, factor in above.terms if measure in held],
            [(held[measure], factor) for measure, factor in under if measure in held],
            lacks=not split.keys() <= held.keys(),
        )
        cell.volume = held.get(weighs_by) if weighs_by is not None else None
        scopes.setdefault(key, []).append(cell)
    given = measures.get(kpi.value.given) if kpi.value.given is not None else None
    return Plan(name, kpi, above, below, times, scopes, paired, adds_up=given is None or not given.percentile)


_NOTHING: Mapping[str, str] = MappingProxyType({})


def plan_of(name: str, kpi: Kpi, facts: Facts, contract: Contract) -> Plan:
    """The KPI's plan for these facts; made once, because loading and judging both ask for it."""
    key = (name, id(kpi))
    held = facts.plans.get(key)
    if not isinstance(held, Plan):
        held = facts.plans[key] = plan(name, kpi, facts.by_measure(), contract.measures, contract.attributes)
    return held


def spans_expected(period: Period, grain: str) -> int:
    """How many spans of a grain a period has."""
    if grain in PER_DAY:
        return period.days * PER_DAY[grain]
    if grain == "week":
        return max(1, period.days // 7)
    if grain == "month":
        return max(1, round(period.days / 30.4))
    if grain == "quarter":
        return max(1, round(period.days / 91.3))
    return 1


@dataclass(slots=True)
class _Sum:
    above: Exact = 0
    below: Exact = 0
    present: int = 0
    missing: int = 0
    relieved: int = 0
    unpaired: int = 0
    expected: int = 0
    came: bool = False
    n: Exact | None = None


def measure(
    plan_: Plan, scope: Scope, period: Period, facts: Facts, relief: Sequence[Relief] = (), *, minimum: bool = True
) -> Measured:
    """The KPI's value for one scope and one period.

    ``relief`` are approved claims.  ``minimum=False`` leaves the sample size unjudged, for periods that accumulate.
    Derived values and moving means are not counted but computed later, from other results; see
    :mod:`scorecards.deriving`.
    """
    cells = plan_.scopes.get(scope, [])
    touching = [claim for claim in relief if claim.effect in TAKES_OUT and _overlaps(claim, period)]
    measured = _measure(plan_, cells, period, facts, touching, minimum=minimum)
    if measured.relieved or measured.status == "relieved":
        measured.without_relief = _measure(plan_, cells, period, facts, [], minimum=minimum).value
    return measured


def _overlaps(claim: Relief, period: Period) -> bool:
    return claim.from_on < period.until_on and period.from_on < claim.until_on


def _measure(
    plan_: Plan, cells: Sequence[Cell], period: Period, facts: Facts, relief: Sequence[Relief], *, minimum: bool
) -> Measured:
    kpi = plan_.kpi
    if kpi.value.given is not None:
        return _reported(plan_, cells, period, facts, relief, minimum=minimum)
    if kpi.value.percentile is not None or kpi.value.intervals is not None or kpi.value.stratified is not None:
        return _by_span(plan_, cells, period, facts, relief, minimum=minimum)
    total = _Sum()
    if plan_.below is not None and not plan_.paired:
        _add_apart(total, plan_, cells, period, facts, relief)
    else:
        for cell in cells:
            _add_cell(total, plan_, cell, period, facts, relief)
    if not total.came:
        expected = total.expected or (period.days if cells else None)
        return Measured("no_data", expected=expected, present=0, note="nothing was delivered")

    def outcome(status: Status, *, value: Fraction | None = None, note: str | None = None) -> Measured:
        counted = status in ("measured", "no_volume")
        return Measured(
            status,
            numerator=total.above if counted else None,
            denominator=total.below if counted and plan_.below is not None else None,
            value=value,
            expected=total.expected,
            present=total.present,
            relieved=total.relieved,
            unpaired=total.unpaired,
            n=total.below if status == "measured" and plan_.below is not None else None,
            note=note,
        )

    if total.relieved and not total.present:
        return outcome("relieved", note="the whole period was relieved")
    if kpi.unpaired == "no_data" and total.unpaired:
        return outcome("no_data", note=f"{total.unpaired} spans came with one side only")
    if not total.present:
        return outcome("no_data", note="what came was empty or had one side only")
    due = total.expected - total.relieved
    if kpi.completeness and due > 0 and 100 * total.present < exactly(kpi.completeness) * due:
        return outcome("no_data", note=f"{total.present} of {due} spans came, {kpi.completeness} % are needed")
    if plan_.below is None:
        value = Fraction(total.above)
        if kpi.value.count is not None and value.denominator != 1:
            msg = f"{plan_.kpi_name} counts whole things and adds up to {float(value)}"
            raise CannotCompute(msg, "Declare it as a sum, or deliver whole numbers.")
        return _sampled(plan_, period, facts, cells, outcome("measured", value=value), minimum=minimum)
    if total.below == 0:
        return outcome("no_volume")
    value = Fraction(plan_.times * total.above, total.below)
    return _sampled(plan_, period, facts, cells, outcome("measured", value=value), minimum=minimum)


def _sampled(
    plan_: Plan, period: Period, facts: Facts, cells: Sequence[Cell], outcome: Measured, *, minimum: bool
) -> Measured:
    sample = plan_.kpi.sample
    if sample is None or not minimum:
        return outcome
    cases = outcome.n
    if sample.of is not None:
        own = {(cell.site, cell.dimensions) for cell in cells}
        cases = sum(
            (
                by_period.get(period.from_on, EMPTY).total
                for series, by_period in facts.tallies.items()
                if series.measure == sample.of and (series.site, series.dimensions) in own
            ),
            start=0,
        )
    outcome.n = cases
    if cases is None or is_enough(plan_.kpi, cases):
        return outcome
    outcome.status = "accumulating" if sample.otherwise == "accumulate" else "not_measured"
    needed = f"at least {sample.at_least}" if sample.at_least is not None else f"more than {sample.more_than}"
    outcome.note = f"{cases} cases, {needed} are needed"
    return outcome


def is_enough(kpi: Kpi, cases: Exact) -> bool:
    """Whether so many cases make a judgement."""
    sample = kpi.sample
    if sample is None:
        return True
    if sample.at_least is not None:
        return cases >= Fraction(sample.at_least)
    return sample.more_than is None or cases > Fraction(sample.more_than)


def _reported(
    plan_: Plan, cells: Sequence[Cell], period: Period, facts: Facts, relief: Sequence[Relief], *, minimum: bool
) -> Measured:
    tallies = [
        (facts.tallies.get(series, {}).get(period.from_on), cell) for cell in cells for series, _ in cell.above
    ]
    came = [(held, cell) for held, cell in tallies if held is not None and held.present]
    if any(claim.touches(plan_.kpi_name, cell.site, cell.dimensions) for claim in relief for _, cell in tallies):
        return Measured("relieved", relieved=1, recomputable=False, note="a reported value cannot be split by days")
    if not came:
        return Measured("no_data", expected=1, present=0, recomputable=False)
    if len(came) == 1 and came[0][0].present == 1:
        held = came[0][0]
        outcome = Measured("measured", value=Fraction(held.total), n=held.n, expected=1, present=1, recomputable=False)
    elif not plan_.adds_up:
        return Measured(
            "no_data",
            expected=len(tallies),
            present=len(came),
            recomputable=False,
            note="several percentiles say nothing together",
        )
    elif all(held.n for held, _ in came) and all(held.present == 1 for held, _ in came):
        weight = sum((Fraction(held.n or 0) for held, _ in came), Fraction(0))
        value = sum((Fraction(held.total) * Fraction(held.n or 0) for held, _ in came), Fraction(0)) / weight
        outcome = Measured("measured", value=value, n=weight, expected=len(came), present=len(came), recomputable=False)
        outcome.note = "reported values weighted by n"
    else:
        return Measured(
            "no_data",
            expected=len(tallies),
            present=len(came),
            recomputable=False,
            note="several reported values without n cannot be rolled up",
        )
    return _sampled(plan_, period, facts, cells, outcome, minimum=minimum) if outcome.n is not None else outcome


def _factor(series: Iterable[tuple[Series, Exact]], facts: Facts, period: Period) -> list[tuple[Tally, Exact]]:
    tallies, on = facts.tallies, period.from_on
    return [(tallies.get(one, _NONE).get(on, EMPTY), factor) for one, factor in series]


_NONE: Mapping[date, Tally] = MappingProxyType({})


def _came_alike(both: Sequence[tuple[Tally, Exact]]) -> bool:
    """Whether all came in the same spans, so that their sums can be compared as they are."""
    first = both[0][0]
    same = (first.mask, first.present, first.grain)
    return first.mask != -1 and all((one.mask, one.present, one.grain) == same for one, _ in both)


def _add_cell(
    total: _Sum, plan_: Plan, cell: Cell, period: Period, facts: Facts, relief: Sequence[Relief]
) -> None:
    above, below = _factor(cell.above, facts, period), _factor(cell.below, facts, period)
    both = above + below
    came = [one for one, _ in both if one.present or one.missing]
    if not came:
        return
    total.came = True
    if plan_.kpi.value.last is not None:
        _add_last(total, cell, above, period, plan_.kpi_name, relief)
        return
    grain = came[0].grain
    total.expected += spans_expected(period, grain)
    claims = [claim for claim in relief if claim.touches(plan_.kpi_name, cell.site, cell.dimensions)] if relief else []
    if not claims and not cell.lacks and _came_alike(both):
        total.present += both[0][0].present
        most = 0
        for one, factor in above:
            total.above += one.total * factor
            most = max(most, one.missing)
        for one, factor in below:
            total.below += one.total * factor
            most = max(most, one.missing)
        total.missing += most
        return
    if len({one.grain for one in came}) > 1:
        # A monthly denominator under daily numerators cannot be paired span by span; the period is their span.
        _add_whole(total, above, below, cell, claims)
        return
    _add_spans(total, above, below, cell, claims)


def _add_whole(
    total: _Sum,
    above: list[tuple[Tally, Exact]],
    below: list[tuple[Tally, Exact]],
    cell: Cell,
    claims: Sequence[Relief],
) -> None:
    if claims or cell.lacks or not all(one.present for one, _ in above + below):
        total.unpaired += 1
        return
    total.above += sum(one.total * factor for one, factor in above)
    total.below += sum(one.total * factor for one, factor in below)
    total.present += max(one.present for one, _ in above + below)


def _add_spans(
    total: _Sum,
    above: list[tuple[Tally, Exact]],
    below: list[tuple[Tally, Exact]],
    cell: Cell,
    claims: Sequence[Relief],
) -> None:
    sides = [_spans(one) for one, _ in above + below]
    every: set[Span] = set().union(*sides)
    common: set[Span] = set() if cell.lacks else set(sides[0]).intersection(*sides[1:])
    out = {span for span in every if any(_relieves(claim, span) for claim in claims)}
    total.relieved += len(out)
    total.unpaired += len(every - common - out)
    kept = common - out
    total.present += len(kept)
    for one, factor in above:
        spans = _spans(one)
        total.above += sum(spans[span] for span in kept) * factor
    for one, factor in below:
        spans = _spans(one)
        total.below += sum(spans[span] for span in kept) * factor


def _spans(one: Tally) -> Mapping[Span, Exact]:
    if one.spans is None:
        if not one.present:
            return {}
        msg = "the values by span were not loaded, so unpaired and relieved spans cannot be taken out"
        raise CannotCompute(msg)
    return one.spans


def _relieves(claim: Relief, span: Span) -> bool:
    if claim.effect == "drop_period":
        return True
    return claim.from_on < span[1] and span[0] < claim.until_on


def _add_last(
    total: _Sum, cell: Cell, above: list[tuple[Tally, Exact]], period: Period, kpi: str, relief: Sequence[Relief]
) -> None:
    total.expected += 1
    if any(claim.touches(kpi, cell.site, cell.dimensions) and claim.until_on >= period.until_on for claim in relief):
        total.relieved += 1
        return
    if cell.lacks or not all(one.present for one, _ in above):
        total.unpaired += 1
        return
    total.present += 1
    total.above += sum((one.last if one.last is not None else 0) * factor for one, factor in above)


def _add_apart(
    total: _Sum, plan_: Plan, cells: Sequence[Cell], period: Period, facts: Facts, relief: Sequence[Relief]
) -> None:
    """Adds sides that are split differently: each is summed over its cells first, then spans are paired."""
    pools: tuple[dict[Span, Exact], dict[Span, Exact]] = ({}, {})
    every: set[Span] = set()
    out: set[Span] = set()
    grains: set[str] = set()
    for cell in cells:
        claims = [claim for claim in relief if claim.touches(plan_.kpi_name, cell.site, cell.dimensions)]
        for pool, series in zip(pools, (cell.above, cell.below), strict=True):
            for one, factor in _factor(series, facts, period):
                if one.present or one.missing:
                    total.came = True
                    grains.add(one.grain)
                for span, value in _spans(one).items():
                    every.add(span)
                    if any(_relieves(claim, span) for claim in claims):
                        out.add(span)
                    pool[span] = pool.get(span, 0) + value * factor
    if len(grains) > 1:
        total.expected = 1
        total.present = 1 if pools[0] and pools[1] and not out else 0
        total.unpaired = 1 - total.present
        if total.present:
            total.above, total.below = sum(pools[0].values()), sum(pools[1].values())
        return
    total.expected = spans_expected(period, next(iter(grains), "month"))
    common = set(pools[0]) & set(pools[1])
    kept = common - out
    total.relieved, total.unpaired, total.present = len(out), len(every - common - out), len(kept)
    total.above = sum(pools[0][span] for span in kept)
    total.below = sum(pools[1][span] for span in kept)


@dataclass(slots=True)
class _Kept:
    """The spans of one cell that are neither relieved nor unpaired, with each series' values."""

    cell: Cell
    spans: set[Span]
    above: list[tuple[Mapping[Span, Exact], Exact]]
    below: list[tuple[Mapping[Span, Exact], Exact]]


def _by_span(
    plan_: Plan, cells: Sequence[Cell], period: Period, facts: Facts, relief: Sequence[Relief], *, minimum: bool
) -> Measured:
    """Values that look at spans or single events one by one: percentiles, shares of intervals, strata."""
    total = _Sum()
    kept: list[_Kept] = []
    for cell in cells:
        above, below = _factor(cell.above, facts, period), _factor(cell.below, facts, period)
        came = [one for one, _ in above + below if one.present or one.missing]
        if cell.volume is not None and not came:
            # A stratum that has volume and was not sampled at all.
            kept.append(_Kept(cell, set(), [], []))
        if not came:
            continue
        total.came = True
        total.expected += spans_expected(period, came[0].grain)
        claims = [claim for claim in relief if claim.touches(plan_.kpi_name, cell.site, cell.dimensions)]
        sides = [_spans(one) for one, _ in above + below]
        every: set[Span] = set().union(*sides)
        common: set[Span] = set() if cell.lacks else set(sides[0]).intersection(*sides[1:])
        out = {span for span in every if any(_relieves(claim, span) for claim in claims)}
        total.relieved += len(out)
        total.unpaired += len(every - common - out)
        total.present += len(common - out)
        kept.append(
            _Kept(
                cell,
                common - out,
                [(_spans(one), factor) for one, factor in above],
                [(_spans(one), factor) for one, factor in below],
            )
        )

    def outcome(status: Status, note: str | None = None) -> Measured:
        return Measured(
            status,
            expected=total.expected,
            present=total.present,
            relieved=total.relieved,
            unpaired=total.unpaired,
            note=note,
        )

    kpi = plan_.kpi
    if not total.came:
        return Measured("no_data", expected=period.days if cells else None, present=0, note="nothing was delivered")
    if total.relieved and not total.present:
        return outcome("relieved", "the whole period was relieved")
    if not total.present or (kpi.unpaired == "no_data" and total.unpaired):
        return outcome("no_data", "what came was empty or had one side only")
    due = total.expected - total.relieved
    if kpi.completeness and due > 0 and Fraction(100 * total.present, due) < Fraction(kpi.completeness):
        return outcome("no_data", f"{total.present} of {due} spans came, {kpi.completeness} % are needed")
    found = outcome("measured")
    if kpi.value.percentile is not None:
        _percentile(found, kpi.value.percentile, kept, period, facts)
    elif kpi.value.intervals is not None:
        _intervals(found, kpi.value.intervals, plan_.times, kept)
    else:
        assert kpi.value.stratified is not None
        _stratify(found, kpi.value.stratified, kept, period, facts)
    if found.status != "measured":
        return found
    return _sampled(plan_, period, facts, cells, found, minimum=minimum)


def _percentile(found: Measured, rule: Percentile, kept: Sequence[_Kept], period: Period, facts: Facts) -> None:
    if rule.of is not None:
        cases: list[Exact] = []
        for one in kept:
            days = {span[0] for span in one.spans}
            for series, _ in one.cell.above:
                if series not in facts.cases:
                    found.status, found.note = "no_data", "the single events were not delivered"
                    return
                cases += [case.amount for case in facts.cases[series] if case.on in period and case.on in days]
        found.n = len(cases)
        if not cases:
            found.status = "no_volume"
            return
        found.value = percentile_of(cases, Fraction(rule.percent), linear=rule.method == "linear")
        return
    classes: list[Fraction] = [Fraction(0)] * len(rule.histogram)
    position = {one.measure: index for index, one in enumerate(rule.histogram)}
    for one in kept:
        for (series, _), (values, factor) in zip(one.cell.above, one.above, strict=True):
            classes[position[series.measure]] += sum((Fraction(values[span]) for span in one.spans), Fraction(0)) * factor
    found.n = sum(classes, Fraction(0))
    if found.n == 0:
        found.status = "no_volume"
        return
    found.value = _percentile_of_classes(found, rule, classes)


def percentile_of(cases: Sequence[Exact], percent: Fraction, *, linear: bool = False) -> Fraction:
    """The percentile of single cases.

    By nearest rank it is the smallest case that at least ``percent`` % of all do not exceed; linear, it lies between
    the two cases beside the rank ``1 + percent/100 × (n − 1)`` (type 7 of Hyndman and Fan, 1996).
    """
    ordered = sorted(cases)
    if not linear:
        rank = -(-percent * len(ordered) // 100)
        return Fraction(ordered[max(1, int(rank)) - 1])
    place = percent / 100 * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * Fraction(ordered[high] - ordered[low])


def _percentile_of_classes(found: Measured, rule: Percentile, classes: Sequence[Fraction]) -> Fraction | None:
    """The class that holds the rank: its upper edge, or linear inside it.  The open class has no edge to name."""
    wanted = Fraction(rule.percent) / 100 * sum(classes, Fraction(0))
    below, edge = Fraction(0), Fraction(0)
    for one, count in zip(rule.histogram, classes, strict=True):
        if below + count >= wanted and count:
            if one.up_to is None:
                found.status, found.note = "no_data", f"the percentile lies in the open class, above {edge}"
                return None
            top = Fraction(one.up_to)
            return top if rule.method == "nearest_rank" else edge + (wanted - below) / count * (top - edge)
        below += count
        edge = Fraction(one.up_to) if one.up_to is not None else edge
    return None


def _intervals(found: Measured, rule: Intervals, times: Exact, kept: Sequence[_Kept]) -> None:
    above: dict[Span, Exact] = {}
    below: dict[Span, Exact] = {}
    for one in kept:
        for span in one.spans:
            above[span] = above.get(span, 0) + sum(values[span] * factor for values, factor in one.above)
            below[span] = below.get(span, 0) + sum(values[span] * factor for values, factor in one.below)
    judged = [times * Fraction(above[span]) / Fraction(below[span]) for span in sorted(below) if below[span]]
    if rule.no_volume is not None:
        judged += [Fraction(rule.no_volume)] * sum(not held for held in below.values())
    if rule.take == "mean":
        found.n = len(judged)
        found.status = "measured" if judged else "no_volume"
        found.value = sum(judged, Fraction(0)) / len(judged) if judged else None
        found.note = f"the mean of {len(judged)} intervals"
        return
    met = sum(
        value >= Fraction(rule.at_least) if rule.at_least is not None else value <= Fraction(rule.at_most or 0)
        for value in judged
    )
    found.numerator, found.denominator, found.n = met, len(judged), len(judged)
    if not judged:
        found.status = "no_volume"
        return
    found.value = Fraction(100 * met, len(judged))


def _stratify(found: Measured, rule: Stratified, kept: Sequence[_Kept], period: Period, facts: Facts) -> None:
    strata: dict[str, list[Fraction]] = {}
    for one in kept:
        name = one.cell.site if rule.by == "site" else dict(one.cell.dimensions).get(rule.by, "")
        own = strata.setdefault(name, [Fraction(0), Fraction(0), Fraction(0)])
        for values, factor in one.above:
            own[0] += sum((Fraction(values[span]) for span in one.spans), Fraction(0)) * factor
        for values, factor in one.below:
            own[1] += sum((Fraction(values[span]) for span in one.spans), Fraction(0)) * factor
        if one.cell.volume is not None:
            own[2] += Fraction(facts.tallies.get(one.cell.volume, {}).get(period.from_on, EMPTY).total)
    empty = sorted(name for name, (_, to, volume) in strata.items() if volume and not to)
    if empty and rule.unsampled == "no_data":
        found.status, found.note = "no_data", f"{', '.join(empty)} has volume and no sample"
        return
    used = {name: own for name, own in strata.items() if own[1] and own[2]}
    whole = sum((volume for _, _, volume in used.values()), Fraction(0))
    found.n = sum((to for _, to, _ in used.values()), Fraction(0))
    if whole == 0:
        found.status = "no_volume"
        return
    found.value = 100 * sum((volume * of / to for of, to, volume in used.values()), Fraction(0)) / whole
    found.note = f"{len(used)} strata weighted by {rule.volume}"


def needs_spans(plan_: Plan, period: Period, facts: Facts, relief: Sequence[Relief] = ()) -> set[Series]:
    """The series whose values by span the KPI cannot do without in this period.

    Whoever keeps sums only asks here, and loads the spans of these: where spans may not pair, where relief takes some
    out, and where the last value is wanted.
    """
    claims = [claim for claim in relief if claim.effect in TAKES_OUT and _overlaps(claim, period)]
    value = plan_.kpi.value
    apart = (plan_.below is not None and not plan_.paired) or any(
        (value.percentile, value.intervals, value.stratified)
    )
    wanted: set[Series] = set()
    for cells in plan_.scopes.values():
        for cell in cells:
            held = _factor([*cell.above, *cell.below], facts, period)
            first, came, differs = held[0][0] if held else EMPTY, False, False
            for one, _ in held:
                came = came or bool(one.present or one.missing)
                differs = differs or one.mask != first.mask or one.present != first.present
            if not came:
                continue
            touched = bool(claims) and any(claim.touches(plan_.kpi_name, cell.site, cell.dimensions) for claim in claims)
            if apart or differs or touched or cell.lacks or first.mask == -1 or plan_.kpi.value.last is not None:
                wanted.update(series for series, _ in (*cell.above, *cell.below))
    return wanted
