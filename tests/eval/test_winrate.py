"""Wins, losses and ties by hand; how often the interval covers the truth; a whole evaluation of two tiny policies."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from polypref.errors import InputError
from polypref.eval.recipe import WinrateRecipe
from polypref.eval.winrate import by_language, compare, interval, measure_winrates, summary
from polypref.store.workdir import Workdir

LANGUAGES = [f"l{i}" for i in range(23)]


def scored(rows: list[tuple[str, str, int, float | None]]) -> pl.DataFrame:
    schema = {"prompt_id": pl.String, "language": pl.String, "sample": pl.Int32, "score": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def games(outcomes: list[tuple[str, str, int]]) -> pl.DataFrame:
    schema = {"prompt_id": pl.String, "language": pl.String, "outcome": pl.Int8}
    return pl.DataFrame(outcomes, schema=schema, orient="row")


def test_games_are_joined_by_key_and_ties_have_a_margin() -> None:
    a = scored(
        [
            ("p", "de", 0, 1.0),
            ("p", "fr", 0, 0.5),
            ("q", "de", 0, 0.2),
            ("q", "fr", 0, None),
            ("q", "de", 1, 3.0),
        ]
    )
    b = scored(
        [
            ("q", "de", 1, 2.0),
            ("q", "fr", 0, 0.0),
            ("q", "de", 0, 0.25),
            ("p", "fr", 0, 0.5),
            ("p", "de", 0, 0.0),
            ("r", "de", 0, 9.0),
        ]
    )
    exact = compare(a, b)
    assert exact.select("prompt_id", "language", "sample", "outcome").rows() == [
        ("p", "de", 0, 1),
        ("p", "fr", 0, 0),
        ("q", "de", 0, -1),
        ("q", "de", 1, 1),
    ]
    assert compare(a, b, margin=0.1)["outcome"].to_list() == [1, 0, 0, 1]
    assert compare(b, a)["outcome"].to_list() == [-1, 0, 1, -1]


def test_shares_by_hand() -> None:
    played = games(
        [
            ("p", "de", 1),
            ("p", "fr", 1),
            ("q", "de", -1),
            ("q", "fr", 0),
            ("r", "de", 1),
            ("s", "de", 0),
            ("t", "de", 0),
            ("t", "fr", 1),
        ]
    )
    result = by_language(played)
    assert (result["win"], result["loss"], result["tie"], result["difference"]) == (0.5, 0.125, 0.375, 0.375)
    assert (result["games"], result["prompts"]) == (8, 5)
    alone = result["languages"]["de"]
    assert (alone["win"], alone["loss"], alone["tie"], alone["difference"]) == (
        0.4,
        0.2,
        0.4,
        pytest.approx(0.2),
    )
    assert result["languages"]["fr"]["win"] == pytest.approx(2 / 3)
    # Clusters: sums 2 -1 1 0 1 of sizes 2 2 1 1 2; residuals to mean 0.375: 1.25 -1.75 0.625 -0.375 0.25
    assert result["standard_error"] == pytest.approx(
        (5 / 4 * (1.5625 + 3.0625 + 0.390625 + 0.140625 + 0.0625)) ** 0.5 / 8
    )
    assert result["low"] < 0.375 < result["high"]


def test_one_prompt_has_no_interval() -> None:
    assert interval(games([("p", "de", 1), ("p", "fr", 1)])) is None
    assert summary(games([("p", "de", 1)]))["low"] is None


def test_the_interval_does_not_depend_on_the_order_of_rows() -> None:
    played = games([(f"p{i}", "de", (i * 7) % 3 - 1) for i in range(50)])
    assert (
        interval(played)
        == interval(played.reverse())
        == interval(played.sample(fraction=1, shuffle=True, seed=3))
    )
    assert interval(played, seed=1) != interval(played, seed=2)


TRUE_DIFFERENCE = 0.0973  # the mean of the clipped leaning below, by 20 million draws


def simulated(draws: np.random.Generator, prompts: int) -> pl.DataFrame:
    """Games whose outcomes within a prompt go together: a prompt leans to one model in every language."""
    leaning = np.clip(draws.normal(0.1, 0.45, prompts), -1, 1)
    wins = draws.random((prompts, len(LANGUAGES))) < (1 + leaning[:, None]) / 2
    ids = [f"p{i}" for i in range(prompts) for _ in LANGUAGES]
    return pl.DataFrame(
        {"prompt_id": ids, "language": LANGUAGES * prompts, "outcome": np.where(wins, 1, -1).ravel()}
    )


def test_the_interval_covers_the_truth_because_it_resamples_prompts() -> None:
    draws = np.random.default_rng(0)
    rounds, by_prompt, by_error, singly = 500, 0, 0, 0
    for seed in range(rounds):
        played = simulated(draws, 100)
        low, high, error = interval(played, 300, seed) or pytest.fail("no interval")
        by_prompt += low <= TRUE_DIFFERENCE <= high
        by_error += abs(played["outcome"].to_numpy().mean() - TRUE_DIFFERENCE) <= 1.96 * error
        each_game_alone = played.with_columns(pl.int_range(pl.len()).cast(pl.String).alias("prompt_id"))
        low, high, _ = interval(each_game_alone, 100, seed) or pytest.fail("no interval")
        singly += low <= TRUE_DIFFERENCE <= high
    assert 0.92 <= by_prompt / rounds <= 0.98
    assert 0.92 <= by_error / rounds <= 0.98
    assert singly / rounds < 0.7


def recipe(world: Path, output: Path, **fields: Any) -> WinrateRecipe:
    given = {
        "prompts": str(world / "pairs"),
        "models": {
            "tuned": str(world / "tuned"),
            "base": {"kind": "hf", "model": str(world / "base"), "sampling": SAMPLING, "device": "cpu"},
        },
        "base": "base",
        "sampling": SAMPLING,
        "judge": {"kind": "reward_model", "model": str(world / "reward"), "device": "cpu"},
        "resamples": 200,
        "output": output,
    }
    return WinrateRecipe.model_validate({**given, **fields})


SAMPLING = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 8}


def test_an_evaluation_of_two_checkpoints(world: Path, tmp_path: Path) -> None:
    def length(prompt_id: str, language: str, completion: str) -> float:
        assert language in {"deu_Latn", "eng_Latn", "jpn_Jpan"}
        return float(len(completion) > 3)

    with Workdir(tmp_path / "work") as workdir:
        result = measure_winrates(recipe(world, tmp_path / "out", samples=2), workdir, {"length": length})
    assert json.loads((tmp_path / "out" / "winrate.json").read_text("utf-8")) == result
    assert set(result["winrate"]) == {"tuned"}
    assert set(result["winrate"]["tuned"]) == {"reward_model", "length"}

    table = pl.read_parquet(tmp_path / "out" / "completions.parquet")
    assert {"prompt_id", "language", "model", "sample", "completion", "score", "judge"} <= set(table.columns)
    prompts = result["prompts"]["count"]
    assert table.height == prompts * 3 * 2 * 2 * 2  # languages, models, samples, judges
    by_length = table.filter(pl.col("judge") == "length")
    assert (by_length["score"] == (by_length["completion"].str.len_chars() > 3)).all()

    keys = ["prompt_id", "language", "sample"]
    both = by_length.filter(pl.col("model") == "tuned").join(
        by_length.filter(pl.col("model") == "base"), on=keys
    )
    judged = result["winrate"]["tuned"]["length"]
    assert judged["win"] == pytest.approx((both["score"] > both["score_right"]).mean())
    assert judged["loss"] == pytest.approx((both["score"] < both["score_right"]).mean())
    assert judged["win"] + judged["loss"] + judged["tie"] == pytest.approx(1)
    assert set(judged["languages"]) == {"deu_Latn", "eng_Latn", "jpn_Jpan"}
    means = result["mean_score"]["length"]
    assert means["tuned"]["all"] - means["base"]["all"] == pytest.approx(judged["win"] - judged["loss"])


def test_asked_again_nothing_is_computed_and_a_model_against_itself_ties(world: Path, tmp_path: Path) -> None:
    own = recipe(world, tmp_path / "out", models={"same": str(world / "base"), "base": str(world / "base")})
    with Workdir(tmp_path / "work") as workdir:
        result = measure_winrates(own, workdir)
    assert result["winrate"]["same"]["reward_model"]["tie"] == 1.0
    sizes = {file.name: file.stat().st_size for file in (tmp_path / "work" / "answers").iterdir()}
    with Workdir(tmp_path / "work") as workdir:
        assert measure_winrates(own, workdir) == result
    assert {file.name: file.stat().st_size for file in (tmp_path / "work" / "answers").iterdir()} == sizes


def test_bad_recipes_are_one_line(world: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="base 'old' is none of the models tuned, base"):
        recipe(world, tmp_path, base="old")
    with Workdir(tmp_path / "work") as workdir:
        with pytest.raises(InputError, match="fra_Latn"):
            measure_winrates(recipe(world, tmp_path, languages=["French"]), workdir)
        with pytest.raises(InputError, match="no such folder, and not a Hub id"):
            measure_winrates(
                recipe(
                    world, tmp_path, models={"tuned": str(tmp_path / "missing"), "base": str(world / "base")}
                ),
                workdir,
            )
