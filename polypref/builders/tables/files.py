"""Files of rows, as people write them: JSON in its usual layouts, CSV, TSV and parquet, also .gz.

JSON lines, CSV and parquet are read as they are used, so memory does not grow with the file. Every other
layout of JSON is read whole.
"""

import codecs
import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path
from typing import IO, Any

import polars as pl
from polars.exceptions import PolarsError

from polypref.errors import InputError

Record = dict[str, Any]  # a row as it stands in its table: {column: value}
BATCH = 10_000  # rows of a parquet file that are in memory at once
WRAPPERS = ("data", "rows", "examples", "instances", "train")  # keys of an object that holds all rows


def read_file(path: Path) -> Iterator[tuple[int, Record]]:
    """Yield the number of each row, from 1, and the row; in a file of JSON lines the number is the line's.

    Raises InputError for a file that is missing, damaged, or of another kind than its name says.
    """
    try:
        match Path(path.name.lower().removesuffix(".gz")).suffix:
            case ".jsonl" | ".ndjson" | ".json" as suffix:
                yield from _json_rows(path, suffix)
            case ".csv" | ".tsv" as suffix:
                yield from _csv_rows(path, "\t" if suffix == ".tsv" else ",")
            case ".parquet":
                yield from enumerate(_parquet_rows(path), 1)
            case suffix:
                raise InputError(
                    f"{path}: unknown kind of file {suffix!r}; expected .jsonl, .json, .csv, .tsv or .parquet"
                )
    except UnicodeError:
        raise InputError(f"{path}: cannot be read: not UTF-8, perhaps Latin-1; save it as UTF-8") from None
    except RecursionError:
        raise InputError(f"{path}: cannot be read: JSON nested too deeply") from None
    except (OSError, EOFError, zlib.error, PolarsError) as error:
        raise InputError(f"{path}: cannot be read: {' '.join(str(error).split())[:200]}") from None


def _open_text(path: Path) -> IO[str]:
    """Open a text file: UTF-8, or UTF-16 if it begins like it. Line breaks stay as they are."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rb") as file:
        start = file.read(2)
    encoding = "utf-8-sig"  # with or without a byte order mark
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        encoding = "utf-16"
    elif 0 in start:  # half of an ASCII character, without a mark
        encoding = "utf-16-be" if start[0] == 0 else "utf-16-le"
    return opened(path, "rt", encoding=encoding, newline="")


def _parquet_rows(path: Path) -> Iterator[Record]:
    for batch in pl.scan_parquet(path, glob=False).collect_batches(chunk_size=BATCH, maintain_order=True):
        yield from batch.iter_rows(named=True)


def _csv_rows(path: Path, separator: str) -> Iterator[tuple[int, Record]]:
    """Read a table whose first line names the columns, separated by commas, semicolons or tabs.

    Every value is text, as it stands in the file: "007" stays "007". An empty one is null.
    """
    csv.field_size_limit(2**31 - 1)  # the default is 128 KiB
    with _open_text(path) as file:
        head = re.sub('"[^"]*"', "", file.readline())
        separator = max((separator, ",", ";", "\t"), key=head.count)
        file.seek(0)
        # Strict: an open quote would otherwise take the rest of the file into one value, in silence.
        reader = csv.reader(file, delimiter=separator, skipinitialspace=f"{separator} " in head, strict=True)
        try:
            columns: list[str] = []
            for name in next(reader, []):
                column = name.strip()
                columns.append(f"{column}_{len(columns) + 1}" if column in columns else column)
            rows = 0
            for values in reader:
                if not values:  # an empty line
                    continue
                rows += 1
                if any(values[len(columns) :]):
                    raise InputError(
                        f"{path}: line {reader.line_num}: found {len(values)} values, expected "
                        f"{len(columns)} as in the first line; a text with {separator!r} needs quotes"
                    )
                cells = [value or None for value in values[: len(columns)]]
                yield rows, dict(zip_longest(columns, cells))
        except csv.Error as error:
            raise InputError(f"{path}: line {reader.line_num}: not CSV: {error}") from None


def _json_rows(path: Path, suffix: str) -> Iterator[tuple[int, Record]]:
    """Read JSON lines or, if the first line is not an object or is the only one, the file as a whole."""
    with _open_text(path) as file:
        lines = ((number, line) for number, line in enumerate(file, 1) if line.strip())
        first = next(lines, (0, ""))
        second = next(lines, None)
        if second is None or not _is_object(first[1]):
            file.seek(0)
            yield from enumerate(_whole_rows(path, file.read(), suffix), 1)
            return
        for number, line in chain([first, second], lines):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise _not_json(path, number, error) from None
            if not isinstance(row, dict):
                raise InputError(f"{path}: line {number}: found {type(row).__name__}, expected an object")
            yield number, row


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except json.JSONDecodeError:
        return False


def _not_json(path: Path, line: int, error: json.JSONDecodeError) -> InputError:
    problem = f"not JSON: {error.msg} at column {error.colno}"
    return InputError(f"{path}: line {line}: {problem}; expected an object")


def _whole_rows(path: Path, text: str, suffix: str) -> list[Record]:
    """Return the objects of a list, of an object that holds them all, or those that follow each other."""
    decoder = json.JSONDecoder()
    values: list[Any] = []
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        try:
            value, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            raise _not_json(path, error.lineno, error) from None
        values.append(value)
    rows = values
    if len(values) == 1:
        rows = values[0] if isinstance(values[0], list) else _unwrap(values[0], path, suffix)
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise InputError(f"{path}: row {number}: found {type(row).__name__}, expected an object")
    return rows


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _unwrap(value: Any, path: Path, suffix: str) -> list[Any]:
    """Return the rows of the only value in a file: those that it holds, or itself."""
    if not isinstance(value, dict):
        return [value]
    tables = [key for key, rows in value.items() if _is_table(rows)]
    for key in WRAPPERS:
        if key not in tables:
            continue
        others = [other for other in tables if other != key and value[other]]
        if others:  # such as test beside train, whose rows would be lost
            raise InputError(f"{path}: found rows in {', '.join([key, *others])}; expected one list of rows")
        return list(value[key])
    columns = list(value.values())
    if suffix == ".json" and columns:  # columns of values, in lists or, as pandas writes them, by row
        if all(isinstance(column, dict) and column.keys() == columns[0].keys() for column in columns):
            columns = [list(column.values()) for column in columns]
        is_columns = all(isinstance(column, list) and len(column) == len(columns[0]) for column in columns)
        if is_columns and not any(isinstance(cell, dict) for cell in chain.from_iterable(columns)):
            return [dict(zip(value, cells, strict=True)) for cells in zip(*columns, strict=True)]
    return [value]
