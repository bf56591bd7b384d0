"""A scorecard as tables: CSV for scripts, a workbook with real numbers, days and formats for people.

Both hold what the edition may know, and nothing is rounded: a cell shows two decimals and holds the number.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import openpyxl
from msgspec import Struct
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from scorecards.formats import MINOR_UNITS, clean
from scorecards.scorecard import Scorecard

Value = str | int | Decimal | date | datetime | bool | None


class Sheet(Struct, frozen=True, kw_only=True):
    """A table: its name, its columns and its rows."""

    name: str
    columns: list[str]
    rows: list[list[Value]]


def sheets(card: Scorecard) -> list[Sheet]:
    """The tables of a scorecard that `page.for_edition` has already reduced; the KPIs come first."""
    found = [_kpis(card), _summary(card), _history(card)]
    if card.lines:
        found.append(_money(card))
    if card.feeds:
        found.append(_feeds(card))
    if card.revises is not None:
        found.append(_differences(card))
    return found


def to_csv(card: Scorecard) -> bytes:
    """The KPIs as CSV, UTF-8, one row a result; numbers with a point, days as ISO 8601, an unknown value empty."""
    sheet = _kpis(card)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(sheet.columns)
    writer.writerows([_in_csv(value) for value in row] for row in sheet.rows)
    return text.getvalue().encode()


def to_xlsx(card: Scorecard) -> bytes:
    """Every table as a sheet of one workbook."""
    book = openpyxl.Workbook()
    book.remove(book.active)  # type: ignore[arg-type]
    book.properties.title = f"{card.number} {card.site_name}"
    book.properties.creator = clean(card.customer)
    book.properties.created = card.prepared_at.astimezone(UTC).replace(tzinfo=None)
    for sheet in sheets(card):
        _write(book.create_sheet(sheet.name), sheet, card.currency)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _kpis(card: Scorecard) -> Sheet:
    names = sorted({name for one in card.results for name in one.dimensions})
    columns = [
        "scorecard", "revision", "vendor", "contract", "site", "from", "until", "kpi", "title", *names, "clause", "version", "status",
        "numerator", "denominator", "value", "unit", "target", "boundary", "met", "level", "score", "weight", "weight_used", "points",
        "streak", "interval_low", "interval_high", "days_expected", "days_present", "days_relieved", "value_without_relief",
    ]  # fmt: skip
    rows: list[list[Value]] = [
        [
            card.number, card.revision, card.vendor, card.contract, card.site, one.from_, one.until, one.kpi, one.title,
            *(one.dimensions.get(name, "") for name in names), one.clause, one.version, one.status, one.numerator, one.denominator,
            one.value, one.unit, one.target, one.boundary, one.met, one.level, one.score, one.weight, one.weight_used, one.points,
            one.streak, one.interval[0] if one.interval else None, one.interval[1] if one.interval else None, one.spans_expected,
            one.spans_present, one.spans_relieved, one.value_without_relief,
        ]
        for one in card.results
    ]  # fmt: skip
    return Sheet(name="KPIs", columns=columns, rows=rows)


def _summary(card: Scorecard) -> Sheet:
    facts: list[tuple[str, Value]] = [
        ("scorecard", card.number), ("revision", card.revision), ("state", card.state), ("customer", card.customer),
        ("vendor", card.vendor_name), ("site", card.site_name), ("contract", card.contract), ("title", card.contract_title),
        ("versions", ", ".join(card.versions)), ("from", card.from_), ("until", card.until), ("time zone", card.time_zone),
        ("data as of", card.data_as_of), ("prepared", card.prepared_at), ("engine", card.engine), ("score", card.score),
        ("score of the period before", card.score_previous), ("score a year ago", card.score_year_ago),
        ("score without relief", card.score_without_relief), ("standing", card.standing), ("points", card.points),
    ]  # fmt: skip
    total = next((one for one in card.totals if one.scope == card.scope), None)
    if total is not None and total.net is not None:
        names = ("credit_uncapped", "credit", "bonus", "earned_back", "carried", "net")
        facts.extend((f"{name.replace('_', ' ')} ({card.currency})", getattr(total, name)) for name in names)
        facts.append((f"credits this contract year ({card.currency})", card.credit_this_year))
        facts.append((f"at risk this period ({card.currency})", card.money_at_risk))
    return Sheet(name="Summary", columns=["what", "value"], rows=[[name, value] for name, value in facts])


def _history(card: Scorecard) -> Sheet:
    rows: list[list[Value]] = [["score", point.from_, point.value, point.target, point.status, point.met] for point in card.score_trend]
    rows += [
        [key, point.from_, point.value, point.target, point.status, point.met] for key, points in card.trends.items() for point in points
    ]
    return Sheet(name="Periods", columns=["figure", "from", "value", "target", "status", "met"], rows=rows)


def _money(card: Scorecard) -> Sheet:
    rows: list[list[Value]] = [
        [
            one.step, one.kind, one.kpi, ", ".join(one.scope.values()), one.clause, one.rule, one.base, one.base_amount, one.amount,
            one.payable_in,
        ]
        for one in card.lines
    ]  # fmt: skip
    columns = ["step", "kind", "kpi", "scope", "clause", "rule", "base", "base_amount", "amount", "payable_in"]
    return Sheet(name="Credits", columns=columns, rows=rows)


def _feeds(card: Scorecard) -> Sheet:
    columns = ["measure", "scope", "source", "as_of", "rows", "expected", "missing", "newest", "late", "corrected", "refused"]
    rows: list[list[Value]] = [
        [
            one.measure, ", ".join(one.scope.values()), one.source, one.as_of, one.rows, one.expected, one.missing, one.newest_on,
            one.late, one.corrected, one.refused,
        ]
        for one in card.feeds
    ]  # fmt: skip
    return Sheet(name="Data", columns=columns, rows=rows)


def _differences(card: Scorecard) -> Sheet:
    found = card.revises.differences if card.revises is not None else []
    rows: list[list[Value]] = [[one.kpi, ", ".join(one.dimensions.values()), one.figure, one.unit, one.before, one.after] for one in found]
    return Sheet(name="Differences", columns=["kpi", "scope", "figure", "unit", "before", "after"], rows=rows)


def _in_csv(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int):
        return str(value)
    text = clean(value)
    # A spreadsheet takes text that begins so for a formula, and runs it.
    return f"'{text}" if text[:1] in _FORMULA else text


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _write(page: Worksheet, sheet: Sheet, currency: str) -> None:
    page.append(sheet.columns)
    for cell in page[1]:
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", start_color="E6EEF3")
        cell.alignment = Alignment(vertical="top", wrap_text=True)
    money = f"#,##0.{'0' * places}" if (places := MINOR_UNITS.get(currency.upper(), 2)) else "#,##0"
    for number, row in enumerate(sheet.rows, 2):
        for column, value in enumerate(row, 1):
            _set(page, number, column, value, money if "amount" in sheet.columns[column - 1] or _is_money(row) else None)
    page.freeze_panes = "A2"
    if sheet.rows:
        page.auto_filter.ref = page.dimensions
    for index in range(1, len(sheet.columns) + 1):
        page.column_dimensions[get_column_letter(index)].width = _width(sheet, index - 1)


def _is_money(row: Sequence[Value]) -> bool:
    """A row of the summary that names its currency."""
    return len(row) == 2 and isinstance(row[0], str) and row[0].endswith(")")


def _set(page: Worksheet, row: int, column: int, value: Value, number_format: str | None) -> None:
    cell = page.cell(row=row, column=column)
    if isinstance(value, datetime):
        # A workbook knows no zones: moments are those of UTC, and their format says so.
        cell.value = value.astimezone(UTC).replace(tzinfo=None)
        cell.number_format = 'yyyy-mm-dd hh:mm "UTC"'
    elif isinstance(value, date):
        cell.value = value
        cell.number_format = "yyyy-mm-dd"
    elif isinstance(value, bool) or value is None:
        cell.value = value
    elif isinstance(value, Decimal | int):
        cell.value = value
        cell.number_format = number_format or ("#,##0" if value == int(value) else "#,##0.00##")
    else:
        cell.value = clean(value)
        # Left to itself, openpyxl takes text that begins with an equals sign for a formula.
        cell.data_type = "s"
        cell.alignment = Alignment(vertical="top", wrap_text=len(value) > _LONG)


_LONG = 40


def _width(sheet: Sheet, column: int) -> int:
    longest = max((len(str(row[column])) for row in sheet.rows if row[column] is not None), default=0)
    return min(max(longest, len(sheet.columns[column]), 8) + 2, _LONG + 2)


__all__ = ["Sheet", "sheets", "to_csv", "to_xlsx"]
