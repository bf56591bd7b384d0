"""Every statement about vendors, sites, contracts, their versions and calendars.

Agreeing a version adds it and says from which day it holds; what it replaces stays, with the days it still holds for. `as_of` asks what was
known at an earlier moment, so that a scorecard can be recomputed as it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from contracts.errors import NotFound, NotInForce, Overlap

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    code: str
    name: str
    in_house: bool


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """`vendor` is the vendor's code; `time_zone` an IANA name; `country` two letters."""

    id: int
    code: str
    name: str
    vendor: str
    time_zone: str
    country: str | None
    region: str | None
    calendar: str | None


class ContractVersion(msgspec.Struct, frozen=True, kw_only=True):
    """An agreed version, with the half-open days it holds for (a later amendment may have cut them short). `text` is the document as
    written.
    """

    id: int
    contract: int
    code: str
    lineage: int
    vendor: str
    number: int
    in_force_from: date
    in_force_until: date | None
    text: str
    sha256: str
    agreed_at: datetime


class CalendarVersion(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    code: str
    number: int
    text: str
    sha256: str
    known_at: datetime


# Vendors and sites


async def save_vendor(connection: Connection, code: str, name: str, *, in_house: bool = False, now: datetime) -> int:
    """Add a vendor, or rename the one with this code. Returns its id."""
    number: int = await connection.fetchval(_SAVE_VENDOR, code, name, in_house, now)
    return number


_SAVE_VENDOR = """
    INSERT INTO vendor (code, name, in_house, created_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (code) DO UPDATE SET name = excluded.name, in_house = excluded.in_house RETURNING id
"""


async def save_site(
    connection: Connection,
    code: str,
    name: str,
    *,
    vendor: int,
    time_zone: str,
    now: datetime,
    country: str | None = None,
    region: str | None = None,
    calendar: str | None = None,
) -> int:
    """Add a site, or change what is said of the one with this code. Returns its id."""
    number: int = await connection.fetchval(_SAVE_SITE, code, name, vendor, time_zone, country, region, calendar, now)
    return number


_SAVE_SITE = """
    INSERT INTO site (code, name, vendor, time_zone, country, region, calendar, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (code) DO UPDATE SET name = excluded.name, vendor = excluded.vendor, time_zone = excluded.time_zone,
        country = excluded.country, region = excluded.region, calendar = excluded.calendar
    RETURNING id
"""


async def vendors(connection: Connection) -> list[Vendor]:
    return [Vendor(**row) for row in await connection.fetch("SELECT id, code, name, in_house FROM vendor ORDER BY code")]


async def sites(connection: Connection, codes: Sequence[str] | None = None) -> list[Site]:
    """All sites, or those of the codes, by code. Codes that do not exist are left out."""
    return [Site(**row) for row in await connection.fetch(_SITES, None if codes is None else list(codes))]


_SITES = """
    SELECT s.id, s.code, s.name, v.code AS vendor, s.time_zone, s.country, s.region, s.calendar
    FROM site s JOIN vendor v ON v.id = s.vendor WHERE $1::text[] IS NULL OR s.code = ANY ($1) ORDER BY s.code
"""


# Contracts


async def agree(
    connection: Connection,
    *,
    code: str,
    title: str,
    vendor: int,
    in_force_from: date,
    in_force_until: date | None,
    document: Mapping[str, Any] | bytes,
    text: str,
    agreed_by: int,
    now: datetime,
    executed_sha256: str | None = None,
    reason: str | None = None,
    renews: str | None = None,
) -> ContractVersion:
    """Add a version of a contract, which holds from its first day on and replaces, from then on, what held before.

    `document` is what was read from `text`, as JSON or something that becomes JSON. `renews` is the code of the contract this one
    continues; it begins a new contract in the same lineage. Agreeing the text that is newest already changes nothing. Raises `NotFound`
    for a contract to renew that does not exist, and `Overlap` where the contract would begin within a contract of the same lineage that
    it does not amend.
    """
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    contract: Any = await connection.fetchrow("SELECT id, lineage FROM contract WHERE code = $1 FOR UPDATE", code)
    if contract is None:
        lineage = None
        if renews is not None:
            lineage = await connection.fetchval("SELECT lineage FROM contract WHERE code = $1", renews)
            if lineage is None:
                raise NotFound(f"There is no contract {renews!r} to renew")
        contract = await connection.fetchrow(_ADD_CONTRACT, code, title, vendor, lineage, now)
    newest = await connection.fetchrow(
        "SELECT id, number, sha256 FROM contract_version WHERE contract = $1 ORDER BY number DESC LIMIT 1", contract["id"]
    )
    if newest is not None and newest["sha256"] == sha256:
        return await version_numbered(connection, code, newest["number"])
    encoded = document.decode() if isinstance(document, bytes) else msgspec.json.encode(document).decode()
    number = 1 if newest is None else newest["number"] + 1
    version = await connection.fetchval(
        _ADD_VERSION, contract["id"], number, in_force_from, in_force_until, encoded, text, sha256, executed_sha256, now, agreed_by, reason
    )
    await _put_in_force(connection, contract["id"], contract["lineage"], version, in_force_from, in_force_until, now)
    return await version_numbered(connection, code, number)


_ADD_CONTRACT = """
    WITH added AS (SELECT nextval(pg_get_serial_sequence('contract', 'id'))::int AS id)
    INSERT INTO contract (id, code, title, vendor, lineage, created_at)
    SELECT id, $1, $2, $3, coalesce($4::int, id), $5 FROM added RETURNING id, lineage
"""

_ADD_VERSION = """
    INSERT INTO contract_version (contract, number, in_force_from, in_force_until, document, text, sha256, executed_sha256, agreed_at,
                                  agreed_by, reason)
    VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9, $10, $11) RETURNING id
"""


async def _put_in_force(
    connection: Connection, contract: int, lineage: int, version: int, in_force_from: date, in_force_until: date | None, now: datetime
) -> None:
    """Cut what holds from this version's first day on, and let this version hold instead."""
    cut = await connection.fetch(_CUT, lineage, in_force_from, now)
    for row in cut:
        if row["contract"] != contract and row["in_force_from"] >= in_force_from:
            raise Overlap(
                f"Contract {row['code']} of the same lineage holds from {row['in_force_from']} on",
                "Amend that contract, or let this one begin when it ends.",
            )
    for row in cut:
        if row["in_force_from"] < in_force_from:
            await connection.execute(_HOLD, lineage, row["version"], row["in_force_from"], in_force_from, now)
    await connection.execute(_HOLD, lineage, version, in_force_from, in_force_until, now)


_CUT = """
    WITH cut AS (
        UPDATE version_in_force SET superseded_at = $3
        WHERE lineage = $1 AND superseded_at IS NULL AND (in_force_until IS NULL OR in_force_until > $2)
        RETURNING version, in_force_from
    )
    SELECT cut.*, v.contract, c.code FROM cut JOIN contract_version v ON v.id = cut.version JOIN contract c ON c.id = v.contract
    ORDER BY cut.in_force_from
"""

_HOLD = """
    INSERT INTO version_in_force (lineage, version, in_force_from, in_force_until, known_at) VALUES ($1, $2, $3, $4, $5)
"""


async def version_numbered(connection: Connection, code: str, number: int) -> ContractVersion:
    """A version with the days its own document names, whether it still holds or not. Raises `NotFound`."""
    row = await connection.fetchrow(_VERSION_NUMBERED, code, number)
    if row is None:
        raise NotFound(f"There is no version {number} of a contract {code!r}")
    return ContractVersion(**row)


_VERSION_NUMBERED = """
    SELECT v.id, v.contract, c.code, c.lineage, d.code AS vendor, v.number, v.in_force_from, v.in_force_until, v.text,
           v.sha256, v.agreed_at
    FROM contract_version v JOIN contract c ON c.id = v.contract
    JOIN vendor d ON d.id = c.vendor
    WHERE c.code = $1 AND v.number = $2
"""


async def versions_in_force(
    connection: Connection,
    *,
    from_on: date,
    until_on: date,
    code: str | None = None,
    as_of: datetime | None = None,
) -> list[ContractVersion]:
    """The versions that hold on any of the half-open days, of one contract or of all, by contract and first day."""
    return [ContractVersion(**row) for row in await connection.fetch(_VERSIONS_IN_FORCE, from_on, until_on, code, as_of)]


_VERSIONS_IN_FORCE = """
    SELECT v.id, v.contract, c.code, c.lineage, d.code AS vendor, v.number, f.in_force_from, f.in_force_until, v.text,
           v.sha256, v.agreed_at
    FROM version_in_force f JOIN contract_version v ON v.id = f.version JOIN contract c ON c.id = v.contract
    JOIN vendor d ON d.id = c.vendor
    WHERE f.in_force_from < $2 AND (f.in_force_until IS NULL OR f.in_force_until > $1) AND ($3::text IS NULL OR c.code = $3)
      AND (CASE WHEN $4::timestamptz IS NULL THEN f.superseded_at IS NULL
           ELSE f.known_at <= $4 AND (f.superseded_at IS NULL OR f.superseded_at > $4) END)
    ORDER BY c.code, f.in_force_from
"""


async def version_in_force(connection: Connection, code: str, on: date, *, as_of: datetime | None = None) -> ContractVersion:
    """The version that holds on a day. Raises `NotFound` for a contract that does not exist, `NotInForce` for a day nothing covers."""
    row = await connection.fetchrow(_VERSION_ON, code, on, as_of)
    if row is not None:
        return ContractVersion(**row)
    if await connection.fetchval("SELECT id FROM contract WHERE code = $1", code) is None:
        raise NotFound(f"There is no contract {code!r}")
    raise NotInForce(f"No version of {code} is in force on {on}")


_VERSION_ON = """
    SELECT v.id, v.contract, c.code, c.lineage, d.code AS vendor, v.number, f.in_force_from, f.in_force_until, v.text,
           v.sha256, v.agreed_at
    FROM version_in_force f JOIN contract_version v ON v.id = f.version JOIN contract c ON c.id = v.contract
    JOIN vendor d ON d.id = c.vendor
    WHERE c.code = $1 AND f.in_force_from <= $2 AND (f.in_force_until IS NULL OR f.in_force_until > $2)
      AND (CASE WHEN $3::timestamptz IS NULL THEN f.superseded_at IS NULL
           ELSE f.known_at <= $3 AND (f.superseded_at IS NULL OR f.superseded_at > $3) END)
"""


# Calendars


async def save_calendar(
    connection: Connection, code: str, *, document: Mapping[str, Any] | bytes, text: str, entered_by: int, now: datetime
) -> CalendarVersion:
    """Add a version of a calendar, unless the newest has the same text. Returns the newest."""
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    newest = await connection.fetchrow(_NEWEST_CALENDAR, code)
    if newest is None or newest["sha256"] != sha256:
        encoded = document.decode() if isinstance(document, bytes) else msgspec.json.encode(document).decode()
        await connection.execute(_ADD_CALENDAR, code, 1 if newest is None else newest["number"] + 1, encoded, text, sha256, now, entered_by)
        return await calendar(connection, code)
    return CalendarVersion(**newest)


async def calendar(connection: Connection, code: str) -> CalendarVersion:
    """The newest version of a calendar. Raises `NotFound`."""
    row = await connection.fetchrow(_NEWEST_CALENDAR, code)
    if row is None:
        raise NotFound(f"There is no calendar {code!r}")
    return CalendarVersion(**row)


_NEWEST_CALENDAR = """
    SELECT id, code, number, text, sha256, known_at FROM calendar_version WHERE code = $1 ORDER BY number DESC LIMIT 1
"""

_ADD_CALENDAR = """
    INSERT INTO calendar_version (code, number, document, text, sha256, known_at, entered_by) VALUES ($1, $2, $3::jsonb, $4, $5, $6, $7)
"""
