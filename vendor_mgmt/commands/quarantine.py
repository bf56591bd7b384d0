"""`vendor-mgmt quarantine`: rows that were not believed, and what becomes of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import msgspec

from vendor_mgmt import database, work
from vendor_mgmt.access import actors
from vendor_mgmt.commands import begin
from vendor_mgmt.commands.pull import show
from vendor_mgmt.errors import Refused
from vendor_mgmt.intake import pull, queries
from vendor_mgmt.intake.queries import NoSuchSource
from vendor_mgmt.jobs.runs import Busy, RunResult

if TYPE_CHECKING:
    from vendor_mgmt.database import Server


@click.group("quarantine")
def command() -> None:
    """List refused rows, repair them, and map them anew."""


@command.command("list")
@click.argument("source", required=False)
@click.option("--all", "is_all", is_flag=True, help="Also rows that have been settled.")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="How many to list at most.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def list_(source: str | None, *, is_all: bool, limit: int, as_json: bool) -> None:
    r"""List the rows that wait in quarantine, of SOURCE or of all sources, each with its reason and what it said.

    \b
    Example:
      vendor-mgmt quarantine list harbour-daily --json

    \b
    Exit codes:
      0  listed (also if there are none)
      3  the database cannot be used
    """
    settings = begin()

    async def read(_: Server) -> list[queries.RefusedRow]:
        async with database.transaction() as connection:
            return await queries.refused_rows(connection, source, state=None if is_all else "open", limit=limit)

    found = database.run(settings, read)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for row in found:
        click.echo(f"{row.id}  {row.source} pull {row.pull} row {row.row_number}  {row.state}  {row.check}: {row.reason}")
        click.echo(f"      {msgspec.json.encode(row.raw_row).decode()}")
    click.echo(f"{len(found)} rows.")


@command.command("replay")
@click.argument("source")
@click.option("--row", "rows", type=int, multiple=True, help="Number of a row, as `quarantine list` shows it. Left out: all of them.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def replay(source: str, *, rows: tuple[int, ...], as_json: bool) -> None:
    r"""Map the rows in SOURCE's quarantine anew, with its document and codes of today, and store those that are right now.

    \b
    Example:
      vendor-mgmt quarantine replay harbour-daily

    \b
    Exit codes:
      0  all of them went in
      1  some are still refused, or the source is being pulled
      2  there is no such source
      3  the database cannot be used
    """
    _carry_out(pull.Repair(source=source, rows=list(rows) or None), as_json=as_json)


@command.command("repair")
@click.argument("source")
@click.option("--row", "rows", type=int, multiple=True, help="Number of a row, as `quarantine list` shows it. Left out: all of them.")
@click.option("--set", "written", multiple=True, metavar="COLUMN=VALUE", help="Write VALUE into a column of the rows named.")
@click.option("--map", "renamed", multiple=True, metavar="COLUMN:THEIRS=OURS", help="Where COLUMN says THEIRS, it means OURS.")
@click.option("--accept", is_flag=True, help="Let the rows in against the check that refused them.")
@click.option("--reason", required=True, help="Why this is right; it stays on record with the row.")
@click.option("--actor", type=click.IntRange(min=1), help="Number of the person who repairs. Left out: the service itself.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def repair(
    source: str,
    *,
    rows: tuple[int, ...],
    written: tuple[str, ...],
    renamed: tuple[str, ...],
    accept: bool,
    reason: str,
    actor: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    r"""Correct rows in SOURCE's quarantine and store those that are right then. The rows themselves stay on record as they came.

    A word that will come again belongs into the source's code list; then `quarantine replay` takes in what waits.

    \b
    Examples:
      vendor-mgmt quarantine repair harbour-daily --map site:MAD=madrid-1 --reason "they renamed it"
      vendor-mgmt quarantine repair harbour-daily --row 12 --set audited=95 --reason "mail of 3 March"
      vendor-mgmt quarantine repair harbour-daily --row 12 --accept --reason "the campaign did triple the volume"

    \b
    Exit codes:
      0  all of them went in
      1  some are still refused, or the source is being pulled
      2  there is no such source, or the repair makes no sense
      3  the database cannot be used
    """
    if not (written or renamed or accept):
        raise click.UsageError("Say what to repair: --set, --map or --accept.")
    wanted = pull.Repair(
        source=source,
        rows=list(rows) or None,
        set=dict(_parts(word, "=") for word in written),
        map=[_renamed(word) for word in renamed],
        accept=accept,
        reason=reason,
        actor=actor,
        dry_run=dry_run,
    )
    _carry_out(wanted, as_json=as_json)


def _renamed(word: str) -> pull.Renamed:
    column, words = _parts(word, ":")
    theirs, ours = _parts(words, "=")
    return pull.Renamed(column=column, theirs=theirs, ours=ours)


def _parts(word: str, between: str) -> tuple[str, str]:
    before, found, after = word.partition(between)
    if not found or not before.strip():
        raise click.UsageError(f"{word!r} has no {between!r} with a name in front of it.")
    return before.strip(), after.strip()


def _carry_out(repair: pull.Repair, *, as_json: bool) -> None:
    settings = begin()
    work.prepare(settings)

    async def map_anew(_: Server) -> tuple[RunResult, pull.Pulled | None]:
        async with database.transaction() as connection:
            actor = repair.actor or await actors.service(connection)
        return await pull.repair_now(msgspec.structs.replace(repair, actor=actor), created_by=actor)

    try:
        run, pulled = database.run(settings, map_anew)
    except (NoSuchSource, pull.CannotRepair) as error:
        raise Refused(str(error)) from None
    except Busy as error:
        click.echo(error, err=True)
        sys.exit(1)
    if as_json:
        click.echo(msgspec.json.encode({"run": run.id, "state": run.state, "error": run.error, "pull": pulled}))
    else:
        show(run, pulled)
    if run.state != "done":
        sys.exit(1)
