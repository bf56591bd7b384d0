"""Step 12, second part: amounts in the vendor's favour that are never paid and only take off credits.

Over-performance may earn such an amount (a bonus with ``offsets``), and so may a credit that is earned back.  What a
period does not use is kept in a bank, where the contract says so, and is used in later periods, the oldest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fractions import Fraction

from contracts.document import Offset
from contracts.period import calendar_anchor, period_containing
from scorecards.measurement import Scope
from scorecards.pricing.ledger import Note, Payable, Record, covers, site_named


def is_excepted(
    record: Record, payable: Payable, *, on: Sequence[str] = (), names: Sequence[str] = (), except_bands: Sequence[str] = ()
) -> bool:
    """Whether a credit can neither be offset nor earned back: a rule that is not named, one that is excepted, or a grave failure."""
    if on and not payable.names & set(on):
        return True
    if payable.names & set(names):
        return True
    if not except_bands or payable.kpi is None:
        return False
    return any(verdict.level in except_bands for verdict in record.about(payable.kpi, payable.scope))


def offset_credits(now: Record, history: Sequence[Record]) -> None:
    """Takes banked amounts and this period's own off its credits; a bonus that offsets shrinks to what it took off."""
    left = _Left(now)
    for note in _banked(history):
        # A bank whose rule an amendment dropped is still good for what was promised when it was earned.
        rule = _rule_of(now, note)
        if note.until is not None and note.until <= now.period.from_on:
            now.line(12, "bank", note.scope, f"{note.rule}: lapses", amount=-note.amount, kpi=note.kpi)
            continue
        used = _use(now, note.amount, note.scope, rule, left)
        if used:
            now.line(
                12, "bank", note.scope, f"{note.rule}: from the bank, takes off credits", amount=used, kpi=note.kpi,
                inputs={"in the bank": note.amount},
            )
            now.payables.append(
                Payable(note.rule, "bonus", note.scope, used, note.kpi, names=frozenset(n for n in (note.rule, note.kpi) if n), full=None)
            )
        if used < note.amount:
            now.notes.append(Note("banked", note.rule, note.scope, note.amount - used, note.kpi, until=note.until, is_new=False))
    for payable in list(now.payables):
        if payable.kind != "bonus" or payable.offset is None:
            continue
        offset, earned = payable.offset, payable.amount
        used = Fraction(0) if offset.starts == "next_period" else _use(now, earned, payable.scope, offset, left)
        payable.amount = used
        rest = earned - used
        inputs: dict[str, Fraction | str | None] = {"earned": earned}
        if used:
            now.line(12, "bank", payable.scope, f"{payable.rule}: takes off credits", amount=used, kpi=payable.kpi, inputs=inputs)
        if not rest:
            continue
        if offset.keep:
            until = _good_until(now, offset.keep)
            words = f"{payable.rule}: kept in the bank until {until}"
            now.line(12, "carry", payable.scope, words, amount=rest, kpi=payable.kpi, inputs=inputs)
            now.notes.append(Note("banked", payable.rule, payable.scope, rest, payable.kpi, until=until))
        else:
            words = f"{payable.rule}: there is no credit to take it off"
            now.line(12, "bank", payable.scope, words, amount=-rest, kpi=payable.kpi, inputs=inputs)


def _banked(history: Sequence[Record]) -> list[Note]:
    """What the period before handed on, for each scope the oldest first: the list keeps the order in which amounts were earned."""
    notes = [note for note in history[-1].notes if note.kind == "banked"] if history else []
    return sorted(notes, key=lambda one: one.scope)


def _rule_of(now: Record, note: Note) -> Offset:
    for rule in now.contract.money.bonuses:
        if rule.offsets is not None and note.rule in (rule.name, *_titles(now, rule.for_)):
            return rule.offsets
    for back in now.contract.money.earn_back:
        if back.offsets is not None and note.rule.endswith(" earned back"):
            return back.offsets
    return Offset()


def _titles(now: Record, named: str | list[str] | None) -> list[str]:
    names = [named] if isinstance(named, str) else named or []
    return [now.contract.kpis[name].title for name in names if name in now.contract.kpis]


class _Left:
    """The credits of a period by site, and how much of each is still to be taken off."""

    def __init__(self, now: Record) -> None:
        self.rest: dict[int, Fraction] = {}
        self.by_site: dict[str | None, list[Payable]] = {}
        self.all: list[Payable] = []
        for payable in now.payables:
            if payable.kind == "credit" and payable.amount > 0:
                self.by_site.setdefault(site_named(payable.scope), []).append(payable)
                self.all.append(payable)

    def near(self, scope: Scope) -> list[Payable]:
        """The credits that an amount of this scope may be taken off, in the order in which they arose."""
        site = site_named(scope)
        if site is None:
            return self.all
        return [*self.by_site.get(site, ()), *self.by_site.get(None, ())]


def _use(now: Record, amount: Fraction, scope: Scope, offset: Offset, left: _Left) -> Fraction:
    """Takes up to ``amount`` off the credits of the scope that are still whole, and returns how much that was."""
    used = Fraction(0)
    for payable in left.near(scope):
        if not _meet(scope, payable.scope):
            continue
        if is_excepted(now, payable, on=offset.on, names=offset.except_, except_bands=offset.except_bands):
            continue
        room = left.rest.setdefault(id(payable), payable.amount)
        taken = min(room, amount - used)
        left.rest[id(payable)] = room - taken
        used += taken
        if used == amount:
            break
    return used


def _meet(one: Scope, other: Scope) -> bool:
    """Whether two scopes are of one site, and neither excludes the other; amounts above sites meet every site's."""
    if site_named(one) is None or site_named(other) is None:
        return covers(one, other) or covers(other, one)
    return site_named(one) == site_named(other)


def _good_until(now: Record, keep: int) -> date:
    """The first day after the last period in which the amount may still be used."""
    cadence = now.contract.measured
    anchor = calendar_anchor(cadence.each, anchor_day=cadence.anchor_day)
    until = now.whole.until_on
    for _ in range(keep):
        until = period_containing(cadence.each, anchor, until).until_on
    return until
