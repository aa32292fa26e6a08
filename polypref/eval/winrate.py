"""Win rates: games of two models on the same prompts, and how sure their difference is.

The same prompt in 23 languages is one draw from the world, not 23: intervals resample prompts. Resampling games singly
would cover the true difference in about half of all evaluations instead of 95%. What an interval does not know: the judge's
own mistakes, and draws of other completions to the same prompts.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from polypref.cards.load import resolve_revision
from polypref.engines.config import Generator, HfGenerator, VllmGenerator
from polypref.errors import InputError
from polypref.eval.answers import completions, prompts, scores
from polypref.eval.recipe import WinrateRecipe
from polypref.store.workdir import Workdir

GAME = ["prompt_id", "language", "sample"]

Verdict = Callable[[str, str, str], float]  # (prompt_id, language, completion) -> score; higher wins
Result = dict[str, Any]


def compare(a: pl.DataFrame, b: pl.DataFrame, margin: float = 0.0) -> pl.DataFrame:
    """The games of two models: GAME, both scores, and `outcome` for `a`: 1 win, 0 tie, -1 loss.

    `a` and `b` have GAME and `score`; a game that lacks either score is not played. Scores at most `margin` apart are a tie.
    """
    both = (
        a.select(*GAME, "score")
        .join(b.select(*GAME, "score"), on=GAME, suffix="_b", validate="1:1")
        .drop_nulls()
    )
    apart = pl.col("score") - pl.col("score_b")
    outcome = pl.when(apart.abs() <= margin).then(0).otherwise(apart.sign()).cast(pl.Int8).alias("outcome")
    return both.select(*GAME, pl.col("score").alias("score_a"), "score_b", outcome).sort(GAME)


def interval(
    games: pl.DataFrame, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[float, float, float] | None:
    """Win minus loss: low and high end by a percentile bootstrap over prompts, and its standard error, clustered by prompt.

    None with fewer than two prompts. Cluster bootstrap: Cameron, Gelbach & Miller, Review of Economics and Statistics 90 (2008).
    """
    import numpy as np

    clusters = (
        games.group_by("prompt_id")
        .agg(pl.col("outcome").cast(pl.Int64).sum(), pl.len().cast(pl.Int64))
        .sort("prompt_id")
    )
    count = clusters.height
    if count < 2:
        return None
    sums, sizes = clusters["outcome"].to_numpy(), clusters["len"].to_numpy()
    draws = np.random.default_rng(seed)
    means = np.empty(resamples)
    for i in range(resamples):
        times = np.bincount(draws.integers(count, size=count), minlength=count)
        means[i] = (times @ sums) / (times @ sizes)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    residuals = sums - sizes * (sums.sum() / sizes.sum())
    error = np.sqrt(count / (count - 1) * (residuals @ residuals)) / sizes.sum()
    return float(low), float(high), float(error)


def summary(games: pl.DataFrame, resamples: int = 1000, seed: int = 0) -> dict[str, Any]:
    """win, loss, tie and their difference as shares of the games, its interval and standard error, and how many games and prompts."""
    share = {
        name: games.select((pl.col("outcome") == sign).mean()).item()
        for name, sign in (("win", 1), ("loss", -1), ("tie", 0))
    }
    low, high, error = interval(games, resamples, seed) or (None, None, None)
    return {
        **share,
        "difference": games["outcome"].mean(),
        "low": low,
        "high": high,
        "standard_error": error,
        "games": games.height,
        "prompts": games["prompt_id"].n_unique(),
    }


def by_language(games: pl.DataFrame, resamples: int = 1000, seed: int = 0) -> dict[str, Any]:
    """The summary of all games, and under `languages` that of each language's."""
    parts = games.partition_by("language", as_dict=True)
    return {
        **summary(games, resamples, seed),
        "languages": {
            code: summary(parts[(code,)], resamples, seed) for code in sorted(games["language"].unique())
        },
    }


