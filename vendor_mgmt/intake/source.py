"""The source document: where figures come from, when, and how a row of theirs becomes measurements of ours.

Read like a contract, with `contracts.reading.read(text, Source)`, so that all findings come at once with their lines. A first one is short:

    source: harbour-daily
    owner: client.data
    reader:
      type: http_json
      url: https://reports.harbour.example/v1/daily
      auth: {type: bearer, token: {env: HARBOUR_TOKEN}}
      paging: {type: cursor, parameter: cursor, next: next}
    schedule: {rule: "FREQ=DAILY;BYHOUR=6;BYMINUTE=30", zone: Europe/Lisbon}
    mapping:
      site: {column: site}
      dimensions: {workstream: {column: queue}}
      span: {starts_on: {column: day}}
      measures: {decisions_audited: {column: audited}, decisions_correct: {column: correct}}
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from contracts.errors import RefusedValue
from contracts.period import Grain, UnknownTimeZone, zone_named
from vendor_mgmt.credentials import Secret
from vendor_mgmt.jobs import recurrence

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]
Text = Annotated[str, Meta(min_length=1)]
Then = Literal["refuse", "flag", "stop"]
"""What a check does: keep the rows out, let them in with a remark, or end the pull with nothing stored."""


class Bearer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="bearer"):
    token: Secret


class Basic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="basic"):
    user: Text
    password: Secret


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="api_key"):
    """A key sent in a header of its own. A key in the address would end up in other people's logs, so there is no way to say that."""

    header: Text = "X-Api-Key"
    key: Secret


class OAuth2(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="oauth2_client_credentials"):
    """A token is asked for at `token_url` before each pull, and again when the source answers 401."""

    token_url: Text
    client_id: Text
    client_secret: Secret
    scope: Text | None = None


Auth = Bearer | Basic | ApiKey | OAuth2


class OnePage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="none"):
    """One answer holds everything."""


class PageNumber(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="page_number"):
    """Pages are counted; the first empty page is the end, or the number of pages stands at `pages`."""

    parameter: Text = "page"
    first: Annotated[int, Meta(ge=0)] = 1
    size_parameter: Text | None = None
    size: Annotated[int, Meta(ge=1)] = 1000
    pages: Text | None = None


class Offset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="offset"):
    """Rows are counted; the first empty page is the end, or the number of rows stands at `total`."""

    parameter: Text = "offset"
    size_parameter: Text = "limit"
    size: Annotated[int, Meta(ge=1)] = 1000
    total: Text | None = None


class Cursor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="cursor"):
    """Each answer says at `next` what to send as `parameter` for the following page; nothing there is the end."""

    parameter: Text = "cursor"
    next: Text = "next"


class Link(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="link"):
    """A `Link` header with `rel="next"` names the following page (RFC 8288). It may not lead to another host."""


Paging = OnePage | PageNumber | Offset | Cursor | Link


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the source is told which days are wanted."""

    since: Text | None = None
    until: Text | None = None
    format: Text = "%Y-%m-%d"
    until_means: Literal["first_outside", "last_inside"] = "first_outside"


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a source may cost us. `answer_mb` counts after decompression, so that a small answer cannot grow without bound."""

    timeout_s: Annotated[float, Meta(gt=0, le=600)] = 30
    page_s: Annotated[float, Meta(gt=0, le=3600)] = 300
    answer_mb: Annotated[int, Meta(ge=1, le=1024)] = 64
    pages: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    attempts: Annotated[int, Meta(ge=1, le=20)] = 6
    patience_s: Annotated[float, Meta(gt=0, le=3600)] = 300


class HttpJson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="http_json"):
    """JSON over HTTP. `rows` is the path of the list of rows in an answer (`data.items`); left out, the answer is the list, or holds one
    list of objects. Every word of `parameters` is sent along with every request.
    """

    url: Text
    rows: Text | None = None
    auth: Auth | None = None
    paging: Paging = field(default_factory=OnePage)
    window: Window = field(default_factory=Window)
    parameters: dict[str, str] = {}
    headers: dict[str, str] = {}
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not re.match(r"https?://[^/\s@]+", self.url) or "@" in self.url.split("/")[2]:
            raise RefusedValue(
                f"{self.url!r} is not an http address without a user name",
                "Write https://host/path; credentials go under `auth`.",
                field="url",
            )


