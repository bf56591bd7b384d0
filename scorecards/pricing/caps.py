"""Step 11: limits by span, in the order the contract writes them, and what happens to the excess."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fractions import Fraction

from contracts.document import Cap
from contracts.period import add_months
from scorecards.measurement import Scope
from scorecards.pricing.bases import Amounts
from scorecards.pricing.ledger import Payable, Record, covers, restrict


def add_carried(now: Record, history: Sequence[Record]) -> None:
    """What the period before could not pay because of a cap is owed in this one."""
    if not history:
        return
    for owed in history[-1].payables:
        if owed.kind == "carry":
            now.payables.append(Payable("carried from the period before", "credit", owed.scope, owed.amount))
            now.line(11, "carry", owed.scope, "carried from the period before", amount=owed.amount)


def apply_caps(now: Record, history: Sequence[Record], amounts: Amounts) -> None:
    """Applies each cap to the credits it is on, scope by scope; reductions fall on the credits in proportion."""
    for number, cap in enumerate(now.contract.money.caps, 1):
        name = cap.name or f"cap {number}"
        wanted = set(cap.on)
        groups: dict[Scope, list[Payable]] = {}
        for payable in now.payables:
            if payable.kind == "credit" and payable.amount > 0 and (not wanted or payable.names & wanted):
                groups.setdefault(_cap_scope(cap, payable.scope, amounts), []).append(payable)
        for scope, held in groups.items():
            _apply(cap, name, scope, held, now, history, amounts)


def _cap_scope(cap: Cap, scope: Scope, amounts: Amounts) -> Scope:
    if cap.for_each is not None:
        return restrict(scope, cap.for_each)
    return restrict(scope, amounts.names(cap.of)) if cap.of is not None else restrict(scope, ["site"])


def _apply(
    cap: Cap,
    name: str,
    scope: Scope,
    held: Sequence[Payable],
    now: Record,
    history: Sequence[Record],
    amounts: Amounts,
) -> None:
    before = _span(cap, now, history)
    paid = sum((record.credit(scope, cap.on) for record in before), Fraction(0))
    if cap.amount is not None:
        limit, base = Fraction(cap.amount), None
    else:
        base = _base(cap, scope, now, before, amounts, name)
        limit = Fraction(cap.percent or 0) / 100 * base
    room = max(Fraction(0), limit - paid)
    total = sum((payable.amount for payable in held), Fraction(0))
    # Where nothing is at stake there is no maximum to reach.
    if total >= room and total > 0 and limit > 0:
        now.capped.add((name, scope))
    if total <= room:
        return
    for payable in held:
        payable.amount = payable.amount * room / total
    excess = total - room
    inputs: dict[str, Fraction | str | None] = {"credits": total, "limit": limit}
    if paid:
        inputs["paid before"] = paid
    if cap.percent is not None:
        inputs["percent"] = Fraction(cap.percent)
    words = f"{name}: {_words(cap)}"
    now.line(
        11, "cap", scope, words, amount=-excess, clause=cap.clause, inputs=inputs, base=cap.of, base_amount=base
    )
    if cap.excess == "carried":
        now.carried.append((scope, excess))
        # Kept among the payables, so that a period that is stored hands it on as one that was just judged does.
        now.payables.append(Payable(f"{name}: carried into the next period", "carry", scope, excess))
        now.line(11, "carry", scope, f"{name}: carried into the next period", amount=excess, clause=cap.clause)


def _words(cap: Cap) -> str:
    span = f"the last {cap.rolling} periods" if cap.rolling else (cap.each or "period").replace("_", " ")
    return f"at most {cap.amount} in a {span}" if cap.amount is not None else f"at most {cap.percent} % of {cap.of} in a {span}"


def _span(cap: Cap, now: Record, history: Sequence[Record]) -> list[Record]:
    """The earlier records inside the cap's span."""
    if cap.rolling is not None:
        return list(history[-(cap.rolling - 1) :]) if cap.rolling > 1 else []
    if cap.each == "life":
        return list(history)
    if cap.each == "contract_year":
        since = contract_year_start(now.contract.in_force.from_, now.period.from_on)
        return [record for record in history if record.period.from_on >= since]
    if cap.each == "calendar_year":
        return [record for record in history if record.period.from_on >= date(now.period.from_on.year, 1, 1)]
    return []


def contract_year_start(start: date, on: date) -> date:
    """The first day of the contract year that holds ``on``."""
    years = on.year - start.year
    first = add_months(start, 12 * years)
    return first if first <= on else add_months(start, 12 * (years - 1))


def _base(
    cap: Cap, scope: Scope, now: Record, before: Sequence[Record], amounts: Amounts, name: str
) -> Fraction:
    assert cap.of is not None
    total = amounts.needed(cap.of, scope, name)
    base = now.contract.money.bases.get(cap.of)
    if base is not None and base.per == "year":
        return total
    for record in before:
        own = record.base_amount(cap.of, scope)
        total += own or Fraction(0)
        total += sum((amount for held, amount in record.known_charges if covers(scope, held)), Fraction(0))
    return total
