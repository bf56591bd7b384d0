"""Adding many exact numbers at once gives what adding them one by one gives."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from scorecards.adding import total


@given(st.lists(st.fractions()))
def test_the_sum_is_exact_in_any_order(numbers: list[Fraction]) -> None:
    expected = Fraction(0)
    for number in numbers:
        expected += number
    assert total(numbers) == expected
    assert total(reversed(numbers)) == expected
