"""Amendments and renewals that reach back: drafts follow, and what was issued waits for a person."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from contracts.errors import NotFound
from scorecards import queries as scorecard_queries
from scorecards import revising
from tests.vendor_mgmt.test_period_close import (
    APRIL,
    FEBRUARY,
    JANUARY,
    MARCH,
    NOW,
    agreed,
    cards,
    closed,
    contract_text,
    delivered,
    invoice,
    issue_everything,
    month,
)
from vendor_mgmt import closing
from vendor_mgmt.database import transaction
from vendor_mgmt.jobs import runs

SIGNED = NOW + timedelta(days=10)


def amended(first: str, *, target: int = 99, policy: str = "split", **changes: Any) -> str:
    """A later text of the contract: a stricter turnaround from a day on."""
    document = json.loads(contract_text(version="2", in_force={"from": first}, measured={"amended": policy}, **changes))
    document["kpis"]["turnaround"]["target"] = target
    return json.dumps(document)


async def three_months(*, issued: int = 2) -> None:
    """January to March at 98 of 100 in time, closed; the first ones issued."""
    await agreed()
    for number, first in enumerate((JANUARY, FEBRUARY, MARCH)):
        await delivered([*month(first, "lisbon", "product", in_time=98), invoice(first, "lisbon"), invoice(first, "cebu")])
        await closed(first)
        if number == issued - 1:
            await issue_everything()


async def close_again(at: datetime = SIGNED) -> dict[date, set[str]]:
    """What became of each month's scorecards."""
    done = await closing.close_contract("HX-1", at=at)
    return {one.period_from: {saved.outcome for saved in one.saved} for one in done if one.period_from < APRIL}


async def proposed(*, is_open: bool = True) -> list[revising.Proposal]:
    async with transaction() as connection:
        return await revising.proposals(connection, is_open=is_open)


async def test_a_late_signed_amendment_refreshes_drafts_and_proposes_revisions_of_what_was_issued(database: str) -> None:
    await three_months()
    before = await cards()

    await agreed(amended("2026-02-01"))
    became = await close_again()

    # January is before the amendment; February was issued, so it is proposed; March is a draft, so it follows.
    assert became == {JANUARY: {"unchanged"}, FEBRUARY: {"revised"}, MARCH: {"refreshed"}}
    [lisbon] = [one for one in await proposed() if one.site == "lisbon"]
    assert (lisbon.period_from, lisbon.issued, lisbon.number, lisbon.cause) == (FEBRUARY, 0, 1, "HX-1 version 2")
    # One point short of 99 costs 2 % of 10 000.
    assert (lisbon.credit_before, lisbon.credit_after) == (Decimal("0.00"), Decimal("200.00"))
    async with transaction() as connection:
        stands = await scorecard_queries.scorecard(connection, lisbon.scorecard, 0)
    assert stands is not None
    assert (stands.state, stands.sha256) == ("issued", before["lisbon", FEBRUARY].sha256)


async def test_agreeing_asks_for_the_closed_months_it_reaches_and_says_which_they_are(database: str) -> None:
    await three_months()
    await agreed(amended("2026-02-10"))

    async with transaction() as connection:
        touched = await closing.close_after_agreement(connection, "HX-1", date(2026, 2, 10))
        asked = await connection.fetch("SELECT id, kind, args FROM run ORDER BY id")

    assert touched.periods == [(FEBRUARY, MARCH), (MARCH, APRIL)]
    assert (touched.issued, touched.drafts) == (2, 2)
    assert [(row["kind"], json.loads(row["args"])) for row in asked] == [("close", {"contract": "HX-1", "since": "2026-02-10"})]
    await runs.carry_out(asked[0]["id"], "worker", runs.Timing())
    assert {one.period_from for one in await proposed()} == {FEBRUARY}


async def test_an_amendment_of_days_to_come_asks_for_nothing(database: str) -> None:
    await three_months()
    async with transaction() as connection:
        touched = await closing.close_after_agreement(connection, "HX-1", APRIL)
        assert (touched.periods, await connection.fetchval("SELECT count(*) FROM run")) == ([], 0)


