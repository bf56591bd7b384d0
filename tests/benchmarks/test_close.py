"""How long closing a month takes beside the least it could cost: the bare GROUP BY over the same facts with the same index.

    python tests/benchmarks/test_close.py [SITES …]          or: pytest tests/benchmarks/test_close.py -s

SITES × 3 workstreams × 12 KPIs, a ratio each, with a year of daily facts in the table (200 sites: 5 million rows). Closing
means what the service does: load, measure, score, price, compose, save scorecards, results and payables, look at tickets.
Both in one run, on one machine, on one server with its durability as in production, one contract after the other, in a process set up
as the service's are, which has closed nothing before. Printed as JSON: seconds and ratios.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from contracts import agreements
from contracts.document import Contract
from contracts.reading import read
from tests.agreeing import BOTH
from vendor_mgmt import migrating, processes
from vendor_mgmt.database import pool, transaction
from vendor_mgmt.embedded_postgres import EmbeddedPostgres
from vendor_mgmt.period_close import close_period

WORKSTREAMS, KPIS, SITES_PER_CONTRACT = 3, 12, 20
FIRST, DAYS = date(2025, 1, 1), 348
MONTH = date(2025, 11, 1)

BASELINE = """
    SELECT series, sum(value) FROM measurement
    WHERE superseded_at IS NULL AND starts_at IS NULL AND starts_on >= '2025-11-01' AND starts_on < '2025-12-01'
    GROUP BY series
