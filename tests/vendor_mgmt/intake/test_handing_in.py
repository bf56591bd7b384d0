"""Figures that come by themselves: signed messages taken once each, files and rows that people hand in, and the tasks that ask for them."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vendor_mgmt.intake.builders import TODAY, day, found_anywhere, portfolio, pulled, refused, row, source, stored
from tests.vendor_mgmt.pages.serving_app import served, settings_for
from vendor_mgmt.database import transaction
from vendor_mgmt.intake import handing_in, pull, queries
from vendor_mgmt.intake.handing_in import Unreadable
from vendor_mgmt.intake.signatures import Message, NotSigned, signature_of, verified
from vendor_mgmt.jobs import dispatcher, runs

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)
SECRET = "whsec_" + base64.b64encode(b"twenty-four bytes secret").decode()
CANARY = "Maria Canaria 4711"


# The signature


def test_the_example_of_the_specification_is_right() -> None:
    body = b'{"test": 2432232314}'
    sent_at = datetime.fromtimestamp(1614265330, UTC)
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    message = verified(headers, body, [secret], sent_at + timedelta(minutes=1), FIVE_MINUTES)
    assert message == Message(id="msg_p5jXN8AQM9LWM0D4loKWxJek", sent_at=sent_at)


def headers_of(body: bytes, *, secret: str = SECRET, message: str = "msg_1", at: datetime = NOW) -> dict[str, str]:
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": f"v1,{signature_of(secret, message, at, body)}",
    }


@given(body=st.binary(max_size=200), cut=st.integers(0, 199))
def test_a_message_that_was_changed_by_a_byte_is_refused(body: bytes, cut: int) -> None:
    headers = headers_of(body)
    assert verified(headers, body, [SECRET], NOW, FIVE_MINUTES).id == "msg_1"
    changed = body[:cut] + bytes([(body[cut] + 1) % 256]) + body[cut + 1 :] if cut < len(body) else body + b"x"
    with pytest.raises(NotSigned):
        verified(headers, changed, [SECRET], NOW, FIVE_MINUTES)


@given(
    headers=st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text(max_size=30)),
    body=st.binary(max_size=20),
)
def test_no_header_however_odd_gets_through_or_does_harm(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(NotSigned):
        verified(headers, body, [SECRET], NOW, FIVE_MINUTES)


@pytest.mark.parametrize("late", [timedelta(seconds=301), timedelta(seconds=-301), timedelta(days=20_000)])
def test_an_old_message_is_refused_even_if_its_signature_is_right(late: timedelta) -> None:
    headers = headers_of(b"{}", at=NOW - late)
    with pytest.raises(NotSigned, match="too old"):
        verified(headers, b"{}", [SECRET], NOW, FIVE_MINUTES)


def test_while_a_secret_is_being_replaced_both_hold() -> None:
    headers = headers_of(b"{}", secret="the new one")
    headers["webhook-signature"] = f"v1,nonsense {headers['webhook-signature']} v2,other"
    assert verified(headers, b"{}", [SECRET, "the new one"], NOW, FIVE_MINUTES).id == "msg_1"


# Messages over HTTP


@pytest.fixture
async def client(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    async with served(database_url, settings_for(tmp_path)) as (_, client):
        await portfolio()
        await source(reader={"type": "webhook", "secrets": [{"env": "HOOK_SECRET"}], "rows": "data"})
        yield client


async def send(client: httpx.AsyncClient, rows: Any, *, message: str = "msg_1", ago: int = 0, **changed: str) -> httpx.Response:
    body = rows if isinstance(rows, bytes) else json.dumps({"data": rows}).encode()
    headers = headers_of(body, message=message, at=datetime.now(UTC) - timedelta(seconds=ago)) | changed
    return await client.post("/hooks/harbour-daily", content=body, headers={"content-type": "application/json"} | headers)


async def test_a_signed_message_is_taken_once_however_often_it_comes(client: httpx.AsyncClient) -> None:
    first = await send(client, [row(2, agent=CANARY), row(1)])
    assert (first.status_code, first.json()) == (202, {"id": "msg_1", "rows": 2, "is_repeated": False})
    again = await send(client, [row(2, agent=CANARY), row(1)])
    assert (again.status_code, again.json()["is_repeated"]) == (202, True)
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM run WHERE kind = 'pull' AND state = 'queued'") == 1
    found = await pulled()
    assert (found.state, found.rows_read, found.added, found.watermark_on) == ("done", 2, 4, TODAY)
    assert (await pulled()).rows_read == 0
    assert (await send(client, [row(2, agent=CANARY), row(1)])).json()["is_repeated"] is True
    assert (await pulled()).rows_read == 0
    assert await found_anywhere(CANARY) == []
    assert await found_anywhere(SECRET) == []


async def test_another_message_under_a_used_number_is_refused(client: httpx.AsyncClient) -> None:
    await send(client, [row(2)])
    answer = await send(client, [row(1)])
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]) == (409, "conflict")
    assert (await pulled()).rows_read == 1


async def test_of_two_messages_about_a_day_the_one_sent_later_counts(client: httpx.AsyncClient) -> None:
    await send(client, [row(1, audited=120)], message="late", ago=5)
    await send(client, [row(1, audited=100)], message="overtaken", ago=60)
    await pulled()
    assert (await stored())["lisbon-1", "audited", day(1)] == 120


@pytest.mark.parametrize(
    ("address", "changed", "status"),
    [
        ("/hooks/harbour-daily", {"webhook-signature": "v1,AAAA"}, 401),
        ("/hooks/harbour-daily", {"webhook-id": ""}, 401),
        ("/hooks/nobody", {}, 401),
    ],
)
async def test_who_does_not_know_the_secret_learns_nothing(
    client: httpx.AsyncClient, address: str, changed: dict[str, str], status: int
) -> None:
    body = json.dumps({"data": [row(1)]}).encode()
    answer = await client.post(address, content=body, headers=headers_of(body, at=datetime.now(UTC)) | changed)
    assert answer.status_code == status
    assert "harbour" not in answer.json().get("detail", "")
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM incoming") == 0


async def test_a_signed_message_that_is_no_json_is_said_to_be_none(client: httpx.AsyncClient) -> None:
    answer = await send(client, b"<html>")
    assert (answer.status_code, answer.json()["detail"]) == (400, "The body is no JSON.")


async def test_bad_rows_of_a_message_wait_in_quarantine_and_good_ones_go_in(client: httpx.AsyncClient) -> None:
    await send(client, [row(2), "no row", row(1, audited="many")])
    found = await pulled()
    assert (found.state, found.added, found.refused) == ("partial", 3, 2)
    assert sorted(one.check for one in await refused()) == ["bad_value", "not_a_row"]


async def test_a_message_waits_for_a_pull_that_does_not_fail(client: httpx.AsyncClient) -> None:
    await send(client, [row(1, audited=-5)])
    await source(reader={"type": "webhook", "secrets": [{"env": "HOOK_SECRET"}]}, checks=[{"check": "negative", "then": "stop"}])
    result, _ = await pull.pull_now(pull.Request(source="harbour-daily"))
    assert result.state == "failed"
    await source(reader={"type": "webhook", "secrets": [{"env": "HOOK_SECRET"}]})
    assert (await pulled()).refused == 1


# What people hand in


@pytest.fixture
async def manual(database: str) -> None:
    await portfolio()
    schedule = {"rule": "FREQ=DAILY;BYHOUR=6;BYMINUTE=0", "zone": "Europe/Lisbon"}
    await source(reader={"type": "manual", "asked_of": "vendor", "due_h": 72}, schedule=schedule, title="Quality by hand")


async def due(days: int) -> datetime:
    """What the schedule does in the days that follow. Returns when it fell due last."""
    made = await dispatcher.tick(datetime.now(UTC) + timedelta(days=days))
    for one in made:
        await runs.carry_out(one.run, "here", runs.Timing())
        assert (await runs.result_of(one.run)).state == "done"
    return made[-1].due_at


async def tasks(state: str | None = "open") -> list[queries.DataTask]:
    async with transaction() as connection:
        return await queries.data_tasks(connection, state=state)


@pytest.mark.usefixtures("manual")
async def test_entering_figures_is_a_task_with_owner_and_due_date_until_they_come(tmp_path: Path) -> None:
    first = await due(2)
    await due(3)
    (task,) = await tasks()
    assert (task.kind, task.owner, task.asked_of, task.due_at) == ("entry", "client.data", "vendor", first + timedelta(hours=72))
    assert task.title == "Enter or upload the figures of Quality by hand."
    result, found = await handing_in.enter(
        "harbour-daily", {"site": "lisbon-1", "queue": "product", "day": day(1), "audited": "100", "correct": "95"}, actor=7
    )
    assert (result.state, found and found.added) == ("done", 2)
    assert await tasks() == []
    (done,) = await tasks("done")
    assert done.note == "The figures came."
    async with transaction() as connection:
        assert await connection.fetchval("SELECT actor FROM incoming WHERE pull IS NOT NULL AND content IS NULL") == 7


@pytest.mark.usefixtures("manual")
async def test_a_row_that_is_refused_leaves_the_task_open() -> None:
    await due(2)
    await handing_in.enter("harbour-daily", {"site": "atlantis", "queue": "p", "day": day(1), "audited": "1", "correct": "1"}, actor=7)
    assert len(await tasks()) == 1


@pytest.mark.usefixtures("manual")
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
async def test_a_file_is_handed_in_once_without_its_names(name: str, tmp_path: Path) -> None:
    lines = {
        "a.csv": f"site,queue,day,audited,correct,agent\nlisbon-1,product,{day(1)},100,95,{CANARY}\n",
        "a.jsonl": json.dumps(row(1, agent=CANARY)) + "\n",
    }
    file = tmp_path / name
    file.write_text(lines[name])
    _, found = await handing_in.upload("harbour-daily", file, actor=7)
    assert found is not None
    assert (found.state, found.added) == ("done", 2)
    with pytest.raises(queries.WasHandedIn):
        await handing_in.upload("harbour-daily", file, actor=7)
    assert await found_anywhere(CANARY) == []


@pytest.mark.usefixtures("manual")
async def test_what_cannot_be_handed_in_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    with pytest.raises(Unreadable, match=r"A file that ends in \.pdf cannot be taken in"):
        await handing_in.upload("harbour-daily", tmp_path / "a.pdf", actor=7)
    with pytest.raises(Unreadable, match="harbour-daily has no column agent; it has site, queue"):
        await handing_in.enter("harbour-daily", {"agent": "x"}, actor=7)
    await source(reader={"type": "csv", "folder": "in"})
    with pytest.raises(Unreadable, match="is not filled by hand"):
        await handing_in.enter("harbour-daily", {"site": "x"}, actor=7)
