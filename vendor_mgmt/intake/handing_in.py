"""Figures that come by themselves: signed messages, uploaded files, rows typed in. They wait as rows until a pull takes them in."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from vendor_mgmt.database import transaction
from vendor_mgmt.intake import pull, queries, signatures
from vendor_mgmt.intake.mapping import ABSENT, BrokenRow
from vendor_mgmt.intake.queries import NoSuchSource, StoredSource
from vendor_mgmt.intake.readers import csv_file, json_lines, json_text, workbook
from vendor_mgmt.intake.readers.page import Found, Row, at_path, picker, value_of
from vendor_mgmt.intake.signatures import NotSigned
from vendor_mgmt.intake.source import Csv, JsonLines, Manual, Source, Webhook, Xlsx
from vendor_mgmt.jobs import runs
from vendor_mgmt.jobs.runs import RunResult

if TYPE_CHECKING:
    import asyncpg

PULL_ATTEMPTS_MAX = 10


class Unreadable(Exception):  # noqa: N818 - a refusal, in words for whoever hands something in
    """What was handed in cannot be read at all."""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was taken. `run` is the pull that will take its rows in; null where it came before."""

    id: str
    rows: int
    run: int | None


async def receive(source: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Received:
    """Take a signed message to a source. The same message again changes nothing.

    Raises `NotSigned` (also where there is no such source: who does not know the secret learns nothing), `Unreadable`,
    `queries.WasHandedIn` for another message under a number that was used.
    """
    async with transaction() as connection:
        try:
            stored = await queries.source_named(connection, source)
        except NoSuchSource:
            raise NotSigned("The signature is not right.") from None
        reader = stored.document.reader
        if not isinstance(reader, Webhook) or not stored.enabled:
            raise NotSigned("The signature is not right.")
        with await pull.unlocked_for(stored.document):
            known = [value_of(secret) for secret in reader.secrets]
        message = signatures.verified(headers, body, known, now, timedelta(seconds=reader.tolerance_s))
        rows = _rows_of(stored.document, reader, body)
        try:
            await queries.hand_in(
                connection, stored, rows, kind="webhook", message_id=message.id, sha256=hashlib.sha256(body).hexdigest(),
                received_bytes=len(body), now=now, sent_at=message.sent_at,
            )  # fmt: skip
        except queries.WasHandedIn as before:
            if before.is_same:
                return Received(id=message.id, rows=len(rows), run=None)
            raise
        run = await _ask_for_pull(connection, source)
    return Received(id=message.id, rows=len(rows), run=run)


async def _ask_for_pull(connection: asyncpg.Connection[Any], source: str) -> int:
    """The run that will take it in: one that waits already, or a new one. A pull that is under way may have looked already."""
    waiting: int | None = await connection.fetchval(
        "SELECT id FROM run WHERE serial_key = $1 AND kind = 'pull' AND state = 'queued' AND (not_before IS NULL OR attempt = 0)"
        " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED",
        queries.serial_key(source),
    )
    if waiting is not None:
        return waiting
    return await runs.enqueue(
        connection, "pull", {"source": source}, priority=1, serial_key=queries.serial_key(source), attempts_max=PULL_ATTEMPTS_MAX
    )


def _rows_of(document: Source, reader: Webhook, body: bytes) -> list[Any]:
    try:
        content = json_text.decoded(body)
    except json_text.NoJson:
        raise Unreadable("The body is no JSON.") from None
    found = at_path(content, reader.rows)
    if reader.rows is None and isinstance(found, dict):
        lists = [value for value in found.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
        found = lists[0] if len(lists) == 1 else [found]
    if not isinstance(found, list):
        where = f" at `{reader.rows}`" if reader.rows else ""
        raise Unreadable(f"The body has no list of rows{where}.")
    pick, persons = picker(document.kept_columns), pull.pseudonymiser(document)
    return [_kept(document, pick(row), persons) for row in found]


def _kept(document: Source, row: Row, persons: Callable[[Row], Row] | None) -> Any:
    """A row with the columns that may be kept; what is none stays what it is, or is forgotten where the source says so."""
    row = row if persons is None else persons(row)
    if isinstance(row, BrokenRow):
        return None if document.rows.broken == "forget" or persons is not None or row.content is ABSENT else row.content
    return {name: cell for name, cell in zip(document.kept_columns, row, strict=True) if cell is not ABSENT}


async def upload(source: str, path: Path, *, actor: int) -> tuple[RunResult, pull.Pulled | None]:
    """Take in a file that somebody hands in (CSV, JSON lines or a workbook, by its name). Raises `Unreadable`, `NoSuchSource`, `Busy`,
    `queries.WasHandedIn` for a file that was handed in before, `ReadingFailed`.
    """
    stored = await _manual(source)
    document = stored.document
    content = await asyncio.to_thread(path.read_bytes)
    sha256 = hashlib.sha256(content).hexdigest()
    file = Found(path=path, name=path.name, sha256=sha256, size_bytes=len(content))
    limits, folder = document.reader.limits, str(path.parent)
    match path.suffix.casefold():
        case ".csv" | ".tsv" | ".txt":
            pages = csv_file.read(document, Csv(folder=folder, limits=limits), file)
        case ".jsonl" | ".ndjson":
            pages = json_lines.read(document, JsonLines(folder=folder, limits=limits), file)
        case ".xlsx" | ".xlsm":
            pages = workbook.read(document, Xlsx(folder=folder, limits=limits), file)
        case other:
            raise Unreadable(f"A file that ends in {other or 'nothing'} cannot be taken in; hand in .csv, .tsv, .jsonl or .xlsx.")
    persons = pull.pseudonymiser(document)
    rows = [_kept(document, row, persons) async for page in pages for row in page.rows]
    return await _hand_in(stored, rows, kind="upload", message_id=sha256, sha256=sha256, received_bytes=len(content), actor=actor)


async def enter(source: str, cells: Mapping[str, str], *, actor: int) -> tuple[RunResult, pull.Pulled | None]:
    """Take in one row that somebody types in. Raises `Unreadable`, `NoSuchSource`, `Busy`."""
    stored = await _manual(source)
    kept = stored.document.kept_columns
    if unknown := sorted(set(cells) - set(kept)):
        raise Unreadable(f"{source} has no column {', '.join(unknown)}; it has {', '.join(kept)}.")
    content = msgspec.json.encode(cells)
    return await _hand_in(
        stored, [dict(cells)], kind="entry", message_id=secrets.token_hex(16), sha256=hashlib.sha256(content).hexdigest(),
        received_bytes=len(content), actor=actor,
    )  # fmt: skip


async def _manual(source: str) -> StoredSource:
    async with transaction() as connection:
        stored = await queries.source_named(connection, source)
    if not isinstance(stored.document.reader, Manual):
        raise Unreadable(f"{source} is not filled by hand; its figures are fetched. Give it `reader: {{type: manual}}`, or pull it.")
    return stored


async def _hand_in(
    stored: StoredSource, rows: Sequence[Any], *, kind: str, message_id: str, sha256: str, received_bytes: int, actor: int
) -> tuple[RunResult, pull.Pulled | None]:
    async with transaction() as connection:
        await queries.hand_in(
            connection, stored, rows, kind=kind, message_id=message_id, sha256=sha256, received_bytes=received_bytes,
            now=datetime.now(UTC), actor=actor,
        )  # fmt: skip
    return await pull.pull_now(pull.Request(source=stored.document.source), created_by=actor)
