"""Faults of completions: refusals, marks of a chat template, a model that speaks of itself, an answer that is its prompt."""

import polars as pl

from polypref.builders.filters.phrases import ABOUT_TRANSLATING, REFUSALS, SELF, TEMPLATE

BEGINNING = 250  # characters in which a refusal is looked for


def refusal(rows: pl.DataFrame) -> pl.Series:
    """1 for a text that begins by refusing, in its own language or in English."""
    beginnings = rows.select(
        "language", beginning=pl.col("text").str.slice(0, BEGINNING).str.to_lowercase()
    ).with_row_index()
    found = []
    for (code,), some in beginnings.group_by("language", maintain_order=True):
        patterns = "|".join(filter(None, (REFUSALS["eng_Latn"], REFUSALS.get(str(code), ""))))
        found.append(
            some.select("index", refuses=pl.col("beginning").str.contains(patterns).cast(pl.Float64))
        )
    return pl.concat(found).sort("index")["refuses"]


def self_identification(rows: pl.DataFrame) -> pl.Series:
    """How often a text says that a model, by name or as "an AI language model", is speaking."""
    return rows["text"].str.count_matches(f"(?i)(?:{SELF})")


def chat_template(rows: pl.DataFrame) -> pl.Series:
    """Marks of a chat template that leaked into a text: `<|im_end|>`, `[INST]`, a turn of the user's."""
    return rows["text"].str.count_matches(TEMPLATE)


def about_translating(rows: pl.DataFrame) -> pl.Series:
    """Remarks on a translation where one was wanted: "Both options are valid translations of …"; those of the source do not count."""
    counts = rows["text"].str.count_matches(ABOUT_TRANSLATING).cast(pl.Int64) - rows[
        "source"
    ].str.count_matches(ABOUT_TRANSLATING)
    return counts.clip(lower_bound=0)


def equals_prompt(rows: pl.DataFrame) -> pl.Series:
    """1 for an answer that is its prompt, but for case and spaces."""
    return (_plain(rows["text"]) == _plain(rows["prompt"])).cast(pl.Float64)


def _plain(texts: pl.Series) -> pl.Series:
    return texts.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
