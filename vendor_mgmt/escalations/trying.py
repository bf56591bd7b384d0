"""Rules tried on months that have passed: which tickets they would have raised, and how many messages to whom. Nothing is stored.

The months are played one after the other, each as its close would have seen it, with the clocks running in between. People do nothing
in this play: nobody acknowledges, so what it counts is the most that the rules would have caused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec

from vendor_mgmt.escalations import raising, tickets
from vendor_mgmt.escalations.raising import Known
from vendor_mgmt.escalations.rules import Policy, RuleParameters, Series, TicketKey
from vendor_mgmt.escalations.tickets import Calendars, Message, Ticket


class Close(msgspec.Struct, frozen=True, kw_only=True):
    """A close: everything that ends by `until_on` is known at `at`."""

    until_on: date
    at: datetime


class TriedTicket(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket that would have been raised, as it would stand at the end; `closed_at` null: it would still be open."""

    site: str
    kpi: str
    dimensions: str
    rule: str
    opened_at: datetime
    closed_at: datetime | None
    state: str
    level: int
    severity: str
    periods: int
    messages: int


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules would have caused."""

    closes: int
    tickets: tuple[TriedTicket, ...]
    messages: dict[str, int]
    """By role; several topics of one moment are one message."""


def try_rules(
    series: Sequence[Series],
    rules: Sequence[RuleParameters],
    policy: Policy,
    calendars: Calendars,
    closes: Sequence[Close],
    until_at: datetime,
) -> Tried:
    """Plays the closes in order, and the clocks up to `until_at`."""
    found: list[TriedTicket] = []
    told: Counter[str] = Counter()
    for one in series:
        for rule in raising.rules_for(one.kpi, rules):
            play = _Play(one, rule, policy, calendars)
            for close, following in zip(closes, [*(each.at for each in closes[1:]), until_at], strict=True):
                play.close(close)
                play.sweep(following)
            found += play.tried()
            told += play.told
    ordered = sorted(found, key=lambda each: (each.opened_at, each.site, each.kpi, each.dimensions, each.rule))
    return Tried(closes=len(closes), tickets=tuple(ordered), messages=dict(sorted(told.items())))


class _Play:
    """One series under one rule."""

    def __init__(self, series: Series, rule: RuleParameters, policy: Policy, calendars: Calendars) -> None:
        self.series = series
        self.rule = rule
        self.policy = policy
        self.calendars = calendars
        self.known: dict[int, Known] = {}
        self.messages: Counter[int] = Counter()
        self.told: Counter[str] = Counter()

    def close(self, close: Close) -> None:
        seen = tuple(each for each in self.series.observations if each.until <= close.until_on)
        if not seen:
            return
        held = list(self.known.values())
        as_seen = msgspec.structs.replace(self.series, observations=seen)
        for change in raising.changes(as_seen, self.rule, self.policy, held, at=close.at, calendars=self.calendars):
            number = change.id if change.id is not None else len(self.known) + 1
            before = self.known[number].facts if number in self.known else ()
            self.known[number] = Known(id=number, ticket=change.ticket, facts=(*before, *raising.facts_of(change.records)))
            self._tell(number, change.messages)

    def sweep(self, until_at: datetime) -> None:
        for number in self.known:
            while (due_at := _next_due(self.known[number].ticket, self.calendars)) is not None and due_at < until_at:
                held = self.known[number]
                moved = tickets.sweep(held.ticket, calendars=self.calendars, at=due_at + timedelta(seconds=1))
                if moved is None:
                    break
                self.known[number] = Known(id=number, ticket=moved.ticket, facts=(*held.facts, *raising.facts_of(moved.records)))
                self._tell(number, moved.messages)

    def _tell(self, number: int, messages: Sequence[Message]) -> None:
        self.messages[number] += len(messages)
        self.told.update(each.role for each in messages)

    def tried(self) -> list[TriedTicket]:
        key = TicketKey.of(self.series, self.rule)
        return [
            TriedTicket(
                site=key.site,
                kpi=key.kpi,
                dimensions=key.dimensions,
                rule=key.rule,
                opened_at=each.ticket.opened_at,
                closed_at=each.ticket.closed_at,
                state=each.ticket.state.value,
                level=each.ticket.level,
                severity=each.ticket.severity.value,
                periods=len({fact.period_from for fact in each.facts if fact.kind in ("opened", "recurred", "continued", "reopened")}),
                messages=self.messages[number],
            )
            for number, each in self.known.items()
        ]


def _next_due(ticket: Ticket, calendars: Calendars) -> datetime | None:
    due = tickets.deadlines(ticket, calendars) if ticket.state.is_open else ()
    return due[0].due_at if due else None
