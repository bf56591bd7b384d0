"""What changes from one version of a contract to another, in plain words, each change with its clause and its first day.

Versions are compared as promises: what the new one says is compared with what the old one said, from the new one's first day on.
Levels are compared day by day, so that the same ramp written in another way is no difference, and a ramp that starts later is one
with its dates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from contracts.curve import Curve
from contracts.document import Contract, Kpi, Levels, LevelShare, Part
from contracts.explaining import counted, curve_in_words, day_in_words, listed, number_in_words
from contracts.reading import write_on_one_line
from contracts.shape import record_of


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference."""

    clause: str | None
    """The clause it stands under, where the document names one."""
    from_: date = msgspec.field(name="from")
    """The first day of the difference."""
    until: date | None = None
    """The first day on which it is over, where it ends before the contract does."""
    subject: str
    """What it is about: a KPI, a rule, a part of the contract."""
    words: str
    """What is different, as half a sentence."""

    def __str__(self) -> str:
        clause = f"{self.clause}, " if self.clause else ""
        until = f" until before {day_in_words(self.until)}" if self.until is not None else ""
        return f"{clause}from {day_in_words(self.from_)}{until}: {self.subject}: {self.words}."


def differences(old: Contract, new: Contract) -> list[Change]:
    """Everything that is different, in the order of the document."""
    return list(_Comparison(new.in_force.from_).contract(old, new))


def in_words(old: Contract, new: Contract) -> str:
    """The differences as text, one a line, below a sentence that says which versions they are of."""
    changes = differences(old, new)
    head = f"{old.contract} version {old.version} (from {day_in_words(old.in_force.from_)}) and "
    head += f"{'' if new.contract == old.contract else new.contract + ' '}version {new.version} (from {day_in_words(new.in_force.from_)})"
    if not changes:
        return f"{head} promise the same.\n"
    count = "1 difference" if len(changes) == 1 else f"{len(changes)} differences"
    return "\n".join([f"{head}: {count}.", *(f"- {change}" for change in changes)]) + "\n"


Key = Callable[[Any], object]

_IDENTITY: Mapping[str, tuple[str, Key]] = {
    "ScopeOfWork": ("", lambda one: (one.site, one.workstream)),
    "Headcount": ("people", lambda one: (one.role, one.from_)),
    "Instruction": ("instruction", lambda one: one.title),
    "Milestone": ("milestone", lambda one: one.name),
    "Payment": ("", lambda one: (one.name, _frozen(one.for_), one.clause)),
    "Exclusive": ("exclusive", lambda one: _frozen(one.among)),
    "Cap": ("cap", lambda one: (one.name, one.each, one.rolling, _frozen(one.on))),
    "EarnBack": ("earn-back", lambda one: _frozen(one.for_)),
    "Standing": ("standing", lambda one: one.name),
    "Gate": ("gate", lambda one: one.kpi),
    "Ratchet": ("ratchet", lambda one: (one.kpi, one.level)),
    "RightRule": ("right", lambda one: one.name),
    "ReliefTerms": ("relief", lambda one: one.cause),
    "EscalationRule": ("escalation rule", lambda one: one.name),
    "EscalationLevel": ("escalation level", lambda one: one.level),
    "Forum": ("forum", lambda one: one.name),
    "Report": ("report", lambda one: one.name),
    "Obligation": ("obligation", lambda one: one.name),
    "Citation": ("citation", lambda one: one.at),
    "Example": ("worked example", lambda one: one.name),
    "Deduction": ("deduction", lambda one: one.name),
}
"""By type: what an item of a list is called, and what makes it the same one in both versions."""


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


