"""`vendor-mgmt migrate`: bring the database up to date, or write a migration."""

from __future__ import annotations

import asyncio

import click
import msgspec

from vendor_mgmt import database, migrating
from vendor_mgmt.commands import begin
from vendor_mgmt.errors import Refused


@click.group("migrate", invoke_without_command=True)
@click.option("--check", is_flag=True, help="Change nothing; list what would be applied and exit with 1 if there is anything.")
@click.option("--json", "as_json", is_flag=True, help='Print {"applied": [...], "pending": [...]}.')
@click.pass_context
def command(context: click.Context, *, check: bool, as_json: bool) -> None:
    r"""Bring the database up to date.

    Works on the server in DATABASE_URL (or VENDOR_MGMT_OWNER_DATABASE_URL), or on the embedded database. Any number of processes may
    run it at once: they take turns. Each migration is applied entirely or not at all.

    \b
    Examples:
      vendor-mgmt migrate
      vendor-mgmt migrate --check --json
      vendor-mgmt migrate new contracts --description "Add a region to vendors"

    \b
    Exit codes:
      0  up to date
      1  with --check: something is pending
      2  a setting or an option cannot be used
      3  the database cannot be used
    """
    if context.invoked_subcommand is not None:
        return
    settings = begin()
    with database.server(settings) as server:
        if check:
            applied, pending = [], asyncio.run(migrating.pending(server.owner_url))
        else:
            applied, pending = asyncio.run(migrating.migrate(server.owner_url)), []
    if as_json:
        click.echo(msgspec.json.encode({"applied": applied, "pending": pending}))
    else:
        for name in applied:
            click.echo(f"applied {name}")
        for name in pending:
            click.echo(f"pending {name}")
        if not applied and not pending:
            click.echo("The database is up to date.")
    if pending:
        context.exit(1)


@command.command("new")
@click.argument("app", type=click.Choice(["contracts", "scorecards", "vendor_mgmt"]))
@click.option("--description", required=True, help="What it does, as a command: `Add a region to vendors`.")
@click.option("--sql", "is_sql", is_flag=True, help="Write an empty frame for SQL (indexes, triggers, row security) instead.")
def new(app: str, description: str, *, is_sql: bool) -> None:
    r"""Write the migration that takes APP's database to its tables in the code. Needs no database.

    Read what was written before committing it. A renamed column looks like one dropped and one added: at a terminal it asks.

    \b
    Example:
      vendor-mgmt migrate new scorecards --description "Keep the reason of a revision"

    \b
    Exit codes:
      0  written, or nothing to write
      2  the app or the description cannot be used
    """
    if '"' in description or "'" in description or "\\" in description:
        raise Refused(f"The description {description!r} is written into a Python file: leave out quotation marks and backslashes.")
    file = migrating.write_new(app, description, empty=is_sql)
    click.echo(f"Nothing to do: the migrations of {app} describe its tables." if file is None else f"Wrote {file}")
