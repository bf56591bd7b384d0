"""A contract names its conventions of business time once; its figures, its deadlines and the command `time` follow them."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from contracts.business_time import Calendar
from contracts.document import Contract
from contracts.reading import read, write
from scorecards.evaluating import evaluate_rows, version_of
from scorecards.events import Event
from vendor_mgmt.__main__ import cli
from vendor_mgmt.escalations.of_contract import policy_of

CONTRACT = """contract: NIGHT-1
title: A night shift
vendor: harbour
time_zone: Europe/Lisbon
in_force: {{from: 2026-01-01}}
conventions: {conventions}
calendars: [night]
measures: {{hours: {{events: {{kind: shift, take: hours, calendar: night}}}}}}
kpis: {{hours: {{title: Hours worked, value: {{sum: hours}}, better: higher, for_each: []}}}}
"""

NIGHT = """calendar: night
time_zone: Europe/Lisbon
week: {sat: [["22:00", "06:00"]], sun: [["22:00", "06:00"]], mon: [["22:00", "06:00"]]}
holidays: [{date: 2026-10-26, name: Bridge}]
"""

# The clocks go back in the night from Saturday 24 to Sunday 25 October 2026, and Monday is no working day.
NIGHTS = [
    (datetime.fromisoformat("2026-10-24T22:00:00+01:00"), datetime.fromisoformat("2026-10-25T06:00:00+00:00")),
    (datetime.fromisoformat("2026-10-25T22:00:00+00:00"), datetime.fromisoformat("2026-10-26T06:00:00+00:00")),
]


def contract(conventions: str) -> Contract:
    return read(CONTRACT.format(conventions=conventions), Contract).required()


@pytest.mark.parametrize(
    ("conventions", "hours"),
    [
        ("{}", 9 + 8),  # An hour more passes than the clocks show; Sunday's shift is worked whole.
        ("{dst: wall_clock}", 8 + 8),
        ("{overnight: cut_at_midnight}", 9 + 2),  # What of Sunday's shift lies on Monday is not worked.
        ("{dst: wall_clock, overnight: cut_at_midnight}", 8 + 2),
    ],
)
def test_hours_from_events_are_counted_by_the_conventions_of_the_contract(conventions: str, hours: int) -> None:
    agreed = contract(conventions)
    calendar = read(NIGHT, Calendar).required()
    events = [Event(str(n), "lisbon", "shift", begins, ends, None) for n, (begins, ends) in enumerate(NIGHTS)]
    run = evaluate_rows([version_of(agreed)], [], events=events, calendars={"night": calendar})
    scored = run.scored(agreed, from_on=date(2026, 10, 1), until_on=date(2026, 11, 1))
    assert [result.value for result in scored.results] == [hours]


def test_deadlines_of_tickets_follow_the_same_conventions() -> None:
    agreed = contract("{day_zero: next_working_day, boundary: next_opening}")
    policy = policy_of(agreed.escalation, calendar="night", conventions=agreed.conventions)
    assert policy.conventions == agreed.conventions
    assert (policy.conventions.day_zero, policy.conventions.dst) == ("next_working_day", "elapsed")


def test_the_command_time_counts_by_the_conventions_of_a_contract_unless_told_otherwise(tmp_path: Path) -> None:
    (tmp_path / "night.yaml").write_text(NIGHT, encoding="utf-8")
    (tmp_path / "contract.yaml").write_text(CONTRACT.format(conventions="{dst: wall_clock, reversed: negative}"), encoding="utf-8")
    asked = ["time", "elapsed", str(tmp_path / "night.yaml"), "--json", "--contract", str(tmp_path / "contract.yaml")]

    def seconds(*more: str) -> str:
        result = CliRunner().invoke(cli, [*asked, *more])
        assert result.exit_code == 0, result.output
        return str(json.loads(result.output)["seconds"])

    night = ["--from", "2026-10-24T22:00+01:00", "--until", "2026-10-25T06:00+00:00"]
    assert seconds(*night) == str(8 * 3600)
    assert seconds(*night, "--dst", "elapsed") == str(9 * 3600)
    backwards = ["--from", "2026-10-25T06:00+00:00", "--until", "2026-10-24T22:00+01:00"]
    assert seconds(*backwards) == str(-8 * 3600)
    without = CliRunner().invoke(cli, [*asked[:4], *backwards])
    assert without.exit_code == 2
    assert "lies before the start" in without.output


def test_a_contract_that_cannot_be_read_lends_no_conventions(tmp_path: Path) -> None:
    (tmp_path / "night.yaml").write_text(NIGHT, encoding="utf-8")
    (tmp_path / "contract.yaml").write_text(CONTRACT.format(conventions="{dst: sometimes}"), encoding="utf-8")
    arguments = ["--contract", str(tmp_path / "contract.yaml"), "--from", "2026-10-24", "--until", "2026-10-25"]
    result = CliRunner().invoke(cli, ["time", "elapsed", str(tmp_path / "night.yaml"), *arguments])
    assert result.exit_code == 2
    assert "$.conventions.dst" in result.output


def test_conventions_survive_writing() -> None:
    agreed = contract("{day: keep_time, overnight: start_date}")
    assert read(write(agreed), Contract).required() == agreed
    assert b"conventions" not in write(contract("{}"))
