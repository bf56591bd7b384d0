"""Relief is claimed under the contract's terms, with a clock for its notice; what the client missed suggests a claim and makes none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.vendor_mgmt.test_period_close import agreed, contract_text, delivered, invoice, month
from vendor_mgmt import relief_claims
from vendor_mgmt.database import transaction
from vendor_mgmt.intake.queries import NotDecidable
from vendor_mgmt.period_close import close_period

pytestmark = pytest.mark.usefixtures("database")

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
TERMS = [
    {"cause": "client tool outage", "effect": "drop_span", "notice_business_days": 5},
    {"cause": "late forecast by the client", "effect": "cancel_money"},
]


async def contract() -> None:
    document = json.loads(contract_text())
    document["relief"] = TERMS
    document["measures"] |= {"forecasts_in_time": {"part_of": "forecasts", "duty_of": "client"}, "forecasts": {"duty_of": "client"}}
    document["kpis"]["forecast"] = {
        "title": "Forecasts in time", "value": {"ratio": {"of": "forecasts_in_time", "to": "forecasts"}}, "target": 95, "duty_of": "client",
    }  # fmt: skip
    await agreed(json.dumps(document))


async def claimed(at: datetime, **changed: Any) -> relief_claims.Claimed:
    given: dict[str, Any] = {"cause": "client tool outage", "relief_from": date(2026, 1, 8), "relief_until": date(2026, 1, 9)}
    given |= {"claimed_by": 7, "at": at}
    async with transaction() as connection:
        return await relief_claims.claim(connection, "HX-1", **given | changed)


def utc(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 1, day, hour, tzinfo=UTC)


async def test_notice_is_due_so_many_business_days_after_the_cause_began() -> None:
    await contract()
    # From Thursday the 8th on, without the weekend.
    in_time = await claimed(utc(9), site="lisbon")
    assert in_time.notice_due_at is not None
    assert (in_time.effect, in_time.is_late) == ("drop_span", False)
    assert in_time.notice_due_at.weekday() < 5
    assert date(2026, 1, 14) <= in_time.notice_due_at.date() <= date(2026, 1, 15)
    late = await claimed(utc(20))
    assert (late.is_late, late.notice_due_at) == (True, in_time.notice_due_at)
    without_clock = await claimed(utc(30), cause="late forecast by the client")
    assert (without_clock.effect, without_clock.notice_due_at, without_clock.is_late) == ("cancel_money", None, False)


async def test_late_notice_is_a_persons_decision() -> None:
    await contract()
    late = await claimed(utc(25))
    async with transaction() as connection:
        with pytest.raises(NotDecidable, match=r"came late\. Approve it knowing that"):
            await relief_claims.decide(connection, late.claim, approve=True, decided_by=8, decision="fine", at=utc(26))
        with pytest.raises(NotDecidable, match="needs the reasons"):
            await relief_claims.decide(connection, late.claim, approve=False, decided_by=8, decision=" ", at=utc(26))
        with pytest.raises(NotDecidable, match="somebody else than who made it"):
            await relief_claims.decide(connection, late.claim, approve=False, decided_by=7, decision="no", at=utc(26))
        await relief_claims.decide(connection, late.claim, approve=True, decided_by=8, decision="ours", at=utc(26), despite_late=True)
        (standing,) = await relief_claims.claims(connection, "HX-1")
    assert (standing.state, standing.is_late, standing.decision) == ("approved", True, "ours")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"cause": "bad weather"}, "excuses nothing because of 'bad weather'. The causes it names: 'client tool outage'"),
        ({"kpi": "smiles"}, "has no KPI 'smiles'. It has accuracy"),
        ({"relief_from": date(2020, 1, 1)}, "No version of HX-1 was in force on 2020-01-01"),
    ],
)
async def test_a_claim_stands_under_the_terms_that_held_then(changed: dict[str, Any], words: str) -> None:
    await contract()
    with pytest.raises(NotDecidable, match=words):
        await claimed(utc(9), **changed)


async def test_a_duty_that_the_client_missed_suggests_a_claim_until_one_is_made() -> None:
    await contract()
    for site, in_time in (("lisbon", 7), ("cebu", 10)):
        await delivered([*month(JANUARY, site, "product"), *month(JANUARY, site, "live"), invoice(JANUARY, site)])
        paid = invoice(JANUARY, site)
        counts = {"forecasts": Decimal(10), "forecasts_in_time": Decimal(in_time)}
        await delivered([replace(paid, measure=name, value=value) for name, value in counts.items()])
    await close_period("HX-1", JANUARY, at=datetime(2026, 2, 5, tzinfo=UTC))
    async with transaction() as connection:
        (draft,) = await relief_claims.drafts(connection, "HX-1", JANUARY)
        assert await relief_claims.claims(connection, "HX-1") == []
    assert (draft.site, draft.cause, draft.relief_from, draft.relief_until) == ("lisbon", "late forecast by the client", JANUARY, FEBRUARY)
    assert draft.evidence.startswith("Forecasts in time was 70")
    await claimed(utc(9), site=draft.site, cause=draft.cause, relief_from=draft.relief_from, relief_until=draft.relief_until)
    async with transaction() as connection:
        assert await relief_claims.drafts(connection, "HX-1", JANUARY) == []
