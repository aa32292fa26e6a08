"""Quality estimation in this process: how well a translation says what its source says, without a reference.

A stage asks for an estimate by `quality_request(source, translation)` and finds it in `Answer.score`.
Checkpoints in COMET's own format are not read.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from polypref.engines.base import Answer, Request, batches_by_length
from polypref.engines.checkpoints import CheckpointEngine, load_model, loading_errors
from polypref.engines.config import QualityModel
from polypref.errors import InputError

SLICE = 1000  # texts that are tokenized at once: an encoding is many times as large as its text


def quality_request(source: str, translation: str, engine: str = "quality") -> Request:
    """Return the request for an estimate, addressed to the stage's engine of that name."""
    messages = [{"role": "user", "content": source}, {"role": "assistant", "content": translation}]
    return Request(messages, engine=engine)


class QualityEngine(CheckpointEngine):
    """A classifier of pairs with one output, or an encoder of single texts.

    The score is the classifier's logit, in its own scale, or the cosine (-1 to 1) of the two texts'
    embeddings.
    """

    config: QualityModel

    @cached_property
    def reads_pairs(self) -> bool:
        """Tell a classifier, which reads both texts, from an encoder by the checkpoint's architecture."""
        from transformers import AutoConfig

        with loading_errors(self.resolved):
            config = AutoConfig.from_pretrained(
                self.resolved.location, revision=self.resolved.hub_revision, trust_remote_code=False
            )
        return any(name.endswith("ForSequenceClassification") for name in config.architectures or ())

    @cached_property
    def model(self) -> Any:
        from transformers import AutoModel, AutoModelForSequenceClassification

        auto_class = AutoModelForSequenceClassification if self.reads_pairs else AutoModel
        model = load_model(auto_class, self.resolved, self.config.dtype, self.config.device)
        if self.reads_pairs and model.config.num_labels != 1:
            raise InputError(
                f"{self.resolved.model}: has {model.config.num_labels} outputs; an estimator of quality has 1"
            )
        return model

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        lengths = []
        for start in range(0, len(requests), SLICE):
            sources, translations = _texts(requests[start : start + SLICE])
            if self.reads_pairs:
                encoded = self._encode(sources, translations).input_ids
                lengths += [len(ids) for ids in encoded]
            else:
                encoded = self._encode(sources).input_ids, self._encode(translations).input_ids
                lengths += [max(len(source), len(text)) for source, text in zip(*encoded, strict=True)]
        return batches_by_length(requests, lengths, self.config.tokens_per_batch)

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        import torch

        sources, translations = _texts(batch)
        with torch.inference_mode():
            if self.reads_pairs:
                inputs = self._tensors(sources, translations)
                scores = self.model(**inputs).logits[:, 0]
                tokens = inputs["attention_mask"].sum(1)
            else:
                source, source_tokens = self._embeddings(sources)
                translation, translation_tokens = self._embeddings(translations)
                scores = torch.nn.functional.cosine_similarity(source, translation)
                tokens = source_tokens + translation_tokens
        counted = zip(scores.float().tolist(), tokens.tolist(), strict=True)
        return [Answer(score=score, prompt_tokens=count) for score, count in counted]

    def _embeddings(self, texts: list[str]) -> tuple[Any, Any]:
        """Return the mean of each text's last states (texts, width) and its number of tokens (texts,)."""
        inputs = self._tensors(texts)
        states = self.model(**inputs).last_hidden_state
        mask = inputs["attention_mask"]
        tokens = mask.sum(1)
        means = (states * mask.unsqueeze(-1)).sum(1) / tokens.clamp(min=1).unsqueeze(-1)
        return means, tokens

    def _tensors(self, *texts: list[str]) -> Any:
        return self._encode(*texts, padding=True, return_tensors="pt").to(self.model.device)

    def _encode(self, *texts: list[str], **options: Any) -> Any:
        """Tokenize single texts, or pairs where a second list is given, each cut at `max_tokens`."""
        return self.tokenizer(*texts, truncation=True, max_length=self.config.max_tokens, **options)


def _texts(requests: Sequence[Request]) -> tuple[list[str], list[str]]:
    """Return the sources and the translations."""
    sources = [request.messages[0]["content"] for request in requests]
    return sources, [request.messages[1]["content"] for request in requests]
