"""The life of a ticket, as one pure function: `transition(ticket, event, …)` gives the next ticket or a refusal.

                  ┌───────────── suppressed (an inhibitor is active: clocks stand still, nothing is sent) ─────────────┐
                  │                                                                                                     │
    open ─▶ opened ─acknowledge─▶ acknowledged ─submit─▶ plan_submitted ─approve─▶ plan_approved ─start─▶ in_progress ──┘
              │ ▲                      │  ▲                   │                                               │ every action done,
              │ └──── three idle days ─┘  └────── reject ─────┘                                               │ with evidence
              │                                                                                               ▼
              ├─ cleared at level 1, no plan ─▶ closed ◀── n good periods, minimum days ── effectiveness_check
              ├─ corrected, merged, duplicate ─▶ cancelled                                                    │ breach
              └─ KPI retired, site closed … ─▶ ended            opened, one level higher ◀── reopened ────────┘

What was decided is never changed: a closed ticket is opened again by a further event, and a correction to it is a note.
Silence approves nothing, and whoever wrote a plan does not approve it. A dispute is a flag beside the state: it stops no clock,
because a plan is due even while its cause is argued over.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

import msgspec

from contracts.business_time import Clock
from contracts.errors import Finding, has_errors
from contracts.period import local_instant
from vendor_mgmt.escalations import clocks, plans
from vendor_mgmt.escalations.clocks import ClockName, Deadline, Stopwatch, end_of
from vendor_mgmt.escalations.rules import DEADLINE_PERCENT, BusinessSpan, Policy, RuleParameters, Severity, TicketKey, Unless

__all__ = [
    "AUTO_RESOLVED",
    "SYSTEM",
    "Acknowledge",
    "ActionDone",
    "Actor",
    "Annotate",
    "ApprovePlan",
    "AssessEffect",
    "Breached",
    "Calendars",
    "Cancel",
    "Cleared",
    "Comment",
    "Dispute",
    "EndScope",
    "Event",
    "Hold",
    "Implement",
    "LowerLevel",
    "Message",
    "RaiseLevel",
    "Record",
    "Refusal",
    "RejectPlan",
    "Release",
    "ReleaseHold",
    "Reopen",
    "SettleDispute",
    "StartWork",
    "SubmitPlan",
    "Suppress",
    "Ticket",
    "TicketState",
    "Transition",
    "Withdrawn",
    "deadlines",
    "open_ticket",
    "reason_without_deadline",
    "replanned",
    "sweep",
    "transition",
]


class TicketState(enum.StrEnum):
    OPENED = "opened"
    ACKNOWLEDGED = "acknowledged"
    PLAN_SUBMITTED = "plan_submitted"
    PLAN_APPROVED = "plan_approved"
    IN_PROGRESS = "in_progress"
    EFFECTIVENESS_CHECK = "effectiveness_check"
    SUPPRESSED = "suppressed"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    ENDED = "ended"

    @property
    def is_open(self) -> bool:
        return self not in (TicketState.CLOSED, TicketState.CANCELLED, TicketState.ENDED)


_BEFORE_APPROVAL = frozenset({TicketState.OPENED, TicketState.ACKNOWLEDGED, TicketState.PLAN_SUBMITTED})
_WORKING = frozenset({TicketState.PLAN_APPROVED, TicketState.IN_PROGRESS})
_ACTIVE = frozenset(state for state in TicketState if state.is_open and state is not TicketState.SUPPRESSED)
_OPEN = frozenset(state for state in TicketState if state.is_open)
_ALL = frozenset(TicketState)

Side = Literal["vendor", "client", "system"]


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who does it: a number that only the table of names resolves, and the side the person stands on."""

    number: int
    side: Side


SYSTEM = Actor(number=0, side="system")


class Calendars(msgspec.Struct, frozen=True, kw_only=True):
    """Business time of the vendor's site, and of the client who decides on its plans."""

    vendor: Clock
    client: Clock


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the ticket's history. `sequence` counts from 1 within the ticket; `period_from` names the period concerned."""

    sequence: int
    kind: str
    from_state: TicketState | None
    to_state: TicketState
    actor: int
    at: datetime
    reason: str = ""
    period_from: date | None = None
    detail: dict[str, Any] = msgspec.field(default_factory=dict)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one role about everything that happened in one transition; `sequence` is the last record it tells of."""

    role: str
    channel: str
    topics: tuple[str, ...]
    sequence: int

    @property
    def side(self) -> str:
        return self.role.split(".", 1)[0]


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """One running problem. `rule` and `policy` are copies of what held when it opened.

    `sequence` is the number of its last record; `token` changes whenever its deadlines are planned anew, so that a deadline
    planned earlier can be told to be stale. `resumes` is the state a suppressed ticket goes back to.
    """

    key: TicketKey
    vendor: str
    rule: RuleParameters
    policy: Policy
    state: TicketState
    level: int
    severity: Severity
    opened_at: datetime
    period_from: date
    period_until: date
    recurrence: int = 0
    reopened: int = 0
    resumes: TicketState | None = None
    suppressed_by: str = ""
    disputed: bool = False
    form: plans.Form = "five_why"
    plan: plans.Plan | None = None
    plan_author: int | None = None
    plan_revision: int = 0
    plan_refused: bool = False
    rejections: int = 0
    implemented_at: datetime | None = None
    cleared_from: date | None = None
    held_until: datetime | None = None
    last_activity_at: datetime
    reminded_at: datetime | None = None
    rounds: int = 0
    is_exhausted: bool = False
    is_announced: bool = False
    overdue_actions: tuple[int, ...] = ()
    closed_at: datetime | None = None
    closed_period_from: date | None = None
    close_reason: str = ""
    is_ended_by_decision: bool = False
    watches: tuple[Stopwatch, ...] = ()
    sequence: int = 0
    token: int = 0

    def watch(self, name: ClockName) -> Stopwatch | None:
        return next((each for each in self.watches if each.name is name), None)


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    ticket: Ticket
    records: tuple[Record, ...]
    messages: tuple[Message, ...] = ()


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why an event is not possible now. `findings` name every fault of a plan at once."""

    code: str
    message: str
    repair: str
    findings: tuple[Finding, ...] = ()

    def __str__(self) -> str:
        return f"{self.message}. {self.repair}"


