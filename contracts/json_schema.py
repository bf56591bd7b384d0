"""The document types as a JSON Schema, for editors and other people's programs, and as a reference for people.

Both are made from the same shapes that reading uses, and from the texts under the fields, so that neither can say anything that
reading does not do. A document that begins with `# yaml-language-server: $schema=...` is then completed and checked while typing.
"""

from __future__ import annotations

import datetime as dt
import enum
import inspect
import re
import uuid
from decimal import Decimal
from typing import Any

import msgspec

from contracts.nodes import NUMBER_PATTERN
from contracts.shape import (
    MISSING,
    Anything,
    Boolean,
    Choice,
    Field,
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
    shape_of,
)

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_PARSED: dict[type, tuple[dict[str, str], str]] = {
    dt.date: ({"format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"}, "day"),
    # Without `format: time`, which insists on seconds and an offset: a time of day in a contract has neither.
    dt.time: ({"pattern": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?$"}, "time of day"),
    dt.datetime: ({"format": "date-time"}, "moment"),
    dt.timedelta: ({"format": "duration"}, "duration"),
    uuid.UUID: ({"format": "uuid"}, "UUID"),
}


def schema(type_: Any, *, id: str, title: str) -> dict[str, Any]:  # noqa: A002 - the name that JSON Schema gives it
    """JSON Schema (2020-12) of a document type. `id` is the address under which it is published.

    Every field carries its description. A decimal number may be a number or text, since both are read exactly.
    Raises TypeError if two Structs have the same name, for their sections would be one.
    """
    writer = _SchemaWriter()
    root = writer.of(shape_of(type_))
    result = {"$schema": _DIALECT, "$id": id, "title": title}
    name = root.get("$ref", "").rpartition("/")[2]
    # The document itself stands at the top rather than behind a reference, which not every editor follows there.
    result |= {key: value for key, value in writer.definitions[name].items() if key != "title"} if name else root
    used = _references([result, *(definition for key, definition in writer.definitions.items() if key != name)])
    definitions = {key: definition for key, definition in sorted(writer.definitions.items()) if key != name or key in used}
    return result | ({"$defs": definitions} if definitions else {})


def reference(type_: Any) -> str:
    """The same as Markdown: one section for each part of the document, with a table of its fields."""
    records = _records(shape_of(type_))
    return "\n".join(line for record in records for line in _section(record)).rstrip() + "\n"


class _SchemaWriter:
    def __init__(self) -> None:
        self.definitions: dict[str, dict[str, Any]] = {}
        self.named: dict[str, Record] = {}

    def of(self, shape: Shape) -> dict[str, Any]:
        if isinstance(shape, Record):
            return self.record(shape)
        if isinstance(shape, OneOf):
            return {"anyOf": [self.of(member) for member in shape.members]}
        if isinstance(shape, Number):
            bounds = {"minimum": shape.ge, "exclusiveMinimum": shape.gt, "maximum": shape.le, "exclusiveMaximum": shape.lt}
            kind: dict[str, Any] = {"type": "integer"} if shape.type is int else {"type": "number"}
            if shape.type is Decimal:
                kind = {"type": ["number", "string"], "pattern": NUMBER_PATTERN}
            return kind | _given(bounds)
        if isinstance(shape, Text):
            return {"type": "string"} | _given({"minLength": shape.min_length, "maxLength": shape.max_length, "pattern": shape.pattern})
        if isinstance(shape, Boolean):
            return {"type": "boolean"}
        if isinstance(shape, Null):
            return {"type": "null"}
        if isinstance(shape, Choice):
            return {"enum": shape.written}
        if isinstance(shape, Parsed):
            return {"type": "string"} | _PARSED[shape.type][0]
        if isinstance(shape, Sequence):
            limits = {"uniqueItems": shape.unique or None, "minItems": shape.min_length, "maxItems": shape.max_length}
            return {"type": "array", "items": self.of(shape.item)} | _given(limits)
        if isinstance(shape, Row):
            return _row([self.of(item) for item in shape.items], len(shape.items))
        if isinstance(shape, Mapping):
            names = {} if shape.key == Text() else {"propertyNames": {"type": "string"} | _names(self.of(shape.key))}
            limits = {"minProperties": shape.min_length, "maxProperties": shape.max_length}
            return {"type": "object", "additionalProperties": self.of(shape.value)} | names | _given(limits)
        return {}

    def record(self, shape: Record) -> dict[str, Any]:
        name = _name(shape)
        if self.named.setdefault(name, shape) is not shape:
            raise TypeError(f"two parts of the document are called {name}; rename one of them")
        if name not in self.definitions:
            definition: dict[str, Any] = {"title": name}
            self.definitions[name] = definition  # Before its fields, one of which may be of this very type.
            definition |= {"description": _prose(shape.description)} if shape.description else {}
            definition |= self.array(shape) if shape.array_like else self.object(shape)
        return {"$ref": f"#/$defs/{name}"}

    def object(self, shape: Record) -> dict[str, Any]:
        properties = {field.key: self.field(field) for field in shape.fields}
        required = [field.key for field in shape.fields if field.required]
        if shape.tag_field is not None:
            properties = {shape.tag_field: {"const": shape.tag, "description": "Says what kind this is."}} | properties
            required = [shape.tag_field, *required]
        result: dict[str, Any] = {"type": "object", "properties": properties}
        return result | ({"required": required} if required else {}) | ({"additionalProperties": False} if shape.closed else {})

    def array(self, shape: Record) -> dict[str, Any]:
        return _row([self.field(field) for field in shape.fields], sum(field.required for field in shape.fields))

    def field(self, field: Field) -> dict[str, Any]:
        result = self.of(field.shape)
        if field.description:
            result = {"description": _prose(field.description)} | result
        default = _plain(field.default)
        if not field.required and default not in (None, [], {}):
            result = result | {"default": default}
        return result | ({"examples": [_plain(example) for example in field.examples]} if field.examples else {})


def _row(items: list[dict[str, Any]], least: int) -> dict[str, Any]:
    return {"type": "array", "prefixItems": items, "items": False, "minItems": least, "maxItems": len(items)}


def _names(key: dict[str, Any]) -> dict[str, Any]:
    """A key's schema: whatever it means, it is written as text."""
    return {word: value for word, value in key.items() if word != "type"}


def _given(limits: dict[str, Any]) -> dict[str, Any]:
    return {word: limit for word, limit in limits.items() if limit is not None}


def _name(shape: Record) -> str:
    """A name for a Struct that is safe in a reference; parameters of a generic one are part of it."""
    return re.sub(r"\W+", "_", getattr(shape.type, "__qualname__", "") or str(shape.type)).strip("_").removeprefix("_")


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        here = {str(value["$ref"]).rpartition("/")[2]} if "$ref" in value else set[str]()
        return here | _references(list(value.values()))
    if isinstance(value, list):
        return set[str]().union(*(_references(item) for item in value))
    return set()


def _plain(value: Any) -> Any:
    """A default or an example as JSON, with decimals as people would write them."""
    if value is MISSING or value is msgspec.UNSET:
        return None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dt.time):
        return value.isoformat("minutes")
    if isinstance(value, msgspec.Struct):
        # Its own type says what it consists of; repeating that here would only be noise.
        return None
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return msgspec.to_builtins(value)


def _prose(text: str) -> str:
    """A docstring as Markdown: one line for each paragraph or list entry, single backticks, no roles."""
    text = re.sub(r":\w+:`~?([^`]*)`", lambda match: f"`{match[1].rpartition('.')[2]}`", text).replace("``", "`")
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(text))
    return "\n\n".join(re.sub(r"\n(?![-*] )\s*", " ", paragraph) for paragraph in paragraphs)


