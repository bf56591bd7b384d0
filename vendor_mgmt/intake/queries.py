"""Every statement about sources, pulls, raw answers, quarantine, freshness and relief."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, get_args
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from contracts.reading import read
from scorecards.measurement import ReliefEffect
from vendor_mgmt.intake.mapping import Known, KnownMeasure, KnownSite, Refusal
from vendor_mgmt.intake.readers.page import KnownFiles
from vendor_mgmt.intake.source import Source
from vendor_mgmt.jobs import dispatcher

Connection = asyncpg.Connection


class StoredSource(msgspec.Struct, frozen=True, kw_only=True):
    """A source with the version of its document that holds now."""

    id: int
    version: int
    document: Source
    watermark_on: date | None
    enabled: bool


class NoSuchSource(LookupError):  # noqa: N818 - a refusal, in words for a person
    """There is no source of this name; the text names those that there are."""


# Sources


async def save_source(connection: Connection[Any], text: bytes, *, now: datetime, actor: int | None = None) -> StoredSource:
    """Store a source document, as a further version if it differs from the newest, and its schedule. Raises `DocumentRefused`, and
    `LookupError` for a vendor that does not exist.
    """
    document = read(text, Source).required()
    vendor = None
    if document.vendor is not None:
        vendor = await connection.fetchval("SELECT id FROM vendor WHERE code = $1", document.vendor)
        if vendor is None:
            raise LookupError(f"There is no vendor {document.vendor!r}.")
    source: int = await connection.fetchval(_SAVE_SOURCE, document.source, document.title or document.source, vendor, now)
    newest = await connection.fetchrow(
        "SELECT id, number, sha256 FROM source_version WHERE source = $1 ORDER BY number DESC LIMIT 1", source
    )
    sha256 = hashlib.sha256(text).hexdigest()
    if newest is None or newest["sha256"] != sha256:
        number = 1 if newest is None else newest["number"] + 1
        encoded = msgspec.json.encode(document).decode()
        await connection.execute(_ADD_SOURCE_VERSION, source, number, encoded, text.decode("utf-8"), sha256, now, actor)
    await _save_schedule(connection, document, now)
    return await source_named(connection, document.source)


_SAVE_SOURCE = """
    INSERT INTO source (code, title, vendor, enabled, created_at) VALUES ($1, $2, $3, true, $4)
    ON CONFLICT (code) DO UPDATE SET title = excluded.title, vendor = excluded.vendor
    RETURNING id
"""

_ADD_SOURCE_VERSION = """
    INSERT INTO source_version (source, number, document, text, sha256, known_at, entered_by) VALUES ($1, $2, $3::jsonb, $4, $5, $6, $7)
"""


async def _save_schedule(connection: Connection[Any], document: Source, now: datetime) -> None:
    name = f"pull {document.source}"
    if document.schedule is None:
        await dispatcher.disable_schedule(connection, name, now)
        return
    schedule = document.schedule
    await dispatcher.set_schedule(
        connection,
        name,
        kind="pull",
        args={"source": document.source},
        rule=schedule.full_rule,
        zone=schedule.zone,
        starts_on=schedule.starts_on,
        catch_up=schedule.catch_up,
        overlap=schedule.overlap,
        serial_key=serial_key(document.source),
        now=now,
    )


def serial_key(source: str) -> str:
    """What keeps two pulls of one source from running at the same time."""
    return f"source {source}"


async def source_named(connection: Connection[Any], code: str) -> StoredSource:
    """Raises `NoSuchSource`."""
    row = await connection.fetchrow(_SOURCE, code)
    if row is None:
        others = ", ".join(row["code"] for row in await connection.fetch("SELECT code FROM source ORDER BY code"))
        raise NoSuchSource(f"There is no source {code!r}. There {'are ' + others if others else 'is none at all'}.")
    return StoredSource(
        id=row["id"],
        version=row["version"],
        document=read(row["text"], Source).required(),
        watermark_on=row["watermark_on"],
        enabled=row["enabled"],
    )


_SOURCE = """
    SELECT s.id, s.watermark_on, s.enabled, v.id AS version, v.text
    FROM source s JOIN source_version v ON v.source = s.id
    WHERE s.code = $1 ORDER BY v.number DESC LIMIT 1
"""


class SourceStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How a source stands, for lists. `newest_on` is the newest day any of its sites has a value for."""

    code: str
    title: str
    enabled: bool
    watermark_on: date | None
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    newest_on: date | None
    open_refused: int
    last_state: str | None


