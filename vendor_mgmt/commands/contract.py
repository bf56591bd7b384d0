"""`vendor-mgmt contract`: check a document, agree it, show what is agreed."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from contracts.checking import check as check_meaning
from contracts.document import Contract
from contracts.errors import Finding, has_errors, render
from contracts.including import read_contract, text_to_agree
from contracts.reading import Reading
from vendor_mgmt.commands import begin, contract_grid, contract_words
from vendor_mgmt.commands.contract_files import beside

if TYPE_CHECKING:
    from contracts.agreements import Agreed

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("contract")
def command() -> None:
    """Check, agree and show contracts."""


@command.command("check")
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check(files: tuple[Path, ...], *, as_json: bool) -> None:
    r"""Find everything that is wrong with contract FILES, all at once, each with its line and how to repair it.

    Runs the worked examples that the documents contain.

    \b
    Example:
      vendor-mgmt contract check iberia.yaml

    \b
    Exit codes:
      0  nothing stops them from being agreed; warnings may be shown
      2  there are errors
    """
    findings = [finding for file in files for finding in findings_of(file)[1]]
    if as_json:
        click.echo(msgspec.json.encode(findings))
    elif findings:
        click.echo(render(findings))
    if not as_json:
        errors = sum(finding.severity == "error" for finding in findings)
        click.echo(f"{len(files)} read; {errors} errors, {len(findings) - errors} remarks.")
    if has_errors(findings):
        sys.exit(2)


def findings_of(file: Path) -> tuple[Contract | None, list[Finding]]:
    """A contract file and everything that is to be said about it: form, meaning, and its own examples."""
    reading: Reading[Contract] = read_contract(file.read_bytes(), name=file.name, files=beside(file))
    findings = list(reading.findings)
    if reading.partial is not None:
        findings += reading.locate(check_meaning(reading.partial))
    if reading.document is not None and not has_errors(findings):
        findings += reading.locate(_examples(reading.document, file))
    return reading.document, findings


def _examples(contract: Contract, file: Path) -> list[Finding]:
    if not contract.examples:
        return []
    from scorecards.examples import run_example  # noqa: PLC0415 - a document without examples needs no scoring
    from vendor_mgmt.commands.score import calendars_of  # noqa: PLC0415 - the same

    calendars = calendars_of(contract, file)
    return [
        Finding("error", f"$.examples[{index}]", f"{example.name}: {difference}", "Correct the example, or the terms.")
        for index, example in enumerate(contract.examples)
        for difference in run_example(contract, example, calendars)[1]
    ]


@command.command("schema")
@click.option("--reference", "as_reference", is_flag=True, help="Print every field with its meaning as Markdown instead.")
def schema(*, as_reference: bool) -> None:
    r"""Print the contract language as JSON Schema, so that an editor completes and checks while you type.

    \b
    Example:
      vendor-mgmt contract schema > contract.schema.json
      # and as the first line of a contract:
      # yaml-language-server: $schema=contract.schema.json

    \b
    Exit codes:
      0  printed
    """
    from contracts import json_schema  # noqa: PLC0415 - only this command needs it

    if as_reference:
        click.echo(json_schema.reference(Contract), nl=False)
        return
    document = json_schema.schema(Contract, id="urn:vendor-mgmt:contract", title="Outsourcing contract")
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


@command.command("agree")
@click.argument("file", type=FILE)
@click.option("--reason", help="Why this version, for the record.")
@click.option("--json", "as_json", is_flag=True, help="Print the stored version.")
def agree(file: Path, reason: str | None, *, as_json: bool) -> None:
    r"""Store FILE as an agreed version: it holds from its first day on and is never changed.

    Agreeing here confirms that the document says what the executed contract says; it concludes no contract.

    \b
    Example:
      vendor-mgmt contract agree iberia.yaml --reason "Annex 2 as signed on 12 February"

    \b
    Exit codes:
      0  agreed
      2  the document has errors, or another version is in the way
      3  the database cannot be used
    """
    document, findings = findings_of(file)
    if document is None or has_errors(findings):
        click.echo(render(findings), err=True)
        sys.exit(2)
    settings = begin()

    from contracts import agreements  # noqa: PLC0415 - checking needs no database
    from vendor_mgmt import database  # noqa: PLC0415
    from vendor_mgmt.access import actors  # noqa: PLC0415

    text = text_to_agree(file.read_bytes(), document)

    async def store(_server: object) -> Agreed:
        async with database.transaction() as connection:
            return await agreements.agree(
                connection,
                document,
                text,
                at=datetime.now(UTC),
                actor=await actors.service(connection),
                reason=reason,
            )

    agreed = database.run(settings, store)
    if as_json:
        click.echo(msgspec.json.encode({"contract": document.contract, "number": agreed.number, "sha256": agreed.sha256}))
    else:
        click.echo(f"{document.contract} version {agreed.number} holds from {agreed.in_force_from} (SHA-256 {agreed.sha256}).")


@command.command("show")
@click.argument("code", required=False)
@click.option("--on", "on_day", type=click.DateTime(["%Y-%m-%d"]), help="The version in force on this day; not given, today.")
@click.option("--json", "as_json", is_flag=True, help="Print a list, or with CODE the document, as JSON.")
def show(code: str | None, on_day: datetime | None, *, as_json: bool) -> None:
    r"""List the agreed contracts, or print the version of CODE that is in force.

    \b
    Examples:
      vendor-mgmt contract show
      vendor-mgmt contract show IB-2026-03 --on 2026-04-01

    \b
    Exit codes:
      0  shown
      2  there is no such contract, or none of its versions holds on that day
      3  the database cannot be used
    """
    settings = begin()

    from contracts import agreements  # noqa: PLC0415 - help needs no database
    from contracts.errors import NotInForce  # noqa: PLC0415
    from contracts.reading import write  # noqa: PLC0415
    from vendor_mgmt import database  # noqa: PLC0415

    day = (on_day or datetime.now(UTC)).date()

    async def listing(_server: object) -> list[dict[str, object]]:
        async with database.transaction() as connection:
            rows: list[dict[str, object]] = []
            for row in await agreements.contracts(connection):
                held = await agreements.versions(connection, row.lineage)
                rows.append(
                    {
                        "contract": row.code,
                        "title": row.title,
                        "vendor": row.vendor_name,
                        "versions": [
                            {"number": one.number, "from": one.in_force_from, "until": one.in_force_until} for one in held
                        ],
                    }
                )
            return rows

    async def one(_server: object) -> Contract:
        async with database.transaction() as connection:
            row = await agreements.contract(connection, code or "")
            for held in await agreements.versions(connection, row.lineage):
                if held.in_force_from <= day and (held.in_force_until is None or day < held.in_force_until):
                    return held.document
        message = f"no version of {code} holds on {day}"
        raise NotInForce(message, "Ask for another day, or agree a version that covers it.")

    if code is not None:
        click.echo(write(database.run(settings, one)).decode())
        return
    rows = database.run(settings, listing)
    if as_json:
        click.echo(msgspec.json.encode(rows))
        return
    for row in rows:
        spans = ", ".join(f"{v['number']} from {v['from']}" for v in row["versions"])  # type: ignore[attr-defined]
        click.echo(f"{row['contract']}  {row['title']}  ({row['vendor']}): version {spans}")
    if not rows:
        click.echo("No contract is agreed. `vendor-mgmt contract agree FILE` stores one.")


command.add_command(contract_grid.from_xlsx)
command.add_command(contract_grid.to_xlsx)
command.add_command(contract_grid.template)
command.add_command(contract_words.explain)
command.add_command(contract_words.diff)

__all__ = ["command", "findings_of"]
