"""What is measured and promised: whether KPIs can be computed, and whether their levels, bands, scores and weights say one thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from contracts import document as d
from contracts.checking_names import level_names, measures_in, rule_kpis, times_of
from contracts.curve import Allowance, Curve, Each, Step
from contracts.errors import Finding
from contracts.holes import HOLE, Unread
from contracts.questions import Place, Questions

PARTS = Questions()
"""Asked of single parts, before any is held against another."""

KPIS = Questions()


# Measures


@KPIS.about(d.Measure)
def a_measure_is_no_part_of_itself(measure: d.Measure, at: Place) -> Iterator[Finding]:
    seen, name = {at.name}, measure.part_of
    while name is not None and name not in seen:
        seen.add(name)
        name = at.contract.measures[name].part_of
    if name is not None and name == at.name:
        yield at.error("part_of", f"{at.name} is a part of itself", "Name the whole it is a part of.")


@KPIS.about(d.Measure)
def a_part_and_its_whole_are_of_one_kind(measure: d.Measure, at: Place) -> Iterator[Finding]:
    if measure.part_of is not None and at.contract.measures[measure.part_of].money != measure.money:
        kinds = {True: "money", False: "a count"}
        message = f"{at.name} is {kinds[measure.money]} and a part of {measure.part_of}, which is {kinds[not measure.money]}"
        yield at.error("part_of", message, "Name a whole of its own kind, or correct `money`.")


@PARTS.about(d.Measure)
def a_measure_comes_from_one_side(measure: d.Measure, at: Place) -> Iterator[Finding]:
    if measure.events is not None and measure.given:
        yield at.error("events", f"{at.name} is reported and counted at once", "Drop given, or events.")
    elif measure.percentile and not measure.given:
        yield at.error("percentile", f"{at.name} is no reported value", "Write given: true, or measure the percentile.")
    elif measure.events is not None and measure.snapshot:
        yield at.error("snapshot", f"{at.name} is made from events, and a state is not", "Drop snapshot, or events.")


@PARTS.about(d.Measure)
def the_time_of_the_period_is_nothing_else(measure: d.Measure, at: Place) -> Iterator[Finding]:
    if measure.time is not None and (measure.events is not None or measure.given or measure.money):
        yield at.error("time", f"{at.name} is the time of the period and something else at once", "Drop one of them.")


@PARTS.about(d.FromEvents)
def only_durations_are_split(events: d.FromEvents, at: Place) -> Iterator[Finding]:
    if events.at == "each_day" and events.take not in ("seconds", "minutes", "hours", "days"):
        message = f"the {events.take} of an event cannot be split over its days"
        yield at.error("at", message, "Take minutes or hours, or drop it.")


def _units(events: d.FromEvents) -> set[str]:
    """Everything that is asked of an event: what is taken, and what its ranges are of."""
    return {events.take, *(one.of for one in events.only)}


@PARTS.about(d.FromEvents)
def working_days_are_those_of_a_calendar(events: d.FromEvents, at: Place) -> Iterator[Finding]:
    if "working_days" in _units(events) and events.calendar is None:
        yield at.error("calendar", f"the working days of {events.kind} are those of a calendar, and none is named", "Write calendar.")


@PARTS.about(d.FromEvents)
def dates_have_no_pauses(events: d.FromEvents, at: Place) -> Iterator[Finding]:
    if events.pauses and _units(events) & {"working_days", "calendar_days"}:
        yield at.error("pauses", "dates are counted, and a pause stops a clock", "Take hours, or drop pauses.")


@PARTS.about(d.FromEvents)
def what_is_open_is_counted_one_by_one(events: d.FromEvents, at: Place) -> Iterator[Finding]:
    if events.at == "period_end" and events.overlap == "once":
        yield at.error("overlap", "what is open at the end of a period is counted one by one", "Write overlap: added.")


@PARTS.about(d.FromEvents)
def only_durations_overlap(events: d.FromEvents, at: Place) -> Iterator[Finding]:
    if events.overlap != "once":
        return
    if events.take not in ("seconds", "minutes", "hours", "days"):
        message = f"only time can overlap, and this takes the {events.take}"
        yield at.error("overlap", message, "Take minutes or hours, or drop it.")
    elif events.value_percent:
        yield at.error("overlap", "events that count by a percentage cannot be taken together", "Write overlap: added.")


@KPIS.about(d.FromEvents)
def a_calendar_is_for_durations(events: d.FromEvents, at: Place) -> Iterator[Finding]:
    lasting = events.take not in ("count", "value")
    if events.calendar is not None and not lasting and all(one.of == "value" for one in events.only):
        yield at.warning("calendar", f"events are taken by {events.take}, for which no calendar is needed", "Drop it, or take a duration.")


@KPIS.about(d.FromEvents)
def pauses_stop_a_clock(events: d.FromEvents, at: Place) -> Iterator[Finding]:
    timed = events.take not in ("count", "value") or any(one.of != "value" for one in events.only)
    if events.pauses and not timed:
        yield at.warning("pauses", "no duration is asked for, so pauses change nothing", "Drop them.")
    for index, kind in enumerate(events.pauses):
        if kind == events.kind:
            yield at.error(("pauses", index), f"{events.kind} would stop its own clock", "Name what interrupts it.")


@PARTS.about(d.EventFilter)
def a_filter_lets_something_through(one: d.EventFilter, at: Place) -> Iterator[Finding]:
    for pair in (("at_least", "more_than"), ("at_most", "less_than")):
        if all(getattr(one, name) is not None for name in pair):
            yield at.error(pair[1], f"the range has two ends on one side, {pair[0]} and {pair[1]}", "Keep one of the two.")
            return
    low = one.at_least if one.at_least is not None else one.more_than
    high = one.at_most if one.at_most is not None else one.less_than
    closed = one.at_least is not None and one.at_most is not None
    if low is not None and high is not None and (low > high or (low == high and not closed)):
        yield at.error("", f"no event can lie between {low} and {high}", "Correct the ends.")


@PARTS.about(d.EventFilter)
def no_duration_is_negative(one: d.EventFilter, at: Place) -> Iterator[Finding]:
    for name in ("at_least", "more_than", "at_most", "less_than"):
        end = getattr(one, name)
        if end is not None and one.of != "value" and end < 0:
            yield at.error(name, f"no event lasts {end} {one.of}", "Write 0 or more.")


@KPIS.about(d.Contract)
def every_measure_is_used(contract: d.Contract, at: Place) -> Iterator[Finding]:
    used = _used_measures(contract)
    for name in contract.measures:
        if name not in used:
            yield at.note(("measures", name), f"{name} is delivered and used by nothing", "Drop it, or use it.")


def _used_measures(contract: d.Contract) -> set[str]:
    """Every measure that something reads. Raises Unread where some place that could name one is not known."""
    used: set[str] = set()
    for kpi in contract.kpis.values():
        used.update(name for _, counts in counts_of(kpi.value) for name in measures_in(counts))
        used.update(name for name in (kpi.value.given, kpi.sample.of if kpi.sample is not None else None) if name is not None)
        for levels in kpi.levels:
            if levels.when is not None:
                used.add(levels.when.measure)
                ends = (levels.when.at_least, levels.when.less_than)
                used.update(end.of for end in ends if isinstance(end, d.LevelShare) and end.of is not None)
            used.update(number.of for number in levels.at.values() if isinstance(number, d.LevelShare) and number.of is not None)
        used.update(name for operand in _operands(kpi.value.derived) for name in (operand.measure,) if name is not None)
        used.update(_allowed_of(curve) for curve in (kpi.score, kpi.points))
    used.update(one.rate for one in contract.money.rates.values() if isinstance(one.rate, str))
    if contract.money.conversion is not None and isinstance(contract.money.conversion.rate, str):
        used.add(contract.money.conversion.rate)
    for deduction in contract.scoring.deductions:
        used.update(name for name in (deduction.by.measure, _allowed_of(deduction.give)) if name is not None)
    for base in contract.money.bases.values():
        used.update(name for name in (base.measure, base.of, *base.plus, *base.minus) if name is not None)
    for scope in contract.scope:
        if scope.volume is not None:
            used.update(name for name in (scope.volume.forecast, scope.volume.actual) if name is not None)
    used.update(one.part_of for one in contract.measures.values() if one.part_of is not None)
    for payment in (*contract.money.credits, *contract.money.bonuses):
        for _, pay in pays_of(payment):
            for by in (pay.by, *(factor.by for factor in pay.factors)):
                used.update(name for name in (by.measure, by.each_event) if name is not None) if by is not None else None
            used.update(factor.measure for factor in pay.factors if factor.measure is not None)
            used.update((pay.share.of, pay.share.to) if pay.share is not None else ())
            curves = [pay.percent, pay.amount, *(factor.curve for factor in pay.factors)]
            used.update(_allowed_of(curve) for curve in curves if isinstance(curve, Curve))
    return {name for name in used if name}


def _allowed_of(curve: Curve | None) -> str:
    """The measure that a curve's allowance is a share of, if it has one."""
    if curve is None or curve.each is None or not isinstance(curve.each.allowance, Allowance):
        return ""
    return curve.each.allowance.of or ""


