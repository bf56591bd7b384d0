"""`contract template`, `from-xlsx`, `to-xlsx`, `explain`, `diff` and `check` with includes, as they are called."""

from __future__ import annotations

import zipfile
from pathlib import Path

from click.testing import CliRunner, Result

from contracts.including import read_contract
from vendor_mgmt.__main__ import cli
from vendor_mgmt.commands import contract_grid


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["contract", *map(str, arguments)])


def test_a_template_becomes_a_document_that_check_accepts_and_a_workbook_again(tmp_path: Path) -> None:
    book, document, again = tmp_path / "a.xlsx", tmp_path / "a.yaml", tmp_path / "b.xlsx"
    assert run("template", book).exit_code == 0
    assert run("from-xlsx", book, "-o", document).exit_code == 0
    checked = run("check", document)
    assert (checked.exit_code, checked.output) == (0, "1 read; 0 errors, 0 remarks.\n")
    assert "Definitions, acc: score stands in the column More." in run("to-xlsx", document, again).output
    assert contract_grid.read_workbook(again).document == read_contract(contract_grid.TEMPLATE).required()


def test_a_file_is_not_overwritten_unless_that_is_said(tmp_path: Path) -> None:
    book = tmp_path / "a.xlsx"
    book.write_text("mine")
    assert run("template", book).exit_code == 2
    assert book.read_text() == "mine"
    assert run("template", book, "--force").exit_code == 0


def test_what_is_no_workbook_is_a_sentence_and_exit_code_2(tmp_path: Path) -> None:
    text, other, bomb = tmp_path / "a.xlsx", tmp_path / "b.xlsx", tmp_path / "c.xlsx"
    text.write_text("contract: A")
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "a zip archive, and no workbook")
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (contract_grid.MAX_UNPACKED + 1))
    for file, words in ((text, "is no workbook"), (other, "cannot be opened as a workbook"), (bomb, "which no contract needs")):
        result = run("from-xlsx", file)
        assert result.exit_code == 2
        assert words in result.output
        assert "Traceback" not in result.output


def test_an_include_outside_the_contracts_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "inner" / "a.yaml"
    file.parent.mkdir()
    (tmp_path / "house.yaml").write_text("family: x\nentries: {}\n")
    file.write_text("contract: A\ntitle: T\nvendor: v\nin_force: {from: 2026-03-01}\ninclude: [{library: a, file: ../house.yaml}]\n")
    result = run("check", file)
    assert result.exit_code == 2
    assert "it lies outside the contract's folder" in result.output


def test_a_contract_is_explained_and_compared(tmp_path: Path) -> None:
    old, new = tmp_path / "1.yaml", tmp_path / "2.yaml"
    text = "contract: A\ntitle: T\nvendor: v\nin_force: {from: 2026-03-01}\ninclude: [{library: acc, set: {weight: 100}}]\n"
    old.write_text(text)
    new.write_text(text.replace("2026-03-01", "2026-06-01").replace("weight: 100", "weight: 90"))
    assert "Decision accuracy, called acc." in run("explain", old).output
    assert "from 1 June 2026: Decision accuracy (acc): weight is 90 instead of 100." in run("diff", old, new).output
    old.write_text("contract: [")
    assert run("explain", old).exit_code == 2
