"""Bytes to a document, or all findings at once, each with its line, its path, the value as written and the repair.

    reading = read(data, Contract, name="iberia.yaml")
    reading.document        the contract, or None if anything is wrong with it
    reading.findings        everything that is wrong
    reading.at("$.kpis.tat.levels[0]")     line and column of a place, for checks that look at meaning

and back again: `write(document)` gives YAML that reads as the same document.

Reading takes two steps. `contracts.nodes` turns bytes into a tree of values with positions; the walk in this module holds the tree
against the shape of the type, leaf by leaf, so that one fault never hides another. A type has its say in `__post_init__`, as soon as
all of its own fields are right.
"""

from __future__ import annotations

import datetime as dt
import difflib
import enum
import json
import operator
import re
import uuid
from collections.abc import Iterable
from collections.abc import Mapping as AbstractMapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec

from contracts.errors import DocumentRefused, Finding, RefusedValue, Where, below, has_errors, in_order
from contracts.holes import HOLE, Incomplete, Unread, unguarded
from contracts.nodes import (
    MAX_BYTES,
    MAX_DIGITS,
    Node,
    Tree,
    is_number_in_disguise,
    listed,
    means_more_than_text,
    number_of,
    short,
    shown,
    tree_of,
)
from contracts.shape import (
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
    record_of,
    shape_of,
)

__all__ = ["MAX_BYTES", "Reading", "read", "read_tree", "write", "write_on_one_line"]

T = TypeVar("T")


class Reading(msgspec.Struct, Generic[T], frozen=True):
    """What came of reading a document of type T."""

    document: T | None
    """The document; None if any finding is an error."""

    findings: list[Finding]
    """In the order of the document."""

    partial: T | None
    """All of the document that could be read, with a hole (`contracts.holes`) in place of whatever could not; equal to `document` if
    nothing is wrong. For checks of meaning, which so report beside the faults of form and not about them."""

    left_out: tuple[str, ...]
    """The paths of the holes, and of parts whose fields do not go together."""

    name: str
    root: Node | None

    def at(self, path: str) -> tuple[int, int]:
        """Line and column, from 1, of a place; of the nearest place around it if the document does not write it out. Without any
        document to point into: (0, 0).
        """
        where = self.where(path)
        return where.line, where.column

    def where(self, path: str) -> Where:
        """The same with the value as written, for a finding."""
        written = self.root
        if written is None:
            return Where(path, name=self.name)
        for word, index, quoted in _STEP.findall(path):
            found = _below(written, word, index, quoted)
            if found is None:
                return Where(path, written.line, written.column, "", self.name)
            written = found
        return Where(path, written.line, written.column, _written(written), self.name)

    def is_written(self, path: str) -> bool:
        """Whether the document writes this place out, rather than leaving it to its default."""
        return self.root is not None and _node_at(self.root, path) is not None

    def locate(self, findings: Iterable[Finding]) -> list[Finding]:
        """Findings of checks that know only paths, with lines and values added."""
        return [
            msgspec.structs.replace(finding, where=self.where(finding.where)) if isinstance(finding.where, str) else finding
            for finding in findings
        ]

    def required(self) -> T:
        """The document. Raises DocumentRefused with all findings if there is none."""
        if self.document is None:
            raise DocumentRefused(self.findings, name=self.name)
        return self.document


_STEP = re.compile(r"""\.([\w-]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]""")


def _below(node: Node, word: str, index: str, quoted: str) -> Node | None:
    """The value one step further down, if it is written."""
    if index:
        return node.items[int(index)] if int(index) < len(node.items) else None
    entry = node.entries.get(json.loads(quoted) if quoted else word)
    return entry.node if entry else None


def _node_at(root: Node, path: str) -> Node | None:
    found: Node | None = root
    for step in _STEP.findall(path):
        found = _below(found, *step) if found is not None else None
    return found


def read(data: bytes | str, type_: type[T], *, name: str = "") -> Reading[T]:
    """Reads YAML or JSON as a document of the type. Never raises, whatever the bytes.

    `name` appears in findings; its ending, .json or .yaml, decides the form, and without one the content does.
    Raises TypeError only if the type itself is nothing a document can hold.
    """
    return read_tree(tree_of(data, name=name), type_)


