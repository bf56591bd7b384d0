"""Late data is somebody's task: opened when a feed that a contract asks for falls silent, closed when its figures come.

A ticket comes of it where the contract's escalation has a rule on missing data: the close of the period raises it, because only a closed
period has a verdict. Until then a draft says what is missing, and `issue` lets nobody issue it without a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from contracts import agreements
from contracts.document import Contract
from scorecards import queries as scorecards
from vendor_mgmt.access import actors
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.database import transaction
from vendor_mgmt.delivery import queries as outbox
from vendor_mgmt.delivery.queries import Outgoing
from vendor_mgmt.intake import queries
from vendor_mgmt.intake.freshness import Silence, silences
from vendor_mgmt.intake.queries import DataTask
from vendor_mgmt.pages import queries as pages

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]

DUE_AFTER_H = 24
"""How soon somebody has to see to a silent feed whose source says nothing else."""


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at the feeds did: numbers of tasks."""

    opened: tuple[int, ...]
    closed: tuple[int, ...]


class StaleData(Exception):  # noqa: N818 - a refusal, in words for a person
    """Scorecards are not issued as if all figures had come. `tasks` are the open tasks about those that are late."""

    def __init__(self, tasks: Sequence[DataTask]) -> None:
        self.tasks = tuple(tasks)
        listed = " ".join(task.title for task in tasks)
        super().__init__(f"Figures of these scorecards are late: {listed} See to them, or issue with a reason that stays on record.")


async def watch(at: datetime | None = None) -> Watched:
    """Open a task for every feed that fell silent and close those of feeds that came back. Doing it again changes nothing."""
    now = at or datetime.now(UTC)
    async with transaction() as connection:
        # Several processes look at the same time; one after the other.
        await connection.execute("SELECT pg_advisory_xact_lock(7365513)")
        scope = Scope.everything(await actors.service(connection))
        reaches = await pages.reaches(connection, scope)
        contracts = await _contracts_in_force(connection, now.date())
        silent = silences(reaches, contracts, now.date())
        owners = await _owners(connection)
        open_tasks = {(task.site, task.part, task.source): task for task in await queries.data_tasks(connection, kind="late")}
        opened = [
            number
            for one in silent
            if (one.site, one.part, one.source) not in open_tasks
            and (number := await _open(connection, one, owners, now)) is not None
        ]
        still = {(one.site, one.part, one.source) for one in silent}
        # A feed that never came and then comes is a feed of a source; the task about it named none.
        back = [task.id for key, task in open_tasks.items() if key not in still]
        await queries.close_tasks(connection, back, now, note="The figures came.")
    return Watched(opened=tuple(opened), closed=tuple(back))


async def _open(connection: Connection, one: Silence, owners: Mapping[str, tuple[str, int]], now: datetime) -> int | None:
    owner, due_h = owners.get(one.source or "", ("client.data", DUE_AFTER_H))
    what = f"{one.site}{f', {one.part}' if one.part else ''}: {', '.join(one.measures)}"
    since = f"nothing came after {one.newest_on}" if one.newest_on is not None else "nothing ever came"
    title = f"{what}: {since}{f' (source {one.source})' if one.source else ''}."
    number = await queries.open_task(
        connection, kind="late", source=one.source, site=one.site, part=one.part, measures=one.measures, title=title, owner=owner,
        asked_of="client", newest_on=one.newest_on, due_at=now + timedelta(hours=due_h), now=now,
    )  # fmt: skip
    if number is not None:
        message = Outgoing(
            idempotency_key=f"data task {number} opened", stream=f"data task {number}", channel="mail", side="client", recipient=owner,
            kind="data_task.opened", payload={"task": number, "title": title}, not_before_at=now,
        )  # fmt: skip
        await outbox.add(connection, [message], now)
    return number


async def _contracts_in_force(connection: Connection, today: date) -> list[Contract]:
    found = []
    for row in await connection.fetch("SELECT DISTINCT lineage FROM contract ORDER BY lineage"):
        found += [
            one.document
            for one in await agreements.versions(connection, row["lineage"])
            if one.in_force_from <= today and (one.in_force_until is None or today < one.in_force_until)
        ]
    return found


async def _owners(connection: Connection) -> dict[str, tuple[str, int]]:
    """Owner of each source, and after how many hours its task is due."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (s.id) s.code, v.document ->> 'owner' AS owner, (v.document -> 'freshness' ->> 'due_h')::int AS due_h"
        " FROM source s JOIN source_version v ON v.source = s.id ORDER BY s.id, v.number DESC"
    )
    return {row["code"]: (row["owner"], row["due_h"] or DUE_AFTER_H) for row in rows}


async def late_tasks(connection: Connection, revisions: Sequence[int]) -> list[DataTask]:
    """The open tasks about figures that these scorecards would have needed: of their sites, silent since before their periods ended."""
    rows = await connection.fetch(_LATE, list(revisions))
    wanted = {row["id"] for row in rows}
    return [task for task in await queries.data_tasks(connection, kind="late") if task.id in wanted]


_LATE = """
    SELECT DISTINCT t.id
    FROM revision r JOIN scorecard c ON c.id = r.scorecard JOIN contract k ON k.id = c.contract
    JOIN site s ON s.vendor = k.vendor AND (c.site IS NULL OR c.site = s.id)
    JOIN data_task t ON t.site = s.id AND t.kind = 'late' AND t.state = 'open' AND (t.newest_on IS NULL OR t.newest_on < c.period_until - 1)
    WHERE r.id = ANY ($1) AND r.state = 'draft'
"""


async def issue(
    connection: Connection,
    revisions: Sequence[int],
    *,
    at: datetime,
    actor: int,
    reason: str | None = None,
    despite: str | None = None,
) -> list[str]:
    """Issue drafts, as `scorecards.queries.issue` does, unless figures of theirs are late. Returns their numbers.

    Raises `StaleData`. With `despite`, why that is right, they are issued all the same; every task concerned notes who did it and why.
    """
    late = await late_tasks(connection, revisions)
    if late and not (despite or "").strip():
        raise StaleData(late)
    numbers = await scorecards.issue(connection, revisions, at=at, actor=actor, reason=reason)
    if late:
        note = f"Issued all the same: {', '.join(numbers)}, by {actor}, because {despite}."
        await connection.execute(
            "UPDATE data_task SET note = concat_ws(' ', note, $2::text) WHERE id = ANY ($1)", [task.id for task in late], note
        )
    return numbers
