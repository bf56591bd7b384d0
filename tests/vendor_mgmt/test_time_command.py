"""`vendor-mgmt time`: the published cases through the command people call, and what it says when it is called wrongly."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from contracts import reading
from contracts.business_time import Calendar, check
from contracts.period import Period
from contracts.public_holidays import public_holidays
from vendor_mgmt.__main__ import cli
from vendor_mgmt.commands.time import command

EXAMPLES = Path(__file__).parents[1] / "examples" / "time"
DOCS = Path(__file__).parents[2] / "docs" / "calendars.md"

OFFICE = """\
calendar: lisbon-office
time_zone: Europe/Lisbon
week:
  mon: [["09:00", "13:00"], ["14:00", "18:00"]]
  tue: [["09:00", "13:00"], ["14:00", "18:00"]]
  wed: [["09:00", "13:00"], ["14:00", "18:00"]]
  thu: [["09:00", "13:00"], ["14:00", "18:00"]]
  fri: [["09:00", "13:00"], ["14:00", "18:00"]]
holidays:
  - {on: 2026-04-03, name: Good Friday}
"""

MANILA = """\
calendar: manila-nights
time_zone: Asia/Manila
week: {mon: [["22:00", "07:00"]], tue: [["22:00", "07:00"]], wed: [["22:00", "07:00"]], thu: [["22:00", "07:00"]], fri: [["22:00", "07:00"]]}
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["time", *arguments])


def answer(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


@pytest.fixture
def office(tmp_path: Path) -> str:
    path = tmp_path / "lisbon.yaml"
    path.write_text(OFFICE)
    return str(path)


@pytest.fixture
def manila(tmp_path: Path) -> str:
    path = tmp_path / "manila.yaml"
    path.write_text(MANILA)
    return str(path)


# --------------------------------------------------------------------------- the cases in tests/examples/time


def examples() -> Iterator[Any]:
    for path in sorted(EXAMPLES.glob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        for case in document["cases"]:
            yield pytest.param(document.get("calendars", {}), case, id=case["id"])


def arguments_of(options: Mapping[str, Any]) -> list[str]:
    """`{from: …, pause: [a, b], backwards: true}` as a person would type it."""
    arguments = []
    for name, value in options.items():
        if value is True:
            arguments.append(f"--{name}")
        else:
            for one in value if isinstance(value, list) else [value]:
                arguments += [f"--{name}", written(one)]
    return arguments


def written(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def document_for(calendar: Mapping[str, Any], folder: Path) -> str:
    """The calendar as a file: written down, or made by `time freeze`."""
    path = folder / "calendar.yaml"
    if "freeze" in calendar:
        frozen = run("freeze", *arguments_of(calendar["freeze"]))
        assert frozen.exit_code == 0, frozen.output
        path.write_text(frozen.output)
    else:
        path.write_text(yaml.safe_dump(dict(calendar), sort_keys=False))
    return str(path)


def same(expected: Any, actual: Any) -> bool:
    """Numbers by value, moments by instant; of an object only what is expected is looked at."""
    if isinstance(expected, dict):
        return all(name in actual and same(value, actual[name]) for name, value in expected.items())
    if isinstance(expected, list):
        return len(expected) == len(actual) and all(same(one, other) for one, other in zip(expected, actual, strict=True))
    if isinstance(expected, bool) or expected is None:
        return actual is expected
    if isinstance(expected, int | float):
        return Decimal(str(expected)) == Decimal(actual)
    if isinstance(expected, str) and "T" in expected:
        return datetime.fromisoformat(expected) == datetime.fromisoformat(actual)
    return written(expected) == actual


@pytest.mark.parametrize(("calendars", "case"), list(examples()))
def test_a_published_case_comes_out_as_published(calendars: Mapping[str, Any], case: Mapping[str, Any], tmp_path: Path) -> None:
    for step in case.get("steps", [case]):
        ((name, options),) = step["ask"].items()
        options = dict(options)
        positional = [document_for(calendars[options.pop("calendar")], tmp_path)] if "calendar" in options else []
        positional += [options.pop("local")] if "local" in options else []
        result = run(name, *positional, *arguments_of(options), "--json")
        if step["expect"].get("refused"):
            assert result.exit_code == 2, result.output
            continue
        assert result.exit_code == 0, result.output
        actual = json.loads(result.output)
        assert same(step["expect"], actual), f"{case['says']}\nexpected {step['expect']}\ngot {actual}"


def test_every_case_says_what_it_shows_and_where_it_comes_from() -> None:
    cases = [param.values[1] for param in examples()]
    assert len({case["id"] for case in cases}) == len(cases)
    assert all(len(case["says"].split()) > 4 and case["source"] for case in cases)


def test_no_case_is_listed_both_as_run_and_as_not_run() -> None:
    listed = (EXAMPLES / "NOT_RUN.md").read_text().replace("|", " ").replace(",", " ").split()
    assert not {param.values[1]["id"] for param in examples()} & set(listed)
