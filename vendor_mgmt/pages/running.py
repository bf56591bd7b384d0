"""Sources and runs: how far data reach, what was refused and why, what is being done, and its progress as it happens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import asyncpg
import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Stream

from contracts.errors import NotFound
from scorecards import formats
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.access.tokens import Identity
from vendor_mgmt.database import transaction
from vendor_mgmt.intake import freshness
from vendor_mgmt.intake import queries as intake_queries
from vendor_mgmt.intake.freshness import Silence
from vendor_mgmt.jobs import runs as run_rows
from vendor_mgmt.pages import marks, queries
from vendor_mgmt.pages.marks import Mark, Tone
from vendor_mgmt.pages.portfolio import Choice, in_force
from vendor_mgmt.pages.queries import RefusalRow, RunRow, SourceRow
from vendor_mgmt.pages.rendering import WORDS, show
from vendor_mgmt.pages.scorecards import choices
from vendor_mgmt.service import Service

logger = logging.getLogger(__name__)

PAGE_LENGTH = 50
LOOK_EVERY_S = 1.0
"""How often the rows of runs are read for those who watch."""
QUIET_S = 15.0
"""After so long without anything to tell, a comment keeps the connection from being taken for dead."""
STATES = ("queued", "running", "done", "partial", "failed", "skipped", "cancelled")


class ListedSource(msgspec.Struct, frozen=True, kw_only=True):
    """A source in the list."""

    code: str
    title: str
    vendor: str
    schedule: str
    newest: str
    newest_tone: Tone
    last: str
    state: Mark | None
    refused: str
    refused_tone: Tone
    run: str
    """The number of the run that pulls it; empty where none does."""
    run_state: Mark | None
    run_progress: str
    pull: str
    """Where a form asks for a pull; empty where that makes no sense."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Refused rows of one source for one reason."""

    source: str
    check: str
    rows: str
    days: str
    reason: str


class SilentFeed(msgspec.Struct, frozen=True, kw_only=True):
    """A workstream of which something does not come any more."""

    site: str
    workstream: str
    source: str
    last: str
    measures: str


class SourcesPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the page of sources shows."""

    title: str
    sources: list[ListedSource]
    silent: list[SilentFeed]
    refusals: list[Refusal]


class ListedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run in the list."""

    id: str
    kind: str
    subject: str
    address: str
    """Of what it works on; empty where that has no page."""
    schedule: str
    state: Mark
    progress: str
    started: str
    took: str
    error: str


class RunsPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the page of runs shows."""

    title: str
    kinds: list[Choice]
    states: list[Choice]
    is_narrowed: bool
    runs: list[ListedRun]
    older: str
    first: str
    is_live: bool
    """Whether it is the newest page, to which new runs are added as they come."""


@get("/sources", include_in_schema=False)
async def sources(request: Request[Any, Any, Any], access: NamedDependency[Scope]) -> Response[str]:
    """Where data come from, and how well."""
    async with transaction(readonly=True) as connection:
        found = await queries.sources(connection, access)
        refused = await queries.refusals(connection, access)
        current = {run.id: run for run in await queries.run_list(connection, access, kind="pull", changed_since=datetime.now(UTC))}
        silent = await silences(connection, access, datetime.now(UTC).date())
        names = {site.site: site.name for site in await queries.sites(connection, access)}
    return show(request, "sources.html", compose_sources(found, refused, current, silent, names, datetime.now(UTC).date()))


async def silences(connection: Any, access: Scope, today: date) -> list[Silence]:
    """What the contracts that somebody may see ask for today and does not come any more."""
    lineages = [row.lineage for row in await queries.contract_list(connection, access)]
    documents = await queries.documents(connection, lineages)
    # A contract may speak of sites that this reader may not see.
    seen = {site.site for site in await queries.sites(connection, access)}
    found = freshness.silences(await queries.reaches(connection, access), in_force(documents, today), today)
    return [one for one in found if one.site in seen]


def compose_sources(
    found: Sequence[SourceRow],
    refused: Sequence[RefusalRow],
    current: Mapping[int, RunRow],
    silent: Sequence[Silence],
    names: Mapping[str, str],
    today: date,
) -> SourcesPage:
    """The page, from what was read."""
    return SourcesPage(
        title=WORDS("sources.title"),
        sources=[_source(row, current.get(row.running or 0), today) for row in found],
        silent=[
            SilentFeed(
                site=names.get(one.site, one.site),
                workstream=WORDS.spoken(one.part) if one.part else WORDS("portfolio.whole_site"),
                source=one.source or formats.DASH,
                last=formats.short_day(one.newest_on, WORDS) if one.newest_on is not None else WORDS("silent.never"),
                measures=", ".join(one.measures),
            )
            for one in silent
        ],
        refusals=[
            Refusal(
                source=row.source,
                check=WORDS.spoken(row.check_name),
                rows=formats.number(row.rows, WORDS.language),
                days=formats.short_span(row.first_on, row.last_on + timedelta(days=1), WORDS)
                if row.first_on is not None and row.last_on is not None
                else formats.DASH,
                reason=row.reason,
            )
            for row in refused
        ],
    )


def _source(row: SourceRow, run: RunRow | None, today: date) -> ListedSource:
    is_stale = row.newest_on is None or freshness.is_late(row.grain or "day", row.newest_on, today)
    return ListedSource(
        code=row.code,
        title=row.title,
        vendor=row.vendor_name or WORDS("sources.every_vendor"),
        schedule=_schedule(row),
        newest=formats.short_day(row.newest_on, WORDS) if row.newest_on is not None else WORDS("silent.nothing"),
        newest_tone="bad" if is_stale and row.enabled else "plain",
        last=formats.short_moment(row.last_success_at, row.zone or "UTC", WORDS) if row.last_success_at is not None else formats.DASH,
        state=marks.of_run(row.last_state, WORDS) if row.last_state is not None else None,
        refused=formats.number(row.open_refused, WORDS.language),
        refused_tone="bad" if row.open_refused else "plain",
        run=str(run.id) if run is not None else "",
        run_state=marks.of_run(run.state, WORDS) if run is not None else None,
        run_progress=progress_of(run) if run is not None else "",
        pull=f"/sources/{row.code}/pull" if row.enabled and run is None else "",
    )


def _schedule(row: SourceRow) -> str:
    """The rule of the schedule in words, as far as it is an ordinary one; otherwise the rule itself."""
    if not row.enabled:
        return WORDS("sources.off")
    if row.rule is None:
        return WORDS("sources.no_schedule")
    parts = dict(part.split("=", 1) for part in row.rule.split(";") if "=" in part)
    every = {"DAILY": "daily", "WEEKLY": "weekly", "MONTHLY": "monthly", "HOURLY": "hourly"}.get(parts.pop("FREQ", ""))
    hour, minute = parts.pop("BYHOUR", None), parts.pop("BYMINUTE", "0")
    parts.pop("BYSECOND", None)
    if every is None or hour is None or not hour.isdecimal() or not minute.isdecimal():
        return f"{row.rule} ({row.zone})"
    rest = f" ({', '.join(f'{name}={value}' for name, value in parts.items())})" if parts else ""
    return WORDS("sources.schedule_at", every=WORDS(f"every.{every}"), time=f"{int(hour):02}:{int(minute):02}", zone=row.zone or "") + rest


@post("/sources/{code:str}/pull", include_in_schema=False, status_code=303)
async def pull_source(request: Request[Any, Any, Any], access: NamedDependency[Scope], code: FromPath[str]) -> Redirect:
    """Ask for a pull, unless one is waiting or running."""
    who: Identity = request.scope["user"]
    await ask_for_pull(access, code, who.actor)
    return Redirect("/sources", status_code=303)


async def ask_for_pull(access: Scope, code: str, actor: int) -> int:
    """The number of the run that pulls the source: a new one, or the one under way. Raises `NotFound`."""
    async with transaction() as connection:
        row = next((one for one in await queries.sources(connection, access) if one.code == code), None)
        if row is None:
            raise NotFound(f"there is no source {code}")
        if row.running is not None:
            return row.running
        return await run_rows.enqueue(
            connection,
            "pull",
            {"source": code, "reason": "asked for on a page"},
            priority=1,
            serial_key=intake_queries.serial_key(code),
            created_by=actor,
        )


@get("/runs", include_in_schema=False)
async def runs(
    request: Request[Any, Any, Any],
    access: NamedDependency[Scope],
    kind: FromQuery[str | None] = None,
    run_state: FromQuery[str | None] = None,
    before: FromQuery[int | None] = None,
) -> Response[str]:
    """What was done, is being done and waits, newest first."""
    async with transaction(readonly=True) as connection:
        found = await queries.run_list(
            connection, access, kind=kind or None, state=run_state or None, before=before, limit=PAGE_LENGTH + 1
        )
    chosen = {"kind": kind or "", "run_state": run_state or ""}
    return show(request, "runs.html", compose_runs(found, chosen, is_first=before is None))


def compose_runs(found: Sequence[RunRow], chosen: Mapping[str, str], *, is_first: bool) -> RunsPage:
    """The page, from what was read."""
    shown = found[:PAGE_LENGTH]
    narrowed = {name: value for name, value in chosen.items() if value}
    return RunsPage(
        title=WORDS("runs.title"),
        kinds=choices({kind: _kind(kind) for kind in sorted(run_rows.KINDS)}, chosen["kind"], WORDS("filter.all_kinds")),
        states=choices({state: WORDS(f"run.{state}") for state in STATES}, chosen["run_state"], WORDS("filter.all_states")),
        is_narrowed=bool(narrowed),
        runs=[_run(row) for row in shown],
        older="/runs?" + urlencode({**narrowed, "before": shown[-1].id}) if len(found) > PAGE_LENGTH else "",
        first="" if is_first else "/runs" + (f"?{urlencode(narrowed)}" if narrowed else ""),
        is_live=is_first,
    )


def _kind(kind: str) -> str:
    return WORDS.get(f"run_kind.{kind}", WORDS.spoken(kind))


def _run(row: RunRow) -> ListedRun:
    return ListedRun(
        id=str(row.id),
        kind=_kind(row.kind),
        subject=row.subject or "",
        address=f"/contracts/{row.subject}" if row.kind == "close" and row.subject else "/sources" if row.kind == "pull" else "",
        schedule=row.schedule or "",
        state=marks.of_run(row.state, WORDS),
        progress=progress_of(row),
        started=formats.short_moment(row.started_at or row.created_at, "UTC", WORDS),
        took=_took(row),
        error=row.error or "",
    )


def progress_of(row: RunRow) -> str:
    """How far a run is, or what it came to, in counts that have words: `24 pages, 35,601 rows read`."""
    counts = row.result or row.progress
    said = [
        WORDS(f"count.{name}", n=formats.number(value, WORDS.language))
        for name, value in counts.items()
        if isinstance(value, int) and not isinstance(value, bool) and f"count.{name}" in WORDS and (value or name == "added")
    ]
    if row.attempt > 1:
        said.append(WORDS("runs.attempt", n=row.attempt, most=row.attempts_max))
    return ", ".join(said)


def _took(row: RunRow) -> str:
    if row.started_at is None or row.finished_at is None:
        return formats.DASH
    seconds = (row.finished_at - row.started_at).total_seconds()
    if seconds < 120:
        return WORDS("duration.seconds", n=f"{seconds:.1f}")
    return WORDS("duration.minutes", n=round(seconds / 60))


# Live progress


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser is told of a run: texts for the places of its row."""

    id: int
    tone: Tone
    is_over: bool
    parts: dict[str, str]


