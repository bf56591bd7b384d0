"""What intake tests share: a vendor's API on loopback, and a portfolio of two sites with a contract."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vendor_mgmt.intake import pull

_SPEC = importlib.util.spec_from_file_location("reporting_api", Path(__file__).with_name("reporting_api.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
reporting_api = importlib.util.module_from_spec(_SPEC)
sys.modules["reporting_api"] = reporting_api
_SPEC.loader.exec_module(reporting_api)


@pytest.fixture(scope="session")
def api_process() -> Iterator[Any]:
    with reporting_api.ReportingApi() as api:
        yield api


@pytest.fixture
def api(api_process: Any) -> Iterator[Any]:
    api_process.script()
    pull.configure(allow_private=True)
    yield api_process
    pull.configure()
