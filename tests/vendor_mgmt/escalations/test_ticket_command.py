from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner, Result

from contracts.errors import NotFound
from tests.vendor_mgmt.escalations.builders import calendars, policy, rule, series
from tests.vendor_mgmt.escalations.rows import add_place
from vendor_mgmt.commands.ticket import command
from vendor_mgmt.database import pool, transaction
from vendor_mgmt.escalations import queries
from vendor_mgmt.escalations.queries import Watched


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


@pytest.fixture
def tickets(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two open tickets of one vendor, and a person numbered 12."""

    async def fill() -> None:
        async with pool(database_url):
            await add_place()
            async with transaction() as connection:
                await connection.execute("INSERT INTO actor (id, kind, name, created_at) VALUES (12, 'person', 'Canary Name', now())")
                watched = [
                    Watched(series=series("B", kpi=kpi), rules=(rule(kpi=None),), policy=policy(), calendars=calendars())
                    for kpi in ("accuracy", "tat")
                ]
                await queries.raise_tickets(connection, watched, at=datetime.now(UTC))

    asyncio.run(fill())
    monkeypatch.setenv("DATABASE_URL", database_url)


@pytest.mark.usefixtures("tickets")
def test_open_tickets_are_listed_for_people_and_for_scripts() -> None:
    listed = run("list", "--vendor", "harbour-cx", "--dimension", "workstream=product-moderation")
    assert listed.exit_code == 0, listed.output
    assert "HARBOUR-CX-T0001" in listed.stdout
    assert "HARBOUR-CX-T0002" in listed.stdout
    [row] = json.loads(run("list", "--kpi", "tat", "--json").stdout)
    assert (row["number"], row["state"], row["dimensions"]) == ("HARBOUR-CX-T0002", "opened", {"workstream": "product-moderation"})
    assert run("list", "--vendor", "mesa").stdout == "No tickets.\n"


@pytest.mark.usefixtures("tickets")
def test_a_ticket_is_shown_with_what_is_due_and_acknowledged_once() -> None:
    shown = run("show", "HARBOUR-CX-T0001").stdout
    assert "due " in shown
    assert "acknowledge (calendar office, version 1)" in shown
    done = run("ack", "HARBOUR-CX-T0001", "--actor", "12", "--note", "by phone", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["row"]["state"] == "acknowledged"
    assert "acknowledged: by phone  (person 12)" in run("show", "HARBOUR-CX-T0001").stdout
    assert "Canary" not in run("show", "HARBOUR-CX-T0001").stdout
    again = run("ack", "HARBOUR-CX-T0001", "--actor", "12")
    assert again.exit_code == 1
    assert "not possible while the ticket is acknowledged" in again.stderr


def test_a_recovered_ticket_is_told_from_one_that_still_burns(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fill() -> None:
        async with pool(database_url):
            await add_place()
            opened = datetime(2026, 2, 5, tzinfo=UTC)
            for letters, days in (("B", 0), ("BGG", 60)):
                at = opened + timedelta(days=days)
                async with transaction() as connection:
                    while await queries.sweep(connection, at):
                        pass
                    one = Watched(series=series(letters), rules=(rule(kpi=None),), policy=policy(), calendars=calendars())
                    await queries.raise_tickets(connection, [one], at=at)

    asyncio.run(fill())
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert "recovered (opened)" in run("list").stdout
    shown = run("show", "HARBOUR-CX-T0001").stdout
    assert "recovered (opened), level" in shown
    assert "recovered at the close of the period from 2026-03-01: close it, or say what is left" in shown
    [row] = json.loads(run("list", "--json").stdout)
    assert row["cleared_from"] == "2026-03-01"


@pytest.mark.usefixtures("tickets")
def test_what_does_not_exist_is_named() -> None:
    for arguments, message in (
        (("show", "HARBOUR-CX-T0099"), "there is no ticket HARBOUR-CX-T0099"),
        (("ack", "HARBOUR-CX-T0001", "--actor", "99"), "there is no person with the number 99"),
    ):
        error = run(*arguments).exception
        assert isinstance(error, NotFound)
        assert str(error).startswith(message)


def test_a_dimension_is_written_with_its_name() -> None:
    refused = run("list", "--dimension", "live-stream")
    assert refused.exit_code == 2
    assert "write for example workstream=live-stream" in refused.stderr
