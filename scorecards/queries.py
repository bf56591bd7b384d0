"""Every statement about scorecards: the tallies a period is judged on, earlier results, saving, reading back.

Saving runs inside the caller's transaction, together with what else the close writes; nothing here begins one.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from contracts.document import Contract
from contracts.period import Period
from scorecards import comparing, feeds, measurement_queries, revising
from scorecards.evaluating import Planned
from scorecards.looking_back import measures_of_bases
from scorecards.measurement import EMPTY, Facts, Relief, Scope, Series, Span, Tally, exact_number
from scorecards.measuring import needs_spans, plan_of, spans_expected
from scorecards.pricing.ledger import Memory, Note, Payable
from scorecards.scorecard import KpiResult, Scorecard, TicketNote, TrendPoint, exact, result_key, to_json
from scorecards.series import canonical

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]


class Arrival(msgspec.Struct, kw_only=True):
    """What came of one measure of one workstream at a site in a period: rows, values, how many late, and when the newest was learned."""

    rows: int = 0
    values: int = 0
    expected: int | None = None
    """How many values the contract asks for; ``None`` where it asks for none."""
    late: int = 0
    as_of: datetime | None = None
    newest_on: date | None = None
    """First day of the newest span that has a value."""


Arrivals = dict[tuple[int, str, str], Arrival]
"""By site, measure and workstream (empty: the whole site)."""


def _note_arrivals(
    arrivals: Arrivals,
    contract: Contract,
    period: Period,
    stored: Sequence[measurement_queries.Series],
    sites: Mapping[int, str],
    came: Mapping[int, Sequence[measurement_queries.SeriesSum]],
) -> None:
    """Adds up what came of each series in a period, and what the contract asked for, also where nothing came."""
    asked = feeds.Asked(contract)
    grains = {one.measure: came[one.id][0].grain for one in stored if one.id in came}
    newest_of: dict[int, date] = {}
    """By the days that came, of which there are few patterns."""
    for one in stored:
        sums = came.get(one.id, ())
        is_asked = asked.is_asked(one.measure, sites[one.site], one.dimensions, period.from_on, period.until_on)
        if not sums and not is_asked:
            continue
        key = (one.site, one.measure, feeds.part_of(one.dimensions))
        arrival = arrivals.get(key)
        if arrival is None:
            arrival = arrivals[key] = Arrival()
        for found in sums:
            arrival.rows += found.rows
            arrival.values += found.values
            arrival.late += found.late
            if found.known_at is not None and (arrival.as_of is None or found.known_at > arrival.as_of):
                arrival.as_of = found.known_at
            if found.values:
                newest = newest_of.get(found.days)
                if newest is None:
                    newest = date.fromordinal(period.from_on.toordinal() + max(found.days.bit_length() - 1, 0))
                    newest_of[found.days] = newest
                arrival.newest_on = max(arrival.newest_on or newest, newest)
        if is_asked:
            # Of a state the last one of the period is enough.
            spans = 1 if contract.measures[one.measure].snapshot else spans_expected(period, grains.get(one.measure, "day"))
            arrival.expected = (arrival.expected or 0) + spans
    for number, site in sites.items():
        for part, measures in asked.measures(site, period.from_on, period.until_on).items():
            for measure in measures:
                # What was never delivered at all has no series that could be missed.
                if (number, measure, part) not in arrivals and (number, measure, "") not in arrivals:
                    arrivals[number, measure, part] = Arrival(expected=spans_expected(period, grains.get(measure, "day")))


async def facts_of(
    connection: Connection,
    contract: Contract,
    sites: Mapping[int, str],
    planned: Sequence[Planned],
    relief: Sequence[Relief] = (),
    *,
    as_of: datetime | None = None,
    arrivals: Arrivals | None = None,
) -> Facts:
    """What the planned periods are judged on, for the sites (id → code) and the measures the contract declares.

    Sums are made by the database; rows are read only where spans may not pair, where relief takes some out, or where
    the last value is wanted.  ``arrivals``, where given, is filled with what was asked for and what came, and when.
    """
    stored = await measurement_queries.series_of(connection, sites=sites, measures=contract.measures)
    by_id = _series_by_id(stored, sites)
    ids = {series: number for number, series in by_id.items()}
    facts = Facts({series: {} for series in by_id.values()})
    for one in planned:
        period = one.period
        came: dict[int, list[measurement_queries.SeriesSum]] = {}
        for found in await measurement_queries.sums(
            connection, period.from_on, period.until_on, series=list(by_id), as_of=as_of
        ):
            series = by_id[found.series]
            held = facts.tallies[series]
            came.setdefault(found.series, []).append(found)
            held[period.from_on] = _tally(found, held.get(period.from_on))
        if arrivals is not None:
            _note_arrivals(arrivals, one.version.contract, period, stored, sites, came)
        wanted: set[Series] = set()
        for name, kpi in one.version.contract.kpis.items():
            wanted |= needs_spans(plan_of(name, kpi, facts, one.version.contract), period, facts, relief)
        # Of a state, the last is wanted wherever it is counted.
        states = {name for name, measure in one.version.contract.measures.items() if measure.snapshot}
        wanted |= {series for series, held in facts.tallies.items() if series.measure in states and period.from_on in held}
        if wanted:
            await _load_spans(connection, facts, {ids[series]: series for series in wanted}, period, as_of)
    return facts


async def money_of(
    connection: Connection, contract: Contract, sites: Mapping[int, str], planned: Sequence[Planned]
) -> Facts:
    """The money measures of earlier periods, for limits and rights that run over several of them."""
    stored = await measurement_queries.series_of(connection, sites=sites, measures=sorted(measures_of_bases(contract)))
    by_id = _series_by_id(stored, sites)
    facts = Facts({series: {} for series in by_id.values()})
    for one in planned:
        period = one.period
        for found in await measurement_queries.sums(connection, period.from_on, period.until_on, series=list(by_id)):
            series = by_id[found.series]
            facts.tallies[series][period.from_on] = _tally(found, facts.tallies[series].get(period.from_on))
    return facts


def _series_by_id(stored: Sequence[measurement_queries.Series], sites: Mapping[int, str]) -> dict[int, Series]:
    scopes: dict[int, Scope] = {}
    """By the identity of the dimensions, which series of the same combination share."""
    found: dict[int, Series] = {}
    for one in stored:
        scope = scopes.get(id(one.dimensions))
        if scope is None:
            scope = scopes[id(one.dimensions)] = tuple(sorted(one.dimensions.items()))
        found[one.id] = Series(sites[one.site], one.measure, scope)
    return found


def _tally(found: measurement_queries.SeriesSum, earlier: Tally | None) -> Tally:
    # A mask of -1 asks for the spans: days pair by their mask, and one row a period needs none.
    mask = found.days if found.grain == "day" else 0 if found.rows == 1 else -1
    if earlier is not None:
        mask = -1
    total = exact_number(found.total) if found.total is not None else 0
    return Tally(
        total=total + (earlier.total if earlier else 0),
        present=found.values + (earlier.present if earlier else 0),
        missing=found.rows - found.values,
        grain=found.grain,
        mask=mask,
    )


async def _load_spans(
    connection: Connection, facts: Facts, wanted: Mapping[int, Series], period: Period, as_of: datetime | None
) -> None:
    spans: dict[int, dict[Span, Any]] = {number: {} for number in wanted}
    cases: dict[int, Any] = {}
    for row in await measurement_queries.rows(
        connection, list(wanted), period.from_on, period.until_on, as_of=as_of
    ):
        if row.value is None:
            continue
        part = row.starts_at.isoformat() if row.starts_at is not None else ""
        until = date.fromordinal(row.starts_on.toordinal() + 1) if row.grain == "day" else period.until_on
        spans[row.series][row.starts_on, until, part] = exact_number(row.value)
        if row.n is not None:
            cases[row.series] = cases.get(row.series, 0) + exact_number(row.n)
    for number, series in wanted.items():
        held = facts.tallies[series].get(period.from_on, EMPTY)
        own = spans[number]
        facts.tallies[series][period.from_on] = Tally(
            total=sum(own.values()),
            present=len(own),
            missing=held.missing,
            grain=held.grain,
            mask=held.mask,
            spans=own,
            last=own[max(own)] if own else None,
            n=cases.get(number),
        )


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """What an earlier period came to, as later ones look back at it."""

    period: Period
    version: str
    results: list[KpiResult]
    memory: Memory
    scorecard_from: date
    """The first day of the scorecard's period, of which this may be a part."""
    relieved: list[bool] = []
    """For each result, whether relief took part of it out."""


