"""Tickets in a real database: opened once, changed by one at a time, scoped, swept, audited."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from contracts.errors import NotFound
from tests.vendor_mgmt.escalations.builders import CLIENT, OPENED_AT, VENDOR, calendars, plan, policy, rule, series
from tests.vendor_mgmt.escalations.rows import add_calendar, add_place
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.database import transaction
from vendor_mgmt.delivery import queries as outbox
from vendor_mgmt.escalations import queries, tickets
from vendor_mgmt.escalations.conditions import Window
from vendor_mgmt.escalations.queries import Raised, Watched
from vendor_mgmt.escalations.rules import RuleKind
from vendor_mgmt.escalations.tickets import Refusal, Suppress, Ticket

EVERYTHING = Scope.everything(actor=1)


@pytest.fixture
async def place(database: str) -> None:
    await add_place()


def watched(letters: str, **changes: Any) -> Watched:
    of_series = {name: changes.pop(name) for name in list(changes) if name in ("vendor", "contract", "site", "kpi", "dimensions")}
    given: dict[str, Any] = {
        "series": series(letters, **of_series),
        "rules": (rule(kpi=None),),
        "policy": policy(),
        "calendars": calendars(),
    }
    return Watched(**{**given, **changes})


async def close(*many: Watched, at: datetime = OPENED_AT) -> Raised:
    async with transaction() as connection:
        return await queries.raise_tickets(connection, many, at=at)


async def stored() -> list[Ticket]:
    async with transaction() as connection:
        rows = await connection.fetch("SELECT body FROM ticket ORDER BY id")
    return [msgspec.json.decode(row["body"], type=Ticket) for row in rows]


async def outbox_rows() -> list[Any]:
    async with transaction() as connection:
        return list(await connection.fetch("SELECT * FROM outbox ORDER BY id"))


@pytest.mark.usefixtures("place")
async def test_a_close_opens_a_ticket_with_its_history_its_deadlines_and_its_messages() -> None:
    raised = await close(watched("GB"))
    assert raised.opened == ("HARBOUR-CX-T0001",)
    async with transaction() as connection:
        found = await queries.detail(connection, EVERYTHING, "HARBOUR-CX-T0001")
    assert [each.kind for each in found.events] == ["opened"]
    assert found.row.dimensions == {"workstream": "product-moderation"}
    assert found.row.period_from == date(2026, 2, 1)
    assert {each.name for each in found.deadlines} == {
        "acknowledge", "acknowledge:50", "acknowledge:75", "level:2", "level:3", "reminder"
    }  # fmt: skip
    assert found.deadlines[0].local == "2026-04-07T09:30:00+01:00"  # half of the seven hours left of Monday and the eight of Tuesday
    assert {row["recipient"] for row in await outbox_rows()} == {"vendor.site_lead", "client.partner_manager"}
    assert found.ticket.policy == policy()


@pytest.mark.usefixtures("place")
async def test_closing_the_same_month_twice_changes_nothing() -> None:
    await close(watched("GB"), watched("BG", kpi="tat"))
    before = await stored(), await outbox_rows()
    assert await close(watched("GB"), watched("BG", kpi="tat")) == Raised()
    assert (await stored(), await outbox_rows()) == before


@pytest.mark.usefixtures("place")
async def test_processes_that_close_the_same_month_at_once_open_one_ticket() -> None:
    raised = await asyncio.gather(*(close(watched("GB"), watched("B", kpi="tat")) for _ in range(6)))
    assert sum(len(each.opened) for each in raised) == 2
    assert len(await stored()) == 2


@pytest.mark.usefixtures("place")
async def test_the_database_itself_refuses_a_second_open_ticket_of_a_key() -> None:
    await close(watched("B"))
    with pytest.raises(asyncpg.UniqueViolationError) as error:
        async with transaction() as connection:
            columns = await connection.fetchval(
                "SELECT string_agg(column_name, ', ') FROM information_schema.columns "
                "WHERE table_name = 'ticket' AND column_name NOT IN ('id', 'number')"
            )
            await connection.execute(f"INSERT INTO ticket (number, {columns}) SELECT 'OTHER', {columns} FROM ticket")  # noqa: S608
    assert error.value.constraint_name == "ticket_one_open_per_key"


@pytest.mark.usefixtures("place")
async def test_the_history_of_a_ticket_cannot_be_changed() -> None:
    await close(watched("B"))
    with pytest.raises(asyncpg.RestrictViolationError, match="never changed"):
        async with transaction() as connection:
            await connection.execute("UPDATE ticket_event SET reason = 'nicer'")


@pytest.mark.usefixtures("place")
async def test_the_next_month_in_breach_is_written_on_the_same_ticket() -> None:
    await close(watched("B"))
    raised = await close(watched("BB"), at=OPENED_AT + timedelta(days=30))
    assert (raised.opened, raised.changed) == ((), ("HARBOUR-CX-T0001",))
    assert raised.messages == 0


@pytest.mark.usefixtures("place")
async def test_a_ticket_that_cleared_by_itself_closes_and_what_comes_back_soon_opens_it_a_level_higher() -> None:
    await close(watched("B"))
    assert (await close(watched("BGG"), at=OPENED_AT + timedelta(days=60))).closed == ("HARBOUR-CX-T0001",)
    raised = await close(watched("BGGGB"), at=OPENED_AT + timedelta(days=120))
    [one] = await stored()
    assert (raised.changed, one.state.value, one.level, one.reopened) == (("HARBOUR-CX-T0001",), "opened", 2, 1)


@pytest.mark.usefixtures("place")
async def test_what_comes_back_late_is_a_new_ticket_that_names_the_old_one_and_asks_for_the_fuller_plan() -> None:
    await close(watched("B"))
    await close(watched("BGG"), at=OPENED_AT + timedelta(days=60))
    await close(watched("BGGGGGB"), at=OPENED_AT + timedelta(days=149))
    async with transaction() as connection:
        found = await queries.detail(connection, EVERYTHING, "HARBOUR-CX-T0002")
    assert found.repeats == "HARBOUR-CX-T0001"
    assert found.ticket.form == "full"


@pytest.mark.usefixtures("place")
async def test_a_corrected_month_cancels_the_ticket_and_the_next_miss_opens_another() -> None:
    await close(watched("B"))
    assert (await close(watched("G"), at=OPENED_AT + timedelta(days=5))).closed == ("HARBOUR-CX-T0001",)
    assert (await close(watched("GB"), at=OPENED_AT + timedelta(days=30))).opened == ("HARBOUR-CX-T0002",)
    assert [each.state.value for each in await stored()] == ["cancelled", "opened"]


@pytest.mark.usefixtures("place")
async def test_a_correction_that_cancels_one_ticket_and_opens_another_is_one_close() -> None:
    await close(watched("GB"))
    raised = await close(watched("BG"), at=OPENED_AT + timedelta(days=5))
    assert (raised.opened, raised.closed) == (("HARBOUR-CX-T0002",), ("HARBOUR-CX-T0001",))


@pytest.mark.usefixtures("place")
async def test_missing_months_open_a_ticket_of_their_own() -> None:
    late = rule(name="data late", kind=RuleKind.MISSING, kpi=None, window=Window(open_m=2, open_n=2, clear_n=1))
    await close(watched("GUU", rules=(rule(), late)))
    assert [each.key.rule for each in await stored()] == ["data late"]


@pytest.mark.usefixtures("place")
async def test_each_vendor_has_its_own_numbers_and_sees_no_other() -> None:
    await close(watched("B"), watched("B", kpi="tat"), watched("B", vendor="mesa", contract="PH-7", site="manila-1"))
    mesa = Scope(vendors=frozenset({"mesa"}), sites=None, money=False, actor=7)
    async with transaction() as connection:
        assert [each.number for each in await queries.listed(connection, mesa)] == ["MESA-T0001"]
        assert len(await queries.listed(connection, EVERYTHING)) == 3
        assert await queries.listed(connection, Scope(vendors=None, sites=frozenset(), money=False, actor=7)) == []
        for call in (
            lambda: queries.detail(connection, mesa, "HARBOUR-CX-T0001"),
            lambda: queries.act(connection, mesa, "HARBOUR-CX-T0001", tickets.Acknowledge(), actor=VENDOR, at=OPENED_AT),
            lambda: queries.detail(connection, mesa, "HARBOUR-CX-T9999"),
        ):
            with pytest.raises(NotFound, match="there is no ticket HARBOUR-CX-T"):
                await call()


@pytest.mark.usefixtures("place")
async def test_a_vendor_is_not_told_whom_the_client_calls() -> None:
    await close(watched("B"))
    at = OPENED_AT
    for _ in range(60):
        at += timedelta(days=1)
        async with transaction() as connection:
            while await queries.sweep(connection, at):
                pass
    own = Scope(vendors=frozenset({"harbour-cx"}), sites=None, money=True, actor=7)
    async with transaction() as connection:
        whole = await queries.detail(connection, EVERYTHING, "HARBOUR-CX-T0001")
        seen = await queries.detail(connection, own, "HARBOUR-CX-T0001")
    assert b"client.regional_lead" in msgspec.json.encode(whole)
    assert b"agenda" in msgspec.json.encode([event.detail for event in whole.events])
    text = msgspec.json.encode(seen)
    assert b"client." not in text
    assert b"board" not in text
    assert [level.to for level in seen.ticket.policy.levels] == [("vendor.site_lead",), ("vendor.country_head",), ("vendor.executive",)]
    assert [event.kind for event in seen.events] == [event.kind for event in whole.events]


@pytest.mark.usefixtures("place")
async def test_a_ticket_whose_kpi_has_recovered_says_so_until_it_is_closed() -> None:
    await close(watched("B"))
    async with transaction() as connection:
        while await queries.sweep(connection, OPENED_AT + timedelta(days=10)):
            pass
    await close(watched("BG"), at=OPENED_AT + timedelta(days=20))
    async with transaction() as connection:
        assert [one.has_recovered for one in await queries.listed(connection, EVERYTHING)] == [False]
    await close(watched("BGG"), at=OPENED_AT + timedelta(days=50))
    async with transaction() as connection:
        [row] = await queries.listed(connection, EVERYTHING)
    assert (row.has_recovered, row.cleared_from, row.level > 1) == (True, date(2026, 3, 1), True)


@pytest.mark.usefixtures("place")
async def test_tickets_are_filtered_by_their_dimensions() -> None:
    await close(watched("B", dimensions={"workstream": "live", "language": "pt"}), watched("B", dimensions={"workstream": "live"}))
    async with transaction() as connection:
        assert len(await queries.listed(connection, EVERYTHING, dimensions={"workstream": "live"})) == 2
        assert len(await queries.listed(connection, EVERYTHING, dimensions={"language": "pt"})) == 1


@pytest.mark.usefixtures("place")
async def test_what_a_person_does_is_recorded_and_what_is_refused_leaves_no_trace() -> None:
    await close(watched("B"))
    at = OPENED_AT + timedelta(hours=1)
    async with transaction() as connection:
        refused = await queries.act(connection, EVERYTHING, "HARBOUR-CX-T0001", tickets.Acknowledge(), actor=CLIENT, at=at)
        assert isinstance(refused, Refusal)
        done = await queries.act(connection, EVERYTHING, "HARBOUR-CX-T0001", tickets.Acknowledge(note="seen"), actor=VENDOR, at=at)
        assert isinstance(done, tickets.Transition)
        found = await queries.detail(connection, EVERYTHING, "HARBOUR-CX-T0001")
    assert [(each.kind, each.actor, each.reason) for each in found.events] == [("opened", 0, ""), ("acknowledged", VENDOR.number, "seen")]
    assert {each.name for each in found.deadlines} >= {"plan", "idle"}
    assert "acknowledge" not in {each.name for each in found.deadlines}


@pytest.mark.usefixtures("place")
async def test_of_two_people_who_decide_at_once_one_decides() -> None:
    await close(watched("B"))
    number = "HARBOUR-CX-T0001"
    at = OPENED_AT + timedelta(hours=1)
    async with transaction() as connection:
        await queries.act(connection, EVERYTHING, number, tickets.Acknowledge(), actor=VENDOR, at=at)
        await queries.act(connection, EVERYTHING, number, tickets.SubmitPlan(plan=plan()), actor=VENDOR, at=at)

    async def decide(event: tickets.Event) -> object:
        async with transaction() as connection:
            return await queries.act(connection, EVERYTHING, number, event, actor=CLIENT, at=at)

    results = await asyncio.gather(decide(tickets.ApprovePlan()), decide(tickets.RejectPlan(reason="too late")))
    assert sorted(type(each).__name__ for each in results) == ["Refusal", "Transition"]


@pytest.mark.usefixtures("place")
async def test_a_sweep_fires_what_is_due_once_however_many_sweep() -> None:
    await close(*(watched("B", kpi=f"kpi-{number}") for number in range(12)))
    at = OPENED_AT + timedelta(days=2)

    async def one_sweep() -> int:
        async with transaction() as connection:
            return await queries.sweep(connection, at, limit=5)

    assert sum(await asyncio.gather(*(one_sweep() for _ in range(4)))) == 12
    async with transaction() as connection:
        assert await queries.sweep(connection, at) == 0
        kinds = await connection.fetch("SELECT kind, count(*) AS number FROM ticket_event GROUP BY kind ORDER BY kind")
        passed = await connection.fetchval("SELECT count(*) FROM deadline WHERE state = 'passed' AND name = 'acknowledge'")
    assert {row["kind"]: row["number"] for row in kinds} == {
        "opened": 12,
        "acknowledge_threshold": 24,
        "acknowledge_overdue": 12,
    }
    assert passed == 12


@pytest.mark.usefixtures("place")
async def test_every_open_ticket_has_something_to_come_or_a_reason_not_to() -> None:
    outage = Suppress(inhibitor="outage lisbon-1", from_=OPENED_AT)
    await close(watched("B"), watched("B", kpi="tat", inhibitor=outage))
    at = OPENED_AT
    for _ in range(120):
        at += timedelta(days=1)
        async with transaction() as connection:
            while await queries.sweep(connection, at):
                pass
            assert await queries.stuck(connection, at) == []
    assert {(each.state.value, each.is_exhausted) for each in await stored()} == {("opened", True), ("suppressed", False)}


@pytest.mark.usefixtures("place")
async def test_a_ticket_nobody_sweeps_is_reported_as_stuck() -> None:
    await close(watched("B"))
    async with transaction() as connection:
        [found] = await queries.stuck(connection, OPENED_AT + timedelta(days=3))
    assert found.number == "HARBOUR-CX-T0001"


@pytest.mark.usefixtures("place")
async def test_messages_to_the_vendor_wait_for_the_draft_and_those_to_the_client_do_not() -> None:
    wait_until = OPENED_AT + timedelta(days=7)
    await close(watched("B", held_for="scorecard 1", vendor_messages_from=wait_until))
    rows = {row["side"]: row for row in await outbox_rows()}
    assert rows["client"]["not_before_at"] == OPENED_AT
    assert rows["vendor"]["not_before_at"] == wait_until
    async with transaction() as connection:
        assert await outbox.release_held(connection, "scorecard 1", OPENED_AT + timedelta(hours=1)) == 1
    rows = {row["side"]: row for row in await outbox_rows()}
    assert rows["vendor"]["not_before_at"] == OPENED_AT + timedelta(hours=1)


@pytest.mark.usefixtures("place")
async def test_a_new_version_of_the_calendar_moves_open_deadlines_and_keeps_the_old_ones_on_record() -> None:
    await close(watched("B"))
    async with transaction() as connection:
        await add_calendar(connection, version=2, holidays=[date(2026, 4, 7)])
        assert await queries.replan(connection, OPENED_AT + timedelta(minutes=1)) == 1
        assert await queries.replan(connection, OPENED_AT + timedelta(minutes=2)) == 0
        found = await queries.detail(connection, EVERYTHING, "HARBOUR-CX-T0001")
        old = await connection.fetch("SELECT name, due_at FROM deadline WHERE state = 'withdrawn'")
    acknowledge = next(each for each in found.deadlines if each.name == "acknowledge")
    assert (acknowledge.calendar_version, acknowledge.local) == (2, "2026-04-08T17:00:00+01:00")
    assert "acknowledge" in {row["name"] for row in old}
    assert found.events[-1].kind == "deadlines_replanned"


@pytest.mark.usefixtures("place")
async def test_a_retired_kpi_ends_its_tickets_and_no_others() -> None:
    await close(watched("B"), watched("B", kpi="tat"))
    async with transaction() as connection:
        ended = await queries.end_scope(connection, "IB-2026-03", "the KPI was retired", at=OPENED_AT + timedelta(days=1), kpi="tat")
    assert ended == ["HARBOUR-CX-T0002"]
    assert [each.state.value for each in await stored()] == ["opened", "ended"]


@pytest.mark.usefixtures("place")
async def test_a_rule_dropped_from_the_contract_still_governs_the_ticket_it_opened() -> None:
    await close(watched("B"))
    raised = await close(watched("BGG", rules=()), at=OPENED_AT + timedelta(days=60))
    assert raised.closed == ("HARBOUR-CX-T0001",)


@pytest.mark.usefixtures("place")
async def test_a_place_that_does_not_exist_is_named() -> None:
    with pytest.raises(NotFound, match="there is no site nowhere"):
        await close(watched("B", site="nowhere"))


@pytest.mark.usefixtures("place")
async def test_a_close_that_fails_leaves_neither_ticket_nor_message() -> None:
    with pytest.raises(KeyboardInterrupt):
        async with transaction() as connection:
            await queries.raise_tickets(connection, [watched("B")], at=OPENED_AT)
            raise KeyboardInterrupt
    assert (await stored(), await outbox_rows()) == ([], [])
