"""What a scorecard's page shows, as one frozen type: every figure already text, every drawing already drawn.

Templates loop and choose, and compute nothing; a field the template names and this type lacks is an error.  The functions here are
pure: the same scorecard, edition and language give the same page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Literal, get_args

from msgspec import Struct, structs

from scorecards import charts, explaining, formats
from scorecards.scorecard import (
    Commentary,
    Difference,
    Feed,
    KpiResult,
    Line,
    Scorecard,
    StandingBand,
    TicketNote,
    Total,
    TrendPoint,
    result_key,
    shown,
    to_json,
)
from scorecards.scoring import wilson
from scorecards.wording import Words

Edition = Literal["vendor", "client", "site"]
EDITIONS: tuple[Edition, ...] = get_args(Edition)

Tone = Literal["good", "bad", "none", "plain"]

DESIGN = "5"
"""Raised with any change that lets the same scorecard look different."""

_MARKS = {
    "met": "✓",
    "missed": "✗",
    "no_data": "○",
    "no_volume": "□",
    "not_measured": "△",
    "accumulating": "…",
    "relieved": "◆",
    "unjudged": "•",
}
_ASKS_MOST = 5
_MISSES_MOST = 6
_MOVERS_MOST = 4
_NARROW_MOST = 4
_FIRST_PAGE_ROWS = 6
_LONG_NAME = 60
_WORDS_MOST = 700
_LINES_TOGETHER = 8


def contrast_on_white(colour: str) -> float:
    """The WCAG 2 contrast ratio of ``#rrggbb`` on white, 1 to 21."""

    def linear(channel: int) -> float:
        share = channel / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


class Branding(Struct, frozen=True, kw_only=True):
    """What a customer may choose.  ``accent`` is ``#rrggbb`` and must read on white, at 4.5 : 1 or better."""

    accent: str = "#14506e"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", self.accent):
            raise ValueError(f"accent {self.accent!r} is not a colour: write it as #rrggbb, for example #14506e")
        if contrast_on_white(self.accent) < 4.5:
            raise ValueError(
                f"accent {self.accent} is too pale to read on white ({contrast_on_white(self.accent):.1f} : 1): choose 4.5 : 1 or more"
            )


PLAIN = Branding()


class Mark(Struct, frozen=True, kw_only=True):
    """A status three ways at once: a sign, a word, and a tone that becomes a colour."""

    sign: str
    word: str
    tone: Tone


class Fact(Struct, frozen=True, kw_only=True):
    label: str
    value: str
    note: str = ""
    tone: Tone = "plain"
    is_strong: bool = False


class Mover(Struct, frozen=True, kw_only=True):
    title: str
    change: str
    values: str
    bar: str


class Standing(Struct, frozen=True, kw_only=True):
    """A KPI on the first page: a miss with what it cost, or a narrow hit with its trend."""

    title: str
    mark: Mark
    actual: str
    target: str
    variance: str
    streak: str
    chance: str
    """Of a sampled miss: whether chance alone may explain it."""
    cost: str
    bar: str


class Verdict(Struct, frozen=True, kw_only=True):
    headline: str
    score: str
    score_note: str
    standing: str
    standing_note: str
    scale: str
    comparisons: list[Fact]
    chart: str
    chart_note: str
    movers: list[Mover]
    movers_note: str
    money: list[Fact]
    money_note: str
    asks: list[str]
    misses: list[Standing]
    misses_note: str
    unjudged: list[str]
    narrow: list[Standing]
    words: list[Remarked]


class KpiRow(Struct, frozen=True, kw_only=True):
    key: str
    """`result_key`, so that a reader of the page finds the result again."""
    title: str
    clause: str
    is_critical: bool
    target: str
    actual: str
    actual_note: str
    variance: str
    mark: Mark
    score: str
    weight: str
    weight_note: str
    points: str
    streak: str
    spark: str
    source: str
    as_of: str


class KpiGroup(Struct, frozen=True, kw_only=True):
    name: str
    rows: list[KpiRow]


class Table(Struct, frozen=True, kw_only=True):
    groups: list[KpiGroup]
    has_points: bool
    has_sources: bool
    """Whether rows name their sources; where all have the same, ``source`` says it once."""
    source: str
    columns: int
    legend: list[Mark]


class Panel(Struct, frozen=True, kw_only=True):
    title: str
    clause: str
    mark: Mark
    is_critical: bool
    is_small: bool
    """A critical KPI about which there is little to say: it met, or nothing came of it."""
    chart: str
    facts: list[Fact]
    sentences: list[str]
    week: str
    commentary: list[Remarked]


class Cell(Struct, frozen=True, kw_only=True):
    title: str
    mark: Mark
    actual: str
    note: str
    chart: str


class Breakdown(Struct, frozen=True, kw_only=True):
    title: str
    target: str
    cells: list[Cell]


class MoneyLine(Struct, frozen=True, kw_only=True):
    step: str
    kind: str
    subject: str
    rule: str
    clause: str
    inputs: list[str]
    base: str
    amount: str
    bar: str
    note: str


class Money(Struct, frozen=True, kw_only=True):
    is_short: bool
    """Short enough to stand on one page as a whole."""
    nothing: str
    """Said where no step led to any amount."""
    lines: list[MoneyLine]
    totals: list[Fact]
    notes: list[str]


class ReliefRow(Struct, frozen=True, kw_only=True):
    span: str
    cause: str
    kpi: str
    mark: Mark
    reason: str


class Relief(Struct, frozen=True, kw_only=True):
    rows: list[ReliefRow]
    effects: list[Fact]


class TicketRow(Struct, frozen=True, kw_only=True):
    number: str
    title: str
    level: str
    state: str
    opened_on: str
    due: str


class FeedRow(Struct, frozen=True, kw_only=True):
    measure: str
    members: str
    source: str
    how: str
    as_of: str
    reaches: str
    rows: str
    missing: str
    late: str
    corrected: str
    refused: str
    tone: Tone


class CoverageRow(Struct, frozen=True, kw_only=True):
    title: str
    said: str


class FindingRow(Struct, frozen=True, kw_only=True):
    severity: str
    where: str
    message: str
    repair: str


class Quality(Struct, frozen=True, kw_only=True):
    summary: str
    feeds: list[FeedRow]
    coverage: list[CoverageRow]
    findings: list[FindingRow]


class Remarked(Struct, frozen=True, kw_only=True):
    about: str
    role: str
    paragraphs: list[str]


class AppendixRow(Struct, frozen=True, kw_only=True):
    """A figure, what it counts, and how it was reached."""

    title: str
    value: str
    cited: str
    definition: str
    reached: str


class DifferenceRow(Struct, frozen=True, kw_only=True):
    subject: str
    """Empty where it is that of the row before."""
    figure: str
    before: str
    after: str
    change: str


class Changes(Struct, frozen=True, kw_only=True):
    """What a revision changes against the one that was issued."""

    title: str
    intro: str
    before: str
    """The heading of what was issued."""
    rows: list[DifferenceRow]


class Document(Struct, frozen=True, kw_only=True):
    """The page as a whole."""

    language: str
    title: str
    description: str
    created: str
    watermark: str
    customer: str
    edition: str
    vendor: str
    site: str
    name_size: Literal["", "long", "longer"]
    running: str
    period: str
    contract: list[str]
    number: str
    state: str
    meta: list[Fact]
    verdict: Verdict
    changes: Changes | None
    table: Table | None
    panels: list[Panel]
    panels_legend: str
    breakdowns: list[Breakdown]
    money: Money | None
    relief: Relief | None
    tickets: list[TicketRow]
    rights: list[Fact]
    quality: Quality
    commentary: list[Remarked]
    appendix: list[AppendixRow]
    appendix_note: str
    about: list[Fact]
    digest: str
    footer: str


def for_edition(card: Scorecard, edition: Edition) -> Scorecard:
    """The scorecard as this edition may know it: what is taken out here is in neither the page nor the attached JSON."""
    if edition == "client":
        return card
    if edition == "vendor":
        return structs.replace(card, rights=[])
    money_free = [structs.replace(total, **dict.fromkeys(_MONEY_OF_TOTAL)) for total in card.totals]
    revises = card.revises
    if revises is not None:
        revises = structs.replace(revises, differences=[one for one in revises.differences if one.figure not in _MONEY_OF_TOTAL])
    return structs.replace(card, rights=[], lines=[], totals=money_free, credit_this_year=None, money_at_risk=None, revises=revises)


