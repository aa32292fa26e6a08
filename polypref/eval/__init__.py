"""Thin: checkpoints in, win rates in every language out."""
