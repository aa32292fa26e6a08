"""Where work is kept: answers by request, tables in parts, the lock and pinned models of a work dir."""
