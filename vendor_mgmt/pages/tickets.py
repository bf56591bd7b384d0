"""Tickets: the list by level and state, and one ticket with its deadlines and its timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from scorecards import formats
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.database import transaction
from vendor_mgmt.escalations import queries as ticket_queries
from vendor_mgmt.escalations.queries import DeadlineRow, EventRow, TicketDetail, TicketRow
from vendor_mgmt.pages import marks, queries
from vendor_mgmt.pages.marks import Mark, Tone
from vendor_mgmt.pages.portfolio import Choice
from vendor_mgmt.pages.queries import SiteRow
from vendor_mgmt.pages.rendering import WORDS, show
from vendor_mgmt.pages.scorecards import choices

LISTED_MAX = 500
LEVELS = (1, 2, 3, 4)


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket in the list."""

    number: str
    address: str
    problem: str
    where: str
    site: str
    vendor: str
    level: Mark
    severity: str
    state: Mark
    opened: str
    due: str
    due_tone: Tone
    due_note: str


class ListPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the list of tickets shows."""

    title: str
    states: list[Choice]
    levels: list[Choice]
    vendors: list[Choice]
    sites: list[Choice]
    is_narrowed: bool
    tickets: list[Listed]


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A fact of a ticket; with an address it leads somewhere."""

    label: str
    value: str
    address: str = ""


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is due."""

    name: str
    by: str
    by_utc: str
    calendar: str
    note: str
    tone: Tone


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the timeline."""

    what: str
    state: str
    by: str
    at: str
    reason: str


class TicketPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the page of one ticket shows."""

    number: str
    problem: str
    level: Mark
    state: Mark
    facts: list[Fact]
    deadlines: list[Due]
    events: list[Happened]


@get("/tickets", include_in_schema=False)
async def tickets(
    request: Request[Any, Any, Any],
    access: NamedDependency[Scope],
    show_state: FromQuery[str | None] = None,
    level: FromQuery[str | None] = None,
    vendor: FromQuery[str | None] = None,
    site: FromQuery[str | None] = None,
) -> Response[str]:
    """Tickets, those with the earliest deadline first; open ones unless asked otherwise."""
    is_open = {"": True, "open": True, "closed": False}.get(show_state or "")
    async with transaction(readonly=True) as connection:
        found = await ticket_queries.listed(
            connection,
            access,
            is_open=is_open,
            vendor=vendor or None,
            site=site or None,
            level_min=int(level) if level and level.isdecimal() else 1,
            limit=LISTED_MAX,
        )
        sites = await queries.sites(connection, access)
        titles = await titles_of(connection, access)
    chosen = {"show_state": show_state or "", "level": level or "", "vendor": vendor or "", "site": site or ""}
    return show(request, "tickets.html", compose_list(found, sites, titles, chosen, datetime.now(UTC)))


async def titles_of(connection: Any, access: Scope) -> dict[str, str]:
    """What each KPI is called, by contract and KPI."""
    lineages = {row.code: row.lineage for row in await queries.contract_list(connection, access)}
    documents = await queries.documents(connection, list(lineages.values()))
    return {
        f"{code} {kpi}": text.title
        for code, lineage in lineages.items()
        for document in reversed(documents[lineage])
        for kpi, text in document.kpis.items()
    }


def compose_list(
    found: Sequence[TicketRow], sites: Sequence[SiteRow], titles: Mapping[str, str], chosen: Mapping[str, str], now: datetime
) -> ListPage:
    """The list, from what was read."""
    by_code = {site.site: site for site in sites}
    return ListPage(
        title=WORDS("tickets.title"),
        states=[
            Choice(value="open", label=WORDS("filter.open"), is_chosen=chosen["show_state"] in ("", "open")),
            Choice(value="closed", label=WORDS("filter.closed"), is_chosen=chosen["show_state"] == "closed"),
            Choice(value="all", label=WORDS("filter.all_states"), is_chosen=chosen["show_state"] == "all"),
        ],
        levels=choices(
            {str(level): WORDS("tickets.from_level", level=level) for level in LEVELS[1:]}, chosen["level"], WORDS("filter.all_levels")
        ),
        vendors=choices({site.vendor: site.vendor_name for site in sites}, chosen["vendor"], WORDS("filter.all_vendors")),
        sites=choices({site.site: site.name for site in sites}, chosen["site"], WORDS("filter.all_sites")),
        is_narrowed=any(chosen.values()),
        tickets=[listed(row, by_code, titles, now) for row in found],
    )


def listed(row: TicketRow, sites: Mapping[str, SiteRow], titles: Mapping[str, str], now: datetime) -> Listed:
    """A ticket as lists show it."""
    site = sites.get(row.site or "")
    zone = site.time_zone if site is not None else "UTC"
    is_overdue = row.next_due_at is not None and row.next_due_at < now
    return Listed(
        number=row.number,
        address=f"/tickets/{row.number}",
        problem=_problem(row, titles),
        where=_where(row.dimensions),
        site=site.name if site is not None else row.site or row.contract,
        vendor=site.vendor_name if site is not None else row.vendor,
        level=marks.of_level(row.level, WORDS),
        severity=WORDS(f"severity.{row.severity}"),
        state=marks.of_ticket_state(row.state, WORDS, has_recovered=row.has_recovered),
        opened=formats.short_day(row.opened_at.date(), WORDS),
        due=formats.short_moment(row.next_due_at, zone, WORDS) if row.next_due_at is not None else formats.DASH,
        due_tone="bad" if is_overdue else "plain",
        due_note=WORDS("tickets.overdue") if is_overdue else zone if row.next_due_at is not None else "",
    )


def _problem(row: TicketRow, titles: Mapping[str, str]) -> str:
    return f"{titles.get(f'{row.contract} {row.kpi}', row.kpi)}: {row.rule}"


def _where(dimensions: Mapping[str, str]) -> str:
    return ", ".join(WORDS.spoken(value) for _, value in sorted(dimensions.items()))


@get("/tickets/{number:str}", include_in_schema=False)
async def ticket(request: Request[Any, Any, Any], access: NamedDependency[Scope], number: FromPath[str]) -> Response[str]:
    """One ticket."""
    async with transaction(readonly=True) as connection:
        detail = await ticket_queries.detail(connection, access, number)
        sites = {site.site: site for site in await queries.sites(connection, access)}
        titles = await titles_of(connection, access)
        names = await queries.names(connection, [event.actor for event in detail.events])
    return show(request, "ticket.html", compose(detail, sites, titles, names, datetime.now(UTC)))


def compose(
    detail: TicketDetail, sites: Mapping[str, SiteRow], titles: Mapping[str, str], names: Mapping[int, str], now: datetime
) -> TicketPage:
    """The page, from what was read."""
    row = detail.row
    site = sites.get(row.site or "")
    zone = site.time_zone if site is not None else "UTC"
    facts = [
        Fact(label=WORDS("tickets.site"), value=site.name if site is not None else formats.DASH, address=f"/scorecards?site={row.site}"),
        Fact(label=WORDS("ticket.vendor"), value=site.vendor_name if site is not None else row.vendor),
        Fact(label=WORDS("ticket.workstream"), value=_where(row.dimensions) or WORDS("portfolio.whole_site")),
        Fact(label=WORDS("ticket.contract"), value=row.contract, address=f"/contracts/{row.contract}"),
        Fact(label=WORDS("ticket.rule"), value=row.rule),
        Fact(label=WORDS("ticket.severity"), value=WORDS(f"severity.{row.severity}")),
        Fact(label=WORDS("ticket.period"), value=formats.period(row.period_from, row.period_until, WORDS)),
        Fact(label=WORDS("tickets.opened"), value=formats.moment(row.opened_at, zone, WORDS)),
    ]
    if row.has_recovered and row.cleared_from is not None:
        recovered = WORDS("ticket.recovered_at", period=formats.month_and_year(row.cleared_from, WORDS))
        facts.insert(0, Fact(label=WORDS("ticket.recovered_label"), value=recovered))
    if row.recurrence:
        facts.append(Fact(label=WORDS("ticket.recurrence"), value=str(row.recurrence)))
    if detail.repeats is not None:
        facts.append(Fact(label=WORDS("ticket.repeats"), value=detail.repeats, address=f"/tickets/{detail.repeats}"))
    if row.is_disputed:
        facts.append(Fact(label=WORDS("ticket.disputed"), value=WORDS("ticket.yes")))
    if row.is_exhausted:
        facts.append(Fact(label=WORDS("ticket.exhausted"), value=WORDS("ticket.yes")))
    return TicketPage(
        number=row.number,
        problem=_problem(row, titles),
        level=marks.of_level(row.level, WORDS),
        state=marks.of_ticket_state(row.state, WORDS, has_recovered=row.has_recovered),
        facts=facts,
        deadlines=[_due(one, now) for one in detail.deadlines],
        events=[_happened(event, names, zone) for event in reversed(detail.events)],
    )


def _due(one: DeadlineRow, now: datetime) -> Due:
    local = datetime.fromisoformat(one.local)
    is_overdue = one.due_at < now
    return Due(
        name=_deadline_name(one.name),
        by=WORDS("ticket.local", day=formats.short_day(local.date(), WORDS), time=f"{local:%H:%M}", offset=one.local[-6:]),
        by_utc=f"{one.due_at.astimezone(UTC):%Y-%m-%dT%H:%MZ}",
        calendar=WORDS("ticket.calendar_version", calendar=one.calendar, version=one.calendar_version),
        note=WORDS("tickets.overdue") if is_overdue else WORDS("ticket.provisional") if one.is_provisional else "",
        tone="bad" if is_overdue else "plain",
    )


def _deadline_name(name: str) -> str:
    """`acknowledge`, `acknowledge:50` (half of the time is over), `level:2`; a name nobody worded stands as it is."""
    what, _, share = name.partition(":")
    if what == "level":
        return WORDS("deadline.level", level=share)
    worded = WORDS.get(f"deadline.{what}", WORDS.spoken(what))
    return WORDS("deadline.share", name=worded, percent=share) if share else worded


def _happened(event: EventRow, names: Mapping[int, str], zone: str) -> Happened:
    what = WORDS.get(f"event.{event.kind}", WORDS.spoken(event.kind))
    if event.kind == "level_raised" and "to" in event.detail:
        what = f"{what} {WORDS('ticket.to_level', level=event.detail['to'])}"
    elif "percent" in event.detail and event.kind.endswith("_threshold"):
        what = f"{what}: {WORDS('event.percent', percent=event.detail['percent'])}"
    state = WORDS(f"ticket_state.{event.to_state}") if event.to_state != event.from_state else ""
    by = WORDS("ticket.by_service") if not event.actor else names.get(event.actor, WORDS("ticket.by_number", number=event.actor))
    return Happened(what=what, state=state, by=by, at=formats.moment(event.at, zone, WORDS), reason=event.reason)

