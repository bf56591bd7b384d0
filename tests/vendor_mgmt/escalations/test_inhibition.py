from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendor_mgmt.escalations.inhibition import DEFAULT_RULES, InhibitionRule, Rank, Signal, inhibitions, inhibitor_of

PLACE = {"contract": "IB-2026-03", "site": "lisbon-1", "kpi": "accuracy", "dimensions": "[]"}


def signal(kind: Rank, **labels: str) -> Signal:
    return Signal(labels={**PLACE, **labels, "kind": kind.value}, reference=kind.value)


def test_a_rule_that_would_silence_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="name at least the site"):
        InhibitionRule(source={"kind": "outage"}, target={"kind": "breach"}, equal=())


@given(st.permutations(list(Rank)))
def test_of_everything_at_one_place_only_the_highest_is_heard(order: list[Rank]) -> None:
    found = inhibitions([signal(kind) for kind in order], DEFAULT_RULES)
    assert [each.signal.labels["kind"] for each in found] == [rank.value for rank in Rank]
    assert [each.by is None for each in found] == [True, False, False, False, False]


def test_an_outage_silences_every_contract_of_its_site_and_no_other_site() -> None:
    outage = Signal(labels={"kind": "outage", "site": "lisbon-1"})
    assert inhibitor_of(signal(Rank.BREACH, contract="OTHER").labels, [outage], DEFAULT_RULES) is outage
    assert inhibitor_of(signal(Rank.BREACH, site="porto-1").labels, [outage], DEFAULT_RULES) is None


def test_missing_data_of_one_kpi_says_nothing_about_another() -> None:
    missing = signal(Rank.MISSING)
    assert inhibitor_of(signal(Rank.BREACH).labels, [missing], DEFAULT_RULES) is missing
    assert inhibitor_of(signal(Rank.BREACH, kpi="tat").labels, [missing], DEFAULT_RULES) is None


def test_an_outage_that_is_itself_relieved_still_silences_its_breaches() -> None:
    """TK-in-06"""
    relief, outage = signal(Rank.RELIEF), signal(Rank.OUTAGE)
    breach = signal(Rank.BREACH, kpi="tat")
    found = {each.signal.reference: each.by for each in inhibitions([breach, outage, relief], DEFAULT_RULES)}
    assert found["outage"] is relief
    assert found["breach"] is outage


@given(st.sampled_from(["contract", "site", "kpi", "dimensions"]), st.booleans())
def test_a_place_that_is_not_wholly_named_is_equal_to_none(name: str, is_absent: bool) -> None:  # noqa: FBT001
    labels = {**PLACE, "kind": "missing", name: ""}
    target = {**PLACE, "kind": "breach", name: ""}
    if is_absent:
        del labels[name], target[name]
    assert inhibitor_of(target, [Signal(labels=labels)], DEFAULT_RULES) is None
