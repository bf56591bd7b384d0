"""The published schema says what reading does: a document that one accepts the other accepts, and every field is explained."""

import datetime as dt
import enum
import json
from decimal import Decimal
from typing import Annotated, Any, Literal

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.document import Contract
from contracts.json_schema import reference, schema
from contracts.reading import read
from contracts.shape import attribute_docstrings


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Colour(enum.Enum):
    GREEN = "green"
    AMBER = "amber"


class Corner(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One corner of a line."""

    at: Decimal | str
    """A figure, or the name of a level."""
    give: Decimal
    """What it gives."""


class Fixed(Part, frozen=True, kw_only=True, tag_field="kind", tag="fixed"):
    """The same amount always."""

    amount: Decimal
    """How much."""


class Line(Part, frozen=True, kw_only=True, tag_field="kind", tag="line"):
    """Straight pieces between corners."""

    corners: Annotated[list[Corner], msgspec.Meta(min_length=2)]
    """From left to right."""


class Level(Part, frozen=True, kw_only=True):
    """A named point | a bar in its text must not break the table.

    It holds from a day, see :class:`contracts.document.Level` and ``target``.
    """

    from_: dt.date = msgspec.field(name="from")
    """The first day,
    which belongs to it."""
    target: Annotated[Decimal, msgspec.Meta(description="What is agreed.", examples=[Decimal("95.5")])]
    within: "Level | None" = None
    """A level inside this one."""


class Sample(Part, frozen=True, kw_only=True):
    """A small document with one field of each kind."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    """What people call it."""
    weight: Decimal = Decimal(40)
    """Its share."""
    count: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    """How many."""
    better: Literal["higher", "lower"] = "higher"
    """Which way is good."""
    colour: Colour = Colour.GREEN
    """What it is painted."""
    critical: bool = False
    """Whether one miss decides."""
    opens_at: dt.time | None = None
    """When the day begins."""
    levels: dict[str, Level] = {}
    """Its levels by name."""
    holidays: dict[dt.date, str] = {}
    """Days off."""
    curve: Fixed | Line | None = None
    """What it pays."""
    pair: tuple[str, int] = ("a", 1)
    """Two things."""
    tags: frozenset[str] = frozenset()
    """Words to find it by."""


SAMPLE = """\
name: accuracy
weight: 40
count: 3
better: lower
colour: amber
opens_at: "07:30"
levels:
  high: {from: 2026-03-01, target: 95.5, within: {from: 2026-03-01, target: "96"}}
holidays: {2026-12-25: Christmas}
curve: {kind: line, corners: [[high, 0], [95, 100.5]]}
pair: [b, 2]
tags: [x, y]
"""


def published() -> dict[str, Any]:
    return schema(Sample, id="https://example.test/sample.json", title="Sample")


def faults(document: Any, of: dict[str, Any] | None = None) -> list[str]:
    validator = jsonschema.Draft202012Validator(of or published(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    return [fault.message for fault in validator.iter_errors(document)]


def plain(text: str) -> Any:
    """A document as an editor sees it, with figures as figures."""
    document = read(text, dict[str, Any]).document
    return json.loads(msgspec.json.Encoder(decimal_format="number").encode(document))


def objects(of: dict[str, Any]) -> dict[str, dict[str, Any]]:
    parts: dict[str, dict[str, Any]] = of.get("$defs", {})
    return {"": of} | parts


def undescribed(of: dict[str, Any]) -> list[str]:
    named = [(name, field, said) for name, part in objects(of).items() for field, said in part.get("properties", {}).items()]
    rows = [(name, str(i), said) for name, part in objects(of).items() for i, said in enumerate(part.get("prefixItems", []))]
    return [f"{name}.{field}" for name, field, said in named + rows if not said.get("description")]


def test_the_schema_is_one_and_says_where_it_lives() -> None:
    jsonschema.Draft202012Validator.check_schema(published())
    assert published()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert published()["$id"] == "https://example.test/sample.json"
    assert published()["title"] == "Sample"
    assert published()["type"] == "object"


def test_a_document_that_reads_also_validates() -> None:
    assert read(SAMPLE, Sample).document is not None
    assert faults(plain(SAMPLE)) == []


@pytest.mark.parametrize(
    "line",
    [
        "weight: abc",
        "weight: '1_000'",
        "weight: NaN",
        "weight: '007'",
        "weight: [1]",
        "weight: true",
        "count: 0",
        "count: 10",
        "count: '3'",
        "count: 1.5",
        "name: ''",
        "name: 5",
        "better: higer",
        "colour: red",
        "critical: 'yes'",
        "opens_at: 7:30",
        "opens_at: 25:00",
        "unknown: 1",
        "levels: {high: {target: 3}}",
        "levels: {high: {from: 2026-02-30, target: 3}}",
        "levels: {high: {from: 2026-03-01, target: 3, extra: 1}}",
        "holidays: {christmas: x}",
        "curve: {kind: other}",
        "curve: {amount: 3}",
        "curve: {kind: line, corners: [[a, 1]]}",
        "curve: {kind: line, corners: [[a, 1], [b]]}",
        "curve: {kind: line, corners: [[a, 1], [b, 1, 2]]}",
        "pair: [a]",
        "pair: [a, 1, 2]",
        "tags: [x, x]",
        "tags: x",
    ],
)
def test_a_document_that_does_not_read_does_not_validate_either(line: str) -> None:
    field = line.partition(":")[0]
    text = "\n".join([*(kept for kept in ["name: a"] if field != "name"), line])
    assert read(text, Sample).document is None
    assert faults(plain(text)) != []


@given(number=st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=4))
@pytest.mark.parametrize("as_text", [True, False])
def test_a_decimal_may_be_a_number_or_text(number: Decimal, *, as_text: bool) -> None:
    written = f"'{number}'" if as_text else f"{number:f}"
    document = read(f"name: a\nweight: {written}", Sample).document
    assert document is not None
    assert document.weight == number
    assert faults({"name": "a", "weight": str(number) if as_text else float(number)}) == []


# Without line breaks: to Python's regular expressions, unlike those of JSON Schema, `$` also fits before the last of them.
@given(st.text(max_size=8).filter(lambda text: "\n" not in text) | st.text("0123456789.eE+-_ ", max_size=50))
def test_reading_and_the_schema_agree_on_which_text_is_a_number(text: str) -> None:
    as_json = json.dumps({"name": "a", "weight": text})
    assert (read(as_json, Sample).document is not None) == (faults({"name": "a", "weight": text}) == [])


def test_every_field_is_described_in_the_schema() -> None:
    assert undescribed(published()) == []
    properties = published()["properties"]
    assert properties["name"]["description"] == "What people call it."
    level = published()["$defs"]["Level"]
    assert level["properties"]["from"]["description"] == "The first day, which belongs to it."
    assert level["properties"]["target"] == {
        "description": "What is agreed.",
        "type": ["number", "string"],
        "pattern": properties["weight"]["pattern"],
        "examples": ["95.5"],
    }
    assert level["description"].endswith("It holds from a day, see `Level` and `target`.")


def test_a_field_without_words_is_noticed() -> None:
    class Silent(Part, frozen=True, kw_only=True):
        said: str
        """With words."""
        unsaid: str

    assert undescribed(schema(Silent, id="x:", title="x")) == [".unsaid"]


def test_defaults_are_shown_as_people_would_write_them() -> None:
    defaults = {name: said["default"] for name, said in published()["properties"].items() if "default" in said}
    assert defaults == {"weight": 40, "count": 1, "better": "higher", "colour": "green", "critical": False, "pair": ["a", 1]}


def test_the_words_under_a_field_belong_to_it_and_are_inherited() -> None:
    class Child(Level, frozen=True, kw_only=True):
        target: Decimal
        """Its own words."""

    assert attribute_docstrings(Child) == {
        "from_": "The first day,\nwhich belongs to it.",
        "within": "A level inside this one.",
        "target": "Its own words.",
    }


def test_two_parts_of_one_name_are_refused_rather_than_mixed_up() -> None:
    def another() -> Any:
        return msgspec.defstruct("Level", [("x", int)])

    both = msgspec.defstruct("Both", [("one", another()), ("other", Level)])
    with pytest.raises(TypeError, match="two parts of the document are called Level"):
        schema(both, id="x:", title="x")


def test_the_reference_has_a_row_for_every_field_and_unbroken_tables() -> None:
    text = reference(Sample)
    assert "## Sample\n\nA small document with one field of each kind.\n" in text
    assert "| `name` | text | required | What people call it. |" in text
    assert "| `weight` | number | `40` | Its share. |" in text
    assert "| `better` | `higher` or `lower` | `higher` | Which way is good. |" in text
    assert "| `levels` | names, each with [Level](#level) |  | Its levels by name. |" in text
    assert "| `holidays` | day, each with text |  | Days off. |" in text
    assert "| `curve` | [Fixed](#fixed) or [Line](#line) |  | What it pays. |" in text
    assert "| `at` | number or text | required | A figure, or the name of a level. |" in text
    assert text.count("\n## ") + text.startswith("## ") == 5
    assert all(line.replace("\\|", "").count("|") == 5 for line in text.splitlines() if line.startswith("|"))


# The contract itself


def test_the_schema_of_a_contract_is_valid_and_describes_every_field() -> None:
    contract = schema(Contract, id="https://example.test/contract.json", title="Contract")
    jsonschema.Draft202012Validator.check_schema(contract)
    assert undescribed(contract) == []


def test_the_reference_of_a_contract_names_every_part_of_it() -> None:
    text = reference(Contract)
    contract = schema(Contract, id="https://example.test/contract.json", title="Contract")
    for name, part in objects(contract).items():
        assert f"## {name or 'Contract'}\n" in text
        for field in part.get("properties", {}):
            assert f"| `{field}` |" in text
