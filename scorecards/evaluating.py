"""The whole judgement of a contract as one pure function: versions and facts in, ``score/1`` out.

The order is the contract's order of evaluation: choose the version in force, measure, take relief out, add up by
counts, ask for the sample, round, compare, look for repeats, price, limit, return, round.  Periods are evaluated one
after the other, because repeats, rolling caps and earn-back look back at the ones before; a run may start from
earlier results instead of from the contract's first day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import partial
from types import MappingProxyType

from contracts.business_time import Calendar
from contracts.curve import draw
from contracts.document import Cadence, Contract, Kpi, ReliefTerms, When
from contracts.errors import CannotCompute
from contracts.period import Period, first_measured_on, is_part, period_containing, periods, zone_named
from scorecards.deriving import derive, in_order, scopes_of
from scorecards.events import Counted, Event, count
from scorecards.lasting import add_time
from scorecards.measurement import Facts, Opening, Relief, Row, Scope, Series, gather, scope_of, site_of
from scorecards.measuring import (
    Measured,
    Plan,
    can_pool,
    is_enough,
    measure,
    plan_of,
    stand_for_the_period,
    zones_of,
)
from scorecards.pricing.bases import Amounts, Volumes
from scorecards.pricing.caps import add_carried, apply_caps
from scorecards.pricing.claims import Claim, drop_unclaimed
from scorecards.pricing.earning_back import earn_back
from scorecards.pricing.exclusivity import apply_exclusivity
from scorecards.pricing.invoicing import drop_after_the_end, invoice
from scorecards.pricing.ledger import Invoiced, Note, Payable, Record, covers
from scorecards.pricing.offsets import offset_credits
from scorecards.pricing.payments import give_payments, reading
from scorecards.pricing.points import give_points
from scorecards.pricing.rounding import apply_minimum, round_lines, round_total
from scorecards.rights import proposals_of, rights_of
from scorecards.scorecard import KpiResult, Proposal, Remark, Right, Scored, Total, exact, shown
from scorecards.scoring import (
    Judged,
    boundary_of,
    combine,
    eased,
    eased_by,
    has_conditions,
    judge,
    levels_in_force,
    round_decimals,
    shared_corners,
    standing_of,
    streak_after,
    wilson,
)


@dataclass(frozen=True, slots=True)
class Version:
    """A contract version and the days on which it holds."""

    contract: Contract
    from_on: date
    until_on: date | None

    @property
    def label(self) -> str:
        """How results name it."""
        return self.contract.version


def version_of(contract: Contract) -> Version:
    """A document as the only version of its contract."""
    return Version(contract, contract.in_force.from_, contract.in_force.until)


@dataclass(frozen=True, slots=True)
class Planned:
    """A period to be judged, the version that judges it, and the uncut period it is part of."""

    period: Period
    version: Version
    whole: Period
    began_on: date | None = None
    """The first day of the contract's first version, from which contract years are counted."""


def plan_periods(versions: Sequence[Version], until: date) -> list[Planned]:
    """The periods from the first version's start that begin before ``until``, each with its version.

    A version that begins inside a period cuts it in two (``split``), or the version at the period's start or end
    judges all of it, as the earlier version says.
    """
    planned: list[Planned] = []
    ordered = sorted(versions, key=lambda version: version.from_on)
    for index, version in enumerate(ordered):
        cadence = version.contract.measured
        anchor = cadence.anchor
        since = version.from_on
        if index == 0:
            since = first_measured_on(cadence.first, since, unit=cadence.each, anchor=anchor)
        if planned and planned[-1].period.until_on > since:
            since = planned[-1].period.until_on
        end = version.until_on
        following = ordered[index + 1].from_on if index + 1 < len(ordered) else None
        if following is not None and (end is None or following < end):
            end = following
        is_cut = following is not None and end == following and cadence.amended != "split"
        if following is not None and is_cut:
            # The period in which the next version begins is judged whole: by this version, or by that one.
            whole = period_containing(cadence.each, anchor, following)
            if whole.from_on < following:
                end = whole.until_on if cadence.amended == "at_start" else whole.from_on
        stop = period_containing(cadence.each, anchor, until).until_on
        stop = min(stop, end) if end is not None else stop
        is_last = following is None and version.until_on is not None
        if is_last and cadence.parts == "merge" and version.until_on is not None:
            # The last whole period already holds the part that will be added to it.
            rest = period_containing(cadence.each, anchor, stop)
            stop = version.until_on if rest.from_on == stop and rest.until_on > version.until_on else stop
        pieces = list(periods(cadence.each, anchor, since, stop))
        planned += [
            Planned(period, version, _whole_of(period, cadence), ordered[0].contract.in_force.from_)
            for period in _without_parts(pieces, cadence, at_start=index == 0, at_end=is_last and stop == version.until_on)
            if period.from_on < until
        ]
        if following is not None and is_cut and cadence.amended == "at_end":
            whole = period_containing(cadence.each, anchor, following)
            if whole.from_on < following < until:
                # The later version judges the whole period in which it begins.
                ordered[index + 1] = Version(ordered[index + 1].contract, whole.from_on, ordered[index + 1].until_on)
    return planned


