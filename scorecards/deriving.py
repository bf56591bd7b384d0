"""KPIs computed from other results: sums, differences, improvements over an own best, means over periods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from fractions import Fraction

from contracts.document import Across, Derived, Kpi, LevelShare, MovingMean, Operand, ShareMet
from contracts.errors import CannotCompute
from scorecards.measurement import Scope
from scorecards.measuring import Measured, percentile_of, times_of
from scorecards.pricing.ledger import Record, covers, restrict
from scorecards.scoring import Judged, is_met


def needs(kpi: Kpi) -> set[str]:
    """The KPIs whose values of the same period this one is computed from."""
    followed = {
        number.kpi
        for entry in kpi.levels
        for number in (*entry.at.values(), *((entry.when.at_least, entry.when.less_than) if entry.when is not None else ()))
        if isinstance(number, LevelShare) and number.kpi is not None
    }
    return followed | rests_on(kpi)


def rests_on(kpi: Kpi) -> set[str]:
    """The KPIs of whose results its value is made."""
    if kpi.value.moving_mean is not None:
        return {kpi.value.moving_mean.of}
    if kpi.value.share_met is not None:
        return {kpi.value.share_met.of}
    if kpi.value.across is not None:
        return {kpi.value.across.of}
    return _operands(kpi.value.derived) if kpi.value.derived is not None else set()


def _operands(derived: Derived) -> set[str]:
    found: set[str] = set()
    for operand in _listed(derived):
        if operand.kpi is not None:
            found.add(operand.kpi)
        if operand.derived is not None:
            found |= _operands(operand.derived)
    return found


def _listed(derived: Derived) -> list[Operand]:
    name = operation(derived)
    listed: list[Operand] = getattr(derived, name)
    return listed


def operation(derived: Derived) -> str:
    """The name of the one operation."""
    return next(name for name in derived.__struct_fields__ if getattr(derived, name) is not None)


def in_order(kpis: Mapping[str, Kpi]) -> list[str]:
    """The KPIs so that each comes after those it is computed from.

    Raises :class:`CannotCompute` when two of them wait for each other.
    """
    done: list[str] = []
    waiting = dict.fromkeys(kpis)
    while waiting:
        ready = [name for name in waiting if not (needs(kpis[name]) - set(done)) & set(kpis)]
        if not ready:
            msg = f"{', '.join(waiting)} are computed from each other"
            raise CannotCompute(msg, "Break the circle: one of them must be counted.")
        for name in ready:
            done.append(name)
            del waiting[name]
    return done


def scopes_of(kpi: Kpi, verdicts: Mapping[tuple[str, Scope], Judged]) -> list[Scope]:
    """The scopes a derived KPI is judged at: those of the KPIs it rests on; where it rests on measures only, every
    scope that anything else is judged at, cut to its own ``for_each``.
    """
    wanted = rests_on(kpi) | _looked_back_at(kpi)
    found = [scope for (name, scope) in verdicts if name in wanted]
    if kpi.value.share_met is not None or kpi.value.across is not None or not wanted:
        found = [restrict(scope, kpi.for_each) for scope in (found if wanted else [scope for _, scope in verdicts])]
    return list(dict.fromkeys(found))


def _looked_back_at(kpi: Kpi) -> set[str]:
    """KPIs of whose earlier results it is made."""
    found: set[str] = set()
    waiting = [kpi.value.derived] if kpi.value.derived is not None else []
    while waiting:
        for operand in _listed(waiting.pop()):
            found |= {one for one in (operand.best_before, operand.previous) if one is not None}
            if operand.derived is not None:
                waiting.append(operand.derived)
    return found


def derive(
    kpi: Kpi,
    name: str,
    scope: Scope,
    verdicts: Mapping[tuple[str, Scope], Judged],
    history: Sequence[Record],
    measure: Callable[[str], Fraction | None],
    *,
    since: date | None = None,
) -> Measured:
    """The value of a derived KPI; ``no_data`` where any operand has none.  ``since`` is when the review period began."""
    if kpi.value.moving_mean is not None:
        return _moving(kpi.value.moving_mean, scope, verdicts, history, since)
    if kpi.value.share_met is not None:
        return _share_met(kpi.value.share_met, scope, verdicts)
    if kpi.value.across is not None:
        return _across(kpi.value.across, scope, verdicts)
    assert kpi.value.derived is not None
    value = _compute(kpi.value.derived, name, scope, verdicts, history, measure)
    if value is None:
        return Measured("no_data", note="one of the results it is computed from is missing")
    return Measured("measured", value=value)


def _moving(
    rule: MovingMean, scope: Scope, verdicts: Mapping[tuple[str, Scope], Judged], history: Sequence[Record], since: date | None
) -> Measured:
    if rule.periods is not None:
        earlier = list(history[-(rule.periods - 1) :]) if rule.periods > 1 else []
    else:
        earlier = [record for record in history if since is None or record.period.from_on >= since]
    own = _verdict(verdicts, rule.of, scope)
    if own is None or own.measured.status not in (("measured",) if rule.by == "results" else ("measured", "no_volume")):
        return Measured("no_data", note=f"{rule.of} has no value in this period")
    looked = [verdict for record in earlier if (verdict := _verdict(record.verdicts, rule.of, scope)) is not None]
    if rule.by == "results":
        values = [value for one in [*looked, own] if (value := _value_of(one)) is not None]
        return Measured("measured", value=sum(values, Fraction(0)) / len(values), note=f"the mean of {len(values)} results")
    counted = [one for one in [*looked, own] if one.measured.status in ("measured", "no_volume") and one.measured.denominator is not None]
    above = sum((Fraction(one.measured.numerator or 0) for one in counted), Fraction(0))
    below = sum((Fraction(one.measured.denominator or 0) for one in counted), Fraction(0))
    if below == 0:
        return Measured("no_volume", numerator=above, denominator=below)
    value = times_of(own.kpi) * above / below
    return Measured(
        "measured", numerator=above, denominator=below, value=value, n=below, note=f"the counts of {len(counted)} periods"
    )


def _share_met(rule: ShareMet, scope: Scope, verdicts: Mapping[tuple[str, Scope], Judged]) -> Measured:
    judged = [
        is_met(verdict.kpi, verdict.compared, verdict.levels, rule.level)
        for (name, own), verdict in verdicts.items()
        if name == rule.of and covers(scope, own) and verdict.compared is not None
    ]
    counted = [one for one in judged if one is not None]
    if not counted:
        return Measured("no_volume", numerator=0, denominator=0, note=f"no scope of {rule.of} was judged")
    met, of = sum(counted), len(counted)
    if rule.give == "percent":
        return Measured("measured", numerator=met, denominator=of, value=Fraction(100 * met, of), n=of)
    return Measured("measured", value=Fraction(met if rule.give == "met" else of - met), n=of, note=f"of {of} scopes of {rule.of}")


def _across(rule: Across, scope: Scope, verdicts: Mapping[tuple[str, Scope], Judged]) -> Measured:
    values = [
        verdict.measured.value
        for (name, own), verdict in verdicts.items()
        if name == rule.of and covers(scope, own) and verdict.measured.status == "measured" and verdict.measured.value is not None
    ]
    if not values:
        return Measured("no_data", note=f"no scope of {rule.of} has a value")
    match rule.take:
        case "spread":
            value = max(values) - min(values)
        case "greatest":
            value = max(values)
        case "least":
            value = min(values)
        case "mean":
            value = sum(values, Fraction(0)) / len(values)
        case "median":
            value = percentile_of(values, Fraction(50), linear=True)
        case _:
            value = percentile_of(values, Fraction(rule.percent or 0), linear=rule.method == "linear")
    return Measured("measured", value=value, n=len(values), note=f"of {len(values)} results of {rule.of}")


def _verdict(verdicts: Mapping[tuple[str, Scope], Judged], name: str, scope: Scope) -> Judged | None:
    """A KPI's verdict for the scope, or for the one wider scope it is judged at."""
    exact = verdicts.get((name, scope))
    if exact is None:
        wider = [verdict for (held, own), verdict in verdicts.items() if held == name and covers(own, scope)]
        exact = wider[0] if len(wider) == 1 else None
    return exact


