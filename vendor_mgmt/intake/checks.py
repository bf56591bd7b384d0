"""Checks that need more than one row: parts and wholes, values that stand still or jump, sites and days that did not come.

They run on what is staged, in the database, inside the transaction that will store it. Rows that a check refuses are taken out of the
staging table; the caller puts them into quarantine.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import asyncpg
import msgspec

from scorecards import measurement_queries
from scorecards.series import SeriesKey
from vendor_mgmt.intake.mapping import Known, Stopped
from vendor_mgmt.intake.source import Check, Source, Then


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
    source: Source,
    known: Known,
    series: Mapping[int, SeriesKey],
    *,
    window: tuple[date, date] | None,
) -> list[Breach]:
    """Everything the source's checks find; refused rows are no longer staged afterwards. `series` are those of the pull, by id. `window` is
    what was asked for; null where a source cannot be asked for days.

    Call it before anything else settles duplicates. Raises `Stopped` where a check says so.
    """
    found: list[Breach] = []
    for check in sorted(source.checks_in_force, key=lambda check: check.check != "duplicate"):
        match check.check:
            case "duplicate":
                breaches = await _duplicates(connection, check)
            case "part_of":
                breaches = await _parts(connection, check, known, series)
            case "adds_up":
                breaches = await _sums(connection, check, series)
            case "frozen":
                breaches = await _frozen(connection, check, known, series)
            case "jump" | "zero":
                breaches = await _unusual(connection, check, series)
            case "closed":
                breaches = await _closed(connection, check, series)
            case "missing":
                breaches = await _missing(connection, check, source, known, window)
            case _:
                continue  # Looked at row by row, when rows are mapped.
        if breaches and check.then == "stop":
            raise Stopped(check.check, f"{breaches[0].reason} ({len(breaches)} such findings)")
        if check.then == "refuse" and check.check != "duplicate":
            # The series goes along, because one row of a wide table is several measurements.
            await connection.executemany(_REFUSE, [(one.series, one.row_number) for one in breaches])
        found += breaches
    return found


_REFUSE = "DELETE FROM staged_measurement WHERE series = $1 AND row_number = $2"


def _wanted(check: Check, measure: str) -> bool:
    return not check.measures or measure in check.measures


def _ids(check: Check, series: Mapping[int, SeriesKey]) -> list[int]:
    return [number for number, key in series.items() if _wanted(check, key.measure)]


async def _duplicates(connection: asyncpg.Connection[Any], check: Check) -> list[Breach]:
    """Rows that say something else than an earlier one about the same span. Of such rows one alone stays staged, whatever `then` says."""
    _repetitions, conflicts = await measurement_queries.settle_duplicates(connection)
    return [
        Breach(
            check="duplicate",
            then=check.then,
            series=conflict.series,
            row_number=conflict.row_number,
            starts_on=conflict.starts_on,
            reason=(
                f"The row says {_said(conflict.value)} about the span of row {conflict.first_row_number}, "
                f"which says {_said(conflict.first_value)}."
            ),
        )
        for conflict in conflicts
    ]


def _said(value: Any) -> str:
    return "nothing" if value is None else f"{value:f}"


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


async def _sums(connection: asyncpg.Connection[Any], check: Check, series: Mapping[int, SeriesKey]) -> list[Breach]:
    """Parts that do not come to their total, where all of them are known. Which of the figures is wrong is unknown, so none is believed."""
    measures = [check.total or "", *check.measures]
    concerned = [number for number, key in series.items() if key.measure in measures]
    rows = await connection.fetch(_SUMS, measures, concerned, check.tolerance) if concerned else []
    return [
        Breach(
            check="adds_up",
            then=check.then,
            series=row["series"],
            row_number=row["row_number"],
            starts_on=row["starts_on"],
            reason=f"{' + '.join(check.measures)} come to {row['parts']:f}, and {check.total} is {row['total']:f}.",
        )
        for row in rows
    ]


# The first of the measures is the total. A value that is staged counts instead of the stored one.
_SUMS = """
    WITH place AS (
        SELECT DISTINCT s.site, s.dims_key, st.starts_on, st.grain, st.starts_at
        FROM staged_measurement st JOIN series s ON s.id = st.series WHERE s.id = ANY ($2)
    ), value AS (
        SELECT p.*, s.id AS series, s.measure, st.row_number, coalesce(st.value, CASE WHEN st.series IS NULL THEN m.value END) AS value
        FROM place p
        JOIN series s ON s.site = p.site AND s.dims_key = p.dims_key AND s.measure = ANY ($1)
        LEFT JOIN staged_measurement st ON st.series = s.id AND st.starts_on = p.starts_on AND st.grain = p.grain
             AND st.starts_at IS NOT DISTINCT FROM p.starts_at
        LEFT JOIN measurement m ON m.series = s.id AND m.starts_on = p.starts_on AND m.grain = p.grain
             AND m.starts_at IS NOT DISTINCT FROM p.starts_at AND m.superseded_at IS NULL
    ), summed AS (
        SELECT site, dims_key, starts_on, grain, starts_at, sum(value) FILTER (WHERE measure <> ($1::text[])[1]) AS parts,
               max(value) FILTER (WHERE measure = ($1::text[])[1]) AS total
        FROM value GROUP BY site, dims_key, starts_on, grain, starts_at HAVING count(value) = cardinality($1::text[])
    )
    SELECT v.series, v.row_number, v.starts_on, summed.parts, summed.total
    FROM summed JOIN value v ON v.site = summed.site AND v.dims_key = summed.dims_key AND v.starts_on = summed.starts_on
         AND v.grain = summed.grain AND v.starts_at IS NOT DISTINCT FROM summed.starts_at
    WHERE abs(summed.parts - summed.total) > $3 AND v.row_number IS NOT NULL
    ORDER BY v.row_number, v.series
