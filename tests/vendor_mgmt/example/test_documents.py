"""The example's contracts, calendars and sources are read without a fault and fit each other."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from datetime import date
from itertools import pairwise
from typing import Any

import pytest

from contracts import checking
from contracts.business_time import Calendar, check
from contracts.document import Contract
from contracts.errors import has_errors, render
from contracts.reading import Reading, read
from tests.vendor_mgmt.example.judging import TODAY, contract, end_of, everything, kpis_of
from vendor_mgmt.example import portfolio
from vendor_mgmt.example.portfolio import MONTHS, WORK, document, document_names, month_start
from vendor_mgmt.intake.source import Source

CONTRACTS = [name for vendor in portfolio.VENDORS for name in vendor.contracts]


def test_there_is_a_document_for_every_contract_and_its_paper() -> None:
    assert document_names("contracts") == tuple(sorted(f"{name}.yaml" for name in CONTRACTS))
    assert document_names("executed") == tuple(sorted(f"{name}.txt" for name in CONTRACTS))


@pytest.mark.parametrize(("folder", "type_", "name"), [
    *(("contracts", Contract, name) for name in document_names("contracts")),
    *(("calendars", Calendar, name) for name in document_names("calendars")),
    *(("sources", Source, name) for name in document_names("sources")),
])  # fmt: skip
@pytest.mark.parametrize("today", [TODAY, date(2027, 3, 31), date(2025, 6, 1)])
def test_every_document_reads_without_a_finding_whatever_the_day(folder: str, type_: type, name: str, today: date) -> None:
    found: Reading[Any] = read(document(folder, name, today), type_, name=name)  # type: ignore[arg-type]
    assert not found.findings, render(found.findings)


@pytest.mark.parametrize("name", document_names("calendars"))
def test_calendars_are_open_sometimes(name: str) -> None:
    assert not has_errors(check(read(document("calendars", name, TODAY), Calendar).required()))


def test_the_office_in_cairo_works_on_sunday_and_not_on_friday() -> None:
    week = read(document("calendars", "cairo-office.yaml", TODAY), Calendar).required().week
    assert not isinstance(week, str)
    assert week.sun
    assert not week.fri
    assert not week.sat


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_contract_names_its_vendor_sites_and_work(name: str) -> None:
    agreed = contract(name)
    sites = [site for site in portfolio.SITES if site.contract == name]
    assert agreed.contract == name
    assert agreed.vendor_name == portfolio.vendor(agreed.vendor).name
    assert {site.vendor for site in sites} == {agreed.vendor}
    work = {(w.site, w.workstream): tuple(w.languages) for w in WORK if portfolio.site(w.site).contract == name}
    assert {(scope.site, scope.workstream): tuple(scope.languages) for scope in agreed.scope} == work
    for scope in agreed.scope:
        site = portfolio.site(scope.site)
        assert (scope.name, scope.country, scope.time_zone) == (site.name, site.country, site.time_zone)
        assert scope.hours in agreed.calendars
        assert scope.headcount
        assert scope.instructions
        assert scope.milestones


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_contract_names_calendars_that_exist(name: str) -> None:
    agreed = contract(name)
    assert {f"{calendar}.yaml" for calendar in agreed.calendars} <= set(document_names("calendars"))
    assert agreed.escalation.calendar in agreed.calendars


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_contract_is_in_force_for_the_whole_example(name: str) -> None:
    span = contract(name).in_force
    assert span.from_ == month_start(TODAY, 0)
    assert span.until is not None
    assert span.until > TODAY


@pytest.mark.parametrize("work", WORK, ids=lambda work: f"{work.site} {work.workstream}")
def test_each_workstream_is_judged_by_five_to_nine_kpis_whose_weights_are_a_hundred(work: portfolio.Work) -> None:
    kpis = kpis_of(work)
    assert 5 <= len(kpis) <= 9
    assert sum(kpi.weight or 0 for kpi in kpis.values()) == 100


@pytest.mark.parametrize("name", CONTRACTS)
def test_what_the_contract_measures_is_what_its_sites_deliver(name: str) -> None:
    agreed = contract(name)
    delivered = {row.measure for row in everything() if portfolio.site(row.site).contract == name}
    assert set(agreed.measures) <= delivered
    for key, measure in agreed.measures.items():
        ours = portfolio.MEASURES[key]
        assert (measure.part_of, measure.money, measure.snapshot) == (ours.part_of, ours.money, ours.snapshot)


def test_the_slice_of_the_language_is_used() -> None:
    kinds = Counter(kpi.value.kind for name in CONTRACTS for kpi in contract(name).kpis.values())
    assert {"ratio", "mean", "sum", "count", "last"} <= set(kinds)
    curves = [kpi.score for name in CONTRACTS for kpi in contract(name).kpis.values() if kpi.score]
    assert any(curve.line for curve in curves)
    assert any(curve.steps for curve in curves)
    for name in CONTRACTS:
        agreed = contract(name)
        assert len(agreed.money.credits) == len(agreed.money.caps) == 1
        assert agreed.relief[0].effect == "drop_span"
        assert len(agreed.escalation.levels) == 2
        assert agreed.examples
    assert len({contract(name).currency for name in CONTRACTS}) == 4


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_contract_promises_what_can_be_computed(name: str) -> None:
    """Its weights are 100 in each workstream, and so more than 100 in the contract as a whole; nothing else is remarked."""
    found = checking.check(contract(name))
    assert not [finding for finding in found if "weights" not in finding.message], render(found)


def clauses_cited(agreed: Contract) -> set[str]:
    kpis = {kpi.clause for kpi in agreed.kpis.values()}
    credits_ = {rule.clause for rule in agreed.money.credits} | {cap.clause for cap in agreed.money.caps}
    others = {terms.clause for terms in agreed.relief} | {rule.clause for rule in agreed.escalation.rules}
    return {clause for clause in kpis | credits_ | others if clause is not None}


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_clause_cited_stands_in_the_executed_document_whose_hash_is_stated(name: str) -> None:
    agreed, paper = contract(name), document("executed", f"{name}.txt", TODAY)
    assert agreed.executed is not None
    assert agreed.executed.document == f"{name}.txt"
    assert agreed.executed.sha256 == hashlib.sha256(paper.encode()).hexdigest()
    written = set(re.findall(r"^(Annex \d+, \w+)  ", paper, flags=re.MULTILINE))
    assert clauses_cited(agreed) <= written
    assert all(kpi.clause for kpi in agreed.kpis.values())
    assert not re.search(r"20\d\d-\d\d-\d\d", paper), "the paper names no day, so that its hash never changes"


def test_documents_move_with_the_running_month_and_holidays_stay() -> None:
    moved = document("contracts", "NG-MENA-003.yaml", date(2027, 2, 14))
    assert "in_force: {from: 2025-12-01, until: 2028-12-01}" in moved
    assert read(moved, Contract).required().in_force.from_ == month_start(date(2027, 2, 14), 0)
    assert document("calendars", "cairo-office.yaml", date(2027, 2, 14)) == document("calendars", "cairo-office.yaml", TODAY)


def test_a_day_that_the_new_month_lacks_becomes_its_last() -> None:
    assert "due: 2027-02-28" in document("contracts", "NG-MENA-003.yaml", date(2026, 12, 1))


def test_the_ramp_of_the_new_site_ends_with_its_first_six_months() -> None:
    acc = contract("NG-MENA-003").kpis["acc"]
    ramp = [levels for levels in acc.levels if levels.where]
    assert ramp[0].from_ == month_start(TODAY, 0)
    assert ramp[-1].until == month_start(TODAY, 6)
    assert all(one.until == two.from_ for one, two in pairwise(ramp))


def test_sources_speak_of_every_vendor_and_translate_every_site() -> None:
    sources = [read(document("sources", name, TODAY), Source).required() for name in document_names("sources")]
    assert {source.vendor for source in sources} == {vendor.key for vendor in portfolio.VENDORS}
    for source in sources:
        assert {code.theirs: code.ours for code in source.codes["sites"]} == {
            site.code: site.key for site in portfolio.sites_of(str(source.vendor))
        }
        assert source.schedule is not None
    assert Counter(type(source.reader).__name__ for source in sources) == {"HttpJson": 4, "Csv": 1, "Xlsx": 2}


def test_a_source_document_is_pointed_at_a_running_server_and_at_a_moment() -> None:
    as_of = month_start(TODAY, MONTHS)
    text = portfolio.source_document("home-team.yaml", TODAY, address="http://127.0.0.1:4711", as_of=end_of(as_of))
    reader = read(text, Source).required().reader
    assert getattr(reader, "url", None) == "http://127.0.0.1:4711/home-team/v1/measurements"
    assert getattr(reader, "parameters", None) == {"as_of": "2026-11-01T12:00:00Z"}
    dropped = read(portfolio.source_document("akari-relay.yaml", TODAY, folder="/srv/drops"), Source).required().reader
    assert getattr(dropped, "folder", None) == "/srv/drops/akari-relay"