def measure_winrates(
    recipe: WinrateRecipe, workdir: Workdir, verdicts: Mapping[str, Verdict] | None = None
) -> Result:
    """Generates, judges and compares; writes `winrate.json`, which it returns, and `completions.parquet` to `recipe.output`.

    Judges are the recipe's reward model (`reward_model`) and every function of `verdicts`, by its name there.
    The result: {"base", "prompts", "models", "mean_score": {judge: {model: {"all", code}}},
    "winrate": {model: {judge: {"win", "loss", "tie", "difference", "low", "high", …, "languages": {code: the same}}}}}.
    """
    generators = recipe.generators()
    local = Path(recipe.prompts).is_dir()
    if not local:
        recipe = recipe.model_copy(update={"revision": resolve_revision(recipe.prompts, recipe.revision)})
    made = completions(generators, prompts(recipe), recipe.samples, workdir)
    judged = {"reward_model": scores(recipe.judge, made, workdir)}
    for judge, verdict in (verdicts or {}).items():
        judged[judge] = by_verdict(verdict, made)
    table = pl.concat(
        [
            made.with_columns(pl.lit(judge).alias("judge"), values.alias("score"))
            for judge, values in judged.items()
        ]
    )
    result = {
        "base": recipe.base,
        "prompts": {
            "name": Path(recipe.prompts).resolve().name if local else recipe.prompts,
            "revision": recipe.revision,
            "split": recipe.split,
            "count": made["prompt_id"].n_unique(),
        },
        "models": {name: _named(config, workdir) for name, config in generators.items()},
        "without_completion": {
            name: made.filter(pl.col("model") == name)["completion"].null_count() for name in generators
        },
        "mean_score": {judge: _means(table.filter(pl.col("judge") == judge)) for judge in judged},
        "winrate": {
            name: {judge: _games(table, name, judge, recipe) for judge in judged}
            for name in generators
            if name != recipe.base
        },
    }
    _write(recipe.output, result, table.drop("prompt"))
    return result


def _named(config: Generator, workdir: Workdir) -> dict[str, str]:
    match config:
        case HfGenerator() | VllmGenerator():
            model = workdir.resolve(config.model, config.revision)
            return {"model": model.model, "revision": model.revision}
        case _:
            return {"model": config.model, "base_url": config.base_url}


def describe_winrates(result: Result) -> str:
    """The comparisons over all languages, a line each."""
    lines = [f"against {result['base']}, {result['prompts']['count']} prompts:"]
    for model, judges in result["winrate"].items():
        for judge, games in judges.items():
            ends = (
                "" if games["low"] is None else f", 95% interval {games['low']:+.1%} to {games['high']:+.1%}"
            )
            shares = " ".join(f"{name} {games[name]:.1%}" for name in ("win", "loss", "tie"))
            lines.append(f"  {model} ({judge}): {shares}; win minus loss {games['difference']:+.1%}{ends}")
    return "\n".join(lines)


def by_verdict(verdict: Verdict, made: pl.DataFrame) -> pl.Series:
    """A score for every row of `made`, in its order; null where there is no completion."""
    rows = made.select("prompt_id", "language", "completion").iter_rows()
    return pl.Series(
        "score",
        [None if text is None else float(verdict(id_, code, text)) for id_, code, text in rows],
        dtype=pl.Float64,
    )


def _games(table: pl.DataFrame, model: str, judge: str, recipe: WinrateRecipe) -> dict[str, Any]:
    of_judge = table.filter(pl.col("judge") == judge)
    games = compare(
        of_judge.filter(pl.col("model") == model),
        of_judge.filter(pl.col("model") == recipe.base),
        recipe.margin,
    )
    if games.is_empty():
        raise InputError(
            f"{model} against {recipe.base}: no prompt that both completed; run again for the calls that failed"
        )
    return by_language(games, recipe.resamples, recipe.seed)


def _means(table: pl.DataFrame) -> dict[str, Any]:
    """{model: {"all": mean score, code: mean score}}."""
    means = table.group_by("model", "language").agg(pl.col("score").mean()).sort("model", "language")
    overall = dict(table.group_by("model").agg(pl.col("score").mean()).iter_rows())
    return {
        name: {"all": overall[name], **dict(part.select("language", "score").iter_rows())}
        for (name,), part in means.group_by(["model"], maintain_order=True)
    }


def _write(folder: Path, result: Result, table: pl.DataFrame) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table.sort("judge", "model", "language", "prompt_id", "sample").write_parquet(
        folder / "completions.parquet"
    )
    (folder / "winrate.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
