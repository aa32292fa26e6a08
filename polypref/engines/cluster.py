"""A stage on a Ray cluster: an actor holds an engine and makes parts; the driver hands out parts and keeps count.

The work dir is on a disk that all nodes share, or on object storage. Every worker writes answers to a file of its own. A
part whose worker was lost is done again by another, which first reads the answers that the lost one kept. Equal requests
of two parts in work at once on two workers are asked twice.
"""

import asyncio
import uuid
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from polypref.engines.base import Engine, Server
from polypref.engines.budget import Meter
from polypref.engines.pool import Pool
from polypref.errors import InputError
from polypref.progress import Progress
from polypref.store.parts import About
from polypref.store.steps import Step, make_part, some_done, stale, tick
from polypref.store.workdir import ROWS_PER_PART, Workdir

CLOSE_SECONDS = 30.0
TRIES = 3  # of one part, on workers that are lost: it may be what kills them


@dataclass(frozen=True, slots=True)
class Cluster:
    """What of a Ray cluster is used: so many workers, each with so many CPUs and accelerators. `address` as in ray.init."""

    workers: int
    cpus: float = 1.0
    gpus: float = 0.0
    address: str | None = None


class Worker:
    """One engine on one node, several parts at a time where it is a server."""

    def __init__(self, engine: Engine, workdir: str, accept_failures: bool) -> None:
        self._workdir = Workdir(workdir, worker=uuid.uuid4().hex[:8])
        self._log = self._workdir.answers(engine.fingerprint)
        self._pool = Pool(engine, self._log, accept_failures=accept_failures)
        self._before = dict(self._log.spent), len(self._log)
        self._thread = ThreadPoolExecutor(1, "stage")

    async def make(self, step: Step, key: str, incomplete: int, again: bool) -> About:
        if again:
            self._log.refresh(self._workdir.others(self._pool.engine.fingerprint))
        return await make_part(step, key, incomplete, self._pool, self._thread)

    async def spent(self) -> tuple[int, dict[str, int]]:
        """Answers and tokens of this worker so far."""
        before, calls = self._before
        return len(self._log) - calls, {name: count - before[name] for name, count in self._log.spent.items()}

    async def close(self) -> None:
        await self._pool.close()
        self._workdir.__exit__(None, None, None)


def run_on_ray(
    steps: Iterable[Step],
    progress: Progress,
    engine: Engine,
    workdir: Workdir,
    cluster: Cluster,
    meter: Meter | None = None,
    accept_failures: bool = False,
) -> None:
    """As store.run.run, on `cluster`. Raises InputError where Ray is not installed; waits for room on the cluster as Ray does."""
    todo = stale(steps, progress)
    first = next(todo, None)
    if first is not None:
        asyncio.run(_Driver(progress, engine, workdir, cluster, meter, accept_failures).run([first, *todo]))


class _Driver:
    def __init__(
        self,
        progress: Progress,
        engine: Engine,
        workdir: Workdir,
        cluster: Cluster,
        meter: Meter | None,
        accept_failures: bool,
    ) -> None:
        try:
            import ray
        except ImportError:
            raise InputError("--executor ray: Ray is not installed; pip install 'polypref[ray]'") from None
        if not ray.is_initialized():
            ray.init(address=cluster.address, log_to_driver=False)
        self._ray, self._progress, self._engine, self._meter = ray, progress, engine, meter
        self._at_once = 1 + -(-2 * engine.concurrency // ROWS_PER_PART) if isinstance(engine, Server) else 1
        options = {"num_cpus": cluster.cpus, "num_gpus": cluster.gpus, "max_concurrency": self._at_once + 2}
        self._actor = ray.remote(Worker).options(**options)
        self._given = ray.put(engine), str(workdir.path), accept_failures
        self._workers, self._log = cluster.workers, workdir.answers(engine.fingerprint)
        self._todo: deque[tuple[tuple[Step, str, int], int]] = deque()  # with the number of the try
        self._idle: deque[Any] = deque()  # a worker as often as it takes one more part
        self._parts = 0
        self._counted: dict[Any, tuple[int, dict[str, int]]] = {}

    async def run(self, todo: Iterable[tuple[Step, str, int]]) -> None:
        if self._meter:
            self._meter.begin(self._engine, self._log)
        self._todo.extend((work, 1) for work in todo)
        tasks = {asyncio.create_task(self._join()) for _ in range(min(self._workers, len(self._todo)))}
        self._parts = len(self._todo)
        ticking = asyncio.create_task(tick(self._progress))
        try:
            while self._parts:
                while self._todo and self._idle:
                    if self._meter:
                        self._meter.check(self._engine)
                    worker, (work, attempt) = self._idle.popleft(), self._todo.popleft()
                    tasks.add(asyncio.create_task(self._part(worker, attempt, *work)))
                tasks = await some_done(tasks)
        finally:
            for task in (ticking, *tasks):
                task.cancel()
            await asyncio.gather(ticking, *tasks, return_exceptions=True)
            closing = asyncio.gather(
                *(_done(worker.close.remote()) for worker in self._counted), return_exceptions=True
            )
            await asyncio.wait({closing}, timeout=CLOSE_SECONDS)
            for worker in self._counted:
                self._ray.kill(worker)

    async def _join(self) -> None:
        """Starts a worker; it gets parts as soon as the cluster has room for it."""
        worker = self._actor.remote(*self._given)
        self._counted[worker] = (0, {})
        await worker.spent.remote()
        self._idle.extend([worker] * self._at_once)

    async def _part(self, worker: Any, attempt: int, step: Step, key: str, incomplete: int) -> None:
        """One part on one worker. Where the worker is lost, the part waits for another, and a new worker is started."""
        try:
            about = await worker.make.remote(step, key, incomplete, attempt > 1)
            await self._count(worker)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause or error from None
        except (self._ray.exceptions.RayActorError, self._ray.exceptions.NodeDiedError) as error:
            if attempt == TRIES:
                raise InputError(
                    f"{step.part.path}: its worker was lost {TRIES} times; the last time: {error}"
                ) from None
            self._todo.appendleft(((step, key, incomplete), attempt + 1))
            self._idle = deque(other for other in self._idle if other != worker)
            if self._counted.pop(worker, None) is not None:
                await self._join()
            return
        self._parts -= 1
        self._progress.advance(about.rows, about.rejected, about.incomplete)
        self._idle.append(worker)

    async def _count(self, worker: Any) -> None:
        calls, spent = await worker.spent.remote()
        calls_before, before = self._counted[worker]
        self._counted[worker] = calls, spent
        new = {name: count - before.get(name, 0) for name, count in spent.items()}
        cost = self._meter.add(self._engine, calls - calls_before, **new) if self._meter else 0.0
        self._progress.at_once = len(self._counted)
        self._progress.answered(calls - calls_before, new["tokens"], cost)


async def _done(answer: Any) -> Any:
    return await answer
