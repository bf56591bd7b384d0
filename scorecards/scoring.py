"""From a measured value to a verdict: levels, rounding, bands, score, points, streak, weight.

A value meets a level exactly as the contract's word says (``at_least``, ``more_than`` …), on exact rationals.
Where the contract rounds before it compares, the rounded value meets the level and is shown as ``compared``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
)
from fractions import Fraction
from types import MappingProxyType

from contracts.curve import Corners, Curve, Drawn, Step, corners_of, draw, exactly
from contracts.document import Contract, Gate, Kpi, Levels, LevelShare, Mode, Precision, ReliefTerms
from contracts.errors import CannotCompute
from contracts.period import Period
from scorecards.adding import total
from scorecards.measurement import Relief, Scope
from scorecards.measuring import Measured

_MODES: dict[Mode, str] = {
    "half_even": ROUND_HALF_EVEN,
    "half_up": ROUND_HALF_UP,
    "half_down": ROUND_HALF_DOWN,
    "up": ROUND_UP,
    "down": ROUND_DOWN,
    "floor": ROUND_FLOOR,
    "ceiling": ROUND_CEILING,
}


def rounded(number: Fraction, step: Fraction, mode: Mode) -> Fraction:
    """The number rounded to a multiple of ``step``.  Exact: the quotient is rounded as the rational it is.

    A half is recognised on the rational itself, because cutting 2.4999…9 to some digits first would make it one.
    """
    quotient = number / step
    floor = quotient.numerator // quotient.denominator
    rest = quotient - floor
    if rest == 0:
        return number
    half = Fraction(1, 2)
    # The decimal module decides with one digit that lies on the same side of the half as the exact rest does.
    digit = Decimal("0.5") if rest == half else Decimal("0.3") if rest < half else Decimal("0.7")
    stand_in = Decimal(floor) + digit
    context = Context(prec=max(28, len(str(abs(floor))) + 5), rounding=_MODES[mode])
    return Fraction(stand_in.quantize(Decimal(1), context=context)) * step


def round_decimals(number: Fraction, precision: Precision) -> Fraction:
    """The number rounded to so many digits after the point."""
    return rounded(number, Fraction(1, 10**precision.decimals), precision.mode)


@dataclass(slots=True)
class Judged:
    """A KPI's verdict for one scope and period, all numbers exact."""

    name: str
    kpi: Kpi
    scope: Scope
    period: Period
    version: str
    measured: Measured
    levels: dict[str, Fraction] = field(default_factory=dict)
    compared: Fraction | None = None
    met: bool | None = None
    level: str | None = None
    score: Fraction | None = None
    points_base: Fraction | None = None
    multiplier: Fraction | None = None
    points: Fraction | None = None
    streak: int = 0
    score_part: Fraction | None = None
    """What it adds to its site's score."""
    weight_used: Fraction | None = None
    accumulated: int = 1
    """How many periods' counts the value rests on, where counts accumulate until there are enough."""
    levels_without_relief: dict[str, Fraction] | None = None
    """The levels that would hold had relief not eased them; ``None`` where it has not."""
    carried_score: Fraction | None = None
    """What the last judged value scores under the levels of this period, where the contract carries it."""
    money_relieved: bool = False
    """Relief cancelled the money; the verdict stands."""
    findings: list[str] = field(default_factory=list)

    @property
    def is_judged(self) -> bool:
        """Whether there is a value that meets or misses levels."""
        return self.measured.status == "measured" and self.compared is not None


def boundary_of(kpi: Kpi) -> str:
    """The word by which a value meets a level."""
    if kpi.boundary is not None:
        return kpi.boundary
    return "at_most" if kpi.better == "lower" else "at_least"


def is_met(kpi: Kpi, value: Fraction, levels: Mapping[str, Fraction], level: str) -> bool | None:
    """Whether the value meets the named level; ``None`` where the level is not in force."""
    if kpi.better == "inside" and level == "target" and "target" not in levels:
        low, high = levels.get("low"), levels.get("high")
        if low is None and high is None:
            return None
        return (low is None or value >= low) and (high is None or value <= high)
    if level not in levels:
        return None
    point = levels[level]
    # How the two lie to each other, on whole numbers: comparing fractions asks each time what kind of number they are.
    beyond = value.numerator * point.denominator - point.numerator * value.denominator
    match boundary_of(kpi):
        case "at_least":
            return beyond >= 0
        case "more_than":
            return beyond > 0
        case "at_most":
            return beyond <= 0
        case _:
            return beyond < 0


