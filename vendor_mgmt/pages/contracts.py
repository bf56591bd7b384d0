"""Contracts as text that a person can read: who works where, what is promised, what a miss costs, when it escalates.

Every term of the document stands on the page. What has a sentence of its own is said in it; whatever else a rule holds follows in the
document's own words, so that a reader never misses a term that the page has no sentence for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from contracts.curve import Curve
from contracts.document import (
    After,
    Base,
    Cap,
    Contract,
    EscalationLevel,
    EscalationRule,
    Kpi,
    Levels,
    LevelShare,
    Measure,
    Pay,
    Payment,
    ScopeOfWork,
    Within,
)
from contracts.errors import NotFound
from scorecards import formats
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.database import transaction
from vendor_mgmt.pages import queries
from vendor_mgmt.pages.queries import ConfirmedBy, ContractDetail, ContractRow
from vendor_mgmt.pages.rendering import WORDS, show


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A contract in the list."""

    code: str
    title: str
    address: str
    vendor: str
    in_force: str
    sites: str
    versions: str


class ListPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the list of contracts shows."""

    title: str
    contracts: list[Listed]


class ScopeLine(msgspec.Struct, frozen=True, kw_only=True):
    """What is done at a site."""

    site: str
    country: str
    workstream: str
    languages: str
    hours: str
    headcount: str
    more: list[str]


class KpiLine(msgspec.Struct, frozen=True, kw_only=True):
    """A promise."""

    title: str
    code: str
    clause: str
    is_critical: bool
    counted: str
    definition: str
    levels: list[str]
    score: str
    weight: str
    conditions: list[str]


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """A rule in a sentence, what it is, where it stands, and what else it says."""

    kind: str
    name: str
    clause: str
    sentence: str
    more: list[str]


class VersionLine(msgspec.Struct, frozen=True, kw_only=True):
    """An agreed version."""

    label: str
    address: str
    is_here: bool
    in_force: str
    agreed: str
    confirmed: str
    reason: str
    sha256: str


class ContractPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the page of one contract shows: one version, and which others there are."""

    code: str
    title: str
    vendor: str
    customer: str
    version: str
    in_force: str
    scope: list[ScopeLine]
    kpis: list[KpiLine]
    standings: list[Term]
    bases: list[Term]
    money: list[Term]
    escalation: list[Term]
    other: list[Term]
    measures: list[Term]
    versions: list[VersionLine]
    scorecards: str
    text: str


@get("/contracts", include_in_schema=False)
async def contracts(request: Request[Any, Any, Any], access: NamedDependency[Scope]) -> Response[str]:
    """The agreed contracts."""
    async with transaction(readonly=True) as connection:
        found = await queries.contract_list(connection, access)
    return show(request, "contracts.html", ListPage(title=WORDS("contracts.title"), contracts=[_listed(row) for row in found]))


def _listed(row: ContractRow) -> Listed:
    return Listed(
        code=row.code,
        title=row.title,
        address=f"/contracts/{row.code}",
        vendor=row.vendor_name,
        in_force=_span(row.in_force_from, row.in_force_until),
        sites=str(row.sites),
        versions=str(row.versions),
    )


@get("/contracts/{code:str}", include_in_schema=False)
async def contract(
    request: Request[Any, Any, Any], access: NamedDependency[Scope], code: FromPath[str], version: FromQuery[int | None] = None
) -> Response[str]:
    """One contract, in the version that holds last or the one asked for by its number."""
    async with transaction(readonly=True) as connection:
        detail = await queries.contract(connection, access, code)
    return show(request, "contract.html", compose(detail, version))


