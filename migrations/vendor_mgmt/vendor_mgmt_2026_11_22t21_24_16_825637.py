"""Two looks at the feeds at once must not make two tasks of one silence, and what a person changed in a refused row stays on record."""

from vendor_mgmt.migrating import sql_migration

ID = "2026-11-22T21:24:16:825637"
DESCRIPTION = "Keep one open task about the same figures, and repairs as they were"

forwards = sql_migration(
    "vendor_mgmt",
    ID,
    DESCRIPTION,
    up="""
    CREATE UNIQUE INDEX data_task_one_open ON data_task (kind, coalesce(source, 0), coalesce(site, 0), part) WHERE state = 'open';
    CREATE INDEX incoming_waiting ON incoming (source, id) WHERE pull IS NULL;

    CREATE FUNCTION refuse_to_change_row_repair() RETURNS trigger LANGUAGE plpgsql AS $function$
    BEGIN
        RAISE EXCEPTION 'A repair stays on record as it was made; add a further one.' USING ERRCODE = 'restrict_violation';
    END $function$;
    CREATE TRIGGER row_repair_never_changes BEFORE UPDATE OR DELETE ON row_repair
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_row_repair();
    """,
    down="""
    DROP TRIGGER row_repair_never_changes ON row_repair;
    DROP FUNCTION refuse_to_change_row_repair();
    DROP INDEX incoming_waiting, data_task_one_open;
    """,
)
