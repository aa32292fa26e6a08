"""Thin: a published revision in, a checkpoint with its model card out, through TRL."""
