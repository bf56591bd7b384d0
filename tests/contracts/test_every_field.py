"""Every field of the language, set once in every_field.yaml: told in plain sentences, compared, described, and carried by the schema."""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from contracts.differences import differences, in_words
from contracts.document import Contract
from contracts.explaining import explain
from contracts.holes import Unread, own_type, punched, unguarded
from contracts.json_schema import schema
from contracts.questions import parts
from contracts.reading import read, write
from contracts.shape import Choice, Mapping, OneOf, Record, Row, Sequence, Shape, record_of

TEXT = (Path(__file__).parent / "every_field.yaml").read_text(encoding="utf-8")
READING = read(TEXT, Contract, name="every_field.yaml")
CONTRACT = READING.required()
ROOT = Path(__file__).resolve().parents[2]


def records(shape: Shape, seen: dict[type, Record]) -> dict[type, Record]:
    """Every kind of part the language has."""
    if isinstance(shape, Record):
        if shape.origin not in seen:
            seen[shape.origin] = shape
            for field in shape.fields:
                records(field.shape, seen)
    elif isinstance(shape, OneOf | Row):
        for member in shape.members if isinstance(shape, OneOf) else shape.items:
            records(member, seen)
    elif isinstance(shape, Sequence | Mapping):
        records(shape.item if isinstance(shape, Sequence) else shape.value, seen)
    return seen


RECORDS = records(record_of(Contract), {})


def leaves() -> Iterator[tuple[str, msgspec.Struct, str]]:
    """Every field that the document writes out and that holds no further part: its path, its part, its name in the document."""
    for part, path, _ in parts(CONTRACT):
        if part.__struct_config__.array_like:
            continue
        for name, key in zip(part.__struct_fields__, part.__struct_encode_fields__, strict=True):
            value = getattr(part, name)
            inner = any(isinstance(one, msgspec.Struct) for one in holds(value))
            if READING.is_written(f"{path}.{key}") and not inner:
                yield f"{path}.{key}", part, key


