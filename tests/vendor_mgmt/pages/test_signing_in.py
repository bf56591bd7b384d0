"""Who gets in, how, and for how long; what forms must bring; what every answer says about safety."""

from __future__ import annotations

import logging
import re
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from litestar import Litestar

from tests.vendor_mgmt.pages.serving_app import served, settings_for, sign_in
from vendor_mgmt.access import tokens
from vendor_mgmt.boundary import SAFETY
from vendor_mgmt.database import transaction
from vendor_mgmt.pages import rendering

PUBLIC = {"/health", "/ready", "/static/{digest:str}/{name:path}", "/problems", "/problems/{name:str}"}


@pytest.fixture
async def app_and_client(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Litestar, httpx.AsyncClient]]:
    async with served(database_url, settings_for(tmp_path)) as both:
        yield both


@pytest.fixture
async def client(app_and_client: tuple[Litestar, httpx.AsyncClient]) -> httpx.AsyncClient:
    return app_and_client[1]


async def test_every_address_but_the_named_ones_wants_somebody_signed_in(app_and_client: tuple[Litestar, httpx.AsyncClient]) -> None:
    """Taken from the route table, so that a new address cannot be forgotten."""
    app, client = app_and_client
    probed = 0
    for route in app.routes:
        for method in sorted(route.methods - {"OPTIONS", "HEAD"}):
            address = re.sub(r"\{\w+:\w+\}", "x", route.path)
            answer = await client.request(method, address)
            assert (answer.status_code != 401) == (route.path in PUBLIC), f"{method} {route.path}: {answer.status_code}"
            probed += 1
    assert probed > 20


async def test_a_link_signs_one_browser_in_once_and_leaves_no_token_in_the_address(client: httpx.AsyncClient) -> None:
    async with transaction() as connection:
        link = await tokens.new_link(connection, datetime.now(UTC))
    # A preview that asks for the headers alone does not use it up.
    assert (await client.head(f"/runs?token={link}")).status_code == 401
    answer = await client.get(f"/runs?kind=pull&token={link}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs?kind=pull")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert (await client.get("/runs")).status_code == 200
    client.cookies.clear()
    again = await client.get(f"/?token={link}")
    assert again.status_code == 401
    assert "has been used" in again.text


async def test_a_link_and_a_session_run_out(client: httpx.AsyncClient) -> None:
    long_ago = datetime.now(UTC) - tokens.SESSION_FOR - timedelta(days=2)
    async with transaction() as connection:
        old = await tokens.new_link(connection, long_ago)
        session = await tokens.use_link(connection, old, long_ago)
        unused = await tokens.new_link(connection, long_ago)
    assert session is not None
    assert (await client.get(f"/?token={unused}")).status_code == 401
    assert (await client.get("/", headers={"Cookie": f"session-8000={session}"})).status_code == 401


async def test_signing_out_ends_the_session_in_the_database_too(client: httpx.AsyncClient) -> None:
    await sign_in(client)
    session = client.cookies["session-8000"]
    token = re.search(r'name="form_token" value="([^"]+)"', (await client.get("/")).text)
    assert token is not None
    assert (await client.post("/sign-out", data={"form_token": token[1]})).status_code == 200
    assert (await client.get("/", headers={"Cookie": f"session-8000={session}"})).status_code == 401


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({}, {}),
        ({"form_token": "guessed.0000"}, {}),
        ({"form_token": "ours"}, {"Origin": "https://elsewhere.example"}),
        ({"form_token": "ours"}, {"Sec-Fetch-Site": "cross-site"}),
    ],
)
async def test_a_form_from_elsewhere_is_refused_and_the_same_one_from_here_is_taken(
    client: httpx.AsyncClient, form: dict[str, str], headers: dict[str, str]
) -> None:
    await sign_in(client)
    token = re.search(r'name="form_token" value="([^"]+)"', (await client.get("/")).text)
    assert token is not None
    if form.get("form_token") == "ours":
        form = {"form_token": token[1]}
    answer = await client.post("/sign-out", data=form, headers=headers)
    assert answer.status_code == 403
    assert "This is not allowed" in answer.text
    assert (await client.post("/sign-out", data={"form_token": token[1]}, headers={"Origin": "http://127.0.0.1:8000"})).status_code == 200


async def test_a_form_token_of_one_session_is_worth_nothing_to_another(client: httpx.AsyncClient) -> None:
    await sign_in(client)
    token = re.search(r'name="form_token" value="([^"]+)"', (await client.get("/")).text)
    client.cookies.clear()
    await sign_in(client)
    assert token is not None
    assert (await client.post("/sign-out", data={"form_token": token[1]})).status_code == 403


