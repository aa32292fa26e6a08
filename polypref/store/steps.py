"""A stage over its parts: makes what is missing or was made of something else, and leaves the rest alone.

A stage is a generator function from rows to rows: it yields the requests it has and is sent their answers, as often as
it likes, and returns its rows. An answer of None is a call that failed for now: its row is left out and the part is
incomplete, so that the next run asks again.
"""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import polars as pl

from polypref.errors import InputError
from polypref.progress import Progress
from polypref.schemas import hash16
from polypref.store.parts import About, Part
from polypref.version import __version__

T = TypeVar("T")
Asking = Generator[Sequence[Any], Sequence[Any], T]
Rows = Asking[pl.DataFrame]
PARTS_OPEN = 32  # a part stays open while one of its calls hangs; its rows are in memory


class Asks(Protocol):
    """Where a stage's requests go; `room` returns when one more part would not only wait."""

    def ask(self, requests: Sequence[Any]) -> Awaitable[Sequence[Any]]: ...

    def room(self) -> Awaitable[None]: ...

    def close(self) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class Step:
    """One part to make: `make(*inputs)` from the rows of other parts; `identity` is all else that can change its rows."""

    part: Part
    table: str
    inputs: tuple[Part, ...]
    identity: object
    make: Callable[..., Rows]

    def key(self, inputs: Sequence[About]) -> str:
        return hash16(
            [__version__, self.table, self.identity, [[about.key, about.incomplete] for about in inputs]]
        )


@dataclass(frozen=True, slots=True)
class Made:
    """What a stage returned."""

    rows: pl.DataFrame


Opened = tuple[Rows, Sequence[Any] | Made]


def no_requests(make: Callable[..., pl.DataFrame]) -> Callable[..., Rows]:
    """A stage that asks nobody, as a stage."""

    def rows(*inputs: pl.DataFrame) -> Rows:
        return make(*inputs)
        yield []

    return rows


def run(steps: Iterable[Step], progress: Progress, start: Callable[[], Asks] | None = None) -> None:
    """Makes every step's part. Parts are opened in order, as many at once as keep the engine full; `start` is called for the first.

    The stages' own work, reading, filtering and writing, is done one piece at a time in a thread beside the event loop,
    so that calls go on meanwhile.
    """
    with ThreadPoolExecutor(1, "stage") as thread:
        asyncio.run(_run(steps, progress, start, thread))


def stale(steps: Iterable[Step], progress: Progress) -> Iterator[tuple[Step, str, int]]:
    """The steps whose part is missing, incomplete or made of something else; its key, and what is incomplete in its inputs."""
    for step in steps:
        inputs = [_made(part) for part in step.inputs]
        key, about = step.key(inputs), step.part.about()
        if about and about.key == key and not about.incomplete:
            progress.advance(about.rows, about.rejected, incomplete=0)
        else:
            yield step, key, sum(about.incomplete for about in inputs)


async def _run(
    steps: Iterable[Step], progress: Progress, start: Callable[[], Asks] | None, thread: ThreadPoolExecutor
) -> None:
    engine: Asks | None = None

    async def part(step: Step, key: str, incomplete: int, opened: Opened) -> None:
        about = await make_part(step, key, incomplete, engine, thread, opened)
        progress.advance(about.rows, about.rejected, about.incomplete)

    async def parts() -> AsyncIterator[Coroutine[Any, Any, None]]:
        nonlocal engine
        for step, key, incomplete in stale(steps, progress):
            engine = engine or (start() if start else None)
            yield part(
                step, key, incomplete, await asyncio.get_running_loop().run_in_executor(thread, _opened, step)
            )

    try:
        await fill(parts(), lambda: engine, progress)
    finally:
        if engine is not None:
            await engine.close()


async def fill(
    jobs: AsyncIterator[Coroutine[Any, Any, None]], engine: Callable[[], Asks | None], progress: Progress
) -> None:
    """Runs jobs that ask an engine, in order, as many at once as keep it full; one at a time without an engine."""
    ticking = asyncio.create_task(tick(progress))
    tasks: set[asyncio.Task[None]] = set()
    try:
        async for job in jobs:
            tasks.add(asyncio.create_task(job))
            await asyncio.sleep(0)  # it asks
            asks = engine()
            room = asyncio.ensure_future(asks.room()) if asks else None
            while tasks and not (room and room.done() and len(tasks) < PARTS_OPEN):
                tasks = await some_done(tasks, room)
        while tasks:
            tasks = await some_done(tasks)
    finally:
        for task in (ticking, *tasks):
            task.cancel()
        await asyncio.gather(ticking, *tasks, return_exceptions=True)


async def some_done(
    tasks: set[asyncio.Task[None]], room: asyncio.Future[None] | None = None
) -> set[asyncio.Task[None]]:
    """Returns the tasks that are left when one is done or there is room; raises what one of them raised."""
    watched = tasks if room is None or room.done() else {*tasks, room}
    done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
    for task in done & tasks:
        task.result()
    return tasks - done


async def tick(progress: Progress) -> None:
    """Shows the progress also while nothing is answered."""
    while True:
        await asyncio.sleep(1.0)
        progress.show()


async def make_part(
    step: Step,
    key: str,
    incomplete: int,
    engine: Asks | None,
    thread: ThreadPoolExecutor,
    opened: Opened | None = None,
) -> About:
    """Makes one part; its inputs may have been opened before."""
    loop = asyncio.get_running_loop()
    if opened is None:
        opened = await loop.run_in_executor(thread, _opened, step)
    work, said = opened
    while not isinstance(said, Made):
        assert engine is not None, f"{step.table}: a stage that asks needs an engine"
        answers = await engine.ask(said)
        incomplete += sum(answer is None for answer in answers)
        said = await loop.run_in_executor(thread, _sent, work, answers)
    return await loop.run_in_executor(thread, step.part.write, said.rows, step.table, key, incomplete)


def _opened(step: Step) -> Opened:
    work = step.make(*(part.read() for part in step.inputs))
    return work, _sent(work, None)


def _sent(work: Rows, answers: Sequence[Any] | None) -> Sequence[Any] | Made:
    """The stage's next requests, or its rows."""
    try:
        return work.send(answers)  # type: ignore[arg-type]  # None starts a generator
    except StopIteration as stop:
        return Made(stop.value)


def _made(part: Part) -> About:
    about = part.about()
    if about is None:
        raise InputError(f"{part.path}: not made yet; the stage that makes it runs first")
    return about
