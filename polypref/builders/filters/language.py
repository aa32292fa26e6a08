"""Reject texts that are in another language than they should be."""

import polars as pl

from polypref.languages.verify import verify


def wrong_language(
    rows: pl.DataFrame, threshold: float, identifier: str, among: tuple[str, ...]
) -> tuple[pl.Series, pl.Series]:
    """Return P(expected language) of each text, null where it cannot be told, and where the text is rejected.

    `threshold` is for texts of some length; `verify` lowers it for shorter ones, so the measure alone does
    not decide.
    """
    measures: list[float | None] = []
    rejects: list[bool] = []
    for text, code in rows.select("text", "language").iter_rows():
        verdict = verify(text, code, threshold, identifier, among)
        measures.append(None if verdict.outcome == "unsure" else verdict.probability)
        rejects.append(verdict.outcome == "no")
    return pl.Series(measures, dtype=pl.Float64), pl.Series(rejects, dtype=pl.Boolean)
