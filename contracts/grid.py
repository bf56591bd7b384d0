"""A contract as a workbook, and a workbook as a contract: sheets of rows here, the file format elsewhere.

    sheets, kept = to_sheets(contract)          every cell as it is to be written; what went where there is no column
    reading = from_sheets(sheets, known=…)      the document, or every fault with its sheet and cell

One list of columns describes each sheet for both directions, so that what is written can be read.  A row that says more than its
columns can hold keeps the remainder as YAML in its own last column, *More*: the row can be moved, copied or deleted whole.  Parts of
the document that have no sheet stand as YAML in a hidden sheet, *Rest*.  Nothing is lost, and :class:`Written` says what went there.

Sheets that people make are read leniently: in any order of columns, below titles, with merged headings, percentages as a format
(95 %, stored as 0.95), as text or as plain numbers, days as days or as text.  Whatever cannot be read without guessing is a finding.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Any

import msgspec

from contracts import shape as shapes
from contracts.checking import check
from contracts.document import Contract
from contracts.errors import Finding, Where, below, has_errors
from contracts.nodes import Node, number_of, shown, tree_of
from contracts.reading import read, write, write_on_one_line

Plain = Any
"""A value of a document before it has a type: text, number, true or false, a list, a mapping."""

TEXT_MAX = 32_000
"""Characters in one cell; spreadsheet programs cut off a little above this."""

MORE = "More"
REST = "Rest"


class Cell(msgspec.Struct, frozen=True):
    """One cell.  `is_percent`: it is formatted as a percentage, so that 0.95 is shown and meant as 95 %."""

    value: str | int | Decimal | bool | dt.date | None = None
    is_percent: bool = False
    formula: str | None = None
    """What the value was computed by, where a formula stands in the cell."""


BLANK = Cell()


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """A sheet: its rows from A1 on, and its merged areas as (first row, first column, last row, last column), counted from 0."""

    name: str
    rows: list[list[Cell]]
    merged: list[tuple[int, int, int, int]] = []
    is_hidden: bool = False


class Written(msgspec.Struct, frozen=True):
    """A contract as sheets."""

    sheets: list[Sheet]
    kept: list[str]
    """What has no column, and where it was kept, as sentences."""


class GridReading(msgspec.Struct, frozen=True):
    """What came of reading a workbook."""

    document: Contract | None
    """The contract; None if any finding is an error."""
    findings: list[Finding]
    """Each with its sheet and cell as its place, such as ``KPIs!C5``."""
    draft: Contract | None = None
    """What was read, where at most its meaning is at fault."""


class Column(msgspec.Struct, frozen=True):
    """A column: its heading, where its value stands below the row's item, and how it is written."""

    header: str
    path: tuple[str, ...]
    kind: str = "text"
    also: tuple[str, ...] = ()
    """Other headings under which people write the same."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one kind on a sheet: a list or a mapping of the document."""

    sheet: str
    at: tuple[str, ...]
    columns: tuple[Column, ...]
    kind: str | None = None
    """What the column *Kind* says, on a sheet that holds rows of several kinds."""
    key: str | None = None
    """The heading of the column with the entry's name; not given, the place is a list."""
    child: str | None = None
    """The list inside a scope of work; its rows are found by site and workstream."""


def _columns(text: str) -> tuple[Column, ...]:
    """Columns from lines of `Heading | path.of.value | kind | other headings`."""
    columns = []
    for line in text.strip().splitlines():
        header, path, *more = [part.strip() for part in line.split("|")]
        kind = more[0] if more and more[0] else "text"
        also = tuple(word.strip() for word in more[1].split(",")) if len(more) > 1 else ()
        columns.append(Column(header, tuple(path.split(".")), kind, also))
    return tuple(columns)


CONTRACT = _columns("""
    Contract | contract | text | contract number, contract id, code, reference
    Title | title | text | name, subject
    Vendor | vendor | text | supplier, vendor code
    Vendor name | vendor_name | text | supplier name
    In-house | in_house | yes | internal
    Customer | customer | text | client, buyer
    Renews | renews
    Version | version
    Currency | currency
    Time zone | time_zone | text | timezone, zone
    In force from | in_force.from | date | from, start, start date, effective date, effective from
    In force until | in_force.until | date | until, first day after, ends before
    Signed on | signed_on | date | signed, signature date
    Executed document | executed.document
    Executed document SHA-256 | executed.sha256
    Measured each | measured.each | word | period, measurement period
    Period begins on day | measured.anchor_day | number | anchor day
    First period | measured.first | word
    Amended inside a period | measured.amended | word
    Calendars | calendars | list
    Dimensions | dimensions | list
    Scores combine as | scoring.combine | word
    Money rounded to | money.rounding.to | number
    Money rounded how | money.rounding.mode | word
    Money rounded at | money.rounding.at | word
    Credits payable in | money.payable_in | word
    Escalation calendar | escalation.calendar
    Reopens within periods | escalation.reopen_within_periods | number
""")

SCOPE = Table(
    sheet="Scope",
    at=("scope",),
    columns=_columns("""
        Site | site | text | location, site code
        Site name | name | text | name
        Country | country
        Region | region
        Time zone | time_zone | text | timezone
        Workstream | workstream | text | line of business, lob, queue
        Service | service | text | description
        Languages | languages | list | language
        Hours | hours | text | calendar, service hours
        From | from | date
        Until | until | date
        Forecast | volume.forecast | text | forecast measure
        Actual volume | volume.actual | text | actual
        Excused above percent | volume.excused_above_percent | percent
    """),
)
_CHILDREN = (
    Table(
        sheet="Headcount",
        at=("scope",),
        child="headcount",
        columns=_columns("""
            Role | role
            From | from | date
            Count | count | number | fte, headcount, people
        """),
    ),
    Table(
        sheet="Instructions",
        at=("scope",),
        child="instructions",
        columns=_columns("""
            Title | title
            Version | version
            Link | link
        """),
    ),
    Table(
        sheet="Milestones",
        at=("scope",),
        child="milestones",
        columns=_columns("""
            Milestone | name | text | name
            Due | due | date
        """),
    ),
)
MEASURES = Table(
    sheet="Measures",
    at=("measures",),
    key="Measure",
    columns=_columns("""
        Title | title | text | meaning, description
        Part of | part_of
        Money | money | yes
        Given as a result | given | yes | given
        Snapshot | snapshot | yes
        Duty of | duty_of | word
    """),
)
DEFINITIONS = Table(
    sheet="Definitions",
    at=("kpis",),
    key="KPI",
    columns=_columns("""
        Title | title | text | name
        Clause | clause
        Definition | definition | text | description, how measured
        Counted as | _as | word | kind, type
        Counted | _of | counts | numerator
        Out of | _to | counts | denominator, per
        Unit | unit | word
        Better | better | word | direction
        Boundary | boundary | word | comparison
        Fixed target | target | level
        For each | for_each | scopes | judged for each
        Only for | where | where | filter
        Group | group | text | category
        Completeness percent | completeness | percent | completeness
        Without volume | no_volume | word | no volume
        Sampled | sampled | yes
        Duty of | duty_of | word
    """),
)
_GRID = _columns("""
    Weight | weight | percent | weighting, weight %
    Critical | critical | yes | critical service level, csl
    Sample | sample.at_least | number | minimum sample, sample at least, min sample
    Credit percent | _credit | percent | credit, credit %, service credit
    Credit of | _credit_of | text | base, credit base
""")
MONEY = (
    Table(
        sheet="Money",
        kind="base",
        at=("money", "bases"),
        key="Name",
        columns=_columns("""
            Measure | measure
            Percent | percent | percent
            Of | of
            Amount | fixed | number
            For each | for_each | scopes
        """),
    ),
    *(
        Table(
            sheet="Money",
            kind=kind,
            at=("money", at),
            columns=_columns("""
                Name | name
                For | for | some
                Percent | pay.percent | percent
                Of | pay.of
                Amount | pay.amount | number
                Level | when.missed | text | when missed
                For each | for_each | scopes
                Clause | clause
            """),
        )
        for kind, at in (("credit", "credits"), ("bonus", "bonuses"))
    ),
    Table(
        sheet="Money",
        kind="cap",
        at=("money", "caps"),
        columns=_columns("""
            Name | name
            For | on | list
            Percent | percent | percent
            Of | of
            Amount | amount | number
            Span | each | word
            Periods | rolling | number
            Excess | excess | word
            For each | for_each | scopes
            Clause | clause
        """),
    ),
    Table(
        sheet="Money",
        kind="earn back",
        at=("money", "earn_back"),
        columns=_columns("""
            For | for | list
            Percent | percent | percent
            Level | level
            Periods | periods | number
            Clause | clause
        """),
    ),
)
ESCALATION = (
    Table(
        sheet="Escalation",
        kind="rule",
        at=("escalation", "rules"),
        columns=_columns("""
            Name | name
            KPI | on.kpi
            Missed | on.missed | text | level missed
            At least | on.at_least | number | times
            Of the last | on.last | number | periods
            Without data | on.no_data | number
            Good periods | clear.good | number
            Good level | clear.level
            Severity | severity | word
            Clause | clause
        """),
    ),
    Table(
        sheet="Escalation",
        kind="level",
        at=("escalation", "levels"),
        columns=_columns("""
            Level | level | number
            To | to | list | who, roles
            After days | after.days | number
            After hours | after.hours | number
            Unless | after.unless | word
            Acknowledge in days | acknowledge_within.days | number
            Acknowledge in hours | acknowledge_within.hours | number
            Plan in days | plan_within.days | number
            Agenda | agenda
        """),
    ),
)
GOVERNANCE = (
    Table(
        sheet="Governance",
        kind="forum",
        at=("forums",),
        columns=_columns("""
            Name | name
            Recurs | rrule | text | rrule
            At | at
            Zone | zone
            Who | chair | text | chair
        """),
    ),
    Table(
        sheet="Governance",
        kind="report",
        at=("reports",),
        columns=_columns("""
            Name | name
            Days | due_days | number
            Vendor check days | vendor_check_days | number
        """),
    ),
    Table(
        sheet="Governance",
        kind="obligation",
        at=("obligations",),
        columns=_columns("""
            Name | name
            Due | due | date
            Who | owner | text | owner
        """),
    ),
    Table(
        sheet="Governance",
        kind="relief",
        at=("relief",),
        columns=_columns("""
            Name | cause | text | cause
            Effect | effect | word
            Days | notice_business_days | number
            Clause | clause
        """),
    ),
)
_PLAIN_TABLES = (SCOPE, MEASURES, *MONEY, *ESCALATION, *GOVERNANCE)
SHEETS = ("Contract", "KPIs", "Definitions", "Scope", "Headcount", "Instructions", "Milestones", "Measures", "Money", "Escalation",
          "Governance", REST)  # fmt: skip
