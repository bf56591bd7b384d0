"""Late data becomes somebody's task, closes by itself when it comes, and lets no scorecard be issued without a word."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from scorecards import queries as scorecards
from tests.vendor_mgmt.test_period_close import agreed, delivered, invoice, month
from vendor_mgmt import feed_watch
from vendor_mgmt.database import transaction
from vendor_mgmt.feed_watch import StaleData
from vendor_mgmt.intake import queries
from vendor_mgmt.period_close import close_period

pytestmark = pytest.mark.usefixtures("database")

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
AT = datetime(2026, 2, 2, 12, tzinfo=UTC)


async def open_tasks() -> list[queries.DataTask]:
    async with transaction() as connection:
        return await queries.data_tasks(connection, kind="late")


async def january(*, without_live_of: str | None = None) -> None:
    for site in ("lisbon", "cebu"):
        live = month(JANUARY, site, "live")
        await delivered([*month(JANUARY, site, "product"), *(live[: len(live) // 2] if site == without_live_of else live)])
        await delivered([invoice(JANUARY, site)])


async def test_a_workstream_that_falls_silent_is_one_task_and_one_message_until_it_comes_back() -> None:
    await agreed()
    await january(without_live_of="cebu")
    first = await feed_watch.watch(AT)
    assert (len(first.opened), first.closed) == (1, ())
    assert await feed_watch.watch(AT + timedelta(minutes=15)) == feed_watch.Watched(opened=(), closed=())
    (task,) = await open_tasks()
    assert (task.site, task.part, task.due_at) == ("cebu", "live", AT + timedelta(hours=24))
    assert task.title.startswith("cebu, live: ")
    assert task.newest_on is not None
    assert JANUARY < task.newest_on < FEBRUARY
    async with transaction() as connection:
        sent = await connection.fetch("SELECT recipient, side, payload ->> 'title' AS title FROM outbox WHERE kind = 'data_task.opened'")
    assert [tuple(one) for one in sent] == [(task.owner, "client", task.title)]
    live = month(JANUARY, "cebu", "live")
    await delivered(live[len(live) // 2 :])
    back = await feed_watch.watch(AT + timedelta(hours=1))
    assert back.closed == first.opened
    assert await open_tasks() == []


async def test_a_scorecard_on_late_data_is_not_issued_without_a_word() -> None:
    await agreed()
    await january(without_live_of="cebu")
    await close_period("HX-1", JANUARY, at=AT)
    await feed_watch.watch(AT)
    async with transaction() as connection:
        drafts = await scorecards.drafts(connection, date(2030, 1, 1))
        numbers = {
            row["id"]: row["site"]
            for row in await connection.fetch(
                "SELECT r.id, s.code AS site FROM revision r JOIN scorecard c ON c.id = r.scorecard LEFT JOIN site s ON s.id = c.site"
            )
        }
        complete = [one for one in drafts if numbers[one] == "lisbon"]
        late = [one for one in drafts if numbers[one] == "cebu"]
        assert complete
        assert late
        # Another site of the vendor has nothing to do with it.
        assert len(await feed_watch.issue(connection, complete, at=AT, actor=1)) == len(complete)
        with pytest.raises(StaleData, match=r"cebu, live: .* nothing came after"):
            await feed_watch.issue(connection, late, at=AT, actor=1)
    async with transaction() as connection:
        (number,) = await feed_watch.issue(connection, late, at=AT, actor=1, despite="the vendor confirmed the outage")
    (task,) = await open_tasks()
    assert task.note == f"Issued all the same: {number}, by 1, because the vendor confirmed the outage."
