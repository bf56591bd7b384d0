"""Text with one JSON object a line."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import IO

from vendor_mgmt.intake.mapping import BrokenRow
from vendor_mgmt.intake.readers import json_text
from vendor_mgmt.intake.readers.page import PAGE_ROWS, Found, Page, ReadingFailed, Row, page_of, picker
from vendor_mgmt.intake.source import JsonLines, Source

_LINE_MAX = 1_000_000


async def read(source: Source, reader: JsonLines, file: Found) -> AsyncIterator[Page]:
    """The pages of one file. Raises `ReadingFailed`, also after pages were given."""
    del reader
    try:
        with file.path.open("rb") as text:
            rows = _rows(text, source)
            while page := list(itertools.islice(rows, PAGE_ROWS)):
                yield page_of(file, page, is_end=False)
    except OSError as error:
        raise ReadingFailed(f"{file.name} cannot be read: {error.strerror}.", is_temporary=True) from None
    yield page_of(file, [], is_end=True)


def _rows(text: IO[bytes], source: Source) -> Iterator[Row]:
    pick = picker(source.kept_columns)
    while line := text.readline(_LINE_MAX):
        if len(line) == _LINE_MAX and not line.endswith(b"\n"):
            while (rest := text.readline(_LINE_MAX)) and not rest.endswith(b"\n"):
                pass
            yield BrokenRow(f"The line is longer than {_LINE_MAX} bytes.")
        elif line := line.strip().removeprefix(b"\xef\xbb\xbf"):
            try:
                yield pick(json_text.decoded(line))
            except json_text.NoJson:
                yield BrokenRow("The line is no JSON, so it cannot be split into columns.", line.decode("utf-8", "replace"))
