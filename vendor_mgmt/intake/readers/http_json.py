"""JSON over HTTP, page by page.

While a page is being mapped and stored, the next one is already being fetched. Whatever may pass by itself is tried again with growing,
jittered pauses, or after as long as `Retry-After` says: connections that fail, answers that break off, 429, 500 to 504, and answers that
are no JSON, because the page of a proxy in front of a source is not what the source says. An answer that stays spoilt is used as far as
its rows are whole: where only some rows are no JSON, they are refused and reading goes on; where the answer breaks off, reading ends there.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec
import stamina

from vendor_mgmt import outbound
from vendor_mgmt.intake.readers import json_text
from vendor_mgmt.intake.readers.page import Asked, KnownFiles, Page, ReadingFailed, at_path, picker, sha256, value_of
from vendor_mgmt.intake.source import ApiKey, Auth, Basic, Bearer, Cursor, HttpJson, Link, OAuth2, Offset, OnePage, PageNumber, Source

TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
_REPETITIONS_MAX = 3


class _TryAgain(Exception):  # noqa: N818 - never leaves this module
    """An answer that may be different next time. `pause` is what the source asked for, in seconds."""

    def __init__(self, reason: str, *, pause: float | None = None, body: bytes = b"", next_link: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pause = pause
        self.body = body
        """So much of an answer as came."""
        self.next_link = next_link


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    document: Any
    body_sha256: str
    body_bytes: int
    next_link: str | None
    mark: str | None = None
    rows: list[Any] | None = None
    """The rows, where they had to be picked out of an answer that is no JSON as a whole."""
    broke_off: str | None = None
    """Why this is not the whole answer, if it is not; `rows` are then those that came whole."""


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    parameters: dict[str, str]
    mark: str | None = None
    """By what the source knows the answer that we have already."""


class NotModified(Exception):  # noqa: N818 - an outcome
    """The source has nothing but what was read before."""


def name_of(reader: HttpJson, asked: Asked) -> str:
    """The address of a question, by which its answer is known again."""
    parameters = _parameters(reader, asked)
    return f"{reader.url}?{urlencode(sorted(parameters.items()))}" if parameters else reader.url


def mark_of(response: httpx.Response) -> str | None:
    """By what a source knows its answer again (RFC 9110: ETag, Last-Modified), if it says so."""
    if etag := response.headers.get("etag"):
        return f"etag {etag}"[:1000]
    changed = response.headers.get("last-modified")
    return f"modified {changed}"[:1000] if changed else None


def conditions(mark: str | None) -> dict[str, str]:
    """The headers that ask only for something else than what is known by this mark."""
    kind, _, value = (mark or "").partition(" ")
    if not value or not value.isprintable():
        return {}
    return {"if-none-match": value} if kind == "etag" else {"if-modified-since": value}


async def read(
    source: Source, reader: HttpJson, asked: Asked, client: httpx.AsyncClient, known: KnownFiles | None = None
) -> AsyncIterator[Page]:
    """The pages of a source. Raises `ReadingFailed`, also after pages were given, and `NotModified` where the one answer there is has not
    changed since the one that is `known`.
    """
    session = _Session(reader, client)
    pick = picker(source.kept_columns)
    first = _Request(url=reader.url, parameters=_parameters(reader, asked))
    if known is not None and isinstance(reader.paging, OnePage):
        first = msgspec.structs.replace(first, mark=known.mark_of(name_of(reader, asked)))
    number, rows_read, repetitions, last_sha256 = 0, 0, 0, ""
    seen: set[str] = set()
    fetching = asyncio.ensure_future(session.fetch(first))
    try:
        while True:
            try:
                answer = await fetching
                rows = _rows(answer.document, reader) if answer.rows is None else answer.rows
            except ReadingFailed as failed:
                if not number:
                    raise
                reason = f"Page {number + 1} could not be had, nor any that would follow it: {failed.reason}"
                raise ReadingFailed(reason, is_temporary=failed.is_temporary) from None
            rows_read += len(rows)
            number += 1
            repetitions = repetitions + 1 if answer.body_sha256 == last_sha256 and rows else 0
            last_sha256 = answer.body_sha256
            try:
                request = None if answer.broke_off else _next(reader, asked, answer, rows, number, rows_read)
                if request is not None:
                    _refuse_endless(reader, request, seen, number, repetitions)
                    fetching = asyncio.ensure_future(session.fetch(request))
            except ReadingFailed as failed:
                yield _page(reader, answer, rows, pick)
                raise failed from None
            yield _page(reader, answer, rows, pick)
            if answer.broke_off is not None:
                reason = (
                    f"Page {number} breaks off after {len(rows)} whole rows, which were used; what should have followed on it, "
                    f"and on later pages, is missing. {answer.broke_off}"
                )
                raise ReadingFailed(reason, is_temporary=True)
            if request is None:
                break
    finally:
        fetching.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await fetching
    _check_total(reader, answer, rows_read)


async def sample(reader: HttpJson, asked: Asked, client: httpx.AsyncClient) -> list[Any]:
    """The rows of the first page, as they came. Raises `ReadingFailed`."""
    answer = await _Session(reader, client).fetch(_Request(url=reader.url, parameters=_parameters(reader, asked)))
    return _rows(answer.document, reader) if answer.rows is None else answer.rows


def _page(reader: HttpJson, answer: _Answer, rows: list[Any], pick: Any) -> Page:
    return Page(
        origin=urlsplit(reader.url)._replace(query="", fragment="").geturl(),
        rows=[pick(row) for row in rows],
        received_sha256=answer.body_sha256,
        received_bytes=answer.body_bytes,
        mark=answer.mark if isinstance(reader.paging, OnePage) else None,
    )


class _Session:
    """One pull's conversation with a source: its credentials, and its patience."""

    def __init__(self, reader: HttpJson, client: httpx.AsyncClient) -> None:
        self.reader = reader
        self.client = client
        self.token: str | None = None

    async def fetch(self, request: _Request) -> _Answer:
        limits = self.reader.limits
        last: _TryAgain | None = None
        longest = b""

        def again(error: Exception) -> bool | float:
            nonlocal last, longest
            if isinstance(error, _TryAgain):
                last = error
                longest = max(longest, error.body, key=len)
                return True if error.pause is None else min(error.pause, limits.patience_s)
            return False

        try:
            async for attempt in stamina.retry_context(
                on=again, attempts=limits.attempts, timeout=limits.patience_s, wait_initial=0.2, wait_max=30, wait_jitter=0.5
            ):
                with attempt:
                    return await self._once(request)
        except _TryAgain as error:
            return _salvaged(error, longest, self.reader)
        raise ReadingFailed(f"The source did not answer ({last.reason if last else 'no attempt was made'}).", is_temporary=True)

    async def _once(self, request: _Request) -> _Answer:
        # Kept out of the response, which is part of a cycle: pages would pile up until the garbage collector comes by.
        pieces: list[bytes] = []
        try:
            headers = await self.headers() | conditions(request.mark)
            async with self.client.stream("GET", request.url, params=request.parameters or None, headers=headers) as response:
                async for piece in response.aiter_bytes():
                    pieces.append(piece)  # noqa: PERF401 - what came before a connection breaks is wanted, too
            body = b"".join(pieces)
        except (httpx.TransportError, outbound.BrokenOff) as error:
            how_far = " to the end" if pieces else ""
            raise _TryAgain(f"The source did not answer{how_far}: {_what(error)}.", body=b"".join(pieces)) from error
        except httpx.RequestError as error:
            # A refusal of our own: the address is not allowed, or the answer is larger than it may be.
            raise ReadingFailed(f"{_what(error)}.", is_temporary=False) from error
        if response.status_code == 401 and isinstance(self.reader.auth, OAuth2) and self.token is not None:
            self.token = None
            raise _TryAgain("The source no longer accepts the token.")
        if response.status_code == 304 and request.mark is not None:
            raise NotModified
        if response.status_code in TEMPORARY:
            reason = f"The source answers {response.status_code} {response.reason_phrase}."
            raise _TryAgain(reason, pause=_retry_after(response))
        if response.status_code != 200:
            repair = {
                401: " Check the credentials.", 403: " Check what these credentials may read.", 404: " Check the address.",
            }.get(response.status_code, "")  # fmt: skip
            raise ReadingFailed(f"The source answers {response.status_code} {response.reason_phrase}.{repair}", is_temporary=False)
        return _decoded(response, body)

    async def headers(self) -> dict[str, str]:
        headers = {"accept": "application/json", **self.reader.headers}
        match self.reader.auth:
            case None:
                return headers
            case Bearer(token=token):
                return headers | {"authorization": f"Bearer {value_of(token)}"}
            case Basic(user=user, password=password):
                pair = base64.b64encode(f"{user}:{value_of(password)}".encode()).decode()
                return headers | {"authorization": f"Basic {pair}"}
            case ApiKey(header=header, key=key):
                return headers | {header: value_of(key)}
            case OAuth2() as auth:
                if self.token is None:
                    self.token = await _token(auth, self.client)
                return headers | {"authorization": f"Bearer {self.token}"}


