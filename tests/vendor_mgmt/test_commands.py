"""The command line as a whole: help, exit codes, and sentences instead of tracebacks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from vendor_mgmt.__main__ import COMMANDS, Listed, cli


def vendor_mgmt(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "vendor_mgmt", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, **environment}, timeout=60)


def with_parts(command: click.Command) -> list[click.Command]:
    """A command and all commands below it."""
    if not isinstance(command, click.Group):
        return [command]
    context = click.Context(command)
    parts = [command.get_command(context, name) for name in command.list_commands(context)]
    return [command, *(each for part in parts if part is not None for each in with_parts(part))]


@pytest.mark.parametrize("listed", COMMANDS, ids=lambda listed: listed.name)
def test_every_listed_command_exists_under_its_name_and_explains_itself(listed: Listed) -> None:
    command = cli.get_command(click.Context(cli), listed.name)
    assert command is not None
    assert command.name == listed.name
    # Of a group, its parts may say it.
    help_text = "".join(each.get_help(click.Context(each, info_name=each.name)) for each in with_parts(command))
    assert re.search(rf"vendor-mgmt {listed.name}\b", help_text), "an example says more than a list of options"
    assert "Exit codes" in help_text
    assert "\\b" not in help_text, "a mark for click is not for people"


def paths(command: click.Command, path: str = "vendor-mgmt") -> list[tuple[str, click.Command]]:
    """Every command, each with what is typed for it."""
    if not isinstance(command, click.Group):
        return [(path, command)]
    context = click.Context(command)
    parts = [(f"{path} {name}", command.get_command(context, name)) for name in command.list_commands(context)]
    return [(path, command), *(found for name, part in parts if part is not None for found in paths(part, name))]


def test_every_help_has_an_example_of_that_very_command_and_its_exit_codes() -> None:
    lacking = []
    for path, command in paths(cli):
        said = command.get_help(click.Context(command, info_name=path))
        codes = re.findall(r"^ +(\d+)  +\S", said.partition("Exit codes")[2], re.MULTILINE)
        if not re.search(rf"^ +(?:[A-Z_]+=\S+ )*{path}(?= |$)", said, re.MULTILINE):
            lacking.append(f"{path}: no example")
        if "0" not in codes:
            lacking.append(f"{path}: exit codes {codes}")
    assert lacking == []


def test_every_option_says_what_it_does() -> None:
    silent = [
        f"{command.name} {option.opts[-1]}"
        for command in with_parts(cli)
        for option in command.params
        if isinstance(option, click.Option) and not option.help
    ]
    assert silent == []


def test_the_list_of_commands_imports_none_of_them() -> None:
    code = "import sys; from vendor_mgmt.__main__ import cli\ntry: cli(['--help'])\nexcept SystemExit: pass\n"
    code += "print([name for name in sys.modules if name.split('.')[0] in ('piccolo', 'litestar', 'asyncpg', 'weasyprint')])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(listed.name in done.stdout for listed in COMMANDS)


def test_a_setting_that_cannot_be_used_is_exit_code_2_and_a_sentence() -> None:
    done = vendor_mgmt("migrate", VENDOR_MGMT_PORT="x", VENDOR_MGMT_PAPER="a5")
    assert done.returncode == 2
    assert done.stderr.startswith("2 settings cannot be used:")
    assert "Traceback" not in done.stderr


def test_an_absent_server_is_exit_code_3_and_a_sentence_without_its_password() -> None:
    done = vendor_mgmt("migrate", DATABASE_URL="postgresql://clerk:hush-hush@127.0.0.1:1/books")
    assert done.returncode == 3
    assert done.stderr.startswith("The database postgresql://clerk@127.0.0.1:1/books cannot be used:")
    assert "Traceback" not in done.stderr
    assert "hush-hush" not in done.stderr


def test_a_data_folder_that_cannot_be_used_is_exit_code_3_and_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = vendor_mgmt("migrate", VENDOR_MGMT_DATA_DIR=str(tmp_path / "file"))
    assert done.returncode == 3
    assert "Set VENDOR_MGMT_DATA_DIR to a folder you may write to." in done.stderr
    assert "Traceback" not in done.stderr


def test_migrate_tells_what_waits_without_applying_it_and_then_applies_it(empty_database_url: str) -> None:
    waiting = vendor_mgmt("migrate", "--check", DATABASE_URL=empty_database_url)
    assert waiting.returncode == 1
    assert waiting.stdout.startswith("pending contracts ")
    assert vendor_mgmt("migrate", DATABASE_URL=empty_database_url).returncode == 0
    done = vendor_mgmt("migrate", "--check", "--json", DATABASE_URL=empty_database_url)
    assert (done.returncode, done.stdout) == (0, '{"applied":[],"pending":[]}\n')


def test_a_description_that_would_break_the_file_is_refused() -> None:
    done = vendor_mgmt("migrate", "new", "contracts", "--description", "Vendor's region")
    assert done.returncode == 2
    assert "leave out quotation marks" in done.stderr


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(cli, ["--version"], prog_name="vendor-mgmt").output.startswith("vendor-mgmt, version ")
