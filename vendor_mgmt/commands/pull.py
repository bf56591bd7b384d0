"""`vendor-mgmt pull`: read a source now."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from vendor_mgmt import database, work
from vendor_mgmt.commands import begin
from vendor_mgmt.errors import Refused
from vendor_mgmt.intake import pull
from vendor_mgmt.intake.queries import NoSuchSource
from vendor_mgmt.jobs.runs import Busy, RunResult

if TYPE_CHECKING:
    from vendor_mgmt.database import Server

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("pull")
@click.argument("source")
@click.option("--from", "from_on", type=DAY, help="First day to read again: a backfill, which never moves the watermark.")
@click.option("--until", "until_on", type=DAY, help="First day not to read. Left out: today in the source's zone.")
@click.option("--reason", help="Why a backfill is made, for the record.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(source: str, *, from_on: datetime | None, until_on: datetime | None, reason: str | None, dry_run: bool, as_json: bool) -> None:
    r"""Read SOURCE now, from where its last complete pull ended, and store what is new.

    Rows that cannot be believed wait in quarantine with their reasons; everything else goes in. Unchanged rows change nothing, so a pull
    may be repeated at will.

    \b
    Examples:
      vendor-mgmt pull harbour-daily
      vendor-mgmt pull harbour-daily --dry-run --json
      vendor-mgmt pull harbour-daily --from 2026-03-01 --until 2026-04-01 --reason "restated by the vendor"

    \b
    Exit codes:
      0  everything that came is stored
      1  some rows were refused, the source was not read to its end or not at all, or it is being pulled already
      2  there is no such source, or an option cannot be used
      3  the database cannot be used
    """
    settings = begin()
    work.prepare(settings)
    request = pull.Request(
        source=source,
        from_=from_on.date() if from_on else None,
        until=until_on.date() if until_on else None,
        reason=reason,
        dry_run=dry_run,
    )

    async def read(_: Server) -> tuple[RunResult, pull.Pulled | None]:
        with Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f} rows"), TimeElapsedColumn(),
            disable=as_json or not sys.stderr.isatty(), transient=True,
        ) as progress:  # fmt: skip
            task = progress.add_task(f"pulling {source}", total=None)

            def told(counts: Mapping[str, Any]) -> None:
                progress.update(task, completed=counts.get("rows_read", 0))

            return await pull.pull_now(request, listener=told)

    try:
        run, pulled = database.run(settings, read)
    except NoSuchSource as error:
        raise Refused(str(error)) from None
    except Busy as error:
        click.echo(error, err=True)
        sys.exit(1)
    if as_json:
        click.echo(msgspec.json.encode({"run": run.id, "state": run.state, "error": run.error, "pull": pulled}))
    else:
        show(run, pulled)
    if run.state != "done" or (pulled is not None and pulled.state != "done"):
        sys.exit(1)


def show(run: RunResult, pulled: pull.Pulled | None) -> None:
    """What a pull did, in a few lines."""
    if pulled is None:
        click.echo(f"Run {run.id} {run.state}: {run.error or 'no reason is known.'}")
        return
    would = "would be " if pulled.is_dry_run else ""
    click.echo(
        f"{pulled.source}: {pulled.rows_read} rows read; {pulled.added} values {would}added, {pulled.changed} changed, "
        f"{pulled.unchanged} unchanged, {pulled.refused} refused."
    )
    for finding in pulled.findings:
        click.echo(f"  {finding}")
    for refusal in pulled.shown:
        click.echo(f"  row {refusal.row_number}: {refusal.reason}")
    if pulled.refused > len(pulled.shown):
        click.echo(f"  … and {pulled.refused - len(pulled.shown)} more: vendor-mgmt quarantine list {pulled.source}")
