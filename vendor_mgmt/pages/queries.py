"""Every statement that pages and the API read with. Each takes a `Scope` and shows nothing outside of it.

A scorecard is shown in its latest revision, unless an earlier one is asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from contracts import agreements
from contracts import queries as contract_queries
from contracts.agreements import Agreed
from contracts.document import Contract
from contracts.errors import NotFound
from scorecards.scorecard import Scorecard
from scorecards.series import GRAIN_NAMES
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.intake.freshness import Reach

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]


def _rows(rows: Sequence[Mapping[str, Any]], kind: type[Any]) -> list[Any]:
    return [kind(**{name: row[name] for name in kind.__struct_fields__}) for row in rows]


# Scorecards


class PeriodRow(msgspec.Struct, frozen=True, kw_only=True):
    """A period for which there are scorecards."""

    period_from: date
    period_until: date
    scorecards: int


async def periods(connection: Connection, scope: Scope) -> list[PeriodRow]:
    """The periods for which there are scorecards, newest first."""
    found: list[PeriodRow] = _rows(await connection.fetch(_PERIODS, scope.vendor_codes, scope.site_codes), PeriodRow)
    return found


_IN_SCOPE = "($1::text[] IS NULL OR v.code = ANY ($1)) AND ($2::text[] IS NULL OR s.code = ANY ($2))"

_PERIODS = f"""
    SELECT k.period_from, max(k.period_until) AS period_until, count(*) AS scorecards
    FROM scorecard k JOIN contract c ON c.id = k.contract JOIN vendor v ON v.id = c.vendor LEFT JOIN site s ON s.id = k.site
    WHERE {_IN_SCOPE}
    GROUP BY k.period_from ORDER BY k.period_from DESC
"""  # noqa: S608 - a constant of this module


class CardRow(msgspec.Struct, frozen=True, kw_only=True):
    """A scorecard in its latest revision, with the score of the period before."""

    id: int
    number: str
    revision_id: int
    revision: int
    state: str
    contract: str
    contract_title: str
    lineage: int
    vendor: str
    vendor_name: str
    in_house: bool
    site: str | None
    site_name: str | None
    country: str | None
    region: str | None
    period_from: date
    period_until: date
    score: Decimal | None
    score_before: Decimal | None
    standing: str | None
    credit: Decimal | None
    bonus: Decimal | None
    currency: str
    data_as_of: datetime
    prepared_at: datetime
    issued_at: datetime | None
    revision_before: int | None
    """The row of the latest revision of the period before."""


async def cards(
    connection: Connection,
    scope: Scope,
    *,
    period_from: date | None = None,
    vendor: str | None = None,
    site: str | None = None,
    contract: str | None = None,
    state: str | None = None,
    before: tuple[date, int] | None = None,
    limit: int = 1000,
) -> list[CardRow]:
    """Scorecards, newest period first and then in the order of their making; `before` is where the page before ended."""
    rows = await connection.fetch(
        _CARDS, scope.vendor_codes, scope.site_codes, period_from, vendor, site, contract, state, *(before or (None, None)), limit
    )
    found: list[CardRow] = _rows(rows, CardRow)
    return found


_CARDS = f"""
    SELECT k.id, k.number, r.id AS revision_id, r.number AS revision, r.state, c.code AS contract, c.title AS contract_title, c.lineage,
           v.code AS vendor, v.name AS vendor_name, v.in_house, s.code AS site, s.name AS site_name, s.country, s.region,
           k.period_from, k.period_until, r.score, earlier.score AS score_before, r.standing, r.credit, r.bonus, r.currency,
           r.data_as_of, r.prepared_at, r.issued_at, earlier.id AS revision_before
    FROM scorecard k
    JOIN contract c ON c.id = k.contract
    JOIN vendor v ON v.id = c.vendor
    LEFT JOIN site s ON s.id = k.site
    JOIN LATERAL (SELECT * FROM revision WHERE scorecard = k.id ORDER BY number DESC LIMIT 1) r ON true
    LEFT JOIN LATERAL (
        SELECT r2.id, r2.score
        FROM scorecard k2 JOIN contract c2 ON c2.id = k2.contract JOIN revision r2 ON r2.scorecard = k2.id
        WHERE c2.lineage = c.lineage AND k2.site IS NOT DISTINCT FROM k.site AND k2.period_until = k.period_from
        ORDER BY r2.number DESC LIMIT 1
    ) earlier ON true
    WHERE {_IN_SCOPE}
      AND ($3::date IS NULL OR k.period_from = $3) AND ($4::text IS NULL OR v.code = $4) AND ($5::text IS NULL OR s.code = $5)
      AND ($6::text IS NULL OR c.code = $6) AND ($7::text IS NULL OR r.state = $7)
      AND ($8::date IS NULL OR (k.period_from, -k.id) < ($8, -$9::bigint))
    ORDER BY k.period_from DESC, k.id
    LIMIT $10
