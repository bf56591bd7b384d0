"""The files of `vendor-mgmt score`: every row that cannot be used is named with its line and repair, and takes no good row with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from vendor_mgmt.commands.score import command

CONTRACT = """contract: c
title: t
vendor: v
currency: EUR
time_zone: Europe/Lisbon
in_force: {from: 2026-01-01, until: 2027-01-01}
dimensions: [workstream]
measures: {due: {}, in_time: {part_of: due}, tickets: {events: {kind: ticket}}, drift: {may_be_negative: true}, charge: {money: true},
  growth: {given: true}, refunds: {events: {kind: refund, take: value}}}
kpis:
  tat: {title: In time, value: {ratio: {of: in_time, to: due}}, target: 90, no_volume: not_judged}
"""
HEADING = "site,measure,starts_on,grain,value,workstream,known_at\n"
GOOD = "a,due,2026-01-01,month,100,,\na,in_time,2026-01-01,month,95,,\n"


def scored(folder: Path, data: str | bytes, contract: str = CONTRACT, **more: str) -> tuple[int, dict[str, Any]]:
    (folder / "contract.yaml").write_text(contract, encoding="utf-8")
    (folder / "data.csv").write_bytes(data if isinstance(data, bytes) else data.encode())
    arguments = [str(folder / "contract.yaml"), str(folder / "data.csv"), "--json"]
    for name, text in more.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        arguments += [f"--{name}", str(folder / f"{name}.csv")]
    found = CliRunner().invoke(command, arguments, catch_exceptions=False)
    result: dict[str, Any] = json.loads(found.stdout)
    return found.exit_code, result


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a,due,2026-02-01,month,many,,", "'many' is not a number"),
        ("a,due,2026-02-01,month,NaN,,", "'NaN' is not a number"),
        ("a,due,2026-02-01,month,Infinity,,", "'Infinity' is not a number"),
        ("a,due,2026-02-31,month,5,,", "'2026-02-31' is not a day"),
        ("a,due,2026-02-01,fortnight,5,,", "'fortnight' is no grain"),
        ("a,dew,2026-02-01,month,5,,", "declares no measure 'dew'"),
        ("a,tickets,2026-02-01,month,5,,", "counted from single events"),
        ("a,due,2025-12-01,month,5,,", "outside the contract's periods"),
        ("a,due,2026-01-28,week,5,,", "reaches over the end of the period"),
        ("a,due,2026-01-01,month,5,,", "line 2 already gives due"),
        ("a,due,2026-02-01,month,5,,,,,", "cells under"),
        ("a,due,2026-02-01,hour,5,,", "needs the moment it starts"),
        ("a,due,2026-02-01,month,5,,yesterday", "is not a moment"),
        ("a,due,2026-02-01,month,-5,,", "a count cannot be less than nothing"),
        ("a,due,2026-02-01,month,1e9999999,,", "'1e9999999' is not a number"),
        ("a,due,2026-02-01,month,1e5000,,", "'1e5000' is not a number"),
        ("a,due,2026-02-01,month,1e400,,", "'1e400' is too large or too small to be counted with"),
        ("a,due,2026-02-01,month,1e30,,", "'1e30' is too large or too small to be counted with"),
        ("a,growth,2026-02-01,month,1e-31,,", "'1e-31' is too large or too small to be counted with"),
        ("a,due,2026-02-01,month,\uff11\uff12,,", "'\uff11\uff12' is not a number"),
        ("a,due,2026-02-01,month,1_000,,", "'1_000' is not a number"),
        ("a,due,9999-12-01,month,5,,", "9999-12-01 lies outside the years 1900 to 2199"),
        ("a,due,9999-12-31,day,5,,", "9999-12-31 lies outside the years 1900 to 2199"),
        ("a,due,0001-01-01,year,5,,", "0001-01-01 lies outside the years 1900 to 2199"),
        ("a,due,2026-02-01,month,5,,9999-12-31T23:59:59-14:00", "lies outside the years 1900 to 2199"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_the_others_are_scored(tmp_path: Path, row: str, says: str) -> None:
    code, result = scored(tmp_path, HEADING + GOOD + row + "\n")
    assert code == 1
    [one] = result["findings"]
    assert says in one["message"]
    assert one["where"].startswith("data.csv:4:")
    assert one["repair"]
    assert [(r["value"], r["met"]) for r in result["results"] if r["from"] == "2026-01-01"] == [("95", True)]


def test_a_part_that_is_larger_than_its_whole_is_refused_with_the_line_of_the_whole_and_the_other_days_stand(tmp_path: Path) -> None:
    days = "a,due,2026-01-01,day,100,,\na,in_time,2026-01-01,day,95,,\na,due,2026-01-02,day,10,,\na,in_time,2026-01-02,day,11,,\n"
    code, result = scored(tmp_path, HEADING + days)
    assert code == 1
    [one] = result["findings"]
    assert one["where"].startswith("data.csv:5:0 $.value"), one["where"]
    assert one["message"] == "in_time is 11, more than the 10 of due (line 4) that it is part of"
    assert one["repair"]
    [judged] = [r for r in result["results"] if r["site"] == "a"]
    assert (judged["value"], judged["spans_present"], judged["spans_unpaired"]) == ("95", "1", "1")


def test_a_site_that_the_scope_of_work_does_not_name_is_refused_in_every_file(tmp_path: Path) -> None:
    code, result = scored(
        tmp_path,
        HEADING + GOOD + "c,due,2026-01-01,month,5,,\n",
        CONTRACT + "scope: [{site: a}]\n",
        relief="site,from,until\nd,2026-01-05,2026-01-06\n",
        opening="starts_on,site,kpi,fact,value\n2025-12-01,e,tat,met,true\n",
        events="event_id,site,kind,started_at\n1,f,ticket,2026-01-05T10:00:00Z\n",
    )
    assert code == 1
    said = sorted((one["where"], one["message"], one["repair"]) for one in result["findings"])
    assert [message for _, message, _ in said] == [f"the contract has no site {name!r}" for name in "cfed"]
    assert all(".site" in where and "(a)" in repair for where, _, repair in said)
    assert [(r["site"], r["value"]) for r in result["results"]] == [("a", "95")]


def test_what_may_lie_below_zero_does(tmp_path: Path) -> None:
    rows = "".join(f"a,{measure},2026-01-01,month,-5,,\n" for measure in ("drift", "charge", "growth"))
    code, result = scored(tmp_path, HEADING + GOOD + rows)
    assert (code, result["findings"]) == (0, [])


def test_a_whole_corrected_later_is_the_one_its_part_is_held_against(tmp_path: Path) -> None:
    rows = "a,due,2026-01-01,month,90,,2026-02-01T08:00:00Z\na,in_time,2026-01-01,month,95,,\n"
    assert scored(tmp_path, HEADING + rows)[0] == 1
    assert scored(tmp_path, HEADING + rows + "a,due,2026-01-01,month,100,,2026-02-02T08:00:00Z\n")[0] == 0


def test_a_later_row_with_the_same_key_is_a_correction(tmp_path: Path) -> None:
    rows = "a,due,2026-01-01,month,100,,2026-02-01T08:00:00Z\na,in_time,2026-01-01,month,80,,2026-02-01T08:00:00Z\n"
    code, result = scored(tmp_path, HEADING + rows + "a,in_time,2026-01-01,month,91,,2026-02-02T08:00:00Z\n")
    assert (code, result["results"][0]["value"]) == (0, "91")


def test_a_column_that_is_no_dimension_of_the_contract_is_refused_where_it_is_filled(tmp_path: Path) -> None:
    code, result = scored(tmp_path, "site,measure,starts_on,grain,value,colour\na,due,2026-01-01,month,5,red\na,due,2026-02-01,month,5,\n")
    assert code == 1
    assert "no dimension 'colour'" in result["findings"][0]["message"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (b"\n  \n", "the file is empty"),
        (b"\xff\xfe\x00", "the file is not UTF-8"),
        (b"PK\x03\x04\x14\x00", "the file is a workbook or an archive"),
        (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", "the file is a web page"),
        (b"nothing,here\n1,2\n", "the columns 'site', 'measure', 'grain', 'value', 'starts_on' are missing"),
        (b"site,measure,starts_on,grain\na,due,2026-01-01,month\n", "the column 'value' is missing"),
        (b"site,measure,starts_on,grain,value,value\na,due,2026-01-01,month,5,6\n", "the column 'value' stands twice"),
        (b'"\x00', "are missing"),
        (b"a\rb\rc", "the first line cannot be split into columns"),
        (b"x" * 200_000, "the first line cannot be split into columns"),
    ],
)
def test_a_file_that_is_no_table_is_refused_whole_with_the_heading_it_needs(tmp_path: Path, data: bytes, says: str) -> None:
    code, result = scored(tmp_path, data)
    assert code == 2
    [one] = result["findings"]
    assert says in one["message"]
    assert "site, measure, starts_on, grain, value" in one["repair"]
    assert one["where"].startswith("data.csv:1:")
    assert result["results"] == []


def test_every_file_that_is_no_table_is_told_at_once(tmp_path: Path) -> None:
    code, result = scored(tmp_path, "", relief="<html>", opening="", events="id\n1\n", claims="starts_on\n2026-01-01\n")
    assert code == 2
    named = [one["where"].split(":")[0] for one in result["findings"]]
    assert named == ["claims.csv", "data.csv", "events.csv", "opening.csv", "relief.csv"]


def test_a_file_of_a_heading_alone_is_a_table_in_which_nothing_was_delivered(tmp_path: Path) -> None:
    assert scored(tmp_path, HEADING)[0] == 0


def test_a_day_far_away_is_refused_in_every_file(tmp_path: Path) -> None:
    code, result = scored(
        tmp_path,
        HEADING + GOOD,
        relief="site,from,until\na,2026-01-05,9999-12-31\n",
        opening="starts_on,site,kpi,fact,value\n0001-01-01,a,tat,met,true\n",
        events="event_id,site,kind,started_at\n1,a,ticket,9999-12-31T23:00:00-05:00\n",
    )
    assert code == 1
    assert sorted(one["where"].split(" ")[-1] for one in result["findings"]) == ["$.started_at", "$.starts_on", "$.until"]
    assert all("outside the years 1900 to 2199" in one["message"] and one["repair"] for one in result["findings"])
    assert result["results"][0]["value"] == "95"


SCOPED = CONTRACT + "scope: [{site: a, workstream: content-moderation}, {site: a, workstream: live-moderation}, {site: b}]\n"


def test_a_workstream_that_the_scope_of_its_site_does_not_name_is_refused_and_the_close_one_is_named(tmp_path: Path) -> None:
    rows = "".join(
        f"a,{measure},2026-01-01,month,{value},{stream},\n"
        for stream in ("content-moderation", "content-moderatoin")
        for measure, value in (("due", 100), ("in_time", 95))
    )
    code, result = scored(tmp_path, HEADING + rows, SCOPED, relief="site,from,until,workstream\na,2026-01-05,2026-01-06,live\n")
    assert code == 1
    typed, again, relief = result["findings"]
    assert typed["message"] == again["message"]
    assert typed["message"] == "the scope of a has no workstream 'content-moderatoin'; did you mean 'content-moderation'"
    assert typed["where"].startswith("data.csv:4:")
    assert typed["where"].endswith("$.workstream")
    assert "content-moderation, live-moderation" in typed["repair"]
    assert relief["message"].startswith("the scope of a has no workstream 'live'")
    assert {r["dimensions"].get("workstream") for r in result["results"]} <= {None, "content-moderation"}


@pytest.mark.parametrize("row", ["b,due,2026-01-01,month,5,any,", ",due,2026-01-01,month,5,any,", "a,due,2026-01-01,month,5,,"])
def test_a_scope_that_names_no_workstream_takes_any_and_a_row_need_not_be_split_by_it(tmp_path: Path, row: str) -> None:
    code, result = scored(tmp_path, HEADING + row + "\n", SCOPED)
    assert (code, [one for one in result["findings"] if one["severity"] == "error"]) == (0, [])


def test_relief_opening_and_events_are_refused_row_by_row_too(tmp_path: Path) -> None:
    code, result = scored(
        tmp_path,
        HEADING + GOOD,
        relief="site,kpi,from,until,effect,share\na,tat,2026-01-05,2026-01-01,,\na,tot,2026-01-01,2026-01-02,,\na,tat,2026-01-01,2026-01-02,,half\n",
        opening="starts_on,site,kpi,fact,value\n2025-12-01,a,tat,met,perhaps\n2025-12-01,a,tat,mood,1\n",
        events="event_id,site,kind,started_at,ended_at,value\n1,a,ticket,2026-01-05T10:00:00,,\n2,a,outage,2026-01-05T10:00:00Z,,\n"
        "3,a,ticket,2026-01-05T10:00:00Z,2026-01-04T10:00:00Z,\n6,a,refund,2026-01-05T10:00:00Z,,-1\n4,a,ticket,2026-01-05T10:00:00Z,,\n4,a,ticket,2026-01-05T10:00:00Z,,\n",
    )
    assert code == 1
    said = " | ".join(f"{one['where']} {one['message']}" for one in result["findings"])
    for words in (
        "not after it begins", "no KPI 'tot'", "'half' is not a number", "neither met nor missed", "'mood' is no fact",
        "refunds cannot be less than nothing", "has no offset", "of the kind 'outage'", "before it begins", "stands twice",
    ):  # fmt: skip
        assert words in said
    assert result["results"][0]["value"] == "95"


def test_missing_zero_and_never_delivered_are_three_things(tmp_path: Path) -> None:
    rows = "a,due,2026-01-01,month,0,,\na,in_time,2026-01-01,month,0,,\na,due,2026-02-01,month,5,,\na,in_time,2026-02-01,month,,,\n"
    _, result = scored(tmp_path, HEADING + rows + "b,due,2026-03-01,month,5,,\nb,in_time,2026-03-01,month,5,,\n")
    status = {(r["site"], r["from"]): (r["status"], r["note"]) for r in result["results"]}
    assert status["a", "2026-01-01"][0] == "no_volume"
    assert status["a", "2026-02-01"] == ("no_data", "what came was empty or had one side only")
    assert status["a", "2026-03-01"] == ("no_data", "nothing was delivered")
    assert status["b", "2026-03-01"][0] == "measured"


def test_every_number_of_the_answer_is_a_string_and_what_is_unknown_is_null(tmp_path: Path) -> None:
    _code, result = scored(tmp_path, HEADING + GOOD)

    def numbers(value: object) -> list[object]:
        if isinstance(value, dict):
            return [found for held in value.values() for found in numbers(held)]
        if isinstance(value, list):
            return [found for held in value for found in numbers(held)]
        return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []

    assert numbers(result) == []
    assert (result["results"][0]["streak"], result["results"][0]["score"]) == ("1", None)


def test_a_claim_that_lowers_a_target_needs_levels_in_the_contract(tmp_path: Path) -> None:
    claim = "from,until,effect,cause\n2026-01-05,2026-01-06,lower_target,{}\n"
    code, result = scored(tmp_path, HEADING + GOOD, relief=claim.format(""))
    assert code == 1
    assert "Write the eased levels under relief" in result["findings"][0]["repair"]
    terms = "relief: [{cause: storm, effect: lower_target, levels: {tat: {target: 80}}}]\n"
    code, result = scored(tmp_path, HEADING + GOOD, CONTRACT + terms, relief=claim.format("flood"))
    assert (code, result["findings"][0]["repair"]) == (1, "Name one of storm in the column cause.")
    code, result = scored(tmp_path, HEADING + GOOD, CONTRACT + terms, relief=claim.format("storm"))
    assert (code, result["results"][0]["target"], result["results"][0]["levels_without_relief"]) == (0, "80", {"target": "90"})
