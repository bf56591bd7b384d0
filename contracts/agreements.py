"""Agreed contracts as documents: proposing one, confirming it, agreeing it with the vendor and sites it names, and reading back what holds.

A version is agreed when both sides have confirmed its text, each with who, when and by what; before that it is a proposal, by which
nothing is judged.  ``queries`` has the statements; here a stored text becomes the document it was.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from contracts import queries
from contracts.document import Contract
from contracts.errors import NotConfirmed, NotFound, Overlap
from contracts.reading import read
from contracts.versions import Effect, Held, effect

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """A stored version: its row, its number within the contract, its document, and the days on which it holds."""

    id: int
    contract_id: int
    number: int
    sha256: str
    document: Contract
    in_force_from: date
    in_force_until: date | None


class ContractRow(msgspec.Struct, frozen=True, kw_only=True):
    """A contract, its vendor and its lineage."""

    id: int
    code: str
    title: str
    vendor_id: int
    vendor: str
    vendor_name: str
    lineage: int
    lineage_code: str
    """The code of the first contract of the chain of renewals, under which tickets go on."""


async def contract(connection: Connection, code: str) -> ContractRow:
    """The contract with this code.  Raises :class:`NotFound`."""
    row = await connection.fetchrow(_CONTRACTS + "WHERE c.code = $1", code)
    if row is None:
        known = [one["code"] for one in await connection.fetch("SELECT code FROM contract ORDER BY code LIMIT 20")]
        msg = f"no contract {code!r} is agreed"
        raise NotFound(msg, f"Agreed are {', '.join(known)}." if known else "Agree one with `vendor-mgmt contract agree FILE`.")
    return msgspec.convert(dict(row), ContractRow)


async def contracts(connection: Connection) -> list[ContractRow]:
    """Every contract, by code."""
    return [msgspec.convert(dict(row), ContractRow) for row in await connection.fetch(_CONTRACTS + "ORDER BY c.code")]


_CONTRACTS = """
    SELECT c.id, c.code, c.title, c.vendor AS vendor_id, v.code AS vendor, v.name AS vendor_name, c.lineage,
           l.code AS lineage_code
    FROM contract c JOIN vendor v ON v.id = c.vendor JOIN contract l ON l.id = c.lineage
"""


async def sites_of(connection: Connection, codes: Sequence[str]) -> dict[int, str]:
    """The ids and codes of sites; codes that do not exist are left out."""
    rows = await connection.fetch("SELECT id, code FROM site WHERE code = ANY ($1) ORDER BY id", list(codes))
    return {row["id"]: row["code"] for row in rows}


async def versions(connection: Connection, lineage: int, *, as_of: datetime | None = None) -> list[Agreed]:
    """The versions of a lineage that hold on some day, in order of days; ``as_of``: as was known then."""
    rows = await connection.fetch(_VERSIONS, lineage, as_of)
    await read_beside([row["text"] for row in rows])
    return [
        Agreed(
            id=row["id"],
            contract_id=row["contract"],
            number=row["number"],
            sha256=row["sha256"],
            document=document_of(row["text"]),
            in_force_from=row["in_force_from"],
            in_force_until=row["in_force_until"],
        )
        for row in rows
    ]


_VERSIONS = """
    SELECT v.id, v.contract, v.number, v.sha256, v.text, f.in_force_from, f.in_force_until
    FROM version_in_force f JOIN contract_version v ON v.id = f.version
    WHERE f.lineage = $1
      AND CASE WHEN $2::timestamptz IS NULL THEN f.superseded_at IS NULL
          ELSE f.known_at <= $2 AND (f.superseded_at IS NULL OR f.superseded_at > $2) END
    ORDER BY f.in_force_from
