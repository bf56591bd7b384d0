"""Which version judges which days when a contract is amended inside a period."""

from __future__ import annotations

import itertools
import json
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from contracts.document import Contract
from contracts.period import calendar_anchor, period_containing
from contracts.reading import read
from scorecards.evaluating import Version, plan_periods

START = date(2026, 1, 1)


def contract(policy: str, each: str) -> Contract:
    text = {"contract": "C", "title": "C", "vendor": "v", "currency": "EUR", "in_force": {"from": "2026-01-01"}}
    return read(json.dumps(text | {"measured": {"each": each, "amended": policy}}), Contract).required()


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Version], str, str]:
    """Versions one after the other, with or without gaps between them, all cut in the same way."""
    policy = draw(st.sampled_from(["split", "at_start", "at_end"]))
    each = draw(st.sampled_from(["week", "month", "quarter"]))
    versions: list[Version] = []
    on = START + timedelta(days=draw(st.integers(0, 45)))
    for _ in range(draw(st.integers(1, 4))):
        until = on + timedelta(days=draw(st.integers(1, 150)))
        versions.append(Version(contract(policy, each), on, until))
        on = until + timedelta(days=draw(st.sampled_from([0, 0, 0, 3, 40])))
    if draw(st.booleans()):
        versions[-1] = Version(versions[-1].contract, versions[-1].from_on, None)
    return versions, policy, each


@given(histories(), st.integers(1, 500))
def test_every_day_in_force_is_judged_once_and_by_the_version_that_the_contract_names(
    history: tuple[list[Version], str, str], days: int
) -> None:
    versions, policy, each = history
    until = START + timedelta(days=days)
    planned = plan_periods(versions, until)
    for earlier, later in itertools.pairwise(planned):
        assert earlier.period.until_on <= later.period.from_on
    for on in (START + timedelta(days=number) for number in range(days)):
        holding = next((one for one in versions if one.from_on <= on and (one.until_on is None or on < one.until_on)), None)
        judging = [one for one in planned if one.period.from_on <= on < one.period.until_on]
        whole = period_containing(each, calendar_anchor(each, anchor_day=1), on)  # type: ignore[arg-type]
        begun = [one for one in versions if whole.from_on < one.from_on < whole.until_on]
        if holding is not None and not begun:
            assert [one.version.contract is holding.contract for one in judging] == [True]
        if policy == "split":
            assert [one.version.contract for one in judging] == ([holding.contract] if holding is not None else [])
        # A period that nothing cuts but one amendment, without a gap, is judged whole by one of the two.
        if len(begun) == 1 and policy != "split" and whole.until_on <= until:
            new = begun[0]
            old = next((one for one in versions if one.until_on == new.from_on), None)
            is_plain = old is not None and old.from_on <= whole.from_on and (new.until_on is None or new.until_on >= whole.until_on)
            if is_plain and old is not None:
                judge = old if policy == "at_start" else new
                assert [(one.version.contract is judge.contract, one.period == whole) for one in judging] == [(True, True)]
