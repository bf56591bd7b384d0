"""The vendors' reporting systems, as a process of its own with which the service talks over HTTP like with any other.

    EXAMPLE_TOKEN_BRIGHTQUAY=… python -m vendor_mgmt.example.server --port 0 --today 2026-11-22

prints one line of JSON when it is ready (`{"url": "http://127.0.0.1:40123", …}`) and serves until SIGTERM, SIGINT or the end of
whoever started it. Each vendor has an address, `/<vendor>/v1/measurements`, a token of its own and its own manners:

    brightquay        cursor: `{"data": […], "next": "…"}`, following page with `cursor=`
    saffron-lantern   page number: `{"meta": {"page": 1, "pages": 17}, "result": {"rows": […]}}`, with `page=` and `per_page=`
    nilegate          the list itself, with a `Link` header; `limit=`
    home-team         offset: `{"items": […], "total": 35905}`, with `offset=` and `limit=`

All of them take `since` and `until` (days, half-open) and `as_of`, a moment: figures as they were known then; `latest` is noon UTC
of `--today`. Now and then, but always at the same requests, they answer 429 with `Retry-After: 1` or the 503 of a proxy. A token
that is not this vendor's gets 401, whoever else it belongs to.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import contextlib
import ctypes
import gzip
import hmac
import json
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from vendor_mgmt.example import portfolio, wire
from vendor_mgmt.example.generating import Row, as_known, rows
from vendor_mgmt.example.portfolio import SEED

VENDORS = tuple(vendor.key for vendor in portfolio.VENDORS if vendor.delivery == "http")
PAGE_ROWS, PAGE_ROWS_MAX = 1000, 5000
_TOO_MANY_AT, _UNAVAILABLE_AT = {2}, {5}  # The numbers of requests, so that even a short pull meets both.
_DIGITS_MAX = 9
_WORTH_PACKING = 1000  # Bytes.
_LISTINGS_KEPT = 8
# An amount keeps its decimals, as a number: 251334.20.
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def token_variable(vendor: str) -> str:
    """The environment variable that holds a vendor's token, here and in the source documents."""
    return f"EXAMPLE_TOKEN_{vendor.upper().replace('-', '_')}"


def new_tokens() -> dict[str, str]:
    """A random token for each vendor, under the name of its variable: for the environment of this server and of the service."""
    return {token_variable(vendor): secrets.token_urlsafe(32) for vendor in VENDORS}


class Refused(Exception):  # noqa: N818 - what the asker is told
    """A request that cannot be answered: the status, and a sentence."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Asked(NamedTuple):
    """Which figures are wanted: days, half-open, as known at a moment."""

    since: date
    until: date
    as_of: datetime


class Answer(NamedTuple):
    status: HTTPStatus
    headers: dict[str, str]
    body: bytes


class System:
    """One vendor's figures and how often it was asked. Generated when first asked for; shared by the threads of the server."""

    def __init__(self, vendor: str, today: date, seed: str, as_of: datetime) -> None:
        self.vendor, self.today, self.seed, self.as_of = vendor, today, seed, as_of
        self._lock = threading.Lock()
        self._rows: list[Row] = []
        self._listings: dict[Asked, list[Row]] = {}
        self._requests = 0

    def mood(self) -> HTTPStatus:
        """What the next request meets: usually OK. The second is refused as too many, the fifth meets a proxy without its server."""
        with self._lock:
            self._requests += 1
            number = self._requests
        if number in _TOO_MANY_AT or number % 37 == 0:
            return HTTPStatus.TOO_MANY_REQUESTS
        if number in _UNAVAILABLE_AT or number % 53 == 0:
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.OK

    def listing(self, asked: Asked) -> list[Row]:
        with self._lock:
            if not self._rows:
                self._rows = rows(self.today, seed=self.seed, vendor=self.vendor)
            found = self._listings.get(asked)
            if found is None:
                inside = (row for row in self._rows if asked.since <= row.starts_on < asked.until)
                found = as_known(inside, asked.as_of)
                if len(self._listings) >= _LISTINGS_KEPT:
                    self._listings.clear()
                self._listings[asked] = found
            return found

    def asked(self, query: Mapping[str, str]) -> Asked:
        as_of = query.get("as_of", "latest")
        return Asked(
            since=_day(query, "since", date.min),
            until=_day(query, "until", date.max),
            as_of=self.as_of if as_of == "latest" else min(self.as_of, _moment(as_of)),
        )


