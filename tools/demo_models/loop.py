"""The training loop of the tiny checkpoints: AdamW, a warm-up and a cosine, and a loss per kind of model."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Tensors = dict[str, "torch.Tensor"]
IGNORED = -100  # the label that torch's cross-entropy leaves out


def fit(
    model: Any,
    batches: Sequence[Tensors],
    loss_of: Callable[[Any, Tensors], "torch.Tensor"],
    learning_rate: float,
) -> list[float]:
    """Train `model` in place, one optimiser step for each batch; return the loss of every step."""
    import torch

    # Embeddings do not decay: most tokens are rare, so decay would outrun what they learn.
    embeddings = model.get_input_embeddings().weight
    decayed, others = [], []
    for parameter in model.parameters():
        if parameter.ndim > 1 and parameter is not embeddings:
            decayed.append(parameter)
        else:
            others.append(parameter)
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate_share(step, len(batches)))
    losses = []
    model.train()
    for batch in batches:
        loss = loss_of(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    model.eval()
    return losses


def _rate_share(step: int, steps: int) -> float:
    """Return the share of the learning rate: up for a twentieth of the steps, then down a cosine to 1/20."""
    warmup = max(1, steps // 20)
    return min((step + 1) / warmup, 0.05 + 0.95 * (1 + math.cos(math.pi * step / steps)) / 2)


def causal_loss(model: Any, batch: Tensors) -> "torch.Tensor":
    """Return the mean cross-entropy of the completions' tokens.

    Logits are computed only where a token of a completion is predicted, which saves most of their memory.
    """
    import torch

    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    hidden = model.model(**inputs).last_hidden_state
    targets = batch["labels"][:, 1:]
    wanted = targets != IGNORED
    logits = model.lm_head(hidden[:, :-1][wanted]) * model.logit_scale
    return torch.nn.functional.cross_entropy(logits, targets[wanted])


def translation_loss(model: Any, batch: Tensors) -> "torch.Tensor":
    """Return the cross-entropy of the target's tokens, with label smoothing 0.05."""
    import torch

    logits = model(**batch).logits
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch["labels"].flatten(), ignore_index=IGNORED, label_smoothing=0.05
    )


def preference_loss(model: Any, batch: Tensors) -> "torch.Tensor":
    """Return the Bradley-Terry loss; rows 0, 2, 4, … are right, each followed by a bad one of its prompt."""
    import torch

    scores = model(**batch).logits[:, 0]
    return -torch.nn.functional.logsigmoid(scores[0::2] - scores[1::2]).mean()


def batches_of(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Yield the places of rows in batches of `size` rows of about the same length.

    Every stretch of 16 batches is sorted by length, so that little is padding; of its batches every fifth
    follows, so that short and long ones take turns.
    """
    for start in range(0, len(lengths), size * 16):
        stretch = range(start, min(start + size * 16, len(lengths)))
        order = sorted(stretch, key=lambda place: (lengths[place], place))
        batches = [order[first : first + size] for first in range(0, len(order), size)]
        for first in range(5):
            yield from batches[first::5]
