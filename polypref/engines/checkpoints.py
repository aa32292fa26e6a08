"""Engines with a checkpoint: loading it by transformers, and batches of token ids as tensors."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from polypref.config import Config
from polypref.store.revisions import ResolvedModel, hub_errors

if TYPE_CHECKING:
    import torch


class CheckpointEngine:
    """An engine with a pinned model, whose weights its first request loads."""

    config: Config

    def __init__(self, config: Config, name: str, model: ResolvedModel) -> None:
        self.name, self.config, self.resolved = name, config, model
        self.fingerprint = model.fingerprint(config.identity())

    @cached_property
    def tokenizer(self) -> Any:
        return load_tokenizer(self.resolved)


def choose_device(device: str) -> str:
    """Return the first accelerator for "auto", or the CPU if there is none."""
    import torch

    if device != "auto":
        return device
    return torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"


def load_tokenizer(model: ResolvedModel) -> Any:
    """Raises InputError if the files are not a tokenizer, Unavailable if the Hub is away."""
    from transformers import AutoTokenizer

    with hub_errors(f"{model.model}: cannot be loaded"):
        return AutoTokenizer.from_pretrained(model.location, revision=model.hub_revision)


def load_model(auto_class: Any, model: ResolvedModel, dtype: str, device: str) -> Any:
    """Load a model in eval mode onto its device; dtype "auto" is the checkpoint's, but float32 on a CPU.

    Raises InputError if the files are not such a model, Unavailable if the Hub is away.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()  # a bar for every loaded weight says nothing beside our own
    device = choose_device(device)
    if dtype == "auto" and device == "cpu":
        dtype = "float32"
    with hub_errors(f"{model.model}: cannot be loaded"):
        loaded = auto_class.from_pretrained(model.location, revision=model.hub_revision, dtype=dtype)
    return loaded.to(device).eval()


def pad_rows(rows: Sequence[Sequence[int]], value: int, left: bool = False) -> "torch.Tensor":
    """Return rows of integers as a tensor (rows, longest row), padded with `value` on the right or left."""
    import torch

    width = max(map(len, rows))
    padded = []
    for row in rows:
        padding = [value] * (width - len(row))
        padded.append([*padding, *row] if left else [*row, *padding])
    return torch.tensor(padded)


def pad_batch(
    rows: Sequence[Sequence[int]], pad: int, device: Any = "cpu", left: bool = False
) -> dict[str, "torch.Tensor"]:
    """Return a model's inputs for token ids: `input_ids` and `attention_mask`, both (rows, longest row)."""
    mask = [[1] * len(row) for row in rows]
    return {
        "input_ids": pad_rows(rows, pad, left).to(device),
        "attention_mask": pad_rows(mask, 0, left).to(device),
    }
