"""`vendor-mgmt contract explain`: a contract in plain words."""

from __future__ import annotations

import sys
from pathlib import Path

import click

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


__all__ = ["explain", "read_or_stop"]
