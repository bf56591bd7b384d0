"""The example's counts come from nothing but a seed, and look like a real operation's."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vendor_mgmt.example.judging import TODAY, everything
from vendor_mgmt.example import generating, portfolio
from vendor_mgmt.example.generating import Row, arrivals, as_known, key_of, rows, successes
from vendor_mgmt.example.portfolio import MEASURES, MONTHS, WORK, month_after, month_start

RECORDED = "d5f3353836d2986c3dd0a92fb85f66176e4298b32e1877cf6d8fb2fb3239c6dd"


def fingerprint(made: tuple[Row, ...]) -> str:
    digest = hashlib.sha256()
    for row in made:
        digest.update("|".join(map(str, row)).encode() + b"\n")
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_rows_on_every_machine_and_python() -> None:
    assert fingerprint(everything()) == RECORDED


def test_another_seed_gives_other_figures_for_the_same_keys() -> None:
    other = rows(TODAY, seed="another", vendor="nilegate")
    mine = [row for row in everything() if portfolio.site(row.site).vendor == "nilegate"]
    assert [key_of(row) for row in other] == [key_of(row) for row in mine]
    different = sum(one.value != two.value for one, two in zip(mine, other, strict=True))
    assert different > len(mine) // 2


def test_one_vendor_alone_gets_the_rows_it_has_among_all() -> None:
    assert rows(TODAY, vendor="home-team") == [row for row in everything() if portfolio.site(row.site).vendor == "home-team"]


def test_a_new_site_moves_no_other_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    galway = msgspec.structs.replace(portfolio.site("dublin-1"), key="galway-1", code="galway", name="Galway Eyre Square")
    work = msgspec.structs.replace(next(w for w in WORK if w.site == "dublin-1"), site="galway-1")
    before = rows(TODAY, vendor="home-team")
    monkeypatch.setattr(portfolio, "SITES", (galway, *portfolio.SITES))
    monkeypatch.setattr(portfolio, "WORK", (work, *WORK))
    after = rows(TODAY, vendor="home-team")
    assert len(after) > len(before)
    assert [row for row in after if row.site != "galway-1"] == before


def test_a_day_that_passes_adds_rows_and_changes_none() -> None:
    yesterday, today = rows(date(2026, 11, 21), vendor="akari-relay"), rows(date(2026, 11, 22), vendor="akari-relay")
    assert today[: len(yesterday)] == yesterday
    assert {row.starts_on for row in today[len(yesterday) :]} == {date(2026, 11, 21)}


def test_there_are_six_vendors_fourteen_sites_and_at_least_eight_countries_and_time_zones() -> None:
    assert len(portfolio.VENDORS) == 6
    assert sum(vendor.in_house for vendor in portfolio.VENDORS) == 1
    assert len(portfolio.SITES) == 14
    assert len({site.country for site in portfolio.SITES}) >= 8
    assert len({site.time_zone for site in portfolio.SITES}) >= 8
    assert {site.key for site in portfolio.SITES if site.weekend == (4, 5)} == {"cairo-1", "amman-1"}
    assert {work.site for work in WORK} == {site.key for site in portfolio.SITES}
    assert all(2 <= len(work.languages) <= 4 for work in WORK)
    assert len({work.workstream for work in WORK}) == 5


def test_fourteen_complete_months_and_the_running_one_are_delivered_day_by_day() -> None:
    days = {row.starts_on for row in everything() if row.grain == "day"}
    assert min(days) == date(2025, 9, 1) == month_start(TODAY, 0)
    assert max(days) == date(2026, 11, 21)
    assert len(days) == (date(2026, 11, 22) - date(2025, 9, 1)).days
    assert month_start(TODAY, MONTHS) == date(2026, 11, 1)


@given(first=st.dates(date(1990, 1, 1), date(2100, 1, 1)), months=st.integers(-60, 60))
def test_months_are_counted_forth_and_back(first: date, months: int) -> None:
    there = month_after(first, months)
    assert there.day == 1
    assert (there.year - first.year) * 12 + there.month - first.month == months
    assert month_after(there, -months) == first.replace(day=1)


def test_a_part_is_never_larger_than_its_whole_and_no_count_is_negative() -> None:
    values = {key_of(row): row.value for row in as_known(everything(), datetime.max.replace(tzinfo=UTC))}
    for (site, workstream, language, measure, starts_on, grain), value in values.items():
        assert value >= 0
        whole = MEASURES[measure].part_of
        if whole is not None:
            assert value <= values[site, workstream, language, whole, starts_on, grain], (site, workstream, language, measure, starts_on)


def test_live_alerts_are_the_sum_of_their_five_classes() -> None:
    classes = [name for name in MEASURES if name.startswith("alerts_") and name != "alerts_received"]
    assert len(classes) == 5
    sums: dict[tuple[str, str, date], Counter[bool]] = defaultdict(Counter)
    for row in everything():
        if row.measure.startswith("alerts_"):
            sums[row.site, row.language, row.starts_on][row.measure == "alerts_received"] += int(row.value)
    assert sums
    assert all(found[True] == found[False] for found in sums.values())


@functools.cache
def by_series() -> dict[tuple[str, str, str, str], list[Row]]:
    found: dict[tuple[str, str, str, str], list[Row]] = defaultdict(list)
    for row in everything():
        found[row[:4]].append(row)
    return found


def of(measure: str, site: str, workstream: str, language: str) -> list[Row]:
    return by_series()[site, workstream, language, measure]


def weekday_means(measure: str, site: str, workstream: str, language: str) -> list[Fraction]:
    """The mean of each weekday, Monday first."""
    found: dict[int, list[int]] = defaultdict(list)
    for row in of(measure, site, workstream, language):
        found[row.starts_on.weekday()].append(int(row.value))
    return [Fraction(sum(found[day]), len(found[day])) for day in range(7)]


def test_a_european_week_dips_on_saturday_and_sunday() -> None:
    means = weekday_means("items_due", "krakow-1", "product-moderation", "de")
    assert max(means[5], means[6]) < min(means[:5]) * Fraction(9, 10)


def test_in_cairo_the_week_dips_on_friday_and_saturday_and_sunday_is_the_busiest_day() -> None:
    means = weekday_means("items_due", "cairo-1", "merchant-moderation", "ar")
    assert sorted(range(7), key=lambda day: means[day])[:2] == [5, 4]
    assert max(range(7), key=lambda day: means[day]) == 6


def test_live_streams_are_busiest_at_the_weekend() -> None:
    means = weekday_means("alerts_received", "monterrey-1", "live-stream-moderation", "es")
    assert min(means[5], means[6]) > max(means[:5])


@pytest.mark.parametrize(("site", "workstream", "language", "free"), [
    ("lisbon-1", "content-moderation", "pt", {5, 6}),
    ("amman-1", "content-moderation", "ar", {4, 5}),
])  # fmt: skip
def test_the_quality_team_rests_at_the_site_s_own_weekend(site: str, workstream: str, language: str, free: set[int]) -> None:
    audited = of("decisions_audited", site, workstream, language)
    assert {row.starts_on.weekday() for row in audited if row.value == 0} == free
    assert {row.starts_on.weekday() for row in audited if row.value > 0} == set(range(7)) - free


def test_a_new_site_grows_into_its_volume() -> None:
    months: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in of("items_due", "amman-1", "content-moderation", "ar"):
        months[row.starts_on.year, row.starts_on.month].append(int(row.value))
    means = [Fraction(sum(values), len(values)) for _, values in sorted(months.items())]
    assert means[0] < means[2] < means[4] < means[6]
    assert Fraction(20, 100) < means[0] / means[8] < Fraction(32, 100)


def test_noise_fits_the_sample_a_small_one_scatters_more() -> None:
    def monthly(site: str, language: str) -> list[Fraction]:
        right: Counter[date] = Counter()
        all_: Counter[date] = Counter()
        for measure, counter in (("decisions_correct", right), ("decisions_audited", all_)):
            for row in of(measure, site, "live-stream-moderation", language):
                counter[row.starts_on.replace(day=1)] += int(row.value)
        return [Fraction(right[month], all_[month]) for month in sorted(all_)][:MONTHS]

    def spread(values: list[Fraction]) -> Fraction:
        mean = sum(values, start=Fraction(0)) / len(values)
        return sum(((value - mean) ** 2 for value in values), start=Fraction(0)) / len(values)

    assert spread(monthly("fukuoka-1", "ja")) > 2 * spread(monthly("tokyo-1", "ja"))


@given(trials=st.integers(0, 100_000), millionths=st.integers(0, 1_000_000), key=st.text(max_size=20))
def test_successes_lie_between_none_and_all(trials: int, millionths: int, key: str) -> None:
    drawn = successes(key, trials, millionths)
    assert 0 <= drawn <= trials
    assert drawn == successes(key, trials, millionths)
    if millionths == 0:
        assert drawn == 0
    if millionths == 1_000_000:
        assert drawn == trials


@pytest.mark.parametrize(("trials", "millionths"), [(24, 970_000), (200, 15_000), (256, 500_000), (257, 500_000), (9000, 973_000)])
def test_successes_have_the_mean_and_the_variance_of_a_binomial(trials: int, millionths: int) -> None:
    drawn = [successes(f"draw {number}", trials, millionths) for number in range(2000)]
    share = Fraction(millionths, 1_000_000)
    mean = Fraction(sum(drawn), len(drawn))
    variance = sum((value - mean) ** 2 for value in drawn) / len(drawn)
    expected = trials * share * (1 - share)
    assert (mean - trials * share) ** 2 < 16 * expected / len(drawn)
    assert Fraction(85, 100) < variance / expected < Fraction(115, 100)


@pytest.mark.parametrize("mean", [3, 20, 21, 800])
def test_arrivals_scatter_as_arrivals_do(mean: int) -> None:
    drawn = [arrivals(f"day {number}", mean) for number in range(2000)]
    found = Fraction(sum(drawn), len(drawn))
    variance = sum((value - found) ** 2 for value in drawn) / len(drawn)
    expected = mean + Fraction(mean * 3, 100) ** 2
    assert (found - mean) ** 2 < 16 * expected / len(drawn)
    assert Fraction(80, 100) < variance / expected < Fraction(120, 100)


def test_every_scope_and_month_has_one_invoice_known_on_the_fourth() -> None:
    invoices = [row for row in everything() if row.measure == "monthly_invoice"]
    assert Counter((row.site, row.workstream) for row in invoices) == Counter(dict.fromkeys(((w.site, w.workstream) for w in WORK), MONTHS))
    for row in invoices:
        assert isinstance(row.value, Decimal)
        assert (row.grain, row.starts_on.day, row.language) == ("month", 1, "")
        assert row.known_at == datetime.combine(month_after(row.starts_on, 1).replace(day=4), datetime.min.time(), UTC).replace(hour=9)


def test_invoices_have_the_size_of_such_invoices() -> None:
    """Between a team of four and one of a hundred: some ten thousand to some three hundred thousand dollars a month."""
    dollars = {"EUR": Decimal("1.1"), "USD": Decimal(1), "GBP": Decimal("1.3"), "JPY": Decimal("0.0067")}
    currencies = {"BQ-EU-014": "EUR", "IH-DUB-001": "EUR", "TH-CARE-009": "GBP", "AR-JP-011": "JPY"}
    for row in everything():
        if row.measure == "monthly_invoice" and row.starts_on >= month_start(TODAY, 6):
            currency = currencies.get(portfolio.site(row.site).contract, "USD")
            assert isinstance(row.value, Decimal)
            assert 10_000 < row.value * dollars[currency] < 400_000, row
            assert row.value.as_tuple().exponent == (0 if currency == "JPY" else -2)


def test_a_count_becomes_known_the_morning_after_and_a_correction_later() -> None:
    by_key: dict[generating.Key, list[Row]] = defaultdict(list)
    for row in everything():
        by_key[key_of(row)].append(row)
    for versions in by_key.values():
        assert [row.known_at for row in versions] == sorted({row.known_at for row in versions})
        if versions[0].grain == "day":
            assert (versions[0].known_at.date() - versions[0].starts_on).days == 1
    corrected = [versions for versions in by_key.values() if len(versions) > 1]
    assert corrected
    assert {versions[-1].known_at for versions in corrected} == {datetime(2026, 8, 20, 9, tzinfo=UTC)}
    assert {versions[0].starts_on.replace(day=1) for versions in corrected} == {date(2026, 7, 1)}


def test_as_known_gives_the_newest_row_of_each_figure_among_those_known() -> None:
    first = everything()[0]
    second = first._replace(value=int(first.value) + 1, known_at=first.known_at.replace(year=2027))
    assert as_known([first, second], first.known_at) == [first]
    assert as_known([second, first], second.known_at) == [second]
    assert as_known([first, second], first.known_at.replace(year=2000)) == []
