"""What was delivered and what came of it, as rows.

Measurements come first. They are kept narrow, because there are tens of millions of them: everything that a hundred daily values have in
common stands once, in `Series`. Their partial and covering indexes stand in `migrations/scorecards`.
"""

from piccolo.columns import (
    JSONB,
    BigInt,
    BigSerial,
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

from contracts.tables import Site


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

    one_series = Unique([site, measure, dims_key], name="series_one_series")


class Measurement(Table):
    """One value of one series for one span, and since when it is known.

    Added, never changed; the one thing set later is `superseded_at`, when a later value takes its place. A row is current while that is null.
    `value` null means missing: delivered as empty. That is neither zero nor the absence of a row.

    `series` is no declared foreign key: a trigger per row would cost a quarter of every pull. Rows are written by one statement that joins
    `series`, and a trigger on `series` refuses to delete or renumber one that has measurements.
    """

    id = BigSerial(primary_key=True)
    series = Integer(default=None)
    starts_on = Date(default=None, help_text="First day of the span, in the zone the source reports in")
    grain = SmallInt(default=None, help_text="Length of the span, see scorecards.measurement_queries.GRAINS")
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

    grain_is_known = Check("grain between 1 and 8", name="measurement_grain_is_known")
    moment_for_short_spans = Check("(starts_at is not null) = (grain <= 3)", name="measurement_moment_for_short_spans")
    value_is_a_number = Check("value <> 'NaN' and value not in ('Infinity', '-Infinity')", name="measurement_value_is_a_number")
    superseded_after_known = Check("superseded_at is null or superseded_at > known_at", name="measurement_superseded_after_known")
    has_an_origin = Check("(pull is null) <> (actor is null)", name="measurement_has_an_origin")
    entry_has_a_reason = Check("actor is null or reason is not null", name="measurement_entry_has_a_reason")


class Knowledge(Table):
    """The moment of the newest measurement, in one row.

    Whoever stores measurements moves it forward in the same transaction, and so waits for everybody else who does. Two things follow: later
    knowledge always bears a later moment, even if the machine's clock is set back; and once the row can be read, nothing that bears an
    earlier moment is still on its way, so what was known "as of" it never changes.
    """

    id = Integer(primary_key=True, default=None)
    moment = Timestamptz(default=None)

    only_one = Check("id = 1", name="knowledge_only_one")
