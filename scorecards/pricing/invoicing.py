"""Step 15: which invoice a credit goes on, what it leaves of it, and the tax on that."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from scorecards.measurement import Scope
from scorecards.pricing.bases import Amounts
from scorecards.pricing.ledger import Invoiced, Note, Record, restrict
from scorecards.pricing.payments import payable_in
from scorecards.pricing.rounding import to_step


def drop_after_the_end(now: Record) -> None:
    """Takes out credits whose invoice would come after the contract's end, where the contract says that they lapse."""
    end = now.contract.in_force.until
    if now.contract.money.at_end != "lapses" or end is None:
        return
    for payable in now.payables:
        if payable.kind not in ("credit", "carry") or not payable.amount:
            continue
        following = max(now.period.until_on, now.whole.until_on)
        due = following if payable.kind == "carry" else now.period.from_on if payable.is_due_now else payable_in(now)
        if due < end:
            continue
        now.line(
            15, "invoice", payable.scope, f"{payable.rule}: lapses, no invoice follows the end on {end}", amount=-payable.amount,
            kpi=payable.kpi, clause=payable.clause,
        )
        payable.amount = Fraction(0)


def invoice(now: Record, history: Sequence[Record], amounts: Amounts) -> None:
    """Takes what is due off the invoice of this period, scope by scope, and hands on what is left for the next one."""
    rule = now.contract.money.invoice
    if rule is None:
        return
    names = [name for name in amounts.names(rule.of) if name == "site"]
    owed = [note for note in history[-1].notes if note.kind == "owed"] if history else []
    scopes = {restrict(scope, names) for _, scope in now.verdicts} | {restrict(p.scope, names) for p in now.payables}
    scopes |= {note.scope for note in owed}
    waiting: dict[Scope, Fraction] = {}
    for note in owed:
        waiting[note.scope] = waiting.get(note.scope, Fraction(0)) + note.amount
    back: dict[Scope, Fraction] = {}
    for held, amount in now.earned_back:
        back[restrict(held, names)] = back.get(restrict(held, names), Fraction(0)) + to_step(now, amount)
    for scope in sorted(scopes if names else {()}):
        _invoice(now, amounts, scope, waiting.get(scope, Fraction(0)), back.get(scope, Fraction(0)))


def _invoice(now: Record, amounts: Amounts, scope: Scope, waiting: Fraction, back: Fraction) -> None:
    rule = now.contract.money.invoice
    assert rule is not None
    before = amounts.amount(rule.of, scope)
    of_now, of_next = _arisen(now, scope, back)
    due = waiting + of_now
    if before is None:
        # Without an invoice nothing can be taken off one; all of it waits.
        _hand_on(now, scope, due + of_next)
        return
    taken, left = due, Fraction(0)
    if due > before and rule.below_zero != "refunded":
        taken, left = before, due - before
    inputs: dict[str, Fraction | str | None] = {"due": due}
    if waiting:
        inputs["from periods before"] = waiting
    words = f"taken off the invoice of {now.period.from_on}"
    now.line(15, "invoice", scope, words, amount=-taken, inputs=inputs, base=rule.of, base_amount=before)
    if left and rule.below_zero == "lost":
        now.line(15, "invoice", scope, "more than the invoice: lost", amount=-left, inputs={"due": due})
        left = Fraction(0)
    tax = Fraction(0)
    if rule.tax is not None:
        taxed = before - taken if rule.tax.of == "what_is_left" else before
        tax = to_step(now, Fraction(rule.tax.percent) / 100 * taxed)
        now.line(
            15, "tax", scope, f"{rule.tax.percent} % of {rule.tax.of.replace('_', ' ')}", amount=tax,
            inputs={"percent": Fraction(rule.tax.percent), "taxed": taxed},
        )
    now.invoices.append(Invoiced(scope, before, taken, tax, left + of_next))
    _hand_on(now, scope, left + of_next)


def _arisen(now: Record, scope: Scope, back: Fraction) -> tuple[Fraction, Fraction]:
    """What arose in the period: for its own invoice, and for the next one; credits less bonuses and what was earned back."""
    of_now, of_next = Fraction(0), Fraction(0)
    next_one = now.contract.money.payable_in == "next_period"
    for payable in now.paid(scope):
        if payable.kind == "carry":
            continue
        amount = to_step(now, payable.amount if payable.kind == "credit" else -payable.amount)
        if next_one and not payable.is_due_now:
            of_next += amount
        else:
            of_now += amount
    return (of_now, of_next - back) if next_one else (of_now - back, of_next)


def _hand_on(now: Record, scope: Scope, amount: Fraction) -> None:
    if amount:
        now.notes.append(Note("owed", "for the next invoice", scope, amount))
        now.line(15, "carry", scope, "for the next invoice", amount=amount)
