"""The tables of the work queue, which are Procrastinate's own.

They live in a schema of their own. Procrastinate's functions name its tables without a schema, so each is told where to look; otherwise a
call from a connection that looks elsewhere, which all of ours are, would not find them.

The schema's comment names the last of Procrastinate's own migrations that is included. When a newer Procrastinate brings more (a test
notices), they are applied by a new migration of ours, which also renews the comment.
"""

from importlib import resources

from vendor_mgmt.migrating import sql_migration

ID = "2026-01-01T00:00:00:000000"
DESCRIPTION = "Create the work queue"
INCLUDED = "03.04.00_50_post_add_retry_failed_job_procedure.sql"


def queue_schema() -> str:
    return f"""
    CREATE SCHEMA IF NOT EXISTS queue;
    SET LOCAL search_path TO queue;

    {(resources.files("procrastinate") / "sql" / "schema.sql").read_text(encoding="utf-8")};

    DO $alter$
    DECLARE function regprocedure;
    BEGIN
        FOR function IN SELECT oid FROM pg_proc WHERE pronamespace = 'queue'::regnamespace LOOP
            EXECUTE format('ALTER FUNCTION %s SET search_path TO queue, pg_temp', function);
        END LOOP;
    END $alter$;

    COMMENT ON SCHEMA queue IS 'procrastinate {INCLUDED}';
    SET LOCAL search_path TO DEFAULT;
    """  # noqa: S608  (nothing in it comes from outside)


forwards = sql_migration(
    "vendor_mgmt",
    ID,
    DESCRIPTION,
    up=queue_schema,
    # The schema itself stays: the rights on it are not a migration's.
    down="""
    DROP SCHEMA queue CASCADE;
    """,
)