_ALSO_CALLED = {"kpi": "KPIs", "slas": "KPIs", "sla": "KPIs", "levels": "KPIs", "targets": "KPIs", "scope of work": "Scope",
                "sites": "Scope", "credits": "Money", "kpi definitions": "Definitions", "parties": "Contract",
                "overview": "Contract"}  # fmt: skip
_LEVEL_WORDS = {"target", "floor", "stretch", "minimum", "expected", "acceptable", "goal", "low", "high", "minor", "serious", "severe"}
_VALUE_SIDES = {"ratio": ("of", "to"), "mean": ("of", "per"), "rate": ("of", "to")}
_VALUE_SINGLE = ("sum", "count", "last", "given")


def choices(sheet: str) -> dict[str, list[str]]:
    """What may stand below a heading of a sheet where it is one of a few words, by heading: for the lists that a workbook offers.

    On the sheet Contract a heading stands in the first column, and its words in the second.
    """
    if sheet == "Contract":
        return _choices_of(CONTRACT, ())
    if sheet == "KPIs":
        return _choices_of(_GRID, ("kpis", "*"))
    found: dict[str, list[str]] = {}
    tables = [table for table in (*_PLAIN_TABLES, DEFINITIONS) if table.sheet == sheet]
    kinds = [table.kind for table in tables if table.kind is not None]
    for table in tables:
        found |= _choices_of(table.columns, (*table.at, "*"))
    if sheet == DEFINITIONS.sheet:
        found["Counted as"] = [*_VALUE_SIDES, *_VALUE_SINGLE]
    return ({"Kind": kinds} if kinds else {}) | found


def _choices_of(columns: Iterable[Column], at: tuple[str, ...]) -> dict[str, list[str]]:
    found = {}
    for column in columns:
        if column.kind == "yes":
            found[column.header] = ["yes", "no"]
        elif column.kind == "word" and not column.path[0].startswith("_"):
            found[column.header] = [str(one) for one in _words_at(shapes.record_of(Contract), (*at, *column.path))]
    return found


def _words_at(shape: shapes.Shape, path: Sequence[str]) -> list[str | int | bool]:
    if isinstance(shape, shapes.OneOf):
        shape = shape.without_null
    if not path:
        return shape.written if isinstance(shape, shapes.Choice) else []
    if isinstance(shape, shapes.Record):
        return _words_at(next(field.shape for field in shape.fields if field.key == path[0]), path[1:])
    if isinstance(shape, shapes.Sequence):
        return _words_at(shape.item, path[1:])
    return _words_at(shape.value, path[1:]) if isinstance(shape, shapes.Mapping) else []


def plain_of(node: Node) -> Plain:
    """A tree without its positions."""
    if node.kind == "mapping":
        return {key: plain_of(entry.node) for key, entry in node.entries.items()}
    if node.kind == "list":
        return [plain_of(item) for item in node.items]
    return node.content


def plain_document(contract: Contract) -> dict[str, Plain]:
    """The document as its YAML says it: defaults left out, days as text."""
    tree = tree_of(write(contract), name="")
    assert tree.root is not None
    plain: dict[str, Plain] = plain_of(tree.root)
    return plain


def _heading(text: str) -> str:
    return re.sub(r"[\s_:.*-]+", " ", text.casefold()).strip()


# What one cell says


class _Unreadable(Exception):  # noqa: N818 - it is caught where it becomes a finding
    def __init__(self, message: str, repair: str) -> None:
        super().__init__(message)
        self.message = message
        self.repair = repair


_UNSAFE_START = ("=", "+", "-", "@", "\t", "\r")
_NO_CELL_TEXT = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]|_x[0-9A-Fa-f]{4}_")
_NAME = r"[^\W\d][\w.-]*"
_COUNTS = re.compile(rf"{_NAME}(?:\s+[+−–-]\s+{_NAME})*")


def fits_a_cell(text: str) -> bool:
    """Whether a text can stand in a cell and come back the same, and can never be taken for a formula."""
    return (
        bool(text)
        and len(text) <= TEXT_MAX
        and text == text.strip()
        and not text.startswith((*_UNSAFE_START, "#"))
        and text.casefold() not in _NOTHING
        and _NO_CELL_TEXT.search(text) is None
    )


def _to_cell(kind: str, value: Plain) -> Cell | None:
    """The cell for a value, or None where no cell would give the same value back."""
    written = _WRITERS[kind](value)
    if written is None or (isinstance(written.value, str) and not fits_a_cell(written.value)):
        return None
    try:
        back = _READERS[kind](written)
    except _Unreadable:
        return None
    # 95 and 95.0 are one number; 1 and true, 1 and the text 1 are not one value.
    kinds = (bool, str, list)
    return written if back == value and all(isinstance(back, kind) is isinstance(value, kind) for kind in kinds) else None


_EXACT_MAX = 10**15


def _write_number(value: Plain) -> Cell | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    # A spreadsheet stores binary floating point; only what survives that is written as a number.
    exact = -_EXACT_MAX < value < _EXACT_MAX and Decimal(repr(float(value))) == value
    return Cell(_tidy(value)) if exact else None


def _tidy(number: int | Decimal) -> int | Decimal:
    return int(number) if number == int(number) else Decimal(number).normalize()


def _write_text(value: Plain) -> Cell | None:
    return Cell(value) if isinstance(value, str) else None


def _write_date(value: Plain) -> Cell | None:
    if not isinstance(value, str):
        return None
    try:
        day = dt.date.fromisoformat(value)
    except ValueError:
        return None
    # Spreadsheets count days from 1900 and get that year's February wrong; earlier days stay text.
    return Cell(day) if day.year > 1900 else Cell(value)


def _write_list(value: Plain) -> Cell | None:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and _is_item(item) for item in value):
        return None
    return Cell(", ".join(value))


def _is_item(text: str) -> bool:
    return bool(text) and text == text.strip() and not re.search(r"[,;\n\[\]]", text)


def _write_some(value: Plain) -> Cell | None:
    if isinstance(value, str):
        return Cell(value) if _is_item(value) else None
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) and _is_item(value[0]):
        return Cell(f"[{value[0]}]")
    return _write_list(value)


def _write_scopes(value: Plain) -> Cell | None:
    return Cell("contract") if value == [] else _write_list(value)


def _write_counts(value: Plain) -> Cell | None:
    if isinstance(value, str):
        return Cell(value) if re.fullmatch(_NAME, value) else None
    plus, minus = (
        (value.get("plus"), value.get("minus", [])) if isinstance(value, dict) and value.keys() <= {"plus", "minus"} else (value, [])
    )
    if not isinstance(plus, list) or not plus or not isinstance(minus, list):
        return None
    if not all(isinstance(name, str) and re.fullmatch(_NAME, name) for name in (*plus, *minus)):
        return None
    return Cell(" − ".join([" + ".join(plus), *minus]))


def _write_where(value: Plain) -> Cell | None:
    return Cell(write_on_one_line(value)[1:-1]) if isinstance(value, dict) and value else None


_WRITERS: dict[str, Callable[[Plain], Cell | None]] = {
    "text": _write_text,
    "word": _write_text,
    "number": _write_number,
    "percent": _write_number,
    "level": _write_number,
    "date": _write_date,
    "yes": lambda value: Cell("yes" if value else "no") if isinstance(value, bool) else None,
    "list": _write_list,
    "some": _write_some,
    "scopes": _write_scopes,
    "counts": _write_counts,
    "where": _write_where,
}

_NOTHING = frozenset(("-", "–", "—", "n/a", "na", "none", "#n/a", "tbd", "?"))
_YES = {"yes": True, "y": True, "x": True, "true": True, "✓": True, "✔": True, "1": True,
        "no": False, "n": False, "false": False, "0": False}  # fmt: skip


def _read_text(cell: Cell) -> str:
    value = cell.value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.date):
        return value.isoformat()
    return f"{value:f}" if isinstance(value, Decimal) else str(value).strip()


def _read_word(cell: Cell) -> str:
    """A word of the language as people write it: `At least`, `not judged`."""
    text = _read_text(cell)
    signs = {"≥": "at_least", ">=": "at_least", ">": "more_than", "≤": "at_most", "<=": "at_most", "<": "less_than", "↑": "higher",
             "↓": "lower", "↔": "inside", "%": "percent", "monthly": "month", "weekly": "week", "quarterly": "quarter"}  # fmt: skip
    plain = re.sub(r"[\s-]+", "_", text.lower())
    return signs.get(plain, plain)


