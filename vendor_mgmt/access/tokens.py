"""Who is asking: opaque tokens, of which only the SHA-256 is stored.

Until people have accounts of their own there is one person, the administrator of this installation. `prepare` keeps a service token for
scripts in a file that only the owner of the data folder may read, and `new_link` makes a link that signs a browser in, once.

Signing in always makes a new token, so that nobody can plant one beforehand, and signing out revokes it in the database, so that a request
still under way cannot bring it back.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from vendor_mgmt.access import actors
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.errors import Unavailable
from vendor_mgmt.settings import Settings, make_private_dir

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]

Kind = Literal["link", "session", "service"]

LINK_FOR = timedelta(days=1)
SESSION_FOR = timedelta(days=14)
TOUCHED_EVERY = timedelta(minutes=5)
ADMINISTRATOR = "Administrator"
TOKEN_FILE = "access_token"  # noqa: S105 - the name of a file
TOKEN_CHARACTERS_MAX = 200


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who makes a request, by which token, and what they may see."""

    actor: int
    name: str
    kind: Kind
    token: int
    """The token's row."""
    sha256: str
    scope: Scope


async def prepare(connection: Connection, settings: Settings, now: datetime) -> str:
    """The service token of this installation, kept in `access_token` in the data folder (mode 0600); made on first use.

    A token that was revoked, or belongs to another database, is left alone or entered anew: what the file holds is known afterwards, unless
    somebody revoked it, in which case a new one takes its place. Raises `Unavailable` where the file cannot be read or written.
    """
    path = settings.data_dir / TOKEN_FILE
    # Two processes that start at once write the file once.
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('access token file', 0))")
    try:
        make_private_dir(settings.data_dir)
        token = path.read_text(encoding="ascii").strip() if path.exists() else ""
        state = await connection.fetchrow("SELECT revoked_at, kind FROM access_token WHERE sha256 = $1", digest(token)) if token else None
        if not token or (state is not None and state["revoked_at"] is not None):
            token, state = secrets.token_urlsafe(32), None
            draft = path.with_name(f".{TOKEN_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(token + "\n")
            draft.replace(path)
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"The access token in {path} cannot be read or written: {error}. Let this user own the data folder.") from error
    if state is None:
        await _add(connection, "service", token, now, None)
    return token


async def new_link(connection: Connection, now: datetime) -> str:
    """A token that signs a browser in, once, within a day."""
    token = secrets.token_urlsafe(32)
    await _add(connection, "link", token, now, now + LINK_FOR)
    return token


async def use_link(connection: Connection, token: str, now: datetime) -> str | None:
    """A new session for whoever brings the token of a link; None where the link was used before, has run out or never was."""
    actor = await connection.fetchval(_USE_LINK, digest(token), now)
    if actor is None:
        return None
    session = secrets.token_urlsafe(32)
    await connection.execute(_ADD, actor, "session", digest(session), now, now + SESSION_FOR)
    return session


_USE_LINK = """
    UPDATE access_token SET used_at = $2
    WHERE sha256 = $1 AND kind = 'link' AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $2
    RETURNING actor
"""


async def identity(connection: Connection, token: str, kind: Kind, now: datetime) -> Identity | None:
    """Who holds this session or service token; None where it does not hold (any more)."""
    sha256 = digest(token)
    row = await connection.fetchrow(_IDENTITY, sha256, kind, now)
    if row is None:
        return None
    if row["used_at"] is None or now - row["used_at"] > TOUCHED_EVERY:
        await connection.execute("UPDATE access_token SET used_at = $2 WHERE id = $1", row["id"], now)
    return Identity(
        actor=row["actor"], name=row["name"] or "", kind=kind, token=row["id"], sha256=sha256, scope=Scope.everything(row["actor"])
    )


_IDENTITY = """
    SELECT t.id, t.actor, t.used_at, a.name
    FROM access_token t JOIN actor a ON a.id = t.actor
    WHERE t.sha256 = $1 AND t.kind = $2 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $3) AND a.erased_at IS NULL
"""


async def revoke(connection: Connection, token: int, now: datetime) -> None:
    """Let a token, by its row, hold no longer."""
    await connection.execute("UPDATE access_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", token, now)


async def _add(connection: Connection, kind: Kind, token: str, now: datetime, expires_at: datetime | None) -> None:
    actor = await actors.named(connection, "person", ADMINISTRATOR)
    await connection.execute(_ADD, actor, kind, digest(token), now, expires_at)


_ADD = "INSERT INTO access_token (actor, kind, sha256, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)"


def digest(token: str) -> str:
    """What is stored of a token. It is random and long, so that a plain hash of it cannot be guessed back."""
    return hashlib.sha256(token[:TOKEN_CHARACTERS_MAX].encode()).hexdigest()


# A form's own token: it proves that the form came from a page of ours, shown to the same session.


def form_token(key: str, who: Identity) -> str:
    """What a form carries. Different each time, so that its bytes tell nothing when compressed pages are compared."""
    nonce = secrets.token_urlsafe(12)
    return f"{nonce}.{_signed(key, who, nonce)}"


def is_form_token(key: str, who: Identity, token: str) -> bool:
    nonce, _, signature = token.partition(".")
    return hmac.compare_digest(signature.encode(), _signed(key, who, nonce).encode())


def _signed(key: str, who: Identity, nonce: str) -> str:
    return hmac.new(key.encode(), f"form {who.sha256} {nonce}".encode(), hashlib.sha256).hexdigest()
