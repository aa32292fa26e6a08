"""Write users' tables as JSONL, CSV, TSV or parquet, row by row: memory does not grow with the table.

Rows are collected as JSON lines, from which polars makes the other formats once all columns and their types
are known. What JSON and UTF-8 cannot hold is replaced: a lone surrogate by U+FFFD, NaN and infinity by null,
bytes by their hexadecimal digits.
"""

import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

import polars as pl

from polypref.builders.filters.text import SURROGATE
from polypref.builders.tables.files import Record
from polypref.builders.tables.texts import map_values
from polypref.errors import InputError
from polypref.files import refuse_folder, write_atomically
from polypref.store.storage import storage_errors

FORMATS = (".jsonl", ".csv", ".tsv", ".parquet")


def check_format(out: Path) -> None:
    """Raise InputError for a folder, and for a file whose suffix names no format that can be written."""
    refuse_folder(out)
    if out.suffix not in FORMATS:
        raise InputError(
            f"{out}: unknown kind of file {out.suffix!r}; expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        )


@contextmanager
def write_table(out: Path) -> Iterator[Callable[[Iterable[Record]], None]]:
    """Yield a function that adds rows; at the end of the block they replace `out`.

    The suffix of `out` tells the format. After an error an older `out` stays. Raises InputError for an
    unknown format and for rows that the format cannot hold, and Unavailable if the disk is full.
    """
    check_format(out)
    with storage_errors(out), write_atomically(out) as temporary:
        if out.suffix == ".jsonl":
            with open(temporary, "wb") as lines:
                yield partial(_add_rows, lines)
        else:
            with NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}.", suffix=".tmp") as collected:
                yield partial(_add_rows, collected)
                collected.flush()
                _convert(Path(collected.name), temporary, out)


def _add_rows(lines: IO[bytes], rows: Iterable[Record]) -> None:
    for row in rows:
        try:
            line = json.dumps(row, ensure_ascii=False, allow_nan=False, default=_as_text).encode()
        except ValueError:  # rare, so this slower way is taken only now
            row = map_values(row, float, _finite)
            text = json.dumps(row, ensure_ascii=False, default=_as_text)
            line = SURROGATE.sub("\ufffd", text).encode()
        lines.write(line + b"\n")


def _convert(lines: Path, temporary: Path, out: Path) -> None:
    """Write the collected rows into `temporary` in the format of `out`."""
    table = pl.scan_ndjson(lines, infer_schema_length=None)  # None: a type may show in the last row only
    try:
        if out.suffix == ".parquet":
            table.sink_parquet(temporary)
        else:
            table.sink_csv(temporary, separator="\t" if out.suffix == ".tsv" else ",")
    except pl.exceptions.PolarsError as error:
        reason = " ".join(str(error).split())
        disk_error = re.search(r"\(os error (\d+)\)", reason)  # as Rust shows the system's errors
        if disk_error:
            number = int(disk_error[1])
            raise OSError(number, os.strerror(number), str(out)) from None
        raise InputError(f"{out}: cannot be written as {out.suffix}: {reason[:150]}; try .jsonl") from None


def _as_text(value: object) -> str:
    """Return a value that JSON does not know, such as a date, as text."""
    return value.hex() if isinstance(value, bytes) else str(value)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
