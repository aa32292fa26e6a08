"""A function of rows, spread over processes: each takes chunks of rows and keeps what it loaded for the next ones."""

import atexit
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Any

import polars as pl

CHUNK = 1000  # rows of one job
ALONE = 2000  # rows that are not worth another process, which loads models of its own


def in_processes(function: Callable[..., pl.DataFrame], rows: pl.DataFrame, *settings: Any) -> pl.DataFrame:
    """`function(rows, *settings)` of chunks of the rows, put together in order: the same whatever the number of processes.

    `settings[0].processes` says how many: 0 for as many as there are cores, 1 for none beside this one.
    """
    processes = settings[0].processes or len(os.sched_getaffinity(0))
    chunks = [rows.slice(start, CHUNK) for start in range(0, rows.height, CHUNK)] or [rows]
    if processes == 1 or rows.height <= ALONE:
        return pl.concat([function(chunk, *settings) for chunk in chunks])
    return pl.concat(_ordered(_pool(processes), function, iter(chunks), settings, 2 * processes))


def _ordered(
    pool: ProcessPoolExecutor,
    function: Callable[..., pl.DataFrame],
    chunks: Iterator[pl.DataFrame],
    settings: Any,
    most: int,
) -> Iterator[pl.DataFrame]:
    waiting: deque[Future[pl.DataFrame]] = deque()
    for chunk in chunks:
        waiting.append(pool.submit(function, chunk, *settings))
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@cache
def _pool(processes: int) -> ProcessPoolExecutor:
    pool = ProcessPoolExecutor(processes, get_context("forkserver"), initializer=_one_thread)
    atexit.register(pool.shutdown, wait=False, cancel_futures=True)
    return pool


def _one_thread() -> None:
    """polars in a worker needs no threads of its own; set before it starts them."""
    os.environ["POLARS_MAX_THREADS"] = "1"
