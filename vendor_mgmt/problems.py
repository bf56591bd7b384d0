"""Refusals and failures as answers: Problem Details (RFC 9457) for programs, a page for people, never a traceback.

A problem's type is an address below `/problems/` that stays the same for good; the page behind it says what the type means and what to do.
`detail` says what it was this time. `reference` is the number of the request, under which the log has more.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException

from contracts.errors import NotFound
from vendor_mgmt.engine import UNREACHABLE
from vendor_mgmt.errors import Refused, Unavailable
from vendor_mgmt.pages import rendering

logger = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A type of problem: its name in addresses, the status it is answered with, and what its page says."""

    name: str
    status: int
    title: str
    repair: str


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="bad-request",
            status=400,
            title="The request cannot be understood",
            repair="Correct what `detail` and `errors` name, and send it again.",
        ),
        Kind(
            name="not-signed-in",
            status=401,
            title="Nobody is signed in",
            repair="Open the address that the service printed when it started, or send a token as `Authorization: Bearer …`.",
        ),
        Kind(
            name="not-allowed",
            status=403,
            title="This is not allowed",
            repair="A form must come from a page of this service that is still open; load it again and send it from there.",
        ),
        Kind(
            name="not-found",
            status=404,
            title="There is nothing here",
            repair="Check the address. What lies outside of what you may see is answered in the same way.",
        ),
        Kind(
            name="method-not-allowed",
            status=405,
            title="This address is not used in this way",
            repair="The header `Allow` lists the methods that this address takes.",
        ),
        Kind(
            name="conflict",
            status=409,
            title="This contradicts what is there",
            repair="Use another number for another message; the same message may be sent again as often as you like.",
        ),
        Kind(
            name="too-large",
            status=413,
            title="The request is too large",
            repair="Send less at a time.",
        ),
        Kind(
            name="too-many-requests",
            status=429,
            title="Too many requests",
            repair="Wait as long as the header `Retry-After` says.",
        ),
        Kind(
            name="failed",
            status=500,
            title="Something went wrong here",
            repair="This is a fault of the service. Its log has more under the reference; please pass it on.",
        ),
        Kind(
            name="unavailable",
            status=503,
            title="The service cannot answer at the moment",
            repair="It does not reach its database, or is just starting or stopping. Try again in a moment.",
        ),
    )
}
_BY_STATUS = {kind.status: kind for kind in KINDS.values()}


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One value of a request that cannot be used."""

    where: str
    """The parameter, as `query limit`."""
    problem: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    reference: str = ""
    errors: list[Fault] = []


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What an error page shows."""

    title: str
    status: int
    detail: str
    repair: str
    reference: str


def answer_to(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The one error handler: what the router, a handler or a dependency raised becomes an answer."""
    kind, detail = _judged(error)
    reference = rendering.request_number(request)
    if kind.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("A request failed", exc_info=error, extra={"request": reference, "path": request.url.path})
    elif kind.status == HTTPStatus.SERVICE_UNAVAILABLE:
        logger.warning("A request could not be answered: %s", error, extra={"request": reference, "path": request.url.path})
    headers = {name: value for name, value in (getattr(error, "headers", None) or {}).items() if name.lower() in ("allow", "retry-after")}
    if kind.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if kind.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", "5")
    if wants_json(request):
        problem = Problem(
            type=f"/problems/{kind.name}",
            title=kind.title,
            status=kind.status,
            detail=detail,
            instance=request.url.path,
            reference=reference,
            errors=_faults(error),
        )
        return Response(problem, status_code=kind.status, media_type=PROBLEM_JSON, headers=headers)
    page = Page(
        title=kind.title,
        status=kind.status,
        detail=" ".join([detail, *(f"{fault.where}: {fault.problem}." for fault in _faults(error))]).strip(),
        repair=kind.repair.replace("`", ""),
        reference=reference if kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "",
    )
    template = "sign_in.html" if kind.status == HTTPStatus.UNAUTHORIZED else "error.html"
    return Response(rendering.bare(request, template, page), status_code=kind.status, media_type=MediaType.HTML, headers=headers)


def wants_json(request: Request[Any, Any, Any]) -> bool:
    """Programs ask below `/api` and `/hooks`; everywhere else a browser does, unless it asks for JSON outright."""
    path = request.url.path
    is_programs = path == "/api" or path.startswith(("/api/", "/hooks/"))
    return is_programs or request.headers.get("accept", "").startswith(("application/json", PROBLEM_JSON))


def _judged(error: Exception) -> tuple[Kind, str]:
    if isinstance(error, HTTPException):
        status = error.status_code
        kind = _BY_STATUS.get(status) or (KINDS["bad-request"] if status < 500 else KINDS["failed"])
        # The library's own words for these two repeat the title.
        detail = "" if kind.status in (404, 405, 500) or error.detail == HTTPStatus(status).phrase else error.detail
        return kind, "Some values of the request cannot be used." if isinstance(error, ValidationException) else detail
    if isinstance(error, NotFound):
        return KINDS["not-found"], _sentence(error.message)
    if isinstance(error, Refused):
        return KINDS["bad-request"], str(error)
    if isinstance(error, UNREACHABLE):
        return KINDS["unavailable"], "The database cannot be reached."
    if isinstance(error, Unavailable):
        return KINDS["unavailable"], str(error)
    return KINDS["failed"], ""


def _faults(error: Exception) -> list[Fault]:
    if not isinstance(error, ValidationException) or not isinstance(error.extra, list):
        return []
    return [
        Fault(
            where=f"{getattr(one.get('source'), 'value', 'body')} {one.get('key', '')}".strip(),
            problem=str(one.get("message", "cannot be used")),
        )
        for one in error.extra
        if isinstance(one, dict)
    ]


def _sentence(text: str) -> str:
    return text if not text else text[0].upper() + text[1:].rstrip(".") + "."
