"""An application on a small portfolio, and a browser-less client that is signed in to it.

Two vendors with a site each, through the product's own functions: agreed contracts, delivered counts, closed months. Harbour misses its
accuracy twice and so has a ticket; Otter meets everything.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
from litestar import Litestar

from tests.vendor_mgmt.test_period_close import agreed, contract_text, delivered, invoice, month
from vendor_mgmt import database
from vendor_mgmt.access import tokens
from vendor_mgmt.app import create_app
from vendor_mgmt.database import transaction
from vendor_mgmt.intake import queries as intake_queries
from vendor_mgmt.period_close import close_period
from vendor_mgmt.settings import Settings

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
BASE = "http://127.0.0.1:8000"

SOURCE = """
source: harbour
title: Harbour daily counts
vendor: harbour
owner: client.data
reader: {type: csv, folder: drops/harbour, pattern: "*.csv"}
mapping:
  site: {column: site}
  dimensions: {workstream: {column: workstream}}
  span: {starts_on: {column: day}, grain: day}
  measures: {audited: {column: audited}, right: {column: right}}
"""


async def make_portfolio() -> None:
    """Two months of two vendors, closed. Needs an open pool."""
    await agreed()
    scope = [{"site": "porto", "name": "Porto <Norte>", "workstream": "live", "country": "PT"}]
    await agreed(contract_text(contract="OT-2", title="Live moderation", vendor="otter", vendor_name="Otter & Sons", scope=scope))
    for first, until in ((JANUARY, FEBRUARY), (FEBRUARY, date(2026, 3, 1))):
        for site in ("lisbon", "cebu"):
            await delivered([*month(first, site, "product"), *month(first, site, "live", right=85 if site == "lisbon" else 97)])
            await delivered([invoice(first, site)])
        await delivered([*month(first, "porto", "live"), invoice(first, "porto")])
        for contract in ("HX-1", "OT-2"):
            assert await close_period(contract, first, at=datetime.combine(until, datetime.min.time(), UTC) + timedelta(days=4)) is not None


def settings_for(folder: Path, **changes: object) -> Settings:
    # Nothing here depends on the clock or on work being carried out, and a test that wants them says so.
    return msgspec.structs.replace(Settings(data_dir=folder, roles=("web",), brand_name="Meridian"), **changes)


@contextlib.asynccontextmanager
async def served(url: str, settings: Settings) -> AsyncIterator[tuple[Litestar, httpx.AsyncClient]]:
    """The application, started, and a client to whom nobody is signed in."""
    app = create_app(settings, url)
    is_ready, may_end = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            is_ready.set()
            await may_end.wait()

    # Litestar wants to be started and stopped by one task, and a fixture begins and ends in two.
    living = asyncio.ensure_future(live())
    started = asyncio.ensure_future(is_ready.wait())
    await asyncio.wait({living, started}, return_when=asyncio.FIRST_COMPLETED)
    started.cancel()
    try:
        if is_ready.is_set():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(cast("Any", app)), base_url=BASE) as client:
                yield app, client
    finally:
        may_end.set()
        await living


async def sign_in(client: httpx.AsyncClient) -> None:
    """As a person does: by following a link."""
    async with transaction() as connection:
        link = await tokens.new_link(connection, datetime.now(UTC))
    answer = await client.get(f"/?token={link}")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"


async def filled(url: str, *, with_source: bool = False) -> None:
    """Make the portfolio in an empty, migrated database."""
    async with database.pool(url):
        await make_portfolio()
        if with_source:
            await save_source()


async def save_source() -> None:
    """A source that reads a folder nobody made."""
    async with transaction() as connection:
        await intake_queries.save_source(connection, SOURCE.encode(), now=datetime.now(UTC))
