"""Months judged one by one from what a service stores, without a database: the rows are the very ones that it would write and read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from contracts.document import Contract
from scorecards import queries
from scorecards.evaluating import Evaluation, Version, evaluate, plan_periods, version_of
from scorecards.looking_back import needs_bases, periods_back, record_of
from scorecards.measurement import Opening, Relief, Row, gather
from scorecards.pricing.bases import Amounts
from scorecards.pricing.ledger import Memory, Record
from scorecards.scorecard import KpiResult, to_json


def shown(run: Evaluation, of: Contract) -> bytes:
    return to_json(run.scored(of))


def stored(record: Record, results: Sequence[KpiResult]) -> tuple[list[KpiResult], list[Memory]]:
    """The results and the memory of a period, written to rows and read back, site by site as scorecards keep them."""
    back: list[KpiResult] = []
    memories: list[Memory] = []
    kept = record.memories()
    sites: list[str | None] = [*sorted({str(one.site) for one in results if one.site is not None}), None]
    for site in sites:
        own = [one for one in results if one.site == site]
        back += [queries.result_of(_row(queries.RESULT_COLUMNS, queries.result_row(1, one), site)) for one in own]
        memory = kept.pop(site, Memory(record.period))
        payables = [_row(queries.PAYABLE_COLUMNS, row, site) for row in queries.payable_rows(1, memory, "EUR", record.period.until_on)]
        notes = [_row(queries.NOTE_COLUMNS, row, site) for row in queries.note_rows(1, memory)]
        memories.append(
            Memory(
                record.period,
                [queries.payable_of(row) for row in payables if row["kind"] != "earned_back"],
                [queries.note_of(row) for row in notes],
            )
        )
    assert not kept, "every memory belongs to a scorecard"
    return back, memories


def _row(columns: Sequence[str], row: Sequence[Any], site: str | None) -> dict[str, Any]:
    return dict(zip(columns, row, strict=True)) | {"site_code": site}


def month_by_month(
    of: Contract | Sequence[Version],
    rows: Sequence[Row],
    relief: Sequence[Relief] = (),
    opening: Sequence[Opening] = (),
    until: date | None = None,
) -> Evaluation:
    """The same as one run, in the way of a service: each period by itself, looking back at stored results only."""
    versions = [version_of(of)] if isinstance(of, Contract) else list(of)
    planned = plan_periods(versions, until or date.fromordinal(max(row.starts_on for row in rows).toordinal() + 1))
    kept: list[tuple[Version, Record, list[KpiResult], list[Memory]]] = []
    whole = Evaluation()
    for start in dict.fromkeys(one.whole.from_on for one in planned):
        parts = [one for one in planned if one.whole.from_on == start]
        contract = parts[-1].version.contract
        before = list(dict.fromkeys(record.whole for _, record, _, _ in kept))[-periods_back(contract) :]
        earlier: list[Record] = []
        for version, record, results, memories in kept:
            if record.whole not in before:
                continue
            again = record_of(version, record.period, results, memories, began_on=versions[0].contract.in_force.from_)
            if needs_bases(contract):
                own = gather([row for row in rows if row.starts_on in record.period], [record.period.from_on])
                again.base_amount = Amounts(
                    version.contract, record.period, own, own.by_measure(), record.whole, again, list(earlier)
                ).amount
            earlier.append(again)
        facts = gather([row for row in rows if any(row.starts_on in one.period for one in parts)], [one.period.from_on for one in parts])
        for series in gather(rows, [one.period.from_on for one in planned]).tallies:
            facts.tallies.setdefault(series, {})
        run = evaluate(parts, facts, relief=relief, opening=opening, earlier=earlier)
        for one, record in zip(parts, run.records, strict=True):
            results, memories = stored(record, [result for result in run.results if result.from_ == record.period.from_on])
            kept.append((one.version, record, results, memories))
        whole.records += run.records
        for part in ("results", "totals", "rights", "proposals", "findings"):
            getattr(whole, part).extend(getattr(run, part))
    return whole