def read_tree(tree: Tree, type_: type[T]) -> Reading[T]:
    """The same for a tree that has been read already, and perhaps completed from elsewhere. Its findings are among the answer's."""
    shape = shape_of(type_)
    value: Any = HOLE
    left_out: list[str] = []
    if tree.root is not None:
        if tree.root.kind == "null":
            tree.report(1, 1, "$", "The document is empty", _repair(shape))
        else:
            walk = _Walk(tree)
            value = walk.take(tree.root, shape, "$")
            left_out = walk.left_out
    elif not tree.findings:
        tree.report(1, 1, "$", "The document is empty", _repair(shape))
    partial = None if value is HOLE else value
    document = None if has_errors(tree.findings) else partial
    return Reading(document, in_order(tree.findings), partial, tuple(left_out), tree.name, tree.root)


class _Walk:
    """Holds a tree against a shape. Every `take_…` answers a value, or `HOLE` after reporting why."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.left_out: list[str] = []

    def take(self, node: Node, shape: Shape, path: str) -> Any:
        value = HOLE if node.kind == "unusable" else self.take_as(node, shape, path)
        if value is HOLE:
            self.left_out.append(path)
        return value

    def take_as(self, node: Node, shape: Shape, path: str) -> Any:
        if isinstance(shape, Record):
            return self.take_row_record(node, shape, path) if shape.array_like else self.take_record(node, shape, path)
        if isinstance(shape, OneOf):
            return self.take_one_of(node, shape, path)
        if isinstance(shape, Mapping):
            return self.take_mapping(node, shape, path)
        if isinstance(shape, Sequence):
            return self.take_sequence(node, shape, path)
        if isinstance(shape, Row):
            return self.take_row(node, shape, path)
        if isinstance(shape, Anything):
            return self.take_anything(node)
        return self.take_scalar(node, shape, path)

    # Reporting

    def refuse(self, node: Node, path: str, message: str, repair: str) -> Any:
        self.tree.report(node.line, node.column, path, message, repair, value=_written(node))
        return HOLE

    def mismatch(self, node: Node, shape: Shape, path: str) -> Any:
        if node.kind == "null":
            return self.refuse(node, path, f"Nothing is written here; {_expected(shape)} is expected", _repair(shape))
        shown_value = node.shown()
        return self.refuse(node, path, f"{shown_value[0].upper()}{shown_value[1:]} is not {_expected(shape)}", _repair(shape, node))

    # Lists and mappings

    def take_record(self, node: Node, shape: Record, path: str, others: AbstractSet[str] = frozenset()) -> Any:
        """`others` are the fields of the other forms that could have stood here."""
        if node.kind != "mapping":
            return self.mismatch(node, shape, path)
        values: dict[str, Any] = {}
        is_sure = not node.incomplete
        absent = {field.key: field for field in shape.fields if field.key not in node.entries}
        for key, entry in node.entries.items():
            if key == shape.tag_field:
                is_sure &= self.is_tagged(entry.node, [shape], below(path, key))
                continue
            field = shape.by_key.get(key)
            if field is None and shape.closed:
                is_sure = False
                field, is_certain = self.unknown_field(key, entry.line, entry.column, shape, node, below(path, key), others)
                if field is not None and not is_certain:
                    absent.pop(field.key, None)
                    values.setdefault(field.name, HOLE)
                    field = None
            if field is None:
                continue
            absent.pop(field.key, None)
            values[field.name] = self.take(entry.node, field.shape, below(path, key))
        for field in absent.values():
            if field.required and not node.incomplete:
                self.tree.report(node.line, node.column, below(path, field.key), f"The field `{field.key}` is missing", _add(field))
                self.left_out.append(below(path, field.key))
            if field.required or node.incomplete:
                values[field.name] = HOLE
        part = self.build(shape, values, node, path, is_sure=is_sure)
        # Of a part with an entry that could not even be named, nobody knows what it says; of the document itself there is still the rest.
        return HOLE if node.incomplete and path != "$" else part

    def unknown_field(
        self, key: str, line: int, column: int, shape: Record, node: Node, path: str, others: AbstractSet[str]
    ) -> tuple[Field | None, bool]:
        """Reports a field that does not exist; answers the one it was probably meant to be, and whether that is certain enough to hold
        its value against the other field's shape as well.
        """
        if key in others:
            given = next((name for name in node.entries if name in shape.by_key and name not in others), "the other fields")
            self.tree.report(line, column, path, f"`{key}` does not go together with `{given}`", "Keep one of the two.", value=key)
            return None, False
        absent = [field.key for field in shape.fields if field.key not in node.entries]
        meant = _nearest(key, absent)
        if meant is not None:
            self.tree.report(line, column, path, f"There is no field {shown(key)} here", f"Did you mean `{meant}`?", value=key)
            return shape.by_key[meant], _is_slip(key, meant)
        known = ", ".join(f"`{name}`" for name in absent)
        repair = f"Delete it, or use one of these: {known}." if known else "Delete it."
        self.tree.report(line, column, path, f"There is no field {shown(key)} here", repair, value=key)
        return None, False

    def build(self, shape: Record, values: dict[str, Any], node: Node, path: str, *, is_sure: bool) -> Any:
        """The Struct. Its own word about its fields is heard even if some are holes, as long as it does not ask for these; unless a
        field was written under a name that does not exist, for then it would speak of what only seems to be missing.
        """
        try:
            if not any(value is HOLE for value in values.values()):
                return shape.type(**values)
            part = unguarded(shape.origin)(**values)
            if hasattr(shape.origin, "__post_init__"):
                shape.origin.__post_init__(part)
            return part
        except Unread:
            pass
        except RefusedValue as error:
            if is_sure:
                entry = node.entries.get(error.field)
                here = below(path, error.field) if error.field else path
                self.refuse(entry.node if entry else node, here, error.message, error.repair)
                self.left_out.append(here)
                if error.field in shape.by_key:
                    values[shape.by_key[error.field].name] = HOLE
        except (ValueError, TypeError, ArithmeticError) as error:
            if is_sure:
                self.refuse(node, path, *_sentences(error))
                self.left_out.append(path)
        return unguarded(shape.origin)(**values)

    def take_row_record(self, node: Node, shape: Record, path: str) -> Any:
        """A Struct written as a list, its fields in order."""
        if node.kind != "list":
            return self.mismatch(node, shape, path)
        least = sum(field.required for field in shape.fields)
        if len(node.items) < least or (len(node.items) > len(shape.fields) and shape.closed):
            return self.refuse(node, path, f"{node.shown().capitalize()} is not {_expected(shape)}", _repair(shape))
        values = {
            field.name: self.take(item, field.shape, below(path, index))
            for index, (field, item) in enumerate(zip(shape.fields, node.items, strict=False))
        }
        return self.build(shape, values, node, path, is_sure=True)

    def take_mapping(self, node: Node, shape: Mapping, path: str) -> Any:
        if node.kind != "mapping":
            return self.mismatch(node, shape, path)
        result: dict[Any, Any] = {}
        has_all = not node.incomplete
        for written, entry in node.entries.items():
            here = below(path, written)
            key = self.take_key(written, entry.line, entry.column, shape.key, here)
            value = self.take(entry.node, shape.value, here)
            if key is not HOLE and key in result:
                message = f"The key {shown(written)} stands twice"
                self.tree.report(entry.line, entry.column, here, message, "Keep one of the two.", value=written)
                key = HOLE
            if key is HOLE:
                self.left_out.append(here)
                has_all = False
            else:
                result[key] = value
        if not has_all:
            result = Incomplete(result)
        return self.bounded(result, len(node.entries), shape, node, path, "entries")

    def take_key(self, written: str, line: int, column: int, shape: Shape, path: str) -> Any:
        if isinstance(shape, Text | Anything) and not (isinstance(shape, Text) and (shape.pattern or shape.min_length or shape.max_length)):
            return written
        try:
            number = number_of(written)
        except OverflowError:
            number = None
        if number is not None and not isinstance(shape, Text | Choice):
            return self.take(Node("number", number, written, line, column), shape, path)
        return self.take(Node("text", written, written, line, column), shape, path)

    def take_sequence(self, node: Node, shape: Sequence, path: str) -> Any:
        if node.kind != "list":
            return self.mismatch(node, shape, path)
        result: list[Any] = []
        for index, item in enumerate(node.items):
            here = below(path, index)
            value = self.take(item, shape.item, here)
            if shape.unique and value is not HOLE and value in result:
                self.refuse(item, here, f"{item.shown()} stands twice in the list", "Delete one of the two.")
            elif value is not HOLE or not shape.unique:  # A set has no place for what it cannot compare.
                result.append(value)
        return self.bounded(shape.build(result), len(node.items), shape, node, path, "entries")

    def bounded(self, value: Any, length: int, shape: Mapping | Sequence, node: Node, path: str, things: str) -> Any:
        if shape.min_length is not None and length < shape.min_length:
            self.refuse(node, path, f"{length} {things} are too few", f"Write at least {shape.min_length}.")
        if shape.max_length is not None and length > shape.max_length:
            self.refuse(node, path, f"{length} {things} are too many", f"Write at most {shape.max_length}.")
        return value

    def take_row(self, node: Node, shape: Row, path: str) -> Any:
        if node.kind != "list":
            return self.mismatch(node, shape, path)
        if len(node.items) != len(shape.items):
            return self.refuse(node, path, f"{node.shown().capitalize()} is not {_expected(shape)}", _repair(shape))
        values = [self.take(item, expected, below(path, i)) for i, (item, expected) in enumerate(zip(node.items, shape.items, strict=True))]
        return tuple(values)

    def take_anything(self, node: Node) -> Any:
        if node.kind == "mapping":
            return {key: self.take_anything(entry.node) for key, entry in node.entries.items()}
        if node.kind == "list":
            return [self.take_anything(item) for item in node.items]
        return node.content

    # Unions

    def take_one_of(self, node: Node, shape: OneOf, path: str) -> Any:
        if node.kind == "null" and any(isinstance(member, Null | Anything) for member in shape.members):
            return None
        members = [member for member in shape.members if not isinstance(member, Null)]
        fitting: list[Shape] = []
        if node.kind == "mapping":
            fitting = [m for m in members if isinstance(m, Mapping) or (isinstance(m, Record) and not m.array_like)]
            records = [m for m in fitting if isinstance(m, Record)]
            if len(records) > 1 and len(records) == len(fitting):
                return self.take_record_of(node, records, path)
        elif node.kind == "list":
            fitting = [m for m in members if isinstance(m, Sequence | Row) or (isinstance(m, Record) and m.array_like)]
        elif node.kind != "null":
            return self.take_scalar_of(node, members, shape, path)
        if not fitting:
            return self.mismatch(node, shape.without_null, path)
        return self.first_without_fault(node, fitting, path)

    def first_without_fault(self, node: Node, fitting: list[Shape], path: str) -> Any:
        """The first member that reads without a finding; if none does, the first one's findings."""
        if len(fitting) == 1:
            return self.take(node, fitting[0], path)
        for member in fitting:
            trial = _Walk(Tree(self.tree.name))
            value = trial.take(node, member, path)
            if not trial.tree.findings:
                return value
        return self.take(node, fitting[0], path)

    def take_record_of(self, node: Node, records: list[Record], path: str) -> Any:
        """Which of several Structs is meant: the tag says so, or else the fields that only one of them requires."""
        tag_field = records[0].tag_field
        if tag_field is not None:
            entry = node.entries.get(tag_field)
            if entry is None:
                if not node.incomplete:
                    kinds = ", ".join(str(record.tag) for record in records)
                    self.tree.report(
                        node.line,
                        node.column,
                        below(path, tag_field),
                        f"The field `{tag_field}` is missing, which says what kind this is",
                        f"Add `{tag_field}:` with one of {kinds}.",
                    )
                return HOLE
            if not self.is_tagged(entry.node, records, below(path, tag_field)):
                return HOLE
            return self.take_record(node, next(record for record in records if record.tag == entry.node.content), path)

        def fit(record: Record) -> tuple[bool, int]:
            keys = node.entries.keys()
            return (
                all(field.key in keys for field in record.fields if field.required),
                sum(key in record.by_key for key in keys) - sum(key not in record.by_key for key in keys),
            )

        best = max(records, key=fit)
        if not any(key in best.by_key for key in node.entries) and not _nearest_of(node.entries, best):
            forms = " or ".join(" and ".join(f"`{f.key}`" for f in record.fields if f.required) for record in records)
            return self.refuse(node, path, f"{node.shown().capitalize()} is none of the forms that may stand here", f"Write {forms}.")
        others = frozenset(key for record in records if record is not best for key in record.by_key) - best.by_key.keys()
        return self.take_record(node, best, path, others)

    def is_tagged(self, node: Node, records: list[Record], path: str) -> bool:
        if node.kind == "unusable":
            return False
        if any(node.content == record.tag for record in records):
            return True
        self.take_scalar(node, Choice(tuple((str(record.tag), record.tag) for record in records)), path)
        return False

    def take_scalar_of(self, node: Node, members: list[Shape], shape: OneOf, path: str) -> Any:
        scalars = [m for m in members if isinstance(m, Text | Number | Boolean | Choice | Parsed | Anything)]
        has_text = any(isinstance(m, Text) for m in scalars)
        has_number = any(isinstance(m, Number) for m in scalars)
        if node.kind == "text" and has_text and has_number and is_number_in_disguise(node.text):
            # As text it would pass for a name, where a figure was meant.
            return self.refuse(node, path, f"{node.shown()} is not a number", _repair(Number(Decimal), node))
        for member in sorted(scalars, key=_preference):
            if node.kind == "text" and has_text and isinstance(member, Number):
                continue
            trial = _Walk(Tree(self.tree.name))
            value = trial.take(node, member, path)
            if value is not HOLE:
                return value
        if len(scalars) == 1:
            return self.take(node, scalars[0], path)
        return self.mismatch(node, shape.without_null, path)

    # Leaves

    def take_scalar(self, node: Node, shape: Shape, path: str) -> Any:
        if isinstance(shape, Null):
            return None if node.kind == "null" else self.mismatch(node, shape, path)
        if isinstance(shape, Boolean):
            return node.content if node.kind == "bool" else self.mismatch(node, shape, path)
        if isinstance(shape, Text):
            return self.take_text(node, shape, path)
        if isinstance(shape, Number):
            return self.take_number(node, shape, path)
        if isinstance(shape, Choice):
            for written, meant in shape.members:
                if node.content == written and isinstance(node.content, bool) == isinstance(written, bool):
                    return meant
            return self.mismatch(node, shape, path)
        if isinstance(shape, Parsed):
            return self.take_parsed(node, shape, path)
        raise TypeError(f"a document cannot hold {shape}")

    def take_text(self, node: Node, shape: Text, path: str) -> Any:
        if node.kind != "text":
            return self.mismatch(node, shape, path)
        text = node.text
        if shape.min_length is not None and len(text) < shape.min_length:
            message = f"{node.shown()} is too short" if text else "The text is empty"
            return self.refuse(node, path, message, f"Write at least {_count(shape.min_length, 'character')}.")
        if shape.max_length is not None and len(text) > shape.max_length:
            return self.refuse(node, path, f"{node.shown()} is too long", f"Write at most {_count(shape.max_length, 'character')}.")
        if shape.pattern is not None and not re.search(shape.pattern, text):
            return self.refuse(node, path, f"{node.shown()} does not have the form {shape.pattern}", "Write it in that form.")
        return text

    def take_number(self, node: Node, shape: Number, path: str) -> Any:
        number = node.content
        if node.kind == "text" and shape.type is Decimal:
            try:
                number = number_of(node.text)
            except OverflowError:
                number = None
        if isinstance(number, bool) or not isinstance(number, int | Decimal) or (shape.type is int and isinstance(number, Decimal)):
            return self.mismatch(node, shape, path)
        for bound, within, words in (
            (shape.ge, operator.ge, "at least"),
            (shape.gt, operator.gt, "more than"),
            (shape.le, operator.le, "at most"),
            (shape.lt, operator.lt, "less than"),
        ):
            if bound is not None and not within(number, bound):
                return self.refuse(node, path, f"{node.shown()} is not {words} {bound}", f"Write a number of {words} {bound}.")
        return shape.type(number)

    def take_parsed(self, node: Node, shape: Parsed, path: str) -> Any:
        if node.kind != "text":
            return self.mismatch(node, shape, path)
        # A time of day is written as people write it, 10:00; msgspec wants the seconds too.
        text = node.text + ":00" if shape.type is dt.time and re.fullmatch(r"\d\d:\d\d", node.text) else node.text
        try:
            return msgspec.convert(text, shape.type)
        except (msgspec.ValidationError, ValueError, OverflowError):
            return self.mismatch(node, shape, path)


