"""What a scorecard says about where its figures came from: feeds, freshness, relief."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from scorecards.measurement import Relief
from scorecards.scorecard import Feed, ReliefUse

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]

_DIMENSIONS = msgspec.json.Decoder(dict[str, str])


async def approved_relief(connection: Connection, contracts: Sequence[int]) -> list[Relief]:
    """The approved claims of the contracts, as scoring takes them."""
    return [
        Relief(
            from_on=row["relief_from"],
            until_on=row["relief_until"],
            effect=row["effect"],
            kpi=row["kpi"],
            site=row["site"],
            dimensions=tuple(sorted(_DIMENSIONS.decode(row["dimensions"]).items())),
            cause=row["cause"],
        )
        for row in await connection.fetch(_APPROVED, list(contracts))
    ]


_APPROVED = """
    SELECT c.relief_from, c.relief_until, c.effect, c.kpi, s.code AS site, c.dimensions::text AS dimensions, c.cause
    FROM relief_claim c LEFT JOIN site s ON s.id = c.site
    WHERE c.contract = ANY ($1) AND c.state = 'approved'
    ORDER BY c.id
"""


async def relief_uses(
    connection: Connection, contracts: Sequence[int], from_on: date, until_on: date
) -> list[tuple[str | None, ReliefUse]]:
    """Every claim that touches the span, decided either way or waiting, with its site (``None``: all)."""
    decisions = {"approved": "approved", "rejected": "refused", "claimed": "waiting"}
    return [
        (
            row["site"],
            ReliefUse(
                kpi=row["kpi"],
                from_=row["relief_from"],
                until=row["relief_until"],
                cause=row["cause"],
                decision=cast("Literal['approved', 'refused', 'waiting']", decisions[row["state"]]),
                reason=row["decision"],
            ),
        )
        for row in await connection.fetch(_USES, list(contracts), from_on, until_on)
    ]


_USES = """
    SELECT c.kpi, c.relief_from, c.relief_until, c.cause, c.state, c.decision, s.code AS site
    FROM relief_claim c LEFT JOIN site s ON s.id = c.site
    WHERE c.contract = ANY ($1) AND c.state <> 'withdrawn' AND c.relief_from < $3 AND c.relief_until > $2
    ORDER BY c.relief_from, c.id
"""


async def data_as_of(connection: Connection) -> datetime:
    """The moment of the newest measurement: nothing learned after it is in a scorecard made now."""
    moment: datetime = await connection.fetchval("SELECT moment FROM knowledge")
    return moment


async def feeds(connection: Connection, sites: Mapping[int, str], from_on: date, until_on: date) -> dict[str | None, list[Feed]]:
    """For each site the measures of the span: which source brought them, how fresh, what was missing or corrected.

    A row counts as late when it was learned more than three days after its span ended.
    """
    found: dict[str | None, list[Feed]] = {}
    for row in await connection.fetch(_FEEDS, list(sites), from_on, until_on):
        found.setdefault(sites[row["site"]], []).append(
            Feed(
                measure=row["measure"],
                source=row["title"] or "typed in",
                as_of=row["as_of"],
                rows=row["rows"],
                missing=row["missing"],
                late=row["late"],
                corrected=row["corrected"],
                refused=row["refused"],
            )
        )
    return found


# Corrections and lateness are looked up for the few rows that were superseded or came late, not for each row.
_FEEDS = """
    WITH held AS (
        SELECT s.site, s.measure, m.pull, count(*) AS rows, count(*) FILTER (WHERE m.value IS NULL) AS missing,
               count(*) FILTER (WHERE m.known_at > (m.starts_on + 4)::timestamptz AND NOT p.is_backfill) AS late,
               max(m.known_at) AS as_of, p.source
        FROM series s JOIN measurement m ON m.series = s.id LEFT JOIN pull p ON p.id = m.pull
        WHERE s.site = ANY ($1) AND m.starts_on >= $2 AND m.starts_on < $3 AND m.superseded_at IS NULL
        GROUP BY s.site, s.measure, m.pull, p.source
    ), corrected AS (
        SELECT s.site, s.measure, count(*) AS corrected
        FROM series s JOIN measurement m ON m.series = s.id
        WHERE s.site = ANY ($1) AND m.starts_on >= $2 AND m.starts_on < $3 AND m.superseded_at IS NOT NULL
        GROUP BY s.site, s.measure
    ), refused AS (
        SELECT r.source, count(*) AS refused FROM refused_row r
        WHERE r.state = 'open' AND r.starts_on >= $2 AND r.starts_on < $3 GROUP BY r.source
    )
    SELECT held.site, held.measure, source.title, sum(held.rows)::int AS rows, sum(held.missing)::int AS missing,
           sum(held.late)::int AS late, max(held.as_of) AS as_of, coalesce(max(corrected.corrected), 0)::int AS corrected,
           coalesce(max(refused.refused), 0)::int AS refused
    FROM held LEFT JOIN source ON source.id = held.source
         LEFT JOIN corrected ON corrected.site = held.site AND corrected.measure = held.measure
         LEFT JOIN refused ON refused.source = held.source
    GROUP BY held.site, held.measure, source.title
    ORDER BY held.site, held.measure, source.title
"""
