"""What the documents say is there is there: commands, settings, files, tests, links; and the README's example runs."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import msgspec
import pytest

from vendor_mgmt.__main__ import COMMANDS, cli
from vendor_mgmt.settings import Settings

ROOT = Path(__file__).parents[1]

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("migrations/*.md")])

ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")

TOLD_AS_A_FOLDER = ("vendor_mgmt/api/", "vendor_mgmt/commands/", "vendor_mgmt/example/", "vendor_mgmt/pages/")
"""Modules of one kind, of which ARCHITECTURE.md describes the kind."""

TOLD_BY_THEIR_NAME = {"__init__.py", "__main__.py", "piccolo_app.py", "tables.py", "queries.py", "errors.py"}
"""What these hold is the same in every package."""


def parts(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """A command and every command below it, each with its whole name."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for part in command.list_commands(context):
            below = command.get_command(context, part)
            assert below is not None
            yield from parts(below, f"{name} {part}")


def help_of(name: str) -> str:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return "".join(part.get_help(click.Context(part, info_name=whole)) for whole, part in parts(command, f"vendor-mgmt {name}"))


def without_usage(text: str) -> str:
    """The line of usage is made by click, and no example."""
    return re.sub(r"^Usage:.*$", "", text, flags=re.MULTILINE)


# --------------------------------------------------------------------------- commands and settings


def test_the_readme_has_a_row_for_every_command_and_for_nothing_else() -> None:
    table = re.search(r"^## Commands$(.*?)^## ", README, re.DOTALL | re.MULTILINE)
    assert table is not None
    assert re.findall(r"^\| `([a-z-]+)` \|", table[1], re.MULTILINE) == [listed.name for listed in COMMANDS]


def test_the_parts_of_a_command_that_the_readme_names_exist() -> None:
    for name, text in re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", README, re.MULTILINE):
        command = cli.get_command(click.Context(cli), name)
        named = set(re.findall(r"`([a-z-]+)`", text))
        have = set(command.list_commands(click.Context(command))) if isinstance(command, click.Group) else set()
        assert named <= have, f"{name} has no {named - have}"


@pytest.mark.parametrize("name", [listed.name for listed in COMMANDS])
def test_every_command_explains_itself_with_an_example_and_exit_codes(name: str) -> None:
    text = help_of(name)
    assert re.search(rf"^ *(.* )?vendor-mgmt {name}\b", without_usage(text), re.MULTILINE)
    assert "Exit codes" in text


def test_every_example_in_a_help_text_names_options_that_exist() -> None:
    wrong = []
    for listed in COMMANDS:
        command = cli.get_command(click.Context(cli), listed.name)
        assert command is not None
        known = dict(parts(command, f"vendor-mgmt {listed.name}"))
        for line in re.findall(r"^ *((?:\w+=\S+ )*vendor-mgmt .*)$", without_usage(help_of(listed.name)), re.MULTILINE):
            words = line[line.index("vendor-mgmt") :]
            whole = max((name for name in known if f"{words} ".startswith(f"{name} ")), key=len, default=None)
            if whole is None:
                continue  # an example of another command
            options = {option for parameter in known[whole].params for option in parameter.opts} | {"--help"}
            wrong += [f"{line}: {word}" for word in re.findall(r"(?<=\s)(--?[a-z][a-z-]*)", words) if word not in options]
    assert wrong == []


def test_every_setting_has_its_heading() -> None:
    headings = re.findall(r"^## `([A-Z_]+)`$", (ROOT / "docs/settings.md").read_text("utf-8"), re.MULTILINE)
    assert len(headings) == len(set(headings)) == len(msgspec.structs.fields(Settings))
    assert {heading.removeprefix("VENDOR_MGMT_").lower() for heading in headings} == set(Settings.__struct_fields__)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_setting_that_a_document_names_exists(document: Path) -> None:
    known = {f"VENDOR_MGMT_{name.upper()}" for name in Settings.__struct_fields__}
    named = set(re.findall(r"\bVENDOR_MGMT_[A-Z_]+[A-Z]\b", document.read_text("utf-8")))
    assert {name.removesuffix("_FILE") for name in named} - known - {"VENDOR_MGMT_TEST_DATABASE_URL"} == set()


