"""Scorecards: the list, one scorecard with the derivation of every figure, and its PDF."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import FromPath, FromQuery

from scorecards import explaining, exporting, formats, page
from scorecards.explaining import Derivation
from scorecards.rendering import Job
from scorecards.scorecard import KpiResult, Scorecard, result_key
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.database import transaction
from vendor_mgmt.pages import marks, queries
from vendor_mgmt.pages.marks import Mark
from vendor_mgmt.pages.portfolio import Choice, anchor
from vendor_mgmt.pages.queries import CardDetail, CardRow, PeriodRow, SiteRow
from vendor_mgmt.pages.rendering import WORDS, show
from vendor_mgmt.service import Service

PAGE_LENGTH = 50
KEPT_PDFS = 64
"""How many PDFs a process keeps; one is about a hundred kilobytes."""


class ListedCard(msgspec.Struct, frozen=True, kw_only=True):
    """A scorecard in the list."""

    number: str
    address: str
    pdf: str
    site: str
    vendor: str
    period: str
    score: str
    standing: str
    trend: str
    trend_word: str
    credit: str
    state: Mark
    revision: str


class ListPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the list of scorecards shows."""

    title: str
    periods: list[Choice]
    vendors: list[Choice]
    sites: list[Choice]
    states: list[Choice]
    is_narrowed: bool
    cards: list[ListedCard]
    older: str
    """The address of the next page; empty on the last one."""
    first: str
    """The address of the first page; empty on it."""


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the KPI table, where it stands, and how its figures were reached."""

    anchor: str
    row: page.KpiRow
    derivation: Derivation


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The KPIs of one group of the contract."""

    name: str
    rows: list[Why]


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """A revision in the list of a scorecard's revisions."""

    label: str
    address: str
    is_here: bool
    state: Mark
    score: str
    credit: str
    prepared: str
    issued: str


class CardPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the page of one scorecard shows: the same document as its PDF, with derivations that open."""

    document: page.Document
    score: Derivation
    groups: list[Group]
    revisions: list[Revision]
    latest: str
    """The address of the latest revision; empty where this is it."""
    state: Mark
    pdf: str
    download: str
    files: dict[str, str]
    """Where the figures are as files, by what they are called."""
    contract_address: str
    tickets: dict[str, str]
    """The address of each ticket that is mentioned, by its number."""


@get("/scorecards", include_in_schema=False)
async def scorecards(
    request: Request[Any, Any, Any],
    access: NamedDependency[Scope],
    period: FromQuery[str | None] = None,
    vendor: FromQuery[str | None] = None,
    site: FromQuery[str | None] = None,
    card_state: FromQuery[str | None] = None,
    before: FromQuery[str | None] = None,
) -> Response[str]:
    """Every scorecard, newest first."""
    cursor = parse_cursor(before)
    async with transaction(readonly=True) as connection:
        found = await queries.cards(
            connection,
            access,
            period_from=date.fromisoformat(period) if period else None,
            vendor=vendor or None,
            site=site or None,
            state=card_state or None,
            before=cursor,
            limit=PAGE_LENGTH + 1,
        )
        periods = await queries.periods(connection, access)
        sites = await queries.sites(connection, access)
    chosen = {"period": period or "", "vendor": vendor or "", "site": site or "", "card_state": card_state or ""}
    return show(request, "scorecards.html", compose_list(found, periods, sites, chosen, is_first=cursor is None))


def parse_cursor(text: str | None) -> tuple[date, int] | None:
    """Where a page before ended: `2026-10-01.17`. Raises `HTTPException` for anything else."""
    if not text:
        return None
    day, _, number = text.partition(".")
    try:
        return date.fromisoformat(day), int(number)
    except ValueError as error:
        raise HTTPException("The cursor was not given out by this service.", status_code=400) from error


def cursor_after(card: CardRow) -> str:
    return f"{card.period_from.isoformat()}.{card.id}"


def compose_list(
    found: list[CardRow], periods: list[PeriodRow], sites: list[SiteRow], chosen: Mapping[str, str], *, is_first: bool
) -> ListPage:
    """The list, from what was read; one row more than fits says that there is another page."""
    shown = found[:PAGE_LENGTH]
    narrowed = {name: value for name, value in chosen.items() if value}
    vendors = {site.vendor: site.vendor_name for site in sites}
    return ListPage(
        title=WORDS("scorecards.title"),
        periods=choices(
            {one.period_from.isoformat(): formats.period(one.period_from, one.period_until, WORDS) for one in periods},
            chosen["period"],
            WORDS("filter.all_periods"),
        ),
        vendors=choices(vendors, chosen["vendor"], WORDS("filter.all_vendors")),
        sites=choices({site.site: site.name for site in sites}, chosen["site"], WORDS("filter.all_sites")),
        states=choices(
            {state: WORDS(f"state.{state}") for state in ("draft", "issued")}, chosen["card_state"], WORDS("filter.all_states")
        ),
        is_narrowed=bool(narrowed),
        cards=[listed_card(card) for card in shown],
        older="/scorecards?" + urlencode({**narrowed, "before": cursor_after(shown[-1])}) if len(found) > PAGE_LENGTH else "",
        first="" if is_first else "/scorecards" + (f"?{urlencode(narrowed)}" if narrowed else ""),
    )


def choices(named: Mapping[str, str], chosen: str, everything: str) -> list[Choice]:
    """A list to choose from, with everything first."""
    return [
        Choice(value="", label=everything, is_chosen=not chosen),
        *(Choice(value=value, label=label, is_chosen=value == chosen) for value, label in named.items()),
    ]


def listed_card(card: CardRow) -> ListedCard:
    """A scorecard as lists show it."""
    direction = marks.trend(card.score, card.score_before)
    return ListedCard(
        number=card.number,
        address=f"/scorecards/{card.number}",
        pdf=f"/scorecards/{card.number}.pdf",
        site=card.site_name or card.contract_title,
        vendor=card.vendor_name,
        period=formats.period(card.period_from, card.period_until, WORDS),
        score=formats.number(card.score, WORDS.language, least=1, most=1),
        standing=card.standing or "",
        trend=marks.ARROWS[direction],
        trend_word=WORDS(f"trend.{direction}") if direction else "",
        credit=formats.money(card.credit, card.currency, WORDS.language) if card.credit else formats.DASH,
        state=marks.of_card_state(card.state, WORDS),
        revision=WORDS("scorecard.revision", n=card.revision) if card.revision else "",
    )


@get("/scorecards/{name:str}", include_in_schema=False)
async def scorecard(
    request: Request[Any, Any, Any],
    access: NamedDependency[Scope],
    service: NamedDependency[Service],
    name: FromPath[str],
    revision: FromQuery[int | None] = None,
    download: FromQuery[str | None] = None,
) -> Response[Any]:
    """One scorecard; with `.pdf` after its number the PDF, with `.json`, `.csv` or `.xlsx` its figures."""
    number, _, kind = name.rpartition(".") if name.endswith(FILES) else (name, "", "")
    async with transaction(readonly=True) as connection:
        detail = await queries.card(connection, access, number, revision)
    if kind in EXPORTS:
        return export_answer(detail.document, access, kind)
    if kind:
        return await pdf_answer(request, service, detail.document, access, as_attachment=download is not None)
    return show(request, "scorecard.html", compose_card(detail, edition_for(access)))


EXPORTS = {
    "json": ("application/json", page.attached),
    "csv": ("text/csv; charset=utf-8", exporting.to_csv),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", exporting.to_xlsx),
}
FILES = (".pdf", *(f".{kind}" for kind in EXPORTS))


def export_answer(card: Scorecard, access: Scope, kind: str) -> Response[bytes]:
    """The figures of a scorecard as a file, reduced to what somebody may see."""
    media_type, written = EXPORTS[kind]
    shown = page.for_edition(card, edition_for(access))
    headers = {
        "Cache-Control": "private, no-cache",
        "Vary": "Cookie",
        "Content-Disposition": f'attachment; filename="{file_name(card).removesuffix(".pdf")}.{kind}"',
    }
    return Response(written(shown), headers=headers, media_type=media_type)


def edition_for(access: Scope) -> page.Edition:
    """Which edition somebody may see: everything, what a vendor sees, or what a vendor's site sees."""
    if not access.money:
        return "site"
    return "client" if access.vendors is None else "vendor"


