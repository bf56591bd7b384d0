"""Step 10, second part: a credit that the customer has to ask for does not stand unless it asked in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from scorecards.pricing.ledger import Payable, Record, site_named


@dataclass(frozen=True, slots=True)
class Claim:
    """The customer asked for a credit, or chose it among several for one event."""

    starts_on: date
    """A day of the period whose credit it is."""
    kpi: str
    """The KPI, or the rule's name."""
    site: str | None = None
    event_id: str | None = None
    claimed_on: date | None = None
    """``None``: in time."""

    def is_for(self, record: Record, payable: Payable, event: str | None = None) -> bool:
        """Whether it asks for this credit of this period (and for this event, where it names one)."""
        return (
            self.starts_on in record.period
            and self.kpi in payable.names
            and self.site in (None, site_named(payable.scope))
            and (event is None or self.event_id in (None, event))
        )


def claim_by(record: Record) -> date | None:
    """The last day on which credits of the period may be claimed; ``None`` where nobody has to, or there is no end."""
    money = record.contract.money
    if money.claim != "on_claim" or money.claim_within_days is None:
        return None
    return record.period.until_on + timedelta(days=money.claim_within_days)


def drop_unclaimed(now: Record, claims: Sequence[Claim] | None) -> None:
    """Takes out every credit that had to be claimed and was not, or too late.

    Where nobody says what was claimed (``None``), every credit stands, and its line says until when it may be claimed.
    """
    if claims is None or now.contract.money.claim != "on_claim":
        return
    last = claim_by(now)
    for payable in now.payables:
        if payable.kind != "credit" or payable.amount == 0:
            continue
        asked = [one for one in claims if one.is_for(now, payable)]
        if any(one.claimed_on is None or last is None or one.claimed_on <= last for one in asked):
            continue
        late = min((one.claimed_on for one in asked if one.claimed_on is not None), default=None)
        words = "nobody asked for it" if late is None else f"asked for on {late}, and {last} was the last day"
        now.line(
            10, "claim", payable.scope, f"{payable.rule}: {words}", amount=-payable.amount, kpi=payable.kpi, clause=payable.clause
        )
        payable.amount = Fraction(0)


def claimed_among(now: Record, rivals: Sequence[Payable], claims: Sequence[Claim] | None, event: str | None = None) -> Payable | None:
    """The rival that the customer chose; ``None`` where it has not."""
    for claim in claims or ():
        for payable in rivals:
            if claim.is_for(now, payable, event):
                return payable
    return None


