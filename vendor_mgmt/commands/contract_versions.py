"""`vendor-mgmt contract agree`, `amend`, `renew`, `confirm`, `withdraw`, `show`, `versions` and `diff`: the life of a contract."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from contracts.document import Contract
from contracts.errors import NotFound, has_errors, render
from contracts.explaining import day_in_words
from contracts.including import text_to_agree
from contracts.reading import write
from vendor_mgmt.commands import begin
from vendor_mgmt.commands.contract_findings import findings_of
from vendor_mgmt.commands.contract_words import FILE, read_or_stop
from vendor_mgmt.errors import Refused

if TYPE_CHECKING:
    from contracts.queries import Proposal
    from vendor_mgmt.agreeing import Given, Preview, PutForward

DAY = click.DateTime(["%Y-%m-%d"])
MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])
PAPER = click.Path(exists=True, dir_okay=False, path_type=Path)
Command = TypeVar("Command", bound=Callable[..., Any])


def _words_of_both_sides(command: Command) -> Command:
    """The options by which somebody says who confirmed a text, when, and by what."""
    for option in (
        click.option("--on", "on_day", type=DAY, help="The day it was signed or said; not given, the document's signed_on, or today."),
        click.option("--statement", metavar="TEXT", help="Or what was said, and where it can be found: a mail, minutes."),
        click.option("--signed-sha256", metavar="HEX", help="Or the hash of the signed paper, where it is kept elsewhere."),
        click.option("--signed", type=PAPER, help="By what: the signed paper; its SHA-256 is recorded, the file is not kept."),
        click.option("--vendor", metavar="NAME", help="Who confirms the text for the vendor."),
        click.option("--client", metavar="NAME", help="Who confirms the text for the client."),
    ):
        command = option(command)
    return command


def _how_it_is_put_forward(command: Command) -> Command:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print what became of it, with every difference and consequence."),
        click.option("--dry-run", is_flag=True, help="Only say what agreeing it would change."),
        click.option("--replace-later", is_flag=True, help="It also takes the place of agreed versions that begin later."),
        click.option("--reason", help="Why this version, for the record."),
    ):
        command = option(command)
    return _words_of_both_sides(command)


@click.command("agree")
@click.argument("file", type=FILE)
@_how_it_is_put_forward
def agree(file: Path, **options: Any) -> None:
    r"""Put FILE forward as a version. When both sides have confirmed it, it holds from its first day on and is never changed.

    A confirmation records who, for which side, when, and by what: the hash of a signed paper, or a statement. With both sides named the
    version is agreed at once; with fewer it waits for `vendor-mgmt contract confirm`, and nothing is judged by it until then. Where the
    document names the executed paper's hash (executed.sha256), that is what a side confirms by, unless something else is said.

    Agreeing here confirms that the document says what the executed contract says; it concludes no contract.

    \b
    Examples:
      vendor-mgmt contract agree iberia.yaml --client "Ana Reis" --vendor "Rui Costa" --signed iberia-signed.pdf
      vendor-mgmt contract agree iberia.yaml --client "Ana Reis" --statement "mail of 12 February" --reason "as executed"

    \b
    Exit codes:
      0  agreed; or waiting, and it is said for whom
      2  the document has errors, or another version is in the way
      3  the database cannot be used
    """
    document, text = _read(file)
    _put_forward(document, text, **options)


@click.command("amend")
@click.argument("file", type=FILE)
@click.option("--from", "from_day", type=DAY, help="The day from which it holds; not given, the first day that FILE names.")
@_how_it_is_put_forward
def amend(file: Path, from_day: datetime | None, **options: Any) -> None:
    r"""Put FILE forward as the contract's text from a day on, and say what it changes: clause by clause, and for which periods.

    FILE is the whole text with the changes in it, under the same code and with a version name of its own. The days before keep the
    version they had. Inside a period the text that was in force says what happens (measured.amended): two parts by day, or one of the two
    texts for all of it. Where the day lies in closed periods, drafts are refreshed, and what was issued gets a proposed revision that a
    person decides (`vendor-mgmt scorecard proposals`).

    \b
    Examples:
      vendor-mgmt contract show IB-2026-03 > iberia-2.yaml     # then edit it
      vendor-mgmt contract amend iberia-2.yaml --from 2026-06-15 --dry-run
      vendor-mgmt contract amend iberia-2.yaml --from 2026-06-15 --client "Ana Reis" --vendor "Rui Costa" --signed amendment-1.pdf

    \b
    Exit codes:
      0  agreed; or waiting, and it is said for whom
      2  there is no such contract, the document has errors, or another version is in the way
      3  the database cannot be used
    """
    document, text = _read(file)
    if from_day is not None and from_day.date() != document.in_force.from_:
        until = document.in_force.until
        if until is not None and until <= from_day.date():
            raise Refused(f"{file} ends on {until}, before {from_day.date()}. Write a later in_force.until.")
        document = msgspec.structs.replace(document, in_force=msgspec.structs.replace(document.in_force, from_=from_day.date()))
        text = _written_anew(document, f"in_force.from: {from_day.date()}")
    _put_forward(document, text, must_exist=True, **options)


@click.command("renew")
@click.argument("code")
@click.argument("file", type=FILE)
@_how_it_is_put_forward
def renew(code: str, file: Path, **options: Any) -> None:
    r"""Put FILE forward as the contract that follows CODE: its successor, with a code of its own, in the same lineage.

    It takes over on its first day. Open tickets, streaks and rolling limits go on, and no two contracts of a lineage hold on one day.

    \b
    Example:
      vendor-mgmt contract renew IB-2026-03 iberia-2028.yaml --client "Ana Reis" --vendor "Rui Costa" --signed renewal.pdf

    \b
    Exit codes:
      0  agreed; or waiting, and it is said for whom
      2  there is no such contract, the document has errors, or another contract is in the way
      3  the database cannot be used
    """
    document, text = _read(file)
    if document.contract == code:
        raise Refused(f"{file} is {code} itself. A renewal has a code of its own; a changed text of {code} is amended.")
    if document.renews not in (None, code):
        raise Refused(f"{file} renews {document.renews}, not {code}. Name that contract, or correct renews.")
    if document.renews is None:
        document = msgspec.structs.replace(document, renews=code)
        text = _written_anew(document, f"renews: {code}")
    _put_forward(document, text, **options)


def _written_anew(document: Contract, change: str) -> str:
    """The text to store where it differs from the file, with a remark about it on standard error."""
    click.echo(f"The text is written anew with {change}; comments of the file are no part of it.", err=True)
    return write(document).decode()


def _read(file: Path) -> tuple[Contract, str]:
    document, findings = findings_of(file)
    if document is None or has_errors(findings):
        click.echo(render(findings), err=True)
        sys.exit(2)
    return document, text_to_agree(file.read_bytes(), document)


def _given(document: Contract, options: dict[str, Any], at: datetime) -> list[Given]:
    """The words of both sides, out of the options; raises `Refused` where something about them is missing or contradicts itself."""
    from vendor_mgmt.agreeing import Given  # noqa: PLC0415 - help needs no database

    signed, sha256, statement, on_day = (options.pop(name) for name in ("signed", "signed_sha256", "statement", "on_day"))
    named = {side: (options.pop(side) or "").strip() for side in ("client", "vendor")}
    if sum(one is not None for one in (signed, sha256, statement)) > 1:
        raise Refused("A confirmation is by one thing: --signed FILE, --signed-sha256 HEX or --statement TEXT.")
    if signed is not None:
        sha256 = hashlib.sha256(signed.read_bytes()).hexdigest()
    if sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", sha256 := sha256.lower()):
        raise Refused(f"--signed-sha256 {sha256!r} is no SHA-256: write its 64 hexadecimal digits.")
    if statement is not None and not statement.strip():
        raise Refused("--statement is empty. Say what was said, and where it can be found.")
    paper = document.executed.sha256 if document.executed else None
    if sha256 is not None and paper is not None and sha256 != paper:
        raise Refused(f"The signed paper has the SHA-256 {sha256}; the document encodes one with {paper}. One of them is another.")
    if sha256 is None and statement is None:
        sha256 = paper
    if any(named.values()) and sha256 is None and statement is None:
        raise Refused("Say by what it was confirmed: --signed FILE, --signed-sha256 HEX or --statement TEXT.")
    if not any(named.values()) and (signed is not None or statement is not None):
        raise Refused("Say who confirms: --client NAME, --vendor NAME or both.")
    on = on_day.date() if on_day is not None else document.signed_on or at.date()
    if on > at.date():
        raise Refused(f"Nobody has confirmed anything on {on} yet. Give the day on which it was signed or said with --on.")
    if named["client"] and named["client"].casefold() == named["vendor"].casefold():
        raise Refused(f"{named['client']} cannot confirm for both sides. Each side confirms by a person of its own.")
    return [
        Given(side=side, name=name, on=on, document_sha256=sha256, statement=statement)  # type: ignore[arg-type]
        for side, name in named.items()
        if name
    ]


def _put_forward(document: Contract, text: str, *, must_exist: bool = False, **options: Any) -> None:
    at = datetime.now(UTC)
    given = _given(document, options, at)
    as_json, dry_run = options["as_json"], options["dry_run"]
    settings = begin()

    from contracts import agreements  # noqa: PLC0415 - help needs no database
    from vendor_mgmt import agreeing, database  # noqa: PLC0415
    from vendor_mgmt.access import actors  # noqa: PLC0415

    async def store(_server: object) -> PutForward | Preview:
        async with database.transaction() as connection:
            if must_exist:
                await agreements.contract(connection, document.contract)
            if dry_run:
                return await agreeing.preview(connection, document, replaces_later=options["replace_later"])
            return await agreeing.put_forward(
                connection,
                document,
                text,
                given,
                at=at,
                actor=await actors.service(connection),
                reason=options["reason"],
                replaces_later=options["replace_later"],
            )

    done = database.run(settings, store)
    if as_json:
        click.echo(msgspec.json.encode(done))
    elif isinstance(done, agreeing.Preview):
        _tell_preview(done)
        click.echo("Nothing was stored.")
    else:
        _tell_preview(done.preview)
        _tell(done)


def _tell_preview(preview: Preview) -> None:
    if preview.differs_from is not None:
        count = len(preview.differences)
        said = "1 difference:" if count == 1 else f"{count} differences:" if count else "it promises the same."
        click.echo(f"Compared with {preview.differs_from}: {said}")
    for change in preview.differences:
        click.echo(f"- {change}")
    for sentence in preview.consequences:
        click.echo(sentence)
    touched = preview.touched
    if touched.periods:
        first, last = touched.periods[0][0], touched.periods[-1][0]
        which = f"the one from {day_in_words(first)}" if first == last else f"those from {day_in_words(first)} to {day_in_words(last)}"
        periods = "1 closed period is" if len(touched.periods) == 1 else f"{len(touched.periods)} closed periods are"
        click.echo(
            f"{periods} reached, {which}: {touched.issued} issued scorecards get a proposed revision where their figures change, "
            f"and {touched.drafts} drafts are refreshed."
        )


def _tell(done: PutForward) -> None:
    if done.number is None:
        sides = " and the ".join(done.waits_for)
        click.echo(f"{done.contract}: proposal {done.proposal} waits for the {sides}; nothing is judged by it until then.")
        options = " ".join(f'--{side} "NAME"' for side in done.waits_for)
        click.echo(f"  vendor-mgmt contract confirm {done.contract} {options} --signed FILE   (or --statement TEXT)")
        return
    until = "" if done.in_force_until is None else f" until {done.in_force_until}"
    click.echo(f"{done.contract} version {done.number} is agreed and holds from {done.in_force_from}{until} (SHA-256 {done.sha256}).")
    if done.preview.touched.periods:
        click.echo(f"The service closes the periods again; `vendor-mgmt close {done.contract} --since {done.in_force_from}` does so now.")


@click.command("confirm")
@click.argument("code")
@click.option("--proposal", type=int, help="Its number, where several texts wait.")
@click.option("--json", "as_json", is_flag=True, help="Print what became of it.")
@_words_of_both_sides
def confirm(code: str, proposal: int | None, *, as_json: bool, **options: Any) -> None:
    r"""Record that a side confirms the text of CODE that was put forward. With both sides it is agreed, and holds from its first day on.

    \b
    Examples:
      vendor-mgmt contract confirm IB-2026-03 --vendor "Rui Costa" --signed iberia-signed.pdf
      vendor-mgmt contract confirm IB-2026-03 --proposal 7 --client "Ana Reis" --statement "minutes of the board, 3 March" --on 2026-03-03

    \b
    Exit codes:
      0  recorded; it is said whether the version is agreed now
      2  nothing waits for it, the side has confirmed already, or another version is in the way
      3  the database cannot be used
    """
    if not any((options[side] or "").strip() for side in ("client", "vendor")):
        raise Refused("Say who confirms: --client NAME, --vendor NAME or both.")
    settings = begin()

    from contracts import agreements  # noqa: PLC0415 - help needs no database
    from vendor_mgmt import agreeing, database  # noqa: PLC0415
    from vendor_mgmt.access import actors  # noqa: PLC0415

    async def store(_server: object) -> PutForward:
        at = datetime.now(UTC)
        async with database.transaction() as connection:
            found = await _waiting(connection, code, proposal)
            given = _given(agreements.document_of(found.text), options, at)
            return await agreeing.confirm(connection, found.id, given, at=at, actor=await actors.service(connection))

    done = database.run(settings, store)
    if as_json:
        click.echo(msgspec.json.encode(done))
        return
    if done.number is not None:
        _tell_preview(done.preview)
    _tell(done)


@click.command("withdraw")
@click.argument("code")
@click.option("--proposal", type=int, help="Its number, where several texts wait.")
@click.option("--reason", required=True, help="Why, and by whom, for the record.")
@click.option("--json", "as_json", is_flag=True, help="Print the proposal as it is now.")
def withdraw(code: str, proposal: int | None, reason: str, *, as_json: bool) -> None:
    r"""Take back the text of CODE that was put forward and is not agreed. It stays on record, with the reason.

    \b
    Example:
      vendor-mgmt contract withdraw IB-2026-03 --reason "The vendor asks for 94 instead of 95; a new text follows"

    \b
    Exit codes:
      0  withdrawn
      2  nothing waits, or it is agreed already
      3  the database cannot be used
    """
    settings = begin()

    from contracts import queries  # noqa: PLC0415 - help needs no database
    from vendor_mgmt import database  # noqa: PLC0415
    from vendor_mgmt.access import actors  # noqa: PLC0415

    async def store(_server: object) -> Proposal:
        async with database.transaction() as connection:
            found = await _waiting(connection, code, proposal)
            actor = await actors.service(connection)
            return await queries.withdraw(connection, found.id, reason=reason, withdrawn_by=actor, now=datetime.now(UTC))

    done = database.run(settings, store)
    if as_json:
        click.echo(msgspec.json.encode(done))
    else:
        click.echo(f"{done.code}: proposal {done.id} is withdrawn.")


async def _waiting(connection: Any, code: str, number: int | None) -> Proposal:
    """The proposal of a contract that is meant. Raises `NotFound` where it is not one, and only one."""
    from contracts import queries  # noqa: PLC0415 - help needs no database

    proposals = await queries.proposals(connection, code)
    if number is not None:
        found = next((one for one in proposals if one.id == number), None)
        if found is None:
            message = f"proposal {number} is none of {code}"
            raise NotFound(message, f"`vendor-mgmt contract versions {code}` lists them.")
        return found
    waiting = [one for one in proposals if one.is_open]
    if len(waiting) == 1:
        return waiting[0]
    if waiting:
        numbers = ", ".join(f"{one.id} (from {one.in_force_from})" for one in waiting)
        message = f"several texts of {code} wait: {numbers}"
        raise NotFound(message, "Say which with --proposal.")
    message = f"no text of {code} waits to be confirmed"
    raise NotFound(message, "Put one forward with `vendor-mgmt contract agree FILE`.")


class _Confirmed(msgspec.Struct, frozen=True, kw_only=True):
    """One side's word, with the person's name."""

    side: str
    by: str
    on: date
    document_sha256: str | None
    statement: str | None

    def __str__(self) -> str:
        how = f"signed paper {self.document_sha256[:12]}…" if self.document_sha256 is not None else f"“{self.statement}”"
        return f"{self.side}: {self.by} on {self.on}, {how}"


class _Span(msgspec.Struct, frozen=True, kw_only=True):
    from_: date = msgspec.field(name="from")
    until: date | None = None

    def __str__(self) -> str:
        return f"from {self.from_} {'on' if self.until is None else f'until {self.until}'}"


class _Version(msgspec.Struct, frozen=True, kw_only=True):
    """What `contract versions` says of one version."""

    contract: str
    number: int
    name: str
    says: _Span
    holds: _Span | None
    """The days on which it holds, as was known at the moment asked for; null where it no longer does."""
    sha256: str
    agreed_at: datetime
    reason: str | None
    proposal: int | None
    confirmations: list[_Confirmed]


class _Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What it says of a text that is not agreed."""

    contract: str
    proposal: int
    says: _Span
    sha256: str
    proposed_at: datetime
    reason: str | None
    waits_for: list[str]
    withdrawn_at: datetime | None
    withdrawn_because: str | None
    confirmations: list[_Confirmed]


