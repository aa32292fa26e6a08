"""Jobs that mostly wait for engines, in one event loop: as many are open as keep the engines full."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

from polypref.progress import Progress

JOBS_OPEN = 32  # a job stays open while one of its calls hangs, and holds its rows in memory


class Answerer(Protocol):
    """Answers requests: the engines of a stage (engines/pool.py)."""

    def ask(self, requests: Sequence[Any]) -> Awaitable[Sequence[Any]]:
        """Return the answers in the order of the requests; None for a call that failed for now."""

    def room(self) -> Awaitable[None]:
        """Return once another job could make progress."""

    def close(self) -> Awaitable[None]: ...


async def run_jobs(
    jobs: AsyncIterator[Coroutine[Any, Any, None]],
    progress: Progress,
    room: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Run jobs in order and show the progress.

    The next one starts as soon as `room()` returns, or without it once the last one is done. Raises the first
    error of a job, with the others cancelled.
    """
    showing = asyncio.create_task(show_progress(progress))
    running: set[asyncio.Task[None]] = set()
    try:
        async for job in jobs:
            running.add(asyncio.create_task(job))
            await asyncio.sleep(0)  # the job asks, so that `room` counts its requests
            has_room = asyncio.ensure_future(room()) if room else None
            while running and not (has_room and has_room.done() and len(running) < JOBS_OPEN):
                running = await wait_for_one(running, has_room)
            if has_room:
                has_room.cancel()
        while running:
            running = await wait_for_one(running)
    finally:
        for task in (showing, *running):
            task.cancel()
        await asyncio.gather(showing, *running, return_exceptions=True)


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
