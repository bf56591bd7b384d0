"""A contract's escalation part, and results as a scoring run gives them, in the terms the rules of this package use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction

from contracts import document
from contracts.business_time import DEFAULT_CONVENTIONS, Calendar, Conventions, Span, Week
from scorecards.scorecard import KpiResult
from vendor_mgmt.escalations.conditions import Window
from vendor_mgmt.escalations.rules import (
    DEFAULT_LEVELS,
    BusinessSpan,
    LevelParameters,
    Observation,
    Policy,
    RuleKind,
    RuleParameters,
    Series,
    Severity,
    canonical_dimensions,
)

__all__ = ["observation_of", "office_hours", "policy_of", "rules_of", "series_of"]


def rules_of(escalation: document.Escalation) -> tuple[RuleParameters, ...]:
    """The contract's rules. One on missing data clears with the first period that comes."""
    return tuple(_rule(each) for each in escalation.rules)


def _rule(rule: document.EscalationRule) -> RuleParameters:
    if rule.on.no_data is not None:
        return RuleParameters(
            name=rule.name,
            kind=RuleKind.MISSING,
            kpi=rule.on.kpi,
            window=Window(open_m=rule.on.no_data, open_n=rule.on.no_data, clear_n=1),
            severity=Severity(rule.severity),
            clause=rule.clause,
        )
    return RuleParameters(
        name=rule.name,
        kpi=rule.on.kpi,
        level=rule.on.missed,
        clear_level=rule.clear.level if rule.clear.level != rule.on.missed else None,
        window=Window(open_m=rule.on.at_least, open_n=rule.on.last, clear_n=rule.clear.good),
        severity=Severity(rule.severity),
        clause=rule.clause,
    )


def policy_of(escalation: document.Escalation, *, calendar: str, conventions: Conventions = DEFAULT_CONVENTIONS) -> Policy:
    """The contract's levels and clocks; `calendar` is the code of the business time that holds where it names none.

    The document counts each level from the one below; here all are counted from the opening, because a level that did not apply
    must not keep the ones above it waiting.
    """
    levels = []
    passed: BusinessSpan | None = None
    for each in escalation.levels:
        if each.after is not None:
            own = BusinessSpan(days=each.after.days, hours=Decimal(each.after.hours))
            passed = own if passed is None else passed + own
        levels.append(
            LevelParameters(
                level=each.level,
                to=tuple(each.to),
                after=passed if each.after is not None else None,
                unless=each.after.unless if each.after is not None else "acknowledged",
                acknowledge_within=_span(each.acknowledge_within),
                plan_within=_span(each.plan_within),
                agenda=each.agenda,
            )
        )
    return Policy(
        calendar=escalation.calendar or calendar,
        conventions=conventions,
        reopen_within_periods=escalation.reopen_within_periods,
        levels=tuple(levels) or DEFAULT_LEVELS,
    )


def _span(within: document.Within | None) -> BusinessSpan | None:
    return None if within is None else BusinessSpan(days=within.days, hours=Decimal(within.hours))


def office_hours(code: str, time_zone: str) -> Calendar:
    """The business time of a contract that names no calendar: Monday to Friday, 09:00 to 17:00."""
    hours = (Span("09:00", "17:00"),)
    return Calendar(id=code, time_zone=time_zone, week=Week(mon=hours, tue=hours, wed=hours, thu=hours, fri=hours))


def observation_of(result: KpiResult) -> Observation:
    """A result as the rules see it: which of its named levels it met, by the boundary the KPI is judged by.

    The verdict on the target is the scoring's own; the other levels are compared with the value that was compared there.
    """
    compared = result.compared if result.compared is not None else result.value
    met = {}
    if compared is not None:
        met = {name: _meets(Fraction(compared), Fraction(at), result.boundary) for name, at in result.levels.items()}
    if result.met is not None:
        met["target"] = result.met
    return Observation(
        from_=result.from_,
        until=result.until,
        status=result.status,
        met=met,
        value=result.value,
        counts=(result.numerator, result.denominator),
    )


def _meets(value: Fraction, level: Fraction, boundary: str) -> bool:
    match boundary:
        case "at_least":
            return value >= level
        case "more_than":
            return value > level
        case "at_most":
            return value <= level
        case "less_than":
            return value < level
        case _:
            raise ValueError(f"{boundary!r} is no boundary: at_least, more_than, at_most or less_than")


def series_of(results: Iterable[KpiResult], *, vendor: str, lineage: str) -> tuple[Series, ...]:
    """The results of one contract as series, one for each site, dimensions and KPI; `lineage` is the code of its first contract."""
    grouped: dict[tuple[str, str, str], list[KpiResult]] = {}
    for result in results:
        grouped.setdefault((result.site or "", canonical_dimensions(result.dimensions), result.kpi), []).append(result)
    return tuple(_series(group, vendor, lineage) for _, group in sorted(grouped.items(), key=lambda item: item[0]))


def _series(group: list[KpiResult], vendor: str, lineage: str) -> Series:
    dimensions: Mapping[str, str] = group[0].dimensions
    return Series(
        vendor=vendor,
        contract=lineage,
        site=group[0].site or "",
        kpi=group[0].kpi,
        dimensions=dimensions,
        observations=tuple(sorted((observation_of(each) for each in group), key=lambda each: each.from_)),
    )
