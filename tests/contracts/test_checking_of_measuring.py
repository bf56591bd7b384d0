"""What `contract check` says about measuring: figures over scopes, clocks, part periods, zones, and how much may be allotted."""

from __future__ import annotations

import pytest

from contracts.checking import check
from contracts.document import Contract
from contracts.errors import Finding
from contracts.explaining import explain
from contracts.reading import read

GOOD = """contract: M-1
title: Measured in many ways
vendor: harbour
time_zone: Europe/Lisbon
in_force: {from: 2026-01-16, until: 2028-01-01}
measured: {each: month, parts: merge}
reviewed: {each: year, anchor_day: 16, anchor_month: 4}
calendars: [office]
scope: [{site: lisbon, time_zone: Europe/Lisbon}, {site: azores, time_zone: Atlantic/Azores, currency: USD}]
measures:
  audited: {}
  correct: {part_of: audited}
  missed: {may_be_negative: true}
  open_long: {events: {kind: ticket, at: period_end, calendar: office, only: [{of: working_days, more_than: 20}]}}
  open_minutes: {time: {take: minutes, calendar: office}}
  down: {part_of: open_minutes, events: {kind: outage, take: minutes, calendar: office, at: each_day, overlap: once}}
  hours: {events: {kind: ticket, take: hours, calendar: office, pauses: [waiting, ordered]}}
  invoice: {money: true}
kpis:
  accuracy: {title: Accuracy, value: {ratio: {of: correct, to: audited}}, target: 95, no_volume: not_judged, weight: 60,
             missing: previous, zone: site}
  spread: {title: Spread, value: {across: {of: accuracy, take: spread}}, for_each: [], better: lower, target: 5}
  high: {title: High, value: {across: {of: accuracy, take: percentile, percent: 90, method: linear}}, for_each: []}
  missed: {title: Missed, value: {count: missed}, better: lower, target: 3, part_period: pro_rata, judged: at_review, weight: 40}
  hours: {title: Hours, value: {sum: hours}, unit: hours, better: lower}
  up: {title: Up, value: {ratio: {of: {plus: [open_minutes], minus: [down]}, to: open_minutes}}, target: 99, no_volume: not_judged}
  year: {title: Year to date, value: {moving_mean: {of: up, since: review, by: counts}}}
  better: {title: Better than last year, value: {derived: {difference: [{kpi: up}, {previous: up, back: 12}]}}}
  old: {title: Open for more than a month, value: {count: open_long}, better: lower, target: 0}
  failed: {title: Sites that failed, value: {share_met: {of: missed, give: missed}}, for_each: [], better: lower, target: 1}
  bound:
    title: Bound up to the forecast
    value: {ratio: {of: down, to: open_minutes}}
    better: lower
    no_volume: not_judged
    levels: [{months: [11, 12], when: {measure: hours, less_than: {percent: 110, of: down}}, at: {target: 5}}]
  errors: {title: Mean error rate, value: {intervals: {ratio: {of: correct, to: audited}, take: mean, no_volume: 0}}, zone: site}
scoring: {allocation: {in_all: 100, to_one: 60}}
relief: [{cause: storm, effect: lower_target, levels: {accuracy: {target: 90}, missed: {target: 5}}}, {cause: strike, effect: drop_span}]
money:
  rates: {USD: {rate: 0.9, source: the central bank}}
  bases:
    invoice: {measure: invoice}
    at_risk: {percent: 12, of: invoice, allocation: {in_all: 150, to_one: 40}}
    quality: {percent: 50, of: at_risk}
  credits:
    - {for: accuracy, pay: {percent: 80, of: quality}}
    - {for: missed, pay: {of: at_risk, percent: {each: {give: 5, allowance: {number: 3, part_period: pro_rata}}, at_most: 30}}}
  caps: [{percent: 100, of: at_risk}]
"""

TWO_ZONES = "lisbon, time_zone: Europe/Lisbon}, {site: azores, time_zone: Atlantic/Azores"


def findings(text: str) -> list[Finding]:
    reading = read(text.encode(), Contract, name="contract.yaml")
    assert reading.document is not None, reading.findings
    return check(reading.document)


