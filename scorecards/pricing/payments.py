"""Step 9: what each rule gives, before anything limits it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Literal

from contracts.curve import Curve, draw
from contracts.document import By, Factor, Ladder, Pay, Payment
from contracts.errors import CannotCompute
from scorecards.measurement import Scope
from scorecards.pricing.bases import Amounts, Volumes
from scorecards.pricing.claims import claim_by
from scorecards.pricing.ledger import Note, Payable, Record, covers, last_periods, periods_of, restrict
from scorecards.pricing.points import repeat_factor
from scorecards.pricing.windows import condition, failures, missed, verdicts_for
from scorecards.scoring import Judged, round_decimals

Side = Literal["credit", "bonus"]


@dataclass(slots=True)
class Given:
    """What a pay comes to, and how."""

    amount: Fraction
    words: str
    inputs: dict[str, Fraction | str | None]
    base: str | None = None
    base_amount: Fraction | None = None
    parts: dict[str, Fraction] = field(default_factory=dict)
    """What each single event comes to, where the curve is read at each."""
    is_of_next: bool = False
    """``amount`` is a percentage of the base of the next period, which is not known yet."""

    def scale(self, factor: Fraction) -> None:
        """Multiplies the amount, and with it what each event contributed."""
        self.amount *= factor
        self.parts = {event: amount * factor for event, amount in self.parts.items()}


def pay_amount(
    pay: Pay,
    now: Record,
    history: Sequence[Record],
    amounts: Amounts,
    scope: Scope,
    verdict: Judged | None,
    rule: str,
) -> Given | None:
    """The money of one pay for one scope; ``None`` where its curve has no amount for the value (a finding)."""
    written = pay.percent if pay.percent is not None else pay.amount
    inputs: dict[str, Fraction | str | None] = {}
    parts: dict[str, Fraction] = {}
    words = ""
    if isinstance(written, Curve):
        levels = verdict.levels if verdict is not None else {}
        if pay.by is not None and pay.by.each_event is not None:
            parts = _by_event(written, pay.by.each_event, levels, amounts, scope)
            figure, words = sum(parts.values(), Fraction(0)), f"{len(parts)} events"
            inputs["events"] = Fraction(len(parts))
        else:
            number, label = reading(pay.by, now, history, amounts, scope, verdict)
            if number is None:
                return None
            drawn = draw(written, number, levels, volumes=Volumes(amounts, scope), part=amounts.part)
            inputs[label] = number
            if drawn.amount is None:
                if not drawn.is_beyond:
                    now.problems.append(CannotCompute(f"{rule}: {drawn.words}", "Close the gap or the overlap in the bands."))
                    if verdict is not None and pay.by is None:
                        verdict.level = drawn.band
                return None
            figure, words = drawn.amount, drawn.words
    else:
        assert written is not None
        figure = Fraction(written)
    if pay.percent is None:
        if not isinstance(written, Curve) and (pay.factors or pay.share is not None or pay.times is not None):
            inputs["amount"] = figure
        given = Given(figure, words or "a fixed amount", inputs, parts=parts)
    else:
        assert pay.of is not None
        inputs["percent"] = figure
        if now.contract.money.bases[pay.of].in_period == "next":
            given = Given(figure, words, inputs, pay.of, is_of_next=True)
        else:
            base = amounts.needed(pay.of, scope, rule)
            given = Given(figure / 100 * base, words, inputs, pay.of, base, {name: one / 100 * base for name, one in parts.items()})
    if pay.share is not None:
        part, whole = amounts.measure(pay.share.of, scope), amounts.measure(pay.share.to, scope)
        if part is None or not whole:
            msg = f"{rule} is paid for the share {pay.share.of} of {pay.share.to}, and one of them is missing or zero"
            raise CannotCompute(msg, "Deliver both measures.")
        given.scale(part / whole)
        given.inputs |= {pay.share.of: part, pay.share.to: whole}
    if pay.times is not None:
        given.scale(Fraction(pay.times))
        given.inputs["times"] = Fraction(pay.times)
    for place, factor in enumerate(pay.factors, 1):
        _multiply(given, factor, f"factor {place}", now, history, amounts, scope, verdict, rule)
    if pay.by is not None and pay.by.count is not None and pay.by.count.once:
        _less_what_was_paid(given, pay.by.count.last, rule, scope, history)
    return given


def _by_event(
    curve: Curve, measure: str, levels: Mapping[str, Fraction], amounts: Amounts, scope: Scope
) -> dict[str, Fraction]:
    """The curve's amount for every single event of the measure in the period and scope."""
    parts: dict[str, Fraction] = {}
    for series in amounts.by_measure.get(measure, ()):
        own: Scope = (("site", series.site), *series.dimensions) if series.site else series.dimensions
        if not covers(scope, own):
            continue
        for case in amounts.facts.cases.get(series, ()):
            if case.on in amounts.period:
                amount = draw(curve, Fraction(case.amount), levels).amount
                if amount:
                    parts[case.event_id] = parts.get(case.event_id, Fraction(0)) + amount
    return parts


