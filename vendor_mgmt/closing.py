"""When periods are closed: the job, and what makes it due.

A contract's closes run in order, because each period looks back at the ones before; a change in an old month therefore
closes that month and everything after it again.  What did not change by it stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

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
    return ended_periods([Version(one.document, one.in_force_from, one.in_force_until) for one in agreed], at)


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


def ended_periods(versions: list[Version], at: datetime) -> list[Period]:
    """The contract's whole periods that are over at a moment, oldest first; parts of one period count as one."""
    if not versions:
        return []
    cadence = versions[0].contract.measured
    today = at.astimezone(ZoneInfo(versions[0].contract.time_zone)).date()
    running = period_containing(cadence.each, cadence.anchor, today)
    planned = plan_periods(versions, running.from_on)
    return sorted({one.whole for one in planned if max(one.whole.until_on, one.period.until_on) <= today})


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


_TOUCHED_CONTRACTS = """
    SELECT c.id, c.code, array_agg(DISTINCT s.site) AS sites
    FROM contract c JOIN scorecard s ON s.contract = c.id
    WHERE s.site = ANY ($1) GROUP BY c.id, c.code ORDER BY c.code
"""

_HAS_SCORECARD = "SELECT EXISTS (SELECT FROM scorecard WHERE contract = $1 AND period_until > $2)"

__all__ = ["CLOSE", "close_again", "close_contract", "ended_periods", "schedule_closes"]
