"""One pull, from the source to stored measurements. Read `pull` from top to bottom.

What comes is staged page by page on a connection of its own, outside any transaction, so that memory stays flat and nobody waits. One
transaction at the end stores all of it: measurements, quarantine, findings, watermark, and the end of the run. If anything goes wrong
before, nothing has happened but that some raw answers are kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import msgspec

from scorecards import measurement_queries
from scorecards.measurement_queries import Merged
from scorecards.series import SeriesKey
from vendor_mgmt import credential_values, outbound
from vendor_mgmt.database import transaction
from vendor_mgmt.engine import DB
from vendor_mgmt.intake import checks, credentials, queries
from vendor_mgmt.intake.mapping import ABSENT, IN_ROWS, NOT_A_ROW, BrokenRow, Known, Mapper, Refusal, Stopped, pseudonym
from vendor_mgmt.intake.queries import StoredSource
from vendor_mgmt.intake.readers import csv_file, files, http_json, json_lines, json_text, postgresql, workbook
from vendor_mgmt.intake.readers.page import PAGE_ROWS, Asked, Found, KnownFiles, Page, ReadingFailed, Row, picker, value_of
from vendor_mgmt.intake.source import Code, Csv, Draft, FileReader, HandedIn, HttpJson, JsonLines, Manual, PostgreSql, Reader, Source, Xlsx
from vendor_mgmt.intake.window import PullWindow, next_window
from vendor_mgmt.jobs.runs import GiveUp, RunResult, Work, perform, register

logger = logging.getLogger(__name__)

PROGRESS_S = 0.5
"""How often people see how far a pull is."""

SHOWN_MAX = 20
"""How many refused rows a result quotes; all of them are in quarantine."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What pulls of this installation may do; set once, by `configure`."""

    allow_private: bool = False
    proxy: str | None = None
    credentials_key: str | None = None
    """Unlocks stored credentials."""
    root: Path = Path()
    """Where relative folders of sources begin."""


_OPTIONS = [Options()]

AfterPull = Callable[["asyncpg.Connection[Any]", "Pulled"], Awaitable[None]]

AFTER_PULL: list[AfterPull] = []
"""Called in the transaction that stores a pull which changed something, in order. `work.py` fills it: closed months are looked at again."""


def configure(
    *, allow_private: bool = False, proxy: str | None = None, root: Path | None = None, credentials_key: str | None = None
) -> None:
    """Say how pulls of this process reach their sources."""
    _OPTIONS[0] = Options(allow_private=allow_private, proxy=proxy, root=root or Path(), credentials_key=credentials_key)


def options() -> Options:
    """What pulls of this process may do."""
    return _OPTIONS[0]


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arguments of a pull. With `from`, a backfill: those days are read again, and the watermark is left where it is."""

    source: str
    from_: date | None = msgspec.field(default=None, name="from")
    until: date | None = None
    reason: str | None = None
    dry_run: bool = False


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """What a pull did. `refused` counts measurements and rows; `shown` quotes the first of them."""

    pull: int
    source: str
    state: str
    window_from: date | None
    window_until: date | None
    is_complete: bool
    is_backfill: bool
    is_dry_run: bool
    watermark_on: date | None
    known_at: datetime
    pages: int
    rows_read: int
    added: int
    changed: int
    unchanged: int
    refused: int
    touched: list[measurement_queries.Touched]
    findings: list[str]
    shown: list[Refusal]


class _DryRun(Exception):  # noqa: N818 - undoes the transaction of a dry run
    def __init__(self, pulled: Pulled) -> None:
        super().__init__()
        self.pulled = pulled


@register("pull")
async def pull(work: Work) -> None:
    """Pull a source; `work.args` is a `Request`."""
    request = msgspec.convert(work.args, Request)
    now = datetime.now(UTC)
    async with transaction() as connection:
        try:
            source = await queries.source_named(connection, request.source)
        except queries.NoSuchSource as error:
            raise GiveUp(str(error)) from None
        known = await queries.known(connection, source.document, now)
        window = await _window(connection, source, request, work.due_at or now)
        number = await queries.begin_pull(
            connection,
            run=work.run,
            attempt=work.attempt,
            source=source,
            window_from=window.window_from,
            window_until=window.window_until,
            is_backfill=request.from_ is not None,
            reason=request.reason,
            now=now,
            is_dry_run=request.dry_run,
        )
        if isinstance(source.document.reader, Manual) and work.due_at is not None:
            await _ask_people(connection, source.document, source.document.reader, work.due_at, now)
    await _Pull(work, request, source, known, window, number, now).read_and_store()


async def _ask_people(connection: asyncpg.Connection[Any], document: Source, reader: Manual, due_at: datetime, now: datetime) -> None:
    """Figures that people enter have fallen due: from now on that is somebody's task."""
    await queries.open_task(
        connection,
        kind="entry",
        source=document.source,
        site=None,
        part="",
        measures=sorted(document.mapping.measures),
        title=f"Enter or upload the figures of {document.title or document.source}.",
        owner=document.owner,
        asked_of=reader.asked_of,
        newest_on=None,
        due_at=due_at + timedelta(hours=reader.due_h),
        now=now,
    )