"""  # noqa: S608 - a constant of this module


class CellRow(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict of a revision, beside the one of the period before."""

    revision: int
    kpi: str
    dimensions: dict[str, str]
    version: str
    status: str
    value: Decimal | None
    target: Decimal | None
    met: bool | None
    level: str | None
    score: Decimal | None
    value_before: Decimal | None
    score_before: Decimal | None


async def cells(connection: Connection, revisions: Mapping[int, int | None]) -> list[CellRow]:
    """The verdicts of revisions (each beside the revision of the period before), for the rows of a heat map.

    The revisions come from `cards`, which took a scope.
    """
    rows = await connection.fetch(_CELLS, list(revisions), list(revisions.values()))
    return [
        CellRow(**{name: row[name] for name in CellRow.__struct_fields__ if name != "dimensions"}, dimensions=_dimensions(row["dims_key"]))
        for row in rows
    ]


_DIMENSIONS: dict[str, dict[str, str]] = {}


def _dimensions(text: str) -> dict[str, str]:
    """There are few combinations and many rows, so each text is read once."""
    if text not in _DIMENSIONS:
        _DIMENSIONS[text] = msgspec.json.decode(text, type=dict[str, str])
    return _DIMENSIONS[text]


_CELLS = """
    SELECT n.revision, n.kpi, n.dims_key, n.version, n.status, n.value, n.target, n.met, n.level, n.score,
           b.value AS value_before, b.score AS score_before
    FROM unnest($1::bigint[], $2::bigint[]) AS asked (revision, before)
    JOIN result n ON n.revision = asked.revision
    LEFT JOIN result b ON b.revision = asked.before AND b.kpi = n.kpi AND b.dims_key = n.dims_key
    ORDER BY n.id
"""


class RevisionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A revision of a scorecard, for its list of revisions."""

    revision: int
    state: str
    score: Decimal | None
    credit: Decimal | None
    prepared_at: datetime
    issued_at: datetime | None


class CardDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A revision of a scorecard, entire, and what other revisions there are."""

    document: Scorecard
    revision_id: int
    sha256: str
    revisions: list[RevisionRow]


async def card(connection: Connection, scope: Scope, number: str, revision: int | None = None) -> CardDetail:
    """A scorecard by its number, in its latest or the given revision. Raises `NotFound`."""
    row = await connection.fetchrow(_CARD, scope.vendor_codes, scope.site_codes, number, revision)
    if row is None:
        raise NotFound(f"there is no scorecard {number}" + (f" with a revision {revision}" if revision is not None else ""))
    revisions: list[RevisionRow] = _rows(await connection.fetch(_REVISIONS, row["scorecard"]), RevisionRow)
    document = msgspec.json.decode(zlib.decompress(row["content"]), type=Scorecard)
    # A revision keeps the state it was written in; the column says which one it is in now.
    return CardDetail(
        document=msgspec.structs.replace(document, state=row["state"]),
        revision_id=row["id"],
        sha256=row["sha256"],
        revisions=revisions,
    )


_CARD = f"""
    SELECT r.id, r.scorecard, r.state, r.sha256, r.content
    FROM scorecard k JOIN contract c ON c.id = k.contract JOIN vendor v ON v.id = c.vendor LEFT JOIN site s ON s.id = k.site
    JOIN revision r ON r.scorecard = k.id
    WHERE {_IN_SCOPE} AND k.number = $3 AND ($4::int IS NULL OR r.number = $4)
    ORDER BY r.number DESC LIMIT 1
"""  # noqa: S608 - a constant of this module

_REVISIONS = """
    SELECT number AS revision, state, score, credit, prepared_at, issued_at FROM revision WHERE scorecard = $1 ORDER BY number DESC
"""


# Sites


class SiteRow(msgspec.Struct, frozen=True, kw_only=True):
    """A site and its vendor."""

    site: str
    name: str
    vendor: str
    vendor_name: str
    country: str | None
    region: str | None
    time_zone: str


async def sites(connection: Connection, scope: Scope) -> list[SiteRow]:
    """The sites, by vendor and name."""
    found: list[SiteRow] = _rows(await connection.fetch(_SITES, scope.vendor_codes, scope.site_codes), SiteRow)
    return found


