"""The prompts of an evaluation: one split, the same prompts in every language."""

from pathlib import Path
from typing import Any

import polars as pl

from polypref.eval.prompts import read_prompts, sample_prompts
from polypref.eval.recipe import WinrateRecipe
from polypref.schemas import split_of


def read(world: Path, **fields: Any) -> pl.DataFrame:
    """Return the prompts of a recipe with these fields."""
    recipe = {
        "prompts": str(world / "pairs"),
        "models": {"a": "a", "b": "b"},
        "base": "b",
        "judge": {"kind": "reward_model", "model": str(world / "reward")},
        "output": "unused",
    }
    return read_prompts(WinrateRecipe.model_validate({**recipe, **fields}))


def test_a_prompt_of_the_split_is_read_once_per_language(world: Path, pairs: pl.DataFrame) -> None:
    rows = read(world)
    keys = pairs.select("language", "prompt_id").rows()
    assert rows.select("language", "prompt_id").rows() == sorted(
        (language, prompt_id) for language, prompt_id in keys if split_of(prompt_id, 0.2) == "test"
    )
    assert set(read(world, languages=["ja"])["language"]) == {"jpn_Jpan"}
    assert not set(read(world, split="train")["prompt_id"]) & set(rows["prompt_id"])


def test_every_language_gets_the_same_sampled_prompts(world: Path) -> None:
    five = read(world, split="train", per_language=5)
    assert dict(five["language"].value_counts().iter_rows()) == {"deu_Latn": 5, "eng_Latn": 5, "jpn_Jpan": 5}
    assert five["prompt_id"].n_unique() == 5
    eight = read(world, split="train", per_language=8)
    assert set(five["prompt_id"]) < set(eight["prompt_id"])
    assert sample_prompts(eight, 5, 0).equals(five)
    other_seed = read(world, split="train", per_language=5, seed=1)
    assert set(other_seed["prompt_id"]) != set(five["prompt_id"])
