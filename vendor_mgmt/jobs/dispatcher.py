"""What is due becomes a run, once, however many processes look.

A tick has no meaning of its own; it may come late, twice, or from several processes at the same moment. Which instants are due is worked
out from the schedule's rule and how far it has been decided; the unique row (schedule, due instant) makes each of them one run.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

import asyncpg
import msgspec

from contracts.errors import ContractError
from vendor_mgmt.database import transaction
from vendor_mgmt.jobs import recurrence, runs
from vendor_mgmt.jobs.recurrence import Recurrence

logger = logging.getLogger(__name__)

CatchUp = Literal["latest", "all", "none"]
Overlap = Literal["skip", "queue"]

GRACE = timedelta(minutes=5)
"""How late a firing may be that is not to be caught up."""


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a tick made."""

    run: int
    schedule: str
    due_at: datetime


async def set_schedule(
    connection: asyncpg.Connection[Any],
    name: str,
    *,
    kind: str,
    args: Mapping[str, Any],
    rule: str,
    zone: str,
    now: datetime,
    starts_on: date | None = None,
    catch_up: CatchUp = "latest",
    overlap: Overlap = "skip",
    priority: int = 0,
    attempts_max: int = 5,
    serial_key: str | None = None,
    enabled: bool = True,
) -> int:
    """Make a schedule, or change the one of this name, from `now` on; nothing that was due before is made up for. Returns its id.

    Raises `DocumentRefused` for a rule with errors. Setting what is set already changes nothing.
    """
    starts_on = starts_on or now.date()
    recurrence.next_due(_recurrence(rule, zone, starts_on), now)
    number: int = await connection.fetchval(
        _SET_SCHEDULE, name, kind, msgspec.json.encode(args).decode(), rule, zone, starts_on, catch_up, overlap, priority, attempts_max,
        serial_key, enabled, now,
    )  # fmt: skip
    return number


_SET_SCHEDULE = """
    INSERT INTO schedule AS s (name, kind, args, rule, zone, starts_on, catch_up, overlap, priority, attempts_max, serial_key, enabled,
                               dispatched_until, changed_at)
    VALUES ($1, $2, $3::jsonb, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
    ON CONFLICT (name) DO UPDATE SET
        kind = excluded.kind, args = excluded.args, catch_up = excluded.catch_up, overlap = excluded.overlap, priority = excluded.priority,
        attempts_max = excluded.attempts_max, serial_key = excluded.serial_key,
        rule = excluded.rule, zone = excluded.zone, enabled = excluded.enabled,
        starts_on = CASE WHEN (s.rule, s.zone) = (excluded.rule, excluded.zone) THEN s.starts_on ELSE excluded.starts_on END,
        dispatched_until = CASE WHEN (s.rule, s.zone, s.enabled) = (excluded.rule, excluded.zone, excluded.enabled)
                                THEN s.dispatched_until ELSE greatest(s.dispatched_until, excluded.dispatched_until) END,
        changed_at = excluded.changed_at
    RETURNING id
"""


async def disable_schedule(connection: asyncpg.Connection[Any], name: str, now: datetime) -> None:
    """Let a schedule make nothing due from now on. Its runs stay."""
    await connection.execute("UPDATE schedule SET enabled = false, changed_at = $2 WHERE name = $1", name, now)


async def tick(now: datetime | None = None) -> list[Due]:
    """Make runs of everything that is due. A schedule whose rule cannot be read stops none of the others."""
    now = now or datetime.now(UTC)
    async with transaction() as connection:
        schedules = await connection.fetch("SELECT * FROM schedule WHERE enabled AND dispatched_until < $1 ORDER BY id", now)
    made: list[Due] = []
    for schedule in schedules:
        try:
            due = recurrence.due_between(
                _recurrence(schedule["rule"], schedule["zone"], schedule["starts_on"]), schedule["dispatched_until"], now
            )
        except ContractError:
            logger.exception("The schedule %s has a rule that cannot be read: %s", schedule["name"], schedule["rule"])
            continue
        if schedule["catch_up"] == "none":
            due = [due_at for due_at in due if now - due_at <= GRACE]
        elif schedule["catch_up"] == "latest":
            due = due[-1:]
        async with transaction() as connection:
            if due:
                made += await _fire(connection, schedule, due, now)
            # Not past `now`: an instant between two ticks belongs to the later one.
            await connection.execute(
                "UPDATE schedule SET dispatched_until = greatest(dispatched_until, $2) WHERE id = $1 AND rule = $3 AND zone = $4",
                schedule["id"], now, schedule["rule"], schedule["zone"],
            )  # fmt: skip
    return made


async def _fire(connection: asyncpg.Connection[Any], schedule: Any, due: list[datetime], now: datetime) -> list[Due]:
    is_open = schedule["overlap"] == "skip" and await connection.fetchval(
        "SELECT EXISTS (SELECT FROM run WHERE schedule = $1 AND state IN ('queued', 'running') AND due_at <> ALL ($2))", schedule["id"], due
    )
    made = []
    for due_at in due:
        run = await connection.fetchval(_FIRE, schedule["id"], due_at, "skipped" if is_open else "queued", now)
        if run is not None and not is_open:
            await runs.send(connection, run, schedule["priority"])
            made.append(Due(run=run, schedule=schedule["name"], due_at=due_at))
    return made


_FIRE = """
    INSERT INTO run (schedule, due_at, kind, args, state, attempt, attempts_max, priority, serial_key, created_at, finished_at)
    SELECT id, $2::timestamptz, kind, args, $3::varchar, 0, attempts_max, priority, serial_key, $4::timestamptz,
           CASE WHEN $3::varchar = 'skipped' THEN $4::timestamptz END
    FROM schedule WHERE id = $1
    ON CONFLICT (schedule, due_at) DO NOTHING
    RETURNING id
"""


def _recurrence(rule: str, zone: str, starts_on: date) -> Recurrence:
    return Recurrence(rrule=rule, zone=zone, starts=datetime.combine(starts_on, time(0)))
