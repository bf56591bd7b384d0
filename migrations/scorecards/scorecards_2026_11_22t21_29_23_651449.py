"""Notes belong to a revision as results do: quick to find, and of an issued revision never changed."""

from vendor_mgmt.migrating import sql_migration

ID = "2026-11-22T21:29:23:651449"
DESCRIPTION = "Keep the notes of an issued revision from being changed"

forwards = sql_migration(
    "scorecards",
    ID,
    DESCRIPTION,
    up="""
    CREATE INDEX note_of_revision ON note (revision);
    CREATE TRIGGER note_issued_stays AFTER DELETE ON note
        REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION keep_issued_rows();
    CREATE TRIGGER note_never_changes BEFORE UPDATE ON note FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    """,
    down="""
    DROP TRIGGER note_never_changes ON note;
    DROP TRIGGER note_issued_stays ON note;
    DROP INDEX note_of_revision;
    """,
)
