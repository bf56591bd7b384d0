"""Every statement about vendors, sites, contracts, their versions and calendars.

A text is proposed, both sides confirm it, and it is agreed: that adds a version and says from which day it holds; what it replaces stays,
with the days it still holds for. Nothing of this is ever changed. `as_of` asks what was known at an earlier moment, so that a scorecard can
be recomputed as it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from contracts.errors import AlreadyAgreed, NotConfirmed, NotFound, NotInForce
from contracts.versions import Held, effect

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]

Side = Literal["client", "vendor"]
SIDES: tuple[Side, ...] = ("client", "vendor")


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


class Confirmation(msgspec.Struct, frozen=True, kw_only=True):
    """One side's word: who (an actor number), on which day, and by what: the hash of the signed paper, or a statement."""

    side: Side
    confirmed_by: int
    confirmed_on: date
    document_sha256: str | None = None
    statement: str | None = None


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A text put forward, what confirms it so far, and what became of it: `number` once it is a version."""

    id: int
    code: str
    in_force_from: date
    in_force_until: date | None
    text: str
    sha256: str
    executed_sha256: str | None
    replaces_later: bool
    reason: str | None
    proposed_at: datetime
    proposed_by: int
    confirmations: list[Confirmation]
    number: int | None
    withdrawn_at: datetime | None
    withdrawn_because: str | None

    @property
    def is_open(self) -> bool:
        """Whether it may still be confirmed or withdrawn."""
        return self.number is None and self.withdrawn_at is None

    @property
    def waits_for(self) -> list[Side]:
        """The sides that have not confirmed it, of one that is open."""
        given = {one.side for one in self.confirmations}
        return [side for side in SIDES if side not in given] if self.is_open else []


async def lock_lineage(connection: Connection, code: str, renews: str | None) -> None:
    """Let everything that changes what holds in one lineage take turns, until the end of the transaction.

    Two agreements at once would otherwise both see nothing before them. Raises `NotFound` for a contract to renew that does not exist.
    """
    root = await connection.fetchval(_ROOT, code)
    if root is None and renews is not None:
        root = await connection.fetchval(_ROOT, renews)
        if root is None:
            raise NotFound(f"There is no contract {renews!r} to renew")
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('lineage ' || $1, 0))", root or code)


_ROOT = "SELECT root.code FROM contract c JOIN contract root ON root.id = c.lineage WHERE c.code = $1"


async def propose(
    connection: Connection,
    *,
    code: str,
    in_force_from: date,
    in_force_until: date | None,
    document: Mapping[str, Any] | bytes,
    text: str,
    proposed_by: int,
    now: datetime,
    executed_sha256: str | None = None,
    replaces_later: bool = False,
    reason: str | None = None,
) -> Proposal:
    """Put a text forward. `document` is what was read from it, as JSON or something that becomes JSON.

    Where the same text is put forward already and still open, that proposal is the answer, and nothing is added.
    """
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    for one in await proposals(connection, code):
        if one.is_open and one.sha256 == sha256 and one.replaces_later == replaces_later:
            return one
    encoded = document.decode() if isinstance(document, bytes) else msgspec.json.encode(document).decode()
    number = await connection.fetchval(
        _ADD_PROPOSAL, code, in_force_from, in_force_until, encoded, text, sha256, executed_sha256, replaces_later, reason, now, proposed_by
    )
    return await proposal(connection, number)


_ADD_PROPOSAL = """
    INSERT INTO proposed_version (code, in_force_from, in_force_until, document, text, sha256, executed_sha256, replaces_later, reason,
                                  proposed_at, proposed_by)
    VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8, $9, $10, $11) RETURNING id
