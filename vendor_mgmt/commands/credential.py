"""`vendor-mgmt credential`: secrets of sources, kept encrypted; they go in and are never shown again."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec

from vendor_mgmt import database
from vendor_mgmt.access import actors
from vendor_mgmt.commands import begin
from vendor_mgmt.errors import Refused
from vendor_mgmt.intake import credentials

if TYPE_CHECKING:
    from vendor_mgmt.database import Server


@click.group("credential")
def command() -> None:
    """Keep secrets of sources, encrypted; they are never shown again."""


@command.command("set")
@click.argument("name")
@click.option("--actor", type=click.IntRange(min=1), help="Number of the person. Left out: the service itself.")
def set_(name: str, *, actor: int | None) -> None:
    r"""Keep a secret under NAME, to be named in sources as `{stored: NAME}`. It is asked for at a terminal, or read from standard input.

    \b
    Example:
      vendor-mgmt credential set harbour-token < token.txt

    \b
    Exit codes:
      0  kept; one of this name is replaced
      2  nothing was given, or VENDOR_MGMT_CREDENTIALS_KEY is not set
      3  the database cannot be used
    """
    settings = begin()
    value = click.prompt("Secret", hide_input=True, confirmation_prompt=True) if sys.stdin.isatty() else sys.stdin.read().strip()
    if not value:
        raise Refused("No secret was given on standard input.")

    async def work(_: Server) -> None:
        async with database.transaction() as connection:
            by = actor or await actors.service(connection)
            await credentials.keep(connection, name, value, key=settings.credentials_key, actor=by, now=datetime.now(UTC))

    try:
        database.run(settings, work)
    except credentials.CannotUnlock as error:
        raise Refused(error.reason) from None
    click.echo(f"{name} kept")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_(*, as_json: bool) -> None:
    r"""List the names of what is kept, since when, and which sources use it. What it is stays hidden.

    \b
    Example:
      vendor-mgmt credential list

    \b
    Exit codes:
      0  listed (also if there is nothing)
      3  the database cannot be used
    """
    settings = begin()

    async def read(_: Server) -> list[credentials.Kept]:
        async with database.transaction() as connection:
            return await credentials.kept(connection)

    found = database.run(settings, read)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for one in found:
        click.echo(f"{one.name}  set {one.set_at:%Y-%m-%d %H:%M}  used by {', '.join(one.used_by) or 'nothing'}")
    click.echo(f"{len(found)} credentials.")


@command.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    r"""Remove the secret kept under NAME.

    \b
    Example:
      vendor-mgmt credential remove harbour-token

    \b
    Exit codes:
      0  removed
      2  there is none of this name
      3  the database cannot be used
    """
    settings = begin()

    async def work(_: Server) -> bool:
        async with database.transaction() as connection:
            return await credentials.forget(connection, name)

    if not database.run(settings, work):
        raise Refused(f"No credential {name} is kept.")
    click.echo(f"{name} removed")
