"""What is to be sent, as rows written in the same transaction as what they tell of."""

from piccolo.columns import JSONB, BigSerial, Integer, Text, Timestamptz, Varchar
from piccolo.constraints import Check
from piccolo.table import Table


class Outbox(Table):
    """One message to one recipient through one channel.

    pending -> sent; -> dead, when it was refused for good or tried too often; -> uncertain, when nobody can know whether it arrived.
    A dead or uncertain one waits for a person, who sends it again (-> pending) or skips it (-> skipped).

    `stream` is what the order is kept in (a ticket): within a stream and channel nothing overtakes an earlier unsettled message.
    `recipient` is a role or an endpoint's name, never a person's address. A message held for a draft goes out when the draft is
    reviewed, or at `not_before_at`.
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

    outbox_state_is_known = Check("state in ('pending', 'sent', 'dead', 'uncertain', 'skipped')")
    outbox_side_is_known = Check("side in ('vendor', 'client')")
    outbox_only_pending_is_claimed = Check("claimed_until is null or state = 'pending'")
    outbox_settled_has_a_moment = Check("(state = 'pending') = (settled_at is null)")
    outbox_counts_are_not_negative = Check("attempts >= 0 and claim >= 0")