def _without_parts(pieces: list[Period], cadence: Cadence, *, at_start: bool, at_end: bool) -> list[Period]:
    """What becomes of the pieces before the first and after the last whole period, as the contract says."""
    if cadence.parts == "keep" or not pieces:
        return pieces
    first = at_start and is_part(cadence.each, cadence.anchor, pieces[0])
    last = at_end and is_part(cadence.each, cadence.anchor, pieces[-1])
    if cadence.parts == "drop":
        return pieces[1 if first else 0 : len(pieces) - 1 if last else None]
    if first and len(pieces) > 1:
        pieces[:2] = [Period(pieces[0].from_on, pieces[1].until_on)]
    if last and len(pieces) > 1:
        pieces[-2:] = [Period(pieces[-2].from_on, pieces[-1].until_on)]
    return pieces


def _whole_of(period: Period, cadence: Cadence) -> Period:
    """The uncut period that this is, or is a part of; of a period that took a part in, the one it took it into."""
    whole = period_containing(cadence.each, cadence.anchor, period.from_on)
    if whole.covers(period) or whole.from_on == period.from_on:
        return whole
    return period_containing(cadence.each, cadence.anchor, whole.until_on)


_PERCENT = ("ratio", "intervals", "stratified", "share_met")


@dataclass(slots=True)
class Evaluation:
    """A run: its records, oldest first, and what it says."""

    records: list[Record] = field(default_factory=list)
    results: list[KpiResult] = field(default_factory=list)
    totals: list[Total] = field(default_factory=list)
    rights: list[Right] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    findings: list[Remark] = field(default_factory=list)

    def scored(self, contract: Contract, *, from_on: date | None = None, until_on: date | None = None) -> Scored:
        """The run as ``score/1``; the days limit what is shown, half-open, and nothing else."""

        def inside(on: date) -> bool:
            return (from_on is None or on >= from_on) and (until_on is None or on < until_on)

        return Scored(
            contract=contract.contract,
            currency=contract.currency,
            results=[result for result in self.results if inside(result.from_)],
            lines=[line for record in self.records for line in record.lines if inside(line.from_)],
            totals=[total for total in self.totals if inside(total.from_)],
            rights=[right for right in self.rights if (from_on is None or right.arises_on > from_on)
                    and (until_on is None or right.arises_on <= until_on)],
            proposals=[one for one in self.proposals if (from_on is None or one.from_ > from_on)
                       and (until_on is None or one.from_ <= until_on)],
            findings=self.findings,
        )


def evaluate_rows(
    versions: Sequence[Version],
    rows: Sequence[Row],
    *,
    relief: Sequence[Relief] = (),
    opening: Sequence[Opening] = (),
    events: Sequence[Event] = (),
    calendars: Mapping[str, Calendar] = MappingProxyType({}),
    claims: Sequence[Claim] | None = None,
) -> Evaluation:
    """Judges every period from the contract's start to the last one that anything was delivered for.

    ``events`` are single events, for measures that are made from them; ``calendars`` those in whose business time
    durations are counted; ``claims`` the credits that the customer asked for or chose (``None``: nobody says).
    """
    days = [row.starts_on for row in rows] + [one.starts_on for one in opening]
    stopping = {kind for one in versions for how in one.contract.measures.values() if how.events is not None for kind in how.events.pauses}
    days += [_last_day(versions, event) for event in events if event.kind not in stopping]
    if not days:
        return Evaluation()
    planned = plan_periods(versions, date.fromordinal(max(days).toordinal() + 1))
    known_before = [one for one in opening if not planned or one.starts_on < planned[-1].period.until_on]
    periods_ = [one.period for one in planned]
    starts = [period.from_on for period in periods_]
    remarks: list[Remark] = []
    counted = _count_events(versions, events, periods_, rows, calendars, remarks)
    facts = gather([*rows, *counted.rows], starts)
    facts.cases = counted.cases
    run = evaluate(planned, facts, relief=relief, opening=known_before, calendars=calendars, claims=claims)
    run.findings += remarks
    return run


def _last_day(versions: Sequence[Version], event: Event) -> date:
    """The last day on which any measure counts the event."""
    contract = versions[-1].contract
    zone_of = zones_of(contract)
    days = [event.started_at.astimezone(zone_named(contract.time_zone)).date()]
    for name, one in contract.measures.items():
        if one.events is not None and one.events.kind == event.kind:
            moment = event.ended_at if one.events.at == "end" and event.ended_at is not None else event.started_at
            days.append(moment.astimezone(zone_of(name, event.site)).date())
    return max(days)


def _count_events(
    versions: Sequence[Version],
    events: Sequence[Event],
    periods_: Sequence[Period],
    rows: Sequence[Row],
    calendars: Mapping[str, Calendar],
    remarks: list[Remark],
) -> Counted:
    if not events:
        return Counted([], {}, [])
    sites = sorted({row.site for row in rows if row.site} | {event.site for event in events})
    try:
        counted = count(versions[-1].contract, events, periods_, sites, calendars)
    except CannotCompute as problem:
        remarks.append(Remark(severity="error", where="events", message=problem.message, repair=problem.repair))
        return Counted([], {}, [])
    if counted.unused:
        names = ", ".join(counted.unused[:5]) + (" …" if len(counted.unused) > 5 else "")
        remarks.append(
            Remark(
                severity="warning",
                where="events",
                message=f"pauses stop the clock of no event: {names}",
                repair="Give a pause the number and the site of the event that waits.",
            )
        )
    if counted.unfinished:
        names = ", ".join(counted.unfinished[:5]) + (" …" if len(counted.unfinished) > 5 else "")
        remarks.append(
            Remark(
                severity="warning",
                where="events",
                message=f"{len(counted.unfinished)} events have no end and are not counted where their duration matters: {names}",
                repair="Deliver them again when they have ended.",
            )
        )
    return counted