def _sentences(error: Exception) -> tuple[str, str]:
    """What is wrong and what to do, from the words of an ordinary exception: by convention `what is wrong; what to do`."""
    message, _, repair = str(error).partition("; ")
    return message, f"{repair[:1].upper()}{repair[1:].rstrip('.')}." if repair else ""


def _written(node: Node) -> str:
    return "" if node.kind in ("list", "mapping", "null") else short(node.text)


def _preference(shape: Shape) -> int:
    """Which member of a union is asked first: exact words before forms, forms before any text at all."""
    order = (Choice, Boolean, Number, Parsed, Text, Anything)
    whole_numbers_first = 0 if isinstance(shape, Number) and shape.type is int else 1
    return order.index(type(shape)) * 2 + whole_numbers_first


_SLIP = 0.8
"""How alike two names are, from 0 to 1, if one of them is the other with a slip of the pen."""


def _nearest(key: str, candidates: Iterable[str]) -> str | None:
    """The name that was probably meant."""
    names = list(candidates)
    plain = key[:60].lower().replace("-", "_").replace(" ", "_")
    by_plain = {name.lower(): name for name in names}
    if plain in by_plain:
        return by_plain[plain]
    close = difflib.get_close_matches(plain, list(by_plain), n=1, cutoff=0.7)
    return by_plain[close[0]] if close else None


