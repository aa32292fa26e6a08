"""Games: the completions of two models for the same prompts, compared by their scores."""

import polars as pl

GAME_KEY = ["prompt_id", "language", "sample"]


def compare(a: pl.DataFrame, b: pl.DataFrame, margin: float = 0.0) -> pl.DataFrame:
    """Return the games of two models: GAME_KEY, score_a, score_b and outcome.

    `a` and `b` have GAME_KEY and `score`; without both scores there is no game. The outcome is 1 if `a` wins,
    -1 if it loses, and 0 for a tie: scores at most `margin` apart.
    """
    scores_a = a.select(*GAME_KEY, score_a="score")
    scores_b = b.select(*GAME_KEY, score_b="score")
    games = scores_a.join(scores_b, on=GAME_KEY, validate="1:1").drop_nulls().sort(GAME_KEY)
    lead = pl.col("score_a") - pl.col("score_b")
    outcome = pl.when(lead.abs() <= margin).then(0).otherwise(lead.sign())
    return games.with_columns(outcome=outcome.cast(pl.Int8))
