"""A contract as plain sentences, to be read aloud: who and where, what is counted, what is promised, what a miss costs, who is called.

Every field that a sentence does not use is printed after it by its own name, so that nothing the contract says is left out; this also
holds for fields that the language gains later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from contracts.business_time import Conventions
from contracts.curve import Allowance, Curve, Mark, Step
from contracts.document import (
    Allocation,
    Base,
    By,
    Cap,
    Contract,
    Counts,
    Deduction,
    Derived,
    EarnBack,
    EscalationLevel,
    EscalationRule,
    Factor,
    FromEvents,
    Gate,
    Invoice,
    Kpi,
    Ladder,
    Levels,
    LevelShare,
    Measure,
    Offset,
    Operand,
    Pay,
    Payment,
    Precision,
    Ratchet,
    Repeat,
    RightRule,
    ScopeOfWork,
    Signed,
    Term,
    Value,
    When,
    Window,
    Within,
)
from contracts.reading import write_on_one_line
from contracts.shape import record_of

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")


def explain(contract: Contract) -> str:
    """The whole contract as text: a heading and its sentences for each part that it has."""
    sections = (
        ("", _opening(contract)),
        ("Who and where", _scope(contract)),
        ("What is delivered as figures", _measures(contract)),
        ("What is promised", [line for name, kpi in contract.kpis.items() for line in _kpi(name, kpi, contract)]),
        ("How the score is made", _scoring(contract)),
        ("What a miss costs", _money(contract)),
        ("What excuses", _relief(contract)),
        ("Rights that arise", [_right(right) for right in contract.rights]),
        ("Levels that rise", _ratchets(contract)),
        ("Who is called", _escalation(contract)),
        ("Meetings, reports and dates", _governance(contract)),
        ("Where the numbers come from", _citations(contract)),
    )
    lines: list[str] = []
    for heading, sentences in sections:
        if sentences:
            lines += ["", heading.upper(), ""] if heading else []
            lines += sentences
    return "\n".join(lines).strip("\n") + "\n"


# Words


def day_in_words(day: date) -> str:
    """1 September 2025."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def number_in_words(number: Decimal | int) -> str:
    """A number as people write it: 1,200,000 and 99.5."""
    text = f"{Decimal(number):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def listed(words: Iterable[str], joined: str = "and") -> str:
    """`a, b and c`."""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {joined} {items[-1]}" if items else ""


def _name(word: str) -> str:
    return word.replace("_", " ")


def _names(words: Iterable[str], joined: str = "and") -> str:
    return listed((_name(word) for word in words), joined)


def _count(number: int | Decimal, thing: str) -> str:
    return f"{number_in_words(number)} {thing}" if number == 1 else f"{number_in_words(number)} {thing}s"


def _scopes(names: Sequence[str]) -> str:
    return f"each {_names(names)}" if names else "the contract as a whole"


def _where(where: Mapping[str, str | list[str]]) -> str:
    return listed(f"{_name(key)} {value if isinstance(value, str) else listed(value, 'or')}" for key, value in where.items())


def _clause(clause: str | None) -> str:
    return f" ({clause})" if clause else ""


def _also(part: msgspec.Struct, *used: str) -> list[str]:
    """What a part says besides the fields that its sentences used, by the names of the fields."""
    said = []
    for field in record_of(type(part)).fields:
        value = getattr(part, field.name)
        if field.name in used or value is None or (not field.required and value == field.default):
            continue
        said.append(f"{_name(field.key)}: {_plainly(value)}")
    return said


def _and_also(part: msgspec.Struct, *used: str) -> str:
    said = _also(part, *used)
    return f" Besides, {'; '.join(said)}." if said else ""


