"""The running period: where a KPI stands, and what the rest of the period would have to bring.

Plain arithmetic on counts.  The volume still to come is what came so far, carried on at the same pace; from it follows which share of
it would have to be right for the target to be met, and whether that is possible at all.  Nothing here is a forecast of quality.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal

from msgspec import Struct

from scorecards.scorecard import KpiResult

Outlook = Literal["safe", "on_course", "behind", "impossible", "unknown"]
"""``safe``: the target is met whatever the rest brings.  ``on_course``: met if the rest is as the period so far.  ``behind``: missed if
the rest is as the period so far, and still to be met.  ``impossible``: missed whatever the rest brings, at the expected volume.
``unknown``: there is no target, nothing was counted, or the rest cannot be reckoned from counts."""


class Rest(Struct, frozen=True, kw_only=True):
    """What the rest of the period has to bring."""

    outlook: Outlook
    volume: Fraction | None = None
    """Expected volume still to come: the denominator of what is counted, or none where a KPI is a plain sum."""
    count: Fraction | None = None
    """How much of the numerator the rest needs at least; at most, where less is better."""
    rate: Fraction | None = None
    """The same in the KPI's unit: over the rest's volume, or a day where the KPI is a plain sum."""


UNKNOWN = Rest(outlook="unknown")


def rest_of(result: KpiResult, *, days_gone: int, days_left: int, times: int = 1) -> Rest:
    """What the days left have to bring for the target.

    ``result`` is judged on the ``days_gone``; ``times`` is 100 for a percentage of counts.  A value that is no ratio and no sum of
    counts (a last state, a percentile, a derived figure) has no rest to reckon.
    """
    if result.numerator is None or result.target is None or days_gone <= 0 or result.better == "inside":
        return UNKNOWN
    so_far, target = Fraction(result.numerator), Fraction(result.target)
    is_strict = result.boundary in ("more_than", "less_than")
    if result.denominator is None:
        return _of_sum(result, so_far, target, days_gone, days_left, is_strict=is_strict)
    below = Fraction(result.denominator)
    volume = below * days_left / days_gone
    wanted = target / times * (below + volume) - so_far
    is_whole = all(one.denominator == 1 for one in (so_far, below)) and times == 100
    if result.better == "higher":
        return _at_least(result, _rounded_up(wanted, is_whole=is_whole, is_strict=is_strict), volume, times, is_part=times == 100)
    return _at_most(result, _rounded_down(wanted, is_whole=is_whole, is_strict=is_strict), volume, times, is_part=times == 100)


def _of_sum(result: KpiResult, so_far: Fraction, target: Fraction, gone: int, left: int, *, is_strict: bool) -> Rest:
    is_whole = so_far.denominator == 1
    if result.better == "higher":
        need = _rounded_up(target - so_far, is_whole=is_whole, is_strict=is_strict)
        if need <= 0:
            return Rest(outlook="safe", count=Fraction(0))
        if left == 0:
            return Rest(outlook="impossible", count=need)
        return Rest(outlook="on_course" if so_far * left >= need * gone else "behind", count=need, rate=need / left)
    room = _rounded_down(target - so_far, is_whole=is_whole, is_strict=is_strict)
    if room < 0:
        return Rest(outlook="impossible", count=room)
    if left == 0:
        return Rest(outlook="safe", count=room)
    # A sum of things that should not happen has no end: it is never safe before the period is over.
    return Rest(outlook="on_course" if so_far * left <= room * gone else "behind", count=room, rate=room / left)


def _at_least(result: KpiResult, need: Fraction, volume: Fraction, times: int, *, is_part: bool) -> Rest:
    if need <= 0:
        return Rest(outlook="safe", volume=volume, count=Fraction(0))
    if volume == 0 or (is_part and need > volume):
        return Rest(outlook="impossible", volume=volume, count=need)
    return Rest(outlook=_at_this_pace(result, times), volume=volume, count=need, rate=times * need / volume)


def _at_most(result: KpiResult, room: Fraction, volume: Fraction, times: int, *, is_part: bool) -> Rest:
    if room < 0:
        return Rest(outlook="impossible", volume=volume, count=room)
    if volume == 0 or (is_part and room >= volume):
        return Rest(outlook="safe", volume=volume, count=room)
    return Rest(outlook=_at_this_pace(result, times), volume=volume, count=room, rate=times * room / volume)


def _at_this_pace(result: KpiResult, times: int) -> Outlook:
    """By the verdict on what came so far; where the sample is still too small for one, by the same counts."""
    if result.met is not None:
        return "on_course" if result.met else "behind"
    value, target = times * Fraction(result.numerator or 0) / Fraction(result.denominator or 1), Fraction(result.target or 0)
    met = {"at_least": value >= target, "more_than": value > target, "at_most": value <= target, "less_than": value < target}
    return "on_course" if met[result.boundary] else "behind"


def _rounded_up(wanted: Fraction, *, is_whole: bool, is_strict: bool) -> Fraction:
    """The least count that reaches a bound; where whole things are counted, the next whole one."""
    if not is_whole:
        return wanted
    return Fraction(math.floor(wanted) + 1 if is_strict else math.ceil(wanted))


def _rounded_down(wanted: Fraction, *, is_whole: bool, is_strict: bool) -> Fraction:
    if not is_whole:
        return wanted
    return Fraction(math.ceil(wanted) - 1 if is_strict else math.floor(wanted))
