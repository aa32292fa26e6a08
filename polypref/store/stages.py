"""Stages: make the parts of a table that are missing, incomplete or out of date.

A stage is a function from frames to a frame or, if it asks an engine, a generator function: it yields
requests, is sent their answers in the same order, as often as it likes, and returns its rows. An answer of
None is a call that failed for now: the stage leaves its row out, and the part is marked incomplete, so that
the next run asks again.

Stages run in worker processes if there is enough work, and their requests come to this process. So a stage
is a function of a module, or a `partial` of one, that can be pickled.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import polars as pl

from polypref.errors import InputError
from polypref.progress import Progress
from polypref.schemas import hash16
from polypref.store.jobs import Answerer, Turns, cancel, run_all, run_jobs, shown
from polypref.store.parts import Part, PartInfo
from polypref.store.workers import MIN_ROWS, cores, start_workers
from polypref.version import __version__

# Parts that ask an engine in this process in turns. Always as many, as the order decides what is computed
# together; while the engine computes the answers of one, the workers make the rows of others.
GROUP = 8
T = TypeVar("T")
Asking = Generator[Sequence[Any], Sequence[Any], T]  # yields requests, is sent answers, returns a T


@dataclass(frozen=True, slots=True)
class PartTask:
    """A part to make: `make` is a stage, called with the rows of `inputs`.

    `identity` is everything else that can change the part's rows. `load`, if there is one, reads the stage's
    first argument from elsewhere, and is called only if the part is stale.
    """

    part: Part
    table: str
    inputs: tuple[Part, ...]
    identity: object
    make: Callable[..., pl.DataFrame | Asking[pl.DataFrame]]
    load: Callable[[], object] | None = None

    def key(self, inputs: Sequence[PartInfo]) -> str:
        """Return the key of the part that these inputs lead to."""
        made_from = [[info.key, info.incomplete, info.failures] for info in inputs]
        return hash16([__version__, self.table, self.identity, made_from])


@dataclass(frozen=True, slots=True)
class StalePart:
    """A task that has to run: `number` is its place among all tasks, and `key` that of the part to come.

    `rows` is the number of rows in the largest input, `incomplete` that of failed calls in all inputs.
    """

    number: int
    task: PartTask
    key: str
    rows: int
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


_under_way: dict[Path, tuple[StalePart, StageRun[pl.DataFrame]]] = {}  # in this process, by the part's path


def start_part(stale: StalePart) -> Sequence[Any] | PartInfo:
    """Start a part's stage; return its requests, or the account of the part if that is written already."""
    made = stale.task.make(*(part.read() for part in stale.task.inputs))
    if isinstance(made, pl.DataFrame):
        return stale.task.part.write(made, stale.task.table, stale.key, stale.incomplete)
    _under_way[stale.task.part.path] = stale, StageRun(made)
    return _requests_or_write(stale.task.part.path)


def continue_part(path: Path, answers: Sequence[Any]) -> Sequence[Any] | PartInfo:
    """Send answers to the stage of a part that this process has started; return as `start_part` does."""
    _under_way[path][1].send(answers)
    return _requests_or_write(path)


def _requests_or_write(path: Path) -> Sequence[Any] | PartInfo:
    stale, run = _under_way[path]
    if run.result is None:
        return run.requests
    del _under_way[path]
    return stale.task.part.write(run.result, stale.task.table, stale.key, stale.incomplete + run.failed)


class StartedPart(NamedTuple):
    """A part whose stage has started in an executor: its first requests, or its account if it is written."""

    path: Path
    number: int
    executor: Executor
    step: Sequence[Any] | PartInfo


