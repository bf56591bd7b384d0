"""Worked examples: the contract's own, the published cases, and a replay are the same thing, run by the same path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

import msgspec

from contracts.business_time import Calendar
from contracts.document import Contract, Example
from scorecards.evaluating import evaluate_rows, version_of
from scorecards.files import claims_of_example, events_of_example, rows_of_example
from scorecards.scorecard import Scored


def run_example(
    contract: Contract, example: Example, calendars: Mapping[str, Calendar] = MappingProxyType({})
) -> tuple[Scored, list[str]]:
    """Judges what the example gives, and says in sentences where the result differs from what it expects."""
    rows, relief, opening = rows_of_example(example, contract)
    events = events_of_example(example)
    claims = claims_of_example(example)
    run = evaluate_rows([version_of(contract)], rows, relief=relief, opening=opening, events=events, calendars=calendars, claims=claims)
    scored = run.scored(contract)
    return scored, differences(scored, example.expect)


def differences(scored: Scored, expect: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Every expected item that no item of the result fulfils; what an item does not name is not compared."""
    return disagreements(msgspec.to_builtins(scored), expect)


def disagreements(result: Mapping[str, Any], expect: Mapping[str, Sequence[dict[str, Any]]]) -> list[str]:
    """The same for a result as JSON gives it.  An empty list expects that there is none of that part."""
    found: list[str] = []
    for part, wanted in expect.items():
        have = result.get(part)
        if not isinstance(have, list):
            found.append(f"a result has no part {part!r}; its parts are results, lines, totals, rights, proposals, findings")
            continue
        if not wanted and have:
            found.append(f"{part}: expected none; there is {_words(have[0])}")
        found += [
            f"{part}: expected {_words(item)}; {_nearest(item, have)}"
            for item in wanted
            if not any(_fulfils(item, one) for one in have)
        ]
    return found


def _fulfils(wanted: Any, have: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(have, dict) and all(name in have and _fulfils(value, have[name]) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(have, list) and len(wanted) == len(have) and all(
            _fulfils(one, other) for one, other in zip(wanted, have, strict=True)
        )
    if wanted is None or have is None:
        return wanted is have
    if isinstance(wanted, bool) or isinstance(have, bool):
        return wanted is have
    return _same(wanted, have)


def _same(wanted: Any, have: Any) -> bool:
    try:
        return Decimal(str(wanted)) == Decimal(str(have))
    except InvalidOperation:
        return str(wanted) == str(have)


def _words(item: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in item.items())


def _nearest(item: dict[str, Any], have: Sequence[Any]) -> str:
    """The item of the result that agrees in most, and where it differs."""
    if not have:
        return "there is none"

    def agreement(one: Any) -> int:
        return sum(name in one and _fulfils(value, one[name]) for name, value in item.items())

    best = max(have, key=agreement)
    wrong = {name: best.get(name) for name, value in item.items() if name not in best or not _fulfils(value, best[name])}
    return f"the nearest has {_words(wrong)}"


__all__ = ["differences", "disagreements", "run_example"]
