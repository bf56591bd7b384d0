"""What `contract check` finds in the money of a contract: sides, banks, bases of other months, claims and invoices."""

from __future__ import annotations

import pytest

from contracts.checking import check
from contracts.document import Contract
from contracts.errors import Finding
from contracts.reading import read

FRAME = """contract: c
title: Money
vendor: v
in_force: {from: 2026-01-01, until: 2028-01-01}
measures: {charges: {money: true}, all: {}, good: {part_of: all}, seconds: {}}
kpis:
  k:
    title: K
    value: {ratio: {of: good, to: all}}
    no_volume: not_judged
    target: 95
    bands: [{name: fine, at_least: 95}, {name: grave, less_than: 95}]
  asa: {title: Speed, value: {mean: {of: seconds, per: all}}, unit: seconds, better: lower, target: 30, no_volume: not_judged}
money:
  bases:
    charges: {measure: charges}
    last: {measure: charges, in_period: previous}
    next: {measure: charges, in_period: next}
  credits: [{for: k, pay: {percent: 5, of: charges}}, {for: asa, pay: {percent: 1, of: last}}]
  bonuses: [{for: k, when: {exceeded: target}, pay: {amount: 10}, offsets: {keep: 2, on: [asa], except_bands: [grave]}}]
  caps: [{percent: 10, of: charges, on: [k]}]
  earn_back: [{percent: 50, periods: 2, within: 6, for: [k], except_bands: [grave]}]
  exclusive: [{among: [k, asa], take: claimed}]
  claim: on_claim
  claim_within_days: 30
  invoice: {of: charges, tax: {percent: 21}}
"""


def findings(text: str) -> list[Finding]:
    reading = read(text.encode(), Contract, name="contract.yaml")
    assert reading.document is not None, reading.findings
    return check(reading.document)


def test_sound_money_has_no_findings() -> None:
    assert [one for one in findings(FRAME) if one.severity == "error" or "grows" in one.message] == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{percent: 5, of: charges}}", "{percent: {each: {above: target, give: 1}}, of: charges}}", "grows as results get better"),
        ("pay: {percent: 1, of: last}}", "pay: {amount: {line: [[10, 100], [60, 0]]}}}", "grows as results get better"),
        ("{amount: 10}", "{amount: {steps: [{less_than: 90, give: 5}, {at_least: 90, give: 1}]}}", "grows as results get worse"),
        ("keep: 2, on: [asa]", "keep: 2, on: [asd]", "'asd' is neither a KPI nor a rule"),
        ("keep: 2, on", "starts: next_period, on", "not kept until then"),
        ("except_bands: [grave]}}]\n  caps", "except_bands: [brave]}}]\n  caps", "'brave' is no band"),
        ("for: [k], except", "for: [kk], except", "'kk' is no KPI"),
        ("of: charges, on: [k]", "of: charges, on: [kk]", "'kk' is neither a KPI nor a rule"),
        ("caps: [{percent: 10, of: charges", "caps: [{percent: 10, of: next", "next is of the next period"),
        ("last: {measure: charges, in_period: previous}", "last: {percent: 10, of: next}", "not known when last is asked for"),
        ("{percent: 1, of: last}}", "{percent: 1, of: next}, at_most: {amount: 5}}", "cannot be compared with it yet"),
        ("last: {measure: charges, in_period: previous}", "last: {credits: nobody}", "'nobody' is neither a KPI nor a rule"),
        ("charges: {measure: charges}\n", "charges: {measure: charges, without_tax: true}\n", "how high the tax is"),
        ("invoice: {of: charges", "invoice: {of: bills", "'bills' is no base"),
        ("tax: {percent: 21}", "tax: {percent: -1}", "cannot be a tax"),
        ("claim: on_claim\n", "claim: automatic\n", "need no claim"),
        ("claim_within_days: 30", "claim_within_days: -1", "cannot be a number of days"),
        ("when: {exceeded: target}", "when: {exceeded: target, window: {last: 3, summed: true}}", "can be added over periods"),
        ("{amount: 10}", "{amount: {each: {give: 1}}, by: {total: score, last: 3}}", "only points are added"),
        ("take: claimed", "take: claimed, for_each: [country]", "'country' is no dimension"),
        ("    target: 95\n", "    target: 95\n    deemed: -5\n", "no percentage can be -5"),
        ("pay: {percent: 5, of: charges}}", "pay: {percent: 5, of: charges}, offsets: {}}", "offsets nothing"),
    ],
)  # fmt: skip
def test_money_that_cannot_be_meant_is_found_and_repaired(old: str, new: str, says: str) -> None:
    assert FRAME.count(old) == 1, old
    changed = FRAME.replace(old, new).replace("tax: {percent: 21}", "below_zero: lost") if "without_tax" in new else FRAME.replace(old, new)
    found = [one for one in findings(changed) if says in one.message]
    assert found, [one.message for one in findings(changed)]
    assert all(one.repair for one in found)

