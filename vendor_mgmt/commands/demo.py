"""`vendor-mgmt demo`: the example portfolio end to end, then the service."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from scorecards import formats
from scorecards import queries as scorecard_queries
from scorecards.rendering import Renderer
from scorecards.scorecard import Scorecard
from vendor_mgmt import database, migrating, serving
from vendor_mgmt.access import actors
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.commands import begin
from vendor_mgmt.escalations import queries as ticket_queries
from vendor_mgmt.example import playing
from vendor_mgmt.intake import pull as intake_pull
from vendor_mgmt.settings import Settings


@click.command("demo")
@click.option("--once", is_flag=True, help="Stop after the summary instead of serving.")
@click.option("--fresh", is_flag=True, help="Start anew, in a folder of its own, even if the portfolio was played before.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("out"), show_default=True, help="Folder for the PDFs."
)
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), help="Play it as of another day.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the service; 0 takes any free one.")
def command(*, once: bool, fresh: bool, out: Path, today: datetime | None, port: int | None) -> None:
    r"""Play a made-up portfolio of six vendors and fourteen sites, then serve it.

    An embedded database is started, contracts are agreed, fourteen months of figures are pulled from a reporting server
    of the vendors' (a process of its own), months are closed, scorecards rendered into the output folder, tickets raised.
    Nothing leaves this machine.  A second run finds the portfolio played and serves it at once.

    \b
    Examples:
      vendor-mgmt demo
      vendor-mgmt demo --once --out scorecards/

    \b
    Exit codes:
      0  done, or stopped by Ctrl-C
      3  this machine lacks something; the message says what
    """
    given = {} if port is None else {"port": port}
    settings = begin(outbound_allow_private=True, **given)
    day = today.date() if today is not None else datetime.now(UTC).date()
    folder = f"demo-{day:%Y-%m}" + (f"-{datetime.now(UTC):%d%H%M%S}" if fresh else "")
    settings = msgspec.structs.replace(settings, data_dir=settings.data_dir / folder, database_url=None, owner_database_url=None)
    console = Console()
    code = 0
    try:
        with playing.reporting_systems(day) as address, contextlib.ExitStack() as stack:
            if not once:
                settings, listener = stack.enter_context(serving.listening(settings))
            server = stack.enter_context(database.server(settings))

            async def before(_server: object = None) -> None:
                await _prepare(settings, day, address, out, console)

            if once:
                asyncio.run(_once(server, before))
            else:
                code = serving.serve(
                    settings, server, listener=listener, before=before, on_ready=lambda url: _ready(console, url)
                )
    except KeyboardInterrupt:
        console.print("Stopped.")
    sys.exit(code)


async def _once(server: database.Server, before: object) -> None:
    await migrating.migrate(server.owner_url)
    async with database.pool(server.url):
        await before()  # type: ignore[operator]


def _ready(console: Console, url: str) -> None:
    console.print(f"\nServing on [bold]{url}[/bold]  (Ctrl-C stops everything)", soft_wrap=True)


async def _prepare(settings: Settings, today: date, address: str, out: Path, console: Console) -> None:
    """Plays the portfolio unless it was played, renders what is missing, and prints the summary."""
    intake_pull.configure(allow_private=True, root=settings.data_dir)
    with _progress(console) as tell:
        if not await _was_played(today):
            await playing.play(today, address, settings.data_dir / "drops", tell)
        async with database.transaction() as connection:
            cards = [one.document for one in await scorecard_queries.latest_scorecards(connection)]
        # The renderer waits for its workers; the event loop must go on meanwhile, so that Ctrl-C is heard.
        with Renderer(workers=settings.pdf_workers) as renderer:
            files = await asyncio.to_thread(playing.render_all, renderer, cards, out, tell)
    await _summary(console, cards, files)


async def _was_played(today: date) -> bool:
    async with database.transaction() as connection:
        played: bool = await connection.fetchval(
            "SELECT EXISTS (SELECT FROM scorecard WHERE period_until = $1)", today.replace(day=1)
        )
    return played


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[playing.Tell]:
    """A bar for each step, in the order in which the steps report."""
    columns = (TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, TaskID] = {}

        def tell(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = progress.add_task(step, total=total)
            progress.update(tasks[step], completed=done)

        yield tell


async def _summary(console: Console, cards: list[Scorecard], files: dict[str, Path]) -> None:
    async with database.transaction() as connection:
        scope = Scope.everything(await actors.service(connection))
        tickets = await ticket_queries.listed(connection, scope, limit=1000)
        counts = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM measurement) AS measurements, (SELECT count(*) FROM pull) AS pulls, "
            "(SELECT count(*) FROM scorecard) AS scorecards, (SELECT count(*) FROM revision WHERE number > 0) AS revisions, "
            "(SELECT count(*) FROM ticket) AS tickets"
        )
    table = Table("site", "score", "standing", "credit", "open tickets", title="The latest month")
    for card in sorted(cards, key=lambda one: one.score if one.score is not None else -1):
        total = next((one for one in card.totals if one.scope == card.scope), None)
        mine = [ticket for ticket in tickets if ticket.site == card.site]
        table.add_row(
            card.site_name,
            "–" if card.score is None else f"{card.score:.1f}",
            card.standing or "–",
            "–" if total is None or total.credit is None else formats.money(total.credit, card.currency, "en"),
            ", ".join(f"level {ticket.level}" for ticket in mine) or "none",
        )
    console.print(table)
    console.print(f"{len(files)} PDFs, one for each site, in {next(iter(files.values())).parent}/", soft_wrap=True)
    assert counts is not None
    console.print(
        f"{counts['measurements']} measurements in {counts['pulls']} pulls; {counts['scorecards']} scorecards, "
        f"{counts['revisions']} revised; {counts['tickets']} tickets, {len(tickets)} open."
    )
