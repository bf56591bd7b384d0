"""What a contract asks its feeds to deliver, so that a feed which fell silent is told from one that was never wanted.

A contract's scope says which workstream is done at which site, in which languages; its KPIs say which measures are counted there.
What is expected follows from the two, and from nothing that happened to be delivered: a row that never came cannot be found by
looking at rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from contracts.document import Contract, Kpi, ScopeOfWork
from scorecards.measuring import measures_of

WORKSTREAM = "workstream"
LANGUAGE = "language"


def part_of(dimensions: Mapping[str, str]) -> str:
    """The workstream that a series belongs to; empty where it is about the whole site."""
    return dimensions.get(WORKSTREAM, "")


class Asked:
    """What one version of a contract asks for, looked up by site."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._covered: dict[tuple[str, str | None, str | None, date, date], bool] = {}
        self._scopes: dict[str, list[ScopeOfWork]] = {}
        for scope in contract.scope:
            self._scopes.setdefault(scope.site, []).append(scope)
        # What the client has to deliver, and what is counted from single events, is not asked for day by day.
        self._measures = {name for name, one in contract.measures.items() if one.duty_of != "client" and one.events is None}
        self._counted = [
            (kpi, [measure for measure in measures_of(kpi) if measure in self._measures])
            for kpi in contract.kpis.values()
            if kpi.duty_of != "client"
        ]

    def is_asked(self, measure: str, site: str, dimensions: Mapping[str, str], from_on: date, until_on: date) -> bool:
        """Whether the contract asks the vendor for a series in some of the half-open span."""
        if measure not in self._measures:
            return False
        # Every measure of a workstream is asked for alike, and there are dozens of them.
        place = (site, dimensions.get(WORKSTREAM), dimensions.get(LANGUAGE), from_on, until_on)
        if place not in self._covered:
            self._covered[place] = any(
                _covers(scope, dimensions) and _runs(self._contract, scope, from_on, until_on) for scope in self._scopes.get(site, ())
            )
        return self._covered[place]

    def measures(self, site: str, from_on: date, until_on: date) -> dict[str, list[str]]:
        """The measures that KPIs count at a site in some of the span, by workstream; under the empty one where the scope names none."""
        found: dict[str, list[str]] = {}
        for scope in self._scopes.get(site, ()):
            if _runs(self._contract, scope, from_on, until_on):
                part = scope.workstream or ""
                wanted = [measure for kpi, measures in self._counted if _is_counted(kpi, site, part) for measure in measures]
                found[part] = list(dict.fromkeys([*found.get(part, []), *wanted]))
        return found


def _covers(scope: ScopeOfWork, dimensions: Mapping[str, str]) -> bool:
    part, language = dimensions.get(WORKSTREAM), dimensions.get(LANGUAGE)
    return (part is None or scope.workstream is None or part == scope.workstream) and (
        language is None or not scope.languages or language in scope.languages
    )


def _runs(contract: Contract, scope: ScopeOfWork, from_on: date, until_on: date) -> bool:
    first, end = scope.from_ or contract.in_force.from_, scope.until or contract.in_force.until
    return first < until_on and (end is None or from_on < end)


def _is_counted(kpi: Kpi, site: str, part: str) -> bool:
    """Whether a KPI's filter lets a workstream through; a filter by anything else is left to what comes."""
    for name, have in (("site", site), (WORKSTREAM, part)):
        wanted = kpi.where.get(name)
        if wanted is not None and have and (have != wanted if isinstance(wanted, str) else have not in wanted):
            return False
    return True
