"""What agreeing a version would do, in plain words, before anybody agrees it.

Rules only: they take what holds, what would hold, and the documents, and give sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contracts.amendment_terms import breaches
from contracts.document import Contract
from contracts.explaining import day_in_words
from contracts.period import period_containing
from contracts.versions import Effect, Held
from scorecards.evaluating import Version, plan_periods


def consequences(effect: Effect, documents: Mapping[int, Contract], new: Contract) -> list[str]:
    """Sentences about what no longer holds as it did, days that nothing covers, and the period that the new version begins in.

    `documents` are those of the versions that held, by version id.
    """
    told: list[str] = []
    left = {one.version: one for one in effect.left}
    for one in effect.ended:
        name = f"Version {one.number} of {one.contract}"
        rest = left.get(one.version)
        if rest is None:
            told.append(f"{name}, agreed for {_span(one)}, no longer holds on any day.")
        else:
            told.append(f"{name} holds until {day_in_words(effect.new.from_)} (not included) instead of {_until(one)}.")
    if effect.shortened is not None:
        before, after = effect.shortened
        end = "without end" if before is None else f"until {day_in_words(before)}"
        told.append(f"The contract ends earlier: it was agreed {end}, and now ends on {day_in_words(after)} (not included).")
    if effect.gap is not None:
        told.append(f"From {day_in_words(effect.gap[0])} until {day_in_words(effect.gap[1])} (not included) nothing is in force.")
    was = sorted([*effect.kept, *effect.ended], key=lambda one: one.from_)
    earlier = [documents[one.version] for one in was if one.from_ <= effect.new.from_]
    return [*told, *breaches(earlier, new), *_period_in_parts(effect, documents, new)]


def _period_in_parts(effect: Effect, documents: Mapping[int, Contract], new: Contract) -> list[str]:
    """How the period is judged in which the new version begins, where it begins inside one."""
    before = next((one for one in effect.left if one.until == effect.new.from_), None)
    if before is None:
        return []
    old = documents[before.version]
    cadence = old.measured
    whole = period_containing(cadence.each, cadence.anchor, effect.new.from_)
    if whole.from_on == effect.new.from_:
        return []
    versions = [Version(documents[one.version], one.from_, one.until) for one in [*effect.kept, *effect.left]]
    planned = [
        one for one in plan_periods([*versions, Version(new, effect.new.from_, effect.new.until)], whole.until_on) if one.whole == whole
    ]
    head = f"The {cadence.each} from {day_in_words(whole.from_on)} to {day_in_words(whole.last_on)}"
    policy = f"measured.amended: {cadence.amended}"
    if len(planned) == 1:
        judge = "the new version" if planned[0].version.contract is new else f"version {before.number}"
        return [f"{head} is judged whole by {judge}, as the text in force says ({policy})."]
    days = (whole.until_on - whole.from_on).days
    parts = []
    for one in planned:
        judge = "the new version" if one.version.contract is new else f"version {one.version.contract.version}"
        parts.append(f"{(one.period.until_on - one.period.from_on).days} of {days} days by {judge}")
    return [f"{head} is judged in parts ({policy}): {_listed(parts)}; bases that are fixed for a period are shared by these days."]


def _span(one: Held) -> str:
    return f"{day_in_words(one.from_)} {'without end' if one.until is None else f'until {day_in_words(one.until)}'}"


def _until(one: Held) -> str:
    return "without end" if one.until is None else f"until {day_in_words(one.until)}"


def _listed(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)
