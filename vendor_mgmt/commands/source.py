"""`vendor-mgmt source`: check, store and list the documents that say where figures come from."""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contracts.errors import Finding, has_errors, render
from contracts.reading import Reading, read
from vendor_mgmt import database, work
from vendor_mgmt.access import actors
from vendor_mgmt.commands import begin
from vendor_mgmt.commands.pull import show
from vendor_mgmt.errors import Refused
from vendor_mgmt.intake import handing_in, preview, pull, queries
from vendor_mgmt.intake.queries import NoSuchSource
from vendor_mgmt.intake.readers.page import ReadingFailed
from vendor_mgmt.intake.source import Draft, Source
from vendor_mgmt.jobs.runs import Busy, RunResult

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


@command.command("preview")
@click.argument("file", type=FILE)
@click.option("--rows", "rows_max", type=click.IntRange(1, 500), default=20, show_default=True, help="How many rows to look at.")
@click.option("--json", "as_json", is_flag=True, help="Print the preview as JSON.")
def preview_(file: Path, *, rows_max: int, as_json: bool) -> None:
    r"""Look at what the source document FILE would bring, before anything is pulled: the first rows, and what would be stored and refused.

    With a document that has no `mapping` yet, a mapping is proposed. Nothing is stored.

    \b
    Examples:
      vendor-mgmt source preview harbour-daily.yaml
      vendor-mgmt source preview draft.yaml --json

    \b
    Exit codes:
      0  shown, and nothing would be refused
      1  shown; some rows would be refused, or the source cannot be read
      2  the document has errors
      3  the database cannot be used
    """
    settings = begin()
    work.prepare(settings)
    text = file.read_bytes()
    has_mapping = re.search(rb"^mapping\s*:", text, re.MULTILINE) is not None
    reading: Reading[Source] | Reading[Draft] = read(text, Source, name=file.name) if has_mapping else read(text, Draft, name=file.name)
    if has_errors(reading.findings):
        click.echo(render(reading.findings), err=True)
        sys.exit(2)
    document = reading.required()

    async def look(_: Server) -> preview.Preview:
        if isinstance(document, Source):
            return await preview.preview(document, rows_max=rows_max)
        return await preview.propose(document, rows_max=rows_max)

    try:
        found = database.run(settings, look)
    except ReadingFailed as error:
        click.echo(error.reason, err=True)
        sys.exit(1)
    if as_json:
        click.echo(msgspec.json.encode(found, enc_hook=str))
    else:
        _show_preview(found)
    if found.refused:
        sys.exit(1)


def _show_preview(found: preview.Preview) -> None:
    console = Console()
    if found.rows:
        columns = list(dict.fromkeys(name for row in found.rows for name in row))
        table = Table("row", *columns, title="As it comes")
        for number, row in enumerate(found.rows[:10], 1):
            table.add_row(str(number), *(escape(str(row.get(name, ""))) for name in columns))
        console.print(table)
    if found.values:
        stored = Table("row", "site", "measure", "dimensions", "span", "value", title="As it would be stored")
        for value in found.values[:30]:
            dimensions = ", ".join(f"{name} {word}" for name, word in value.dimensions.items())
            span = str(value.starts_at or value.starts_on)
            stored.add_row(str(value.row_number), value.site, value.measure, dimensions, span, value.value or "(missing)")
        console.print(stored)
    for refusal in found.refused:
        click.echo(f"row {refusal.row_number} would be refused: {refusal.reason}")
    for remark in found.remarks:
        click.echo(remark)
    if found.proposal is not None:
        click.echo()
        click.echo(yaml.safe_dump({"mapping": found.proposal.mapping}, sort_keys=False, allow_unicode=True).rstrip())
        if found.proposal.codes:
            click.echo(yaml.safe_dump({"codes": found.proposal.codes}, sort_keys=False, allow_unicode=True).rstrip())


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

    async def store(_: Server) -> None:
        async with database.transaction() as connection:
            for file in files:
                try:
                    stored = await queries.save_source(connection, file.read_bytes(), now=datetime.now(UTC))
                except LookupError as error:
                    raise Refused(f"{file}: {error} Agree a contract with the vendor first, or correct `vendor`.") from None
                click.echo(f"{stored.document.source} stored")

    database.run(settings, store)


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

    async def read_all(_: Server) -> list[queries.SourceStanding]:
        async with database.transaction() as connection:
            return await queries.sources(connection)

    found = database.run(settings, read_all)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    table = Table("source", "last pull", "last success", "data until", "newest day", "in quarantine")
    for one in found:
        success = one.last_success_at.strftime("%Y-%m-%d %H:%M") if one.last_success_at else "never"
        state = (one.last_state or "none yet") if one.enabled else "disabled"
        table.add_row(one.code, state, success, str(one.watermark_on or ""), str(one.newest_on or ""), str(one.open_refused))
    Console().print(table)


