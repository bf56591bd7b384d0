"""A page's content and a template's name become HTML.

Templates compute nothing: a page's content is a declared type whose fields are text, lists of such types, and yes or no. A name that a
template uses and the type lacks is an error, and everything is escaped, except drawings made by `scorecards.charts`, which say so (`svg`).
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Request, Response
from markupsafe import Markup

from scorecards import formats
from vendor_mgmt.access.tokens import Identity, form_token
from vendor_mgmt.pages import static_files
from vendor_mgmt.pages.wording import PageWords
from vendor_mgmt.service import service_of

TEMPLATES = Path(__file__).parent.parent / "templates"

WORDS = PageWords("en")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the navigation."""

    name: str
    address: str
    is_here: bool


class Chrome(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around every page."""

    brand: str
    person: str
    """Empty where nobody is signed in."""
    form_token: str
    places: list[Place]
    language: str


_PLACES = (
    ("nav.portfolio", "/"),
    ("nav.scorecards", "/scorecards"),
    ("nav.tickets", "/tickets"),
    ("nav.contracts", "/contracts"),
    ("nav.sources", "/sources"),
    ("nav.runs", "/runs"),
)


def show(request: Request[Any, Any, Any], template: str, page: msgspec.Struct, *, status_code: int = 200) -> Response[str]:
    """The page for whoever is signed in."""
    service = service_of(request.app)
    who: Identity = request.scope["user"]
    path = request.url.path
    chrome = Chrome(
        brand=service.settings.brand_name,
        person=who.name,
        form_token=form_token(service.key, who),
        places=[
            Place(name=WORDS(key), address=address, is_here=path == address or (address != "/" and path.startswith(address + "/")))
            for key, address in _PLACES
        ],
        language=WORDS.language,
    )
    # A page may show what another person may not see, so no cache in between keeps it; the browser asks again each time.
    headers = {"Cache-Control": "private, no-cache", "Vary": "Cookie"}
    return Response(_rendered(template, page, chrome), status_code=status_code, media_type=MediaType.HTML, headers=headers)


def bare(request: Request[Any, Any, Any], template: str, page: msgspec.Struct) -> str:
    """The page without anything that needs somebody to be signed in: for errors and for signing in."""
    chrome = Chrome(brand=service_of(request.app).settings.brand_name, person="", form_token="", places=[], language=WORDS.language)
    return _rendered(template, page, chrome)


def request_number(request: Request[Any, Any, Any]) -> str:
    """The number that the boundary gave the request."""
    return str(request.scope.get("state", {}).get("request_number", ""))


def _rendered(template: str, page: msgspec.Struct, chrome: Chrome) -> str:
    return environment().get_template(template).render(page=page, chrome=chrome, say=WORDS)


@functools.cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["svg"] = Markup
    made.globals["static"] = static_files.address
    return made


def _finalized(value: object) -> object:
    """Text without characters that nobody can see."""
    return formats.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
