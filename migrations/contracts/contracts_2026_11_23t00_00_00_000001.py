"""Agreed texts are added, never changed; the rest are indexes for looking things up the other way round."""

from vendor_mgmt.migrating import sql_migration

ID = "2026-11-23T00:00:00:000001"
DESCRIPTION = "Keep agreed versions from being changed; index sites and contracts by vendor"

forwards = sql_migration(
    "contracts",
    ID,
    DESCRIPTION,
    up="""
    CREATE INDEX site_of_vendor ON site (vendor);
    CREATE INDEX contract_of_vendor ON contract (vendor);
    CREATE INDEX version_in_force_of_version ON version_in_force (version);

    CREATE FUNCTION refuse_to_change_agreed() RETURNS trigger LANGUAGE plpgsql AS $function$
    BEGIN
        RAISE EXCEPTION 'An agreed % is never changed; agree a further one.', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END $function$;

    CREATE TRIGGER contract_version_never_changes BEFORE UPDATE ON contract_version
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_agreed();
    CREATE TRIGGER calendar_version_never_changes BEFORE UPDATE ON calendar_version
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_agreed();
    CREATE TRIGGER version_in_force_never_changes BEFORE UPDATE OF id, lineage, version, in_force_from, in_force_until, known_at
        ON version_in_force FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_agreed();
    """,
    down="""
    DROP TRIGGER version_in_force_never_changes ON version_in_force;
    DROP TRIGGER calendar_version_never_changes ON calendar_version;
    DROP TRIGGER contract_version_never_changes ON contract_version;
    DROP FUNCTION refuse_to_change_agreed();
    DROP INDEX version_in_force_of_version, contract_of_vendor, site_of_vendor;
    """,
)
