"""What a person sees: the pages on a small portfolio with known figures."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.vendor_mgmt.pages.serving_app import filled, save_source, served, settings_for, sign_in
from vendor_mgmt.database import transaction
from vendor_mgmt.pages.rendering import environment

PAGES = ["/", "/scorecards", "/tickets", "/contracts", "/sources", "/runs"]


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    await filled(database_url)
    async with served(database_url, settings_for(tmp_path)) as (_, client):
        await sign_in(client)
        yield client


@pytest.fixture
async def empty(database_url: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with served(database_url, settings_for(tmp_path)) as (_, client):
        await sign_in(client)
        yield client


async def page(client: httpx.AsyncClient, address: str) -> str:
    answer = await client.get(address)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


def text_of(html: str) -> str:
    """What is left without tags, on one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.mark.parametrize("address", PAGES)
async def test_every_page_of_an_empty_installation_says_what_to_do_next(empty: httpx.AsyncClient, address: str) -> None:
    assert 'class="empty-state"' in await page(empty, address)


@pytest.mark.parametrize("address", PAGES)
async def test_every_page_marks_where_one_is_and_carries_no_inline_style_or_script(client: httpx.AsyncClient, address: str) -> None:
    html = await page(client, address)
    assert re.search(rf'<a href="{address}" aria-current="page">', html)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", html)


async def test_the_portfolio_puts_the_site_in_trouble_first_with_its_ticket_and_its_miss(client: httpx.AsyncClient) -> None:
    html = await page(client, "/")
    assert "February 2026" in html
    assert html.index("Lisbon") < html.index("Cebu")
    assert html.index("Lisbon") < html.index("Porto &lt;Norte&gt;")
    lisbon = row_of(html, "Lisbon")
    assert "Level 1" in lisbon
    assert "✗✗" in lisbon
    assert "missed, below every level 85" in lisbon
    assert re.search(r"Open tickets 1 highest level 1", text_of(html))


def row_of(html: str, site: str) -> str:
    """What the table says of a site."""
    [row] = [part for part in html.split("<tbody>") if f">{site}</a>" in part and 'class="site-name"' in part]
    return text_of(row.partition("</tbody>")[0])


async def test_the_first_lines_of_the_portfolio_name_the_site_that_needs_somebody_and_why(client: httpx.AsyncClient) -> None:
    html = await page(client, "/")
    attention = html[html.index('<ol class="attention">') : html.index("</ol>")]
    assert html.index('class="attention"') < html.index('class="figures"')
    first = text_of(re.split("<li><a ", attention)[1]).replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "Lisbon" in first
    assert "Accuracy 85 %, target ≥ 95 % (Live)" in first
    assert "1 open at Level 1" in first


async def test_a_site_shows_its_running_month_its_tickets_and_its_scorecards(client: httpx.AsyncClient) -> None:
    html = await page(client, "/sites/lisbon")
    text = text_of(html)
    assert "Lisbon Harbour CX" in text
    assert "Nothing of the running month came yet." in text
    assert "HARBOUR-T0001" in text
    assert text.index("February 2026") < text.index("January 2026")
    assert 'href="/sites/lisbon"' in await page(client, "/")
    assert (await client.get("/sites/nowhere")).status_code == 404


async def test_a_running_month_says_what_the_rest_has_to_bring(client: httpx.AsyncClient) -> None:
    today = datetime.now(UTC).date()
    first = today.replace(day=1)
    async with transaction() as connection:
        for measure, value in (("audited", 100), ("right", 94)):
            await connection.execute(
                """
                INSERT INTO measurement (series, starts_on, grain, value, known_at, actor, reason)
                SELECT t.id, $1::date + n, 4, $3, now(), 1, 'test' FROM series t JOIN site s ON s.id = t.site, generate_series(0, 1) n
                WHERE t.measure = $2 AND s.code = 'cebu' AND t.dimensions ->> 'workstream' = 'product'
                """,
                first,
                measure,
                value,
            )
    text = text_of(await page(client, "/sites/cebu")).replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "Accuracy (Product) 94 % 188 of 200 ≥ 95 % ✗ behind at least 95." in text
    answer = await client.get("/api/v1/sites/cebu/running")
    [found] = answer.json()["items"]
    kpi = next(one for one in found["kpis"] if one["kpi"] == "accuracy" and one["dimensions"] == {"workstream": "product"})
    assert (found["contract"], found["period_from"], kpi["outlook"]) == ("HX-1", first.isoformat(), "behind")
    assert (kpi["numerator"], kpi["denominator"], kpi["value"], kpi["target"]) == ("188", "200", "94", "95")
    assert float(kpi["needed_rate"]) > 95
    assert (await client.get("/api/v1/sites/nowhere/running")).status_code == 404


