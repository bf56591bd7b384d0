"""`vendor-mgmt contract from-xlsx`, `to-xlsx` and `template`: contracts as workbooks."""

from __future__ import annotations

import datetime as dt
import io
import sys
import zipfile
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import msgspec
import openpyxl
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from contracts import grid, library
from contracts.document import Contract
from contracts.errors import Finding, Where, render
from contracts.grid import Cell, GridReading, Sheet
from contracts.including import read_contract
from contracts.reading import write
from vendor_mgmt.commands.contract_words import FILE, read_or_stop

MAX_UNPACKED = 100_000_000
MAX_PACKED = 10_000_000
MAX_ROWS = 20_000
MAX_COLUMNS = 400
_OUT = click.Path(dir_okay=False, path_type=Path)

_HEAD = PatternFill("solid", fgColor="E8EEF4")
_NOTES = {
    "Contract": "A field and its value in each row. A span ends before its last day: until 2028-03-01 means through 29 February.",
    "KPIs": "A row for each KPI, or for each site, workstream and language that has levels of its own; an empty cell means all of them. "
    "A column such as `target from 2026-06-01` starts a step of the ramp.",
    "Definitions": "What each KPI counts. A KPI of the library needs no row here.",
    "Scope": "Sites and workstreams.",
    "Headcount": "Agreed people by role; a ramp is several rows.",
    "Measures": "What the source delivers: counts, never percentages.",
    "Money": "Kind is base, credit, bonus, cap or earn back.",
    "Escalation": "Kind is rule or level.",
    "Governance": "Kind is forum, report, obligation or relief.",
}


@click.command("from-xlsx")
@click.argument("workbook", type=FILE)
@click.option("-o", "--output", type=_OUT, help="Write the document to this file; not given, it is printed.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON; the document only goes to --output.")
def from_xlsx(workbook: Path, output: Path | None, *, force: bool, as_json: bool) -> None:
    r"""Write the contract in WORKBOOK as a document. `contract template` makes a workbook to fill in.

    Every fault is listed with its sheet and cell; the document is written only when there is none.

    \b
    Example:
      vendor-mgmt contract from-xlsx iberia.xlsx -o iberia.yaml

    \b
    Exit codes:
      0  written; remarks may be shown
      2  the workbook has errors, or the output exists
    """
    refuse_to_overwrite(output, force=force)
    reading = read_workbook(workbook)
    if as_json:
        click.echo(msgspec.json.encode(reading.findings))
    elif reading.findings:
        click.echo(render(reading.findings), err=True)
    if reading.document is None:
        sys.exit(2)
    text = write(reading.document).decode()
    if output is not None:
        output.write_text(text, "utf-8")
    elif not as_json:
        click.echo(text, nl=False)


@click.command("to-xlsx")
@click.argument("file", type=FILE)
@click.argument("workbook", type=_OUT)
@click.option("--force", is_flag=True, help="Overwrite the file.")
def to_xlsx(file: Path, workbook: Path, *, force: bool) -> None:
    r"""Write the contract in FILE as WORKBOOK, and say what the grid has no column for and where it was kept.

    \b
    Example:
      vendor-mgmt contract to-xlsx iberia.yaml iberia.xlsx

    \b
    Exit codes:
      0  written
      2  the file is no contract, or the workbook exists
    """
    refuse_to_overwrite(workbook, force=force)
    written = grid.to_sheets(read_or_stop(file))
    workbook.write_bytes(workbook_of(written.sheets))
    for sentence in written.kept:
        click.echo(sentence)
    click.echo(f"{workbook} has {len(written.sheets)} sheets.")


@click.command("template")
@click.argument("workbook", type=_OUT)
@click.option("--force", is_flag=True, help="Overwrite the file.")
def template(workbook: Path, *, force: bool) -> None:
    r"""Write a workbook to fill in: a small contract with KPIs of the library, which reads without a fault as it is.

    \b
    Example:
      vendor-mgmt contract template new-contract.xlsx

    \b
    Exit codes:
      0  written
      2  the workbook exists
    """
    refuse_to_overwrite(workbook, force=force)
    workbook.write_bytes(workbook_of(template_sheets(), notes=True))
    click.echo(f"{workbook}: fill it in, then run `vendor-mgmt contract from-xlsx {workbook.name}`.")


def refuse_to_overwrite(path: Path | None, *, force: bool) -> None:
    """Stops where a file would be lost that nobody said may be."""
    if path is not None and path.exists() and not force:
        click.echo(f"{path} exists. Choose another name, or say --force.", err=True)
        sys.exit(2)


