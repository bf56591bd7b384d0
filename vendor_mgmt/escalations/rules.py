"""What a contract's escalation part says to this package: rules, levels and clocks, and the results they are held against.

A ticket keeps a copy of the rule and the policy it was opened under, so these types are stored as they stand.
"""

from __future__ import annotations

import enum
import hashlib
import itertools
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Literal

import msgspec

from contracts.business_time import DEFAULT_CONVENTIONS, Conventions
from vendor_mgmt.escalations.conditions import PeriodKind, Window

__all__ = [
    "DEADLINE_PERCENT",
    "DEFAULT_LEVELS",
    "BusinessSpan",
    "LevelParameters",
    "Observation",
    "Policy",
    "QuietHours",
    "RuleKind",
    "RuleParameters",
    "Series",
    "Severity",
    "TicketKey",
    "Unless",
    "canonical_dimensions",
    "kinds",
    "observed_severity",
]

DEADLINE_PERCENT = 100
"""The threshold that is the deadline itself."""

Status = Literal["measured", "no_data", "no_volume", "not_measured", "accumulating", "relieved"]


class Severity(enum.StrEnum):
    MINOR = "minor"
    SERIOUS = "serious"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return tuple(Severity).index(self)


class RuleKind(enum.StrEnum):
    """What makes a period a breach.

    A score, a credit, a run rate, an overdue obligation or an arisen right is judged where it is computed and arrives as a
    series of its own with `met` filled in: it is a `missed` rule on a subject that is not a KPI.
    """

    MISSED = "missed"
    WARNING = "warning"
    MISSING = "missing"
    FROZEN = "frozen"


class BusinessSpan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So much business time: whole `days`, ending at close of business of the last one, then `hours` counted by the second."""

    days: int = 0
    hours: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if self.days < 0 or self.hours < 0 or not (self.days or self.hours):
            raise ValueError(f"{self.days} days and {self.hours} hours are no span of business time: more than nothing is needed")

    @property
    def counted(self) -> timedelta:
        """The hours as a duration; parts of a microsecond are cut."""
        return timedelta(microseconds=int(self.hours * 3_600_000_000))

    def __add__(self, other: BusinessSpan) -> BusinessSpan:
        return BusinessSpan(days=self.days + other.days, hours=self.hours + other.hours)

    def __str__(self) -> str:
        parts = []
        if self.days:
            parts.append("1 business day" if self.days == 1 else f"{self.days} business days")
        if self.hours:
            parts.append("1 business hour" if self.hours == 1 else f"{self.hours} business hours")
        return " and ".join(parts)


class RuleParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule of the contract.

    `kpi` None stands for every KPI. `level` is what has to be missed; `clear_level`, where it differs, is what has to be met
    to count as good (open below 90, clear from 92). `worse` raises the severity when a deeper level is missed too. No ticket
    opens for a period that begins before `since`: a rule does not reach back to months nobody watched under it.
    """

    name: str
    kind: RuleKind = RuleKind.MISSED
    kpi: str | None = None
    level: str = "target"
    clear_level: str | None = None
    window: Window = msgspec.field(default_factory=Window)
    severity: Severity = Severity.SERIOUS
    worse: dict[str, Severity] = msgspec.field(default_factory=dict)
    since: date | None = None
    clause: str | None = None

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("a rule needs a name: it is part of what makes two tickets the same one")
        for level, severity in self.worse.items():
            if severity.rank < self.severity.rank:
                raise ValueError(f"missing {level!r} is {severity}, below the rule's own severity {self.severity}")


Unless = Literal["acknowledged", "plan_submitted", "plan_approved", "closed"]


class LevelParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of the escalation: reached `after` so much business time since opening, `unless` something was done by then.

    `to` are roles (`vendor.site_lead`, `client.partner_manager`), never persons. The first level has no `after`.
    `agenda` names the forum on whose agenda the ticket then stands; `serve_notice` opens the task to serve the contractual
    notice, because neither a ticket nor a mail is one.
    """

    level: int
    to: tuple[str, ...]
    after: BusinessSpan | None = None
    unless: Unless = "acknowledged"
    channel: str = "mail"
    acknowledge_within: BusinessSpan | None = None
    plan_within: BusinessSpan | None = None
    agenda: str | None = None
    serve_notice: bool = False

    def __post_init__(self) -> None:
        if self.level < 1:
            raise ValueError(f"level {self.level}: levels count from 1")
        if not self.to:
            raise ValueError(f"level {self.level} is addressed to nobody: name at least one role")
        if (self.level == 1) != (self.after is None):
            raise ValueError(f"level {self.level}: the first level starts at once, every later one after a span")


class QuietHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Messages go out from `allowed_from` up to, not including, `allowed_until`, on the receiver's wall clock and open days.

    An interval that ends before it starts runs over midnight; equal ends are refused, they could mean never or always.
    """

    allowed_from: time = time(8)
    allowed_until: time = time(20)
    open_days_only: bool = True

    def __post_init__(self) -> None:
        if self.allowed_from == self.allowed_until:
            raise ValueError(f"messages from {self.allowed_from} to {self.allowed_until}: the ends must differ")


DEFAULT_LEVELS = (LevelParameters(level=1, to=("vendor.site_lead", "client.partner_manager")),)


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a ticket of this contract is run by, apart from its rule. Copied into the ticket when it opens.

    `first_level` is where a ticket of that severity starts; one without an entry starts at 1. The spans are the defaults that
    published contract clauses support; each is a setting. `calendar` is the vendor's business time (acknowledging, planning,
    levels), `client_calendar` the client's (deciding); the latter defaults to the former.
    """

    calendar: str
    client_calendar: str | None = None
    conventions: Conventions = DEFAULT_CONVENTIONS
    levels: tuple[LevelParameters, ...] = DEFAULT_LEVELS
    first_level: dict[Severity, int] = msgspec.field(default_factory=dict)
    acknowledge_within: BusinessSpan = BusinessSpan(days=1)
    containment_within: BusinessSpan = BusinessSpan(days=2)
    plan_within: BusinessSpan = BusinessSpan(days=5)
    plan_within_critical: BusinessSpan = BusinessSpan(days=10)
    plan_again_within_min: BusinessSpan = BusinessSpan(days=2)
    decide_within: BusinessSpan = BusinessSpan(days=5)
    idle_after_acknowledgement: BusinessSpan = BusinessSpan(days=3)
    remind_every: BusinessSpan = BusinessSpan(days=5)
    rounds_max: int = 3
    thresholds_percent: tuple[int, ...] = (50, 75, 100)
    reopen_within_periods: int = 3
    repeat_within_days: int = 90
    auto_resolve_level_1: bool = True
    effective_after_good_periods: int = 3
    effective_days_min: dict[Severity, int] = msgspec.field(
        default_factory=lambda: {Severity.MINOR: 30, Severity.SERIOUS: 60, Severity.CRITICAL: 90}
    )
    quiet_hours: QuietHours = QuietHours()
    vendor_role: str = "vendor.site_lead"
    client_role: str = "client.partner_manager"

    def __post_init__(self) -> None:
        numbers = [each.level for each in self.levels]
        if numbers != list(range(1, len(numbers) + 1)):
            raise ValueError(f"the levels are numbered {numbers}: number them 1, 2, 3 … without a gap")
        if DEADLINE_PERCENT not in self.thresholds_percent or any(not 0 < each <= DEADLINE_PERCENT for each in self.thresholds_percent):
            raise ValueError(f"thresholds {self.thresholds_percent}: they lie above 0 and include 100, the deadline itself")
        if any(not 1 <= first <= len(numbers) for first in self.first_level.values()):
            raise ValueError(f"tickets would start at levels {sorted(self.first_level.values())}, of which some do not exist")
        if self.rounds_max < 1:
            raise ValueError(f"{self.rounds_max} rounds of reminders: at least one is needed")
        if set(self.effective_days_min) != set(Severity):
            raise ValueError("the shortest observation is given for each of minor, serious and critical")

    @property
    def top_level(self) -> int:
        return len(self.levels)

    def starts_at(self, severity: Severity) -> int:
        return self.first_level.get(severity, 1)

    def level(self, number: int) -> LevelParameters:
        return self.levels[number - 1]


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One KPI result as the rules see it: a half-open period, its status word, and which named levels it met.

    `met` is judged where the value is computed, exactly; nothing here compares numbers. `counts` is the pair of counts
    behind the value, in which a metric that stands still is recognised.
    """

    from_: date
    until: date
    status: Status
    met: Mapping[str, bool] = msgspec.field(default_factory=dict)
    value: Decimal | None = None
    counts: tuple[Decimal | None, Decimal | None] | None = None

    def __post_init__(self) -> None:
        if not self.from_ < self.until:
            raise ValueError(f"the period {self.from_} to {self.until} is empty")


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The results of one KPI at one place, oldest period first; `contract` is the lineage, the same for every version."""

    vendor: str
    contract: str
    site: str
    kpi: str
    observations: tuple[Observation, ...]
    dimensions: Mapping[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        for earlier, later in itertools.pairwise(self.observations):
            if later.from_ < earlier.until:
                raise ValueError(
                    f"{self.contract}, {self.site}, {self.kpi}: the period from {later.from_} begins before the one before it ends"
                )


def canonical_dimensions(dimensions: Mapping[str, str]) -> str:
    """The dimensions as one text, equal exactly when they mean the same: sorted, normalised, empty ones left out."""
    named = {_normal(name): _normal(value) for name, value in dimensions.items() if _normal(value)}
    return msgspec.json.encode(sorted(named.items())).decode()


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


class TicketKey(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """What makes two problems the same running problem.

    Neither the contract's version nor the period is in it: a renewed contract, or the next month, continues the ticket.
    """

    contract: str
    site: str
    dimensions: str
    kpi: str
    rule: str

    @classmethod
    def of(cls, series: Series, rule: RuleParameters) -> TicketKey:
        return cls(
            contract=_normal(series.contract),
            site=_normal(series.site),
            dimensions=canonical_dimensions(series.dimensions),
            kpi=_normal(series.kpi),
            rule=_normal(rule.name),
        )

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, over the parts written so that none can run into the next."""
        parts = (self.contract, self.site, self.dimensions, self.kpi, self.rule)
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def kinds(observations: Sequence[Observation], rule: RuleParameters) -> tuple[PeriodKind, ...]:
    """What each period says to the rule, oldest first.

    A period without a judged value is never good and never a breach of a target. To a rule on missing data it is the other
    way round: nothing came is the breach, and a period in which the source answered, even with no volume, is good.
    """
    if rule.kind is RuleKind.FROZEN:
        return _frozen_kinds(observations)
    if rule.kind is RuleKind.MISSING:
        return tuple(_missing_kind(each) for each in observations)
    return tuple(_level_kind(each, rule) for each in observations)


