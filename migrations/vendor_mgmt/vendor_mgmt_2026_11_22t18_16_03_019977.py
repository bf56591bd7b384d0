"""What keeps two processes from opening the same ticket twice, a history from being rewritten, and sweeps from reading everything."""

from vendor_mgmt.migrating import sql_migration

ID = "2026-11-22T18:16:03:019977"
DESCRIPTION = "Keep one open ticket per key, a history that only grows, and the indexes of sweep and outbox"

forwards = sql_migration(
    "vendor_mgmt",
    ID,
    DESCRIPTION,
    up="""
    -- The guard behind everything else: however many processes close the same month, one running problem is one open ticket.
    CREATE UNIQUE INDEX ticket_one_open_per_key ON ticket (key_digest) WHERE closed_at IS NULL;
    CREATE INDEX ticket_of_lineage ON ticket (lineage, id);
    CREATE INDEX ticket_of_vendor ON ticket (vendor, opened_at);
    CREATE INDEX ticket_due ON ticket (next_due_at, id) WHERE closed_at IS NULL;
    CREATE INDEX ticket_with_dimensions ON ticket USING gin (dimensions jsonb_path_ops);
    CREATE INDEX ticket_grouped ON ticket (dimensions_text);

    CREATE INDEX ticket_event_of_period ON ticket_event (ticket, sequence) WHERE period_from IS NOT NULL;
    CREATE UNIQUE INDEX deadline_one_open_per_name ON deadline (ticket, name) WHERE state = 'open';
    CREATE INDEX deadline_of_ticket ON deadline (ticket, id);

    CREATE INDEX outbox_waiting ON outbox (channel, id) WHERE state = 'pending' AND claimed_until IS NULL;
    CREATE INDEX outbox_claimed ON outbox (claimed_until) WHERE state = 'pending' AND claimed_until IS NOT NULL;
    CREATE INDEX outbox_unsettled ON outbox (stream, channel, recipient, id) WHERE state IN ('pending', 'dead', 'uncertain');
    CREATE INDEX outbox_held ON outbox (held_for) WHERE held_for IS NOT NULL AND state = 'pending';

    CREATE FUNCTION refuse_to_change_ticket_event() RETURNS trigger LANGUAGE plpgsql AS $function$
    BEGIN
        RAISE EXCEPTION 'The history of a ticket is never changed; add a further event.' USING ERRCODE = 'restrict_violation';
    END $function$;
    CREATE TRIGGER ticket_event_never_changes BEFORE UPDATE ON ticket_event
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_ticket_event();
    """,
    down="""
    DROP TRIGGER ticket_event_never_changes ON ticket_event;
    DROP FUNCTION refuse_to_change_ticket_event();
    DROP INDEX outbox_held, outbox_unsettled, outbox_claimed, outbox_waiting;
    DROP INDEX deadline_of_ticket, deadline_one_open_per_name, ticket_event_of_period;
    DROP INDEX ticket_grouped, ticket_with_dimensions, ticket_due, ticket_of_vendor, ticket_of_lineage, ticket_one_open_per_key;
    """,
)
