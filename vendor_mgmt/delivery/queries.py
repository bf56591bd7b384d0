"""Every statement about the outbox. Each runs in the caller's transaction, and those that take a moment read no clock.

Messages are claimed by state with SKIP LOCKED, never by "greater than the last id": ids are given at insert and seen at commit,
so a slow transaction would be skipped for good.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]

__all__ = [
    "ATTEMPTS_MAX",
    "MAIL",
    "PERSON",
    "Claimed",
    "Issue",
    "Listed",
    "Outgoing",
    "Person",
    "add",
    "begin_issue",
    "claim",
    "fail",
    "issue",
    "let_rest",
    "listed",
    "note_failure",
    "note_issue",
    "note_success",
    "peer_of",
    "persons",
    "recover_lost",
    "release_held",
    "resend",
    "resting",
    "settle",
    "skip",
    "unsettled",
    "wake",
]

ATTEMPTS_MAX = 10

MAIL, PERSON = "mail", "person"
"""What is told to a role by mail, and the messages to persons that it becomes."""

Settled = Literal["addressed", "sent", "dead", "uncertain"]


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A message to be sent. The key is made from what it tells of and to whom, so that telling twice is one message."""

    idempotency_key: str
    stream: str
    channel: str
    side: Literal["vendor", "client"]
    recipient: str
    kind: str
    payload: Mapping[str, Any]
    not_before_at: datetime
    held_for: str | None = None


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is this sender's until `claimed_until`; `claim` proves it."""

    id: int
    claim: int
    idempotency_key: str
    stream: str
    channel: str
    side: str
    recipient: str
    kind: str
    payload: dict[str, Any]
    attempts: int
    claimed_until: datetime
    created_at: datetime


async def add(connection: Connection, messages: Iterable[Outgoing], at: datetime) -> None:
    """Write messages; one whose key exists already is left as it is."""
    await connection.executemany(
        """
        INSERT INTO outbox (idempotency_key, stream, channel, side, recipient, kind, payload, state, held_for, not_before_at,
                            created_at, attempts, claim)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9, $10, 0, 0)
        ON CONFLICT (idempotency_key) DO NOTHING
        """,
        [
            (
                each.idempotency_key,
                each.stream,
                each.channel,
                each.side,
                each.recipient,
                each.kind,
                msgspec.json.encode(each.payload).decode(),
                each.held_for,
                each.not_before_at,
                at,
            )
            for each in messages
        ],
    )


async def claim(
    connection: Connection,
    channel: str,
    at: datetime,
    *,
    lease: timedelta = timedelta(minutes=2),
    limit: int = 20,
    without: Collection[str] = (),
) -> list[Claimed]:
    """Take messages of a channel that may go out now, the oldest of each stream and recipient only; none for recipients in `without`.

    A dead or uncertain message stops its own stream, channel and recipient and no other. Two senders never get the same message.
    """
    rows = await connection.fetch(
        """
        UPDATE outbox AS taken
           SET claimed_until = $3, claim = taken.claim + 1, attempts = taken.attempts + 1
          FROM (SELECT head.id
                  FROM outbox AS head
                 WHERE head.channel = $1 AND head.state = 'pending' AND head.claimed_until IS NULL AND head.not_before_at <= $2
                   AND NOT head.recipient = ANY ($5)
                   AND NOT EXISTS (SELECT FROM outbox AS earlier
                                    WHERE earlier.stream = head.stream AND earlier.channel = head.channel
                                      AND earlier.recipient = head.recipient AND earlier.id < head.id
                                      AND earlier.state IN ('pending', 'dead', 'uncertain'))
                 ORDER BY head.id
                 LIMIT $4
                   FOR UPDATE SKIP LOCKED) AS found
         WHERE taken.id = found.id
        RETURNING taken.id, taken.claim, taken.idempotency_key, taken.stream, taken.channel, taken.side, taken.recipient,
                  taken.kind, taken.payload, taken.attempts, taken.claimed_until, taken.created_at
        """,
        channel,
        at,
        at + lease,
        limit,
        list(without),
    )
    found = [Claimed(**{**row, "payload": msgspec.json.decode(row["payload"])}) for row in rows]
    return sorted(found, key=lambda each: each.id)


