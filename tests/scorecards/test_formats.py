from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecards import formats
from scorecards.formats import THIN
from scorecards.wording import Words

EN, ES = Words("en"), Words("es")
D = Decimal
decimals = st.decimals(min_value=-(10**12), max_value=10**12, places=4)


@pytest.mark.parametrize(
    ("value", "english", "spanish"),
    [
        ("1234.5", "1,234.5", "1234,5"),
        ("1234567.891", "1,234,567.89", f"1{THIN}234{THIN}567,89"),
        ("0", "0", "0"),
        ("-0.004", "0", "0"),
        ("95.10", "95.1", "95,1"),
    ],
)
def test_a_number_follows_the_readers_language(value: str, english: str, spanish: str) -> None:
    assert formats.number(D(value), "en") == english
    assert formats.number(D(value), "es") == spanish


def test_a_negative_number_has_a_real_minus_sign() -> None:
    assert formats.number(D("-3.5"), "en") == "−3.5"
    assert formats.number(D("3.5"), "en", sign=True) == "+3.5"


def test_an_unknown_value_is_a_dash_and_never_a_nought() -> None:
    assert formats.number(None, "en") == "–"
    assert formats.money(None, "EUR", "en") == "–"
    assert formats.quantity(None, "percent", EN) == "–"
    assert formats.difference(D(5), None, "percent", EN) == "–"


def test_a_miss_by_a_hair_never_looks_like_a_hit() -> None:
    assert formats.quantity(D("94.996"), "percent", EN, beside=[D(95)]) == f"94.996{THIN}%"
    assert formats.quantity(D("94.99999999"), "percent", EN, beside=[D(95)]) == f"94.99999999{THIN}%"
    assert formats.quantity(D("95"), "percent", EN, beside=[D(95)]) == f"95{THIN}%"


@given(value=decimals, target=decimals)
def test_two_values_that_differ_are_never_shown_alike(value: Decimal, target: Decimal) -> None:
    if value != target:
        shown = formats.number(value, "en", beside=[target])
        assert shown != formats.number(target, "en", most=8)


@given(value=decimals)
def test_a_shown_number_reads_back_to_the_rounded_one(value: Decimal) -> None:
    shown = formats.number(value, "en", most=2)
    assert Decimal(shown.replace(",", "").replace("−", "-")) == formats.rounded(value, 2)


@given(value=decimals)
def test_a_distance_that_is_not_nought_is_not_shown_as_nought(value: Decimal) -> None:
    if value:
        assert formats.difference(value, D(0), "percent", EN)[:2] not in {"0 ", "0\N{NARROW NO-BREAK SPACE}"}


def test_percentages_differ_by_points_not_by_percent() -> None:
    assert formats.difference(D("93.5"), D(95), "percent", EN) == f"−1.5{THIN}pp"
    assert formats.difference(D(391), D(380), "seconds", EN) == f"+11{THIN}s"


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("1204000", "PHP", "PHP\xa01,204,000.00"),
        ("1204000", "JPY", "JPY\xa01,204,000"),
        ("12.5", "KWD", "KWD\xa012.500"),
        ("-5", "EUR", "EUR\xa0−5.00"),
        ("9876543210.12", "IDR", "IDR\xa09,876,543,210.12"),
    ],
)
def test_money_has_its_currency_and_that_currencys_minor_units(amount: str, currency: str, shown: str) -> None:
    assert formats.money(D(amount), currency, "en") == shown


def test_an_unrounded_step_keeps_its_digits() -> None:
    assert formats.money(D("10.123456"), "EUR", "en", exact=True) == "EUR\xa010.123456"
    assert formats.money(D("0.001"), "EUR", "en") == "EUR\xa00.001"


@pytest.mark.parametrize(
    ("first", "end", "words"),
    [
        (date(2026, 9, 1), date(2026, 10, 1), "September 2026"),
        (date(2026, 12, 1), date(2027, 1, 1), "December 2026"),
        (date(2026, 7, 1), date(2026, 10, 1), "July to September 2026"),
        (date(2026, 1, 1), date(2027, 1, 1), "2026"),
        (date(2026, 10, 5), date(2026, 10, 19), "5 to 18 October 2026"),
        (date(2026, 9, 28), date(2026, 10, 5), "28 September to 4 October 2026"),
        (date(2026, 12, 28), date(2027, 1, 4), "28 December 2026 to 3 January 2027"),
        (date(2026, 10, 5), date(2026, 10, 6), "5 October 2026"),
        (date(2026, 4, 1), date(2027, 4, 1), "1 April 2026 to 31 March 2027"),
    ],
)
def test_a_half_open_period_is_named_by_the_days_inside_it(first: date, end: date, words: str) -> None:
    assert formats.period(first, end, EN) == words


def test_a_moment_is_told_by_the_zones_own_clock() -> None:
    at = datetime(2026, 9, 30, 22, 15, tzinfo=UTC)
    assert formats.moment(at, "Asia/Manila", EN) == "1 October 2026, 06:15 (Asia/Manila, UTC+8)"
    assert formats.moment(at, "Asia/Kolkata", EN) == "1 October 2026, 03:45 (Asia/Kolkata, UTC+5:30)"
    assert formats.moment(at, "America/Bogota", EN) == "30 September 2026, 17:15 (America/Bogota, UTC−5)"


@given(text=st.text(), most=st.integers(min_value=2, max_value=50))
def test_a_shortened_text_is_never_longer_than_asked(text: str, most: int) -> None:
    shown = formats.shortened(text, most)
    assert len(shown) <= most
    assert "\n" not in shown


@given(text=st.text(alphabet=st.characters()))
def test_a_cleaned_text_can_stand_in_a_document(text: str) -> None:
    shown = formats.clean(text)
    shown.encode("utf-8")
    assert not set(shown) & {"\x00", "\u202e", "\u2066", "\ufffe", "\x1b"}


def test_direction_is_the_first_letters() -> None:
    assert formats.is_right_to_left("מרכז Tel Aviv")
    assert formats.is_right_to_left("1 شركة")
    assert not formats.is_right_to_left("Harbour شركة")
    assert not formats.is_right_to_left("123 – !")
