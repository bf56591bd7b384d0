"""A contract that can be read may still promise what cannot be computed: `contract check` says so, all at once, with line and repair."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from contracts.checking import check
from contracts.document import Contract
from contracts.errors import Finding
from contracts.reading import read
from vendor_mgmt.commands.contract import command

GOOD = """contract: IB-1
title: Product moderation
vendor: harbour
currency: EUR
time_zone: Europe/Lisbon
in_force: {from: 2026-01-01, until: 2027-01-01}
dimensions: [workstream]
measures:
  audited: {}
  correct: {part_of: audited}
  invoice: {money: true}
kpis:
  accuracy:
    title: Accuracy
    value: {ratio: {of: correct, to: audited}}
    levels: [{at: {floor: 90, target: 95}}]
    no_volume: not_judged
    weight: 100
money:
  bases: {invoice: {measure: invoice}}
  credits: [{for: accuracy, pay: {percent: 5, of: invoice}}]
  caps: [{percent: 10, of: invoice}]
"""


def findings(text: str) -> list[Finding]:
    reading = read(text.encode(), Contract, name="contract.yaml")
    assert reading.document is not None, reading.findings
    return check(reading.document)


def checked(folder: Path, text: str) -> Result:
    path = folder / "contract.yaml"
    path.write_text(text, encoding="utf-8")
    return CliRunner().invoke(command, ["check", str(path)], catch_exceptions=False)


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_sound_contract_has_no_findings(tmp_path: Path) -> None:
    assert findings(GOOD) == []
    assert checked(tmp_path, GOOD).exit_code == 0


def test_ten_faults_give_ten_findings_with_line_path_value_and_repair_and_exit_code_2(tmp_path: Path) -> None:
    text = (
        GOOD.replace("currency: EUR", "currency: euro")
        .replace("time_zone: Europe/Lisbon", "time_zone: Europe/Lissabon")
        .replace("{part_of: audited}", "{part_of: audits}")
        .replace("{ratio: {of: correct, to: audited}}", "{ratio: {of: corect, to: audited}}")
        .replace("floor: 90", "floor: 97")
        .replace("no_volume: not_judged", "completeness: 120\n    no_volume: not_judged")
        .replace("weight: 100", "weight: -100")
        .replace("for: accuracy, pay: {percent: 5, of: invoice}", "for: acuracy, pay: {percent: 5, of: invoices}")
        .replace("{percent: 10, of: invoice}", "{percent: 10, of: charges}")
    )
    result = checked(tmp_path, text)
    assert result.exit_code == 2
    said = [line for line in result.output.splitlines() if line.startswith("contract.yaml:")]
    lines = [line for line in said if ": warning: " not in line and ": note: " not in line]
    assert len(lines) == 10, result.output
    for number, path, value in (
        (4, "$.currency", "euro"),
        (5, "$.time_zone", "Lissabon"),
        (10, "$.measures.correct.part_of", "audits"),
        (15, "$.kpis.accuracy.value.ratio.of", "corect"),
        (16, "$.kpis.accuracy.levels[0].at", "97"),
        (17, "$.kpis.accuracy.completeness", "120"),
        (19, "$.kpis.accuracy.weight", "-100"),
        (22, "$.money.credits[0].for", "acuracy"),
        (22, "$.money.credits[0].pay.of", "invoices"),
        (23, "$.money.caps[0].of", "charges"),
    ):
        [line] = [line for line in lines if f" {path}: " in line]
        assert line.startswith(f"contract.yaml:{number}:")
        assert value in line
        assert line.rstrip().endswith((".", "?"))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("weight: 100", "weight: 60", "the weights add up to 60"),
        ("    weight: 100", "    bands: [{name: a, at_least: 95}, {name: b, at_most: 94.9}]\n    weight: 100", "no band holds"),
        ("    weight: 100", "    bands: [{name: a, at_least: 94}, {name: b, at_most: 95}]\n    weight: 100", "more than one band"),
        ("    weight: 100", "    bands: [{name: a}, {name: b, at_least: 90, less_than: 90}]\n    weight: 100", "no value can be"),
        ("floor: 90", "floor: 95", "floor and target are both 95"),
        ("    no_volume: not_judged\n", "", "denominator is zero"),
        ("percent: 10, of: invoice", "percent: 2, of: invoice", "below the smallest credit"),
        ("target: 95", "target: 0.95, stretch: 0.97", "below one percent"),
        ("levels: [{at: {floor: 90, target: 95}}]", "levels: [{at: {floor: 90, target: 95}}]\n    unit: seconds", "is a percentage"),
        ("    value: {ratio", "    better: lower\n    boundary: at_least\n    value: {ratio", "asks for more"),
        ("{measure: invoice}", "{measure: audited}", "a base is money"),
        ("{measure: invoice}", "{percent: 5, of: invoice}", "a share of itself"),
        ("money:\n", "money:\n  earn_back: [{percent: 50, periods: 0}]\n", "0 cannot be a run of periods"),
        ("money:\n", "money:\n  earn_back: [{percent: 50, periods: 24}]\n", "never ends inside the term"),
        ("money:\n", "money:\n  conversion: {to: EUR, rate: 1.1, source: bank}\n", "is in EUR already"),
        ("money:\n", "rights: [{name: x, when: {missed: target, kpi: accuracy, window: {last: 36}}}]\nmoney:\n", "the contract has 12"),
        ("money:\n", "rights: [{name: x, when: {missed: floor, kpi: accuracy, window: {last: 3, at_least: 4}}}]\nmoney:\n", "never be"),
        ("money:\n", "rights: [{name: x, when: {all: [{missed: bottom}], kpi: accuracy}}]\nmoney:\n", "'bottom' is no level"),
        ("    weight: 100", "    repeat: {}\n    weight: 100", "multiplies points, and there are none"),
        ("pay: {percent: 5, of: invoice}", "pay: {percent: {each: {give: 1}}, of: invoice, by: {}}", "read at one thing"),
        ("pay: {percent: 5, of: invoice}", "pay: {amount: 1, by: {each_event: audited}}", "not made from events"),
        ("    levels: [", "    for_each: [site, language]\n    levels: [", "'language' is no dimension"),
    ],
)
def test_what_an_editor_should_have_decided_is_found(old: str, new: str, says: str) -> None:
    found = findings(changed(old, new))
    assert any(says in one.message for one in found), found
    assert all(one.repair for one in found)


def test_kpis_that_wait_for_each_other_are_named() -> None:
    circle = "  one: {title: A, value: {derived: {sum: [{kpi: two}]}}}\n  two: {title: B, value: {derived: {sum: [{kpi: one}]}}}\nmoney:\n"
    [one] = findings(changed("money:\n", circle))
    assert "one, two are computed from each other" in one.message
    earlier = "  one: {title: A, value: {derived: {difference: [{kpi: accuracy}, {previous: accuracy}]}}}\nmoney:\n"
    assert findings(changed("money:\n", earlier)) == []


def test_weights_are_added_within_a_workstream() -> None:
    text = changed("measures:", "scope:\n  - {site: a, workstream: product}\n  - {site: a, workstream: live}\nmeasures:")
    kpi = "  {name}:\n    title: T\n    value: {{ratio: {{of: correct, to: audited}}}}\n    target: 95\n    no_volume: not_judged\n"
    kpi += "    where: {{workstream: {stream}}}\n    weight: {weight}\n"
    live = kpi.format(name="live", stream="live", weight=100)
    good = text.replace("    weight: 100\n", "    where: {workstream: product}\n    weight: 100\n" + live)
    assert findings(good) == []
    [one] = findings(good.replace("    weight: 100\nmoney", "    weight: 90\nmoney"))
    assert "the weights for a, live add up to 90" in one.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD + "contract: again\n", "stands twice"),
        (GOOD.replace("title: Product moderation", "title: &name Product moderation"), "anchor"),
        (changed("currency: EUR", "currency: NO"), "NO"),
        (changed("currency: EUR", "currency: [EUR, USD]"), "currency"),
        (changed("target: 95", "target: .nan"), ".nan"),
        (changed("target: 95", "target: Infinity"), "Infinity"),
        (changed("target: 95", "target: 7:00"), "7:00"),
        (changed("from: 2026-01-01", "from: 2026-13-01"), "2026-13-01"),
        (changed("until: 2027-01-01", "until: 2025-01-01"), "not after it begins"),
        (changed("title: Product", "titel: Product"), "titel"),
    ],
)
def test_bad_input_is_a_finding_and_never_a_silent_reading(tmp_path: Path, text: str, says: str) -> None:
    result = checked(tmp_path, text)
    assert result.exit_code == 2, result.output
    assert says.lower() in result.output.lower()
    assert "Traceback" not in result.output


def test_a_document_over_the_size_limit_is_refused(tmp_path: Path) -> None:
    result = checked(tmp_path, GOOD + "# " + "x" * 5_000_000)
    assert result.exit_code == 2
    assert "large" in result.output or "MB" in result.output or "bytes" in result.output


def test_the_annex_s_own_example_is_run_and_a_wrong_figure_is_found(tmp_path: Path) -> None:
    example = """examples:
  - name: Annex 2, example 1
    given: {data: [{measure: audited, starts_on: 2026-01-01, value: 100}, {measure: correct, starts_on: 2026-01-01, value: 90},
                   {measure: invoice, starts_on: 2026-01-01, value: 1000}]}
    expect: {totals: [{scope: {site: site}, credit: "50.00"}]}
"""
    assert checked(tmp_path, GOOD + example).exit_code == 0
    wrong = checked(tmp_path, GOOD + example.replace("50.00", "60.00"))
    assert wrong.exit_code == 2
    assert "Annex 2, example 1" in wrong.output
