"""Runs: asking for work, taking it, holding it, and finishing it exactly once.

    @register("close_period")
    async def close_period(work: Work) -> None:
        ...                                                  # reading, fetching, computing: may be repeated without harm
        async with transaction() as connection:
            ...                                              # everything it writes
            await work.finish(connection, {"scorecards": 14})

    async with transaction() as connection:
        await enqueue(connection, "close_period", {"contract": 7, "from": "2026-03-01"})

`finish` belongs into the transaction of the writes. It changes the run only if this attempt still holds it, and raises `TakenOver`
otherwise, so that the transaction is undone: a worker that was frozen, presumed dead and replaced cannot write a second time. The queue
that carries runs to workers may lose or repeat its messages without harm; the row of the run decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import asyncpg
import msgspec

from vendor_mgmt.database import transaction

logger = logging.getLogger(__name__)

Connection = asyncpg.Connection

Outcome = Literal["done", "partial", "failed"]

TASK = "vendor_mgmt.run"
QUEUE = "work"
BACKOFF_S_MAX = 900
BUSY_PAUSE_S = 2


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How soon things are noticed, in seconds. The defaults suit a service; trials use shorter ones."""

    lease_s: float = 60
    """How long a run belongs to a worker that no longer says that it is alive."""
    beat_s: float = 10
    """How often a worker says so."""
    tick_s: float = 5
    """How often it is looked whether something is due."""
    recover_s: float = 15
    """How often lost runs are looked for."""
    poll_s: float = 5
    """How often the queue is asked for work when it announces none."""
    backoff_s: float = 5
    """The pause after a first failed attempt; it doubles with each further one, up to a quarter of an hour."""


class TakenOver(Exception):  # noqa: N818 - an outcome, and nobody's fault
    """Another worker has taken this run, because this one seemed dead. Nothing of this attempt may be written."""

    def __init__(self, run: int, attempt: int) -> None:
        super().__init__(f"Run {run} is no longer attempt {attempt}'s.")


class GiveUp(Exception):  # noqa: N818 - an outcome
    """The work cannot succeed by being repeated; the text says why, to a person."""


class Busy(Exception):  # noqa: N818 - an outcome
    """Other work with the same serial key is running; `run` is its number, where it is known."""

    def __init__(self, serial_key: str, run: int | None) -> None:
        self.run = run
        super().__init__(f"{serial_key} is being worked on by run {run}." if run else f"{serial_key} is being worked on.")


class Work:
    """One attempt at one run, as the function that does it sees it."""

    def __init__(
        self, *, run: int, attempt: int, kind: str, args: Mapping[str, Any], due_at: datetime | None, created_by: int | None
    ) -> None:
        self.run = run
        self.attempt = attempt
        self.kind = kind
        self.args = args
        self.due_at = due_at
        """When the schedule made it due; null for work asked for by hand."""
        self.created_by = created_by
        self.is_finished = False
        self.listener: Callable[[Mapping[str, Any]], None] | None = None
        """Told of progress in this process, for progress bars."""

    async def progress(self, **counts: object) -> None:
        """Let people see how far the work is. Also says that this worker is alive. Raises `TakenOver`."""
        if self.listener is not None:
            self.listener(counts)
        async with transaction() as connection:
            if not await connection.fetchval(_PROGRESS, self.run, self.attempt, msgspec.json.encode(counts).decode()):
                raise TakenOver(self.run, self.attempt)

    async def finish(
        self, connection: Connection[Any], result: Mapping[str, Any] | None = None, *, state: Outcome = "done", error: str | None = None
    ) -> None:
        """Say that the work is over, in the transaction of its writes. Raises `TakenOver`, which must be let through to undo them."""
        # PostgreSQL stores no NUL character, and a result may quote what a source said.
        text = None if result is None else msgspec.json.encode(result).decode().replace("\\u0000", "\\ufffd")
        if not await connection.fetchval(_FINISH, self.run, self.attempt, state, text, error):
            raise TakenOver(self.run, self.attempt)
        self.is_finished = True


_PROGRESS = "UPDATE run SET progress = $3::jsonb WHERE id = $1 AND attempt = $2 AND state = 'running' RETURNING id"

