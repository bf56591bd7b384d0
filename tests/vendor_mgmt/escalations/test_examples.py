"""The reference cases in tests/examples/escalation, run exactly and named by their id."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
import yaml

from contracts.curve import Curve, Step, draw
from tests.vendor_mgmt.escalations.builders import (
    CLIENT,
    OPENED_AT,
    VENDOR,
    calendars,
    kinds_of,
    month,
    office,
    opened,
    plan,
    policy,
    series,
    ticket,
    utc,
)
from vendor_mgmt.escalations import clocks, conditions, inhibition, plans, raising, tickets
from vendor_mgmt.escalations.clocks import ClockName, Stopwatch
from vendor_mgmt.escalations.conditions import Flapping, Window
from vendor_mgmt.escalations.raising import Change, Known
from vendor_mgmt.escalations.rules import BusinessSpan, Observation, QuietHours, RuleParameters, Series, Severity, TicketKey
from vendor_mgmt.escalations.tickets import Suppress, Ticket

FOLDER = Path(__file__).parents[2] / "examples" / "escalation"

Case = dict[str, Any]


def cases(name: str) -> list[Any]:
    found = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return [pytest.param(case, id=case["id"]) for case in found]


def test_every_case_has_its_own_id_source_and_words() -> None:
    found = [case.values[0] for name in FOLDER.glob("*.yaml") for case in cases(name.stem)]
    assert len({case["id"] for case in found}) == len(found) > 50
    assert all(case["source"] and case["words"] for case in found)


@pytest.mark.parametrize("case", cases("conditions"))
def test_condition(case: Case) -> None:
    window = Window(**case["window"])
    kinds = kinds_of("".join(case["periods"]))
    condition, steps = conditions.evaluate(kinds, window)
    assert condition.state.value == case["expect"]["state"]
    assert msgspec.to_builtins(conditions.events(kinds, window)) == tuple(case["expect"]["events"])
    if "states" in case["expect"]:
        assert [each.state.value for each in steps] == case["expect"]["states"]


@pytest.mark.parametrize("case", cases("flapping"))
def test_flapping(case: Case) -> None:
    if "states" in case:
        percent = conditions.percent_state_change(case["states"])
        assert round(percent, 4) == Fraction(case["expect"]["percent"])
        return
    limits = Flapping(low=Fraction(case["limits"]["low"]), high=Fraction(case["limits"]["high"]))
    was_flapping = case["limits"]["was_flapping"]
    assert (
        conditions.is_flapping(Fraction(case["limits"]["percent"]), was_flapping=was_flapping, limits=limits)
        is case["expect"]["is_flapping"]
    )


@pytest.mark.parametrize("case", cases("bands"))
def test_band(case: Case) -> None:
    bands = Curve(
        steps=[
            Step(less_than=Decimal(90), name="red"),
            Step(at_least=Decimal(90), less_than=Decimal(95), name="amber"),
            Step(at_least=Decimal(95), name="green"),
        ]
    )
    assert draw(bands, Fraction(case["value"])).band == case["expect"]["band"]


@pytest.mark.parametrize("case", cases("inhibition"))
def test_inhibition(case: Case) -> None:
    rules = [msgspec.convert(each, inhibition.InhibitionRule) for each in case["rules"]]
    if "timeline" in case:
        _timeline(case, rules)
        return
    ended = {True: utc(2026, 1, 1), False: None}
    active = [inhibition.Signal(labels=each["labels"], until=ended[each.get("ended", False)]) for each in case["active"]]
    by = inhibition.inhibitor_of(case["target"], active, rules, utc(2026, 4, 1))
    assert (by is not None) is case["expect"]["inhibited"]


def _timeline(case: Case, rules: list[inhibition.InhibitionRule]) -> None:
    begin = utc(2026, 4, 1)
    signals = [
        inhibition.Signal(
            labels=each["labels"],
            from_=begin + timedelta(seconds=each["from"]),
            until=begin + timedelta(seconds=each["until"]) if "until" in each else None,
        )
        for each in case["timeline"]
    ]
    for second, names in case["expect"]["heard"].items():
        found = inhibition.inhibitions(signals, rules, begin + timedelta(seconds=int(second)))
        heard = [f"{each.signal.labels['name']}/{each.signal.labels['zone']}" for each in found if each.by is None]
        assert sorted(heard) == names


@pytest.mark.parametrize("case", cases("clocks"))
def test_clock(case: Case) -> None:
    CLOCKS[case["kind"]](case)


def _watch(case: Case, goal: BusinessSpan) -> Stopwatch:
    pauses = tuple(clocks.Pause(from_=begin, until=end, reason="outage") for begin, end in case.get("pauses", ()))
    return Stopwatch(name=ClockName.ESCALATION, goal=goal, started_at=case["opened_at"], pauses=pauses)


def _levels(case: Case) -> None:
    clock = office(**case["calendar"])
    due = {name: clocks.deadline(_watch(case, BusinessSpan(hours=Decimal(hours))), clock) for name, hours in case["levels"].items()}
    assert due == case["expect"]


def _threshold(case: Case) -> None:
    watch = _watch(case, BusinessSpan(hours=Decimal(case["goal_hours"])))
    assert clocks.threshold_deadline(watch, case["percent"], office(**case["calendar"])) == case["expect"]["due_at"]


def _recompute(case: Case) -> None:
    clock = office(**case["calendar"])
    watch = _watch(case, BusinessSpan(hours=Decimal(case["goal_hours"])))
    due = clocks.due_thresholds(watch, case["fired"], clock, case["at"])
    watch = clocks.fire(watch, due, case["at"])
    assert [each.percent for each in watch.fired] == case["fired"]
    watch = clocks.recompute(watch, BusinessSpan(hours=Decimal(case["new_goal_hours"])), clock, case["at"])
    assert [each.percent for each in watch.fired] == case["expect"]["fired"]


def _days(case: Case) -> None:
    clock = office(**case["calendar"])
    due_at = clocks.deadline(_watch(case, BusinessSpan(days=case["goal_days"])), clock)
    assert due_at is not None
    assert due_at.astimezone(clock.calendar.zone).date() == case["expect"]["due_on"]


def _quiet(case: Case) -> None:
    zone = ZoneInfo("Asia/Manila")
    clock = office("Asia/Manila", days=case.get("open_days", ["mon"]))
    allowed_from, allowed_until = (datetime.strptime(each, "%H:%M").replace(tzinfo=UTC).time() for each in case["allowed"])
    quiet = QuietHours(allowed_from=allowed_from, allowed_until=allowed_until, open_days_only="open_days" in case)
    day: date = case.get("now_on", date(2026, 5, 6))
    now = datetime.combine(day, datetime.strptime(case["now"], "%H:%M").replace(tzinfo=UTC).time(), tzinfo=zone)
    moment = clocks.message_moment(now, quiet, clock).astimezone(zone)
    if case["expect"]:
        assert (moment.date() - day).days == case["expect"]["day_offset"]
        assert f"{moment:%H:%M}" == case["expect"]["at"]
    else:
        assert moment == now


def _sweep(case: Case) -> None:
    staffed = {
        role: each.level not in case.get("unstaffed", ()) for each in policy().levels for role in each.to
    }
    found = ticket()
    due = tickets.deadlines(found, calendars())
    overdue = max(case["overdue"])
    at = max(each.due_at for each in due if each.name == f"level:{overdue}") + timedelta(hours=1)
    result = tickets.sweep(found, calendars=calendars(), at=at, is_staffed=staffed.__getitem__)
    assert result is not None
    assert result.ticket.level == case["expect"]["level"]
    roles = [each.role for each in result.messages]
    assert len(roles) == len(set(roles)) * case["expect"]["messages_to_each_role"]
    [raised] = [each for each in result.records if each.kind == "level_raised"]
    assert raised.detail["log"] == case["expect"]["log"]


CLOCKS: dict[str, Callable[[Case], None]] = {
    "levels": _levels,
    "threshold": _threshold,
    "recompute": _recompute,
    "days": _days,
    "quiet": _quiet,
    "sweep": _sweep,
}


# Tickets ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases("tickets"))
def test_ticket(case: Case) -> None:
    TICKETS[case["kind"]](case)


def _rules(listed: list[Case]) -> tuple[RuleParameters, ...]:
    return tuple(msgspec.convert(each, RuleParameters) for each in listed)


def _series(periods: list[str]) -> Series:
    """As the builder does, with V for a period in which there was nothing to count."""
    found = series("".join(periods).replace("V", "X"))
    observations = [
        Observation(from_=each.from_, until=each.until, status="no_volume") if letter == "V" else each
        for each, letter in zip(found.observations, periods, strict=True)
    ]
    return msgspec.structs.replace(found, observations=tuple(observations))


class Book:
    """The tickets of one series, raised again and again."""

    def __init__(self, rules: tuple[RuleParameters, ...], inhibitor: Suppress | None = None) -> None:
        self.rules = rules
        self.inhibitor = inhibitor
        self.known: list[Known] = []
        self.at = OPENED_AT

    def close(self, periods: list[str], rules: tuple[RuleParameters, ...] | None = None) -> list[Change]:
        self.at += timedelta(days=1)
        found: list[Change] = []
        for each in rules or self.rules:
            key = TicketKey.of(_series(periods), each)
            known = [one for one in self.known if one.ticket.key == key]
            found += raising.changes(
                _series(periods), each, policy(), known, at=self.at, calendars=calendars(), inhibitor=self.inhibitor
            )
        for change in found:
            facts = raising.facts_of(change.records)
            if change.id is None:
                self.known.append(Known(id=len(self.known) + 1, ticket=change.ticket, facts=facts))
            else:
                before = self.known[change.id - 1]
                self.known[change.id - 1] = Known(id=change.id, ticket=change.ticket, facts=(*before.facts, *facts))
        return found

    @property
    def tickets(self) -> list[Ticket]:
        return [each.ticket for each in self.known]


def _raise(case: Case) -> None:
    inhibitor = Suppress(inhibitor=case["inhibitor"], from_=OPENED_AT) if "inhibitor" in case else None
    book = Book(_rules(case["rules"]), inhibitor)
    found = book.close(case["periods"])
    expect = case["expect"]
    assert [each.rule.name for each in book.tickets] == expect["opened_by"]
    for one in book.tickets:
        assert one.state.value == expect.get("state", "opened")
        assert one.suppressed_by == expect.get("suppressed_by", "")
        if "opened_for" in expect:
            assert one.period_from == expect["opened_for"]
        if "running_clocks" in expect:
            assert sum(each.is_running(book.at + timedelta(days=3)) for each in one.watches) == expect["running_clocks"]
    if "messages" in expect:
        assert sum(len(each.messages) for each in found) == expect["messages"]
    assert book.close(case["periods"]) == []


def _raise_again(case: Case) -> None:
    book = Book(_rules(case["rules"]))
    book.close(case["periods"])
    rules = case["new_rules"] if "new_rules" in case else case["rules"]
    found = book.close([*case["periods"], *case.get("more_periods", [])], _rules(rules))
    expect = case["expect"]
    assert len(book.tickets) == expect.get("tickets", 1)
    one = book.tickets[-1]
    assert one.state.value == expect["state"]
    assert one.recurrence == expect.get("recurrence", one.recurrence)
    assert one.level == expect.get("level", one.level)
    assert one.close_reason == expect.get("reason", "")
    if "changes" in expect:
        assert len(found) == expect["changes"]
    if "kept_window" in expect:
        assert one.rule.window == Window(**expect["kept_window"])
    if "last_record" in expect:
        assert found[-1].records[-1].kind == expect["last_record"]


def _released(case: Case) -> None:
    book = Book(_rules(case["rules"]), Suppress(inhibitor=case["inhibitor"], from_=OPENED_AT))
    book.close(case["periods"])
    book.close([*case["periods"], *case["more_periods"]])
    assert [each.state.value for each in book.tickets] == ["suppressed"]
    book.inhibitor = None
    book.close([*case["periods"], *case["more_periods"]])
    [one] = book.tickets
    assert (one.state.value, one.close_reason) == (case["expect"]["state"], case["expect"]["reason"])


def _corrected(case: Case) -> None:
    book = Book(_rules(case["rules"]))
    book.close(case["periods"])
    found = book.close(case["corrected"])
    if "more_periods" in case:
        found = book.close([*case["corrected"], *case["more_periods"]])
        assert found[-1].recurs_from == case["expect"]["recurs_from"]
        assert found[-1].ticket.form == "five_why"
    assert [each.state.value for each in book.tickets] == case["expect"]["states"]
    if "note" in case["expect"]:
        assert [each.reason for change in found for each in change.records] == [case["expect"]["note"]]


def _keys(case: Case) -> None:
    one, other = (TicketKey(dimensions="[]", **case[name]) for name in ("a", "b"))
    assert (one.digest == other.digest) is case["expect"]["same_key"]


def _after(found: Ticket, event: tickets.Event, actor: tickets.Actor, at: datetime) -> Ticket:
    result = tickets.transition(found, event, actor=actor, at=at, calendars=calendars())
    assert isinstance(result, tickets.Transition), result
    return result.ticket


def _idle(case: Case) -> None:
    found = _after(ticket(), tickets.Acknowledge(), VENDOR, OPENED_AT + timedelta(hours=1))
    clock = calendars().vendor
    expiry = clock.add_days(OPENED_AT, case["business_days"])
    in_time = tickets.sweep(found, calendars=calendars(), at=expiry)
    assert in_time is None or in_time.ticket.state.value == "acknowledged"
    at = expiry + timedelta(minutes=1)
    result = tickets.sweep(found, calendars=calendars(), at=at)
    assert result is not None
    assert (result.ticket.state.value, result.ticket.level) == (case["expect"]["state"], case["expect"]["level"])
    watch = result.ticket.watch(ClockName.ESCALATION)
    assert watch is not None
    assert watch.started_at == at


def _stale(case: Case) -> None:
    found = ticket()
    planned = tickets.deadlines(found, calendars())
    due_at = next(each.due_at for each in planned if each.name == "acknowledge")
    at = due_at - timedelta(minutes=30)
    moved = _after(found, tickets.Acknowledge(), VENDOR, at)
    assert moved.token != found.token
    result = tickets.sweep(moved, calendars=calendars(), at=due_at + timedelta(minutes=1))
    assert len(result.records if result is not None else ()) == case["expect"]["records"]


def _escalated_clock(case: Case) -> None:
    found = _after(ticket(), tickets.RaiseLevel(level=2, reason="the customer called"), CLIENT, OPENED_AT + timedelta(hours=1))
    assert found.level == case["expect"]["level"]
    for watch in found.watches:
        assert watch.is_running(OPENED_AT + timedelta(hours=2)) is case["expect"]["is_running"]


def _exhausted(case: Case) -> None:
    found = ticket()
    at = OPENED_AT
    records: list[tickets.Record] = []
    for _ in range(200):
        at += timedelta(days=1)
        result = tickets.sweep(found, calendars=calendars(), at=at)
        if result is not None:
            found = result.ticket
            records += result.records
    [last] = [each for each in records if each.kind == "escalation_exhausted"]
    assert last is records[-1]
    assert last.detail["agenda"] == case["expect"]["agenda"]
    assert found.level == found.policy.top_level
    assert found.rounds == case["expect"]["rounds"]
    assert tickets.deadlines(found, calendars()) == ()
    assert tickets.reason_without_deadline(found) is not None


def _submitted() -> Ticket:
    found = _after(ticket(), tickets.Acknowledge(), VENDOR, OPENED_AT + timedelta(hours=1))
    return _after(found, tickets.SubmitPlan(plan=plan()), VENDOR, OPENED_AT + timedelta(hours=2))


def _approve(case: Case) -> None:
    # The author may sit on the client's side too, where a client's person wrote the plan for an in-house team.
    author = tickets.Actor(number=VENDOR.number, side="client")
    at = OPENED_AT + timedelta(hours=3)
    result = tickets.transition(_submitted(), tickets.ApprovePlan(), actor=author, at=at, calendars=calendars())
    assert isinstance(result, tickets.Refusal) is not case["expect"]["allowed"]
    assert isinstance(result, tickets.Refusal)
    assert result.code == case["expect"]["code"]
    assert isinstance(
        tickets.transition(_submitted(), tickets.ApprovePlan(), actor=CLIENT, at=at, calendars=calendars()), tickets.Transition
    )


def _silence(case: Case) -> None:
    found = _submitted()
    last = calendars().client.add_days(OPENED_AT, case["business_days"])
    at = OPENED_AT + timedelta(hours=3)
    told: set[str] = set()
    while at < last:
        at += timedelta(hours=1)
        result = tickets.sweep(found, calendars=calendars(), at=at)
        if result is not None:
            found = result.ticket
            told |= {each.role for each in result.messages if "decide_overdue" in each.topics}
    assert found.state.value == case["expect"]["state"]
    assert sorted(told) == case["expect"]["told"]


def _effectiveness(case: Case) -> None:
    observed = [(index, kind) for index, letter in case["results"].items() for kind in kinds_of(letter)]
    result = plans.effectiveness(observed, need=case["need"])
    assert (result.outcome.value, result.period) == (case["expect"]["outcome"], case["expect"]["at_period"])
    implemented_on = month(case["implemented"] + 1) - timedelta(days=1)
    last = max(case["results"])
    whole = plans.observed_kinds(
        [(month(each), month(each + 1)) for each in range(last + 1)],
        [kind for each in range(last + 1) for kind in kinds_of(case["results"].get(each, "B"))],
        implemented_on,
    )
    assert list(whole) == observed


def _effectiveness_days(case: Case) -> None:
    severity = Severity(case["severity"])
    low, high = plans.EFFECTIVE_DAYS_RANGE[severity]
    assert {"min": low, "max": high} == case["expect"]
    assert low <= policy().effective_days_min[severity] <= high


TICKETS: dict[str, Callable[[Case], None]] = {
    "raise": _raise,
    "raise_again": _raise_again,
    "released": _released,
    "corrected": _corrected,
    "keys": _keys,
    "idle": _idle,
    "stale": _stale,
    "escalated_clock": _escalated_clock,
    "exhausted": _exhausted,
    "approve": _approve,
    "silence": _silence,
    "effectiveness": _effectiveness,
    "effectiveness_days": _effectiveness_days,
}


def test_a_ticket_born_under_an_inhibitor_is_announced_when_it_is_released_and_still_in_breach() -> None:
    suppressed = opened(inhibitor=Suppress(inhibitor="outage", from_=OPENED_AT))
    assert suppressed.messages == ()
    until = OPENED_AT + timedelta(days=2)
    result = tickets.transition(
        suppressed.ticket, tickets.Release(until=until, is_breaching=True), actor=tickets.SYSTEM, at=until, calendars=calendars()
    )
    assert isinstance(result, tickets.Transition)
    assert {each.topics for each in result.messages} == {("opened",)}