def _day(query: Mapping[str, str], name: str, otherwise: date) -> date:
    try:
        return date.fromisoformat(query[name]) if name in query else otherwise
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST, f"{name} is {query[name]!r}; write a day such as 2026-10-01") from None


def _moment(text: str) -> datetime:
    with contextlib.suppress(ValueError):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment
    raise Refused(HTTPStatus.BAD_REQUEST, f"as_of is {text!r}; write a moment such as 2026-10-20T12:00:00Z, or latest")


def _number(query: Mapping[str, str], name: str, otherwise: int, at_least: int) -> int:
    text = query.get(name, str(otherwise))
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS_MAX or int(text) < at_least:
        raise Refused(HTTPStatus.BAD_REQUEST, f"{name} is {text!r}; write a whole number from {at_least} on")
    return int(text)


def _size(query: Mapping[str, str], name: str) -> int:
    """The rows of a page. Whoever asks for more than a page holds gets a full page, as in most such systems."""
    return min(PAGE_ROWS_MAX, _number(query, name, PAGE_ROWS, 1))


def _by_cursor(found: Sequence[Row], query: Mapping[str, str], path: str) -> tuple[Any, dict[str, str]]:
    del path
    size = _size(query, "limit")
    start = 0
    if "cursor" in query:
        try:
            start = int(base64.urlsafe_b64decode(query["cursor"].encode()).decode("ascii").removeprefix("row "))
        except (ValueError, binascii.Error):
            raise Refused(HTTPStatus.BAD_REQUEST, "this cursor is none of ours; begin again without one") from None
    end = start + size
    following = base64.urlsafe_b64encode(f"row {end}".encode()).decode() if end < len(found) else None
    return {"data": [wire.brightquay(row) for row in found[start:end]], "next": following}, {}


def _by_page_number(found: Sequence[Row], query: Mapping[str, str], path: str) -> tuple[Any, dict[str, str]]:
    del path
    page, size = _number(query, "page", 1, 1), _size(query, "per_page")
    pages = max(1, -(-len(found) // size))
    shown = [wire.saffron_lantern(row) for row in found[(page - 1) * size : page * size]]
    return {"meta": {"page": page, "pages": pages, "rows": len(found)}, "result": {"rows": shown}}, {}


def _by_link(found: Sequence[Row], query: Mapping[str, str], path: str) -> tuple[Any, dict[str, str]]:
    size, start = _size(query, "limit"), _number(query, "from_row", 0, 0)
    end = start + size
    following = f"{path}?{urlencode({**query, 'from_row': end, 'limit': size})}"
    headers = {"Link": f'<{following}>; rel="next"'} if end < len(found) else {}
    return [wire.plain(row) for row in found[start:end]], headers


def _by_offset(found: Sequence[Row], query: Mapping[str, str], path: str) -> tuple[Any, dict[str, str]]:
    del path
    start, size = _number(query, "offset", 0, 0), _size(query, "limit")
    return {"items": [wire.plain(row) for row in found[start : start + size]], "total": len(found)}, {}


_PAGES: dict[str, Callable[[Sequence[Row], Mapping[str, str], str], tuple[Any, dict[str, str]]]] = {
    "brightquay": _by_cursor,
    "saffron-lantern": _by_page_number,
    "nilegate": _by_link,
    "home-team": _by_offset,
}

_PROXY_PAGE = b"<html><head><title>503</title></head><body><h1>Upstream is not available</h1></body></html>"


class Reporting:
    """All four systems; a request in, an answer out, no socket. `tokens` holds each vendor's own."""

    def __init__(
        self, today: date, tokens: Mapping[str, str], *, seed: str = SEED, as_of: datetime | None = None, calm: bool = False
    ) -> None:
        known_until = as_of or datetime.combine(today, time(12), UTC)
        self.systems = {vendor: System(vendor, today, seed, known_until) for vendor in VENDORS}
        self.tokens = {vendor: tokens[vendor] for vendor in VENDORS}
        self.calm = calm

    def answer(self, target: str, authorization: str) -> Answer:
        """What a GET of `target` (path and query) gets, whose `Authorization` header is this (empty if none)."""
        try:
            return self._answer(target, authorization)
        except Refused as refused:
            headers = {"WWW-Authenticate": "Bearer"} if refused.status is HTTPStatus.UNAUTHORIZED else {}
            return _json(refused.status, {"error": refused.reason}, headers)

    def _answer(self, target: str, authorization: str) -> Answer:
        address = urlsplit(target)
        if address.path == "/health":
            return _json(HTTPStatus.OK, {"status": "ok"})
        vendor = address.path.removeprefix("/").removesuffix("/v1/measurements")
        system = self.systems.get(vendor)
        if system is None or address.path != f"/{vendor}/v1/measurements":
            raise Refused(HTTPStatus.NOT_FOUND, "there is nothing at this address")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), self.tokens[vendor].encode()):
            raise Refused(HTTPStatus.UNAUTHORIZED, "a valid bearer token is needed")
        mood = HTTPStatus.OK if self.calm else system.mood()
        if mood is HTTPStatus.TOO_MANY_REQUESTS:
            return _json(mood, {"error": "too many requests"}, {"Retry-After": "1"})
        if mood is HTTPStatus.SERVICE_UNAVAILABLE:
            return Answer(mood, {"Content-Type": "text/html"}, _PROXY_PAGE)
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        document, headers = _PAGES[vendor](system.listing(system.asked(query)), query, address.path)
        return _json(HTTPStatus.OK, document, headers)


