"""Whatever is killed in the middle of a pull, afterwards the data equal those of a pull that was left in peace.

The long trial is the same with more rounds and rows: tests/soak/test_pull_survival.py.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from contracts import queries as contracts
from tests.agreeing import agree
from vendor_mgmt.database import pool, transaction
from vendor_mgmt.intake import queries
from vendor_mgmt.jobs import runs

ROOT = Path(__file__).parents[3]
WORKER = ROOT / "tests" / "vendor_mgmt" / "jobs" / "worker_process.py"
SITES = 10
MAPPING = {
    "site": {"column": "site"},
    "span": {"starts_on": {"column": "day"}},
    "measures": {"audited": {"column": "audited"}},
}


def rows_of(count: int, version: int) -> list[dict[str, Any]]:
    today = datetime.now(UTC).date()
    return [
        {"site": f"site-{i % SITES}", "day": (today - timedelta(days=1 + i // SITES)).isoformat(), "audited": i * 7 % 1009 + version}
        for i in range(count)
    ]


async def prepare(url: str, source_url: str) -> None:
    now = datetime.now(UTC)
    reader = {
        "type": "http_json", "url": source_url, "rows": "data", "paging": {"type": "cursor"},
        "limits": {"attempts": 3, "patience_s": 3, "page_s": 3},
    }  # fmt: skip
    async with pool(url, size_max=2), transaction() as connection:
        vendor = await contracts.save_vendor(connection, "v", "Vendor", now=now)
        for i in range(SITES):
            await contracts.save_site(connection, f"site-{i}", "Site", vendor=vendor, time_zone="UTC", now=now)
        await agree(
            connection, code="C", title="C", vendor=vendor, in_force_from=now.date(), in_force_until=None,
            document={"measures": {"audited": {}}}, text="C", now=now,
        )  # fmt: skip
        await queries.save_source(
            connection, json.dumps({"source": "s", "owner": "o", "reader": reader, "mapping": MAPPING}).encode(), now=now
        )


class Worker:
    """A worker process that can be killed and started again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(WORKER), self.url, "clock,worker"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT, env=environment)
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


async def ask(url: str, query: str, *arguments: object) -> list[Any]:
    """The rows of a query, asked again for as long as the database is recovering."""
    for _ in range(200):
        try:
            connection = await asyncpg.connect(url)
            try:
                return list(await connection.fetch(query, *arguments))
            finally:
                await connection.close()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await asyncio.sleep(0.1)
    raise AssertionError("the database did not come back")


async def begin_pull(url: str) -> int:
    for _ in range(100):
        try:
            connection = await asyncpg.connect(url)
            try:
                async with connection.transaction():
                    return await runs.enqueue(connection, "pull", {"source": "s"}, serial_key="source s", attempts_max=20)
            finally:
                await connection.close()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await asyncio.sleep(0.1)
    raise AssertionError("the database did not come back")


async def finished(url: str, run: int) -> str:
    deadline = time.monotonic() + 120
    while True:
        ((state,),) = await ask(url, "SELECT state FROM run WHERE id = $1", run)
        if state not in ("queued", "running"):
            return str(state)
        assert time.monotonic() < deadline, await ask(url, "SELECT * FROM run WHERE id = $1", run)
        await asyncio.sleep(0.1)


