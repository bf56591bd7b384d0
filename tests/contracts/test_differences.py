"""Two versions of a contract, and what the second promises otherwise, by clause and day."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contracts.differences import differences, in_words
from contracts.document import Contract
from contracts.reading import read
from tests.contracts.any_contract import any_contract, changed_somewhere

PORTFOLIO = sorted((Path(__file__).parents[2] / "vendor_mgmt/example/documents/contracts").glob("*.yaml"))
BASE = """
contract: IB-1
title: Moderation
vendor: harbour
in_force: {from: 2026-01-01, until: 2028-01-01}
measures: {a: {}, b: {}, bill: {money: true}}
kpis:
  acc:
    title: Accuracy
    clause: Annex 2, 1
    value: {ratio: {of: a, to: b}}
    levels:
      - {at: {floor: 90, target: 94}}
      - {from: 2026-09-01, at: {target: 95}}
    weight: 100
    no_volume: not_judged
money:
  bases: {charges: {measure: bill}}
  credits: [{for: acc, clause: "Annex 3, 1", pay: {percent: 5, of: charges}}]
  caps: [{name: monthly cap, percent: 10, of: charges, clause: "Annex 3, 2"}]
escalation:
  rules: [{name: twice, on: {last: 3, at_least: 2}, clause: Annex 4}]
  levels: [{level: 1, to: [client.manager]}]
"""


def version(*changes: tuple[str, str], begins: str = "2026-04-01") -> Contract:
    text = BASE
    for old, new in (("{from: 2026-01-01,", f"{{from: {begins},"), *changes):
        assert old in text
        text = text.replace(old, new)
    return read(text, Contract).required()


OLD = version(begins="2026-01-01")


def said(*changes: tuple[str, str]) -> list[str]:
    return [str(change) for change in differences(OLD, version(*changes))]


def test_the_same_promise_from_a_later_day_is_no_difference() -> None:
    assert said() == []
    assert in_words(OLD, version()).endswith("promise the same.\n")


@pytest.mark.parametrize("path", PORTFOLIO, ids=lambda path: path.stem)
def test_a_contract_does_not_differ_from_itself(path: Path) -> None:
    contract = read(path.read_bytes(), Contract).required()
    assert differences(contract, contract) == []


def test_a_level_changes_from_its_day_and_until_the_next_step() -> None:
    assert said(("target: 94", "target: 93")) == [
        "Annex 2, 1, from 1 April 2026 until before 1 September 2026: Accuracy (acc): the target is 93 instead of 94, easier."
    ]
    assert said(("from: 2026-09-01", "from: 2026-07-01")) == [
        "Annex 2, 1, from 1 July 2026 until before 1 September 2026: Accuracy (acc): the target is 95 instead of 94, harder."
    ]


def test_a_ramp_written_in_another_way_is_no_change_of_values() -> None:
    assert said(("- {at: {floor: 90, target: 94}}", "- {at: {floor: 90}}\n      - {at: {target: 94}}")) == [
        "Annex 2, 1, from 1 April 2026: Accuracy (acc): its levels are written in another form or order, with the same values."
    ]


def test_what_was_before_the_new_version_is_not_compared() -> None:
    change = ("- {at: {floor: 90, target: 94}}", "- {from: 2026-04-01, at: {floor: 90, target: 94}}")
    assert all("same values" in line for line in said(change))


def test_money_people_and_term_are_told_with_their_clause() -> None:
    assert said(
        ("percent: 5", "percent: 7"),
        ("percent: 10", "percent: 12"),
        ("at_least: 2", "at_least: 1"),
        ("until: 2028-01-01", "until: 2029-01-01"),
        ("to: [client.manager]", "to: [client.manager, vendor.site_lead]"),
        ("weight: 100", "weight: 80"),
    ) == [
        "from 1 April 2026: Term: the contract ends before 1 January 2029 instead of: the contract ends before 1 January 2028.",
        "Annex 4, from 1 April 2026: escalation rule twice: on is last: 3 instead of last: 3, at_least: 2.",
        "from 1 April 2026: escalation level 1: to: vendor.site_lead added.",
        "Annex 2, 1, from 1 April 2026: Accuracy (acc): weight is 80 instead of 100.",
        "Annex 3, 1, from 1 April 2026: acc: percent is 7 instead of 5.",
        "Annex 3, 2, from 1 April 2026: cap monthly cap: percent is 12 instead of 10.",
    ]


def test_what_is_new_and_what_falls_away_is_said() -> None:
    added = "  tat: {title: In time, clause: Annex 2, value: {ratio: {of: a, to: b}}, target: 90, no_volume: met}\nmoney:"
    lines = said(
        ("money:\n  bases", added + "\n  bases"), ('  caps: [{name: monthly cap, percent: 10, of: charges, clause: "Annex 3, 2"}]\n', "")
    )
    assert lines == [
        "Annex 2, from 1 April 2026: In time (tat): is new: a out of b, in percent; target 90.",
        "Annex 3, 2, from 1 April 2026: cap monthly cap: falls away.",
    ]


NOT_A_PROMISE = frozenset(("version", "signed_on", "announced_on", "in_force", "examples"))


@given(st.integers(0, 2**32))
@settings(max_examples=200)
def test_no_change_is_silent_however_deep_it_lies(seed: int) -> None:
    random = Random(seed)
    old = any_contract(random)
    new = changed_somewhere(old, random, NOT_A_PROMISE)
    assume(new is not None and new != old)
    assert differences(old, new), "something is different, and nothing says so"
    assert in_words(old, new).count("\n- ") == len(differences(old, new))


@given(st.integers(0, 2**32))
@settings(max_examples=50)
def test_a_text_does_not_differ_from_itself(seed: int) -> None:
    contract = any_contract(Random(seed))
    assert differences(contract, contract) == []