async def test_a_person_who_issues_the_revision_decides_the_proposal(database: str) -> None:
    await three_months()
    await agreed(amended("2026-02-01"))
    await close_again()
    [lisbon] = [one for one in await proposed() if one.site == "lisbon"]

    async with transaction() as connection:
        await scorecard_queries.issue(connection, [await revising.draft_of(connection, lisbon.scorecard)], at=SIGNED, actor=5)

    [decided] = [one for one in await proposed(is_open=False) if one.site == "lisbon"]
    assert (decided.decision, decided.decided_at) == ("issued", SIGNED)
    async with transaction() as connection:
        states = await connection.fetch(
            "SELECT r.number, r.state FROM revision r JOIN scorecard s ON s.id = r.scorecard WHERE s.number = $1 ORDER BY r.number",
            lisbon.scorecard,
        )
    assert [tuple(row) for row in states] == [(0, "superseded"), (1, "issued")]


async def test_what_was_declined_stays_as_issued_and_is_proposed_again_only_with_other_figures(database: str) -> None:
    await three_months()
    await agreed(amended("2026-02-01"))
    await close_again()
    async with transaction() as connection:
        for one in await proposed():
            gone = await revising.decline(connection, one.scorecard, reason="agreed to leave February alone", actor=5, at=SIGNED)
            assert (gone.decision, gone.reason) == ("declined", "agreed to leave February alone")

    assert (await close_again())[FEBRUARY] == {"unchanged"}
    assert await proposed() == []
    assert {one.state for key, one in (await cards()).items() if key[1] == FEBRUARY} == {"issued"}

    await delivered(month(FEBRUARY, "lisbon", "product", in_time=97, days=5), SIGNED)
    assert (await close_again())[FEBRUARY] == {"revised", "unchanged"}
    assert [(one.site, one.number) for one in await proposed()] == [("lisbon", 1)]
    with pytest.raises(NotFound, match="No revision of NONE-1 is proposed"):
        async with transaction() as connection:
            await revising.decline(connection, "NONE-1", reason="no", actor=5, at=SIGNED)


async def test_a_proposal_follows_the_figures_and_lapses_when_they_come_back(database: str) -> None:
    await three_months()
    wrong, right = month(FEBRUARY, "lisbon", "product", in_time=90, days=1), month(FEBRUARY, "lisbon", "product", in_time=98, days=1)
    worse = month(FEBRUARY, "lisbon", "product", in_time=50, days=1)
    for rows, hour, outcome in ((wrong, 1, "revised"), (worse, 2, "refreshed"), (right, 3, "lapsed"), (right, 4, "unchanged")):
        await delivered(rows, SIGNED + timedelta(hours=hour))
        assert (await close_again())[FEBRUARY] == {outcome, "unchanged"}
    history = [(one.decision, one.cause, one.issued, one.number) for one in await proposed(is_open=False)]
    assert history == [("replaced", "figures or relief", 0, 1), ("lapsed", "figures or relief", 0, 1)]
    assert {one.state for key, one in (await cards()).items() if key[1] == FEBRUARY} == {"issued"}


@pytest.mark.parametrize(
    ("policy", "parts"),
    [
        # Half of February, 14 of 28 days, by each version; or all of it by one.
        ("split", [("1", FEBRUARY, date(2026, 2, 15), 1400, True), ("2", date(2026, 2, 15), MARCH, 1400, False)]),
        ("at_start", [("1", FEBRUARY, MARCH, 2800, True)]),
        ("at_end", [("2", FEBRUARY, MARCH, 2800, False)]),
    ],
)
async def test_the_contract_says_by_which_version_a_month_is_judged_that_an_amendment_begins_in(
    database: str, policy: str, parts: list[tuple[str, date, date, int, bool]]
) -> None:
    await agreed(contract_text(measured={"amended": policy}))
    await agreed(amended("2026-02-15", policy=policy))
    await delivered([*month(FEBRUARY, "lisbon", "product", in_time=98), invoice(FEBRUARY, "lisbon")])

    await closed(FEBRUARY)

    results = [one for one in (await cards())["lisbon", FEBRUARY].document.results if one.kpi == "turnaround"]
    assert [(one.version, one.from_, one.until, int(one.denominator or 0), bool(one.met)) for one in results] == parts