async def headers_for(auth: Auth | None, client: httpx.AsyncClient) -> dict[str, str]:
    """What to send along so that a source knows us; also for readers that fetch a single file."""
    return await _Session(HttpJson(url="http://unused", auth=auth), client).headers()


async def _token(auth: OAuth2, client: httpx.AsyncClient) -> str:
    form = {"grant_type": "client_credentials", **({"scope": auth.scope} if auth.scope else {})}
    try:
        response = await client.post(auth.token_url, data=form, auth=(auth.client_id, value_of(auth.client_secret)))
    except httpx.TransportError as error:
        raise _TryAgain(f"The token's issuer did not answer: {_what(error)}.") from error
    except httpx.RequestError as error:
        raise ReadingFailed(f"{_what(error)}.", is_temporary=False) from error
    if response.status_code in TEMPORARY:
        raise _TryAgain(f"The token's issuer answers {response.status_code}.", pause=_retry_after(response))
    token: Any = None
    if response.status_code == 200:
        with contextlib.suppress(ValueError):
            token = at_path(response.json(), "access_token")
    if not isinstance(token, str) or not token:
        raise ReadingFailed(f"The token's issuer answers {response.status_code} without a token. Check the client.", is_temporary=False)
    return token


def _what(error: Exception) -> str:
    return (str(error) or type(error).__name__).rstrip(".")


