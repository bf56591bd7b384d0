"""The portfolio: every site against every KPI, for one period, with what needs attention first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from contracts.document import Contract, Kpi
from scorecards import formats
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.database import transaction
from vendor_mgmt.intake import freshness
from vendor_mgmt.intake.freshness import Reach, Silence
from vendor_mgmt.pages import marks, queries
from vendor_mgmt.pages.marks import Mark, Tone
from vendor_mgmt.pages.queries import CardRow, CellRow, OpenTickets, PeriodRow
from vendor_mgmt.pages.rendering import WORDS, show

WORKSTREAM = "workstream"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a list to choose from."""

    value: str
    label: str
    is_chosen: bool


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What may be chosen."""

    periods: list[Choice]
    vendors: list[Choice]
    places: list[Choice]
    workstreams: list[Choice]
    is_narrowed: bool


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A KPI: its short and its full name, and the unit of its values."""

    code: str
    title: str
    unit: str


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One KPI of one workstream; `is_promised` is no where the contract does not name it."""

    is_promised: bool
    column: str = ""
    mark: Mark | None = None
    value: str = ""
    trend: str = ""
    trend_word: str = ""
    explanation: str = ""
    address: str = ""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the heat map: what is done at a site."""

    name: str
    silence: str
    """Since when nothing came of it; empty where its data are up to date."""
    cells: list[Cell]


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A site with its scorecard, and the rows below it."""

    name: str
    vendor: str
    country: str
    contract: str
    contract_address: str
    scorecard: str
    address: str
    """Of its scorecard."""
    site_address: str
    """Of its own page; its scorecard's where this is about a whole contract."""
    state: str
    score: str
    score_tone: Tone
    standing: str
    trend: str
    trend_word: str
    credit: str
    bonus: str
    tickets: list[Tickets]
    tickets_address: str
    data: str
    """Until which day there are data."""
    silences: list[str]
    """What does not come any more, in a sentence each."""
    works: list[Work]


class Tickets(msgspec.Struct, frozen=True, kw_only=True):
    """How many open tickets a site has at one level."""

    mark: Mark
    count: str


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of the whole, in the head of the page."""

    label: str
    value: str
    note: str
    tone: Tone


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What the portfolio page shows."""

    title: str
    period: str
    state: str
    filters: Filters
    figures: list[Figure]
    attention: list[Attention]
    """The sites that need somebody, the most urgent first, with the reasons."""
    others: str
    """How many more there are, and that all is well where there are none."""
    columns: list[Column]
    sites: list[Site]
    legend: list[Mark]
    legend_trend: str


@get("/", name="portfolio", include_in_schema=False)
async def portfolio(
    request: Request[Any, Any, Any],
    access: NamedDependency[Scope],
    period: FromQuery[date | None] = None,
    vendor: FromQuery[str | None] = None,
    place: FromQuery[str | None] = None,
    workstream: FromQuery[str | None] = None,
) -> Response[str]:
    """The heat map of one period, by default the newest that was closed."""
    found = await read(access, period)
    chosen = Chosen(vendor=vendor or None, place=place or None, workstream=workstream or None)
    return show(request, "portfolio.html", compose(found, chosen, datetime.now(UTC).date()))


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to see only."""

    vendor: str | None = None
    place: str | None = None
    workstream: str | None = None

    def holds(self, card: CardRow) -> bool:
        return self.vendor in (None, card.vendor) and self.place in (None, _place(card))


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the page is made from."""

    periods: list[PeriodRow]
    period: PeriodRow | None
    cards: list[CardRow]
    cells: list[CellRow]
    documents: dict[int, list[Contract]]
    tickets: list[OpenTickets]
    reaches: list[Reach]


async def read(access: Scope, period_from: date | None) -> Found:
    async with transaction(readonly=True) as connection:
        periods = await queries.periods(connection, access)
        period = next((one for one in periods if period_from in (None, one.period_from)), None)
        cards = await queries.cards(connection, access, period_from=period.period_from) if period is not None else []
        return Found(
            periods=periods,
            period=period,
            cards=cards,
            cells=await queries.cells(connection, {card.revision_id: card.revision_before for card in cards}),
            documents=await queries.documents(connection, [card.lineage for card in cards]),
            tickets=await queries.open_tickets(connection, access),
            reaches=await queries.reaches(connection, access),
        )


