"""Step 8, recurrence: service points, and more of them for a failure that follows another."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from contracts.curve import Curve, draw
from contracts.document import Repeat
from scorecards.measurement import Scope
from scorecards.pricing.ledger import Record
from scorecards.pricing.windows import missed


def repeat_factor(repeat: Repeat, history: Sequence[Record], kpi: str, scope: Scope) -> tuple[Fraction, int]:
    """The factor for a failure now, and how many earlier failures made it so.

    It never compounds: the factor multiplies the failure's own amount, not the amount that was multiplied before.
    A period that was not judged is passed over unless the KPI says that it breaks the chain.
    """
    earlier = 0
    looked = 0
    for record in reversed(history):
        verdict = record.verdicts.get((kpi, scope))
        if verdict is None or (verdict.met is None and verdict.compared is None):
            if verdict is not None and verdict.kpi.streak == "breaks":
                break
            continue
        looked += 1
        earlier += missed(verdict, repeat.missed) or bool(
            repeat.missed == "target" and verdict.met is None and verdict.points_base
        )
        if looked == repeat.last:
            break
    if earlier < repeat.at_least:
        return Fraction(1), earlier
    if isinstance(repeat.multiply, Curve):
        return draw(repeat.multiply, Fraction(earlier)).amount or Fraction(1), earlier
    return Fraction(repeat.multiply), earlier


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
        factor, earlier = repeat_factor(kpi.repeat, history, name, scope)
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
