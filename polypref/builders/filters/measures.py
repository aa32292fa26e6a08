"""The two columns that filters leave on a row: `measures`, a list of {name, value}, and `rejected_by`, a reason or null."""

import polars as pl

from polypref.schemas import MEASURES

NO_MEASURES = pl.lit([], MEASURES)


def kept_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that nothing rejected."""
    return rows.filter(pl.col("rejected_by").is_null())


def reject_rows(rows: pl.DataFrame, condition: pl.Expr, reason: str) -> pl.DataFrame:
    """Return the rows, rejected for `reason` where `condition` holds and nothing else rejected them before."""
    rejected_by = pl.when(condition).then(pl.lit(reason))
    return rows.with_columns(rejected_by=pl.coalesce("rejected_by", rejected_by))


def add_measure(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the rows with the column `name` moved to the end of `measures`; a null is left out."""
    entry = pl.concat_list(pl.struct(name=pl.lit(name), value=pl.col(name)))
    entries = pl.when(pl.col(name).is_not_null()).then(entry).otherwise(NO_MEASURES)
    return rows.with_columns(measures=pl.concat_list("measures", entries)).drop(name)


def list_measures(measured: pl.DataFrame) -> pl.Series:
    """Return the column `measures` of a frame with a column for each measure, in their order and without nulls."""
    # `concat_list` of so many structs would take 50 times as long (polars 2.1).
    columns = measured.with_row_index("row").drop("rejected_by")
    entries = columns.unpivot(index="row", variable_name="name", value_name="value").drop_nulls("value")
    lists = entries.group_by("row", maintain_order=True).agg(measures=pl.struct("name", "value"))
    rows = columns.select("row").join(lists, on="row", how="left", maintain_order="left")
    return rows.select(pl.col("measures").cast(MEASURES).fill_null(NO_MEASURES)).to_series()
