"""What a scorecard says about where its figures came from: feeds, freshness, relief."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from scorecards.measurement import Relief
from scorecards.queries import Arrival
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


async def known_and_now(connection: Connection) -> tuple[datetime, datetime]:
    """The moment of the newest measurement, and the present one: nothing learned after the first is in a scorecard written at the second.

    The second is never before the first, also where the database's clock was set back meanwhile.
    """
    row = await connection.fetchrow("SELECT moment, greatest(moment, clock_timestamp()) AS now FROM knowledge")
    assert row is not None
    return row["moment"], row["now"]


async def feeds(
    connection: Connection,
    sites: Mapping[int, str],
    arrivals: Mapping[tuple[int, str, str], Arrival],
    from_on: date,
    until_on: date,
) -> dict[str | None, list[Feed]]:
    """For each site its measures: which source brought them, how fresh, what was missing, late, corrected or refused.

    A measure that came in full is one feed; one that lacks something is a feed for each workstream, so that a reader sees which of
    them fell silent.  A row counts as late when it was learned more than three days after the day it is for.  Of a span before the
    source was set up nothing is late: its figures are history, loaded at once.
    """
    sources = {row["site"]: row for row in await connection.fetch(_SOURCES, list(sites), from_on, until_on)}
    corrected: dict[tuple[int, str], dict[str, int]] = {}
    for row in await connection.fetch(_CORRECTED, list(sites), from_on, until_on):
        corrected.setdefault((row["site"], row["measure"]), {})[row["part"]] = row["corrected"]
    parts: dict[tuple[int, str], dict[str, Arrival]] = {}
    for (site, measure, part), came in sorted(arrivals.items()):
        parts.setdefault((site, measure), {})[part] = came
    found: dict[str | None, list[Feed]] = {}
    for (site, measure), by_part in parts.items():
        source = sources.get(site)
        is_history = source is not None and source["created_at"].date() > from_on
        for part, came in by_part.items() if any(_missing(one) for one in by_part.values()) else [("", _together(by_part.values()))]:
            found.setdefault(sites[site], []).append(
                Feed(
                    measure=measure,
                    scope={"workstream": part} if part else {},
                    source=source["title"] if source is not None else "typed in" if came.rows else "",
                    as_of=came.as_of,
                    rows=came.rows,
                    expected=came.expected,
                    missing=_missing(came),
                    newest_on=came.newest_on,
                    late=0 if source is None or is_history else came.late,
                    corrected=sum(n for of, n in corrected.get((site, measure), {}).items() if part in ("", of)),
                    refused=source["refused"] if source is not None else 0,
                )
            )
    return found


def _missing(came: Arrival) -> int:
    """Values that were asked for and did not come, or rows that came empty."""
    return max((came.expected or 0) - came.values, came.rows - came.values)


def _together(parts: Iterable[Arrival]) -> Arrival:
    whole = Arrival()
    for one in parts:
        whole.rows, whole.values, whole.late = whole.rows + one.rows, whole.values + one.values, whole.late + one.late
        if one.expected is not None:
            whole.expected = (whole.expected or 0) + one.expected
        whole.as_of = max(filter(None, (whole.as_of, one.as_of)), default=None)
        whole.newest_on = max(filter(None, (whole.newest_on, one.newest_on)), default=None)
    return whole


# The source that brought a site's figures, and how many rows of the span it still has in quarantine.
_SOURCES = """
    SELECT DISTINCT ON (f.site) f.site, s.title, s.created_at, (
        SELECT count(*) FROM refused_row r WHERE r.source = s.id AND r.state = 'open' AND r.starts_on >= $2 AND r.starts_on < $3
    )::int AS refused
    FROM site_freshness f JOIN source s ON s.id = f.source
    WHERE f.site = ANY ($1)
    ORDER BY f.site, f.newest_on DESC, f.source
"""

# Superseded rows have an index of their own, and there are few of them.
_CORRECTED = """
    SELECT s.site, s.measure, coalesce(s.dimensions ->> 'workstream', '') AS part, count(*)::int AS corrected
    FROM measurement m JOIN series s ON s.id = m.series
    WHERE m.superseded_at IS NOT NULL AND m.starts_on >= $2 AND m.starts_on < $3 AND s.site = ANY ($1)
    GROUP BY s.site, s.measure, part
"""
