"""A whole evaluation of two tiny policies."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from polypref.errors import InputError, Unavailable
from polypref.eval import winrate
from polypref.eval.answers import complete_prompts
from polypref.eval.recipe import WinrateRecipe
from polypref.eval.winrate import describe_winrates, measure_winrates
from polypref.store.workdir import Workdir

SAMPLING = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 8}


def recipe(world: Path, output: Path, **fields: Any) -> WinrateRecipe:
    named = {
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
    return WinrateRecipe.model_validate({**named, **fields})


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

    tuned, base = (by_length.filter(pl.col("model") == model) for model in ("tuned", "base"))
    both = tuned.join(base, on=["prompt_id", "language", "sample"])
    judged = result["winrate"]["tuned"]["length"]
    assert judged["win"] == pytest.approx((both["score"] > both["score_right"]).mean())
    assert judged["loss"] == pytest.approx((both["score"] < both["score_right"]).mean())
    assert judged["win"] + judged["loss"] + judged["tie"] == pytest.approx(1)
    assert set(judged["languages"]) == {"deu_Latn", "eng_Latn", "jpn_Jpan"}
    means = result["mean_score"]["length"]
    assert means["tuned"]["all"] - means["base"]["all"] == pytest.approx(judged["win"] - judged["loss"])


def sizes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in folder.iterdir()}


def test_a_second_run_asks_nothing_and_a_model_ties_with_itself(world: Path, tmp_path: Path) -> None:
    own = recipe(world, tmp_path / "out", models={"same": str(world / "base"), "base": str(world / "base")})
    with Workdir(tmp_path / "work") as workdir:
        result = measure_winrates(own, workdir)
    assert result["winrate"]["same"]["reward_model"]["tie"] == 1.0
    answers = sizes(tmp_path / "work" / "answers")
    with Workdir(tmp_path / "work") as workdir:
        assert measure_winrates(own, workdir) == result
    assert sizes(tmp_path / "work" / "answers") == answers


def test_a_comparison_without_games_says_run_again(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = pl.col("model") == "base"
    reason: pl.Expr = pl.lit(None)  # of calls that fail for now

    def fail_for_tuned(*arguments: Any) -> pl.DataFrame:
        return complete_prompts(*arguments).with_columns(
            completion=pl.when(answered).then("completion"),
            finish_reason=pl.when(answered).then("finish_reason").otherwise(reason),
        )

    monkeypatch.setattr(winrate, "complete_prompts", fail_for_tuned)
    problem = (
        r"^tuned against base: no prompt that both completed; no completion: tuned 24 of 24, base 0 of 24; "
    )
    with Workdir(tmp_path / "work") as workdir:
        with pytest.raises(
            Unavailable, match=problem + "run again to repeat the 24 calls that failed for now"
        ):
            measure_winrates(recipe(world, tmp_path / "out"), workdir)
        reason = pl.lit("error")
        with pytest.raises(InputError, match=problem + "these calls fail every time: check the model"):
            measure_winrates(recipe(world, tmp_path / "out"), workdir)


def test_a_comparison_is_described_in_one_line() -> None:
    shares = {"win": 0.5, "loss": 0.25, "tie": 0.25, "difference": 0.25}
    summaries = {
        "oracle": {**shares, "low": 0.1, "high": 0.4, "languages": {"deu_Latn": {}, "eng_Latn": {}}},
        "judge": {**shares, "low": None, "high": None, "languages": {"eng_Latn": {}}},
    }
    prompts = {"count": 20, "languages": ["deu_Latn", "eng_Latn"]}
    result = {"base": "base", "prompts": prompts, "winrate": {"dpo": summaries}}
    line = "win 50.0% loss 25.0% tie 25.0%; win minus loss +25.0%"
    assert describe_winrates(result).splitlines() == [
        "against base, 20 prompts:",
        f"  dpo (oracle): {line}, 95% interval +10.0% to +40.0%",
        f"  dpo (judge): {line}",
        "    no games in deu_Latn: no prompt that both completed",
    ]


def test_bad_recipes_are_one_line(world: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="base 'old' is none of the models tuned, base"):
        recipe(world, tmp_path, base="old")
    french = recipe(world, tmp_path, languages=["French"])
    models = {"tuned": str(tmp_path / "missing"), "base": str(world / "base")}
    missing = recipe(world, tmp_path, models=models)
    with Workdir(tmp_path / "work") as workdir:
        with pytest.raises(InputError, match="fra_Latn"):
            measure_winrates(french, workdir)
        with pytest.raises(InputError, match="no such folder, and not a Hub id"):
            measure_winrates(missing, workdir)
