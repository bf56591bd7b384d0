"""What people and programs hand in by mistake or on purpose, and what an editor has to ask: each is one finding at its place."""

# ruff: noqa: E501 - a contract and two tables are read in rows

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from contracts.document import Contract
from contracts.errors import Finding, has_errors
from contracts.nodes import MAX_BYTES
from contracts.reading import read
from vendor_mgmt.commands.contract import command
from vendor_mgmt.commands.contract_findings import findings_of

SOUND = """contract: IB-1
title: Product moderation
vendor: harbour
currency: EUR
time_zone: Europe/Lisbon
in_force: {from: 2026-01-01, until: 2027-01-01}
scope: [{site: oslo-1, country: NO}]
measures:
  audited: {}
  correct: {part_of: audited}
  seconds: {}
  calls: {}
  invoice: {money: true}
kpis:
  accuracy:
    title: Accuracy
    value: {ratio: {of: correct, to: audited}}
    levels: [{at: {minimum: 90, target: 95}}]
    points: {steps: [{less_than: minimum, give: 2}, {at_least: minimum, less_than: target, give: 1}, {at_least: target, give: 0}]}
    no_volume: not_judged
    weight: 60
  speed: {title: Speed of answer, value: {mean: {of: seconds, per: calls}}, unit: seconds, better: lower, target: 20, no_volume: not_judged, weight: 40}
money:
  bases: {invoice: {measure: invoice}, pool: {percent: 12, of: invoice, allocation: {in_all: 100}}}
  credits:
    - {for: accuracy, pay: {percent: 60, of: pool}}
    - {for: speed, pay: {percent: 40, of: pool}}
  caps: [{percent: 100, of: pool}]
  earn_back: [{percent: 50, periods: 3}]
rights: [{name: termination, when: {kpi: accuracy, missed: target, window: {last: 6, at_least: 4}}}]
examples:
  - name: Annex 2, example 1
    given: {data: [{measure: audited, starts_on: 2026-01-01, value: 100}, {measure: correct, starts_on: 2026-01-01, value: 90},
                   {measure: seconds, starts_on: 2026-01-01, value: 100}, {measure: calls, starts_on: 2026-01-01, value: 10},
                   {measure: invoice, starts_on: 2026-01-01, value: 1000}]}
    expect: {totals: [{scope: {site: site}, credit: "72.00"}]}
"""


def found_in(folder: Path, text: str) -> list[Finding]:
    path = folder / "contract.yaml"
    path.write_text(text, encoding="utf-8")
    return findings_of(path)[1]


def line_of(text: str, piece: str) -> int:
    return text[: text.index(piece)].count("\n") + 1


def test_the_sound_contract_is_sound(tmp_path: Path) -> None:
    assert found_in(tmp_path, SOUND) == []


BOMB = "contract: &a [x, x]\ntitle: &b [*a, *a, *a, *a]\nvendor: &c [*b, *b, *b, *b]\n" + SOUND.split("\n", 3)[3]

