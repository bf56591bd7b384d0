"""`vendor-mgmt data-task`: figures that somebody has to enter, or that are late."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec

from vendor_mgmt import database, feed_watch
from vendor_mgmt.access import actors
from vendor_mgmt.commands import begin
from vendor_mgmt.errors import Refused
from vendor_mgmt.intake import queries

if TYPE_CHECKING:
    from vendor_mgmt.database import Server


@click.group("data-task")
def command() -> None:
    """List tasks about figures, and close them."""


@command.command("list")
@click.option("--all", "is_all", is_flag=True, help="Also tasks that are closed.")
@click.option("--look", is_flag=True, help="First look at the feeds, as the service does every quarter of an hour.")
@click.option("--json", "as_json", is_flag=True, help="Print the tasks as JSON.")
def list_(*, is_all: bool, look: bool, as_json: bool) -> None:
    r"""List the tasks about figures: those to be entered by hand, and feeds that fell silent, the first due first.

    \b
    Examples:
      vendor-mgmt data-task list
      vendor-mgmt data-task list --look --json

    \b
    Exit codes:
      0  listed (also if there are none)
      3  the database cannot be used
    """
    settings = begin()

    async def read(_: Server) -> list[queries.DataTask]:
        if look:
            await feed_watch.watch()
        async with database.transaction() as connection:
            return await queries.data_tasks(connection, state=None if is_all else "open")

    found = database.run(settings, read)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for task in found:
        click.echo(f"{task.id}  {task.state}  due {task.due_at:%Y-%m-%d %H:%M}  {task.owner} ({task.asked_of})  {task.title}")
    click.echo(f"{len(found)} tasks.")


@command.command("close")
@click.argument("number", type=click.IntRange(1))
@click.option("--note", required=True, help="How it was settled; it stays on record.")
@click.option("--actor", type=click.IntRange(min=1), help="Number of the person. Left out: the service itself.")
def close(number: int, *, note: str, actor: int | None) -> None:
    r"""Close task NUMBER by hand. A feed that is still silent makes a new one.

    \b
    Example:
      vendor-mgmt data-task close 12 --note "the queue was closed for good"

    \b
    Exit codes:
      0  closed
      2  there is no such open task
      3  the database cannot be used
    """
    settings = begin()

    async def work(_: Server) -> int:
        async with database.transaction() as connection:
            by = actor or await actors.service(connection)
            return await queries.close_tasks(connection, [number], datetime.now(UTC), actor=by, note=note)

    if not database.run(settings, work):
        raise Refused(f"There is no open task {number}.")
    click.echo(f"Task {number} closed.")
