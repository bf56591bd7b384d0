"""Names that stand for something declared elsewhere: measures, KPIs, levels, bases, dimensions, caps, calendars, forums, paths.

`NAMES` says of each field what its name stands for. A name that stands for nothing is one finding, at the place where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from contracts import document as d
from contracts.curve import Allowance, Corner, Each, Step
from contracts.errors import Finding
from contracts.holes import HOLE, Unread, own_type
from contracts.questions import Place, Questions, one_of

NAMES_USED = Questions()
MEANINGS = Questions()
"""Asked once it is known which names stand for anything: whether what they stand for has the level, or is of the kind, that is needed."""


def _measures(contract: d.Contract) -> Iterable[str]:
    return contract.measures


def _kpis(contract: d.Contract) -> Iterable[str]:
    return contract.kpis


def _bases(contract: d.Contract) -> Iterable[str]:
    return contract.money.bases


def _bases_and_measures(contract: d.Contract) -> Iterable[str]:
    return {**contract.money.bases, **contract.measures}


def _dimensions(contract: d.Contract) -> Iterable[str]:
    attributes = [name for name in ("country", "region") if any(getattr(work, name) is not None for work in contract.scope)]
    return ("site", *attributes, *contract.dimensions)


def _kpis_and_rules(contract: d.Contract) -> Iterable[str]:
    rules = [rule.name for rule in (*contract.money.credits, *contract.money.bonuses)]
    return [*contract.kpis, *(name for name in rules if name is HOLE or name is not None)]


def _caps(contract: d.Contract) -> Iterable[str]:
    return [name for name in (cap.name for cap in contract.money.caps) if name is HOLE or name is not None]


def _calendars(contract: d.Contract) -> Iterable[str]:
    return contract.calendars


def _forums(contract: d.Contract) -> Iterable[str]:
    return [forum.name for forum in contract.forums]


KINDS = {
    "measure": _measures,
    "KPI": _kpis,
    "base": _bases,
    "base or measure": _bases_and_measures,
    "dimension": _dimensions,
    "KPI or rule": _kpis_and_rules,
    "cap": _caps,
    "calendar of this contract": _calendars,
    "forum": _forums,
}

NAMES: dict[type[msgspec.Struct], dict[str, str]] = {
    Allowance: {"of": "measure"},
    d.Across: {"of": "KPI"},
    d.Base: {"measure": "measure", "of": "base or measure", "plus": "base or measure", "minus": "base or measure",
             "for_each": "dimension"},
    d.ExampleClaim: {"kpi": "KPI or rule"},
    d.ExchangeRate: {"rate": "measure"},
    d.Invoice: {"of": "base"},
    d.Offset: {"on": "KPI or rule", "except": "KPI or rule"},
    d.Bin: {"measure": "measure"},
    d.By: {"measure": "measure", "base": "base", "kpi": "KPI", "each_event": "measure"},
    d.Cap: {"of": "base", "on": "KPI or rule", "for_each": "dimension"},
    d.Conversion: {"rate": "measure"},
    d.EarnBack: {"for": "KPI"},
    d.Escalation: {"calendar": "calendar of this contract"},
    d.EscalationLevel: {"agenda": "forum"},
    d.ExampleEvent: {"dimensions": "dimension"},
    d.ExampleOpening: {"kpi": "KPI", "dimensions": "dimension"},
    d.ExampleRelief: {"kpi": "KPI", "dimensions": "dimension"},
    d.ExampleRow: {"measure": "measure", "dimensions": "dimension"},
    d.Exclusive: {"among": "KPI or rule", "for_each": "dimension"},
    d.Factor: {"measure": "measure"},
    d.FromEvents: {"calendar": "calendar of this contract", "where": "dimension"},
    d.FromTime: {"calendar": "calendar of this contract"},
    d.Gate: {"kpi": "KPI", "zero": "KPI"},
    d.Kpi: {"for_each": "dimension", "where": "dimension"},
    d.Levels: {"where": "dimension"},
    d.LevelShare: {"of": "measure", "kpi": "KPI"},
    d.LevelWhen: {"measure": "measure"},
    d.Mean: {"of": "measure", "per": "measure"},
    d.Measure: {"part_of": "measure"},
    d.MovingMean: {"of": "KPI"},
    d.Operand: {"kpi": "KPI", "measure": "measure", "best_before": "KPI", "previous": "KPI"},
    d.Pay: {"of": "base"},
    d.Payment: {"for": "KPI", "for_each": "dimension"},
    d.Percentile: {"of": "measure"},
    d.Ratchet: {"kpi": "KPI"},
    d.Rate: {"of": "measure", "to": "measure"},
    d.Ratio: {"of": "measure", "to": "measure"},
    d.ReliefTerms: {"levels": "KPI"},
    d.RightRule: {"for_each": "dimension"},
    d.Sample: {"of": "measure"},
    d.ScopeOfWork: {"hours": "calendar of this contract"},
    d.Share: {"of": "measure", "to": "measure"},
    d.ShareMet: {"of": "KPI"},
    d.Signed: {"plus": "measure", "minus": "measure"},
    d.Stratified: {"of": "measure", "to": "measure", "by": "dimension", "volume": "measure"},
    d.Term: {"measure": "measure"},
    d.Trigger: {"kpi": "KPI"},
    d.Value: {"sum": "measure", "count": "measure", "last": "measure", "given": "measure"},
    d.Volume: {"forecast": "measure", "actual": "measure"},
    d.When: {"kpi": "KPI", "of": "base", "at_cap": "cap"},
}  # fmt: skip
"""What the names of a field stand for: of a text, of each text of a list, of each key of a mapping."""


@NAMES_USED.about(*NAMES)
def names_stand_for_something(part: msgspec.Struct, at: Place) -> Iterator[Finding]:
    attributes = dict(zip(part.__struct_encode_fields__, part.__struct_fields__, strict=True))
    for key, kind in NAMES[own_type(part)].items():
        for step, name in _names_in(getattr(part, attributes[key])):
            known = KINDS[kind](at.contract)
            if not _may_be_among(name, known):
                one, _, other = kind.partition(" or ")
                what = f"neither a {one} nor a {other}" if other else f"no {one}"
                yield at.error((key, *step), f"{name!r} is {what}", one_of(known, name))


def _may_be_among(name: str, known: Iterable[str]) -> bool:
    """Whether a name is one of those known; also if it is not, where one of them could not be read."""
    try:
        return name in known
    except Unread:
        return True


def _names_in(value: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if value is HOLE:
        return
    if isinstance(value, str):
        yield (), value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if item is not HOLE and isinstance(item, str):
                yield (index,), item
    elif isinstance(value, dict):
        for name in value:
            yield (name,), name


# Levels


def level_names(kpi: d.Kpi) -> set[str]:
    """Every level the KPI ever has."""
    names = {name for levels in kpi.levels for name in levels.at}
    return names | ({"target"} if kpi.target is HOLE or kpi.target is not None else set())


def _has(kpi: d.Kpi, level: str) -> bool:
    """Whether a KPI has a level; the band of one that is to lie inside is its target."""
    return level in level_names(kpi) or (kpi.better == "inside" and level == "target")


def rule_kpis(payment: d.Payment) -> list[str]:
    """The KPIs a rule is for."""
    return [payment.for_] if isinstance(payment.for_, str) else list(payment.for_ or [])


def _named(at: Place) -> Sequence[str] | None:
    """The KPIs that a condition or a curve speaks of when it names none itself; None for any that has the level."""
    for part in reversed(at.around):
        if isinstance(part, d.When) and part.kpi is not None:
            return [part.kpi]
        if isinstance(part, d.When) and part.any_kpi:
            return None
        if isinstance(part, d.Payment):
            return rule_kpis(part) or None
        if isinstance(part, d.Trigger | d.Ratchet | d.Gate):
            return [part.kpi] if part.kpi is not None else None
        if isinstance(part, d.EscalationRule):
            return [part.on.kpi] if part.on.kpi is not None else None
    return None


def _unknown_level(at: Place, step: str | tuple[str | int, ...], level: str, kpis: Sequence[str] | None) -> Iterator[Finding]:
    """That a level is one of a KPI's; of none in particular, that any KPI has it."""
    if kpis is None:
        if not any(_has(kpi, level) for kpi in at.contract.kpis.values()):
            known = {name for kpi in at.contract.kpis.values() for name in level_names(kpi)}
            yield at.error(step, f"{level!r} is no level of any KPI", one_of(known, level))
        return
    for name in kpis:
        if name in at.contract.kpis and not _has(at.contract.kpis[name], level):
            yield at.error(step, f"{level!r} is no level of {name}", one_of(level_names(at.contract.kpis[name]), level))