class _Listing(msgspec.Struct, frozen=True, kw_only=True):
    contract: str
    vendor: str
    contracts: list[str]
    """The lineage: every contract of the chain of renewals, from the first."""
    as_of: datetime | None
    versions: list[_Version]
    proposals: list[_Waiting]


@click.command("versions")
@click.argument("code")
@click.option("--as-of", type=MOMENT, help="What was known at this moment (UTC): which versions there were, and the days they held for.")
@click.option("--json", "as_json", is_flag=True, help="Print versions and proposals as JSON.")
def versions(code: str, as_of: datetime | None, *, as_json: bool) -> None:
    r"""List the versions of CODE, of what it renews and of what renews it: the days each holds for, and who confirmed it, when and by what.

    Texts that wait for a side, or were withdrawn, follow.

    \b
    Examples:
      vendor-mgmt contract versions IB-2026-03
      vendor-mgmt contract versions IB-2026-03 --as-of 2026-05-31

    \b
    Exit codes:
      0  listed
      2  there is no such contract
      3  the database cannot be used
    """
    settings = begin()

    from vendor_mgmt import database  # noqa: PLC0415 - help needs no database

    moment = as_of.replace(tzinfo=UTC) if as_of is not None else None

    async def work(_server: object) -> _Listing:
        async with database.transaction() as connection:
            return await _listing(connection, code, moment)

    listing = database.run(settings, work)
    if as_json:
        click.echo(msgspec.json.encode(listing))
        return
    known = f", as was known on {moment:%Y-%m-%d %H:%M} UTC" if moment is not None else ""
    click.echo(f"{' → '.join(listing.contracts)} ({listing.vendor}){known}")
    for one in listing.versions:
        holds = "holds on no day" if one.holds is None else f"holds {one.holds}"
        said = f" (agreed {one.says})" if one.holds is None or str(one.holds) != str(one.says) else ""
        click.echo(f"{one.contract} version {one.number}{f' “{one.name}”' if one.name != str(one.number) else ''} {holds}{said}")
        click.echo(f"  agreed {one.agreed_at:%Y-%m-%d %H:%M} UTC, SHA-256 {one.sha256}{f'; {one.reason}' if one.reason else ''}")
        for word in one.confirmations:
            click.echo(f"  {word}")
        if not one.confirmations:
            click.echo("  agreed before confirmations were recorded")
    for waiting in listing.proposals:
        state = f"waits for the {' and the '.join(waiting.waits_for)}" if waiting.withdrawn_at is None else "was withdrawn"
        because = f": {waiting.withdrawn_because}" if waiting.withdrawn_because else ""
        click.echo(f"{waiting.contract} proposal {waiting.proposal} {waiting.says} {state}{because}")
        click.echo(f"  proposed {waiting.proposed_at:%Y-%m-%d %H:%M} UTC, SHA-256 {waiting.sha256}")
        for word in waiting.confirmations:
            click.echo(f"  {word}")


