"""Measurements as values: what was delivered, and how rows become tallies.

A *row* is one measurement: a count (or amount) of one measure, for a site, its dimensions and a span.  A *tally* is
what the rows of one series say about one period: their sum, and which spans came.  Judging works on tallies alone,
so that a database may add the rows up where they lie and a file may do it here, with the same result.

Four things are kept apart everywhere: a span that never came, one that came empty (*missing*), one that came as
zero, and one that was taken out by relief.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, NamedTuple

Exact = int | Fraction
"""An exact number; whole ones stay integers because that is several times faster."""

Scope = tuple[tuple[str, str], ...]
"""Names and values in a fixed order, ``site`` first: the key of everything that is judged or paid."""


def site_of(scope: Scope) -> Scope:
    """The scope's site alone; empty where it has none."""
    return scope[:1] if scope and scope[0][0] == "site" else ()


ReliefEffect = Literal["drop_span", "drop_period", "cancel_money", "lower_target"]

TAKES_OUT: frozenset[ReliefEffect] = frozenset({"drop_span", "drop_period"})
"""The effects that take figures out; the others leave the value as it is."""

Fact = Literal["value", "met", "level", "points", "credit", "paid", "charge", "failures"]


TOO_LARGE: Final = 10**30
"""Figures stay below this, and above its reciprocal unless they are nought: what is counted in practice needs half the digits."""

# The exponent is held to three digits, for 1e9999999 takes minutes to write out; `\d` would take every script's digits.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_LONGEST_NUMBER = 60


class NoFigure(ValueError):  # noqa: N818 - says what the text is
    """The text is not a number that can be counted with.  ``is_number``: whether it is one at all."""

    def __init__(self, *, is_number: bool) -> None:
        super().__init__(is_number)
        self.is_number = is_number


def figure_of(text: str) -> Decimal:
    """The number that a delivered text stands for, exactly; with a point, without grouping, in the digits 0 to 9.

    Every way in reads figures by this rule, so that a file replayed is refused where a source would have been.
    Raises ``NoFigure``.
    """
    if len(text) > _LONGEST_NUMBER or _NUMBER.fullmatch(text) is None:
        raise NoFigure(is_number=False)
    exact = Decimal(text)
    if exact and not -30 <= exact.adjusted() < 30:
        raise NoFigure(is_number=True)
    return exact or Decimal(0)


def exact_number(number: Decimal | Fraction) -> Exact:
    """The number without loss; whole ones as integers."""
    above, below = number.as_integer_ratio()
    return above if below == 1 else Fraction(above, below)


def scope_of(site: str | None, dimensions: Mapping[str, str]) -> Scope:
    """The key of a site and its dimensions; empty values are left out, for they mean *not split by it*."""
    rest = tuple((name, value) for name, value in sorted(dimensions.items()) if value)
    return ((("site", site), *rest)) if site else rest


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement as delivered.  ``value`` is ``None`` where the source says that it has none."""

    site: str
    measure: str
    dimensions: Scope
    """Without the site."""
    starts_on: date
    until_on: date
    grain: str
    value: Decimal | Fraction | None
    """A decimal as delivered; a fraction where it was counted from events (a third of an hour)."""
    n: Decimal | None = None
    part: str = ""
    """For grains below a day: the moment, so that two rows of one day are told apart."""


class Series(NamedTuple):
    """What is delivered again and again: one measure at one site for one combination of dimensions.

    A tuple, because it is the key that every figure is looked up by, and tuples are hashed fastest.
    """

    site: str
    measure: str
    dimensions: Scope


Span = tuple[date, date, str]
"""First day, first day after, and the moment for spans below a day."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What the rows of one series say about one period."""

    total: Exact
    present: int
    """Spans that came with a value, zero included."""
    missing: int = 0
    """Spans that came empty."""
    grain: str = "month"
    mask: int = 0
    """One bit for each present span, counted from the period's first day; equal masks mean equal spans."""
    spans: Mapping[Span, Exact] | None = None
    """The values by span.  ``None`` where whoever added up kept them back; then neither unpaired spans nor relief
    can be taken out, and asking for it is an error."""
    last: Exact | None = None
    """The value of the latest present span."""
    n: Exact | None = None
    """Cases behind a reported value."""


