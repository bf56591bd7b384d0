"""Every statement about tickets. Writing runs inside the caller's transaction, together with what else it writes.

Three things keep two processes apart. Raising takes one advisory lock for each contract lineage, so that reading the tickets and
writing what follows from them is one step. Whoever changes a stored ticket holds its row. And the unique index on open keys
stands behind both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from contracts.business_time import Calendar, clock
from contracts.errors import NotFound
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.delivery import queries as outbox
from vendor_mgmt.delivery.queries import Outgoing
from vendor_mgmt.escalations import clocks, raising, tickets
from vendor_mgmt.escalations.raising import Change, Fact, Known
from vendor_mgmt.escalations.rules import Policy, RuleParameters, Series, TicketKey, canonical_dimensions
from vendor_mgmt.escalations.tickets import Actor, Calendars, Event, Refusal, Suppress, Ticket, Transition

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]

__all__ = [
    "Raised",
    "Stuck",
    "TicketDetail",
    "TicketRow",
    "Watched",
    "act",
    "calendars_of",
    "detail",
    "end_scope",
    "listed",
    "raise_tickets",
    "replan",
    "stuck",
    "sweep",
]

# The first half of the advisory locks' keys; the second is the lineage. Any number will do that nothing else uses.
LINEAGE_LOCK = 736_551_2


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """A series with the rules it is held against, at a close.

    `inhibitor` is what silences it now, `inhibited_until` when the last one ended. While the scorecard behind it is a draft,
    `held_for` names that draft and `vendor_messages_from` the moment from which the vendor is told all the same.
    """

    series: Series
    rules: tuple[RuleParameters, ...]
    policy: Policy
    calendars: Calendars
    inhibitor: Suppress | None = None
    inhibited_until: datetime | None = None
    held_for: str | None = None
    vendor_messages_from: datetime | None = None


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """What a close did to tickets, by ticket number."""

    opened: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    messages: int = 0


class TicketRow(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket as lists show it."""

    number: str
    vendor: str
    contract: str
    site: str | None
    dimensions: dict[str, str]
    kpi: str
    rule: str
    state: str
    level: int
    severity: str
    period_from: date
    period_until: date
    recurrence: int
    is_disputed: bool
    is_exhausted: bool
    opened_at: datetime
    closed_at: datetime | None
    next_due_at: datetime | None
    cleared_from: date | None
    """First day of the period at whose close the KPI had recovered; what is left is for a person to close the ticket."""

    @property
    def has_recovered(self) -> bool:
        return self.cleared_from is not None and self.closed_at is None


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    sequence: int
    kind: str
    from_state: str | None
    to_state: str
    actor: int
    at: datetime
    reason: str
    period_from: date | None
    detail: dict[str, Any]


