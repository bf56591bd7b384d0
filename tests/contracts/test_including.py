"""KPIs taken from a library: resolved when read, written out when agreed, faults at their line."""

from __future__ import annotations

from decimal import Decimal

import pytest

from contracts import library
from contracts.document import Contract
from contracts.including import has_includes, read_contract, text_to_agree
from contracts.reading import Reading, read

HEAD = "contract: A\ntitle: T\nvendor: v\nin_force: {from: 2026-03-01}\n"


def reading(include: str, more: str = "") -> Reading[Contract]:
    return read_contract(HEAD + "include:\n" + include + more, name="a.yaml")


def said(result: Reading[Contract]) -> list[str]:
    return [str(finding) for finding in result.findings]


def test_a_kpi_comes_with_what_it_is_counted_from() -> None:
    contract = reading("  - {library: [acc, tat_sla]}\n").required()
    assert list(contract.kpis) == ["acc", "tat_sla"]
    assert contract.kpis["acc"] == library.entries()["acc"].included()
    assert set(contract.measures) == {"decisions_audited", "decisions_correct", "items_due", "items_in_time"}


def test_a_contract_says_otherwise_what_it_wants_otherwise() -> None:
    kpi = (
        reading("  - {library: acc, as: acc_video, set: {weight: 40, sample: {at_least: 50}, boundary: null}}\n")
        .required()
        .kpis["acc_video"]
    )
    assert kpi.weight == 40
    assert kpi.sample is not None
    assert kpi.sample.at_least == 50
    assert kpi.boundary is None
    assert kpi.value == library.entries()["acc"].kpi.value


def test_levels_of_a_site_follow_those_for_all() -> None:
    text = "  - library: acc\n    sites: {amman-1: [{from: 2026-04-01, at: {target: 92}}]}\n"
    levels = reading(text).required().kpis["acc"].levels
    assert levels[0].where == {}
    assert levels[-1].where == {"site": "amman-1"}
    assert levels[-1].at == {"target": Decimal(92)}


def test_a_measure_that_the_contract_declares_is_the_contracts() -> None:
    contract = reading("  - {library: acc}\n", "measures: {decisions_audited: {title: Ours}}\n").required()
    assert contract.measures["decisions_audited"].title == "Ours"
    assert "decisions_correct" in contract.measures


def test_what_is_agreed_is_written_out() -> None:
    data = HEAD + "include:\n  - {library: acc, set: {weight: 100}}\n"
    contract = read_contract(data).required()
    text = text_to_agree(data, contract)
    assert not has_includes(text)
    assert read(text, Contract).required() == contract


def test_without_includes_the_text_is_agreed_as_it_was_handed_in() -> None:
    data = HEAD + "# a remark\n"
    assert text_to_agree(data.encode(), read_contract(data).required()) == data


@pytest.mark.parametrize(
    ("include", "message"),
    [
        ("  - {library: leekage}\n", "a.yaml:6:5 $.include[0].library: The library has no KPI 'leekage'. Did you mean leakage?"),
        ("  - {libary: acc}\n", "a.yaml:6:6 $.include[0].libary: There is no field 'libary' here. Did you mean `library`?"),
        ("  - {library: [acc, sl], as: x}\n", "a.yaml:6:5 $.include[0]: One name cannot stand for 2 KPIs. Include them one by one."),
        ("  - {library: acc, file: house.yaml}\n",
         "a.yaml:6:5 $.include[0].file: A file cannot be included here. Write the KPIs into the contract."),
        ("  - {library: acc, set: {weight: heavy}}\n",
         "a.yaml:6:34 $.kpis.acc.weight: 'heavy' is not a number. Write a number such as 95 or 95.5."),
        ("  - {library: acc}\n  - {library: acc}\n", "a.yaml:7:5 $.include[1]: The contract has a KPI 'acc' already. "
         "Take one of them away, or give the included one another name with `as`."),
    ],
)  # fmt: skip
def test_a_fault_of_an_include_stands_at_its_line(include: str, message: str) -> None:
    result = reading(include)
    assert result.document is None
    assert message.casefold() in [one.casefold() for one in said(result)]


def test_a_library_of_ones_own_is_read_beside_the_contract() -> None:
    house = """
family: house
entries:
  own:
    kpi: {title: Own, value: {count: things}, target: 5, better: lower}
    measures: {things: {}}
    inclusions: All.
    exclusions: None.
    clock: By day.
    roll_up: Added.
    levels_from: The contract.
    worked: {words: Three., counts: {things: 3}, value: 3, met: true}
"""
    result = read_contract(HEAD + "include: [{library: own, file: house.yaml}]\n", files=lambda name: {"house.yaml": house.encode()}[name])
    assert result.required().kpis["own"].target == 5


def test_a_file_that_cannot_be_read_is_a_finding() -> None:
    def refuse(_name: str) -> bytes:
        raise ValueError("it lies outside the contract's folder")

    findings = said(read_contract(HEAD + "include: [{library: own, file: ../x.yaml}]\n", name="a.yaml", files=refuse))
    assert findings == [
        "a.yaml:5:11 $.include[0].file: '../x.yaml' cannot be read: it lies outside the contract's folder. Correct the name."
    ]