async def settle(connection: Connection, claimed: Claimed, state: Settled, at: datetime, *, error: str | None = None) -> bool:
    """Say what became of a message; False where the claim was lost meanwhile, and then nothing is changed."""
    return await _settled(
        connection,
        """
        UPDATE outbox SET state = $3, settled_at = $4, error = $5, claimed_until = NULL
         WHERE id = $1 AND claim = $2 AND state = 'pending' AND claimed_until IS NOT NULL
        """,
        (claimed.id, claimed.claim, state, at, error),
    )


async def fail(
    connection: Connection, claimed: Claimed, at: datetime, *, error: str, again_at: datetime, attempts_max: int = ATTEMPTS_MAX
) -> bool:
    """Put a message that certainly did not arrive back until `again_at`; after so many attempts it is dead."""
    if claimed.attempts >= attempts_max:
        return await settle(connection, claimed, "dead", at, error=error)
    return await _settled(
        connection,
        """
        UPDATE outbox SET not_before_at = $3, error = $4, claimed_until = NULL
         WHERE id = $1 AND claim = $2 AND state = 'pending' AND claimed_until IS NOT NULL
        """,
        (claimed.id, claimed.claim, again_at, error),
    )


async def recover_lost(connection: Connection, at: datetime, *, keyed_channels: Collection[str]) -> tuple[int, int]:
    """Deal with claims whose sender never came back; returns how many will be sent again and how many became uncertain.

    Only where the peer knows our key is sending again harmless. Elsewhere the message may have arrived, and a person decides.
    """
    again = await connection.execute(
        "UPDATE outbox SET claimed_until = NULL WHERE state = 'pending' AND claimed_until < $1 AND channel = ANY($2)",
        at,
        list(keyed_channels),
    )
    uncertain = await connection.execute(
        """
        UPDATE outbox SET state = 'uncertain', settled_at = $1, claimed_until = NULL, error = 'the sender did not come back'
         WHERE state = 'pending' AND claimed_until < $1
        """,
        at,
    )
    return _count(again), _count(uncertain)


async def release_held(connection: Connection, held_for: str, at: datetime) -> int:
    """Let out what waited for a draft, now that it was reviewed; returns how many messages that concerns."""
    done = await connection.execute(
        """
        UPDATE outbox SET held_for = NULL, not_before_at = least(not_before_at, $2)
         WHERE held_for = $1 AND state = 'pending'
        """,
        held_for,
        at,
    )
    return _count(done)


async def resend(connection: Connection, number: int, at: datetime) -> bool:
    """Send a dead or uncertain message again, because a person said so; False where it is neither.

    Its peer is tried again too, also one that wanted no more messages.
    """
    row = await connection.fetchrow(
        """
        UPDATE outbox SET state = 'pending', settled_at = NULL, attempts = 0, not_before_at = $2, error = NULL
         WHERE id = $1 AND state IN ('dead', 'uncertain') RETURNING channel, recipient
        """,
        number,
        at,
    )
    if row is None:
        return False
    await wake(connection, peer_of(row["channel"], row["recipient"]))
    return True


def peer_of(channel: str, recipient: str) -> str:
    """Whose failures a message's are: the mail server's for persons, else the endpoint's own."""
    return MAIL if channel in (MAIL, PERSON) else recipient.removeprefix("endpoint:")