# --------------------------------------------------------------------------- links, paths and tests


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(document.read_text("utf-8"))):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue  # another site; tests ask nobody outside
        file = document if not path else (document.parent / unquote(path)).resolve()
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", without_code(document.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_path_that_the_architecture_names_exists() -> None:
    named = set(re.findall(r"`((?:contracts|scorecards|vendor_mgmt|migrations|tests|docs|tools)/[\w./-]*)(?:::\w+)?`", ARCHITECTURE))
    assert len(named) > 60
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_every_module_has_its_place_in_the_architecture() -> None:
    """A reader who knows that page alone should not meet a stranger."""
    files = (path for package in ("contracts", "scorecards", "vendor_mgmt") for path in (ROOT / package).rglob("*.py"))
    modules = {str(path.relative_to(ROOT)) for path in files if path.name not in TOLD_BY_THEIR_NAME}
    strangers = {module for module in modules if not module.startswith(TOLD_AS_A_FOLDER) and f"`{module}`" not in ARCHITECTURE}
    assert sorted(strangers) == [], "name them in ARCHITECTURE.md, where the month passes through them"


def test_every_test_that_the_architecture_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", ARCHITECTURE)
    assert len(named) > 20
    assert [f"{path}::{test}" for path, test in named if test not in functions_in(ROOT / path)] == []


def functions_in(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_trigger_against_change_is_told() -> None:
    """The table of the architecture names each table that a migration protects."""
    migrations = "\n".join(path.read_text("utf-8") for path in ROOT.glob("migrations/*/*.py"))
    protected = set(re.findall(r"(?:BEFORE|AFTER) (?:UPDATE|DELETE|UPDATE OR DELETE)(?: OF [\w, ]+?)?\s+ON (\w+)\s", migrations))
    assert {"measurement", "revision", "ticket_event"} <= protected
    assert sorted(table for table in protected if f"`{table}`" not in ARCHITECTURE) == []


# --------------------------------------------------------------------------- the README's example


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "vendor_mgmt", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=environment, timeout=60)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A folder with the files that the README shows."""
    shown = re.findall(r"^```\w+ ([\w.]+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert {name for name, _ in shown} == {"contract.yaml", "data.csv"}
    for name, text in shown:
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def test_the_example_runs_as_the_readme_shows_it(example: Path) -> None:
    shown = [line.split() for line in re.findall(r"^    vendor-mgmt (\w.*)$", README, re.MULTILINE)]
    assert [words[0] for words in shown] == ["contract", "score"]
    for words in shown:
        done = run(*words, folder=example)
        assert (done.returncode, done.stderr) == (0, ""), words


def test_the_example_comes_to_the_figures_that_the_readme_tells(example: Path) -> None:
    done = run("score", "contract.yaml", "data.csv", "--json", folder=example)
    scored = json.loads(done.stdout)
    months = {one["from"]: one for one in scored["totals"] if one["scope"] == {"site": "lisbon-1"}}
    values = {one["from"]: one["value"] for one in scored["results"]}
    assert (values["2026-01-01"], months["2026-01-01"]["score"], months["2026-01-01"]["credit"]) == ("94", "50", "2400.00")
    assert (values["2026-02-01"], months["2026-02-01"]["credit_uncapped"], months["2026-02-01"]["credit"]) == ("92", "6400.00", "4000.00")
    told = r"January has .* 94 %, a score of 50 and a credit of EUR 2400\.00\. February has 92 %,.*\s.*EUR 6400\.00, and\s.*EUR 4000\.00"
    assert re.search(told, README), "the sentence below the example has other figures than this test"


# --------------------------------------------------------------------------- what no committed page may hold


def test_pictures_are_small_enough_to_be_read_with_the_page() -> None:
    pictures = sorted((ROOT / "docs/images").glob("*.png"))
    assert pictures
    assert [picture.name for picture in pictures if picture.stat().st_size > 150_000] == []
    assert [picture.name for picture in pictures if picture.name not in README] == []


def test_the_changelog_tells_what_is_not_released_yet() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    [unreleased] = re.findall(r"^## Unreleased$(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert re.findall(r"^- ", unreleased, re.MULTILINE)
