"""Where work is kept: answers by their requests, tables in parts, the lock and pinned models of a work dir."""
