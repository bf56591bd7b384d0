"""What can become of sending a message, and when it is tried again. Reads no clock and draws no lots: both are arguments."""

from __future__ import annotations

import email.utils
from datetime import UTC, datetime, timedelta

import msgspec

BASE = timedelta(minutes=5)
CAP = timedelta(hours=24)
RETRY_AFTER_MAX = timedelta(days=3)

FAILURES_UNTIL_OPEN = 5
REST = timedelta(minutes=1)
REST_MAX = timedelta(hours=1)


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """It arrived: the peer said so."""


class Later(msgspec.Struct, frozen=True, kw_only=True):
    """It certainly did not arrive, or the peer knows our key: trying again does no harm. `after` is what the peer asked for."""

    error: str
    after: timedelta | None = None
    of_peer: bool = True
    """False where only this message is concerned, and others may well pass."""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """It did not arrive and never will as it is. `is_disabled`: the peer wants no more messages at all."""

    error: str
    is_disabled: bool = False


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody can know whether it arrived."""

    error: str


Outcome = Sent | Later | Refused | Unknown


def bound(attempt: int, *, base: timedelta = BASE, cap: timedelta = CAP) -> timedelta:
    """The longest pause after so many attempts, counted from 0: twice as long each time, up to the cap."""
    doublings: int = 2 ** min(attempt, 30)
    return min(cap, base * doublings)


def pause(attempts: int, lot: float, after: timedelta | None = None) -> timedelta:
    """How long to wait after `attempts` (at least one) attempts; `lot` lies between 0 and 1.

    The whole pause is random (full jitter), so that what failed together does not come back together. What the peer asked for is kept,
    and a little is added to it for the same reason.
    """
    random = bound(attempts - 1) * lot
    if after is None:
        return random
    return min(after, RETRY_AFTER_MAX) + min(random, min(after, BASE) / 4)


def retry_after(text: str | None, at: datetime) -> timedelta | None:
    """A `Retry-After` header: seconds, or a date of HTTP. None where it says nothing that can be understood, or asks for no pause."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), RETRY_AFTER_MAX) or None
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return moment - at if moment > at else None


def rest(failures: int) -> timedelta | None:
    """How long a peer that failed so many times in a row is left alone; None while it is still tried."""
    if failures < FAILURES_UNTIL_OPEN:
        return None
    doublings: int = 2 ** min(failures - FAILURES_UNTIL_OPEN, 20)
    return min(REST_MAX, REST * doublings)