async def earlier_periods(
    connection: Connection, contracts: Sequence[int], before: date, most: int
) -> list[Earlier]:
    """The last ``most`` periods of the contracts (a lineage) that begin before the day, oldest first, each by its
    latest revision.
    """
    records = await connection.fetch(_EARLIER_RESULTS, list(contracts), before, most)
    paid = await connection.fetch(_EARLIER_PAYABLES, list(contracts), before, most)
    noted = await connection.fetch(_EARLIER_NOTES, list(contracts), before, most)
    found: dict[tuple[date, date], Earlier] = {}
    for row in records:
        key = (row["period_from"], row["period_until"])
        if key not in found:
            found[key] = Earlier(
                period=Period(*key), version=row["version"], results=[], memory=Memory(Period(*key)), scorecard_from=row["scorecard_from"]
            )
        found[key].results.append(result_of(row))
        found[key].relieved.append(row["is_relieved"])
    for row in (*paid, *noted):
        key = (row["part_from"], row["part_until"])
        if key not in found:
            found[key] = Earlier(
                period=Period(*key), version="", results=[], memory=Memory(Period(*key)), scorecard_from=row["scorecard_from"]
            )
        if "until" in row:
            found[key].memory.notes.append(note_of(row))
        elif row["kind"] != "earned_back":
            found[key].memory.payables.append(payable_of(row))
    return [found[key] for key in sorted(found)]