@MEANINGS.about(d.When)
def levels_of_a_condition_exist(when: d.When, at: Place) -> Iterator[Finding]:
    kpis = [when.kpi] if when.kpi is not None else None if when.any_kpi else _named(at)
    for key in ("missed", "met", "exceeded"):
        level = getattr(when, key)
        if level is not HOLE and level is not None:
            yield from _unknown_level(at, key, level, kpis)


@MEANINGS.about(d.When)
def bands_of_a_condition_exist(when: d.When, at: Place) -> Iterator[Finding]:
    if not when.band:
        return
    kpis = [when.kpi] if when.kpi is not None else None if when.any_kpi else _named(at)
    named = [at.contract.kpis[one] for one in (at.contract.kpis if kpis is None else kpis)]
    known = {step.name for kpi in named for step in _bands(kpi) if step.name is HOLE or step.name is not None}
    for index, band in enumerate(when.band):
        if band is not HOLE and band not in known:
            yield at.error(("band", index), f"{band!r} is no band", one_of(known, band))


def _bands(kpi: d.Kpi) -> list[Step]:
    curves = [curve for curve in (kpi.points, kpi.score) if curve is not None and curve.steps is not None]
    return [*kpi.bands, *(step for curve in curves for step in curve.steps or [])]


@MEANINGS.about(Corner, Step, Each)
def levels_on_an_axis_exist(part: Corner | Step | Each, at: Place) -> Iterator[Finding]:
    ends = ("at",) if isinstance(part, Corner) else ("above", "below") if isinstance(part, Each) else _ENDS
    marks = {name: getattr(part, name) for name in ends}
    written = {step: mark for step, mark in marks.items() if mark is not HOLE and isinstance(mark, str)}
    if not written:
        return
    kpis, words = _axis(at)
    for step, mark in written.items():
        where: tuple[str | int, ...] = (0,) if isinstance(part, Corner) else (step,)
        if kpis is None:
            yield at.error(where, f"{mark!r} is a level, and the curve is read at {words}", "Write a number.")
        else:
            yield from _unknown_level(at, where, mark, kpis)