def attached(shown: Scorecard) -> bytes:
    """The JSON that travels inside the PDF of a scorecard reduced by :func:`for_edition`; the hash on the page is its SHA-256."""
    return to_json(shown)


def render_key(card: Scorecard, edition: Edition, language: str, paper: str) -> str:
    """Names one rendering: the same key means the same bytes, so a PDF is written once and kept under it.

    ``DESIGN`` is part of it, so that a new design renders again what was only drafted; what was issued is kept as it was sent.
    """
    return sha256(
        b"\0".join([DESIGN.encode(), edition.encode(), language.encode(), paper.encode(), attached(for_edition(card, edition))])
    ).hexdigest()


# Told by what is no money, so that an amount which a total gains later is taken out too.
_MONEY_OF_TOTAL = tuple(name for name in Total.__struct_fields__ if name not in ("scope", "from_", "until", "score", "standing", "points"))


def document(card: Scorecard, *, edition: Edition, words: Words, digest: str) -> Document:
    """The page of a scorecard already reduced by :func:`for_edition`; ``digest`` is the hash of its attached JSON."""
    period = formats.period(card.from_, card.until, words)
    number = words("number.revision", number=card.number, revision=card.revision) if card.revision else card.number
    site, vendor = formats.clean(card.site_name or card.site), formats.clean(card.vendor_name or card.vendor)
    longest = max(len(site), len(vendor))
    main, split = _main_and_split(card.results)
    judged = _ordered_by_loss(main)
    return Document(
        language=words.language,
        title=words("document.title", vendor=formats.shortened(vendor, 120), site=formats.shortened(site, 120), period=period),
        description=words("document.description", number=number, contract=formats.shortened(card.contract_title or card.contract, 200)),
        created=f"{card.prepared_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        watermark="" if card.state == "issued" else words(f"state.{card.state}"),
        customer=card.customer,
        edition=words(f"edition.{edition}"),
        vendor=vendor,
        site=site,
        name_size="longer" if longest > 120 else "long" if longest > 48 else "",
        running=" · ".join([formats.shortened(vendor, 44), formats.shortened(site, 44), period]),
        period=period,
        contract=[_contract_line(card, words), *_versions(card, words)],
        number=number,
        state=words(f"state.{card.state}"),
        meta=_meta(card, words),
        verdict=_verdict(card, main, judged, edition, words),
        changes=_changes(card, words),
        table=_table(card, main, words) if main else None,
        panels=_panels(card, judged, words),
        panels_legend=words("panels.legend"),
        breakdowns=_breakdowns(card, split, words),
        money=_money(card, words),
        relief=_relief(card, words),
        tickets=[_ticket(ticket, card, words) for ticket in card.tickets],
        rights=[
            Fact(
                label=right.name,
                value=formats.day(right.arises_on, words),
                note=" · ".join([*filter(None, [right.clause]), *right.evidence]),
            )
            for right in card.rights
        ],
        quality=_quality(card, words),
        commentary=_commentary(card, None, words),
        appendix=_appendix(card, words),
        appendix_note=words("appendix.note") if any(_weight_note(result, main, words) for result in main) else "",
        about=_about(card, words),
        digest=digest,
        footer=words("document.footer", number=number, state=words(f"state.{card.state}"), customer=formats.shortened(card.customer, 60)),
    )


# --- the head and the verdict ---------------------------------------------------------------------------------------------------


def _contract_line(card: Scorecard, words: Words) -> str:
    if not card.contract_title:
        return words("contract.untitled", contract=card.contract)
    return words("contract.line", contract=card.contract, title=card.contract_title)


def _versions(card: Scorecard, words: Words) -> list[str]:
    if not card.versions:
        return []
    return [words("contract.versions", versions=" → ".join(_version_title(version, words) for version in card.versions))]


_IN_FORCE_FROM = re.compile(r"(.*) \(in force from (\d{4})-(\d\d)-(\d\d)\)")


def _version_title(version: str, words: Words) -> str:
    """``1 (in force from 1 September 2025)``, in the page's language; a label of another form stays as it is."""
    parts = _IN_FORCE_FROM.fullmatch(version)
    if parts is None:
        return version
    return words("contract.version_from", version=parts[1], day=formats.day(date(int(parts[2]), int(parts[3]), int(parts[4])), words))


def _meta(card: Scorecard, words: Words) -> list[Fact]:
    return [
        Fact(label=words("meta.number"), value=card.number, note=words("meta.revision", revision=card.revision)),
        Fact(label=words("meta.state"), value=words(f"state.{card.state}"), note=words(f"state_note.{card.state}")),
        Fact(label=words("meta.as_of"), value=formats.short_moment(card.data_as_of, card.time_zone, words), note=card.time_zone),
        Fact(label=words("meta.prepared"), value=formats.short_moment(card.prepared_at, card.time_zone, words), note=card.time_zone),
    ]


def _verdict(card: Scorecard, main: Sequence[KpiResult], ordered: Sequence[KpiResult], edition: Edition, words: Words) -> Verdict:
    missed = [result for result in ordered if result.met is False]
    top = _top_of_scale(card)
    band = _band_of(card)
    movers, movers_note = _movers(card, main, words)
    total = _total_of(card)
    most = _MISSES_MOST - 2 * _has_long_names(card)
    return Verdict(
        headline=_headline(card, main, words),
        score=formats.number(card.score, words.language, most=2, beside=_edges(card)),
        score_note=words("score.of", top=formats.number(top, words.language)) if card.score is not None else words("score.none"),
        standing=card.standing or (words("score.no_standing") if card.score is not None else ""),
        standing_note=(band.consequence or "") if band is not None else "",
        scale=charts.score_scale(card.score, _bands(card, top), _scale_title(card, top, words), top_score=top),
        comparisons=_comparisons(card, words),
        chart=_score_chart(card, words),
        chart_note=_chart_note(card, words),
        movers=movers,
        movers_note=movers_note,
        money=_money_facts(card, total, words, brief=True) if edition != "site" else [],
        money_note=words("money.short_note"),
        asks=_asks(card, missed, total, edition, words),
        misses=[_standing(result, card, words) for result in missed[:most]],
        misses_note=_misses_note(main, len(missed), most, words),
        unjudged=_unjudged(main, words),
        narrow=[_standing(result, card, words) for result in _narrowest(main)[:_narrow_rows(card, len(missed), movers, words)]],
        words=_overall_words(card, words),
    )