_LATEST = """
    WITH periods AS (
        SELECT DISTINCT period_from FROM scorecard WHERE contract = ANY ($1) AND period_from < $2
        ORDER BY period_from DESC LIMIT $3
    ), latest AS (
        SELECT DISTINCT ON (r.scorecard) r.id AS revision, s.site, s.period_from, s.period_until
        FROM scorecard s JOIN revision r ON r.scorecard = s.id
        WHERE s.contract = ANY ($1) AND s.period_from IN (SELECT period_from FROM periods)
        ORDER BY r.scorecard, r.number DESC
    )
"""

# Statements here are put together from constants of this module alone.
_EARLIER_RESULTS = (
    _LATEST  # noqa: S608
    + """
    SELECT x.*, site.code AS site_code, latest.period_from AS scorecard_from
    FROM latest JOIN result x ON x.revision = latest.revision LEFT JOIN site ON site.id = latest.site
    ORDER BY x.id
"""
)

_EARLIER_PAYABLES = (
    _LATEST  # noqa: S608
    + """
    SELECT p.*, site.code AS site_code, coalesce(p.period_from, latest.period_from) AS part_from,
           coalesce(p.period_until, latest.period_until) AS part_until, latest.period_from AS scorecard_from
    FROM latest JOIN payable p ON p.revision = latest.revision LEFT JOIN site ON site.id = latest.site
    ORDER BY p.id
"""
)

_EARLIER_NOTES = (
    _LATEST  # noqa: S608
    + """
    SELECT n.*, site.code AS site_code, n.period_from AS part_from, n.period_until AS part_until,
           latest.period_from AS scorecard_from
    FROM latest JOIN note n ON n.revision = latest.revision LEFT JOIN site ON site.id = latest.site
    ORDER BY n.id
"""
)

_DIMENSIONS = msgspec.json.Decoder(dict[str, str])
_NAMES = msgspec.json.Decoder(list[str])
_LEVELS = msgspec.json.Encoder(order="deterministic")
_LEVELS_BACK = msgspec.json.Decoder(dict[str, Decimal])


def result_of(row: Mapping[str, Any]) -> KpiResult:
    return KpiResult(
        kpi=row["kpi"],
        site=row["site_code"],
        dimensions=_DIMENSIONS.decode(row["dims_key"]),
        version=row["version"],
        from_=row["period_from"],
        until=row["period_until"],
        numerator=row["numerator"],
        denominator=row["denominator"],
        value=row["value"],
        status=row["status"],
        target=row["target"],
        met=row["met"],
        level=row["level"],
        levels=_LEVELS_BACK.decode(row["levels"]),
        score=row["score"],
        points=row["points"],
        streak=row["streak"],
        accumulated=row["accumulated"],
        value_without_relief=row["value_without_relief"],
        levels_without_relief=_LEVELS_BACK.decode(row["levels_without_relief"]) if row["levels_without_relief"] else {},
        cases=row["cases"],
    )