def counts_of(value: d.Value) -> Iterator[tuple[tuple[str, ...], d.Counts]]:
    """Every sum of counts that a value is made from, with the step that leads to it."""
    for name in ("ratio", "mean", "rate", "stratified"):
        part: Any = getattr(value, name)
        if part is not None:
            sides = ("of", "per") if name == "mean" else ("of", "to", "volume") if name == "stratified" else ("of", "to")
            yield from (((name, side), getattr(part, side)) for side in sides)
    if value.intervals is not None:
        inner: Any = value.intervals.ratio if value.intervals.ratio is not None else value.intervals.mean
        if inner is not None:
            name = "ratio" if value.intervals.ratio is not None else "mean"
            yield from ((("intervals", name, side), getattr(inner, side)) for side in ("of", "to" if name == "ratio" else "per"))
    if value.percentile is not None:
        if value.percentile.of is not None:
            yield ("percentile", "of"), value.percentile.of
        yield from ((("percentile", "histogram"), one.measure) for one in value.percentile.histogram)
    for name in ("sum", "count", "last"):
        counts = getattr(value, name)
        if counts is not None:
            yield (name,), counts


def pays_of(payment: d.Payment) -> Iterator[tuple[tuple[str | int, ...], d.Pay]]:
    """Every amount that a rule names, with the step that leads to it."""
    if payment.pay is not None:
        yield ("pay",), payment.pay
    for index, rung in enumerate(payment.ladder.rungs if payment.ladder is not None else []):
        yield ("ladder", "rungs", index, "pay"), rung.pay
    if payment.at_most is not None:
        yield ("at_most",), payment.at_most


# Values


@KPIS.about(d.Contract)
def something_is_judged(contract: d.Contract, at: Place) -> Iterator[Finding]:
    if not contract.kpis and not contract.money.credits and not contract.money.bonuses:
        yield at.warning("kpis", "the contract judges nothing", "Add a KPI.")


@KPIS.about(d.Value)
def sums_add_one_kind(value: d.Value, at: Place) -> Iterator[Finding]:
    for steps, counts in counts_of(value):
        names = measures_in(counts)
        kinds = {at.contract.measures[name].money for name in names}
        if len(kinds) > 1:
            amounts = ", ".join(name for name in names if at.contract.measures[name].money)
            yield at.error(steps, f"{amounts} is money, and is added to counts", "Add what is of one kind.")


@KPIS.about(d.Value)
def only_counts_are_added(value: d.Value, at: Place) -> Iterator[Finding]:
    for steps, counts in counts_of(value):
        for name in measures_in(counts):
            if at.contract.measures[name].given:
                repair = f"Write given: {name} as the value, or deliver its counts."
                yield at.error(steps, f"{name} is a reported result, of which no counts are known", repair)


@KPIS.about(d.Value)
def nothing_is_counted_twice(value: d.Value, at: Place) -> Iterator[Finding]:
    for steps, counts in counts_of(value):
        names = [] if isinstance(counts, str) else measures_in(counts)
        for name in {name for name in names if names.count(name) > 1}:
            is_plain = isinstance(counts, list) and all(isinstance(one, str) for one in counts)
            if not is_plain:  # A plain list with an entry twice has been reported as such.
                yield at.error(steps, f"{name} enters the same sum twice", "Name it once, with a factor if that is meant.")


@PARTS.about(d.Value)
def a_term_counts(value: d.Value, at: Place) -> Iterator[Finding]:
    for steps, counts in counts_of(value):
        if any(times == 0 for times in times_of(counts)):
            yield at.error(steps, "a term with the factor 0 counts nothing", "Drop it, or write its factor.")


@PARTS.about(d.Ratio)
def a_ratio_has_two_sides(ratio: d.Ratio, at: Place) -> Iterator[Finding]:
    if ratio.of == ratio.to:
        yield at.error("to", "the ratio is of a number to itself, and always 100 %", "Name the whole.")


