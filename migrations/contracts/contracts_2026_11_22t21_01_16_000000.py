"""What was proposed, confirmed and agreed stays: no change, no deletion, no emptying of the tables.

From here on a version can only be added for a proposal that both sides have confirmed. A release that does not record confirmations can go
on serving meanwhile; it can agree nothing more.
"""

from vendor_mgmt.migrating import sql_migration

ID = "2026-11-22T21:01:16:000000"
DESCRIPTION = "Keep agreed versions from being removed, and from being agreed without both confirmations"

KEPT = ("contract_version", "calendar_version", "version_in_force", "proposed_version", "confirmation", "withdrawal")
NEW = ("proposed_version", "confirmation", "withdrawal")

forwards = sql_migration(
    "contracts",
    ID,
    DESCRIPTION,
    up="".join(  # noqa: S608 - from the names above alone
        f"""
    CREATE TRIGGER {table}_never_changes BEFORE UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_agreed();
    """
        for table in NEW
    )
    + "".join(
        f"""
    CREATE TRIGGER {table}_stays BEFORE DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_agreed();
    """
        for table in KEPT
    )
    + """
    CREATE TRIGGER contract_keeps_its_lineage BEFORE UPDATE OF id, code, vendor, lineage ON contract
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_agreed();

    -- A span is superseded once, and stays superseded.
    CREATE TRIGGER version_in_force_superseded_once BEFORE UPDATE ON version_in_force
        FOR EACH ROW WHEN (OLD.superseded_at IS NOT NULL OR NEW.superseded_at IS NULL) EXECUTE FUNCTION refuse_to_change_agreed();

    CREATE FUNCTION refuse_version_without_both_sides() RETURNS trigger LANGUAGE plpgsql AS $function$
    BEGIN
        IF NOT EXISTS (
            SELECT FROM proposed_version p JOIN contract c ON c.id = NEW.contract
            WHERE p.id = NEW.proposal AND p.code = c.code AND p.sha256 = NEW.sha256 AND p.text = NEW.text
              AND (SELECT count(*) FROM confirmation WHERE proposal = p.id) = 2
              AND NOT EXISTS (SELECT FROM withdrawal WHERE proposal = p.id)
        ) THEN
            RAISE EXCEPTION 'A version is agreed by both sides: it needs a proposal of the same text that client and vendor have confirmed.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $function$;
    CREATE TRIGGER contract_version_agreed_by_both BEFORE INSERT ON contract_version
        FOR EACH ROW EXECUTE FUNCTION refuse_version_without_both_sides();
    """,
    down="""
    DROP TRIGGER contract_version_agreed_by_both ON contract_version;
    DROP FUNCTION refuse_version_without_both_sides();
    DROP TRIGGER version_in_force_superseded_once ON version_in_force;
    DROP TRIGGER contract_keeps_its_lineage ON contract;
    """
    + "".join(f"    DROP TRIGGER {table}_stays ON {table};\n" for table in KEPT)
    + "".join(f"    DROP TRIGGER {table}_never_changes ON {table};\n" for table in NEW),
)
