"""What a source would bring: a sample of it, what would be stored of that and what refused; or, without a mapping, a proposal for one.

Nothing is stored, not even that somebody looked.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from vendor_mgmt.database import transaction
from vendor_mgmt.intake import pull, queries
from vendor_mgmt.intake.mapping import BrokenRow, Mapper, Refusal, Stopped, as_raw
from vendor_mgmt.intake.proposing import Proposal, proposed
from vendor_mgmt.intake.readers import csv_file, files, http_json, json_text, postgresql, workbook
from vendor_mgmt.intake.readers.page import Asked, KnownFiles, Page, ReadingFailed, Row
from vendor_mgmt.intake.source import Csv, Draft, FileReader, HandedIn, HttpJson, PostgreSql, Source, Xlsx

ROWS_MAX = 20
DAYS = 7
"""How many days are asked for, where a source can be asked for days."""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """What would be stored of a row. Of an event it is what the event adds."""

    row_number: int
    site: str
    measure: str
    dimensions: dict[str, str]
    starts_on: date
    starts_at: datetime | None
    value: str | None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The first rows of a source, and what becomes of them."""

    source: str
    rows: list[dict[str, Any]]
    values: list[Value]
    refused: list[Refusal]
    remarks: list[str]
    proposal: Proposal | None = None


async def preview(document: Source, *, rows_max: int = ROWS_MAX, now: datetime | None = None) -> Preview:
    """What would be stored and refused of the first rows. Raises `ReadingFailed`."""
    now = now or datetime.now(UTC)
    async with transaction(readonly=True) as connection:
        known = await queries.known(connection, document, now)
    rows: list[Row] = []
    with await pull.unlocked_for(document):
        persons = pull.pseudonymiser(document)
        async with contextlib.aclosing(_pages(document, _asked(now))) as pages:
            async for page in pages:
                rows += [row if persons is None else persons(row) for row in page.rows[: rows_max - len(rows)]]
                if len(rows) >= rows_max:
                    break
    mapper = Mapper(document, known)
    sites = {site.id: code for code, site in known.sites.items()}
    try:
        mapped = mapper.map(rows, 1)
    except Stopped as stop:
        return Preview(
            source=document.source, rows=_shown(document, rows), values=[], refused=[],
            remarks=[f"The check {stop.check} would stop the pull: {stop.reason}"],
        )  # fmt: skip
    values = []
    for position, line in mapped.staged:
        _, _, starts_on, starts_at, amount, _, _, *rest = line.rstrip("\n").split("\t")
        key = mapper.series[position]
        values.append(
            Value(
                row_number=int(rest[0]),
                site=sites[key.site],
                measure=key.measure,
                dimensions=msgspec.json.decode(key.dims_key, type=dict[str, str]),
                starts_on=date.fromisoformat(starts_on),
                starts_at=None if starts_at == "\\N" else datetime.fromisoformat(starts_at),
                value=None if amount == "\\N" else amount,
            )
        )
    remarks = [f"row {flag.row_number}: {flag.reason}" for flag in mapped.flagged]
    if not rows:
        remarks.append("The source has no rows for the last days, or none at all.")
    return Preview(source=document.source, rows=_shown(document, rows), values=values, refused=mapped.refused, remarks=remarks)


def _shown(document: Source, rows: list[Row]) -> list[dict[str, Any]]:
    return [row.raw_row if isinstance(row, BrokenRow) else as_raw(document.kept_columns, row) for row in rows]


def _asked(now: datetime) -> Asked:
    return Asked(since=now.date() - timedelta(days=DAYS), until=now.date())


async def _pages(document: Source, asked: Asked) -> AsyncGenerator[Page]:
    reader, options = document.reader, pull.options()
    if isinstance(reader, HandedIn):
        raise ReadingFailed("What is handed in cannot be looked at before it is.", is_temporary=False)
    async with pull.client(reader) as client:
        if isinstance(reader, HttpJson):
            async for page in http_json.read(document, reader, asked, client):
                yield page
        elif isinstance(reader, PostgreSql):
            async for page in postgresql.read(document, reader, asked, allow_private=options.allow_private):
                yield page
        else:
            async with files.files(reader, client, KnownFiles(), options.root, allow_private=options.allow_private) as found:
                # The newest is most like those to come.
                for file in reversed(found):
                    async for page in pull.pages_of_file(document, reader, file):
                        yield page


async def propose(draft: Draft, *, rows_max: int = ROWS_MAX, now: datetime | None = None) -> Preview:
    """A mapping for a source of which only the reader is written. Raises `ReadingFailed`."""
    now = now or datetime.now(UTC)
    with await pull.unlocked_for(draft):
        columns, rows = await _table(draft, _asked(now))
    if not columns:
        raise ReadingFailed("There is nothing to look at: the source has no rows.", is_temporary=False)
    async with transaction(readonly=True) as connection:
        known = await queries.known_to(connection, draft.vendor, now)
    found = proposed(columns, rows, list(known.sites), list(known.measures))
    # People's names are not shown either.
    mapped = {name for name in columns if not any(remark.startswith(f"`{name}` looks like a person") for remark in found.remarks)}
    shown = [{name: cell for name, cell in row.items() if name in mapped} for row in rows[:rows_max]]
    return Preview(source=draft.source, rows=shown, values=[], refused=[], remarks=found.remarks, proposal=found)


async def _table(draft: Draft, asked: Asked) -> tuple[list[str], list[dict[str, Any]]]:
    """Headings and some rows of a source that nobody has mapped."""
    reader, options = draft.reader, pull.options()
    if isinstance(reader, PostgreSql):
        return _flat(await postgresql.sample(reader, asked, 500, allow_private=options.allow_private))
    async with pull.client(reader) as client:
        if isinstance(reader, HttpJson):
            return _flat(await http_json.sample(reader, asked, client))
        async with files.files(reader, client, KnownFiles(), options.root, allow_private=options.allow_private) as found:
            return await asyncio.to_thread(_of_file, reader, found[-1]) if found else ([], [])


def _of_file(reader: FileReader, file: Any) -> tuple[list[str], list[dict[str, Any]]]:
    if isinstance(reader, Csv):
        return csv_file.sample(reader, file, 500)
    if isinstance(reader, Xlsx):
        return workbook.sample(reader, file, 500)
    rows = []
    for line in Path(file.path).read_bytes().splitlines()[:500]:
        with contextlib.suppress(json_text.NoJson):
            rows.append(json_text.decoded(line))
    return _flat(rows)


def _flat(rows: list[Any]) -> tuple[list[str], list[dict[str, Any]]]:
    """Objects as rows of a table; what stands within an object has a path for its heading."""
    found = [_paths(row) for row in rows[:500] if isinstance(row, dict)]
    return list(dict.fromkeys(name for row in found for name in row)), found


def _paths(row: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, cell in row.items():
        if isinstance(cell, dict):
            found |= _paths(cell, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = cell
    return found