def _read_number(cell: Cell) -> int | Decimal:
    """A number; a percentage, however it is written, on the scale of 0 to 100."""
    value = cell.value
    if isinstance(value, bool | dt.date):
        raise _Unreadable(f"{shown(_read_text(cell))} is not a number", "Write a number such as 95, and format the cell as a number.")
    if isinstance(value, int | Decimal):
        return _tidy(value * 100 if cell.is_percent else value)
    text = str(value).strip()
    bare = re.sub(r"[\s%'\u00a0\u202f]", "", text)
    if re.fullmatch(r"[-−]?\d{1,3}(,\d{3})+(\.\d+)?", bare):
        bare = bare.replace(",", "")
    elif re.fullmatch(r"[-−]?\d+,\d{1,2}", bare):
        bare = bare.replace(",", ".")
    bare = re.sub(r"^(-?)0+(?=\d)", r"\1", bare.replace("−", "-"))
    try:
        number = number_of(bare)
    except OverflowError:
        number = None
    if number is None:
        raise _Unreadable(f"{shown(text)} is not a number", "Write a number such as 95 or 95.5.")
    return _tidy(number)


_MONTHS = {name: number for number, name in enumerate(
    ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"), 1)
}  # fmt: skip


def _month_number(word: str) -> int | None:
    found = [number for name, number in _MONTHS.items() if len(word) >= 3 and name.startswith(word.lower().rstrip("."))]
    return found[0] if len(found) == 1 else 9 if word.lower().rstrip(".") == "sept" else None


def _day(text: str) -> dt.date | None:
    """A day as people write it, where it can mean only one day; raises ValueError for a day that does not exist."""
    if match := re.fullmatch(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]00:00(?::00)?)?", text):
        return dt.date(int(match[1]), int(match[2]), int(match[3]))
    if match := re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", text):
        return dt.date(int(match[3]), int(match[2]), int(match[1]))
    if match := re.fullmatch(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})", text):
        first, second, year = int(match[1]), int(match[2]), int(match[3])
        if first > 12 or first == second:
            return dt.date(year, second, first)
        return dt.date(year, first, second) if second > 12 else None
    if (match := re.fullmatch(r"(\d{1,2})\.?[ -]([A-Za-z]{3,9})\.?,?[ -](\d{4})", text)) and (month := _month_number(match[2])):
        return dt.date(int(match[3]), month, int(match[1]))
    if (match := re.fullmatch(r"([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})", text)) and (month := _month_number(match[1])):
        return dt.date(int(match[3]), month, int(match[2]))
    return None


def _iso_day(value: Plain) -> dt.date | None:
    try:
        return dt.date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _month(text: str) -> dt.date | None:
    """The first day of a month as people head a column with it: 2026-03, 03/2026, Mar 2026, Mar-26."""
    if match := re.fullmatch(r"(\d{4})[-/.](\d{1,2})", text):
        return dt.date(int(match[1]), int(match[2]), 1)
    if match := re.fullmatch(r"(\d{1,2})[-/.](\d{4})", text):
        return dt.date(int(match[2]), int(match[1]), 1)
    if (match := re.fullmatch(r"([A-Za-z]{3,9})\.?[ '’-]*(\d{4}|\d{2})", text)) and (month := _month_number(match[1])):
        return dt.date(int(match[2]) + (2000 if len(match[2]) == 2 else 0), month, 1)
    return None


def _read_date(cell: Cell) -> str:
    value = cell.value
    if isinstance(value, dt.date):
        return value.isoformat()
    text = _read_text(cell)
    if isinstance(value, int | Decimal):
        raise _Unreadable(f"{text} is a number where a day is expected", "Format the cell as a date, or write 2026-03-01.")
    try:
        day = _day(text)
    except ValueError:
        raise _Unreadable(f"{shown(text)} is a day that does not exist", "Correct the day.") from None
    if day is None:
        unclear = re.fullmatch(r"\d{1,2}[/-]\d{1,2}[/-]\d{4}", text)
        raise _Unreadable(
            f"{shown(text)} {'can be two different days' if unclear else 'is not a day'}", "Write year-month-day, such as 2026-03-01."
        )
    return day.isoformat()


def _read_yes(cell: Cell) -> bool:
    if isinstance(cell.value, bool):
        return cell.value
    answer = _YES.get(_read_text(cell).lower())
    if answer is None:
        raise _Unreadable(f"{shown(_read_text(cell))} is neither yes nor no", "Write yes or no.")
    return answer


def _read_list(cell: Cell) -> list[str]:
    text = _read_text(cell)
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    return [part.strip() for part in re.split(r"[,;\n]", bare) if part.strip()]


def _read_some(cell: Cell) -> str | list[str]:
    text, parts = _read_text(cell), _read_list(cell)
    return parts[0] if len(parts) == 1 and not text.startswith("[") else parts


def _read_scopes(cell: Cell) -> list[str]:
    return [] if _read_text(cell).lower() in ("contract", "the contract", "whole contract") else [part.lower() for part in _read_list(cell)]


def _read_counts(cell: Cell) -> Plain:
    text = _read_text(cell)
    if not _COUNTS.fullmatch(text):
        raise _Unreadable(
            f"{shown(text)} names no measures", "Write a measure's name, or several as in `offered − abandoned` or `solved + closed`."
        )
    words = text.split()
    plus, minus = [words[0]], list[str]()
    for sign, name in zip(words[1::2], words[2::2], strict=True):
        (plus if sign == "+" else minus).append(name)
    return {"plus": plus, "minus": minus} if minus else plus[0] if len(plus) == 1 else plus


def _read_where(cell: Cell) -> Plain:
    return _yaml("{" + _read_text(cell).strip("{}") + "}", "Write it as `workstream: [product-moderation, merchant-moderation]`.")


def _yaml(text: str, repair: str) -> Plain:
    tree = tree_of(text, name="")
    if tree.root is None or has_errors(tree.findings) or tree.root.kind != "mapping":
        problem = tree.findings[0].message if tree.findings else "it is no list of fields"
        raise _Unreadable(f"this cannot be read as YAML: {problem[:1].lower()}{problem[1:]}", repair)
    return plain_of(tree.root)


_READERS: dict[str, Callable[[Cell], Plain]] = {
    "text": _read_text,
    "word": _read_word,
    "number": _read_number,
    "percent": _read_number,
    "level": _read_number,
    "date": _read_date,
    "yes": _read_yes,
    "list": _read_list,
    "some": _read_some,
    "scopes": _read_scopes,
    "counts": _read_counts,
    "where": _read_where,
}


# Paths inside plain values


_MISSING: Any = object()


def _get(item: Plain, path: Sequence[str]) -> Plain:
    for step in path:
        if not isinstance(item, dict) or step not in item:
            return _MISSING
        item = item[step]
    return item


def _put(item: dict[str, Plain], path: Sequence[str], value: Plain) -> None:
    for step in path[:-1]:
        inner = item.get(step)
        item = item.setdefault(step, {}) if isinstance(inner, dict) or inner is None else item
    item[path[-1]] = value


def _drop(item: dict[str, Plain], path: Sequence[str]) -> None:
    """Removes a value, and the mappings that it leaves empty."""
    if len(path) > 1:
        _drop_inner = item[path[0]]
        _drop(_drop_inner, path[1:])
        if _drop_inner == {}:
            del item[path[0]]
    else:
        del item[path[0]]


def _merged(under: Plain, over: Plain) -> Plain:
    """Two values in one; where both say something, the second prevails."""
    if isinstance(under, dict) and isinstance(over, dict):
        return {
            key: _merged(under[key], over[key]) if key in under and key in over else over.get(key, under.get(key))
            for key in {**under, **over}
        }
    return over


# Writing


def to_sheets(contract: Contract) -> Written:
    """The contract as sheets.  Every field stands in a cell of its own, in its row's *More*, or in *Rest*."""
    rest = plain_document(contract)
    kept: list[str] = []
    contract_rows = [[Cell("Field"), Cell("Value")]]
    for column in CONTRACT:
        value = _get(rest, column.path)
        cell = None if value is _MISSING else _to_cell(column.kind, value)
        if cell is not None:
            _drop(rest, column.path)
        contract_rows.append([Cell(column.header), cell or BLANK])
    sheets = {"Contract": contract_rows}
    sheets |= _kpi_sheets(rest, [str(name) for name in contract.dimensions], kept)
    sheets |= _scope_children(rest, kept)
    for name in ("Scope", "Measures", "Money", "Escalation", "Governance"):
        tables = [table for table in _PLAIN_TABLES if table.sheet == name]
        sheets[name] = _table_rows(rest, tables, kept)
    if rest:
        kept.append(f"The hidden sheet {REST} keeps {', '.join(sorted(rest))}: there is no sheet for them.")
        lines = write(rest).decode().rstrip("\n").split("\n")
        sheets[REST] = [[Cell("What the other sheets cannot hold, as YAML; a line in each row, after the bar")], *map(_rest_row, lines)]
    return Written(
        [
            Sheet(name=name, rows=sheets[name], is_hidden=name == REST)
            for name in SHEETS
            if name in sheets and (len(sheets[name]) > 1 or name in ("KPIs", "Scope"))
        ],
        kept,
    )


def _rest_row(line: str) -> list[Cell]:
    """A line, cut where a cell would be too long; the bar keeps the indentation, and keeps a formula from starting."""
    parts = [line[start : start + TEXT_MAX] for start in range(0, len(line), TEXT_MAX)] or [""]
    return [Cell("|" + part) for part in parts]


