"""What a close hands to the escalation rules: the contract's rules and levels as parameters, its results as series."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from contracts import agreements
from contracts import queries as contract_queries
from contracts.business_time import Calendar, Clock, Conventions, clock
from contracts.document import Contract, Kpi
from contracts.errors import NotFound
from contracts.reading import read, write
from scorecards.measurement import exact_number
from scorecards.scorecard import TicketNote
from scorecards.scoring import is_met
from vendor_mgmt.access import actors
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.escalations import of_contract, queries, trying
from vendor_mgmt.escalations.rules import Observation, Series
from vendor_mgmt.escalations.tickets import Calendars

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]

PERIODS_WATCHED = 24
"""How far back a condition is followed; longer than any window a rule of the language can ask for in months."""

VENDOR_TOLD_AFTER_DAYS = 5
"""Business days after which the vendor is told although the scorecard is still a draft."""


async def business_calendar(connection: Connection, contract: Contract, at: datetime) -> tuple[str, Clock]:
    """The calendar the contract's clocks run in; Monday to Friday, nine to five in its zone, where it names none."""
    code = contract.escalation.calendar or f"office-hours-{contract.time_zone.lower().replace('/', '-')}"
    if contract.escalation.calendar is None:
        default = of_contract.office_hours(code, contract.time_zone)
        stored = await contract_queries.save_calendar(
            connection,
            code,
            document=msgspec.json.encode(default),
            text=write(default).decode(),
            entered_by=await actors.service(connection),
            now=at,
        )
    else:
        stored = await contract_queries.calendar(connection, code)
    return code, _clock(stored.text, contract.conventions)


@functools.lru_cache(maxsize=256)
def _clock(text: str, conventions: Conventions) -> Clock:
    """The clock of a calendar's text, which is never changed: one that remembers which days it has worked out."""
    return clock(read(text, Calendar).required(), conventions)


async def watch(
    connection: Connection,
    *,
    contract: Contract,
    code: str,
    vendor: str,
    contract_ids: Sequence[int],
    held_for: Mapping[str, str],
    at: datetime,
) -> list[queries.Watched]:
    """The series of a contract, all periods that were ever closed, with the rules it is held against.

    Closing an old period again therefore looks at what came after it too.  ``held_for`` are the drafts, by site, that a
    person has yet to review: the vendor hears of the ticket then.
    """
    rules = of_contract.rules_of(contract.escalation)
    if not rules:
        return []
    calendar, working = await business_calendar(connection, contract, at)
    policy = of_contract.policy_of(contract.escalation, calendar=calendar, conventions=contract.conventions)
    clocks = Calendars(vendor=working, client=working)
    told_from = working.add_days(at, VENDOR_TOLD_AFTER_DAYS)
    return [
        queries.Watched(
            series=one,
            rules=rules,
            policy=policy,
            calendars=clocks,
            held_for=held_for.get(one.site),
            vendor_messages_from=told_from if one.site in held_for else None,
        )
        for one in await _series(connection, contract, code, vendor, contract_ids)
    ]


async def _series(
    connection: Connection, contract: Contract, code: str, vendor: str, contract_ids: Sequence[int]
) -> list[Series]:
    found: dict[tuple[str, str, str], list[Observation]] = {}
    # A rule that looks at the target or at missing data can only speak of series that missed or lacked something, or
    # have a ticket; a rule on another level needs them all.
    levels = {rule.on.missed for rule in contract.escalation.rules if rule.on.no_data is None}
    statement = _OBSERVED.format(only=_TROUBLED if levels <= {"target"} else "")
    for row in await connection.fetch(statement, list(contract_ids), PERIODS_WATCHED):
        kpi = contract.kpis.get(row["kpi"])
        if kpi is None or kpi.duty_of == "client":
            continue
        key = (row["site"] or "", row["kpi"], row["dims_key"])
        found.setdefault(key, []).append(_observation(row, kpi))
    return [
        Series(
            vendor=vendor,
            contract=code,
            site=site,
            kpi=kpi_name,
            observations=tuple(observations),
            dimensions=_DIMENSIONS.decode(dims_key),
        )
        for (site, kpi_name, dims_key), observations in found.items()
    ]


_DIMENSIONS = msgspec.json.Decoder(dict[str, str])
_LEVELS = msgspec.json.Decoder(dict[str, Decimal])

_OBSERVED = """
    WITH periods AS (
        SELECT DISTINCT period_from FROM scorecard WHERE contract = ANY ($1)
        ORDER BY period_from DESC LIMIT $2
    ), latest AS (
        SELECT DISTINCT ON (r.scorecard) r.id AS revision, s.site
        FROM scorecard s JOIN revision r ON r.scorecard = s.id
        WHERE s.contract = ANY ($1) AND s.period_from IN (SELECT period_from FROM periods)
        ORDER BY r.scorecard, r.number DESC
    )
    SELECT site.code AS site, x.kpi, x.dims_key, x.period_from, x.period_until, x.status, x.numerator, x.denominator,
           x.value, x.met, x.levels
    FROM latest JOIN result x ON x.revision = latest.revision LEFT JOIN site ON site.id = latest.site
    {only}
    ORDER BY x.period_from, x.id
"""