async def _listing(connection: Any, code: str, as_of: datetime | None) -> _Listing:
    from contracts import agreements, queries  # noqa: PLC0415 - help needs no database
    from vendor_mgmt.access import actors  # noqa: PLC0415

    proposals = await queries.proposals(connection)
    try:
        row = await agreements.contract(connection, code)
    except NotFound:
        # A first text that still waits has no contract yet.
        if not any(one.code == code for one in proposals):
            raise
        codes, held, stored, vendor = [code], [], [], agreements.document_of(
            next(one.text for one in proposals if one.code == code)
        ).vendor
    else:
        codes, vendor = await agreements.chain(connection, row.lineage), row.vendor
        held = await queries.held(connection, row.lineage, as_of=as_of)
        stored = [one for one in await queries.agreed_versions(connection, row.lineage) if as_of is None or one.agreed_at <= as_of]
    named = await actors.names(connection, {word.confirmed_by for one in proposals for word in one.confirmations})

    def words(one: Proposal | None) -> list[_Confirmed]:
        return [
            _Confirmed(
                side=word.side, by=named[word.confirmed_by], on=word.confirmed_on, document_sha256=word.document_sha256,
                statement=word.statement,
            )
            for word in (one.confirmations if one is not None else [])
        ]  # fmt: skip

    spans = {one.version: _Span(from_=one.from_, until=one.until) for one in held}
    by_version = {(one.code, one.number): one for one in proposals if one.number is not None}
    return _Listing(
        contract=code,
        vendor=vendor,
        contracts=codes,
        as_of=as_of,
        versions=[
            _Version(
                contract=one.code,
                number=one.number,
                name=agreements.document_of(one.text).version,
                says=_Span(from_=one.in_force_from, until=one.in_force_until),
                holds=spans.get(one.id),
                sha256=one.sha256,
                agreed_at=one.agreed_at,
                reason=proposed.reason if proposed is not None else None,
                proposal=proposed.id if proposed is not None else None,
                confirmations=words(proposed),
            )
            for one in stored
            for proposed in [by_version.get((one.code, one.number))]
        ],
        proposals=[
            _Waiting(
                contract=one.code,
                proposal=one.id,
                says=_Span(from_=one.in_force_from, until=one.in_force_until),
                sha256=one.sha256,
                proposed_at=one.proposed_at,
                reason=one.reason,
                waits_for=list(one.waits_for),
                withdrawn_at=one.withdrawn_at,
                withdrawn_because=one.withdrawn_because,
                confirmations=words(one),
            )
            for one in proposals
            if one.code in codes and one.number is None and (as_of is None or one.proposed_at <= as_of)
        ],
    )


