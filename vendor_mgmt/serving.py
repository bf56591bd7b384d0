"""Running the service: one process, one event loop, everything started and stopped in order.

    start   signals → address → schema → database pool → PDF processes → worker → clock → requests
    stop    event streams are told → requests drained → clock → worker → PDF processes → database pool → embedded PostgreSQL

uvicorn runs inside our loop. Left to itself it would send the signal to the process once more when it is done, so that nothing after it,
not even the stopping of the database, would run; hence `_Web`, which leaves signals to us.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import partial

import msgspec
import uvicorn
import uvloop
from litestar import Litestar

from vendor_mgmt import database, migrating
from vendor_mgmt.access import tokens
from vendor_mgmt.app import create_app
from vendor_mgmt.database import Server, transaction
from vendor_mgmt.engine import UNREACHABLE
from vendor_mgmt.errors import Unavailable
from vendor_mgmt.following import DATABASE_ENDED, Followed, following
from vendor_mgmt.service import service_of
from vendor_mgmt.settings import Settings

logger = logging.getLogger(__name__)

STOPPED = 0

CUT_SHORT = 128
"""And the number of the signal: the exit code of what a signal ended before it was done."""

DRAIN_S = 1
"""How long requests that are under way may take once the service is asked to stop."""

EMBEDDED_BACK_S = 10.0
"""How long a service that is just starting waits for a database that went away to be run by somebody else."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)

Ready = Callable[[str], None]
Before = Callable[[Server], Awaitable[None]]


class AddressTaken(Unavailable):
    """The address the service should listen on cannot be had."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"The service cannot listen on {host} port {port}: {reason}. "
            "Stop what uses it, or choose another with --port (0 takes any free one) or VENDOR_MGMT_PORT."
        )


def run(settings: Settings, *, on_ready: Ready = lambda _: None, before: Before | None = None) -> int:
    """Run the service until it is asked to stop (SIGINT, SIGTERM), and return the exit code. Call it in the main thread.

    `on_ready` is told the address to open, with a link's token in it. See `serve` for the rest. Raises `Unavailable` and its kind.
    """
    with listening(settings) as (placed, listener), database.server(settings) as server:
        return serve(placed, server, listener=listener, on_ready=on_ready, before=before)


def serve(
    settings: Settings,
    server: Server,
    *,
    listener: socket.socket | None = None,
    on_ready: Ready = lambda _: None,
    before: Before | None = None,
) -> int:
    """`run` with a database server that the caller has started, in the main thread, and will stop.

    `before` is awaited with the schema up to date and the pool open, before anybody is served; a signal cancels it. The exit code is 0; 3
    where the embedded database ended by itself: a supervisor should start the whole anew; or, if a signal cut `before` short, 128 and the
    signal's number, as a shell has it.
    """
    with contextlib.ExitStack() as stack:
        if listener is None:
            settings, listener = stack.enter_context(listening(settings))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(settings, server, listener, on_ready, before))


def prepare(settings: Settings, server: Server, before: Before) -> int:
    """What `serve` does before it serves, and nothing more. The exit codes are the same."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, server, None, lambda _: None, before))


@contextlib.contextmanager
def listening(settings: Settings) -> Iterator[tuple[Settings, socket.socket]]:
    """Take the address, without answering on it yet, and say in the settings which port it became. Raises `AddressTaken`.

    Done before anything else, so that a port in use is noticed before minutes of work, and not after.
    """
    try:
        [family, kind, protocol, _, address] = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise AddressTaken(settings.host, settings.port, error.strerror or str(error)) from error
    with listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError as error:
            raise AddressTaken(settings.host, settings.port, error.strerror or str(error)) from error
        yield msgspec.structs.replace(settings, port=listener.getsockname()[1]), listener


