from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition
from hypothesis.stateful import rule as step

from tests.vendor_mgmt.escalations.builders import CLIENT, OPENED_AT, VENDOR, calendars, month, observation, plan, policy, rule, series
from vendor_mgmt.escalations import raising, tickets
from vendor_mgmt.escalations.conditions import State, Window, evaluate
from vendor_mgmt.escalations.raising import Change, Known
from vendor_mgmt.escalations.rules import Observation, RuleKind, RuleParameters, Series, Severity, TicketKey, canonical_dimensions, kinds
from vendor_mgmt.escalations.tickets import SYSTEM, Suppress, Transition

letters = st.text("GBHXU", max_size=14)
windows = st.integers(1, 3).flatmap(
    lambda n: st.builds(lambda m, clear: Window(open_m=m, open_n=n, clear_n=clear), st.integers(1, n), st.integers(1, 3))
)


class Book:
    """The stored tickets of one key, as a database would keep them."""

    def __init__(self, found: RuleParameters) -> None:
        self.rule = found
        self.known: list[Known] = []
        self.at = OPENED_AT
        self.inhibitor: Suppress | None = None

    def close(self, of: str | Series) -> tuple[Change, ...]:
        self.at += timedelta(days=1)
        found = raising.changes(
            series(of) if isinstance(of, str) else of,
            self.rule,
            policy(),
            self.known,
            at=self.at,
            calendars=calendars(),
            inhibitor=self.inhibitor,
        )
        for change in found:
            self.write(change)
        return found

    def write(self, change: Change) -> None:
        facts = raising.facts_of(change.records)
        if change.id is None:
            self.known.append(Known(id=len(self.known), ticket=change.ticket, facts=facts))
        else:
            self.known[change.id] = Known(id=change.id, ticket=change.ticket, facts=(*self.known[change.id].facts, *facts))

    def act(self, event: tickets.Event, actor: tickets.Actor) -> None:
        for known in self.known:
            if known.ticket.state.is_open:
                result = tickets.transition(known.ticket, event, actor=actor, at=self.at, calendars=calendars())
                if isinstance(result, Transition):
                    self.write(Change(id=known.id, ticket=result.ticket, records=result.records, messages=()))
                return

    @property
    def states(self) -> list[str]:
        return [each.ticket.state.value for each in self.known]


@given(letters, windows)
@settings(deadline=None)
def test_closing_twice_changes_nothing(periods: str, window: Window) -> None:
    book = Book(rule(clear_level="clear", window=window))
    book.close(periods)
    assert book.close(periods) == ()


@given(letters, windows)
@settings(deadline=None)
def test_months_closed_one_by_one_or_all_at_once_lead_to_the_same_tickets(periods: str, window: Window) -> None:
    one_by_one, at_once = Book(rule(clear_level="clear", window=window)), Book(rule(clear_level="clear", window=window))
    for length in range(1, len(periods) + 1):
        one_by_one.close(periods[:length])
    at_once.close(periods)

    def essence(book: Book) -> list[tuple[Any, ...]]:
        return [
            (one.state, one.level, one.recurrence, one.period_from, one.closed_period_from, each.facts)
            for each in book.known
            for one in [each.ticket]
        ]

    assert essence(one_by_one) == essence(at_once)


@given(letters, letters, windows)
@settings(deadline=None)
def test_after_a_correction_no_open_ticket_rests_on_a_month_that_is_no_breach(first: str, corrected: str, window: Window) -> None:
    length = min(len(first), len(corrected))
    found = rule(clear_level="clear", window=window)
    book = Book(found)
    book.close(first[:length])
    book.close(corrected[:length])
    breaches = {month(index) for index, letter in enumerate(corrected[:length]) if letter == "B"}
    for known in book.known:
        if known.ticket.state.is_open:
            held = {each.period_from for each in known.facts if each.kind in ("opened", "recurred", "continued", "reopened")}
            held -= {each.period_from for each in known.facts if each.kind == "withdrawn"} - breaches
            assert held
            assert held <= breaches


@given(letters, windows)
@settings(deadline=None)
def test_a_running_problem_has_a_ticket_and_without_one_nothing_opens_by_itself(periods: str, window: Window) -> None:
    found = rule(clear_level="clear", window=window)
    book = Book(found)
    book.close(periods)
    condition, _ = evaluate(kinds(series(periods).observations, found), window)
    assert ("opened" in book.states) is condition.state.is_active or condition.state is State.OK


def test_a_correction_back_and_forth_leaves_its_whole_history_and_one_open_ticket() -> None:
    book = Book(rule())
    for periods in ("B", "G", "B", "G", "B"):
        book.close(periods)
    assert book.states == ["cancelled", "cancelled", "opened"]


