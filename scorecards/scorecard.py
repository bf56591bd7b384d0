"""What a scoring run says: results, lines of money, totals, rights, proposals, findings.

These types are the public result, ``score/1``: the ``score`` command prints them as JSON, an issued scorecard
stores them, the PDF shows them and ``verify`` recomputes them.  Fields are added over time; none is renamed or
given another meaning without raising :data:`SCHEMA`.

Every number is a :class:`~decimal.Decimal` that is written to JSON as a string.  A value that no decimal can hold
exactly (one third) is cut to twelve significant digits, half even, *for showing only*: judging happens before,
on the exact rational number.  ``None`` means unknown, and is never a zero.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Any, Literal

from msgspec import Struct, field, json, to_builtins

SCHEMA = "score/1"
ENGINE = "2026.11.2"
"""The version of the arithmetic.  A change that could move one cent of one case raises it."""

Status = Literal["measured", "no_data", "no_volume", "not_measured", "accumulating", "relieved"]
"""Why a KPI has a judged value or has none.

``measured`` is the only status whose value is judged.  ``no_data``: nothing, or not enough, was delivered.
``no_volume``: it was delivered and the denominator is zero.  ``not_measured``: below the minimum sample.
``accumulating``: the sample is carried into the next period.  ``relieved``: the whole period was excused.
"""

LineKind = Literal[
    "credit", "bonus", "points", "repeat", "exclusive", "cap", "carry", "earn_back", "deduction", "rounding", "relief",
    "claim", "bank", "invoice", "tax",
]


class KpiResult(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One KPI, judged for one scope and one period."""

    kpi: str
    site: str | None = None
    """The site, or ``None`` where the KPI is judged above sites."""
    dimensions: dict[str, str] = field(default_factory=dict)
    clause: str | None = None
    version: str = ""
    from_: date = field(name="from")
    until: date
    numerator: Decimal | None = None
    denominator: Decimal | None = None
    value: Decimal | None = None
    """The KPI's value in ``unit``; a percentage runs from 0 to 100."""
    unit: str = "percent"
    compared: Decimal | None = None
    """The value that met the level: the rounded one where the contract rounds before it compares."""
    status: Status = "no_data"
    target: Decimal | None = None
    met: bool | None = None
    level: str | None = None
    """The contract's own word for the band or level reached; ``ambiguous`` or ``none`` where its bands fail."""
    score: Decimal | None = None
    weight: Decimal | None = None
    weight_used: Decimal | None = None
    """The weight after missing KPIs handed theirs on, in the same unit as ``weight``."""
    score_part: Decimal | None = None
    """What the KPI adds to its site's score, rounded where the contract rounds each."""
    points_base: Decimal | None = None
    multiplier: Decimal | None = None
    points: Decimal | None = None
    streak: int = 0
    """Periods in a row, this one included, with the same verdict: positive when met, negative when missed."""
    interval: tuple[Decimal, Decimal] | None = None
    """The 95 % Wilson interval of a sampled percentage."""
    title: str = ""
    better: Literal["higher", "lower", "inside"] = "higher"
    boundary: str = "at_least"
    levels: dict[str, Decimal] = field(default_factory=dict)
    """Every named level in force, so that a reader sees the floor and the stretch beside the target."""
    group: str | None = None
    spans_expected: int | None = None
    spans_present: int | None = None
    """How many spans (days, usually) of the period were delivered, beside how many were expected."""
    spans_relieved: int = 0
    spans_unpaired: int = 0
    """Spans dropped because only one side of the ratio was delivered."""
    value_without_relief: Decimal | None = None
    """What the value would have been had no relief been granted; ``None`` where none was."""
    levels_without_relief: dict[str, Decimal] = field(default_factory=dict)
    """The levels that relief eased, as they would stand without it; empty where it eased none."""
    accumulated: int = 1
    """How many periods' counts the value rests on."""
    cases: Decimal | None = None
    """While counts accumulate: how many cases there are so far."""
    recomputable: bool = True
    """False for a reported value, whose counts nobody delivered."""
    note: str | None = None
    """One sentence on an unusual outcome, in the contract's own terms."""
    kind: str = ""
    """How the value is made, in the contract's word: ``ratio``, ``sum``, ``last`` …; empty in results of before it was told."""
    times: Decimal | None = None
    """What numerator ÷ denominator is multiplied by: 100 for a percentage, 1000 for a rate per thousand."""