_KPI = re.compile(r"""\$\.kpis(?:\.([\w-]+)|\[("(?:[^"\\]|\\.)*")\])""")

_ENDS = ("at_least", "more_than", "at_most", "less_than")


def _axis(at: Place) -> tuple[list[str] | None, str]:
    """The KPIs whose values a curve is read at; None and a word for what it is read at where that has no levels."""
    for part in reversed(at.around):
        if isinstance(part, d.Repeat):
            return None, "a number of failures"
        if isinstance(part, d.Deduction):
            return ([part.by.kpi], "") if part.by.kpi is not None else (None, "something counted")
        if isinstance(part, d.Factor | d.Pay):
            if part.by is not None:
                return ([part.by.kpi], "") if part.by.kpi is not None else (None, "something else than a KPI")
            payment = at.inside(d.Payment)
            return (rule_kpis(payment), "") if payment is not None and payment.for_ is not None else (None, "no KPI")
        if isinstance(part, d.Kpi):
            own = _KPI.match(at.path)
            return ([str(msgspec.json.decode(own[2])) if own[2] else own[1]] if own is not None else []), ""
    return None, "nothing"


@MEANINGS.about(d.Offset, d.EarnBack)
def bands_that_are_excepted_exist(part: d.Offset | d.EarnBack, at: Place) -> Iterator[Finding]:
    known = {step.name for kpi in at.contract.kpis.values() for step in _bands(kpi) if step.name is HOLE or step.name is not None}
    for index, band in enumerate(part.except_bands):
        if band is not HOLE and band not in known:
            yield at.error(("except_bands", index), f"{band!r} is no band", one_of(known, band))


