"""The example portfolio, played through the product as a real one would run: agree, pull, close, render.

The steps are those of a real month, many times over.  Only the clock is played: a month is closed "on" the fifth day
after its end, so that tickets and their deadlines have a history.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from contracts import agreements
from contracts import queries as contract_queries
from contracts.business_time import Calendar
from contracts.document import Contract
from contracts.reading import read
from scorecards import queries as scorecard_queries
from scorecards.rendering import Job, Renderer, key_in_file, write_file
from scorecards.scorecard import Scorecard
from vendor_mgmt import closing
from vendor_mgmt.access import actors
from vendor_mgmt.database import transaction
from vendor_mgmt.escalations import queries as ticket_queries
from vendor_mgmt.example import drops, portfolio, server
from vendor_mgmt.intake import pull as intake_pull
from vendor_mgmt.intake import queries as intake_queries
from vendor_mgmt.period_close import Closed, close_period

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]

Tell = Callable[[str, int, int], None]
"""Told of progress: the step, how far it is, of how much."""

CLOSES_AFTER = timedelta(days=4, hours=6)
"""A month is closed on the fifth day after its end, at six in the morning UTC."""


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What playing the portfolio came to."""

    contracts: int
    measurements: int
    refused: int
    corrected: int
    closed: int
    tickets_opened: int
    scorecards: list[Scorecard]


@contextlib.contextmanager
def reporting_systems(today: date, *, as_of: datetime | None = None) -> Iterator[str]:
    """The vendors' reporting systems, as a process of their own; yields their address.

    Their tokens are made here and handed over in the environment, as an operator would set them.
    """
    os.environ.update(server.new_tokens())
    command = [sys.executable, "-m", "vendor_mgmt.example.server", "--today", today.isoformat()]
    if as_of is not None:
        command += ["--as-of", as_of.isoformat()]
    # A session of its own, so that Ctrl-C reaches this process first, which then ends it in order.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            message = "the example's reporting systems did not start"
            raise RuntimeError(message)
        yield json.loads(line)["url"]
    finally:
        process.terminate()
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


async def agree_all(today: date, tell: Tell) -> int:
    """Stores calendars and agrees every contract of the portfolio, in the name of its two signatories."""
    calendars, contracts = portfolio.document_names("calendars"), portfolio.document_names("contracts")
    now = datetime.now(UTC)
    for index, name in enumerate(calendars, 1):
        text = portfolio.document("calendars", name, today)
        calendar = read(text, Calendar, name=name).required()
        async with transaction() as connection:
            actor = await actors.named(connection, "person", "Mara Quist, contract owner")
            await contract_queries.save_calendar(
                connection, calendar.id, document=msgspec.json.encode(calendar), text=text, entered_by=actor, now=now
            )
        tell("calendars", index, len(calendars))
    for index, name in enumerate(contracts, 1):
        text = portfolio.document("contracts", name, today)
        document = read(text, Contract, name=name).required()
        async with transaction() as connection:
            actor = await actors.named(connection, "person", "Mara Quist, contract owner")
            await agreements.agree(
                connection, document, text, at=now, actor=actor, reason="as executed", confirmations=await _confirmed(connection, document)
            )
        tell("contracts", index, len(contracts))
    return len(contracts)


async def _confirmed(connection: Connection, document: Contract) -> list[contract_queries.Confirmation]:
    """Both signatories' word, on the contract's first day."""
    people: dict[contract_queries.Side, str] = {"client": "Mara Quist, contract owner", "vendor": "Tomas Iqbal, vendor site lead"}
    return [
        contract_queries.Confirmation(
            side=side,
            confirmed_by=await actors.named(connection, "person", name),
            confirmed_on=document.signed_on or document.in_force.from_,
            document_sha256=document.executed.sha256 if document.executed else None,
            statement=None if document.executed and document.executed.sha256 else "Signed on paper, made up like all of this.",
        )
        for side, name in people.items()
    ]