"""


def contract_text(number: int, sites: range) -> str:
    """A contract as plain as the slice: twelve ratios by site and workstream, ramped levels, weights, a credit and a cap."""
    kpis = {
        f"kpi_{i}": {
            "title": f"KPI {i}",
            "clause": f"Annex 2, {i}",
            "value": {"ratio": {"of": f"good_{i}", "to": f"all_{i}"}},
            "for_each": ["site", "workstream"],
            "levels": [
                {"from": "2025-01-01", "at": {"floor": 85, "target": 90}},
                {"from": "2025-06-01", "at": {"floor": 88, "target": 93}},
            ],
            "completeness": 80,
            "no_volume": "not_judged",
            "score": {"line": [["floor", 0], ["target", 100]]},
            "weight": 8,
        }
        for i in range(KPIS)
    }
    document = {
        "contract": f"BENCH-{number}",
        "title": f"Bench {number}",
        "vendor": f"vendor-{number}",
        "in_force": {"from": "2025-01-01"},
        "dimensions": ["workstream"],
        "scope": [
            {"site": f"site-{site}", "workstream": f"ws-{ws}"} for site in sites for ws in range(WORKSTREAMS)
        ],
        "measures": {
            **{f"good_{i}": {"part_of": f"all_{i}"} for i in range(KPIS)},
            **{f"all_{i}": {} for i in range(KPIS)},
            "invoice": {"money": True},
        },
        "kpis": kpis,
        "money": {
            "bases": {"charges": {"measure": "invoice"}},
            "credits": [{"for": "kpi_0", "pay": {"percent": {"steps": [
                {"less_than": "floor", "give": 5}, {"at_least": "floor", "less_than": "target", "give": 2},
                {"at_least": "target", "give": 0}]}, "of": "charges"}}],
            "caps": [{"percent": 8, "of": "charges"}],
        },
        "escalation": {
            "rules": [{"name": "missed twice", "on": {"missed": "target", "last": 3, "at_least": 2}}],
            "levels": [{"level": 1, "to": ["vendor.site_lead"]}, {"level": 2, "after": {"days": 3}, "to": ["client.director"]}],
        },
    }  # fmt: skip
    return json.dumps(document)


async def fill(connection: asyncpg.Connection[Any], sites: int) -> int:
    """A year of facts, made in the database: per series and day a count that varies, and a part of it that is met."""
    await connection.execute("ALTER TABLE measurement SET UNLOGGED")
    await connection.execute(
        """
        INSERT INTO series (site, measure, dims_key, dimensions)
        SELECT s.id, m, d, d::jsonb FROM site s, unnest($1::text[]) m, unnest($2::text[]) d ORDER BY 1, 2, 3
        """,
        [f"{side}_{i}" for i in range(KPIS) for side in ("good", "all")],
        [json.dumps({"workstream": f"ws-{ws}"}, separators=(",", ":")) for ws in range(WORKSTREAMS)],
    )
    await connection.execute(
        """INSERT INTO series (site, measure, dims_key, dimensions) SELECT id, 'invoice', '{}', '{}' FROM site"""
    )
    await connection.execute("SELECT set_config('bench.first', $1, false)", FIRST.isoformat())
    # Ordered by day, as pulls bring them.
    await connection.execute(
        f"""
        INSERT INTO measurement (series, starts_on, grain, value, known_at, actor, reason)
        SELECT s.id, day::date, 4, CASE WHEN s.measure LIKE 'all%' THEN 1000 ELSE 890 + (s.id * 37 + extract(doy FROM day)::int) % 100 END,
               now(), 1, 'bench'
        FROM generate_series('{FIRST}'::date, '{FIRST}'::date + {DAYS - 1}, '1 day') day, series s WHERE s.measure <> 'invoice'
        """  # noqa: S608 - constants of this module
    )
    await connection.execute(
        """
        INSERT INTO measurement (series, starts_on, grain, value, known_at, actor, reason)
        SELECT id, '2025-11-01', 6, 100000, now(), 1, 'bench' FROM series WHERE measure = 'invoice'
        """
    )
    await connection.execute("ALTER TABLE measurement SET LOGGED")
    # What autovacuum does within minutes in a running service: statistics, and a visibility map for index-only scans.
    await connection.execute("VACUUM (ANALYZE) measurement")
    await connection.execute("VACUUM (ANALYZE) series")
    facts: int = await connection.fetchval("SELECT count(*) FROM measurement")
    return facts


async def measure(url: str, sites: int) -> dict[str, Any]:
    result: dict[str, Any] = {"sites": sites, "scopes": sites * WORKSTREAMS * KPIS}
    now = datetime(2025, 12, 5, 6, tzinfo=UTC)
    contracts = [range(first, min(sites, first + SITES_PER_CONTRACT)) for first in range(0, sites, SITES_PER_CONTRACT)]
    async with pool(url):
        async with transaction() as connection:
            for number, held in enumerate(contracts):
                text = contract_text(number, held)
                await agreements.agree(connection, read(text, Contract).required(), text, at=now, actor=1, confirmations=BOTH)
        plain = await asyncpg.connect(url)
        result["facts"] = await fill(plain, sites)
        bare = []
        for _ in range(5):
            started = time.perf_counter()
            rows = await plain.fetch(BASELINE)
            bare.append(time.perf_counter() - started)
        await plain.close()
        assert len(rows) == sites * WORKSTREAMS * KPIS * 2 + sites
        started = time.perf_counter()
        saved = 0
        for number in range(len(contracts)):
            closed = await close_period(f"BENCH-{number}", MONTH, at=now)
            assert closed is not None
            saved += len(closed.saved)
        result["close_s"] = round(time.perf_counter() - started, 3)
        async with transaction() as connection:
            judged = await connection.fetchval("SELECT count(*) FROM result WHERE status = 'measured'")
    assert (saved, judged) == (sites, sites * WORKSTREAMS * KPIS), (saved, judged)
    result["group_by_s"] = round(sorted(bare)[2], 3)
    result["ratio"] = round(result["close_s"] / result["group_by_s"], 1)
    return result


def one(sites: int) -> dict[str, Any]:
    """The measurement for one size, on a server of its own."""
    with tempfile.TemporaryDirectory(prefix="vendor-mgmt-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        embedded = EmbeddedPostgres(folder / "data")
        with embedded as endpoint, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(migrating.migrate(endpoint.url))
            return runner.run(measure(endpoint.url, sites))


def main(sizes: list[int]) -> dict[str, Any]:
    """Every size, and how the time grows with the size."""
    processes.collect_seldom()
    found = [one(sites) for sites in sizes]
    result: dict[str, Any] = {"runs": found}
    if len(found) > 1:
        first, last = found[0], found[-1]
        result["slope"] = round(math.log(last["close_s"] / first["close_s"]) / math.log(last["scopes"] / first["scopes"]), 2)
    return result


def test_a_month_of_two_hundred_sites_closes_within_eight_times_the_bare_sum() -> None:
    result = main([50, 100, 200])
    print(json.dumps(result, indent=1))
    assert result["runs"][-1]["ratio"] <= 8
    assert result["slope"] <= 1.1


if __name__ == "__main__":
    print(json.dumps(main([int(one) for one in sys.argv[1:]] or [50, 100, 200]), indent=1))
