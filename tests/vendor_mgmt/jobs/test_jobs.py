"""Work is done exactly once: with two and four processes, through kill -9, through a worker that freezes and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from contracts.errors import DocumentRefused
from vendor_mgmt.database import transaction
from vendor_mgmt.jobs import dispatcher, runs
from vendor_mgmt.jobs.runs import Busy, GiveUp, TakenOver, Timing, Work

WORKER = Path(__file__).with_name("worker_process.py")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
async def effects(database: str) -> AsyncIterator[Any]:
    """A connection of the database's owner, and the tables the workers write to."""
    connection = await asyncpg.connect(database)
    for table in ("begun", "effect"):
        await connection.execute(f"CREATE TABLE {table} (run bigint, attempt int, pid int, at timestamptz DEFAULT clock_timestamp())")
    yield connection
    await connection.close()


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(database_url: str) -> Iterator[Start]:
    """Starts worker processes; the first argument is what they do."""
    processes: list[subprocess.Popen[str]] = []

    def begin(roles: str = "clock,worker") -> subprocess.Popen[str]:
        command = [sys.executable, str(WORKER), database_url, roles]
        root = Path(runs.__file__).parents[2]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield begin
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.communicate()


async def eventually(connection: Any, query: str, wanted: Any, seconds: float = 25) -> None:
    """Until the query answers what is wanted."""
    deadline = time.monotonic() + seconds
    while (found := await connection.fetchval(query)) != wanted:
        assert time.monotonic() < deadline, f"{query}: {found!r} instead of {wanted!r}"
        await asyncio.sleep(0.05)


async def ask(count: int = 1, kind: str = "effect", **args: Any) -> list[int]:
    async with transaction() as connection:
        return [await runs.enqueue(connection, kind, args) for _ in range(count)]


async def every_run_had_one_effect(connection: Any, count: int) -> None:
    rows = await connection.fetch("SELECT run, count(*) AS n FROM effect GROUP BY run")
    assert [row["n"] for row in rows] == [1] * count
    states = await connection.fetch("SELECT DISTINCT state FROM run WHERE kind = 'effect' AND state <> 'skipped'")
    assert [row["state"] for row in states] == ["done"]


async def schedule(name: str = "often", rule: str = "FREQ=MINUTELY", **more: Any) -> int:
    async with transaction() as connection:
        now = more.pop("now", datetime.now(UTC))
        return await dispatcher.set_schedule(connection, name, kind="effect", args={}, rule=rule, zone="Europe/Lisbon", now=now, **more)


async def test_a_request_for_work_is_undone_with_its_transaction(effects: Any) -> None:
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with transaction() as connection:
            await runs.enqueue(connection, "effect", {})
            raise RuntimeError("changed my mind")
    assert await effects.fetchval("SELECT count(*) FROM run") == 0
    assert await effects.fetchval("SELECT count(*) FROM queue.procrastinate_jobs") == 0


@pytest.mark.parametrize("processes", [2, 4])
async def test_several_processes_fire_each_due_instant_once_and_do_each_run_once(effects: Any, start: Start, processes: int) -> None:
    for _ in range(processes):
        start()
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    for i in range(8):
        # Every process's clock finds five firings of the last minutes due at its next tick, and wants them all.
        await schedule(f"schedule {i}", now=minute - timedelta(minutes=5), catch_up="all", overlap="queue")
        await asyncio.sleep(0.1)
    await eventually(effects, "SELECT count(*) >= 40 AND count(*) FILTER (WHERE state IN ('queued', 'running')) = 0 FROM run", wanted=True)
    due = [row["due"] for row in await effects.fetch("SELECT array_agg(due_at ORDER BY due_at) AS due FROM run GROUP BY schedule")]
    wanted = [minute - timedelta(minutes=back) for back in (4, 3, 2, 1, 0)]
    assert [instants[:5] for instants in due] == [wanted] * 8
    await every_run_had_one_effect(effects, sum(map(len, due)))
    assert await effects.fetchval("SELECT count(DISTINCT pid) FROM effect") > 1


async def test_work_of_a_worker_killed_in_the_middle_is_done_by_another_once(effects: Any, start: Start) -> None:
    await ask(3, seconds=1.5)
    first = start()
    await eventually(effects, "SELECT count(*) FROM begun", 3)
    first.kill()
    first.wait()
    start()
    await eventually(effects, "SELECT count(*) FROM run WHERE state = 'done'", 3)
    await every_run_had_one_effect(effects, 3)
    assert await effects.fetchval("SELECT count(*) FROM effect WHERE attempt = 2 AND pid <> $1", first.pid) == 3