@MEANINGS.about(d.Repeat)
def level_of_a_repeat_exists(repeat: d.Repeat, at: Place) -> Iterator[Finding]:
    kpi, payment = at.inside(d.Kpi), at.inside(d.Payment)
    if kpi is not None:
        if not _has(kpi, repeat.missed):
            yield at.error("missed", f"{repeat.missed!r} is no level of this KPI", one_of(level_names(kpi), repeat.missed))
    elif payment is not None:
        yield from _unknown_level(at, "missed", repeat.missed, rule_kpis(payment) or None)


@MEANINGS.about(d.Count)
def level_of_a_count_exists(count: d.Count, at: Place) -> Iterator[Finding]:
    yield from _unknown_level(at, "missed", count.missed, None if count.any_kpi else _named(at))


@MEANINGS.about(d.Gate)
def level_of_a_gate_exists(gate: d.Gate, at: Place) -> Iterator[Finding]:
    yield from _unknown_level(at, "missed", gate.missed, [gate.kpi])


@MEANINGS.about(d.Ratchet)
def level_of_a_ratchet_exists(ratchet: d.Ratchet, at: Place) -> Iterator[Finding]:
    yield from _unknown_level(at, "level", ratchet.level, [ratchet.kpi])


@MEANINGS.about(d.ShareMet)
def level_of_a_share_exists(share: d.ShareMet, at: Place) -> Iterator[Finding]:
    yield from _unknown_level(at, "level", share.level, [share.of])


@MEANINGS.about(d.ReliefTerms)
def levels_that_relief_lowers_exist(terms: d.ReliefTerms, at: Place) -> Iterator[Finding]:
    for name, held in terms.levels.items():
        if held is HOLE or at.contract.kpis[name] is HOLE:
            continue
        for level in held:
            yield from _unknown_level(at, ("levels", name, level), level, [name])


@MEANINGS.about(d.EarnBack)
def level_of_an_earn_back_exists(back: d.EarnBack, at: Place) -> Iterator[Finding]:
    yield from _unknown_level(at, "level", back.level, back.for_ or None)


@MEANINGS.about(d.Trigger)
def level_of_a_trigger_exists(trigger: d.Trigger, at: Place) -> Iterator[Finding]:
    if trigger.no_data is None:
        yield from _unknown_level(at, "missed", trigger.missed, [trigger.kpi] if trigger.kpi is not None else None)


@MEANINGS.about(d.Clear)
def level_of_a_clearance_exists(clear: d.Clear, at: Place) -> Iterator[Finding]:
    rule = at.inside(d.EscalationRule)
    if rule is not None and rule.on.no_data is None:
        # Where the level of opening exists nowhere either, that has been said, and the same word is the same fault.
        kpis = _named(at)
        faults = list(_unknown_level(at, "level", clear.level, kpis))
        if faults and at.was_written("level"):
            yield from faults
        elif faults:
            message = f"{clear.level!r}, the level that clears, is no level of {rule.on.kpi or 'any KPI'}"
            yield at.error("level", message, "Write `clear` with a level.")


# Places and figures


@NAMES_USED.about(d.Base)
def rules_of_a_base_exist(base: d.Base, at: Place) -> Iterator[Finding]:
    if base.credits is None or base.credits == "all":
        return
    known = _kpis_and_rules(at.contract)
    for step, name in _names_in(base.credits):
        if not _may_be_among(name, known):
            yield at.error(("credits", *step), f"{name!r} is neither a KPI nor a rule, nor all of them", one_of([*known, "all"], name))


