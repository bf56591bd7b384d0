"""Published worked cases, replayed through `vendor-mgmt score`: one helper, many cases in a buyer's words.

The cases stand in tests/examples/score/*.yaml.  Each names its source, a contract of the same file, what was delivered and what is
expected; what a case does not name is not checked, and an empty list says that there is none.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from contracts.document import Contract, ExampleClaim, ExampleEvent, ExampleOpening, ExampleRelief, ExampleRow, Given
from contracts.reading import read, write
from scorecards.examples import disagreements
from vendor_mgmt.commands.score import command

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "score"


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One worked case."""

    id: str
    says: str
    source: str
    contract: str
    given: Given
    expect: dict[str, list[dict[str, object]]]


class Cases(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file: contracts by name, and the cases that are played on them."""

    contracts: dict[str, Contract]
    calendars: dict[str, object] = {}
    cases: list[Case]


def files() -> Iterator[tuple[Path, Cases]]:
    for path in sorted(FOLDER.glob("*.yaml")):
        yield path, read(path.read_bytes(), Cases, name=path.name).required()


def cases() -> Iterator[Any]:
    for _, file in files():
        for case in file.cases:
            yield pytest.param(file, case, id=case.id)


def _table(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]], dimensions: Sequence[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*columns, *dimensions])
        writer.writeheader()
        writer.writerows(rows)
    return path


def _cells(row: ExampleRow | ExampleRelief | ExampleOpening | ExampleEvent | ExampleClaim) -> dict[str, object]:
    pairs = zip(row.__struct_encode_fields__, row.__struct_fields__, strict=True)
    own = {name: msgspec.to_builtins(getattr(row, field)) for name, field in pairs if name != "dimensions"}
    return {name: "" if value is None else value for name, value in own.items()} | dict(getattr(row, "dimensions", {}))


def score(folder: Path, contract: Contract, given: Given, calendars: Mapping[str, object] | None = None) -> tuple[dict[str, Any], int]:
    """What the public command says, as JSON, and its exit code."""
    (folder / "contract.yaml").write_bytes(write(contract))
    for name, calendar in (calendars or {}).items():
        (folder / f"{name}.yaml").write_text(json.dumps(calendar, default=str), encoding="utf-8")
    own = contract.dimensions
    data = _table(
        folder / "data.csv",
        ("site", "measure", "starts_on", "grain", "value", "n", "starts_at", "known_at"),
        [_cells(one) for one in given.data],
        own,
    )
    arguments = [str(folder / "contract.yaml"), str(data), "--json"]
    names: tuple[str, ...]
    if given.relief:
        names = ("site", "kpi", "from", "until", "effect", "share", "cause")
        table = _table(folder / "relief.csv", names, [_cells(one) for one in given.relief], own)
        arguments += ["--relief", str(table)]
    if given.opening:
        table = _table(folder / "opening.csv", ("starts_on", "site", "kpi", "fact", "value"), [_cells(one) for one in given.opening], own)
        arguments += ["--opening", str(table)]
    if given.events:
        names = ("event_id", "site", "kind", "started_at", "ended_at", "value")
        table = _table(folder / "events.csv", names, [_cells(one) for one in given.events], own)
        arguments += ["--events", str(table)]
    if given.claims is not None:
        columns = ("starts_on", "site", "kpi", "event_id", "claimed_on")
        table = _table(folder / "claims.csv", columns, [_cells(one) for one in given.claims], own)
        arguments += ["--claims", str(table)]
    found = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert found.exit_code in {0, 1}, found.output
    result: dict[str, Any] = json.loads(found.stdout)
    return result, found.exit_code


@pytest.mark.parametrize(("file", "case"), list(cases()))
def test_a_published_case_comes_out_to_the_cent(file: Cases, case: Case, tmp_path: Path) -> None:
    result, code = score(tmp_path, file.contracts[case.contract], case.given, file.calendars)
    names = ("data.csv", "relief.csv", "opening.csv", "events.csv", "claims.csv")
    refused = [one for one in result["findings"] if one["where"].startswith(names)]
    assert code == 0, refused
    assert not disagreements(result, case.expect), f"{case.says} ({case.source})"


def test_no_case_stands_twice_and_every_contract_is_played_on() -> None:
    ids = [case.id for _, file in files() for case in file.cases]
    assert len(ids) == len(set(ids))
    for path, file in files():
        assert {case.contract for case in file.cases} == set(file.contracts), path.name


def test_a_case_with_a_wrong_figure_fails() -> None:
    result = {"totals": [{"credit": "10.00", "scope": {}}], "rights": [{"name": "leave"}]}
    assert not disagreements(result, {"totals": [{"credit": "10"}]})
    assert disagreements(result, {"totals": [{"credit": "10.01"}]})
    assert disagreements(result, {"rights": []})
    assert disagreements(result, {"proposals": []})


BESIDE = Path(__file__).resolve().parents[2].parent / "shared"
SHARED = Path(os.environ.get("VENDOR_MGMT_TEST_SHARED") or BESIDE) / "cases" / "contract-maths.json"


@pytest.mark.skipif(not SHARED.exists(), reason=f"NOT RUN: the list of published cases is not at {SHARED}; set VENDOR_MGMT_TEST_SHARED")
def test_every_published_case_is_run_or_listed_with_a_reason() -> None:
    published = {case["id"] for case in json.loads(SHARED.read_text(encoding="utf-8"))}
    run = {name for _, file in files() for case in file.cases for name in re.findall(r"[A-Z]{2,5}-\d\d", case.id)}
    listed = set(re.findall(r"[A-Z]{2,5}-\d\d", (FOLDER / "NOT_RUN.md").read_text(encoding="utf-8").split("Run as far")[0]))
    assert published - run == listed & published
    assert not run & listed
