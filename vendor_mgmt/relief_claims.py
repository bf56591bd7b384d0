"""Relief: claims under the contract's terms, the clock of their notice, and claims that a missed duty of the client suggests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from contracts import agreements
from contracts.document import Contract, ReliefTerms
from contracts.errors import NotFound
from vendor_mgmt.escalations.watching import business_calendar
from vendor_mgmt.intake import queries
from vendor_mgmt.intake.queries import NotDecidable

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A stored claim. `is_late`: notice came after it was due, so that whoever decides has to say why it counts all the same."""

    claim: int
    effect: str
    notice_due_at: datetime | None
    is_late: bool


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A claim as it stands."""

    claim: int
    site: str | None
    kpi: str | None
    cause: str
    relief_from: date
    relief_until: date
    effect: str
    evidence: str | None
    claimed_at: datetime
    notice_due_at: datetime | None
    is_late: bool
    state: str
    decision: str | None


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that could be made, because the client missed a duty. Nobody has made it."""

    contract: str
    site: str | None
    cause: str
    relief_from: date
    relief_until: date
    evidence: str


async def claim(
    connection: Connection,
    contract: str,
    *,
    cause: str,
    relief_from: date,
    relief_until: date,
    claimed_by: int,
    at: datetime,
    site: str | None = None,
    kpi: str | None = None,
    dimensions: Mapping[str, str] | None = None,
    evidence: str | None = None,
) -> Claimed:
    """Make a claim under the terms in force when its cause began; their effect is the claim's. Raises `NotDecidable`, `NotFound`."""
    row = await agreements.contract(connection, contract)
    document = await _in_force(connection, row.lineage, contract, relief_from)
    terms = _terms(document, cause)
    place = None
    if site is not None:
        place = await connection.fetchval("SELECT id FROM site WHERE code = $1 AND vendor = $2", site, row.vendor_id)
        if place is None:
            raise NotFound(f"the vendor of {contract} has no site {site}", "Name a site of the contract, or none for all of them.")
    if kpi is not None and kpi not in document.kpis:
        raise NotDecidable(f"{contract} has no KPI {kpi!r}. It has {', '.join(document.kpis)}.")
    due_at = await notice_due_at(connection, document, terms, relief_from, at)
    number = await queries.claim_relief(
        connection, contract=row.id, cause=cause, relief_from=relief_from, relief_until=relief_until, effect=terms.effect,
        claimed_by=claimed_by, now=at, site=place, kpi=kpi, dimensions=dimensions, evidence=evidence, notice_due_at=due_at,
    )  # fmt: skip
    return Claimed(claim=number, effect=terms.effect, notice_due_at=due_at, is_late=due_at is not None and at > due_at)


async def notice_due_at(
    connection: Connection, contract: Contract, terms: ReliefTerms, relief_from: date, at: datetime
) -> datetime | None:
    """Until when notice of a cause that began on a day has to be given: so many business days of the contract's calendar after it began."""
    if terms.notice_business_days is None:
        return None
    _, working = await business_calendar(connection, contract, at)
    began = datetime.combine(relief_from, time(0), ZoneInfo(contract.time_zone))
    return working.add_days(began, terms.notice_business_days)


async def decide(
    connection: Connection, claim: int, *, approve: bool, decided_by: int, decision: str, at: datetime, despite_late: bool = False
) -> None:
    """Decide a claim, as `intake.queries.decide_relief` does. One whose notice came late is approved only by somebody who says so.

    Raises `NotDecidable`.
    """
    is_late = await connection.fetchval("SELECT claimed_at > notice_due_at FROM relief_claim WHERE id = $1", claim)
    if approve and is_late and not despite_late:
        raise NotDecidable(f"Notice of claim {claim} came late. Approve it knowing that, with the reason, or reject it.")
    if not decision.strip():
        raise NotDecidable(f"Claim {claim} needs the reasons of the decision; both parties read them.")
    await queries.decide_relief(connection, claim, approve=approve, decided_by=decided_by, decision=decision, now=at)


