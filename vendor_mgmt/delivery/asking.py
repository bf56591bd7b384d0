"""One HTTP request of a sender, and what its failure means: whether the peer can have seen it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx

from vendor_mgmt import outbound
from vendor_mgmt.delivery.outcomes import Later, Refused, Unknown, retry_after

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)


async def ask(client: httpx.AsyncClient, method: str, url: str, **options: Any) -> httpx.Response | Later | Refused | Unknown:
    """The answer, whatever it says; or `Later` where the request was never sent, `Refused` where it must not be, else `Unknown`."""
    try:
        return await client.request(method, url, **options)
    except (outbound.Refused, httpx.InvalidURL) as error:
        return Refused(error=str(error))
    except NEVER_SENT as error:
        return Later(error=f"not reached: {said(error)}")
    except (httpx.RequestError, OSError) as error:
        return Unknown(error=f"sent, and no answer came: {said(error)}")


def later(response: httpx.Response, at: datetime) -> Later:
    """An answer that asks to try again."""
    return Later(error=answered(response), after=retry_after(response.headers.get("retry-after"), at))


def answered(response: httpx.Response) -> str:
    """The answer's code and the beginning of what it says, on one line."""
    is_text = response.headers.get("content-type", "").startswith(("application/json", "text/plain"))
    text = " ".join(response.text[:300].split()) if is_text else ""
    return f"answered {response.status_code}{f': {text}' if text else ''}"


def said(error: Exception) -> str:
    return f"{type(error).__name__}{f' ({error})' if str(error) else ''}"