# Events. -------------------------------------------------------------------------------------------------------------


class Acknowledge(msgspec.Struct, frozen=True, kw_only=True, tag="acknowledge"):
    note: str = ""


class SubmitPlan(msgspec.Struct, frozen=True, kw_only=True, tag="submit_plan"):
    plan: plans.Plan


class ApprovePlan(msgspec.Struct, frozen=True, kw_only=True, tag="approve_plan"):
    note: str = ""


class RejectPlan(msgspec.Struct, frozen=True, kw_only=True, tag="reject_plan"):
    reason: str


class StartWork(msgspec.Struct, frozen=True, kw_only=True, tag="start_work"):
    pass


class ActionDone(msgspec.Struct, frozen=True, kw_only=True, tag="action_done"):
    index: int
    done_on: date
    evidence: str


class Implement(msgspec.Struct, frozen=True, kw_only=True, tag="implement"):
    pass


class AssessEffect(msgspec.Struct, frozen=True, kw_only=True, tag="assess_effect"):
    """What the periods since implementation say; `period_from` is the one that decided."""

    effectiveness: plans.Effectiveness
    period_from: date | None = None


class Breached(msgspec.Struct, frozen=True, kw_only=True, tag="breached"):
    """A further period in breach: the problem going on, or, with `is_recurrence`, come back after having eased."""

    period_from: date
    period_until: date
    severity: Severity
    is_recurrence: bool = False


class Cleared(msgspec.Struct, frozen=True, kw_only=True, tag="cleared"):
    period_from: date


class Withdrawn(msgspec.Struct, frozen=True, kw_only=True, tag="withdrawn"):
    """A correction took a breach away. With `is_whole` nothing is left of what the ticket was opened for."""

    period_from: date
    is_whole: bool
    reason: str = "breach withdrawn by correction"


class Cancel(msgspec.Struct, frozen=True, kw_only=True, tag="cancel"):
    reason: str


class EndScope(msgspec.Struct, frozen=True, kw_only=True, tag="end_scope"):
    reason: str


class Suppress(msgspec.Struct, frozen=True, kw_only=True, tag="suppress"):
    inhibitor: str
    from_: datetime


class Release(msgspec.Struct, frozen=True, kw_only=True, tag="release"):
    """The inhibitor ended at `until`; `is_breaching` says how the condition stands now."""

    until: datetime
    is_breaching: bool


class Dispute(msgspec.Struct, frozen=True, kw_only=True, tag="dispute"):
    reason: str


class SettleDispute(msgspec.Struct, frozen=True, kw_only=True, tag="settle_dispute"):
    is_upheld: bool
    reason: str


class RaiseLevel(msgspec.Struct, frozen=True, kw_only=True, tag="raise_level"):
    level: int
    reason: str


class LowerLevel(msgspec.Struct, frozen=True, kw_only=True, tag="lower_level"):
    level: int
    reason: str


class Hold(msgspec.Struct, frozen=True, kw_only=True, tag="hold"):
    until: datetime
    reason: str


class ReleaseHold(msgspec.Struct, frozen=True, kw_only=True, tag="release_hold"):
    reason: str = ""


class Reopen(msgspec.Struct, frozen=True, kw_only=True, tag="reopen"):
    """Opened again: the problem came back, or, with `is_correction`, a correction shows that it had not gone. Only the former
    takes the ticket a level higher.
    """

    period_from: date
    period_until: date
    severity: Severity
    is_correction: bool = False
    reason: str = ""


class Comment(msgspec.Struct, frozen=True, kw_only=True, tag="comment"):
    text: str


class Annotate(msgspec.Struct, frozen=True, kw_only=True, tag="annotate"):
    """A note by the service itself; it changes nothing and is possible in every state."""

    text: str
    period_from: date | None = None


Event = (
    Acknowledge
    | SubmitPlan
    | ApprovePlan
    | RejectPlan
    | StartWork
    | ActionDone
    | Implement
    | AssessEffect
    | Breached
    | Cleared
    | Withdrawn
    | Cancel
    | EndScope
    | Suppress
    | Release
    | Dispute
    | SettleDispute
    | RaiseLevel
    | LowerLevel
    | Hold
    | ReleaseHold
    | Reopen
    | Comment
    | Annotate
)

