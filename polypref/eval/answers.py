"""The prompts of an evaluation, what models answer to them, and what a reward model makes of that.

Everything is asked a language at a time in the order of keys, so neither the order of the prompts nor the other languages
change a completion; answers are kept in the work dir and never asked twice.
"""

from collections.abc import Mapping

import polars as pl

from polypref.cards.load import scan_published
from polypref.engines.base import Answer, Request
from polypref.engines.config import EngineConfig
from polypref.engines.pool import ask_in_groups
from polypref.engines.start import open_engine
from polypref.eval.recipe import WinrateRecipe
from polypref.progress import Progress
from polypref.schemas import PROMPT_KEY, uniform
from polypref.store.workdir import Workdir

# `completion` is null where there is none: the call failed, for now or for good.
COMPLETIONS = ("prompt_id", "language", "prompt", "model", "sample", "completion", "finish_reason")


def prompts(recipe: WinrateRecipe) -> pl.DataFrame:
    """The recipe's prompts as (prompt_id, language, prompt), sorted by language and id. Raises InputError where there are none."""
    rows = scan_published(
        recipe.prompts,
        languages=recipe.languages,
        split=recipe.split,
        revision=recipe.revision,
        columns=(*PROMPT_KEY, "prompt"),
    )
    frame = rows.unique(PROMPT_KEY, keep="any").collect().sort("language", "prompt_id")
    return frame if recipe.per_language is None else first_by_draw(frame, recipe.per_language, recipe.seed)


def first_by_draw(rows: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """At most `count` prompts a language, by one draw for a prompt in all languages."""
    draws = {id_: uniform(id_, f"eval {seed}") for id_ in rows["prompt_id"].unique()}
    ranked = rows.with_columns(
        pl.col("prompt_id").replace_strict(draws, return_dtype=pl.Float64).alias("_draw")
    )
    return ranked.filter(pl.col("_draw").rank("ordinal").over("language") <= count).drop("_draw")


def completions(
    generators: Mapping[str, EngineConfig], prompts: pl.DataFrame, samples: int, workdir: Workdir
) -> pl.DataFrame:
    """A row a prompt, model and sample (COMPLETIONS). Raises InputError for a model that cannot be used."""
    asked = prompts.sort("language", "prompt_id").join(
        pl.DataFrame({"sample": range(samples)}, schema={"sample": pl.Int32}), how="cross"
    )
    made = []
    for name, config in generators.items():
        given = _answers(config, f"generate {name}", asked, [], workdir)
        rows = asked.with_columns(
            pl.lit(name).alias("model"),
            pl.Series(
                "completion",
                [answer.text if answer and not answer.error else None for answer in given],
                dtype=pl.String,
            ),
            pl.Series(
                "finish_reason",
                [answer.finish_reason if answer else None for answer in given],
                dtype=pl.String,
            ),
        )
        made.append(rows.select(COMPLETIONS))
    return pl.concat(made)


def scores(config: EngineConfig, made: pl.DataFrame, workdir: Workdir) -> pl.Series:
    """A reward model's score for every row of `made`, in its order; null where there is no completion."""
    there = (
        made.with_row_index("_row")
        .filter(pl.col("completion").is_not_null())
        .sort("language", "prompt_id", "model", "sample")
    )
    given = _answers(config, "score completions", there, there["completion"].to_list(), workdir)
    scored = there.select(
        "_row", pl.Series("score", [answer.score if answer else None for answer in given], dtype=pl.Float64)
    )
    return made.with_row_index("_row").join(scored, on="_row", how="left", maintain_order="left")["score"]


def _answers(
    config: EngineConfig, title: str, rows: pl.DataFrame, replies: list[str], workdir: Workdir
) -> list[Answer | None]:
    """An answer a row; `rows` are sorted by language, `replies` are the completions to be scored or none."""
    engine = open_engine(config, title, workdir)
    log = workdir.open_log(engine.fingerprint)
    groups, begin = [], 0
    for part in rows.partition_by("language", maintain_order=True):
        asked = part.select("prompt", "sample").iter_rows()
        replied = [
            [{"role": "assistant", "content": reply}] for reply in replies[begin : begin + part.height]
        ] or [[]] * part.height
        groups.append(
            [
                Request([*prompt, *reply], sample)
                for (prompt, sample), reply in zip(asked, replied, strict=True)
            ]
        )
        begin += part.height
    with Progress(title, rows.height) as progress:
        return [answer for given in ask_in_groups(engine, groups, log, progress) for answer in given]