def test_a_month_that_arrives_late_keeps_its_own_date() -> None:
    book = Book(rule(window=Window(open_m=1, open_n=1, clear_n=2)))
    book.close("GU")
    book.close("BU")
    assert [each.ticket.period_from for each in book.known] == [month(0)]


def test_relief_granted_later_takes_the_breach_away_and_says_why() -> None:
    book = Book(rule())
    book.close("B")
    [change] = book.close("X")
    assert [each.reason for each in change.records] == ["relief was granted", "relief was granted"]
    assert book.states == ["cancelled"]


def test_a_correction_of_the_month_that_closed_a_ticket_opens_it_again() -> None:
    book = Book(rule(window=Window(open_m=1, open_n=1, clear_n=1)))
    book.close("GBG")
    assert book.states == ["closed"]
    book.close("GBB")
    assert book.states == ["opened"]
    assert book.known[0].facts[-1].kind == "reopened"


@pytest.mark.parametrize("corrected", ["BGH", "BHG", "BGX", "BUG"])
def test_a_ticket_that_closed_on_months_which_were_not_good_is_open_again_at_the_same_level(corrected: str) -> None:
    book = Book(rule(clear_level="clear"))
    book.close("BGG")
    assert book.states == ["closed"]
    [change] = book.close(corrected)
    assert [(each.kind, each.reason) for each in change.records] == [("reopened", "the months it closed on were corrected")]
    assert (book.states, change.ticket.level, change.ticket.recurrence) == (["opened"], 1, 0)
    assert book.close(corrected) == ()


def test_a_clear_that_a_correction_moves_before_a_later_breach_is_no_news() -> None:
    book = Book(rule(window=Window(open_m=1, open_n=1, clear_n=1)))
    for periods in ("GBBG", "GBGG", "GBGGB"):
        book.close(periods)
    assert book.states == ["opened"]
    assert book.close("GBGGB") == ()


def test_what_a_person_cancelled_stays_cancelled_until_the_problem_has_eased() -> None:
    book = Book(rule(window=Window(open_m=1, open_n=1, clear_n=2)))
    book.close("B")
    book.act(tickets.Cancel(reason="handled in the board"), CLIENT)
    assert book.close("BB") == ()
    book.close("BBGB")
    assert book.states == ["cancelled", "opened"]


def test_a_stricter_rule_does_not_judge_the_months_up_to_the_last_one_on_record() -> None:
    book = Book(rule(window=Window(open_m=2, open_n=2, clear_n=1)))
    book.close("BGBBG")
    assert book.states == ["closed"]
    book.rule = rule(window=Window(open_m=1, open_n=1, clear_n=1))
    assert book.close("BGBBG") == ()
    book.close("BGBBGGGB")
    assert len(book.known) == 2


def test_a_rule_reaches_back_no_further_than_its_first_day() -> None:
    book = Book(rule(since=month(2)))
    assert book.close("BG") == ()
    book.close("BBB")
    assert [each.ticket.period_from for each in book.known] == [month(2)]


def test_a_missed_floor_makes_the_same_ticket_critical() -> None:
    found = rule(worse={"floor": Severity.CRITICAL})
    book = Book(found)
    mild = observation(0, "B", met={"target": False, "floor": True})
    grave = observation(1, "B", met={"target": False, "floor": False})
    book.close(series("", observations=(mild,)))
    [change] = book.close(series("", observations=(mild, grave)))
    assert (change.ticket.severity, len(book.known)) == (Severity.CRITICAL, 1)
    assert [each.kind for each in change.records] == ["continued", "worsened"]


def test_a_metric_that_stands_still_is_noticed_by_its_counts() -> None:
    found = rule(name="frozen", kind=RuleKind.FROZEN, window=Window(open_m=2, open_n=2, clear_n=1))
    same = tuple(observation(index, "G", counts=(950, 1000)) for index in range(3))
    moving = tuple(observation(index, "G", counts=(950 + index, 1000)) for index in range(3))
    assert Book(found).close(series("", observations=moving)) == ()
    [change] = Book(found).close(series("", observations=same))
    assert change.ticket.period_from == month(2)


@pytest.mark.parametrize("status", ["no_volume", "not_measured", "accumulating", "relieved"])
def test_only_a_month_for_which_nothing_came_is_missing(status: Any) -> None:
    found = rule(name="late", kind=RuleKind.MISSING, window=Window(open_m=1, open_n=1, clear_n=1))
    assert Book(found).close(series("", observations=(Observation(from_=month(0), until=month(1), status=status),))) == ()
    assert len(Book(found).close("U")) == 1


