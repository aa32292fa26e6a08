"""Frames of the fixed tables, from a few dictionaries."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from polypref.schemas import TABLES, cast


def rows_to_frame(rows: Iterable[dict[str, Any]], table: str) -> pl.DataFrame:
    """Return a frame of `table`; a column that a row does not name is null there."""
    return cast(pl.DataFrame(list(rows), schema=TABLES[table], orient="row", strict=False), table)
