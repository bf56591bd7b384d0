"""How long looking for problems and sweeping deadlines takes beside reading the same rows with bare SQL.

    pytest tests/benchmarks/test_escalations.py -s

**Rules**: after a close of 600 scopes × 12 KPIs, six months of results are held against each contract's rules, once with a ticket for
every series that is in trouble (one in twenty) still to be opened, and once with all of them open already.  The bare reading takes the
results of the same months, every one, in the same columns.

**Sweep**: 2 000 and 20 000 open tickets, opened over fifty business hours.  A sweep finds those that fell due since the one before, one in
a hundred; the bare reading takes all open tickets.  What a sweep takes when *all* of them fall due at once, as after long downtime, is
measured too: there every ticket is written with its history, its deadlines and its messages, and only the growth has a limit.
"""

from __future__ import annotations

import asyncio
import json
import math
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from contracts import agreements
from contracts.document import Contract
from contracts.reading import read
from tests.agreeing import BOTH
from tests.benchmarks.test_close import KPIS, SITES_PER_CONTRACT, WORKSTREAMS, contract_text
from tests.vendor_mgmt.escalations.builders import OPENED_AT, calendars, policy, rule, series
from tests.vendor_mgmt.escalations.rows import add_place
from vendor_mgmt import migrating, processes
from vendor_mgmt.database import pool, transaction
from vendor_mgmt.embedded_postgres import EmbeddedPostgres
from vendor_mgmt.escalations import queries, watching
from vendor_mgmt.escalations.queries import Watched

SITES, MONTHS = 200, 6
GROUPS = 100

RESULTS = """
    SELECT site.code AS site, x.kpi, x.dims_key, x.period_from, x.period_until, x.status, x.numerator, x.denominator,
           x.value, x.met, x.levels
    FROM scorecard s JOIN revision r ON r.scorecard = s.id JOIN result x ON x.revision = r.id JOIN site ON site.id = s.site
    WHERE s.contract = ANY ($1) ORDER BY x.period_from, x.id
"""

# One series in twenty misses its target in the last two months.
FILL = """
    WITH months AS (SELECT '2025-01-01'::date + make_interval(months => m) AS since, m FROM generate_series(0, $1 - 1) m),
    cards AS (
        INSERT INTO scorecard (contract, site, period_from, period_until, number, created_at)
        SELECT c.id, s.id, since, since + interval '1 month', s.code || '-' || m, now()
        FROM contract c JOIN site s ON s.vendor = c.vendor, months RETURNING id, site, period_from
    ), revisions AS (
        INSERT INTO revision (scorecard, number, state, currency, engine, data_as_of, prepared_at, sha256, content)
        SELECT id, 0, 'draft', 'EUR', 'bench', now(), now(), repeat('0', 64), '' FROM cards RETURNING id, scorecard
    )
    INSERT INTO result (revision, kpi, dims_key, period_from, period_until, version, status, numerator, denominator, value, target, met,
                        levels, streak, accumulated, is_relieved)
    SELECT r.id, 'kpi_' || k, '{"workstream":"ws-' || w || '"}', c.period_from, c.period_from + interval '1 month', '1', 'measured',
           CASE WHEN is_bad THEN 890 ELSE 960 END, 1000, CASE WHEN is_bad THEN 89 ELSE 96 END, 93, NOT is_bad,
           '{"floor":"88","target":"93"}', 1, 1, false
    FROM revisions r JOIN cards c ON c.id = r.scorecard, generate_series(0, $2 - 1) k, generate_series(0, $3 - 1) w,
         LATERAL (SELECT (c.site * 31 + k * 7 + w * 3) % 20 = 0
                         AND c.period_from >= '2025-01-01'::date + make_interval(months => $1 - 2)) AS bad (is_bad)
"""


