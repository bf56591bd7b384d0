"""Closing a period: the main path, as one function.

    load        the versions in force, what was delivered, approved relief, earlier results
    judge       measure, score and price: one pure function
    compose     one scorecard for each site
    save        drafts, or revisions of what was issued, in one transaction with the tickets and messages they cause

Closing again changes nothing unless the figures changed.  Rendering, sending and escalating happen after, from what
was stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from contracts import agreements
from contracts.document import Contract
from contracts.period import Period, period_containing
from scorecards import composing
from scorecards import queries as scorecard_queries
from scorecards.evaluating import Evaluation, Planned, Version, evaluate, plan_periods
from scorecards.looking_back import needs_bases, periods_back, record_of
from scorecards.measurement import Facts, Relief
from scorecards.pricing.bases import Amounts
from scorecards.pricing.caps import contract_year_start
from scorecards.pricing.ledger import Record
from scorecards.scorecard import TrendPoint
from vendor_mgmt.database import transaction
from vendor_mgmt.escalations import watching
from vendor_mgmt.escalations.queries import Raised
from vendor_mgmt.intake import feeding

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]


PERIODS_SHOWN = 12
"""How many earlier periods a scorecard's trends show."""


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """What closing one contract's period came to."""

    contract: str
    period_from: date
    period_until: date
    saved: list[scorecard_queries.Saved]
    tickets: Raised

    @property
    def changed(self) -> list[scorecard_queries.Saved]:
        """The scorecards that are new or different."""
        return [one for one in self.saved if one.outcome != "unchanged"]


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a close is judged on."""

    contract: agreements.ContractRow
    contract_ids: list[int]
    """The contracts of the lineage, whose earlier periods go on in this one."""
    planned: list[Planned]
    facts: Facts
    relief: list[Relief]
    earlier: list[Record]
    around: composing.Surroundings
    site_ids: dict[str, int]


async def close_period(
    contract: str, period_from: date, *, at: datetime, customer: str = ""
) -> Closed | None:
    """Closes the period of a contract that holds the day ``period_from``; ``None`` where none of it is measured then.

    A period that a renewal begins in is the renewal's, unless its scorecards were made for the contract before it.

    ``at`` is the moment of the close, from which tickets' clocks run.  When a scorecard is written is another question,
    answered by the database: a close that was due in the morning, or that plays a past month, rests on what is known when
    it is carried out.  Closing the same period twice at once is safe: the second waits for the first.
    """
    async with transaction() as connection:
        row = await agreements.contract(connection, contract)
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('close ' || $1, $2))", row.lineage_code, period_from.toordinal()
        )
        loaded = await load(connection, row, period_from, customer=customer)
        if loaded is None:
            return None
        run = judge(loaded)
        cards = compose(loaded, run)
        return await save(connection, loaded, cards, at=at)


async def _mention_tickets(connection: Connection, loaded: Loaded, saved: Sequence[scorecard_queries.Saved]) -> None:
    """Tells the drafts of the tickets as they are now: this very close may have opened, continued or closed some."""
    notes = await watching.notes(connection, loaded.contract.vendor, loaded.contract.lineage_code)
    if not notes and not loaded.around.tickets:
        return
    codes = {number: code for code, number in loaded.site_ids.items()}
    await scorecard_queries.mention_tickets(
        connection, {one.revision_id: notes.get(codes[one.site] if one.site is not None else None, []) for one in saved}
    )


def judge(loaded: Loaded) -> Evaluation:
    """Measures, scores and prices the period."""
    return evaluate(loaded.planned, loaded.facts, relief=loaded.relief, earlier=loaded.earlier)


def compose(loaded: Loaded, run: Evaluation) -> list[composing.Composed]:
    """Writes the scorecards of the period."""
    return composing.compose(loaded.planned, run, loaded.around)


async def save(
    connection: Connection, loaded: Loaded, cards: Sequence[composing.Composed], *, at: datetime
) -> Closed:
    """Stores scorecards, then the tickets that they give reason for, in the caller's transaction."""
    period = Period(loaded.planned[0].period.from_on, loaded.planned[-1].period.until_on)
    saved = await scorecard_queries.save(
        connection,
        loaded.contract.id,
        loaded.contract.vendor_id,
        period,
        [
            scorecard_queries.Card(
                site=loaded.site_ids[card.site] if card.site is not None else None,
                document=card.document,
                memories=card.memories,
            )
            for card in cards
        ],
        at,
    )
    # The vendor is told of a ticket when a person has looked at the draft, or after a few business days.
    codes = {number: code for code, number in loaded.site_ids.items()}
    drafts = {codes[one.site]: one.number for one in saved if one.site is not None}
    raised = await watching.raise_tickets(
        connection,
        contract=loaded.planned[-1].version.contract,
        code=loaded.contract.lineage_code,
        vendor=loaded.contract.vendor,
        contract_ids=loaded.contract_ids,
        drafts=drafts,
        at=at,
    )
    await _mention_tickets(connection, loaded, saved)
    return Closed(
        contract=loaded.contract.code,
        period_from=period.from_on,
        period_until=period.until_on,
        saved=saved,
        tickets=raised,
    )


