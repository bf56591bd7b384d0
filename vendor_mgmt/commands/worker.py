"""`vendor-mgmt worker`: a clock and a worker without a web server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal

import click

from vendor_mgmt import database, work
from vendor_mgmt.commands import begin
from vendor_mgmt.database import Server
from vendor_mgmt.following import DATABASE_ENDED, following
from vendor_mgmt.jobs import worker

logger = logging.getLogger(__name__)


@click.command("worker")
@click.option("--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="Pieces of work done at the same time.")
@click.option("--no-clock", is_flag=True, help="Decide nothing about what is due; only do what is in the queue.")
@click.pass_context
def command(context: click.Context, *, concurrency: int, no_clock: bool) -> None:
    r"""Do the work that is due (pulls, closes, renderings) until stopped.

    Any number of workers may run on any number of machines; the database is all they share, and each piece of work is done once. On
    SIGTERM or Ctrl-C a worker takes nothing new, finishes what it has begun (for up to 30 seconds; the rest goes back into the queue),
    and ends.

    \b
    Example:
      DATABASE_URL=postgresql://… vendor-mgmt worker --concurrency 8

    \b
    Exit codes:
      0  stopped when asked to
      2  a setting or an option cannot be used
      3  the database cannot be used, or the embedded one was lost for good
    """
    settings = begin()
    work.prepare(settings)

    async def until_stopped(server: Server) -> int:
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        async with contextlib.AsyncExitStack() as stack:
            followed = await stack.enter_async_context(following(server, stopping))
            name = await stack.enter_async_context(worker.worker(lambda: server.url, concurrency=concurrency))
            if not no_clock:
                await stack.enter_async_context(worker.clock(also=work.wakes(settings)))
            logger.info("The worker %s is ready", name)
            await stopping.wait()
            logger.info("The worker %s finishes what it has begun", name)
        return DATABASE_ENDED if followed.has_ended else 0

    context.exit(database.run(settings, until_stopped))
