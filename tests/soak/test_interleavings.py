"""The long trial of tests/vendor_mgmt/intake/test_interleavings.py: many more orders of pulls, corrections and pulls again."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.vendor_mgmt.intake.builders import portfolio
from tests.vendor_mgmt.intake.test_interleavings import STEPS, holds


@pytest.fixture
async def site_data(database: str) -> None:
    await portfolio()


@pytest.mark.usefixtures("site_data")
@settings(max_examples=int(os.environ.get("SOAK_EXAMPLES", "300")), suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
async def test_hundreds_of_interleavings_end_in_what_is_known_now_and_never_change_what_was_known_then(steps: Any) -> None:
    await holds(steps)
