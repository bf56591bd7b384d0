"""The vendors' reporting systems, as a real process on the loopback interface, asked with the client the service uses."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.vendor_mgmt.example.judging import TODAY, end_of, everything
from vendor_mgmt.example import portfolio, wire
from vendor_mgmt.example.generating import Row, as_known
from vendor_mgmt.example.portfolio import month_start
from vendor_mgmt.example.server import PAGE_ROWS_MAX, VENDORS, new_tokens, token_variable

TOKENS = new_tokens()
COMMAND = [sys.executable, "-m", "vendor_mgmt.example.server", "--today", TODAY.isoformat()]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the server is stopped with POSIX signals")


def token(vendor: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[token_variable(vendor)]}"}


def environment(tokens: dict[str, str] = TOKENS) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("EXAMPLE_TOKEN_")} | tokens


@contextmanager
def running(*options: str, tokens: dict[str, str] = TOKENS) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    with subprocess.Popen([*COMMAND, *options], env=environment(tokens), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="module")
def calm() -> Iterator[httpx.Client]:
    """A client of a server that never refuses for reasons of mood."""
    with running("--calm") as (_, ready), httpx.Client(base_url=ready["url"], timeout=30) as client:
        yield client


def get(client: httpx.Client, vendor: str, **query: str | int) -> Any:
    answer = client.get(f"/{vendor}/v1/measurements", params=query, headers=token(vendor))
    assert answer.status_code == 200, answer.text
    return decoded(answer)


def decoded(answer: httpx.Response) -> Any:
    """The document, numbers with a point as text, so that money is compared digit by digit."""
    return msgspec.json.Decoder(float_hook=str).decode(answer.content)


def all_pages(client: httpx.Client, vendor: str, **query: str | int) -> list[list[dict[str, Any]]]:
    """Reads a vendor to its end in its own manner."""
    pages: list[list[dict[str, Any]]] = []
    match vendor:
        case "brightquay":
            answer = get(client, vendor, limit=5000, **query)
            pages.append(answer["data"])
            while answer["next"] is not None:
                answer = get(client, vendor, limit=5000, cursor=answer["next"], **query)
                pages.append(answer["data"])
        case "saffron-lantern":
            answer = get(client, vendor, per_page=5000, **query)
            pages.append(answer["result"]["rows"])
            following = range(2, answer["meta"]["pages"] + 1)
            pages += [get(client, vendor, per_page=5000, page=page, **query)["result"]["rows"] for page in following]
        case "nilegate":
            response = client.get(f"/{vendor}/v1/measurements", params={"limit": 5000, **query}, headers=token(vendor))
            pages.append(decoded(response))
            while "next" in response.links:
                response = client.get(response.links["next"]["url"], headers=token(vendor))
                pages.append(decoded(response))
        case "home-team":
            total = 1
            while sum(map(len, pages)) < total:
                answer = get(client, vendor, offset=sum(map(len, pages)), limit=5000, **query)
                total = answer["total"]
                pages.append(answer["items"])
    return pages


def expected(vendor: str, as_of: datetime | None = None) -> list[Row]:
    return as_known((row for row in everything() if portfolio.site(row.site).vendor == vendor), as_of or end_of(TODAY))


def as_sent(vendor: str, rows: list[Row]) -> list[dict[str, Any]]:
    """The rows in the vendor's wording, money as the text of its decimal."""
    money = "amount" if vendor == "saffron-lantern" else "figure" if vendor == "brightquay" else "value"
    sent = [wire.ROWS[vendor](row) for row in rows]
    return [row | {money: str(row[money])} if isinstance(row[money], Decimal) else row for row in sent]


@pytest.mark.parametrize("vendor", ["brightquay", "saffron-lantern", "home-team"])
def test_all_pages_together_are_exactly_what_the_vendor_has(calm: httpx.Client, vendor: str) -> None:
    pages = all_pages(calm, vendor)
    assert all(len(page) <= PAGE_ROWS_MAX for page in pages)
    assert [row for page in pages for row in page] == as_sent(vendor, expected(vendor))


def test_pages_named_by_links_are_followed_to_the_end(calm: httpx.Client) -> None:
    pages = all_pages(calm, "nilegate")
    assert [len(page) for page in pages[:-1]] == [5000] * (len(pages) - 1)
    assert [(row["site"], row["starts_on"], row["measure"], row["language"]) for page in pages for row in page] == [
        (portfolio.site(row.site).code, row.starts_on.isoformat(), row.measure, row.language) for row in expected("nilegate")
    ]


