"""Win rates by hand, and the coverage of the interval in simulated evaluations."""

import numpy as np
import polars as pl
import pytest

from polypref.eval.statistics import (
    bootstrap_interval,
    standard_error,
    summarise_games,
    summarise_languages,
)

LANGUAGES = [f"l{i}" for i in range(23)]


def games(outcomes: list[tuple[str, str, int]]) -> pl.DataFrame:
    schema = {"prompt_id": pl.String, "language": pl.String, "outcome": pl.Int8}
    return pl.DataFrame(outcomes, schema=schema, orient="row")


def test_shares_and_their_error_by_hand() -> None:
    outcomes = [("p", "de", 1), ("p", "fr", 1), ("q", "de", -1), ("q", "fr", 0), ("r", "de", 1)]
    outcomes += [("s", "de", 0), ("t", "de", 0), ("t", "fr", 1)]
    result = summarise_languages(games(outcomes))
    assert (result["win"], result["loss"], result["tie"], result["difference"]) == (0.5, 0.125, 0.375, 0.375)
    assert (result["games"], result["prompts"]) == (8, 5)
    german = result["languages"]["de"]
    assert (german["win"], german["loss"], german["tie"]) == (0.4, 0.2, 0.4)
    assert german["difference"] == pytest.approx(0.2)
    assert result["languages"]["fr"]["win"] == pytest.approx(2 / 3)
    # The prompts' sums are 2 -1 1 0 1, of 2 2 1 1 2 games; residuals: 1.25 -1.75 0.625 -0.375 0.25.
    squares = 1.5625 + 3.0625 + 0.390625 + 0.140625 + 0.0625
    assert result["standard_error"] == pytest.approx((5 / 4 * squares) ** 0.5 / 8)
    assert result["low"] < 0.375 < result["high"]


def test_a_single_prompt_has_no_interval() -> None:
    played = games([("p", "de", 1), ("p", "fr", 1)])
    assert bootstrap_interval(played) is None
    assert standard_error(played) is None
    assert summarise_games(games([("p", "de", 1)]))["low"] is None


def test_the_interval_does_not_depend_on_the_order_of_rows() -> None:
    played = games([(f"p{i}", "de", (i * 7) % 3 - 1) for i in range(50)])
    interval = bootstrap_interval(played)
    assert bootstrap_interval(played.reverse()) == interval
    assert bootstrap_interval(played.sample(fraction=1, shuffle=True, seed=3)) == interval
    assert bootstrap_interval(played, seed=1) != bootstrap_interval(played, seed=2)


TRUE_DIFFERENCE = 0.0973  # the mean of the clipped leaning below, from 20 million draws


def simulated_games(draws: np.random.Generator, prompts: int) -> pl.DataFrame:
    """Return games whose outcomes are correlated within a prompt: it leans to one model in every language."""
    leaning = np.clip(draws.normal(0.1, 0.45, prompts), -1, 1)
    wins = draws.random((prompts, len(LANGUAGES))) < (1 + leaning[:, None]) / 2
    ids = np.repeat([f"p{i}" for i in range(prompts)], len(LANGUAGES))
    outcomes = np.where(wins, 1, -1).ravel()
    return pl.DataFrame({"prompt_id": ids, "language": LANGUAGES * prompts, "outcome": outcomes})


def covers(interval: tuple[float, float] | None) -> bool:
    assert interval is not None
    return interval[0] <= TRUE_DIFFERENCE <= interval[1]


def test_the_interval_covers_the_truth_because_it_resamples_prompts() -> None:
    draws = np.random.default_rng(0)
    rounds, by_prompt, by_error, by_game = 500, 0, 0, 0
    for seed in range(rounds):
        games = simulated_games(draws, 100)
        by_prompt += covers(bootstrap_interval(games, 300, seed))
        difference, error = games["outcome"].to_numpy().mean(), standard_error(games)
        assert error is not None
        by_error += covers((difference - 1.96 * error, difference + 1.96 * error))
        each_game_a_prompt = games.with_columns(prompt_id=pl.int_range(pl.len()).cast(pl.String))
        by_game += covers(bootstrap_interval(each_game_a_prompt, 100, seed))
    assert 0.92 <= by_prompt / rounds <= 0.98
    assert 0.92 <= by_error / rounds <= 0.98
    assert by_game / rounds < 0.7
