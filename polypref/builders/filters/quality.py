"""Reject translations whose quality, as a model estimates it, is too low.

A stage requests the estimates after all other filters, for the rows that are left: they cost the most. The
requests name the stage's engine "quality".
"""

import polars as pl

from polypref.builders.filters.measures import add_measure, kept_rows, reject_rows
from polypref.engines.config import QualityModel
from polypref.engines.quality import quality_request
from polypref.store.stages import Asking


class QualityFilter(QualityModel):
    """A quality model, and the lowest score with which a translation is kept, in the scale of that model."""

    least: float

    @property
    def engine(self) -> QualityModel:
        """The config of the engine alone: another threshold asks for no new estimates."""
        return QualityModel(**self.model_dump(exclude={"least"}))


def apply_quality(
    rows: pl.DataFrame, quality: QualityFilter | None, *, text: str | pl.Expr, source: str | pl.Expr
) -> Asking[pl.DataFrame]:
    """Return a stage's filtered rows with `quality` added to `measures` and low scores rejected.

    `text` and `source` are columns or expressions, as in `apply_filters`.
    """
    if quality is None:
        return rows
    scores = yield from estimate_quality(rows.select("rejected_by", text=text, source=source))
    rows = reject_rows(rows.with_columns(scores), pl.col("quality") < quality.least, "quality")
    return add_measure(rows, "quality")


def estimate_quality(rows: pl.DataFrame, all_rows: bool = False) -> Asking[pl.Series]:
    """Return the column `quality` for rows with `text`, `source` and `rejected_by`.

    It is null for rows without a source and, unless `all_rows` is set, for rejected rows: these are not asked
    about.
    """
    rows = rows.with_row_index("row")
    pairs = rows.drop_nulls("source")
    if not all_rows:
        pairs = kept_rows(pairs)
    answers = yield [quality_request(*pair) for pair in pairs.select("source", "text").iter_rows()]
    scores = [None if answer is None else answer.score for answer in answers]
    estimates = pairs.select("row", quality=pl.Series(scores, dtype=pl.Float64))
    return rows.join(estimates, on="row", how="left", maintain_order="left")["quality"]
