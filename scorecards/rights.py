"""What results give rise to besides money: rights (termination, step-in) and proposals (ratchets)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from contracts.document import Ratchet, RightRule
from scorecards.measurement import Scope
from scorecards.pricing.ledger import Record, last_periods, periods_of, restrict
from scorecards.pricing.windows import condition
from scorecards.scorecard import Proposal, Right, shown
from scorecards.scoring import Judged, is_exceeded, without_relief


def rights_of(now: Record, history: Sequence[Record]) -> list[Right]:
    """The rights that arise with this period.

    A right arises on the first day after the period that completes its condition, and is named once: while the
    condition goes on holding it is the same right.
    """
    found: list[Right] = []
    if not now.contract.rights:
        return found
    bare: tuple[Record, list[Record]] | None = None
    for rule in now.contract.rights:
        if rule.despite_relief and bare is None:
            bare = record_without_relief(now), [record_without_relief(record) for record in history]
        seen, before = bare if rule.despite_relief and bare is not None else (now, history)
        for scope in _scopes(rule, now):
            held = condition(rule.when, seen, before, rule.when.kpi, scope)
            if not held.holds or (before and _held_before(rule, before, scope)):
                continue
            found.append(
                Right(
                    name=rule.name,
                    clause=rule.clause,
                    scope=dict(scope),
                    arises_on=now.period.until_on,
                    evidence=list(held.evidence),
                )
            )
    return found


def _held_before(rule: RightRule, history: Sequence[Record], scope: Scope) -> bool:
    return condition(rule.when, history[-1], history[:-1], rule.when.kpi, scope).holds


def _scopes(rule: RightRule, now: Record) -> list[Scope]:
    if not rule.for_each:
        return [()]
    held = [scope for _, scope in now.verdicts] + [scope for scope, _ in now.known_credits]
    return list(dict.fromkeys(restrict(scope, rule.for_each) for scope in held))


def record_without_relief(record: Record) -> Record:
    """The record with every verdict as it would stand had nothing been excused."""
    bare = {key: without_relief(verdict) for key, verdict in record.verdicts.items()}
    if all(bare[key] is verdict for key, verdict in record.verdicts.items()):
        return record
    return replace(record, verdicts=bare)


def proposals_of(now: Record, history: Sequence[Record]) -> list[Proposal]:
    """The levels that rise after sustained over-performance, proposed from the next period on."""
    found: list[Proposal] = []
    for rule in now.contract.ratchets:
        for (name, scope), verdict in now.verdicts.items():
            if name != rule.kpi:
                continue
            new = _raised(rule, scope, last_periods([*history, now], rule.periods), verdict)
            if new is not None:
                found.append(
                    Proposal(
                        kind="ratchet",
                        kpi=name,
                        level=rule.level,
                        old=shown(verdict.levels[rule.level]) or 0,  # type: ignore[arg-type]
                        new=shown(new) or 0,  # type: ignore[arg-type]
                        from_=now.period.until_on,
                        scope=dict(scope),
                    )
                )
    return found


def _raised(rule: Ratchet, scope: Scope, records: Sequence[Record], now: Judged) -> Fraction | None:
    """The new level: half the way to the mean (Sears–CSC, continuous improvement), a fixed step, or the best result."""
    if len(periods_of(records)) < rule.periods or rule.level not in now.levels:
        return None
    values: list[Fraction] = []
    for record in records:
        verdict = record.verdicts.get((rule.kpi, scope))
        if verdict is None or verdict.compared is None:
            return None
        if not is_exceeded(verdict.kpi, verdict.compared, verdict.levels, rule.level):
            return None
        values.append(verdict.compared)
    old, lower = now.levels[rule.level], now.kpi.better == "lower"
    mean = sum(values, Fraction(0)) / len(values)
    if rule.way == "halfway_to_mean":
        new = old + (mean - old) / 2
    elif rule.way == "step":
        new = old + (Fraction(-1) if lower else Fraction(1)) * Fraction(rule.step or 0)
    else:
        new = min(values) if lower else max(values)
    if rule.at_most_percent_of_gap is not None:
        gap = (old if lower else 100 - old) * Fraction(rule.at_most_percent_of_gap) / 100
        new = max(new, old - gap) if lower else min(new, old + gap)
    return new if new != old else None