@NAMES_USED.about(d.Citation)
def cited_places_exist(citation: d.Citation, at: Place) -> Iterator[Finding]:
    value: Any = at.contract
    steps = re.findall(r"""\.?([\w-]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]""", citation.at.removeprefix("$").removeprefix("."))
    for word, index, quoted in steps:
        step = msgspec.json.decode(quoted) if quoted else word
        if value is HOLE:
            return
        if isinstance(value, list):
            number = int(index or word) if (index or word).isdecimal() else len(value)
            value = value[number] if number < len(value) else None
        elif isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, msgspec.Struct):
            fields = dict(zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True))
            value = getattr(value, fields[step]) if step in fields else None
        else:
            value = None
        if value is not HOLE and value is None:
            yield at.error("at", f"{citation.at!r} is no place of this document", "Write a path such as kpis.accuracy.levels.")
            return


@MEANINGS.about(d.Kpi, d.Levels)
def sites_and_workstreams_are_in_the_scope(part: d.Kpi | d.Levels, at: Place) -> Iterator[Finding]:
    for key in ("site", "workstream"):
        wanted = part.where.get(key)
        known = {getattr(scope, key) for scope in at.contract.scope} - {None}
        if wanted is None or not known:
            continue
        for one in [wanted] if isinstance(wanted, str) else wanted:
            if one not in known:
                yield at.error(("where", key), f"no {key} in the scope is called {one!r}", one_of(known, one))


@MEANINGS.about(d.By)
def events_are_made_from_events(by: d.By, at: Place) -> Iterator[Finding]:
    if by.each_event is not None and at.contract.measures[by.each_event].events is None:
        counted = [name for name, one in at.contract.measures.items() if one is not HOLE and one.events is not None]
        yield at.error("each_event", f"{by.each_event!r} is not made from events", one_of(counted))


@MEANINGS.about(d.Base)
def bases_are_money(base: d.Base, at: Place) -> Iterator[Finding]:
    named: list[tuple[tuple[str | int, ...], str | None]] = [(("measure",), base.measure), (("of",), base.of)]
    named += [((key, index), name) for key in ("plus", "minus") for index, name in enumerate(getattr(base, key))]
    for step, name in named:
        if name is HOLE or name is None or name in at.contract.money.bases or name not in at.contract.measures:
            continue
        if not at.contract.measures[name].money:
            yield at.error(step, f"{name} is a count, and a base is money", f"Write money: true under $.measures.{name}.")


@MEANINGS.about(d.Value)
def given_values_are_declared(value: d.Value, at: Place) -> Iterator[Finding]:
    if value.given is not None and not at.contract.measures[value.given].given:
        yield at.error(
            "given", f"{value.given} is declared as a count", f"Write given: true under $.measures.{value.given}, or count it."
        )


@MEANINGS.about(d.Percentile)
def percentiles_are_of_events(percentile: d.Percentile, at: Place) -> Iterator[Finding]:
    if percentile.of is None:
        return
    how = at.contract.measures[percentile.of].events
    if how is not None and how.overlap == "once":
        message = f"the events of {percentile.of} are taken together, so no single ones are left"
        yield at.error("of", message, "Write overlap: added, or a measure of its own.")
    elif how is None:
        yield at.error(
            "of",
            f"{percentile.of} is a count, and a percentile needs single events",
            f"Write events under $.measures.{percentile.of}, or give a histogram.",
        )


def measures_in(counts: Any) -> list[str]:
    """The measures a sum names, added or taken off."""
    if isinstance(counts, str):
        return [counts]
    if isinstance(counts, d.Signed):
        return [*measures_in(counts.plus), *measures_in(counts.minus)]
    return [term.measure if isinstance(term, d.Term) else term for term in counts]


def times_of(counts: Any) -> list[Decimal]:
    """The factors of a sum's terms."""
    lists = [counts.plus, counts.minus] if isinstance(counts, d.Signed) else [counts if isinstance(counts, list) else []]
    return [term.times for one in lists for term in one if isinstance(term, d.Term)]


__all__ = ["KINDS", "MEANINGS", "NAMES", "NAMES_USED", "level_names", "measures_in", "rule_kpis", "times_of"]
