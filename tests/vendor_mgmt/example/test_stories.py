"""Every planted story can be seen in the counts, and what was not planted stays quiet."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from tests.vendor_mgmt.example.judging import TODAY, Sums, contract, end_of, everything, history, kpis_of
from vendor_mgmt.example import portfolio
from vendor_mgmt.example.generating import as_known
from vendor_mgmt.example.portfolio import MONTHS, STORIES, WORK, Story, Work, month_start, relief_claims

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def final() -> Sums:
    """What is known on the day of the example, with the approved relief."""
    return Sums(as_known(everything(), end_of(TODAY)), dropped=relief_claims(TODAY))


@pytest.fixture(scope="module")
def without_relief() -> Sums:
    return Sums(as_known(everything(), end_of(TODAY)))


def work_of(story: Story) -> Work:
    return next(work for work in WORK if (work.site, work.workstream) == (story.site, story.workstream))


def named(story: Story) -> str:
    return f"{story.kind}, {story.site}"


def missing(sums: Sums, work: Work, kpi: str, level: str = "target") -> tuple[int, ...]:
    return tuple(month for month, it in enumerate(history(sums, work, kpi)) if it.misses(level))


def having(sums: Sums, work: Work, kpi: str, status: str) -> tuple[int, ...]:
    return tuple(month for month, it in enumerate(history(sums, work, kpi)) if it.status == status)


@pytest.mark.parametrize("story", STORIES, ids=named)
def test_the_story_s_kpis_miss_their_levels_in_the_months_the_table_says(story: Story, final: Sums) -> None:
    work, found = work_of(story), story.found
    for kpi in {*story.kpis, *found.missed}:
        assert missing(final, work, kpi) == found.missed.get(kpi, ()), kpi
        assert missing(final, work, kpi, "floor") == found.below_floor.get(kpi, ()), kpi
        assert having(final, work, kpi, "no_data") == found.no_data.get(kpi, ()), kpi
        assert having(final, work, kpi, "not_measured") == found.not_measured.get(kpi, ()), kpi


@pytest.mark.parametrize("story", [story for story in STORIES if story.found.stretch], ids=named)
def test_whoever_is_consistently_good_is_beyond_stretch_in_every_month(story: Story, final: Sums) -> None:
    for kpi in story.found.stretch:
        assert all(verdict.meets("stretch") for verdict in history(final, work_of(story), kpi)), kpi


@pytest.mark.parametrize("story", [story for story in STORIES if story.found.missed_without_relief], ids=named)
def test_without_relief_the_outage_would_miss_its_targets(story: Story, without_relief: Sums) -> None:
    for kpi, months in story.found.missed_without_relief.items():
        assert missing(without_relief, work_of(story), kpi) == months


@pytest.mark.parametrize("story", [story for story in STORIES if story.found.revised], ids=named)
def test_the_restated_month_misses_its_floor_as_first_delivered_and_meets_its_target_as_corrected(story: Story, final: Sums) -> None:
    [month] = story.found.revised
    close = datetime.combine(month_start(TODAY, month + 1).replace(day=10), datetime.min.time(), UTC)
    first = Sums(as_known(everything(), close))
    [kpi] = story.found.missed_as_first_delivered
    agreed = kpis_of(work_of(story))[kpi]
    assert not first.verdict(kpi, agreed, work_of(story), month).meets("floor")
    assert final.verdict(kpi, agreed, work_of(story), month).meets("target")
    changed = as_known(everything(), close), as_known(everything(), end_of(TODAY))
    before, after = ({row[:6]: row.value for row in rows if row.known_at <= close or row.starts_on < close.date()} for rows in changed)
    different = {key[:2] for key in before.keys() & after.keys() if before[key] != after[key]}
    assert different == {(story.site, story.workstream)}


def test_the_credit_of_the_month_over_the_cap_exceeds_it_by_itself(final: Sums) -> None:
    [story] = [story for story in STORIES if story.found.capped]
    agreed = contract(portfolio.site(story.site).contract)
    [payment] = agreed.money.credits
    [cap] = agreed.money.caps
    [(kpi, (month,))] = story.found.capped.items()
    assert payment.for_ == kpi
    verdict = history(final, work_of(story), kpi)[month]
    assert verdict.value is not None
    assert payment.pay is not None
    assert payment.pay.percent is not None
    levels = {name: Fraction(mark) for name, mark in verdict.levels.items()}
    [step] = [step for step in payment.pay.percent.steps or [] if step.holds(verdict.value, levels)]  # type: ignore[union-attr]
    assert step.give is not None
    assert cap.percent is not None
    assert step.give > cap.percent


def test_no_other_credit_exceeds_its_cap(final: Sums) -> None:
    for work in WORK:
        agreed = contract(portfolio.site(work.site).contract)
        [payment], [cap] = agreed.money.credits, agreed.money.caps
        if payment.for_ not in kpis_of(work):
            continue
        for month, verdict in enumerate(history(final, work, str(payment.for_))):
            if verdict.value is None:
                continue
            levels = {name: Fraction(mark) for name, mark in verdict.levels.items()}
            [step] = [s for s in payment.pay.percent.steps if s.holds(verdict.value, levels)]  # type: ignore[union-attr]
            planted = any(month in s.found.capped.get(str(payment.for_), ()) for s in portfolio.stories_at(work.site, work.workstream))
            assert step.give is not None
            assert cap.percent is not None
            assert (step.give > cap.percent) == planted, (work.site, work.workstream, month)


def test_a_frozen_metric_stands_still_on_all_days_and_only_there() -> None:
    counts: dict[tuple[str, str, str, str], list[tuple[date, int]]] = {}
    for row in as_known(everything(), end_of(TODAY)):
        if row.measure in {"decisions_audited", "decisions_correct"}:
            counts.setdefault(row[:4], []).append((row.starts_on, int(row.value)))

    def longest_run(values: list[int]) -> int:
        longest = run = 0
        for before, value in zip([-1, *values], values, strict=False):
            run = run + 1 if value == before else 1
            longest = max(longest, run)
        return longest

    still = {key[:2] for key, found in counts.items() if longest_run([value for _, value in sorted(found)]) >= 14}
    assert still == {(story.site, story.workstream) for story in STORIES if story.kind == "frozen metric"}


def test_the_volume_surge_is_the_only_month_beyond_the_forecast_band(final: Sums) -> None:
    beyond = set()
    for work in WORK:
        scope = next(
            s for s in contract(portfolio.site(work.site).contract).scope if (s.site, s.workstream) == (work.site, work.workstream)
        )
        assert scope.volume is not None
        assert scope.volume.excused_above_percent is not None
        for month in range(MONTHS):
            forecast, actual = (
                sum(final.days(work.site, work.workstream, month, str(measure), "").values())
                for measure in (scope.volume.forecast, scope.volume.actual)
            )
            if actual * 100 > forecast * scope.volume.excused_above_percent:
                beyond.add((work.site, work.workstream, month))
    assert beyond == {(story.site, story.workstream, story.first) for story in STORIES if story.kind == "volume surge"}


def opened(sums: Sums, work: Work) -> dict[str, tuple[int, int | None]]:
    """KPI to the closes at which its contract's first rule opens a ticket and, with enough good months in a row, closes it."""
    rule = contract(portfolio.site(work.site).contract).escalation.rules[0]
    tickets: dict[str, tuple[int, int | None]] = {}
    for kpi in kpis_of(work):
        judged = [(month, verdict) for month, verdict in enumerate(history(sums, work, kpi)) if verdict.status == "measured"]
        since: int | None = None
        good = 0
        misses: list[bool] = []
        for month, verdict in judged:
            misses.append(verdict.misses(rule.on.missed))
            if since is None and sum(misses[-rule.on.last :]) >= rule.on.at_least:
                assert kpi not in tickets, "opened twice"
                since, good = month, 0
                tickets[kpi] = (month, None)
            elif since is not None:
                good = good + 1 if verdict.meets(rule.clear.level) else 0
                if good == rule.clear.good:
                    tickets[kpi] = (since, month)
                    since, misses = None, []
    return tickets