_FINISH = """
    UPDATE run SET state = $3, result = $4::jsonb, error = $5, finished_at = clock_timestamp(), lease_until = NULL
    WHERE id = $1 AND attempt = $2 AND state = 'running' RETURNING id
"""

Function = Callable[[Work], Awaitable[None]]

KINDS: dict[str, Function] = {}


def register(kind: str) -> Callable[[Function], Function]:
    """Make an asynchronous function the one that does work of this kind. A kind has one function."""

    def add(function: Function) -> Function:
        if KINDS.setdefault(kind, function) is not function:
            raise ValueError(f"work of the kind {kind} is done by {KINDS[kind].__qualname__} already")
        return function

    return add


# Asking for work


async def enqueue(
    connection: Connection[Any],
    kind: str,
    args: Mapping[str, Any],
    *,
    priority: int = 0,
    serial_key: str | None = None,
    attempts_max: int = 5,
    created_by: int | None = None,
    not_before: datetime | None = None,
) -> int:
    """Ask for work, in the caller's transaction, and return the number of its run: if the transaction is undone, so is the request.

    A higher `priority` goes first. Runs with the same `serial_key` never run at the same time. `created_by` is an actor's number.
    """
    run: int = await connection.fetchval(
        _ADD_RUN, kind, msgspec.json.encode(args).decode(), priority, serial_key, attempts_max, created_by, not_before
    )
    await send(connection, run, priority, not_before)
    return run


_ADD_RUN = """
    INSERT INTO run (kind, args, state, attempt, priority, serial_key, attempts_max, created_by, not_before, created_at)
    VALUES ($1, $2::jsonb, 'queued', 0, $3, $4, $5, $6, $7, clock_timestamp())
    RETURNING id
"""


async def send(connection: Connection[Any], run: int, priority: int, not_before: datetime | None = None) -> None:
    """Put a message about a run into the queue, in the caller's transaction."""
    job = await connection.fetchval(_SEND, QUEUE, TASK, priority, msgspec.json.encode({"run": run}).decode(), not_before)
    await connection.execute("UPDATE run SET job = $2 WHERE id = $1", run, job)


_SEND = """
    SELECT (queue.procrastinate_defer_jobs_v1(
        ARRAY[ROW($1, $2, $3::int, NULL, NULL, $4::jsonb, $5::timestamptz)]::queue.procrastinate_job_to_defer_v1[]))[1]
"""


# Doing it


def worker_name() -> str:
    """Host, process, and a word that tells two workers of one process apart."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


async def carry_out(run: int, worker: str, timing: Timing) -> None:
    """Take a run and do its work, unless somebody else has it or it is over. What goes wrong is written to the run, never raised."""
    try:
        work = await _claim(run, worker, timing)
    except Busy:
        await _put_back(run, timedelta(seconds=BUSY_PAUSE_S * random.uniform(0.5, 1.5)))  # noqa: S311 - spreads load, keeps no secret
        return
    if work is not None:
        with contextlib.suppress(TakenOver):
            await _do(work, timing)


async def perform(
    kind: str,
    args: Mapping[str, Any],
    *,
    serial_key: str | None = None,
    created_by: int | None = None,
    timing: Timing | None = None,
    listener: Callable[[Mapping[str, Any]], None] | None = None,
) -> RunResult:
    """Do work at once, in this process, as a run like every other. For commands. Raises `Busy`; there is one attempt."""
    timing = timing or Timing()
    until = datetime.now(UTC) + timedelta(seconds=timing.lease_s)
    try:
        async with transaction() as connection:
            run: int = await connection.fetchval(
                _ADD_RUNNING, kind, msgspec.json.encode(args).decode(), serial_key, created_by, worker_name(), until
            )
    except asyncpg.UniqueViolationError:
        raise await _busy(serial_key or "") from None
    work = Work(run=run, attempt=1, kind=kind, args=args, due_at=None, created_by=created_by)
    work.listener = listener
    with contextlib.suppress(TakenOver):
        await _do(work, timing)
    return await result_of(run)


_ADD_RUNNING = """
    INSERT INTO run (kind, args, state, attempt, priority, serial_key, attempts_max, created_by, worker, lease_until, created_at,
                     started_at)
    VALUES ($1, $2::jsonb, 'running', 1, 0, $3, 1, $4, $5, $6, clock_timestamp(), clock_timestamp())
    RETURNING id