# From which states each event is possible, and which side may cause it. The rest of its guard stands in its own function.
_GUARDS: Mapping[type, tuple[frozenset[TicketState], frozenset[Side]]] = {
    Acknowledge: (frozenset({TicketState.OPENED}), frozenset({"vendor"})),
    SubmitPlan: (frozenset({TicketState.ACKNOWLEDGED}), frozenset({"vendor"})),
    ApprovePlan: (frozenset({TicketState.PLAN_SUBMITTED}), frozenset({"client"})),
    RejectPlan: (frozenset({TicketState.PLAN_SUBMITTED}), frozenset({"client"})),
    StartWork: (frozenset({TicketState.PLAN_APPROVED}), frozenset({"vendor", "client"})),
    ActionDone: (_WORKING, frozenset({"vendor", "client"})),
    Implement: (frozenset({TicketState.IN_PROGRESS}), frozenset({"vendor", "client"})),
    AssessEffect: (frozenset({TicketState.EFFECTIVENESS_CHECK}), frozenset({"system"})),
    Breached: (_OPEN, frozenset({"system"})),
    Cleared: (_OPEN, frozenset({"system"})),
    Withdrawn: (_ALL, frozenset({"system"})),
    Cancel: (_OPEN, frozenset({"client"})),
    EndScope: (_OPEN, frozenset({"client", "system"})),
    Suppress: (_ACTIVE, frozenset({"system"})),
    Release: (frozenset({TicketState.SUPPRESSED}), frozenset({"system"})),
    Dispute: (_OPEN, frozenset({"vendor"})),
    SettleDispute: (_OPEN, frozenset({"client"})),
    RaiseLevel: (_ACTIVE, frozenset({"client"})),
    LowerLevel: (_ACTIVE, frozenset({"client"})),
    Hold: (_ACTIVE, frozenset({"client"})),
    ReleaseHold: (_ACTIVE, frozenset({"client"})),
    Reopen: (frozenset({TicketState.CLOSED}), frozenset({"system"})),
    Comment: (_OPEN, frozenset({"vendor", "client"})),
    Annotate: (_ALL, frozenset({"system"})),
}

_NEEDS_REASON = (RejectPlan, Cancel, EndScope, Dispute, SettleDispute, RaiseLevel, LowerLevel, Hold)

AUTO_RESOLVED = "auto_resolved"
"""Why a ticket of the first level closed when its condition cleared."""

_SUPPRESSED = "suppressed"
_DECIDING = "the plan is with the client"
_HELD = "held"


def open_ticket(
    key: TicketKey,
    *,
    vendor: str,
    rule: RuleParameters,
    policy: Policy,
    severity: Severity,
    period_from: date,
    period_until: date,
    at: datetime,
    calendars: Calendars,
    previous: Ticket | None = None,
    inhibitor: Suppress | None = None,
) -> Transition:
    """A new ticket; `previous` is the closed one of the same key that it repeats.

    Under an active inhibitor it is born suppressed: the record exists, its clocks stand still and nothing is sent.
    """
    form: plans.Form = "five_why"
    if previous is not None and previous.closed_at is not None:
        form = plans.required_form(previous.closed_at.date(), at.date(), policy.repeat_within_days)
    ticket = Ticket(
        key=key,
        vendor=vendor,
        rule=rule,
        policy=policy,
        state=TicketState.OPENED,
        level=policy.starts_at(severity),
        severity=severity,
        opened_at=at,
        period_from=period_from,
        period_until=period_until,
        form=form,
        last_activity_at=at,
        watches=_first_watches(policy, policy.starts_at(severity), at),
    )
    move = _Move(ticket, SYSTEM, at, calendars)
    move.record("opened", period_from=period_from, detail={"severity": severity.value, "rule": rule.name})
    if inhibitor is not None:
        move.suppress(inhibitor)
        return move.done()
    move.tell_all("opened")
    return move.done()


def transition(
    ticket: Ticket, event: Event, *, actor: Actor, at: datetime, calendars: Calendars
) -> Transition | Refusal:
    """The ticket after the event, with the rows of history and the messages it causes; or why it is not possible."""
    states, sides = _GUARDS[type(event)]
    name = _tag(event)
    if at < ticket.opened_at:
        return _refused("too_early", f"{name} is dated {at}, before the ticket was opened at {ticket.opened_at}", "Check the date.")
    if actor.side not in sides:
        return _refused(
            "wrong_side",
            f"{name.replace('_', ' ')} is not for the {actor.side} to do",
            f"It is done by: {', '.join(sorted(sides))}.",
        )
    if ticket.state not in states:
        return _refused(
            "wrong_state",
            f"{name.replace('_', ' ')} is not possible while the ticket is {ticket.state.value.replace('_', ' ')}",
            f"It is possible while it is: {', '.join(state.value.replace('_', ' ') for state in TicketState if state in states)}.",
        )
    if isinstance(event, _NEEDS_REASON) and not event.reason.strip():
        return _refused("no_reason", f"{name.replace('_', ' ')} needs a reason", "Say why, in a sentence the other side may read.")
    move = _Move(ticket, actor, at, calendars)
    refusal = _HANDLERS[type(event)](move, event)
    return refusal if refusal is not None else move.done()


def _tag(event: Event) -> str:
    return str(event.__struct_config__.tag)


def _refused(code: str, message: str, repair: str, findings: Iterable[Finding] = ()) -> Refusal:
    return Refusal(code=code, message=message, repair=repair, findings=tuple(findings))


_NO_PLAN = _refused("no_plan", "the ticket has no plan", "Submit one first.")


def _first_watches(policy: Policy, level: int, at: datetime) -> tuple[Stopwatch, ...]:
    step = policy.level(level)
    last = policy.level(policy.top_level)
    return (
        clocks.start(ClockName.ACKNOWLEDGE, step.acknowledge_within or policy.acknowledge_within, at),
        clocks.start(ClockName.ESCALATION, last.after or policy.remind_every, at),
    )