def test_the_contracts_rules_open_and_close_exactly_the_tickets_of_the_table(final: Sums) -> None:
    found = {(work.site, work.workstream, kpi): closes for work in WORK for kpi, closes in opened(final, work).items()}
    told = {
        (story.site, story.workstream, ticket.kpi): (ticket.opens_at_close_of, ticket.recovers_at_close_of)
        for story in STORIES
        if not story.found.no_data
        for ticket in story.found.tickets
        if not ticket.cancelled_by_correction
    }
    assert found == told


def test_a_ticket_that_a_correction_cancels_is_one_that_the_first_delivery_opens() -> None:
    [(story, ticket)] = [(s, t) for s in STORIES for t in s.found.tickets if t.cancelled_by_correction]
    close = datetime.combine(month_start(TODAY, ticket.opens_at_close_of + 1).replace(day=10), datetime.min.time(), UTC)
    first = Sums([row for row in as_known(everything(), close) if row.starts_on < month_start(TODAY, ticket.opens_at_close_of + 1)])
    verdict = first.verdict(ticket.kpi, kpis_of(work_of(story))[ticket.kpi], work_of(story), ticket.opens_at_close_of)
    rule = contract(portfolio.site(story.site).contract).escalation.rules[0]
    assert (rule.on.last, rule.on.at_least) == (1, 1)
    assert not verdict.meets(rule.on.missed)


