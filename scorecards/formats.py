"""Numbers, money, days and names as people read them: the one place where a figure becomes text.

Nothing here decides anything.  A value that was cut for showing is never used again, and a value that missed its target by a
hair is shown with as many digits as it takes to see that (:func:`apart`).

Thin no-break spaces hold a number and its unit together, a real minus sign stands before negative numbers, and a missing value is
a dash, never a nought.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from zoneinfo import ZoneInfo

from scorecards.wording import Language, Words

THIN = "\N{NARROW NO-BREAK SPACE}"
NO_BREAK = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"

MINOR_UNITS: dict[str, int] = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Decimal places of a currency where they are not two (ISO 4217)."""

_SEPARATORS: dict[Language, tuple[str, str]] = {"en": (".", ","), "es": (",", THIN)}
_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)

# Spoofing and broken files both come from characters nobody can see: controls, direction overrides, non-characters.
_UNSEEN: dict[int, None] = dict.fromkeys(
    (
        *range(0x09),
        *range(0x0B, 0x20),
        *range(0x7F, 0xA0),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        *range(0xD800, 0xE000),
        0xFEFF,
        *range(0xFDD0, 0xFDF0),
        *(plane | low for plane in range(0, 0x110000, 0x10000) for low in (0xFFFE, 0xFFFF)),
    )
)


def clean(text: str) -> str:
    """The text without characters that cannot be seen and may not stand in a document."""
    return text.translate(_UNSEEN)


def spoken(code: str, words: Words) -> str:
    """A code of a document in words: ``content-moderation`` is *Content moderation*; a short one, such as a language, stays as it is."""
    known = words.get(f"part.{code}", "")
    if known or len(code) <= 3:
        return known or clean(code)
    text = clean(code).replace("-", " ").replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def is_right_to_left(text: str) -> bool:
    """Whether the first letter that has a direction runs from right to left."""
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in {"R", "AL"}:
            return True
        if direction == "L":
            return False
    return False


def shortened(text: str, most: int) -> str:
    """The text on one line in at most ``most`` characters, cut at a word where one ends in the last third."""
    text = " ".join(clean(text).split())
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    space = cut.rfind(" ")
    # A combining mark or a joiner left hanging would change the letter before the dots.
    cut = cut[:space] if space > most * 2 // 3 else cut
    while cut and (unicodedata.combining(cut[-1]) or cut[-1] in "\u200c\u200d\ufe0f"):
        cut = cut[:-1]
    return f"{cut.rstrip()}…"


def rounded(value: Decimal, places: int) -> Decimal:
    """The value at so many places, half even, for showing only."""
    return value.quantize(Decimal(1).scaleb(-places), context=_WIDE)


def number(
    value: Decimal | int | None,
    language: Language,
    *,
    least: int = 0,
    most: int = 2,
    sign: bool = False,
    beside: Iterable[Decimal | None] = (),
) -> str:
    """``1,234.5``: at least ``least`` and at most ``most`` places, more only to stay apart from the values ``beside`` it."""
    if value is None:
        return DASH
    value = Decimal(value)
    places = apart(value, beside, most)
    digits = rounded(value, places)
    text = f"{abs(digits):f}"
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0").ljust(least, "0") if places <= most else fraction
    point, group = _SEPARATORS[language]
    # Spanish writes four digits without a gap, and so do we in English tables of counts; five and more are grouped.
    if len(whole) > 4 or (len(whole) == 4 and language == "en"):
        head = len(whole) % 3 or 3
        whole = group.join([whole[:head], *(whole[at : at + 3] for at in range(head, len(whole), 3))])
    shown = f"{whole}{point}{fraction}" if fraction else whole
    if digits < 0:
        return f"{MINUS}{shown}"
    return f"+{shown}" if sign and digits > 0 else shown


def apart(value: Decimal, beside: Iterable[Decimal | None], places: int, most: int = 8) -> int:
    """How many places keep the value different from each of the others, where it is different.

    94.996 beside a target of 95 must not be printed as 95.00: the reader would see a miss that looks like a hit.
    """
    others = [other for other in beside if other is not None and other != value]
    while places < most and any(rounded(value, places) == rounded(other, places) for other in others):
        places += 1
    return places


def quantity(
    value: Decimal | None,
    unit: str,
    words: Words,
    *,
    least: int = 0,
    most: int = 2,
    sign: bool = False,
    beside: Iterable[Decimal | None] = (),
) -> str:
    """A value with its unit: ``95.2 %``, ``24.5 s``, ``1,204``.  An unknown unit stands as the contract writes it."""
    if value is None:
        return DASH
    return _with_unit(number(value, words.language, least=least, most=most, sign=sign, beside=beside), unit_sign(unit, words))


