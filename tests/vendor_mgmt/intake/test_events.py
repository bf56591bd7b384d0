"""Case-level exports become counts: each case once, on its own day, by name of nobody. Columns that go across become rows."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.reading import read
from tests.vendor_mgmt.intake.builders import MAPPING, TODAY, day, found_anywhere, portfolio, pulled, refused, source, stored
from vendor_mgmt.database import transaction
from vendor_mgmt.intake import pull, queries
from vendor_mgmt.intake.mapping import pseudonym
from vendor_mgmt.intake.pull import CannotRepair, Repair, Request, pull_now, repair_now
from vendor_mgmt.intake.source import Source

pytestmark = pytest.mark.usefixtures("site_data")

CANARY = "Maria Canaria 4711"

EVENTS: dict[str, Any] = {
    "site": {"column": "site"},
    "dimensions": {"workstream": {"column": "queue"}},
    "span": {"day_of": {"column": "decided_at", "zone": "Europe/Lisbon"}},
    "events": {
        "key": "case",
        "counts": {
            "audited": {},
            "correct": {"where": [{"column": "outcome", "one_of": ["Correct", "fixed"]}]},
            "seconds": {"sum": {"column": "seconds"}},
            "agents": {"distinct": "agent"},
        },
        "histograms": [{"column": "seconds", "edges": [30, 60], "measures": ["up_to_30", "up_to_60", "above_60"]}],
    },
}
PERSONS = {"columns": ["agent"], "key": {"env": "PSEUDONYMS"}}
MEASURES = ("seconds", "agents", "up_to_30", "up_to_60", "above_60")


@pytest.fixture
async def site_data(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSEUDONYMS", "a secret of ours")
    await portfolio(**{name: {} for name in MEASURES})


def case(number: int, back: int = 2, *, hour: int = 12, outcome: str = "correct", seconds: Any = 45, agent: str = "a1") -> dict[str, Any]:
    at = datetime.combine(TODAY - timedelta(days=back), datetime.min.time(), UTC) + timedelta(hours=hour)
    return {
        "case": f"C-{number}", "site": "lisbon-1", "queue": "product", "decided_at": at.isoformat(), "outcome": outcome,
        "seconds": seconds, "agent": agent, "customer": CANARY,
    }  # fmt: skip


async def on(back: int) -> dict[str, Any]:
    return {key[1]: value for key, value in (await stored()).items() if key[2] == day(back)}


async def test_cases_become_counts_sums_distinct_people_and_histograms_of_their_day(api: Any) -> None:
    cases = [
        case(1, seconds=30), case(2, seconds=31, agent="A1 "), case(3, seconds=61, outcome="wrong", agent="a2"),
        case(4, seconds=None, outcome="FIXED", agent=""), case(5, back=1, outcome="wrong", seconds="1.5"),
    ]  # fmt: skip
    api.script(rows=cases)
    await source(api, mapping=EVENTS, persons=PERSONS)
    found = await pulled()
    assert (found.state, found.rows_read, found.added) == ("done", 5, 14)
    assert await on(2) == {"audited": 4, "correct": 3, "seconds": 122, "agents": 2, "up_to_30": 1, "up_to_60": 1, "above_60": 1}
    # A day on which nothing was right has a zero, and no gap.
    assert await on(1) == {
        "audited": 1, "correct": 0, "seconds": Decimal("1.5"), "agents": 1, "up_to_30": 1, "up_to_60": 0, "above_60": 0,
    }  # fmt: skip


async def test_a_day_is_one_of_the_zone_that_counts_it(api: Any) -> None:
    moments = ["2026-07-01T22:59:59+00:00", "2026-07-01T23:00:00+00:00", "2026-07-02T22:59:59Z"]
    api.script(rows=[case(i) | {"decided_at": moment} for i, moment in enumerate(moments)])
    await source(api, mapping=EVENTS, persons=PERSONS)
    await pulled()
    counts = {key[2]: value for key, value in (await stored()).items() if key[1] == "audited"}
    # Lisbon's clocks are an hour ahead in summer.
    assert counts == {"2026-07-01": 1, "2026-07-02": 2}


async def test_a_case_counts_once_however_often_and_in_whatever_order_it_comes(api: Any) -> None:
    cases = [case(n, outcome="correct" if n % 3 else "wrong") for n in range(30)]
    shuffled = cases + cases[:10]
    random.Random(7).shuffle(shuffled)
    pages = [shuffled[i : i + 9] for i in range(0, len(shuffled), 9)]
    api.script(bodies=[{"data": page, "next": str(i + 1) if i < len(pages) else None} for i, page in enumerate(pages, 1)], paging="cursor")
    await source(api, mapping=EVENTS, persons=PERSONS)
    await pulled()
    found = await on(2)
    assert (found["audited"], found["correct"]) == (30, 20)


async def test_a_case_that_was_decided_anew_counts_as_it_came_last(api: Any) -> None:
    api.script(rows=[case(1, outcome="wrong"), case(2), case(1, outcome="correct")])
    await source(api, mapping=EVENTS, persons=PERSONS)
    await pulled()
    assert (await on(2))["correct"] == 2
    api.script(rows=[case(1, outcome="wrong"), case(2)])
    again = await pulled()
    assert (again.changed, (await on(2))["audited"]) == (1, 2)
    assert (await on(2))["correct"] == 1


async def test_a_case_that_cannot_be_read_waits_and_is_counted_by_the_next_pull_and_by_no_replay(api: Any) -> None:
    api.script(rows=[case(1), case(2, seconds="soon"), case(3) | {"case": ""}, case(4) | {"decided_at": "yesterday"}])
    await source(api, mapping=EVENTS, persons=PERSONS)
    found = await pulled()
    assert (found.state, found.refused, (await on(2))["audited"]) == ("partial", 3, 1)
    assert sorted(one.check for one in await refused()) == ["bad_date", "bad_value", "missing_key"]
    with pytest.raises(CannotRepair, match="single events, which count only together"):
        await repair_now(Repair(source="harbour-daily"))
    api.script(rows=[case(n) for n in (1, 2, 3, 4)])
    assert (await pulled()).state == "done"
    assert ((await on(2))["audited"], await refused()) == (4, [])


async def test_an_event_whose_number_is_not_believed_adds_nothing_at_all(api: Any) -> None:
    api.script(rows=[case(1), case(2, seconds=-5), case(3, seconds=9999)])
    checks = [{"check": "range", "measures": ["seconds"], "at_most": 3600}]
    await source(api, mapping=EVENTS, persons=PERSONS, checks=checks)
    found = await pulled()
    assert (found.refused, sorted(one.check for one in await refused())) == (2, ["negative", "range"])
    assert await on(2) == {"audited": 1, "correct": 1, "seconds": 45, "agents": 1, "up_to_30": 0, "up_to_60": 1, "above_60": 0}


async def test_days_that_were_not_asked_for_come_in_part_and_are_left_out(api: Any) -> None:
    api.script(rows=[case(n, back=9) for n in range(5)] + [case(9, back=2)])
    await source(api, mapping=EVENTS, persons=PERSONS)
    await pulled()
    assert (await on(9))["audited"] == 5
    # The second pull asks for seven days, and this source sends one case of an earlier one along.
    api.script(rows=[case(0, back=9), case(9, back=2)])
    again = await pulled()
    assert (again.changed, (await on(9))["audited"]) == (0, 5)


# Persons


async def test_neither_a_dropped_name_nor_a_persons_key_is_found_anywhere_afterwards(
    api: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = "emp-90210-Canaria"
    api.script(rows=[case(1, agent=key), case(2, agent=key, seconds="many"), f"{CANARY} and {key} are no row", [CANARY, key]])
    await source(api, mapping=EVENTS, persons=PERSONS, rows={"broken": "keep"})
    pull.configure(allow_private=True, root=tmp_path)
    found = await pulled()
    assert (found.refused, (await on(2))["agents"]) == (3, 1)
    stands_for = pseudonym(b"a secret of ours", key)
    assert stands_for is not None
    assert "raw answer 1" in await found_anywhere(stands_for)
    for text in (CANARY, key, key.casefold()):
        assert await found_anywhere(text) == []
        assert text not in caplog.text
        assert [path for path in tmp_path.rglob("*") if path.is_file() and text.encode() in path.read_bytes()] == []


async def test_pseudonyms_are_forgotten_after_thirty_days(api: Any) -> None:
    api.script(rows=[case(1), case(2, seconds="many")])
    await source(api, mapping=EVENTS, persons=PERSONS)
    await pulled()
    stands_for = str(pseudonym(b"a secret of ours", "a1"))
    assert len(await found_anywhere(stands_for)) == 2
    async with transaction() as connection:
        assert await queries.forget_persons(connection, datetime.now(UTC) - timedelta(days=30)) == 0
        assert await queries.forget_persons(connection, datetime.now(UTC) + timedelta(days=1)) == 1
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM raw_answer WHERE content IS NOT NULL") == 0
        assert await connection.fetchval("SELECT count(*) FROM refused_row WHERE raw_row ? 'agent'") == 0
        assert await connection.fetchval("SELECT count(*) FROM refused_row WHERE raw_row ? 'case'") == 1


async def test_without_the_key_nothing_is_read(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PSEUDONYMS")
    api.script(rows=[case(1)])
    await source(api, mapping=EVENTS, persons=PERSONS)
    result, _ = await pull_now(Request(source="harbour-daily"))
    assert "PSEUDONYMS, which is not set" in (result.error or "")
    assert api.requests() == []


def findings_of(**changed: Any) -> list[str]:
    document = {"source": "s", "owner": "o", "reader": {"type": "csv", "folder": "in"}, "mapping": EVENTS, "persons": PERSONS} | changed
    return [finding.message for finding in read(msgspec.json.encode(document), Source).findings]


def test_people_are_counted_and_never_a_dimension() -> None:
    assert findings_of() == []
    as_dimension = EVENTS | {"dimensions": {"agent": {"column": "agent"}}}
    assert "is a key of persons, and is used for more than `distinct`" in findings_of(mapping=as_dimension)[0]
    assert "is a key of persons" in findings_of(columns=["site", "queue", "decided_at", "case", "outcome", "seconds", "agent"])[0]
    uncounted = EVENTS | {"events": {"key": "case", "counts": {"audited": {}}}}
    assert "is counted nowhere" in findings_of(mapping=uncounted)[0]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ({"key": "case"}, "nothing is counted"),
        ({"key": "case", "histograms": [{"column": "s", "edges": [60, 30], "measures": ["a", "b", "c"]}]}, "the edges do not rise"),
        ({"key": "case", "histograms": [{"column": "s", "edges": [30, 60], "measures": ["a", "b"]}]}, "2 edges make 3 bins"),
        ({"key": "case", "counts": {"a": {"where": [{"column": "x"}]}}}, "needs either `one_of` or bounds"),
        ({"key": "case", "counts": {"a": {"sum": {"column": "x"}, "distinct": "y"}}}, "either a `sum`"),
    ],
)
def test_what_cannot_be_counted_is_a_finding(events: dict[str, Any], words: str) -> None:
    assert any(words in message for message in findings_of(mapping=EVENTS | {"events": events}, persons=None))


# Across


@pytest.fixture
def across() -> dict[str, Any]:
    return {
        "site": {"column": "site"},
        "dimensions": {"language": {"column": "language", "codes": "languages"}},
        "span": {"starts_on": {"column": "day"}},
        "measure": {"column": "what"},
        "value": {"column": "count"},
        "unpivot": {"columns": ["EN", "PT"], "heading": "language", "value": "count"},
    }


CODES = {"languages": [{"theirs": "EN", "ours": "en"}, {"theirs": "PT", "ours": "pt"}]}


async def test_columns_that_go_across_become_rows(database: str, tmp_path: Path, across: dict[str, Any]) -> None:
    (tmp_path / "a.csv").write_text(f"site,day,what,EN,PT,agent\nlisbon-1,{day(2)},audited,5,\nporto-2,{day(2)},audited,oops,7,{CANARY}\n")
    await source(reader={"type": "csv", "folder": str(tmp_path), "settle_s": 0}, mapping=across, codes=CODES)
    found = await pulled()
    assert (found.state, found.rows_read, found.added, found.refused) == ("partial", 2, 3, 1)
    async with transaction() as connection:
        rows = await connection.fetch("SELECT dims_key, value FROM measurement m JOIN series s ON s.id = m.series ORDER BY m.id")
    english, portuguese = '{"language":"en"}', '{"language":"pt"}'
    assert [(row["dims_key"], row["value"]) for row in rows] == [(english, 5), (portuguese, None), (portuguese, 7)]
    (waiting,) = await refused()
    # The row waits as it came, so that it can be repaired and mapped anew.
    assert waiting.raw_row == {"site": "porto-2", "day": day(2), "what": "audited", "EN": "oops", "PT": "7"}
    _, again = await repair_now(Repair(source="harbour-daily", rows=[waiting.id], set={"EN": "6"}, reason="a call", actor=7))
    assert again is not None
    assert (again.added, again.unchanged) == (1, 1)


async def test_a_column_that_does_not_go_across_this_time_makes_no_row(api: Any, across: dict[str, Any]) -> None:
    api.script(rows=[{"site": "lisbon-1", "day": day(2), "what": "audited", "PT": 7}])
    await source(api, mapping=across, codes=CODES)
    found = await pulled()
    assert (found.state, found.added) == ("done", 1)


def test_mapping_of_the_builders_is_still_one() -> None:
    assert findings_of(mapping=MAPPING, persons=None) == []
