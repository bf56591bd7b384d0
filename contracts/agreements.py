"""Agreed contracts as documents: storing one with the vendor and sites it names, and reading back what holds.

``queries`` has the statements; here a stored text becomes the document it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from contracts import queries
from contracts.document import Contract
from contracts.errors import NotFound, Overlap
from contracts.reading import read

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
    return [
        Agreed(
            id=row["id"],
            contract_id=row["contract"],
            number=row["number"],
            sha256=row["sha256"],
            document=_document(row["text"]),
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


def _document(text: str) -> Contract:
    """The stored text as the document it was; texts never change, so each is read once."""
    key = hashlib.sha256(text.encode()).hexdigest()
    if key not in _READ:
        reading = read(text, Contract)
        if reading.document is None:
            # Nothing stored is quietly ignored: an agreed version that cannot be read is a fault of this program.
            msg = f"the agreed version {key[:12]} cannot be read by this release: {reading.findings[0]}"
            raise RuntimeError(msg)
        _READ[key] = reading.document
    return _READ[key]


async def agree(
    connection: Connection, document: Contract, text: str, *, at: datetime, actor: int, reason: str | None = None
) -> Agreed:
    """Stores a version as agreed and lets it hold from its first day on; the vendor and sites it names are made if new.

    Agreeing the same text again changes nothing.  Raises :class:`Overlap` where a site or the contract belongs to
    another vendor, or another contract of the lineage is in the way.
    """
    # Two agreements of one contract at once would both see nothing before them; the lock lets them take turns.
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('agree ' || $1, 0))", document.contract)
    vendor = await queries.save_vendor(
        connection, document.vendor, document.vendor_name or document.vendor, in_house=document.in_house, now=at
    )
    await _save_sites(connection, document, vendor, at)
    owner = await connection.fetchval("SELECT vendor FROM contract WHERE code = $1", document.contract)
    if owner is not None and owner != vendor:
        msg = f"{document.contract} is a contract with another vendor"
        raise Overlap(msg, "Give the contract a code of its own.")
    held = document.in_force
    stored = await queries.agree(
        connection,
        code=document.contract,
        title=document.title,
        vendor=vendor,
        in_force_from=held.from_,
        in_force_until=held.until,
        document=_ENCODER.encode(document),
        text=text,
        agreed_by=actor,
        now=at,
        executed_sha256=document.executed.sha256 if document.executed else None,
        reason=reason,
        renews=document.renews,
    )
    return Agreed(
        id=stored.id,
        contract_id=stored.contract,
        number=stored.number,
        sha256=stored.sha256,
        document=document,
        in_force_from=held.from_,
        in_force_until=held.until,
    )


_ENCODER = msgspec.json.Encoder(decimal_format="number")


async def _save_sites(connection: Connection, document: Contract, vendor: int, at: datetime) -> None:
    owned = {site.code: site.vendor for site in await queries.sites(connection, [one.site for one in document.scope])}
    foreign = sorted(code for code, own in owned.items() if own != document.vendor)
    if foreign:
        msg = f"the sites {', '.join(foreign)} belong to another vendor"
        raise Overlap(msg, "Give each vendor's site a code of its own.")
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
