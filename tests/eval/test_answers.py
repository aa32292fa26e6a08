"""Completions and scores: independent of the order of prompts, and each in its own row."""

from pathlib import Path

import polars as pl
import pytest

from polypref.cards.load import scan_published
from polypref.engines.config import HfGenerator, RewardModel, Sampling
from polypref.eval.answers import complete_prompts, judge_completions, score_completions
from polypref.store.workdir import Workdir

KEY = ["prompt_id", "language", "model", "sample"]
GERMAN = pl.col("language") == "deu_Latn"


@pytest.fixture
def models(world: Path) -> dict[str, HfGenerator]:
    sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=8)
    small = {"sampling": sampling, "tokens_per_batch": 120, "device": "cpu"}  # a few prompts per batch
    return {name: HfGenerator(kind="hf", model=str(world / name), **small) for name in ("base", "tuned")}


@pytest.fixture
def prompts(world: Path) -> pl.DataFrame:
    return scan_published(
        world / "pairs", split="test", columns=("prompt_id", "language", "prompt")
    ).collect()


def test_neither_order_nor_other_languages_change_a_completion(
    prompts: pl.DataFrame, models: dict[str, HfGenerator], tmp_path: Path
) -> None:
    with Workdir(tmp_path / "a") as workdir:
        completions = complete_prompts(models, prompts, 2, workdir)
    assert completions["completion"].null_count() == 0
    assert completions["completion"].n_unique() > 2
    with Workdir(tmp_path / "b") as workdir:
        reversed_models = dict(reversed(models.items()))
        shuffled = prompts.sample(fraction=1, shuffle=True, seed=5)
        again = complete_prompts(reversed_models, shuffled, 2, workdir)
    assert again.sort(KEY).equals(completions.sort(KEY))
    with Workdir(tmp_path / "c") as workdir:
        german = complete_prompts(models, prompts.filter(GERMAN), 2, workdir)
    assert german.sort(KEY).equals(completions.filter(GERMAN).sort(KEY))


def test_every_row_gets_its_own_score(
    world: Path, prompts: pl.DataFrame, models: dict[str, HfGenerator], tmp_path: Path
) -> None:
    judge = RewardModel(kind="reward_model", model=str(world / "reward"), device="cpu")
    with Workdir(tmp_path) as workdir:
        completions = complete_prompts(models, prompts, 1, workdir)
        is_missing = pl.int_range(pl.len()) == 3
        text = pl.when(is_missing).then(None).otherwise("completion")
        completions = completions.with_columns(completion=text)
        scored = score_completions(judge, completions, workdir)
        reversed_scored = score_completions(judge, completions.reverse(), workdir)
    assert scored.drop("score").equals(completions)
    assert scored["score"].is_null().arg_true().to_list() == [3]
    assert scored["score"].n_unique() > 3
    assert reversed_scored.reverse().equals(scored)


def test_a_function_judges_completions_by_their_key() -> None:
    schema = {"prompt_id": pl.String, "language": pl.String, "completion": pl.String}
    rows = [("p", "deu_Latn", "ja"), ("p", "eng_Latn", None), ("q", "eng_Latn", "no")]
    completions = pl.DataFrame(rows, schema=schema, orient="row")
    answers = {("p", "deu_Latn"): "ja", ("q", "eng_Latn"): "yes"}
    scored = judge_completions(lambda prompt, language, text: answers[prompt, language] == text, completions)
    assert scored["score"].to_list() == [1.0, None, 0.0]