async def skip(connection: Connection, number: int, at: datetime) -> bool:
    """Let later messages pass a dead or uncertain one; False where it is neither."""
    return await _settled(
        connection,
        "UPDATE outbox SET state = 'skipped', settled_at = $2 WHERE id = $1 AND state IN ('dead', 'uncertain')",
        (number, at),
    )


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A message as operators see it; it holds no address."""

    id: int
    state: str
    channel: str
    recipient: str
    stream: str
    topics: tuple[str, ...]
    attempts: int
    created_at: datetime
    not_before_at: datetime
    error: str | None


async def listed(connection: Connection, states: Collection[str], *, limit: int = 200) -> list[Listed]:
    """Messages in these states, oldest first."""
    rows = await connection.fetch(
        """
        SELECT id, state, channel, recipient, stream, payload, attempts, created_at, not_before_at, error
          FROM outbox WHERE state = ANY ($1) ORDER BY id LIMIT $2
        """,
        list(states),
        limit,
    )
    return [
        Listed(
            **{name: row[name] for name in Listed.__struct_fields__ if name != "topics"},
            topics=tuple(msgspec.json.decode(row["payload"]).get("topics", ())),
        )
        for row in rows
    ]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    name: str | None
    email: str | None


async def persons(connection: Connection, numbers: Collection[int]) -> dict[int, Person]:
    """The persons of the numbers who have not been erased."""
    rows = await connection.fetch(
        "SELECT id, name, email FROM actor WHERE id = ANY ($1) AND kind = 'person' AND erased_at IS NULL", list(numbers)
    )
    return {row["id"]: Person(number=row["id"], name=row["name"], email=row["email"]) for row in rows}


# How peers are doing.


async def resting(connection: Connection, at: datetime) -> set[str]:
    """The peers that are left alone now."""
    rows = await connection.fetch("SELECT peer FROM delivery_circuit WHERE is_disabled OR open_until > $1", at)
    return {row["peer"] for row in rows}


async def note_success(connection: Connection, peer: str) -> None:
    """Forget the failures of a peer."""
    await connection.execute(
        "UPDATE delivery_circuit SET failures = 0, open_until = NULL, is_disabled = false, error = NULL WHERE peer = $1", peer
    )


async def note_failure(connection: Connection, peer: str, error: str, *, is_disabled: bool = False) -> int:
    """Count a failure, and return how many there were in a row."""
    failures: int = await connection.fetchval(
        """
        INSERT INTO delivery_circuit (peer, failures, is_disabled, error) VALUES ($1, 1, $2, $3)
        ON CONFLICT (peer) DO UPDATE SET failures = delivery_circuit.failures + 1, error = excluded.error,
            is_disabled = delivery_circuit.is_disabled OR excluded.is_disabled
        RETURNING failures
        """,
        peer,
        is_disabled,
        error,
    )
    return failures


async def let_rest(connection: Connection, peer: str, until: datetime) -> None:
    await connection.execute("UPDATE delivery_circuit SET open_until = $2 WHERE peer = $1", peer, until)


async def wake(connection: Connection, peer: str) -> None:
    """Let a peer be tried again, whatever happened before."""
    await connection.execute("DELETE FROM delivery_circuit WHERE peer = $1", peer)


# Issues in trackers.


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    key: str | None
    status: str | None
    begun_at: datetime


async def issue(connection: Connection, endpoint: str, stream: str) -> Issue | None:
    row = await connection.fetchrow(
        "SELECT issue_key AS key, status, begun_at FROM tracker_issue WHERE endpoint = $1 AND stream = $2", endpoint, stream
    )
    return None if row is None else Issue(**row)


async def begin_issue(connection: Connection, endpoint: str, stream: str, at: datetime) -> None:
    """Write down that an issue is about to be created, before anybody is asked to."""
    await connection.execute(
        """
        INSERT INTO tracker_issue (endpoint, stream, begun_at) VALUES ($1, $2, $3)
        ON CONFLICT (endpoint, stream) DO UPDATE SET begun_at = excluded.begun_at
        """,
        endpoint,
        stream,
        at,
    )


async def note_issue(connection: Connection, endpoint: str, stream: str, *, key: str, status: str | None, at: datetime) -> None:
    """Write down which issue it is, and the state it is in where that was read."""
    await connection.execute(
        """
        INSERT INTO tracker_issue (endpoint, stream, issue_key, status, begun_at, noted_at) VALUES ($1, $2, $3, $4, $5, $5)
        ON CONFLICT (endpoint, stream) DO UPDATE SET issue_key = excluded.issue_key,
            status = coalesce(excluded.status, tracker_issue.status), noted_at = excluded.noted_at
        """,
        endpoint,
        stream,
        key,
        status,
        at,
    )


async def unsettled(connection: Connection) -> dict[str, int]:
    """How many messages wait, are dead or uncertain: what the operators look at."""
    rows = await connection.fetch(
        "SELECT state, count(*) AS number FROM outbox WHERE state IN ('pending', 'dead', 'uncertain') GROUP BY state"
    )
    return {row["state"]: row["number"] for row in rows}


async def _settled(connection: Connection, statement: str, arguments: tuple[object, ...]) -> bool:
    return _count(await connection.execute(statement, *arguments)) == 1


def _count(status: str) -> int:
    """The number at the end of what PostgreSQL says of a statement: `UPDATE 3`."""
    return int(status.rsplit(" ", 1)[1])
