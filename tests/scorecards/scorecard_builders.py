"""Scorecards a partner manager would recognise, for the tests of pages, PDFs and batches.

Each builder is a function with sensible values; what a test is about is given by keyword.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from msgspec import structs

from scorecards import comparing
from scorecards.scorecard import (
    Commentary,
    Feed,
    KpiResult,
    Line,
    ReliefUse,
    Remark,
    Right,
    Scorecard,
    StandingBand,
    TicketNote,
    Total,
    TrendPoint,
    result_key,
)

D = Decimal
SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
MEASURES = {
    "accuracy": ["decisions_correct", "decisions_audited"],
    "leakage": ["violations_missed", "passes_audited"],
    "turnaround": ["items_in_time", "items_due"],
    "live_response": ["alerts_in_60s", "alerts"],
    "appeals": ["appeals_overturned", "appeals_decided"],
    "answered": ["answered_in_20s", "calls_offered"],
    "abandoned": ["calls_abandoned", "calls_offered"],
    "handle_time": ["handling_seconds", "contacts_handled"],
    "satisfaction": ["answers_satisfied", "answers"],
    "hours": ["productive_hours", "required_hours"],
}
DEFINITIONS = {
    "accuracy": "Decisions found right on second review, divided by decisions audited. Technical errors and items whose policy changed "
    "after the decision are left out. Sample drawn by the client, stratified by queue. Days run in Asia/Manila.",
    "leakage": "Violating items found in audited passes, divided by passes audited. Lower is better.",
    "turnaround": "Items decided within 24 hours of arrival in the queue, divided by items due in the period. The clock stops while a "
    "queue is closed by the client.",
    "live_response": "Live-stream alerts opened within 60 seconds, divided by alerts raised.",
    "appeals": "Appeals overturned, divided by appeals decided in the period. Lower is better.",
    "answered": "Calls answered within 20 seconds, divided by calls offered without those abandoned inside 20 seconds.",
    "abandoned": "Calls abandoned after 5 seconds, divided by calls offered.",
    "handle_time": "Talk, hold and wrap-up seconds, divided by contacts handled.",
    "satisfaction": "Answers 4 or 5 of 5, divided by answers. Not judged under 200 answers.",
    "hours": "Productive hours delivered, capped at the hours required per interval, divided by the hours required.",
}
BANDS = [
    StandingBand(name="Inadequate", from_=D(0), until=D(60), consequence="Improvement plan within 10 business days"),
    StandingBand(name="Requires improvement", from_=D(60), until=D(80), consequence="Corrective action plan for each missed KPI"),
    StandingBand(name="Approaching target", from_=D(80), until=D(95), consequence="Watched at the weekly review"),
    StandingBand(name="Good", from_=D(95), consequence="No action"),
]


def months_back(n: int, until: date = SEPTEMBER) -> list[date]:
    """``n`` months ending with the one that starts at ``until``."""
    at = until.year * 12 + until.month - 1
    return [date((at - back) // 12, (at - back) % 12 + 1, 1) for back in range(n - 1, -1, -1)]


def trend(
    values: Sequence[str | None],
    target: str | None = "95",
    *,
    better: str = "higher",
    relieved: Sequence[int] = (),
    amended_at: int | None = None,
    spread: str | None = None,
) -> list[TrendPoint]:
    """A trend ending in September 2026; ``None`` is a month without data."""
    points = []
    for index, (month, value) in enumerate(zip(months_back(len(values)), values, strict=True)):
        goal = D(target) if target is not None else None
        if goal is not None and amended_at is not None and index < amended_at:
            goal -= 2 if better == "higher" else -2
        number = D(value) if value is not None else None
        met = None
        if number is not None and goal is not None:
            met = number >= goal if better == "higher" else number <= goal
        points.append(
            TrendPoint(
                from_=month,
                value=number,
                target=goal,
                status="relieved" if index in relieved else "measured" if number is not None else "no_data",
                met=None if index in relieved else met,
                score=None if met is None or index in relieved else D(100) if met else D("62.5"),
                relieved=index in relieved,
                version="2" if amended_at is not None and index >= amended_at else "1",
                interval=(number - D(spread), min(number + D(spread), D(100))) if spread is not None and number is not None else None,
            )
        )
    return points


def kpi(name: str, value: str | None, target: str | None = "95", **given: Any) -> KpiResult:
    """A judged percentage over September 2026, or an unjudged one where ``value`` is None."""
    better = given.pop("better", "higher")
    number = D(value) if value is not None else None
    goal = D(target) if target is not None else None
    met = None
    if number is not None and goal is not None and given.get("status", "measured") == "measured":
        met = number >= goal if better == "higher" else number <= goal
    score = None if met is None else D(100) if met else D("62.5")
    fields: dict[str, Any] = {
        "kpi": name,
        "site": "manila-1",
        "version": "2 (in force from 1 January 2026)",
        "from_": SEPTEMBER,
        "until": OCTOBER,
        "value": number,
        "target": goal,
        "met": met,
        "status": "measured" if number is not None else "no_data",
        "score": score,
        "weight": D(10),
        "weight_used": D(10) if score is not None else None,
        "streak": 1 if met else -1 if met is False else 0,
        "better": better,
        "boundary": "at_least" if better == "higher" else "at_most",
        "title": name.replace("_", " ").capitalize(),
        "spans_expected": 30,
        "spans_present": 30 if number is not None else 0,
    }
    if number is not None:
        fields |= {"denominator": D(4930), "numerator": (number * 4930 / 100).to_integral_value()}
    return KpiResult(**(fields | given))


def feed(measure: str, **given: Any) -> Feed:
    fields: dict[str, Any] = {
        "measure": measure,
        "source": "Harbour reporting API",
        "as_of": datetime(2026, 10, 2, 22, 15, tzinfo=UTC),
        "rows": 240,
    }
    return Feed(**(fields | given))


def scorecard(results: Sequence[KpiResult] = (), **given: Any) -> Scorecard:
    """A scorecard of one Manila site for September 2026."""
    results = list(results)
    measures = {result.kpi: MEASURES[result.kpi] for result in results if result.kpi in MEASURES}
    weights = sum((result.weight_used or D(0) for result in results), D(0))
    score = (
        (sum(((result.score or D(0)) * (result.weight_used or D(0)) for result in results), D(0)) / weights).quantize(D("0.1"))
        if weights
        else None
    )
    fields: dict[str, Any] = {
        "number": "HARBOUR-2026-031",
        "state": "issued",
        "contract": "MSA-2024-17",
        "contract_title": "Content moderation and support, Asia",
        "versions": ["2 (in force from 1 January 2026)"],
        "version_hashes": ["3f0c9a1be2d84c57a6f10b7e9d25c8e1f4a3b6d7c8e9f0a1b2c3d4e5f6a7b8c9"],
        "customer": "Northlight Media",
        "vendor": "harbour",
        "vendor_name": "Harbour Customer Experience",
        "site": "manila-1",
        "site_name": "Manila Bay 1",
        "scope": {"site": "manila-1"},
        "currency": "PHP",
        "time_zone": "Asia/Manila",
        "from_": SEPTEMBER,
        "until": OCTOBER,
        "data_as_of": datetime(2026, 10, 2, 22, 15, tzinfo=UTC),
        "prepared_at": datetime(2026, 10, 5, 3, 0, tzinfo=UTC),
        "score": score,
        "results": results,
        "measures": measures,
        "definitions": {result.kpi: DEFINITIONS[result.kpi] for result in results if result.kpi in DEFINITIONS},
        "feeds": [feed(name) for name in dict.fromkeys(name for names in measures.values() for name in names)],
        "standing_bands": BANDS,
    }
    fields |= given
    if "standing" not in given and fields["score"] is not None:
        fields["standing"] = next(b.name for b in reversed(fields["standing_bands"]) if b.from_ <= fields["score"])
    return Scorecard(**fields)


def _ten_kpis(**changed: KpiResult) -> list[KpiResult]:
    results = [
        kpi(
            "accuracy",
            "96.2",
            title="Decision accuracy",
            clause="Annex 2, 4.1",
            group="Quality",
            weight=D(25),
            weight_used=D(25),
            streak=7,
            interval=(D("95.6"), D("96.7")),
            levels={"floor": D(93), "target": D(95), "stretch": D(98)},
        ),
        kpi(
            "leakage",
            "0.7",
            "1",
            title="Leakage in passed items",
            clause="Annex 2, 4.2",
            group="Quality",
            better="lower",
            weight=D(15),
            weight_used=D(15),
            streak=4,
            interval=(D("0.5"), D("1.0")),
        ),
        kpi(
            "appeals",
            "8.4",
            "10",
            title="Appeals overturned",
            clause="Annex 2, 4.3",
            group="Quality",
            better="lower",
            weight=D(5),
            weight_used=D(5),
            streak=13,
        ),
        kpi(
            "turnaround",
            "97.1",
            title="Decided within 24 hours",
            clause="Annex 2, 5.1",
            group="Speed",
            weight=D(15),
            weight_used=D(15),
            streak=9,
            levels={"severe": D(90), "serious": D(93), "target": D(95)},
        ),
        kpi(
            "live_response",
            "99.2",
            "99",
            title="Live-stream alerts within 60 seconds",
            clause="Annex 2, 5.2",
            group="Speed",
            weight=D(10),
            weight_used=D(10),
            streak=2,
        ),
        kpi(
            "answered",
            "83.4",
            "80",
            title="Calls answered within 20 seconds",
            clause="Annex 2, 6.1",
            group="Support",
            weight=D(10),
            weight_used=D(10),
            streak=6,
        ),
        kpi("abandoned", "3.1", "5", title="Calls abandoned", clause="Annex 2, 6.2", group="Support", better="lower", streak=13),
        kpi(
            "handle_time",
            "341.52",
            "380",
            title="Average handle time",
            clause="Annex 2, 6.3",
            group="Support",
            better="lower",
            unit="seconds",
            weight=None,
            weight_used=None,
            score=None,
            streak=5,
            numerator=D("3918260"),
            denominator=D(11473),
        ),
        kpi(
            "satisfaction",
            "87.9",
            "85",
            title="Satisfied answers",
            clause="Annex 2, 6.4",
            group="Support",
            weight=D(5),
            weight_used=D(5),
            streak=3,
            interval=(D("85.1"), D("90.2")),
        ),
        kpi(
            "hours",
            "98.6",
            "98",
            title="Hours delivered against required",
            clause="Annex 2, 7.1",
            group="Staffing",
            weight=D(5),
            weight_used=D(5),
            streak=1,
        ),
    ]
    return [changed.get(result.kpi, result) for result in results]


_PATHS: dict[str, tuple[str, str, list[str | None]]] = {
    "accuracy": ("95", "higher", ["94.1", "94.0", "94.8", "95.4", "95.1", "95.2", "95.9", "95.6", "95.8", "96.0", "96.3", "96.1", "96.2"]),
    "leakage": ("1", "lower", ["1.3", "1.2", "1.1", "1.4", "1.2", "1.0", "1.1", "1.2", "1.1", "0.9", "0.8", "0.8", "0.7"]),
    "appeals": ("10", "lower", ["9.1", "8.8", "9.4", "9.0", "8.1", "8.6", "9.2", "9.9", "9.1", "8.7", "8.2", "8.9", "8.4"]),
    "turnaround": (
        "95",
        "higher",
        ["94.2", "93.1", "94.8", "94.1", "96.0", "96.2", "95.1", "96.4", "97.0", "96.8", "97.5", "96.9", "97.1"],
    ),
    "live_response": (
        "99",
        "higher",
        ["99.1", "99.4", "98.7", "99.0", "99.2", "99.3", "99.1", "98.9", "99.4", "99.0", "98.8", "99.1", "99.2"],
    ),
    "answered": ("80", "higher", ["76", "78.2", "79.1", "77.0", "81.4", "80.2", "79.9", "81.1", "82.0", "80.4", "81.8", "82.6", "83.4"]),
    "abandoned": ("5", "lower", ["4.9", "4.2", "4.4", "4.8", "4.0", "3.9", "4.1", "3.6", "3.4", "3.8", "3.3", "3.2", "3.1"]),
    "handle_time": (
        "380",
        "lower",
        ["372.4", "391.0", "389.2", "384.1", "381.5", "376.6", "377.8", "382.9", "371.2", "366.0", "359.3", "350.1", "341.52"],
    ),
    "satisfaction": (
        "85",
        "higher",
        ["83.1", "84.0", "85.2", "86.1", "84.9", None, "84.0", "86.6", "84.7", "84.4", "85.8", "86.9", "87.9"],
    ),
    "hours": ("98", "higher", ["98.2", "97.1", "98.8", "99.0", "98.4", "98.1", "98.9", "97.2", "98.0", "99.1", "98.5", "97.6", "98.6"]),
}


def _trends(results: Sequence[KpiResult], **given: list[TrendPoint]) -> dict[str, list[TrendPoint]]:
    made = {}
    for result in results:
        target, better, values = _PATHS[result.kpi]
        ended = [*values[:-1], str(result.value) if result.value is not None else None]
        made[result.kpi] = given.get(result.kpi) or trend(
            ended, target, better=better, amended_at=4, spread="0.6" if result.interval else None
        )
    return made


def _scores(values: Sequence[str | None]) -> list[TrendPoint]:
    return [
        TrendPoint(
            from_=month,
            value=D(v) if v is not None else None,
            target=None,
            status="measured" if v is not None else "no_data",
            met=None,
            score=D(v) if v is not None else None,
        )
        for month, v in zip(months_back(len(values)), values, strict=True)
    ]


def _split(whole: KpiResult, dimension: str, values: dict[str, tuple[str, int]]) -> list[KpiResult]:
    return [
        structs.replace(
            kpi(whole.kpi, value, str(whole.target), title=whole.title, better=whole.better, weight=None, weight_used=None),
            dimensions={dimension: name},
            denominator=D(n),
            numerator=(D(value) * n / 100).to_integral_value(),
        )
        for name, (value, n) in values.items()
    ]


def good_site(**given: Any) -> Scorecard:
    """Everything met; a small bonus."""
    results = _ten_kpis()
    split = _split(results[0], "language", {"English": ("96.8", 2610), "Tagalog": ("95.9", 1420), "Thai": ("94.7", 900)})
    trends = _trends(results)
    for part, shift in zip(split, (D("0.5"), D("-0.2"), D("-1.4")), strict=True):
        trends[result_key(part)] = [
            structs.replace(p, value=p.value + shift if p.value is not None else None, interval=None) for p in trends["accuracy"]
        ]
    total = Total(
        scope={"site": "manila-1"},
        from_=SEPTEMBER,
        until=OCTOBER,
        score=D(100),
        standing="Good",
        credit_uncapped=D(0),
        credit=D(0),
        bonus=D("48160.00"),
        net=D("-48160.00"),
    )
    fields: dict[str, Any] = {
        "score_previous": D("98.1"),
        "score_year_ago": D("84.9"),
        "score_trend": _scores(["84.9", "83.2", "86.0", "88.1", "90.4", "91.2", "89.7", "92.6", "94.0", "93.1", "96.4", "98.1", "100"]),
        "trends": trends,
        "critical": ["accuracy", "live_response"],
        "totals": [total],
        "lines": [
            Line(
                step=9,
                kind="bonus",
                scope={"site": "manila-1"},
                from_=SEPTEMBER,
                kpi="accuracy",
                clause="Annex 3, 2.4",
                rule="4 % of the monthly invoice when every critical KPI is met six months in a row",
                inputs={"months in a row": D(6), "rate": D("0.04")},
                base="monthly invoice",
                base_amount=D("1204000.00"),
                amount=D("48160.00"),
                payable_in=OCTOBER,
            )
        ],
        "credit_this_year": D("36120.00"),
        "money_at_risk": D("144480.00"),
        "commentary": [
            Commentary(
                kpi=None,
                role="Vendor operations lead",
                text="The second QA calibration of August carried through. Handle time fell because the new macro library went live "
                "on 7 September; we expect it to stay near 340 seconds.",
            ),
            Commentary(
                kpi="accuracy",
                role="Partner operations manager",
                text="Thai remains below target with 900 audited decisions; agreed to double the Thai sample from October.",
            ),
        ],
        "weekday_pattern": {"accuracy": [D("96.4"), D("96.6"), D("96.1"), D("96.0"), D("95.8"), D("96.3"), D("96.2")]},
    }
    return scorecard([*results, *split], **(fields | given))


def collapsing_site(**given: Any) -> Scorecard:
    """A draft: quality collapsed in August and September, escalated, credits due."""
    results = _ten_kpis(
        accuracy=kpi(
            "accuracy",
            "88.3",
            title="Decision accuracy",
            clause="Annex 2, 4.1",
            group="Quality",
            weight=D(25),
            weight_used=D(25),
            score=D(0),
            streak=-2,
            level="below floor",
            interval=(D("87.4"), D("89.2")),
            levels={"floor": D(93), "target": D(95), "stretch": D(98)},
            points_base=D(3),
            multiplier=D(2),
            points=D(6),
        ),
        leakage=kpi(
            "leakage",
            "2.6",
            "1",
            title="Leakage in passed items",
            clause="Annex 2, 4.2",
            group="Quality",
            better="lower",
            weight=D(15),
            weight_used=D(15),
            score=D("20"),
            streak=-2,
            level="serious",
            interval=(D("2.2"), D("3.1")),
            points_base=D(2),
            multiplier=D(2),
            points=D(4),
        ),
        turnaround=kpi(
            "turnaround",
            "94.996",
            title="Decided within 24 hours",
            clause="Annex 2, 5.1",
            group="Speed",
            weight=D(15),
            weight_used=D(15),
            score=D("62.5"),
            streak=-1,
            level="minor",
            levels={"severe": D(90), "serious": D(93), "target": D(95)},
            points_base=D(1),
            multiplier=D(1),
            points=D(1),
        ),
    )
    results = [structs.replace(r, points=r.points if r.points is not None else D(0) if r.weight else None) for r in results]
    trends = _trends(
        results,
        accuracy=trend(
            ["95.4", "95.9", "95.1", "95.7", "96.0", "96.2", "95.9", "95.6", "95.8", "96.0", "95.3", "91.7", "88.3"],
            amended_at=4,
            spread="0.9",
        ),
        leakage=trend(
            ["0.8", "0.9", "0.7", "0.8", "1.0", "0.9", "0.8", "0.9", "0.9", "1.0", "0.9", "1.8", "2.6"], "1", better="lower", spread="0.4"
        ),
    )
    trends["accuracy"][-2] = structs.replace(trends["accuracy"][-2], score=D(30))
    total = Total(
        scope={"site": "manila-1"},
        from_=SEPTEMBER,
        until=OCTOBER,
        credit_uncapped=D("126420.00"),
        credit=D("126420.00"),
        bonus=D(0),
        net=D("126420.00"),
        points=D(11),
    )
    fields: dict[str, Any] = {
        "state": "draft",
        "revision": 1,
        "number": "HARBOUR-2026-032",
        "score_previous": D("78.9"),
        "score_year_ago": D("93.1"),
        "score_trend": _scores(["93.1", "94.0", "92.2", "95.1", "96.0", "95.4", "96.1", "94.9", "95.7", "96.2", "94.4", "78.9", "57.4"]),
        "score": D("57.4"),
        "trends": trends,
        "critical": ["accuracy", "live_response"],
        "points": D(11),
        "totals": [total],
        "lines": [
            Line(
                step=7,
                kind="points",
                scope={"site": "manila-1"},
                from_=SEPTEMBER,
                kpi="accuracy",
                clause="Annex 3, 1.2",
                rule="Below the floor gives 3 points",
                inputs={"value": D("88.3"), "floor": D(93)},
                amount=D(3),
            ),
            Line(
                step=8,
                kind="repeat",
                scope={"site": "manila-1"},
                from_=SEPTEMBER,
                kpi="accuracy",
                clause="Annex 3, 1.4",
                rule="Missed in the period before as well: points are doubled",
                inputs={"points": D(3), "multiplier": D(2)},
                amount=D(6),
            ),
            Line(
                step=9,
                kind="credit",
                scope={"site": "manila-1"},
                from_=SEPTEMBER,
                kpi="accuracy",
                clause="Annex 3, 2.1",
                rule="1 % of the monthly invoice for each service point",
                inputs={"points": D(6), "rate": D("0.01")},
                base="monthly invoice",
                base_amount=D("1204000.00"),
                amount=D("72240.00"),
                payable_in=OCTOBER,
            ),
            Line(
                step=9,
                kind="credit",
                scope={"site": "manila-1"},
                from_=SEPTEMBER,
                kpi="leakage",
                clause="Annex 3, 2.1",
                rule="1 % of the monthly invoice for each service point",
                inputs={"points": D(4), "rate": D("0.01")},
                base="monthly invoice",
                base_amount=D("1204000.00"),
                amount=D("48160.00"),
                payable_in=OCTOBER,
            ),
            Line(
                step=9,
                kind="credit",
                scope={"site": "manila-1"},
                from_=SEPTEMBER,
                kpi="turnaround",
                clause="Annex 3, 2.1",
                rule="0.5 % of the monthly invoice for a single minor miss",
                inputs={"points": D(1), "rate": D("0.005")},
                base="monthly invoice",
                base_amount=D("1204000.00"),
                amount=D("6020.00"),
                payable_in=OCTOBER,
            ),
        ],
        "credit_this_year": D("162540.00"),
        "money_at_risk": D("144480.00"),
        "tickets": [
            TicketNote(
                number="ESC-HARBOUR-014",
                title="Decision accuracy missed two months in a row",
                level=2,
                state="open",
                opened_on=date(2026, 9, 4),
                due_at=datetime(2026, 10, 9, 9, 0, tzinfo=UTC),
            ),
            TicketNote(
                number="ESC-HARBOUR-015",
                title="Leakage above 2 %",
                level=1,
                state="acknowledged",
                opened_on=date(2026, 10, 2),
                due_at=datetime(2026, 10, 14, 9, 0, tzinfo=UTC),
            ),
        ],
        "commentary": [
            Commentary(
                kpi="accuracy",
                role="Vendor quality lead",
                text="A team of 42 started on 10 August on the product queue after eight days of training instead of fifteen. "
                "Their accuracy is 81 %.\nThe plan: back to nesting for two weeks, daily calibration, "
                "and a cap of 60 % of volume until three clean days.",
            ),
        ],
        "rights": [
            Right(
                name="Termination for persistent failure",
                clause="18.3",
                scope={"site": "manila-1"},
                arises_on=OCTOBER,
                evidence=["August 2026", "September 2026"],
            )
        ],
        "weekday_pattern": {"accuracy": [D("90.1"), D("89.7"), D("89.0"), D("88.8"), D("87.9"), D("86.4"), D("86.0")]},
        "findings": [
            Remark(
                severity="warning",
                where="kpis.hours",
                message="Required hours were delivered once for the month, not by day",
                repair="Ask the source for daily rows.",
            )
        ],
    }
    return scorecard(results, **(fields | given))


def tiny_site(**given: Any) -> Scorecard:
    """Six people: samples under the minimum, one queue without volume."""
    results = [
        kpi(
            "accuracy",
            "91.2",
            title="Decision accuracy",
            clause="Annex 2, 4.1",
            status="not_measured",
            met=None,
            denominator=D(34),
            numerator=D(31),
            interval=(D("76.9"), D("97.0")),
            weight=D(60),
            weight_used=None,
        ),
        kpi(
            "turnaround",
            "100",
            title="Decided within 24 hours",
            clause="Annex 2, 5.1",
            weight=D(40),
            weight_used=D(100),
            streak=3,
            denominator=D(211),
            numerator=D(211),
        ),
        kpi(
            "answered",
            None,
            "80",
            title="Calls answered within 20 seconds",
            clause="Annex 2, 6.1",
            status="no_volume",
            denominator=D(0),
            numerator=D(0),
            spans_present=30,
        ),
        kpi(
            "satisfaction",
            None,
            "85",
            title="Satisfied answers",
            status="accumulating",
            denominator=D(12),
            numerator=D(11),
            note="12 of 200 answers so far; the sample is carried into October.",
            spans_present=30,
        ),
    ]
    fields: dict[str, Any] = {
        "site": "valletta",
        "site_name": "Valletta",
        "number": "HARBOUR-2026-033",
        "currency": "EUR",
        "time_zone": "Europe/Malta",
        "score_previous": D(100),
        "score_trend": _scores(["100", None, "100", "100"]),
        "trends": {"accuracy": trend([None, None, None, None]), "turnaround": trend(["100", None, "100", "100"])},
    }
    return scorecard(results, **(fields | given))


def missing_feed(**given: Any) -> Scorecard:
    """The telephone system sent nothing; support cannot be judged, its weights moved on."""
    results = _ten_kpis(
        answered=kpi(
            "answered", None, "80", title="Calls answered within 20 seconds", clause="Annex 2, 6.1", group="Support", weight=D(10)
        ),
        abandoned=kpi("abandoned", None, "5", title="Calls abandoned", clause="Annex 2, 6.2", group="Support", better="lower"),
    )
    results = [
        structs.replace(r, weight_used=(r.weight * 100 / 80).quantize(D("0.01"))) if r.weight and r.status == "measured" else r
        for r in results
    ]
    feeds = [
        feed(
            name,
            **(
                {"as_of": None, "rows": 0, "missing": 30, "source": "Telephone system export"}
                if name.startswith(("answered", "calls"))
                else {"late": 2, "corrected": 5}
                if name == "answers"
                else {"source": "typed in"}
                if name.endswith("hours")
                else {}
            ),
        )
        for name in dict.fromkeys(n for r in results for n in MEASURES[r.kpi])
    ]
    fields: dict[str, Any] = {
        "number": "HARBOUR-2026-034",
        "score_previous": D("98.1"),
        "score_trend": _scores(["84.9", "83.2", "86.0", "88.1", "90.4", "91.2", "89.7", "92.6", "94.0", "93.1", "96.4", "98.1", "100"]),
        "trends": _trends(results),
        "feeds": feeds,
        "findings": [
            Remark(
                severity="warning",
                where="sources.telephone",
                message="No file arrived for 30 of 30 days",
                repair="Ask the vendor to deliver the export; the next pull repairs the period.",
            )
        ],
    }
    return scorecard(results, **(fields | given))


def silent_workstream(**given: Any) -> Scorecard:
    """Two workstreams; of the live streams nothing came after the tenth, and an escalation runs for it."""
    content, live = {"workstream": "content-moderation"}, {"workstream": "live-stream-moderation"}
    shared: dict[str, Any] = {"weight": D(25), "title": "Decision accuracy", "clause": "Annex 2, 1"}
    turnaround: dict[str, Any] = {"weight": D(25), "title": "Decided in time", "clause": "Annex 2, 2"}
    silent: dict[str, Any] = {"dimensions": live, "spans_expected": 30, "spans_present": 10, "weight_used": None}
    results = [
        kpi("accuracy", "96.2", dimensions=content, weight_used=D(20), **shared),
        kpi("turnaround", "97.1", dimensions=content, weight_used=D(20), **turnaround),
        kpi("accuracy", None, numerator=None, denominator=None, **(shared | silent)),
        kpi("turnaround", None, numerator=None, denominator=None, **(turnaround | silent)),
    ]
    measures = ("decisions_audited", "decisions_correct", "items_due")
    stopped: dict[str, Any] = {
        "scope": live, "missing": 20, "expected": 30, "rows": 10, "newest_on": date(2026, 9, 10),
        "as_of": datetime(2026, 9, 10, 22, 15, tzinfo=UTC),
    }  # fmt: skip
    fields: dict[str, Any] = {
        "number": "HARBOUR-2026-036",
        "score_previous": D(98),
        "trends": {result_key(one): trend(["96.4", "96.9", "96.0" if one.value is not None else None]) for one in results},
        "measures": {"accuracy": list(measures[:2]), "turnaround": list(measures[2:])},
        "feeds": [
            *(feed(name, scope=content, expected=30, rows=30, newest_on=date(2026, 9, 30)) for name in measures),
            *(feed(name, **stopped) for name in measures),
        ],
        "tickets": [
            TicketNote(
                number="HARBOUR-T0007",
                title="accuracy: no data",
                level=2,
                state="opened",
                opened_on=date(2026, 10, 5),
                due_at=datetime(2026, 10, 9, 9, 0, tzinfo=UTC),
                kpi="accuracy",
                dimensions=live,
                rule="no data",
            )
        ],
    }
    return scorecard(results, **(fields | given))


def relief_month(**given: Any) -> Scorecard:
    """A typhoon: three days excused, a second claim refused, a third waiting."""
    results = _ten_kpis(
        turnaround=kpi(
            "turnaround",
            "96.4",
            title="Decided within 24 hours",
            clause="Annex 2, 5.1",
            group="Speed",
            weight=D(15),
            weight_used=D(15),
            streak=10,
            spans_relieved=3,
            value_without_relief=D("91.7"),
        ),
        hours=kpi(
            "hours",
            None,
            "98",
            title="Hours delivered against required",
            clause="Annex 2, 7.1",
            group="Staffing",
            status="relieved",
            weight=D(5),
            spans_relieved=30,
            spans_present=30,
        ),
    )
    fields: dict[str, Any] = {
        "number": "HARBOUR-2026-035",
        "revision": 2,
        "score_without_relief": D("92.1"),
        "score_previous": D("98.1"),
        "score_trend": _scores(["84.9", "83.2", "86.0", "88.1", "90.4", "91.2", "89.7", "92.6", "94.0", "93.1", "96.4", "98.1", "100"]),
        "trends": _trends(
            results,
            turnaround=trend(
                ["94.2", "93.1", "94.8", "94.1", "96.0", "96.2", "95.1", "96.4", "97.0", "80.1", "97.5", "96.9", "96.4"],
                relieved=[9],
                amended_at=4,
            ),
        ),
        "critical": ["turnaround"],
        "versions": ["1 (in force from 1 January 2025)", "2 (in force from 1 January 2026)"],
        "relief": [
            ReliefUse(
                kpi="turnaround",
                from_=date(2026, 9, 14),
                until=date(2026, 9, 17),
                cause="Typhoon signal no. 3, site closed by order of the city",
                decision="approved",
                reason="Order of the city attached; the client confirmed the closing.",
            ),
            ReliefUse(
                kpi="accuracy",
                from_=date(2026, 9, 14),
                until=date(2026, 9, 21),
                cause="Typhoon, tired staff",
                decision="refused",
                reason="Clause 12.2 covers closing of the site, not its effects afterwards.",
            ),
            ReliefUse(
                kpi=None, from_=date(2026, 9, 28), until=date(2026, 9, 29), cause="Outage of the client’s review tool", decision="waiting"
            ),
        ],
    }
    return scorecard(results, **(fields | given))


def over_cap_month(**given: Any) -> Scorecard:
    """Credits above the month's cap; the rest is lost by the contract's words."""
    card = collapsing_site()
    lines = [
        structs.replace(card.lines[2], amount=D("90300.00")),
        structs.replace(card.lines[3], amount=D("72240.00")),
        structs.replace(card.lines[4], amount=D("24080.00")),
        Line(
            step=11,
            kind="cap",
            scope={"site": "manila-1"},
            from_=SEPTEMBER,
            clause="Annex 3, 3.1",
            rule="Credits of a month stay within the amount at risk, 12 % of the monthly invoice; what exceeds it is lost",
            inputs={"before": D("186620.00"), "cap": D("144480.00")},
            base="monthly invoice",
            base_amount=D("1204000.00"),
            amount=D("-42140.00"),
        ),
        Line(
            step=14,
            kind="rounding",
            from_=SEPTEMBER,
            clause="Annex 3, 3.5",
            rule="Half even, to the centavo",
            inputs={"before": D("144480.0000")},
            amount=D(0),
        ),
    ]
    total = Total(
        scope={"site": "manila-1"},
        from_=SEPTEMBER,
        until=OCTOBER,
        credit_uncapped=D("186620.00"),
        credit=D("144480.00"),
        bonus=D(0),
        net=D("144480.00"),
    )
    return structs.replace(card, **({"state": "issued", "number": "HARBOUR-2026-036", "lines": lines, "totals": [total]} | given))


# --- what a renderer must survive -------------------------------------------------------------------------------------------------

MARKUP = "<b>Ha&rbour</b> <img src=file:///etc/passwd><style>@import url(http://127.0.0.1/x)</style>{{ 7*7 }}"
RIGHT_TO_LEFT = "شركة الميناء لخدمة العملاء"
HEBREW = "מרכז תל אביב"
CHINESE = "港湾客户体验有限公司"
EMOJI = "Team 🚢 Harbour 👩🏽‍💻"
LONG = "Harbour Customer Experience and Trust and Safety Operations of the Southern Islands " * 4


def hostile_names(**given: Any) -> Scorecard:
    """Names of every awkward kind at once."""
    results = [
        kpi("accuracy", "91.0", title=MARKUP, clause=LONG, group=RIGHT_TO_LEFT, interval=(D("90.1"), D("95.4"))),
        kpi("turnaround", "93.0", title=RIGHT_TO_LEFT, clause="٤٫١", level=HEBREW),
        kpi("leakage", "2.0", "1", better="lower", title=CHINESE, level=CHINESE),
        kpi("answered", "70.0", "80", title=EMOJI, level=EMOJI),
        kpi("appeals", "12.0", "10", better="lower", title="x" * 300, level="y" * 60),
        kpi("hours", "97.0", "98", title="\u202eevil\u0000\ufffe reversed"),
    ]
    fields: dict[str, Any] = {
        "vendor_name": MARKUP,
        "site_name": f"{HEBREW} {CHINESE} {EMOJI}",
        "customer": RIGHT_TO_LEFT,
        "contract_title": LONG,
        "number": "N" * 40,
        "trends": {
            result.kpi: trend([*_PATHS[result.kpi][2][:-1], str(result.value)], str(result.target), better=result.better)
            for result in results
        },
        "commentary": [Commentary(kpi=None, role=EMOJI, text=f"{MARKUP}\n{RIGHT_TO_LEFT}\n{CHINESE}\n{LONG}{'z' * 400}")],
        "findings": [Remark(severity="error", where="x" * 200, message=MARKUP, repair=LONG)],
        "tickets": [TicketNote(number="T" * 80, title=MARKUP, level=3, state=EMOJI, opened_on=OCTOBER)],
        "relief": [ReliefUse(kpi="accuracy", from_=SEPTEMBER, until=OCTOBER, cause=MARKUP, decision="waiting", reason=RIGHT_TO_LEFT)],
        "standing": "S" * 90,
    }
    return scorecard(results, **(fields | given))


def many_kpis(n: int = 80, **given: Any) -> Scorecard:
    results = [
        kpi(
            f"kpi_{index}",
            "96.1" if index % 5 else "90.3",
            title=f"Measured promise number {index}",
            clause=f"Annex 2, {index}",
            group=f"Group {index // 10}",
        )
        for index in range(n)
    ]
    trends = {result.kpi: trend([*_PATHS["accuracy"][2][:-1], str(result.value)]) for result in results}
    return scorecard(results, **({"trends": trends, "score_previous": D(90)} | given))


def no_kpis(**given: Any) -> Scorecard:
    return scorecard([], **given)


def first_month(**given: Any) -> Scorecard:
    results = _ten_kpis()
    trends = {result.kpi: trend([str(result.value)], str(result.target), better=result.better) for result in results}
    return scorecard(results, **({"trends": trends, "score_trend": _scores(["100"])} | given))


def huge_amounts(**given: Any) -> Scorecard:
    card = over_cap_month()
    lines = [structs.replace(line, base_amount=D("9876543210.12"), amount=(line.amount or D(0)) * 100000) for line in card.lines]
    total = structs.replace(card.totals[0], credit_uncapped=D("18662000000.00"), credit=D("14448000000.00"), net=D("14448000000.00"))
    fields: dict[str, Any] = {
        "currency": "IDR",
        "lines": lines,
        "totals": [total],
        "credit_this_year": D("98765432109.87"),
        "money_at_risk": D("14448000000.00"),
        "results": [structs.replace(r, numerator=D("9876543209"), denominator=D("9876543210")) for r in card.results],
    }
    return structs.replace(card, **(fields | given))


def everything_missing(**given: Any) -> Scorecard:
    """Ten KPIs, none delivered, no money, no bands, no words."""
    results = [
        structs.replace(
            kpi(r.kpi, None, None), title="", clause=None, version="", weight=None, spans_expected=None, spans_present=None, levels={}
        )
        for r in _ten_kpis()
    ]
    fields: dict[str, Any] = {
        "versions": [],
        "version_hashes": [],
        "feeds": [],
        "measures": {},
        "definitions": {},
        "standing_bands": [],
        "contract_title": "",
        "score": None,
    }
    return scorecard(results, **(fields | given))


def revised_month(**given: Any) -> Scorecard:
    """A collapse whose counts were corrected after it was issued: accuracy met after all."""
    issued = collapsing_site(state="issued")
    accuracy: dict[str, Any] = {
        "value": D("95.4"), "numerator": D(4703), "met": True, "score": D(100), "level": None, "points": D(0), "streak": 1,
    }  # fmt: skip
    results = [structs.replace(one, **accuracy) if one.kpi == "accuracy" else one for one in issued.results]
    fields = {"results": results, "score": D("82.4"), "standing": "Approaching target", "revision": issued.revision + 1, **given}
    revised = structs.replace(issued, **fields)
    return structs.replace(revised, revises=comparing.revises(issued, revised))


STORIES = {
    "good": good_site,
    "collapsing": collapsing_site,
    "tiny": tiny_site,
    "missing-feed": missing_feed,
    "silent-workstream": silent_workstream,
    "revised": revised_month,
    "relief": relief_month,
    "over-cap": over_cap_month,
}
BAD_INPUT = {
    "hostile-names": hostile_names,
    "eighty-kpis": many_kpis,
    "no-kpis": no_kpis,
    "first-month": first_month,
    "huge-amounts": huge_amounts,
    "everything-missing": everything_missing,
}