def payable_of(row: Mapping[str, Any]) -> Payable:
    kinds: dict[str, Literal["credit", "bonus", "carry"]] = {"bonus": "bonus", "carried": "carry", "carried_bonus": "carry"}
    named = _NAMES.decode(row["names"]) if row["names"] is not None else [row["rule"], row["kpi"] or row["rule"]]
    return Payable(
        row["rule"],
        kinds.get(row["kind"], "credit"),
        _scope_of(row),
        _rational(row["amount"]),
        row["kpi"],
        names=frozenset(named),
        full=None if row["full_amount"] is None else _rational(row["full_amount"]),
        carries="bonus" if row["kind"] == "carried_bonus" else "credit",
    )


def note_of(row: Mapping[str, Any]) -> Note:
    return Note(row["kind"], row["rule"], _scope_of(row), _rational(row["amount"]), row["kpi"], row["base"], row["until"])


def _rational(number: Decimal) -> Fraction:
    """The number that was stored.  One that no decimal holds (a third) was cut, and is the simplest fraction near it."""
    exactly = Fraction(number)
    return exactly if len(number.as_tuple().digits) < _CUT else exactly.limit_denominator(10**20)


_CUT = 40


def _scope_of(row: Mapping[str, Any]) -> Scope:
    own: Scope = tuple(sorted(_DIMENSIONS.decode(row["dims_key"]).items()))
    return (("site", row["site_code"]), *own) if row["site_code"] else own


def last_periods(earlier: Sequence[Earlier], most: int) -> list[Earlier]:
    """Those of the last ``most`` periods; parts of one period count as one."""
    kept = set(sorted({one.scorecard_from for one in earlier})[-most:])
    return [one for one in earlier if one.scorecard_from in kept]


def trends(earlier: Sequence[Earlier], sampled: Collection[str] = ()) -> dict[str | None, dict[str, list[TrendPoint]]]:
    """For each site (``None``: the contract) and result key the points of earlier periods, oldest first.

    ``sampled`` names the KPIs whose percentages rest on samples.
    """
    found: dict[str | None, dict[str, list[TrendPoint]]] = {}
    for one in earlier:
        for result, is_relieved in zip(one.results, one.relieved, strict=True):
            point = TrendPoint(
                from_=result.from_,
                value=result.value if result.status == "measured" else None,
                target=result.target,
                status=result.status,
                met=result.met,
                score=result.score,
                relieved=is_relieved,
                version=result.version,
                cases=result.denominator if result.kpi in sampled else None,
            )
            found.setdefault(result.site, {}).setdefault(result_key(result), []).append(point)
    for by_key in found.values():
        for points in by_key.values():
            points.sort(key=lambda point: point.from_)
    return found


class PastScore(msgspec.Struct, frozen=True, kw_only=True):
    """The score and credit of one earlier scorecard."""

    site: str | None
    period_from: date
    score: Decimal | None
    credit: Decimal | None


async def past_scores(connection: Connection, contracts: Sequence[int], before: date, most: int = 13) -> list[PastScore]:
    """Scores of earlier scorecards, oldest first, each by its latest revision."""
    records = await connection.fetch(_PAST_SCORES, list(contracts), before, most)
    return [msgspec.convert(dict(row), PastScore) for row in records]


_PAST_SCORES = (
    _LATEST  # noqa: S608
    + """
    SELECT site.code AS site, latest.period_from, r.score, r.credit
    FROM latest JOIN revision r ON r.id = latest.revision LEFT JOIN site ON site.id = latest.site
    ORDER BY latest.period_from, site.code
"""
)


Outcome = Literal["drafted", "refreshed", "unchanged", "revised", "lapsed"]
"""``revised``: a revision of what was issued is proposed; ``lapsed``: it is no longer, the figures are those that were issued."""


