"""What was delivered and what came of it, as rows.

Measurements come first. They are kept narrow, because there are tens of millions of them: everything that a hundred daily values have in
common stands once, in `Series`. Their partial and covering indexes stand in `migrations/scorecards`.
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
    Numeric,
    OnDelete,
    Serial,
    SmallInt,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.constraints import Check, Unique
from piccolo.table import Table

from contracts.tables import Contract, ContractVersion, Site, Vendor


class Series(Table):
    """One measure of one site, split by one combination of dimensions. Never changed, never renumbered.

    `dims_key` is the canonical JSON text of the dimensions (keys sorted, no spaces), so that equality is equality of text; `dimensions` is
    the same as JSONB, for filtering and grouping.
    """

    id = Serial(primary_key=True)
    site = ForeignKey(Site, null=False, default=None, on_delete=OnDelete.restrict)
    measure = Varchar(length=120, default=None)
    dims_key = Text(default=None)
    dimensions = JSONB(default=None)

    series_one_series = Unique([site, measure, dims_key])


class Measurement(Table):
    """One value of one series for one span, and since when it is known.

    Added, never changed; the one thing set later is `superseded_at`, when a later value takes its place. A row is current while it is null.
    `value` null means missing: delivered as empty. That is neither zero nor the absence of a row.

    `series` is no declared foreign key: a trigger per row would cost a quarter of every pull. Rows are written by one statement that joins
    `series`, and a trigger on `series` refuses to delete or renumber one that has measurements.
    """

    id = BigSerial(primary_key=True)
    series = Integer(default=None)
    starts_on = Date(default=None, help_text="First day of the span, in the zone the source reports in")
    grain = SmallInt(default=None, help_text="Length of the span, see scorecards.series.GRAINS")
    starts_at = Timestamptz(null=True, default=None, help_text="First moment of a span shorter than a day; null for days and longer")
    value = Numeric(null=True, default=None)
    n = Numeric(null=True, default=None, help_text="Sample behind a reported value, where known")
    known_at = Timestamptz(default=None, help_text="When we stored it")
    superseded_at = Timestamptz(null=True, default=None)
    reported_at = Timestamptz(null=True, default=None, help_text="When the source says it published it, where it says so")
    pull = BigInt(null=True, default=None, help_text="The pull that brought it; null for a manual entry")
    row_number = Integer(null=True, default=None, help_text="The row of that pull, counted from 1")
    actor = BigInt(null=True, default=None, help_text="Actor number of who entered or corrected it by hand")
    reason = Text(null=True, default=None)

    measurement_grain_is_known = Check("grain between 1 and 8")
    measurement_moment_for_short_spans = Check("(starts_at is not null) = (grain <= 3)")
    measurement_value_is_a_number = Check("value <> 'NaN' and value not in ('Infinity', '-Infinity')")
    measurement_superseded_after_known = Check("superseded_at is null or superseded_at > known_at")
    measurement_has_an_origin = Check("(pull is null) <> (actor is null)")
    measurement_entry_has_a_reason = Check("actor is null or reason is not null")


class Knowledge(Table):
    """The moment of the newest measurement, in one row.

    Whoever stores measurements moves it forward in the same transaction, and so waits for everybody else who does. Two things follow: later
    knowledge always bears a later moment, even if the machine's clock is set back; and once the row can be read, nothing that bears an
    earlier moment is still on its way, so what was known "as of" it never changes.
    """

    id = Integer(primary_key=True, default=None)
    moment = Timestamptz(default=None)

    knowledge_only_one = Check("id = 1")


class ScorecardNumber(Table):
    """The last number given in a vendor's series of one year, so that a gap in one vendor's numbers says nothing about another's."""

    id = Serial(primary_key=True)
    vendor = ForeignKey(Vendor, null=False, default=None, on_delete=OnDelete.restrict)
    year = Integer(default=None)
    last = Integer(default=None)

    scorecard_number_one_series = Unique([vendor, year])


