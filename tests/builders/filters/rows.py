"""Texts as the rows that filters work on."""

from collections.abc import Mapping, Sequence

import polars as pl

from polypref.builders.filters.apply import WORKING_COLUMNS, Filters, apply_filters


def filter_rows(rows: Sequence[Mapping[str, str | None]], filters: Filters) -> pl.DataFrame:
    """Return the rows with `measures` and `rejected_by`.

    A row has `text`, `language` and, where it matters, `source`, `prompt` and `finish_reason`.
    """
    frame = pl.DataFrame(rows, schema=WORKING_COLUMNS)
    ended = pl.col("finish_reason").fill_null("stop")
    return apply_filters(frame, filters, text="text", source="source", prompt="prompt", finish_reason=ended)


def filter_text(
    text: str, language: str, filters: Filters, **columns: str | None
) -> tuple[dict[str, float], str | None]:
    """Return the measures of one text by name, and the reason for which it is rejected, or None."""
    row = filter_rows([{"text": text, "language": language, **columns}], filters).row(0, named=True)
    measures = {measure["name"]: measure["value"] for measure in row["measures"]}
    return measures, row["rejected_by"]
