"""Agreeing a contract as people do it: put a text forward, say what it would change, take each side's word, and follow it up.

The record itself is made by `contracts.agreements`; here people get numbers, consequences become sentences, and closed periods that a
version reaches back to are asked for again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from contracts import agreements, queries
from contracts.differences import Change, differences
from contracts.document import Contract
from contracts.queries import Side
from contracts.versions import Effect, held_on
from vendor_mgmt import amending, closing
from vendor_mgmt.access import actors

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One side's word as it was entered: a person's name, the day, and the hash of a signed paper or a statement."""

    side: Side
    name: str
    on: date
    document_sha256: str | None = None
    statement: str | None = None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What agreeing a text would do."""

    differs_from: str | None
    """The version that it follows: `IB-2026-03 version 1`; null for a first one."""
    differences: list[Change]
    consequences: list[str]
    touched: closing.Touched


_NOTHING = Preview(differs_from=None, differences=[], consequences=[], touched=closing.Touched(periods=[], issued=0, drafts=0))


class PutForward(msgspec.Struct, frozen=True, kw_only=True):
    """A text that was put forward, and what became of it: a version, or a proposal that waits."""

    contract: str
    proposal: int
    number: int | None
    """The version's number, once it is agreed."""
    waits_for: list[Side]
    sha256: str
    in_force_from: date
    in_force_until: date | None
    preview: Preview


async def preview(connection: Connection, document: Contract, *, replaces_later: bool = False) -> Preview:
    """What agreeing a document would change; stores nothing. Raises as `agreements.propose`."""
    effect = await agreements.effect_of(connection, document, replaces_later=replaces_later)
    lineage = await _lineage(connection, document)
    documents = {} if lineage is None else {one.id: one.document for one in await agreements.versions(connection, lineage)}
    before = _followed(effect)
    touched = (
        closing.Touched(periods=[], issued=0, drafts=0)
        if lineage is None
        else await closing.touched_by(connection, lineage, document.in_force.from_)
    )
    return Preview(
        differs_from=None if before is None else f"{before.contract} version {before.number}",
        differences=[] if before is None else differences(documents[before.version], document),
        consequences=amending.consequences(effect, documents, document),
        touched=touched,
    )


def _followed(effect: Effect) -> Any:
    """The version that the new one takes over from: the one in force on its first day, or else the last one before it."""
    was = [*effect.kept, *effect.ended]
    earlier = [one for one in was if one.from_ <= effect.new.from_]
    return held_on(was, effect.new.from_) or max(earlier, key=lambda one: one.from_, default=None)


async def _lineage(connection: Connection, document: Contract) -> int | None:
    lineage: int | None = await connection.fetchval(
        "SELECT lineage FROM contract WHERE code = ANY ($1) ORDER BY id DESC LIMIT 1",
        [document.contract, *([document.renews] if document.renews else [])],
    )
    return lineage


async def put_forward(
    connection: Connection,
    document: Contract,
    text: str,
    given: Sequence[Given],
    *,
    at: datetime,
    actor: int,
    reason: str | None = None,
    replaces_later: bool = False,
) -> PutForward:
    """Put a text forward with the words that were given; with those of both sides it is agreed, and holds from its first day on.

    A text that is the contract's newest version already is only told. Raises as `agreements.propose` and `agreements.confirm`.
    """
    await queries.lock_lineage(connection, document.contract, document.renews)
    newest = await agreements.newest_of(connection, document.contract)
    if newest is not None and newest.text == text:
        return PutForward(
            contract=document.contract,
            proposal=await queries.proposal_of(connection, newest.id) or 0,
            number=newest.number,
            waits_for=[],
            sha256=newest.sha256,
            in_force_from=newest.in_force_from,
            in_force_until=newest.in_force_until,
            preview=_NOTHING,
        )
    seen = await preview(connection, document, replaces_later=replaces_later)
    proposed = await agreements.propose(connection, document, text, at=at, actor=actor, reason=reason, replaces_later=replaces_later)
    return await _confirmed(connection, proposed.id, given, seen, at=at, actor=actor)


async def confirm(connection: Connection, proposal: int, given: Sequence[Given], *, at: datetime, actor: int) -> PutForward:
    """Add words to a text that was put forward; with those of both sides it is agreed. Raises as `agreements.confirm`."""
    found = await queries.proposal(connection, proposal)
    document = agreements.document_of(found.text)
    await queries.lock_lineage(connection, found.code, document.renews)
    seen = await preview(connection, document, replaces_later=found.replaces_later) if found.is_open else None
    return await _confirmed(connection, proposal, given, seen, at=at, actor=actor)


async def _confirmed(
    connection: Connection, proposal: int, given: Sequence[Given], seen: Preview | None, *, at: datetime, actor: int
) -> PutForward:
    for one in given:
        agreed = await agreements.confirm(
            connection,
            proposal,
            queries.Confirmation(
                side=one.side,
                confirmed_by=await actors.named(connection, "person", one.name),
                confirmed_on=one.on,
                document_sha256=one.document_sha256,
                statement=one.statement,
            ),
            at=at,
            actor=actor,
        )
        if agreed is not None and seen is not None:
            await closing.close_after_agreement(connection, agreed.document.contract, agreed.in_force_from)
    found = await queries.proposal(connection, proposal)
    return PutForward(
        contract=found.code,
        proposal=found.id,
        number=found.number,
        waits_for=found.waits_for,
        sha256=found.sha256,
        in_force_from=found.in_force_from,
        in_force_until=found.in_force_until,
        preview=seen or _NOTHING,
    )