_SITES = f"""
    SELECT s.code AS site, s.name, v.code AS vendor, v.name AS vendor_name, s.country, s.region, s.time_zone
    FROM site s JOIN vendor v ON v.id = s.vendor
    WHERE {_IN_SCOPE}
    ORDER BY v.name, s.name
"""  # noqa: S608 - a constant of this module


async def reaches(connection: Connection, scope: Scope) -> list[Reach]:
    """How far the data of each site, workstream and language reach, by measures that end on the same day."""
    return [
        Reach(
            site=row["site"],
            part=row["part"],
            language=row["language"],
            measures=row["measures"],
            grain=GRAIN_NAMES[row["grain"]],
            newest_on=row["newest_on"],
            source=row["source"],
        )
        for row in await connection.fetch(_REACHES, scope.vendor_codes, scope.site_codes)
    ]


# The newest row of each series stands at the end of its stretch of an index. Sources that were switched off are not waited for.
_REACHES = f"""
    SELECT s.code AS site, coalesce(t.dimensions ->> 'workstream', '') AS part, t.dimensions ->> 'language' AS language,
           array_agg(DISTINCT t.measure::text) AS measures, newest.grain, newest.starts_on AS newest_on, o.code AS source
    FROM series t
    JOIN site s ON s.id = t.site
    JOIN vendor v ON v.id = s.vendor
    JOIN LATERAL (
        SELECT m.starts_on, m.grain, m.pull FROM measurement m
        WHERE m.series = t.id AND m.superseded_at IS NULL AND m.value IS NOT NULL
        ORDER BY m.starts_on DESC, m.grain DESC LIMIT 1
    ) newest ON true
    LEFT JOIN pull p ON p.id = newest.pull
    LEFT JOIN source o ON o.id = p.source
    WHERE {_IN_SCOPE} AND o.enabled IS NOT FALSE
    GROUP BY s.code, part, language, newest.grain, newest.starts_on, o.code
    ORDER BY s.code, part, language, newest.starts_on
"""  # noqa: S608 - a constant of this module


class OpenTickets(msgspec.Struct, frozen=True, kw_only=True):
    """The open tickets of a site at one level."""

    site: str | None
    level: int
    tickets: int
    recovered: int
    """Of these, how many wait to be closed by a person only, because their KPI is well again."""


async def open_tickets(connection: Connection, scope: Scope) -> list[OpenTickets]:
    """Open tickets by site and level, highest level first."""
    found: list[OpenTickets] = _rows(await connection.fetch(_OPEN_TICKETS, scope.vendor_codes, scope.site_codes), OpenTickets)
    return found


_OPEN_TICKETS = f"""
    SELECT s.code AS site, t.level, count(*) AS tickets, count(*) FILTER (WHERE t.body ->> 'cleared_from' IS NOT NULL) AS recovered
    FROM ticket t JOIN vendor v ON v.id = t.vendor LEFT JOIN site s ON s.id = t.site
    WHERE {_IN_SCOPE} AND t.closed_at IS NULL
    GROUP BY s.code, t.level ORDER BY t.level DESC, s.code
"""  # noqa: S608 - a constant of this module


# Contracts


class ContractRow(msgspec.Struct, frozen=True, kw_only=True):
    """A contract in a list, with how far it is agreed."""

    code: str
    title: str
    vendor: str
    vendor_name: str
    lineage: int
    versions: int
    in_force_from: date
    in_force_until: date | None
    sites: int


async def contract_list(connection: Connection, scope: Scope) -> list[ContractRow]:
    """The contracts, by vendor and code. Somebody who may see some sites only sees the contracts whose scorecards speak of them."""
    found: list[ContractRow] = _rows(await connection.fetch(_CONTRACTS, scope.vendor_codes, scope.site_codes), ContractRow)
    return found


_CONTRACTS = """
    SELECT c.code, c.title, v.code AS vendor, v.name AS vendor_name, c.lineage,
           (SELECT count(*) FROM contract_version n WHERE n.contract = c.id) AS versions,
           (SELECT min(f.in_force_from) FROM version_in_force f JOIN contract_version n ON n.id = f.version
             WHERE n.contract = c.id AND f.superseded_at IS NULL) AS in_force_from,
           (SELECT max(f.in_force_until) FILTER (WHERE NOT endless) FROM (
                SELECT f.in_force_until, bool_or(f.in_force_until IS NULL) OVER () AS endless
                FROM version_in_force f JOIN contract_version n ON n.id = f.version
                WHERE n.contract = c.id AND f.superseded_at IS NULL) f) AS in_force_until,
           (SELECT count(DISTINCT part ->> 'site') FROM contract_version n, jsonb_array_elements(n.document -> 'scope') AS part
             WHERE n.contract = c.id) AS sites
    FROM contract c JOIN vendor v ON v.id = c.vendor
    WHERE ($1::text[] IS NULL OR v.code = ANY ($1))
      AND ($2::text[] IS NULL OR EXISTS (
            SELECT FROM contract_version n, jsonb_array_elements(n.document -> 'scope') AS part
            WHERE n.contract = c.id AND part ->> 'site' = ANY ($2)))
      AND EXISTS (SELECT FROM contract_version n JOIN version_in_force f ON f.version = n.id
                   WHERE n.contract = c.id AND f.superseded_at IS NULL)
    ORDER BY v.name, c.code
"""