async def pull_now(
    request: Request, *, created_by: int | None = None, listener: Callable[[Any], None] | None = None
) -> tuple[RunResult, Pulled | None]:
    """Pull at once, in this process; for commands and the demo. Raises `Busy` if the source is being pulled, `NoSuchSource`."""
    async with transaction() as connection:
        await queries.source_named(connection, request.source)
    result = await perform(
        "pull",
        msgspec.to_builtins(request),
        serial_key=queries.serial_key(request.source),
        created_by=created_by,
        listener=listener,
    )
    pulled = None if result.result is None else msgspec.convert(result.result, Pulled)
    return result, pulled


@register("replay")
async def replay(work: Work) -> None:
    """Map rows that wait in a source's quarantine anew, with the document and the codes of today. What goes in now is settled; what is
    still refused stays where it is. `work.args` is a `Repair`.
    """
    repair = msgspec.convert(work.args, Repair)
    now = datetime.now(UTC)
    async with transaction() as connection:
        try:
            source = await queries.source_named(connection, repair.source)
        except queries.NoSuchSource as error:
            raise GiveUp(str(error)) from None
        known = await queries.known(connection, source.document, now)
        waiting = await queries.refused_rows(connection, source.document.source, ids=repair.rows, limit=None)
        changed = {row.id: changes for row in waiting if (changes := repair.changes(row.raw_row))}
        waiting = [row for row in waiting if _may_be_mapped(row, repair, changed)]
        number = await queries.begin_pull(
            connection,
            run=work.run,
            attempt=work.attempt,
            source=source,
            window_from=None,
            window_until=None,
            is_backfill=True,
            reason=f"repair of quarantine: {repair.reason}" if repair.is_by_hand else "replay of quarantine",
            now=now,
            is_dry_run=repair.dry_run,
        )
    window = PullWindow(window_from=None, window_until=now.date())
    request = Request(source=source.document.source, from_=now.date(), dry_run=repair.dry_run)
    one = _Replay(work, request, repair.read_with(source, waiting), known, window, number, now)
    one.repair, one.waiting, one.changed = repair, waiting, changed
    await one.read_and_store()