def _multiply(
    given: Given,
    factor: Factor,
    place: str,
    now: Record,
    history: Sequence[Record],
    amounts: Amounts,
    scope: Scope,
    verdict: Judged | None,
    rule: str,
) -> None:
    name = factor.name or factor.measure or place
    number: Fraction | None
    if factor.number is not None:
        number = Fraction(factor.number)
    elif factor.measure is not None:
        number = amounts.measure(factor.measure, scope)
    else:
        assert factor.curve is not None
        at, _ = reading(factor.by, now, history, amounts, scope, verdict)
        levels = verdict.levels if verdict is not None else {}
        number = None if at is None else draw(factor.curve, at, levels, volumes=Volumes(amounts, scope), part=amounts.part).amount
    if number is None or (factor.divide and number == 0):
        msg = f"{rule} is multiplied by {name}, which has no value in {now.period}"
        raise CannotCompute(msg, "Deliver it, or write a number.")
    change = 1 / number if factor.divide else number
    given.scale(change)
    given.inputs[name] = number
    if factor.round is not None:
        rounded = round_decimals(given.amount, factor.round)
        given.scale(rounded / given.amount if given.amount else Fraction(0))
        given.inputs[f"rounded after {name}"] = rounded


def _less_what_was_paid(given: Given, last: int, rule: str, scope: Scope, history: Sequence[Record]) -> None:
    """Takes off what the same rule gave in the span, so that each ten failures are paid for once."""
    span = last_periods(history, last - 1)
    paid = sum(
        (
            payable.full if payable.full is not None else payable.amount
            for record in span
            for payable in record.payables
            if payable.rule == rule and payable.scope == scope and payable.kind != "carry"
        ),
        Fraction(0),
    )
    if paid:
        given.inputs["given before"] = paid
        given.amount = max(Fraction(0), given.amount - paid)


def reading(
    by: By | None, now: Record, history: Sequence[Record], amounts: Amounts, scope: Scope, verdict: Judged | None
) -> tuple[Fraction | None, str]:
    """The number a curve is read at, and what it is called in the derivation."""
    if by is None:
        return (verdict.compared if verdict is not None else None), "value"
    if by.measure is not None:
        return amounts.measure(by.measure, scope), by.measure
    if by.base is not None:
        return amounts.amount(by.base, scope), by.base
    if by.kpi is not None:
        found = [one.compared for one in verdicts_for(now, by.kpi, scope) if one.compared is not None]
        return (found[0] if len(found) == 1 else None), by.kpi
    if by.count is not None:
        kpi = None if by.count.any_kpi or verdict is None else verdict.name
        return Fraction(failures(now, history, by.count.last, by.count.missed, kpi, scope)), "failures"
    if by.total == "points":
        together = last_periods([*history[-2 * by.last :], now], by.last)
        return sum((record.points(scope) for record in together), Fraction(0)), "points"
    return now.score(scope), "score"


def _kpis(rule: Payment) -> list[str | None]:
    if rule.for_ is None:
        return [None]
    return [rule.for_] if isinstance(rule.for_, str) else list(rule.for_)


def _scope_names(rule: Payment, amounts: Amounts, kpi_names: Sequence[str] | None) -> list[str]:
    """The scope of one payment: as said; else where the KPI is judged, as far as the base exists there."""
    if rule.for_each is not None:
        return rule.for_each
    pays = [rule.pay] if rule.pay is not None else [rung.pay for rung in (rule.ladder.rungs if rule.ladder else [])]
    own = list(kpi_names) if kpi_names is not None else ["site"]
    for pay in pays:
        if pay.of is not None:
            exists = amounts.names(pay.of)
            own = [name for name in own if name in exists]
    return own


def _groups(verdicts: Iterable[Judged], names: Sequence[str]) -> dict[Scope, list[Judged]]:
    grouped: dict[Scope, list[Judged]] = {}
    for verdict in verdicts:
        grouped.setdefault(restrict(verdict.scope, names), []).append(verdict)
    return grouped


