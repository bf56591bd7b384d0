"""What need not be said because something above it says it: relief → outage → missing data → breach → warning.

A rule names what inhibits (`source`), what is inhibited (`target`) and in which labels both must be equal. It works although
the target was there first, and it ends with its source. Two things differ from systems whose label model this resembles:

* an empty or absent label equals nothing, not even another empty one. Otherwise one outage recorded without a site would
  silence every site;
* a rule without `equal` labels is refused for the same reason.

A source that is itself inhibited still inhibits: an outage hidden by an approved relief does not let its breaches out.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

__all__ = ["DEFAULT_RULES", "Inhibition", "InhibitionRule", "Rank", "Signal", "inhibitions", "inhibitor_of"]


class Rank(enum.StrEnum):
    """In the order of evaluation: whoever stands higher is looked at first and silences what stands lower."""

    RELIEF = "relief"
    OUTAGE = "outage"
    MISSING = "missing"
    BREACH = "breach"
    WARNING = "warning"

    @property
    def order(self) -> int:
        return tuple(Rank).index(self)


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is so from `from_` until `until` (open while unknown), told apart by its labels."""

    labels: Mapping[str, str]
    from_: datetime | None = None
    until: datetime | None = None
    reference: str = ""

    def is_active(self, at: datetime | None) -> bool:
        if at is None:
            return self.until is None
        return (self.from_ is None or self.from_ <= at) and (self.until is None or at < self.until)


class InhibitionRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`source` and `target` are labels with the values they must have; `equal` the labels in which both must agree."""

    source: Mapping[str, str]
    target: Mapping[str, str]
    equal: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.equal:
            raise ValueError("a rule that asks for no equal label would silence everything: name at least the site")

    def is_source(self, labels: Mapping[str, str]) -> bool:
        return _matches(self.source, labels)

    def is_target(self, labels: Mapping[str, str]) -> bool:
        return _matches(self.target, labels)

    def are_equal(self, one: Mapping[str, str], other: Mapping[str, str]) -> bool:
        return all(one.get(name, "") != "" and one.get(name, "") == other.get(name, "") for name in self.equal)


def _matches(wanted: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return all(labels.get(name, "") == value for name, value in wanted.items())


class Inhibition(msgspec.Struct, frozen=True, kw_only=True):
    """A signal and what silences it, if anything."""

    signal: Signal
    by: Signal | None = None


def inhibitor_of(
    target: Mapping[str, str], signals: Iterable[Signal], rules: Sequence[InhibitionRule], at: datetime | None = None
) -> Signal | None:
    """The first active signal that silences the target at the instant, or None.

    A target that could itself be the source of a rule is not silenced by another such: two of a kind would silence each
    other and nothing at all would be said.
    """
    active = [each for each in signals if each.is_active(at)]
    for rule in rules:
        if not rule.is_target(target):
            continue
        is_both = rule.is_source(target)
        for each in active:
            if not rule.is_source(each.labels) or not rule.are_equal(each.labels, target):
                continue
            if is_both and rule.is_target(each.labels):
                continue
            return each
    return None


def inhibitions(
    signals: Iterable[Signal], rules: Sequence[InhibitionRule], at: datetime | None = None
) -> tuple[Inhibition, ...]:
    """Every active signal with what silences it, highest rank first, so that no target speaks before its inhibitor is known."""
    active = [each for each in signals if each.is_active(at)]
    known = {rank.value: rank.order for rank in Rank}
    ordered = sorted(active, key=lambda each: known.get(each.labels.get("kind", ""), len(known)))
    return tuple(Inhibition(signal=each, by=inhibitor_of(each.labels, active, rules, at)) for each in ordered)


def _rules() -> tuple[InhibitionRule, ...]:
    """Relief and missing data speak of one KPI at one place; an outage of everything at a site."""
    place = ("contract", "site", "kpi", "dimensions")
    equal = {Rank.RELIEF: place, Rank.OUTAGE: ("site",), Rank.MISSING: place, Rank.BREACH: place}
    return tuple(
        InhibitionRule(source={"kind": source.value}, target={"kind": target.value}, equal=equal[source])
        for source in equal
        for target in Rank
        if source.order < target.order
    )


DEFAULT_RULES = _rules()