def difference(value: Decimal | None, target: Decimal | None, unit: str, words: Words) -> str:
    """The signed distance from target to value; of two percentages in percentage points."""
    if value is None or target is None:
        return DASH
    gap = value - target
    sign = words("unit.points_of_percent") if unit == "percent" else unit_sign(unit, words)
    # A distance that is not nought must not be shown as nought.
    return _with_unit(number(gap, words.language, most=2, sign=True, beside=(Decimal(0),)), sign)


def unit_sign(unit: str, words: Words) -> str:
    return words.get(f"unit.{unit}", clean(unit))


def _with_unit(text: str, unit: str) -> str:
    return f"{text}{THIN}{unit}" if unit else text


def money(amount: Decimal | None, currency: str, language: Language, *, sign: bool = False, exact: bool = False) -> str:
    """``PHP 12,400.00``: the currency's code and its own minor units.

    ``exact`` shows what a step of a derivation holds before it is rounded, up to six places beyond the minor unit.
    """
    if amount is None:
        return DASH
    places = MINOR_UNITS.get(currency.upper(), 2)
    most = places + 6 if exact else places
    # Above the minor unit an amount is only cut when it must be, so that no cent disappears from an unrounded step.
    return f"{clean(currency)}{NO_BREAK}{number(amount, language, least=places, most=most, sign=sign, beside=(Decimal(0),))}"


def day(value: date, words: Words, *, year: bool = True) -> str:
    """``5 October 2026``."""
    return (
        words("date.day", day=value.day, month=words(f"month.{value.month}"), year=value.year)
        if year
        else words("date.day_of_month", day=value.day, month=words(f"month.{value.month}"))
    )


def short_day(value: date, words: Words) -> str:
    """``5 Oct 2026``, for tables."""
    return words("date.short_day", day=value.day, month=words(f"month_short.{value.month}"), year=value.year)


def month_short(value: date, words: Words) -> str:
    """``Oct``."""
    return words(f"month_short.{value.month}")


def month_and_year(value: date, words: Words) -> str:
    """``October 2026``: the month that a day lies in."""
    return words("date.month", month=words(f"month.{value.month}"), year=value.year)


def period(from_: date, until: date, words: Words) -> str:
    """A half-open span in words: ``September 2026``, ``July to September 2026``, ``2026``, ``5 to 18 October 2026``."""
    last = until - timedelta(days=1)
    if from_.day == 1 and until.day == 1 and from_ < until:
        months = (until.year - from_.year) * 12 + until.month - from_.month
        month = words(f"month.{from_.month}")
        if months == 1:
            return words("date.month", month=month, year=from_.year)
        if months == 12 and from_.month == 1:
            return str(from_.year)
        if from_.year == last.year:
            return words("date.months", first=month, last=words(f"month.{last.month}"), year=last.year)
    if last <= from_:
        return day(from_, words)
    if (from_.year, from_.month) == (last.year, last.month):
        return words("date.days", first=from_.day, last=day(last, words))
    if from_.year == last.year:
        return words("date.days", first=day(from_, words, year=False), last=day(last, words))
    return words("date.days", first=day(from_, words), last=day(last, words))


def short_span(from_: date, until: date, words: Words) -> str:
    """A half-open span for tables, its last day inside: ``3 to 5 Sep 2026``."""
    last = until - timedelta(days=1)
    if last <= from_:
        return short_day(from_, words)
    if (from_.year, from_.month) == (last.year, last.month):
        return words("date.days", first=from_.day, last=short_day(last, words))
    return words("date.days", first=short_day(from_, words), last=short_day(last, words))


def moment(value: datetime, zone: str, words: Words) -> str:
    """``1 October 2026, 06:15 (Asia/Manila, UTC+8)``: the wall clock of the zone, and how far it is from UTC."""
    local = value.astimezone(ZoneInfo(zone))
    return words("date.moment", day=day(local.date(), words), time=f"{local:%H:%M}", zone=zone, offset=_offset(local))


def short_moment(value: datetime, zone: str, words: Words) -> str:
    """``1 Oct 2026, 06:15`` by the zone's wall clock, where the zone is named elsewhere on the page."""
    local = value.astimezone(ZoneInfo(zone))
    return words("date.short_moment", day=short_day(local.date(), words), time=f"{local:%H:%M}")


def brief_moment(value: datetime, zone: str, words: Words) -> str:
    """``1 Oct, 06:15`` for narrow columns; the year stands in the head of the document."""
    local = value.astimezone(ZoneInfo(zone))
    month = words("date.short_day_of_month", day=local.day, month=words(f"month_short.{local.month}"))
    return words("date.short_moment", day=month, time=f"{local:%H:%M}")


def _offset(local: datetime) -> str:
    offset = local.utcoffset() or timedelta(0)
    minutes = int(offset.total_seconds()) // 60
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else MINUS}{hours}" + (f":{rest:02}" if rest else "")
