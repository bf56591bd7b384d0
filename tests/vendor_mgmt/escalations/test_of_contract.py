from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from contracts.document import After, Clear, Escalation, EscalationLevel, EscalationRule, Trigger, Within
from scorecards.scorecard import KpiResult
from vendor_mgmt.escalations.conditions import PeriodKind, Window
from vendor_mgmt.escalations.of_contract import observation_of, office_hours, policy_of, rules_of, series_of
from vendor_mgmt.escalations.rules import BusinessSpan, RuleKind, kinds

ESCALATION = Escalation(
    rules=[
        EscalationRule(name="accuracy missed", on=Trigger(kpi="accuracy", missed="floor", last=3, at_least=2), clear=Clear(good=2)),
        EscalationRule(name="data late", on=Trigger(no_data=2), severity="critical", clause="7.3"),
    ],
    levels=[
        EscalationLevel(level=1, to=["vendor.site_lead"], acknowledge_within=Within(days=1), plan_within=Within(days=5)),
        EscalationLevel(level=2, to=["client.regional_lead"], after=After(days=3)),
        EscalationLevel(level=3, to=["client.director"], after=After(days=7, hours=4, unless="plan_approved"), agenda="board"),
    ],
)


def result(**changes: object) -> KpiResult:
    given: dict[str, object] = {
        "kpi": "accuracy",
        "site": "lisbon-1",
        "from_": date(2026, 3, 1),
        "until": date(2026, 4, 1),
        "value": Decimal("91.5"),
        "status": "measured",
        "met": False,
        "levels": {"floor": Decimal(90), "target": Decimal(93)},
    }
    return KpiResult(**{**given, **changes})  # type: ignore[arg-type]


def test_rules_are_read_from_the_contract() -> None:
    missed, late = rules_of(ESCALATION)
    assert (missed.level, missed.clear_level, missed.window) == ("floor", "target", Window(open_m=2, open_n=3, clear_n=2))
    assert (late.kind, late.kpi, late.window) == (RuleKind.MISSING, None, Window(open_m=2, open_n=2, clear_n=1))


def test_levels_counted_from_the_one_below_are_counted_from_the_opening() -> None:
    policy = policy_of(ESCALATION, calendar="lisbon-office")
    assert [each.after for each in policy.levels] == [None, BusinessSpan(days=3), BusinessSpan(days=10, hours=Decimal(4))]
    assert (policy.calendar, policy.level(1).plan_within) == ("lisbon-office", BusinessSpan(days=5))
    assert policy_of(Escalation(), calendar="x").top_level == 1


def test_between_the_floor_and_the_target_a_period_neither_breaches_nor_clears() -> None:
    [missed, _] = rules_of(ESCALATION)
    observed = [observation_of(each) for each in (result(), result(value=Decimal(89)), result(value=Decimal(93), met=True))]
    assert kinds(observed, missed) == (PeriodKind.SHORT, PeriodKind.BREACH, PeriodKind.GOOD)


@pytest.mark.parametrize(
    ("boundary", "value", "met"),
    [("at_least", 90, True), ("more_than", 90, False), ("at_most", 90, True), ("less_than", 90, False), ("at_most", 91, False)],
)
def test_meeting_a_level_exactly_is_decided_by_its_word(boundary: str, value: int, met: bool) -> None:  # noqa: FBT001
    assert observation_of(result(boundary=boundary, value=Decimal(value))).met["floor"] is met


def test_a_rounded_value_is_judged_as_the_contract_compared_it() -> None:
    assert observation_of(result(value=Decimal("89.996"), compared=Decimal("90.00"))).met["floor"]


def test_a_month_without_a_value_meets_and_misses_nothing() -> None:
    assert observation_of(result(value=None, status="no_data", met=None)).met == {}


def test_results_become_one_series_for_each_place_and_kpi_in_order() -> None:
    later = result(from_=date(2026, 4, 1), until=date(2026, 5, 1))
    results = [later, result(), result(kpi="tat"), result(dimensions={"language": "pt"})]
    found = series_of(results, vendor="harbour-cx", lineage="IB-2026-03")
    assert [(each.kpi, dict(each.dimensions), len(each.observations)) for each in found] == [
        ("accuracy", {"language": "pt"}, 1),
        ("accuracy", {}, 2),
        ("tat", {}, 1),
    ]
    assert [each.from_ for each in found[1].observations] == [date(2026, 3, 1), date(2026, 4, 1)]


def test_without_a_calendar_business_is_monday_to_friday_nine_to_five() -> None:
    calendar = office_hours("IB-2026-03", "Europe/Lisbon")
    assert (str(calendar.week), calendar.time_zone) == (str(office_hours("x", "UTC").week), "Europe/Lisbon")
