"""What is written into the folders of the two vendors that send files can be read back, figure by figure."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from tests.vendor_mgmt.example.judging import TODAY, end_of, everything
from vendor_mgmt.example import portfolio, wire
from vendor_mgmt.example.drops import CSV_COLUMNS, XLSX_COLUMNS, main, write_drops
from vendor_mgmt.example.generating import Row, as_known
from vendor_mgmt.example.portfolio import MONTHS, month_after, month_start

OCTOBER = 13


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    drops = tmp_path_factory.mktemp("drops")
    write_drops(drops, TODAY)
    return drops


def expected(vendor: str, month: int) -> list[Row]:
    known = as_known(everything(), end_of(TODAY))
    since = month_start(TODAY, month)
    return [row for row in known if portfolio.site(row.site).vendor == vendor and since <= row.starts_on < month_after(since, 1)]


def test_there_is_a_file_for_every_month_and_nothing_half_written(folder: Path) -> None:
    names = sorted(path.name for path in folder.rglob("*") if path.is_file())
    assert len([name for name in names if name.endswith(".csv")]) == 2 * (MONTHS + 1)
    assert len([name for name in names if name.endswith(".xlsx")]) == MONTHS + 1
    assert len(names) == 3 * (MONTHS + 1)


def test_the_text_files_hold_every_row_of_their_site_and_month(folder: Path) -> None:
    ours = {theirs: workstream for workstream, theirs in wire.QUEUES["akari-relay"].items()}
    for month in (0, OCTOBER, MONTHS):
        rows = expected("akari-relay", month)
        for site in portfolio.sites_of("akari-relay"):
            path = folder / "akari-relay" / f"akari_{site.code}_{month_start(TODAY, month):%Y-%m}.csv"
            assert path.read_bytes().startswith("\ufeff".encode())
            with path.open(encoding="utf-8-sig", newline="") as file:
                header, *lines = csv.reader(file, delimiter=";")
            assert tuple(header) == CSV_COLUMNS
            read = [
                (code, ours[queue], language, item, date.fromisoformat(day.replace("/", "-")), unit, Decimal(value))
                for code, queue, language, item, day, unit, value in lines
            ]
            assert read == [(site.code, *row[1:7]) for row in rows if row.site == site.key]


def sheet_of(folder: Path, month: int, name: str) -> Worksheet:
    path = folder / "thornbury-hale" / f"Thornbury Hale {month_start(TODAY, month):%Y-%m} service report.xlsx"
    sheet = load_workbook(path)[name]
    assert isinstance(sheet, Worksheet)
    return sheet


def test_the_workbook_holds_every_figure_of_the_month_below_its_two_lines_of_headings(folder: Path) -> None:
    sheet = sheet_of(folder, OCTOBER, "Daily")
    lines = list(sheet.iter_rows(values_only=True))
    top = next(number for number, line in enumerate(lines) if line[0] == "Site")
    end = next(number for number, line in enumerate(lines) if line[0] == "Total")
    assert top > 1, "titles stand above the table, as people write it"
    groups: list[object] = []
    for group in lines[top][3:]:
        groups.append(group or groups[-1])  # A merged cell shows its text in the first column only.
    columns = {(str(group), str(name)): position for position, (group, name) in enumerate(zip(groups, lines[top + 1][3:], strict=True), 3)}

    read = {}
    for line in lines[top + 2 : end]:
        day = line[2]
        assert isinstance(day, datetime)
        for group, name, measure in XLSX_COLUMNS:
            read[line[0], line[1], day.date(), measure] = line[columns[group, name]]
    days = [row for row in expected("thornbury-hale", OCTOBER) if row.grain == "day"]
    assert read == {(portfolio.site(row.site).code, row.language, row.starts_on, row.measure): row.value for row in days}
    for group, name, measure in XLSX_COLUMNS:
        assert lines[end][columns[group, name]] == sum(row.value for row in days if row.measure == measure)
    assert any(line[0] and "final" in str(line[0]) for line in lines[end + 1 :])


def test_headings_are_merged_over_their_groups(folder: Path) -> None:
    merged = {str(cells) for cells in sheet_of(folder, OCTOBER, "Daily").merged_cells.ranges}
    assert {"A4:A5", "D4:G4", "A1:P1"} <= merged


def test_the_charges_have_a_sheet_of_their_own_to_the_penny(folder: Path) -> None:
    lines = [line[:3] for line in sheet_of(folder, OCTOBER, "Charges").iter_rows(values_only=True)]
    assert ("Site", "Month", "Charges") in lines
    found = {line[0]: Decimal(str(line[2])) for line in lines if isinstance(line[1], datetime)}
    charged = {portfolio.site(row.site).code: row.value for row in expected("thornbury-hale", OCTOBER) if row.grain == "month"}
    assert found == charged
    assert Decimal(str(lines[-1][2])) == sum(charged.values())


def test_the_running_month_has_a_sheet_for_charges_with_no_line_on_it_yet(folder: Path) -> None:
    lines = [line[:3] for line in sheet_of(folder, MONTHS, "Charges").iter_rows(values_only=True)]
    assert ("Site", "Month", "Charges") in lines
    assert lines[-1] == ("To follow with the invoice", None, None)


def test_what_was_not_known_at_a_moment_is_not_written(tmp_path: Path) -> None:
    written = write_drops(tmp_path, TODAY, vendors=["akari-relay"], as_of=datetime(2025, 9, 3, 12, tzinfo=UTC))
    assert [path.name for path in written] == ["akari_FUK_2025-09.csv", "akari_TYO_2025-09.csv"]
    with written[0].open(encoding="utf-8-sig", newline="") as file:
        assert {line["Date"] for line in csv.DictReader(file, delimiter=";")} == {"2025/09/01", "2025/09/02"}


def test_writing_again_replaces_a_file_as_a_whole(tmp_path: Path) -> None:
    early = write_drops(tmp_path, TODAY, vendors=["akari-relay"], months=[0], as_of=datetime(2025, 9, 3, 12, tzinfo=UTC))
    before = early[0].read_bytes().splitlines()
    late = write_drops(tmp_path, TODAY, vendors=["akari-relay"], months=[0])
    assert late == early
    assert set(before) < set(late[0].read_bytes().splitlines())
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == sorted(path.name for path in late)


def test_one_month_of_one_vendor_can_be_written_alone(tmp_path: Path) -> None:
    [path] = write_drops(tmp_path, TODAY, vendors=["thornbury-hale"], months=[OCTOBER])
    assert path.name == "Thornbury Hale 2026-10 service report.xlsx"


def test_the_command_writes_all_of_it_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--today", "2026-11-22"]) == 0
    said = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(said) == sorted(path for path in tmp_path.rglob("*.*") if path.is_file())
