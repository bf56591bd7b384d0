"""The contract document: what was promised, as one readable text.

A contract is written in YAML (or JSON), read by :mod:`contracts.reading` into these types, and never
interpreted from strings: there is no formula language.  A few parts recur everywhere:

* a **level** is a named point on a KPI's axis, from a day, possibly for some scopes only;
* a **curve** (:mod:`contracts.curve`) turns a value into an amount: scores, points, credits, bonus, factors;
* a **window** counts periods: repeats, chronic failure, earn-back, rights, escalation;
* a **base** is what a percentage is a percentage of;
* a **gate** makes others pay or score nothing while a condition fails;
* a **cap** limits a sum over a span, and says what happens to the excess.

Percent runs from 0 to 100 everywhere.  Every span is half-open: ``from`` belongs to it, ``until`` does not.
Each field carries its meaning and its default in the text below it; the JSON Schema and the reference are made
from these texts.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct, field

from contracts.business_time import Conventions
from contracts.curve import Curve, Mark, Step
from contracts.errors import RefusedValue
from contracts.period import calendar_anchor


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Shared settings of every part: immutable, no unknown fields, defaults left out when written."""


Boundary = Literal["at_least", "more_than", "at_most", "less_than"]
Unit = Literal["percent", "count", "seconds", "minutes", "hours", "days", "money", "points", "ratio"]
Better = Literal["higher", "lower", "inside"]
Mode = Literal["half_even", "half_up", "half_down", "up", "down", "floor", "ceiling"]
Span = Literal["day", "week", "month", "quarter", "year"]


class InForce(Part, frozen=True, kw_only=True):
    """The half-open span in which the contract, or this version of it, holds."""

    from_: date = field(name="from")
    """The first day."""
    until: date | None = None
    """The first day after; not given, the contract has no end."""

    def __post_init__(self) -> None:
        if self.until is not None and self.until <= self.from_:
            message = f"ends on {self.until}, not after it begins on {self.from_}"
            raise RefusedValue(message, "Write a later day in until.", field="until")


class Executed(Part, frozen=True, kw_only=True):
    """The signed paper this document encodes."""

    document: str
    """The file name or archive number of the executed contract."""
    sha256: str | None = None
    """The hash of that file, 64 hexadecimal digits."""
    precedence: list[Literal["clause", "table", "example"]] = field(default_factory=lambda: ["clause", "table", "example"])
    """Which text prevails where the paper contradicts itself."""
    deviations: list[str] = []
    """Every point in which this document knowingly differs from the paper."""


class Cycle(Part, frozen=True, kw_only=True):
    """Equal spans of time, one after the other."""

    each: Span = "month"
    """The length of a period."""
    anchor_day: int = 1
    """The day of the month on which a period begins (1 to 28), for months, quarters and years."""
    anchor_month: int = 1
    """The month in which a year begins (1 to 12), and from which quarters are counted."""

    def __post_init__(self) -> None:
        if not 1 <= self.anchor_day <= 28:
            message = f"a period cannot begin on day {self.anchor_day} of every month"
            raise RefusedValue(message, "Choose 1 to 28.", field="anchor_day")
        if not 1 <= self.anchor_month <= 12:
            raise RefusedValue(f"the months are numbered 1 to 12, not {self.anchor_month}", "Choose 1 to 12.", field="anchor_month")

    @property
    def anchor(self) -> date:
        """A day on which one of the spans begins."""
        day = calendar_anchor(self.each, anchor_day=self.anchor_day)
        return day if self.each in ("day", "week") else day.replace(month=self.anchor_month)


class Cadence(Cycle, frozen=True, kw_only=True):
    """How time is cut into measurement periods."""

    first: Literal["from_date", "full_period", "next_quarter"] = "from_date"
    """The first measured period: a stub from the first day, the first full one, or from the next calendar quarter."""
    amended: Literal["split", "at_start", "at_end"] = "split"
    """What a version change inside a period does: two parts by event time, or one period under the first or last version."""
    parts: Literal["keep", "drop", "merge"] = "keep"
    """What becomes of the piece before the first whole period and after the last: measured by itself, left out, or
    added to its neighbour."""


class Review(Cycle, frozen=True, kw_only=True):
    """How often results are reviewed, where that is less often than they are measured."""

    each: Span = "quarter"
    """The length of a review period."""


Changed = Literal["kpis", "levels", "weights", "allocation", "money", "calendars", "scope", "escalation"]


class AmendmentTerms(Part, frozen=True, kw_only=True):
    """What an amendment of some parts has to respect; whoever agrees one is told where it does not."""

    of: list[Changed]
    """The parts: the KPIs themselves, their levels, their weights, the shares of pools and credits (``allocation``), …"""
    notice_days: int | None = None
    """How many days before its first day it has to be announced (see ``announced_on``)."""
    once_in_months: int | None = None
    """It may be changed once in so many months: 12 for once a year."""
    clause: str | None = None
    """The clause."""

    def __post_init__(self) -> None:
        if not self.of:
            msg = "terms of amendment are about something; name the parts, as in {of: [weights], notice_days: 30}"
            raise ValueError(msg)
        if self.notice_days is None and self.once_in_months is None:
            msg = "terms of amendment ask for something; write notice_days, once_in_months or both"
            raise ValueError(msg)
        if self.notice_days is not None and self.notice_days < 0:
            raise RefusedValue(f"notice cannot be of {self.notice_days} days", "Write 0 or more.", field="notice_days")
        if self.once_in_months is not None and self.once_in_months < 1:
            message = f"a change cannot come once in {self.once_in_months} months"
            raise RefusedValue(message, "Write 1 or more.", field="once_in_months")


class Instruction(Part, frozen=True, kw_only=True):
    """A work instruction or policy handbook that the vendor works by."""

    title: str
    """Its title."""
    version: str
    """The version in force, so that a quality result can be read against the right text."""
    link: str | None = None
    """Where it can be read."""


class Headcount(Part, frozen=True, kw_only=True):
    """People of a role from a day on; a ramp is several of these."""

    from_: date = field(name="from")
    """The first day of this number."""
    role: str
    """The role, such as moderator or team lead."""
    count: int
    """How many."""


class Milestone(Part, frozen=True, kw_only=True):
    """Something due on a day."""

    name: str
    """What is due."""
    due: date
    """The day by which."""


class Volume(Part, frozen=True, kw_only=True):
    """Forecast volume and the band in which it binds."""

    forecast: str
    """The measure that carries the forecast."""
    actual: str | None = None
    """The measure that carries what really came."""
    excused_above_percent: Decimal | None = None
    """Volume above this percentage of the forecast is excused."""


class ScopeOfWork(Part, frozen=True, kw_only=True):
    """What is done where: one site and one workstream."""

    site: str
    """The site's short name, as sources deliver it."""
    name: str | None = None
    """The site's name for people."""
    country: str | None = None
    """ISO 3166 code, such as PT."""
    region: str | None = None
    """The region it is managed in."""
    time_zone: str | None = None
    """The site's own zone; not given, the contract's."""
    currency: str | None = None
    """ISO 4217 code of the amounts that the site's money measures are delivered in; not given, the contract's.  Bases convert
    them by ``money.rates``."""
    workstream: str | None = None
    """product-moderation, content-moderation, merchant-moderation, live-moderation, customer-support, or another word."""
    service: str | None = None
    """What is provided, in a sentence."""
    languages: list[str] = []
    """BCP 47 tags."""
    hours: str | None = None
    """The calendar of service hours, by name."""
    instructions: list[Instruction] = []
    """What the work is done by."""
    headcount: list[Headcount] = []
    """Agreed people by role, with ramp."""
    volume: Volume | None = None
    """Forecast and band."""
    milestones: list[Milestone] = []
    """Dates of this scope."""
    from_: date | None = field(name="from", default=None)
    """First day of the scope; not given, the contract's."""
    until: date | None = None
    """First day after the scope; not given, the contract's."""