class Renamed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where `column` says `theirs`, it means `ours`."""

    column: str
    theirs: str
    ours: str


class Repair(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rows of a source's quarantine to map anew, and what to change in them first.

    `rows` are their numbers (null: all). `set` writes into their columns, `map` exchanges words. `accept` lets rows in against the check
    that refused them. A row that contradicted another one of its pull is only taken when it is named, because it would replace that one.
    """

    source: str
    rows: list[int] | None = None
    set: dict[str, str] = {}
    map: list[Renamed] = []
    accept: bool = False
    reason: str | None = None
    actor: int | None = None
    dry_run: bool = False

    @property
    def is_by_hand(self) -> bool:
        return bool(self.set or self.map or self.accept)

    def changes(self, raw_row: Mapping[str, Any]) -> dict[str, str]:
        """What is written into the columns of a row."""
        words = {one.column: one.ours for one in self.map if str(raw_row.get(one.column, "")).strip() == one.theirs}
        return words | self.set

    def read_with(self, source: StoredSource, waiting: Sequence[queries.RefusedRow]) -> StoredSource:
        """The source as these rows are read: our own words need no code, and checks that are overruled only remark."""
        document = source.document
        codes = document.codes
        if self.map or self.set:
            codes = {
                name: (*listed, *(Code(theirs=ours, ours=ours) for ours in {one.ours for one in listed} - {one.theirs for one in listed}))
                for name, listed in codes.items()
            }
        checks = document.checks_in_force
        if self.accept:
            overruled = {row.check for row in waiting}
            checks = tuple(msgspec.structs.replace(one, then="flag") if one.check in overruled else one for one in checks)
        return msgspec.structs.replace(source, document=msgspec.structs.replace(document, codes=codes, checks=checks))


def _may_be_mapped(row: queries.RefusedRow, repair: Repair, changed: Mapping[int, Mapping[str, str]]) -> bool:
    if repair.map and not repair.set and not repair.accept and row.id not in changed:
        return False  # Nothing of it is renamed.
    if repair.accept and row.check in IN_ROWS and row.id not in changed:
        return False  # It cannot be read, so it cannot be accepted.
    if row.check == "duplicate" and repair.rows is None:
        return False
    # A row that was none has nothing that could be mapped, unless somebody says what it means.
    return row.id in changed or bool(row.raw_row.keys() - {NOT_A_ROW})


class CannotRepair(Exception):  # noqa: N818 - a refusal, in words for a person
    """A repair that makes no sense; the text says why."""


async def replay_now(source: str, rows: Sequence[int] | None = None, *, created_by: int | None = None) -> tuple[RunResult, Pulled | None]:
    """Replay a source's quarantine at once, in this process. Raises `Busy`, `NoSuchSource`."""
    return await repair_now(Repair(source=source, rows=None if rows is None else list(rows)), created_by=created_by)


async def repair_now(repair: Repair, *, created_by: int | None = None) -> tuple[RunResult, Pulled | None]:
    """Map refused rows anew, corrected as the repair says, at once, in this process. Raises `Busy`, `NoSuchSource`, `CannotRepair`."""
    async with transaction() as connection:
        source = await queries.source_named(connection, repair.source)
    if source.document.mapping.events is not None:
        # One event alone would be counted as a whole day.
        raise CannotRepair(f"Rows of {repair.source} are single events, which count only together. Correct what refused them, and pull.")
    kept = source.document.kept_columns
    if unknown := sorted({*repair.set, *(one.column for one in repair.map)} - set(kept)):
        raise CannotRepair(f"{repair.source} keeps no column {', '.join(unknown)}; it keeps {', '.join(kept)}.")
    if repair.set and repair.rows is None:
        raise CannotRepair("Name the rows to write into; a value that is right for one row is wrong for the others.")
    if repair.is_by_hand and not (repair.reason or "").strip():
        raise CannotRepair("A repair by hand needs a reason, which stays on record with it.")
    if repair.is_by_hand and repair.actor is None:
        raise CannotRepair("A repair by hand needs the number of who makes it.")
    result = await perform(
        "replay", msgspec.to_builtins(repair), serial_key=queries.serial_key(repair.source), created_by=created_by
    )
    return result, None if result.result is None else msgspec.convert(result.result, Pulled)


async def _window(connection: asyncpg.Connection[Any], source: StoredSource, request: Request, at: datetime) -> PullWindow:
    document = source.document
    zone = ZoneInfo(document.schedule.zone) if document.schedule else UTC
    until_on = request.until or at.astimezone(zone).date()
    if request.from_ is not None:
        if request.from_ >= until_on:
            raise GiveUp(f"The days from {request.from_} until {until_on} are none; `until` is the first day outside.")
        return PullWindow(window_from=request.from_, window_until=until_on)
    return next_window(
        watermark_on=source.watermark_on,
        until_on=until_on,
        restates_days=document.restates_days,
        repairs_days=document.repairs_days,
        first_day=document.first_day,
        oldest_refused_on=await queries.oldest_refused_on(connection, source.id),
    )


