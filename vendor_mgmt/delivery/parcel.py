"""What a sender is handed: one claimed message, and what it may need to send it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from vendor_mgmt.delivery.document import Delivery
from vendor_mgmt.delivery.queries import Claimed

if TYPE_CHECKING:
    import asyncpg

    Transaction = Callable[[], AbstractAsyncContextManager[asyncpg.Connection[Any]]]


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What senders share. `now` is the clock; everything that leaves over HTTP goes through `client`."""

    delivery: Delivery
    client: httpx.AsyncClient
    now: Callable[[], datetime]
    transaction: Any
    """Opens a transaction, for a sender that keeps what it knows of its peer."""
    environment: Mapping[str, str]
    base_url: str | None = None
    allow_private: bool = False


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A message and where it goes: `peer` is the endpoint's document; `address` and `name` a person's."""

    claimed: Claimed
    endpoint: str
    peer: Any = None
    address: str | None = None
    name: str | None = None