Lasting = Literal["seconds", "minutes", "hours", "days", "calendar_days", "working_days"]
"""Units of a duration.  The last two count dates: none on the day on which it began, one for each (working) day after, up to
the day on which it ended, that day included."""


class EventFilter(Part, frozen=True, kw_only=True):
    """A range of an event's value or duration; events outside of it are not taken."""

    of: Lasting | Literal["value"] = "value"
    """What is compared: the event's own value, or how long it lasted; ``calendar_days`` and ``working_days`` count dates, the
    day on which it began being day 0."""
    at_least: Decimal | None = None
    """The smallest number inside."""
    more_than: Decimal | None = None
    """The largest number outside, below."""
    at_most: Decimal | None = None
    """The largest number inside."""
    less_than: Decimal | None = None
    """The smallest number outside, above."""

    def __post_init__(self) -> None:
        if self.at_least is self.more_than is self.at_most is self.less_than is None:
            msg = "a filter without an end lets everything through; write at_least, more_than, at_most or less_than"
            raise ValueError(msg)


class FromEvents(Part, frozen=True, kw_only=True):
    """How a measure is made from single events: tickets, outages, deliveries.

    Each event counts on the day on which it began (or ended).  Where a file of events was delivered, a day without
    one is a zero and not a gap.
    """

    kind: str
    """The kind of event, as the file of events names it."""
    take: Literal["count", "value"] | Lasting = "count"
    """One for each event, its own value, or how long it lasted; ``calendar_days`` and ``working_days`` count dates, the day on
    which it began being day 0."""
    at: Literal["start", "end", "each_day", "period_end"] = "start"
    """Which of its two moments decides the day; ``each_day``: a duration is split over the days, and periods, that it lasts;
    ``period_end``: it counts at the end of every period in which it is still open, with its age by then."""
    overlap: Literal["added", "once"] = "added"
    """Time in which several events last at once, at one site with the same dimensions: counted for each, or once."""
    calendar: str | None = None
    """Durations are counted in this calendar's business time; not given, around the clock."""
    value_percent: bool = False
    """The event's value is the percentage by which it counts: 20 hours at 10 % are 2 equivalent hours."""
    only: list[EventFilter] = []
    """Only events inside all of these ranges: a ticket solved within 4 hours, a shock above 0.5."""
    where: dict[str, str | list[str]] = {}
    """Only events with these values of dimensions."""
    pauses: list[str] = []
    """Kinds of events that stop the clock of the event with the same number at the same site, such as waiting for the customer."""


class FromTime(Part, frozen=True, kw_only=True):
    """The length of the period itself: the minutes that availability is a share of."""

    take: Literal["seconds", "minutes", "hours", "days"] = "minutes"
    """Its unit."""
    calendar: str | None = None
    """Only this calendar's open time; not given, around the clock."""


class Measure(Part, frozen=True, kw_only=True):
    """A named count or amount that a source delivers; never a percentage, unless it is declared as ``given``."""

    title: str | None = None
    """The measure in words."""
    part_of: str | None = None
    """The measure this one is a part of; a larger part than the whole is refused at intake."""
    money: bool = False
    """An amount in the contract's currency rather than a count."""
    given: bool = False
    """A result of which no counts are known (a reported percentage); it is judged and marked as not recomputable."""
    percentile: bool = False
    """A reported percentile: several of them say nothing together, not even weighted by their numbers of cases."""
    events: FromEvents | None = None
    """It is not delivered but made from single events."""
    time: FromTime | None = None
    """It is not delivered but the time of the period, for each site (and dimensions) that the KPI's other measures come for."""
    may_be_negative: bool = False
    """It may lie below zero: a deviation, a balance.  Money and reported results always may; other counts are refused then."""
    snapshot: bool = False
    """A state at a moment (open items, people) rather than a flow: wherever it is counted, the last of a period stands for the
    period, and sites are added."""
    duty_of: Literal["vendor", "client"] = "vendor"
    """Who has to deliver it."""


class Term(Part, frozen=True, kw_only=True):
    """A measure with a factor inside a sum, such as hours at 10 % reduced capacity."""

    measure: str
    """The measure."""
    times: Decimal = Decimal(1)
    """The factor it enters with."""


class Signed(Part, frozen=True, kw_only=True):
    """A sum with deductions: ``{plus: [offered], minus: [short_abandons]}``."""

    plus: list[str | Term]
    """What is added."""
    minus: list[str | Term] = []
    """What is taken off."""


Counts = str | list[str | Term] | Signed
"""One measure, several added, or a sum with deductions."""


class Ratio(Part, frozen=True, kw_only=True):
    """The part of a whole, in percent: ``100 × Σ of ÷ Σ to``."""

    of: Counts
    """The numerator's counts."""
    to: Counts
    """The denominator's counts."""


class Mean(Part, frozen=True, kw_only=True):
    """An amount per unit: ``Σ of ÷ Σ per``, for example seconds per answered call."""

    of: Counts
    """The summed amount."""
    per: Counts
    """What it is divided by."""


class Rate(Part, frozen=True, kw_only=True):
    """Events per so many units: ``each × Σ of ÷ Σ to``."""

    of: Counts
    """The events."""
    to: Counts
    """What they are counted against."""
    each: Decimal = Decimal(1000)
    """Per how many."""


class MovingMean(Part, frozen=True, kw_only=True):
    """The mean of this and earlier periods' results, or their value by all counts together, as the clause says."""

    of: str
    """The KPI whose results are taken together."""
    periods: int | None = None
    """How many periods, this one included; fewer at the start."""
    since: Literal["review"] | None = None
    """Instead: all periods since the review period began, such as the year to date."""
    by: Literal["results", "counts"] = "results"
    """Each result counts once; or their numerators and denominators are added."""

    def __post_init__(self) -> None:
        if (self.periods is None) == (self.since is None):
            msg = "a moving mean is over so many periods, or since the review began, one of them; write periods or since"
            raise ValueError(msg)


class Bin(Part, frozen=True, kw_only=True):
    """One class of a histogram whose edges the contract fixes."""

    measure: str
    """The measure that counts the class."""
    up_to: Decimal | None = None
    """Its upper edge, which belongs to it; the last class may have none."""


class Percentile(Part, frozen=True, kw_only=True):
    """A percentile: exact, from single events; or by class, from a histogram.  Percentiles are never averaged."""

    percent: Decimal
    """Which one: 95 for the 95th."""
    of: str | None = None
    """The measure made from events, each of which is one case."""
    histogram: list[Bin] = []
    """Or the classes, from the lowest."""
    method: Literal["nearest_rank", "linear"] = "nearest_rank"
    """``nearest_rank``: the smallest case (or the class's upper edge) that at least so many percent do not exceed;
    ``linear``: between the two cases beside the rank, or inside the class."""

    def __post_init__(self) -> None:
        if (self.of is None) == (not self.histogram):
            msg = "a percentile is taken of a measure made from events (of), or of a histogram; write one of the two"
            raise ValueError(msg)
        if not 0 < self.percent <= 100:
            raise RefusedValue(f"there is no percentile {self.percent}", "Write more than 0 and at most 100.", field="percent")


