"""Every statement about measurements: storing what is new, correcting by hand, reading a period now or as it was known.

Storing has three steps on one connection. `begin_staging` makes temporary tables; `stage` copies rows into them, as often as there are
pages, outside any transaction; `settle_duplicates` and `merge` then run inside the caller's transaction, which is also where the caller
says that its work is done. Nothing is visible to anybody before that transaction commits.

Reading has two shapes. `sums` adds a period up per series without touching the rows (an index holds all it needs) and says by a bit mask on
which days there was a value; `rows` gives the rows of the few series where that is not enough.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from scorecards.series import GRAIN_NAMES, GRAINS, SeriesKey, canonical

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]

class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A stored series. `dimensions` maps names to values, such as `{"workstream": "product", "language": "pt"}`."""

    id: int
    site: int
    measure: str
    dimensions: dict[str, str]


class SeriesSum(msgspec.Struct, frozen=True, kw_only=True):
    """A series added up over a period.

    `total` is null where no row had a value; `rows` counts what was delivered, `values` what was not empty, so `rows - values` are missing.
    `days` has bit i set if day i of the period (0 = its first) has a value at daily grain; two series pair on `a.days & b.days`.
    A series delivered at two grains gives two sums, which must not be added.
    """

    series: int
    grain: str
    total: Decimal | None
    rows: int
    values: int
    days: int
    late: int = 0
    """Rows learned more than three days after the day they are for."""
    known_at: datetime | None = None
    """When the newest of them was learned."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One stored measurement. `pull` and `row_number` say where it came from; a manual entry has `actor` and `reason` instead."""

    id: int
    series: int
    starts_on: date
    grain: str
    starts_at: datetime | None
    value: Decimal | None
    n: Decimal | None
    known_at: datetime
    superseded_at: datetime | None
    pull: int | None
    row_number: int | None
    actor: int | None
    reason: str | None


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """A site, and the half-open range of first days of the spans in which something was added or changed."""

    site: int
    touched_from: date
    touched_until: date


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the staged rows. `known_at` is the moment the new rows bear."""

    known_at: datetime
    added: int
    changed: int
    unchanged: int
    touched: list[Touched]


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A staged row that says something else than an earlier row of the same pull about the same span."""

    row_number: int
    series: int
    starts_on: date
    value: Decimal | None
    first_row_number: int
    first_value: Decimal | None


class NothingToCorrect(Exception):  # noqa: N818 - named like the other refusals of the product
    """A correction names a span for which nothing is stored."""


async def series_ids(connection: Connection, keys: Sequence[SeriesKey]) -> list[int]:
    """The ids of the series, in the order asked for; those that are not there yet are made."""
    if not keys:
        return []
    columns = ([key.site for key in keys], [key.measure for key in keys], [key.dims_key for key in keys])
    found = await connection.fetch(_SERIES_IDS, *columns)
    if len(found) < len(set(keys)):
        await connection.execute(_ADD_SERIES, *columns)
        # A second statement, because one that inserts does not see what another process inserted meanwhile.
        found = await connection.fetch(_SERIES_IDS, *columns)
    ids = {(row["site"], row["measure"], row["dims_key"]): row["id"] for row in found}
    return [ids[key.site, key.measure, key.dims_key] for key in keys]


_SERIES_IDS = """
    SELECT s.id, s.site, s.measure, s.dims_key
    FROM series s JOIN unnest($1::int[], $2::text[], $3::text[]) AS wanted (site, measure, dims_key)
      ON s.site = wanted.site AND s.measure = wanted.measure AND s.dims_key = wanted.dims_key
"""

_ADD_SERIES = """
    INSERT INTO series (site, measure, dims_key, dimensions)
    SELECT DISTINCT site, measure, dims_key, dims_key::jsonb
    FROM unnest($1::int[], $2::text[], $3::text[]) AS wanted (site, measure, dims_key)
    ON CONFLICT DO NOTHING
"""


async def series_of(
    connection: Connection,
    *,
    sites: Iterable[int] | None = None,
    measures: Iterable[str] | None = None,
    dimensions: Mapping[str, str] | None = None,
) -> list[Series]:
    """The series of the sites and measures whose dimensions contain the given ones; `None` does not narrow."""
    found = await connection.fetch(
        _SERIES_OF,
        None if sites is None else list(sites),
        None if measures is None else list(measures),
        canonical(dimensions) if dimensions else None,
    )
    # Thousands of series share a few combinations of dimensions.
    split: dict[str, dict[str, str]] = {}
    series = []
    for number, site, measure, dims_key in found:
        own = split.get(dims_key)
        if own is None:
            own = split[dims_key] = msgspec.json.decode(dims_key, type=dict[str, str])
        series.append(Series(id=number, site=site, measure=measure, dimensions=own))
    return series