def compose_card(detail: CardDetail, edition: page.Edition) -> CardPage:
    """The page, from the stored document."""
    card = page.for_edition(detail.document, edition)
    document = page.document(card, edition=edition, words=WORDS, digest=detail.sha256)
    by_key = {result_key(result): result for result in card.results}
    address = f"/scorecards/{card.number}"
    is_latest = card.revision == detail.revisions[0].revision
    exact = "" if is_latest else f"?revision={card.revision}"
    return CardPage(
        document=document,
        score=explaining.of_scorecard(card, WORDS),
        groups=[
            Group(name=group.name, rows=[_why(row, by_key[row.key]) for row in group.rows])
            for group in (document.table.groups if document.table is not None else [])
        ],
        revisions=[
            Revision(
                label=WORDS("scorecard.revision", n=one.revision),
                address=address if one.revision == detail.revisions[0].revision else f"{address}?revision={one.revision}",
                is_here=one.revision == card.revision,
                state=marks.of_card_state(one.state, WORDS),
                score=formats.number(one.score, WORDS.language, least=1, most=1),
                credit=formats.money(one.credit, card.currency, WORDS.language) if edition != "site" else "",
                prepared=formats.short_moment(one.prepared_at, card.time_zone, WORDS),
                issued=formats.short_moment(one.issued_at, card.time_zone, WORDS) if one.issued_at is not None else formats.DASH,
            )
            for one in detail.revisions
        ],
        latest="" if is_latest else address,
        state=marks.of_card_state(card.state, WORDS),
        pdf=f"{address}.pdf{exact}",
        download=f"{address}.pdf?{urlencode({**({} if is_latest else {'revision': card.revision}), 'download': 'true'})}",
        files={kind.upper(): f"{address}.{kind}{exact}" for kind in EXPORTS},
        contract_address=f"/contracts/{card.contract}",
        tickets={ticket.number: f"/tickets/{ticket.number}" for ticket in card.tickets},
    )


def _why(row: page.KpiRow, result: KpiResult) -> Why:
    return Why(anchor=anchor(result.kpi, result.dimensions), row=row, derivation=explaining.of_result(result, WORDS))


# PDFs

_KEPT: OrderedDict[str, bytes] = OrderedDict()


async def pdf_answer(
    request: Request[Any, Any, Any], service: Service, card: Scorecard, access: Scope, *, as_attachment: bool
) -> Response[bytes]:
    """The PDF, made in a process of its own or taken from those kept; its ETag names its content."""
    paper = {"a4": "A4", "letter": "Letter"}[service.settings.paper]
    job = Job(card=card, edition=edition_for(access), paper=paper)
    etag = f'"{job.key}"'
    disposition = "attachment" if as_attachment else "inline"
    headers = {
        "ETag": etag,
        "Cache-Control": "private, no-cache",
        "Vary": "Cookie",
        "Content-Disposition": f'{disposition}; filename="{file_name(card)}"',
        "Content-Security-Policy": "frame-ancestors 'none'",
    }
    if request.headers.get("if-none-match") == etag:
        return Response(b"", status_code=304, headers=headers, media_type="application/pdf")
    return Response(await rendered(service, job), headers=headers, media_type="application/pdf")


async def rendered(service: Service, job: Job) -> bytes:
    """The bytes of a PDF. Raises `HTTPException` where it cannot be made."""
    kept = _KEPT.get(job.key)
    if kept is not None:
        _KEPT.move_to_end(job.key)
        return kept
    if service.renderer is None:
        raise HTTPException("The service is stopping.", status_code=503)
    answer = await asyncio.wrap_future(service.renderer.submit(job))
    if answer.pdf is None:
        reason = answer.error or ""
        raise RuntimeError(WORDS("scorecard.not_rendered", number=answer.number, reason=reason))
    _KEPT[job.key] = answer.pdf
    while len(_KEPT) > KEPT_PDFS:
        _KEPT.popitem(last=False)
    return answer.pdf


def file_name(card: Scorecard) -> str:
    """Plain characters only: a header holds no others, and a file system may not either."""
    plain = "".join(character if character.isalnum() and character.isascii() else "-" for character in f"{card.number}-{card.site}")
    return f"{plain}-{card.from_:%Y-%m}" + (f"-r{card.revision}" if card.revision else "") + ".pdf"