def test_a_sound_contract_has_no_findings() -> None:
    assert findings(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        ("of: accuracy, take: spread", "of: hours, take: spread", "", None),
        ("of: accuracy, take: spread}}, for_each: []", "of: accuracy, take: spread}}, for_each: [site]", "$.kpis.spread", "one result"),
        ("of: accuracy, take: spread", "of: spread, take: spread", "$.kpis.spread", "computed from itself"),
        ("of: accuracy, take: spread", "of: acuracy, take: spread", "$.kpis.spread", "'acuracy' is no KPI"),
        ("value: {count: missed}", "value: {last: missed}", "$.kpis.missed.part_period", "does not shrink"),
        ("pauses: [waiting, ordered]", "pauses: [ticket]", "$.measures.hours.events.pauses", "its own clock"),
        ("take: hours, calendar: office", "calendar: office", "$.measures.hours.events.pauses", "pauses change nothing"),
        ("accuracy: {target: 90}", "acuracy: {target: 90}", "$.relief[0].levels.acuracy", "'acuracy' is no KPI"),
        ("accuracy: {target: 90}", "accuracy: {floor: 90}", "$.relief[0].levels.accuracy.floor", "'floor' is no level"),
        ("accuracy: {target: 90}", "accuracy: {target: 95}", "$.relief[0].levels.accuracy.target", "no easier than the target"),
        ("missed: {target: 5}", "missed: {target: 2}", "$.relief[0].levels.missed.target", "no easier than the target"),
        ("reviewed: {each: year, anchor_day: 16, anchor_month: 4}\n", "", "$.kpis.missed.judged", "nothing says when reviews are"),
        ("each: year", "each: month", "$.reviewed.each", "no longer than a month"),
        (" judged: at_review,", "", "", None),  # The year to date begins with the review.
        ("for_each: [], better: lower", "for_each: [], judged: at_review, better: lower", "$.kpis.spread.judged", "make no across"),
        ("judged: at_review,", "judged: at_review, sample: {at_least: 3, otherwise: accumulate},", "sample.otherwise", "anyway"),
        ("{take: minutes, calendar: office}}", "{take: minutes, calendar: factory}}", "open_minutes.time", "no calendar of this contract"),
        ("open_minutes: {time", "open_minutes: {money: true, time", "$.measures.open_minutes.time", "something else at once"),
        ("take: minutes, calendar: office, at", "calendar: office, at", "$.measures.down.events.at", "cannot be split over its days"),
        ("take: minutes, calendar: office, at", "calendar: office, at", "$.measures.down.events.overlap", "only time can overlap"),
        ("overlap: once}", "overlap: once, value_percent: true}", "$.measures.down.events.overlap", "by a percentage"),
        ("value: {sum: hours}", "value: {percentile: {percent: 90, of: down}}", "percentile.of", "no single ones are left"),
        ("of: up, since: review", "of: up, periods: 1", "$.kpis.year.value.moving_mean.periods", "is no mean"),
        ("of: up, since: review", "of: missed, since: review", "$.kpis.year.value.moving_mean.by", "has no counts to add"),
        ("currency: USD", "currency: PLN", "$.scope[1].currency", "nothing says what it is worth in EUR"),
        ("currency: USD", "currency: EUR", "$.money.rates.USD", "no site is charged in USD"),
        ("rates: {USD", "rates: {usd", "$.money.rates.usd", "no other currency"),
        ("rate: 0.9", "rate: 0", "$.money.rates.USD.rate", "cannot be a rate"),
        ("rate: 0.9", "rate: dollar", "$.money.rates.USD.rate", "is no measure"),
        ("value: {count: missed}", "value: {sum: invoice}, for_each: []", "$.kpis.missed.value", "in several currencies"),
        ("at: period_end, calendar: office,", "at: period_end,", "$.measures.open_long.events.calendar", "those of a calendar"),
        ("at: period_end,", "at: period_end, pauses: [waiting],", "$.measures.open_long.events.pauses", "a pause stops a clock"),
        ("at: period_end,", "at: period_end, overlap: once,", "$.measures.open_long.events.overlap", "one by one"),
        ("{percent: 110, of: down}", "{percent: 110, of: forecast}", "$.kpis.bound.levels[0].when", "'forecast' is no measure"),
        ("{percent: 110, of: down}", "{percent: 110, kpi: uptime}", "$.kpis.bound.levels[0].when", "'uptime' is no KPI"),
        ("{percent: 110, of: down}", "{percent: 110, kpi: bound}", "$.kpis.bound.value", "computed from itself"),
        ("effect: drop_span", "effect: lower_target", "$.relief[1].levels", "does not say to what"),
        ("effect: lower_target, levels", "effect: drop_period, levels", "$.relief[0].levels", "eases none"),
        ("cause: strike", "cause: storm", "$.relief[0].cause", "two kinds of relief"),
        (TWO_ZONES, "lisbon}, {site: azores", "$.kpis.accuracy.zone", "time zone of its own"),
        ("value: {count: missed}", "value: {count: correct}", "$.kpis.missed.zone", "correct is counted by days of the contract here"),
        (" weight: 60,", "", "$.kpis.accuracy.missing", "nothing is carried"),
        ("in_all: 100, to_one: 60", "to_one: 50", "$.scoring.allocation.to_one", "accuracy has 60 % of the score"),
        ("in_all: 100, to_one: 60", "in_all: 90", "$.scoring.allocation.in_all", "100 % of the score are allotted"),
        ("percent: 80, of: quality", "percent: 90, of: quality", "at_risk.allocation.to_one", "accuracy has 45 % of at_risk"),
        ("in_all: 150, to_one: 40", "in_all: 60, to_one: 40", "at_risk.allocation.in_all", "70 % of at_risk are allotted"),
    ],
)
def test_a_fault_is_found_at_its_place_with_a_repair(old: str, new: str, path: str, says: str | None) -> None:
    assert old in GOOD
    found = findings(GOOD.replace(old, new, 1))
    if says is None:
        assert found == []
        return
    own = [one for one in found if says in one.message]
    assert own, found
    assert path in str(own[0].where)
    assert own[0].repair


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("value: {moving_mean: {of: a}}", "over so many periods, or since the review began"),
        ("value: {moving_mean: {of: a, periods: 2, since: review}}", "one of them"),
        ("value: {intervals: {ratio: {of: a, to: b}, take: mean, at_least: 3}}", "a mean of intervals meets nothing"),
        ("value: {intervals: {ratio: {of: a, to: b}}}", "met at_least or at_most"),
        ("value: {derived: {sum: [{kpi: b, back: 2}]}}", "how many periods before previous lies"),
        ("value: {derived: {sum: [{previous: b, back: 0}]}}", "how many periods before previous lies"),
        ("value: {across: {of: a, take: percentile}}", "percent belongs to take: percentile"),
        ("value: {across: {of: a, take: median, percent: 50}}", "percent belongs to take: percentile"),
        ("value: {across: {of: a, take: percentile, percent: 101}}", "there is no percentile 101"),
    ],
)
def test_what_cannot_be_meant_cannot_be_read(part: str, says: str) -> None:
    reading = read(f"contract: A\ntitle: T\nvendor: v\nin_force: {{from: 2026-01-01}}\nkpis: {{a: {{title: T, {part}}}}}\n", Contract)
    assert reading.document is None
    assert any(says in one.message for one in reading.findings)


