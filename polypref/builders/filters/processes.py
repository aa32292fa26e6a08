"""Spread work on rows over worker processes, which keep the models they have loaded for later rows."""

from collections.abc import Callable

import polars as pl

from polypref.store.workers import MIN_ROWS, cores, start_workers

CHUNK = 1000  # rows that a process works on at once


def map_chunks(
    function: Callable[[pl.DataFrame], pl.DataFrame], rows: pl.DataFrame, processes: int
) -> pl.DataFrame:
    """Return what the function makes of each chunk of the rows as one frame, in the order of the rows.

    The result does not depend on `processes`: 0 uses one process a core, 1 only this process.
    """
    starts = range(0, max(rows.height, 1), CHUNK)  # no rows are one empty chunk: the result keeps its columns
    chunks = [rows.slice(start, CHUNK) for start in starts]
    processes = processes or cores()
    workers = start_workers(processes) if processes > 1 and rows.height > MIN_ROWS else []
    if not workers:
        return pl.concat(map(function, chunks))
    # A chunk is copied into the pipe of its process only when that is free for it.
    results = []
    for place, chunk in enumerate(chunks):
        results.append(workers[place % len(workers)].submit(function, chunk))
    frames: list[pl.DataFrame] = [result.result() for result in results]
    return pl.concat(frames)
