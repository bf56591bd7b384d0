"""The traps of a real year of call handling in a few invented rows, through the same file reader and the same contracts.

    north-1   January to June: 95 % to the call in April (which meets), then missed, a month with no calls at all, missed, missed
    north-2   the numerator of May never came; its name changes in June and its code does not; its 95th centile stands still
    south-1   begins late and ends early
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from scorecards.rolling_up import roll_up, runs_missed
from scorecards.scorecard import KpiResult
from tests.scorecards import nhs111

HEADINGS = "vendor_code,vendor,site_code,site_name,region,period_start,grain,measure,value"

# (A01 received, A03 answered, B01 in 60 s, B02 abandoned, B06 seconds, B07 95th centile, C01 triaged, D01 by a clinician); "" is missing.
FIGURES: dict[tuple[str, str], dict[str, tuple[object, ...]]] = {
    ("NORTH", "north-1"): {
        "2023-04": (1030, 1000, 950, 30, 20000, 61, 800, 400),
        "2023-05": (1040, 1000, 949, 40, 30000, 95, 800, 399),
        "2023-06": (0, 0, 0, 0, 0, "", 0, 0),
        "2023-07": (1000, 900, 700, 100, 90000, 400, 700, 350),
        "2023-08": (1000, 900, 600, 100, 180000, 700, 700, 300),
    },
    ("NORTH", "north-2"): {
        "2023-04": (210, 200, 100, 10, 70000, 320, 180, 60),
        "2023-05": (220, 210, 199, 10, 9000, 320, 190, ""),
        "2023-06": (230, 220, 110, 10, 44000, 320, 200, 70),
        "2023-07": (230, 220, 110, 10, 22000, 320, 200, 70),
    },
    ("SOUTH", "south-1"): {
        "2023-05": (100, 100, 96, 0, 1000, 40, 90, 80),
        "2023-06": (100, 100, 95, 3, 1100, 60, 90, 80),
    },
}
ITEMS = ("A01", "A03", "B01", "B02", "B06", "B07", "C01", "D01")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    lines = [HEADINGS]
    for (vendor, site), months in FIGURES.items():
        for month, figures in months.items():
            name = "North (two)" if site == "north-2" and month >= "2023-06" else f"{site} as it was"
            lines += [
                f"{vendor},{vendor} Care,{site},{name},North,{month}-01,month,{item},{value}"
                for item, value in zip(ITEMS, figures, strict=True)
            ]
    path = tmp_path / "twin.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def months_of(file: Path, kpi: str, site: str, streak: str = "skips") -> dict[str, KpiResult]:
    runs = nhs111.judged(nhs111.delivered(file, [site for _, site in FIGURES]), streak)
    return {
        result.from_.isoformat()[:7]: result
        for _, run in runs.values()
        for result in run.results
        if (result.kpi, result.site) == (kpi, site)
    }


def test_exactly_95_percent_meets_and_one_call_less_does_not(file: Path) -> None:
    months = months_of(file, "answered_60s", "north-1")
    assert [months[m].met for m in ("2023-04", "2023-05")] == [True, False]
    assert [months[m].numerator for m in ("2023-04", "2023-05")] == [Decimal(950), Decimal(949)]


def test_a_month_without_calls_is_neither_met_nor_missed(file: Path) -> None:
    for kpi in ("answered_60s", "abandoned", "avg_speed_to_answer_s", "clinical_assessment"):
        quiet = months_of(file, kpi, "north-1")["2023-06"]
        assert (quiet.status, quiet.value, quiet.met) == ("no_volume", None, None)


def test_a_missing_numerator_takes_its_denominator_with_it(file: Path) -> None:
    may = months_of(file, "clinical_assessment", "north-2")["2023-05"]
    assert (may.status, may.value, may.spans_unpaired) == ("no_data", None, 1)
    runs = nhs111.judged(nhs111.delivered(file, [site for _, site in FIGURES]))
    [north] = [
        one for one in roll_up(nhs111.parts(runs, ["NORTH"]), lambda r: "quarter" if r.from_ < date(2023, 7, 1) else "later")
        if (one.kpi, one.key) == ("clinical_assessment", "quarter")
    ]
    # 400 + 399 + 60 + 70 of 800 + 800 + 180 + 200: the 190 of May are in neither side.
    assert north.numerator == 929
    assert north.denominator == 1980


def test_a_site_is_known_by_its_code_also_when_its_name_changes(file: Path) -> None:
    months = months_of(file, "answered_60s", "north-2")
    assert [month.status for month in months.values()] == ["measured"] * 4 + ["no_data"]
    assert [month.streak for month in months.values()][:4] == [-1, -2, -3, -4]


def test_a_gap_inside_a_streak_is_passed_over_or_ends_it_as_the_contract_says(file: Path) -> None:
    skips = [month.streak for month in months_of(file, "answered_60s", "north-1", "skips").values()]
    breaks = [month.streak for month in months_of(file, "answered_60s", "north-1", "breaks").values()]
    assert skips == [1, -1, -1, -2, -3]
    assert breaks == [1, -1, 0, -1, -2]
    verdicts = [(month.from_, month.met) for month in months_of(file, "answered_60s", "north-1").values()]
    assert [run.length for run in runs_missed(verdicts, "skips")] == [3]
    assert [run.length for run in runs_missed(verdicts, "breaks")] == [1, 2]


def test_a_percentile_that_stands_still_is_judged_month_by_month_and_never_added(file: Path) -> None:
    months = months_of(file, "p95_answer_s", "north-2")
    assert [month.value for month in months.values()] == [320, 320, 320, 320, None]
    means = [month.value for month in months_of(file, "avg_speed_to_answer_s", "north-2").values()]
    assert len(set(means)) == len(means)
    runs = nhs111.judged(nhs111.delivered(file, [site for _, site in FIGURES]))
    rolled = roll_up(nhs111.parts(runs, ["NORTH"]), lambda r: r.from_)
    [north] = [one for one in rolled if (one.kpi, one.key) == ("p95_answer_s", date(2023, 4, 1))]
    assert north.value is None
    assert north.met is None
    assert north.lowest == 61
    assert north.highest == 320


def test_a_site_that_begins_late_has_no_data_before(file: Path) -> None:
    months = months_of(file, "answered_60s", "south-1")
    assert [months[m].status for m in ("2023-04", "2023-05", "2023-06")] == ["no_data", "measured", "measured"]
    assert months["2023-06"].met is True


def test_a_vendor_is_the_sum_of_its_sites_counts_and_not_their_mean(file: Path) -> None:
    runs = nhs111.judged(nhs111.delivered(file, [site for _, site in FIGURES]))
    rolled = roll_up(nhs111.parts(runs, ["NORTH"]), lambda r: r.from_)
    [april] = [one for one in rolled if (one.kpi, one.key) == ("answered_60s", date(2023, 4, 1))]
    assert april.value == Fraction(100 * (950 + 100), 1000 + 200)
    assert april.value != (95 + 50) / Fraction(2)
    assert april.met is False
