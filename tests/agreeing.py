"""Agreed contracts for tests that are about something else: the confirmations of both sides, and the three steps as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from contracts import queries
from contracts.queries import Confirmation, ContractVersion

CLIENT = Confirmation(side="client", confirmed_by=1, confirmed_on=date(2026, 1, 5), statement="Signed copy, folder 12")
VENDOR = Confirmation(side="vendor", confirmed_by=2, confirmed_on=date(2026, 1, 6), document_sha256="a" * 64)
BOTH = [CLIENT, VENDOR]


async def agree(
    connection: Any,
    *,
    code: str,
    vendor: int,
    in_force_from: date,
    in_force_until: date | None,
    document: Mapping[str, Any],
    text: str,
    now: datetime,
    title: str = "A contract",
    renews: str | None = None,
    replaces_later: bool = False,
    confirmations: Sequence[Confirmation] = BOTH,
) -> ContractVersion:
    """Proposes a text, lets the sides confirm it, and agrees it."""
    proposed = await queries.propose(
        connection, code=code, in_force_from=in_force_from, in_force_until=in_force_until, document=document, text=text, proposed_by=1,
        now=now, replaces_later=replaces_later,
    )  # fmt: skip
    for given in confirmations:
        await queries.confirm(connection, proposed.id, given, recorded_by=1, now=now)
    return await queries.agree(connection, proposed.id, title=title, vendor=vendor, agreed_by=1, now=now, renews=renews)
