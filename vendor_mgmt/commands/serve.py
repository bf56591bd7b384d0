"""`vendor-mgmt serve`: the service."""

from __future__ import annotations

import click

from vendor_mgmt import serving
from vendor_mgmt.commands import begin


@click.command("serve")
@click.option("--host", help="Address to listen on; by default VENDOR_MGMT_HOST or 127.0.0.1, this machine only.")
@click.option("--port", type=int, help="Port to listen on; by default VENDOR_MGMT_PORT or 8000. 0 takes any free one.")
@click.pass_context
def command(context: click.Context, *, host: str | None, port: int | None) -> None:
    r"""Run the service: pages, API, schedules and work, in one process.

    Without DATABASE_URL it also runs a PostgreSQL of its own in the data folder. The schema is brought up to date first. The address it
    prints signs a browser in, once; `vendor-mgmt sign-in` makes another. Ctrl-C or SIGTERM stops everything in order.

    \b
    Examples:
      vendor-mgmt serve
      vendor-mgmt serve --port 0
      VENDOR_MGMT_ROLES=web DATABASE_URL=postgresql://… vendor-mgmt serve --host 0.0.0.0

    \b
    Exit codes:
      0  stopped when asked to
      2  a setting or an option cannot be used
      3  the port or the database cannot be used, or the embedded database ended by itself
    """
    settings = begin(host=host, port=port)
    context.exit(serving.run(settings, on_ready=announce))


def announce(address: str) -> None:
    """Print where the service is."""
    click.echo(f"\nOpen {address}\nThe address signs one browser in. Stop with Ctrl-C.\n")
