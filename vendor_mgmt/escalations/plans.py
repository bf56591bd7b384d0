"""The corrective action plan: what has to stand in it, what deserves a remark, and whether it worked.

Errors send the plan back at once; remarks go with it to the person who decides. A plan is judged by the KPI itself:
implemented is not yet effective.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

import msgspec

from contracts.errors import Finding
from vendor_mgmt.escalations.conditions import PeriodKind
from vendor_mgmt.escalations.rules import Severity

__all__ = [
    "EFFECTIVE_DAYS_RANGE",
    "Action",
    "Effectiveness",
    "Milestone",
    "Outcome",
    "Plan",
    "SuccessCriterion",
    "check",
    "effectiveness",
    "is_implemented",
    "milestone_gaps",
    "next_due_on",
    "observed_kinds",
    "required_form",
]

Form = Literal["five_why", "full"]

EFFECTIVE_DAYS_RANGE: Mapping[Severity, tuple[int, int]] = {
    Severity.MINOR: (30, 90),
    Severity.SERIOUS: (60, 180),
    Severity.CRITICAL: (90, 365),
}
"""How long effectiveness is usually watched, in days, by the practice published for corrective actions."""


class Action(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of the plan. `owner` is one role, such as `vendor.quality_lead`; `evidence` a case id or a link."""

    text: str
    owner: str
    due_on: date | None = None
    done_on: date | None = None
    evidence: str = ""

    @property
    def is_done(self) -> bool:
        return self.done_on is not None and bool(self.evidence.strip())