async def sources(connection: Connection[Any]) -> list[SourceStanding]:
    return [SourceStanding(**row) for row in await connection.fetch(_SOURCES)]


_SOURCES = """
    SELECT s.code, s.title, s.enabled, s.watermark_on, s.last_attempt_at, s.last_success_at,
           (SELECT max(newest_on) FROM site_freshness f WHERE f.source = s.id) AS newest_on,
           (SELECT count(*) FROM refused_row r WHERE r.source = s.id AND r.state = 'open') AS open_refused,
           (SELECT state FROM pull p WHERE p.source = s.id AND NOT p.is_dry_run ORDER BY p.id DESC LIMIT 1) AS last_state
    FROM source s ORDER BY s.code
"""


async def known(connection: Connection[Any], document: Source, moment: datetime) -> Known:
    """The sites and measures a source may speak of: those of its vendor, or of all vendors if it names none."""
    return await known_to(connection, document.vendor, moment)


async def known_to(connection: Connection[Any], vendor: str | None, moment: datetime) -> Known:
    """The sites and measures of a vendor, or of all."""
    sites = await connection.fetch(_SITES, vendor)
    measures = await connection.fetch(_MEASURES, vendor)
    return Known(
        sites={row["code"]: KnownSite(id=row["id"], today=moment.astimezone(ZoneInfo(row["time_zone"])).date()) for row in sites},
        measures={
            row["name"]: KnownMeasure(
                part_of=row["part_of"],
                is_money=row["money"] == "true",
                is_given=row["given"] == "true",
                may_be_negative="true" in (row["negative"], row["given"]),
            )
            for row in measures
        },
    )


_SITES = """
    SELECT s.id, s.code, s.time_zone FROM site s JOIN vendor v ON v.id = s.vendor WHERE $1::text IS NULL OR v.code = $1
"""

# Where versions differ about a measure, the one agreed last counts.
_MEASURES = """
    SELECT DISTINCT ON (m.key) m.key AS name, m.value ->> 'part_of' AS part_of, m.value ->> 'money' AS money,
           m.value ->> 'may_be_negative' AS negative, m.value ->> 'given' AS given
    FROM contract_version cv JOIN contract c ON c.id = cv.contract JOIN vendor v ON v.id = c.vendor
    CROSS JOIN LATERAL jsonb_each(coalesce(cv.document -> 'measures', '{}')) AS m
    WHERE $1::text IS NULL OR v.code = $1
    ORDER BY m.key, cv.agreed_at DESC, cv.id DESC
"""


# Pulls


async def begin_pull(
    connection: Connection[Any],
    *,
    run: int,
    attempt: int,
    source: StoredSource,
    window_from: date | None,
    window_until: date | None,
    is_backfill: bool,
    reason: str | None,
    now: datetime,
    is_dry_run: bool = False,
) -> int:
    number: int = await connection.fetchval(
        _BEGIN_PULL, run, attempt, source.id, source.version, window_from, window_until, is_backfill, reason, now, is_dry_run
    )
    await connection.execute("UPDATE source SET last_attempt_at = $2 WHERE id = $1", source.id, now)
    return number


_BEGIN_PULL = """
    INSERT INTO pull (run, attempt, source, version, window_from, window_until, is_backfill, reason, state, started_at, is_dry_run)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'running', $9, $10) RETURNING id
"""


async def end_pull(connection: Connection[Any], pull: int, fields: Mapping[str, Any]) -> None:
    await connection.execute(
        _END_PULL, pull, fields["state"], fields["is_complete"], fields["watermark_on"], fields["known_at"], fields["pages"],
        fields["rows_read"], fields["added"], fields["changed"], fields["unchanged"], fields["refused"], fields["touched"], fields["now"],
    )  # fmt: skip


_END_PULL = """
    UPDATE pull SET state = $2, is_complete = $3, watermark_on = $4, known_at = $5, pages = $6, rows_read = $7, added = $8, changed = $9,
        unchanged = $10, refused = $11, touched = $12::jsonb, finished_at = $13
    WHERE id = $1
"""


async def fail_pull(connection: Connection[Any], pull: int, now: datetime) -> None:
    await connection.execute("UPDATE pull SET state = 'failed', finished_at = $2 WHERE id = $1 AND state = 'running'", pull, now)


