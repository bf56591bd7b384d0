"""What a revision changes is said figure by figure, with its cause and what it does to the money."""

from __future__ import annotations

import msgspec
from msgspec import structs

from scorecards import comparing, page, revising
from scorecards.scorecard import Scorecard
from scorecards.wording import Words
from tests.scorecards import scorecard_builders as builders
from tests.scorecards.scorecard_builders import D


def plain(text: str) -> str:
    return text.replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\N{NO-BREAK SPACE}", " ")


def corrected() -> tuple[Scorecard, Scorecard]:
    """An issued month, and the same with one KPI corrected from a miss to a hit: no credit any more."""
    issued = builders.over_cap_month()
    results = [
        structs.replace(one, value=D("96.1"), numerator=D(4738), met=True, score=D(100), level="target", points=None)
        if one.kpi == "accuracy"
        else one
        for one in issued.results
    ]
    totals = [structs.replace(one, credit=D("100000.00"), net=D("100000.00")) for one in issued.totals]
    return issued, structs.replace(issued, results=results, totals=totals, score=D("71.5"), revision=issued.revision + 1)


def test_every_figure_that_changed_is_named_and_no_other() -> None:
    issued, revised = corrected()
    found = comparing.revises(issued, revised)
    assert found.revision == issued.revision
    assert found.causes == ["figures"]
    assert {one.figure for one in found.differences if not one.kpi} == {"score", "credit", "net"}
    assert {one.kpi for one in found.differences if one.kpi} == {"accuracy"}
    changed = {one.figure: (one.before, one.after) for one in found.differences if one.kpi}
    assert changed["verdict"] == ("missed", "met")
    assert changed["value"][1] == "96.1"
    assert comparing.revises(issued, structs.replace(issued, revision=1)).differences == []


def test_the_cause_is_read_from_versions_relief_and_counts() -> None:
    issued, revised = corrected()
    assert comparing.revises(issued, structs.replace(issued, version_hashes=["f" * 64])).causes == ["version"]
    relieved = structs.replace(revised, relief=builders.relief_month().relief)
    assert comparing.revises(issued, relieved).causes == ["relief", "figures"]
    later = structs.replace(issued, score=D(50))
    assert comparing.revises(issued, later).causes == ["earlier"]


def test_a_kpi_that_came_or_went_is_a_difference_too() -> None:
    issued, revised = corrected()
    without = structs.replace(revised, results=[one for one in issued.results if one.kpi != "leakage"])
    gone = [one for one in comparing.revises(issued, without).differences if one.kpi == "leakage" and one.figure == "value"]
    assert [(one.before is not None, one.after) for one in gone] == [(True, None)]


def shown(edition: page.Edition = "vendor") -> page.Document:
    issued, revised = corrected()
    card = page.for_edition(structs.replace(revised, revises=comparing.revises(issued, revised)), edition)
    return page.document(card, edition=edition, words=Words("en"), digest="0" * 64)


def test_the_page_of_differences_sets_issued_beside_now_with_the_effect_on_the_credit() -> None:
    changes = shown().changes
    assert changes is not None
    rows = {row.figure: row for row in changes.rows if not row.subject}
    assert plain(rows["Service credit"].before) == "PHP 144,480.00"
    assert plain(rows["Service credit"].after) == "PHP 100,000.00"
    assert plain(rows["Service credit"].change) == "PHP −44,480.00"
    assert "Cause: corrected figures." in changes.intro
    verdict = next(row for row in changes.rows if row.figure == "Verdict")
    assert (verdict.before, verdict.after, verdict.change) == ("missed", "met", "")
    assert [row.subject for row in changes.rows].count("Decision accuracy") == 1
    assert any("figures that this revision changes" in ask for ask in shown().verdict.asks)


def test_a_sites_edition_learns_nothing_of_money_from_the_differences() -> None:
    issued, revised = corrected()
    card = page.for_edition(structs.replace(revised, revises=comparing.revises(issued, revised)), "site")
    assert b"PHP" not in page.attached(structs.replace(card, currency=""))
    assert b"100000" not in page.attached(card)
    changes = shown("site").changes
    assert changes is not None
    assert "Service credit" not in {row.figure for row in changes.rows}


def test_differences_are_no_figures_themselves() -> None:
    """Else a revision would differ from the same figures closed again, and be proposed for ever."""
    issued, revised = corrected()
    with_differences = structs.replace(revised, revises=comparing.revises(issued, revised))
    assert revising.figures_of(with_differences) == revising.figures_of(revised)
    assert msgspec.json.decode(page.attached(with_differences), type=Scorecard).revises == with_differences.revises