class Milestone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The value the plan expects the KPI to have reached in the period that begins on that day."""

    period_from: date
    expected: Decimal


class SuccessCriterion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Written before the work begins: which KPI meets which level for how many periods in a row."""

    kpi: str
    level: str = "target"
    good_periods: int = 3


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`causes` is the chain of whys, the root cause last. `prevention` and `team` belong to the full form (eight disciplines)."""

    root_cause: str = ""
    causes: tuple[str, ...] = ()
    containment: str = ""
    effect: str = ""
    actions: tuple[Action, ...] = ()
    success: SuccessCriterion | None = None
    milestones: tuple[Milestone, ...] = ()
    form: Form = "five_why"
    prevention: str = ""
    team: tuple[str, ...] = ()


def required_form(previous_closed_on: date | None, opened_on: date, repeat_within_days: int = 90) -> Form:
    """The fuller form is asked for when the same problem comes back within so many days of being closed."""
    if previous_closed_on is None:
        return "five_why"
    return "full" if opened_on < previous_closed_on + timedelta(days=repeat_within_days) else "five_why"


_ROLE = re.compile(r"(vendor|client)\.[a-z][a-z0-9_]*")

# What several published guides refuse as a cause or a cure when it stands alone: it blames the last person in the chain.
_PEOPLE_AS_CAUSE = re.compile(
    r"\b(?:re-?train\w*|trainings?|coach\w*|refresher\w*|(?:operator|human|agent|moderator|user)s?[ -](?:error|mistake)s?"
    r"|remind\w*|toolbox talks?|briefings?|more careful(?:ly)?|lack of attention|negligence)\b",
    re.IGNORECASE,
)
_BESIDES_PEOPLE = re.compile(
    r"\b(?:tool\w*|system\w*|process\w*|polic\w+|staff(?:ing)?|schedul\w+|capacity|queue\w*|rout\w+|workflow\w*|script\w*|instruct\w+"
    r"|guideline\w*|handbook\w*|forecast\w*|volume\w*|outage\w*|release\w*|configur\w+|automat\w+|checklist\w*|sampl\w+|calibrat\w+"
    r"|alert\w*|attrition|hir\w+|recruit\w*|knowledge base|interface|template\w*|taxonom\w+|threshold\w*|dashboard\w*|network\w*)\b",
    re.IGNORECASE,
)

# "Remove or retrain Maria Santos", "dismiss moderator Ortiz": a verb about a person, then a name. A role in capitals
# ("Retrain QA") or at the start of a title ("Retrain Team Leads") is no name.
_ABOUT_A_PERSON = re.compile(
    r"\b(?i:remov(?:e|ing)|re-?train(?:ing)?|replac(?:e|ing)|dismiss(?:ing)?|terminat(?:e|ing)|fir(?:e|ing)|suspend(?:ing)?|sack(?:ing)?"
    r"|disciplin(?:e|ing)|coach(?:ing)?|warn(?:ing)?|let go(?: of)?|letting go(?: of)?|reassign(?:ing)?|demot(?:e|ing))\s+"
    r"(?:(?i:the|our|an?|agent|moderator|employee|colleague|associate|analyst|reviewer|lead|mr\.?|mrs\.?|ms\.?)\s+)*"
    r"(?P<name>[A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ'’-]+(?:\s+(?:d[aeio]s?|van|von|bin|al|el|la)?\s*[A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ'’-]+)*)"
)
_NOT_NAMES = frozenset(
    {
        "Agents", "Moderators", "Team", "Teams", "Leads", "Lead", "Quality", "Shift", "Shifts", "Site", "Staff",
        "Night", "Day", "New", "All", "Both", "Level", "Tier", "Queue", "Policy", "Policies", "Tool", "Tools",
        "Process", "Old", "Product", "Content", "Merchant", "Live", "Live-stream", "Support", "Customer", "Operations",
        "Management", "Managers", "Supervisors", "Reviewers", "Analysts", "Trainers", "Training", "Portuguese",
        "Spanish", "English", "Arabic", "French", "German", "Italian", "Polish", "Turkish", "Hindi", "Thai",
        "Vietnamese", "Indonesian", "Tagalog", "Mandarin", "Japanese", "Korean", "Dutch", "Headset", "Headsets",
        "Laptop", "Laptops", "Router", "Routers", "Script", "Scripts",
    }
)


def check(
    plan: Plan, *, kpi: str, level: str = "target", form: Form = "five_why", submitted_on: date, good_periods: int = 3
) -> tuple[Finding, ...]:
    """Everything that is missing (errors) or deserves a second look (warnings) in a plan for a ticket on this KPI."""
    return (*_missing(plan, form), *_actions(plan, submitted_on), *_success(plan, kpi, level, good_periods), *_remarks(plan))


def _error(where: str, message: str, repair: str) -> Finding:
    return Finding("error", where, message, repair)


def _remark(where: str, message: str, repair: str) -> Finding:
    return Finding("warning", where, message, repair)


def _missing(plan: Plan, form: Form) -> list[Finding]:
    found = []
    if not plan.root_cause.strip():
        found.append(_error("$.root_cause", "the root cause is missing", "Say why it happened, not what was seen."))
    if not plan.containment.strip():
        found.append(
            _error("$.containment", "the containment is missing", "Say what protects the customer until the cause is removed.")
        )
    if form == "full":
        if plan.form != "full":
            found.append(_error("$.form", "the short form is not enough for a problem that came back", "Hand in the full form."))
        if not plan.prevention.strip():
            found.append(_error("$.prevention", "the prevention is missing", "Say what keeps the cause from coming back elsewhere."))
        if not plan.team:
            found.append(_error("$.team", "the team is missing", "Name the roles that worked on the cause."))
        if len(plan.causes) <= 1:
            found.append(
                _error("$.causes", f"{len(plan.causes)} steps lead to the root cause", "Write down each why that led to the next.")
            )
    return found


def _actions(plan: Plan, submitted_on: date) -> list[Finding]:
    if not plan.actions:
        return [_error("$.actions", "the plan has no action", "Name at least one, with one owner role and a date.")]
    found = []
    for index, action in enumerate(plan.actions):
        where = f"$.actions[{index}]"
        if not action.text.strip():
            found.append(_error(f"{where}.text", "the action says nothing", "Say what will be done."))
        if not action.owner.strip():
            found.append(_error(f"{where}.owner", "the action has no owner", "Name exactly one role, such as vendor.quality_lead."))
        elif not _ROLE.fullmatch(action.owner.strip()):
            found.append(
                _error(
                    f"{where}.owner",
                    f"{action.owner!r} is not exactly one role",
                    "Name one role of the vendor or the client, such as vendor.quality_lead; never a person, never two.",
                )
            )
        if action.due_on is None:
            found.append(_error(f"{where}.due_on", "the action has no date", "Say by which day it will be done."))
        elif action.due_on < submitted_on and action.done_on is None:
            found.append(
                _error(f"{where}.due_on", f"{action.due_on} was past when the plan was handed in", "Give a day that lies ahead.")
            )
    return found


def _success(plan: Plan, kpi: str, level: str, good_periods: int) -> list[Finding]:
    where = "$.success"
    if plan.success is None:
        return [_error(where, "the success criterion is missing", f"It is the KPI itself: {kpi} meets its {level}.")]
    found = []
    if plan.success.kpi != kpi:
        found.append(
            _error(
                f"{where}.kpi",
                f"success is measured in {plan.success.kpi!r}, the ticket is about {kpi!r}",
                "Name the ticket's own KPI; others may be milestones.",
            )
        )
    if plan.success.level != level:
        found.append(
            _error(f"{where}.level", f"success stops at {plan.success.level!r}", f"The ticket closes at {level!r}: name that level.")
        )
    if plan.success.good_periods < good_periods:
        found.append(
            _error(
                f"{where}.good_periods",
                f"{plan.success.good_periods} good periods are too few",
                f"The contract asks for {good_periods} in a row.",
            )
        )
    return found


def _remarks(plan: Plan) -> list[Finding]:
    found = []
    if _is_only_about_people(plan.root_cause):
        found.append(
            _remark(
                "$.root_cause",
                f"{plan.root_cause.strip()!r} names people as the cause",
                "Ask once more why: what made the error possible, and why was it not noticed?",
            )
        )
    if plan.actions and all(_is_only_about_people(action.text) for action in plan.actions):
        found.append(
            _remark("$.actions", "training is the only action", "Add what changes the process, the tool or the staffing.")
        )
    texts = [("$.root_cause", plan.root_cause), ("$.containment", plan.containment), ("$.effect", plan.effect)]
    texts += [("$.prevention", plan.prevention)]
    texts += [(f"$.causes[{index}]", text) for index, text in enumerate(plan.causes)]
    texts += [(f"$.actions[{index}].text", action.text) for index, action in enumerate(plan.actions)]
    for where, text in texts:
        if (name := _named_person(text)) is not None:
            found.append(
                _remark(
                    where,
                    f"{name!r} reads like the name of a person",
                    "Plans address roles of the vendor: take the name out and say what changes in the work.",
                )
            )
    return found


def _is_only_about_people(text: str) -> bool:
    return bool(_PEOPLE_AS_CAUSE.search(text)) and not _BESIDES_PEOPLE.search(_PEOPLE_AS_CAUSE.sub(" ", text))


def _named_person(text: str) -> str | None:
    for match in _ABOUT_A_PERSON.finditer(text):
        name = match["name"]
        if name.split()[0] not in _NOT_NAMES:
            return name
    return None


def is_implemented(plan: Plan) -> bool:
    """Whether every action is done and shows its evidence."""
    return bool(plan.actions) and all(action.is_done for action in plan.actions)


def next_due_on(plan: Plan) -> date | None:
    """The day of the earliest action that is not done yet."""
    return min((action.due_on for action in plan.actions if not action.is_done and action.due_on is not None), default=None)


def milestone_gaps(plan: Plan, actuals: Mapping[date, Decimal | None]) -> tuple[tuple[Milestone, Decimal | None], ...]:
    """Each milestone beside the actual value of its period, None where there is none (yet): what a chart draws."""
    return tuple((each, actuals.get(each.period_from)) for each in sorted(plan.milestones, key=lambda each: each.period_from))


class Outcome(enum.StrEnum):
    OBSERVING = "observing"
    EFFECTIVE = "effective"
    INEFFECTIVE = "ineffective"


class Effectiveness(msgspec.Struct, frozen=True, kw_only=True):
    """`period` is the index of the period that decided; None while observing. `missing` says in words what is still waited for."""

    outcome: Outcome
    good: int
    period: int | None = None
    missing: str = ""


def observed_kinds(
    periods: Sequence[tuple[date, date]], kinds: Sequence[PeriodKind], implemented_on: date
) -> tuple[tuple[int, PeriodKind], ...]:
    """The periods that count as observation: whole ones that begin on or after the day after implementation."""
    return tuple(
        (index, kind)
        for index, ((from_, _), kind) in enumerate(zip(periods, kinds, strict=True))
        if from_ > implemented_on
    )


def effectiveness(
    observed: Sequence[tuple[int, PeriodKind]],
    *,
    need: int,
    days_min: int = 0,
    implemented_at: datetime | date | None = None,
    period_until: Mapping[int, date] | None = None,
) -> Effectiveness:
    """Whether the plan has proved effective, by the observed periods, oldest first.

    `need` good ones in a row, and at least `days_min` days from implementation to the end of the last of them. Excluded and
    missing periods lengthen the observation; one inside the hysteresis band starts the count again; a breach ends it.
    """
    good = 0
    for index, kind in observed:
        if kind is PeriodKind.BREACH:
            return Effectiveness(outcome=Outcome.INEFFECTIVE, good=good, period=index)
        if kind is PeriodKind.SHORT:
            good = 0
        if kind is PeriodKind.GOOD:
            good += 1
            if good >= need and _has_lasted(index, days_min, implemented_at, period_until):
                return Effectiveness(outcome=Outcome.EFFECTIVE, good=good, period=index)
    missing = f"{need - good} more good periods" if good < need else f"at least {days_min} days since implementation"
    return Effectiveness(outcome=Outcome.OBSERVING, good=good, missing=missing)


def _has_lasted(
    index: int, days_min: int, implemented_at: datetime | date | None, period_until: Mapping[int, date] | None
) -> bool:
    if days_min == 0 or implemented_at is None or period_until is None:
        return True
    day = implemented_at.date() if isinstance(implemented_at, datetime) else implemented_at
    return period_until[index] >= day + timedelta(days=days_min)