class Sftp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A folder on an SFTP server. `host_key` is the server's public key, `ssh-ed25519 AAAA…`: without it, anybody could play the server."""

    host: Text
    user: Text
    host_key: Text
    port: Annotated[int, Meta(ge=1, le=65535)] = 22
    folder: Text = "."
    password: Secret | None = None
    key: Secret | None = None
    """A private key in OpenSSH's format, without a passphrase."""

    def __post_init__(self) -> None:
        _exactly_one(self, ("password", "key"))
        if not re.match(r"(ssh|ecdsa|sk)-[\w@.-]+ [A-Za-z0-9+/=]{40,}", self.host_key):
            raise RefusedValue(
                "`host_key` is no public key",
                "Ask the vendor for the server's key, a line such as `ssh-ed25519 AAAA…`; `ssh-keyscan` shows it too.",
                field="host_key",
            )


class Mailbox(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Attachments of the mails of the last `days` in a mailbox (IMAP), from `senders` only: whole addresses, or `@domain`.

    Anybody can write any sender into a mail. Where the mail server checks senders (DMARC), `verified_by` is the name under which it says so
    in `Authentication-Results`, and mails that did not pass are left alone. The mailbox is only read.
    """

    host: Text
    user: Text
    password: Secret
    senders: Annotated[tuple[Text, ...], Meta(min_length=1)]
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    security: Literal["tls", "starttls", "none"] = "tls"
    folder: Text = "INBOX"
    days: Annotated[int, Meta(ge=1, le=3660)] = 30
    verified_by: Text | None = None

    def __post_init__(self) -> None:
        if wrong := [sender for sender in self.senders if not re.fullmatch(r"[^@\s]*@[^@\s]+", sender)]:
            repair = "Write name@host.example, or @host.example for everybody there."
            raise RefusedValue(f"{wrong[0]!r} is no sender", repair, field="senders")


class _Files(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where files are: in a folder of this machine, at an address, on an SFTP server, or attached to mails.

    A file is read once, and again when it changes. Files may be packed with gzip, whatever their names say.
    """

    folder: Text | None = None
    url: Text | None = None
    sftp: Sftp | None = None
    mailbox: Mailbox | None = None
    settle_s: Annotated[float, Meta(ge=0)] = 10
    """How many seconds a file must have been left alone; one that is younger may still be growing."""
    auth: Auth | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        _exactly_one(self, ("folder", "url", "sftp", "mailbox"))


class Csv(_Files, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="csv"):
    """Separated text: CSV, TSV and their like. Delimiter and encoding are found out unless given."""

    pattern: Text = "*.csv"
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] | None = None
    encoding: Text | None = None


class JsonLines(_Files, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="json_lines"):
    """Text with one JSON object a line."""

    pattern: Text = "*.jsonl"


class Xlsx(_Files, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="xlsx"):
    """Workbooks, as people send them: titles above the table, merged headings, totals below.

    A column under a merged heading is called `heading / column`. Without `sheet`, every sheet that has the mapped columns is read.
    """

    pattern: Text = "*.xlsx"
    sheet: Text | None = None


FileReader = Csv | JsonLines | Xlsx

class PostgreSql(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="postgresql"):
    """Rows of a query on a PostgreSQL database. `:since` and `:until` in the query stand for the days a pull asks for, half-open.

    `address` is a credential as a whole: `postgresql://user:password@host/database`. Give it a user who may only read what is wanted.
    """

    address: Secret
    query: Text
    rows_max: Annotated[int, Meta(ge=1, le=10_000_000)] = 1_000_000
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        query, names = window_of(self.query)
        if not re.match(r"(select|with|values|table)\b", query.lstrip(), re.IGNORECASE):
            raise RefusedValue("the query reads nothing", "Begin it with SELECT or WITH.", field="query")
        if len(names) == 1:
            raise RefusedValue(f"the query asks only for `:{names[0]}`", "Use `:since` and `:until`, or neither.", field="query")

    @property
    def origin(self) -> str:
        return "query"


