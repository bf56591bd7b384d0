"""`pull`, `source`, `quarantine` and `worker`, called as people call them, and a real file loaded through them."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from contracts import queries as contracts
from tests.agreeing import agree

ROOT = Path(__file__).parents[3]
NHS = Path(os.environ.get("VENDOR_MGMT_TEST_SHARED", ROOT.parent / "shared")) / "data" / "nhs111_iucadc_2023_24" / "normalized.csv"

HEADER = "vendor_code,vendor,site_code,site_name,region,period_start,grain,measure,value\n"
SOURCE = """
source: iuc
title: Monthly return
owner: client.data
reader: {{type: csv, folder: {folder}, settle_s: 0}}
mapping:
  site: {{column: site_code}}
  span: {{starts_on: {{column: period_start}}, grain: {{column: grain}}}}
  measure: {{column: measure}}
  value: {{column: value}}
"""


def vendor_mgmt(database_url: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vendor_mgmt", *words]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VENDOR_MGMT_")}
    environment |= {"DATABASE_URL": database_url, "VENDOR_MGMT_LOG_LEVEL": "error"}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)


async def portfolio(database_url: str, rows: list[dict[str, str]]) -> None:
    """The vendors, sites and measures that the rows speak of."""
    now = datetime.now(UTC)
    connection = await asyncpg.connect(database_url)
    measures: dict[str, Any] = {row["measure"]: {} for row in rows}
    for code in sorted({row["vendor_code"] for row in rows}):
        vendor = await contracts.save_vendor(connection, code, code, now=now)
        await agree(
            connection, code=f"C-{code}", title=code, vendor=vendor, in_force_from=date(2023, 4, 1), in_force_until=None,
            document={"measures": measures}, text=code, now=now,
        )  # fmt: skip
        for site in sorted({row["site_code"] for row in rows if row["vendor_code"] == code}):
            await contracts.save_site(connection, site, site, vendor=vendor, time_zone="Europe/London", now=now)
    await connection.close()


async def stored(database_url: str) -> dict[tuple[str, str, str], Decimal | None]:
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        "SELECT site.code, s.measure, m.starts_on, m.value FROM measurement m JOIN series s ON s.id = m.series"
        " JOIN site ON site.id = s.site WHERE m.superseded_at IS NULL AND m.grain = 6"
    )
    await connection.close()
    return {(row["code"], row["measure"], row["starts_on"].isoformat()): row["value"] for row in rows}


def write_source(folder: Path) -> Path:
    document = folder / "iuc.yaml"
    document.write_text(SOURCE.format(folder=folder))
    return document


def test_a_file_is_loaded_its_bad_rows_shown_and_replayed_when_they_are_right(database_url: str, tmp_path: Path) -> None:
    good = "V,Vendor,S1,Site,North,2023-04-01,month,A01,10\n"
    odd = "V,Vendor,S2,Site,North,2023-04-01,month,A01,20\n"
    empty = "V,Vendor,S1,Site,North,2023-05-01,month,A01,\n"
    (tmp_path / "return.csv").write_text(HEADER + good + odd + empty)
    asyncio.run(portfolio(database_url, list(csv.DictReader((HEADER + good).splitlines()))))
    document = write_source(tmp_path)

    assert vendor_mgmt(database_url, "source", "check", str(document)).stdout == "1 read; 0 errors, 0 remarks.\n"
    assert vendor_mgmt(database_url, "source", "save", str(document)).stdout == "iuc stored\n"
    pulled = vendor_mgmt(database_url, "pull", "iuc")
    assert pulled.returncode == 1, pulled.stderr
    assert "3 rows read; 2 values added, 0 changed, 0 unchanged, 1 refused." in pulled.stdout
    assert "row 2: There is no site 'S2' that this source may deliver for" in pulled.stdout
    assert asyncio.run(stored(database_url)) == {("S1", "A01", "2023-04-01"): 10, ("S1", "A01", "2023-05-01"): None}

    waiting = json.loads(vendor_mgmt(database_url, "quarantine", "list", "iuc", "--json").stdout)
    assert [(row["check"], row["raw_row"]["value"]) for row in waiting] == [("unknown_site", "20")]
    # Columns that the mapping does not use were never kept.
    assert "vendor" not in waiting[0]["raw_row"]
    assert vendor_mgmt(database_url, "quarantine", "replay", "iuc").returncode == 1
    nonsense = vendor_mgmt(database_url, "quarantine", "repair", "iuc", "--set", "value=21", "--reason", "a call")
    assert (nonsense.returncode, nonsense.stderr.split(";")[0]) == (2, "Name the rows to write into")
    named = str(waiting[0]["id"])
    shown = vendor_mgmt(
        database_url, "quarantine", "repair", "iuc", "--row", named, "--map", "site_code:S2=S1", "--set", "value=21",
        "--reason", "a call", "--dry-run",
    )  # fmt: skip
    assert (shown.returncode, shown.stdout) == (0, "iuc: 1 rows read; 0 values would be added, 1 changed, 0 unchanged, 0 refused.\n")
    asyncio.run(portfolio(database_url, list(csv.DictReader((HEADER + good + odd).splitlines()))))
    replayed = vendor_mgmt(database_url, "quarantine", "replay", "iuc")
    assert replayed.returncode == 0, replayed.stderr + replayed.stdout
    assert asyncio.run(stored(database_url))["S2", "A01", "2023-04-01"] == 20
    (listed,) = json.loads(vendor_mgmt(database_url, "source", "list", "--json").stdout)
    assert (listed["code"], listed["open_refused"], listed["newest_on"]) == ("iuc", 0, "2023-04-01")


def test_a_source_document_with_faults_gives_all_of_them_with_lines_and_exit_code_2(database_url: str, tmp_path: Path) -> None:
    document = tmp_path / "bad.yaml"
    document.write_text(
        "source: bad\nowner: o\nreader: {type: csv}\nschedule: {rule: FREQ=SOMETIMES, zone: Europe/Lisbon}\n"
        "mapping:\n  site: {column: a}\n  span: {starts_on: {column: b}, grain: fortnight}\n"
        "  measures: {x: {column: c, scale: 0}}\nchecks: [{check: range}]\n"
    )
    found = vendor_mgmt(database_url, "source", "check", str(document))
    assert found.returncode == 2
    for line, words in [(3, "neither is given"), (4, "SOMETIMES"), (7, "fortnight"), (8, "scale of 0"), (9, "a range needs")]:
        assert any(f":{line}:" in text and words in text for text in found.stdout.splitlines()), (line, words, found.stdout)


def test_a_source_that_does_not_exist_is_said_to_be_so(database_url: str) -> None:
    found = vendor_mgmt(database_url, "pull", "nobody")
    assert found.returncode == 2
    assert found.stderr == "There is no source 'nobody'. There is none at all.\n"


def test_a_worker_ends_when_it_is_asked_to(database_url: str) -> None:
    command = [sys.executable, "-m", "vendor_mgmt", "worker"]
    environment = {**os.environ, "DATABASE_URL": database_url, "VENDOR_MGMT_LOG_FORMAT": "text"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        assert process.stderr is not None
        while "is ready" not in (line := process.stderr.readline()):
            assert line, "the worker ended by itself"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=15)
    assert process.returncode == 0


@pytest.mark.skipif(not NHS.exists(), reason=f"SKIPPED: the real NHS 111 return is not at {NHS}; set VENDOR_MGMT_TEST_SHARED")
def test_a_years_real_return_of_38_contracts_is_stored_exactly_missing_values_included(database_url: str, tmp_path: Path) -> None:
    rows = list(csv.DictReader(NHS.read_text(encoding="utf-8").splitlines()))
    asyncio.run(portfolio(database_url, rows))
    (tmp_path / "normalized.csv").write_bytes(NHS.read_bytes())
    assert vendor_mgmt(database_url, "source", "save", str(write_source(tmp_path))).returncode == 0
    pulled = vendor_mgmt(database_url, "pull", "iuc", "--json")
    answer = json.loads(pulled.stdout)["pull"]
    assert (answer["rows_read"], answer["added"], answer["refused"]) == (7992, 7992, 0)
    wanted = {(row["site_code"], row["measure"], row["period_start"]): Decimal(row["value"]) if row["value"] else None for row in rows}
    assert asyncio.run(stored(database_url)) == wanted
    assert None in wanted.values()
