"""Version 1 of the API: everything the pages show, as JSON.

Numbers that a contract or money rests on are text, because a reader of JSON may turn a number into a binary fraction. Moments are in UTC.
Lists come in pages: where `next` is not empty, it is the `cursor` of the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from msgspec import Meta

from scorecards import page
from scorecards.scorecard import Scorecard, to_json
from scorecards.scorecard import shown as shown_number
from vendor_mgmt import running_month
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.access.tokens import Identity
from vendor_mgmt.database import transaction
from vendor_mgmt.escalations import queries as ticket_queries
from vendor_mgmt.intake import freshness
from vendor_mgmt.pages import queries, running
from vendor_mgmt.pages import sites as site_pages
from vendor_mgmt.pages.scorecards import cursor_after, edition_for, parse_cursor, pdf_answer
from vendor_mgmt.problems import PROBLEM_JSON, Problem
from vendor_mgmt.service import Service

LIMIT_MAX = 200

Limit = Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX, description="How many at most.")]
Cursor = Annotated[str | None, QueryParameter(description="Where the page before ended: its `next`.")]
VendorCode = Annotated[str | None, QueryParameter(name="vendor", description="Of this vendor only, by its code.")]
SiteCode = Annotated[str | None, QueryParameter(name="site", description="Of this site only, by its code.")]

Number = Annotated[str, Meta(description="A decimal number as text, such as `98.05`.", pattern=r"^-?\d+(\.\d+)?$")]


def as_text(value: Decimal | None) -> str | None:
    """As the API writes it, without an exponent."""
    return None if value is None else f"{value:f}"


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Where work is done."""

    site: Annotated[str, Meta(description="The code that contracts, data and pages use.")]
    name: str
    vendor: Annotated[str, Meta(description="Code of the vendor.")]
    vendor_name: str
    country: Annotated[str | None, Meta(description="ISO 3166-1, two letters.")]
    region: str | None
    time_zone: Annotated[str, Meta(description="A name of the IANA database.")]
    data_until: Annotated[date | None, Meta(description="The newest day for which data came, of whatever workstream.")]
    silent: Annotated[list[SilentFeed], Meta(description="What a contract asks for today and does not come any more.")]


class SilentFeed(msgspec.Struct, frozen=True, kw_only=True):
    """A workstream of a site of which some measures do not come any more."""

    workstream: Annotated[str, Meta(description="Empty where the measures are about the whole site.")]
    measures: list[str]
    data_until: Annotated[date | None, Meta(description="The first day of the newest span that came; null where nothing ever did.")]
    source: Annotated[str | None, Meta(description="Code of the source that brought it last.")]


class Sites(msgspec.Struct, frozen=True, kw_only=True):
    """All sites that may be seen."""

    items: list[Site]


class RunningKpi(msgspec.Struct, frozen=True, kw_only=True):
    """A KPI in a period that is not over, and what the rest of it would have to bring."""

    kpi: str
    dimensions: dict[str, str]
    status: Annotated[str, Meta(description="As in a scorecard, on the days counted.")]
    numerator: Number | None
    denominator: Number | None
    value: Number | None
    unit: str
    target: Number | None
    outlook: Annotated[str, Meta(description="`safe`, `on_course`, `behind`, `impossible` or `unknown`.")]
    expected_volume: Annotated[Number | None, Meta(description="Still to come, at the pace so far.")]
    needed_count: Annotated[Number | None, Meta(description="Of the numerator, in the rest: at least, or at most where less is better.")]
    needed_rate: Annotated[Number | None, Meta(description="The same in the KPI's unit; of a plain sum, a day.")]


class RunningPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """Where a site stands in the running period of one contract."""

    contract: str
    period_from: date
    period_until: Annotated[date, Meta(description="The first day after the period.")]
    counted_until: Annotated[date, Meta(description="The first day of which nothing came yet.")]
    kpis: list[RunningKpi]


class RunningPeriods(msgspec.Struct, frozen=True, kw_only=True):
    """The running periods of a site, by contract."""

    items: list[RunningPeriod]


