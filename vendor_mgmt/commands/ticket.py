"""`vendor-mgmt ticket`: escalation tickets from the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import click
import msgspec
from rich.console import Console
from rich.table import Table

from contracts.errors import NotFound
from contracts.reading import read
from vendor_mgmt import database
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.commands import begin
from vendor_mgmt.escalations import plans, queries, tickets
from vendor_mgmt.escalations.queries import TicketDetail, TicketRow
from vendor_mgmt.escalations.tickets import Side

Result = TypeVar("Result")


@click.group("ticket")
def command() -> None:
    r"""Escalation tickets: list them, show one, and do with it what people do.

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
    _act(number, actor, "vendor", tickets.Acknowledge(note=note), as_json=as_json)


ACTOR = click.option("--actor", required=True, type=click.IntRange(min=1), help="Number of the person who does it.")
REASON = click.option("--reason", required=True, help="Why; it stands in the ticket's history for good.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print the ticket as it then is.")
SIDE = click.option("--side", type=click.Choice(["vendor", "client"]), required=True, help="The side the person stands on.")


@command.command("plan")
@click.argument("number")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@ACTOR
@JSON
def submit_plan(number: str, file: Path, actor: int, *, as_json: bool) -> None:
    r"""Hand in the vendor's corrective action plan, a YAML or JSON document.

    What is missing in it sends it back at once, all findings together; remarks go with it to the person who decides.

    \b
    Example of a document:
      root_cause: Two queues were merged and the guide was not.
      containment: A second reviewer looks at every decision of the merged queue.
      actions:
        - {text: Rewrite the guide, owner: vendor.quality, due_on: 2026-05-04}
      success: {kpi: accuracy, good_periods: 3}

    \b
    Example:
      vendor-mgmt ticket plan HARBOUR-CX-T0007 plan.yaml --actor 12

    \b
    Exit codes:
      0  handed in; the client decides
      1  not possible in the ticket's present state, or something is missing in the plan
      2  the document cannot be read, or there is no such ticket or person
      3  the database cannot be used
    """
    plan = read(file.read_bytes(), plans.Plan, name=file.name).required()
    _act(number, actor, "vendor", tickets.SubmitPlan(plan=plan), as_json=as_json)


@command.command("approve")
@click.argument("number")
@ACTOR
@click.option("--note", default="", help="What was said.")
@JSON
def approve(number: str, actor: int, note: str, *, as_json: bool) -> None:
    r"""Approve the plan, for the client. Whoever wrote it cannot.

    \b
    Example:
      vendor-mgmt ticket approve HARBOUR-CX-T0007 --actor 21

    \b
    Exit codes:
      0  approved
      1  not possible in the ticket's present state, or for this person
      2  there is no such ticket or person
      3  the database cannot be used
    """
    _act(number, actor, "client", tickets.ApprovePlan(note=note), as_json=as_json)


@command.command("reject")
@click.argument("number")
@ACTOR
@REASON
@JSON
def reject(number: str, actor: int, reason: str, *, as_json: bool) -> None:
    r"""Send the plan back, for the client, with a reason.

    \b
    Example:
      vendor-mgmt ticket reject HARBOUR-CX-T0007 --actor 21 --reason "the cause is a symptom"

    \b
    Exit codes:
      0  sent back
      1  not possible in the ticket's present state
      2  there is no such ticket or person
      3  the database cannot be used
    """
    _act(number, actor, "client", tickets.RejectPlan(reason=reason), as_json=as_json)


@command.command("start")
@click.argument("number")
@ACTOR
@SIDE
@JSON
def start(number: str, actor: int, side: Side, *, as_json: bool) -> None:
    r"""Record that work on the approved plan has begun.

    \b
    Example:
      vendor-mgmt ticket start HARBOUR-CX-T0007 --actor 12 --side vendor

    \b
    Exit codes:
      0  recorded
      1  not possible in the ticket's present state
      2  there is no such ticket or person
      3  the database cannot be used
    """
    _act(number, actor, side, tickets.StartWork(), as_json=as_json)


