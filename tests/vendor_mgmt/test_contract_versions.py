"""`contract agree`, `confirm`, `withdraw`, `amend`, `renew`, `show`, `versions` and `diff`, and `scorecard proposals` and `decide`."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner, Result

from contracts.errors import ContractError
from tests.vendor_mgmt.test_amendments import SIGNED, three_months
from tests.vendor_mgmt.test_period_close import contract_text
from vendor_mgmt import closing
from vendor_mgmt.__main__ import cli
from vendor_mgmt.database import pool
from vendor_mgmt.errors import Refused

CONTRACT = """\
# As signed in Lisbon.
contract: IB-1
title: Iberia
vendor: harbour
currency: EUR
time_zone: Europe/Lisbon
in_force: {from: 2026-01-01, until: 2027-01-01}
measures: {audited: {}, correct: {part_of: audited}}
kpis:
  accuracy:
    title: Decision accuracy
    clause: Annex 2, 4.1
    value: {ratio: {of: correct, to: audited}}
    target: 95
    no_volume: not_judged
    weight: 100
"""
AMENDED = CONTRACT.replace("IB-1", 'IB-1\nversion: "2"').replace("from: 2026-01-01", "from: 2026-06-16").replace("95", "97")
RENEWED = CONTRACT.replace("contract: IB-1", "contract: IB-2").replace("2026-01-01, until: 2027-01-01", "2027-01-01, until: 2029-01-01")
BOTH = ("--client", "Ana Reis", "--vendor", "Rui Costa", "--statement", "mails of 12 February", "--on", "2026-02-12")


@pytest.fixture
def files(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Writes a file, with the commands pointed at a database of the test's own."""
    monkeypatch.setenv("DATABASE_URL", database_url)

    def write(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def run(*arguments: object, group: str = "contract") -> Result:
    """What the command line answers; a sentence and its exit code where it refuses, as `main` shows it."""
    result = CliRunner().invoke(cli, [group, *map(str, arguments)])
    if isinstance(result.exception, ContractError | Refused):
        return Result(result.runner, result.stdout_bytes, b"", str(result.exception).encode(), None, 2, None)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def said(result: Result, *, exit_code: int = 0) -> str:
    assert result.exit_code == exit_code, result.output
    return result.output


def test_with_both_sides_named_a_version_is_agreed_and_shown_byte_for_byte(files: Any) -> None:
    file = files("ib.yaml", CONTRACT)
    sha256 = hashlib.sha256(CONTRACT.encode()).hexdigest()
    assert f"IB-1 version 1 is agreed and holds from 2026-01-01 until 2027-01-01 (SHA-256 {sha256})." in said(run("agree", file, *BOTH))

    shown = run("show", "IB-1", "--on", "2026-04-01")
    assert (shown.exit_code, shown.stdout) == (0, CONTRACT)
    assert "# IB-1 version 1, from 2026-01-01 until 2027-01-01" in shown.stderr
    assert json.loads(run("show", "IB-1", "--on", "2026-04-01", "--json").stdout)["kpis"]["accuracy"]["target"] == 95
    assert "No version of IB-1 is in force on 2027-01-01" in said(run("show", "IB-1", "--on", "2027-01-01"), exit_code=2)
    assert "IB-1  Iberia  (harbour): version 1 from 2026-01-01" in said(run("show"))

    listed = json.loads(run("versions", "IB-1", "--json").stdout)["versions"][0]
    assert (listed["number"], listed["holds"]) == (1, {"from": "2026-01-01", "until": "2027-01-01"})
    word = {"on": "2026-02-12", "document_sha256": None, "statement": "mails of 12 February"}
    assert listed["confirmations"] == [{"side": "client", "by": "Ana Reis", **word}, {"side": "vendor", "by": "Rui Costa", **word}]
    # The same text again is no further version.
    assert json.loads(run("agree", file, *BOTH, "--json").stdout)["number"] == 1
    assert len(json.loads(run("versions", "IB-1", "--json").stdout)["versions"]) == 1


def test_a_workbook_that_was_filled_in_becomes_a_contract_that_is_agreed(files: Any, tmp_path: Path) -> None:
    """From the template to a version in force, with what people leave in workbooks: spaces, text percents, blank rows and a total."""
    book, document = tmp_path / "filled.xlsx", tmp_path / "filled.yaml"
    assert run("template", book).exit_code == 0
    workbook = openpyxl.load_workbook(book)
    parties = {"Contract": "IB-9 ", "Currency": "eur", "In force from": "01.03.2026"}
    for row in workbook["Contract"].iter_rows(min_row=3):
        if str(row[0].value) in parties:
            row[1].value = parties[str(row[0].value)]
    grid = workbook["KPIs"]
    filled: list[list[Any]] = [
        ["lisbon-1 ", "product-moderation", None, "acc", None, None, "90 %", "93 %", "93%", "95%", "50%", "Yes", 200, "5 %", "charges"],
        [None] * 15,
        [None, None, None, "tat_sla ", "90", "95 %", None, None, None, None, "50 %", None, None, 5, "charges"],
        ["Total", *[None] * 9, "100 %"],
    ]
    for number, values in enumerate(filled, 3):
        for column, value in enumerate(values, 1):
            grid.cell(number, column).value = value
    workbook.save(book)

    assert "The row 'Total' adds others up and is left out" in said(run("from-xlsx", book, "-o", document))
    assert said(run("check", document)) == "1 read; 0 errors, 0 remarks.\n"
    assert "IB-9 version 1 is agreed and holds from 2026-03-01 until 2028-03-01" in said(run("agree", document, *BOTH))
    shown = json.loads(run("show", "IB-9", "--on", "2026-07-01", "--json").stdout)
    assert (shown["kpis"]["acc"]["weight"], shown["kpis"]["tat_sla"]["weight"]) == (50, 50)
    assert shown["kpis"]["acc"]["levels"][1]["at"] == {"floor": 93, "target": 95}


def test_without_both_sides_it_waits_and_nothing_is_in_force(files: Any) -> None:
    file, paper = files("ib.yaml", CONTRACT), files("signed.pdf", "the paper")
    waiting = said(run("agree", file))
    assert "IB-1: proposal 1 waits for the client and the vendor; nothing is judged by it until then." in waiting
    assert 'vendor-mgmt contract confirm IB-1 --client "NAME" --vendor "NAME"' in waiting
    assert "There is no contract 'IB-1'" in said(run("show", "IB-1"), exit_code=2)
    assert said(run("show")) == "IB-1: proposal 1 from 2026-01-01 waits for the client and the vendor\n"
    assert "waits for the vendor" in said(run("confirm", "IB-1", "--client", "Ana Reis", "--statement", "by mail"))
    assert "proposal 1 from 2026-01-01 until 2027-01-01 waits for the vendor" in said(run("versions", "IB-1"))
    assert "IB-1 version 1 is agreed" in said(run("confirm", "IB-1", "--vendor", "Rui Costa", "--signed", paper))
    [version] = json.loads(run("versions", "IB-1", "--json").stdout)["versions"]
    assert [(one["side"], one["document_sha256"]) for one in version["confirmations"]] == [
        ("client", None),
        ("vendor", hashlib.sha256(b"the paper").hexdigest()),
    ]
    assert "no text of IB-1 waits" in said(run("confirm", "IB-1", "--vendor", "Rui Costa", "--statement", "x"), exit_code=2)


def test_a_text_that_waits_can_be_withdrawn_and_stays_on_record(files: Any) -> None:
    run("agree", files("ib.yaml", CONTRACT))
    run("agree", files("other.yaml", CONTRACT.replace("95", "94")))
    several = said(run("withdraw", "IB-1", "--reason", "too strict"), exit_code=2)
    assert "several texts of IB-1 wait: 1 (from 2026-01-01), 2 (from 2026-01-01). Say which with --proposal." in several
    assert "proposal 1 is withdrawn" in said(run("withdraw", "IB-1", "--proposal", 1, "--reason", "too strict"))
    assert "was withdrawn: too strict" in said(run("versions", "IB-1"))
    assert "was withdrawn: too strict" in said(run("confirm", "IB-1", "--proposal", 1, *BOTH), exit_code=2)
    assert "IB-1 version 1 is agreed" in said(run("confirm", "IB-1", *BOTH))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--client", "Ana Reis"], "Say by what it was confirmed"),
        (["--statement", "yes"], "Say who confirms"),
        (["--client", "Ana", "--vendor", "ana", "--statement", "yes"], "Ana cannot confirm for both sides"),
        (["--client", "Ana", "--statement", " "], "--statement is empty"),
        (["--client", "Ana", "--signed-sha256", "abc"], "is no SHA-256"),
        (["--client", "Ana", "--statement", "yes", "--on", "2999-01-01"], "Nobody has confirmed anything on 2999-01-01 yet"),
        (["--client", "Ana", "--statement", "yes", "--signed-sha256", "a" * 64], "A confirmation is by one thing"),
    ],
)
def test_a_word_that_says_too_little_or_too_much_is_refused_and_nothing_is_stored(files: Any, words: list[str], sentence: str) -> None:
    assert sentence in said(run("agree", files("ib.yaml", CONTRACT), *words), exit_code=2)
    assert "no contract 'IB-1' is agreed" in said(run("versions", "IB-1"), exit_code=2)