def evaluate(
    planned: Sequence[Planned],
    facts: Facts,
    *,
    relief: Sequence[Relief] = (),
    opening: Sequence[Opening] = (),
    earlier: Sequence[Record] = (),
    calendars: Mapping[str, Calendar] = MappingProxyType({}),
    claims: Sequence[Claim] | None = None,
) -> Evaluation:
    """Judges the planned periods in order.  ``earlier`` are records of periods before the first of them."""
    run = Evaluation()
    for one in planned:
        stand_for_the_period(facts, one.version.contract, one.period)
        try:
            add_time(facts, one.version.contract, one.period, calendars)
        except CannotCompute as problem:
            run.findings.append(Remark(severity="error", where=f"measures, {one.period}", message=problem.message, repair=problem.repair))
    by_measure = facts.by_measure()
    plans: dict[int, dict[str, Plan]] = {}
    streaks: dict[tuple[str, Scope], int] = {}
    pending: dict[tuple[str, Scope], list[Measured]] = {}
    known = _opening_records(planned, opening)
    history = [*earlier, *known.get(None, [])]
    for record in history:
        for key, verdict in record.verdicts.items():
            # A stored verdict knows its streak, which may be older than the records that were loaded.
            streaks[key] = verdict.streak or streak_after(streaks.get(key, 0), verdict)
            if verdict.measured.status == "accumulating":
                pending[key] = [verdict.measured]
            elif verdict.measured.status == "measured" or verdict.kpi.judged == "at_review":
                # A review that is over leaves nothing waiting, whatever its counts came to.
                pending.pop(key, None)
    for one in planned:
        contract = one.version.contract
        if id(contract) not in plans:
            plans[id(contract)] = {name: plan_of(name, kpi, facts, contract) for name, kpi in contract.kpis.items()}
        replacing = known.get(one.period.from_on)
        if replacing and not _delivered(facts, one.period.from_on):
            # A period before our data, known only by its results: looked back at, not judged; rights arise from it.
            amounts = Amounts(contract, one.period, facts, by_measure, one.whole)
            for record in replacing:
                record.base_amount = amounts.amount
                run.rights += rights_of(record, history)
                history.append(record)
                for key, verdict in record.verdicts.items():
                    streaks[key] = streak_after(streaks.get(key, 0), verdict)
            continue
        record = Record(contract, one.version.label, one.period, began_on=one.began_on)
        if replacing:
            record.known_failures += replacing[0].known_failures
            record.known_points += replacing[0].known_points
        amounts = Amounts(contract, one.period, facts, by_measure, one.whole, record, history)
        record.base_amount = amounts.amount
        _judge_all(record, one, plans[id(contract)], facts, relief, history, amounts, pending)
        for key, verdict in record.verdicts.items():
            streaks[key] = verdict.streak = streak_after(streaks.get(key, 0), verdict)
        _price(record, history, amounts, run, claims)
        run.rights += rights_of(record, history)
        run.proposals += proposals_of(record, history)
        written: dict[int, dict[str, Decimal]] = {}
        weights: dict[int, Decimal | None] = {}
        units = {name: unit_of(name, contract.kpis) for name in contract.kpis}
        run.results += [_result(verdict, units, written, weights) for verdict in record.verdicts.values()]
        run.findings += _findings(record)
        history.append(record)
        run.records.append(record)
    return run


def _delivered(facts: Facts, on: date) -> bool:
    return any(on in by_period for by_period in facts.tallies.values())


