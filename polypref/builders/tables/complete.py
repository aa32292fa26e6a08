"""One completion for each row of a user's table: `polypref complete`.

A second run asks only for what is missing.
"""

import json
from array import array
from collections.abc import Sequence
from itertools import compress
from pathlib import Path

import polars as pl

from polypref.builders.outcome import check_key
from polypref.builders.tables import read
from polypref.builders.tables.answers import CHUNK, Chunk, write_answers
from polypref.builders.tables.files import Record
from polypref.builders.tables.read import Table
from polypref.builders.tables.texts import read_prompt
from polypref.builders.tables.write import check_format
from polypref.engines.base import Answer, Request
from polypref.engines.config import HttpGenerator
from polypref.engines.start import open_engine
from polypref.errors import InputError
from polypref.schemas import hash16
from polypref.store.workdir import Workdir

ADDED = ("completion", "finish_reason", "tokens", "error")
NOT_TEXT = Answer(finish_reason="error", error="not_text")


def complete_table(
    table: Table,
    out: Path,
    config: HttpGenerator,
    workdir: Workdir,
    accept_failures: bool = False,
    retry_failures: bool = False,
) -> int:
    """Write the rows with `completion`, `finish_reason`, `tokens` and `error`; return their number.

    Rows without a prompt are not asked: their `error` is not_text. Raises InputError for an id that occurs
    twice and a column that is in the way, and as `write_answers` does.
    """
    check_format(out)
    check_key(config, config.model)
    total = _check_rows(table)
    engine = open_engine(config, config.model, workdir)
    chunks = (_complete_chunk(table, rows) for rows in read.read_chunks(table, CHUNK))
    title = f"complete {table.name}"
    write_answers(title, total, chunks, "error", engine, workdir, out, accept_failures, retry_failures)
    return total


def _check_rows(table: Table) -> int:
    """Return the number of rows. Raises InputError for an id that occurs twice and a column in the way."""
    read.check_columns(table, *table.columns, *table.id)
    hashes = array("q")  # 8 bytes a row; a set of ids would take more than 100
    for _, record in read.read_records(table):
        read.check_added(table, record, ADDED)
        hashes.append(hash(_row_id(table, record)))
    repeated = pl.Series(hashes).is_duplicated()
    lines: dict[str, int] = {}  # by id, of rows whose hash is repeated
    if repeated.any():
        for number, record in compress(read.read_records(table), repeated):
            identity = _row_id(table, record)
            first = lines.setdefault(identity, number)
            if first != number:
                place = f"{table.name}:{number}"
                raise InputError(
                    f"{place}: id {identity!r} stands in line {first} too; every row needs its own"
                )
    return len(hashes)


def _row_id(table: Table, record: Record) -> str:
    """Return the content of the columns of `--id`, or of the column `id`, or a hash of the row."""
    if table.id:
        return "/".join(str(read.lookup(record, column)) for column in table.id)
    if "id" in record:
        return str(record["id"])
    return hash16(json.loads(json.dumps(record, default=str)))


def _complete_chunk(table: Table, records: Sequence[Record]) -> Chunk:
    prompts = [read_prompt(read.join_columns(record, table.columns), "all") for record in records]
    answers = iter((yield [Request(prompt) for prompt in prompts if prompt is not None]))
    rows: list[Record | None] = []
    for record, prompt in zip(records, prompts, strict=True):
        answer = NOT_TEXT if prompt is None else next(answers)
        if answer is None:
            rows.append(None)
            continue
        added = {
            "completion": answer.text,
            "finish_reason": answer.finish_reason,
            "tokens": answer.tokens,
            "error": answer.error,
        }
        rows.append({"id": _row_id(table, record), **record, **added})
    return rows
