"""`vendor-mgmt outbox`, and what a delivery document may say."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from contracts.reading import read
from tests.vendor_mgmt.delivery import setting
from tests.vendor_mgmt.delivery.peers import Mailbox, mail
from vendor_mgmt.commands.outbox import command
from vendor_mgmt.database import pool
from vendor_mgmt.delivery.document import Delivery

DOCUMENT = """
mail: {host: 127.0.0.1, port: PORT, security: none, sender: desk@client.example}
holders:
  - {role: client.partner_manager, people: [21]}
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def test_messages_go_out_and_what_could_not_is_listed_sent_again_and_skipped(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fill() -> None:
        async with pool(database_url):
            await setting.add_persons()
            await setting.put(setting.told(), setting.told(role="client.director"), setting.told(role="client.legal"))

    asyncio.run(fill())
    mailbox, document = Mailbox(), tmp_path / "delivery.yaml"
    with mail(mailbox) as port:
        document.write_text(DOCUMENT.replace("PORT", str(port)))
        monkeypatch.setenv("DATABASE_URL", database_url)
        monkeypatch.setenv("VENDOR_MGMT_OUTBOUND_ALLOW_PRIVATE", "true")
        monkeypatch.setenv("VENDOR_MGMT_DELIVERY_DOCUMENT", str(document))
        assert run("check", str(document)).exit_code == 0
        sent = run("send")
        assert sent.exit_code == 0, sent.output
        assert [address for address, _ in mailbox.taken] == ["person21@example.com"]
        waiting = json.loads(run("list", "--json").stdout)
        assert [(each["recipient"], each["state"]) for each in waiting] == [("client.director", "dead"), ("client.legal", "dead")]
        assert "nobody holds client.director" in run("list").stdout
        assert "person21" not in run("list", "--all").stdout
        document.write_text(document.read_text().replace("partner_manager", "director"))
        assert run("retry", str(waiting[0]["id"])).exit_code == 0
        assert run("skip", str(waiting[1]["id"])).exit_code == 0
        assert run("retry", str(waiting[1]["id"])).exit_code == 1
        assert run("send").exit_code == 0
    assert len(mailbox.taken) == 2
    assert run("list").stdout == "0 messages.\n"


def test_everything_wrong_with_a_document_is_said_at_once_each_on_its_line(tmp_path: Path) -> None:
    document = tmp_path / "delivery.yaml"
    document.write_text(
        "mail: {host: mail.example, port: 0, sender: nobody}\n"
        "holders:\n"
        "  - {role: vendor.site_lead, people: [11]}\n"
        "  - {role: everybody, people: []}\n"
        "endpoints:\n"
        "  - {name: a, of: vendor, to: {type: slack, url: {env: SLACK}}}\n"
        "  - {name: b, to: {type: pigeon}}\n"
        "  - {name: c, to: {type: webhook, url: 'https://x.example', secrets: [{env: A, file: b}]}}\n"
    )
    found = run("check", str(document))
    assert found.exit_code == 2
    for line in (1, 3, 4, 6, 7, 8):
        assert f":{line}:" in found.stderr, found.stderr


def test_a_document_reads_as_its_own_description_shows_it() -> None:
    text = (Path(__file__).parents[3] / "docs" / "delivery.md").read_text()
    example = text.split("```yaml\n")[1].split("```")[0]
    document = read(example, Delivery).required()
    assert [one.channel for one in document.endpoints] == ["webhook", "slack", "jira", "webhook"]
    assert list(document.people("vendor.site_lead", vendor="harbour-cx", site="porto-1")) == [12]
    assert list(document.people("vendor.site_lead", vendor="mesa", site=None)) == []
