"""Notice and frequency of amendments: whoever agrees a version is told which rule of the contract it breaks."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.amendment_terms import breaches
from contracts.document import Contract
from contracts.explaining import explain
from contracts.reading import read


def version(number: int, from_on: str, announced_on: str | None = None, weight: int = 50, percent: int = 5, **more: Any) -> Contract:
    text = f"""contract: A
title: T
vendor: v
version: "{number}"
in_force: {{from: {from_on}}}
{f"announced_on: {announced_on}" if announced_on else ""}
amendments:
  - {{of: [weights, allocation], notice_days: 30, once_in_months: 12, clause: "4.2"}}
  - {{of: [calendars], notice_days: 90}}
calendars: {more.get("calendars", [])}
measures: {{a: {{}}, b: {{}}, invoice: {{money: true}}}}
kpis: {{k: {{title: K, value: {{ratio: {{of: a, to: b}}}}, target: {more.get("target", 90)}, weight: {weight}}}}}
money: {{bases: {{invoice: {{measure: invoice}}}}, credits: [{{for: k, pay: {{percent: {percent}, of: invoice}}}}]}}
"""
    return read(text, Contract).required()


FIRST = version(1, "2026-01-01")


def test_a_change_that_no_rule_is_about_breaks_none() -> None:
    assert breaches([FIRST], version(2, "2026-03-01", target=95)) == []
    assert breaches([], FIRST) == []


@pytest.mark.parametrize(
    ("announced_on", "says"),
    [
        ("2026-01-30", None),
        ("2026-01-31", "announced on 31 January 2026, 29 days before it begins. With notice in time it would begin on 2 March 2026."),
        (None, "does not say when it was announced: write announced_on."),
    ],
)
def test_notice_is_counted_in_days_up_to_the_first_one(announced_on: str | None, says: str | None) -> None:
    told = breaches([FIRST], version(2, "2026-03-01", announced_on, weight=60))
    if says is None:
        assert told == []
    else:
        [sentence] = told
        assert sentence.startswith("It changes weights (4.2), which takes 30 days of notice")
        assert sentence.endswith(says)


def test_shares_may_be_changed_once_in_twelve_months() -> None:
    second = version(2, "2026-03-15", "2026-01-01", percent=6)
    early = version(3, "2027-03-14", "2027-01-01", percent=7)
    [sentence] = breaches([FIRST, second], early)
    assert sentence == (
        "It changes allocation (4.2), which may be done once in 12 months: version 2 did so on 15 March 2026, "
        "and 15 March 2027 is the first day for the next."
    )
    assert breaches([FIRST, second], version(3, "2027-03-15", "2027-01-01", percent=7)) == []
    # Weights were not touched in between, so the year of allocation is not theirs.
    assert breaches([FIRST, second], version(3, "2026-06-01", "2026-05-01", weight=40, percent=6)) == []


def test_each_part_has_its_own_notice() -> None:
    told = breaches([FIRST], version(2, "2026-03-01", "2026-01-15", weight=60, calendars=["office"]))
    [sentence] = told
    assert sentence.startswith("It changes calendars, which takes 90 days of notice")


def test_the_terms_are_read_aloud() -> None:
    text = explain(version(2, "2026-03-01", "2026-01-15"))
    assert "A change of weights or allocation takes 30 days of notice and may come once in 12 months (4.2)." in text
    assert "A change of calendars takes 90 days of notice." in text
    assert "It was announced on 15 January 2026." in text


@pytest.mark.parametrize(
    "terms", ["{of: [], notice_days: 3}", "{of: [weights]}", "{of: [weights], once_in_months: 0}", "{of: [prices], notice_days: 3}"]
)
def test_terms_that_say_nothing_cannot_be_read(terms: str) -> None:
    assert read(f"contract: A\ntitle: T\nvendor: v\nin_force: {{from: 2026-01-01}}\namendments: [{terms}]\n", Contract).document is None
