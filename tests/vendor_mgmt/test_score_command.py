"""`vendor-mgmt score` as programs and people call it: what is refused, how it is said, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vendor_mgmt.commands.score import command

CONTRACT = """contract: S-1
title: Scored
vendor: harbour
currency: GBP
in_force: {from: 2026-01-01}
measures: {audited: {}, correct: {part_of: audited}}
kpis:
  accuracy: {title: Accuracy, value: {ratio: {of: correct, to: audited}}, target: 95, no_volume: not_judged}
"""
DATA = """site,measure,starts_on,grain,value
a,audited,2026-01-01,month,100
a,correct,2026-01-01,month,96
"""


def scored(folder: Path, contract: str = CONTRACT, data: str = DATA, *options: str) -> Result:
    (folder / "contract.yaml").write_text(contract, encoding="utf-8")
    (folder / "data.csv").write_text(data, encoding="utf-8")
    files = [str(folder / "contract.yaml"), str(folder / "data.csv")]
    return CliRunner().invoke(command, [*files, *options], catch_exceptions=False)


def test_a_refused_contract_is_a_result_with_all_findings_and_without_figures(tmp_path: Path) -> None:
    spoilt = CONTRACT.replace("vendor: harbour", "vendor: 5").replace("of: correct,", "of: corect,").replace("target: 95", "target: .nan")
    result = scored(tmp_path, spoilt, DATA, "--json")
    assert result.exit_code == 2
    told = json.loads(result.stdout)
    assert told["schema"] == "score/1"
    assert (told["contract"], told["currency"]) == ("S-1", "GBP")
    assert all(told[part] == [] for part in ("results", "lines", "totals", "rights", "proposals"))
    assert [one["where"].split(" ")[-1] for one in told["findings"]] == [
        "$.vendor", "$.kpis.accuracy.value.ratio.of", "$.kpis.accuracy.target",
    ]  # fmt: skip
    assert all(one["severity"] == "error" and one["message"] and one["repair"] for one in told["findings"])
    assert result.stderr == ""


@pytest.mark.parametrize("text", ["", "[1, 2]", "contract: [", "a: b\n", "\x00"])
def test_what_is_no_contract_at_all_is_a_result_as_well(tmp_path: Path, text: str) -> None:
    result = scored(tmp_path, text, DATA, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["findings"]


def test_a_person_reads_the_same_findings_once(tmp_path: Path) -> None:
    result = scored(tmp_path, CONTRACT.replace("vendor: harbour", "vendor: 5"))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("$.vendor") == 1


def test_a_refused_row_is_told_once_and_the_others_are_scored(tmp_path: Path) -> None:
    result = scored(tmp_path, CONTRACT, DATA + "a,audited,2026-02-01,month,-5\n")
    assert result.exit_code == 1
    assert result.output.count("-5") == 1
    assert "1 row was refused" in result.stderr
    told = json.loads(scored(tmp_path, CONTRACT, DATA + "a,audited,2026-02-01,month,-5\n", "--json").stdout)
    assert sum("-5" in one["message"] for one in told["findings"]) == 1
    assert told["results"][0]["value"] == "96"


@pytest.mark.parametrize("until", ["2026-01-01", "2025-12-31"])
def test_an_empty_span_is_a_wrong_call_and_no_empty_result(tmp_path: Path, until: str) -> None:
    result = scored(tmp_path, CONTRACT, DATA, "--from", "2026-01-01", "--until", until, "--json")
    assert result.exit_code == 2
    assert f"--until {until} is not after --from 2026-01-01" in result.stderr
    assert "Give a later day" in result.stderr
    assert scored(tmp_path, CONTRACT, DATA, "--from", "2026-01-01", "--until", "2026-01-02", "--json").exit_code == 0


def test_faulty_bands_stop_agreeing_and_not_scoring(tmp_path: Path) -> None:
    bands = "bands: [{name: fine, at_least: 97}, {name: poor, less_than: 95}]"
    result = scored(tmp_path, CONTRACT.replace("target: 95", f"target: 95, {bands}"), DATA, "--json")
    assert result.exit_code == 0
    [one] = json.loads(result.stdout)["results"]
    assert (one["value"], one["level"]) == ("96", "none")
    overlapping = bands.replace("less_than: 95", "at_most: 98")
    again = scored(tmp_path, CONTRACT.replace("target: 95", f"target: 95, {overlapping}").replace("97", "95"), DATA, "--json")
    assert json.loads(again.stdout)["results"][0]["level"] == "ambiguous"


def test_a_calendar_that_cannot_be_read_refuses_with_its_findings(tmp_path: Path) -> None:
    (tmp_path / "office.yaml").write_text("id: office\nzone: Lissabon\n", encoding="utf-8")
    timed = CONTRACT.replace("audited: {}", "audited: {events: {kind: ticket, take: hours, calendar: office}}")
    result = scored(tmp_path, timed.replace("title: Scored", "title: Scored\ncalendars: [office]"), DATA, "--json")
    assert result.exit_code == 2
    assert all("office.yaml" in one["where"] for one in json.loads(result.stdout)["findings"])


def test_a_data_file_that_is_no_table_is_one_sentence_for_a_person_and_no_count_of_rows(tmp_path: Path) -> None:
    result = scored(tmp_path, CONTRACT, "<!DOCTYPE html>\n<html></html>\n")
    assert (result.exit_code, result.stdout) == (2, "")
    [said] = result.stderr.splitlines()
    assert "web page" in said
    assert "site, measure, starts_on, grain, value" in said
    assert "were refused" not in said
