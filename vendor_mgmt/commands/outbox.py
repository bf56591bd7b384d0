"""`vendor-mgmt outbox`: what waits to be sent, what could not be, and what nobody can know."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from contracts.reading import read
from vendor_mgmt import database
from vendor_mgmt.commands import begin
from vendor_mgmt.delivery import queries, sending
from vendor_mgmt.delivery.document import Delivery

if TYPE_CHECKING:
    from vendor_mgmt.database import Server

WAITING = ("dead", "uncertain")


@click.group("outbox")
def command() -> None:
    r"""Messages on their way: list them, send one again, or let others pass it.

    \b
    Examples:
      vendor-mgmt outbox list
      vendor-mgmt outbox retry 1204
    """


@command.command("list")
@click.option("--all", "is_all", is_flag=True, help="Also what waits for its moment, and what was sent.")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def list_(*, is_all: bool, limit: int, as_json: bool) -> None:
    r"""List the messages that wait for a person: dead ones, which were refused or tried too often, and uncertain ones.

    Nobody can know whether an uncertain one arrived: ask its recipient before you send it again.

    \b
    Example:
      vendor-mgmt outbox list --json

    \b
    Exit codes:
      0  listed (also if there are none)
      3  the database cannot be used
    """
    states = (*WAITING, "pending", "sent", "addressed", "skipped") if is_all else WAITING

    async def work(_: Server) -> list[queries.Listed]:
        async with database.transaction() as connection:
            return await queries.listed(connection, states, limit=limit)

    found = database.run(begin(), work)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for one in found:
        click.echo(f"{one.id}  {one.state}  {one.channel} to {one.recipient}  {one.stream}: {', '.join(one.topics)}")
        if one.error:
            click.echo(f"      after {one.attempts} attempts: {one.error}")
    click.echo(f"{len(found)} messages.")


@command.command("retry")
@click.argument("numbers", type=int, nargs=-1, required=True)
def retry(numbers: tuple[int, ...]) -> None:
    r"""Send dead or uncertain messages again, by their numbers, and the ones that waited behind them.

    \b
    Example:
      vendor-mgmt outbox retry 1204 1209

    \b
    Exit codes:
      0  they will be sent
      1  one of them is neither dead nor uncertain; the others will be sent
      3  the database cannot be used
    """
    _settle(numbers, "will be sent again", is_again=True)


@command.command("skip")
@click.argument("numbers", type=int, nargs=-1, required=True)
def skip(numbers: tuple[int, ...]) -> None:
    r"""Give dead or uncertain messages up, by their numbers, so that the ones behind them go out.

    \b
    Example:
      vendor-mgmt outbox skip 1204

    \b
    Exit codes:
      0  given up
      1  one of them is neither dead nor uncertain; the others are given up
      3  the database cannot be used
    """
    _settle(numbers, "is given up", is_again=False)


@command.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    r"""Check a delivery document and show everything that is wrong with it.

    \b
    Example:
      vendor-mgmt outbox check delivery.yaml

    \b
    Exit codes:
      0  it can be used
      2  findings, each with line, value and repair
    """
    reading = read(file.read_bytes(), Delivery, name=file.name)
    for finding in reading.findings:
        click.echo(finding, err=True)
    if reading.document is None:
        raise click.exceptions.Exit(2)
    found = reading.document
    click.echo(f"{len(found.holders)} entries of roles, {len(found.endpoints)} endpoints, {'a' if found.mail else 'no'} mail server.")


@command.command("send")
def send() -> None:
    r"""Send what is due now. A running service does this by itself every few seconds.

    \b
    Example:
      VENDOR_MGMT_DELIVERY_DOCUMENT=delivery.yaml vendor-mgmt outbox send

    \b
    Exit codes:
      0  done; `outbox list` shows what did not go out
      2  the delivery document cannot be used
      3  the database cannot be used
    """
    settings = begin()

    async def work(_: Server) -> int:
        return await sending.deliver(settings)

    click.echo(f"{database.run(settings, work)} messages were looked at.")


def _settle(numbers: tuple[int, ...], words: str, *, is_again: bool) -> None:
    async def work(_: Server) -> list[int]:
        async with database.transaction() as connection:
            done = []
            for number in numbers:
                at = datetime.now(UTC)
                changed = await (queries.resend(connection, number, at) if is_again else queries.skip(connection, number, at))
                done += [number] if changed else []
            return done

    done = database.run(begin(), work)
    for number in numbers:
        if number in done:
            click.echo(f"{number} {words}.")
        else:
            click.echo(f"{number} is neither dead nor uncertain. `vendor-mgmt outbox list` shows those that are.", err=True)
    if len(done) < len(set(numbers)):
        raise click.exceptions.Exit(1)
