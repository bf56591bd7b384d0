"""Step 12, first part: credits that come back when the vendor performs for a while after the failure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from contracts.document import EarnBack
from scorecards.pricing.ledger import Payable, Record, last_periods, periods_of
from scorecards.pricing.offsets import is_excepted
from scorecards.pricing.windows import exceeded, met, verdicts_for


def earn_back(now: Record, history: Sequence[Record]) -> None:
    """Returns a share of the credits of an earlier period after which so many periods in a row performed.

    Every one of them must perform; a period that is not judged did not perform.  No source seen says whether such a
    period breaks the run, so the stricter reading is taken and shown.  A run counts once: it gives back when it is
    complete, which is at the end of a period.
    """
    if now.period.until_on < now.whole.until_on and now.period.until_on != now.contract.in_force.until:
        return
    for rule in now.contract.money.earn_back:
        within = rule.within or rule.periods
        held = periods_of(last_periods([*history[-2 * within - 1 :], now], within + 1))
        for place, failed in enumerate(held[: -rule.periods]):
            after = held[place + 1 :]
            if failed[0].period.from_on.month in rule.except_months:
                continue
            for record in failed:
                for payable in sorted(record.payables, key=lambda one: one.scope):
                    if _may_return(rule, record, payable) and _is_complete_now(rule, payable, after):
                        _give_back(rule, now, record, payable)


def _may_return(rule: EarnBack, record: Record, payable: Payable) -> bool:
    if payable.kind != "credit" or payable.kpi is None or payable.amount <= 0:
        return False
    if rule.for_ and payable.kpi not in rule.for_:
        return False
    return not is_excepted(record, payable, except_bands=rule.except_bands)


def _is_complete_now(rule: EarnBack, payable: Payable, after: Sequence[Sequence[Record]]) -> bool:
    """Whether the run of performing periods ends with the last one, and none was complete before."""
    run = 0
    for number, records in enumerate(after, 1):
        run = run + 1 if _performs(rule, payable, records) else 0
        if run == rule.periods:
            return number == len(after)
    return False


def _performs(rule: EarnBack, payable: Payable, records: Sequence[Record]) -> bool:
    performs = met if rule.strictness == "met" else exceeded
    for record in records:
        looked = verdicts_for(record, payable.kpi if rule.whose == "kpi" else None, payable.scope)
        if rule.whose == "all":
            looked = [verdict for verdict in looked if rule.level in verdict.levels or verdict.met is not None]
        if not looked or not all(performs(verdict, rule.level) for verdict in looked):
            return False
    return True


def _give_back(rule: EarnBack, now: Record, failed: Record, payable: Payable) -> None:
    amount = Fraction(rule.percent) / 100 * payable.amount
    if rule.at_most is not None:
        amount = min(amount, Fraction(rule.at_most))
    span = f"the {rule.periods} periods since" if rule.within is None else f"{rule.periods} periods in a row within {rule.within}"
    words = f"{payable.rule} of {failed.period.from_on}: {rule.level} {rule.strictness} in {span}"
    inputs: dict[str, Fraction | str | None] = {"credit": payable.amount, "percent": Fraction(rule.percent)}
    if rule.at_most is not None:
        inputs["at most"] = Fraction(rule.at_most)
    now.line(12, "earn_back", payable.scope, words, amount=amount, kpi=payable.kpi, clause=rule.clause, inputs=inputs)
    if rule.offsets is None:
        now.earned_back.append((payable.scope, amount))
        return
    now.payables.append(
        Payable(
            f"{payable.rule} earned back", "bonus", payable.scope, amount, payable.kpi, rule.clause,
            names=payable.names, full=amount, offset=rule.offsets,
        )
    )