def _is_slip(written: str, meant: str) -> bool:
    return difflib.SequenceMatcher(None, written[:60].lower().replace("-", "_"), meant.lower()).ratio() >= _SLIP


def _nearest_of(keys: Iterable[str], record: Record) -> bool:
    return any(_nearest(key, record.by_key) for key in keys)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


# The words for what is expected, and for the repair. One place each, so that all fields speak the same language.


def _expected(shape: Shape) -> str:
    if isinstance(shape, Number):
        return "a whole number" if shape.type is int else "a number"
    if isinstance(shape, Text):
        return "text"
    if isinstance(shape, Boolean):
        return "true or false"
    if isinstance(shape, Choice):
        written = [str(value) for value in shape.written]
        return written[0] if len(written) == 1 else f"one of {', '.join(written)}"
    if isinstance(shape, Parsed):
        return {
            dt.date: "a day",
            dt.time: "a time of day",
            dt.datetime: "a moment",
            dt.timedelta: "a duration",
            uuid.UUID: "a UUID",
        }[shape.type]
    if isinstance(shape, Sequence):
        return "a list"
    if isinstance(shape, Row):
        return f"a list of {len(shape.items)}: {', '.join(_expected(item) for item in shape.items)}"
    if isinstance(shape, Record) and shape.array_like:
        return f"a list of {', '.join(field.key for field in shape.fields)}"
    if isinstance(shape, Record):
        return "a mapping of " + listed([field.key for field in shape.fields])
    if isinstance(shape, Mapping):
        return "a mapping of names to values"
    if isinstance(shape, OneOf):
        words = list(dict.fromkeys(_expected(member) for member in shape.members))
        return " or ".join(word if i == 0 else re.sub("^a mapping of", "of", word) for i, word in enumerate(words))
    return "empty" if isinstance(shape, Null) else "a value"


