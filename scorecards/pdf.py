"""A scorecard as a PDF: page type → HTML → PDF/A-3a, tagged, with the scorecard's JSON inside.

The same scorecard gives the same bytes: identifiers and dates come from the scorecard, never from a clock or a random number.  Nothing
is read but the package's own fonts: the fetcher knows no other address, so no text of a contract or a vendor can make the renderer
open a file or a socket.

Importing this module loads WeasyPrint and Pango (0.6 s), and a rendering holds the interpreter for a while: a service renders through
`scorecards.rendering`, whose worker processes import it.
"""

from __future__ import annotations

import functools
import re
import warnings
from datetime import UTC
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape
from msgspec import convert, json
from weasyprint import CSS, HTML, Attachment, Document
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse

from scorecards import formats, page
from scorecards.page import PLAIN, Branding, Edition, contrast_on_white
from scorecards.scorecard import Scorecard
from scorecards.wording import Language, Words

__all__ = [
    "ATTACHMENT_NAME",
    "FONTS",
    "PAPERS",
    "PLAIN",
    "Branding",
    "Paper",
    "contrast_on_white",
    "render_html",
    "render_pdf",
    "warm_up",
    "write_pdf",
]

Paper = Literal["A4", "Letter"]
PAPERS: tuple[Paper, ...] = get_args(Paper)

TEMPLATES = Path(__file__).parent / "templates"
FONTS = Path(__file__).parent / "fonts"
"""Filled by set-up from npm.  Without it the PDF falls back on the system's fonts and stays complete and legible."""

ATTACHMENT_NAME = "scorecard.json"

_LATIN_EXTENDED = "unicode-range: U+100-2FF, U+1E00-1E9F, U+1EF2-1EFF, U+20A0-20BF"
_FACES = (
    ("Source Sans 3", 400, "SourceSans3-Regular.ttf.woff2", ""),
    ("Source Sans 3", 600, "SourceSans3-Semibold.ttf.woff2", ""),
    ("Source Serif 4", 600, "source-serif-4-latin-600-normal.woff2", ""),
    ("Source Serif 4", 600, "source-serif-4-latin-ext-600-normal.woff2", _LATIN_EXTENDED),
)


def render_pdf(
    card: Scorecard, *, edition: Edition = "vendor", language: Language = "en", paper: Paper = "A4", branding: Branding = PLAIN
) -> bytes:
    """The scorecard in one edition as PDF/A-3a, its JSON (of the same edition) attached with the relationship *Data*."""
    shown = page.for_edition(card, edition)
    attached = page.attached(shown)
    html = render_html(shown, edition=edition, language=language, digest=sha256(attached).hexdigest())
    return write_pdf(html, shown, attached, paper=paper, branding=branding, identifier=_key(card, edition, language, paper, branding))


def _key(card: Scorecard, edition: Edition, language: Language, paper: Paper, branding: Branding) -> str:
    key = page.render_key(card, edition, language, paper)
    return key if branding == PLAIN else f"{key}-{branding.accent[1:]}"


def render_html(shown: Scorecard, *, edition: Edition, language: Language, digest: str) -> str:
    """The HTML of a scorecard that `page.for_edition` has already reduced."""
    words = Words(language)
    document = page.document(shown, edition=edition, words=words, digest=digest)
    return _template().render(d=document, say=words)


def write_pdf(
    html: str, shown: Scorecard, attached: bytes, *, paper: Paper = "A4", branding: Branding = PLAIN, identifier: str = ""
) -> bytes:
    """HTML of `render_html` as PDF bytes."""
    attachment = Attachment(
        file_obj=BytesIO(attached),
        base_url=f"attachment:{ATTACHMENT_NAME}",
        name=ATTACHMENT_NAME,
        description=f"{shown.schema}: {shown.number}",
        created=shown.prepared_at.astimezone(UTC),
        modified=shown.prepared_at.astimezone(UTC),
        relationship="Data",
        url_fetcher=_FETCHER,
    )
    with warnings.catch_warnings():
        # WeasyPrint 70 opens its own colour profile for PDF/A and leaves the closing to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        written: bytes = HTML(string=html, url_fetcher=_FETCHER).write_pdf(
            stylesheets=[_stylesheet(branding.accent), _page_box(paper)],
            font_config=_font_configuration(),
            pdf_variant="pdf/a-3a",
            pdf_identifier=(identifier or sha256(attached).hexdigest()).encode(),
            attachments=[attachment],
            finisher=_associate_once,
        )
    return written


