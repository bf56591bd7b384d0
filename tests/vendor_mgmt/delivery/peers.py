"""The machines messages are sent to, as real servers on loopback: a web server that answers as a test says, a mail server, and a Jira."""

from __future__ import annotations

import asyncio
import base64
import email
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Request:
    """What came, with header names in lower case."""

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        self.path = urlsplit(target).path
        self.query = {name: values[-1] for name, values in parse_qs(urlsplit(target).query).items()}
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = tuple[int, dict[str, str], bytes]
HANG_UP: Answer = (0, {}, b"")
"""Take the request in, and close the line without a word."""


@contextmanager
def web(answer: Callable[[Request], Answer]) -> Iterator[str]:
    """A web server; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Otherwise headers and body leave apart, and the second waits for the first to be acknowledged.
        wbufsize = -1

        def handle_any(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            if len(body) < length:
                # The sender died on the way: half a message is none.
                self.close_connection = True
                return
            request = Request(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            status, headers, content = answer(request)
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {"content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = handle_any  # noqa: N815 - the names http.server looks for

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: Any) -> None:
            """A client that was killed is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer_json(status: int, value: Any = None, **headers: str) -> Answer:
    content = b"" if value is None else json.dumps(value).encode()
    return status, {"content-type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}, content


class Mailbox:
    """A mail server's behaviour and what it took. `replies` are given in turn at a step (`RCPT`, `DATA`); `drop` closes the line there."""

    def __init__(self, *, slow_s: float = 0) -> None:
        self.taken: list[tuple[str, Message]] = []
        self.replies: dict[str, list[str]] = {}
        self.slow_s = slow_s

    def _next(self, step: str) -> str | None:
        waiting = self.replies.get(step)
        return waiting.pop(0) if waiting else None

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        del session, options
        reply = self._next("RCPT")
        if reply == "drop":
            assert server.transport is not None
            server.transport.close()
        elif reply is not None:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        del session
        reply = self._next("DATA")
        if reply is not None and reply != "drop":
            return reply
        assert isinstance(envelope.content, bytes)
        for address in envelope.rcpt_tos:
            self.taken.append((address, email.message_from_bytes(envelope.content)))
        if self.slow_s:
            time.sleep(self.slow_s)  # noqa: ASYNC251 - the server runs in a thread of its own
        if reply == "drop":
            # Taken in, and the line is lost before anybody hears of it.
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 OK"


@contextmanager
def mail(mailbox: Mailbox) -> Iterator[int]:
    """A mail server; yields its port."""
    with socket.socket() as free:
        # The controller must know its port beforehand.
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, ready_timeout=10)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


