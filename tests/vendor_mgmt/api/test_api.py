"""What a script sees: JSON, problems, pages of lists, and a description that agrees with the answers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from tests.vendor_mgmt.pages.serving_app import filled, save_source, served, settings_for, sign_in
from vendor_mgmt.access import tokens
from vendor_mgmt.database import transaction
from vendor_mgmt.problems import KINDS


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    await filled(database_url)
    settings = settings_for(tmp_path)
    async with served(database_url, settings) as (_, client):
        async with transaction() as connection:
            token = await tokens.prepare(connection, settings, datetime.now(UTC))
        await save_source()
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


async def got(client: httpx.AsyncClient, address: str) -> Any:
    answer = await client.get(f"/api/v1/{address}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_lists_hold_what_the_pages_show(client: httpx.AsyncClient) -> None:
    assert [site["site"] for site in (await got(client, "sites"))["items"]] == ["cebu", "lisbon", "porto"]
    assert [one["contract"] for one in (await got(client, "contracts"))["items"]] == ["HX-1", "OT-2"]
    assert [one["source"] for one in (await got(client, "sources"))["items"]] == ["harbour"]
    [ticket] = (await got(client, "tickets?open=true"))["items"]
    assert (ticket["number"], ticket["site"], ticket["kpi"], ticket["level"]) == ("HARBOUR-T0001", "lisbon", "accuracy", 1)
    detail = await got(client, "tickets/HARBOUR-T0001")
    assert detail["events"][0]["kind"] == "opened"
    assert detail["deadlines"]


async def test_a_list_in_pages_gives_every_scorecard_once_and_then_ends(client: httpx.AsyncClient) -> None:
    everything = [one["number"] for one in (await got(client, "scorecards?limit=200"))["items"]]
    assert len(everything) == 6
    seen, cursor = [], ""
    while True:
        page = await got(client, f"scorecards?limit=4{f'&cursor={cursor}' if cursor else ''}")
        seen += [one["number"] for one in page["items"]]
        cursor = page["next"]
        if not cursor:
            break
    assert seen == everything


async def test_a_scorecard_is_the_document_with_numbers_as_text(client: httpx.AsyncClient) -> None:
    [listed] = (await got(client, "scorecards?site=lisbon&period_from=2026-02-01"))["items"]
    card = await got(client, f"scorecards/{listed['number']}")
    assert (card["schema"], card["site"]) == ("scorecard/1", "lisbon")
    accuracy = next(one for one in card["results"] if one["kpi"] == "accuracy" and one["dimensions"] == {"workstream": "live"})
    assert (accuracy["numerator"], accuracy["denominator"], accuracy["value"]) == ("2380", "2800", "85")
    first = await client.get(f"/api/v1/scorecards/{listed['number']}")
    again = await client.get(f"/api/v1/scorecards/{listed['number']}", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304


async def test_asking_for_a_pull_is_accepted_and_can_be_followed(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/sources/harbour/pulls")
    assert answer.status_code == 202
    [run] = (await got(client, "runs?kind=pull"))["items"]
    assert (run["id"], run["state"], run["subject"]) == (answer.json()["run"], "queued", "harbour")


@pytest.mark.parametrize(
    ("method", "address", "status", "kind"),
    [
        ("GET", "nothing", 404, "not-found"),
        ("GET", "scorecards/NOBODY-1", 404, "not-found"),
        ("GET", "scorecards/NOBODY-1/pdf", 404, "not-found"),
        ("GET", "contracts/NOBODY", 404, "not-found"),
        ("GET", "tickets/NOBODY-T1", 404, "not-found"),
        ("POST", "sources/nobody/pulls", 404, "not-found"),
        ("DELETE", "sites", 405, "method-not-allowed"),
        ("GET", "scorecards?limit=0", 400, "bad-request"),
        ("GET", "scorecards?limit=201", 400, "bad-request"),
        ("GET", "scorecards?limit=many", 400, "bad-request"),
        ("GET", "scorecards?period_from=2026-02-30", 400, "bad-request"),
        ("GET", "scorecards?cursor=made.up", 400, "bad-request"),
        ("GET", "runs?cursor=0", 400, "bad-request"),
    ],
)
async def test_a_refusal_is_a_problem_with_a_stable_type_and_a_reference(
    client: httpx.AsyncClient, method: str, address: str, status: int, kind: str
) -> None:
    answer = await client.request(method, f"/api/v1/{address}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["title"], problem["status"]) == (f"/problems/{kind}", KINDS[kind].title, status)
    assert problem["reference"] == answer.headers["x-request-id"]
    assert (await client.get(problem["type"])).status_code == 200


async def test_without_a_token_nothing_is_told_and_a_cookie_alone_changes_nothing(client: httpx.AsyncClient) -> None:
    del client.headers["Authorization"]
    answer = await client.get("/api/v1/sites")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert (await client.get("/api/v1/sites", headers={"Authorization": "Bearer nonsense"})).status_code == 401
    await sign_in(client)
    assert (await client.get("/api/v1/sites")).status_code == 200
    assert (await client.post("/api/v1/sources/harbour/pulls")).status_code == 403
    token = re.search(r'name="form_token" value="([^"]+)"', (await client.get("/sources")).text)
    assert token is not None
    assert (await client.post("/api/v1/sources/harbour/pulls", headers={"X-Form-Token": token[1]})).status_code == 202


_EXAMPLES = (
    ("scorecards/{number}", "scorecards/OTTER-2026-001"),
    ("tickets/{number}", "tickets/HARBOUR-T0001"),
    ("{site}", "lisbon"),
)


async def test_every_answer_agrees_with_its_description(client: httpx.AsyncClient) -> None:
    description = await got(client, "openapi.json")
    assert description["openapi"].startswith("3.1")
    checked = 0
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], path
            assert operation["description"], path
            assert all(parameter.get("description") for parameter in operation.get("parameters", []) if parameter["in"] == "query"), path
            if method != "get" or path.endswith("/pdf"):
                continue
            address = path.removeprefix("/api/v1/")
            for number, code in _EXAMPLES:
                address = address.replace(number, code)
            answer = await got(client, address.replace("{code}", "HX-1"))
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
            jsonschema.Draft202012Validator({**schema, "components": description["components"]}).validate(answer)
            checked += 1
    assert checked == 10
