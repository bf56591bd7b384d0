"""What must hold whatever the figures are: properties of judging and pricing, tried on many contracts and many months."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.curve import Curve, Step, draw
from contracts.document import Contract
from contracts.period import add_months
from contracts.reading import read, write
from scorecards.evaluating import Evaluation, Version, evaluate, evaluate_rows, version_of
from scorecards.measurement import Facts, Row
from scorecards.rolling_up import runs_missed
from tests.scorecards.chains import month_by_month, shown

START = date(2026, 1, 1)

RICH = """
contract: rich
title: Everything that looks back
vendor: v
currency: EUR
in_force: {from: 2026-01-01}
reviewed: {each: quarter}
dimensions: [workstream]
measures:
  audited: {}
  correct: {part_of: audited}
  due: {}
  in_time: {part_of: due}
  handled: {}
  seconds: {}
  invoice: {money: true}
kpis:
  accuracy:
    title: Accuracy
    value: {ratio: {of: correct, to: audited}}
    for_each: [site, workstream]
    levels: [{at: {floor: 90, target: 95}}, {from: 2026-05-01, at: {target: 96}}]
    score: {line: [[floor, 0], [target, 100]]}
    weight: 60
    streak: breaks
    no_volume: not_judged
    points: {steps: [{at_least: target, give: 0}, {at_least: floor, less_than: target, give: 1}, {less_than: floor, give: 3}]}
    repeat: {last: 2, at_least: 1, multiply: 2}
  tat:
    title: In time
    value: {ratio: {of: in_time, to: due}}
    target: 90
    weight: 40
    no_volume: not_judged
    sample: {more_than: 60, otherwise: accumulate}
  quarterly: {title: In time over the quarter, value: {ratio: {of: in_time, to: due}}, target: 92, no_volume: not_judged, judged: at_review,
              weight: 20, missing: previous}
  aht: {title: Handling time, value: {mean: {of: seconds, per: handled}}, unit: seconds, better: lower, target: 60, no_volume: not_judged}
  smooth: {title: Accuracy over three months, value: {moving_mean: {of: accuracy, periods: 3}}, unit: percent, target: 94,
           for_each: [site, workstream]}
money:
  bases: {invoice: {measure: invoice}}
  credits:
    - {for: accuracy, pay: {percent: {each: {below: target, give: 1}}, of: invoice}}
    - {name: late, for: tat, pay: {percent: 4, of: invoice}, multiply: {last: 1, multiply: 1.5}}
    - {name: slow, for: aht, pay: {amount: 700}, when: {missed: target, window: {last: 3, at_least: 2}}}
    - {name: points, pay: {amount: {each: {give: 50}}, by: {total: points}}}
  caps:
    - {name: month, percent: 8, of: invoice}
    - {rolling: 4, percent: 6, of: invoice}
    - {each: contract_year, amount: 4000, for_each: [site]}
  earn_back: [{percent: 50, periods: 2}]
rights:
  - {name: leave, when: {missed: target, kpi: accuracy, window: {last: 3, at_least: 2}}}
