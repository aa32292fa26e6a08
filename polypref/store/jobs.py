"""Jobs that mostly wait for engines, in one event loop: as many are open as keep the engines full."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from polypref.progress import Progress

JOBS_OPEN = 32  # a job stays open while one of its calls hangs, and holds its rows in memory


class Answerer(Protocol):
    """Answers requests: the engines of a stage (engines/pool.py).

    `any_order` says whether the main engine's answers are the same in whatever order parts ask.
    """

    any_order: bool

    def ask(self, requests: Sequence[Any]) -> Awaitable[Sequence[Any]]:
        """Return the answers in the order of the requests; None for a call that failed for now."""

    def room(self) -> Awaitable[None]:
        """Return once another job could make progress."""

    def close(self) -> Awaitable[None]: ...


async def run_jobs(
    jobs: AsyncIterator[Coroutine[Any, Any, None]],
    progress: Progress,
    room: Callable[[], Awaitable[None]],
) -> None:
    """Run jobs in order and show the progress; the next one starts as soon as `room()` returns.

    Raises the first error of a job, with the others cancelled.
    """
    running: set[asyncio.Task[None]] = set()
    try:
        async with shown(progress):
            async for job in jobs:
                running.add(asyncio.create_task(job))
                await asyncio.sleep(0)  # the job asks, so that `room` counts its requests
                has_room = asyncio.ensure_future(room())
                while running and not (has_room.done() and len(running) < JOBS_OPEN):
                    running = await wait_for_one(running, has_room)
                has_room.cancel()
            while running:
                running = await wait_for_one(running)
    finally:
        await cancel(running)


async def run_all(jobs: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run jobs at once. Raises the first error of a job, with the others cancelled."""
    running = {asyncio.create_task(job) for job in jobs}
    try:
        while running:
            running = await wait_for_one(running)
    finally:
        await cancel(running)


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def wait_for_one(
    tasks: set[asyncio.Task[None]], has_room: asyncio.Future[None] | None = None
) -> set[asyncio.Task[None]]:
    """Wait until a task is done or `has_room` is; return the tasks that are left.

    Raises the error of a task that failed.
    """
    watched: set[asyncio.Future[None]] = {*tasks}
    if has_room and not has_room.done():
        watched.add(has_room)
    done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return tasks - done


async def show_progress(progress: Progress) -> None:
    """Show the progress every second, also while nothing is answered."""
    while True:
        await asyncio.sleep(1.0)
        progress.show()


@asynccontextmanager
async def shown(progress: Progress) -> AsyncIterator[None]:
    """Show the progress in the background, as `show_progress` does."""
    showing = asyncio.create_task(show_progress(progress))
    try:
        yield
    finally:
        await cancel([showing])


class Turns:
    """Whose turn it is to ask: round by round, and in each round one part after the other.

    Engines in this process compute a request of two parts with the one that asks first. The order in which
    workers happen to finish must not decide which one that is.
    """

    def __init__(self, parts: Iterable[int]) -> None:
        self._asked: dict[int, float] = dict.fromkeys(parts, 0)  # rounds asked so far, by the part's number
        self._changed = asyncio.Condition()

    async def wait(self, part: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._is_next(part))

    def _is_next(self, part: int) -> bool:
        """Return whether the parts before this one have asked this round, and those after it the last one."""
        own = self._asked[part]
        return all(rounds > own if other < part else rounds >= own for other, rounds in self._asked.items())

    async def advance(self, part: int) -> None:
        """Note that a part has asked a round."""
        await self._set(part, self._asked[part] + 1)

    async def leave(self, part: int) -> None:
        """Note that a part asks no more."""
        await self._set(part, math.inf)

    async def _set(self, part: int, rounds: float) -> None:
        async with self._changed:
            self._asked[part] = rounds
            self._changed.notify_all()