async def claims(connection: Connection, contract: str) -> list[Standing]:
    """The claims under a contract, oldest first. Raises `NotFound`."""
    row = await agreements.contract(connection, contract)
    return [Standing(**one) for one in await connection.fetch(_CLAIMS, row.lineage)]


_CLAIMS = """
    SELECT c.id AS claim, s.code AS site, c.kpi, c.cause, c.relief_from, c.relief_until, c.effect, c.evidence, c.claimed_at,
           c.notice_due_at, coalesce(c.claimed_at > c.notice_due_at, false) AS is_late, c.state, c.decision
    FROM relief_claim c JOIN contract k ON k.id = c.contract LEFT JOIN site s ON s.id = c.site
    WHERE k.lineage = $1 ORDER BY c.id
"""


async def drafts(connection: Connection, contract: str, period_from: date) -> list[Draft]:
    """Claims that missed duties of the client suggest for a closed period: one for each site and duty, unless such a claim was made."""
    row = await agreements.contract(connection, contract)
    document = await _in_force(connection, row.lineage, contract, period_from)
    duties = {name for name, kpi in document.kpis.items() if kpi.duty_of == "client"}
    if not duties or not document.relief:
        return []
    found = []
    for one in await connection.fetch(_MISSED_DUTIES, row.lineage, period_from, sorted(duties)):
        cause = _cause_of(document, one["kpi"])
        if not await connection.fetchval(_IS_CLAIMED, row.lineage, one["site_id"], cause, one["period_from"], one["period_until"]):
            title = document.kpis[one["kpi"]].title or one["kpi"]
            found.append(
                Draft(
                    contract=contract,
                    site=one["site"],
                    cause=cause,
                    relief_from=one["period_from"],
                    relief_until=one["period_until"],
                    evidence=f"{title} was {one['value']:f} in {one['number']}, a duty of the client that was missed.",
                )
            )
    return found


_MISSED_DUTIES = """
    SELECT DISTINCT ON (c.site, x.kpi, x.dims_key) c.site AS site_id, s.code AS site, x.kpi, x.value, c.number,
           c.period_from, c.period_until
    FROM scorecard c JOIN contract k ON k.id = c.contract LEFT JOIN site s ON s.id = c.site
    JOIN revision r ON r.scorecard = c.id AND r.state <> 'superseded'
    JOIN result x ON x.revision = r.id
    WHERE k.lineage = $1 AND c.period_from = $2 AND x.kpi = ANY ($3) AND x.met IS FALSE AND x.value IS NOT NULL
    ORDER BY c.site, x.kpi, x.dims_key, r.number DESC
"""

_IS_CLAIMED = """
    SELECT EXISTS (
        SELECT FROM relief_claim c JOIN contract k ON k.id = c.contract
        WHERE k.lineage = $1 AND (c.site IS NULL OR c.site IS NOT DISTINCT FROM $2) AND c.cause = $3 AND c.state <> 'withdrawn'
          AND c.relief_from < $5 AND c.relief_until > $4)
"""


def _cause_of(document: Contract, duty: str) -> str:
    """The term that is called like the duty, else the first one about the client."""
    words = set(duty.casefold().split("_"))
    named = [one.cause for one in document.relief if words & set(one.cause.casefold().replace("_", " ").split())]
    about = [one.cause for one in document.relief if "client" in one.cause.casefold()]
    return next(iter([*named, *about, document.relief[0].cause]))


async def _in_force(connection: Connection, lineage: int, contract: str, on: date) -> Contract:
    for one in await agreements.versions(connection, lineage):
        if one.in_force_from <= on and (one.in_force_until is None or on < one.in_force_until):
            return one.document
    raise NotDecidable(f"No version of {contract} was in force on {on}.")


def _terms(document: Contract, cause: str) -> ReliefTerms:
    found = next((one for one in document.relief if one.cause == cause), None)
    if found is None:
        causes = ", ".join(repr(one.cause) for one in document.relief) or "none"
        raise NotDecidable(f"The contract excuses nothing because of {cause!r}. The causes it names: {causes}.")
    return found