_IN_SQL = re.compile(r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | ::\w+ | :(since|until)\b""", re.VERBOSE | re.DOTALL)


def window_of(query: str) -> tuple[str, tuple[str, ...]]:
    """A query with numbered parameters in place of `:since` and `:until`, and their names in that order. Quoted text is left alone."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return found[0]
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}::date"

    return _IN_SQL.sub(number, query), tuple(names)


class Webhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="webhook"):
    """Signed messages that the source sends to `/hooks/SOURCE` by itself, in the format of Standard Webhooks.

    Several `secrets` hold at once while one is being replaced. `rows` is the path of the list of rows; left out, the body is the list, or
    holds one list of objects, or is a single row.
    """

    secrets: Annotated[tuple[Secret, ...], Meta(min_length=1, max_length=5)]
    rows: Text | None = None
    tolerance_s: Annotated[int, Meta(ge=1, le=3600)] = 300
    """How old a message may be when it comes; a copy of one that is older is refused."""
    limits: Limits = field(default_factory=Limits)


class Manual(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="manual"):
    """Figures that people type in or upload. Each time the source's schedule falls due, that becomes a task of the owner's, due after
    `due_h` hours.
    """

    asked_of: Literal["client", "vendor"] = "client"
    due_h: Annotated[int, Meta(ge=1, le=24 * 62)] = 48
    limits: Limits = field(default_factory=Limits)


HandedIn = Webhook | Manual

Reader = HttpJson | FileReader | PostgreSql | Webhook | Manual
"""A further kind of reader is a further class here and a branch of `intake.pull`."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the source is pulled: an RFC 5545 rule on the clock of `zone`.

    `catch_up` says what becomes of firings during which nothing ran; every pull reads on from where the last complete one ended, so
    `latest` loses nothing. `overlap` says what happens if the previous pull is still going.
    """

    rule: Text
    zone: Text
    at: time | None = None
    """Time of day, for a rule that names no hour."""
    starts_on: date | None = None
    catch_up: Literal["latest", "all", "none"] = "latest"
    overlap: Literal["skip", "queue"] = "skip"

    def __post_init__(self) -> None:
        if self.at is not None and "BYHOUR" in self.rule.upper():
            raise RefusedValue("the rule names an hour and `at` another", "Write one of the two.", field="at")
        wrong = [finding for finding in recurrence.check(self.recurrence) if finding.severity == "error"]
        if wrong:
            field_name = "zone" if wrong[0].path.endswith("zone") else "rule"
            raise RefusedValue(wrong[0].message, wrong[0].repair, field=field_name)

    @property
    def full_rule(self) -> str:
        """The rule with the time of day said in it."""
        if self.at is None:
            return self.rule
        return f"{self.rule};BYHOUR={self.at.hour};BYMINUTE={self.at.minute};BYSECOND={self.at.second}"

    @property
    def recurrence(self) -> recurrence.Recurrence:
        starts = datetime.combine(self.starts_on or date(2000, 1, 1), time(0))
        return recurrence.Recurrence(rrule=self.full_rule, zone=self.zone, starts=starts)


