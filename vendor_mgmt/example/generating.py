"""Daily counts of the example portfolio from a seed.

Every number is drawn by itself: a draw is SHAKE-256 over seed, site, workstream, language, day and what is drawn, and all that
follows is arithmetic on integers. So a figure depends on nothing but its own key: a new site, a longer span or another order
moves no other figure, and every Python and every machine generates the same rows.

The noise fits the sample. A sampled count is binomial in its sample, so a small site's accuracy scatters more than a large
one's; volumes scatter as arrivals do (Poisson, plus three percent from day to day); services that are steered by the hour, such
as turnaround, have good days and bad days as well. What the counts mean stands in `portfolio.MEASURES`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import isqrt
from typing import NamedTuple

from vendor_mgmt.example import portfolio
from vendor_mgmt.example.portfolio import MONTHS, SEED, Effect, Site, Story, Work, month_start

MILLION = 1_000_000


class Row(NamedTuple):
    """One delivered figure. `language` is empty where a figure is not split by it; `value` is a count, or money as a decimal.

    Two rows that agree in everything but `value` and `known_at` are a figure and its correction.
    """

    site: str
    workstream: str
    language: str
    measure: str
    starts_on: date
    grain: str
    value: int | Decimal
    known_at: datetime


Key = tuple[str, str, str, str, date, str]


def key_of(row: Row) -> Key:
    """What a row is about: everything but its value and the moment it became known."""
    return row[:6]


class _Rate(NamedTuple):
    """A rate where all is well, and how far sites, months and days stray from it to either side."""

    level: int
    site: int = 0
    month: int = 0
    day: int = 0


# Shares are in millionths. The levels lie as far inside the usual targets as the scatter of a month's sample asks for, so that
# a miss is rare where no story stands behind it.
_RATES = {
    "acc": _Rate(973_000, site=4_000, month=2_500),
    "fp_rate": _Rate(15_000, site=3_000, month=1_500),
    "leakage": _Rate(4_500, site=1_000, month=600),
    "overturn": _Rate(53_000, site=8_000, month=4_000),
    "tat_sla": _Rate(973_000, site=5_000, month=3_000, day=14_000),
    "live_tat": _Rate(972_000, site=4_000, month=3_000, day=9_000),
    "fill": _Rate(990_500, site=1_500, month=1_500, day=6_000),
    "sl": _Rate(852_000, site=9_000, month=7_000, day=40_000),
    "aband": _Rate(31_000, site=4_000, month=3_000, day=9_000),
    "csat": _Rate(862_000, site=9_000, month=7_000),
    "fcr": _Rate(785_000, site=8_000, month=5_000, day=12_000),
    # Milliseconds: a wait per answered contact, a handling time per item.
    "asa": _Rate(19_000, site=1_500, month=1_000, day=4_000),
    "aht:product-moderation": _Rate(44_000, site=1_500, month=500, day=900),
    "aht:content-moderation": _Rate(72_000, site=2_500, month=900, day=1_500),
    "aht:merchant-moderation": _Rate(355_000, site=12_000, month=4_000, day=7_000),
    "aht:live-stream-moderation": _Rate(31_000, site=1_000, month=400, day=700),
    "aht:customer-support": _Rate(418_000, site=14_000, month=5_000, day=9_000),
}

_AT_WORK = {
    # Percent of an ordinary weekday on the first and the second day of the weekend. Streams are watched at weekends.
    "product-moderation": (78, 66),
    "content-moderation": (92, 88),
    "merchant-moderation": (34, 22),
    "live-stream-moderation": (128, 136),
    "customer-support": (64, 48),
}
_DAY_OF_WORKING_WEEK = (107, 102, 100, 97, 94)
_SEASON = {11: 110, 12: 114, 1: 96, 2: 95, 7: 97}
"""Percent by calendar month; shopping fills the queues before the year ends."""

_OCCUPANCY_PERCENT = 80
_IN_TROUBLE_BELOW = 945_000
"""A turnaround share, in millionths, at which late items begin to pile up."""

_TRIALS_ONE_BY_ONE = 256
_FEW_ARRIVALS = 20


def rows(today: date, *, seed: str = SEED, vendor: str | None = None) -> list[Row]:
    """Everything the portfolio (or one vendor) ever delivers until `today`, corrections included.

    From the first day of month 0 to the day before `today`; a day's counts become known at 09:00 UTC of the day after, a
    month's charges at 09:00 UTC on its fourth day after. Ordered by day, site, workstream, language, measure, moment.
    """
    made = [
        row
        for work in portfolio.WORK
        if vendor is None or portfolio.site(work.site).vendor == vendor
        for row in _rows_of(work, today, seed)
    ]
    made.sort(key=lambda row: (row.starts_on, row.site, row.workstream, row.language, row.measure, row.known_at))
    return made


def as_known(delivered: Iterable[Row], as_of: datetime) -> list[Row]:
    """The newest row of each figure among those known at `as_of` (that moment included), in their order."""
    newest: dict[Key, Row] = {}
    for row in delivered:
        if row.known_at <= as_of:
            earlier = newest.get(key_of(row))
            if earlier is None or earlier.known_at < row.known_at:
                newest[key_of(row)] = row
    return list(newest.values())


def _rows_of(work: Work, today: date, seed: str) -> Iterator[Row]:
    site = portfolio.site(work.site)
    stories = portfolio.stories_at(work.site, work.workstream)
    day, month = month_start(today, 0), 0
    worked = 0
    while day < today:
        if month < MONTHS and day == month_start(today, month + 1):
            month += 1
            worked = 0
        silent = any(_is_silent(story, month, day) for story in stories)
        for language in work.languages:
            final, first = _versions(work, site, language, day, month, stories, seed)
            worked += final["delivered_minutes"]
            if not silent:
                yield from _day_rows(work, language, day, month, final, first, stories, today)
        following = day + timedelta(days=1)
        if following.day == 1:
            # Whoever loses a feed still sends the invoice: it comes from the vendor's books, not from its reports.
            invoice = Row(work.site, work.workstream, "", "monthly_invoice", day.replace(day=1), "month",
                          _money(worked * work.hourly_rate // 60, site), _at_nine(following.replace(day=4)))  # fmt: skip
            yield invoice
        day = following


def _is_silent(story: Story, month: int, day: date) -> bool:
    if story.silent_from_day is None or month < story.first:
        return False
    return month > story.first or day.day >= story.silent_from_day


def _versions(
    work: Work, site: Site, language: str, day: date, month: int, stories: tuple[Story, ...], seed: str
) -> tuple[dict[str, int], dict[str, int] | None]:
    """A day's counts as they finally stand, and as they were first delivered where that was something else."""
    effects = tuple(effect for story in stories for effect in story.effects)
    wrong = tuple(effect for story in stories for effect in story.first_delivered)
    final = _counts(work, site, language, day, month, effects, seed)
    if not any(month in effect.by_month for effect in wrong):
        return final, None
    return final, _counts(work, site, language, day, month, wrong + effects, seed)


