"""Credentials are kept encrypted, used, and never seen again."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.vendor_mgmt.intake.builders import found_anywhere, portfolio, pulled, row, source
from vendor_mgmt.database import transaction
from vendor_mgmt.intake import credentials, pull
from vendor_mgmt.intake.credentials import CannotUnlock
from vendor_mgmt.intake.pull import Request, pull_now

ROOT = Path(__file__).parents[3]
KEY, OTHER = "k" * 32, "another key of thirty-two characters"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
TOKEN = "s3cret-t0ken"


@pytest.fixture
async def site_data(database: str) -> None:
    await portfolio()


async def keep(key: str | None = KEY, value: str = TOKEN) -> None:
    async with transaction() as connection:
        await credentials.keep(connection, "harbour-token", value, key=key, actor=7, now=NOW)


async def error() -> str:
    result, _ = await pull_now(Request(source="harbour-daily"))
    assert result.state == "failed"
    return result.error or ""


@pytest.mark.usefixtures("site_data")
async def test_a_stored_credential_opens_the_source_and_is_found_nowhere(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    await keep()
    api.script(rows=[row(1)], token=TOKEN)
    await source(api, reader={"auth": {"type": "bearer", "token": {"stored": "harbour-token"}}})
    pull.configure(allow_private=True, credentials_key=KEY)
    assert (await pulled()).added == 2
    assert api.requests()[0]["authorization"] == f"Bearer {TOKEN}"
    assert await found_anywhere(TOKEN) == []
    assert TOKEN not in caplog.text
    async with transaction() as connection:
        (kept,) = await credentials.kept(connection)
    assert (kept.name, kept.set_by, kept.used_by) == ("harbour-token", 7, ["harbour-daily"])
    assert TOKEN not in repr(kept)


@pytest.mark.usefixtures("site_data")
async def test_a_key_can_be_replaced_and_without_the_right_one_nothing_is_asked(api: Any) -> None:
    await keep()
    api.script(rows=[row(1)], token=TOKEN)
    await source(api, reader={"auth": {"type": "bearer", "token": {"stored": "harbour-token"}}})
    for key, words in ((None, "is not set"), ("short", "fewer than 32"), (OTHER, "was locked with another")):
        pull.configure(allow_private=True, credentials_key=key)
        assert words in await error()
    assert api.requests() == []
    pull.configure(allow_private=True, credentials_key=f"{OTHER},{KEY}")
    assert (await pulled()).added == 2
    await keep(key=f"{OTHER},{KEY}")
    pull.configure(allow_private=True, credentials_key=OTHER)
    assert (await pulled()).unchanged == 2
    async with transaction() as connection:
        assert await credentials.forget(connection, "harbour-token")
        assert not await credentials.forget(connection, "harbour-token")
    assert "No credential harbour-token is stored" in await error()


@pytest.mark.usefixtures("site_data")
async def test_nothing_is_kept_without_a_key() -> None:
    with pytest.raises(CannotUnlock, match="VENDOR_MGMT_CREDENTIALS_KEY is not set"):
        await keep(key=None)


def vendor_mgmt(url: str, *words: str, given: str = "", key: str | None = KEY) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VENDOR_MGMT_")} | {"DATABASE_URL": url}
    environment |= {"VENDOR_MGMT_CREDENTIALS_KEY": key} if key else {}
    command = [sys.executable, "-m", "vendor_mgmt", *words]
    return subprocess.run(command, input=given, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)


def test_the_command_takes_a_secret_and_never_gives_it_back(database_url: str) -> None:
    assert vendor_mgmt(database_url, "credential", "set", "t", given=TOKEN, key=None).returncode == 2
    assert vendor_mgmt(database_url, "credential", "set", "t", given=TOKEN).stdout == "t kept\n"
    listed = vendor_mgmt(database_url, "credential", "list")
    assert (listed.returncode, "used by nothing" in listed.stdout, TOKEN in listed.stdout + listed.stderr) == (0, True, False)
    assert vendor_mgmt(database_url, "credential", "remove", "t").returncode == 0
    assert vendor_mgmt(database_url, "credential", "remove", "t").returncode == 2
