"""Reward models by transformers in this process: classifiers with one output, whose logit is the score."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from polypref.engines.base import Answer, Request, batches_by_length
from polypref.engines.checkpoints import CheckpointEngine, answer_chats, load_model, pad_batch
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
        lengths = [len(self.encode_chat(request.messages)[: self.config.max_tokens]) for request in requests]
        return batches_by_length(requests, lengths, self.config.tokens_per_batch)

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        return answer_chats([self.encode_chat(request.messages) for request in batch], self._score)

    def _score(self, chats: list[list[int]]) -> list[Answer]:
        import torch

        cut = [chat[: self.config.max_tokens] for chat in chats]
        inputs = pad_batch(cut, self.model.config.pad_token_id or 0, self.model.device)
        with torch.inference_mode():
            logits = self.model(**inputs).logits[:, 0]
        return [Answer(score=float(logit)) for logit in logits.float().tolist()]
