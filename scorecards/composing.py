"""From a judged period to the scorecards people receive: one for each site, and one for the contract where it needs one.

Everything a page shows is put in here, so that templates compute nothing and the attached JSON holds all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from msgspec import Struct

from contracts.document import Contract, Counts, Kpi
from contracts.period import Period
from scorecards.evaluating import Evaluation, Planned
from scorecards.measurement import Scope
from scorecards.measuring import measures_of, side
from scorecards.pricing.ledger import Memory, Record, covers
from scorecards.scorecard import (
    Commentary,
    Feed,
    KpiResult,
    Line,
    ReliefUse,
    Scorecard,
    StandingBand,
    TicketNote,
    Total,
    TrendPoint,
    result_key,
    shown,
)
from scorecards.scoring import combine, without_relief

_SCORE, _CONVERSION = 8, 13
"""The step in which the score is made (what comes after is money), and the one that every total has."""


class Surroundings(Struct, frozen=True, kw_only=True):
    """What a scorecard says besides its figures, for one contract and period; by site where it differs."""

    customer: str
    vendor: str
    vendor_name: str
    sites: Mapping[str, str]
    """Names by code."""
    versions: list[str]
    version_hashes: list[str]
    data_as_of: datetime
    prepared_at: datetime
    trends: Mapping[str | None, Mapping[str, list[TrendPoint]]]
    score_trends: Mapping[str | None, list[TrendPoint]]
    credit_this_year: Mapping[str | None, Decimal]
    """Credits of earlier periods of this contract year."""
    feeds: Mapping[str | None, list[Feed]]
    relief: Sequence[tuple[str | None, ReliefUse]]
    tickets: Mapping[str | None, list[TicketNote]]
    commentary: Mapping[str | None, list[Commentary]]

    def __post_init__(self) -> None:
        if self.prepared_at < self.data_as_of:
            raise ValueError(f"a scorecard cannot be prepared at {self.prepared_at}, before the data it rests on: {self.data_as_of}")


class Composed(Struct, frozen=True, kw_only=True):
    """A scorecard without its number, and what is kept beside it for later periods."""

    site: str | None
    document: Scorecard
    memories: list[Memory]


def compose(planned: Sequence[Planned], run: Evaluation, around: Surroundings) -> list[Composed]:
    """The scorecards of one period, which may have been judged in parts (an amendment inside it)."""
    period = Period(planned[0].period.from_on, planned[-1].period.until_on)
    contract = planned[-1].version.contract
    results: dict[str | None, list[KpiResult]] = {}
    for result in run.results:
        results.setdefault(result.site, []).append(result)
    lines: dict[str | None, list[Line]] = {}
    memories: dict[str | None, list[Memory]] = {}
    for record in run.records:
        for line in record.lines:
            lines.setdefault(line.scope.get("site"), []).append(line)
        for site, memory in record.memories().items():
            memories.setdefault(site, []).append(memory)
    said = _Said(
        definitions={name: definition(name, kpi) for name, kpi in contract.kpis.items()},
        measures={name: measures_of(kpi) for name, kpi in contract.kpis.items()},
        bands=_bands(contract),
    )
    sites: list[str | None] = [*sorted({site for site in results if site is not None} | set(_scope_sites(contract)))]
    # A limit on all sites together leaves its line above them, and what later periods have to know of it.
    is_above = any(line.step > _SCORE and line.step != _CONVERSION for line in lines.get(None, []))
    if None in results or None in memories or is_above:
        sites.append(None)
    return [
        _card(site, period, contract, run, around, said, results.get(site, []), lines.get(site, []), memories.get(site, []))
        for site in sites
    ]


class _Said(Struct, frozen=True, kw_only=True):
    """What every scorecard of a contract says alike."""

    definitions: dict[str, str]
    measures: dict[str, list[str]]
    bands: list[StandingBand]


def _scope_sites(contract: Contract) -> list[str]:
    return list(dict.fromkeys(scope.site for scope in contract.scope))


def _card(
    site: str | None,
    period: Period,
    contract: Contract,
    run: Evaluation,
    around: Surroundings,
    said: _Said,
    results: list[KpiResult],
    lines: list[Line],
    memories: list[Memory],
) -> Composed:
    scope: Scope = (("site", site),) if site is not None else ()
    records = run.records
    here = dict(scope)
    totals = [total for total in run.totals if total.scope == here]
    total = totals[-1] if totals else None
    score = _score(totals)
    trend = list(around.score_trends.get(site, []))
    year_ago = [point for point in trend if (point.from_.year + 1, point.from_.month) == (period.from_on.year, period.from_on.month)]
    earlier_credit = around.credit_this_year.get(site, Decimal(0))
    credit = sum((one.credit for one in totals if one.credit is not None), Decimal(0))
    priced = any(one.credit is not None for one in totals)
    before = around.trends.get(site, {})
    trends: dict[str, list[TrendPoint]] = {}
    for result in results:
        key = result_key(result)
        trends[key] = [*before.get(key, []), _point(result)][-13:]
    names = [name for name in _names(results) if name in contract.kpis]
    document = Scorecard(
        number="",
        contract=contract.contract,
        contract_title=contract.title,
        versions=around.versions,
        version_hashes=around.version_hashes,
        customer=around.customer,
        vendor=around.vendor,
        vendor_name=around.vendor_name,
        site=site or "",
        site_name=around.sites.get(site or "", site or contract.title),
        scope=dict(scope),
        currency=contract.currency,
        time_zone=contract.time_zone,
        from_=period.from_on,
        until=period.until_on,
        data_as_of=around.data_as_of,
        prepared_at=around.prepared_at,
        score=score,
        score_without_relief=_without_relief(records, scope, contract) if _is_relieved(results) else None,
        score_previous=trend[-1].score if trend else None,
        score_year_ago=year_ago[-1].score if year_ago else None,
        standing=total.standing if total else None,
        points=total.points if total else None,
        results=results,
        lines=lines,
        totals=totals,
        credit_this_year=earlier_credit + credit if priced else None,
        money_at_risk=_at_risk(contract, scope, records),
        trends=trends,
        score_trend=[*trend, _score_point(period, score, results)][-13:],
        feeds=list(around.feeds.get(site, [])),
        relief=[use for where, use in around.relief if where in (None, site)],
        tickets=list(around.tickets.get(site, [])),
        commentary=list(around.commentary.get(site, [])),
        definitions={name: said.definitions[name] for name in names},
        findings=list(run.findings),
        standing_bands=said.bands,
        critical=[name for name, kpi in contract.kpis.items() if kpi.critical],
        measures={name: said.measures[name] for name in names},
        rights=[right for right in run.rights if right.scope.get("site") in (None, site)],
    )
    return Composed(site=site, document=document, memories=memories)


def _names(results: Sequence[KpiResult]) -> list[str]:
    return list(dict.fromkeys(result.kpi for result in results))


def _score(totals: Sequence[Total]) -> Decimal | None:
    """The period's score; of a period judged in parts the mean by days, which is how its fee is divided too."""
    scored = [(total.score, (total.until - total.from_).days) for total in totals if total.score is not None]
    if not scored:
        return None
    if len(scored) == 1:
        return scored[0][0]
    days = sum(length for _, length in scored)
    return shown(sum((Fraction(score) * length for score, length in scored), Fraction(0)) / days)


