"""Checks that need more than one row: parts and wholes, values that stand still or jump, sites and days that did not come.

They run on what is staged, in the database, inside the transaction that will store it. Rows that a check refuses are taken out of the
staging table; the caller puts them into quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import asyncpg
import msgspec

from scorecards.series import SeriesKey
from vendor_mgmt.intake.mapping import Known, Stopped
from vendor_mgmt.intake.source import Check, Then


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found about one staged row, or, without a row, about the pull."""

    check: str
    then: Then
    reason: str
    series: int | None = None
    row_number: int | None = None
    starts_on: date | None = None


async def run(
    connection: asyncpg.Connection[Any],
    checks: Iterable[Check],
    known: Known,
    series: Mapping[int, SeriesKey],
    *,
    window: tuple[date, date] | None,
) -> list[Breach]:
    """Everything the checks find; refused rows are no longer staged afterwards. `series` are those of the pull, by id.

    Raises `Stopped` where a check says so.
    """
    found: list[Breach] = []
    for check in checks:
        match check.check:
            case "part_of":
                breaches = await _parts(connection, check, known, series)
            case "frozen":
                breaches = await _frozen(connection, check, series)
            case "jump" | "zero":
                breaches = await _unusual(connection, check, series)
            case "missing":
                breaches = await _missing(connection, check, known, window)
            case _:
                continue  # Looked at row by row, when rows are mapped.
        if breaches and check.then == "stop":
            raise Stopped(check.check, f"{breaches[0].reason} ({len(breaches)} such findings)")
        if check.then == "refuse":
            # The series goes along, because one row of a wide table is several measurements.
            await connection.executemany(_REFUSE, [(one.series, one.row_number) for one in breaches])
        found += breaches
    return found


_REFUSE = "DELETE FROM staged_measurement WHERE series = $1 AND row_number = $2"


def _wanted(check: Check, measure: str) -> bool:
    return not check.measures or measure in check.measures


def _ids(check: Check, series: Mapping[int, SeriesKey]) -> list[int]:
    return [number for number, key in series.items() if _wanted(check, key.measure)]


async def _parts(connection: asyncpg.Connection[Any], check: Check, known: Known, series: Mapping[int, SeriesKey]) -> list[Breach]:
    """A part that is larger than what it is part of.

    Which of the two is wrong is unknown; the part is the one that is not believed, because a whole without a part is left out of both, and
    other parts of the same whole may be right.
    """
    relations = {name: measure.part_of for name, measure in known.measures.items() if measure.part_of and _wanted(check, name)}
    concerned = {*relations, *relations.values()}
    if not any(key.measure in concerned for key in series.values()):
        return []
    rows = await connection.fetch(
        _PARTS, list(relations), list(relations.values()), [number for number, key in series.items() if key.measure in concerned]
    )
    return [
        Breach(
            check="part_of",
            then=check.then,
            series=row["series"],
            row_number=row["row_number"],
            starts_on=row["starts_on"],
            reason=(
                f"{row['part']} is {row['part_value']:f}, more than the {row['whole_value']:f} of {row['whole']} that it is part of."
                if row["is_part"]
                else f"{row['whole']} is {row['whole_value']:f}, less than the {row['part_value']:f} "
                f"of its part {row['part']} that is stored."
            ),
        )
        for row in rows
    ]


# Pairs of series first, which are few; then what is staged for them; what is not staged is looked up among what is stored.
_PARTS = """
    WITH pair AS MATERIALIZED (
        SELECT p.id AS part_series, p.measure AS part, w.id AS whole_series, w.measure AS whole
        FROM unnest($1::text[], $2::text[]) AS relation (part, whole)
        JOIN series p ON p.measure = relation.part
        JOIN series w ON w.measure = relation.whole AND w.site = p.site AND w.dims_key = p.dims_key
        WHERE p.id = ANY ($3) OR w.id = ANY ($3)
    ), staged_pair AS (
        SELECT pair.*, s.starts_on, s.grain, s.starts_at, s.row_number, s.value AS part_value, true AS is_part,
               w.series IS NOT NULL AS other_is_staged, w.value AS other_value
        FROM pair JOIN staged_measurement s ON s.series = part_series
        LEFT JOIN staged_measurement w ON w.series = whole_series AND w.starts_on = s.starts_on AND w.grain = s.grain
             AND coalesce(w.starts_at, '-infinity') = coalesce(s.starts_at, '-infinity')
    ), staged_whole AS (
        SELECT pair.*, w.starts_on, w.grain, w.starts_at, w.row_number, w.value AS whole_value
        FROM pair JOIN staged_measurement w ON w.series = whole_series
        WHERE NOT EXISTS (SELECT FROM staged_measurement s WHERE s.series = part_series AND s.starts_on = w.starts_on AND s.grain = w.grain
                          AND coalesce(s.starts_at, '-infinity') = coalesce(w.starts_at, '-infinity'))
    )
    SELECT part_series AS series, part, whole, starts_on, row_number, part_value, other_value AS whole_value, is_part
    FROM staged_pair WHERE other_is_staged AND part_value > other_value
    UNION ALL
    SELECT part_series, part, whole, s.starts_on, s.row_number, s.part_value, m.value, true
    FROM staged_pair s JOIN measurement m ON m.series = whole_series AND m.starts_on = s.starts_on AND m.grain = s.grain
         AND m.starts_at IS NOT DISTINCT FROM s.starts_at AND m.superseded_at IS NULL
    WHERE NOT other_is_staged AND part_value > m.value
    UNION ALL
    SELECT whole_series, part, whole, s.starts_on, s.row_number, m.value, s.whole_value, false
    FROM staged_whole s JOIN measurement m ON m.series = part_series AND m.starts_on = s.starts_on AND m.grain = s.grain
         AND m.starts_at IS NOT DISTINCT FROM s.starts_at AND m.superseded_at IS NULL
    WHERE m.value > s.whole_value
    ORDER BY row_number
"""