class Intervals(Part, frozen=True, kw_only=True):
    """The share of intervals, in percent, in which a ratio or mean meets a number: 80 % of half-hours at 75 % or more.
    Or the mean of their values, each interval counting once.

    An interval is the span of the rows; one with no volume is left out, unless ``no_volume`` says what it counts as.
    """

    ratio: Ratio | None = None
    """What is judged in each interval, as a percentage …"""
    mean: Mean | None = None
    """… or as an amount per unit."""
    at_least: Decimal | None = None
    """An interval is met from this number on."""
    at_most: Decimal | None = None
    """An interval is met up to this number."""
    take: Literal["share_met", "mean"] = "share_met"
    """``mean``: the mean of the intervals' values, where the clause says so; then nothing is met."""
    no_volume: Decimal | None = None
    """The value of an interval without volume; not given, it is left out."""

    def __post_init__(self) -> None:
        if (self.ratio is None) == (self.mean is None):
            msg = "intervals are judged by a ratio or a mean, one of them; write one of the two"
            raise ValueError(msg)
        if self.take == "mean" and not self.at_least is self.at_most is None:
            msg = "a mean of intervals meets nothing; drop at_least and at_most, or take share_met"
            raise ValueError(msg)
        if self.take == "share_met" and (self.at_least is None) == (self.at_most is None):
            msg = "an interval is met at_least or at_most a number, one of them; write one of the two"
            raise ValueError(msg)


class Stratified(Part, frozen=True, kw_only=True):
    """A sampled ratio by stratum, weighted by the volume of each: ``Σ volume·of÷to ÷ Σ volume``, in percent."""

    of: Counts
    """The sample's numerator."""
    to: Counts
    """The sample's denominator."""
    by: str
    """The dimension whose values are the strata."""
    volume: str
    """The measure that weighs a stratum."""
    unsampled: Literal["no_data", "left_out"] = "no_data"
    """A stratum with volume and no sample: the period has no data, or the stratum is left out."""


class ShareMet(Part, frozen=True, kw_only=True):
    """The percentage of another KPI's judged scopes that meet a level: the share of operators, of zones, of queues."""

    of: str
    """The KPI, judged at finer scopes."""
    level: str = "target"
    """The level."""
    give: Literal["percent", "met", "missed"] = "percent"
    """The percentage of them, or how many met, or missed: not more than one zone may fail."""


class Across(Part, frozen=True, kw_only=True):
    """One figure made of another KPI's results at finer scopes: how far the sites lie apart, the median of the queues.

    Every scope with a value counts once, whatever its volume; one without a value is left out.
    """

    of: str
    """The KPI, judged at finer scopes."""
    take: Literal["spread", "greatest", "least", "mean", "median", "percentile"]
    """``spread``: the greatest less the least; ``median``: the middle one, or the mean of the two in the middle."""
    percent: Decimal | None = None
    """``percentile`` only, which one: 90 for the 90th."""
    method: Literal["nearest_rank", "linear"] = "nearest_rank"
    """``percentile`` only: the result that at least so many percent do not exceed, or between the two beside the rank."""

    def __post_init__(self) -> None:
        if (self.take == "percentile") != (self.percent is not None):
            msg = "percent belongs to take: percentile, which needs it; write {of: accuracy, take: percentile, percent: 90}"
            raise ValueError(msg)
        if self.percent is not None and not 0 < self.percent <= 100:
            raise RefusedValue(f"there is no percentile {self.percent}", "Write more than 0 and at most 100.", field="percent")


class Operand(Part, frozen=True, kw_only=True):
    """One input of a derived KPI: exactly one of these."""

    kpi: str | None = None
    """Another KPI's value of the same scope and period."""
    measure: str | None = None
    """A measure's sum."""
    number: Decimal | None = None
    """A constant."""
    best_before: str | None = None
    """The best value that this KPI reached in any earlier period of the contract."""
    previous: str | None = None
    """That KPI's value in the period before."""
    derived: Derived | None = None
    """A derivation inside this one."""
    back: int = 1
    """``previous`` only: how many periods before; 12 months before is the same month of last year."""

    def __post_init__(self) -> None:
        if self.back < 1 or (self.back != 1 and self.previous is None):
            message = f"back says how many periods before previous lies, and {self.back} is no such number, or there is no previous"
            raise RefusedValue(message, "Write 1 or more, beside `previous`.", field="back")
        given = [name for name in self.__struct_fields__ if name != "back" and getattr(self, name) is not None]
        if len(given) != 1:
            kinds = ", ".join(name for name in self.__struct_fields__ if name != "back")
            msg = f"an operand is one thing, and this one says {' and '.join(given) or 'none'}; write one of {kinds}"
            raise ValueError(msg)


class Derived(Part, frozen=True, kw_only=True):
    """A KPI computed from other results: exactly one operation."""

    sum: list[Operand] | None = None
    """All added."""
    difference: list[Operand] | None = None
    """The first less the others."""
    product: list[Operand] | None = None
    """All multiplied."""
    quotient: list[Operand] | None = None
    """The first divided by the second."""
    greatest: list[Operand] | None = None
    """The greatest of them."""
    least: list[Operand] | None = None
    """The least of them."""
    mean: list[Operand] | None = None
    """Their arithmetic mean."""

    def __post_init__(self) -> None:
        given = [name for name in self.__struct_fields__ if getattr(self, name) is not None]
        if len(given) != 1:
            kinds = ", ".join(self.__struct_fields__)
            msg = f"a derivation is one operation, and this one says {' and '.join(given) or 'none'}; write one of {kinds}"
            raise ValueError(msg)
        if not getattr(self, given[0]):
            msg = f"a {given[0]} of nothing is none; write its operands"
            raise ValueError(msg)


class Value(Part, frozen=True, kw_only=True):
    """How counts become a KPI's value: exactly one of these."""

    ratio: Ratio | None = None
    """A percentage of counts."""
    mean: Mean | None = None
    """An amount per unit."""
    rate: Rate | None = None
    """Events per thousand (or another number)."""
    sum: Counts | None = None
    """The sum of amounts."""
    count: Counts | None = None
    """The sum of whole numbers; a fraction is refused."""
    last: Counts | None = None
    """The last value delivered in the period, added over sites and dimensions: for states, not flows."""
    given: str | None = None
    """A reported value whose counts nobody delivers."""
    percentile: Percentile | None = None
    """A percentile of single events, or by the classes of a histogram."""
    intervals: Intervals | None = None
    """The share of intervals that met."""
    stratified: Stratified | None = None
    """A sampled ratio weighted by the volume of its strata."""
    share_met: ShareMet | None = None
    """The share of another KPI's scopes that met."""
    across: Across | None = None
    """The spread, median or another figure of another KPI's results over its scopes."""
    moving_mean: MovingMean | None = None
    """The mean of results over periods."""
    derived: Derived | None = None
    """Computed from other results."""

    def __post_init__(self) -> None:
        given = [name for name in self.__struct_fields__ if getattr(self, name) is not None]
        if len(given) != 1:
            kinds = ", ".join(self.__struct_fields__)
            msg = f"a KPI's value is one thing, and this one says {' and '.join(given) or 'none'}; write one of {kinds}"
            raise ValueError(msg)

    @property
    def kind(self) -> str:
        """Which of them it is."""
        return next(name for name in self.__struct_fields__ if getattr(self, name) is not None)


class LevelWhen(Part, frozen=True, kw_only=True):
    """A condition on another measure of the same scope and period, such as the site's size."""

    measure: str
    """The measure."""
    at_least: Decimal | LevelShare | None = None
    """The smallest value for which the levels hold; a number, or a share of another figure: ``{percent: 110, of: forecast}``."""
    less_than: Decimal | LevelShare | None = None
    """The first value for which they no longer hold."""


class LevelShare(Part, frozen=True, kw_only=True):
    """A level that follows another figure of the same scope and period: 85 % of forecast, a peer's median."""

    percent: Decimal = Decimal(100)
    """The percentage of it."""
    of: str | None = None
    """A measure."""
    kpi: str | None = None
    """Or another KPI's value."""

    def __post_init__(self) -> None:
        if (self.of is None) == (self.kpi is None):
            msg = "a level follows a measure (of) or another KPI (kpi), one of them; write one of the two"
            raise ValueError(msg)