def _row_of(item: dict[str, Plain], columns: Iterable[Column]) -> tuple[dict[str, Cell], dict[str, Plain]]:
    """The cells of an item by heading, and what no cell holds."""
    left = deepcopy(item)
    cells: dict[str, Cell] = {}
    for column in columns:
        value = _get(left, column.path)
        cell = None if value is _MISSING else _to_cell(column.kind, value)
        if cell is not None:
            cells[column.header] = cell
            _drop(left, column.path)
    if left:
        cells[MORE] = Cell(write_on_one_line(left))
    return cells, left


def _too_long(cells: Mapping[str, Cell]) -> bool:
    more = cells.get(MORE)
    return more is not None and not fits_a_cell(str(more.value))


def _table_rows(rest: dict[str, Plain], tables: Sequence[Table], kept: list[str]) -> list[list[Cell]]:
    """The rows of a sheet; what was written is taken out of `rest`."""
    rows: list[dict[str, Cell]] = []
    for table in tables:
        items = _get(rest, table.at)
        if items is _MISSING:
            continue
        written: list[tuple[str | int, dict[str, Cell], dict[str, Plain]]] = []
        for key, item in items.items() if table.key is not None else enumerate(items):
            cells, left = _row_of(item, table.columns)
            if table.key is not None:
                cells = {table.key: Cell(str(key)), **cells}
            written.append((key, cells, left))
        if table.key is None and any(_too_long(cells) for _, cells, _ in written):
            continue
        for key, cells, left in written:
            if table.key is not None and (_too_long(cells) or not fits_a_cell(str(key))):
                continue
            rows.append(({"Kind": Cell(table.kind)} if table.kind else {}) | cells)
            _say_more(kept, table.sheet, f"{table.kind or ''} {key + 1 if isinstance(key, int) else key}".strip(), left)
            if table.key is not None:
                _drop(rest, (*table.at, str(key)))
        if table.key is None:
            _drop(rest, table.at)
    return _laid_out(rows, _headers(tables))


def _say_more(kept: list[str], sheet: str, row: str, left: Mapping[str, Plain]) -> None:
    if left:
        kept.append(f"{sheet}, {row}: {', '.join(left)} {'stands' if len(left) == 1 else 'stand'} in the column {MORE}.")


def _headers(tables: Iterable[Table]) -> list[str]:
    tables = list(tables)
    first = (["Kind"] if tables[0].kind else []) + [table.key for table in tables if table.key]
    return list(dict.fromkeys([*first, *(column.header for table in tables for column in table.columns), MORE]))


def _laid_out(rows: Sequence[Mapping[str, Cell]], headers: Sequence[str]) -> list[list[Cell]]:
    return [[Cell(header) for header in headers], *([row.get(header, BLANK) for header in headers] for row in rows)]


def _scope_children(rest: dict[str, Plain], kept: list[str]) -> dict[str, list[list[Cell]]]:
    """Lists inside a scope of work, each on its own sheet, where site and workstream say which scope is meant."""
    scopes = rest.get("scope", [])
    keys = [(scope.get("site"), scope.get("workstream")) for scope in scopes]
    addressed = [
        keys.count(key) == 1 and all(part is None or (isinstance(part, str) and fits_a_cell(part)) for part in key) for key in keys
    ]
    sheets: dict[str, list[list[Cell]]] = {}
    for table in _CHILDREN:
        assert table.child is not None
        rows: list[dict[str, Cell]] = []
        for scope, is_addressed in zip(scopes, addressed, strict=True):
            items = scope.get(table.child)
            written = [_row_of(item, table.columns) for item in items or []]
            if not items or not is_addressed or any(_too_long(cells) for cells, _ in written):
                continue
            where = {"Site": Cell(scope["site"])} | ({"Workstream": Cell(scope["workstream"])} if "workstream" in scope else {})
            for cells, left in written:
                rows.append(where | cells)
                _say_more(kept, table.sheet, str(scope["site"]), left)
            del scope[table.child]
        sheets[table.sheet] = _laid_out(rows, ["Site", "Workstream", *(column.header for column in table.columns), MORE])
    return sheets


def _kpi_sheets(rest: dict[str, Plain], dimensions: Sequence[str], kept: list[str]) -> dict[str, list[list[Cell]]]:
    """The grid of levels, and the definitions behind it."""
    kpis = rest.get("kpis", {})
    credits_ = _simple_credits(rest, [name for name in kpis if fits_a_cell(name)])
    definitions: list[dict[str, Cell]] = []
    grid: list[tuple[dict[str, Cell], dict[tuple[str, str | None], Cell]]] = []
    scope_columns = _scope_columns(dimensions)
    for name in list(kpis):
        if not fits_a_cell(name):
            continue
        kpi = _with_sides(deepcopy(kpis[name]))
        shared = {}
        for column in _GRID:
            value = credits_.get(name, {}).get(column.path[0], _MISSING) if column.path[0].startswith("_") else _get(kpi, column.path)
            cell = None if value is _MISSING else _to_cell(column.kind, value)
            if cell is not None:
                shared[column.header] = cell
                if not column.path[0].startswith("_"):
                    _drop(kpi, column.path)
        rows = _level_rows(
            kpi.get("levels", []), ["site", *scope_columns], is_rising_percent=_is_percent(kpi) and kpi.get("better", "higher") == "higher"
        )
        if rows is not None:
            kpi.pop("levels", None)
        kpi.setdefault("for_each", ["site"])
        cells, left = _row_of(kpi, DEFINITIONS.columns)
        if _too_long(cells):
            _restore_credit(rest, credits_, name)
            continue
        definitions.append({"KPI": Cell(name)} | cells)
        _say_more(kept, "Definitions", name, left)
        grid += [({"KPI": Cell(name)} | scope | shared, levels) for scope, levels in rows or [({}, {})]]
        _drop(rest, ("kpis", name))
    points = sorted({point for _, levels in grid for point in levels}, key=lambda point: (point[1] or "", _level_order(point[0]), point[0]))
    headings = {point: f"{point[0]} from {point[1] or 'start'}" for point in points}
    table = [row | {headings[point]: cell for point, cell in levels.items()} for row, levels in grid]
    headers = ["Site", *(name for name in scope_columns), "KPI", *headings.values(), *(column.header for column in _GRID), MORE]
    return {
        "KPIs": _laid_out(table, headers),
        "Definitions": _laid_out(definitions, _headers([DEFINITIONS])),
    }


_GRID_WORDS = {_heading(name): column.header for column in reversed(_GRID) for name in (*column.also, column.header)}
_GRID_WORDS |= {"kpi": "KPI", "measure": "KPI", "metric": "KPI", "level": "Level", "more": MORE}


def _scope_columns(dimensions: Sequence[str]) -> list[str]:
    """The dimensions that can head a column of their own; levels for others stand in More."""
    taken = {*_GRID_WORDS, "site"}
    columns = []
    for name in dimensions:
        if fits_a_cell(name) and _heading(name) not in taken and _heading_level(name) is None:
            columns.append(name)
            taken.add(_heading(name))
    return columns


def _level_order(name: str) -> int:
    order = ("low", "severe", "serious", "minor", "floor", "minimum", "expected", "target", "goal", "stretch", "high")
    return order.index(name) if name in order else -1


def _simple_credits(rest: dict[str, Plain], names: Sequence[str]) -> dict[str, dict[str, Plain]]:
    """Credits that are a flat percentage for one missed target: they stand in the grid, as long as they come first and in its order."""
    taken: dict[str, dict[str, Plain]] = {}
    rules = _get(rest, ("money", "credits"))
    last = -1
    while rules is not _MISSING and rules:
        rule = rules[0]
        name = rule.get("for")
        pay = rule.get("pay", {})
        values = {"_credit": pay.get("percent"), "_credit_of": pay.get("of")}
        simple = (
            rule.keys() == {"for", "pay"}
            and pay.keys() == {"percent", "of"}
            and isinstance(name, str)
            and name in names
            and names.index(name) > last
            and _to_cell("percent", values["_credit"]) is not None
            and _to_cell("text", values["_credit_of"]) is not None
        )
        if not simple:
            break
        last = names.index(name)
        taken[name] = values
        del rules[0]
    if rules == []:
        _drop(rest, ("money", "credits"))
    return taken


def _restore_credit(rest: dict[str, Plain], taken: dict[str, dict[str, Plain]], name: str) -> None:
    """The KPI stays in Rest, and its credit goes back to the front of the others.  Those before it are in the grid, which comes first."""
    if name in taken:
        values = taken.pop(name)
        rule = {"for": name, "pay": {"percent": values["_credit"], "of": values["_credit_of"]}}
        _put(
            rest,
            ("money", "credits"),
            [rule, *(_get(rest, ("money", "credits")) if _get(rest, ("money", "credits")) is not _MISSING else [])],
        )


def _with_sides(kpi: dict[str, Plain]) -> dict[str, Plain]:
    """The value's two sides as fields of their own, where it has the form of a fraction or of one sum."""
    value = kpi.get("value", {})
    kind = next(iter(value)) if len(value) == 1 else None
    if kind in _VALUE_SIDES and isinstance(value[kind], dict):
        upper, lower = _VALUE_SIDES[kind]
        sides = value[kind]
        if _to_cell("counts", sides.get(upper)) and _to_cell("counts", sides.get(lower)):
            more = {key: item for key, item in sides.items() if key not in (upper, lower)}
            kpi |= {"_as": kind, "_of": sides[upper], "_to": sides[lower]}
            del kpi["value"]
            if more:
                kpi["value"] = {kind: more}
    elif kind in _VALUE_SINGLE and _to_cell("counts", value[kind]):
        kpi |= {"_as": kind, "_of": value[kind]}
        del kpi["value"]
    return kpi


