"""Which prompts are asked, and that neither their order nor other languages change a completion."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from polypref.engines.config import HfGenerator, RewardModel, Sampling
from polypref.eval.answers import completions, first_by_draw, prompts, scores
from polypref.eval.recipe import WinrateRecipe
from polypref.schemas import split_of
from polypref.store.workdir import Workdir

KEY = ["prompt_id", "language", "model", "sample"]


def recipe(world: Path, **fields: Any) -> WinrateRecipe:
    judge = {"kind": "reward_model", "model": str(world / "reward")}
    given = {
        "prompts": str(world / "pairs"),
        "models": {"a": "a", "b": "b"},
        "base": "b",
        "judge": judge,
        "output": "unused",
    }
    return WinrateRecipe.model_validate({**given, **fields})


def test_the_prompts_of_the_test_split_once_a_language(world: Path, pairs: pl.DataFrame) -> None:
    rows = prompts(recipe(world))
    expected = sorted(
        (code, id_)
        for id_, code in pairs.select("prompt_id", "language").iter_rows()
        if split_of(id_, 0.2) == "test"
    )
    assert rows.select("language", "prompt_id").rows() == expected
    assert set(prompts(recipe(world, languages=["ja"]))["language"]) == {"jpn_Jpan"}
    assert not set(prompts(recipe(world, split="train"))["prompt_id"]) & set(rows["prompt_id"])


def test_as_many_prompts_a_language_and_the_same_ones(world: Path) -> None:
    rows = prompts(recipe(world, split="train", per_language=5))
    assert dict(rows["language"].value_counts().iter_rows()) == {"deu_Latn": 5, "eng_Latn": 5, "jpn_Jpan": 5}
    assert rows["prompt_id"].n_unique() == 5
    more = prompts(recipe(world, split="train", per_language=8))
    assert set(rows["prompt_id"]) < set(more["prompt_id"])
    assert set(prompts(recipe(world, split="train", per_language=5, seed=1))["prompt_id"]) != set(
        rows["prompt_id"]
    )
    assert first_by_draw(more, 5, 0).equals(rows)


@pytest.fixture
def models(world: Path) -> dict[str, HfGenerator]:
    sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=8)
    small = {"sampling": sampling, "tokens_per_batch": 120, "device": "cpu"}  # a few prompts a batch
    return {name: HfGenerator(kind="hf", model=str(world / name), **small) for name in ("base", "tuned")}


def test_neither_order_nor_other_languages_change_a_completion(
    world: Path, models: dict[str, HfGenerator], tmp_path: Path
) -> None:
    rows = prompts(recipe(world))
    with Workdir(tmp_path / "a") as workdir:
        made = completions(models, rows, 2, workdir)
    assert made["completion"].null_count() == 0
    assert made["completion"].n_unique() > 2
    with Workdir(tmp_path / "b") as workdir:
        again = completions(
            dict(reversed(models.items())), rows.sample(fraction=1, shuffle=True, seed=5), 2, workdir
        )
    assert again.sort(KEY).equals(made.sort(KEY))
    with Workdir(tmp_path / "c") as workdir:
        german = completions(models, rows.filter(pl.col("language") == "deu_Latn"), 2, workdir)
    assert german.sort(KEY).equals(made.filter(pl.col("language") == "deu_Latn").sort(KEY))


def test_scores_stand_by_their_rows(world: Path, models: dict[str, HfGenerator], tmp_path: Path) -> None:
    judge = RewardModel(kind="reward_model", model=str(world / "reward"), device="cpu")
    with Workdir(tmp_path) as workdir:
        made = completions(models, prompts(recipe(world)), 1, workdir)
        made = made.with_columns(
            pl.when(pl.int_range(pl.len()) == 3).then(None).otherwise("completion").alias("completion")
        )
        values = scores(judge, made, workdir)
        turned = scores(judge, made.reverse(), workdir)
    assert values.is_null().arg_true().to_list() == [3]
    assert turned.reverse().equals(values)
    assert values.n_unique() > 3