async def contract_of_period(connection: Connection, contracts: Sequence[int], period_from: date) -> str | None:
    """The code of the contract, among these of a lineage, that has scorecards of the period that begins on a day."""
    code: str | None = await connection.fetchval(
        "SELECT c.code FROM scorecard s JOIN contract c ON c.id = s.contract WHERE s.contract = ANY ($1) AND s.period_from = $2 "
        "ORDER BY c.id LIMIT 1",
        list(contracts), period_from,
    )  # fmt: skip
    return code


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one scorecard that was handed in to be saved."""

    number: str
    site: int | None
    revision: int
    revision_id: int
    outcome: Outcome


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A scorecard to save: the document, and its site's id (``None``: the contract as a whole)."""

    site: int | None
    document: Scorecard
    memories: list[Memory] = []


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A stored scorecard: its latest revision, and where that is a draft beside an issued one, the issued one too."""

    id: int
    number: str
    revision: int | None
    revision_id: int | None
    state: str | None
    latest: dict[str, Any] | None
    """The latest revision's document, as plain values."""
    issued: int | None
    """The number of the revision that stands as issued."""
    issued_id: int | None
    standing: dict[str, Any] | None
    """Its document."""

    def stays(self, document: Scorecard, declined: set[tuple[int, int, str]]) -> bool:
        """Whether the issued revision is left as it is: it says the same, or a person declined just this."""
        if self.standing is None or self.issued is None:
            return False
        if revising.figures_of(self.standing) == revising.figures_of(document):
            return True
        return bool(declined) and (self.id, self.issued, revising.fingerprint(document)) in declined


async def numbers_of(
    connection: Connection, contract: int, vendor: int, vendor_code: str, period: Period, sites: Sequence[int | None], at: datetime
) -> dict[int | None, Known]:
    """The scorecards of a period by site, made where they are new.

    Numbers run in the vendor's own series of the year in which the period ends.
    """
    # A person may be deciding on one of them just now; whoever comes second sees what the first one left.
    await connection.execute(_LOCK_CARDS, contract, period.from_on)
    known = {row["site"]: row for row in await connection.fetch(_KNOWN_CARDS, contract, period.from_on)}
    missing = [site for site in sites if site not in known]
    if missing:
        year = (period.last_on).year
        last = await connection.fetchval(_NEXT_NUMBERS, vendor, year, len(missing))
        first = last - len(missing) + 1
        numbers = [f"{vendor_code.upper()}-{year}-{first + index:03d}" for index in range(len(missing))]
        await connection.execute(_ADD_CARDS, contract, missing, period.from_on, period.until_on, numbers, at)
        known = {row["site"]: row for row in await connection.fetch(_KNOWN_CARDS, contract, period.from_on)}
    return {
        site: Known(
            id=row["id"],
            number=row["number"],
            revision=row["revision"],
            revision_id=row["revision_id"],
            state=row["state"],
            latest=_plain(row["content"]),
            issued=row["issued"],
            issued_id=row["issued_id"],
            standing=_plain(row["standing"]),
        )
        for site, row in known.items()
        if site in sites
    }


def _plain(content: bytes | None) -> dict[str, Any] | None:
    return None if content is None else msgspec.json.decode(zlib.decompress(content))


_LOCK_CARDS = "SELECT FROM scorecard WHERE contract = $1 AND period_from = $2 ORDER BY id FOR UPDATE"

_KNOWN_CARDS = """
    SELECT s.id, s.site, s.number, r.number AS revision, r.id AS revision_id, r.state, r.content,
           i.number AS issued, i.id AS issued_id, i.content AS standing
    FROM scorecard s
    LEFT JOIN LATERAL (SELECT id, number, state, content FROM revision WHERE scorecard = s.id ORDER BY number DESC LIMIT 1) r ON true
    LEFT JOIN LATERAL (
        SELECT id, number, content FROM revision WHERE scorecard = s.id AND state = 'issued' ORDER BY number DESC LIMIT 1
    ) i ON true
    WHERE s.contract = $1 AND s.period_from = $2
"""

_NEXT_NUMBERS = """
    INSERT INTO scorecard_number (vendor, year, last) VALUES ($1, $2, $3)
    ON CONFLICT (vendor, year) DO UPDATE SET last = scorecard_number.last + excluded.last
    RETURNING last
"""

_ADD_CARDS = """
    INSERT INTO scorecard (contract, site, period_from, period_until, number, created_at)
    SELECT $1, site, $3, $4, number, $6 FROM unnest($2::int[], $5::text[]) AS new (site, number)
"""