TEMPLATE = """
contract: EXAMPLE-2026-01
title: Product moderation, example
vendor: example-vendor
vendor_name: Example Vendor
customer: Your company
currency: EUR
time_zone: Europe/Lisbon
in_force: {from: 2026-03-01, until: 2028-03-01}
dimensions: [workstream, language]
scope:
  - site: lisbon-1
    name: Lisbon
    country: PT
    workstream: product-moderation
    languages: [pt, es]
    headcount: [{from: 2026-03-01, role: moderator, count: 40}, {from: 2026-06-01, role: moderator, count: 60}]
    milestones: [{name: go-live, due: 2026-03-01}]
include:
  - library: acc
    set:
      for_each: [site, workstream]
      weight: 50
      critical: true
      levels:
        - {from: 2026-03-01, at: {floor: 90, target: 93}}
        - {from: 2026-06-01, at: {floor: 93, target: 95}}
      score: {line: [[floor, 0], [target, 100]]}
  - library: tat_sla
    set:
      for_each: [site, workstream]
      weight: 50
      levels: [{at: {floor: 90, target: 95}}]
      score: {line: [[floor, 0], [target, 100]]}
measures:
  monthly_invoice: {title: "Charges of the month, before credits and tax", money: true}
money:
  bases: {charges: {measure: monthly_invoice, for_each: [site, workstream]}}
  credits:
    - {for: acc, pay: {percent: 5, of: charges}}
    - {for: tat_sla, pay: {percent: 5, of: charges}}
  caps: [{name: monthly cap, percent: 8, of: charges}]
escalation:
  rules: [{name: target missed twice in three months, on: {missed: target, last: 3, at_least: 2}}]
  levels:
    - {level: 1, to: [vendor.site_lead, client.partner_manager], acknowledge_within: {days: 1}, plan_within: {days: 5}}
    - {level: 2, after: {days: 3, unless: acknowledged}, to: [vendor.country_head, client.regional_lead]}
forums: [{name: Weekly operations review, rrule: "FREQ=WEEKLY;BYDAY=TU", at: "10:00", chair: client.partner_manager}]
reports: [{name: monthly scorecard, due_days: 8, vendor_check_days: 5}]
relief: [{cause: Failure of a system that the customer provides, effect: drop_span, notice_business_days: 5}]
"""


def template_sheets() -> list[Sheet]:
    """The sheets of the template."""
    return grid.to_sheets(read_contract(TEMPLATE, name="the template").required()).sheets


# Reading


def read_workbook(path: Path) -> GridReading:
    """The contract in a workbook; a file that is no workbook is a finding too."""
    name = path.name
    data = path.read_bytes()
    problem = _refusal(data)
    if problem is not None:
        return GridReading(None, [Finding("error", Where("$", name=name), *problem)])
    try:
        sheets = sheets_of(data)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, TypeError, OSError, EOFError, AttributeError) as error:
        message = f"The file cannot be opened as a workbook ({type(error).__name__})"
        return GridReading(None, [Finding("error", Where("$", name=name), message, "Save it as .xlsx in a spreadsheet program.")])
    for sheet in sheets:
        if len(sheet.rows) >= MAX_ROWS or any(len(row) >= MAX_COLUMNS for row in sheet.rows[:1]):
            message = f"The sheet {sheet.name} has {MAX_ROWS} rows or {MAX_COLUMNS} columns, or more"
            return GridReading(
                None,
                [Finding("error", Where(sheet.name, name=name), message, "Delete what lies beside the table.")],
            )
    return grid.from_sheets(sheets, name=name, known_kpis=from_library, nearest=library.nearest)