async def move_watermark(
    connection: Connection[Any], source: int, watermark_on: date | None, now: datetime, *, succeeded: bool
) -> date | None:
    """Move a source's watermark forward; it never moves back. Returns where it stands."""
    moved: date | None = await connection.fetchval(_MOVE_WATERMARK, source, watermark_on, now, succeeded)
    return moved


_MOVE_WATERMARK = """
    UPDATE source SET watermark_on = greatest(watermark_on, $2), last_success_at = CASE WHEN $4 THEN $3 ELSE last_success_at END
    WHERE id = $1 RETURNING watermark_on
"""


async def add_finding(connection: Connection[Any], pull: int, check: str, then: str, message: str, rows_concerned: int) -> None:
    await connection.execute(
        'INSERT INTO pull_finding (pull, check_name, "then", message, rows_concerned) VALUES ($1, $2, $3, $4, $5)',
        pull, check, then, message, rows_concerned,
    )  # fmt: skip


async def refresh(connection: Connection[Any], source: int, now: datetime) -> None:
    """Bring `site_freshness` up to date with what is staged."""
    await connection.execute(_REFRESH, source, now)


_REFRESH = """
    INSERT INTO site_freshness AS f (source, site, newest_on, arrived_at)
    SELECT $1, s.site, max(st.starts_on), $2 FROM staged_measurement st JOIN series s ON s.id = st.series
    WHERE st.value IS NOT NULL GROUP BY s.site
    ON CONFLICT (source, site) DO UPDATE SET newest_on = greatest(f.newest_on, excluded.newest_on), arrived_at = excluded.arrived_at
"""


# Raw answers


def packed(content: bytes) -> tuple[str, bytes]:
    """A raw answer as it is kept: the name of its content, and the content compressed."""
    return hashlib.sha256(content).hexdigest(), zlib.compress(content, 1)


async def keep_answer(
    connection: Connection[Any],
    pull: int,
    number: int,
    *,
    sha256: str,
    size_bytes: int,
    content: bytes,
    origin: str,
    received_sha256: str | None,
    received_bytes: int,
    first_row: int,
    rows_read: int,
    now: datetime,
) -> None:
    """Keep an answer once, however often it comes, and note that this pull rests on it."""
    await connection.execute(_KEEP_ANSWER, sha256, size_bytes, content, now)
    await connection.execute(_NOTE_ANSWER, pull, number, sha256, origin, received_sha256, received_bytes, first_row, rows_read)


_KEEP_ANSWER = """
    INSERT INTO raw_answer (sha256, size_bytes, content, kept_at)
    SELECT $1::varchar, $2::bigint, $3::bytea, $4::timestamptz
    WHERE NOT EXISTS (SELECT FROM raw_answer WHERE sha256 = $1 AND content IS NOT NULL)
    ON CONFLICT (sha256) DO UPDATE SET content = excluded.content, kept_at = excluded.kept_at WHERE raw_answer.content IS NULL
"""

_NOTE_ANSWER = """
    INSERT INTO pull_answer (pull, number, answer, origin, received_sha256, received_bytes, first_row, rows_read)
    SELECT $1, $2, id, $4, $5, $6, $7, $8 FROM raw_answer WHERE sha256 = $3
"""