async def test_a_worker_frozen_past_its_lease_writes_nothing_when_it_comes_back(effects: Any, start: Start) -> None:
    await ask(2, seconds=1)
    frozen = start()
    await eventually(effects, "SELECT count(*) FROM begun", 2)
    frozen.send_signal(signal.SIGSTOP)
    start()
    await eventually(effects, "SELECT count(*) FROM begun WHERE attempt = 2", 2)
    frozen.send_signal(signal.SIGCONT)
    await eventually(effects, "SELECT count(*) FROM run WHERE state = 'done'", 2)
    await asyncio.sleep(1.5)
    await every_run_had_one_effect(effects, 2)
    assert await effects.fetchval("SELECT count(*) FROM effect WHERE pid = $1", frozen.pid) == 0
    # It is none the worse for it and takes further work.
    assert frozen.poll() is None


async def test_a_message_that_the_queue_lost_is_sent_again(effects: Any, start: Start) -> None:
    await ask()
    await effects.execute("DELETE FROM queue.procrastinate_jobs")
    await effects.execute("UPDATE run SET created_at = created_at - interval '5 s'")
    start()
    await eventually(effects, "SELECT state FROM run", "done")
    await every_run_had_one_effect(effects, 1)


async def test_a_stopping_worker_finishes_what_it_has_begun(effects: Any, start: Start) -> None:
    await ask(seconds=1)
    process = start()
    await eventually(effects, "SELECT count(*) FROM begun", 1)
    process.terminate()
    assert process.wait(10) == 0
    assert await effects.fetchval("SELECT attempt FROM effect") == 1
    assert await effects.fetchval("SELECT state FROM run") == "done"


async def test_a_worker_outlives_crashes_of_the_database_while_idle_and_at_work(effects: Any, start: Start, database_url: str) -> None:
    del effects
    worker_process = start()
    for crash in range(3):
        # The fixtures' own connections are cut as well, so each step has one of its own.
        connection = await asyncpg.connect(database_url)
        # The tests' server is quick rather than durable; a request that was answered must not be lost here.
        await connection.execute("SET synchronous_commit = on")
        async with connection.transaction():
            run = await runs.enqueue(connection, "effect", {"seconds": 0.5 if crash else 0})
        if crash:
            await eventually(connection, "SELECT count(DISTINCT run) FROM begun", crash + 1)
        others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() LIMIT 1"
        pid = await connection.fetchval(others)
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(1)
        recovered = await asyncpg.connect(database_url)
        await eventually(recovered, "SELECT state FROM run ORDER BY id DESC LIMIT 1", "done")
        assert await recovered.fetchval("SELECT count(*) FROM effect WHERE run = $1", run) == 1
        await recovered.close()
    assert worker_process.poll() is None
    worker_process.terminate()
    assert worker_process.wait(10) == 0


async def test_work_that_fails_is_tried_again_after_a_pause_and_then_given_up(effects: Any, start: Start) -> None:
    (passes,) = await ask(fails_before=2)
    (fails,) = await ask(fails_before=99)
    start()
    await eventually(effects, "SELECT state FROM run ORDER BY id LIMIT 1", "done")
    await eventually(effects, "SELECT state FROM run ORDER BY id DESC LIMIT 1", "failed")
    assert await effects.fetchval("SELECT attempt FROM run WHERE id = $1", passes) == 3
    failed = await runs.result_of(fails)
    assert failed.attempt == 5
    assert (failed.error or "").startswith("A connection failed (ConnectionResetError). The log has more under ")


async def test_runs_with_one_serial_key_never_run_at_the_same_time(effects: Any, start: Start) -> None:
    async with transaction() as connection:
        for _ in range(3):
            await runs.enqueue(connection, "effect", {"seconds": 0.3}, serial_key="source x")
    start("worker")
    start()
    await eventually(effects, "SELECT count(*) FROM run WHERE state = 'done'", 3)
    overlaps = await effects.fetchval(
        "WITH spans AS (SELECT b.run, b.at AS begun_at, e.at AS ended_at FROM begun b JOIN effect e USING (run, attempt))"
        " SELECT count(*) FROM spans a JOIN spans b ON a.run < b.run AND a.begun_at < b.ended_at AND b.begun_at < a.ended_at"
    )
    assert overlaps == 0


async def test_a_command_is_told_who_is_at_work_already(effects: Any) -> None:
    async with transaction() as connection:
        run = await runs.enqueue(connection, "effect", {}, serial_key="source x")
        await connection.execute(
            "UPDATE run SET state = 'running', worker = 'w', attempt = 1, lease_until = now() + interval '1 h' WHERE id = $1", run
        )
    with pytest.raises(Busy, match=f"source x is being worked on by run {run}"):
        await runs.perform("effect", {}, serial_key="source x")


