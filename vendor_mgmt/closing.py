"""When periods are closed: the job, and what makes it due.

A contract's closes run in order, because each period looks back at the ones before; a change in an old month therefore
closes that month and everything after it again.  What did not change by it stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from contracts import agreements
from contracts.period import Period, period_containing
from scorecards.evaluating import Version, plan_periods
from vendor_mgmt.database import transaction
from vendor_mgmt.intake.pull import Pulled
from vendor_mgmt.jobs import dispatcher, runs
from vendor_mgmt.period_close import Closed, close_period

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]

CLOSE = "close"
CLOSE_AT = time(6)
"""Local time in the contract's zone at which a contract's ended periods are looked at each day."""


async def periods_of(contract: str, at: datetime) -> list[Period]:
    """The periods of a contract that are over at a moment, oldest first."""
    async with transaction() as connection:
        row = await agreements.contract(connection, contract)
        agreed = await agreements.versions(connection, row.lineage)
    return ended_periods([Version(one.document, one.in_force_from, one.in_force_until) for one in agreed], at, contract=row.code)


async def close_contract(
    contract: str,
    *,
    at: datetime,
    since: date | None = None,
    customer: str = "",
    on_closed: Callable[[Closed], None] | None = None,
) -> list[Closed]:
    """Closes every period of a contract that has ended by ``at``, from the one that holds ``since`` on, in order.

    Each period is a transaction of its own: what is closed stays closed when a later one cannot be.
    """
    closed: list[Closed] = []
    for period in await periods_of(contract, at):
        if since is not None and period.until_on <= since:
            continue
        done = await close_period(contract, period.from_on, at=at, customer=customer)
        if done is not None:
            closed.append(done)
            if on_closed is not None:
                on_closed(done)
    return closed


def ended_periods(versions: list[Version], at: datetime, *, contract: str | None = None) -> list[Period]:
    """The whole periods of a lineage that are over at a moment, oldest first; parts of one period count as one.

    ``contract`` leaves out what belongs to another contract of the lineage: a period that a renewal begins in is the renewal's.
    """
    if not versions:
        return []
    cadence = versions[0].contract.measured
    today = at.astimezone(ZoneInfo(versions[0].contract.time_zone)).date()
    running = period_containing(cadence.each, cadence.anchor, today)
    planned = plan_periods(versions, running.from_on)
    last = {one.whole: one.version.contract.contract for one in planned if max(one.whole.until_on, one.period.until_on) <= today}
    return sorted(whole for whole, owner in last.items() if contract in (None, owner))


@runs.register(CLOSE)
async def run_close(work: runs.Work) -> None:
    """The job: ``contract``, and optionally ``since``, the first day that anything changed for."""
    contract = str(work.args["contract"])
    since = date.fromisoformat(str(work.args["since"])) if work.args.get("since") else None
    at = work.due_at or await _moment()
    count = {"periods": 0, "changed": 0}

    def tell(closed: Closed) -> None:
        count["periods"] += 1
        count["changed"] += len(closed.changed)

    await close_contract(contract, at=at, since=since, on_closed=tell)
    async with transaction() as connection:
        await work.finish(connection, count)


async def _moment() -> datetime:
    async with transaction() as connection:
        moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return moment


async def schedule_closes(connection: Connection, at: datetime) -> None:
    """Gives every contract a daily close at six in its own zone; a period that has ended is drafted the next morning."""
    for row in await agreements.contracts(connection):
        agreed = await agreements.versions(connection, row.lineage)
        if not agreed:
            continue
        document = agreed[-1].document
        await dispatcher.set_schedule(
            connection,
            f"close {row.code}",
            kind=CLOSE,
            args={"contract": row.code},
            rule=f"FREQ=DAILY;BYHOUR={CLOSE_AT.hour};BYMINUTE={CLOSE_AT.minute}",
            zone=document.time_zone,
            starts_on=document.in_force.from_,
            serial_key=f"close {row.code}",
            now=at,
        )


async def close_again(connection: Connection, pulled: Pulled) -> None:
    """After a pull that changed something: asks for the closed periods it touched to be looked at again."""
    for row in await connection.fetch(_TOUCHED_CONTRACTS, [one.site for one in pulled.touched]):
        since = min(one.touched_from for one in pulled.touched if one.site in row["sites"])
        if await connection.fetchval(_HAS_SCORECARD, row["id"], since):
            await runs.enqueue(
                connection, CLOSE, {"contract": row["code"], "since": since.isoformat()}, serial_key=f"close {row['code']}"
            )


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """What a version reaches back to: closed periods of its contract, and how many of their scorecards were issued."""

    periods: list[tuple[date, date]]
    """Half-open, oldest first."""
    issued: int
    drafts: int


async def touched_by(connection: Connection, lineage: int, from_on: date) -> Touched:
    """The closed periods that end after a day, of a contract and those it renews or that renew it."""
    rows = await connection.fetch(_REACHED, lineage, from_on)
    return Touched(
        periods=sorted({(row["period_from"], row["period_until"]) for row in rows}),
        issued=sum(row["is_issued"] for row in rows),
        drafts=sum(not row["is_issued"] for row in rows),
    )


_REACHED = """
    SELECT s.period_from, s.period_until, EXISTS (SELECT FROM revision WHERE scorecard = s.id AND state = 'issued') AS is_issued
    FROM scorecard s JOIN contract c ON c.id = s.contract WHERE c.lineage = $1 AND s.period_until > $2
"""


async def close_after_agreement(connection: Connection, code: str, from_on: date) -> Touched:
    """After a version was agreed that holds since a day in closed periods: asks for those to be looked at again.

    Drafts are then refreshed by it, and what was issued gets proposals for a person to decide.  Every contract of the
    lineage is asked for, because a period in which a renewal takes over changes hands.
    """
    row = await agreements.contract(connection, code)
    touched = await touched_by(connection, row.lineage, from_on)
    if touched.periods:
        for one in await connection.fetch("SELECT code FROM contract WHERE lineage = $1 ORDER BY id", row.lineage):
            await runs.enqueue(
                connection, CLOSE, {"contract": one["code"], "since": from_on.isoformat()}, serial_key=f"close {one['code']}"
            )
    return touched


_TOUCHED_CONTRACTS = """
    SELECT c.id, c.code, array_agg(DISTINCT s.site) AS sites
    FROM contract c JOIN scorecard s ON s.contract = c.id
    WHERE s.site = ANY ($1) GROUP BY c.id, c.code ORDER BY c.code
"""

_HAS_SCORECARD = "SELECT EXISTS (SELECT FROM scorecard WHERE contract = $1 AND period_until > $2)"

__all__ = ["CLOSE", "Touched", "close_after_agreement", "close_again", "close_contract", "ended_periods", "schedule_closes"]