class Levels(Part, frozen=True, kw_only=True):
    """Named points of a KPI's axis: from a day, for some scopes, under a condition.  The later entry wins."""

    from_: date | None = field(name="from", default=None)
    """The first day; not given, since the contract's start."""
    until: date | None = None
    """The first day after; not given, without end."""
    where: dict[str, str | list[str]] = {}
    """Only for these values of dimensions or ``site``."""
    months: list[int] = []
    """Only in periods that begin in these months (1 to 12), such as a peak season; empty, in all."""
    when: LevelWhen | None = None
    """Only while a measure lies in a range."""
    at: dict[str, Decimal | LevelShare]
    """The levels by name: ``{floor: 90, target: 95}``."""

    def __post_init__(self) -> None:
        if any(not 1 <= month <= 12 for month in self.months):
            msg = f"the months are numbered 1 to 12, not {', '.join(map(str, self.months))}"
            raise ValueError(msg)


class Sample(Part, frozen=True, kw_only=True):
    """The smallest number of cases for which a value may be judged."""

    at_least: Decimal | None = None
    """Judged from this number on."""
    more_than: Decimal | None = None
    """Judged above this number."""
    of: str | None = None
    """The measure that counts the cases; not given, the denominator."""
    otherwise: Literal["not_measured", "accumulate"] = "not_measured"
    """Below it: not measured, or counts are carried into the next period until there are enough."""

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.more_than is None):
            msg = "a minimum sample is written at_least or more_than, one of them; write one of the two"
            raise ValueError(msg)


class Precision(Part, frozen=True, kw_only=True):
    """Rounding of a value."""

    decimals: int = 2
    """Digits after the point."""
    mode: Mode = "half_up"
    """How a half is rounded."""
    when: Literal["before_comparing", "after_comparing"] = "after_comparing"
    """Whether the rounded or the exact value meets the level."""


class Repeat(Part, frozen=True, kw_only=True):
    """More for a failure that follows another."""

    last: int = 1
    """How many earlier periods are looked at."""
    at_least: int = 1
    """How many of them must have missed too."""
    missed: str = "target"
    """The level whose missing counts as the earlier failure."""
    multiply: Decimal | Curve = Decimal(2)
    """The factor; as a curve, chosen by the number of earlier failures.  It never compounds."""


class Gate(Part, frozen=True, kw_only=True):
    """While the condition fails, others pay or score nothing, or the score is limited."""

    kpi: str
    """The KPI that guards."""
    missed: str = "target"
    """The level whose missing closes the gate."""
    zero: list[str] = []
    """KPIs whose score becomes 0 while it is closed."""
    cap_score: Decimal | None = None
    """The whole score is at most this while it is closed."""
    clause: str | None = None
    """The clause."""


class Kpi(Part, frozen=True, kw_only=True):
    """One measured indicator: how counts become a value, its levels, weight and consequence."""

    title: str
    """The KPI in the contract's words."""
    clause: str | None = None
    """The clause that promises it."""
    definition: str | None = None
    """Inclusions, exclusions, clock and source in plain words; printed on the scorecard."""
    value: Value
    """How counts become a value."""
    unit: Unit | None = None
    """The value's unit; not given, percent for a ratio, count otherwise."""
    better: Better = "higher"
    """Which way is better; ``inside`` for a band between two levels named ``low`` and ``high``."""
    boundary: Boundary | None = None
    """How the value meets a level; not given, ``at_least`` where higher is better, ``at_most`` where lower is."""
    target: Decimal | None = None
    """Short for one level named target that never changes."""
    levels: list[Levels] = []
    """Dated and conditional levels."""
    for_each: list[str] = field(default_factory=lambda: ["site"])
    """The scope it is judged at: ``site`` and dimensions, or the ``country`` or ``region`` of the scope of work, to which its
    sites are added by counts; ``[]`` for the whole contract."""
    where: dict[str, str | list[str]] = {}
    """Only rows with these values of dimensions (or ``site``, ``country``, ``region``)."""
    judged: Literal["each_period", "at_review"] = "each_period"
    """In every period; or in the last period of each review, on the counts of all periods of it.  Until then they accumulate."""
    unpaired: Literal["drop_both", "no_data"] = "drop_both"
    """A span with a numerator and no denominator, or the reverse: drop both sides, or the period has no data."""
    completeness: Decimal = Decimal(0)
    """The percentage of the period's spans that must have come; below it the period has no data."""
    no_volume: Literal["not_judged", "met", "missed"] | None = None
    """What a zero denominator counts as; not given, it is not judged (and ``contract check`` asks)."""
    sample: Sample | None = None
    """The minimum sample."""
    precision: Precision | None = None
    """Rounding; not given, the exact value is compared."""
    bands: list[Step] = []
    """Named severities by value, where the contract has a table of them."""
    score: Curve | None = None
    """Value → score, usually 0 to 100."""
    points: Curve | None = None
    """Value → service points."""
    repeat: Repeat | None = None
    """A factor on the points of a failure that repeats."""
    weight: Decimal | None = None
    """Its weight in the score; not given, it is shown and does not count."""
    group: str | None = None
    """The heading under which it is scored and shown."""
    missing: Literal["reweight", "zero", "full", "previous"] = "reweight"
    """Without a judged value: hand the weight on, score 0, score 100, or score what the last judged value gives under
    the levels of this period (before there is one, hand the weight on)."""
    deemed: Decimal | None = None
    """The value that a period without data counts as: a report that does not come is a total failure, say.  Not given, the
    period is not judged."""
    streak: Literal["skips", "breaks"] = "skips"
    """Whether a period that is not judged is passed over by a streak or ends it."""
    sampled: bool = False
    """Its counts come from a sample, so that n and an interval are shown."""
    critical: bool = False
    """A critical service level: its panel comes first on the scorecard."""
    zone: Literal["contract", "site"] = "contract"
    """Whose midnight cuts its days."""
    part_period: Literal["whole", "pro_rata"] = "whole"
    """In a period cut short: levels stand as written, or those of a ``count`` or ``sum`` shrink with the days."""
    duty_of: Literal["vendor", "client"] = "vendor"
    """A client duty is measured and shown in its own block, and never scored against the vendor."""


class Allocation(Part, frozen=True, kw_only=True):
    """How much may be allotted; ``contract check`` adds up what is."""

    in_all: Decimal | None = None
    """All shares together are at most this percentage; it may lie above 100."""
    to_one: Decimal | None = None
    """No KPI has a larger share than this percentage."""

    def __post_init__(self) -> None:
        if self.in_all is None and self.to_one is None:
            msg = "an allocation says in_all, to_one or both; write {in_all: 150, to_one: 20}"
            raise ValueError(msg)