class _Move:
    """A transition being put together: the ticket so far, its new records, and who has to be told what."""

    def __init__(self, ticket: Ticket, actor: Actor, at: datetime, calendars: Calendars) -> None:
        self.ticket = ticket
        self.calendars = calendars
        self.actor = actor
        self.at = at
        self.records: list[Record] = []
        self.topics: dict[tuple[str, str], list[str]] = {}

    @property
    def today(self) -> date:
        """The day at the vendor's site."""
        return self.at.astimezone(self.calendars.vendor.calendar.zone).date()

    def set(self, **changes: Any) -> None:
        self.ticket = msgspec.structs.replace(self.ticket, **changes)

    def record(
        self,
        kind: str,
        *,
        to: TicketState | None = None,
        reason: str = "",
        period_from: date | None = None,
        detail: dict[str, Any] | None = None,
    ) -> None:
        before = self.ticket.state if self.ticket.sequence else None
        sequence = self.ticket.sequence + 1
        after = to or self.ticket.state
        self.set(state=after, sequence=sequence)
        self.records.append(
            Record(
                sequence=sequence,
                kind=kind,
                from_state=before,
                to_state=after,
                actor=self.actor.number,
                at=self.at,
                reason=reason,
                period_from=period_from,
                detail=detail or {},
            )
        )

    def tell(self, roles: Iterable[str], topic: str, channel: str | None = None) -> None:
        """Nothing is sent while the ticket is suppressed, and each role gets one message however much there is to say."""
        if self.ticket.state is TicketState.SUPPRESSED:
            return
        self.set(is_announced=True)
        for role in roles:
            topics = self.topics.setdefault((role, channel or self.ticket.policy.level(self.ticket.level).channel), [])
            if topic not in topics:
                topics.append(topic)

    def tell_all(self, topic: str) -> None:
        self.tell(self.ticket.policy.level(self.ticket.level).to, topic)

    def activity(self) -> None:
        """A person did something: the rounds of reminders begin anew."""
        if self.actor.side != "system":
            self.set(last_activity_at=self.at, reminded_at=None, rounds=0, is_exhausted=False)

    def change(self, name: ClockName, how: Callable[[Stopwatch], Stopwatch]) -> None:
        self.set(watches=tuple(how(each) if each.name is name else each for each in self.ticket.watches))

    def begin(self, name: ClockName, goal: BusinessSpan) -> None:
        """A clock from zero; an earlier one of the same name stays in the history only."""
        others = tuple(each for each in self.ticket.watches if each.name is not name)
        self.set(watches=(*others, clocks.start(name, goal, self.at)))

    def stop_all(self) -> None:
        self.set(watches=tuple(clocks.stop(each, self.at) for each in self.ticket.watches))

    def close(self, to: TicketState, kind: str, reason: str, period_from: date | None = None) -> None:
        self.stop_all()
        self.set(
            closed_at=self.at,
            closed_period_from=period_from,
            close_reason=reason,
            resumes=None,
            suppressed_by="",
            held_until=None,
        )
        was_suppressed = self.ticket.state is TicketState.SUPPRESSED
        self.record(kind, to=to, reason=reason, period_from=period_from)
        if not was_suppressed:
            self.tell_all(kind)

    def suppress(self, event: Suppress) -> None:
        self.set(
            resumes=self.ticket.state,
            suppressed_by=event.inhibitor,
            watches=tuple(clocks.pause(each, event.from_, _SUPPRESSED) for each in self.ticket.watches),
        )
        self.record("suppressed", to=TicketState.SUPPRESSED, reason=event.inhibitor, detail={"from": event.from_.isoformat()})

    def reopen(self, severity: Severity, period_from: date, reason: str = "", *, is_correction: bool = False) -> None:
        """Opened one level higher, with clocks from zero. Its plan did not hold, so a new one must differ from it."""
        policy = self.ticket.policy
        level = self.ticket.level if is_correction else min(policy.top_level, self.ticket.level + 1)
        closed_on = self.ticket.closed_at.date() if self.ticket.closed_at is not None else None
        self.set(
            level=level,
            severity=max(self.ticket.severity, severity, key=lambda each: each.rank),
            recurrence=self.ticket.recurrence + int(not is_correction),
            reopened=self.ticket.reopened + 1,
            form="full" if closed_on is None else plans.required_form(closed_on, self.at.date(), policy.repeat_within_days),
            plan_refused=self.ticket.plan is not None,
            implemented_at=None,
            cleared_from=None,
            overdue_actions=(),
            closed_at=None,
            closed_period_from=None,
            close_reason="",
            last_activity_at=self.at,
            reminded_at=None,
            rounds=0,
            is_exhausted=False,
            watches=_first_watches(policy, level, self.at),
        )
        self.record("reopened", to=TicketState.OPENED, reason=reason, period_from=period_from, detail={"level": level})
        self.tell_all("reopened")

    def done(self) -> Transition:
        if self.records:
            self.set(token=self.ticket.token + 1)
        messages = tuple(
            Message(role=role, channel=channel, topics=tuple(topics), sequence=self.ticket.sequence)
            for (role, channel), topics in self.topics.items()
        )
        return Transition(ticket=self.ticket, records=tuple(self.records), messages=messages)


_Handler = Callable[[_Move, Any], Refusal | None]
_HANDLERS: dict[type, _Handler] = {}


def _on(event: type) -> Callable[[_Handler], _Handler]:
    def register(handler: _Handler) -> _Handler:
        _HANDLERS[event] = handler
        return handler

    return register


@_on(Acknowledge)
def _acknowledge(move: _Move, event: Acknowledge) -> None:
    policy = move.ticket.policy
    step = policy.level(move.ticket.level)
    move.change(ClockName.ACKNOWLEDGE, lambda each: clocks.stop(each, move.at))
    plan = move.ticket.watch(ClockName.PLAN)
    # A plan clock that runs already (the acknowledgement had expired meanwhile) is not set back: silence earns no time.
    if plan is None or plan.is_stopped:
        critical = move.ticket.severity is Severity.CRITICAL
        move.begin(
            ClockName.PLAN, step.plan_within or (policy.plan_within_critical if critical else policy.plan_within)
        )
    move.activity()
    move.record("acknowledged", to=TicketState.ACKNOWLEDGED, reason=event.note)
    move.tell((policy.client_role,), "acknowledged")


