"""One open proposal for each scorecard; of a proposal only the decision is set, and only once."""

from vendor_mgmt.migrating import sql_migration

ID = "2026-11-22T20:49:15:000000"
DESCRIPTION = "Keep proposals of revisions, one open at a time"

forwards = sql_migration(
    "scorecards",
    ID,
    DESCRIPTION,
    up="""
    CREATE UNIQUE INDEX revision_proposal_one_open ON revision_proposal (scorecard) WHERE decision IS NULL;
    CREATE INDEX revision_proposal_of_scorecard ON revision_proposal (scorecard);

    CREATE FUNCTION keep_revision_proposal() RETURNS trigger LANGUAGE plpgsql AS $function$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF OLD.decision IS NULL AND NEW.decision IS NOT NULL
               AND (to_jsonb(NEW) - '{decision,decided_at,decided_by,reason}'::text[])
                   = (to_jsonb(OLD) - '{decision,decided_at,decided_by,reason}'::text[]) THEN
                RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION 'Proposal % of a revision stays as it was made and decided.', OLD.id USING ERRCODE = 'restrict_violation';
    END $function$;
    CREATE TRIGGER revision_proposal_stays BEFORE UPDATE OR DELETE ON revision_proposal
        FOR EACH ROW EXECUTE FUNCTION keep_revision_proposal();
    """,
    down="""
    DROP TRIGGER revision_proposal_stays ON revision_proposal;
    DROP FUNCTION keep_revision_proposal();
    DROP INDEX revision_proposal_of_scorecard, revision_proposal_one_open;
    """,
)