def _level_kind(observation: Observation, rule: RuleParameters) -> PeriodKind:
    if observation.status == "no_data":
        return PeriodKind.MISSING
    if observation.status != "measured":
        return PeriodKind.EXCLUDED
    met = observation.met.get(rule.level)
    if met is None:
        # Before a level's first day, or where it does not apply to this place, there is nothing to miss.
        return PeriodKind.EXCLUDED
    if not met:
        return PeriodKind.BREACH
    # A clear level that is not in force asks for nothing, or the ticket could never close.
    if rule.clear_level is not None and not observation.met.get(rule.clear_level, True):
        return PeriodKind.SHORT
    return PeriodKind.GOOD


def _missing_kind(observation: Observation) -> PeriodKind:
    if observation.status == "no_data":
        return PeriodKind.BREACH
    if observation.status in ("relieved", "accumulating"):
        return PeriodKind.EXCLUDED
    return PeriodKind.GOOD


def _frozen_kinds(observations: Sequence[Observation]) -> tuple[PeriodKind, ...]:
    """A breach is a pair of counts equal, digit by digit, to those of the last measured period."""
    found = []
    last: tuple[Decimal | None, Decimal | None] | None = None
    for each in observations:
        if each.status != "measured" or each.counts is None:
            found.append(PeriodKind.MISSING if each.status == "no_data" else PeriodKind.EXCLUDED)
            continue
        found.append(PeriodKind.BREACH if each.counts == last else PeriodKind.GOOD)
        last = each.counts
    return tuple(found)


def observed_severity(observation: Observation, rule: RuleParameters) -> Severity:
    """The rule's severity, or the highest among the deeper levels this period missed as well."""
    missed = [severity for level, severity in rule.worse.items() if observation.met.get(level) is False]
    return max([rule.severity, *missed], key=lambda each: each.rank)