@_on(SubmitPlan)
def _submit(move: _Move, event: SubmitPlan) -> Refusal | None:
    ticket = move.ticket
    findings = plans.check(
        event.plan,
        kpi=ticket.key.kpi,
        level=ticket.rule.clear_level or ticket.rule.level,
        form=ticket.form,
        submitted_on=move.today,
        good_periods=ticket.policy.effective_after_good_periods,
    )
    if has_errors(findings):
        return _refused("plan_incomplete", "the plan is not complete", "Add what the findings name and submit it again.", findings)
    if ticket.plan_refused and event.plan == ticket.plan:
        return _refused("plan_unchanged", "this is the plan that did not hold", "Revise it before you submit it again.")
    move.set(plan=event.plan, plan_author=move.actor.number, plan_revision=ticket.plan_revision + 1, plan_refused=False)
    move.change(ClockName.PLAN, lambda each: clocks.pause(each, move.at, _DECIDING))
    move.begin(ClockName.DECIDE, ticket.policy.decide_within)
    move.activity()
    remarks = [f"{each.where}: {each.message}" for each in findings]
    move.record(
        "plan_submitted",
        to=TicketState.PLAN_SUBMITTED,
        detail={"revision": move.ticket.plan_revision, "plan": msgspec.to_builtins(event.plan), "remarks": remarks},
    )
    move.tell((ticket.policy.client_role,), "plan_submitted")
    return None


@_on(ApprovePlan)
def _approve(move: _Move, event: ApprovePlan) -> Refusal | None:
    if move.actor.number == move.ticket.plan_author:
        return _refused("own_plan", "whoever wrote a plan does not approve it", "Ask a colleague of the client to decide.")
    move.change(ClockName.DECIDE, lambda each: clocks.stop(each, move.at))
    move.change(ClockName.PLAN, lambda each: clocks.stop(each, move.at))
    move.activity()
    move.record(
        "plan_approved",
        to=TicketState.PLAN_APPROVED,
        reason=event.note,
        detail={"revision": move.ticket.plan_revision},
    )
    move.tell((move.ticket.policy.vendor_role,), "plan_approved")
    return None


@_on(RejectPlan)
def _reject(move: _Move, event: RejectPlan) -> None:
    policy = move.ticket.policy
    at_least = end_of(policy.plan_again_within_min, move.at, move.calendars.vendor)
    move.change(ClockName.DECIDE, lambda each: clocks.stop(each, move.at))
    move.change(
        ClockName.PLAN, lambda each: msgspec.structs.replace(clocks.resume(each, move.at), least_until=at_least)
    )
    move.set(rejections=move.ticket.rejections + 1, plan_refused=True)
    move.activity()
    move.record(
        "plan_rejected",
        to=TicketState.ACKNOWLEDGED,
        reason=event.reason,
        detail={"revision": move.ticket.plan_revision, "rejections": move.ticket.rejections},
    )
    move.tell((policy.vendor_role,), "plan_rejected")


@_on(StartWork)
def _start(move: _Move, _event: StartWork) -> None:
    move.activity()
    move.record("work_started", to=TicketState.IN_PROGRESS)


@_on(ActionDone)
def _action_done(move: _Move, event: ActionDone) -> Refusal | None:
    plan = move.ticket.plan
    if plan is None:
        return _NO_PLAN
    if not 0 <= event.index < len(plan.actions):
        return _refused(
            "no_such_action", f"the plan has no action {event.index + 1}", f"It has actions 1 to {len(plan.actions)}."
        )
    if not event.evidence.strip():
        return _refused("no_evidence", "an action is done when something shows it", "Add a case id or a link.")
    if event.done_on > move.today:
        return _refused("too_early", f"{event.done_on} has not come yet", "Give the day on which it was done.")
    action = msgspec.structs.replace(plan.actions[event.index], done_on=event.done_on, evidence=event.evidence)
    actions = (*plan.actions[: event.index], action, *plan.actions[event.index + 1 :])
    move.set(plan=msgspec.structs.replace(plan, actions=actions))
    move.activity()
    move.record("action_done", detail={"action": event.index, "done_on": event.done_on.isoformat(), "evidence": event.evidence})
    return None


@_on(Implement)
def _implement(move: _Move, _event: Implement) -> Refusal | None:
    plan = move.ticket.plan
    if plan is None:
        return _NO_PLAN
    if not plans.is_implemented(plan):
        undone = [str(index + 1) for index, action in enumerate(plan.actions) if not action.is_done]
        return _refused(
            "not_implemented",
            f"actions {', '.join(undone)} are not done or show no evidence",
            "Record each with its day and its evidence first.",
        )
    move.set(implemented_at=move.at)
    move.change(ClockName.ESCALATION, lambda each: clocks.stop(each, move.at))
    move.activity()
    move.record("implemented", to=TicketState.EFFECTIVENESS_CHECK)
    move.tell((move.ticket.policy.client_role,), "implemented")
    return None


@_on(AssessEffect)
def _assess(move: _Move, event: AssessEffect) -> Refusal | None:
    outcome = event.effectiveness.outcome
    if outcome is plans.Outcome.OBSERVING:
        return _refused("still_observing", f"effectiveness needs {event.effectiveness.missing}", "Wait for the next period.")
    if event.period_from is None:
        return _refused("no_period", "effectiveness is shown by a period", "Name the period that decided.")
    if outcome is plans.Outcome.EFFECTIVE:
        move.close(TicketState.CLOSED, "closed", "effective", event.period_from)
    else:
        move.reopen(move.ticket.severity, event.period_from, "the plan did not prove effective")
    return None


