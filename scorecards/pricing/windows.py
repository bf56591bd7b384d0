"""Conditions on results, in one period or over a window of them: repeats, rights, earn-back and credits all ask here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from contracts.document import When, Window
from scorecards.measurement import Scope
from scorecards.pricing.ledger import Record, covers, last_periods, periods_of
from scorecards.scoring import Judged, is_exceeded, is_met

PASSED_OVER = 12
"""A chain of periods passes over at most so many that were not judged, beyond the ones it asks for: a failure of two years ago is
no repetition, and a close knows how far it has to look back."""


@dataclass(frozen=True, slots=True)
class Held:
    """The answer of a condition: whether it holds, and the periods that make it so."""

    holds: bool
    evidence: tuple[str, ...] = ()


def verdicts_for(record: Record, kpi: str | None, scope: Scope) -> list[Judged]:
    """The verdicts a condition of this scope looks at; of one KPI, or of every KPI of the vendor's."""
    return [verdict for verdict in record.about(kpi, scope) if kpi is not None or verdict.kpi.duty_of == "vendor"]


def missed(verdict: Judged, level: str) -> bool:
    """Whether a level was missed.  What is not judged has missed nothing."""
    if verdict.compared is None:
        return verdict.met is False and level == "target"
    return is_met(verdict.kpi, verdict.compared, verdict.levels, level) is False


def met(verdict: Judged, level: str) -> bool:
    """Whether a level was met.  What is not judged has met nothing."""
    if verdict.compared is None:
        return verdict.met is True and level == "target"
    return is_met(verdict.kpi, verdict.compared, verdict.levels, level) is True


def exceeded(verdict: Judged, level: str) -> bool:
    """Whether the value was better than a level and not merely equal to it."""
    return verdict.compared is not None and is_exceeded(verdict.kpi, verdict.compared, verdict.levels, level) is True


def _in_period(when: When, record: Record, kpi: str | None, scope: Scope) -> bool:
    if when.months and record.period.from_on.month not in when.months:
        return False
    if when.all:
        own = None if when.any_kpi else (when.kpi or kpi)
        if all(_is_level(one) for one in when.all):
            # Conditions on one value are about the same value: one site missed both, not one each.
            looked = verdicts_for(record, own, scope)
            return any(all(_fulfils(one, verdict) for one in when.all) for verdict in looked)
        return all(_in_period(one, record, own, scope) for one in when.all)
    if when.either:
        own = None if when.any_kpi else (when.kpi or kpi)
        return any(_in_period(one, record, own, scope) for one in when.either)
    if when.score_below is not None:
        score = record.score(scope)
        return score is not None and score < Fraction(when.score_below)
    if when.credit_percent is not None:
        base = _charge(when, record, scope)
        return bool(base) and base is not None and 100 * record.credit(scope) >= Fraction(when.credit_percent) * base
    if when.at_cap is not None:
        return any(note.rule == when.at_cap for note in record.noted("at_cap", scope))
    if when.points_at_least is not None:
        return record.points(scope) >= Fraction(when.points_at_least)
    if when.credited:
        names = [kpi] if kpi is not None else []
        return record.credit(scope, names) > 0
    looked = verdicts_for(record, None if when.any_kpi else (when.kpi or kpi), scope)
    return any(_fulfils(when, verdict) for verdict in looked)


def _is_level(when: When) -> bool:
    """Whether the condition is about one value and names no KPI of its own."""
    said = when.missed, when.met, when.exceeded
    return when.kpi is None and not when.any_kpi and not when.months and (any(one is not None for one in said) or bool(when.band))


def _fulfils(when: When, verdict: Judged) -> bool:
    if when.met is not None:
        return met(verdict, when.met)
    if when.exceeded is not None:
        return exceeded(verdict, when.exceeded)
    if when.band:
        return verdict.level in when.band
    return missed(verdict, when.missed or "target")


def _is_judged(when: When, record: Record, kpi: str | None, scope: Scope) -> bool:
    inner = when.all or when.either
    if inner:
        own = None if when.any_kpi else (when.kpi or kpi)
        return any(_is_judged(one, record, own, scope) for one in inner)
    if when.score_below is not None:
        return record.score(scope) is not None
    if when.credit_percent is not None or when.at_cap or when.points_at_least is not None or when.credited:
        return True
    looked = verdicts_for(record, None if when.any_kpi else (when.kpi or kpi), scope)
    return any(verdict.met is not None or verdict.compared is not None for verdict in looked)


