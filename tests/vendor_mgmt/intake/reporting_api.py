"""A vendor's reporting API, run in a process of its own on loopback, that misbehaves when it is told to.

with ReportingApi() as api:
    api.script(rows=[...], faults=[{"status": 429, "retry_after": "0"}])
    api.url                          # GET /rows?page=1&since=…
    api.requests()                   # what it was asked, in order
"""

from __future__ import annotations

import gzip
import json
import pickle
import socket
import struct
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

PAGE = 100


class ReportingApi:
    """The process; a context manager."""

    def __init__(self, port: int = 0) -> None:
        self.port = port

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([sys.executable, __file__, str(self.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = self._hear()
        self.base = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.base}/rows"
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.communicate()

    def script(self, **given: Any) -> None:
        """What it answers from now on; see `_Handler`."""
        self._say(("script", given))
        self._hear()

    def requests(self) -> list[dict[str, Any]]:
        """Path, query and the authorization of each request since the last script."""
        self._say(("requests", None))
        found: list[dict[str, Any]] = self._hear()
        return found

    def _say(self, message: Any) -> None:
        assert self._process.stdin is not None
        pickle.dump(message, self._process.stdin)
        self._process.stdin.flush()

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        return pickle.load(self._process.stdout)  # noqa: S301 - from our own child


def serve() -> None:
    # Until it is told what it has, it has not started: an empty answer would say that there is nothing.
    state: dict[str, Any] = {"script": None, "requests": [], "faults": []}

    class Handler(_Handler):
        shared = state

    def say(message: Any) -> None:
        pickle.dump(message, sys.stdout.buffer)
        sys.stdout.buffer.flush()

    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say(server.server_port)
    while True:
        try:
            word, given = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent
        except EOFError:
            return
        if word == "script":
            state.update(script=given, requests=[], faults=list(given.get("faults", [])))
            say(None)
        else:
            say(list(state["requests"]))


class _Handler(BaseHTTPRequestHandler):
    """`rows`: what it has. `paging`: none, page, offset, cursor or link. `page_size`. `token`: the bearer token it wants. `bodies`: whole
    answers by page number instead of rows. `faults`: one for each of the next requests (null: none), a status, or a `fault` by name.
    """

    protocol_version = "HTTP/1.1"
    shared: dict[str, Any]

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.shared["requests"].append({"path": self.path, "authorization": self.headers.get("authorization")})
        self.answer(json.dumps({"access_token": (self.shared["script"] or {}).get("token", "t"), "expires_in": 60}).encode())

    def do_GET(self) -> None:
        script = self.shared["script"]
        if script is None:
            self.answer(b"{}", status=503)
            return
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.shared["requests"].append({"path": parts.path, "query": query, "authorization": self.headers.get("authorization")})
        fault = self.shared["faults"].pop(0) if self.shared["faults"] else None
        if fault is not None and self.fault(fault):
            return
        if script.get("token") and self.headers.get("authorization") != f"Bearer {script['token']}":
            self.answer(b'{"error": "who are you?"}', status=401)
            return
        if script.get("etag") and self.headers.get("if-none-match") == script["etag"]:
            self.answer(b"", status=304)
            return
        time.sleep(script.get("page_delay", 0))
        body, status, headers = self.page(script, query)
        self.answer(body, status, headers | ({"ETag": script["etag"]} if script.get("etag") else {}))

    def page(self, script: dict[str, Any], query: dict[str, str]) -> tuple[bytes, int, dict[str, str]]:
        rows = script.get("rows", [])
        if "since" in query or "until" in query:
            rows = [row for row in rows if self.is_asked_for(row, query)]
        size, paging = script.get("page_size", PAGE), script.get("paging", "none")
        number = int(query.get("page", query.get("cursor", 1)))
        if paging == "offset":
            start = int(query["offset"])
        elif paging == "none":
            start, size = 0, len(rows)
        else:
            start = (number - 1) * size
        headers = {}
        body: dict[str, Any] = {"data": rows[start : start + size], "total": len(rows)}
        more = start + size < len(rows) or number < len(script.get("bodies", []))
        if paging == "cursor":
            body["next"] = str(number + 1) if more else None
        if paging == "link" and more:
            headers["Link"] = f'</rows?page={number + 1}>; rel="next"'
        bodies = script.get("bodies")
        if bodies and number <= len(bodies) and bodies[number - 1] is not None:
            given = bodies[number - 1]
            return (given if isinstance(given, bytes) else json.dumps(given).encode()), 200, headers | script.get("headers", {})
        return json.dumps(body).encode(), 200, headers

    @staticmethod
    def is_asked_for(row: Any, query: dict[str, str]) -> bool:
        day = row.get("day") if isinstance(row, dict) else None
        if not isinstance(day, str):
            return True
        return query.get("since", "") <= day and (day < query["until"] if "until" in query else True)

    def fault(self, fault: Any) -> bool:
        if isinstance(fault, int):
            self.answer(b'{"error": "not now"}', status=fault)
        elif "status" in fault:
            headers = {"Retry-After": fault["retry_after"]} if "retry_after" in fault else {}
            self.answer(b"{}", status=fault["status"], headers=headers)
        elif fault["fault"] == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif fault["fault"] == "hang":
            time.sleep(fault["seconds"])
        elif fault["fault"] == "short":
            self.send_response(200)
            self.send_header("content-type", "application/json")
            body = fault.get("body", b'{"data": [')
            self.send_header("content-length", str(len(body) + 1000))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True
        elif fault["fault"] == "drip":
            self.send_response(200)
            self.send_header("content-length", "1000")
            self.end_headers()
            for _ in range(1000):
                try:
                    self.wfile.write(b" ")
                    self.wfile.flush()
                except OSError:
                    return True
                time.sleep(0.05)
        elif fault["fault"] == "body":
            self.answer(fault["body"], content_type=fault.get("type", "text/html"))
        elif fault["fault"] == "says less":
            body = fault["body"]
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body) - fault["bytes"]))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True
        elif fault["fault"] == "bomb":
            self.answer(gzip.compress(b" " * 30_000_000), headers={"Content-Encoding": "gzip"})
        return True

    def answer(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None, content_type: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    serve()