async def test_a_renewal_takes_over_the_periods_from_its_day_and_looks_back_at_those_before(database: str) -> None:
    await agreed()
    renewal = {"contract": "HX-2", "renews": "HX-1", "in_force": {"from": "2026-03-01"}}
    await agreed(contract_text(**renewal))
    for first in (JANUARY, FEBRUARY, MARCH):
        await delivered([*month(first, "lisbon", "product", right=93), invoice(first, "lisbon"), invoice(first, "cebu")])

    before = await closing.close_contract("HX-1", at=datetime(2026, 4, 2, tzinfo=UTC))
    after = await closing.close_contract("HX-2", at=datetime(2026, 4, 2, tzinfo=UTC))

    assert [one.period_from for one in before] == [JANUARY, FEBRUARY]
    assert [one.period_from for one in after] == [MARCH]
    march = (await cards())["lisbon", MARCH].document
    assert march.contract == "HX-2"
    # Missed for the third month in a row, which is -3: the streak began in the contract before.
    assert {one.streak for one in march.results if one.kpi == "accuracy" and one.dimensions["workstream"] == "product"} == {-3}


async def test_a_renewal_signed_late_proposes_a_revision_and_makes_no_second_scorecard(database: str) -> None:
    await three_months(issued=3)
    await agreed(amended("2026-03-16", contract="HX-2", renews="HX-1"))

    assert [one.period_from for one in await closing.close_contract("HX-1", at=NOW)] == [JANUARY, FEBRUARY]
    [march] = [one for one in await closing.close_contract("HX-2", at=NOW) if one.period_from == MARCH]

    assert (march.contract, {one.outcome for one in march.saved}) == ("HX-1", {"revised"})
    assert {(one.contract, one.cause) for one in await proposed()} == {("HX-1", "HX-2 version 1")}
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM scorecard WHERE period_from = $1", MARCH) == 2


async def test_the_database_keeps_proposals_and_decisions_as_they_were_made(database: str) -> None:
    await three_months()
    await agreed(amended("2026-02-01"))
    await close_again()
    changes = [
        "UPDATE revision_proposal SET credit_after = 0",
        "DELETE FROM revision_proposal",
        "UPDATE revision_proposal SET decision = 'declined', decided_at = now(), decided_by = 1, reason = 'no', credit_after = 0",
    ]
    for change in changes:
        with pytest.raises(asyncpg.RestrictViolationError, match="stays as it was made"):
            async with transaction() as connection:
                await connection.execute(change)
    with pytest.raises(asyncpg.CheckViolationError, match="declined_with_reason"):
        async with transaction() as connection:
            await connection.execute("UPDATE revision_proposal SET decision = 'declined', decided_at = now(), decided_by = 1")


async def test_a_decision_and_a_close_at_once_never_change_what_was_issued(database: str) -> None:
    """The close would replace the draft that a person is issuing: one of the two waits, and then sees what the other did."""
    await three_months()
    await agreed(amended("2026-02-01"))
    await close_again()
    [lisbon] = [one for one in await proposed() if one.site == "lisbon"]
    await delivered(month(FEBRUARY, "lisbon", "product", in_time=97, days=5), SIGNED)

    async def issue() -> None:
        async with transaction() as connection:
            draft = await revising.draft_of(connection, lisbon.scorecard)
            await scorecard_queries.issue(connection, [draft], at=SIGNED, actor=5)

    outcomes = await asyncio.gather(issue(), closed(FEBRUARY, SIGNED), return_exceptions=True)

    assert [one for one in outcomes if isinstance(one, BaseException)] == []
    async with transaction() as connection:
        states = await connection.fetch(
            "SELECT r.number, r.state FROM revision r JOIN scorecard s ON s.id = r.scorecard WHERE s.number = $1 ORDER BY r.number",
            lisbon.scorecard,
        )
    waiting = [(one.issued, one.number) for one in await proposed() if one.site == "lisbon"]
    # The person came first, and the close proposes a further one; or the close did, and the person issued what it had made of it.
    assert ([tuple(row) for row in states], waiting) in (
        ([(0, "superseded"), (1, "issued"), (2, "draft")], [(1, 2)]),
        ([(0, "superseded"), (1, "issued")], []),
    )
