"""Scores of completions: by a reward model, or by the rule that an answer is written in its prompt's language."""

from collections.abc import Callable
from typing import Any

import polars as pl

from polypref.builders.prompts import kept_rows
from polypref.engines.base import Request
from polypref.languages.verify import language_share
from polypref.schemas import PROMPT_KEY, rows_to_frame
from polypref.store.stages import Asking


def by_reward_model(scorer: str) -> Callable[..., Asking[pl.DataFrame]]:
    """A stage: the reward model's score of every kept completion of a living prompt."""

    def stage(completions: pl.DataFrame, *prompts: pl.DataFrame) -> Asking[pl.DataFrame]:
        rows = judged(completions, *prompts)
        answers = yield [
            Request([*row["prompt"], {"role": "assistant", "content": row["completion"]}]) for row in rows
        ]
        scored = [
            row | {"scorer": scorer, "score": a.score}
            for row, a in zip(rows, answers, strict=True)
            if a is not None
        ]
        return rows_to_frame(scored, "scores")

    return stage


def by_language_rule(scorer: str) -> Callable[..., pl.DataFrame]:
    """A stage that asks nobody: the share of a completion's lines that are in the wanted language, 0 to 1."""

    def stage(completions: pl.DataFrame, *prompts: pl.DataFrame) -> pl.DataFrame:
        rows = judged(completions, *prompts)
        return rows_to_frame(
            [r | {"scorer": scorer, "score": language_share(r["completion"], r["language"])} for r in rows],
            "scores",
        )

    return stage


def judged(completions: pl.DataFrame, *prompts: pl.DataFrame) -> list[dict[str, Any]]:
    """The completions to score, each with its prompt, by key."""
    living = kept_rows(pl.concat(prompts)).select(*PROMPT_KEY, "prompt")
    return kept_rows(completions).join(living, on=PROMPT_KEY).sort("prompt_id", "sample").to_dicts()
