"""The training loop of the tiny checkpoints: AdamW, a warm-up and a cosine, one loss function a kind of model."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Tensors = dict[str, "torch.Tensor"]


def fit(
    model: Any,
    batches: Sequence[Tensors],
    loss_of: Callable[[Any, Tensors], "torch.Tensor"],
    learning_rate: float,
) -> list[float]:
    """Trains `model` in place, one optimiser step a batch; returns the loss of every step."""
    import torch

    table = model.get_input_embeddings().weight
    decayed = [p for p in model.parameters() if p.ndim > 1 and p is not table]
    others = [
        p for p in model.parameters() if p.ndim <= 1 or p is table
    ]  # most tokens are rare: decay would outrun what they learn
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _share(step, len(batches)))
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


def _share(step: int, steps: int) -> float:
    """The share of the learning rate: up over the first twentieth, then down a cosine to a twentieth."""
    warmup = max(1, steps // 20)
    return min((step + 1) / warmup, 0.05 + 0.95 * (1 + math.cos(math.pi * step / steps)) / 2)


def causal_loss(model: Any, batch: Tensors) -> "torch.Tensor":
    """Mean cross-entropy of the completions' tokens; logits are made only where a token of a completion is predicted."""
    import torch

    hidden = model.model(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
    ).last_hidden_state
    wanted = batch["labels"][:, 1:] != -100
    logits = model.lm_head(hidden[:, :-1][wanted]) * model.logit_scale
    return torch.nn.functional.cross_entropy(logits, batch["labels"][:, 1:][wanted])


def translation_loss(model: Any, batch: Tensors) -> "torch.Tensor":
    """Cross-entropy of the target's tokens, with label smoothing 0.05."""
    import torch

    logits = model(**batch).logits
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch["labels"].flatten(), ignore_index=-100, label_smoothing=0.05
    )


def preference_loss(model: Any, batch: Tensors) -> "torch.Tensor":
    """Bradley-Terry: rows 0, 2, 4, … are right, each followed by a bad one of the same prompt."""
    import torch

    scores = model(**batch).logits[:, 0]
    return -torch.nn.functional.logsigmoid(scores[0::2] - scores[1::2]).mean()


def batches_of(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Positions in batches of `size` of about the same length: every stretch of 16 batches is sorted, so that little is padding."""
    for start in range(0, len(lengths), size * 16):
        stretch = sorted(range(start, min(start + size * 16, len(lengths))), key=lambda i: (lengths[i], i))
        pieces = [stretch[at : at + size] for at in range(0, len(stretch), size)]
        yield from (
            pieces[at] for first in range(5) for at in range(first, len(pieces), 5)
        )  # short and long ones in turn


def padded(rows: Sequence[list[int]], value: int, left: bool = False) -> "torch.Tensor":
    """Rows of token ids as one tensor."""
    import torch

    width = max(map(len, rows))
    fill = [[value] * (width - len(row)) for row in rows]
    return torch.tensor([pad + row if left else row + pad for row, pad in zip(rows, fill, strict=True)])