def is_exceeded(kpi: Kpi, value: Fraction, levels: Mapping[str, Fraction], level: str) -> bool | None:
    """Whether the value is strictly better than the named level."""
    if level not in levels:
        return None
    return value < levels[level] if kpi.better == "lower" else value > levels[level]


_WHOLE = Fraction(1)


def levels_in_force(
    kpi: Kpi,
    on: date,
    scope: Scope,
    volume: Callable[[str], Fraction | None],
    result: Callable[[str], Fraction | None] = lambda _name: None,
    *,
    part: Fraction = _WHOLE,
) -> dict[str, Fraction]:
    """The named levels of a day and scope; a later entry wins over an earlier one that also holds.

    ``part`` is how much of a whole period this one is; where the KPI says so, its numbers shrink with it.

    ``volume`` gives a measure's sum for the same scope and period, ``result`` another KPI's value, for levels that
    follow one.  A level whose figure is missing is not in force.
    """
    found: dict[str, Fraction] = {}
    times = part if kpi.part_period == "pro_rata" else _WHOLE
    if kpi.target is not None:
        found["target"] = Fraction(kpi.target) * times
    own = dict(scope)
    for entry in kpi.levels:
        if not _holds(entry, on, own, volume, result):
            continue
        for name, number in entry.at.items():
            point = _point(number, volume, result)
            if point is None:
                found.pop(name, None)
            else:
                found[name] = point if isinstance(number, LevelShare) else point * times
    return found


def eased_by(contract: Contract, claim: Relief) -> ReliefTerms | None:
    """The terms that say what a claim lowers levels to: those of its cause, or the only ones there are."""
    terms = [one for one in contract.relief if one.effect == "lower_target"]
    named = [one for one in terms if one.cause == claim.cause]
    return named[0] if named else terms[0] if len(terms) == 1 and not claim.cause else None


def eased(kpi: Kpi, levels: Mapping[str, Fraction], instead: Mapping[str, Decimal], part: Fraction = _WHOLE) -> dict[str, Fraction]:
    """The levels with those of relief in place of harder ones; relief never makes a level harder or adds one."""
    times = part if kpi.part_period == "pro_rata" else _WHOLE
    found = dict(levels)
    for name, number in instead.items():
        if name in found:
            # Of a band, the low end is eased downwards and the high end upwards.
            easier = max if kpi.better == "lower" or (kpi.better == "inside" and name == "high") else min
            found[name] = easier(found[name], Fraction(number) * times)
    return found


def without_relief(verdict: Judged) -> Judged:
    """The verdict as it would stand had nothing been excused; the same one where nothing was."""
    value, levels = verdict.measured.without_relief, verdict.levels_without_relief
    if value is None and levels is None:
        return verdict
    measured = verdict.measured if value is None else Measured("measured", value=value)
    levels = verdict.levels if levels is None else levels
    return judge(verdict.name, verdict.kpi, verdict.scope, verdict.period, verdict.version, measured, levels)


def has_conditions(kpi: Kpi) -> bool:
    """Whether its levels depend on more than the day: on a scope, on a measure, or on a share of one."""
    return any(
        entry.where or entry.when is not None or any(isinstance(number, LevelShare) for number in entry.at.values())
        for entry in kpi.levels
    )


def _holds(
    entry: Levels,
    on: date,
    own: Mapping[str, str],
    volume: Callable[[str], Fraction | None],
    result: Callable[[str], Fraction | None],
) -> bool:
    if entry.months and on.month not in entry.months:
        return False
    if entry.from_ is not None and on < entry.from_:
        return False
    if entry.until is not None and on >= entry.until:
        return False
    for name, wanted in entry.where.items():
        have = own.get(name)
        if have != wanted if isinstance(wanted, str) else have not in wanted:
            return False
    if entry.when is not None:
        size = volume(entry.when.measure)
        if size is None:
            return False
        for end, is_low in ((entry.when.at_least, True), (entry.when.less_than, False)):
            if end is None:
                continue
            point = _point(end, volume, result)
            if point is None or (size < point) is is_low:
                return False
    return True


def _point(
    number: Decimal | LevelShare, volume: Callable[[str], Fraction | None], result: Callable[[str], Fraction | None]
) -> Fraction | None:
    """A number, or the share of another figure that it is; ``None`` where that figure is missing."""
    if not isinstance(number, LevelShare):
        return Fraction(number)
    whole = volume(number.of) if number.of is not None else result(number.kpi or "")
    return None if whole is None else Fraction(number.percent) / 100 * whole


