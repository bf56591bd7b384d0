"""Pricing, rule by rule: what small terms of a clause do to the money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

import msgspec
import pytest

from contracts.document import Contract, InForce
from contracts.period import add_months
from contracts.reading import read
from scorecards.evaluating import Evaluation, Version, evaluate_rows, version_of
from scorecards.measurement import Opening, Relief, Row
from scorecards.scorecard import Total

START = date(2026, 1, 1)


def contract(money: str, kpis: str = "k: {title: K, value: {given: result}, unit: percent, target: 95}", more: str = "") -> Contract:
    text = f"""
contract: c
title: t
vendor: v
currency: EUR
in_force: {{from: 2026-01-01}}
measures: {{fee: {{money: true}}, result: {{given: true}}, other: {{given: true}}, count: {{}}, days_late: {{}}}}
kpis:
  {kpis}
money:
{money}
{more}
"""
    return read(text.encode(), Contract, name="c.yaml").required()


def months(figures: Mapping[str, Sequence[object]]) -> list[Row]:
    return [
        Row("s", measure, (), add_months(START, n), add_months(START, n + 1), "month", Decimal(str(value)))
        for measure, values in figures.items()
        for n, value in enumerate(values)
        if value is not None
    ]


def run(of: Contract, figures: Mapping[str, Sequence[object]], **more: object) -> Evaluation:
    return evaluate_rows([version_of(of)], months(figures), **more)  # type: ignore[arg-type] # relief and opening, by name


def totals(evaluation: Evaluation) -> list[Total]:
    return [total for total in evaluation.totals if total.scope == {}]


def credits_of(of: Contract, figures: Mapping[str, Sequence[object]], **more: object) -> list[str]:
    return [str(total.credit) for total in totals(run(of, figures, **more))]


@pytest.mark.parametrize(("then", "paid"), [("dropped", ["0.00", "1.00"]), ("lifted", ["1.00", "1.00"])])
def test_a_credit_below_one_is_dropped_or_lifted_as_the_contract_says(then: str, paid: list[str]) -> None:
    of = contract(
        f"  bases: {{fee: {{measure: fee}}}}\n  credits: [{{for: k, pay: {{percent: 10, of: fee}}}}]\n  minimum: {{below: 1, then: {then}}}"
    )
    assert credits_of(of, {"fee": [9, 10], "result": [90, 90]}) == paid


def test_a_rate_that_is_indexed_is_a_rule_for_each_year() -> None:
    of = contract(
        "  credits:\n    - {for: k, until: 2026-03-01, pay: {amount: 500}}\n    - {for: k, from: 2026-03-01, pay: {amount: 515}}"
    )
    assert credits_of(of, {"result": [90, 90, 90]}) == ["500.00", "500.00", "515.00"]


def test_a_bonus_is_not_paid_while_its_gate_is_closed() -> None:
    kpis = "k: {title: K, value: {given: result}, unit: percent, target: 95}\n"
    kpis += "  gate: {title: G, value: {given: other}, unit: percent, target: 99}"
    of = contract("  bonuses: [{for: k, unless: {kpi: gate, missed: target}, pay: {amount: 100}}]", kpis)
    assert [str(one.bonus) for one in totals(run(of, {"result": [96, 96, 90], "other": [99, 98, 99]}))] == ["100.00", "0.00", "0.00"]


def test_a_hold_back_is_released_by_the_score() -> None:
    kpis = "k: {title: K, value: {given: result}, unit: percent, score: {line: [[0, 0], [100, 100]]}, weight: 100}"
    hold = "  bases: {fee: {measure: fee}, held: {percent: 10, of: fee}}\n"
    pay = "{percent: {line: [[60, 0], [90, 100]]}, of: held, by: {total: score}}"
    of = contract(f"{hold}  bonuses: [{{name: released, for_each: [site], pay: {pay}}}]", kpis)
    assert [str(one.bonus) for one in totals(run(of, {"fee": [1000, 1000, 1000], "result": [60, 75, 95]}))] == ["0.00", "50.00", "100.00"]


@pytest.mark.parametrize(("on", "paid"), [("", "10.00"), (", on: [first]", "13.00")])
def test_a_cap_holds_for_everything_or_only_for_the_rules_it_names(on: str, paid: str) -> None:
    of = contract(
        "  credits:\n    - {name: first, for: k, pay: {amount: 12}}\n    - {name: again, for: k, pay: {amount: 3}}\n"
        f"  caps: [{{amount: 10{on}}}]"
    )
    assert credits_of(of, {"result": [90]}) == [paid]


def test_a_late_report_gives_points_for_the_first_day_and_more_for_each_further_one() -> None:
    kpis = (
        "report: {title: Monthly report, value: {sum: days_late}, unit: days, better: lower, target: 0, "
        "points: {line: [[0, 0], [1, 1], [11, 31]]}}"
    )
    of = contract("  credits: []", kpis)
    assert [result.points for result in run(of, {"days_late": [0, 1, 3]}).results] == [0, 1, 7]


def test_a_rolling_cap_takes_what_was_paid_in_the_eleven_months_before_off() -> None:
    of = contract(
        "  bases: {fee: {measure: fee}}\n  credits: [{for: k, pay: {percent: 3, of: fee}}]\n  caps: [{rolling: 12, percent: 10, of: fee}]"
    )
    before = [Opening(date(2025, 12, 1), "credit", "0.9", "s"), Opening(date(2025, 12, 1), "charge", "0", "s")]
    assert credits_of(of, {"fee": [10], "result": [90]}, opening=before) == ["0.10"]


def test_what_a_cap_cut_is_lost_or_owed_in_the_next_month() -> None:
    rule = "  credits: [{{for: k, pay: {{amount: 30}}}}]\n  caps: [{{amount: 20, excess: {excess}}}]"
    figures = {"result": [90, 99, 99]}
    assert credits_of(contract(rule.format(excess="lost")), figures) == ["20.00", "0.00", "0.00"]
    assert credits_of(contract(rule.format(excess="carried")), figures) == ["20.00", "10.00", "0.00"]


def test_one_miss_or_one_month_without_data_ends_the_run_of_an_earn_back() -> None:
    of = contract("  credits: [{for: k, pay: {amount: 100}}]\n  earn_back: [{percent: 50, periods: 2}]")
    back = [[str(one.earned_back) for one in totals(run(of, {"fee": [1] * 4, "result": held}))] for held in
            ([90, 95, 95, 95], [90, 94, 95, 95], [90, None, 95, 95])]
    assert back[0] == ["0.00", "0.00", "50.00", "0.00"]
    assert back[1] == ["0.00", "0.00", "0.00", "50.00"]
    assert back[2] == ["0.00", "0.00", "0.00", "0.00"]


def test_a_ratchet_waits_while_one_month_only_equals_the_level() -> None:
    of = contract("  credits: []", more="ratchets: [{kpi: k, periods: 3}]")
    assert [one.new for one in run(of, {"result": [96, 97, 98]}).proposals] == [96]
    assert run(of, {"result": [96, 95, 98]}).proposals == []


def test_a_mean_over_three_months_gives_the_right_to_leave() -> None:
    of = contract("  credits: []", more="rights: [{name: leave, when: {kpi: k, window: {last: 3, mean_below: 97}}}]")
    assert [one.arises_on for one in run(of, {"result": [96, 98, 96.9]}).rights] == [date(2026, 4, 1)]
    assert run(of, {"result": [96, 98, 97]}).rights == []


def test_a_rule_that_cannot_be_computed_takes_no_other_rule_with_it() -> None:
    bases = "  bases: {fee: {measure: fee}}\n"
    of = contract(bases + "  credits:\n    - {for: k, pay: {percent: 5, of: fee}}\n    - {for: k, pay: {amount: 7}}")
    found = run(of, {"result": [90]})
    assert [str(one.credit) for one in totals(found)] == ["7.00"]
    [problem] = found.findings
    assert problem.severity == "error"
    assert "fee" in problem.message
    assert problem.repair


def test_a_count_that_is_no_whole_number_leaves_its_kpi_without_data_and_no_other() -> None:
    of = contract("  credits: [{for: k, pay: {amount: 7}}]", "k: {title: K, value: {given: result}, unit: percent, target: 95}\n"
                  "  n: {title: N, value: {count: count}}")
    found = run(of, {"result": [90], "count": ["1.5"]})
    assert {one.kpi: one.status for one in found.results} == {"k": "measured", "n": "no_data"}
    assert "1.5" in found.findings[0].message
    assert [str(one.credit) for one in totals(found)] == ["7.00"]


def test_relief_takes_the_money_and_leaves_the_verdict_or_takes_the_month_out() -> None:
    of = contract("  credits: [{for: k, pay: {amount: 10}}]")
    for effect, met, status in (("cancel_money", False, "measured"), ("drop_period", None, "relieved")):
        found = run(of, {"result": [90]}, relief=[Relief(START, date(2026, 2, 1), effect)])  # type: ignore[arg-type] # one of the effects
        [result] = found.results
        assert (result.met, result.status) == (met, status)
        assert [str(one.credit) for one in totals(found)] == ["0.00"]


def test_a_product_of_factors_prices_unavailability() -> None:
    # Area rate 40, weighting 1.5, three periods, used all the same (a half), the sixth failure of the month (one and a half).
    of = contract(
        """  credits:
    - for: k
      pay:
        amount: 40
        factors:
          - {name: weighting, number: 1.5}
          - {name: periods, measure: days_late}
          - {name: used although unavailable, number: 0.5}
          - name: repetition
            by: {kpi: k}
            curve: {steps: [{at_most: 4, give: 1}, {more_than: 4, at_most: 8, give: 1.5}, {more_than: 8, give: 2}]}