_SERIES_OF = """
    SELECT id, site, measure, dims_key FROM series
    WHERE ($1::int[] IS NULL OR site = ANY ($1)) AND ($2::text[] IS NULL OR measure = ANY ($2))
      AND ($3::jsonb IS NULL OR dimensions @> $3)
    ORDER BY id
"""


async def knowledge(connection: Connection) -> datetime:
    """The moment up to which everything is known. Waits for whoever is storing; "as of" this moment never changes afterwards.

    Ask in a transaction of its own: it keeps others from storing until the transaction ends.
    """
    moment: datetime = await connection.fetchval("SELECT moment FROM knowledge FOR SHARE")
    return moment


async def sums(
    connection: Connection,
    period_from: date,
    period_until: date,
    *,
    series: Sequence[int] | None = None,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
    as_of: datetime | None = None,
) -> list[SeriesSum]:
    """Each series added up over the half-open period, ordered by series and grain; series without a row are absent.

    Spans of a day and longer count by `starts_on`. Spans shorter than a day count by `starts_at` between `from_at` and `until_at`, the
    period's moments in its own zone; without them they are left out. `as_of` reads what was known then instead of now.
    """
    statement = _SUMS_AS_OF if as_of is not None else _SUMS_NOW if series is None else _SUMS_OF_SERIES
    wanted = None if series is None else list(series)
    arguments: tuple[object, ...] = (period_from, period_until, wanted, from_at, until_at) + (() if as_of is None else (as_of,))
    by_key: dict[tuple[int, int], SeriesSum] = {}
    for record in await connection.fetch(statement, *arguments):
        number, grain, word, total, rows, values, days, late, newest = record
        found = SeriesSum(
            series=number,
            grain=GRAIN_NAMES[grain],
            total=total,
            rows=rows,
            values=values,
            days=(days or 0) << (word * _DAYS_PER_WORD),
            late=late,
            known_at=newest,
        )
        key = (number, grain)
        # Periods longer than a mask come in several pieces.
        by_key[key] = _together(by_key[key], found) if key in by_key else found
    return [by_key[key] for key in sorted(by_key)]


def _together(one: SeriesSum, other: SeriesSum) -> SeriesSum:
    totals = [part.total for part in (one, other) if part.total is not None]
    return SeriesSum(
        series=one.series,
        grain=one.grain,
        total=sum(totals, Decimal(0)) if totals else None,
        rows=one.rows + other.rows,
        values=one.values + other.values,
        days=one.days | other.days,
        late=one.late + other.late,
        known_at=max((moment for moment in (one.known_at, other.known_at) if moment is not None), default=None),
    )


_DAYS_PER_WORD = 62

_ADDED_UP = """
    grain, ((starts_on - $1::date) / 62)::int AS word, sum(value) AS total, count(*) AS rows, count(value) AS values,
    bit_or(1::bigint << ((starts_on - $1::date) % 62)) FILTER (WHERE grain = 4 AND value IS NOT NULL) AS days,
    count(*) FILTER (WHERE known_at > (starts_on + 4)::timestamptz) AS late, max(known_at) AS newest
"""

_SUMS = f"SELECT series, {_ADDED_UP} FROM ({{source}}) AS known GROUP BY series, grain, word"  # noqa: S608 - constants of this module

_LONG = "starts_at IS NULL AND starts_on >= $1 AND starts_on < $2 AND ($3::int[] IS NULL OR series = ANY ($3))"
_SHORT = "starts_at IS NOT NULL AND starts_at >= $4 AND starts_at < $5 AND ($3::int[] IS NULL OR series = ANY ($3))"
_FIELDS = "series, grain, starts_on, value, known_at"

_SUMS_NOW = _SUMS.format(
    source=f"""
        SELECT {_FIELDS} FROM measurement WHERE superseded_at IS NULL AND {_LONG}
        UNION ALL
        SELECT series, grain, $1::date, value, known_at FROM measurement WHERE superseded_at IS NULL AND {_SHORT}
    """  # noqa: S608 - put together from constants of this module
)