async def _frozen(connection: asyncpg.Connection[Any], check: Check, series: Mapping[int, SeriesKey]) -> list[Breach]:
    """The same value, `times` spans in a row, at the end of what is staged. Zeros do not count: a quiet queue is quiet every day."""
    rows = await connection.fetch(_FROZEN, _ids(check, series), check.times)
    return [
        Breach(
            check="frozen",
            then=check.then,
            series=row["series"],
            row_number=row["row_number"],
            starts_on=row["starts_on"],
            reason=f"{series[row['series']].measure} has been {row['value']:f} for {row['length']} spans in a row.",
        )
        for row in rows
    ]


_FROZEN = """
    WITH known AS (
        SELECT series, grain, starts_on, value, row_number FROM staged_measurement WHERE series = ANY ($1) AND starts_at IS NULL
        UNION ALL
        SELECT m.series, m.grain, m.starts_on, m.value, NULL
        FROM measurement m
        JOIN (SELECT series, min(starts_on) AS first FROM staged_measurement WHERE series = ANY ($1) GROUP BY series) s USING (series)
        WHERE m.superseded_at IS NULL AND m.starts_at IS NULL AND m.starts_on < s.first AND m.starts_on >= s.first - 400
    ), ordered AS (
        SELECT *, row_number() OVER (PARTITION BY series, grain ORDER BY starts_on)
                - row_number() OVER (PARTITION BY series, grain, value ORDER BY starts_on) AS island
        FROM known WHERE value IS NOT NULL AND value <> 0
    ), counted AS (
        SELECT *, count(*) OVER (PARTITION BY series, grain, value, island) AS length,
               row_number() OVER (PARTITION BY series, grain, value, island ORDER BY starts_on) AS place
        FROM ordered
    )
    SELECT series, starts_on, row_number, value, length FROM counted
    WHERE length >= $2 AND place >= $2 AND row_number IS NOT NULL ORDER BY series, starts_on
"""


async def _unusual(connection: asyncpg.Connection[Any], check: Check, series: Mapping[int, SeriesKey]) -> list[Breach]:
    """A value far from what is usual (the median of the 28 stored spans before), or a zero where the usual value is not small."""
    rows = await connection.fetch(_UNUSUAL, _ids(check, series))
    found = []
    for row in rows:
        value, usual, measure = row["value"], row["usual"], series[row["series"]].measure
        if check.check == "zero":
            is_odd, reason = value == 0 and usual >= check.usual, f"{measure} is 0, where {usual:f} is usual."
        else:
            is_odd = usual > 0 and value > 0 and (value > usual * check.band or value * check.band < usual)
            reason = f"{measure} is {value:f}, where {usual:f} is usual."
        if is_odd:
            found.append(
                Breach(
                    check=check.check,
                    then=check.then,
                    series=row["series"],
                    row_number=row["row_number"],
                    starts_on=row["starts_on"],
                    reason=reason,
                )
            )
    return found


_UNUSUAL = """
    SELECT s.series, s.starts_on, s.row_number, s.value, usual.value AS usual
    FROM staged_measurement s
    CROSS JOIN LATERAL (
        SELECT (percentile_disc(0.5) WITHIN GROUP (ORDER BY recent.value)) AS value, count(*) AS n
        FROM (SELECT m.value FROM measurement m
              WHERE m.series = s.series AND m.grain = s.grain AND m.starts_on < s.starts_on AND m.starts_on >= s.starts_on - 1200
                AND m.superseded_at IS NULL AND m.starts_at IS NULL AND m.value IS NOT NULL
              ORDER BY m.starts_on DESC LIMIT 28) AS recent
    ) AS usual
    WHERE s.series = ANY ($1) AND s.starts_at IS NULL AND s.value IS NOT NULL AND usual.n >= 3
    ORDER BY s.row_number
"""


async def _missing(connection: asyncpg.Connection[Any], check: Check, known: Known, window: tuple[date, date] | None) -> list[Breach]:
    """Sites that gave nothing for a day of the window, or nothing at all; those that never delivered are not expected yet."""
    if window is None:
        return []
    names = {site.id: code for code, site in known.sites.items()}
    rows = await connection.fetch(_MISSING, list(names), *window)
    return [
        Breach(
            check="missing",
            then=check.then,
            reason=(
                f"{names[row['site']]} delivered nothing for {row['days']} of {(window[1] - window[0]).days} days, first {row['first']}."
            ),
        )
        for row in rows
    ]


_MISSING = """
    WITH expected AS (
        SELECT DISTINCT s.site FROM series s
        WHERE s.site = ANY ($1) AND EXISTS (SELECT FROM measurement m WHERE m.series = s.id AND m.superseded_at IS NULL)
    ), came AS (
        SELECT DISTINCT s.site, st.starts_on FROM staged_measurement st JOIN series s ON s.id = st.series WHERE st.value IS NOT NULL
    )
    SELECT e.site, count(*) AS days, min(d.day) AS first
    FROM expected e CROSS JOIN (SELECT generate_series($2::date, $3::date - 1, interval '1 day')::date AS day) d
    WHERE NOT EXISTS (SELECT FROM came c WHERE c.site = e.site AND c.starts_on = d.day)
    GROUP BY e.site ORDER BY e.site
"""