@click.command("show")
@click.argument("code", required=False)
@click.option("--on", "on_day", type=DAY, help="The version in force on this day; not given, today.")
@click.option("--number", type=int, help="The version with this number, whether it holds or not.")
@click.option("--as-of", type=MOMENT, help="As was known at this moment (UTC), before later amendments.")
@click.option("--json", "as_json", is_flag=True, help="Print a list, or with CODE the document, as JSON.")
def show(code: str | None, on_day: datetime | None, number: int | None, as_of: datetime | None, *, as_json: bool) -> None:
    r"""List the agreed contracts, or print the version of CODE that is in force, byte for byte as it was agreed.

    A line on standard error says which version it is, and for which days it holds.

    \b
    Examples:
      vendor-mgmt contract show
      vendor-mgmt contract show IB-2026-03 --on 2026-04-01
      vendor-mgmt contract show IB-2026-03 --on 2026-04-01 --as-of 2026-04-15

    \b
    Exit codes:
      0  shown
      2  there is no such contract, or none of its versions holds on that day
      3  the database cannot be used
    """
    settings = begin()

    from contracts import agreements, queries  # noqa: PLC0415 - help needs no database
    from vendor_mgmt import database  # noqa: PLC0415

    if code is None:
        _show_all(settings, as_json=as_json)
        return
    day = (on_day or datetime.now(UTC)).date()
    moment = as_of.replace(tzinfo=UTC) if as_of is not None else None

    async def one(_server: object) -> queries.ContractVersion:
        async with database.transaction() as connection:
            if number is not None:
                return await queries.version_numbered(connection, code, number)
            return await queries.version_in_force(connection, code, day, as_of=moment)

    found = database.run(settings, one)
    until = "on" if found.in_force_until is None else f"until {found.in_force_until}"
    click.echo(f"# {code} version {found.number}, from {found.in_force_from} {until}, SHA-256 {found.sha256}", err=True)
    if as_json:
        click.echo(agreements.ENCODER.encode(agreements.document_of(found.text)))
    else:
        click.echo(found.text, nl=not found.text.endswith("\n"))


