"""Pauses, headers and circuits: what is decided without a peer. RT-… names cases of the collection of public semantics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendor_mgmt.delivery import outcomes

AT = datetime(2026, 4, 6, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(("attempt", "most"), [(0, 1), (10, 60)], ids=["RT-0", "RT-10"])
def test_a_pause_is_random_up_to_a_bound_that_doubles_and_is_capped(attempt: int, most: int) -> None:
    assert outcomes.bound(attempt, base=SECOND, cap=60 * SECOND) == most * SECOND


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_no_pause_is_negative_or_longer_than_its_bound(attempts: int, lot: float) -> None:
    assert timedelta(0) <= outcomes.pause(attempts, lot) <= outcomes.bound(attempts - 1) <= outcomes.CAP


@given(st.integers(1, 20), st.floats(0, 1), st.integers(1, 10_000))
def test_a_pause_the_peer_asks_for_is_never_cut_short(attempts: int, lot: float, seconds: int) -> None:
    asked = timedelta(seconds=seconds)
    assert asked <= outcomes.pause(attempts, lot, asked) <= asked * 1.25


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120", timedelta(seconds=120)),
        (" 7 ", timedelta(seconds=7)),
        ("Mon, 06 Apr 2026 09:05:00 GMT", timedelta(minutes=5)),
        ("Mon, 06 Apr 2026 08:00:00 GMT", None),
        ("0", None),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("9" * 400, outcomes.RETRY_AFTER_MAX),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, expected: timedelta | None) -> None:
    assert outcomes.retry_after(text, AT) == expected


@given(st.text())
def test_no_header_raises(text: str) -> None:
    found = outcomes.retry_after(text, AT)
    assert found is None or found > timedelta(0)


def test_a_peer_that_keeps_failing_is_left_alone_longer_and_longer() -> None:
    assert [outcomes.rest(number) for number in (0, 4)] == [None, None]
    rests = [outcomes.rest(number) for number in range(5, 40)]
    assert rests[:3] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    assert rests[-1] == outcomes.REST_MAX
