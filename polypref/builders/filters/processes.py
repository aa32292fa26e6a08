"""Spread work on rows over processes.

A worker process takes chunks of rows, and keeps the models it has loaded for the chunks that follow.
"""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context

import polars as pl

CHUNK = 1000  # rows that a process works on at once
# Up to so many rows, starting processes that load models of their own costs more than it saves.
MIN_ROWS = 2000


def map_chunks(
    function: Callable[[pl.DataFrame], pl.DataFrame], rows: pl.DataFrame, processes: int
) -> pl.DataFrame:
    """Return what the function makes of each chunk of the rows as one frame, in the order of the rows.

    The result does not depend on `processes`: 0 uses one process a core, 1 only this process.
    """
    processes = processes or len(os.sched_getaffinity(0))
    starts = range(0, max(rows.height, 1), CHUNK)  # no rows are one empty chunk: the result keeps its columns
    chunks = [rows.slice(start, CHUNK) for start in starts]
    if processes == 1 or rows.height <= MIN_ROWS:
        return pl.concat(map(function, chunks))
    # The pool copies a chunk into its pipe only when a process is about to be free for it.
    return pl.concat(_pool(processes).map(function, chunks))


@cache
def _pool(processes: int) -> ProcessPoolExecutor:
    # Not "fork": it would copy the threads' locks of polars and torch, which may be held at that moment.
    return ProcessPoolExecutor(processes, get_context("forkserver"), initializer=_limit_threads)


def _limit_threads() -> None:
    """Give polars one thread in a worker: the workers themselves use the cores."""
    # polars reads this when it starts its threads, which is later than its import.
    os.environ["POLARS_MAX_THREADS"] = "1"
