"""From a value to an amount: lines, bands, units and tiers, at their corners and between them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from contracts.curve import Curve, draw
from contracts.errors import CannotCompute
from contracts.reading import read


def curve(text: str) -> Curve:
    return read(text.encode(), Curve, name="curve.yaml").required()


def amount(text: str, value: str, **levels: int) -> Fraction | None:
    return draw(curve(text), Fraction(Decimal(value)), {name: Fraction(level) for name, level in levels.items()}).amount


@pytest.mark.parametrize(("value", "gives"), [("89.99", 0), ("90", 50), ("92.5", Fraction("62.5")), ("100", 100), ("120", 100)])
def test_a_line_joins_its_corners_and_goes_on_level(value: str, gives: int | Fraction) -> None:
    assert amount("line: [[90, 50], [95, 75], [100, 100]]\nbelow: 0\n", value) == gives


def test_a_corner_given_twice_is_a_cliff_at_which_the_later_one_holds() -> None:
    text = "line: [[0, 0], [50, 10], [50, 60], [100, 100]]\n"
    assert [amount(text, value) for value in ("49.9", "50", "75")] == [Fraction("9.98"), 60, 80]


def test_a_line_follows_the_levels_it_names_and_says_when_one_is_missing() -> None:
    text = "line: [[floor, 0], [target, 100]]\n"
    assert amount(text, "91", floor=90, target=95) == 20
    assert amount(text, "92", floor=92, target=96) == 0
    with pytest.raises(CannotCompute, match="floor"):
        amount(text, "91", target=95)


@pytest.mark.parametrize(("counting", "units"), [("pro_rata", Fraction("2.6")), ("full", 2), ("started", 3)])
def test_the_same_shortfall_is_two_or_two_and_six_tenths_or_three_units(counting: str, units: int | Fraction) -> None:
    assert amount(f"each: {{below: 99, give: 1, counting: {counting}}}\n", "96.4") == units


def test_units_are_counted_on_exact_numbers() -> None:
    # In binary floating point (99.9 - 99.6) / 0.1 is a little more than 3.
    assert amount("each: {below: 99.9, unit: 0.1, give: 1, counting: started}\n", "99.6") == 3


def test_an_end_belongs_to_a_band_or_does_not() -> None:
    text = "steps: [{less_than: 10, give: 1}, {at_least: 10, at_most: 20, give: 2}, {more_than: 20, give: 3}]\n"
    assert [amount(text, value) for value in ("9.999", "10", "20", "20.001")] == [1, 2, 2, 3]


def test_a_value_outside_the_whole_table_lies_in_no_gap() -> None:
    table = curve("steps: [{at_least: 90, less_than: 95, give: 1}, {at_least: 80, less_than: 85, give: 2}]\n")
    assert [draw(table, Fraction(value)).is_beyond for value in (96, 95, 87, 70)] == [True, True, False, True]


def test_limits_hold_on_both_sides() -> None:
    text = "each: {above: 0, give: 10}\nat_most: 52\n"
    assert [amount(text, value) for value in ("3", "5.2", "18")] == [30, 52, 52]


@pytest.mark.parametrize(
    "text",
    [
        "line: []\n", "steps: []\n", "{}\n", "each: {give: 1}\nline: [[0, 0]]\n", "each: {give: 1, unit: 0}\n",
        "each: {give: 1, above: 1, below: 2}\n",
    ],
)
def test_a_curve_that_says_nothing_or_two_things_is_refused(text: str) -> None:
    assert read(text.encode(), Curve, name="curve.yaml").findings
