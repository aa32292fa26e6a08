"""Evaluation: checkpoints in, their win rates in every language and a report out."""
