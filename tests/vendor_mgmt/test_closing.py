"""When periods are closed: on a schedule of the contract's own, and again when their figures change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec

from scorecards.measurement_queries import Touched
from tests.vendor_mgmt.test_period_close import FEBRUARY, JANUARY, agreed, closed, delivered, invoice, month
from vendor_mgmt import closing, work
from vendor_mgmt.database import transaction
from vendor_mgmt.intake.pull import Pulled
from vendor_mgmt.jobs import dispatcher, runs


async def test_every_agreed_contract_is_closed_daily_at_six_in_its_own_zone(database: str) -> None:
    await agreed()
    await work.schedule_closes()
    await work.schedule_closes()

    async with transaction() as connection:
        schedules = await connection.fetch("SELECT name, kind, rule, zone FROM schedule")

    assert [tuple(row) for row in schedules] == [("close HX-1", "close", "FREQ=DAILY;BYHOUR=6;BYMINUTE=0", "Europe/Lisbon")]


async def test_a_close_that_fell_due_is_carried_out_once_and_drafts_what_is_over(database: str) -> None:
    await agreed()
    await delivered([*month(JANUARY, "lisbon", "product"), invoice(JANUARY, "lisbon")])
    async with transaction() as connection:
        await closing.schedule_closes(connection, datetime(2026, 2, 1, tzinfo=UTC))

    due = await dispatcher.tick(datetime(2026, 2, 1, 6, 0, 5, tzinfo=UTC))
    again = await dispatcher.tick(datetime(2026, 2, 1, 6, 0, 10, tzinfo=UTC))
    assert (len(due), len(again)) == (1, 0)
    await runs.carry_out(due[0].run, "worker", runs.Timing())

    result = await runs.result_of(due[0].run)
    assert (result.state, result.result) == ("done", {"periods": 1, "changed": 2})
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM revision WHERE state = 'draft'") == 2


def pulled(site: int, first: date, until: date) -> Pulled:
    """A pull that changed something at one site."""
    return msgspec.structs.replace(
        msgspec.convert(
            {
                "pull": 1, "source": "s", "state": "done", "window_from": None, "window_until": None, "is_complete": True,
                "is_backfill": False, "is_dry_run": False, "watermark_on": None, "known_at": datetime(2026, 3, 5, tzinfo=UTC), "pages": 1,
                "rows_read": 1, "added": 0, "changed": 1, "unchanged": 0, "refused": 0, "touched": [], "findings": [], "shown": [],
            },
            Pulled,
        ),
        touched=[Touched(site=site, touched_from=first, touched_until=until)],
    )  # fmt: skip


async def test_a_pull_that_changes_a_closed_month_asks_for_it_and_what_follows_to_be_closed_again(database: str) -> None:
    await agreed()
    for first in (JANUARY, FEBRUARY):
        await delivered([*month(first, "lisbon", "product"), invoice(first, "lisbon")])
        await closed(first)
    async with transaction() as connection:
        site = await connection.fetchval("SELECT id FROM site WHERE code = 'lisbon'")
        await closing.close_again(connection, pulled(site, JANUARY + timedelta(days=9), JANUARY + timedelta(days=10)))
        await closing.close_again(connection, pulled(site, date(2026, 5, 1), date(2026, 5, 2)))
        asked = await connection.fetch("SELECT kind, args, serial_key FROM run")

    assert [(row["kind"], msgspec.json.decode(row["args"]), row["serial_key"]) for row in asked] == [
        ("close", {"contract": "HX-1", "since": "2026-01-10"}, "close HX-1")
    ]