def _repair(shape: Shape, node: Node | None = None) -> str:
    if isinstance(shape, OneOf):
        shape = shape.without_null
    if isinstance(shape, Number):
        return _repair_number(shape, node)
    if isinstance(shape, Text):
        quoted = json.dumps(node.text, ensure_ascii=False) if node and node.kind in ("number", "bool", "null") else ""
        return f"Put it in quotes: {short(quoted)}." if quoted else "Write text."
    if isinstance(shape, Boolean):
        return "Write true or false."
    if isinstance(shape, Choice):
        names = [str(value) for value in shape.written]
        meant = _nearest(node.text, names) if node and node.kind == "text" else None
        return f"Did you mean {meant}?" if meant and len(names) > 1 else f"Write {_expected(shape)}."
    if isinstance(shape, Parsed) and shape.type is dt.time and node and re.fullmatch(r"\d:[0-5]\d", node.text):
        return f"Write 0{node.text}."
    if isinstance(shape, Parsed):
        return {
            dt.date: "Write a day that exists as year-month-day, such as 2026-03-01.",
            dt.time: "Write hours and minutes, such as 10:00.",
            dt.datetime: "Write a moment with its offset, such as 2026-03-01T10:00:00+01:00.",
            dt.timedelta: "Write a duration such as P5D or PT4H.",
            uuid.UUID: "Write a UUID such as 0f8fad5b-d9cb-469f-a165-70867728950e.",
        }[shape.type]
    if isinstance(shape, Sequence):
        if node is not None and node.kind in ("text", "number") and node.text.isprintable():
            return f"Write a list: [{short(node.text)}]."
        return "Write a list, each entry on a line of its own after `- `."
    if isinstance(shape, Record) and not shape.array_like:
        required = [field.key for field in shape.fields if field.required]
        return f"Write its fields: {listed(required or [field.key for field in shape.fields])}."
    if isinstance(shape, Mapping):
        return "Write a name, a colon and a value for each entry."
    return f"Write {_expected(shape)}."


