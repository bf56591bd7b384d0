"""Money that pays the wrong side, or rests on what is not known yet: curves, banks, bases of another month, deemed values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from contracts import document as d
from contracts.checking_kpis import PERCENTAGES, kind_of, level_values, pays_of
from contracts.checking_names import rule_kpis
from contracts.curve import Curve, draw, number_text, on_axis
from contracts.errors import CannotCompute, Finding
from contracts.questions import Place, Questions

PAY = Questions()


@PAY.about(d.Payment)
def a_curve_pays_the_side_it_is_for(payment: d.Payment, at: Place) -> Iterator[Finding]:
    """A credit never grows as results get better, nor a bonus as they get worse; else a direction is not written, or a curve is turned."""
    is_credit = at.path.startswith("$.money.credits[")
    for steps, pay in pays_of(payment):
        written = pay.percent if pay.percent is not None else pay.amount
        if not isinstance(written, Curve) or pay.by is not None:
            continue
        for name in rule_kpis(payment):
            kpi = at.contract.kpis[name]
            wrong = None if kpi.better == "inside" else _wrong_way(written, kpi, is_credit=is_credit)
            if wrong is None:
                continue
            what, way = ("credit", "better") if is_credit else ("bonus", "worse")
            message = (
                f"{kpi.better} is better for {name}, and the {what} at {number_text(wrong[1])} is larger than at "
                f"{number_text(wrong[0])}: it grows as results get {way}"
            )
            other = "lower" if kpi.better == "higher" else "higher"
            yield at.warning(steps, message, f"Write better: {other} under {name} if that is meant, or turn the curve round.")


def _wrong_way(curve: Curve, kpi: d.Kpi, *, is_credit: bool) -> tuple[Fraction, Fraction] | None:
    """Two values, the second of which pays more although it should pay less; ``None`` where the curve runs the right way."""
    levels = {name: Fraction(number) for name, number in level_values(kpi)[-1].items()} if level_values(kpi) else {}
    allowance = curve.each.allowance if curve.each is not None else Decimal(0)
    # An allowance that is a share of a measure shifts the curve, and turns nothing round.
    volumes = {allowance.of: Fraction(0)} if not isinstance(allowance, Decimal) and allowance.of is not None else {}
    try:
        ends = {on_axis(mark, levels) for mark in curve.marks()} | {Fraction(one.above) for one in curve.marginal or ()} or {Fraction(0)}
        ordered = sorted(ends)
        middles = [(low + high) / 2 for low, high in itertools.pairwise(ordered)]
        probes = sorted([ordered[0] - 1, *ordered, *middles, ordered[-1] + 1], reverse=(kpi.better == "lower") is is_credit)
        drawn = [(probe, draw(curve, probe, levels, volumes=volumes).amount) for probe in probes]
    except CannotCompute:
        return None
    # In this order amounts must never rise.
    paid = [(probe, amount) for probe, amount in drawn if amount is not None]
    for (first, more), (second, less) in itertools.pairwise(paid):
        if less > more:
            return first, second
    return None


# Banks


@PAY.about(d.Offset)
def what_begins_later_is_kept_until_then(offset: d.Offset, at: Place) -> Iterator[Finding]:
    if offset.starts == "next_period" and offset.keep == 0:
        yield at.error("keep", "it begins in the next period and is not kept until then", "Keep it for 1 period or more.")


# Sums over periods


@PAY.about(d.When)
def what_is_summed_can_be_added(when: d.When, at: Place) -> Iterator[Finding]:
    if when.window is not None and when.window.summed and when.points_at_least is None and when.credit_percent is None:
        yield at.error(("window", "summed"), "only points and credits can be added over periods", "Drop it, or write points_at_least.")


@PAY.about(d.Window)
def a_sum_needs_no_count(window: d.Window, at: Place) -> Iterator[Finding]:
    ways = [name for name in ("at_least", "in_a_row", "mean_below", "mean_above") if getattr(window, name) is not None]
    if window.summed and ways:
        yield at.error("summed", f"a window counts in one way, and this one says summed and {' and '.join(ways)}", "Keep one of them.")


@PAY.about(d.By)
def what_is_read_over_periods_are_points(by: d.By, at: Place) -> Iterator[Finding]:
    if by.last > 1 and by.total != "points":
        yield at.error("last", "only points are added over periods", "Write total: points, or drop it.")


# Bases of another month, and of what was credited


@PAY.about(d.Base)
def a_base_is_known_when_it_is_asked_for(base: d.Base, at: Place) -> Iterator[Finding]:
    for name in (base.of, *base.plus, *base.minus):
        if _is_of_next(name, at.contract):
            message = f"{name} is of the next period, and not known when {at.name} is asked for"
            yield at.error("", message, f"Write in_period: next under {at.name}, and not under {name}.")


@PAY.about(d.Base)
def tax_is_known_where_it_is_taken_off(base: d.Base, at: Place) -> Iterator[Finding]:
    invoice = at.contract.money.invoice
    if base.without_tax and (invoice is None or invoice.tax is None):
        yield at.error("without_tax", "nothing says how high the tax is", "Write money.invoice with its tax.")


@PAY.about(d.Cap, d.Invoice, d.When)
def limits_rest_on_what_is_known(part: d.Cap | d.Invoice | d.When, at: Place) -> Iterator[Finding]:
    if _is_of_next(part.of, at.contract):
        yield at.error("of", f"{part.of} is of the next period, and not known yet", "Use a base of this period or of the one before.")


@PAY.about(d.By)
def curves_are_read_at_what_is_known(by: d.By, at: Place) -> Iterator[Finding]:
    if _is_of_next(by.base, at.contract):
        yield at.error("base", f"{by.base} is of the next period, and not known yet", "Use a base of this period or of the one before.")


@PAY.about(d.Payment)
def a_maximum_is_of_the_same_base(payment: d.Payment, at: Place) -> Iterator[Finding]:
    if payment.at_most is None or payment.pay is None or payment.at_most.of == payment.pay.of:
        return
    later = next((one for one in (payment.pay.of, payment.at_most.of) if _is_of_next(one, at.contract)), None)
    if later is not None:
        message = f"{later} is of the next period, and a maximum of something else cannot be compared with it yet"
        yield at.error("at_most", message, f"Write both as a percentage of {later}, or write a cap.")


def _is_of_next(name: str | None, contract: d.Contract) -> bool:
    base = contract.money.bases.get(name) if name is not None else None
    return base is not None and base.in_period == "next"


# Deemed values


@PAY.about(d.Kpi)
def a_deemed_value_is_possible(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    if kpi.deemed is not None and kind_of(kpi.value) in PERCENTAGES and not 0 <= kpi.deemed <= 100:
        yield at.error("deemed", f"no percentage can be {kpi.deemed}", "Write 0 to 100.")


__all__ = ["PAY"]
