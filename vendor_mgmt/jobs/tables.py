"""When work is due, and every time it was done.

`Schedule` says when; `Run` is one firing, unique by schedule and due instant, and is the only truth about whether something happened. The
queue of the library that carries work to workers lives in the schema `queue` and may be emptied at any time without losing a fact.
"""

from piccolo.columns import JSONB, BigInt, BigSerial, Boolean, Date, ForeignKey, OnDelete, Serial, SmallInt, Text, Timestamptz, Varchar
from piccolo.constraints import Check, Unique
from piccolo.table import Table


class Schedule(Table):
    """A rule that makes a kind of work due again and again. Changed at run time; the dispatcher reads it at every tick."""

    id = Serial(primary_key=True)
    name = Varchar(length=160, unique=True, default=None)
    kind = Varchar(length=80, default=None, help_text="Name under which a job function is registered")
    args = JSONB(default=None)
    rule = Text(default=None, help_text="RFC 5545, such as FREQ=DAILY;BYHOUR=6;BYMINUTE=30")
    zone = Varchar(length=64, default=None)
    starts_on = Date(default=None, help_text="Where the rule begins to count")
    catch_up = Varchar(length=10, default=None)
    overlap = Varchar(length=10, default=None)
    priority = SmallInt(default=None)
    attempts_max = SmallInt(default=None)
    serial_key = Text(null=True, default=None, help_text="Runs with the same key never run at the same time")
    enabled = Boolean(default=None)
    dispatched_until = Timestamptz(default=None, help_text="Everything due up to here has been decided")
    changed_at = Timestamptz(default=None)

    schedule_catch_up_is_known = Check("catch_up in ('latest', 'all', 'none')")
    schedule_overlap_is_known = Check("overlap in ('skip', 'queue')")
    schedule_attempts_are_capped = Check("attempts_max between 1 and 20")


class Run(Table):
    """One firing of a schedule, or one piece of work asked for by hand.

    queued -> running -> done | partial | failed; running -> queued when an attempt failed and another is allowed; queued -> skipped where
    the previous run of the schedule is still going; queued -> cancelled by a person. `attempt` is the fence: it grows each time a worker
    takes the run, and results are written in one transaction with a change of state that names it, so a worker that was thought dead
    changes nothing.
    """

    id = BigSerial(primary_key=True)
    schedule = ForeignKey(Schedule, null=True, default=None, on_delete=OnDelete.restrict)
    due_at = Timestamptz(null=True, default=None)
    kind = Varchar(length=80, default=None)
    args = JSONB(default=None)
    state = Varchar(length=10, default=None)
    attempt = SmallInt(default=None)
    attempts_max = SmallInt(default=None)
    priority = SmallInt(default=None)
    serial_key = Text(null=True, default=None)
    worker = Text(null=True, default=None, help_text="Host, process and a random word")
    lease_until = Timestamptz(null=True, default=None)
    not_before = Timestamptz(null=True, default=None)
    progress = JSONB(null=True, default=None)
    result = JSONB(null=True, default=None)
    error = Text(null=True, default=None, help_text="What went wrong, in a sentence for a person; never a traceback")
    job = BigInt(null=True, default=None, help_text="The queue's number of the job that carries it")
    created_at = Timestamptz(default=None)
    created_by = BigInt(null=True, default=None, help_text="Actor number; null for a schedule")
    started_at = Timestamptz(null=True, default=None)
    finished_at = Timestamptz(null=True, default=None)

    run_one_firing = Unique([schedule, due_at])
    run_state_is_known = Check("state in ('queued', 'running', 'done', 'partial', 'failed', 'skipped', 'cancelled')")
    run_running_has_a_lease = Check("state <> 'running' or (lease_until is not null and worker is not null)")
    run_due_with_schedule = Check("(schedule is null) = (due_at is null)")
