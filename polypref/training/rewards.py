"""The reward of a completion in online training, from a reward model's score."""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

from polypref.engines.base import InProcessEngine, Request
from polypref.schemas import Message


def reward_function(
    reward_model: InProcessEngine,
    eos_token_ids: Callable[[], Collection[int]],
    missing_eos_penalty: float | None,
) -> Callable[..., list[float]]:
    """Return a reward function for TRL: the score, less `missing_eos_penalty` if the completion was cut.

    If the penalty is None, a cut completion gets NaN, which TRL leaves out of the baseline. A completion was
    cut if its last token does not end a turn. Only the completion's own tokens are searched: the prompt has
    end-of-turn tokens too, and they would hide a missing one (trl#6805).
    """
    penalty = math.nan if missing_eos_penalty is None else missing_eos_penalty

    def reward(
        prompts: Sequence[Sequence[Message]],
        completions: Sequence[Sequence[Message]],
        completion_ids: Sequence[Sequence[int]],
        **_: Any,
    ) -> list[float]:
        chats = zip(prompts, completions, strict=True)
        requests = [Request([*prompt, *completion]) for prompt, completion in chats]
        rewards = [math.nan] * len(requests)
        for batch in reward_model.plan(requests):
            answers = reward_model.answer([requests[i] for i in batch], seed=0)
            for i, answer in zip(batch, answers, strict=True):
                if answer.score is not None:
                    rewards[i] = answer.score
        ends = eos_token_ids()
        for i, ids in enumerate(completion_ids):
            if not ids or ids[-1] not in ends:
                rewards[i] -= penalty
        return rewards

    return reward