""",
        "k: {title: K, value: {count: count}, better: lower, target: 0}",
    )
    assert credits_of(of, {"count": [6], "days_late": [3]}) == ["135.00"]


def test_the_mark_of_the_best_year_so_far_has_to_be_exceeded_and_moves() -> None:
    kpis = (
        "k: {title: K, value: {given: result}, unit: percent}\n"
        "  gain: {title: Above the best so far, value: {derived: {difference: [{kpi: k}, {best_before: k}]}}, unit: percent, target: 0, "
        "boundary: more_than}"
    )
    of = contract("  bonuses: [{for: gain, pay: {amount: 100}}]", kpis)
    found = [str(one.bonus) for one in totals(run(of, {"result": [50, 52, 51, 52, 53]}))]
    assert found == ["0.00", "100.00", "0.00", "0.00", "100.00"]


def amended(first: str, on: date, second: str | None = None) -> list[Version]:
    """Two versions of one contract's money, the second from a day on."""
    return [Version(contract(first), START, on), Version(contract(second or first), on, None)]


def test_a_contract_year_goes_on_when_the_contract_is_amended_in_it() -> None:
    rule = "  credits: [{for: k, pay: {amount: 400}}]\n  caps: [{each: contract_year, amount: 1000}]"
    versions = amended(rule, date(2026, 3, 1))
    # The second version says itself that it is in force from March; its contract year is still that of the contract.
    text = versions[1].contract
    versions[1] = Version(msgspec.structs.replace(text, in_force=InForce(from_=date(2026, 3, 1))), date(2026, 3, 1), None)
    found = evaluate_rows(versions, months({"result": [90] * 14}))
    assert [str(one.credit) for one in totals(found)][:4] == ["400.00", "400.00", "200.00", "0.00"]
    assert [str(one.credit) for one in totals(found)][12] == "400.00"


