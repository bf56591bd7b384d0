"""What the clock and the worker of a service do: which functions carry which kind of work out, and what is looked at how often.

The packages on the left know nothing of each other; here they are told. A pull that changed something lets closed months be looked at
again; deadlines of tickets are swept.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from vendor_mgmt import closing, feed_watch
from vendor_mgmt.database import transaction
from vendor_mgmt.delivery import sending
from vendor_mgmt.escalations import queries as tickets
from vendor_mgmt.intake import pull
from vendor_mgmt.intake import queries as intake
from vendor_mgmt.jobs.worker import Wake
from vendor_mgmt.settings import Settings

SWEEP_S = 30.0
REPLAN_S = 3600.0
SCHEDULE_S = 300.0
RETENTION_S = 86_400.0
OUTBOX_S = 5.0
FEEDS_S = 900.0


def prepare(settings: Settings) -> None:
    """Let this process do every kind of work. Calling it again changes nothing; importing the modules above registers their functions."""
    pull.configure(
        allow_private=settings.outbound_allow_private,
        proxy=settings.outbound_proxy,
        root=settings.data_dir,
        credentials_key=settings.credentials_key,
    )
    if closing.close_again not in pull.AFTER_PULL:
        pull.AFTER_PULL.append(closing.close_again)


def wakes(settings: Settings) -> Mapping[str, tuple[float, Wake]]:
    """What the clock calls besides the dispatcher: seconds between calls, and what to call."""
    return {
        "deadlines": (SWEEP_S, sweep_deadlines),
        "calendars": (REPLAN_S, replan_deadlines),
        "closes": (SCHEDULE_S, schedule_closes),
        "feeds": (FEEDS_S, watch_feeds),
        "outbox": (OUTBOX_S, partial(deliver, settings)),
        "retention": (RETENTION_S, partial(forget, settings.raw_retention_days)),
    }


async def sweep_deadlines() -> None:
    """Do everything to tickets that fell due, in portions, each of which is a transaction."""
    while True:
        async with transaction() as connection:
            if not await tickets.sweep(connection, datetime.now(UTC)):
                return


async def deliver(settings: Settings) -> None:
    """Send what is due. Without a delivery document messages wait: nobody has said yet where they should go."""
    if settings.delivery_document is not None:
        await sending.deliver(settings)


async def replan_deadlines() -> None:
    """Work out deadlines again whose calendar has a newer version."""
    async with transaction() as connection:
        await tickets.replan(connection, datetime.now(UTC))


async def schedule_closes() -> None:
    """Give every agreed contract its daily close; one that has it already is left as it is."""
    async with transaction() as connection:
        await closing.schedule_closes(connection, datetime.now(UTC))


async def watch_feeds() -> None:
    """Open tasks about feeds that fell silent, and close those of feeds that came back."""
    await feed_watch.watch()


async def forget(days: int) -> None:
    """Drop the content of raw answers that are older than the retention and that no newer pull rests on."""
    async with transaction() as connection:
        await intake.forget_raw_answers(connection, datetime.now(UTC) - timedelta(days=days))
        await intake.forget_persons(connection, datetime.now(UTC) - timedelta(days=intake.PERSONS_DAYS))