async def test_an_attempt_that_was_taken_over_cannot_finish(effects: Any) -> None:
    (run,) = await ask()
    work = Work(run=run, attempt=1, kind="effect", args={}, due_at=None, created_by=None)
    await effects.execute("UPDATE run SET state = 'running', worker = 'w', attempt = 2, lease_until = now() + interval '1 h'")
    with pytest.raises(TakenOver):
        async with transaction() as connection:
            await connection.execute("INSERT INTO effect (run) VALUES ($1)", run)
            await work.finish(connection)
    assert await effects.fetchval("SELECT count(*) FROM effect") == 0
    with pytest.raises(TakenOver):
        await work.progress(rows=1)


async def test_work_of_a_kind_nobody_knows_fails_in_words(effects: Any) -> None:
    (run,) = await ask(kind="divination")
    await runs.carry_out(run, "me", Timing())
    failed = await runs.result_of(run)
    assert (failed.state, failed.error) == ("failed", "No function does work of the kind 'divination' in this version of the program.")


async def test_giving_up_ends_a_run_at_its_first_attempt(effects: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hopeless(_: Work) -> None:
        raise GiveUp("There is no source 'x'.")

    monkeypatch.setitem(runs.KINDS, "hopeless", hopeless)
    (run,) = await ask(kind="hopeless")
    await runs.carry_out(run, "me", Timing())
    failed = await runs.result_of(run)
    assert (failed.state, failed.attempt, failed.error) == ("failed", 1, "There is no source 'x'.")


async def test_a_worker_that_disappears_every_time_ends_the_run(effects: Any) -> None:
    (run,) = await ask()
    await effects.execute("UPDATE run SET state = 'running', worker = 'w', attempt = attempts_max, lease_until = now() - interval '1 s'")
    assert await runs.recover(Timing()) == []
    assert (await runs.result_of(run)).error == "Its worker disappeared, 5 times in all. The log of the worker may say why."


# Schedules


async def fired(effects: Any, state: str = "queued") -> list[datetime]:
    return [row["due_at"] for row in await effects.fetch("SELECT due_at FROM run WHERE state = $1 ORDER BY due_at", state)]


HOURS = [NOW + timedelta(hours=i) for i in range(1, 6)]


async def test_after_an_outage_all_firings_are_made_up_or_only_the_latest_or_none(effects: Any) -> None:
    for catch_up in ("all", "latest", "none"):
        await schedule(catch_up, "FREQ=HOURLY", catch_up=catch_up, overlap="queue", now=NOW)
    made = await dispatcher.tick(NOW + timedelta(hours=5, minutes=10))
    by_name = {name: [due.due_at for due in made if due.schedule == name] for name in ("all", "latest", "none")}
    assert by_name == {"all": HOURS, "latest": HOURS[-1:], "none": []}


async def test_a_tick_that_comes_twice_or_from_two_processes_fires_once(effects: Any) -> None:
    await schedule(rule="FREQ=HOURLY", now=NOW)
    at = NOW + timedelta(hours=1)
    assert len(await dispatcher.tick(at)) == 1
    assert await dispatcher.tick(at) == []
    # The other process had read the schedule before this one moved it on.
    await effects.execute("UPDATE schedule SET dispatched_until = $1", NOW)
    assert await dispatcher.tick(at) == []
    assert await fired(effects) == [at]


async def test_a_firing_while_the_previous_one_is_still_at_work_is_skipped_and_seen_to_be(effects: Any) -> None:
    await schedule(rule="FREQ=HOURLY", now=NOW)
    await dispatcher.tick(HOURS[0])
    await dispatcher.tick(HOURS[1])
    assert (await fired(effects), await fired(effects, "skipped")) == (HOURS[:1], HOURS[1:2])


async def test_a_schedule_changed_while_running_makes_up_for_nothing_that_its_new_rule_would_have_made_due(effects: Any) -> None:
    await schedule(rule="FREQ=DAILY;BYHOUR=18", now=NOW)
    changed_at = NOW + timedelta(hours=2, minutes=30)
    await schedule(rule="FREQ=HOURLY", now=changed_at, overlap="queue", catch_up="all")
    await dispatcher.tick(NOW + timedelta(hours=4))
    assert await fired(effects) == HOURS[2:4]


async def test_a_daily_schedule_fires_once_on_each_local_date_around_the_change_of_clocks(effects: Any) -> None:
    before = datetime(2026, 10, 23, 12, tzinfo=UTC)
    await schedule(rule="FREQ=DAILY;BYHOUR=1;BYMINUTE=30", now=before, catch_up="all", overlap="queue")
    for hour in range(96):
        await dispatcher.tick(before + timedelta(hours=hour))
    # Lisbon's clocks go back at 01:00 UTC on 25 October; 01:30 happens twice that night.
    assert [due_at.strftime("%d %H:%M") for due_at in await fired(effects)] == ["24 00:30", "25 00:30", "26 01:30", "27 01:30"]


async def test_a_rule_that_means_nothing_is_refused(effects: Any) -> None:
    with pytest.raises(DocumentRefused):
        await schedule(rule="FREQ=SOMETIMES")