class Base(Part, frozen=True, kw_only=True):
    """What a percentage is a percentage of: exactly one source, possibly a share of it, of this period or of the one beside it."""

    measure: str | None = None
    """A money measure's sum over the period."""
    fixed: Decimal | None = None
    """A fixed amount per period."""
    percent: Decimal | None = None
    """A percentage of the base in ``of``."""
    of: str | None = None
    """The base that ``percent`` refers to."""
    plus: list[str] = []
    """A sum of bases or measures."""
    minus: list[str] = []
    """What that sum is reduced by."""
    credits: str | list[str] | None = None
    """What these rules (or KPIs) gave before in the same period, in the order written; ``all`` for every credit: charges net of
    earlier credits, or a credit on a credit."""
    in_period: Literal["this", "previous", "next"] = "this"
    """Whose amount it is: this period's, that of the period before, or that of the period after.  What depends on the next
    period is priced when that period is, and counts there."""
    without_tax: bool = False
    """The amount is delivered with tax, and the percentage is of what it is without (see ``money.invoice.tax``)."""
    for_each: list[str] | None = None
    """The scope the amount exists for; not given, what the measure is delivered by, and contract-wide for a fixed
    amount."""
    per: Literal["period", "year"] = "period"
    """``fixed`` only: the amount is for one period (a part period has its share), or for a whole contract year."""
    allocation: Allocation | None = None
    """How much of it credits may take: of a pool 150 percent in all, and 20 to one KPI."""

    def __post_init__(self) -> None:
        ways = [self.measure is not None, self.fixed is not None, self.percent is not None, bool(self.plus or self.minus),
                self.credits is not None]
        if sum(ways) != 1:
            msg = "a base is one thing: measure, fixed, percent with of, plus with minus, or credits; write one of them"
            raise ValueError(msg)
        if (self.percent is None) != (self.of is None):
            msg = "a share of a base needs both percent and of; write both, as in {percent: 12, of: charges}"
            raise ValueError(msg)


class Window(Part, frozen=True, kw_only=True):
    """So many of the last periods."""

    last: int = 1
    """How many periods are looked at, this one included."""
    at_least: int | None = None
    """How many of them must fulfil the condition; not given, all."""
    in_a_row: int | None = None
    """How many in a row, ending with this one."""
    mean_below: Decimal | None = None
    """The mean of the values lies below this."""
    mean_above: Decimal | None = None
    """The mean of the values lies above this."""
    summed: bool = False
    """Points or credits of all these periods together reach the number, rather than those of each."""


class When(Part, frozen=True, kw_only=True):
    """A condition on results of the same scope: exactly one predicate, in this period or over a window."""

    kpi: str | None = None
    """The KPI; not given, the one the rule is for."""
    any_kpi: bool = False
    """Any KPI with a target."""
    missed: str | None = None
    """A level is missed."""
    met: str | None = None
    """A level is met."""
    exceeded: str | None = None
    """A level is met and not merely equalled."""
    band: list[str] = []
    """The value lies in one of these bands."""
    credit_percent: Decimal | None = None
    """Credits of the period reach this percentage of ``of``."""
    of: str | None = None
    """The base of ``credit_percent``."""
    credited: bool = False
    """A credit arose."""
    at_cap: str | None = None
    """The named cap was reached."""
    points_at_least: Decimal | None = None
    """The points of the period reach this."""
    score_below: Decimal | None = None
    """The score of the period lies below this."""
    all: list[When] = []
    """All of these hold in the same period: missed expected, and met minimum."""
    either: list[When] = []
    """At least one of these holds in the period."""
    months: list[int] = []
    """Only periods that begin in these months (1 to 12)."""
    window: Window | None = None
    """Over which periods; not given, this one."""

    def __post_init__(self) -> None:
        if self.any_kpi and self.kpi:
            msg = "a condition is on one KPI or on any KPI, not both; keep one of the two"
            raise ValueError(msg)
        said = [
            name
            for name in ("missed", "met", "exceeded", "band", "credit_percent", "credited", "at_cap", "points_at_least",
                         "score_below", "all", "either")
            if getattr(self, name) not in (None, False, [])
        ]
        if len(said) > 1:
            msg = f"a condition says one thing, and this one says {' and '.join(said)}; write them under all or either"
            raise ValueError(msg)
        if any(inner.window is not None for inner in (*self.all, *self.either)):
            msg = "inside all and either, conditions are about one period; write the window outside of them"
            raise ValueError(msg)
        if any(not 1 <= month <= 12 for month in self.months):
            message = f"the months are numbered 1 to 12, not {', '.join(map(str, self.months))}"
            raise RefusedValue(message, "Write numbers from 1 to 12.", field="months")


class Count(Part, frozen=True, kw_only=True):
    """A number counted over periods, for a curve: how many of the last so many periods (or failures in them)."""

    last: int
    """How many periods, this one included."""
    missed: str = "target"
    """The level whose missing is counted."""
    any_kpi: bool = False
    """Failures of every KPI are counted together."""
    once: bool = False
    """What was paid in the span for the same rule is taken off: each ten failures are paid for once."""


class By(Part, frozen=True, kw_only=True):
    """The number that a payment's curve is read at: exactly one."""

    measure: str | None = None
    """A measure's sum in the period."""
    count: Count | None = None
    """Failures counted over periods."""
    total: Literal["points", "score"] | None = None
    """The scope's points or score."""
    last: int = 1
    """``total: points`` only: the points of so many periods together, this one included."""
    base: str | None = None
    """The amount of a base."""
    kpi: str | None = None
    """Another KPI's value in the same scope and period."""
    each_event: str | None = None
    """Every single event of this measure: the curve is read at each, and the amounts are added."""


class Factor(Part, frozen=True, kw_only=True):
    """One factor of a product: exactly one of number, measure and curve."""

    name: str | None = None
    """What the contract calls it."""
    number: Decimal | None = None
    """A constant."""
    measure: str | None = None
    """A measure's sum in the period."""
    curve: Curve | None = None
    """A curve, read at ``by`` (not given, at the KPI's value)."""
    by: By | None = None
    """What the curve is read at."""
    divide: bool = False
    """Divide by it instead."""
    round: Precision | None = None
    """The product so far is rounded after this factor, where the contract says so."""

    def __post_init__(self) -> None:
        if [self.number, self.measure, self.curve].count(None) != 2:
            msg = "a factor is one of number, measure and curve; write one of them"
            raise ValueError(msg)


class Share(Part, frozen=True, kw_only=True):
    """A factor: the part of a whole that is affected, such as users or units."""

    of: str
    """The affected."""
    to: str
    """All of them."""


class Pay(Part, frozen=True, kw_only=True):
    """How much: a percentage of a base, or an amount of money; each a number or a curve."""

    percent: Decimal | Curve | None = None
    """Percent of the base in ``of``."""
    amount: Decimal | Curve | None = None
    """Money."""
    of: str | None = None
    """The base of ``percent``."""
    by: By | None = None
    """What a curve is read at; not given, the KPI's value."""
    share: Share | None = None
    """Only this part of it."""
    times: Decimal | None = None
    """A constant factor, such as a peak-month factor."""
    factors: list[Factor] = []
    """Further factors, applied in the order written."""

    def __post_init__(self) -> None:
        if (self.percent is None) == (self.amount is None):
            msg = "a payment is percent of a base or an amount, one of them; write one of the two"
            raise ValueError(msg)
        if (self.percent is None) != (self.of is None):
            msg = "percent and the base it is a percentage of go together; write both, as in {percent: 5, of: charges}"
            raise ValueError(msg)


class Rung(Part, frozen=True, kw_only=True):
    """One rung of a ladder that climbs with the number of failures."""

    pay: Pay
    """What this failure costs."""
    at_most: Decimal | None = None
    """Its own maximum."""


class Ladder(Part, frozen=True, kw_only=True):
    """The n-th failure inside a rolling span costs what the n-th rung says; the last rung goes on."""

    last: int
    """How many periods back failures are counted."""
    rungs: list[Rung]
    """First failure, second, and so on."""


class Offset(Part, frozen=True, kw_only=True):
    """An amount in the vendor's favour that is never paid: it takes off credits, now or from a bank in later periods."""

    on: list[str] = []
    """Only credits of these KPIs or rules; empty, all."""
    except_: list[str] = field(name="except", default=[])
    """Never credits of these KPIs or rules, such as a critical failure."""
    except_bands: list[str] = []
    """Never credits of a failure in these bands, such as *severe*."""
    starts: Literal["this_period", "next_period"] = "this_period"
    """Whether it takes off credits of its own period, or only of later ones."""
    keep: int = 0
    """For how many following periods it stays good for what is left of it; 0: what is left lapses at once."""