def _day_rows(
    work: Work,
    language: str,
    day: date,
    month: int,
    final: dict[str, int],
    first: dict[str, int] | None,
    stories: tuple[Story, ...],
    today: date,
) -> Iterator[Row]:
    # What stands still from the first month of its story goes on doing so until somebody asks.
    frozen = {name: count for story in stories if month >= story.first for name, count in story.frozen_counts.items()}
    learned = _at_nine(day + timedelta(days=1))
    for measure, count in (final | frozen).items():
        if first is None or first[measure] == count:
            yield Row(work.site, work.workstream, language, measure, day, "day", count, learned)
            continue
        yield Row(work.site, work.workstream, language, measure, day, "day", first[measure], learned)
        corrected_on = next(story.corrected_on_day for story in stories if story.first_delivered)
        corrected_at = _at_nine(month_start(today, month + 1).replace(day=corrected_on))
        yield Row(work.site, work.workstream, language, measure, day, "day", count, corrected_at)


def _at_nine(day: date) -> datetime:
    return datetime.combine(day, time(9), UTC)


def _money(smallest_units: int, site: Site) -> Decimal:
    """An amount of the contract's currency; the yen has no smaller unit."""
    return Decimal(smallest_units) if site.country == "JP" else Decimal(smallest_units).scaleb(-2)


