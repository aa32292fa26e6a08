"""What of a published folder reaches a trainer, and in which order."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from polypref.errors import InputError
from polypref.schemas import split_of
from polypref.training import data
from polypref.training.recipe import DpoRecipe, RlooRecipe


def recipe(published: Path, **fields: Any) -> DpoRecipe:
    return DpoRecipe.model_validate({"model": "policy", "data": str(published), "output": "unused", **fields})


def test_only_the_train_split_and_all_of_it(published: Path, pairs: pl.DataFrame) -> None:
    rows = data.pairs(recipe(published))
    expected = {
        (id_, code)
        for id_, code in pairs.select("prompt_id", "language").iter_rows()
        if split_of(id_, 0.2) == "train"
    }
    assert set(rows.select("prompt_id", "language").iter_rows()) == expected
    assert 0 < len(expected) < pairs.height
    assert rows.columns == ["prompt_id", "language", "builder", "rank", "prompt", "chosen", "rejected"]


def test_the_seed_alone_decides_the_order(published: Path) -> None:
    rows = data.pairs(recipe(published, seed=1))
    assert rows.equals(data.pairs(recipe(published, seed=1)))
    key = ("prompt_id", "language")
    assert rows.equals(data.in_seeded_order(rows.reverse(), ("prompt_id", "language", "builder", "rank"), 1))
    assert not rows.select(key).equals(data.pairs(recipe(published, seed=2)).select(key))
    assert data.digest(rows) == data.digest(rows.reverse())
    assert data.digest(rows) != data.digest(rows.head(-1))


def test_languages_and_mixtures(published: Path) -> None:
    assert set(data.pairs(recipe(published, languages=["German"]))["language"]) == {"deu_Latn"}
    mixture = {"languages": ["deu_Latn", "jpn_Jpan"], "rows": 5}
    rows = data.pairs(recipe(published, mixture=mixture))
    assert dict(rows["language"].value_counts().iter_rows()) == {"deu_Latn": 5, "jpn_Jpan": 5}
    assert rows["prompt_id"].n_unique() == 5
    assert data.pairs(recipe(published, mixture=mixture, languages=["deu_Latn"])).height == 5


def test_a_language_without_rows_is_named(published: Path) -> None:
    with pytest.raises(InputError, match="fra_Latn"):
        data.pairs(recipe(published, languages=["deu_Latn", "fra_Latn"]))
    with pytest.raises(ValueError, match="unknown mixture 'ml-23-50'; did you mean 'ml-23-50k'"):
        recipe(published, mixture="ml-23-50")


def test_prompts_stand_once_a_language(published: Path, reward_model: Path) -> None:
    online = RlooRecipe.model_validate(
        {
            "model": "p",
            "data": str(published),
            "output": "unused",
            "reward": {"kind": "reward_model", "model": str(reward_model)},
        }
    )
    rows, offline = data.prompts(online), data.pairs(recipe(published))
    assert rows.columns == ["prompt_id", "language", "prompt"]
    assert set(rows.select("prompt_id", "language").iter_rows()) == set(
        offline.select("prompt_id", "language").iter_rows()
    )
    assert not rows.select("prompt_id", "language").is_duplicated().any()


def test_the_control_swaps_half_of_the_pairs_and_all_that_is_said_of_them(pairs: pl.DataFrame) -> None:
    many = pl.concat([pairs.with_columns(pl.lit(rank, dtype=pl.Int32).alias("rank")) for rank in range(20)])
    swapped = data.shuffled(many, seed=0)
    is_swapped = swapped["chosen"] == many["rejected"]
    share = is_swapped.mean()
    assert isinstance(share, float)
    assert abs(share - 0.5) < 3 * (0.25 / many.height) ** 0.5
    assert ((swapped["chosen"] == many["chosen"]) == ~is_swapped).all()
    assert (swapped["chosen_model"] == pl.Series(["weak" if swap else "strong" for swap in is_swapped])).all()
    assert (swapped["margin"] == swapped["chosen_score"] - swapped["rejected_score"]).all()
    assert swapped.select("prompt_id", "language", "prompt").equals(
        many.select("prompt_id", "language", "prompt")
    )
    assert not swapped.equals(data.shuffled(many, seed=1))
    assert swapped.equals(data.shuffled(many, seed=0))
