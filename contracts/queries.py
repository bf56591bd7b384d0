"""Every statement about contracts: agreeing a version, which versions hold, vendors and sites.

An agreed version is added and never changed.  What changes is on which days it holds: an amendment supersedes the
spans it cuts and adds what is left of them, so that the old answer stays readable as of its day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from contracts.document import Contract
from contracts.errors import AlreadyAgreed, NotFound, Overlap
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
    SELECT c.id, c.code, c.title, c.vendor AS vendor_id, v.code AS vendor, v.name AS vendor_name, c.lineage
    FROM contract c JOIN vendor v ON v.id = c.vendor
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
    """Stores a version as agreed and lets it hold from its first day on; vendor and sites it names are made if new.

    A later version of the same contract (or the one that renews it) cuts what held before from its first day on.
    Raises :class:`AlreadyAgreed` when the text is agreed already, :class:`Overlap` when an agreed version begins on
    the same day or later.
    """
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    vendor = await _vendor(connection, document, at)
    await _sites(connection, document, vendor, at)
    contract_id, lineage = await _contract(connection, document, vendor, at)
    twin = await connection.fetchval(
        "SELECT number FROM contract_version WHERE contract = $1 AND sha256 = $2", contract_id, sha256
    )
    if twin is not None:
        msg = f"this very text is agreed as version {twin} of {document.contract}"
        raise AlreadyAgreed(msg, "Nothing is left to do; to change it, write an amendment with its own first day.")
    held = document.in_force
    later = await connection.fetchval(_LATER, lineage, held.from_)
    if later is not None:
        msg = f"a version of {document.contract} holds from {later}, and this one would begin on {held.from_}"
        raise Overlap(msg, "Choose a later first day, or amend from a day after it.")
    number = await connection.fetchval(
        "SELECT coalesce(max(number), 0) + 1 FROM contract_version WHERE contract = $1", contract_id
    )
    version = await connection.fetchval(
        _ADD_VERSION,
        contract_id,
        number,
        held.from_,
        held.until,
        msgspec.json.encode(document).decode(),
        text,
        sha256,
        document.executed.sha256 if document.executed else None,
        at,
        actor,
        reason,
    )
    await connection.execute(_CUT, lineage, held.from_, at)
    await connection.execute(_HOLD, lineage, version, held.from_, held.until, at)
    return Agreed(
        id=version,
        contract_id=contract_id,
        number=number,
        sha256=sha256,
        document=document,
        in_force_from=held.from_,
        in_force_until=held.until,
    )


_LATER = """
    SELECT min(in_force_from) FROM version_in_force
    WHERE lineage = $1 AND superseded_at IS NULL AND in_force_from >= $2
"""

_ADD_VERSION = """
    INSERT INTO contract_version (contract, number, in_force_from, in_force_until, document, text, sha256,
                                  executed_sha256, agreed_at, agreed_by, reason)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id
"""

# What held beyond the amendment's first day is superseded, and what is left of it before that day is added.
_CUT = """
    WITH cut AS (
        UPDATE version_in_force SET superseded_at = $3
        WHERE lineage = $1 AND superseded_at IS NULL AND (in_force_until IS NULL OR in_force_until > $2)
        RETURNING version, in_force_from
    )
    INSERT INTO version_in_force (lineage, version, in_force_from, in_force_until, known_at, superseded_at)
    SELECT $1, version, in_force_from, $2, $3, NULL FROM cut WHERE in_force_from < $2
"""

_HOLD = """
    INSERT INTO version_in_force (lineage, version, in_force_from, in_force_until, known_at, superseded_at)
    VALUES ($1, $2, $3, $4, $5, NULL)
"""


async def _vendor(connection: Connection, document: Contract, at: datetime) -> int:
    await connection.execute(
        "INSERT INTO vendor (code, name, in_house, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (code) DO NOTHING",
        document.vendor,
        document.vendor_name or document.vendor,
        document.in_house,
        at,
    )
    found: int = await connection.fetchval("SELECT id FROM vendor WHERE code = $1", document.vendor)
    return found


async def _sites(connection: Connection, document: Contract, vendor: int, at: datetime) -> None:
    for scope in document.scope:
        await connection.execute(
            _ADD_SITE,
            scope.site,
            scope.name or scope.site,
            vendor,
            scope.country,
            scope.time_zone or document.time_zone,
            scope.region,
            at,
        )
    owners = await connection.fetch(
        "SELECT code FROM site WHERE code = ANY ($1) AND vendor <> $2", [one.site for one in document.scope], vendor
    )
    if owners:
        msg = f"the sites {', '.join(row['code'] for row in owners)} belong to another vendor"
        raise Overlap(msg, "Give each vendor's site a code of its own.")


_ADD_SITE = """
    INSERT INTO site (code, name, vendor, country, time_zone, region, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (code) DO NOTHING
"""


async def _contract(connection: Connection, document: Contract, vendor: int, at: datetime) -> tuple[int, int]:
    # Two agreements of one contract at once would both see nothing before them; the lock lets them take turns.
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('contract ' || $1, 0))", document.renews or document.contract)
    row = await connection.fetchrow("SELECT id, lineage, vendor FROM contract WHERE code = $1", document.contract)
    if row is None:
        renewed = None
        if document.renews is not None:
            renewed = await connection.fetchval("SELECT lineage FROM contract WHERE code = $1", document.renews)
            if renewed is None:
                msg = f"{document.contract} renews {document.renews!r}, which is not agreed"
                raise NotFound(msg, "Agree the contract it renews first, or correct its name.")
        row = await connection.fetchrow(_ADD_CONTRACT, document.contract, document.title, vendor, renewed, at)
    assert row is not None
    if row["vendor"] != vendor:
        msg = f"{document.contract} is a contract with another vendor"
        raise Overlap(msg, "Give the contract a code of its own.")
    return row["id"], row["lineage"]


_ADD_CONTRACT = """
    INSERT INTO contract (id, code, title, vendor, lineage, created_at)
    SELECT next, $1, $2, $3, coalesce($4, next), $5 FROM nextval(pg_get_serial_sequence('contract', 'id')) AS next
    RETURNING id, lineage, vendor
"""
