"""`vendor-mgmt score`: replay a contract on figures, without database, network or clock."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeVar

import click

from contracts.business_time import Calendar
from contracts.checking import check
from contracts.document import Contract, InForce
from contracts.errors import CannotCompute, DocumentRefused, Finding, Where, has_errors, in_order, render
from contracts.holes import HOLE
from contracts.including import read_contract
from contracts.reading import Reading, read
from scorecards.evaluating import Planned, evaluate_rows, plan_periods, version_of
from scorecards.files import read_claims, read_events, read_opening, read_relief, read_rows
from scorecards.scorecard import Line, Remark, Scored, Total, to_json
from vendor_mgmt.commands.contract_files import beside

if TYPE_CHECKING:
    from rich.tree import Tree

    from scorecards.measurement import Row

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DAY = click.DateTime(["%Y-%m-%d"])

T = TypeVar("T")


class _Reader(Protocol[T]):
    """Reads one kind of file: what can be used, and a finding for each row that cannot."""

    def __call__(self, data: bytes, contract: Contract, /, *, name: str) -> tuple[list[T], list[Finding]]: ...


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
      2  the contract or a whole file was refused, or the call is wrong; with --json the findings are printed as a result without figures
    """
    first, last = (day.date() if day is not None else None for day in (from_on, until_on))
    if first is not None and last is not None and last <= first:
        message = f"--until {last} is not after --from {first}, so no period lies between them. Give a later day in --until."
        raise click.UsageError(message)
    refusal: list[Finding] = []
    document = _contract(contract, refusal)
    clocks = {} if refusal else _calendars(document, contract, calendars, refusal)
    if refusal:
        _refuse(document, refusal, as_json=as_json)
    refused: list[Finding] = []

    def planned(until: date) -> list[Planned]:
        return plan_periods([version_of(document)], until)

    def rows_of(held: bytes, contract: Contract, *, name: str) -> tuple[list[Row], list[Finding]]:
        found = read_rows(held, contract, planned, name=name)
        return found.rows, found.refused

    def those_in(file: Path | None, reader: _Reader[T]) -> list[T]:
        """What can be used of a file; its refused rows are added to `refused`, a file that is no table at all to `refusal`."""
        if file is None:
            return []
        try:
            found, faults = reader(file.read_bytes(), document, name=file.name)
        except DocumentRefused as problem:
            refusal.extend(problem.findings)
            return []
        refused.extend(faults)
        return found

    rows = those_in(data, rows_of)
    excused = those_in(relief, read_relief)
    facts = those_in(opening, read_opening)
    asked = those_in(claims, read_claims) if claims is not None else None
    happened = those_in(events, read_events)
    if refusal:
        # Judged without one of its files, a contract would give other sums than were asked for.
        _refuse(document, refusal, as_json=as_json)
    try:
        run = evaluate_rows(
            [version_of(document)],
            rows,
            relief=excused,
            opening=facts,
            events=happened,
            calendars=clocks,
            claims=asked,
        )
    except CannotCompute as problem:
        # The contract can be read and still gives no answer at all, for example where two KPIs wait for each other.
        _refuse(document, [Finding("error", Where(name=contract.name), problem.message, problem.repair)], as_json=as_json)
    run.findings += [_remark(finding) for finding in refused]
    scored = run.scored(
        document,
        from_on=first,
        until_on=last,
    )
    if as_json:
        click.echo(to_json(scored))
    else:
        _print(scored)
    if refused:
        # Which they are stands among the findings, once.
        if not as_json:
            click.echo(f"{len(refused)} rows were refused." if len(refused) > 1 else "1 row was refused.", err=True)
        sys.exit(1)


def calendars_of(document: Contract, contract: Path, given: tuple[Path, ...] = ()) -> dict[str, Calendar]:
    """The calendars that the contract counts durations in: those given, else NAME.yaml in its folder or in calendars/.

    Raises DocumentRefused with every finding where one of them cannot be read.
    """
    timed = [how for one in document.measures.values() for how in (one.events, one.time) if how is not None]
    wanted = {how.calendar for how in timed if how.calendar is not None}
    files = list(given)
    for name in sorted(wanted):
        beside = [contract.parent / f"{name}.yaml", contract.parent / "calendars" / f"{name}.yaml",
                  contract.parent.parent / "calendars" / f"{name}.yaml"]
        files += [path for path in beside if path.is_file()][:1]
    found: dict[str, Calendar] = {}
    faults: list[Finding] = []
    for path in files:
        reading: Reading[Calendar] = read(path.read_bytes(), Calendar, name=path.name)
        faults += reading.findings
        if reading.document is not None:
            found.setdefault(reading.document.id, reading.document)
    if has_errors(faults):
        raise DocumentRefused(faults)
    return found