"""


async def _frozen(connection: asyncpg.Connection[Any], check: Check, known: Known, series: Mapping[int, SeriesKey]) -> list[Breach]:
    """The same value, `times` spans in a row, at the end of what is staged. Zeros do not count: a quiet queue is quiet every day. Where the
    volume is known and stands still as well, nothing is odd about it.
    """
    rows = await connection.fetch(_FROZEN, _ids(check, series), check.times)
    volumes = {name: check.volume or measure.part_of for name, measure in known.measures.items()}
    asked = [(row, volumes.get(series[row["series"]].measure) or "") for row in rows]
    still = {
        (row["series"], row["last"])
        for row in await connection.fetch(
            _STILL, [row["series"] for row, _ in asked], [volume for _, volume in asked], [row["grain"] for row, _ in asked],
            [row["first_on"] for row, _ in asked], [row["starts_on"] for row, _ in asked],
        )
    }  # fmt: skip
    rows = [row for row in rows if (row["series"], row["starts_on"]) not in still]
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
               min(starts_on) OVER (PARTITION BY series, grain, value, island) AS first_on,
               row_number() OVER (PARTITION BY series, grain, value, island ORDER BY starts_on) AS place
        FROM ordered
    )
    SELECT series, grain, starts_on, first_on, row_number, value, length FROM counted
    WHERE length >= $2 AND place >= $2 AND row_number IS NOT NULL ORDER BY series, starts_on
"""

# The stretches over which the volume has one value, too.
_STILL = """
    WITH stretch AS (
        SELECT a.series, a.last, a.first, a.grain, w.id AS volume
        FROM unnest($1::int[], $2::text[], $3::smallint[], $4::date[], $5::date[]) AS a (series, volume, grain, first, last)
        JOIN series s ON s.id = a.series JOIN series w ON w.site = s.site AND w.dims_key = s.dims_key AND w.measure = a.volume
    ), value AS (
        SELECT x.series, x.last, st.value FROM stretch x
        JOIN staged_measurement st ON st.series = x.volume AND st.grain = x.grain AND st.starts_on BETWEEN x.first AND x.last
        UNION ALL
        SELECT x.series, x.last, m.value FROM stretch x
        JOIN measurement m ON m.series = x.volume AND m.grain = x.grain AND m.starts_on BETWEEN x.first AND x.last
             AND m.superseded_at IS NULL
        WHERE NOT EXISTS (SELECT FROM staged_measurement st
                          WHERE st.series = x.volume AND st.grain = x.grain AND st.starts_on = m.starts_on)
    )
    SELECT series, last FROM value GROUP BY series, last HAVING count(DISTINCT value) = 1 AND count(value) > 1
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


async def _closed(connection: asyncpg.Connection[Any], check: Check, series: Mapping[int, SeriesKey]) -> list[Breach]:
    """Something new about a span whose scorecard was issued: it will be revised if this goes in."""
    return [
        Breach(
            check="closed",
            then=check.then,
            series=row["series"],
            row_number=row["row_number"],
            starts_on=row["starts_on"],
            reason=(
                f"{series[row['series']].measure} of {row['starts_on']} becomes {_said(row['value'])} instead of {_said(row['before'])}, "
                f"and scorecard {row['number']} is issued."
            ),
        )
        for row in await connection.fetch(_CLOSED, _ids(check, series))
    ]


_CLOSED = """
    SELECT DISTINCT ON (s.row_number, s.series) s.series, s.row_number, s.starts_on, s.value, m.value AS before, c.number
    FROM staged_measurement s
    JOIN series x ON x.id = s.series
    JOIN scorecard c ON c.site = x.site AND s.starts_on >= c.period_from AND s.starts_on < c.period_until
    JOIN revision r ON r.scorecard = c.id AND r.state = 'issued'
    LEFT JOIN measurement m ON m.series = s.series AND m.starts_on = s.starts_on AND m.grain = s.grain
         AND m.starts_at IS NOT DISTINCT FROM s.starts_at AND m.superseded_at IS NULL
    WHERE s.series = ANY ($1) AND (m.id IS NULL OR m.value IS DISTINCT FROM s.value OR m.n IS DISTINCT FROM s.n)
    ORDER BY s.row_number, s.series, c.number
