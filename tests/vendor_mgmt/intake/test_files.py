"""Files from wherever vendors leave them: folders, addresses, SFTP servers, mailboxes; packed or not. Every peer here is a real one."""

from __future__ import annotations

import gzip
import io
import json
import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncssh
import openpyxl
import pytest

from tests.vendor_mgmt.intake.builders import day, found_anywhere, portfolio, pulled, refused, source, stored
from tests.vendor_mgmt.intake.mail_server import Mail, MailServer
from vendor_mgmt.intake import pull
from vendor_mgmt.intake.pull import Request, pull_now

HEADER = "site,queue,day,audited,correct\n"
CANARY = "Maria Canaria 4711"


@pytest.fixture
async def site_data(database: str) -> None:
    await portfolio()


@pytest.fixture
def private() -> Any:
    pull.configure(allow_private=True)
    yield
    pull.configure()


pytestmark = pytest.mark.usefixtures("site_data", "private")


def line(back: int, audited: int = 100, site: str = "lisbon-1") -> str:
    return f"{site},product,{day(back)},{audited},90\n"


def jsonl(back: int, **changed: Any) -> str:
    return json.dumps({"site": "lisbon-1", "queue": "product", "day": day(back), "audited": 100, "correct": 90} | changed) + "\n"


async def failed() -> str:
    result, found = await pull_now(Request(source="harbour-daily"))
    assert (result.state, found) == ("failed", None)
    return result.error or ""


# Formats


async def test_lines_of_json_are_read_and_a_spoilt_one_costs_itself(database: str, tmp_path: Path) -> None:
    endless = jsonl(2, audited=0).replace('"audited": 0', f'"audited": {"9" * 5000}')
    text = "\ufeff" + jsonl(3) + "\n" + '{"site": "lisbon-1", \n' + endless + "[1, 2]\n" + jsonl(1).strip()
    (tmp_path / "a.jsonl").write_text(text)
    await source(reader={"type": "json_lines", "folder": str(tmp_path), "settle_s": 0})
    found = await pulled()
    assert (found.state, found.rows_read, found.added, found.refused) == ("partial", 5, 5, 3)
    assert sorted(one.check for one in await refused()) == ["bad_value", "not_a_row", "not_a_row"]
    assert [day(3), day(1)] == sorted(key[2] for key in await stored() if key[1] == "audited")