def _show_all(settings: Any, *, as_json: bool) -> None:
    from contracts import agreements, queries  # noqa: PLC0415 - help needs no database
    from vendor_mgmt import database  # noqa: PLC0415

    async def listing(_server: object) -> list[dict[str, Any]]:
        async with database.transaction() as connection:
            rows: list[dict[str, Any]] = []
            waiting: dict[str, list[dict[str, Any]]] = {}
            for one in await queries.proposals(connection):
                if one.is_open:
                    told = {"proposal": one.id, "from": one.in_force_from, "until": one.in_force_until, "waits_for": one.waits_for}
                    waiting.setdefault(one.code, []).append(told)
            for row in await agreements.contracts(connection):
                held = [one for one in await agreements.versions(connection, row.lineage) if one.contract_id == row.id]
                spans = [{"number": one.number, "from": one.in_force_from, "until": one.in_force_until} for one in held]
                own = {"contract": row.code, "title": row.title, "vendor": row.vendor_name}
                rows.append({**own, "versions": spans, "proposals": waiting.pop(row.code, [])})
            # A first text that waits belongs to no contract yet.
            rows += [{"contract": code, "title": None, "vendor": None, "versions": [], "proposals": of} for code, of in waiting.items()]
            return rows

    rows = database.run(settings, listing)
    if as_json:
        click.echo(msgspec.json.encode(rows))
        return
    for row in rows:
        if row["title"] is not None:
            spans = ", ".join(f"{one['number']} from {one['from']}" for one in row["versions"]) or "none in force"
            click.echo(f"{row['contract']}  {row['title']}  ({row['vendor']}): version {spans}")
        for one in row["proposals"]:
            sides = " and the ".join(one["waits_for"])
            click.echo(f"{row['contract']}: proposal {one['proposal']} from {one['from']} waits for the {sides}")
    if not rows:
        click.echo("No contract is agreed. `vendor-mgmt contract agree FILE` puts one forward.")


