"""`vendor-mgmt sign-in`: a link that signs a browser in."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import msgspec

from vendor_mgmt import database
from vendor_mgmt.access import tokens
from vendor_mgmt.commands import begin


@click.command("sign-in")
@click.option("--json", "as_json", is_flag=True, help='Print {"address": …, "token_file": …}.')
def command(*, as_json: bool) -> None:
    r"""Print an address that signs one browser in, within a day.

    Scripts use the token in the file `access_token` in the data folder instead, as `Authorization: Bearer …`.

    \b
    Examples:
      vendor-mgmt sign-in
      curl -H "Authorization: Bearer $(cat ~/.local/share/vendor-mgmt/access_token)" http://127.0.0.1:8000/api/v1/sites

    \b
    Exit codes:
      0  printed
      2  a setting cannot be used
      3  the database cannot be used
    """
    settings = begin()

    async def make(_: database.Server) -> str:
        async with database.transaction() as connection:
            return await tokens.new_link(connection, datetime.now(UTC))

    address = f"{settings.public_url}/?token={database.run(settings, make)}"
    if as_json:
        click.echo(msgspec.json.encode({"address": address, "token_file": str(settings.data_dir / tokens.TOKEN_FILE)}))
    else:
        click.echo(address)