class Payment(Part, frozen=True, kw_only=True):
    """A credit (or bonus) rule."""

    name: str | None = None
    """The rule's name; not given, the KPI's."""
    clause: str | None = None
    """The clause."""
    for_: str | list[str] | None = field(name="for", default=None)
    """The KPI (or KPIs, each by itself); not given, the rule is for the scope as a whole."""
    when: When | None = None
    """The condition; not given, the target is missed for a credit, met for a bonus; no condition where the pay is a curve."""
    pay: Pay | None = None
    """How much."""
    ladder: Ladder | None = None
    """Instead of ``pay``: an amount that climbs with repetition."""
    multiply: Repeat | None = None
    """A factor for repeated failure."""
    for_each: list[str] | None = None
    """The scope of one payment; not given, the scope of the KPI, or of the base where that is wider."""
    at_most: Pay | None = None
    """The payment's own maximum."""
    from_: date | None = field(name="from", default=None)
    """The first day of the rule, for rates that change from a day; not given, the contract's."""
    until: date | None = None
    """The first day on which it no longer holds."""
    unless: When | None = None
    """A gate: while this holds, the rule pays nothing."""
    spread: Literal["once", "accumulated_periods"] = "once"
    """``accumulated_periods``: the amount falls due in as many following periods as were accumulated."""
    offsets: Offset | None = None
    """``bonuses`` only: the bonus is not paid, it only takes off credits; not given, it is paid."""


class Exclusive(Part, frozen=True, kw_only=True):
    """One event, one consequence: of these KPIs' credits in one scope and period only one stands."""

    among: list[str]
    """The KPIs."""
    take: Literal["highest_amount", "highest_points", "first_listed", "claimed"] = "highest_amount"
    """Which of them stands; ``claimed``: the one that the customer chose, and the highest amount until it has chosen."""
    same: Literal["period", "event"] = "period"
    """What makes them rivals: the same scope and period, or the same single event."""
    for_each: list[str] | None = None
    """The scope inside which they are rivals; not given, exactly the same scope."""
    clause: str | None = None
    """The clause."""


class Cap(Part, frozen=True, kw_only=True):
    """A limit on credits (or bonuses) over a span."""

    name: str | None = None
    """The cap's name, for conditions that refer to it."""
    each: Literal["period", "contract_year", "calendar_year", "life"] | None = "period"
    """The span; with ``rolling`` it is not given."""
    rolling: int | None = None
    """The last so many periods, this one included."""
    percent: Decimal | None = None
    """The limit as a percentage of ``of`` over the same span."""
    of: str | None = None
    """The base of ``percent``."""
    amount: Decimal | None = None
    """The limit as money."""
    limits: Literal["credits", "bonuses"] = "credits"
    """Whose amounts are limited."""
    on: list[str] = []
    """Only amounts of these KPIs or rules; empty, all."""
    excess: Literal["lost", "carried"] = "lost"
    """What happens above the limit: lost, or carried into the next period."""
    for_each: list[str] | None = None
    """The scope of the limit; not given, the scope of the credits."""
    clause: str | None = None
    """The clause."""

    def __post_init__(self) -> None:
        if (self.percent is None) == (self.amount is None):
            msg = "a cap is percent of a base or an amount, one of them; write one of the two"
            raise ValueError(msg)
        if (self.percent is None) != (self.of is None):
            msg = "percent and the base it is a percentage of go together; write both, as in {percent: 12, of: charges}"
            raise ValueError(msg)


class EarnBack(Part, frozen=True, kw_only=True):
    """Credits returned when the vendor performs for a while after the failure."""

    percent: Decimal
    """How much of the credit comes back."""
    periods: int
    """How many following periods must perform, each of them."""
    within: int | None = None
    """The run may begin later, if it is complete so many periods after the failure; not given, it begins at once."""
    whose: Literal["kpi", "all"] = "kpi"
    """Whose results must perform: those of the KPI that failed, or of every KPI of the vendor's in the scope."""
    level: str = "target"
    """The level to perform to."""
    strictness: Literal["met", "exceeded"] = "met"
    """Whether equalling the level is enough."""
    for_: list[str] = field(name="for", default=[])
    """The KPIs whose credits can be earned back; empty, all."""
    except_months: list[int] = []
    """Credits of these months (1 to 12) stay."""
    except_bands: list[str] = []
    """Credits of a failure in these bands stay, such as those of a *severe* one."""
    at_most: Decimal | None = None
    """No more than this comes back for one credit."""
    offsets: Offset | None = None
    """What comes back is not paid, it only takes off other credits; not given, it is added to the invoice."""
    clause: str | None = None
    """The clause."""

    def __post_init__(self) -> None:
        if self.within is not None and self.within < self.periods:
            message = f"a run of {self.periods} periods is never complete within {self.within}"
            raise RefusedValue(message, f"Write {self.periods} or more.", field="within")


class Minimum(Part, frozen=True, kw_only=True):
    """What happens to a small total."""

    below: Decimal
    """The amount below which it is small."""
    then: Literal["dropped", "lifted"] = "dropped"
    """Dropped to nothing, or lifted to the amount."""


class Rounding(Part, frozen=True, kw_only=True):
    """The one place where money is rounded."""

    to: Decimal = Decimal("0.01")
    """The step."""
    mode: Mode = "half_even"
    """How a half is rounded."""
    at: Literal["line", "total"] = "line"
    """Each payment by itself, or the scope's totals."""


class Conversion(Part, frozen=True, kw_only=True):
    """Paying in another currency: limits apply in the contract's, and what is left is converted."""

    to: str
    """ISO 4217 code of the currency that is paid."""
    rate: Decimal | str
    """How much of it one unit of the contract's currency is: a number, or the measure that carries the rate."""
    source: str
    """Whose rate it is."""
    on: str = "the last day of the period"
    """Of which day, in words; the rate that is delivered must be that day's."""


class Tax(Part, frozen=True, kw_only=True):
    """The tax on the vendor's invoices, such as value added tax."""

    percent: Decimal
    """Percent of what is taxed."""
    of: Literal["what_is_left", "charges"] = "what_is_left"
    """A credit adjusts the price, so that what is left of the charges is taxed; or it is damages, and the charges are taxed whole."""


class Invoice(Part, frozen=True, kw_only=True):
    """The account of what is taken off which invoice."""

    of: str
    """The base that is the invoice before credits, without tax."""
    below_zero: Literal["refunded", "carried", "lost"] = "carried"
    """Credits above the invoice: paid out, taken off the next invoice, or lost."""
    tax: Tax | None = None
    """The tax on it."""


class ExchangeRate(Part, frozen=True, kw_only=True):
    """What one unit of another currency is worth in the contract's."""

    rate: Decimal | str
    """A number, or the measure that carries the period's rate."""
    source: str
    """Whose rate it is, and of which day."""


