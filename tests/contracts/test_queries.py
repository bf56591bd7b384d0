"""Which version of a contract holds on a day, now and as it was known, in a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import pytest

from contracts import queries
from contracts.errors import NotFound, NotInForce, Overlap
from vendor_mgmt.database import transaction

JANUARY = datetime(2026, 1, 10, tzinfo=UTC)
JUNE = datetime(2026, 6, 20, tzinfo=UTC)


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Any]:
    async with transaction() as opened:
        yield opened


async def agree(
    connection: Any, text: str, in_force_from: date, in_force_until: date | None, *, code: str = "IB", now: datetime = JANUARY, **more: Any
) -> Any:
    vendor = await queries.save_vendor(connection, "harbour", "Harbour CX", now=now)
    return await queries.agree(
        connection, code=code, title="Iberia", vendor=vendor, in_force_from=in_force_from, in_force_until=in_force_until,
        document={"contract": code}, text=text, agreed_by=1, now=now, **more,
    )  # fmt: skip


async def holds(connection: Any, on: date, code: str = "IB", as_of: datetime | None = None) -> int:
    return (await queries.version_in_force(connection, code, on, as_of=as_of)).number


async def test_an_amendment_holds_from_its_day_on_and_the_days_before_stay_as_they_were(connection: Any) -> None:
    await agree(connection, "one", date(2026, 1, 1), date(2028, 1, 1))
    await agree(connection, "two", date(2026, 6, 1), date(2028, 1, 1), now=JUNE)
    assert [await holds(connection, on) for on in (date(2026, 5, 31), date(2026, 6, 1), date(2027, 12, 31))] == [1, 2, 2]
    found = await queries.versions_in_force(connection, from_on=date(2026, 1, 1), until_on=date(2029, 1, 1))
    assert [(v.number, v.in_force_from, v.in_force_until) for v in found] == [
        (1, date(2026, 1, 1), date(2026, 6, 1)),
        (2, date(2026, 6, 1), date(2028, 1, 1)),
    ]
    # The document of the first version still says what it said.
    assert (await queries.version_numbered(connection, "IB", 1)).in_force_until == date(2028, 1, 1)


async def test_before_the_amendment_was_agreed_the_first_version_held_for_those_days(connection: Any) -> None:
    await agree(connection, "one", date(2026, 1, 1), date(2028, 1, 1))
    await agree(connection, "two", date(2026, 6, 1), date(2028, 1, 1), now=JUNE)
    assert await holds(connection, date(2026, 6, 10), as_of=datetime(2026, 6, 15, tzinfo=UTC)) == 1
    assert await holds(connection, date(2026, 6, 10), as_of=JUNE) == 2


async def test_the_same_text_again_is_no_new_version(connection: Any) -> None:
    first = await agree(connection, "one", date(2026, 1, 1), None)
    assert await agree(connection, "one", date(2026, 1, 1), None, now=JUNE) == first


async def test_a_renewed_contract_continues_the_lineage_and_takes_over_on_its_day(connection: Any) -> None:
    first = await agree(connection, "one", date(2026, 1, 1), date(2027, 1, 1))
    renewed = await agree(connection, "renewed", date(2026, 10, 1), date(2028, 1, 1), code="IB-2", now=JUNE, renews="IB")
    assert renewed.lineage == first.lineage
    assert await holds(connection, date(2026, 9, 30)) == 1
    with pytest.raises(NotInForce, match="No version of IB is in force on 2026-10-01"):
        await holds(connection, date(2026, 10, 1))
    assert await holds(connection, date(2026, 10, 1), "IB-2") == 1


async def test_a_contract_that_begins_before_another_of_its_lineage_is_refused(connection: Any) -> None:
    await agree(connection, "one", date(2026, 1, 1), date(2027, 1, 1))
    with pytest.raises(Overlap, match="IB of the same lineage holds from 2026-01-01"):
        await agree(connection, "renewed", date(2025, 6, 1), date(2026, 6, 1), code="IB-2", renews="IB")


async def test_the_database_itself_refuses_two_versions_on_one_day(connection: Any) -> None:
    version = await agree(connection, "one", date(2026, 1, 1), date(2027, 1, 1))
    with pytest.raises(asyncpg.ExclusionViolationError, match="version_in_force_one_at_a_time"):
        async with connection.transaction():
            await connection.execute(
                "INSERT INTO version_in_force (lineage, version, in_force_from, known_at) VALUES ($1, $2, '2026-12-31', now())",
                version.lineage, version.id,
            )  # fmt: skip


async def test_the_database_itself_refuses_to_change_what_was_agreed(connection: Any) -> None:
    await agree(connection, "one", date(2026, 1, 1), None)
    with pytest.raises(asyncpg.RestrictViolationError, match="never changed"):
        async with connection.transaction():
            await connection.execute("UPDATE contract_version SET text = 'another'")


async def test_a_contract_that_does_not_exist_is_said_to_be_so(connection: Any) -> None:
    with pytest.raises(NotFound, match="There is no contract 'XX'"):
        await holds(connection, date(2026, 1, 1), "XX")
    with pytest.raises(NotFound, match="to renew"):
        await agree(connection, "one", date(2026, 1, 1), None, renews="XX")


async def test_a_calendar_gets_a_version_only_when_it_changes(connection: Any) -> None:
    save: dict[str, Any] = {"document": {"calendar": "lisbon"}, "entered_by": 1, "now": JANUARY}
    assert (await queries.save_calendar(connection, "lisbon", text="one", **save)).number == 1
    assert (await queries.save_calendar(connection, "lisbon", text="one", **save)).number == 1
    second = await queries.save_calendar(connection, "lisbon", text="two", **save)
    assert (second.number, second.text) == (2, "two")
