"""Where figures come from: sources, pulls, raw answers, refused rows, relief.

Indexes and constraints that a table class cannot express stand in `migrations/vendor_mgmt`.
"""

from piccolo.columns import (
    JSONB,
    BigInt,
    BigSerial,
    Boolean,
    Bytea,
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

from contracts.tables import Contract, Site, Vendor
from vendor_mgmt.jobs.tables import Run


class Source(Table):
    """Where measurements are pulled from. What it is like stands in its newest `SourceVersion`."""

    id = Serial(primary_key=True)
    code = Varchar(length=80, unique=True, default=None)
    title = Text(default=None)
    vendor = ForeignKey(Vendor, null=True, default=None, on_delete=OnDelete.restrict)
    enabled = Boolean(default=None)
    watermark_on = Date(null=True, default=None, help_text="Everything before this day has been read completely; never moves back")
    last_attempt_at = Timestamptz(null=True, default=None)
    last_success_at = Timestamptz(null=True, default=None)
    created_at = Timestamptz(default=None)


class Credential(Table):
    """A secret of a source, encrypted with a key that is not in the database. It is used and never shown."""

    id = Serial(primary_key=True)
    name = Varchar(length=80, unique=True, default=None)
    locked = Bytea(default=None, secret=True, help_text="Fernet")
    set_at = Timestamptz(default=None)
    set_by = BigInt(default=None, help_text="Actor number")


class SourceVersion(Table):
    """The document that describes a source, as it was from one moment on."""

    id = Serial(primary_key=True)
    source = ForeignKey(Source, null=False, default=None, on_delete=OnDelete.restrict)
    number = Integer(default=None)
    document = JSONB(default=None)
    text = Text(default=None)
    sha256 = Varchar(length=64, default=None)
    known_at = Timestamptz(default=None)
    entered_by = BigInt(null=True, default=None, help_text="Actor number")

    source_version_one_number = Unique([source, number])


class Pull(Table):
    """One reading of one source: what was asked for, what came, what became of it."""

    id = BigSerial(primary_key=True)
    run = ForeignKey(Run, null=False, default=None, on_delete=OnDelete.restrict, index=True)
    attempt = Integer(default=None, help_text="The attempt of the run")
    source = ForeignKey(Source, null=False, default=None, on_delete=OnDelete.restrict)
    version = ForeignKey(SourceVersion, null=False, default=None, on_delete=OnDelete.restrict)
    window_from = Date(null=True, default=None, help_text="First day asked for; null: everything the source has")
    window_until = Date(null=True, default=None, help_text="First day not asked for")
    is_backfill = Boolean(default=None, help_text="Asked for with a range; never moves the watermark")
    reason = Text(null=True, default=None)
    state = Varchar(length=10, default=None)
    is_dry_run = Boolean(default=None, help_text="Asked what would change; nothing was stored")
    is_complete = Boolean(null=True, default=None, help_text="Whether the source was read to its end")
    watermark_on = Date(null=True, default=None, help_text="The source's watermark after this pull")
    known_at = Timestamptz(null=True, default=None, help_text="The moment its measurements bear")
    pages = Integer(null=True, default=None)
    rows_read = BigInt(null=True, default=None)
    added = BigInt(null=True, default=None)
    changed = BigInt(null=True, default=None)
    unchanged = BigInt(null=True, default=None)
    refused = BigInt(null=True, default=None)
    touched = JSONB(null=True, default=None, help_text="Sites and the spans in which something changed")
    started_at = Timestamptz(default=None)
    finished_at = Timestamptz(null=True, default=None)

    pull_one_attempt = Unique([run, attempt])
    pull_state_is_known = Check("state in ('running', 'done', 'partial', 'failed')")
    pull_finished_has_counts = Check(
        "state not in ('done', 'partial') or (added is not null and changed is not null and unchanged is not null and refused is not null "
        "and known_at is not null and is_complete is not null)"
    )


class RawAnswer(Table):
    """What a source answered, reduced to the columns that may be kept, compressed, named by its content. Repeated answers are kept once."""

    id = BigSerial(primary_key=True)
    sha256 = Varchar(length=64, unique=True, default=None, help_text="Of the uncompressed content")
    size_bytes = BigInt(default=None, help_text="Uncompressed")
    content = Bytea(null=True, default=None, help_text="zlib; null after its retention time")
    kept_at = Timestamptz(default=None)


class PullAnswer(Table):
    """Which answers a pull rests on, in order."""

    id = BigSerial(primary_key=True)
    pull = ForeignKey(Pull, null=False, default=None, on_delete=OnDelete.restrict)
    number = Integer(default=None)
    answer = ForeignKey(RawAnswer, null=True, default=None, on_delete=OnDelete.restrict, index=True)
    origin = Text(default=None, help_text="Address without credentials, or file name")
    received_sha256 = Varchar(length=64, null=True, default=None, help_text="Of the bytes as received, before columns were dropped")
    received_bytes = BigInt(default=None)
    first_row = Integer(default=None)
    rows_read = Integer(default=None)

    pull_answer_one_number = Unique([pull, number])


class SourceFile(Table):
    """Files, and answers known by their address, that were taken in without any refused row, so that they are not read again until they
    change.
    """

    id = BigSerial(primary_key=True)
    source = ForeignKey(Source, null=False, default=None, on_delete=OnDelete.restrict)
    version = ForeignKey(SourceVersion, null=False, default=None, on_delete=OnDelete.restrict)
    name = Text(default=None)
    sha256 = Varchar(length=64, default=None)
    mark = Text(null=True, default=None, help_text="By what its place knows it again: ETag, size and time of change, number of the mail")
    pull = ForeignKey(Pull, null=False, default=None, on_delete=OnDelete.restrict)

    source_file_one_content = Unique([source, version, name, sha256])


class Incoming(Table):
    """Something that was handed in instead of being fetched: a signed message, an uploaded file, a row typed in. Each id is taken once.

    Its rows, reduced to the columns that may be kept, wait here until a pull takes them in; from then on they are in its raw answer.
    """

    id = BigSerial(primary_key=True)
    source = ForeignKey(Source, null=False, default=None, on_delete=OnDelete.restrict)
    message_id = Varchar(length=200, default=None, help_text="The sender's own number for it; of a file its SHA-256")
    kind = Varchar(length=10, default=None)
    sha256 = Varchar(length=64, default=None, help_text="Of the bytes as received")
    received_bytes = BigInt(default=None)
    rows_handed_in = Integer(default=None)
    content = Bytea(null=True, default=None, help_text="zlib of a JSON list of rows; null once a pull has taken them in")
    sent_at = Timestamptz(null=True, default=None, help_text="When the sender says it was sent, where that is signed")
    received_at = Timestamptz(default=None)
    actor = BigInt(null=True, default=None, help_text="Actor number of who handed it in; null for a machine")
    pull = ForeignKey(Pull, null=True, default=None, on_delete=OnDelete.restrict, index=True)

    incoming_one_message = Unique([source, message_id])
    incoming_kind_is_known = Check("kind in ('webhook', 'upload', 'entry')")
    incoming_waits_or_is_taken = Check("(content is null) = (pull is not null)")


class DataTask(Table):
    """Figures that somebody has to see to: to be entered by hand until a moment, or late.

    open -> done, when they came or somebody says that it is settled; -> withdrawn, when they are no longer asked for.
    """

    id = BigSerial(primary_key=True)
    kind = Varchar(length=10, default=None)
    source = ForeignKey(Source, null=True, default=None, on_delete=OnDelete.restrict, help_text="Null: no source ever brought them")
    site = ForeignKey(Site, null=True, default=None, on_delete=OnDelete.restrict, help_text="Null: every site of the source")
    part = Varchar(length=80, default=None, help_text="The workstream; empty where figures are about the whole site")
    measures = JSONB(default=None)
    title = Text(default=None)
    owner = Text(default=None, help_text="A role of the client's or the vendor's, never a person's name")
    asked_of = Varchar(length=10, default=None)
    newest_on = Date(null=True, default=None, help_text="First day of the newest span that had a value when the task was opened")
    opened_at = Timestamptz(default=None)
    due_at = Timestamptz(default=None)
    state = Varchar(length=10, default=None)
    closed_at = Timestamptz(null=True, default=None)
    closed_by = BigInt(null=True, default=None, help_text="Actor number; null where the figures came")
    note = Text(null=True, default=None)

    data_task_kind_is_known = Check("kind in ('entry', 'late')")
    data_task_asked_of_is_known = Check("asked_of in ('client', 'vendor')")
    data_task_state_is_known = Check("state in ('open', 'done', 'withdrawn')")
    data_task_closed_has_a_moment = Check("(state = 'open') = (closed_at is null)")


class RefusedRow(Table):
    """Quarantine: a row that was not believed, with what it said and why. Personal columns never get here: they were dropped before.

    open -> replaced, when a later pull read its span again; -> replayed, when it was mapped anew and went in; -> dismissed, by a person.
    """

    id = BigSerial(primary_key=True)
    pull = ForeignKey(Pull, null=False, default=None, on_delete=OnDelete.restrict, index=True)
    source = ForeignKey(Source, null=False, default=None, on_delete=OnDelete.restrict)
    row_number = Integer(null=True, default=None)
    starts_on = Date(null=True, default=None, help_text="Where the row could be read that far")
    raw_row = JSONB(default=None, help_text="Column names and what stood in them")
    check_name = Varchar(length=40, default=None)
    reason = Text(default=None)
    state = Varchar(length=10, default=None)
    settled_at = Timestamptz(null=True, default=None)
    settled_by_pull = ForeignKey(Pull, null=True, default=None, on_delete=OnDelete.restrict)
    settled_by = BigInt(null=True, default=None, help_text="Actor number")

    refused_row_state_is_known = Check("state in ('open', 'replaced', 'replayed', 'dismissed')")
    refused_row_settled_has_a_moment = Check("(state = 'open') = (settled_at is null)")


class RowRepair(Table):
    """What a person changed in a refused row before it was mapped anew, or which check was overruled. The row itself stays as it came."""

    id = BigSerial(primary_key=True)
    refused_row = ForeignKey(RefusedRow, null=False, default=None, on_delete=OnDelete.restrict, index=True)
    changes = JSONB(default=None, help_text="Column names and what was written into them; {} where nothing was")
    overruled = Varchar(length=40, null=True, default=None, help_text="The check that the row was let in against")
    pull = ForeignKey(Pull, null=False, default=None, on_delete=OnDelete.restrict, index=True, help_text="The replay that mapped it anew")
    actor = BigInt(default=None, help_text="Actor number")
    reason = Text(default=None)
    repaired_at = Timestamptz(default=None)


class PullFinding(Table):
    """What a check had to say about a pull as a whole, or about rows it let in."""

    id = BigSerial(primary_key=True)
    pull = ForeignKey(Pull, null=False, default=None, on_delete=OnDelete.restrict, index=True)
    check_name = Varchar(length=40, default=None)
    then = Varchar(length=10, default=None)
    message = Text(default=None)
    rows_concerned = BigInt(default=None)

    pull_finding_then_is_known = Check("\"then\" in ('refuse', 'flag', 'stop')")


class SiteFreshness(Table):
    """How far a source's data reach for a site. One row per pair, brought up to date by every pull."""

    id = BigSerial(primary_key=True)
    source = ForeignKey(Source, null=False, default=None, on_delete=OnDelete.restrict)
    site = ForeignKey(Site, null=False, default=None, on_delete=OnDelete.restrict)
    newest_on = Date(default=None, help_text="Newest first day of a span that has a value")
    arrived_at = Timestamptz(default=None)

    site_freshness_one_pair = Unique([source, site])


class ReliefClaim(Table):
    """A claim that a span should not count, or not fully, for a KPI, and what was decided. Only approved relief reaches scoring.

    The claim itself is never changed; the decision is set once. Who decides is never who claimed.
    """

    id = BigSerial(primary_key=True)
    contract = ForeignKey(Contract, null=False, default=None, on_delete=OnDelete.restrict, index=True)
    site = ForeignKey(Site, null=True, default=None, on_delete=OnDelete.restrict, help_text="Null: every site of the contract")
    kpi = Varchar(length=80, null=True, default=None, help_text="Null: every KPI")
    dimensions = JSONB(default=None, help_text="Narrows the claim; {} where it is not narrowed")
    cause = Text(default=None)
    relief_from = Date(default=None)
    relief_until = Date(default=None)
    effect = Varchar(length=20, default=None)
    evidence = Text(null=True, default=None, help_text="Case numbers and links; never moderated content")
    claimed_by = BigInt(default=None, help_text="Actor number")
    claimed_at = Timestamptz(default=None)
    notice_due_at = Timestamptz(null=True, default=None)
    state = Varchar(length=10, default=None)
    decided_by = BigInt(null=True, default=None, help_text="Actor number")
    decided_at = Timestamptz(null=True, default=None)
    decision = Text(null=True, default=None, help_text="The reasons, for both parties")

    relief_claim_span_is_half_open = Check("relief_from < relief_until")
    relief_claim_effect_is_one_of_four = Check("effect in ('drop_span', 'drop_period', 'cancel_money', 'lower_target')")
    relief_claim_state_is_known = Check("state in ('claimed', 'approved', 'rejected', 'withdrawn')")
    relief_claim_decided_with_state = Check(
        "(state in ('approved', 'rejected')) = (decided_by is not null) and (decided_by is null) = (decided_at is null)"
    )
    relief_claim_approver_is_not_claimant = Check("decided_by is null or decided_by <> claimed_by")