def test_the_signed_paper_must_be_the_one_that_the_document_encodes(files: Any) -> None:
    paper = files("signed.pdf", "the paper")
    sha256 = hashlib.sha256(b"the paper").hexdigest()
    file = files("ib.yaml", CONTRACT + f"executed: {{document: signed.pdf, sha256: {sha256}}}\n")
    other = files("other.pdf", "another paper")
    people = ("--client", "Ana Reis", "--vendor", "Rui Costa")
    refused = said(run("agree", file, *people, "--signed", other), exit_code=2)
    assert f"the document encodes one with {sha256}. One of them is another." in refused
    assert "version 1 is agreed" in said(run("agree", file, *people))
    assert run("agree", file, *people, "--signed", paper).exit_code == 0
    [version] = json.loads(run("versions", "IB-1", "--json").stdout)["versions"]
    assert {one["document_sha256"] for one in version["confirmations"]} == {sha256}


def test_an_amendment_is_compared_and_its_consequences_are_told_before_and_after(files: Any) -> None:
    run("agree", files("ib.yaml", CONTRACT), *BOTH)
    before = said(run("amend", files("ib-2.yaml", AMENDED), "--dry-run"))
    assert "Compared with IB-1 version 1: 1 difference:" in before
    assert "Annex 2, 4.1, from 16 June 2026: Decision accuracy (accuracy): the target is 97 instead of 95, harder." in before
    assert "Version 1 of IB-1 holds until 16 June 2026 (not included) instead of until 1 January 2027." in before
    assert "(measured.amended: split): 15 of 30 days by version 1 and 15 of 30 days by the new version" in before
    assert before.endswith("Nothing was stored.\n")
    assert len(json.loads(run("versions", "IB-1", "--json").stdout)["versions"]) == 1

    done = run("amend", files("ib-2.yaml", AMENDED), "--from", "2026-07-01", *BOTH)
    assert "IB-1 version 2 is agreed and holds from 2026-07-01" in said(done)
    assert "from 2026-07-01" in run("show", "IB-1", "--number", 2).stderr
    assert "version 1 holds from 2026-01-01 until 2026-07-01 (agreed from 2026-01-01 until 2027-01-01)" in said(run("versions", "IB-1"))
    # Before it was agreed, the first version held for all days.
    early = json.loads(run("versions", "IB-1", "--as-of", "2020-01-01", "--json").stdout)
    assert (early["versions"], early["proposals"]) == ([], [])