def _without_sides(kpi: dict[str, Plain]) -> dict[str, Plain]:
    kind, upper, lower = kpi.pop("_as", None), kpi.pop("_of", _MISSING), kpi.pop("_to", _MISSING)
    if kind is None and upper is not _MISSING:
        kind = "ratio" if lower is not _MISSING else "sum"
    if kind is None:
        return kpi
    if kind in _VALUE_SIDES:
        names = _VALUE_SIDES[kind]
        sides = {name: side for name, side in zip(names, (upper, lower), strict=True) if side is not _MISSING}
        kpi["value"] = _merged(kpi.get("value", {}), {kind: sides})
    else:
        kpi["value"] = _merged(kpi.get("value", {}), {kind: {} if upper is _MISSING else upper})
    return kpi


def _is_percent(kpi: Mapping[str, Plain]) -> bool:
    kind = kpi.get("_as") or next(iter(kpi.get("value", {})), None)
    return kpi.get("unit") == "percent" or (kpi.get("unit") is None and kind in ("ratio", "intervals", "stratified", "share_met"))


_LevelRow = tuple[dict[str, Cell], dict[tuple[str, str | None], Cell]]


def _level_rows(entries: Sequence[dict[str, Plain]], scopes: Sequence[str], *, is_rising_percent: bool) -> list[_LevelRow] | None:
    """The dated levels as rows: entries of one scope that follow each other in time share a row.

    None where a level's name cannot head a column; the levels then stay together in More.
    """
    rows: list[tuple[dict[str, Cell], dict[tuple[str, str | None], Cell], str | None]] = []
    for entry in entries:
        left = deepcopy(entry)
        since = left.pop("from", None)
        scope: dict[str, Cell] = {}
        for name in scopes:
            cell = _to_cell("some", _get(left, ("where", name))) if _get(left, ("where", name)) is not _MISSING else None
            if cell is not None:
                scope["Site" if name == "site" else name] = cell
                _drop(left, ("where", name))
        levels: dict[tuple[str, str | None], Cell] = {}
        for level, value in list(left.get("at", {}).items()):
            if _heading_level(f"{level} from start") != (level, None):
                return None
            cell = _level_cell(value, is_rising_percent=is_rising_percent)
            if cell is not None:
                levels[level, since] = cell
                _drop(left, ("at", level))
        if not levels and since is not None:
            # Without a cell nothing would say since when.
            left = deepcopy(entry)
        if left:
            cells = scope if levels else {}
            more = left if levels else entry
            if not fits_a_cell(write_on_one_line(more)):
                return None
            rows.append((cells | {MORE: Cell(write_on_one_line(more))}, levels, None))
            continue
        if rows and MORE not in rows[-1][0] and rows[-1][0] == scope and (rows[-1][2] or "") < (since or ""):
            rows[-1] = (scope, rows[-1][1] | levels, since)
        else:
            rows.append((scope, levels, since))
    return [(scope, levels) for scope, levels, _ in rows]


def _level_cell(value: Plain, *, is_rising_percent: bool) -> Cell | None:
    cell = _to_cell("level", value)
    if cell is not None and is_rising_percent and 0 < value <= 1:
        # As a bare number this would be taken for a percentage whose format was lost.
        return Cell(f"{_tidy(value)} %")
    return cell


# Reading


class _Place(msgspec.Struct, frozen=True):
    sheet: str
    row: int
    column: int

    def __str__(self) -> str:
        return f"{self.sheet}!{_letters(self.column)}{self.row + 1}"


def _letters(column: int) -> str:
    text = ""
    column += 1
    while column:
        column, digit = divmod(column - 1, 26)
        text = chr(65 + digit) + text
    return text


def _heading_level(text: str) -> tuple[str, str | None] | None:
    """The level and its first day that a heading names: `target from 2026-03-01`, `Floor 2026-03`, `Mar 2026`, `Target`."""
    bare = " ".join(text.split())
    level, day = bare, None
    if match := re.fullmatch(r"(?:(.*?)\s+)?(?:from|as of|since)\s+(.+)", bare, re.IGNORECASE):
        level, since = match[1] or "target", match[2]
        if since.lower() == "start":
            return (_level_name(level), None) if _level_name(level) else None
        day = _day_or_month(since)
        return (_level_name(level), day.isoformat()) if day and _level_name(level) else None
    words = bare.split(" ")
    for size in (1, 2, 3):
        if size <= len(words):
            for date_words, level_words in ((words[-size:], words[:-size]), (words[:size], words[size:])):
                if found := _day_or_month(" ".join(date_words)):
                    name = _level_name(" ".join(level_words)) if level_words else "target"
                    return (name, found.isoformat()) if name else None
    name = _level_name(level)
    return (name, None) if name in _LEVEL_WORDS else None


def _level_name(text: str) -> str:
    name = re.sub(r"\s+", "_", text.strip().lower())
    return name if re.fullmatch(r"[^\W\d][\w-]*", name) else ""


def _day_or_month(text: str) -> dt.date | None:
    try:
        return _day(text) or _month(text)
    except ValueError:
        return None


_SMALL_CURRENCIES = frozenset(
    ("aud", "brl", "cad", "chf", "cny", "czk", "dkk", "eur", "gbp", "hkd", "huf", "inr", "jpy", "mxn", "nok", "nzd", "php", "pln", "sek")
) | {"sgd", "usd", "zar"}
"""Currencies as people type them; other words are left as they are, so that checking can say what is wrong with them."""
_ADDED_UP = ("KPIs", "Headcount")
_TOTALS = frozenset(map(_heading, ("total", "totals", "sum", "subtotal", "grand total", "gesamt", "summe", "suma", "soma", "totale")))
"""What people call the row below a table that adds it up."""
_FIGURE = re.compile(r"[-+]?[\d.,\s]+%?")


