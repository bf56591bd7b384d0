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
from datetime import UTC
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Literal, get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape
from msgspec import Struct
from weasyprint import CSS, HTML, Attachment
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse

from scorecards import formats, page
from scorecards.page import Edition
from scorecards.scorecard import Scorecard
from scorecards.wording import Language, Words

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


def contrast_on_white(colour: str) -> float:
    """The WCAG 2 contrast ratio of ``#rrggbb`` on white, 1 to 21."""

    def linear(channel: int) -> float:
        share = channel / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


class Branding(Struct, frozen=True, kw_only=True):
    """What a customer may choose.  ``accent`` is ``#rrggbb`` and must read on white, at 4.5 : 1 or better."""

    accent: str = "#14506e"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", self.accent):
            raise ValueError(f"accent {self.accent!r} is not a colour: write it as #rrggbb, for example #14506e")
        if contrast_on_white(self.accent) < 4.5:
            raise ValueError(f"accent {self.accent} is too pale to read on white ({contrast_on_white(self.accent):.1f} : 1): choose 4.5 : 1 or more")


PLAIN = Branding()


def render_pdf(
    card: Scorecard, *, edition: Edition = "vendor", language: Language = "en", paper: Paper = "A4", branding: Branding = PLAIN
) -> bytes:
    """The scorecard in one edition as PDF/A-3a, its JSON (of the same edition) attached with the relationship *Data*."""
    shown = page.for_edition(card, edition)
    attached = page.attached(shown)
    html = render_html(shown, edition=edition, language=language, digest=sha256(attached).hexdigest())
    return write_pdf(html, shown, attached, paper=paper, branding=branding, identifier=page.render_key(card, edition, language, paper))


def render_html(shown: Scorecard, *, edition: Edition, language: Language, digest: str) -> str:
    """The HTML of a scorecard that `page.for_edition` has already reduced."""
    words = Words(language)
    document = page.document(shown, edition=edition, words=words, digest=digest)
    return _template().render(d=document, say=words)


def write_pdf(html: str, shown: Scorecard, attached: bytes, *, paper: Paper = "A4", branding: Branding = PLAIN, identifier: str = "") -> bytes:
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
    written: bytes = HTML(string=html, url_fetcher=_FETCHER).write_pdf(
        stylesheets=[_stylesheet(branding.accent), _page_box(paper)],
        font_config=_font_configuration(),
        pdf_variant="pdf/a-3a",
        pdf_identifier=(identifier or sha256(attached).hexdigest()).encode(),
        attachments=[attachment],
    )
    return written


class _PackageFonts(URLFetcher):  # type: ignore[misc]
    """Answers ``font:NAME`` for the fonts of the package and refuses everything else."""

    def fetch(self, url: str, headers: object = None) -> URLFetcherResponse:
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
