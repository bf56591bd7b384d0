"""Which version of a contract holds on a day, now and as it was known; who confirmed it; and that nothing of it can be changed.

In a real database: the server the suite shares, and the oldest one supported.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from contracts import queries
from contracts.errors import AlreadyAgreed, NotConfirmed, NotFound, NotInForce, Overlap
from contracts.queries import Confirmation
from tests import agreeing
from tests.agreeing import BOTH, CLIENT, VENDOR
from tests.conftest import FreshDatabase
from vendor_mgmt import migrating
from vendor_mgmt.database import pool
from vendor_mgmt.embedded_postgres import EmbeddedPostgres

JANUARY = datetime(2026, 1, 10, tzinfo=UTC)
JUNE = datetime(2026, 6, 20, tzinfo=UTC)
SYSTEM_15 = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture(scope="module", params=["newest", "15"])
def each_template(request: pytest.FixtureRequest, short_folder: Path) -> Iterator[tuple[str, str]]:
    """A server at each supported end, and the name of its migrated database."""
    if request.param == "newest":
        yield request.getfixturevalue("server_url"), request.getfixturevalue("template")
        return
    if not SYSTEM_15.is_dir():
        pytest.skip(f"SKIPPED: PostgreSQL 15 is not installed in {SYSTEM_15}; `apt-get install postgresql-15` puts it there")
    with (
        EmbeddedPostgres(short_folder / "fifteen-contracts", bin_dir=SYSTEM_15, options={"fsync": "off"}) as endpoint,
        FreshDatabase(endpoint.url) as url,
    ):
        asyncio.run(migrating.migrate(url))
        yield endpoint.url, url.rsplit("/", 1)[1]


@pytest.fixture
async def url(each_template: tuple[str, str]) -> AsyncIterator[str]:
    server_url, template = each_template
    with FreshDatabase(server_url, template) as fresh:
        async with pool(fresh):
            yield fresh


@pytest.fixture
async def connection(url: str) -> AsyncIterator[Any]:
    opened = await asyncpg.connect(url)
    yield opened
    await opened.close()


async def agree(
    connection: Any, text: str, in_force_from: date, in_force_until: date | None, *, code: str = "IB", now: datetime = JANUARY, **more: Any
) -> Any:
    async with connection.transaction():
        vendor = await queries.save_vendor(connection, "harbour", "Harbour CX", now=now)
        return await agreeing.agree(
            connection, code=code, title="Iberia", vendor=vendor, in_force_from=in_force_from, in_force_until=in_force_until,
            document={"contract": code}, text=text, now=now, **more,
        )  # fmt: skip


async def propose(connection: Any, text: str = "one", in_force_from: date = date(2026, 1, 1), code: str = "IB") -> queries.Proposal:
    return await queries.propose(
        connection, code=code, in_force_from=in_force_from, in_force_until=None, document={"contract": code}, text=text, proposed_by=7,
        now=JANUARY,
    )  # fmt: skip


async def holds(connection: Any, on: date, code: str = "IB", as_of: datetime | None = None) -> int:
    return (await queries.version_in_force(connection, code, on, as_of=as_of)).number


# Which version holds


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


async def test_later_knowledge_bears_a_later_moment_even_when_the_clock_was_set_back(connection: Any) -> None:
    await agree(connection, "one", date(2026, 1, 1), None, now=JUNE)
    second = await agree(connection, "two", date(2026, 3, 1), None, now=JANUARY)
    assert second.agreed_at == JUNE
    assert await holds(connection, date(2026, 3, 1), as_of=JUNE) == 2


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


async def test_a_contract_that_does_not_exist_is_said_to_be_so(connection: Any) -> None:
    with pytest.raises(NotFound, match="There is no contract 'XX'"):
        await holds(connection, date(2026, 1, 1), "XX")
    with pytest.raises(NotFound, match="to renew"):
        await agree(connection, "one", date(2026, 1, 1), None, renews="XX")
    with pytest.raises(NotFound, match="There is no proposal 4711"):
        await queries.proposal(connection, 4711)


# Both sides


async def test_a_text_holds_when_both_sides_have_confirmed_it_and_not_before(connection: Any) -> None:
    vendor = await queries.save_vendor(connection, "harbour", "Harbour CX", now=JANUARY)
    proposed = await propose(connection)
    assert proposed.waits_for == ["client", "vendor"]
    assert (await queries.confirm(connection, proposed.id, CLIENT, recorded_by=7, now=JANUARY)).waits_for == ["vendor"]
    with pytest.raises(NotConfirmed, match=f"Proposal {proposed.id} of IB is not confirmed by the vendor"):
        async with connection.transaction():
            await queries.agree(connection, proposed.id, title="Iberia", vendor=vendor, agreed_by=7, now=JANUARY)
    with pytest.raises(NotFound):
        await holds(connection, date(2026, 1, 1))

    await queries.confirm(connection, proposed.id, VENDOR, recorded_by=7, now=JANUARY)
    async with connection.transaction():
        version = await queries.agree(connection, proposed.id, title="Iberia", vendor=vendor, agreed_by=7, now=JANUARY)

    assert (version.number, await holds(connection, date(2026, 1, 1))) == (1, 1)
    record = await queries.proposal(connection, proposed.id)
    # Who, which side, when, and by what: a statement here, the hash of a paper there.
    assert (record.confirmations, record.number, record.waits_for) == (BOTH, 1, [])


async def test_a_side_confirms_once_and_the_same_word_again_changes_nothing(connection: Any) -> None:
    proposed = await propose(connection)
    for _ in range(2):
        await queries.confirm(connection, proposed.id, CLIENT, recorded_by=7, now=JANUARY)
    other = Confirmation(side="client", confirmed_by=3, confirmed_on=date(2026, 1, 9), statement="I did not mean it")
    with pytest.raises(AlreadyAgreed, match=f"The client has confirmed proposal {proposed.id} of IB already"):
        await queries.confirm(connection, proposed.id, other, recorded_by=7, now=JANUARY)


async def test_one_person_does_not_confirm_for_both_sides(connection: Any) -> None:
    proposed = await propose(connection)
    await queries.confirm(connection, proposed.id, CLIENT, recorded_by=7, now=JANUARY)
    same = Confirmation(side="vendor", confirmed_by=CLIENT.confirmed_by, confirmed_on=date(2026, 1, 9), statement="and I agree with myself")
    with pytest.raises(NotConfirmed, match="for the other side by the same person"):
        await queries.confirm(connection, proposed.id, same, recorded_by=7, now=JANUARY)


async def test_the_same_text_put_forward_twice_is_one_proposal(connection: Any) -> None:
    assert await propose(connection) == await propose(connection)
    assert len(await queries.proposals(connection, "IB")) == 1


async def test_a_withdrawn_proposal_stays_on_record_and_can_neither_be_confirmed_nor_agreed(connection: Any) -> None:
    proposed = await propose(connection)
    await queries.confirm(connection, proposed.id, CLIENT, recorded_by=7, now=JANUARY)
    gone = await queries.withdraw(connection, proposed.id, reason="the vendor wants 94", withdrawn_by=7, now=JUNE)
    assert (gone.is_open, gone.withdrawn_because, gone.withdrawn_at) == (False, "the vendor wants 94", JUNE)
    with pytest.raises(AlreadyAgreed, match="was withdrawn: the vendor wants 94"):
        await queries.confirm(connection, proposed.id, VENDOR, recorded_by=7, now=JUNE)
    with pytest.raises(AlreadyAgreed, match="was withdrawn"):
        await queries.agree(connection, proposed.id, title="Iberia", vendor=1, agreed_by=7, now=JUNE)
    # The same text may be put forward anew; that is another proposal, without confirmations.
    again = await propose(connection)
    assert (again.id != proposed.id, again.confirmations) == (True, [])


async def test_what_is_agreed_can_no_longer_be_withdrawn(connection: Any) -> None:
    await agree(connection, "one", date(2026, 1, 1), None)
    [proposed] = await queries.proposals(connection, "IB")
    with pytest.raises(AlreadyAgreed, match="it is version 1 of IB"):
        await queries.withdraw(connection, proposed.id, reason="too late", withdrawn_by=7, now=JUNE)


# Two connections at once


@contextlib.asynccontextmanager
async def two_connections(url: str) -> AsyncIterator[tuple[Any, Any]]:
    one, other = await asyncpg.connect(url), await asyncpg.connect(url)
    try:
        yield one, other
    finally:
        await one.close()
        await other.close()


_SOMEBODY_WAITS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND cardinality(pg_blocking_pids(pid)) > 0
"""


