"""`vendor-mgmt contract`: check a document, and what else there is to do with one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import msgspec

from contracts.document import Contract
from contracts.errors import has_errors, render
from vendor_mgmt.commands import contract_grid, contract_versions, contract_words
from vendor_mgmt.commands.contract_findings import findings_of

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("contract")
def command() -> None:
    """Check, explain, agree, amend, renew and show contracts."""


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


command.add_command(contract_grid.from_xlsx)
command.add_command(contract_grid.to_xlsx)
command.add_command(contract_grid.template)
command.add_command(contract_words.explain)
for part in contract_versions.COMMANDS:
    command.add_command(part)

__all__ = ["command"]
