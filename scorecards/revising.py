"""Proposals to revise scorecards that were issued: what is issued stands until a person decides.

A close that finds other figures than were issued writes the revision it would be as a draft, and a proposal that says why and by how much.
A person issues it, and then it supersedes the earlier one, or declines it, and then the draft is gone and the same figures are not proposed
again. Until then the draft follows the figures, and lapses when they come back to what was issued.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from contracts.errors import NotFound
from scorecards.scorecard import Scorecard, to_json

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]

NOT_FIGURES = frozenset(("prepared_at", "data_as_of", "state", "revision", "number", "tickets", "commentary", "feeds", "revises"))
"""Fields that say when a scorecard was made, or what stands beside it, and not what it says."""


def figures_of(document: Scorecard | Mapping[str, Any]) -> dict[str, Any]:
    """What a scorecard says, as plain values: two with the same figures are the same scorecard."""
    plain = msgspec.json.decode(to_json(document)) if isinstance(document, Scorecard) else document
    return {name: value for name, value in plain.items() if name not in NOT_FIGURES}


def fingerprint(document: Scorecard | Mapping[str, Any]) -> str:
    """The hash of what a scorecard says, in hexadecimal."""
    return hashlib.sha256(msgspec.json.encode(figures_of(document), order="sorted")).hexdigest()


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A proposed revision: of which scorecard, what it changes, why, and what was decided."""

    id: int
    contract: str
    site: str | None
    period_from: date
    period_until: date
    scorecard: str
    """The scorecard's number."""
    issued: int
    """The revision that stands."""
    number: int
    """The revision that is proposed."""
    cause: str
    """`IB-2026-03 version 2`, where a version judges that did not judge what was issued; otherwise `figures or relief`."""
    score_before: Decimal | None
    score_after: Decimal | None
    credit_before: Decimal | None
    credit_after: Decimal | None
    proposed_at: datetime
    decision: Literal["issued", "declined", "replaced", "lapsed"] | None
    decided_at: datetime | None
    reason: str | None


async def proposals(
    connection: Connection, *, contracts: Sequence[str] | None = None, scorecard: str | None = None, is_open: bool = True
) -> list[Proposal]:
    """The proposals that wait for a decision (or all), of contracts or of one scorecard, by contract, period and site."""
    rows = await connection.fetch(_PROPOSALS, None if contracts is None else list(contracts), scorecard, is_open)
    return [Proposal(**row) for row in rows]


_PROPOSALS = """
    SELECT p.id, c.code AS contract, site.code AS site, s.period_from, s.period_until, s.number AS scorecard, p.issued, p.number,
           coalesce(vc.code || ' version ' || v.number, 'figures or relief') AS cause,
           p.score_before, p.score_after, p.credit_before, p.credit_after, p.proposed_at, p.decision, p.decided_at, p.reason
    FROM revision_proposal p JOIN scorecard s ON s.id = p.scorecard JOIN contract c ON c.id = s.contract
    LEFT JOIN site ON site.id = s.site LEFT JOIN contract_version v ON v.id = p.version LEFT JOIN contract vc ON vc.id = v.contract
    WHERE ($1::text[] IS NULL OR c.code = ANY ($1)) AND ($2::text IS NULL OR s.number = $2) AND (NOT $3 OR p.decision IS NULL)
    ORDER BY c.code, s.period_from, site.code, p.id
"""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A revision to propose: of the scorecard with this id, from the one issued to the one drafted."""

    scorecard: int
    issued: int
    number: int
    before: Mapping[str, Any]
    """The issued document as plain values."""
    after: Scorecard


async def propose(connection: Connection, changes: Sequence[Change], at: datetime) -> None:
    """Put revisions forward; a proposal that was open for the same scorecard is replaced."""
    await settle(connection, [one.scorecard for one in changes], "replaced", at=at)
    for one in changes:
        old = set(one.before.get("version_hashes") or [])
        own = [sha256 for sha256 in one.after.version_hashes if sha256 not in old]
        before, after = _amounts(one.before), _amounts(msgspec.json.decode(to_json(one.after)))
        await connection.execute(_ADD, one.scorecard, one.issued, one.number, fingerprint(one.after), own, *before, *after, at)


_ADD = """
    INSERT INTO revision_proposal (scorecard, issued, number, figures_sha256, version, score_before, credit_before, score_after,
                                   credit_after, proposed_at)
    VALUES ($1, $2, $3, $4, (SELECT max(v.id) FROM contract_version v JOIN contract c ON c.id = v.contract
                                 JOIN contract own ON own.lineage = c.lineage JOIN scorecard s ON s.contract = own.id
                             WHERE s.id = $1 AND v.sha256 = ANY ($5)),
            $6::numeric, $7::numeric, $8::numeric, $9::numeric, $10)
