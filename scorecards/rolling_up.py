"""Results added up over sites, vendors and periods: by counts, never by averaging percentages.

A quarter's value is not the mean of three months, and a vendor's is not the mean of its sites: 300 calls at 78 % and
1,200 at 85 % are 83.6 %, not 81.5 %.  A percentile has no counts, so nothing is made of several; the lowest and the
highest of the parts are all that can be said truthfully.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Generic, Literal, NamedTuple, TypeVar

from contracts.document import Kpi
from contracts.errors import CannotCompute
from scorecards.scorecard import KpiResult
from scorecards.scoring import is_met

Key = TypeVar("Key", bound=Hashable)


class Part(NamedTuple):
    """One result and the KPI, as its contract version defines it."""

    kpi: Kpi
    result: KpiResult


@dataclass(frozen=True, slots=True)
class Rolled(Generic[Key]):
    """Several results as one.  ``value`` is exact, in the KPI's unit; ``None`` where no part has counts that add up."""

    key: Key
    kpi: str
    numerator: Fraction | None
    denominator: Fraction | None
    value: Fraction | None
    target: Fraction | None
    """The parts' common target; ``None`` where they differ, and then there is no verdict either."""
    met: bool | None
    parts: int
    """How many results were added."""
    left_out: int
    """How many had nothing to add: no data, no volume, relieved, too small a sample."""
    lowest: Fraction | None
    highest: Fraction | None
    """The bounds of the parts' values: what is left to say of percentiles and other figures without counts."""


def roll_up(parts: Iterable[Part], key: Callable[[KpiResult], Key]) -> list[Rolled[Key]]:
    """Adds the counts of all results with the same key and KPI, in the order in which the keys first appear.

    A result below its minimum sample keeps its counts to itself, because it was not judged.  Raises
    :class:`CannotCompute` where results are to be added whose KPIs count different things under one name.
    """
    groups: dict[tuple[Key, str], list[Part]] = {}
    for part in parts:
        groups.setdefault((key(part.result), part.result.kpi), []).append(part)
    return [_rolled(name, held[0].kpi, kpi, held) for (name, kpi), held in groups.items()]


def _rolled(key: Key, kpi: Kpi, name: str, parts: Sequence[Part]) -> Rolled[Key]:
    for other in parts:
        if (other.kpi.value, other.kpi.where) != (kpi.value, kpi.where):
            msg = f"{name} is counted in different ways by the results to be added"
            raise CannotCompute(msg, "Add only results whose KPIs share one definition.")
    judged = [part.result for part in parts if part.result.status == "measured" and part.result.value is not None]
    values = [Fraction(result.value) for result in judged if result.value is not None]
    above, below, value = _counts(kpi, judged)
    targets = {result.target for result in judged}
    common = next(iter(targets)) if len(targets) == 1 else None
    target = None if common is None else Fraction(common)
    met = None if value is None or target is None else is_met(kpi, value, {"target": target}, "target")
    return Rolled(
        key,
        name,
        above,
        below,
        value,
        target,
        met,
        len(judged),
        len(parts) - len(judged),
        min(values, default=None),
        max(values, default=None),
    )


def _counts(kpi: Kpi, judged: Sequence[KpiResult]) -> tuple[Fraction | None, Fraction | None, Fraction | None]:
    """The added sides and the value they make; all ``None`` where there are no counts."""
    if not judged or any(result.numerator is None for result in judged):
        return None, None, None
    above = sum((Fraction(result.numerator or 0) for result in judged), Fraction(0))
    if kpi.value.kind in ("sum", "count"):
        return above, None, above
    if any(result.denominator is None for result in judged):
        # A state (the last value of a period) and a derived figure have no denominator, and do not add up over time.
        return None, None, None
    below = sum((Fraction(result.denominator or 0) for result in judged), Fraction(0))
    if below == 0:
        return above, below, None
    times = 100 if kpi.value.ratio is not None else kpi.value.rate.each if kpi.value.rate is not None else 1
    return above, below, Fraction(times) * above / below


class Run(NamedTuple):
    """Periods in a row that missed: the first day of the first and of the last, and how many they were."""

    first_on: date
    last_on: date
    length: int


def runs_missed(
    verdicts: Iterable[tuple[date, bool | None]], gaps: Literal["skips", "breaks"] = "skips"
) -> list[Run]:
    """The runs of missed periods in a series, oldest first.

    ``verdicts`` are the periods' first days in order, each with whether it met (``None``: not judged).  A period that
    is not judged is passed over (``skips``) or ends the run (``breaks``); it never counts in either.
    """
    found: list[Run] = []
    running = False
    for on, met in verdicts:
        if met is None:
            running = running and gaps == "skips"
        elif met:
            running = False
        elif running:
            last = found.pop()
            found.append(Run(last.first_on, on, last.length + 1))
        else:
            found.append(Run(on, on, 1))
            running = True
    return found


__all__ = ["Part", "Rolled", "Run", "roll_up", "runs_missed"]
