"""Adding exact numbers, many at a time."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction


def total(numbers: Iterable[Fraction]) -> Fraction:
    """The exact sum.  Numbers of one denominator are added first, then sums in pairs.

    One after the other, every addition would reduce a fraction whose denominator has grown by all before it; a
    contract's score is the sum of hundreds of values that were divided by hundreds of different volumes.
    """
    by_denominator: dict[int, int] = {}
    for number in numbers:
        below = number.denominator
        by_denominator[below] = by_denominator.get(below, 0) + number.numerator
    sums = [Fraction(above, below) for below, above in by_denominator.items()]
    while len(sums) > 1:
        rest = sums[-1:] if len(sums) % 2 else []
        sums = [one + other for one, other in zip(sums[::2], sums[1::2], strict=False)] + rest
    return sums[0] if sums else Fraction(0)
