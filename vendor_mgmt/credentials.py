"""Credentials by reference: documents name where one is to be had, and never hold it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from contracts.errors import RefusedValue


class Secret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A credential by reference: the name of an environment variable, of a file that holds nothing else, or (for sources) of one that is
    `stored` encrypted in the database.
    """

    env: Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    file: Annotated[str, Meta(min_length=1)] | None = None
    stored: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")] | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("env", "file", "stored") if getattr(self, name) is not None]
        if len(given) != 1:
            found = f"{' and '.join(given)} are given" if given else "neither is given"
            raise RefusedValue(f"`env`, `file` or `stored` is wanted, and {found}", "Write exactly one of them.")


class CredentialMissing(Exception):  # noqa: N818 - what is the matter, not what went wrong
    """The credential is not where the document says; the message says how to repair that, and holds no secret."""