class DeadlineRow(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    due_at: datetime
    local: str
    calendar: str
    calendar_version: int
    is_provisional: bool
    state: str


class TicketDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket with its history and what is due; `repeats` is the number of the closed one it repeats."""

    row: TicketRow
    ticket: Ticket
    events: tuple[EventRow, ...]
    deadlines: tuple[DeadlineRow, ...]
    repeats: str | None


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """An open ticket to which nothing is going to happen, or whose deadline nobody swept."""

    number: str
    state: str
    next_due_at: datetime | None


class _Written(msgspec.Struct, frozen=True, kw_only=True):
    """A changed ticket on its way to the database, with when its messages may go out."""

    id: int
    number: str
    ticket: Ticket
    records: tuple[tickets.Record, ...]
    messages: tuple[tickets.Message, ...]
    calendars: Calendars
    due: tuple[clocks.Deadline, ...]
    held_for: str | None = None
    vendor_messages_from: datetime | None = None

    @property
    def next_due_at(self) -> datetime | None:
        return self.due[0].due_at if self.due else None


def _moved(number: int, name: str, ticket: Ticket, result: Transition | None, calendars: Calendars) -> _Written:
    """A ticket as a transition left it; without one it is only planned anew."""
    after = result.ticket if result is not None else ticket
    return _Written(
        id=number,
        number=name,
        ticket=after,
        records=result.records if result is not None else (),
        messages=result.messages if result is not None else (),
        calendars=calendars,
        due=tickets.deadlines(after, calendars),
    )


# Raising. -----------------------------------------------------------------------------------------------------------------


async def raise_tickets(connection: Connection, watched: Sequence[Watched], *, at: datetime) -> Raised:
    """Open, continue, recover, withdraw and close what the series ask for; the same call again changes nothing.

    Raises `NotFound` for a contract, vendor or site that does not exist.
    """
    places = await _places(connection, watched)
    lineages = sorted({place.lineage for place in places.values()})
    for lineage in lineages:
        await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", LINEAGE_LOCK, lineage)
    known = await _known(connection, lineages, {one.series.contract for one in watched})
    new: list[tuple[Watched, Change]] = []
    changed: list[_Written] = []
    numbers: dict[int, str] = {}
    here: dict[TicketKey, list[TicketKey]] = defaultdict(list)
    for key in known:
        here[_place_of(key)].append(key)
    for one in watched:
        for key, rule in _rules_of(one, known, here):
            mine = known.get(key, [])
            numbers.update({stored.known.id: stored.number for stored in mine})
            for change in raising.changes(
                one.series,
                rule,
                one.policy,
                [stored.known for stored in mine],
                at=at,
                calendars=one.calendars,
                inhibitor=one.inhibitor,
                inhibited_until=one.inhibited_until,
            ):
                if change.id is None:
                    new.append((one, change))
                else:
                    changed.append(_written(change.id, numbers[change.id], change, one))
    # Existing rows first: a ticket that was cancelled makes room for the new one of its key.
    await _write(connection, changed, at)
    inserted = await _insert(connection, new, places)
    await _write_followers(connection, inserted, at)
    written = [*changed, *inserted]
    return Raised(
        opened=tuple(each.number for each in inserted),
        changed=tuple(each.number for each in changed),
        closed=tuple(each.number for each in written if not each.ticket.state.is_open),
        messages=sum(len(each.messages) for each in written),
    )


def _written(number: int, name: str, change: Change, one: Watched) -> _Written:
    return _Written(
        id=number,
        number=name,
        ticket=change.ticket,
        records=change.records,
        messages=change.messages,
        calendars=one.calendars,
        due=tickets.deadlines(change.ticket, one.calendars),
        held_for=one.held_for,
        vendor_messages_from=one.vendor_messages_from,
    )


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    known: Known
    number: str


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    vendor: int
    lineage: int
    site: int | None


async def _places(connection: Connection, watched: Sequence[Watched]) -> dict[tuple[str, str, str], _Place]:
    """The ids behind the codes of each series."""
    wanted = {(one.series.vendor, one.series.contract, one.series.site) for one in watched}
    vendors = await _ids(connection, "SELECT code, id FROM vendor WHERE code = ANY($1)", {vendor for vendor, _, _ in wanted}, "vendor")
    lineages = await _ids(
        connection,
        "SELECT code, id FROM contract WHERE code = ANY($1) AND lineage = id",
        {contract for _, contract, _ in wanted},
        "contract lineage",
    )
    sites = await _ids(connection, "SELECT code, id FROM site WHERE code = ANY($1)", {site for _, _, site in wanted if site}, "site")
    return {
        (vendor, contract, site): _Place(vendor=vendors[vendor], lineage=lineages[contract], site=sites[site] if site else None)
        for vendor, contract, site in wanted
    }


async def _ids(connection: Connection, statement: str, codes: set[str], what: str) -> dict[str, int]:
    found = {row["code"]: row["id"] for row in await connection.fetch(statement, sorted(codes))}
    if missing := codes - found.keys():
        raise NotFound(f"there is no {what} {', '.join(sorted(missing))}", "Import it first, or correct its code.")
    return found


async def _known(connection: Connection, lineages: list[int], contracts: set[str]) -> dict[TicketKey, list[_Stored]]:
    """The tickets of the lineages by key, oldest first, each row held until the transaction ends."""
    rows = await connection.fetch(
        "SELECT id, number, body FROM ticket WHERE lineage = ANY($1) ORDER BY id FOR UPDATE", lineages
    )
    if not rows:
        return {}
    facts: dict[int, list[Fact]] = defaultdict(list)
    for row in await connection.fetch(
        """
        SELECT ticket, kind, period_from FROM ticket_event
         WHERE period_from IS NOT NULL AND ticket = ANY($1)
         ORDER BY ticket, sequence
        """,
        [row["id"] for row in rows],
    ):
        facts[row["ticket"]].append(Fact(kind=row["kind"], period_from=row["period_from"]))
    found: dict[TicketKey, list[_Stored]] = defaultdict(list)
    for row in rows:
        ticket = _decoded(row["body"])
        if ticket.key.contract in contracts:
            known = Known(id=row["id"], ticket=ticket, facts=tuple(facts[row["id"]]))
            found[ticket.key].append(_Stored(known=known, number=row["number"]))
    return found


_DECODER = msgspec.json.Decoder(Ticket)


def _decoded(body: str) -> Ticket:
    return _DECODER.decode(body)


_ANY = RuleParameters(name="any")


def _place_of(key: TicketKey) -> TicketKey:
    """What the keys of one series have in common: everything but the rule."""
    return msgspec.structs.replace(key, rule=_ANY.name)


def _rules_of(
    one: Watched, known: Mapping[TicketKey, list[_Stored]], here: Mapping[TicketKey, list[TicketKey]]
) -> list[tuple[TicketKey, RuleParameters]]:
    """The rules of the series, and those the contract has dropped while a ticket of theirs is still open."""
    found = {TicketKey.of(one.series, rule): rule for rule in raising.rules_for(one.series.kpi, one.rules)}
    if known:
        for key in here.get(TicketKey.of(one.series, _ANY), ()):
            stored = known[key]
            if key not in found and any(each.known.ticket.state.is_open for each in stored):
                found[key] = stored[-1].known.ticket.rule
    return list(found.items())


async def _insert(
    connection: Connection, new: Sequence[tuple[Watched, Change]], places: Mapping[tuple[str, str, str], _Place]
) -> list[_Written]:
    """The rows of new tickets, numbered in their vendors' own series."""
    by_vendor: dict[str, list[tuple[Watched, Change]]] = defaultdict(list)
    for one, change in new:
        by_vendor[one.series.vendor].append((one, change))
    written = []
    for vendor in sorted(by_vendor):
        group = by_vendor[vendor]
        place = places[vendor, group[0][0].series.contract, group[0][0].series.site]
        last = await connection.fetchval(
            """
            INSERT INTO ticket_series (vendor, last_number) VALUES ($1, $2)
            ON CONFLICT (vendor) DO UPDATE SET last_number = ticket_series.last_number + $2
            RETURNING last_number
            """,
            place.vendor,
            len(group),
        )
        planned = []
        for position, (one, change) in enumerate(group):
            number = f"{vendor.upper()}-T{last - len(group) + 1 + position:04d}"
            planned.append((_written(0, number, change, one), one, change))
        rows = [
            (
                new.number,
                place.vendor,
                place.lineage,
                place.site,
                msgspec.json.encode({name: value for name, value in one.series.dimensions.items() if value}).decode(),
                canonical_dimensions(one.series.dimensions),
                change.ticket.key.kpi,
                change.ticket.key.rule,
                change.ticket.key.digest,
                change.recurs_from,
                *_columns(change.ticket, new.next_due_at),
            )
            for new, one, change in planned
            for place in [places[one.series.vendor, one.series.contract, one.series.site]]
        ]
        added = await connection.fetch(_ADD_TICKETS, *zip(*rows, strict=True))
        ids = {row["number"]: row["id"] for row in added}
        written += [msgspec.structs.replace(new, id=ids[new.number]) for new, _, _ in planned]
    return written


_ADD_TICKETS = """
    INSERT INTO ticket (number, vendor, lineage, site, dimensions, dimensions_text, kpi, rule, key_digest, recurs_from,
                        state, level, severity, period_from, period_until, recurrence, is_disputed, is_exhausted,
                        opened_at, closed_at, next_due_at, sequence, token, body)
    SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::int[], $5::jsonb[], $6::text[], $7::text[], $8::text[], $9::text[],
                         $10::bigint[], $11::text[], $12::int[], $13::text[], $14::date[], $15::date[], $16::int[], $17::boolean[],
                         $18::boolean[], $19::timestamptz[], $20::timestamptz[], $21::timestamptz[], $22::int[], $23::int[], $24::jsonb[])
    RETURNING id, number
"""


# Writing. -----------------------------------------------------------------------------------------------------------------


def _columns(ticket: Ticket, next_due_at: datetime | None) -> tuple[Any, ...]:
    """The values of the columns that repeat what the body says, the body last."""
    return (
        ticket.state.value,
        ticket.level,
        ticket.severity.value,
        ticket.period_from,
        ticket.period_until,
        ticket.recurrence,
        ticket.disputed,
        ticket.is_exhausted,
        ticket.opened_at,
        ticket.closed_at,
        next_due_at,
        ticket.sequence,
        ticket.token,
        msgspec.json.encode(ticket).decode(),
    )


async def _write(connection: Connection, written: Sequence[_Written], at: datetime) -> None:
    """Changed tickets with everything that follows them."""
    if not written:
        return
    await connection.executemany(
        """
        UPDATE ticket
           SET state = $2, level = $3, severity = $4, period_from = $5, period_until = $6, recurrence = $7, is_disputed = $8,
               is_exhausted = $9, opened_at = $10, closed_at = $11, next_due_at = $12, sequence = $13, token = $14, body = $15
         WHERE id = $1
        """,
        [(each.id, *_columns(each.ticket, each.next_due_at)) for each in written],
    )
    await _write_followers(connection, written, at)


async def _write_followers(connection: Connection, written: Sequence[_Written], at: datetime) -> None:
    """The history, the deadlines and the messages of tickets that were just written."""
    if not written:
        return
    await connection.executemany(
        """
        INSERT INTO ticket_event (ticket, sequence, kind, from_state, to_state, actor, at, reason, period_from, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        [
            (
                each.id,
                record.sequence,
                record.kind,
                record.from_state,
                record.to_state,
                record.actor,
                record.at,
                record.reason,
                record.period_from,
                msgspec.json.encode(record.detail).decode(),
            )
            for each in written
            for record in each.records
        ],
    )
    await _plan(connection, written, at)
    await outbox.add(connection, [message for each in written for message in _outgoing(each, at)], at)


async def _plan(connection: Connection, written: Sequence[_Written], at: datetime) -> None:
    """Bring the stored deadlines to what they are now. One that stays as it was keeps its row; none is ever changed."""
    planned = {each.id: each.due for each in written}
    kept: set[tuple[int, str]] = set()
    passed: list[int] = []
    withdrawn: list[int] = []
    wanted = {(ticket, due.name): due for ticket, found in planned.items() for due in found}
    for row in await connection.fetch(
        "SELECT id, ticket, name, due_at, calendar_version FROM deadline WHERE state = 'open' AND ticket = ANY($1)", list(planned)
    ):
        due = wanted.get((row["ticket"], row["name"]))
        if due is not None and (due.due_at, due.calendar_version) == (row["due_at"], row["calendar_version"]):
            kept.add((row["ticket"], row["name"]))
        else:
            (passed if row["due_at"] < at else withdrawn).append(row["id"])
    for state, ids in (("passed", passed), ("withdrawn", withdrawn)):
        if ids:
            await connection.execute("UPDATE deadline SET state = $1, settled_at = $2 WHERE id = ANY($3)", state, at, ids)
    await connection.executemany(
        """
        INSERT INTO deadline (ticket, name, due_at, local, calendar, calendar_version, is_provisional, token, state, planned_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9)
        """,
        [
            (
                each.id,
                due.name,
                due.due_at,
                due.local.isoformat(),
                due.calendar,
                due.calendar_version,
                bool(due.provisional),
                each.ticket.token,
                at,
            )
            for each in written
            for due in planned[each.id]
            if (each.id, due.name) not in kept
        ],
    )


def _outgoing(written: _Written, at: datetime) -> Iterable[Outgoing]:
    """The messages as outbox rows: quiet hours and an unreviewed draft hold the message back, never what it tells of."""
    ticket = written.ticket
    for message in written.messages:
        is_vendor = message.side == "vendor"
        calendar = written.calendars.vendor if is_vendor else written.calendars.client
        ready_at = at
        if is_vendor and written.held_for is not None and written.vendor_messages_from is not None:
            ready_at = max(at, written.vendor_messages_from)
        yield Outgoing(
            idempotency_key=f"ticket:{written.number}:{message.sequence}:{message.channel}:{message.role}",
            stream=f"ticket:{written.number}",
            channel=message.channel,
            side="vendor" if is_vendor else "client",
            recipient=message.role,
            kind="ticket",
            payload={
                "ticket": written.number,
                "sequence": message.sequence,
                "vendor": ticket.vendor,
                "contract": ticket.key.contract,
                "period_from": ticket.period_from.isoformat(),
                "topics": message.topics,
                "state": ticket.state.value,
                "level": ticket.level,
                "severity": ticket.severity.value,
                "kpi": ticket.key.kpi,
                "site": ticket.key.site,
            },
            not_before_at=clocks.message_moment(ready_at, ticket.policy.quiet_hours, calendar),
            held_for=written.held_for if is_vendor else None,
        )


# What people do, and what time does. ----------------------------------------------------------------------------------------


async def calendars_of(connection: Connection, policies: Iterable[Policy]) -> Callable[[Ticket], Calendars]:
    """The clocks of every calendar the policies name, in the newest version, under each policy's own conventions.

    Raises `NotFound` for a calendar that does not exist.
    """
    codes = {code for policy in policies for code in (policy.calendar, policy.client_calendar) if code is not None}
    rows = await connection.fetch(
        "SELECT DISTINCT ON (code) code, document FROM calendar_version WHERE code = ANY($1) ORDER BY code, number DESC", sorted(codes)
    )
    found = {row["code"]: msgspec.json.decode(row["document"], type=Calendar) for row in rows}
    if missing := codes - found.keys():
        raise NotFound(f"there is no calendar {', '.join(sorted(missing))}", "Import it first, or correct its code.")

    def of(ticket: Ticket) -> Calendars:
        policy = ticket.policy
        return Calendars(
            vendor=clock(found[policy.calendar], policy.conventions),
            client=clock(found[policy.client_calendar or policy.calendar], policy.conventions),
        )

    return of


async def act(
    connection: Connection, scope: Scope, number: str, event: Event, *, actor: Actor, at: datetime, calendars: Calendars | None = None
) -> Transition | Refusal:
    """Carry out what a person does to a ticket. Raises `NotFound` where there is none of that number within the scope."""
    row = await connection.fetchrow(
        """
        SELECT ticket.id, ticket.body FROM ticket JOIN vendor ON vendor.id = ticket.vendor LEFT JOIN site ON site.id = ticket.site
         WHERE ticket.number = $1
           AND ($2::text[] IS NULL OR vendor.code = ANY($2)) AND ($3::text[] IS NULL OR site.code = ANY($3))
           FOR UPDATE OF ticket
        """,
        number,
        scope.vendor_codes,
        scope.site_codes,
    )
    if row is None:
        raise _no_ticket(number)
    ticket = _decoded(row["body"])
    if calendars is None:
        calendars = (await calendars_of(connection, [ticket.policy]))(ticket)
    result = tickets.transition(ticket, event, actor=actor, at=at, calendars=calendars)
    if isinstance(result, Transition):
        await _write(connection, [_moved(row["id"], number, ticket, result, calendars)], at)
    return result


async def sweep(
    connection: Connection,
    at: datetime,
    *,
    calendars: Callable[[Ticket], Calendars] | None = None,
    is_staffed: Callable[[str], bool] | None = None,
    limit: int = 500,
) -> int:
    """Do what fell due before `at` to up to `limit` tickets, earliest first, and return how many were looked at.

    Several processes may sweep at once: each takes tickets that no other holds. Call again until it returns 0.
    """
    rows = await connection.fetch(
        """
        SELECT id, number, body FROM ticket
         WHERE closed_at IS NULL AND next_due_at < $1
         ORDER BY next_due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        at,
        limit,
    )
    found = [(row["id"], row["number"], _decoded(row["body"])) for row in rows]
    if not found:
        return 0
    of = calendars or await calendars_of(connection, [ticket.policy for _, _, ticket in found])
    written = []
    for identity, number, ticket in found:
        own = of(ticket)
        result = tickets.sweep(ticket, calendars=own, at=at, is_staffed=is_staffed)
        # A calendar may have changed since the deadline was planned: then nothing is due yet, and it is only planned anew.
        written.append(_moved(identity, number, ticket, result, own))
    await _write(connection, written, at)
    return len(written)


async def replan(connection: Connection, at: datetime) -> int:
    """Work the deadlines of open tickets out again, where a calendar they rest on has a newer version; returns how many tickets."""
    rows = await connection.fetch(
        """
        SELECT id, number, body FROM ticket
         WHERE id IN (SELECT deadline.ticket FROM deadline
                       WHERE deadline.state = 'open'
                         AND deadline.calendar_version < (SELECT max(number) FROM calendar_version WHERE code = deadline.calendar))
         ORDER BY id FOR UPDATE
        """
    )
    found = [(row["id"], row["number"], _decoded(row["body"])) for row in rows]
    of = await calendars_of(connection, [ticket.policy for _, _, ticket in found])
    written = []
    for identity, number, ticket in found:
        own = of(ticket)
        result = tickets.replanned(ticket, calendars=own, at=at)
        written.append(_moved(identity, number, ticket, result, own))
    await _write(connection, written, at)
    return len(written)


async def end_scope(
    connection: Connection, contract: str, reason: str, *, at: datetime, site: str | None = None, kpi: str | None = None
) -> list[str]:
    """End the open tickets of a contract lineage, or of one site or KPI of it, because their scope ended; returns their numbers."""
    rows = await connection.fetch(
        """
        SELECT ticket.id, ticket.number, ticket.body
          FROM ticket JOIN contract ON contract.id = ticket.lineage LEFT JOIN site ON site.id = ticket.site
         WHERE contract.code = $1 AND ticket.closed_at IS NULL
           AND ($2::text IS NULL OR site.code = $2) AND ($3::text IS NULL OR ticket.kpi = $3)
         ORDER BY ticket.id FOR UPDATE OF ticket
        """,
        contract,
        site,
        kpi,
    )
    found = [(row["id"], row["number"], _decoded(row["body"])) for row in rows]
    of = await calendars_of(connection, [ticket.policy for _, _, ticket in found])
    written = []
    for identity, number, ticket in found:
        own = of(ticket)
        result = tickets.transition(ticket, tickets.EndScope(reason=reason), actor=tickets.SYSTEM, at=at, calendars=own)
        if isinstance(result, Transition):
            written.append(_moved(identity, number, ticket, result, own))
    await _write(connection, written, at)
    return [each.number for each in written]


# Reading. -------------------------------------------------------------------------------------------------------------------

_ROW = """
    SELECT ticket.id, ticket.number, vendor.code AS vendor, contract.code AS contract, site.code AS site, ticket.dimensions,
           ticket.kpi, ticket.rule, ticket.state, ticket.level, ticket.severity, ticket.period_from, ticket.period_until,
           ticket.recurrence, ticket.is_disputed, ticket.is_exhausted, ticket.opened_at, ticket.closed_at, ticket.next_due_at,
           (ticket.body ->> 'cleared_from')::date AS cleared_from, ticket.recurs_from, ticket.body
      FROM ticket
      JOIN vendor ON vendor.id = ticket.vendor
      JOIN contract ON contract.id = ticket.lineage
      LEFT JOIN site ON site.id = ticket.site
     WHERE ($1::text[] IS NULL OR vendor.code = ANY($1)) AND ($2::text[] IS NULL OR site.code = ANY($2))
"""


async def listed(
    connection: Connection,
    scope: Scope,
    *,
    is_open: bool | None = True,
    vendor: str | None = None,
    site: str | None = None,
    kpi: str | None = None,
    level_min: int = 1,
    dimensions: Mapping[str, str] | None = None,
    limit: int = 200,
) -> list[TicketRow]:
    """Tickets within the scope, those with the earliest deadline first; `is_open` None takes closed ones too."""
    rows = await connection.fetch(
        _ROW
        + """
           AND ($3::boolean IS NULL OR (ticket.closed_at IS NULL) = $3)
           AND ($4::text IS NULL OR vendor.code = $4) AND ($5::text IS NULL OR site.code = $5)
           AND ($6::text IS NULL OR ticket.kpi = $6) AND ticket.level >= $7 AND ticket.dimensions @> $8::jsonb
         ORDER BY ticket.closed_at NULLS FIRST, ticket.next_due_at NULLS LAST, ticket.id
         LIMIT $9
        """,
        scope.vendor_codes,
        scope.site_codes,
        is_open,
        vendor,
        site,
        kpi,
        level_min,
        msgspec.json.encode(dict(dimensions or {})).decode(),
        limit,
    )
    return [_row(row) for row in rows]


def _row(row: Mapping[str, Any]) -> TicketRow:
    values = {name: row[name] for name in TicketRow.__struct_fields__}
    return TicketRow(**{**values, "dimensions": msgspec.json.decode(row["dimensions"])})


async def detail(connection: Connection, scope: Scope, number: str) -> TicketDetail:
    """A ticket with its history. Raises `NotFound` where there is none of that number within the scope.

    A vendor is not told whom the client calls, and what it puts on its own agenda.
    """
    row = await connection.fetchrow(_ROW + " AND ticket.number = $3", scope.vendor_codes, scope.site_codes, number)
    if row is None:
        raise _no_ticket(number)
    events = await connection.fetch(
        """
        SELECT sequence, kind, from_state, to_state, actor, at, reason, period_from, detail
          FROM ticket_event WHERE ticket = $1 ORDER BY sequence
        """,
        row["id"],
    )
    due = await connection.fetch(
        """
        SELECT name, due_at, local, calendar, calendar_version, is_provisional, state
          FROM deadline WHERE ticket = $1 AND state = 'open' ORDER BY due_at, name
        """,
        row["id"],
    )
    repeats = await connection.fetchval("SELECT number FROM ticket WHERE id = $1", row["recurs_from"])
    found = TicketDetail(
        row=_row(row),
        ticket=_decoded(row["body"]),
        events=tuple(EventRow(**{**each, "detail": msgspec.json.decode(each["detail"])}) for each in events),
        deadlines=tuple(DeadlineRow(**each) for each in due),
        repeats=repeats,
    )
    return found if scope.vendors is None else _for_vendor(found)


def _for_vendor(found: TicketDetail) -> TicketDetail:
    """The ticket without the roles, calendar and agenda of the client."""
    policy = found.ticket.policy
    levels = tuple(
        msgspec.structs.replace(level, to=tuple(role for role in level.to if not _is_clients(role)), agenda=None) for level in policy.levels
    )
    policy = msgspec.structs.replace(policy, levels=levels, client_role=CLIENT, client_calendar=None)
    events = tuple(
        msgspec.structs.replace(
            event, detail={name: said for name, said in event.detail.items() if name != "agenda" and not _is_clients(said)}
        )
        for event in found.events
    )
    return msgspec.structs.replace(found, ticket=msgspec.structs.replace(found.ticket, policy=policy), events=events)


CLIENT = "client"
"""Who answers at the client, where nobody may know more."""


def _is_clients(said: object) -> bool:
    """Whether a role, or a list that holds one, is the client's."""
    if isinstance(said, list | tuple):
        return any(_is_clients(one) for one in said)
    return isinstance(said, str) and said.startswith(f"{CLIENT}.")


async def stuck(connection: Connection, at: datetime, *, tolerance: timedelta = timedelta(minutes=10)) -> list[Stuck]:
    """Open tickets without a future deadline or a stated reason: the health page expects none."""
    rows = await connection.fetch(
        """
        SELECT number, state, next_due_at FROM ticket
         WHERE closed_at IS NULL AND state <> 'suppressed' AND NOT is_exhausted AND (next_due_at IS NULL OR next_due_at < $1)
         ORDER BY id
        """,
        at - tolerance,
    )
    return [Stuck(**row) for row in rows]


def _no_ticket(number: str) -> NotFound:
    return NotFound(f"there is no ticket {number}", "See `vendor-mgmt ticket list` for those you may see.")