def _narrow_rows(card: Scorecard, missed: int, movers: Sequence[Mover], words: Words) -> int:
    """How many narrow hits fit below the misses, so that the verdict stays one page; fewer than two are not worth a table."""
    written = sum(2 + len(comment.text) // 110 for comment in card.commentary if comment.kpi is None) if _overall_words(card, words) else 0
    rows = _FIRST_PAGE_ROWS - min(missed, _MISSES_MOST) - written // 2 - 4 * _has_long_names(card) - max(len(movers) - 3, 0)
    return min(rows, _NARROW_MOST) if rows > 1 else 0


def _has_long_names(card: Scorecard) -> bool:
    names = [card.site_name, card.vendor_name, *(result.title for result in card.results if result.met is False)]
    return max(len(name) for name in names) > _LONG_NAME


def _misses_note(main: Sequence[KpiResult], missed: int, most: int, words: Words) -> str:
    if missed > most:
        return words.count("misses.more", missed - most)
    if missed:
        return ""
    return words("misses.none" if any(result.met for result in main) else "misses.none_judged")


def _headline(card: Scorecard, main: Sequence[KpiResult], words: Words) -> str:
    if not main:
        return words("headline.no_kpis")
    # What has no target is shown and asks nothing, so it is neither missed nor open.
    main = [result for result in main if result.status != "measured" or result.met is not None]
    met = sum(result.met is True for result in main)
    missed = sum(result.met is False for result in main)
    said = [_headline_of_score(card, words)]
    parts = [one.title for one in _dropped_out(card, main, words) if one.is_part]
    if card.score is not None and parts:
        said.append(words("headline.dropped", parts=_listed(parts, 2, words)))
    if met == len(main):
        said.append(words.count("headline.all_met", met))
    elif missed:
        said.append(words.count("headline.missed", missed, total=len(main)))
    elif met:
        said.append(words.count("headline.none_missed", met, total=len(main)))
    open_ = len(main) - met - missed
    if open_ and (met or missed):
        said.append(words.count("headline.unjudged", open_))
    if not met and not missed:
        said.append(words("headline.nothing_judged"))
    return " ".join(filter(None, said))


def _headline_of_score(card: Scorecard, words: Words) -> str:
    if card.score is None:
        return words("headline.no_score")
    score = formats.number(card.score, words.language, most=2, beside=_edges(card))
    if card.score_previous is None:
        has_earlier = any(point.value is not None for point in card.score_trend if point.from_ < card.from_) or any(
            point.from_ < card.from_ for trend in card.trends.values() for point in trend
        )
        return words("headline.no_previous" if has_earlier else "headline.first", score=score)
    change = card.score - card.score_previous
    if change == 0:
        return words("headline.unchanged", score=score)
    by = formats.number(abs(change), words.language, least=1, most=2, beside=(Decimal(0),))
    return words("headline.up" if change > 0 else "headline.down", score=score, by=by)


def _comparisons(card: Scorecard, words: Words) -> list[Fact]:
    facts = []
    for key, other in (("previous", card.score_previous), ("year_ago", card.score_year_ago)):
        if other is None:
            facts.append(Fact(label=words(f"compare.{key}"), value=formats.DASH, note=words("compare.unknown")))
            continue
        change = card.score - other if card.score is not None else None
        note = ""
        if change is not None:
            note = (
                formats.number(change, words.language, least=1, most=2, sign=True, beside=(Decimal(0),))
                if change
                else words("compare.same")
            )
        tone: Tone = "plain" if change is None or change == 0 else "good" if change > 0 else "bad"
        facts.append(
            Fact(label=words(f"compare.{key}"), value=formats.number(other, words.language, least=1, most=2), note=note, tone=tone)
        )
    if card.score_without_relief is not None:
        without = formats.number(card.score_without_relief, words.language, least=1, most=2)
        facts.append(Fact(label=words("compare.without_relief"), value=without, note=""))
    run = _direction_run(card.score_trend)
    if abs(run) >= 2:
        facts.append(Fact(label=words("compare.direction"), value=words("compare.rising" if run > 0 else "compare.falling", n=abs(run))))
    return facts


def _direction_run(points: Sequence[TrendPoint]) -> int:
    """How many periods in a row the value rose (positive) or fell (negative), up to the newest; a gap ends the run."""
    run = 0
    for before, after in zip(reversed(points[:-1]), reversed(points[1:]), strict=True):
        if before.value is None or after.value is None or after.value == before.value:
            break
        step = 1 if after.value > before.value else -1
        if run and (run > 0) != (step > 0):
            break
        run += step
    return run


def _chart_note(card: Scorecard, words: Words) -> str:
    if len(card.score_trend) > 1:
        return words("score.chart_note")
    return words("score.chart_first") if card.score is not None else ""


def _score_chart(card: Scorecard, words: Words) -> str:
    points = _points(card.score_trend, words)
    bands = [
        charts.Limit(value=band.from_, label=formats.number(band.from_, words.language)) for band in card.standing_bands if band.from_ > 0
    ]
    ticks = [] if bands else [(value, formats.number(value, words.language)) for value in charts.grid_values(points)]
    known = [(p, c) for p, c in zip(card.score_trend, points, strict=True) if p.value is not None]
    title = words("chart.score_empty")
    if known:
        title = words(
            "chart.score",
            n=len(points),
            first=formats.number(known[0][0].value, words.language, least=1, most=1),
            last=formats.number(known[-1][0].value, words.language, least=1, most=2),
        )
    return charts.trend(points, title, limits=bands, ticks=ticks, width=440, height=132)


def _top_of_scale(card: Scorecard) -> Decimal:
    """100, or the next full twenty above what is shown: a stretch level may give more than 100."""
    highest = max([Decimal(100), card.score or Decimal(0), *(band.from_ for band in card.standing_bands)])
    return Decimal(100) if highest <= 100 else (highest / 20).to_integral_value(rounding="ROUND_CEILING") * 20


def _edges(card: Scorecard) -> list[Decimal]:
    return [band.from_ for band in card.standing_bands]


def _bands(card: Scorecard, top: Decimal) -> list[charts.Band]:
    return [
        charts.Band(
            low=max(band.from_, Decimal(0)), high=min(band.until, top) if band.until is not None else top, is_current=band is _band_of(card)
        )
        for band in card.standing_bands
    ]


def _band_of(card: Scorecard) -> StandingBand | None:
    if card.score is None:
        return None
    return next(
        (band for band in card.standing_bands if band.from_ <= card.score and (band.until is None or card.score < band.until)), None
    )


def _scale_title(card: Scorecard, top: Decimal, words: Words) -> str:
    if card.score is None:
        return words("chart.scale_empty", top=formats.number(top, words.language))
    score = formats.number(card.score, words.language, most=2)
    return words("chart.scale", score=score, top=formats.number(top, words.language), standing=card.standing or "")


class _Dropped(Struct, frozen=True, kw_only=True):
    """What was judged in the period before and is not now: a workstream with all its KPIs, or one KPI."""

    title: str
    is_part: bool
    kpis: int
    is_silent: bool


def _dropped_out(card: Scorecard, main: Sequence[KpiResult], words: Words) -> list[_Dropped]:
    gone = [result for result in main if result.met is None and _was_judged(result, card)]
    by_part: dict[str, list[KpiResult]] = {}
    for result in gone:
        by_part.setdefault(_part_key(result), []).append(result)
    found: list[_Dropped] = []
    for key, lost in by_part.items():
        # A KPI without a target was not judged before either, so it keeps no workstream in.
        still = [result for result in main if _part_key(result) == key and result.met is not None]
        if lost[0].dimensions and len(lost) > 1 and not still:
            title = explaining.part_title(lost[0].dimensions, words)
            found.append(
                _Dropped(title=title, is_part=True, kpis=len(lost), is_silent=all(result.status == "no_data" for result in lost))
            )
        else:
            found += [
                _Dropped(title=explaining.result_title(result, words), is_part=False, kpis=1, is_silent=result.status == "no_data")
                for result in lost
            ]
    return sorted(found, key=lambda one: -one.kpis)


def _part_key(result: KpiResult) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(result.dimensions.items()))


def _was_judged(result: KpiResult, card: Scorecard) -> bool:
    trend = card.trends.get(result_key(result), [])
    return len(trend) > 1 and trend[-2].met is not None


def _movers(card: Scorecard, main: Sequence[KpiResult], words: Words) -> tuple[list[Mover], str]:
    """What dropped out since the period before, then KPIs by how many points of the score they moved, at this period's weights."""
    movers = [
        Mover(
            title=formats.shortened(one.title, 60),
            change=words("movers.silent" if one.is_silent else "movers.unjudged"),
            values=words.count("movers.dropped", one.kpis),
            bar="",
        )
        for one in _dropped_out(card, main, words)[: _MOVERS_MOST - 2]
    ]
    weights = sum((result.weight_used or Decimal(0) for result in main), Decimal(0))
    changes: list[tuple[Decimal, KpiResult, TrendPoint, TrendPoint]] = []
    for result in main:
        trend = card.trends.get(result_key(result), [])
        if len(trend) < 2 or not weights:
            continue
        now, before = trend[-1], trend[-2]
        score = result.score if result.score is not None else now.score
        if score is None or before.score is None or not result.weight_used or score == before.score:
            continue
        changes.append(((score - before.score) * result.weight_used / weights, result, before, now))
    changes.sort(key=lambda change: (-abs(change[0]), change[1].kpi))
    if not changes:
        if movers:
            return movers, ""
        return [], words("movers.none") if any(len(trend) > 1 for trend in card.trends.values()) else words("movers.first")
    largest = abs(changes[0][0])
    for change, result, before, now in changes[: _MOVERS_MOST - len(movers)]:
        text = formats.number(change, words.language, least=1, most=1, sign=True, beside=(Decimal(0),))
        values = words(
            "movers.values",
            before=formats.quantity(before.value, result.unit, words, most=2),
            now=formats.quantity(now.value, result.unit, words, most=2, beside=(result.target,)),
        )
        title = explaining.result_title(result, words)
        bar = charts.diverging(change, largest, words("chart.mover", title=title, change=text))
        movers.append(Mover(title=formats.shortened(title, 60), change=text, values=values, bar=bar))
    return movers, words("movers.note")


