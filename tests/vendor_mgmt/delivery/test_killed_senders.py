"""A sender that is killed loses nothing and doubles nothing; the long trial is in tests/soak."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vendor_mgmt.delivery.killing import trial


@pytest.mark.timeout(300)
async def test_senders_killed_while_sending_lose_nothing_and_double_nothing(database: str, tmp_path: Path) -> None:
    found = await trial(database, tmp_path, kills=4, processes=2)
    assert found["webhook sent"] == found["jira sent"] == 40