def _retry_after(response: httpx.Response) -> float | None:
    """The seconds the source asks us to wait, given as a number or as a date."""
    text = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,6}", text):
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _decoded(response: httpx.Response, body: bytes) -> _Answer:
    next_link = response.links.get("next", {}).get("url")
    try:
        document = json_text.decoded(body)
    except json_text.NoJson:
        kind = response.headers.get("content-type", "no type").split(";")[0][:60]
        start = body.lstrip()[:1]
        what = "a web page" if start == b"<" else "nothing" if not start else f"something that is no JSON ({kind}, {len(body)} bytes)"
        raise _TryAgain(f"The source answers with {what} instead of JSON.", body=body, next_link=next_link) from None
    return _Answer(document=document, body_sha256=sha256(body), body_bytes=len(body), next_link=next_link, mark=mark_of(response))


def _salvaged(error: _TryAgain, body: bytes, reader: HttpJson) -> _Answer:
    """The whole rows of an answer that is no JSON as a whole. Raises `ReadingFailed` where there are none."""
    found = json_text.salvaged(body, reader.rows)
    if found is None or not any(isinstance(row, dict) for row in found.rows):
        raise ReadingFailed(error.reason, is_temporary=True) from error
    # Where the end of the list is there and what stands around it can be read, nothing is lost but the rows that are none.
    is_readable = found.is_whole and found.envelope is not None
    return _Answer(
        document=found.envelope,
        rows=found.rows,
        body_sha256=sha256(body),
        body_bytes=len(body),
        next_link=error.next_link,
        broke_off=None if is_readable else error.reason,
    )


