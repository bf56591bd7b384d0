"""Style sheets, scripts and fonts: read once, compressed once, and served under an address that changes with their content.

They are few and small, so they stay in memory. A file that set-up did not bring is missing with a sentence in the log, and pages stay
usable without it.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import logging
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

logger = logging.getLogger(__name__)

FOLDER = Path(__file__).parent.parent / "static"
FONTS = Path(__file__).parent.parent.parent / "scorecards" / "fonts"
TOKENS = Path(__file__).parent.parent.parent / "scorecards" / "templates" / "tokens.css"
"""The constants of the design, which PDFs and pages share."""

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_COMPRESSIBLE = (".css", ".js", ".svg")


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it is sent."""

    content: bytes
    gzipped: bytes | None
    media_type: str
    digest: str


@functools.cache
def files() -> dict[str, File]:
    """Every file that may be sent, by its name: `app.css`, `vendor/htmx/htmx.min.js`, `fonts/…`."""
    found = {str(path.relative_to(FOLDER)): path for path in sorted(FOLDER.rglob("*"))}
    found |= {f"fonts/{path.name}": path for path in sorted(FONTS.glob("*.woff2"))}
    found["tokens.css"] = TOKENS
    return {name: _read(path) for name, path in found.items() if path.suffix in _TYPES and path.is_file()}


def _read(path: Path) -> File:
    content = path.read_bytes()
    return File(
        content=content,
        gzipped=gzip.compress(content, 6, mtime=0) if path.suffix in _COMPRESSIBLE else None,
        media_type=_TYPES[path.suffix],
        digest=hashlib.sha256(content).hexdigest()[:16],
    )


def address(name: str) -> str:
    """Where a page finds a file. The digest in it lets browsers keep the file for good."""
    file = files().get(name)
    if file is None:
        logger.warning("%s is missing: run tools/setup.py, which brings the front-end files", name)
        return f"/static/missing/{name}"
    return f"/static/{file.digest}/{name}"


@get("/static/{digest:str}/{name:path}", opt={"is_public": True, "exclude_from_compression": True}, include_in_schema=False)
async def static_file(request: Request[Any, Any, Any], digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """A file of ours."""
    file = files().get(name.lstrip("/"))
    if file is None:
        raise NotFoundException
    headers = {"ETag": f'"{file.digest}"', "Vary": "Accept-Encoding"}
    # An address with an old digest gets the present file, and must not be kept as if it were the old one.
    headers["Cache-Control"] = "public, max-age=31536000, immutable" if digest == file.digest else "no-cache"
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(b"", status_code=304, headers=headers, media_type=file.media_type)
    if file.gzipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.gzipped, headers={**headers, "Content-Encoding": "gzip"}, media_type=file.media_type)
    return Response(file.content, headers=headers, media_type=file.media_type)