def _plainly(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return day_in_words(value)
    if isinstance(value, Decimal | int):
        return number_in_words(value)
    if isinstance(value, str):
        return _name(value)
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return listed(value)
    return write_on_one_line(value)


def _unit(kpi: Kpi) -> str:
    if kpi.unit is None:
        return " %" if kpi.value.kind in ("ratio", "intervals", "stratified", "share_met") else ""
    return {"percent": " %", "count": "", "ratio": "", "money": " in money"}.get(kpi.unit, f" {kpi.unit}")


# The parts


def _opening(contract: Contract) -> list[str]:
    vendor = f"{contract.vendor_name} ({contract.vendor})" if contract.vendor_name else contract.vendor
    customer = f" for {contract.customer}" if contract.customer else ""
    own = "a team of the customer's own" if contract.in_house else "the vendor"
    held = contract.in_force
    until = f" and ends before {day_in_words(held.until)}" if held.until else " and has no end"
    lines = [
        f"{contract.title}. Contract {contract.contract}, version {contract.version}.",
        f"{vendor}, {own}, works{customer}. The contract holds from {day_in_words(held.from_)}{until}.",
    ]
    if contract.signed_on is not None:
        late = ", after its first day: a late amendment" if contract.signed_on > held.from_ else ""
        lines.append(f"It was signed on {day_in_words(contract.signed_on)}{late}.")
    measured = contract.measured
    anchor = f", beginning on day {measured.anchor_day}" if measured.anchor_day != 1 else ""
    anchor += f", years from {_MONTHS[measured.anchor_month - 1]}" if measured.anchor_month != 1 else ""
    lines.append(
        f"Everything is measured by the {measured.each}{anchor}, in the time of {contract.time_zone}. Amounts are in {contract.currency}."
    )
    lines.append(
        {
            "from_date": "The first period begins with the contract, even where it is a part of one.",
            "full_period": "The first measured period is the first whole one.",
            "next_quarter": "Measuring begins with the next calendar quarter.",
        }[measured.first]
    )
    lines.append(
        {
            "split": "If the contract changes inside a period, the period is measured in two parts, each under its own version.",
            "at_start": "If the contract changes inside a period, the version of its first day holds for all of it.",
            "at_end": "If the contract changes inside a period, the version of its last day holds for all of it.",
        }[measured.amended]
    )
    if contract.reviewed is not None:
        review = contract.reviewed
        begins = f", from day {review.anchor_day}" if review.anchor_day != 1 else ""
        begins += f", counted from {_MONTHS[review.anchor_month - 1]}" if review.anchor_month != 1 else ""
        lines.append(f"Results are reviewed by the {review.each}{begins}.")
    if contract.renews:
        lines.append(f"It continues contract {contract.renews}; tickets and streaks go on.")
    if contract.announced_on is not None:
        lines.append(f"It was announced on {day_in_words(contract.announced_on)}.")
    for terms in contract.amendments:
        rules = [f"takes {_count(terms.notice_days, 'day')} of notice"] if terms.notice_days is not None else []
        if terms.once_in_months is not None:
            rules.append(f"may come once in {_count(terms.once_in_months, 'month')}")
        lines.append(f"A change of {_names(terms.of, 'or')} {listed(rules)}{_clause(terms.clause)}.")
    lines += [f"In business time, {sentence}." for sentence in _conventions(contract.conventions)]
    if contract.executed is not None:
        executed = contract.executed
        seal = f" (SHA-256 {executed.sha256})" if executed.sha256 else ""
        order = listed(executed.precedence)
        lines.append(f"The signed paper is {executed.document}{seal}; where it contradicts itself, the order is {order}.")
        lines += [f"This document differs from the paper on purpose: {one.rstrip('.')}." for one in executed.deviations]
    known = {
        "contract", "title", "vendor", "vendor_name", "in_house", "customer", "renews", "version", "currency", "time_zone", "in_force",
        "signed_on", "executed", "measured", "calendars", "dimensions", "scope", "measures", "kpis", "scoring", "money", "ratchets",
        "rights",
        "relief", "escalation", "forums", "reports", "obligations", "citations", "examples",
        "reviewed", "conventions", "announced_on", "amendments",
    }  # fmt: skip
    lines += [f"Besides, {said}." for said in _also(contract, *known)]
    lines += {
        "keep": [],
        "drop": ["A piece of a period at the contract's start or end is not measured."],
        "merge": ["A piece of a period at the contract's start or end is added to the whole period beside it."],
    }[measured.parts]
    used = ("each", "anchor_day", "anchor_month", "first", "amended", "parts")
    lines += [f"Besides, {said}." for said in _also(measured, *used)]
    return lines


_CONVENTIONS = {
    ("boundary", "next_opening"): "time that is used up at a close ends with the next opening",
    ("day_zero", "next_working_day"): "a notice on a day that is not worked counts as given on the next working day",
    ("dst", "wall_clock"): "nights in which the clocks change count as the clocks show",
    ("nonexistent", "skip"): "a local time that the clocks jump over does not take place",
    ("nonexistent", "first_after"): "a local time that the clocks jump over is the first moment after",
    ("ambiguous", "second"): "a local time that comes twice is the second",
    ("reversed", "negative"): "an interval that ends before it begins counts below zero",
    ("reversed", "error"): "an interval that ends before it begins is refused",
    ("overnight", "start_date"): "a night shift belongs to the date on which it begins",
    ("overnight", "cut_at_midnight"): "a night shift is cut at midnight, and each part follows its own date",
    ("day", "keep_time"): "a deadline in days ends at the hour at which it began",
}


def _conventions(conventions: Conventions) -> list[str]:
    """What the contract says otherwise than business time is counted by default."""
    return [sentence for (name, value), sentence in _CONVENTIONS.items() if getattr(conventions, name) == value]


def _scope(contract: Contract) -> list[str]:
    lines = [f"Figures can be split by {_names(contract.dimensions)}."] if contract.dimensions else []
    lines += [f"Hours and working days are those of the calendars {listed(contract.calendars)}."] if contract.calendars else []
    return lines + [_scope_of_work(scope) for scope in contract.scope]


def _scope_of_work(scope: ScopeOfWork) -> str:
    words = (
        f"{scope.name or scope.site} ({', '.join(part for part in (scope.site if scope.name else None, scope.country) if part)})".replace(
            " ()", ""
        )
    )
    words += f": {_name(scope.workstream)}" if scope.workstream else ""
    words += f" in {listed(scope.languages)}" if scope.languages else ""
    words += f", hours {scope.hours}" if scope.hours else ""
    words += f", from {day_in_words(scope.from_)}" if scope.from_ else ""
    words += f", until before {day_in_words(scope.until)}" if scope.until else ""
    words += f", in the region {scope.region}" if scope.region else ""
    words += f", in the time of {scope.time_zone}" if scope.time_zone else ""
    words += f", charged in {scope.currency}" if scope.currency else ""
    sentences = [words + "."]
    if scope.service:
        sentences.append(scope.service.rstrip(".") + ".")
    if scope.headcount:
        people = [f"{one.count} × {one.role} from {day_in_words(one.from_)}" for one in scope.headcount]
        sentences.append(f"Agreed people: {listed(people)}.")
    if scope.volume is not None:
        volume = scope.volume
        excused = (
            f"; volume above {number_in_words(volume.excused_above_percent)} % of it is excused"
            if volume.excused_above_percent is not None
            else ""
        )
        actual = f", against {_name(volume.actual)}" if volume.actual else ""
        sentences.append(f"The forecast is {_name(volume.forecast)}{actual}{excused}.")
    links = {one.title: f", to be read at {one.link}" if one.link else "" for one in scope.instructions}
    sentences += [f"Worked by “{one.title}”, version {one.version}{links[one.title]}." for one in scope.instructions]
    sentences += [f"{one.name} is due on {day_in_words(one.due)}." for one in scope.milestones]
    used = (
        "region",
        "time_zone",
        "currency",
        "site",
        "name",
        "country",
        "workstream",
        "service",
        "languages",
        "hours",
        "instructions",
        "headcount",
        "volume",
        "milestones",
        "from_",
        "until",
    )
    return " ".join(sentences) + _and_also(scope, *used)


def _measures(contract: Contract) -> list[str]:
    return [f"{_name(name).capitalize()}: {_measure(measure)}" for name, measure in contract.measures.items()]


def _measure(measure: Measure) -> str:
    words = [measure.title.rstrip(".") if measure.title else "a count"]
    words += [f"a part of {_name(measure.part_of)}"] if measure.part_of else []
    words += ["an amount of money"] if measure.money else []
    words += ["a result of which no counts are known"] if measure.given else []
    words += ["a percentile, which never adds up"] if measure.percentile else []
    words += ["a state, of which the last counts"] if measure.snapshot else []
    words += ["it may lie below zero"] if measure.may_be_negative else []
    words += ["delivered by the customer"] if measure.duty_of == "client" else []
    words += [_events(measure.events)] if measure.events is not None else []
    if measure.time is not None:
        open_time = f" that {measure.time.calendar} is open" if measure.time.calendar is not None else ""
        words += [f"the {measure.time.take} of the period{open_time}"]
    used = ("title", "part_of", "money", "given", "snapshot", "duty_of", "events", "time", "may_be_negative", "percentile")
    return "; ".join([*words, *_also(measure, *used)]) + "."


def _events(how: FromEvents) -> str:
    """How single events become the measure."""
    what = {"count": "one for each", "value": "the value of each"}.get(how.take, f"the {_name(how.take)} of each")
    on = {"each_day": "on each day that it lasts", "period_end": "at the end of each period in which it is open"}.get(
        how.at, f"on the day of its {how.at}"
    )
    words = f"made from single events: {what} {_name(how.kind)}, {on}"
    words += ", time in which several last at once counting once" if how.overlap == "once" else ""
    words += f", in the business time of {how.calendar}" if how.calendar is not None else ""
    words += f", the clock standing still during {_names(how.pauses, 'or')}" if how.pauses else ""
    words += ", times its own percentage" if how.value_percent else ""
    for one in how.only:
        ends = [
            f"{word} {number_in_words(end)}"
            for word, end in (
                ("at least", one.at_least),
                ("more than", one.more_than),
                ("at most", one.at_most),
                ("less than", one.less_than),
            )
            if end is not None
        ]
        words += f", only with {'a value' if one.of == 'value' else _name(one.of)} of {listed(ends)}"
    words += f", only {_where(how.where)}" if how.where else ""
    return words


# KPIs


def _kpi(name: str, kpi: Kpi, contract: Contract) -> list[str]:
    duty = " This is the customer's duty: it is shown, and never scored against the vendor." if kpi.duty_of == "client" else ""
    lines = [f"{kpi.title}{_clause(kpi.clause)}, called {name}.{duty}"]
    if kpi.definition:
        lines.append(f"  {kpi.definition}")
    only = f", only {_where(kpi.where)}" if kpi.where else ""
    lines.append(f"  It is counted as {counted(kpi, contract.measures)}, for {_scopes(kpi.for_each)}{only}.")
    levels = levels_in_words(kpi)
    if levels:
        better = {"higher": "More is better", "lower": "Less is better", "inside": "It should lie between low and high"}[kpi.better]
        lines.append(f"  {better}; {_boundary(kpi)}. Levels: {levels}.")
    else:
        better = {"higher": "more", "lower": "less", "inside": "neither more nor less"}[kpi.better]
        lines.append(f"  It has no level: it is shown and not judged; {better} is better.")
    lines += [f"  {sentence}" for sentence in _conditions(kpi)]
    lines += [f"  {sentence}" for sentence in _consequences(kpi)]
    used = (
        "title", "clause", "definition", "value", "unit", "better", "boundary", "target", "levels", "for_each", "where", "unpaired",
        "completeness", "no_volume", "sample", "precision", "bands", "score", "points", "repeat", "weight", "group", "missing", "streak",
        "sampled", "critical", "deemed", "zone", "duty_of", "part_period", "judged",
    )  # fmt: skip
    lines += [f"  Besides, {said}." for said in _also(kpi, *used)]
    return [*lines, ""] if name != list(contract.kpis)[-1] else lines


def _boundary(kpi: Kpi) -> str:
    if kpi.better == "inside":
        return "both ends belong to it"
    word = kpi.boundary or ("at_least" if kpi.better == "higher" else "at_most")
    return {
        "at_least": "a level is met by reaching it",
        "at_most": "a level is met by not exceeding it",
        "more_than": "a level is met only by more than it",
        "less_than": "a level is met only by less than it",
    }[word]


def counted(kpi: Kpi, measures: Mapping[str, Measure] | None = None) -> str:
    """How a KPI's value is made from counts, in words."""
    del measures
    return _value(kpi.value) + (f", in {kpi.unit}" if kpi.unit and kpi.unit not in ("percent", "count", "ratio") else "")


def _value(value: Value) -> str:
    if value.ratio is not None:
        return f"{_counts(value.ratio.of)} out of {_counts(value.ratio.to)}, in percent" + _and_also(value.ratio, "of", "to").rstrip(".")
    if value.mean is not None:
        return f"{_counts(value.mean.of)} per {_counts(value.mean.per)}"
    if value.rate is not None:
        return f"{_counts(value.rate.of)} per {number_in_words(value.rate.each)} {_counts(value.rate.to)}"
    if value.sum is not None:
        return f"the sum of {_counts(value.sum)}"
    if value.count is not None:
        return f"the number of {_counts(value.count)}"
    if value.last is not None:
        return f"the last state of {_counts(value.last)} in the period"
    if value.given is not None:
        return f"the reported {_name(value.given)}, which nobody can recompute"
    if value.moving_mean is not None:
        moving = value.moving_mean
        what = "the mean of" if moving.by == "results" else "the value by all counts together of"
        over = f"since the {moving.since} began"
        if moving.periods is not None:
            over = f"over {_count(moving.periods, 'period')}, this one included"
        return f"{what} {_name(moving.of)} {over}"
    if value.derived is not None:
        return _derived(value.derived)
    return _special_value(value)


def _special_value(value: Value) -> str:
    if value.percentile is not None:
        taken = value.percentile
        how = "by interpolation" if taken.method == "linear" else "by nearest rank"
        if taken.of is not None:
            return f"the {number_in_words(taken.percent)}th percentile of {_name(taken.of)}, {how}"
        classes = [
            f"{_name(one.measure)} (up to {number_in_words(one.up_to)})" if one.up_to is not None else f"{_name(one.measure)} (without end)"
            for one in taken.histogram
        ]
        return f"the {number_in_words(taken.percent)}th percentile of the classes {listed(classes)}, {how}"
    if value.stratified is not None:
        strata = value.stratified
        return (
            f"{_counts(strata.of)} out of {_counts(strata.to)}, in percent, for each {_name(strata.by)}, "
            f"weighted by {_name(strata.volume)}" + (", leaving out what was not sampled" if strata.unsampled == "left_out" else "")
        )
    if value.share_met is not None:
        met = value.share_met
        if met.give != "percent":
            verb = "meets" if met.give == "met" else "misses"
            return f"the number of scopes in which {_name(met.of)} {verb} its {_name(met.level)}"
        return f"the share of scopes in which {_name(met.of)} meets its {_name(met.level)}, in percent"
    if value.across is not None:
        taken_of = value.across
        which = {"percentile": f"{number_in_words(taken_of.percent or Decimal(0))}th percentile"}.get(taken_of.take, taken_of.take)
        how = " by interpolation" if taken_of.method == "linear" and taken_of.take == "percentile" else ""
        far = " (the greatest less the least)" if taken_of.take == "spread" else ""
        return f"the {which}{how} of the results of {_name(taken_of.of)} over its scopes{far}"
    if value.intervals is not None:
        each = value.intervals
        what = _value(Value(ratio=each.ratio)) if each.ratio is not None else _value(Value(mean=each.mean))
        empty = f", one without volume counting as {number_in_words(each.no_volume)}" if each.no_volume is not None else ""
        if each.take == "mean":
            return f"the mean over intervals, each counting once, of {what}{empty}"
        end = (
            f"at least {number_in_words(each.at_least)}"
            if each.at_least is not None
            else f"at most {number_in_words(each.at_most or Decimal(0))}"
        )
        return f"the share of intervals, in percent, in which {what} is {end}{empty}"
    return _plainly(value)


def _counts(counts: Counts) -> str:
    if isinstance(counts, Signed):
        less = f" less {listed(_term(one) for one in counts.minus)}" if counts.minus else ""
        return listed((_term(one) for one in counts.plus), "plus") + less
    return _term(counts) if isinstance(counts, str) else listed((_term(one) for one in counts), "plus")


def _term(term: str | Term) -> str:
    if isinstance(term, str):
        return _name(term)
    return _name(term.measure) if term.times == 1 else f"{number_in_words(term.times)} × {_name(term.measure)}"


def _derived(derived: Derived) -> str:
    words = {
        "sum": "the sum of", "difference": "the difference of", "product": "the product of", "quotient": "the quotient of",
        "greatest": "the greatest of", "least": "the least of", "mean": "the mean of",
    }  # fmt: skip
    for field in record_of(Derived).fields:
        operands = getattr(derived, field.name)
        if operands is not None:
            return f"{words.get(field.name, _name(field.name) + ' of')} {listed(_operand(one) for one in operands)}"
    return _plainly(derived)


def _operand(operand: Operand) -> str:
    if operand.kpi is not None:
        return _name(operand.kpi)
    if operand.measure is not None:
        return _name(operand.measure)
    if operand.number is not None:
        return number_in_words(operand.number)
    if operand.best_before is not None:
        return f"the best earlier {_name(operand.best_before)}"
    if operand.previous is not None:
        before = "the period before" if operand.back == 1 else f"{operand.back} periods before"
        return f"the {_name(operand.previous)} of {before}"
    return f"({_derived(operand.derived)})" if operand.derived is not None else _plainly(operand)


def levels_in_words(kpi: Kpi) -> str:
    """Every level with its dates and conditions, in the order in which the later prevails."""
    unit = _unit(kpi)
    said = [f"target {number_in_words(kpi.target)}{unit}"] if kpi.target is not None else []
    return "; ".join([*said, *(_levels(levels, unit) for levels in kpi.levels)])


def _levels(levels: Levels, unit: str) -> str:
    span = [f"from {day_in_words(levels.from_)}"] if levels.from_ else []
    span += [f"until before {day_in_words(levels.until)}"] if levels.until else []
    span += [f"for {_where(levels.where)}"] if levels.where else []
    span += [f"in {listed(_MONTHS[month - 1] for month in levels.months)}"] if levels.months else []
    if levels.when is not None:
        ends = [f"at least {_level(levels.when.at_least, '')}"] if levels.when.at_least is not None else []
        ends += [f"less than {_level(levels.when.less_than, '')}"] if levels.when.less_than is not None else []
        span += [f"while {_name(levels.when.measure)} is {listed(ends)}"]
    values = [f"{_name(name)} {_level(value, unit)}" for name, value in levels.at.items()]
    return (f"{' '.join(span)}: " if span else "") + ", ".join(values)


def _level(value: Decimal | LevelShare, unit: str) -> str:
    if isinstance(value, LevelShare):
        return f"{number_in_words(value.percent)} % of {_name(value.of or value.kpi or '')}"
    return f"{number_in_words(value)}{unit}"


def _conditions(kpi: Kpi) -> list[str]:
    """When there is a value to be judged at all."""
    said = []
    if kpi.sample is not None:
        sample = kpi.sample
        least = (
            f"fewer than {number_in_words(sample.at_least)}"
            if sample.at_least is not None
            else f"{number_in_words(sample.more_than or Decimal(0))} or fewer"
        )
        of = f" of {_name(sample.of)}" if sample.of else ""
        then = {"not_measured": "the period is not measured", "accumulate": "they are carried into the next period until there are enough"}
        said.append(
            f"With {least} cases{of}, {then.get(sample.otherwise, _name(sample.otherwise))}."
            + _and_also(sample, "at_least", "more_than", "of", "otherwise")
        )
    if kpi.sampled:
        said.append("Its counts come from a sample.")
    if kpi.no_volume is not None:
        said.append(f"Without any volume it {'is not judged' if kpi.no_volume == 'not_judged' else 'counts as ' + kpi.no_volume}.")
    if kpi.completeness:
        said.append(f"If less than {number_in_words(kpi.completeness)} % of the period was delivered, there is no data.")
    if kpi.deemed is not None:
        said.append(f"A period for which nothing comes counts as {number_in_words(kpi.deemed)}.")
    if kpi.unpaired == "no_data":
        said.append("If one side of a span is missing, the whole period has no data.")
    if kpi.precision is not None:
        when = "before" if kpi.precision.when == "before_comparing" else "only after"
        said.append(f"It is rounded to {_count(kpi.precision.decimals, 'decimal')} ({_name(kpi.precision.mode)}), {when} comparing.")
    if kpi.zone == "site":
        said.append("Its days are cut at the site's own midnight.")
    if kpi.judged == "at_review":
        said.append("It is judged at the end of each review, on the counts of all its periods.")
    if kpi.part_period == "pro_rata":
        said.append("In a period cut short its levels shrink with the days.")
    if kpi.streak == "breaks":
        said.append("A period that is not judged ends a streak.")
    return said


def _consequences(kpi: Kpi) -> list[str]:
    said = []
    if kpi.bands:
        said.append(f"Bands: {'; '.join(_band(step) for step in kpi.bands)}.")
    if kpi.score is not None:
        said.append(f"Score: {curve_in_words(kpi.score)}.")
    if kpi.points is not None:
        said.append(f"Service points: {curve_in_words(kpi.points)}.")
    if kpi.repeat is not None:
        said.append(f"Points are multiplied {_repeat(kpi.repeat)}.")
    if kpi.weight is not None:
        group = f" in the group {kpi.group}" if kpi.group else ""
        missing = {
            "reweight": "its weight goes to the others",
            "zero": "it scores 0",
            "full": "it scores 100",
            "previous": "the last judged value is scored by the levels of the period",
        }[kpi.missing]
        said.append(f"It weighs {number_in_words(kpi.weight)} in the score{group}; without a judged value {missing}.")
    elif kpi.group:
        said.append(f"It is shown in the group {kpi.group}.")
    if kpi.critical:
        said.append("It is a critical service level.")
    return said


def _band(step: Step) -> str:
    return f"{step.name or number_in_words(step.give or Decimal(0))} for {_ends(step)}"


# Curves


def _mark(mark: Mark) -> str:
    return f"the {_name(mark)}" if isinstance(mark, str) else number_in_words(mark)


def _ends(step: Step) -> str:
    ends = [
        f"{word} {_mark(mark)}"
        for word, mark in (
            ("at least", step.at_least),
            ("more than", step.more_than),
            ("at most", step.at_most),
            ("less than", step.less_than),
        )
        if mark is not None
    ]
    return listed(ends) or "any value"


def curve_in_words(curve: Curve, unit: str = "") -> str:
    """A curve as words; `unit` follows every amount, such as ` % of charges`."""

    def amount(number: Decimal) -> str:
        return f"{number_in_words(number)}{unit}"

    said = ""
    if curve.line is not None:
        said = ", ".join(f"{amount(corner.give)} at {_mark(corner.at)}" for corner in curve.line)
        said += ", in a straight line between" if len(curve.line) > 1 else ""
        said += f", {amount(curve.below)} below" if curve.below is not None else ""
        said += f", {amount(curve.beyond)} beyond" if curve.beyond is not None else ""
    elif curve.steps is not None:
        said = "; ".join(
            f"{amount(step.give) if step.give is not None else 'nothing'}{f' ({step.name})' if step.name else ''} for {_ends(step)}"
            for step in curve.steps
        )
    elif curve.each is not None:
        each = curve.each
        manner = {"pro_rata": "pro rata", "full": "full units only", "started": "each unit begun counting whole"}[each.counting]
        side = f" above {_mark(each.above)}" if each.above is not None else f" below {_mark(each.below)}" if each.below is not None else ""
        said = f"{amount(each.give)} for each {number_in_words(each.unit)}{side}, {manner}"
        said += f", after {_allowance(each.allowance)}" if each.allowance != 0 else ""
    elif curve.marginal is not None:
        tiers = [
            f"{amount(tier.rate)} for each unit from {number_in_words(tier.above)}"
            + (f" to {number_in_words(tier.up_to)}" if tier.up_to is not None else " on")
            for tier in curve.marginal
        ]
        said = ", ".join(tiers)
    said += f", at most {amount(curve.at_most)}" if curve.at_most is not None else ""
    return said + (f", at least {amount(curve.at_least)}" if curve.at_least is not None else "")


def _allowance(allowance: Decimal | Allowance) -> str:
    if isinstance(allowance, Decimal):
        return f"{number_in_words(allowance)} free"
    parts = [number_in_words(allowance.number)] if allowance.number else []
    if allowance.percent is not None and allowance.of is not None:
        parts.append(f"{number_in_words(allowance.percent)} % of {_name(allowance.of)}")
    shrinks = ", the number shrinking with the days of a part period" if allowance.part_period == "pro_rata" else ""
    return f"{listed(parts)} free{shrinks}"


def _repeat(repeat: Repeat) -> str:
    factor = (
        f"by {number_in_words(repeat.multiply)}"
        if isinstance(repeat.multiply, Decimal)
        else f"by a factor chosen by the number of earlier failures ({curve_in_words(repeat.multiply)})"
    )
    before = "the period before" if repeat.last == 1 else f"at least {repeat.at_least} of the {repeat.last} periods before"
    return f"{factor} if {before} missed the {_name(repeat.missed)} too, and never compound" + _and_also(
        repeat, "last", "at_least", "missed", "multiply"
    ).rstrip(".")


# Score and money


def _scoring(contract: Contract) -> list[str]:
    scoring = contract.scoring
    if not any(kpi.weight is not None for kpi in contract.kpis.values()) and not scoring.gates and not scoring.standings:
        return [f"Besides, {said}." for said in _also(scoring, "combine")]
    lines = [
        {
            "weighted_mean": "The score is the weighted mean of the KPIs that have one.",
            "weighted_sum": "The score is the sum of weight times score, divided by 100.",
            "sum": "The score is the plain sum of the KPIs' scores.",
        }[scoring.combine]
    ]
    if scoring.allocation is not None:
        lines.append(f"There are weights{_allocation(scoring.allocation)}.")
    lines += [_gate(gate) for gate in scoring.gates]
    for band in scoring.standings:
        end = f"from {number_in_words(band.at_least)}" if band.at_least is not None else "below all others"
        lines.append(f"The standing is {band.name} {end}." + (f" {band.consequence.rstrip('.')}." if band.consequence else ""))
    if scoring.round_each is not None:
        lines.append(f"Each part is rounded {_rounded(scoring.round_each)} before the sum.")
    lines += [_deduction(deduction) for deduction in scoring.deductions]
    if scoring.round_total is not None:
        lines.append(f"The score is rounded {_rounded(scoring.round_total)}.")
    used = ("combine", "allocation", "gates", "standings", "round_each", "deductions", "round_total")
    return lines + [f"Besides, {said}." for said in _also(scoring, *used)]


def _deduction(deduction: Deduction) -> str:
    off = curve_in_words(deduction.give, " points")
    return f"For {deduction.name}, {off} come off the score, read at {_by(deduction.by)}{_clause(deduction.clause)}."


def _rounded(precision: Precision) -> str:
    return f"to {_count(precision.decimals, 'decimal')} ({_name(precision.mode)})"


def _gate(gate: Gate) -> str:
    effects = [f"{_names(gate.zero)} score 0"] if gate.zero else []
    effects += [f"the whole score is at most {number_in_words(gate.cap_score)}"] if gate.cap_score is not None else []
    return f"While {_name(gate.kpi)} misses its {_name(gate.missed)}, {listed(effects)}{_clause(gate.clause)}."


def _money(contract: Contract) -> list[str]:
    money = contract.money
    lines = [f"{_name(name).capitalize()} are {_base(base)}." for name, base in money.bases.items()]
    for currency, rule in money.rates.items():
        rate = number_in_words(rule.rate) if isinstance(rule.rate, Decimal) else f"what {_name(rule.rate)} says"
        lines.append(f"One {currency} is {rate} {contract.currency}, by the rate of {rule.source}.")
    lines += [_payment(payment, "a credit for the customer") for payment in money.credits]
    lines += [_payment(payment, "a bonus for the vendor") for payment in money.bonuses]
    for group in money.exclusive:
        take = {
            "highest_amount": "the highest amount",
            "highest_points": "the most points",
            "first_listed": "the first one named here",
            "claimed": "the customer's choice",
        }[group.take]
        lines.append(
            f"Of the credits of {_names(group.among)} for one {group.same}"
            f"{f' and {_scopes(group.for_each)}' if group.for_each is not None else ''} only one stands, "
            f"that with {take}{_clause(group.clause)}."
            + _and_also(group, "among", "take", "same", "for_each", "clause")
        )
    lines += [_cap(cap) for cap in money.caps]
    lines += [_earn_back(back) for back in money.earn_back]
    if money.claim == "on_claim":
        within = f" within {_count(money.claim_within_days, 'day')} of the period's end" if money.claim_within_days is not None else ""
        lines.append(f"The customer has to ask for a credit{within}.")
    if money.at_end == "lapses":
        lines.append("A credit whose invoice would come after the contract's end lapses.")
    if money.invoice is not None:
        lines.append(_invoice(money.invoice))
    if money.minimum is not None:
        then = "is dropped" if money.minimum.then == "dropped" else "is lifted to that"
        lines.append(f"A total below {number_in_words(money.minimum.below)} {contract.currency} {then}.")
    if lines:
        rounding = money.rounding
        where = "each payment" if rounding.at == "line" else "each total"
        lines.append(f"Money is rounded once: {where} to {number_in_words(rounding.to)} {contract.currency} ({_name(rounding.mode)}).")
        payable = "next period" if money.payable_in == "next_period" else "same period"
        lines.append(f"A credit goes on the invoice of the {payable}.")
    else:
        lines = ["No money is at stake."] if contract.kpis else []
    if money.conversion is not None:
        paid = money.conversion
        rate = number_in_words(paid.rate) if isinstance(paid.rate, Decimal) else f"what {_name(paid.rate)} says"
        lines.append(
            f"What is left after every limit is paid in {paid.to}, of which one {contract.currency} is {rate}, "
            f"by the rate of {paid.source} of {paid.on}."
        )
    if money.nature != "price_adjustment":
        nature = {"sole_remedy": "the only remedy for a miss", "without_prejudice": "paid without prejudice to other remedies"}
        lines.append(f"A credit is {nature.get(money.nature, _name(money.nature))}.")
    used = ("rates", "bases", "credits", "bonuses", "exclusive", "caps", "earn_back", "minimum", "rounding", "payable_in", "claim",
            "claim_within_days", "at_end", "invoice", "conversion", "nature")
    return lines + [f"Besides, {said}." for said in _also(money, *used)]


def _base(base: Base) -> str:
    if base.measure is not None:
        words = f"what {_name(base.measure)} says"
    elif base.fixed is not None:
        words = f"{number_in_words(base.fixed)} for each {'period' if base.per == 'period' else 'contract year'}"
    elif base.percent is not None:
        words = f"{number_in_words(base.percent)} % of {_name(base.of or '')}"
    elif base.credits is not None:
        named = [base.credits] if isinstance(base.credits, str) else base.credits
        words = "what was credited before" + ("" if named == ["all"] else f" for {_names(named)}")
    else:
        words = listed((_name(one) for one in base.plus), "plus") + (f" less {_names(base.minus)}" if base.minus else "")
    words += {"this": "", "previous": ", of the period before", "next": ", of the period after"}[base.in_period]
    words += ", without tax" if base.without_tax else ""
    scope = f", for {_scopes(base.for_each)}" if base.for_each is not None else ""
    scope += _allocation(base.allocation) if base.allocation is not None else ""
    used = ("measure", "fixed", "per", "percent", "of", "plus", "minus", "credits", "in_period", "without_tax", "for_each", "allocation")
    return words + scope + _and_also(base, *used).rstrip(".")


def _invoice(invoice: Invoice) -> str:
    over = {"refunded": "is paid out", "carried": "is taken off the next one", "lost": "is lost"}[invoice.below_zero]
    words = f"Credits are taken off {_name(invoice.of)}; what is more than the invoice {over}."
    if invoice.tax is not None:
        of = "what is left of it" if invoice.tax.of == "what_is_left" else "all of it, for a credit is no reduction of the price"
        words += f" {number_in_words(invoice.tax.percent)} % tax is added on {of}."
    return words


def _offset(offset: Offset) -> str:
    words = "; it is not paid, it only takes off credits"
    words += f" of {_names(offset.on)}" if offset.on else ""
    words += f", never those of {_names(offset.except_)}" if offset.except_ else ""
    words += f", never those of a failure in the band {listed(offset.except_bands, 'or')}" if offset.except_bands else ""
    words += " of later periods" if offset.starts == "next_period" else ""
    return words + (f", and what is left stays good for {_count(offset.keep, 'period')}" if offset.keep else ", and what is left lapses")


def _allocation(allocation: Allocation) -> str:
    said = [f"at most {number_in_words(allocation.in_all)} % in all"] if allocation.in_all is not None else []
    said += [f"at most {number_in_words(allocation.to_one)} % to one KPI"] if allocation.to_one is not None else []
    return f", of which {listed(said)} may be allotted"


def _payment(payment: Payment, what: str) -> str:
    named = [payment.for_] if isinstance(payment.for_, str) else payment.for_ or []
    whose = _names(named) if named else "The scope as a whole"
    if payment.name:
        whose = f"{payment.name} ({_names(named)})" if named else payment.name
    due = (
        _when(payment.when)
        if payment.when is not None
        else ""
        if _pays_by_curve(payment)
        else "the target is missed"
        if "credit" in what
        else "the target is met"
    )
    head = f"{whose[:1].upper()}{whose[1:]}{_clause(payment.clause)}: {what}"
    words = f"{head}{f' if {due}' if due else ''}: "
    if payment.pay is not None:
        words += _pay(payment.pay)
    elif payment.ladder is not None:
        words += _ladder(payment.ladder)
    if payment.multiply is not None:
        words += f"; multiplied {_repeat(payment.multiply)}"
    if payment.at_most is not None:
        words += f"; at most {_pay(payment.at_most)}"
    if payment.for_each is not None:
        words += f"; paid for {_scopes(payment.for_each)}"
    if payment.spread == "accumulated_periods":
        words += "; due in as many following periods as were accumulated"
    if payment.offsets is not None:
        words += _offset(payment.offsets)
    if payment.unless is not None:
        words += f"; nothing while {_when(payment.unless)}"
    words += f"; from {day_in_words(payment.from_)}" if payment.from_ is not None else ""
    words += f"; until before {day_in_words(payment.until)}" if payment.until is not None else ""
    used = (
        "name", "clause", "for_", "when", "pay", "ladder", "multiply", "at_most", "for_each", "spread", "offsets", "unless", "from_",
        "until",
    )  # fmt: skip
    return words + "." + _and_also(payment, *used)


def _pays_by_curve(payment: Payment) -> bool:
    return payment.pay is not None and isinstance(payment.pay.percent or payment.pay.amount, Curve)


def _pay(pay: Pay) -> str:
    how_much = pay.percent if pay.percent is not None else pay.amount
    unit = f" % of {_name(pay.of or '')}" if pay.percent is not None else " in money"
    words = curve_in_words(how_much, unit) if isinstance(how_much, Curve) else f"{number_in_words(how_much or Decimal(0))}{unit}"
    words += f", read at {_by(pay.by)}" if pay.by is not None else ""
    words += f", for the part {_name(pay.share.of)} out of {_name(pay.share.to)}" if pay.share is not None else ""
    words += f", times {number_in_words(pay.times)}" if pay.times is not None else ""
    words += "".join(_factor(factor) for factor in pay.factors)
    return words + _and_also(pay, "percent", "amount", "of", "by", "share", "times", "factors").rstrip(".")


def _factor(factor: Factor) -> str:
    if factor.number is not None:
        what = number_in_words(factor.number)
    elif factor.measure is not None:
        what = _name(factor.measure)
    else:
        at = f" read at {_by(factor.by)}" if factor.by is not None else ""
        what = f"a factor{at} ({curve_in_words(factor.curve) if factor.curve is not None else ''})"
    named = f" ({factor.name})" if factor.name and _name(factor.name) != what else ""
    rounded = f", rounded {_rounded(factor.round)}" if factor.round is not None else ""
    return f", {'divided by' if factor.divide else 'times'} {what}{named}{rounded}"


def _by(by: By) -> str:
    if by.measure is not None:
        return _name(by.measure)
    if by.count is not None:
        what = "failures of any KPI" if by.count.any_kpi else "failures"
        once = ", each paid for once" if by.count.once else ""
        return f"the number of {what} (missed {_name(by.count.missed)}) in {_count(by.count.last, 'period')}{once}"
    if by.total is not None:
        return f"the {by.total} of the scope" + (f" in the last {_count(by.last, 'period')} together" if by.last > 1 else "")
    if by.kpi is not None:
        return f"the value of {_name(by.kpi)}"
    if by.each_event is not None:
        return f"every single event of {_name(by.each_event)}"
    return f"the amount of {_name(by.base)}" if by.base is not None else _plainly(by)


def _ladder(ladder: Ladder) -> str:
    rungs = [
        f"failure {index}: {_pay(rung.pay)}" + (f" (at most {number_in_words(rung.at_most)})" if rung.at_most is not None else "")
        for index, rung in enumerate(ladder.rungs, 1)
    ]
    return f"counted over {_count(ladder.last, 'period')}, {'; '.join(rungs)}; the last goes on"


def _cap(cap: Cap) -> str:
    limit = (
        f"{number_in_words(cap.percent)} % of {_name(cap.of or '')}"
        if cap.percent is not None
        else number_in_words(cap.amount or Decimal(0))
    )
    if cap.rolling is not None:
        span = f"over {_count(cap.rolling, 'period')}, this one included"
    else:
        span = {
            "period": "in each period",
            "contract_year": "in each contract year",
            "calendar_year": "in each calendar year",
            "life": "over the whole contract",
        }.get(cap.each or "period", "")
    sums = cap.limits.capitalize()
    what = f"{sums} of {_names(cap.on)}" if cap.on else sums
    excess = "is lost" if cap.excess == "lost" else "is carried into the next period"
    scope = f", for {_scopes(cap.for_each)}" if cap.for_each is not None else ""
    name = f" (the {cap.name})" if cap.name else ""
    return f"{what} are at most {limit} {span}{scope}{name}{_clause(cap.clause)}; what exceeds it {excess}." + _and_also(
        cap, "name", "each", "rolling", "percent", "of", "amount", "limits", "on", "excess", "for_each", "clause"
    )


def _earn_back(back: EarnBack) -> str:
    whose = f" of {_names(back.for_)}" if back.for_ else ""
    how = "exceeds" if back.strictness == "exceeded" else "meets"
    run = (
        f"each of the next {_count(back.periods, 'period')} {how}"
        if back.within is None
        else f"{_count(back.periods, 'period')} in a row, complete within {back.within}, {how.removesuffix('s')}"
    )
    every = ", for every KPI in the scope" if back.whose == "all" else ""
    bands = f" A failure in the band {listed(back.except_bands, 'or')} is never earned back." if back.except_bands else ""
    if back.except_months:
        bands += f" Credits of {listed(_MONTHS[month - 1] for month in back.except_months)} stay."
    bands += f" No more than {number_in_words(back.at_most)} comes back for one credit." if back.at_most is not None else ""
    return (
        f"{number_in_words(back.percent)} % of a credit{whose} comes back if {run} the {_name(back.level)}{every}"
        f"{_offset(back.offsets) if back.offsets is not None else ''}{_clause(back.clause)}.{bands}"
        + _and_also(back, "percent", "periods", "within", "whose", "level", "strictness", "for_", "except_bands", "offsets", "clause",
                    "except_months", "at_most")
    )


# Conditions


def _when(when: When) -> str:
    kpi = "any KPI with a target" if when.any_kpi else _name(when.kpi) if when.kpi else "it"
    if when.missed is not None:
        said = f"{kpi} misses the {_name(when.missed)}"
    elif when.met is not None:
        said = f"{kpi} meets the {_name(when.met)}"
    elif when.exceeded is not None:
        said = f"{kpi} exceeds the {_name(when.exceeded)}"
    elif when.band:
        said = f"{kpi} lies in the band {listed(when.band, 'or')}"
    elif when.credit_percent is not None:
        said = f"credits reach {number_in_words(when.credit_percent)} % of {_name(when.of or '')}"
    elif when.credited:
        said = "a credit arises"
    elif when.at_cap is not None:
        said = f"the {when.at_cap} is reached"
    elif when.points_at_least is not None:
        said = f"points reach {number_in_words(when.points_at_least)}"
    elif when.all or when.either:
        said = listed((_when(one) for one in when.all), "and") or listed((_when(one) for one in when.either), "or")
    elif when.score_below is not None:
        said = f"the score lies below {number_in_words(when.score_below)}"
    else:
        said = f"{kpi} misses the target" if when.window is None else kpi
    if when.months:
        said += f", in {listed(_MONTHS[month - 1] for month in when.months)}"
    used = (
        "kpi",
        "any_kpi",
        "missed",
        "met",
        "exceeded",
        "band",
        "credit_percent",
        "of",
        "credited",
        "at_cap",
        "points_at_least",
        "score_below",
        "all",
        "either",
        "months",
        "window",
    )
    return said + (f" {_window(when.window)}" if when.window is not None else "") + _and_also(when, *used).rstrip(".")


def _window(window: Window) -> str:
    last = _count(window.last, "period")
    if window.summed:
        return f"in the last {last} together"
    if window.in_a_row is not None:
        return f"in {window.in_a_row} periods in a row"
    if window.mean_below is not None and window.mean_above is not None:
        ends = f"below {number_in_words(window.mean_below)} or above {number_in_words(window.mean_above)}"
        return f"with a mean {ends} over the last {last}"
    if window.mean_below is not None:
        return f"with a mean below {number_in_words(window.mean_below)} over the last {last}"
    if window.mean_above is not None:
        return f"with a mean above {number_in_words(window.mean_above)} over the last {last}"
    if window.at_least is not None:
        return f"in at least {window.at_least} of the last {last}"
    return f"in each of the last {last}" if window.last > 1 else "in the period"


def _right(right: RightRule) -> str:
    words = f"{right.name[:1].upper()}{right.name[1:]}{_clause(right.clause)} arises if {_when(right.when)}, for {_scopes(right.for_each)}."
    words += " Relief takes the money and leaves the right." if right.despite_relief else ""
    words += f" There are {_count(right.cure_days, 'day')} to cure." if right.cure_days is not None else ""
    words += f" Notice is {_count(right.notice_days, 'day')}." if right.notice_days is not None else ""
    return words + _and_also(right, "name", "clause", "when", "for_each", "despite_relief", "cure_days", "notice_days")


def _ratchets(contract: Contract) -> list[str]:
    ways = {"halfway_to_mean": "half the way to the mean", "best": "to the best result"}
    return [
        f"If {_name(one.kpi)} exceeds its {_name(one.level)} in {_count(one.periods, 'period')} in a row, the level moves "
        f"{ways.get(one.way) or f'by {number_in_words(one.step or Decimal(0))}'}{_clause(one.clause)}; "
        f"this is proposed and needs an amendment.{_no_further(one)}"
        for one in contract.ratchets
    ]


def _no_further(one: Ratchet) -> str:
    if one.at_most_percent_of_gap is None:
        return ""
    return f" It moves by at most {number_in_words(one.at_most_percent_of_gap)} % of the gap to perfection."


def _relief(contract: Contract) -> list[str]:
    effects = {
        "drop_span": "its days are taken out",
        "drop_period": "the period is taken out",
        "cancel_money": "the money falls away, and the result stands",
        "lower_target": "levels are eased for the periods it touches",
    }
    return [
        f"{one.cause}{_clause(one.clause)}: {effects.get(one.effect, _name(one.effect))}{_eased(one.levels)}."
        + (f" Notice within {_count(one.notice_business_days, 'business day')}." if one.notice_business_days is not None else "")
        + _and_also(one, "cause", "clause", "effect", "levels", "notice_business_days")
        for one in contract.relief
    ]


def _eased(levels: Mapping[str, Mapping[str, Decimal]]) -> str:
    said = [f"{_name(level)} {number_in_words(at)} for {_name(kpi)}" for kpi, held in levels.items() for level, at in held.items()]
    return f", to {listed(said)}" if said else ""


# People


def _escalation(contract: Contract) -> list[str]:
    escalation = contract.escalation
    lines = [_rule(rule) for rule in escalation.rules]
    lines += [_level_of(level) for level in escalation.levels]
    if lines:
        calendar = f"the calendar {escalation.calendar}" if escalation.calendar else "Monday to Friday, 9 to 17 o'clock"
        lines.append(
            f"Clocks run in {calendar}. A problem that returns within {_count(escalation.reopen_within_periods, 'period')} "
            "reopens its ticket one level higher."
        )
    return lines + [f"Besides, {said}." for said in _also(escalation, "calendar", "rules", "levels", "reopen_within_periods")]


def _rule(rule: EscalationRule) -> str:
    on = rule.on
    if on.no_data is not None:
        cause = f"nothing was delivered for {_name(on.kpi) if on.kpi else 'a KPI'} in {_count(on.no_data, 'period')} in a row"
    else:
        kpi = _name(on.kpi) if on.kpi else "a KPI"
        often = "" if on.last == on.at_least == 1 else f" in at least {on.at_least} of the last {_count(on.last, 'judged period')}"
        cause = f"{kpi} misses its {_name(on.missed)}{often}"
    return (
        f"“{rule.name}”{_clause(rule.clause)}: a {rule.severity} ticket opens if {cause}. It is over after "
        f"{_count(rule.clear.good, 'good period')} in a row (at the {_name(rule.clear.level)})."
        + _and_also(on, "kpi", "missed", "last", "at_least", "no_data")
        + _and_also(rule, "name", "on", "clear", "severity", "clause")
    )


def _level_of(level: EscalationLevel) -> str:
    said = f"Level {level.level} calls {listed(level.to)}"
    if level.after is not None:
        said += f" after {_within(level.after.days, level.after.hours)} unless {_name(level.after.unless)}"
    said += "."
    if level.acknowledge_within is not None:
        said += f" They acknowledge within {_time(level.acknowledge_within)}."
    if level.plan_within is not None:
        said += f" A corrective action plan is due within {_time(level.plan_within)}."
    if level.agenda is not None:
        said += f" It goes on the agenda of {level.agenda}."
    return said + _and_also(level, "level", "to", "after", "acknowledge_within", "plan_within", "agenda")


def _time(within: Within) -> str:
    return _within(within.days, within.hours)


def _within(days: int, hours: int) -> str:
    parts = [_count(days, "business day")] if days else []
    parts += [_count(hours, "business hour")] if hours else []
    return listed(parts) or "no time"


def _governance(contract: Contract) -> list[str]:
    lines = []
    for forum in contract.forums:
        chair = f", chaired by {forum.chair}" if forum.chair else ""
        lines.append(
            f"{forum.name}: {_recurs(forum.rrule)} at {forum.at} ({forum.zone or contract.time_zone}){chair}."
            + _and_also(forum, "name", "rrule", "at", "zone", "chair")
        )
    for report in contract.reports:
        check = (
            f"; the vendor has {_count(report.vendor_check_days, 'business day')} to check the draft"
            if report.vendor_check_days is not None
            else ""
        )
        lines.append(
            f"{report.name[:1].upper()}{report.name[1:]}: due {_count(report.due_days, 'business day')} after the period ends{check}."
            + _and_also(report, "name", "due_days", "vendor_check_days")
        )
    for duty in contract.obligations:
        owner = f", owed by {duty.owner}" if duty.owner else ""
        lines.append(f"{duty.name}: due on {day_in_words(duty.due)}{owner}." + _and_also(duty, "name", "due", "owner"))
    return lines


_WEEKDAYS = {"MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday", "SA": "Saturday", "SU": "Sunday"}
_PLACES = {"1": "first", "2": "second", "3": "third", "4": "fourth", "-1": "last"}


def _recurs(rrule: str) -> str:
    """The recurrence rules that forums commonly have, in words; any other as it is written."""
    parts = dict(part.split("=", 1) for part in rrule.removeprefix("RRULE:").split(";") if "=" in part)
    days = [(word[:-2], _WEEKDAYS.get(word[-2:])) for word in parts.get("BYDAY", "").split(",") if word]
    interval = parts.get("INTERVAL", "1")
    if not parts.keys() <= {"FREQ", "INTERVAL", "BYDAY"} or not days or any(name is None for _, name in days):
        return f"by the rule {rrule}"
    if parts.get("FREQ") == "WEEKLY" and not any(place for place, _ in days):
        every = "every" if interval == "1" else f"every {interval} weeks on"
        return f"{every} {listed(str(name) for _, name in days)}"
    if parts.get("FREQ") == "MONTHLY" and all(place in _PLACES for place, _ in days):
        month = "month" if interval == "1" else f"{interval} months"
        return f"on the {listed(f'{_PLACES[place]} {name}' for place, name in days)} every {month}"
    return f"by the rule {rrule}"


def _citations(contract: Contract) -> list[str]:
    lines = []
    for one in contract.citations:
        places = [part for part in (one.clause, f"page {one.page}" if one.page else None) if part]
        quote = f": “{one.quote}”" if one.quote else ""
        lines.append(f"{one.at} stands in {', '.join(places) or 'the executed document'}{quote}.")
    lines += [f"Worked example: {one.name}." for one in contract.examples]
    return lines


__all__ = ["counted", "curve_in_words", "day_in_words", "explain", "levels_in_words", "listed", "number_in_words"]