@get("/events", include_in_schema=False, opt={"exclude_from_compression": True})
async def events(request: Request[Any, Any, Any], access: NamedDependency[Scope], service: NamedDependency[Service]) -> Stream:
    """Server-sent events: `run` for every run that moves, `end` when the service is about to stop."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    told = iter(()) if request.scope.get("state", {}).get("is_head") else tell(access, service.stopping)
    return Stream(told, media_type="text/event-stream", headers=headers)


async def tell(access: Scope, stopping: asyncio.Event) -> AsyncIterator[bytes]:
    """The events, as bytes, until the service stops. A database that is away for a moment is waited for."""
    yield b"retry: 3000\n\n"
    known: dict[int, Watched] = {}
    since = datetime.now(UTC)
    is_first = True
    quiet = 0.0
    while not stopping.is_set():
        try:
            found = await _moving(access, since)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            # The page stays as it was; the log of the pool says what is wrong.
            found = []
        quiet += LOOK_EVERY_S
        for one in found:
            if known.get(one.id) != one:
                known[one.id] = one
                # What stood there when the page was loaded is on the page already.
                if not is_first:
                    quiet = 0.0
                    yield b"event: run\ndata: " + msgspec.json.encode(one) + b"\n\n"
        is_first = False
        if quiet >= QUIET_S:
            quiet = 0.0
            yield b": still here\n\n"
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), LOOK_EVERY_S)
    yield b"event: end\ndata: stopping\n\n"


async def _moving(access: Scope, since: datetime) -> list[Watched]:
    async with transaction(readonly=True) as connection:
        found = await queries.run_list(connection, access, changed_since=since)
    return [watched(row) for row in reversed(found)]


def watched(row: RunRow) -> Watched:
    mark = marks.of_run(row.state, WORDS)
    parts = {"sign": mark.sign, "word": mark.word, "progress": progress_of(row), "took": _took(row), "error": row.error or ""}
    return Watched(id=row.id, tone=mark.tone, is_over=row.finished_at is not None, parts=parts)