def _rows(document: Any, reader: HttpJson) -> list[Any]:
    found = at_path(document, reader.rows)
    if isinstance(found, list):
        return found
    if reader.rows is None and isinstance(found, dict):
        lists = [value for value in found.values() if isinstance(value, list)]
        if len(lists) == 1:
            return lists[0]
        raise ReadingFailed(
            f"The answer holds {len(lists)} lists, so it is not clear which of them are the rows. Name it under `rows`.", is_temporary=False
        )
    where = f"at `{reader.rows}` " if reader.rows else ""
    raise ReadingFailed(f"The answer has no list of rows {where}.".replace(" .", "."), is_temporary=False)


def _parameters(reader: HttpJson, asked: Asked) -> dict[str, str]:
    parameters = dict(reader.parameters)
    window = reader.window
    if window.since is not None and asked.since is not None:
        parameters[window.since] = asked.since.strftime(window.format)
    if window.until is not None and asked.until is not None:
        until: date = asked.until - timedelta(days=1) if window.until_means == "last_inside" else asked.until
        parameters[window.until] = until.strftime(window.format)
    match reader.paging:
        case PageNumber() as paging:
            parameters[paging.parameter] = str(paging.first)
            if paging.size_parameter is not None:
                parameters[paging.size_parameter] = str(paging.size)
        case Offset() as paging:
            parameters[paging.parameter] = "0"
            parameters[paging.size_parameter] = str(paging.size)
        case _:
            pass
    return parameters


def _next(reader: HttpJson, asked: Asked, answer: _Answer, rows: list[Any], number: int, rows_read: int) -> _Request | None:
    """What to ask for after page `number` (from 1), if anything. An empty page ends counted paging; a short one does not, because a source
    may give less than it was asked for.
    """
    parameters = _parameters(reader, asked)
    match reader.paging:
        case OnePage():
            return None
        case PageNumber() as paging:
            pages = at_path(answer.document, paging.pages) if paging.pages else None
            if (isinstance(pages, int) and number >= pages) or (pages is None and not rows):
                return None
            return _Request(url=reader.url, parameters=parameters | {paging.parameter: str(paging.first + number)})
        case Offset() as paging:
            total = at_path(answer.document, paging.total) if paging.total else None
            if not rows or (isinstance(total, int) and rows_read >= total):
                return None
            return _Request(url=reader.url, parameters=parameters | {paging.parameter: str(rows_read)})
        case Cursor() as paging:
            cursor = at_path(answer.document, paging.next)
            if cursor is None or cursor == "":
                return None
            return _Request(url=reader.url, parameters=parameters | {paging.parameter: str(cursor)})
        case Link():
            if answer.next_link is None:
                return None
            url = str(httpx.URL(reader.url).join(answer.next_link))
            here, there = urlsplit(reader.url), urlsplit(url)
            if (here.scheme, here.netloc) != (there.scheme, there.netloc):
                # Our credentials would go to whoever the source names.
                raise ReadingFailed(f"The following page would be at another host ({there.netloc}).", is_temporary=False)
            return _Request(url=url, parameters={})


def _refuse_endless(reader: HttpJson, request: _Request, seen: set[str], number: int, repetitions: int) -> None:
    key = f"{request.url} {sorted(request.parameters.items())}"
    if key in seen:
        raise ReadingFailed(f"After page {number} the source leads back to a page that was read before.", is_temporary=True)
    seen.add(key)
    if number >= reader.limits.pages:
        raise ReadingFailed(f"The source has more than {reader.limits.pages} pages, the limit set for it.", is_temporary=False)
    if repetitions >= _REPETITIONS_MAX:
        raise ReadingFailed(f"The source gives the same page again and again, up to page {number}.", is_temporary=True)


def _check_total(reader: HttpJson, answer: _Answer, rows_read: int) -> None:
    if isinstance(reader.paging, Offset) and reader.paging.total:
        total = at_path(answer.document, reader.paging.total)
        if isinstance(total, int) and total != rows_read:
            raise ReadingFailed(f"The source speaks of {total} rows and gave {rows_read}.", is_temporary=True)
