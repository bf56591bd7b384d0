"""Step 8, recurrence: service points, and more of them for a failure that follows another."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from contracts.curve import Curve, draw
from contracts.document import Repeat
from scorecards.measurement import Scope
from scorecards.pricing.ledger import Record, periods_of
from scorecards.pricing.windows import PASSED_OVER, missed
from scorecards.scoring import Judged


def repeat_factor(repeat: Repeat, now: Record, history: Sequence[Record], kpi: str, scope: Scope) -> tuple[Fraction, int]:
    """The factor for a failure now, and how many earlier failures made it so.

    It never compounds: the factor multiplies the failure's own amount, not the amount that was multiplied before.
    A period that was not judged is passed over unless the KPI says that it breaks the chain.
    """
    earlier = 0
    looked = 0
    # Parts of one period are twice as many records; the bound on periods follows below.
    before = [held for held in periods_of(history[-2 * (repeat.last + PASSED_OVER + 1) :]) if held[0].whole != now.whole]
    for held in reversed(before[-(repeat.last + PASSED_OVER) :]):
        found = [verdict for record in held if (verdict := record.verdicts.get((kpi, scope))) is not None]
        judged = [verdict for verdict in found if verdict.met is not None or verdict.compared is not None]
        if not judged:
            if any(verdict.kpi.streak == "breaks" for verdict in found):
                break
            continue
        looked += 1
        earlier += any(_failed(verdict, repeat.missed) for verdict in judged)
        if looked == repeat.last:
            break
    if earlier < repeat.at_least:
        return Fraction(1), earlier
    if isinstance(repeat.multiply, Curve):
        return draw(repeat.multiply, Fraction(earlier)).amount or Fraction(1), earlier
    return Fraction(repeat.multiply), earlier


def _failed(verdict: Judged, level: str) -> bool:
    """Whether it missed the level; where the target has no figure, whether it earned points."""
    return missed(verdict, level) or bool(level == "target" and verdict.met is None and verdict.points_base)


def give_points(now: Record, history: Sequence[Record]) -> None:
    """Sets points and multiplier of every verdict that has base points, and writes the steps down."""
    for (name, scope), verdict in now.verdicts.items():
        if verdict.points_base is None:
            continue
        verdict.multiplier = Fraction(1)
        verdict.points = verdict.points_base
        if verdict.points_base == 0:
            continue
        kpi = verdict.kpi
        now.line(
            8,
            "points",
            scope,
            f"{kpi.title}: {verdict.level or 'missed'}",
            amount=verdict.points_base,
            kpi=name,
            clause=kpi.clause,
            inputs={"value": verdict.compared},
        )
        if kpi.repeat is None:
            continue
        factor, earlier = repeat_factor(kpi.repeat, now, history, name, scope)
        if factor == 1:
            continue
        verdict.multiplier = factor
        verdict.points = verdict.points_base * factor
        now.line(
            8,
            "repeat",
            scope,
            f"repeated failure: {earlier} in the {kpi.repeat.last} periods before",
            amount=verdict.points - verdict.points_base,
            kpi=name,
            clause=kpi.clause,
            inputs={"points": verdict.points_base, "multiplier": factor},
        )