async def waits(task: asyncio.Task[Any], url: str) -> None:
    """Until the task's connection waits for a lock of another."""
    looking = await asyncpg.connect(url)
    try:
        # Looking again is the only way to learn that somebody waits: the server tells of no such event.
        while not task.done() and not await looking.fetchval(_SOMEBODY_WAITS):
            pass
    finally:
        await looking.close()


async def test_two_amendments_at_once_take_turns_and_hold_on_different_days(url: str) -> None:
    async with two_connections(url) as (one, other):
        await agree(one, "one", date(2026, 1, 1), None)
        async with one.transaction():
            await agree(one, "two", date(2026, 3, 1), None)
            second = asyncio.create_task(agree(other, "three", date(2026, 6, 1), None))
            await waits(second, url)
            assert not second.done()
        # Both were begun on version 1; the later one was judged on what the earlier had made of it.
        assert (await second).number == 3
        assert [await holds(one, on) for on in (date(2026, 2, 28), date(2026, 3, 1), date(2026, 6, 1))] == [1, 2, 3]


async def test_two_renewals_of_one_contract_at_once_do_not_both_hold(url: str) -> None:
    async with two_connections(url) as (one, other):
        await agree(one, "one", date(2026, 1, 1), date(2027, 1, 1))
        async with one.transaction():
            await agree(one, "two", date(2027, 1, 1), None, code="IB-2", renews="IB")
            second = asyncio.create_task(agree(other, "three", date(2027, 1, 1), None, code="IB-3", renews="IB"))
            await waits(second, url)
        with pytest.raises(Overlap, match="Contract IB-2 of the same lineage holds from 2027-01-01"):
            await second