class _Day:
    """Draws for one language of one scope on one day; each draw has a name, and depends on nothing else."""

    def __init__(self, work: Work, site: Site, language: str, day: date, month: int, effects: tuple[Effect, ...], seed: str) -> None:
        self.work, self.site, self.day, self.month = work, site, day, month
        self.effects = effects
        self.scope = f"{seed}/{work.site}/{work.workstream}"
        self._key = f"{self.scope}/{language}/{day.isoformat()}"

    def rate(self, name: str, of: str | None = None) -> int:
        """Today's level of a rate: the story's where there is one, else the healthy one as this site and month have it."""
        healthy = _RATES[of or name]
        planted = self.planted(name)
        if planted is None:
            month = month_key(self.day)
            level = healthy.level
            level += _strays(f"{self.scope}/{name}/site", healthy.site)
            level += _strays(f"{self.scope}/{name}/{month}", healthy.month)
        else:
            level = planted
        # A service far from its level has its bad days too, but never below nothing.
        return max(0, level + _strays(f"{self._key}/{name}/day", min(healthy.day, level)))

    def share(self, name: str) -> int:
        """Today's level of a share, in millionths of the whole."""
        return min(MILLION, self.rate(name))

    def planted(self, name: str) -> int | None:
        for effect in self.effects:
            from_day, until_day = effect.days or (1, 32)
            if effect.rate == name and self.month in effect.by_month and from_day <= self.day.day < until_day:
                return effect.by_month[self.month]
        return None

    def part(self, name: str, whole: int, millionths: int) -> int:
        return successes(f"{self._key}/{name}", whole, millionths)

    def arrivals(self, name: str, mean: int) -> int:
        return arrivals(f"{self._key}/{name}", mean)

    def is_weekend(self) -> bool:
        return self.day.weekday() in self.site.weekend


