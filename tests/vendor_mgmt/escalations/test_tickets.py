from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.vendor_mgmt.escalations.builders import (
    CLIENT,
    OPENED_AT,
    OTHER_VENDOR,
    VENDOR,
    action,
    calendars,
    key,
    office,
    opened,
    plan,
    policy,
    ticket,
    utc,
)
from vendor_mgmt.escalations import plans, tickets
from vendor_mgmt.escalations.clocks import ClockName
from vendor_mgmt.escalations.rules import Severity
from vendor_mgmt.escalations.tickets import SYSTEM, Actor, Refusal, Ticket, TicketState, Transition

HOUR = timedelta(hours=1)


def take(found: Ticket, event: tickets.Event, actor: Actor, at: datetime) -> Ticket:
    result = tickets.transition(found, event, actor=actor, at=at, calendars=calendars())
    assert isinstance(result, Transition), result
    return result.ticket


def refused(found: Ticket, event: tickets.Event, actor: Actor, at: datetime = OPENED_AT + HOUR) -> Refusal:
    result = tickets.transition(found, event, actor=actor, at=at, calendars=calendars())
    assert isinstance(result, Refusal), result
    return result


def acknowledged() -> Ticket:
    return take(ticket(), tickets.Acknowledge(), VENDOR, OPENED_AT + HOUR)


def submitted() -> Ticket:
    return take(acknowledged(), tickets.SubmitPlan(plan=plan()), VENDOR, OPENED_AT + 2 * HOUR)


def in_progress() -> Ticket:
    approved = take(submitted(), tickets.ApprovePlan(), CLIENT, OPENED_AT + 3 * HOUR)
    return take(approved, tickets.StartWork(), VENDOR, OPENED_AT + 4 * HOUR)


def implemented() -> Ticket:
    at = OPENED_AT + timedelta(days=20)
    done = take(in_progress(), tickets.ActionDone(index=0, done_on=at.date(), evidence="case 4711"), VENDOR, at)
    return take(done, tickets.Implement(), VENDOR, at)


def closed() -> Ticket:
    return take(ticket(), tickets.Cleared(period_from=date(2026, 5, 1)), SYSTEM, OPENED_AT + timedelta(days=60))


def test_a_ticket_goes_from_opened_to_closed_with_every_step_on_record() -> None:
    found = implemented()
    assert found.state is TicketState.EFFECTIVENESS_CHECK
    effect = plans.Effectiveness(outcome=plans.Outcome.EFFECTIVE, good=3, period=7)
    event = tickets.AssessEffect(effectiveness=effect, period_from=date(2026, 7, 1))
    result = tickets.transition(found, event, actor=SYSTEM, at=utc(2026, 8, 5), calendars=calendars())
    assert isinstance(result, Transition)
    assert (result.ticket.state, result.ticket.close_reason) == (TicketState.CLOSED, "effective")
    assert result.records[-1].sequence == 8
    assert all(watch.is_stopped for watch in result.ticket.watches)


def test_a_plan_is_complete_or_comes_back_with_every_fault_at_once() -> None:
    empty = plan(root_cause=" ", containment="", actions=(), success=None)
    refusal = refused(acknowledged(), tickets.SubmitPlan(plan=empty), VENDOR, OPENED_AT + 2 * HOUR)
    assert refusal.code == "plan_incomplete"
    assert [each.where for each in refusal.findings] == ["$.root_cause", "$.containment", "$.actions", "$.success"]


def test_remarks_do_not_send_a_plan_back_and_are_on_record() -> None:
    found = acknowledged()
    event = tickets.SubmitPlan(plan=plan(root_cause="Operator error"))
    result = tickets.transition(found, event, actor=VENDOR, at=OPENED_AT + 2 * HOUR, calendars=calendars())
    assert isinstance(result, Transition)
    assert len(result.records[-1].detail["remarks"]) == 1


