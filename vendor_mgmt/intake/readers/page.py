"""What every reader gives: pages of rows, reduced to the columns that may be kept.

A reader is an asynchronous generator of pages. Each row is a tuple in the order of `Source.kept_columns`, with `ABSENT` where the source
sent no such column; everything else that came is forgotten here, before anything is stored. When a source cannot be read on, the reader
raises `ReadingFailed`; the pages it gave before are good.
"""

from __future__ import annotations

import hashlib
import operator
import os
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec

from vendor_mgmt import credential_values
from vendor_mgmt.credentials import CredentialMissing, Secret
from vendor_mgmt.intake.mapping import ABSENT, BrokenRow

Row = tuple[Any, ...] | BrokenRow

PAGE_ROWS = 5000
"""Rows a reader of files puts into a page. Large enough that a page's own cost vanishes, small enough to hold a few in memory."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The days a pull wants, half-open; null is open. Sources that cannot be asked for days give what they have."""

    since: date | None = None
    until: date | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows and where they came from. `received_sha256` and `received_bytes` are of the answer before columns were dropped."""

    origin: str
    rows: Sequence[Row]
    received_sha256: str | None
    received_bytes: int
    file: str | None = None
    """Name of the file these rows are from, if they are; its last page has `is_file_end`."""
    is_file_end: bool = False
    mark: str | None = None
    """By what the source knows this answer again, where it is the only one."""
    reported_at: datetime | None = None
    """When these rows were published, where they do not say so themselves."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A file to read. `name` is what people know it by; `path` where it lies now; `mark` by what its place knows it again: a version, a
    time of change, the number of a mail. `broke_off` says why it is not the whole file, if it is not.
    """

    path: Path
    name: str
    sha256: str
    size_bytes: int
    mark: str | None = None
    broke_off: str | None = None
    reported_at: datetime | None = None
    """When it was sent, where that is known: of two mails about one span the later counts."""


class KnownFiles(msgspec.Struct, frozen=True, kw_only=True):
    """What was read before, and need not be read again: names with SHA-256, and names with marks."""

    contents: frozenset[tuple[str, str]] = frozenset()
    marks: frozenset[tuple[str, str]] = frozenset()
    every_mark: frozenset[str] = frozenset()
    """Also those of earlier files of the same name: mails that all bring a `report.csv`."""

    def mark_of(self, name: str) -> str | None:
        """The mark of a file of which there is only one state at a time."""
        return next((mark for known, mark in self.marks if known == name), None)


def page_of(file: Found, rows: list[Row], *, is_end: bool) -> Page:
    """Some rows of a file. At the end of one that is not whole, raises `ReadingFailed`: its rows are good, and there should be more."""
    if is_end and file.broke_off is not None:
        raise ReadingFailed(f"{file.name} is not whole; the lines that came are used. {file.broke_off}", is_temporary=True)
    return Page(
        origin=file.name,
        rows=rows,
        received_sha256=file.sha256,
        received_bytes=file.size_bytes,
        file=file.name,
        is_file_end=is_end,
        reported_at=file.reported_at,
    )


class ReadingFailed(Exception):  # noqa: N818 - the outcome of a reading
    """The source cannot be read, or not to its end. `is_temporary`: trying again later may help."""

    def __init__(self, reason: str, *, is_temporary: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_temporary = is_temporary


def value_of(secret: Secret, environment: Mapping[str, str] = os.environ) -> str:
    """The credential itself. Raises `ReadingFailed` where it is not to be had."""
    try:
        return credential_values.value_of(secret, environment)
    except CredentialMissing as missing:
        raise ReadingFailed(str(missing), is_temporary=False) from None


def picker(columns: Sequence[str]) -> Callable[[Any], Row]:
    """Reduces a JSON object to the tuple of its kept columns. A column with dots is a path, unless the object has that very key."""
    if len(columns) == 1 or any("." in name for name in columns):
        return lambda row: _picked(row, columns)
    pick = operator.itemgetter(*columns)

    def reduce(row: Any) -> Row:
        try:
            found: tuple[Any, ...] = pick(row)
        except (KeyError, TypeError, IndexError):
            return _picked(row, columns)
        return found

    return reduce


def _picked(row: Any, columns: Sequence[str]) -> Row:
    if not isinstance(row, dict):
        return row if isinstance(row, BrokenRow) else BrokenRow(f"The row is {_kind(row)}, not an object with columns.", row)
    return tuple(_at(row, name) for name in columns)


def at_path(value: Any, path: str | None) -> Any:
    """What stands at a path such as `data.items`; null where there is nothing."""
    found = _at(value, path) if path else value
    return None if found is ABSENT else found


def _at(value: Any, path: str) -> Any:
    if isinstance(value, dict) and path in value:
        return value[path]
    for step in path.split("."):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return ABSENT
    return value


def _kind(value: Any) -> str:
    """What a value is, without saying what it holds: reasons are shown in more places than quarantine."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return f"a text of {len(value)} characters"
        case list():
            return f"a list of {len(value)}"
        case _:
            return "a number"


# Headings


def normal(heading: Any) -> str:
    """A heading for comparison: case, width, surrounding and repeated spaces do not matter."""
    return " ".join(unicodedata.normalize("NFKC", str(heading)).casefold().replace("\ufeff", "").split())


class Headings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the table of a sheet or a text file begins, and at which position each kept column stands (null: nowhere)."""

    first_data_row: int
    positions: tuple[int | None, ...]
    found: int


def headings_in(rows: Sequence[Sequence[str]], kept: Sequence[str], mapped: Sequence[str], *, depth: int = 1) -> Headings | None:
    """The line, or the lines up to `depth`, that name the most mapped columns; the first of equals. Null unless at least half are there.

    A column under a merged heading may be named by its full name `heading / column`, or by the last part where that is unique.
    """
    best: Headings | None = None
    for top in range(len(rows)):
        for lines in range(1, depth + 1):
            if top + lines > len(rows):
                break
            names = _joined(rows[top : top + lines])
            positions = tuple(_position(name, names) for name in kept)
            found = sum(position is not None for position, name in zip(positions, kept, strict=True) if name in mapped)
            if found and (best is None or found > best.found):
                best = Headings(first_data_row=top + lines, positions=positions, found=found)
    return best if best is not None and 2 * best.found >= len(mapped) else None


def _joined(lines: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    width = max(map(len, lines), default=0)
    columns = []
    for column in range(width):
        parts = [normal(line[column]) if column < len(line) else "" for line in lines]
        # A heading merged over several lines appears in each of them.
        columns.append(tuple(part for i, part in enumerate(parts) if part and (i == 0 or part != parts[i - 1])))
    return columns


def _position(name: str, columns: Sequence[tuple[str, ...]]) -> int | None:
    wanted = normal(name)
    for match in ((lambda parts: " / ".join(parts) == wanted), (lambda parts: bool(parts) and parts[-1] == wanted)):
        places = [position for position, parts in enumerate(columns) if match(parts)]
        if len(places) == 1:
            return places[0]
    return None


def is_no_data(cells: Sequence[Any], totals: Collection[str]) -> bool:
    """Whether a row is empty, a note (one text and nothing else), or a total of other rows. `totals` are case-folded words."""
    filled = [cell for cell in cells if cell is not None and cell is not ABSENT and str(cell).strip()]
    if not filled or (len(filled) == 1 and len(cells) > 2 and isinstance(filled[0], str)):
        return True
    return any(cell.strip().casefold().rstrip(":") in totals for cell in filled if isinstance(cell, str))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
