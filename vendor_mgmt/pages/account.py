"""Signing out, and the pages that say what problems mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.di import NamedDependency

from vendor_mgmt.access import tokens
from vendor_mgmt.access.tokens import Identity
from vendor_mgmt.database import transaction
from vendor_mgmt.pages import rendering
from vendor_mgmt.pages.rendering import WORDS
from vendor_mgmt.problems import KINDS, Kind
from vendor_mgmt.service import Service
from vendor_mgmt.signing_in import no_cookie


class SignedOut(msgspec.Struct, frozen=True, kw_only=True):
    """What the page after signing out shows: how to come back."""

    detail: str


class ProblemsPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the page about problems shows."""

    kinds: list[Kind]


@post("/sign-out", include_in_schema=False, status_code=200)
async def sign_out(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[str]:
    """Let the session hold no longer, here and in the database."""
    who: Identity = request.scope["user"]
    async with transaction() as connection:
        await tokens.revoke(connection, who.token, datetime.now(UTC))
    page = rendering.bare(request, "sign_in.html", SignedOut(detail=WORDS("sign_in.signed_out")))
    headers = {"Cache-Control": "no-store", "Clear-Site-Data": '"cache"'}
    return Response(page, media_type=MediaType.HTML, cookies=[no_cookie(service.settings)], headers=headers)


@get(["/problems", "/problems/{name:str}"], include_in_schema=False, opt={"is_public": True})
async def problem_types(request: Request[Any, Any, Any]) -> Response[str]:
    """What each type of problem means. The addresses of types lead here."""
    return Response(rendering.bare(request, "problems.html", ProblemsPage(kinds=list(KINDS.values()))), media_type=MediaType.HTML)
