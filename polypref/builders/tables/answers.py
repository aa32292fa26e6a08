"""An engine's answers about the rows of a user's table, asked chunk by chunk and written as they come in."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from polypref.builders.outcome import check_kept
from polypref.builders.tables.files import Record
from polypref.builders.tables.write import write_table
from polypref.engines.base import Engine
from polypref.engines.budget import Budget, Meter
from polypref.engines.pool import Pool, PoolOptions, open_pool
from polypref.errors import Unavailable
from polypref.progress import Progress
from polypref.store.jobs import run_jobs
from polypref.store.stages import Asking, StageRun
from polypref.store.workdir import Workdir

Chunk = Asking[list[Record | None]]  # returns the rows to write; None is a row without an answer for now
CHUNK = 1000  # rows; as many as a part of a build has


def write_answers(
    title: str,
    total: int,
    chunks: Iterable[Chunk],
    reason: str,
    engine: Engine,
    workdir: Workdir,
    out: Path,
    accept_failures: bool = False,
    retry_failures: bool = False,
) -> Counter[str]:
    """Write the rows of all chunks to `out`; return how many have each content of the column `reason`.

    Several chunks ask at once, as many as keep the engine full. A chunk is written once those before it are,
    and dropped from memory. `total` is the number of rows, for the progress line.

    Raises Unavailable if rows have no answer for now: nothing is written, and another run asks only for
    these. With `accept_failures` they are written as failures; with `retry_failures` such rows of earlier
    runs are asked again. Raises InputError for a table that cannot be written, and for one that is written
    without a row that can be used.
    """
    log = workdir.open_log(engine.fingerprint)
    with (
        write_table(out) as add_rows,
        Progress(title, total, workdir.progress) as progress,
        Meter(Budget(), workdir) as meter,
    ):
        pool = open_pool(engine, log, PoolOptions(progress, meter, accept_failures, retry_failures))
        asyncio.run(_ask_chunks(chunks, reason, pool, progress, add_rows))
        if progress.incomplete:
            failures = ", ".join(f"{why} ({count:,})" for why, count in progress.failures.most_common(3))
            raise Unavailable(
                f"{progress.incomplete:,} of {total:,} rows have no answer for now: {failures}; "
                "run again to ask again, or keep them as failures with --accept-failures"
            )
    check_kept(progress.rejected, total, out)
    return progress.rejected


async def _ask_chunks(
    chunks: Iterable[Chunk],
    reason: str,
    pool: Pool,
    progress: Progress,
    add_rows: Callable[[Iterable[Record]], None],
) -> None:
    loop = asyncio.get_running_loop()

    async def ask(
        run: StageRun[list[Record | None]],
        written_before: asyncio.Future[None] | None,
        written: asyncio.Future[None],
    ) -> None:
        rows = await run.finish(pool, thread)
        if written_before is not None:
            await written_before
        answered = [row for row in rows if row is not None]
        add_rows(answered)
        written.set_result(None)
        rejected = Counter(row[reason] for row in answered if row[reason] is not None)
        progress.advance(len(rows), rejected, len(rows) - len(answered))

    async def jobs() -> AsyncIterator[Coroutine[Any, Any, None]]:
        written_before = None  # waiting for it bounds how many finished chunks are in memory
        for chunk in chunks:
            # Opened before the job runs, so that `room` takes its first requests into account.
            run = await loop.run_in_executor(thread, StageRun, chunk)
            written = loop.create_future()
            yield ask(run, written_before, written)
            written_before = written

    with ThreadPoolExecutor(1, "chunk") as thread:
        try:
            await run_jobs(jobs(), progress, pool.room)
        finally:
            await pool.close()
