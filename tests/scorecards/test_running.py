"""The running month: what the rest would have to bring, by counts."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec import structs

from scorecards.running import rest_of
from scorecards.scorecard import KpiResult
from tests.scorecards.scorecard_builders import D, kpi


def percent(right: int, of: int, target: str = "95", **changes: Any) -> KpiResult:
    """A share of counts so far, judged as the contract's boundary says."""
    made = kpi("accuracy", str(D(right) * 100 / D(of)), target, **changes)
    return structs.replace(made, numerator=D(right), denominator=D(of))


def test_the_rest_of_the_month_needs_what_the_target_lacks_at_the_expected_volume() -> None:
    # 940 of 1 000 in ten days; two thousand more are expected in twenty. 95 % of 3 000 is 2 850, so 1 910 of 2 000 have to be right.
    rest = rest_of(percent(940, 1000), days_gone=10, days_left=20, times=100)
    assert (rest.outlook, rest.volume, rest.count, rest.rate) == ("behind", Fraction(2000), Fraction(1910), Fraction("95.5"))


def test_a_share_above_target_is_on_course_and_says_how_much_room_there_is() -> None:
    rest = rest_of(percent(970, 1000), days_gone=10, days_left=20, times=100)
    assert (rest.outlook, rest.count, rest.rate) == ("on_course", Fraction(1880), Fraction(94))


def test_what_no_rest_can_mend_is_impossible_and_what_none_can_spoil_is_safe() -> None:
    assert rest_of(percent(700, 1000), days_gone=25, days_left=5, times=100).outlook == "impossible"
    assert rest_of(percent(1000, 1000, "80"), days_gone=25, days_left=5, times=100).outlook == "safe"
    assert rest_of(percent(90, 1000, "1", better="lower"), days_gone=25, days_left=5, times=100).outlook == "impossible"
    assert rest_of(percent(0, 1000, "20", better="lower"), days_gone=25, days_left=5, times=100).outlook == "safe"


def test_on_the_last_day_the_verdict_is_final() -> None:
    assert rest_of(percent(950, 1000), days_gone=30, days_left=0, times=100).outlook == "safe"
    assert rest_of(percent(949, 1000), days_gone=30, days_left=0, times=100).outlook == "impossible"


def test_a_sum_of_failures_has_room_left_a_day_and_is_never_safe_before_the_end() -> None:
    so_far = structs.replace(kpi("outages", "3", "10", better="lower"), numerator=D(3), denominator=None, unit="count")
    rest = rest_of(so_far, days_gone=20, days_left=10)
    assert (rest.outlook, rest.count, rest.rate) == ("on_course", Fraction(7), Fraction(7, 10))
    over = structs.replace(so_far, numerator=D(11))
    assert rest_of(over, days_gone=20, days_left=10).outlook == "impossible"
    strict = structs.replace(so_far, numerator=D(9), boundary="less_than")
    assert rest_of(strict, days_gone=20, days_left=10).count == 0


def test_a_mean_needs_a_mean_of_the_rest() -> None:
    # 80 s a contact over 1 000 contacts; the target is 78 s, and 500 more are expected: 78 × 1 500 − 80 000 leaves 37 000, 74 s each.
    slow = structs.replace(kpi("aht", "80", "78", better="lower"), unit="seconds", numerator=D(80_000), denominator=D(1000))
    rest = rest_of(slow, days_gone=20, days_left=10)
    assert (rest.outlook, rest.volume, rest.rate) == ("behind", Fraction(500), Fraction(74))


@pytest.mark.parametrize("changes", [{"target": None}, {"numerator": None}, {"better": "inside"}])
def test_without_counts_or_a_target_nothing_is_reckoned(changes: dict[str, Any]) -> None:
    assert rest_of(structs.replace(percent(1, 2), **changes), days_gone=1, days_left=29, times=100).outlook == "unknown"


@given(
    right=some.integers(0, 400),
    wrong=some.integers(0, 400),
    target=some.integers(1, 99),
    gone=some.integers(1, 30),
    left=some.integers(1, 30),
    boundary=some.sampled_from(["at_least", "more_than", "at_most", "less_than"]),
)
def test_the_count_that_is_asked_for_is_just_enough(right: int, wrong: int, target: int, gone: int, left: int, boundary: str) -> None:
    """With that many the whole period meets its target; with one fewer (one more, where less is better) it does not."""
    of = right + wrong
    if of == 0:
        return
    better = "higher" if boundary in ("at_least", "more_than") else "lower"
    result = percent(right, of, str(target), better=better, boundary=boundary)
    rest = rest_of(result, days_gone=gone, days_left=left, times=100)
    assert rest.volume is not None
    assert rest.count is not None

    def is_met(more: Fraction) -> bool:
        share, goal = 100 * (right + more), target * (of + Fraction(rest.volume or 0))
        return {"at_least": share >= goal, "more_than": share > goal, "at_most": share <= goal, "less_than": share < goal}[boundary]

    step = -1 if better == "higher" else 1
    if rest.outlook == "safe":
        assert is_met(Fraction(0) if better == "higher" else rest.volume)
    else:
        assert not is_met(rest.count + step)
        if rest.outlook != "impossible":
            assert is_met(rest.count)
            assert 0 <= rest.count <= rest.volume
        else:
            assert not is_met(rest.volume if better == "higher" else Fraction(0))
