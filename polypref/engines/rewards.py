"""Reward models by transformers in this process: classifiers with one output, whose logit is the score."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from polypref.engines.base import Answer, Request, batches_by_length
from polypref.engines.checkpoints import CheckpointEngine, load_model, pad_batch
from polypref.engines.config import RewardModel
from polypref.errors import InputError


class RewardEngine(CheckpointEngine):
    """Scores a chat that ends with the completion."""

    config: RewardModel

    @cached_property
    def model(self) -> Any:
        from transformers import AutoModelForSequenceClassification

        auto_class = AutoModelForSequenceClassification
        model = load_model(auto_class, self.resolved, self.config.dtype, self.config.device)
        if model.config.num_labels != 1:
            raise InputError(
                f"{self.resolved.model}: has {model.config.num_labels} outputs; a reward model has 1"
            )
        return model

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        lengths = [len(self._encode(request)) for request in requests]
        return batches_by_length(requests, lengths, self.config.tokens_per_batch)

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        import torch

        chats = [self._encode(request) for request in batch]
        inputs = pad_batch(chats, self.model.config.pad_token_id or 0, self.model.device)
        with torch.inference_mode():
            logits = self.model(**inputs).logits[:, 0]
        return [Answer(score=float(logit)) for logit in logits.float().tolist()]

    def _encode(self, request: Request) -> list[int]:
        """Apply the chat template straight to ids: templated text would get a second BOS."""
        chat = list(request.messages)
        ids: list[int] = self.tokenizer.apply_chat_template(chat, tokenize=True, return_dict=False)
        return ids[: self.config.max_tokens]