class Line(Struct, frozen=True, kw_only=True):
    """One step of the money's derivation, in the order of evaluation."""

    step: int
    kind: LineKind
    scope: dict[str, str] = field(default_factory=dict)
    from_: date = field(name="from")
    kpi: str | None = None
    clause: str | None = None
    rule: str = ""
    """The rule in words with its numbers filled in."""
    inputs: dict[str, Any] = field(default_factory=dict)
    """Each a Decimal, a text or ``None``; read back from JSON a number is its text, which no decoder can tell from a word."""
    base: str | None = None
    base_amount: Decimal | None = None
    amount: Decimal | None = None
    payable_in: date | None = None
    claim_by: date | None = None
    """The last day on which the customer may ask for the credit; ``None`` where it need not ask."""


class Total(Struct, frozen=True, kw_only=True):
    """The sum of one scope and period.  ``net = credit - bonus - earned_back``."""

    scope: dict[str, str] = field(default_factory=dict)
    from_: date = field(name="from")
    until: date
    score: Decimal | None = None
    standing: str | None = None
    points: Decimal | None = None
    credit_uncapped: Decimal | None = None
    credit: Decimal | None = None
    bonus: Decimal | None = None
    earned_back: Decimal | None = None
    carried: Decimal | None = None
    net: Decimal | None = None
    converted: Decimal | None = None
    """``net`` in the currency that is paid, where the contract converts; limits apply before."""
    converted_currency: str | None = None
    invoice: Decimal | None = None
    """The period's invoice before anything is taken off, without tax; where the contract keeps an account of invoices."""
    taken_off: Decimal | None = None
    """What is taken off that invoice: credits less bonuses, of this period or of the one before."""
    tax: Decimal | None = None
    to_pay: Decimal | None = None
    """``invoice - taken_off + tax``."""
    left_over: Decimal | None = None
    """What waits for the next invoice."""


class Right(Struct, frozen=True, kw_only=True):
    """A right that arose: on which day, by which clause, resting on which periods."""

    name: str
    clause: str | None = None
    scope: dict[str, str] = field(default_factory=dict)
    arises_on: date
    evidence: list[str] = field(default_factory=list)


class Proposal(Struct, frozen=True, kw_only=True):
    """A change the contract itself foresees, such as a ratchet of a level; it takes an amendment to come true."""

    kind: str
    kpi: str
    level: str
    old: Decimal
    new: Decimal
    from_: date = field(name="from")
    scope: dict[str, str] = field(default_factory=dict)


class Remark(Struct, frozen=True, kw_only=True):
    """A finding of a scoring run."""

    severity: Literal["error", "warning", "note"]
    where: str
    message: str
    repair: str = ""


class Scored(Struct, frozen=True, kw_only=True):
    """Everything one run says."""

    schema: str = SCHEMA
    engine: str = ENGINE
    contract: str
    currency: str
    results: list[KpiResult] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    totals: list[Total] = field(default_factory=list)
    rights: list[Right] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    findings: list[Remark] = field(default_factory=list)


class TrendPoint(Struct, frozen=True, kw_only=True):
    """One earlier (or the present) period of a KPI on a scorecard's trend."""

    from_: date = field(name="from")
    value: Decimal | None
    target: Decimal | None
    status: Status
    met: bool | None
    score: Decimal | None = None
    relieved: bool = False
    version: str = ""
    interval: tuple[Decimal, Decimal] | None = None
    """The 95 % interval of a sampled period, drawn as a band."""
    cases: Decimal | None = None
    """The sample behind an earlier period of a sampled percentage; its interval follows from it and the value."""