def _is_due(
    rule: Payment, kind: Side, now: Record, history: Sequence[Record], verdict: Judged | None, scope: Scope
) -> bool:
    if rule.unless is not None and condition(rule.unless, now, history, verdict.name if verdict else None, scope).holds:
        return False
    if rule.when is not None:
        return condition(rule.when, now, history, verdict.name if verdict else None, scope).holds
    if verdict is None:
        return True
    if rule.ladder is not None:
        return missed(verdict, "target")
    pay = rule.pay
    curved = pay is not None and isinstance(pay.percent if pay.percent is not None else pay.amount, Curve)
    if curved:
        return verdict.is_judged or (pay is not None and pay.by is not None)
    if kind == "bonus":
        return verdict.met is True
    return missed(verdict, "target")


def give_payments(now: Record, history: Sequence[Record], amounts: Amounts) -> None:
    """Runs every rule over every scope it is for; a negative amount of a two-way scale changes sides."""
    _settle(now, history, amounts)
    money = now.contract.money
    start = now.period.from_on
    for kind, rules in (("credit", money.credits), ("bonus", money.bonuses)):
        for rule in rules:
            if (rule.from_ is not None and start < rule.from_) or (rule.until is not None and start >= rule.until):
                continue
            for name in _kpis(rule):
                try:
                    _run(rule, "credit" if kind == "credit" else "bonus", name, now, history, amounts)
                except CannotCompute as problem:
                    # One rule without an answer takes no other rule's money with it.
                    now.problems.append(problem)


def _run(
    rule: Payment, kind: Side, name: str | None, now: Record, history: Sequence[Record], amounts: Amounts
) -> None:
    title = rule.name or (now.contract.kpis[name].title if name in now.contract.kpis else name) or "credit"
    if name is None:
        names = _scope_names(rule, amounts, None)
        sites = sorted({restrict(scope, names) for _, scope in now.verdicts}) or [()]
        for scope in sites if names else [()]:
            if _is_due(rule, kind, now, history, None, scope):
                _pay_one(rule, kind, title, None, [None], scope, now, history, amounts)
        return
    verdicts = [verdict for (held, _), verdict in now.verdicts.items() if held == name]
    names = _scope_names(rule, amounts, now.contract.kpis[name].for_each)
    for scope, group in _groups(verdicts, names).items():
        due: list[Judged | None] = [one for one in group if _is_due(rule, kind, now, history, one, one.scope)]
        if due:
            _pay_one(rule, kind, title, name, due, scope, now, history, amounts)


def _pay_one(
    rule: Payment,
    kind: Side,
    title: str,
    name: str | None,
    verdicts: Sequence[Judged | None],
    scope: Scope,
    now: Record,
    history: Sequence[Record],
    amounts: Amounts,
) -> None:
    """One payment for one scope.  Where several verdicts fall into it, the largest amount stands: one credit each."""
    best: tuple[Given, Judged | None] | None = None
    rivals = 0
    for verdict in verdicts:
        given = _one(rule, title, verdict, scope, now, history, amounts)
        rivals += given is not None and given.amount != 0
        if given is not None and (best is None or abs(given.amount) > abs(best[0].amount)):
            best = given, verdict
    if best is None:
        return
    given, verdict = best
    if given.amount == 0:
        return
    if rivals > 1 and verdict is not None:
        given.inputs["largest of"] = Fraction(rivals)
        given.inputs["for"] = ", ".join(value for _, value in verdict.scope)
    if rule.multiply is not None and name is not None and verdict is not None:
        factor, earlier = repeat_factor(rule.multiply, now, history, name, verdict.scope)
        if factor != 1:
            given.scale(factor)
            given.inputs |= {"repeat factor": factor, "earlier failures": Fraction(earlier)}
    if rule.at_most is not None:
        limit = pay_amount(rule.at_most, now, history, amounts, scope, verdict, title)
        if limit is not None and limit.is_of_next != given.is_of_next:
            msg = f"{title} is a percentage of the next period's {given.base or rule.at_most.of}, and its maximum is not"
            raise CannotCompute(msg, "Write the maximum as a percentage of the same base, or write a cap.")
        if limit is not None and given.amount > limit.amount:
            given.scale(limit.amount / given.amount)
            given.inputs["at most"] = limit.amount
    side: Side = kind
    if given.amount < 0:
        given.scale(Fraction(-1))
        side = "bonus" if kind == "credit" else "credit"
    amount = given.amount
    clause = rule.clause or (now.contract.kpis[name].clause if name in now.contract.kpis else None)
    if verdict is not None and verdict.money_relieved and side == "credit":
        now.line(
            9, "relief", scope, f"{title}: relief cancels the money", amount=Fraction(0), kpi=name, clause=clause,
            inputs={"without relief": amount},
        )
        return
    if given.is_of_next:
        share = amounts.part
        if share != 1:
            given.inputs["part of the period"] = share
        words = f"{title}: {given.words or 'a percentage'} of the next period's {given.base}, priced with it"
        now.line(9, "carry", scope, words, amount=None, kpi=name, clause=clause, inputs=given.inputs, base=given.base)
        now.notes.append(Note("credit_of_next" if side == "credit" else "bonus_of_next", title, scope, amount * share, name, given.base))
        return
    now.line(
        9, side, scope, f"{title}: {given.words}" if given.words else title, amount=amount, kpi=name, clause=clause,
        inputs=given.inputs, base=given.base, base_amount=given.base_amount, payable_in=payable_in(now),
        claim_by=claim_by(now) if side == "credit" else None,
    )
    spread = verdict.accumulated if verdict is not None and rule.spread == "accumulated_periods" else 1
    payable = Payable(
        rule=title,
        kind=side,
        scope=scope,
        amount=amount * spread,
        kpi=name,
        clause=clause,
        names=frozenset(one for one in (rule.name, name) if one),
        points=verdict.points if verdict is not None else None,
        spread=spread,
        parts=dict(given.parts),
        full=amount * spread,
        offset=rule.offsets if side == "bonus" else None,
    )
    if spread > 1:
        now.line(
            9, side, scope, f"{title}: the same from each of the next {spread} payments", amount=amount * (spread - 1),
            kpi=name, clause=clause, inputs={"accumulated periods": Fraction(spread)},
        )
    now.payables.append(payable)


