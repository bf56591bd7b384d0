"""One site: what of it is silent, where it stands in the running month, its tickets and its scorecards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from contracts.errors import NotFound
from scorecards import explaining, formats
from scorecards.running import Outlook
from scorecards.scorecard import shown
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.database import transaction
from vendor_mgmt.escalations import queries as ticket_queries
from vendor_mgmt.escalations.queries import TicketRow
from vendor_mgmt.intake import freshness
from vendor_mgmt.intake.freshness import Silence
from vendor_mgmt.pages import queries, running, tickets
from vendor_mgmt.pages.marks import Mark, Tone
from vendor_mgmt.pages.portfolio import in_force, silence_of
from vendor_mgmt.pages.queries import CardRow, SiteRow
from vendor_mgmt.pages.rendering import WORDS, show
from vendor_mgmt.pages.scorecards import ListedCard, listed_card
from vendor_mgmt.running_month import RunningKpi, RunningMonth, running_month

CARDS_SHOWN = 14

_OUTLOOKS: dict[Outlook, tuple[str, Tone]] = {
    "safe": ("✓", "good"),
    "on_course": ("✓", "good"),
    "behind": ("✗", "warn"),
    "impossible": ("✗✗", "bad"),
    "unknown": ("•", "plain"),
}


_GRAVEST_FIRST: tuple[Outlook, ...] = ("impossible", "behind", "on_course", "safe", "unknown")


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A KPI in the running period."""

    title: str
    so_far: str
    counts: str
    target: str
    outlook: Mark
    rest: str


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """The running period of one contract."""

    title: str
    counted: str
    rows: list[Running]


class SitePage(msgspec.Struct, frozen=True, kw_only=True):
    """What the page of a site shows."""

    name: str
    vendor: str
    place: str
    data: str
    silences: list[str]
    months: list[Month]
    tickets: list[tickets.Listed]
    cards: list[ListedCard]
    all_cards: str


@get("/sites/{code:str}", include_in_schema=False)
async def site(request: Request[Any, Any, Any], access: NamedDependency[Scope], code: FromPath[str]) -> Response[str]:
    """One site. Raises `NotFound` where there is none of that code within the scope."""
    today = datetime.now(UTC).date()
    async with transaction(readonly=True) as connection:
        row, silent, newest, months = await read(connection, access, code, today)
        found = await ticket_queries.listed(connection, access, site=code)
        titles = await tickets.titles_of(connection, access)
        cards = await queries.cards(connection, access, site=code, limit=CARDS_SHOWN)
    if not access.money:
        cards = [msgspec.structs.replace(card, credit=None, bonus=None) for card in cards]
    return show(request, "site.html", compose(row, silent, newest, months, found, titles, cards, datetime.now(UTC)))


async def read(
    connection: Any, access: Scope, code: str, today: date
) -> tuple[SiteRow, list[Silence], date | None, list[RunningMonth]]:
    """The site, its silent feeds, its newest day, and its running periods by contract."""
    row = next((one for one in await queries.sites(connection, access) if one.site == code), None)
    if row is None:
        raise NotFound(f"there is no site {code}")
    contracts = await queries.contract_list(connection, access)
    held = in_force(await queries.documents(connection, [one.lineage for one in contracts]), today)
    of_site = dict.fromkeys(one.contract for one in held if any(scope.site == code for scope in one.scope))
    months = [await running_month(connection, contract, code, today) for contract in of_site]
    silent = [one for one in await running.silences(connection, access, today) if one.site == code]
    newest = freshness.newest(await queries.reaches(connection, access)).get(code)
    return row, silent, newest, [one for one in months if one is not None]


def compose(
    row: SiteRow,
    silent: Sequence[Silence],
    newest: date | None,
    months: Sequence[RunningMonth],
    found: Sequence[TicketRow],
    titles: dict[str, str],
    cards: Sequence[CardRow],
    now: datetime,
) -> SitePage:
    """The page, from what was read."""
    by_part: dict[str, list[Silence]] = {}
    for one in silent:
        by_part.setdefault(one.part, []).append(one)
    return SitePage(
        name=row.name,
        vendor=row.vendor_name,
        place=" · ".join(filter(None, [row.country, row.region, row.time_zone])),
        data=formats.short_day(newest, WORDS) if newest is not None else WORDS("silent.nothing"),
        silences=[silence_of(part, of_part) for part, of_part in by_part.items()],
        months=[_month(one) for one in months],
        tickets=[tickets.listed(one, {row.site: row}, titles, now) for one in found],
        cards=[listed_card(card) for card in cards],
        all_cards=f"/scorecards?site={row.site}",
    )


def _month(month: RunningMonth) -> Month:
    ranked = sorted(month.kpis, key=lambda one: (one.result.status != "no_data", _GRAVEST_FIRST.index(one.rest.outlook)))
    return Month(
        title=f"{formats.period(month.period.from_on, month.period.until_on, WORDS)} · {month.contract}",
        counted=WORDS.count("running.counted", month.days_left, until=formats.short_span(month.period.from_on, month.counted_until, WORDS)),
        rows=[_row(one) for one in ranked],
    )


def _row(one: RunningKpi) -> Running:
    result, rest = one.result, one.rest
    sign, tone = _OUTLOOKS[rest.outlook]
    outlook = Mark(sign=sign, word=WORDS(f"outlook.{rest.outlook}"), tone=tone)
    if result.status == "no_data":
        outlook = Mark(sign="○", word=WORDS("status.no_data"), tone="bad")
    boundary = WORDS.get(f"boundary.{result.boundary}", "")
    counts = ""
    if result.numerator is not None and result.denominator is not None:
        counts = WORDS(
            "panel.counts",
            numerator=formats.number(result.numerator, WORDS.language),
            denominator=formats.number(result.denominator, WORDS.language),
        )
    value = result.value if result.value is not None and result.status in ("measured", "not_measured") else None
    return Running(
        title=explaining.result_title(result, WORDS),
        so_far=formats.quantity(value, result.unit, WORDS, most=2, beside=(result.target,))
        if value is not None
        else formats.DASH,
        counts=counts,
        target=f"{boundary}{formats.THIN}{formats.quantity(result.target, result.unit, WORDS, most=4)}"
        if result.target is not None
        else formats.DASH,
        outlook=outlook,
        rest=_rest(one),
    )


def _rest(one: RunningKpi) -> str:
    """What the rest has to bring, in a sentence; nothing where nothing is asked any more."""
    rest, result = one.rest, one.result
    if rest.outlook not in ("on_course", "behind") or rest.count is None or rest.rate is None:
        return ""
    side = "least" if result.better == "higher" else "most"
    if rest.volume is None:
        return WORDS(f"rest.sum.{side}", count=_number(rest.count), rate=_number(rest.rate))
    rate = formats.quantity(shown(rest.rate), result.unit, WORDS, most=2)
    if result.unit == "percent":
        return WORDS(f"rest.share.{side}", rate=rate, count=_number(rest.count), volume=_number(rest.volume))
    return WORDS(f"rest.mean.{side}", rate=rate, volume=_number(rest.volume))


def _number(value: Fraction) -> str:
    return formats.number(shown(value) or Decimal(0), WORDS.language, most=1 if value.denominator != 1 and abs(value) < 100 else 0)