def compose(found: Found, chosen: Chosen, today: date) -> Page:
    """The page, from what was read. Sites come in the order in which they need somebody."""
    cards = [card for card in found.cards if chosen.holds(card)]
    by_revision: dict[int, list[CellRow]] = defaultdict(list)
    for cell in found.cells:
        if chosen.workstream in (None, cell.dimensions.get(WORKSTREAM)):
            by_revision[cell.revision].append(cell)
    # A site whose workstreams are all filtered out is not about what was asked for.
    cards = [card for card in cards if by_revision[card.revision_id] or chosen.workstream is None]
    kpis = {card.lineage: _kpis(found.documents.get(card.lineage, [])) for card in cards}
    columns = _columns([kpis[card.lineage] for card in cards], {cell.kpi for card in cards for cell in by_revision[card.revision_id]})
    tickets: dict[str | None, list[OpenTickets]] = defaultdict(list)
    for one in found.tickets:
        tickets[one.site].append(one)
    newest = freshness.newest(found.reaches)
    silent: dict[str, list[Silence]] = defaultdict(list)
    for silence in freshness.silences(found.reaches, in_force(found.documents, today), today):
        if chosen.workstream in (None, silence.part):
            silent[silence.site].append(silence)
    cards.sort(key=lambda card: _urgency(card, by_revision[card.revision_id], tickets[card.site], silent[card.site or ""]))
    tones = [_mark(cell) for card in cards for cell in by_revision[card.revision_id]]
    missing = Counter(cell.revision for card in cards for cell in by_revision[card.revision_id] if cell.status == "no_data")
    sites = [
        _site(
            card,
            by_revision[card.revision_id],
            kpis[card.lineage],
            columns,
            tickets[card.site],
            newest.get(card.site or ""),
            silent[card.site or ""],
        )
        for card in cards
    ]
    named = [
        needing
        for card, site in zip(cards, sites, strict=True)
        if (needing := _attention(site, card, by_revision[card.revision_id], kpis[card.lineage])) is not None
    ]
    return Page(
        title=WORDS("portfolio.title"),
        period=formats.period(found.period.period_from, found.period.period_until, WORDS) if found.period else "",
        state=_states(cards),
        filters=_filters(found, chosen),
        figures=_figures(cards, tones, tickets, silent, missing),
        attention=named[:_NAMED_MOST],
        others=_others(len(cards), len(named)),
        columns=columns,
        sites=sites,
        legend=_legend(tones),
        legend_trend=WORDS("portfolio.legend_trend", points=formats.number(marks.NOTICEABLE, WORDS.language)),
    )


_NAMED_MOST = 5


def _others(sites: int, named: int) -> str:
    if named > _NAMED_MOST:
        return WORDS.count("attention.more", named - _NAMED_MOST)
    return WORDS.count("attention.well", sites - named) if sites > named else ""


def in_force(documents: Mapping[int, Sequence[Contract]], today: date) -> list[Contract]:
    """Of each lineage the newest document that holds today; one that begins later asks for nothing yet."""
    held = [[one for one in versions if one.in_force.from_ <= today] for versions in documents.values()]
    return [versions[0] for versions in held if versions]


def _place(card: CardRow) -> str:
    """The region where the contract names one, otherwise the country."""
    return card.region or card.country or ""


def _kpis(documents: Sequence[Contract]) -> dict[str, Kpi]:
    """The KPIs of a lineage as the newest document has them, and those that only older ones had."""
    found: dict[str, Kpi] = {}
    for document in documents:
        for code, kpi in document.kpis.items():
            found.setdefault(code, kpi)
    return found


def _columns(kpis: Sequence[Mapping[str, Kpi]], judged: set[str]) -> list[Column]:
    """One column for each KPI: those that most sites have first, otherwise in the order of the contracts."""
    sites: dict[str, int] = defaultdict(int)
    titles: dict[str, list[str]] = defaultdict(list)
    units: dict[str, str] = {}
    for one in kpis:
        for code, kpi in one.items():
            if code in judged:
                sites[code] += 1
                titles[code].append(kpi.title)
                units.setdefault(code, _unit(kpi))
    for code in judged - sites.keys():
        sites[code], titles[code], units[code] = 0, [code], ""
    most = max(sites.values(), default=0)
    # A KPI that half of the sites have belongs to the common ones, whatever their number.
    ordered = sorted(sites, key=lambda code: sites[code] * 2 < most)
    return [Column(code=code, title=max(set(titles[code]), key=titles[code].count), unit=units[code]) for code in ordered]


def _unit(kpi: Kpi) -> str:
    unit = kpi.unit or ("percent" if kpi.value.ratio is not None else "number")
    return formats.unit_sign(unit, WORDS)


