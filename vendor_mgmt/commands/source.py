"""`vendor-mgmt source`: check, store and list the documents that say where figures come from."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.table import Table

from contracts.errors import Finding, has_errors, render
from contracts.reading import read
from vendor_mgmt import database
from vendor_mgmt.commands import begin
from vendor_mgmt.errors import Refused
from vendor_mgmt.intake import queries
from vendor_mgmt.intake.source import Source

if TYPE_CHECKING:
    from vendor_mgmt.database import Server

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("source")
def command() -> None:
    """Check, store and list sources of figures."""


@command.command("check")
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check(files: tuple[Path, ...], *, as_json: bool) -> None:
    r"""Find everything that is wrong with source FILES, all at once, each with its line and how to repair it.

    \b
    Example:
      vendor-mgmt source check harbour-daily.yaml

    \b
    Exit codes:
      0  nothing is wrong
      2  there are errors
    """
    findings: list[Finding] = [finding for file in files for finding in read(file.read_bytes(), Source, name=file.name).findings]
    if as_json:
        click.echo(msgspec.json.encode(findings))
    else:
        if findings:
            click.echo(render(findings))
        errors = sum(finding.severity == "error" for finding in findings)
        click.echo(f"{len(files)} read; {errors} errors, {len(findings) - errors} remarks.")
    if has_errors(findings):
        sys.exit(2)


@command.command("save")
@click.argument("files", type=FILE, nargs=-1, required=True)
def save(files: tuple[Path, ...]) -> None:
    r"""Store source FILES, each as a further version if it has changed, with its schedule.

    \b
    Example:
      vendor-mgmt source save sources/*.yaml

    \b
    Exit codes:
      0  stored
      2  a document has errors, or names a vendor that does not exist; nothing was stored
      3  the database cannot be used
    """
    settings = begin()

    async def work(_: Server) -> None:
        async with database.transaction() as connection:
            for file in files:
                try:
                    stored = await queries.save_source(connection, file.read_bytes(), now=datetime.now(UTC))
                except LookupError as error:
                    raise Refused(f"{file}: {error} Agree a contract with the vendor first, or correct `vendor`.") from None
                click.echo(f"{stored.document.source} stored")

    database.run(settings, work)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_(*, as_json: bool) -> None:
    r"""List the sources: how far their data reach, when they were last read, what waits in quarantine.

    \b
    Example:
      vendor-mgmt source list

    \b
    Exit codes:
      0  listed
      3  the database cannot be used
    """
    settings = begin()

    async def work(_: Server) -> list[queries.SourceStanding]:
        async with database.transaction() as connection:
            return await queries.sources(connection)

    found = database.run(settings, work)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    table = Table("source", "last pull", "last success", "data until", "newest day", "in quarantine")
    for one in found:
        success = one.last_success_at.strftime("%Y-%m-%d %H:%M") if one.last_success_at else "never"
        state = (one.last_state or "none yet") if one.enabled else "disabled"
        table.add_row(one.code, state, success, str(one.watermark_on or ""), str(one.newest_on or ""), str(one.open_refused))
    Console().print(table)