class _Pull:
    """One attempt at a pull, while it goes on."""

    def __init__(
        self, work: Work, request: Request, source: StoredSource, known: Known, window: PullWindow, number: int, now: datetime
    ) -> None:
        self.work = work
        self.request = request
        self.source = source
        self.document = source.document
        self.known = known
        self.window = window
        self.number = number
        self.now = now
        self.mapper = Mapper(source.document, known)
        self.ids: list[int] = []
        self.encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=_encode_absent)
        self.pages = 0
        self.rows_read = 0
        self.refused = 0
        self.shown: list[Refusal] = []
        self.flags: Counter[str] = Counter()
        self.flag_examples: dict[str, str] = {}
        self.findings: list[tuple[str, str, str, int]] = []
        self.failure: ReadingFailed | None = None
        self.whole_files: list[Found] = []
        self.answer: tuple[str, str, str] | None = None
        """Address, SHA-256 and mark of the one answer of a source that has one."""
        self.persons: Callable[[Row], Row] | None = None
        self.is_unmodified = False
        self.handed_in: list[int] = []
        self.failed_files: list[str] = []
        self.told_at = 0.0
        # One thread for all pages: each further one would keep memory of its own.
        self.packer = ThreadPoolExecutor(1, thread_name_prefix="pull")
        self.is_of_files = isinstance(self.document.reader, FileReader | HandedIn)
        self.stopping = {check.check for check in self.document.checks if check.then == "stop"} & {"unknown", "unreadable"}

    async def read_and_store(self) -> None:
        try:
            await self._read_and_store()
        except BaseException:
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                async with transaction() as connection:
                    await queries.fail_pull(connection, self.number, datetime.now(UTC))
            raise

    async def _read_and_store(self) -> None:
        connection = await DB.get_new_connection()
        try:
            # Raw answers and staged rows need not survive a crash before the transaction that stores them, which waits for the disk again.
            await connection.execute("SET synchronous_commit = off")
            await measurement_queries.begin_staging(connection)
            if self.mapper.events is not None:
                await measurement_queries.begin_staging_events(connection)
            await queries.begin_refusals(connection)
            try:
                try:
                    unlocking = await unlocked_for(self.document)
                except ReadingFailed as failure:
                    raise GiveUp(failure.reason) from None
                with unlocking:
                    await self.read(connection)
                pulled = await self.store(connection)
            except Stopped as stop:
                raise GiveUp(f"The check {stop.check} stopped the pull: {stop.reason} Nothing was stored.") from None
            except _DryRun as dry:
                pulled = dry.pulled
                async with transaction() as own:
                    await queries.end_pull(own, self.number, self.ending(pulled))
                    await self.work.finish(own, msgspec.to_builtins(pulled))
            logger.info(
                "Pull %s of %s: %s, %s added, %s changed, %s unchanged, %s refused",
                self.number, self.document.source, pulled.state, pulled.added, pulled.changed, pulled.unchanged, pulled.refused,
            )  # fmt: skip
        finally:
            self.packer.shutdown(wait=False)
            await connection.close(timeout=5)

    async def read(self, connection: asyncpg.Connection[Any]) -> None:
        """Take in page after page, until the source's end or until it cannot be read on."""
        reader = self.document.reader
        is_everything_wanted = self.request.from_ is not None
        known = KnownFiles() if is_everything_wanted else await queries.known_files(connection, self.source)
        async with client(reader) as http:
            asked = Asked(since=self.window.window_from, until=self.window.window_until)
            try:
                self.persons = pseudonymiser(self.document)
                if isinstance(reader, HttpJson):
                    async for page in http_json.read(self.document, reader, asked, http, known):
                        await self.take(connection, page)
                        if page.mark is not None and page.received_sha256 is not None:
                            self.answer = (http_json.name_of(reader, asked), page.received_sha256, page.mark)
                elif isinstance(reader, HandedIn):
                    await self.read_handed_in(connection, reader)
                elif isinstance(reader, PostgreSql):
                    async for page in postgresql.read(self.document, reader, asked, allow_private=_OPTIONS[0].allow_private):
                        await self.take(connection, page)
                else:
                    await self.read_files(connection, reader, http, known)
            except http_json.NotModified:
                self.is_unmodified = True
                self.findings.append(("reading", "flag", "The source has nothing but what was read before.", 0))
            except ReadingFailed as failure:
                if self.pages == 0:
                    if failure.is_temporary:
                        raise
                    raise GiveUp(failure.reason) from None
                self.failure = failure

    async def read_handed_in(self, connection: asyncpg.Connection[Any], reader: HandedIn) -> None:
        """Take in what was handed in since the last pull."""
        del reader
        pick = picker(self.mapper.columns)
        for one in await queries.incoming(connection, self.source.id):
            rows = [pick(row) for row in json_text.decoded(zlib.decompress(one.content))]
            for start in range(0, max(len(rows), 1), PAGE_ROWS):
                page = Page(
                    origin=one.origin,
                    rows=rows[start : start + PAGE_ROWS],
                    received_sha256=one.sha256,
                    received_bytes=one.received_bytes,
                    reported_at=one.reported_at,
                )
                await self.take(connection, page)
            self.handed_in.append(one.id)

    async def read_files(
        self, connection: asyncpg.Connection[Any], reader: FileReader, client: httpx.AsyncClient, known: KnownFiles
    ) -> None:
        """Take in every file that is new or has changed. One that cannot be read keeps none of the others out."""
        failure: ReadingFailed | None = None
        allowed = _OPTIONS[0]
        async with files.files(reader, client, known, allowed.root, allow_private=allowed.allow_private) as found:
            for file in found:
                refused_before = self.refused
                try:
                    async for page in pages_of_file(self.document, reader, file):
                        await self.take(connection, page)
                except ReadingFailed as error:
                    failure = error
                    self.failed_files.append(file.name)
                    self.findings.append(("reading", "flag", error.reason, 0))
                    continue
                if self.refused == refused_before:
                    self.whole_files.append(file)
        if failure is not None:
            raise failure

    async def take(self, connection: asyncpg.Connection[Any], page: Page) -> None:
        """Keep a page as it came, map its rows, and stage what they say."""
        if self.persons is not None:
            page = msgspec.structs.replace(page, rows=[self.persons(row) for row in page.rows])
        if self.document.rows.broken == "forget" or self.document.persons is not None:
            rows = [BrokenRow(row.reason) if isinstance(row, BrokenRow) and NOT_A_ROW in row.raw_row else row for row in page.rows]
            page = msgspec.structs.replace(page, rows=rows)
        first_row = self.rows_read + 1
        self.rows_read += len(page.rows)
        if page.rows or not self.is_of_files:
            self.pages += 1
        if page.rows:
            content = self.encoder.encode({"columns": self.mapper.columns, "rows": page.rows})
            # Compressing goes on beside the mapping, on another core.
            packing = asyncio.get_running_loop().run_in_executor(self.packer, queries.packed, content)
            try:
                mapped = self.mapper.map(page.rows, first_row, page.reported_at)
            except BaseException:
                await packing
                raise
            await self.stage(connection, mapped.staged)
            await self.refuse(connection, mapped.refused)
            for flag in mapped.flagged:
                self.flags[flag.check] += 1
                self.flag_examples.setdefault(flag.check, f"row {flag.row_number}: {flag.reason}")
            sha256, packed = await packing
            await queries.keep_answer(
                connection,
                self.number,
                self.pages,
                sha256=sha256,
                size_bytes=len(content),
                content=packed,
                origin=page.origin,
                received_sha256=page.received_sha256,
                received_bytes=page.received_bytes,
                first_row=first_row,
                rows_read=len(page.rows),
                now=self.now,
            )
        if time.monotonic() - self.told_at >= PROGRESS_S:
            self.told_at = time.monotonic()
            await self.work.progress(pages=self.pages, rows_read=self.rows_read, refused=self.refused)

    async def stage(self, connection: asyncpg.Connection[Any], staged: Sequence[tuple[int, str]]) -> None:
        if len(self.ids) < len(self.mapper.series):
            self.ids += await measurement_queries.series_ids(connection, self.mapper.series[len(self.ids) :])
        if staged:
            ids = self.ids
            lines = "".join([f"{ids[position]}{line}" for position, line in staged])
            stage = measurement_queries.stage if self.mapper.events is None else measurement_queries.stage_events
            await stage(connection, lines.encode())

    async def refuse(self, connection: asyncpg.Connection[Any], refused: Sequence[Refusal]) -> None:
        if refused:
            for one in refused:
                if (check := "unknown" if one.check.startswith("unknown_") else "unreadable") in self.stopping and one.check in IN_ROWS:
                    raise Stopped(check, f"Row {one.row_number}: {one.reason}")
            await queries.stage_refusals(connection, refused, self.encoder.encode)
            self.refused += len(refused)
            shown = refused[: SHOWN_MAX - len(self.shown)]
            if self.document.persons is not None:
                # A result is kept longer than pseudonyms are.
                shown = [msgspec.structs.replace(one, raw_row={}) for one in shown]
            self.shown += shown

    async def store(self, connection: asyncpg.Connection[Any]) -> Pulled:
        """Make everything that was staged known, in one transaction with the end of the run."""
        series = dict(zip(self.ids, self.mapper.series, strict=True))
        async with connection.transaction():
            await connection.execute("SET LOCAL synchronous_commit = on")
            await self.count(connection, series)
            await self.check(connection, series)
            merged = await measurement_queries.merge(connection, self.number)
            is_complete = self.failure is None
            state = "done" if is_complete and not self.refused else "partial"
            origins = await self.settle_quarantine(connection, is_complete=is_complete)
            await self.quarantine(connection)
            await self.note_findings(connection)
            for file in self.whole_files:
                if self.refused == 0 or file.name in origins:
                    await queries.note_file(connection, self.source, file.name, file.sha256, self.number, file.mark)
            if self.answer is not None and is_complete and self.refused == 0:
                name, sha256, mark = self.answer
                await queries.note_file(connection, self.source, name, sha256, self.number, mark)
            await queries.refresh(connection, self.source.id, self.now)
            await queries.take_in(connection, self.handed_in, self.number)
            if self.handed_in and merged.added + merged.changed + merged.unchanged:
                done = await queries.data_tasks(connection, kind="entry", source=self.document.source)
                await queries.close_tasks(connection, [task.id for task in done], self.now, note="The figures came.")
            watermark_on = await self.move_watermark(connection, is_complete=is_complete)
            pulled = self.outcome(merged, state, watermark_on, is_complete=is_complete)
            if self.request.dry_run:
                raise _DryRun(pulled)
            await queries.end_pull(connection, self.number, self.ending(pulled))
            if merged.added or merged.changed:
                for hook in AFTER_PULL:
                    await hook(connection, pulled)
            error = self.failure.reason if self.failure else f"{self.refused} rows or values were refused." if self.refused else None
            await self.work.finish(connection, msgspec.to_builtins(pulled), state="done" if state == "done" else "partial", error=error)
        return pulled

    async def count(self, connection: asyncpg.Connection[Any], series: dict[int, SeriesKey]) -> None:
        """Make days out of events, where rows are events."""
        if self.mapper.events is None:
            return
        distinct = {name for name, counted in self.mapper.events.measures.items() if counted.distinct is not None}
        asked = (None, None) if self.is_of_files else (self.window.window_from, self.window.window_until)
        await measurement_queries.count_events(connection, [number for number, key in series.items() if key.measure in distinct], *asked)

    async def check(self, connection: asyncpg.Connection[Any], series: dict[int, SeriesKey]) -> None:
        """Refuse what contradicts itself or other rows."""
        days = None if self.window.window_from is None or self.is_of_files else (self.window.window_from, self.window.window_until)
        found: list[tuple[int, str, date | None, str]] = []
        for breach in await checks.run(connection, self.document, self.known, series, window=days):
            if breach.then == "refuse" and breach.row_number is not None:
                found.append((breach.row_number, breach.check, breach.starts_on, breach.reason))
            else:
                self.flags[breach.check] += 1
                self.flag_examples.setdefault(breach.check, breach.reason)
        raw = await queries.raw_rows(connection, self.number, (row for row, *_ in found))
        unique = {(row, check, reason): (row, check, day, reason) for row, check, day, reason in found}
        await self.refuse(
            connection,
            [
                Refusal(row_number=row, check=check, reason=reason, starts_on=day, raw_row=raw.get(row, {}))
                for row, check, day, reason in unique.values()
            ],
        )

    async def settle_quarantine(self, connection: asyncpg.Connection[Any], *, is_complete: bool) -> set[str]:
        """What earlier pulls refused and this one read again. Returns the names of the files that were read to their end."""
        if self.is_of_files:
            rows = await connection.fetch("SELECT DISTINCT origin FROM pull_answer WHERE pull = $1", self.number)
            origins = {row["origin"] for row in rows} - set(self.failed_files)
            await queries.replace_refused(connection, self.number, self.source.id, self.now, window=None, origins=sorted(origins))
            return {file.name for file in self.whole_files}
        if is_complete and not self.is_unmodified:
            horizon = self.window.window_until - timedelta(days=self.document.repairs_days)
            window = (self.window.window_from, self.window.window_until, horizon)
            await queries.replace_refused(connection, self.number, self.source.id, self.now, window=window, origins=())
        return set()

    async def quarantine(self, connection: asyncpg.Connection[Any]) -> None:
        await queries.quarantine(connection, self.number, self.source.id)

    async def note_findings(self, connection: asyncpg.Connection[Any]) -> None:
        if self.failure is not None and not self.is_of_files:
            self.findings.append(("reading", "flag", f"The source was not read to its end. {self.failure.reason}", 0))
        for check, count in self.flags.items():
            self.findings.append((check, "flag", self.flag_examples[check], count))
        for check, then, message, count in self.findings:
            await queries.add_finding(connection, self.number, check, then, message, count)

    async def move_watermark(self, connection: asyncpg.Connection[Any], *, is_complete: bool) -> date | None:
        """Forward to the end of what was read completely. A backfill says nothing about the days between, so it moves nothing."""
        moves_to: date | None = None
        if is_complete and self.request.from_ is None:
            moves_to = self.window.window_until
            if self.is_of_files:
                # A folder is not asked for days; it is complete as far as its newest row.
                newest = await connection.fetchval("SELECT max(starts_on) FROM staged_measurement WHERE value IS NOT NULL")
                moves_to = None if newest is None else newest + timedelta(days=1)
        return await queries.move_watermark(connection, self.source.id, moves_to, self.now, succeeded=is_complete)

    @staticmethod
    def ending(pulled: Pulled) -> dict[str, Any]:
        return msgspec.structs.asdict(pulled) | {"touched": msgspec.json.encode(pulled.touched).decode(), "now": datetime.now(UTC)}

    def outcome(self, merged: Merged, state: str, watermark_on: date | None, *, is_complete: bool) -> Pulled:
        return Pulled(
            pull=self.number,
            source=self.document.source,
            state=state,
            window_from=self.window.window_from,
            window_until=self.window.window_until,
            is_complete=is_complete,
            is_backfill=self.request.from_ is not None,
            is_dry_run=self.request.dry_run,
            watermark_on=watermark_on,
            known_at=merged.known_at,
            pages=self.pages,
            rows_read=self.rows_read,
            added=merged.added,
            changed=merged.changed,
            unchanged=merged.unchanged,
            refused=self.refused,
            touched=merged.touched,
            findings=[message for _, _, message, _ in self.findings],
            shown=self.shown,
        )


