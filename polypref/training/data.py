"""Published pairs as what TRL takes: the train split only, in an order that the seed alone decides."""

import hashlib
import json
from typing import TYPE_CHECKING

import polars as pl

from polypref.cards import mixtures
from polypref.cards.load import scan_published
from polypref.schemas import KEYS, uniform
from polypref.training.recipe import TrainRecipe

if TYPE_CHECKING:
    from datasets import Dataset


def pairs(recipe: TrainRecipe) -> pl.DataFrame:
    """The pairs that the recipe names: key, prompt, chosen, rejected. Raises InputError where there are none."""
    return _train_rows(recipe, KEYS["pairs"], ("prompt", "chosen", "rejected"))


def prompts(recipe: TrainRecipe) -> pl.DataFrame:
    """The prompts that the recipe names, each once a language, as (prompt_id, language, prompt); published pairs or prompts will do."""
    return _train_rows(recipe, KEYS["prompts"], ("prompt",))


def _train_rows(recipe: TrainRecipe, key: tuple[str, ...], columns: tuple[str, ...]) -> pl.DataFrame:
    mixture = None if recipe.mixture is None else mixtures.mixture(recipe.mixture)
    languages = recipe.languages if mixture is None else None if mixture.allow_short else mixture.languages
    rows = scan_published(
        recipe.data,
        languages=languages,
        split="train",
        revision=recipe.data_revision,
        columns=(*key, *columns),
    )
    frame = (
        rows.unique(key, keep="any").collect()
        if mixture is None
        else mixtures.apply(rows.unique(key, keep="any"), mixture)
    )
    if recipe.languages is not None:
        frame = frame.filter(pl.col("language").is_in(recipe.languages))
    return in_seeded_order(frame, key, recipe.seed)


def in_seeded_order(frame: pl.DataFrame, key: tuple[str, ...], seed: int) -> pl.DataFrame:
    """The rows ordered by a hash of seed and key: the same whatever the order of files and shards."""
    draws = [uniform("\0".join(map(str, row)), f"order {seed}") for row in frame.select(key).iter_rows()]
    return frame.with_columns(pl.Series("_draw", draws, dtype=pl.Float64)).sort("_draw", *key).drop("_draw")


def shuffled(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The pairs with chosen and rejected, and what is said of them, swapped where a seeded coin says so: preference without meaning."""
    key = KEYS["pairs"]
    coin = pl.Series(
        "_swap",
        [uniform("\0".join(map(str, row)), f"control {seed}") < 0.5 for row in frame.select(key).iter_rows()],
    )
    swapped = [
        pl.when(pl.col("_swap")).then(pl.col(_other(name))).otherwise(pl.col(name)).alias(name)
        for name in frame.columns
        if _other(name) in frame.columns and _other(name) != name
    ]
    if "margin" in frame.columns:
        swapped.append(
            pl.when(pl.col("_swap")).then(-pl.col("margin")).otherwise(pl.col("margin")).alias("margin")
        )
    return frame.with_columns(coin).with_columns(swapped).drop("_swap")


def _other(name: str) -> str:
    for side, other in (("chosen", "rejected"), ("rejected", "chosen")):
        if name == side or name.startswith(f"{side}_"):
            return other + name.removeprefix(side)
    return name


def digest(frame: pl.DataFrame) -> str:
    """sha256 of the rows that a run trains on, whatever their order."""
    columns = [
        name for name in ("prompt_id", "language", "prompt", "chosen", "rejected") if name in frame.columns
    ]
    total = hashlib.sha256()
    for line in sorted(json.dumps(row, ensure_ascii=False) for row in frame.select(columns).iter_rows()):
        total.update(f"{line}\n".encode("utf-8", "surrogatepass"))
    return f"sha256:{total.hexdigest()}"


def dataset(frame: pl.DataFrame) -> "Dataset":
    """TRL's conversational columns, those of prompt, chosen and rejected that the frame has, everything else dropped."""
    from datasets import Dataset

    return Dataset.from_polars(
        frame.select([name for name in ("prompt", "chosen", "rejected") if name in frame.columns])
    )