def _mark(cell: CellRow) -> Mark:
    return marks.of_verdict(cell.status, cell.level, WORDS, met=cell.met)


def _urgency(
    card: CardRow, cells: Sequence[CellRow], tickets: Sequence[OpenTickets], silent: Sequence[Silence]
) -> tuple[Any, ...]:
    """The order in which sites need somebody: open tickets by level, misses, missing data, then the score."""
    tones = [_mark(cell) for cell in cells]
    return (
        # A ticket whose KPI is well again waits for a signature, not for help.
        -max((one.level for one in tickets if one.tickets > one.recovered), default=0),
        -sum(mark.tone == "bad" for mark in tones),
        -sum(cell.status == "no_data" for cell in cells),
        -len(silent),
        -sum(mark.tone == "warn" for mark in tones),
        card.score if card.score is not None else Decimal(-1),
        card.site_name or "",
    )


def _site(
    card: CardRow,
    cells: Sequence[CellRow],
    kpis: Mapping[str, Kpi],
    columns: Sequence[Column],
    tickets: Sequence[OpenTickets],
    newest_on: date | None,
    silent: Sequence[Silence],
) -> Site:
    works: dict[str, dict[str, CellRow]] = defaultdict(dict)
    for cell in cells:
        works[_work_name(cell.dimensions)][cell.kpi] = cell
    address = f"/scorecards/{card.number}"
    direction = marks.trend(card.score, card.score_before)
    by_part: dict[str, list[Silence]] = defaultdict(list)
    for silence in silent:
        by_part[silence.part].append(silence)
    return Site(
        name=card.site_name or card.contract_title,
        vendor=card.vendor_name,
        country=card.country or "",
        contract=card.contract,
        contract_address=f"/contracts/{card.contract}",
        scorecard=card.number,
        address=address,
        site_address=f"/sites/{card.site}" if card.site else address,
        state=WORDS(f"state.{card.state}"),
        score=formats.number(card.score, WORDS.language, least=1, most=1),
        score_tone=marks.of_score(card.score, card.standing),
        standing=card.standing or "",
        trend=marks.ARROWS[direction],
        trend_word=_was(formats.number(card.score_before, WORDS.language, least=1, most=1), direction),
        credit=formats.money(card.credit, card.currency, WORDS.language) if card.credit else "",
        bonus=formats.money(card.bonus, card.currency, WORDS.language) if card.bonus else "",
        tickets=[_tickets(one) for one in tickets],
        tickets_address=f"/tickets?site={card.site}" if card.site else "/tickets",
        data=formats.short_day(newest_on, WORDS) if newest_on is not None else WORDS("silent.nothing"),
        silences=[silence_of(part, found) for part, found in by_part.items()],
        works=[
            Work(
                name=name,
                silence=_since(by_part[name_of]) if (name_of := _part(row)) in by_part else "",
                cells=[_cell(row.get(column.code), kpis.get(column.code), column, address) for column in columns],
            )
            for name, row in works.items()
        ],
    )