class Money(Part, frozen=True, kw_only=True):
    """What is at stake: bases, credits, bonuses, and what limits them."""

    bases: dict[str, Base] = {}
    """Every base by name."""
    rates: dict[str, ExchangeRate] = {}
    """By currency, for sites that are charged in another one than the contract's: ``{PLN: {rate: 0.23, source: …}}``."""
    credits: list[Payment] = []
    """Rules in the customer's favour; a negative amount of a two-way scale is a bonus."""
    bonuses: list[Payment] = []
    """Rules in the vendor's favour."""
    exclusive: list[Exclusive] = []
    """Groups of which one credit stands."""
    caps: list[Cap] = []
    """Limits, applied in the order written."""
    earn_back: list[EarnBack] = []
    """How credits come back."""
    minimum: Minimum | None = None
    """A minimum amount."""
    rounding: Rounding = Rounding()
    """Rounding of money."""
    conversion: Conversion | None = None
    """Paying in another currency."""
    payable_in: Literal["this_period", "next_period"] = "next_period"
    """Whose invoice carries the credit."""
    claim: Literal["automatic", "on_claim"] = "automatic"
    """Whether the customer has to ask for a credit."""
    claim_within_days: int | None = None
    """How long it may ask: until so many days after the period ends, that day included."""
    at_end: Literal["paid", "lapses"] = "paid"
    """A credit whose invoice would come after the contract's end: paid all the same, or not at all."""
    invoice: Invoice | None = None
    """What the vendor is paid in the end, invoice by invoice."""
    nature: Literal["price_adjustment", "sole_remedy", "without_prejudice"] = "price_adjustment"
    """What a credit is in law, for the scorecard's words."""


class Standing(Part, frozen=True, kw_only=True):
    """A band of the score with a name and a consequence."""

    name: str
    """The band's word."""
    at_least: Decimal | None = None
    """The lowest score in it; not given, everything below the others."""
    consequence: str | None = None
    """What it means, in words."""


class Deduction(Part, frozen=True, kw_only=True):
    """Points off the score for something counted: half a point for each breach of the review period."""

    name: str
    """What it is for."""
    by: By
    """The number the curve is read at: a count of failures, a measure, a KPI's value."""
    give: Curve
    """Number → points off."""
    clause: str | None = None
    """The clause."""


class Scoring(Part, frozen=True, kw_only=True):
    """How KPI scores become one score."""

    combine: Literal["weighted_mean", "weighted_sum", "sum"] = "weighted_mean"
    """``Σ w·s ÷ Σ w`` over KPIs with a score; ``Σ w·s ÷ 100``; or the plain sum."""
    round_each: Precision | None = None
    """Rounding of each KPI's part before the sum, where the contract says so."""
    allocation: Allocation | None = None
    """How much the weights may come to, and how much of them one KPI may have."""
    gates: list[Gate] = []
    """Conditions that zero or limit."""
    deductions: list[Deduction] = []
    """What is taken off the score."""
    round_total: Precision | None = None
    """Rounding of the score, where the contract says so; standings look at the rounded one."""
    standings: list[Standing] = []
    """Bands of the score."""


class Ratchet(Part, frozen=True, kw_only=True):
    """A level that rises after sustained over-performance; proposed, and true once amended."""

    kpi: str
    """The KPI."""
    level: str = "target"
    """The level."""
    periods: int = 12
    """How many results in a row must all exceed the level."""
    way: Literal["halfway_to_mean", "step", "best"] = "halfway_to_mean"
    """Half the way to the mean; a fixed step; or the best result of the span."""
    step: Decimal | None = None
    """The step, for ``step``."""
    at_most_percent_of_gap: Decimal | None = None
    """The new level moves at most this percentage of the gap to perfection (100, or 0 where lower is better)."""
    clause: str | None = None
    """The clause."""


class RightRule(Part, frozen=True, kw_only=True):
    """A right that arises from results: termination, step-in, an improvement plan."""

    name: str
    """The right in words."""
    clause: str | None = None
    """The clause."""
    when: When
    """The condition."""
    for_each: list[str] = field(default_factory=lambda: ["site"])
    """The scope it is examined for."""
    despite_relief: bool = False
    """Relief takes the money and leaves the right."""
    cure_days: int | None = None
    """Days to cure after notice."""
    notice_days: int | None = None
    """Days of notice."""


class ReliefTerms(Part, frozen=True, kw_only=True):
    """What may be excused, and with what effect."""

    cause: str
    """The kind of cause, in the contract's words."""
    effect: Literal["drop_span", "drop_period", "cancel_money", "lower_target"] = "drop_span"
    """Take the days out, take the period out, cancel the money only, or ease levels for every period it touches."""
    levels: dict[str, dict[str, Decimal]] = {}
    """``lower_target`` only: by KPI, the levels that hold instead while they are easier: ``{accuracy: {target: 90}}``."""
    notice_business_days: int | None = None
    """How soon the vendor must give notice."""
    clause: str | None = None
    """The clause."""


class Clear(Part, frozen=True, kw_only=True):
    """When a running problem counts as over."""

    good: int = 2
    """Good periods in a row."""
    level: str = "target"
    """The level they must meet; a level above the target makes a band against flapping."""


class Trigger(Part, frozen=True, kw_only=True):
    """When a rule opens a ticket."""

    kpi: str | None = None
    """The KPI; not given, every KPI with the level."""
    missed: str = "target"
    """The level."""
    last: int = 1
    """Of the last so many judged periods …"""
    at_least: int = 1
    """… this many missed."""
    no_data: int | None = None
    """Instead: this many periods in a row for which nothing came."""


class EscalationRule(Part, frozen=True, kw_only=True):
    """One reason to escalate."""

    name: str
    """The rule's name, which the ticket bears."""
    on: Trigger
    """When it opens."""
    clear: Clear = Clear()
    """When it is over."""
    severity: Literal["minor", "serious", "critical"] = "serious"
    """How grave; it decides the first level."""
    clause: str | None = None
    """The clause."""


class Within(Part, frozen=True, kw_only=True):
    """Business time in the escalation calendar."""

    days: int = 0
    """Business days; they end at the close of business of the last day."""
    hours: int = 0
    """Business hours on top."""


class After(Part, frozen=True, kw_only=True):
    """What makes a level due, besides time."""

    days: int = 0
    """Business days since the level below."""
    hours: int = 0
    """Business hours on top."""
    unless: Literal["acknowledged", "plan_submitted", "plan_approved", "closed"] = "acknowledged"
    """What stops the level from being reached."""


class EscalationLevel(Part, frozen=True, kw_only=True):
    """Who is called, and what is expected of them.  Roles, not persons."""

    level: int
    """1 is the first."""
    to: list[str]
    """Roles on both sides, such as vendor.site_lead and client.partner_manager."""
    after: After | None = None
    """When it is reached from the level below; level 1 is reached at once."""
    acknowledge_within: Within | None = None
    """The time to acknowledge."""
    plan_within: Within | None = None
    """The time to submit a corrective action plan."""
    agenda: str | None = None
    """The forum on whose agenda it goes."""


class Escalation(Part, frozen=True, kw_only=True):
    """The escalation matrix."""

    calendar: str | None = None
    """Whose business time the clocks run in; not given, Monday to Friday, 09:00 to 17:00 in the contract's zone."""
    rules: list[EscalationRule] = []
    """Why."""
    levels: list[EscalationLevel] = []
    """Who, and how soon."""
    reopen_within_periods: int = 3
    """A problem that returns within so many periods reopens its ticket a level higher."""


class Forum(Part, frozen=True, kw_only=True):
    """A recurring governance meeting."""

    name: str
    """Its name."""
    rrule: str
    """The RFC 5545 recurrence."""
    at: str
    """Local time of day, HH:MM."""
    zone: str | None = None
    """Its time zone; not given, the contract's."""
    chair: str | None = None
    """The role that chairs."""


class Report(Part, frozen=True, kw_only=True):
    """A report somebody owes."""

    name: str
    """What is due."""
    due_days: int
    """Business days after the period ends."""
    vendor_check_days: int | None = None
    """Business days the vendor has to check the draft."""


class Obligation(Part, frozen=True, kw_only=True):
    """Something with a date: a certificate, an insurance, a continuity test."""

    name: str
    """What."""
    due: date
    """By when."""
    owner: str | None = None
    """The role that owes it."""


