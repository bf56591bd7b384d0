"""Every annex of the cookbook: read, checked, scored, explained, valid for editors, and as its page shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from click.testing import CliRunner

from contracts.document import Contract
from contracts.json_schema import schema
from contracts.reading import read, write
from scorecards.examples import disagreements
from tools import show_cookbook
from vendor_mgmt.__main__ import cli

DATA = sorted(show_cookbook.BOOK.glob("*/*.csv"))
ANNEXES = pytest.mark.parametrize("data", DATA, ids=lambda path: f"{path.parent.name}-{path.stem}")
PAGES = pytest.mark.parametrize("page", show_cookbook.pages(), ids=lambda path: path.parent.name)


def contract_of(data: Path) -> Path:
    return data.with_suffix(".yaml")


def ran(*words: object) -> str:
    done = CliRunner().invoke(cli, [*map(str, words)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_there_are_six_annexes_and_each_has_a_page_that_the_index_names() -> None:
    folders = sorted({data.parent.name for data in DATA})
    index = (show_cookbook.BOOK / "README.md").read_text(encoding="utf-8")
    assert len(folders) == 6
    assert [page.parent.name for page in show_cookbook.pages()] == folders
    assert [name for name in folders if f"({name}/README.md)" not in index] == []


@ANNEXES
def test_an_annex_checks_without_a_finding(data: Path) -> None:
    assert ran("contract", "check", contract_of(data)) == "1 read; 0 errors, 0 remarks.\n"


@ANNEXES
def test_an_annex_comes_to_the_amounts_of_its_source(data: Path) -> None:
    expected = read(data.with_suffix(".expected.yaml").read_bytes(), dict[str, list[dict[str, Any]]]).required()
    assert "totals" in expected
    assert disagreements(json.loads(ran("score", contract_of(data), data, "--json")), expected) == []


@ANNEXES
def test_an_annex_is_explained_with_every_clause_it_names(data: Path) -> None:
    contract = read(contract_of(data).read_bytes(), Contract).required()
    told = ran("contract", "explain", contract_of(data))
    clauses = {kpi.clause for kpi in contract.kpis.values()} | {one.clause for one in (*contract.money.credits, *contract.money.bonuses)}
    assert [clause for clause in clauses if clause is not None and clause not in told] == []
    assert [kpi.title for kpi in contract.kpis.values() if kpi.title not in told] == []


@ANNEXES
def test_an_annex_is_valid_for_editors_and_survives_writing_and_reading(data: Path) -> None:
    text = contract_of(data).read_bytes()
    contract = read(text, Contract).required()
    as_an_editor_sees_it = json.loads(msgspec.json.Encoder(decimal_format="number").encode(read(text, dict[str, Any]).required()))
    published = schema(Contract, id="urn:vendor-mgmt:contract", title="Outsourcing contract")
    jsonschema.Draft202012Validator(published, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER).validate(as_an_editor_sees_it)
    assert read(write(contract), Contract).required() == contract


@PAGES
def test_a_page_names_its_source_and_shows_what_score_prints(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "**Source of the figures**" in text
    assert "$ vendor-mgmt score" in text
    assert text == show_cookbook.as_it_is_now(page), "run `.venv/bin/python tools/show_cookbook.py`, and read what changed"
