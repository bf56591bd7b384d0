"""Which files are to be read, and where they lie now: found in a folder, or fetched from an address, an SFTP server or a mailbox."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import stamina

from vendor_mgmt import outbound
from vendor_mgmt.intake.readers import http_json, mailbox, sftp
from vendor_mgmt.intake.readers.page import Found, KnownFiles, ReadingFailed
from vendor_mgmt.intake.source import FileReader, Xlsx

_RATIO_MAX = outbound.MAX_RATIO
_PIECE = 65_536


@asynccontextmanager
async def files(
    reader: FileReader, client: httpx.AsyncClient, known: KnownFiles, root: Path, *, allow_private: bool
) -> AsyncIterator[list[Found]]:
    """The files to read, oldest first, without those that are `known` already. They are gone after the block, unless they lie in a folder.

    A relative folder is looked for below `root`. A file changed within the last `settle_s` seconds may still be growing and waits for the
    next pull. Raises `ReadingFailed`.
    """
    with tempfile.TemporaryDirectory(prefix="pull-") as name:
        passing = Path(name)
        if reader.url is not None:
            found = await _fetched(reader, client, known, passing / "answer")
        elif reader.sftp is not None:
            found = await sftp.fetched(reader, reader.sftp, known, passing, allow_private=allow_private)
        elif reader.mailbox is not None:
            found = await mailbox.fetched(reader, reader.mailbox, known, passing, allow_private=allow_private)
        else:
            found = await asyncio.to_thread(_in_folder, reader, root / (reader.folder or ""))
        new = [file for file in found if (file.name, file.sha256) not in known.contents]
        yield [await asyncio.to_thread(_unpacked, reader, file, passing / f"unpacked-{i}") for i, file in enumerate(new)]


def _in_folder(reader: FileReader, folder: Path) -> list[Found]:
    try:
        inside = [(path.stat().st_mtime, path) for path in folder.glob(reader.pattern) if path.is_file()]
        if not folder.is_dir():
            raise ReadingFailed(f"There is no folder {folder}. Create it, or correct `folder`.", is_temporary=True)
    except OSError as error:
        raise ReadingFailed(f"The folder {folder} cannot be read: {error.strerror}.", is_temporary=True) from None
    now = time.time()
    settled = [path for changed_at, path in sorted(inside) if now - changed_at >= reader.settle_s or reader.settle_s == 0]
    return [_found(path, path.name) for path in settled]


def _found(path: Path, name: str, **more: Any) -> Found:
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return Found(path=path, name=name, sha256=sha256, size_bytes=path.stat().st_size, **more)
    except OSError as error:
        raise ReadingFailed(f"The file {path} cannot be read: {error.strerror}.", is_temporary=True) from None


def _unpacked(reader: FileReader, file: Found, path: Path) -> Found:
    """The file without its gzip, if it has one. A small archive can unpack to more than the machine holds, so that has a limit."""
    limit = reader.limits.answer_mb * 1_000_000
    if file.size_bytes > limit:
        raise ReadingFailed(f"{file.name} has {file.size_bytes} bytes, more than `limits.answer_mb` allows.", is_temporary=False)
    with file.path.open("rb") as packed, path.open("wb") as unpacked:
        if packed.read(2) != b"\x1f\x8b":
            return file
        packed.seek(0)
        inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        size, data = 0, packed.read(_PIECE)
        broke_off = file.broke_off
        try:
            while data:
                piece = inflate.decompress(data, _PIECE)
                size += len(piece)
                if size > limit or size > max(1_000_000, _RATIO_MAX * file.size_bytes):
                    raise ReadingFailed(f"{file.name} unpacks to more than {size} bytes, which is not believed.", is_temporary=False)
                unpacked.write(piece)
                if inflate.eof:
                    # A file may be several packed ones, one after the other.
                    rest = inflate.unused_data.lstrip(b"\0")
                    data, inflate = (rest, zlib.decompressobj(zlib.MAX_WBITS | 16)) if rest else (packed.read(_PIECE), inflate)
                    if not rest and data:
                        inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
                else:
                    data = inflate.unconsumed_tail or packed.read(_PIECE)
            if not inflate.eof:
                broke_off = broke_off or f"{file.name} breaks off in the middle of its gzip."
        except zlib.error as error:
            broke_off = f"{file.name} cannot be unpacked to its end: {error}."
    if broke_off is not None and not size:
        raise ReadingFailed(broke_off, is_temporary=True)
    if broke_off is not None:
        _cut_to_whole_lines(path)
    return msgspec.structs.replace(file, path=path, size_bytes=path.stat().st_size, broke_off=broke_off)


class _TryAgain(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, reason: str, *, came: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.came = came


async def _fetched(reader: FileReader, client: httpx.AsyncClient, known: KnownFiles, path: Path) -> list[Found]:
    """The file at the reader's address; none if it is the one that was read before. What may pass by itself is tried again."""
    limits = reader.limits
    name = (reader.url or "").split("?")[0]
    mark = known.mark_of(name)
    try:
        async for attempt in stamina.retry_context(
            on=_TryAgain, attempts=limits.attempts, timeout=limits.patience_s, wait_initial=0.2, wait_max=30, wait_jitter=0.5
        ):
            with attempt:
                mark = await _fetch_once(reader, client, mark, path)
                if mark is None:
                    return []
    except _TryAgain as error:
        # Of a workbook a part is nothing; of lines, those that came whole are good.
        if not error.came or isinstance(reader, Xlsx):
            raise ReadingFailed(error.reason, is_temporary=True) from None
        _cut_to_whole_lines(path)
        return [_found(path, name, broke_off=error.reason)]
    return [_found(path, name, mark=mark or None)]


async def _fetch_once(reader: FileReader, client: httpx.AsyncClient, known_mark: str | None, path: Path) -> str | None:
    """Write the answer to `path`. Returns the mark by which the source will know it again ("": none), or null if it has not changed."""
    headers = {**await http_json.headers_for(reader.auth, client), **http_json.conditions(known_mark)} | {"accept": "*/*"}
    came = 0
    try:
        async with client.stream("GET", reader.url or "", headers=headers) as response:
            if response.status_code == 304:
                return None
            if response.status_code in http_json.TEMPORARY:
                raise _TryAgain(f"The source answers {response.status_code} {response.reason_phrase}.")
            if response.status_code != 200:
                raise ReadingFailed(f"The source answers {response.status_code} {response.reason_phrase}.", is_temporary=False)
            with path.open("wb") as file:
                async for piece in response.aiter_bytes():
                    came += len(piece)
                    file.write(piece)
            return http_json.mark_of(response) or ""
    except (httpx.TransportError, outbound.BrokenOff) as error:
        how_far = " to the end" if came else ""
        raise _TryAgain(f"The source did not answer{how_far}: {str(error) or type(error).__name__}.", came=came) from None
    except httpx.RequestError as error:
        raise ReadingFailed(f"{str(error) or type(error).__name__}.", is_temporary=False) from None


def _cut_to_whole_lines(path: Path) -> None:
    """Take off what follows the last end of a line: nobody knows whether it is a whole line."""
    data = path.read_bytes()
    path.write_bytes(data[: data.rfind(b"\n") + 1])