def _value_of(verdict: Judged | None) -> Fraction | None:
    return verdict.measured.value if verdict is not None and verdict.measured.status == "measured" else None


def _value(verdicts: Mapping[tuple[str, Scope], Judged], name: str, scope: Scope) -> Fraction | None:
    return _value_of(_verdict(verdicts, name, scope))


def _compute(
    derived: Derived,
    name: str,
    scope: Scope,
    verdicts: Mapping[tuple[str, Scope], Judged],
    history: Sequence[Record],
    measure: Callable[[str], Fraction | None],
) -> Fraction | None:
    values: list[Fraction] = []
    for operand in _listed(derived):
        value = _operand(operand, name, scope, verdicts, history, measure)
        if value is None:
            return None
        values.append(value)
    first, rest = values[0], values[1:]
    match operation(derived):
        case "sum":
            return sum(values, Fraction(0))
        case "difference":
            return first - sum(rest, Fraction(0))
        case "product":
            result = first
            for value in rest:
                result *= value
            return result
        case "quotient":
            return first / rest[0] if rest and rest[0] else None
        case "greatest":
            return max(values)
        case "least":
            return min(values)
        case _:
            return sum(values, Fraction(0)) / len(values)


def _operand(
    operand: Operand,
    name: str,
    scope: Scope,
    verdicts: Mapping[tuple[str, Scope], Judged],
    history: Sequence[Record],
    measure: Callable[[str], Fraction | None],
) -> Fraction | None:
    if operand.number is not None:
        return Fraction(operand.number)
    if operand.measure is not None:
        return measure(operand.measure)
    if operand.kpi is not None:
        return _value(verdicts, operand.kpi, scope)
    if operand.derived is not None:
        return _compute(operand.derived, name, scope, verdicts, history, measure)
    of = operand.best_before or operand.previous or name
    earlier = [value for record in history if (value := _value(record.verdicts, of, scope)) is not None]
    if not earlier:
        return None
    if operand.previous is not None:
        return _value(history[-operand.back].verdicts, of, scope) if len(history) >= operand.back else None
    kpi = next((verdict.kpi for record in history for (held, _), verdict in record.verdicts.items() if held == of), None)
    return min(earlier) if kpi is not None and kpi.better == "lower" else max(earlier)