def _settle(now: Record, history: Sequence[Record], amounts: Amounts) -> None:
    """Prices what the period before gave as a percentage of this one's base."""
    before = [held for held in periods_of(history[-6:]) if held[0].whole != now.whole]
    if not before:
        return
    for record in before[-1]:
        for note in sorted(record.notes, key=lambda one: one.scope):
            if note.kind not in ("credit_of_next", "bonus_of_next") or note.of not in now.contract.money.bases:
                continue
            try:
                base = amounts.needed(note.of, note.scope, note.rule, here=True)
            except CannotCompute as problem:
                now.problems.append(problem)
                continue
            side: Side = "credit" if note.kind == "credit_of_next" else "bonus"
            amount = note.amount / 100 * base
            now.line(
                9, side, note.scope, f"{note.rule} of {record.period.from_on}, of this period's {note.of}", amount=amount,
                kpi=note.kpi, inputs={"percent": note.amount}, base=note.of, base_amount=base,
                payable_in=now.period.from_on,
            )
            now.payables.append(
                Payable(
                    note.rule, side, note.scope, amount, note.kpi,
                    names=frozenset(one for one in (note.rule, note.kpi) if one), full=amount, is_due_now=True,
                )
            )


def payable_in(now: Record) -> date:
    """The first day of the period whose invoice a credit of this period goes on."""
    return max(now.period.until_on, now.whole.until_on) if now.contract.money.payable_in == "next_period" else now.period.from_on


def _one(
    rule: Payment,
    title: str,
    verdict: Judged | None,
    scope: Scope,
    now: Record,
    history: Sequence[Record],
    amounts: Amounts,
) -> Given | None:
    if rule.ladder is not None:
        return _rung(rule.ladder, title, verdict, scope, now, history, amounts)
    if rule.pay is None:
        msg = f"{title} says neither pay nor ladder"
        raise CannotCompute(msg, "Write what it pays.")
    inside = verdict.scope if verdict is not None and rule.pay.of is None else scope
    return pay_amount(rule.pay, now, history, amounts, inside, verdict, title)


def _rung(
    ladder: Ladder,
    title: str,
    verdict: Judged | None,
    scope: Scope,
    now: Record,
    history: Sequence[Record],
    amounts: Amounts,
) -> Given | None:
    nth = failures(now, history, ladder.last, "target", verdict.name if verdict else None, scope)
    if nth == 0:
        return None
    rung = ladder.rungs[min(nth, len(ladder.rungs)) - 1]
    given = pay_amount(rung.pay, now, history, amounts, scope, verdict, title)
    if given is None:
        return None
    given.inputs["failure number"] = Fraction(nth)
    if rung.at_most is not None and given.amount > Fraction(rung.at_most):
        given.scale(Fraction(rung.at_most) / given.amount)
        given.inputs["at most"] = given.amount
    return given