EMPTY = Tally(total=0, present=0)


@dataclass(frozen=True, slots=True)
class Relief:
    """An approved claim: what it takes out, from when until when, for whom."""

    from_on: date
    until_on: date
    effect: ReliefEffect = "drop_span"
    kpi: str | None = None
    site: str | None = None
    dimensions: Scope = ()
    cause: str = ""

    def touches(self, kpi: str, site: str, dimensions: Scope) -> bool:
        """Whether a series of this KPI lies inside the claim's scope."""
        if self.kpi not in (None, kpi) or self.site not in (None, site):
            return False
        own = dict(dimensions)
        return all(own.get(name, value) == value for name, value in self.dimensions)


@dataclass(frozen=True, slots=True)
class Opening:
    """A result of an earlier period of which only the result is known."""

    starts_on: date
    fact: Fact
    value: str
    site: str | None = None
    kpi: str | None = None
    dimensions: Scope = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One single event as a series counts it."""

    on: date
    event_id: str
    amount: Exact


@dataclass(slots=True)
class Facts:
    """Everything delivered for one contract, as tallies by series and period."""

    tallies: dict[Series, dict[date, Tally]] = field(default_factory=dict)
    """By series, then by the period's first day."""

    cases: dict[Series, list[Case]] = field(default_factory=dict)
    """The single events of series that are counted from events."""

    plans: dict[tuple[str, int], object] = field(default_factory=dict)
    """Which series each KPI draws on, kept by :func:`scorecards.measuring.plan_of`."""
    _by_measure: dict[str, list[Series]] = field(default_factory=dict)
    _counted: int = -1

    def by_measure(self) -> dict[str, list[Series]]:
        """The series of each measure, in a stable order; sorted once, for series are only ever added."""
        if self._counted == len(self.tallies):
            return self._by_measure
        found: dict[str, list[Series]] = {}
        for series in sorted(self.tallies, key=lambda s: (s.measure, s.site, s.dimensions)):
            found.setdefault(series.measure, []).append(series)
        self._by_measure, self._counted = found, len(self.tallies)
        return found


def tally(rows: Sequence[Row], from_on: date) -> Tally:
    """Adds up the rows of one series inside one period that begins on ``from_on``; their order is irrelevant."""
    spans: dict[Span, Exact] = {}
    missing, mask, n = 0, 0, None
    for row in rows:
        if row.value is None:
            missing += 1
            continue
        spans[row.starts_on, row.until_on, row.part] = exact_number(row.value)
        mask |= 1 << (row.starts_on - from_on).days
        if row.n is not None:
            n = (n or 0) + exact_number(row.n)
    return Tally(
        total=sum(spans.values()),
        present=len(spans),
        missing=missing,
        grain=rows[0].grain if rows else "month",
        mask=mask if not any(row.part for row in rows) else -1,
        spans=spans,
        last=spans[max(spans)] if spans else None,
        n=n,
    )


def gather(rows: Iterable[Row], starts: Sequence[date]) -> Facts:
    """Sorts rows into series and periods, which begin on ``starts`` (ascending); rows before the first are left out."""
    boxes: dict[Series, dict[date, list[Row]]] = {}
    for row in rows:
        index = bisect_right(starts, row.starts_on) - 1
        if index < 0:
            continue
        series = Series(row.site, row.measure, row.dimensions)
        boxes.setdefault(series, {}).setdefault(starts[index], []).append(row)
    return Facts(
        {series: {start: tally(held, start) for start, held in boxed.items()} for series, boxed in boxes.items()}
    )