_TROUBLED = """
    WHERE (latest.site, x.kpi, x.dims_key) IN (
        SELECT l.site, y.kpi, y.dims_key FROM latest l JOIN result y ON y.revision = l.revision
        WHERE y.met IS NOT TRUE
    ) OR EXISTS (
        SELECT FROM ticket t WHERE t.lineage = (SELECT lineage FROM contract WHERE id = ($1::int[])[1])
           AND t.site IS NOT DISTINCT FROM latest.site AND t.kpi = x.kpi
    )
"""


def _observation(row: Mapping[str, Any], kpi: Kpi) -> Observation:
    met: dict[str, bool] = {}
    value = _exact(row, kpi)
    if value is not None:
        levels = _levels(row["levels"])
        for name in levels:
            if name == "target" and row["met"] is not None:
                continue
            verdict = is_met(kpi, value, levels, name)
            if verdict is not None:
                met[name] = verdict
    if row["met"] is not None:
        met["target"] = row["met"]
    return Observation(
        from_=row["period_from"],
        until=row["period_until"],
        status=row["status"],
        met=met,
        value=row["value"],
        counts=(row["numerator"], row["denominator"]),
    )


@functools.lru_cache(maxsize=4096)
def _levels(text: str) -> Mapping[str, Fraction]:
    """Stored levels; the same few texts stand beside thousands of results."""
    return {name: Fraction(number) for name, number in _LEVELS.decode(text).items()}


def _exact(row: Mapping[str, Any], kpi: Kpi) -> Fraction | None:
    """The value that met or missed, from the counts where there are any."""
    if row["status"] != "measured" or row["value"] is None:
        return None
    if row["numerator"] is not None and row["denominator"] and kpi.value.ratio is not None and kpi.precision is None:
        return Fraction(100 * exact_number(row["numerator"]), exact_number(row["denominator"]))
    return Fraction(row["value"])


async def raise_tickets(
    connection: Connection,
    *,
    contract: Contract,
    code: str,
    vendor: str,
    contract_ids: Sequence[int],
    drafts: Mapping[str, str],
    at: datetime,
) -> queries.Raised:
    """Opens, continues and closes tickets after a close, in the close's own transaction."""
    watched = await watch(
        connection,
        contract=contract,
        code=code,
        vendor=vendor,
        contract_ids=contract_ids,
        held_for=drafts,
        at=at,
    )
    return await queries.raise_tickets(connection, watched, at=at)


CLOSED_AFTER = timedelta(days=5)
"""When a past month is taken to have been closed, where rules are tried on it."""


async def tried(connection: Connection, code: str, *, draft: Contract | None, since: date, at: datetime) -> trying.Tried:
    """What a contract's rules, or a draft's, would have caused in the closed months since a day.  Stores nothing.

    Raises :class:`NotFound`.
    """
    row = await agreements.contract(connection, code)
    agreed = await agreements.versions(connection, row.lineage)
    if not agreed:
        msg = f"no version of {code} is in force"
        raise NotFound(msg, "Agree one first.")
    contract = agreed[-1].document
    if draft is not None:
        contract = msgspec.structs.replace(contract, escalation=draft.escalation)
    calendar = contract.escalation.calendar
    if calendar is None:
        own = of_contract.office_hours("office-hours", contract.time_zone)
        working = clock(own, contract.conventions)
    else:
        stored = await contract_queries.calendar(connection, calendar)
        working = _clock(stored.text, contract.conventions)
    ids = sorted({one.contract_id for one in agreed})
    series = [
        msgspec.structs.replace(one, observations=tuple(each for each in one.observations if each.from_ >= since))
        for one in await _series(connection, contract, row.lineage_code, row.vendor, ids)
    ]
    ends = await connection.fetch(_CLOSED, ids, since)
    zone = ZoneInfo(contract.time_zone)
    closes = [
        trying.Close(until_on=one["until_on"], at=datetime.combine(one["until_on"], time(6), zone) + CLOSED_AFTER) for one in ends
    ]
    return trying.try_rules(
        series,
        of_contract.rules_of(contract.escalation),
        of_contract.policy_of(contract.escalation, calendar=working.calendar.id, conventions=contract.conventions),
        Calendars(vendor=working, client=working),
        closes,
        at,
    )


_CLOSED = """
    SELECT DISTINCT period_until AS until_on FROM scorecard WHERE contract = ANY ($1) AND period_from >= $2 ORDER BY period_until
"""


async def notes(connection: Connection, vendor: str, contract: str) -> dict[str | None, list[TicketNote]]:
    """The open tickets of a contract by site, as a scorecard mentions them."""
    scope = Scope.everything(await actors.service(connection))
    found: dict[str | None, list[TicketNote]] = {}
    for row in await queries.listed(connection, scope, vendor=vendor, limit=10_000):
        if row.contract != contract:
            continue
        found.setdefault(row.site, []).append(
            TicketNote(
                number=row.number,
                title=f"{row.kpi}: {row.rule}",
                level=row.level,
                state=row.state,
                opened_on=row.opened_at.date(),
                due_at=row.next_due_at,
                kpi=row.kpi,
                dimensions=row.dimensions,
                rule=row.rule,
                recovered=row.has_recovered,
            )
        )
    return found


__all__ = ["business_calendar", "notes", "raise_tickets", "tried", "watch"]