"""

_READ: dict[str, Contract] = {}


def document_of(text: str) -> Contract:
    """A stored text as the document it was; texts never change, so each is read once."""
    key = _key(text)
    if key not in _READ:
        reading = read(text, Contract)
        if reading.document is None:
            # Nothing stored is quietly ignored: an agreed version that cannot be read is a fault of this program.
            msg = f"the agreed version {key[:12]} cannot be read by this release: {reading.findings[0]}"
            raise RuntimeError(msg)
        _READ[key] = reading.document
    return _READ[key]


async def read_beside(texts: Iterable[str]) -> None:
    """Read texts that nobody has read yet, so that `document_of` knows them: in a thread, because a long contract takes a tenth of a second
    or more, and the event loop has requests to answer meanwhile.
    """
    unread = [text for text in texts if _key(text) not in _READ]
    if unread:
        await asyncio.to_thread(lambda: [document_of(text) for text in unread])


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def propose(
    connection: Connection,
    document: Contract,
    text: str,
    *,
    at: datetime,
    actor: int,
    reason: str | None = None,
    replaces_later: bool = False,
) -> queries.Proposal:
    """Puts a text forward.  Nothing is judged by it until both sides have confirmed it.

    Raises :class:`NotFound` for a contract to renew that does not exist, and :class:`Overlap` for whatever would keep the
    text from being agreed as things stand: a site or contract of another vendor, a version's name that is taken, days
    that another version holds.
    """
    await effect_of(connection, document, replaces_later=replaces_later)
    held = document.in_force
    return await queries.propose(
        connection,
        code=document.contract,
        in_force_from=held.from_,
        in_force_until=held.until,
        document=ENCODER.encode(document),
        text=text,
        proposed_by=actor,
        now=at,
        executed_sha256=document.executed.sha256 if document.executed else None,
        replaces_later=replaces_later,
        reason=reason,
    )


async def effect_of(connection: Connection, document: Contract, *, replaces_later: bool = False) -> Effect:
    """What agreeing a document would do to what holds; changes nothing.  Raises as :func:`propose`."""
    row: Any = await connection.fetchrow(_PLACE, document.contract, document.renews)
    if row["lineage"] is None and document.renews is not None:
        msg = f"there is no contract {document.renews!r} to renew"
        raise NotFound(msg, "Write the code of the contract that this one continues in renews.")
    if row["id"] is not None and row["vendor"] != document.vendor:
        msg = f"{document.contract} is a contract with another vendor"
        raise Overlap(msg, "Give the contract a code of its own.")
    if document.renews is not None and row["renewed"] != row["lineage"]:
        msg = f"{document.contract} does not continue {document.renews!r}"
        raise Overlap(msg, "A renewal is a contract with a code of its own; leave renews out of an amendment, or as it was.")
    await _own_sites(connection, document)
    number = await connection.fetchval(_NAMED, row["id"], document.version)
    if number is not None:
        msg = f"version {number} of {document.contract} is named {document.version!r} already"
        raise Overlap(msg, f"Results name the version that judged them: write version: \"{await _next_name(connection, row['id'])}\".")
    last = await connection.fetchval("SELECT coalesce(max(number), 0) FROM contract_version WHERE contract = $1", row["id"])
    new = Held(
        version=0,
        contract=document.contract,
        place=row["id"] or row["highest"] + 1,
        number=last + 1,
        from_=document.in_force.from_,
        until=document.in_force.until,
    )
    held = await queries.held(connection, row["lineage"]) if row["lineage"] is not None else []
    return effect(held, new, replaces_later=replaces_later)


_PLACE = """
    SELECT own.id, v.code AS vendor, other.lineage AS renewed, coalesce(own.lineage, other.lineage) AS lineage,
           (SELECT coalesce(max(id), 0) FROM contract) AS highest
    FROM (SELECT $1::text AS code, $2::text AS renews) AS wanted
    LEFT JOIN contract own ON own.code = wanted.code LEFT JOIN vendor v ON v.id = own.vendor
    LEFT JOIN contract other ON other.code = wanted.renews
