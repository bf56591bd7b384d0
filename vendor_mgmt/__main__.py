"""`vendor-mgmt`: every command in one list.

A command's module is imported when the command is used, so that `vendor-mgmt score`, which needs neither database nor web server, starts
without them.

Exit codes, for every command: 0 done; 1 done, and something was found that a person should look at; 2 the input cannot be used (an
option, a setting, a document); 3 this machine lacks something (a server, a package, a right); 130 Ctrl-C came before it was done. Each
`--help` says what they mean there.
"""

from __future__ import annotations

import importlib
import inspect
import re
import signal
import sys
from typing import IO, Any, NamedTuple

import click

from contracts.errors import ContractError
from vendor_mgmt import processes
from vendor_mgmt.errors import Refused, Unavailable, is_lost_connection


class Listed(NamedTuple):
    """A command, before its module is imported."""

    name: str
    module: str
    help: str


COMMANDS = [
    Listed("demo", "vendor_mgmt.commands.demo", "Play a made-up portfolio end to end, then serve it."),
    Listed("serve", "vendor_mgmt.commands.serve", "Run the service: pages, API, schedules and work."),
    Listed("sign-in", "vendor_mgmt.commands.sign_in", "Print an address that signs a browser in."),
    Listed("contract", "vendor_mgmt.commands.contract", "Check, explain, agree, amend, renew and show contracts."),
    Listed("score", "vendor_mgmt.commands.score", "Judge and price a contract on figures, without a database."),
    Listed("time", "vendor_mgmt.commands.time", "Business time: what has passed, when something is due, when a site is open."),
    Listed("source", "vendor_mgmt.commands.source", "Check, store and list where figures come from."),
    Listed("pull", "vendor_mgmt.commands.pull", "Read a source now."),
    Listed("quarantine", "vendor_mgmt.commands.quarantine", "List refused rows, repair them, and map them anew."),
    Listed("relief", "vendor_mgmt.commands.relief", "Claim relief, and decide claims."),
    Listed("credential", "vendor_mgmt.commands.credential", "Keep secrets of sources, encrypted."),
    Listed("data-task", "vendor_mgmt.commands.data_task", "List figures that are to be entered or late."),
    Listed("worker", "vendor_mgmt.commands.worker", "Do the work that is due, without a web server."),
    Listed("migrate", "vendor_mgmt.commands.migrate", "Bring the database up to date, or write a new migration."),
    Listed("close", "vendor_mgmt.commands.close", "Judge ended periods and draft their scorecards."),
    Listed("scorecard", "vendor_mgmt.commands.scorecard", "Write scorecards as PDF; decide on proposed revisions."),
    Listed("ticket", "vendor_mgmt.commands.ticket", "Escalation tickets: list them, and do with them what people do."),
    Listed("rules", "vendor_mgmt.commands.rules", "Try escalation rules on months that have passed."),
    Listed("outbox", "vendor_mgmt.commands.outbox", "Messages on their way: list them, send one again."),
    Listed("doctor", "vendor_mgmt.commands.doctor", "Check this installation and say how to repair it."),
]


class Commands(click.Group):
    """A group whose commands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [listed.name for listed in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        for listed in COMMANDS:
            if listed.name == cmd_name:
                command: click.Command = importlib.import_module(listed.module).command
                _keep_lines(command)
                return command
        return None

    def invoke(self, ctx: click.Context) -> Any:
        """As click does it, but Ctrl-C ends a command with a sentence and the code that a shell expects, wherever it was."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            raise Stopped from interrupt

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click does it, but from the list, so that `--help` imports nothing."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(listed.name, listed.help) for listed in COMMANDS])


class Stopped(click.ClickException):
    """Ctrl-C came before the command was done."""

    exit_code = 128 + signal.SIGINT

    def __init__(self) -> None:
        super().__init__("Stopped before it was done.")

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, file=file, err=file is None)


def _keep_lines(command: click.Command) -> None:
    r"""Let `\b` in a raw docstring mean what click means by it: the lines below stay as they are. Raw, it is two characters."""
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    if isinstance(command, click.Group):
        for part in command.commands.values():
            _keep_lines(part)
        _say_what_its_parts_say(command)


def _say_what_its_parts_say(group: click.Group) -> None:
    """Give a group's help an example of each of its parts, and the exit codes, where it has none of its own."""
    text = inspect.cleandoc(group.help or "")
    if "Example" not in text:
        examples = [f"  {found[0].strip()}" for part in group.commands.values() if (found := _EXAMPLE.findall(part.help or ""))]
        text += "\n\n\b\nExamples:\n" + "\n".join(examples)
    if "Exit codes:" not in text:
        text += "\n\n\b\nExit codes, of which each command has its own --help:\n" + "\n".join(f"  {code:<4} {what}" for code, what in CODES)
    group.help = text


_EXAMPLE = re.compile(r"^ +(?:[A-Z_]+=\S+ )?vendor-mgmt .*(?:\\\n.*)*", re.MULTILINE)

CODES = (
    (0, "done"),
    (1, "done, and something was found that a person should look at"),
    (2, "the input cannot be used"),
    (3, "this machine lacks something"),
    (130, "Ctrl-C came before it was done"),
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vendor-mgmt")
def cli() -> None:
    r"""Keeps what outsourced sites promised, pulls what they delivered, scores vendors against their contracts.

    Everything is set through environment variables; see docs/settings.md.

    \b
    Examples:
      vendor-mgmt demo
      vendor-mgmt score contract.yaml data.csv
      vendor-mgmt serve

    \b
    Exit codes:
      0    done
      1    done, and something was found that a person should look at
      2    the input cannot be used (an option, a setting, a document)
      3    this machine lacks something (a server, a package, a right)
      130  Ctrl-C came before it was done
    """


_keep_lines(cli)


def main() -> None:
    """Run the command line. What a person can repair is told in sentences; a traceback means that the program is wrong."""
    processes.collect_seldom()
    try:
        cli(prog_name="vendor-mgmt")
    except (Refused, ContractError) as error:
        click.echo(error, err=True)
        sys.exit(2)
    except Unavailable as error:
        click.echo(error, err=True)
        sys.exit(3)
    except Exception as error:
        if not is_lost_connection(error):
            raise
        click.echo(f"The database went away while this ran, and nothing half-done was kept ({error}). Run it again.", err=True)
        sys.exit(3)


if __name__ == "__main__":
    main()