async def raw_rows(connection: Connection[Any], pull: int, row_numbers: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Rows of a pull as they are kept, by number. Rows whose answer is gone, or that were no rows, are left out."""
    wanted = sorted(set(row_numbers))
    found: dict[int, dict[str, Any]] = {}
    if not wanted:
        return found
    for answer in await connection.fetch(_ANSWERS_WITH_ROWS, pull, wanted):
        kept = msgspec.json.decode(zlib.decompress(answer["content"]))
        first = answer["first_row"]
        for number in wanted:
            if first <= number < first + answer["rows_read"] and isinstance(row := kept["rows"][number - first], list):
                found[number] = dict(zip(kept["columns"], row, strict=True))
    return found


_ANSWERS_WITH_ROWS = """
    SELECT a.first_row, a.rows_read, r.content FROM pull_answer a JOIN raw_answer r ON r.id = a.answer
    WHERE a.pull = $1 AND r.content IS NOT NULL
      AND EXISTS (SELECT FROM unnest($2::int[]) AS n WHERE n >= a.first_row AND n < a.first_row + a.rows_read)
    ORDER BY a.number
"""


async def forget_raw_answers(connection: Connection[Any], before: datetime) -> int:
    """Drop the content of answers that no pull since `before` rests on; their names stay. Returns how many."""
    status = await connection.execute(_FORGET, before)
    return int(status.rsplit(" ", 1)[-1])


_FORGET = """
    UPDATE raw_answer r SET content = NULL
    WHERE content IS NOT NULL AND kept_at < $1
      AND NOT EXISTS (SELECT FROM pull_answer a JOIN pull p ON p.id = a.pull WHERE a.answer = r.id AND p.started_at >= $1)
"""


PERSONS_DAYS = 30
"""How long pseudonyms of persons are kept at most, whatever the retention of raw answers."""


async def forget_persons(connection: Connection[Any], before: datetime) -> int:
    """Drop the pseudonyms that arrived before: raw answers that hold some, and the columns in quarantine. Returns how many answers."""
    await connection.execute(_FORGET_REFUSED_PERSONS, before)
    status = await connection.execute(_FORGET_PERSONS, before)
    return int(status.rsplit(" ", 1)[-1])


_FORGET_PERSONS = """
    UPDATE raw_answer r SET content = NULL
    WHERE content IS NOT NULL AND kept_at < $1
      AND EXISTS (SELECT FROM pull_answer a JOIN pull p ON p.id = a.pull JOIN source_version v ON v.id = p.version
                  WHERE a.answer = r.id AND v.document -> 'persons' ->> 'columns' IS NOT NULL)
"""

_FORGET_REFUSED_PERSONS = """
    UPDATE refused_row r SET raw_row = r.raw_row - ARRAY(SELECT jsonb_array_elements_text(v.document -> 'persons' -> 'columns'))
    FROM pull p JOIN source_version v ON v.id = p.version
    WHERE p.id = r.pull AND p.started_at < $1 AND v.document -> 'persons' ->> 'columns' IS NOT NULL
      AND r.raw_row ?| ARRAY(SELECT jsonb_array_elements_text(v.document -> 'persons' -> 'columns'))
"""


# Quarantine


class RefusedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row in quarantine."""

    id: int
    source: str
    pull: int
    row_number: int | None
    starts_on: date | None
    check: str
    reason: str
    state: str
    raw_row: dict[str, Any]


async def begin_refusals(connection: Connection[Any]) -> None:
    await connection.execute(
        """
        DROP TABLE IF EXISTS pg_temp.staged_refusal;
        CREATE TEMPORARY TABLE staged_refusal (row_number int, starts_on date, raw_row jsonb, check_name text, reason text);
        """
    )


async def stage_refusals(connection: Connection[Any], refusals: Sequence[Refusal], encode: Any) -> None:
    await connection.copy_records_to_table(
        "staged_refusal",
        schema_name="pg_temp",
        records=[
            (one.row_number, one.starts_on, _storable(encode(one.raw_row).decode()), one.check, _storable(one.reason)) for one in refusals
        ],
    )


def _storable(text: str) -> str:
    """The text with every NUL character shown as the replacement character.

    PostgreSQL stores none, and a row that holds one must not take the others with it.
    """
    return text.replace("\\u0000", "\\ufffd").replace("\0", "\N{REPLACEMENT CHARACTER}")


async def quarantine(connection: Connection[Any], pull: int, source: int) -> int:
    """Put what was refused into quarantine. Returns how many."""
    status = await connection.execute(_QUARANTINE, pull, source)
    return int(status.rsplit(" ", 1)[-1])


_QUARANTINE = """
    INSERT INTO refused_row (pull, source, row_number, starts_on, raw_row, check_name, reason, state)
    SELECT $1, $2, row_number, starts_on, raw_row, check_name, reason, 'open' FROM staged_refusal ORDER BY row_number
"""


async def replace_refused(
    connection: Connection[Any],
    pull: int,
    source: int,
    now: datetime,
    *,
    window: tuple[date | None, date | None, date] | None,
    origins: Sequence[str],
) -> int:
    """Settle what earlier pulls refused and this one has read again: rows of the window's days, or of the files of the same names. What is
    still wrong comes into quarantine anew. Returns how many.

    `window` is from, until, and the day pulls never reach back behind: a row whose own day could not be read counts as read again once a
    window reaches back that far.
    """
    if window is not None:
        status = await connection.execute(_REPLACE_IN_WINDOW, pull, source, now, *window)
    else:
        status = await connection.execute(_REPLACE_OF_FILES, pull, source, now, list(origins))
    return int(status.rsplit(" ", 1)[-1])


_REPLACE_IN_WINDOW = """
    UPDATE refused_row r SET state = 'replaced', settled_at = $3, settled_by_pull = $1
    FROM pull p
    WHERE p.id = r.pull AND r.source = $2 AND r.state = 'open' AND r.pull <> $1
      AND ($4::date IS NULL OR coalesce(r.starts_on, p.window_from, '0001-01-01') >= $4 OR r.starts_on IS NULL AND $4 <= $6::date)
      AND ($5::date IS NULL OR coalesce(r.starts_on, p.window_from, '0001-01-01') < $5 OR r.check_name = 'future')
"""

_REPLACE_OF_FILES = """
    UPDATE refused_row r SET state = 'replaced', settled_at = $3, settled_by_pull = $1
    WHERE r.source = $2 AND r.state = 'open' AND r.pull <> $1
      AND EXISTS (SELECT FROM pull_answer a WHERE a.pull = r.pull AND a.origin = ANY ($4)
                  AND r.row_number >= a.first_row AND r.row_number < a.first_row + a.rows_read)
"""


async def settle_replayed(connection: Connection[Any], ids: Sequence[int], pull: int, now: datetime, *, actor: int | None = None) -> None:
    await connection.execute(
        "UPDATE refused_row SET state = 'replayed', settled_at = $3, settled_by_pull = $2, settled_by = $4 "
        "WHERE id = ANY ($1) AND state = 'open'",
        list(ids), pull, now, actor,
    )  # fmt: skip


async def note_repairs(
    connection: Connection[Any],
    pull: int,
    repairs: Iterable[tuple[int, Mapping[str, str], str | None]],
    *,
    actor: int,
    reason: str,
    now: datetime,
) -> None:
    """Keep what was changed in refused rows (row, changed columns, overruled check) before the pull mapped them anew."""
    await connection.executemany(
        "INSERT INTO row_repair (refused_row, changes, overruled, pull, actor, reason, repaired_at)"
        " VALUES ($1, $2::jsonb, $3, $4, $5, $6, $7)",
        [(row, msgspec.json.encode(changes).decode(), overruled, pull, actor, reason, now) for row, changes, overruled in repairs],
    )


_EXACT = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


async def refused_rows(
    connection: Connection[Any],
    source: str | None = None,
    *,
    ids: Sequence[int] | None = None,
    state: str | None = "open",
    limit: int | None = 1000,
) -> list[RefusedRow]:
    """What waits in quarantine, or has waited, oldest first."""
    return [
        RefusedRow(**dict(row) | {"raw_row": _EXACT.decode(row["raw_row"])})
        for row in await connection.fetch(_REFUSED_ROWS, source, state, limit, None if ids is None else list(ids))
    ]


_REFUSED_ROWS = """
    SELECT r.id, s.code AS source, r.pull, r.row_number, r.starts_on, r.check_name AS check, r.reason, r.state, r.raw_row::text AS raw_row
    FROM refused_row r JOIN source s ON s.id = r.source
    WHERE ($1::text IS NULL OR s.code = $1) AND ($2::text IS NULL OR r.state = $2)
      AND ($4::bigint[] IS NULL OR r.id = ANY ($4))
    ORDER BY r.id LIMIT $3
"""


async def dismiss(connection: Connection[Any], ids: Sequence[int], actor: int, now: datetime) -> int:
    """Let refused rows rest for good, by a person's decision. Returns how many were open."""
    status = await connection.execute(
        "UPDATE refused_row SET state = 'dismissed', settled_at = $3, settled_by = $2 WHERE id = ANY ($1) AND state = 'open'",
        list(ids), actor, now,
    )  # fmt: skip
    return int(status.rsplit(" ", 1)[-1])


async def oldest_refused_on(connection: Connection[Any], source: int) -> date | None:
    """The first day of which a row waits in quarantine."""
    oldest: date | None = await connection.fetchval(_OLDEST_REFUSED, source)
    return oldest


_OLDEST_REFUSED = """
    SELECT min(coalesce(r.starts_on, p.window_from, '0001-01-01')) FROM refused_row r JOIN pull p ON p.id = r.pull
    WHERE r.source = $1 AND r.state = 'open'
"""


# What is handed in


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """What was handed in and no pull has taken in yet."""

    id: int
    origin: str
    sha256: str
    received_bytes: int
    content: bytes
    reported_at: datetime


class WasHandedIn(Exception):  # noqa: N818 - an outcome
    """A message of this number came before. `is_same` says whether it was the same one."""

    def __init__(self, *, is_same: bool) -> None:
        super().__init__("It was handed in before.")
        self.is_same = is_same


async def hand_in(
    connection: Connection[Any],
    source: StoredSource,
    rows: Sequence[Any],
    *,
    kind: str,
    message_id: str,
    sha256: str,
    received_bytes: int,
    now: datetime,
    sent_at: datetime | None = None,
    actor: int | None = None,
) -> int:
    """Keep rows (objects of kept columns) until a pull takes them in. Raises `WasHandedIn`."""
    content = zlib.compress(_storable(_ENCODER.encode(rows).decode()).encode(), 1)
    number: int | None = await connection.fetchval(
        _HAND_IN, source.id, message_id, kind, sha256, received_bytes, len(rows), content, sent_at, now, actor
    )
    if number is None:
        before = await connection.fetchval("SELECT sha256 FROM incoming WHERE source = $1 AND message_id = $2", source.id, message_id)
        raise WasHandedIn(is_same=before == sha256)
    return number


_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=str)

