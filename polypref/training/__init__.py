"""Preference training: published data in, a checkpoint with its model card out. TRL does the training."""
