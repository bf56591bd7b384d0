"""What the dispatcher, the workers and the quarantine look for, and one running piece of work per serial key."""

from vendor_mgmt.migrating import sql_migration

ID = "2026-11-23T00:00:00:000001"
DESCRIPTION = "Index runs, pulls and quarantine; run one piece of work per serial key at a time"

forwards = sql_migration(
    "vendor_mgmt",
    ID,
    DESCRIPTION,
    up="""
    CREATE UNIQUE INDEX run_one_running_per_key ON run (serial_key) WHERE state = 'running';
    CREATE INDEX run_open ON run (state, id) WHERE state IN ('queued', 'running');
    CREATE INDEX run_of_kind ON run (kind, id);

    CREATE INDEX pull_of_source ON pull (source, id);
    CREATE INDEX refused_row_open ON refused_row (source, starts_on) WHERE state = 'open';
    CREATE INDEX source_of_vendor ON source (vendor);

    -- The content is compressed already; trying again at every write only takes time.
    ALTER TABLE raw_answer ALTER COLUMN content SET STORAGE EXTERNAL;

    CREATE FUNCTION refuse_to_change_source_version() RETURNS trigger LANGUAGE plpgsql AS $function$
    BEGIN
        RAISE EXCEPTION 'A version of a source is never changed; add a further one.' USING ERRCODE = 'restrict_violation';
    END $function$;
    CREATE TRIGGER source_version_never_changes BEFORE UPDATE ON source_version
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_source_version();
    """,
    down="""
    DROP TRIGGER source_version_never_changes ON source_version;
    DROP FUNCTION refuse_to_change_source_version();
    ALTER TABLE raw_answer ALTER COLUMN content SET STORAGE EXTENDED;
    DROP INDEX source_of_vendor, refused_row_open, pull_of_source, run_of_kind, run_open, run_one_running_per_key;
    """,
)
