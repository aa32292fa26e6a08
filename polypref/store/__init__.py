"""Where work is kept: every answer by its request, tables in parts, the lock and the resolved revisions of a work dir."""
