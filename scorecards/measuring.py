"""From tallies to a KPI's value, for one scope and one period, by counts.

This is where *no data is no data* is decided: every way of having no judged value has its own status, and none of
them becomes 0 or 100.  Percentages are never averaged here; a ratio's sides are added first, over series and spans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from contracts.document import Counts, Kpi, Signed, Term
from contracts.errors import CannotCompute
from contracts.period import Period
from scorecards.measurement import EMPTY, Exact, Facts, Relief, Scope, Series, Span, Tally, scope_of
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
    names = [name for counts in pairs if counts is not None for name, _ in side(counts).terms]
    return list(dict.fromkeys(names))


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


def _matches(where: Mapping[str, str | list[str]], site: str, dimensions: Mapping[str, str]) -> bool:
    for name, wanted in where.items():
        have = site if name == "site" else dimensions.get(name, "")
        if have != wanted if isinstance(wanted, str) else have not in wanted:
            return False
    return True


def _sides(kpi: Kpi) -> tuple[Side, Side | None, Exact]:
    value = kpi.value
    if value.ratio:
        return side(value.ratio.of), side(value.ratio.to), 100
    if value.mean:
        return side(value.mean.of), side(value.mean.per), 1
    if value.rate:
        each = Fraction(value.rate.each)
        return side(value.rate.of), side(value.rate.to), int(each) if each.denominator == 1 else each
    counts = value.sum or value.count or value.last or value.given
    if counts is None:
        return Side(()), None, 1
    return side(counts), None, 1


def plan(name: str, kpi: Kpi, by_measure: Mapping[str, Sequence[Series]]) -> Plan:
    """Finds the series that the KPI draws on and groups them by the scope it is judged at."""
    above, below, times = _sides(kpi)
    wanted = [measure for measure, _ in (*above.terms, *(below.terms if below else ()))]
    split: dict[str, set[frozenset[str]]] = {measure: set() for measure in wanted}
    found: dict[tuple[str, Scope], dict[str, Series]] = {}
    for measure in dict.fromkeys(wanted):
        for series in by_measure.get(measure, ()):
            if kpi.where and not _matches(kpi.where, series.site, dict(series.dimensions)):
                continue
            split[measure].add(frozenset(dimension for dimension, _ in series.dimensions))
            found.setdefault((series.site, series.dimensions), {})[measure] = series
    names = [names for names in split.values() if names]
    paired = below is not None and all(one == names[0] for one in names[1:])
    scopes: dict[Scope, list[Cell]] = {}
    for (site, dimensions), held in sorted(found.items()):
        own = dict(dimensions)
        key = scope_of(
            site if "site" in kpi.for_each else None,
            {dimension: own.get(dimension, "") for dimension in kpi.for_each if dimension != "site"},
        )
        cell = Cell(
            site,
            dimensions,
            [(held[measure], factor) for measure, factor in above.terms if measure in held],
            [(held[measure], factor) for measure, factor in (below.terms if below else ()) if measure in held],
            lacks=any(measure not in held for measure in wanted),
        )
        scopes.setdefault(key, []).append(cell)
    return Plan(name, kpi, above, below, times, scopes, paired)


def _expected(period: Period, grain: str) -> int:
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
    touching = [claim for claim in relief if claim.effect != "cancel_money" and _overlaps(claim, period)]
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
    if kpi.completeness and due > 0 and Fraction(100 * total.present, due) < Fraction(kpi.completeness):
        return outcome("no_data", note=f"{total.present} of {due} spans came, {kpi.completeness} % are needed")
    if plan_.below is None:
        value = Fraction(total.above)
        if kpi.value.count is not None and value.denominator != 1:
            msg = f"{plan_.kpi_name} counts whole things and adds up to {float(value)}"
            raise CannotCompute(msg, "Declare it as a sum, or deliver whole numbers.")
        return _sampled(plan_, period, facts, cells, outcome("measured", value=value), minimum=minimum)
    if total.below == 0:
        return outcome("no_volume")
    value = plan_.times * Fraction(total.above) / Fraction(total.below)
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
    return [(facts.tallies.get(one, {}).get(period.from_on, EMPTY), factor) for one, factor in series]


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
    total.expected += _expected(period, grain)
    claims = [claim for claim in relief if claim.touches(plan_.kpi_name, cell.site, cell.dimensions)]
    same = all(one.mask == both[0][0].mask and one.present == both[0][0].present for one, _ in both)
    whole = not cell.lacks and same and both[0][0].mask != -1 and all(one.grain == grain for one, _ in both)
    if whole and not claims:
        total.above += sum(one.total * factor for one, factor in above)
        total.below += sum(one.total * factor for one, factor in below)
        total.present += both[0][0].present
        total.missing += max(one.missing for one, _ in both)
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
    total.expected = _expected(period, next(iter(grains), "month"))
    common = set(pools[0]) & set(pools[1])
    kept = common - out
    total.relieved, total.unpaired, total.present = len(out), len(every - common - out), len(kept)
    total.above = sum(pools[0][span] for span in kept)
    total.below = sum(pools[1][span] for span in kept)


def needs_spans(plan_: Plan, period: Period, facts: Facts, relief: Sequence[Relief] = ()) -> set[Series]:
    """The series whose values by span the KPI cannot do without in this period.

    Whoever keeps sums only asks here, and loads the spans of these: where spans may not pair, where relief takes some
    out, and where the last value is wanted.
    """
    claims = [claim for claim in relief if claim.effect != "cancel_money" and _overlaps(claim, period)]
    apart = plan_.below is not None and not plan_.paired
    wanted: set[Series] = set()
    for cells in plan_.scopes.values():
        for cell in cells:
            both = [series for series, _ in (*cell.above, *cell.below)]
            held = [facts.tallies.get(series, {}).get(period.from_on, EMPTY) for series in both]
            if not any(one.present or one.missing for one in held):
                continue
            first = held[0]
            differs = any(one.mask != first.mask or one.present != first.present for one in held)
            touched = any(claim.touches(plan_.kpi_name, cell.site, cell.dimensions) for claim in claims)
            if apart or differs or touched or cell.lacks or first.mask == -1 or plan_.kpi.value.last is not None:
                wanted.update(both)
    return wanted
