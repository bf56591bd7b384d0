"""Takes messages out of the outbox: roles become persons and machines, and each message goes to its peer.

    address    what was written for a role becomes one message for each person and each machine, in one transaction
    send       messages are claimed, sent outside of any transaction, and settled each in one of its own
    recover    what a process held that died is sent again where the peer knows our key, and is *uncertain* elsewhere

A channel is one module: `mail`, `webhook`, `slack`, `jira`. Each says what it is called, whether its peer recognises a message that comes
twice, and how one is sent; `SENDERS` lists them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import httpx

from contracts.reading import read
from vendor_mgmt import outbound
from vendor_mgmt.database import transaction
from vendor_mgmt.delivery import jira, mail, outcomes, queries, slack, webhook
from vendor_mgmt.delivery.document import Delivery
from vendor_mgmt.delivery.outcomes import Later, Outcome, Refused, Sent, Unknown
from vendor_mgmt.delivery.parcel import Parcel, Tools
from vendor_mgmt.delivery.queries import Claimed, Outgoing
from vendor_mgmt.settings import Settings

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]

SENDERS: Mapping[str, ModuleType] = {module.KIND: module for module in (mail, webhook, slack, jira)}
KEYED = frozenset(kind for kind, module in SENDERS.items() if module.IS_KEYED)

AT_ONCE = 8
LEASE = timedelta(minutes=5)
"""Longer than any sender takes: what is still claimed afterwards was held by a process that died."""
REQUEST_S = 30.0

log = logging.getLogger(__name__)


def document(settings: Settings) -> Delivery:
    """The delivery document the settings name; an empty one where they name none. Raises what `reading` and the file system raise."""
    if settings.delivery_document is None:
        return Delivery()
    path = Path(settings.delivery_document)
    return read(path.read_bytes(), Delivery, name=path.name).required()


def tools(settings: Settings, delivery: Delivery, client: httpx.AsyncClient) -> Tools:
    return Tools(
        delivery=delivery,
        client=client,
        now=lambda: datetime.now(UTC),
        transaction=transaction,
        environment=os.environ,
        base_url=settings.base_url,
        allow_private=settings.outbound_allow_private,
    )


async def deliver(settings: Settings) -> int:
    """Everything that is due now; returns how many messages were settled or put back."""
    delivery = document(settings)
    async with outbound.client(
        timeout=REQUEST_S,
        allow_private=settings.outbound_allow_private,
        allow_http=settings.outbound_allow_private,
        proxy=settings.outbound_proxy,
    ) as client:
        return await deliver_with(tools(settings, delivery, client))


async def deliver_with(held: Tools) -> int:
    """The same with tools at hand."""
    async with transaction() as connection:
        again, uncertain = await queries.recover_lost(connection, held.now(), keyed_channels=KEYED)
    if again or uncertain:
        log.warning("a sender did not come back: %d messages are sent again, %d are uncertain", again, uncertain)
    done = 0
    while addressed := await address(held):
        done += addressed
    for kind in SENDERS:
        while sent := await send(kind, held):
            done += sent
    return done


async def address(held: Tools, *, limit: int = 100) -> int:
    """Let messages for roles become messages for persons and machines; returns how many roles were told."""
    at = held.now()
    async with transaction() as connection:
        claimed = await queries.claim(connection, queries.MAIL, at, limit=limit)
        for one in claimed:
            side, vendor, site = one.side, str(one.payload.get("vendor", "")), str(one.payload.get("site") or "") or None
            people = held.delivery.people(one.recipient, vendor=vendor, site=site)
            machines = held.delivery.machines(side, vendor=vendor)
            known = await queries.persons(connection, people)
            missing = [number for number in people if number not in known or not known[number].email]
            copies = [_copy(one, queries.PERSON, f"actor:{number}", one.idempotency_key) for number in people if number not in missing]
            # Machines are told of an event once, however many roles are.
            event = f"{one.stream}:{one.payload.get('sequence', one.idempotency_key)}"
            copies += [_copy(one, machine.channel, f"endpoint:{machine.name}", event) for machine in machines]
            await queries.add(connection, copies, at)
            if people and not missing:
                await queries.settle(connection, one, "addressed", at)
            elif people:
                numbers = ", ".join(map(str, missing))
                await queries.settle(connection, one, "dead", at, error=f"no address is known of person {numbers} ({one.recipient})")
            else:
                place = f"{vendor}{f' / {site}' if site else ''}"
                await queries.settle(connection, one, "dead", at, error=f"nobody holds {one.recipient} for {place}")
    return len(claimed)


def _copy(one: Claimed, channel: str, recipient: str, event: str) -> Outgoing:
    return Outgoing(
        idempotency_key=f"{event}>{recipient}",
        stream=one.stream,
        channel=channel,
        side="vendor" if one.side == "vendor" else "client",
        recipient=recipient,
        kind=one.kind,
        payload=one.payload,
        not_before_at=one.created_at,
    )


async def send(kind: str, held: Tools) -> int:
    """Send what one channel has due, several messages at once; returns how many were tried."""
    module = SENDERS[kind]
    async with transaction() as connection:
        at = held.now()
        asleep = await queries.resting(connection, at)
        if kind == queries.PERSON and queries.MAIL in asleep:
            return 0
        without = [f"endpoint:{peer}" for peer in asleep]
        claimed = await queries.claim(connection, kind, at, lease=LEASE, limit=AT_ONCE, without=without)
        numbers = [int(one.recipient.removeprefix("actor:")) for one in claimed if one.recipient.startswith("actor:")]
        persons = await queries.persons(connection, numbers)
    await asyncio.gather(*(_one(module.send, one, persons, held, is_keyed=module.IS_KEYED) for one in claimed))
    return len(claimed)


async def _one(
    sender: Callable[[Parcel, Tools], Awaitable[Outcome]],
    claimed: Claimed,
    persons: Mapping[int, queries.Person],
    held: Tools,
    *,
    is_keyed: bool,
) -> None:
    parcel = _parcel(claimed, persons, held)
    if parcel is None:
        outcome: Outcome = Refused(error=f"{claimed.recipient} is not in the delivery document any more")
    else:
        try:
            outcome = await sender(parcel, held)
        except Exception as error:  # A fault of ours must not stop the messages to others.
            log.exception("sending message %d failed", claimed.id)
            # How far it came is not known either.
            outcome = Unknown(error=f"an error of this program: {type(error).__name__}")
    if isinstance(outcome, Unknown) and is_keyed:
        outcome = Later(error=outcome.error)
    await settle(claimed, outcome, held)


def _parcel(claimed: Claimed, persons: Mapping[int, queries.Person], held: Tools) -> Parcel | None:
    if claimed.recipient.startswith("actor:"):
        person = persons.get(int(claimed.recipient.removeprefix("actor:")))
        if person is None:
            return None
        return Parcel(claimed=claimed, endpoint=queries.MAIL, address=person.email, name=person.name)
    name = claimed.recipient.removeprefix("endpoint:")
    peer = next((one.to for one in held.delivery.endpoints if one.name == name), None)
    return None if peer is None else Parcel(claimed=claimed, endpoint=name, peer=peer)


async def settle(claimed: Claimed, outcome: Outcome, held: Tools) -> None:
    """Write down what became of a message and how its peer is doing. A sender that lost its claim changes nothing."""
    at = held.now()
    peer = queries.peer_of(claimed.channel, claimed.recipient)
    async with transaction() as connection:
        match outcome:
            case Sent():
                is_ours = await queries.settle(connection, claimed, "sent", at)
                await queries.note_success(connection, peer)
            case Later(error=error, after=after, of_peer=of_peer):
                again_at = at + outcomes.pause(claimed.attempts, random.random(), after)  # noqa: S311 - spreads load, keeps no secret
                is_ours = await queries.fail(connection, claimed, at, error=error, again_at=again_at)
                if of_peer:
                    await _failed(connection, peer, error, at, after)
            case Refused(error=error, is_disabled=is_disabled):
                is_ours = await queries.settle(connection, claimed, "dead", at, error=error)
                if is_disabled:
                    await queries.note_failure(connection, peer, error, is_disabled=True)
            case Unknown(error=error):
                is_ours = await queries.settle(connection, claimed, "uncertain", at, error=error)
                await _failed(connection, peer, error, at, None)
    if not is_ours:
        log.warning("message %d was taken over while it was being sent", claimed.id)
    log.info("message %d to %s: %s", claimed.id, claimed.recipient, type(outcome).__name__.lower())


async def _failed(connection: Connection, peer: str, error: str, at: datetime, after: timedelta | None) -> None:
    failures = await queries.note_failure(connection, peer, error)
    # Whoever asks for a pause gets it, for all messages and not only for the one that was answered.
    rest = max(outcomes.rest(failures) or timedelta(0), after or timedelta(0))
    if rest:
        await queries.let_rest(connection, peer, at + rest)
