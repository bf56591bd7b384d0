"""Reads a credential where a document says that it is to be had."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path

from vendor_mgmt.credentials import CredentialMissing, Secret

_UNLOCKED: ContextVar[Mapping[str, str]] = ContextVar("unlocked credentials", default={})  # noqa: B039 - a Mapping nobody changes


@contextlib.contextmanager
def unlocked(credentials: Mapping[str, str]) -> Iterator[None]:
    """Inside, `value_of` finds these stored credentials; they are in no document, no row and no log."""
    token = _UNLOCKED.set(credentials)
    try:
        yield
    finally:
        _UNLOCKED.reset(token)


def value_of(secret: Secret, environment: Mapping[str, str] = os.environ) -> str:
    """The credential itself. Raises `CredentialMissing`."""
    if secret.env is not None:
        value = environment.get(secret.env, "")
        if not value:
            raise CredentialMissing(f"The credential is to come from the variable {secret.env}, which is not set. Set it.")
        return value
    if secret.stored is not None:
        if (stored := _UNLOCKED.get().get(secret.stored)) is None:
            raise CredentialMissing(f"The stored credential {secret.stored} serves sources only. Name a variable or a file here.")
        return stored
    path = Path(secret.file or "")
    try:
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = f"The credential is to come from the file {path}, which cannot be read ({type(error).__name__}). Make it readable."
        raise CredentialMissing(reason) from None
    if not value:
        raise CredentialMissing(f"The credential is to come from the file {path}, which is empty.")
    return value
