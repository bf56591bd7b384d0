"""How a contract is asked for its faults: small questions, each about one type of part, each put to every part of that type.

    questions = Questions()

    @questions.about(Cap)
    def cap_lets_something_through(cap: Cap, at: Place) -> Iterator[Finding]:
        if cap.amount == 0:
            yield at.warning("amount", …)

A question that needs a place which could not be read, or which was found wrong before, is broken off there and says nothing (see
`contracts.holes`). That is why each should ask one thing only: what it would have said besides is lost with it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from contracts.document import Contract
from contracts.errors import Finding, Severity, below
from contracts.holes import HOLE, Unread, own_type

P = TypeVar("P", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part stands: its path, and the parts around it, outermost first."""

    contract: Contract
    path: str
    around: tuple[msgspec.Struct, ...]
    is_written: Callable[[str], bool] | None
    """Whether a path is written in the document, rather than left to its default; None where nobody knows any more."""

    @property
    def name(self) -> str:
        """The last step of the path: a KPI's own name, a base's."""
        last = _LAST_STEP.search(self.path)
        if last is None:
            return ""
        return str(msgspec.json.decode(last[2])) if last[2] else last[1]

    def was_written(self, step: str) -> bool:
        """Whether a field is known to be written out."""
        return self.is_written is not None and self.is_written(f"{self.path}.{step}")

    def was_left_out(self, step: str) -> bool:
        """Whether a field is known to be left to its default."""
        return self.is_written is not None and not self.is_written(f"{self.path}.{step}")

    def inside(self, type_: type[P]) -> P | None:
        """The nearest part of this type around it."""
        return next((part for part in reversed(self.around) if isinstance(part, type_)), None)

    def error(self, step: str | tuple[str | int, ...], message: str, repair: str) -> Finding:
        """Something that stops the document from being agreed. `step` leads on from the part; empty, it is the part itself."""
        return self._finding("error", step, message, repair)

    def warning(self, step: str | tuple[str | int, ...], message: str, repair: str) -> Finding:
        """Something that a person should have decided on purpose."""
        return self._finding("warning", step, message, repair)

    def note(self, step: str | tuple[str | int, ...], message: str, repair: str) -> Finding:
        """Something worth knowing."""
        return self._finding("note", step, message, repair)

    def _finding(self, severity: Severity, step: str | tuple[str | int, ...], message: str, repair: str) -> Finding:
        path = self.path + (f".{step}" if step else "") if isinstance(step, str) else below(self.path, *step)
        return Finding(severity, path, message, repair)


_LAST_STEP = re.compile(r"""(?:\.([\w-]+)|\[("(?:[^"\\]|\\.)*")\])$""")

Walked = tuple[msgspec.Struct, str, tuple[msgspec.Struct, ...]]
"""A part, its path, and the parts around it."""

Question = Callable[[Any, Place], Iterable[Finding]]


@dataclass
class Questions:
    """Questions by the type of part they are put to; those `about_all` are put to every part."""

    by_type: dict[type[msgspec.Struct], list[Question]] = field(default_factory=dict)
    of_all: list[Question] = field(default_factory=list)

    def about(self, *types: type[msgspec.Struct]) -> Callable[[Question], Question]:
        """Puts a function's question to each part of these types."""

        def register(question: Question) -> Question:
            for one in types:
                self.by_type.setdefault(one, []).append(question)
            return question

        return register

    def about_all(self, question: Question) -> Question:
        """Puts a function's question to each part of any type."""
        self.of_all.append(question)
        return question

    def ask(self, contract: Contract, walked: Sequence[Walked], is_written: Callable[[str], bool] | None = None) -> list[Finding]:
        """All answers, for the parts that `parts` walks through. Each thing is said once: where two questions find fault with one
        place in the same words, one answer is kept.
        """
        found: dict[Finding, None] = {}
        for part, path, around in walked:
            place = Place(contract, path, around, is_written)
            for question in (*self.of_all, *self.by_type.get(own_type(part), ())):
                try:
                    for finding in question(part, place):
                        found.setdefault(finding)
                except Unread:
                    continue
        return list(found)


def parts(contract: Contract) -> Iterator[Walked]:
    """Every part of the document with its path and the parts around it, in the order of the types; holes are passed over."""
    waiting: list[tuple[Any, str, tuple[msgspec.Struct, ...]]] = [(contract, "$", ())]
    while waiting:
        value, path, around = waiting.pop()
        if value is HOLE or isinstance(value, _LEAVES):
            continue
        if isinstance(value, msgspec.Struct):
            yield value, path, around
            inner = (*around, value)
            steps = fields_of(value, path)
            waiting += [(item, step, inner) for item, step in reversed(steps) if item is not HOLE and not isinstance(item, _LEAVES)]
        elif isinstance(value, dict):
            waiting += [(item, below(path, key), around) for key, item in reversed(value.items())]
        elif isinstance(value, list | tuple):
            waiting += [(item, f"{path}[{index}]", around) for index, item in reversed(list(enumerate(value)))]


_LEAVES = (str, int, type(None), Decimal, date)


def fields_of(part: msgspec.Struct, path: str) -> list[tuple[Any, str]]:
    """The values of a part's fields, each with its path."""
    if part.__struct_config__.array_like:
        return [(getattr(part, name), f"{path}[{index}]") for index, name in enumerate(part.__struct_fields__)]
    return [
        (getattr(part, name), f"{path}.{key}")
        for name, key in zip(part.__struct_fields__, part.__struct_encode_fields__, strict=True)
    ]


def one_of(known: Iterable[str], written: str = "") -> str:
    """The repair for a name that does not exist: the one that was probably meant, or those there are."""
    names = sorted(known)
    near = difflib.get_close_matches(written, names, n=1, cutoff=0.7) if written else []
    if near:
        return f"Did you mean {near[0]}?"
    return f"Use one of {', '.join(names)}." if names else "Declare it first."


__all__ = ["Place", "Question", "Questions", "Walked", "fields_of", "one_of", "parts"]