async def test_both_sides_confirming_at_once_make_one_version(url: str) -> None:
    async with two_connections(url) as (one, other):
        vendor = await queries.save_vendor(one, "harbour", "Harbour CX", now=JANUARY)
        proposed = await propose(one)

        async def confirm(connection: Any, given: Confirmation) -> Any:
            async with connection.transaction():
                found = await queries.confirm(connection, proposed.id, given, recorded_by=7, now=JANUARY)
                if found.waits_for:
                    return None
                return await queries.agree(connection, proposed.id, title="Iberia", vendor=vendor, agreed_by=7, now=JANUARY)

        versions = await asyncio.gather(confirm(one, CLIENT), confirm(other, VENDOR))
        assert [one.number for one in versions if one is not None] == [1]


async def test_the_database_itself_refuses_two_versions_on_one_day_of_two_connections(url: str) -> None:
    """Past the code: both write a span directly, neither sees the other's, and the constraint lets one of them through."""
    hold = "INSERT INTO version_in_force (lineage, version, in_force_from, known_at) VALUES ($1, $2, $3, now())"
    async with two_connections(url) as (one, other):
        version = await agree(one, "one", date(2026, 1, 1), date(2027, 1, 1))
        async with one.transaction():
            await one.execute(hold, version.lineage, version.id, date(2027, 1, 1))
            second = asyncio.create_task(other.execute(hold, version.lineage, version.id, date(2028, 1, 1)))
            await waits(second, url)
            assert not second.done()
        with pytest.raises(asyncpg.ExclusionViolationError, match="version_in_force_one_at_a_time"):
            await second
        with pytest.raises(asyncpg.ExclusionViolationError, match="version_in_force_one_at_a_time"):
            await one.execute(hold, version.lineage, version.id, date(2026, 12, 31))


# Nothing of it is changed

CHANGES = [
    "UPDATE contract_version SET text = 'another'",
    "UPDATE contract_version SET in_force_from = in_force_from",
    "DELETE FROM contract_version",
    "TRUNCATE contract_version CASCADE",
    "UPDATE version_in_force SET in_force_until = '2029-01-01'",
    "UPDATE version_in_force SET superseded_at = now() WHERE superseded_at IS NOT NULL",
    "UPDATE version_in_force SET superseded_at = NULL",
    "DELETE FROM version_in_force",
    "TRUNCATE version_in_force",
    "UPDATE proposed_version SET text = 'another'",
    "DELETE FROM proposed_version",
    "UPDATE confirmation SET confirmed_by = 9",
    "DELETE FROM confirmation",
    "TRUNCATE confirmation",
    "UPDATE withdrawal SET reason = 'another'",
    "DELETE FROM withdrawal",
    "UPDATE calendar_version SET text = 'another'",
    "DELETE FROM calendar_version",
    "UPDATE contract SET lineage = 99",
    "UPDATE contract SET vendor = vendor",
    "INSERT INTO contract_version SELECT id + 900, contract, number + 900, in_force_from, in_force_until, document, text, sha256, "
    "executed_sha256, agreed_at, agreed_by, reason, NULL FROM contract_version LIMIT 1",
    "INSERT INTO contract_version SELECT v.id + 900, v.contract, v.number + 900, v.in_force_from, v.in_force_until, v.document, v.text, "
    "v.sha256, v.executed_sha256, v.agreed_at, v.agreed_by, v.reason, p.id FROM contract_version v, proposed_version p "
    "WHERE p.id NOT IN (SELECT proposal FROM contract_version)",
]


@pytest.mark.parametrize("change", CHANGES)
async def test_the_database_itself_refuses_to_change_what_was_agreed(connection: Any, change: str) -> None:
    await agree(connection, "one", date(2026, 1, 1), None)
    await agree(connection, "two", date(2026, 3, 1), None)
    proposed = await propose(connection, "three")
    await queries.withdraw(connection, proposed.id, reason="no", withdrawn_by=7, now=JUNE)
    await queries.save_calendar(connection, "lisbon", document={}, text="one", entered_by=1, now=JANUARY)
    with pytest.raises(asyncpg.RestrictViolationError, match=r"never changed|agreed by both sides"):
        await connection.execute(change)
    assert [await holds(connection, on) for on in (date(2026, 2, 28), date(2026, 3, 1))] == [1, 2]


async def test_a_calendar_gets_a_version_only_when_it_changes(connection: Any) -> None:
    save: dict[str, Any] = {"document": {"calendar": "lisbon"}, "entered_by": 1, "now": JANUARY}
    assert (await queries.save_calendar(connection, "lisbon", text="one", **save)).number == 1
    assert (await queries.save_calendar(connection, "lisbon", text="one", **save)).number == 1
    second = await queries.save_calendar(connection, "lisbon", text="two", **save)
    assert (second.number, second.text) == (2, "two")
