"""What looks back, looked back at through stored results: months closed one by one equal one run, for every mechanism with memory.

The rows of results, payables and notes are the very ones that a close writes and reads (see chains.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.document import Contract
from contracts.period import add_months
from contracts.reading import read
from scorecards.evaluating import Version, evaluate_rows, version_of
from scorecards.measurement import Relief, Row
from tests.scorecards.chains import month_by_month, shown

START = date(2026, 1, 1)

FRAME = """
contract: m
title: Memory
vendor: v
currency: EUR
in_force: {from: 2026-01-01}
dimensions: [team]
measures: {all: {}, good: {part_of: all}, due: {}, done: {part_of: due}, slow: {given: true}, fee: {money: true}, units: {}}
kpis:
  quality:
    title: Quality
    value: {ratio: {of: good, to: all}}
    for_each: [site, team]
    levels: [{at: {minimum: 60, target: 80, stretch: 95}}]
    bands: [{name: grave, less_than: minimum}, {name: light, at_least: minimum, less_than: target}, {name: fine, at_least: target}]
    score: {line: [[0, 0], [100, 100]]}
    weight: 50
    no_volume: not_judged
    precision: {decimals: 1, when: before_comparing}
    points: {steps: [{at_least: target, give: 0}, {less_than: target, give: 2}]}
    repeat: {last: 2, multiply: {line: [[1, 1.5], [2, 3]]}}
  speed:
    title: Speed
    value: {ratio: {of: done, to: due}}
    levels: [{at: {target: 70, stretch: 90}}]
    weight: 50
    no_volume: not_judged
    streak: breaks
  waiting: {title: Waiting, value: {given: slow}, unit: seconds, better: lower, target: 30}
money:
  bases: {fee: {measure: fee}, before: {measure: fee, in_period: previous}, after: {measure: fee, in_period: next}, given: {credits: all},
          mixed: {plus: [fee], minus: [units]}}
"""

MECHANISMS = {
    "repeats and ladders": """
  credits:
    - {for: quality, pay: {percent: 5, of: fee}, multiply: {last: 1, multiply: 2}}
    - for: speed
      ladder:
        last: 4
        rungs: [{pay: {amount: 10}}, {pay: {amount: {each: {below: target, give: 3}}}, at_most: 50}, {pay: {percent: 1, of: fee}}]
    - {name: points, pay: {amount: {each: {give: 7}}, by: {total: points}}}
""",
    "windows and counts": """
  credits:
    - {name: thrice, for: speed, when: {missed: target, window: {in_a_row: 3}}, pay: {amount: 100}}
    - {name: often, for: quality, when: {missed: minimum, window: {last: 4, at_least: 2}}, pay: {percent: 2, of: fee}}
    - name: pairs
      for: waiting
      pay: {amount: {each: {unit: 2, give: 40, counting: full}}, by: {count: {last: 6, once: true, any_kpi: true}}}
    - {name: together, for_each: [site], when: {points_at_least: 7, window: {last: 3, summed: true}}, pay: {amount: 21}}
    - {name: over months, for_each: [site], pay: {amount: {each: {give: 2}}, by: {total: points, last: 3}}}
    - {name: slump, when: {score_below: 60, window: {last: 3, at_least: 2}}, for_each: [site], pay: {amount: 33}}
  caps: [{amount: 60}]
""",
    "charges of the month before and after": """
  credits:
    - {name: last, for: speed, pay: {percent: 4, of: before}}
    - {name: next, for: quality, pay: {percent: {each: {below: target, give: 0.5}}, of: after}, at_most: {percent: 10, of: after}}
    - {name: on top, for: waiting, pay: {percent: 10, of: given}}
  bonuses: [{name: reward, for: speed, when: {exceeded: stretch}, pay: {percent: 1, of: after}}]
  caps: [{percent: 6, of: mixed, each: null, rolling: 3}]
""",
    "caps of every span": """
  credits:
    - {for: quality, pay: {percent: 9, of: fee}}
    - {for: speed, pay: {percent: 4, of: before}}
  bonuses: [{for: speed, when: {exceeded: stretch}, pay: {amount: 500}}]
  caps:
    - {name: month, percent: 8, of: fee, excess: carried, on: [quality]}
    - {name: year, each: calendar_year, percent: 5, of: fee}
    - {name: life, each: life, amount: 900, for_each: []}
    - {name: reward, limits: bonuses, rolling: 3, amount: 700}