"""


async def proposal(connection: Connection, number: int, *, lock: bool = False) -> Proposal:
    """A proposal by its id; `lock` keeps others from deciding on it meanwhile. Raises `NotFound`."""
    if lock:
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('proposal', $1))", number)
    row = await connection.fetchrow(_PROPOSALS + "WHERE p.id = $1", number)
    if row is None:
        raise NotFound(f"There is no proposal {number}")
    return _proposal(row)


async def proposals(connection: Connection, code: str | None = None) -> list[Proposal]:
    """Every proposal of a contract (not given: of all), as it was put forward, whatever became of it."""
    return [_proposal(row) for row in await connection.fetch(_PROPOSALS + "WHERE $1::text IS NULL OR p.code = $1 ORDER BY p.id", code)]


def _proposal(row: Any) -> Proposal:
    return Proposal(**{**dict(row), "confirmations": msgspec.json.decode(row["confirmations"], type=list[Confirmation])})


_PROPOSALS = """
    SELECT p.id, p.code, p.in_force_from, p.in_force_until, p.text, p.sha256, p.executed_sha256, p.replaces_later, p.reason,
           p.proposed_at, p.proposed_by, v.number, w.withdrawn_at, w.reason AS withdrawn_because,
           coalesce((SELECT json_agg(json_build_object('side', c.side, 'confirmed_by', c.confirmed_by, 'confirmed_on', c.confirmed_on,
                                                       'document_sha256', c.document_sha256, 'statement', c.statement) ORDER BY c.side)
                     FROM confirmation c WHERE c.proposal = p.id), '[]')::text AS confirmations
    FROM proposed_version p LEFT JOIN contract_version v ON v.proposal = p.id LEFT JOIN withdrawal w ON w.proposal = p.id
"""


async def proposal_of(connection: Connection, version: int) -> int | None:
    """The id of the proposal that became a version; none for what was agreed before proposals were recorded."""
    number: int | None = await connection.fetchval("SELECT proposal FROM contract_version WHERE id = $1", version)
    return number


async def confirm(connection: Connection, number: int, given: Confirmation, *, recorded_by: int, now: datetime) -> Proposal:
    """Record that one side agrees to a proposed text. Confirming again in the same way changes nothing.

    Raises `NotFound`, `AlreadyAgreed` where the proposal was decided or the side has confirmed it otherwise, and `NotConfirmed` where
    the same person confirms for both sides.
    """
    found = await proposal(connection, number, lock=True)
    if given in found.confirmations:
        return found
    _still_open(found)
    if any(one.side == given.side for one in found.confirmations):
        raise AlreadyAgreed(f"The {given.side} has confirmed proposal {number} of {found.code} already", "A confirmation is never changed.")
    if any(one.confirmed_by == given.confirmed_by for one in found.confirmations):
        message = f"Proposal {number} of {found.code} was confirmed for the other side by the same person"
        raise NotConfirmed(message, "Each side confirms by a person of its own.")
    await connection.execute(
        _CONFIRM, number, given.side, given.confirmed_by, given.confirmed_on, given.document_sha256, given.statement, now, recorded_by
    )
    return await proposal(connection, number)


_CONFIRM = """
    INSERT INTO confirmation (proposal, side, confirmed_by, confirmed_on, document_sha256, statement, recorded_at, recorded_by)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def withdraw(connection: Connection, number: int, *, reason: str, withdrawn_by: int, now: datetime) -> Proposal:
    """Take back a proposal that is not agreed. Raises `NotFound`, and `AlreadyAgreed` where it was decided."""
    _still_open(await proposal(connection, number, lock=True))
    await connection.execute(
        "INSERT INTO withdrawal (proposal, reason, withdrawn_at, withdrawn_by) VALUES ($1, $2, $3, $4)", number, reason, now, withdrawn_by
    )
    return await proposal(connection, number)


def _still_open(found: Proposal) -> None:
    if found.number is not None:
        raise AlreadyAgreed(f"Proposal {found.id} is agreed: it is version {found.number} of {found.code}", "Propose a further one.")
    if found.withdrawn_at is not None:
        raise AlreadyAgreed(f"Proposal {found.id} of {found.code} was withdrawn: {found.withdrawn_because}", "Propose the text anew.")


