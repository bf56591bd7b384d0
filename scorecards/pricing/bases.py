"""What a percentage is a percentage of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from contracts.document import Base, Contract
from contracts.errors import CannotCompute
from contracts.period import Period, period_containing, periods
from scorecards.measurement import EMPTY, Facts, Scope, Series
from scorecards.pricing.ledger import Record, covers, periods_of, restrict


@dataclass(slots=True)
class Amounts:
    """Measures and bases of one period, summed for any scope; each sum is made once."""

    contract: Contract
    period: Period
    facts: Facts
    by_measure: Mapping[str, list[Series]]
    whole: Period
    """The uncut period, of which ``period`` may be a part."""
    record: Record | None = None
    """What the period came to so far, for bases that are what was credited before."""
    history: Sequence[Record] = ()
    """Earlier periods, oldest first, for bases of the period before."""
    _sums: dict[tuple[str, Scope], Fraction | None] = field(default_factory=dict)
    _names: dict[str, list[str]] = field(default_factory=dict)
    _splits: dict[str, list[str]] = field(default_factory=dict)
    _of_site: dict[str, dict[str, list[Series]]] = field(default_factory=dict)
    _part: Fraction | None = None
    _attributes: dict[str, Scope] | None = None
    _currencies: dict[str, str | None] | None = None

    @property
    def part(self) -> Fraction:
        """How much of a whole period this one is: less than 1 where it is cut short, more where a part was added to it."""
        if self._part is None:
            self._part = self._share()
        return self._part

    def _share(self) -> Fraction:
        if self.whole.covers(self.period):
            return self.period.share_of(self.whole)
        cadence = self.contract.measured
        first = period_containing(cadence.each, cadence.anchor, self.period.from_on)
        wholes = periods(cadence.each, cadence.anchor, first.from_on, self.period.until_on)
        last = period_containing(cadence.each, cadence.anchor, self.period.last_on)
        return sum((self.period.share_of(one) for one in (*wholes[:-1], last)), Fraction(0))

    def names(self, name: str) -> list[str]:
        """What the base exists for: ``site`` and dimensions, or nothing for a contract-wide amount."""
        if name not in self._names:
            base = self.contract.money.bases.get(name)
            found = self._split(name) if base is None else self._names_of(base)
            if base is not None and base.credits is not None:
                # Depends on what was credited so far, which grows while rules run.
                return found
            self._names[name] = found
        return self._names[name]

    def _names_of(self, base: Base) -> list[str]:
        if base.for_each is not None:
            return base.for_each
        if base.measure is not None:
            return self._split(base.measure)
        if base.of is not None:
            return self.names(base.of)
        if base.credits is not None:
            names = ["site", *self.contract.dimensions]
            held = [] if self.record is None else self.record.payables
            wanted = credited_names(base)
            scopes = [dict(one.scope) for one in held if one.kind == "credit" and (not wanted or one.names & wanted)]
            return [name for name in names if all(name in scope for scope in scopes)]
        parts = [self.names(part) for part in (*base.plus, *base.minus)]
        return [one for one in parts[0] if all(one in other for other in parts[1:])] if parts else []

    def _place(self, series: Series) -> Scope:
        """Where a series comes from, with what the scope of work says of its site."""
        if self._attributes is None:
            self._attributes = {site: tuple(own.items()) for site, own in self.contract.attributes.items()}
        own: Scope = (("site", series.site), *series.dimensions) if series.site else series.dimensions
        return (*own, *self._attributes.get(series.site, ())) if self._attributes else own

    def _rate(self, measure: str, site: str) -> Fraction | int:
        """What the site's amounts are worth in the contract's currency."""
        if self._currencies is None:
            own = self.contract.currency
            self._currencies = {one.site: one.currency for one in self.contract.scope if one.currency not in (None, own)}
        declared = self.contract.measures.get(measure)
        currency = self._currencies.get(site)
        if currency is None or declared is None or not declared.money:
            return 1
        rule = self.contract.money.rates.get(currency)
        rate = None if rule is None else self.measure(rule.rate, ()) if isinstance(rule.rate, str) else Fraction(rule.rate)
        if rate is None:
            msg = f"{measure} of {site} is in {currency}, and there is no rate for it in {self.period}"
            raise CannotCompute(msg, "Write it under money.rates, or deliver the measure that carries it.")
        return rate

    def _split(self, measure: str) -> list[str]:
        if measure not in self._splits:
            series = self.by_measure.get(measure, [])
            names = self.contract.splits
            have = [{name for name, _ in self._place(one)} if one.site else set() for one in series]
            self._splits[measure] = [name for name in names if have and all(name in own for own in have)]
        return self._splits[measure]

    def _series(self, measure: str, scope: Scope) -> Sequence[Series]:
        """The series of a measure that a scope may cover; those of one site are looked up, for there are hundreds of sites."""
        if not scope or scope[0][0] != "site":
            return self.by_measure.get(measure, ())
        if measure not in self._of_site:
            held: dict[str, list[Series]] = {}
            for one in self.by_measure.get(measure, ()):
                held.setdefault(one.site, []).append(one)
            self._of_site[measure] = held
        return self._of_site[measure].get(scope[0][1], ())

    def measure(self, name: str, scope: Scope) -> Fraction | None:
        """A measure's sum inside a scope; ``None`` when nothing was delivered."""
        key = (name, scope)
        if key not in self._sums:
            total, came = Fraction(0), False
            for series in self._series(name, scope):
                held = self.facts.tallies[series].get(self.period.from_on, EMPTY)
                if held.present and covers(scope, self._place(series)):
                    total, came = total + held.total * self._rate(name, series.site), True
            self._sums[key] = total if came else None
        return self._sums[key]

    def amount(self, name: str, scope: Scope, /, *, here: bool = False) -> Fraction | None:
        """A base's amount for a scope, cut to what the base exists for; ``None`` when it is not known (yet).

        ``here`` takes this period's own amount of a base that is one of the period before or after.
        """
        base = self.contract.money.bases.get(name)
        if base is None:
            return self.measure(name, restrict(scope, self._split(name)))
        if not here and base.in_period == "next":
            return None
        if not here and base.in_period == "previous":
            return self._before(name, scope)
        found = self._own(base, restrict(scope, self.names(name)))
        tax = self.contract.money.invoice.tax if self.contract.money.invoice is not None else None
        if found is not None and base.without_tax and tax is not None:
            return found / (1 + Fraction(tax.percent) / 100)
        return found

    def _own(self, base: Base, scope: Scope) -> Fraction | None:
        if base.measure is not None:
            return self.measure(base.measure, scope)
        if base.fixed is not None:
            whole = Fraction(base.fixed)
            return whole if base.per == "year" else whole * self.part
        if base.percent is not None and base.of is not None:
            of = self.amount(base.of, scope)
            return None if of is None else Fraction(base.percent) / 100 * of
        if base.credits is not None:
            return self.record.credit(scope, sorted(credited_names(base))) if self.record is not None else None
        return self._sum(base, scope)

    def _before(self, name: str, scope: Scope) -> Fraction | None:
        """The amount of the whole period before; a part of a period has its share of it, by days."""
        before = [held for held in periods_of(self.history[-6:]) if held[0].whole != self.whole]
        if not before:
            return None
        total, came = Fraction(0), False
        for record in before[-1]:
            amount = record.base_amount(name, scope, here=True)
            charges = [charge for held, charge in record.known_charges if covers(scope, held)]
            if amount is None and charges:
                amount = sum(charges, Fraction(0))
            if amount is not None:
                total, came = total + amount, True
        return total * self.part if came else None

    def _sum(self, base: Base, scope: Scope) -> Fraction | None:
        total = Fraction(0)
        for sign, parts in ((1, base.plus), (-1, base.minus)):
            for part in parts:
                amount = self.amount(part, scope)
                if amount is None:
                    return None
                total += sign * amount
        return total

    def needed(self, name: str, scope: Scope, rule: str, *, here: bool = False) -> Fraction:
        """The amount of a base that a rule cannot do without."""
        amount = self.amount(name, scope, here=here)
        if amount is None:
            where = ", ".join(f"{key} {value}" for key, value in scope) or "the contract"
            base = self.contract.money.bases.get(name)
            when = f"the period before {self.period}" if base is not None and base.in_period == "previous" else f"{self.period}"
            msg = f"{rule} is a percentage of {name}, and nothing was delivered for it in {when} for {where}"
            raise CannotCompute(msg, f"Deliver {name}, or give the base a fixed amount.")
        return amount


def credited_names(base: Base) -> set[str]:
    """The rules and KPIs whose credits are the base; empty for every credit."""
    names = [base.credits] if isinstance(base.credits, str) else base.credits or []
    return set() if names == ["all"] else set(names)


@dataclass(frozen=True, slots=True)
class Volumes(Mapping[str, Fraction]):
    """The measures of one scope as a mapping, for curves with an allowance that is a share of one."""

    amounts: Amounts
    scope: Scope

    def __getitem__(self, name: str) -> Fraction:
        found = self.amounts.measure(name, self.scope)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.amounts.by_measure)

    def __len__(self) -> int:
        return len(self.amounts.by_measure)
