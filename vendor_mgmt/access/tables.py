"""The one table of names.

Everything that records who did something (runs, corrections, claims, decisions, tickets, audit) stores an actor's number. Names and addresses
stand here alone, so that erasing a person leaves every chain valid.
"""

from piccolo.columns import BigSerial, Text, Timestamptz, Varchar
from piccolo.constraints import Check
from piccolo.table import Table


class Actor(Table):
    """A person, a token, or the service itself. After erasure the row stays and says nothing but its number."""

    id = BigSerial(primary_key=True)
    kind = Varchar(length=20, default=None)
    name = Text(null=True, default=None)
    email = Text(null=True, default=None)
    created_at = Timestamptz(default=None)
    erased_at = Timestamptz(null=True, default=None)

    actor_kind_is_known = Check("kind in ('person', 'token', 'service')")
    actor_erased_has_no_name = Check("erased_at is null or (name is null and email is null)")