@_on(Breached)
def _breached(move: _Move, event: Breached) -> None:
    ticket = move.ticket
    is_worse = event.severity.rank > ticket.severity.rank
    zone = move.calendars.vendor.calendar.zone
    observed = ticket.implemented_at is not None and event.period_from > ticket.implemented_at.astimezone(zone).date()
    if ticket.state is TicketState.EFFECTIVENESS_CHECK and observed:
        move.reopen(event.severity, event.period_from, "the plan did not prove effective")
        return
    move.set(recurrence=ticket.recurrence + int(event.is_recurrence), cleared_from=None)
    move.record(
        "recurred" if event.is_recurrence else "continued",
        period_from=event.period_from,
        detail={"severity": event.severity.value},
    )
    if is_worse:
        # Worse, but the same problem: the same ticket says so, once, instead of a second ticket.
        move.set(severity=event.severity)
        move.record("worsened", period_from=event.period_from, detail={"from": ticket.severity.value, "to": event.severity.value})
        move.tell_all("worsened")


@_on(Cleared)
def _cleared(move: _Move, event: Cleared) -> None:
    ticket = move.ticket
    move.set(cleared_from=event.period_from)
    by_itself = (
        ticket.policy.auto_resolve_level_1
        and ticket.level == 1
        and ticket.plan is None
        and ticket.state in (TicketState.OPENED, TicketState.ACKNOWLEDGED)
    )
    if by_itself:
        move.close(TicketState.CLOSED, "closed", AUTO_RESOLVED, event.period_from)
        return
    move.record("cleared", period_from=event.period_from)


@_on(Withdrawn)
def _withdrawn(move: _Move, event: Withdrawn) -> None:
    move.record("withdrawn", reason=event.reason, period_from=event.period_from)
    if event.is_whole and move.ticket.state.is_open:
        move.close(TicketState.CANCELLED, "cancelled", event.reason)


@_on(Cancel)
def _cancel(move: _Move, event: Cancel) -> None:
    move.set(is_ended_by_decision=True)
    move.close(TicketState.CANCELLED, "cancelled", event.reason)


@_on(EndScope)
def _end(move: _Move, event: EndScope) -> None:
    move.set(is_ended_by_decision=True)
    move.close(TicketState.ENDED, "ended", event.reason)


@_on(Suppress)
def _suppress(move: _Move, event: Suppress) -> None:
    move.suppress(event)


@_on(Release)
def _release(move: _Move, event: Release) -> None:
    ticket = move.ticket
    before = ticket.resumes or TicketState.OPENED
    move.set(watches=tuple(_resumed(each, event.until) for each in ticket.watches))
    if not event.is_breaching and ticket.plan is None and before in (TicketState.OPENED, TicketState.ACKNOWLEDGED):
        move.close(TicketState.CANCELLED, "cancelled", "cleared while inhibited")
        return
    # The clocks stood still, and so did the count of idle days and of reminders.
    move.set(resumes=None, suppressed_by="", last_activity_at=max(ticket.last_activity_at, event.until))
    move.record("released", to=before, detail={"until": event.until.isoformat()})
    if not ticket.is_announced:
        # Born suppressed: nobody has heard of it yet.
        move.tell_all("opened")


def _resumed(watch: Stopwatch, at: datetime) -> Stopwatch:
    if watch.is_open_ended and watch.pauses[-1].reason == _SUPPRESSED:
        return clocks.resume(watch, max(at, watch.pauses[-1].from_))
    return watch


@_on(Dispute)
def _dispute(move: _Move, event: Dispute) -> Refusal | None:
    if move.ticket.disputed:
        return _refused("already_disputed", "the ticket is disputed already", "Add what is new as a comment.")
    move.set(disputed=True)
    move.activity()
    move.record("disputed", reason=event.reason)
    move.tell((move.ticket.policy.client_role,), "disputed")
    return None


@_on(SettleDispute)
def _settle(move: _Move, event: SettleDispute) -> Refusal | None:
    if not move.ticket.disputed:
        return _refused("not_disputed", "nothing is disputed", "There is nothing to settle.")
    move.set(disputed=False)
    move.activity()
    move.record("dispute_settled", reason=event.reason, detail={"is_upheld": event.is_upheld})
    move.tell((move.ticket.policy.vendor_role,), "dispute_settled")
    return None


@_on(RaiseLevel)
def _raise(move: _Move, event: RaiseLevel) -> Refusal | None:
    top = move.ticket.policy.top_level
    if not move.ticket.level < event.level <= top:
        return _refused(
            "no_such_level",
            f"level {event.level} is not above level {move.ticket.level}",
            f"The levels of this ticket end at {top}.",
        )
    _to_level(move, event.level, "level_raised", event.reason)
    return None


def _to_level(move: _Move, level: int, kind: str, reason: str, log: Iterable[str] = ()) -> None:
    step = move.ticket.policy.level(level)
    detail: dict[str, Any] = {"from": move.ticket.level, "to": level}
    if lines := list(log):
        detail["log"] = lines
    if step.agenda is not None:
        detail["agenda"] = step.agenda
    if step.serve_notice:
        detail["task"] = "serve_notice"
    move.set(level=level)
    move.activity()
    move.record(kind, reason=reason, detail=detail)
    move.tell(step.to, kind)


@_on(LowerLevel)
def _lower(move: _Move, event: LowerLevel) -> Refusal | None:
    if not 1 <= event.level < move.ticket.level:
        return _refused("no_such_level", f"level {event.level} is not below level {move.ticket.level}", "Levels count from 1.")
    # Lowering begins the way up anew; otherwise the next sweep would put the ticket back where it was.
    move.change(ClockName.ESCALATION, lambda each: clocks.restart(each, move.at))
    _to_level(move, event.level, "level_lowered", event.reason)
    return None


@_on(Hold)
def _hold(move: _Move, event: Hold) -> Refusal | None:
    if event.until <= move.at:
        return _refused("hold_past", f"the hold would have ended at {event.until}", "Give an end that lies ahead.")
    move.change(ClockName.ESCALATION, lambda each: clocks.pause(clocks.resume(each, move.at), move.at, _HELD, event.until))
    move.set(held_until=event.until)
    move.activity()
    move.record("held", reason=event.reason, detail={"until": event.until.isoformat()})
    return None