BAD = {
    "a key that stands twice": ("vendor: harbour", "vendor: harbour\nvendor: bay", "$.vendor", "stands twice (first on line 3)"),
    "an anchor": ("title: Product moderation", "title: &t Product moderation", "$.title", "anchor"),
    "an alias": ("title: Product moderation", "title: *t", "$.title", "alias"),
    "a merge key": ("  calls: {}", "  calls: {<<: {money: true}}", "$.measures.calls", "merge key"),
    "a tag": ("title: Product moderation", "title: !!python/object/apply:os.system [ls]", "$.title", "tag"),
    "a time where a number belongs": ("target: 20", "target: 7:00", "$.kpis.speed.target", "'7:00' is not a number"),
    "a number that is none": ("target: 20", "target: .nan", "$.kpis.speed.target", "'.nan' is not a number"),
    "a number without end": ("target: 20", "target: .inf", "$.kpis.speed.target", "'.inf' is not a number"),
    "infinity in quotes": ("target: 20", "target: 'Infinity'", "$.kpis.speed.target", "'Infinity' is not a number"),
    "a number that no memory holds": ("target: 20", "target: 1e999999", "$.kpis.speed.target", "too long"),
    "a number as people group it": ("target: 20", "target: 1_000", "$.kpis.speed.target", "Write 1000."),
    "a decimal comma": ("target: 20", "target: '19,5'", "$.kpis.speed.target", "Write 19.5."),
    "a word that was true once": ("{money: true}", "{money: yes}", "$.measures.invoice.money", "true or false"),
    "a day that does not exist": ("from: 2026-01-01, until", "from: 2026-02-30, until", "$.in_force.from", "is not a day"),
    "a unit that does not exist": ("unit: seconds", "unit: furlongs", "$.kpis.speed.unit", "is not one of"),
    "a unit of something else": ("unit: seconds", "unit: percent", "$.kpis.speed.unit", "no percentage"),
    "two currencies": ("currency: EUR", "currency: [EUR, USD]", "$.currency", "is not text"),
    "two currencies in one word": ("currency: EUR", "currency: EUR/USD", "$.currency", "is no currency"),
    "a currency without a rate": ("country: NO", "country: NO, currency: NOK", "$.scope[0].currency", "what it is worth in EUR"),
    "a negative weight": ("weight: 60", "weight: -60", "$.kpis.accuracy.weight", "reward a miss"),
    "a control character": ("title: Product moderation", 'title: "Product\\0moderation"', "$.title", "control character"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_finding_at_its_line(tmp_path: Path, case: str) -> None:
    old, new, path, says = BAD[case]
    text = SOUND.replace(old, new, 1)
    [finding] = found_in(tmp_path, text)
    assert (finding.severity, finding.path) == ("error", path)
    assert finding.line == line_of(SOUND, old) + new.count("\n")
    assert says in f"{finding.message} {finding.repair}"
    result = CliRunner().invoke(command, ["check", str(tmp_path / "contract.yaml")], catch_exceptions=False)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_norway_is_a_country_and_no_denial(tmp_path: Path) -> None:
    assert found_in(tmp_path, SOUND) == []
    assert read(SOUND, Contract).required().scope[0].country == "NO"
    [finding] = found_in(tmp_path, SOUND.replace("country: NO", "country: no"))
    assert "'no' is no country" in finding.message


def test_a_bomb_of_aliases_is_refused_without_being_set_off(tmp_path: Path) -> None:
    found = found_in(tmp_path, BOMB)
    assert has_errors(found)
    assert all("alias" in one.message or "anchor" in one.message or "is not text" in one.message for one in found if one.line <= 3)


def test_nothing_beyond_the_size_limit_is_read(tmp_path: Path) -> None:
    [finding] = found_in(tmp_path, SOUND + "#" + "x" * MAX_BYTES)
    assert "bytes, more than the" in finding.message
    assert found_in(tmp_path, SOUND + "#" + "x" * (MAX_BYTES - len(SOUND.encode()) - 1)) == []


def test_a_long_number_keeps_every_digit() -> None:
    text = SOUND.replace("target: 20", "target: 20.00000000000000000000000000000001")
    assert read(text, Contract).required().kpis["speed"].target == Decimal("20.00000000000000000000000000000001")


# What an editor has to ask. Each item of the list of requirements, and what else a promise can get wrong.
ASKED = {
    "a gap between bands": ("{at_least: minimum, less_than: target, give: 1}", "{at_least: minimum, less_than: 94, give: 1}",
                            "$.kpis.accuracy.points.steps", "no band holds 94.5", "error"),
    "bands that overlap": ("{less_than: minimum, give: 2}", "{at_most: minimum, give: 2}",
                           "$.kpis.accuracy.points.steps[1]", "more than one band", "error"),
    "a band that nothing reaches": ("{at_least: minimum, less_than: target, give: 1}", "{at_least: minimum, less_than: minimum, give: 1}",
                                    "$.kpis.accuracy.points.steps[1]", "no value can be", "error"),
    "a direction that is not written": ("better: lower, target: 20", "target: 20", "$.kpis.speed.better", "which way", "warning"),
    "a direction that the curve contradicts": ("lower, target: 20", "lower, points: {steps: [{less_than: 20, give: 2}, {at_least: 20, give: 0}]}, target: 20",
                                               "$.kpis.speed.better", "says that higher is better", "error"),
    "weights that are not 100": ("weight: 40", "weight: 45", "$.kpis", "add up to 105", "warning"),
    "more allotted than the pool": ("pay: {percent: 40, of: pool}", "pay: {percent: 45, of: pool}",
                                    "$.money.bases.pool.allocation.in_all", "105 % of pool are allotted", "error"),
    "a target equal to the minimum": ("{minimum: 90, target: 95}", "{minimum: 95, target: 95}",
                                      "$.kpis.accuracy.levels[0].at", "are both 95", "warning"),
    "an earn-back of no periods": ("periods: 3", "periods: 0", "$.money.earn_back[0].periods", "a run of periods", "error"),
    "a cap below the smallest credit": ("caps: [{percent: 100", "caps: [{percent: 30", "$.money.caps[0].percent", "smallest credit", "warning"),
    "a percentage where money belongs": ("pool: {percent: 12, of: invoice", "pool: {percent: 12, of: calls",
                                         "$.money.bases.pool.of", "a base is money", "error"),
    "an example that the terms contradict": ('credit: "72.00"', 'credit: "60.00"', "$.examples[0]", "Annex 2, example 1", "error"),
    "a trigger longer than the term": ("{last: 6, at_least: 4}", "{last: 36, at_least: 4}",
                                       "$.rights[0].when.window.last", "the contract has 12", "error"),
    "no rule for zero volume": ("target: 20, no_volume: not_judged", "target: 20", "$.kpis.speed.no_volume", "denominator is zero", "warning"),
    "a floor that is better than the target": ("{minimum: 90, target: 95}", "{minimum: 97, target: 95}",
                                               "$.kpis.accuracy.levels[0].at", "better than the target", "error"),
    "a fraction where percent is meant": ("{minimum: 90, target: 95}", "{minimum: 0.9, target: 95}",
                                          "$.kpis.accuracy.levels[0].at.minimum", "below one percent", "warning"),
    "an end before the beginning": ("until: 2027-01-01", "until: 2025-01-01", "$.in_force.until", "not after it begins", "error"),
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_what_an_editor_must_ask_is_asked_once(tmp_path: Path, case: str) -> None:
    old, new, path, says, severity = ASKED[case]
    assert SOUND.count(old) == 1
    text = SOUND.replace(old, new)
    found = [one for one in found_in(tmp_path, text) if not (one.path == "$.examples[0]" and path != "$.examples[0]")]
    assert [(one.path, one.severity) for one in found] == [(path, severity)], found
    assert says in found[0].message
    assert found[0].repair
    assert found[0].line > 0


def test_faulty_bands_stop_agreeing(tmp_path: Path) -> None:
    (tmp_path / "contract.yaml").write_text(SOUND.replace("less_than: target, give: 1", "less_than: 94, give: 1"), encoding="utf-8")
    result = CliRunner().invoke(command, ["agree", str(tmp_path / "contract.yaml")])
    assert result.exit_code == 2
    assert "no band holds 94.5" in result.output
