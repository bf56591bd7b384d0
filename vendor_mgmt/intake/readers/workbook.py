"""Workbooks as people send them: titles above the table, merged headings, percentages as text or as a format, totals and notes below."""

from __future__ import annotations

import asyncio
import itertools
import zipfile
from collections.abc import AsyncIterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from vendor_mgmt.intake.mapping import ABSENT
from vendor_mgmt.intake.readers.page import PAGE_ROWS, Found, Page, ReadingFailed, Row, headings_in, is_no_data, normal, page_of
from vendor_mgmt.intake.source import Source, Xlsx

_TOP_LINES = 30
_HEADING_LINES = 3
_RATIO_MAX = 200


async def read(source: Source, reader: Xlsx, file: Found) -> AsyncIterator[Page]:
    """The pages of one workbook. Raises `ReadingFailed`."""
    # Opening a workbook takes seconds of computing, which would hold up everything else in this process.
    rows = await asyncio.to_thread(_read, source, reader, file)
    for start in range(0, len(rows), PAGE_ROWS):
        yield page_of(file, rows[start : start + PAGE_ROWS], is_end=False)
    yield page_of(file, [], is_end=True)


def _read(source: Source, reader: Xlsx, file: Found) -> list[Row]:
    book = _opened(reader, file)
    try:
        wanted = normal(reader.sheet) if reader.sheet is not None else None
        sheets = [sheet for sheet in book.worksheets if (normal(sheet.title) == wanted if wanted else sheet.sheet_state == "visible")]
        if not sheets:
            raise ReadingFailed(f"{file.name} has no sheet {reader.sheet!r}; it has {', '.join(book.sheetnames)}.", is_temporary=False)
        found = [rows for sheet in sheets if (rows := _table(source, sheet)) is not None]
    finally:
        book.close()
    if not found:
        wanted_columns = ", ".join(source.mapped_columns)
        raise ReadingFailed(
            f"No sheet of {file.name} names the columns {wanted_columns} in its first {_TOP_LINES} rows. Correct the mapping.",
            is_temporary=False,
        )
    return list(itertools.chain.from_iterable(found))


def _opened(reader: Xlsx, file: Found) -> Any:
    _refuse_bombs(reader, file)
    try:
        # Opened here, because the library judges a path by how it ends, and a fetched file has no such name.
        with file.path.open("rb") as content:
            return openpyxl.load_workbook(content, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, TypeError, OSError, EOFError) as error:
        raise ReadingFailed(f"{file.name} is no workbook that can be opened ({type(error).__name__}).", is_temporary=False) from None


def sample(reader: Xlsx, file: Found, rows_max: int) -> tuple[list[str], list[dict[str, Any]]]:
    """Headings and first rows of the first visible sheet: the headings are the first row with the most different words."""
    book = _opened(reader, file)
    try:
        sheet = next((one for one in book.worksheets if one.sheet_state == "visible"), None)
        lines = [] if sheet is None else [[_value(cell) for cell in cells] for cells in sheet.iter_rows(max_row=_TOP_LINES + rows_max)]
    finally:
        book.close()
    top = lines[:_TOP_LINES]
    headings = max(top, key=lambda cells: len({cell for cell in cells if isinstance(cell, str) and cell.strip()}), default=[])
    names = [cell.strip() if isinstance(cell, str) else "" for cell in headings]
    below = lines[lines.index(headings) + 1 :] if headings else []
    return [name for name in names if name], [dict(zip(names, cells, strict=False)) for cells in below][:rows_max]


def _refuse_bombs(reader: Xlsx, file: Found) -> None:
    """A workbook is a zip archive, and a small archive can unpack to more than the machine holds."""
    limit = reader.limits.answer_mb * 1_000_000
    if file.size_bytes > limit:
        raise ReadingFailed(f"{file.name} has {file.size_bytes} bytes, more than `limits.answer_mb` allows.", is_temporary=False)
    try:
        with zipfile.ZipFile(file.path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError):
        raise ReadingFailed(f"{file.name} is no workbook (.xlsx); it may have been cut off.", is_temporary=False) from None
    if unpacked > 10 * limit or unpacked > max(1_000_000, _RATIO_MAX * file.size_bytes):
        raise ReadingFailed(f"{file.name} unpacks to {unpacked} bytes, which no table of figures needs.", is_temporary=False)


def _table(source: Source, sheet: Any) -> list[Row] | None:
    """The rows below the headings of a sheet; null where the columns are not there."""
    merged, merged_down = _merged(sheet)
    top = [
        [str(merged.get((r, c), cell.value) or "") for c, cell in enumerate(cells, 1)]
        for r, cells in enumerate(sheet.iter_rows(max_row=_TOP_LINES), 1)
    ]
    headings = headings_in(top, source.kept_columns, source.mapped_columns, depth=_HEADING_LINES)
    if headings is None:
        return None
    totals = {word.casefold() for word in source.rows.totals}
    mapped = len(source.mapped_columns)
    rows: list[Row] = []
    for r, cells in enumerate(sheet.iter_rows(min_row=headings.first_data_row + 1), headings.first_data_row + 1):
        row = tuple(
            ABSENT if position is None else merged_down.get((r, position + 1), _value(cells[position])) if position < len(cells) else None
            for position in headings.positions
        )
        if not is_no_data(row[:mapped], totals):
            rows.append(row)
    return rows


def _merged(sheet: Any) -> tuple[dict[tuple[int, int], Any], dict[tuple[int, int], Any]]:
    """What each cell of a merged range shows; and the same for ranges within one column, which group rows (a site over its days)."""
    everywhere: dict[tuple[int, int], Any] = {}
    down: dict[tuple[int, int], Any] = {}
    for area in sheet.merged_cells.ranges:
        corner = sheet.cell(area.min_row, area.min_col)
        for r in range(area.min_row, area.max_row + 1):
            for c in range(area.min_col, area.max_col + 1):
                everywhere[r, c] = corner.value
                if area.min_col == area.max_col:
                    down[r, c] = _value(corner)
    return everywhere, down


def _value(cell: Any) -> Any:
    """What a cell says. Numbers become exact decimals of what is shown in full; a percentage counts from 0 to 100, as everywhere."""
    value = cell.value
    if isinstance(value, bool) or value is None or isinstance(value, str | datetime | date):
        return value
    if isinstance(value, int | float):
        if "%" in (cell.number_format or ""):
            # The cell stores 0.934 and shows 93.4 %. Fifteen digits are what a workbook keeps.
            return Decimal(format(Decimal(repr(value)) * 100, ".15g"))
        return value if isinstance(value, int) else Decimal(repr(value))
    return str(value)
