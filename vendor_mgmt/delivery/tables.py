"""What is to be sent, as rows written in the same transaction as what they tell of."""

from piccolo.columns import JSONB, BigSerial, Boolean, Integer, Text, Timestamptz, Varchar
from piccolo.constraints import Check, Unique
from piccolo.table import Table


class Outbox(Table):
    """One message to one recipient through one channel.

    pending -> sent; -> dead, when it was refused for good or tried too often; -> uncertain, when nobody can know whether it arrived.
    A dead or uncertain one waits for a person, who sends it again (-> pending) or skips it (-> skipped). What is written is for a role;
    it is *addressed* when it has become one message for each person who holds the role, and one for each machine that is told.

    `stream` is what the order is kept in (a ticket): within a stream and channel nothing overtakes an earlier unsettled message.
    `recipient` is a role, a person's number (`actor:12`) or an endpoint's name (`endpoint:ops`), never a person's address. A message held
    for a draft goes out when the draft is reviewed, or at `not_before_at`.
    """

    id = BigSerial(primary_key=True)
    idempotency_key = Text(unique=True, default=None)
    stream = Text(default=None)
    channel = Varchar(length=20, default=None)
    side = Varchar(length=10, default=None, help_text="Whose edition it is: vendor or client")
    recipient = Text(default=None)
    kind = Varchar(length=40, default=None)
    payload = JSONB(default=None)
    state = Varchar(length=10, default=None)
    held_for = Text(null=True, default=None)
    not_before_at = Timestamptz(default=None)
    created_at = Timestamptz(default=None)
    attempts = Integer(default=None)
    claimed_until = Timestamptz(null=True, default=None, help_text="Null unless a sender has it")
    claim = Integer(default=None, help_text="Counts the claims; a sender that lost its claim settles nothing")
    error = Text(null=True, default=None, help_text="Why the last attempt failed")
    settled_at = Timestamptz(null=True, default=None)

    outbox_state_is_one_of_six = Check("state in ('pending', 'addressed', 'sent', 'dead', 'uncertain', 'skipped')")
    outbox_side_is_known = Check("side in ('vendor', 'client')")
    outbox_only_pending_is_claimed = Check("claimed_until is null or state = 'pending'")
    outbox_settled_has_a_moment = Check("(state = 'pending') = (settled_at is null)")
    outbox_counts_are_not_negative = Check("attempts >= 0 and claim >= 0")


class DeliveryCircuit(Table):
    """How a peer has been doing: after several failures in a row it is left alone for a while, and one that wants no more, for good."""

    id = BigSerial(primary_key=True)
    peer = Text(unique=True, default=None, help_text="`mail`, or an endpoint's name")
    failures = Integer(default=None, help_text="In a row")
    open_until = Timestamptz(null=True, default=None)
    is_disabled = Boolean(default=None, help_text="Until a person sends one of its messages again")
    error = Text(null=True, default=None, help_text="The last one")

    delivery_circuit_counts_are_not_negative = Check("failures >= 0")


class TrackerIssue(Table):
    """The issue in somebody's tracker that stands for a stream of ours (a ticket). Written before the issue is created there."""

    id = BigSerial(primary_key=True)
    endpoint = Text(default=None)
    stream = Text(default=None)
    issue_key = Text(null=True, default=None, help_text="Null while it is not known whether it was created")
    status = Text(null=True, default=None, help_text="As read back")
    begun_at = Timestamptz(default=None, help_text="When creating it was last begun")
    noted_at = Timestamptz(null=True, default=None, help_text="When key and status were last read")

    tracker_issue_one_each = Unique([endpoint, stream])
