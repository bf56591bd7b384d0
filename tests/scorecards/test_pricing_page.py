"""What the money of a scorecard looks like on its page: invoices, claims, and nothing of it where money is not for the reader."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import structs

from scorecards import page
from scorecards.scorecard import Line, Scorecard, Total
from scorecards.wording import Words
from tests.scorecards.scorecard_builders import scorecard


def with_money() -> Scorecard:
    """A scorecard with a credit to be claimed, and the invoice it comes off."""
    plain = scorecard()
    total = Total(
        scope=plain.scope, from_=plain.from_, until=plain.until, credit_uncapped=Decimal(40), credit=Decimal("40.00"),
        bonus=Decimal(0), earned_back=Decimal(0), carried=Decimal(0), net=Decimal("40.00"), converted=Decimal("44.00"),
        converted_currency="USD", invoice=Decimal("1000.00"), taken_off=Decimal("40.00"), tax=Decimal("220.80"),
        to_pay=Decimal("1180.80"), left_over=Decimal("7.77"),
    )  # fmt: skip
    lines = [
        Line(step=9, kind="credit", scope=plain.scope, from_=plain.from_, rule="K", amount=Decimal(40), claim_by=date(2026, 3, 22)),
        Line(step=15, kind="invoice", scope=plain.scope, from_=plain.from_, rule="taken off", amount=Decimal(-40)),
        Line(step=15, kind="tax", scope=plain.scope, from_=plain.from_, rule="23 %", amount=Decimal("220.8")),
    ]
    return structs.replace(plain, totals=[total], lines=lines)


def document(card: Scorecard, edition: page.Edition) -> page.Document:
    return page.document(page.for_edition(card, edition), edition=edition, words=Words("en"), digest="0" * 64)


def test_an_invoice_is_followed_to_what_is_paid_and_a_claim_to_its_last_day() -> None:
    text = str(document(with_money(), "client").money)
    for said in ("This invoice, to pay", "1,180.80", "For the next invoice", "7.77", "to be claimed by"):
        assert said in text, said


def test_an_edition_without_money_has_no_amount_of_any_kind() -> None:
    [total] = page.for_edition(with_money(), "site").totals
    amounts = {name: value for name, value in structs.asdict(total).items() if isinstance(value, Decimal)}
    assert set(amounts) <= {"score", "points"}
    assert total.converted_currency is None
