"""`vendor-mgmt demo`: the example portfolio end to end, then the service."""

from __future__ import annotations

import asyncio
import contextlib
import signal
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
from vendor_mgmt.errors import Unavailable
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
      0    done, or stopped while it served
      2    an option or a setting cannot be used
      3    this machine lacks something; the message says what
      130  stopped by Ctrl-C before it was done (143 by SIGTERM)
    """
    given = {} if port is None else {"port": port}
    settings = begin(outbound_allow_private=True, **given)
    day = today.date() if today is not None else datetime.now(UTC).date()
    folder = f"demo-{day:%Y-%m}" + (f"-{datetime.now(UTC):%d%H%M%S}" if fresh else "")
    settings = msgspec.structs.replace(settings, data_dir=settings.data_dir / folder, database_url=None, owner_database_url=None)
    console = Console()
    demo = _Demo(settings=settings, today=day, out=out, console=console)
    try:
        code = demo.run(once=once)
    except _BeginAnew as why:
        console.print(f"{why} It is played anew; what was there is in {_set_aside(settings.data_dir)}", soft_wrap=True)
        code = demo.run(once=once)
    if code > serving.CUT_SHORT:
        click.echo("Stopped before it was done; the next run begins anew.", err=True)
    sys.exit(code)


class _BeginAnew(Exception):  # noqa: N818 - the reason, in a sentence
    """What is in the folder is no portfolio that can be shown."""


def _set_aside(folder: Path) -> Path:
    """Give the folder another name and return it. Nothing is deleted: somebody may have made something of it."""
    aside = folder.with_name(f"{folder.name}.old-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    folder.rename(aside)
    return aside


class _Demo(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is about."""

    settings: Settings
    today: date
    out: Path
    console: Console

    @property
    def played_file(self) -> Path:
        """Written once the portfolio is played to its end."""
        return self.settings.data_dir / "played"

    def run(self, *, once: bool) -> int:
        """Everything from the start of the first process to the end of the last; the exit code."""
        for number in serving.SIGNALS:
            # Until the event loop hears them.
            signal.signal(number, _interrupt)
        with contextlib.ExitStack() as stack:
            settings, listener = self.settings, None
            if not once:
                settings, listener = stack.enter_context(serving.listening(settings))
            self._say("Starting the vendors' reporting systems")
            address = stack.enter_context(playing.reporting_systems(self.today))
            self._say("Starting the database")
            # What is made up can be made up again; and without the disk's confirmation the server ends at once.
            server = stack.enter_context(database.server(settings, is_durable=False))
            assert server.embedded is not None
            if not server.embedded.is_owner and not self.played_file.exists():
                raise Unavailable(
                    f"Another process is playing the portfolio in {settings.data_dir}. Wait until it is done, or play another one with "
                    "--fresh."
                )

            async def before(_server: object) -> None:
                await self._prepare(settings, address)

            try:
                if once:
                    return serving.prepare(settings, server, before)
                return serving.serve(settings, server, listener=listener, before=before, on_ready=self._ready)
            except migrating.AnotherHistory:
                raise _BeginAnew("The portfolio in this folder was played by another version of the program.") from None

    def _say(self, what: str) -> None:
        self.console.print(f"{what} …", soft_wrap=True)

    def _ready(self, url: str) -> None:
        self.console.print(f"\nServing on [bold]{url}[/bold]  (Ctrl-C stops everything)", soft_wrap=True)

    async def _prepare(self, settings: Settings, address: str) -> None:
        """Plays the portfolio unless it was played, renders what is missing, and prints the summary."""
        intake_pull.configure(allow_private=True, root=settings.data_dir)
        with _progress(self.console) as tell:
            if not self.played_file.exists():
                if await _has_begun():
                    raise _BeginAnew("The portfolio in this folder was not played to its end.")
                await playing.play(self.today, address, settings.data_dir / "drops", tell)
                self.played_file.touch()
            async with database.transaction() as connection:
                cards = [one.document for one in await scorecard_queries.latest_scorecards(connection)]
            # The renderer waits for its workers; the event loop must go on meanwhile, so that Ctrl-C is heard.
            with Renderer(workers=settings.pdf_workers) as renderer:
                papers = await asyncio.to_thread(playing.render_all, renderer, cards, self.out, tell)
        await _summary(self.console, cards, papers)


def _interrupt(_number: int, _frame: object) -> None:
    """End this process through every `finally`, at whichever signal comes first; further ones must not cut that short."""
    for number in serving.SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


async def _has_begun() -> bool:
    async with database.transaction() as connection:
        begun: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM calendar_version) OR EXISTS (SELECT FROM contract)")
    return begun


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[playing.Tell]:
    """A bar for each step, in the order in which the steps report; where there is no terminal, a line at its begin and its end."""
    columns = (TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def tell(step: str, done: int, total: int) -> None:
            is_first = step not in tasks
            if is_first:
                tasks[step] = progress.add_task(step, total=total)
            progress.update(tasks[step], completed=done)
            if not console.is_terminal and (is_first or done == total):
                console.print(f"{step}: {done} of {total}", soft_wrap=True)

        yield tell


async def _summary(console: Console, cards: list[Scorecard], papers: dict[str, playing.Paper]) -> None:
    async with database.transaction() as connection:
        scope = Scope.everything(await actors.service(connection))
        tickets = await ticket_queries.listed(connection, scope, limit=1000)
        counts = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM measurement) AS measurements, (SELECT count(*) FROM pull) AS pulls, "
            "(SELECT count(*) FROM scorecard) AS scorecards, (SELECT count(*) FROM revision WHERE number > 0) AS revisions, "
            "(SELECT count(*) FROM ticket) AS tickets"
        )
    table = Table("site", "score", "standing", "credit", "open tickets", "PDF", title="The latest month")
    for card in sorted(cards, key=lambda one: one.score if one.score is not None else -1):
        total = next((one for one in card.totals if one.scope == card.scope), None)
        mine = [ticket for ticket in tickets if ticket.site == card.site]
        table.add_row(
            card.site_name,
            "–" if card.score is None else f"{card.score:.1f}",
            card.standing or "–",
            "–" if total is None or total.credit is None else formats.money(total.credit, card.currency, "en"),
            ", ".join(f"level {ticket.level}" for ticket in mine) or "none",
            "kept" if papers[card.number].was_kept else "written",
        )
    console.print(table)
    kept = sum(paper.was_kept for paper in papers.values())
    console.print(
        f"{len(papers)} PDFs, one for each site, in {next(iter(papers.values())).file.parent}/: {len(papers) - kept} written, "
        f"{kept} kept because nothing in them changed.",
        soft_wrap=True,
    )
    assert counts is not None
    console.print(
        f"{counts['measurements']} measurements in {counts['pulls']} pulls; {counts['scorecards']} scorecards, "
        f"{counts['revisions']} revised; {counts['tickets']} tickets, {len(tickets)} open."
    )