"""

_NAMED = "SELECT number FROM contract_version WHERE contract = $1 AND coalesce(document ->> 'version', '1') = $2 ORDER BY number LIMIT 1"


async def _next_name(connection: Connection, contract: int) -> str:
    taken = {
        row["name"]
        for row in await connection.fetch(
            "SELECT coalesce(document ->> 'version', '1') AS name FROM contract_version WHERE contract = $1", contract
        )
    }
    return next(str(number) for number in range(len(taken) + 1, 2 * len(taken) + 2) if str(number) not in taken)


async def confirm(
    connection: Connection, proposal: int, given: queries.Confirmation, *, at: datetime, actor: int
) -> Agreed | None:
    """Records that one side agrees to a proposed text; where it is the second, the version is agreed from then on.

    ``None`` while the other side is missing.  Raises :class:`NotFound`, :class:`AlreadyAgreed` where the proposal was
    decided, and :class:`Overlap` where something else was agreed meanwhile that is in the way; the confirmation is then
    not recorded either, if the caller lets its transaction fail.
    """
    found = await queries.proposal(connection, proposal)
    document = document_of(found.text)
    await queries.lock_lineage(connection, found.code, document.renews)
    found = await queries.confirm(connection, proposal, given, recorded_by=actor, now=at)
    if found.number is not None:
        stored = await queries.version_numbered(connection, found.code, found.number)
        return _agreed(stored, document)
    if found.waits_for:
        return None
    await effect_of(connection, document, replaces_later=found.replaces_later)
    vendor = await queries.save_vendor(
        connection, document.vendor, document.vendor_name or document.vendor, in_house=document.in_house, now=at
    )
    await _save_sites(connection, document, vendor, at)
    stored = await queries.agree(
        connection, proposal, title=document.title, vendor=vendor, agreed_by=actor, now=at, renews=document.renews
    )
    return _agreed(stored, document)


async def agree(
    connection: Connection,
    document: Contract,
    text: str,
    *,
    at: datetime,
    actor: int,
    confirmations: Sequence[queries.Confirmation],
    reason: str | None = None,
    replaces_later: bool = False,
) -> Agreed:
    """Puts a text forward with the confirmations of both sides, so that it holds from its first day on; the vendor and
    sites it names are made if new.

    Agreeing the text that is the contract's newest version again changes nothing.  Raises as :func:`propose` and
    :func:`confirm` do, and :class:`NotConfirmed` where a side is missing.
    """
    await queries.lock_lineage(connection, document.contract, document.renews)
    newest = await newest_of(connection, document.contract)
    if newest is not None and newest.text == text:
        return _agreed(newest, document)
    missing = [side for side in queries.SIDES if side not in {one.side for one in confirmations}]
    if missing:
        msg = f"{document.contract} is not confirmed by the {' and the '.join(missing)}"
        raise NotConfirmed(msg, "A version holds when both sides have confirmed it.")
    proposed = await propose(connection, document, text, at=at, actor=actor, reason=reason, replaces_later=replaces_later)
    agreed: Agreed | None = None
    for given in confirmations:
        agreed = await confirm(connection, proposed.id, given, at=at, actor=actor)
    if agreed is None:
        msg = f"proposal {proposed.id} is confirmed by both sides and not agreed"
        raise RuntimeError(msg)
    return agreed


async def chain(connection: Connection, lineage: int) -> list[str]:
    """The codes of a lineage: the first contract and those that renew it, in order."""
    return [row["code"] for row in await connection.fetch("SELECT code FROM contract WHERE lineage = $1 ORDER BY id", lineage)]


async def newest_of(connection: Connection, code: str) -> queries.ContractVersion | None:
    """The contract's version with the highest number, whether it holds or not."""
    number = await connection.fetchval(
        "SELECT max(v.number) FROM contract_version v JOIN contract c ON c.id = v.contract WHERE c.code = $1", code
    )
    return None if number is None else await queries.version_numbered(connection, code, number)


def _agreed(stored: queries.ContractVersion, document: Contract) -> Agreed:
    return Agreed(
        id=stored.id,
        contract_id=stored.contract,
        number=stored.number,
        sha256=stored.sha256,
        document=document,
        in_force_from=stored.in_force_from,
        in_force_until=stored.in_force_until,
    )


ENCODER = msgspec.json.Encoder(decimal_format="number")


async def _own_sites(connection: Connection, document: Contract) -> None:
    owned = {site.code: site.vendor for site in await queries.sites(connection, [one.site for one in document.scope])}
    foreign = sorted(code for code, own in owned.items() if own != document.vendor)
    if foreign:
        msg = f"the sites {', '.join(foreign)} belong to another vendor"
        raise Overlap(msg, "Give each vendor's site a code of its own.")


async def _save_sites(connection: Connection, document: Contract, vendor: int, at: datetime) -> None:
    for scope in {one.site: one for one in reversed(document.scope)}.values():
        await queries.save_site(
            connection,
            scope.site,
            scope.name or scope.site,
            vendor=vendor,
            time_zone=scope.time_zone or document.time_zone,
            country=scope.country,
            region=scope.region,
            calendar=None,
            now=at,
        )
