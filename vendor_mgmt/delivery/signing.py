"""Signatures of Standard Webhooks 1.0.0 (HMAC-SHA256), both ways.

Of our own, because the published library signs a wrong timestamp for moments outside UTC, and raises on headers that a stranger may send.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

TOLERANCE_S = 300
PREFIX = "whsec_"


class BadSecret(ValueError):  # noqa: N818 - what is the matter, not what went wrong
    """The secret is not one; the message does not show it."""


def key_of(secret: str) -> bytes:
    """The bytes of a secret, which is base64 after `whsec_`. Raises `BadSecret`."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise BadSecret("A signing secret is `whsec_` and base64 of 24 to 64 bytes.") from None
    if not 24 <= len(key) <= 64:
        raise BadSecret(f"A signing secret has 24 to 64 bytes, and this one has {len(key)}.")
    return key


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def headers(secrets: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers; one signature for each live secret. `at` must know its zone. Raises `BadSecret`."""
    if at.tzinfo is None:
        raise ValueError("a moment without a zone is no moment")
    timestamp = int(at.timestamp())
    signatures = " ".join(signature(key_of(secret), message_id, timestamp, body) for secret in secrets)
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": signatures}


def is_genuine(secrets: Sequence[str], received: Mapping[str, str], body: bytes, at: datetime, *, tolerance_s: int = TOLERANCE_S) -> bool:
    """Whether headers (names in lower case) and body were signed with one of the secrets, lately. Nothing sent makes it raise."""
    message_id, timestamp = received.get("webhook-id", ""), received.get("webhook-timestamp", "")
    if not message_id or not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    if abs(at.timestamp() - int(timestamp)) > tolerance_s:
        return False
    wanted = [signature(key_of(secret), message_id, int(timestamp), body).encode() for secret in secrets]
    offered = [part.encode("utf-8", "replace") for part in received.get("webhook-signature", "").split(" ")]
    # Every pair is compared, so that the time taken says nothing of which one fits.
    fits = [hmac.compare_digest(one, other) for one in wanted for other in offered]
    return any(fits)
