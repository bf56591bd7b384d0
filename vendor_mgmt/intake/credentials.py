"""Credentials of sources, kept encrypted in the database with a key that is not in it. They go in and are used; nobody gets to see them.

Fernet (AES-128-CBC and HMAC-SHA256, of the package `cryptography`) with a key made from `VENDOR_MGMT_CREDENTIALS_KEY`. Several keys may be
given, separated by commas: the first encrypts and all of them decrypt, so that a key can be replaced.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vendor_mgmt.credentials import Secret
from vendor_mgmt.intake.source import Draft, Source

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]

KEY_CHARACTERS_MIN = 32


class CannotUnlock(Exception):  # noqa: N818 - a refusal, in words for a person
    """A stored credential is not to be had. `reason` says why, and never what it is."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A credential as far as anybody may see it."""

    name: str
    set_at: datetime
    set_by: int
    used_by: list[str]


def _locksmith(key: str | None) -> MultiFernet:
    if not key:
        raise CannotUnlock("Credentials are kept encrypted, and VENDOR_MGMT_CREDENTIALS_KEY is not set. Set it to 32 characters or more.")
    keys = [part.strip() for part in key.split(",") if part.strip()]
    if not keys or any(len(part) < KEY_CHARACTERS_MIN for part in keys):
        raise CannotUnlock(f"VENDOR_MGMT_CREDENTIALS_KEY has a key of fewer than {KEY_CHARACTERS_MIN} characters. Write a longer one.")
    return MultiFernet([Fernet(_derived(part)) for part in keys])


def _derived(key: str) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"vendor-mgmt credentials").derive(key.encode())
    return base64.urlsafe_b64encode(derived)


async def keep(connection: Connection, name: str, value: str, *, key: str | None, actor: int, now: datetime) -> None:
    """Keep a credential under a name; one that is there is replaced. Raises `CannotUnlock`."""
    locked = _locksmith(key).encrypt(value.encode())
    await connection.execute(_KEEP, name, locked, now, actor)


_KEEP = """
    INSERT INTO credential AS c (name, locked, set_at, set_by) VALUES ($1, $2, $3, $4)
    ON CONFLICT (name) DO UPDATE SET locked = excluded.locked, set_at = excluded.set_at, set_by = excluded.set_by
"""


async def forget(connection: Connection, name: str) -> bool:
    """Remove a credential. Returns whether there was one."""
    return str(await connection.execute("DELETE FROM credential WHERE name = $1", name)).endswith(" 1")


async def kept(connection: Connection) -> list[Kept]:
    """The names of what is kept, when it was set, and which sources name it now."""
    return [Kept(**dict(row) | {"used_by": list(row["used_by"])}) for row in await connection.fetch(_KEPT)]


_KEPT = """
    SELECT c.name, c.set_at, c.set_by, ARRAY(
        SELECT s.code FROM source s
        JOIN LATERAL (SELECT document FROM source_version v WHERE v.source = s.id ORDER BY v.number DESC LIMIT 1) newest ON true
        WHERE jsonb_path_exists(newest.document, '$.**.stored ? (@ == $name)', jsonb_build_object('name', c.name::text))
        ORDER BY s.code
    )::text[] AS used_by
    FROM credential c ORDER BY c.name
"""


async def unlocked(connection: Connection, document: Source | Draft, key: str | None) -> dict[str, str]:
    """The stored credentials that a source names. Raises `CannotUnlock`."""
    wanted = sorted({secret.stored for secret in secrets_in(document) if secret.stored is not None})
    if not wanted:
        return {}
    locksmith = _locksmith(key)
    rows = await connection.fetch("SELECT name, locked FROM credential WHERE name = ANY ($1)", wanted)
    found = {row["name"]: row["locked"] for row in rows}
    if missing := [name for name in wanted if name not in found]:
        raise CannotUnlock(f"No credential {', '.join(missing)} is stored. Set it with `vendor-mgmt credential set`.")
    return _opened(locksmith, found)


def _opened(locksmith: MultiFernet, locked: Mapping[str, bytes]) -> dict[str, str]:
    found = {}
    for name, value in locked.items():
        try:
            found[name] = locksmith.decrypt(value).decode()
        except InvalidToken:
            reason = f"The credential {name} was locked with another VENDOR_MGMT_CREDENTIALS_KEY."
            raise CannotUnlock(f"{reason} Set that key too, or the credential anew.") from None
    return found


def secrets_in(value: Any) -> Iterator[Secret]:
    """Every reference to a credential in a document, wherever it stands."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from secrets_in(part)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for part in value:
            yield from secrets_in(part)
