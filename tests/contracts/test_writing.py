"""A contract survives write → read → write unchanged, whatever it says: no field of the language is lost or comes back as another."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.document import Contract
from contracts.reading import read, write, write_on_one_line
from contracts.shape import Mapping, OneOf, Record, Row, Sequence, Shape, record_of
from tests.contracts.any_contract import any_contract, with_field


def records_of(shape: Shape, found: dict[str, Record]) -> dict[str, Record]:
    """Every type that a document may hold below a shape, by name."""
    if isinstance(shape, Record):
        if shape.type.__name__ not in found:
            found[shape.type.__name__] = shape
            for field in shape.fields:
                records_of(field.shape, found)
    elif isinstance(shape, OneOf):
        for member in shape.members:
            records_of(member, found)
    elif isinstance(shape, Mapping):
        records_of(shape.value, found)
    elif isinstance(shape, Sequence):
        records_of(shape.item, found)
    elif isinstance(shape, Row):
        for item in shape.items:
            records_of(item, found)
    return found


RECORDS = records_of(record_of(Contract), {})
NEVER_WRITTEN = {"'007' is not a number", "a line"}
FIELDS = [(name, field.name) for name, record in RECORDS.items() for field in record.fields]


@given(st.integers(0, 2**32))
def test_any_contract_survives_writing_and_reading_and_is_written_the_same_again(seed: int) -> None:
    survives(any_contract(Random(seed)))


def survives(contract: Contract) -> None:
    text = write(contract)
    again = read(text, Contract)
    if again.document is None:
        # The generator puts words together that no document holds; they are refused, and never read as something else.
        assert {finding.message.partition(" needs ")[0] for finding in again.findings} <= NEVER_WRITTEN
        return
    assert again.document == contract
    assert write(again.document) == text


@given(st.integers(0, 2**32))
@settings(max_examples=50)
def test_a_contract_with_every_field_of_its_own_set_survives_it(seed: int) -> None:
    survives(any_contract(Random(seed), share=1))


def test_the_language_has_the_fields_that_are_tried() -> None:
    assert {"Contract", "Kpi", "Levels", "Payment", "Cap", "EarnBack", "Window", "EscalationRule", "Forum", "Derived"} <= RECORDS.keys()
    assert len(FIELDS) > 300


@pytest.mark.parametrize(("record", "field"), FIELDS, ids=str)
def test_every_field_of_every_part_survives_it(record: str, field: str) -> None:
    """In a form of its own and on one line, each field set once by itself with whatever it needs beside it."""
    shape = RECORDS[record]
    for seed in range(5):
        part = with_field(shape, field, Random(f"{record}.{field}.{seed}"))
        text = write(part)
        again = read(text, shape.type)
        assert again.document == part, (text.decode(), [str(finding) for finding in again.findings])
        assert write(again.required()) == text
        assert read(write_on_one_line(part), shape.type).document == part