class Cell(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A word of a row: what stands in `column` (in JSON also a path, `site.code`), translated by the code list `codes`; or a `constant`."""

    column: Text | None = None
    constant: Text | None = None
    codes: Text | None = None

    def __post_init__(self) -> None:
        _exactly_one(self, ("column", "constant"))


class Day(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A date in `column`; `format` in the words of `strptime`, left out for ISO dates and real dates of a workbook."""

    column: Text | None = None
    constant: date | None = None
    format: Text | None = None

    def __post_init__(self) -> None:
        _exactly_one(self, ("column", "constant"))


class Moment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A moment in `column`, ISO 8601 unless `format` says otherwise; without an offset it is read on the clock of `zone`."""

    column: Text
    format: Text | None = None
    zone: Text | None = None

    def __post_init__(self) -> None:
        if self.zone is not None:
            try:
                zone_named(self.zone)
            except UnknownTimeZone as error:
                raise RefusedValue(str(error), field="zone") from None


class Span(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What span a value is for. `grain` is the same for all rows, or stands in a column (`grain: {column: grain}`).

    `day_of` is the day of a moment on the clocks of its `zone`: for rows that are single events.
    """

    starts_on: Day | None = None
    starts_at: Moment | None = None
    day_of: Moment | None = None
    grain: Grain | Cell = "day"

    def __post_init__(self) -> None:
        _exactly_one(self, ("starts_on", "starts_at", "day_of"))
        if self.day_of is not None and (self.day_of.zone is None or self.grain != "day"):
            raise RefusedValue("`day_of` is a day in a `zone`", "Name the zone whose days are counted, and no grain.", field="day_of")
        if isinstance(self.grain, str) and (self.grain in ("15m", "30m", "hour")) != (self.starts_at is not None):
            raise RefusedValue(
                f"a grain of {self.grain} does not go with `{'starts_at' if self.starts_at else 'starts_on'}`",
                "Spans shorter than a day begin at a moment (`starts_at`), the others on a day (`starts_on`).",
                field="grain",
            )


class Number(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number in `column`, multiplied by `scale`.

    Text is read with `decimal` as its decimal sign; what groups digits and a percent sign are taken off (a percentage is 0 to 100). The
    words of `missing` mean that there is no value, which is not zero.
    """

    column: Text
    scale: Decimal = Decimal(1)
    decimal: Literal[".", ","] = "."
    missing: tuple[str, ...] = ("", "-", "–", "n/a", "N/A", "NULL", "null")
    n: Text | None = None

    def __post_init__(self) -> None:
        if not self.scale.is_finite() or self.scale == 0:
            raise RefusedValue(f"a scale of {self.scale} loses every value", "Write a number other than 0.", field="scale")


class Code(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Their name for something of ours, on the days `from` to `until` (half-open; left out: always)."""

    theirs: str
    ours: Text
    from_: date | None = field(default=None, name="from")
    until: date | None = None

    def __post_init__(self) -> None:
        if self.from_ is not None and self.until is not None and self.from_ >= self.until:
            raise RefusedValue(f"the code {self.theirs!r} is valid on no day", "`until` is the first day outside.", field="until")


class Unpivot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Columns that stand beside each other and mean the same: `EN`, `PT`, `ES`. Each becomes a row of its own, as if its heading stood in a
    column called `heading` and its cell in one called `value`. A column that a row does not have makes no row.
    """

    columns: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=500)]
    heading: Text = "heading"
    value: Text = "value"


class Where(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a column of an event has to be: one of some words, in whatever case, or a number within bounds. An empty cell is neither."""

    column: Text
    one_of: tuple[Text, ...] = ()
    at_least: Decimal | None = None
    above: Decimal | None = None
    at_most: Decimal | None = None
    below: Decimal | None = None

    def __post_init__(self) -> None:
        has_bounds = any(bound is not None for bound in (self.at_least, self.above, self.at_most, self.below))
        if bool(self.one_of) == has_bounds:
            raise RefusedValue("a condition needs either `one_of` or bounds", "Write one of the two.")


class Counted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A measure made from events: how many there are that meet every condition of `where`; or the `sum` of a column of theirs; or how many
    different ones there are in a `distinct` column.
    """

    where: tuple[Where, ...] = ()
    sum: Number | None = None
    distinct: Text | None = None

    def __post_init__(self) -> None:
        if self.sum is not None and self.distinct is not None:
            raise RefusedValue("a measure is either a `sum` or counts what is `distinct`", "Write one of the two.")


class Histogram(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many events fall between the `edges` of a column: `measures` has one name more than there are edges. An edge belongs to the bin
    below it.
    """

    column: Text
    edges: Annotated[tuple[Decimal, ...], Meta(min_length=1, max_length=100)]
    measures: tuple[Text, ...]

    def __post_init__(self) -> None:
        if list(self.edges) != sorted(set(self.edges)):
            raise RefusedValue("the edges do not rise", "Write them from the smallest to the largest.", field="edges")
        if len(self.measures) != len(self.edges) + 1:
            wanted = len(self.edges) + 1
            raise RefusedValue(f"{len(self.edges)} edges make {wanted} bins", f"Name {wanted} measures.", field="measures")


class Events(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows that are single events (cases, decisions, audits), to be counted into days. `key` tells them apart: an event that comes again
    counts once, as it came last.
    """

    key: Text
    counts: dict[str, Counted] = {}
    histograms: tuple[Histogram, ...] = ()

    def __post_init__(self) -> None:
        names = [*self.counts, *(name for one in self.histograms for name in one.measures)]
        if not names:
            raise RefusedValue("nothing is counted", "Name measures under `counts` or `histograms`.")
        if len(set(names)) != len(names):
            raise RefusedValue("a measure is counted twice", "Give each its own name.")

    @property
    def measures(self) -> dict[str, Counted]:
        """Every measure and how it is counted, those of histograms too."""
        found = dict(self.counts)
        for one in self.histograms:
            for name, above, at_most in zip(one.measures, (None, *one.edges), (*one.edges, None), strict=True):
                found[name] = Counted(where=(Where(column=one.column, above=above, at_most=at_most),))
        return found


class Persons(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Columns with keys of persons. On arrival they become pseudonyms, made with a secret `key`, which are good for nothing but being
    counted by `distinct`, and are forgotten after 30 days.
    """

    columns: Annotated[tuple[Text, ...], Meta(min_length=1)]
    key: Secret


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a row becomes measurements.

    Long rows name their measure: `measure` and `value`. Wide rows have a column for each: `measures`, from our names to their columns;
    where it is a dimension that goes across, `unpivot` makes long rows of them. Rows that are single events are counted: `events`.
    `known_at` is when the source published the row; of two rows about one span the later counts.
    """

    site: Cell
    span: Span
    dimensions: dict[str, Cell] = {}
    measure: Cell | None = None
    value: Number | None = None
    measures: dict[str, Number] = {}
    events: Events | None = None
    unpivot: Unpivot | None = None
    known_at: Moment | None = None

    def __post_init__(self) -> None:
        if bool(self.measures) + (self.measure is not None) + (self.events is not None) != 1:
            raise RefusedValue(
                "a mapping needs `measure` and `value` (a measure named in each row), `measures` (a column for each) or `events`",
                "Write one of the three.",
            )
        if self.events is not None and (self.unpivot is not None or self.span.day_of is None):
            raise RefusedValue("events are counted into the days they happen on", "Say `span: {day_of: …}`, and no `unpivot`.")
        if (self.measure is None) != (self.value is None):
            raise RefusedValue("`measure` and `value` go together", "Say in which column the value stands, and what it measures.")


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A check on what came. `then` says what becomes of a finding; `measures` narrows a check to these measures.

    Of single rows: `future` (on by default) finds spans that have not begun; `negative` (on by default, but for money) values below zero;
    `range` values outside `at_least` and `at_most`; `whole` values that are no whole numbers. `unreadable` and `unknown` (sites, measures,
    codes) are always refused, and here may be said to stop the pull.

    Of rows together: `part_of` (on by default) finds a part larger than what it is part of, as the contract's measures say; `adds_up` parts
    (`measures`) whose sum is not their `total`, by more than `tolerance`; `duplicate` (on by default) rows that contradict an earlier one
    of the same pull; `frozen` a series with the same value `times` in a row, while its `volume` moves (left out: what it is part of);
    `jump` a value more than `band` times its usual one, or less than its `band`-th; `zero` a zero where the usual value is at least
    `usual`; `closed` something new about a span whose scorecard is issued; `missing` days without any row of a site, of the `sites` that
    are expected (left out: all that ever delivered) on the `weekdays` that are (left out: every day).
    """

    check: Literal[
        "part_of", "adds_up", "duplicate", "future", "closed", "negative", "range", "whole", "frozen", "jump", "zero", "missing",
        "unreadable", "unknown",
    ]  # fmt: skip
    then: Then = "refuse"
    measures: tuple[str, ...] = ()
    at_least: Decimal | None = None
    at_most: Decimal | None = None
    total: Text | None = None
    tolerance: Decimal = Decimal(0)
    times: Annotated[int, Meta(ge=3, le=366)] = 14
    volume: Text | None = None
    band: Decimal = Decimal(5)
    usual: Decimal = Decimal(20)
    sites: tuple[str, ...] = ()
    weekdays: tuple[Weekday, ...] = ()

    def __post_init__(self) -> None:
        if self.check == "range" and self.at_least is None and self.at_most is None:
            raise RefusedValue("a range needs `at_least`, `at_most` or both", "Write one of the bounds.")
        if self.check == "missing" and self.then == "refuse":
            raise RefusedValue("rows that are missing cannot be refused", "Write `then: flag` or `then: stop`.", field="then")
        if self.check in ("unreadable", "unknown") and self.then == "flag":
            raise RefusedValue("what cannot be read cannot be let in", "Write `then: refuse` or `then: stop`.", field="then")
        if self.check == "adds_up" and (self.total is None or len(self.measures) < 2):
            raise RefusedValue("parts that add up need a `total` and at least two `measures`", "Name the measures by our names.")
        if self.check == "adds_up" and self.total in self.measures:
            raise RefusedValue(f"{self.total!r} is both a part and the total", "Leave it out of `measures`.", field="measures")
        if self.check == "jump" and self.band <= 1:
            raise RefusedValue(f"a band of {self.band} leaves no value inside", "Write a number above 1.", field="band")
        if self.tolerance < 0:
            raise RefusedValue("a tolerance below zero lets nothing pass", "Write 0 or more.", field="tolerance")


DEFAULT_CHECKS = (Check(check="future"), Check(check="negative"), Check(check="duplicate"), Check(check="part_of"))


class Freshness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How old the newest data may be, in hours after the end of their span, before somebody is told."""

    late_after_h: Annotated[int, Meta(ge=1, le=24 * 366)] = 48
    due_h: Annotated[int, Meta(ge=1, le=24 * 62)] = 24
    """How many hours the owner has to see to it."""


class Rows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows that are no data. In files, a row whose first mapped cell is one of `totals` adds others up, and one that is empty but for a
    single cell is a note; both are skipped.

    What stands in a row's place and has no columns waits in quarantine as it came, so that somebody can see what it was. Where such a text
    could name people, `broken: forget` keeps only the reason.
    """

    broken: Literal["keep", "forget"] = "keep"

    totals: tuple[str, ...] = (
        "total", "totals", "grand total", "sum", "subtotal", "overall", "all sites", "gesamt", "summe", "gesamtergebnis",
        "total general", "totale", "total général", "ogólem", "razem", "итого",
    )  # fmt: skip


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source as its document says it."""

    source: Name
    owner: Text
    reader: Reader
    mapping: Mapping
    title: Text | None = None
    vendor: Text | None = None
    schedule: Schedule | None = None
    persons: Persons | None = None
    columns: tuple[Text, ...] | None = None
    """Columns that may be kept in raw answers and quarantine. Left out: those the mapping uses. All others are dropped on arrival."""
    codes: dict[str, tuple[Code, ...]] = {}
    checks: tuple[Check, ...] = ()
    rows: Rows = field(default_factory=Rows)
    first_day: date | None = None
    """Where the first pull begins. Left out: wherever the source begins."""
    restates_days: Annotated[int, Meta(ge=0, le=3660)] = 7
    """How many days before the watermark are read again, because sources correct themselves."""
    repairs_days: Annotated[int, Meta(ge=0, le=3660)] = 62
    """How far back a pull reaches for rows that an earlier pull refused."""
    freshness: Freshness = field(default_factory=Freshness)

    def __post_init__(self) -> None:
        used = set(self.mapped_columns)
        if self.columns is not None and (left_out := sorted(used - set(self.columns))):
            raise RefusedValue(
                f"the mapping uses {_listed(left_out)}, which `columns` does not list",
                "Add it to `columns`, or map another column.",
                field="columns",
            )
        people = set() if self.persons is None else set(self.persons.columns)
        distinct = set() if self.mapping.events is None else {one.distinct for one in self.mapping.events.counts.values() if one.distinct}
        if people and (elsewhere := sorted(people & (self._mapped_without_distinct | set(self.columns or ())))):
            repair = "People are counted and not scored; take the column out of there."
            raise RefusedValue(f"{_listed(elsewhere)} is a key of persons, and is used for more than `distinct`", repair, field="persons")
        if people and not people <= distinct:
            raise RefusedValue(f"{_listed(sorted(people - distinct))} is counted nowhere", "Leave it out, so that it never comes in.")
        lists = {cell.codes for cell in self._cells() if cell.codes is not None}
        if unknown := sorted(lists - set(self.codes)):
            raise RefusedValue(f"there is no code list {_listed(unknown)}", "Write it under `codes`.", field="mapping")

    @property
    def mapped_columns(self) -> tuple[str, ...]:
        """The columns the mapping uses, in order of use, without repetition."""
        names = self._used()
        events, unpivot = self.mapping.events, self.mapping.unpivot
        if events is not None:
            names += [counted.distinct for counted in events.measures.values()]
        if unpivot is not None:
            names = [name for name in names if name not in (unpivot.heading, unpivot.value)] + list(unpivot.columns)
        return tuple(dict.fromkeys(name for name in names if name is not None))

    @property
    def _mapped_without_distinct(self) -> set[str]:
        return {name for name in self._used() if name is not None}

    def _used(self) -> list[str | None]:
        mapping = self.mapping
        names: list[str | None] = [cell.column for cell in self._cells()]
        span = mapping.span.starts_on or mapping.span.starts_at or mapping.span.day_of
        names.append(None if span is None else span.column)
        for number in (mapping.value, *mapping.measures.values()):
            if number is not None:
                names += [number.column, number.n]
        if mapping.events is not None:
            names.append(mapping.events.key)
            for counted in mapping.events.measures.values():
                names += [one.column for one in counted.where]
                names += [] if counted.sum is None else [counted.sum.column]
        if mapping.known_at is not None:
            names.append(mapping.known_at.column)
        return names

    @property
    def kept_columns(self) -> tuple[str, ...]:
        """The columns that are kept, mapped ones first."""
        return tuple(dict.fromkeys((*self.mapped_columns, *(self.columns or ()))))

    @property
    def checks_in_force(self) -> tuple[Check, ...]:
        """The checks of the document, and those of `DEFAULT_CHECKS` about which it says nothing."""
        said = {check.check for check in self.checks}
        return (*(check for check in DEFAULT_CHECKS if check.check not in said), *self.checks)

    def _cells(self) -> list[Cell]:
        grain = self.mapping.span.grain
        return [
            self.mapping.site,
            *self.mapping.dimensions.values(),
            *([self.mapping.measure] if self.mapping.measure else []),
            *([grain] if isinstance(grain, Cell) else []),
        ]


class Draft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source document of which only the reader is written yet: enough to look at what comes, and to propose the rest."""

    source: Name
    reader: HttpJson | Csv | JsonLines | Xlsx | PostgreSql
    owner: Text | None = None
    title: Text | None = None
    vendor: Text | None = None
    schedule: Schedule | None = None


def _exactly_one(struct: Any, fields: tuple[str, ...]) -> None:
    given = [name for name in fields if getattr(struct, name) is not None]
    if len(given) != 1:
        names = " or ".join(f"`{name}`" for name in fields)
        found = "neither is given" if not given else f"{' and '.join(given)} are given"
        raise RefusedValue(f"{names} is wanted, and {found}", "Write exactly one of them.")


def _listed(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