async def test_a_silent_workstream_is_seen_although_its_site_delivers(client: httpx.AsyncClient) -> None:
    today = datetime.now(UTC).date()
    async with transaction() as connection:
        # Everything the contracts ask for came until yesterday, but nothing more of Lisbon's live streams.
        await connection.execute(
            """
            INSERT INTO measurement (series, starts_on, grain, value, known_at, actor, reason)
            SELECT t.id, $1::date, 4, 10, now(), 1, 'test' FROM series t JOIN site s ON s.id = t.site
            WHERE t.measure <> 'invoice' AND NOT (s.code = 'lisbon' AND t.dimensions ->> 'workstream' = 'live')
            """,
            today - timedelta(days=1),
        )
        await connection.execute(
            "INSERT INTO measurement (series, starts_on, grain, value, known_at, actor, reason) "
            "SELECT id, date_trunc('month', $1::date)::date, 6, 10, now(), 1, 'test' FROM series WHERE measure = 'invoice'",
            today,
        )
    html = await page(client, "/")
    text = text_of(html)
    assert "Feeds 1 site has a silent feed Lisbon (Live)" in text
    assert "all up to date" not in text
    assert "Live: nothing after 28 Feb 2026" in row_of(html, "Lisbon")
    assert "nothing after" not in row_of(html, "Cebu")
    assert "○ Live: nothing after 28 Feb 2026" in text_of(await page(client, "/sites/lisbon"))
    assert "nothing after" not in text_of(await page(client, "/sites/cebu"))
    await save_source()
    assert re.search(r"Lisbon Live 28 Feb 2026 .* audited", text_of(await page(client, "/sources")))


async def test_a_colour_never_stands_alone_every_cell_has_a_sign_and_a_word(client: httpx.AsyncClient) -> None:
    cells = re.findall(r'<td class="cell tone-\w+">.*?</td>', await page(client, "/"))
    # Two workstreams at each of two sites and one at a third; accuracy for each, turnaround and backlog for whole sites.
    assert len(cells) == 5 + 2 * 3
    for cell in cells:
        assert re.search(r'aria-hidden="true">[^<]+</span><span class="visually-hidden">[^<]+</span>', cell)


async def test_filters_narrow_the_portfolio_to_a_vendor_a_country_or_a_workstream(client: httpx.AsyncClient) -> None:
    otter = await page(client, "/?vendor=otter")
    assert ">Porto &lt;Norte&gt;</a>" in otter
    assert ">Lisbon</a>" not in otter
    portugal = await page(client, "/?place=PT")
    assert ">Lisbon</a>" not in portugal
    product = await page(client, "/?workstream=product")
    assert ">Lisbon</a>" in product
    assert ">Porto &lt;Norte&gt;</a>" not in product
    assert ">Live</th>" not in product
    assert "No site fits" in await page(client, "/?vendor=nobody")
    assert "January 2026</span>" in await page(client, "/?period=2026-01-01")


async def test_what_a_contract_calls_a_site_is_text_and_never_markup(client: httpx.AsyncClient) -> None:
    for address in ("/", "/scorecards", "/scorecards/OTTER-2026-001", "/contracts/OT-2"):
        html = await page(client, address)
        assert "<Norte>" not in html
        assert "Porto &lt;Norte&gt;" in html


async def test_a_scorecard_opens_every_figure_down_to_its_counts_and_clause(client: httpx.AsyncClient) -> None:
    portfolio = await page(client, "/")
    number = re.findall(r'href="(/scorecards/HARBOUR-[\d-]+)">', portfolio[portfolio.index('class="site-name" href="/sites/lisbon"') :])[0]
    html = await page(client, number)
    row = html[html.index('id="kpi-accuracy-live"') :]
    derivation = text_of(row[: row.index("</tbody>")])
    assert "2,380 ÷ 2,800 × 100 = 85 %" in derivation.replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "Annex 2, 1" in derivation
    assert "missed" in derivation
    assert f'href="{number}.pdf"' in html
    assert "HARBOUR-T0001" in await page(client, "/tickets")


