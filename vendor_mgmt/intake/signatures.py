"""Signed messages that come in, in the format of Standard Webhooks (standardwebhooks.com, version 1). Pure: the moment is an argument.

A sender makes an HMAC-SHA256 over `id.timestamp.body` with a secret that both sides know, and sends it along:

    webhook-id: msg_2KWPBgLlAfxdpx2AI54pPJ85f4W        the same for every attempt at one message
    webhook-timestamp: 1674087231                       seconds since 1970
    webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=

Several signatures may be given, separated by spaces, while a secret is being replaced.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

_ID = re.compile(r"[\x21-\x7e]{1,200}")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message whose signature is right. `id` is the same whenever it is sent again."""

    id: str
    sent_at: datetime


class NotSigned(Exception):  # noqa: N818 - a refusal
    """The message is not from somebody who knows the secret, or it is too old. The text says nothing that helps to forge one."""


def verified(headers: Mapping[str, str], body: bytes, secrets: Iterable[str], now: datetime, tolerance: timedelta) -> Message:
    """The message that headers (names in lower case) and body make. Raises `NotSigned`."""
    message, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if _ID.fullmatch(message) is None:
        raise NotSigned("The header webhook-id is missing, or is none.")
    if re.fullmatch(r"[0-9]{1,12}", moment) is None:
        raise NotSigned("The header webhook-timestamp is missing, or is no number of seconds.")
    sent_at = datetime.fromtimestamp(int(moment), UTC) if int(moment) < 250_000_000_000 else datetime.max.replace(tzinfo=UTC)
    if abs(now - sent_at) > tolerance:
        raise NotSigned("The message is too old, or the clocks differ.")
    given = [
        signature.encode()
        for word in headers.get("webhook-signature", "").split(" ")[:20]
        for version, _, signature in [word.partition(",")]
        if version == "v1"
    ]
    # Every pair is compared, so that the time it takes tells nothing.
    is_right = False
    for secret in secrets:
        wanted = signature_of(secret, message, sent_at, body).encode()
        for one in given:
            is_right |= hmac.compare_digest(wanted, one)
    if not is_right:
        raise NotSigned("The signature is not right.")
    return Message(id=message, sent_at=sent_at)


def signature_of(secret: str, message: str, sent_at: datetime, body: bytes) -> str:
    """The signature as it stands behind `v1,`. A secret that begins with `whsec_` is base64, as the format asks; any other is itself."""
    signed = f"{message}.{int(sent_at.timestamp())}.".encode() + body
    return base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()


def key_of(secret: str) -> bytes:
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            pass
    return secret.encode()
