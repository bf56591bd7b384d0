"""A year of 38 outsourced NHS 111 contracts, judged by the product, equals what was computed independently of it.

The figures are NHS England's (IUC ADC, Open Government Licence v3.0); they are not part of the repository.  The test looks for
them in the folder that VENDOR_MGMT_TEST_SHARED names, or in ../shared beside the checkout, and says so loudly where they are absent.
`test_nhs111_twin.py` holds the same traps in a few invented rows and runs everywhere.
"""

from __future__ import annotations

import csv
import functools
import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from contracts.document import Contract
from scorecards.evaluating import Evaluation
from scorecards.rolling_up import Rolled, roll_up, runs_missed
from scorecards.scorecard import KpiResult
from tests.scorecards import nhs111

SHARED = Path(os.environ.get("VENDOR_MGMT_TEST_SHARED") or Path(__file__).resolve().parents[2].parent / "shared")
FOLDER = SHARED / "data" / "nhs111_iucadc_2023_24"

pytestmark = pytest.mark.skipif(
    not (FOLDER / "expected.json.gz").exists(),
    reason=f"NOT RUN: the NHS 111 figures are not in {FOLDER}; set VENDOR_MGMT_TEST_SHARED to the folder that holds data/",
)

KPIS = ("answered_60s", "answered_60s_test65", "answered_60s_of_received", "abandoned", "avg_speed_to_answer_s", "clinical_assessment")
IS_PERCENT = {name: name != "avg_speed_to_answer_s" for name in KPIS}


@functools.cache
def expected() -> dict[str, Any]:
    with gzip.open(FOLDER / "expected.json.gz") as file:
        found: dict[str, Any] = json.load(file)
    return found


@functools.cache
def files() -> nhs111.Delivered:
    with (FOLDER / "normalized.csv").open(encoding="utf-8", newline="") as file:
        sites = {line["site_code"] for line in csv.DictReader(file)}
    return nhs111.delivered(FOLDER / "normalized.csv", sites)


@functools.cache
def runs(streak: str = "skips") -> dict[str, tuple[Contract, Evaluation]]:
    return nhs111.judged(files(), streak)


def results(kpi: str, streak: str = "skips") -> Iterator[tuple[str, KpiResult]]:
    for vendor, (_, run) in runs(streak).items():
        for result in run.results:
            if result.kpi == kpi:
                yield vendor, result


def month(on: date) -> str:
    return on.isoformat()[:7]


def quarter(on: date) -> str:
    return f"{on.year}Q{(on.month - 1) // 3 + 1}"


def verdict(met: bool | None) -> str:  # noqa: FBT001
    return {True: "pass", False: "breach", None: "no_data"}[met]


def table(of: Any) -> list[dict[str, Any]]:
    return [dict(zip(of["columns"], row, strict=True)) for row in of["rows"]]


def is_value(value: Fraction | None, row: dict[str, Any], *, percent: bool) -> bool:
    """The product's value is the quotient of the expected counts, and rounds to the expected nine decimals."""
    if row["value"] is None:
        return value is None
    exact = Fraction(row["num"], row["den"])
    assert value == (100 * exact if percent else exact)
    return abs(exact - Fraction(str(row["value"]))) <= Fraction(1, 2 * 10**9)


def test_every_row_of_the_file_is_read_and_none_is_refused() -> None:
    assert not files().refused
    assert len(files().rows) == 7992
    assert len({row.site for row in files().rows}) == 38
    missing = [(row.site, month(row.starts_on)) for row in files().rows if row.measure == "D01" and row.value is None]
    assert missing == [tuple(expected()["data_quality"]["missing_D01"][0][:2])]