def test_a_plan_that_proved_effective_closes_the_ticket_in_the_month_that_decided() -> None:
    book = Book(rule())
    book.close("GGB")  # March 2026
    book.act(tickets.Acknowledge(), VENDOR)
    book.act(tickets.SubmitPlan(plan=plan()), VENDOR)
    book.act(tickets.ApprovePlan(), CLIENT)
    book.act(tickets.StartWork(), VENDOR)
    book.act(tickets.ActionDone(index=0, done_on=date(2026, 4, 7), evidence="case 4711"), VENDOR)
    book.act(tickets.Implement(), VENDOR)
    book.close("GGBGGXG")
    assert book.states == ["effectiveness_check"]
    book.at = datetime(2026, 9, 3, tzinfo=OPENED_AT.tzinfo)
    book.close("GGBGGXGG")
    assert book.states == ["closed"]
    assert book.known[0].ticket.closed_period_from == month(7)


def test_the_same_dimensions_in_another_order_or_spelling_are_the_same_place() -> None:
    one = canonical_dimensions({"language": "pt", "workstream": "Moderação"})
    other = canonical_dimensions({"workstream": "Moderac\u0327a\u0303o ", "language": "pt", "market": ""})
    assert one == other


@given(st.lists(st.text(max_size=6), min_size=5, max_size=5), st.lists(st.text(max_size=6), min_size=5, max_size=5))
def test_two_keys_have_one_digest_only_if_they_are_equal(one: list[str], other: list[str]) -> None:
    names = ("contract", "site", "dimensions", "kpi", "rule")
    keys = [TicketKey(**dict(zip(names, parts, strict=True))) for parts in (one, other)]
    assert (keys[0].digest == keys[1].digest) is (one == other)


class RaisingMachine(RuleBasedStateMachine):
    """Months close, are corrected, go missing; outages come and go; people act; processes restart and close again."""

    @initialize(window=windows)
    def begin(self, window: Window) -> None:
        self.book = Book(rule(clear_level="clear", window=window))
        self.periods = ""

    @step(letter=st.sampled_from("GGBBHXU"))
    def a_month_closes(self, letter: str) -> None:
        if len(self.periods) < 20:
            self.periods += letter
        self.book.close(self.periods)

    @precondition(lambda self: bool(getattr(self, "periods", None)))
    @step(data=st.data(), letter=st.sampled_from("GBHXU"))
    def a_month_is_corrected(self, data: st.DataObject, letter: str) -> None:
        index = data.draw(st.integers(0, len(self.periods) - 1))
        self.periods = self.periods[:index] + letter + self.periods[index + 1 :]
        self.book.close(self.periods)

    @step()
    def an_outage_begins(self) -> None:
        self.book.inhibitor = Suppress(inhibitor="outage", from_=self.book.at)
        self.book.close(self.periods)

    @step()
    def the_outage_ends(self) -> None:
        self.book.inhibitor = None
        self.book.close(self.periods)

    @step(
        done=st.sampled_from(
            [
                (tickets.Acknowledge(), VENDOR),
                (tickets.SubmitPlan(plan=plan()), VENDOR),
                (tickets.ApprovePlan(), CLIENT),
                (tickets.StartWork(), VENDOR),
                (tickets.Cancel(reason="duplicate"), CLIENT),
                (tickets.EndScope(reason="the KPI was retired"), SYSTEM),
                (tickets.RaiseLevel(level=3, reason="it spreads"), CLIENT),
            ]
        )
    )
    def somebody_acts(self, done: tuple[tickets.Event, tickets.Actor]) -> None:
        self.book.act(*done)

    @invariant()
    def there_is_never_a_second_open_ticket(self) -> None:
        if hasattr(self, "book"):
            assert sum(each.ticket.state.is_open for each in self.book.known) <= 1

    @invariant()
    def closing_again_changes_nothing(self) -> None:
        if hasattr(self, "book"):
            assert self.book.close(self.periods) == ()

    @invariant()
    def a_ticket_is_suppressed_while_an_outage_lasts_and_at_no_other_time(self) -> None:
        if hasattr(self, "book"):
            for each in self.book.known:
                if each.ticket.state.is_open:
                    assert (each.ticket.state.value == "suppressed") is (self.book.inhibitor is not None)

    @invariant()
    def an_opened_problem_that_still_runs_is_not_without_a_ticket(self) -> None:
        if hasattr(self, "book"):
            condition, _ = evaluate(kinds(series(self.periods).observations, self.book.rule), self.book.rule.window)
            ended_by_people = any(each.ticket.is_ended_by_decision for each in self.book.known)
            inhibited = any(each.ticket.close_reason == "cleared while inhibited" for each in self.book.known)
            if condition.state.is_active and not ended_by_people and not inhibited:
                assert any(each.ticket.state.is_open for each in self.book.known)


TestRaisingMachine = RaisingMachine.TestCase
TestRaisingMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