def compose(detail: ContractDetail, number: int | None) -> ContractPage:
    """The page, from what was read. Raises `NotFound` where no version of that number holds on any day."""
    held = [one for one in detail.held if number in (None, one.number)]
    if not held:
        raise NotFound(f"the contract {detail.row.code} has no version {number} that holds on any day")
    here = held[-1]
    document = here.document
    spans = {one.number: _span(one.in_force_from, one.in_force_until) for one in detail.held}
    address = f"/contracts/{detail.row.code}"
    return ContractPage(
        code=detail.row.code,
        title=document.title,
        vendor=detail.row.vendor_name,
        customer=document.customer or "",
        version=WORDS("contract.version", label=document.version),
        in_force=_span(here.in_force_from, here.in_force_until),
        scope=[_scope_line(scope) for scope in document.scope],
        kpis=[_kpi_line(code, kpi) for code, kpi in document.kpis.items()],
        standings=_standings(document),
        bases=[_base(name, base) for name, base in document.money.bases.items()],
        money=_money(document),
        escalation=_escalation(document),
        other=_other(document),
        measures=[_measure(name, measure) for name, measure in document.measures.items()],
        versions=[
            VersionLine(
                label=str(one.number),
                address=f"{address}?version={one.number}" if one.number in spans else "",
                is_here=one.number == here.number,
                in_force=spans.get(one.number, WORDS("page.none")),
                agreed=formats.short_day(one.agreed_at.date(), WORDS),
                confirmed="; ".join(_confirmed(word) for word in one.confirmed) or WORDS("page.none"),
                reason=one.reason or "",
                sha256=one.sha256,
            )
            for one in detail.agreed
        ],
        scorecards=f"/scorecards?vendor={detail.row.vendor}",
        text=next(one.text for one in detail.agreed if one.number == here.number),
    )


def _confirmed(word: ConfirmedBy) -> str:
    how = WORDS("contract.confirmed.signed") if word.is_signed else WORDS("contract.confirmed.said")
    return WORDS(f"contract.confirmed.{word.side}", day=formats.short_day(word.confirmed_on, WORDS), how=how)


def _span(from_on: date, until_on: date | None) -> str:
    """Documents count half-open; people read the last day that is inside."""
    if until_on is None:
        return WORDS("contract.from", first=formats.short_day(from_on, WORDS))
    last = until_on - timedelta(days=1)
    return WORDS("contract.from_to", first=formats.short_day(from_on, WORDS), last=formats.short_day(last, WORDS))


def _number(value: Decimal | int) -> str:
    return formats.number(Decimal(value), WORDS.language, most=6)


def _scope_line(scope: ScopeOfWork) -> ScopeLine:
    newest = {one.role: one for one in sorted(scope.headcount, key=lambda one: one.from_)}
    said = {"site", "name", "country", "workstream", "languages", "hours", "headcount"}
    return ScopeLine(
        site=scope.name or scope.site,
        country=scope.country or "",
        workstream=WORDS.spoken(scope.workstream or scope.service or ""),
        languages=", ".join(scope.languages),
        hours=WORDS.spoken(scope.hours or ""),
        headcount=", ".join(WORDS("contract.people", count=one.count, role=one.role) for one in newest.values()),
        more=rest_of(scope, said),
    )


# KPIs


def _kpi_line(code: str, kpi: Kpi) -> KpiLine:
    unit = formats.unit_sign(kpi.unit or ("percent" if kpi.value.ratio is not None else "number"), WORDS)
    boundary = kpi.boundary or ("at_most" if kpi.better == "lower" else "at_least")
    conditions = []
    if kpi.sample is not None and kpi.sample.at_least is not None:
        conditions.append(WORDS("contract.sample", n=_number(kpi.sample.at_least)))
    if kpi.completeness:
        conditions.append(WORDS("contract.completeness", percent=_number(kpi.completeness)))
    conditions.append(WORDS("contract.for_each", what=WORDS("word.and").join(kpi.for_each)))
    if kpi.no_volume is not None:
        conditions.append(WORDS(f"contract.no_volume_{kpi.no_volume}"))
    if kpi.sampled:
        conditions.append(WORDS("contract.sampled"))
    said = {"title", "clause", "definition", "value", "unit", "better", "boundary", "target", "levels", "for_each", "no_volume", "sampled"}
    said |= {"completeness", "score", "weight", "critical"}
    if kpi.sample is not None and set(_builtins(kpi.sample)) <= {"at_least", "otherwise"} and kpi.sample.otherwise == "not_measured":
        said.add("sample")
    return KpiLine(
        title=kpi.title,
        code=code,
        clause=kpi.clause or "",
        is_critical=kpi.critical,
        counted=in_words(_builtins(kpi.value)),
        definition=kpi.definition or "",
        levels=_levels(kpi, boundary, unit) or [WORDS("contract.no_target")],
        score=_curve(kpi.score) if kpi.score is not None else "",
        weight=_number(kpi.weight) if kpi.weight is not None else WORDS("contract.no_weight"),
        conditions=conditions + rest_of(kpi, said),
    )