def _repair_number(shape: Number, node: Node | None) -> str:
    if node is not None:
        bare = node.text.strip().replace("_", "").replace(" ", "").rstrip("%")
        if re.fullmatch(r"-?\d+,\d{1,2}", bare):
            bare = bare.replace(",", ".")
        elif re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", bare):
            bare = bare.replace(",", "")
        bare = re.sub(r"^(-?)0+(?=\d)", r"\1", bare)
        if re.fullmatch(r"-?\d+(\.\d+)?", bare) and bare.isascii() and len(bare) <= MAX_DIGITS:
            if shape.type is not int:
                return f"Write {bare}." if bare != node.text else "Write it with fewer digits."
            if "." not in bare:
                return f"Write {bare} without quotes." if bare == node.text else f"Write {bare}."
    return "Write a whole number such as 3." if shape.type is int else "Write a number such as 95 or 95.5."


def _add(field: Field) -> str:
    examples = {Text: "some text", Number: "a number", Boolean: "true or false"}
    return f"Add `{field.key}:` with {examples.get(type(field.shape), _expected(field.shape))}."


# Writing


def write(document: Any) -> bytes:
    """The document as YAML in UTF-8: fields in the order of their type, those with their default value left out, numbers and days
    plain, text quoted only where it would otherwise read as something else. `read` gives the same document back.

    Raises TypeError for a value that no document holds.
    """
    writer = _Writer()
    value = writer.plain(document)
    lines = list(writer.block(value, 0)) if isinstance(value, dict | list) and value else [writer.flow(value)]
    return ("\n".join(lines) + "\n").encode()


