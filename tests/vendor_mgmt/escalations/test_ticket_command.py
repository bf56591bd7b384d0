from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

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
                for number in (12, 21):
                    statement = "INSERT INTO actor (id, kind, name, created_at) VALUES ($1, 'person', 'Canary Name', now())"
                    await connection.execute(statement, number)
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


PLAN = """
root_cause: The routing rules were changed without telling the people who review.
causes:
  - Decisions were wrong in one queue.
  - The queue held a category that its guide does not know.
  - The routing process was changed without a review of guides.
containment: A second reviewer looks at every decision of the merged queue.
effect: Wrong removals of sellers' items in one queue.
actions:
  - {text: Rewrite the guide for the merged queue, owner: vendor.quality, due_on: 2027-05-04}
success: {kpi: accuracy, good_periods: 3}
prevention: Changes to the routing process need the sign-off of quality.
"""


@pytest.mark.usefixtures("tickets")
def test_a_plan_goes_all_the_way_from_the_command_line(tmp_path: Path) -> None:
    number, plan = "HARBOUR-CX-T0001", tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    assert run("ack", number, "--actor", "12").exit_code == 0
    handed_in = run("plan", number, str(plan), "--actor", "12")
    assert handed_in.exit_code == 0, handed_in.output
    own = run("approve", number, "--actor", "12")
    assert own.exit_code == 1, "nobody approves what they wrote"
    assert run("reject", number, "--actor", "21", "--reason", "name the guide").exit_code == 0
    unchanged = run("plan", number, str(plan), "--actor", "12")
    assert unchanged.exit_code == 1, "a plan that was sent back has to be revised"
    plan.write_text(PLAN.replace("the guide for", "chapter 4 of the guide for"))
    again = run("plan", number, str(plan), "--actor", "12")
    assert again.exit_code == 0, again.output
    for step in (
        ("approve", number, "--actor", "21"),
        ("start", number, "--actor", "12", "--side", "vendor"),
        ("done", number, "1", "--actor", "12", "--side", "vendor", "--on", "2026-01-02", "--evidence", "CASE-881"),
        ("implemented", number, "--actor", "12", "--side", "vendor"),
    ):
        done = run(*step)
        assert done.exit_code == 0, (step, done.output)
    shown = json.loads(run("show", number, "--json").stdout)
    assert shown["row"]["state"] == "effectiveness_check"
    assert [each["kind"] for each in shown["events"]][:4] == ["opened", "acknowledged", "plan_submitted", "plan_rejected"]


@pytest.mark.usefixtures("tickets")
def test_a_plan_that_lacks_something_is_sent_back_with_all_of_it(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("root_cause: operator error\n")
    assert run("ack", "HARBOUR-CX-T0001", "--actor", "12").exit_code == 0
    found = run("plan", "HARBOUR-CX-T0001", str(plan), "--actor", "12")
    assert found.exit_code == 1
    assert all(word in found.stderr for word in ("containment", "actions", "success")), found.stderr


@pytest.mark.usefixtures("tickets")
def test_levels_holds_and_disputes_are_changed_with_a_reason() -> None:
    number = "HARBOUR-CX-T0001"
    for step in (
        ("raise", number, "2", "--actor", "21", "--reason", "press asks"),
        ("lower", number, "1", "--actor", "21", "--reason", "settled by phone"),
        ("hold", number, "--until", "2099-01-01", "--actor", "21", "--reason", "our outage"),
        ("release", number, "--actor", "21"),
        ("dispute", number, "--actor", "12", "--reason", "the outage was yours"),
        ("settle", number, "--actor", "21", "--outcome", "turned-down", "--reason", "another site"),
        ("comment", number, "the new guide is out", "--actor", "12", "--side", "vendor"),
        ("close", number, "--actor", "21", "--reason", "agreed in the review"),
    ):
        done = run(*step)
        assert done.exit_code == 0, (step, done.output)
    shown = run("show", number).stdout
    for reason in ("press asks", "settled by phone", "our outage", "the outage was yours", "another site", "agreed in the review"):
        assert reason in shown
    assert run("close", number, "--actor", "21", "--reason", "again").exit_code == 1
    assert run("raise", number, "2", "--actor", "99", "--reason", "nobody").exception is not None
