"""JSON as sources really write it: numbers of any length, words that are no JSON, one spoilt row among good ones, answers that break off.

What cannot be read costs its own row and no other. Numbers stay exact; one that is too long or too large to be counted with stays the text
it is, and is refused with its row.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from vendor_mgmt.intake.mapping import BrokenRow

DIGITS_MAX = 30
"""Digits of a whole number that is counted with; PostgreSQL would store many more, and no figure has them."""


class NoJson(ValueError):  # noqa: N818 - what a text is, and no fault of the program
    """The text as a whole is no JSON."""


class Salvaged(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a spoilt answer, with a `BrokenRow` for each that is none.

    `envelope` is what stands around the list of rows, which it shows empty; null where that cannot be read. `is_whole` says whether the
    list comes to its end.
    """

    rows: list[Any]
    envelope: Any
    is_whole: bool


def decoded(body: bytes) -> Any:
    """What a text says. Raises `NoJson`."""
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return _leniently(body)


def salvaged(body: bytes, rows_path: str | None) -> Salvaged | None:
    """The rows of an answer that is no JSON as a whole; null where no list of rows begins in it."""
    text = body.decode("utf-8", errors="replace")
    start = _start_of_rows(text, rows_path)
    if start is None:
        return None
    places, end = _elements(text, start)
    rows = [_element(text[begin:until]) for begin, until in places]
    envelope: Any = None
    if end is not None:
        try:
            envelope = _leniently((text[:start] + text[end:]).encode())
        except NoJson:
            envelope = None
    return Salvaged(rows=rows, envelope=envelope, is_whole=end is not None)


def _exact(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text  # An exponent of twenty digits.


def _whole(text: str) -> int | str:
    return int(text) if len(text) <= DIGITS_MAX + 1 else text


_DECODER = msgspec.json.Decoder(float_hook=_exact)
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def _leniently(body: bytes) -> Any:
    """With the words NaN and Infinity, and numbers of any length: as words they are refused row by row, and the other rows are good."""
    try:
        found = json.loads(body, parse_float=_exact, parse_int=_whole, parse_constant=str)
        # Half of a pair of escapes is a character that can be neither stored nor sent on.
        return _paired(found) if b"\\ud" in body.lower() else found
    except (ValueError, RecursionError) as error:
        raise NoJson(str(error)) from None


def _paired(value: Any) -> Any:
    match value:
        case str():
            return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
        case list():
            return [_paired(one) for one in value]
        case dict():
            return {_paired(name): _paired(one) for name, one in value.items()}
        case _:
            return value


def _start_of_rows(text: str, rows_path: str | None) -> int | None:
    """The position behind the bracket that opens the list of rows."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    if rows_path is not None:
        found = re.search(rf'"{re.escape(rows_path.rsplit(".", 1)[-1])}"\s*:\s*\[', text)
    else:
        found = re.match(r"\s*\[", text) or re.search(r":\s*\[(?=\s*\{)", text) or re.search(r":\s*\[", text)
    return found.end() if found else None


# A string to its end, or to the end of a text that breaks off within it.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)


def _elements(text: str, start: int) -> tuple[list[tuple[int, int]], int | None]:
    """Where the elements of a list begin and end, by counting brackets, and where the list ends (null: the text breaks off before).

    An element that breaks off is left out.
    """
    places: list[tuple[int, int]] = []
    depth, begin = 0, start
    for token in _TOKEN.finditer(text, start):
        match token.group()[0]:
            case "{" | "[":
                depth += 1
            case "," if depth == 0:
                places.append((begin, token.start()))
                begin = token.end()
            case "]" if depth == 0:
                if places or text[begin : token.start()].strip():
                    places.append((begin, token.start()))
                return places, token.start()
            case "}" | "]":
                depth -= 1
                if depth < 0:
                    return places, None
            case _:
                pass
    if depth == 0 and text[begin:].rstrip().endswith(("}", "]")):
        places.append((begin, len(text)))
    return places, None


def _element(text: str) -> Any:
    try:
        return _leniently(text.encode())
    except NoJson:
        return BrokenRow("The row is no JSON, so it cannot be split into columns.", text.strip())