@click.command("diff")
@click.argument("old")
@click.argument("new")
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
def diff(old: str, new: str, *, as_json: bool) -> None:
    r"""Say what the contract in NEW promises otherwise than that in OLD, by clause and day.

    Each is a file, CODE@NUMBER for an agreed version, or CODE for the one in force today.

    \b
    Examples:
      vendor-mgmt contract diff iberia-1.yaml iberia-2.yaml
      vendor-mgmt contract diff IB-2026-03@1 IB-2026-03@2
      vendor-mgmt contract diff IB-2026-03 iberia-2.yaml

    \b
    Exit codes:
      0  printed; there may be no difference
      2  one of them is neither a contract's file nor an agreed version
      3  a version was named, and the database cannot be used
    """
    from contracts import differences  # noqa: PLC0415 - help needs none of it

    before, after = _either(old), _either(new)
    if as_json:
        click.echo(msgspec.json.encode(differences.differences(before, after)))
    else:
        click.echo(differences.in_words(before, after), nl=False)


def _either(name: str) -> Contract:
    """The contract in a file, or an agreed version."""
    path = Path(name)
    if path.is_file():
        return read_or_stop(path)
    if path.suffix in (".yaml", ".yml", ".json") or "/" in name:
        raise Refused(f"There is no file {name!r}.")
    settings = begin()

    from contracts import agreements, queries  # noqa: PLC0415 - files need no database
    from vendor_mgmt import database  # noqa: PLC0415

    code, at, number = name.rpartition("@")
    if not at or not number.isdecimal():
        code, number = name, ""

    async def work(_server: object) -> str:
        async with database.transaction() as connection:
            if number:
                return (await queries.version_numbered(connection, code, int(number))).text
            return (await queries.version_in_force(connection, code, datetime.now(UTC).date())).text

    return agreements.document_of(database.run(settings, work))


COMMANDS = (agree, amend, renew, confirm, withdraw, show, versions, diff)

__all__ = ["COMMANDS"]