def _associate_once(_: Document, pdf: Any) -> None:
    """WeasyPrint 70 lists an attachment twice among the document's associated files, by name and by object; once is right."""
    if "AF" in pdf.catalog:
        files = pdf.catalog["AF"]
        files[:] = dict.fromkeys(files)


def render_from_json(card: bytes, edition: str, language: str, paper: str, accent: str | None) -> bytes:
    """`render_pdf` for a caller in another process, who sends text.  Raises ``msgspec.ValidationError`` for anything unknown."""
    return render_pdf(
        json.decode(card, type=Scorecard),
        edition=convert(edition, Edition),
        language=convert(language, Language),
        paper=convert(paper, Paper),
        branding=Branding(accent=accent) if accent is not None else PLAIN,
    )


def warm_up() -> None:
    """Load fonts, style sheet and template, so that the first document does not pay for them."""
    _template()
    for paper in PAPERS:
        HTML(string="<p>0 <b>1</b>", url_fetcher=_FETCHER).render(
            stylesheets=[_stylesheet(PLAIN.accent), _page_box(paper)], font_config=_font_configuration()
        )


class _PackageFonts(URLFetcher):  # type: ignore[misc]
    """Answers ``font:NAME`` for the fonts of the package and refuses everything else."""

    def fetch(self, url: str, headers: object = None) -> URLFetcherResponse:  # noqa: ARG002  the base class's signature
        scheme, _, name = url.partition(":")
        if scheme != "font" or name not in {file for _, _, file, _ in _FACES}:
            raise ValueError(f"a scorecard reads nothing from outside, and was asked for {url[:80]!r}")
        return URLFetcherResponse(url, (FONTS / name).read_bytes(), {"Content-Type": "font/woff2"})


_FETCHER = _PackageFonts()


@functools.cache
def _font_configuration() -> FontConfiguration:
    """One for the life of the process: finding and decoding the fonts costs more than a page."""
    return FontConfiguration()


@functools.lru_cache(maxsize=16)
def _stylesheet(accent: str) -> CSS:
    """The parsed style sheet with the design's constants filled in.

    A constant is put in place once here rather than looked up by WeasyPrint for each element of each document.
    """
    tokens = dict(re.findall(r"(--[a-z-]+):\s*([^;]+);", (TEMPLATES / "tokens.css").read_text("utf-8")))
    tokens["--accent"] = accent
    sheet = re.sub(r"var\((--[a-z-]+)\)", lambda found: tokens[found[1]], (TEMPLATES / "scorecard.css").read_text("utf-8"))
    faces = "".join(
        f'@font-face {{ font-family: "{family}"; font-weight: {weight}; src: url(font:{file}); {extra} }}\n'
        for family, weight, file, extra in _FACES
        if (FONTS / file).exists()
    )
    return CSS(string=faces + sheet, font_config=_font_configuration(), url_fetcher=_FETCHER)


@functools.cache
def _page_box(paper: Paper) -> CSS:
    return CSS(string=f"@page {{ size: {paper.lower()} }}", font_config=_font_configuration(), url_fetcher=_FETCHER)


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["bidi"] = _bidi
    environment.filters["svg"] = Markup
    return environment.get_template("scorecard.html")


def _finalized(value: object) -> object:
    return formats.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _bidi(text: str) -> Markup:
    """A user's text, escaped, and set from right to left where its first letter asks for it."""
    escaped = escape(formats.clean(text))
    return Markup('<bdi dir="rtl">{}</bdi>').format(escaped) if formats.is_right_to_left(text) else escaped
