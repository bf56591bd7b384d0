"""Values that cannot be, whatever the rest of the contract says: numbers out of range, empty names, doubled entries, codes that are none.

`NUMBERS` has a line for every numeric field of the document, and a test holds that none is missing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from datetime import time
from decimal import Decimal
from typing import Any

import msgspec

from contracts import document as d
from contracts.curve import Allowance, Corner, Curve, Each, Slice, Step
from contracts.errors import Finding, below
from contracts.holes import HOLE, own_type
from contracts.period import UnknownTimeZone, zone_named
from contracts.questions import Place, Questions
from contracts.shape import record_of

VALUES = Questions()
ASIDE = Questions()
"""Asked at the end: an entry that stands twice, or has a name it should not have, can still be referred to."""


class Range(msgspec.Struct, frozen=True):
    """The numbers that a field may hold. `what` says what a number outside cannot be: *a weight*."""

    what: str
    least: int | None = None
    """The smallest number inside."""
    above: int | None = None
    """The largest number outside, below."""
    most: int | None = None
    """The largest number inside."""

    def holds(self, number: Decimal | int) -> bool:
        """Whether the number lies inside."""
        return (
            (self.least is None or number >= self.least)
            and (self.above is None or number > self.above)
            and (self.most is None or number <= self.most)
        )

    def repair(self) -> str:
        """What to write instead."""
        low = f"more than {self.above}" if self.above is not None else f"{self.least}" if self.least is not None else ""
        if self.most is None:
            return f"Write {low}{'' if self.above is not None else ' or more'}."
        return f"Write {low}{' and at most' if self.above is not None else ' to'} {self.most}."


_PERIODS = Range("a number of periods", least=1)
_PEOPLE = Range("a number of people", least=0)
_DAYS = Range("a number of days", least=0)
_HOURS = Range("a number of hours", least=0)
_CASES = Range("a number of cases", least=0)
_SHARE = Range("a share in percent", least=0, most=100)
_PART = Range("a part in percent", above=0, most=100)
_PERCENT = Range("a percentage of a base", above=0)
_FACTOR = Range("a factor", above=0)
_LIMIT = Range("a limit of money", least=0)
_AMOUNT = Range("an amount to pay: it would pay the other side", least=0)
_DAY_OF_MONTH = Range("a day of every month", least=1, most=28)
_MONTH = Range("a month", least=1, most=12)
ANY = None
"""For numbers that may be anything by themselves: points on an axis, and amounts that a scale gives."""

NUMBERS: dict[type[msgspec.Struct], dict[str, Range | None]] = {
    Allowance: {"number": Range("an allowance", least=0), "percent": Range("an allowance in percent", least=0)},
    Corner: {"at": ANY, "give": ANY},
    Curve: {"below": ANY, "beyond": ANY, "at_most": ANY, "at_least": ANY},
    Each: {"unit": Range("a unit", above=0), "give": ANY, "above": ANY, "below": ANY, "allowance": Range("an allowance", least=0)},
    Slice: {"above": Range("the beginning of a tier", least=0), "up_to": Range("the end of a tier", above=0), "rate": ANY},
    Step: {"at_least": ANY, "more_than": ANY, "at_most": ANY, "less_than": ANY, "give": ANY},
    d.After: {"days": _DAYS, "hours": _HOURS},
    d.Across: {"percent": _PART},
    d.Allocation: {"in_all": Range("a share in percent", above=0), "to_one": _PART},
    d.AmendmentTerms: {"notice_days": _DAYS, "once_in_months": Range("a number of months", least=1)},
    d.Base: {"fixed": Range("an amount that something is a percentage of", least=0), "percent": _PERCENT},
    d.Bin: {"up_to": ANY},
    d.Cadence: {"anchor_day": _DAY_OF_MONTH, "anchor_month": _MONTH},
    d.Cap: {"rolling": _PERIODS, "percent": Range("a limit in percent: nothing would pass", least=0), "amount": _LIMIT},
    d.Clear: {"good": _PERIODS},
    d.Conversion: {"rate": Range("a rate", above=0)},
    d.By: {"last": _PERIODS},
    d.Count: {"last": _PERIODS},
    d.EarnBack: {
        "percent": Range("the part of a credit that comes back, in percent", above=0, most=100),
        "periods": Range("a run of periods", least=1),
        "except_months": _MONTH,
        "within": Range("a number of periods", least=1),
        "at_most": Range("a limit of money", above=0),
    },
    d.Escalation: {"reopen_within_periods": Range("a number of periods", least=0)},
    d.EscalationLevel: {"level": Range("a level", least=1)},
    d.EventFilter: {"at_least": ANY, "more_than": ANY, "at_most": ANY, "less_than": ANY},
    d.ExampleEvent: {"value": ANY},
    d.ExampleRow: {"value": ANY, "n": _CASES},
    d.Factor: {"number": ANY},
    d.Gate: {"cap_score": Range("a score", least=0)},
    d.Headcount: {"count": _PEOPLE},
    d.Intervals: {"at_least": ANY, "at_most": ANY, "no_volume": ANY},
    d.Kpi: {"target": ANY, "completeness": _SHARE, "weight": Range("a weight: it would reward a miss", least=0), "deemed": ANY},
    d.Ladder: {"last": _PERIODS},
    d.Levels: {"at": ANY, "months": _MONTH},
    d.LevelShare: {"percent": Range("a percentage of another figure", above=0)},
    d.LevelWhen: {"at_least": ANY, "less_than": ANY},
    d.Minimum: {"below": Range("an amount that others are smaller than", above=0)},
    d.Money: {"claim_within_days": Range("a number of days in which to claim", least=1)},
    d.MovingMean: {"periods": _PERIODS},
    d.ExchangeRate: {"rate": Range("a rate", above=0)},
    d.Offset: {"keep": Range("a number of periods", least=0)},
    d.Operand: {"number": ANY, "back": _PERIODS},
    d.Pay: {"percent": _AMOUNT, "amount": _AMOUNT, "times": _FACTOR},
    d.Percentile: {"percent": _PART},
    d.Precision: {"decimals": Range("a number of decimals", least=0, most=20)},
    d.Rate: {"each": Range("a number of units", above=0)},
    d.Ratchet: {
        "periods": _PERIODS,
        "step": Range("a step", above=0),
        "at_most_percent_of_gap": Range("a part of the gap, in percent", above=0, most=100),
    },
    d.ReliefTerms: {"notice_business_days": _DAYS, "levels": ANY},
    d.Repeat: {"last": _PERIODS, "at_least": _PERIODS, "multiply": _FACTOR},
    d.Report: {"due_days": _DAYS, "vendor_check_days": _DAYS},
    d.Review: {"anchor_day": _DAY_OF_MONTH, "anchor_month": _MONTH},
    d.RightRule: {"cure_days": _DAYS, "notice_days": _DAYS},
    d.Rounding: {"to": Range("a step of rounding", above=0)},
    d.Rung: {"at_most": Range("a limit of money", above=0)},
    d.Sample: {"at_least": _CASES, "more_than": _CASES},
    d.Standing: {"at_least": ANY},
    d.Tax: {"percent": Range("a tax in percent", least=0)},
    d.Term: {"times": ANY},
    d.Trigger: {"last": _PERIODS, "at_least": _PERIODS, "no_data": _PERIODS},
    d.Volume: {"excused_above_percent": Range("a percentage of the forecast", above=0)},
    d.When: {
        "credit_percent": Range("a percentage that credits reach", above=0),
        "points_at_least": Range("a number of points that is reached", above=0),
        "score_below": Range("a score that another lies below", above=0),
        "months": _MONTH,
    },
    d.Window: {"last": _PERIODS, "at_least": _PERIODS, "in_a_row": _PERIODS, "mean_below": ANY, "mean_above": ANY},
    d.Within: {"days": _DAYS, "hours": _HOURS},
}


@VALUES.about_all
def numbers_lie_in_range(part: msgspec.Struct, at: Place) -> Iterator[Finding]:
    for name, allowed in NUMBERS.get(own_type(part), {}).items():
        value = getattr(part, name)
        if allowed is None or value is HOLE:
            continue
        written = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, number in written:
            if number is not HOLE and isinstance(number, Decimal | int) and not allowed.holds(number):
                step = (name,) if index is None else (name, index)
                yield at.error(step, f"{number} cannot be {allowed.what}", allowed.repair())


@VALUES.about_all
def nothing_written_is_blank(part: msgspec.Struct, at: Place) -> Iterator[Finding]:
    by_key = record_of(own_type(part)).by_key
    for key, value in _fields(part):
        if value is HOLE:
            continue
        if isinstance(value, str) and not value.strip() and by_key[key].default != value:
            yield at.error((key,), f"the {key.replace('_', ' ')} is blank", "Write it, or leave the field out.")
        if isinstance(value, list):
            for index, item in enumerate(value):
                if item is not HOLE and isinstance(item, str) and not item.strip():
                    yield at.error((key, index), "an entry is blank", "Write it, or delete it.")
        if isinstance(value, dict):
            for name in value:
                if not name.strip():
                    yield at.error((key, name), "a name is blank", "Give it a name.")


@ASIDE.about_all
def nothing_stands_twice_in_a_list(part: msgspec.Struct, at: Place) -> Iterator[Finding]:
    for key, value in _fields(part):
        if value is not HOLE and isinstance(value, list):
            plain = [(index, item) for index, item in enumerate(value) if item is not HOLE and isinstance(item, str | int)]
            for index, item in _repeated(plain):
                yield at.error((key, index), f"{item!r} stands twice", "Delete one of the two.")


def _fields(part: msgspec.Struct) -> list[tuple[str, Any]]:
    if part.__struct_config__.array_like:
        return []
    return [(key, getattr(part, name)) for name, key in zip(part.__struct_fields__, part.__struct_encode_fields__, strict=True)]


def _repeated(items: list[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """Every entry that stood before, with its index."""
    seen: set[Hashable] = set()
    for index, item in items:
        if item in seen:
            yield index, item
        seen.add(item)


UNIQUE: dict[type[msgspec.Struct], dict[str, tuple[str, ...]]] = {
    d.Contract: {
        "scope": ("site", "workstream"),
        "rights": ("name",),
        "forums": ("name",),
        "reports": ("name",),
        "obligations": ("name", "due"),
        "examples": ("name",),
        "ratchets": ("kpi", "level"),
    },
    d.Escalation: {"rules": ("name",), "levels": ("level",)},
    d.Money: {"caps": ("name",)},
    d.ScopeOfWork: {"headcount": ("role", "from"), "milestones": ("name",), "instructions": ("title",)},
    d.Scoring: {"standings": ("name",), "deductions": ("name",)},
}
"""Lists whose entries are told apart by these fields."""


@ASIDE.about(*UNIQUE)
def entries_can_be_told_apart(part: msgspec.Struct, at: Place) -> Iterator[Finding]:
    for key, fields in UNIQUE[own_type(part)].items():
        seen: dict[str, int] = {}
        for index, item in enumerate(getattr(part, key)):
            if item is HOLE:
                continue
            known = dict(_fields(item))
            values = [known[field] for field in fields]
            if any(value is HOLE for value in values) or (fields == ("name",) and values == [None]):
                continue
            own = repr(values)
            if own in seen:
                named = " ".join(str(value) for value in values if isinstance(value, str | int) and value != "")
                where = (key, index, fields[0]) if len(fields) == 1 else (key, index)
                yield at.error(
                    where,
                    f"{named or 'this entry'} stands twice, first at {below(at.path, key, seen[own])}",
                    "Merge the two, or tell them apart.",
                )
            seen.setdefault(own, index)


Form = Callable[[str], tuple[str, str] | None]
"""What is wrong with a text and how to repair it; None if nothing is."""


def _currency(text: str) -> tuple[str, str] | None:
    is_code = len(text) == 3 and text.isascii() and text.isalpha() and text.isupper()
    return None if is_code else (f"{text!r} is no currency", "Write the ISO 4217 code, such as EUR.")


def _country(text: str) -> tuple[str, str] | None:
    is_code = len(text) == 2 and text.isascii() and text.isalpha() and text.isupper()
    return None if is_code else (f"{text!r} is no country", "Write the two capitals of ISO 3166, such as PT.")


def _zone(text: str) -> tuple[str, str] | None:
    try:
        zone_named(text)
    except UnknownTimeZone as problem:
        return f"{text!r} is no time zone", problem.repair
    return None


def _language(text: str) -> tuple[str, str] | None:
    if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", text):
        return None
    return f"{text!r} is no language tag", "Write a BCP 47 tag, such as pt or pt-BR."


def _sha256(text: str) -> tuple[str, str] | None:
    is_hash = re.fullmatch(r"[0-9a-fA-F]{64}", text)
    return None if is_hash else (f"{text!r} is no SHA-256", "Write its 64 hexadecimal digits, as `sha256sum FILE` prints them.")


def _link(text: str) -> tuple[str, str] | None:
    is_link = re.match(r"https?://[^\s/]+|[\w./-]+$", text)
    return None if is_link else (f"{text!r} is no address of a page or file", "Write an address that begins with https://.")


def _time_of_day(text: str) -> tuple[str, str] | None:
    try:
        if re.fullmatch(r"\d\d:\d\d", text):
            time.fromisoformat(text)
            return None
    except ValueError:
        pass
    return f"{text!r} is no time of day", "Write hours and minutes, such as 10:00."


def _role(text: str) -> tuple[str, str] | None:
    if re.match(r"(client|vendor)\.\S", text):
        return None
    return f"{text!r} names no side", "Write client.… or vendor.… and the role, such as client.partner_manager."


_RULE_PARTS = {
    "FREQ", "UNTIL", "COUNT", "INTERVAL", "BYSECOND", "BYMINUTE", "BYHOUR", "BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH",
    "BYSETPOS", "WKST",
}  # fmt: skip
_FREQUENCIES = ("SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_WEEKDAY = re.compile(r"[+-]?\d{0,2}(MO|TU|WE|TH|FR|SA|SU)")


def _recurrence(text: str) -> tuple[str, str] | None:
    repair = "Write a rule of RFC 5545, such as FREQ=WEEKLY;BYDAY=TU."
    pairs = [part.partition("=") for part in text.removeprefix("RRULE:").split(";")]
    names = Counter(name for name, _, _ in pairs)
    for name, _, value in pairs:
        if name not in _RULE_PARTS or not value or names[name] > 1:
            return f"{name or text!r} is no part of a recurrence" if names[name] == 1 else f"{name} stands twice in the recurrence", repair
    values = {name: value for name, _, value in pairs}
    if values.get("FREQ") not in _FREQUENCIES:
        return f"{text!r} does not say how often", repair
    for name in ("INTERVAL", "COUNT"):
        if name in values and not (values[name].isdecimal() and int(values[name]) > 0):
            return f"{name} {values[name]} cannot be", repair
    if any(not _WEEKDAY.fullmatch(day) for day in values.get("BYDAY", "MO").split(",")):
        return f"{values['BYDAY']!r} names no weekdays", repair
    return None


FORMS: dict[type[msgspec.Struct], dict[str, Form]] = {
    d.Contract: {"currency": _currency, "time_zone": _zone},
    d.Conversion: {"to": _currency},
    d.EscalationLevel: {"to": _role},
    d.Executed: {"sha256": _sha256},
    d.Forum: {"rrule": _recurrence, "at": _time_of_day, "zone": _zone, "chair": _role},
    d.Instruction: {"link": _link},
    d.Obligation: {"owner": _role},
    d.ScopeOfWork: {"country": _country, "currency": _currency, "time_zone": _zone, "languages": _language},
}
"""Texts that have a form."""


@VALUES.about(*FORMS)
def texts_have_their_form(part: msgspec.Struct, at: Place) -> Iterator[Finding]:
    for key, form in FORMS[own_type(part)].items():
        value = getattr(part, key)
        if value is HOLE or value is None:
            continue
        for index, text in enumerate(value if isinstance(value, list) else [value]):
            fault = form(text) if text is not HOLE and text.strip() else None
            if fault is not None:
                yield at.error((key, index) if isinstance(value, list) else (key,), *fault)


COLUMNS = frozenset(("site", "measure", "starts_on", "starts_at", "grain", "value", "known_at", "n", "kpi", "event_id", "kind"))
"""Columns of the data files, which no dimension can be called."""


@ASIDE.about(d.Contract)
def dimensions_are_not_columns(contract: d.Contract, at: Place) -> Iterator[Finding]:
    for index, name in enumerate(contract.dimensions):
        if name is not HOLE and name in COLUMNS:
            yield at.error(("dimensions", index), f"{name!r} is a column of the data file", "Give the dimension another name.")


@VALUES.about(d.Levels, d.Kpi, d.FromEvents)
def conditions_allow_something(part: d.Levels | d.Kpi | d.FromEvents, at: Place) -> Iterator[Finding]:
    for name, allowed in part.where.items():
        if allowed is not HOLE and allowed == []:
            yield at.error(("where", name), f"no {name} is allowed, so nothing is left", "Name one, or drop the condition.")


@VALUES.about(d.Levels)
def levels_name_something(levels: d.Levels, at: Place) -> Iterator[Finding]:
    if not levels.at:
        yield at.error("at", "no level is named", "Write one, such as {target: 95}.")


EMPTY: dict[type[msgspec.Struct], dict[str, tuple[str, str]]] = {
    d.Signed: {"plus": ("nothing is added", "Name a measure.")},
    d.Ladder: {"rungs": ("a ladder needs a rung", "Write what the first failure costs.")},
    d.EscalationLevel: {"to": ("nobody is called", "Name a role, such as vendor.site_lead.")},
    d.Executed: {"precedence": ("nothing prevails", "Write [clause, table, example] in their order, or leave the field out.")},
}
"""Lists in which something must stand."""


@VALUES.about(*EMPTY)
def lists_that_need_an_entry_have_one(part: msgspec.Struct, at: Place) -> Iterator[Finding]:
    for key, (message, repair) in EMPTY[own_type(part)].items():
        if not getattr(part, key):
            yield at.error(key, message, repair)


@VALUES.about(d.Ratio, d.Mean, d.Rate, d.Stratified, d.Value)
def counts_count_something(part: msgspec.Struct, at: Place) -> Iterator[Finding]:
    for key, value in _fields(part):
        if value is not HOLE and value == []:
            yield at.error(key, "nothing is counted", "Name a measure.")


@VALUES.about(d.Payment)
def rules_are_for_something(payment: d.Payment, at: Place) -> Iterator[Finding]:
    if payment.for_ == []:
        yield at.error("for", "the rule is for no KPI", "Name one, or leave the field out.")


__all__ = ["ANY", "ASIDE", "COLUMNS", "EMPTY", "FORMS", "NUMBERS", "UNIQUE", "VALUES", "Range"]