def _calendars(document: Contract, contract: Path, given: tuple[Path, ...], refusal: list[Finding]) -> dict[str, Calendar]:
    try:
        return calendars_of(document, contract, given)
    except DocumentRefused as problem:
        refusal += problem.findings
        return {}


def _contract(path: Path, refusal: list[Finding]) -> Contract:
    """The contract; where it has faults of form, all its faults are added to `refusal`, those of meaning among them."""
    reading: Reading[Contract] = read_contract(path.read_bytes(), name=path.name, files=beside(path))
    if reading.document is not None and not has_errors(reading.findings):
        return reading.document
    refusal += reading.findings
    if reading.partial is None:
        return _NONE
    refusal += reading.locate(check(reading.partial, is_written=reading.is_written))
    return reading.partial


_NONE = Contract(contract="", title="", vendor="", currency="", in_force=InForce(from_=date.min))
"""Stands for a contract of which nothing could be read."""


def _refuse(document: Contract, findings: list[Finding], *, as_json: bool) -> NoReturn:
    """Ends the command: with a result that holds findings and no figures, or with the findings for a person."""
    ordered = in_order(findings)
    if as_json:
        code, currency = ("" if one is HOLE else one for one in (document.contract, document.currency))
        click.echo(to_json(Scored(contract=code, currency=currency, findings=[_remark(finding) for finding in ordered])))
    else:
        click.echo(render(ordered), err=True)
    sys.exit(2)


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
    for total in scored.totals:
        own = [line for line in scored.lines if line.from_ == total.from_ and line.scope.get("site") == total.scope.get("site")]
        if not own and total.credit is None:
            continue
        tree = Tree(f"{total.from_} {_scope(total.scope) or 'contract'}: {_net(total)}")
        for line in own:
            _branch(tree, line)
        if total.invoice is not None:
            tree.add(
                f"invoice {total.invoice} − taken off {_text(total.taken_off)} + tax {_text(total.tax)} = to pay {_text(total.to_pay)}; "
                f"left for the next one {_text(total.left_over)}"
            )
        console.print(tree)
    for right in scored.rights:
        console.print(f"{right.arises_on} right: {right.name} ({', '.join(right.evidence)})")
    for proposal in scored.proposals:
        console.print(f"{proposal.from_} {proposal.kind}: {proposal.kpi} {proposal.level} {proposal.old} → {proposal.new}")
    for finding in scored.findings:
        console.print(f"{finding.severity} {finding.where}: {finding.message}. {finding.repair}", markup=False)


def _net(total: Total) -> str:
    """The sum of a total as a sentence, so that its lines below can be added up to it."""
    if total.net is None:
        return "nothing is at stake"
    limits = f" ({total.credit_uncapped} before limits)" if total.credit_uncapped != total.credit else ""
    words = f"credit {total.credit}{limits} − bonus {total.bonus} − earned back {total.earned_back} = net {total.net}"
    return words + (f"; paid as {total.converted} {total.converted_currency}" if total.converted is not None else "")


def _branch(tree: Tree, line: Line) -> None:
    """One step of the money below its total, with everything that went into it."""
    where = _scope({name: value for name, value in line.scope.items() if name != "site"})
    branch = tree.add(f"step {line.step} {line.kind} {where + ' ' if where else ''}{line.rule} = {_text(line.amount)}")
    if line.clause:
        branch.add(f"clause {line.clause}")
    for name, value in line.inputs.items():
        branch.add(f"{name}: {_text(value)}")
    if line.base:
        branch.add(f"base {line.base}: {_text(line.base_amount)}")
    if line.payable_in is not None:
        branch.add(f"on the invoice of {line.payable_in}" + (f", to be claimed by {line.claim_by}" if line.claim_by is not None else ""))


def _scope(scope: dict[str, str]) -> str:
    return " ".join(value for value in scope.values() if value)


def _text(value: object) -> str:
    return "–" if value is None else str(value)


__all__ = ["command"]
