"""What agreeing a text would do, in sentences."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from contracts.document import Contract
from contracts.reading import read
from contracts.versions import Effect, Held, effect
from vendor_mgmt.amending import consequences


def contract(**changes: Any) -> Contract:
    plain: dict[str, Any] = {
        "contract": "IB",
        "title": "Iberia",
        "vendor": "harbour",
        "in_force": {"from": "2026-01-01"},
        "measures": {"due": {}, "in_time": {"part_of": "due"}},
        "kpis": {"fast": {"title": "Fast", "value": {"ratio": {"of": "in_time", "to": "due"}}, "target": 95}},
    }
    return read(json.dumps(plain | changes), Contract).required()


def held(number: int, from_: date, until: date | None = None) -> Held:
    return Held(version=number, contract="IB", place=1, number=number, from_=from_, until=until)


def agreeing(from_: date, *before: Held) -> Effect:
    return effect(before, held(len(before) + 1, from_))


def test_a_month_that_is_cut_is_shared_by_its_days_as_the_text_in_force_says() -> None:
    def told(policy: str) -> list[str]:
        old = contract(measured={"each": "month", "amended": policy})
        return consequences(agreeing(date(2026, 6, 11), held(1, date(2026, 1, 1))), {1: old}, contract(version="2"))

    head = "The month from 1 June 2026 to 30 June 2026 is judged"
    parts = "10 of 30 days by version 1 and 20 of 30 days by the new version"
    assert told("split")[1].startswith(f"{head} in parts (measured.amended: split): {parts};")
    assert told("at_start")[1] == f"{head} whole by version 1, as the text in force says (measured.amended: at_start)."
    assert told("at_end")[1] == f"{head} whole by the new version, as the text in force says (measured.amended: at_end)."
    assert told("split")[0] == "Version 1 of IB holds until 11 June 2026 (not included) instead of without end."