class Citation(Part, frozen=True, kw_only=True):
    """Where in the executed document a number stands."""

    at: str
    """The path in this document, such as kpis.accuracy.levels."""
    clause: str | None = None
    """The clause."""
    page: str | None = None
    """The page."""
    quote: str | None = None
    """The words."""


class ExampleRow(Part, frozen=True, kw_only=True):
    """One row of data of an example; the columns of the data file."""

    site: str = "site"
    """The site."""
    measure: str
    """The measure."""
    starts_on: date | None = None
    """The first day of its span."""
    starts_at: datetime | None = None
    """For grains below a day: the moment it begins, with its offset."""
    grain: Literal["15m", "30m", "hour", "day", "week", "month", "quarter", "year"] = "month"
    """The span's length."""
    value: Decimal | None = None
    """The count or amount; not given, missing."""
    n: Decimal | None = None
    """The number of cases behind a reported value."""
    known_at: datetime | None = None
    """When it became known; the later of two is a correction."""
    dimensions: dict[str, str] = {}
    """The other columns."""

    def __post_init__(self) -> None:
        if (self.starts_on is None) == (self.starts_at is None):
            msg = "a row begins on a day or, below a day, at a moment; write starts_on or starts_at, one of the two"
            raise ValueError(msg)
        if (self.grain in ("15m", "30m", "hour")) != (self.starts_at is not None):
            begins, key = ("on a day", "starts_on") if self.starts_at else ("at a moment", "starts_at")
            msg = f"a row of grain {self.grain} begins {begins}; write {key}"
            raise ValueError(msg)


class ExampleRelief(Part, frozen=True, kw_only=True):
    """One relief decision of an example."""

    from_: date = field(name="from")
    """The first day."""
    until: date
    """The first day after."""
    site: str | None = None
    """The site; not given, all."""
    kpi: str | None = None
    """The KPI; not given, all."""
    effect: Literal["drop_span", "drop_period", "cancel_money", "lower_target"] = "drop_span"
    """What it does."""
    cause: str = ""
    """The kind of cause, where the contract has several whose levels differ."""
    dimensions: dict[str, str] = {}
    """Only these."""


class ExampleOpening(Part, frozen=True, kw_only=True):
    """An earlier result known only as a result."""

    starts_on: date
    """The period's first day."""
    site: str | None = None
    """The site; not given, the contract."""
    kpi: str | None = None
    """The KPI, where the fact is one of a KPI."""
    fact: Literal["value", "met", "level", "points", "credit", "paid", "charge", "failures"]
    """What is known."""
    value: str
    """Its value."""
    dimensions: dict[str, str] = {}
    """Only these."""


class ExampleEvent(Part, frozen=True, kw_only=True):
    """One single event of an example; the columns of the file of events."""

    event_id: str
    """Its number; the same event that fails several KPIs bears the same one."""
    site: str = "site"
    """The site."""
    kind: str
    """What kind of event it is."""
    started_at: datetime
    """When it began, with its offset."""
    ended_at: datetime | None = None
    """When it ended."""
    value: Decimal | None = None
    """Its value."""
    dimensions: dict[str, str] = {}
    """The other columns."""


class ExampleClaim(Part, frozen=True, kw_only=True):
    """One credit that the customer asked for, or chose among several; the columns of the file of claims."""

    starts_on: date
    """The first day of the period whose credit it is."""
    kpi: str
    """The KPI, or the rule's name where it is for none."""
    site: str | None = None
    """The site; not given, all."""
    event_id: str | None = None
    """The single event, where the choice is made event by event."""
    claimed_on: date | None = None
    """The day on which it was asked for; not given, in time."""


class Given(Part, frozen=True, kw_only=True):
    """What an example starts from."""

    data: list[ExampleRow] = []
    """Rows of measurements."""
    relief: list[ExampleRelief] = []
    """Relief decisions."""
    opening: list[ExampleOpening] = []
    """Earlier results."""
    events: list[ExampleEvent] = []
    """Single events."""
    claims: list[ExampleClaim] | None = None
    """Credits that the customer asked for; not given, nobody says which."""


class Example(Part, frozen=True, kw_only=True):
    """A worked example; ``contract check`` runs it.  What ``expect`` does not name is not checked."""

    name: str
    """The example's name, usually its place in the annex."""
    given: Given
    """Where it starts."""
    expect: dict[str, list[dict[str, object]]]
    """Any subset of a result: ``{totals: [{credit: "2000.00"}]}``."""


class Contract(Part, frozen=True, kw_only=True):
    """One contract, or one version of it."""

    contract: str
    """The contract's short name, the same in every version."""
    title: str
    """What it is about."""
    vendor: str
    """The vendor's short name."""
    vendor_name: str | None = None
    """The vendor's name for people."""
    in_house: bool = False
    """The vendor is a team of the customer's own, measured in the same way."""
    customer: str | None = None
    """The customer's name for people."""
    renews: str | None = None
    """The contract this one continues; tickets and streaks go on."""
    version: str = "1"
    """The version's label."""
    currency: str = "EUR"
    """ISO 4217 code of every amount in this document."""
    time_zone: str = "UTC"
    """IANA name; periods are cut at its midnights."""
    in_force: InForce
    """Since when, and until when."""
    signed_on: date | None = None
    """The day of the last signature; later than ``in_force.from`` makes it a late amendment."""
    announced_on: date | None = None
    """The day on which this version was announced to the other side, where notice has to be given."""
    executed: Executed | None = None
    """The signed paper."""
    amendments: list[AmendmentTerms] = []
    """What an amendment has to respect: notice, and how often."""
    measured: Cadence = Cadence()
    """Periods."""
    reviewed: Review | None = None
    """Review periods, for KPIs that are judged on the counts of all measured periods of one."""
    conventions: Conventions = Conventions()
    """The answers to eight questions about business time, wherever this contract counts it: in figures and in deadlines."""
    calendars: list[str] = []
    """Calendars by name: documents of their own."""
    dimensions: list[str] = []
    """What every KPI may be filtered and split by, besides the site."""
    scope: list[ScopeOfWork] = []
    """Sites and workstreams."""
    measures: dict[str, Measure] = {}
    """What sources must deliver."""
    kpis: dict[str, Kpi] = {}
    """What is judged."""
    scoring: Scoring = Scoring()
    """How scores combine."""
    money: Money = Money()
    """What is at stake."""
    ratchets: list[Ratchet] = []
    """Levels that rise."""
    rights: list[RightRule] = []
    """Rights that arise."""
    relief: list[ReliefTerms] = []
    """What may be excused."""
    escalation: Escalation = Escalation()
    """Who is called when."""
    forums: list[Forum] = []
    """Meetings."""
    reports: list[Report] = []
    """Reports that are due."""
    obligations: list[Obligation] = []
    """Dates that bind."""
    citations: list[Citation] = []
    """Where the numbers stand in the paper."""
    examples: list[Example] = []
    """Worked examples."""

    @property
    def attributes(self) -> dict[str, dict[str, str]]:
        """What the scope of work says of each site, besides its name, that figures can be split by: country and region."""
        found: dict[str, dict[str, str]] = {}
        for work in self.scope:
            own = found.setdefault(work.site, {})
            for name, value in (("country", work.country), ("region", work.region)):
                if value is not None and name not in self.dimensions:
                    own.setdefault(name, value)
        return found

    @property
    def splits(self) -> list[str]:
        """Everything that a KPI may be judged by: the site, its attributes, and the dimensions of the data."""
        named = {name for own in self.attributes.values() for name in own}
        return ["site", *sorted(named), *self.dimensions]


__all__ = ["Contract", "Curve", "Mark", "Step"]
