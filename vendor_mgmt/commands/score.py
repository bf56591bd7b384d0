"""`vendor-mgmt score`: replay a contract on figures, without database, network or clock."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from contracts.business_time import Calendar
from contracts.document import Contract
from contracts.errors import CannotCompute, Finding, has_errors, render
from contracts.including import read_contract
from contracts.reading import Reading, read
from scorecards.evaluating import Planned, evaluate_rows, plan_periods, version_of
from scorecards.files import read_claims, read_events, read_opening, read_relief, read_rows
from scorecards.scorecard import Remark, Scored, to_json
from vendor_mgmt.commands.contract_files import beside

if TYPE_CHECKING:
    from scorecards.events import Event
    from scorecards.measurement import Opening, Relief
    from scorecards.pricing.claims import Claim

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DAY = click.DateTime(["%Y-%m-%d"])


@click.command("score")
@click.argument("contract", type=FILE)
@click.argument("data", type=FILE)
@click.option("--events", type=FILE, help="Single events: event_id, site, kind, started_at, ended_at, value.")
@click.option("--calendar", "calendars", type=FILE, multiple=True, help="Whose business time durations count; else NAME.yaml by CONTRACT.")
@click.option("--relief", type=FILE, help="Approved relief: site, kpi, from, until, effect.")
@click.option("--opening", type=FILE, help="Results of earlier periods known only as results.")
@click.option("--claims", type=FILE, help="Credits the customer asked for or chose: starts_on, site, kpi, event_id, claimed_on.")
@click.option("--from", "from_on", type=DAY, help="Show periods from this day on; everything before is still judged.")
@click.option("--until", "until_on", type=DAY, help="Show periods that begin before this day.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as score/1.")
def command(
    contract: Path,
    data: Path,
    events: Path | None,
    calendars: tuple[Path, ...],
    relief: Path | None,
    opening: Path | None,
    claims: Path | None,
    from_on: datetime | None,
    until_on: datetime | None,
    *,
    as_json: bool,
) -> None:
    r"""Judge and price CONTRACT on the figures in DATA.

    \b
    Example:
      vendor-mgmt score contract.yaml data.csv --from 2026-03-01 --until 2026-04-01
      vendor-mgmt score contract.yaml data.csv --relief relief.csv --json

    \b
    Exit codes:
      0  scored; findings may be present
      1  scored, and some rows were refused (they are listed)
      2  the contract was refused, or the call is wrong
    """
    document = _contract(contract)
    refused: list[Finding] = []
    happened: list[Event] = []

    def planned(until: date) -> list[Planned]:
        return plan_periods([version_of(document)], until)

    rows = read_rows(data.read_bytes(), document, planned, name=data.name)
    refused += rows.refused
    excused: list[Relief] = []
    asked: list[Claim] | None = None
    facts: list[Opening] = []
    if relief is not None:
        excused, faults = read_relief(relief.read_bytes(), document, name=relief.name)
        refused += faults
    if opening is not None:
        facts, faults = read_opening(opening.read_bytes(), document, name=opening.name)
        refused += faults
    if claims is not None:
        asked, faults = read_claims(claims.read_bytes(), document, name=claims.name)
        refused += faults
    if events is not None:
        happened, faults = read_events(events.read_bytes(), document, name=events.name)
        refused += faults
    try:
        run = evaluate_rows(
            [version_of(document)],
            rows.rows,
            relief=excused,
            opening=facts,
            events=happened,
            calendars=calendars_of(document, contract, calendars),
            claims=asked,
        )
    except CannotCompute as problem:
        # The contract can be read and still gives no answer at all, for example where two KPIs wait for each other.
        click.echo(f"{contract.name}: {problem.message}. {problem.repair}", err=True)
        sys.exit(2)
    run.findings += [_remark(finding) for finding in refused]
    scored = run.scored(
        document,
        from_on=from_on.date() if from_on else None,
        until_on=until_on.date() if until_on else None,
    )
    if as_json:
        click.echo(to_json(scored))
    else:
        _print(scored)
    if refused:
        if not as_json:
            click.echo(render(refused), err=True)
        sys.exit(1)


def calendars_of(document: Contract, contract: Path, given: tuple[Path, ...] = ()) -> dict[str, Calendar]:
    """The calendars that the contract counts durations in: those given, else NAME.yaml in its folder or in calendars/."""
    timed = [how for one in document.measures.values() for how in (one.events, one.time) if how is not None]
    wanted = {how.calendar for how in timed if how.calendar is not None}
    files = list(given)
    for name in sorted(wanted):
        beside = [contract.parent / f"{name}.yaml", contract.parent / "calendars" / f"{name}.yaml",
                  contract.parent.parent / "calendars" / f"{name}.yaml"]
        files += [path for path in beside if path.is_file()][:1]
    found: dict[str, Calendar] = {}
    for path in files:
        reading: Reading[Calendar] = read(path.read_bytes(), Calendar, name=path.name)
        if reading.document is None:
            click.echo(render(reading.findings), err=True)
            sys.exit(2)
        found.setdefault(reading.document.id, reading.document)
    return found


def _contract(path: Path) -> Contract:
    reading: Reading[Contract] = read_contract(path.read_bytes(), name=path.name, files=beside(path))
    if reading.document is None or has_errors(reading.findings):
        click.echo(render(reading.findings), err=True)
        sys.exit(2)
    return reading.document


def _remark(finding: Finding) -> Remark:
    return Remark(severity=finding.severity, where=str(finding.where), message=finding.message, repair=finding.repair)


def _print(scored: Scored) -> None:
    """The result for a person: a table of totals, then each figure with its derivation as a tree."""
    from rich.console import Console  # noqa: PLC0415 - only the human form needs it
    from rich.table import Table  # noqa: PLC0415
    from rich.tree import Tree  # noqa: PLC0415

    console = Console()
    table = Table("period", "scope", "score", "standing", "points", "credit", "bonus", "net", title=scored.contract)
    for total in scored.totals:
        table.add_row(
            str(total.from_),
            _scope(total.scope) or "contract",
            *(
                _text(value)
                for value in (total.score, total.standing, total.points, total.credit, total.bonus, total.net)
            ),
        )
    console.print(table)
    for result in scored.results:
        where = _scope({"site": result.site or "", **result.dimensions})
        verdict = {True: "met", False: "missed", None: "not judged"}[result.met]
        tree = Tree(f"{result.from_} {where} {result.title}: {_text(result.value)} {result.unit}, {verdict}")
        tree.add(f"status {result.status}" + (f": {result.note}" if result.note else ""))
        if result.numerator is not None:
            counts = f"{result.numerator} ÷ {result.denominator}" if result.denominator is not None else result.numerator
            tree.add(f"counts {counts}; spans {result.spans_present} of {result.spans_expected}")
        if result.target is not None:
            tree.add(f"target {result.boundary.replace('_', ' ')} {result.target}; level {_text(result.level)}")
        if result.score is not None:
            tree.add(f"score {result.score}, weight {_text(result.weight_used)} of {_text(result.weight)}")
        if result.points:
            tree.add(f"points {result.points_base} × {result.multiplier} = {result.points}")
        tree.add(f"streak {result.streak}")
        console.print(tree)
    for line in scored.lines:
        tree = Tree(f"{line.from_} step {line.step} {line.kind} {_scope(line.scope)}: {line.rule} = {_text(line.amount)}")
        if line.clause:
            tree.add(f"clause {line.clause}")
        for name, value in line.inputs.items():
            tree.add(f"{name}: {_text(value)}")
        if line.base:
            tree.add(f"base {line.base}: {_text(line.base_amount)}")
        console.print(tree)
    for right in scored.rights:
        console.print(f"{right.arises_on} right: {right.name} ({', '.join(right.evidence)})")
    for proposal in scored.proposals:
        console.print(f"{proposal.from_} {proposal.kind}: {proposal.kpi} {proposal.level} {proposal.old} → {proposal.new}")
    for finding in scored.findings:
        console.print(f"{finding.severity} {finding.where}: {finding.message}. {finding.repair}", markup=False)


def _scope(scope: dict[str, str]) -> str:
    return " ".join(value for value in scope.values() if value)


def _text(value: object) -> str:
    return "–" if value is None else str(value)


__all__ = ["command"]