_HAND_IN = """
    INSERT INTO incoming (source, message_id, kind, sha256, received_bytes, rows_handed_in, content, sent_at, received_at, actor)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (source, message_id) DO NOTHING RETURNING id
"""


async def incoming(connection: Connection[Any], source: int) -> list[Incoming]:
    """What waits to be taken in, in the order in which it came."""
    return [Incoming(**row) for row in await connection.fetch(_INCOMING, source)]


_INCOMING = """
    SELECT id, kind || ' ' || message_id AS origin, sha256, received_bytes, content, coalesce(sent_at, received_at) AS reported_at
    FROM incoming WHERE source = $1 AND pull IS NULL ORDER BY id
"""


async def take_in(connection: Connection[Any], ids: Sequence[int], pull: int) -> None:
    """Note that a pull has taken in what was handed in; its raw answer holds the rows from now on."""
    await connection.execute("UPDATE incoming SET pull = $2, content = NULL WHERE id = ANY ($1) AND pull IS NULL", list(ids), pull)


# Tasks about figures


class DataTask(msgspec.Struct, frozen=True, kw_only=True):
    """Figures that somebody has to see to."""

    id: int
    kind: str
    source: str | None
    site: str | None
    part: str
    measures: list[str]
    title: str
    owner: str
    asked_of: str
    newest_on: date | None
    opened_at: datetime
    due_at: datetime
    state: str
    closed_at: datetime | None
    note: str | None


