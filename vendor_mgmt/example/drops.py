"""The files of the two vendors that send files: semicolon-separated text, and workbooks as people write them.

A file appears complete under its name: it is written beside it and moved there. Writing a month again after its figures were
corrected replaces its file, which is what vendors do, too.

    python -m vendor_mgmt.example.drops FOLDER --today 2026-11-22
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from vendor_mgmt.example import portfolio, wire
from vendor_mgmt.example.generating import Row, as_known, rows
from vendor_mgmt.example.portfolio import MONTHS, SEED, month_start

CSV_COLUMNS = ("Site", "Queue", "Language", "Item", "Date", "Unit", "Value")

# Group, column, measure: two lines of headings, of which the upper is merged over its group.
XLSX_COLUMNS = (
    ("Contacts", "Forecast", "forecast_contacts"),
    ("Contacts", "Offered", "contacts_offered"),
    ("Contacts", "Answered", "contacts_answered"),
    ("Contacts", "Answered within 20 s", "contacts_answered_in_threshold"),
    ("Abandoned", "All", "contacts_abandoned"),
    ("Abandoned", "Within 20 s", "contacts_abandoned_in_threshold"),
    ("Seconds", "Waiting", "wait_seconds"),
    ("Seconds", "Handling", "handling_seconds"),
    ("Outcome", "Solved at first contact", "contacts_resolved_first"),
    ("Outcome", "Survey answers", "csat_answers"),
    ("Outcome", "Satisfied", "csat_satisfied"),
    ("Staffed minutes", "Required", "required_minutes"),
    ("Staffed minutes", "Delivered", "delivered_minutes"),
)


def write_drops(
    folder: Path,
    today: date,
    *,
    vendors: Sequence[str] = ("akari-relay", "thornbury-hale"),
    months: Iterable[int] = range(MONTHS + 1),
    as_of: datetime | None = None,
    seed: str = SEED,
) -> list[Path]:
    """Writes the drops of these vendors and months (14 is the running one) into a folder for each vendor, and says which files.

    `as_of` leaves out what was not known at that moment; not given, noon UTC of `today`. A month of which nothing is known yet
    has no file.
    """
    wanted = sorted(months)
    written = []
    for vendor in vendors:
        known = as_known(rows(today, seed=seed, vendor=vendor), as_of or datetime.combine(today, time(12), UTC))
        by_month: dict[date, list[Row]] = defaultdict(list)
        for row in known:
            by_month[row.starts_on.replace(day=1)].append(row)
        for month in wanted:
            first = month_start(today, month)
            if by_month[first]:
                written += _WRITERS[vendor](folder / vendor, first, by_month[first])
    return written


def _akari_relay(folder: Path, month: date, known: Sequence[Row]) -> list[Path]:
    """One file a site and month, as a Japanese spreadsheet writes text: with a byte order mark, slashes in dates, CR LF."""
    by_site: dict[str, list[Row]] = defaultdict(list)
    for row in known:
        by_site[portfolio.site(row.site).code].append(row)

    return [
        _complete(folder / f"akari_{code}_{month:%Y-%m}.csv", partial(_write_csv, code, of_site))
        for code, of_site in sorted(by_site.items())
    ]


def _write_csv(code: str, known: Sequence[Row], path: Path) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
        writer.writerow(CSV_COLUMNS)
        for row in known:
            queue = wire.QUEUES["akari-relay"][row.workstream]
            writer.writerow((code, queue, row.language, row.measure, f"{row.starts_on:%Y/%m/%d}", row.grain, row.value))


def _thornbury_hale(folder: Path, month: date, known: Sequence[Row]) -> list[Path]:
    """One workbook a month: a sheet of daily figures under two lines of headings, with titles, totals and a note, and one of charges."""
    book = Workbook()
    book.remove(book.worksheets[0])
    _write_daily(book.create_sheet("Daily"), month, [row for row in known if row.grain == "day"])
    charges = [row for row in known if row.measure == "monthly_invoice"]
    _write_charges(book.create_sheet("Charges"), month, charges)
    path = folder / f"Thornbury Hale {month:%Y-%m} service report.xlsx"
    return [_complete(path, book.save)]


_WRITERS: dict[str, Callable[[Path, date, Sequence[Row]], list[Path]]] = {
    "akari-relay": _akari_relay,
    "thornbury-hale": _thornbury_hale,
}

_BOLD = Font(bold=True)
_SHADE = PatternFill("solid", fgColor="DDE6F0")


def _write_daily(sheet: Worksheet, month: date, known: Sequence[Row]) -> None:
    keys = ("Site", "Language", "Date")
    last = get_column_letter(len(keys) + len(XLSX_COLUMNS))
    _title(sheet, f"A1:{last}1", f"Thornbury Hale Customer Care: service report {month:%B %Y}", size=14)
    _title(sheet, f"A2:{last}2", f"Prepared by {portfolio.PERSON}, reporting desk. Customer: Meridian Marketplace", size=9)

    for column, key in enumerate(keys, 1):
        sheet.cell(4, column, key)
        sheet.merge_cells(start_row=4, end_row=5, start_column=column, end_column=column)
    column = len(keys) + 1
    for group in dict.fromkeys(group for group, _, _ in XLSX_COLUMNS):
        names = [name for of_group, name, _ in XLSX_COLUMNS if of_group == group]
        sheet.cell(4, column, group)
        sheet.merge_cells(start_row=4, end_row=4, start_column=column, end_column=column + len(names) - 1)
        for name in names:
            sheet.cell(5, column, name)
            column += 1
    for line in sheet["A4" : f"{last}5"]:
        for cell in line:
            cell.font, cell.fill, cell.alignment = _BOLD, _SHADE, Alignment(horizontal="center", wrap_text=True)

    table: dict[tuple[str, str, date], dict[str, int | Decimal]] = defaultdict(dict)
    for row in known:
        table[portfolio.site(row.site).code, row.language, row.starts_on][row.measure] = row.value
    for (code, language, day), figures in sorted(table.items()):
        sheet.append([code, language, day, *(figures.get(measure) for _, _, measure in XLSX_COLUMNS)])
        sheet.cell(sheet.max_row, 3).number_format = "DD/MM/YYYY"
    sums = [sum(figures.get(measure, 0) for figures in table.values()) for _, _, measure in XLSX_COLUMNS]
    sheet.append(["Total", None, None, *sums])
    for cell in sheet[sheet.max_row]:
        cell.font = _BOLD
    sheet.cell(sheet.max_row + 2, 1, "Figures are final on the fifth working day after the month.")
    sheet.freeze_panes = "D6"
    for position in range(1, len(keys) + len(XLSX_COLUMNS) + 1):
        sheet.column_dimensions[get_column_letter(position)].width = 14


def _write_charges(sheet: Worksheet, month: date, charges: Sequence[Row]) -> None:
    _title(sheet, "A1:C1", f"Charges {month:%B %Y}, GBP, before tax", size=12)
    sheet.append([])
    sheet.append(["Site", "Month", "Charges"])
    for cell in sheet[3]:
        cell.font, cell.fill = _BOLD, _SHADE
    for row in sorted(charges, key=lambda row: row.site):
        sheet.append([portfolio.site(row.site).code, row.starts_on, row.value])
        sheet.cell(sheet.max_row, 2).number_format = "MMM YYYY"
        sheet.cell(sheet.max_row, 3).number_format = "#,##0.00"
    if charges:
        sheet.append(["Total", None, sum(row.value for row in charges)])
        sheet.cell(sheet.max_row, 3).number_format = "#,##0.00"
    else:
        sheet.append(["To follow with the invoice"])
    for position in range(1, 4):
        sheet.column_dimensions[get_column_letter(position)].width = 16


def _title(sheet: Worksheet, cells: str, text: str, *, size: int) -> None:
    sheet.merge_cells(cells)
    first: Any = sheet[cells.split(":", maxsplit=1)[0]]
    first.value = text
    first.font = Font(bold=True, size=size)


def _complete(path: Path, write: Callable[[Path], None]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The leading dot and the other ending keep a reader that looks for `*.csv` away from half a file.
    unfinished = path.with_name(f".{path.name}.part")
    write(unfinished)
    return unfinished.replace(path)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m vendor_mgmt.example.drops", description="Writes the files of the example's vendors.")
    parser.add_argument("folder", type=Path, help="a folder for each vendor is made in it")
    parser.add_argument("--today", type=date.fromisoformat, default=None, help="the day on which the last figures arrived (default: today)")
    parser.add_argument("--seed", default=SEED)
    given = parser.parse_args(arguments)
    today = given.today or datetime.now(UTC).date()
    for path in write_drops(given.folder, today, seed=given.seed):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
