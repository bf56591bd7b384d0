"""The outbox in a real database: nothing twice, nothing out of order, nothing lost, and what nobody can know waits for a person."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vendor_mgmt.database import transaction
from vendor_mgmt.delivery import queries
from vendor_mgmt.delivery.queries import Claimed, Outgoing

NOW = datetime(2026, 4, 6, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def outgoing(key: str, **changes: Any) -> Outgoing:
    given: dict[str, Any] = {
        "idempotency_key": key,
        "stream": "ticket:1",
        "channel": "mail",
        "side": "client",
        "recipient": "client.partner_manager",
        "kind": "ticket",
        "payload": {"ticket": "HARBOUR-CX-T0001"},
        "not_before_at": NOW,
    }
    return Outgoing(**{**given, **changes})


async def put(*messages: Outgoing) -> None:
    async with transaction() as connection:
        await queries.add(connection, messages, NOW)


async def take(channel: str = "mail", at: datetime = NOW, **options: Any) -> list[Claimed]:
    async with transaction() as connection:
        return await queries.claim(connection, channel, at, **options)


async def states() -> list[str]:
    async with transaction() as connection:
        return [row["state"] for row in await connection.fetch("SELECT state FROM outbox ORDER BY id")]


@pytest.mark.usefixtures("database")
async def test_telling_the_same_thing_twice_is_one_message() -> None:
    await put(outgoing("a"), outgoing("a"))
    await put(outgoing("a", payload={"other": 1}))
    [found] = await take()
    assert found.payload == {"ticket": "HARBOUR-CX-T0001"}


@pytest.mark.usefixtures("database")
async def test_senders_at_work_together_take_each_message_once() -> None:
    await put(*(outgoing(f"m{number}", stream=f"ticket:{number}") for number in range(40)))
    taken = await asyncio.gather(*(take(limit=7) for _ in range(8)))
    keys = [each.idempotency_key for group in taken for each in group]
    assert len(keys) == len(set(keys)) == 40


@pytest.mark.usefixtures("database")
async def test_within_a_ticket_a_message_waits_for_the_one_before_it_and_other_tickets_do_not() -> None:
    await put(outgoing("first"), outgoing("second"), outgoing("other", stream="ticket:2"), outgoing("chat", channel="slack"))
    first, other = await take()
    assert (first.idempotency_key, other.idempotency_key) == ("first", "other")
    assert await take() == []
    async with transaction() as connection:
        assert await queries.settle(connection, first, "sent", NOW)
    assert [each.idempotency_key for each in await take()] == ["second"]


@pytest.mark.usefixtures("database")
async def test_a_message_that_is_not_due_yet_is_left_alone_and_not_overtaken() -> None:
    await put(outgoing("later", not_before_at=NOW + MINUTE), outgoing("now"))
    assert await take() == []
    assert [each.idempotency_key for each in await take(at=NOW + MINUTE)] == ["later"]


@pytest.mark.usefixtures("database")
async def test_after_ten_attempts_a_message_is_dead_stops_its_own_ticket_and_can_be_sent_again() -> None:
    """TK-ob-02"""
    await put(outgoing("broken"), outgoing("behind"), outgoing("other", stream="ticket:2"))
    at = NOW
    for attempt in range(1, 11):
        [found, *_] = await take(at=at)
        assert (found.idempotency_key, found.attempts) == ("broken", attempt)
        at += MINUTE
        async with transaction() as connection:
            assert await queries.fail(connection, found, at, error="503", again_at=at)
    assert (await states())[0] == "dead"
    assert "behind" not in [each.idempotency_key for each in await take(at=at)]
    async with transaction() as connection:
        assert (await queries.unsettled(connection))["dead"] == 1
        number = await connection.fetchval("SELECT id FROM outbox WHERE idempotency_key = 'broken'")
        assert await queries.resend(connection, number, at)
    assert [each.idempotency_key for each in await take(at=at)] == ["broken"]


@pytest.mark.usefixtures("database")
async def test_a_dead_message_that_is_skipped_lets_the_next_one_pass() -> None:
    await put(outgoing("broken"), outgoing("behind"))
    [found] = await take()
    async with transaction() as connection:
        await queries.settle(connection, found, "dead", NOW, error="550")
        assert await queries.skip(connection, found.id, NOW)
        assert not await queries.skip(connection, found.id, NOW)
    assert [each.idempotency_key for each in await take()] == ["behind"]


@pytest.mark.usefixtures("database")
async def test_a_sender_that_vanished_leaves_an_uncertain_message_except_where_the_peer_knows_our_key() -> None:
    await put(outgoing("mail"), outgoing("issue", channel="zendesk"))
    [mail] = await take()
    [issue] = await take("zendesk")
    async with transaction() as connection:
        assert await queries.recover_lost(connection, NOW + MINUTE, keyed_channels=["zendesk"]) == (0, 0)
        assert await queries.recover_lost(connection, NOW + 3 * MINUTE, keyed_channels=["zendesk"]) == (1, 1)
    assert await states() == ["uncertain", "pending"]
    async with transaction() as connection:
        # The one that vanished comes back: what it says no longer counts, for another may have sent it meanwhile.
        assert not await queries.settle(connection, mail, "sent", NOW)
        assert not await queries.settle(connection, issue, "sent", NOW)
    [again] = await take("zendesk", at=NOW + 3 * MINUTE)
    async with transaction() as connection:
        assert not await queries.settle(connection, issue, "sent", NOW)
        assert await queries.settle(connection, again, "sent", NOW)


@pytest.mark.usefixtures("database")
async def test_an_uncertain_message_is_never_sent_again_by_itself() -> None:
    await put(outgoing("mail"))
    [found] = await take()
    async with transaction() as connection:
        await queries.settle(connection, found, "uncertain", NOW, error="no answer after DATA")
        assert await queries.recover_lost(connection, NOW + timedelta(days=9), keyed_channels=["mail"]) == (0, 0)
    assert await take(at=NOW + timedelta(days=9)) == []


@pytest.mark.usefixtures("database")
async def test_a_message_of_a_transaction_that_commits_late_is_not_passed_over() -> None:
    written = asyncio.Event()
    may_commit = asyncio.Event()

    async def slow() -> None:
        async with transaction() as connection:
            await queries.add(connection, [outgoing("slow", stream="ticket:2")], NOW)
            written.set()
            await may_commit.wait()

    task = asyncio.create_task(slow())
    await written.wait()
    await put(outgoing("quick"))
    assert [each.idempotency_key for each in await take()] == ["quick"]
    may_commit.set()
    await task
    assert [each.idempotency_key for each in await take()] == ["slow"]
