"""Users' tables: a file or a dataset on the Hub, and the columns of its rows that matter.

Rows are read as they are used, so memory does not grow with a table.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from polypref.builders.tables.files import Record, read_file
from polypref.cards.retries import call_hub
from polypref.config import Config, Operational
from polypref.errors import InputError
from polypref.files import file_sha256
from polypref.languages.codes import find_language, language
from polypref.schemas import hash16

MISSING = object()
WHOLE_NUMBER = re.compile(r"^(-?\d+)\.0+$")  # written as a decimal number


class Rows(Config):
    """The place of a user's table, and the columns that say which row and language it is.

    A column may be a field inside another one: `meta.id`. `id` names the columns that make up a row's id,
    which is otherwise the row's number. `language` names the column of languages or, if there is no such
    column, the language of all rows. `license` is the table's licence, for the card.
    """

    path: Path | None = None
    repo: str | None = None
    config: str | None = None
    split: str = "train"
    revision: str = "main"
    id: tuple[str, ...] = ()
    language: str = "eng_Latn"
    license: Operational[str | None] = None

    @model_validator(mode="after")
    def _check_place(self) -> "Rows":
        if (self.path is None) == (self.repo is None):
            raise ValueError("expected either 'path' or 'repo'")
        return self

    @property
    def name(self) -> str:
        """The file's name, or the dataset's id."""
        return self.path.name if self.path else str(self.repo)


class Table(Rows):
    """A table of texts. `text` names their column (see texts.py), or several to join by a blank line."""

    text: str | tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.text,) if isinstance(self.text, str) else self.text


class Import(Table):
    """A table of translations or completions. A row's id is that of its prompt in the prompt's source.

    `source` is the name of that source (its file, or its id on the Hub) or the column that names it. Only a
    recipe with several sources needs it.
    """

    source: str | None = None


class Pairs(Config):
    """A table whose rows hold a prompt (`text` of the import) and two or more answers to it.

    answers: the columns of the answers, the preferred one first; or a list's field: `completions.response`.
    scores: the columns or the field of their scores. Without scores, the first answer is the preferred one.
    preference: instead of scores, the column of a number: below 0 the first of two answers is preferred,
    above 0 the second, and at 0 neither.
    preferred: instead of numbers, the values in that column that prefer the first and the second answer.
    models: the columns or the field of the names of the models that wrote the answers.
    annotators: who preferred, for the cards.
    """

    table: Table = Field(alias="import")
    answers: str | tuple[str, ...]
    scores: str | tuple[str, ...] | None = None
    preference: str | None = None
    preferred: tuple[str | bool | int, str | bool | int] | None = None
    models: str | tuple[str, ...] | None = None
    annotators: Operational[Literal["human", "model"]] = "model"

    @model_validator(mode="after")
    def _check_scores(self) -> "Pairs":
        if self.scores is not None and self.preference is not None:
            raise ValueError("expected either 'scores' or 'preference'")
        if self.preferred is not None and self.preference is None:
            raise ValueError("preferred: expected 'preference', the column that holds these values")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read, but for the id and the language."""
        columns = self.table.columns
        for names in (self.answers, self.scores, self.preference, self.models):
            columns += (names,) if isinstance(names, str) else names or ()
        return columns


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `place` is TABLE:NUMBER, `text` any value, `language` a FLORES-200 code or None.

    `id` is None for a row without one.
    """

    place: str
    id: str | None
    text: object
    language: str | None


def read_rows(table: Table) -> Iterator[Row]:
    """Yield the rows of a table in order, with their texts. Raises InputError as `read_keyed` does."""
    for place, identity, code, record in read_keyed(table, *table.columns):
        yield Row(place, identity, join_columns(record, table.columns), code)


def read_keyed(table: Rows, *columns: str) -> Iterator[tuple[str, str | None, str | None, Record]]:
    """Yield place, id, language and all columns of every row.

    Raises InputError for a table that cannot be read (with the line), has no rows, or lacks its id or one of
    `columns`.
    """
    constant = check_columns(table, *columns, *table.id)
    name = table.name
    for number, record in read_records(table):
        identity = _row_id(record, table.id) if table.id else str(number)
        code = constant or language_code(lookup(record, table.language))
        yield f"{name}:{number}", identity, code, record


def _row_id(record: Record, columns: Iterable[str]) -> str | None:
    """Return the id in these columns; None if one of them is empty."""
    parts = []
    for column in columns:
        part = value_text(lookup(record, column))
        if not part:
            return None
        parts.append(part)
    if len(parts) > 1:
        parts = [part.replace("/", r"\/") for part in parts]  # or a/b and c would be the same as a and b/c
    return "/".join(parts)


def value_text(value: object) -> str:
    """Return an id or a label as text: the same for 7, 7.0, "7" and "7.0"; "" for null."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_null = value is None or value != value  # only NaN differs from itself
    return "" if is_null else WHOLE_NUMBER.sub(r"\1", str(value).strip())


