"""The record of one priced period: what later periods look back at, and the lines that explain it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

from contracts.document import Contract
from contracts.errors import CannotCompute
from contracts.period import Period
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


@dataclass(slots=True)
class Payable:
    """An amount that one rule gives one scope in one period; ``amount`` shrinks as limits apply."""

    rule: str
    kind: LineKind
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
    capped: set[tuple[str, Scope]] = field(default_factory=set)
    """Caps that bit, by name and scope."""
    carried: list[tuple[Scope, Fraction]] = field(default_factory=list)
    earned_back: list[tuple[Scope, Fraction]] = field(default_factory=list)
    scores: dict[Scope, Fraction | None] = field(default_factory=dict)
    base_amount: Callable[[str, Scope], Fraction | None] = lambda _name, _scope: None
    known_credits: list[tuple[Scope, Fraction]] = field(default_factory=list)
    """Credits of a period before ours, known only as results."""
    known_charges: list[tuple[Scope, Fraction]] = field(default_factory=list)
    known_failures: list[tuple[str | None, Scope, int]] = field(default_factory=list)
    known_points: list[tuple[Scope, Fraction]] = field(default_factory=list)
    is_remembered: bool = False
    """It was judged before and comes from its stored results."""
    problems: list[CannotCompute] = field(default_factory=list)
    """Rules that gave no answer in this period; the others stand."""

    _by_site: dict[Scope, list[Judged]] = field(default_factory=dict)

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

    def credit(self, scope: Scope, names: Sequence[str] = ()) -> Fraction:
        """Credits of everything inside a scope after limits; ``names`` picks rules or KPIs."""
        wanted = set(names)
        own = sum(
            (p.amount for p in self.payables if p.kind == "credit" and covers(scope, p.scope) and _named(p, wanted)),
            Fraction(0),
        )
        if wanted:
            return own
        return own + sum((amount for held, amount in self.known_credits if covers(scope, held)), Fraction(0))

    def bonus(self, scope: Scope) -> Fraction:
        """Bonuses of everything inside a scope."""
        return sum((p.amount for p in self.payables if p.kind == "bonus" and covers(scope, p.scope)), Fraction(0))

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
