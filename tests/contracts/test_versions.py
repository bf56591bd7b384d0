"""What agreeing a version does to the others: rules, over any history."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Overlap
from contracts.versions import Held, effect, held_on

START = date(2026, 1, 1)


def day(number: int) -> date:
    return START + timedelta(days=number)


def version(number: int, from_: int, until: int | None = None, *, contract: str = "IB", place: int = 1) -> Held:
    until_on = None if until is None else day(until)
    return Held(version=10 * place + number, contract=contract, place=place, number=number, from_=day(from_), until=until_on)


SPANS = st.lists(
    st.tuples(st.integers(0, 60), st.none() | st.integers(1, 40), st.sampled_from([("IB", 1), ("IB-2", 2), ("IB-3", 3)]), st.booleans()),
    max_size=8,
)


@given(SPANS)
def test_whatever_is_agreed_in_whatever_order_no_two_versions_hold_on_one_day_and_earlier_days_keep_theirs(
    history: list[tuple[int, int | None, tuple[str, int], bool]],
) -> None:
    held: list[Held] = []
    for number, (first, days, (contract, place), replaces_later) in enumerate(history, 1):
        new = version(number, first, None if days is None else first + days, contract=contract, place=place)
        try:
            done = effect(held, new, replaces_later=replaces_later)
        except Overlap:
            continue
        after = done.holding
        for on in map(day, range(110)):
            assert sum(one.covers(on) for one in after) <= 1
            before_it = held_on(held, on)
            if on < new.from_:
                assert getattr(held_on(after, on), "version", None) == getattr(before_it, "version", None)
            if new.covers(on):
                assert held_on(after, on) == new
            elif on >= new.from_ and before_it is not None and before_it.contract == contract:
                # A text is whole: what the contract promised after its last day is over.
                assert held_on(after, on) is None or held_on(after, on) in done.kept
        # Whoever was agreed later on is lost only where that was said.
        if not replaces_later:
            assert all(one.from_ <= new.from_ for one in done.ended)
        held = after


def test_a_version_agreed_for_later_days_is_replaced_only_where_that_is_said() -> None:
    held = [version(1, 0, 100), version(2, 100)]
    with pytest.raises(Overlap, match=r"Version 2 of IB is agreed from 2026-04-11 on and would no longer hold.*--replace-later"):
        effect(held, version(3, 50))
    assert effect(held, version(3, 50), replaces_later=True).holding == [version(1, 0, 50), version(3, 50)]
    # The same first day is a correction of that version, and says so by its day.
    assert effect(held, version(3, 100)).holding == [version(1, 0, 100), version(3, 100)]


def test_a_renewal_takes_over_on_its_day_and_its_predecessor_cannot_take_the_days_back() -> None:
    renewal = version(1, 50, 200, contract="IB-2", place=2)
    held = effect([version(1, 0, 100)], renewal).holding
    assert held == [version(1, 0, 50), renewal]
    with pytest.raises(Overlap, match="Contract IB-2 of the same lineage holds from 2026-02-20 on"):
        effect(held, version(2, 20, 100))
    assert effect(held, version(2, 20, 50)).holding == [version(1, 0, 20), version(2, 20, 50), renewal]
    with pytest.raises(Overlap, match="Contract IB of the same lineage holds from 2026-01-01 on"):
        effect([version(1, 0, 100)], version(1, -10, 200, contract="IB-2", place=2))


def test_a_gap_before_a_renewal_and_an_end_that_came_nearer_are_told() -> None:
    assert effect([version(1, 0, 40)], version(1, 50, contract="IB-2", place=2)).gap == (day(40), day(50))
    assert effect([version(1, 0, 40)], version(1, 40, contract="IB-2", place=2)).gap is None
    assert effect([version(1, 0, 100)], version(2, 50, 80)).shortened == (day(100), day(80))
    assert effect([version(1, 0)], version(2, 50, 80)).shortened == (None, day(80))
    assert effect([version(1, 0, 100)], version(2, 50, 100)).shortened is None
    assert effect([version(1, 0, 100)], version(2, 50)).shortened is None
