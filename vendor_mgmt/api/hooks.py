"""Where sources send signed messages to by themselves. Nobody is signed in here: the signature says who it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.exceptions import ClientException, HTTPException, NotAuthorizedException
from litestar.params import FromPath

from vendor_mgmt.intake import handing_in, queries
from vendor_mgmt.intake.readers.page import ReadingFailed
from vendor_mgmt.intake.signatures import NotSigned


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """The message is stored. `is_repeated`: it was before, and nothing more will happen."""

    id: str
    rows: int
    is_repeated: bool


@post("/hooks/{source:str}", opt={"is_public": True}, include_in_schema=False, status_code=202)
async def receive(request: Request[Any, Any, Any], source: FromPath[str]) -> Response[Taken]:
    """Take a message in the format of Standard Webhooks: 202 when it is stored, and again when it is repeated."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        received = await handing_in.receive(source, headers, await request.body(), datetime.now(UTC))
    except NotSigned as error:
        raise NotAuthorizedException(str(error)) from None
    except handing_in.Unreadable as error:
        raise ClientException(str(error)) from None
    except queries.WasHandedIn:
        raise HTTPException("Another message came under this webhook-id before.", status_code=409) from None
    except ReadingFailed as error:
        # Our own secret is not to be had: the sender is right to try again later.
        raise HTTPException(error.reason, status_code=503) from None
    taken = Taken(id=received.id, rows=received.rows, is_repeated=received.run is None)
    return Response(taken, status_code=202, headers={"Cache-Control": "no-store"})
