"""Trains the tiny checkpoints of the miniature world."""