def test_an_amendment_without_the_notice_it_takes_is_told_and_can_be_agreed_all_the_same(files: Any) -> None:
    rule = 'amendments: [{of: [levels], notice_days: 30, once_in_months: 12, clause: "9.2"}]\n'
    run("agree", files("ib.yaml", CONTRACT + rule), *BOTH)
    second = files("ib-2.yaml", AMENDED + rule + "announced_on: 2026-06-01\n")
    told = said(run("amend", second, *BOTH))
    assert "It changes levels (9.2), which takes 30 days of notice: it was announced on 1 June 2026, 15 days before it begins." in told
    third = AMENDED.replace('"2"', '"3"').replace("2026-06-16", "2026-12-01").replace("97", "98") + rule + "announced_on: 2026-06-01\n"
    told = said(run("amend", files("ib-3.yaml", third), "--dry-run"))
    assert "may be done once in 12 months: version 2 did so on 16 June 2026, and 16 June 2027 is the first day for the next" in told
    assert "days of notice" not in told


def test_an_amendment_needs_a_contract_and_a_name_of_its_own(files: Any) -> None:
    file = files("ib.yaml", CONTRACT)
    assert "no contract 'IB-1' is agreed" in said(run("amend", file), exit_code=2)
    run("agree", file, *BOTH)
    changed = files("ib-2.yaml", AMENDED.replace('version: "2"\n', ""))
    assert "version 1 of IB-1 is named '1' already. Results name the version that judged them: write version: \"2\"." in said(
        run("amend", changed, *BOTH), exit_code=2
    )
    assert "ends on 2027-01-01, before 2027-02-01" in said(run("amend", files("a.yaml", AMENDED), "--from", "2027-02-01"), exit_code=2)


