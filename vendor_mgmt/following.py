"""Staying with the embedded database while it changes hands.

Several processes may work on one data folder. One of them runs the database, and the others are its guests. A guest must not depend on that
process: when it ends, one of the guests runs the database on, and the rest find it there. Its address is another one by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable

from vendor_mgmt.database import Server
from vendor_mgmt.embedded_postgres import EmbeddedPostgres
from vendor_mgmt.engine import DB
from vendor_mgmt.errors import Unavailable

logger = logging.getLogger(__name__)

DATABASE_ENDED = 3
"""The exit code of a process whose embedded database ended by itself, or could not be taken over."""

WITHOUT_DATABASE_S = 3.0
"""How long the parts may take to end once the embedded database has. What they would still say to it, they would say for half a minute."""


class Followed:
    """How it goes with the database."""

    def __init__(self) -> None:
        self.has_ended = False
        """Whether the process has to end, because its database has."""
        self.on_move: list[Callable[[str], None]] = []
        """What is told the new address."""
        self._moves = 0
        self._moved = asyncio.Event()

    async def moved(self, patience_s: float) -> bool:
        """Wait until the database is at another address, and say whether it is."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._moved.wait(), patience_s)
        has_moved = self._moved.is_set()
        self._moved.clear()
        return has_moved

    async def move(self, server: Server, url: str) -> None:
        server.url = server.owner_url = url
        await DB.move_to(url)
        for tell in self.on_move:
            tell(url)
        self._moved.set()


@contextlib.asynccontextmanager
async def following(server: Server, stopping: asyncio.Event) -> AsyncIterator[Followed]:
    """Keep `server` at the address where the embedded database is, taking it over if need be; set `stopping` when it is lost for good.

    In the main thread. A server behind DATABASE_URL is somebody else's care, and nothing is done about it.
    """
    followed = Followed()
    if server.embedded is None:
        yield followed
        return
    watching = asyncio.ensure_future(_watch(server, server.embedded, followed, stopping))
    try:
        yield followed
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _watch(server: Server, embedded: EmbeddedPostgres, followed: Followed, stopping: asyncio.Event) -> None:
    try:
        while not embedded.is_owner:
            endpoint = await embedded.follow()
            await followed.move(server, endpoint.url)
        exit_code = await embedded.ended()
        logger.error("The embedded database ended with exit code %s, and the service ends with it", exit_code)
    except Unavailable as error:
        logger.error("%s", error)  # noqa: TRY400 - it is a sentence for a person, whom a traceback would tell nothing
    except Exception:
        # A guard that fails unseen would be worse than none.
        logger.exception("The embedded database can no longer be watched")
    followed.has_ended = True
    stopping.set()
    await asyncio.sleep(WITHOUT_DATABASE_S)
    # Nothing is lost by this: everything that counts was in the database, and waits there for the next start.
    os._exit(DATABASE_ENDED)
