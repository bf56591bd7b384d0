"""What docs/contract-language.md says is so: its contracts read and check, its cases and tests exist, and no requirement is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.checking import check
from contracts.document import Contract
from contracts.reading import read, write

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "contract-language.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
REQUIREMENTS = [
    *(f"A{n}" for n in range(1, 7)), *(f"B{n}" for n in range(1, 8)), *(f"C{n}" for n in range(1, 8)), *(f"D{n}" for n in range(1, 8)),
    *(f"E{n}" for n in range(1, 5)), *(f"F{n}" for n in range(1, 5)), *(f"G{n}" for n in range(1, 8)), *(f"H{n}" for n in range(1, 5)),
    "I1", "J1", "J2", "K1", "K2", "K3", "K4", "L1", "L2", "M1", "N1", "N2", "O1", "O2", "O3", "O4", "P1", "P2", "P3", "P4", "P5",
    "Q1", "Q2", "Q3", "R1", "R2", "R3", "S",
]  # fmt: skip


def rows() -> list[list[str]]:
    table = PAGE.split("## Requirements", maxsplit=1)[1]
    lines = [line for line in table.splitlines() if re.match(r"\| [A-S]\d? \|", line)]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n", maxsplit=1)[0])
def test_a_contract_of_the_page_reads_checks_and_survives_writing(block: str) -> None:
    contract = read(block.encode(), Contract, name="page.yaml").required()
    assert [one for one in check(contract) if one.severity == "error"] == []
    assert read(write(contract), Contract, name="again.yaml").required() == contract


def test_every_requirement_stands_in_the_table_once_with_a_test_that_exists() -> None:
    assert [row[0] for row in rows()] == REQUIREMENTS
    for row in rows():
        assert (ROOT / "tests" / row[4]).exists(), row


def test_every_case_the_page_names_is_run() -> None:
    files = (ROOT / "tests" / "examples" / "score").glob("*.yaml")
    ids = re.findall(r"- id: (.*)", "\n".join(path.read_text(encoding="utf-8") for path in files))
    known = {word for one in ids for word in re.findall(r"[A-Z]{2,5}-\d\d", one)}
    named = set(re.findall(r"\b[A-Z]{2,5}-\d\d\b", PAGE))
    assert named <= known


def test_the_examples_of_a_requirement_are_cases_that_are_run() -> None:
    files = (ROOT / "tests" / "examples" / "score").glob("*.yaml")
    ids = [one.strip("'\" ") for path in files for one in re.findall(r"- id: (.*)", path.read_text(encoding="utf-8"))]
    ids += [one for cases in ids for one in re.findall(r"[A-Z]{2,5}-\d\d", cases)]
    for row in rows():
        left = row[3]
        for one in sorted(ids, key=len, reverse=True):
            left = left.replace(one, "")
        assert not left.strip(" ,"), f"{row[0]} names {left!r}, which is no case"


def test_every_mechanism_of_the_architecture_names_a_part_a_file_and_cases_that_run() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text.split("## How the mechanisms of contracts are written", maxsplit=1)[1].split("\n## ", maxsplit=1)[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| ")][1:]
    ids = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "examples" / "score").glob("*.yaml"))
    run = re.findall(r"- id: (.*)", ids)
    assert len(lines) > 20
    for mechanism, parts, files, cases in lines:
        assert parts, mechanism
        assert re.findall(r"`[\w/]+\.py`", files), mechanism
        if "escalation" in cases:
            continue
        for case in [one.strip() for one in re.split(r", (?=[A-Z]{2}|tickets|relief)", cases)]:
            assert any(case == one or case in one.replace(" and ", ", ").split(", ") or case == one.split(" ")[0] for one in run), case
