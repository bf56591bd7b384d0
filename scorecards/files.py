"""The files of the ``score`` command: rows of data, relief, opening facts, each read with every refused row named.

A refused row never takes a good one with it.  Columns beyond the known ones are dimensions, and must be declared by
the contract; an empty value is *missing*, which is neither zero nor absent.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import cast, get_args

from contracts.document import Contract, Example, Measure
from contracts.errors import DocumentRefused, Finding, Where
from contracts.period import (
    COUNTED_YEARS,
    GRAIN_UNITS,
    Grain,
    Period,
    grain_period,
    is_counted,
    is_part,
    period_containing,
    period_of_row,
)
from scorecards.evaluating import Planned
from scorecards.events import Event
from scorecards.measurement import Fact, NoFigure, Opening, Relief, ReliefEffect, Row, Scope, figure_of
from scorecards.measuring import zones_of
from scorecards.pricing.claims import Claim
from scorecards.scoring import eased_by

_ROW_COLUMNS = ("site", "measure", "grain", "value")
_ROW_HEADING = ("site", "measure", "starts_on", "grain", "value")
_ROW_OPTIONAL = ("starts_on", "starts_at", "known_at", "n")
_EVENT_COLUMNS = ("event_id", "site", "kind", "started_at", "ended_at", "value")
_RELIEF_COLUMNS = ("site", "kpi", "from", "until", "effect", "share", "cause")
_OPENING_COLUMNS = ("starts_on", "site", "kpi", "fact", "value")

_TRUE = frozenset({"true", "yes", "1", "met"})
_FALSE = frozenset({"false", "no", "0", "missed"})
_NOT_FINITE = frozenset({"nan", "snan", "inf", "infinity"})
_SHOWN = 40
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Read:
    """Rows that can be used, and a finding for each that cannot."""

    rows: list[Row] = field(default_factory=list)
    refused: list[Finding] = field(default_factory=list)


class _Bad(ValueError):  # noqa: N818 - never leaves this module
    """One cell cannot be used: its column, what is wrong, how to repair it."""

    def __init__(self, column: str, message: str, repair: str) -> None:
        super().__init__(message)
        self.column, self.message, self.repair = column, message, repair


def _lines(text: str) -> Iterator[tuple[int, dict[str, str], _Bad | None]]:
    """The lines below the heading, with what is wrong with a line as a whole."""
    reader = csv.reader(io.StringIO(text))
    heading = [name.strip() for name in next(reader, [])]
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as problem:
            yield reader.line_num, {}, _Bad("", f"the line cannot be split into columns: {problem}", "Save it anew as CSV.")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        record = dict.fromkeys(heading, "") | {name: cell.strip() for name, cell in zip(heading, cells, strict=False)}
        bad = None
        if len(cells) > len(heading):
            repair = "Put a value that holds a comma between quotation marks."
            bad = _Bad(heading[-1], f"the line has {len(cells)} cells under {len(heading)} columns", repair)
        yield reader.line_num, record, bad


def _table(data: bytes, required: Sequence[str], name: str, *, usual: Sequence[str] = ()) -> str:
    """The text of a file whose first line names the columns needed; `usual` is the heading to show where more may stand in it.

    Raises DocumentRefused where nothing below the heading could be understood: one finding that says why.
    """
    repair = f"Save it as CSV UTF-8 whose first line names the columns: {', '.join(usual or required)}."

    def refuse(message: str, *, line: int = 1, value: str = "") -> DocumentRefused:
        return DocumentRefused([Finding("error", Where(line=line, value=value[:80], name=name), message, repair)], name=name)

    if not data.removeprefix(codecs.BOM_UTF8).strip():
        raise refuse("the file is empty")
    if data.startswith(b"PK\x03\x04"):
        raise refuse("the file is a workbook or an archive, not text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise refuse("the file is not UTF-8", line=data[: problem.start].count(b"\n") + 1) from None
    if text.lstrip().startswith("<"):
        raise refuse("the file is a web page or XML, not a table", value=text.lstrip().splitlines()[0])
    try:
        have = [column.strip() for column in next(csv.reader(io.StringIO(text)), [])]
    except csv.Error as problem:
        raise refuse(f"the first line cannot be split into columns: {problem}") from None
    missing = [column for column in required if column not in have]
    if "grain" in required and not {"starts_on", "starts_at"} & set(have):
        missing.append("starts_on")
    if missing:
        raise refuse(f"{_columns(missing)} {'is' if len(missing) == 1 else 'are'} missing", value=", ".join(have))
    twice = [column for column in dict.fromkeys(have) if column and have.count(column) > 1]
    if twice:
        raise refuse(f"{_columns(twice)} {'stands' if len(twice) == 1 else 'stand'} twice", value=", ".join(have))
    return text


def _columns(names: Sequence[str]) -> str:
    return f"the column{'s' if len(names) > 1 else ''} {', '.join(map(repr, names))}"


def _near(on: date, text: str, column: str) -> None:
    """A year typed wrong must not stretch the contract's periods over centuries, nor past the last year that can be counted."""
    if not is_counted(on):
        message = f"{text} lies outside the years {COUNTED_YEARS[0]} to {COUNTED_YEARS[-1]}"
        raise _Bad(column, message, "Correct the year.")