# For some series only: each is added up from its own stretch of an index, instead of sorting everybody's days together. Grouping inside
# keeps the planner from joining first.
_SUMS_OF_SERIES = f"""
    SELECT wanted.id AS series, own.* FROM unnest($3::int[]) AS wanted (id) CROSS JOIN LATERAL (
        SELECT {_ADDED_UP} FROM measurement
        WHERE superseded_at IS NULL AND series = wanted.id AND starts_at IS NULL AND starts_on >= $1 AND starts_on < $2
        GROUP BY grain, word
    ) AS own
    UNION ALL
    SELECT series, {_ADDED_UP} FROM (
        SELECT series, grain, $1::date AS starts_on, value, known_at FROM measurement WHERE superseded_at IS NULL AND {_SHORT}
    ) AS short
    GROUP BY series, grain, word
"""  # noqa: S608 - put together from constants of this module

_SUMS_AS_OF = _SUMS.format(
    source=f"""
        SELECT {_FIELDS} FROM measurement WHERE superseded_at IS NULL AND known_at <= $6 AND {_LONG}
        UNION ALL
        SELECT {_FIELDS} FROM measurement WHERE superseded_at > $6 AND known_at <= $6 AND {_LONG}
        UNION ALL
        SELECT series, grain, $1::date, value, known_at FROM measurement WHERE superseded_at IS NULL AND known_at <= $6 AND {_SHORT}
        UNION ALL
        SELECT series, grain, $1::date, value, known_at FROM measurement WHERE superseded_at > $6 AND known_at <= $6 AND {_SHORT}
    """  # noqa: S608 - put together from constants of this module
)


async def rows(
    connection: Connection,
    series: Sequence[int],
    period_from: date,
    period_until: date,
    *,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
    as_of: datetime | None = None,
) -> list[Row]:
    """The measurements of the series in the period, as `sums` counts them, ordered by series and time."""
    found = await connection.fetch(_ROWS, period_from, period_until, list(series), from_at, until_at, as_of)
    return [_row(record) for record in found]


_ROWS = f"""
    SELECT * FROM measurement
    WHERE (({_LONG}) OR ({_SHORT})) AND (CASE WHEN $6::timestamptz IS NULL THEN superseded_at IS NULL
           ELSE known_at <= $6 AND (superseded_at IS NULL OR superseded_at > $6) END)
    ORDER BY series, starts_on, starts_at, grain
"""  # noqa: S608 - put together from constants of this module


async def history(connection: Connection, series: int, starts_on: date, grain: str, starts_at: datetime | None = None) -> list[Row]:
    """Everything ever known about one span, oldest knowledge first."""
    found = await connection.fetch(_HISTORY, series, starts_on, GRAINS[grain], starts_at)
    return [_row(record) for record in found]


_HISTORY = """
    SELECT * FROM measurement
    WHERE series = $1 AND starts_on = $2 AND grain = $3 AND starts_at IS NOT DISTINCT FROM $4
    ORDER BY known_at
"""


def _row(record: Mapping[str, Any]) -> Row:
    fields = {name: record[name] for name in Row.__struct_fields__}
    return Row(**fields | {"grain": GRAIN_NAMES[fields["grain"]]})


async def begin_staging(connection: Connection) -> None:
    """Make the temporary tables this connection stages rows in; empties them if they are there."""
    await connection.execute(_BEGIN_STAGING)


_BEGIN_STAGING = """
    DROP TABLE IF EXISTS pg_temp.staged_measurement, pg_temp.staged_change;
    CREATE TEMPORARY TABLE staged_measurement (
        series int NOT NULL, grain smallint NOT NULL, starts_on date NOT NULL, starts_at timestamptz, value numeric, n numeric,
        reported_at timestamptz, row_number int NOT NULL
    );
    CREATE TEMPORARY TABLE staged_change (
        series int NOT NULL, grain smallint NOT NULL, starts_on date NOT NULL, starts_at timestamptz, value numeric, n numeric,
        reported_at timestamptz, row_number int NOT NULL, replaces bigint
    );
"""


async def stage(connection: Connection, lines: bytes) -> None:
    r"""Copy rows into the staging table. `lines` is text as `COPY` reads it: `STAGED_COLUMNS`, separated by tabs, `\N` for null."""

    async def source() -> AsyncIterator[bytes]:
        yield lines

    await connection.copy_to_table("staged_measurement", source=source(), columns=STAGED_COLUMNS, schema_name="pg_temp", format="text")


STAGED_COLUMNS = ["series", "grain", "starts_on", "starts_at", "value", "n", "reported_at", "row_number"]


async def begin_staging_events(connection: Connection) -> None:
    """Make the temporary table for rows that are single events, to be counted into what is staged by `count_events`."""
    await connection.execute(_BEGIN_STAGING_EVENTS)


_BEGIN_STAGING_EVENTS = """
    DROP TABLE IF EXISTS pg_temp.staged_event;
    CREATE TEMPORARY TABLE staged_event (
        series int NOT NULL, grain smallint NOT NULL, starts_on date NOT NULL, starts_at timestamptz, value numeric, counted text,
        reported_at timestamptz, row_number int NOT NULL, key text NOT NULL
    );
"""


