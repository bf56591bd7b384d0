"""`vendor-mgmt scorecard`: scorecards as PDF, and revisions of them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from scorecards import exporting, page
from scorecards.page import EDITIONS, Branding, Edition
from scorecards.rendering import Job, Rendered, Renderer, key_in_file, write_file
from scorecards.scorecard import Scorecard
from scorecards.wording import LANGUAGES, Language
from vendor_mgmt.commands import begin, scorecard_revisions


class _Line(Struct, frozen=True, kw_only=True):
    """What `--json` says about one source: a file that was written, or why there is none."""

    source: str
    number: str | None = None
    file: str | None = None
    error: str | None = None
    warnings: list[str] = []
    was_kept: bool = False


class _Planned(Struct, frozen=True, kw_only=True):
    source: str
    job: Job
    path: Path


@click.group("scorecard")
def command() -> None:
    """Scorecards: their PDFs, and proposed revisions of what was issued."""


@command.command("pdf")
@click.argument("sources", metavar="FILE.json|NUMBER…", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The PDF to write, or a folder for several.")
@click.option(
    "--edition", type=click.Choice(EDITIONS), default="vendor", show_default=True, help="Whose copy: it decides what is left out."
)
@click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language of the page.")
@click.option("--paper", type=click.Choice(["A4", "Letter"]), default="A4", show_default=True, help="Size of the page.")
@click.option("--accent", metavar="#RRGGBB", help="The customer's colour, dark enough to read on white.")
@click.option("--workers", type=click.IntRange(1, 32), default=2, show_default=True, help="Processes that render at once.")
@click.option("--again", is_flag=True, help="Render also what lies in the folder unchanged.")
@click.option(
    "--json", "as_json", is_flag=True, help='Print {"source", "number", "file", "error", "warnings", "was_kept"} for each source.'
)
def pdf(
    sources: tuple[str, ...],
    output: Path,
    edition: Edition,
    language: Language,
    paper: str,
    accent: str | None,
    workers: int,
    *,
    again: bool,
    as_json: bool,
) -> None:
    r"""Write scorecards as PDF/A-3 with their figures attached.

    A source is a file with a scorecard/1 document, or the number of a stored scorecard, whose latest revision is taken. Several are
    written to a folder, each under its number; a file that is there already and holds the same scorecard, edition, language and paper
    is kept, so that a broken batch may simply be started again. A source that cannot be read or rendered is named at the end and stops
    nothing.

    \b
    Examples:
      vendor-mgmt scorecard pdf september.json -o september.pdf
      vendor-mgmt scorecard pdf HARBOUR-2026-031 -o out/
      vendor-mgmt scorecard pdf out/*.json -o out/ --edition client --language es --paper Letter

    \b
    Exit codes:
      0  every PDF is there
      1  some are there, and some are not (each with its reason)
      2  none is there, or the call is wrong
      3  a number was given, and the database cannot be used
    """
    into_folder = len(sources) > 1 or output.is_dir() or str(output).endswith("/")
    if into_folder and output.exists() and not output.is_dir():
        raise click.BadParameter(f"{output} is a file; name a folder for several scorecards", param_hint="--output")
    if accent is not None:
        try:
            Branding(accent=accent)
        except ValueError as fault:
            raise click.BadParameter(str(fault), param_hint="--accent") from fault
    planned: list[_Planned] = []
    lines: list[_Line] = []
    stored = _stored([source for source in sources if _is_number(source)])
    for source in sources:
        card = stored[source] if source in stored else _card(source)
        if isinstance(card, str):
            lines.append(_Line(source=source, error=card))
            continue
        job = Job(card=card, edition=edition, language=language, paper=paper, accent=accent)
        planned.append(_Planned(source=source, job=job, path=output / file_name(job) if into_folder else output))
    lines += _rendered(planned, workers, again=again, is_quiet=as_json)
    _tell(lines, as_json=as_json)
    failed = sum(line.error is not None for line in lines)
    if failed:
        sys.exit(1 if failed < len(lines) else 2)


@command.command("export")
@click.argument("source", metavar="FILE.json|NUMBER")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="FILE.json, FILE.csv or FILE.xlsx.")
@click.option(
    "--edition", type=click.Choice(EDITIONS), default="vendor", show_default=True, help="Whose copy: it decides what is left out."
)
def export(source: str, output: Path, edition: Edition) -> None:
    r"""Write a scorecard's figures as JSON, CSV (the KPIs) or XLSX (every table), as the name of the file says.

    \b
    Examples:
      vendor-mgmt scorecard export HARBOUR-2026-031 -o september.xlsx
      vendor-mgmt scorecard export september.json -o kpis.csv --edition site

    \b
    Exit codes:
      0  the file is there
      2  there is no such scorecard, or the file cannot be written
      3  a number was given, and the database cannot be used
    """
    kinds = {".json": page.attached, ".csv": exporting.to_csv, ".xlsx": exporting.to_xlsx}
    if output.suffix not in kinds:
        raise click.BadParameter(f"{output.name} ends in none of {', '.join(kinds)}", param_hint="--output")
    card = _stored([source])[source] if _is_number(source) else _card(source)
    if isinstance(card, str):
        raise click.UsageError(card)
    try:
        write_file(output, kinds[output.suffix](page.for_edition(card, edition)))
    except OSError as fault:
        raise click.UsageError(f"{output} cannot be written: {fault.strerror}") from fault
    click.echo(output)


def _rendered(planned: list[_Planned], workers: int, *, again: bool, is_quiet: bool) -> list[_Line]:
    from rich.console import Console  # noqa: PLC0415 - a call that only complains needs no terminal
    from rich.progress import Progress  # noqa: PLC0415

    kept = {} if again else {plan.job.key: plan for plan in planned if key_in_file(plan.path) == plan.job.key}
    lines: list[_Line] = []
    with (
        Progress(console=Console(stderr=True), disable=is_quiet or len(planned) < 2, transient=True) as bar,
        Renderer(min(workers, max(len(planned), 1))) as renderer,
    ):
        task = bar.add_task("Scorecards", total=len(planned))

        def on_progress(done: int, _: Rendered) -> None:
            bar.update(task, completed=done)

        answers = renderer.batch([plan.job for plan in planned], is_kept=lambda job: job.key in kept, on_progress=on_progress)
        for plan, answer in zip(planned, answers, strict=True):
            lines.append(_written(plan, answer))
    return lines


def _written(plan: _Planned, answer: Rendered) -> _Line:
    number = plan.job.card.number
    if answer.was_kept:
        return _Line(source=plan.source, number=number, file=str(plan.path), was_kept=True)
    if answer.pdf is None:
        return _Line(source=plan.source, number=number, error=answer.error, warnings=answer.warnings)
    try:
        write_file(plan.path, answer.pdf)
    except OSError as fault:
        return _Line(source=plan.source, number=number, error=f"{plan.path} cannot be written: {fault.strerror}")
    return _Line(source=plan.source, number=number, file=str(plan.path), warnings=answer.warnings)


def _is_number(source: str) -> bool:
    """Whether a source is a scorecard's number rather than a file: no such file is there, and it looks like none."""
    return not Path(source).exists() and "/" not in source and not source.endswith(".json")


def _stored(numbers: list[str]) -> dict[str, Scorecard | str]:
    """The latest revisions of these numbers out of the database, or the sentence that says why there is none."""
    if not numbers:
        return {}
    settings = begin()

    from scorecards import queries  # noqa: PLC0415 - files need no database
    from vendor_mgmt import database  # noqa: PLC0415

    async def work(_server: object) -> dict[str, Scorecard | str]:
        found: dict[str, Scorecard | str] = {}
        async with database.transaction() as connection:
            for number in numbers:
                stored = await queries.scorecard(connection, number)
                found[number] = stored.document if stored is not None else f"there is neither a file nor a scorecard {number!r}"
        return found

    return database.run(settings, work)


def _card(source: str) -> Scorecard | str:
    """The scorecard of a source, or the sentence that says why there is none."""
    path = Path(source)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Scorecard)
    except FileNotFoundError:
        return f"there is no file {source!r}"
    except OSError as fault:
        return f"{source} cannot be read: {fault.strerror}"
    except msgspec.ValidationError as fault:
        return f"{source} is not a scorecard/1 document: {fault}"
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        return f"{source} is not JSON: {fault}"


def file_name(job: Job) -> str:
    """``HARBOUR-2026-031-r2-client-es.pdf``: the number in letters every file system takes; what is usual is left out."""
    number = re.sub(r"[^A-Za-z0-9._-]+", "-", job.card.number).strip("-.")[:100] or "scorecard"
    parts = [number, f"r{job.card.revision}" if job.card.revision else "", job.edition if job.edition != "vendor" else ""]
    return "-".join(filter(None, [*parts, job.language if job.language != "en" else ""])) + ".pdf"


def _tell(lines: list[_Line], *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(lines))
        return
    for line in lines:
        if line.error is not None:
            click.echo(f"{line.number or line.source}: {line.error}", err=True)
        else:
            click.echo(f"{line.file}{' (unchanged)' if line.was_kept else ''}")
        for warning in line.warnings:
            click.echo(f"  note: {warning}", err=True)


for part in scorecard_revisions.COMMANDS:
    command.add_command(part)