# The reference


def _records(root: Shape) -> list[Record]:
    """Every Struct that the shape reaches, in the order in which a reader of the document meets them."""
    found: list[Record] = []
    waiting = [root]
    while waiting:
        shape = waiting.pop(0)
        if isinstance(shape, Record) and shape not in found:
            found.append(shape)
            waiting += [field.shape for field in shape.fields]
        elif isinstance(shape, OneOf):
            waiting[:0] = shape.members
        elif isinstance(shape, Sequence):
            waiting.insert(0, shape.item)
        elif isinstance(shape, Row):
            waiting[:0] = shape.items
        elif isinstance(shape, Mapping):
            waiting[:0] = [shape.key, shape.value]
    return found


def _section(record: Record) -> list[str]:
    lines = [f"## {_name(record)}", ""]
    if record.description:
        lines += [_prose(record.description), ""]
    if record.array_like:
        lines += [f"Written as a list: `[{', '.join(field.key for field in record.fields)}]`.", ""]
    if record.tag_field is not None:
        lines += [f"Marked by `{record.tag_field}: {record.tag}`.", ""]
    if not record.fields:
        return lines
    lines += ["| Field | Holds | Unless given | Meaning |", "| --- | --- | --- | --- |"]
    for field in record.fields:
        cells = (f"`{field.key}`", _holds(field.shape), _default(field), _prose(field.description))
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return [*lines, ""]


def _holds(shape: Shape) -> str:
    if isinstance(shape, Record):
        return f"[{_name(shape)}](#{_name(shape).lower()})"
    if isinstance(shape, OneOf):
        return " or ".join(_holds(member) for member in shape.members if not isinstance(member, Null))
    if isinstance(shape, Choice):
        return " or ".join(f"`{written}`" for written in shape.written)
    if isinstance(shape, Sequence):
        return f"list of {_holds(shape.item)}"
    if isinstance(shape, Row):
        return "list: " + ", ".join(_holds(item) for item in shape.items)
    if isinstance(shape, Mapping):
        names = "names" if isinstance(shape.key, Text) else _holds(shape.key)
        return f"{names}, each with {_holds(shape.value)}"
    if isinstance(shape, Number):
        return "whole number" if shape.type is int else "number"
    if isinstance(shape, Parsed):
        return _PARSED[shape.type][1]
    return {Text: "text", Boolean: "true or false", Null: "nothing", Anything: "anything"}[type(shape)]


def _default(field: Field) -> str:
    if field.required:
        return "required"
    default = _plain(field.default)
    if default in (None, [], {}, ""):
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{', '.join(map(str, default))}`" if isinstance(default, list) else f"`{default}`"
