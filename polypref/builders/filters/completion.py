"""Faults of completions: refusals, leaked chat templates, self-identification, remarks, echoes."""

from pathlib import Path

import polars as pl
import yaml

PHRASES = yaml.safe_load(Path(__file__).with_name("phrases.yaml").read_text("utf-8"))
REFUSALS = PHRASES["refusals"]
BEGINNING = 250  # characters in which a refusal must begin


def _any_of(kind: str) -> str:
    """Return the pattern of all phrases of a kind."""
    pattern = "|".join(PHRASES[kind])
    return pattern.replace("{makers}", PHRASES["makers"]).replace("{models}", PHRASES["models"])


SELF_IDENTIFICATION = _any_of("self_identification")
CHAT_TEMPLATE = _any_of("chat_template")
ABOUT_TRANSLATING = _any_of("about_translating")


def refusal(rows: pl.DataFrame) -> pl.Series:
    """Return 1 for a text that begins with a refusal, in its own language or in English, else 0."""
    beginning = pl.col("text").str.slice(0, BEGINNING).str.to_lowercase()
    english = REFUSALS["eng_Latn"]  # models fall back to it
    own = pl.col("language").replace_strict(REFUSALS, default=english)
    refuses = beginning.str.contains(own) | beginning.str.contains(english)
    return rows.select(refuses.cast(pl.Float64)).to_series()


def self_identification(rows: pl.DataFrame) -> pl.Series:
    """Return how often a text identifies its author as a model, by name or as "an AI language model"."""
    return rows["text"].str.count_matches(f"(?i)(?:{SELF_IDENTIFICATION})")


def chat_template(rows: pl.DataFrame) -> pl.Series:
    """Return the number of leaked marks of a chat template: `<|im_end|>`, `[INST]`, "User:" before a turn."""
    return rows["text"].str.count_matches(CHAT_TEMPLATE)


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