@command.command("upload")
@click.argument("source")
@click.argument("file", type=FILE)
@click.option("--actor", type=click.IntRange(min=1), help="Number of the person who hands it in. Left out: the service itself.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def upload(source: str, file: Path, *, actor: int | None, as_json: bool) -> None:
    r"""Hand in FILE (.csv, .tsv, .jsonl or .xlsx) to SOURCE, a source whose reader is `manual`. It closes the source's open task.

    \b
    Example:
      vendor-mgmt source upload harbour-csat march.xlsx

    \b
    Exit codes:
      0  everything in it is stored
      1  some rows were refused, or the source is being pulled
      2  there is no such source, it is not filled by hand, or the file cannot be read or was handed in before
      3  the database cannot be used
    """

    async def hand_in(by: int) -> tuple[RunResult, pull.Pulled | None]:
        return await handing_in.upload(source, file, actor=by)

    _hand_in(hand_in, actor=actor, as_json=as_json)


@command.command("enter")
@click.argument("source")
@click.argument("cells", nargs=-1, required=True, metavar="COLUMN=VALUE...")
@click.option("--actor", type=click.IntRange(min=1), help="Number of the person who enters it. Left out: the service itself.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def enter(source: str, cells: tuple[str, ...], *, actor: int | None, as_json: bool) -> None:
    r"""Enter one row of figures into SOURCE, a source whose reader is `manual`. It closes the source's open task.

    \b
    Example:
      vendor-mgmt source enter harbour-csat site=lisbon-1 month=2026-03-01 answers=212 satisfied=188

    \b
    Exit codes:
      0  it is stored
      1  it was refused, or the source is being pulled
      2  there is no such source, it is not filled by hand, or it has no such column
      3  the database cannot be used
    """
    if wrong := [cell for cell in cells if "=" not in cell]:
        raise click.UsageError(f"{wrong[0]!r} is not written as COLUMN=VALUE.")
    row = dict(cell.split("=", 1) for cell in cells)

    async def hand_in(by: int) -> tuple[RunResult, pull.Pulled | None]:
        return await handing_in.enter(source, row, actor=by)

    _hand_in(hand_in, actor=actor, as_json=as_json)


def _hand_in(hand_in: Callable[[int], Awaitable[tuple[RunResult, pull.Pulled | None]]], *, actor: int | None, as_json: bool) -> None:
    settings = begin()
    work.prepare(settings)

    async def carry_out(_: Server) -> tuple[RunResult, pull.Pulled | None]:
        async with database.transaction() as connection:
            by = actor or await actors.service(connection)
        return await hand_in(by)

    try:
        run, pulled = database.run(settings, carry_out)
    except (NoSuchSource, handing_in.Unreadable, ReadingFailed) as error:
        raise Refused(str(error)) from None
    except queries.WasHandedIn:
        raise Refused("This file was handed in before; nothing changes.") from None
    except Busy as error:
        click.echo(error, err=True)
        sys.exit(1)
    if as_json:
        click.echo(msgspec.json.encode({"run": run.id, "state": run.state, "error": run.error, "pull": pulled}))
    else:
        show(run, pulled)
    if run.state != "done":
        sys.exit(1)