class _Reader:
    """Collects the document, its places and the findings, sheet by sheet."""

    def __init__(self, sheets: Iterable[Sheet], name: str) -> None:
        self.name = name
        self.findings: list[Finding] = []
        self.places: dict[str, _Place] = {}
        self.tree: dict[str, Plain] = {}
        self.sheets: dict[str, Sheet] = {}
        known = {sheet.casefold(): sheet for sheet in SHEETS} | _ALSO_CALLED
        self.said_once: set[str] = set()
        """Paths whose fault was told in the workbook's own words; what checking says of them would be the same again."""
        for sheet in sheets:
            meant = known.get(_heading(sheet.name))
            if meant is not None and meant not in self.sheets:
                self.sheets[meant] = _filled(sheet)
            elif not sheet.is_hidden and any(cell.value is not None for row in sheet.rows for cell in row):
                self.say(
                    "note",
                    _Place(sheet.name, 0, 0),
                    f"The sheet {shown(sheet.name)} is not read",
                    f"Its name would be one of {', '.join(SHEETS[:-1])}.",
                )

    def say(self, severity: Any, place: _Place | None, message: str, repair: str, value: str = "") -> None:
        where = Where(str(place) if place else "$", 0, 0, value, self.name)
        self.findings.append(Finding(severity, where, message, repair))

    def value(self, sheet: Sheet, row: int, column: int, kind: str) -> Plain:
        """What a cell says, `_MISSING` if it is blank or was reported."""
        cells = sheet.rows[row]
        cell = cells[column] if column < len(cells) else BLANK
        place = _Place(sheet.name, row, column)
        if cell.value is None:
            if cell.formula is not None:
                self.say("error", place, f"The formula {shown(cell.formula)} has no stored result",
                         "Open the workbook in a spreadsheet program, save it, and try again; or write the value.")  # fmt: skip
            return _MISSING
        text = _read_text(cell)
        if not text or text.casefold() in _NOTHING:
            return _MISSING
        if text.startswith("#") and text.rstrip("!?").isupper() and isinstance(cell.value, str):
            self.say("error", place, f"{shown(text)} is the error of a formula", "Correct the formula, or write the value.", text)
            return _MISSING
        if cell.formula is not None:
            self.say("note", place, f"A formula stands here; its stored result {shown(text)} was read", "Write the value if it shall stay.")
        try:
            read_value = _READERS[kind](cell)
        except _Unreadable as problem:
            self.say("error", place, problem.message[:1].upper() + problem.message[1:], problem.repair, text)
            return _MISSING
        if kind == "percent" and isinstance(cell.value, Decimal) and not cell.is_percent and 0 < cell.value < 1:
            self.say(
                "warning",
                place,
                f"{text} is read as {text} %",
                f"Write {_words(cell.value * 100)}, or format the cell as a percentage, if that is meant.",
                text,
            )
        return read_value

    # Sheets of rows

    def header(self, sheet: Sheet, known: Mapping[str, Any], *, dated: bool = False) -> tuple[int, dict[int, str]] | None:
        """The first row of data, and the headings by column; None where no row heads a table.

        Headings may stand on two rows, the level merged above its months.
        """

        def count(index: int) -> int:
            return len({_heading(_read_text(cell)) for cell in sheet.rows[index] if cell.value is not None} & known.keys())

        top = range(min(len(sheet.rows), 20))
        best = max(top, key=count, default=None)
        if best is None or count(best) == 0:
            return None
        lines = [best]
        if dated:
            lines = [
                *([best - 1] if best and self.is_above(sheet, best) else []),
                best,
                *([best + 1] if self.is_below(sheet, best) else []),
            ]
        headings: dict[int, str] = {}
        for column in range(max(len(sheet.rows[line]) for line in lines)):
            words = [
                text
                for line in lines
                if column < len(sheet.rows[line]) and sheet.rows[line][column].value is not None
                for text in [_read_text(sheet.rows[line][column])]
                if text
            ]
            if words:
                headings[column] = " ".join(dict.fromkeys(words))
        return lines[-1] + 1, headings

    def is_below(self, sheet: Sheet, line: int) -> bool:
        """Whether the row below continues the heading: nothing but months and repeated (merged) headings."""
        if line + 1 >= len(sheet.rows):
            return False
        upper, lower = sheet.rows[line], sheet.rows[line + 1]
        days = 0
        for column, cell in enumerate(lower):
            if cell.value is None or (column < len(upper) and upper[column].value == cell.value):
                continue
            if _day_or_month(_read_text(cell)) is None:
                return False
            days += 1
        return days > 0

    def is_above(self, sheet: Sheet, line: int) -> bool:
        """Whether the row above names the levels of the months below it."""
        upper, lower = sheet.rows[line - 1], sheet.rows[line]
        over_months = [
            _level_name(_read_text(cell)) in _LEVEL_WORDS
            for column, cell in enumerate(upper)
            if cell.value is not None
            and column < len(lower)
            and lower[column].value is not None
            and _day_or_month(_read_text(lower[column]))
        ]
        return bool(over_months) and all(over_months)

    def rows(self, sheet: Sheet, first: int) -> Iterator[int]:
        for index in range(first, len(sheet.rows)):
            if not any(cell.value is not None and _read_text(cell) for cell in sheet.rows[index]):
                continue
            if sheet.name in _ADDED_UP and (word := self.total(sheet, index)):
                place = _Place(sheet.name, index, 0)
                words = f"The row {shown(word)} adds others up and is left out"
                self.say("note", place, words, "Delete it, or name it otherwise if it is meant.")
                continue
            yield index

    def total(self, sheet: Sheet, row: int) -> str | None:
        """The word of a row that adds up the rows above it: nothing else stands in it but figures."""
        filled = [cell for cell in sheet.rows[row] if cell.value is not None and _read_text(cell)]
        words = [cell for cell in filled if not isinstance(cell.value, int | Decimal) and not _FIGURE.fullmatch(_read_text(cell))]
        text = _read_text(words[0]) if len(words) == 1 else ""
        return text if _heading(text) in _TOTALS and text not in self.tree.get("kpis", {}) else None

    def positions(self, sheet: Sheet, headings: Mapping[int, str], known: Mapping[str, str], first: int) -> dict[str, int]:
        """Columns by canonical heading; a heading that stands twice or means nothing is reported."""
        found: dict[str, int] = {}
        for column, text in headings.items():
            name = known.get(_heading(text))
            place = _Place(sheet.name, first - 1, column)
            if name is None:
                near = difflib.get_close_matches(_heading(text), known, n=1, cutoff=0.8)
                repair = f"Did you mean {known[near[0]]!r}?" if near else "Delete it, or leave it as a remark of your own."
                self.say("warning", place, f"The column {shown(text)} is not read", repair, text)
            elif name in found:
                self.say("error", place, f"The column {name} stands twice", "Keep one of the two.", text)
            else:
                found[name] = column
        return found

    def item(self, sheet: Sheet, row: int, columns: Iterable[Column], positions: Mapping[str, int], path: str) -> dict[str, Plain]:
        """The item of a row: what More holds, and on top what the columns say."""
        item: dict[str, Plain] = {}
        for column in columns:
            if column.header in positions:
                value = self.value(sheet, row, positions[column.header], column.kind)
                if value is not _MISSING:
                    _put(item, column.path, value)
                    self.places[".".join((path, *column.path))] = _Place(sheet.name, row, positions[column.header])
        more = self.more(sheet, row, positions)
        for column in columns:
            if more and _get(more, column.path) is not _MISSING and _get(item, column.path) is not _MISSING:
                self.say(
                    "warning",
                    _Place(sheet.name, row, positions[MORE]),
                    f"{column.header} stands in its column and in {MORE}; the column prevails",
                    f"Delete it from {MORE}.",
                )
        return _merged(more, item) if more else item

    def more(self, sheet: Sheet, row: int, positions: Mapping[str, int]) -> dict[str, Plain]:
        text = self.value(sheet, row, positions[MORE], "text") if MORE in positions else _MISSING
        if text is _MISSING:
            return {}
        try:
            plain: dict[str, Plain] = _yaml(text, "Correct it, or clear the cell and use the columns.")
            return plain
        except _Unreadable as problem:
            self.say("error", _Place(sheet.name, row, positions[MORE]), problem.message[:1].upper() + problem.message[1:], problem.repair)
            return {}

    def tables(self, name: str, tables: Sequence[Table]) -> None:
        sheet = self.sheets.get(name)
        if sheet is None:
            return
        known = _known(tables)
        head = self.header(sheet, known)
        if head is None:
            self.say(
                "error",
                _Place(sheet.name, 0, 0),
                "No row names this sheet's columns",
                f"Write a row with {', '.join(_headers(tables)[:6])} …",
            )
            return
        first, headings = head
        positions = self.positions(sheet, headings, known, first)
        kinds = {table.kind: table for table in tables}
        for row in self.rows(sheet, first):
            table = tables[0]
            if table.kind is not None:
                kind = self.value(sheet, row, positions["Kind"], "text") if "Kind" in positions else _MISSING
                found = kinds.get(_heading(kind)) if kind is not _MISSING else None
                if found is None:
                    said = "nothing" if kind is _MISSING else shown(kind)
                    self.say("error", _Place(sheet.name, row, positions.get("Kind", 0)), f"The kind of this row is {said}",
                             f"Write one of {', '.join(str(kind) for kind in kinds)} in the column Kind.")  # fmt: skip
                    continue
                table = found
            self.take_row(sheet, row, table, positions)

    def take_row(self, sheet: Sheet, row: int, table: Table, positions: Mapping[str, int]) -> None:
        if table.child is not None:
            self.take_child(sheet, row, table, positions)
            return
        path = "$." + ".".join(table.at)
        if table.key is None:
            items = _get(self.tree, table.at)
            if items is _MISSING:
                _put(self.tree, table.at, items := [])
            here = below(path, len(items))
            self.places[here] = _Place(sheet.name, row, 0)
            items.append(self.item(sheet, row, table.columns, positions, here))
            return
        key = self.value(sheet, row, positions[table.key], "text") if table.key in positions else _MISSING
        if key is _MISSING:
            self.say(
                "error",
                _Place(sheet.name, row, positions.get(table.key, 0)),
                f"The row has no {table.key}",
                f"Write its name in the column {table.key}.",
            )
            return
        here = below(path, key)
        if _get(self.tree, (*table.at, key)) is not _MISSING and here in self.places:
            self.say(
                "error",
                _Place(sheet.name, row, positions[table.key]),
                f"{shown(key)} stands twice, also in {self.places[here]}",
                "Keep one of the two.",
                key,
            )
            return
        self.places[here] = _Place(sheet.name, row, positions[table.key])
        # A cleared row of a mapping is still an entry: {} is a measure.
        _put(self.tree, (*table.at, key), self.item(sheet, row, table.columns, positions, here))

    def take_child(self, sheet: Sheet, row: int, table: Table, positions: Mapping[str, int]) -> None:
        assert table.child is not None
        site, workstream = (
            self.value(sheet, row, positions[name], "text") if name in positions else _MISSING for name in ("Site", "Workstream")
        )
        for index, scope in enumerate(self.tree.get("scope", [])):
            if scope.get("site", _MISSING) == site and scope.get("workstream", _MISSING) == workstream:
                items = scope.setdefault(table.child, [])
                here = f"$.scope[{index}].{table.child}[{len(items)}]"
                self.places[here] = _Place(sheet.name, row, 0)
                items.append(self.item(sheet, row, table.columns, positions, here))
                return
        words = " and ".join(shown(text) for text in (site, workstream) if text is not _MISSING)
        self.say(
            "error",
            _Place(sheet.name, row, positions.get("Site", 0)),
            f"The sheet Scope has no row for {words or 'this'}",
            "Add it there, or correct the site and workstream.",
        )

    # The sheets one by one

    def contract(self) -> None:
        sheet = self.sheets.get("Contract")
        if sheet is None:
            self.say(
                "error",
                None,
                "The workbook has no sheet Contract",
                "Add it, with a field and its value in each row; `contract template` shows how.",
            )
            return
        known = {_heading(name): column for column in reversed(CONTRACT) for name in (*column.also, column.header)}
        for row in self.rows(sheet, 0):
            cells = [column for column, cell in enumerate(sheet.rows[row]) if cell.value is not None and _read_text(cell)]
            label = _read_text(sheet.rows[row][cells[0]])
            column = known.get(_heading(label))
            if column is None:
                if len(cells) > 1 and _heading(label) != "field":
                    near = difflib.get_close_matches(_heading(label), known, n=1, cutoff=0.75)
                    self.say(
                        "warning",
                        _Place(sheet.name, row, cells[0]),
                        f"The field {shown(label)} is not read",
                        f"Did you mean {known[near[0]].header!r}?" if near else "Delete it, or leave it as a remark of your own.",
                        label,
                    )
                continue
            # The value stands in the next column; a formula without a result counts as one, so that it is reported.
            value = (
                self.value(sheet, row, cells[1] if len(cells) > 1 else cells[0] + 1, column.kind)
                if len(sheet.rows[row]) > cells[0] + 1
                else _MISSING
            )
            if column.header == "Currency" and str(value) in _SMALL_CURRENCIES:
                value = str(value).upper()
            if value is not _MISSING:
                path = ".".join(("$", *column.path))
                if path in self.places:
                    self.say(
                        "error",
                        _Place(sheet.name, row, cells[0]),
                        f"{column.header} stands twice, also in {self.places[path]}",
                        "Keep one of the two.",
                    )
                    continue
                _put(self.tree, column.path, value)
                self.places[path] = _Place(sheet.name, row, cells[1] if len(cells) > 1 else cells[0])

        self.is_last_day()

    def is_last_day(self) -> None:
        """A span ends before its `until`; a last day of a month, or the eve of an anniversary, is what people write who mean through it."""
        spans = _get(self.tree, ("in_force",))
        if not isinstance(spans, dict):
            return
        first, until = (_iso_day(spans.get(name)) for name in ("from", "until"))
        if until is None or "$.in_force.until" not in self.places:
            return
        next_day = until + dt.timedelta(days=1)
        if next_day.day == 1 or (first is not None and next_day > first and (next_day.month, next_day.day) == (first.month, first.day)):
            words = f"The contract ends before {until}; its last day is {until - dt.timedelta(days=1)}"
            self.say("warning", self.places["$.in_force.until"], words, f"If {until} is meant to be its last day, write {next_day}.")

    def rest(self) -> None:
        sheet = self.sheets.get(REST)
        if sheet is None:
            return
        lines = ["".join(_bar(cell) for cell in row) for row in sheet.rows if any(_bar(cell) or _has_bar(cell) for cell in row)]
        try:
            self.tree = _yaml("\n".join(lines) + "\n", "Undo the change there, or delete the sheet and with it what it keeps.")
        except _Unreadable as problem:
            self.say("error", _Place(sheet.name, 0, 0), problem.message[:1].upper() + problem.message[1:], problem.repair)

    def definitions(self) -> None:
        self.tables("Definitions", (DEFINITIONS,))
        for kpi in self.tree.get("kpis", {}).values():
            if isinstance(kpi, dict):
                _without_sides(kpi)

    def kpis(self, known_kpis: Callable[[str], dict[str, Plain] | None], nearest: Callable[[str], str | None]) -> None:
        sheet = self.sheets.get("KPIs")
        if sheet is None:
            if not self.tree.get("kpis"):
                self.say("error", None, "The workbook has no sheet KPIs", "Add it, with a row for each KPI; `contract template` shows how.")
            return
        dimensions = self.tree.get("dimensions")
        declared = [str(one) for one in dimensions] if isinstance(dimensions, list) else ["workstream", "language"]
        names = ["site", *_scope_columns(declared)]
        known = _GRID_WORDS | {_heading(name): name for name in names}
        known |= {"languages": "language"} if "language" in names and "languages" not in names else {}
        head = self.header(sheet, known, dated=True)
        if head is None or "KPI" not in {known.get(_heading(text)) for text in head[1].values()}:
            self.say(
                "error",
                _Place(sheet.name, 0, 0),
                "No row names this sheet's columns",
                "Write a row with Site, Workstream, Language, KPI, target from 2026-03-01, Weight …",
            )
            return
        first, headings = head
        dated = {column: level for column, text in headings.items() if _heading(text) not in known and (level := _heading_level(text))}
        positions = self.positions(sheet, {c: text for c, text in headings.items() if c not in dated}, known, first)
        for points in {point: [c for c in dated if dated[c] == point] for point in dated.values()}.items():
            for column in points[1][1:]:
                self.say(
                    "error",
                    _Place(sheet.name, first - 1, column),
                    f"The level {points[0][0]} from {points[0][1] or 'start'} stands twice",
                    "Keep one of the two columns.",
                )
        order = sorted(dated, key=lambda column: dated[column][1] or "")
        grid = _Grid(self, sheet, positions, dated, order, names, known_kpis, nearest)
        for row in self.rows(sheet, first):
            grid.take(row)
        grid.finish()


