"""The first pages in a real browser: readable, reachable by keyboard, on a phone and in the dark, without a complaint."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"

PAGES = {
    "portfolio": "/",
    "site": "/sites/lisbon",
    "scorecards": "/scorecards",
    "scorecard": "/scorecards/HARBOUR-2026-004",
    "tickets": "/tickets",
    "ticket": "/tickets/HARBOUR-T0001",
    "contracts": "/contracts",
    "contract": "/contracts/HX-1",
    "sources": "/sources",
    "runs": "/runs",
    "problems": "/problems",
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("looking", ["desktop", "phone", "dark"])
@pytest.mark.parametrize("name", PAGES)
async def test_a_page_draws_without_a_complaint_and_without_serious_barriers(opened: Any, looking: str, name: str) -> None:
    await opened.go(PAGES[name])
    await expect(opened.page.locator("h1")).to_be_visible()
    await opened.look(f"{name}-{looking}")
    assert opened.complaints == []
    # Nothing but wide tables, each in a region of its own, scrolls sideways.
    drawn, seen = await opened.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert drawn <= seen
    if not AXE.exists():
        pytest.skip("SKIPPED: axe-core is missing; `python3 tools/setup.py --tests` brings it")
    await opened.page.evaluate(AXE.read_text("utf-8"))
    found = (await opened.page.evaluate("axe.run(document, {resultTypes: ['violations']})"))["violations"]
    serious = [
        f"{one['id']}: {one['help']}: {json.dumps([node['target'] for node in one['nodes'][:4]])}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []


async def test_the_description_of_the_api_is_drawn_by_our_own_files_alone(opened: Any) -> None:
    asked: list[str] = []
    opened.page.on("request", lambda request: asked.append(request.url))
    await opened.go("/api/v1/docs")
    operation = opened.page.get_by_role("button", name="/api/v1/sites", exact=False).first
    await expect(operation).to_be_visible()
    await operation.click()
    await opened.page.get_by_role("button", name="Try it out").click()
    await opened.page.get_by_role("button", name="Execute").click()
    await expect(opened.page.locator(".live-responses-table tbody .response-col_status").first).to_have_text("200")
    await opened.look("api-docs")
    assert opened.complaints == []
    assert [url for url in asked if not url.startswith((opened.base, "data:"))] == []


async def test_the_keyboard_reaches_the_content_the_filters_and_the_first_site(opened: Any) -> None:
    await opened.go("/")
    await opened.page.keyboard.press("Tab")
    assert await opened.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    await opened.page.keyboard.press("Enter")
    assert await opened.page.evaluate("document.activeElement.id") == "content"
    reached = []
    for _ in range(12):
        await opened.page.keyboard.press("Tab")
        reached.append(await opened.page.evaluate("document.activeElement.name || document.activeElement.textContent.trim()"))
    assert [name for name in reached if name in ("period", "vendor", "place", "workstream")] == ["period", "vendor", "place", "workstream"]
    assert "Lisbon" in reached


async def test_a_filter_narrows_the_page_in_place_and_the_address_keeps_it(opened: Any) -> None:
    await opened.go("/")
    lisbon = opened.page.locator(".site-name", has_text="Lisbon")
    porto = opened.page.locator(".site-name", has_text="Porto <Norte>")
    await expect(lisbon).to_be_visible()
    await opened.page.get_by_label("Vendor").select_option("otter")
    await expect(lisbon).to_have_count(0)
    await expect(porto).to_be_visible()
    assert "vendor=otter" in opened.page.url
    await opened.page.reload()
    await expect(porto).to_be_visible()
    assert opened.complaints == []


async def test_from_the_portfolio_to_the_reason_of_a_miss_in_two_steps(opened: Any) -> None:
    await opened.go("/")
    await opened.page.locator(".heat .cell.tone-bad a").first.click()
    await expect(opened.page).to_have_url(re.compile("#kpi-accuracy-live$"))
    row = opened.page.locator("tbody#kpi-accuracy-live")
    await expect(row).to_be_in_viewport()
    await row.get_by_text("How it was reached").click()
    await expect(row.get_by_text("2,380 ÷ 2,800")).to_be_visible()


async def test_a_run_that_is_asked_for_appears_and_ends_before_ones_eyes(opened: Any) -> None:
    """The page tells of it without being loaded again."""
    await opened.go("/runs")
    rows = opened.page.locator("[data-run]")
    before = await rows.first.get_attribute("data-run") if await rows.count() else None
    other = await opened.page.context.new_page()
    await other.goto(f"{opened.base}/sources")
    await other.get_by_role("button", name="Pull now: Harbour daily counts").click()
    await expect(rows.first).to_be_visible(timeout=15_000)
    await expect(rows.first).not_to_have_attribute("data-run", before or "none", timeout=15_000)
    await expect(rows.first.locator("[data-part=word]")).to_have_text("done", timeout=30_000)
    await expect(rows.first.locator("[data-part=progress]")).to_contain_text("2 added")
    assert opened.complaints == []


async def test_on_a_phone_the_menu_opens(opened: Any) -> None:
    await opened.page.set_viewport_size({"width": 390, "height": 844})
    await opened.go("/")
    contracts = opened.page.get_by_role("link", name="Contracts")
    await expect(contracts).to_be_hidden()
    await opened.page.get_by_text("Menu", exact=True).click()
    await contracts.click()
    await expect(opened.page.get_by_role("heading", name="Contracts")).to_be_visible()


async def test_without_signing_in_there_is_a_page_that_says_how(chromium: Any, address: str) -> None:
    context = await chromium.new_context()
    page = await context.new_page()
    await page.goto(address.partition("/?")[0] + "/scorecards")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(page.get_by_text("vendor-mgmt sign-in")).to_be_visible()
    await context.close()