class Scorecard(Table):
    """What one contract's period came to for one site; its content stands in its revisions. `site` null: the contract as a whole."""

    id = BigSerial(primary_key=True)
    contract = ForeignKey(Contract, null=False, default=None, on_delete=OnDelete.restrict)
    site = ForeignKey(Site, null=True, default=None, on_delete=OnDelete.restrict)
    period_from = Date(default=None)
    period_until = Date(default=None)
    number = Varchar(length=80, unique=True, default=None, help_text="In the vendor's own series")
    created_at = Timestamptz(default=None)

    scorecard_one_per_period = Unique([contract, site, period_from], nulls_distinct=False)
    scorecard_period_is_a_span = Check("period_from < period_until")


class Revision(Table):
    """One state of a scorecard, entire. A draft is refreshed when its data change; what was issued is never changed again.

    `content` is the document `scorecard/1` as JSON, compressed; `sha256` is of the JSON before compression and is printed on the page.
    """

    id = BigSerial(primary_key=True)
    scorecard = ForeignKey(Scorecard, null=False, default=None, on_delete=OnDelete.restrict)
    number = Integer(default=None, help_text="0 for the first")
    state = Varchar(length=12, default=None)
    score = Numeric(null=True, default=None)
    standing = Text(null=True, default=None)
    credit = Numeric(null=True, default=None)
    bonus = Numeric(null=True, default=None)
    currency = Varchar(length=3, default=None)
    engine = Varchar(length=20, default=None)
    data_as_of = Timestamptz(default=None, help_text="Nothing learned after this moment is in it")
    prepared_at = Timestamptz(default=None)
    issued_at = Timestamptz(null=True, default=None)
    issued_by = BigInt(null=True, default=None, help_text="Actor number")
    sha256 = Varchar(length=64, default=None)
    content = Bytea(default=None, help_text="zlib")

    revision_one_number = Unique([scorecard, number])
    revision_state_is_known = Check("state in ('draft', 'issued', 'superseded')")
    revision_issued_has_who_and_when = Check("(state = 'draft') = (issued_at is null) and (issued_at is null) = (issued_by is null)")
    revision_sha256_is_hexadecimal = Check("sha256 ~ '^[0-9a-f]{64}$'")


class RevisionProposal(Table):
    """That an issued scorecard should be revised, why, by how much, and what a person decided. At most one is open for a scorecard.

    While it is open the revision proposed stands beside the issued one as a draft. When figures move again the proposal is *replaced* by a
    further one, and it *lapses* when they come back to what was issued. Decided is decided: of a row only the decision is ever set.
    """

    id = BigSerial(primary_key=True)
    scorecard = ForeignKey(Scorecard, null=False, default=None, on_delete=OnDelete.restrict)
    issued = Integer(default=None, help_text="Number of the revision that stands")
    number = Integer(default=None, help_text="Number of the revision that is proposed")
    figures_sha256 = Varchar(length=64, default=None, help_text="Of what the revision says, so that what was declined does not come back")
    version = ForeignKey(
        ContractVersion, null=True, default=None, on_delete=OnDelete.restrict,
        help_text="The contract version that judges and did not judge what was issued; null where figures or relief changed",
    )  # fmt: skip
    score_before = Numeric(null=True, default=None)
    score_after = Numeric(null=True, default=None)
    credit_before = Numeric(null=True, default=None)
    credit_after = Numeric(null=True, default=None)
    proposed_at = Timestamptz(default=None)
    decision = Varchar(length=8, null=True, default=None)
    decided_at = Timestamptz(null=True, default=None)
    decided_by = BigInt(null=True, default=None, help_text="Actor number; null where it was replaced or lapsed")
    reason = Text(null=True, default=None)

    revision_proposal_decision_is_known = Check("decision in ('issued', 'declined', 'replaced', 'lapsed')")
    revision_proposal_decided_has_when = Check("(decision is null) = (decided_at is null)")
    revision_proposal_person_decides = Check("(decided_by is not null) = (coalesce(decision, '') in ('issued', 'declined'))")
    revision_proposal_declined_with_reason = Check("coalesce(decision, '') <> 'declined' or btrim(coalesce(reason, '')) <> ''")
    revision_proposal_comes_after = Check("number > issued")