@command.command("done")
@click.argument("number")
@click.argument("action", type=click.IntRange(min=1))
@ACTOR
@SIDE
@click.option("--on", "done_on", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The day it was done.")
@click.option("--evidence", required=True, help="A case number or a link; no moderated content.")
@JSON
def action_done(number: str, action: int, actor: int, side: Side, done_on: datetime, evidence: str, *, as_json: bool) -> None:
    r"""Record that an action of the plan, counted from 1, is done, and by what one sees it.

    \b
    Example:
      vendor-mgmt ticket done HARBOUR-CX-T0007 1 --actor 12 --side vendor --on 2026-05-04 --evidence CASE-881

    \b
    Exit codes:
      0  recorded
      1  not possible in the ticket's present state, or there is no such action
      2  there is no such ticket or person
      3  the database cannot be used
    """
    event = tickets.ActionDone(index=action - 1, done_on=done_on.date(), evidence=evidence)
    _act(number, actor, side, event, as_json=as_json)


@command.command("implemented")
@click.argument("number")
@ACTOR
@SIDE
@JSON
def implemented(number: str, actor: int, side: Side, *, as_json: bool) -> None:
    r"""Record that the plan is carried out. The ticket closes by itself when the KPI has proved it effective.

    \b
    Example:
      vendor-mgmt ticket implemented HARBOUR-CX-T0007 --actor 12 --side vendor

    \b
    Exit codes:
      0  recorded
      1  not possible in the ticket's present state, or an action is not done
      2  there is no such ticket or person
      3  the database cannot be used
    """
    _act(number, actor, side, tickets.Implement(), as_json=as_json)


@command.command("hold")
@click.argument("number")
@ACTOR
@click.option("--until", required=True, type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]), help="When it ends, in UTC.")
@REASON
@JSON
def hold(number: str, actor: int, until: datetime, reason: str, *, as_json: bool) -> None:
    r"""Let the clocks stand still until a moment, for the client.

    \b
    Example:
      vendor-mgmt ticket hold HARBOUR-CX-T0007 --actor 21 --until 2026-05-04 --reason "tool outage, vendor waits for us"

    \b
    Exit codes:
      0  held
      1  not possible in the ticket's present state, or the moment has passed
      2  there is no such ticket or person
      3  the database cannot be used
    """
    _act(number, actor, "client", tickets.Hold(until=until.replace(tzinfo=UTC), reason=reason), as_json=as_json)


@command.command("release")
@click.argument("number")
@ACTOR
@click.option("--reason", default="", help="Why it ends early.")
@JSON
def release(number: str, actor: int, reason: str, *, as_json: bool) -> None:
    r"""End a hold before its time, for the client.

    \b
    Example:
      vendor-mgmt ticket release HARBOUR-CX-T0007 --actor 21

    \b
    Exit codes:
      0  released
      1  the ticket is not held
      2  there is no such ticket or person
      3  the database cannot be used
    """
    _act(number, actor, "client", tickets.ReleaseHold(reason=reason), as_json=as_json)


@command.command("raise")
@click.argument("number")
@click.argument("level", type=click.IntRange(min=2))
@ACTOR
@REASON
@JSON
def raise_level(number: str, level: int, actor: int, reason: str, *, as_json: bool) -> None:
    r"""Take a ticket to a higher level by hand, for the client.

    \b
    Example:
      vendor-mgmt ticket raise HARBOUR-CX-T0007 3 --actor 21 --reason "press asks"

    \b
    Exit codes:
      0  raised
      1  not possible in the ticket's present state, or there is no such higher level
      2  there is no such ticket or person
      3  the database cannot be used
    """
    _act(number, actor, "client", tickets.RaiseLevel(level=level, reason=reason), as_json=as_json)


@command.command("lower")
@click.argument("number")
@click.argument("level", type=click.IntRange(min=1))
@ACTOR
@REASON
@JSON
def lower_level(number: str, level: int, actor: int, reason: str, *, as_json: bool) -> None:
    r"""Take a ticket to a lower level by hand, for the client.

    \b
    Example:
      vendor-mgmt ticket lower HARBOUR-CX-T0007 1 --actor 21 --reason "the director has it in hand"

    \b
    Exit codes:
      0  lowered
      1  not possible in the ticket's present state, or it is no lower level
      2  there is no such ticket or person
      3  the database cannot be used
    """
    _act(number, actor, "client", tickets.LowerLevel(level=level, reason=reason), as_json=as_json)