def test_a_rolling_cap_counts_a_month_cut_by_an_amendment_as_one_month() -> None:
    rule = "  bases: {fee: {fixed: 1000, for_each: [site]}}\n  credits: [{for: k, pay: {percent: 50, of: fee}}]\n"
    rule += "  caps: [{each: null, rolling: 2, percent: 30, of: fee}]"
    rows = [Row("s", "result", (), day, day + timedelta(days=1), "day", Decimal(90))
            for day in (START, date(2026, 2, 1), date(2026, 2, 20), date(2026, 3, 1))]
    found = evaluate_rows(amended(rule, date(2026, 2, 15)), rows)
    paid = [one.credit for one in totals(found)]
    # January 300 of 1,000.  February, in halves of the fee: 300 more of 2,000.  March, with February: 300 more of 2,000.
    assert [paid[0], (paid[1] or 0) + (paid[2] or 0), paid[3]] == [Decimal(300), Decimal(300), Decimal(300)]


def test_a_percentage_of_the_month_before_is_shared_by_the_parts_of_a_month() -> None:
    rule = "  bases: {last: {measure: fee, in_period: previous}}\n  credits: [{for: k, pay: {percent: 10, of: last}}]"
    rows = [Row("s", "fee", (), START, date(2026, 2, 1), "month", Decimal(2800))]
    rows += [Row("s", "result", (), day, day + timedelta(days=1), "day", Decimal(90)) for day in (date(2026, 2, 1), date(2026, 2, 20))]
    found = evaluate_rows(amended(rule, date(2026, 2, 8)), rows)
    # 280 for all of February: 7 of its 28 days before the amendment, 21 after it.
    assert [str(one.credit) for one in totals(found)][1:] == ["70.00", "210.00"]


def test_a_chain_of_failures_passes_over_a_year_without_data_and_no_more() -> None:
    of = contract("  credits: [{for: k, pay: {amount: 100}, multiply: {last: 1, multiply: 2}}]")
    near: list[object] = [90, *([None] * 12), 90]
    far: list[object] = [90, *([None] * 13), 90]
    assert credits_of(of, {"result": near, "fee": [1] * len(near)})[-1] == "200.00"
    assert credits_of(of, {"result": far, "fee": [1] * len(far)})[-1] == "100.00"