def _levels(kpi: Kpi, boundary: str, unit: str) -> list[str]:
    sign = WORDS.get(f"boundary.{boundary}", boundary)

    def said(name: str, value: Decimal | LevelShare) -> str:
        if isinstance(value, LevelShare):
            shown = WORDS("contract.share_of", percent=_number(value.percent), of=value.of)
        else:
            shown = f"{_number(value)}{formats.THIN}{unit}" if unit else _number(value)
        return WORDS("contract.level", name=name, boundary=sign, value=shown)

    lines = [said("target", kpi.target)] if kpi.target is not None else []
    for one in kpi.levels:
        named = ", ".join(said(name, value) for name, value in one.at.items())
        lines.append(" ".join(filter(None, [named, _when_levels(one)])))
    return lines


def _when_levels(one: Levels) -> str:
    parts = []
    if one.from_ is not None and one.until is not None:
        parts.append(_span(one.from_, one.until))
    elif one.from_ is not None:
        parts.append(WORDS("contract.since", day=formats.short_day(one.from_, WORDS)))
    elif one.until is not None:
        parts.append(in_words({"until": one.until}))
    if one.where:
        parts.append(WORDS("contract.where", what=in_words(one.where)))
    parts += rest_of(one, {"from", "until", "where", "at"})
    return f"({', '.join(parts)})" if parts else ""


def _curve(curve: Curve, unit: str = "") -> str:
    """`0 at floor, 100 at target, 120 at stretch`; bands: `4 where at least floor and less than target`."""
    if curve.line is not None:
        shape = ", ".join(WORDS("contract.corner", amount=_number(corner.give) + unit, at=_mark(corner.at)) for corner in curve.line)
    elif curve.steps is not None:
        shape = "; ".join(
            WORDS(
                "contract.band",
                amount=_number(step.give) + unit if step.give is not None else step.name or "",
                band=step.words(),
            )
            for step in curve.steps
        )
    else:
        return in_words(_builtins(curve))
    return "; ".join([shape, *rest_of(curve, {"line", "steps"})])


def _mark(at: object) -> str:
    return _number(at) if isinstance(at, Decimal | int) else str(at)


# Money


def _money(document: Contract) -> list[Term]:
    money = document.money
    terms = [_payment(WORDS("pay.credit"), one, document) for one in money.credits]
    terms += [_payment(WORDS("pay.bonus"), one, document) for one in money.bonuses]
    terms += [_cap(one, document.currency) for one in money.caps]
    for back in money.earn_back:
        sentence = WORDS("pay.earn_back_rule", percent=_number(back.percent), periods=back.periods, level=back.level)
        terms.append(_term(WORDS("pay.earn_back"), back, sentence, {"percent", "periods", "level", "clause"}))
    step = formats.money(money.rounding.to, document.currency, WORDS.language)
    rounding = WORDS("pay.rounded", to=step, mode=WORDS.spoken(money.rounding.mode))
    if terms:
        terms.append(_term(WORDS("pay.rounding"), money.rounding, rounding, {"to", "mode"}))
        said = {"bases", "credits", "bonuses", "caps", "earn_back", "rounding"}
        terms += [
            Term(kind=WORDS.spoken(name), name="", clause="", sentence=in_words(value), more=[])
            for name, value in _builtins(money).items()
            if name not in said
        ]
    return terms