def _asks(card: Scorecard, missed: Sequence[KpiResult], total: Total | None, edition: Edition, words: Words) -> list[str]:
    """What the reader of this edition is asked to decide or to do, from what is open in the scorecard."""
    side = "client" if edition == "client" else "vendor"
    asks = []
    if card.state == "draft":
        asks.append(words(f"ask.draft.{side}"))
    if card.revises is not None and card.revises.differences:
        asks.append(words.count("ask.revision", len(card.revises.differences), before=card.revises.revision))
    missing, escalated = _data_asks(card, side, words)
    asks += missing
    if edition != "site" and total is not None and total.net:
        kind = "credit" if total.net > 0 else "bonus"
        asks.append(words(f"ask.{kind}.{side}", amount=formats.money(abs(total.net), card.currency, words.language)))
    asks.extend(
        words(f"ask.relief.{side}", cause=formats.shortened(use.cause, 60), span=formats.short_span(use.from_, use.until, words))
        for use in card.relief
        if use.decision == "waiting"
    )
    asks.extend(
        words(f"ask.ticket.{side}", number=ticket.number, due=formats.short_moment(ticket.due_at, card.time_zone, words))
        for ticket in card.tickets
        if ticket.due_at is not None and ticket.number not in escalated and not ticket.recovered
    )
    asks.extend(words(f"ask.recovered.{side}", number=ticket.number) for ticket in card.tickets if ticket.recovered)
    commented = {comment.kpi for comment in card.commentary}
    silent = [explaining.result_title(result, words) for result in missed if result.kpi not in commented]
    if silent:
        asks.append(words(f"ask.comment.{side}", kpis=_listed([formats.shortened(title, 40) for title in silent], 3, words)))
    if len(asks) > _ASKS_MOST:
        asks = [*asks[: _ASKS_MOST - 1], words.count("ask.more", len(asks) - _ASKS_MOST + 1)]
    return asks or [words("ask.nothing")]


def _data_asks(card: Scorecard, side: str, words: Words) -> tuple[list[str], set[str]]:
    """A request for each workstream whose data lack something, and the numbers of the escalations that run for it."""
    by_part: dict[str, list[Feed]] = {}
    for feed in card.feeds:
        if feed.missing or feed.as_of is None:
            by_part.setdefault(explaining.part_title(feed.scope, words), []).append(feed)
    asks, escalated = [], set()
    for part, feeds in sorted(by_part.items()):
        names = _listed([formats.shortened(feed.measure, 36) for feed in feeds], 3, words)
        said = words("data.part", part=part, measures=words.count("data.measures", len(feeds))) if part else names
        newest = [feed.newest_on for feed in feeds if feed.newest_on is not None]
        if all(feed.as_of is None for feed in feeds):
            said = words("data.never", what=said)
        elif len(newest) == len(feeds) and (card.until - max(newest)).days > 1:
            said = words("data.since", what=said, day=formats.short_day(max(newest), words))
        ask = words(f"ask.data.{side}", what=said)
        for ticket in card.tickets:
            if _is_about_missing_data(ticket, card, feeds[0]):
                due = formats.short_moment(ticket.due_at, card.time_zone, words) if ticket.due_at is not None else ""
                ask = words("ask.data_ticket_due" if due else "ask.data_ticket", ask=ask, number=ticket.number, due=due)
                escalated.add(ticket.number)
        asks.append(ask)
    return asks, escalated


def _is_about_missing_data(ticket: TicketNote, card: Scorecard, feed: Feed) -> bool:
    """Whether an escalation runs for a KPI of the feed's workstream that has no data."""
    return ticket.dimensions.items() >= feed.scope.items() and any(
        result.kpi == ticket.kpi and result.status == "no_data" and (not ticket.dimensions or result.dimensions == ticket.dimensions)
        for result in card.results
    )


def _listed(texts: Sequence[str], most: int, words: Words) -> str:
    shown = ", ".join(texts[:most])
    return shown if len(texts) <= most else words("list.more", shown=shown, n=len(texts) - most)


def _standing(result: KpiResult, card: Scorecard, words: Words) -> Standing:
    loss = _loss(result, card.results)
    title, actual, target = formats.shortened(explaining.result_title(result, words), 70), _value(result, words), _target(result, words)
    trend = _points(card.trends.get(result_key(result), []), words)
    return Standing(
        title=title,
        mark=_mark(result, words),
        actual=actual,
        target=target,
        variance=formats.difference(result.value, result.target, result.unit, words),
        streak=_streak_sentence(result, words) if result.met is False else _streak(result, words),
        chance=_chance(result, words),
        cost=formats.number(-loss, words.language, least=1, most=1) if loss is not None else formats.DASH,
        bar=charts.sparkline(trend, _trend_title(result, card, words), width=96),
    )


def _narrowest(main: Sequence[KpiResult]) -> list[KpiResult]:
    """What was met, the smallest distance to the target, relative to the target, first."""

    def distance(result: KpiResult) -> tuple[Decimal, str]:
        value, target = result.value or Decimal(0), result.target or Decimal(0)
        return abs(value - target) / (abs(target) or Decimal(1)), result.kpi

    return sorted((r for r in main if r.met and r.value is not None and r.target is not None), key=distance)


def _overall_words(card: Scorecard, words: Words) -> list[Remarked]:
    """Commentary on the whole stands on the first page where it is short enough to leave the verdict there."""
    whole = [comment for comment in card.commentary if comment.kpi is None]
    if sum(len(comment.text) for comment in whole) > _WORDS_MOST:
        return []
    return [_remarked(comment, card, words) for comment in whole]


def _chance(result: KpiResult, words: Words) -> str:
    if result.met is not False or result.interval is None or result.target is None:
        return ""
    return words("chance.within" if result.interval[0] <= result.target <= result.interval[1] else "chance.beyond")


def _streak_sentence(result: KpiResult, words: Words) -> str:
    if result.streak < -1:
        return words("streak.missed_in_a_row", n=-result.streak)
    return words("streak.first_miss")


def _unjudged(main: Sequence[KpiResult], words: Words) -> list[str]:
    """Words for what was not judged, one sentence a status."""
    said = []
    for status in ("no_data", "no_volume", "not_measured", "accumulating", "relieved"):
        by_part: dict[str, list[KpiResult]] = {}
        for result in main:
            if result.status == status:
                by_part.setdefault(_part_key(result), []).append(result)
        titles: list[str] = []
        for key, results in by_part.items():
            whole = sum(_part_key(result) == key for result in main)
            if results[0].dimensions and len(results) == whole > 1:
                titles.append(words("unjudged.part", part=explaining.part_title(results[0].dimensions, words), n=whole))
            else:
                titles += [formats.shortened(explaining.result_title(result, words), 60) for result in results]
        if titles:
            said.append(words("unjudged", sign=_MARKS[status], word=words(f"status.{status}"), kpis=_listed(titles, 4, words)))
    return said


# --- the table of KPIs ----------------------------------------------------------------------------------------------------------


def _main_and_split(results: Sequence[KpiResult]) -> tuple[list[KpiResult], list[KpiResult]]:
    """What the table lists, and what breaks a listed KPI down by dimension."""
    whole = {result.kpi for result in results if not result.dimensions}
    main = [result for result in results if not result.dimensions or result.kpi not in whole]
    split = [result for result in results if result.dimensions and result.kpi in whole]
    return main, split


def _loss(result: KpiResult, results: Sequence[KpiResult]) -> Decimal | None:
    """How many points of the score this KPI left on the table."""
    weights = sum((other.weight_used or Decimal(0) for other in results), Decimal(0))
    if result.score is None or not result.weight_used or not weights:
        return None
    return (Decimal(100) - result.score) * result.weight_used / weights


def _ordered_by_loss(main: Sequence[KpiResult]) -> list[KpiResult]:
    """Misses first, the dearest on top; then what met, then what was not judged."""

    def order(result: KpiResult) -> tuple[int, Decimal, Decimal, int, str]:
        kind = 0 if result.met is False else 1 if result.met else 2
        return kind, -(_loss(result, main) or Decimal(0)), -(result.weight or Decimal(0)), result.streak, result.kpi

    return sorted(main, key=order)


def _table(card: Scorecard, main: Sequence[KpiResult], words: Words) -> Table:
    has_points = any(result.points is not None for result in main)
    sources = list(dict.fromkeys(_source_and_moment(result, card, words) for result in main))
    has_sources = bool(card.feeds) and len(sources) > 1
    groups = [
        KpiGroup(name=name, rows=[_row(result, card, main, title, words) for result, title in rows])
        for name, rows in _grouped(main, words).items()
    ]
    legend = {mark.word: mark for mark in (_legend(result, words) for result in main)}
    return Table(
        groups=groups,
        has_points=has_points,
        has_sources=has_sources,
        source=words("table.source", source=sources[0][0], as_of=sources[0][1]) if card.feeds and not has_sources else "",
        columns=9 + has_points + has_sources,
        legend=list(legend.values()),
    )


