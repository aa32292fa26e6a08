"""Statistics of one language's rows: how many, from which models, how long, how they are scored."""

from collections.abc import Mapping
from typing import Any

import polars as pl

FIRST_PROMPTS = 64  # of a replacement that drops one prompt in 20, 96% are noticed
QUANTILES = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}


def _characters(messages: str) -> pl.Expr:
    """Return the code points in all messages of a column together, without roles."""
    return pl.col(messages).list.eval(pl.element().struct.field("content").str.len_chars()).list.sum()


# Columns whose values are counted.
COUNTED = {
    "prompts": ("source", "translator"),
    "candidates": ("origin", "generator", "finish_reason"),
    "rejected": ("stage", "rejected_by"),
    "pairs": ("builder", "chosen_model", "rejected_model", "chosen_origin", "rejected_origin"),
}
# Numbers of a row whose quantiles are computed.
_MEASURED: Mapping[str, Mapping[str, pl.Expr]] = {
    "prompts": {"prompt_characters": _characters("prompt")},
    "candidates": {
        "prompt_characters": _characters("prompt"),
        "completion_characters": _characters("completion"),
    },
    "rejected": {"text_characters": _characters("messages")},
    "pairs": {
        "chosen_score": pl.col("chosen_score"),
        "rejected_score": pl.col("rejected_score"),
        "margin": pl.col("margin"),
        "prompt_characters": _characters("prompt"),
        "chosen_characters": _characters("chosen"),
        "rejected_characters": _characters("rejected"),
    },
}
# Columns that are summed.
_TOKENS = {
    "candidates": ("tokens",),
    "pairs": ("chosen_tokens", "rejected_tokens"),
}


def describe_rows(frame: pl.DataFrame, table: str) -> dict[str, Any]:
    """Return statistics of one language's rows of `table`, as plain JSON values.

    prompts: distinct prompts. first_prompts: the FIRST_PROMPTS lowest ids among them. Ids are hashes, so
    these are a random sample, by which two versions of a language are compared.
    counts: {column: {value: rows}}, the most frequent value first, without nulls.
    quantiles: {name: {"p5": …, …, "p95": …}} of the rows that have the number, linearly interpolated.
    tokens: {column: sum}, as the generators counted them; not in there if no row has a number.
    chosen_longer: for pairs, those whose chosen text has more characters than the rejected one.
    """
    numbers = frame.select(**_MEASURED[table])
    quantiles = {name: _quantiles(numbers[name]) for name in numbers.columns}
    if table == "candidates":
        quantiles |= _score_quantiles(frame)
    tokens = {}
    for column in _TOKENS.get(table, ()):
        if frame[column].null_count() < frame.height:
            tokens[column] = int(frame[column].sum())
    statistics = {
        "prompts": frame["prompt_id"].n_unique(),
        "first_prompts": frame["prompt_id"].unique().sort().head(FIRST_PROMPTS).to_list(),
        "counts": {column: _counts(frame[column]) for column in COUNTED[table]},
        "quantiles": quantiles,
        "tokens": tokens,
    }
    if table == "pairs":
        longer = numbers["chosen_characters"] > numbers["rejected_characters"]
        statistics["chosen_longer"] = int(longer.sum())
    return statistics


def _score_quantiles(candidates: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Return the quantiles of each scorer's scores, as "<scorer> score"."""
    scores = candidates.select(pl.col("scores").explode(empty_as_null=False)).unnest("scores")
    quantiles = {}
    for name in sorted(scores["name"].drop_nulls().unique().to_list()):
        quantiles[f"{name} score"] = _quantiles(scores.filter(pl.col("name") == name)["value"])
    return quantiles


def _counts(values: pl.Series) -> dict[str, int]:
    counts = values.drop_nulls().value_counts(name="rows")
    return dict(sorted(counts.iter_rows(), key=lambda row: (-row[1], row[0])))


def _quantiles(numbers: pl.Series) -> dict[str, float]:
    numbers = numbers.drop_nulls().cast(pl.Float64).drop_nans()
    if numbers.is_empty():
        return {}
    return {name: round(float(numbers.quantile(q, "linear") or 0.0), 6) for name, q in QUANTILES.items()}
