"""Rules tried on past months say what the same months would have caused, and store nothing."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import agreements
from contracts.document import Contract
from contracts.reading import read
from tests.agreeing import BOTH
from tests.benchmarks.test_close import contract_text
from tests.benchmarks.test_escalations import FILL
from tests.vendor_mgmt.escalations.builders import calendars, policy, rule, series
from tests.vendor_mgmt.escalations.rows import add_place
from vendor_mgmt.commands.rules import command
from vendor_mgmt.database import pool, transaction
from vendor_mgmt.escalations import queries
from vendor_mgmt.escalations.conditions import Window
from vendor_mgmt.escalations.queries import Watched
from vendor_mgmt.escalations.trying import Close, Tried, try_rules


def closes_of(letters: str) -> list[Close]:
    return [
        Close(until_on=each.until, at=datetime(each.until.year, each.until.month, 6, 9, tzinfo=UTC))
        for each in series(letters).observations
    ]


def end_of(letters: str) -> datetime:
    return closes_of(letters)[-1].at + timedelta(days=25)


def tried(letters: str) -> Tried:
    return try_rules([series(letters)], [rule()], policy(), calendars(), closes_of(letters), end_of(letters))


def test_a_running_problem_is_one_ticket_and_its_messages_are_counted_by_role() -> None:
    found = tried("GBBG")
    [one] = found.tickets
    assert (one.kpi, one.periods, one.state, one.level) == ("accuracy", 2, "opened", 3), "nobody acknowledges in this play"
    assert found.messages["client.director"] >= 1
    assert one.messages == sum(found.messages.values())


def test_good_months_cause_nothing() -> None:
    assert tried("GGGG") == Tried(closes=4, tickets=(), messages={})


def test_a_stricter_window_raises_less() -> None:
    lenient = rule(window=Window(open_m=2, open_n=3, clear_n=2))
    found = try_rules([series("GBGGBG")], [lenient], policy(), calendars(), closes_of("GBGGBG"), end_of("GBGGBG"))
    assert found.tickets == ()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("letters", ["GBBGGGB", "BGGBGG", "BUXBGGGGB", "GBGBGB"])
async def test_the_play_raises_and_tells_what_real_closes_and_sweeps_do(letters: str) -> None:
    await add_place()
    closes = closes_of(letters)
    for place, (close, following) in enumerate(zip(closes, [*(each.at for each in closes[1:]), end_of(letters)], strict=True), 1):
        one = Watched(series=series(letters[:place]), rules=(rule(),), policy=policy(), calendars=calendars())
        async with transaction() as connection:
            await queries.raise_tickets(connection, [one], at=close.at)
        while True:
            async with transaction() as connection:
                due_at = await connection.fetchval("SELECT min(next_due_at) FROM ticket WHERE closed_at IS NULL")
                if due_at is None or due_at >= following:
                    break
                await queries.sweep(connection, due_at + timedelta(seconds=1))
    async with transaction() as connection:
        stored = await connection.fetch("SELECT opened_at, closed_at, state, level, severity FROM ticket ORDER BY opened_at, id")
        told = await connection.fetch("SELECT recipient, count(*) AS number FROM outbox GROUP BY recipient ORDER BY recipient")
    found = tried(letters)
    raised = [(each.opened_at, each.closed_at, each.state, each.level, each.severity) for each in found.tickets]
    assert raised == [tuple(row) for row in stored]
    assert found.messages == {row["recipient"]: row["number"] for row in told}


@settings(max_examples=40)
@given(st.text(alphabet="GBXU", min_size=1, max_size=14))
def test_there_is_never_a_second_open_ticket(letters: str) -> None:
    found = tried(letters)
    assert sum(each.closed_at is None for each in found.tickets) <= 1
    assert sum(each.messages for each in found.tickets) == sum(found.messages.values())


def test_the_command_tries_rules_and_drafts_and_leaves_no_trace(
    database_url: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = contract_text(0, range(20))

    async def fill() -> None:
        async with pool(database_url), transaction() as connection:
            at = datetime(2025, 7, 5, tzinfo=UTC)
            await agreements.agree(connection, read(text, Contract).required(), text, at=at, actor=1, confirmations=BOTH)
            await connection.execute(FILL, 6, 12, 3)

    async def counted() -> int:
        counts = "SELECT (SELECT count(*) FROM ticket) + (SELECT count(*) FROM outbox) + (SELECT count(*) FROM calendar_version)"
        async with pool(database_url), transaction() as connection:
            number: int = await connection.fetchval(counts)
        return number

    asyncio.run(fill())
    monkeypatch.setenv("DATABASE_URL", database_url)
    missed = sum((site * 31 + kpi * 7 + stream * 3) % 20 == 0 for site in range(1, 21) for kpi in range(12) for stream in range(3))
    found = CliRunner().invoke(command, ["try", "BENCH-0", "--json"])
    assert found.exit_code == 0, found.output
    result = json.loads(found.stdout)
    assert (result["closes"], len(result["tickets"])) == (6, missed)
    assert result["messages"]["vendor.site_lead"] >= missed
    draft = tmp_path_factory.mktemp("draft") / "draft.json"
    draft.write_text(text.replace('"last": 3, "at_least": 2', '"last": 3, "at_least": 3'))
    stricter = CliRunner().invoke(command, ["try", "BENCH-0", "--file", str(draft)])
    assert "0 tickets in 6 closes." in stricter.stdout, stricter.output
    assert asyncio.run(counted()) == 0