async def _serve(settings: Settings, server: Server, listener: socket.socket | None, on_ready: Ready, before: Before | None) -> int:
    for chatty in ("uvicorn", "procrastinate"):
        # They tell of starting and stopping, which we do ourselves.
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
    stopping = asyncio.Event()
    async with _asked_to_stop(stopping) as asked, following(server, stopping) as followed:
        is_prepared = await _prepare(settings, server, stopping, followed, before)
        if stopping.is_set() or listener is None:
            pass
        elif "web" in settings.roles:
            await _serve_web(settings, server, listener, stopping, followed, on_ready)
        else:
            app = _create_app(settings, server, stopping, followed)
            async with app.lifespan():
                logger.info("Working without web pages", extra={"roles": ",".join(settings.roles)})
                await stopping.wait()
        if followed.has_ended:
            return DATABASE_ENDED
    return STOPPED if is_prepared or before is None else CUT_SHORT + asked[0]


def _create_app(settings: Settings, server: Server, stopping: asyncio.Event, followed: Followed) -> Litestar:
    app = create_app(settings, server.url, stopping=stopping)
    followed.on_move.append(partial(setattr, service_of(app), "url"))
    return app


async def _prepare(settings: Settings, server: Server, stopping: asyncio.Event, followed: Followed, before: Before | None) -> bool:
    """Bring the schema up to date and do what is to be done first, unless it is asked to stop meanwhile; say whether it is done."""

    async def prepare() -> None:
        await migrating.migrate(server.owner_url)
        async with database.pool(server.url):
            async with transaction() as connection:
                await tokens.prepare(connection, settings, datetime.now(UTC))
            if before is not None:
                await before(server)

    async def until_it_holds() -> None:
        while True:
            try:
                await prepare()
                return
            except UNREACHABLE:
                # Whoever ran the database may have ended just now; then it is soon somewhere else.
                if before is not None or server.embedded is None or not await followed.moved(EMBEDDED_BACK_S):
                    raise

    return await _unless(stopping, until_it_holds())


async def _serve_web(
    settings: Settings, server: Server, listener: socket.socket, stopping: asyncio.Event, followed: Followed, on_ready: Ready
) -> None:
    app = _create_app(settings, server, stopping, followed)
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        http="httptools",
        ws="none",
        timeout_graceful_shutdown=DRAIN_S,
        # Who asks is taken from a proxy's headers only where the proxy runs on this machine.
        proxy_headers=True,
        forwarded_allow_ips="127.0.0.1,::1",
    )
    web = _Web(config)
    # The application's parts are started by us rather than by uvicorn, which tells of a failure by ending the process.
    async with app.lifespan():
        serving = asyncio.ensure_future(web.serve(sockets=[listener]))
        stop = asyncio.ensure_future(stopping.wait())
        try:
            while not web.started and not serving.done():  # noqa: ASYNC110 - uvicorn tells nobody when it is ready
                await asyncio.sleep(0.005)
            if web.started and not stopping.is_set():
                async with transaction() as connection:
                    link = await tokens.new_link(connection, datetime.now(UTC))
                logger.info("Serving", extra={"address": settings.public_url, "roles": ",".join(settings.roles)})
                on_ready(f"{settings.public_url}/?token={link}")
            await asyncio.wait({serving, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.set()
            web.should_exit = True
            stop.cancel()
            await serving


class _Web(uvicorn.Server):
    """uvicorn without its own handling of signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def _asked_to_stop(stopping: asyncio.Event) -> AsyncIterator[list[int]]:
    """Set `stopping` at the first signal, whose number is then in the list. Further ones are ignored, and stay ignored: stopping is
    bounded, and cutting it short would lose work.
    """
    loop = asyncio.get_running_loop()
    asked: list[int] = []

    def ask(number: int) -> None:
        asked.append(number)
        stopping.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, ask, number)
    try:
        yield asked
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            # Until the process ends, the database is still to be stopped.
            signal.signal(number, signal.SIG_IGN)


async def _unless(stopping: asyncio.Event, work: Awaitable[None]) -> bool:
    """Await the work, and cancel it when it is asked to stop; say whether it was done. What the work raises is raised, unless the stopping
    caused it.
    """
    doing = asyncio.ensure_future(work)
    stop = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({doing, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            doing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await doing
        return not doing.cancelled()
    finally:
        stop.cancel()
