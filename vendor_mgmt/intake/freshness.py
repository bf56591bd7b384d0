"""Which feeds fell silent: for each source, site and workstream the newest day, against what the contract's scope asks for.

A site is as fresh as its stalest workstream: one that delivers every night must not hide another of which nothing came for weeks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

import msgspec

from contracts.document import Contract
from scorecards.feeds import Asked

SPAN: Mapping[str, timedelta] = {
    "week": timedelta(days=7),
    "month": timedelta(days=31),
    "quarter": timedelta(days=92),
    "year": timedelta(days=366),
}
"""How long a span of a grain lasts at most; everything else lasts a day."""

GRACE: Mapping[str, timedelta] = {
    "week": timedelta(days=4),
    "month": timedelta(days=15),
    "quarter": timedelta(days=30),
    "year": timedelta(days=60),
}
"""How long after its end a span may still be on its way. Of days two: a weekend is not worth a question."""

_DAY, _TWO_DAYS = timedelta(days=1), timedelta(days=2)


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """How far some measures of a site's workstream and language reach, and which source brought the newest of them."""

    site: str
    part: str
    """The workstream; empty where the series are about the whole site."""
    language: str | None
    measures: list[str]
    grain: str
    newest_on: date
    """First day of the newest span that has a value."""
    source: str | None
    """The code of the source; none where somebody typed the figures in."""


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Measures of a workstream that the contract asks for and that do not come any more."""

    site: str
    part: str
    measures: list[str]
    newest_on: date | None
    """First day of the newest span that has a value; none where nothing ever came."""
    source: str | None


def is_late(grain: str, newest_on: date, today: date) -> bool:
    """Whether the span after the newest one is over for so long that it should have come."""
    return today >= newest_on + 2 * SPAN.get(grain, _DAY) + GRACE.get(grain, _TWO_DAYS)


def silences(reaches: Iterable[Reach], contracts: Iterable[Contract], today: date) -> list[Silence]:
    """What the contracts ask for today and no source brings any more, by site and workstream, the oldest silence first."""
    by_site: dict[str, list[Reach]] = {}
    for reach in reaches:
        by_site.setdefault(reach.site, []).append(reach)
    found: dict[tuple[str, str, date | None, str | None], list[str]] = {}
    tomorrow = today + _DAY
    for contract in contracts:
        asked = Asked(contract)
        for site in dict.fromkeys(scope.site for scope in contract.scope):
            known = by_site.get(site, ())
            for reach in known:
                if is_late(reach.grain, reach.newest_on, today):
                    wanted = [one for one in reach.measures if asked.is_asked(one, site, _dimensions(reach), today, tomorrow)]
                    found.setdefault((site, reach.part, reach.newest_on, reach.source), []).extend(wanted)
            came = {(reach.part, measure) for reach in known for measure in reach.measures}
            for part, measures in asked.measures(site, today, tomorrow).items():
                never = [measure for measure in measures if (part, measure) not in came and ("", measure) not in came]
                found.setdefault((site, part, None, None), []).extend(never)
    silent = [
        Silence(site=site, part=part, measures=sorted(set(measures)), newest_on=newest_on, source=source)
        for (site, part, newest_on, source), measures in found.items()
        if measures
    ]
    return sorted(silent, key=lambda one: (one.site, one.newest_on or date.min, one.part, one.source or ""))


def _dimensions(reach: Reach) -> dict[str, str]:
    named = {"workstream": reach.part, "language": reach.language}
    return {name: value for name, value in named.items() if value}


def newest(reaches: Sequence[Reach]) -> dict[str, date]:
    """The newest day of each site, of whatever workstream."""
    found: dict[str, date] = {}
    for reach in reaches:
        found[reach.site] = max(found.get(reach.site, reach.newest_on), reach.newest_on)
    return found