class Feed(Struct, frozen=True, kw_only=True):
    """Where a measure came from, for the column *source* and the block on data quality."""

    measure: str
    scope: dict[str, str] = field(default_factory=dict)
    """The workstream it is about; empty where it is about the whole site."""
    source: str
    """The source's name, ``typed in`` for figures a person entered, or empty where nobody delivers it."""
    as_of: datetime | None
    """The moment the newest row was learned; ``None`` when nothing ever came."""
    rows: int = 0
    expected: int | None = None
    """How many values the contract asks for in the period, ``None`` where that cannot be said."""
    missing: int = 0
    """Values that were asked for and did not come, rows that came empty included."""
    newest_on: date | None = None
    """First day of the newest span in the period that has a value."""
    late: int = 0
    """Rows learned after the day their data was due, and counted all the same."""
    corrected: int = 0
    refused: int = 0


class ReliefUse(Struct, frozen=True, kw_only=True):
    """A relief claim that touched the period, decided either way."""

    kpi: str | None
    """``None`` where the claim covers every KPI of its scope."""
    from_: date = field(name="from")
    until: date
    cause: str
    decision: Literal["approved", "refused", "waiting"]
    reason: str | None = None


class TicketNote(Struct, frozen=True, kw_only=True):
    """An escalation as the scorecard mentions it."""

    number: str
    title: str
    level: int
    state: str
    opened_on: date
    due_at: datetime | None = None
    kpi: str = ""
    dimensions: dict[str, str] = field(default_factory=dict)
    rule: str = ""
    """The contract's rule that opened it, in its own words."""
    recovered: bool = False
    """The KPI is back at its level for as long as the rule asks; what is left is for a person to close it."""


class Commentary(Struct, frozen=True, kw_only=True):
    """What a person wrote about a KPI, or about the whole (``kpi`` is ``None``)."""

    kpi: str | None
    text: str
    role: str


class StandingBand(Struct, frozen=True, kw_only=True):
    """One band of the standings in force, half-open; without ``until`` it has no upper end."""

    name: str
    from_: Decimal = field(name="from")
    until: Decimal | None = None
    consequence: str | None = None


Figure = Literal[
    "score", "standing", "points", "credit", "bonus", "earned_back", "carried", "net",
    "value", "numerator", "denominator", "status", "target", "verdict", "level", "kpi_score", "kpi_points",
]  # fmt: skip
"""What a difference is about: the whole, its money, or one KPI."""

Cause = Literal["version", "relief", "figures", "earlier"]


class Difference(Struct, frozen=True, kw_only=True):
    """A figure that a revision changes.  Both are plain text, numbers without a unit; ``None``: there was none."""

    kpi: str = ""
    """Empty where it is about the whole."""
    dimensions: dict[str, str] = field(default_factory=dict)
    figure: Figure
    unit: str = ""
    before: str | None
    after: str | None


class Revises(Struct, frozen=True, kw_only=True):
    """The issued revision that this one is to replace, why, and everything that it changes."""

    revision: int
    causes: list[Cause]
    differences: list[Difference]


