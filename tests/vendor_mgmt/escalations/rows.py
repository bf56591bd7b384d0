"""What tickets hang on, as rows."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.vendor_mgmt.escalations.builders import office
from vendor_mgmt.database import transaction


async def add_place() -> None:
    """Two vendors with a site and a contract each, and the calendar of the tests."""
    async with transaction() as connection:
        for number, (vendor, site, contract) in enumerate((("harbour-cx", "lisbon-1", "IB-2026-03"), ("mesa", "manila-1", "PH-7")), 1):
            await connection.execute(
                """
                WITH one AS (SELECT $1::int AS id, $2::text AS vendor, $3::text AS site, $4::text AS contract),
                     vendors AS (INSERT INTO vendor (id, code, name, in_house, created_at)
                                 SELECT id, vendor, vendor, false, now() FROM one),
                     sites AS (INSERT INTO site (id, code, name, vendor, country, time_zone, created_at)
                               SELECT id, site, site, id, 'PT', 'Europe/Lisbon', now() FROM one)
                INSERT INTO contract (id, code, title, vendor, lineage, created_at)
                SELECT id, contract, contract, id, id, now() FROM one
                """,
                number,
                vendor,
                site,
                contract,
            )
        await add_calendar(connection)


async def add_calendar(connection: Any, version: int = 1, **changes: Any) -> None:
    document = msgspec.json.encode(office(version=version, **changes).calendar).decode()
    await connection.execute(
        """
        INSERT INTO calendar_version (code, number, document, text, sha256, known_at, entered_by)
        VALUES ('office', $1, $2, '', repeat('0', 64), now(), 1)
        """,
        version,
        document,
    )
