"""What a miss costs and what follows from it: credits, bonuses, bases, caps, rights, relief, escalation, governance and examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from contracts import document as d
from contracts.checking_kpis import (
    PARTS,
    PERCENTAGES,
    counts_of,
    ends_after_it_begins,
    holds_inside_the_term,
    kind_of,
    level_values,
    longer_than_the_term,
    pays_of,
    periods_in_term,
)
from contracts.checking_names import level_names, measures_in, rule_kpis
from contracts.curve import Curve
from contracts.errors import Finding
from contracts.holes import HOLE
from contracts.questions import Place, Questions

MONEY = Questions()


# The document as a whole


@PARTS.about(d.Contract)
def a_contract_renews_another(contract: d.Contract, at: Place) -> Iterator[Finding]:
    if contract.renews is not None and contract.renews == contract.contract:
        yield at.error("renews", f"{contract.contract} renews itself", "Name the contract before it, or drop the field.")


@MONEY.about(d.Contract)
def a_contract_is_signed_in_its_time(contract: d.Contract, at: Place) -> Iterator[Finding]:
    until = contract.in_force.until
    if contract.signed_on is not None and until is not None and contract.signed_on >= until:
        yield at.warning("signed_on", f"it was signed on {contract.signed_on}, when it had ended", "Correct the day.")


@PARTS.about(d.Cadence)
def an_anchor_day_anchors_something(cadence: d.Cadence, at: Place) -> Iterator[Finding]:
    if cadence.each in ("day", "week") and cadence.anchor_day != 1:
        yield at.warning("anchor_day", f"periods of a {cadence.each} have no day of the month", "Drop anchor_day.")


@PARTS.about(d.ScopeOfWork)
def work_begins_before_it_ends(scope: d.ScopeOfWork, at: Place) -> Iterator[Finding]:
    yield from ends_after_it_begins(at, scope.from_, scope.until, "the work")


@MONEY.about(d.ScopeOfWork)
def work_is_done_inside_the_term(scope: d.ScopeOfWork, at: Place) -> Iterator[Finding]:
    yield from holds_inside_the_term(at, scope.from_, scope.until)


@MONEY.about(d.ScopeOfWork)
def a_site_is_one_place(scope: d.ScopeOfWork, at: Place) -> Iterator[Finding]:
    first = next(one for one in at.contract.scope if one.site == scope.site)
    for name in ("time_zone", "country", "name", "region"):
        own, other = getattr(scope, name), getattr(first, name)
        if own is not None and other is not None and own != other:
            yield at.error(name, f"{scope.site} has the {name.replace('_', ' ')} {own} here and {other} above", "Write one of the two.")


@MONEY.about(d.Volume)
def a_forecast_is_not_excused_itself(volume: d.Volume, at: Place) -> Iterator[Finding]:
    if volume.excused_above_percent is not None and volume.excused_above_percent < 100:
        message = f"volume above {volume.excused_above_percent} % of the forecast is excused, and so a part of the forecast itself"
        yield at.warning("excused_above_percent", message, "Write 100 or more, such as 115.")
    if volume.actual is not None and volume.actual == volume.forecast:
        yield at.error("actual", f"{volume.actual} is the forecast and what came", "Name the measure that carries what came.")


@MONEY.about(d.Milestone, d.Obligation)
def dates_lie_inside_the_term(part: d.Milestone | d.Obligation, at: Place) -> Iterator[Finding]:
    held = at.contract.in_force
    if held.until is not None and part.due >= held.until + timedelta(days=366):
        yield at.warning("due", f"{part.due} is more than a year after the contract's end, {held.until}", "Correct the day.")
    elif part.due < held.from_ - timedelta(days=366):
        yield at.warning("due", f"{part.due} is more than a year before the contract's beginning, {held.from_}", "Correct the day.")


# Bases


@PARTS.about(d.Base)
def a_base_is_no_share_of_itself(base: d.Base, at: Place) -> Iterator[Finding]:
    bases = at.contract.money.bases
    waiting, seen = [base.of, *base.plus, *base.minus], set[str]()
    while waiting:
        name = waiting.pop()
        if name == at.name:
            others = sorted(seen)
            # A circle of several is one fault, told at the first of them.
            if not others or at.name == min(at.name, *others):
                yield at.error("", f"{at.name} is a share of itself", "Break the circle.")
            return
        if name is not None and name not in seen and name in bases:
            seen.add(name)
            waiting += [bases[name].of, *bases[name].plus, *bases[name].minus]


@PARTS.about(d.Base)
def a_base_per_year_is_fixed(base: d.Base, at: Place) -> Iterator[Finding]:
    if base.per == "year" and base.fixed is None:
        yield at.error("per", "only a fixed amount can be one for a year", "Drop `per`, or write `fixed`.")


@PARTS.about(d.Base)
def a_base_is_something(base: d.Base, at: Place) -> Iterator[Finding]:
    if base.fixed is not None and base.fixed == 0:
        yield at.warning("fixed", "every percentage of 0 is 0", "Write the amount.")


# Payments


@PARTS.about(d.Payment)
def a_rule_pays_in_one_way(payment: d.Payment, at: Place) -> Iterator[Finding]:
    if payment.pay is None and payment.ladder is None:
        yield at.error("", "the rule says neither pay nor ladder", "Write one of them.")
    elif payment.pay is not None and payment.ladder is not None:
        yield at.error("ladder", "the rule says both pay and ladder", "Write one of them.")


@PARTS.about(d.Payment)
def a_rule_begins_before_it_ends(payment: d.Payment, at: Place) -> Iterator[Finding]:
    yield from ends_after_it_begins(at, payment.from_, payment.until, "the rule")


@MONEY.about(d.Payment)
def a_rule_holds_inside_the_term(payment: d.Payment, at: Place) -> Iterator[Finding]:
    yield from holds_inside_the_term(at, payment.from_, payment.until)


@MONEY.about(d.Payment)
def a_rule_knows_when_it_is_due(payment: d.Payment, at: Place) -> Iterator[Finding]:
    flat = payment.pay is not None and not isinstance(payment.pay.percent, Curve) and not isinstance(payment.pay.amount, Curve)
    if payment.when is not None or not (flat or payment.ladder is not None):
        return
    for one in rule_kpis(payment):
        kpi = at.contract.kpis[one]
        if "target" not in level_names(kpi) and kpi.better != "inside":
            message = f"the rule is due when {one} misses its target, and it has none"
            yield at.error("", message, "Give it a target, or write when.")


@MONEY.about(d.Payment)
def a_rule_for_a_client_duty_is_meant(payment: d.Payment, at: Place) -> Iterator[Finding]:
    if at.path.startswith("$.money.credits["):
        for one in rule_kpis(payment):
            if at.contract.kpis[one].duty_of == "client":
                yield at.warning("for", f"{one} is the client's duty, and the credit is the vendor's to pay", "Name another KPI.")


@MONEY.about(d.Payment)
def spreading_needs_gathering(payment: d.Payment, at: Place) -> Iterator[Finding]:
    if payment.spread == "accumulated_periods":
        samples = [at.contract.kpis[one].sample for one in rule_kpis(payment)]
        if not any(sample is not None and sample.otherwise == "accumulate" for sample in samples):
            message = "the amount is spread over gathered periods, and none of the rule's KPIs gathers"
            yield at.error("spread", message, "Write sample: {otherwise: accumulate} under the KPI, or drop spread.")


@PARTS.about(d.Pay)
def a_percentage_is_not_the_whole_and_more(pay: d.Pay, at: Place) -> Iterator[Finding]:
    if isinstance(pay.percent, Decimal) and pay.percent > 100:
        yield at.warning("percent", f"{pay.percent} % is more than all of {pay.of}", "Percent runs from 0 to 100: correct it, or mean it.")
    elif isinstance(pay.percent, Decimal) and 0 < pay.percent < Decimal("0.1"):
        message = f"{pay.percent} is less than a tenth of one percent"
        yield at.warning("percent", message, f"Percent runs from 0 to 100: write {100 * pay.percent} if that is meant.")


@PARTS.about(d.Pay)
def a_payment_pays(pay: d.Pay, at: Place) -> Iterator[Finding]:
    for name in ("percent", "amount"):
        amount = getattr(pay, name)
        if amount is not None and isinstance(amount, Decimal) and amount == 0:
            yield at.warning(name, "the rule pays nothing", "Write the amount, or drop the rule.")


@PARTS.about(d.Pay, d.Factor)
def what_is_read_at_something_is_a_curve(part: d.Pay | d.Factor, at: Place) -> Iterator[Finding]:
    curves: list[Any] = [part.percent, part.amount] if isinstance(part, d.Pay) else [part.curve]
    if part.by is not None and not any(isinstance(curve, Curve) for curve in curves) and part.by.each_event is None:
        yield at.error("by", "`by` says what a curve is read at, and there is no curve", "Drop it, or write a curve.")


@MONEY.about(d.Pay)
def a_curve_is_read_at_something(pay: d.Pay, at: Place) -> Iterator[Finding]:
    payment = at.inside(d.Payment)
    is_curve = isinstance(pay.percent, Curve) or isinstance(pay.amount, Curve)
    if is_curve and pay.by is None and payment is not None and payment.for_ is None:
        yield at.error("", "the curve is read at a KPI's value, and the rule is for none", "Write `for`, or `by`.")


@PARTS.about(d.By)
def a_curve_is_read_at_one_thing(by: d.By, at: Place) -> Iterator[Finding]:
    said = [name for name in ("measure", "count", "total", "base", "kpi", "each_event") if getattr(by, name) is not None]
    if len(said) != 1:
        yield at.error("", f"a curve is read at one thing, and this says {' and '.join(said) or 'none'}", "Write one of them.")


@MONEY.about(d.Count)
def a_count_fits_the_term(count: d.Count, at: Place) -> Iterator[Finding]:
    yield from longer_than_the_term(at, "last", count.last)


@PARTS.about(d.Factor)
def a_factor_leaves_something(factor: d.Factor, at: Place) -> Iterator[Finding]:
    if factor.number is not None and factor.number == 0:
        what = "nothing can be divided by 0" if factor.divide else "a factor of 0 leaves nothing"
        yield at.error("number", what, "Write the factor.")


@MONEY.about(d.Ladder)
def a_ladder_fits_the_term(ladder: d.Ladder, at: Place) -> Iterator[Finding]:
    yield from longer_than_the_term(at, "last", ladder.last)


@MONEY.about(d.Money)
def what_is_allocated_is_limited(money: d.Money, at: Place) -> Iterator[Finding]:
    for pool in sorted(name for name, base in money.bases.items() if base.percent is not None):
        given = [
            pay.percent * (len(payment.for_) if isinstance(payment.for_, list) else 1)
            for payment in money.credits
            for _, pay in pays_of(payment)
            if pay.of == pool and isinstance(pay.percent, Decimal)
        ]
        if len(given) > 1 and sum(given) > 100 and not money.caps:
            message = f"{sum(given)} % of it are allocated, and nothing caps the sum"
            yield at.warning(("bases", pool), message, "Allocate at most 100 %, or write the cap.")


@MONEY.about(d.Base)
def a_pool_is_allotted_as_it_may_be(base: d.Base, at: Place) -> Iterator[Finding]:
    if base.allocation is not None:
        yield from _allotted(at, base.allocation, _shares_of(at.contract, at.name), at.name)


@MONEY.about(d.Scoring)
def the_score_is_allotted_as_it_may_be(scoring: d.Scoring, at: Place) -> Iterator[Finding]:
    if scoring.allocation is not None:
        weights = {name: kpi.weight for name, kpi in at.contract.kpis.items() if kpi.weight is not None}
        yield from _allotted(at, scoring.allocation, weights, "the score")


def _allotted(at: Place, allocation: d.Allocation, shares: Mapping[str, Decimal], what: str) -> Iterator[Finding]:
    total = sum(shares.values(), Decimal(0))
    if allocation.in_all is not None and total > allocation.in_all:
        message = f"{total} % of {what} are allotted, and {allocation.in_all} % may be"
        yield at.error(("allocation", "in_all"), message, "Lower the shares, or raise in_all.")
    for name, share in shares.items():
        if allocation.to_one is not None and share > allocation.to_one:
            message = f"{name} has {share} % of {what}, and one KPI may have {allocation.to_one} %"
            yield at.error(("allocation", "to_one"), message, f"Lower the share of {name}, or raise to_one.")


def _shares_of(contract: d.Contract, base: str, seen: frozenset[str] = frozenset()) -> dict[str, Decimal]:
    """The largest percentage of a base that each KPI (or rule without one) can take, also by way of shares of the base."""
    found: dict[str, Decimal] = {}
    for index, payment in enumerate(contract.money.credits):
        named = rule_kpis(payment) or [payment.name or f"credit {index + 1}"]
        pays = [pay for steps, pay in pays_of(payment) if steps[0] != "at_most" and pay.of == base]
        most = [_most(pay.percent) for pay in pays if pay.percent is not None]
        largest = max((one for one in most if one is not None), default=None)
        for name in named if largest is not None else ():
            found[name] = found.get(name, Decimal(0)) + (largest or Decimal(0))
    for name, inner in contract.money.bases.items():
        if inner.of == base and inner.percent is not None and name not in seen:
            for kpi, share in _shares_of(contract, name, seen | {base}).items():
                found[kpi] = found.get(kpi, Decimal(0)) + share * inner.percent / 100
    return found


def _most(percent: Decimal | Curve) -> Decimal | None:
    """The most a percentage can come to; ``None`` where nothing limits it."""
    if isinstance(percent, Decimal):
        return percent
    if percent.at_most is not None:
        return percent.at_most
    given = [step.give for step in percent.steps or () if step.give is not None] + [corner.give for corner in percent.line or ()]
    return max(given) if given else None


@MONEY.about(d.Money)
def a_claim_is_made_where_one_is_needed(money: d.Money, at: Place) -> Iterator[Finding]:
    if money.claim_within_days is not None and money.claim == "automatic":
        yield at.error("claim_within_days", "credits are automatic, and need no claim", "Write claim: on_claim, or drop the days.")


@PARTS.about(d.Exclusive)
def exclusion_has_rivals(group: d.Exclusive, at: Place) -> Iterator[Finding]:
    if len(group.among) < 2 and group.for_each is None:
        yield at.error("among", "one rule alone excludes nothing", "Name the rules that give way.")


@MONEY.about(d.Exclusive)
def exclusion_by_points_has_points(group: d.Exclusive, at: Place) -> Iterator[Finding]:
    if group.take == "highest_points":
        kpis = [one for one in group.among if one in at.contract.kpis]
        if kpis and all(at.contract.kpis[one].points is None for one in kpis):
            yield at.error("take", "the one with most points stands, and none of them has points", "Write points, or take another.")


@MONEY.about(d.Exclusive)
def exclusion_by_event_has_events(group: d.Exclusive, at: Place) -> Iterator[Finding]:
    if group.same != "event":
        return
    rules = [rule for rule in (*at.contract.money.credits, *at.contract.money.bonuses)
             if rule.name in group.among or any(one in group.among for one in rule_kpis(rule))]  # fmt: skip
    if rules and not any(pay.by is not None and pay.by.each_event is not None for rule in rules for _, pay in pays_of(rule)):
        message = "one event counts once, and none of the rules pays by the event"
        yield at.error("same", message, "Write by: {each_event: …}, or same: period.")


@MONEY.about(d.Conversion)
def conversion_leads_elsewhere(rule: d.Conversion, at: Place) -> Iterator[Finding]:
    if rule.to == at.contract.currency:
        yield at.error("to", f"the contract is in {rule.to} already", "Drop the conversion.")


@MONEY.about(d.ScopeOfWork)
def another_currency_has_a_rate(scope: d.ScopeOfWork, at: Place) -> Iterator[Finding]:
    if scope.currency is None or scope.currency == at.contract.currency or scope.currency in at.contract.money.rates:
        return
    message = f"{scope.site} is charged in {scope.currency}, and nothing says what it is worth in {at.contract.currency}"
    yield at.error("currency", message, f"Write money: {{rates: {{{scope.currency}: {{rate: …, source: …}}}}}}.")


@MONEY.about(d.Money)
def rates_are_of_currencies_that_are_charged(money: d.Money, at: Place) -> Iterator[Finding]:
    used = {scope.currency for scope in at.contract.scope}
    for name in money.rates:
        if len(name) != 3 or not name.isalpha() or not name.isupper() or name == at.contract.currency:
            yield at.error(("rates", name), f"{name!r} is no other currency", "Write the ISO 4217 code, such as PLN.")
        elif name not in used:
            yield at.warning(("rates", name), f"no site is charged in {name}", "Write currency under its scope, or drop the rate.")


@MONEY.about(d.Kpi)
def currencies_are_not_added(kpi: d.Kpi, at: Place) -> Iterator[Finding]:
    several = any(scope.currency is not None and scope.currency != at.contract.currency for scope in at.contract.scope)
    if not several or "site" in kpi.for_each:
        return
    money = [one for _, counts in counts_of(kpi.value) for one in measures_in(counts) if at.contract.measures[one].money]
    if money:
        message = f"{money[0]} comes in several currencies, and a KPI adds it as it comes"
        yield at.error("value", message, "Judge it for_each site, or deliver it in one currency.")


@PARTS.about(d.Payment)
def only_a_bonus_offsets(payment: d.Payment, at: Place) -> Iterator[Finding]:
    if payment.offsets is not None and at.path.startswith("$.money.credits["):
        yield at.error("offsets", "a credit is the customer's, and offsets nothing", "Drop it, or write the rule under bonuses.")


# Conditions and limits


@PARTS.about(d.Window)
def a_window_can_be_filled(window: d.Window, at: Place) -> Iterator[Finding]:
    if window.at_least is not None and window.at_least > window.last:
        message = f"{window.at_least} of the last {window.last} periods can never be"
        yield at.error("at_least", message, "Look at more periods, or ask for fewer.")


@PARTS.about(d.Window)
def a_window_counts_in_one_way(window: d.Window, at: Place) -> Iterator[Finding]:
    said = [name for name in ("at_least", "in_a_row", "mean_below", "mean_above") if getattr(window, name) is not None]
    if len(said) > 1 and said != ["mean_below", "mean_above"]:
        yield at.error(said[1], f"a window counts in one way, and this one says {' and '.join(said)}", "Keep one of them.")
    elif said == ["mean_below", "mean_above"] and window.mean_below >= window.mean_above:  # type: ignore[operator]
        message = f"every mean lies below {window.mean_below} or above {window.mean_above}"
        yield at.error("mean_above", message, "Correct the ends.")


@MONEY.about(d.Window)
def a_window_fits_the_term(window: d.Window, at: Place) -> Iterator[Finding]:
    if window.in_a_row is not None:
        yield from longer_than_the_term(at, "in_a_row", window.in_a_row)
    else:
        yield from longer_than_the_term(at, "last", window.last)


@PARTS.about(d.When)
def credits_are_a_percentage_of_something(when: d.When, at: Place) -> Iterator[Finding]:
    if when.of is not None and when.credit_percent is None:
        yield at.error("of", "`of` is the base of credit_percent, which is not written", "Write credit_percent, or drop `of`.")
    elif when.credit_percent is not None and when.of is None:
        yield at.error("credit_percent", "nothing says what credits are a percentage of", "Add `of:` with a base.")


@PARTS.about(d.When)
def a_condition_is_on_levels(when: d.When, at: Place) -> Iterator[Finding]:
    said = [when.missed, when.met, when.exceeded, when.credit_percent, when.at_cap, when.points_at_least, when.score_below]
    if any(one is not None for one in said) or when.band or when.credited or when.all or when.either:
        return
    window = when.window
    if window is not None and (window.mean_below is not None or window.mean_above is not None):
        return
    yield at.error("", "the condition says nothing that could hold", "Write one, such as missed: target.")


@MONEY.about(d.When)
def a_mean_is_of_one_kpi(when: d.When, at: Place) -> Iterator[Finding]:
    window = when.window
    if window is not None and (window.mean_below is not None or window.mean_above is not None) and when.kpi is None:
        payment = at.inside(d.Payment)
        if payment is None or not rule_kpis(payment):
            yield at.error("window", "a mean is taken of one KPI's values, and none is named", "Add `kpi`.")


@PARTS.about(d.Cap)
def a_cap_has_one_span(cap: d.Cap, at: Place) -> Iterator[Finding]:
    if cap.rolling is not None and cap.each is not None and at.was_written("each"):
        yield at.error("each", f"the cap is for each {cap.each} and for the last {cap.rolling} periods", "Write one of the two.")
    elif cap.rolling is None and cap.each is None:
        yield at.error("", "the cap has no span", "Write each or rolling.")


@MONEY.about(d.Cap)
def a_rolling_cap_is_filled_inside_the_term(cap: d.Cap, at: Place) -> Iterator[Finding]:
    longest = periods_in_term(at.contract)
    if cap.rolling is not None and longest is not None and cap.rolling > longest:
        message = f"the cap looks at {cap.rolling} periods, and the contract has {longest}"
        yield at.warning("rolling", message, "Shorten it, or write each: life.")


@MONEY.about(d.Cap)
def a_cap_lies_above_the_smallest_credit(cap: d.Cap, at: Place) -> Iterator[Finding]:
    if cap.limits != "credits":
        return
    flat = [
        pay.percent
        for payment in at.contract.money.credits
        for steps, pay in pays_of(payment)
        if "at_most" not in steps and isinstance(pay.percent, Decimal) and pay.of == cap.of
        if not cap.on or payment.name in cap.on or any(one in cap.on for one in rule_kpis(payment))
    ]
    amounts = [
        pay.amount
        for payment in at.contract.money.credits
        for steps, pay in pays_of(payment)
        if "at_most" not in steps and isinstance(pay.amount, Decimal)
        if not cap.on or payment.name in cap.on or any(one in cap.on for one in rule_kpis(payment))
    ]
    if cap.percent is not None and flat and cap.percent < min(flat):
        message = f"the cap of {cap.percent} % lies below the smallest credit of {min(flat)} % of the same base"
        yield at.warning("percent", message, "Raise the cap, or lower the credit.")
    elif cap.amount is not None and amounts and cap.amount < min(amounts):
        message = f"the cap of {cap.amount} lies below the smallest credit of {min(amounts)}"
        yield at.warning("amount", message, "Raise the cap, or lower the credit.")


@MONEY.about(d.Cap)
def a_cap_is_a_part_of_its_base(cap: d.Cap, at: Place) -> Iterator[Finding]:
    if cap.percent is not None and cap.percent > 100:
        yield at.warning("percent", f"a cap of {cap.percent} % lets more than all of {cap.of} through", "Write at most 100, or mean it.")


@MONEY.about(d.EarnBack)
def an_earn_back_can_be_reached(back: d.EarnBack, at: Place) -> Iterator[Finding]:
    longest = periods_in_term(at.contract)
    if longest is not None and back.periods >= longest:
        yield at.error("periods", f"a run of {back.periods} never ends inside the term of {longest}", "Shorten it.")


@MONEY.about(d.EarnBack)
def what_is_earned_back_was_credited(back: d.EarnBack, at: Place) -> Iterator[Finding]:
    credited = {one for payment in at.contract.money.credits for one in rule_kpis(payment)}
    for index, one in enumerate(back.for_):
        if one in at.contract.kpis and one not in credited:
            yield at.warning(("for", index), f"no credit arises for {one} that could come back", "Name a KPI with a credit.")
    if not at.contract.money.credits:
        yield at.warning("", "there are no credits that could come back", "Write a credit, or drop it.")


@PARTS.about(d.Ratchet)
def a_ratchet_knows_its_step(ratchet: d.Ratchet, at: Place) -> Iterator[Finding]:
    if ratchet.way == "step" and ratchet.step is None:
        yield at.error("step", "the level rises by a step, and none is written", "Add `step`.")
    elif ratchet.way != "step" and ratchet.step is not None:
        yield at.error("step", f"a step is written, and the level rises {ratchet.way.replace('_', ' ')}", "Drop it, or write way: step.")


@MONEY.about(d.Ratchet)
def a_ratchet_fits_the_term(ratchet: d.Ratchet, at: Place) -> Iterator[Finding]:
    yield from longer_than_the_term(at, "periods", ratchet.periods)


@MONEY.about(d.Ratchet)
def a_gap_to_perfection_is_one_of_percent(ratchet: d.Ratchet, at: Place) -> Iterator[Finding]:
    kpi = at.contract.kpis[ratchet.kpi]
    if ratchet.at_most_percent_of_gap is not None and kpi.better == "higher" and kind_of(kpi.value) not in (*PERCENTAGES, "given"):
        message = f"{ratchet.kpi} is no percentage, so nothing is its perfection"
        yield at.warning("at_most_percent_of_gap", message, "Limit the step instead.")


# Relief


@MONEY.about(d.Contract)
def causes_of_relief_are_told_apart(contract: d.Contract, at: Place) -> Iterator[Finding]:
    causes = [terms.cause for terms in contract.relief]
    for index, cause in enumerate(causes):
        if causes.count(cause) > 1 and causes.index(cause) == index:
            yield at.warning(("relief", index, "cause"), f"two kinds of relief are called {cause!r}", "Give each cause its own words.")


@PARTS.about(d.ReliefTerms)
def relief_that_lowers_a_target_says_to_what(terms: d.ReliefTerms, at: Place) -> Iterator[Finding]:
    if (terms.effect == "lower_target") == bool(terms.levels):
        return
    said = "lowers a target, and does not say to what" if not terms.levels else "says levels, and eases none"
    yield at.error("levels", f"{terms.cause} {said}", "Write effect: lower_target with levels: {kpi: {target: 90}}.")


@MONEY.about(d.ReliefTerms)
def relief_eases(terms: d.ReliefTerms, at: Place) -> Iterator[Finding]:
    for name, held in terms.levels.items():
        if held is HOLE:
            continue
        kpi = at.contract.kpis[name]
        for level, number in held.items():
            if number is HOLE:
                continue
            agreed = [values[level] for values in level_values(kpi) if level in values]
            upwards = kpi.better == "lower" or (kpi.better == "inside" and level == "high")
            if agreed and all(number <= one if upwards else number >= one for one in agreed):
                message = f"{number} is no easier than the {level} of {name}, so it changes nothing"
                yield at.error(("levels", name, level), message, "Write an easier level.")


# Escalation and governance


@PARTS.about(d.Trigger)
def a_trigger_can_be_met(trigger: d.Trigger, at: Place) -> Iterator[Finding]:
    if trigger.at_least > trigger.last:
        message = f"{trigger.at_least} of the last {trigger.last} periods can never be"
        yield at.error("at_least", message, "Look at more periods, or ask for fewer.")


@MONEY.about(d.Trigger)
def a_trigger_fits_the_term(trigger: d.Trigger, at: Place) -> Iterator[Finding]:
    yield from longer_than_the_term(at, "last", trigger.last)


@MONEY.about(d.Escalation)
def levels_are_numbered(escalation: d.Escalation, at: Place) -> Iterator[Finding]:
    numbers = [level.level for level in escalation.levels]
    if numbers != list(range(1, len(numbers) + 1)):
        yield at.error("levels", f"the levels are numbered {', '.join(map(str, numbers))}", "Number them 1, 2, 3 without a gap.")


@MONEY.about(d.Escalation)
def somebody_is_called(escalation: d.Escalation, at: Place) -> Iterator[Finding]:
    if escalation.rules and not escalation.levels:
        yield at.error("levels", "there are rules and nobody to call", "Add level 1.")


@PARTS.about(d.EscalationLevel)
def a_level_is_reached(level: d.EscalationLevel, at: Place) -> Iterator[Finding]:
    if level.level == 1 and level.after is not None:
        yield at.warning("after", "level 1 is reached at once", "Drop `after`.")
    elif level.level > 1 and level.after is None:
        yield at.warning("after", f"nothing says when level {level.level} is reached", "Add `after:`, such as {days: 3}.")


@PARTS.about(d.Within)
def time_is_given(within: d.Within, at: Place) -> Iterator[Finding]:
    if not within.days and not within.hours:
        yield at.error("", "no time is given", "Write days or hours.")


@MONEY.about(d.Report)
def a_report_is_checked_before_it_is_due(report: d.Report, at: Place) -> Iterator[Finding]:
    if report.vendor_check_days is not None and report.vendor_check_days > report.due_days:
        message = f"the vendor has {report.vendor_check_days} days to check what is due after {report.due_days}"
        yield at.warning("vendor_check_days", message, "Write fewer days.")


@MONEY.about(d.Citation)
def a_citation_cites(citation: d.Citation, at: Place) -> Iterator[Finding]:
    if citation.clause is None and citation.page is None and citation.quote is None:
        yield at.warning("", f"nothing is cited for {citation.at}", "Add clause, page or quote.")


# Examples


PARTS_OF_A_RESULT = ("results", "lines", "totals", "rights", "proposals", "findings")


@MONEY.about(d.Example)
def an_example_expects_something(example: d.Example, at: Place) -> Iterator[Finding]:
    if not example.expect:
        yield at.warning("expect", f"{example.name} expects nothing", "Write what comes out, such as totals: [{credit: 0}].")
    for part in example.expect:
        if part not in PARTS_OF_A_RESULT:
            yield at.error(("expect", part), f"a result has no part {part!r}", f"Use one of {', '.join(PARTS_OF_A_RESULT)}.")


@PARTS.about(d.ExampleRelief)
def relief_begins_before_it_ends(relief: d.ExampleRelief, at: Place) -> Iterator[Finding]:
    yield from ends_after_it_begins(at, relief.from_, relief.until, "the relief")


@PARTS.about(d.ExampleEvent)
def events_begin_before_they_end(event: d.ExampleEvent, at: Place) -> Iterator[Finding]:
    if event.ended_at is None:
        return
    if (event.started_at.tzinfo is None) is (event.ended_at.tzinfo is None) and event.ended_at < event.started_at:
        yield at.error("ended_at", f"the event ends at {event.ended_at}, before it begins", "Write a later moment.")


@PARTS.about(d.ExampleEvent, d.ExampleRow)
def moments_have_an_offset(part: d.ExampleEvent | d.ExampleRow, at: Place) -> Iterator[Finding]:
    for name in ("started_at", "ended_at") if isinstance(part, d.ExampleEvent) else ("starts_at", "known_at"):
        moment = getattr(part, name)
        if moment is not HOLE and moment is not None and moment.tzinfo is None:
            yield at.error(name, f"{moment} has no offset", "Write a moment with its offset, such as 2026-03-01T10:00:00+01:00.")


__all__ = ["MONEY"]
