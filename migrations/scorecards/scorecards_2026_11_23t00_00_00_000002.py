"""What makes results quick to find, and an issued scorecard impossible to change."""

from vendor_mgmt.migrating import sql_migration

ID = "2026-11-23T00:00:00:000002"
DESCRIPTION = "Index results, and keep issued revisions from being changed"

forwards = sql_migration(
    "scorecards",
    ID,
    DESCRIPTION,
    up="""
    CREATE INDEX result_of_revision ON result (revision);
    CREATE INDEX payable_of_revision ON payable (revision);
    CREATE INDEX scorecard_of_period ON scorecard (period_from, contract);
    CREATE INDEX revision_of_scorecard ON revision (scorecard, number DESC) INCLUDE (state);

    -- Of an issued revision one thing may still be set: that a later one superseded it.
    CREATE FUNCTION keep_issued_revision() RETURNS trigger LANGUAGE plpgsql AS $function$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            RAISE EXCEPTION 'Revision % was issued and stays.', OLD.id USING ERRCODE = 'restrict_violation';
        END IF;
        IF NEW.state <> 'superseded' OR (to_jsonb(NEW) - 'state') IS DISTINCT FROM (to_jsonb(OLD) - 'state') THEN
            RAISE EXCEPTION 'Revision % was issued and is never changed; write a new revision.', OLD.id
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $function$;
    CREATE TRIGGER revision_issued_stays BEFORE UPDATE OR DELETE ON revision
        FOR EACH ROW WHEN (OLD.state <> 'draft') EXECUTE FUNCTION keep_issued_revision();

    -- Statement by statement, because a close replaces the thousands of rows of a draft at once.
    CREATE FUNCTION keep_issued_rows() RETURNS trigger LANGUAGE plpgsql AS $function$
    BEGIN
        IF EXISTS (SELECT FROM gone JOIN revision ON revision.id = gone.revision WHERE revision.state <> 'draft') THEN
            RAISE EXCEPTION 'Rows of an issued revision in % are never changed.', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NULL;
    END $function$;
    CREATE TRIGGER result_issued_stays AFTER DELETE ON result
        REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION keep_issued_rows();
    CREATE TRIGGER result_never_changes BEFORE UPDATE ON result FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    CREATE TRIGGER payable_issued_stays AFTER DELETE ON payable
        REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION keep_issued_rows();
    CREATE TRIGGER payable_never_changes BEFORE UPDATE ON payable FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    """,
    down="""
    DROP TRIGGER payable_never_changes ON payable;
    DROP TRIGGER payable_issued_stays ON payable;
    DROP TRIGGER result_never_changes ON result;
    DROP TRIGGER result_issued_stays ON result;
    DROP FUNCTION keep_issued_rows();
    DROP TRIGGER revision_issued_stays ON revision;
    DROP FUNCTION keep_issued_revision();
    DROP INDEX revision_of_scorecard, scorecard_of_period, payable_of_revision, result_of_revision;
    """,
)