class JiraPeer:
    """Jira's REST API, version 3, as far as its public description says it and no more: what is not in it is refused.

    New issues are found by searching only after `SEARCH_LAG`, as its index is said to lag behind.
    """

    USER, TOKEN, PROJECT = "bot@example.com", "s3cret", "VM"
    SEARCH_LAG = timedelta(seconds=30)
    FLOW: Mapping[str, Mapping[str, str]] = {"To Do": {"21": "In Progress"}, "In Progress": {"31": "Done"}, "Done": {"41": "To Do"}}

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.issues: dict[str, dict[str, Any]] = {}
        self.project = self.PROJECT
        self.hang_up_after: list[str] = []
        self.lock = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        with self.lock:
            answer = self.answer(request)
            step = f"{request.method} {request.path.removeprefix('/rest/api/3/').split('/')[0]}"
            if step in self.hang_up_after:
                self.hang_up_after.remove(step)
                return HANG_UP
            return answer

    def answer(self, request: Request) -> Answer:
        expected = "Basic " + base64.b64encode(f"{self.USER}:{self.TOKEN}".encode()).decode()
        if request.headers.get("authorization") != expected:
            return answer_json(401, {"errorMessages": ["Client must be authenticated to access this resource."]})
        if request.method != "GET" and request.headers.get("content-type") != "application/json":
            return answer_json(415)
        path = request.path.removeprefix("/rest/api/3/")
        match (request.method, path.split("/")):
            case ("POST", ["search", "jql"]):
                return self.search(request.json)
            case ("POST", ["issue"]):
                return self.create(request.json)
            case ("GET", ["issue", key]) if key in self.issues:
                return answer_json(200, {"key": key, "fields": {"status": {"name": self.issues[key]["status"]}}})
            case ("GET", ["issue", key, "comment"]) if key in self.issues:
                start, most = int(request.query.get("startAt", 0)), int(request.query.get("maxResults", 50))
                found = self.issues[key]["comments"]
                shown = [one if request.query.get("expand") == "properties" else {"id": one["id"]} for one in found[start : start + most]]
                return answer_json(200, {"startAt": start, "maxResults": most, "total": len(found), "comments": shown})
            case ("POST", ["issue", key, "comment"]) if key in self.issues:
                return self.comment(key, request.json)
            case ("GET", ["issue", key, "transitions"]) if key in self.issues:
                flow = self.FLOW[self.issues[key]["status"]]
                return answer_json(200, {"transitions": [{"id": number, "name": name} for number, name in flow.items()]})
            case ("POST", ["issue", key, "transitions"]) if key in self.issues:
                flow = self.FLOW[self.issues[key]["status"]]
                number = request.json["transition"]["id"]
                if number not in flow:
                    return answer_json(400, {"errorMessages": ["It is not on the appropriate workflow."]})
                self.issues[key]["status"] = flow[number]
                return answer_json(204)
            case _:
                return answer_json(404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]})

    def search(self, asked: Any) -> Answer:
        if set(asked) - {"jql", "fields", "maxResults", "nextPageToken", "expand"}:
            return answer_json(400, {"errorMessages": ["Invalid request payload."]})
        found = re.fullmatch(r'project = "(\w+)" AND labels = "([^"\s]+)" ORDER BY created ASC', asked["jql"])
        if found is None:
            return answer_json(400, {"errorMessages": ["Error in the JQL Query."]})
        project, label = found.groups()
        keys = [
            key
            for key, issue in self.issues.items()
            if issue["project"] == project and label in issue["labels"] and self.now() >= issue["made_at"] + self.SEARCH_LAG
        ]
        return answer_json(200, {"issues": [{"key": key} for key in keys[: asked.get("maxResults", 50)]], "isLast": True})

    def create(self, asked: Any) -> Answer:
        fields = asked["fields"]
        errors = {}
        if fields.get("project") != {"key": self.project}:
            errors["project"] = "valid project is required"
        if fields.get("issuetype") != {"name": "Task"}:
            errors["issuetype"] = "The issue type selected is invalid."
        if not 0 < len(fields.get("summary", "")) <= 255 or "\n" in fields["summary"]:
            errors["summary"] = "You must specify a summary of the issue."
        if not is_document(fields.get("description")):
            errors["description"] = "Operation value must be an Atlassian Document."
        if any(" " in label for label in fields.get("labels", ())):
            errors["labels"] = "The label contains spaces which is invalid."
        if set(fields) - {"project", "issuetype", "summary", "description", "labels"}:
            errors["other"] = "Field cannot be set."
        if errors:
            return answer_json(400, {"errorMessages": [], "errors": errors})
        key = f"{self.PROJECT}-{len(self.issues) + 1}"
        self.issues[key] = {**fields, "project": self.PROJECT, "status": "To Do", "comments": [], "made_at": self.now()}
        return answer_json(201, {"id": str(10_000 + len(self.issues)), "key": key})

    def comment(self, key: str, asked: Any) -> Answer:
        properties = asked.get("properties", [])
        if not is_document(asked.get("body")) or any(set(one) != {"key", "value"} for one in properties):
            return answer_json(400, {"errorMessages": ["Comment body is not valid!"]})
        comments = self.issues[key]["comments"]
        comments.append({"id": str(len(comments) + 1), "body": asked["body"], "properties": properties})
        return answer_json(201, {"id": comments[-1]["id"]})


def is_document(value: Any) -> bool:
    """Paragraphs of text that is not empty, in the Atlassian Document Format."""
    return (
        isinstance(value, dict)
        and (value.get("type"), value.get("version")) == ("doc", 1)
        and bool(value.get("content"))
        and all(
            block["type"] == "paragraph" and all(one["type"] == "text" and one["text"] for one in block["content"])
            for block in value["content"]
        )
    )