def test_a_rejected_plan_gets_the_rest_of_its_time_and_at_least_two_business_days() -> None:
    found = submitted()
    [before] = [each for each in found.watches if each.name is ClockName.PLAN]
    assert before.is_open_ended
    at = utc(2026, 4, 10, 10)  # The Friday; the plan would have been due on Monday the 13th.
    rejected = take(found, tickets.RejectPlan(reason="no cause is named"), CLIENT, at)
    assert (rejected.state, rejected.rejections) == (TicketState.ACKNOWLEDGED, 1)
    due = {each.name: each.due_at for each in tickets.deadlines(rejected, calendars())}
    # Submitted at 12:00 on Monday, rejected at 11:00 on Friday: 31 business hours stood still, so it is due on Friday the 17th.
    assert due["plan"] == utc(2026, 4, 17, 16)
    late = take(found, tickets.RejectPlan(reason="no cause is named"), CLIENT, utc(2026, 4, 6, 11, 30))
    assert {each.name: each.due_at for each in tickets.deadlines(late, calendars())}["plan"] >= utc(2026, 4, 8, 16)


def test_the_plan_that_was_rejected_is_not_taken_a_second_time_unchanged() -> None:
    rejected = take(submitted(), tickets.RejectPlan(reason="too vague"), CLIENT, OPENED_AT + 3 * HOUR)
    assert refused(rejected, tickets.SubmitPlan(plan=plan()), VENDOR, OPENED_AT + 4 * HOUR).code == "plan_unchanged"
    revised = plan(containment="Every decision in the three areas is looked at twice until 8 May")
    assert take(rejected, tickets.SubmitPlan(plan=revised), VENDOR, OPENED_AT + 4 * HOUR).plan_revision == 2


@pytest.mark.parametrize("event", [tickets.RejectPlan(reason="  "), tickets.Hold(until=OPENED_AT + HOUR, reason="")])
def test_what_sets_somebody_back_needs_a_reason(event: tickets.Event) -> None:
    assert refused(submitted(), event, CLIENT, OPENED_AT + 3 * HOUR).code in ("no_reason", "hold_past")
    lower = take(ticket(), tickets.RaiseLevel(level=2, reason="it spreads"), CLIENT, OPENED_AT + HOUR)
    assert refused(lower, tickets.LowerLevel(level=1, reason=" "), CLIENT, OPENED_AT + 2 * HOUR).code == "no_reason"


def test_nobody_does_what_is_for_the_other_side() -> None:
    assert refused(ticket(), tickets.Acknowledge(), CLIENT).code == "wrong_side"
    assert refused(submitted(), tickets.ApprovePlan(), OTHER_VENDOR, OPENED_AT + 3 * HOUR).code == "wrong_side"
    assert refused(submitted(), tickets.ApprovePlan(), SYSTEM, OPENED_AT + 3 * HOUR).code == "wrong_side"


def test_a_refusal_says_when_it_would_be_possible() -> None:
    refusal = refused(ticket(), tickets.SubmitPlan(plan=plan()), VENDOR)
    assert str(refusal) == "submit plan is not possible while the ticket is opened. It is possible while it is: acknowledged."


def test_work_counts_as_implemented_when_every_action_shows_its_evidence() -> None:
    assert refused(in_progress(), tickets.Implement(), VENDOR, OPENED_AT + timedelta(days=9)).message.startswith("actions 1 are not")
    event = tickets.ActionDone(index=0, done_on=date(2026, 4, 10), evidence=" ")
    assert refused(in_progress(), event, VENDOR, OPENED_AT + timedelta(days=9)).code == "no_evidence"
    future = tickets.ActionDone(index=0, done_on=date(2026, 5, 10), evidence="case 1")
    assert refused(in_progress(), future, VENDOR, OPENED_AT + timedelta(days=9)).code == "too_early"
    assert refused(in_progress(), msgspec.structs.replace(event, index=4), VENDOR, OPENED_AT + timedelta(days=9)).code == "no_such_action"


