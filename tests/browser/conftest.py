"""What browser tests share: a real service on the small portfolio, and Debian's Chromium, signed in."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.conftest import FreshDatabase
from tests.vendor_mgmt.pages.serving_app import filled

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


SHOTS = os.environ.get("VENDOR_MGMT_TEST_SHOTS")
"""A folder for pictures of pages, for a person to look at."""


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A page, and what its browser complained about."""

    page: Page
    base: str
    complaints: list[str]

    async def go(self, address: str) -> None:
        await self.page.goto(self.base + address, wait_until="load")

    async def look(self, name: str) -> None:
        """Keep a picture, where somebody asked for pictures."""
        if SHOTS:
            await self.page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


# One loop for a module: a browser belongs to the loop it was started in.
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("Chromium is missing: `python3 tools/setup.py --tests` installs it.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def address(server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the service runs, with a link's token in it."""
    with FreshDatabase(server_url, template) as url:
        asyncio.run(filled(url, with_source=True))
        data_dir = tmp_path_factory.mktemp("served")
        drop = data_dir / "drops" / "harbour"
        drop.mkdir(parents=True)
        (drop / "march.csv").write_text("site,workstream,day,audited,right\nlisbon,product,2026-03-02,100,97\n")
        # What was written this very moment may still be being written.
        os.utime(drop / "march.csv", (0, 0))
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            "VENDOR_MGMT_DATA_DIR": str(data_dir),
            "VENDOR_MGMT_BRAND_NAME": "Meridian Marketplace",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "vendor_mgmt", "serve", "--port", "0"], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process.stdout:
            found = next((match[1] for line in process.stdout if (match := re.search(r"Open (http://\S+)", line))), None)
            assert found is not None, "the service did not start"
            yield found
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session(address: str) -> Any:
    """The cookies of a browser that followed the link."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(address)
        assert answer.status_code == 303
        [(name, value)] = client.cookies.items()
    return {"name": name, "value": value, "url": address.partition("/?")[0]}


@pytest_asyncio.fixture(loop_scope="module")
async def opened(chromium: Browser, address: str, session: Any, looking: str) -> AsyncIterator[Opened]:
    """A signed-in page, looked at on a `desktop`, on a `phone` or in the `dark`."""
    context = await chromium.new_context(
        viewport={"width": 390, "height": 844} if looking == "phone" else {"width": 1300, "height": 900},
        color_scheme="dark" if looking == "dark" else "light",
        reduced_motion="reduce",
    )
    await context.add_cookies([session])
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield Opened(page=page, base=address.partition("/?")[0], complaints=complaints)
    await context.close()


@pytest.fixture
def looking() -> str:
    return "desktop"