class _Grid:
    """The rows of the sheet KPIs, gathered by KPI."""

    def __init__(
        self,
        reader: _Reader,
        sheet: Sheet,
        positions: Mapping[str, int],
        dated: Mapping[int, tuple[str, str | None]],
        order: Sequence[int],
        names: Sequence[str],
        known_kpis: Callable[[str], dict[str, Plain] | None],
        nearest: Callable[[str], str | None],
    ) -> None:
        self.reader = reader
        self.sheet = sheet
        self.positions = positions
        self.dated = dated
        self.order = order
        self.names = names
        self.known_kpis = known_kpis
        self.nearest = nearest
        self.by_name: dict[str, str] = {_heading(name): name for name in reader.tree.get("kpis", {})}
        self.said: dict[tuple[str, str], tuple[Plain, int]] = {}
        self.scopes: list[dict[str, Plain]] = []
        self.filled: dict[tuple[Any, ...], int] = {}
        self.levels: dict[str, list[dict[str, Plain]]] = {}
        self.split: dict[str, list[str]] = {}
        self.unknown: set[str] = set()

    def at(self, row: int, header: str) -> _Place:
        return _Place(self.sheet.name, row, self.positions.get(header, 0))

    def cell(self, row: int, header: str, kind: str) -> Plain:
        return self.reader.value(self.sheet, row, self.positions[header], kind) if header in self.positions else _MISSING

    def take(self, row: int) -> None:
        written = self.cell(row, "KPI", "text")
        if written is _MISSING:
            self.reader.say("error", self.at(row, "KPI"), "The row names no KPI", "Write the KPI, or delete the row.")
            return
        name = self.kpi(written, row)
        if name is None:
            return
        kpi = self.reader.tree["kpis"][name]
        for column in _GRID:
            self.share(row, name, kpi, column)
        scope = {one: value for one in self.names if (value := self.cell(row, one, "some")) is not _MISSING}
        for one in scope:
            self.split.setdefault(name, []).append(one)
        self.scopes.append(scope)
        self.take_levels(row, name, kpi, scope)

    def kpi(self, written: str, row: int) -> str | None:
        """The name of the KPI, which is defined on the sheet Definitions, or else comes from the library."""
        name = written if written in self.reader.tree.get("kpis", {}) else self.by_name.get(_heading(written))
        if name is not None:
            return name
        if written in self.unknown:
            return None
        found = self.known_kpis(written)
        if found is None:
            near = self.nearest(written)
            self.unknown.add(written)
            self.reader.say(
                "error",
                self.at(row, "KPI"),
                f"{shown(written)} is defined nowhere",
                (f"Did you mean {near!r} of the library? Otherwise d" if near else "D") + "efine it on the sheet Definitions.",
                written,
            )
            return None
        name = str(found["name"])
        self.by_name[_heading(written)] = self.by_name[_heading(name)] = name
        if name in self.reader.tree.get("kpis", {}):
            return name
        _put(self.reader.tree, ("kpis", name), found["kpi"])
        for measure, declared in found["measures"].items():
            if _get(self.reader.tree, ("measures", measure)) is _MISSING:
                _put(self.reader.tree, ("measures", measure), declared)
        self.reader.places[f"$.kpis.{name}"] = self.at(row, "KPI")
        self.reader.say(
            "note",
            self.at(row, "KPI"),
            f"{name} has no definition of its own; the library's was taken",
            "Read it with `contract explain`, and correct it where the contract says otherwise.",
        )
        return name

    def share(self, row: int, name: str, kpi: dict[str, Plain], column: Column) -> None:
        """Values that a KPI has once, whatever the scope: every row that says one must say the same."""
        value = self.cell(row, column.header, column.kind)
        if value is _MISSING:
            return
        if (name, column.header) in self.said and self.said[name, column.header][0] != value:
            other, first = self.said[name, column.header]
            self.reader.say(
                "error",
                self.at(row, column.header),
                f"{name} has {column.header.lower()} {_words(value)} here and {_words(other)} in {self.at(first, column.header)}",
                f"A KPI has one; give the rows that differ a KPI of their own on the sheet Definitions, such as {name}-2.",
                _words(value),
            )
            return
        self.said.setdefault((name, column.header), (value, row))
        if not column.path[0].startswith("_"):
            _put(kpi, column.path, value)
            self.reader.places.setdefault(".".join((below("$.kpis", name), *column.path)), self.at(row, column.header))

    def take_levels(self, row: int, name: str, kpi: dict[str, Plain], scope: dict[str, Plain]) -> None:
        row_level = self.cell(row, "Level", "text")
        by_day: dict[str | None, dict[str, Plain]] = {}
        cells: dict[str | None, int] = {}
        for column in self.order:
            level, day = self.dated[column]
            if row_level is not _MISSING and level == "target":
                level = _level_name(row_level) or level
            value = self.reader.value(self.sheet, row, column, "level")
            if value is _MISSING or not self.is_plausible(row, column, kpi, value):
                continue
            by_day.setdefault(day, {})[level] = value
            cells.setdefault(day, column)
            key = (name, tuple(sorted((k, str(v)) for k, v in scope.items())), level, day)
            if key in self.filled:
                self.reader.say(
                    "warning",
                    _Place(self.sheet.name, row, column),
                    f"Row {self.filled[key] + 1} already says the {level} of {name} for this scope and day; this row prevails",
                    "Keep one of the two.",
                )
            self.filled[key] = row
        more = self.reader.more(self.sheet, row, self.positions)
        entries: list[dict[str, Plain]] = []
        for day, levels in by_day.items():
            entry: dict[str, Plain] = {"from": day} if day is not None else {}
            if scope:
                entry["where"] = dict(scope)
            entries.append(entry | {"at": levels})
        if more and len(entries) > 1:
            self.reader.say(
                "error",
                self.at(row, MORE),
                f"{MORE} belongs to the levels of one day, and this row has {len(entries)}",
                "Give each day a row of its own.",
            )
        if more:
            entries = [_merged(more, entries[0] if entries else {})]
        held = self.levels.setdefault(name, [])
        for entry, column in zip(entries, [*cells.values(), *[0] * len(entries)], strict=False):
            self.reader.places[f"{below('$.kpis', name)}.levels[{len(held)}]"] = _Place(self.sheet.name, row, column)
            held.append(entry)

    def is_plausible(self, row: int, column: int, kpi: Mapping[str, Plain], value: int | Decimal) -> bool:
        """A percentage format on a KPI in seconds, and a bare 0.95 where 95 % is meant, are not to be read without asking."""
        cell = self.sheet.rows[row][column]
        place = _Place(self.sheet.name, row, column)
        is_percent = _is_percent(kpi)
        if cell.is_percent and not is_percent and kpi.get("value") is not None:
            self.reader.say(
                "error",
                place,
                f"The cell is formatted as a percentage ({_words(value)} %), and the KPI is no percentage",
                "Format the cell as a number.",
            )
            return False
        bare = isinstance(cell.value, int | Decimal) and not cell.is_percent
        if is_percent and bare and 0 < value <= 1 and kpi.get("better", "higher") == "higher":
            self.reader.say(
                "error",
                place,
                f"{_words(value)} in a percentage where more is better is either {_words(value * 100)} % or {_words(value)} %",
                f"Write {_words(value * 100)}, or format the cell as a percentage; write the text `{_words(value)} %` if it is meant.",
                _words(value),
            )
            return False
        return True

    def finish(self) -> None:
        tree = self.reader.tree
        credited: list[dict[str, Plain]] = []
        for name, kpi in tree.get("kpis", {}).items():
            if self.levels.get(name):
                kpi["levels"] = self.levels[name]
            named = dict.fromkeys(self.split.get(name, []))
            if named and "for_each" not in kpi:
                kpi["for_each"] = [one for one in self.names if one in named or one == "site"]
            elif named.keys() - set(_each(kpi.get("for_each", []))):
                self.judge_by(name, kpi, list(named))
            percent = self.said.get((name, "Credit percent"))
            if percent is not None:
                rule = self.credit(name, percent)
                credited += [rule] if rule else []
        if credited:
            _put(
                tree,
                ("money", "credits"),
                [*credited, *(_get(tree, ("money", "credits")) if _get(tree, ("money", "credits")) is not _MISSING else [])],
            )
            self.reader.places = {_shifted(path, len(credited)): place for path, place in self.reader.places.items()}
            for index, rule in enumerate(credited):
                self.reader.places[f"$.money.credits[{index}]"] = self.at(self.said[rule["for"], "Credit percent"][1], "Credit percent")
        self.derive_scope()

    def judge_by(self, name: str, kpi: dict[str, Plain], named: Sequence[str]) -> None:
        """Rows that say more than the KPI's definition is judged by: one fault, where the definition says it."""
        before = [str(one) for one in _each(kpi["for_each"])]
        scopes = [one for one in self.names if one in before or one in named]
        scopes += [one for one in before if one not in scopes]
        wanted = ", ".join(scopes)
        place = self.reader.places.get(f"{below('$.kpis', name)}.for_each")
        words = f"The rows of {name} on the sheet KPIs say {', '.join(named)}, and it is judged for each {', '.join(before)}"
        self.reader.say("error", place, words, f"Write `{wanted}` here, or leave the others out there.")
        self.reader.said_once.add(f"{below('$.kpis', name)}.levels")

    def credit(self, name: str, percent: tuple[Plain, int]) -> dict[str, Plain] | None:
        value, row = percent
        of = self.said.get((name, "Credit of"), (_MISSING, 0))[0]
        if of is _MISSING:
            bases = list(_get(self.reader.tree, ("money", "bases")) if _get(self.reader.tree, ("money", "bases")) is not _MISSING else {})
            if len(bases) != 1:
                choice = f"one of {', '.join(bases)}" if bases else "a base of the sheet Money"
                self.reader.say(
                    "error",
                    self.at(row, "Credit percent"),
                    f"Nothing says what the {_words(value)} % of {name} are a percentage of",
                    f"Write {choice} in the column Credit of.",
                )
                return None
            of = bases[0]
        return {"for": name, "pay": {"percent": value, "of": of}}

    def derive_scope(self) -> None:
        """A small workbook names sites and workstreams nowhere but in the grid."""
        tree = self.reader.tree
        named = {one for scope in self.scopes for one in scope if one != "site"}
        if "dimensions" not in tree and named:
            tree["dimensions"] = [one for one in self.names if one in named]
        if "Scope" in self.reader.sheets or "scope" in tree:
            declared = {scope.get("site") for scope in tree.get("scope", [])}
            for row_scope in self.scopes:
                for site in _each(row_scope.get("site", [])):
                    if site not in declared:
                        declared.add(site)
                        self.reader.say(
                            "warning",
                            _Place(self.sheet.name, 0, self.positions.get("site", 0)),
                            f"The site {shown(site)} has levels and no row on the sheet Scope",
                            "Add it there, or correct its name.",
                        )
            return
        scopes: dict[tuple[Any, Any], dict[str, Plain]] = {}
        for row_scope in self.scopes:
            for site in _each(row_scope.get("site", [])):
                for workstream in _each(row_scope.get("workstream", [None])):
                    scope = scopes.setdefault((site, workstream), {"site": site} | ({"workstream": workstream} if workstream else {}))
                    for language in _each(row_scope.get("language", [])):
                        if language not in scope.setdefault("languages", []):
                            scope["languages"].append(language)
        if scopes:
            tree["scope"] = list(scopes.values())
            self.reader.say(
                "note",
                _Place(self.sheet.name, 0, 0),
                f"There is no sheet Scope; its {len(scopes)} rows were taken from the sites and workstreams here",
                "Add the sheet for countries, hours and headcount.",
            )


