"""Curves: from a value to an amount.  One type for scores, points, credits, bonus and factors.

Three shapes, of which a curve has exactly one:

``line``   corners joined by straight pieces (a corner given twice is a cliff: at the corner the later one holds);
``steps``  bands with two ends, each of which says whether it belongs to the band;
``each``   so much for each unit beyond a point: pro rata, only full units, or every unit begun.

A point on a curve's axis is a :data:`Mark`: a number, or the name of one of the KPI's levels, so that a curve
follows its target when the target is ramped.

Everything here is exact: values are :class:`~fractions.Fraction`, never binary floating point, for
``ceil((99.9 - 99.6) / 0.1)`` is 3 and not 4.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Literal, NamedTuple

from msgspec import Struct

from contracts.errors import CannotCompute, RefusedValue

Mark = Decimal | str
"""A point on an axis: a number, or the name of one of the KPI's levels."""


def on_axis(mark: Mark, levels: Mapping[str, Fraction]) -> Fraction:
    """The number a mark stands for, given the levels in force.

    Raises :class:`CannotCompute` where the level is not in force.
    """
    if not isinstance(mark, str):
        return exactly(mark)
    try:
        return levels[mark]
    except KeyError:
        known = ", ".join(sorted(levels)) or "none"
        msg = f"the level {mark!r} has no value here; levels in force: {known}"
        raise CannotCompute(msg) from None