class _Comparison:
    """Walks both versions side by side. `since` is the new version's first day."""

    def __init__(self, since: date) -> None:
        self.since = since

    def contract(self, old: Contract, new: Contract) -> Iterator[Change]:
        if old.in_force.until != new.in_force.until:
            yield self.change(None, "Term", f"{_end(new.in_force.until)} instead of: {_end(old.in_force.until)}")
        skipped = ("in_force", "version", "signed_on", "kpis", "measures", "money")
        yield from self.fields(old, new, "Contract", None, skipped)
        yield from self.entries(old.measures, new.measures, "Measure", None)
        yield from self.kpis(old.kpis, new.kpis)
        yield from self.entries(old.money.bases, new.money.bases, "Base", None)
        yield from self.fields(old.money, new.money, "Money", None, ("bases",))

    def change(self, clause: str | None, subject: str, words: str, span: tuple[date, date | None] | None = None) -> Change:
        first, until = span or (self.since, None)
        return Change(clause=clause, from_=first, until=until, subject=subject, words=words)

    # Structs

    def fields(
        self, old: msgspec.Struct, new: msgspec.Struct, subject: str, clause: str | None, skipped: Sequence[str] = ()
    ) -> Iterator[Change]:
        """Field by field; a field that holds a part of its own is gone into."""
        clause = getattr(new, "clause", None) or clause
        for field in record_of(type(new)).fields:
            before, after = getattr(old, field.name), getattr(new, field.name)
            if field.name not in skipped and before != after:
                yield from self.field(before, after, subject, field.key, clause)

    def field(self, before: Any, after: Any, subject: str, key: str, clause: str | None) -> Iterator[Change]:
        label = key.replace("_", " ")
        if isinstance(before, Part) and isinstance(after, Part) and type(before) is type(after) and _is_gone_into(after):
            inner = subject if label in ("pay", "scoring", "escalation", "executed", "measured") else f"{subject}, {label}"
            yield from self.fields(before, after, inner, clause)
        elif isinstance(before, list) and isinstance(after, list) and _item_type(before, after) in _IDENTITY:
            yield from self.items(before, after, subject, clause)
        elif isinstance(before, list) and isinstance(after, list) and _are_words(before) and _are_words(after):
            yield from self.words(before, after, subject, label, clause)
        elif _is_nothing(before):
            yield self.change(clause, subject, f"{label} is new: {_said(after)}")
        elif _is_nothing(after):
            yield self.change(clause, subject, f"{label} falls away; it was {_said(before)}")
        else:
            yield self.change(clause, subject, f"{label} is {_said(after)} instead of {_said(before)}")

    def words(self, before: list[str], after: list[str], subject: str, label: str, clause: str | None) -> Iterator[Change]:
        added, gone = [one for one in after if one not in before], [one for one in before if one not in after]
        parts = [f"{listed(added)} added"] if added else []
        parts += [f"{listed(gone)} taken away"] if gone else []
        yield self.change(clause, subject, f"{label}: {listed(parts) or f'now in the order {listed(after)}'}")

    # Lists and mappings

    def items(self, before: list[Any], after: list[Any], subject: str, clause: str | None) -> Iterator[Change]:
        """Lists whose items have an identity of their own; an item that stands several times is told apart by its place."""
        word, key = _IDENTITY[_item_type(before, after) or ""]
        old, new = _by_identity(before, key), _by_identity(after, key)
        at = "" if subject in ("Contract", "Money", "Scoring", "Escalation") else f"{subject}, "
        for identity, one in new.items():
            name = f"{at}{word} {_title(one)}".strip() if word else f"{at}{_title(one)}"
            if identity not in old:
                yield self.change(getattr(one, "clause", None) or clause, name, f"is new: {_said(one)}")
            elif old[identity] != one:
                yield from self.fields(old[identity], one, name, clause)
        for identity, one in old.items():
            if identity not in new:
                name = f"{at}{word} {_title(one)}".strip() if word else f"{at}{_title(one)}"
                yield self.change(getattr(one, "clause", None) or clause, name, "falls away")
        if [one for one in new if one in old] != [one for one in old if one in new]:
            yield self.change(clause, subject, f"the order of {word or 'its rules'} is another: {listed(_title(one) for one in after)}")

    def entries(self, before: Mapping[str, Any], after: Mapping[str, Any], word: str, clause: str | None) -> Iterator[Change]:
        for name, one in after.items():
            if name not in before:
                yield self.change(clause, f"{word} {name}", f"is new: {_said(one)}")
            elif before[name] != one:
                yield from self.fields(before[name], one, f"{word} {name}", clause)
        for name in before:
            if name not in after:
                yield self.change(clause, f"{word} {name}", "falls away")

    # KPIs

    def kpis(self, before: Mapping[str, Kpi], after: Mapping[str, Kpi]) -> Iterator[Change]:
        for name, kpi in after.items():
            subject = f"{kpi.title} ({name})"
            if name not in before:
                levels = "; ".join(_level_words(kpi, self.since))
                yield self.change(kpi.clause, subject, f"is new: {counted(kpi)}{f'; {levels}' if levels else ''}")
            elif before[name] != kpi:
                yield from self.kpi(before[name], kpi, subject)
        for name, kpi in before.items():
            if name not in after:
                yield self.change(kpi.clause, f"{kpi.title} ({name})", "falls away")

    def kpi(self, old: Kpi, new: Kpi, subject: str) -> Iterator[Change]:
        if old.value != new.value:
            yield self.change(new.clause, subject, f"is counted as {counted(new)} instead of {counted(old)}")
        yield from self.fields(old, new, subject, new.clause, ("value", "levels", "target"))
        if (old.levels, old.target) != (new.levels, new.target):
            yield from self.levels(old, new, subject)

    def levels(self, old: Kpi, new: Kpi, subject: str) -> Iterator[Change]:
        """Day by day: for each scope and condition, the values of each level in both versions."""
        found = False
        before, after = _timelines(old), _timelines(new)
        for scope in dict.fromkeys([*after, *before]):
            mine, theirs = before.get(scope, []), after.get(scope, [])
            for level in dict.fromkeys(name for entry in (*theirs, *mine) for name in entry.at):
                for first, until, was, now in self.spans(mine, theirs, level):
                    found = True
                    where = f" {scope[0]}" if scope[0] else ""
                    yield self.change(new.clause, subject, _level_change(level, was, now, new) + where, (first, until))
        if not found and [_place(one) for one in old.levels] != [_place(one) for one in new.levels]:
            yield self.change(new.clause, subject, "its levels are written in another form or order, with the same values")

    def spans(self, mine: list[Levels], theirs: list[Levels], level: str) -> Iterator[tuple[date, date | None, Any, Any]]:
        days = {self.since} | {
            day for entry in (*mine, *theirs) for day in (entry.from_, entry.until) if day is not None and day > self.since
        }
        spans: list[tuple[date, date | None, Any, Any]] = []
        ordered = sorted(days)
        for first, until in zip(ordered, [*ordered[1:], None], strict=True):
            was, now = _value_on(mine, level, first), _value_on(theirs, level, first)
            if spans and spans[-1][1] == first and spans[-1][2:] == (was, now):
                spans[-1] = (spans[-1][0], until, was, now)
            else:
                spans.append((first, until, was, now))
        yield from (span for span in spans if span[2] != span[3])


