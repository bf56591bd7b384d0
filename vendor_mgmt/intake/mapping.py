"""Rows of a source → measurements to stage, and the rows that cannot be believed, each with its reason.

Pure: what is known (sites, measures, today) is handed in, and nothing is stored here. A mapper remembers what a combination of site,
dimensions and measure means, because a source says the same few words a hundred thousand times; its memory is bounded.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from contracts.period import zone_named
from scorecards.measurement import TOO_LARGE, NoFigure, figure_of
from scorecards.series import GRAINS, SeriesKey, canonical
from vendor_mgmt.intake.source import Cell, Check, Code, Day, Events, Moment, Number, Source, Then, Where


class KnownSite(msgspec.Struct, frozen=True, kw_only=True):
    """A site rows may speak of. `today` is the date on its clocks at the moment of the pull."""

    id: int
    today: date


class KnownMeasure(msgspec.Struct, frozen=True, kw_only=True):
    """A measure rows may speak of, as the contracts declare it."""

    part_of: str | None = None
    is_money: bool = False
    is_given: bool = False
    """A reported result, such as a percentage of which no counts are known."""
    may_be_negative: bool = False


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What rows are judged against."""

    sites: dict[str, KnownSite]
    measures: dict[str, KnownMeasure]


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A row, or one measurement of a row, that is not believed. `row_number` counts from 1 within the pull; `raw_row` holds kept columns
    only.
    """

    row_number: int
    check: str
    reason: str
    starts_on: date | None = None
    raw_row: dict[str, Any] = {}


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """A row that goes in with a remark."""

    row_number: int
    check: str
    reason: str


class Mapped(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a page. `staged` pairs a position in `Mapper.series` with the rest of the line that `COPY` reads."""

    staged: list[tuple[int, str]]
    refused: list[Refusal]
    flagged: list[Flag]


class Stopped(Exception):  # noqa: N818 - an outcome the source's document asked for, not an error
    """A check that says `then: stop` has found something; nothing of the pull is stored."""

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(reason)
        self.check = check
        self.reason = reason


