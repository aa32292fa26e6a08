"""Quality estimation: how well a translation says what its source says, by a model from the Hub and without a reference.

A sequence classifier with one output reads both texts and its logit counts (a cross-encoder, as COMET's estimators are built); any other
encoder embeds each text by the mean of its last states, and the cosine counts. Checkpoints in COMET's own format are not read.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from polypref.config import Config, Operational
from polypref.errors import InputError

PAIRS = 16  # of a batch
TOKENS = 512  # of a text, or of a pair


class Quality(Config):
    """A model (a folder, or an id at a revision: give a commit to pin it) and the least that a translation must reach."""

    model: str
    revision: str = "main"
    least: float
    device: Operational[str] = "cpu"


def estimates(pairs: Sequence[tuple[str, str]], config: Quality) -> list[float]:
    """One number a (source, translation): a cosine, -1 to 1, or a classifier's logit, in that classifier's scale."""
    import torch

    tokenizer, model, reads_both = _estimator(config.model, config.revision, config.device)
    found: list[float] = []
    with torch.inference_mode():
        for some in _batches(pairs):
            if reads_both:
                both = tokenizer(
                    *zip(*some, strict=True),
                    return_tensors="pt",
                    padding=True,
                    truncation=True,
                    max_length=TOKENS,
                )
                found += model(**both.to(model.device)).logits[:, 0].float().tolist()
            else:
                source, text = (_embedded(tokenizer, model, texts) for texts in zip(*some, strict=True))
                found += torch.nn.functional.cosine_similarity(source, text).float().tolist()
    return found


def _embedded(tokenizer: Any, model: Any, texts: Sequence[str]) -> Any:
    """The mean of the last states of each text's tokens: (texts, width)."""
    inputs = tokenizer(list(texts), return_tensors="pt", padding=True, truncation=True, max_length=TOKENS).to(
        model.device
    )
    mask = inputs["attention_mask"].unsqueeze(-1)
    return (model(**inputs).last_hidden_state * mask).sum(1) / mask.sum(1)


def _batches(pairs: Sequence[tuple[str, str]]) -> Iterator[Sequence[tuple[str, str]]]:
    for start in range(0, len(pairs), PAIRS):
        yield pairs[start : start + PAIRS]


@cache
def _estimator(name: str, revision: str, device: str) -> tuple[Any, Any, bool]:
    from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer

    try:
        config = AutoConfig.from_pretrained(name, revision=revision)
        reads_both = any(kind.endswith("ForSequenceClassification") for kind in config.architectures or ())
        kind = AutoModelForSequenceClassification if reads_both else AutoModel
        tokenizer, model = (
            AutoTokenizer.from_pretrained(name, revision=revision),
            kind.from_pretrained(name, revision=revision),
        )
    except (OSError, ValueError) as error:
        raise InputError(
            f"quality: {name} at {revision} cannot be read: {' '.join(str(error).split())[:200]}"
        ) from None
    if reads_both and model.config.num_labels != 1:
        raise InputError(f"quality: {name} has {model.config.num_labels} outputs; an estimator has 1")
    return tokenizer, model.to(device).eval(), reads_both