def test_a_breach_while_effectiveness_is_watched_opens_the_ticket_a_level_higher() -> None:
    event = tickets.Breached(period_from=date(2026, 5, 1), period_until=date(2026, 6, 1), severity=Severity.SERIOUS, is_recurrence=True)
    found = take(implemented(), event, SYSTEM, utc(2026, 6, 5))
    assert (found.state, found.level, found.reopened, found.form) == (TicketState.OPENED, 2, 1, "full")


def test_a_breach_of_a_month_before_the_work_was_done_says_nothing_against_the_plan() -> None:
    event = tickets.Breached(period_from=date(2026, 4, 1), period_until=date(2026, 5, 1), severity=Severity.SERIOUS)
    assert take(implemented(), event, SYSTEM, utc(2026, 5, 5)).state is TicketState.EFFECTIVENESS_CHECK


def test_getting_worse_raises_the_severity_of_the_same_ticket_once_and_getting_better_does_not_lower_it() -> None:
    def month(number: int, severity: Severity) -> tickets.Breached:
        return tickets.Breached(period_from=date(2026, number, 1), period_until=date(2026, number + 1, 1), severity=severity)

    worse = tickets.transition(ticket(), month(4, Severity.CRITICAL), actor=SYSTEM, at=OPENED_AT + HOUR, calendars=calendars())
    assert isinstance(worse, Transition)
    assert [each.kind for each in worse.records] == ["continued", "worsened"]
    assert {each.topics for each in worse.messages} == {("worsened",)}
    assert take(worse.ticket, month(5, Severity.MINOR), SYSTEM, OPENED_AT + 2 * HOUR).severity is Severity.CRITICAL


def test_a_dispute_stops_no_clock_and_no_plan() -> None:
    before = acknowledged()
    disputed = take(before, tickets.Dispute(reason="the sample was too small"), VENDOR, OPENED_AT + HOUR)
    assert disputed.disputed
    assert disputed.watches == before.watches
    assert take(disputed, tickets.SubmitPlan(plan=plan()), VENDOR, OPENED_AT + 2 * HOUR).state is TicketState.PLAN_SUBMITTED
    assert refused(disputed, tickets.Dispute(reason="again"), VENDOR, OPENED_AT + 2 * HOUR).code == "already_disputed"
    settled = take(disputed, tickets.SettleDispute(is_upheld=False, reason="the sample was 400"), CLIENT, OPENED_AT + 2 * HOUR)
    assert not settled.disputed


def test_a_hold_ends_by_itself_and_moves_the_levels_by_its_business_time() -> None:
    found = ticket()
    before = {each.name: each.due_at for each in tickets.deadlines(found, calendars())}
    held = take(found, tickets.Hold(until=utc(2026, 4, 8, 9), reason="the site is being moved"), CLIENT, utc(2026, 4, 7, 9))
    after = {each.name: each.due_at for each in tickets.deadlines(held, calendars())}
    assert after["acknowledge"] == before["acknowledge"]
    assert (before["level:2"], after["level:2"]) == (utc(2026, 4, 9, 16), utc(2026, 4, 10, 16))
    ended = tickets.sweep(held, calendars=calendars(), at=utc(2026, 4, 8, 9, 1))
    assert ended is not None
    assert "hold_ended" in [each.kind for each in ended.records]
    released = take(held, tickets.ReleaseHold(), CLIENT, utc(2026, 4, 7, 9))
    assert {each.name: each.due_at for each in tickets.deadlines(released, calendars())}["level:2"] == utc(2026, 4, 9, 16)


def test_a_level_lowered_by_hand_is_not_put_back_by_the_next_sweep() -> None:
    at = utc(2026, 4, 10, 10)
    swept = tickets.sweep(ticket(), calendars=calendars(), at=at)
    assert swept is not None
    assert swept.ticket.level == 2
    lowered = take(swept.ticket, tickets.LowerLevel(level=1, reason="agreed by phone"), CLIENT, at)
    again = tickets.sweep(lowered, calendars=calendars(), at=at + HOUR)
    assert again is None