def _place(levels: Levels) -> str:
    return f"{_scope_of(levels)} {levels.from_} {levels.until} {levels.at}"


def _scope_of(levels: Levels) -> tuple[str, str]:
    """The scope and condition of levels, in words and as a key."""
    words = [f"{key} {value if isinstance(value, str) else listed(value, 'or')}" for key, value in levels.where.items()]
    words += [f"months {listed(map(str, levels.months))}"] if levels.months else []
    condition = write_on_one_line(levels.when) if levels.when is not None else ""
    said = f"for {listed(words)}" if words else ""
    return f"{said}{f' while {condition[1:-1]}' if condition else ''}".strip(), f"{sorted(words)} {condition}"


def _timelines(kpi: Kpi) -> dict[tuple[str, str], list[Levels]]:
    lines: dict[tuple[str, str], list[Levels]] = {}
    if kpi.target is not None:
        lines["", "[] "] = [Levels(at={"target": kpi.target})]
    for levels in kpi.levels:
        lines.setdefault(_scope_of(levels), []).append(levels)
    return lines


def _value_on(entries: Iterable[Levels], level: str, day: date) -> Decimal | LevelShare | None:
    value: Decimal | LevelShare | None = None
    for entry in entries:
        if (entry.from_ is None or entry.from_ <= day) and (entry.until is None or day < entry.until) and level in entry.at:
            value = entry.at[level]
    return value