def _refusal(data: bytes) -> tuple[str, str] | None:
    """Why a file is not opened: a workbook is a zip archive, and a small archive can unpack to more than the machine holds."""
    if len(data) > MAX_PACKED:
        return (
            f"The file has {len(data)} bytes; a contract has at most {MAX_PACKED}",
            "Delete pictures and sheets that do not belong to it.",
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile:
        return "The file is no workbook (.xlsx)", "Save it as .xlsx in a spreadsheet program; .xls and .csv are other formats."
    if unpacked > MAX_UNPACKED:
        return f"The file unpacks to {unpacked} bytes, which no contract needs", "Save it anew in a spreadsheet program."
    return None


def sheets_of(data: bytes) -> list[Sheet]:
    """A workbook's sheets as plain rows. Formulas give their stored results."""
    values = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
    formulas = openpyxl.load_workbook(io.BytesIO(data))
    try:
        return [_sheet(values[name], formulas[name]) for name in values.sheetnames if isinstance(values[name], Worksheet)]
    finally:
        values.close()
        formulas.close()


def _sheet(values: Worksheet, formulas: Worksheet) -> Sheet:
    # Whole columns are often formatted down to the last row there is; only cells that say something count.
    there = [*values._cells.values(), *formulas._cells.values()]  # noqa: SLF001 - openpyxl tells in no other way which cells there are
    said = [(cell.row, cell.column) for cell in there if cell.value is not None]
    last_row = min(max((row for row, _ in said), default=1), MAX_ROWS)
    last_column = min(max((column for _, column in said), default=1), MAX_COLUMNS)
    rows = [
        [_cell(value, formula) for value, formula in zip(row, beneath, strict=True)]
        for row, beneath in zip(
            values.iter_rows(max_row=last_row, max_col=last_column), formulas.iter_rows(max_row=last_row, max_col=last_column), strict=True
        )
    ]
    merged = [(area.min_row - 1, area.min_col - 1, area.max_row - 1, area.max_col - 1) for area in values.merged_cells.ranges]
    return Sheet(name=values.title, rows=rows, merged=merged, is_hidden=values.sheet_state != "visible")


def _cell(cell: Any, beneath: Any) -> Cell:
    formula = str(getattr(beneath.value, "text", beneath.value)) if beneath.data_type == "f" else None
    value = cell.value
    if isinstance(value, float):
        # The number people see: the shortest decimal that is stored as this binary number, without the dust of 28.999999999999996.
        value = Decimal(repr(value)) if len(repr(value)) < 18 else Decimal(f"{value:.15g}")
    elif isinstance(value, dt.datetime):
        value = value.date() if value.time() == dt.time() else value.isoformat(" ")
    elif value is not None and not isinstance(value, str | int | bool | Decimal | dt.date):
        value = str(value)
    return Cell(value, is_percent="%" in (cell.number_format or "") and isinstance(value, int | Decimal), formula=formula)


def from_library(name: str) -> dict[str, Any] | None:
    """A KPI of the library as a workbook's reader wants it."""
    found = library.find(name)
    if found is None:
        return None
    own, entry = found
    part = Contract(
        contract="x",
        title="x",
        vendor="x",
        in_force=library.example_of(own, entry)[0].in_force,
        kpis={own: entry.included()},
        measures=entry.measures,
    )
    plain = grid.plain_document(part)
    return {"name": own, "kpi": plain["kpis"][own], "measures": plain["measures"]}


# Writing


def workbook_of(sheets: Iterable[Sheet], *, notes: bool = False) -> bytes:
    """The sheets as a workbook: text as text, numbers as numbers, days as days, nothing that computes."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for sheet in sheets:
        _write_sheet(book.create_sheet(sheet.name), sheet, note=_NOTES.get(sheet.name) if notes else None)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _write_sheet(target: Worksheet, sheet: Sheet, *, note: str | None) -> None:
    top = 1
    if note is not None:
        _set(target, 1, 1, note)
        top = 2
    for row, written in enumerate(sheet.rows, top):
        for column, one in enumerate(written, 1):
            if one.value is not None:
                _set(target, row, column, one.value)
    for column in range(1, len(sheet.rows[0]) + 1):
        head: Any = target.cell(top, column)
        head.font, head.fill = Font(bold=True), _HEAD
        longest = max((len(str(cells[column - 1].value or "")) for cells in sheet.rows if len(cells) >= column), default=0)
        target.column_dimensions[get_column_letter(column)].width = min(max(longest + 2, 10), 60)
    _offer(target, sheet, top)
    target.freeze_panes = f"A{top + 1}"
    target.sheet_state = "hidden" if sheet.is_hidden else "visible"


_OFFERED_ROWS = 500


def _offer(target: Worksheet, sheet: Sheet, top: int) -> None:
    """Lists to choose from where a cell holds one of a few words. Other words can be typed; reading says what it makes of them."""
    offered = grid.choices(sheet.name)
    places: dict[str, str] = {}
    if sheet.name == "Contract":
        for row, cells in enumerate(sheet.rows, top):
            if str(cells[0].value) in offered:
                places[f"B{row}"] = str(cells[0].value)
    else:
        for column, cell in enumerate(sheet.rows[0], 1):
            if str(cell.value) in offered:
                letter = get_column_letter(column)
                places[f"{letter}{top + 1}:{letter}{top + _OFFERED_ROWS}"] = str(cell.value)
    for place, heading in places.items():
        words = ",".join(offered[heading])
        choice = DataValidation(type="list", formula1=f'"{words}"', allow_blank=True, showErrorMessage=False)
        choice.add(place)
        target.add_data_validation(choice)


def _set(target: Worksheet, row: int, column: int, value: Any) -> None:
    cell: Any = target.cell(row, column)
    cell.value = value
    if isinstance(value, str):
        # Left to itself, openpyxl takes text that begins with an equals sign for a formula, and `#N/A` for an error.
        cell.data_type = "s"
        cell.alignment = Alignment(vertical="top", wrap_text="\n" in value)
    elif isinstance(value, dt.date):
        cell.number_format = "yyyy-mm-dd"


__all__ = ["from_xlsx", "read_workbook", "sheets_of", "template", "template_sheets", "to_xlsx", "workbook_of"]
