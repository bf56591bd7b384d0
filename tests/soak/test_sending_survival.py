"""Senders killed two hundred times, two and four at a time, while peers have taken messages and not yet answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vendor_mgmt.delivery.killing import trial


@pytest.mark.parametrize("processes", [2, 4])
async def test_two_hundred_kills_lose_nothing_and_double_nothing(database: str, tmp_path: Path, processes: int) -> None:
    found = await trial(database, tmp_path, kills=100, processes=processes)
    assert found["webhook sent"] == found["jira sent"] == 1000