def _counts(work: Work, site: Site, language: str, day: date, month: int, effects: tuple[Effect, ...], seed: str) -> dict[str, int]:
    draw = _Day(work, site, language, day, month, effects, seed)
    expected = work.languages[language] * rhythm_percent(work, site, day) * _SEASON.get(day.month, 100) // 10_000
    if month < len(work.ramp_percent):
        expected = expected * work.ramp_percent[month] // 100
    volume = draw.arrivals("volume", expected * (draw.planted("volume") or 100) // 100)
    handling_ms = draw.rate("aht", of=f"aht:{work.workstream}")
    counts = _staffing(draw, expected, _RATES[f"aht:{work.workstream}"].level)
    if work.workstream == "customer-support":
        counts |= {"forecast_contacts": _forecast(draw, expected), **_support(draw, volume, handling_ms)}
    else:
        counts |= {"forecast_items": _forecast(draw, expected), **_quality(draw, work)}
        if work.workstream == "live-stream-moderation":
            counts |= _live(draw, volume)
        else:
            counts |= _queue(draw, volume, handling_ms)
    return counts


def rhythm_percent(work: Work, site: Site, day: date) -> int:
    """How much of an ordinary weekday's volume this day of the week brings at this site."""
    if day.weekday() in site.weekend:
        return _AT_WORK[work.workstream][site.weekend.index(day.weekday())]
    # The working week begins on the day after the weekend, be that a Monday or a Sunday.
    return _DAY_OF_WORKING_WEEK[(day.weekday() - site.weekend[1] - 1) % 7]


def _staffing(draw: _Day, expected: int, handling_ms: int) -> dict[str, int]:
    required = expected * handling_ms * 100 // (60_000 * _OCCUPANCY_PERCENT)
    return {"required_minutes": required, "delivered_minutes": draw.part("delivered", required, draw.share("fill"))}


def _forecast(draw: _Day, expected: int) -> int:
    """Locked a month ahead, so one error (at most 4 percent) for all days of the month."""
    error = _strays(f"{draw.scope}/forecast/{month_key(draw.day)}", 40_000)
    return expected * (MILLION + error) // MILLION


def _quality(draw: _Day, work: Work) -> dict[str, int]:
    # The quality team keeps office hours; at the weekend nothing is audited, and that is a zero, not a gap.
    at_work = 0 if draw.is_weekend() else 1
    sample = work.audits_per_day * at_work
    audited = draw.arrivals("audited", sample)
    actions, passes = draw.arrivals("actions", sample), draw.arrivals("passes", sample * 2)
    appeals = draw.arrivals("appeals", min(sample, 14))
    return {
        "decisions_audited": audited,
        "decisions_correct": draw.part("correct", audited, draw.share("acc")),
        "actions_sampled": actions,
        "wrong_actions": draw.part("wrong", actions, draw.share("fp_rate")),
        "passes_sampled": passes,
        "violations_missed": draw.part("leaked", passes, draw.share("leakage")),
        "appeals_decided": appeals,
        "appeals_overturned": draw.part("overturned", appeals, draw.share("overturn")),
    }


def _queue(draw: _Day, volume: int, handling_ms: int) -> dict[str, int]:
    in_time = draw.part("in time", volume, draw.share("tat_sla"))
    handled = draw.part("handled", volume, 996_000)
    # Of what is late, little is still open in the evening when all is well; a queue in trouble carries more of it over.
    late = volume - in_time
    is_in_trouble = (draw.planted("tat_sla") or MILLION) < _IN_TROUBLE_BELOW
    return {
        "items_due": volume,
        "items_in_time": in_time,
        "items_handled": handled,
        "handling_seconds": handled * handling_ms // 1000,
        "backlog_over": draw.part("backlog", late, 90_000 if is_in_trouble else 20_000),
    }


def _live(draw: _Day, volume: int) -> dict[str, int]:
    quick = draw.part("within 60", volume, draw.share("live_tat"))
    first = draw.part("within 15", quick, 520_000)
    second = draw.part("within 30", quick - first, 640_000)
    slow = draw.part("within 120", volume - quick, 780_000)
    return {
        "alerts_received": volume,
        "alerts_0_15s": first,
        "alerts_15_30s": second,
        "alerts_30_60s": quick - first - second,
        "alerts_60_120s": slow,
        "alerts_over_120s": volume - quick - slow,
        "severe_misses": draw.part("severe", 100, 70),
    }


def _support(draw: _Day, offered: int, handling_ms: int) -> dict[str, int]:
    abandoned = draw.part("abandoned", offered, draw.share("aband"))
    at_once = draw.part("abandoned at once", abandoned, 240_000)
    answered = offered - abandoned
    in_threshold = min(answered, draw.part("in threshold", offered - at_once, draw.share("sl")))
    surveys = draw.part("surveys", answered, 70_000)
    return {
        "contacts_offered": offered,
        "contacts_abandoned": abandoned,
        "contacts_abandoned_in_threshold": at_once,
        "contacts_answered": answered,
        "contacts_answered_in_threshold": in_threshold,
        "wait_seconds": answered * draw.rate("asa") // 1000,
        "handling_seconds": answered * handling_ms // 1000,
        "contacts_resolved_first": draw.part("resolved", answered, draw.share("fcr")),
        "csat_answers": surveys,
        "csat_satisfied": draw.part("satisfied", surveys, draw.share("csat")),
    }


def month_key(day: date) -> str:
    return f"{day.year:04}-{day.month:02}"


def words(key: str, count: int) -> tuple[int, ...]:
    """So many numbers from 0 to 65 535, uniform and independent, that only the key decides."""
    return struct.unpack(f">{count}H", hashlib.shake_256(key.encode()).digest(2 * count))


def _strays(key: str, most: int) -> int:
    """A number from -most to most, every one as likely as another."""
    if most == 0:
        return 0
    high, low = words(key, 2)
    return (high << 16 | low) % (2 * most + 1) - most


def _normal(key: str) -> int:
    """A standard normal number in units of 1/65 536, as the sum of twelve uniform ones (its tails end at six)."""
    return (2 * sum(words(key, 12)) - 12 * 65_535) // 2


def successes(key: str, trials: int, millionths: int) -> int:
    """How many of so many independent trials succeed: binomial; by its normal approximation where there are over 256."""
    if trials <= 0 or millionths <= 0:
        return 0
    if trials <= _TRIALS_ONE_BY_ONE:
        below = millionths * 65_536 // MILLION
        return sum(word < below for word in words(key, trials))
    deviation = isqrt(trials * millionths * (MILLION - millionths))  # In millionths of one success.
    drawn = (trials * millionths + deviation * _normal(key) // 65_536 + MILLION // 2) // MILLION
    return min(trials, max(0, drawn))


def arrivals(key: str, mean: int) -> int:
    """How many arrive where so many are expected: Poisson in small numbers, with three percent from day to day in large ones."""
    if mean <= 0:
        return 0
    if mean <= _FEW_ARRIVALS:
        return successes(key, _TRIALS_ONE_BY_ONE, mean * MILLION // _TRIALS_ONE_BY_ONE)
    deviation = isqrt(mean * 65_536 + (mean * 3 * 256 // 100) ** 2)  # In units of 1/256.
    return max(0, (mean * 256 + deviation * _normal(key) // 65_536 + 128) // 256)
