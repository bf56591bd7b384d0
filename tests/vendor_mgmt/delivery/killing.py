"""Senders that are killed in the middle of sending, and what must be true afterwards."""

from __future__ import annotations

import asyncio
import os
import queue
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from tests.vendor_mgmt.delivery import setting
from tests.vendor_mgmt.delivery.peers import Answer, JiraPeer, Mailbox, Request, mail, web
from tests.vendor_mgmt.delivery.setting import put, told
from vendor_mgmt.database import transaction
from vendor_mgmt.delivery import sending
from vendor_mgmt.delivery.document import Delivery

PROGRAM = """
import asyncio
from vendor_mgmt.database import pool
from vendor_mgmt.delivery import sending
from vendor_mgmt.settings import Settings

async def main(settings):
    async with pool(settings.database_url):
        while True:
            await sending.deliver(settings)
            await asyncio.sleep(0.05)

asyncio.run(main(Settings.from_environment()))
"""

TICKETS_A_KILL = 10

TAKES_S = 0.05
"""How long a peer thinks between taking a message and answering: time enough to be killed in."""


class MovedClock:
    """The real time, and as much later as a test says: leases and pauses end without waiting for them."""

    def __init__(self) -> None:
        self.later = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.later


class SlowPeer:
    """Takes every message in at once, and answers a little later."""

    def __init__(self, arrived: queue.SimpleQueue[str], inner: JiraPeer | None = None) -> None:
        self.arrived = arrived
        self.inner = inner
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        answer = self.inner(request) if self.inner is not None else (200, {}, b"ok")
        self.arrived.put(request.path)
        time.sleep(TAKES_S)
        return answer


async def trial(database_url: str, folder: Path, *, kills: int, processes: int) -> dict[str, int]:
    """Kill one of several senders so many times, let the rest be sent, and hold what arrived against what the outbox says."""
    arrived: queue.SimpleQueue[str] = queue.SimpleQueue()
    clock, mailbox = MovedClock(), Mailbox(slow_s=TAKES_S)
    jira = JiraPeer(clock)
    hook, channel, tracker = SlowPeer(arrived), SlowPeer(arrived), SlowPeer(arrived, jira)
    tickets: list[str] = []
    with web(hook) as hook_url, web(channel) as slack_url, web(tracker) as jira_url, mail(mailbox) as port:
        endpoints = (setting.webhook(hook_url), setting.slack(), setting.jira(jira_url))
        delivery = Delivery(mail=setting.mail_to(port), holders=setting.holders(), endpoints=endpoints)
        document = folder / "delivery.json"
        document.write_bytes(msgspec.json.encode(delivery))
        environment = {
            **os.environ,
            **setting.ENVIRONMENT,
            "SLACK_URL": slack_url,
            "DATABASE_URL": database_url,
            "VENDOR_MGMT_DATA_DIR": str(folder),
            "VENDOR_MGMT_DELIVERY_DOCUMENT": str(document),
            "VENDOR_MGMT_OUTBOUND_ALLOW_PRIVATE": "true",
            "VENDOR_MGMT_LOG_LEVEL": "error",
        }
        await setting.add_persons()
        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stderr=subprocess.DEVNULL)

        running = [start() for _ in range(processes)]
        try:
            for _ in range(kills):
                more = [f"HARBOUR-CX-T{number:05d}" for number in range(len(tickets), len(tickets) + TICKETS_A_KILL)]
                tickets += more
                while not arrived.empty():
                    arrived.get()
                await put(*(told(ticket=ticket) for ticket in more))
                await asyncio.to_thread(arrived.get, timeout=60)
                await asyncio.sleep(random.uniform(0, 2 * TAKES_S))
                victim = running.pop(0)
                victim.kill()
                victim.wait()
                running.append(start())
        finally:
            for each in running:
                each.kill()
                each.wait()
        mailbox.slow_s = 0
        async with setting.tools(delivery, clock, SLACK_URL=slack_url) as held:
            for _ in range(30):
                clock.later += timedelta(hours=30)
                await sending.deliver_with(held)
                async with transaction() as connection:
                    if not await connection.fetchval("SELECT count(*) FROM outbox WHERE state = 'pending'"):
                        break
    return await _held_against(tickets, hook, channel, mailbox, jira)


async def _held_against(tickets: list[str], hook: SlowPeer, channel: SlowPeer, mailbox: Mailbox, jira: JiraPeer) -> dict[str, int]:
    async with transaction() as connection:
        rows = await connection.fetch("SELECT channel, state, payload->>'ticket' AS ticket FROM outbox WHERE channel <> 'mail'")
    state = {(row["channel"], row["ticket"]): row["state"] for row in rows}
    assert len(state) == 4 * len(tickets), "a message was never written for its peer"
    assert set(state.values()) <= {"sent", "uncertain"}, Counter(state.values())
    # Peers that know our key: nothing is lost, nothing uncertain, and what came twice bore the same identity.
    identities: dict[str, set[str]] = {}
    for request in hook.requests:
        identities.setdefault(request.json["data"]["ticket"], set()).add(request.headers["webhook-id"])
    assert {ticket: len(found) for ticket, found in identities.items()} == dict.fromkeys(tickets, 1)
    assert Counter(issue["labels"][0] for issue in jira.issues.values()).most_common(1)[0][1] == 1
    assert len(jira.issues) == len(tickets)
    assert {found for (name, _), found in state.items() if name in ("webhook", "jira")} == {"sent"}
    # Elsewhere nothing arrives twice; what was sent arrived, and what did not is shown as uncertain.
    letters = Counter(str(message["Subject"]).split("]", 1)[0].lstrip("[") for _, message in mailbox.taken)
    posts = Counter(str(request.json["text"]).split("]", 1)[0].lstrip("*[") for request in channel.requests)
    for name, came in (("person", letters), ("slack", posts)):
        assert max(came.values()) == 1, "a message came twice"
        for ticket in tickets:
            assert came[ticket] == 1 or state[name, ticket] == "uncertain", f"{name} message of {ticket} is lost"
    return dict(Counter(f"{name} {found}" for (name, _), found in state.items()))