"""


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a run stands. `result` is what its function said when it finished."""

    id: int
    state: str
    attempt: int
    result: dict[str, Any] | None
    error: str | None


async def result_of(run: int) -> RunResult:
    async with transaction() as connection:
        row = await connection.fetchrow("SELECT id, state, attempt, result, error FROM run WHERE id = $1", run)
    if row is None:
        raise LookupError(f"There is no run {run}.")
    result = None if row["result"] is None else msgspec.json.decode(row["result"], type=dict[str, Any])
    return RunResult(id=row["id"], state=row["state"], attempt=row["attempt"], result=result, error=row["error"])


async def _busy(serial_key: str) -> Busy:
    async with transaction() as connection:
        return Busy(serial_key, await connection.fetchval("SELECT id FROM run WHERE serial_key = $1 AND state = 'running'", serial_key))


async def _claim(run: int, worker: str, timing: Timing) -> Work | None:
    """The run as this worker's, or null if it is not to be had. Raises `Busy`."""
    try:
        async with transaction() as connection:
            row = await connection.fetchrow(_CLAIM, run, worker, timedelta(seconds=timing.lease_s))
    except asyncpg.UniqueViolationError:
        raise Busy("", None) from None
    if row is None:
        return None
    return Work(
        run=run,
        attempt=row["attempt"],
        kind=row["kind"],
        args=msgspec.json.decode(row["args"]),
        due_at=row["due_at"],
        created_by=row["created_by"],
    )


_CLAIM = """
    UPDATE run
    SET state = 'running', attempt = attempt + 1, worker = $2, lease_until = clock_timestamp() + $3::interval,
        started_at = coalesce(started_at, clock_timestamp()), not_before = NULL
    WHERE id = $1 AND attempt < attempts_max
      AND (state = 'queued' AND (not_before IS NULL OR not_before <= clock_timestamp())
           OR state = 'running' AND lease_until < clock_timestamp())
    RETURNING attempt, kind, args::text AS args, due_at, created_by
"""


async def _do(work: Work, timing: Timing) -> None:
    """The work itself, with a heartbeat beside it. Raises `TakenOver`, and `CancelledError` after having put the run back."""
    doing = asyncio.ensure_future(_call(work))
    beating = asyncio.ensure_future(_beat(work, timing, doing))
    try:
        await doing
        if not work.is_finished:
            async with transaction() as connection:
                await work.finish(connection)
    except TakenOver:
        logger.warning("Run %s was taken over during attempt %s; nothing of this attempt was written", work.run, work.attempt)
        raise
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current is None or not current.cancelling():
            # Not we but the work was cancelled, by the heartbeat, because the run is no longer ours.
            raise TakenOver(work.run, work.attempt) from None
        doing.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await doing
        if not work.is_finished:
            await asyncio.shield(_put_back(work.run, timedelta(0), attempt=work.attempt))
        raise
    except GiveUp as error:
        await _fail(work, str(error))
    except Exception as error:
        reference = secrets.token_hex(4)
        logger.exception("Run %s (%s) failed at attempt %s [%s]", work.run, work.kind, work.attempt, reference)
        await _failed_attempt(work, sentence(error, reference), timing)
    finally:
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await beating


def sentence(error: Exception, reference: str) -> str:
    """What a person is told of an error: its own words if it is one of ours to be read by people, else where to look."""
    if isinstance(error, asyncpg.PostgresConnectionError | ConnectionError | OSError):
        return f"A connection failed ({type(error).__name__}). The log has more under {reference}."
    reason = getattr(error, "reason", None)
    if isinstance(reason, str):
        return reason
    return f"It ended with an unforeseen {type(error).__name__}. The log has more under {reference}."


async def _call(work: Work) -> None:
    function = KINDS.get(work.kind)
    if function is None:
        raise GiveUp(f"No function does work of the kind {work.kind!r} in this version of the program.")
    await function(work)


async def _beat(work: Work, timing: Timing, doing: asyncio.Future[None]) -> None:
    while True:
        await asyncio.sleep(timing.beat_s)
        try:
            async with transaction() as connection:
                kept = await connection.fetchval(_BEAT, work.run, work.attempt, timedelta(seconds=timing.lease_s))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            logger.warning("The heartbeat of run %s did not reach the database", work.run)
            continue
        if not kept and not work.is_finished:
            doing.cancel()
            return


