"""Read users' tables: JSONL, JSON, CSV, TSV or parquet files, also .gz, or a dataset on the Hub.

Rows are read as they are used, so memory does not grow with a table; only .json files are read whole.
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import polars as pl
from polars.exceptions import PolarsError
from pydantic import model_validator

from polypref.cards.retries import call_hub
from polypref.config import Config, Operational
from polypref.errors import InputError
from polypref.files import file_sha256
from polypref.languages.codes import find_language, language
from polypref.schemas import hash16

Record = dict[str, Any]  # a row as it stands in its table: {column: value}
# What files that are missing, damaged, or of another kind than their name says, raise.
UNREADABLE = (OSError, EOFError, zlib.error, UnicodeDecodeError, json.JSONDecodeError, PolarsError)
BATCH = 10_000  # rows of a CSV or parquet file that are in memory at once


class Table(Config):
    """A user's table: a file or a dataset on the Hub, and the columns that matter.

    `text` names the column of texts (see texts.py). `id` names the columns that make up a row's id, which is
    otherwise the row's number. `language` names the column of languages or, if there is no such column, the
    language of all rows. `license` is the table's licence, for the card.
    """

    path: Path | None = None
    repo: str | None = None
    config: str | None = None
    split: str = "train"
    revision: str = "main"
    text: str
    id: tuple[str, ...] = ()
    language: str = "eng_Latn"
    license: Operational[str | None] = None

    @model_validator(mode="after")
    def _check_place(self) -> "Table":
        if (self.path is None) == (self.repo is None):
            raise ValueError("expected either 'path' or 'repo'")
        return self

    @property
    def name(self) -> str:
        """The file's name, or the dataset's id."""
        return self.path.name if self.path else str(self.repo)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `place` is TABLE:NUMBER, `text` any value, `language` a FLORES-200 code or None."""

    place: str
    id: str
    text: object
    language: str | None


def read_rows(table: Table) -> Iterator[Row]:
    """Yield the rows of a table in order.

    Raises InputError for a table that cannot be read (with the line), has no rows, or lacks a column.
    """
    constant = check_columns(table, table.text, *table.id)
    for number, record in read_records(table):
        place = f"{table.name}:{number}"
        identity = "/".join(str(record.get(column)) for column in table.id) or str(number)
        code = constant or language_code(record.get(table.language))
        yield Row(place, identity, record.get(table.text), code)


def check_columns(table: Table, *columns: str) -> str | None:
    """Return the language of all rows; None if each row names its own in a column.

    Raises InputError if the first row lacks one of `columns`, if there are no rows, or if `language` is
    neither another column nor a language.
    """
    for _, record in read_records(table):
        for column in columns:
            if column not in record:
                raise InputError(f"{table.name}: missing column {column!r}; found {', '.join(record)}")
        # A column of English texts may well be called "English".
        if table.language in record and table.language != table.text:
            return None
        return language(table.language).code
    raise InputError(f"{table.name}: no rows; expected at least one")


def check_added(table: Table, record: Record, added: Iterable[str]) -> None:
    """Raise InputError if a row has one of the columns that a command adds."""
    for column in added:
        if column in record:
            raise InputError(f"{table.name}: has a column {column!r} already, which is added here; rename it")


def digest_table(table: Table) -> str:
    """Return what identifies the table's content: the file's sha256 or the dataset's commit.

    Raises InputError for a file or dataset that cannot be read, and Unavailable if the Hub is away.
    """
    if table.path:
        try:
            return file_sha256(table.path)
        except OSError as error:
            raise InputError(f"{table.path}: cannot be read: {error.strerror}") from None
    from huggingface_hub import HfApi

    repo, revision = str(table.repo), table.revision
    return str(call_hub(repo, revision, lambda: HfApi().dataset_info(repo, revision=revision).sha))


def read_chunks(table: Table, size: int) -> Iterator[list[Record]]:
    """Yield the rows of a table in lists of `size`; the last one may be shorter."""
    records = (record for _, record in read_records(table))
    yield from iter(lambda: list(islice(records, size)), [])


def read_records(table: Table) -> Iterator[tuple[int, Record]]:
    """Yield the number of each row, from 1, and the row; in a file of JSON lines the number is the line's."""
    path = table.path
    if path is None:
        yield from enumerate(_hub_records(table), 1)
        return
    try:
        match Path(path.name.removesuffix(".gz")).suffix:
            case ".jsonl" | ".ndjson":
                yield from _json_lines(path)
            case ".json":
                yield from enumerate(_json_records(path), 1)
            case ".parquet":
                yield from enumerate(_frame_records(pl.scan_parquet(path, glob=False)), 1)
            case ".csv" | ".tsv" as suffix:
                separator = "\t" if suffix == ".tsv" else ","
                # Without inference every value is text, as it stands in the file: "007" stays "007".
                frame = pl.scan_csv(path, separator=separator, infer_schema=False, glob=False)
                yield from enumerate(_frame_records(frame), 1)
            case suffix:
                raise InputError(
                    f"{path}: unknown kind of file {suffix!r}; expected .jsonl, .json, .csv, .tsv or .parquet"
                )
    except UNREADABLE as error:
        raise InputError(f"{path}: cannot be read: {' '.join(str(error).split())[:200]}") from None


def language_code(name: object) -> str | None:
    """Return the FLORES-200 code of a language by any of its names; None if there is no such language."""
    row = find_language(name) if isinstance(name, str) else None
    return row.code if row else None


def reason_to_skip(text: object, code: str | None) -> str | None:
    """Return why a row cannot be used: its text, or else its language, is None. Return None if it can."""
    if text is None:
        return "not_text"
    return "unknown_language" if code is None else None


def row_id(place: str, why: str) -> str:
    """Return an id for a row that has no prompt of its own, from its place."""
    return hash16([why, place])


def _frame_records(frame: pl.LazyFrame) -> Iterator[Record]:
    for batch in frame.collect_batches(chunk_size=BATCH, maintain_order=True):
        yield from batch.iter_rows(named=True)


def _json_records(path: Path) -> list[Record]:
    with _open_text(path) as file:
        content = json.load(file)
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise InputError(f"{path}: found {type(content).__name__}, expected a list of objects")
    return content


def _json_lines(path: Path) -> Iterator[tuple[int, Record]]:
    with _open_text(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                problem = f"not JSON: {error.msg} at column {error.colno}"
                raise InputError(f"{path}: line {number}: {problem}; expected an object") from None
            if not isinstance(record, dict):
                raise InputError(f"{path}: line {number}: found {type(record).__name__}, expected an object")
            yield number, record


def _open_text(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return open(path, encoding="utf-8")


def _hub_records(table: Table) -> Iterator[Record]:
    from datasets import load_dataset

    repo, revision = str(table.repo), table.revision
    yield from call_hub(
        repo, revision, lambda: load_dataset(repo, table.config, split=table.split, revision=revision)
    )
