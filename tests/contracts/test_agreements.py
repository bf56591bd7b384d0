"""Agreed texts read back as documents."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from contracts import agreements, reading

TEXT = (Path(__file__).parents[2] / "README.md").read_text().split("```yaml contract.yaml\n")[1].split("```")[0]


async def test_reading_a_long_contract_for_the_first_time_lets_the_event_loop_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreements, "_READ", {})
    went_on = threading.Event()
    read = reading.read
    waited = []

    def slow(*arguments: Any) -> Any:
        # It takes until the loop has done something else.
        waited.append(went_on.wait(10))
        return read(*arguments)

    monkeypatch.setattr(agreements, "read", slow)
    asyncio.get_running_loop().call_later(0.01, went_on.set)
    await agreements.read_beside([TEXT, TEXT])
    assert waited == [True]
    assert agreements.document_of(TEXT).contract == "HB-2026-01"
    assert waited == [True], "once read, it is not read again"