class _Absent:
    """Stands in a row where the source sent no such column; not the same as an empty one."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT: Final = _Absent()


class BrokenRow(msgspec.Struct, frozen=True):
    """Stands for a row that is no row at all. `reason` does not quote it; `content` is what came in its place, if it may be kept: what
    cannot be split into columns may hold anything, and a source that names people says `broken: forget`.
    """

    reason: str
    content: Any = ABSENT

    @property
    def raw_row(self) -> dict[str, Any]:
        if isinstance(self.content, dict):
            return self.content  # Columns that may be kept, as far as a line had them.
        return {} if self.content is ABSENT else {NOT_A_ROW: _shortened(self.content)}


NOT_A_ROW: Final = "(not a row)"
"""Under what name the content of a row stands that has no columns."""

_CONTENT_MAX = 10_000


def _shortened(content: Any) -> Any:
    """The content, or so much of its text as a person can use."""
    text = content if isinstance(content, str) else msgspec.json.encode(content, enc_hook=str).decode()
    return content if len(text) <= _CONTENT_MAX else f"{text[:_CONTENT_MAX]}…"


IN_ROWS: Final = frozenset(
    {"not_a_row", "missing_column", "missing_key", "bad_word", "bad_date", "bad_value"}
    | {"unknown_site", "unknown_measure", "unknown_code", "unknown_grain"}
)
"""What is found when a row cannot be read, whatever the checks of its source say."""


class _RefusedCell(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, check: str, reason: str) -> None:
        super().__init__(reason)
        self.check = check
        self.reason = reason


class _Place(msgspec.Struct, frozen=True):
    """What the words of a row mean: which series its values belong to, at which grain, and how they are checked."""

    today: str
    grain: int
    targets: tuple[_Target, ...]


class _Target(msgspec.Struct, frozen=True):
    series: int
    column: int
    n_column: int | None
    number: Number
    checks: tuple[Check, ...]
    is_count: bool
    """Neither an amount nor a reported result, so that a percentage cannot be meant."""
    is_plain: bool
    """Nothing is to be done to a value but to keep it from being negative."""


class _Span(msgspec.Struct, frozen=True):
    text: str
    """`starts_on` and `starts_at` as `COPY` reads them."""
    starts_on: str


_MEMORY = 50_000
_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_GROUPING = str.maketrans("", "", "\u00a0\u202f\u2009 '’")
_LONGEST = 120


class Mapper:
    """Maps the rows of one pull. `series` grows with every series that is met for the first time."""

    def __init__(self, source: Source, known: Known) -> None:
        self.source = source
        self.known = known
        self.columns = source.kept_columns
        unpivot = source.mapping.unpivot
        # Behind the columns that are kept stand those that `unpivot` makes.
        columns = self.columns if unpivot is None else (*self.columns, unpivot.heading, unpivot.value)
        self.series: list[SeriesKey] = []
        self._positions: dict[SeriesKey, int] = {}
        self._places: dict[Any, _Place | _RefusedCell] = {}
        self._spans: dict[Any, _Span | _RefusedCell] = {}
        self._moments: dict[Any, str | _RefusedCell] = {}
        self._at = {name: position for position, name in enumerate(columns)}
        mapping = source.mapping
        self._across = None if unpivot is None else [(name, self._at[name]) for name in unpivot.columns]
        self.events = None if mapping.events is None else EventCounter(mapping.events, self._at)
        self._codes = {name: _by_their_name(codes) for name, codes in source.codes.items()}
        used = {cell.codes for cell in (mapping.site, *mapping.dimensions.values(), *filter(None, [mapping.measure])) if cell.codes}
        dated = any(code.from_ or code.until for name in used for code in source.codes[name])
        span_column = (mapping.span.starts_on or mapping.span.starts_at or mapping.span.day_of).column  # type: ignore[union-attr] # one is there
        self._span_column = None if span_column is None else self._at[span_column]
        grain = mapping.span.grain
        words = [
            mapping.site,
            *mapping.dimensions.values(),
            *filter(None, [mapping.measure]),
            *([grain] if isinstance(grain, Cell) else []),
        ]
        key_columns = [self._at[cell.column] for cell in words if cell.column is not None]
        if dated and self._span_column is not None:
            key_columns.append(self._span_column)
        self._key = _picker(key_columns)
        self._known_at_column = None if mapping.known_at is None else self._at[mapping.known_at.column]
        self._read_span: Callable[[Any], _Span] = (
            _day_reader(mapping.span.starts_on)
            if mapping.span.starts_on is not None
            else _day_of_reader(mapping.span.day_of)
            if mapping.span.day_of is not None
            else _moment_span_reader(mapping.span.starts_at)
        )
        self._read_known_at = None if mapping.known_at is None else _moment_reader(mapping.known_at)
        self._future = next((check.then for check in source.checks_in_force if check.check == "future"), None)

    def map(self, rows: Sequence[tuple[Any, ...] | BrokenRow], first_row: int, published_at: datetime | None = None) -> Mapped:
        """What the rows say. `first_row` is the number of the first of them, `published_at` when they were published, where they do not say
        it themselves. Raises `Stopped`.
        """
        published = "\\N" if published_at is None else published_at.isoformat()
        staged: list[tuple[int, str]] = []
        refused: list[Refusal] = []
        flagged: list[Flag] = []
        places, spans = self._places, self._spans
        pick, span_column, known_at_column = self._key, self._span_column, self._known_at_column
        if len(places) > _MEMORY:
            places.clear()
        if len(spans) > _MEMORY:
            spans.clear()
        for row_number, row in enumerate(rows, first_row) if self._across is None else self._unpivoted(rows, first_row):
            span: _Span | _RefusedCell | None = None
            try:
                if isinstance(row, BrokenRow):
                    raise _RefusedCell("not_a_row", row.reason)
                raw_span = None if span_column is None else row[span_column]
                try:
                    span = spans[raw_span]
                except (KeyError, TypeError):
                    span = self._span(raw_span)
                key = pick(row)
                try:
                    place = places[key]
                except (KeyError, TypeError):
                    place = self._place(key, row, span)
                if type(place) is _RefusedCell:
                    raise place.with_traceback(None)  # One instance serves many rows and must not collect their tracebacks.
                if type(span) is _RefusedCell:
                    raise span.with_traceback(None)
                if span.starts_on > place.today and self._future is not None:  # type: ignore[union-attr]
                    self._act(self._future, "future", _future(span, place), row_number, flagged)  # type: ignore[arg-type]
                reported_at = published if known_at_column is None else self._reported_at(row[known_at_column])
                if self.events is not None:
                    tail = f"{reported_at}\t{row_number}\t{self.events.key(row)}\n"
                    staged += [
                        (target.series, f"\t{place.grain}\t{span.text}\t{amount}\t{counted}\t{tail}")  # type: ignore[union-attr]
                        for target, amount, counted in self._counted(place, row, row_number, flagged)  # type: ignore[arg-type]
                    ]
                    continue
            except _RefusedCell as cell:
                refused.append(self._refusal(row_number, cell, row, span))
                continue
            cells: tuple[Any, ...] = row
            for target in place.targets:  # type: ignore[union-attr]
                value = cells[target.column]
                try:
                    if type(value) is int and target.is_plain and 0 <= value < TOO_LARGE:
                        text = str(value)
                    else:
                        text = self._value(value, target, row_number, flagged)
                    n = "\\N" if target.n_column is None else _number(cells[target.n_column], target.number, target.number.n or "") or "\\N"
                except _RefusedCell as cell:
                    refused.append(self._refusal(row_number, cell, row, span))
                    continue
                line = f"\t{place.grain}\t{span.text}\t{text}\t{n}\t{reported_at}\t{row_number}\n"  # type: ignore[union-attr]
                staged.append((target.series, line))
        return Mapped(staged=staged, refused=refused, flagged=flagged)

    def _counted(
        self, place: _Place, row: tuple[Any, ...], row_number: int, flagged: list[Flag]
    ) -> list[tuple[_Target, str, str]]:
        """What an event adds to each measure, checked. Raises `_RefusedCell`, `Stopped`."""
        assert self.events is not None
        found = []
        for target, (amount, counted), name in zip(place.targets, self.events.amounts(row), self.events.measures, strict=True):
            for check in target.checks if amount != "\\N" else ():
                if (reason := _breach(check, amount, name)) is not None:
                    self._act(check.then, check.check, reason, row_number, flagged)
            found.append((target, amount, counted))
        return found

    def _unpivoted(
        self, rows: Sequence[tuple[Any, ...] | BrokenRow], first_row: int
    ) -> Iterator[tuple[int, tuple[Any, ...] | BrokenRow]]:
        """Each row once for each of the columns that go across, with the heading and the cell behind it."""
        across = self._across or ()
        for row_number, row in enumerate(rows, first_row):
            if isinstance(row, BrokenRow):
                yield row_number, row
                continue
            for heading, position in across:
                if row[position] is not ABSENT:
                    yield row_number, (*row, heading, row[position])

    def _place(self, key: Any, row: tuple[Any, ...], span: _Span | _RefusedCell) -> _Place | _RefusedCell:
        try:
            place: _Place | _RefusedCell = self._read_place(row, span)
        except _RefusedCell as cell:
            place = cell
        # A list or an object may stand where a word should; then it is refused every time anew.
        with contextlib.suppress(TypeError):
            self._places[key] = place
        return place

    def _read_place(self, row: tuple[Any, ...], span: _Span | _RefusedCell) -> _Place:
        mapping = self.source.mapping
        starts_on = None if isinstance(span, _RefusedCell) else span.starts_on
        code = self._word(mapping.site, row, starts_on)
        site = self.known.sites.get(code)
        if site is None:
            raise _RefusedCell(
                "unknown_site", f"There is no site {_shown(code)} that this source may deliver for; add a code, or the site."
            )
        dimensions = {name: self._word(cell, row, starts_on) for name, cell in mapping.dimensions.items()}
        # An empty dimension means that the row is not split by it.
        dims_key = canonical({name: word for name, word in dimensions.items() if word})
        grain = mapping.span.grain
        if isinstance(grain, Cell):
            word = self._word(grain, row, starts_on)
            allowed = [name for name, number in GRAINS.items() if (number <= 3) == (mapping.span.starts_at is not None)]
            if word not in allowed:
                raise _RefusedCell("unknown_grain", f"{_shown(word)} is no grain of this source; it may be {', '.join(allowed)}.")
            grain_number = GRAINS[word]
        else:
            grain_number = GRAINS[grain]
        if self.events is not None:
            wanted = [(measure, _COUNTED) for measure in self.events.measures]
        elif mapping.measure is not None and mapping.value is not None:
            wanted = [(self._word(mapping.measure, row, starts_on), mapping.value)]
        else:
            wanted = list(mapping.measures.items())
        targets = tuple(self._target(site, measure, dims_key, number) for measure, number in wanted)
        return _Place(site.today.isoformat(), grain_number, targets)

    def _target(self, site: KnownSite, measure: str, dims_key: str, number: Number) -> _Target:
        known = self.known.measures.get(measure)
        if known is None:
            raise _RefusedCell(
                "unknown_measure", f"No contract of these sites declares a measure {_shown(measure)}; add a code, or declare it."
            )
        key = SeriesKey(site=site.id, measure=measure, dims_key=dims_key)
        position = self._positions.setdefault(key, len(self.series))
        if position == len(self.series):
            self.series.append(key)
        checks = tuple(
            check
            for check in self.source.checks_in_force
            if check.check in ("negative", "range", "whole")
            and (not check.measures or measure in check.measures)
            # A charge may be a credit note, and a deviation lie below zero.
            and not (check.check == "negative" and (known.is_money or known.may_be_negative) and not check.measures)
        )
        is_plain = number.scale == 1 and all(check.check in ("negative", "whole") for check in checks)
        n_column = None if number.n is None else self._at[number.n]
        column = 0 if self.events is not None else self._at[number.column]
        is_count = not known.is_money and not known.is_given
        return _Target(position, column, n_column, number, checks, is_count, is_plain)

    def _word(self, cell: Cell, row: tuple[Any, ...], starts_on: str | None) -> str:
        if cell.column is None:
            word = cell.constant or ""
        else:
            value = row[self._at[cell.column]]
            if value is ABSENT:
                raise _RefusedCell("missing_column", f"The row has no column `{cell.column}`.")
            if isinstance(value, bool | list | dict | tuple):
                raise _RefusedCell("bad_word", f"{_shown(value)} in `{cell.column}` is no word.")
            word = "" if value is None else str(value).strip()
            if any(ord(character) < 32 for character in word):
                raise _RefusedCell("bad_word", f"{_shown(word)} in `{cell.column}` has control characters.")
        if cell.codes is None:
            return word
        for code in self._codes[cell.codes].get(word, ()):
            if (code.from_ is None or (starts_on is not None and code.from_.isoformat() <= starts_on)) and (
                code.until is None or (starts_on is not None and starts_on < code.until.isoformat())
            ):
                return code.ours
        when = f" on {starts_on}" if word in self._codes[cell.codes] else ""
        raise _RefusedCell("unknown_code", f"The code list `{cell.codes}` does not translate {_shown(word)}{when}; add it there.")

    def _span(self, value: Any) -> _Span | _RefusedCell:
        try:
            span: _Span | _RefusedCell = self._read_span(value)
        except _RefusedCell as cell:
            span = cell
        with contextlib.suppress(TypeError):
            self._spans[value] = span
        return span

    def _reported_at(self, value: Any) -> str:
        if self._read_known_at is None or value is None or value == "":
            return "\\N"
        try:
            found = self._moments.get(value)
        except TypeError:
            raise _RefusedCell("bad_date", f"{_shown(value)} is no moment.") from None
        if found is None:
            if len(self._moments) > _MEMORY:
                self._moments.clear()
            found = self._moments[value] = self._read_known_at(value).isoformat()
        if isinstance(found, _RefusedCell):
            raise found
        return found

    def _value(self, value: Any, target: _Target, row_number: int, flagged: list[Flag]) -> str:
        """The value as `COPY` reads it. Raises `_RefusedCell`, `Stopped`."""
        text = _number(value, target.number, target.number.column)
        if text is None:
            return "\\N"
        if target.is_count and type(value) is str and value.rstrip().endswith("%"):
            raise _RefusedCell(
                "bad_value",
                f"{_shown(value)} in `{target.number.column}` is a percentage and no count; its measure would have to be `given`.",
            )
        for check in target.checks:
            reason = _breach(check, text, target.number.column)
            if reason is not None:
                self._act(check.then, check.check, reason, row_number, flagged)
        return text

    @staticmethod
    def _act(then: Then, check: str, reason: str, row_number: int, flagged: list[Flag]) -> None:
        if then == "refuse":
            raise _RefusedCell(check, reason)
        if then == "stop":
            raise Stopped(check, f"Row {row_number}: {reason}")
        flagged.append(Flag(row_number=row_number, check=check, reason=reason))

    def _refusal(self, row_number: int, cell: _RefusedCell, row: tuple[Any, ...] | BrokenRow, span: _Span | _RefusedCell | None) -> Refusal:
        return Refusal(
            row_number=row_number,
            check=cell.check,
            reason=cell.reason,
            starts_on=date.fromisoformat(span.starts_on) if isinstance(span, _Span) else None,
            raw_row=row.raw_row if isinstance(row, BrokenRow) else as_raw(self.columns, row),
        )


def as_raw(columns: Iterable[str], row: Sequence[Any]) -> dict[str, Any]:
    """A row as it is kept: its columns by name, without those the source did not send, and without those made by `unpivot`."""
    return {name: cell for name, cell in zip(columns, row, strict=False) if cell is not ABSENT}


_COUNTED: Final = Number(column="(counted)")


class EventCounter:
    """What one event adds to each measure that is counted."""

    def __init__(self, events: Events, at: Mapping[str, int]) -> None:
        self.measures = events.measures
        self._at = at
        self._key = at[events.key]
        self._key_name = events.key

    def key(self, row: tuple[Any, ...]) -> str:
        """What tells events apart, as a digest: nothing but its being the same matters. Raises `_RefusedCell`."""
        value = row[self._key]
        if value is ABSENT or value is None or isinstance(value, bool | list | dict) or not str(value).strip():
            raise _RefusedCell("missing_key", f"{_shown(value)} in `{self._key_name}` tells no event from another.")
        return hashlib.blake2b(str(value).strip().encode("utf-8", "replace"), digest_size=16).hexdigest()

    def amounts(self, row: tuple[Any, ...]) -> list[tuple[str, str]]:
        """For each measure the amount, and what is counted as distinct, as `COPY` reads them. An event that does not meet the conditions
        adds a zero, because it says that there was one that did not. Raises `_RefusedCell`.
        """
        self.key(row)
        found = []
        for counted in self.measures.values():
            is_met = all(self._is_met(where, row) for where in counted.where)
            if counted.distinct is not None:
                word = row[self._at[counted.distinct]]
                is_there = is_met and word is not ABSENT and word is not None and word != ""
                found.append(("0", hashlib.blake2b(str(word).encode(), digest_size=16).hexdigest() if is_there else "\\N"))
            elif not is_met:
                found.append(("0", "\\N"))
            elif counted.sum is not None:
                found.append((_number(row[self._at[counted.sum.column]], counted.sum, counted.sum.column) or "\\N", "\\N"))
            else:
                found.append(("1", "\\N"))
        return found

    def _is_met(self, where: Where, row: tuple[Any, ...]) -> bool:
        value = row[self._at[where.column]]
        if value is ABSENT:
            raise _RefusedCell("missing_column", f"The row has no column `{where.column}`.")
        if where.one_of:
            return str(value).strip().casefold() in {word.casefold() for word in where.one_of} if value is not None else False
        text = _number(value, Number(column=where.column), where.column)
        if text is None:
            return False
        number = Decimal(text)
        return (
            (where.at_least is None or number >= where.at_least)
            and (where.above is None or number > where.above)
            and (where.at_most is None or number <= where.at_most)
            and (where.below is None or number < where.below)
        )


def pseudonym(key: bytes, value: Any) -> str | None:
    """What stands for a person: the same for the same one under the same key, and good for nothing but being counted."""
    if value is None or value is ABSENT or not str(value).strip():
        return None
    return "p-" + hmac.digest(key, str(value).strip().casefold().encode("utf-8", "replace"), hashlib.sha256).hex()[:32]


def _by_their_name(codes: Iterable[Code]) -> dict[str, list[Code]]:
    in_order = sorted(codes, key=lambda code: code.theirs.strip())
    return {theirs: list(group) for theirs, group in itertools.groupby(in_order, key=lambda code: code.theirs.strip())}


def _picker(columns: Sequence[int]) -> Callable[[tuple[Any, ...]], Any]:
    """Takes the cells out of a row that decide what its words mean."""
    if not columns:
        return lambda _row: ()
    if len(columns) == 1:
        (column,) = columns
        return lambda row: (type(row[column]), row[column])
    if len(columns) == 2:
        first, second = columns
        return lambda row: (row[first], row[second])
    if len(columns) == 3:
        first, second, third = columns
        return lambda row: (row[first], row[second], row[third])
    return lambda row: tuple(row[column] for column in columns)


def _day_reader(day: Day) -> Callable[[Any], _Span]:
    def read(value: Any) -> _Span:
        if day.constant is not None:
            found = day.constant
        elif isinstance(value, datetime):
            found = value.date()
        elif isinstance(value, date):
            found = value
        elif value is ABSENT:
            raise _RefusedCell("missing_column", f"The row has no column `{day.column}`.")
        else:
            found = _date_from_text(value, day)
        return _Span(f"{found.isoformat()}\t\\N", found.isoformat())

    return read


def _day_of_reader(moment: Moment) -> Callable[[Any], _Span]:
    read_moment = _moment_reader(moment)
    zone = zone_named(moment.zone or "UTC")

    def read(value: Any) -> _Span:
        if value is ABSENT:
            raise _RefusedCell("missing_column", f"The row has no column `{moment.column}`.")
        found = read_moment(value).astimezone(zone).date().isoformat()
        return _Span(f"{found}\t\\N", found)

    return read


def _date_from_text(value: Any, day: Day) -> date:
    text = value.strip() if isinstance(value, str) else str(value) if type(value) is int and day.format else ""
    try:
        if day.format is not None:
            return datetime.strptime(text, day.format).date()  # noqa: DTZ007 - a date has no zone
        # Many systems send the midnight along with the date.
        return date.fromisoformat(text[:10]) if re.fullmatch(r"\d{4}-\d\d-\d\d(?:[T ]00:00(?::00(?:\.0+)?)?)?", text) else _no_date(text)
    except ValueError:
        wanted = f"written as {day.format}" if day.format else "such as 2026-03-31"
        raise _RefusedCell("bad_date", f"{_shown(value)} in `{day.column}` is no date {wanted}.") from None


def _no_date(text: str) -> date:
    raise ValueError(text)


def _moment_reader(moment: Moment) -> Callable[[Any], datetime]:
    zone: ZoneInfo | None = zone_named(moment.zone) if moment.zone else None

    def read(value: Any) -> datetime:
        try:
            if isinstance(value, datetime):
                found = value
            elif isinstance(value, str):
                text = value.strip()
                found = datetime.strptime(text, moment.format) if moment.format else datetime.fromisoformat(text)  # noqa: DTZ007 - see below
            else:
                raise ValueError(value)  # noqa: TRY004 - told like every other cell that is no moment
        except ValueError:
            wanted = f"written as {moment.format}" if moment.format else "such as 2026-03-31T15:45:00+02:00"
            raise _RefusedCell("bad_date", f"{_shown(value)} in `{moment.column}` is no moment {wanted}.") from None
        if found.tzinfo is None:
            if zone is None:
                raise _RefusedCell("bad_date", f"{_shown(value)} in `{moment.column}` has no offset, and the mapping names no zone.")
            found = found.replace(tzinfo=zone)
        return found

    return read


def _moment_span_reader(moment: Moment | None) -> Callable[[Any], _Span]:
    if moment is None:
        raise TypeError("a span begins on a day or at a moment")
    read_moment = _moment_reader(moment)

    def read(value: Any) -> _Span:
        if value is ABSENT:
            raise _RefusedCell("missing_column", f"The row has no column `{moment.column}`.")
        found = read_moment(value)
        return _Span(f"{found.date().isoformat()}\t{found.isoformat()}", found.date().isoformat())

    return read


def _number(value: Any, number: Number, column: str) -> str | None:
    """The number as plain text, exact; null if it is missing. Raises `_RefusedCell`."""
    if value is None:
        return None
    if type(value) is int or type(value) is Decimal:
        if (type(value) is Decimal and not value.is_finite()) or not -TOO_LARGE < value < TOO_LARGE:
            raise _RefusedCell("bad_value", f"{_shown(value)} in `{column}` is no number that can be counted with.")
        text = str(value)
    elif type(value) is str:
        text = value.strip()
        if not (text.isascii() and text.isdigit() and len(text) <= 30):
            if text in number.missing:
                return None
            text = _number_from_text(text, number, column)
    elif value is ABSENT:
        raise _RefusedCell("missing_column", f"The row has no column `{column}`.")
    else:
        raise _RefusedCell("bad_value", f"{_shown(value)} in `{column}` is no number.")
    if number.scale == 1 and type(value) is not Decimal:
        return text
    try:
        exact = Decimal(text) * number.scale
    except InvalidOperation:
        raise _RefusedCell("bad_value", f"{_shown(value)} in `{column}` is no number.") from None
    if not exact.is_finite() or exact.adjusted() > 30 or exact.adjusted() < -30:
        raise _RefusedCell("bad_value", f"{_shown(value)} in `{column}` is no number that can be counted with.")
    return format(exact, "f")


def _number_from_text(text: str, number: Number, column: str) -> str:
    plain = text.removesuffix("%").strip().translate(_GROUPING)
    if number.decimal == ",":
        plain = plain.replace(".", "").replace(",", ".") if _groups_right(plain, ".", ",") else plain.replace(",", ".", 1)
    elif _groups_right(plain, ",", "."):
        plain = plain.replace(",", "")
    if _INTEGER.fullmatch(plain):
        return str(int(plain))
    try:
        exact = figure_of(plain)
    except NoFigure as no:
        if no.is_number:
            raise _RefusedCell("bad_value", f"{_shown(text)} in `{column}` is no number that can be counted with.") from None
        missing = " Write it under `missing` if it means that there is no value." if text and not any(c.isdigit() for c in text) else ""
        raise _RefusedCell("bad_value", f"{_shown(text)} in `{column}` is no number.{missing}") from None
    return format(exact, "f")


def _groups_right(text: str, grouping: str, decimal: str) -> bool:
    """Whether `grouping` groups digits by three in front of the decimal sign, as in 1,234,567.8; else it means something else."""
    return re.fullmatch(rf"[+-]?\d{{1,3}}(?:{re.escape(grouping)}\d{{3}})+(?:{re.escape(decimal)}\d*)?", text) is not None


def _breach(check: Check, text: str, column: str) -> str | None:
    """What is wrong with a value, if this check finds anything."""
    match check.check:
        case "negative":
            return f"{text} in `{column}` is negative." if text.startswith("-") and Decimal(text) < 0 else None
        case "whole":
            return f"{text} in `{column}` is not a whole number." if Decimal(text) % 1 else None
        case "range":
            value = Decimal(text)
            if check.at_least is not None and value < check.at_least:
                return f"{text} in `{column}` is below {check.at_least}."
            if check.at_most is not None and value > check.at_most:
                return f"{text} in `{column}` is above {check.at_most}."
    return None


def _future(span: _Span, place: _Place) -> str:
    return f"The span begins on {span.starts_on}, and at the site it is {place.today}."


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