class Scorecard(Struct, frozen=True, kw_only=True):
    """The document of one contract, one scope (a site) and one period: what is issued, frozen, shown and verified.

    It rests on exactly the versions and measurements it names; everything a page or the PDF shows comes from here.
    """

    schema: str = "scorecard/1"
    number: str
    """In the vendor's own series, for example ``HARBOUR-2026-031``, so that gaps say nothing about other vendors."""
    revision: int = 0
    state: Literal["draft", "issued", "superseded"] = "draft"
    contract: str
    contract_title: str
    versions: list[str]
    """Each contract version used, as ``label (in force from day)``."""
    version_hashes: list[str] = field(default_factory=list)
    engine: str = ENGINE
    customer: str
    vendor: str
    vendor_name: str
    site: str
    site_name: str
    scope: dict[str, str] = field(default_factory=dict)
    currency: str
    time_zone: str
    from_: date = field(name="from")
    until: date
    data_as_of: datetime
    prepared_at: datetime
    score: Decimal | None
    score_without_relief: Decimal | None = None
    score_previous: Decimal | None = None
    score_year_ago: Decimal | None = None
    standing: str | None = None
    points: Decimal | None = None
    results: list[KpiResult] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    totals: list[Total] = field(default_factory=list)
    credit_this_year: Decimal | None = None
    """The annual running total of credits, this period included."""
    money_at_risk: Decimal | None = None
    trends: dict[str, list[TrendPoint]] = field(default_factory=dict)
    """Up to thirteen periods per result, oldest first, under :func:`result_key`."""
    score_trend: list[TrendPoint] = field(default_factory=list)
    feeds: list[Feed] = field(default_factory=list)
    relief: list[ReliefUse] = field(default_factory=list)
    tickets: list[TicketNote] = field(default_factory=list)
    commentary: list[Commentary] = field(default_factory=list)
    definitions: dict[str, str] = field(default_factory=dict)
    """Each KPI in plain words: what is counted, what is left out, clock and zone."""
    findings: list[Remark] = field(default_factory=list)
    weekday_pattern: dict[str, list[Decimal | None]] = field(default_factory=dict)
    standing_bands: list[StandingBand] = field(default_factory=list)
    """The bands of the version that scored it, lowest first, so that a reader sees how far the next one is."""
    critical: list[str] = field(default_factory=list)
    """KPIs whose default costs more than score: they get a panel also when they were met."""
    measures: dict[str, list[str]] = field(default_factory=dict)
    """The measures each KPI counts, by KPI, so that a row can name its feeds."""
    revises: Revises | None = None
    """What this revision changes; ``None`` for the first one."""
    rights: list[Right] = field(default_factory=list)
    """Rights that arose; they stand in the client's edition only, until the contract's owner releases them."""


def result_key(result: KpiResult) -> str:
    """The key of a result inside one scorecard: the KPI and its dimensions, in a fixed order."""
    split = ",".join(f"{name}={value}" for name, value in sorted(result.dimensions.items()))
    return f"{result.kpi}[{split}]" if split else result.kpi


_SHOWN = Context(prec=12, rounding=ROUND_HALF_EVEN)
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


def shown(number: Fraction | Decimal | int | None) -> Decimal | None:
    """The number as a result prints it: twelve significant digits, half even, without trailing zeros."""
    if number is None:
        return None
    if isinstance(number, Fraction):
        above, below = number.as_integer_ratio()
        if below == 1 and -_WHOLE_AT_ONCE < above < _WHOLE_AT_ONCE:
            return Decimal(above)
        cut = _SHOWN.divide(Decimal(above), Decimal(below))
    else:
        cut = _SHOWN.plus(Decimal(number))
    return plain(cut)


_WHOLE_AT_ONCE = 10**12


def exact(number: Fraction | Decimal | int | None) -> Decimal | None:
    """A sum of decimals as the decimal it is, however long; for counts, which are never rounded."""
    if number is None:
        return None
    if isinstance(number, int):
        return Decimal(number)
    if isinstance(number, Fraction):
        number = _EXACT.divide(Decimal(number.numerator), Decimal(number.denominator))
    return plain(Decimal(number))


def plain(number: Decimal) -> Decimal:
    """The same number without an exponent and without trailing zeros, so that JSON shows 100 and not 1E+2."""
    if not number:
        return Decimal(0)
    number = number.normalize(_EXACT)
    # Only a whole number of ten or more can have come out with an exponent.
    if abs(number) >= _TEN and number == number.to_integral_value():
        return number.quantize(_ONE, context=_EXACT)
    return number


_ONE, _TEN = Decimal(1), Decimal(10)


def to_json(document: Scored | Scorecard) -> bytes:
    """The document as JSON bytes in a stable key order.

    In ``score/1`` every number is a string, counters too, so that no reader of it ever meets binary floating point.
    """
    if isinstance(document, Scored):
        return json.encode(_in_words(to_builtins(document)), order="deterministic")
    return json.encode(document, order="deterministic")


def _in_words(value: Any) -> Any:
    """The same tree with every number as a string."""
    if isinstance(value, dict):
        return {name: _in_words(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [_in_words(held) for held in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