def test_an_agreed_later_version_is_replaced_only_where_that_is_said(files: Any) -> None:
    run("agree", files("ib.yaml", CONTRACT), *BOTH)
    run("amend", files("ib-2.yaml", AMENDED), *BOTH)
    third = files("ib-3.yaml", AMENDED.replace('"2"', '"3"').replace("2026-06-16", "2026-03-01").replace("97", "96"))
    assert "would no longer hold. Say that it is replaced as well (--replace-later)" in said(run("amend", third, *BOTH), exit_code=2)
    done = said(run("amend", third, "--replace-later", *BOTH))
    assert "Version 2 of IB-1, agreed for 16 June 2026 until 1 January 2027, no longer holds on any day." in done
    assert "IB-1 version 2 holds on no day (agreed from 2026-06-16 until 2027-01-01)" in said(run("versions", "IB-1"))


def test_a_renewal_is_a_successor_in_the_same_lineage(files: Any) -> None:
    file, renewal = files("ib.yaml", CONTRACT), files("ib-2.yaml", RENEWED)
    assert "There is no contract 'IB-1' to renew" in said(run("renew", "IB-1", renewal, *BOTH), exit_code=2)
    run("agree", file, *BOTH)
    assert "A renewal has a code of its own" in said(run("renew", "IB-1", file), exit_code=2)
    assert "IB-2 version 1 is agreed and holds from 2027-01-01 until 2029-01-01" in said(run("renew", "IB-1", renewal, *BOTH))
    assert "renews: IB-1" in run("show", "IB-2", "--on", "2027-06-01").stdout
    listed = said(run("versions", "IB-2"))
    assert listed.startswith("IB-1 → IB-2 (harbour)\nIB-1 version 1 holds from 2026-01-01 until 2027-01-01\n")
    with_gap = RENEWED.replace("IB-2", "IB-3").replace("2027-01-01", "2029-03-01").replace("2029-01-01", "2030-01-01")
    told = said(run("renew", "IB-2", files("ib-3.yaml", with_gap), "--dry-run"))
    assert "From 1 January 2029 until 1 March 2029 (not included) nothing is in force." in told