@_on(ReleaseHold)
def _release_hold(move: _Move, event: ReleaseHold) -> Refusal | None:
    if move.ticket.held_until is None:
        return _refused("not_held", "the ticket is not held", "There is nothing to release.")
    move.change(ClockName.ESCALATION, lambda each: clocks.resume(each, move.at))
    move.set(held_until=None)
    move.activity()
    move.record("hold_released", reason=event.reason)
    return None


@_on(Reopen)
def _reopen(move: _Move, event: Reopen) -> None:
    move.reopen(event.severity, event.period_from, event.reason, is_correction=event.is_correction)


@_on(Comment)
def _comment(move: _Move, event: Comment) -> Refusal | None:
    if not event.text.strip():
        return _refused("empty", "the comment is empty", "Write something or leave it out.")
    move.activity()
    move.record("commented", reason=event.text)
    return None


@_on(Annotate)
def _annotate(move: _Move, event: Annotate) -> None:
    move.record("annotated", reason=event.text, period_from=event.period_from)


# What time brings about. -------------------------------------------------------------------------------------------------


def _calendar_of(name: ClockName, calendars: Calendars) -> Clock:
    return calendars.client if name is ClockName.DECIDE else calendars.vendor


_LEVEL_NEEDED: Mapping[Unless, frozenset[TicketState]] = {
    "acknowledged": frozenset({TicketState.OPENED}),
    "plan_submitted": frozenset({TicketState.OPENED, TicketState.ACKNOWLEDGED}),
    "plan_approved": _BEFORE_APPROVAL,
    # Once implemented, only the KPI can say more, so no level is left to climb.
    "closed": _BEFORE_APPROVAL | _WORKING,
}


def _levels_ahead(ticket: Ticket, calendars: Calendars) -> Mapping[int, datetime]:
    watch = ticket.watch(ClockName.ESCALATION)
    if watch is None or watch.is_stopped:
        return {}
    ahead = clocks.level_deadlines(watch, ticket.policy.levels, ticket.level, calendars.vendor)
    return {level: due_at for level, due_at in ahead.items() if ticket.state in _LEVEL_NEEDED[ticket.policy.level(level).unless]}


def _idle_expiry(ticket: Ticket, calendars: Calendars) -> datetime | None:
    if ticket.state is not TicketState.ACKNOWLEDGED:
        return None
    return end_of(ticket.policy.idle_after_acknowledgement, ticket.last_activity_at, calendars.vendor)


def _reminder(ticket: Ticket, calendars: Calendars) -> datetime | None:
    """When the people concerned are reminded next; None once the rounds are used up and a meeting has to decide."""
    if ticket.is_exhausted:
        return None
    if ticket.state is TicketState.EFFECTIVENESS_CHECK and ticket.reminded_at is None and ticket.implemented_at is not None:
        days = ticket.policy.effective_days_min[ticket.severity]
        return max(
            calendars.client.next_open(ticket.implemented_at + timedelta(days=days)),
            end_of(ticket.policy.remind_every, ticket.last_activity_at, calendars.client),
        )
    since = max(ticket.last_activity_at, ticket.reminded_at or ticket.last_activity_at, ticket.held_until or ticket.last_activity_at)
    return end_of(ticket.policy.remind_every, since, calendars.vendor)


def _action_due(ticket: Ticket, calendars: Calendars) -> Mapping[int, datetime]:
    """The end of the local day of each action that is neither done nor reported as overdue."""
    if ticket.state not in _WORKING or ticket.plan is None:
        return {}
    zone = calendars.vendor.calendar.zone
    return {
        index: local_instant(datetime.combine(action.due_on + timedelta(days=1), time(0)), zone)
        for index, action in enumerate(ticket.plan.actions)
        if action.due_on is not None and not action.is_done and index not in ticket.overdue_actions
    }


def deadlines(ticket: Ticket, calendars: Calendars) -> tuple[Deadline, ...]:
    """Everything that is to come, earliest first; empty for a ticket that is closed or suppressed."""
    if ticket.state not in _ACTIVE:
        return ()
    found: list[Deadline] = []

    def add(name: str, due_at: datetime | None, clock: Clock) -> None:
        if due_at is not None:
            due = clock.as_deadline(min(ticket.opened_at, due_at), due_at)
            found.append(
                Deadline(
                    name=name,
                    due_at=due.due_at,
                    local=due.local,
                    calendar=due.calendar,
                    calendar_version=due.calendar_version,
                    provisional=due.provisional,
                )
            )

    for watch in ticket.watches:
        if watch.name is ClockName.ESCALATION or watch.is_stopped or watch.is_open_ended:
            continue
        calendar = _calendar_of(watch.name, calendars)
        fired = {each.percent for each in watch.fired}
        for percent in ticket.policy.thresholds_percent:
            if percent not in fired:
                name = watch.name.value if percent == DEADLINE_PERCENT else f"{watch.name.value}:{percent}"
                add(name, clocks.threshold_deadline(watch, percent, calendar), calendar)
    for level, due_at in _levels_ahead(ticket, calendars).items():
        add(f"level:{level}", due_at, calendars.vendor)
    add("idle", _idle_expiry(ticket, calendars), calendars.vendor)
    add("hold", ticket.held_until, calendars.client)
    for index, due_at in _action_due(ticket, calendars).items():
        add(f"action:{index}", due_at, calendars.vendor)
    add("reminder", _reminder(ticket, calendars), calendars.vendor)
    return tuple(sorted(found, key=lambda each: (each.due_at, each.name)))


def reason_without_deadline(ticket: Ticket) -> str | None:
    """Why an open ticket may have nothing to come, or None where it has to have a deadline."""
    if ticket.state is TicketState.SUPPRESSED:
        return f"suppressed by {ticket.suppressed_by}"
    if ticket.is_exhausted:
        return "escalation exhausted: on the agenda of the next governance meeting"
    return None