def _source_and_moment(result: KpiResult, card: Scorecard, words: Words) -> tuple[str, str]:
    """Where a row's figures came from, and the moment the oldest of them was learned."""
    feeds = _feeds_of(result, card)
    named = ", ".join(dict.fromkeys(_source_name(feed, words) for feed in feeds if feed.source))
    return formats.shortened(named, 46) or formats.DASH, _as_of(feeds, card, words)


def _grouped(main: Sequence[KpiResult], words: Words) -> dict[str, list[tuple[KpiResult, str]]]:
    """The rows under their headings, each with its title: the contract's own groups, or one heading a workstream.

    Under the heading of its workstream a title does not repeat it.
    """
    splits = {tuple(sorted(result.dimensions)) for result in main}
    found: dict[str, list[tuple[KpiResult, str]]] = {}
    if not any(result.group for result in main) and len(main) > 1 and len(splits - {()}) == 1:
        for result in main:
            name = explaining.part_title(result.dimensions, words) or words("table.whole_site")
            found.setdefault(name, []).append((result, result.title or result.kpi))
        return found
    names = list(dict.fromkeys(result.group or "" for result in main))
    for result in main:
        name = result.group or (words("table.other_group") if len(names) > 1 else "")
        found.setdefault(name, []).append((result, explaining.result_title(result, words)))
    return found


def _legend(result: KpiResult, words: Words) -> Mark:
    if result.status == "measured" and result.met is not None:
        return _plain_mark("met" if result.met else "missed", words)
    return _plain_mark(result.status if result.status != "measured" else "unjudged", words)


def _row(result: KpiResult, card: Scorecard, main: Sequence[KpiResult], title: str, words: Words) -> KpiRow:
    source, as_of = _source_and_moment(result, card, words)
    return KpiRow(
        key=result_key(result),
        title=formats.shortened(title, 160),
        clause=formats.shortened(result.clause or "", 80),
        is_critical=result.kpi in card.critical,
        target=_target(result, words),
        actual=_value(result, words) if result.status == "measured" else formats.DASH,
        actual_note=_actual_note(result, words),
        variance=formats.difference(result.value, result.target, result.unit, words) if result.status == "measured" else formats.DASH,
        mark=_mark(result, words),
        score=formats.number(result.score, words.language, most=1),
        weight=formats.number(result.weight_used, words.language, most=2),
        weight_note=_weight_note(result, main, words),
        points=formats.number(result.points, words.language, most=2),
        streak=_streak(result, words),
        spark=charts.sparkline(_points(card.trends.get(result_key(result), []), words), _trend_title(result, card, words)),
        source=source,
        as_of=as_of,
    )


def _weight_note(result: KpiResult, main: Sequence[KpiResult], words: Words) -> str:
    """Why the weight used is not the agreed one: shared among the verdicts of one KPI, or enlarged by those that could not be judged."""
    if result.weight is None or result.weight_used is None or result.weight == result.weight_used:
        return ""
    sharing = sum(other.kpi == result.kpi for other in main)
    agreed = formats.number(result.weight, words.language, most=2)
    if sharing > 1:
        key = "table.weight_shared" if result.weight_used * sharing == result.weight else "table.weight_shared_on"
        return words(key, weight=agreed, n=sharing)
    return words("table.weight_on", weight=agreed)


def _actual_note(result: KpiResult, words: Words) -> str:
    if result.status == "measured":
        return words("table.sample", n=formats.number(result.denominator, words.language)) if result.interval is not None else ""
    if result.status in {"not_measured", "accumulating"} and result.denominator is not None:
        return words("table.sample", n=formats.number(result.denominator, words.language))
    if result.status == "no_data" and result.spans_expected is not None:
        return words("table.spans", present=result.spans_present or 0, expected=result.spans_expected)
    return ""


def _streak(result: KpiResult, words: Words) -> str:
    if not result.streak:
        return formats.DASH
    return words("streak.met" if result.streak > 0 else "streak.missed", n=abs(result.streak))


def _value(result: KpiResult, words: Words) -> str:
    return _beside_target(result.value, result, words)


def _beside_target(value: Decimal | None, result: KpiResult, words: Words) -> str:
    """A value of the result's; percentages stand below one another, so they have the same decimals."""
    least = 2 if result.unit == "percent" else 0
    return formats.quantity(value, result.unit, words, least=least, most=2, beside=(result.target, *result.levels.values()))


def _target(result: KpiResult, words: Words) -> str:
    if result.target is None:
        return formats.DASH
    target = formats.quantity(result.target, result.unit, words, most=4)
    sign = words.get(f"boundary.{result.boundary}", "")
    return f"{sign}{formats.THIN}{target}" if sign else target


def _mark(result: KpiResult, words: Words) -> Mark:
    """Sign and tone from the verdict, the word from the contract's own level where it has one."""
    if result.status != "measured":
        return _plain_mark(result.status, words)
    if result.met is None:
        word = result.level or words("verdict.none" if result.target is not None else "verdict.no_target")
        return Mark(sign=_MARKS["unjudged"], word=formats.shortened(word, 40), tone="none")
    plain = _plain_mark("met" if result.met else "missed", words)
    return structs.replace(plain, word=formats.shortened(result.level, 40)) if result.level else plain


def _plain_mark(name: str, words: Words) -> Mark:
    tone: Tone = "good" if name == "met" else "bad" if name == "missed" else "none"
    word = (
        words(f"verdict.{name}") if name in {"met", "missed"} else words("verdict.none") if name == "unjudged" else words(f"status.{name}")
    )
    return Mark(sign=_MARKS[name], word=word, tone=tone)


def _feeds_of(result: KpiResult, card: Scorecard) -> list[Feed]:
    wanted = card.measures.get(result.kpi)
    if wanted is None:
        return []
    return [feed for feed in card.feeds if feed.measure in wanted and feed.scope.items() <= result.dimensions.items()]


def _is_typed_in(feed: Feed) -> bool:
    return feed.source == "typed in"


def _source_name(feed: Feed, words: Words) -> str:
    return words("source.typed_in") if _is_typed_in(feed) else feed.source


def _as_of(feeds: Sequence[Feed], card: Scorecard, words: Words) -> str:
    if not feeds:
        return ""
    if any(feed.as_of is None for feed in feeds):
        return words("source.never")
    return formats.brief_moment(min(feed.as_of for feed in feeds if feed.as_of is not None), card.time_zone, words)


def _points(trend: Sequence[TrendPoint], words: Words) -> list[charts.Point]:
    intervals = [_interval(point) for point in trend[-13:]]
    return [
        charts.Point(
            label=formats.month_short(point.from_, words),
            value=point.value if point.status == "measured" or point.relieved else None,
            target=point.target,
            met=point.met,
            relieved=point.relieved or point.status == "relieved",
            version=point.version,
            low=interval[0] if interval else None,
            high=interval[1] if interval else None,
        )
        for point, interval in zip(trend[-13:], intervals, strict=True)
    ]


def _interval(point: TrendPoint) -> tuple[Decimal, Decimal] | None:
    """The 95 % interval of a sampled period: as it was judged, or from its value and its sample."""
    if point.interval is not None or point.cases is None or point.value is None or point.status != "measured":
        return point.interval
    # The counts were whole; the value may have been cut for showing.
    hits = (point.value * point.cases / 100).to_integral_value()
    bounds = wilson(Fraction(hits), Fraction(point.cases))
    low, high = (shown(bounds[0]), shown(bounds[1])) if bounds is not None else (None, None)
    return (low, high) if low is not None and high is not None else None


def _trend_title(result: KpiResult, card: Scorecard, words: Words) -> str:
    trend = card.trends.get(result_key(result), [])[-13:]
    known = [point for point in trend if point.value is not None]
    title = formats.shortened(explaining.result_title(result, words), 120)
    if not known:
        return words("chart.trend_empty", title=title)
    return words(
        "chart.trend",
        title=title,
        n=len(trend),
        first=formats.quantity(known[0].value, result.unit, words),
        last=formats.quantity(known[-1].value, result.unit, words),
        target=_target(result, words),
        missed=sum(point.met is False for point in trend),
        without=len(trend) - len(known),
    )


# --- panels and breakdowns ------------------------------------------------------------------------------------------------------


def _panels(card: Scorecard, ordered: Sequence[KpiResult], words: Words) -> list[Panel]:
    """A panel for each miss, each critical KPI and each KPI whose data did not come; misses first, and larger."""
    return [_panel(result, card, words) for result in ordered if _has_panel(result, card)]