def _tickets(one: OpenTickets) -> Tickets:
    mark = marks.of_level(one.level, WORDS)
    if one.recovered == one.tickets:
        return Tickets(mark=msgspec.structs.replace(mark, word=WORDS("portfolio.recovered"), tone="good"), count=str(one.tickets))
    return Tickets(mark=mark, count=str(one.tickets))


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a site needs somebody, in a few words."""

    sign: str
    text: str
    tone: Tone


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """A site that needs somebody, and why."""

    name: str
    address: str
    reasons: list[Reason]


def _attention(site: Site, card: CardRow, cells: Sequence[CellRow], kpis: Mapping[str, Kpi]) -> Attention | None:
    """The site with its reasons, the gravest first; none where all is well."""
    reasons: list[Reason] = []
    for cell in cells:
        mark = _mark(cell)
        if mark.tone in ("bad", "warn"):
            kpi = kpis.get(cell.kpi)
            title = kpi.title if kpi is not None else cell.kpi
            unit = _unit(kpi) if kpi is not None else ""
            boundary = WORDS.get(f"boundary.{_boundary(kpi)}", "") if kpi is not None else ""
            value, target = (
                f"{formats.number(one, WORDS.language, most=2, beside=(other,))}{formats.THIN if unit else ''}{unit}"
                for one, other in ((cell.value, cell.target), (cell.target, cell.value))
            )
            part = cell.dimensions.get(WORKSTREAM)
            said = WORDS("attention.miss", kpi=title, value=value, target=f"{boundary}{formats.THIN}{target}")
            where = WORDS("attention.at", said=said, part=WORDS.spoken(part)) if part else said
            reasons.append(Reason(sign=mark.sign, text=where, tone=mark.tone))
    reasons += [Reason(sign="○", text=text, tone="bad") for text in site.silences]
    if card.score is not None and card.score_before is not None and card.score_before - card.score >= marks.NOTICEABLE:
        fallen = formats.number(card.score_before - card.score, WORDS.language, least=1, most=1)
        reasons.append(Reason(sign=marks.ARROWS["down"], text=WORDS("attention.fell", by=fallen), tone="warn"))
    burning = [one for one in site.tickets if one.mark.tone != "good"]
    reasons += [Reason(sign="⚑", text=WORDS("attention.tickets", n=one.count, level=one.mark.word), tone="bad") for one in burning]
    if not reasons:
        return None
    if site.credit:
        reasons.append(Reason(sign="", text=site.credit, tone="plain"))
    return Attention(name=site.name, address=site.site_address, reasons=reasons)


def _work_name(dimensions: Mapping[str, str]) -> str:
    """`Content moderation`; further dimensions follow."""
    named = [value for name, value in sorted(dimensions.items(), key=lambda item: item[0] != WORKSTREAM)]
    return ", ".join(WORDS.spoken(value) for value in named) or WORDS("portfolio.whole_site")


def _cell(cell: CellRow | None, kpi: Kpi | None, column: Column, address: str) -> Cell:
    if cell is None:
        return Cell(is_promised=False)
    mark = _mark(cell)
    direction = marks.trend(cell.score, cell.score_before)
    unit = _unit(kpi) if kpi is not None else ""
    # Counts stand as they are; in everything else the decimals of a column stand below one another.
    least = 2 if unit and cell.value is not None and cell.value != cell.value.to_integral_value() else 0
    value = formats.number(cell.value, WORDS.language, least=least, most=2, beside=(cell.target,)) if cell.status == "measured" else ""
    title = kpi.title if kpi is not None else cell.kpi
    boundary = WORDS.get(f"boundary.{_boundary(kpi)}", "") if kpi is not None else ""
    said = [f"{title}: {mark.word}"]
    if value:
        said.append(f"{value}{formats.THIN}{unit}" if unit else value)
    if cell.target is not None:
        said.append(WORDS("portfolio.target", target=f"{boundary} {formats.number(cell.target, WORDS.language, most=4)} {unit}".strip()))
    if cell.value_before is not None:
        said.append(WORDS("portfolio.before", value=formats.number(cell.value_before, WORDS.language, most=2)))
    return Cell(
        is_promised=True,
        column=column.title,
        mark=mark,
        value=value,
        trend=marks.ARROWS[direction],
        trend_word=WORDS(f"trend.{direction}") if direction else "",
        explanation=", ".join(said),
        address=f"{address}#{anchor(cell.kpi, cell.dimensions)}",
    )


def _boundary(kpi: Kpi) -> str:
    return kpi.boundary or ("at_most" if kpi.better == "lower" else "at_least")


def anchor(kpi: str, dimensions: Mapping[str, str]) -> str:
    """Where on its scorecard a KPI stands."""
    return "-".join(["kpi", kpi, *(value for _, value in sorted(dimensions.items()))])


def _was(before: str, direction: str) -> str:
    return WORDS(f"trend.{direction}_from", before=before) if direction else ""


def _part(row: Mapping[str, CellRow]) -> str:
    return next(iter(row.values())).dimensions.get(WORKSTREAM, "")


def silence_of(part: str, silent: Sequence[Silence]) -> str:
    """`Live-stream moderation: nothing since 10 Oct 2026`, with the measures where only some of the workstream's are silent."""
    said = WORDS("silent.part", part=WORDS.spoken(part) if part else WORDS("portfolio.whole_site"), since=_since(silent))
    measures = sorted({measure for one in silent for measure in one.measures})
    return said if len(measures) > _MEASURES_MOST else f"{said} ({', '.join(measures)})"


_MEASURES_MOST = 3


def _since(silent: Sequence[Silence]) -> str:
    known = [one.newest_on for one in silent if one.newest_on is not None]
    return WORDS("silent.since", day=formats.short_day(max(known), WORDS)) if known else WORDS("silent.never")


def _states(cards: Sequence[CardRow]) -> str:
    drafts = sum(card.state == "draft" for card in cards)
    return WORDS.count("portfolio.drafts", drafts) if drafts else ""


