"""`vendor-mgmt scorecard proposals` and `decide`: revisions of what was issued, and a person's decision on them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import click
import msgspec
from rich.console import Console
from rich.table import Table

from scorecards import revising
from scorecards.revising import Proposal
from vendor_mgmt import database
from vendor_mgmt.commands import begin
from vendor_mgmt.errors import Refused


@click.command("proposals")
@click.argument("contracts", nargs=-1)
@click.option("--all", "also_decided", is_flag=True, help="Also those that were decided, replaced or lapsed.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def proposals(contracts: tuple[str, ...], *, also_decided: bool, as_json: bool) -> None:
    r"""List the proposed revisions of issued scorecards of CONTRACTS (not given: of all), with what caused them and what they change.

    A revision is proposed when a late amendment, corrected figures or relief change what was issued. What was issued stands until a
    person decides with `vendor-mgmt scorecard decide`.

    \b
    Example:
      vendor-mgmt scorecard proposals IB-2026-03

    \b
    Exit codes:
      0  nothing waits for a decision
      1  something does
      3  the database cannot be used
    """
    settings = begin()

    async def work(_server: object) -> list[Proposal]:
        async with database.transaction() as connection:
            return await revising.proposals(connection, contracts=contracts or None, is_open=not also_decided)

    found = database.run(settings, work)
    if as_json:
        click.echo(msgspec.json.encode(found))
    elif found:
        table = Table("scorecard", "period", "site", "because of", "score", "credit", "decision")
        for one in found:
            table.add_row(
                f"{one.scorecard} r{one.number}",
                str(one.period_from),
                one.site or "all",
                one.cause,
                _change(one.score_before, one.score_after),
                _change(one.credit_before, one.credit_after),
                one.decision or "waits",
            )
        Console().print(table)
    else:
        click.echo("No revision is proposed.")
    if any(one.decision is None for one in found):
        click.get_current_context().exit(1)


def _change(before: Decimal | None, after: Decimal | None) -> str:
    was, now = ("none" if one is None else f"{one:f}" for one in (before, after))
    return was if was == now else f"{was} → {now}"


@click.command("decide")
@click.argument("number")
@click.option("--issue", "is_issued", is_flag=True, help="Issue the revision; it supersedes the earlier one.")
@click.option("--decline", "is_declined", is_flag=True, help="Leave the scorecard as it was issued; needs a reason.")
@click.option("--by", "person", metavar="NAME", required=True, help="Who decides.")
@click.option("--reason", help="Why, for the record.")
@click.option("--despite-late-data", "despite", metavar="REASON", help="Issue although figures are late; the reason stays on record.")
@click.option("--json", "as_json", is_flag=True, help="Print the decided proposal.")
def decide(number: str, person: str, reason: str | None, despite: str | None, *, is_issued: bool, is_declined: bool, as_json: bool) -> None:
    r"""Decide on the proposed revision of the scorecard NUMBER: issue it, or leave what was issued.

    What was declined is not proposed again unless its figures change. The periods after it are closed again, because they look back.

    \b
    Examples:
      vendor-mgmt scorecard decide HARBOUR-2026-031 --issue --by "Lena Ortmann"
      vendor-mgmt scorecard decide HARBOUR-2026-031 --decline --by "Lena Ortmann" --reason "settled in the board of 3 June"

    \b
    Exit codes:
      0  decided
      2  no revision of it is proposed, figures of it are late, or the call is wrong
      3  the database cannot be used
    """
    if is_issued == is_declined:
        raise Refused("Say one of --issue and --decline.")
    if is_declined and not (reason or "").strip():
        raise Refused("Say why with --reason: the record keeps it.")
    settings = begin()

    from vendor_mgmt import closing, feed_watch  # noqa: PLC0415 - help needs no database
    from vendor_mgmt.access import actors  # noqa: PLC0415

    async def work(_server: object) -> Proposal:
        at = datetime.now(UTC)
        async with database.transaction() as connection:
            actor = await actors.named(connection, "person", person)
            if is_declined:
                decided = await revising.decline(connection, number, reason=reason or "", actor=actor, at=at)
                await closing.close_after_agreement(connection, decided.contract, decided.period_until)
                return decided
            drafts = [await revising.draft_of(connection, number)]
            try:
                await feed_watch.issue(connection, drafts, at=at, actor=actor, reason=reason, despite=despite)
            except feed_watch.StaleData as error:
                raise Refused(f"{error} Give it with --despite-late-data.") from None
            return (await revising.proposals(connection, scorecard=number, is_open=False))[-1]

    done = database.run(settings, work)
    if as_json:
        click.echo(msgspec.json.encode(done))
    elif done.decision == "issued":
        click.echo(f"{done.scorecard}: revision {done.number} is issued and supersedes revision {done.issued}.")
    else:
        click.echo(f"{done.scorecard}: revision {done.issued} stands; the proposed one was declined.")


COMMANDS = (proposals, decide)
