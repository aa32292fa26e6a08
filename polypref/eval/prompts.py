"""The prompts of an evaluation."""

import polars as pl

from polypref.cards.load import scan_published
from polypref.eval.recipe import WinrateRecipe
from polypref.schemas import PROMPT_KEY, uniform


def read_prompts(recipe: WinrateRecipe) -> pl.DataFrame:
    """Return the recipe's prompts as (prompt_id, language, prompt), sorted by language and id.

    Raises InputError without any.
    """
    rows = scan_published(
        recipe.prompts,
        languages=recipe.languages,
        split=recipe.split,
        revision=recipe.revision,
        columns=(*PROMPT_KEY, "prompt"),
    )
    prompts = rows.unique(PROMPT_KEY, keep="any").collect().sort("language", "prompt_id")
    if recipe.per_language is None:
        return prompts
    return sample_prompts(prompts, recipe.per_language, recipe.seed)


def sample_prompts(prompts: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """Return at most `count` prompts of each language, drawn by a hash that is the same in all languages."""
    draws = {prompt_id: uniform(prompt_id, f"eval {seed}") for prompt_id in prompts["prompt_id"].unique()}
    draw = pl.col("prompt_id").replace_strict(draws, return_dtype=pl.Float64)
    return prompts.filter(draw.rank("ordinal").over("language") <= count)
