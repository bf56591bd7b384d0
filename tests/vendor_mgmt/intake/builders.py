"""What intake tests share: a vendor with two sites in Lisbon, a source of theirs, a pull, and what is stored afterwards."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from scorecards import measurement_queries
from tests.agreeing import agree
from vendor_mgmt.database import transaction
from vendor_mgmt.intake import queries
from vendor_mgmt.intake.pull import Pulled, Request, pull_now

TODAY = datetime.now(UTC).date()
MEASURES = {"audited": {}, "correct": {"part_of": "audited"}, "invoice": {"money": True}}
MAPPING = {
    "site": {"column": "site"},
    "dimensions": {"workstream": {"column": "queue"}},
    "span": {"starts_on": {"column": "day"}},
    "measures": {"audited": {"column": "audited"}, "correct": {"column": "correct"}},
}


def day(back: int) -> str:
    return (TODAY - timedelta(days=back)).isoformat()


def row(back: int, audited: Any = 100, correct: Any = 95, site: str = "lisbon-1", **more: Any) -> dict[str, Any]:
    return {"site": site, "queue": "product", "day": day(back), "audited": audited, "correct": correct, **more}


async def portfolio(**measures: Any) -> None:
    async with transaction() as connection:
        vendor = await connection.fetchval(
            "INSERT INTO vendor (code, name, in_house, created_at) VALUES ('harbour', 'Harbour', false, now()) RETURNING id"
        )
        for code in ("lisbon-1", "porto-2"):
            await connection.execute(
                "INSERT INTO site (code, name, vendor, time_zone, created_at) VALUES ($1, 'A site', $2, 'Europe/Lisbon', now())",
                code,
                vendor,
            )
        await agree(
            connection, code="IB", vendor=vendor, in_force_from=date(2026, 1, 1), in_force_until=None,
            document={"measures": MEASURES | measures}, text="x", now=datetime.now(UTC),
        )  # fmt: skip


async def source(api: Any | None = None, **changed: Any) -> None:
    reader = {"type": "http_json", "url": api.url, "rows": "data", "paging": {"type": "cursor"}} if api is not None else {}
    reader |= {"window": {"since": "since", "until": "until"}, "limits": {"attempts": 3, "patience_s": 5, "page_s": 2}} if api else {}
    document = {
        "source": "harbour-daily",
        "owner": "client.data",
        "vendor": "harbour",
        "reader": reader | changed.pop("reader", {}),
        "mapping": MAPPING,
    }
    async with transaction() as connection:
        await queries.save_source(connection, json.dumps(document | changed).encode(), now=datetime.now(UTC))


async def pulled(**request: Any) -> Pulled:
    result, found = await pull_now(Request(source="harbour-daily", **request))
    assert found is not None, result
    return found


async def stored(as_of: datetime | None = None) -> dict[tuple[str, str, str], Decimal | None]:
    """Site, measure and day → current value."""
    async with transaction() as connection:
        series = {one.id: one for one in await measurement_queries.series_of(connection)}
        sites = {found["id"]: found["code"] for found in await connection.fetch("SELECT id, code FROM site")}
        rows = await measurement_queries.rows(connection, list(series), date(2020, 1, 1), date(2040, 1, 1), as_of=as_of)
    return {(sites[series[one.series].site], series[one.series].measure, one.starts_on.isoformat()): one.value for one in rows}


async def refused(state: str = "open") -> list[queries.RefusedRow]:
    async with transaction() as connection:
        return await queries.refused_rows(connection, state=state)


async def found_anywhere(text: str) -> list[str]:
    """The tables in which a text stands, raw answers unpacked."""
    places = []
    async with transaction() as connection:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('public', 'queue')"
        )
        for table in tables:
            query = f"SELECT EXISTS (SELECT FROM {table['name']} AS t WHERE t::text LIKE '%' || $1 || '%')"  # noqa: S608 - quoted above
            if await connection.fetchval(query, text):
                places.append(table["name"])
        answers = await connection.fetch("SELECT id, content FROM raw_answer")
    places += [f"raw answer {answer['id']}" for answer in answers if text.encode() in zlib.decompress(answer["content"])]
    return places
