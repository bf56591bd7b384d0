"""`vendor-mgmt relief`: claims that a span should not count, their notice, and what was decided."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from vendor_mgmt import database, relief_claims
from vendor_mgmt.commands import begin
from vendor_mgmt.errors import Refused
from vendor_mgmt.intake.queries import NotDecidable

if TYPE_CHECKING:
    from vendor_mgmt.database import Server

DAY = click.DateTime(["%Y-%m-%d"])
ACTOR = click.option("--actor", required=True, type=click.IntRange(min=1), help="Number of the person who does it.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.group("relief")
def command() -> None:
    """Claim relief, and decide claims."""


@command.command("claim")
@click.argument("contract")
@click.option("--cause", required=True, help="A cause of the contract's terms of relief, in its words.")
@click.option("--from", "relief_from", type=DAY, required=True, help="First day.")
@click.option("--until", "relief_until", type=DAY, required=True, help="First day after.")
@click.option("--site", help="Code of the site. Left out: every site of the contract.")
@click.option("--kpi", help="The KPI. Left out: every KPI.")
@click.option("--evidence", help="Case numbers and links.")
@ACTOR
@AS_JSON
def claim(
    contract: str,
    *,
    cause: str,
    relief_from: datetime,
    relief_until: datetime,
    site: str | None,
    kpi: str | None,
    evidence: str | None,
    actor: int,
    as_json: bool,
) -> None:
    r"""Claim relief under CONTRACT's terms. The terms say the effect, and until when notice had to be given.

    \b
    Example:
      vendor-mgmt relief claim HX-1 --cause "client tool outage" --from 2026-03-02 --until 2026-03-04 --site lisbon --actor 12

    \b
    Exit codes:
      0  claimed; a claim whose notice is late is marked so
      2  the contract, site, KPI or cause does not exist
      3  the database cannot be used
    """

    async def work(connection: Any) -> relief_claims.Claimed:
        return await relief_claims.claim(
            connection, contract, cause=cause, relief_from=relief_from.date(), relief_until=relief_until.date(), claimed_by=actor,
            at=datetime.now(UTC), site=site, kpi=kpi, evidence=evidence,
        )  # fmt: skip

    made = _run(work)
    if as_json:
        click.echo(msgspec.json.encode(made))
        return
    click.echo(f"Claim {made.claim}, {made.effect}.")
    if made.notice_due_at is not None:
        click.echo(f"Notice was due by {made.notice_due_at:%Y-%m-%d %H:%M}{' and is late' if made.is_late else ''}.")


@command.command("decide")
@click.argument("number", type=click.IntRange(1))
@click.option("--approve/--reject", "approve", default=None, required=True, help="What is decided.")
@click.option("--reason", required=True, help="The reasons; both parties read them.")
@click.option("--despite-late-notice", "despite_late", is_flag=True, help="Approve although notice came late.")
@ACTOR
def decide(number: int, *, approve: bool, reason: str, despite_late: bool, actor: int) -> None:
    r"""Decide claim NUMBER, once. Who decides is never who claimed.

    \b
    Example:
      vendor-mgmt relief decide 7 --approve --reason "the outage is on record" --actor 3

    \b
    Exit codes:
      0  decided
      2  it cannot be decided so
      3  the database cannot be used
    """

    async def work(connection: Any) -> None:
        await relief_claims.decide(
            connection, number, approve=approve, decided_by=actor, decision=reason, at=datetime.now(UTC), despite_late=despite_late
        )

    _run(work)
    click.echo(f"Claim {number} {'approved' if approve else 'rejected'}.")


@command.command("list")
@click.argument("contract")
@AS_JSON
def list_(contract: str, *, as_json: bool) -> None:
    r"""List the claims under CONTRACT, with when notice was due and what was decided.

    \b
    Example:
      vendor-mgmt relief list HX-1

    \b
    Exit codes:
      0  listed (also if there are none)
      2  there is no such contract
      3  the database cannot be used
    """

    async def work(connection: Any) -> list[relief_claims.Standing]:
        return await relief_claims.claims(connection, contract)

    found = _run(work)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for one in found:
        late = " late" if one.is_late else ""
        click.echo(f"{one.claim}  {one.state}{late}  {one.site or 'every site'}  {one.relief_from} – {one.relief_until}  {one.cause}")
    click.echo(f"{len(found)} claims.")


@command.command("propose")
@click.argument("contract")
@click.argument("period", type=DAY)
@AS_JSON
def propose(contract: str, period: datetime, *, as_json: bool) -> None:
    r"""Show the claims that missed duties of the client suggest for CONTRACT's period that begins on PERIOD. Nobody makes them by that.

    \b
    Example:
      vendor-mgmt relief propose HX-1 2026-03-01

    \b
    Exit codes:
      0  shown (also if there are none)
      2  there is no such contract, or no version was in force
      3  the database cannot be used
    """

    async def work(connection: Any) -> list[relief_claims.Draft]:
        return await relief_claims.drafts(connection, contract, period.date())

    found = _run(work)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for one in found:
        click.echo(f"{one.site or 'every site'}  {one.relief_from} – {one.relief_until}  {one.cause}: {one.evidence}")
    click.echo(f"{len(found)} suggestions.")


Result = TypeVar("Result")


def _run(work: Callable[[Any], Awaitable[Result]]) -> Result:
    settings = begin()

    async def in_transaction(_: Server) -> Result:
        async with database.transaction() as connection:
            return await work(connection)

    try:
        return database.run(settings, in_transaction)
    except NotDecidable as error:
        raise Refused(str(error)) from None
