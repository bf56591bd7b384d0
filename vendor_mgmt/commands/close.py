"""`vendor-mgmt close`: judge ended periods and draft their scorecards."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from vendor_mgmt import database
from vendor_mgmt.commands import begin

if TYPE_CHECKING:
    from vendor_mgmt.period_close import Closed


@click.command("close")
@click.argument("contracts", nargs=-1)
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Only periods that end after this day, and everything after them.")
@click.option("--json", "as_json", is_flag=True, help="Print what became of each scorecard.")
def command(contracts: tuple[str, ...], since: datetime | None, *, as_json: bool) -> None:
    r"""Close the ended periods of CONTRACTS (not given: of all of them): measure, score, price, draft scorecards, raise tickets.

    Closing again changes nothing unless the figures changed: a draft is then refreshed, and a scorecard that was issued
    gets a revision.

    \b
    Examples:
      vendor-mgmt close
      vendor-mgmt close IB-2026-03 --since 2026-03-01

    \b
    Exit codes:
      0  closed
      2  there is no such contract
      3  the database cannot be used
    """
    settings = begin()

    from contracts import agreements  # noqa: PLC0415 - help needs no database
    from vendor_mgmt import closing  # noqa: PLC0415

    async def work(_server: object) -> list[Closed]:
        at = datetime.now(UTC)
        async with database.transaction() as connection:
            codes = list(contracts) or [row.code for row in await agreements.contracts(connection)]
        closed: list[Closed] = []
        with Progress(console=Console(stderr=True), disable=as_json) as progress:
            for code in codes:
                due = await closing.periods_of(code, at)
                task = progress.add_task(code, total=len(due))
                closed += await closing.close_contract(
                    code,
                    at=at,
                    since=since.date() if since else None,
                    on_closed=lambda _done, task=task: progress.advance(task),  # type: ignore[misc]
                )
        return closed

    closed = database.run(settings, work)
    if as_json:
        click.echo(msgspec.json.encode(closed))
        return
    table = Table("contract", "period", "drafted", "refreshed", "revised", "unchanged", "tickets")
    for one in closed:
        outcomes = [saved.outcome for saved in one.saved]
        counts = [str(outcomes.count(kind)) for kind in ("drafted", "refreshed", "revised", "unchanged")]
        table.add_row(one.contract, str(one.period_from), *counts, str(len(one.tickets.opened)))
    Console().print(table)
