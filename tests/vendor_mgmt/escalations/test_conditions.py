from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.vendor_mgmt.escalations.builders import kinds_of
from vendor_mgmt.escalations import conditions
from vendor_mgmt.escalations.conditions import Condition, EventKind, Flapping, PeriodKind, State, Window, evaluate, events

windows = st.integers(1, 5).flatmap(
    lambda n: st.builds(lambda m, clear: Window(open_m=m, open_n=n, clear_n=clear), st.integers(1, n), st.integers(1, 4))
)
letters = st.lists(st.sampled_from(list(PeriodKind)), max_size=40)


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ({"open_m": 3, "open_n": 2}, "opens at 3 of 2"),
        ({"open_m": 0, "open_n": 2}, "opens at 0 of 2"),
        ({"clear_n": 0}, "clears after 0"),
    ],
)
def test_a_window_that_cannot_be_met_is_refused(window: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Window(**window)


@given(letters, windows)
def test_excluded_and_missing_periods_neither_break_nor_extend_anything(series: list[PeriodKind], window: Window) -> None:
    judged = [kind for kind in series if kind.is_evaluated]
    with_gaps, steps = evaluate(series, window)
    without, bare = evaluate(judged, window)
    assert with_gaps == without
    assert [step.event for step in steps if step.kind.is_evaluated] == [step.event for step in bare]
    assert all(step.event is None for step in steps if not step.kind.is_evaluated)


@given(letters, windows)
def test_openings_and_clears_alternate_and_rebreaches_lie_between_them(series: list[PeriodKind], window: Window) -> None:
    is_open = False
    for event in events(series, window):
        assert (event.event is EventKind.OPEN) is not is_open
        is_open = event.event is not EventKind.CLEAR


@given(letters, letters, windows)
def test_what_happened_is_not_changed_by_later_periods(first: list[PeriodKind], later: list[PeriodKind], window: Window) -> None:
    assert evaluate([*first, *later], window)[1][: len(first)] == evaluate(first, window)[1]


@given(letters, windows)
def test_a_condition_opens_on_a_breach_and_clears_on_a_good_period_only(series: list[PeriodKind], window: Window) -> None:
    for event in events(series, window):
        assert series[event.index] is (PeriodKind.GOOD if event.event is EventKind.CLEAR else PeriodKind.BREACH)


@given(letters, windows)
def test_an_opening_has_its_m_breaches_among_the_last_n_judged_periods(series: list[PeriodKind], window: Window) -> None:
    for event in events(series, window):
        if event.event is EventKind.OPEN:
            judged = [kind for kind in series[: event.index + 1] if kind.is_evaluated]
            assert judged[-window.open_n :].count(PeriodKind.BREACH) >= window.open_m


@given(letters, windows)
def test_a_clear_follows_its_n_good_periods_in_a_row(series: list[PeriodKind], window: Window) -> None:
    for event in events(series, window):
        if event.event is EventKind.CLEAR:
            judged = [kind for kind in series[: event.index + 1] if kind.is_evaluated]
            assert judged[-window.clear_n :] == [PeriodKind.GOOD] * window.clear_n


@given(st.lists(st.sampled_from([PeriodKind.EXCLUDED, PeriodKind.MISSING]), max_size=30), windows)
def test_a_series_nobody_measured_is_never_a_breach(series: list[PeriodKind], window: Window) -> None:
    assert evaluate(series, window)[0] == Condition()


def test_inside_the_hysteresis_band_nothing_clears_and_the_count_of_good_periods_starts_again() -> None:
    window = Window(open_m=1, open_n=1, clear_n=2)
    condition, steps = evaluate(kinds_of("BGHGH"), window)
    assert condition.state is State.RECOVERING
    assert [step.event for step in steps] == [EventKind.OPEN, None, None, None, None]
    assert evaluate(kinds_of("BGHGG"), window)[0].state is State.OK
    assert events(kinds_of("BGHB"), window)[-1].event is EventKind.REBREACH


def test_inside_the_hysteresis_band_nothing_opens() -> None:
    assert evaluate(kinds_of("HHHH"), Window(open_m=1, open_n=1))[0].state is State.OK


def test_the_breaches_of_a_cleared_episode_do_not_help_to_open_the_next() -> None:
    window = Window(open_m=2, open_n=3, clear_n=1)
    assert evaluate(kinds_of("BBGB"), window)[0].state is State.PENDING
    assert [each.index for each in events(kinds_of("BBGBB"), window)] == [1, 2, 4]


class ConditionMachine(RuleBasedStateMachine):
    """Periods arrive in order, and earlier ones are corrected: the answer is always that of the series as it now stands."""

    @initialize(window=windows)
    def begin(self, window: Window) -> None:
        self.window = window
        self.series: list[PeriodKind] = []
        self.condition = Condition()

    @rule(kind=st.sampled_from(list(PeriodKind)))
    def period_closes(self, kind: PeriodKind) -> None:
        self.series.append(kind)
        self.condition, _ = conditions.step(self.condition, kind, self.window)

    @rule(data=st.data(), kind=st.sampled_from(list(PeriodKind)))
    def period_is_corrected(self, data: st.DataObject, kind: PeriodKind) -> None:
        if self.series:
            self.series[data.draw(st.integers(0, len(self.series) - 1))] = kind
            self.condition, _ = evaluate(self.series, self.window)

    @invariant()
    def the_condition_is_that_of_the_series(self) -> None:
        if hasattr(self, "window"):
            assert self.condition == evaluate(self.series, self.window)[0]

    @invariant()
    def no_more_is_remembered_than_the_window_needs(self) -> None:
        if hasattr(self, "window"):
            assert len(self.condition.seen) <= self.window.open_n
            assert self.condition.good_run < self.window.clear_n
            assert (self.condition.good_run > 0) is (self.condition.state is State.RECOVERING) or self.condition.good_run == 0


TestConditionMachine = ConditionMachine.TestCase

states = st.lists(st.booleans(), min_size=2, max_size=30)


@given(states)
def test_restlessness_lies_between_nothing_and_everything(series: list[bool]) -> None:
    percent = conditions.percent_state_change(series)
    assert 0 <= percent <= 100
    assert (percent == 0) is (len(set(series)) == 1)


@given(st.integers(2, 30))
def test_a_series_that_always_changes_is_wholly_restless(length: int) -> None:
    assert conditions.percent_state_change([bool(each % 2) for each in range(length)]) == 100


@given(st.integers(3, 30), st.data())
def test_a_newer_change_weighs_more(length: int, data: st.DataObject) -> None:
    older = data.draw(st.integers(1, length - 2))
    newer = data.draw(st.integers(older + 1, length - 1))
    assert conditions.percent_state_change([each >= older for each in range(length)]) < conditions.percent_state_change(
        [each >= newer for each in range(length)]
    )


@pytest.mark.parametrize("length", [0, 1])
def test_nothing_changes_in_a_series_without_neighbours(length: int) -> None:
    assert conditions.percent_state_change([True] * length) == 0


def test_two_neighbours_that_differ_are_wholly_restless() -> None:
    assert conditions.percent_state_change([True, False]) == 100


def test_flapping_limits_that_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match="the first must be the lower"):
        Flapping(low=Fraction(30), high=Fraction(30))
    with pytest.raises(ValueError, match="two or more"):
        Flapping(periods=1)
