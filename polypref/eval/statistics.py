"""Win rates with their uncertainty, from games (see games.py).

A prompt in 23 languages is one draw from the population of prompts, not 23, so intervals resample prompts. In
a simulation of 23 languages, intervals that resample games cover the true difference in about half of all
evaluations instead of 95% (tests/eval/test_statistics.py). They include neither the judge's errors nor the
variation between completions of a prompt or between trainings with other seeds.
"""

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray


def summarise_games(games: pl.DataFrame, resamples: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Return the shares of wins, losses and ties, win minus loss with its uncertainty, and the counts.

    Keys: win, loss, tie, difference, low and high (95% interval), standard_error, games, prompts. Interval
    and error are None for fewer than two prompts.
    """
    interval = bootstrap_interval(games, resamples, seed)
    low, high = interval or (None, None)
    outcome = games["outcome"]
    return {
        "win": (outcome == 1).mean(),
        "loss": (outcome == -1).mean(),
        "tie": (outcome == 0).mean(),
        "difference": outcome.mean(),
        "low": low,
        "high": high,
        "standard_error": standard_error(games),
        "games": games.height,
        "prompts": games["prompt_id"].n_unique(),
    }


def summarise_languages(games: pl.DataFrame, resamples: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Return the summary of all games, with that of each language under `languages`."""
    parts = games.sort("language").partition_by("language", as_dict=True, maintain_order=True)
    languages = {code: summarise_games(part, resamples, seed) for (code,), part in parts.items()}
    return {**summarise_games(games, resamples, seed), "languages": languages}


def bootstrap_interval(
    games: pl.DataFrame, resamples: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """Return a 95% percentile bootstrap interval of win minus loss; None for fewer than two prompts.

    A resample draws as many prompts as there are, with replacement, each with all of its games.
    """
    import numpy as np

    sums, sizes = _prompt_totals(games)
    prompts = len(sums)
    if prompts < 2:
        return None
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    for i in range(resamples):
        times_drawn = np.bincount(generator.integers(prompts, size=prompts), minlength=prompts)
        means[i] = (times_drawn @ sums) / (times_drawn @ sizes)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def standard_error(games: pl.DataFrame) -> float | None:
    """Return the standard error of win minus loss, clustered by prompt; None for fewer than two prompts.

    Cameron, Gelbach & Miller, Review of Economics and Statistics 90 (2008), with the correction G/(G-1).
    """
    import numpy as np

    sums, sizes = _prompt_totals(games)
    prompts = len(sums)
    if prompts < 2:
        return None
    residuals = sums - sizes * (sums.sum() / sizes.sum())
    return float(np.sqrt(prompts / (prompts - 1) * (residuals @ residuals)) / sizes.sum())


def _prompt_totals(games: pl.DataFrame) -> "tuple[NDArray[Any], NDArray[Any]]":
    """Return the sum of outcomes and the number of games of each prompt, in the order of prompt ids."""
    totals = (
        games.group_by("prompt_id")
        .agg(sum=pl.col("outcome").cast(pl.Int64).sum(), size=pl.len().cast(pl.Int64))
        .sort("prompt_id")
    )
    return totals["sum"].to_numpy(), totals["size"].to_numpy()
