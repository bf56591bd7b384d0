"""Sources, readers, mapping, checks, quarantine, pulls and watermarks, relief claims."""
