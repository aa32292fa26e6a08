"""One completion for every row of anybody's table, by id: `polypref complete`. Run again, it asks for what is missing only."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import IO, Any

from polypref.builders.tables.read import Table, finish, messages, name, of_kind, records
from polypref.engines.base import Answer, Request
from polypref.engines.budget import Budget, Meter
from polypref.engines.config import HttpGenerator
from polypref.engines.pool import Pool, open_pool
from polypref.engines.start import open_engine
from polypref.errors import InputError
from polypref.progress import Progress
from polypref.schemas import hash16
from polypref.store.jobs import run_jobs
from polypref.store.workdir import Workdir

CHUNK = 1000
ADDED = ("completion", "finish_reason", "tokens", "error")


def complete_table(
    table: Table,
    out: Path,
    config: HttpGenerator,
    workdir: Workdir,
    budget: Budget | None = None,
    accept_failures: bool = False,
) -> int:
    """Writes `out` (JSONL or parquet): the rows with `completion`, `finish_reason`, `tokens` and `error`. Returns their number.

    Raises InputError: an id that stands twice, a column that is in the way, calls that failed for now (asked again by the
    next run, unless `accept_failures` keeps them as failures); BudgetReached.
    """
    of_kind(out, ".jsonl", ".parquet")
    total = _checked(table)
    engine = open_engine(config, config.model, workdir)
    log = workdir.open_log(engine.fingerprint)
    with (
        Progress(f"complete {name(table)}", total, workdir.progress) as progress,
        Meter(budget or Budget(), workdir) as meter,
    ):
        out.parent.mkdir(parents=True, exist_ok=True)
        unfinished = out.with_name(f".{out.name}.tmp")
        with open(unfinished, "wb") as file:
            asyncio.run(_complete(table, open_pool(engine, log, progress, meter, accept_failures), progress, file))
        if progress.incomplete:
            unfinished.unlink()
            reasons = ", ".join(f"{reason} ({count:,})" for reason, count in progress.failures.most_common(3))
            again = "run again to ask again, or keep them as failures with --accept-failures"
            raise InputError(
                f"{progress.incomplete:,} of {total:,} rows have no answer for now: {reasons}; {again}"
            )
    finish(unfinished, out)
    unfinished.unlink(missing_ok=True)
    return total


def _checked(table: Table) -> int:
    lines: dict[str, int] = {}
    for line, row in records(table):
        for column in (table.text, *table.id):
            if column not in row:
                raise InputError(f"{name(table)}:{line}: missing column {column!r}; found {', '.join(row)}")
        if taken := next((column for column in ADDED if column in row), None):
            raise InputError(
                f"{name(table)}:{line}: has a column {taken!r}, which is one of those that are added; rename it"
            )
        identity = _id(table, row)
        if identity in lines:
            raise InputError(
                f"{name(table)}:{line}: id {identity!r} stands in line {lines[identity]} too; every row needs its own"
            )
        lines[identity] = line
    if not lines:
        raise InputError(f"{name(table)}: no rows; expected at least one")
    return len(lines)


def _id(table: Table, row: dict[str, Any]) -> str:
    """The columns of `--id`, or the column `id`, or a hash of the row."""
    if table.id:
        return "/".join(str(row[column]) for column in table.id)
    return str(row["id"]) if "id" in row else hash16(json.loads(json.dumps(row, default=str)))


async def _complete(table: Table, pool: Pool, progress: Progress, file: IO[bytes]) -> None:
    """Asks for all rows, chunk by chunk, and writes them in their order."""
    written, finished = 0, dict[int, bytes]()

    async def answered(number: int, rows: list[dict[str, Any]]) -> None:
        nonlocal written
        prompts = [messages(row[table.text], "all") for row in rows]
        answers = iter(await pool.ask([Request(prompt) for prompt in prompts if prompt]))
        given = [
            next(answers) if prompt else Answer(finish_reason="error", error="not_text") for prompt in prompts
        ]
        finished[number] = b"".join(
            _line(table, row, answer) for row, answer in zip(rows, given, strict=True) if answer
        )
        while written in finished:
            file.write(finished.pop(written))
            written += 1
        progress.advance(len(rows), {}, sum(answer is None for answer in given))

    async def chunks() -> AsyncIterator[Coroutine[Any, Any, None]]:
        rows = (row for _, row in records(table))
        for number in itertools.count():
            if not (chunk := list(itertools.islice(rows, CHUNK))):
                break
            yield answered(number, chunk)

    try:
        await run_jobs(chunks(), progress, pool.room)
    finally:
        await pool.close()


def _line(table: Table, row: dict[str, Any], answer: Answer) -> bytes:
    added = {
        "completion": answer.text,
        "finish_reason": answer.finish_reason,
        "tokens": answer.tokens,
        "error": answer.error,
    }
    text = json.dumps({"id": _id(table, row), **row, **added}, ensure_ascii=False, default=str)
    return text.encode("utf-8", "surrogatepass") + b"\n"