def _payment(kind: str, payment: Payment, document: Contract) -> Term:
    names = [payment.for_] if isinstance(payment.for_, str) else payment.for_ or []
    titles = [document.kpis[name].title if name in document.kpis else name for name in names]
    parts = [_pay(payment.pay, document.currency)] if payment.pay is not None else []
    if titles:
        parts.append(WORDS("pay.for", kpis=", ".join(titles)))
    if payment.for_each:
        parts.append(WORDS("pay.each", what=", ".join(payment.for_each)))
    said = {"name", "clause", "for", "for_each", "pay"}
    more = rest_of(payment, said)
    if payment.pay is not None:
        more = rest_of(payment.pay, {"percent", "amount", "of"}) + more
    return Term(kind=kind, name=payment.name or "", clause=payment.clause or "", sentence=" ".join(parts), more=more)


def _pay(pay: Pay, currency: str) -> str:
    if isinstance(pay.percent, Curve):
        return WORDS("pay.curve_of", curve=_curve(pay.percent, f"{formats.THIN}%"), of=pay.of or "")
    if pay.percent is not None:
        return WORDS("pay.percent_of", percent=_number(pay.percent), of=pay.of or "")
    if isinstance(pay.amount, Curve):
        return f"{currency} {_curve(pay.amount)}"
    return formats.money(pay.amount, currency, WORDS.language)


def _cap(cap: Cap, currency: str) -> Term:
    each = WORDS(f"each.{cap.each}") if cap.each is not None else ""
    if cap.percent is not None and each:
        sentence = WORDS("pay.cap_percent", percent=_number(cap.percent), of=cap.of or "", each=each)
    elif cap.amount is not None and each:
        sentence = WORDS("pay.cap_amount", amount=formats.money(cap.amount, currency, WORDS.language), each=each)
    else:
        return _term(WORDS("pay.cap"), cap, in_words(_builtins(cap)), set(_builtins(cap)))
    return _term(WORDS("pay.cap"), cap, sentence, {"name", "each", "percent", "of", "amount", "clause"})


def _base(name: str, base: Base) -> Term:
    return Term(kind="", name=name, clause="", sentence=in_words(_builtins(base)), more=[])


def _term(kind: str, part: msgspec.Struct, sentence: str, said: set[str]) -> Term:
    name, clause = getattr(part, "name", None), getattr(part, "clause", None)
    return Term(kind=kind, name=name or "", clause=clause or "", sentence=sentence, more=rest_of(part, said | {"name"}))


# Standings, escalation, the rest


def _standings(document: Contract) -> list[Term]:
    return [
        Term(
            kind="",
            name=one.name,
            clause="",
            sentence=WORDS("contract.standing_below")
            if one.at_least is None
            else WORDS("contract.standing_from", score=_number(one.at_least)),
            more=[one.consequence] if one.consequence else [],
        )
        for one in document.scoring.standings
    ]


def _escalation(document: Contract) -> list[Term]:
    return [_rule(rule) for rule in document.escalation.rules] + [_level(level) for level in document.escalation.levels]


def _rule(rule: EscalationRule) -> Term:
    on = rule.on
    if on.no_data is not None:
        sentence = WORDS("escalation.no_data", n=on.no_data)
    elif on.last == 1:
        sentence = WORDS("escalation.missed_once", level=on.missed)
    else:
        sentence = WORDS("escalation.missed", level=on.missed, n=on.at_least, last=on.last)
    if on.kpi is not None:
        sentence = f"{sentence} ({on.kpi})"
    more = [WORDS.count("escalation.cleared", rule.clear.good, level=rule.clear.level)]
    more += rest_of(rule.clear, {"good", "level"})
    more += rest_of(rule, {"name", "on", "clear", "severity", "clause"})
    return Term(kind=WORDS(f"severity.{rule.severity}"), name=rule.name, clause=rule.clause or "", sentence=sentence, more=more)