async def open_task(
    connection: Connection[Any],
    *,
    kind: str,
    source: str | None,
    site: str | None,
    part: str,
    measures: Sequence[str],
    title: str,
    owner: str,
    asked_of: str,
    newest_on: date | None,
    due_at: datetime,
    now: datetime,
) -> int | None:
    """Open a task, unless one about the same is open. Returns its number, or null where there was one."""
    number: int | None = await connection.fetchval(
        _OPEN_TASK, kind, source, site, part, msgspec.json.encode(list(measures)).decode(), title, owner, asked_of, newest_on, now, due_at
    )
    return number


_OPEN_TASK = """
    INSERT INTO data_task (kind, source, site, part, measures, title, owner, asked_of, newest_on, opened_at, due_at, state)
    SELECT $1, (SELECT id FROM source WHERE code = $2), (SELECT id FROM site WHERE code = $3), $4, $5::jsonb, $6, $7, $8, $9, $10, $11,
           'open'
    ON CONFLICT DO NOTHING RETURNING id
"""


async def close_tasks(
    connection: Connection[Any],
    ids: Sequence[int],
    now: datetime,
    *,
    actor: int | None = None,
    note: str | None = None,
    state: str = "done",
) -> int:
    """Close open tasks. Returns how many were open."""
    status = await connection.execute(
        "UPDATE data_task SET state = $5, closed_at = $2, closed_by = $3, note = $4 WHERE id = ANY ($1) AND state = 'open'",
        list(ids), now, actor, note, state,
    )  # fmt: skip
    return int(status.rsplit(" ", 1)[-1])


async def data_tasks(
    connection: Connection[Any], *, state: str | None = "open", kind: str | None = None, source: str | None = None
) -> list[DataTask]:
    """Tasks about figures, the one that falls due first first."""
    rows = await connection.fetch(_TASKS, state, kind, source)
    return [DataTask(**dict(row) | {"measures": msgspec.json.decode(row["measures"])}) for row in rows]