def judge(
    name: str,
    kpi: Kpi,
    scope: Scope,
    period: Period,
    version: str,
    measured: Measured,
    levels: dict[str, Fraction],
    *,
    volumes: Mapping[str, Fraction] = MappingProxyType({}),
    part: Fraction = _WHOLE,
    corners: Corners | None = None,
) -> Judged:
    """The verdict on a measured value.  Nothing but a measured value is judged, unless the contract says what a
    zero denominator counts as.  ``volumes`` and ``part`` are for curves with an allowance, see :func:`contracts.curve.draw`;
    ``corners`` are those of the KPI's score among the levels, where many share them.
    """
    verdict = Judged(name, kpi, scope, period, version, measured, levels)
    if measured.status == "no_volume" and kpi.no_volume in ("met", "missed"):
        verdict.met = kpi.no_volume == "met"
        verdict.score = Fraction(100 if verdict.met else 0) if kpi.weight is not None else None
        return verdict
    if measured.status != "measured" or measured.value is None:
        return verdict
    value = measured.value
    if kpi.precision is not None and kpi.precision.when == "before_comparing":
        value = round_decimals(value, kpi.precision)
    verdict.compared = value
    verdict.met = is_met(kpi, value, levels, "target")
    _band(verdict, value)
    if kpi.score is not None:
        drawn = _drawn(verdict, "score", kpi.score, value, volumes, part, corners)
        verdict.score = drawn.amount
        if drawn.amount is None and drawn.words:
            verdict.findings.append(f"score: {drawn.words}")
    elif kpi.weight is not None and verdict.met is not None:
        verdict.score = Fraction(100 if verdict.met else 0)
    if kpi.points is not None:
        drawn = _drawn(verdict, "points", kpi.points, value, volumes, part)
        # A table of points lists failures; what lies outside of it earns none.  A gap inside it is a fault.
        verdict.points_base = Fraction(0) if drawn.is_beyond else drawn.amount
        if verdict.points_base is None and drawn.words:
            verdict.findings.append(f"points: {drawn.words}")
    return verdict


def shared_corners(kpi: Kpi, levels: Mapping[str, Fraction]) -> Corners | None:
    """The corners of the KPI's score among levels that many verdicts share; ``None`` where they cannot be shared."""
    if kpi.score is None or kpi.score.line is None:
        return None
    try:
        return corners_of(kpi.score, levels)
    except CannotCompute:
        return None  # Every verdict finds the same fault by itself, and reports it.


def _drawn(
    verdict: Judged,
    what: str,
    curve: Curve,
    value: Fraction,
    volumes: Mapping[str, Fraction] = MappingProxyType({}),
    part: Fraction = _WHOLE,
    corners: Corners | None = None,
) -> Drawn:
    """The curve at the value; a curve that cannot be drawn there is a finding, and stops nothing else."""
    try:
        return draw(curve, value, verdict.levels, volumes=volumes, part=part, explain=False, corners=corners)
    except CannotCompute as problem:
        verdict.findings.append(f"{what}: {problem.message}")
        return Drawn(amount=None)


def _band(verdict: Judged, value: Fraction) -> None:
    kpi, levels = verdict.kpi, verdict.levels
    bands: Sequence[Step] = kpi.bands
    if not bands and kpi.points is not None and kpi.points.steps is not None:
        bands = kpi.points.steps
    if bands:
        drawn = _drawn(verdict, "bands", Curve(steps=list(bands)), value)
        if drawn.band is not None and not drawn.is_beyond:
            verdict.level = drawn.band
            if drawn.band in ("ambiguous", "none"):
                verdict.findings.append(f"bands: {drawn.words}")
            return
    reached = [name for name in levels if (verdict.met if name == "target" else is_met(kpi, value, levels, name))]
    if len(reached) > 1:
        best = min if kpi.better == "lower" else max
        verdict.level = best(reached, key=lambda name: levels[name])
    elif reached:
        verdict.level = reached[0]


def streak_after(before: int, verdict: Judged) -> int:
    """The streak including this verdict: positive for met, negative for missed periods in a row."""
    if verdict.met is None:
        return before if verdict.kpi.streak == "skips" else 0
    if verdict.met:
        return before + 1 if before > 0 else 1
    return before - 1 if before < 0 else -1


@dataclass(slots=True)
class ScoreOf:
    """The score of one scope, and how it came about."""

    score: Fraction | None
    uncapped: Fraction | None
    gates: list[str] = field(default_factory=list)