async def agree(
    connection: Connection, number: int, *, title: str, vendor: int, agreed_by: int, now: datetime, renews: str | None = None
) -> ContractVersion:
    """Make a proposal that both sides have confirmed a version, which holds from its first day on and replaces what held then.

    `renews` is the code of the contract this one continues; it begins a new contract in the same lineage. A text that is the newest
    version already gives that version. Raises `NotFound`, `NotConfirmed` while a side is missing, `AlreadyAgreed` for a proposal that was
    withdrawn, and `Overlap` as `contracts.versions.effect` says.
    """
    await lock_lineage(connection, (await proposal(connection, number)).code, renews)
    found = await proposal(connection, number, lock=True)
    if found.number is not None:
        return await version_numbered(connection, found.code, found.number)
    _still_open(found)
    if found.waits_for:
        sides = " and ".join(found.waits_for)
        raise NotConfirmed(f"Proposal {number} of {found.code} is not confirmed by the {sides}", "A version needs both sides.")
    contract: Any = await connection.fetchrow("SELECT id, lineage FROM contract WHERE code = $1 FOR UPDATE", found.code)
    if contract is None:
        lineage = await connection.fetchval("SELECT lineage FROM contract WHERE code = $1", renews) if renews is not None else None
        contract = await connection.fetchrow(_ADD_CONTRACT, found.code, title, vendor, lineage, now)
    # Later knowledge bears a later moment, whatever became of the machine's clock.
    known = await connection.fetchval("SELECT max(known_at) FROM version_in_force WHERE lineage = $1", contract["lineage"])
    now = max(now, known or now)
    last = await connection.fetchval("SELECT coalesce(max(number), 0) FROM contract_version WHERE contract = $1", contract["id"])
    before = await held(connection, contract["lineage"])
    changed = effect(before, _new(found, contract["id"], last + 1), replaces_later=found.replaces_later)
    version = await connection.fetchval(_ADD_VERSION, contract["id"], last + 1, number, now, agreed_by)
    await connection.execute(_END, contract["lineage"], [one.version for one in changed.ended], now)
    for one in [*changed.left, msgspec.structs.replace(changed.new, version=version)]:
        await connection.execute(_HOLD, contract["lineage"], one.version, one.from_, one.until, now)
    return await version_numbered(connection, found.code, last + 1)


def _new(found: Proposal, place: int, number: int) -> Held:
    return Held(version=0, contract=found.code, place=place, number=number, from_=found.in_force_from, until=found.in_force_until)


_ADD_CONTRACT = """
    WITH added AS (SELECT nextval(pg_get_serial_sequence('contract', 'id'))::int AS id)
    INSERT INTO contract (id, code, title, vendor, lineage, created_at)
    SELECT id, $1, $2, $3, coalesce($4::int, id), $5 FROM added RETURNING id, lineage
"""

_ADD_VERSION = """
    INSERT INTO contract_version (contract, number, in_force_from, in_force_until, document, text, sha256, executed_sha256, agreed_at,
                                  agreed_by, reason, proposal)
    SELECT $1, $2, in_force_from, in_force_until, document, text, sha256, executed_sha256, $4, $5, reason, id
    FROM proposed_version WHERE id = $3 RETURNING id
"""

_END = "UPDATE version_in_force SET superseded_at = $3 WHERE lineage = $1 AND version = ANY ($2) AND superseded_at IS NULL"

_HOLD = """
    INSERT INTO version_in_force (lineage, version, in_force_from, in_force_until, known_at) VALUES ($1, $2, $3, $4, $5)
"""


async def held(connection: Connection, lineage: int, *, as_of: datetime | None = None) -> list[Held]:
    """What holds in a lineage, by day; `as_of`: as was known then."""
    return [
        Held(
            version=row["version"], contract=row["code"], place=row["contract"], number=row["number"],
            from_=row["in_force_from"], until=row["in_force_until"],
        )
        for row in await connection.fetch(_HELD, lineage, as_of)
    ]  # fmt: skip


_HELD = """
    SELECT f.version, c.code, v.contract, v.number, f.in_force_from, f.in_force_until
    FROM version_in_force f JOIN contract_version v ON v.id = f.version JOIN contract c ON c.id = v.contract
    WHERE f.lineage = $1
      AND (CASE WHEN $2::timestamptz IS NULL THEN f.superseded_at IS NULL
           ELSE f.known_at <= $2 AND (f.superseded_at IS NULL OR f.superseded_at > $2) END)
    ORDER BY f.in_force_from
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


async def agreed_versions(connection: Connection, lineage: int) -> list[ContractVersion]:
    """Every version that was agreed in a lineage, whether it still holds or not, in the order of agreement."""
    return [ContractVersion(**row) for row in await connection.fetch(_AGREED_VERSIONS, lineage)]


_AGREED_VERSIONS = """
    SELECT v.id, v.contract, c.code, c.lineage, d.code AS vendor, v.number, v.in_force_from, v.in_force_until, v.text,
           v.sha256, v.agreed_at
    FROM contract_version v JOIN contract c ON c.id = v.contract JOIN vendor d ON d.id = c.vendor
    WHERE c.lineage = $1 ORDER BY v.id
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