def _day(text: str, column: str) -> date:
    try:
        on = date.fromisoformat(text)
    except ValueError:
        raise _Bad(column, f"{text!r} is not a day", "Write it as 2026-03-01.") from None
    _near(on, text, column)
    return on


def _number(text: str, column: str) -> Decimal:
    try:
        return figure_of(text)
    except NoFigure as no:
        shown = repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
        if no.is_number:
            message = f"{shown} is too large or too small to be counted with"
            repair = "Correct it, or leave the cell empty when the value is missing."
        elif text.lstrip("+-").lower() in _NOT_FINITE:
            message, repair = f"{shown} is not a number", "Leave the cell empty when the value is missing."
        else:
            repair = "Write a number in the digits 0 to 9 with a point, without thousands separators or a percent sign."
            message = f"{shown} is not a number"
        raise _Bad(column, message, repair) from None


def _moment(text: str, column: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _Bad(column, f"{text!r} is not a moment", "Write it as 2026-03-01T08:00:00+01:00.") from None
    if moment.tzinfo is None:
        raise _Bad(column, f"{text!r} has no offset from UTC", "Write it as 2026-03-01T08:00:00+01:00.")
    _near(moment.date(), text, column)
    return moment


def _dimensions(record: Mapping[str, str], known: Sequence[str], contract: Contract) -> Scope:
    own = []
    for column, value in record.items():
        if column in known or not value:
            continue
        if column not in contract.dimensions:
            declared = ", ".join(contract.dimensions) or "none"
            raise _Bad(
                column,
                f"the contract declares no dimension {column!r} (declared: {declared})",
                "Declare it under dimensions, or drop the column.",
            )
        if column == "workstream":
            _check_workstream(value, record.get("site", ""), contract)
        own.append((column, value))
    return tuple(sorted(own))


def _check_workstream(stream: str, site: str, contract: Contract) -> None:
    """A scope of work that names what a site does speaks of nothing else there: a slip in the word would be a second place, and cost money.

    An entry that names no workstream takes any.
    """
    named = [work.workstream for work in contract.scope if not site or work.site == site]
    known = list(dict.fromkeys(one for one in named if one is not None))
    if None in named or not known or stream in known:
        return
    close = difflib.get_close_matches(stream, known, 1)
    meant = f"; did you mean {close[0]!r}" if close else ""
    raise _Bad(
        "workstream",
        f"the scope of {site or 'the contract'} has no workstream {stream!r}{meant}",
        f"Use one of its scope ({', '.join(known)}), or add it there.",
    )


def read_rows(data: bytes, contract: Contract, planned: Callable[[date], Sequence[Planned]], *, name: str = "") -> Read:
    """The rows of a data file.

    ``planned`` gives the contract's periods up to a day, for the check that a row lies inside one of them.  A second
    row with the same key is a correction if it became known later, and is refused otherwise.  Like every reader below it
    raises DocumentRefused where the file is no such table at all.
    """
    text = _table(data, _ROW_COLUMNS, name, usual=_ROW_HEADING)
    known = (*_ROW_COLUMNS, *_ROW_OPTIONAL)
    kept: dict[tuple[object, ...], tuple[datetime | None, Row, int]] = {}
    read = Read()
    checked = _PeriodCheck(contract, planned)
    for line, record, bad_line in _lines(text):
        try:
            if bad_line is not None:
                raise bad_line
            row, known_at = _row(record, contract, known, checked)
        except _Bad as bad:
            read.refused.append(_finding(bad, line, record, name))
            continue
        key = (row.site, row.measure, row.dimensions, row.starts_on, row.grain, row.part)
        earlier = kept.get(key)
        if earlier is not None:
            if known_at == earlier[0] or known_at is None or earlier[0] is None:
                twice = _Bad(
                    "measure",
                    f"line {earlier[2]} already gives {row.measure} of {row.site or 'the contract'} for {row.starts_on}",
                    "Keep one of them, or give both a known_at: the later one is then a correction.",
                )
                read.refused.append(_finding(twice, line, record, name))
                continue
            if known_at < earlier[0]:
                continue
        kept[key] = (known_at, row, line)
    read.refused += _larger_than_their_whole(kept, contract, name)
    read.rows = [row for _, row, _ in kept.values()]
    return read


def _larger_than_their_whole(
    kept: dict[tuple[object, ...], tuple[datetime | None, Row, int]], contract: Contract, name: str
) -> list[Finding]:
    """Takes out the rows of a part that is larger than the whole of the same span, and says so.

    Which of the two is wrong is unknown; the part is the one that is not believed, because a whole without a part is left
    out of both, and other parts of the same whole may be right.
    """
    found: dict[tuple[object, ...], Finding] = {}
    for key, (_, row, line) in kept.items():
        whole_name = contract.measures[row.measure].part_of
        if whole_name is None or row.value is None:
            continue
        whole = kept.get((row.site, whole_name, *key[2:]))
        if whole is None or whole[1].value is None or row.value <= whole[1].value:
            continue
        found[key] = Finding(
            "error",
            Where(path="$.value", line=line, value=f"{row.value:f}", name=name),
            f"{row.measure} is {row.value:f}, more than the {whole[1].value:f} of {whole_name} (line {whole[2]}) that it is part of",
            "Correct one of the two; until then the span has no part and is left out.",
        )
    for key in found:
        del kept[key]
    return list(found.values())


def _finding(bad: _Bad, line: int, record: Mapping[str, str], name: str) -> Finding:
    where = Where(path=f"$.{bad.column}", line=line, value=record.get(bad.column, "")[:80], name=name)
    return Finding("error", where, bad.message, bad.repair)


class _PeriodCheck:
    """Whether a row lies inside one period of the contract; answers are kept, for files repeat the same days."""

    def __init__(self, contract: Contract, planned: Callable[[date], Sequence[Planned]]) -> None:
        self.contract, self.planned = contract, planned
        self.zone_of = zones_of(contract)
        cadence = contract.measured
        self.unit, self.anchor = cadence.each, cadence.anchor
        self._spans: dict[tuple[date, str], Period] = {}

    def span(self, starts_on: date, grain: Grain) -> Period:
        """The row's span in days; raises where the contract has no one period for it."""
        key = (starts_on, grain)
        if key not in self._spans:
            self._spans[key] = self._span(starts_on, grain)
        return self._spans[key]

    def _span(self, starts_on: date, grain: Grain) -> Period:
        span = grain_period(grain, starts_on, anchor=self.anchor if GRAIN_UNITS.get(grain) == self.unit else None)
        periods = [one.period for one in self.planned(starts_on + timedelta(days=1)) if starts_on in one.period]
        if not periods:
            held = self.contract.in_force
            until = f" until {held.until}" if held.until else ""
            raise _Bad(
                "starts_on",
                f"{starts_on} lies outside the contract's periods (in force from {held.from_}{until})",
                "Leave the row out, or correct the day.",
            )
        period = periods[-1]
        whole = period_containing(self.unit, self.anchor, starts_on)
        if not period.covers(span) and not (is_part(self.unit, self.anchor, period) and span == whole):
            raise _Bad(
                "grain",
                f"the {grain} from {starts_on} reaches over the end of the period {period}",
                "Deliver it by day, or cut it where the period ends.",
            )
        return span


def may_be_negative(measure: Measure) -> bool:
    """Whether a value of it below zero can be believed; a charge may be a credit note, a reported result a change."""
    return measure.money or measure.given or measure.may_be_negative


def _check_site(record: Mapping[str, str], contract: Contract) -> None:
    """A contract that lists its scope of work speaks of those sites and of itself (no site), and of no other."""
    known = dict.fromkeys(work.site for work in contract.scope)
    site = record.get("site", "")
    if known and site and site not in known:
        raise _Bad("site", f"the contract has no site {site!r}", f"Use one of its scope ({', '.join(known)}), or add it there.")


def _row(
    record: Mapping[str, str], contract: Contract, known: Sequence[str], periods: _PeriodCheck
) -> tuple[Row, datetime | None]:
    measure = record["measure"]
    counted = contract.measures.get(measure)
    if counted is not None and counted.events is not None:
        raise _Bad("measure", f"{measure} is counted from single events", "Deliver the events, or drop events under the measure.")
    if counted is not None and counted.time is not None:
        raise _Bad("measure", f"{measure} is the time of the period", "Leave the row out, or drop time under the measure.")
    if measure not in contract.measures:
        declared = ", ".join(sorted(contract.measures)) or "none"
        raise _Bad(
            "measure", f"the contract declares no measure {measure!r}", f"Use a declared one ({declared}), or declare it."
        )
    grain = record["grain"]
    if grain not in get_args(Grain):
        raise _Bad("grain", f"{grain!r} is no grain", f"Use one of {', '.join(get_args(Grain))}.")
    _check_site(record, contract)
    dimensions = _dimensions(record, known, contract)
    value = _number(record["value"], "value") if record["value"] else None
    if value is not None and value < 0 and not may_be_negative(contract.measures[measure]):
        raise _Bad("value", f"{measure} is {value}, and a count cannot be less than nothing",
                   f"Correct it, or write may_be_negative: true under measures.{measure}.")
    n = _number(record["n"], "n") if record.get("n") else None
    if n is not None and n < 0:
        raise _Bad("n", f"a result cannot rest on {n} cases", "Write how many cases there were, or leave n empty.")
    known_at = _moment(record["known_at"], "known_at") if record.get("known_at") else None
    part = ""
    if grain in GRAIN_UNITS:
        starts_on = _day(record.get("starts_on", ""), "starts_on")
        span = periods.span(starts_on, grain)
        until_on = span.until_on
    else:
        if not record.get("starts_at"):
            raise _Bad("starts_at", f"a row of {grain} needs the moment it starts", "Write starts_at with its offset.")
        starts_at = _moment(record["starts_at"], "starts_at")
        zone = periods.zone_of(measure, record["site"])
        if period_of_row(cast("Grain", grain), starts_at, periods.unit, periods.anchor, zone) is None:
            raise _Bad("starts_at", f"the {grain} from {starts_at} reaches over the end of a period", "Cut it there.")
        starts_on = starts_at.astimezone(zone).date()
        periods.span(starts_on, "day")
        until_on, part = starts_on + timedelta(days=1), starts_at.astimezone(UTC).isoformat()
    return Row(record["site"], measure, dimensions, starts_on, until_on, grain, value, n, part), known_at


def read_relief(data: bytes, contract: Contract, *, name: str = "") -> tuple[list[Relief], list[Finding]]:
    """The claims of a relief file; every row is an approved one."""
    text = _table(data, ("from", "until"), name)
    refused: list[Finding] = []
    claims: list[Relief] = []
    for line, record, bad_line in _lines(text):
        try:
            if bad_line is not None:
                raise bad_line
            claims.append(_relief(record, contract))
        except _Bad as bad:
            refused.append(_finding(bad, line, record, name))
    return claims, refused


def _relief(record: Mapping[str, str], contract: Contract) -> Relief:
    effect = record.get("effect") or "drop_span"
    if effect not in get_args(ReliefEffect):
        raise _Bad("effect", f"{effect!r} is no effect of relief", f"Use one of {', '.join(get_args(ReliefEffect))}.")
    from_on, until_on = _day(record["from"], "from"), _day(record["until"], "until")
    if until_on <= from_on:
        raise _Bad("until", f"the span ends on {until_on}, not after it begins", "until is the first day after.")
    _check_site(record, contract)
    kpi = record.get("kpi") or None
    if kpi is not None and kpi not in contract.kpis:
        raise _Bad("kpi", f"the contract has no KPI {kpi!r}", f"Use one of {', '.join(contract.kpis)}, or leave it empty.")
    if record.get("share") and _number(record["share"], "share") != 100:
        raise _Bad("share", "relief in part of a span is not judged", "Split the span, or claim all of it.")
    claim = Relief(
        from_on,
        until_on,
        cast("ReliefEffect", effect),
        kpi,
        record.get("site") or None,
        _dimensions(record, _RELIEF_COLUMNS, contract),
        record.get("cause", ""),
    )
    if claim.effect == "lower_target" and eased_by(contract, claim) is None:
        causes = [one.cause for one in contract.relief if one.effect == "lower_target"]
        repair = f"Name one of {', '.join(causes)} in the column cause." if causes else "Write the eased levels under relief."
        raise _Bad("cause", f"the contract does not say what a target is lowered to for the cause {claim.cause!r}", repair)
    return claim


def read_opening(data: bytes, contract: Contract, *, name: str = "") -> tuple[list[Opening], list[Finding]]:
    """The facts of an opening file: earlier results known only as results."""
    text = _table(data, ("starts_on", "fact", "value"), name)
    refused: list[Finding] = []
    facts: list[Opening] = []
    for line, record, bad_line in _lines(text):
        try:
            if bad_line is not None:
                raise bad_line
            facts.append(_opening(record, contract))
        except _Bad as bad:
            refused.append(_finding(bad, line, record, name))
    return facts, refused


def _opening(record: Mapping[str, str], contract: Contract) -> Opening:
    fact = record["fact"]
    if fact not in get_args(Fact):
        raise _Bad("fact", f"{fact!r} is no fact", f"Use one of {', '.join(get_args(Fact))}.")
    if fact in ("value", "points", "credit", "paid", "charge", "failures"):
        _number(record["value"], "value")
    if fact == "met" and record["value"].strip().lower() not in _TRUE | _FALSE:
        raise _Bad("value", f"{record['value']!r} says neither met nor missed", "Write true or false.")
    _check_site(record, contract)
    kpi = record.get("kpi") or None
    if kpi is not None and kpi not in contract.kpis:
        raise _Bad("kpi", f"the contract has no KPI {kpi!r}", f"Use one of {', '.join(contract.kpis)}, or leave it empty.")
    return Opening(
        _day(record["starts_on"], "starts_on"),
        cast("Fact", fact),
        record["value"],
        record.get("site") or None,
        kpi,
        _dimensions(record, _OPENING_COLUMNS, contract),
    )


def read_events(data: bytes, contract: Contract, *, name: str = "") -> tuple[list[Event], list[Finding]]:
    """The single events of an event file.  A second row with the same number and kind at one site is refused."""
    text = _table(data, ("event_id", "site", "kind", "started_at"), name)
    refused: list[Finding] = []
    kept: dict[tuple[str, str, str, datetime | None], Event] = {}
    stopping = {kind for one in contract.measures.values() if one.events is not None for kind in one.events.pauses}
    for line, record, bad_line in _lines(text):
        try:
            if bad_line is not None:
                raise bad_line
            event = _event(record, contract)
            # One event waits as often as it must, so its pauses are told apart by when they begin.
            at = event.started_at if event.kind in stopping else None
            key = (event.event_id, event.site, event.kind, at)
            if key in kept:
                raise _Bad("event_id", f"the event {event.event_id!r} stands twice", "Keep one row for each event.")
        except _Bad as bad:
            refused.append(_finding(bad, line, record, name))
            continue
        kept[key] = event
    return list(kept.values()), refused


def _event(record: Mapping[str, str], contract: Contract) -> Event:
    declared = [one.events for one in contract.measures.values() if one.events is not None]
    kinds = sorted({kind for one in declared for kind in (one.kind, *one.pauses)})
    if record["kind"] not in kinds:
        wanted = ", ".join(kinds) or "none"
        raise _Bad("kind", f"no measure of the contract counts events of the kind {record['kind']!r}", f"Use one it counts ({wanted}).")
    _check_site(record, contract)
    if not record["event_id"]:
        raise _Bad("event_id", "the event has no number", "Number each event, so that it can be found again.")
    started_at = _moment(record["started_at"], "started_at")
    ended_at = _moment(record["ended_at"], "ended_at") if record.get("ended_at") else None
    if ended_at is not None and ended_at < started_at:
        raise _Bad("ended_at", f"the event ends at {ended_at}, before it begins", "Correct one of the two moments.")
    value = _number(record["value"], "value") if record.get("value") else None
    if value is not None and value < 0:
        for name, one in contract.measures.items():
            how = one.events
            if how is not None and how.kind == record["kind"] and (how.take == "value" or how.value_percent) and not may_be_negative(one):
                raise _Bad("value", f"the value is {value}, and {name} cannot be less than nothing",
                           f"Correct it, or write may_be_negative: true under measures.{name}.")
    own = _dimensions(record, _EVENT_COLUMNS, contract)
    return Event(record["event_id"], record["site"], record["kind"], started_at, ended_at, value, own)


def read_claims(data: bytes, contract: Contract, *, name: str = "") -> tuple[list[Claim], list[Finding]]:
    """The claims of a claims file: which credits the customer asked for, or chose among several."""
    text = _table(data, ("starts_on", "kpi"), name)
    refused: list[Finding] = []
    claims: list[Claim] = []
    for line, record, bad_line in _lines(text):
        try:
            if bad_line is not None:
                raise bad_line
            claims.append(_claim(record, contract))
        except _Bad as bad:
            refused.append(_finding(bad, line, record, name))
    return claims, refused


def _claim(record: Mapping[str, str], contract: Contract) -> Claim:
    known = {*contract.kpis, *(rule.name for rule in contract.money.credits if rule.name)}
    if record["kpi"] not in known:
        raise _Bad("kpi", f"the contract has no KPI and no credit {record['kpi']!r}", f"Use one of {', '.join(sorted(known))}.")
    claimed_on = _day(record["claimed_on"], "claimed_on") if record.get("claimed_on") else None
    starts_on = _day(record["starts_on"], "starts_on")
    return Claim(starts_on, record["kpi"], record.get("site") or None, record.get("event_id") or None, claimed_on)


def claims_of_example(example: Example) -> list[Claim] | None:
    """The claims that an example starts from; ``None`` where it says nothing of claims."""
    if example.given.claims is None:
        return None
    return [Claim(one.starts_on, one.kpi, one.site, one.event_id, one.claimed_on) for one in example.given.claims]


def events_of_example(example: Example) -> list[Event]:
    """The single events that an example starts from."""
    return [
        Event(
            one.event_id, one.site, one.kind, one.started_at, one.ended_at, one.value,
            tuple(sorted((name, value) for name, value in one.dimensions.items() if value)),
        )
        for one in example.given.events
    ]


def rows_of_example(example: Example, contract: Contract) -> tuple[list[Row], list[Relief], list[Opening]]:
    """What an example starts from, as the values that judging takes."""
    zone_of = zones_of(contract)
    cadence = contract.measured
    anchor = cadence.anchor
    latest: dict[tuple[object, ...], tuple[datetime | None, Row]] = {}
    for one in example.given.data:
        on = one.starts_on if one.starts_on is not None else (one.starts_at or _NEVER).astimezone(zone_of(one.measure, one.site)).date()
        own = tuple(sorted((name, value) for name, value in one.dimensions.items() if value))
        until = on + timedelta(days=1)
        if one.grain in GRAIN_UNITS:
            until = grain_period(one.grain, on, anchor=anchor if GRAIN_UNITS[one.grain] == cadence.each else None).until_on
        part = "" if one.starts_at is None else one.starts_at.astimezone(UTC).isoformat()
        row = Row(one.site, one.measure, own, on, until, one.grain, one.value, one.n, part)
        key = (row.site, row.measure, own, on, one.grain, part)
        before = latest.get(key)
        if before is None or (one.known_at is not None and (before[0] is None or one.known_at > before[0])):
            latest[key] = (one.known_at, row)
    rows = [row for _, row in latest.values()]
    relief = [
        Relief(one.from_, one.until, one.effect, one.kpi, one.site, tuple(sorted(one.dimensions.items())), one.cause)
        for one in example.given.relief
    ]
    opening = [
        Opening(one.starts_on, one.fact, one.value, one.site, one.kpi, tuple(sorted(one.dimensions.items())))
        for one in example.given.opening
    ]
    return rows, relief, opening
