from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pypdf
import pytest
from click.testing import CliRunner, Result

from scorecards.scorecard import Scorecard, to_json
from tests.scorecards import scorecard_builders as builders
from tests.vendor_mgmt.test_period_close import JANUARY, agreed, closed, delivered, invoice, month
from vendor_mgmt.commands.scorecard import command


def written(folder: Path, name: str, card: Scorecard) -> str:
    path = folder / name
    path.write_bytes(to_json(card))
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["pdf", *arguments])


def test_one_file_becomes_one_pdf(tmp_path: Path) -> None:
    source = written(tmp_path, "tiny.json", builders.tiny_site())
    result = run(source, "-o", str(tmp_path / "tiny.pdf"))
    assert result.exit_code == 0, result.output
    assert "Valletta" in (pypdf.PdfReader(tmp_path / "tiny.pdf").pages[0].extract_text())


def test_several_become_a_folder_and_a_second_run_keeps_them(tmp_path: Path) -> None:
    sources = [
        written(tmp_path, "a.json", builders.no_kpis(number="A/1 ü", revision=2)),
        written(tmp_path, "b.json", builders.no_kpis(number="B-1")),
    ]
    out = tmp_path / "out"
    assert run(*sources, "-o", str(out), "--edition", "client").exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == ["A-1-r2-client.pdf", "B-1-client.pdf"]
    again = run(*sources, "-o", str(out), "--edition", "client", "--json")
    assert [line["was_kept"] for line in json.loads(again.output)] == [True, True]
    anew = run(*sources, "-o", str(out), "--edition", "client", "--again", "--json")
    assert [line["was_kept"] for line in json.loads(anew.output)] == [False, False]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{}", "is not a scorecard/1 document: Object missing required field `number`"),
        (b"not json", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (to_json(builders.no_kpis()).replace(b'"score":null', b'"score":"many"'), "`$.score`"),
    ],
)
def test_a_source_that_cannot_be_read_is_named_and_the_others_are_rendered(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    good = written(tmp_path, "good.json", builders.no_kpis(number="GOOD"))
    result = run(str(tmp_path / "bad.json"), good, str(tmp_path / "none.json"), "-o", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert said in result.output
    assert "there is no file" in result.output
    assert (tmp_path / "out" / "GOOD.pdf").exists()
    assert "Traceback" not in result.output


def test_nothing_usable_is_exit_code_2(tmp_path: Path) -> None:
    assert run(str(tmp_path / "none.json"), "-o", str(tmp_path / "x.pdf")).exit_code == 2


def test_a_pale_accent_is_told_as_a_sentence(tmp_path: Path) -> None:
    source = written(tmp_path, "tiny.json", builders.no_kpis())
    result = run(source, "-o", str(tmp_path / "x.pdf"), "--accent", "#ffee00")
    assert result.exit_code == 2
    assert "too pale to read on white" in result.output
    assert run(source, "-o", str(tmp_path / "x.pdf"), "--accent", "red").exit_code == 2


def test_figures_are_exported_as_the_name_of_the_file_says(tmp_path: Path) -> None:
    source = written(tmp_path, "cap.json", builders.over_cap_month())
    for name, begins in (("a.csv", b"scorecard,revision"), ("a.xlsx", b"PK"), ("b.json", b'{"schema":"scorecard/1"')):
        result = CliRunner().invoke(command, ["export", source, "-o", str(tmp_path / name), "--edition", "site"])
        assert result.exit_code == 0, result.output
        assert (tmp_path / name).read_bytes().startswith(begins)
        assert b"144480" not in (tmp_path / name).read_bytes()
    refused = CliRunner().invoke(command, ["export", source, "-o", str(tmp_path / "a.txt")])
    assert refused.exit_code == 2
    assert "ends in none of .json, .csv, .xlsx" in refused.stderr
    missing = CliRunner().invoke(command, ["export", str(tmp_path / "no.json"), "-o", str(tmp_path / "a.csv")])
    assert (missing.exit_code, "there is no file" in missing.stderr) == (2, True)


def test_several_into_one_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(b"")
    sources = [written(tmp_path, f"{n}.json", builders.no_kpis(number=str(n))) for n in range(2)]
    result = run(*sources, "-o", str(tmp_path / "x.pdf"))
    assert result.exit_code == 2
    assert "name a folder" in result.output


async def test_a_stored_scorecard_is_named_by_its_number(database: str, tmp_path: Path) -> None:
    await agreed()
    await delivered([*month(JANUARY, "lisbon", "product"), invoice(JANUARY, "lisbon")])
    done = await closed(JANUARY)
    number = next(one.number for one in done.saved)

    result = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "vendor_mgmt", "scorecard", "pdf", number, "HARBOUR-1999-001", "-o", str(tmp_path / "out"), "--json"],
        env=os.environ | {"DATABASE_URL": database, "VENDOR_MGMT_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1, result.stderr
    unknown, written = sorted(json.loads(result.stdout), key=lambda line: line["file"] or "")
    assert "neither a file nor a scorecard 'HARBOUR-1999-001'" in unknown["error"]
    assert written["number"] == number
    assert "Harbour CX" in pypdf.PdfReader(written["file"]).pages[0].extract_text()
