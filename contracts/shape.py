"""What a document type accepts, taken from its annotations: the one description that reading, writing, the JSON Schema and the
reference share, so that they cannot disagree.

    shape_of(Contract)  ->  Record(fields: contract: Text, currency: Text, kpis: Mapping(Text -> Record(...)), ...)

Accepted annotations: `str`, `int`, `Decimal`, `float`, `bool`, `None`, dates and times, `UUID`, `Literal`, `Enum`, `list`, `tuple`,
`set`, `frozenset`, `dict`, msgspec Structs (also tagged ones), unions of all these, and `Annotated[..., msgspec.Meta(...)]`. Unions
may be wider than msgspec's own: `Decimal | str` (a figure or a level's name) is one, and so are Structs that are told apart by the
fields they require.
"""

from __future__ import annotations

import ast
import datetime as dt
import enum
import functools
import inspect
import itertools
import textwrap
import types
import typing
import uuid
from collections.abc import Callable
from collections.abc import Mapping as AbstractMapping
from collections.abc import Sequence as AbstractSequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

MISSING = msgspec.NODEFAULT
"""Stands for a default that does not exist; `None` is a default like any other."""


class Shape:
    """What may stand at one place of a document."""


@dataclass(frozen=True)
class Anything(Shape):
    pass


@dataclass(frozen=True)
class Null(Shape):
    pass


@dataclass(frozen=True)
class Boolean(Shape):
    pass


@dataclass(frozen=True)
class Text(Shape):
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None


@dataclass(frozen=True)
class Number(Shape):
    type: type[int | float | Decimal]
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None


@dataclass(frozen=True)
class Parsed(Shape):
    """A value written as text in a form of its own: a date, a time of day, a moment, a duration, a UUID."""

    type: type


@dataclass(frozen=True)
class Choice(Shape):
    """One of a few values; `members` maps what is written to what it means."""

    members: tuple[tuple[str | int | bool, Any], ...]
    type: type | None = None

    @property
    def written(self) -> list[str | int | bool]:
        return [written for written, _ in self.members]


@dataclass(frozen=True)
class Sequence(Shape):
    item: Shape
    build: Callable[[list[Any]], Any]
    unique: bool = False
    min_length: int | None = None
    max_length: int | None = None


@dataclass(frozen=True)
class Row(Shape):
    """A list of fixed length, each place with its own meaning."""

    items: tuple[Shape, ...]


@dataclass(frozen=True)
class Mapping(Shape):
    key: Shape
    value: Shape
    min_length: int | None = None
    max_length: int | None = None


@dataclass(frozen=True)
class OneOf(Shape):
    members: tuple[Shape, ...]

    @functools.cached_property
    def without_null(self) -> Shape:
        kept = tuple(member for member in self.members if not isinstance(member, Null))
        return kept[0] if len(kept) == 1 else OneOf(kept)


@dataclass(frozen=True)
class Field:
    name: str
    """The attribute's name."""

    key: str
    """The name in the document; the two differ where the word is taken in Python (`from_`, `from`)."""

    shape: Shape
    required: bool
    default: Any
    """The default value, or `MISSING`. A default made by a factory is one fresh result of it: compare with it, never hand it out."""

    examples: tuple[Any, ...] = ()
    said: str = ""
    """What the annotation itself says of the field; without it the docstring below the field speaks."""

    struct: type | None = None
    """The Struct it is a field of."""

    @property
    def description(self) -> str:
        """What the field means.  Looked up when asked for: docstrings are read out of the source, which takes longer than a contract."""
        return self.said or (attribute_docstrings(self.struct).get(self.name, "") if self.struct is not None else "")


class Record(Shape):
    """A msgspec Struct. Its fields are looked at when first asked for, which is what lets a type contain itself."""

    def __init__(self, type_: Any) -> None:
        self.type: Any = type_
        self.origin: type[msgspec.Struct] = get_origin(type_) or type_
        config = self.origin.__struct_config__
        self.closed: bool = config.forbid_unknown_fields
        self.array_like: bool = config.array_like
        self.tag: str | int | None = config.tag
        self.tag_field: str | None = config.tag_field if config.tag is not None else None

    def __repr__(self) -> str:
        return f"Record({self.origin.__name__})"

    @functools.cached_property
    def fields(self) -> tuple[Field, ...]:
        fields = []
        for info in msgspec.structs.fields(self.type):
            annotated, description, examples = _annotation(info.type)
            factory = info.default_factory
            fields.append(
                Field(
                    name=info.name,
                    key=info.encode_name,
                    shape=annotated,
                    required=info.required,
                    default=info.default if factory is msgspec.NODEFAULT else factory(),
                    examples=examples,
                    said=description,
                    struct=self.origin,
                )
            )
        return tuple(fields)

    @functools.cached_property
    def by_key(self) -> AbstractMapping[str, Field]:
        return {field.key: field for field in self.fields}

    @property
    def description(self) -> str:
        # A Struct without a docstring of its own would otherwise show its base's.
        return inspect.cleandoc(self.origin.__dict__.get("__doc__") or "")