def combine(contract: Contract, verdicts: Sequence[Judged], *, of_sites: bool = True) -> ScoreOf:
    """The score of a scope from its KPIs' scores, by weights; sets ``weight_used`` on each verdict.

    Without ``of_sites`` the verdicts that belong to a site may keep what they have: their site's own score will say it.

    ``weighted_mean``: Σ w·s ÷ Σ w over KPIs that have a score, so that a KPI without one hands its weight on.  A
    KPI that is judged several times in the scope (per workstream, say) shares its weight equally among its verdicts.
    """
    closed = [gate for gate in contract.scoring.gates if _is_closed(gate, verdicts)]
    zeroed = {name for gate in closed for name in gate.zero}
    weights: dict[str, Fraction] = {}
    scored: dict[str, list[tuple[Judged, Fraction]]] = {}
    for verdict in verdicts:
        kpi = verdict.kpi
        if kpi.weight is None or kpi.duty_of == "client":
            continue
        if verdict.name not in weights:
            weights[verdict.name] = exactly(kpi.weight)
        score = Fraction(0) if verdict.name in zeroed and verdict.score is not None else verdict.score
        if score is None and kpi.missing != "reweight":
            score = verdict.carried_score if kpi.missing == "previous" else Fraction(0 if kpi.missing == "zero" else 100)
        if score is not None:
            scored.setdefault(verdict.name, []).append((verdict, score))
    if not scored:
        return ScoreOf(None, None)
    how = contract.scoring
    whole = total(weights.values())
    present = whole if len(scored) == len(weights) else total(weights[name] for name in scored)
    result = Fraction(0)
    for name, held in scored.items():
        each = weights[name] / len(held)
        if how.combine == "weighted_mean":
            factor = each / present if present else Fraction(0)
            used = factor * whole
        else:
            used = each
            factor = each / 100 if how.combine == "weighted_sum" else Fraction(1)
        for verdict, score in held:
            if not of_sites and how.round_each is None and verdict.scope and verdict.scope[0][0] == "site":
                continue
            part = factor * score
            verdict.weight_used = used
            verdict.score_part = part if how.round_each is None else round_decimals(part, how.round_each)
        if how.round_each is None:
            result += factor * total(score for _, score in held)
        else:
            result += sum((verdict.score_part or Fraction(0) for verdict, _ in held), Fraction(0))
    limits = [Fraction(gate.cap_score) for gate in closed if gate.cap_score is not None]
    capped = min([result, *limits])
    words = [_gate_words(gate, contract) for gate in closed]
    return ScoreOf(capped, result, words)


def _is_closed(gate: Gate, verdicts: Sequence[Judged]) -> bool:
    return any(
        verdict.name == gate.kpi
        and verdict.is_judged
        and verdict.compared is not None
        and is_met(verdict.kpi, verdict.compared, verdict.levels, gate.missed) is False
        for verdict in verdicts
    )


def _gate_words(gate: Gate, contract: Contract) -> str:
    title = contract.kpis[gate.kpi].title if gate.kpi in contract.kpis else gate.kpi
    effects = []
    if gate.zero:
        effects.append(f"{', '.join(gate.zero)} score 0")
    if gate.cap_score is not None:
        effects.append(f"the score is at most {gate.cap_score}")
    return f"{title} missed {gate.missed}: {' and '.join(effects)}"


def standing_of(contract: Contract, score: Fraction | None) -> str | None:
    """The standing of a score: the highest band whose lower end it reaches."""
    if score is None:
        return None
    bands = sorted(
        contract.scoring.standings,
        key=lambda band: Fraction(band.at_least) if band.at_least is not None else Fraction(-(10**9)),
        reverse=True,
    )
    for band in bands:
        if band.at_least is None or score >= Fraction(band.at_least):
            return band.name
    return None


def wilson(successes: Fraction, cases: Fraction) -> tuple[Fraction, Fraction] | None:
    """The 95 % Wilson score interval of a proportion, in percent (E. B. Wilson, JASA 22, 1927).

    ``None`` where there are no cases or the counts are no proportion.
    """
    if cases <= 0 or not 0 <= successes <= cases:
        return None
    context = Context(prec=30)
    z = Decimal("1.959963984540054")
    n = context.divide(Decimal(cases.numerator), Decimal(cases.denominator))
    p = context.divide(Decimal((successes / cases).numerator), Decimal((successes / cases).denominator))
    square = context.multiply(z, z)
    spread = context.sqrt(
        context.add(context.divide(context.multiply(p, 1 - p), n), context.divide(square, context.multiply(4, n * n)))
    )
    centre = context.add(p, context.divide(square, 2 * n))
    whole = context.add(1, context.divide(square, n))
    low = context.divide(centre - z * spread, whole)
    high = context.divide(centre + z * spread, whole)
    return 100 * max(Fraction(low), Fraction(0)), 100 * min(Fraction(high), Fraction(1))