class _Replay(_Pull):
    """Rows out of quarantine instead of out of a source, corrected where somebody said so."""

    waiting: Sequence[queries.RefusedRow] = ()
    changed: Mapping[int, Mapping[str, str]] = {}
    repair: Repair

    async def read(self, connection: asyncpg.Connection[Any]) -> None:
        columns = self.mapper.columns
        for start in range(0, len(self.waiting), PAGE_ROWS):
            part = [row.raw_row | dict(self.changed.get(row.id, {})) for row in self.waiting[start : start + PAGE_ROWS]]
            rows = [tuple(row.get(name, ABSENT) for name in columns) for row in part]
            await self.take(connection, Page(origin="quarantine", rows=rows, received_sha256=None, received_bytes=0))

    async def settle_quarantine(self, connection: asyncpg.Connection[Any], *, is_complete: bool) -> set[str]:
        del is_complete  # Every row that waits was read.
        refused = {row["row_number"] for row in await connection.fetch("SELECT DISTINCT row_number FROM staged_refusal")}
        taken = [row for number, row in enumerate(self.waiting, 1) if number not in refused]
        actor = self.repair.actor
        await queries.settle_replayed(connection, [row.id for row in taken], self.number, self.now, actor=actor)
        if self.repair.is_by_hand and actor is not None:
            repairs = [(row.id, self.changed.get(row.id, {}), row.check if self.repair.accept else None) for row in taken]
            await queries.note_repairs(connection, self.number, repairs, actor=actor, reason=self.repair.reason or "", now=self.now)
        return set()

    async def quarantine(self, connection: asyncpg.Connection[Any]) -> None:
        """What is refused again waits already."""


