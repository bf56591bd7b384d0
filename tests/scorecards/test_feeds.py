"""What a contract asks its feeds for: from its scope and its KPIs, and from nothing that came."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from contracts.document import Contract
from contracts.reading import read
from scorecards.feeds import Asked

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)


def asked(**changes: Any) -> Asked:
    document: dict[str, Any] = {
        "contract": "HX-1",
        "title": "Moderation",
        "vendor": "harbour",
        "vendor_name": "Harbour CX",
        "currency": "EUR",
        "time_zone": "Europe/Lisbon",
        "in_force": {"from": "2026-01-01"},
        "dimensions": ["workstream", "language"],
        "scope": [
            {"site": "lisbon", "workstream": "product", "languages": ["pt"]},
            {"site": "lisbon", "workstream": "live", "languages": ["pt", "es"], "until": "2026-01-20"},
            {"site": "cebu", "workstream": "product", "from": "2026-02-01"},
        ],
        "measures": {
            "right": {"part_of": "audited"},
            "audited": {},
            "alerts": {},
            "forecast": {"duty_of": "client"},
        },
        "kpis": {
            "accuracy": {
                "title": "Accuracy",
                "value": {"ratio": {"of": "right", "to": "audited"}},
                "for_each": ["site", "workstream"],
                "target": 95,
            },
            "alerts": {"title": "Alerts", "value": {"sum": "alerts"}, "where": {"workstream": "live"}, "target": 5},
            "briefing": {"title": "Briefing", "value": {"sum": "forecast"}, "duty_of": "client", "target": 1},
        },
    }
    return Asked(read(msgspec.json.encode(document | changes).decode(), Contract).required())


def is_asked(measure: str, site: str, *, at: Asked | None = None, from_on: date = JANUARY, until_on: date = FEBRUARY, **split: str) -> bool:
    return (at or asked()).is_asked(measure, site, split, from_on, until_on)


def test_a_series_of_the_scope_is_asked_for_and_one_beside_it_is_not() -> None:
    assert is_asked("audited", "lisbon", workstream="product", language="pt")
    assert is_asked("audited", "lisbon", workstream="product")
    assert is_asked("audited", "lisbon")
    assert not is_asked("audited", "lisbon", workstream="support")
    assert not is_asked("audited", "lisbon", workstream="product", language="es")
    assert not is_asked("audited", "porto")
    assert not is_asked("visitors", "lisbon", workstream="product")


def test_a_scope_is_asked_for_from_its_first_day_to_its_last() -> None:
    assert is_asked("audited", "lisbon", workstream="live")
    assert not is_asked("audited", "lisbon", workstream="live", from_on=date(2026, 1, 20))
    assert not is_asked("audited", "cebu", workstream="product")
    assert is_asked("audited", "cebu", workstream="product", until_on=date(2026, 2, 2))


def test_what_the_client_delivers_is_not_asked_of_the_vendor() -> None:
    assert not is_asked("forecast", "lisbon", workstream="product")


def test_each_workstream_is_asked_for_the_measures_of_the_kpis_that_hold_there() -> None:
    assert asked().measures("lisbon", JANUARY, FEBRUARY) == {"product": ["right", "audited"], "live": ["right", "audited", "alerts"]}
    assert asked().measures("cebu", JANUARY, FEBRUARY) == {}
    assert asked().measures("lisbon", FEBRUARY, date(2026, 3, 1)) == {"product": ["right", "audited"]}
