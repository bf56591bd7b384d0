"""Tickets, their history and their deadlines, as rows.

Indexes and constraints that a table class cannot express stand in `migrations/vendor_mgmt`: one open ticket per key, and a
history that only grows.
"""

from piccolo.columns import (
    JSONB,
    BigInt,
    BigSerial,
    Boolean,
    Date,
    ForeignKey,
    Integer,
    OnDelete,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.constraints import Check, Unique
from piccolo.table import Table

from contracts.tables import Contract, Site, Vendor


class TicketSeries(Table):
    """The last ticket number given in each vendor's own series, so that gaps say nothing about other vendors."""

    vendor = ForeignKey(Vendor, null=False, default=None, on_delete=OnDelete.restrict, primary_key=True)
    last_number = Integer(default=None)

    ticket_series_counts_from_one = Check("last_number >= 1")


class Ticket(Table):
    """One running problem. `body` is the ticket as the rules know it, with the rule and the policy it was opened under; the other
    columns repeat what is searched and shown. The history stands in `TicketEvent`.
    """

    id = BigSerial(primary_key=True)
    number = Varchar(length=100, unique=True, default=None)
    vendor = ForeignKey(Vendor, null=False, default=None, on_delete=OnDelete.restrict)
    lineage = ForeignKey(Contract, null=False, default=None, on_delete=OnDelete.restrict, help_text="The first contract of the chain")
    site = ForeignKey(Site, null=True, default=None, on_delete=OnDelete.restrict, help_text="Null: judged above sites")
    dimensions = JSONB(default=None)
    dimensions_text = Text(default=None, help_text="The same in one canonical form, for grouping")
    kpi = Varchar(length=80, default=None)
    rule = Text(default=None)
    key_digest = Varchar(length=64, default=None)
    state = Varchar(length=20, default=None)
    level = Integer(default=None)
    severity = Varchar(length=10, default=None)
    period_from = Date(default=None)
    period_until = Date(default=None)
    recurrence = Integer(default=None)
    is_disputed = Boolean(default=None)
    is_exhausted = Boolean(default=None)
    opened_at = Timestamptz(default=None)
    closed_at = Timestamptz(null=True, default=None)
    next_due_at = Timestamptz(null=True, default=None, help_text="The earliest open deadline")
    recurs_from: ForeignKey["Ticket"] = ForeignKey(
        "self", null=True, default=None, on_delete=OnDelete.restrict, help_text="The closed ticket that this one repeats"
    )
    sequence = Integer(default=None, help_text="Of the last event")
    token = Integer(default=None, help_text="Changes whenever the deadlines are planned anew")
    body = JSONB(default=None)

    ticket_state_is_known = Check(
        "state in ('opened', 'acknowledged', 'plan_submitted', 'plan_approved', 'in_progress', 'effectiveness_check', 'suppressed', "
        "'closed', 'cancelled', 'ended')"
    )
    ticket_severity_is_known = Check("severity in ('minor', 'serious', 'critical')")
    ticket_closed_has_a_moment = Check("(state in ('closed', 'cancelled', 'ended')) = (closed_at is not null)")
    ticket_key_is_hexadecimal = Check("key_digest ~ '^[0-9a-f]{64}$'")
    ticket_period_is_a_span = Check("period_from < period_until")
    ticket_counts_are_not_negative = Check("level >= 1 and recurrence >= 0 and sequence >= 1 and token >= 1")
    ticket_closed_has_nothing_due = Check("closed_at is null or next_due_at is null")


class TicketEvent(Table):
    """What happened, in order. Rows are added, never changed."""

    id = BigSerial(primary_key=True)
    ticket = ForeignKey(Ticket, null=False, default=None, on_delete=OnDelete.restrict)
    sequence = Integer(default=None)
    kind = Varchar(length=40, default=None)
    from_state = Varchar(length=20, null=True, default=None)
    to_state = Varchar(length=20, default=None)
    actor = BigInt(default=None, help_text="Actor number; 0 is the service itself")
    at = Timestamptz(default=None)
    reason = Text(default=None)
    period_from = Date(null=True, default=None)
    detail = JSONB(default=None)

    ticket_event_one_sequence = Unique([ticket, sequence])


class Deadline(Table):
    """What is due when, with the calendar version it rests on and the wall time people were told. A deadline that moves is a new row.

    open -> passed, when its moment came; -> withdrawn, when it was met or planned anew before.
    """

    id = BigSerial(primary_key=True)
    ticket = ForeignKey(Ticket, null=False, default=None, on_delete=OnDelete.restrict)
    name = Varchar(length=40, default=None)
    due_at = Timestamptz(default=None)
    local = Text(default=None, help_text="The same moment on the clocks of the calendar's zone, with its offset")
    calendar = Varchar(length=80, default=None)
    calendar_version = Integer(default=None)
    is_provisional = Boolean(default=None, help_text="Holidays on the way may still move")
    token = Integer(default=None, help_text="The ticket's when this was planned")
    state = Varchar(length=10, default=None)
    planned_at = Timestamptz(default=None)
    settled_at = Timestamptz(null=True, default=None)

    deadline_state_is_known = Check("state in ('open', 'passed', 'withdrawn')")
    deadline_settled_has_a_moment = Check("(state = 'open') = (settled_at is null)")