rights:
  - {name: at the cap, when: {at_cap: month, window: {last: 3, at_least: 2}}}
  - {name: at the end, when: {at_cap: life, window: {last: 2, at_least: 2}}, for_each: []}
  - {name: low score, when: {score_below: 70, window: {last: 3, at_least: 2}}, for_each: []}
  - {name: despite, when: {kpi: quality, missed: target, window: {last: 4, at_least: 3}}, despite_relief: true}
  - {name: credits, when: {credit_percent: 4, of: fee, window: {last: 3, at_least: 2}}}
  - {name: credits together, when: {credit_percent: 5, of: fee, window: {last: 4, summed: true}}}
""",
    "earn-back and banks": """
  credits: [{for: quality, pay: {percent: 5, of: fee}}, {for: speed, pay: {amount: 120}}]
  bonuses:
    - {name: saved, for: speed, when: {exceeded: stretch}, pay: {amount: 90}, offsets: {keep: 3, except_bands: [grave]}}
    - name: later
      for: quality
      when: {exceeded: stretch}
      pay: {percent: 2, of: fee}
      offsets: {starts: next_period, keep: 2, on: [quality]}
  earn_back:
    - {percent: 50, periods: 2, within: 4, for: [quality], except_bands: [grave]}
    - {percent: 25, periods: 1, for: [speed], whose: all, offsets: {keep: 4}}
""",
    "invoices": """
  credits: [{for: quality, pay: {percent: 70, of: fee}}, {for: speed, pay: {percent: 80, of: fee}}]
  bonuses: [{for: speed, when: {exceeded: stretch}, pay: {amount: 50}}]
  invoice: {of: fee, below_zero: carried, tax: {percent: 21}}
""",
    "accumulating": """
  credits: [{for: rare, pay: {amount: 10}, spread: accumulated_periods}]
ratchets: [{kpi: quality, periods: 3}, {kpi: speed, periods: 2, way: best}]
""",
}

RARE = """  rare: {title: Rare, value: {ratio: {of: good, to: all}}, target: 70, sample: {at_least: 60, of: all, otherwise: accumulate}}
  trend: {title: Trend, value: {moving_mean: {of: speed, periods: 3}}, unit: percent, target: 75}
  best: {title: Best, value: {derived: {difference: [{kpi: speed}, {best_before: speed}]}}, unit: percent, target: 0}
