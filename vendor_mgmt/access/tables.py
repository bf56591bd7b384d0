"""The one table of names, and what proves who somebody is.

Everything that records who did something (runs, corrections, claims, decisions, tickets, audit) stores an actor's number. Names and
addresses stand here alone, so that erasing a person leaves every chain valid.
"""

from piccolo.columns import BigSerial, ForeignKey, OnDelete, Text, Timestamptz, Varchar
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


class AccessToken(Table):
    """What proves who somebody is: an opaque token, of which only the SHA-256 is kept.

    `link` signs a browser in, once; `session` is what that browser then holds in its cookie; `service` is for scripts. Rows are kept when
    they have run out or been revoked, so that it stays known who could sign in when.
    """

    id = BigSerial(primary_key=True)
    actor = ForeignKey(Actor, null=False, default=None, on_delete=OnDelete.restrict)
    kind = Varchar(length=10, default=None)
    sha256 = Varchar(length=64, unique=True, default=None, help_text="Of the token, in hexadecimal")
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(null=True, default=None, help_text="Null: until revoked")
    used_at = Timestamptz(null=True, default=None, help_text="Of a link: when it was used; otherwise, within some minutes, when last used")
    revoked_at = Timestamptz(null=True, default=None)

    access_token_kind_is_known = Check("kind in ('link', 'session', 'service')")
    access_token_sha256_is_hexadecimal = Check("sha256 ~ '^[0-9a-f]{64}$'")
    access_token_only_service_is_endless = Check("expires_at is not null or kind = 'service'")
