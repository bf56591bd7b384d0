"""Step 10, first part: of several credits for one event, only one stands."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from contracts.document import Exclusive
from scorecards.pricing.claims import Claim, claimed_among
from scorecards.pricing.ledger import Payable, Record, restrict


def apply_exclusivity(now: Record, claims: Sequence[Claim] | None = None) -> None:
    """Drops every credit of an exclusive group but the one the contract (or the customer) chooses, scope by scope."""
    for group in now.contract.money.exclusive:
        if group.same == "event":
            _by_event(now, group, claims)
            continue
        rivals: dict[object, list[Payable]] = {}
        for payable in now.payables:
            if payable.kind == "credit" and payable.amount and payable.names & set(group.among):
                place = payable.scope if group.for_each is None else restrict(payable.scope, group.for_each)
                rivals.setdefault(place, []).append(payable)
        for held in rivals.values():
            if len(held) < 2:
                continue
            chosen, why = _chosen(now, group, held, {id(one): one.amount for one in held}, claims, None)
            for payable in held:
                if payable is chosen:
                    continue
                now.line(
                    10,
                    "exclusive",
                    payable.scope,
                    f"{payable.rule} gives way to {chosen.rule}{why}: one event, one credit",
                    amount=-payable.amount,
                    kpi=payable.kpi,
                    clause=group.clause,
                )
                payable.amount = Fraction(0)


def _chosen(
    now: Record, group: Exclusive, held: Sequence[Payable], amounts: dict[int, Fraction], claims: Sequence[Claim] | None, event: str | None
) -> tuple[Payable, str]:
    if group.take == "first_listed":
        return min(held, key=lambda p: min(group.among.index(n) for n in p.names if n in group.among)), ""
    if group.take == "highest_points":
        return max(held, key=lambda p: (p.points or Fraction(0), amounts[id(p)])), ""
    highest = max(held, key=lambda p: amounts[id(p)])
    if group.take == "claimed":
        chosen = claimed_among(now, held, claims, event)
        return (chosen, ", which the customer chose") if chosen is not None else (highest, ", until the customer chooses")
    return highest, ""


def _by_event(now: Record, group: Exclusive, claims: Sequence[Claim] | None) -> None:
    """Leaves each single event to one of the rules it falls under; the others lose what it contributed to them."""
    rivals: dict[str, list[Payable]] = {}
    for payable in now.payables:
        if payable.kind == "credit" and payable.names & set(group.among):
            for event in payable.parts:
                rivals.setdefault(event, []).append(payable)
    for event, held in sorted(rivals.items()):
        if len(held) < 2:
            continue
        chosen, why = _chosen(now, group, held, {id(one): one.parts[event] for one in held}, claims, event)
        for payable in held:
            if payable is chosen:
                continue
            amount = min(payable.amount, payable.parts.pop(event))
            payable.amount -= amount
            now.line(
                10,
                "exclusive",
                payable.scope,
                f"{payable.rule} gives way to {chosen.rule}{why} for event {event}: one event, one credit",
                amount=-amount,
                kpi=payable.kpi,
                clause=group.clause,
            )