def _has_panel(result: KpiResult, card: Scorecard) -> bool:
    # Of a workstream that fell silent as a whole, the critical KPIs are enough: they all draw the same gap.
    alike = [other for other in card.results if other.dimensions == result.dimensions]
    is_alone = len(alike) == 1 or any(other.met is not None for other in alike) or not result.dimensions
    is_silent = result.status == "no_data" and is_alone and bool(card.trends.get(result_key(result)))
    return result.met is False or result.kpi in card.critical or is_silent


def _panel(result: KpiResult, card: Scorecard, words: Words) -> Panel:
    key = result_key(result)
    points = _points(card.trends.get(key, []), words)
    limits = [
        charts.Limit(value=value, label=f"{formats.shortened(name, 9)} {formats.number(value, words.language)}")
        for name, value in sorted(result.levels.items(), key=lambda level: (level[1], level[0]))
        if value != result.target
    ]
    ticks = [(value, formats.number(value, words.language, most=4)) for value in charts.grid_values(points, limits)]
    target_label = words("chart.target", target=formats.number(result.target, words.language, most=4)) if result.target is not None else ""
    week = card.weekday_pattern.get(key) or []
    title = explaining.result_title(result, words)
    commentary = _commentary(card, result.kpi, words)
    is_small = result.met is not False and not commentary and not week
    return Panel(
        title=formats.shortened(title, 160),
        clause=formats.shortened(result.clause or "", 80),
        mark=_mark(result, words),
        is_critical=result.kpi in card.critical,
        is_small=is_small,
        chart=charts.trend(
            points,
            _trend_title(result, card, words),
            limits=limits,
            target_label=target_label,
            ticks=ticks,
            width=328 if is_small else 424,
            height=104 if is_small else 124,
        )
        if points
        else "",
        facts=_panel_facts(result, card, words),
        sentences=_panel_sentences(result, card, words),
        week=charts.week(week, words("chart.week", title=formats.shortened(title, 80))) if week else "",
        commentary=commentary,
    )


def _earlier(result: KpiResult, card: Scorecard, words: Words) -> list[Fact]:
    """The value of the period before, and of the same one a year ago, where they were measured."""
    trend = card.trends.get(result_key(result), [])
    a_year_ago = [point for point in trend[:-1] if (point.from_.year + 1, point.from_.month) == (card.from_.year, card.from_.month)]
    found = [("previous", trend[-2:-1]), ("year_ago", a_year_ago[-1:])]
    return [
        Fact(label=words(f"compare.{name}"), value=_beside_target(points[0].value, result, words))
        for name, points in found
        if points and points[0].value is not None
    ]


def _panel_facts(result: KpiResult, card: Scorecard, words: Words) -> list[Fact]:
    judged = result.status == "measured"
    facts = [
        Fact(
            label=words("column.actual"),
            value=_value(result, words) if judged else words(f"status.{result.status}"),
            tone="bad" if result.met is False else "plain",
        ),
        Fact(
            label=words("column.target"),
            value=_target(result, words),
            note=formats.difference(result.value, result.target, result.unit, words) if judged else "",
        ),
    ]
    if result.numerator is not None and result.denominator is not None:
        counts = words(
            "panel.counts",
            numerator=formats.number(result.numerator, words.language),
            denominator=formats.number(result.denominator, words.language),
        )
        facts.append(Fact(label=words("panel.counted"), value=counts))
    facts += _earlier(result, card, words)
    if result.score is not None:
        facts.append(Fact(label=words("column.score"), value=formats.number(result.score, words.language, most=1)))
    if result.points is not None:
        facts.append(
            Fact(label=words("column.points"), value=formats.number(result.points, words.language), note=_multiplied(result, words))
        )
    if result.streak:
        facts.append(Fact(label=words("column.streak"), value=_streak(result, words)))
    if result.value_without_relief is not None:
        without = _beside_target(result.value_without_relief, result, words)
        facts.append(Fact(label=words("compare.without_relief"), value=without))
    return facts


def _multiplied(result: KpiResult, words: Words) -> str:
    if result.points_base is None or result.multiplier is None or result.multiplier == 1:
        return ""
    return words(
        "panel.multiplied",
        base=formats.number(result.points_base, words.language),
        multiplier=formats.number(result.multiplier, words.language),
    )


def _panel_sentences(result: KpiResult, card: Scorecard, words: Words) -> list[str]:
    said = []
    if result.interval is not None and result.status == "measured":
        low, high = result.interval
        said.append(
            words(
                "panel.interval",
                n=formats.number(result.denominator, words.language),
                low=formats.quantity(low, result.unit, words, most=1),
                high=formats.quantity(high, result.unit, words, most=1),
            )
        )
        if result.met is False and result.target is not None:
            within = low <= result.target <= high
            said.append(words("panel.within_chance" if within else "panel.beyond_chance"))
    if result.spans_expected is not None and result.spans_present is not None and result.spans_present < result.spans_expected:
        said.append(words("panel.spans", present=result.spans_present, expected=result.spans_expected))
    if result.spans_relieved:
        said.append(words("because.relieved_spans", spans=result.spans_relieved))
    if not result.recomputable:
        said.append(words("because.reported"))
    if result.note and (note := _note(result.note, words)):
        said.append(note)
    versions = {point.version for point in card.trends.get(result_key(result), []) if point.version}
    if len(versions) > 1:
        said.append(words("panel.versions", n=len(versions)))
    return said


_SPANS_NEEDED = re.compile(r"\d+ of \d+ spans came, ([\d.]+) % are needed")


def _note(note: str, words: Words) -> str:
    """The engine's remark on an outcome, in the page's language where it is a known one; how many days came is said already."""
    needed = _SPANS_NEEDED.fullmatch(note)
    if needed is not None:
        return words("panel.needed", share=formats.quantity(Decimal(needed[1]), "percent", words))
    return "" if note == "nothing was delivered" else formats.shortened(note, 400)


def _breakdowns(card: Scorecard, split: Sequence[KpiResult], words: Words) -> list[Breakdown]:
    shown = []
    for kpi in dict.fromkeys(result.kpi for result in split):
        parts = [result for result in split if result.kpi == kpi]
        volume = sum((part.denominator or Decimal(0) for part in parts if len(part.dimensions) == 1), Decimal(0))
        drawn = [
            value
            for part in parts
            for point in _points(card.trends.get(result_key(part), []), words)
            for value in (point.value, point.target)
            if value is not None
        ]
        shown.append(
            Breakdown(
                title=formats.shortened(parts[0].title or kpi, 120),
                target=_target(parts[0], words),
                cells=[_cell(part, card, drawn, volume, words) for part in parts],
            )
        )
    return shown


def _cell(part: KpiResult, card: Scorecard, drawn: Sequence[Decimal], volume: Decimal, words: Words) -> Cell:
    points = _points(card.trends.get(result_key(part), []), words)
    note = ""
    if part.denominator is not None:
        note = words("table.sample", n=formats.number(part.denominator, words.language))
        alike = len({tuple(r.dimensions) for r in card.results if r.kpi == part.kpi and r.dimensions}) == 1
        if volume and alike and len(part.dimensions) == 1:
            share = formats.quantity(part.denominator * 100 / volume, "percent", words, most=0)
            note = words("breakdown.share", sample=note, share=share)
    return Cell(
        title=formats.shortened(" · ".join(f"{name}: {value}" for name, value in sorted(part.dimensions.items())), 60),
        mark=_mark(part, words),
        actual=_value(part, words) if part.status == "measured" else words(f"status.{part.status}"),
        note=note,
        chart=charts.small_multiple(points, _trend_title(part, card, words), low=min(drawn), high=max(drawn)) if points and drawn else "",
    )


# --- money ----------------------------------------------------------------------------------------------------------------------


def _total_of(card: Scorecard) -> Total | None:
    """The total of this scorecard's own scope and period, where there is one."""
    own = [total for total in card.totals if total.from_ == card.from_ and total.until == card.until]
    exact = [total for total in own if total.scope == card.scope or total.scope.get("site") == card.site]
    return next(iter(exact or own), None)


