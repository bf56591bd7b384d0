"""`vendor-mgmt rules`: escalation rules tried on months that have passed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.table import Table

from contracts.document import Contract
from contracts.errors import NotFound
from contracts.reading import read
from vendor_mgmt import database
from vendor_mgmt.commands import begin
from vendor_mgmt.escalations import watching
from vendor_mgmt.escalations.trying import Tried

if TYPE_CHECKING:
    from vendor_mgmt.database import Server


@click.group("rules")
def command() -> None:
    r"""Escalation rules, tried on results that are stored already.

    \b
    Example:
      vendor-mgmt rules try MOD-2025 --since 2025-01-01
    """


@command.command("try")
@click.argument("contract")
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Take rules and levels from this contract.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Only months that begin on this day or later.")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def try_(contract: str, file: Path | None, since: datetime | None, *, as_json: bool) -> None:
    r"""Show which tickets the rules of CONTRACT would have raised in past months, and how many messages to whom.

    Nothing is stored and nobody is told. Nobody acknowledges in this play, so it shows the most that the rules would have caused. With
    --file the rules and levels of a draft are tried on the months as they were judged.

    \b
    Example:
      vendor-mgmt rules try MOD-2025 --file draft.yaml --since 2025-01-01

    \b
    Exit codes:
      0  tried, also where nothing would have been raised
      2  there is no such contract, or the document cannot be read
      3  the database cannot be used
    """
    draft = read(file.read_bytes(), Contract, name=file.name).required() if file is not None else None
    first = since.date() if since is not None else date.min

    async def work(_: Server) -> Tried:
        async with database.transaction(readonly=True) as connection:
            return await watching.tried(connection, contract, draft=draft, since=first, at=datetime.now(UTC))

    found = database.run(begin(), work)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    if found.closes == 0:
        raise NotFound(f"no month of {contract} has been closed since then", "Close one with `vendor-mgmt close`.")
    _print(found)


def _print(found: Tried) -> None:
    table = Table("Opened", "Site", "KPI", "Rule", "State", "Level", "Severity", "Months", "Messages", box=None, pad_edge=False)
    for one in found.tickets:
        table.add_row(
            f"{one.opened_at:%Y-%m-%d}",
            one.site or "–",
            one.kpi,
            one.rule,
            one.state.replace("_", " "),
            str(one.level),
            one.severity,
            str(one.periods),
            str(one.messages),
        )
    console = Console()
    Console(width=None if console.is_terminal else 200).print(table)
    click.echo(f"{len(found.tickets)} tickets in {found.closes} closes.")
    for role, number in found.messages.items():
        click.echo(f"{number} messages to {role}")
