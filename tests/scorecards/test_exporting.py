"""A scorecard as CSV and as a workbook: every figure, as a number where it is one."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import openpyxl
import pytest

from scorecards import exporting, page
from scorecards.scorecard import Scorecard
from tests.scorecards import scorecard_builders as builders
from tests.scorecards.scorecard_builders import BAD_INPUT, STORIES, D, kpi, scorecard

every_scorecard = pytest.mark.parametrize("build", [*STORIES.values(), *BAD_INPUT.values()], ids=[*STORIES, *BAD_INPUT])


def rows_of(card: Scorecard) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(exporting.to_csv(card).decode(), newline="")))


def book_of(card: Scorecard) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(exporting.to_xlsx(card)))


@every_scorecard
def test_every_result_is_a_row_with_its_exact_figures(build: Callable[[], Scorecard]) -> None:
    card = page.for_edition(build(), "vendor")
    rows = rows_of(card)
    assert len(rows) == len(card.results)
    for row, result in zip(rows, card.results, strict=True):
        assert row["kpi"].lstrip("'") == result.kpi
        assert (Decimal(row["value"]) if row["value"] else None) == result.value
        assert (Decimal(row["numerator"]) if row["numerator"] else None) == result.numerator
        assert row["met"] == {True: "yes", False: "no", None: ""}[result.met]
    assert book_of(card).sheetnames[:3] == ["KPIs", "Summary", "Periods"]


def test_a_workbook_holds_numbers_days_and_moments_with_formats_for_people() -> None:
    book = book_of(builders.over_cap_month())
    page_, summary = book["KPIs"], {row[0].value: row[1] for row in book["Summary"].iter_rows(min_row=2)}
    columns = {cell.value: index for index, cell in enumerate(page_[1])}
    first = next(page_.iter_rows(min_row=2))
    assert isinstance(first[columns["value"]].value, int | float)
    assert isinstance(first[columns["from"]].value, datetime)
    assert first[columns["from"]].number_format == "yyyy-mm-dd"
    assert summary["credit (PHP)"].value == 144480
    assert summary["credit (PHP)"].number_format == "#,##0.00"
    assert summary["data as of"].number_format.endswith('"UTC"')
    assert page_.freeze_panes == "A2"
    amounts = [row[8].value for row in book["Credits"].iter_rows(min_row=2)]
    assert amounts == [float(line.amount) if line.amount is not None else None for line in builders.over_cap_month().lines]


def test_text_that_looks_like_a_formula_stays_text() -> None:
    card = scorecard([kpi("accuracy", "96", title="=HYPERLINK(1)"), kpi("hours", "99", title="+1-800"), kpi("leakage", "-1", "1")])
    titles = [row["title"] for row in rows_of(card)]
    assert titles[:2] == ["'=HYPERLINK(1)", "'+1-800"]
    # A negative number is a number.
    assert rows_of(card)[2]["value"] == "-1"
    cells = {cell.value: cell.data_type for row in book_of(card)["KPIs"].iter_rows(min_row=2) for cell in row}
    assert cells["=HYPERLINK(1)"] == "s"


def test_the_sites_export_knows_no_money() -> None:
    card = page.for_edition(builders.over_cap_month(), "site")
    book = book_of(card)
    assert "Credits" not in book.sheetnames
    text = " ".join(str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row)
    for amount in ("144480", "186620", "PHP)"):
        assert amount not in text


def test_a_revision_exports_its_differences() -> None:
    rows = [[cell.value for cell in row] for row in book_of(builders.revised_month())["Differences"].iter_rows(min_row=2)]
    assert ["accuracy", None, "verdict", None, "missed", "met"] in rows


def test_dimensions_are_columns() -> None:
    rows = rows_of(builders.silent_workstream())
    assert [row["workstream"] for row in rows] == [*["content-moderation"] * 2, *["live-stream-moderation"] * 2]
    assert rows[0]["value"] == str(D("96.2"))