def shape_of(type_: Any) -> Shape:
    """The shape of an annotation. Raises TypeError, naming it, where a document cannot hold such a thing."""
    return _annotation(type_)[0]


def attribute_docstrings(struct: type) -> dict[str, str]:
    """Each field's docstring: the string that stands beneath its annotation, in the class or the nearest base that has one."""
    found: dict[str, str] = {}
    for cls in reversed(struct.__mro__):
        if cls not in (object, msgspec.Struct):
            found.update(_attribute_docstrings_of(cls))
    return found


@functools.cache
def _attribute_docstrings_of(cls: type) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):
        return {}  # Made at run time: there is no source to read.
    body = typing.cast(ast.ClassDef, ast.parse(source).body[0]).body
    return {
        statement.target.id: inspect.cleandoc(following.value.value)
        for statement, following in itertools.pairwise(body)
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and isinstance(following, ast.Expr)
        and isinstance(following.value, ast.Constant)
        and isinstance(following.value.value, str)
    }


@functools.cache
def record_of(struct: Any) -> Record:
    """The shape of a Struct."""
    return Record(struct)


def _annotation(type_: Any) -> tuple[Shape, str, tuple[Any, ...]]:
    """The shape, and what `msgspec.Meta` says about it: description and examples."""
    limits: dict[str, Any] = {}
    description = ""
    examples: tuple[Any, ...] = ()
    while True:
        if isinstance(type_, typing.NewType):
            type_ = type_.__supertype__
        elif hasattr(type_, "__value__") and type(type_).__name__ == "TypeAliasType":
            type_ = type_.__value__
        elif get_origin(type_) is typing.Annotated:
            type_, *remarks = get_args(type_)
            for meta in (remark for remark in remarks if isinstance(remark, msgspec.Meta)):
                description = description or meta.description or ""
                examples = examples or tuple(meta.examples or ())
                for limit in ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern"):
                    value = getattr(meta, limit)
                    if value is not None:
                        limits.setdefault(limit, value)
        else:
            return _plain(type_, limits), description, examples


def _plain(type_: Any, limits: dict[str, Any]) -> Shape:
    """The shape of an annotation from which aliases and `Annotated` have been taken off."""
    lengths = {limit: limits.get(limit) for limit in ("min_length", "max_length")}
    origin, arguments = get_origin(type_) or type_, get_args(type_)

    if type_ is Any or type_ is object:
        return Anything()
    if type_ is None or type_ is types.NoneType:
        return Null()
    if origin is Union or origin is types.UnionType:
        return _one_of([shape_of(argument) for argument in arguments if argument is not msgspec.UnsetType])
    if origin is Literal:
        return Choice(tuple((value, value) for value in arguments if value is not None))
    if isinstance(origin, type):
        if issubclass(origin, msgspec.Struct):
            return record_of(type_)
        if issubclass(origin, enum.Enum):
            return Choice(tuple((member.value, member) for member in origin), origin)
        if origin is bool:
            return Boolean()
        if origin in (int, float, Decimal):
            bounds = {limit: limits.get(limit) for limit in ("ge", "gt", "le", "lt")}
            return Number(origin, **bounds)
        if origin is str:
            return Text(limits.get("min_length"), limits.get("max_length"), limits.get("pattern"))
        if origin in (dt.date, dt.time, dt.datetime, dt.timedelta, uuid.UUID):
            return Parsed(origin)
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            return Row(tuple(shape_of(argument) for argument in arguments))
        if origin in (list, tuple, set, frozenset, AbstractSequence):
            build: Any = list if origin is list else tuple if origin is AbstractSequence else origin
            item = shape_of(arguments[0]) if arguments else Anything()
            return Sequence(item, build, unique=origin in (set, frozenset), **lengths)
        if origin in (dict, AbstractMapping):
            key, value = (shape_of(argument) for argument in arguments) if arguments else (Text(), Anything())
            return Mapping(key, value, **lengths)
    raise TypeError(f"a document cannot hold {type_!r}")


def _one_of(shapes: list[Shape]) -> Shape:
    members: list[Shape] = []
    for shape in shapes:
        for member in shape.members if isinstance(shape, OneOf) else (shape,):
            if member not in members:
                members.append(member)
    return members[0] if len(members) == 1 else OneOf(tuple(members))