@pytest.mark.parametrize("kpi", KPIS)
def test_every_contract_and_month_has_the_expected_counts_value_and_verdict(kpi: str) -> None:
    rows = {(row["site"], row["period"]): row for row in table(expected()["kpis"][kpi]["table"])}
    seen = set()
    for vendor, result in results(kpi):
        row = rows.get((result.site or "", month(result.from_)))
        if row is None:
            assert (result.status, result.note) == ("no_data", "nothing was delivered")
            continue
        seen.add((row["site"], row["period"]))
        assert vendor == row["vendor"]
        assert verdict(result.met) == row["status"], row
        if row["status"] == "no_data":
            assert (result.status, result.value) == ("no_data", None)
            assert result.spans_unpaired == 1
            continue
        assert (result.numerator, result.denominator) == (row["num"], row["den"])
        times = 100 if IS_PERCENT[kpi] else 1
        value = Fraction(times * row["num"], row["den"])
        assert result.value is not None
        assert abs(Fraction(result.value) - value) <= value / 10**11
        assert is_value(value, row, percent=IS_PERCENT[kpi])
    assert seen == set(rows)


@pytest.mark.parametrize("kpi", KPIS)
def test_passes_breaches_and_months_without_data_are_counted_alike(kpi: str) -> None:
    of = expected()["kpis"][kpi]
    came = [(vendor, result) for vendor, result in results(kpi) if result.note != "nothing was delivered"]
    counts = Counter(verdict(result.met) for _, result in came)
    assert {name: counts[name] for name in ("pass", "breach", "no_data")} == of["counts"]
    assert Counter(result.site for _, result in came if result.met is False) == of["breaches_by_site"]


@pytest.mark.parametrize("kpi", KPIS)
@pytest.mark.parametrize(("policy", "streak"), [("gap_breaks", "breaks"), ("gap_skips", "skips")])
def test_streaks_of_missed_months_are_the_same_under_both_policies(kpi: str, policy: str, streak: str) -> None:
    of = expected()["kpis"][kpi]["streaks"][policy]
    by_site: dict[str, list[KpiResult]] = {}
    for _, result in results(kpi, streak):
        by_site.setdefault(result.site or "", []).append(result)
    missed = [
        (site, run)
        for site, held in sorted(by_site.items())
        for run in runs_missed([(result.from_, result.met) for result in held], streak)  # type: ignore[arg-type] # one of the two
    ]
    assert [[site, month(run.first_on), month(run.last_on), run.length] for site, run in missed] == sorted(of["runs"])
    assert max(run.length for _, run in missed) == of["max_length"]
    # The streak each result bears says the same: it stands at the run's length when the run ends.
    ends = {(site, end): length for site, _, end, length in of["runs"]}
    for site, held in by_site.items():
        for result in held:
            if (site, month(result.from_)) in ends:
                assert -result.streak == ends[site, month(result.from_)]
    for length, reaching in of["runs_reaching"].items():
        assert sum(run.length >= int(length) for _, run in missed) == reaching["count"]
        if "instants" in reaching:
            reached = [[site, month(one.from_)] for site, held in sorted(by_site.items()) for one in held
                       if one.met is False and -one.streak == int(length)]
            assert reached == sorted(reaching["instants"])


@pytest.mark.parametrize("kpi", KPIS)
def test_a_site_s_quarters_are_made_of_counts(kpi: str) -> None:
    of = expected()["kpis"][kpi]["quarterly_site"]
    rolled = {one.key: one for one in roll_up(nhs111.parts(runs()), lambda r: (r.site, quarter(r.from_))) if one.kpi == kpi}
    _agree({(row["site"], row["quarter"]): row for row in table(of)}, rolled, percent=IS_PERCENT[kpi])
    counts = Counter(verdict(one.met) for one in rolled.values() if one.parts)
    assert {name: counts[name] for name in ("pass", "breach", "no_data")} == of["counts"]


