"""What happens to every request before and after everything else, whatever becomes of it.

    number    a request gets a number, or keeps the one a proxy gave it; it stands in the answer, in the log, and on error pages
    refuse    a Host header that is not ours
    HEAD      is answered as GET would be, without the body
    headers   what every answer tells the browser about safety
    log       one line, with neither query nor credentials in it

It stands around the router, because an address nobody serves and a method nobody takes never reach Litestar's middleware.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from vendor_mgmt.settings import EVERY_ADDRESS, Settings

logger = logging.getLogger("vendor_mgmt.access_log")

_NUMBER = re.compile(r"[A-Za-z0-9_.-]{8,64}")
_QUIET = ("/health", "/ready", "/static/")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# A browser's own PDF viewer is a page with scripts and styles of its own, which the policy of our pages would forbid.
POLICY_OF_FILES = "frame-ancestors 'none'"

SAFETY = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}


def hosts_of(settings: Settings) -> frozenset[str] | None:
    """The names under which the service may be addressed; None where it cannot know them.

    A page elsewhere that lets its own name point here (DNS rebinding) is refused by this. A service that listens on every network without
    being told its address takes any name, and relies on its cookie, which belongs to the name it was given to.
    """
    names = {settings.host.lower()} - set(EVERY_ADDRESS)
    if settings.base_url is not None:
        names.add((urlsplit(settings.base_url).hostname or "").lower())
    elif settings.host in EVERY_ADDRESS:
        return None
    if settings.host in LOOPBACK or settings.host in EVERY_ADDRESS:
        names |= LOOPBACK
    return frozenset(names)


def boundary(app: ASGIApp, settings: Settings) -> ASGIApp:
    """The application with this module around it."""
    hosts = hosts_of(settings)
    safety = [(name.encode(), value.encode()) for name, value in SAFETY.items()]
    if (settings.base_url or "").startswith("https://"):
        safety.append((b"strict-transport-security", b"max-age=31536000"))

    async def handle(asgi_scope: Scope, receive: Receive, send: Send) -> None:
        if str(asgi_scope["type"]) != "http":
            await app(asgi_scope, receive, send)
            return
        scope: HTTPScope = asgi_scope  # type: ignore[assignment]  # the line above has made sure
        began = time.perf_counter()
        given = _header(scope["headers"], b"x-request-id")
        number = given if _NUMBER.fullmatch(given) else secrets.token_hex(8)
        is_head = scope["method"] == "HEAD"
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_number"] = number
        state["is_head"] = is_head
        status, size = 0, 0

        async def answer(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*_completed(message["headers"], safety), (b"x-request-id", number.encode())]
                await send(message)
            elif message["type"] == "http.response.body":
                size += len(message["body"])
                if is_head:
                    message = {"type": "http.response.body", "body": b"", "more_body": message["more_body"]}
                await send(message)
            else:
                await send(message)

        try:
            host = _header(scope["headers"], b"host")
            if hosts is not None and _hostname(host) not in hosts and scope["path"] not in ("/health", "/ready"):
                await _refuse(answer, hosts)
                return
            inner: Any = {**scope, "method": "GET"} if is_head else scope
            await app(inner, receive, answer)
        except Exception:
            # The error handlers answer everything that can be answered; what comes here happened outside of them.
            logger.exception("A request ended without an answer", extra={"request": number, "path": scope["path"]})
            if status == 0:
                await _plain(answer, 500, f"Something went wrong here. The log has more under {number}.")
            else:
                raise
        finally:
            is_quiet = scope["path"].startswith(_QUIET) and status < 400
            logger.log(
                logging.DEBUG if is_quiet else logging.INFO,
                "%s %s %s",
                scope["method"],
                scope["path"],
                status or "unanswered",
                extra={
                    "request": number,
                    "ms": round((time.perf_counter() - began) * 1000, 1),
                    "bytes": size,
                    "client": (scope.get("client") or ("",))[0],
                    "actor": state.get("actor"),
                },
            )

    return handle


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in headers if key == name), "")


def _hostname(host: str) -> str:
    """The name in a Host header, without its port: `[::1]:8000` is `::1`."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


def _completed(headers: Iterable[tuple[bytes, bytes]], safety: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    given = list(headers)
    names = {name.lower() for name, _ in given}
    return given + [(name, value) for name, value in safety if name not in names]


async def _refuse(send: Send, hosts: frozenset[str]) -> None:
    text = f"This service is reached under {' or '.join(sorted(hosts))}. Set VENDOR_MGMT_BASE_URL to give it another address."
    await _plain(send, 421, text)


async def _plain(send: Send, status: int, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
