"""A site is as fresh as its stalest workstream."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest

from contracts.document import Contract
from contracts.reading import read
from vendor_mgmt.intake.freshness import Reach, Silence, is_late, newest, silences

TODAY = date(2026, 11, 22)
YESTERDAY = TODAY - timedelta(days=1)


def contract(**changes: Any) -> Contract:
    document: dict[str, Any] = {
        "contract": "HX-1",
        "title": "Moderation",
        "vendor": "harbour",
        "vendor_name": "Harbour CX",
        "currency": "EUR",
        "time_zone": "Europe/Lisbon",
        "in_force": {"from": "2026-01-01"},
        "dimensions": ["workstream", "language"],
        "scope": [{"site": "lisbon", "workstream": part, "languages": ["pt", "es"]} for part in ("product", "live")],
        "measures": {"right": {"part_of": "audited"}, "audited": {}, "invoice": {"money": True}},
        "kpis": {
            "accuracy": {
                "title": "Accuracy",
                "value": {"ratio": {"of": "right", "to": "audited"}},
                "for_each": ["site", "workstream"],
                "target": 95,
            }
        },
    }
    return read(json.dumps(document | changes), Contract).required()


def reach(part: str, newest_on: date, **changes: Any) -> Reach:
    given: dict[str, Any] = {
        "site": "lisbon", "part": part, "language": "pt", "measures": ["audited", "right"], "grain": "day", "newest_on": newest_on,
        "source": "harbour-api",
    }  # fmt: skip
    return Reach(**(given | changes))


def test_a_silent_workstream_is_not_hidden_by_a_fresh_one() -> None:
    stopped = date(2026, 10, 10)
    found = silences([reach("product", YESTERDAY), reach("live", stopped)], [contract()], TODAY)
    assert found == [Silence(site="lisbon", part="live", measures=["audited", "right"], newest_on=stopped, source="harbour-api")]
    assert newest([reach("product", YESTERDAY), reach("live", stopped)]) == {"lisbon": YESTERDAY}


def test_one_silent_language_or_measure_is_enough() -> None:
    fresh = [reach("product", YESTERDAY), reach("live", YESTERDAY)]
    assert silences(fresh, [contract()], TODAY) == []
    [language] = silences([*fresh, reach("live", date(2026, 11, 1), language="es")], [contract()], TODAY)
    assert (language.part, language.newest_on) == ("live", date(2026, 11, 1))
    half = [reach("product", YESTERDAY), reach("live", YESTERDAY, measures=["audited"])]
    assert silences(half, [contract()], TODAY) == [Silence(site="lisbon", part="live", measures=["right"], newest_on=None, source=None)]


def test_what_the_contract_does_not_ask_for_any_more_is_not_missed() -> None:
    old = reach("live", date(2026, 5, 3))
    ended = [
        {"site": "lisbon", "workstream": "product", "languages": ["pt"]},
        {"site": "lisbon", "workstream": "live", "languages": ["pt"], "until": "2026-06-01"},
    ]
    assert silences([reach("product", YESTERDAY), old], [contract(scope=ended)], TODAY) == []
    foreign = reach("product", date(2026, 5, 3), language="de")
    assert silences([reach("product", YESTERDAY), reach("live", YESTERDAY), foreign], [contract()], TODAY) == []


@pytest.mark.parametrize(
    ("grain", "newest_on", "late"),
    [
        ("day", date(2026, 11, 19), False),
        ("day", date(2026, 11, 18), True),
        ("month", date(2026, 10, 1), False),
        ("month", date(2026, 8, 1), True),
        ("hour", date(2026, 11, 18), True),
    ],
)
def test_a_span_is_late_when_the_next_one_is_over_for_some_days(grain: str, newest_on: date, *, late: bool) -> None:
    assert is_late(grain, newest_on, TODAY) is late