async def kill_the_database(url: str) -> None:
    """kill -9 of one of its processes: the server drops every connection and recovers, as after a crash."""
    found = await ask(url, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1")
    if found:
        os.kill(found[0]["pid"], signal.SIGKILL)


async def survive(url: str, api: Any, *, rounds: int, rows: int, seed: int, victims: tuple[str, ...], pull_s: float) -> dict[str, int]:
    """Pull `rounds` times, each time with every value changed, and kill something at a random moment. Returns how the first runs ended."""
    dice = random.Random(seed)
    await prepare(url, api.url)
    worker = Worker(url)
    ended: dict[str, int] = {}
    try:
        for number in range(1, rounds + 1):
            api.script(rows=rows_of(rows, number), paging="cursor", page_size=max(100, rows // 20))
            run = await begin_pull(url)
            await asyncio.sleep(dice.uniform(0, pull_s))
            match victims[number % len(victims)]:
                case "worker":
                    worker.kill()
                    worker.start()
                case "source":
                    api.kill()
                    await asyncio.sleep(dice.uniform(0, 0.5))
                    api.__enter__()
                    api.script(rows=rows_of(rows, number), paging="cursor", page_size=max(100, rows // 20))
                case _:
                    await kill_the_database(url)
                    if worker.process.poll() is not None:
                        worker.start()
            state = await finished(url, run)
            ended[state] = ended.get(state, 0) + 1
            if state != "done":
                # What a source that died left out, the next pull brings.
                assert await finished(url, await begin_pull(url)) == "done"
            await equals_a_clean_pull(url, rows_of(rows, number))
    finally:
        worker.kill()
    return ended


async def equals_a_clean_pull(url: str, rows: list[dict[str, Any]]) -> None:
    found = await ask(
        url,
        "SELECT site.code, m.starts_on::text AS day, m.value::int AS value FROM measurement m JOIN series s ON s.id = m.series"
        " JOIN site ON site.id = s.site WHERE m.superseded_at IS NULL",
    )
    assert len(found) == len(rows)
    assert {(row["code"], row["day"]): row["value"] for row in found} == {(row["site"], row["day"]): row["audited"] for row in rows}
    # Each value was known once, and none of their times overlap.
    ((doubled,),) = await ask(
        url, "SELECT count(*) FROM (SELECT series, starts_on, value FROM measurement GROUP BY 1, 2, 3 HAVING count(*) > 1) AS doubled"
    )
    assert doubled == 0


async def test_a_pull_survives_the_death_of_its_worker_of_its_source_and_of_the_database(database_url: str, api: Any) -> None:
    await survive(database_url, api, rounds=3, rows=5_000, seed=7, victims=("worker", "source", "database"), pull_s=0.6)


async def pulls(url: str) -> list[tuple[int, str]]:
    return [(row["attempt"], row["state"]) for row in await ask(url, "SELECT attempt, state FROM pull ORDER BY id")]


async def until(url: str, query: str, wanted: Any) -> None:
    deadline = time.monotonic() + 60
    while (found := (await ask(url, query))[0][0]) != wanted:
        assert time.monotonic() < deadline, f"{query}: {found!r} instead of {wanted!r}"
        await asyncio.sleep(0.05)


async def test_a_worker_that_freezes_past_its_lease_and_wakes_up_again_has_no_second_effect(database_url: str, api: Any) -> None:
    await prepare(database_url, api.url)
    rows = rows_of(1_000, 1)
    api.script(rows=rows, paging="cursor", page_size=100, page_delay=0.15)
    frozen = Worker(database_url)
    second: Worker | None = None
    try:
        run = await begin_pull(database_url)
        await until(database_url, "SELECT count(*) > 1 FROM pull_answer", wanted=True)
        frozen.process.send_signal(signal.SIGSTOP)
        second = Worker(database_url)
        assert await finished(database_url, run) == "done"
        frozen.process.send_signal(signal.SIGCONT)
        # It notices that the run is no longer its own, and says so about its attempt.
        await until(database_url, "SELECT state FROM pull WHERE attempt = 1", "failed")
        assert await pulls(database_url) == [(1, "failed"), (2, "done")]
        await equals_a_clean_pull(database_url, rows)
    finally:
        frozen.process.send_signal(signal.SIGCONT)
        frozen.kill()
        if second is not None:
            second.kill()


@pytest.mark.parametrize("processes", [2, 4])
async def test_several_processes_pull_each_due_instant_once(database_url: str, api: Any, processes: int) -> None:
    await prepare(database_url, api.url)
    rows = rows_of(300, 1)
    api.script(rows=rows, paging="cursor", page_size=100)
    workers = [Worker(database_url) for _ in range(processes)]
    try:
        reader = {"type": "http_json", "url": api.url, "rows": "data", "paging": {"type": "cursor"}}
        schedule = {"rule": "FREQ=MINUTELY", "zone": "UTC", "catch_up": "all", "overlap": "queue"}
        document = {"source": "s", "owner": "o", "reader": reader, "mapping": MAPPING, "schedule": schedule}
        async with pool(database_url, size_max=2), transaction() as connection:
            # Five minutes of it are to be made up for, and all processes see that at the same time.
            await queries.save_source(connection, json.dumps(document).encode(), now=datetime.now(UTC) - timedelta(minutes=5))
        await until(database_url, "SELECT count(*) >= 5 FROM run WHERE state = 'done'", wanted=True)
        await ask(database_url, "UPDATE schedule SET enabled = false RETURNING id")
        await until(database_url, "SELECT count(*) FROM run WHERE state IN ('queued', 'running')", 0)
    finally:
        for worker in workers:
            worker.kill()
    runs_made = await ask(database_url, "SELECT due_at, state, attempt, worker FROM run ORDER BY due_at")
    # Every instant of the schedule once, and each done at its first attempt.
    gaps = {(later["due_at"] - earlier["due_at"]).total_seconds() for earlier, later in itertools.pairwise(runs_made)}
    assert gaps == {60.0}
    assert {(row["state"], row["attempt"]) for row in runs_made} == {("done", 1)}
    # The first one stored everything, and none of the others anything.
    added = [row["added"] for row in await ask(database_url, "SELECT added FROM pull ORDER BY id")]
    assert added == [len(rows)] + [0] * (len(added) - 1)
    await equals_a_clean_pull(database_url, rows)