async def save_sources(today: date, address: str, folder: Path, *, as_of: datetime | None = None) -> list[str]:
    """Stores every source of the portfolio; ``as_of`` makes them ask for what was known at a moment."""
    codes = []
    for name in portfolio.document_names("sources"):
        text = portfolio.source_document(name, today, address=address, folder=str(folder), as_of=as_of)
        async with transaction() as connection:
            actor = await actors.named(connection, "person", "Ines Baptista, data")
            stored = await intake_queries.save_source(connection, text.encode(), now=datetime.now(UTC), actor=actor)
        codes.append(stored.document.source)
    return codes


async def pull_all(sources: list[str], tell: Tell, *, step: str, until: date | None = None) -> tuple[int, int, int]:
    """Pulls every source, and says how many measurements were added, changed and refused."""
    added = changed = refused = 0
    for index, source in enumerate(sources, 1):
        result, pulled = await intake_pull.pull_now(intake_pull.Request(source=source, until=until))
        if pulled is None:
            message = f"the pull of {source} failed: {result.error}"
            raise RuntimeError(message)
        added, changed, refused = added + pulled.added, changed + pulled.changed, refused + pulled.refused
        tell(step, index, len(sources))
    return added, changed, refused


async def grant_relief(today: date) -> None:
    """Files and decides the portfolio's relief claims: the vendor claims, the client's manager approves."""
    for claim in portfolio.relief_claims(today):
        async with transaction() as connection:
            site = portfolio.site(claim.site)
            contract = await agreements.contract(connection, site.contract)
            sites = {code: number for number, code in (await agreements.sites_of(connection, [site.key])).items()}
            dimensions = {"workstream": claim.workstream}
            known = await connection.fetchval(
                "SELECT id FROM relief_claim WHERE contract = $1 AND kpi = $2 AND relief_from = $3",
                contract.id,
                claim.kpi,
                claim.from_,
            )
            if known is not None:
                continue
            number = await intake_queries.claim_relief(
                connection,
                contract=contract.id,
                cause=claim.cause,
                relief_from=claim.from_,
                relief_until=claim.until,
                effect=claim.effect,
                claimed_by=await actors.named(connection, "person", "Tomas Iqbal, vendor site lead"),
                now=datetime.combine(claim.from_, time(9), UTC),
                site=sites[site.key],
                kpi=claim.kpi,
                dimensions=dimensions,
            )
            await intake_queries.decide_relief(
                connection,
                number,
                approve=True,
                decided_by=await actors.named(connection, "person", "Lena Ortmann, partner manager"),
                decision="Announced in time; the days are left out.",
                now=datetime.combine(claim.until, time(9), UTC),
            )


async def _sweep(at: datetime) -> None:
    """Lets happen to tickets what fell due before a moment."""
    async with transaction() as connection:
        while await ticket_queries.sweep(connection, at):
            pass


def month_before_restatement(today: date) -> date:
    """The tenth of the month after the restated one: it is closed by then, and its correction comes ten days later."""
    restated = next(story for story in portfolio.STORIES if story.kind == "restated month")
    return portfolio.month_start(today, restated.last + 1) + timedelta(days=9)


async def issue_before(until_on: date, now: datetime) -> None:
    """Issues the drafts of the periods that end by a day, in the name of the partner manager."""
    async with transaction() as connection:
        actor = await actors.named(connection, "person", "Lena Ortmann, partner manager")
        drafts = await scorecard_queries.drafts(connection, until_on)
        await scorecard_queries.issue(connection, drafts, at=now, actor=actor)


async def _look_again(from_on: date, now: datetime) -> None:
    """What the daily look at a closed month does: figures stay, and drafts learn how their tickets stand by now."""
    async with transaction() as connection:
        codes = [row.code for row in await agreements.contracts(connection)]
    for code in codes:
        await close_period(code, from_on, at=now)