def _judge_all(
    record: Record,
    one: Planned,
    plans: Mapping[str, Plan],
    facts: Facts,
    relief: Sequence[Relief],
    history: Sequence[Record],
    amounts: Amounts,
    pending: dict[tuple[str, Scope], list[Measured]],
) -> None:
    contract = record.contract
    touching = [claim for claim in relief if claim.from_on < one.period.until_on and one.period.from_on < claim.until_on]
    money_only = [claim for claim in touching if claim.effect == "cancel_money"]
    easing = [claim for claim in touching if claim.effect == "lower_target"]
    for claim in easing:
        if eased_by(contract, claim) is None:
            msg = f"relief for {claim.cause or 'a cause without a name'} lowers a target, and the contract does not say to what"
            record.problems.append(CannotCompute(msg, "Write the eased levels under relief, with the claim's cause."))
    attributes = contract.attributes
    promised: dict[tuple[tuple[str, ...], tuple[tuple[str, str], ...]], list[Scope]] = {}
    for name in in_order(contract.kpis):
        kpi = contract.kpis[name]
        is_derived = kpi.value.kind in ("derived", "moving_mean", "share_met", "across")
        if is_derived:
            scopes = scopes_of(kpi, record.verdicts) or ([()] if not kpi.for_each else [])
        else:
            scopes = list(plans[name].scopes)
            # KPIs are mostly promised for the same places; which, is asked once.
            split = (tuple(kpi.for_each), tuple((place, str(wanted)) for place, wanted in kpi.where.items()))
            if split not in promised:
                promised[split] = _promised(kpi, one, plans)
            scopes += [scope for scope in promised[split] if scope not in plans[name].scopes]
        # Levels that depend on nothing but the day are looked up once for all scopes.
        same = None if has_conditions(kpi) else levels_in_force(kpi, one.period.from_on, (), lambda _name: None, part=amounts.part)
        corners = None if same is None else shared_corners(kpi, same)
        for scope in scopes:
            if is_derived:
                measured = derive(
                    kpi, name, scope, record.verdicts, history, partial(amounts.measure, scope=scope), since=_review_of(one).from_on
                )
                _ask_for_enough(kpi, measured, partial(amounts.measure, scope=scope))
            else:
                measured = _measured(plans[name], scope, one.period, facts, relief, record)
            accumulated = 1
            if kpi.judged == "at_review" and can_pool(kpi):
                measured, accumulated = _until_review(pending, name, scope, plans[name], measured, is_over=_ends_review(one))
            elif kpi.sample is not None and kpi.sample.otherwise == "accumulate":
                measured, accumulated = _accumulate(pending, name, scope, plans[name], measured)
            if kpi.deemed is not None and measured.status == "no_data":
                measured = _deemed(kpi.deemed, measured)
            levels = same
            if levels is None:
                levels = levels_in_force(
                    kpi,
                    one.period.from_on,
                    # The levels of a site may be those of its country.
                    (*scope, *attributes.get(dict(scope).get("site", ""), {}).items()),
                    partial(amounts.measure, scope=scope),
                    partial(_result_of, record.verdicts, scope=scope),
                    part=amounts.part,
                )
            before_relief = levels
            for claim in easing:
                terms = eased_by(contract, claim)
                if terms is not None and _touches(claim, name, scope):
                    levels = eased(kpi, levels, terms.levels.get(name, {}), amounts.part)
                    _note_eased(record, name, scope, terms, before_relief, levels)
            judged = partial(
                judge, name, kpi, scope, one.period, one.version.label, volumes=Volumes(amounts, scope), part=amounts.part,
                # The corners stand where the levels do, so they are shared only with levels that are.
                corners=corners if levels is same else None,
            )
            verdict = judged(measured, levels)
            if kpi.missing == "previous" and kpi.weight is not None and verdict.score is None:
                before = _last_judged(history, name, scope)
                if before is not None:
                    verdict.carried_score = judged(Measured("measured", value=before.measured.value), levels).score
                    verdict.measured.note = f"{measured.note + '; ' if measured.note else ''}scored by the value of {before.period}"
            verdict.accumulated = accumulated
            verdict.levels_without_relief = before_relief if levels is not before_relief and levels != before_relief else None
            if money_only:
                verdict.money_relieved = any(_touches(claim, name, scope) for claim in money_only)
            record.verdicts[name, scope] = verdict


def _measured(
    plan_: Plan, scope: Scope, period: Period, facts: Facts, relief: Sequence[Relief], record: Record
) -> Measured:
    """The measured value; figures that give none leave this KPI without data and no other."""
    try:
        return measure(plan_, scope, period, facts, relief, minimum=plan_.kpi.judged == "each_period" or not can_pool(plan_.kpi))
    except CannotCompute as problem:
        record.problems.append(problem)
        return Measured("no_data", note=problem.message)


def _touches(claim: Relief, name: str, scope: Scope) -> bool:
    site = dict(scope).get("site", claim.site or "")
    return claim.touches(name, site, tuple(pair for pair in scope if pair[0] != "site"))


def _note_eased(
    record: Record, name: str, scope: Scope, terms: ReliefTerms, before: Mapping[str, Fraction], after: Mapping[str, Fraction]
) -> None:
    for level, number in after.items():
        if number != before[level]:
            record.line(
                3, "relief", scope, f"{terms.cause}: the {level} is eased", amount=None, kpi=name, clause=terms.clause,
                inputs={level: number, "without relief": before[level]},
            )


def _ask_for_enough(kpi: Kpi, measured: Measured, total: Callable[[str], Fraction | None]) -> None:
    """The minimum sample of a KPI that is made of other results: so many scopes, or so much of the measure it names."""
    if kpi.sample is None or measured.status != "measured":
        return
    cases = measured.n if kpi.sample.of is None else total(kpi.sample.of) or Fraction(0)
    if cases is not None and not is_enough(kpi, cases):
        measured.status, measured.note = "not_measured", f"{cases} cases are too few"


def _last_judged(history: Sequence[Record], name: str, scope: Scope) -> Judged | None:
    """The newest earlier verdict that had a value."""
    for record in reversed(history):
        verdict = record.verdicts.get((name, scope))
        if verdict is not None and verdict.is_judged:
            return verdict
    return None