def replanned(ticket: Ticket, *, calendars: Calendars, at: datetime) -> Transition:
    """The ticket under newer versions of its calendars: a warning whose moment now lies ahead will be given again then."""
    move = _Move(ticket, SYSTEM, at, calendars)
    before = {f"{watch.name.value}:{each.percent}" for watch in ticket.watches for each in watch.fired}
    for watch in ticket.watches:
        move.change(watch.name, functools.partial(clocks.recompute, goal=watch.goal, clock=_calendar_of(watch.name, calendars), at=at))
    after = {f"{watch.name.value}:{each.percent}" for watch in move.ticket.watches for each in watch.fired}
    versions = {calendar.calendar.id: calendar.calendar.version for calendar in (calendars.vendor, calendars.client)}
    move.record("deadlines_replanned", detail={"calendars": versions, "armed_again": sorted(before - after)})
    return move.done()


def sweep(
    ticket: Ticket, *, calendars: Calendars, at: datetime, is_staffed: Callable[[str], bool] | None = None
) -> Transition | None:
    """Everything that fell due before `at`, in one transition with one message for each role; None where nothing did.

    After a day of downtime the highest overdue level is taken once, and the history says which were passed over. Nothing here
    approves, closes or cancels: time alone reminds, raises levels, and takes back an acknowledgement nobody acted on.
    """
    if ticket.state not in _ACTIVE:
        return None
    move = _Move(ticket, SYSTEM, at, calendars)
    if ticket.held_until is not None and ticket.held_until < at:
        move.set(held_until=None)
        move.record("hold_ended")
        move.tell((ticket.policy.client_role,), "hold_ended")
    _sweep_thresholds(move)
    _sweep_actions(move)
    _sweep_levels(move, is_staffed)
    _sweep_idle(move)
    _sweep_reminder(move)
    return move.done() if move.records else None


def _sweep_thresholds(move: _Move) -> None:
    policy = move.ticket.policy
    for watch in move.ticket.watches:
        if watch.name is ClockName.ESCALATION:
            continue
        due = clocks.due_thresholds(watch, policy.thresholds_percent, _calendar_of(watch.name, move.calendars), move.at)
        if not due:
            continue
        move.change(watch.name, functools.partial(clocks.fire, due=due, at=move.at))
        for percent, due_at in due:
            kind = f"{watch.name.value}_overdue" if percent == DEADLINE_PERCENT else f"{watch.name.value}_threshold"
            move.record(kind, detail={"percent": percent, "due_at": due_at.isoformat()})
        is_overdue = due[-1][0] == DEADLINE_PERCENT
        topic = f"{watch.name.value}_overdue" if is_overdue else f"{watch.name.value}_threshold"
        move.tell((policy.client_role if watch.name is ClockName.DECIDE else policy.vendor_role,), topic)
        if is_overdue:
            # A plan nobody decides on is the client's failing: it goes up on the client's side, and stays undecided.
            higher = policy.level(min(move.ticket.level + 1, policy.top_level)).to
            roles = (role for role in higher if role.startswith("client.")) if watch.name is ClockName.DECIDE else (policy.client_role,)
            move.tell(roles, topic)


def _sweep_actions(move: _Move) -> None:
    plan = move.ticket.plan
    overdue = [index for index, due_at in _action_due(move.ticket, move.calendars).items() if due_at < move.at]
    if not overdue or plan is None:
        return
    move.set(overdue_actions=(*move.ticket.overdue_actions, *overdue))
    for index in overdue:
        move.record("action_overdue", detail={"action": index, "owner": plan.actions[index].owner})
        move.tell((plan.actions[index].owner, move.ticket.policy.client_role), "action_overdue")


def _sweep_levels(move: _Move, is_staffed: Callable[[str], bool] | None) -> None:
    watch = move.ticket.watch(ClockName.ESCALATION)
    if watch is None or not watch.is_running(move.at):
        return
    swept = clocks.sweep_levels(_levels_ahead(move.ticket, move.calendars), move.ticket.policy.levels, move.at, is_staffed=is_staffed)
    if swept is not None:
        _to_level(move, swept.level, "level_raised", swept.log[-1], swept.log)


def _sweep_idle(move: _Move) -> None:
    expiry = _idle_expiry(move.ticket, move.calendars)
    if expiry is None or not expiry < move.at:
        return
    policy = move.ticket.policy
    step = policy.level(move.ticket.level)
    move.begin(ClockName.ACKNOWLEDGE, step.acknowledge_within or policy.acknowledge_within)
    move.change(ClockName.ESCALATION, lambda each: clocks.restart(each, move.at))
    move.set(last_activity_at=move.at)
    move.record(
        "acknowledgement_expired", to=TicketState.OPENED, reason=f"nothing was done for {policy.idle_after_acknowledgement}"
    )
    move.tell_all("acknowledgement_expired")


def _sweep_reminder(move: _Move) -> None:
    due_at = _reminder(move.ticket, move.calendars)
    if due_at is None or not due_at < move.at:
        return
    policy = move.ticket.policy
    if move.ticket.rounds >= policy.rounds_max and not _levels_ahead(move.ticket, move.calendars):
        move.set(is_exhausted=True)
        agenda = next((each.agenda for each in reversed(policy.levels) if each.agenda), None)
        move.record(
            "escalation_exhausted",
            reason=f"{move.ticket.rounds} rounds of reminders brought nothing",
            detail={"agenda": agenda or "next governance meeting"},
        )
        return
    move.set(rounds=move.ticket.rounds + 1, reminded_at=move.at)
    move.record("reminded", detail={"round": move.ticket.rounds})
    move.tell_all("reminded")
