"""The record of one priced period: what later periods look back at, and the lines that explain it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Literal, Protocol

from contracts.document import Contract, Offset
from contracts.errors import CannotCompute
from contracts.period import Period, period_containing
from scorecards.measurement import Scope, site_of
from scorecards.scorecard import Line, LineKind, exact, shown
from scorecards.scoring import Judged


def covers(wide: Scope, narrow: Scope) -> bool:
    """Whether everything the wide scope names is named alike by the narrow one; ``()`` covers all."""
    return all(pair in narrow for pair in wide)


def restrict(scope: Scope, names: Iterable[str]) -> Scope:
    """The scope with only these names left."""
    kept = set(names)
    return tuple((name, value) for name, value in scope if name in kept)


PayableKind = Literal["credit", "bonus", "carry"]

NoteKind = Literal["at_cap", "credit_of_next", "bonus_of_next", "banked", "owed", "score"]


@dataclass(slots=True)
class Note:
    """Something that later periods have to know besides verdicts and amounts; stored beside them, one row each.

    ``at_cap``: the cap ``rule`` was reached, and its limit.  ``credit_of_next``, ``bonus_of_next``: percent of the base
    ``of`` of the next period, which is not known yet.  ``banked``: an amount that takes off credits until ``until``.
    ``owed``: what is still to be taken off an invoice (negative: to be added).  ``score``: the score of the scope.
    """

    kind: NoteKind
    rule: str
    scope: Scope
    amount: Fraction
    kpi: str | None = None
    of: str | None = None
    until: date | None = None
    """The first day on which it is no longer good."""
    is_new: bool = True
    """It arose in the period itself, and was not handed on by the one before."""


class BaseAmount(Protocol):
    """A base's amount for a scope in one period; ``here`` takes the period's own amount of a base of another period."""

    def __call__(self, name: str, scope: Scope, /, *, here: bool = False) -> Fraction | None: ...


def _unknown(_name: str, _scope: Scope, /, *, here: bool = False) -> Fraction | None:  # noqa: ARG001 - the protocol's signature
    return None


def site_named(scope: Scope) -> str | None:
    """The site of a scope; ``None`` where it lies above sites."""
    return scope[0][1] if scope and scope[0][0] == "site" else None


@dataclass(slots=True)
class Payable:
    """An amount that one rule gives one scope in one period; ``amount`` shrinks as limits apply."""

    rule: str
    kind: PayableKind
    scope: Scope
    amount: Fraction
    kpi: str | None = None
    clause: str | None = None
    names: frozenset[str] = frozenset()
    """The rule's name and its KPI: what a cap's ``on`` may call it by."""
    points: Fraction | None = None
    spread: int = 1
    parts: dict[str, Fraction] = field(default_factory=dict)
    """What each single event contributed, where the rule is paid by the event."""
    full: Fraction | None = None
    """The amount before anything limited it; ``None`` where only the result is known."""
    is_due_now: bool = False
    """It is of this period's charges, and goes on this period's invoice whatever the contract says of others."""
    offset: Offset | None = None
    """A bonus that is not paid: it only takes off credits."""
    carries: Literal["credit", "bonus"] = "credit"
    """What an amount that is carried will be in the next period."""


@dataclass(slots=True)
class Memory:
    """What one scorecard keeps of one period (or part of it) besides its results, for the periods that look back at it."""

    period: Period
    payables: list[Payable] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    earned_back: list[tuple[Scope, Fraction]] = field(default_factory=list)
    """For the ledger; nothing looks back at it."""


@dataclass(slots=True)
class Invoiced:
    """The invoice of one scope and period: what it was, what was taken off it, its tax, and what is left for the next ones."""

    scope: Scope
    before: Fraction
    taken_off: Fraction
    tax: Fraction
    left: Fraction

    @property
    def to_pay(self) -> Fraction:
        """What the vendor is paid, tax included."""
        return self.before - self.taken_off + self.tax


@dataclass(slots=True)
class Record:
    """Everything one period came to."""

    contract: Contract
    version: str
    period: Period
    verdicts: dict[tuple[str, Scope], Judged] = field(default_factory=dict)
    payables: list[Payable] = field(default_factory=list)
    uncapped: list[tuple[Scope, Fraction]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    """What later periods have to know besides verdicts and payables."""
    carried: list[tuple[Scope, Fraction]] = field(default_factory=list)
    earned_back: list[tuple[Scope, Fraction]] = field(default_factory=list)
    scores: dict[Scope, Fraction | None] = field(default_factory=dict)
    base_amount: BaseAmount = _unknown
    known_credits: list[tuple[Scope, Fraction]] = field(default_factory=list)
    """Credits of a period before ours, known only as results."""
    known_charges: list[tuple[Scope, Fraction]] = field(default_factory=list)
    known_failures: list[tuple[str | None, Scope, int]] = field(default_factory=list)
    known_points: list[tuple[Scope, Fraction]] = field(default_factory=list)
    began_on: date | None = None
    """The first day of the contract's first version; contract years are counted from it."""
    is_remembered: bool = False
    """It was judged before and comes from its stored results."""
    problems: list[CannotCompute] = field(default_factory=list)
    """Rules that gave no answer in this period; the others stand."""

    invoices: list[Invoiced] = field(default_factory=list)
    """What was invoiced, taken off and left, by the scope of the invoice."""

    whole: Period = field(init=False)
    """The uncut period: where a version changes inside a month, two records are parts of the same one."""
    _by_site: dict[Scope, list[Judged]] = field(init=False, default_factory=dict)
    _by_kpi: dict[tuple[str | None, str | None], list[Judged]] = field(init=False, default_factory=dict)
    _indexed: int = field(init=False, default=-1)
    _paid_by_site: dict[str | None, list[Payable]] = field(init=False, default_factory=dict)
    _paid: int = field(init=False, default=0)
    _noted: dict[tuple[NoteKind, str | None], list[Note]] = field(init=False, default_factory=dict)
    _notes: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        cadence = self.contract.measured
        self.whole = period_containing(cadence.each, cadence.anchor, self.period.from_on)

    def inside(self, scope: Scope) -> list[Judged]:
        """The verdicts of everything inside a scope.  Those of a site are looked up: a contract has hundreds of sites."""
        if not scope:
            return list(self.verdicts.values())
        if len(scope) == 1 and scope[0][0] == "site":
            if sum(map(len, self._by_site.values())) != len(self.verdicts):
                self._by_site.clear()
                for (_, held), verdict in self.verdicts.items():
                    self._by_site.setdefault(site_of(held), []).append(verdict)
            return self._by_site.get(scope, [])
        return [verdict for (_, held), verdict in self.verdicts.items() if covers(scope, held)]

    def about(self, kpi: str | None, scope: Scope) -> list[Judged]:
        """The verdicts inside a scope, and those that hold for all of it; of one KPI, or of every KPI."""
        if self._indexed != len(self.verdicts):
            self._by_kpi.clear()
            for (name, held), verdict in self.verdicts.items():
                for key in {(name, site_named(held)), (None, site_named(held))}:
                    self._by_kpi.setdefault(key, []).append(verdict)
            self._indexed = len(self.verdicts)
        site = site_named(scope)
        if site is None:
            found = [verdict for (name, _), held in self._by_kpi.items() if name == kpi for verdict in held]
        else:
            found = [*self._by_kpi.get((kpi, site), ()), *self._by_kpi.get((kpi, None), ())]
        return [one for one in found if covers(scope, one.scope) or covers(one.scope, scope)]

    def paid(self, scope: Scope) -> list[Payable]:
        """The payables inside a scope.  Those of a site are looked up."""
        if not scope:
            return self.payables
        if self._paid > len(self.payables):
            self._paid_by_site.clear()
            self._paid = 0
        for payable in self.payables[self._paid :]:
            self._paid_by_site.setdefault(site_named(payable.scope), []).append(payable)
        self._paid = len(self.payables)
        site = site_named(scope)
        held = self.payables if site is None else self._paid_by_site.get(site, [])
        return [payable for payable in held if covers(scope, payable.scope)]

    def noted(self, kind: NoteKind, scope: Scope) -> list[Note]:
        """The notes of a kind inside a scope, and those that hold for all of it.  Those of a site are looked up."""
        if self._notes > len(self.notes):
            self._noted.clear()
            self._notes = 0
        for note in self.notes[self._notes :]:
            self._noted.setdefault((note.kind, site_named(note.scope)), []).append(note)
        self._notes = len(self.notes)
        site = site_named(scope)
        if site is None:
            held = [note for (own, _), notes in self._noted.items() if own == kind for note in notes]
        else:
            held = [*self._noted.get((kind, site), ()), *self._noted.get((kind, None), ())]
        return [note for note in held if covers(scope, note.scope) or covers(note.scope, scope)]

    def credit(self, scope: Scope, names: Sequence[str] = ()) -> Fraction:
        """Credits of everything inside a scope after limits; ``names`` picks rules or KPIs."""
        return self._sum("credit", scope, names)

    def bonus(self, scope: Scope, names: Sequence[str] = ()) -> Fraction:
        """Bonuses of everything inside a scope; ``names`` picks rules or KPIs."""
        return self._sum("bonus", scope, names)

    def _sum(self, kind: PayableKind, scope: Scope, names: Sequence[str]) -> Fraction:
        wanted = set(names)
        own = sum((p.amount for p in self.paid(scope) if p.kind == kind and _named(p, wanted)), Fraction(0))
        if wanted or kind != "credit":
            return own
        return own + sum((amount for held, amount in self.known_credits if covers(scope, held)), Fraction(0))

    def score(self, scope: Scope) -> Fraction | None:
        """The score of a scope; scores are of sites and of the contract, and a narrower scope has its site's."""
        for place in (scope, site_of(scope), ()):
            if place in self.scores:
                return self.scores[place]
        return None

    def memories(self) -> dict[str | None, Memory]:
        """What each site's scorecard (``None``: the contract's) keeps of this record."""
        found: dict[str | None, Memory] = {}

        def of(scope: Scope) -> Memory:
            return found.setdefault(site_named(scope), Memory(self.period))

        for payable in self.payables:
            if payable.amount or payable.full:
                of(payable.scope).payables.append(payable)
        for note in self.notes:
            of(note.scope).notes.append(note)
        for scope, amount in self.earned_back:
            if amount:
                of(scope).earned_back.append((scope, amount))
        return found

    def points(self, scope: Scope) -> Fraction:
        """Points of everything inside a scope, after multipliers."""
        own = sum((one.points for one in self.inside(scope) if one.points is not None), Fraction(0))
        return own + sum((points for held, points in self.known_points if covers(scope, held)), Fraction(0))

    def line(
        self,
        step: int,
        kind: LineKind,
        scope: Scope,
        rule: str,
        *,
        amount: Fraction | None,
        kpi: str | None = None,
        clause: str | None = None,
        inputs: dict[str, Fraction | str | None] | None = None,
        base: str | None = None,
        base_amount: Fraction | None = None,
        payable_in: date | None = None,
        claim_by: date | None = None,
    ) -> None:
        """Writes one step down."""
        written: dict[str, Decimal | str | None] = {
            name: value if value is None or isinstance(value, str) else shown(value)
            for name, value in (inputs or {}).items()
        }
        self.lines.append(
            Line(
                step=step,
                kind=kind,
                scope=dict(scope),
                from_=self.period.from_on,
                kpi=kpi,
                clause=clause,
                rule=rule,
                inputs=written,
                base=base,
                base_amount=_money(base_amount),
                amount=_money(amount),
                payable_in=payable_in,
                claim_by=claim_by,
            )
        )


def _money(amount: Fraction | None) -> Decimal | None:
    """An amount as a line shows it: whole when it is a decimal, else cut for showing."""
    if amount is None:
        return None
    rest = amount.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return exact(amount) if rest == 1 else shown(amount)


def _named(payable: Payable, wanted: set[str]) -> bool:
    return not wanted or bool(payable.names & wanted)


def periods_of(records: Sequence[Record]) -> list[list[Record]]:
    """The records period by period, oldest first; a period that was judged in parts is one period with two records."""
    found: list[list[Record]] = []
    last: Period | None = None
    for record in records:
        whole = record.whole
        if last is not None and whole == last:
            found[-1].append(record)
        else:
            found.append([record])
        last = whole
    return found


def last_periods(records: Sequence[Record], number: int) -> list[Record]:
    """The records of the last so many periods, oldest first."""
    if number <= 0:
        return []
    # A period seldom has parts; twice as many records are enough for one cut in each.
    return [record for held in periods_of(records[-2 * number :])[-number:] for record in held]