def test_days_are_asked_for_half_open(calm: httpx.Client) -> None:
    rows = [row for page in all_pages(calm, "home-team", since="2026-02-01", until="2026-03-01") for row in page]
    assert {row["starts_on"] for row in rows} == {date(2026, 2, day).isoformat() for day in range(1, 29)}
    whole = [row for row in expected("home-team") if date(2026, 2, 1) <= row.starts_on < date(2026, 3, 1)]
    assert rows == as_sent("home-team", whole)


def test_figures_are_given_as_they_were_known_at_a_moment(calm: httpx.Client) -> None:
    month, following = month_start(TODAY, 10), month_start(TODAY, 11)
    span = {"since": month.isoformat(), "until": following.isoformat()}

    def late(as_of: str) -> int:
        rows = [row for page in all_pages(calm, "home-team", as_of=as_of, **span) for row in page]
        sums = {
            measure: sum(int(row["value"]) for row in rows if row["workstream"] == "merchant-moderation" and row["measure"] == measure)
            for measure in ("items_due", "items_in_time")
        }
        return sums["items_due"] - sums["items_in_time"]

    corrected = following.replace(day=20)
    before = late(f"{corrected.isoformat()}T08:59:59Z")
    after = late(f"{corrected.isoformat()}T09:00:00Z")
    assert before > 3 * after
    assert late("latest") == after


def test_nothing_is_given_before_it_was_known(calm: httpx.Client) -> None:
    rows = [row for page in all_pages(calm, "nilegate", as_of="2026-03-10T12:00:00Z") for row in page]
    assert max(row["starts_on"] for row in rows) == "2026-03-09"
    assert max(row["starts_on"] for row in rows if row["grain"] == "month") == "2026-02-01"


def test_a_moment_in_the_future_shows_nothing_new(calm: httpx.Client) -> None:
    span = {"since": "2026-11-01"}
    assert all_pages(calm, "home-team", as_of="2099-01-01T00:00:00Z", **span) == all_pages(calm, "home-team", **span)


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_token_but_the_vendor_s_own_is_refused_without_a_word_about_its_sites(calm: httpx.Client, vendor: str) -> None:
    secret = TOKENS[token_variable(vendor)]
    others = [TOKENS[token_variable(other)] for other in VENDORS if other != vendor]
    headers = [{}, *({"Authorization": f"Bearer {other}"} for other in (*others, secret[:-1], secret + "x"))]
    headers += [{"Authorization": f"Basic {secret}"}, {"Authorization": secret}, {"Authorization": "Bearer"}]
    for tried in headers:
        answer = calm.get(f"/{vendor}/v1/measurements", headers=tried)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert not [site.code for site in portfolio.sites_of(vendor) if site.code in answer.text]
        assert secret not in answer.text


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_s_answers_speak_of_its_own_sites_only(calm: httpx.Client, vendor: str) -> None:
    codes = {
        row["centre"]["code"] if vendor == "saffron-lantern" else row["site"]
        for page in all_pages(calm, vendor, since="2026-10-01", until="2026-11-01")
        for row in page
    }
    assert codes == {site.code for site in portfolio.sites_of(vendor)}


@pytest.mark.parametrize(
    "path", ["/", "/v1/measurements", "/akari-relay/v1/measurements", "/nobody/v1/measurements", "/brightquay/v1/sites"]
)
def test_what_does_not_exist_is_not_found_with_any_token(calm: httpx.Client, path: str) -> None:
    for vendor in VENDORS:
        assert calm.get(path, headers=token(vendor)).status_code == 404


@pytest.mark.parametrize(("vendor", "query", "named"), [
    ("brightquay", {"cursor": "%%%"}, "cursor"),
    ("brightquay", {"limit": "0"}, "limit"),
    ("saffron-lantern", {"page": "0"}, "page"),
    ("saffron-lantern", {"per_page": "many"}, "per_page"),
    ("home-team", {"offset": "-1"}, "offset"),
    ("home-team", {"since": "yesterday"}, "since"),
    ("nilegate", {"until": "2026-13-01"}, "until"),
    ("nilegate", {"as_of": "2026-10-01"}, "as_of"),
])  # fmt: skip
def test_a_question_that_cannot_be_read_is_refused_with_its_name(
    calm: httpx.Client, vendor: str, query: dict[str, str], named: str
) -> None:
    answer = calm.get(f"/{vendor}/v1/measurements", params=query, headers=token(vendor))
    assert answer.status_code == 400
    assert named in answer.json()["error"]