_TASKS = """
    SELECT t.id, t.kind, o.code AS source, s.code AS site, t.part, t.measures::text AS measures, t.title, t.owner, t.asked_of, t.newest_on,
           t.opened_at, t.due_at, t.state, t.closed_at, t.note
    FROM data_task t LEFT JOIN source o ON o.id = t.source LEFT JOIN site s ON s.id = t.site
    WHERE ($1::text IS NULL OR t.state = $1) AND ($2::text IS NULL OR t.kind = $2) AND ($3::text IS NULL OR o.code = $3)
    ORDER BY t.due_at, t.id
"""


# Files


async def known_files(connection: Connection[Any], source: StoredSource) -> KnownFiles:
    """What this version of a source has taken in: of each name the newest state, because a file may go back to an earlier one."""
    rows = await connection.fetch(
        "SELECT name, sha256, mark FROM source_file WHERE source = $1 AND version = $2 ORDER BY id", source.id, source.version
    )
    newest = {row["name"]: row for row in rows}
    return KnownFiles(
        contents=frozenset((name, row["sha256"]) for name, row in newest.items()),
        marks=frozenset((name, row["mark"]) for name, row in newest.items() if row["mark"] is not None),
        every_mark=frozenset(row["mark"] for row in rows if row["mark"] is not None),
    )


async def note_file(
    connection: Connection[Any], source: StoredSource, name: str, sha256: str, pull: int, mark: str | None = None
) -> None:
    """Remember that a file was taken in. One that goes back to an earlier state is remembered anew."""
    await connection.execute("DELETE FROM source_file WHERE source = $1 AND name = $2 AND sha256 = $3", source.id, name, sha256)
    await connection.execute(
        "INSERT INTO source_file (source, version, name, sha256, pull, mark) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        source.id, source.version, name, sha256, pull, mark,
    )  # fmt: skip


# Relief


class NotDecidable(Exception):  # noqa: N818 - a refusal, in words for a person
    """A claim cannot be decided so; the text says why."""


async def claim_relief(
    connection: Connection[Any],
    *,
    contract: int,
    cause: str,
    relief_from: date,
    relief_until: date,
    effect: str,
    claimed_by: int,
    now: datetime,
    site: int | None = None,
    kpi: str | None = None,
    dimensions: Mapping[str, str] | None = None,
    evidence: str | None = None,
    notice_due_at: datetime | None = None,
) -> int:
    """Store a claim, undecided. Raises `NotDecidable` for an effect that scoring does not know: approved, it would do something else."""
    if effect not in get_args(ReliefEffect):
        raise NotDecidable(f"{effect!r} is no effect of relief. Use one of {', '.join(get_args(ReliefEffect))}.")
    number: int = await connection.fetchval(
        _CLAIM_RELIEF, contract, site, kpi, msgspec.json.encode(dimensions or {}).decode(), cause, relief_from, relief_until, effect,
        evidence, claimed_by, now, notice_due_at,
    )  # fmt: skip
    return number


_CLAIM_RELIEF = """
    INSERT INTO relief_claim (contract, site, kpi, dimensions, cause, relief_from, relief_until, effect, evidence, claimed_by,
                              claimed_at, notice_due_at, state)
    VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8, $9, $10, $11, $12, 'claimed') RETURNING id
"""


async def decide_relief(connection: Connection[Any], claim: int, *, approve: bool, decided_by: int, decision: str, now: datetime) -> None:
    """Approve or reject a claim, once. Raises `NotDecidable` if it was decided before, does not exist, or is the decider's own."""
    row = await connection.fetchrow("SELECT state, claimed_by FROM relief_claim WHERE id = $1 FOR UPDATE", claim)
    if row is None or row["state"] != "claimed":
        raise NotDecidable(f"Claim {claim} is {row['state'] if row else 'unknown'} and cannot be decided.")
    if row["claimed_by"] == decided_by:
        raise NotDecidable(f"Claim {claim} has to be decided by somebody else than who made it.")
    state = "approved" if approve else "rejected"
    await connection.execute(
        "UPDATE relief_claim SET state = $2, decided_by = $3, decided_at = $4, decision = $5 WHERE id = $1",
        claim,
        state,
        decided_by,
        now,
        decision,
    )
