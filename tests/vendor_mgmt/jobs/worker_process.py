"""A worker, a clock, or both, as a process that can be killed: `python worker_process.py URL ROLES`. It says "ready" when it is.

Its own kind of work, `effect`, waits `seconds`, then leaves one row in the table `effect`, in the transaction that finishes the run. It
also pulls, from sources on loopback.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from vendor_mgmt.database import pool, transaction
from vendor_mgmt.intake import pull
from vendor_mgmt.jobs import worker
from vendor_mgmt.jobs.runs import Timing, Work, register

TIMING = Timing(lease_s=2, beat_s=0.3, tick_s=0.2, recover_s=0.4, poll_s=0.5, backoff_s=0.2)


@register("effect")
async def effect(work: Work) -> None:
    if work.args.get("fails_before", 0) >= work.attempt:
        raise ConnectionResetError("the vendor hung up")
    async with transaction() as connection:
        await connection.execute("INSERT INTO begun (run, attempt, pid) VALUES ($1, $2, $3)", work.run, work.attempt, os.getpid())
    await asyncio.sleep(work.args.get("seconds", 0))
    async with transaction() as connection:
        await connection.execute("INSERT INTO effect (run, attempt, pid) VALUES ($1, $2, $3)", work.run, work.attempt, os.getpid())
        await work.finish(connection)


async def main(url: str, roles: str) -> None:
    pull.configure(allow_private=True)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with pool(url, size_max=8):
        if "clock" in roles and "worker" in roles:
            async with worker.worker(url, timing=TIMING), worker.clock(TIMING):
                print("ready", flush=True)  # noqa: T201 - whoever started it waits for this
                await stopping.wait()
        elif "clock" in roles:
            async with worker.clock(TIMING):
                print("ready", flush=True)  # noqa: T201 - whoever started it waits for this
                await stopping.wait()
        else:
            async with worker.worker(url, timing=TIMING):
                print("ready", flush=True)  # noqa: T201 - whoever started it waits for this
                await stopping.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
