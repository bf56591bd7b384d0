"""Contracts at random, from the shapes of the document types themselves, so that a field the language gains is tried as well."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import combinations
from random import Random
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from contracts.document import Contract
from contracts.shape import (
    Anything,
    Boolean,
    Choice,
    Mapping,
    Null,
    Number,
    OneOf,
    Parsed,
    Record,
    Row,
    Sequence,
    Shape,
    Text,
    record_of,
)

NAMES = [
    "acc",
    "tat",
    "site",
    "workstream",
    "language",
    "lisbon-1",
    "krakow-1",
    "charges",
    "target",
    "floor",
    "high",
    "target_2",
    "items due",
    "total",
]
TEXTS = [
    *NAMES,
    "Decision accuracy",
    "=SUM(A1:A9)",
    "+351 21 000",
    "-1",
    "@home",
    " spaced ",
    "a, b",
    "one; two",
    "yes",
    "NO",
    "95 %",
    "-",
    "n/a",
    "#REF!",
    "#1",
    "line one\nline two",
    "tab\there",
    "Kraków Zabłocie",
    "東京",
    "2026-03-01",
    "[x]",
    "{a: b}",
    'it\'s "so"',
    "1e5",
    "007",
    "|bar",
    "_x0041_",
    "a:b # c",
    "TRUE",
    "contract",
    "x" * 33_000,
]
NUMBERS = ["0", "1", "0.95", "95", "95.50", "0.2", "-3", "1234567.89", "12345678901234567890.123", "0.1", "100", "0.0000001"]


def any_contract(random: Random, *, share: float = 0.7) -> Contract:
    """A contract that can be written down, with that share of its own fields set; what it means is another question."""
    record = record_of(Contract)
    fields: dict[str, Any] = {}
    for field in record.fields:
        if field.required or random.random() < share:
            fields[field.name] = _within_reason(field.shape, random)
    return Contract(**fields)


class _TooLargeError(Exception):
    """A type that holds itself has grown without end."""


_STEPS_MAX = 300
_steps = 0


def _within_reason(shape: Shape, random: Random) -> Any:
    global _steps  # noqa: PLW0603 - a count of calls, begun anew for every field
    for depth in range(1, 100):  # Begun deeper, a part grows less.
        _steps = 0
        try:
            return any_of(shape, random, depth)
        except _TooLargeError:
            continue
    raise AssertionError("no part of the contract came to an end")


def any_of(shape: Shape, random: Random, depth: int) -> Any:
    global _steps  # noqa: PLW0603 - see above
    _steps += 1
    if _steps > _STEPS_MAX:
        raise _TooLargeError
    if isinstance(shape, Record):
        return any_record(shape, random, depth)
    if isinstance(shape, OneOf):
        some = [member for member in shape.members if not isinstance(member, Null)]
        return any_of(random.choice(some if random.random() < 0.95 else shape.members), random, depth)
    if isinstance(shape, Mapping):
        keys = random.sample(TEXTS[:-1], random.randint(0, 3)) if depth < 6 else []
        return {key: any_of(shape.value, random, depth + 1) for key in keys}
    if isinstance(shape, Sequence):
        return [any_of(shape.item, random, depth + 1) for _ in range(random.randint(0, 3) if depth < 5 else 1)]
    if isinstance(shape, Row):
        return tuple(any_of(item, random, depth + 1) for item in shape.items)
    return any_leaf(shape, random)


def any_leaf(shape: Shape, random: Random) -> Any:
    if isinstance(shape, Null):
        return None
    if isinstance(shape, Boolean):
        return random.random() < 0.5
    if isinstance(shape, Text | Anything):
        return random.choice(TEXTS if random.random() < 0.3 else NAMES)
    if isinstance(shape, Choice):
        return random.choice(shape.members)[1]
    if isinstance(shape, Number):
        return random.randint(0, 30) if shape.type is int else Decimal(random.choice(NUMBERS))
    assert isinstance(shape, Parsed)
    day = dt.date(2026, 1, 1) + dt.timedelta(days=random.choice([-50_000, 0, 31, 59, 90, 400]))
    if shape.type is dt.date:
        return day
    assert shape.type is dt.datetime, shape.type
    return dt.datetime(day.year, day.month, day.day, 9, 30, tzinfo=dt.UTC)


def any_record(shape: Record, random: Random, depth: int) -> Any:
    """A record with some of its fields; where its own check refuses the combination, one optional field, then two."""
    required = [field for field in shape.fields if field.required]
    optional = [field for field in shape.fields if not field.required]
    # Deep down the simplest fields come first, so that types that hold themselves come to an end.
    optional = sorted(optional, key=lambda field: (depth > 4 and not _is_simple(field.shape), random.random()))
    share = random.choice([0.1, 0.3, 0.5]) if depth < 5 else 0
    choices = [
        [field for field in optional if random.random() < share],
        *([one] for one in optional),
        *map(list, combinations(optional, 2)),
        [],
    ]
    for chosen in choices * 4:
        try:
            return shape.type(**{field.name: any_of(field.shape, random, depth + 1) for field in (*required, *chosen)})
        except ValueError:
            continue
    raise AssertionError(f"no {shape.type.__name__} could be made")


def with_field(shape: Record, name: str, random: Random) -> Any:
    """A record in which one field is set to something else than its default, and as few others as its own check allows."""
    required = [field for field in shape.fields if field.required and field.name != name]
    [own] = [field for field in shape.fields if field.name == name]
    others = [field for field in shape.fields if not field.required and field.name != name]
    choices: list[list[Any]] = [[], *([one] for one in others), *map(list, combinations(others, 2))]
    for chosen in choices * 40:
        fields = (own, *required, *chosen)
        try:
            part = shape.type(**{field.name: _within_reason(field.shape, random) for field in fields})
        except ValueError:
            continue
        if own.required or getattr(part, name) != own.default:
            return part
    raise AssertionError(f"no {shape.type.__name__} with {name} could be made")


def changed_somewhere(part: Any, random: Random, untouched: frozenset[str] = frozenset()) -> Any:
    """The same part with one field of it, however deep, set to something else; None where none could be changed."""
    if isinstance(part, list):
        index = random.randrange(len(part)) if part else 0
        changed = changed_somewhere(part[index], random) if part else None
        return None if changed is None else [*part[:index], changed, *part[index + 1 :]]
    if isinstance(part, dict):
        key = random.choice(list(part)) if part else None
        changed = changed_somewhere(part[key], random) if part else None
        return None if changed is None else {**part, key: changed}
    if not isinstance(part, Struct):
        return None
    for field in random.sample(record_of(type(part)).fields, len(record_of(type(part)).fields)):
        if field.name in untouched:
            continue
        held = getattr(part, field.name)
        for changed in (
            changed_somewhere(held, random) if random.random() < 0.8 else None,
            *(_within_reason(field.shape, random) for _ in range(3)),
        ):
            if changed is not None and changed != held:
                try:
                    return replace(part, **{field.name: changed})
                except ValueError:
                    continue
    return None


def _is_simple(shape: Shape) -> bool:
    members = shape.members if isinstance(shape, OneOf) else (shape,)
    return not any(isinstance(member, Record | Sequence | Mapping | Row) for member in members)


__all__ = ["any_contract", "changed_somewhere", "with_field"]