async def stage_events(connection: Connection, lines: bytes) -> None:
    r"""Copy what events add to measures. `lines` is text as `COPY` reads it: `STAGED_EVENT_COLUMNS`, separated by tabs."""

    async def source() -> AsyncIterator[bytes]:
        yield lines

    await connection.copy_to_table("staged_event", source=source(), columns=STAGED_EVENT_COLUMNS, schema_name="pg_temp", format="text")


STAGED_EVENT_COLUMNS = ["series", "grain", "starts_on", "starts_at", "value", "counted", "reported_at", "row_number", "key"]


async def count_events(
    connection: Connection, distinct: Sequence[int], first_on: date | None, until_on: date | None
) -> None:
    """Count staged events into staged measurements; of the series in `distinct`, how many different ones there are.

    An event that came several times counts as it came last. Days outside of what was asked for came in part, and are left out.
    """
    await connection.execute("ANALYZE staged_event")
    await connection.execute(_COUNT_EVENTS, list(distinct), first_on, until_on)


_COUNT_EVENTS = """
    INSERT INTO staged_measurement (series, grain, starts_on, starts_at, value, row_number)
    SELECT e.series, e.grain, e.starts_on, e.starts_at,
           CASE WHEN e.series = ANY ($1) THEN count(DISTINCT e.counted) ELSE sum(e.value) END, min(e.row_number)
    FROM staged_event e
    JOIN (SELECT DISTINCT ON (key) key, row_number FROM staged_event ORDER BY key, reported_at DESC NULLS LAST, row_number DESC) last
      ON last.key = e.key AND last.row_number = e.row_number
    WHERE ($2::date IS NULL OR e.starts_on >= $2) AND ($3::date IS NULL OR e.starts_on < $3)
    GROUP BY e.series, e.grain, e.starts_on, e.starts_at
"""


async def settle_duplicates(connection: Connection) -> tuple[int, list[Conflict]]:
    """Leave one staged row per span. Returns how many repetitions were dropped, and the rows that contradict an earlier one.

    A page delivered twice repeats itself and does no harm. Where the values differ, the row published last counts, if the source says when
    it published; otherwise the first row counts and the others are conflicts.
    """
    if not await connection.fetchval(_HAS_DUPLICATES):
        return 0, []
    dropped = await connection.fetch(_SETTLE_DUPLICATES)
    conflicts = [Conflict(**{name: row[name] for name in Conflict.__struct_fields__}) for row in dropped if row["is_conflict"]]
    return len(dropped) - len(conflicts), conflicts


_HAS_DUPLICATES = """
    SELECT EXISTS (SELECT FROM staged_measurement GROUP BY series, grain, starts_on, starts_at HAVING count(*) > 1)
"""

_SETTLE_DUPLICATES = """
    WITH ranked AS (
        SELECT ctid, row_number() OVER w AS place, first_value(row_number) OVER w AS first_row_number,
               first_value(value) OVER w AS first_value, first_value(n) OVER w AS first_n,
               first_value(reported_at) OVER w AS first_reported_at
        FROM staged_measurement
        WINDOW w AS (PARTITION BY series, grain, starts_on, starts_at ORDER BY reported_at DESC NULLS LAST, row_number)
    )
    DELETE FROM staged_measurement s USING ranked r
    WHERE s.ctid = r.ctid AND r.place > 1
    RETURNING s.row_number, s.series, s.starts_on, s.value, r.first_row_number, r.first_value,
              (s.value, s.n) IS DISTINCT FROM (r.first_value, r.first_n)
              AND s.reported_at IS NOT DISTINCT FROM r.first_reported_at AS is_conflict
"""


async def merge(connection: Connection, pull: int) -> Merged:
    """Turn staged rows into measurements, as far as they say something new. Call `settle_duplicates` first, both in one transaction.

    A row that says what is known already changes nothing. A different value supersedes the current one, unless the source says it was
    published earlier than that. Where a person has corrected a value, the source has to say something new about the span to supersede the
    correction: repeating what was corrected does not undo it.
    """
    await connection.execute("ANALYZE staged_measurement")
    # From here on others who store wait, so what is compared with stays current until we commit.
    known_at: datetime = await connection.fetchval(_MOVE_KNOWLEDGE)
    staged = await connection.fetchrow("SELECT count(*) AS rows, min(starts_on) AS first, max(starts_on) AS last FROM staged_measurement")
    if staged is None or not staged["rows"]:
        return Merged(known_at=known_at, added=0, changed=0, unchanged=0, touched=[])
    await connection.execute(_FIND_CHANGES, staged["first"], staged["last"])
    changed = _affected(await connection.execute(_SUPERSEDE, known_at))
    different = _affected(await connection.execute(_INSERT_CHANGES, known_at, pull))
    touched = [
        Touched(site=row["site"], touched_from=row["touched_from"], touched_until=row["touched_until"])
        for row in await connection.fetch(_TOUCHED)
    ]
    return Merged(known_at=known_at, added=different - changed, changed=changed, unchanged=staged["rows"] - different, touched=touched)


