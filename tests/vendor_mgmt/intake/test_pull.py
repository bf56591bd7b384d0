"""Pulling over real HTTP into a real database: nothing lost, nothing doubled, nothing believed blindly."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.vendor_mgmt.intake.builders import MAPPING, TODAY, day, found_anywhere, portfolio, pulled, refused, row, source, stored
from vendor_mgmt.database import transaction
from vendor_mgmt.intake import pull, queries
from vendor_mgmt.intake.pull import Request, pull_now


@pytest.fixture
async def site_data(database: str) -> None:
    await portfolio()


pytestmark = pytest.mark.usefixtures("site_data")


async def test_rows_of_all_pages_become_measurements_and_the_watermark_moves(api: Any) -> None:
    api.script(rows=[row(back) for back in range(250, 0, -1)], paging="cursor")
    await source(api)
    first = await pulled()
    assert (first.state, first.pages, first.rows_read, first.added, first.refused) == ("done", 3, 250, 500, 0)
    assert first.watermark_on == TODAY
    assert (await stored())["lisbon-1", "correct", day(1)] == 95
    again = await pulled()
    # Only the restatement window is asked for again, and nothing in it has changed.
    assert (again.rows_read, again.added, again.changed, again.unchanged) == (7, 0, 0, 14)
    assert api.requests()[-1]["query"]["since"] == day(7)


async def test_the_token_is_sent_and_never_stored(api: Any, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARBOUR_TOKEN", "s3cret-t0ken")
    api.script(rows=[row(1)], token="s3cret-t0ken")
    await source(api, reader={"auth": {"type": "bearer", "token": {"env": "HARBOUR_TOKEN"}}})
    assert (await pulled()).added == 2
    assert await found_anywhere("s3cret-t0ken") == []


async def test_a_credential_that_is_not_there_is_said_in_words(api: Any) -> None:
    await source(api, reader={"auth": {"type": "bearer", "token": {"env": "NOT_SET_ANYWHERE"}}})
    result, found = await pull_now(Request(source="harbour-daily"))
    assert (result.state, found) == ("failed", None)
    assert result.error == "The credential is to come from the variable NOT_SET_ANYWHERE, which is not set. Set it."


async def test_an_oauth_token_is_fetched_first(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENT_SECRET", "shh")
    api.script(rows=[row(1)], token="from-issuer")
    auth = {
        "type": "oauth2_client_credentials",
        "token_url": f"{api.base}/token",
        "client_id": "us",
        "client_secret": {"env": "CLIENT_SECRET"},
    }
    await source(api, reader={"auth": auth})
    assert (await pulled()).added == 2


@pytest.mark.parametrize(
    ("style", "paging"),
    [
        ("page", {"type": "page_number"}),
        ("offset", {"type": "offset", "total": "total", "size": 100}),
        ("cursor", {"type": "cursor"}),
        ("link", {"type": "link"}),
    ],
)
async def test_every_way_of_paging_reads_every_row_once(api: Any, style: str, paging: dict[str, Any]) -> None:
    api.script(rows=[row(back) for back in range(250, 0, -1)], paging=style)
    await source(api, reader={"paging": paging})
    found = await pulled()
    assert (found.state, found.rows_read, found.added) == ("done", 250, 500)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429, "retry_after": "0"},
        503,
        500,
        {"fault": "reset"},
        {"fault": "short"},
        {"fault": "body", "body": b"<html>Sorry</html>"},
    ],
    ids=str,
)
async def test_what_may_pass_by_itself_is_tried_again(api: Any, fault: Any) -> None:
    api.script(rows=[row(back) for back in range(150, 0, -1)], paging="cursor", faults=[None, fault])
    await source(api)
    found = await pulled()
    assert (found.state, found.added) == ("done", 300)


async def test_the_source_is_left_alone_for_as_long_as_it_asks(api: Any) -> None:
    api.script(rows=[row(1)], faults=[{"status": 429, "retry_after": "1"}])
    await source(api)
    started = datetime.now(UTC)
    assert (await pulled()).state == "done"
    assert datetime.now(UTC) - started >= timedelta(seconds=1)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"fault": "body", "body": b"<html>Sorry</html>"}, "a web page"),
        ({"fault": "body", "body": b"\x00\xff garbage", "type": "application/json"}, "something that is no JSON"),
        ({"fault": "body", "body": b""}, "nothing instead of JSON"),
        (503, "503"),
        (403, "Check what these credentials may read"),
        ({"fault": "drip"}, "in time"),
        ({"fault": "bomb"}, "unpacks to more than"),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_a_source_that_answers_nothing_usable_fails_the_run_in_words_and_the_next_pull_repairs_it(
    api: Any, fault: Any, words: str
) -> None:
    api.script(rows=[row(1)], faults=[fault] * 3)
    await source(api, reader={"limits": {"attempts": 2, "patience_s": 3, "page_s": 1}})
    result, found = await pull_now(Request(source="harbour-daily"))
    assert (result.state, found) == ("failed", None)
    assert words in (result.error or "")
    assert await stored() == {}
    api.script(rows=[row(1)])
    assert (await pulled()).added == 2


async def test_half_a_page_gives_its_whole_rows_and_the_next_pull_the_rest(api: Any) -> None:
    rows = [row(back) for back in range(5, 0, -1)]
    whole = json.dumps({"data": rows, "next": None}).encode()
    api.script(bodies=[whole[: whole.index(day(2).encode())]], paging="cursor")
    await source(api)
    half = await pulled()
    assert (half.state, half.is_complete, half.added, half.watermark_on) == ("partial", False, 6, None)
    assert "not read to its end" in half.findings[0]
    api.script(rows=rows)
    rest = await pulled()
    assert (rest.state, rest.added, rest.unchanged, rest.watermark_on) == ("done", 4, 6, TODAY)


async def test_when_a_later_page_cannot_be_had_the_earlier_ones_count_and_the_watermark_stays(api: Any) -> None:
    api.script(rows=[row(back) for back in range(250, 0, -1)], paging="cursor", faults=[None, None, 500, 500, 500])
    await source(api)
    found = await pulled()
    assert (found.state, found.added, found.watermark_on) == ("partial", 400, None)
    api.script(rows=[row(back) for back in range(250, 0, -1)], paging="cursor")
    assert (await pulled()).added == 100


async def test_a_connection_that_drops_keeps_the_rows_that_came_and_says_what_is_missing(api: Any) -> None:
    rows = [row(back) for back in range(5, 0, -1)]
    whole = json.dumps({"data": rows, "next": None}).encode()
    dropped = {"fault": "short", "body": whole[: whole.index(day(2).encode())]}
    api.script(rows=rows, paging="cursor", faults=[dropped] * 3)
    await source(api)
    half = await pulled()
    assert (half.state, half.is_complete, half.added, half.watermark_on) == ("partial", False, 6, None)
    assert "Page 1 breaks off after 3 whole rows" in half.findings[0]
    rest = await pulled()
    assert (rest.state, rest.added, rest.unchanged, rest.watermark_on) == ("done", 4, 6, TODAY)


async def test_an_answer_longer_than_it_says_is_used_as_far_as_it_says_and_read_again(api: Any) -> None:
    rows = [row(back) for back in range(5, 0, -1)]
    lying = {"fault": "says less", "body": json.dumps({"data": rows, "next": None}).encode(), "bytes": 40}
    api.script(rows=rows, paging="cursor", faults=[lying] * 3)
    await source(api)
    half = await pulled()
    assert (half.state, half.is_complete, half.added) == ("partial", False, 8)
    rest = await pulled()
    assert (rest.state, rest.added) == ("done", 2)


async def test_a_source_that_hangs_is_left_after_its_time_and_the_pages_before_count(api: Any) -> None:
    hanging = {"fault": "hang", "seconds": 3}
    api.script(rows=[row(back) for back in range(150, 0, -1)], paging="cursor", faults=[None, hanging, hanging, hanging])
    await source(api, reader={"limits": {"attempts": 2, "patience_s": 2, "page_s": 0.4}})
    found = await pulled()
    assert (found.state, found.added) == ("partial", 200)
    assert "Page 2 could not be had" in found.findings[0]
    assert "did not answer in time" in found.findings[0]


async def test_a_page_that_is_repeated_for_ever_ends_the_reading_and_doubles_nothing(api: Any) -> None:
    same = {"data": [row(2), row(1)]}
    api.script(bodies=[same] * 50, paging="page")
    await source(api, reader={"paging": {"type": "page_number"}})
    found = await pulled()
    assert (found.state, found.is_complete, found.added) == ("partial", False, 4)
    assert "the same page again and again" in found.findings[0]


async def test_a_page_that_cannot_be_had_is_named(api: Any) -> None:
    api.script(rows=[row(back) for back in range(250, 0, -1)], paging="cursor", faults=[None, None, 500, 500, 500])
    await source(api)
    found = await pulled()
    assert "Page 3 could not be had, nor any that would follow it: The source answers 500" in found.findings[0]


SPOILT = {
    "a number of 5 000 digits": (b"9" * 5000, "bad_value"),
    "an exponent of twenty digits": (b"1E+99999999999999999999", "bad_value"),
    "a number of 40 digits": (b"9" * 40, "bad_value"),
    "brackets without end": (b"[" * 20_000 + b"]" * 20_000, "not_a_row"),
    "half a word": (b'"\\u12"', "not_a_row"),
    "nothing": (b"", "not_a_row"),
    "half of a pair of escapes": (b'"\\ud83d"', "bad_value"),
}


@pytest.mark.parametrize("what", SPOILT)
async def test_what_no_computer_reads_costs_its_own_row_and_no_other(api: Any, what: str) -> None:
    spoilt, check = SPOILT[what]
    parts = [json.dumps(row(back)).encode() for back in (4, 3, 2)]
    parts[1] = parts[1].replace(b'"audited": 100', b'"audited": ' + spoilt)
    api.script(bodies=[b'{"data": [' + b", ".join(parts) + b'], "next": "2"}', {"data": [row(1)], "next": None}], paging="cursor")
    await source(api)
    found = await pulled()
    assert (found.state, found.is_complete, found.rows_read, found.refused) == ("partial", True, 4, 1)
    good = await stored()
    assert [good["lisbon-1", "audited", day(back)] for back in (4, 2, 1)] == [100, 100, 100]
    (kept,) = await refused()
    assert (kept.row_number, kept.check) == (2, check)
    assert day(3) in str(kept.raw_row)


@pytest.mark.parametrize("odd", ["not an object", 7, ["lisbon-1", 5], None, True, "long " * 5000], ids=lambda odd: str(odd)[:20])
async def test_a_row_that_is_none_is_kept_as_it_came(api: Any, odd: Any) -> None:
    api.script(rows=[row(2), odd, row(1)])
    await source(api)
    assert (await pulled()).added == 4
    (kept,) = await refused()
    shown = kept.raw_row["(not a row)"]
    assert shown == odd or (len(shown) == 10_001 and odd.startswith(shown[:-1]))


BAD_ROWS = {
    "not_a_row": "not an object",
    "unknown_site": row(3, site="atlantis"),
    "bad_date": row(3) | {"day": "yesterday"},
    "future": row(-2),
    "bad_value": row(3, audited="many"),
    "nan": row(3, audited=float("nan")),
    "wrong_type": row(3, audited={"a": 1}),
    "negative": row(3, audited=-5, correct=0),
    "part_of": row(3, audited=100, correct=101),
    "missing_column": {key: value for key, value in row(3).items() if key != "correct"},
    "true": row(3, audited=True),
    "huge": row(3, audited=Decimal("1E+400")),
}
CHECKS = {"nan": "bad_value", "wrong_type": "bad_value", "true": "bad_value", "huge": "bad_value"}


@pytest.mark.parametrize("fault", BAD_ROWS)
async def test_a_bad_row_is_kept_with_its_reason_while_the_good_ones_go_in_and_the_next_pull_repairs_it(api: Any, fault: str) -> None:
    bad = BAD_ROWS[fault]
    body = json.dumps({"data": [row(4), bad, row(2)], "next": None}, default=float).replace("Infinity", "1E+400").encode()
    api.script(bodies=[body])
    await source(api)
    found = await pulled()
    assert found.state == "partial"
    assert found.refused == 1
    assert (found.is_complete, found.watermark_on) == (True, TODAY)
    good = await stored()
    assert good["lisbon-1", "audited", day(4)] == good["lisbon-1", "audited", day(2)] == 100
    assert ("lisbon-1", "correct", day(3)) not in good or good["lisbon-1", "correct", day(3)] in (95, 0)
    (kept,) = await refused()
    assert kept.check == CHECKS.get(fault, fault)
    assert kept.row_number == 2
    assert kept.reason.endswith((".", "value."))
    if fault != "not_a_row":
        assert kept.raw_row["queue"] == "product"
    api.script(rows=[row(4), row(3), row(2)])
    repaired = await pulled()
    assert (repaired.state, repaired.refused) == ("done", 0)
    assert await refused() == []
    assert [one.id for one in await refused("replaced")] == [kept.id]
    assert (await stored())["lisbon-1", "correct", day(3)] == 95


async def test_a_character_the_database_cannot_store_takes_no_good_row_with_it(api: Any) -> None:
    api.script(rows=[row(2), row(1, audited="5\0"), row(3, site="lis\0bon")])
    await source(api)

    found = await pulled()

    assert (found.state, found.added) == ("partial", 3)
    assert await refused() != []
    assert all("\0" not in f"{one.raw_row} {one.reason}" for one in await refused())


async def test_an_unknown_measure_of_a_long_table_is_refused(api: Any) -> None:
    mapping = {
        "site": {"column": "site"},
        "span": {"starts_on": {"column": "day"}},
        "measure": {"column": "measure"},
        "value": {"column": "value"},
    }
    rows = [{"site": "porto-2", "day": day(2), "measure": name, "value": 5} for name in ("audited", "smiles")]
    api.script(rows=rows)
    await source(api, mapping=mapping)
    found = await pulled()
    assert (found.state, found.added, found.refused) == ("partial", 1, 1)
    (kept,) = await refused()
    assert (kept.check, kept.raw_row["measure"]) == ("unknown_measure", "smiles")


async def test_a_restated_whole_below_its_stored_part_is_not_believed(api: Any) -> None:
    api.script(rows=[row(3)])
    await source(api)
    await pulled()
    mapping = MAPPING | {"measures": {"audited": {"column": "audited"}}}
    await source(api, mapping=mapping)
    api.script(rows=[row(3, audited=90)])
    found = await pulled()
    assert (found.changed, found.refused) == (0, 1)
    assert found.shown[0].reason == "audited is 90, less than the 95 of its part correct that is stored."


async def test_a_row_refused_long_ago_is_reached_for_again(api: Any) -> None:
    api.script(rows=[row(40, audited="many"), row(1)])
    await source(api)
    assert (await pulled()).refused == 1
    api.script(rows=[row(40), row(1)])
    assert (await pulled()).state == "done"
    assert api.requests()[0]["query"]["since"] == day(40)
    assert (await stored())["lisbon-1", "audited", day(40)] == 100


async def test_a_page_given_twice_and_pages_out_of_order_change_nothing(api: Any) -> None:
    pages = [[row(back) for back in range(start, start - 3, -1)] for start in (12, 9, 6, 3)]
    shuffled = [pages[2], pages[0], pages[0], pages[3], pages[1]]
    bodies = [{"data": page, "next": str(i + 1) if i < len(shuffled) else None} for i, page in enumerate(shuffled, 1)]
    api.script(bodies=bodies)
    await source(api)
    found = await pulled()
    assert (found.state, found.rows_read, found.added) == ("done", 15, 24)


async def test_a_source_that_leads_in_a_circle_is_left(api: Any) -> None:
    api.script(bodies=[{"data": [row(3)], "next": "2"}, {"data": [row(2)], "next": "1"}, {"data": [row(1)], "next": "1"}], paging="cursor")
    await source(api)
    found = await pulled()
    assert (found.state, found.is_complete) == ("partial", False)
    assert "leads back" in found.findings[0]


async def test_columns_that_are_renamed_between_pages_refuse_their_rows_and_no_others(api: Any) -> None:
    renamed = [{**row(back), "day": day(back)} for back in (2, 1)]
    for one in renamed:
        one["total"] = one.pop("audited")
    api.script(bodies=[{"data": [row(4), row(3)], "next": "2"}, {"data": renamed, "next": None}])
    await source(api)
    found = await pulled()
    assert (found.state, found.added, found.refused) == ("partial", 6, 2)
    assert {one.check for one in await refused()} == {"missing_column"}


async def test_empty_is_missing_and_zero_is_zero(api: Any) -> None:
    api.script(rows=[row(2, audited=None, correct=None), row(1, audited=0, correct=0)])
    await source(api)
    assert (await pulled()).state == "done"
    values = await stored()
    assert values["lisbon-1", "audited", day(2)] is None
    assert values["lisbon-1", "audited", day(1)] == 0


async def test_decimals_arrive_exactly(api: Any) -> None:
    api.script(
        bodies=[
            b'{"data": [{"site": "lisbon-1", "queue": "p", "day": "%s", "audited": 80.10, "correct": 0.1000000000000000055}]}'
            % day(1).encode()
        ]
    )
    await source(api)
    await pulled()
    values = await stored()
    assert str(values["lisbon-1", "audited", day(1)]) == "80.10"
    assert values["lisbon-1", "correct", day(1)] == Decimal("0.1000000000000000055")


async def test_a_dry_run_shows_what_would_change_and_changes_nothing(api: Any) -> None:
    api.script(rows=[row(2), row(1)])
    await source(api)
    shown = await pulled(dry_run=True)
    assert (shown.added, shown.is_dry_run) == (4, True)
    assert await stored() == {}
    assert (await pulled()).added == 4


async def test_a_backfill_reads_its_range_and_never_moves_the_watermark(api: Any) -> None:
    api.script(rows=[row(back) for back in range(60, 0, -1)])
    await source(api, first_day=day(10))
    assert (await pulled()).added == 20
    filled = await pulled(from_=TODAY - timedelta(days=30), until=TODAY - timedelta(days=20), reason="the vendor found them")
    assert (filled.added, filled.is_backfill, filled.watermark_on) == (20, True, TODAY)
    async with transaction() as connection:
        await connection.execute("UPDATE source SET watermark_on = $1", TODAY - timedelta(days=5))
    assert (await pulled(from_=TODAY - timedelta(days=3), until=TODAY)).watermark_on == TODAY - timedelta(days=5)


async def test_a_check_that_stops_stores_nothing(api: Any) -> None:
    api.script(rows=[row(2), row(1, audited=-1)])
    await source(api, checks=[{"check": "negative", "then": "stop"}])
    result, found = await pull_now(Request(source="harbour-daily"))
    assert (result.state, found) == ("failed", None)
    assert "stopped the pull: Row 2" in (result.error or "")
    assert await stored() == {}


async def test_a_figure_that_stands_still_jumps_or_vanishes_is_flagged_and_goes_in(api: Any) -> None:
    api.script(rows=[row(back, audited=100 + back) for back in range(30, 1, -1)])
    checks = [
        {"check": "frozen", "then": "flag", "times": 14, "measures": ["correct"]},
        {"check": "jump", "then": "flag"},
        {"check": "zero", "then": "flag"},
    ]
    await source(api, checks=checks)
    first = await pulled()
    assert first.state == "done"
    assert any("has been 95 for 29 spans" in finding for finding in first.findings)
    api.script(rows=[row(1, audited=9000, correct=0)])
    second = await pulled()
    assert (second.state, second.added) == ("done", 2)
    assert any("audited is 9000, where" in finding for finding in second.findings)
    assert any("correct is 0, where 95 is usual" in finding for finding in second.findings)


async def test_a_site_that_delivers_nothing_is_missed(api: Any) -> None:
    api.script(rows=[row(back, site=site) for site in ("lisbon-1", "porto-2") for back in (9, 8)])
    await source(api, checks=[{"check": "missing", "then": "flag"}])
    await pulled()
    api.script(rows=[row(back) for back in range(7, 0, -1)])
    found = await pulled()
    assert any(finding.startswith("porto-2 delivered nothing for 7 of 7 days") for finding in found.findings)


CANARY = "Maria Canaria 4711"


async def test_a_name_in_a_column_that_is_not_listed_is_found_nowhere_afterwards(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    good, bad = row(2, agent=CANARY), row(1, audited="many", agent=CANARY)
    api.script(rows=[good, bad, f"{CANARY} is not a row"])
    await source(api, rows={"broken": "forget"})
    found = await pulled()
    assert (found.added, found.refused) == (3, 2)
    api.script(bodies=[f"{CANARY}, no JSON".encode()])
    await pull_now(Request(source="harbour-daily"))
    assert await found_anywhere(CANARY) == []
    assert CANARY not in caplog.text


async def test_the_raw_answer_is_kept_once_however_often_it_comes(api: Any) -> None:
    api.script(rows=[row(2), row(1)])
    await source(api)
    await pulled()
    await pulled()
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM raw_answer") == 1
        assert await connection.fetchval("SELECT count(*) FROM pull_answer") == 2
        kept = await queries.raw_rows(connection, 1, [2])
    assert kept == {2: {"site": "lisbon-1", "queue": "product", "day": day(1), "audited": 100, "correct": 95}}


async def test_what_was_known_then_never_changes(api: Any) -> None:
    api.script(rows=[row(2), row(1)])
    await source(api)
    first = await pulled()
    before = await stored(as_of=first.known_at)
    api.script(rows=[row(2, audited=110), row(1, correct=90)])
    second = await pulled()
    assert second.changed == 2
    assert await stored(as_of=first.known_at) == before
    assert await stored(as_of=second.known_at) == await stored() != before


async def test_nothing_private_is_reached_unless_it_is_allowed(api: Any) -> None:
    pull.configure(allow_private=False)
    await source(api)
    result, _ = await pull_now(Request(source="harbour-daily"))
    assert result.state == "failed"
    assert "only https is allowed" in (result.error or "")
    assert api.requests() == []


# Files


HEADER = "Standort;Warteschlange;Tag;Geprüft;Richtig\n"
FILE_MAPPING = {
    "site": {"column": "Standort", "codes": "sites"},
    "dimensions": {"workstream": {"column": "Warteschlange"}},
    "span": {"starts_on": {"column": "Tag", "format": "%d.%m.%Y"}},
    "measures": {"audited": {"column": "Geprüft", "decimal": ","}, "correct": {"column": "Richtig", "decimal": ","}},
}
CODES = {"sites": [{"theirs": "LIS", "ours": "lisbon-1"}, {"theirs": "OPO", "ours": "porto-2"}]}


async def folder_source(folder: Path, **reader: Any) -> None:
    await source(reader={"type": "csv", "folder": str(folder), "settle_s": 0} | reader, mapping=FILE_MAPPING, codes=CODES)


async def test_a_file_as_people_send_it_is_read_once_and_again_when_it_changes(database: str, tmp_path: Path) -> None:
    text = (
        "Bericht Harbour;;;;\n\n"
        + HEADER
        + "LIS;a;01.03.2026;1.234;1.200,5\nOPO;a;01.03.2026;;\nSumme;;;1.234;1.200,5\nStand: 2.3.2026;;;;\n"
    )
    (tmp_path / "march.csv").write_bytes(text.encode("cp1252"))
    await folder_source(tmp_path)
    first = await pulled()
    assert (first.state, first.rows_read, first.added, first.watermark_on) == ("done", 2, 4, date(2026, 3, 2))
    values = await stored()
    assert values["lisbon-1", "audited", "2026-03-01"] == 1234
    assert values["lisbon-1", "correct", "2026-03-01"] == Decimal("1200.5")
    assert values["porto-2", "audited", "2026-03-01"] is None
    assert (await pulled()).rows_read == 0
    (tmp_path / "march.csv").write_bytes(text.replace("1.234", "1.235").encode("cp1252"))
    assert (await pulled()).changed == 1


async def test_a_file_with_a_bad_line_gives_its_good_ones_and_is_repaired_by_its_successor(database: str, tmp_path: Path) -> None:
    file = tmp_path / "march.csv"
    file.write_text(HEADER + "LIS;a;01.03.2026;10;9\nMAD;a;01.03.2026;10;9\nLIS;a;02.03\n")
    (tmp_path / "garbage.csv").write_bytes(b"\x89PNG\r\n\x00\x00" * 20)
    await folder_source(tmp_path)
    first = await pulled()
    assert (first.state, first.added, first.refused) == ("partial", 2, 2)
    assert {one.check: one.raw_row for one in await refused()}["not_a_row"] == {"Standort": "LIS", "Warteschlange": "a", "Tag": "02.03"}
    assert {one.check for one in await refused()} == {"unknown_code", "not_a_row"}
    (tmp_path / "garbage.csv").unlink()
    file.write_text(HEADER + "LIS;a;01.03.2026;10;9\nOPO;a;01.03.2026;10;9\nLIS;a;02.03.2026;5;5\n")
    second = await pulled()
    assert (second.state, second.added, second.unchanged) == ("done", 4, 2)
    assert await refused() == []


async def test_a_workbook_with_titles_merged_headings_percentages_and_totals_is_read(database: str, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"] = "Quality report, Iberia"
    sheet["A3"], sheet["B3"], sheet["C3"], sheet["E3"] = "Site", "Day", "Decisions", "Rate"
    sheet.merge_cells("C3:D3")
    sheet["C4"], sheet["D4"] = "Audited", "Correct"
    lines: list[list[Any]] = [["LIS", date(2026, 3, 1), 100, 95, 0.934], [None, date(2026, 3, 2), "1 200", 1100.5, "93,4 %"]]
    for r, cells in enumerate(lines, 5):
        for c, cell in enumerate(cells, 1):
            sheet.cell(r, c, cell)
        sheet.cell(r, 5).number_format = "0.0%"
    sheet.merge_cells("A5:A6")
    sheet["A7"], sheet["C7"], sheet["D7"] = "Grand total", 1300, 1195.5
    sheet["A9"] = "Audited by the client's team."
    book.save(tmp_path / "iberia.xlsx")
    mapping = {
        "site": {"column": "Site", "codes": "sites"},
        "span": {"starts_on": {"column": "Day"}},
        "measures": {
            "audited": {"column": "Decisions / Audited"},
            "correct": {"column": "correct"},
            "invoice": {"column": "Rate", "decimal": ","},
        },
    }
    await source(reader={"type": "xlsx", "folder": str(tmp_path), "settle_s": 0}, mapping=mapping, codes=CODES)
    found = await pulled()
    assert (found.state, found.added, found.shown) == ("done", 6, [])
    values = await stored()
    assert values["lisbon-1", "audited", "2026-03-02"] == 1200
    assert values["lisbon-1", "correct", "2026-03-02"] == Decimal("1100.5")
    assert values["lisbon-1", "invoice", "2026-03-01"] == values["lisbon-1", "invoice", "2026-03-02"] == Decimal("93.4")


async def test_a_workbook_that_is_cut_off_keeps_no_other_file_out(database: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + "LIS;a;01.03.2026;10;9\n")
    (tmp_path / "b.csv").write_text("nothing of use\n")
    await folder_source(tmp_path)
    found = await pulled()
    assert (found.state, found.added, found.is_complete) == ("partial", 2, False)
    assert "names the columns" in found.findings[0]
