"""Judges the example's counts by its contracts, with nothing but sums and fractions.

A second opinion, kept apart from the engine on purpose: these few lines say what was planted, not how the product finds it.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from contracts.document import Contract, Counts, Kpi, Signed, Term
from contracts.reading import read
from vendor_mgmt.example import generating, portfolio
from vendor_mgmt.example.generating import Row
from vendor_mgmt.example.portfolio import MONTHS, month_start

TODAY = date(2026, 11, 22)


@functools.cache
def contract(name: str, today: date = TODAY) -> Contract:
    return read(portfolio.document("contracts", f"{name}.yaml", today), Contract, name=name).required()


@functools.cache
def everything(seed: str = portfolio.SEED, today: date = TODAY) -> tuple[Row, ...]:
    return tuple(generating.rows(today, seed=seed))


def end_of(day: date) -> datetime:
    return datetime.fromisoformat(f"{day.isoformat()}T12:00:00+00:00")


class Verdict(NamedTuple):
    status: str
    value: Fraction | None
    levels: dict[str, Decimal]
    better: str

    def misses(self, level: str) -> bool:
        """Whether there is a judged value, such a level, and the value is short of it."""
        return self.value is not None and level in self.levels and not self.meets(level)

    def meets(self, level: str) -> bool:
        assert self.value is not None
        mark = Fraction(self.levels[level])
        return self.value >= mark if self.better == "higher" else self.value <= mark


class Sums:
    """Each month's sums and days of each scope and measure, and what stood on the last day that came."""

    def __init__(self, rows: Iterable[Row], today: date = TODAY, *, dropped: Iterable[portfolio.ReliefClaim] = ()) -> None:
        self.today = today
        self.dropped = tuple(dropped)
        self.by_day: dict[tuple[str, str, int, str], dict[date, int | Decimal]] = defaultdict(lambda: defaultdict(int))
        first = month_start(today, 0)
        for row in rows:
            month = (row.starts_on.year - first.year) * 12 + row.starts_on.month - first.month
            self.by_day[row.site, row.workstream, month, row.measure][row.starts_on] += row.value

    def days(self, site: str, workstream: str, month: int, measure: str, kpi: str) -> dict[date, int | Decimal]:
        spans = [(c.from_, c.until) for c in self.dropped if (c.site, c.workstream, c.kpi) == (site, workstream, kpi)]
        found = self.by_day.get((site, workstream, month, measure), {})
        return {day: count for day, count in found.items() if not any(since <= day < until for since, until in spans)}

    def verdict(self, name: str, kpi: Kpi, work: portfolio.Work, month: int) -> Verdict:
        starts_on = month_start(self.today, month)
        levels: dict[str, Decimal] = {}
        for entry in kpi.levels:
            where = {"site": work.site, "workstream": work.workstream}
            is_here = all(where[key] in value for key, value in entry.where.items())
            if is_here and (entry.from_ or starts_on) <= starts_on and (entry.until is None or starts_on < entry.until):
                levels |= {level: mark for level, mark in entry.at.items() if isinstance(mark, Decimal)}

        def total(counts: Counts) -> Fraction:
            return sum((sign * self._sum(work, month, measure, name) for measure, sign in signed(counts)), start=Fraction(0))

        value = kpi.value
        whole = value.ratio.to if value.ratio else value.mean.per if value.mean else value.count or value.sum or value.last
        assert whole is not None
        length = (month_start(self.today, month + 1) - starts_on) // timedelta(days=1)
        came = max(len(self.days(work.site, work.workstream, month, measure, "")) for measure, _ in signed(whole))
        if came * 100 < length * kpi.completeness:
            return Verdict("no_data", None, levels, kpi.better)
        if value.last is not None:
            [(measure, _)] = signed(value.last)
            days = self.days(work.site, work.workstream, month, measure, name)
            return Verdict("measured", Fraction(days[max(days)]), levels, kpi.better)
        if added := value.count or value.sum:
            return Verdict("measured", total(added), levels, kpi.better)
        denominator = total(whole)
        if denominator == 0:
            return Verdict("no_volume", None, levels, kpi.better)
        if kpi.sample is not None and kpi.sample.at_least is not None and denominator < kpi.sample.at_least:
            return Verdict("not_measured", None, levels, kpi.better)
        if value.ratio:
            return Verdict("measured", 100 * total(value.ratio.of) / denominator, levels, kpi.better)
        assert value.mean
        return Verdict("measured", total(value.mean.of) / denominator, levels, kpi.better)

    def _sum(self, work: portfolio.Work, month: int, measure: str, kpi: str) -> Fraction:
        return Fraction(sum(self.days(work.site, work.workstream, month, measure, kpi).values()))


def signed(counts: Counts) -> list[tuple[str, int]]:
    if isinstance(counts, str):
        return [(counts, 1)]
    if isinstance(counts, Signed):
        return [*((_name(c), 1) for c in counts.plus), *((_name(c), -1) for c in counts.minus)]
    return [(_name(c), 1) for c in counts]


def _name(counted: str | Term) -> str:
    return counted if isinstance(counted, str) else counted.measure


def kpis_of(work: portfolio.Work) -> dict[str, Kpi]:
    """The KPIs that the contract judges for this scope of work."""
    agreed = contract(portfolio.site(work.site).contract)
    return {name: kpi for name, kpi in agreed.kpis.items() if work.workstream in kpi.where.get("workstream", work.workstream)}


def history(sums: Sums, work: portfolio.Work, name: str) -> list[Verdict]:
    """The verdicts of the fourteen complete months."""
    return [sums.verdict(name, kpis_of(work)[name], work, month) for month in range(MONTHS)]
