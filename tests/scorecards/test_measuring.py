"""What must hold of every way of measuring: order and grouping of what was delivered say nothing, and a cut loses nothing."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.business_time import Calendar, Pause, clock
from contracts.document import Contract
from contracts.period import Period
from contracts.reading import read
from scorecards.evaluating import Evaluation, Version, evaluate_rows, version_of
from scorecards.events import Event, count
from scorecards.measurement import Relief, Row
from scorecards.measuring import percentile_of
from scorecards.scorecard import to_json

MANY = """
contract: many
title: Every way of measuring
vendor: v
in_force: {from: 2026-01-01}
reviewed: {each: quarter}
dimensions: [queue]
measures:
  due: {}
  in_time: {part_of: due}
  seconds: {}
  decided: {}
  open: {snapshot: true}
  score: {given: true}
  hours: {events: {kind: ticket, take: hours, pauses: [waiting]}}
  down: {events: {kind: ticket, take: minutes, at: each_day, overlap: once}}
  minutes: {time: {take: minutes}}
  aged: {events: {kind: ticket, at: period_end}}
kpis:
  ratio: {title: A, value: {ratio: {of: in_time, to: due}}, target: 90, no_volume: not_judged, for_each: [site, queue]}
  roll_up: {title: B, value: {ratio: {of: in_time, to: due}}, target: 90, no_volume: not_judged, for_each: []}
  mean: {title: C, value: {mean: {of: seconds, per: due}}, unit: seconds, better: lower, target: 60, no_volume: not_judged}
  rate: {title: D, value: {rate: {of: {plus: [due], minus: [in_time]}, to: decided}}, better: lower, target: 9, no_volume: not_judged}
  sum: {title: E, value: {sum: seconds}, better: lower, target: 9}
  count: {title: F, value: {count: due}, target: 9}
  intervals: {title: G, value: {intervals: {ratio: {of: in_time, to: due}, at_least: 90}}, target: 80}
  mean_of_intervals: {title: H, value: {intervals: {ratio: {of: in_time, to: due}, take: mean, no_volume: 100}}, target: 80}
  strata: {title: I, value: {stratified: {of: in_time, to: due, by: queue, volume: decided}}, target: 90}
  last: {title: J, value: {last: open}, better: lower, target: 9}
  given: {title: K, value: {given: score}, unit: percent, target: 80}
  percentile: {title: L, value: {percentile: {percent: 90, of: hours}}, unit: hours, better: lower, target: 8}
  available: {title: M, value: {ratio: {of: {plus: [minutes], minus: [down]}, to: minutes}}, target: 99, no_volume: not_judged}
  aged: {title: N, value: {count: aged}, better: lower, target: 1}
  review: {title: O, value: {ratio: {of: in_time, to: due}}, target: 90, no_volume: not_judged, judged: at_review}
  spread: {title: P, value: {across: {of: ratio, take: spread}}, for_each: [], better: lower, target: 5}
  moving: {title: Q, value: {moving_mean: {of: roll_up, periods: 2, by: counts}}, for_each: [], target: 90}