async def save(
    connection: Connection,
    contract: int,
    vendor: int,
    period: Period,
    cards: Sequence[Card],
    at: datetime,
) -> list[Saved]:
    """Saves the scorecards of one period: a new draft, a refreshed one, or a proposed revision of one that was issued.

    A scorecard whose figures are what they were changes nothing, so closing twice leaves one draft.  What was issued is
    never touched: a person decides on the proposal (:mod:`scorecards.revising`), and what was declined is not proposed again.
    """
    vendor_code = cards[0].document.vendor if cards else ""
    known = await numbers_of(connection, contract, vendor, vendor_code, period, [card.site for card in cards], at)
    issued = [one.id for one in known.values() if one.issued is not None]
    declined = await revising.declined(connection, issued) if issued else set()
    outcomes: list[Saved] = []
    fresh: list[tuple[Card, Known, Scorecard]] = []
    replaced: list[int] = []
    lapsed: list[int] = []
    for card in cards:
        own = known[card.site]
        document = msgspec.structs.replace(card.document, number=own.number, revision=own.revision or 0)
        is_proposed = own.state == "draft" and own.issued is not None
        if own.latest is not None and revising.figures_of(own.latest) == revising.figures_of(document):
            outcomes.append(_saved(own, card, "unchanged"))
        elif own.issued is not None and own.stays(document, declined):
            # Nothing is to be proposed; a revision that was proposed before says nothing any more.
            if is_proposed:
                replaced.append(own.revision_id or 0)
                lapsed.append(own.id)
            outcomes.append(_saved(own, card, "lapsed" if is_proposed else "unchanged", number=own.issued, revision_id=own.issued_id))
        else:
            if own.state == "draft":
                replaced.append(own.revision_id or 0)
            elif own.revision is not None:
                document = msgspec.structs.replace(document, revision=own.revision + 1)
            if own.standing is not None:
                issued_as = msgspec.convert(own.standing, Scorecard)
                document = msgspec.structs.replace(document, revises=comparing.revises(issued_as, document))
            fresh.append((card, own, document))
    if replaced:
        # A draft is no record yet: it is replaced whole.
        await revising.drop_drafts(connection, replaced)
    if lapsed:
        await revising.settle(connection, lapsed, "lapsed", at=at)
    ids = await _add_revisions(connection, [(card, own.id, document, document.revision) for card, own, document in fresh])
    await _add_results(connection, [(revision, card) for revision, (card, _, _) in zip(ids, fresh, strict=True)])
    proposed: list[revising.Change] = []
    for revision_id, (card, own, document) in zip(ids, fresh, strict=True):
        outcome: Outcome = "drafted" if own.revision is None else "refreshed" if own.state == "draft" else "revised"
        outcomes.append(_saved(own, card, outcome, number=document.revision, revision_id=revision_id))
        if own.issued is not None and own.standing is not None:
            proposed.append(
                revising.Change(scorecard=own.id, issued=own.issued, number=document.revision, before=own.standing, after=document)
            )
    if proposed:
        await revising.propose(connection, proposed, at)
    return sorted(outcomes, key=lambda one: one.number)


def _saved(own: Known, card: Card, outcome: Outcome, *, number: int | None = None, revision_id: int | None = None) -> Saved:
    return Saved(
        number=own.number,
        site=card.site,
        revision=number if number is not None else own.revision or 0,
        revision_id=revision_id if revision_id is not None else own.revision_id or 0,
        outcome=outcome,
    )


async def _add_revisions(connection: Connection, fresh: Sequence[tuple[Card, int, Scorecard, int]]) -> list[int]:
    if not fresh:
        return []
    columns: list[list[Any]] = [[] for _ in range(14)]
    for _card, scorecard, document, number in fresh:
        content = to_json(document)
        total = next((one for one in document.totals if one.scope == document.scope), None)
        values = (
            scorecard,
            number,
            "draft",
            document.score,
            document.standing,
            total.credit if total else None,
            total.bonus if total else None,
            document.currency,
            document.engine,
            document.data_as_of,
            document.prepared_at,
            hashlib.sha256(content).hexdigest(),
            zlib.compress(content, 1),
            None,
        )
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    rows = await connection.fetch(_ADD_REVISIONS, *columns[:13])
    by_card = {row["scorecard"]: row["id"] for row in rows}
    return [by_card[scorecard] for _, scorecard, _, _ in fresh]


_ADD_REVISIONS = """
    INSERT INTO revision (scorecard, number, state, score, standing, credit, bonus, currency, engine, data_as_of,
                          prepared_at, sha256, content)
    SELECT * FROM unnest($1::bigint[], $2::int[], $3::text[], $4::numeric[], $5::text[], $6::numeric[], $7::numeric[],
                         $8::text[], $9::text[], $10::timestamptz[], $11::timestamptz[], $12::text[], $13::bytea[])
    RETURNING id, scorecard
"""