def _json(status: HTTPStatus, document: Any, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, {"Content-Type": "application/json", **(headers or {})}, _ENCODER.encode(document))


class Handler(BaseHTTPRequestHandler):
    """Hands requests to `Reporting` and packs answers for those who accept it."""

    protocol_version = "HTTP/1.1"
    server_version = "example-reporting"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1  # One write for head and body: apart, they would wait for each other's acknowledgement.
    timeout = 60
    reporting: Reporting

    def do_GET(self) -> None:
        answer = self.reporting.answer(self.path, self.headers.get("Authorization", ""))
        body = answer.body
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if len(body) > _WORTH_PACKING and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1, mtime=0)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Vary", "Accept-Encoding")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing: whoever needs to know asks with a client that logs."""


class Server(ThreadingHTTPServer):
    """Ends with the process that started it, also where the kernel offers no signal for that."""

    daemon_threads = True
    started_by = os.getppid()

    def service_actions(self) -> None:
        if os.getppid() != self.started_by:
            threading.Thread(target=self.shutdown).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in mid-answer is no news; everything else is."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def _end_with_parent() -> None:
    """Asks the kernel for SIGTERM when the thread that started us ends, where it is Linux's."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def tokens_from(environment: Mapping[str, str], file: Path | None) -> dict[str, str]:
    """Each vendor's token, from a JSON file `{"brightquay": "…"}` or else from its variable. Raises `SystemExit` naming what is missing."""
    from_file: dict[str, str] = {}
    if file is not None:
        try:
            from_file = msgspec.json.decode(file.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.DecodeError) as error:
            raise SystemExit(f"The tokens in {file} cannot be read: {error}.") from None
    found = {vendor: from_file.get(vendor) or environment.get(token_variable(vendor), "") for vendor in VENDORS}
    missing = [token_variable(vendor) for vendor, token in found.items() if not token]
    if missing:
        raise SystemExit(f"Tokens are missing: set {', '.join(missing)}, or name a file of them with --tokens.")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until told to stop. Exit code 0 after SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m vendor_mgmt.example.server", description="Plays the example vendors' reporting systems."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--seed", default=SEED)
    parser.add_argument("--today", type=date.fromisoformat, default=None, help="the day as of which the vendors report (default: today)")
    parser.add_argument("--as-of", type=datetime.fromisoformat, default=None, help="what `latest` is (default: noon UTC of --today)")
    parser.add_argument("--tokens", type=Path, default=None, help="JSON file of tokens; otherwise EXAMPLE_TOKEN_<VENDOR> is read")
    parser.add_argument("--calm", action="store_true", help="never answer 429 or 503")
    given = parser.parse_args(arguments)
    if given.as_of is not None and given.as_of.tzinfo is None:
        parser.error("--as-of needs an offset, such as 2026-10-20T12:00:00+00:00")
    tokens = tokens_from(os.environ, given.tokens)
    today = given.today or datetime.now(UTC).date()

    _end_with_parent()

    class Bound(Handler):
        reporting = Reporting(today, tokens, seed=given.seed, as_of=given.as_of, calm=given.calm)

    with Server((given.host, given.port), Bound) as server:

        def stop(_signal: int, _frame: object) -> None:
            # `shutdown` waits for `serve_forever`, which this handler interrupts, so it has to wait in a thread of its own.
            threading.Thread(target=server.shutdown).start()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        host, port = server.server_address[:2]
        url = f"http://{host!s}:{port}"
        addresses = {vendor: f"{url}/{vendor}/v1/measurements" for vendor in VENDORS}
        ready = {"url": url, "today": today.isoformat(), "vendors": addresses}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        server.serve_forever(poll_interval=0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
