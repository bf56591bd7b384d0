"""The contract read aloud: nothing it says is left out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.document import Contract
from contracts.explaining import day_in_words, explain, number_in_words
from contracts.grid import plain_document
from contracts.reading import read

FOLDER = Path(__file__).parents[2] / "vendor_mgmt/example/documents/contracts"
PORTFOLIO = sorted(FOLDER.glob("*.yaml"))
GOLDEN = Path(__file__).parent / "golden/BQ-EU-014.txt"


def contract(path: Path) -> Contract:
    return read(path.read_bytes(), Contract, name=path.name).required()


def small(extra: str) -> str:
    text = "contract: A\ntitle: T\nvendor: v\nin_force: {from: 2026-03-01}\n" + extra
    return explain(read(text, Contract).required())


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, key)
    else:
        yield key, value


def test_one_contract_reads_as_it_was_approved() -> None:
    assert explain(contract(FOLDER / "BQ-EU-014.yaml")) == GOLDEN.read_text("utf-8")


@pytest.mark.parametrize("path", PORTFOLIO, ids=lambda path: path.stem)
def test_every_number_name_and_clause_of_the_contract_is_read_out(path: Path) -> None:
    document = contract(path)
    text = explain(document)
    plain = plain_document(document)
    plain.pop("examples")
    for drawn in ("link", "sha256", "rrule", "precedence"):
        assert drawn in path.read_text("utf-8")
    silent = [
        (key, value)
        for key, value in leaves(plain)
        if key not in ("link", "sha256", "rrule") and not any(word in text for word in words_for(value))
    ]
    # These are said by a sentence of their own, in other words.
    said_otherwise = {
        "each",
        "better",
        "boundary",
        "unit",
        "otherwise",
        "no_volume",
        "effect",
        "excess",
        "mode",
        "money",
        "duty_of",
        "zone",
    }
    assert [one for one in silent if one[0] not in said_otherwise and not isinstance(one[1], bool)] == []


def words_for(value: Any) -> list[str]:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return [number_in_words(value), str(value)]
    text = str(value)
    if len(text) == 10 and text[4] == text[7] == "-":
        return [day_in_words(date.fromisoformat(text))]
    return [text, text.replace("_", " "), text.replace("_", " ").capitalize(), text[:1].upper() + text[1:]]


def test_a_miss_is_told_with_its_base_and_its_cap() -> None:
    text = explain(contract(FOLDER / "BQ-EU-014.yaml"))
    assert "Acc (Annex 3, 1): a credit for the customer: 0 % of charges for at least the target; 4 % of charges for at least the floor and less than the target; 8 % of charges for less than the floor." in text  # fmt: skip  # noqa: E501
    assert "Credits are at most 8 % of charges in each period (the monthly cap) (Annex 3, 2); what exceeds it is lost." in text


def test_a_flat_credit_says_when_it_is_due() -> None:
    text = small(
        "measures: {a: {}, b: {}, bill: {money: true}}\n"
        "kpis: {acc: {title: Accuracy, value: {ratio: {of: a, to: b}}, target: 95, no_volume: met}}\n"
        "money: {bases: {charges: {measure: bill}}, credits: [{for: acc, pay: {percent: 5, of: charges}}]}\n"
    )
    assert "Acc: a credit for the customer if the target is missed: 5 % of charges." in text
    assert "Without any volume it counts as met." in text


def test_what_a_credit_is_in_law_is_said() -> None:
    text = small("money: {bases: {x: {fixed: 5}}, nature: sole_remedy}\n")
    assert "A credit is the only remedy for a miss." in text


def test_claims_banks_bases_beside_and_invoices_have_sentences() -> None:
    text = small(
        "measures: {a: {}, b: {}, bill: {money: true}}\n"
        "kpis: {acc: {title: Accuracy, value: {ratio: {of: a, to: b}}, target: 95, no_volume: met}}\n"
        "money:\n"
        "  bases: {charges: {measure: bill}, before: {measure: bill, in_period: previous}, so far: {credits: all}}\n"
        "  credits: [{for: acc, pay: {percent: 5, of: before}}]\n"
        "  bonuses: [{for: acc, pay: {amount: 50}, offsets: {keep: 3, except_bands: [grave]}}]\n"
        "  earn_back: [{percent: 50, periods: 2, within: 6, whose: all}]\n"
        "  claim: on_claim\n"
        "  claim_within_days: 30\n"
        "  at_end: lapses\n"
        "  invoice: {of: charges, tax: {percent: 21}}\n"
    )
    for sentence in (
        "Before are what bill says, of the period before.",
        "So far are what was credited before.",
        "it is not paid, it only takes off credits, never those of a failure in the band grave, and what is left stays good for 3 periods.",
        "50 % of a credit comes back if 2 periods in a row, complete within 6, meet the target, for every KPI in the scope.",
        "The customer has to ask for a credit within 30 days of the period's end.",
        "A credit whose invoice would come after the contract's end lapses.",
        "Credits are taken off charges; what is more than the invoice is taken off the next one. 21 % tax is added on what is left of it.",
    ):
        assert sentence in text, text


def test_a_late_amendment_and_deviations_are_said() -> None:
    text = small("signed_on: 2026-04-01\nexecuted: {document: a.pdf, deviations: [The cap is monthly here.]}\n")
    assert "It was signed on 1 April 2026, after its first day: a late amendment." in text
    assert "This document differs from the paper on purpose: The cap is monthly here." in text