"""


def contract(text: str) -> Contract:
    return read(text.encode(), Contract, name="contract.yaml").required()


ALL = contract(MANY)
WEEK = {name: [["00:00", "24:00"]] for name in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
ALWAYS = read(json.dumps({"calendar": "always", "time_zone": "UTC", "week": WEEK}), Calendar).required()
SITES, QUEUES = ("a", "b"), ("one", "two")
days = st.dates(date(2026, 1, 1), date(2026, 3, 31))
deliveries = st.lists(
    st.tuples(days, st.sampled_from(SITES), st.sampled_from(QUEUES), st.integers(0, 50), st.integers(0, 50), st.integers(0, 900)),
    max_size=25,
    unique_by=lambda one: one[:3],
)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
moments = st.integers(0, 89 * 86_400).map(lambda seconds: FIRST + timedelta(seconds=seconds))
spans = st.tuples(moments, st.integers(0, 200_000).map(lambda seconds: timedelta(seconds=seconds)))
happenings = st.lists(st.tuples(spans, st.sampled_from(SITES), st.lists(spans, max_size=2)), max_size=8)


def rows_of(delivered: Sequence[tuple[date, str, str, int, int, int]]) -> list[Row]:
    rows = []
    for on, site, queue, due, late, seconds in delivered:
        until = on + timedelta(days=1)
        figures = {"due": due, "in_time": max(0, due - late), "seconds": seconds, "decided": 10 * due + 1, "open": late}
        rows += [Row(site, name, (("queue", queue),), on, until, "day", Decimal(value)) for name, value in figures.items()]
    for number, site in enumerate(SITES):
        rows.append(Row(site, "score", (), date(2026, 1, 1), date(2026, 2, 1), "month", Decimal(80 + number)))
    return rows


def events_of(happened: Sequence[tuple[tuple[datetime, timedelta], str, Sequence[tuple[datetime, timedelta]]]]) -> list[Event]:
    found = []
    for number, ((at, lasted), site, waits) in enumerate(happened):
        found.append(Event(str(number), site, "ticket", at, at + lasted))
        found += [Event(str(number), site, "waiting", since, since + wait) for since, wait in waits]
    return found


def shown(run: Evaluation) -> bytes:
    return to_json(run.scored(ALL))


@settings(max_examples=60, deadline=None)
@given(delivered=deliveries, happened=happenings, seed=st.integers(0, 1000))
def test_the_order_of_rows_and_of_events_says_nothing(delivered: list, happened: list, seed: int) -> None:  # type: ignore[type-arg]
    rows, events = rows_of(delivered), events_of(happened)
    mixed_rows, mixed_events = list(rows), list(events)
    random.Random(seed).shuffle(mixed_rows)
    random.Random(seed).shuffle(mixed_events)
    assert shown(evaluate_rows([version_of(ALL)], rows, events=events)) == shown(
        evaluate_rows([version_of(ALL)], mixed_rows, events=mixed_events)
    )


ADDED = ("ratio", "roll_up", "mean", "rate", "sum", "count", "strata", "review", "spread", "moving")
"""KPIs whose values do not look at spans: days may come as one row."""


@settings(max_examples=60, deadline=None)
@given(delivered=deliveries)
def test_days_added_up_before_delivery_give_the_same_values(delivered: list) -> None:  # type: ignore[type-arg]
    rows = [row for row in rows_of(delivered) if row.measure not in ("open", "score")]
    sums: dict[tuple[str, str, tuple[tuple[str, str], ...], date], Decimal] = {}
    for row in rows:
        key = (row.site, row.measure, row.dimensions, row.starts_on.replace(day=1))
        sums[key] = sums.get(key, Decimal(0)) + Decimal(str(row.value or 0))
    months = [
        Row(site, measure, own, on, date(2026, on.month + 1, 1), "month", value) for (site, measure, own, on), value in sums.items()
    ]

    def values(held: Sequence[Row]) -> list[tuple[object, ...]]:
        return [
            (one.kpi, one.site, sorted(one.dimensions.items()), one.from_, one.status, one.numerator, one.denominator, one.value, one.met)
            for one in evaluate_rows([version_of(ALL)], held).results
            if one.kpi in ADDED
        ]

    assert values(rows) == values(months)


@settings(max_examples=60, deadline=None)
@given(delivered=deliveries, happened=happenings, cut=st.dates(date(2026, 1, 2), date(2026, 3, 30)))
def test_an_amendment_inside_a_period_loses_no_count_and_no_minute(delivered: list, happened: list, cut: date) -> None:  # type: ignore[type-arg]
    rows, events = rows_of(delivered), events_of(happened)
    amended = [Version(ALL, date(2026, 1, 1), cut), Version(ALL, cut, None)]

    def totals(run: Evaluation) -> dict[str, tuple[Fraction, Fraction]]:
        found: dict[str, tuple[Fraction, Fraction]] = {}
        for one in run.results:
            if one.kpi in ("ratio", "roll_up", "mean", "rate", "sum", "count") and one.numerator is not None:
                above, below = found.get(one.kpi, (Fraction(0), Fraction(0)))
                found[one.kpi] = above + Fraction(one.numerator), below + Fraction(one.denominator or 0)
        return found

    whole, parts = evaluate_rows([version_of(ALL)], rows, events=events), evaluate_rows(amended, rows, events=events)
    assert totals(whole) == totals(parts)

    def minutes(periods: Sequence[Period]) -> dict[str, Fraction]:
        found: dict[str, Fraction] = {}
        for row in count(ALL, events, periods, SITES, {}).rows:
            if row.measure in ("hours", "down"):
                found[row.measure] = found.get(row.measure, Fraction(0)) + Fraction(row.value or 0)
        return found

    year = Period(date(2025, 12, 1), date(2026, 5, 1))
    assert minutes([year]) == minutes(year.split_at([cut]))


@settings(max_examples=80, deadline=None)
@given(happened=happenings)
def test_time_that_several_share_is_counted_once_and_never_more_than_there_is(happened: list) -> None:  # type: ignore[type-arg]
    events = [one for one in events_of(happened) if one.kind == "ticket" and one.ended_at is not None]
    counted = count(ALL, events, [Period(date(2025, 12, 1), date(2026, 5, 1))], SITES, {})
    for site in SITES:
        own = [one for one in events if one.site == site]
        # Every second that lies in at least one event, looked at edge by edge.
        edges = sorted({moment for one in own for moment in (one.started_at, one.ended_at) if moment is not None})
        covered = sum(
            (
                Fraction((ends - begins) // timedelta(seconds=1), 60)
                for begins, ends in itertools.pairwise(edges)
                if any(one.started_at <= begins and one.ended_at is not None and ends <= one.ended_at for one in own)
            ),
            Fraction(0),
        )
        rows = [row for row in counted.rows if row.measure == "down" and row.site == site]
        assert sum((Fraction(row.value or 0) for row in rows), Fraction(0)) == covered
        assert all(Fraction(row.value or 0) <= 1440 for row in rows)


@settings(max_examples=80, deadline=None)
@given(span=spans, waits=st.lists(spans, max_size=4))
def test_a_clock_without_a_calendar_pauses_as_one_that_is_always_open(
    span: tuple[datetime, timedelta], waits: list[tuple[datetime, timedelta]]
) -> None:
    at, lasted = span
    events = [Event("1", "a", "ticket", at, at + lasted), *(Event("1", "a", "waiting", since, since + wait) for since, wait in waits)]
    [hours] = [
        row.value
        for row in count(ALL, events, [Period(date(2025, 12, 1), date(2026, 6, 1))], ("a",), {}).rows
        if row.measure == "hours" and row.value
    ] or [Decimal(0)]
    open_time = clock(ALWAYS).elapsed(at, at + lasted, [Pause(since, since + wait) for since, wait in waits])
    assert Fraction(hours) == Fraction(open_time // timedelta(seconds=1), 3600)


@given(cases=st.lists(st.integers(0, 100), min_size=1, max_size=40), percent=st.integers(1, 100))
def test_a_percentile_is_a_case_that_enough_others_do_not_exceed(cases: list[int], percent: int) -> None:
    value = percentile_of(cases, Fraction(percent))
    assert value in cases
    assert 100 * sum(case <= value for case in cases) >= percent * len(cases)
    assert 100 * sum(case < value for case in cases) < percent * len(cases)
    linear = percentile_of(cases, Fraction(percent), linear=True)
    assert min(cases) <= linear <= max(cases)


@settings(max_examples=40, deadline=None)
@given(delivered=deliveries, since=days, length=st.integers(1, 20))
def test_relief_takes_out_the_days_it_covers_and_no_others(delivered: list, since: date, length: int) -> None:  # type: ignore[type-arg]
    rows = [row for row in rows_of(delivered) if row.measure in ("due", "in_time")]
    until = since + timedelta(days=length)
    claim = Relief(since, until)
    left = [row for row in rows if not since <= row.starts_on < until]

    def counts(run: Evaluation) -> list[tuple[object, ...]]:
        return [
            (one.kpi, one.site, one.from_, one.numerator, one.denominator)
            for one in run.results
            if one.kpi in ("ratio", "roll_up") and one.status in ("measured", "no_volume") and one.denominator
        ]

    assert counts(evaluate_rows([version_of(ALL)], rows, relief=[claim])) == counts(evaluate_rows([version_of(ALL)], left))


@settings(max_examples=40, deadline=None)
@given(delivered=deliveries, seed=st.integers(0, 1000))
def test_what_a_corrected_row_said_before_is_forgotten(delivered: list, seed: int) -> None:  # type: ignore[type-arg]
    """Missing is not zero: a row that comes empty leaves the span unpaired, and a zero counts."""
    rows = [row for row in rows_of(delivered) if row.measure in ("due", "in_time")]
    chosen = random.Random(seed).sample(rows, k=len(rows) // 3)
    empty = [replace(row, value=None) if row in chosen else row for row in rows]
    gone = [row for row in rows if row not in chosen]

    def counts(held: Sequence[Row]) -> list[tuple[object, ...]]:
        return [
            (one.site, one.from_, one.numerator, one.denominator)
            for one in evaluate_rows([version_of(ALL)], held).results
            if one.kpi == "ratio" and one.denominator
        ]

    assert counts(empty) == counts(gone)