money:
"""


def contract(name: str, **changes: str) -> Contract:
    frame = FRAME.replace("money:\n", RARE, 1) if name == "accumulating" else FRAME
    text = frame + MECHANISMS[name].lstrip("\n")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return read(text.encode(), Contract, name="contract.yaml").required()


Month = tuple[int, int, int, int, int, int, int, int]
a_month = st.tuples(
    st.integers(0, 50), st.integers(0, 30), st.integers(0, 50), st.integers(0, 30), st.integers(0, 60), st.integers(0, 3000),
    st.integers(0, 100), st.integers(0, 15),
)
months = st.lists(a_month, min_size=3, max_size=9)


def rows_of(site: str, figures: Sequence[Month], *, days: bool = False) -> list[Row]:
    """Figures of a site, month by month; with ``days`` one row for each half of the month instead of one for all of it."""
    rows: list[Row] = []
    for number, (whole, wrong, due, late, slow, fee, units, came) in enumerate(figures):
        on = add_months(START, number)
        until = add_months(on, 1)
        spans = [(on, date.fromordinal(on.toordinal() + 1), "day"), (date.fromordinal(until.toordinal() - 1), until, "day")] if days else []
        for since, end, grain in spans or [(on, until, "month")]:
            for team in ("a", "b"):
                if came & (1 if team == "a" else 2):
                    split = (("team", team),)
                    rows.append(Row(site, "all", split, since, end, grain, Decimal(whole)))
                    rows.append(Row(site, "good", split, since, end, grain, Decimal(max(0, whole - wrong))))
            if came & 4:
                rows.append(Row(site, "due", (), since, end, grain, Decimal(due)))
                rows.append(Row(site, "done", (), since, end, grain, Decimal(max(0, due - late))))
            rows.append(Row(site, "fee", (), since, end, grain, Decimal(fee)))
            rows.append(Row(site, "units", (), since, end, grain, Decimal(units)))
        if came & 8:
            rows.append(Row(site, "slow", (), on, date.fromordinal(on.toordinal() + 1), "day", Decimal(slow)))
    return rows


@pytest.mark.parametrize("name", MECHANISMS)
@settings(max_examples=25)
@given(north=months, south=months, relieved=st.integers(0, 9))
def test_months_judged_one_by_one_from_what_is_stored_equal_one_run(
    name: str, north: list[Month], south: list[Month], relieved: int
) -> None:
    of = contract(name)
    rows = rows_of("north", north) + rows_of("south", south)
    first = add_months(START, relieved)
    relief = [
        Relief(first, add_months(first, 1), "drop_period", "quality", "north"),
        Relief(first, add_months(first, 2), "cancel_money", "speed"),
    ]
    assert shown(month_by_month(of, rows, relief), of) == shown(evaluate_rows([version_of(of)], rows, relief=relief), of)


@pytest.mark.parametrize("name", MECHANISMS)
@settings(max_examples=12)
@given(north=months, cut=st.integers(2, 27), number=st.integers(1, 4))
def test_the_same_holds_where_an_amendment_cuts_a_month_in_two(name: str, north: list[Month], cut: int, number: int) -> None:
    of = contract(name)
    on = add_months(START, number).replace(day=cut)
    versions = [Version(of, START, on), Version(contract(name, **{"minimum: 60": "minimum: 65"}), on, None)]
    rows = rows_of("north", north, days=True)
    assert shown(month_by_month(versions, rows), of) == shown(evaluate_rows(versions, rows), of)


CAPPED = contract("caps of every span")


@settings(max_examples=30)
@given(north=months, south=months)
def test_credits_and_bonuses_never_exceed_any_cap_of_any_span(north: list[Month], south: list[Month]) -> None:
    run = evaluate_rows([version_of(CAPPED)], rows_of("north", north) + rows_of("south", south))
    slack = Fraction(1, 100)
    for number, record in enumerate(run.records):
        lines = len(record.payables)
        for site in ((("site", "north"),), (("site", "south"),)):
            fee = record.base_amount("fee", site) or Fraction(0)
            assert record.credit(site, ["quality"]) <= fee * 8 / 100 + slack * lines
            year = [one for one in run.records[: number + 1] if one.period.from_on.year == record.period.from_on.year]
            fees = sum((one.base_amount("fee", site) or Fraction(0) for one in year), Fraction(0))
            paid = sum((one.credit(site) for one in year), Fraction(0))
            # A fee that falls leaves what was paid before; nothing is added to it then.
            assert paid <= fees * 5 / 100 + slack * lines * len(year) or record.credit(site) <= slack * lines
            rewards = sum((one.bonus(site) for one in run.records[max(0, number - 2) : number + 1]), Fraction(0))
            assert rewards <= 700 + slack * lines * 3
    whole = sum((record.credit(()) for record in run.records), Fraction(0))
    assert whole <= 900 + slack * sum(len(record.payables) for record in run.records)


FREE = [name for name in MECHANISMS if name not in ("accumulating", "invoices")]


@pytest.mark.parametrize("name", FREE)
@settings(max_examples=15)
@given(north=months, which=st.integers(0, 8))
def test_a_month_turned_from_missed_to_met_raises_no_credit_of_that_kpi(name: str, north: list[Month], which: int) -> None:
    """Ratchets off, and caps off: a cap hands the room that one KPI leaves to another month or rule, which is its purpose."""
    text = FRAME + MECHANISMS[name].lstrip("\n")
    kept: list[str] = []
    is_cap = False
    for line in text.split("\n"):
        is_cap = line.startswith("  caps:") or (is_cap and line.startswith("    "))
        if not is_cap:
            kept.append(line)
    free = read("\n".join(kept).split("rights:", maxsplit=1)[0].encode(), Contract, name="contract.yaml").required()
    index = which % len(north)
    better = list(north)
    whole, _, *rest = north[index]
    better[index] = (whole, 0, *rest)  # type: ignore[assignment] # the same eight figures, none of them wrong
    site = (("site", "north"),)
    paid = [
        [record.credit(site, ["quality"]) for record in evaluate_rows([version_of(free)], rows_of("north", held)).records]
        for held in (north, better)
    ]
    assert all(now <= before for before, now in zip(*paid, strict=True))


@pytest.mark.parametrize("name", MECHANISMS)
@settings(max_examples=10)
@given(north=months, south=months, seed=st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_cent(name: str, north: list[Month], south: list[Month], seed: Random) -> None:
    of = contract(name)
    rows = rows_of("north", north) + rows_of("south", south)
    mixed = list(rows)
    seed.shuffle(mixed)
    assert shown(evaluate_rows([version_of(of)], mixed), of) == shown(evaluate_rows([version_of(of)], rows), of)
