"""Every fault is one finding, on its line, and as many faults as there are come back in one run."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.checking import check
from contracts.checking_values import NUMBERS
from contracts.document import Contract
from contracts.errors import Finding, render
from contracts.holes import punched
from contracts.questions import fields_of, parts
from contracts.reading import read
from contracts.shape import Mapping, Number, OneOf, Record, Sequence, Shape, record_of
from tests.contracts.faults import EVERY_FIELD, FAULTS, FORM, NAMES, TERMS, VALUES, Fault, overlap, spoiled
from vendor_mgmt.commands.contract import command


def findings(text: str) -> list[Finding]:
    """What `contract check` finds, without the examples being run."""
    reading = read(text, Contract, name="contract.yaml")
    assert reading.partial is not None
    return [*reading.findings, *reading.locate(check(reading.partial, is_written=reading.is_written))]


def places(found: list[Finding]) -> Counter[tuple[str, int]]:
    return Counter((finding.path, finding.line) for finding in found)


def expected(*faults: Fault) -> Counter[tuple[str, int]]:
    return Counter((fault.path, fault.line) for fault in faults)


def test_the_sound_contract_has_no_finding() -> None:
    assert findings(EVERY_FIELD) == []


def test_there_are_many_of_each_kind() -> None:
    assert min(len(FORM), len(VALUES), len(NAMES), len(TERMS)) >= 30
    assert len(FAULTS) >= 60


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_single_fault_is_one_finding_at_its_place(fault: Fault) -> None:
    found = findings(spoiled(fault))
    assert places(found) == expected(fault), render(found)
    [finding] = found
    assert finding.severity == fault.severity
    assert fault.says in f"{finding.message} {finding.repair}"
    assert finding.repair.endswith((".", "?"))


def apart(faults: list[Fault]) -> list[Fault]:
    """The faults that can stand in one document: none of them touches the text, or the place, of another."""
    kept: list[Fault] = []
    for fault in faults:
        if not any(overlap(fault, other) or fault.path == other.path for other in kept):
            kept.append(fault)
    return kept


# Whether these are faults at all cannot be said while another of the list makes unknown what they are held against: the end of the
# contract, the KPI a credit is for, the name of a calendar, a level.
DEPENDENT = {
    "$.scope[0].hours",
    "$.measures.outages.events.calendar",
    "$.measures.opening.time.calendar",
    "$.kpis.accuracy.levels[1].from",
    "$.kpis.accuracy.bands",
    "$.kpis.accuracy.bands[1]",
    "$.kpis.accuracy.score.line[2]",
    "$.money.credits[1].pay.percent.each.above",
    "$.money.bases.at_risk.allocation.to_one",
    "$.money.earn_back[0].within",
    "$.escalation.rules[0].clear.level",
    "$.examples[0].given.events[0].ended_at",
}

INDEPENDENT = apart([fault for fault in FAULTS if fault.path not in DEPENDENT])


def test_a_hundred_and_fifty_faults_of_every_kind_are_found_in_one_run() -> None:
    assert len(INDEPENDENT) >= 150
    found = findings(spoiled(*INDEPENDENT))
    assert places(found) == expected(*INDEPENDENT), (expected(*INDEPENDENT) - places(found), places(found) - expected(*INDEPENDENT))


@pytest.mark.parametrize("turn", range(10))
def test_a_file_with_a_dozen_mixed_faults_lists_exactly_these_and_is_refused(turn: int, tmp_path: Path) -> None:
    size = 10 + turn % 6
    faults = [fault for kind in (FORM, VALUES, NAMES, TERMS) for fault in kind if fault in INDEPENDENT and fault.severity == "error"]
    faults = faults[turn :: len(faults) // size][:size]
    assert len(faults) == size
    path = tmp_path / "contract.yaml"
    path.write_text(spoiled(*faults), encoding="utf-8")
    result = CliRunner().invoke(command, ["check", "--json", str(path)], catch_exceptions=False)
    assert result.exit_code == 2
    told = json.loads(result.output)
    assert Counter((one["where"]["path"], one["where"]["line"]) for one in told) == expected(*faults)
    assert all(one["message"] and one["repair"] for one in told)
    shown = CliRunner().invoke(command, ["check", str(path)], catch_exceptions=False)
    assert shown.output.count("contract.yaml:") == len(faults)
    assert f"{len(faults)} errors" in shown.output


SOUND = read(EVERY_FIELD, Contract)
PLACES = sorted(
    {step for part, path, _ in parts(SOUND.required()) for step in (path, *(step for _, step in fields_of(part, path))) if step != "$"}
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([path for path in PLACES if SOUND.is_written(path)]))
def test_a_place_that_cannot_be_read_costs_the_answers_that_need_it_and_gives_no_others(path: str) -> None:
    assert check(punched(SOUND.required(), [path]), is_written=SOUND.is_written) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PLACES), min_size=1, max_size=20))
def test_holes_anywhere_are_no_reason_to_break_off(paths: list[str]) -> None:
    check(punched(SOUND.required(), paths), is_written=SOUND.is_written)


def number_fields(shape: Shape, seen: set[type]) -> set[tuple[type, str]]:
    """Every field of the document that can hold a number."""
    if isinstance(shape, Record):
        if shape.origin in seen:
            return set()
        seen.add(shape.origin)
        own = {(shape.origin, field.key) for field in shape.fields if holds_number(field.shape)}
        return own | {one for field in shape.fields for one in number_fields(field.shape, seen)}
    inner = shape.members if isinstance(shape, OneOf) else (getattr(shape, "item", None), getattr(shape, "value", None))
    return {one for member in inner if member is not None for one in number_fields(member, seen)}


def holds_number(shape: Shape) -> bool:
    if isinstance(shape, OneOf):
        return any(holds_number(member) for member in shape.members)
    if isinstance(shape, Sequence):
        return holds_number(shape.item)
    return holds_number(shape.value) if isinstance(shape, Mapping) else isinstance(shape, Number)


def test_somebody_decided_for_every_number_of_the_language_which_values_it_may_have() -> None:
    fields = number_fields(record_of(Contract), set())
    assert len(fields) > 80
    decided = {(type_, name) for type_, names in NUMBERS.items() for name in names}
    assert {(type_.__name__, name) for type_, name in fields ^ decided} == set()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(INDEPENDENT), unique_by=str, min_size=2, max_size=15))
def test_any_faults_together_are_exactly_their_findings(faults: list[Fault]) -> None:
    found = findings(spoiled(*faults))
    assert places(found) == expected(*faults), render(found)