def _money_facts(card: Scorecard, total: Total | None, words: Words, *, brief: bool = False) -> list[Fact]:
    """The amounts of the period; ``brief`` leaves out what is nought and stands in the net anyway."""

    def fact(key: str, amount: Decimal | None, *, strong: bool = False) -> list[Fact]:
        if amount is None or (brief and not amount and key in ("bonus", "earned_back", "carried")):
            return []
        return [Fact(label=words(f"money.{key}"), value=formats.money(amount, card.currency, words.language), is_strong=strong)]

    facts: list[Fact] = []
    if total is not None:
        if total.credit_uncapped is not None and total.credit is not None and total.credit_uncapped != total.credit:
            facts += fact("credit_uncapped", total.credit_uncapped)
        facts += fact("credit", total.credit) + fact("bonus", total.bonus) + fact("earned_back", total.earned_back)
        facts += fact("carried", total.carried)
        net = total.net
        facts += fact("net_to_vendor", -net, strong=True) if net is not None and net < 0 else fact("net", net, strong=True)
        if total.invoice is not None:
            facts += fact("taken_off", total.taken_off) + fact("tax", total.tax) + fact("to_pay", total.to_pay)
            facts += fact("left_over", total.left_over) if total.left_over else []
    return facts + fact("this_year", card.credit_this_year) + fact("at_risk", card.money_at_risk)


def _money(card: Scorecard, words: Words) -> Money | None:
    total = _total_of(card)
    if not card.lines and total is None:
        return None
    bars = _waterfall(card, total, words)
    lines = [
        MoneyLine(
            step=str(line.step),
            kind=words(f"line.{line.kind}"),
            subject=formats.shortened(" · ".join(filter(None, [_kpi_title(line.kpi, card), _scope_words(line, card)])), 90),
            rule=formats.shortened(line.rule, 600),
            clause=formats.shortened(line.clause or "", 80),
            inputs=[
                words("money.input", name=formats.shortened(name, 60), value=formats.shortened(explaining.input_text(value, words), 80))
                for name, value in line.inputs.items()
            ],
            base=_base(line, card, words),
            amount=_amount(line, card, words),
            bar="" if line.amount is None or _is_in_points(line) else bar,
            note=_due(line, words),
        )
        for line, bar in zip(card.lines, bars, strict=True)
    ]
    return Money(
        is_short=len(lines) <= _LINES_TOGETHER,
        nothing=words("money.nothing") if not lines else "",
        lines=lines, totals=_money_facts(card, total, words) if total else [], notes=[words("money.direction"), words("money.true_up")]
    )


_INVOICING = 15
"""The step that tells what becomes of the net; it adds nothing to it."""


def _waterfall(card: Scorecard, total: Total | None, words: Words) -> list[str]:
    """Bars of a running sum where the steps do add up to the credit; otherwise each bar stands on nought by itself."""
    titles = [words("chart.step", step=line.step, amount=_amount(line, card, words)) for line in card.lines]
    amounts = [_effect(line) for line in card.lines]
    runs = total is not None and total.net is not None and sum(amounts, Decimal(0)) == total.net
    return charts.waterfall([charts.Step(amount=amount, is_total=not runs) for amount in amounts], titles)


def _effect(line: Line) -> Decimal:
    """What a step adds to the net: a bonus and an earn-back are positive in the vendor's favour."""
    if line.amount is None or _is_in_points(line) or line.step == _INVOICING:
        return Decimal(0)
    return -line.amount if line.kind in {"bonus", "earn_back"} else line.amount


def _due(line: Line, words: Words) -> str:
    """Which invoice a line goes on, and until when it has to be asked for."""
    said = [words("money.payable_in", day=formats.short_day(line.payable_in, words))] if line.payable_in else []
    said += [words("money.claim_by", day=formats.short_day(line.claim_by, words))] if line.claim_by else []
    return ", ".join(said)


def _is_in_points(line: Line) -> bool:
    return line.kind in {"points", "repeat"} and line.base is None


def _amount(line: Line, card: Scorecard, words: Words) -> str:
    if _is_in_points(line):
        return formats.quantity(line.amount, "service_points", words)
    return formats.money(line.amount, card.currency, words.language, exact=True)


def _base(line: Line, card: Scorecard, words: Words) -> str:
    if line.base is None and line.base_amount is None:
        return ""
    amount = formats.money(line.base_amount, card.currency, words.language)
    return words("money.input", name=formats.shortened(line.base or words("money.base"), 60), value=amount)


def _scope_words(line: Line, card: Scorecard) -> str:
    return ", ".join(value for name, value in sorted(line.scope.items()) if not (name == "site" and value == card.site))


def _kpi_title(kpi: str | None, card: Scorecard) -> str:
    if kpi is None:
        return ""
    return next((result.title for result in card.results if result.kpi == kpi and result.title), kpi)


# --- what a revision changes ----------------------------------------------------------------------------------------------------


def _changes(card: Scorecard, words: Words) -> Changes | None:
    if card.revises is None:
        return None
    rows: list[DifferenceRow] = []
    last = None
    for one in card.revises.differences:
        subject = ""
        if one.kpi:
            part = explaining.part_title(one.dimensions, words)
            subject = formats.shortened(f"{_kpi_title(one.kpi, card)}{f' ({part})' if part else ''}", 90)
        rows.append(
            DifferenceRow(
                subject=subject if subject != last else "",
                figure=words(f"difference.{one.figure}"),
                before=_figure_text(one, one.before, words),
                after=_figure_text(one, one.after, words),
                change=_figure_change(one, words),
            )
        )
        last = subject
    causes = ", ".join(words(f"cause.{cause}") for cause in card.revises.causes)
    return Changes(
        title=words("changes.title", revision=card.revision),
        intro=words("changes.intro" if rows else "changes.none", before=card.revises.revision, causes=causes),
        before=words("changes.before", revision=card.revises.revision),
        rows=rows,
    )


_IN_WORDS = {"standing": "", "level": "", "status": "status.", "verdict": "verdict."}
"""Figures that are words: as the contract has them, or under the key that begins so."""


def _figure_text(one: Difference, value: str | None, words: Words) -> str:
    if value is None:
        return formats.DASH
    if one.figure in _IN_WORDS:
        prefix = _IN_WORDS[one.figure]
        return words.get(f"{prefix}{value}", value) if prefix else formats.shortened(value, 40)
    number = Decimal(value)
    other = [Decimal(text) for text in (one.before, one.after) if text is not None and text != value]
    if one.figure in _MONEY_OF_TOTAL:
        return formats.money(number, one.unit, words.language)
    return formats.quantity(number, one.unit, words, most=2, beside=other)


def _figure_change(one: Difference, words: Words) -> str:
    if one.before is None or one.after is None or one.figure in _IN_WORDS:
        return ""
    before, after = Decimal(one.before), Decimal(one.after)
    if one.figure in _MONEY_OF_TOTAL:
        return formats.money(after - before, one.unit, words.language, sign=True)
    if one.figure in ("value", "target"):
        return formats.difference(after, before, one.unit, words)
    return formats.number(after - before, words.language, most=2, sign=True, beside=(Decimal(0),))


# --- relief, tickets, data, words -----------------------------------------------------------------------------------------------


def _relief(card: Scorecard, words: Words) -> Relief | None:
    touched = [result for result in card.results if result.value_without_relief is not None]
    if not card.relief and not touched:
        return None
    effects = []
    if card.score_without_relief is not None:
        effects.append(
            Fact(
                label=words("relief.score"),
                value=formats.number(card.score, words.language, least=1, most=2),
                note=words("relief.without", value=formats.number(card.score_without_relief, words.language, least=1, most=2)),
            )
        )
    effects.extend(
        Fact(
            label=formats.shortened(explaining.result_title(result, words), 70),
            value=_value(result, words) if result.value is not None else words(f"status.{result.status}"),
            note=words("relief.without", value=_beside_target(result.value_without_relief, result, words)),
        )
        for result in touched
    )
    tones: dict[str, tuple[str, Tone]] = {"approved": ("✓", "good"), "refused": ("✗", "bad"), "waiting": ("…", "none")}
    rows = [
        ReliefRow(
            span=formats.short_span(use.from_, use.until, words),
            cause=formats.shortened(use.cause, 200),
            kpi=formats.shortened(_kpi_title(use.kpi, card), 60) or words("relief.every_kpi"),
            mark=Mark(sign=tones[use.decision][0], word=words(f"relief.{use.decision}"), tone=tones[use.decision][1]),
            reason=formats.shortened(use.reason or "", 300),
        )
        for use in card.relief
    ]
    return Relief(rows=rows, effects=effects)


