"""Step 10: of several credits for one event, only one stands."""

from __future__ import annotations

from fractions import Fraction

from contracts.document import Exclusive
from scorecards.pricing.ledger import Payable, Record


def apply_exclusivity(now: Record) -> None:
    """Drops every credit of an exclusive group but the one the contract chooses, scope by scope."""
    for group in now.contract.money.exclusive:
        if group.same == "event":
            _by_event(now, group)
            continue
        rivals: dict[object, list[Payable]] = {}
        for payable in now.payables:
            if payable.kind == "credit" and payable.names & set(group.among):
                rivals.setdefault(payable.scope, []).append(payable)
        for held in rivals.values():
            if len(held) < 2:
                continue
            if group.take == "first_listed":
                chosen = min(held, key=lambda p: min(group.among.index(n) for n in p.names if n in group.among))
            elif group.take == "highest_points":
                chosen = max(held, key=lambda p: (p.points or Fraction(0), p.amount))
            else:
                chosen = max(held, key=lambda p: p.amount)
            for payable in held:
                if payable is chosen or payable.amount == 0:
                    continue
                now.line(
                    10,
                    "exclusive",
                    payable.scope,
                    f"{payable.rule} gives way to {chosen.rule}: one event, one credit",
                    amount=-payable.amount,
                    kpi=payable.kpi,
                    clause=group.clause,
                )
                payable.amount = Fraction(0)


def _by_event(now: Record, group: Exclusive) -> None:
    """Leaves each single event to one of the rules it falls under; the others lose what it contributed to them."""
    rivals = [payable for payable in now.payables if payable.kind == "credit" and payable.names & set(group.among)]
    events = dict.fromkeys(event for payable in rivals for event in payable.parts)
    for event in events:
        held = [payable for payable in rivals if payable.parts.get(event)]
        if len(held) < 2:
            continue
        if group.take == "first_listed":
            chosen = min(held, key=lambda p: min(group.among.index(n) for n in p.names if n in group.among))
        elif group.take == "highest_points":
            chosen = max(held, key=lambda p: (p.points or Fraction(0), p.parts[event]))
        else:
            chosen = max(held, key=lambda p: p.parts[event])
        for payable in held:
            if payable is chosen:
                continue
            amount = min(payable.amount, payable.parts.pop(event))
            payable.amount -= amount
            now.line(
                10,
                "exclusive",
                payable.scope,
                f"{payable.rule} gives way to {chosen.rule} for event {event}: one event, one credit",
                amount=-amount,
                kpi=payable.kpi,
                clause=group.clause,
            )
