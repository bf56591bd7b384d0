"""Which files of a folder are to be read, and what they are."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec

from vendor_mgmt.intake.readers import http_json
from vendor_mgmt.intake.readers.page import ReadingFailed
from vendor_mgmt.intake.source import Csv, Xlsx


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A file to read. `name` is what people know it by; `path` where it lies now."""

    path: Path
    name: str
    sha256: str
    size_bytes: int


@asynccontextmanager
async def files(
    reader: Csv | Xlsx, client: httpx.AsyncClient, known: Collection[tuple[str, str]], root: Path
) -> AsyncIterator[list[Found]]:
    """The files to read, oldest first: of a folder all but those already `known` (name and SHA-256), or the one at an address.

    A relative folder is looked for below `root`. A file changed within the last `settle_s` seconds may still be growing and waits for the
    next pull. Raises `ReadingFailed`.
    """
    if reader.url is not None:
        with tempfile.TemporaryDirectory(prefix="pull-") as passing:
            yield [await _fetched(reader, client, Path(passing))]
        return
    folder = root / (reader.folder or "")
    try:
        inside = [(path.stat().st_mtime, path) for path in folder.glob(reader.pattern) if path.is_file()]
        if not folder.is_dir():
            raise ReadingFailed(f"There is no folder {folder}. Create it, or correct `folder`.", is_temporary=True)
    except OSError as error:
        raise ReadingFailed(f"The folder {folder} cannot be read: {error.strerror}.", is_temporary=True) from None
    now = time.time()
    settled = [path for changed_at, path in sorted(inside) if now - changed_at >= reader.settle_s or reader.settle_s == 0]
    found = [_found(path, path.name) for path in settled]
    yield [file for file in found if (file.name, file.sha256) not in known]


def _found(path: Path, name: str) -> Found:
    try:
        with path.open("rb") as file:
            return Found(path=path, name=name, sha256=hashlib.file_digest(file, "sha256").hexdigest(), size_bytes=path.stat().st_size)
    except OSError as error:
        raise ReadingFailed(f"The file {path} cannot be read: {error.strerror}.", is_temporary=True) from None


async def _fetched(reader: Csv | Xlsx, client: httpx.AsyncClient, folder: Path) -> Found:
    url = reader.url or ""
    path = folder / "answer"
    headers = await http_json.headers_for(reader.auth, client)
    try:
        async with client.stream("GET", url, headers=headers) as response:
            if response.status_code != 200:
                reason = f"The source answers {response.status_code} {response.reason_phrase}."
                raise ReadingFailed(reason, is_temporary=response.status_code >= 429)
            with path.open("wb") as file:
                async for piece in response.aiter_bytes():
                    file.write(piece)
    except httpx.RequestError as error:
        reason = f"The source did not answer: {str(error) or type(error).__name__}."
        raise ReadingFailed(reason, is_temporary=isinstance(error, httpx.TransportError)) from None
    return _found(path, url.split("?")[0])
