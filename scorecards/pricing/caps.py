"""Step 11: limits by span, in the order the contract writes them, and what happens to the excess."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fractions import Fraction

from contracts.document import Cap
from contracts.period import add_months
from scorecards.measurement import Scope
from scorecards.pricing.bases import Amounts
from scorecards.pricing.ledger import Note, Payable, Record, covers, last_periods, restrict


def add_carried(now: Record, history: Sequence[Record]) -> None:
    """What the period before could not pay because of a cap is owed in this one."""
    if not history:
        return
    for owed in sorted(history[-1].payables, key=lambda one: one.scope):
        if owed.kind == "carry":
            now.payables.append(
                Payable(
                    "carried from the period before", owed.carries, owed.scope, owed.amount,
                    names=owed.names, full=owed.amount, carries=owed.carries,
                )
            )
            now.line(11, "carry", owed.scope, "carried from the period before", amount=owed.amount)


def apply_caps(now: Record, history: Sequence[Record], amounts: Amounts) -> None:
    """Applies each cap to the amounts it is on, scope by scope; reductions fall on them in proportion."""
    for number, cap in enumerate(now.contract.money.caps, 1):
        name = cap_name(cap, number)
        kind = "credit" if cap.limits == "credits" else "bonus"
        wanted = set(cap.on)
        groups: dict[Scope, list[Payable]] = {}
        for payable in now.payables:
            if payable.kind == kind and payable.amount > 0 and (not wanted or payable.names & wanted):
                groups.setdefault(_cap_scope(cap, payable.scope, amounts), []).append(payable)
        for scope, held in sorted(groups.items()):
            _apply(cap, name, scope, held, now, history, amounts)


def cap_name(cap: Cap, number: int) -> str:
    """The cap's own name, or its place in the list."""
    return cap.name or f"cap {number}"


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
    paid = sum((record.credit(scope, cap.on) if cap.limits == "credits" else record.bonus(scope, cap.on) for record in before), Fraction(0))
    if cap.amount is not None:
        limit, base = Fraction(cap.amount), None
        if cap.rolling is None and cap.each == "period":
            # A part of a period has its share of the limit, as it has of the charges.
            limit *= amounts.part
    else:
        base = _base(cap, scope, now, before, amounts, name)
        limit = Fraction(cap.percent or 0) / 100 * base
    room = max(Fraction(0), limit - paid)
    total = sum((payable.amount for payable in held), Fraction(0))
    # Where nothing is at stake there is no maximum to reach.
    if total >= room and total > 0 and limit > 0:
        now.notes.append(Note("at_cap", name, scope, limit))
    if total < room:
        return
    for payable in held:
        payable.amount = payable.amount * room / total
    excess = total - room
    inputs: dict[str, Fraction | str | None] = {cap.limits: total, "limit": limit}
    if paid:
        inputs["paid before"] = paid
    if cap.percent is not None:
        inputs["percent"] = Fraction(cap.percent)
    if excess and len(held) > 1:
        inputs["left of each"] = room / total
    words = f"{name}: {_words(cap)}" if excess else f"{name}: {_words(cap)}, reached exactly"
    now.line(
        11, "cap", scope, words, amount=-excess, clause=cap.clause, inputs=inputs, base=cap.of, base_amount=base
    )
    if excess and cap.excess == "carried":
        now.carried.append((scope, excess))
        # Kept among the payables, so that a period that is stored hands it on as one that was just judged does.
        names = frozenset(cap.on)
        side = "credit" if cap.limits == "credits" else "bonus"
        now.payables.append(
            Payable(f"{name}: carried into the next period", "carry", scope, excess, names=names, carries=side)  # type: ignore[arg-type]
        )
        now.line(11, "carry", scope, f"{name}: carried into the next period", amount=excess, clause=cap.clause)


def _words(cap: Cap) -> str:
    span = f"the last {cap.rolling} periods" if cap.rolling else (cap.each or "period").replace("_", " ")
    return f"at most {cap.amount} in a {span}" if cap.amount is not None else f"at most {cap.percent} % of {cap.of} in a {span}"


def _span(cap: Cap, now: Record, history: Sequence[Record]) -> list[Record]:
    """The earlier records inside the cap's span."""
    if cap.rolling is not None:
        return last_periods([*history[-2 * cap.rolling :], now], cap.rolling)[:-1]
    if cap.each == "life":
        return list(history)
    if cap.each == "contract_year":
        since = contract_year_start(now.began_on or now.contract.in_force.from_, now.period.from_on)
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