async def test_tabs_separate_as_well(database: str, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text((HEADER + line(2) + line(1)).replace(",", "\t"))
    await source(reader={"type": "csv", "pattern": "*.tsv", "folder": str(tmp_path), "settle_s": 0})
    assert (await pulled()).added == 4


@pytest.mark.parametrize("members", [1, 3])
async def test_a_packed_file_is_unpacked(database: str, tmp_path: Path, members: int) -> None:
    parts = (HEADER + "".join(line(back) for back in range(12, 0, -1))).splitlines(keepends=True)
    packed = b"".join(gzip.compress("".join(parts[i::1] if members == 1 else parts[i * 5 : i * 5 + 5]).encode()) for i in range(members))
    (tmp_path / "a.csv.gz").write_bytes(packed)
    await source(reader={"type": "csv", "pattern": "*.csv.gz", "folder": str(tmp_path), "settle_s": 0})
    assert (await pulled()).added == 24
    assert (await pulled()).rows_read == 0


async def test_a_packed_file_that_breaks_off_gives_its_whole_lines_and_is_read_again(database: str, tmp_path: Path) -> None:
    text = HEADER + "".join(line(back, audited=hash(back) % 1000 + 100) for back in range(300, 0, -1))
    whole = gzip.compress(text.encode())
    file = tmp_path / "a.csv.gz"
    file.write_bytes(whole[: len(whole) // 2])
    await source(reader={"type": "csv", "pattern": "*.gz", "folder": str(tmp_path), "settle_s": 0})
    half = await pulled()
    assert (half.state, half.is_complete, half.refused) == ("partial", False, 0)
    assert 0 < half.added < 600
    assert "breaks off in the middle of its gzip" in half.findings[0]
    file.write_bytes(whole)
    rest = await pulled()
    assert (rest.state, rest.added) == ("done", 600 - half.added)


async def test_a_small_archive_that_unpacks_to_too_much_is_refused(database: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b" " * 3_000_000))
    await source(reader={"type": "csv", "pattern": "*.gz", "folder": str(tmp_path), "settle_s": 0, "limits": {"answer_mb": 1}})
    assert "unpacks to more than" in await failed()


# At an address


def http_reader(api: Any, **more: Any) -> dict[str, Any]:
    return {"type": "csv", "url": f"{api.base}/rows", "limits": {"attempts": 3, "patience_s": 3, "page_s": 2}} | more


async def test_a_file_at_an_address_is_read_and_not_sent_again_while_it_has_not_changed(api: Any) -> None:
    api.script(bodies=[(HEADER + line(2) + line(1)).encode()], etag='"v1"', faults=[503])
    await source(reader=http_reader(api))
    assert (await pulled()).added == 4
    assert (await pulled()).rows_read == 0
    assert len(api.requests()) == 3
    api.script(bodies=[(HEADER + line(2) + line(1, audited=101)).encode()], etag='"v2"')
    assert (await pulled()).changed == 1
    # A backfill reads everything again, whatever was read before.
    assert (await pulled(from_=datetime.now(UTC).date() - timedelta(days=3), reason="again")).rows_read == 2


async def test_an_answer_of_json_that_has_not_changed_is_not_read_again(api: Any) -> None:
    rows = [json.loads(jsonl(2)), json.loads(jsonl(1))]
    api.script(rows=rows, etag='"v1"')
    reader = {"type": "http_json", "url": f"{api.base}/rows", "rows": "data"}
    await source(reader=reader)
    first = await pulled()
    again = await pulled()
    assert (again.state, again.rows_read, again.watermark_on) == ("done", 0, first.watermark_on)
    assert again.findings == ["The source has nothing but what was read before."]
    # A changed mapping has to see it anew.
    await source(reader=reader, title="Another title")
    assert (await pulled()).unchanged == 4


async def test_a_refused_row_keeps_an_answer_from_being_taken_as_known(api: Any) -> None:
    api.script(rows=[json.loads(jsonl(2)), json.loads(jsonl(1, audited="many"))], etag='"v1"')
    await source(reader={"type": "http_json", "url": f"{api.base}/rows", "rows": "data"})
    await pulled()
    assert (await pulled()).rows_read == 2


async def test_a_file_whose_connection_drops_gives_its_whole_lines(api: Any) -> None:
    body = (HEADER + line(3) + line(2) + line(1)).encode()
    api.script(bodies=[body], faults=[{"fault": "short", "body": body[:-12]}] * 3)
    await source(reader=http_reader(api))
    found = await pulled()
    assert (found.state, found.is_complete, found.added) == ("partial", False, 4)
    assert "is not whole; the lines that came are used" in found.findings[0]
    assert (await pulled()).added == 2


async def test_a_workbook_at_an_address_is_read_behind_a_token(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for cells in (["site", "queue", "day", "audited", "correct"], ["lisbon-1", "product", day(1), 100, 90]):
        sheet.append(cells)
    content = io.BytesIO()
    book.save(content)
    api.script(bodies=[content.getvalue()], token="s3cret")
    await source(reader={"type": "xlsx", "url": f"{api.base}/rows", "auth": {"type": "bearer", "token": {"env": "TOKEN"}}})
    assert (await pulled()).added == 2


# SFTP


@pytest.fixture
async def sftp(tmp_path: Path) -> AsyncIterator[dict[str, Any]]:
    """A real SSH server with one user, who has a password and a key; the reader's document for it."""
    folder = tmp_path / "drop"
    folder.mkdir()
    host, user = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    (tmp_path / "user_key").write_bytes(user.export_private_key())

    class Server(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == ("vendor", "s3cret")

        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
            return username == "vendor" and key.public_data == user.public_data

    def files(connection: Any) -> asyncssh.SFTPServer:
        return asyncssh.SFTPServer(connection, chroot=str(folder).encode())

    server = await asyncssh.create_server(Server, "127.0.0.1", 0, server_host_keys=[host], sftp_factory=files)
    place = {
        "host": "127.0.0.1",
        "port": server.get_port(),
        "user": "vendor",
        "password": {"env": "SFTP_PASSWORD"},
        "host_key": host.export_public_key().decode().strip(),
        "folder": "/",
    }
    yield {"type": "csv", "sftp": place, "settle_s": 0, "limits": {"timeout_s": 5, "patience_s": 10}}
    server.close()
    await server.wait_closed()


async def test_files_on_an_sftp_server_are_read_once_and_again_when_they_change(
    sftp: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SFTP_PASSWORD", "s3cret")
    (tmp_path / "drop" / "a.csv").write_text(HEADER + line(2))
    (tmp_path / "drop" / "b.csv.gz").write_bytes(gzip.compress((HEADER + line(1)).encode()))
    (tmp_path / "drop" / "notes.txt").write_text("not for us")
    (tmp_path / "drop" / "folder.csv").mkdir()
    await source(reader=sftp | {"pattern": "*.csv*"})
    assert (await pulled()).added == 4
    assert (await pulled()).rows_read == 0
    (tmp_path / "drop" / "a.csv").write_text(HEADER + line(2, audited=101))
    os.utime(tmp_path / "drop" / "a.csv", (time.time() + 5, time.time() + 5))
    assert (await pulled()).changed == 1
    assert await found_anywhere("s3cret") == []


async def test_a_key_opens_the_sftp_server_too(sftp: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "drop" / "a.csv").write_text(HEADER + line(2))
    place = {name: value for name, value in sftp["sftp"].items() if name != "password"} | {"key": {"file": str(tmp_path / "user_key")}}
    await source(reader=sftp | {"sftp": place})
    assert (await pulled()).added == 2


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"password": {"env": "WRONG"}}, "does not let vendor in"),
        ({"folder": "/nowhere"}, "has no folder /nowhere"),
        ({"host_key": asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()}, "shows another host key"),
    ],
)
async def test_what_is_wrong_with_an_sftp_server_is_said_in_words(
    sftp: dict[str, Any], changed: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SFTP_PASSWORD", "s3cret")
    monkeypatch.setenv("WRONG", "guess")
    await source(reader=sftp | {"sftp": sftp["sftp"] | changed})
    assert words in await failed()


async def test_a_private_sftp_server_is_not_reached_unless_it_is_allowed(sftp: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFTP_PASSWORD", "s3cret")
    pull.configure(allow_private=False)
    await source(reader=sftp)
    assert "loopback, and such an address is not asked" in await failed()


async def test_a_file_that_is_too_large_is_not_copied(sftp: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFTP_PASSWORD", "s3cret")
    (tmp_path / "drop" / "a.csv").write_bytes(b"x" * 1_500_000)
    await source(reader=sftp | {"limits": {"answer_mb": 1}})
    assert "more bytes than `limits.answer_mb` allows" in await failed()


# Mail


def mailbox(server: MailServer, **changed: Any) -> dict[str, Any]:
    place = {
        "host": "127.0.0.1", "port": server.port, "user": "data", "password": {"env": "MAIL_PASSWORD"}, "security": "none",
        "senders": ["ana@harbour.example", "@reports.harbour.example"],
    }  # fmt: skip
    return {"type": "csv", "mailbox": place | changed, "limits": {"timeout_s": 5}}


@pytest.fixture
def mail_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "pass word")


def days_ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


@pytest.mark.usefixtures("mail_password")
async def test_attachments_of_allowed_senders_are_read_once_and_nothing_else_is_fetched() -> None:
    mails = [
        Mail("Ana <ana@harbour.example>", {"a.csv": (HEADER + line(5)).encode(), "logo.png": b"\x89PNG"}, days_ago(5)),
        Mail("ana@harbour.example.attacker.example", {"a.csv": (HEADER + line(4)).encode()}, days_ago(4)),
        Mail("robot@reports.harbour.example", {"report.CSV": (HEADER + line(3)).encode()}, days_ago(3)),
        Mail("ana@harbour.example", {"old.csv": (HEADER + line(100)).encode()}, days_ago(100)),
    ]
    with MailServer(mails) as server:
        await source(reader=mailbox(server))
        found = await pulled()
        assert (found.state, found.added) == ("done", 4)
        assert sorted({key[2] for key in await stored()}) == [day(5), day(3)]
        bodies = [command for command in server.commands if "PEEK[]" in command]
        assert bodies == ["UID FETCH 1 (BODY.PEEK[])", "UID FETCH 3 (BODY.PEEK[])"]
        mails.append(Mail("ana@harbour.example", {"a.csv": (HEADER + line(5, audited=101)).encode()}))
        again = await pulled()
        assert (again.rows_read, again.changed) == (1, 1)
    assert await found_anywhere(CANARY) == []
    assert await found_anywhere("pass word") == []


@pytest.mark.usefixtures("mail_password")
async def test_of_two_mails_about_one_day_the_later_counts() -> None:
    mails = [
        Mail("ana@harbour.example", {"a.csv": (HEADER + line(5, audited=100) + "nonsense,1\n").encode()}, days_ago(3)),
        Mail("ana@harbour.example", {"corrected.csv": (HEADER + line(5, audited=120)).encode()}, days_ago(2)),
    ]
    with MailServer(mails) as server:
        await source(reader=mailbox(server))
        for _ in range(2):
            # The first mail has a bad line, so it is read again, and yet does not undo what the second said.
            await pulled()
            assert (await stored())["lisbon-1", "audited", day(5)] == 120


@pytest.mark.usefixtures("mail_password")
@pytest.mark.parametrize(
    ("results", "is_read"),
    [
        (["mx.client.example; spf=pass; dmarc=pass"], True),
        (["mx.client.example; dmarc=fail"], False),
        (["mx.attacker.example; dmarc=pass"], False),
        ([], False),
    ],
)
async def test_a_sender_has_to_be_verified_where_that_is_asked_for(results: list[str], is_read: bool) -> None:  # noqa: FBT001
    headers = {"Authentication-Results": results[0]} if results else {}
    with MailServer([Mail("ana@harbour.example", {"a.csv": (HEADER + line(5)).encode()}, days_ago(1), headers)]) as server:
        await source(reader=mailbox(server, verified_by="mx.client.example"))
        assert (await pulled()).added == (2 if is_read else 0)


@pytest.mark.usefixtures("mail_password")
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"user": "nobody"}, "refuses"),
        ({"folder": "Archive"}, "has no folder Archive"),
        ({"security": "tls"}, "cannot be"),
    ],
)
async def test_what_is_wrong_with_a_mailbox_is_said_in_words(changed: dict[str, Any], words: str) -> None:
    with MailServer([]) as server:
        await source(reader=mailbox(server, **changed))
        result, found = await pull_now(Request(source="harbour-daily"))
        assert found is None
        assert words in (result.error or "")


@pytest.mark.usefixtures("mail_password")
async def test_a_mailbox_is_never_read_in_the_open_across_the_internet() -> None:
    pull.configure(allow_private=False)
    with MailServer([]) as server:
        await source(reader=mailbox(server))
        assert "without TLS" in await failed()
        await source(reader=mailbox(server, security="tls"))
        assert "loopback" in await failed()
        assert server.commands == []


# Folders


async def test_a_folder_that_is_not_there_is_a_sentence_with_its_path(database: str, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    for reader in ({"type": "csv"}, {"type": "xlsx"}, {"type": "json_lines"}):
        await source(reader={**reader, "folder": str(gone), "settle_s": 0})
        assert f"There is no folder {gone}. Create it, or correct `folder`." in await failed()
    gone.write_text("a file in its place")
    assert f"{gone}" in await failed()
