"""`vendor-mgmt time`: the published cases through the command people call, and what it says when it is called wrongly."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
import yaml
from click.testing import CliRunner, Result

from contracts import reading
from contracts.business_time import Calendar, Conventions, check
from contracts.period import Period
from contracts.public_holidays import public_holidays
from contracts.recurring_interval import RecurringInterval
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
  - {date: 2026-04-03, name: Good Friday}
"""

MANILA = """\
calendar: manila-nights
time_zone: Asia/Manila
week:
  mon: [["22:00", "07:00"]]
  tue: [["22:00", "07:00"]]
  wed: [["22:00", "07:00"]]
  thu: [["22:00", "07:00"]]
  fri: [["22:00", "07:00"]]
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
    return bool(written(expected) == actual)


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
    rows = [line for line in (EXAMPLES / "NOT_RUN.md").read_text().splitlines() if line.startswith("| ") and "-" in line]
    listed = {case for row in rows for case in row.split("|")[1].split()}
    assert {"SCH-aps-03", "KPI-sn-01"} <= listed
    assert not {param.values[1]["id"] for param in examples()} & listed


# --------------------------------------------------------------------------- the document in docs/calendars.md


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL)


def test_the_documents_of_the_page_read_without_a_finding(tmp_path: Path) -> None:
    calendar, interval = blocks("yaml")
    assert reading.read(calendar, Calendar).findings == []
    assert reading.read(interval, RecurringInterval).findings == []
    written = reading.read(calendar, Calendar).required()
    assert {field.encode_name for field in msgspec.structs.fields(Calendar)} - set(yaml.safe_load(calendar)) <= {"schema"}
    assert [finding.severity for finding in check(written)] == ["note"]


def test_the_commands_of_the_page_answer_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    calendar, interval = blocks("yaml")
    Path("manila.yaml").write_text(calendar)
    Path("maintenance.yaml").write_text(interval)
    (session,) = blocks("console")
    asked = re.findall(r"^\$ vendor-mgmt time (.*)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE)
    assert len(asked) == session.count("$ ")
    for arguments, shown in asked:
        assert run(*shlex.split(arguments)).output == shown, arguments


def test_the_page_names_every_convention_with_its_default_and_every_command() -> None:
    page = DOCS.read_text()
    for field in msgspec.structs.fields(Conventions):
        row = next(line for line in page.splitlines() if line.startswith(f"| `{field.name}` |"))
        assert f"`{field.default or 'start_date'}`" in row.split("|")[3]
    assert isinstance(command, click.Group)
    assert all(f"`time {name}`" in page for name in command.commands)


# --------------------------------------------------------------------------- answers for people and programs


def test_a_duration_is_told_in_hours_and_a_goal_by_what_is_left(office: str) -> None:
    result = run("elapsed", office, "--from", "2026-03-27T16:00", "--until", "2026-03-30T10:00", "--goal", "PT2H30M")
    assert result.output == "3:00:00 of business time (10800 seconds)\ngoal 2:30:00: missed, 0:30:00 over\n"


def test_seconds_and_less_are_kept(office: str) -> None:
    result = answer("elapsed", office, "--from", "2026-03-27T16:00:00.25Z", "--until", "2026-03-27T16:00:05.75Z")
    assert result["seconds"] == "5.5"


def test_a_pause_that_has_not_ended_is_written_with_an_open_end(office: str) -> None:
    asked = ["add", office, "--from", "2026-03-26T10:00", "--hours", "4", "--pause", "2026-03-26T12:00/"]
    assert run(*asked).exit_code == 2
    assert "Give the last pause its end" in run(*asked).output
    assert run(*asked[:-1], "2026-03-26T12:00/2026-03-26T14:00").output.startswith("Thu 2026-03-26 16:00:00+00:00")


def test_units_of_time_add_up_and_may_be_fractions(office: str) -> None:
    start = ["add", office, "--from", "2026-03-26T09:00"]
    one, other = answer(*start, "--hours", "1.5", "--minutes", "15"), answer(*start, "--duration", "PT1H45M")
    assert one["at"] == other["at"] == "2026-03-26T10:45:00Z"


def test_working_days_with_hours_on_top_are_one_deadline(office: str) -> None:
    due = answer("add", office, "--from", "2026-03-26T10:00", "--working-days", "1", "--hours", "2")
    assert due["local"] == "2026-03-30T11:00:00+01:00"


def test_a_warning_comes_at_its_share_of_the_way(office: str) -> None:
    assert answer("add", office, "--from", "2026-03-26T09:00", "--hours", "8", "--percent", "75")["local"] == "2026-03-26T16:00:00+00:00"


def test_a_deadline_is_shown_in_a_second_zone(office: str) -> None:
    due = answer("add", office, "--from", "2026-03-30T09:00", "--hours", "2", "--also-in", "Asia/Manila")
    assert (due["local"], due["also"]) == ("2026-03-30T11:00:00+01:00", "2026-03-30T18:00:00+08:00")


def test_two_sites_have_their_common_hours(office: str, manila: str) -> None:
    result = answer("windows", office, manila, "--from", "2026-03-30", "--until", "2026-03-31")
    assert [(window["opens_at"], window["closes_at"]) for window in result["windows"]] == [("2026-03-30T14:00:00Z", "2026-03-30T17:00:00Z")]
    assert result["seconds"] == "10800"


def test_the_nth_working_day_of_a_month_is_found_and_a_missing_one_is_null(office: str) -> None:
    april = ["days", office, "--from", "2026-04-01", "--through", "2026-04-30"]
    assert answer(*april)["count"] == "21"
    assert answer(*april, "--nth", "8")["date"] == "2026-04-13"
    assert answer(*april, "--nth", "40")["date"] is None


def test_a_local_time_is_asked_for_by_either_convention() -> None:
    asked = ["local", "2026-03-08T02:30", "--zone", "America/New_York"]
    assert answer(*asked)["at"] == "2026-03-08T07:30:00Z"
    assert answer(*asked, "--nonexistent", "first_after")["at"] == "2026-03-08T07:00:00Z"
    assert answer(*asked, "--nonexistent", "skip")["at"] is None


def test_a_schedule_shows_its_next_runs_and_warns_of_months_left_out() -> None:
    result = answer("due", "--rule", "FREQ=MONTHLY;BYMONTHDAY=31", "--zone", "Asia/Manila", "--starts", "2026-01-01T18:00", "--count", "2")
    assert [due["local"] for due in result["due"]] == ["2026-01-31T18:00:00+08:00", "2026-03-31T18:00:00+08:00"]
    assert "BYMONTHDAY=-1" in result["warnings"][0]


def test_freezing_a_calendar_answers_its_next_version(office: str) -> None:
    frozen = run("freeze", office, "--country", "PT", "--from", "2026-01-01", "--until", "2027-01-01")
    calendar = reading.read(frozen.output, Calendar).required()
    assert calendar.version == 2
    assert calendar.holidays == public_holidays("PT", period=Period(date(2026, 1, 1), date(2027, 1, 1)))
    assert calendar.week == reading.read(OFFICE, Calendar).required().week


def test_a_calendar_is_checked_for_what_a_person_should_look_at(office: str, tmp_path: Path) -> None:
    assert run("check", office).output == "lisbon-office version 1: nothing to remark\n"
    odd = tmp_path / "odd.yaml"
    odd.write_text(OFFICE + "overrides:\n  - {date: 2026-05-01, hours: usual}\n")
    assert f"{odd}:12:5" in run("check", str(odd)).output


# --------------------------------------------------------------------------- called wrongly


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["elapsed", "OFFICE", "--from", "yesterday", "--until", "2026-03-30"], "'yesterday' is no moment"),
        (["elapsed", "OFFICE", "--from", "2026-03-30", "--until", "2026-03-27"], "lies before the start"),
        (["elapsed", "OFFICE", "--from", "2026-03-27"], "Missing option '--until'"),
        (["elapsed", "OFFICE", "--from", "2026-03-27", "--until", "2026-03-30", "--pause", "2026-03-28"], "is no pause"),
        (["elapsed", "OFFICE", "--from", "2026-03-27", "--until", "2026-03-30", "--goal", "P1M"], "is no duration"),
        (["elapsed", "OFFICE", "--from", "2026-03-27", "--until", "2026-03-30", "--dst", "maybe"], "'maybe' is not one of"),
        (["elapsed", "no-such-file.yaml", "--from", "2026-03-27", "--until", "2026-03-30"], "cannot be read"),
        (["elapsed", "OFFICE", "--from", "1066-10-14", "--until", "2026-03-30"], "1900 to 2199"),
        (["add", "OFFICE", "--from", "2026-03-27T10:00", "--hours", "NaN"], "'NaN' is no number"),
        (["add", "OFFICE", "--from", "2026-03-29T01:30", "--hours", "1", "--nonexistent", "skip"], "does not exist in Europe/Lisbon"),
        (["add", "OFFICE", "--from", "2026-03-27T10:00", "--hours", "1", "--roll", "following"], "--roll moves dates"),
        (["add", "OFFICE", "--from", "2026-03-27T10:00", "--hours", "1", "--backwards"], "no time at all"),
        (["add", "OFFICE", "--from", "2026-03-27T10:00", "--hours", "1", "--also-in", "Mars"], "unknown time zone 'Mars'"),
        (["add", "OFFICE", "--from", "2026-03-27T10:00", "--hours", "9999999"], "not enough open time"),
        (["windows", "OFFICE", "--from", "2026-03-27", "--until", "2026-03-20"], "--until lies before --from"),
        (["days", "OFFICE", "--from", "2026-03-27"], "give the end"),
        (["days", "OFFICE", "--from", "2026-3-27", "--until", "2026-04-01"], "is no date"),
        (["local", "2026-03-08T02:30Z", "--zone", "UTC"], "without an offset"),
        (["due", "--rule", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "--zone", "UTC", "--starts", "2026-01-01"], "never due"),
        (["freeze", "--country", "XX", "--zone", "UTC", "--from", "2026-01-01", "--until", "2027-01-01"], "no country 'XX'"),
        (["freeze", "--country", "PT", "--from", "2026-01-01", "--until", "2027-01-01"], "needs --zone"),
        (["freeze", "OFFICE", "--country", "PT", "--zone", "UTC", "--from", "2026-01-01", "--until", "2027-01-01"], "has its own"),
        (["freeze", "--country", "PT", "--zone", "UTC", "--from", "2027-01-01", "--until", "2026-01-01"], "first date outside"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_what_to_write_instead(arguments: list[str], said: str, office: str) -> None:
    result = run(*[office if argument == "OFFICE" else argument for argument in arguments])
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


def test_every_fault_of_a_calendar_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text('calendar: x\ntime_zone: Europe/Lisboa\nweek:\n  mon: [["9:00", "17:00"]]\n  monday: []\n')
    result = run("windows", str(path), "--from", "2026-01-01", "--until", "2026-01-02")
    assert result.exit_code == 2
    assert f"{path}:4:" in result.output
    assert f"{path}:5:" in result.output


def test_help_shows_examples_line_by_line() -> None:
    assert isinstance(command, click.Group)
    for name in command.commands:
        shown = run(name, "--help").output
        assert f"  vendor-mgmt time {name} " in shown
        assert "\\b" not in shown


def test_the_real_program_answers_and_ends_with_its_code(office: str) -> None:
    program = [sys.executable, "-m", "vendor_mgmt", "time"]
    asked = [*program, "elapsed", office, "--from", "2026-03-27T16:00", "--until", "2026-03-30T10:00", "--json"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["seconds"] == "10800"
    wrong = subprocess.run([*program, "open", "nowhere.yaml", "--at", "2026-01-01"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("Error: nowhere.yaml cannot be read")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (["--from", "9999-01-01", "--until", "9999-12-31"], "'9999-01-01' lies outside the years 1900 to 2199"),
        (["--from", "2026-01-01", "--until", "9999-12-31"], "'9999-12-31' lies outside the years 1900 to 2199"),
        (["--from", "2026-01-01", "--anchor", "0001-01-01"], "'0001-01-01' lies outside the years 1900 to 2199"),
        (["--from", "2026-02-01", "--until", "2026-01-01"], "--until 2026-01-01 is not after --from 2026-02-01"),
        (["--from", "2026-02-01", "--until", "2026-02-01"], "--until 2026-02-01 is not after --from 2026-02-01"),
    ],
)
def test_days_between_which_no_period_can_be_counted_are_a_wrong_call(asked: list[str], says: str) -> None:
    result = run("periods", *asked, "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert says in " ".join(result.stderr.split())
