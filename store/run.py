"""A stage over its parts: makes what is missing or was made of something else, and leaves the rest alone.

A stage is a generator function from rows to rows: it yields the requests it has and is sent their answers, as often as
it likes, and returns its rows. An answer of None is a call that failed for now: its row is left out and the part is
incomplete, so that the next run asks again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import polars as pl

from cards import __version__
from cards.errors import InputError
from cards.tables import hash16
from store.parts import About, Part
from store.progress import Progress

T = TypeVar("T")
Asking = Generator[Sequence[Any], Sequence[Any], T]
Rows = Asking[pl.DataFrame]


class Asks(Protocol):
    """Where a stage's requests go: `full` says whether opening one more part would only wait."""

    @property
    def full(self) -> bool: ...

    def ask(self, requests: Sequence[Any]) -> Awaitable[Sequence[Any]]: ...

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
        return hash16([__version__, self.table, self.identity, [[about.key, about.incomplete] for about in inputs]])


def no_requests(make: Callable[..., pl.DataFrame]) -> Callable[..., Rows]:
    """A stage that asks nobody, as a stage."""

    def rows(*inputs: pl.DataFrame) -> Rows:
        return make(*inputs)
        yield []

    return rows


def run(steps: Iterable[Step], progress: Progress, engine: Asks | None = None) -> None:
    """Makes every step's part. Parts are opened in order, as many at once as keep the engine full."""
    asyncio.run(_run(steps, progress, engine))


async def _run(steps: Iterable[Step], progress: Progress, engine: Asks | None) -> None:
    tasks: set[asyncio.Task[None]] = set()
    try:
        for step in steps:
            inputs = [_made(part) for part in step.inputs]
            key, about = step.key(inputs), step.part.about()
            if about and about.key == key and not about.incomplete:
                progress.advance(about.rows, about.rejected, incomplete=0)
                continue
            tasks.add(asyncio.create_task(_make(step, key, sum(about.incomplete for about in inputs), progress, engine)))
            await asyncio.sleep(0)
            while tasks and (engine is None or engine.full):
                tasks = await _some_done(tasks)
        while tasks:
            tasks = await _some_done(tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if engine is not None:
            await engine.close()


async def _some_done(tasks: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return rest


async def _make(step: Step, key: str, incomplete: int, progress: Progress, engine: Asks | None) -> None:
    work = step.make(*(part.read() for part in step.inputs))
    try:
        requests = next(work)
        while True:
            assert engine is not None, f"{step.table}: a stage that asks needs an engine"
            answers = await engine.ask(requests)
            incomplete += sum(answer is None for answer in answers)
            requests = work.send(answers)
    except StopIteration as stop:
        about = step.part.write(stop.value, step.table, key, incomplete)
    progress.advance(about.rows, about.rejected, about.incomplete)


def _made(part: Part) -> About:
    about = part.about()
    if about is None:
        raise InputError(f"{part.path}: not made yet; the stage that makes it runs first")
    return about