def test_suppression_stops_the_clocks_from_the_start_of_the_outage_to_its_end() -> None:
    found = take(ticket(), tickets.Suppress(inhibitor="outage", from_=utc(2026, 4, 6, 12)), SYSTEM, utc(2026, 4, 6, 14))
    assert tickets.deadlines(found, calendars()) == ()
    assert tickets.sweep(found, calendars=calendars(), at=utc(2026, 6, 1)) is None
    back = take(found, tickets.Release(until=utc(2026, 4, 7, 12), is_breaching=True), SYSTEM, utc(2026, 4, 7, 13))
    due = {each.name: each.due_at for each in tickets.deadlines(back, calendars())}
    assert due["acknowledge"] == utc(2026, 4, 8, 16)  # A day of eight hours later than without the outage.


def test_a_plan_being_decided_stays_with_the_client_when_an_outage_ends() -> None:
    found = take(submitted(), tickets.Suppress(inhibitor="outage", from_=OPENED_AT + 3 * HOUR), SYSTEM, OPENED_AT + 3 * HOUR)
    back = take(found, tickets.Release(until=utc(2026, 4, 7, 12), is_breaching=False), SYSTEM, utc(2026, 4, 7, 13))
    assert back.state is TicketState.PLAN_SUBMITTED
    watch = back.watch(ClockName.PLAN)
    assert watch is not None
    assert watch.is_open_ended


def test_what_is_closed_stays_as_it_is_and_a_correction_is_a_note() -> None:
    found = closed()
    tried: list[tuple[tickets.Event, Actor]] = [
        (tickets.Acknowledge(), VENDOR),
        (tickets.Cancel(reason="duplicate"), CLIENT),
        (tickets.Comment(text="x"), VENDOR),
    ]
    for event, actor in tried:
        assert refused(found, event, actor, OPENED_AT + timedelta(days=61)).code == "wrong_state"
    noted = take(found, tickets.Withdrawn(period_from=date(2026, 3, 1), is_whole=True), SYSTEM, OPENED_AT + timedelta(days=61))
    assert (noted.state, noted.close_reason, noted.closed_at) == (TicketState.CLOSED, "auto_resolved", found.closed_at)


def test_a_ticket_above_the_first_level_does_not_close_by_itself() -> None:
    raised = take(ticket(), tickets.RaiseLevel(level=2, reason="it spreads"), CLIENT, OPENED_AT + HOUR)
    found = take(raised, tickets.Cleared(period_from=date(2026, 5, 1)), SYSTEM, OPENED_AT + timedelta(days=60))
    assert (found.state, found.cleared_from) == (TicketState.OPENED, date(2026, 5, 1))


def test_a_severe_ticket_starts_at_the_level_the_policy_says() -> None:
    steep = policy(first_level={Severity.CRITICAL: 2})
    started = opened(policy=steep, severity=Severity.CRITICAL)
    assert started.ticket.level == 2
    assert {each.role for each in started.messages} == {"vendor.country_head", "client.regional_lead"}
    assert opened(policy=steep).ticket.level == 1


def test_an_overdue_action_is_told_once_to_its_owner_and_the_client() -> None:
    at = utc(2026, 5, 8, 23, 1)  # Midnight in Lisbon has passed.
    told = tickets.sweep(in_progress(), calendars=calendars(), at=at)
    assert told is not None
    assert {each.role for each in told.messages if "action_overdue" in each.topics} == {"vendor.quality_lead", "client.partner_manager"}
    again = tickets.sweep(told.ticket, calendars=calendars(), at=at + HOUR)
    assert again is None or "action_overdue" not in [each.kind for each in again.records]
    assert tickets.sweep(in_progress(), calendars=calendars(), at=utc(2026, 4, 7)) is None