def _ticket(ticket: TicketNote, card: Scorecard, words: Words) -> TicketRow:
    return TicketRow(
        number=formats.shortened(ticket.number, 40),
        title=formats.shortened(_ticket_title(ticket, card, words), 200),
        level=formats.number(ticket.level, words.language),
        state=words("ticket.recovered")
        if ticket.recovered
        else words.get(f"ticket_state.{ticket.state}", formats.shortened(ticket.state.replace("_", " "), 40)),
        opened_on=formats.short_day(ticket.opened_on, words),
        due=formats.short_moment(ticket.due_at, card.time_zone, words) if ticket.due_at is not None else formats.DASH,
    )


def _ticket_title(ticket: TicketNote, card: Scorecard, words: Words) -> str:
    if not ticket.kpi or not ticket.rule:
        return ticket.title
    part = explaining.part_title(ticket.dimensions, words)
    return f"{_kpi_title(ticket.kpi, card)}{f' ({part})' if part else ''}: {ticket.rule}"


def _quality(card: Scorecard, words: Words) -> Quality:
    troubled = [feed for feed in card.feeds if _is_troubled(feed)]
    if not card.feeds:
        summary = words("quality.no_feeds")
    elif troubled:
        summary = words.count("quality.troubled", len(troubled), total=len(card.feeds))
    else:
        summary = words.count("quality.clean", len(card.feeds))
    coverage = _coverage_rows(card, words)
    severities: dict[str, int] = {"error": 0, "warning": 1, "note": 2}
    findings = [
        FindingRow(
            severity=words(f"severity.{finding.severity}"),
            where=formats.shortened(finding.where, 90),
            message=formats.shortened(finding.message, 400),
            repair=formats.shortened(finding.repair, 300),
        )
        for finding in sorted(card.findings, key=lambda finding: severities[finding.severity])
    ]
    return Quality(summary=summary, feeds=_feeds(card, words), coverage=coverage, findings=findings)


def _coverage_rows(card: Scorecard, words: Words) -> list[CoverageRow]:
    """What did not come in full; KPIs of one workstream that lack the same stand in one row."""
    alike: dict[tuple[str, str], list[KpiResult]] = {}
    for result in card.results:
        is_whole = result.spans_present == result.spans_expected and not result.spans_unpaired and not result.spans_relieved
        if result.spans_expected is not None and not is_whole:
            alike.setdefault((_part_key(result), _coverage(result, words)), []).append(result)
    rows = []
    for (_, said), results in alike.items():
        title = formats.shortened(explaining.result_title(results[0], words), 80)
        if len(results) > 1 and results[0].dimensions:
            title = words("unjudged.some", part=explaining.part_title(results[0].dimensions, words), n=len(results))
        elif len(results) > 1:
            title = _listed([formats.shortened(explaining.result_title(result, words), 60) for result in results], 12, words)
        rows.append(CoverageRow(title=title, said=said))
    return rows


def _is_troubled(feed: Feed) -> bool:
    return bool(feed.as_of is None or feed.missing or feed.late or feed.refused or feed.corrected)


def _coverage(result: KpiResult, words: Words) -> str:
    said = [words("because.spans", present=result.spans_present or 0, expected=result.spans_expected or 0)]
    if result.spans_unpaired:
        said.append(words("because.unpaired_spans", spans=result.spans_unpaired))
    if result.spans_relieved:
        said.append(words("because.relieved_spans", spans=result.spans_relieved))
    return " ".join(said)


def _feeds(card: Scorecard, words: Words) -> list[FeedRow]:
    """A row for the feeds of a workstream that share their fate, those with trouble first; what was typed in stands by itself."""
    alike: dict[tuple[object, ...], list[Feed]] = {}
    for feed in card.feeds:
        fate = (
            bool(feed.missing or feed.as_of is None), bool(feed.late), bool(feed.corrected), feed.refused,
            feed.newest_on if feed.missing else None, feed.as_of is None or not _is_troubled(feed),
        )  # fmt: skip
        own = feed.measure if _is_typed_in(feed) else ""
        alike.setdefault((tuple(sorted(feed.scope.items())), feed.source, own, *fate), []).append(feed)
    ordered = sorted(alike.values(), key=lambda feeds: (not (feeds[0].missing or feeds[0].as_of is None), not _is_troubled(feeds[0])))
    return [_feed_row(feeds, card, words) for feeds in ordered]


def _feed_row(feeds: Sequence[Feed], card: Scorecard, words: Words) -> FeedRow:
    first = feeds[0]
    is_complete = not first.missing and first.as_of is not None
    part = explaining.part_title(first.scope, words)
    known = [feed.as_of for feed in feeds if feed.as_of is not None]
    measure, members = formats.shortened(first.measure, 80), ""
    if len(feeds) > 1:
        measure = words.count("source.complete" if is_complete else "source.incomplete", len(feeds))
        members = ", ".join(formats.shortened(feed.measure, 80) for feed in feeds)
    newest = None if is_complete else max((feed.newest_on for feed in feeds if feed.newest_on is not None), default=None)

    def count(n: int) -> str:
        return formats.number(n, words.language)

    return FeedRow(
        measure=words("data.part", part=part, measures=measure) if part else measure,
        members=members,
        source=formats.shortened(_source_name(first, words), 60) or formats.DASH,
        how=words("source.by_hand" if _is_typed_in(first) else "source.automatic") if first.source else "",
        as_of=formats.short_moment(max(known), card.time_zone, words) if known else words("source.never"),
        reaches=words("quality.reaches", day=formats.short_day(newest, words)) if newest is not None else "",
        rows=count(sum(feed.rows for feed in feeds)),
        missing=count(sum(feed.missing for feed in feeds)),
        late=count(sum(feed.late for feed in feeds)),
        corrected=count(sum(feed.corrected for feed in feeds)),
        # A refused row belongs to a source, so each of its feeds counts the same ones.
        refused=count(first.refused),
        tone="plain" if is_complete else "bad",
    )


def _commentary(card: Scorecard, kpi: str | None, words: Words) -> list[Remarked]:
    """What was written about one KPI, or (``None``) what has no other place: neither on the first page nor in a panel."""
    if kpi is not None:
        return [_remarked(comment, card, words) for comment in card.commentary if comment.kpi == kpi]
    with_panel = {result.kpi for result in _ordered_by_loss(_main_and_split(card.results)[0]) if _has_panel(result, card)}
    placed = bool(_overall_words(card, words))
    left = [comment for comment in card.commentary if (not placed if comment.kpi is None else comment.kpi not in with_panel)]
    return [_remarked(comment, card, words) for comment in left]


def _remarked(comment: Commentary, card: Scorecard, words: Words) -> Remarked:
    return Remarked(
        about=formats.shortened(_kpi_title(comment.kpi, card), 120) or words("commentary.whole"),
        role=formats.shortened(comment.role, 60),
        paragraphs=[formats.clean(part).strip() for part in comment.text.splitlines() if part.strip()],
    )


def _appendix(card: Scorecard, words: Words) -> list[AppendixRow]:
    """The score, then each result with its KPI's definition, which is not repeated for a KPI's parts; then definitions without a result."""
    whole = explaining.of_scorecard(card, words)
    rows = [AppendixRow(title=whole.figure, value=whole.value, cited="", definition="", reached=whole.because)]
    defined: set[str] = set()
    for result, derived in zip(card.results, whole.parts, strict=True):
        definition = card.definitions.get(result.kpi, "") if result.kpi not in defined else ""
        defined.add(result.kpi)
        reached = " ".join(filter(None, (part.because for part in derived.parts)))
        rows.append(
            AppendixRow(
                title=formats.shortened(derived.figure, 160),
                value=derived.value,
                cited=formats.shortened(derived.because, 200),
                definition=formats.clean(definition),
                reached=reached,
            )
        )
    rows.extend(
        AppendixRow(title=formats.shortened(kpi, 160), value="", cited="", definition=formats.clean(text), reached="")
        for kpi, text in card.definitions.items()
        if kpi not in defined
    )
    return rows


def _about(card: Scorecard, words: Words) -> list[Fact]:
    facts = [
        Fact(label=words("about.engine"), value=card.engine),
        Fact(
            label=words("about.period"),
            value=words("about.half_open", first=card.from_.isoformat(), end=card.until.isoformat(), zone=card.time_zone),
        ),
        Fact(label=words("about.as_of"), value=formats.moment(card.data_as_of, card.time_zone, words)),
        Fact(label=words("about.prepared"), value=formats.moment(card.prepared_at, card.time_zone, words)),
    ]
    facts.extend(
        Fact(label=words("about.version_hash", version=version), value=digest)
        for version, digest in zip(card.versions, card.version_hashes, strict=False)
    )
    return facts
