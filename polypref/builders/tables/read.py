"""Reads rows that somebody else made: JSONL, JSON, CSV, TSV, parquet (.gz too), or a dataset of the Hub."""

import gzip
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import model_validator

from polypref.builders.filters.text import is_text
from polypref.config import Config, Operational
from polypref.errors import InputError
from polypref.languages.codes import LANGUAGES, language
from polypref.schemas import hash16

ROLES = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
}


class Table(Config):
    """Somebody's table: a file (JSONL, JSON, CSV, TSV or parquet, also .gz) or a dataset of the Hub, and its columns.

    `text` holds a string, a list of turns, or messages ({role, content} or ShareGPT's {from, value});
    `id` one column or several; `language` a column, or a language's name if no column is called so. `license`: its own.
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
    def _one_place(self) -> "Table":
        if (self.path is None) == (self.repo is None):
            raise ValueError("expected either 'path' or 'repo'")
        return self


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: where it stands, its id, its text as found, and its FLORES language (None where it names none)."""

    place: str
    id: str
    text: object
    language: str | None


def read(table: Table) -> Iterator[Row]:
    """The rows of a table in their order. Raises InputError: no file, not parseable (with the line), no such column, no row."""
    constant = None if table.language in (columns := _columns(table)) else language(table.language).code
    for column in (table.text, *table.id):
        if column not in columns:
            raise InputError(f"{name(table)}: missing column {column!r}; found {', '.join(sorted(columns))}")
    for number, row in records(table):
        place = f"{name(table)}:{number}"
        identity = "/".join(str(row.get(column)) for column in table.id) or str(number)
        yield Row(place, identity, row.get(table.text), constant or _language(row.get(table.language)))


def name(table: Table) -> str:
    return table.path.name if table.path else f"{table.repo}"


def digest(table: Table) -> str:
    """What the table's rows are: the file's sha256, or the dataset's commit."""
    if table.path:
        try:
            with open(table.path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"{table.path}: cannot be read: {error.strerror}") from None
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return str(HfApi().dataset_info(str(table.repo), revision=table.revision).sha)
    except (HfHubHTTPError, OSError) as error:
        raise InputError(f"{table.repo}: {' '.join(str(error).split())[:200]}") from None


def records(table: Table) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line or row number from 1, the row's columns)."""
    if table.path is None:
        yield from enumerate(_hub_rows(table), 1)
        return
    path = table.path
    suffix = Path(path.name.removesuffix(".gz")).suffix
    try:
        if suffix in (".jsonl", ".ndjson"):
            yield from _json_lines(path)
        elif suffix == ".json":
            content = json.loads(_text(path))
            if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
                raise InputError(f"{path}: found {type(content).__name__}, expected a list of objects")
            yield from enumerate(content, 1)
        elif suffix == ".parquet":
            yield from enumerate(pl.read_parquet(path, glob=False).iter_rows(named=True), 1)
        elif suffix in (".csv", ".tsv"):
            frame = pl.read_csv(path, separator="\t" if suffix == ".tsv" else ",", infer_schema=False)
            yield from enumerate(frame.iter_rows(named=True), 1)
        else:
            raise InputError(
                f"{path}: unknown kind of file {suffix!r}; expected .jsonl, .json, .csv, .tsv or .parquet"
            )
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path}: cannot be read: {' '.join(str(error).split())[:200]}") from None


def messages(value: object, turns: str) -> list[dict[str, str]] | None:
    """The prompt in a column's value: a string, a list of turns, or messages; None where there is no text in it.

    `turns` "first" keeps the first user turn (and a system turn before it), "all" everything up to the last user turn;
    user turns without an answer between them become one message, since chat templates want turns to alternate.
    """
    found: list[dict[str, str]] = []
    for turn in value if isinstance(value, list) else [value]:
        if isinstance(turn, Mapping):
            role, text = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
        else:
            role, text = "user", turn
        if not is_text(text) or not isinstance(role, str):
            return None
        role = ROLES.get(role, role)
        if found and found[-1]["role"] == role == "user" and turns == "all":
            found[-1] = {"role": "user", "content": f"{found[-1]['content']}\n\n{text}"}
        else:
            found.append({"role": role, "content": str(text)})
    users = [i for i, message in enumerate(found) if message["role"] == "user"]
    if not users:
        return None
    if turns == "first":
        return [*(m for m in found[: users[0]] if m["role"] == "system"), found[users[0]]]
    return found[: users[-1] + 1]


def strings(value: object) -> list[str] | None:
    """The texts in a column's value, in order; None where it holds none or something else."""
    found = [
        turn.get("content", turn.get("value")) if isinstance(turn, Mapping) else turn
        for turn in _turns(value)
    ]
    return [str(text) for text in found] if found and all(is_text(text) for text in found) else None


def with_strings(value: object, new: Sequence[str]) -> object:
    """The value with other texts in the same shape."""
    turns = [
        {**turn, ("content" if "content" in turn else "value"): text} if isinstance(turn, Mapping) else text
        for turn, text in zip(_turns(value), new, strict=True)
    ]
    return turns if isinstance(value, list) else turns[0]


def _turns(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def of_kind(out: Path, *kinds: str) -> None:
    """Raises InputError for a file to write whose ending is none of these."""
    if out.suffix not in kinds:
        raise InputError(
            f"{out}: unknown kind of file {out.suffix!r}; expected {', '.join(kinds[:-1])} or {kinds[-1]}"
        )


def finish(lines: Path, out: Path) -> None:
    """Puts finished JSON lines in the place of `out`, whose ending says as what. Raises InputError for rows that it cannot hold."""
    if out.suffix == ".jsonl":
        os.replace(lines, out)
        return
    written = lines.with_suffix(".out")
    try:
        table = pl.scan_ndjson(lines, infer_schema_length=None)
        if out.suffix == ".parquet":
            table.sink_parquet(written)
        else:
            table.sink_csv(written, separator="\t" if out.suffix == ".tsv" else ",")
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"{out}: cannot be written as {out.suffix}: {' '.join(str(error).split())[:150]}; try .jsonl"
        ) from None
    else:
        os.replace(written, out)
    finally:
        written.unlink(missing_ok=True)


def row_id(place: str, why: str) -> str:
    """An id for a row that has no prompt of its own: its place in its file."""
    return hash16([why, place])


def _columns(table: Table) -> set[str]:
    for _, row in records(table):
        return set(row)
    raise InputError(f"{name(table)}: no rows; expected at least one")


def _language(value: object) -> str | None:
    if value in LANGUAGES:
        return str(value)
    try:
        return language(str(value)).code
    except InputError:
        return None


def _text(path: Path) -> str:
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else open(path, encoding="utf-8") as file
    ):
        return file.read()


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else open(path, encoding="utf-8") as file
    ):
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(
                    f"{path}: line {number}: not JSON: {error.msg} at column {error.colno}; expected an object"
                ) from None
            if not isinstance(row, dict):
                raise InputError(f"{path}: line {number}: found {type(row).__name__}, expected an object")
            yield number, row


def _hub_rows(table: Table) -> Iterator[dict[str, Any]]:
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError

    try:
        rows = load_dataset(str(table.repo), table.config, split=table.split, revision=table.revision)
    except (DatasetNotFoundError, ValueError, OSError) as error:
        raise InputError(f"{table.repo}: cannot be loaded: {' '.join(str(error).split())[:200]}") from None
    yield from rows