class ConfirmedBy(msgspec.Struct, frozen=True, kw_only=True):
    """That one side confirmed a version, on which day, and whether by a signed paper or by a statement. Persons are not told here."""

    side: contract_queries.Side
    confirmed_on: date
    is_signed: bool


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """An agreed version, for the list of a contract's versions."""

    id: int
    number: int
    agreed_at: datetime
    reason: str | None
    sha256: str
    executed_sha256: str | None
    text: str
    """The document as it was handed in."""
    confirmed: list[ConfirmedBy]
    """By the client and by the vendor; empty for what was agreed before this was recorded."""


class ContractDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A contract, the versions that hold on some day, and every version that was agreed."""

    row: ContractRow
    held: list[Agreed]
    agreed: list[VersionRow]


async def contract(connection: Connection, scope: Scope, code: str) -> ContractDetail:
    """A contract by its code. Raises `NotFound`."""
    row = next((one for one in await contract_list(connection, scope) if one.code == code), None)
    if row is None:
        raise NotFound(f"there is no contract {code}")
    held = [one for one in await agreements.versions(connection, row.lineage) if one.document.contract == code]
    found = [dict(one) for one in await connection.fetch(_VERSIONS, code)]
    agreed = [VersionRow(**{**one, "confirmed": msgspec.json.decode(one["confirmed"], type=list[ConfirmedBy])}) for one in found]
    return ContractDetail(row=row, held=held, agreed=agreed)


_VERSIONS = """
    SELECT n.id, n.number, n.agreed_at, n.reason, n.sha256, n.executed_sha256, n.text,
           coalesce((SELECT json_agg(json_build_object('side', w.side, 'confirmed_on', w.confirmed_on,
                                                       'is_signed', w.document_sha256 IS NOT NULL) ORDER BY w.side)
                     FROM confirmation w WHERE w.proposal = n.proposal), '[]')::text AS confirmed
    FROM contract_version n JOIN contract c ON c.id = n.contract WHERE c.code = $1 ORDER BY n.number DESC
"""


async def documents(connection: Connection, lineages: Sequence[int]) -> dict[int, list[Contract]]:
    """The documents that hold on some day, by lineage, newest first. The lineages come from queries that took a scope."""
    return {
        lineage: [one.document for one in reversed(await agreements.versions(connection, lineage))] for lineage in dict.fromkeys(lineages)
    }


# Sources and runs


class SourceRow(msgspec.Struct, frozen=True, kw_only=True):
    """How a source stands."""

    code: str
    title: str
    vendor: str | None
    vendor_name: str | None
    enabled: bool
    watermark_on: date | None
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    newest_on: date | None
    """First day of the newest span that has a value."""
    grain: str | None
    """How long such a span is."""
    open_refused: int
    last_state: str | None
    rule: str | None
    zone: str | None
    running: int | None
    """The number of the run that pulls it now, or waits to."""


async def sources(connection: Connection, scope: Scope) -> list[SourceRow]:
    """The sources, by code. One that serves several vendors is shown to those who see all of them."""
    found: list[SourceRow] = _rows(await connection.fetch(_SOURCES, scope.vendor_codes, scope.site_codes), SourceRow)
    return found


_SOURCES = """
    SELECT o.code, o.title, v.code AS vendor, v.name AS vendor_name, o.enabled, o.watermark_on, o.last_attempt_at, o.last_success_at,
           (SELECT max(newest_on) FROM site_freshness f WHERE f.source = o.id) AS newest_on,
           (SELECT n.document #>> '{mapping,span,grain}' FROM source_version n
             WHERE n.source = o.id ORDER BY n.number DESC LIMIT 1) AS grain,
           (SELECT count(*) FROM refused_row r WHERE r.source = o.id AND r.state = 'open') AS open_refused,
           (SELECT state FROM pull p WHERE p.source = o.id ORDER BY p.id DESC LIMIT 1) AS last_state,
           h.rule, h.zone,
           (SELECT min(u.id) FROM run u
             WHERE u.kind = 'pull' AND u.args ->> 'source' = o.code AND u.state IN ('queued', 'running')) AS running
    FROM source o LEFT JOIN vendor v ON v.id = o.vendor
    LEFT JOIN LATERAL (
        SELECT rule, zone FROM schedule WHERE kind = 'pull' AND args ->> 'source' = o.code AND enabled ORDER BY id LIMIT 1
    ) h ON true
    WHERE ($1::text[] IS NULL OR v.code = ANY ($1)) AND ($2::text[] IS NULL OR EXISTS (
        SELECT FROM site_freshness f JOIN site s ON s.id = f.site WHERE f.source = o.id AND s.code = ANY ($2)))
    ORDER BY o.code