async def finish_part(started: StartedPart, engines: Answerer | None, turns: Turns | None = None) -> PartInfo:
    """Put a started part's requests to the engines, in its turns if there are any, until it is written."""
    step = started.step
    while not isinstance(step, PartInfo):
        assert engines is not None, "a stage that asks needs an engine"
        if turns:
            await turns.wait(started.number)
        asking = asyncio.ensure_future(engines.ask(step))
        if turns:
            await turns.advance(started.number)
        answers = await asking
        step = await asyncio.get_running_loop().run_in_executor(
            started.executor, continue_part, started.path, answers
        )
    if turns:
        await turns.leave(started.number)
    return step


async def start_in(executor: Executor, part: StalePart) -> StartedPart:
    """Start a part's stage in an executor."""
    step = await asyncio.get_running_loop().run_in_executor(executor, start_part, part)
    return StartedPart(part.task.part.path, part.number, executor, step)


async def start_parts(
    stale: Iterable[StalePart], executors: Sequence[Executor]
) -> AsyncIterator[StartedPart]:
    """Start parts, and yield them in order. With several executors parts are started ahead, two for each."""
    starting: deque[asyncio.Task[StartedPart]] = deque()
    try:
        for place, part in enumerate(stale):
            executor = executors[place % len(executors)]
            starting.append(asyncio.create_task(start_in(executor, part)))
            if len(executors) == 1 or len(starting) == 2 * len(executors):
                yield await starting.popleft()
        while starting:
            yield await starting.popleft()
    finally:
        await cancel(starting)


def make_parts(
    tasks: Iterable[PartTask],
    progress: Progress,
    open_engines: Callable[[], Answerer] | None = None,
    retry_failures: bool = False,
) -> None:
    """Make the parts that are stale, in order, as many at once as keep the engines and the cores busy.

    With `retry_failures`, parts with rows whose call failed for good are stale as well.
    `open_engines` is called if there is at least one stale part. Reading, filtering and writing are done by
    worker processes, or for few rows in one thread beside the event loop, so that calls go on meanwhile.
    """
    stale = list(stale_parts(tasks, progress, retry_failures))
    if not stale:
        return
    executors: Sequence[Executor] = ()
    if sum(part.rows for part in stale) > MIN_ROWS and cores() > 1:
        executors = start_workers(min(cores(), len(stale)))
    with ThreadPoolExecutor(1, "stage") as thread:
        asyncio.run(_make_parts(stale, progress, open_engines, executors or [thread]))


def stale_parts(
    tasks: Iterable[PartTask], progress: Progress, retry_failures: bool = False
) -> Iterator[StalePart]:
    """Yield the tasks whose part is missing, incomplete or out of date; count the others as done."""
    for number, task in enumerate(tasks):
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
            if task.load:
                task = replace(task, make=partial(task.make, task.load()), load=None)
            rows = max(input_info.rows for input_info in inputs)
            yield StalePart(number, task, key, rows, sum(input_info.incomplete for input_info in inputs))


async def _make_parts(
    stale: Sequence[StalePart],
    progress: Progress,
    open_engines: Callable[[], Answerer] | None,
    executors: Sequence[Executor],
) -> None:
    engines = open_engines() if open_engines else None

    async def make(started: StartedPart, turns: Turns | None = None) -> None:
        info = await finish_part(started, engines, turns)
        progress.advance(info.rows, info.rejected, info.incomplete)

    async def jobs() -> AsyncIterator[Coroutine[Any, Any, None]]:
        # Started before the job runs, so that `room` takes its first requests into account.
        async for started in start_parts(stale, executors):
            yield make(started)

    try:
        if engines and engines.any_order:
            await run_jobs(jobs(), progress, engines.room)
            return
        async with shown(progress):
            if engines is None:
                async for started in start_parts(stale, executors):
                    await make(started)
                return
            for _, group in groupby(stale, lambda part: part.number // GROUP):
                started_parts = [started async for started in start_parts(group, executors)]
                turns = Turns(started.number for started in started_parts)
                await run_all(make(started, turns) for started in started_parts)
    finally:
        _under_way.clear()  # what an error has left
        if engines:
            await engines.close()
