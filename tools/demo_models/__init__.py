"""The factory of the miniature world's tiny checkpoints; not in the wheel."""
