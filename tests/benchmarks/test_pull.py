"""How long a pull takes beside the least that its rows could cost: a bare COPY of them into a table with the same indexes.

    python tests/benchmarks/test_pull.py [ROWS]          or: pytest tests/benchmarks/test_pull.py -s

Both in one run, on one machine, on one server with its durability as in production. Printed as JSON: seconds and ratios.
The source is a process of its own that answers pages made beforehand, 5 000 rows each, one measure a row.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from contracts import queries as contracts
from tests.agreeing import agree
from vendor_mgmt import migrating
from vendor_mgmt.database import pool, transaction
from vendor_mgmt.embedded_postgres import EmbeddedPostgres
from vendor_mgmt.intake import pull, queries

PAGE = 5000
SITES, WORKSTREAMS, MEASURES = 20, 5, 12
NAMES = [f"measure_{i}" for i in range(MEASURES)]
FIRST = date(2020, 1, 1)

SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
rows, page, today = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
from datetime import date, timedelta
sites, workstreams, measures = 20, 5, 12
first = date.fromisoformat("2020-01-01")
def row(i):
    series, day = i % (sites * workstreams * measures), i // (sites * workstreams * measures)
    return {"site": f"site-{series % sites}", "workstream": f"ws-{series // sites % workstreams}",
            "measure": f"measure_{series // (sites * workstreams)}",
            "day": (first + timedelta(days=day)).isoformat(), "value": (i * 7919) % 10007}
def body(number):
    start = number * page
    more = start + page < rows
    data = [row(i) for i in range(start, min(rows, start + page))]
    return json.dumps({"data": data, "next": str(number + 1) if more else None}).encode()
bodies = [body(n) for n in range((rows + page - 1) // page)] if rows <= 500000 else None
class H(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_GET(self):
        n = int(self.path.split("cursor=")[1].split("&")[0]) if "cursor=" in self.path else 0
        b = bodies[n] if bodies else body(n)
        self.send_response(200); self.send_header("content-type", "application/json"); self.send_header("content-length", str(len(b)))
        self.end_headers(); self.wfile.write(b)
s = ThreadingHTTPServer(("127.0.0.1", 0), H)
print(s.server_port, flush=True)
s.serve_forever()
"""


async def portfolio(port: int) -> None:
    now = datetime.now(UTC)
    async with transaction() as connection:
        vendor = await contracts.save_vendor(connection, "v", "Vendor", now=now)
        for i in range(SITES):
            await contracts.save_site(connection, f"site-{i}", f"Site {i}", vendor=vendor, time_zone="UTC", now=now)
        await agree(
            connection, code="C", title="C", vendor=vendor, in_force_from=FIRST, in_force_until=None,
            document={"measures": {name: {} for name in NAMES}}, text="C", now=now,
        )  # fmt: skip
        document = {
            "source": "bench",
            "owner": "o",
            "reader": {"type": "http_json", "url": f"http://127.0.0.1:{port}/", "rows": "data", "paging": {"type": "cursor"}},
            "mapping": {
                "site": {"column": "site"},
                "dimensions": {"workstream": {"column": "workstream"}},
                "span": {"starts_on": {"column": "day"}},
                "measure": {"column": "measure"},
                "value": {"column": "value"},
            },
            "restates_days": 3660,
        }
        await queries.save_source(connection, json.dumps(document).encode(), now=now)


async def bare_copy(connection: asyncpg.Connection[Any]) -> float:
    """The rows of the last pull, copied into an empty table like the real one, constraints and indexes included."""
    await connection.execute("CREATE TABLE bare (LIKE measurement INCLUDING ALL)")
    records = [tuple(row.values()) for row in await connection.fetch("SELECT * FROM measurement WHERE superseded_at IS NULL ORDER BY id")]
    columns = [row["attname"] for row in await connection.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'bare'::regclass AND attnum > 0 ORDER BY attnum"
    )]  # fmt: skip
    started = time.perf_counter()
    await connection.copy_records_to_table("bare", records=records, columns=columns)
    seconds = time.perf_counter() - started
    await connection.execute("DROP TABLE bare")
    return seconds


async def measure(url: str, port: int, rows: int) -> dict[str, Any]:
    pull.configure(allow_private=True)
    result: dict[str, Any] = {"rows": rows}
    async with pool(url):
        await portfolio(port)
        for name in ("first", "unchanged"):
            started = time.perf_counter()
            run, found = await pull.pull_now(pull.Request(source="bench"))
            result[f"{name}_s"] = round(time.perf_counter() - started, 2)
            assert found is not None, run
            assert found.refused == 0
            assert (found.added, found.unchanged) == ((rows, 0) if name == "first" else (0, rows)), found
        result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    connection = await asyncpg.connect(url)
    copies = [await bare_copy(connection) for _ in range(3)] if rows <= 500_000 else []
    await connection.close()
    if rows > 500_000:
        return result  # The bare copy's rows would have to be held in memory here.
    result["bare_copy_s"] = round(sorted(copies)[len(copies) // 2], 2)
    result["first_ratio"] = round(result["first_s"] / result["bare_copy_s"], 2)
    result["unchanged_ratio"] = round(result["unchanged_s"] / result["bare_copy_s"], 2)
    return result


def main(rows: int = 200_000) -> dict[str, Any]:
    """Run the measurement and return what it found."""
    today = (FIRST + timedelta(days=1)).isoformat()
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(rows), str(PAGE), today], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        with tempfile.TemporaryDirectory(prefix="vendor-mgmt-bench-") as name:
            folder = Path(name)
            folder.chmod(0o711)
            with EmbeddedPostgres(folder / "pg") as endpoint:
                asyncio.run(migrating.migrate(endpoint.url))
                return asyncio.run(measure(endpoint.url, port, rows))
    finally:
        server.terminate()
        server.wait()


def in_a_process_of_its_own(rows: int) -> dict[str, Any]:
    """The measurement without what earlier ones left in memory."""
    answer = subprocess.run([sys.executable, __file__, str(rows)], check=True, capture_output=True, text=True).stdout
    print(answer)
    found: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return found


def test_a_pull_takes_at_most_three_times_a_bare_copy_and_an_unchanged_one_twice() -> None:
    found = in_a_process_of_its_own(200_000)
    assert found["first_ratio"] <= 3
    assert found["unchanged_ratio"] <= 2


def test_memory_stays_flat_from_two_hundred_thousand_rows_to_two_million() -> None:
    small, large = in_a_process_of_its_own(200_000), in_a_process_of_its_own(2_000_000)
    assert large["peak_mb"] <= 1.3 * small["peak_mb"]


if __name__ == "__main__":
    os.environ.pop("DATABASE_URL", None)
    print(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)))
