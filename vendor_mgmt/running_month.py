"""The period that is not over yet: what came so far, judged as the contract judges, and what the rest would have to bring.

Nothing of it is stored.  It takes the steps of a close up to the verdicts, on the days that were delivered.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from contracts import agreements
from contracts.document import Contract
from contracts.period import Period
from scorecards import queries as scorecard_queries
from scorecards.evaluating import Planned, Version, evaluate
from scorecards.running import UNKNOWN, Rest, rest_of
from scorecards.scorecard import KpiResult
from vendor_mgmt.intake import feeding
from vendor_mgmt.period_close import planned_for

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]


class RunningKpi(msgspec.Struct, frozen=True, kw_only=True):
    """A KPI on the days so far, and what the rest has to bring."""

    result: KpiResult
    rest: Rest


class RunningMonth(msgspec.Struct, frozen=True, kw_only=True):
    """The running period of a contract at one site."""

    contract: str
    title: str
    period: Period
    """With its end; a part of the contract's period where a version changes inside it."""
    counted_until: date
    """First day of which nothing came yet: everything before it is counted."""
    kpis: list[RunningKpi]

    @property
    def days_left(self) -> int:
        return (self.period.until_on - self.counted_until).days


async def running_month(connection: Connection, contract: str, site: str, today: date) -> RunningMonth | None:
    """Where a site stands in the period that holds ``today``; ``None`` where the contract measures nothing then or nothing came yet.

    The caller has made sure that whoever asks may see the contract and the site.
    """
    row = await agreements.contract(connection, contract)
    agreed = await agreements.versions(connection, row.lineage)
    versions = [Version(one.document, one.in_force_from, one.in_force_until) for one in agreed]
    planned = [one for one in planned_for(versions, today) if one.period.from_on <= today]
    if not planned:
        return None
    document = planned[-1].version.contract
    sites = await agreements.sites_of(connection, [site])
    relief = await feeding.approved_relief(connection, sorted({one.contract_id for one in agreed}))
    arrivals: scorecard_queries.Arrivals = {}
    facts = await scorecard_queries.facts_of(connection, document, sites, planned, relief, arrivals=arrivals)
    counted_until = _counted_until(arrivals, document, planned[-1].period)
    if counted_until is None:
        return None
    cut = [_cut(one, counted_until) for one in planned if one.period.from_on < counted_until]
    run = evaluate(cut, facts, relief=relief)
    last = cut[-1].period
    whole = planned[len(cut) - 1].period
    days_gone, days_left = last.days, (whole.until_on - counted_until).days
    return RunningMonth(
        contract=row.code,
        title=document.title,
        period=whole,
        counted_until=counted_until,
        kpis=[
            RunningKpi(
                result=result,
                rest=_rest(document, result, days_gone, days_left),
            )
            for result in run.results
            if result.site == site and result.from_ == last.from_on
        ],
    )


def _counted_until(arrivals: scorecard_queries.Arrivals, document: Contract, period: Period) -> date | None:
    """The first day after the newest that came; what is delivered once a month says nothing about days."""
    newest = [
        came.newest_on
        for (_, measure, _), came in arrivals.items()
        if came.newest_on is not None and came.values > 1 and not document.measures[measure].money
    ]
    return min(max(newest) + timedelta(days=1), period.until_on) if newest else None


def _cut(one: Planned, until_on: date) -> Planned:
    return Planned(period=Period(one.period.from_on, min(one.period.until_on, until_on)), version=one.version, whole=one.whole)


def _rest(document: Contract, result: KpiResult, days_gone: int, days_left: int) -> Rest:
    """A last state, a percentile or a derived figure does not add up over the days, so it has no rest to reckon."""
    value = document.kpis[result.kpi].value
    if value.ratio is not None:
        return rest_of(result, days_gone=days_gone, days_left=days_left, times=100)
    if value.mean is not None or value.sum is not None or value.count is not None:
        return rest_of(result, days_gone=days_gone, days_left=days_left)
    return UNKNOWN
