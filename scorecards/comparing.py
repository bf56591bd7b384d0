"""What a revision changes against the scorecard that was issued: figure by figure, why, and what it does to the money."""

from __future__ import annotations

from decimal import Decimal

from scorecards.scorecard import Cause, Difference, Figure, KpiResult, Revises, Scorecard, Total, result_key


def revises(issued: Scorecard, revised: Scorecard) -> Revises:
    """The differences of a revision from what was issued: the whole first, then the money, then KPI by KPI."""
    found = [
        *_differ("score", issued.score, revised.score),
        *_differ("standing", issued.standing, revised.standing),
        *_differ("points", issued.points, revised.points),
    ]
    before, after = _own_total(issued), _own_total(revised)
    for name in ("credit", "bonus", "earned_back", "carried", "net"):
        found += _differ(name, getattr(before, name, None), getattr(after, name, None), unit=revised.currency)
    old = {result_key(one): one for one in issued.results}
    new = {result_key(one): one for one in revised.results}
    for key in dict.fromkeys([*new, *old]):
        found += _of_kpi(old.get(key), new.get(key))
    return Revises(revision=issued.revision, causes=_causes(issued, revised), differences=found)


def _own_total(card: Scorecard) -> Total | None:
    return next((one for one in card.totals if one.scope == card.scope), None)


def _causes(issued: Scorecard, revised: Scorecard) -> list[Cause]:
    """What can be seen to have changed: versions, relief, counts; a corrected earlier period, where none of them did."""
    counts = [{result_key(one): (one.numerator, one.denominator, one.spans_present) for one in card.results} for card in (issued, revised)]
    causes: list[Cause] = []
    if issued.version_hashes != revised.version_hashes:
        causes.append("version")
    if issued.relief != revised.relief:
        causes.append("relief")
    if counts[0] != counts[1]:
        causes.append("figures")
    return causes or ["earlier"]


def _of_kpi(before: KpiResult | None, after: KpiResult | None) -> list[Difference]:
    one = after or before
    assert one is not None
    about = {"kpi": one.kpi, "dimensions": one.dimensions}

    def differ(figure: Figure, name: str, unit: str = "") -> list[Difference]:
        return [
            Difference(**about, figure=found.figure, unit=found.unit, before=found.before, after=found.after)  # type: ignore[arg-type]
            for found in _differ(figure, getattr(before, name, None), getattr(after, name, None), unit=unit)
        ]

    return [
        *differ("value", "value", one.unit),
        *differ("numerator", "numerator"),
        *differ("denominator", "denominator"),
        *differ("status", "status"),
        *differ("target", "target", one.unit),
        *differ("verdict", "met"),
        *differ("level", "level"),
        *differ("kpi_score", "score"),
        *differ("kpi_points", "points"),
    ]


def _differ(figure: Figure, before: object, after: object, *, unit: str = "") -> list[Difference]:
    if before == after:
        return []
    return [Difference(figure=figure, unit=unit, before=_plain(before), after=_plain(after))]


def _plain(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "met" if value else "missed"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