@PARTS.about(d.Share)
def a_share_has_two_sides(share: d.Share, at: Place) -> Iterator[Finding]:
    if share.of == share.to:
        yield at.error("to", f"the share is of {share.of} in itself, and always the whole", "Name the whole.")


@PARTS.about(d.Percentile)
def classes_of_a_histogram_follow_each_other(percentile: d.Percentile, at: Place) -> Iterator[Finding]:
    edges = [one.up_to for one in percentile.histogram]
    closed = [edge for edge in edges if edge is not None]
    if closed != sorted(set(closed)) or None in edges[:-1]:
        yield at.error("histogram", "the classes do not follow each other", "Order them by up_to; only the last may have none.")


@PARTS.about(d.Percentile)
def classes_of_a_histogram_count_different_things(percentile: d.Percentile, at: Place) -> Iterator[Finding]:
    names = [one.measure for one in percentile.histogram]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield at.error(("histogram", index, "measure"), f"{name} counts two classes", "Name the measure of this class.")


@PARTS.about(d.Derived)
def an_operation_has_its_operands(derived: d.Derived, at: Place) -> Iterator[Finding]:
    for name, least in (("difference", 2), ("quotient", 2)):
        operands = getattr(derived, name)
        if operands is not None and len(operands) < least:
            yield at.error(name, f"a {name} of {len(operands)} is none", "Write two operands.")
    if derived.quotient is not None and len(derived.quotient) > 2:
        yield at.error("quotient", f"a quotient has two operands, and this one {len(derived.quotient)}", "Nest a derivation.")
    for index, operand in enumerate(derived.quotient[1:] if derived.quotient is not None else []):
        if operand.number is not None and operand.number == 0:
            yield at.error(("quotient", index + 1, "number"), "nothing can be divided by 0", "Write another number.")


def _operands(derived: d.Derived | None) -> list[d.Operand]:
    """Every operand of a derivation, also of those inside it."""
    found: list[d.Operand] = []
    for name in derived.__struct_fields__ if derived is not None else ():
        for operand in getattr(derived, name) or ():
            found += [operand, *_operands(operand.derived)]
    return found


@KPIS.about(d.Contract)
def kpis_do_not_wait_for_each_other(contract: d.Contract, at: Place) -> Iterator[Finding]:
    waiting = {name: _rests_on(kpi) for name, kpi in contract.kpis.items()}
    done: set[str] = set()
    while ready := [name for name, others in waiting.items() if others <= done]:
        done.update(ready)
        for name in ready:
            del waiting[name]
    if waiting:
        names = list(waiting)
        # Those at the end of the chain only wait for the circle.
        circle = [name for name in names if any(name in waiting[other] for other in names)]
        if len(circle) == 1:
            yield at.error(("kpis", circle[0], "value"), f"{circle[0]} is computed from itself", "Compute it from another KPI.")
        else:
            yield at.error(("kpis", circle[0], "value"), f"{', '.join(circle)} are computed from each other", "Count one of them.")


def _rests_on(kpi: d.Kpi) -> set[str]:
    """The KPIs whose results of the same period it needs; earlier results make no circle."""
    found: set[str] = set()
    for levels in kpi.levels:
        ends = () if levels.when is None else (levels.when.at_least, levels.when.less_than)
        found |= {number.kpi for number in (*levels.at.values(), *ends) if isinstance(number, d.LevelShare) and number.kpi}
    found |= {operand.kpi for operand in _operands(kpi.value.derived) if operand.kpi is not None}
    found |= {kpi.value.moving_mean.of} if kpi.value.moving_mean is not None else set()
    found |= {kpi.value.across.of} if kpi.value.across is not None else set()
    return found | ({kpi.value.share_met.of} if kpi.value.share_met is not None else set())


@KPIS.about(d.ShareMet)
def a_share_of_scopes_looks_at_finer_ones(share: d.ShareMet, at: Place) -> Iterator[Finding]:
    kpi = at.inside(d.Kpi)
    other = at.contract.kpis[share.of]
    if kpi is not None and set(other.for_each) <= set(kpi.for_each) and other is not kpi:
        message = f"{share.of} is judged for {', '.join(other.for_each) or 'the whole contract'}, which is no finer than this KPI"
        yield at.warning("of", message, "Let it be judged at finer scopes, or judge this one at a wider one.")


@KPIS.about(d.Across)
def a_figure_across_scopes_has_several_results(across: d.Across, at: Place) -> Iterator[Finding]:
    kpi = at.inside(d.Kpi)
    other = at.contract.kpis[across.of]
    if kpi is not None and other is not kpi and not set(other.for_each) - set(kpi.for_each):
        message = f"{across.of} is judged no finer than this KPI, so there is one result to take"
        yield at.error("of", message, "Judge it for_each of less: for_each: [] for the whole contract.")


@KPIS.about(d.MovingMean)
def a_mean_over_periods_fits_the_term(mean: d.MovingMean, at: Place) -> Iterator[Finding]:
    if mean.periods is not None and mean.periods == 1:
        yield at.error("periods", "the mean of 1 periods is no mean", "Write 2 or more.")
    elif mean.periods is not None:
        yield from longer_than_the_term(at, "periods", mean.periods)


@KPIS.about(d.MovingMean)
def a_mean_since_the_review_has_one(mean: d.MovingMean, at: Place) -> Iterator[Finding]:
    if mean.since == "review" and at.contract.reviewed is None:
        yield at.error("since", "nothing says when reviews begin", "Write reviewed: {each: year}.")


@KPIS.about(d.MovingMean)
def a_mean_by_counts_has_counts(mean: d.MovingMean, at: Place) -> Iterator[Finding]:
    if mean.by == "counts" and (kind := kind_of(at.contract.kpis[mean.of].value)) not in ("ratio", "mean", "rate"):
        yield at.error("by", f"a {kind.replace('_', ' ')} has no counts to add", "Write by: results.")


@KPIS.about(d.Operand)
def an_earlier_result_lies_inside_the_term(operand: d.Operand, at: Place) -> Iterator[Finding]:
    if operand.previous is not None:
        yield from longer_than_the_term(at, "back", operand.back + 1)


def longer_than_the_term(at: Place, step: str | tuple[str | int, ...], periods: int) -> Iterator[Finding]:
    """That something looks at more periods than the contract has."""
    longest = periods_in_term(at.contract)
    if longest is not None and periods > longest:
        yield at.error(step, f"it looks at {periods} periods, and the contract has {longest}", "Shorten it.")