"""


class RefusalRow(msgspec.Struct, frozen=True, kw_only=True):
    """Open rows in quarantine that share a source and a check, with one of them as an example."""

    source: str
    check_name: str
    rows: int
    first_on: date | None
    last_on: date | None
    reason: str


async def refusals(connection: Connection, scope: Scope) -> list[RefusalRow]:
    """Open rows in quarantine, counted by source and check."""
    found: list[RefusalRow] = _rows(await connection.fetch(_REFUSALS, scope.vendor_codes, scope.site_codes), RefusalRow)
    return found


_REFUSALS = """
    SELECT o.code AS source, r.check_name, count(*) AS rows, min(r.starts_on) AS first_on, max(r.starts_on) AS last_on,
           min(r.reason) AS reason
    FROM refused_row r JOIN source o ON o.id = r.source LEFT JOIN vendor v ON v.id = o.vendor
    WHERE r.state = 'open' AND ($1::text[] IS NULL OR v.code = ANY ($1)) AND ($2::text[] IS NULL OR EXISTS (
        SELECT FROM site_freshness f JOIN site s ON s.id = f.site WHERE f.source = o.id AND s.code = ANY ($2)))
    GROUP BY o.code, r.check_name ORDER BY count(*) DESC, o.code, r.check_name
"""


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run, as lists and live progress show it."""

    id: int
    kind: str
    subject: str | None
    """What it works on: the code of a source or a contract."""
    state: str
    attempt: int
    attempts_max: int
    progress: dict[str, Any]
    result: dict[str, Any]
    error: str | None
    schedule: str | None
    due_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


async def run_list(
    connection: Connection,
    scope: Scope,
    *,
    kind: str | None = None,
    state: str | None = None,
    before: int | None = None,
    changed_since: datetime | None = None,
    limit: int = 100,
) -> list[RunRow]:
    """Runs, newest first; those that work on another vendor's source or contract are not there."""
    rows = await connection.fetch(_RUNS, scope.vendor_codes, scope.site_codes, kind, state, before, changed_since, limit)
    return [_run(row) for row in rows]


def _run(row: Mapping[str, Any]) -> RunRow:
    values = {name: row[name] for name in RunRow.__struct_fields__}
    for name in ("progress", "result"):
        values[name] = msgspec.json.decode(row[name]) if row[name] else {}
    return RunRow(**values)


_RUNS = """
    SELECT u.id, u.kind, coalesce(u.args ->> 'source', u.args ->> 'contract') AS subject, u.state, u.attempt, u.attempts_max,
           u.progress::text AS progress, u.result::text AS result, u.error, h.name AS schedule, u.due_at, u.created_at, u.started_at,
           u.finished_at
    FROM run u LEFT JOIN schedule h ON h.id = u.schedule
    WHERE ($1::text[] IS NULL
           OR u.args ->> 'source' IN (SELECT o.code FROM source o JOIN vendor v ON v.id = o.vendor WHERE v.code = ANY ($1))
           OR u.args ->> 'contract' IN (SELECT c.code FROM contract c JOIN vendor v ON v.id = c.vendor WHERE v.code = ANY ($1)))
      AND ($2::text[] IS NULL)
      AND ($3::text IS NULL OR u.kind = $3) AND ($4::text IS NULL OR u.state = $4) AND ($5::bigint IS NULL OR u.id < $5)
      AND ($6::timestamptz IS NULL OR u.state IN ('queued', 'running') OR u.finished_at >= $6)
    ORDER BY u.id DESC LIMIT $7
"""


# People


async def names(connection: Connection, actors: Sequence[int]) -> dict[int, str]:
    """What actors are called; somebody erased, or never known, is left out."""
    rows = await connection.fetch("SELECT id, name FROM actor WHERE id = ANY ($1) AND name IS NOT NULL", list(set(actors)))
    return {row["id"]: row["name"] for row in rows}
