from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Finding
from tests.vendor_mgmt.escalations.builders import action, month, plan
from vendor_mgmt.escalations import plans
from vendor_mgmt.escalations.conditions import PeriodKind
from vendor_mgmt.escalations.plans import Outcome, Plan, SuccessCriterion

SUBMITTED_ON = date(2026, 4, 10)


def check(found: Plan, form: plans.Form = "five_why") -> tuple[Finding, ...]:
    return plans.check(found, kpi="accuracy", form=form, submitted_on=SUBMITTED_ON)


def test_a_complete_plan_draws_nothing() -> None:
    assert check(plan()) == ()


@pytest.mark.parametrize(
    ("owner", "message"),
    [
        ("", "has no owner"),
        ("Maria Santos", "'Maria Santos' is not exactly one role"),
        ("vendor.quality_lead, vendor.site_lead", "is not exactly one role"),
        ("vendor.quality_lead and client.partner_manager", "is not exactly one role"),
        ("quality_lead", "is not exactly one role"),
    ],
)
def test_an_action_has_exactly_one_owner_and_that_is_a_role(owner: str, message: str) -> None:
    [finding] = check(plan(actions=(action(owner=owner),)))
    assert finding.severity == "error"
    assert finding.where == "$.actions[0].owner"
    assert message in finding.message


def test_an_action_has_a_day_that_lies_ahead() -> None:
    assert [each.where for each in check(plan(actions=(action(due_on=None),)))] == ["$.actions[0].due_on"]
    assert [each.where for each in check(plan(actions=(action(due_on=date(2026, 4, 9)),)))] == ["$.actions[0].due_on"]
    assert check(plan(actions=(action(due_on=date(2026, 4, 9), done_on=date(2026, 4, 8), evidence="case 1"),))) == ()


@pytest.mark.parametrize(
    ("success", "where"),
    [
        (None, "$.success"),
        (SuccessCriterion(kpi="tat"), "$.success.kpi"),
        (SuccessCriterion(kpi="accuracy", level="floor"), "$.success.level"),
        (SuccessCriterion(kpi="accuracy", good_periods=1), "$.success.good_periods"),
    ],
)
def test_success_is_the_kpi_itself_at_its_level_for_long_enough(success: SuccessCriterion | None, where: str) -> None:
    assert [(each.severity, each.where) for each in check(plan(success=success))] == [("error", where)]


@pytest.mark.parametrize(
    "cause", ["Operator error", "The moderators need retraining", "Human mistakes", "The night shift was not careful: coaching needed"]
)
def test_people_as_the_root_cause_draw_a_remark(cause: str) -> None:
    assert [(each.severity, each.where) for each in check(plan(root_cause=cause))] == [("warning", "$.root_cause")]


def test_training_is_a_fair_part_of_a_plan_and_a_remark_when_it_is_all_of_it() -> None:
    training = action(text="Refresher training for all shifts")
    assert check(plan(actions=(training, action()))) == ()
    assert [(each.severity, each.where) for each in check(plan(actions=(training,)))] == [("warning", "$.actions")]
    assert check(plan(root_cause="Training used version 7.1 of the handbook because its release reached the tool late")) == ()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Remove or retrain Maria Santos from the queue", "Maria Santos"),
        ("Dismiss moderator Ortiz and change the script", "Ortiz"),
        ("Coaching João da Silva on the policy handbook", "João da Silva"),
        ("let go of Mr. Brown after the process review", "Brown"),
    ],
)
def test_a_text_about_a_person_draws_a_remark(text: str, name: str) -> None:
    [finding] = check(plan(actions=(action(text=text), action())))
    assert (finding.severity, finding.where) == ("warning", "$.actions[0].text")
    assert repr(name) in finding.message


@pytest.mark.parametrize(
    "text",
    ["Retrain Team Leads on the new tool", "Remove duplicates from the queue", "Replace the Spanish script", "Retrain QA with the handbook",
     "Remove Policy 7.1 from the tool"],
)  # fmt: skip
def test_work_on_things_and_roles_draws_none(text: str) -> None:
    assert check(plan(actions=(action(text=text), action()))) == ()


def test_a_problem_that_came_back_asks_for_the_full_form() -> None:
    assert {each.where for each in check(plan(causes=()), "full")} == {"$.form", "$.prevention", "$.team", "$.causes"}
    full = plan(form="full", prevention="Every hand-over has an owner", team=("vendor.quality_lead", "client.policy_lead"))
    assert check(full, "full") == ()


@pytest.mark.parametrize(("days", "form"), [(89, "full"), (90, "five_why")])
def test_back_within_ninety_days_is_a_repeat(days: int, form: str) -> None:
    closed_on = date(2026, 1, 31)
    assert plans.required_form(closed_on, closed_on + timedelta(days=days)) == form
    assert plans.required_form(None, closed_on) == "five_why"


def test_expected_values_stand_beside_the_actual_ones() -> None:
    milestones = (plans.Milestone(period_from=month(5), expected=Decimal(95)), plans.Milestone(period_from=month(4), expected=Decimal(93)))
    gaps = plans.milestone_gaps(plan(milestones=milestones), {month(4): Decimal("92.5")})
    assert [(each.expected, actual) for each, actual in gaps] == [(Decimal(93), Decimal("92.5")), (Decimal(95), None)]


kinds = st.lists(st.sampled_from(list(PeriodKind)), max_size=12)


@given(kinds, st.integers(1, 4))
def test_effectiveness_is_decided_by_the_first_breach_or_the_last_of_the_good_periods(series: list[PeriodKind], need: int) -> None:
    found = plans.effectiveness(list(enumerate(series)), need=need)
    if found.outcome is Outcome.OBSERVING:
        assert PeriodKind.BREACH not in series
        assert found.missing
        return
    assert found.period is not None
    before = series[: found.period + 1]
    if found.outcome is Outcome.INEFFECTIVE:
        assert before.index(PeriodKind.BREACH) == found.period
    else:
        judged = [kind for kind in before if kind.is_evaluated]
        assert judged[-need:] == [PeriodKind.GOOD] * need
        assert PeriodKind.BREACH not in judged


@pytest.mark.parametrize(("days_min", "outcome"), [(60, Outcome.EFFECTIVE), (93, Outcome.OBSERVING)])
def test_good_periods_alone_are_not_enough_before_the_shortest_observation(days_min: int, outcome: Outcome) -> None:
    observed = [(4, PeriodKind.GOOD), (5, PeriodKind.GOOD), (6, PeriodKind.GOOD)]
    ends = {index: month(index + 1) for index in range(8)}
    result = plans.effectiveness(observed, need=3, days_min=days_min, implemented_at=date(2026, 5, 1), period_until=ends)
    assert result.outcome is outcome


def test_only_whole_periods_after_implementation_are_observed() -> None:
    periods = [(month(index), month(index + 1)) for index in range(4)]
    given_kinds = [PeriodKind.GOOD] * 4
    assert [index for index, _ in plans.observed_kinds(periods, given_kinds, date(2026, 1, 31))] == [1, 2, 3]
    assert [index for index, _ in plans.observed_kinds(periods, given_kinds, date(2026, 2, 1))] == [2, 3]
