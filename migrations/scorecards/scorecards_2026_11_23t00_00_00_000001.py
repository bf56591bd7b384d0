"""What makes measurements quick to add up, and impossible to rewrite.

`measurement_current` keeps one current row per span, and holds everything that adding a contract's series up needs, now or as of a past
moment, so that PostgreSQL reads no row of the table. It leads with the series, because a close adds up one contract at a time; an index that
leads with the day would make every close look at everybody's days, and cost every pull a second index.
Superseded rows have an index of their own: there are few of them, and the current ones should not pay for them.
"""

from vendor_mgmt.migrating import sql_migration

ID = "2026-11-23T00:00:00:000001"
DESCRIPTION = "Index measurements, and keep them from being changed"

forwards = sql_migration(
    "scorecards",
    ID,
    DESCRIPTION,
    up="""
    CREATE UNIQUE INDEX measurement_current ON measurement (series, starts_on, grain, starts_at) INCLUDE (value, known_at)
        NULLS NOT DISTINCT WHERE superseded_at IS NULL;
    CREATE INDEX measurement_by_moment ON measurement (starts_at, series) INCLUDE (grain, value, known_at)
        WHERE superseded_at IS NULL AND starts_at IS NOT NULL;
    CREATE INDEX measurement_superseded ON measurement (starts_on, series) INCLUDE (grain, value, known_at, superseded_at)
        WHERE superseded_at IS NOT NULL;
    CREATE INDEX measurement_of_pull ON measurement USING brin (pull);

    CREATE INDEX series_of_measure ON series (measure, site);
    CREATE INDEX series_with_dimensions ON series USING gin (dimensions jsonb_path_ops);

    INSERT INTO knowledge (id, moment) VALUES (1, clock_timestamp());

    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $function$
    BEGIN
        RAISE EXCEPTION 'A stored row of % is never changed or renumbered; add a new one.', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END $function$;

    -- Without columns in common with the statement these cost nothing, so setting superseded_at is as quick as before.
    CREATE TRIGGER measurement_never_changes
        BEFORE UPDATE OF id, series, starts_on, grain, starts_at, value, n, known_at, reported_at, pull, row_number, actor, reason
        ON measurement FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    CREATE TRIGGER measurement_superseded_once BEFORE UPDATE OF superseded_at ON measurement
        FOR EACH ROW WHEN (OLD.superseded_at IS NOT NULL) EXECUTE FUNCTION refuse_change();
    CREATE TRIGGER series_never_changes BEFORE UPDATE ON series FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

    CREATE FUNCTION refuse_to_orphan_measurements() RETURNS trigger LANGUAGE plpgsql AS $function$
    BEGIN
        IF EXISTS (SELECT FROM measurement WHERE series = OLD.id) THEN
            RAISE EXCEPTION 'Series % has measurements.', OLD.id USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END $function$;

    CREATE TRIGGER series_with_measurements_stays BEFORE DELETE ON series
        FOR EACH ROW EXECUTE FUNCTION refuse_to_orphan_measurements();
    """,
    down="""
    DROP TRIGGER series_with_measurements_stays ON series;
    DROP FUNCTION refuse_to_orphan_measurements();
    DROP TRIGGER series_never_changes ON series;
    DROP TRIGGER measurement_superseded_once ON measurement;
    DROP TRIGGER measurement_never_changes ON measurement;
    DROP FUNCTION refuse_change();
    DELETE FROM knowledge;
    DROP INDEX series_with_dimensions, series_of_measure;
    DROP INDEX measurement_of_pull, measurement_superseded, measurement_by_moment, measurement_current;
    """,
)
