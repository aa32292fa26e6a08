"""The reward of a completion that ends, and of one that was cut."""

import math
from collections.abc import Sequence
from typing import Any

from polypref.engines.base import Answer, Request
from polypref.training.rewards import reward_function


class LengthAsScore:
    """A reward model that scores a chat by its number of characters."""

    name = fingerprint = "length"

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        return [[i] for i in reversed(range(len(requests)))]

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        answers = []
        for request in batch:
            length = sum(len(message["content"]) for message in request.messages)
            answers.append(Answer(score=float(length)))
        return answers


def batch() -> dict[str, Any]:
    """Return three completions of "abc" as TRL passes them; the second one was cut."""
    return {
        "prompts": [[{"role": "user", "content": "abc"}]] * 3,
        "completions": [[{"role": "assistant", "content": text}] for text in ("de", "defg", "")],
        "completion_ids": [[7, 8, 2], [7, 8, 9, 9], [2]],  # 2 and 3 end a turn
        "trainer_state": None,
    }


def test_a_cut_completion_pays_the_penalty() -> None:
    assert reward_function(LengthAsScore(), lambda: {2, 3}, 1.5)(**batch()) == [5.0, 5.5, 3.0]


def test_without_a_penalty_a_cut_completion_is_masked() -> None:
    first, second, third = reward_function(LengthAsScore(), lambda: {2, 3}, None)(**batch())
    assert (first, third) == (5.0, 3.0)
    assert math.isnan(second)
