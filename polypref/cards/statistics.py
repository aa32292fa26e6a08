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
    "candidates": ("origin", "generator", "finish_reason"),
    "rejected": ("stage", "rejected_by"),
    "pairs": ("builder", "chosen_model", "rejected_model", "chosen_origin", "rejected_origin"),
}
_MEASURED: Mapping[str, Mapping[str, pl.Expr]] = {
    "prompts": {"prompt_characters": _characters("prompt")},
    "completions": {
        "completion_characters": pl.col("completion").str.len_chars(),
        "tokens": pl.col("tokens"),
    },
    "scores": {"score": pl.col("score")},
    "candidates": {
        "prompt_characters": _characters("prompt"),
        "completion_characters": pl.col("completion").str.len_chars(),
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


_TOKENS = {
    "completions": ("tokens",),
    "candidates": ("tokens",),
    "pairs": ("chosen_tokens", "rejected_tokens"),
}


def measured(frame: pl.DataFrame, table: str) -> dict[str, Any]:
    """Plain JSON values of one language's rows of `table`.

    `prompts`: distinct prompts; `counts`: {column: {value: rows}}, the most frequent first, without nulls;
    `quantiles`: {name: {p5 … p95}} over the rows that have the number, linearly interpolated; characters are code points
    of all the messages together, roles not counted; `tokens`: {column: sum}, as the generators counted; of pairs
    `chosen_longer`: in how many the chosen text has more characters than the rejected one.
    """
    numbers = frame.select(**_MEASURED[table])
    quantiles = {name: _quantiles(numbers[name]) for name in numbers.columns}
    if table == "candidates":
        scores = frame.select(pl.col("scores").explode(empty_as_null=False)).unnest("scores")
        for name in sorted(scores["name"].drop_nulls().unique().to_list()):
            quantiles[f"{name} score"] = _quantiles(scores.filter(pl.col("name") == name)["value"])
    found = {
        "prompts": frame["prompt_id"].n_unique(),
        "counts": {column: _counts(frame[column]) for column in _COUNTED[table]},
        "quantiles": quantiles,
        "tokens": {
            column: int(frame[column].sum())
            for column in _TOKENS.get(table, ())
            if frame[column].null_count() < frame.height
        },
    }
    if table == "pairs":
        found["chosen_longer"] = int((numbers["chosen_characters"] > numbers["rejected_characters"]).sum())
    return found


def _counts(values: pl.Series) -> dict[str, int]:
    counted = values.drop_nulls().value_counts(name="rows")
    return dict(sorted(counted.iter_rows(), key=lambda row: (-row[1], row[0])))


def _quantiles(numbers: pl.Series) -> dict[str, float]:
    numbers = numbers.drop_nulls().cast(pl.Float64).drop_nans()
    if numbers.is_empty():
        return {}
    return {name: round(float(numbers.quantile(q, "linear") or 0.0), 6) for name, q in QUANTILES.items()}
