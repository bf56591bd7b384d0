"""From results to tickets: what a rule asks for, given a series and the tickets that exist for it already.

The condition is worked out from the whole series and compared with what the tickets have on record. Only the difference
becomes events. So running it twice changes nothing, a corrected month cancels or annotates what rested on it, and months that
arrive late, or all at once, lead to the same tickets as months that arrive one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import msgspec

from vendor_mgmt.escalations import conditions, plans, tickets
from vendor_mgmt.escalations.conditions import Condition, EventKind, PeriodKind, Step
from vendor_mgmt.escalations.rules import Policy, RuleParameters, Series, TicketKey, kinds, observed_severity
from vendor_mgmt.escalations.tickets import SYSTEM, Calendars, Message, Record, Refusal, Suppress, Ticket, TicketState

__all__ = ["Change", "Fact", "Known", "changes", "facts_of", "rules_for"]

_BREACHES = frozenset({"opened", "recurred", "continued", "reopened"})
_CLEARS = frozenset({"cleared", "closed"})
_WITHDRAWN = "withdrawn"


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What a ticket has on record about one period."""

    kind: str
    period_from: date


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A stored ticket with what it has on record; `id` is the row's."""

    id: int
    ticket: Ticket
    facts: tuple[Fact, ...]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket to write: an existing row (`id`) with its further records, or a new one that may repeat an earlier one."""

    id: int | None
    ticket: Ticket
    records: tuple[Record, ...]
    messages: tuple[Message, ...]
    recurs_from: int | None = None


def facts_of(records: Iterable[Record]) -> tuple[Fact, ...]:
    """What the records say about periods, in their order."""
    return tuple(Fact(kind=each.kind, period_from=each.period_from) for each in records if each.period_from is not None)


def rules_for(kpi: str, rules: Iterable[RuleParameters]) -> tuple[RuleParameters, ...]:
    """The rules that speak about a KPI: those that name it and those that name none."""
    return tuple(rule for rule in rules if rule.kpi in (None, kpi))


class _Draft:
    """A ticket on its way through this run: the stored one, or one that is being opened."""

    def __init__(self, known: Known | None, ticket: Ticket, facts: Iterable[Fact] = (), recurs_from: int | None = None) -> None:
        self.known = known
        self.ticket = ticket
        self.facts = list(facts)
        self.recurs_from = recurs_from
        self.records: list[Record] = []
        self.messages: list[Message] = []

    @classmethod
    def stored(cls, known: Known) -> _Draft:
        return cls(known, known.ticket, known.facts)

    def took(self, result: tickets.Transition) -> None:
        self.ticket = result.ticket
        self.records.extend(result.records)
        self.messages.extend(result.messages)
        self.facts.extend(facts_of(result.records))

    def take(self, event: tickets.Event, at: datetime, calendars: Calendars) -> bool:
        """Whether the event was possible; the ticket moves on if so."""
        result = tickets.transition(self.ticket, event, actor=SYSTEM, at=at, calendars=calendars)
        if isinstance(result, Refusal):
            return False
        self.took(result)
        return True

    @property
    def breaches(self) -> set[date]:
        """The periods this ticket holds to be breaches, less those that were withdrawn since."""
        found: set[date] = set()
        for fact in self.facts:
            if fact.kind in _BREACHES:
                found.add(fact.period_from)
            elif fact.kind == _WITHDRAWN:
                found.discard(fact.period_from)
        return found

    @property
    def clears(self) -> set[date]:
        return {fact.period_from for fact in self.facts if fact.kind in _CLEARS}

    @property
    def change(self) -> Change | None:
        if not self.records:
            return None
        return Change(
            id=self.known.id if self.known is not None else None,
            ticket=self.ticket,
            records=tuple(self.records),
            messages=_one_for_each_role(self.messages),
            recurs_from=self.recurs_from,
        )


def _one_for_each_role(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Several months closed in one go are one message, not several."""
    merged: dict[tuple[str, str], Message] = {}
    for each in messages:
        place = (each.role, each.channel)
        before = merged.get(place)
        topics = each.topics if before is None else (*before.topics, *(topic for topic in each.topics if topic not in before.topics))
        merged[place] = Message(role=each.role, channel=each.channel, topics=topics, sequence=each.sequence)
    return tuple(merged.values())


