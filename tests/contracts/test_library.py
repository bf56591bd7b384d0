"""The KPI library: complete, explained, and right by its own examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import library
from contracts.checking import check
from contracts.errors import has_errors
from contracts.including import read_contract
from scorecards.examples import disagreements, run_example
from tests.scorecards.test_examples import score

PAGE = Path(__file__).parents[2] / "docs/kpi-library.md"
CATALOGUE = """
    tat_sla tat_p95 backlog_over acc fp_rate leakage recall_loss wrong_sel tech_err crit_err golden calib qa_cov appeal_rate overturn
    esc_acc sl asa aband aht fcr csat nps qa_csup prod occ shrink adh fill fc_acc attr absn ramp sop_ack bill_var act_close data_time
""".split()  # noqa: SIM905 - a catalogue of words is easiest to compare as words
ENTRIES = library.entries()


def test_every_kpi_of_the_catalogue_is_there() -> None:
    assert len(CATALOGUE) == 37
    assert set(CATALOGUE) <= ENTRIES.keys()


@pytest.mark.parametrize("name", ENTRIES)
def test_the_worked_example_comes_out_as_it_says(name: str) -> None:
    contract, example = library.example_of(name, ENTRIES[name])
    scored, differences = run_example(contract, example)
    assert differences == []
    assert len(scored.results) == 1


@pytest.mark.parametrize("name", ENTRIES)
def test_the_command_score_comes_to_the_same(name: str, tmp_path: Path) -> None:
    """Included by its name, as a contract of one's own would include it, and judged on rows of a file."""
    contract, example = library.example_of(name, ENTRIES[name])
    text = b"contract: MINE\ntitle: Mine\nvendor: any\nin_force: {from: 2026-03-01, until: 2026-04-01}\ninclude: [{library: %s}]\n"
    included = read_contract(text % name.encode(), name="mine.yaml").required()
    assert (included.kpis, included.measures) == (contract.kpis, contract.measures)
    result, code = score(tmp_path, included, example.given)
    assert code == 0
    assert disagreements(result, example.expect) == []


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_by_itself_is_a_contract_that_can_be_agreed(name: str) -> None:
    contract, _ = library.example_of(name, ENTRIES[name])
    assert not has_errors(check(contract))
    assert [finding for finding in check(contract) if "no_volume" in finding.path] == []


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_says_what_counts_what_does_not_and_when(name: str) -> None:
    entry = ENTRIES[name]
    words = entry.included().definition or ""
    assert "Included: " in words
    assert "Not included: " in words
    assert "Clock: " in words
    assert all(len(text) > 20 for text in (entry.roll_up, entry.levels_from, entry.worked.words))
    assert entry.kpi.levels or entry.kpi.target is not None or name == "tech_err"


def test_measures_of_one_name_are_one_measure() -> None:
    declared: dict[str, object] = {}
    for entry in ENTRIES.values():
        for name, measure in entry.measures.items():
            assert declared.setdefault(name, measure) == measure, name


def test_only_counts_are_delivered() -> None:
    assert [name for entry in ENTRIES.values() for name, measure in entry.measures.items() if measure.given] == []


def test_an_entry_is_found_by_its_name_or_title_however_they_are_written() -> None:
    assert [found[0] for text in ("ACC", "Decision Accuracy", "tat-sla", "Net promoter score") if (found := library.find(text))] == [
        "acc",
        "acc",
        "tat_sla",
        "nps",
    ]
    assert library.find("accu") is None
    assert library.nearest("leekage") == "leakage"


def test_the_page_is_printed_from_the_library() -> None:
    assert PAGE.read_text("utf-8") == library.page(), "run `python -m contracts.library > docs/kpi-library.md`"
