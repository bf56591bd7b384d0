"""`vendor-mgmt doctor`: whether this installation is sound, and if not, what repairs it."""

from __future__ import annotations

import click
import msgspec

from vendor_mgmt import doctor

MARKS = {"ok": click.style("ok    ", fg="green"), "advice": click.style("advice", fg="yellow"), "repair": click.style("repair", fg="red")}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help='Print {"sound": …, "checks": [{"name", "status", "found", "repair"}, …]}.')
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    r"""Check this installation and say how to repair it.

    Looks at the settings, the folders and their rights, the database, its roles, migrations and clock, Pango and fonts, time zones, and the
    last backup. Changes nothing. Every finding is `ok`, `advice` (it can wait) or `repair` (it cannot), with what to do about it.

    \b
    Examples:
      vendor-mgmt doctor
      vendor-mgmt doctor --json

    \b
    Exit codes:
      0  nothing to repair (there may be advice)
      1  something to repair
    """
    checks = doctor.examine()
    is_sound = all(check.status != "repair" for check in checks)
    if as_json:
        click.echo(msgspec.json.encode({"sound": is_sound, "checks": checks}))
    else:
        for check in checks:
            click.echo(f"{MARKS[check.status]}  {check.name}: {check.found}")
            if check.repair:
                click.echo(f"        → {check.repair}")
    if not is_sound:
        context.exit(1)
