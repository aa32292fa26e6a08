"""Win rates of checkpoints against a base model, in every language: the whole measurement."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from polypref.cards.checkpoint import require_finished
from polypref.cards.published import resolve_revision
from polypref.engines.address import public_name
from polypref.engines.config import Generator, HfGenerator, VllmGenerator
from polypref.errors import InputError, PolyprefError, Unavailable
from polypref.eval.answers import Verdict, complete_prompts, judge_completions, score_completions
from polypref.eval.games import compare
from polypref.eval.prompts import read_prompts
from polypref.eval.recipe import WinrateRecipe
from polypref.eval.statistics import summarise_languages
from polypref.files import write_atomically
from polypref.store.workdir import Workdir

Result = dict[str, Any]


def measure_winrates(
    recipe: WinrateRecipe, workdir: Workdir, verdicts: Mapping[str, Verdict] | None = None
) -> Result:
    """Complete, judge and compare; write winrate.json and completions.parquet into `recipe.output`.

    Judges are the recipe's reward model, as `reward_model`, and the functions in `verdicts`, by name.

    Returns the content of winrate.json: base, prompts, models, without_completion {model: rows},
    mean_score {judge: {model: {"all" or language: mean}}}, and winrate {model: {judge: summary}} with the
    summaries of `polypref.eval.statistics.summarise_languages`.

    Raises InputError: the prompts or a model cannot be used.
    Raises Unavailable: calls failed for now, and no prompt has a scored completion of both models; or
    InputError if these calls fail every time.
    """
    is_local = Path(recipe.prompts).is_dir()
    if not is_local:
        recipe = recipe.model_copy(update={"revision": resolve_revision(recipe.prompts, recipe.revision)})
    generators = recipe.generators()
    # Before any of them is asked: the last one may be missing, or not be trained to its end.
    models = {name: _describe_model(config, workdir) for name, config in generators.items()}
    completions = complete_prompts(generators, read_prompts(recipe), recipe.samples, workdir)
    scored = {"reward_model": score_completions(recipe.judge, completions, workdir)}
    for judge, verdict in (verdicts or {}).items():
        scored[judge] = judge_completions(verdict, completions)
    challengers = [name for name in generators if name != recipe.base]
    result = {
        "base": recipe.base,
        "prompts": {
            "name": Path(recipe.prompts).resolve().name if is_local else recipe.prompts,
            "revision": recipe.revision,
            "split": recipe.split,
            "count": completions["prompt_id"].n_unique(),
            "languages": sorted(completions["language"].unique()),
        },
        "models": models,
        "without_completion": {name: _count_missing(completions, name) for name in generators},
        "mean_score": {judge: _mean_scores(rows) for judge, rows in scored.items()},
        "winrate": {name: _compare_with_base(scored, name, recipe) for name in challengers},
    }
    _write(recipe.output, result, scored)
    return result


def describe_winrates(result: Result) -> str:
    """Return the comparisons over all languages, one line each."""
    lines = [f"against {result['base']}, {result['prompts']['count']} prompts:"]
    for model, summaries in result["winrate"].items():
        for judge, games in summaries.items():
            shares = f"win {games['win']:.1%} loss {games['loss']:.1%} tie {games['tie']:.1%}"
            line = f"  {model} ({judge}): {shares}; win minus loss {games['difference']:+.1%}"
            if games["low"] is not None:
                line += f", 95% interval {games['low']:+.1%} to {games['high']:+.1%}"
            lines.append(line)
            without_games = sorted(set(result["prompts"]["languages"]) - set(games["languages"]))
            if without_games:
                lines.append(f"    no games in {', '.join(without_games)}: no prompt that both completed")
    return "\n".join(lines)


def _describe_model(config: Generator, workdir: Workdir) -> dict[str, str]:
    match config:
        case HfGenerator() | VllmGenerator():
            require_finished(Path(config.model))
            model = workdir.resolve(config.model, config.revision)
            return {"model": model.model, "revision": model.revision}
        case _:
            return {"model": config.model, "server": public_name(config.base_url)}


def _count_missing(completions: pl.DataFrame, model: str) -> int:
    return completions.filter(pl.col("model") == model)["completion"].null_count()


def _mean_scores(scored: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Return {model: {"all": mean score, language: mean score}}."""
    means: dict[str, dict[str, float]] = {}
    for model, mean in scored.group_by("model").agg(pl.col("score").mean()).sort("model").iter_rows():
        means[model] = {"all": mean}
    by_language = scored.group_by("model", "language").agg(pl.col("score").mean()).sort("model", "language")
    for model, language, mean in by_language.iter_rows():
        means[model][language] = mean
    return means


def _compare_with_base(
    scored: Mapping[str, pl.DataFrame], model: str, recipe: WinrateRecipe
) -> dict[str, Any]:
    """Return {judge: the summary of the games of a model against the base}."""
    summaries = {}
    for judge, rows in scored.items():
        of_model = rows.filter(pl.col("model") == model)
        of_base = rows.filter(pl.col("model") == recipe.base)
        games = compare(of_model, of_base, recipe.margin)
        if games.is_empty():
            raise _no_games(of_model, of_base, model, recipe.base)
        summaries[judge] = summarise_languages(games, recipe.resamples, recipe.seed)
    return summaries


def _no_games(of_model: pl.DataFrame, of_base: pl.DataFrame, model: str, base: str) -> PolyprefError:
    """Return the error of a comparison without games: Unavailable if calls failed for now."""
    missing = []
    for name, rows in ((model, of_model), (base, of_base)):
        missing.append(f"{name} {rows['completion'].null_count():,} of {rows.height:,}")
    problem = f"{model} against {base}: no prompt that both completed; no completion: {', '.join(missing)}"
    failed_for_now = of_model["finish_reason"].null_count() + of_base["finish_reason"].null_count()
    if failed_for_now:
        return Unavailable(f"{problem}; run again to repeat the {failed_for_now:,} calls that failed for now")
    return InputError(f"{problem}; these calls fail every time: check the model and its settings")


def _write(folder: Path, result: Result, scored: Mapping[str, pl.DataFrame]) -> None:
    """Write winrate.json, and completions.parquet with one row per completion and judge."""
    tables = []
    for judge, rows in scored.items():
        tables.append(rows.select(pl.exclude("prompt", "score"), pl.lit(judge).alias("judge"), "score"))
    table = pl.concat(tables).sort("judge", "model", "language", "prompt_id", "sample")
    with write_atomically(folder / "completions.parquet") as path:
        table.write_parquet(path)
    with write_atomically(folder / "winrate.json") as path:
        path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
