"""Scores of completions: by a reward model, or by the rule that an answer is in its prompt's language."""

import polars as pl

from polypref.builders.filters.measures import kept_rows
from polypref.engines.base import Request
from polypref.languages.verify import language_share
from polypref.schemas import PROMPT_KEY
from polypref.store.stages import Asking


def score_by_reward_model(
    scorer: str, completions: pl.DataFrame, *prompts: pl.DataFrame
) -> Asking[pl.DataFrame]:
    """Score every kept completion of a kept prompt by a reward model."""
    rows = rows_to_score(completions, *prompts)
    requests = []
    for prompt, completion in rows.select("prompt", "completion").iter_rows():
        requests.append(Request([*prompt, {"role": "assistant", "content": completion}]))
    answers = yield requests
    answered = pl.Series([answer is not None for answer in answers], dtype=pl.Boolean)
    scores = [answer.score for answer in answers if answer is not None]
    return rows.filter(answered).with_columns(
        scorer=pl.lit(scorer), score=pl.Series(scores, dtype=pl.Float64)
    )


def score_by_language_rule(scorer: str, completions: pl.DataFrame, *prompts: pl.DataFrame) -> pl.DataFrame:
    """Score a completion by its share (0 to 1) of lines in its language."""
    rows = rows_to_score(completions, *prompts)
    texts = rows.select("completion", "language").iter_rows()
    scores = pl.Series([language_share(text, code) for text, code in texts], dtype=pl.Float64)
    return rows.with_columns(scorer=pl.lit(scorer), score=scores)


def rows_to_score(completions: pl.DataFrame, *prompts: pl.DataFrame) -> pl.DataFrame:
    """Return the kept completions of kept prompts, each with its `prompt`, sorted by key."""
    kept_prompts = kept_rows(pl.concat(prompts)).select(*PROMPT_KEY, "prompt")
    return kept_rows(completions).join(kept_prompts, on=PROMPT_KEY).sort("prompt_id", "sample")