def _shifted(path: str, by: int) -> str:
    return re.sub(r"^\$\.money\.credits\[(\d+)\]", lambda match: f"$.money.credits[{int(match[1]) + by}]", path)


def _each(value: Plain) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _words(value: Plain) -> str:
    tidy = _tidy(value) if isinstance(value, Decimal) else value
    return f"{tidy:f}" if isinstance(tidy, Decimal) else str(tidy)


def _has_bar(cell: Cell) -> bool:
    return isinstance(cell.value, str) and cell.value.startswith("|")


def _bar(cell: Cell) -> str:
    return str(cell.value)[1:] if _has_bar(cell) else ""


def _known(tables: Sequence[Table]) -> dict[str, str]:
    known: dict[str, str] = {}
    for table in tables:
        for column in table.columns:
            for name in (*column.also, column.header):
                known.setdefault(_heading(name), column.header)
    for table in tables:
        known |= {_heading(column.header): column.header for column in table.columns}
        known |= {_heading(table.key): table.key} if table.key else {}
        known |= {"site": "Site", "workstream": "Workstream"} if table.child else {}
        known |= {"kind": "Kind"} if table.kind else {}
    return known | {_heading(MORE): MORE}


def _filled(sheet: Sheet) -> Sheet:
    """Every cell of a merged area says what the area shows."""
    rows = [list(row) for row in sheet.rows]
    for top, left, bottom, right in sheet.merged:
        if top < len(rows) and left < len(rows[top]):
            for row in rows[top : bottom + 1]:
                row.extend([BLANK] * (right + 1 - len(row)))
                row[left : right + 1] = [rows[top][left]] * (right + 1 - left)
    return Sheet(name=sheet.name, rows=rows, is_hidden=sheet.is_hidden)


def from_sheets(
    sheets: Iterable[Sheet],
    *,
    name: str = "",
    known_kpis: Callable[[str], dict[str, Plain] | None] = lambda _: None,
    nearest: Callable[[str], str | None] = lambda _: None,
) -> GridReading:
    """The contract that the sheets say, with every fault of form and of meaning at its cell.

    `known_kpis` answers a KPI's name or title with `{"name", "kpi", "measures"}` where the workbook does not define it itself.
    """
    reader = _Reader(sheets, name)
    reader.rest()
    reader.contract()
    for sheet, tables in (
        ("Scope", (SCOPE,)),
        *((table.sheet, (table,)) for table in _CHILDREN),
        ("Measures", (MEASURES,)),
        ("Money", MONEY),
        ("Escalation", ESCALATION),
        ("Governance", GOVERNANCE),
    ):
        reader.tables(sheet, tables)
    reader.definitions()
    reader.kpis(known_kpis, nearest)
    reading = read(write(reader.tree), Contract)
    found = [*reading.findings, *(check(reading.partial, is_written=reading.is_written) if reading.partial is not None else [])]
    located = [
        msgspec.structs.replace(finding, where=Where(_cell_of(reader.places, finding.path), 0, 0, finding.value, name))
        for finding in found
        if not any(finding.path.startswith(f"{path}[") and ".where" in finding.path for path in reader.said_once)
    ]
    faults_of_form = has_errors(reader.findings)
    reader.findings += located
    return GridReading(
        None if has_errors(reader.findings) else reading.document, reader.findings, None if faults_of_form else reading.document
    )


_LAST_STEP = re.compile(r"""(?:\.[\w-]+|\[\d+\]|\["(?:[^"\\]|\\.)*"\])$""")


def _cell_of(places: Mapping[str, _Place], path: str) -> str:
    """The cell a path came from, or the nearest one around it, with the rest of the path behind it."""
    nearest = path
    while nearest not in places:
        around = _LAST_STEP.sub("", nearest)
        if around == nearest:
            return path
        nearest = around
    return f"{places[nearest]}" if nearest == path else f"{places[nearest]} ({path})"


__all__ = [
    "Cell",
    "Column",
    "GridReading",
    "Sheet",
    "Table",
    "Written",
    "fits_a_cell",
    "from_sheets",
    "plain_document",
    "plain_of",
    "to_sheets",
]