_BEAT = """
    UPDATE run SET lease_until = clock_timestamp() + $3::interval WHERE id = $1 AND attempt = $2 AND state = 'running' RETURNING id
"""


async def _fail(work: Work, error: str) -> None:
    with contextlib.suppress(TakenOver):
        async with transaction() as connection:
            await work.finish(connection, state="failed", error=error)


async def _failed_attempt(work: Work, error: str, timing: Timing) -> None:
    """Put the run back for another attempt after a pause, or let it fail if there is none left."""
    pause = min(timing.backoff_s * 2 ** (work.attempt - 1), BACKOFF_S_MAX) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load
    async with transaction() as connection:
        row = await connection.fetchrow(_RETRY, work.run, work.attempt, error, timedelta(seconds=pause))
        if row is not None and row["state"] == "queued":
            await send(connection, work.run, row["priority"], row["not_before"])


_RETRY = """
    UPDATE run
    SET state = CASE WHEN attempt < attempts_max THEN 'queued' ELSE 'failed' END, error = $3, lease_until = NULL,
        not_before = CASE WHEN attempt < attempts_max THEN clock_timestamp() + $4::interval END,
        finished_at = CASE WHEN attempt < attempts_max THEN NULL ELSE clock_timestamp() END
    WHERE id = $1 AND attempt = $2 AND state = 'running'
    RETURNING state, priority, not_before
"""


async def _put_back(run: int, pause: timedelta, *, attempt: int | None = None) -> None:
    """Queue a run again that could not be begun, or whose worker is stopping; that attempt does not count."""
    async with transaction() as connection:
        row = await connection.fetchrow(_PUT_BACK, run, pause, attempt)
        if row is not None:
            await send(connection, run, row["priority"], row["not_before"])


_PUT_BACK = """
    UPDATE run
    SET state = 'queued', not_before = clock_timestamp() + $2::interval, lease_until = NULL,
        attempts_max = attempts_max + (CASE WHEN $3::int IS NULL THEN 0 ELSE 1 END)
    WHERE id = $1 AND ($3::int IS NULL AND state = 'queued' OR attempt = $3 AND state = 'running')
    RETURNING priority, not_before
"""


# Finding what was lost


async def recover(timing: Timing) -> list[int]:
    """Send runs to the queue again whose worker or message is gone, and let those fail that have no attempt left. Returns their numbers.

    Any number of processes may do this at once; each lost run is sent by one of them.
    """
    async with transaction() as connection:
        await connection.execute(_LAPSE)
        lost = await connection.fetch(_LOST, timedelta(seconds=timing.lease_s))
        for row in lost:
            if row["dead_job"] is not None:
                await connection.execute("DELETE FROM queue.procrastinate_jobs WHERE id = $1", row["dead_job"])
            await send(connection, row["id"], row["priority"])
    for row in lost:
        logger.warning("Run %s was lost (attempt %s) and has been sent again", row["id"], row["attempt"])
    return [row["id"] for row in lost]


_LAPSE = """
    UPDATE run SET state = 'failed', lease_until = NULL, finished_at = clock_timestamp(),
        error = 'Its worker disappeared, ' || attempt || ' times in all. The log of the worker may say why.'
    WHERE state = 'running' AND lease_until < clock_timestamp() AND attempt >= attempts_max
"""

_LOST = """
    SELECT r.id, r.priority, r.attempt, CASE WHEN j.status = 'doing' THEN j.id END AS dead_job
    FROM run r
    LEFT JOIN queue.procrastinate_jobs j ON j.id = r.job
    LEFT JOIN queue.procrastinate_workers w ON w.id = j.worker_id
    WHERE (r.state = 'queued' AND coalesce(r.not_before, r.created_at) < clock_timestamp() - interval '1 second'
           OR r.state = 'running' AND r.lease_until < clock_timestamp())
      AND (j.id IS NULL OR j.status NOT IN ('todo', 'doing')
           OR j.status = 'doing' AND (w.id IS NULL OR w.last_heartbeat < clock_timestamp() - $1::interval))
    FOR UPDATE OF r SKIP LOCKED
"""