def holds(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [value]


LEAVES = list(leaves())


def test_every_field_of_the_language_is_set_once_in_the_document() -> None:
    said = {(own_type(part), key) for _, part, key in LEAVES}
    said |= {
        (own_type(part), key)
        for part, path, _ in parts(CONTRACT)
        for key in part.__struct_encode_fields__
        if part.__struct_config__.array_like or READING.is_written(f"{path}.{key}")
    }
    wanted = {(type_, field.key) for type_, record in RECORDS.items() for field in record.fields}
    assert {(type_.__name__, key) for type_, key in wanted - said} == set()


# What an example is made of is printed with the example's own result; the words name the example.
UNTOLD = ("$.examples[0].given", "$.examples[0].expect")


@pytest.mark.parametrize("path", [path for path, _, _ in LEAVES if not path.startswith(UNTOLD)])
def test_the_explanation_tells_every_field(path: str) -> None:
    """A hole in a place that the sentences use breaks them off; one in a place that they pass over does not."""
    with pytest.raises((Unread, TypeError)):  # A TypeError where a number is made of it.
        explain(punched(CONTRACT, [path]))


def test_no_field_is_told_by_its_name_for_want_of_a_sentence() -> None:
    assert "Besides" not in explain(CONTRACT)


def other(part: msgspec.Struct, key: str) -> Any:
    """Another value for a field."""
    field = record_of(own_type(part)).by_key[key]
    return another(getattr(part, field.name), field.shape)


def another(value: Any, shape: Shape) -> Any:
    if isinstance(shape, OneOf):
        fitting = [member for member in shape.members if isinstance(member, Choice) and value in member.written]
        shape = fitting[0] if fitting else shape
    if isinstance(shape, Choice):
        return next((meant for _, meant in shape.members if meant != value), None)
    if isinstance(value, bool):
        return not value
    if isinstance(value, Decimal | int):
        return value + 1
    if isinstance(value, dt.date):
        return value + dt.timedelta(days=1)
    if isinstance(value, list):
        if not value:
            return ["site"]
        return value[1:] if len(value) > 1 or not isinstance(shape, Sequence) else [another(value[0], shape.item)]
    if isinstance(value, dict):
        name, first = next(iter(value.items()))
        return value | {name: another(first, shape.value if isinstance(shape, Mapping) else shape)}
    return f"{value} too"


def changed(part: msgspec.Struct, key: str) -> Contract:
    """The contract with one field of one part said otherwise."""
    name = record_of(own_type(part)).by_key[key].name
    new = msgspec.structs.replace(unguarded(own_type(part))(**msgspec.structs.asdict(part)), **{name: other(part, key)})
    after: Contract = replaced(CONTRACT, part, new)
    return after


def replaced(value: Any, old: msgspec.Struct, new: msgspec.Struct) -> Any:
    if value is old:
        return new
    if isinstance(value, msgspec.Struct):
        fields = {name: replaced(getattr(value, name), old, new) for name in value.__struct_fields__}
        return unguarded(type(value))(**fields) if any(fields[name] is not getattr(value, name) for name in fields) else value
    if isinstance(value, list):
        items = [replaced(item, old, new) for item in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    if isinstance(value, dict):
        entries = {key: replaced(item, old, new) for key, item in value.items()}
        return entries if any(entries[key] is not value[key] for key in value) else value
    return value


COMPARED = {path: (part, key) for path, part, key in LEAVES if not path.startswith(UNTOLD)}


@pytest.mark.parametrize("path", COMPARED)
def test_the_differences_tell_every_field(path: str) -> None:
    after = changed(*COMPARED[path])
    if path in ("$.version", "$.in_force.from"):  # They head the comparison instead of being a line of it.
        assert in_words(CONTRACT, after) != in_words(CONTRACT, CONTRACT)
    elif path != "$.signed_on":  # Every version is signed on a day of its own.
        assert differences(CONTRACT, after), path


def test_it_survives_writing() -> None:
    assert read(write(CONTRACT), Contract).required() == CONTRACT


# The schema


@functools.cache
def validator() -> jsonschema.Draft202012Validator:
    document = schema(Contract, id="urn:vendor-mgmt:contract", title="Outsourcing contract")
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


def plain(value: Any) -> Any:
    """A document as an editor sees it: numbers as numbers."""
    return json.loads(msgspec.json.Encoder(decimal_format="number").encode(value))


def test_every_part_and_every_field_has_a_description_in_the_schema() -> None:
    document = schema(Contract, id="urn:vendor-mgmt:contract", title="Outsourcing contract")
    parts_of_it = {"Contract": document, **document["$defs"]}
    assert set(parts_of_it) >= {type_.__name__ for type_ in RECORDS}
    for name, part in parts_of_it.items():
        assert part.get("description"), name
        for field, said in part.get("properties", {}).items():
            assert said.get("description"), f"{name}.{field}"
    for type_, record in RECORDS.items():
        assert all(field.description for field in record.fields), type_


def test_the_schema_accepts_the_contract_of_every_field() -> None:
    assert [error.message for error in validator().iter_errors(plain(CONTRACT))] == []


EXAMPLES = sorted((ROOT / "vendor_mgmt" / "example" / "documents" / "contracts").glob("*.yaml"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_schema_accepts_every_contract_of_the_portfolio_as_it_is_written(file: Path) -> None:
    from contracts.including import read_contract  # noqa: PLC0415 - beside its use

    contract = read_contract(file.read_bytes(), name=file.name, files=lambda name: (file.parent / name).read_bytes()).required()
    assert [f"{error.json_path}: {error.message}" for error in validator().iter_errors(plain(contract))] == []


@pytest.mark.parametrize("path", ["title", "in_force", "vendor"])
def test_the_schema_refuses_what_reading_refuses(path: str) -> None:
    document = plain(CONTRACT)
    del document[path]
    assert [error.message for error in validator().iter_errors(document)] != []
    assert not validator().is_valid(plain(CONTRACT) | {"titel": "x"})
    assert not validator().is_valid(plain(CONTRACT) | {"currency": 5})


def test_there_is_a_portfolio() -> None:
    assert len(EXAMPLES) >= 6