def write_on_one_line(value: Any) -> str:
    """A value as YAML on a single line, `{missed: target, last: 3}`, for a place that has no more room. `read` gives it back.

    Raises TypeError for a value that no document holds.
    """
    writer = _Writer()
    return writer.flow(writer.plain(value))


class _Writer:
    WIDTH = 110

    def plain(self, value: Any) -> Any:
        """Structs and values of all kinds as dicts, lists, text and the plain tokens of numbers, days and so on."""
        if isinstance(value, msgspec.Struct):
            return self.record(value)
        if isinstance(value, AbstractMapping):
            return {_key(key): self.plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(item) for item in value]
        if isinstance(value, set | frozenset):
            return sorted((self.plain(item) for item in value), key=_order)
        if isinstance(value, enum.Enum):
            return self.plain(value.value)
        if value is None or isinstance(value, bool):
            return _Token("null" if value is None else "true" if value else "false")
        if isinstance(value, str):
            return value
        if isinstance(value, int):
            return _Token(str(value))
        if isinstance(value, Decimal | float):
            number = value if isinstance(value, Decimal) else Decimal(repr(value))
            text = f"{number or number.copy_abs():f}" if number.is_finite() else ""
            if not text or len(text) > MAX_DIGITS:
                raise TypeError(f"no document holds the number {value}")
            return _Token(text)
        if isinstance(value, dt.time):
            return value.isoformat("minutes") if not value.second and not value.microsecond else value.isoformat()
        if isinstance(value, dt.date | dt.timedelta | uuid.UUID):
            return msgspec.to_builtins(value)
        raise TypeError(f"no document holds a {type(value).__name__}")

    def record(self, value: msgspec.Struct) -> Any:
        shape = record_of(type(value))
        if shape.array_like:
            return [self.plain(getattr(value, field.name)) for field in shape.fields]
        written: dict[str, Any] = {} if shape.tag_field is None else {shape.tag_field: self.plain(shape.tag)}
        for field in shape.fields:
            item = getattr(value, field.name)
            if item is msgspec.UNSET or (not field.required and _same(item, field.default)):
                continue
            written[field.key] = self.plain(item)
        return written

    def block(self, value: dict[str, Any] | list[Any], indent: int) -> Iterable[str]:
        margin = " " * indent
        if isinstance(value, dict):
            for key, item in value.items():
                head = f"{margin}{_scalar(key)}:"
                if _is_simple(item) and len(line := f"{head} {self.flow(item)}") <= self.WIDTH:
                    yield line
                elif isinstance(item, dict | list) and item:
                    yield head
                    yield from self.block(item, indent + 2)
                else:
                    yield from _scalar_lines(head, item, indent + 2)
            return
        for item in value:
            if (_is_simple(item) or _is_flat(item)) and len(line := f"{margin}- {self.flow(item)}") <= self.WIDTH:
                yield line
            elif isinstance(item, dict | list) and item:
                first, *rest = self.block(item, indent + 2)
                yield f"{margin}- {first[indent + 2 :]}"
                yield from rest
            else:
                yield from _scalar_lines(f"{margin}-", item, indent + 2)

    def flow(self, value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{_scalar(key, flow=True)}: {self.flow(item)}" for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self.flow(item) for item in value) + "]"
        return _scalar(value, flow=True)


