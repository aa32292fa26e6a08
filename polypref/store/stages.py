"""Stages: make the parts of a table that are missing, incomplete or out of date.

A stage is a generator function from frames to a frame. It yields requests, is sent their answers in the same
order, as often as it likes, and returns its rows. An answer of None is a call that failed for now: the stage
leaves its row out, and the part is marked incomplete, so that the next run asks again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, TypeVar

import polars as pl

from polypref.errors import InputError
from polypref.progress import Progress
from polypref.schemas import hash16
from polypref.store.jobs import Answerer, run_jobs
from polypref.store.parts import Part, PartInfo
from polypref.version import __version__

T = TypeVar("T")
Asking = Generator[Sequence[Any], Sequence[Any], T]  # yields requests, is sent answers, returns a T


@dataclass(frozen=True, slots=True)
class PartTask:
    """A part to make: `make` is a stage, called with the rows of `inputs`.

    `identity` is everything else that can change the part's rows.
    """

    part: Part
    table: str
    inputs: tuple[Part, ...]
    identity: object
    make: Callable[..., Asking[pl.DataFrame]]

    def key(self, inputs: Sequence[PartInfo]) -> str:
        """Return the key of the part that these inputs lead to."""
        made_from = [[info.key, info.incomplete, info.failures] for info in inputs]
        return hash16([__version__, self.table, self.identity, made_from])


@dataclass(frozen=True, slots=True)
class StalePart:
    """A task that has to run: the key of the part to come, and the number of failed calls in its inputs."""

    task: PartTask
    key: str
    incomplete: int


class StageRun(Generic[T]):
    """A stage's generator under way: `requests` waits for answers until `result` is there.

    `failed` counts the calls that failed for now.
    """

    def __init__(self, generator: Asking[T]) -> None:
        self._generator = generator
        self.requests: Sequence[Any] = ()
        self.failed = 0
        self.result: T | None = None
        self.send(None)

    def send(self, answers: Sequence[Any] | None) -> None:
        """Go on with the answers to the last requests; None starts the generator."""
        self.failed += sum(answer is None for answer in answers or ())
        try:
            self.requests = self._generator.send(answers)  # type: ignore[arg-type]
        except StopIteration as stop:
            self.result = stop.value

    async def finish(self, engines: Answerer | None, thread: ThreadPoolExecutor) -> T:
        """Put the requests to the engines until the stage returns; its own work is done in the thread."""
        while self.result is None:
            assert engines is not None, "a stage that asks needs an engine"
            answers = await engines.ask(self.requests)
            await asyncio.get_running_loop().run_in_executor(thread, self.send, answers)
        return self.result


def open_part(task: PartTask) -> StageRun[pl.DataFrame]:
    """Read the inputs of a part and start its stage."""
    return StageRun(task.make(*(part.read() for part in task.inputs)))


def without_requests(make: Callable[..., pl.DataFrame]) -> Callable[..., Asking[pl.DataFrame]]:
    """Turn a function from frames to a frame into a stage that asks nothing."""

    def stage(*inputs: pl.DataFrame) -> Asking[pl.DataFrame]:
        return make(*inputs)
        yield []  # makes this a generator

    return stage


def make_parts(
    tasks: Iterable[PartTask],
    progress: Progress,
    open_engines: Callable[[], Answerer] | None = None,
    retry_failures: bool = False,
) -> None:
    """Make the parts that are stale, in order, as many at once as keep the engines full.

    With `retry_failures`, parts with rows whose call failed for good are stale as well.
    Without engines they are made one by one. `open_engines` is called if there is at least one stale part.
    Reading, filtering and writing are done in one thread beside the event loop, so that calls go on
    meanwhile.
    """
    stale = stale_parts(tasks, progress, retry_failures)
    first = next(stale, None)
    if first is not None:
        with ThreadPoolExecutor(1, "stage") as thread:
            asyncio.run(_make_parts(chain([first], stale), progress, open_engines, thread))


def stale_parts(
    tasks: Iterable[PartTask], progress: Progress, retry_failures: bool = False
) -> Iterator[StalePart]:
    """Yield the tasks whose part is missing, incomplete or out of date; count the others as done."""
    for task in tasks:
        inputs = []
        for part in task.inputs:
            input_info = part.read_info()
            if input_info is None:
                raise InputError(f"{part.path}: not made yet; the stage that makes it runs first")
            inputs.append(input_info)
        key, info = task.key(inputs), task.part.read_info()
        if info and info.key == key and not info.incomplete and not (retry_failures and info.failures):
            progress.skip(info.rows, info.rejected)
        else:
            yield StalePart(task, key, sum(input_info.incomplete for input_info in inputs))


async def _make_parts(
    stale: Iterable[StalePart],
    progress: Progress,
    open_engines: Callable[[], Answerer] | None,
    thread: ThreadPoolExecutor,
) -> None:
    loop = asyncio.get_running_loop()
    engines = open_engines() if open_engines else None

    async def make(part: StalePart, run: StageRun[pl.DataFrame]) -> None:
        info = await finish_part(part, run, engines, thread)
        progress.advance(info.rows, info.rejected, info.incomplete)

    async def jobs() -> AsyncIterator[Coroutine[Any, Any, None]]:
        for part in stale:
            # Opened before the job runs, so that `room` takes its first requests into account.
            run = await loop.run_in_executor(thread, open_part, part.task)
            yield make(part, run)

    try:
        await run_jobs(jobs(), progress, engines.room if engines else None)
    finally:
        if engines:
            await engines.close()


async def finish_part(
    stale: StalePart, run: StageRun[pl.DataFrame], engines: Answerer | None, thread: ThreadPoolExecutor
) -> PartInfo:
    """Put an open part's requests to the engines until the stage returns its rows; write them."""
    task = stale.task
    rows = await run.finish(engines, thread)
    incomplete = stale.incomplete + run.failed
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(thread, task.part.write, rows, task.table, stale.key, incomplete)
