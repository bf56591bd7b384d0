"""An outbox with persons, peers and tools whose clock a test may move."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from vendor_mgmt import outbound
from vendor_mgmt.credentials import Secret
from vendor_mgmt.database import transaction
from vendor_mgmt.delivery import queries, sending
from vendor_mgmt.delivery.document import Delivery, Endpoint, Holder, Jira, Mail, Slack, Webhook
from vendor_mgmt.delivery.parcel import Tools
from vendor_mgmt.delivery.queries import Outgoing

NOW = datetime(2026, 4, 6, 9, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENVIRONMENT = {"HOOK": SECRET, "SLACK_URL": "", "JIRA_TOKEN": "s3cret"}
LEAD, DEPUTY, MANAGER, ELSEWHERE = 11, 12, 21, 31


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **span: float) -> None:
        self.at += timedelta(**span)


def mail_to(port: int) -> Mail:
    return Mail(host="127.0.0.1", port=port, security="none", sender="desk@client.example")


def webhook(url: str, **changes: Any) -> Endpoint:
    given: dict[str, Any] = {"name": "ops", "to": Webhook(url=url, secrets=(Secret(env="HOOK"),))}
    return Endpoint(**{**given, **changes})


def slack(**changes: Any) -> Endpoint:
    return Endpoint(**{"name": "channel", "to": Slack(url=Secret(env="SLACK_URL")), **changes})


def jira(url: str, **transitions: str) -> Endpoint:
    return Endpoint(
        name="tracker",
        to=Jira(url=url, user="bot@example.com", token=Secret(env="JIRA_TOKEN"), project="VM", transitions=transitions),
    )


def holders() -> tuple[Holder, ...]:
    return (
        Holder(role="vendor.site_lead", vendor="harbour-cx", people=(LEAD, DEPUTY)),
        Holder(role="vendor.site_lead", vendor="harbour-cx", site="porto-1", people=(DEPUTY,)),
        Holder(role="vendor.site_lead", vendor="mesa", people=(ELSEWHERE,)),
        Holder(role="client.partner_manager", people=(MANAGER,)),
    )


@asynccontextmanager
async def tools(delivery: Delivery, clock: Callable[[], datetime], **environment: str) -> AsyncIterator[Tools]:
    async with outbound.client(timeout=5, allow_private=True, allow_http=True) as client:
        yield Tools(
            delivery=delivery,
            client=client,
            now=clock,
            transaction=transaction,
            environment={**ENVIRONMENT, **environment},
            base_url="https://vendors.example.com",
            allow_private=True,
        )


async def deliver(delivery: Delivery, clock: Clock, **environment: str) -> None:
    async with tools(delivery, clock, **environment) as held:
        await sending.deliver_with(held)


async def add_persons() -> None:
    names = {LEAD: "Ana Reis", DEPUTY: "Rui Sá", MANAGER: "Kim Ode", ELSEWHERE: "Luz Cruz"}
    async with transaction() as connection:
        for number, name in names.items():
            await connection.execute(
                "INSERT INTO actor (id, kind, name, email, created_at) VALUES ($1, 'person', $2, $3, now())",
                number,
                name,
                f"person{number}@example.com",
            )


def told(sequence: int = 1, *, ticket: str = "HARBOUR-CX-T0001", role: str = "client.partner_manager", **changes: Any) -> Outgoing:
    """What the escalation writes about one event of a ticket."""
    payload = {
        "ticket": ticket,
        "sequence": sequence,
        "vendor": "harbour-cx",
        "contract": "IB-2026-03",
        "period_from": "2026-03-01",
        "topics": ("opened",) if sequence == 1 else ("worsened",),
        "state": "opened",
        "level": 1,
        "severity": "serious",
        "kpi": "answer_rate",
        "site": "lisbon-1",
        **changes,
    }
    side: Any = role.split(".", maxsplit=1)[0]
    return Outgoing(
        idempotency_key=f"ticket:{ticket}:{sequence}:mail:{role}",
        stream=f"ticket:{ticket}",
        channel="mail",
        side=side,
        recipient=role,
        kind="ticket",
        payload=payload,
        not_before_at=NOW,
    )


async def put(*messages: Outgoing) -> None:
    async with transaction() as connection:
        await queries.add(connection, messages, NOW)


async def states(channel: str | None = None) -> dict[str, list[str]]:
    """The states of messages that left for somebody, by recipient, in order."""
    async with transaction() as connection:
        rows = await connection.fetch("SELECT recipient, state FROM outbox WHERE $1::text IS NULL OR channel = $1 ORDER BY id", channel)
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["recipient"], []).append(row["state"])
    return found


async def errors() -> list[str]:
    async with transaction() as connection:
        return [row["error"] for row in await connection.fetch("SELECT error FROM outbox WHERE error IS NOT NULL ORDER BY id")]
