"""`vendor-mgmt ticket`: escalation tickets from the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import asyncpg
import click
import msgspec
from rich.console import Console
from rich.table import Table

from contracts.errors import NotFound
from vendor_mgmt import database
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.commands import begin
from vendor_mgmt.escalations import queries, tickets
from vendor_mgmt.escalations.queries import TicketDetail, TicketRow

Result = TypeVar("Result")


@click.group("ticket")
def command() -> None:
    r"""Escalation tickets: list them, show one, acknowledge it.

    \b
    Examples:
      vendor-mgmt ticket list --vendor harbour-cx
      vendor-mgmt ticket show HARBOUR-CX-T0007 --json
      vendor-mgmt ticket ack HARBOUR-CX-T0007 --actor 12 --note "by phone"
    """


@command.command("list")
@click.option("--vendor", help="Tickets of this vendor only, by its code.")
@click.option("--site", help="Tickets of this site only, by its code.")
@click.option("--kpi", help="Tickets about this KPI only.")
@click.option("--dimension", "dimensions", multiple=True, metavar="NAME=VALUE", help="Tickets of this workstream, language … only.")
@click.option("--level", "level_min", type=click.IntRange(min=1), default=1, help="Tickets at this level or above.")
@click.option("--all", "show_all", is_flag=True, help="Closed tickets too.")
@click.option("--limit", type=click.IntRange(min=1), default=200, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def list_tickets(
    vendor: str | None,
    site: str | None,
    kpi: str | None,
    dimensions: tuple[str, ...],
    level_min: int,
    limit: int,
    *,
    show_all: bool,
    as_json: bool,
) -> None:
    r"""List open tickets, those with the earliest deadline first.

    \b
    Example:
      vendor-mgmt ticket list --vendor harbour-cx --dimension workstream=live-stream --level 2

    \b
    Exit codes:
      0  listed, also where there is none
      2  an option cannot be used
      3  the database cannot be used
    """
    wanted = dict(_dimension(each) for each in dimensions)
    rows = _with_connection(
        lambda connection: queries.listed(
            connection,
            _scope(),
            is_open=None if show_all else True,
            vendor=vendor,
            site=site,
            kpi=kpi,
            level_min=level_min,
            dimensions=wanted,
            limit=limit,
        )
    )
    if as_json:
        click.echo(msgspec.json.encode(rows))
    elif not rows:
        click.echo("No tickets.")
    else:
        _print_rows(rows)


@command.command("show")
@click.argument("number")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def show(number: str, *, as_json: bool) -> None:
    r"""Show a ticket, what is due, and everything that happened to it.

    \b
    Example:
      vendor-mgmt ticket show HARBOUR-CX-T0007

    \b
    Exit codes:
      0  shown
      2  there is no such ticket
      3  the database cannot be used
    """
    found = _with_connection(lambda connection: queries.detail(connection, _scope(), number))
    click.echo(msgspec.json.encode(found) if as_json else _text(found))


@command.command("ack")
@click.argument("number")
@click.option("--actor", required=True, type=click.IntRange(min=1), help="Number of the person at the vendor who acknowledges.")
@click.option("--note", default="", help="What was said.")
@click.option("--json", "as_json", is_flag=True, help="Print the ticket as it then is.")
def acknowledge(number: str, actor: int, note: str, *, as_json: bool) -> None:
    r"""Record that the vendor has acknowledged a ticket.

    \b
    Example:
      vendor-mgmt ticket ack HARBOUR-CX-T0007 --actor 12 --note "by phone"

    \b
    Exit codes:
      0  recorded
      1  not possible in the ticket's present state
      2  there is no such ticket or person
      3  the database cannot be used
    """

    async def work(connection: asyncpg.Connection[Any]) -> tickets.Refusal | TicketDetail:
        known = "SELECT EXISTS (SELECT FROM actor WHERE id = $1 AND kind = 'person' AND erased_at IS NULL)"
        if not await connection.fetchval(known, actor):
            raise NotFound(f"there is no person with the number {actor}", "Give the number of somebody at the vendor.")
        by = tickets.Actor(number=actor, side="vendor")
        result = await queries.act(connection, _scope(), number, tickets.Acknowledge(note=note), actor=by, at=datetime.now(UTC))
        return result if isinstance(result, tickets.Refusal) else await queries.detail(connection, _scope(), number)

    result = _with_connection(work)
    if isinstance(result, tickets.Refusal):
        click.echo(str(result), err=True)
        raise click.exceptions.Exit(1)
    click.echo(msgspec.json.encode(result) if as_json else _text(result))


def _scope() -> Scope:
    """Whoever may run commands on this machine holds the database, and with it everything."""
    return Scope.everything(actor=0)


def _with_connection(work: Callable[[asyncpg.Connection[Any]], Awaitable[Result]]) -> Result:
    async def inside(_: database.Server) -> Result:
        async with database.transaction() as connection:
            return await work(connection)

    return database.run(begin(), inside)


def _dimension(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise click.BadParameter(f"{text!r} names no dimension: write for example workstream=live-stream", param_hint="--dimension")
    return name, value


def _print_rows(rows: list[TicketRow]) -> None:
    table = Table("Ticket", "Site", "KPI", "Rule", "State", "Level", "Severity", "Since", "Next due (UTC)", box=None, pad_edge=False)
    for row in rows:
        split = ", ".join(row.dimensions.values())
        table.add_row(
            row.number,
            row.site or "–",
            f"{row.kpi} ({split})" if split else row.kpi,
            row.rule,
            _state(row),
            str(row.level),
            row.severity,
            f"{row.period_from:%Y-%m}",
            f"{row.next_due_at:%Y-%m-%d %H:%M}" if row.next_due_at is not None else "–",
        )
    # A script that reads the table gets every column whole; only a terminal has a width.
    console = Console()
    Console(width=None if console.is_terminal else 200).print(table)


def _state(row: TicketRow) -> str:
    state = row.state.replace("_", " ")
    return f"recovered ({state})" if row.has_recovered else state


def _text(found: TicketDetail) -> str:
    row = found.row
    split = ", ".join(f"{name} {value}" for name, value in row.dimensions.items())
    lines = [
        f"{row.number}: {row.rule}",
        f"{row.kpi} at {row.site or 'all sites'}{f' ({split})' if split else ''}, contract {row.contract}",
        f"{_state(row)}, level {row.level}, {row.severity}, since {row.period_from}, come back {row.recurrence} times",
    ]
    if row.has_recovered:
        lines.append(f"recovered at the close of the period from {row.cleared_from}: close it, or say what is left")
    if row.is_disputed:
        lines.append("disputed by the vendor")
    if found.repeats is not None:
        lines.append(f"repeats {found.repeats}")
    if (reason := tickets.reason_without_deadline(found.ticket)) is not None:
        lines.append(reason)
    lines.append("")
    lines += [f"due {each.local}  {each.name} (calendar {each.calendar}, version {each.calendar_version})" for each in found.deadlines]
    lines.append("")
    lines += [
        f"{each.at:%Y-%m-%d %H:%M}  {each.kind.replace('_', ' ')}{f': {each.reason}' if each.reason else ''}"
        + ("" if each.actor == 0 else f"  (person {each.actor})")
        for each in found.events
    ]
    return "\n".join(lines)
