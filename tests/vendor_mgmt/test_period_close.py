"""Closing a period: from stored measurements to scorecards and tickets, in the database the service uses."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from contracts import agreements
from contracts.document import Contract
from contracts.reading import read
from scorecards import queries as scorecard_queries
from scorecards.evaluating import evaluate_rows, version_of
from scorecards.measurement import Relief, Row
from scorecards.series import canonical
from tests.agreeing import BOTH
from vendor_mgmt import closing
from vendor_mgmt.database import transaction
from vendor_mgmt.intake import queries as intake_queries
from vendor_mgmt.period_close import Closed, close_period

NOW = datetime(2026, 6, 5, 6, tzinfo=UTC)
SITES = ("lisbon", "cebu")


def contract_text(**changes: Any) -> str:
    """A contract of one vendor, two sites and two workstreams: accuracy, turnaround, backlog; a credit, a cap, a rule."""
    document: dict[str, Any] = {
        "contract": "HX-1",
        "title": "Moderation",
        "vendor": "harbour",
        "vendor_name": "Harbour CX",
        "currency": "EUR",
        "time_zone": "Europe/Lisbon",
        "in_force": {"from": "2026-01-01"},
        "dimensions": ["workstream"],
        "scope": [{"site": site, "name": site.title(), "workstream": ws} for site in SITES for ws in ("product", "live")],
        "measures": {
            "right": {"part_of": "audited"},
            "audited": {},
            "in_time": {"part_of": "due"},
            "due": {},
            "open_items": {"snapshot": True},
            "invoice": {"money": True},
        },
        "kpis": {
            "accuracy": {
                "title": "Accuracy",
                "clause": "Annex 2, 1",
                "value": {"ratio": {"of": "right", "to": "audited"}},
                "for_each": ["site", "workstream"],
                "levels": [{"at": {"floor": 90, "target": 95}}],
                "completeness": 50,
                "no_volume": "not_judged",
                "score": {"line": [["floor", 0], ["target", 100]]},
                "points": {"steps": [{"at_least": "target", "give": 0}, {"less_than": "target", "give": 2}]},
                "repeat": {"last": 1},
                "weight": 60,
            },
            "turnaround": {
                "title": "In time",
                "value": {"ratio": {"of": "in_time", "to": "due"}},
                "target": 97,
                "no_volume": "not_judged",
                "weight": 40,
            },
            "backlog": {"title": "Backlog", "value": {"last": "open_items"}, "better": "lower", "target": 40},
        },
        "money": {
            "bases": {"charges": {"measure": "invoice"}},
            "credits": [{"for": "turnaround", "pay": {"percent": {"each": {"give": 2, "below": "target"}}, "of": "charges"}}],
            "caps": [{"rolling": 3, "percent": 4, "of": "charges"}],
        },
        "escalation": {
            "rules": [{"name": "missed twice", "on": {"missed": "target", "last": 3, "at_least": 2}}],
            "levels": [
                {"level": 1, "to": ["vendor.site_lead"], "acknowledge_within": {"days": 1}},
                {"level": 2, "after": {"days": 3}, "to": ["client.director"]},
            ],
        },
    }
    return json.dumps(document | changes)


async def agreed(text: str | None = None) -> Contract:
    text = text or contract_text()
    document = read(text, Contract).required()
    async with transaction() as connection:
        await agreements.agree(connection, document, text, at=NOW - timedelta(days=300), actor=1, confirmations=BOTH)
    return document


def month(first: date, site: str, workstream: str, *, right: int = 97, in_time: int = 98, days: int | None = None) -> list[Row]:
    """A month of days with a hundred of each: ``right`` of them right, ``in_time`` of them in time."""
    rows: list[Row] = []
    day = first
    while day.month == first.month and (days is None or day < first + timedelta(days=days)):
        for measure, value in (("right", right), ("audited", 100), ("in_time", in_time), ("due", 100), ("open_items", 10)):
            rows.append(a_day(day, site, measure, Decimal(value), workstream))
        day += timedelta(days=1)
    return rows


def a_day(day: date, site: str, measure: str, value: Any, workstream: str) -> Row:
    return Row(site, measure, (("workstream", workstream),), day, day + timedelta(days=1), "day", value)


def invoice(first: date, site: str, amount: int = 10_000) -> Row:
    until = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return Row(site, "invoice", (), first, until, "month", Decimal(amount))


async def delivered(rows: Iterable[Row], known_at: datetime = NOW) -> None:
    """Stores rows as they would be after a pull; what was known about the same span before is superseded."""
    grains = {"day": 4, "month": 6}
    async with transaction() as connection:
        sites = {row["code"]: row["id"] for row in await connection.fetch("SELECT id, code FROM site")}
        series: dict[tuple[int, str, str], int] = {}
        for row in rows:
            key = (sites[row.site], row.measure, canonical(dict(row.dimensions)))
            if key not in series:
                await connection.execute(
                    "INSERT INTO series (site, measure, dims_key, dimensions) VALUES ($1, $2, $3::text, $3::text::jsonb) "
                    "ON CONFLICT DO NOTHING",
                    *key,
                )
                series[key] = await connection.fetchval(
                    "SELECT id FROM series WHERE site = $1 AND measure = $2 AND dims_key = $3", *key
                )
            await connection.execute(
                "UPDATE measurement SET superseded_at = $3 WHERE series = $1 AND starts_on = $2 AND superseded_at IS NULL",
                series[key],
                row.starts_on,
                known_at,
            )
            await connection.execute(
                "INSERT INTO measurement (series, starts_on, grain, value, known_at, actor, reason) "
                "VALUES ($1, $2, $3, $4, $5, 1, 'test')",
                series[key],
                row.starts_on,
                grains[row.grain],
                row.value,
                known_at,
            )


async def closed(first: date, at: datetime = NOW) -> Closed:
    done = await close_period("HX-1", first, at=at)
    assert done is not None
    return done


async def cards() -> dict[tuple[str, date], scorecard_queries.Stored]:
    """The latest revision of every scorecard, by site and first day."""
    async with transaction() as connection:
        numbers = [row["number"] for row in await connection.fetch("SELECT number FROM scorecard ORDER BY number")]
        stored = [await scorecard_queries.scorecard(connection, number) for number in numbers]
    return {(one.document.site, one.document.from_): one for one in stored if one is not None}


async def issue_everything() -> None:
    async with transaction() as connection:
        await scorecard_queries.issue(connection, await scorecard_queries.drafts(connection, date(2030, 1, 1)), at=NOW, actor=1)


JANUARY, FEBRUARY, MARCH, APRIL = (date(2026, number, 1) for number in range(1, 5))


async def test_a_month_becomes_one_draft_for_each_site_with_its_score_and_credit(database: str) -> None:
    await agreed()
    await delivered([*month(JANUARY, "lisbon", "product"), *month(JANUARY, "lisbon", "live", right=93)])
    await delivered([*month(JANUARY, "cebu", "product", in_time=96), invoice(JANUARY, "lisbon"), invoice(JANUARY, "cebu")])

    done = await closed(JANUARY)

    assert [(one.outcome, one.revision) for one in done.saved] == [("drafted", 0), ("drafted", 0)]
    lisbon, cebu = (await cards())["lisbon", JANUARY].document, (await cards())["cebu", JANUARY].document
    assert {(r.kpi, r.dimensions.get("workstream")): r.value for r in lisbon.results if r.kpi == "accuracy"} == {
        ("accuracy", "product"): Decimal(97),
        ("accuracy", "live"): Decimal(93),
    }
    # 60 × (100 + 60) ÷ 2 + 40 × 100, of 100: the live team stands at three fifths of the way from floor to target.
    assert lisbon.score == Decimal(88)
    assert [total.credit for total in lisbon.totals] == [Decimal("0.00")]
    # One point short of 97 costs 2 % of 10 000.
    assert [total.credit for total in cebu.totals] == [Decimal("200.00")]
    assert {one.number.rsplit("-", 1)[0] for one in (lisbon, cebu)} == {"HARBOUR-2026"}


async def test_closing_again_changes_nothing(database: str) -> None:
    await agreed()
    await delivered([*month(JANUARY, "lisbon", "product"), invoice(JANUARY, "lisbon")])
    first = await closed(JANUARY)
    before = await cards()

    again = await closed(JANUARY, NOW + timedelta(days=1))

    assert [one.outcome for one in again.saved] == ["unchanged"] * len(first.saved)
    assert {key: one.sha256 for key, one in (await cards()).items()} == {key: one.sha256 for key, one in before.items()}


async def test_a_correction_refreshes_a_draft_and_revises_what_was_issued(database: str) -> None:
    await agreed()
    await delivered([*month(JANUARY, "lisbon", "product"), invoice(JANUARY, "lisbon")])
    await closed(JANUARY)
    await delivered([a_day(date(2026, 1, 3), "lisbon", "right", Decimal(10), "product")], NOW + timedelta(hours=1))
    refreshed = await closed(JANUARY)
    assert {one.outcome for one in refreshed.saved} == {"refreshed", "unchanged"}
    await issue_everything()
    issued = (await cards())["lisbon", JANUARY]

    await delivered([a_day(date(2026, 1, 3), "lisbon", "right", Decimal(97), "product")], NOW + timedelta(hours=2))
    revised = await closed(JANUARY)

    assert {(one.outcome, one.revision) for one in revised.saved} == {("revised", 1), ("unchanged", 0)}
    async with transaction() as connection:
        kept = await scorecard_queries.scorecard(connection, issued.document.number, 0)
    assert kept is not None
    assert (kept.sha256, kept.state) == (issued.sha256, "issued")
    assert kept.document.revises is None
    changes = (await cards())["lisbon", JANUARY].document.revises
    assert changes is not None
    assert (changes.revision, changes.causes) == (0, ["figures"])
    counted = {(one.kpi, one.figure): (one.before, one.after) for one in changes.differences}
    # 10 of 100 became 97 of 100 on one day of thirty-one.
    assert counted["accuracy", "numerator"] == ("2920", "3007")
    assert ("turnaround", "value") not in counted
    again = await closed(JANUARY)
    assert {one.outcome for one in again.saved} == {"unchanged"}
    with pytest.raises(asyncpg.RestrictViolationError):
        async with transaction() as connection:
            await connection.execute("UPDATE revision SET score = 100 WHERE state = 'issued'")
    with pytest.raises(asyncpg.RestrictViolationError):
        async with transaction() as connection:
            await connection.execute("DELETE FROM result")


async def test_a_workstream_that_fell_silent_is_a_feed_of_its_own_with_its_last_day(database: str) -> None:
    await agreed()
    await delivered([*month(JANUARY, "lisbon", "product"), *month(JANUARY, "lisbon", "live", days=10), invoice(JANUARY, "lisbon")])
    await closed(JANUARY)

    feeds = (await cards())["lisbon", JANUARY].document.feeds

    found = {(one.measure, one.scope.get("workstream")): one for one in feeds}
    assert set(found) >= {("audited", "product"), ("audited", "live"), ("invoice", None)}
    silent, whole = found["audited", "live"], found["audited", "product"]
    assert (silent.rows, silent.expected, silent.missing, silent.newest_on) == (10, 31, 21, date(2026, 1, 10))
    assert (whole.rows, whole.expected, whole.missing, whole.newest_on) == (31, 31, 0, date(2026, 1, 31))
    # Of a state the last one of the month is enough; what came in full is one feed for the site.
    assert found["open_items", None].missing == 0


async def test_a_workstream_of_which_nothing_ever_came_is_a_feed_that_was_never_delivered(database: str) -> None:
    await agreed()
    await delivered([*month(JANUARY, "lisbon", "product"), invoice(JANUARY, "lisbon")])
    await closed(JANUARY)

    feeds = (await cards())["lisbon", JANUARY].document.feeds

    [never] = [one for one in feeds if one.measure == "audited" and one.scope == {"workstream": "live"}]
    assert (never.as_of, never.rows, never.expected, never.missing, never.source) == (None, 0, 31, 31, "")


async def test_a_draft_names_the_ticket_that_its_own_close_opened_and_an_issued_one_stays(database: str) -> None:
    await agreed()
    for first in (JANUARY, FEBRUARY):
        await delivered([*month(first, "lisbon", "product", right=90), invoice(first, "lisbon")])
    await closed(JANUARY, datetime(2026, 2, 5, tzinfo=UTC))
    await issue_everything()
    issued = (await cards())["lisbon", JANUARY]
    assert (await closed(FEBRUARY, datetime(2026, 3, 5, tzinfo=UTC))).tickets.opened == ("HARBOUR-T0001",)

    draft = (await cards())["lisbon", FEBRUARY]

    [note] = draft.document.tickets
    assert (note.number, note.kpi, note.dimensions, note.rule) == ("HARBOUR-T0001", "accuracy", {"workstream": "product"}, "missed twice")
    async with transaction() as connection:
        content = await connection.fetchval("SELECT sha256 FROM revision WHERE id = $1", draft.revision_id)
    assert content == draft.sha256
    await closed(JANUARY, datetime(2026, 3, 6, tzinfo=UTC))
    assert (await cards())["lisbon", JANUARY].sha256 == issued.sha256


async def test_no_scorecard_is_prepared_before_the_data_it_rests_on(database: str) -> None:
    """Also where a month is closed that was due long ago, or where a past is played through: what is known is known now."""
    await agreed()
    await delivered([*month(JANUARY, "lisbon", "product"), invoice(JANUARY, "lisbon")])
    async with transaction() as connection:
        # A pull has just stored something, by a clock that runs ahead.
        await connection.execute("UPDATE knowledge SET moment = clock_timestamp() + interval '1 hour'")
    await closed(JANUARY, datetime(2026, 2, 5, tzinfo=UTC))

    for card in (await cards()).values():
        assert card.document.prepared_at >= card.document.data_as_of
        assert card.document.data_as_of > datetime(2026, 2, 5, tzinfo=UTC)


async def test_two_closes_at_once_make_one_scorecard_and_one_ticket(database: str) -> None:
    await agreed()
    for first in (JANUARY, FEBRUARY):
        await delivered([*month(first, "lisbon", "product", in_time=90), invoice(first, "lisbon")])
    await closed(JANUARY)

    await asyncio.gather(*(closed(FEBRUARY) for _ in range(4)))

    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM scorecard WHERE period_from = $1", FEBRUARY) == len(SITES)
        assert await connection.fetchval("SELECT count(*) FROM revision") == 2 * len(SITES)
        assert await connection.fetch("SELECT kpi, state FROM ticket") == [("turnaround", "opened")]


async def test_a_feed_that_never_came_is_no_data_and_neither_zero_nor_full(database: str) -> None:
    await agreed()
    await delivered([*month(JANUARY, "lisbon", "product"), invoice(JANUARY, "lisbon")])
    await delivered(month(FEBRUARY, "lisbon", "product", days=5))
    await closed(JANUARY)
    await closed(FEBRUARY)

    february = (await cards())["lisbon", FEBRUARY].document

    accuracy = next(result for result in february.results if result.kpi == "accuracy")
    assert (accuracy.status, accuracy.value, accuracy.score, accuracy.met) == ("no_data", None, None, None)
    assert (accuracy.spans_present, accuracy.spans_expected) == (5, 28)
    # Accuracy hands its weight on to turnaround, which was met.
    assert february.score == Decimal(100)
    assert accuracy.streak == 1


def generated(seed: int, months: Sequence[date]) -> tuple[list[Row], list[Relief]]:
    """Months of days with everything that goes wrong: absent, empty and zero values, one side only, relief."""
    draw = random.Random(seed)
    rows: list[Row] = []
    for first in months:
        for site in SITES:
            rows.append(invoice(first, site, draw.randrange(5_000, 20_000)))
            for workstream in ("product", "live"):
                for row in month(first, site, workstream, right=draw.randrange(88, 100), in_time=draw.randrange(93, 100)):
                    fate = draw.random()
                    if fate < 0.05:
                        continue
                    value = None if fate < 0.08 else Decimal(0) if fate < 0.09 else row.value
                    rows.append(a_day(row.starts_on, site, row.measure, value, workstream))
    relief = [
        Relief(months[-1] + timedelta(days=4), months[-1] + timedelta(days=9), "drop_span", "accuracy", "lisbon"),
        Relief(months[0] + timedelta(days=2), months[0] + timedelta(days=5), "drop_span", None, "cebu", (("workstream", "live"),)),
        Relief(months[1], months[1] + timedelta(days=3), "lower_target", "turnaround", "lisbon", cause="outage"),
    ]
    return rows, relief


async def grant(relief: Sequence[Relief]) -> None:
    async with transaction() as connection:
        contract = await agreements.contract(connection, "HX-1")
        sites = {code: number for number, code in (await agreements.sites_of(connection, SITES)).items()}
        for claim in relief:
            number = await intake_queries.claim_relief(
                connection,
                contract=contract.id,
                cause="outage",
                relief_from=claim.from_on,
                relief_until=claim.until_on,
                effect=claim.effect,
                claimed_by=1,
                now=NOW,
                site=sites[claim.site or ""],
                kpi=claim.kpi,
                dimensions=dict(claim.dimensions),
            )
            await intake_queries.decide_relief(connection, number, approve=True, decided_by=2, decision="agreed", now=NOW)


async def test_a_claim_whose_effect_scoring_does_not_know_is_refused(database: str) -> None:
    await agreed()
    with pytest.raises(intake_queries.NotDecidable, match="'lower_the_bar' is no effect of relief"):
        await grant([Relief(JANUARY, FEBRUARY, "lower_the_bar", None, "cebu")])  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(6))
async def test_months_closed_one_by_one_from_the_database_equal_one_run_over_the_rows(database: str, seed: int) -> None:
    """The database adds up, keeps results and looks back at them; a file run does everything in memory, at once."""
    twice = {"missed": "target", "kpi": "turnaround", "window": {"last": 2, "at_least": 2}}
    document = await agreed(
        contract_text(
            relief=[{"cause": "outage", "effect": "lower_target", "levels": {"turnaround": {"target": 94}}}],
            rights=[{"name": "leave", "when": twice, "despite_relief": True}, {"name": "warn", "when": twice}],
        )
    )
    months = (JANUARY, FEBRUARY, MARCH, APRIL)
    rows, relief = generated(seed, months)
    await delivered(rows)
    await grant(relief)
    for first in months:
        await closed(first)
    expected = evaluate_rows([version_of(document)], rows, relief=relief)

    stored = await cards()

    assert len(expected.results) == len(months) * len(SITES) * 4
    for result in expected.results:
        mine = stored[result.site or "", result.from_].document.results
        assert [one for one in mine if (one.kpi, one.dimensions) == (result.kpi, result.dimensions)] == [result]
    for total in expected.totals:
        if total.scope:
            assert stored[total.scope["site"], total.from_].document.totals == [total]
    for right in expected.rights:
        first = max(one for _, one in stored if one < right.arises_on)
        assert right in stored[right.scope["site"], first].document.rights
    assert len(expected.rights) == sum(len(one.document.rights) for one in stored.values())
    lines = [line for record in expected.records for line in record.lines if line.scope.get("site")]
    assert sorted(map(written, lines)) == sorted(written(line) for one in stored.values() for line in one.document.lines)


MEMORY: dict[str, Any] = {
    "bases": {
        "charges": {"measure": "invoice"},
        "last": {"measure": "invoice", "in_period": "previous"},
        "next": {"measure": "invoice", "in_period": "next"},
    },
    "credits": [
        {"for": "turnaround", "pay": {"percent": {"each": {"give": 2, "below": "target"}}, "of": "charges"}, "multiply": {"last": 1}},
        {"name": "slips", "for": "accuracy", "pay": {"percent": 3, "of": "last"}},
        {"name": "postponed", "for": "accuracy", "pay": {"percent": 1, "of": "next"}},
    ],
    "bonuses": [{"name": "saved", "for": "turnaround", "pay": {"amount": 150}, "offsets": {"keep": 2}}],
    "caps": [
        {"name": "month", "percent": 3, "of": "charges", "excess": "carried"},
        {"name": "all sites", "each": "calendar_year", "amount": 1500, "for_each": []},
    ],
    "earn_back": [{"percent": 50, "periods": 1, "within": 2}],
    "invoice": {"of": "charges", "tax": {"percent": 23}},
}

RIGHTS = [
    {"name": "at the cap", "when": {"at_cap": "month", "window": {"last": 3, "at_least": 2}}},
    {"name": "the year is full", "when": {"at_cap": "all sites", "window": {"last": 2, "at_least": 2}}, "for_each": []},
    {"name": "low score", "when": {"score_below": 90, "window": {"last": 3, "at_least": 2}}},
    {"name": "despite", "when": {"kpi": "accuracy", "missed": "target", "window": {"last": 3, "at_least": 2}}, "despite_relief": True},
]


@pytest.mark.parametrize("seed", range(4))
async def test_money_with_a_memory_closes_month_by_month_as_in_one_run(database: str, seed: int) -> None:
    """Banks, caps reached, what is carried, the charges of the month beside, open invoices and scores outlive the month they arose in."""
    document = await agreed(contract_text(money=MEMORY, rights=RIGHTS))
    months = (JANUARY, FEBRUARY, MARCH, APRIL)
    rows, relief = generated(seed, months)
    await delivered(rows)
    await grant(relief)
    for first in months:
        await closed(first)
    expected = evaluate_rows([version_of(document)], rows, relief=relief)

    stored = await cards()

    for total in expected.totals:
        place = total.scope.get("site", "")
        if (place, total.from_) in stored:
            assert stored[place, total.from_].document.totals == [total]
    assert {place for place, _ in stored} == {*SITES, ""}
    lines = [line for record in expected.records for line in record.lines]
    assert sorted(map(written, lines)) == sorted(written(line) for one in stored.values() for line in one.document.lines)
    found = {(right.name, right.arises_on) for one in stored.values() for right in one.document.rights}
    assert found == {(right.name, right.arises_on) for right in expected.rights}
    assert expected.rights
    assert {"carry", "bank", "earn_back", "cap", "tax"} <= {line.kind for line in lines}


def written(line: Any) -> str:
    """A money line as text, numbers in one form, so that one read back from JSON can be compared."""
    inputs: Mapping[str, Any] = {name: str(value) for name, value in line.inputs.items()}
    told = (line.step, line.kind, line.scope, line.from_, line.kpi, line.rule, sorted(inputs.items()), line.base_amount, line.amount)
    return str(told)


async def test_an_amendment_inside_a_month_judges_it_in_two_parts(database: str) -> None:
    await agreed()
    stricter = json.loads(contract_text(version="2", in_force={"from": "2026-01-16"}))
    stricter["kpis"]["turnaround"]["target"] = 99
    await agreed(json.dumps(stricter))
    await delivered([*month(JANUARY, "lisbon", "product", in_time=98)])

    await closed(JANUARY)

    parts = [r for r in (await cards())["lisbon", JANUARY].document.results if r.kpi == "turnaround"]
    assert [(r.version, r.from_, r.until, r.denominator, r.met) for r in parts] == [
        ("1", JANUARY, date(2026, 1, 16), Decimal(1500), True),
        ("2", date(2026, 1, 16), FEBRUARY, Decimal(1600), False),
    ]


async def test_a_contract_closes_every_month_that_is_over_and_none_that_runs(database: str) -> None:
    await agreed()
    await delivered([*month(JANUARY, "lisbon", "product"), *month(FEBRUARY, "lisbon", "product")])

    done = await closing.close_contract("HX-1", at=datetime(2026, 2, 28, 23, 59, tzinfo=UTC))
    assert [one.period_from for one in done] == [JANUARY]

    # Lisbon is on UTC in winter, so the month is over at midnight there.
    done = await closing.close_contract("HX-1", at=datetime(2026, 3, 1, tzinfo=UTC))
    assert [one.period_from for one in done] == [JANUARY, FEBRUARY]