async def test_the_token_of_scripts_is_kept_in_a_file_for_its_owner_alone_and_replaced_when_revoked(database: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "data")
    now = datetime.now(UTC)
    async with transaction() as connection:
        token = await tokens.prepare(connection, settings, now)
        assert await tokens.prepare(connection, settings, now) == token
        file = settings.data_dir / tokens.TOKEN_FILE
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert await connection.fetchval("SELECT count(*) FROM access_token WHERE sha256 = $1", token) == 0
        who = await tokens.identity(connection, token, "service", now)
        assert who is not None
        # A token is good for what it was made for: as a cookie it is nothing.
        assert await tokens.identity(connection, token, "session", now) is None
        await tokens.revoke(connection, who.token, now)
        assert await tokens.identity(connection, token, "service", now) is None
        assert await tokens.prepare(connection, settings, now) != token


@pytest.mark.parametrize("address", ["/", "/health", "/nothing", "/api/v1/nothing", "/problems"])
async def test_every_answer_carries_the_headers_that_keep_browsers_safe(client: httpx.AsyncClient, address: str) -> None:
    answer = await client.get(address)
    for name, value in SAFETY.items():
        assert answer.headers[name] == value
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])


async def test_a_host_that_is_not_ours_is_refused_except_for_health(client: httpx.AsyncClient) -> None:
    assert (await client.get("/", headers={"Host": "rebound.example"})).status_code == 421
    assert (await client.get("/health", headers={"Host": "10.0.0.7"})).status_code == 200
    assert (await client.get("/", headers={"Host": "localhost:8000"})).status_code == 401


async def test_over_tls_the_cookie_belongs_to_this_host_alone(database_url: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, base_url="https://vendors.example.com")
    async with served(database_url, settings) as (_, client):
        async with transaction() as connection:
            link = await tokens.new_link(connection, datetime.now(UTC))
        answer = await client.get(f"/?token={link}", headers={"Host": "vendors.example.com"})
        assert answer.headers["set-cookie"].startswith("__Host-session=")
        assert "Secure" in answer.headers["set-cookie"]
        assert answer.headers["strict-transport-security"]


async def test_head_answers_as_get_does_without_the_body(client: httpx.AsyncClient) -> None:
    await sign_in(client)
    got, head = await client.get("/contracts"), await client.head("/contracts")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert (await client.head("/events")).status_code == 200


async def test_errors_are_pages_for_people_and_never_a_traceback(
    app_and_client: tuple[Litestar, httpx.AsyncClient], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, client = app_and_client
    await sign_in(client)
    missing = await client.get("/scorecards/NOBODY-1")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no scorecard NOBODY-1." in missing.text
    wrong = await client.post("/tickets", data={})
    assert wrong.status_code == 405
    assert "GET" in wrong.headers["allow"]
    bad = await client.get("/runs?before=x")
    assert bad.status_code == 400
    assert "query before" in bad.text

    def broken(*_: object) -> str:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(rendering, "form_token", broken)
    with caplog.at_level(logging.ERROR):
        failed = await client.get("/contracts")
    assert failed.status_code == 500
    assert "secret of the inside" not in failed.text
    assert "Traceback" not in failed.text
    assert failed.headers["x-request-id"] in failed.text
    [record] = [record for record in caplog.records if record.name == "vendor_mgmt.problems"]
    assert record.__dict__["request"] == failed.headers["x-request-id"]
    assert record.exc_info is not None


async def test_the_access_log_holds_neither_tokens_nor_queries(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with transaction() as connection:
            link = await tokens.new_link(connection, datetime.now(UTC))
        await client.get(f"/?token={link}&vendor=acme")
    lines = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records if record.name == "vendor_mgmt.access_log"]
    assert any("GET / 303" in line for line in lines)
    assert not any(link in line or "acme" in line for line in lines)


async def test_a_request_larger_than_allowed_is_refused(client: httpx.AsyncClient) -> None:
    await sign_in(client)
    answer = await client.post("/sign-out", data={"form_token": "x" * 1_100_000})
    assert answer.status_code == 413


async def test_a_database_that_is_away_is_said_so_and_is_not_our_fault(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(database_url, settings_for(tmp_path)) as (_, client):
        await sign_in(client)

        async def away(*_: object, **__: object) -> None:
            raise ConnectionRefusedError("nobody listens")

        monkeypatch.setattr(tokens, "identity", away)
        answer = await client.get("/")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "nobody listens" not in answer.text


async def test_ready_says_which_part_does_not_work(database_url: str, tmp_path: Path) -> None:
    async with served(database_url, settings_for(tmp_path)) as (app, client):
        answer = await client.get("/ready")
        # This process has the role of the web only, and nobody else carries work.
        assert answer.json() == {"status": "ready", "database": "ok", "migrations": "ok", "clock": "elsewhere", "worker": "elsewhere"}
        async with transaction() as connection:
            await connection.execute("SELECT 1")
        app.state.service.stopping.set()
        assert (await client.get("/ready")).status_code == 503
