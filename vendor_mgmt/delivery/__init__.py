"""Everything that leaves the database: the outbox, and the channels that empty it."""