@command.command("dispute")
@click.argument("number")
@ACTOR
@REASON
@JSON
def dispute(number: str, actor: int, reason: str, *, as_json: bool) -> None:
    r"""Record that the vendor disputes a ticket. The clocks go on, and a plan is still due.

    \b
    Example:
      vendor-mgmt ticket dispute HARBOUR-CX-T0007 --actor 12 --reason "two days were an outage of the client's tool"

    \b
    Exit codes:
      0  recorded
      1  not possible in the ticket's present state, or it is disputed already
      2  there is no such ticket or person
      3  the database cannot be used
    """
    _act(number, actor, "vendor", tickets.Dispute(reason=reason), as_json=as_json)


@command.command("settle")
@click.argument("number")
@ACTOR
@click.option("--outcome", type=click.Choice(["upheld", "turned-down"]), required=True, help="Whether the vendor was right.")
@REASON
@JSON
def settle(number: str, actor: int, outcome: str, reason: str, *, as_json: bool) -> None:
    r"""Decide a dispute, for the client.

    \b
    Example:
      vendor-mgmt ticket settle HARBOUR-CX-T0007 --actor 21 --outcome turned-down --reason "the outage was at another site"

    \b
    Exit codes:
      0  settled
      1  the ticket is not disputed
      2  there is no such ticket or person
      3  the database cannot be used
    """
    _act(number, actor, "client", tickets.SettleDispute(is_upheld=outcome == "upheld", reason=reason), as_json=as_json)


@command.command("close")
@click.argument("number")
@ACTOR
@REASON
@JSON
def close(number: str, actor: int, reason: str, *, as_json: bool) -> None:
    r"""End a ticket by decision, for the client.

    One whose plan proves effective closes by itself; this is for the others, and the history says so.

    \b
    Example:
      vendor-mgmt ticket close HARBOUR-CX-T0007 --actor 21 --reason "recovered, agreed in the monthly review"

    \b
    Exit codes:
      0  ended
      1  it is closed already
      2  there is no such ticket or person
      3  the database cannot be used
    """
    _act(number, actor, "client", tickets.Cancel(reason=reason), as_json=as_json)


@command.command("comment")
@click.argument("number")
@click.argument("text")
@ACTOR
@SIDE
@JSON
def comment(number: str, text: str, actor: int, side: Side, *, as_json: bool) -> None:
    r"""Add a remark to a ticket's history. It changes nothing else.

    \b
    Example:
      vendor-mgmt ticket comment HARBOUR-CX-T0007 "the new guide is out" --actor 12 --side vendor

    \b
    Exit codes:
      0  added
      1  the ticket is closed, or the text is empty
      2  there is no such ticket or person
      3  the database cannot be used
    """
    _act(number, actor, side, tickets.Comment(text=text), as_json=as_json)


def _act(number: str, actor: int, side: Side, event: tickets.Event, *, as_json: bool) -> None:
    async def work(connection: asyncpg.Connection[Any]) -> tickets.Refusal | TicketDetail:
        known = "SELECT EXISTS (SELECT FROM actor WHERE id = $1 AND kind = 'person' AND erased_at IS NULL)"
        if not await connection.fetchval(known, actor):
            raise NotFound(f"there is no person with the number {actor}", f"Give the number of somebody on the {side}'s side.")
        by = tickets.Actor(number=actor, side=side)
        result = await queries.act(connection, _scope(), number, event, actor=by, at=datetime.now(UTC))
        return result if isinstance(result, tickets.Refusal) else await queries.detail(connection, _scope(), number)

    result = _with_connection(work)
    if isinstance(result, tickets.Refusal):
        click.echo(str(result), err=True)
        for finding in result.findings:
            click.echo(finding, err=True)
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
