"""How far back a period has to look, and earlier results as the records it looks at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from fractions import Fraction

from contracts.document import By, Contract, Derived, Kpi, Operand, When
from contracts.period import Period
from scorecards.evaluating import Version
from scorecards.measurement import Scope, scope_of
from scorecards.measuring import Measured
from scorecards.pricing.ledger import Memory, Record
from scorecards.pricing.windows import PASSED_OVER
from scorecards.scorecard import KpiResult
from scorecards.scoring import Judged, levels_in_force, round_decimals

FOR_EVER = 10_000


def periods_back(contract: Contract) -> int:
    """How many earlier periods the contract's rules need; at least one, because a streak goes on from it."""
    return max(1, *_needs(contract))


def _needs(contract: Contract) -> Iterator[int]:
    year = {"day": 366, "week": 53, "month": 12, "quarter": 4, "year": 1}[contract.measured.each]
    yield 1
    for kpi in contract.kpis.values():
        if kpi.repeat is not None:
            yield kpi.repeat.last + PASSED_OVER
        if (kpi.sample is not None and kpi.sample.otherwise == "accumulate") or (kpi.missing == "previous" and kpi.weight is not None):
            # Counts wait, and a value stands, as long as nothing is delivered.
            yield FOR_EVER
        if kpi.value.moving_mean is not None:
            yield kpi.value.moving_mean.periods or FOR_EVER
        if kpi.value.derived is not None and _looks_back(kpi.value.derived):
            yield FOR_EVER
    for payment in (*contract.money.credits, *contract.money.bonuses):
        for condition in (payment.when, payment.unless):
            if condition is not None:
                yield _window(condition)
        if payment.multiply is not None:
            yield payment.multiply.last + PASSED_OVER
        if payment.ladder is not None:
            yield payment.ladder.last
        for pay in (payment.pay, payment.at_most, *(rung.pay for rung in (payment.ladder.rungs if payment.ladder else []))):
            if pay is not None:
                yield from (_counts(by) for by in (pay.by, *(factor.by for factor in pay.factors)))
    yield from (_counts(rule.by) for rule in contract.scoring.deductions)
    for cap in contract.money.caps:
        if cap.rolling is not None:
            yield cap.rolling
        elif cap.each == "life":
            yield FOR_EVER
        elif cap.each in ("contract_year", "calendar_year"):
            yield year
        if cap.excess == "carried":
            yield 1
    for back in contract.money.earn_back:
        yield (back.within or back.periods) + 1
    for base in contract.money.bases.values():
        if base.in_period == "previous":
            # A base of the period before may rest on another one of the period before that.
            yield 2
    for ratchet in contract.ratchets:
        yield ratchet.periods
    for right in contract.rights:
        yield _window(right.when) + 1


def _counts(by: By | None) -> int:
    if by is None:
        return 1
    return by.count.last if by.count is not None else by.last


def _window(when: When) -> int:
    if when.window is None:
        return 1
    return max(when.window.last, when.window.in_a_row + PASSED_OVER if when.window.in_a_row is not None else 1)


def _looks_back(derived: Derived) -> bool:
    for name in derived.__struct_fields__:
        operands: list[Operand] | None = getattr(derived, name)
        for operand in operands or ():
            if operand.best_before is not None or operand.previous is not None:
                return True
            if operand.derived is not None and _looks_back(operand.derived):
                return True
    return False


def measures_of_bases(contract: Contract) -> set[str]:
    """The measures that bases are made of, directly or by way of another base."""
    bases = contract.money.bases
    named = {name for base in bases.values() for name in (base.measure, base.of, *base.plus, *base.minus) if name is not None}
    named |= {cap.of for cap in contract.money.caps if cap.of is not None}
    named |= {one.rate for one in contract.money.rates.values() if isinstance(one.rate, str)}
    return {name for name in named if name not in bases} | {name for name, one in contract.measures.items() if one.money}


def needs_bases(contract: Contract) -> bool:
    """Whether any rule asks for the bases of earlier periods: limits and rights over several of them, and bases of the period before."""
    return (
        bool(contract.rights)
        or any(cap.rolling or cap.each not in ("period", None) for cap in contract.money.caps)
        or any(base.in_period == "previous" for base in contract.money.bases.values())
        or any(one is not None and one.window is not None for rule in (*contract.money.credits, *contract.money.bonuses)
               for one in (rule.when, rule.unless))
    )


def record_of(
    version: Version, period: Period, results: list[KpiResult], memories: Sequence[Memory] = (), *, began_on: date | None = None
) -> Record:
    """A period that was judged before, as later periods see it.

    The verdict is taken as it was given, from the two counts where there are two; it is not judged again, because a
    frozen result is what the contract's memory consists of.
    """
    record = Record(version.contract, version.label, period, began_on=began_on, is_remembered=True)
    for result in results:
        kpi = version.contract.kpis.get(result.kpi)
        if kpi is None:
            continue
        scope: Scope = scope_of(result.site, result.dimensions)
        value = _value(result, kpi)
        levels = {name: Fraction(number) for name, number in result.levels.items()} or levels_in_force(
            kpi, period.from_on, scope, lambda _name: None
        )
        record.verdicts[result.kpi, scope] = Judged(
            name=result.kpi,
            kpi=kpi,
            scope=scope,
            period=period,
            version=version.label,
            measured=Measured(
                result.status,
                numerator=None if result.numerator is None else Fraction(result.numerator),
                denominator=None if result.denominator is None else Fraction(result.denominator),
                value=value,
                n=_cases(result),
                periods=result.accumulated,
                without_relief=None if result.value_without_relief is None else Fraction(result.value_without_relief),
            ),
            levels=levels,
            levels_without_relief=(
                levels | {name: Fraction(number) for name, number in result.levels_without_relief.items()}
                if result.levels_without_relief
                else None
            ),
            compared=_compared(value, kpi),
            met=result.met,
            level=result.level,
            # How many they were before they were multiplied is not asked again, only whether there were any.
            points_base=None if result.points is None else Fraction(result.points),
            points=None if result.points is None else Fraction(result.points),
            streak=result.streak,
            accumulated=result.accumulated,
        )
    for memory in memories:
        record.payables += memory.payables
        record.notes += memory.notes
    record.scores = {note.scope: note.amount for note in record.notes if note.kind == "score"}
    return record


def _cases(result: KpiResult) -> Fraction | None:
    if result.cases is not None:
        return Fraction(result.cases)
    return None if result.denominator is None else Fraction(result.denominator)


def _compared(value: Fraction | None, kpi: Kpi) -> Fraction | None:
    """What met the level: the value as the contract rounds it, which follows from the exact one."""
    if value is None or kpi.precision is None or kpi.precision.when != "before_comparing":
        return value
    return round_decimals(value, kpi.precision)


def _value(result: KpiResult, kpi: Kpi) -> Fraction | None:
    """The exact value: from the counts where there are any, so that what was cut for showing is not judged again."""
    if result.status != "measured" or result.value is None:
        return None
    if result.numerator is None:
        return Fraction(result.value)
    above = Fraction(result.numerator)
    if not result.denominator:
        return above if kpi.value.kind in ("sum", "count", "last") else Fraction(result.value)
    if kpi.value.kind not in ("ratio", "mean", "rate", "intervals", "share_met"):
        return Fraction(result.value)
    times = Fraction(kpi.value.rate.each) if kpi.value.rate is not None else Fraction(1 if kpi.value.mean is not None else 100)
    return times * above / Fraction(result.denominator)
