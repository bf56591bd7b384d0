"""The API's description as a page, drawn in the browser by files of our own. For whoever is signed in, like the API itself."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get

from vendor_mgmt.pages import rendering

DESCRIPTION = "/api/v1/openapi.json"


class ApiDocsPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows: where the description is."""

    description: str


@get("/api/v1/docs", include_in_schema=False)
async def api_docs(request: Request[Any, Any, Any]) -> Response[str]:
    """The page around the viewer."""
    return Response(rendering.bare(request, "api_docs.html", ApiDocsPage(description=DESCRIPTION)), media_type=MediaType.HTML)