def pseudonymiser(document: Source) -> Callable[[Row], Row] | None:
    """Puts pseudonyms into the columns of a row that hold keys of persons, before anything is kept. Raises `ReadingFailed`."""
    persons = document.persons
    if persons is None:
        return None
    key = value_of(persons.key).encode()
    positions = [document.kept_columns.index(name) for name in persons.columns]

    def put(row: Row) -> Row:
        if isinstance(row, BrokenRow):
            return row
        cells = list(row)
        for position in positions:
            cells[position] = pseudonym(key, cells[position])
        return tuple(cells)

    return put


async def unlocked_for(document: Source | Draft) -> contextlib.AbstractContextManager[None]:
    """A block in which the stored credentials of a source are to be had. Raises `ReadingFailed` where they are not."""
    async with transaction() as connection:
        try:
            return credential_values.unlocked(await credentials.unlocked(connection, document, _OPTIONS[0].credentials_key))
        except credentials.CannotUnlock as error:
            raise ReadingFailed(error.reason, is_temporary=False) from None


def pages_of_file(source: Source, reader: FileReader, file: Found) -> AsyncIterator[Page]:
    match reader:
        case Csv():
            return csv_file.read(source, reader, file)
        case JsonLines():
            return json_lines.read(source, reader, file)
        case Xlsx():
            return workbook.read(source, reader, file)


def _encode_absent(value: Any) -> Any:
    """What a raw answer shows for a column that did not come, and for a row that was none: which is not an empty cell."""
    if value is ABSENT:
        return {"absent": True}
    if isinstance(value, BrokenRow):
        return {"broken": value.reason} | value.raw_row
    raise NotImplementedError(type(value))


@contextlib.asynccontextmanager
async def client(reader: Reader) -> AsyncIterator[httpx.AsyncClient]:
    """The HTTP client that a source is asked with."""
    allowed = _OPTIONS[0]
    limits = reader.limits
    async with outbound.client(
        timeout=limits.page_s,
        connect_timeout=limits.timeout_s,
        max_bytes=limits.answer_mb * 1_000_000,
        allow_private=allowed.allow_private,
        # In a network of one's own there is often no certificate; anywhere else credentials must not travel in the open.
        allow_http=allowed.allow_private,
        proxy=allowed.proxy,
        headers={"user-agent": "vendor-mgmt"},
    ) as made:
        yield made