def _figures(
    cards: Sequence[CardRow],
    tones: Sequence[Mark],
    tickets: Mapping[str | None, Sequence[OpenTickets]],
    silences: Mapping[str, Sequence[Silence]],
    missing: Mapping[int, int],
) -> list[Figure]:
    shown = [one for card in cards for one in tickets.get(card.site, ())]
    below = sum(mark.tone == "bad" for mark in tones)
    missed = sum(mark.tone == "warn" for mark in tones) + below
    judged = sum(mark.tone in ("best", "good", "warn", "bad") for mark in tones)
    stale = [card for card in cards if silences.get(card.site or "")]
    silent = [card for card in cards if card.revision_id in missing]
    by_currency: dict[str, Decimal] = defaultdict(Decimal)
    for card in cards:
        if card.credit:
            by_currency[card.currency] += card.credit
    count = sum(one.tickets for one in shown)
    highest = max((one.level for one in shown), default=0)
    # Currencies are not added: no rate is part of any contract here.
    amounts = [formats.money(amount, currency, WORDS.language) for currency, amount in sorted(by_currency.items())]
    return [
        Figure(
            label=WORDS("portfolio.open_tickets"),
            value=str(count),
            note=_ticket_note(highest, sum(one.recovered for one in shown)) if count else WORDS("portfolio.no_ticket"),
            tone="bad" if count else "good",
        ),
        Figure(
            label=WORDS("portfolio.missed"),
            value=str(missed),
            note=WORDS("portfolio.of_judged", judged=judged, below=below),
            tone="bad" if below else "warn" if missed else "good",
        ),
        Figure(
            label=WORDS("portfolio.credits"),
            value=amounts[0] if amounts else WORDS("portfolio.no_credit"),
            note=" · ".join(amounts[1:]),
            tone="plain",
        ),
        Figure(
            label=WORDS("portfolio.no_data"),
            value=str(sum(missing.values())),
            note=formats.shortened(", ".join(card.site_name or card.contract for card in silent), 80),
            tone="bad" if silent else "good",
        ),
        Figure(
            label=WORDS("portfolio.data"),
            value=WORDS.count("portfolio.stale", len(stale)) if stale else WORDS("portfolio.all_fresh"),
            note=formats.shortened(", ".join(_stale_note(card, silences[card.site or ""]) for card in stale), 110),
            tone="bad" if stale else "good",
        ),
    ]


def _ticket_note(highest: int, recovered: int) -> str:
    said = WORDS("portfolio.highest", level=highest)
    return f"{said}, {WORDS('portfolio.of_them_recovered', n=recovered)}" if recovered else said


def _stale_note(card: CardRow, silent: Sequence[Silence]) -> str:
    parts = [WORDS.spoken(part) for part in dict.fromkeys(one.part for one in silent) if part]
    name = card.site_name or card.contract
    return f"{name} ({', '.join(parts)})" if parts else name


def _filters(found: Found, chosen: Chosen) -> Filters:
    vendors = {card.vendor: card.vendor_name for card in found.cards}
    places = {place: place for card in found.cards if (place := _place(card))}
    works = {work: WORDS.spoken(work) for cell in found.cells if (work := cell.dimensions.get(WORKSTREAM))}
    return Filters(
        periods=[
            Choice(
                value=one.period_from.isoformat(),
                label=formats.period(one.period_from, one.period_until, WORDS),
                is_chosen=found.period is not None and one.period_from == found.period.period_from,
            )
            for one in found.periods
        ],
        vendors=_choices(vendors, chosen.vendor, WORDS("filter.all_vendors")),
        places=_choices(places, chosen.place, WORDS("filter.everywhere")),
        workstreams=_choices(works, chosen.workstream, WORDS("filter.all_workstreams")),
        is_narrowed=chosen != Chosen(),
    )


def _choices(named: Mapping[str, str], chosen: str | None, everything: str) -> list[Choice]:
    listed = sorted(named.items(), key=lambda item: item[1].casefold())
    return [
        Choice(value="", label=everything, is_chosen=chosen is None),
        *(Choice(value=value, label=label, is_chosen=value == chosen) for value, label in listed),
    ]


def _legend(tones: Sequence[Mark]) -> list[Mark]:
    order: list[Tone] = ["best", "good", "warn", "bad", "none", "plain"]
    unique = {(mark.sign, mark.tone): mark for mark in tones}
    renamed = {
        key: msgspec.structs.replace(mark, word=WORDS("verdict.beyond")) if mark.tone == "best" else mark for key, mark in unique.items()
    }
    return sorted(renamed.values(), key=lambda mark: (order.index(mark.tone), mark.word))