def test_a_page_beyond_the_end_is_empty(calm: httpx.Client) -> None:
    assert get(calm, "home-team", offset=10_000_000)["items"] == []
    assert get(calm, "saffron-lantern", page=10_000)["result"]["rows"] == []


def test_answers_are_packed_for_those_who_accept_it(calm: httpx.Client) -> None:
    url, headers = "/home-team/v1/measurements", token("home-team")
    packed = calm.get(url, headers=headers | {"Accept-Encoding": "gzip"})
    plain = calm.get(url, headers=headers | {"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["Content-Length"]) < len(plain.content) // 5


def test_now_and_then_a_request_is_one_too_many_or_meets_a_proxy_and_the_next_one_is_served() -> None:
    with running() as (_, ready), httpx.Client(base_url=ready["url"], timeout=30) as client:
        answers = [client.get("/home-team/v1/measurements?limit=1", headers=token("home-team")) for _ in range(120)]
        again = [client.get("/nilegate/v1/measurements?limit=1", headers=token("nilegate")).status_code for _ in range(6)]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:6] == again == [200, 429, 200, 200, 503, 200]
    assert [number for number, status in enumerate(statuses, 1) if status == 429] == [2, 37, 74, 111]
    assert [number for number, status in enumerate(statuses, 1) if status == 503] == [5, 53, 106]
    assert all(one == 200 or two == 200 for one, two in pairwise(statuses))
    for answer in answers:
        if answer.status_code == 429:
            assert answer.headers["Retry-After"] == "1"
        if answer.status_code == 503:
            assert answer.text.startswith("<html>")


def test_the_latest_moment_can_be_set_back_for_the_whole_server() -> None:
    with running("--calm", "--as-of", "2026-03-10T12:00:00+00:00") as (_, ready), httpx.Client(base_url=ready["url"]) as client:
        rows = [row for page in all_pages(client, "nilegate") for row in page]
    assert rows == as_sent("nilegate", expected("nilegate", datetime(2026, 3, 10, 12, tzinfo=UTC)))


def test_the_ready_line_names_addresses_and_no_token() -> None:
    with running() as (process, ready):
        assert set(ready["vendors"]) == set(VENDORS)
        assert all(url.startswith(ready["url"]) for url in ready["vendors"].values())
        assert not [secret for secret in TOKENS.values() if secret in json.dumps(ready)]
        assert httpx.get(f"{ready['url']}/health").json() == {"status": "ok"}
        process.terminate()
        assert process.stdout is not None
        assert process.stdout.read() == ""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_with_a_connection_open(how: signal.Signals) -> None:
    with running() as (process, ready), httpx.Client(base_url=ready["url"]) as client:
        assert client.get("/health").status_code == 200
        process.send_signal(how)
        assert process.wait(10) == 0


def test_without_tokens_it_says_which_are_missing_and_does_not_start() -> None:
    some = {name: value for name, value in TOKENS.items() if "NILEGATE" not in name}
    found = subprocess.run(COMMAND, env=environment(some), capture_output=True, text=True, timeout=30, check=False)
    assert found.returncode == 1
    assert found.stdout == ""
    assert "EXAMPLE_TOKEN_NILEGATE" in found.stderr
    assert "EXAMPLE_TOKEN_BRIGHTQUAY" not in found.stderr
    assert "Traceback" not in found.stderr


def test_tokens_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps({vendor: f"secret of {vendor}" for vendor in VENDORS}))
    with running("--calm", "--tokens", str(file), tokens={}) as (_, ready):
        url = ready["vendors"]["nilegate"]
        assert httpx.get(url, headers={"Authorization": "Bearer secret of nilegate"}).status_code == 200
        assert httpx.get(url, headers={"Authorization": "Bearer secret of brightquay"}).status_code == 401


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs a handle on a process that is not our child (Linux)")
def test_it_ends_with_the_process_that_started_it_even_if_that_is_killed() -> None:
    starter = f"""
import subprocess, sys
server = subprocess.Popen({COMMAND!r}, stdout=subprocess.PIPE, text=True)
print(server.pid, server.stdout.readline().strip(), flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", starter]
    with subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, ready = parent.stdout.readline().split(" ", 1)
        assert json.loads(ready)["url"]
        handle = os.pidfd_open(int(pid))
        try:
            parent.kill()
            ended, _, _ = select.select([handle], [], [], 10)
            assert ended, "the server outlived the process that started it"
        finally:
            os.close(handle)