def _promised(kpi: Kpi, one: Planned, plans: Mapping[str, Plan]) -> list[Scope]:
    """The scopes a KPI is promised for, also where none of its measures was ever delivered: then it has no data there.

    They come from the scope of work; a contract that lists none promises each KPI for every site that delivers anything.
    """
    contract, period = one.version.contract, one.period
    attributes = contract.attributes
    if not kpi.for_each:
        return [()]
    if contract.scope:
        works = [
            {"site": work.site} | ({"workstream": work.workstream} if work.workstream is not None else {}) | attributes.get(work.site, {})
            for work in contract.scope
            if (work.from_ is None or work.from_ < period.until_on) and (work.until is None or period.from_on < work.until)
        ]
    else:
        sites = {value for held in plans.values() for scope in held.scopes for name, value in scope if name == "site"}
        works = [{"site": site} for site in sorted(sites)]
    known = {"site", "workstream", *(set(contract.splits) - set(contract.dimensions))} if contract.scope else {"site"}
    if not set(kpi.for_each) <= known or not set(kpi.where) <= known:
        return []
    found = []
    for work in works:
        fits = all(
            work.get(name) == wanted if isinstance(wanted, str) else work.get(name) in wanted
            for name, wanted in kpi.where.items()
        )
        if fits and set(kpi.for_each) <= set(work):
            found.append(scope_of(work.get("site") if "site" in kpi.for_each else None, {
                name: work[name] for name in kpi.for_each if name != "site"
            }))
    return list(dict.fromkeys(found))


def _result_of(verdicts: Mapping[tuple[str, Scope], Judged], name: str, *, scope: Scope) -> Fraction | None:
    """Another KPI's value for the same scope, or for the one wider scope it is judged at."""
    own = verdicts.get((name, scope))
    if own is None:
        wider = [verdict for (held, place), verdict in verdicts.items() if held == name and covers(place, scope)]
        own = wider[0] if len(wider) == 1 else None
    return own.compared if own is not None else None


def _accumulate(
    pending: dict[tuple[str, Scope], list[Measured]], name: str, scope: Scope, plan_: Plan, measured: Measured
) -> tuple[Measured, int]:
    """Adds this period's counts to those that waited; judged when there are enough, and then counting starts anew."""
    waiting = pending.setdefault((name, scope), [])
    if measured.status not in ("measured", "accumulating"):
        return measured, 1
    waiting.append(measured)
    above = sum((Fraction(held.numerator or 0) for held in waiting), Fraction(0))
    below = sum((Fraction(held.denominator or 0) for held in waiting), Fraction(0))
    cases = sum((Fraction(held.n or 0) for held in waiting), Fraction(0))
    pooled = Measured(
        "accumulating",
        numerator=above,
        denominator=below,
        expected=measured.expected,
        present=measured.present,
        relieved=measured.relieved,
        unpaired=measured.unpaired,
        n=cases,
        note=f"{cases} cases in {sum(held.periods for held in waiting)} periods",
        periods=sum(held.periods for held in waiting),
    )
    count = pooled.periods
    if not is_enough(plan_.kpi, cases) or below == 0:
        return pooled, count
    pooled.status = "measured"
    pooled.value = plan_.times * above / below
    waiting.clear()
    return pooled, count


def _review_of(one: Planned) -> Period:
    """The review period in which the period begins; without reviews, each period is one."""
    reviewed = one.version.contract.reviewed
    return one.period if reviewed is None else period_containing(reviewed.each, reviewed.anchor, one.period.from_on)


def _deemed(value: Decimal, measured: Measured) -> Measured:
    """What a period counts as for which nothing, or not enough, was delivered, where the contract says so."""
    return Measured(
        "measured",
        value=Fraction(value),
        expected=measured.expected,
        present=measured.present,
        recomputable=False,
        note=f"nothing, or not enough, was delivered; the contract deems it {value}",
    )


def _ends_review(one: Planned) -> bool:
    """Whether a review is over with this period: its own end, or the contract's, has come."""
    ends = one.version.contract.in_force.until
    return one.period.until_on >= _review_of(one).until_on or (ends is not None and one.period.until_on >= ends)


def _until_review(
    pending: dict[tuple[str, Scope], list[Measured]], name: str, scope: Scope, plan_: Plan, measured: Measured, *, is_over: bool
) -> tuple[Measured, int]:
    """The counts of the review so far, and with its last period their value.

    A period without data adds nothing; one without volume adds its zeros.  A review to which no period added anything
    is what its last period is.
    """
    waiting = pending.setdefault((name, scope), [])
    if measured.status in ("measured", "no_volume"):
        waiting.append(measured)
    if not waiting:
        return measured, 1
    has_denominator = plan_.below is not None
    above = sum((Fraction(held.numerator or 0) for held in waiting), Fraction(0))
    below = sum((Fraction(held.denominator or 0) for held in waiting), Fraction(0))
    cases = sum((Fraction(held.n or 0) for held in waiting), Fraction(0))
    count = sum(held.periods for held in waiting)
    pooled = Measured(
        "accumulating",
        numerator=above,
        denominator=below if has_denominator else None,
        expected=measured.expected,
        present=measured.present,
        relieved=measured.relieved,
        unpaired=measured.unpaired,
        n=cases if has_denominator else None,
        note=f"the counts of {count} {'period' if count == 1 else 'periods'} of the review",
        periods=count,
    )
    if not is_over:
        return pooled, count
    waiting.clear()
    if has_denominator and below == 0:
        pooled.status = "no_volume"
    elif has_denominator and not is_enough(plan_.kpi, cases):
        pooled.status, pooled.note = "not_measured", f"{cases} cases in {count} periods are too few"
    else:
        pooled.status = "measured"
        pooled.value = plan_.times * above / below if has_denominator else above
    return pooled, count