def periods_in_term(contract: d.Contract) -> int | None:
    """How many periods the contract has, a part of one counted; None without an end."""
    held = contract.in_force
    if held.until is None:
        return None
    days = (held.until - held.from_).days
    length = {"day": Decimal(1), "week": Decimal(7), "month": Decimal("30.4"), "quarter": Decimal("91.3"), "year": Decimal("365.2")}
    return max(1, round(days / length[contract.measured.each]))


# Units, direction and levels


def is_percentage(value: d.Value) -> bool:
    """Whether the value runs in percent; a mean of intervals need not."""
    each = value.intervals
    is_amount = each is not None and each.take == "mean" and each.mean is not None
    is_amount = is_amount or (value.share_met is not None and value.share_met.give != "percent")
    return kind_of(value) in PERCENTAGES and not is_amount


def kind_of(value: d.Value) -> str:
    """Which kind of value it is. Raises Unread where it says several, or none: that has been reported."""
    given = [name for name in value.__struct_fields__ if getattr(value, name) is not None]
    if len(given) != 1:
        raise Unread
    return given[0]


PERCENTAGES = ("ratio", "intervals", "stratified", "share_met")
"""Kinds of value that are percentages."""


@KPIS.about(d.Kpi)
def the_unit_is_the_value_s(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    kind = kind_of(kpi.value)
    if kpi.unit is None:
        return
    if is_percentage(kpi.value) and kpi.unit != "percent":
        yield at.error("unit", f"{at.name} is a percentage, and its unit is {kpi.unit}", "Write percent, or drop the unit.")
    elif kpi.unit == "percent" and kind in ("sum", "count", "last", "mean"):
        yield at.error("unit", f"a {kind} of counts is no percentage", "Write a ratio, or another unit.")
    elif kind in ("sum", "last"):
        amounts = {at.contract.measures[name].money for _, counts in counts_of(kpi.value) for name in measures_in(counts)}
        if amounts == {True} and kpi.unit != "money":
            yield at.error("unit", f"amounts of money are added, and the unit is {kpi.unit}", "Write money, or drop the unit.")
        if amounts == {False} and kpi.unit == "money":
            yield at.error("unit", "counts are added, and the unit is money", "Write money: true under the measures, or another unit.")


@PARTS.about(d.Kpi)
def the_boundary_goes_with_the_direction(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    if kpi.boundary is None:
        return
    if kpi.better == "lower" and kpi.boundary in ("at_least", "more_than"):
        yield at.error("boundary", f"lower is better, and {kpi.boundary} asks for more", "Write at_most or less_than.")
    elif kpi.better == "higher" and kpi.boundary in ("at_most", "less_than"):
        yield at.error("boundary", f"higher is better, and {kpi.boundary} asks for less", "Write at_least or more_than.")
    elif kpi.better == "inside":
        yield at.warning("boundary", "a KPI that is to lie inside meets at both ends, whatever the boundary says", "Drop the boundary.")


@KPIS.about(d.Kpi)
def the_direction_is_said(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    """A percentage may leave it to the default. For times, rates and counts *higher* is more often wrong than right."""
    is_judged = kpi.target is not None or kpi.levels or kpi.score is not None or kpi.points is not None
    if not is_judged or kpi.unit == "percent" or not at.was_left_out("better"):
        return
    if is_percentage(_taken_from(kpi, at.contract).value) or _slope(kpi) is not None:
        return
    message = f"nothing says which way {at.name} is better, and it is no percentage"
    yield at.warning("better", message, "Write better: higher, lower or inside.")


def _taken_from(kpi: d.Kpi, contract: d.Contract) -> d.Kpi:
    """The KPI whose results this one takes together, if it does; of that one the same."""
    for _ in contract.kpis:
        of = kpi.value.moving_mean or kpi.value.across
        if of is None:
            break
        kpi = contract.kpis[of.of]
    return kpi


@KPIS.about(d.Kpi)
def the_curves_go_with_the_direction(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    slope = _slope(kpi)
    if slope is not None and kpi.better != "inside" and slope[1] != kpi.better:
        name, other = slope
        said = "`better` is not written, which means higher," if at.was_left_out("better") else f"better: {kpi.better}"
        yield at.error("better", f"{said} and {name} says that {other} is better", f"Write better: {other}, or correct {name}.")


def _slope(kpi: d.Kpi) -> tuple[str, str] | None:
    """Which way the KPI's own curves say is better: a score that rises, points that fall; None if they do not say."""
    for name, curve, rising in (("score", kpi.score, "higher"), ("points", kpi.points, "lower")):
        if curve is None:
            continue
        amounts: list[Decimal] = []
        if curve.line is not None and all(isinstance(corner.at, Decimal) for corner in curve.line):
            amounts = [corner.give for corner in curve.line]
        elif curve.steps is not None:
            ends = [(step.at_least if step.at_least is not None else step.more_than, step.give) for step in curve.steps]
            if all(end is None or isinstance(end, Decimal) for end, _ in ends):
                bottom = [give for end, give in ends if end is None]
                above = sorted((end, give) for end, give in ends if isinstance(end, Decimal) and give is not None)
                amounts = [give for give in (*bottom, *(give for _, give in above)) if give is not None]
        falls, rises = any(b < a for a, b in pairwise(amounts)), any(b > a for a, b in pairwise(amounts))
        if falls != rises:
            return name, rising if rises else {"higher": "lower", "lower": "higher"}[rising]
    return None


@KPIS.about(d.Kpi)
def a_zero_denominator_is_provided_for(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    if kind_of(kpi.value) in ("ratio", "mean", "rate", "stratified") and kpi.no_volume is None and kpi.sample is None:
        yield at.warning(
            "no_volume",
            f"nothing says what {at.name} counts as when its denominator is zero",
            "Write no_volume: not_judged, met or missed; until then it is not judged.",
        )


@KPIS.about(d.Kpi)
def a_zero_denominator_can_be(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    if kpi.no_volume is not None and kind_of(kpi.value) in ("sum", "count", "last", "given", "moving_mean"):
        yield at.warning("no_volume", f"a {kind_of(kpi.value).replace('_', ' ')} has no denominator that could be zero", "Drop it.")


def _each_level(kpi: d.Kpi) -> Iterator[tuple[tuple[str | int, ...], str, Decimal]]:
    """Every level that is a number."""
    if kpi.target is not HOLE and kpi.target is not None:
        yield ("target",), "target", kpi.target
    for index, levels in enumerate(kpi.levels):
        if levels is HOLE or levels.at is HOLE:
            continue
        for name, number in levels.at.items():
            if number is not HOLE and isinstance(number, Decimal):
                yield ("levels", index, "at", name), name, number


@PARTS.about(d.Kpi)
def levels_lie_where_values_can(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    kind = kind_of(kpi.value)
    for steps, _, number in _each_level(kpi):
        if kind in ("intervals", "stratified", "share_met") and is_percentage(kpi.value) and not 0 <= number <= 100:
            yield at.error(steps, f"no percentage can be {number}", "Write 0 to 100.")
        elif kind == "ratio" and number < 0 and not _can_be_negative(kpi.value, at.contract):
            yield at.error(steps, f"no percentage can be {number}", "Write 0 or more.")
        elif kind == "ratio" and number > 100 and _is_of_a_part(kpi.value, at.contract):
            yield at.error(steps, f"no part can be {number} % of its whole", "Write 0 to 100.")
        elif kind in ("count", "sum", "mean", "rate", "last") and number < 0 and not _can_be_negative(kpi.value, at.contract):
            yield at.error(steps, f"no {kind} of counts can be {number}", "Write 0 or more.")
        elif kind == "ratio" and kpi.better == "higher" and 0 < number < 1:
            yield at.warning(steps, f"{number} is below one percent", f"Percent runs from 0 to 100: write {100 * number} if that is meant.")


def _can_be_negative(value: d.Value, contract: d.Contract) -> bool:
    """Whether something is taken off, or a measure may itself lie below zero."""
    if any(contract.measures[name].may_be_negative for _, counts in counts_of(value) for name in measures_in(counts)):
        return True
    sums = [counts for _, counts in counts_of(value)]
    return any((isinstance(one, d.Signed) and one.minus) or any(times < 0 for times in times_of(one)) for one in sums)


def _is_of_a_part(value: d.Value, contract: d.Contract) -> bool:
    ratio = value.ratio
    return (
        ratio is not None and isinstance(ratio.of, str) and isinstance(ratio.to, str) and contract.measures[ratio.of].part_of == ratio.to
    )


@PARTS.about(d.Kpi)
def a_floor_lies_below_the_target(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    now: dict[str, Decimal] = {} if kpi.target is None else {"target": kpi.target}
    for index, levels in enumerate(kpi.levels):
        now |= {name: number for name, number in levels.at.items() if isinstance(number, Decimal)}
        written = set(levels.at)
        target = now.get("target")
        for name in ("floor", "minimum"):
            worse = now.get(name)
            if worse is None or target is None or not {name, "target"} & written:
                continue
            if worse == target:
                yield at.warning(("levels", index, "at"), f"{name} and target are both {target}", f"Drop the {name}, or move it.")
            elif kpi.better != "inside" and (worse > target) is (kpi.better == "higher"):
                message = f"the {name} {worse} is better than the target {target}"
                yield at.error(("levels", index, "at"), message, "Swap them, or correct `better`.")
        stretch = now.get("stretch")
        if stretch is None or target is None or stretch == target or kpi.better == "inside" or not {"stretch", "target"} & written:
            continue
        if (stretch < target) is (kpi.better == "higher"):
            message = f"the stretch {stretch} is worse than the target {target}"
            yield at.error(("levels", index, "at"), message, "Swap them, or correct `better`.")


@PARTS.about(d.Kpi)
def a_band_to_lie_in_has_two_ends(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    if kpi.better != "inside":
        return
    missing = sorted({"low", "high"} - level_names(kpi))
    if missing:
        yield at.error("better", f"{at.name} is to lie inside, and has no level {' and '.join(missing)}", "Give it levels low and high.")
    for index, levels in enumerate(kpi.levels):
        low, high = levels.at.get("low"), levels.at.get("high")
        if isinstance(low, Decimal) and isinstance(high, Decimal) and low > high:
            yield at.error(("levels", index, "at"), f"no value lies between {low} and {high}", "Swap low and high.")


@PARTS.about(d.Levels)
def levels_begin_before_they_end(levels: d.Levels, at: Place) -> Iterator[Finding]:
    yield from ends_after_it_begins(at, levels.from_, levels.until, "the levels")


@KPIS.about(d.Levels)
def levels_hold_inside_the_term(levels: d.Levels, at: Place) -> Iterator[Finding]:
    yield from holds_inside_the_term(at, levels.from_, levels.until)


def ends_after_it_begins(at: Place, from_: date | None, until: date | None, what: str) -> Iterator[Finding]:
    """That a half-open span holds a day."""
    if from_ is not None and until is not None and until <= from_:
        yield at.error("until", f"{what} end on {until}, not after they begin on {from_}", "Write a later day.")


def holds_inside_the_term(at: Place, from_: date | None, until: date | None) -> Iterator[Finding]:
    """That a span shares a day with the contract's own."""
    held = at.contract.in_force
    if from_ is not None and held.until is not None and from_ >= held.until:
        yield at.warning("from", f"{from_} is not before the contract's end, {held.until}", "Correct the day, or drop the entry.")
    elif until is not None and until <= held.from_ and (from_ is None or from_ < until):
        yield at.warning("until", f"{until} is not after the contract's beginning, {held.from_}", "Correct the day, or drop the entry.")


@KPIS.about(d.Levels)
def levels_look_at_scopes_that_are_judged(levels: d.Levels, at: Place) -> Iterator[Finding]:
    kpi = at.inside(d.Kpi)
    for name in levels.where:
        if kpi is None or name in (*kpi.for_each, *kpi.where) or ("site" in kpi.for_each and name in ("country", "region")):
            continue
        if name in ("site", "country", "region", *at.contract.dimensions):
            message = f"the KPI is not judged by {name}, so these levels never hold"
            yield at.error(("where", name), message, f"Add {name} to for_each, or drop the condition.")


@PARTS.about(d.LevelWhen)
def a_condition_on_a_measure_can_hold(when: d.LevelWhen, at: Place) -> Iterator[Finding]:
    if when.at_least is None and when.less_than is None:
        yield at.error("", f"the condition on {when.measure} has no end, so it always holds", "Write at_least or less_than.")
    elif isinstance(when.at_least, Decimal) and isinstance(when.less_than, Decimal) and when.at_least >= when.less_than:
        message = f"nothing is at least {when.at_least} and less than {when.less_than}"
        yield at.error("less_than", message, "Correct the ends.")


@KPIS.about(d.Kpi)
def every_entry_of_levels_holds_at_some_time(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    """A later entry wins. One that begins no later, ends no earlier and asks for no more hides an earlier one of the same levels."""
    for index, early in enumerate(kpi.levels):
        for later in kpi.levels[index + 1 :]:
            same_ends = later.until is None or (early.until is not None and later.until >= early.until)
            same_start = later.from_ is None or (early.from_ is not None and later.from_ <= early.from_)
            is_wider = (not later.where or later.where == early.where) and (later.when is None or later.when == early.when)
            is_wider = is_wider and (not later.months or set(early.months or range(1, 13)) <= set(later.months))
            if same_start and same_ends and is_wider and set(early.at) <= set(later.at):
                message = "these levels never hold: a later entry holds whenever they would"
                yield at.warning(("levels", index), message, "Give the later one its first day, or drop this one.")
                break


@KPIS.about(d.LevelShare)
def a_level_follows_another_figure(share: d.LevelShare, at: Place) -> Iterator[Finding]:
    kpi = at.inside(d.Kpi)
    if share.kpi is not None and kpi is not None and at.contract.kpis[share.kpi] is kpi:
        yield at.error("kpi", f"the level of {share.kpi} follows its own value", "Name another KPI.")


@KPIS.about(d.Sample)
def a_sample_that_gathers_has_a_denominator(sample: d.Sample, at: Place) -> Iterator[Finding]:
    kpi = at.inside(d.Kpi)
    if kpi is not None and sample.otherwise == "accumulate" and kind_of(kpi.value) not in ("ratio", "mean", "rate"):
        message = f"a {kind_of(kpi.value)} cannot accumulate: it has no denominator"
        yield at.error("otherwise", message, "Write not_measured.")


@PARTS.about(d.Sample)
def a_sample_asks_for_something(sample: d.Sample, at: Place) -> Iterator[Finding]:
    if sample.at_least is not None and sample.at_least == 0:
        yield at.warning("at_least", "a minimum sample of 0 asks for nothing", "Write the number of cases, or drop it.")


@KPIS.about(d.Repeat)
def a_repeat_can_be(repeat: d.Repeat, at: Place) -> Iterator[Finding]:
    if repeat.at_least > repeat.last:
        message = f"{repeat.at_least} of the last {repeat.last} periods can never be"
        yield at.error("at_least", message, "Look at more periods, or ask for fewer.")
    yield from longer_than_the_term(at, "last", repeat.last + 1)


@KPIS.about(d.Repeat)
def a_repeat_changes_something(repeat: d.Repeat, at: Place) -> Iterator[Finding]:
    if isinstance(repeat.multiply, Decimal) and repeat.multiply == 1:
        yield at.warning("multiply", "a factor of 1 changes nothing", "Write the factor, or drop the rule.")


@KPIS.about(d.Kpi)
def repeated_failures_have_points(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    if kpi.repeat is not None and kpi.points is None:
        yield at.error("repeat", "a repeated failure multiplies points, and there are none", "Write points, or drop it.")


@KPIS.about(d.Kpi)
def midnight_is_a_site_s_only_where_sites_are_judged(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    if kpi.zone == "site" and "site" not in kpi.for_each and "site" not in kpi.where:
        yield at.error("zone", "the days are cut at the site's midnight, and the KPI is not judged by site", "Add site to for_each.")


@KPIS.about(d.Kpi)
def a_site_s_midnight_differs(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    if kpi.zone == "site" and all(work.time_zone is None for work in at.contract.scope):
        yield at.warning("zone", "no site of the scope has a time zone of its own", "Write time_zone under its scope.")


@KPIS.about(d.Contract)
def a_measure_is_cut_at_one_midnight(contract: d.Contract, at: Place) -> Iterator[Finding]:
    whose: dict[str, tuple[str, str]] = {}
    for name, kpi in contract.kpis.items():
        try:
            named = [measure for _, counts in counts_of(kpi.value) for measure in measures_in(counts)]
            owners = {measure: whose.setdefault(measure, (name, str(kpi.zone))) for measure in named}
        except Unread:
            continue
        for measure, (other, zone) in owners.items():
            if zone != kpi.zone:
                message = f"{measure} is counted by days of the {kpi.zone} here and of the {zone} in {other}"
                yield at.error(("kpis", name, "zone"), message, "Let both KPIs say the same, or deliver two measures.")
                break  # The zone is one fault, however many of its measures are counted elsewhere too.


@KPIS.about(d.Kpi)
def what_shrinks_in_a_part_period_can(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    if kpi.part_period == "pro_rata" and kind_of(kpi.value) not in ("count", "sum"):
        message = f"the level of a {kind_of(kpi.value).replace('_', ' ')} does not shrink with the days"
        yield at.error("part_period", message, "Drop it: only a level that a count or a sum is held against can.")


@KPIS.about(d.Kpi)
def what_is_carried_weighs(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    if kpi.missing == "previous" and kpi.weight is None:
        yield at.warning("missing", f"{at.name} has no weight, so nothing is carried", "Give it a weight, or drop missing.")


# Reviews


POOLED = ("ratio", "mean", "rate", "sum", "count", "intervals")
"""Kinds of value that are made of the counts of several periods as of those of one."""

_DAYS = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}


@KPIS.about(d.Kpi)
def what_is_judged_at_a_review_has_one(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    if kpi.judged == "at_review" and at.contract.reviewed is None:
        yield at.error("judged", "nothing says when reviews are", "Write reviewed: {each: quarter}.")


@KPIS.about(d.Kpi)
def what_is_judged_at_a_review_adds_up(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    is_mean = kpi.value.intervals is not None and kpi.value.intervals.take == "mean"
    if kpi.judged == "at_review" and (kind_of(kpi.value) not in POOLED or is_mean):
        message = f"the counts of several periods make no {kind_of(kpi.value).replace('_', ' ')}"
        yield at.error("judged", message, f"Judge it each period, or write one of {', '.join(POOLED)}.")


@KPIS.about(d.Kpi)
def a_sample_gathers_in_one_way(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    if kpi.judged == "at_review" and kpi.sample is not None and kpi.sample.otherwise == "accumulate":
        yield at.error(("sample", "otherwise"), "its counts accumulate until the review anyway", "Write not_measured.")


@KPIS.about(d.Contract)
def a_review_reviews_something(contract: d.Contract, at: Place) -> Iterator[Finding]:
    since = any(kpi.value.moving_mean is not None and kpi.value.moving_mean.since == "review" for kpi in contract.kpis.values())
    if contract.reviewed is not None and not since and all(kpi.judged != "at_review" for kpi in contract.kpis.values()):
        yield at.warning("reviewed", "no KPI is judged at a review", "Write judged: at_review under a KPI, or drop it.")


@KPIS.about(d.Review)
def a_review_is_longer_than_a_period(review: d.Review, at: Place) -> Iterator[Finding]:
    measured = at.contract.measured.each
    if _DAYS[review.each] <= _DAYS[measured]:
        message = f"a review of each {review.each} is no longer than a {measured}, in which it is measured"
        yield at.error("each", message, "Review less often than you measure.")


# Bands and curves


@KPIS.about(d.Kpi)
def bands_tile(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    tables = [(("bands",), kpi.bands)] if kpi.bands else []
    for place, own in (("score", kpi.score), ("points", kpi.points)):
        if own is not None and own.steps is not None:
            tables.append(((place, "steps"), own.steps))  # type: ignore[arg-type]
    for steps, table in tables:
        yield from _along_the_ramp(tiling(at, steps, table, levels, _grid(kpi)) for levels in level_values(kpi))


@KPIS.about(d.Payment)
def bands_of_a_payment_tile(payment: d.Payment, at: Place) -> Iterator[Finding]:
    names = rule_kpis(payment)
    kpis = [at.contract.kpis[one] for one in names]
    for steps, pay in pays_of(payment):
        for name in ("percent", "amount"):
            curve = getattr(pay, name)
            if curve is HOLE or not isinstance(curve, Curve) or curve.steps is None:
                continue
            if pay.by is not None:
                kpis = [at.contract.kpis[pay.by.kpi]] if pay.by.kpi is not None else []
            grid = Fraction(1) if pay.by is not None and pay.by.count is not None else _grid(kpis[0]) if kpis else None
            table = ((*steps, name, "steps"), curve.steps)
            ramp = level_values(kpis[0]) if kpis else [{}]
            yield from _along_the_ramp(tiling(at, *table, values, grid) for values in ramp)
        for index, factor in enumerate(pay.factors):
            if factor.curve is not None and factor.curve.steps is not None:
                yield from tiling(at, (*steps, "factors", index, "curve", "steps"), factor.curve.steps, {})


@KPIS.about(d.Deduction)
def bands_of_a_deduction_tile(deduction: d.Deduction, at: Place) -> Iterator[Finding]:
    if deduction.give.steps is not None:
        yield from tiling(at, ("give", "steps"), deduction.give.steps, {})


def _along_the_ramp(tables: Iterable[Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of one table under the levels of each time; what one time has shown is not shown for the next."""
    shown: set[str] = set()
    for findings in tables:
        new = [finding for finding in findings if finding.path not in shown]
        shown.update(finding.path for finding in new)
        yield from new


def level_values(kpi: d.Kpi) -> list[dict[str, Fraction]]:
    """The levels as they stand after each entry, so that bands written with names are checked for each ramp step."""
    found: list[dict[str, Fraction]] = []
    now: dict[str, Fraction] = {} if kpi.target is None else {"target": Fraction(kpi.target)}
    for levels in kpi.levels:
        now = now | {name: Fraction(value) for name, value in levels.at.items() if isinstance(value, Decimal)}
        found.append(now)
    return found or [now]


def _grid(kpi: d.Kpi) -> Fraction | None:
    """The step in which the values come that a KPI's bands are read at; None where they may be anything."""
    if kpi.precision is not None and kpi.precision.when == "before_comparing":
        return Fraction(1, 10**kpi.precision.decimals)
    return Fraction(1) if kind_of(kpi.value) == "count" else None


def tiling(
    at: Place, step: tuple[str | int, ...], steps: list[Step], levels: Mapping[str, Fraction], grid: Fraction | None = None
) -> Iterator[Finding]:
    """Gaps, overlaps and unreachable bands of a table, found at its ends and between them.

    Where values come in steps of `grid`, only those count: bands of 45 and 46 seconds leave no gap if seconds are whole.
    """
    names = {mark for one in steps for mark in (one.at_least, one.more_than, one.at_most, one.less_than)}
    if any(isinstance(mark, str) and mark not in levels for mark in names):
        return
    ends = sorted({end for one in steps for pair in (one.low(levels), one.high(levels)) if pair for end in (pair[0],)})
    if not ends:
        if len({(one.give, one.name) for one in steps}) > 1:
            yield at.error(step, "every band holds any value", "Give the bands their ends.")
        return
    empty = [index for index, one in enumerate(steps) if _is_empty(one, levels)]
    for index in empty:
        yield at.error((*step, index), f"no value can be {steps[index].words()}", "Correct the ends of the band.")
    if empty:
        return  # What such a band leaves open or covers cannot be said before it is corrected.
    if grid is None:
        between = ((left + right) / 2 for left, right in pairwise(ends))
        probes = sorted((ends[0] - 1, *ends, *between, ends[-1] + 1))
    else:
        # Every stretch between two ends that holds a value of the grid holds one beside one of its ends.
        probes = sorted({(end / grid).__floor__() * grid + shift * grid for end in ends for shift in (-1, 0, 1)})
    gap: list[Fraction] = []
    overlap: dict[tuple[int, ...], Fraction] = {}
    for probe in probes:
        held = [index for index, one in enumerate(steps) if one.holds(probe, levels)]
        if not held and ends[0] < probe < ends[-1]:
            gap.append(probe)
            continue
        if gap:
            yield _gap(at, step, gap)
            gap = []
        if len({(steps[index].give, steps[index].name) for index in held}) > 1:
            overlap.setdefault(tuple(held), probe)
    if gap:
        yield _gap(at, step, gap)
    widest = [held for held in overlap if not any(set(held) < set(other) for other in overlap)]
    for bands in widest:
        which = " and ".join(steps[index].words() for index in bands)
        message = f"{_shown(overlap[bands])} lies in more than one band: {which}"
        yield at.error((*step, bands[-1]), message, "Let the bands meet without overlapping.")


def _is_empty(one: Step, levels: Mapping[str, Fraction]) -> bool:
    low, high = one.low(levels), one.high(levels)
    return low is not None and high is not None and (low[0] > high[0] or (low[0] == high[0] and not (low[1] and high[1])))


def _gap(at: Place, step: tuple[str | int, ...], gap: list[Fraction]) -> Finding:
    """One hole in a table, shown by a value from its middle rather than by each of its ends."""
    probe = gap[len(gap) // 2]
    return at.error(step, f"no band holds {_shown(probe)}", "Close the gap: let one band end where the next begins.")


def _shown(value: Fraction) -> str:
    return f"{Decimal(value.numerator) / Decimal(value.denominator):.12g}"


@PARTS.about(Curve)
def limits_of_a_curve_leave_something(curve: Curve, at: Place) -> Iterator[Finding]:
    if curve.at_most is not None and curve.at_least is not None and curve.at_least > curve.at_most:
        yield at.error("at_least", f"no amount is at least {curve.at_least} and at most {curve.at_most}", "Correct the limits.")


@PARTS.about(Curve)
def ends_of_a_line_belong_to_a_line(curve: Curve, at: Place) -> Iterator[Finding]:
    for name in ("below", "beyond"):
        if getattr(curve, name) is not None and curve.line is None:
            yield at.error(name, f"{name} is about a line, and this curve is none", "Drop it, or draw a line.")


@KPIS.about(Curve)
def corners_run_from_left_to_right(curve: Curve, at: Place) -> Iterator[Finding]:
    marks = [corner.at for corner in curve.line or []]
    kpi = at.inside(d.Kpi)
    values = level_values(kpi) if kpi is not None else [{}]
    for levels in values:
        known = [
            (index, Fraction(mark) if isinstance(mark, Decimal) else levels[mark])
            for index, mark in enumerate(marks)
            if mark is not HOLE and (isinstance(mark, Decimal) or mark in levels)
        ]
        for (_, left), (index, right) in pairwise(known):
            if right < left:
                message = f"the corners run from left to right, and {_shown(right)} follows {_shown(left)}"
                yield at.error(("line", index), message, "Order the corners by where they stand.")
                return


@PARTS.about(Curve)
def tiers_follow_each_other(curve: Curve, at: Place) -> Iterator[Finding]:
    tiers = curve.marginal
    if tiers is None:
        return
    if not tiers:
        yield at.error("marginal", "no tier is written", "Write one, such as {above: 20, rate: 3}.")
    for index, tier in enumerate(tiers):
        if tier.up_to is not None and tier.up_to <= tier.above:
            yield at.error(("marginal", index, "up_to"), f"the tier ends at {tier.up_to} and begins at {tier.above}", "Correct its ends.")
            return
    for index, (one, other) in enumerate(pairwise(tiers)):
        if one.up_to is None or one.up_to > other.above:
            message = f"the part above {other.above} lies in two tiers"
            yield at.error(("marginal", index + 1, "above"), message, "Let each tier begin where the one before ends.")
        elif one.up_to < other.above:
            message = f"the part from {one.up_to} to {other.above} lies in no tier"
            yield at.error(("marginal", index + 1, "above"), message, "Let each tier begin where the one before ends.")


@PARTS.about(Each)
def units_give_something(each: Each, at: Place) -> Iterator[Finding]:
    if each.give == 0:
        yield at.warning("give", "each unit gives nothing", "Write the amount for one unit.")


@PARTS.about(Curve)
def bands_give_an_amount(curve: Curve, at: Place) -> Iterator[Finding]:
    for index, step in enumerate(curve.steps or []):
        if step.give is None:
            yield at.error(("steps", index), f"the band {step.words()} gives no amount", "Add `give`.")


@PARTS.about(d.Kpi)
def bands_have_names(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    for index, step in enumerate(kpi.bands):
        if step.name is None:
            yield at.error(("bands", index), f"the band {step.words()} has no name", "Add `name`, such as serious.")


# Weights and the score


@KPIS.about(d.Kpi)
def what_weighs_is_scored(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    if kpi.weight is not None and kpi.score is None and "target" not in level_names(kpi) and kpi.better != "inside":
        yield at.error("weight", f"{at.name} has a weight, and neither a score curve nor a target", "Give it one of them.")


@KPIS.about(d.Kpi)
def a_client_duty_does_not_weigh(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    if kpi.duty_of == "client" and kpi.weight is not None:
        yield at.error("weight", f"{at.name} is the client's duty, and is never scored against the vendor", "Drop the weight.")


@KPIS.about(d.Contract)
def weights_add_up(contract: d.Contract, at: Place) -> Iterator[Finding]:
    weighted = {name: kpi.weight for name, kpi in contract.kpis.items() if kpi.weight is not None and kpi.duty_of == "vendor"}
    if contract.scoring.combine == "sum":
        return
    # What is scored together is what is judged in one scope of work, so a KPI of another workstream does not count here.
    works = [{"site": one.site} | ({"workstream": one.workstream} if one.workstream else {}) for one in contract.scope]
    totals: dict[Decimal, str] = {}
    for work in works or [{}]:
        held = [name for name in weighted if _is_for(contract.kpis[name], work)]
        total = sum((weighted[name] for name in held), Decimal(0))
        if held and total != 100:
            totals.setdefault(total, f" for {', '.join(work.values())}" if work else "")
    for total, where in totals.items():
        message = f"the weights{where} add up to {total}, not to 100"
        yield at.warning("kpis", message, "Correct them, or mean it: shares are taken of their sum.")


def _is_for(kpi: d.Kpi, work: Mapping[str, str]) -> bool:
    """Whether the KPI is judged in a scope of work; what the scope does not say cannot exclude it."""
    return all(
        name not in work or work[name] == wanted or (not isinstance(wanted, str) and work[name] in wanted)
        for name, wanted in kpi.where.items()
    )


@PARTS.about(d.Gate)
def a_gate_does_something(gate: d.Gate, at: Place) -> Iterator[Finding]:
    if not gate.zero and gate.cap_score is None:
        yield at.error("", f"nothing happens while {gate.kpi} misses its {gate.missed}", "Write zero or cap_score.")


@KPIS.about(d.Scoring)
def standings_hold_every_score(scoring: d.Scoring, at: Place) -> Iterator[Finding]:
    lows = [band.at_least for band in scoring.standings]
    if lows and None not in lows and min(low for low in lows if low is not None) > 0:
        yield at.error("standings", "a low score has no standing", "Let one band have no at_least.")
    for index, low in enumerate(lows):
        if low in lows[:index]:
            begins = "at no score" if low is None else f"at {low}"
            yield at.error(("standings", index), f"two standings begin {begins}", "Give each its own lower end.")


__all__ = [
    "KPIS",
    "PARTS",
    "counts_of",
    "ends_after_it_begins",
    "holds_inside_the_term",
    "kind_of",
    "level_values",
    "longer_than_the_term",
    "pays_of",
    "periods_in_term",
    "tiling",
]