def _is_relieved(results: Sequence[KpiResult]) -> bool:
    return any(result.spans_relieved or result.status == "relieved" or result.levels_without_relief for result in results)


def _without_relief(records: Sequence[Record], scope: Scope, contract: Contract) -> Decimal | None:
    """The score had no relief been granted: the same verdicts on the values without it."""
    scores: list[tuple[Fraction, int]] = []
    for record in records:
        verdicts = []
        for (_, held), verdict in record.verdicts.items():
            if not covers(scope, held):
                continue
            bare = without_relief(verdict)
            # Combining writes weights into what it is given, and the verdict itself keeps its own.
            verdicts.append(replace(verdict) if bare is verdict else bare)
        score = combine(contract, verdicts).score
        if score is not None:
            scores.append((score, record.period.days))
    days = sum(length for _, length in scores)
    return shown(sum((score * length for score, length in scores), Fraction(0)) / days) if days else None


def _point(result: KpiResult) -> TrendPoint:
    return TrendPoint(
        from_=result.from_,
        value=result.value if result.status == "measured" else None,
        target=result.target,
        status=result.status,
        met=result.met,
        score=result.score,
        relieved=bool(result.spans_relieved or result.levels_without_relief),
        version=result.version,
        interval=result.interval,
    )


def _score_point(period: Period, score: Decimal | None, results: Sequence[KpiResult]) -> TrendPoint:
    return TrendPoint(
        from_=period.from_on,
        value=score,
        target=None,
        status="measured" if score is not None else "no_data",
        met=None,
        score=score,
        relieved=_is_relieved(results),
        version=results[-1].version if results else "",
    )


def _at_risk(contract: Contract, scope: Scope, records: Sequence[Record]) -> Decimal | None:
    """The most that credits of one period can reach here: the first cap of the period."""
    cap = next((one for one in contract.money.caps if one.each == "period" and one.rolling is None), None)
    if cap is None or not records:
        return None
    if cap.amount is not None:
        return cap.amount
    base = records[-1].base_amount(cap.of or "", scope)
    return None if base is None else shown(Fraction(cap.percent or 0) / 100 * base)


def _bands(contract: Contract) -> list[StandingBand]:
    ordered = sorted(contract.scoring.standings, key=lambda one: one.at_least if one.at_least is not None else Decimal(0))
    bands: list[StandingBand] = []
    for index, one in enumerate(ordered):
        above = ordered[index + 1].at_least if index + 1 < len(ordered) else None
        bands.append(
            StandingBand(
                name=one.name,
                from_=one.at_least if one.at_least is not None else Decimal(0),
                until=above,
                consequence=one.consequence,
            )
        )
    return bands


def definition(name: str, kpi: Kpi) -> str:
    """A KPI in plain words: the contract's own definition, or its counts read out."""
    counted = _counted(kpi)
    own = f"{kpi.definition.rstrip('.')}. " if kpi.definition else ""
    return f"{own}{counted}" if counted else own or name


def _counted(kpi: Kpi) -> str:
    value = kpi.value
    if value.ratio is not None:
        return f"Counted as {_read(value.ratio.of)} ÷ {_read(value.ratio.to)}, in percent."
    if value.mean is not None:
        return f"Counted as {_read(value.mean.of)} ÷ {_read(value.mean.per)}."
    if value.rate is not None:
        return f"Counted as {_read(value.rate.of)} for each {value.rate.each} of {_read(value.rate.to)}."
    if value.sum is not None or value.count is not None:
        return f"Counted as the sum of {_read(value.sum or value.count)}."
    if value.last is not None:
        return f"The last {_read(value.last)} of the period."
    if value.given is not None:
        return f"Reported as {value.given}; its counts are not delivered."
    return ""


def _read(counts: Counts | None) -> str:
    if counts is None:
        return ""
    words = []
    for measure, factor in side(counts).terms:
        sign = "less " if factor < 0 else ""
        times = f"{abs(factor)} × " if abs(factor) != 1 else ""
        words.append(f"{sign}{times}{measure.replace('_', ' ')}")
    return ", ".join(words)
