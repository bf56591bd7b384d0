"""Contracts as workbooks: what is written is read again, whatever people do to columns and formats, and every fault has its cell."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import library
from contracts.document import Contract
from contracts.errors import has_errors
from contracts.grid import SHEETS, Cell, GridReading, Sheet, choices, from_sheets, to_sheets
from contracts.reading import read, write
from tests.contracts.any_contract import any_contract
from vendor_mgmt.commands.contract_grid import from_library, sheets_of, template_sheets, workbook_of

PORTFOLIO = sorted((Path(__file__).parents[2] / "vendor_mgmt/example/documents/contracts").glob("*.yaml"))

Row = list[Any]

PARTIES: list[Row] = [
    ["Contract", "IB-1"],
    ["Title", "Moderation, Iberia"],
    ["Vendor", "harbour"],
    ["Currency", "EUR"],
    ["Time zone", "Europe/Lisbon"],
    ["In force from", dt.date(2026, 3, 1)],
    ["In force until", "2028-03-01"],
]
CHARGES: list[Row] = [["Kind", "Name", "Measure"], ["base", "charges", "invoice"]]
INVOICE: list[Row] = [["Measure", "Title", "Money"], ["invoice", "Charges", "yes"]]


def sheet(name: str, rows: list[Row], **more: Any) -> Sheet:
    return Sheet(name=name, rows=[[one if isinstance(one, Cell) else Cell(one) for one in row] for row in rows], **more)


def reading(*rows: Row, parties: list[Row] | None = None, others: tuple[Sheet, ...] = (), merged: Any = ()) -> GridReading:
    """A small workbook: the parties, a grid of KPIs of the library, and what else a test needs."""
    sheets = [sheet("Contract", PARTIES if parties is None else parties), sheet("KPIs", list(rows), merged=list(merged)), *others]
    return from_sheets(sheets, name="book.xlsx", known_kpis=from_library, nearest=library.nearest)


def said(result: GridReading, severity: str = "error") -> list[str]:
    return [str(finding) for finding in result.findings if finding.severity == severity]


def contract_of(result: GridReading) -> Contract:
    assert result.document is not None, said(result)
    return result.document


def through_a_file(contract: Contract) -> GridReading:
    return from_sheets(sheets_of(workbook_of(to_sheets(contract).sheets)), known_kpis=from_library)


# There and back


@pytest.mark.parametrize("path", PORTFOLIO, ids=lambda path: path.stem)
def test_a_real_contract_survives_the_way_into_a_workbook_and_back(path: Path) -> None:
    contract = read(path.read_bytes(), Contract).required()
    back = through_a_file(contract)
    assert contract_of(back) == contract
    assert to_sheets(contract_of(back)) == to_sheets(contract)


@given(st.integers(0, 2**32))
@settings(max_examples=12)
def test_any_contract_survives_it_with_every_field_the_language_has(seed: int) -> None:
    contract = any_contract(Random(seed))
    if read(write(contract), Contract).document is None:
        return  # A level called `007`, or a line without corners: words put together that no document holds.
    back = through_a_file(contract)
    assert back.draft == contract, said(back)
    assert to_sheets(back.draft) == to_sheets(contract)


@given(st.integers(0, 2**32))
@settings(max_examples=8)
def test_no_cell_starts_a_formula(seed: int) -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook_of(to_sheets(any_contract(Random(seed))).sheets)))
    cells = [cell for one in book.worksheets for row in one.iter_rows() for cell in row if cell.value is not None]
    assert cells
    assert [cell.value for cell in cells if cell.data_type == "f" or str(cell.value).startswith(("=", "+", "@", "\t"))] == []
    assert [cell.value for cell in cells if isinstance(cell.value, str) and cell.value.startswith("-")] == []


def test_what_has_no_column_is_kept_and_said() -> None:
    path = next(path for path in PORTFOLIO if path.stem == "TH-CARE-009")
    written = to_sheets(read(path.read_bytes(), Contract).required())
    rest = next(one for one in written.sheets if one.name == "Rest")
    assert rest.is_hidden
    assert "The hidden sheet Rest keeps examples, scoring: there is no sheet for them." in written.kept
    assert "Definitions, sl: score stands in the column More." in written.kept


def test_a_changed_cell_changes_the_contract_and_nothing_else() -> None:
    contract = read(PORTFOLIO[2].read_bytes(), Contract).required()
    book = openpyxl.load_workbook(io.BytesIO(workbook_of(to_sheets(contract).sheets)))
    grid = book["KPIs"]
    column = next(cell.column for cell in grid[1] if cell.value == "Weight")
    assert grid.cell(2, column).value == 25
    grid.cell(2, column).value = 20
    changed = io.BytesIO()
    book.save(changed)
    back = contract_of(from_sheets(sheets_of(changed.getvalue())))
    assert back.kpis["acc"].weight == 20
    assert write(back).decode().replace("weight: 20", "weight: 25", 1) == write(contract).decode()


def test_a_deleted_row_takes_all_of_itself_along() -> None:
    contract = read(PORTFOLIO[2].read_bytes(), Contract).required()
    book = openpyxl.load_workbook(io.BytesIO(workbook_of(to_sheets(contract).sheets)))
    book["Money"].delete_rows(3)
    changed = io.BytesIO()
    book.save(changed)
    back = contract_of(from_sheets(sheets_of(changed.getvalue())))
    assert back.money.credits == []
    assert back.money.caps == contract.money.caps


def test_the_template_reads_without_a_remark() -> None:
    result = from_sheets(sheets_of(workbook_of(template_sheets(), notes=True)), known_kpis=from_library)
    assert result.findings == []
    assert contract_of(result).kpis["acc"].levels[1].from_ == dt.date(2026, 6, 1)


def test_the_template_needs_no_definitions_because_the_library_has_them() -> None:
    sheets = [one for one in template_sheets() if one.name not in ("Definitions", "Measures")]
    measures = sheet("Measures", [["Measure", "Money"], ["monthly_invoice", "yes"]])
    result = from_sheets([*sheets, measures], known_kpis=from_library)
    assert contract_of(result).kpis["acc"].value == library.entries()["acc"].kpi.value
    assert "decisions_audited" in contract_of(result).measures


# What people make


def test_the_smallest_workbook_is_a_contract() -> None:
    result = reading(["KPI", "Target", "Weight"], ["acc", 95, 100])
    contract = contract_of(result)
    assert contract.kpis["acc"].levels[0].at == {"target": Decimal(95)}
    assert contract.in_force.until == dt.date(2028, 3, 1)
    assert any("the library's was taken" in note for note in said(result, "note"))


def test_rows_are_site_by_workstream_by_language_and_columns_are_months() -> None:
    contract = contract_of(
        reading(
            ["Site", "Workstream", "Language", "KPI", "2026-03", "Jun 2026", "Weight"],
            ["lisbon", "products", "pt", "acc", 90, 93, 100],
            ["lisbon", "products", "es", "acc", 88, None, None],
        )
    )
    kpi = contract.kpis["acc"]
    assert kpi.for_each == ["site", "workstream", "language"]
    assert contract.dimensions == ["workstream", "language"]
    assert [(one.from_, one.where["language"], one.at["target"]) for one in kpi.levels] == [
        (dt.date(2026, 3, 1), "pt", Decimal(90)),
        (dt.date(2026, 6, 1), "pt", Decimal(93)),
        (dt.date(2026, 3, 1), "es", Decimal(88)),
    ]
    assert [(one.site, one.workstream, one.languages) for one in contract.scope] == [("lisbon", "products", ["pt", "es"])]


def test_the_order_of_columns_and_titles_above_do_not_matter() -> None:
    straight = reading(["Site", "KPI", "target from 2026-03-01", "Weight"], ["lisbon", "acc", 95, 100])
    turned = reading(["Levels agreed in January"], [], ["Weight", "target from 2026-03-01", "KPI", "Site"], [100, 95, "acc", "lisbon"])
    assert contract_of(straight) == contract_of(turned)


def test_levels_merged_above_their_months_head_both_columns() -> None:
    contract = contract_of(
        reading(
            [None, None, "Target", None, "Floor", None, None],
            ["Site", "KPI", "2026-03", "2026-06", "2026-03", "2026-06", "Weight"],
            ["lisbon", "acc", 93, 95, 90, 92, 100],
            merged=[(0, 2, 0, 3), (0, 4, 0, 5)],
        )
    )
    assert [dict(one.at) for one in contract.kpis["acc"].levels] == [{"target": 93, "floor": 90}, {"target": 95, "floor": 92}]


def test_months_below_a_heading_that_is_merged_down_are_the_second_line_of_it() -> None:
    contract = contract_of(
        reading(
            ["Site", "KPI", "Target", None, "Weight"],
            [None, None, "2026-03", "2026-06", None],
            ["lisbon", "acc", 93, 95, 100],
            merged=[(0, 0, 1, 0), (0, 1, 1, 1), (0, 2, 0, 3), (0, 4, 1, 4)],
        )
    )
    assert [one.from_ for one in contract.kpis["acc"].levels] == [dt.date(2026, 3, 1), dt.date(2026, 6, 1)]


def test_a_site_merged_over_its_rows_holds_for_each_of_them() -> None:
    contract = contract_of(
        reading(["Site", "KPI", "Target", "Weight"], ["lisbon", "acc", 95, 50], [None, "tat_sla", 96, 50], merged=[(1, 0, 2, 0)])
    )
    assert {name: kpi.levels[0].where for name, kpi in contract.kpis.items()} == {"acc": {"site": "lisbon"}, "tat_sla": {"site": "lisbon"}}


def test_a_row_for_each_level_is_read_as_well_as_a_column_for_each() -> None:
    contract = contract_of(reading(["KPI", "Level", "2026-03", "Weight"], ["acc", "Target", 95, 100], ["acc", "Floor", 91, None]))
    assert [dict(one.at) for one in contract.kpis["acc"].levels] == [{"target": 95}, {"floor": 91}]


@pytest.mark.parametrize("written", [95, Decimal("95.0"), Cell(Decimal("0.95"), is_percent=True), "95 %", "95%", "95,0", "95.0"], ids=str)
def test_a_percentage_is_read_however_it_is_formatted(written: Any) -> None:
    assert contract_of(reading(["KPI", "Target", "Weight"], ["acc", written, 100])).kpis["acc"].levels[0].at["target"] == 95


def test_a_bare_fraction_where_more_is_better_is_asked_about() -> None:
    assert said(reading(["KPI", "Target", "Weight"], ["acc", Decimal("0.95"), 100])) == [
        "book.xlsx KPIs!B2: 0.95 in a percentage where more is better is either 95 % or 0.95 %. "
        "Write 95, or format the cell as a percentage; write the text `0.95 %` if it is meant."
    ]
    low = reading(["KPI", "Target", "Weight"], ["leakage", Decimal("0.5"), 100])
    assert contract_of(low).kpis["leakage"].levels[0].at["target"] == Decimal("0.5")


def test_a_percent_format_on_seconds_is_a_fault() -> None:
    faults = said(reading(["KPI", "Target", "Weight"], ["asa", Cell(Decimal("0.3"), is_percent=True), 100]))
    assert faults == [
        "book.xlsx KPIs!B2: The cell is formatted as a percentage (30 %), and the KPI is no percentage. Format the cell as a number."
    ]


@pytest.mark.parametrize("day", ["2026-03-01", dt.date(2026, 3, 1), "1 March 2026", "01.03.2026", "Mar 1, 2026", "2026/3/1"], ids=str)
def test_a_day_is_read_however_it_is_written(day: Any) -> None:
    parties = [row for row in PARTIES if row[0] != "In force from"] + [["Effective date", day]]
    assert contract_of(reading(["KPI", "Target", "Weight"], ["acc", 95, 100], parties=parties)).in_force.from_ == dt.date(2026, 3, 1)


def test_a_day_that_can_be_two_days_is_not_guessed() -> None:
    parties = [row for row in PARTIES if row[0] != "In force from"] + [["In force from", "03/04/2026"], ["Signed on", "2026-02-30"]]
    assert said(reading(["KPI", "Target", "Weight"], ["acc", 95, 100], parties=parties))[:2] == [
        "book.xlsx Contract!B7: '03/04/2026' can be two different days. Write year-month-day, such as 2026-03-01.",
        "book.xlsx Contract!B8: '2026-02-30' is a day that does not exist. Correct the day.",
    ]


def test_a_credit_percent_is_a_credit_on_the_only_base() -> None:
    others = (sheet("Money", CHARGES), sheet("Measures", INVOICE))
    result = reading(["KPI", "Target", "Weight", "Credit percent"], ["acc", 95, 100, 5], others=others)
    rule = contract_of(result).money.credits[0]
    assert rule.for_ == "acc"
    assert rule.pay is not None
    assert (rule.pay.percent, rule.pay.of) == (Decimal(5), "charges")


# Faults


def test_every_fault_is_found_at_once_with_its_cell_and_repair() -> None:
    result = reading(
        ["Site", "KPI", "Target", "Weight", "Owner", "Critical"],
        ["lisbon", "acc", "ninety", 60, "Ana", "maybe"],
        ["porto", "acc", 95, 50, "Rui", None],
        ["porto", None, 95, None, None, None],
        ["porto", "levage", 1, None, None, None],
    )
    assert (
        said(result, "warning")[0]
        == "book.xlsx KPIs!E1: warning: The column 'Owner' is not read. Delete it, or leave it as a remark of your own."
    )
    assert said(result)[:5] == [
        "book.xlsx KPIs!F2: 'maybe' is neither yes nor no. Write yes or no.",
        "book.xlsx KPIs!C2: 'ninety' is not a number. Write a number such as 95 or 95.5.",
        "book.xlsx KPIs!D3: acc has weight 50 here and 60 in KPIs!D2. "
        "A KPI has one; give the rows that differ a KPI of their own on the sheet Definitions, such as acc-2.",
        "book.xlsx KPIs!B4: The row names no KPI. Write the KPI, or delete the row.",
        "book.xlsx KPIs!B5: 'levage' is defined nowhere. "
        "Did you mean 'leakage' of the library? Otherwise define it on the sheet Definitions.",
    ]
    assert result.document is None


def test_a_fault_of_meaning_points_at_the_cell_it_comes_from() -> None:
    others = (sheet("Money", [*CHARGES, ["cap", None, None]]), sheet("Measures", INVOICE))
    faults = said(reading(["KPI", "Target", "Weight"], ["acc", 95, 100], others=others))
    assert len(faults) == 1
    assert faults[0].startswith("book.xlsx Money!A3")
    floor = said(reading(["KPI", "Floor", "Target", "Weight"], ["acc", 96, 95, 100]))
    assert floor == [
        "book.xlsx KPIs!B2 ($.kpis.acc.levels[0].at): the floor 96 is better than the target 95. Swap them, or correct `better`."
    ]


def test_a_formula_counts_by_its_stored_result_and_not_without_one() -> None:
    stored = reading(["KPI", "Target", "Weight"], ["acc", Cell(95, formula="=A1+B1"), 100])
    assert contract_of(stored).kpis["acc"].levels[0].at["target"] == 95
    assert any("A formula stands here" in note for note in said(stored, "note"))
    missing = said(reading(["KPI", "Target", "Weight"], ["acc", Cell(None, formula="=A1+B1"), 100]))
    assert missing[0].startswith("book.xlsx KPIs!B2: The formula '=A1+B1' has no stored result.")
    broken = said(reading(["KPI", "Target", "Weight"], ["acc", "#REF!", 100]))
    assert broken[0].startswith("book.xlsx KPIs!B2: '#REF!' is the error of a formula.")


def test_a_damaged_rest_is_said_and_not_dropped() -> None:
    sheets = [*template_sheets(), Sheet(name="Rest", rows=[[Cell("title")], [Cell("|rights: [")]], is_hidden=True)]
    result = from_sheets(sheets)
    assert has_errors(result.findings)
    assert str(result.findings[0].where) == "Rest!A1"


def test_a_workbook_without_the_sheets_says_which_are_missing() -> None:
    faults = said(from_sheets([sheet("Tabelle1", [["a"]])]))
    assert faults[0].startswith("$: The workbook has no sheet Contract.")
    assert faults[1].startswith("$: The workbook has no sheet KPIs.")


def test_a_fault_below_a_name_in_quotes_is_told_all_the_same() -> None:
    measures = sheet("Measures", [["Measure", "Part of"], ["a]b", "nothing"]])
    faults = said(reading(["KPI", "Target", "Weight"], ["acc", 95, 100], others=(measures,)))
    assert len(faults) == 1
    assert "'nothing' is no measure" in faults[0]


# As people really fill it in


def said_of(severity: str, found: GridReading) -> list[str]:
    return [str(finding) for finding in found.findings if finding.severity == severity]


def test_a_row_that_adds_others_up_is_left_out_and_said() -> None:
    grid: list[Row] = [
        ["Site", "Workstream", "KPI", "target from 2026-03-01", "Weight", "Credit percent"],
        ["lisbon-1 ", "product", " acc", "95 %", "60 %", 5],
        [None] * 6,
        ["lisbon-1", "product ", "tat_sla", "95%", 40, None],
        ["Total", None, None, None, "100 %", 5],
    ]
    found = reading(*grid, others=(sheet("Money", CHARGES), sheet("Measures", INVOICE)))
    contract = found.document
    assert contract is not None, said(found)
    assert {name: kpi.weight for name, kpi in contract.kpis.items()} == {"acc": 60, "tat_sla": 40}
    assert any("KPIs!A5: note: The row 'Total' adds others up and is left out." in line for line in said_of("note", found))


def test_a_kpi_that_is_called_total_is_no_such_row() -> None:
    grid: list[Row] = [["KPI", "target from 2026-03-01", "Weight"], ["total", 95, 100]]
    definitions = sheet("Definitions", [["KPI", "Title", "Counted as", "Counted", "Out of", "Without volume"],
                                        ["total", "All in time", "ratio", "in_time", "due", "not_judged"]])  # fmt: skip
    measures = sheet("Measures", [["Measure", "Part of"], ["due", None], ["in_time", "due"]])
    found = reading(*grid, others=(definitions, measures))
    assert found.document is not None, said(found)
    assert found.document.kpis["total"].weight == 100


def test_rows_by_language_make_a_library_kpi_judged_by_language() -> None:
    grid: list[Row] = [["Site", "Language", "KPI", "target from 2026-03-01"], ["lisbon-1", "pt", "acc", 95], ["lisbon-1", "es", "acc", 94]]
    found = reading(*grid)
    assert found.document is not None, said(found)
    assert found.document.kpis["acc"].for_each == ["site", "language"]


def test_rows_that_contradict_the_definition_are_one_fault_with_the_words_to_write() -> None:
    book = {one.name: one for one in template_sheets()}
    rows = [list(row) for row in book["KPIs"].rows]
    head = next(index for index, row in enumerate(rows) if any(cell.value == "language" for cell in row))
    column = next(index for index, cell in enumerate(rows[head]) if cell.value == "language")
    rows[head + 1][column] = Cell("pt")
    found = from_sheets([*(one for one in book.values() if one.name != "KPIs"), Sheet(name="KPIs", rows=rows)], known_kpis=from_library)
    [fault] = said_of("error", found)
    assert "Definitions!L" in fault
    assert "Write `site, workstream, language` here, or leave the others out there." in fault


@pytest.mark.parametrize(("until", "advice"), [("2027-12-31", "2028-01-01"), ("28.02.2027", "2027-03-01"), ("2027-02-28", "2027-03-01")])
def test_a_last_day_written_where_the_first_day_outside_is_meant_is_asked_about(until: str, advice: str) -> None:
    parties = [row if row[0] != "In force until" else ["In force until", until] for row in PARTIES]
    found = reading(["KPI", "target"], ["acc", 95], parties=parties)
    [remark] = [line for line in said_of("warning", found) if "The contract ends before" in line]
    assert f"is meant to be its last day, write {advice}." in remark


def test_a_currency_in_small_letters_is_that_currency() -> None:
    parties = [row if row[0] != "Currency" else ["Currency", "eur "] for row in PARTIES]
    found = reading(["KPI", "target"], ["acc", 95], parties=parties)
    assert found.document is not None, said(found)
    assert found.document.currency == "EUR"


def test_columns_formatted_down_to_the_last_row_do_no_harm() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook_of(template_sheets())))
    book["KPIs"].cell(1_048_576, 16_384).font = openpyxl.styles.Font(bold=True)
    filled = io.BytesIO()
    book.save(filled)
    found = from_sheets(sheets_of(filled.getvalue()), known_kpis=from_library)
    assert found.document is not None, said(found)
    assert max(len(one.rows) for one in sheets_of(filled.getvalue())) < 100


def carelessly(sheets: list[Sheet], random: Random) -> list[Sheet]:
    """The same workbook after people had it: spaces around words, blank rows, percentages as text, and rows that add up."""
    changed: list[Sheet] = []
    for one in sheets:
        if one.name == "Rest":
            changed.append(one)
            continue
        rows: list[list[Cell]] = []
        for number, row in enumerate(one.rows):
            words = [str(cell.value) for cell in one.rows[0]]
            rows.append([careless(cell, words[column] if column < len(words) else "", number, random) for column, cell in enumerate(row)])
            if number and random.random() < 0.3:
                rows.append([Cell(random.choice([None, "", "  "])) for _ in row])
        if one.name in ("KPIs", "Headcount"):
            rows.append([Cell("Total"), *[Cell(None) for _ in one.rows[0][2:]], Cell(100)])
        changed.append(Sheet(name=one.name, rows=rows, is_hidden=one.is_hidden))
    random.shuffle(changed)
    return changed


def careless(cell: Cell, heading: str, number: int, random: Random) -> Cell:
    if isinstance(cell.value, str) and heading != "More":
        return Cell(random.choice(["", " ", "\u00a0"]) + cell.value + random.choice(["", "  ", " \n"]))
    is_percentage = heading in ("Weight", "Credit percent") and isinstance(cell.value, int | Decimal)
    if number and is_percentage and random.random() < 0.5:
        return Cell(f"{cell.value}{random.choice(['', ' '])}%")
    return cell


@given(st.sampled_from(PORTFOLIO), st.integers(0, 2**32))
@settings(max_examples=25)
def test_a_workbook_that_people_had_says_what_it_said_before(path: Path, seed: int) -> None:
    contract = read(path.read_bytes(), Contract).required()
    found = from_sheets(carelessly(to_sheets(contract).sheets, Random(seed)), known_kpis=from_library)
    assert found.document == contract, said(found)
    added_up = sum(one.name in ("KPIs", "Headcount") for one in to_sheets(contract).sheets)
    assert sum("adds others up" in line for line in said(found, "note")) == added_up


# What a workbook offers to choose from


def offered(book: Any, name: str) -> dict[str, list[str]]:
    """The lists of a sheet, by the heading above (or, on the sheet Contract, beside) their cells."""
    target = book[name]
    found = {}
    for one in target.data_validations.dataValidation:
        cell = target[str(one.sqref).split(":", maxsplit=1)[0]]
        head = target.cell(cell.row, 1) if name == "Contract" else target.cell(cell.row - 1, cell.column)
        found[str(head.value)] = one.formula1.strip('"').split(",")
    return found


def test_cells_that_hold_one_of_a_few_words_offer_them() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook_of(template_sheets(), notes=True)))
    assert offered(book, "Money")["Kind"] == ["base", "credit", "bonus", "cap", "earn back"]
    assert offered(book, "KPIs")["Critical"] == ["yes", "no"]
    assert offered(book, "Contract")["Measured each"] == ["day", "week", "month", "quarter", "year"]
    definitions = offered(book, "Definitions")
    assert definitions["Boundary"] == ["at_least", "more_than", "at_most", "less_than"]
    assert "ratio" in definitions["Counted as"]


@pytest.mark.parametrize("name", SHEETS)
def test_whatever_a_list_offers_is_read_as_what_it_says(name: str) -> None:
    """Every column of a few words has its list, short enough for a spreadsheet, and each word comes through reading."""
    lists = choices(name)
    assert all(words and len(",".join(words)) <= 255 for words in lists.values()), lists
    kpis: list[Row] = [["KPI", "target"], ["acc", 95]]
    for heading, words in lists.items():
        for word in words if heading not in ("Kind", "Counted as") else []:
            if name == "Contract":
                found = reading(*kpis, parties=[*PARTIES, [heading, word]])
            elif name == "KPIs":
                found = reading(["KPI", "target", heading], ["acc", 95, word])
            else:
                found = reading(*kpis, others=(sheet(name, [["Kind", "Name", "KPI", "Measure", heading], [None, "x", "acc", "x", word]]),))
            assert not any(f"{word!r}" in line for line in said(found)), said(found)