def test_missing_data_has_a_rule_where_the_feed_goes_missing() -> None:
    [story] = [story for story in STORIES if story.found.no_data]
    rules = contract(portfolio.site(story.site).contract).escalation.rules
    [(rule, ticket)] = [(rule, story.found.tickets[0]) for rule in rules if rule.on.no_data is not None]
    assert rule.on.kpi == ticket.kpi


def test_all_but_a_few_of_the_unplanted_months_meet_their_target(final: Sums) -> None:
    judged, missed = 0, []
    for work in WORK:
        for kpi in kpis_of(work):
            if any(kpi in story.kpis for story in portfolio.stories_at(work.site, work.workstream)):
                continue
            for month, verdict in enumerate(history(final, work, kpi)):
                if verdict.status == "measured":
                    judged += 1
                    if verdict.misses("target"):
                        missed.append((work.site, work.workstream, kpi, month))
                else:
                    assert portfolio.stories_at(work.site, work.workstream), (work.site, kpi, month, verdict.status)
    assert judged > 1500
    assert len(missed) <= 3, missed


@pytest.mark.parametrize("seed", ["a", "b", "c"])
def test_the_stories_do_not_hang_on_one_seed(seed: str) -> None:
    """What a story says of floors, of no data and of too small samples holds for any noise; targets may be met by luck once."""
    final = Sums(as_known(everything(seed), end_of(TODAY)), dropped=relief_claims(TODAY))
    for story in STORIES:
        work, found = work_of(story), story.found
        for kpi in story.kpis:
            assert missing(final, work, kpi, "floor") == found.below_floor.get(kpi, ()), (named(story), kpi)
            assert having(final, work, kpi, "no_data") == found.no_data.get(kpi, ()), (named(story), kpi)
            assert having(final, work, kpi, "not_measured") == found.not_measured.get(kpi, ()), (named(story), kpi)
            assert set(found.missed.get(kpi, ())) <= set(missing(final, work, kpi)), (named(story), kpi)


def test_the_stories_of_the_last_month_are_a_decline_a_collapse_and_a_missing_feed() -> None:
    """These are what a manager should see first."""
    open_ones = [story.kind for story in STORIES if story.last == MONTHS - 1 and story.found.tickets]
    assert open_ones == ["slow decline", "sudden collapse", "missing feed"]


def test_the_page_about_the_example_is_the_one_that_is_printed() -> None:
    page = (REPOSITORY / "docs" / "example-portfolio.md").read_text(encoding="utf-8")
    assert page == portfolio.stories_page(), "run: python -m vendor_mgmt.example.portfolio > docs/example-portfolio.md"


def test_every_required_kind_of_story_is_planted() -> None:
    assert {story.kind for story in STORIES} >= {
        "slow decline", "sudden collapse", "missing feed", "restated month", "tiny site", "planned outage", "recovery",
        "frozen metric", "consistently good", "over the cap",
    }  # fmt: skip
