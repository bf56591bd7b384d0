"""A first mapping for a table nobody has mapped yet, from its headings and some of its rows. Pure.

A proposal is a beginning for a person, who knows what the columns mean; whatever is uncertain is said. Columns that look like names or
keys of persons are left out of it.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

ROWS_LOOKED_AT = 500

_DATE_FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y%m%d", "%d-%m-%Y", "%Y/%m/%d", "%d %b %Y", "%b %Y", "%Y-%m")
_SITE_WORDS = ("site", "location", "standort", "office", "center", "centre", "hub", "site code")
_PERSON_WORDS = (
    "agent", "name", "email", "e-mail", "mail", "user", "employee", "moderator", "reviewer", "supervisor", "person", "phone", "login",
    "team leader", "mitarbeiter",
)  # fmt: skip
_EVENT_WORDS = ("case", "ticket", "decision id", "audit id", "event id", "conversation", "id", "key")
_NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}([ .,'’\u00a0\u202f]\d{3})+)([.,]\d+)?\s*%?")


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """The `mapping` and `codes` of a source document, and what a person should look at."""

    mapping: dict[str, Any]
    codes: dict[str, Any]
    remarks: list[str]


class _Column(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    cells: list[Any]
    """What stands in it, without empty cells."""
    words: list[str]
    """The different texts of it, as far as there are few."""

    @property
    def label(self) -> str:
        return _plain(self.name)


def proposed(
    columns: Sequence[str], rows: Sequence[Mapping[str, Any]], sites: Collection[str], measures: Collection[str]
) -> Proposal:
    """A mapping for rows of these columns. `sites` and `measures` are those that are known, by our names."""
    looked_at = rows[:ROWS_LOOKED_AT]
    read = [_column(name, looked_at) for name in columns]
    persons = [column for column in read if _is_person(column)]
    remarks = [f"`{column.name}` looks like a person and is left out; it never comes in unless you map it." for column in persons]
    rest = [column for column in read if column not in persons]
    day, day_format, is_moment = _day(rest, remarks)
    rest = [column for column in rest if column is not day]
    site, site_cell, codes = _site(rest, sites, remarks)
    rest = [column for column in rest if column is not site]
    mapping: dict[str, Any] = {"site": site_cell}
    numbers = [column for column in rest if _holds_numbers(column, measures)]
    words = [column for column in rest if column not in numbers and column.words]
    dimensions = {_name(column.name): {"column": column.name} for column in words if 1 < len(column.words) <= 50}
    is_long = len(numbers) == 1 and any(_matches(column, measures) for column in words)
    if dimensions and not is_long:
        mapping["dimensions"] = dimensions
    if day is None:
        mapping["span"] = {"starts_on": {"column": "?"}}
        remarks.append("No column holds dates. Say under `span` which day a row is for.")
    elif is_moment:
        mapping["span"] = {"day_of": {"column": day.name, "zone": "UTC"}}
        remarks.append(f"`{day.name}` holds moments: rows look like single events. Name the zone whose days are counted.")
    else:
        mapping["span"] = {"starts_on": {"column": day.name} | ({"format": day_format} if day_format else {})} | _grain(day, day_format)
    if is_moment and day is not None:
        mapping["events"] = _events(rest, numbers, measures, remarks)
    elif is_long:
        named = next(column for column in words if _matches(column, measures))
        mapping["measure"] = {"column": named.name, "codes": "measures"}
        mapping["value"] = {"column": numbers[0].name} | _decimal(numbers[0])
        codes["measures"] = [{"theirs": word, "ours": _nearest(word, measures) or "?"} for word in named.words]
        others = {name: cell for name, cell in dimensions.items() if cell["column"] != named.name}
        if others:
            mapping["dimensions"] = others
    else:
        mapping["measures"] = _measures(numbers, measures, remarks)
    return Proposal(mapping=mapping, codes=codes, remarks=remarks)


def _column(name: str, rows: Sequence[Mapping[str, Any]]) -> _Column:
    cells = [cell for row in rows if (cell := row.get(name)) is not None and str(cell).strip()]
    texts = dict.fromkeys(cell.strip() for cell in cells if isinstance(cell, str))
    return _Column(name=name, cells=cells, words=list(texts) if len(texts) <= 200 else [])


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[_\W]+", " ", unicodedata.normalize("NFKC", text).casefold()).split())


def _name(heading: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", _plain(heading)).encode("ascii", "ignore").decode()
    return ascii_only.replace(" ", "_") or "column"


def _is_person(column: _Column) -> bool:
    words = f" {column.label} "
    is_named_so = any(f" {_plain(word)} " in words for word in _PERSON_WORDS) and "site" not in words and "queue" not in words
    has_addresses = any(isinstance(cell, str) and re.search(r"\S@\S+\.\S", cell) for cell in column.cells)
    return has_addresses or (is_named_so and not (column.cells and all(_is_number(cell) for cell in column.cells)))


def _holds_numbers(column: _Column, measures: Collection[str]) -> bool:
    """All of its cells are numbers, or most of them are under the heading of a measure: tables have typing errors."""
    numbers = sum(_is_number(cell) for cell in column.cells)
    if not numbers or numbers == len(column.cells):
        return numbers > 0
    return 2 * numbers >= len(column.cells) and _nearest(column.name, measures) is not None


def _is_number(cell: Any) -> bool:
    if isinstance(cell, bool):
        return False
    return isinstance(cell, int | float | Decimal) or (isinstance(cell, str) and _NUMBER.fullmatch(cell.strip()) is not None)


def _day(columns: Sequence[_Column], remarks: list[str]) -> tuple[_Column | None, str | None, bool]:
    """The column of dates, their format (null: ISO, or real dates), and whether they are moments."""
    found: list[tuple[_Column, list[str | None], bool]] = []
    for column in columns:
        if not column.cells:
            continue
        if all(isinstance(cell, date) for cell in column.cells):
            found.append((column, [None], any(isinstance(cell, datetime) and cell.time() != datetime.min.time() for cell in column.cells)))
        elif all(isinstance(cell, str) for cell in column.cells):
            formats: list[str | None]
            written = [form for form in _DATE_FORMATS if all(_is_written(cell, form) for cell in column.cells)]
            if formats := [None if form == "%Y-%m-%d" else form for form in written]:
                found.append((column, formats, False))
            elif all(_is_moment(cell) for cell in column.cells):
                has_time = any(not re.search(r"[T ]00:00(:00)?", cell) for cell in column.cells)
                found.append((column, [None], has_time))
    if not found:
        return None, None, False
    # A table of days has days; the first column of those that hold them is what a row is about.
    column, formats, is_moment = min(found, key=lambda one: one[2])
    if len(formats) > 1:
        ways = ", ".join(str(one) for one in formats)
        remarks.append(f"The dates of `{column.name}` may be read in {len(formats)} ways ({ways}). Check it.")
    if len(found) > 1:
        others = ", ".join(f"`{one[0].name}`" for one in found if one[0] is not column)
        remarks.append(f"{others} holds dates too; `{column.name}` was taken for the day that a row is about.")
    return column, formats[0], is_moment


def _is_written(cell: str, form: str) -> bool:
    try:
        datetime.strptime(cell.strip(), form)  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return False
    return True


def _is_moment(cell: str) -> bool:
    try:
        datetime.fromisoformat(cell.strip())
    except ValueError:
        return False
    return True


def _grain(day: _Column, form: str | None) -> dict[str, str]:
    days = {str(cell)[:10] for cell in day.cells}
    is_monthly = form in ("%b %Y", "%Y-%m") or (form is None and len(days) > 1 and all(one.endswith("-01") for one in days))
    return {"grain": "month"} if is_monthly else {}


def _site(
    columns: Sequence[_Column], sites: Collection[str], remarks: list[str]
) -> tuple[_Column | None, dict[str, Any], dict[str, Any]]:
    """The column of sites, the cell of the mapping, and a code list where their names are not ours."""
    by_code = {_plain(code): code for code in sites}
    ranked = sorted(
        (column for column in columns if column.words),
        key=lambda column: (
            -sum(_plain(word) in by_code for word in column.words) / len(column.words),
            not any(word in column.label for word in _SITE_WORDS),
        ),
    )
    best = ranked[0] if ranked else None
    is_known = best is not None and any(_plain(word) in by_code for word in best.words)
    if best is None or not (is_known or any(word in best.label for word in _SITE_WORDS)):
        only = next(iter(sites)) if len(sites) == 1 else "?"
        remarks.append("No column holds sites that are known. Name the column, or the one site as `constant`.")
        return None, {"constant": only}, {}
    if all(word in sites for word in best.words):
        return best, {"column": best.name}, {}
    listed = [{"theirs": word, "ours": by_code.get(_plain(word)) or _nearest(word, sites) or "?"} for word in best.words]
    unknown = [one["theirs"] for one in listed if one["ours"] == "?"]
    if unknown:
        remarks.append(f"It is not known which sites {', '.join(map(repr, unknown))} are; complete the code list.")
    return best, {"column": best.name, "codes": "sites"}, {"sites": listed}


def _nearest(word: str, known: Collection[str]) -> str | None:
    by_name = {_plain(name): name for name in known}
    plain = _plain(word)
    if plain in by_name:
        return by_name[plain]
    # The same words in another order come before words that look alike.
    same = [name for name in by_name if sorted(name.split()) == sorted(plain.split())]
    parts = [name for name in by_name if set(plain.split()) & set(name.split())]
    found = same or difflib.get_close_matches(plain, by_name, n=1, cutoff=0.75) or (parts if len(parts) == 1 else [])
    return by_name[found[0]] if found else None


def _matches(column: _Column, measures: Collection[str]) -> bool:
    """Whether a column names measures: at least half of its words are ones that are known."""
    return bool(column.words) and 2 * sum(_nearest(word, measures) is not None for word in column.words) >= len(column.words)


def _decimal(column: _Column) -> dict[str, str]:
    texts = [cell for cell in column.cells if isinstance(cell, str)]
    has_comma = any(re.search(r",\d{1,2}\s*%?$", text.strip()) or re.search(r",\d{4,}", text) for text in texts)
    return {"decimal": ","} if has_comma else {}


def _measures(numbers: Sequence[_Column], measures: Collection[str], remarks: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column in numbers:
        ours = _nearest(column.name, [name for name in measures if name not in found])
        if ours is None:
            remarks.append(f"`{column.name}` holds numbers, and no measure is called so. Map it, or leave it out.")
            continue
        found[ours] = {"column": column.name} | _decimal(column)
        if any(isinstance(cell, str) and cell.strip().endswith("%") for cell in column.cells):
            remarks.append(f"`{column.name}` holds percentages, which are no counts: `{ours}` has to be a measure that is `given`.")
    if not found:
        remarks.append("No column of numbers is called like a measure of the contracts.")
        found["?"] = {"column": numbers[0].name if numbers else "?"}
    return found


def _events(columns: Sequence[_Column], numbers: Sequence[_Column], measures: Collection[str], remarks: list[str]) -> dict[str, Any]:
    keys = [column for column in columns if len({str(cell) for cell in column.cells}) == len(column.cells) > 1]
    named = [column for column in keys if any(word in f" {column.label} ".split() for word in _EVENT_WORDS)]
    key = next(iter([*named, *keys]), None)
    if key is None:
        remarks.append("No column tells one event from another. Name one as `key`, or events that come twice are counted twice.")
    counts: dict[str, Any] = {}
    for column in numbers:
        ours = _nearest(column.name, measures)
        if ours is not None and column is not key:
            counts[ours] = {"sum": {"column": column.name} | _decimal(column)}
    remarks.append("Say under `counts` which measures are counts of events, and on which conditions.")
    return {"key": key.name if key is not None else "?", "counts": counts or {"?": {}}}