class Corner(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One corner of a line, written as a pair: ``[target, 100]``."""

    at: Mark
    """Where the corner stands on the axis."""
    give: Decimal
    """The amount there."""


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One band.  An end that is not given is open for ever; ``at_least``/``at_most`` belong to the band,
    ``more_than``/``less_than`` do not.
    """

    at_least: Mark | None = None
    """The lower end, which belongs to the band."""
    more_than: Mark | None = None
    """The lower end, which does not."""
    at_most: Mark | None = None
    """The upper end, which belongs to the band."""
    less_than: Mark | None = None
    """The upper end, which does not."""
    give: Decimal | None = None
    """The amount of the band; a band that only names a standing gives none."""
    name: str | None = None
    """The contract's own word for the band, such as *serious*."""

    def __post_init__(self) -> None:
        if self.at_least is not None and self.more_than is not None:
            msg = "a band has one lower end; write at_least or more_than"
            raise ValueError(msg)
        if self.at_most is not None and self.less_than is not None:
            msg = "a band has one upper end; write at_most or less_than"
            raise ValueError(msg)

    def low(self, levels: Mapping[str, Fraction]) -> tuple[Fraction, bool] | None:
        """The lower end and whether it belongs to the band; ``None`` where the band has no lower end."""
        if self.at_least is not None:
            return on_axis(self.at_least, levels), True
        return (on_axis(self.more_than, levels), False) if self.more_than is not None else None

    def high(self, levels: Mapping[str, Fraction]) -> tuple[Fraction, bool] | None:
        """The upper end and whether it belongs to the band; ``None`` where the band has no upper end."""
        if self.at_most is not None:
            return on_axis(self.at_most, levels), True
        return (on_axis(self.less_than, levels), False) if self.less_than is not None else None

    def holds(self, value: Fraction, levels: Mapping[str, Fraction]) -> bool:
        """Whether the value lies in the band."""
        low, high = self.low(levels), self.high(levels)
        above = low is None or value > low[0] or (low[1] and value == low[0])
        below = high is None or value < high[0] or (high[1] and value == high[0])
        return above and below

    def words(self) -> str:
        """The band in words: ``at least 97 and less than 98``."""
        ends = [
            f"{word} {mark}"
            for word, mark in (
                ("at least", self.at_least),
                ("more than", self.more_than),
                ("at most", self.at_most),
                ("less than", self.less_than),
            )
            if mark is not None
        ]
        return " and ".join(ends) or "any value"


class Allowance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is free before counting starts: a number, or a share of a measure of the same scope and period."""

    number: Decimal = Decimal(0)
    """So many units are free."""
    percent: Decimal | None = None
    """So many percent of the measure ``of`` are free besides."""
    of: str | None = None
    """The measure that ``percent`` is a percentage of."""
    part_period: Literal["whole", "pro_rata"] = "whole"
    """In a period cut short, ``number`` stays whole, or shrinks with the days."""

    def __post_init__(self) -> None:
        if (self.percent is None) != (self.of is None):
            msg = "an allowance as a share needs both percent and of; write both, as in {percent: 5, of: calls_received}"
            raise ValueError(msg)


class Each(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """So much for each unit by which the value lies above (or below) a point."""

    unit: Decimal = Decimal(1)
    """The size of one unit on the axis."""
    give: Decimal
    """The amount for one unit."""
    above: Mark | None = None
    """The point above which units are counted; without it and ``below``, they are counted from 0."""
    below: Mark | None = None
    """The point below which units are counted."""
    counting: Literal["pro_rata", "full", "started"] = "pro_rata"
    """``full``: only whole units count; ``started``: a unit begun counts whole."""
    allowance: Decimal | Allowance = Decimal(0)
    """What is free before counting starts, on the axis of the value."""

    def __post_init__(self) -> None:
        if self.above is not None and self.below is not None:
            msg = "units are counted above a point or below one, not both; write two rules, which leave a dead band between them"
            raise ValueError(msg)
        if self.unit <= 0:
            raise RefusedValue(f"a unit of {self.unit} cannot be counted", "Write a positive unit such as 1 or 0.1.", field="unit")


class Slice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One tier of a marginal scale: the rate for the part of the value that lies inside the tier."""

    above: Decimal = Decimal(0)
    """Where the tier begins."""
    up_to: Decimal | None = None
    """Where it ends; not given, it is open for ever."""
    rate: Decimal
    """The amount for each unit inside the tier."""


class Curve(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one of the four shapes, and limits of the amount."""

    line: list[Corner] | None = None
    """Corners joined by straight pieces, from left to right."""
    below: Decimal | None = None
    """``line`` only: the amount left of the first corner; not given, the first corner's amount goes on."""
    beyond: Decimal | None = None
    """``line`` only: the amount right of the last corner; not given, the last corner's amount goes on."""
    steps: list[Step] | None = None
    """Bands, of which the one that holds the value gives the amount."""
    each: Each | None = None
    """So much for each unit beyond a point."""
    marginal: list[Slice] | None = None
    """Tiers, each of which gives its rate for the part of the value inside it."""
    at_most: Decimal | None = None
    """The amount never exceeds this."""
    at_least: Decimal | None = None
    """The amount never falls below this."""

    def __post_init__(self) -> None:
        shapes = [name for name in ("line", "steps", "each", "marginal") if getattr(self, name) is not None]
        if len(shapes) != 1:
            msg = f"a curve has one shape, and this one has {' and '.join(shapes) or 'none'}; write one of line, steps, each, marginal"
            raise ValueError(msg)
        if self.line is not None and not self.line:
            msg = "a line without a corner is none; write one, such as [target, 100]"
            raise ValueError(msg)
        if self.steps is not None and not self.steps:
            msg = "steps without a band are none; write one, such as {at_least: target, give: 5}"
            raise ValueError(msg)

    def marks(self) -> list[Mark]:
        """Every point of the axis the curve names, so that a check can look the levels up."""
        if self.line is not None:
            return [corner.at for corner in self.line]
        if self.steps is not None:
            ends = [(s.at_least, s.more_than, s.at_most, s.less_than) for s in self.steps]
            return [mark for four in ends for mark in four if mark is not None]
        if self.each is not None:
            return [mark for mark in (self.each.above, self.each.below) if mark is not None]
        return []


class Drawn(Struct, frozen=True, kw_only=True):
    """What a curve gives for a value, and why."""

    amount: Fraction | None
    """``None`` where the bands do not say (see ``band``)."""
    band: str | None = None
    """The band's own name; ``ambiguous`` where two bands with different amounts hold the value, ``none`` where
    no band does."""
    units: Fraction | None = None
    """``each``: the units counted."""
    words: str = ""
    """The derivation with its numbers filled in."""
    is_beyond: bool = False
    """``steps``: the value lies outside the table altogether, rather than in a gap between its bands."""


_WHOLE = Fraction(1)


def draw(
    curve: Curve,
    value: Fraction,
    levels: Mapping[str, Fraction] = MappingProxyType({}),
    *,
    volumes: Mapping[str, Fraction] | None = None,
    part: Fraction = _WHOLE,
    explain: bool = True,
    corners: Corners | None = None,
) -> Drawn:
    """The curve's amount at a value.  ``volumes`` are the measures an allowance may be a share of, and ``part`` how much
    of a whole period this one is.

    Without ``explain`` a line leaves out the words: a close scores thousands of values and shows few derivations.
    ``corners`` are what :func:`corners_of` gives for the same curve and levels, where many values are drawn on them.
    """
    if curve.line is not None:
        drawn = _on_line(curve, value, corners or corners_of(curve, levels), explain=explain)
    elif curve.steps is not None:
        drawn = _in_steps(curve.steps, value, levels)
    elif curve.each is not None:
        drawn = _by_units(curve.each, value, levels, volumes or {}, part)
    else:
        assert curve.marginal is not None
        drawn = _marginal(curve.marginal, value)
    return _limited(curve, drawn)


def _limited(curve: Curve, drawn: Drawn) -> Drawn:
    amount, words = drawn.amount, drawn.words
    if amount is None or (curve.at_most is None and curve.at_least is None):
        return drawn
    if curve.at_most is not None and amount > curve.at_most:
        amount, words = exactly(curve.at_most), f"{words}, at most {curve.at_most}"
    if curve.at_least is not None and amount < curve.at_least:
        amount, words = exactly(curve.at_least), f"{words}, at least {curve.at_least}"
    return Drawn(amount=amount, band=drawn.band, units=drawn.units, words=words)


@functools.lru_cache(maxsize=4096)
def exactly(number: Decimal) -> Fraction:
    """A contract's figure as an exact fraction; the same few figures are asked for again and again."""
    return Fraction(number)


class Corners(NamedTuple):
    """A line among the levels in force: its corners from left to right, each segment as ``amount = base + slope × value``."""

    at: list[tuple[Fraction, Fraction]]
    """Place and amount of each."""
    segments: list[tuple[Fraction, Fraction]]
    """Base and slope; nought for a cliff, on which no value is drawn."""


def corners_of(curve: Curve, levels: Mapping[str, Fraction] = MappingProxyType({})) -> Corners:
    """The line of a curve that has one.  Raises :class:`CannotCompute` where the levels put its corners out of order."""
    corners = [(on_axis(corner.at, levels), exactly(corner.give)) for corner in curve.line or ()]
    segments: list[tuple[Fraction, Fraction]] = []
    for (x0, y0), (x1, y1) in itertools.pairwise(corners):
        if x1 < x0:
            msg = f"the corners of a line run from left to right, but {number_text(x1)} follows {number_text(x0)}"
            raise CannotCompute(msg)
        slope = (y1 - y0) / (x1 - x0) if x1 > x0 else Fraction(0)
        segments.append((y0 - slope * x0, slope))
    return Corners(corners, segments)


def _on_line(curve: Curve, value: Fraction, line: Corners, *, explain: bool) -> Drawn:
    corners = line.at
    first, last = corners[0], corners[-1]
    if value < first[0]:
        amount = first[1] if curve.below is None else exactly(curve.below)
        return Drawn(amount=amount, words=f"{number_text(amount)} below {number_text(first[0])}" if explain else "")
    if value >= last[0]:
        if value == last[0] or curve.beyond is None:
            words = f"{number_text(last[1])} from {number_text(last[0])} on" if explain else ""
            return Drawn(amount=last[1], words=words)
        return Drawn(amount=exactly(curve.beyond), words=f"{curve.beyond} beyond {number_text(last[0])}" if explain else "")
    # A cliff is two corners on one point; taking the last segment that starts at or before the value makes the
    # later corner hold at the point itself.
    index = len(corners) - 2
    while corners[index][0] > value:
        index -= 1
    base, slope = line.segments[index]
    amount = base + slope * value
    if not explain:
        return Drawn(amount=amount)
    (x0, y0), (x1, y1) = corners[index], corners[index + 1]
    words = (
        f"{number_text(y0)} + ({number_text(value)} − {number_text(x0)}) ÷ ({number_text(x1)} − {number_text(x0)}) "
        f"× ({number_text(y1)} − {number_text(y0)})"
    )
    return Drawn(amount=amount, words=words)


def _in_steps(steps: list[Step], value: Fraction, levels: Mapping[str, Fraction]) -> Drawn:
    held = [step for step in steps if step.holds(value, levels)]
    if not held:
        return Drawn(
            amount=None, band="none", words=f"no band holds {number_text(value)}", is_beyond=_is_beyond(steps, value, levels)
        )
    if len({(step.give, step.name) for step in held}) > 1:
        which = "; ".join(step.words() for step in held)
        return Drawn(amount=None, band="ambiguous", words=f"{number_text(value)} lies in more than one band: {which}")
    step = held[0]
    return Drawn(
        amount=None if step.give is None else Fraction(step.give),
        band=step.name,
        words=f"band {step.name or step.words()}" if step.give is None else f"{step.give} for {step.words()}",
    )


def _is_beyond(steps: list[Step], value: Fraction, levels: Mapping[str, Fraction]) -> bool:
    """Whether every band lies on the same side of the value."""
    below = [high is not None and high[0] <= value for high in (step.high(levels) for step in steps)]
    return all(below) or not any(below)


def _by_units(
    each: Each, value: Fraction, levels: Mapping[str, Fraction], volumes: Mapping[str, Fraction], part: Fraction
) -> Drawn:
    if each.above is not None:
        point = on_axis(each.above, levels)
        distance, words = value - point, f"{number_text(value)} − {number_text(point)}"
    elif each.below is not None:
        point = on_axis(each.below, levels)
        distance, words = point - value, f"{number_text(point)} − {number_text(value)}"
    else:
        distance, words = value, number_text(value)
    free = _free(each.allowance, volumes, part)
    if free:
        distance, words = distance - free, f"{words} − {number_text(free)} allowed"
    distance = max(Fraction(0), distance)
    units = distance / Fraction(each.unit)
    if each.counting == "full":
        units = Fraction(units.numerator // units.denominator)
    elif each.counting == "started":
        units = Fraction(-(-units.numerator // units.denominator))
    manner = {"pro_rata": "", "full": " full", "started": " begun"}[each.counting]
    amount = units * Fraction(each.give)
    return Drawn(
        amount=amount,
        units=units,
        words=f"max(0, {words}) = {number_text(units)}{manner} × {each.give}",
    )


def _free(allowance: Decimal | Allowance, volumes: Mapping[str, Fraction], part: Fraction) -> Fraction:
    if isinstance(allowance, Decimal):
        return Fraction(allowance)
    free = Fraction(allowance.number) * (part if allowance.part_period == "pro_rata" else 1)
    if allowance.percent is not None and allowance.of is not None:
        if allowance.of not in volumes:
            msg = f"the allowance is a share of {allowance.of!r}, and nothing was delivered for it in this period"
            raise CannotCompute(msg)
        free += Fraction(allowance.percent) / 100 * volumes[allowance.of]
    return free


def _marginal(slices: list[Slice], value: Fraction) -> Drawn:
    amount, parts = Fraction(0), []
    for tier in slices:
        top = value if tier.up_to is None else min(value, Fraction(tier.up_to))
        inside = max(Fraction(0), top - Fraction(tier.above))
        if inside:
            amount += inside * Fraction(tier.rate)
            parts.append(f"{number_text(inside)} × {tier.rate}")
    return Drawn(amount=amount, words=" + ".join(parts) or "0")


def number_text(number: Fraction | Decimal) -> str:
    """A number for a derivation: exact where a decimal can be, else twelve significant digits and an ellipsis."""
    if isinstance(number, Decimal):
        number = Fraction(number)
    denominator = number.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    decimal = Decimal(number.numerator) / Decimal(number.denominator)
    if denominator == 1:
        return f"{decimal.normalize():f}"
    return f"{decimal:.10g}…"
