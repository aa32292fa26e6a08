"""Texts that are in another language than theirs."""

import polars as pl

from polypref.languages.verify import verify


def wrong_language(
    rows: pl.DataFrame, threshold: float, identifier: str, among: tuple[str, ...]
) -> tuple[pl.Series, pl.Series]:
    """P(its language), and where it is so low for a text of its length that it rejects; null where nobody can tell."""
    verdicts = [
        verify(t, code, threshold, identifier, among)
        for t, code in rows.select("text", "language").iter_rows()
    ]
    measures = [None if verdict.outcome == "unsure" else verdict.probability for verdict in verdicts]
    return pl.Series(measures, dtype=pl.Float64), pl.Series(
        [verdict.outcome == "no" for verdict in verdicts], dtype=pl.Boolean
    )
