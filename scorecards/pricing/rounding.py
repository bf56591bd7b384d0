"""Step 14: the one place where money is rounded, and the minimum amount."""

from __future__ import annotations

from fractions import Fraction

from scorecards.measurement import Scope
from scorecards.pricing.ledger import Record
from scorecards.scoring import rounded


def round_lines(now: Record) -> None:
    """Rounds each payment by itself, where the contract rounds at the line."""
    rule = now.contract.money.rounding
    if rule.at != "line":
        return
    for payable in now.payables:
        payable.amount = _rounded(now, payable.scope, payable.amount, payable.rule, payable.kpi)
    for note in now.notes:
        if note.kind == "banked":
            note.amount = _rounded(now, note.scope, note.amount, f"{note.rule}, in the bank", note.kpi)
    now.earned_back = [(scope, _rounded(now, scope, amount, "earn-back", None)) for scope, amount in now.earned_back]


def _rounded(now: Record, scope: Scope, amount: Fraction, words: str, kpi: str | None) -> Fraction:
    rule = now.contract.money.rounding
    result = rounded(amount, Fraction(rule.to), rule.mode)
    if result != amount:
        now.line(14, "rounding", scope, f"{words}: to {rule.to}, {rule.mode.replace('_', ' ')}", amount=result - amount, kpi=kpi)
    return result


def to_step(now: Record, amount: Fraction) -> Fraction:
    """The amount as an invoice can show it."""
    rule = now.contract.money.rounding
    return rounded(amount, Fraction(rule.to), rule.mode)


def round_total(now: Record, amount: Fraction) -> Fraction:
    """A total's amount; rounded here where the contract rounds at the total."""
    rule = now.contract.money.rounding
    return rounded(amount, Fraction(rule.to), rule.mode)


def apply_minimum(now: Record) -> None:
    """Drops or lifts the credits of a site whose sum is small."""
    rule = now.contract.money.minimum
    if rule is None:
        return
    groups: dict[Scope, Fraction] = {}
    for payable in now.payables:
        if payable.kind == "credit" and payable.amount > 0:
            site = tuple(pair for pair in payable.scope if pair[0] == "site")
            groups[site] = groups.get(site, Fraction(0)) + payable.amount
    for site, total in groups.items():
        if total >= Fraction(rule.below):
            continue
        wanted = Fraction(rule.below) if rule.then == "lifted" else Fraction(0)
        for payable in now.payables:
            if payable.kind == "credit" and site == tuple(pair for pair in payable.scope if pair[0] == "site"):
                payable.amount = payable.amount * wanted / total
        now.line(14, "rounding", site, f"credits below {rule.below} are {rule.then}", amount=wanted - total)
