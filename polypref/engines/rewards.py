"""Reward models in this process: a transformers sequence classifier with one output, whose logit is the score."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from polypref.engines.base import Answer, Request, batches_by_length
from polypref.engines.config import RewardModel
from polypref.engines.hf import load_model, load_tokenizer
from polypref.errors import InputError
from polypref.store.revisions import ResolvedModel


class RewardEngine:
    """Scores a chat that ends with the completion. Chats are templated to ids directly: templated text would double the BOS."""

    def __init__(self, config: RewardModel, name: str, model: ResolvedModel) -> None:
        self.name, self.config, self.resolved = name, config, model
        self.fingerprint = model.fingerprint(config.identity())

    @cached_property
    def tokenizer(self) -> Any:
        return load_tokenizer(self.resolved)

    @cached_property
    def model(self) -> Any:
        from transformers import AutoModelForSequenceClassification

        model = load_model(
            AutoModelForSequenceClassification, self.resolved, self.config.dtype, self.config.device
        )
        if model.config.num_labels != 1:
            raise InputError(
                f"{self.resolved.model}: has {model.config.num_labels} outputs; a reward model has 1"
            )
        return model

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        return batches_by_length(
            requests, [len(self._ids(r)) for r in requests], self.config.tokens_per_batch
        )

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        import torch

        chats = [self._ids(request) for request in batch]
        width, pad = max(map(len, chats)), self.model.config.pad_token_id or 0
        ids = torch.tensor([c + [pad] * (width - len(c)) for c in chats], device=self.model.device)
        mask = torch.tensor([[1] * len(c) + [0] * (width - len(c)) for c in chats], device=self.model.device)
        with torch.inference_mode():
            logits = self.model(input_ids=ids, attention_mask=mask).logits[:, 0]
        return [Answer(score=float(logit)) for logit in logits.float().tolist()]

    def _ids(self, request: Request) -> list[int]:
        ids: list[int] = self.tokenizer.apply_chat_template(
            list(request.messages), tokenize=True, return_dict=False
        )
        return ids[: self.config.max_tokens]