"""


async def _missing(
    connection: asyncpg.Connection[Any], check: Check, source: Source, known: Known, window: tuple[date, date] | None
) -> list[Breach]:
    """Sites that gave nothing for a day of the window, or nothing at all. Those that never delivered are expected only by name.

    A folder is not asked for days; what is expected of its files is that they leave none out between the first and the last they hold.
    """
    if window is None:
        span = await connection.fetchrow(
            "SELECT min(starts_on) AS first, (max(starts_on) + $1::text::interval)::date AS until FROM staged_measurement", _step(source)
        )
        if span is None or span["first"] is None:
            return []
        window = (span["first"], span["until"])
    if window[0] >= window[1]:
        return []
    names = {site.id: code for code, site in known.sites.items()}
    wanted = [known.sites[code].id for code in check.sites if code in known.sites] or None
    rows = await connection.fetch(_MISSING, list(names), *window, wanted, _step(source), [_ISO[day] for day in check.weekdays])
    unheard = [
        Breach(check="missing", then=check.then, reason=f"{code} is expected to deliver, and there is no such site.")
        for code in check.sites
        if code not in known.sites
    ]
    return unheard + [
        Breach(
            check="missing",
            then=check.then,
            reason=(
                f"{names[row['site']]} delivered nothing for {row['missing']} of {row['spans']} {_SPANS[_step(source)]}, "
                f"first {row['first']}."
            ),
        )
        for row in rows
    ]


_ISO = {"mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6, "sun": 7}
_SPANS = {"1 day": "days", "7 days": "weeks", "1 month": "months", "3 months": "quarters", "1 year": "years"}


def _step(source: Source) -> str:
    """How far apart the spans of a source begin, at least a day. Where its rows say how long they are, every day is expected."""
    grain = source.mapping.span.grain
    steps = {"week": "7 days", "month": "1 month", "quarter": "3 months", "year": "1 year"}
    return steps.get(grain, "1 day") if isinstance(grain, str) else "1 day"


_MISSING = """
    WITH expected AS (
        SELECT unnest($4::int[]) AS site
        UNION
        SELECT DISTINCT s.site FROM series s
        WHERE $4::int[] IS NULL AND s.site = ANY ($1)
          AND EXISTS (SELECT FROM measurement m WHERE m.series = s.id AND m.superseded_at IS NULL)
    ), span AS (
        SELECT begins::date AS first, (begins + $5::text::interval)::date AS until
        FROM generate_series($2::date::timestamp, $3::date::timestamp - $5::text::interval, $5::text::interval) AS begins
        WHERE cardinality($6::int[]) = 0 OR extract(isodow FROM begins)::int = ANY ($6)
    ), came AS (
        SELECT DISTINCT s.site, st.starts_on FROM staged_measurement st JOIN series s ON s.id = st.series WHERE st.value IS NOT NULL
    ), seen AS (
        SELECT e.site, span.first, EXISTS (
            SELECT FROM came c WHERE c.site = e.site AND c.starts_on >= span.first AND c.starts_on < span.until) AS came
        FROM expected e CROSS JOIN span
    )
    SELECT site, count(*) AS spans, count(*) FILTER (WHERE NOT came) AS missing, min(first) FILTER (WHERE NOT came) AS first
    FROM seen GROUP BY site HAVING bool_or(NOT came) ORDER BY site
"""