async def timed(work: Callable[[], Awaitable[Any]]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = await work()
    return time.perf_counter() - started, found


async def rules(url: str) -> dict[str, Any]:
    at = datetime(2025, 7, 5, 6, tzinfo=UTC)
    async with pool(url):
        documents = []
        async with transaction() as connection:
            for number, first in enumerate(range(0, SITES, SITES_PER_CONTRACT)):
                text = contract_text(number, range(first, first + SITES_PER_CONTRACT))
                document = read(text, Contract).required()
                agreed = await agreements.agree(connection, document, text, at=at, actor=1, confirmations=BOTH)
                documents.append((document, agreed.contract_id))
            await connection.execute(FILL, MONTHS, KPIS, WORKSTREAMS)
        async with transaction() as connection:
            await connection.execute("ANALYZE result")
            await connection.execute("ANALYZE scorecard")

        async def bare() -> int:
            async with transaction() as connection:
                return sum([len(await connection.fetch(RESULTS, [number])) for _, number in documents])

        async def look() -> int:
            opened = 0
            for document, number in documents:
                async with transaction() as connection:
                    raised = await watching.raise_tickets(
                        connection,
                        contract=document,
                        code=document.contract,
                        vendor=document.vendor,
                        contract_ids=[number],
                        drafts={},
                        at=at,
                    )
                opened += len(raised.opened)
            return opened

        reading = []
        for _ in range(3):
            took, rows = await timed(bare)
            reading.append(took)
        opening_s, opened = await timed(look)
        again_s, none = await timed(look)
    assert rows == SITES * WORKSTREAMS * KPIS * MONTHS
    assert opened == sum(
        (site * 31 + kpi * 7 + stream * 3) % 20 == 0 for site in range(1, SITES + 1) for kpi in range(KPIS) for stream in range(WORKSTREAMS)
    )
    assert none == 0
    read_s = sorted(reading)[1]
    return {
        "results": rows,
        "read_s": round(read_s, 3),
        "opened": opened,
        "opening_s": round(opening_s, 3),
        "opening_ratio": round(opening_s / read_s, 1),
        "again_s": round(again_s, 3),
        "again_ratio": round(again_s / read_s, 1),
    }


async def sweep(url: str, size: int) -> dict[str, Any]:
    async with pool(url):
        await add_place()
        each = size // GROUPS
        for group in range(GROUPS):
            many = [
                Watched(
                    series=series("GB", kpi=f"kpi-{index}", contract=f"C-{group}"),
                    rules=(rule(kpi=None),),
                    policy=policy(),
                    calendars=calendars(),
                )
                for index in range(each)
            ]
            async with transaction() as connection:
                # A contract's tickets are read whole before more are opened, so every group has a contract of its own.
                await connection.execute(
                    "INSERT INTO contract (id, code, title, vendor, lineage, created_at) VALUES ($1, $2, 'bench', 1, $1, now())",
                    1000 + group,
                    f"C-{group}",
                )
                await queries.raise_tickets(connection, many, at=OPENED_AT + timedelta(minutes=30 * group))
        async with transaction() as connection:
            await connection.execute("ANALYZE ticket")
            first = await connection.fetchval("SELECT min(next_due_at) FROM ticket")

        async def bare() -> int:
            async with transaction() as connection:
                return len(await connection.fetch("SELECT id, number, body FROM ticket WHERE closed_at IS NULL"))

        async def swept(at: datetime) -> int:
            number = 0
            while True:
                async with transaction() as connection:
                    done = await queries.sweep(connection, at)
                number += done
                if not done:
                    return number

        reading = []
        for _ in range(3):
            took, rows = await timed(bare)
            reading.append(took)
        usual_s, usual = await timed(lambda: swept(first + timedelta(minutes=1)))
        idle_s, idle = await timed(lambda: swept(first + timedelta(minutes=1)))
        all_s, everything = await timed(lambda: swept(first + timedelta(days=40)))
    assert (rows, idle, everything) == (size, 0, size)
    assert 0 < usual <= size // 20, usual
    read_s = sorted(reading)[1]
    return {
        "tickets": size,
        "read_s": round(read_s, 4),
        "due": usual,
        "sweep_s": round(usual_s, 4),
        "ratio": round(usual_s / read_s, 2),
        "idle_s": round(idle_s, 4),
        "all_due_s": round(all_s, 3),
        "all_due_per_ticket_ms": round(1000 * all_s / size, 2),
    }


def on_a_server_of_its_own(work: Callable[[str], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    processes.collect_seldom()
    with tempfile.TemporaryDirectory(prefix="vendor-mgmt-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with EmbeddedPostgres(folder / "data") as endpoint, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(migrating.migrate(endpoint.url))

            async def measured() -> dict[str, Any]:
                return await work(endpoint.url)

            return runner.run(measured())


def test_looking_for_problems_after_a_close_takes_at_most_five_times_the_bare_reading() -> None:
    result = on_a_server_of_its_own(rules)
    print(json.dumps(result, indent=1))
    assert result["again_ratio"] <= 5
    assert result["opening_ratio"] <= 5


def test_a_sweep_takes_at_most_five_times_the_bare_reading_and_grows_with_the_tickets() -> None:
    small, large = (on_a_server_of_its_own(partial(sweep, size=size)) for size in (2_000, 20_000))
    slope = math.log(large["all_due_s"] / small["all_due_s"]) / math.log(large["tickets"] / small["tickets"])
    result = {"runs": [small, large], "slope": round(slope, 2)}
    print(json.dumps(result, indent=1))
    assert small["ratio"] <= 5
    assert large["ratio"] <= 5
    assert slope <= 1.1


