"""Whether an amendment keeps to what the contract says of amendments: notice in time, and not too often.

Both sides may agree to a change all the same; that is why a breach is told to whoever agrees it, and stops nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from contracts.document import AmendmentTerms, Changed, Contract, Kpi
from contracts.explaining import day_in_words, listed
from contracts.period import add_months


def breaches(earlier: Sequence[Contract], new: Contract) -> list[str]:
    """Sentences about every rule of amendments that the new version breaks.

    ``earlier`` are the versions that held before, oldest first; the rules are those of the last of them.
    """
    if not earlier:
        return []
    before = earlier[-1]
    told: list[str] = []
    for terms in before.amendments:
        changed = [part for part in terms.of if _differs(part, before, new)]
        if not changed:
            continue
        what = f"It changes {listed(part.replace('_', ' ') for part in changed)}{f' ({terms.clause})' if terms.clause else ''}"
        told += _notice(terms, new, what)
        told += _too_often(terms, changed, earlier, new, what)
    return told


def _notice(terms: AmendmentTerms, new: Contract, what: str) -> list[str]:
    if terms.notice_days is None:
        return []
    starts = new.in_force.from_
    needed = starts - timedelta(days=terms.notice_days)
    if new.announced_on is None:
        return [f"{what}, which takes {terms.notice_days} days of notice, and it does not say when it was announced: write announced_on."]
    if new.announced_on > needed:
        given = (starts - new.announced_on).days
        return [
            f"{what}, which takes {terms.notice_days} days of notice: it was announced on {day_in_words(new.announced_on)}, {given} days "
            f"before it begins. With notice in time it would begin on {day_in_words(new.announced_on + timedelta(days=terms.notice_days))}."
        ]
    return []


def _too_often(
    terms: AmendmentTerms, changed: Sequence[Changed], earlier: Sequence[Contract], new: Contract, what: str
) -> list[str]:
    if terms.once_in_months is None:
        return []
    told = []
    for old, later in itertools.pairwise(earlier):
        on = later.in_force.from_
        free = add_months(on, terms.once_in_months)
        if new.in_force.from_ < free and any(_differs(part, old, later) for part in changed):
            told.append(
                f"{what}, which may be done once in {terms.once_in_months} months: version {later.version} did so on "
                f"{day_in_words(on)}, and {day_in_words(free)} is the first day for the next."
            )
    return told[-1:]


def _differs(part: Changed, old: Contract, new: Contract) -> bool:
    return bool(_PARTS[part](old) != _PARTS[part](new))


def _of_kpis(take: Callable[[Kpi], Any]) -> Callable[[Contract], Any]:
    return lambda contract: {name: take(kpi) for name, kpi in contract.kpis.items()}


def _allocation(contract: Contract) -> Any:
    shares = {name: (base.percent, base.of) for name, base in contract.money.bases.items() if base.percent is not None}
    return shares, [(rule.name, rule.for_, rule.pay) for rule in contract.money.credits]


_PARTS: dict[Changed, Callable[[Contract], Any]] = {
    "kpis": _of_kpis(lambda kpi: (kpi.title, kpi.value, kpi.for_each, kpi.where)),
    "levels": _of_kpis(lambda kpi: (kpi.target, kpi.levels, kpi.bands, kpi.boundary)),
    "weights": _of_kpis(lambda kpi: kpi.weight),
    "allocation": _allocation,
    "money": lambda contract: contract.money,
    "calendars": lambda contract: (contract.calendars, [work.hours for work in contract.scope]),
    "scope": lambda contract: contract.scope,
    "escalation": lambda contract: contract.escalation,
}
