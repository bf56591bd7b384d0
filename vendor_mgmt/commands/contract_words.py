"""`vendor-mgmt contract explain` and `contract diff`: a contract, and what changes between two, in plain words."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from contracts.document import Contract
from contracts.errors import render
from contracts.explaining import explain as explain_contract
from contracts.including import read_contract
from vendor_mgmt.commands.contract_files import beside

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def read_or_stop(file: Path) -> Contract:
    """The contract in a file; with every finding and exit code 2 where there is none."""
    reading = read_contract(file.read_bytes(), name=file.name, files=beside(file))
    if reading.document is None:
        click.echo(render(reading.findings), err=True)
        sys.exit(2)
    return reading.document


@click.command("explain")
@click.argument("file", type=FILE)
def explain(file: Path) -> None:
    r"""Print the contract in FILE as plain sentences, to be read aloud.

    \b
    Example:
      vendor-mgmt contract explain iberia.yaml

    \b
    Exit codes:
      0  printed
      2  the file is no contract; what is wrong with it is listed
    """
    click.echo(explain_contract(read_or_stop(file)), nl=False)


@click.command("diff")
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
def diff(old: Path, new: Path, *, as_json: bool) -> None:
    r"""Say what the contract in NEW promises otherwise than that in OLD, by clause and day.

    \b
    Example:
      vendor-mgmt contract diff iberia-1.yaml iberia-2.yaml

    \b
    Exit codes:
      0  printed; there may be no difference
      2  one of the files is no contract
    """
    from contracts import differences  # noqa: PLC0415 - explaining needs none of it

    before, after = read_or_stop(old), read_or_stop(new)
    if as_json:
        click.echo(msgspec.json.encode(differences.differences(before, after)))
    else:
        click.echo(differences.in_words(before, after), nl=False)


__all__ = ["diff", "explain", "read_or_stop"]