ratchets: [{kpi: accuracy, periods: 3}]
"""


def contract(text: str) -> Contract:
    return read(text.encode(), Contract, name="contract.yaml").required()


RICH_CONTRACT = contract(RICH)
CARRYING = contract(RICH.replace("{name: month, percent: 8, of: invoice}", "{name: month, percent: 3, of: invoice, excess: carried}"))

Month = tuple[int, int, int, int, int, int, int, bool]
months = st.lists(
    st.tuples(
        st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 40), st.integers(0, 4000),
        st.integers(0, 20000), st.booleans(),
    ),
    min_size=2,
    max_size=9,
)


def rows_of(site: str, figures: Sequence[Month]) -> list[Row]:
    rows = []
    for number, (audited, wrong, due, late, handled, seconds, invoice, came) in enumerate(figures):
        on = add_months(START, number)

        def row(measure: str, value: int, on: date = on, *, split: bool = True) -> Row:
            own = (("workstream", "product"),) if split else ()
            return Row(site, measure, own, on, add_months(on, 1), "month", Decimal(value))

        if came:
            rows += [row("audited", audited), row("correct", max(0, audited - wrong))]
        rows += [row("due", due, split=False), row("in_time", max(0, due - late), split=False)]
        rows += [row("handled", handled, split=False), row("seconds", seconds, split=False), row("invoice", invoice, split=False)]
    return rows


@pytest.mark.parametrize("of", [RICH_CONTRACT, CARRYING], ids=["lost", "carried"])
@settings(max_examples=60)
@given(north=months, south=months)
def test_judging_month_by_month_from_stored_results_equals_judging_the_whole_chain(
    of: Contract, north: list[Month], south: list[Month]
) -> None:
    rows = rows_of("north", north) + rows_of("south", south)
    assert shown(month_by_month(of, rows), of) == shown(evaluate_rows([version_of(of)], rows), of)


def test_a_right_at_the_cap_is_seen_from_stored_results_too() -> None:
    right = "rights: [{name: at the cap, when: {at_cap: month, window: {last: 3, at_least: 2}}}]\n"
    one_cap = contract(RICH.split("    - {rolling: 4", maxsplit=1)[0] + right)
    rows = rows_of("north", [(50, 30, 50, 30, 40, 4000, 1000, True)] * 4)
    chain = evaluate_rows([version_of(one_cap)], rows)
    assert [right.arises_on for right in chain.rights] == [date(2026, 3, 1)]
    assert shown(month_by_month(one_cap, rows), one_cap) == shown(chain, one_cap)


@settings(max_examples=60)
@given(figures=months, seed=st.randoms(use_true_random=False))
def test_the_order_of_rows_is_irrelevant(figures: list[Month], seed: object) -> None:
    rows = rows_of("north", figures)
    mixed = list(rows)
    seed.shuffle(mixed)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    assert shown(evaluate_rows([version_of(RICH_CONTRACT)], rows), RICH_CONTRACT) == shown(
        evaluate_rows([version_of(RICH_CONTRACT)], mixed), RICH_CONTRACT
    )


@settings(max_examples=60)
@given(days=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=28, max_size=31), cut=st.integers(1, 27))
def test_grouping_days_into_one_row_changes_no_value(days: list[tuple[int, int]], cut: int) -> None:
    def rows(parts: Sequence[tuple[date, date, str, int, int]]) -> list[Row]:
        return [
            Row("s", measure, (), since, until, grain, Decimal(value))
            for since, until, grain, due, late in parts
            for measure, value in (("due", due), ("in_time", max(0, due - late)))
        ]

    on = [(date(2026, 1, 1 + n), date.fromordinal(date(2026, 1, 2).toordinal() + n)) for n in range(len(days))]
    single = rows([(since, until, "day", due, late) for (since, until), (due, late) in zip(on, days, strict=True)])
    sums = {"due": sum(due for due, _ in days), "in_time": sum(max(0, due - late) for due, late in days)}
    together = [Row("s", measure, (), START, date(2026, 2, 1), "month", Decimal(value)) for measure, value in sums.items()]
    simple = contract(RICH.replace("    sample: {more_than: 60, otherwise: accumulate}\n", ""))
    values = [
        [(one.numerator, one.denominator, one.value) for one in evaluate_rows([version_of(simple)], held).results if one.kpi == "tat"]
        for held in (single, together)
    ]
    assert values[0] == values[1]
    assert cut


@settings(max_examples=80)
@given(figures=months)
def test_credits_never_exceed_a_cap(figures: list[Month]) -> None:
    run = evaluate_rows([version_of(RICH_CONTRACT)], rows_of("north", figures))
    cent = Fraction(1, 100)
    site = (("site", "north"),)
    paid: list[Fraction] = []
    bases: list[Fraction] = []
    for record in run.records:
        base = record.base_amount("invoice", site) or Fraction(0)
        paid.append(record.credit(site))
        bases.append(base)
        # Each payable is rounded to the cent after the caps, so that every one may add half a cent.
        slack = cent * len(record.payables)
        assert paid[-1] <= base * 8 / 100 + slack
        before = sum(paid[-4:-1], Fraction(0))
        assert paid[-1] <= max(Fraction(0), sum(bases[-4:], Fraction(0)) * 6 / 100 - before) + slack
        assert sum(paid, Fraction(0)) <= 4000 + slack * len(paid)


@settings(max_examples=80)
@given(figures=months, which=st.integers(0, 8))
def test_turning_a_miss_into_a_met_month_never_raises_that_kpi_s_credits_in_any_month(figures: list[Month], which: int) -> None:
    free = contract(RICH.split("  caps:", maxsplit=1)[0])
    index = which % len(figures)
    better = list(figures)
    audited, _, *rest = figures[index]
    better[index] = (audited, 0, *rest)  # type: ignore[assignment] # the same eight figures, none of them wrong
    paid = []
    for held in (figures, better):
        run = evaluate_rows([version_of(free)], rows_of("north", held))
        paid.append([record.credit((("site", "north"),), ["accuracy"]) for record in run.records])
    assert all(now <= before for before, now in zip(*paid, strict=True))


@settings(max_examples=60)
@given(days=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), min_size=31, max_size=31), cut=st.integers(2, 31))
def test_splitting_a_month_at_an_amendment_conserves_every_count(days: list[tuple[int, int]], cut: int) -> None:
    rows = [
        Row("s", measure, (), date(2026, 1, n), date.fromordinal(date(2026, 1, n).toordinal() + 1), "day", Decimal(value))
        for n, (due, late) in enumerate(days, 1)
        for measure, value in (("due", due), ("in_time", max(0, due - late)))
    ]
    simple = contract(RICH.replace("    sample: {more_than: 60, otherwise: accumulate}\n", ""))
    amended = [Version(simple, START, date(2026, 1, cut)), Version(simple, date(2026, 1, cut), None)]

    def counts(run: Evaluation) -> tuple[Decimal, Decimal]:
        own = [one for one in run.results if one.kpi == "tat" and one.numerator is not None]
        above, below = [one.numerator or Decimal(0) for one in own], [one.denominator or Decimal(0) for one in own]
        return sum(above, Decimal(0)), sum(below, Decimal(0))

    whole, parts = evaluate_rows([version_of(simple)], rows), evaluate_rows(amended, rows)
    assert len(parts.records) == 2
    assert counts(whole) == counts(parts)


numbers = st.decimals(0, 200, places=2)


@given(ends=st.lists(numbers, min_size=1, max_size=6, unique=True).map(sorted), value=numbers)
def test_bands_that_meet_hold_every_value_exactly_once(ends: list[Decimal], value: Decimal) -> None:
    steps = [Step(less_than=ends[0], give=Decimal(0))]
    steps += [Step(at_least=low, less_than=high, give=Decimal(n)) for n, (low, high) in enumerate(itertools.pairwise(ends), 1)]
    steps += [Step(at_least=ends[-1], give=Decimal(99))]
    drawn = draw(Curve(steps=steps), Fraction(value))
    assert drawn.amount is not None
    assert sum(step.holds(Fraction(value), {}) for step in steps) == 1


@given(ends=st.lists(numbers, min_size=2, max_size=2, unique=True).map(sorted), value=numbers)
def test_a_value_in_a_gap_or_an_overlap_is_reported_and_never_priced(ends: list[Decimal], value: Decimal) -> None:
    low, high = ends
    gap = draw(Curve(steps=[Step(less_than=low, give=Decimal(1)), Step(at_least=high, give=Decimal(2))]), Fraction(value))
    if low <= value < high:
        assert (gap.amount, gap.band, gap.is_beyond) == (None, "none", False)
    overlap = draw(Curve(steps=[Step(at_most=high, give=Decimal(1)), Step(at_least=low, give=Decimal(2))]), Fraction(value))
    if low <= value <= high:
        assert (overlap.amount, overlap.band) == (None, "ambiguous")


@given(verdicts=st.lists(st.sampled_from([True, False, None]), max_size=20))
def test_every_missed_month_lies_in_exactly_one_run_under_either_policy(verdicts: list[bool | None]) -> None:
    series = [(add_months(START, number), met) for number, met in enumerate(verdicts)]
    for runs in (runs_missed(series, "skips"), runs_missed(series, "breaks")):
        assert sum(run.length for run in runs) == sum(met is False for met in verdicts)
    assert len(runs_missed(series, "skips")) <= len(runs_missed(series, "breaks"))


@pytest.mark.parametrize("text", [RICH], ids=["rich"])
def test_a_contract_survives_writing_and_reading(text: str) -> None:
    first = contract(text)
    written = write(first)
    again = read(written, Contract, name="again.yaml").required()
    assert again == first
    assert write(again) == written


def test_facts_without_anything_delivered_say_nothing() -> None:
    assert evaluate([], Facts()).results == []


def test_counts_of_a_review_that_is_over_wait_for_nothing_in_the_next_one() -> None:
    """Four months without any volume: the review of the first quarter ends without a value, and the fourth month begins anew."""
    nothing: Month = (0, 0, 0, 0, 0, 0, 0, False)
    rows = rows_of("north", [nothing] * 2) + rows_of("south", [nothing] * 4)
    assert shown(month_by_month(CARRYING, rows), CARRYING) == shown(evaluate_rows([version_of(CARRYING)], rows), CARRYING)