def test_what_belongs_to_another_vendor_or_lineage_is_refused_before_anything_is_stored(files: Any) -> None:
    site = "scope: [{site: lisbon-1}]\n"
    run("agree", files("ib.yaml", CONTRACT + site), *BOTH)
    run("agree", files("mesa.yaml", CONTRACT.replace("IB-1", "ME-1").replace("harbour", "mesa")), *BOTH)
    other = AMENDED.replace("harbour", "mesa")
    assert "IB-1 is a contract with another vendor" in said(run("amend", files("a.yaml", other), *BOTH), exit_code=2)
    foreign = CONTRACT.replace("IB-1", "ME-2").replace("harbour", "mesa") + site
    assert "the sites lisbon-1 belong to another vendor" in said(run("agree", files("b.yaml", foreign), *BOTH), exit_code=2)
    moved = AMENDED + "renews: ME-1\n"
    assert "IB-1 does not continue 'ME-1'" in said(run("amend", files("c.yaml", moved), *BOTH), exit_code=2)
    for code in ("IB-1", "ME-1"):
        listing = json.loads(run("versions", code, "--json").stdout)
        assert (len(listing["versions"]), listing["proposals"]) == (1, [])
    assert "no contract 'ME-2' is agreed" in said(run("versions", "ME-2"), exit_code=2)


def test_two_agreed_versions_are_compared_in_plain_words(files: Any) -> None:
    run("agree", files("ib.yaml", CONTRACT), *BOTH)
    file = files("ib-2.yaml", AMENDED)
    run("amend", file, *BOTH)
    words = said(run("diff", "IB-1@1", "IB-1@2"))
    assert "the target is 97 instead of 95, harder" in words
    assert said(run("diff", "IB-1@1", file)) == words
    assert json.loads(run("diff", "IB-1@1", "IB-1@2", "--json").stdout)[0]["clause"] == "Annex 2, 4.1"
    assert "promise the same" in said(run("diff", "IB-1@1", "IB-1@1"))
    assert "There is no version 3 of a contract 'IB-1'" in said(run("diff", "IB-1@1", "IB-1@3"), exit_code=2)
    assert "There is no file 'none.yaml'" in said(run("diff", "none.yaml", "IB-1@1"), exit_code=2)


def test_a_late_amendment_names_the_closed_months_it_reaches_and_a_person_decides_on_each_revision(
    files: Any, database_url: str
) -> None:
    def in_database(work: Any) -> Any:
        async def around() -> Any:
            async with pool(database_url):
                return await work()

        return asyncio.run(around())

    in_database(three_months)
    assert said(run("proposals", group="scorecard")) == "No revision is proposed.\n"
    text = json.loads(contract_text(version="2", in_force={"from": "2026-02-01"}))
    text["kpis"]["turnaround"]["target"] = 99
    told = said(run("amend", files("late.json", json.dumps(text)), *BOTH))
    assert "2 closed periods are reached, those from 1 February 2026 to 1 March 2026: 2 issued scorecards get a proposed revision" in told
    assert "`vendor-mgmt close HX-1 --since 2026-02-01` does so now" in told

    assert run("HX-1", "--since", "2026-02-01", group="close").exit_code == 0
    listed = run("proposals", "--json", group="scorecard")
    assert listed.exit_code == 1
    found = {one["site"]: one for one in json.loads(listed.stdout)}
    assert found.keys() == {"lisbon", "cebu"}
    changes = [found["lisbon"][name] for name in ("cause", "credit_before", "credit_after")]
    assert changes == ["HX-1 version 2", "0.00", "200.00"]
    lisbon, cebu = found["lisbon"]["scorecard"], found["cebu"]["scorecard"]
    issued = run("decide", lisbon, "--issue", "--by", "Lena", group="scorecard")
    assert f"{lisbon}: revision 1 is issued and supersedes revision 0." in said(issued)
    assert "Say why with --reason" in said(run("decide", cebu, "--decline", "--by", "Lena", group="scorecard"), exit_code=2)
    declined = run("decide", cebu, "--decline", "--by", "Lena", "--reason", "settled", group="scorecard")
    assert f"{cebu}: revision 0 stands" in said(declined)
    assert f"No revision of {cebu} is proposed" in said(run("decide", cebu, "--issue", "--by", "Lena", group="scorecard"), exit_code=2)
    in_database(lambda: closing.close_contract("HX-1", at=SIGNED))
    assert said(run("proposals", group="scorecard")) == "No revision is proposed.\n"