async def load(
    connection: Connection, row: agreements.ContractRow, on: date, *, customer: str = ""
) -> Loaded | None:
    """Reads everything that judging the period of a day needs, in a handful of statements."""
    agreed = await agreements.versions(connection, row.lineage)
    versions = [Version(one.document, one.in_force_from, one.in_force_until) for one in agreed]
    planned = planned_for(versions, on)
    if not planned:
        return None
    ids = sorted({one.contract_id for one in agreed})
    contract = planned[-1].version.contract
    owner = await scorecard_queries.contract_of_period(connection, ids, planned[0].period.from_on) or contract.contract
    if row.code not in (owner, contract.contract):
        return None
    if row.code != owner:
        row = await agreements.contract(connection, owner)
    codes = [scope.site for one in planned for scope in one.version.contract.scope]
    sites = await agreements.sites_of(connection, codes)
    relief = await feeding.approved_relief(connection, ids)
    arrivals: scorecard_queries.Arrivals = {}
    facts = await scorecard_queries.facts_of(connection, contract, sites, planned, relief, arrivals=arrivals)
    first = planned[0].period.from_on
    needed = periods_back(contract)
    stored = await scorecard_queries.earlier_periods(connection, ids, first, max(needed, PERIODS_SHOWN))
    earlier = await _records(connection, contract, sites, versions, scorecard_queries.last_periods(stored, needed))
    around = await _surroundings(connection, row, ids, contract, agreed, planned, sites, arrivals, stored, customer)
    return Loaded(
        contract=row,
        contract_ids=ids,
        planned=planned,
        facts=facts,
        relief=relief,
        earlier=earlier,
        around=around,
        site_ids={code: number for number, code in sites.items()},
    )


def planned_for(versions: Sequence[Version], on: date) -> list[Planned]:
    """The period that holds a day, in its parts where a version changes inside it; empty where none is measured."""
    if not versions:
        return []
    cadence = versions[0].contract.measured
    whole = period_containing(cadence.each, cadence.anchor, on)
    return [one for one in plan_periods(versions, whole.until_on) if whole.overlaps(one.period) and whole == one.whole]


async def _records(
    connection: Connection,
    contract: Contract,
    sites: Mapping[int, str],
    versions: Sequence[Version],
    stored: Sequence[scorecard_queries.Earlier],
) -> list[Record]:
    """Earlier periods as records.  Their bases are read again where a limit runs over several periods."""
    if not stored:
        return []
    records: list[Record] = []
    planned = plan_periods(versions, stored[-1].period.until_on) if needs_bases(contract) else []
    past = [one for one in planned if one.period.from_on in {held.period.from_on for held in stored}]
    old = await scorecard_queries.money_of(connection, contract, sites, past) if past else Facts()
    by_measure = old.by_measure()
    for one in stored:
        version = _judging(versions, one)
        record = record_of(version, one.period, one.results, [one.memory], began_on=versions[0].contract.in_force.from_)
        record.base_amount = Amounts(version.contract, one.period, old, by_measure, record.whole, record, list(records)).amount
        records.append(record)
    return records


def _judging(versions: Sequence[Version], one: scorecard_queries.Earlier) -> Version:
    """The version that judged an earlier period: by its name, and of several contracts' versions of one name by its days."""
    named = [version for version in versions if version.label == one.version] or list(versions)
    return next((version for version in reversed(named) if version.from_on < one.period.until_on), named[0])


async def _surroundings(
    connection: Connection,
    row: agreements.ContractRow,
    ids: Sequence[int],
    contract: Contract,
    agreed: Sequence[agreements.Agreed],
    planned: Sequence[Planned],
    sites: Mapping[int, str],
    arrivals: scorecard_queries.Arrivals,
    stored: Sequence[scorecard_queries.Earlier],
    customer: str,
) -> composing.Surroundings:
    first, until = planned[0].period.from_on, planned[-1].period.until_on
    scores: dict[str | None, list[TrendPoint]] = {}
    credits_before: dict[str | None, Decimal] = {}
    year = contract_year_start(agreed[0].in_force_from, first)
    for past in await scorecard_queries.past_scores(connection, ids, first):
        scores.setdefault(past.site, []).append(
            TrendPoint(
                from_=past.period_from,
                value=past.score,
                target=None,
                status="measured" if past.score is not None else "no_data",
                met=None,
                score=past.score,
            )
        )
        if past.period_from >= year and past.credit is not None:
            credits_before[past.site] = credits_before.get(past.site, Decimal(0)) + past.credit
    known, written = await feeding.known_and_now(connection)
    used = [one for one in agreed if any(one.document is held.version.contract for held in planned)]
    return composing.Surroundings(
        customer=contract.customer or customer,
        vendor=row.vendor,
        vendor_name=row.vendor_name,
        sites={scope.site: scope.name or scope.site for scope in contract.scope},
        versions=[f"{one.document.version} (in force from {one.in_force_from})" for one in used],
        version_hashes=[one.sha256 for one in used],
        data_as_of=known,
        prepared_at=written,
        trends=scorecard_queries.trends(
            scorecard_queries.last_periods(stored, PERIODS_SHOWN),
            {name for name, kpi in contract.kpis.items() if kpi.sampled and kpi.value.ratio is not None},
        ),
        score_trends=scores,
        credit_this_year=credits_before,
        feeds=await feeding.feeds(connection, sites, arrivals, first, until),
        relief=await feeding.relief_uses(connection, ids, first, until),
        tickets=await watching.notes(connection, row.vendor, row.lineage_code),
        commentary={},
    )