@pytest.mark.parametrize("kpi", KPIS)
def test_a_vendor_s_months_and_quarters_are_made_of_counts_and_so_are_their_streaks(kpi: str) -> None:
    of = expected()["kpis"][kpi]
    months: dict[tuple[str, str], Rolled[str]] = {}
    quarters: dict[tuple[str, str], Rolled[str]] = {}
    for vendor in runs():
        own = [part for part in nhs111.parts(runs(), [vendor]) if part.result.kpi == kpi]
        months |= {(vendor, one.key): one for one in roll_up(own, lambda r: month(r.from_))}
        quarters |= {(vendor, one.key): one for one in roll_up(own, lambda r: quarter(r.from_))}
    _agree({(row["vendor"], row["period"]): row for row in table(of["vendor_monthly"])}, months, percent=IS_PERCENT[kpi])
    _agree({(row["vendor"], row["quarter"]): row for row in table(of["vendor_quarterly"])}, quarters, percent=IS_PERCENT[kpi])
    for policy, streak in (("gap_breaks", "breaks"), ("gap_skips", "skips")):
        found = [
            [vendor, month(run.first_on), month(run.last_on), run.length]
            for vendor in sorted(runs())
            for run in runs_missed(
                [(date.fromisoformat(f"{on}-01"), one.met) for (name, on), one in sorted(months.items()) if name == vendor],
                streak,  # type: ignore[arg-type] # one of the two
            )
        ]
        assert found == sorted(of["vendor_streaks"][policy]["runs"])


@pytest.mark.parametrize("kpi", KPIS)
def test_the_nation_s_months_are_made_of_counts(kpi: str) -> None:
    rolled = {one.key: one for one in roll_up(nhs111.parts(runs()), lambda r: month(r.from_)) if one.kpi == kpi}
    for row in table(expected()["kpis"][kpi]["national_monthly"]):
        assert (rolled[row["period"]].numerator, rolled[row["period"]].denominator) == (row["num"], row["den"])
        assert is_value(rolled[row["period"]].value, row, percent=IS_PERCENT[kpi])


@pytest.mark.parametrize("kpi", KPIS)
def test_verdicts_are_those_of_the_counts_where_a_mean_of_percentages_would_say_otherwise(kpi: str) -> None:
    of = expected()["kpis"][kpi]["naive_vs_weighted_vendor_month"]
    for flip in [dict(zip(of["columns"], row, strict=True)) for row in of["verdict_flips"]]:
        own = [part for part in nhs111.parts(runs(), [flip["vendor"]]) if part.result.kpi == kpi]
        [one] = [one for one in roll_up(own, lambda r: month(r.from_)) if one.key == flip["period"]]
        assert verdict(one.met) == flip["verdict_weighted"] != flip["verdict_naive"]


def test_a_reported_percentile_is_judged_by_the_month_and_nothing_is_made_of_several() -> None:
    of = expected()["percentile_kpi"]
    rows = {(row["site"], row["period"]): row for row in table(of["site_month"])}
    seen = 0
    for _, result in results("p95_answer_s"):
        row = rows.get((result.site or "", month(result.from_)))
        if row is None:
            assert result.status == "no_data"
            continue
        seen += 1
        *_, value, status = row.values()
        assert result.value == Decimal(str(value))
        assert verdict(result.met) == status
        assert result.recomputable is False
    assert seen == of["of"]
    assert sum(result.met is False for _, result in results("p95_answer_s")) == of["breaches"]
    for vendor, period, lowest, highest in of["vendor_month_bounds"]:
        own = [part for part in nhs111.parts(runs(), [vendor]) if part.result.kpi == "p95_answer_s"]
        [one] = [one for one in roll_up(own, lambda r: month(r.from_)) if one.key == period]
        assert (one.value, one.met) == (None, None)
        assert (one.lowest, one.highest) == (lowest, highest)


def _agree(rows: dict[tuple[str, str], dict[str, Any]], rolled: dict[Any, Rolled[Any]], *, percent: bool) -> None:
    assert {key for key, one in rolled.items() if one.parts} == set(rows)
    for key, row in rows.items():
        one = rolled[key]
        assert (one.numerator, one.denominator) == (row["num"], row["den"])
        assert is_value(one.value, row, percent=percent)
        assert verdict(one.met) == row["status"], row
