"""Sensible values for tickets, rules, results and calendars, each of which a test may overrule by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from contracts.business_time import Calendar, Clock, Holiday, Span, Week, clock
from vendor_mgmt.escalations import plans
from vendor_mgmt.escalations.conditions import PeriodKind, Window
from vendor_mgmt.escalations.rules import (
    BusinessSpan,
    LevelParameters,
    Observation,
    Policy,
    RuleParameters,
    Series,
    Severity,
    Status,
    TicketKey,
)
from vendor_mgmt.escalations.tickets import Actor, Calendars, Ticket, Transition, open_ticket

NINE_TO_FIVE = (Span("09:00", "17:00"),)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

VENDOR = Actor(number=11, side="vendor")
OTHER_VENDOR = Actor(number=12, side="vendor")
CLIENT = Actor(number=21, side="client")


def office(
    zone: str = "Europe/Lisbon",
    *,
    days: Sequence[str] = ("mon", "tue", "wed", "thu", "fri"),
    hours: Sequence[tuple[str, str]] = (("09:00", "17:00"),),
    holidays: Sequence[date] = (),
    name: str = "office",
    version: int = 1,
) -> Clock:
    week: dict[str, Any] = {day: tuple(Span(*each) for each in hours) for day in days}
    return clock(
        Calendar(
            id=name,
            version=version,
            time_zone=zone,
            week=Week(**week),
            holidays=tuple(Holiday(on=each, name="holiday") for each in holidays),
        )
    )


def calendars(vendor: Clock | None = None, client: Clock | None = None) -> Calendars:
    vendor = vendor or office()
    return Calendars(vendor=vendor, client=client or vendor)


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def month(number: int) -> date:
    """The first day of the `number`-th month counted from January 2026 as 0."""
    return date(2026 + number // 12, number % 12 + 1, 1)


STATUS_OF: Mapping[str, Status] = {"X": "relieved", "U": "no_data"}


def observation(index: int, kind: str, **changes: Any) -> Observation:
    """A month that is good (G), inside the band (H), a breach (B), excluded (X) or missing (U)."""
    given: dict[str, Any] = {
        "from_": month(index),
        "until": month(index + 1),
        "status": STATUS_OF.get(kind, "measured"),
        "met": {"target": kind in "GH", "clear": kind == "G"} if kind in "GHB" else {},
    }
    return Observation(**{**given, **changes})


def series(letters: str, **changes: Any) -> Series:
    given: dict[str, Any] = {
        "vendor": "harbour-cx",
        "contract": "IB-2026-03",
        "site": "lisbon-1",
        "kpi": "accuracy",
        "dimensions": {"workstream": "product-moderation"},
        "observations": tuple(observation(index, letter) for index, letter in enumerate(letters)),
    }
    return Series(**{**given, **changes})


def rule(**changes: Any) -> RuleParameters:
    given: dict[str, Any] = {"name": "accuracy missed", "kpi": "accuracy", "window": Window(open_m=1, open_n=1, clear_n=2)}
    return RuleParameters(**{**given, **changes})


def levels() -> tuple[LevelParameters, ...]:
    return (
        LevelParameters(level=1, to=("vendor.site_lead", "client.partner_manager")),
        LevelParameters(
            level=2, after=BusinessSpan(days=3), unless="acknowledged", to=("vendor.country_head", "client.regional_lead")
        ),
        LevelParameters(
            level=3, after=BusinessSpan(days=10), unless="plan_approved", to=("vendor.executive", "client.director"), agenda="board"
        ),
    )


def policy(**changes: Any) -> Policy:
    given: dict[str, Any] = {"calendar": "office", "levels": levels()}
    return Policy(**{**given, **changes})


def key(**changes: str) -> TicketKey:
    given = {"contract": "IB-2026-03", "site": "lisbon-1", "dimensions": "[]", "kpi": "accuracy", "rule": "accuracy missed"}
    return TicketKey(**{**given, **changes})


OPENED_AT = utc(2026, 4, 6, 9)  # a Monday, 10:00 in Lisbon


def opened(**changes: Any) -> Transition:
    given: dict[str, Any] = {
        "vendor": "harbour-cx",
        "rule": rule(),
        "policy": policy(),
        "severity": Severity.SERIOUS,
        "period_from": date(2026, 3, 1),
        "period_until": date(2026, 4, 1),
        "at": OPENED_AT,
        "calendars": calendars(),
    }
    return open_ticket(changes.pop("key", key()), **{**given, **changes})


def ticket(**changes: Any) -> Ticket:
    return opened(**changes).ticket


def action(**changes: Any) -> plans.Action:
    given: dict[str, Any] = {
        "text": "Add the three policy areas with most errors to the tool's decision tree",
        "owner": "vendor.quality_lead",
        "due_on": date(2026, 5, 8),
    }
    return plans.Action(**{**given, **changes})


def plan(**changes: Any) -> plans.Plan:
    given: dict[str, Any] = {
        "root_cause": "The handbook's version 7.2 reached the tool two weeks late, so moderators decided by the old policy",
        "causes": ("decisions followed the old policy", "the tool showed the old policy", "nobody owns the hand-over of versions"),
        "containment": "A second look at every decision in the three policy areas",
        "actions": (action(),),
        "success": plans.SuccessCriterion(kpi="accuracy"),
    }
    return plans.Plan(**{**given, **changes})


def kinds_of(letters: str) -> tuple[PeriodKind, ...]:
    return tuple(PeriodKind(letter) for letter in letters)


def decimal(text: str) -> Decimal:
    return Decimal(text)