_MOVE_KNOWLEDGE = "UPDATE knowledge SET moment = greatest(clock_timestamp(), moment + interval '1 microsecond') RETURNING moment"

# The bounds on starts_on let the planner read only the span the pull is about.
_FIND_CHANGES = """
    INSERT INTO staged_change
    SELECT s.series, s.grain, s.starts_on, s.starts_at, s.value, s.n, s.reported_at, s.row_number, m.id
    FROM staged_measurement s LEFT JOIN measurement m
      ON m.series = s.series AND m.grain = s.grain AND m.starts_on = s.starts_on
     AND coalesce(m.starts_at, '-infinity') = coalesce(s.starts_at, '-infinity')
     AND m.superseded_at IS NULL AND m.starts_on BETWEEN $1 AND $2
    WHERE m.id IS NULL
       OR ((m.value IS DISTINCT FROM s.value OR m.n IS DISTINCT FROM s.n)
           AND (m.reported_at IS NULL OR s.reported_at IS NULL OR m.reported_at <= s.reported_at)
           AND (m.actor IS NULL OR NOT coalesce((
                SELECT p.value IS NOT DISTINCT FROM s.value AND p.n IS NOT DISTINCT FROM s.n
                FROM measurement p
                WHERE p.series = m.series AND p.grain = m.grain AND p.starts_on = m.starts_on
                  AND p.starts_at IS NOT DISTINCT FROM m.starts_at AND p.superseded_at IS NOT NULL AND p.pull IS NOT NULL
                ORDER BY p.known_at DESC LIMIT 1), false)))
"""

_SUPERSEDE = "UPDATE measurement m SET superseded_at = $1 FROM staged_change c WHERE m.id = c.replaces"

_INSERT_CHANGES = """
    INSERT INTO measurement (series, starts_on, grain, starts_at, value, n, known_at, reported_at, pull, row_number)
    SELECT series, starts_on, grain, starts_at, value, n, $1, reported_at, $2, row_number FROM staged_change
"""

_TOUCHED = """
    SELECT s.site, min(c.starts_on) AS touched_from, max(c.starts_on) + 1 AS touched_until
    FROM staged_change c JOIN series s ON s.id = c.series GROUP BY s.site ORDER BY s.site
"""


async def correct(
    connection: Connection,
    series: int,
    starts_on: date,
    grain: str,
    *,
    value: Decimal | None,
    actor: int,
    reason: str,
    n: Decimal | None = None,
    starts_at: datetime | None = None,
    add: bool = False,
) -> datetime | None:
    """Replace the value of one span by hand, inside the caller's transaction. Returns the moment the correction bears, or null if the span
    already has this value.

    With `add`, a span about which nothing is known gets its first value (manual entry). Raises `NothingToCorrect` otherwise.
    """
    known_at: datetime = await connection.fetchval(_MOVE_KNOWLEDGE)
    span = (series, starts_on, GRAINS[grain], starts_at)
    current = await connection.fetchrow(_CURRENT, *span)
    if current is None and not add:
        raise NothingToCorrect(f"Series {series} has no {grain} value that starts on {starts_on}; enter one instead of correcting it.")
    if current is not None:
        if (current["value"], current["n"]) == (value, n):
            return None
        await connection.execute("UPDATE measurement SET superseded_at = $2 WHERE id = $1", current["id"], known_at)
    await connection.execute(_INSERT_CORRECTION, *span, value, n, known_at, actor, reason)
    return known_at


_CURRENT = """
    SELECT id, value, n FROM measurement
    WHERE series = $1 AND starts_on = $2 AND grain = $3 AND starts_at IS NOT DISTINCT FROM $4 AND superseded_at IS NULL
"""

_INSERT_CORRECTION = """
    INSERT INTO measurement (series, starts_on, grain, starts_at, value, n, known_at, actor, reason)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


def _affected(status: str) -> int:
    """The number at the end of what PostgreSQL answers to a statement, such as `INSERT 0 25`."""
    return int(status.rsplit(" ", 1)[-1])