class ContractInList(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement with a vendor."""

    contract: Annotated[str, Meta(description="Its code.")]
    title: str
    vendor: str
    vendor_name: str
    versions: Annotated[int, Meta(description="How many versions were agreed.")]
    in_force_from: date
    in_force_until: Annotated[date | None, Meta(description="The first day on which it is no longer in force.")]


class Contracts(msgspec.Struct, frozen=True, kw_only=True):
    """All contracts that may be seen."""

    items: list[ContractInList]


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version that holds on some day."""

    number: int
    label: Annotated[str, Meta(description="What the document calls this version.")]
    in_force_from: date
    in_force_until: Annotated[date | None, Meta(description="The first day on which it no longer holds.")]
    sha256: Annotated[str, Meta(description="Of the text, in hexadecimal.")]
    text: Annotated[str, Meta(description="The document as it was agreed, in YAML.")]


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """A contract with every version that holds on some day, in the order of days."""

    contract: str
    title: str
    vendor: str
    vendor_name: str
    versions: list[Version]


class ScorecardInList(msgspec.Struct, frozen=True, kw_only=True):
    """A scorecard in its latest revision."""

    number: str
    revision: int
    state: Annotated[str, Meta(description="`draft`, `issued` or `superseded`.")]
    contract: str
    vendor: str
    site: Annotated[str | None, Meta(description="Null: the contract as a whole.")]
    period_from: date
    period_until: Annotated[date, Meta(description="The first day after the period.")]
    score: Number | None
    standing: str | None
    credit: Annotated[Number | None, Meta(description="Null where money may not be seen.")]
    bonus: Number | None
    currency: str
    data_as_of: datetime


class ScorecardPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of scorecards, newest period first."""

    items: list[ScorecardInList]
    next: str


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """A running problem."""

    number: str
    vendor: str
    contract: str
    site: str | None
    dimensions: dict[str, str]
    kpi: str
    rule: str
    state: str
    level: int
    severity: str
    period_from: date
    period_until: date
    cleared_from: Annotated[
        date | None,
        Meta(description="First day of the period at whose close the KPI had recovered; the ticket then waits to be closed by a person."),
    ]
    opened_at: datetime
    closed_at: datetime | None
    next_due_at: datetime | None


class Tickets(msgspec.Struct, frozen=True, kw_only=True):
    """Tickets, those with the earliest deadline first."""

    items: list[Ticket]


class TicketEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a ticket."""

    sequence: int
    kind: str
    to_state: str
    at: datetime
    actor: Annotated[int, Meta(description="Number of who did it; 0 is the service.")]
    reason: str


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is due, by which version of which calendar."""

    name: str
    due_at: datetime
    calendar: str
    calendar_version: int


class TicketDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket with what is due and what happened."""

    ticket: Ticket
    deadlines: list[Deadline]
    events: list[TicketEvent]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where data come from."""

    source: str
    title: str
    vendor: str | None
    enabled: bool
    watermark_on: Annotated[date | None, Meta(description="Everything before this day has been read completely.")]
    last_success_at: datetime | None
    last_state: str | None
    refused_rows: Annotated[int, Meta(description="Rows in quarantine that wait.")]


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """All sources that may be seen."""

    items: list[Source]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work."""

    id: int
    kind: str
    subject: Annotated[str | None, Meta(description="Code of the source or contract it works on.")]
    state: Annotated[str, Meta(description="`queued`, `running`, `done`, `partial`, `failed`, `skipped` or `cancelled`.")]
    attempt: int
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: Annotated[dict[str, Any], Meta(description="Counts so far.")]
    result: Annotated[dict[str, Any], Meta(description="What it came to.")]


class RunPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of runs, newest first."""

    items: list[Run]
    next: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Work was asked for."""

    run: Annotated[int, Meta(description="Its number, to follow it under `/api/v1/runs`.")]


_PROBLEMS = {
    status: ResponseSpec(data_container=Problem, description=said, media_type=PROBLEM_JSON, generate_examples=False)
    for status, said in (
        (400, "A value cannot be used."),
        (401, "No token, or one that does not hold."),
        (404, "There is nothing here, or nothing that you may see."),
        (503, "The service cannot answer at the moment."),
    )
}


@get("/sites", responses=_PROBLEMS, tags=["Sites"], summary="List sites", operation_id="sites")
async def sites(access: NamedDependency[Scope]) -> Sites:
    """Every site you may see, by vendor and name, how far its data reach, and which of its feeds fell silent."""
    async with transaction(readonly=True) as connection:
        found = await queries.sites(connection, access)
        fresh = freshness.newest(await queries.reaches(connection, access))
        silent = await running.silences(connection, access, datetime.now(UTC).date())
    return Sites(
        items=[
            Site(
                site=one.site,
                name=one.name,
                vendor=one.vendor,
                vendor_name=one.vendor_name,
                country=one.country,
                region=one.region,
                time_zone=one.time_zone,
                data_until=fresh.get(one.site),
                silent=[
                    SilentFeed(workstream=feed.part, measures=feed.measures, data_until=feed.newest_on, source=feed.source)
                    for feed in silent
                    if feed.site == one.site
                ],
            )
            for one in found
        ]
    )


@get(
    "/sites/{site:str}/running", responses=_PROBLEMS, tags=["Sites"], summary="Read a site's running periods", operation_id="running"
)
async def running_periods(access: NamedDependency[Scope], site: FromPath[str]) -> RunningPeriods:
    """What came so far in the periods that are not over, and what the rest would have to bring. Nothing of it is final."""
    async with transaction(readonly=True) as connection:
        _, _, _, months = await site_pages.read(connection, access, site, datetime.now(UTC).date())
    return RunningPeriods(
        items=[
            RunningPeriod(
                contract=month.contract,
                period_from=month.period.from_on,
                period_until=month.period.until_on,
                counted_until=month.counted_until,
                kpis=[_running(one) for one in month.kpis],
            )
            for month in months
        ]
    )


def _running(one: running_month.RunningKpi) -> RunningKpi:
    result, rest = one.result, one.rest
    return RunningKpi(
        kpi=result.kpi,
        dimensions=result.dimensions,
        status=result.status,
        numerator=as_text(result.numerator),
        denominator=as_text(result.denominator),
        value=as_text(result.value),
        unit=result.unit,
        target=as_text(result.target),
        outlook=rest.outlook,
        expected_volume=as_text(shown_number(rest.volume)),
        needed_count=as_text(shown_number(rest.count)),
        needed_rate=as_text(shown_number(rest.rate)),
    )


@get("/contracts", responses=_PROBLEMS, tags=["Contracts"], summary="List contracts", operation_id="contracts")
async def contracts(access: NamedDependency[Scope]) -> Contracts:
    """Every contract you may see, by vendor and code."""
    async with transaction(readonly=True) as connection:
        found = await queries.contract_list(connection, access)
    return Contracts(
        items=[
            ContractInList(
                contract=one.code,
                title=one.title,
                vendor=one.vendor,
                vendor_name=one.vendor_name,
                versions=one.versions,
                in_force_from=one.in_force_from,
                in_force_until=one.in_force_until,
            )
            for one in found
        ]
    )


@get("/contracts/{code:str}", responses=_PROBLEMS, tags=["Contracts"], summary="Read a contract", operation_id="contract")
async def contract(access: NamedDependency[Scope], code: FromPath[str]) -> Contract:
    """A contract with the versions that hold on some day, each as the document that was agreed."""
    async with transaction(readonly=True) as connection:
        detail = await queries.contract(connection, access, code)
    texts = {one.number: one.text for one in detail.agreed}
    return Contract(
        contract=detail.row.code,
        title=detail.row.title,
        vendor=detail.row.vendor,
        vendor_name=detail.row.vendor_name,
        versions=[
            Version(
                number=one.number,
                label=one.document.version,
                in_force_from=one.in_force_from,
                in_force_until=one.in_force_until,
                sha256=one.sha256,
                text=texts[one.number],
            )
            for one in detail.held
        ],
    )


@get("/scorecards", responses=_PROBLEMS, tags=["Scorecards"], summary="List scorecards", operation_id="scorecards")
async def scorecards(
    access: NamedDependency[Scope],
    period_from: Annotated[date | None, QueryParameter(description="Of the period that begins on this day only.")] = None,
    vendor: VendorCode = None,
    site: SiteCode = None,
    contract_code: Annotated[str | None, QueryParameter(name="contract", description="Of this contract only.")] = None,
    card_state: Annotated[str | None, QueryParameter(name="state", description="`draft` or `issued` only.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ScorecardPage:
    """Scorecards in their latest revision, newest period first."""
    async with transaction(readonly=True) as connection:
        found = await queries.cards(
            connection,
            access,
            period_from=period_from,
            vendor=vendor,
            site=site,
            contract=contract_code,
            state=card_state,
            before=parse_cursor(cursor),
            limit=limit + 1,
        )
    shown = found[:limit]
    return ScorecardPage(
        items=[
            ScorecardInList(
                number=one.number,
                revision=one.revision,
                state=one.state,
                contract=one.contract,
                vendor=one.vendor,
                site=one.site,
                period_from=one.period_from,
                period_until=one.period_until,
                score=as_text(one.score),
                standing=one.standing,
                credit=as_text(one.credit) if access.money else None,
                bonus=as_text(one.bonus) if access.money else None,
                currency=one.currency,
                data_as_of=one.data_as_of,
            )
            for one in shown
        ],
        next=cursor_after(shown[-1]) if len(found) > limit else "",
    )


_SCORECARD = {200: ResponseSpec(data_container=Scorecard, description="The scorecard.", generate_examples=False), **_PROBLEMS}


@get("/scorecards/{number:str}", responses=_SCORECARD, tags=["Scorecards"], summary="Read a scorecard", operation_id="scorecard")
async def scorecard(
    request: Request[Any, Any, Any],
    access: NamedDependency[Scope],
    number: FromPath[str],
    revision: Annotated[int | None, QueryParameter(ge=0, description="Not given: the latest.")] = None,
) -> Response[bytes]:
    """The whole document `scorecard/1`: results with their counts, lines of money, trends, and what it rests on.

    Byte for byte what is attached to the PDF of the same edition. Its ETag is the SHA-256 that the PDF prints.
    """
    async with transaction(readonly=True) as connection:
        detail = await queries.card(connection, access, number, revision)
    return _document(request, page.for_edition(detail.document, edition_for(access)))


def _document(request: Request[Any, Any, Any], card: Scorecard) -> Response[bytes]:
    content = to_json(card)
    headers = {"ETag": f'"{page.render_key(card, "client", "en", "json")}"', "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(b"", status_code=304, headers=headers, media_type="application/json")
    return Response(content, headers=headers, media_type="application/json")


_PDF = {200: ResponseSpec(data_container=bytes, description="The PDF.", media_type="application/pdf", generate_examples=False), **_PROBLEMS}


@get("/scorecards/{number:str}/pdf", responses=_PDF, tags=["Scorecards"], summary="Read its PDF", operation_id="scorecard_pdf")
async def scorecard_pdf(
    request: Request[Any, Any, Any],
    access: NamedDependency[Scope],
    service: NamedDependency[Service],
    number: FromPath[str],
    revision: Annotated[int | None, QueryParameter(ge=0, description="Not given: the latest.")] = None,
) -> Response[bytes]:
    """The PDF with the JSON of the scorecard attached."""
    async with transaction(readonly=True) as connection:
        detail = await queries.card(connection, access, number, revision)
    return await pdf_answer(request, service, detail.document, access, as_attachment=True)


@get("/tickets", responses=_PROBLEMS, tags=["Tickets"], summary="List tickets", operation_id="tickets")
async def tickets(
    access: NamedDependency[Scope],
    is_open: Annotated[bool | None, QueryParameter(name="open", description="`true`: open ones only; `false`: closed ones only.")] = None,
    vendor: VendorCode = None,
    site: SiteCode = None,
    level: Annotated[int, QueryParameter(ge=1, le=9, description="Of this level and above.")] = 1,
    limit: Limit = 100,
) -> Tickets:
    """Tickets, those with the earliest deadline first, closed ones last."""
    async with transaction(readonly=True) as connection:
        found = await ticket_queries.listed(
            connection, access, is_open=is_open, vendor=vendor, site=site, level_min=level, limit=limit
        )
    return Tickets(items=[_ticket(row) for row in found])


def _ticket(row: ticket_queries.TicketRow) -> Ticket:
    return Ticket(**{name: getattr(row, name) for name in Ticket.__struct_fields__})


@get("/tickets/{number:str}", responses=_PROBLEMS, tags=["Tickets"], summary="Read a ticket", operation_id="ticket")
async def ticket(access: NamedDependency[Scope], number: FromPath[str]) -> TicketDetail:
    """A ticket with what is due and everything that happened."""
    async with transaction(readonly=True) as connection:
        detail = await ticket_queries.detail(connection, access, number)
    return TicketDetail(
        ticket=_ticket(detail.row),
        deadlines=[Deadline(**{name: getattr(one, name) for name in Deadline.__struct_fields__}) for one in detail.deadlines],
        events=[TicketEvent(**{name: getattr(one, name) for name in TicketEvent.__struct_fields__}) for one in detail.events],
    )


@get("/sources", responses=_PROBLEMS, tags=["Sources"], summary="List sources", operation_id="sources")
async def sources(access: NamedDependency[Scope]) -> Sources:
    """Where data come from, and how well."""
    async with transaction(readonly=True) as connection:
        found = await queries.sources(connection, access)
    return Sources(
        items=[
            Source(
                source=one.code,
                title=one.title,
                vendor=one.vendor,
                enabled=one.enabled,
                watermark_on=one.watermark_on,
                last_success_at=one.last_success_at,
                last_state=one.last_state,
                refused_rows=one.open_refused,
            )
            for one in found
        ]
    )


@post(
    "/sources/{code:str}/pulls",
    responses=_PROBLEMS,
    status_code=202,
    tags=["Sources"],
    summary="Ask for a pull",
    operation_id="pull_source",
)
async def pull_source(request: Request[Any, Any, Any], access: NamedDependency[Scope], code: FromPath[str]) -> Asked:
    """Ask for the source to be pulled now. Where a pull is waiting or running already, that one is meant."""
    who: Identity = request.scope["user"]
    return Asked(run=await running.ask_for_pull(access, code, who.actor))


@get("/runs", responses=_PROBLEMS, tags=["Runs"], summary="List runs", operation_id="runs")
async def runs(
    access: NamedDependency[Scope],
    kind: Annotated[str | None, QueryParameter(description="Of this kind only, such as `pull`.")] = None,
    run_state: Annotated[str | None, QueryParameter(name="state", description="In this state only.")] = None,
    limit: Limit = 50,
    cursor: Annotated[int | None, QueryParameter(ge=1, description="Where the page before ended: its `next`.")] = None,
) -> RunPage:
    """What was done, is being done and waits, newest first."""
    async with transaction(readonly=True) as connection:
        found = await queries.run_list(connection, access, kind=kind, state=run_state, before=cursor, limit=limit + 1)
    return RunPage(items=_runs(found[:limit]), next=str(found[limit - 1].id) if len(found) > limit else "")


def _runs(found: Sequence[queries.RunRow]) -> list[Run]:
    return [Run(**{name: getattr(row, name) for name in Run.__struct_fields__}) for row in found]


@get("/openapi.json", include_in_schema=False)
async def description(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """The API as an OpenAPI 3.1 document."""
    return Response(request.app.openapi_schema.to_schema(), media_type="application/vnd.oai.openapi+json")


router = Router(
    path="/api/v1",
    route_handlers=[
        sites,
        running_periods,
        contracts,
        contract,
        scorecards,
        scorecard,
        scorecard_pdf,
        tickets,
        ticket,
        sources,
        pull_source,
        runs,
        description,
    ],
)