def _price(
    record: Record, history: Sequence[Record], amounts: Amounts, run: Evaluation, claims: Sequence[Claim] | None = None
) -> None:
    contract = record.contract
    give_points(record, history)
    _score(record, history, amounts)
    try:
        add_carried(record, history)
        give_payments(record, history, amounts)
        apply_exclusivity(record, claims)
        drop_unclaimed(record, claims)
        record.uncapped = [(p.scope, p.amount) for p in record.payables if p.kind == "credit"]
        apply_caps(record, history, amounts)
        earn_back(record, history)
        offset_credits(record, history)
        round_lines(record)
        apply_minimum(record)
        drop_after_the_end(record)
        invoice(record, history, amounts)
    except CannotCompute as problem:
        run.findings.append(
            Remark(
                severity="error",
                where=f"money, {record.period}",
                message=problem.message,
                repair=problem.repair,
            )
        )
        record.payables.clear()
        record.notes = [note for note in record.notes if note.kind == "score"]
    run.findings += [
        Remark(severity="error", where=str(record.period), message=one.message, repair=one.repair)
        for one in record.problems
    ]
    priced = bool(contract.money.credits or contract.money.bonuses)
    uncapped, carried, backs = _per_site(record.uncapped), _per_site(record.carried), _per_site(record.earned_back)
    invoices: dict[Scope, list[Invoiced]] = {(): record.invoices}
    for one in record.invoices:
        if one.scope:
            invoices.setdefault(one.scope, []).append(one)
    for scope in _total_scopes(record):
        verdicts = record.inside(scope)
        credit = round_total(record, record.credit(scope)) if priced else None
        bonus = round_total(record, record.bonus(scope)) if priced else None
        back = round_total(record, backs.get(scope, Fraction(0))) if priced else None
        gave_points = any(verdict.points is not None for verdict in verdicts)
        score = record.scores.get(scope)
        net = credit - bonus - back if credit is not None and bonus is not None and back is not None else None
        run.totals.append(
            Total(
                scope=dict(scope),
                from_=record.period.from_on,
                until=record.period.until_on,
                score=shown(score),
                standing=standing_of(contract, score),
                points=shown(record.points(scope)) if gave_points else None,
                credit_uncapped=_cents(uncapped.get(scope, Fraction(0)), record) if priced else None,
                credit=_cents(credit, record),
                bonus=_cents(bonus, record),
                earned_back=_cents(back, record),
                carried=_cents(carried.get(scope, Fraction(0)), record) if priced else None,
                net=_cents(net, record),
                **_invoiced(invoices.get(scope, []), record),
                converted=_cents(_converted(net, record, amounts, scope), record),
                converted_currency=contract.money.conversion.to if contract.money.conversion is not None else None,
            )
        )


def _converted(net: Fraction | None, record: Record, amounts: Amounts, scope: Scope) -> Fraction | None:
    """Step 13: what is left after every limit, in the currency that is paid; ``None`` while the rate is not known."""
    rule = record.contract.money.conversion
    if rule is None or net is None:
        return None
    rate = amounts.measure(rule.rate, ()) if isinstance(rule.rate, str) else Fraction(rule.rate)
    if rate is None:
        return None
    record.line(
        13, "rounding", scope, f"converted to {rule.to} at the rate of {rule.source} of {rule.on}", amount=net * rate,
        inputs={"net": net, "rate": rate},
    )
    return net * rate


def _per_site(amounts: Iterable[tuple[Scope, Fraction]]) -> dict[Scope, Fraction]:
    """The sum for each site, and for the contract under ``()``."""
    found: dict[Scope, Fraction] = {}
    for scope, amount in amounts:
        for place in dict.fromkeys([site_of(scope), ()]):
            found[place] = found.get(place, Fraction(0)) + amount
    return found


def _invoiced(held: Sequence[Invoiced], record: Record) -> dict[str, Decimal | None]:
    """The invoice of a scope as a total shows it; the contract's is the sum of its sites'."""
    if not held:
        return {}
    sums = {
        "invoice": sum((one.before for one in held), Fraction(0)),
        "taken_off": sum((one.taken_off for one in held), Fraction(0)),
        "tax": sum((one.tax for one in held), Fraction(0)),
        "to_pay": sum((one.to_pay for one in held), Fraction(0)),
        "left_over": sum((one.left for one in held), Fraction(0)),
    }
    return {name: _cents(amount, record) for name, amount in sums.items()}