RESULT_COLUMNS = (
    "revision", "kpi", "dims_key", "period_from", "period_until", "version", "status", "numerator", "denominator",
    "value", "target", "met", "level", "levels", "score", "points", "streak", "accumulated", "is_relieved",
    "value_without_relief", "levels_without_relief", "cases",
)  # fmt: skip

PAYABLE_COLUMNS = (
    "revision", "rule", "kind", "kpi", "dims_key", "amount", "currency", "payable_in", "full_amount", "names",
    "period_from", "period_until",
)  # fmt: skip
NOTE_COLUMNS = ("revision", "kind", "rule", "kpi", "dims_key", "amount", "base", "until", "period_from", "period_until")


Rows = list[tuple[Any, ...]]


async def _add_results(connection: Connection, cards: Sequence[tuple[int, Card]]) -> None:
    results: Rows = []
    payables: Rows = []
    notes: Rows = []
    for revision, card in cards:
        document = card.document
        results += [result_row(revision, one) for one in document.results]
        for memory in card.memories:
            payables += payable_rows(revision, memory, document.currency, document.until)
            notes += note_rows(revision, memory)
    await connection.copy_records_to_table("result", records=results, columns=list(RESULT_COLUMNS))
    if payables:
        await connection.copy_records_to_table("payable", records=payables, columns=list(PAYABLE_COLUMNS))
    if notes:
        await connection.copy_records_to_table("note", records=notes, columns=list(NOTE_COLUMNS))


def result_row(revision: int, one: KpiResult) -> tuple[Any, ...]:
    """A result as it is stored, in the order of ``RESULT_COLUMNS``."""
    return (
        revision, one.kpi, canonical(one.dimensions), one.from_, one.until, one.version,
        one.status, one.numerator, one.denominator, one.value, one.target, one.met, one.level,
        _LEVELS.encode(one.levels).decode(), one.score, one.points, one.streak, one.accumulated,
        bool(one.spans_relieved or one.levels_without_relief), one.value_without_relief,
        _LEVELS.encode(one.levels_without_relief).decode() if one.levels_without_relief else None, one.cases,
    )  # fmt: skip


def payable_rows(revision: int, memory: Memory, currency: str, until: date) -> Rows:
    """Payables of a period as they are stored, in the order of ``PAYABLE_COLUMNS``."""
    part = (memory.period.from_on, memory.period.until_on)
    rows: Rows = [
        (
            revision, one.rule, _kind(one), one.kpi, _dims_key(one.scope), exact(one.amount), currency, until,
            exact(one.full), _LEVELS.encode(sorted(one.names)).decode(), *part,
        )
        for one in memory.payables
    ]  # fmt: skip
    return rows + [
        (revision, "earned back", "earned_back", None, _dims_key(scope), exact(amount), currency, until, None, None, *part)
        for scope, amount in memory.earned_back
    ]


def note_rows(revision: int, memory: Memory) -> Rows:
    """Notes of a period as they are stored, in the order of ``NOTE_COLUMNS``."""
    part = (memory.period.from_on, memory.period.until_on)
    return [
        (revision, one.kind, one.rule, one.kpi, _dims_key(one.scope), exact(one.amount), one.of, one.until, *part)
        for one in memory.notes
    ]


def _kind(payable: Payable) -> str:
    if payable.kind != "carry":
        return payable.kind
    return "carried" if payable.carries == "credit" else "carried_bonus"


def _dims_key(scope: Scope) -> str:
    return canonical({name: value for name, value in scope if name != "site"})


async def mention_tickets(connection: Connection, tickets: Mapping[int, Sequence[TicketNote]]) -> None:
    """Writes into drafts, by revision, which tickets are open; what was issued keeps those it was issued with."""
    changed: list[tuple[int, bytes]] = []
    for row in await connection.fetch(_DRAFT_CONTENTS, list(tickets)):
        document = msgspec.json.decode(zlib.decompress(row["content"]), type=Scorecard)
        notes = list(tickets[row["id"]])
        if document.tickets != notes:
            changed.append((row["id"], to_json(msgspec.structs.replace(document, tickets=notes))))
    await connection.executemany(
        _REWRITE_DRAFT, [(revision, hashlib.sha256(content).hexdigest(), zlib.compress(content, 1)) for revision, content in changed]
    )


_DRAFT_CONTENTS = "SELECT id, content FROM revision WHERE id = ANY ($1) AND state = 'draft'"

