"""The train split of published data as TRL takes it, in an order that depends on the seed alone."""

import hashlib
import json
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from polypref.cards.load import scan_published
from polypref.cards.mixtures import parse_mixture, select_rows
from polypref.errors import InputError
from polypref.schemas import KEYS, uniform
from polypref.training.recipe import RlooRecipe, TrainRecipe

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

TRL_COLUMNS = ("prompt", "chosen", "rejected")


def read_pairs(recipe: TrainRecipe) -> pl.DataFrame:
    """Return the recipe's pairs: key, prompt, chosen, rejected. Raises InputError without any."""
    return _read_train_split(recipe, KEYS["pairs"], TRL_COLUMNS)


def read_prompts(recipe: TrainRecipe) -> pl.DataFrame:
    """Return the recipe's prompts as (prompt_id, language, prompt), each once per language.

    The data may be published pairs or published prompts. Raises InputError without any.
    """
    return _read_train_split(recipe, KEYS["prompts"], ("prompt",))


def _read_train_split(recipe: TrainRecipe, key: tuple[str, ...], columns: tuple[str, ...]) -> pl.DataFrame:
    mixture = None if recipe.mixture is None else parse_mixture(recipe.mixture)
    if mixture is None:
        languages = recipe.languages
    elif mixture.allow_short:
        languages = None  # the mixture may name languages that the data lacks
    else:
        languages = mixture.languages
    rows = scan_published(
        recipe.data,
        languages=languages,
        split="train",
        revision=recipe.data_revision,
        columns=(*key, *columns),
    ).unique(key, keep="any")
    frame = rows.collect() if mixture is None else select_rows(rows, mixture)
    if recipe.languages is not None:
        frame = frame.filter(pl.col("language").is_in(recipe.languages))
    return sort_by_seed(frame, key, recipe.seed)


def sort_by_seed(frame: pl.DataFrame, key: Sequence[str], seed: int) -> pl.DataFrame:
    """Sort by a hash of seed and key, so that the order of files and shards does not matter."""
    return frame.with_columns(_draws(frame, key, f"order {seed}")).sort("_draw", *key).drop("_draw")


def swap_at_random(pairs: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Swap chosen and rejected in about half of the pairs, as a seeded coin decides."""
    draws = _draws(pairs, KEYS["pairs"], f"control {seed}")
    swapped = pl.when(draws < 0.5)
    chosen = swapped.then("rejected").otherwise("chosen")
    rejected = swapped.then("chosen").otherwise("rejected")
    return pairs.with_columns(chosen=chosen, rejected=rejected)


def _draws(frame: pl.DataFrame, key: Sequence[str], salt: str) -> pl.Series:
    """Return a number in [0, 1) for every row, drawn by hashing its key, as the column `_draw`."""
    draws = [uniform("\0".join(map(str, row)), salt) for row in frame.select(key).iter_rows()]
    return pl.Series("_draw", draws, dtype=pl.Float64)


def rows_digest(frame: pl.DataFrame) -> str:
    """Return the SHA-256 of the rows that a run trains on, whatever their order."""
    names = [name for name in ("prompt_id", "language", *TRL_COLUMNS) if name in frame.columns]
    digest = hashlib.sha256()
    for line in sorted(json.dumps(row, ensure_ascii=False) for row in frame.select(names).iter_rows()):
        digest.update(f"{line}\n".encode("utf-8", "surrogatepass"))
    return f"sha256:{digest.hexdigest()}"


def to_dataset(frame: pl.DataFrame) -> "Dataset":
    """Return those of TRL's conversational columns that the frame has, without any other column."""
    from datasets import Dataset

    return Dataset.from_polars(frame.select([name for name in TRL_COLUMNS if name in frame.columns]))


def short_prompts(recipe: RlooRecipe, rows: pl.DataFrame, tokenizer: "PreTrainedTokenizerBase") -> "Dataset":
    """Return the prompts that leave room for a completion. Raises InputError without any."""
    room = recipe.max_length - recipe.max_new_tokens

    def fits(row: dict[str, Any]) -> bool:
        ids = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=False)
        return len(ids) <= room

    prompts = to_dataset(rows).filter(fits)
    if len(prompts) == 0:
        raise InputError(f"{recipe.data}: no prompt of at most {room} tokens (max_length - max_new_tokens)")
    return prompts


def prompt_order(prompts: int, recipe: RlooRecipe) -> list[int]:
    """Return the positions of the prompts in the order in which they are asked, for all steps of a training.

    Every pass over the prompts is a seeded permutation of its own; the last one ends with a whole step.
    """
    prompts_per_step = recipe.batch_size // recipe.num_generations
    steps = recipe.max_steps or max(1, int(recipe.epochs * prompts) // prompts_per_step)
    order: list[int] = []
    passes = 0
    while len(order) < steps * prompts_per_step:
        order += random.Random(f"{recipe.seed} {passes}").sample(range(prompts), prompts)
        passes += 1
    return order[: steps * prompts_per_step]
