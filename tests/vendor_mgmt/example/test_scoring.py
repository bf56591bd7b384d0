"""The product's own engine, through its command, finds in the example what plain sums find, and what the table of stories says of money."""

from __future__ import annotations

import csv
import functools
import json
import subprocess
import sys
import tempfile
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from scorecards.examples import run_example
from tests.vendor_mgmt.example.judging import TODAY, Sums, contract, end_of, everything, kpis_of
from vendor_mgmt.example import portfolio
from vendor_mgmt.example.generating import Row, as_known
from vendor_mgmt.example.portfolio import MONTHS, STORIES, WORK, document, month_start, relief_claims

CONTRACTS = [name for vendor in portfolio.VENDORS for name in vendor.contracts]


@functools.cache
def complete_months() -> tuple[Row, ...]:
    return tuple(row for row in as_known(everything(), end_of(TODAY)) if row.starts_on < month_start(TODAY, MONTHS))


@functools.cache
def sums() -> Sums:
    return Sums(complete_months(), dropped=relief_claims(TODAY))


@functools.cache
def scored(name: str) -> dict[str, Any]:
    """What `vendor-mgmt score` says of the fourteen complete months, with the approved relief."""
    with tempfile.TemporaryDirectory() as folder:
        agreed, data, relief = Path(folder, f"{name}.yaml"), Path(folder, "data.csv"), Path(folder, "relief.csv")
        agreed.write_text(document("contracts", f"{name}.yaml", TODAY), encoding="utf-8")
        with data.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("site", "workstream", "language", "measure", "starts_on", "grain", "value", "known_at"))
            rows = (row for row in complete_months() if portfolio.site(row.site).contract == name)
            writer.writerows((*row[:7], row.known_at.isoformat()) for row in rows)
        with relief.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("site", "workstream", "kpi", "from", "until", "effect", "share"))
            for claim in relief_claims(TODAY):
                if portfolio.site(claim.site).contract == name:
                    writer.writerow((claim.site, claim.workstream, claim.kpi, claim.from_, claim.until, claim.effect, ""))
        command = [sys.executable, "-m", "vendor_mgmt", "score", str(agreed), str(data), "--relief", str(relief), "--json"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == 0, found.stderr
    document_: dict[str, Any] = json.loads(found.stdout)
    return document_


def number_of(starts_on: str) -> int:
    first, month = month_start(TODAY, 0), date.fromisoformat(starts_on)
    return (month.year - first.year) * 12 + month.month - first.month


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_contract_s_own_example_holds(name: str) -> None:
    for example in contract(name).examples:
        _, differences = run_example(contract(name), example)
        assert not differences


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_result_equals_the_one_that_plain_sums_give(name: str) -> None:
    results = scored(name)["results"]
    works = {(work.site, work.workstream): work for work in WORK if portfolio.site(work.site).contract == name}
    assert len(results) == MONTHS * sum(len(kpis_of(work)) for work in works.values())
    for result in results:
        work = works[result["site"], result["dimensions"]["workstream"]]
        verdict = sums().verdict(result["kpi"], kpis_of(work)[result["kpi"]], work, number_of(result["from"]))
        where = (result["site"], result["dimensions"], result["kpi"], result["from"])
        assert result["status"] == verdict.status, where
        if verdict.value is None:
            assert result["met"] is None, where
            continue
        assert abs(Fraction(result["value"]) - verdict.value) <= abs(verdict.value) / 10**11, where
        assert result["met"] == (verdict.meets("target") if verdict.levels else None), where


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_engine_has_nothing_to_remark_about_the_contract_or_the_figures(name: str) -> None:
    assert scored(name)["findings"] == []


@pytest.mark.parametrize("name", CONTRACTS)
def test_credits_arise_where_a_story_misses_the_kpi_that_pays_and_nowhere_else(name: str) -> None:
    [payment] = contract(name).money.credits
    found = {
        (line["scope"]["site"], line["scope"]["workstream"], number_of(line["from"]))
        for line in scored(name)["lines"]
        if line["kind"] == "credit" and Decimal(line["amount"])
    }
    told = {
        (story.site, story.workstream, month)
        for story in STORIES
        if portfolio.site(story.site).contract == name
        for month in story.found.missed.get(str(payment.for_), ())
    }
    assert found == told


def test_the_month_over_the_cap_pays_exactly_the_cap() -> None:
    [story] = [story for story in STORIES if story.found.capped]
    [(_, (month,))] = story.found.capped.items()
    name = portfolio.site(story.site).contract
    lines = [line for line in scored(name)["lines"] if number_of(line["from"]) == month and line["scope"].get("site") == story.site]
    kinds = [line["kind"] for line in lines if line["kind"] in {"credit", "cap"}]
    assert kinds == ["credit", "cap"]
    [invoice] = [
        row.value
        for row in complete_months()
        if (row.site, row.workstream, row.measure, row.starts_on)
        == (story.site, story.workstream, "monthly_invoice", month_start(TODAY, month))
    ]
    [total] = [total for total in scored(name)["totals"] if total["scope"] == {"site": story.site} and number_of(total["from"]) == month]
    assert Decimal(total["credit"]) == (invoice * Decimal("0.10")).quantize(Decimal("0.01"))
    assert Decimal(total["credit_uncapped"]) > Decimal(total["credit"])


def test_relief_is_visible_in_the_results_it_changed() -> None:
    [story] = [story for story in STORIES if story.found.missed_without_relief]
    changed = {
        (result["kpi"], number_of(result["from"]))
        for name in CONTRACTS
        for result in scored(name)["results"]
        if int(result["spans_relieved"])
    }
    assert changed == {(kpi, month) for kpi, months in story.found.missed_without_relief.items() for month in months}