"""


def _amounts(document: Mapping[str, Any]) -> tuple[Decimal | None, Decimal | None]:
    """Score and credit of a document, as the columns of a revision have them."""
    total = next((one for one in document.get("totals", []) if one["scope"] == document.get("scope")), None)
    return tuple(None if one is None else Decimal(one) for one in (document.get("score"), total["credit"] if total else None))  # type: ignore[return-value]


async def declined(connection: Connection, scorecards: Sequence[int]) -> set[tuple[int, int, str]]:
    """Scorecard, issued revision and fingerprint of everything that was declined for these scorecards."""
    rows = await connection.fetch(
        "SELECT scorecard, issued, figures_sha256 FROM revision_proposal WHERE decision = 'declined' AND scorecard = ANY ($1)",
        list(scorecards),
    )
    return {(row["scorecard"], row["issued"], row["figures_sha256"]) for row in rows}


async def settle(
    connection: Connection,
    scorecards: Sequence[int],
    decision: Literal["issued", "declined", "replaced", "lapsed"],
    *,
    at: datetime,
    actor: int | None = None,
    reason: str | None = None,
) -> None:
    """Set the decision on whatever is open for these scorecards."""
    await connection.execute(
        "UPDATE revision_proposal SET decision = $2, decided_at = $3, decided_by = $4, reason = $5 "
        "WHERE scorecard = ANY ($1) AND decision IS NULL",
        list(scorecards), decision, at, actor, reason,
    )  # fmt: skip


async def drop_drafts(connection: Connection, revisions: Sequence[int]) -> None:
    """Remove drafts whole, so that no figure of an older state is left. The database refuses it for anything issued."""
    for statement in (
        "DELETE FROM result WHERE revision = ANY ($1)",
        "DELETE FROM payable WHERE revision = ANY ($1)",
        "DELETE FROM note WHERE revision = ANY ($1)",
        "DELETE FROM revision WHERE id = ANY ($1)",
    ):
        await connection.execute(statement, list(revisions))


async def decline(connection: Connection, scorecard: str, *, reason: str, actor: int, at: datetime) -> Proposal:
    """Leave a scorecard as it was issued: the proposed revision goes, and the same figures are not proposed again.

    Periods after it may have looked back at the proposed figures; the caller closes them again. Raises `NotFound` where nothing is open.
    """
    await connection.execute("SELECT FROM scorecard WHERE number = $1 FOR UPDATE", scorecard)
    row = await connection.fetchrow(_OPEN, scorecard)
    if row is None:
        raise NotFound(f"No revision of {scorecard} is proposed", "`vendor-mgmt scorecard proposals` lists what is.")
    await drop_drafts(connection, [row["draft"]])
    await settle(connection, [row["scorecard"]], "declined", at=at, actor=actor, reason=reason)
    return next(one for one in await proposals(connection, scorecard=scorecard, is_open=False) if one.id == row["id"])


async def draft_of(connection: Connection, scorecard: str) -> int:
    """The id of the drafted revision that is proposed for a scorecard. Raises `NotFound` where nothing is open."""
    await connection.execute("SELECT FROM scorecard WHERE number = $1 FOR UPDATE", scorecard)
    row = await connection.fetchrow(_OPEN, scorecard)
    if row is None:
        raise NotFound(f"No revision of {scorecard} is proposed", "`vendor-mgmt scorecard proposals` lists what is.")
    draft: int = row["draft"]
    return draft


_OPEN = """
    SELECT p.id, p.scorecard, r.id AS draft
    FROM revision_proposal p JOIN scorecard s ON s.id = p.scorecard JOIN revision r ON r.scorecard = s.id AND r.number = p.number
    WHERE s.number = $1 AND p.decision IS NULL FOR UPDATE OF p
"""