def _cents(amount: Fraction | None, record: Record) -> Decimal | None:
    """Money as a result shows it: with the decimals of the contract's rounding step, ``2000.00`` and not ``2000``."""
    if amount is None:
        return None
    step = record.contract.money.rounding.to
    whole = exact(round_total(record, amount))
    assert whole is not None
    return whole.quantize(step) if step.as_tuple().exponent < 0 else whole  # type: ignore[operator]


def _total_scopes(record: Record) -> list[Scope]:
    """One total for each site, and one for the contract."""
    sites = {site_of(scope) for _, scope in record.verdicts}
    sites |= {site_of(payable.scope) for payable in record.payables}
    sites |= {one.scope for one in record.invoices}
    return [*sorted(site for site in sites if site), ()]


def _score(record: Record, history: Sequence[Record], amounts: Amounts) -> None:
    """Scores the contract first and its sites after, so that a verdict shows the weight it had in its site."""
    sites = sorted({site_of(scope) for _, scope in record.verdicts})
    looked_at = _scores_looked_at(record.contract)
    for scope in [(), *(site for site in sites if site)]:
        score = combine(record.contract, record.inside(scope), of_sites=bool(scope)).score
        if score is not None:
            score = _less_deductions(score, scope, record, history, amounts)
            how = record.contract.scoring.round_total
            score = score if how is None else round_decimals(score, how)
        record.scores[scope] = score
        if score is not None and bool(scope) in looked_at:
            record.notes.append(Note("score", "score", scope, score))


def _scores_looked_at(contract: Contract) -> set[bool]:
    """Whose scores conditions over several periods are about, sites' (``True``) or the contract's (``False``); a stored result
    does not hold them exactly.
    """
    found = {bool(right.for_each) for right in contract.rights if _is_on_score(right.when)}
    for rule in (*contract.money.credits, *contract.money.bonuses):
        if any(_is_on_score(one) for one in (rule.when, rule.unless) if one is not None):
            found.add(rule.for_each != [])
    return found


def _is_on_score(when: When) -> bool:
    return when.score_below is not None or any(_is_on_score(one) for one in (*when.all, *when.either))


def _less_deductions(
    score: Fraction, scope: Scope, record: Record, history: Sequence[Record], amounts: Amounts
) -> Fraction:
    for rule in record.contract.scoring.deductions:
        at, label = reading(rule.by, record, history, amounts, scope, None)
        if at is None:
            continue
        drawn = draw(rule.give, at, volumes=Volumes(amounts, scope), part=amounts.part)
        if drawn.amount:
            score -= drawn.amount
            record.line(8, "deduction", scope, f"{rule.name}: {drawn.words}", amount=-drawn.amount, clause=rule.clause, inputs={label: at})
    return score


def unit_of(name: str, kpis: Mapping[str, Kpi]) -> str:
    """A KPI's unit; what is made of one other KPI's results has the unit of that one."""
    seen: set[str] = set()
    while name in kpis and name not in seen:
        seen.add(name)
        kpi = kpis[name]
        if kpi.unit is not None:
            return kpi.unit
        if kpi.value.kind in _PERCENT and not is_amount(kpi):
            return "percent"
        rests_on_one = kpi.value.moving_mean or kpi.value.across
        name = rests_on_one.of if rests_on_one is not None else ""
    return "count"


def _shown_once(number: Fraction | None, kept: dict[int, Decimal | None]) -> Decimal | None:
    if id(number) not in kept:
        kept[id(number)] = shown(number)
    return kept[id(number)]


def _result(
    verdict: Judged, units: Mapping[str, str], written: dict[int, dict[str, Decimal]], weights: dict[int, Decimal | None]
) -> KpiResult:
    """A verdict as it is printed.  ``written`` and ``weights`` keep what many verdicts share, so that each is printed once;
    both know it by its identity, which holds as long as the verdicts do.
    """
    kpi, measured = verdict.kpi, verdict.measured
    if id(verdict.levels) not in written:
        printed = {name: shown(number) for name, number in verdict.levels.items()}
        written[id(verdict.levels)] = {name: number for name, number in printed.items() if number is not None}
    levels = written[id(verdict.levels)]
    value = shown(measured.value)
    own = dict(verdict.scope)
    interval = None
    if kpi.sampled and kpi.value.ratio is not None and measured.numerator is not None and measured.denominator:
        bounds = wilson(Fraction(measured.numerator), Fraction(measured.denominator))
        if bounds is not None:
            low, high = shown(bounds[0]), shown(bounds[1])
            interval = (low, high) if low is not None and high is not None else None
    site = own.pop("site", None)
    return KpiResult(
        kpi=verdict.name,
        site=site,
        dimensions=own,
        clause=kpi.clause,
        version=verdict.version,
        from_=verdict.period.from_on,
        until=verdict.period.until_on,
        numerator=exact(measured.numerator),
        denominator=exact(measured.denominator),
        value=value,
        unit=kpi.unit or units.get(verdict.name, "count"),
        compared=value if verdict.compared is measured.value else shown(verdict.compared),
        status=measured.status,
        target=levels.get("target"),
        met=verdict.met,
        level=verdict.level,
        score=shown(verdict.score),
        weight=kpi.weight,
        weight_used=_shown_once(verdict.weight_used, weights),
        score_part=shown(verdict.score_part),
        points_base=shown(verdict.points_base),
        multiplier=shown(verdict.multiplier),
        points=shown(verdict.points),
        streak=verdict.streak,
        interval=interval,
        title=kpi.title,
        better=kpi.better,
        boundary=boundary_of(kpi),
        levels=levels,
        group=kpi.group,
        spans_expected=measured.expected,
        spans_present=measured.present,
        spans_relieved=measured.relieved,
        spans_unpaired=measured.unpaired,
        value_without_relief=shown(measured.without_relief),
        levels_without_relief={
            name: figure
            for name, hard in (verdict.levels_without_relief or {}).items()
            if hard != verdict.levels.get(name) and (figure := shown(hard)) is not None
        },
        cases=exact(Fraction(measured.n)) if measured.status == "accumulating" and measured.n is not None else None,
        accumulated=verdict.accumulated,
        recomputable=measured.recomputable,
        note=measured.note,
        kind=kpi.value.kind,
        times=_times(kpi) if measured.denominator is not None else None,
    )