async def close_all(now: datetime, tell: Tell, *, step: str) -> list[Closed]:
    """Closes every ended period of every contract, month by month, as the fifth day after each month's end would."""
    async with transaction() as connection:
        codes = [row.code for row in await agreements.contracts(connection)]
    due: list[tuple[date, date, str]] = []
    for code in codes:
        due += [(period.until_on, period.from_on, code) for period in await closing.periods_of(code, now)]
    due.sort()
    closed: list[Closed] = []
    swept: datetime | None = None
    for index, (until_on, from_on, code) in enumerate(due, 1):
        at = min(now, datetime.combine(until_on, time(), UTC) + CLOSES_AFTER)
        if swept != at:
            # Between two months the clocks of the open tickets have run, as they would have day by day.
            await _sweep(at)
            swept = at
        done = await close_period(code, from_on, at=at)
        if done is not None:
            closed.append(done)
        tell(step, index, len(due))
    return closed


async def play(today: date, address: str, folder: Path, tell: Tell) -> Played:
    """The whole path, from nothing to scorecards and tickets.

    The figures are pulled twice: as they stood shortly before a month was restated, and as they stand now.  What was
    issued by then stays, and the restated month gets a revision.  The last month stays a draft, for a person to review.
    """
    now = datetime.now(UTC)
    before = datetime.combine(month_before_restatement(today), time(), UTC)
    contracts = await agree_all(today, tell)
    drops.write_drops(folder, today, as_of=before)
    sources = await save_sources(today, address, folder, as_of=before)
    added, _, refused = await pull_all(sources, tell, step="pulls, as first reported", until=before.date())
    await grant_relief(today)
    first = await close_all(before, tell, step="months closed")
    await issue_before(before.date(), now)
    drops.write_drops(folder, today)
    await save_sources(today, address, folder)
    more, corrected, refused_now = await pull_all(sources, tell, step="pulls, as reported now")
    again = await close_all(now, tell, step="months closed again, and since")
    await issue_before(portfolio.month_start(today, portfolio.MONTHS - 1), now)
    await _sweep(now)
    await _look_again(portfolio.month_start(today, portfolio.MONTHS - 1), now)
    async with transaction() as connection:
        stored = await scorecard_queries.latest_scorecards(connection)
    return Played(
        contracts=contracts,
        measurements=added + more,
        refused=refused + refused_now,
        corrected=corrected,
        closed=len(first),
        tickets_opened=sum(len(one.tickets.opened) for one in (*first, *again)),
        scorecards=[one.document for one in stored],
    )


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """The PDF of a scorecard, and whether it lay there already as it has to be."""

    file: Path
    was_kept: bool


def render_all(renderer: Renderer, scorecards: list[Scorecard], out: Path, tell: Tell) -> dict[str, Paper]:
    """One PDF for each scorecard, in the vendor's edition, by number. A file that holds the very same is kept."""
    jobs = [Job(card=card) for card in scorecards]
    there: dict[str, Paper] = {}

    def told(done: int, _answer: object) -> None:
        tell("scorecards rendered", done, len(jobs))

    def file_of(job: Job) -> Path:
        return out / f"{file_name(job.card)}.pdf"

    answers = renderer.batch(jobs, is_kept=lambda job: key_in_file(file_of(job)) == job.key, on_progress=told)
    for job, answer in zip(jobs, answers, strict=True):
        if answer.pdf is not None:
            write_file(file_of(job), answer.pdf)
        elif not answer.was_kept:
            message = f"{answer.number} was not rendered: {answer.error}"
            raise RuntimeError(message)
        there[answer.number] = Paper(file=file_of(job), was_kept=answer.was_kept)
    return there


def file_name(card: Scorecard) -> str:
    """A scorecard's file name: the site and the period, and nothing that says something of another vendor."""
    return f"{card.site or card.contract.lower()}-{card.from_:%Y-%m}"


def environment(address: str) -> Mapping[str, str]:
    """What the service needs set to pull from the example's systems on this machine."""
    return {"VENDOR_MGMT_OUTBOUND_ALLOW_PRIVATE": "true", "EXAMPLE_ADDRESS": address}
