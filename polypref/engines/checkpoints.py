"""Engines with a checkpoint: loading it by transformers, and batches of token ids as tensors."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from polypref.config import Config
from polypref.engines.base import Answer, fold_system
from polypref.errors import InputError
from polypref.schemas import Message
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

    def encode_chat(self, messages: Sequence[Message], **options: Any) -> list[int] | str:
        """Return a chat's token ids by the model's template, or why the template refuses it.

        For a template without the role, the system's messages are put in front of the user's. Applied
        straight to ids: text from a template would get a second BOS. Raises InputError for a template that
        is broken, or reaches for more than the messages.
        """
        from jinja2.exceptions import SecurityError, TemplateError, TemplateSyntaxError

        options |= {"tokenize": True, "return_dict": False}
        for chat in (list(messages), fold_system(messages)):
            try:
                ids: list[int] = self.tokenizer.apply_chat_template(chat, **options)
                return ids
            except (SecurityError, TemplateSyntaxError, OverflowError) as error:
                raise InputError(
                    f"{self.resolved.model}: its chat template cannot be used: {error}"
                ) from None
            except TemplateError as error:
                reason = " ".join(str(error).split())[:200]
        return f"template_refused: {reason}"


def answer_chats(
    chats: Sequence[list[int] | str], compute: Callable[[list[list[int]]], list[Answer]]
) -> list[Answer]:
    """Return the answers to encoded chats; those that the template refused are failures by that name."""
    encoded = [chat for chat in chats if not isinstance(chat, str)]
    computed = iter(compute(encoded) if encoded else [])
    answers = []
    for chat in chats:
        answers.append(Answer("", "error", error=chat) if isinstance(chat, str) else next(computed))
    return answers


def choose_device(device: str) -> str:
    """Return the first accelerator for "auto", or the CPU if there is none."""
    import torch

    if device != "auto":
        return device
    return torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"


def load_tokenizer(model: ResolvedModel) -> Any:
    """Raises InputError if the files are not a tokenizer, Unavailable if the Hub is away."""
    from transformers import AutoTokenizer

    with loading_errors(model):
        return AutoTokenizer.from_pretrained(
            model.location, revision=model.hub_revision, trust_remote_code=False
        )


@contextmanager
def loading_errors(model: ResolvedModel) -> Iterator[None]:
    """Turn the errors of files that are no checkpoint, or one that may not be used, into one line."""
    from jinja2.exceptions import TemplateError
    from safetensors import SafetensorError

    with hub_errors(f"{model.model}: cannot be loaded"):
        try:
            yield
        except (SafetensorError, UnpicklingError, TemplateError) as error:
            raise ValueError(error) from error


def load_model(auto_class: Any, model: ResolvedModel, dtype: str, device: str) -> Any:
    """Load a model in eval mode onto its device; dtype "auto" is the checkpoint's, but float32 on a CPU.

    Weights are read from safetensors alone, and code in the checkpoint does not run.

    Raises InputError if the files are not such a model, Unavailable if the Hub is away.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()  # a bar for every loaded weight says nothing beside our own
    device = choose_device(device)
    if dtype == "auto" and device == "cpu":
        dtype = "float32"
    with loading_errors(model):
        loaded = auto_class.from_pretrained(
            model.location,
            revision=model.hub_revision,
            dtype=dtype,
            trust_remote_code=False,
            use_safetensors=True,
        )
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