def _level_change(level: str, was: Any, now: Any, kpi: Kpi) -> str:
    name = level.replace("_", " ")
    if was is None:
        return f"there is a {name} of {_level(now)}"
    if now is None:
        return f"there is no {name}; it was {_level(was)}"
    judged = ""
    if isinstance(was, Decimal) and isinstance(now, Decimal) and kpi.better != "inside":
        judged = ", harder" if (now > was) is (kpi.better == "higher") else ", easier"
    return f"the {name} is {_level(now)} instead of {_level(was)}{judged}"


def _level(value: Decimal | LevelShare) -> str:
    return number_in_words(value) if isinstance(value, Decimal) else write_on_one_line(value)[1:-1]


def _level_words(kpi: Kpi, since: date) -> list[str]:
    """The levels a new KPI begins with, and those that follow."""
    words = []
    for (scope, _), entries in _timelines(kpi).items():
        for entry in entries:
            if entry.until is None or entry.until > since:
                values = ", ".join(f"{name.replace('_', ' ')} {_level(value)}" for name, value in entry.at.items())
                later = f"from {day_in_words(entry.from_)} " if entry.from_ is not None and entry.from_ > since else ""
                words.append(f"{later}{scope + ' ' if scope else ''}{values}")
    return words


def _by_identity(items: Sequence[Any], key: Key) -> dict[object, Any]:
    found: dict[object, Any] = {}
    for one in items:
        identity, number = key(one), 0
        while (identity, number) in found:
            number += 1
        found[identity, number] = one
    return found


def _item_type(before: Sequence[Any], after: Sequence[Any]) -> str | None:
    kinds = {type(one).__name__ for one in (*before, *after)}
    return kinds.pop() if len(kinds) == 1 else None


def _title(one: Any) -> str:
    """What an item of a list is called."""
    if hasattr(one, "site"):
        return f"{one.site} {one.workstream or ''}".strip()
    if hasattr(one, "role") and hasattr(one, "count"):
        return f"{one.role} from {day_in_words(one.from_)}"
    for name in ("name", "title", "cause", "for_", "among", "kpi", "level", "at", "on"):
        value = getattr(one, name, None)
        if value not in (None, [], ""):
            return listed(value) if isinstance(value, list) else str(value).replace("_", " ")
    return ""


_SAID_AS_A_WHOLE = frozenset(
    ("When", "Window", "Repeat", "Value", "Ladder", "By", "Share", "Within", "After", "Trigger", "Precision", "Given")
)


def _is_gone_into(part: Part) -> bool:
    """Whether a part has fields of its own worth naming one by one; conditions and the like are said as a whole."""
    return type(part).__name__ not in _SAID_AS_A_WHOLE


def _is_nothing(value: object) -> bool:
    return value is None or value in ([], {}, "")


def _are_words(items: Sequence[Any]) -> bool:
    return all(isinstance(one, str) for one in items)


def _end(until: date | None) -> str:
    return f"the contract ends before {day_in_words(until)}" if until is not None else "the contract has no end"


def _said(value: Any) -> str:
    """Any value, as short as it can be said."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return day_in_words(value)
    if isinstance(value, Decimal | int):
        return number_in_words(value)
    if isinstance(value, Curve):
        return curve_in_words(value)
    if isinstance(value, str):
        return f"“{value}”" if " " in value or not value else value
    if isinstance(value, list) and value and _are_words(value):
        return listed(value)
    text = write_on_one_line(value)
    return text[1:-1] if text.startswith("{") and len(text) > 2 else text


__all__ = ["Change", "differences", "in_words"]
