"""What was promised, as rows: vendors, sites, contracts, their versions, calendars.

No column has a default in the database, and no deletion cascades: a wrong default would be a false statement about a contract, and history
is removed by retention alone. Indexes and constraints that a table class cannot express stand in `migrations/contracts`.
"""

from piccolo.columns import (
    JSONB,
    BigInt,
    Boolean,
    Date,
    ForeignKey,
    Integer,
    OnDelete,
    Serial,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.constraints import Check, Unique
from piccolo.table import Table

from contracts.exclusion import Exclude


class Vendor(Table):
    """Who delivers. An in-house team is a vendor too, so that it is measured in the same way."""

    id = Serial(primary_key=True)
    code = Varchar(length=80, unique=True, default=None)
    name = Text(default=None)
    in_house = Boolean(default=None)
    created_at = Timestamptz(default=None)


class Site(Table):
    """Where work is done. `code` is the name used by contracts, data and pages; a site keeps its code for life, whatever it is called."""

    id = Serial(primary_key=True)
    code = Varchar(length=80, unique=True, default=None)
    name = Text(default=None)
    vendor = ForeignKey(Vendor, null=False, default=None, on_delete=OnDelete.restrict)
    country = Varchar(length=2, null=True, default=None, help_text="ISO 3166-1, two letters")
    time_zone = Varchar(length=64, default=None, help_text="A name of the IANA database")
    region = Text(null=True, default=None)
    calendar = Varchar(length=80, null=True, default=None, help_text="Code of the calendar whose holidays the site keeps")
    created_at = Timestamptz(default=None)


class Contract(Table):
    """One agreement with one vendor.

    `lineage` is the id of the first contract of a chain of renewals (its own id where there is none): a ticket that is open when a contract
    is renewed goes on, and no two versions within a lineage are in force on the same day.
    """

    id = Serial(primary_key=True)
    code = Varchar(length=80, unique=True, default=None)
    title = Text(default=None)
    vendor = ForeignKey(Vendor, null=False, default=None, on_delete=OnDelete.restrict)
    lineage = Integer(default=None, index=True)
    created_at = Timestamptz(default=None)


class ProposedVersion(Table):
    """A text put forward. It becomes a `ContractVersion` when both sides have confirmed it, and nothing is judged by it before.

    Rows are added and never changed: what happens to a proposal is a row of its own, a `Confirmation`, a `Withdrawal` or the version.
    """

    id = Serial(primary_key=True)
    code = Varchar(length=80, default=None, index=True, help_text="The contract, which need not exist yet")
    in_force_from = Date(default=None)
    in_force_until = Date(null=True, default=None)
    document = JSONB(default=None, help_text="The document as read, for queries")
    text = Text(default=None, help_text="The document as written, byte for byte: what is confirmed")
    sha256 = Varchar(length=64, default=None, help_text="Of the text, in hexadecimal")
    executed_sha256 = Varchar(length=64, null=True, default=None, help_text="Of the signed paper the document encodes")
    replaces_later = Boolean(default=None, help_text="It also takes the place of agreed versions that begin later")
    reason = Text(null=True, default=None)
    proposed_at = Timestamptz(default=None)
    proposed_by = BigInt(default=None, help_text="Actor number")

    proposed_version_sha256_is_hexadecimal = Check("sha256 ~ '^[0-9a-f]{64}$'")
    proposed_version_in_force_is_a_span = Check("in_force_until is null or in_force_from < in_force_until")


class Confirmation(Table):
    """That one side agreed to a proposed text: who, when, and by what. Each side confirms once."""

    id = Serial(primary_key=True)
    proposal = ForeignKey(ProposedVersion, null=False, default=None, on_delete=OnDelete.restrict)
    side = Varchar(length=6, default=None)
    confirmed_by = BigInt(default=None, help_text="Actor number of the person who signed or said so")
    confirmed_on = Date(default=None)
    document_sha256 = Varchar(length=64, null=True, default=None, help_text="Of the signed paper, where that is the confirmation")
    statement = Text(null=True, default=None, help_text="Or what was said, and where it can be found")
    recorded_at = Timestamptz(default=None)
    recorded_by = BigInt(default=None, help_text="Actor number of who entered it")

    confirmation_once_a_side = Unique([proposal, side])
    confirmation_by_two_people = Unique([proposal, confirmed_by])
    confirmation_side_is_known = Check("side in ('client', 'vendor')")
    confirmation_by_paper_or_statement = Check("(document_sha256 is null) <> (statement is null)")
    confirmation_sha256_is_hexadecimal = Check("document_sha256 ~ '^[0-9a-f]{64}$'")
    confirmation_statement_says_something = Check("btrim(statement) <> ''")


class Withdrawal(Table):
    """That a proposal was taken back, or refused by a side, before it was agreed."""

    id = Serial(primary_key=True)
    proposal = ForeignKey(ProposedVersion, null=False, default=None, on_delete=OnDelete.restrict, unique=True)
    reason = Text(default=None)
    withdrawn_at = Timestamptz(default=None)
    withdrawn_by = BigInt(default=None, help_text="Actor number")


class ContractVersion(Table):
    """An agreed text, added and never changed. `in_force_from` and `in_force_until` are what the document itself says, half-open; what
    holds after later amendments stands in `VersionInForce`.
    """

    id = Serial(primary_key=True)
    contract = ForeignKey(Contract, null=False, default=None, on_delete=OnDelete.restrict)
    number = Integer(default=None, help_text="1, 2, 3 … within the contract")
    in_force_from = Date(default=None)
    in_force_until = Date(null=True, default=None)
    document = JSONB(default=None, help_text="The document as read, for queries")
    text = Text(default=None, help_text="The document as written, byte for byte")
    sha256 = Varchar(length=64, default=None, help_text="Of the text, in hexadecimal")
    executed_sha256 = Varchar(length=64, null=True, default=None, help_text="Of the signed paper the document encodes")
    agreed_at = Timestamptz(default=None)
    agreed_by = BigInt(default=None, help_text="Actor number")
    reason = Text(null=True, default=None)
    proposal = ForeignKey(
        ProposedVersion, null=True, default=None, on_delete=OnDelete.restrict, unique=True,
        help_text="Whose confirmations made it agreed; null for what was agreed before these were recorded",
    )  # fmt: skip

    contract_version_one_number = Unique([contract, number])
    contract_version_sha256_is_hexadecimal = Check("sha256 ~ '^[0-9a-f]{64}$'")
    contract_version_in_force_is_a_span = Check("in_force_until is null or in_force_from < in_force_until")


class VersionInForce(Table):
    """On which days a version holds, half-open, and since when that is known.

    Agreeing an amendment supersedes the spans it cuts and adds what is left of them; nothing else about a row is ever changed. An exclusion
    constraint keeps the rows that are not superseded from overlapping within a lineage.
    """

    id = Serial(primary_key=True)
    lineage = Integer(default=None)
    version = ForeignKey(ContractVersion, null=False, default=None, on_delete=OnDelete.restrict)
    in_force_from = Date(default=None)
    in_force_until = Date(null=True, default=None)
    known_at = Timestamptz(default=None)
    superseded_at = Timestamptz(null=True, default=None)

    version_in_force_is_a_span = Check("in_force_until is null or in_force_from < in_force_until")
    version_in_force_one_at_a_time = Exclude(
        "int4range(lineage, lineage, '[]') WITH &&, daterange(in_force_from, in_force_until, '[)') WITH &&", where="superseded_at IS NULL"
    )
    version_in_force_superseded_after_known = Check("superseded_at is null or superseded_at >= known_at")


class CalendarVersion(Table):
    """Working hours and holidays, as a versioned document of their own. A deadline stores the id of the version it was counted with."""

    id = Serial(primary_key=True)
    code = Varchar(length=80, default=None)
    number = Integer(default=None, help_text="1, 2, 3 … within the calendar")
    document = JSONB(default=None)
    text = Text(default=None)
    sha256 = Varchar(length=64, default=None)
    known_at = Timestamptz(default=None)
    entered_by = BigInt(default=None, help_text="Actor number")

    calendar_version_one_number = Unique([code, number])
    calendar_version_sha256_is_hexadecimal = Check("sha256 ~ '^[0-9a-f]{64}$'")