def _times(kpi: Kpi) -> Decimal | None:
    if kpi.value.rate is not None:
        return kpi.value.rate.each
    return Decimal(1) if kpi.value.mean is not None else Decimal(100) if kpi.value.kind in _PERCENT else None


def is_amount(kpi: Kpi) -> bool:
    """Whether its intervals give an amount per unit, or its scopes a number, and no percentage."""
    if kpi.value.share_met is not None:
        return kpi.value.share_met.give != "percent"
    return kpi.value.intervals is not None and kpi.value.intervals.take == "mean" and kpi.value.intervals.mean is not None


def _findings(record: Record) -> list[Remark]:
    return [
        Remark(
            severity="warning",
            where=f"kpis.{name}, {record.period}",
            message=words,
            repair="Close the gap or the overlap in the bands; until then this value has no amount.",
        )
        for (name, _), verdict in record.verdicts.items()
        for words in verdict.findings
    ]


def _opening_records(planned: Sequence[Planned], opening: Sequence[Opening]) -> dict[date | None, list[Record]]:
    """Opening facts as records: those before the first planned period under ``None``, others under their period."""
    if not planned:
        return {}
    boxes: dict[date, list[Opening]] = {}
    for fact in opening:
        boxes.setdefault(fact.starts_on, []).append(fact)
    found: dict[date | None, list[Record]] = {}
    first = planned[0]
    for starts_on in sorted(boxes):
        if starts_on < first.period.from_on:
            version, key = first.version, None
            cadence = version.contract.measured
            anchor = cadence.anchor
            period = period_containing(cadence.each, anchor, starts_on)
        else:
            inside = [one for one in planned if starts_on in one.period]
            if not inside:
                continue
            version, period, key = inside[0].version, inside[0].period, inside[0].period.from_on
        found.setdefault(key, []).append(_opening_record(version, period, boxes[starts_on]))
    return found


def _opening_record(version: Version, period: Period, facts: Sequence[Opening]) -> Record:
    record = Record(version.contract, version.label, period)
    for fact in facts:
        scope = scope_of(fact.site, dict(fact.dimensions))
        _open(record, version, fact, scope)
    return record


def _open(record: Record, version: Version, fact: Opening, scope: Scope) -> None:
    match fact.fact:
        case "credit" | "paid":
            amount = Fraction(Decimal(fact.value))
            if fact.kpi is not None:
                record.payables.append(
                    Payable(fact.kpi, "credit", scope, amount, kpi=fact.kpi, names=frozenset([fact.kpi]))
                )
            elif not (fact.fact == "credit" and record.known_credits):
                record.known_credits.append((scope, amount))
        case "charge":
            record.known_charges.append((scope, Fraction(Decimal(fact.value))))
        case "failures":
            record.known_failures.append((fact.kpi, scope, int(fact.value)))
        case "points" if fact.kpi is None:
            record.known_points.append((scope, Fraction(Decimal(fact.value))))
        case _:
            if fact.kpi is None or fact.kpi not in version.contract.kpis:
                return
            _open_verdict(record, version, fact, scope)


def _open_verdict(record: Record, version: Version, fact: Opening, scope: Scope) -> None:
    assert fact.kpi is not None
    kpi = version.contract.kpis[fact.kpi]
    key = (fact.kpi, scope)
    verdict = record.verdicts.get(key)
    if verdict is None:
        levels = levels_in_force(kpi, record.period.from_on, scope, lambda _name: None)
        verdict = Judged(fact.kpi, kpi, scope, record.period, version.label, Measured("no_data"), levels)
        record.verdicts[key] = verdict
    if fact.fact == "value":
        value = Fraction(Decimal(fact.value))
        record.verdicts[key] = judge(
            fact.kpi, kpi, scope, record.period, version.label,
            Measured("measured", value=value, recomputable=False), verdict.levels,
        )
    elif fact.fact == "met":
        verdict.met = fact.value.strip().lower() in ("true", "yes", "1", "met")
    elif fact.fact == "level":
        verdict.level = fact.value
    elif fact.fact == "points":
        verdict.points = verdict.points_base = Fraction(Decimal(fact.value))


__all__ = ["Evaluation", "Planned", "Series", "Version", "evaluate", "evaluate_rows", "plan_periods", "version_of"]