def test_every_part_is_read_aloud() -> None:
    text = explain(read(GOOD, Contract).required())
    for sentence in (
        "A piece of a period at the contract's start or end is added to the whole period beside it.",
        "the spread of the results of accuracy over its scopes (the greatest less the least)",
        "the 90th percentile by interpolation of the results of accuracy over its scopes",
        "in the business time of office, the clock standing still during waiting or ordered",
        "it may lie below zero",
        "without a judged value the last judged value is scored by the levels of the period",
        "In a period cut short its levels shrink with the days.",
        "3 free, the number shrinking with the days of a part period",
        "storm: levels are eased for the periods it touches, to target 90 for accuracy and target 5 for missed.",
        "Results are reviewed by the year, from day 16, counted from April.",
        "It is judged at the end of each review, on the counts of all its periods.",
        "the minutes of the period that office is open",
        "on each day that it lasts, time in which several last at once counting once, in the business time of office",
        "the value by all counts together of up since the review began",
        "the up of 12 periods before",
        "the mean over intervals, each counting once, of correct out of audited, in percent, one without volume counting as 0",
        "One USD is 0.9 EUR, by the rate of the central bank.",
        "at the end of each period in which it is open, in the business time of office, only with working days of more than 20",
        "the number of scopes in which missed misses its target",
        "in November and December while hours is less than 110 % of down: target 5",
        "of which at most 150 % in all and at most 40 % to one KPI may be allotted",
    ):
        assert sentence in text, text
    assert "{" not in text
