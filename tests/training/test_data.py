"""The rows of a published folder that reach a trainer, and their order."""

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


def test_all_of_the_train_split_is_read_and_nothing_else(published: Path, pairs: pl.DataFrame) -> None:
    rows = data.read_pairs(recipe(published))
    expected = {
        (id_, code)
        for id_, code in pairs.select("prompt_id", "language").iter_rows()
        if split_of(id_, 0.2) == "train"
    }
    assert set(rows.select("prompt_id", "language").iter_rows()) == expected
    assert 0 < len(expected) < pairs.height
    assert rows.columns == ["prompt_id", "language", "builder", "rank", "prompt", "chosen", "rejected"]


def test_the_seed_alone_decides_the_order(published: Path) -> None:
    rows = data.read_pairs(recipe(published, seed=1))
    assert rows.equals(data.read_pairs(recipe(published, seed=1)))
    key = ("prompt_id", "language")
    assert rows.equals(data.sort_by_seed(rows.reverse(), ("prompt_id", "language", "builder", "rank"), 1))
    assert not rows.select(key).equals(data.read_pairs(recipe(published, seed=2)).select(key))
    assert data.rows_digest(rows) == data.rows_digest(rows.reverse())
    assert data.rows_digest(rows) != data.rows_digest(rows.head(-1))


def test_a_recipe_selects_languages_and_mixtures(published: Path) -> None:
    assert set(data.read_pairs(recipe(published, languages=["German"]))["language"]) == {"deu_Latn"}
    mixture = {"languages": ["deu_Latn", "jpn_Jpan"], "rows": 5}
    rows = data.read_pairs(recipe(published, mixture=mixture))
    assert dict(rows["language"].value_counts().iter_rows()) == {"deu_Latn": 5, "jpn_Jpan": 5}
    assert rows["prompt_id"].n_unique() == 5
    assert data.read_pairs(recipe(published, mixture=mixture, languages=["deu_Latn"])).height == 5


def test_a_language_without_rows_is_named(published: Path) -> None:
    with pytest.raises(InputError, match="fra_Latn"):
        data.read_pairs(recipe(published, languages=["deu_Latn", "fra_Latn"]))
    with pytest.raises(ValueError, match="unknown mixture 'ml-23-50'; did you mean 'ml-23-50k'"):
        recipe(published, mixture="ml-23-50")


def rloo_recipe(published: Path, **fields: Any) -> RlooRecipe:
    reward = {"kind": "reward_model", "model": "reward"}
    named = {"model": "policy", "data": str(published), "output": "unused", "reward": reward}
    return RlooRecipe.model_validate({**named, **fields})


def test_every_prompt_is_read_once_per_language(published: Path) -> None:
    rows, offline = data.read_prompts(rloo_recipe(published)), data.read_pairs(recipe(published))
    assert rows.columns == ["prompt_id", "language", "prompt"]
    key = rows.select("prompt_id", "language")
    assert set(key.iter_rows()) == set(offline.select("prompt_id", "language").iter_rows())
    assert not key.is_duplicated().any()


def test_every_prompt_is_asked_once_per_pass_in_an_order_of_the_seed(published: Path) -> None:
    def order(**fields: Any) -> list[int]:
        return data.prompt_order(10, rloo_recipe(published, **{"batch_size": 4, **fields}))

    assert sorted(order(epochs=1)) == list(range(10))
    assert sorted(order(epochs=3)[10:20]) == list(range(10))
    assert order(epochs=3)[:10] == order(epochs=1) != order(epochs=3)[10:20]
    assert len(order(epochs=0.5)) == 4  # whole steps of 2 prompts
    assert len(order(max_steps=9)) == 18
    assert order(seed=1) != order(seed=2)


def test_the_control_swaps_about_half_of_the_pairs(pairs: pl.DataFrame) -> None:
    many = pl.concat([pairs.with_columns(pl.lit(rank, dtype=pl.Int32).alias("rank")) for rank in range(20)])
    swapped = data.swap_at_random(many, seed=0)
    is_swapped = swapped["chosen"] == many["rejected"]
    share = is_swapped.mean()
    assert isinstance(share, float)
    assert abs(share - 0.5) < 3 * (0.25 / many.height) ** 0.5
    assert ((swapped["chosen"] == many["chosen"]) == ~is_swapped).all()
    assert (is_swapped == (swapped["rejected"] == many["chosen"])).all()
    assert swapped.select("prompt_id", "language", "prompt").equals(
        many.select("prompt_id", "language", "prompt")
    )
    assert not swapped.equals(data.swap_at_random(many, seed=1))
    assert swapped.equals(data.swap_at_random(many, seed=0))
