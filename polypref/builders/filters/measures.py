"""The columns that filters fill: `measures`, a list of {name, value}, and `rejected_by`, a reason or null."""

from typing import TypeVar

import polars as pl

from polypref.schemas import MEASURES

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


def kept_rows(rows: Frame) -> Frame:
    """Return the rows that nothing rejected."""
    return rows.filter(pl.col("rejected_by").is_null())


def reject_rows(rows: pl.DataFrame, condition: pl.Expr, reason: str) -> pl.DataFrame:
    """Return the rows, rejected for `reason` where `condition` holds and no earlier reason exists."""
    rejected_by = pl.when(condition).then(pl.lit(reason))
    return rows.with_columns(rejected_by=pl.coalesce("rejected_by", rejected_by))


def add_measure(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the rows with the column `name` moved to the end of `measures`; a null is left out."""
    entries = list_measures(rows.select(name))
    return rows.with_columns(measures=pl.concat_list("measures", entries)).drop(name)


def list_measures(measured: pl.DataFrame) -> pl.Series:
    """Return the column `measures` for a frame with a column a measure, in their order and without nulls."""
    # `concat_list` of so many structs would take 50 times as long (polars 2.1).
    columns = measured.with_row_index("row")
    entries = columns.unpivot(index="row", variable_name="name", value_name="value").drop_nulls("value")
    lists = entries.group_by("row", maintain_order=True).agg(measures=pl.struct("name", "value"))
    rows = columns.select("row").join(lists, on="row", how="left", maintain_order="left")
    return rows.select(pl.col("measures").cast(MEASURES).fill_null(pl.lit([], MEASURES))).to_series()
