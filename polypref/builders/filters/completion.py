"""Faults of completions: refusals, leaked chat templates, self-identification, remarks, echoes."""

import polars as pl

from polypref.builders.filters.phrases import ABOUT_TRANSLATING, REFUSALS, SELF, TEMPLATE

BEGINNING = 250  # characters in which a refusal must begin


def refusal(rows: pl.DataFrame) -> pl.Series:
    """Return 1 for a text that begins with a refusal, in its own language or in English, else 0."""
    beginnings = rows.with_row_index("row").select(
        "row", "language", beginning=pl.col("text").str.slice(0, BEGINNING).str.to_lowercase()
    )
    results = []
    for (code,), group in beginnings.group_by("language", maintain_order=True):
        pattern = REFUSALS["eng_Latn"]  # models fall back to English
        if code in REFUSALS:
            pattern = f"{pattern}|{REFUSALS[str(code)]}"
        refuses = pl.col("beginning").str.contains(pattern)
        results.append(group.select("row", refuses=refuses.cast(pl.Float64)))
    return pl.concat(results).sort("row")["refuses"]


def self_identification(rows: pl.DataFrame) -> pl.Series:
    """Return how often a text identifies its author as a model, by name or as "an AI language model"."""
    return rows["text"].str.count_matches(f"(?i)(?:{SELF})")


def chat_template(rows: pl.DataFrame) -> pl.Series:
    """Return the number of leaked marks of a chat template: `<|im_end|>`, `[INST]`, "User:" before a turn."""
    return rows["text"].str.count_matches(TEMPLATE)


def about_translating(rows: pl.DataFrame) -> pl.Series:
    """Return the number of remarks on translating ("Both are valid translations") that the source lacks."""
    in_text = rows["text"].str.count_matches(ABOUT_TRANSLATING).cast(pl.Int64)
    in_source = rows["source"].str.count_matches(ABOUT_TRANSLATING).cast(pl.Int64)
    return (in_text - in_source).clip(lower_bound=0)


def equals_prompt(rows: pl.DataFrame) -> pl.Series:
    """Return 1 for a text that is its prompt again, but for case and spaces, else 0."""
    return (_normalised(rows["text"]) == _normalised(rows["prompt"])).cast(pl.Float64)


def _normalised(texts: pl.Series) -> pl.Series:
    return texts.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
