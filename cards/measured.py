"""What one language's rows say about themselves: how many, from whom, how long, how high they score."""

from collections.abc import Mapping
from typing import Any

import polars as pl

QUANTILES = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}


def _characters(messages: str) -> pl.Expr:
    return pl.col(messages).list.eval(pl.element().struct.field("content").str.len_chars()).list.sum()


_COUNTED = {
    "prompts": ("source", "translator"),
    "completions": ("generator", "origin", "finish_reason"),
    "scores": ("scorer",),
    "pairs": ("builder", "chosen_model", "rejected_model", "chosen_origin", "rejected_origin"),
}
_MEASURED: Mapping[str, Mapping[str, pl.Expr]] = {
    "prompts": {"prompt_characters": _characters("prompt")},
    "completions": {"completion_characters": pl.col("completion").str.len_chars(), "tokens": pl.col("tokens")},
    "scores": {"score": pl.col("score")},
    "pairs": {
        "chosen_score": pl.col("chosen_score"),
        "rejected_score": pl.col("rejected_score"),
        "margin": pl.col("margin"),
        "prompt_characters": _characters("prompt"),
        "chosen_characters": _characters("chosen"),
        "rejected_characters": _characters("rejected"),
    },
}


def measured(frame: pl.DataFrame, table: str) -> dict[str, Any]:
    """Plain JSON values of one language's rows of `table`.

    `prompts`: distinct prompts; `counts`: {column: {value: rows}}, the most frequent first, without nulls;
    `quantiles`: {name: {p5 … p95}} over the rows that have the number, linearly interpolated; characters are code points
    of all the messages together, roles not counted.
    """
    return {
        "prompts": frame["prompt_id"].n_unique(),
        "counts": {column: _counts(frame[column]) for column in _COUNTED[table]},
        "quantiles": {name: _quantiles(frame.select(number).to_series()) for name, number in _MEASURED[table].items()},
    }


def _counts(values: pl.Series) -> dict[str, int]:
    counted = values.drop_nulls().value_counts(name="rows")
    return dict(sorted(counted.iter_rows(), key=lambda row: (-row[1], row[0])))


def _quantiles(numbers: pl.Series) -> dict[str, float]:
    numbers = numbers.drop_nulls().cast(pl.Float64).drop_nans()
    if numbers.is_empty():
        return {}
    return {name: round(float(numbers.quantile(q, "linear") or 0.0), 6) for name, q in QUANTILES.items()}
