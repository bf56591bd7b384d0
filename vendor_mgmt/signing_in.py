"""Signing in over HTTP: the cookie, the link, and the middleware that asks every request who makes it.

Every address needs somebody to be signed in, unless its handler says `opt={"is_public": True}`: what is forgotten is closed. A browser
brings a cookie, a program an `Authorization: Bearer` header. Whatever changes something on behalf of a cookie must bring the form's own
token too, because a browser sends cookies along with forms of other people's pages.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from litestar import Request
from litestar.datastructures import Cookie
from litestar.enums import ScopeType
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.middleware import ASGIMiddleware
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, Receive, Scope, Send

from vendor_mgmt.access import tokens
from vendor_mgmt.access.tokens import Identity
from vendor_mgmt.database import transaction
from vendor_mgmt.service import Service, service_of
from vendor_mgmt.settings import Settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LINK_PARAMETER = "token"
FORM_FIELD = "form_token"
FORM_HEADER = "x-form-token"


class SignedIn(ASGIMiddleware):
    """Finds out who makes a request, and answers 401 where it is nobody."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        request: Request[Any, Any, Any] = Request(scope, receive, send)
        if scope["route_handler"].opt.get("is_public"):
            await next_app(scope, receive, send)
            return
        service = service_of(scope["litestar_app"])
        who = await _who(request, service)
        # A look at the headers alone (a preview of a link in a chat, say) must not use the link up.
        if request.method == "GET" and LINK_PARAMETER in request.query_params and not scope["state"].get("is_head"):
            answer = await _follow_link(request, service, who)
            await answer(scope, receive, send)
            return
        if who is None:
            raise NotAuthorizedException("")
        if request.method not in SAFE_METHODS and who.kind == "session":
            await _check_form(request, service, who)
        scope["user"] = who
        scope["state"]["actor"] = who.actor
        await next_app(scope, receive, send)


async def _who(request: Request[Any, Any, Any], service: Service) -> Identity | None:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    session = request.cookies.get(cookie_name(service.settings))
    now = datetime.now(UTC)
    if scheme.lower() == "bearer" and bearer.strip():
        async with transaction() as connection:
            return await tokens.identity(connection, bearer.strip(), "service", now)
    if session:
        async with transaction() as connection:
            return await tokens.identity(connection, session, "session", now)
    return None


async def _follow_link(request: Request[Any, Any, Any], service: Service, who: Identity | None) -> ASGIResponse:
    """Sign in, and on to the same address without the token, so that it stays in no history and no bookmark."""
    async with transaction() as connection:
        session = await tokens.use_link(connection, request.query_params[LINK_PARAMETER], datetime.now(UTC))
    if session is None and who is None:
        raise NotAuthorizedException("This link has been used, or has run out.")
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != LINK_PARAMETER]
    # One slash only: two would make the browser take what follows for a host.
    location = "/" + request.url.path.lstrip("/\\") + (f"?{urlencode(rest)}" if rest else "")
    cookies = [] if session is None else [session_cookie(service.settings, session)]
    headers = {"location": location, "cache-control": "no-store", "referrer-policy": "no-referrer"}
    return ASGIResponse(status_code=303, headers=headers, cookies=cookies)


async def _check_form(request: Request[Any, Any, Any], service: Service, who: Identity) -> None:
    given = request.headers.get(FORM_HEADER)
    if given is None and request.content_type[0] == "application/x-www-form-urlencoded":
        given = (await request.form()).get(FORM_FIELD)
    origin = request.headers.get("origin")
    # Browsers name where a form came from; the token is what decides where they do not.
    is_elsewhere = request.headers.get("sec-fetch-site") == "cross-site" or (
        origin not in (None, "null") and urlsplit(origin).netloc != request.headers.get("host")
    )
    if is_elsewhere or not given or not tokens.is_form_token(service.key, who, given):
        raise PermissionDeniedException("The form did not come from an open page of this service.")


def cookie_name(settings: Settings) -> str:
    """Cookies are shared by all ports of a host, so the name tells services on one machine apart. `__Host-` makes browsers insist that the
    cookie was set by this very host over TLS.
    """
    return "__Host-session" if _is_secure(settings) else f"session-{settings.port}"


def session_cookie(settings: Settings, session: str) -> Cookie:
    seconds = int(tokens.SESSION_FOR.total_seconds())
    return Cookie(
        key=cookie_name(settings), value=session, path="/", httponly=True, samesite="lax", secure=_is_secure(settings), max_age=seconds
    )


def no_cookie(settings: Settings) -> Cookie:
    """Takes the cookie away."""
    return Cookie(key=cookie_name(settings), value="", path="/", httponly=True, samesite="lax", secure=_is_secure(settings), max_age=0)


def _is_secure(settings: Settings) -> bool:
    return (settings.base_url or "").startswith("https://")
