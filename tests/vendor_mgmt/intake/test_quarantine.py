"""Refused rows are repaired by hand and mapped anew: who, why and what was changed stay on record, and so does the row as it came."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.vendor_mgmt.intake.builders import TODAY, day, portfolio, refused, row, source, stored
from tests.vendor_mgmt.intake.builders import pulled as pull_once
from vendor_mgmt.database import transaction
from vendor_mgmt.intake.pull import CannotRepair, Pulled, Renamed, Repair, repair_now, replay_now

pytestmark = pytest.mark.usefixtures("site_data")


@pytest.fixture
async def site_data(database: str) -> None:
    await portfolio()


async def repaired(**repair: Any) -> Pulled:
    defaults: dict[str, Any] = {"source": "harbour-daily", "reason": "mail of 3 March", "actor": 7}
    result, found = await repair_now(Repair(**defaults | repair))
    assert found is not None, result
    return found


async def repairs() -> list[tuple[Any, ...]]:
    async with transaction() as connection:
        rows = await connection.fetch("SELECT refused_row, changes, overruled, actor, reason FROM row_repair ORDER BY id")
    return [(row["refused_row"], json.loads(row["changes"]), row["overruled"], row["actor"], row["reason"]) for row in rows]


async def test_a_value_is_corrected_and_the_row_stays_as_it_came(api: Any) -> None:
    api.script(rows=[row(2), row(1, audited="1O0")])
    await source(api)
    await pull_once()
    (waiting,) = await refused()
    shown = await repaired(rows=[waiting.id], set={"audited": "100"}, dry_run=True)
    assert (shown.added, await refused()) == (1, [waiting])
    found = await repaired(rows=[waiting.id], set={"audited": "100"})
    assert (found.state, found.added, found.unchanged, found.refused) == ("done", 1, 1, 0)
    assert (await stored())["lisbon-1", "audited", day(1)] == 100
    (settled,) = await refused("replayed")
    assert settled.raw_row["audited"] == "1O0"
    assert await repairs() == [(waiting.id, {"audited": "100"}, None, 7, "mail of 3 March")]


async def test_a_word_is_mapped_wherever_it_waits_and_other_rows_go_on_waiting(api: Any) -> None:
    api.script(rows=[row(4, site="LIS"), row(3, site="LIS"), row(2, site="OPO"), row(1)])
    await source(api)
    assert (await pull_once()).refused == 3
    found = await repaired(map=[Renamed(column="site", theirs="LIS", ours="lisbon-1")])
    assert (found.rows_read, found.added, found.refused) == (2, 4, 0)
    assert [one.raw_row["site"] for one in await refused()] == ["OPO"]
    assert [changes for _, changes, *_ in await repairs()] == [{"site": "lisbon-1"}] * 2


async def test_our_own_word_needs_no_code(api: Any) -> None:
    api.script(rows=[row(1, site="PORTO")])
    await source(
        api,
        mapping={
            "site": {"column": "site", "codes": "sites"},
            "span": {"starts_on": {"column": "day"}},
            "measures": {"audited": {"column": "audited"}},
        },
        codes={"sites": [{"theirs": "OPO", "ours": "porto-2"}]},
    )
    await pull_once()
    assert (await repaired(map=[Renamed(column="site", theirs="PORTO", ours="porto-2")])).added == 1


async def test_a_check_is_overruled_by_a_person_and_no_other_check_is(api: Any) -> None:
    api.script(rows=[row(back, audited=100, correct=90) for back in range(12, 2, -1)])
    await source(api, checks=[{"check": "jump", "band": 2, "measures": ["audited"]}])
    await pull_once()
    api.script(rows=[row(2, audited=900, correct=90), row(1, audited=-1, correct=0)])
    assert (await pull_once()).refused == 2
    jump, negative = await refused()
    assert (jump.check, negative.check) == ("jump", "negative")
    # Mapped anew without a person's word, both are refused as before.
    _, again = await replay_now("harbour-daily")
    assert again is not None
    assert again.refused == 2
    found = await repaired(rows=[jump.id], accept=True, reason="the campaign")
    assert (found.added, found.refused) == (1, 0)
    assert found.findings == ["audited is 900, where 100 is usual."]
    assert (await stored())["lisbon-1", "audited", day(2)] == 900
    assert await repairs() == [(jump.id, {}, "jump", 7, "the campaign")]
    assert [one.id for one in await refused()] == [negative.id]


async def test_a_row_that_cannot_be_read_cannot_be_accepted_but_said_in_columns(api: Any) -> None:
    api.script(rows=[row(2), "lisbon-1 product 100/95"])
    await source(api)
    await pull_once()
    (waiting,) = await refused()
    assert (await repaired(rows=[waiting.id], accept=True)).rows_read == 0
    said = {"site": "lisbon-1", "queue": "product", "day": day(1), "audited": "100", "correct": "95"}
    assert (await repaired(rows=[waiting.id], set=said)).added == 2
    assert await refused() == []


async def test_a_row_that_contradicted_another_replaces_it_only_when_it_is_named(api: Any) -> None:
    api.script(rows=[row(1, 100, 95), row(1, 110, 95)])
    await source(api)
    await pull_once()
    (waiting,) = await refused()
    assert waiting.check == "duplicate"
    _, anew = await replay_now("harbour-daily")
    assert anew is not None
    assert anew.rows_read == 0
    assert (await stored())["lisbon-1", "audited", day(1)] == 100
    assert (await repaired(rows=[waiting.id], accept=True)).changed == 1
    assert (await stored())["lisbon-1", "audited", day(1)] == 110


@pytest.mark.parametrize(
    ("repair", "words"),
    [
        ({"rows": [1], "set": {"agent": "x"}}, "keeps no column agent; it keeps site"),
        ({"set": {"audited": "1"}}, "Name the rows to write into"),
        ({"rows": [1], "accept": True, "reason": " "}, "needs a reason"),
        ({"rows": [1], "accept": True, "actor": None}, "needs the number of who makes it"),
    ],
)
async def test_a_repair_that_makes_no_sense_is_refused_in_words(api: Any, repair: dict[str, Any], words: str) -> None:
    await source(api)
    with pytest.raises(CannotRepair, match=words):
        await repaired(**repair)


async def test_a_repair_is_not_undone_by_reading_the_same_wrong_row_again(api: Any) -> None:
    api.script(rows=[row(2), row(1, audited="1O0")])
    await source(api)
    await pull_once()
    (waiting,) = await refused()
    await repaired(rows=[waiting.id], set={"audited": "100"})
    again = await pull_once()
    # The source still says it, so it waits again; what the person entered stays.
    assert again.refused == 1
    assert (await stored())["lisbon-1", "audited", day(1)] == 100
    assert again.watermark_on == TODAY