def condition(when: When, now: Record, history: Sequence[Record], kpi: str | None, scope: Scope) -> Held:
    """Whether the condition holds at the end of ``now``; ``history`` are earlier records, oldest first.

    A window counts periods: one that was judged in parts, because a version changed in it, is one period, and fulfils
    the condition if any part of it does.
    """
    window = when.window
    if window is None:
        holds = _in_period(when, now, kpi, scope)
        return Held(holds, (str(now.period.from_on),) if holds else ())
    if window.mean_below is not None or window.mean_above is not None:
        return _mean(when, window, [*history, now], kpi, scope)
    if window.summed:
        return _together(when, last_periods([*history, now], window.last), scope)
    if window.in_a_row is not None:
        run: list[str] = []
        for held in reversed(periods_of(last_periods([*history, now], window.in_a_row + PASSED_OVER))):
            if not any(_is_judged(when, record, kpi, scope) for record in held):
                continue
            if not any(_in_period(when, record, kpi, scope) for record in held):
                break
            run.append(str(held[0].period.from_on))
            if len(run) == window.in_a_row:
                return Held(holds=True, evidence=tuple(reversed(run)))
        return Held(holds=False)
    hits = [
        str(held[0].period.from_on)
        for held in periods_of(last_periods([*history, now], window.last))
        if any(_in_period(when, record, kpi, scope) for record in held)
    ]
    needed = window.last if window.at_least is None else window.at_least
    return Held(len(hits) >= needed, tuple(hits))


def _together(when: When, records: Sequence[Record], scope: Scope) -> Held:
    """Whether the points or credits of all periods of a window reach the number together; evidence is where any arose."""
    if when.points_at_least is not None:
        parts = [(record, record.points(scope)) for record in records]
        holds = sum((points for _, points in parts), Fraction(0)) >= Fraction(when.points_at_least)
    else:
        parts = [(record, record.credit(scope)) for record in records]
        charged = [charge for record in records if (charge := _charge(when, record, scope)) is not None]
        base = sum(charged, Fraction(0))
        wanted = Fraction(when.credit_percent or 0) * base
        holds = bool(base) and 100 * sum((amount for _, amount in parts), Fraction(0)) >= wanted
    return Held(holds, tuple(str(record.period.from_on) for record, amount in parts if amount) if holds else ())


def _charge(when: When, record: Record, scope: Scope) -> Fraction | None:
    """The base that credits are a percentage of, or the charge of a period before ours."""
    base = record.base_amount(when.of, scope) if when.of else None
    if base is None and when.of:
        charges = [amount for held, amount in record.known_charges if covers(scope, held)]
        return sum(charges, Fraction(0)) if charges else None
    return base


def _mean(when: When, window: Window, records: Sequence[Record], kpi: str | None, scope: Scope) -> Held:
    looked = periods_of(last_periods(records, window.last))
    values = [
        (verdict.compared, str(record.period.from_on))
        for held in looked
        for record in held
        for verdict in verdicts_for(record, when.kpi or kpi, scope)
        if verdict.compared is not None
    ]
    if len(looked) < window.last or not values:
        return Held(holds=False)
    mean = sum((value for value, _ in values), Fraction(0)) / len(values)
    low = window.mean_below is not None and mean < Fraction(window.mean_below)
    high = window.mean_above is not None and mean > Fraction(window.mean_above)
    return Held(low or high, tuple(period for _, period in values) if low or high else ())


def failures(now: Record, history: Sequence[Record], last: int, level: str, kpi: str | None, scope: Scope) -> int:
    """How many failures the last so many periods hold, ``now`` included; each KPI and scope that missed counts once a period."""
    count = 0
    for held in periods_of(last_periods([*history, now], last)):
        looked = [verdict for record in held for verdict in verdicts_for(record, kpi, scope)]
        count += len({(verdict.name, verdict.scope) for verdict in looked if missed(verdict, level)})
        count += sum(
            known
            for record in held
            for name, own, known in record.known_failures
            if (kpi is None or name in (None, kpi)) and covers(scope, own)
        )
    return count