def changes(
    series: Series,
    rule: RuleParameters,
    policy: Policy,
    known: Sequence[Known],
    *,
    at: datetime,
    calendars: Calendars,
    inhibitor: Suppress | None = None,
    inhibited_until: datetime | None = None,
) -> tuple[Change, ...]:
    """What the series asks for under the rule, given the tickets of its key, oldest first.

    `inhibitor` is what silences it now; `inhibited_until` says when the last one ended, for a ticket that was suppressed.
    An open ticket is judged by the rule it was opened under, a new one by the rule as it stands.
    """
    drafts = [_Draft.stored(each) for each in known]
    current = next((each for each in drafts if each.ticket.state.is_open), None)
    judged_by = current.ticket.rule if current is not None else rule
    found_kinds = kinds(series.observations, judged_by)
    if not drafts and PeriodKind.BREACH not in found_kinds:
        return ()
    for draft in drafts:
        _withdraw(draft, series, at, calendars)
    if current is not None and not current.ticket.state.is_open:
        current = None
    condition, steps = conditions.evaluate(found_kinds, judged_by.window)
    since = _since(drafts, judged_by)
    run = _Run(series, judged_by, policy, at, calendars, inhibitor, drafts, current)
    for step in steps:
        if since is None or series.observations[step.index].from_ >= since:
            run.follow(step)
    run.take_back_closing(condition)
    run.assess(found_kinds)
    run.inhibit(condition, inhibited_until)
    return tuple(change for draft in run.drafts if (change := draft.change) is not None)


def _since(drafts: Sequence[_Draft], rule: RuleParameters) -> date | None:
    """The first day a period may begin to be judged by this rule; None where it is all of them.

    What a ticket of an earlier wording of the rule has on record, and everything before it, is not judged again by a later one.
    """
    others = [draft for draft in drafts if draft.ticket.rule != rule]
    ends = [fact.period_from for draft in others for fact in draft.facts]
    earliest = max(ends, default=None)
    if earliest is None:
        return rule.since
    after = date.fromordinal(earliest.toordinal() + 1)
    return after if rule.since is None else max(after, rule.since)


def _withdraw(draft: _Draft, series: Series, at: datetime, calendars: Calendars) -> None:
    """Take back what the ticket has on record and the series, as it is now known, no longer shows."""
    _, steps = conditions.evaluate(kinds(series.observations, draft.ticket.rule), draft.ticket.rule.window)
    standing = {series.observations[each.index].from_ for each in steps if _is_breach(each)}
    present = {each.from_: each for each in series.observations}
    breaches = draft.breaches
    gone = sorted(period for period in breaches if period in present and period not in standing)
    for position, period in enumerate(gone, start=1):
        reason = "relief was granted" if present[period].status == "relieved" else "breach withdrawn by correction"
        is_whole = position == len(gone) and len(gone) == len(breaches)
        draft.take(tickets.Withdrawn(period_from=period, is_whole=is_whole, reason=reason), at, calendars)


def _is_breach(step: Step) -> bool:
    return step.kind is PeriodKind.BREACH and step.state is conditions.State.BREACHING