class _Token:
    """Stands in a document without quotes: a number, true, false or null."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


# A text may stand without quotes if it begins like a word or a date and holds nothing that YAML could take for structure.
_PLAIN = re.compile(r"(?:[^\W_]|[_/(])(?:[\w ./()+*=<>%€$£;!?'’–—-]|:(?=\S)|,(?= ?\S))*(?<! )")
_PLAIN_IN_FLOW = re.compile(r"(?:[^\W_]|[_/(])[\w ./()+*=<>%€$£;!'’–—-]*(?<! )")


def _scalar(text: str | _Token, *, flow: bool = False) -> str:
    """Text as YAML, with quotes only if it would not be read as the same text without."""
    if isinstance(text, _Token):
        return text.text
    if (_PLAIN_IN_FLOW if flow else _PLAIN).fullmatch(text) and not means_more_than_text(text):
        return text
    if "'" not in text and text.isprintable():
        return f"'{text}'"
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character) or f"\\U{ord(character):08X}"


def _scalar_lines(head: str, item: Any, indent: int) -> Iterable[str]:
    """A scalar after its key or dash; text of several lines as a block that keeps them."""
    if isinstance(item, str) and "\n" in item.strip("\n") and _is_block_text(item):
        trailing = len(item) - len(item.rstrip("\n"))
        yield f"{head} |" + ("-" if trailing == 0 else "" if trailing == 1 else "+")
        for line in item.split("\n")[: None if trailing == 0 else -1]:
            yield " " * indent + line if line else ""
    elif isinstance(item, dict | list):
        yield f"{head} {'{}' if isinstance(item, dict) else '[]'}"
    else:
        yield f"{head} {_scalar(item)}"


def _order(value: Any) -> tuple[bool, Decimal, str]:
    """Sets have no order of their own: numbers by size, everything else by its letters."""
    text = value.text if isinstance(value, _Token) else str(value)
    number = number_of(text) if isinstance(value, _Token) else None
    return (number is None, Decimal(number or 0), text)


def _is_block_text(text: str) -> bool:
    lines = text.split("\n")
    return bool(lines[0]) and not lines[0].startswith(" ") and all(line.isprintable() and (line == "" or line.strip()) for line in lines)


def _is_simple(value: Any) -> bool:
    """A list of scalars, or of lists of scalars: short enough in meaning to stand on one line."""
    return isinstance(value, list) and all(
        not isinstance(item, dict | list) or (isinstance(item, list) and not any(isinstance(inner, dict | list) for inner in item))
        for item in value
    )


def _is_flat(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_simple(item) or not isinstance(item, dict | list) for item in value.values())


def _same(value: Any, default: Any) -> bool:
    """Whether leaving the value out reads as the same: 1, True and Decimal(1) are equal to Python but not to a reader."""
    return type(value) is type(default) and value == default


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, enum.Enum):
        return str(key.value)
    return f"{key:f}" if isinstance(key, Decimal) else str(msgspec.to_builtins(key))