def _level(level: EscalationLevel) -> Term:
    to = ", ".join(WORDS.spoken(role.replace(".", " ")) for role in level.to)
    more = []
    if level.after is not None:
        more.append(WORDS("escalation.after", time=_business_time(level.after), unless=WORDS.spoken(level.after.unless).lower()))
    if level.acknowledge_within is not None:
        more.append(WORDS("escalation.acknowledge", time=_business_time(level.acknowledge_within)))
    if level.plan_within is not None:
        more.append(WORDS("escalation.plan", time=_business_time(level.plan_within)))
    more += rest_of(level, {"level", "to", "after", "acknowledge_within", "plan_within"})
    return Term(kind=WORDS("level", level=level.level), name="", clause="", sentence=WORDS("contract.calls", to=to), more=more)


def _business_time(span: After | Within) -> str:
    parts = [WORDS.count("span.business_days", span.days)] if span.days else []
    parts += [WORDS.count("span.business_hours", span.hours)] if span.hours else []
    return " ".join(parts) or WORDS("span.at_once")


_SHOWN_ELSEWHERE = frozenset(
    {"contract", "title", "vendor", "vendor_name", "customer", "version", "in_force", "scope", "kpis", "money", "measures", "examples"}
)
_SHOWN_IN_PART = {"escalation": ("rules", "levels"), "scoring": ("standings",)}


def _other(document: Contract) -> list[Term]:
    """Every part of the document that has no section of its own on the page, in the document's words."""
    terms = []
    for name, value in _builtins(document).items():
        if name in _SHOWN_ELSEWHERE:
            continue
        told = _SHOWN_IN_PART.get(name, ())
        rest = {key: part for key, part in value.items() if key not in told} if isinstance(value, dict) else value
        parts = rest if isinstance(rest, list) and isinstance(rest[0], dict) else [rest]
        lines = [line for part in parts if (line := in_words(part))]
        if lines:
            terms.append(Term(kind="", name=WORDS.spoken(name), clause="", sentence=lines[0], more=lines[1:]))
    return terms


def _measure(name: str, measure: Measure) -> Term:
    return Term(kind="", name=name, clause="", sentence=measure.title or "", more=rest_of(measure, {"title"}))


# The document's own words


def _builtins(part: msgspec.Struct) -> dict[str, Any]:
    """What a part says beyond its defaults, under the names of the document."""
    plain: dict[str, Any] = msgspec.to_builtins(part, builtin_types=(Decimal, date))
    return {name: value for name, value in plain.items() if value not in (None, [], {})}


def rest_of(part: msgspec.Struct, said: Iterable[str]) -> list[str]:
    """What a part says besides the fields that a sentence has already told."""
    told = set(said)
    return [in_words({name: value}) for name, value in _builtins(part).items() if name not in told]


def in_words(value: object) -> str:
    """A piece of a document as a phrase: `unless acknowledged, days 3`."""
    if isinstance(value, Mapping):
        return ", ".join(f"{_name(str(name))} {_nested(part)}" for name, part in value.items() if part not in (None, [], {}))
    if isinstance(value, list | tuple):
        return ", ".join(_nested(part) for part in value)
    if isinstance(value, bool):
        return WORDS("word.yes" if value else "word.no")
    if isinstance(value, Decimal | int):
        return _number(value)
    if isinstance(value, date):
        return formats.short_day(value, WORDS)
    return str(value)


def _nested(value: object) -> str:
    text = in_words(value)
    return f"({text})" if isinstance(value, Mapping) and len(value) > 1 else text


def _name(name: str) -> str:
    return name.replace("_", " ")