class _Run:
    """One series under one rule, followed period by period."""

    def __init__(
        self,
        series: Series,
        rule: RuleParameters,
        policy: Policy,
        at: datetime,
        calendars: Calendars,
        inhibitor: Suppress | None,
        drafts: list[_Draft],
        current: _Draft | None,
    ) -> None:
        self.series = series
        self.rule = rule
        self.policy = policy
        self.at = at
        self.calendars = calendars
        self.inhibitor = inhibitor
        self.drafts = drafts
        self.current = current
        self.recorded = {period: draft for draft in drafts for period in draft.breaches}
        self.index_of = {each.from_: index for index, each in enumerate(series.observations)}
        self.answered_by: _Draft | None = None  # the ticket that has the last period of the present episode on record

    def follow(self, step: Step) -> None:
        observation = self.series.observations[step.index]
        if step.event is EventKind.OPEN:
            self.answered_by = None
        if _is_breach(step):
            if observation.from_ in self.recorded:
                self.answered_by = self.recorded[observation.from_]
            else:
                self._breach(step)
        elif step.event is EventKind.CLEAR:
            self._clear(observation.from_)

    def _breach(self, step: Step) -> None:
        if step.event is None and self.answered_by is not None and self.answered_by.ticket.is_ended_by_decision:
            # Somebody ended the ticket while the problem went on; it is theirs until it has eased once.
            return
        observation = self.series.observations[step.index]
        severity = observed_severity(observation, self.rule)
        if self.current is not None:
            event = tickets.Breached(
                period_from=observation.from_,
                period_until=observation.until,
                severity=severity,
                is_recurrence=step.event is not None,
            )
            self.current.take(event, self.at, self.calendars)
        else:
            self.current = self._opened(step)
        self.recorded[observation.from_] = self.answered_by = self.current

    def _opened(self, step: Step) -> _Draft:
        observation = self.series.observations[step.index]
        severity = observed_severity(observation, self.rule)
        previous = next((draft for draft in reversed(self.drafts) if draft.ticket.closed_at is not None), None)
        if previous is not None and previous.ticket.state is TicketState.CLOSED and self._is_recent(previous.ticket, step.index):
            event = tickets.Reopen(period_from=observation.from_, period_until=observation.until, severity=severity)
            previous.take(event, self.at, self.calendars)
            return previous
        repeats = previous if previous is not None and previous.ticket.state is TicketState.CLOSED else None
        opened = tickets.open_ticket(
            TicketKey.of(self.series, self.rule),
            vendor=self.series.vendor,
            rule=self.rule,
            policy=self.policy,
            severity=severity,
            period_from=observation.from_,
            period_until=observation.until,
            at=self.at,
            calendars=self.calendars,
            previous=repeats.ticket if repeats is not None else None,
            inhibitor=self.inhibitor,
        )
        draft = _Draft(
            None, opened.ticket, recurs_from=repeats.known.id if repeats is not None and repeats.known is not None else None
        )
        draft.took(opened)
        self.drafts.append(draft)
        return draft

    def _is_recent(self, closed: Ticket, index: int) -> bool:
        """Whether fewer periods than the reopen window lie between the period it was closed on and this one."""
        closed_index = self.index_of.get(closed.closed_period_from) if closed.closed_period_from is not None else None
        return closed_index is not None and index - closed_index < closed.policy.reopen_within_periods

    def _clear(self, period_from: date) -> None:
        if self.current is None or period_from in self.current.clears:
            return
        if period_from <= max(self.current.breaches, default=self.current.ticket.period_from):
            # What a correction shows to have cleared before the problem came back is history, not news.
            return
        self.current.take(tickets.Cleared(period_from=period_from), self.at, self.calendars)
        if not self.current.ticket.state.is_open:
            self.current = None

    def take_back_closing(self, condition: Condition) -> None:
        """Open a ticket again that closed by itself on good months which, corrected, were not good enough."""
        closed = self.answered_by
        if self.current is not None or closed is None or not condition.state.is_active:
            return
        if closed.ticket.close_reason == tickets.AUTO_RESOLVED and closed.ticket.rule == self.rule:
            last = self.series.observations[self.index_of[max(closed.breaches)]]
            event = tickets.Reopen(
                period_from=last.from_,
                period_until=last.until,
                severity=closed.ticket.severity,
                is_correction=True,
                reason="the months it closed on were corrected",
            )
            closed.take(event, self.at, self.calendars)
            self.current = closed

    def assess(self, found_kinds: Sequence[PeriodKind]) -> None:
        """Close what has proved effective. A breach has already opened the ticket again."""
        draft = self.current
        if draft is None or draft.ticket.state is not TicketState.EFFECTIVENESS_CHECK or draft.ticket.implemented_at is None:
            return
        ticket = draft.ticket
        implemented_on = draft.ticket.implemented_at.astimezone(self.calendars.vendor.calendar.zone).date()
        observed = plans.observed_kinds([(each.from_, each.until) for each in self.series.observations], found_kinds, implemented_on)
        result = plans.effectiveness(
            observed,
            need=ticket.policy.effective_after_good_periods,
            days_min=ticket.policy.effective_days_min[ticket.severity],
            implemented_at=implemented_on,
            period_until=self._ends,
        )
        if result.period is not None:
            period_from = self.series.observations[result.period].from_
            draft.take(tickets.AssessEffect(effectiveness=result, period_from=period_from), self.at, self.calendars)

    @property
    def _ends(self) -> Mapping[int, date]:
        return {index: each.until for index, each in enumerate(self.series.observations)}

    def inhibit(self, condition: Condition, inhibited_until: datetime | None) -> None:
        draft = self.current
        if draft is None:
            return
        if draft.ticket.state is TicketState.SUPPRESSED:
            if self.inhibitor is None:
                release = tickets.Release(until=inhibited_until or self.at, is_breaching=condition.state.is_active)
                draft.take(release, self.at, self.calendars)
        elif self.inhibitor is not None:
            draft.take(self.inhibitor, self.at, self.calendars)
