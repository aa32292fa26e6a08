"""Spread work on rows over processes.

A worker process takes chunks of rows, and keeps the models it has loaded for the chunks that follow.
"""

import atexit
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Any

import polars as pl

CHUNK = 1000  # rows that a process works on at once
MIN_ROWS = (
    2000  # up to so many rows, starting processes that load models of their own costs more than it saves
)


def map_chunks(
    function: Callable[..., pl.DataFrame], rows: pl.DataFrame, processes: int, *arguments: Any
) -> pl.DataFrame:
    """Return `function(chunk, *arguments)` of all chunks of the rows as one frame, in the order of the rows.

    The result does not depend on `processes`: 0 uses one process a core, 1 only this process.
    """
    processes = processes or len(os.sched_getaffinity(0))
    starts = range(0, max(rows.height, 1), CHUNK)  # no rows are one empty chunk: the result keeps its columns
    chunks = [rows.slice(start, CHUNK) for start in starts]
    if processes == 1 or rows.height <= MIN_ROWS:
        return pl.concat([function(chunk, *arguments) for chunk in chunks])
    return pl.concat(_results(_pool(processes), function, chunks, arguments, 2 * processes))


def _results(
    pool: ProcessPoolExecutor,
    function: Callable[..., pl.DataFrame],
    chunks: Iterable[pl.DataFrame],
    arguments: tuple[Any, ...],
    at_once: int,
) -> Iterator[pl.DataFrame]:
    """Yield the results in order.

    At most `at_once` chunks are with the pool, whose pipe holds copies of them.
    """
    submitted: deque[Future[pl.DataFrame]] = deque()
    for chunk in chunks:
        submitted.append(pool.submit(function, chunk, *arguments))
        if len(submitted) >= at_once:
            yield submitted.popleft().result()
    while submitted:
        yield submitted.popleft().result()


@cache
def _pool(processes: int) -> ProcessPoolExecutor:
    # Not "fork": it would copy the threads' locks of polars and torch, which may be held at that moment.
    pool = ProcessPoolExecutor(processes, get_context("forkserver"), initializer=_limit_threads)
    atexit.register(pool.shutdown, wait=False, cancel_futures=True)
    return pool


def _limit_threads() -> None:
    """Give polars one thread in a worker: the workers themselves use the cores."""
    # polars reads this when it starts its threads, which is later than its import.
    os.environ["POLARS_MAX_THREADS"] = "1"