def lookup(record: Mapping[str, Any], column: str, absent: object = None) -> Any:
    """Return the value of a column or of a field inside one: `meta.id`; of a list, the field of each item."""
    if column in record:
        return record[column]
    outer, _, inner = column.partition(".")
    match record.get(outer):
        case Mapping() as fields if inner:
            return lookup(fields, inner, absent)
        case list() as items if inner:
            return [lookup(item, inner) if isinstance(item, Mapping) else None for item in items]
        case _:
            return absent


def join_columns(record: Record, columns: Iterable[str]) -> object:
    """Return the value of one column, or the texts in several joined by a blank line; None without any."""
    values = [lookup(record, column) for column in columns]
    if len(values) == 1:
        return values[0]
    filled = [value for value in values if value is not None and value != ""]
    return "\n\n".join(filled) if filled and all(isinstance(value, str) for value in filled) else None


def check_columns(table: Rows, *columns: str) -> str | None:
    """Return the language of all rows; None if each row names its own in a column.

    Reads until each column was seen: the first rows may lack one. Raises InputError if no row has one of
    `columns`, if there are no rows, or if `language` is neither another column nor a language.
    """
    missing = list(columns)
    seen: dict[str, None] = {}
    constant, is_column = find_language(table.language), False
    for _, record in read_records(table):
        seen.update(dict.fromkeys(record))
        missing = [column for column in missing if lookup(record, column, MISSING) is MISSING]
        # A column of English texts may well be called "English".
        if not (isinstance(table, Table) and table.language in table.columns):
            is_column = is_column or lookup(record, table.language, MISSING) is not MISSING
        if not missing and (constant or is_column):
            return None if is_column or constant is None else constant.code
    if not seen:
        raise InputError(f"{table.name}: no rows; expected at least one")
    found = ", ".join(seen)
    if missing:
        raise InputError(f"{table.name}: missing column {missing[0]!r}; found {found}")
    try:
        return language(table.language).code
    except InputError as error:
        raise InputError(
            f"{table.name}: language: no column {table.language!r} (found {found}), and {error}"
        ) from None


def check_added(table: Table, record: Record, added: Iterable[str]) -> None:
    """Raise InputError if a row has one of the columns that a command adds."""
    for column in added:
        if column in record:
            raise InputError(f"{table.name}: has a column {column!r} already, which is added here; rename it")


def digest_table(table: Rows) -> str:
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


def read_chunks(table: Rows, size: int) -> Iterator[list[Record]]:
    """Yield the rows of a table in lists of `size`; the last one may be shorter."""
    records = (record for _, record in read_records(table))
    yield from iter(lambda: list(islice(records, size)), [])


def read_records(table: Rows) -> Iterator[tuple[int, Record]]:
    """Yield the number of each row, from 1, and the row; in a file of JSON lines the number is the line's.

    Raises InputError for a table that cannot be read.
    """
    if table.path:
        yield from read_file(table.path)
    else:
        yield from enumerate(_hub_records(table), 1)


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


def _hub_records(table: Rows) -> Iterator[Record]:
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError

    repo, revision = str(table.repo), table.revision
    try:
        rows = call_hub(
            repo, revision, lambda: load_dataset(repo, table.config, split=table.split, revision=revision)
        )
    except DatasetGenerationError:
        # Its files differ in their columns, which load_dataset does not allow even where none of them counts.
        for path in call_hub(repo, revision, lambda: _download_files(table)):
            yield from (record for _, record in read_file(path))
    else:
        yield from rows


def _download_files(table: Rows) -> list[Path]:
    """Download the files of a config and split of a dataset on the Hub."""
    from datasets import load_dataset_builder
    from huggingface_hub import hf_hub_download

    builder = load_dataset_builder(str(table.repo), table.config, revision=table.revision)
    files = builder.config.data_files
    if table.split not in files:
        raise InputError(f"{table.repo}: split {table.split!r}: expected a whole one: {', '.join(files)}")
    paths = []
    for address in files[table.split]:
        # hf://datasets/ORG/NAME@COMMIT/PATH
        repo, _, place = address.removeprefix("hf://datasets/").partition("@")
        commit, _, name = place.partition("/")
        paths.append(Path(hf_hub_download(repo, name, repo_type="dataset", revision=commit)))
    return paths
