"""Step 12: credits that come back when the vendor performs for a while after the failure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from scorecards.pricing.ledger import Record
from scorecards.pricing.windows import exceeded, met, verdicts_for


def earn_back(now: Record, history: Sequence[Record]) -> None:
    """Returns a share of the credits of the period that lies the run's length back.

    Every one of the periods after it must perform; a period that is not judged did not perform.  No source seen
    says whether such a period breaks the run, so the stricter reading is taken and shown.
    """
    records = [*history, now]
    for rule in now.contract.money.earn_back:
        if len(records) <= rule.periods:
            continue
        if records[-rule.periods - 1].period.from_on.month in rule.except_months:
            continue
        failed, after = records[-rule.periods - 1], records[-rule.periods :]
        performs = met if rule.strictness == "met" else exceeded
        for payable in failed.payables:
            if payable.kind != "credit" or payable.kpi is None or payable.amount <= 0:
                continue
            if rule.for_ and payable.kpi not in rule.for_:
                continue
            runs = [
                all(
                    performs(verdict, rule.level)
                    for verdict in verdicts_for(record, payable.kpi, payable.scope)
                )
                and bool(verdicts_for(record, payable.kpi, payable.scope))
                for record in after
            ]
            if not all(runs):
                continue
            amount = Fraction(rule.percent) / 100 * payable.amount
            if rule.at_most is not None:
                amount = min(amount, Fraction(rule.at_most))
            now.earned_back.append((payable.scope, amount))
            now.line(
                12,
                "earn_back",
                payable.scope,
                f"{payable.rule} of {failed.period.from_on}: {rule.level} {rule.strictness} in the {rule.periods} "
                "periods since",
                amount=amount,
                kpi=payable.kpi,
                clause=rule.clause,
                inputs={"credit": payable.amount, "percent": Fraction(rule.percent)},
            )
