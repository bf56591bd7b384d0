"""Before the first pull: what would be stored and refused, and a first mapping for a table nobody has mapped."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import openpyxl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contracts.reading import read
from tests.vendor_mgmt.intake.builders import MAPPING, day, portfolio, pulled, row, source, stored
from tests.vendor_mgmt.intake.test_intake_commands import vendor_mgmt
from vendor_mgmt.database import pool, transaction
from vendor_mgmt.intake.preview import Preview, preview, propose
from vendor_mgmt.intake.proposing import proposed
from vendor_mgmt.intake.readers.page import ReadingFailed
from vendor_mgmt.intake.source import Draft, Source

CANARY = "Maria Canaria"
SITES = ["lisbon-1", "porto-2"]
MEASURES = ["decisions_audited", "decisions_correct", "handling_seconds"]


def table(*lines: str) -> tuple[list[str], list[dict[str, str]]]:
    headings, *rows = (line.split(";") for line in lines)
    return headings, [dict(zip(headings, cells, strict=True)) for cells in rows]


# Proposing


def test_a_wide_table_is_recognised_with_its_sites_days_dimensions_and_measures() -> None:
    columns, rows = table(
        "Location;Date;Queue;Audited decisions;Correct decisions;Team Leader;Comments",
        "Lisbon 1;31.03.2026;product;1.234;1.200,5;Maria;",
        "PORTO-2;01.04.2026;live;10;9;Ana;",
        "MAD;02.04.2026;live;10;9;Ana;",
    )
    found = proposed(columns, rows, SITES, MEASURES)
    assert found.mapping == {
        "site": {"column": "Location", "codes": "sites"},
        "dimensions": {"queue": {"column": "Queue"}},
        "span": {"starts_on": {"column": "Date", "format": "%d.%m.%Y"}},
        "measures": {
            "decisions_audited": {"column": "Audited decisions"},
            "decisions_correct": {"column": "Correct decisions", "decimal": ","},
        },
    }
    assert [code["ours"] for code in found.codes["sites"]] == ["lisbon-1", "porto-2", "?"]
    assert any("`Team Leader` looks like a person" in remark for remark in found.remarks)
    assert any("'MAD'" in remark for remark in found.remarks)


def test_a_long_table_names_its_measures() -> None:
    columns, rows = table("site;month;metric;value", "lisbon-1;2026-01-01;Decisions Audited;5", "lisbon-1;2026-02-01;decisions correct;4")
    found = proposed(columns, rows, SITES, MEASURES)
    assert found.mapping["measure"] == {"column": "metric", "codes": "measures"}
    assert found.mapping["value"] == {"column": "value"}
    assert found.mapping["span"] == {"starts_on": {"column": "month"}, "grain": "month"}
    assert [(code["theirs"], code["ours"]) for code in found.codes["measures"]] == [
        ("Decisions Audited", "decisions_audited"),
        ("decisions correct", "decisions_correct"),
    ]


def test_single_events_are_recognised() -> None:
    columns, rows = table(
        "case id;site;decided at;outcome;handling seconds;agent",
        "C1;lisbon-1;2026-03-01T10:00:00Z;correct;30;a",
        "C2;lisbon-1;2026-03-01T11:00:00Z;wrong;30;a",
    )
    found = proposed(columns, rows, SITES, MEASURES)
    assert found.mapping["span"] == {"day_of": {"column": "decided at", "zone": "UTC"}}
    assert found.mapping["events"] == {"key": "case id", "counts": {"handling_seconds": {"sum": {"column": "handling seconds"}}}}
    assert "agent" not in str(found.mapping)


def test_what_is_uncertain_is_said() -> None:
    columns, rows = table("place;when;share;e-mail", "lisbon-1;03/04/2026;93,4 %;ana@harbour.example")
    found = proposed(columns, rows, SITES, ["share"])
    assert any("may be read in 2 ways" in remark for remark in found.remarks)
    assert any("percentages, which are no counts" in remark for remark in found.remarks)
    assert any("`e-mail` looks like a person" in remark for remark in found.remarks)


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False)
CELLS = st.one_of(st.none(), st.text(max_size=12), st.integers(), st.dates(), NUMBERS, st.booleans())


@given(
    columns=st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6, unique=True),
    cells=st.lists(st.lists(CELLS, min_size=6, max_size=6), max_size=6),
)
def test_whatever_the_table_the_proposal_has_the_shape_of_a_mapping(columns: list[str], cells: list[list[Any]]) -> None:
    rows = [dict(zip(columns, line, strict=False)) for line in cells]
    found = proposed(columns, rows, SITES, MEASURES)
    document = {"source": "s", "owner": "o", "reader": {"type": "csv", "folder": "in"}, "mapping": found.mapping, "codes": found.codes}
    assert {"site", "span"} <= set(found.mapping)
    # What is wrong with it is at most what it left open.
    findings = [one.message for one in read(msgspec.json.encode(document), Source).findings]
    assert findings == [] or "?" in str(found.mapping) + str(found.codes) or not all(name.strip() for name in columns)


# Looking


@pytest.fixture
async def site_data(database: str) -> None:
    await portfolio()


def document(api: Any, **changed: Any) -> Source:
    reader = {"type": "http_json", "url": api.url, "rows": "data", "paging": {"type": "cursor"}}
    given = {"source": "s", "owner": "o", "vendor": "harbour", "reader": reader, "mapping": MAPPING} | changed
    return msgspec.convert(given, Source)


async def counted() -> dict[str, int]:
    async with transaction() as connection:
        tables = ("run", "pull", "raw_answer", "series", "source")
        return {name: await connection.fetchval(f"SELECT count(*) FROM {name}") for name in tables}  # noqa: S608 - the names above


@pytest.mark.usefixtures("site_data")
async def test_a_preview_shows_what_would_be_stored_and_refused_and_stores_nothing(api: Any) -> None:
    rows = [row(3, agent=CANARY), row(2, audited="many"), row(1, site="atlantis"), *(row(back) for back in range(200, 100, -1))]
    api.script(rows=rows, paging="cursor")
    before = await counted()
    found = await preview(document(api), rows_max=5)
    assert len(found.rows) == 5
    assert found.rows[0] == {"site": "lisbon-1", "queue": "product", "day": day(3), "audited": 100, "correct": 95}
    first = found.values[0]
    assert (first.row_number, first.site, first.measure, first.dimensions, first.starts_on.isoformat(), first.value) == (
        1, "lisbon-1", "audited", {"workstream": "product"}, day(3), "100",
    )  # fmt: skip
    assert [(one.row_number, one.check) for one in found.refused] == [(2, "bad_value"), (3, "unknown_site")]
    assert CANARY not in msgspec.json.encode(found, enc_hook=str).decode()
    assert await counted() == before
    assert await stored() == {}
    # One page was enough to see; the second, asked for beforehand, at most.
    assert len(api.requests()) <= 2


@pytest.mark.usefixtures("site_data")
async def test_a_preview_of_a_source_that_cannot_be_read_says_why(api: Any) -> None:
    api.script(rows=[], faults=[403])
    with pytest.raises(ReadingFailed, match="Check what these credentials may read"):
        await preview(document(api))


@pytest.mark.usefixtures("site_data")
async def test_a_proposal_is_made_from_what_a_source_sends(api: Any) -> None:
    api.script(rows=[{"meta": {"site": code}, "day": day(2), "audited": 5, "agent": CANARY} for code in SITES])
    draft = msgspec.convert({"source": "s", "vendor": "harbour", "reader": {"type": "http_json", "url": api.url, "rows": "data"}}, Draft)
    found = await propose(draft)
    assert found.proposal is not None
    assert found.proposal.mapping == {
        "site": {"column": "meta.site"},
        "span": {"starts_on": {"column": "day"}},
        "measures": {"audited": {"column": "audited"}},
    }
    assert CANARY not in msgspec.json.encode(found, enc_hook=str).decode()
    whole = document(api, mapping=found.proposal.mapping, reader={"type": "http_json", "url": api.url, "rows": "data"})
    assert [value.value for value in (await preview(whole)).values] == ["5", "5"]


@pytest.mark.usefixtures("site_data")
async def test_a_workbook_and_lines_of_json_are_looked_at_too(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for cells in (["Report of March"], [], ["Site", "Day", "Audited"], ["lisbon-1", date(2026, 3, 1), 5]):
        sheet.append(cells)
    book.save(tmp_path / "a.xlsx")
    (tmp_path / "a.jsonl").write_text(json.dumps({"site": "porto-2", "day": "2026-03-01", "correct": 4.5}) + "\nno json\n")
    for kind, wanted in (("xlsx", "audited"), ("json_lines", "correct")):
        reader = {"type": kind, "folder": str(tmp_path), "settle_s": 0}
        found = await propose(msgspec.convert({"source": "s", "vendor": "harbour", "reader": reader}, Draft))
        assert found.proposal is not None
        assert list(found.proposal.mapping["measures"]) == [wanted]


def test_the_command_proposes_for_a_draft_and_previews_a_document(database_url: str, tmp_path: Path) -> None:
    async def prepare() -> None:
        async with pool(database_url):
            await portfolio()

    asyncio.run(prepare())
    (tmp_path / "a.csv").write_text(f"site;day;audited;correct\nlisbon-1;{day(2)};100;95\nlisbon-1;{day(1)};100;oops\n")
    head = f"source: s\nowner: o\nvendor: harbour\nreader: {{type: csv, folder: {tmp_path}, settle_s: 0}}\n"
    draft = tmp_path / "draft.yaml"
    draft.write_text(head)
    shown = vendor_mgmt(database_url, "source", "preview", str(draft))
    assert shown.returncode == 0, shown.stderr
    mapping = yaml.safe_load(shown.stdout[shown.stdout.index("mapping:") :])
    draft.write_text(head + yaml.safe_dump(mapping))
    shown = vendor_mgmt(database_url, "source", "preview", str(draft), "--json")
    found = msgspec.json.decode(shown.stdout, type=Preview)
    assert (shown.returncode, len(found.values)) == (1, 3)
    (refusal,) = found.refused
    assert refusal.reason.startswith("'oops' in `correct` is no number.")
    draft.write_text(head + "mapping: 5\n")
    assert vendor_mgmt(database_url, "source", "preview", str(draft)).returncode == 2


# History


@pytest.mark.usefixtures("database")
async def test_years_of_percentages_come_in_as_reported_values_with_their_sample(tmp_path: Path) -> None:
    await portfolio(accuracy_reported={"given": True})
    lines = [f"lisbon-1,{2020 + i // 12}-{i % 12 + 1:02}-01,{90 + i % 10}.5 %,{i if i % 2 else ''}" for i in range(60)]
    (tmp_path / "history.csv").write_text("site,month,accuracy,n\n" + "\n".join(lines) + "\n")
    mapping: dict[str, Any] = {"site": {"column": "site"}, "span": {"starts_on": {"column": "month"}, "grain": "month"}}
    reader = {"type": "csv", "folder": str(tmp_path), "settle_s": 0}
    await source(reader=reader, mapping=mapping | {"measures": {"accuracy_reported": {"column": "accuracy", "n": "n"}}})
    found = await pulled()
    assert (found.state, found.added) == ("done", 60)
    async with transaction() as connection:
        rows = await connection.fetch("SELECT starts_on, value, n FROM measurement ORDER BY starts_on")
    assert [(row["value"], row["n"]) for row in rows[:2]] == [(Decimal("90.5"), None), (Decimal("91.5"), 1)]
    assert rows[0]["starts_on"] == date(2020, 1, 1)
    # The same percentages are no counts, whatever the mapping says.
    await source(reader=reader, mapping=mapping | {"measures": {"audited": {"column": "accuracy"}}})
    wrong = await pulled()
    assert (wrong.added, wrong.refused) == (0, 60)
    assert "is a percentage and no count" in wrong.shown[0].reason
