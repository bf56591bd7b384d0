"""The two things that run beside the web server, or alone: the clock, and the worker.

Both are context managers for a task of their own inside the running loop, and both end in order: the clock stops waking anybody, the worker
finishes what it has begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime

import asyncpg
import procrastinate
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from vendor_mgmt.database import session_settings
from vendor_mgmt.engine import UNREACHABLE
from vendor_mgmt.jobs import dispatcher, runs
from vendor_mgmt.jobs.runs import Timing

logger = logging.getLogger(__name__)

GRACE_S = 30
"""How long a stopping worker lets the work it has begun go on before it puts it back into the queue."""

AGAIN_S = 1
"""The pause before a worker that lost its queue asks for it again."""

LEAVING_S = 0.5
"""How long a worker may take to sign off, besides the grace of its work. One whose database is away could not; its lease lapses instead."""

CONNECTION_S = 5
"""How long the queue waits for a connection. When that is not enough there is no database, and the worker begins anew."""

Wake = Callable[[], Awaitable[object]]


@contextlib.asynccontextmanager
async def clock(timing: Timing | None = None, *, also: Mapping[str, tuple[float, Wake]] | None = None) -> AsyncIterator[None]:
    """Wake the dispatcher and the recovery of lost runs, and what `also` names: seconds between calls, and what to call."""
    timing = timing or Timing()
    calls: dict[str, tuple[float, Wake]] = {
        "dispatcher": (timing.tick_s, dispatcher.tick),
        "recovery": (timing.recover_s, lambda: runs.recover(timing)),
        **(also or {}),
    }
    scheduler = AsyncIOScheduler(timezone=UTC)
    for name, (seconds, call) in calls.items():
        # A call that takes longer than its interval is not joined by a second one, and one that comes late still comes.
        scheduler.add_job(
            _safely, "interval", args=(name, call), seconds=seconds, id=name, max_instances=1, coalesce=True, misfire_grace_time=None,
            next_run_time=datetime.now(UTC),
        )  # fmt: skip
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)


async def _safely(name: str, call: Wake) -> None:
    try:
        await call()
    except (*UNREACHABLE, OSError) as error:
        logger.warning("The %s did not reach the database and tries again: %s", name, error)
    except Exception:
        logger.exception("The %s failed and tries again", name)


@contextlib.asynccontextmanager
async def worker(
    url: str | Callable[[], str], *, concurrency: int = 4, timing: Timing | None = None, grace_s: float = GRACE_S
) -> AsyncIterator[str]:
    """Carry out runs, `concurrency` at a time, until the block ends; then what was begun is finished, for at most `grace_s`, or put back.

    Needs the pool of `vendor_mgmt.database` open on the same database. Yields the worker's name once it takes work. The queue's own worker
    ends when its connections break; it is then begun anew, for as long as it takes the database to come back. `url` may be a function that
    says where it is by then.
    """
    timing = timing or Timing()
    address = url if callable(url) else lambda: url
    name = runs.worker_name()
    ready, stopping = asyncio.Event(), asyncio.Event()

    async def keep_working() -> None:
        while not stopping.is_set():
            at = address()
            doing = asyncio.create_task(_work(at, name, concurrency, timing, grace_s, ready))
            try:
                while not doing.done():
                    await asyncio.wait({doing}, timeout=AGAIN_S)
                    if not doing.done() and address() != at:
                        # Nobody answers there any more.
                        await _leave(doing, 0)
                await doing
            except asyncio.CancelledError:
                if not doing.done():
                    await _leave(doing, grace_s)
                if stopping.is_set():
                    raise
            except Exception as error:
                if not ready.is_set():
                    raise
                logger.warning("The worker %s lost the queue and begins anew: %s", name, error)
            if not stopping.is_set():
                await asyncio.sleep(AGAIN_S)

    working = asyncio.create_task(keep_working())
    beginning = asyncio.create_task(ready.wait())
    await asyncio.wait({working, beginning}, return_when=asyncio.FIRST_COMPLETED)
    beginning.cancel()
    if working.done():
        await working
    try:
        yield name
    finally:
        stopping.set()
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working


async def _leave(doing: asyncio.Task[None], grace_s: float) -> None:
    """End a worker, in order if its database lets it."""
    for patience_s in (grace_s + LEAVING_S, LEAVING_S):
        doing.cancel()
        # The second time it does not sign off any more.
        await asyncio.wait({doing}, timeout=patience_s)
        if doing.done():
            if not doing.cancelled():
                doing.exception()
            return


async def _work(url: str, name: str, concurrency: int, timing: Timing, grace_s: float, ready: asyncio.Event) -> None:
    app = await _app(url, concurrency)

    async def carry_out(run: int) -> None:
        try:
            await runs.carry_out(run, name, timing)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            logger.warning("Run %s lost the database; its lease will lapse and it will be sent again: %s", run, error)

    # Neither retries nor locks: when a run is tried again, and what may not run beside it, is decided by its row.
    app.task(name=runs.TASK, queue=runs.QUEUE, retry=False)(carry_out)
    async with app.open_async():
        ready.set()
        await app.run_worker_async(
            queues=[runs.QUEUE],
            name=name,
            concurrency=concurrency,
            fetch_job_polling_interval=timing.poll_s,
            shutdown_graceful_timeout=grace_s,
            update_heartbeat_interval=timing.beat_s,
            stalled_worker_timeout=max(timing.lease_s, 3 * timing.beat_s),
            delete_jobs="always",
            install_signal_handlers=False,
            listen_notify=True,
        )


async def _app(url: str, concurrency: int) -> procrastinate.App:
    settings = await session_settings(url)
    options = " ".join(f"-c {name}={value}" for name, value in {"search_path": "queue", **_as_options(settings)}.items())
    # One connection listens, one fetches, and finished jobs are reported side by side.
    connector = procrastinate.PsycopgConnector(
        conninfo=url, kwargs={"options": options}, min_size=1, max_size=concurrency + 2, timeout=CONNECTION_S
    )
    return procrastinate.App(connector=connector)


def _as_options(settings: Mapping[str, str]) -> dict[str, str]:
    return {name: value.replace(" ", "\\ ") for name, value in settings.items()}