def test_a_ticket_is_the_same_after_it_was_stored() -> None:
    for found in (ticket(), submitted(), implemented(), closed(), ticket(key=key(kpi="tat"))):
        assert msgspec.json.decode(msgspec.json.encode(found), type=Ticket) == found


def test_an_event_dated_before_the_ticket_is_refused() -> None:
    assert refused(ticket(), tickets.Acknowledge(), VENDOR, OPENED_AT - HOUR).code == "too_early"


ACTORS = [VENDOR, OTHER_VENDOR, CLIENT, Actor(number=11, side="client"), SYSTEM]


def all_events(at: datetime, period: date) -> list[tickets.Event]:
    until = date(period.year + period.month // 12, period.month % 12 + 1, 1)
    return [
        tickets.Acknowledge(),
        tickets.SubmitPlan(plan=plan(actions=(action(due_on=at.date() + timedelta(days=9)),), effect=f"seen until {at:%d.%m}")),
        tickets.ApprovePlan(),
        tickets.RejectPlan(reason="no"),
        tickets.StartWork(),
        tickets.ActionDone(index=0, done_on=at.date() - timedelta(days=1), evidence="case 1"),
        tickets.Implement(),
        tickets.AssessEffect(effectiveness=plans.Effectiveness(outcome=plans.Outcome.EFFECTIVE, good=3, period=1), period_from=period),
        tickets.AssessEffect(effectiveness=plans.Effectiveness(outcome=plans.Outcome.INEFFECTIVE, good=0, period=1), period_from=period),
        tickets.Breached(period_from=period, period_until=until, severity=Severity.CRITICAL, is_recurrence=True),
        tickets.Cleared(period_from=period),
        tickets.Withdrawn(period_from=period, is_whole=True),
        tickets.Cancel(reason="duplicate"),
        tickets.EndScope(reason="the site was closed"),
        tickets.Suppress(inhibitor="outage", from_=at - timedelta(hours=30)),
        tickets.Release(until=at - timedelta(hours=1), is_breaching=True),
        tickets.Release(until=at, is_breaching=False),
        tickets.Dispute(reason="the data are wrong"),
        tickets.SettleDispute(is_upheld=True, reason="they were"),
        tickets.RaiseLevel(level=3, reason="it spreads"),
        tickets.LowerLevel(level=1, reason="agreed"),
        tickets.Hold(until=at + timedelta(days=4), reason="moving house"),
        tickets.ReleaseHold(),
        tickets.Reopen(period_from=period, period_until=until, severity=Severity.SERIOUS),
        tickets.Comment(text="seen"),
        tickets.Annotate(text="noted"),
    ]


class TicketMachine(RuleBasedStateMachine):
    """Anything, by anybody, at any later moment, with sweeps in between and long spells in which nobody swept."""

    @initialize(born_suppressed=st.booleans())
    def begin(self, born_suppressed: bool) -> None:  # noqa: FBT001
        self.clock = calendars(office("Africa/Cairo", days=("sun", "mon", "tue", "wed", "thu"), holidays=(date(2026, 4, 13),)))
        self.at = OPENED_AT
        inhibitor = tickets.Suppress(inhibitor="outage", from_=OPENED_AT) if born_suppressed else None
        first = opened(calendars=self.clock, inhibitor=inhibitor)
        self.ticket = first.ticket
        self.records = list(first.records)
        self.swept_at: datetime | None = None

    def _took(self, result: Transition) -> None:
        before = self.ticket
        self.ticket = result.ticket
        self.records += result.records
        if before.state is TicketState.SUPPRESSED and self.ticket.state is TicketState.SUPPRESSED:
            assert result.messages == ()
        roles = [(each.role, each.channel) for each in result.messages]
        assert len(roles) == len(set(roles))

    @rule(hours=st.one_of(st.integers(1, 48), st.integers(49, 3000)))
    def time_passes(self, hours: int) -> None:
        self.at += timedelta(hours=hours)
        self.swept_at = None

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        period = date(self.at.year, self.at.month, 1)
        event: Any = data.draw(st.sampled_from(all_events(self.at, period)))
        actor = data.draw(st.sampled_from(ACTORS))
        result = tickets.transition(self.ticket, event, actor=actor, at=self.at, calendars=self.clock)
        if isinstance(result, Refusal):
            assert result.message
            assert result.repair
            return
        if isinstance(event, tickets.ApprovePlan):
            assert actor.side == "client"
            assert actor.number != self.ticket.plan_author
        self._took(result)
        self.swept_at = None

    @precondition(lambda self: hasattr(self, "ticket"))
    @rule()
    def somebody_sweeps(self) -> None:
        level = self.ticket.level
        was = self.ticket.state
        result = tickets.sweep(self.ticket, calendars=self.clock, at=self.at)
        if result is not None:
            self._took(result)
            # Time alone neither decides nor ends anything.
            assert self.ticket.state is was or (was, self.ticket.state) == (TicketState.ACKNOWLEDGED, TicketState.OPENED)
            assert self.ticket.level >= level
            for each in result.records:
                if each.kind == "level_raised":
                    skipped = [line for line in each.detail["log"] if "skipped" in line]
                    assert len(skipped) <= each.detail["to"] - each.detail["from"] - 1
        assert tickets.sweep(self.ticket, calendars=self.clock, at=self.at) is None
        self.swept_at = self.at

    @invariant()
    def the_history_has_no_gap_and_ends_in_the_state(self) -> None:
        if hasattr(self, "ticket"):
            assert [each.sequence for each in self.records] == list(range(1, self.ticket.sequence + 1))
            assert self.records[-1].to_state is self.ticket.state
            for earlier, later in zip(self.records, self.records[1:], strict=False):
                assert later.from_state is earlier.to_state

    @invariant()
    def no_clock_runs_while_the_ticket_is_suppressed_or_closed(self) -> None:
        if hasattr(self, "ticket") and (self.ticket.state is TicketState.SUPPRESSED or not self.ticket.state.is_open):
            assert not any(each.is_running(self.at) for each in self.ticket.watches)
            assert tickets.deadlines(self.ticket, self.clock) == ()

    @invariant()
    def an_open_ticket_that_was_swept_has_a_future_deadline_or_a_stated_reason(self) -> None:
        if hasattr(self, "ticket") and self.ticket.state.is_open and self.swept_at == self.at:
            due = tickets.deadlines(self.ticket, self.clock)
            assert tickets.reason_without_deadline(self.ticket) or (due and due[0].due_at >= self.at)

    @invariant()
    def each_threshold_of_a_clock_fired_at_most_once(self) -> None:
        if hasattr(self, "ticket"):
            for watch in self.ticket.watches:
                percents = [each.percent for each in watch.fired]
                assert len(percents) == len(set(percents))

    @invariant()
    def it_survives_being_stored(self) -> None:
        if hasattr(self, "ticket"):
            assert msgspec.json.decode(msgspec.json.encode(self.ticket), type=Ticket) == self.ticket


TestTicketMachine = TicketMachine.TestCase
TestTicketMachine.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)


@given(st.integers(0, 4000), st.sampled_from([timedelta(hours=5), timedelta(hours=31), timedelta(days=3), timedelta(days=40)]))
@settings(max_examples=25, deadline=None)
def test_however_often_it_is_swept_a_neglected_ticket_reaches_the_same_level(hours: int, every: timedelta) -> None:
    """Sweeps only decide how finely the way is recorded; the levels passed over are named."""
    until = OPENED_AT + timedelta(hours=hours)
    often = ticket()
    at = OPENED_AT
    while at < until:
        at = min(at + every, until)
        result = tickets.sweep(often, calendars=calendars(), at=at)
        often = result.ticket if result is not None else often
    once = tickets.sweep(ticket(), calendars=calendars(), at=until)
    assert (once.ticket.level if once is not None else 1) == often.level