class Result(Table):
    """One verdict of a revision, in columns, for heat maps, trends and the periods that look back at it.

    Numbers that are judged are kept as the two counts, exactly; `value` is cut for showing.
    """

    id = BigSerial(primary_key=True)
    revision = ForeignKey(Revision, null=False, default=None, on_delete=OnDelete.restrict, index=False)
    kpi = Varchar(length=80, default=None)
    dims_key = Text(default=None, help_text="Canonical JSON of the dimensions")
    period_from = Date(default=None)
    period_until = Date(default=None)
    version = Varchar(length=40, default=None)
    status = Varchar(length=14, default=None)
    numerator = Numeric(null=True, default=None)
    denominator = Numeric(null=True, default=None)
    value = Numeric(null=True, default=None)
    target = Numeric(null=True, default=None)
    met = Boolean(null=True, default=None)
    level = Text(null=True, default=None)
    levels = JSONB(default=None, help_text="Every level in force by name, so that later rules compare with what held then")
    score = Numeric(null=True, default=None)
    points = Numeric(null=True, default=None)
    streak = Integer(default=None)
    accumulated = Integer(default=None, help_text="Periods whose counts the value rests on")
    is_relieved = Boolean(default=None, help_text="Relief took something out of it")
    value_without_relief = Numeric(null=True, default=None, help_text="What it would have been; rights may look at it")
    levels_without_relief = JSONB(null=True, default=None, help_text="The levels that relief eased, as they would stand without it")
    cases = Numeric(null=True, default=None, help_text="While counts accumulate, how many cases there are so far")

    result_status_is_known = Check(
        "status in ('measured', 'no_data', 'no_volume', 'not_measured', 'accumulating', 'relieved')"
    )


class Payable(Table):
    """What one rule gave one scope in one period, after limits: the start of the credit ledger."""

    id = BigSerial(primary_key=True)
    revision = ForeignKey(Revision, null=False, default=None, on_delete=OnDelete.restrict)
    rule = Text(default=None)
    kind = Varchar(length=16, default=None)
    kpi = Varchar(length=80, null=True, default=None)
    dims_key = Text(default=None)
    amount = Numeric(default=None, help_text="In the contract's currency, positive")
    currency = Varchar(length=3, default=None)
    payable_in = Date(null=True, default=None)

    full_amount = Numeric(null=True, default=None, help_text="Before anything limited it")
    names = Text(null=True, default=None, help_text="JSON list: what a cap may call it by")
    period_from = Date(null=True, default=None, help_text="Of the part of the period that it arose in")
    period_until = Date(null=True, default=None)

    payable_kind_is_one_of_five = Check("kind in ('credit', 'bonus', 'earned_back', 'carried', 'carried_bonus')")
    payable_is_positive = Check("amount >= 0")


class Note(Table):
    """What a period leaves for later ones besides results and amounts: a cap that was reached, a bank, what is owed on the next invoice."""

    id = BigSerial(primary_key=True)
    revision = ForeignKey(Revision, null=False, default=None, on_delete=OnDelete.restrict)
    kind = Varchar(length=16, default=None)
    rule = Text(default=None)
    kpi = Varchar(length=80, null=True, default=None)
    dims_key = Text(default=None)
    amount = Numeric(default=None, help_text="Money, percent of a base, or a score, as the kind says")
    base = Text(null=True, default=None, help_text="The base of the next period that the percentage is of")
    until = Date(null=True, default=None, help_text="First day on which it is no longer good")
    period_from = Date(default=None)
    period_until = Date(default=None)

    note_kind_is_known = Check("kind in ('at_cap', 'credit_of_next', 'bonus_of_next', 'banked', 'owed', 'score')")
