"""Checks of meaning: a document that can be read may still promise what cannot be computed.

Every check returns its findings; all run, and all are reported at once, each with its path.  An *error* stops the
document from being agreed; a *warning* is something a person should have decided on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

from contracts.curve import Curve, Mark, Step
from contracts.document import (
    Allocation,
    Base,
    By,
    Contract,
    Counts,
    Derived,
    FromEvents,
    Kpi,
    LevelShare,
    MovingMean,
    Pay,
    Payment,
    Ratio,
    Signed,
    Term,
    When,
)
from contracts.errors import Finding
from contracts.period import UnknownTimeZone, zone_named

KNOWN_ROLES = ("client.", "vendor.")


def check(contract: Contract) -> list[Finding]:
    """Everything that is wrong or worth deciding, in the order of the document; paths only, without lines."""
    checks = (
        _zones,
        _scope,
        _measures,
        _kpis,
        _circles,
        _levels,
        _bands,
        _weights,
        _scoring,
        _values,
        _parts_of_time,
        _relief,
        _currencies,
        _reviews,
        _allocations,
        _bases,
        _payments,
        _money,
        _caps,
        _windows,
        _escalation,
    )
    return [finding for one in checks for finding in one(contract)]


def _error(path: str, message: str, repair: str) -> Finding:
    return Finding("error", path, message, repair)


def _warning(path: str, message: str, repair: str) -> Finding:
    return Finding("warning", path, message, repair)


def _choice(known: Iterable[str]) -> str:
    names = ", ".join(sorted(known))
    return f"Use one of {names}." if names else "Declare it first."


def _zones(contract: Contract) -> Iterator[Finding]:
    for path, zone in (
        ("$.time_zone", contract.time_zone),
        *((f"$.scope[{i}].time_zone", scope.time_zone) for i, scope in enumerate(contract.scope)),
        *((f"$.forums[{i}].zone", forum.zone) for i, forum in enumerate(contract.forums)),
    ):
        if zone is None:
            continue
        try:
            zone_named(zone)
        except UnknownTimeZone as problem:
            yield _error(path, f"{zone!r} is no time zone", problem.repair)
    if len(contract.currency) != 3 or not contract.currency.isalpha() or not contract.currency.isupper():
        yield _error("$.currency", f"{contract.currency!r} is no currency", "Write the ISO 4217 code, such as EUR.")


def _scope(contract: Contract) -> Iterator[Finding]:
    seen: dict[tuple[str, str | None], int] = {}
    for index, scope in enumerate(contract.scope):
        key = (scope.site, scope.workstream)
        if key in seen:
            yield _error(
                f"$.scope[{index}]",
                f"{scope.site} {scope.workstream or ''} stands in the scope twice",
                f"Merge it with $.scope[{seen[key]}].",
            )
        seen[key] = index
        if scope.country is not None and (len(scope.country) != 2 or not scope.country.isupper()):
            yield _error(f"$.scope[{index}].country", f"{scope.country!r} is no country", "Write two capitals, such as PT.")
    for name in contract.dimensions:
        if name in ("site", "measure", "starts_on", "starts_at", "grain", "value", "known_at", "n"):
            yield _error("$.dimensions", f"{name!r} is a column of the data file", "Give the dimension another name.")


def _measures(contract: Contract) -> Iterator[Finding]:
    for name, measure in contract.measures.items():
        if measure.part_of is not None and measure.part_of not in contract.measures:
            yield _error(f"$.measures.{name}.part_of", f"{measure.part_of!r} is no measure", _choice(contract.measures))
    used = _used_measures(contract)
    for name in contract.measures:
        if name not in used:
            yield Finding(
                "note", f"$.measures.{name}", f"{name} is delivered and used by nothing", "Drop it, or use it."
            )


def _used_measures(contract: Contract) -> set[str]:
    used: set[str] = set()
    for kpi in contract.kpis.values():
        used.update(name for _, counts in _counts(kpi) for name in _names(counts))
        if kpi.value.given is not None:
            used.add(kpi.value.given)
        if kpi.sample is not None and kpi.sample.of is not None:
            used.add(kpi.sample.of)
        for levels in kpi.levels:
            if levels.when is not None:
                used.add(levels.when.measure)
            used.update(number.of for number in levels.at.values() if isinstance(number, LevelShare) and number.of is not None)
        used.update(_derived_from(kpi.value.derived) if kpi.value.derived is not None else ())
    used.update(one.rate for one in contract.money.rates.values() if isinstance(one.rate, str))
    if contract.money.conversion is not None and isinstance(contract.money.conversion.rate, str):
        used.add(contract.money.conversion.rate)
    used.update(one.by.measure for one in contract.scoring.deductions if one.by.measure is not None)
    for base in contract.money.bases.values():
        used.update(name for name in (base.measure, *base.plus, *base.minus) if name is not None)
    for scope in contract.scope:
        if scope.volume is not None:
            used.update(name for name in (scope.volume.forecast, scope.volume.actual) if name is not None)
    used.update(one.part_of for one in contract.measures.values() if one.part_of is not None)
    return used | {text for payment in _all_payments(contract) for text in _measures_of_payment(payment)}


def _measures_of_payment(payment: Payment) -> Iterator[str]:
    for pay in _pays(payment):
        for by in (pay.by, *(factor.by for factor in pay.factors)):
            if by is not None:
                yield from (one for one in (by.measure, by.each_event) if one is not None)
        yield from (factor.measure for factor in pay.factors if factor.measure is not None)
        if pay.share is not None:
            yield pay.share.of
            yield pay.share.to
        for curve in (pay.percent, pay.amount):
            allowance = curve.each.allowance if isinstance(curve, Curve) and curve.each is not None else Decimal(0)
            if not isinstance(allowance, Decimal) and allowance.of is not None:
                yield allowance.of


def _counts(kpi: Kpi) -> Iterator[tuple[str, Counts]]:
    value = kpi.value
    if value.ratio is not None:
        yield "ratio.of", value.ratio.of
        yield "ratio.to", value.ratio.to
    if value.mean is not None:
        yield "mean.of", value.mean.of
        yield "mean.per", value.mean.per
    if value.rate is not None:
        yield "rate.of", value.rate.of
        yield "rate.to", value.rate.to
    if value.stratified is not None:
        yield "stratified.of", value.stratified.of
        yield "stratified.to", value.stratified.to
        yield "stratified.volume", value.stratified.volume
    if value.intervals is not None:
        inner = value.intervals.ratio or value.intervals.mean
        if inner is not None:
            yield "intervals.of", inner.of
            yield "intervals", inner.to if isinstance(inner, Ratio) else inner.per
    if value.percentile is not None and value.percentile.of is not None:
        yield "percentile.of", value.percentile.of
    for one in value.percentile.histogram if value.percentile is not None else ():
        yield "percentile.histogram", one.measure
    for name in ("sum", "count", "last"):
        counts: Counts | None = getattr(value, name)
        if counts is not None:
            yield name, counts


def _names(counts: Counts) -> list[str]:
    if isinstance(counts, str):
        return [counts]
    if isinstance(counts, Signed):
        return _names(counts.plus) + (_names(counts.minus) if counts.minus else [])
    return [term.measure if isinstance(term, Term) else term for term in counts]


def _kpis(contract: Contract) -> Iterator[Finding]:
    if not contract.kpis:
        yield _warning("$.kpis", "the contract judges nothing", "Add a KPI.")
    for name, kpi in contract.kpis.items():
        path = f"$.kpis.{name}"
        for part, counts in _counts(kpi):
            for measure in _names(counts):
                if measure not in contract.measures:
                    yield _error(f"{path}.value.{part}", f"{measure!r} is no measure", _choice(contract.measures))
        if kpi.value.given is not None:
            declared = contract.measures.get(kpi.value.given)
            if declared is None:
                yield _error(f"{path}.value.given", f"{kpi.value.given!r} is no measure", _choice(contract.measures))
            elif not declared.given:
                yield _error(
                    f"{path}.value.given",
                    f"{kpi.value.given} is declared as a count",
                    f"Write given: true under $.measures.{kpi.value.given}, or count it.",
                )
        for other in _operands(kpi):
            if other not in contract.kpis:
                yield _error(f"{path}.value", f"{other!r} is no KPI", _choice(contract.kpis))
            elif other == name and kpi.value.moving_mean is not None:
                yield _error(f"{path}.value", f"{name} is computed from itself", "Average another KPI.")
        yield from _dimension_names(contract, kpi, path)
        if kpi.sample is not None and kpi.sample.of is not None and kpi.sample.of not in contract.measures:
            yield _error(f"{path}.sample.of", f"{kpi.sample.of!r} is no measure", _choice(contract.measures))
        if not 0 <= kpi.completeness <= 100:
            yield _error(f"{path}.completeness", f"{kpi.completeness} % of the spans cannot come", "Write 0 to 100.")
        divides = kpi.value.ratio or kpi.value.mean or kpi.value.rate
        if divides is not None and kpi.no_volume is None and kpi.sample is None:
            yield _warning(
                f"{path}.no_volume",
                f"nothing says what {name} counts as when its denominator is zero",
                "Write no_volume: not_judged, met or missed; until then it is not judged.",
            )
        if kpi.better == "lower" and kpi.boundary in ("at_least", "more_than"):
            yield _error(f"{path}.boundary", f"lower is better, and {kpi.boundary} asks for more", "Write at_most or less_than.")
        if kpi.better == "higher" and kpi.boundary in ("at_most", "less_than"):
            yield _error(f"{path}.boundary", f"higher is better, and {kpi.boundary} asks for less", "Write at_least or more_than.")


def _circles(contract: Contract) -> Iterator[Finding]:
    """KPIs that are computed from each other."""
    waiting = {name: {one for one in _rests_on(kpi) if one in contract.kpis} for name, kpi in contract.kpis.items()}
    done: set[str] = set()
    while ready := [name for name, others in waiting.items() if others <= done]:
        done.update(ready)
        for name in ready:
            del waiting[name]
    if waiting:
        names = ", ".join(waiting)
        yield _error(f"$.kpis.{next(iter(waiting))}.value", f"{names} are computed from each other", "Count one of them.")


def _rests_on(kpi: Kpi) -> set[str]:
    """The KPIs whose results of the same period it needs; earlier results make no circle."""
    found = {number.kpi for levels in kpi.levels for number in levels.at.values() if isinstance(number, LevelShare) and number.kpi}
    if kpi.value.derived is not None:
        return found | _same_period(kpi.value.derived)
    return found | set(_operands(kpi))


def _same_period(derived: Derived) -> set[str]:
    found: set[str] = set()
    for name in derived.__struct_fields__:
        for operand in getattr(derived, name) or ():
            if operand.kpi is not None:
                found.add(operand.kpi)
            if operand.derived is not None:
                found |= _same_period(operand.derived)
    return found


def _dimension_names(contract: Contract, kpi: Kpi, path: str) -> Iterator[Finding]:
    known = set(contract.splits)
    for place, names in (("for_each", kpi.for_each), ("where", list(kpi.where))):
        for one in names:
            if one not in known:
                yield _error(f"{path}.{place}", f"{one!r} is no dimension", _choice(known))
    for index, levels in enumerate(kpi.levels):
        for one in levels.where:
            if one not in known:
                yield _error(f"{path}.levels[{index}].where", f"{one!r} is no dimension", _choice(known))
            elif one not in kpi.for_each and one not in kpi.where and not ("site" in kpi.for_each and one in ("country", "region")):
                yield _error(
                    f"{path}.levels[{index}].where",
                    f"the KPI is not judged by {one}, so these levels never hold",
                    f"Add {one} to for_each, or drop the condition.",
                )
        if levels.when is not None and levels.when.measure not in contract.measures:
            yield _error(
                f"{path}.levels[{index}].when.measure", f"{levels.when.measure!r} is no measure", _choice(contract.measures)
            )


def _operands(kpi: Kpi) -> list[str]:
    if kpi.value.moving_mean is not None:
        return [kpi.value.moving_mean.of]
    if kpi.value.share_met is not None:
        return [kpi.value.share_met.of]
    if kpi.value.across is not None:
        return [kpi.value.across.of]
    return _operands_of(kpi.value.derived) if kpi.value.derived is not None else []


def _operands_of(derived: Derived) -> list[str]:
    found: list[str] = []
    for name in derived.__struct_fields__:
        for operand in getattr(derived, name) or ():
            found += [one for one in (operand.kpi, operand.best_before, operand.previous) if one is not None]
            if operand.derived is not None:
                found += _operands_of(operand.derived)
    return found


def _derived_from(derived: Derived) -> set[str]:
    """The measures a derivation reads."""
    found: set[str] = set()
    for name in derived.__struct_fields__:
        for operand in getattr(derived, name) or ():
            if operand.measure is not None:
                found.add(operand.measure)
            if operand.derived is not None:
                found |= _derived_from(operand.derived)
    return found


def level_names(kpi: Kpi) -> set[str]:
    """Every level the KPI ever has."""
    names = {name for levels in kpi.levels for name in levels.at}
    return names | ({"target"} if kpi.target is not None else set())


def _levels(contract: Contract) -> Iterator[Finding]:
    for name, kpi in contract.kpis.items():
        path, known = f"$.kpis.{name}", level_names(kpi)
        for place, curve in (("score", kpi.score), ("points", kpi.points)):
            if curve is not None:
                for mark in curve.marks():
                    yield from _mark(f"{path}.{place}", mark, known)
        for index, step in enumerate(kpi.bands):
            for end in (step.at_least, step.more_than, step.at_most, step.less_than):
                if end is not None:
                    yield from _mark(f"{path}.bands[{index}]", end, known)
        if kpi.weight is not None and kpi.score is None and "target" not in known:
            yield _error(f"{path}", f"{name} has a weight, and neither a score curve nor a target", "Give it one of them.")
        for index, levels in enumerate(kpi.levels):
            held = contract.in_force
            if levels.from_ is not None and held.until is not None and levels.from_ >= held.until:
                yield _warning(f"{path}.levels[{index}].from", f"{levels.from_} lies after the contract's end", "Drop it.")
            if levels.from_ is not None and levels.until is not None and levels.until <= levels.from_:
                yield _error(f"{path}.levels[{index}].until", "the levels end before they begin", "Write a later day.")
            floor, target = levels.at.get("floor"), levels.at.get("target")
            if isinstance(floor, Decimal) and isinstance(target, Decimal):
                if floor == target:
                    yield _warning(f"{path}.levels[{index}].at", f"floor and target are both {floor}", "Drop the floor, or move it.")
                elif (floor > target) is (kpi.better == "higher"):
                    yield _error(
                        f"{path}.levels[{index}].at",
                        f"the floor {floor} is better than the target {target}",
                        "Swap them, or correct `better`.",
                    )


def _mark(path: str, mark: Mark, known: set[str]) -> Iterator[Finding]:
    if isinstance(mark, str) and mark not in known:
        yield _error(path, f"{mark!r} is no level of this KPI", _choice(known))


def _bands(contract: Contract) -> Iterator[Finding]:
    for name, kpi in contract.kpis.items():
        tables = [(f"$.kpis.{name}.bands", kpi.bands)] if kpi.bands else []
        for place, own in (("score", kpi.score), ("points", kpi.points)):
            if own is not None and own.steps is not None:
                tables.append((f"$.kpis.{name}.{place}.steps", own.steps))
        for path, steps in tables:
            for levels in _level_values(kpi):
                yield from _tiling(path, steps, levels)
    for path, payment in _payments_with_paths(contract):
        named = [payment.for_] if isinstance(payment.for_, str) else list(payment.for_ or [])
        for pay in _pays(payment):
            for curve in (pay.percent, pay.amount):
                if isinstance(curve, Curve) and curve.steps is not None:
                    kpis = [contract.kpis[one] for one in named if one in contract.kpis]
                    for values in _level_values(kpis[0]) if kpis else [{}]:
                        yield from _tiling(f"{path}.pay", curve.steps, values)


def _level_values(kpi: Kpi) -> list[dict[str, Fraction]]:
    """The levels as they stand after each entry, so that bands written with names are checked for each ramp step."""
    found: list[dict[str, Fraction]] = []
    now: dict[str, Fraction] = {} if kpi.target is None else {"target": Fraction(kpi.target)}
    for levels in kpi.levels:
        now = now | {name: Fraction(value) for name, value in levels.at.items() if isinstance(value, Decimal)}
        found.append(now)
    return found or [now]


def _tiling(path: str, steps: list[Step], levels: Mapping[str, Fraction]) -> Iterator[Finding]:
    """Gaps, overlaps and unreachable bands of a table, found at its ends and between them."""
    names = {mark for step in steps for mark in (step.at_least, step.more_than, step.at_most, step.less_than)}
    if any(isinstance(mark, str) and mark not in levels for mark in names):
        return
    ends = sorted({end for step in steps for pair in (step.low(levels), step.high(levels)) if pair for end in (pair[0],)})
    if not ends:
        return
    probes = [ends[0] - 1]
    for left, right in zip(ends, [*ends[1:], ends[-1] + 2], strict=True):
        probes += [left, (left + right) / 2]
    reached: set[int] = set()
    for probe in probes:
        held = [index for index, step in enumerate(steps) if step.holds(probe, levels)]
        reached.update(held)
        if not held and ends[0] < probe < ends[-1]:
            yield _error(path, f"no band holds {_shown(probe)}", "Close the gap: let one band end where the next begins.")
        if len({(steps[index].give, steps[index].name) for index in held}) > 1:
            which = " and ".join(steps[index].words() for index in held)
            yield _error(path, f"{_shown(probe)} lies in more than one band: {which}", "Let the bands meet without overlapping.")
    for index, step in enumerate(steps):
        if index not in reached:
            yield _error(f"{path}[{index}]", f"no value can be {step.words()}", "Correct the ends of the band.")


def _shown(value: Fraction) -> str:
    return f"{Decimal(value.numerator) / Decimal(value.denominator):.12g}"


def _weights(contract: Contract) -> Iterator[Finding]:
    weighted = {name: kpi.weight for name, kpi in contract.kpis.items() if kpi.weight is not None}
    for name, weight in weighted.items():
        if weight < 0:
            yield _error(f"$.kpis.{name}.weight", f"a weight of {weight} would reward a miss", "Write a positive weight.")
    if contract.scoring.combine == "sum":
        return
    repair = "Correct them, or mean it: shares are taken of their sum."
    # What is scored together is what is judged in one scope of work, so a KPI of another workstream does not count here.
    works = [{"site": one.site} | ({"workstream": one.workstream} if one.workstream else {}) for one in contract.scope]
    totals: dict[Decimal, str] = {}
    for work in works or [{}]:
        held = [name for name in weighted if _is_for(contract.kpis[name], work)]
        total = sum((weighted[name] for name in held), Decimal(0))
        if held and total != 100:
            totals.setdefault(total, f" for {', '.join(work.values())}" if work else "")
    for total, where in totals.items():
        yield _warning("$.kpis", f"the weights{where} add up to {total}, not to 100", repair)


def _is_for(kpi: Kpi, work: Mapping[str, str]) -> bool:
    """Whether the KPI is judged in a scope of work; what the scope does not say cannot exclude it."""
    return all(
        name not in work or work[name] == wanted or (not isinstance(wanted, str) and work[name] in wanted)
        for name, wanted in kpi.where.items()
    )


def _values(contract: Contract) -> Iterator[Finding]:
    """Values that need more than counts, units, and levels outside of what a value can be."""
    for name, measure in contract.measures.items():
        if measure.events is not None:
            path = f"$.measures.{name}.events"
            if measure.given:
                yield _error(path, f"{name} is reported and counted at once", "Drop given, or events.")
            if measure.events.calendar is not None and measure.events.calendar not in contract.calendars:
                yield _error(f"{path}.calendar", f"{measure.events.calendar!r} is not among the calendars", "Name it under calendars.")
            yield from _known_dimensions(contract, measure.events.where, f"{path}.where")
            if measure.events.kind in measure.events.pauses:
                yield _error(f"{path}.pauses", f"{measure.events.kind} would stop its own clock", "Name what interrupts it.")
            timed = measure.events.take in ("seconds", "minutes", "hours", "days") or any(one.of != "value" for one in measure.events.only)
            if measure.events.pauses and not timed:
                yield _warning(f"{path}.pauses", f"no duration of {name} is asked for, so pauses change nothing", "Drop them.")
        if measure.events is not None:
            yield from _event_ways(name, measure.events)
        if measure.time is not None:
            if measure.events is not None or measure.given or measure.money:
                yield _error(f"$.measures.{name}.time", f"{name} is the time of the period and something else at once", "Drop one of them.")
            if measure.time.calendar is not None and measure.time.calendar not in contract.calendars:
                yield _error(
                    f"$.measures.{name}.time.calendar", f"{measure.time.calendar!r} is not among the calendars", "Name it under calendars."
                )
        if measure.percentile and not measure.given:
            yield _error(f"$.measures.{name}.percentile", f"{name} is no reported value", "Write given: true, or measure the percentile.")
    for name, kpi in contract.kpis.items():
        path, value = f"$.kpis.{name}", kpi.value
        if value.percentile is not None and value.percentile.of is not None:
            declared = contract.measures.get(value.percentile.of)
            if declared is not None and declared.events is None:
                yield _error(
                    f"{path}.value.percentile.of",
                    f"{value.percentile.of} is a count, and a percentile needs single events",
                    f"Write events under $.measures.{value.percentile.of}, or give a histogram.",
                )
        if value.percentile is not None and value.percentile.of is not None and contract.measures.get(value.percentile.of):
            how = contract.measures[value.percentile.of].events
            if how is not None and how.overlap == "once":
                yield _error(
                    f"{path}.value.percentile.of",
                    f"the events of {value.percentile.of} are taken together, so no single ones are left",
                    "Write overlap: added, or a measure of its own.",
                )
        if value.moving_mean is not None:
            yield from _taken_together(contract, name, value.moving_mean)
        if value.percentile is not None:
            edges = [one.up_to for one in value.percentile.histogram]
            closed = [edge for edge in edges if edge is not None]
            if closed != sorted(set(closed)) or None in edges[:-1]:
                yield _error(f"{path}.value.percentile.histogram", "the classes do not follow each other", "Order them by up_to.")
        if value.stratified is not None:
            yield from _known_dimensions(contract, [value.stratified.by], f"{path}.value.stratified.by")
        if value.share_met is not None and value.share_met.of in contract.kpis:
            known = level_names(contract.kpis[value.share_met.of])
            if value.share_met.level not in known:
                yield _error(f"{path}.value.share_met.level", f"{value.share_met.level!r} is no level of it", _choice(known))
        if value.across is not None and value.across.of in contract.kpis:
            finer = set(contract.kpis[value.across.of].for_each) - set(kpi.for_each)
            if not finer:
                yield _error(
                    f"{path}.value.across.of",
                    f"{value.across.of} is judged no finer than {name}, so there is one result to take",
                    "Judge it for_each of less: for_each: [] for the whole contract.",
                )
        is_amount = value.intervals is not None and value.intervals.take == "mean" and value.intervals.mean is not None
        is_share = value.kind in ("ratio", "intervals", "stratified", "share_met") and not is_amount
        if is_share and kpi.unit not in (None, "percent"):
            yield _error(f"{path}.unit", f"{name} is a percentage, and its unit is {kpi.unit}", "Write percent, or drop the unit.")
        if not is_share and kpi.unit == "percent" and value.kind in ("sum", "count", "last", "mean"):
            yield _error(f"{path}.unit", f"a {value.kind} of counts is no percentage", "Write a ratio, or another unit.")
        for index, levels in enumerate(kpi.levels):
            for level, number in levels.at.items():
                if not isinstance(number, Decimal):
                    if number.of is not None and number.of not in contract.measures:
                        yield _error(f"{path}.levels[{index}].at.{level}.of", f"{number.of!r} is no measure", _choice(contract.measures))
                    if number.kpi is not None and (number.kpi not in contract.kpis or number.kpi == name):
                        yield _error(f"{path}.levels[{index}].at.{level}.kpi", f"{number.kpi!r} is no other KPI", _choice(contract.kpis))
                elif is_share and not 0 <= number <= 100 and value.ratio is None:
                    yield _error(f"{path}.levels[{index}].at.{level}", f"no percentage can be {number}", "Write 0 to 100.")
                elif value.ratio is not None and kpi.better == "higher" and 0 < number < 1:
                    yield _warning(
                        f"{path}.levels[{index}].at.{level}",
                        f"{number} is below one percent",
                        f"Percent runs from 0 to 100: write {100 * number} if that is meant.",
                    )
        if kpi.target is not None and value.ratio is not None and kpi.better == "higher" and 0 < kpi.target < 1:
            yield _warning(f"{path}.target", f"{kpi.target} is below one percent", f"Write {100 * kpi.target} if that is meant.")
        if kpi.repeat is not None:
            if kpi.points is None:
                yield _error(f"{path}.repeat", "a repeated failure multiplies points, and there are none", "Write points, or drop it.")
            if kpi.repeat.missed not in level_names(kpi) and kpi.better != "inside":
                yield _error(f"{path}.repeat.missed", f"{kpi.repeat.missed!r} is no level of {name}", _choice(level_names(kpi)))
        if kpi.sample is not None and kpi.sample.otherwise == "accumulate" and value.kind not in ("ratio", "mean", "rate"):
            yield _error(f"{path}.sample.otherwise", f"a {value.kind} cannot accumulate: it has no denominator", "Write not_measured.")
        if kpi.better == "inside" and not {"low", "high"} & level_names(kpi):
            yield _error(f"{path}.better", f"{name} is to lie inside of nothing", "Give it levels named low and high.")
        target, minimum = kpi.target, next((levels.at.get("minimum") for levels in kpi.levels), None)
        for levels in kpi.levels:
            target = levels.at["target"] if isinstance(levels.at.get("target"), Decimal) else target  # type: ignore[assignment]
        if isinstance(minimum, Decimal) and minimum == target:
            yield _warning(f"{path}.levels", f"minimum and target are both {target}", "Drop the minimum, or move it.")


def _parts_of_time(contract: Contract) -> Iterator[Finding]:
    """Zones and part periods of KPIs."""
    whose: dict[str, tuple[str, str]] = {}
    for name, kpi in contract.kpis.items():
        path = f"$.kpis.{name}"
        if kpi.part_period == "pro_rata" and kpi.value.kind not in ("count", "sum"):
            yield _error(
                f"{path}.part_period",
                f"the level of a {kpi.value.kind} does not shrink with the days",
                "Drop it: only a level that a count or a sum is held against can.",
            )
        if kpi.zone == "site" and not any(work.time_zone is not None for work in contract.scope):
            yield _warning(f"{path}.zone", "no site of the scope has a time zone of its own", "Write time_zone under its scope.")
        if kpi.missing == "previous" and kpi.weight is None:
            yield _warning(f"{path}.missing", f"{name} has no weight, so nothing is carried", "Give it a weight, or drop missing.")
        for _, counts in _counts(kpi):
            for measure in _names(counts):
                other, zone = whose.setdefault(measure, (name, kpi.zone))
                if zone != kpi.zone:
                    yield _error(
                        f"{path}.zone",
                        f"{measure} is counted by days of the {kpi.zone} here and of the {zone} in {other}",
                        "Let both KPIs say the same, or deliver two measures.",
                    )


_POOLED = ("ratio", "mean", "rate", "sum", "count", "intervals")

_DAYS: dict[str, int] = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}


def _reviews(contract: Contract) -> Iterator[Finding]:
    """KPIs that are judged at reviews, and the reviews."""
    at_review = [name for name, kpi in contract.kpis.items() if kpi.judged == "at_review"]
    for name in at_review:
        kpi = contract.kpis[name]
        if contract.reviewed is None:
            yield _error(f"$.kpis.{name}.judged", "nothing says when reviews are", "Write reviewed: {each: quarter}.")
        is_mean = kpi.value.intervals is not None and kpi.value.intervals.take == "mean"
        if kpi.value.kind not in _POOLED or is_mean:
            yield _error(
                f"$.kpis.{name}.judged",
                f"the counts of several periods make no {kpi.value.kind}",
                f"Judge it each period, or write one of {', '.join(_POOLED)}.",
            )
        if kpi.sample is not None and kpi.sample.otherwise == "accumulate":
            yield _error(f"$.kpis.{name}.sample.otherwise", "its counts accumulate until the review anyway", "Write not_measured.")
    if contract.reviewed is not None:
        if not at_review:
            yield _warning("$.reviewed", "no KPI is judged at a review", "Write judged: at_review under a KPI, or drop it.")
        if _DAYS[contract.reviewed.each] <= _DAYS[contract.measured.each]:
            yield _error(
                "$.reviewed.each",
                f"a review of each {contract.reviewed.each} is no longer than a {contract.measured.each}, in which it is measured",
                "Review less often than you measure.",
            )


def _relief(contract: Contract) -> Iterator[Finding]:
    """What relief lowers levels to."""
    causes = [terms.cause for terms in contract.relief]
    for index, terms in enumerate(contract.relief):
        path = f"$.relief[{index}]"
        if causes.count(terms.cause) > 1 and causes.index(terms.cause) == index:
            yield _warning(f"{path}.cause", f"two kinds of relief are called {terms.cause!r}", "Give each cause its own words.")
        if (terms.effect == "lower_target") != bool(terms.levels):
            yield _error(
                f"{path}.levels",
                f"{terms.cause} {'lowers a target, and does not say to what' if not terms.levels else 'says levels, and eases none'}",
                "Write effect: lower_target with levels: {kpi: {target: 90}}.",
            )
        for name, held in terms.levels.items():
            if name not in contract.kpis:
                yield _error(f"{path}.levels.{name}", f"{name!r} is no KPI", _choice(contract.kpis))
                continue
            kpi = contract.kpis[name]
            for level, number in held.items():
                if level not in level_names(kpi):
                    yield _error(f"{path}.levels.{name}.{level}", f"{level!r} is no level of {name}", _choice(level_names(kpi)))
                    continue
                agreed = [values[level] for values in _level_values(kpi) if level in values]
                upwards = kpi.better == "lower" or (kpi.better == "inside" and level == "high")
                if agreed and all(number <= one if upwards else number >= one for one in agreed):
                    yield _error(
                        f"{path}.levels.{name}.{level}",
                        f"{number} is no easier than the {level} of {name}, so it changes nothing",
                        "Write an easier level.",
                    )


def _currencies(contract: Contract) -> Iterator[Finding]:
    """Currencies of sites, and what they are worth."""
    used = {}
    for index, work in enumerate(contract.scope):
        if work.currency is None or work.currency == contract.currency:
            continue
        used[work.site] = work.currency
        if work.currency not in contract.money.rates:
            yield _error(
                f"$.scope[{index}].currency",
                f"{work.site} is charged in {work.currency}, and nothing says what it is worth in {contract.currency}",
                f"Write money: {{rates: {{{work.currency}: {{rate: …, source: …}}}}}}.",
            )
    for name, rule in contract.money.rates.items():
        path = f"$.money.rates.{name}"
        if len(name) != 3 or not name.isupper() or name == contract.currency:
            yield _error(path, f"{name!r} is no other currency", "Write the ISO 4217 code, such as PLN.")
        elif name not in used.values():
            yield _warning(path, f"no site is charged in {name}", "Write currency under its scope, or drop the rate.")
        if isinstance(rule.rate, str) and rule.rate not in contract.measures:
            yield _error(f"{path}.rate", f"{rule.rate!r} is neither a number nor a measure", _choice(contract.measures))
        if isinstance(rule.rate, Decimal) and rule.rate <= 0:
            yield _error(f"{path}.rate", f"a rate of {rule.rate} buys nothing", "Write a positive rate.")
    for name, kpi in contract.kpis.items() if used else ():
        money = [one for _, counts in _counts(kpi) for one in _names(counts) if one in contract.measures and contract.measures[one].money]
        if money and "site" not in kpi.for_each:
            yield _error(
                f"$.kpis.{name}.value",
                f"{money[0]} comes in several currencies, and a KPI adds it as it comes",
                "Judge it for_each site, or deliver it in one currency.",
            )


def _allocations(contract: Contract) -> Iterator[Finding]:
    """What is allotted, against what may be: of a pool to credits, and of the score to weights."""
    for name, base in contract.money.bases.items():
        if base.allocation is not None:
            shares = _shares_of(contract, name)
            yield from _allotted(f"$.money.bases.{name}.allocation", base.allocation, shares, name)
    if contract.scoring.allocation is not None:
        weights = {name: kpi.weight for name, kpi in contract.kpis.items() if kpi.weight is not None}
        yield from _allotted("$.scoring.allocation", contract.scoring.allocation, weights, "the score")


def _allotted(path: str, allocation: Allocation, shares: Mapping[str, Decimal], what: str) -> Iterator[Finding]:
    total = sum(shares.values(), Decimal(0))
    if allocation.in_all is not None and total > allocation.in_all:
        yield _error(
            f"{path}.in_all", f"{total} % of {what} are allotted, and {allocation.in_all} % may be", "Lower the shares, or raise in_all."
        )
    for name, share in shares.items():
        if allocation.to_one is not None and share > allocation.to_one:
            yield _error(
                f"{path}.to_one",
                f"{name} has {share} % of {what}, and one KPI may have {allocation.to_one} %",
                f"Lower the share of {name}, or raise to_one.",
            )


def _shares_of(contract: Contract, base: str, seen: frozenset[str] = frozenset()) -> dict[str, Decimal]:
    """The largest percentage of a base that each KPI (or rule without one) can take, also by way of shares of the base."""
    found: dict[str, Decimal] = {}
    for index, payment in enumerate(contract.money.credits):
        named = [payment.for_] if isinstance(payment.for_, str) else list(payment.for_ or [payment.name or f"credit {index + 1}"])
        most = [_most(pay.percent) for pay in _pays(payment) if pay.of == base and pay.percent is not None]
        largest = max((one for one in most if one is not None), default=None)
        for name in named if largest is not None else ():
            found[name] = found.get(name, Decimal(0)) + (largest or Decimal(0))
    for name, inner in contract.money.bases.items():
        if inner.of == base and inner.percent is not None and name not in seen:
            for kpi, share in _shares_of(contract, name, seen | {base}).items():
                found[kpi] = found.get(kpi, Decimal(0)) + share * inner.percent / 100
    return found


def _most(percent: Decimal | Curve) -> Decimal | None:
    """The most a percentage can come to; ``None`` where nothing limits it."""
    if isinstance(percent, Decimal):
        return percent
    if percent.at_most is not None:
        return percent.at_most
    given = [step.give for step in percent.steps or () if step.give is not None] + [corner.give for corner in percent.line or ()]
    return max(given) if given else None


def _event_ways(name: str, how: FromEvents) -> Iterator[Finding]:
    """Ways of counting events that only a duration has."""
    path = f"$.measures.{name}.events"
    lasts = how.take in ("seconds", "minutes", "hours", "days")
    if how.at == "each_day" and not lasts:
        yield _error(f"{path}.at", f"the {how.take} of an event cannot be split over its days", "Take minutes or hours, or drop it.")
    if how.overlap == "once" and not lasts:
        yield _error(f"{path}.overlap", f"only time can overlap, and this takes the {how.take}", "Take minutes or hours, or drop it.")
    if how.overlap == "once" and how.value_percent:
        yield _error(f"{path}.overlap", "events that count by a percentage cannot be taken together", "Write overlap: added.")


def _taken_together(contract: Contract, name: str, rule: MovingMean) -> Iterator[Finding]:
    path = f"$.kpis.{name}.value.moving_mean"
    if rule.periods is not None and rule.periods < 2:
        yield _error(f"{path}.periods", f"the mean of {rule.periods} periods is no mean", "Write 2 or more.")
    if rule.since == "review" and contract.reviewed is None:
        yield _error(f"{path}.since", "nothing says when reviews begin", "Write reviewed: {each: year}.")
    of = contract.kpis.get(rule.of)
    if rule.by == "counts" and of is not None and of.value.kind not in ("ratio", "mean", "rate"):
        yield _error(f"{path}.by", f"a {of.value.kind} has no counts to add", "Write by: results.")


def _known_dimensions(contract: Contract, names: Iterable[str], path: str) -> Iterator[Finding]:
    known = set(contract.splits)
    for one in names:
        if one not in known:
            yield _error(path, f"{one!r} is no dimension", _choice(known))


def _money(contract: Contract) -> Iterator[Finding]:
    """Readings and factors of payments, shares of pools, conversion, deductions."""
    money = contract.money
    for path, payment in _payments_with_paths(contract):
        if payment.from_ is not None and payment.until is not None and payment.until <= payment.from_:
            yield _error(f"{path}.until", "the rule ends before it begins", "Write a later day.")
        if payment.unless is not None:
            named = [payment.for_] if isinstance(payment.for_, str) else list(payment.for_ or [])
            yield from _when(contract, payment.unless, f"{path}.unless", named)
        for pay in _pays(payment):
            yield from _by(contract, pay.by, f"{path}.pay.by")
            for index, factor in enumerate(pay.factors):
                yield from _by(contract, factor.by, f"{path}.pay.factors[{index}].by")
                if factor.measure is not None and factor.measure not in contract.measures:
                    yield _error(f"{path}.pay.factors[{index}].measure", f"{factor.measure!r} is no measure", _choice(contract.measures))
            if pay.share is not None:
                for place, one in (("of", pay.share.of), ("to", pay.share.to)):
                    if one not in contract.measures:
                        yield _error(f"{path}.pay.share.{place}", f"{one!r} is no measure", _choice(contract.measures))
            flat = pay.percent if isinstance(pay.percent, Decimal) else pay.amount if isinstance(pay.amount, Decimal) else None
            if flat is not None and flat < 0:
                yield _error(f"{path}.pay", f"a flat amount of {flat} pays the other side", "Write it under the other heading, positive.")
        if payment.ladder is not None and not payment.ladder.rungs:
            yield _error(f"{path}.ladder.rungs", "a ladder needs a rung", "Write what the first failure costs.")
    pools = {name for name, base in money.bases.items() if base.percent is not None}
    for pool in sorted(pools):
        given = [
            pay.percent * (len(payment.for_) if isinstance(payment.for_, list) else 1)
            for payment in money.credits
            for pay in _pays(payment)
            if pay.of == pool and isinstance(pay.percent, Decimal)
        ]
        if len(given) > 1 and sum(given) > 100 and not money.caps:
            yield _warning(
                f"$.money.bases.{pool}",
                f"{sum(given)} % of it are allocated, and nothing caps the sum",
                "Allocate at most 100 %, or write the cap.",
            )
    for index, group in enumerate(money.exclusive):
        if len(group.among) < 2:
            yield _error(f"$.money.exclusive[{index}].among", "one rule alone excludes nothing", "Name the rules that give way.")
    if money.conversion is not None:
        rule = money.conversion
        if rule.to == contract.currency:
            yield _error("$.money.conversion.to", f"the contract is in {rule.to} already", "Drop the conversion.")
        if len(rule.to) != 3 or not rule.to.isupper():
            yield _error("$.money.conversion.to", f"{rule.to!r} is no currency", "Write the ISO 4217 code, such as USD.")
        if isinstance(rule.rate, str) and rule.rate not in contract.measures:
            yield _error("$.money.conversion.rate", f"{rule.rate!r} is neither a number nor a measure", _choice(contract.measures))
        if isinstance(rule.rate, Decimal) and rule.rate <= 0:
            yield _error("$.money.conversion.rate", f"a rate of {rule.rate} buys nothing", "Write a positive rate.")
    for index, deduction in enumerate(contract.scoring.deductions):
        yield from _by(contract, deduction.by, f"$.scoring.deductions[{index}].by")


def _by(contract: Contract, by: By | None, path: str) -> Iterator[Finding]:
    if by is None:
        return
    said = [name for name in ("measure", "count", "total", "base", "kpi", "each_event") if getattr(by, name) is not None]
    if len(said) != 1:
        yield _error(path, f"a curve is read at one thing, and this says {' and '.join(said) or 'none'}", "Write one of them.")
    if by.measure is not None and by.measure not in contract.measures:
        yield _error(f"{path}.measure", f"{by.measure!r} is no measure", _choice(contract.measures))
    if by.base is not None and by.base not in contract.money.bases:
        yield _error(f"{path}.base", f"{by.base!r} is no base", _choice(contract.money.bases))
    if by.kpi is not None and by.kpi not in contract.kpis:
        yield _error(f"{path}.kpi", f"{by.kpi!r} is no KPI", _choice(contract.kpis))
    if by.each_event is not None:
        declared = contract.measures.get(by.each_event)
        if declared is None or declared.events is None:
            counted = [name for name, one in contract.measures.items() if one.events is not None]
            yield _error(f"{path}.each_event", f"{by.each_event!r} is not made from events", _choice(counted))


def _scoring(contract: Contract) -> Iterator[Finding]:
    for index, gate in enumerate(contract.scoring.gates):
        path = f"$.scoring.gates[{index}]"
        for name in (gate.kpi, *gate.zero):
            if name not in contract.kpis:
                yield _error(path, f"{name!r} is no KPI", _choice(contract.kpis))
        if gate.kpi in contract.kpis and gate.missed not in level_names(contract.kpis[gate.kpi]):
            yield _error(f"{path}.missed", f"{gate.missed!r} is no level of {gate.kpi}", _choice(level_names(contract.kpis[gate.kpi])))
    lows = [band.at_least for band in contract.scoring.standings]
    if lows and None not in lows and min(low for low in lows if low is not None) > 0:
        yield _error("$.scoring.standings", "a low score has no standing", "Let one band have no at_least.")
    for low in {low for low in lows if lows.count(low) > 1}:
        yield _error("$.scoring.standings", f"two standings begin at {low}", "Give each its own lower end.")


def _bases(contract: Contract) -> Iterator[Finding]:
    bases = contract.money.bases
    for name, base in bases.items():
        path = f"$.money.bases.{name}"
        if base.measure is not None and base.measure not in contract.measures:
            yield _error(f"{path}.measure", f"{base.measure!r} is no measure", _choice(contract.measures))
        elif base.measure is not None and not contract.measures[base.measure].money:
            yield _error(
                f"{path}.measure",
                f"{base.measure} is a count, and a base is money",
                f"Write money: true under $.measures.{base.measure}.",
            )
        for one in (base.of, *base.plus, *base.minus):
            if one is not None and one not in bases and one not in contract.measures:
                yield _error(path, f"{one!r} is neither a base nor a measure", _choice({*bases, *contract.measures}))
        if _circular(name, bases):
            yield _error(path, f"{name} is a share of itself", "Break the circle.")
        if base.percent is not None and base.percent < 0:
            yield _error(f"{path}.percent", f"{base.percent} % of a base is no base", "Write a positive percentage.")


def _circular(name: str, bases: Mapping[str, Base], seen: frozenset[str] = frozenset()) -> bool:
    if name in seen:
        return True
    base = bases.get(name)
    if base is None:
        return False
    return any(_circular(one, bases, seen | {name}) for one in (base.of, *base.plus, *base.minus) if one is not None)


def _all_payments(contract: Contract) -> list[Payment]:
    return [*contract.money.credits, *contract.money.bonuses]


def _payments_with_paths(contract: Contract) -> Iterator[tuple[str, Payment]]:
    for part in ("credits", "bonuses"):
        for index, payment in enumerate(getattr(contract.money, part)):
            yield f"$.money.{part}[{index}]", payment


def _pays(payment: Payment) -> list[Pay]:
    pays = [payment.pay] if payment.pay is not None else []
    pays += [rung.pay for rung in payment.ladder.rungs] if payment.ladder is not None else []
    return pays + ([payment.at_most] if payment.at_most is not None else [])


def _payments(contract: Contract) -> Iterator[Finding]:
    for path, payment in _payments_with_paths(contract):
        named = [payment.for_] if isinstance(payment.for_, str) else list(payment.for_ or [])
        for one in named:
            if one not in contract.kpis:
                yield _error(f"{path}.for", f"{one!r} is no KPI", _choice(contract.kpis))
        if (payment.pay is None) == (payment.ladder is None):
            yield _error(path, "the rule says neither or both of pay and ladder", "Write one of them.")
        for pay in _pays(payment):
            if pay.of is not None and pay.of not in contract.money.bases:
                yield _error(f"{path}.pay.of", f"{pay.of!r} is no base", _choice(contract.money.bases))
            known = set().union(*(level_names(contract.kpis[one]) for one in named if one in contract.kpis))
            for curve in (pay.percent, pay.amount):
                if isinstance(curve, Curve) and named and pay.by is None:
                    for mark in curve.marks():
                        yield from _mark(f"{path}.pay", mark, known)
        if payment.when is not None:
            yield from _when(contract, payment.when, f"{path}.when", named)
        elif payment.pay is not None and not isinstance(payment.pay.percent or payment.pay.amount, Curve):
            for one in named:
                if one in contract.kpis and not _has_target(contract.kpis[one]):
                    yield _error(path, f"the rule is due when {one} misses its target, and it has none", "Give it a target, or write when.")
    for index, group in enumerate(contract.money.exclusive):
        for one in group.among:
            rules = {payment.name for payment in _all_payments(contract)}
            if one not in contract.kpis and one not in rules:
                yield _error(f"$.money.exclusive[{index}].among", f"{one!r} is no KPI and no rule", _choice(contract.kpis))


def _has_target(kpi: Kpi) -> bool:
    return "target" in level_names(kpi) or kpi.better == "inside"


def _when(contract: Contract, when: When, path: str, named: list[str]) -> Iterator[Finding]:
    own = [when.kpi] if when.kpi is not None else named
    for part in ("all", "either"):
        for index, inner in enumerate(getattr(when, part)):
            yield from _when(contract, inner, f"{path}.{part}[{index}]", own)
    kpis = [when.kpi] if when.kpi is not None else named
    for one in kpis:
        if one not in contract.kpis:
            yield _error(f"{path}.kpi", f"{one!r} is no KPI", _choice(contract.kpis))
            continue
        for level in (when.missed, when.met, when.exceeded):
            if level is not None and level not in level_names(contract.kpis[one]):
                yield _error(path, f"{level!r} is no level of {one}", _choice(level_names(contract.kpis[one])))
    if when.of is not None and when.of not in contract.money.bases:
        yield _error(f"{path}.of", f"{when.of!r} is no base", _choice(contract.money.bases))
    if when.at_cap is not None and when.at_cap not in {cap.name for cap in contract.money.caps}:
        yield _error(f"{path}.at_cap", f"{when.at_cap!r} is no cap", _choice({cap.name for cap in contract.money.caps if cap.name}))
    if when.window is not None and when.window.at_least is not None and when.window.at_least > when.window.last:
        yield _error(
            f"{path}.window",
            f"{when.window.at_least} of the last {when.window.last} periods can never be",
            "Look at more periods, or ask for fewer.",
        )


def _caps(contract: Contract) -> Iterator[Finding]:
    for index, cap in enumerate(contract.money.caps):
        path = f"$.money.caps[{index}]"
        if cap.of is not None and cap.of not in contract.money.bases:
            yield _error(f"{path}.of", f"{cap.of!r} is no base", _choice(contract.money.bases))
        if (cap.percent is not None and cap.percent < 0) or (cap.amount is not None and cap.amount < 0):
            yield _error(path, "a negative cap lets nothing through", "Write a positive limit.")
        smallest = _smallest(contract, cap.of)
        if cap.percent is not None and smallest is not None and cap.percent < smallest:
            yield _warning(
                path,
                f"the cap of {cap.percent} % lies below the smallest credit of {smallest} % of the same base",
                "Raise the cap, or lower the credit.",
            )


def _smallest(contract: Contract, base: str | None) -> Decimal | None:
    flat = [
        pay.percent
        for payment in contract.money.credits
        for pay in _pays(payment)
        if pay.of == base and isinstance(pay.percent, Decimal)
    ]
    return min(flat) if flat else None


def _windows(contract: Contract) -> Iterator[Finding]:
    for index, right in enumerate(contract.rights):
        yield from _when(contract, right.when, f"$.rights[{index}].when", [])
        longest = _periods_in_term(contract)
        window = right.when.window
        if window is not None and longest is not None and window.last > longest:
            yield _error(
                f"$.rights[{index}].when.window",
                f"it looks at {window.last} periods, and the contract has {longest}",
                "Shorten the window.",
            )
    longest = _periods_in_term(contract)
    for path, payment in _payments_with_paths(contract):
        looked = [one.window.last for one in (payment.when, payment.unless) if one is not None and one.window is not None]
        looked += [payment.ladder.last] if payment.ladder is not None else []
        if longest is not None and any(one > longest for one in looked):
            yield _error(path, f"it looks at {max(looked)} periods, and the contract has {longest}", "Shorten the window.")
    for index, back in enumerate(contract.money.earn_back):
        if longest is not None and back.periods >= longest:
            yield _error(f"$.money.earn_back[{index}].periods", f"a run of {back.periods} never ends inside the term", "Shorten it.")
        if back.periods < 1:
            yield _error(f"$.money.earn_back[{index}].periods", "a run of no periods is always performed", "Write 1 or more.")
        if not 0 < back.percent <= 100:
            yield _error(f"$.money.earn_back[{index}].percent", f"{back.percent} % cannot come back", "Write 1 to 100.")
    for index, ratchet in enumerate(contract.ratchets):
        if ratchet.kpi not in contract.kpis:
            yield _error(f"$.ratchets[{index}].kpi", f"{ratchet.kpi!r} is no KPI", _choice(contract.kpis))
        elif ratchet.level not in level_names(contract.kpis[ratchet.kpi]):
            known = level_names(contract.kpis[ratchet.kpi])
            yield _error(f"$.ratchets[{index}].level", f"{ratchet.level!r} is no level of {ratchet.kpi}", _choice(known))


def _periods_in_term(contract: Contract) -> int | None:
    if contract.in_force.until is None:
        return None
    days = (contract.in_force.until - contract.in_force.from_).days
    return round(days / {"day": 1, "week": 7, "month": 30.4, "quarter": 91.3, "year": 365.2}[contract.measured.each])


def _escalation(contract: Contract) -> Iterator[Finding]:
    names: set[str] = set()
    for index, rule in enumerate(contract.escalation.rules):
        path = f"$.escalation.rules[{index}]"
        if rule.name in names:
            yield _error(f"{path}.name", f"two rules are called {rule.name!r}", "Give each rule its own name.")
        names.add(rule.name)
        if rule.on.kpi is not None and rule.on.kpi not in contract.kpis:
            yield _error(f"{path}.on.kpi", f"{rule.on.kpi!r} is no KPI", _choice(contract.kpis))
        elif rule.on.kpi is not None and rule.on.no_data is None:
            known = level_names(contract.kpis[rule.on.kpi])
            for place, level in (("on.missed", rule.on.missed), ("clear.level", rule.clear.level)):
                if level not in known and not (contract.kpis[rule.on.kpi].better == "inside" and level == "target"):
                    yield _error(f"{path}.{place}", f"{level!r} is no level of {rule.on.kpi}", _choice(known))
        if rule.on.at_least > rule.on.last:
            yield _error(f"{path}.on", f"{rule.on.at_least} of the last {rule.on.last} periods can never be", "Look at more periods.")
    numbers = [level.level for level in contract.escalation.levels]
    if numbers != list(range(1, len(numbers) + 1)):
        yield _error("$.escalation.levels", f"the levels are numbered {numbers}", "Number them 1, 2, 3 without a gap.")
    if contract.escalation.rules and not contract.escalation.levels:
        yield _error("$.escalation.levels", "there are rules and nobody to call", "Add level 1.")
    for index, one in enumerate(contract.escalation.levels):
        for role in one.to:
            if not role.startswith(KNOWN_ROLES):
                yield _error(f"$.escalation.levels[{index}].to", f"{role!r} names no side", "Write client.… or vendor.… and the role.")
    if contract.escalation.calendar is not None and contract.escalation.calendar not in contract.calendars:
        yield _error("$.escalation.calendar", f"{contract.escalation.calendar!r} is not among the calendars", _choice(contract.calendars))


__all__ = ["check", "level_names"]
