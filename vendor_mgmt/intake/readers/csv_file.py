"""Separated text, as people export it: any delimiter, any common encoding, titles above the table."""

from __future__ import annotations

import codecs
import csv
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from vendor_mgmt.intake.mapping import ABSENT, BrokenRow
from vendor_mgmt.intake.readers.page import PAGE_ROWS, Found, Headings, Page, ReadingFailed, Row, headings_in, is_no_data, page_of
from vendor_mgmt.intake.source import Csv, Source

_DELIMITERS = (",", ";", "\t", "|")
_TOP_LINES = 50
_CELL_MAX = 100_000


async def read(source: Source, reader: Csv, file: Found) -> AsyncIterator[Page]:
    """The pages of one file. Raises `ReadingFailed`, also after pages were given."""
    if file.size_bytes > reader.limits.answer_mb * 1_000_000:
        raise ReadingFailed(
            f"{file.name} has {file.size_bytes} bytes, more than the {reader.limits.answer_mb} MB set as `limits.answer_mb`.",
            is_temporary=False,
        )
    encoding = reader.encoding or _encoding(file.path)
    csv.field_size_limit(_CELL_MAX)
    try:
        delimiter, headings = _layout(source, reader, file, encoding)
        with file.path.open(encoding=encoding, newline="") as text:
            lines = _cells(csv.reader(text, delimiter=delimiter))
            rows = _rows(itertools.islice(lines, headings.first_data_row, None), headings, source)
            while page := list(itertools.islice(rows, PAGE_ROWS)):
                yield page_of(file, page, is_end=False)
    except (UnicodeDecodeError, LookupError) as error:
        raise ReadingFailed(f"{file.name} is not {encoding}: {error}. Say what it is under `encoding`.", is_temporary=False) from None
    except OSError as error:
        raise ReadingFailed(f"{file.name} cannot be read: {error.strerror}.", is_temporary=True) from None
    yield page_of(file, [], is_end=True)


def sample(reader: Csv, file: Found, rows_max: int) -> tuple[list[str], list[dict[str, Any]]]:
    """Headings and first rows of a file that nobody has mapped: the headings are the first line with the most different words."""
    encoding = reader.encoding or _encoding(file.path)
    csv.field_size_limit(_CELL_MAX)
    best: tuple[list[str], list[dict[str, Any]]] = ([], [])
    try:
        for delimiter in (reader.delimiter,) if reader.delimiter else _DELIMITERS:
            with file.path.open(encoding=encoding, newline="") as text:
                lines = list(itertools.islice(_cells(csv.reader(text, delimiter=delimiter)), _TOP_LINES + rows_max))
            top = [one for one in lines[:_TOP_LINES] if isinstance(one, list)]
            headings = max(top, key=lambda one: len({cell.strip() for cell in one if cell.strip()}), default=[])
            if len(headings) > len(best[0]):
                below = lines[lines.index(headings) + 1 :]
                rows = [dict(zip(headings, one, strict=False)) for one in below if isinstance(one, list)]
                best = ([name for name in headings if name.strip()], rows[:rows_max])
    except (UnicodeDecodeError, LookupError, OSError) as error:
        raise ReadingFailed(f"{file.name} cannot be read: {error}.", is_temporary=False) from None
    return best


def _encoding(path: Path) -> str:
    """What the bytes are: marked Unicode, UTF-8 if they can be, else what Windows writes in western Europe."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        first = file.read(4)
        for mark, encoding in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
            if first.startswith(mark):
                return encoding
        file.seek(0)
        try:
            while piece := file.read(1 << 20):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _layout(source: Source, reader: Csv, file: Found, encoding: str) -> tuple[str, Headings]:
    """The delimiter under which the most mapped columns are found, and where."""
    best: tuple[str, Headings] | None = None
    nearest: list[str] = []
    for delimiter in (reader.delimiter,) if reader.delimiter else _DELIMITERS:
        with file.path.open(encoding=encoding, newline="") as text:
            top = list(itertools.islice(_cells(csv.reader(text, delimiter=delimiter)), _TOP_LINES))
        nearest = max([nearest, *(line for line in top if isinstance(line, list))], key=len)
        headings = headings_in([line if isinstance(line, list) else [] for line in top], source.kept_columns, source.mapped_columns)
        if headings is not None and (best is None or headings.found > best[1].found):
            best = (delimiter, headings)
    if best is None:
        wanted = ", ".join(source.mapped_columns)
        raise ReadingFailed(
            f"None of the first {_TOP_LINES} lines of {file.name} names the columns {wanted}. "
            "Correct the mapping, or ask for the file as agreed.",
            is_temporary=False,
        )
    return best


def _cells(lines: Any) -> Iterator[list[str] | BrokenRow]:
    while True:
        try:
            yield next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            yield BrokenRow(f"The line cannot be split into columns: {error}.")


def _rows(lines: Iterator[list[str] | BrokenRow], headings: Headings, source: Source) -> Iterator[Row]:
    positions = headings.positions
    totals = {word.casefold() for word in source.rows.totals}
    mapped = len(source.mapped_columns)
    needed = max(position for position in positions if position is not None) + 1
    for line in lines:
        if isinstance(line, BrokenRow):
            yield line
            continue
        row = tuple([ABSENT if p is None else line[p] if p < len(line) else "" for p in positions])
        if is_no_data(row[:mapped], totals):
            continue
        if len(line) < needed:
            came = {name: line[p] for name, p in zip(source.kept_columns, positions, strict=True) if p is not None and p < len(line)}
            yield BrokenRow(f"The line has {len(line)} columns instead of at least {needed}; it may have been cut off.", came)
        else:
            yield row