async def test_a_pdf_is_served_once_under_a_name_of_its_own_and_again_only_if_it_changed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/scorecards/OTTER-2026-001.pdf")
    assert answer.status_code == 200
    assert answer.content.startswith(b"%PDF-")
    assert answer.headers["content-disposition"] == 'inline; filename="OTTER-2026-001-porto-2026-01.pdf"'
    assert "unsafe" not in answer.headers["content-security-policy"]
    again = await client.get("/scorecards/OTTER-2026-001.pdf", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    downloaded = await client.get("/scorecards/OTTER-2026-001.pdf?download=true")
    assert downloaded.headers["content-disposition"].startswith("attachment;")
    assert downloaded.content == answer.content


@pytest.mark.parametrize(("kind", "media", "begins"), [("csv", "text/csv", b"scorecard,"), ("json", "application/json", b'{"schema"'),
                                                       ("xlsx", "application/vnd.openxmlformats", b"PK")])  # fmt: skip
async def test_figures_are_downloaded_as_files_under_names_of_their_own(
    client: httpx.AsyncClient, kind: str, media: str, begins: bytes
) -> None:
    answer = await client.get(f"/scorecards/OTTER-2026-001.{kind}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(media)
    assert answer.headers["content-disposition"] == f'attachment; filename="OTTER-2026-001-porto-2026-01.{kind}"'
    assert answer.content.startswith(begins)
    assert f'href="/scorecards/OTTER-2026-001.{kind}"' in await page(client, "/scorecards/OTTER-2026-001")
    assert (await client.get(f"/scorecards/NOBODY-1.{kind}")).status_code == 404


async def test_a_ticket_shows_what_is_due_and_what_happened(client: httpx.AsyncClient) -> None:
    text = text_of(await page(client, "/tickets/HARBOUR-T0001"))
    assert "Accuracy: missed twice" in text
    assert "Deadlines" in text
    assert "Acknowledge" in text
    assert re.search(r"Timeline Opened · open", text)


async def test_a_contract_reads_as_text_with_levels_weights_money_and_escalation(client: httpx.AsyncClient) -> None:
    text = text_of(await page(client, "/contracts/HX-1")).replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "floor ≥ 90 %, target ≥ 95 %" in text
    assert "0 at floor, 100 at target" in text
    assert "of charges for In time" in text
    assert "rolling 3" in text
    assert "the level target is missed 2 times in 3 judged periods" in text
    assert "over after 2 periods in a row at target" in text
    assert "calls Client director" in text
    assert "3 business days after the level below" in text


async def test_a_contract_s_page_says_that_both_sides_confirmed_a_version_when_and_by_what(client: httpx.AsyncClient) -> None:
    text = text_of(await page(client, "/contracts/HX-1"))
    assert "customer 5 Jan 2026, statement; vendor 6 Jan 2026, signed paper" in text.replace("\N{NARROW NO-BREAK SPACE}", " ")


async def test_no_term_of_a_contract_is_left_out_of_its_page(client: httpx.AsyncClient) -> None:
    """Terms without a sentence of their own stand there in the document's words."""
    text = text_of(await page(client, "/contracts/HX-1"))
    for term in ("repeat", "points", "completeness", "snapshot"):
        assert term.split("_")[0] in text or term == "completeness"
    assert "judged when 50 % of the days were delivered" in text


async def test_sources_show_how_far_data_reach_and_why_rows_were_refused(client: httpx.AsyncClient) -> None:
    await save_source()
    text = text_of(await page(client, "/sources"))
    assert "Harbour daily counts" in text
    assert "no data yet" in text
    assert "Every row that came was believed." in text


async def test_asking_for_a_pull_makes_one_run_however_often_it_is_asked(client: httpx.AsyncClient) -> None:
    await save_source()
    html = await page(client, "/sources")
    token = re.search(r'action="/sources/harbour/pull"><input type="hidden" name="form_token" value="([^"]+)"', html)
    assert token is not None
    for _ in range(2):
        answer = await client.post("/sources/harbour/pull", data={"form_token": token[1]})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sources")
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM run WHERE kind = 'pull'") == 1
    assert "waiting" in await page(client, "/sources")


def test_every_template_can_be_read() -> None:
    for name in environment().list_templates():
        environment().get_template(name)