_REWRITE_DRAFT = "UPDATE revision SET sha256 = $2, content = $3 WHERE id = $1 AND state = 'draft'"


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A stored revision with its document."""

    revision_id: int
    state: str
    sha256: str
    document: Scorecard


async def scorecard(connection: Connection, number: str, revision: int | None = None) -> Stored | None:
    """A scorecard by its number, in its latest or the given revision; ``None`` where there is none."""
    row = await connection.fetchrow(_BY_NUMBER, number, revision)
    return None if row is None else _stored(row)


def _stored(row: Mapping[str, Any]) -> Stored:
    document = msgspec.json.decode(zlib.decompress(row["content"]), type=Scorecard)
    state: Literal["draft", "issued", "superseded"] = row["state"]
    return Stored(
        revision_id=row["id"],
        state=row["state"],
        sha256=row["sha256"],
        document=msgspec.structs.replace(document, state=state),
    )


_BY_NUMBER = """
    SELECT r.id, r.state, r.sha256, r.content
    FROM scorecard s JOIN revision r ON r.scorecard = s.id
    WHERE s.number = $1 AND ($2::int IS NULL OR r.number = $2)
    ORDER BY r.number DESC LIMIT 1
"""


async def latest_scorecards(connection: Connection, *, period_from: date | None = None, vendor: str | None = None) -> list[Stored]:
    """The latest revision of every scorecard of a period (not given: of each site's latest period), by number."""
    return [_stored(row) for row in await connection.fetch(_LATEST_CARDS, period_from, vendor)]


_LATEST_CARDS = """
    SELECT DISTINCT ON (s.contract, s.site) r.id, r.state, r.sha256, r.content
    FROM scorecard s JOIN revision r ON r.scorecard = s.id JOIN contract c ON c.id = s.contract
         JOIN vendor v ON v.id = c.vendor
    WHERE ($1::date IS NULL OR s.period_from = $1) AND ($2::text IS NULL OR v.code = $2)
    ORDER BY s.contract, s.site, s.period_from DESC, r.number DESC
"""


async def issue(
    connection: Connection, revisions: Sequence[int], *, at: datetime, actor: int, reason: str | None = None
) -> list[str]:
    """Issues drafts: from now on they are never changed.  Returns their numbers; what is issued already is left out.

    An earlier issued revision of the same scorecard becomes *superseded*.
    """
    await connection.execute(_LOCK_CARDS_OF, list(revisions))
    rows = await connection.fetch(_DRAFTS, list(revisions))
    numbers: list[str] = []
    for row in rows:
        document = msgspec.json.decode(zlib.decompress(row["content"]), type=Scorecard)
        content = to_json(msgspec.structs.replace(document, state="issued"))
        await connection.execute(
            _ISSUE, row["id"], hashlib.sha256(content).hexdigest(), zlib.compress(content, 1), at, actor
        )
        numbers.append(row["number"])
    await revising.settle(connection, [row["scorecard"] for row in rows], "issued", at=at, actor=actor, reason=reason)
    await connection.execute(_SUPERSEDE, [row["scorecard"] for row in rows], [row["id"] for row in rows])
    return numbers


_LOCK_CARDS_OF = """
    SELECT FROM scorecard s WHERE s.id IN (SELECT scorecard FROM revision WHERE id = ANY ($1)) ORDER BY s.id FOR UPDATE
"""

_DRAFTS = """
    SELECT r.id, r.scorecard, r.content, s.number FROM revision r JOIN scorecard s ON s.id = r.scorecard
    WHERE r.id = ANY ($1) AND r.state = 'draft' ORDER BY r.id FOR UPDATE OF r
"""

_ISSUE = """
    UPDATE revision SET state = 'issued', sha256 = $2, content = $3, issued_at = $4, issued_by = $5 WHERE id = $1
"""

_SUPERSEDE = """
    UPDATE revision SET state = 'superseded'
    WHERE scorecard = ANY ($1) AND state = 'issued' AND NOT id = ANY ($2)
"""


async def drafts(connection: Connection, before: date) -> list[int]:
    """The revisions that are drafts of periods ending by a day, by number."""
    rows = await connection.fetch(
        "SELECT r.id FROM revision r JOIN scorecard s ON s.id = r.scorecard "
        "WHERE r.state = 'draft' AND s.period_until <= $1 ORDER BY s.number, r.number",
        before,
    )
    return [row["id"] for row in rows]
