"""Reads a credential where a document says that it is to be had."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from vendor_mgmt.credentials import CredentialMissing, Secret


def value_of(secret: Secret, environment: Mapping[str, str] = os.environ) -> str:
    """The credential itself. Raises `CredentialMissing`."""
    if secret.env is not None:
        value = environment.get(secret.env, "")
        if not value:
            raise CredentialMissing(f"The credential is to come from the variable {secret.env}, which is not set. Set it.")
        return value
    path = Path(secret.file or "")
    try:
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = f"The credential is to come from the file {path}, which cannot be read ({type(error).__name__}). Make it readable."
        raise CredentialMissing(reason) from None
    if not value:
        raise CredentialMissing(f"The credential is to come from the file {path}, which is empty.")
    return value
