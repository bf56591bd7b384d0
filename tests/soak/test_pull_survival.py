"""The long trial of tests/vendor_mgmt/intake/test_survival.py: 50 deaths at random moments during pulls of 100 000 rows."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

INTAKE = Path(__file__).parents[1] / "vendor_mgmt" / "intake"


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, INTAKE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


async def test_fifty_deaths_during_pulls_of_a_hundred_thousand_rows_lose_nothing_and_double_nothing(database_url: str) -> None:
    rounds, rows = int(os.environ.get("SOAK_ROUNDS", "50")), int(os.environ.get("SOAK_ROWS", "100000"))
    with module("reporting_api").ReportingApi() as api:
        ended = await module("test_survival").survive(
            database_url, api, rounds=rounds, rows=rows, seed=2026, victims=("worker", "source", "database"), pull_s=3
        )
    print(f"{rounds} deaths during pulls of {rows} rows: runs ended {ended}, all data equal a clean pull")  # noqa: T201 - the record of the trial
