"""A stage on a Ray cluster: an actor holds an engine and makes parts; the driver hands out parts and keeps count.

The work dir is on a disk that all nodes share, or on object storage. Every worker writes answers to a file of its own. A
part whose worker was lost is done again by another, which first reads the answers that the lost one kept. Equal requests
of two parts in work at once on two workers are asked twice.
"""

import asyncio
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from cards.errors import InputError
from engines.base import Engine, Server
from engines.budget import Meter
from engines.pool import Pool
from store.parts import About
from store.progress import Progress
from store.run import Step, make_part, stale
from store.workdir import ROWS_PER_PART, Workdir

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
    """As store.run.run, on `cluster`. Raises InputError where Ray is not installed or cannot place the workers."""
    todo = stale(steps, progress)
    first = next(todo, None)
    if first is not None:
        asyncio.run(_Driver(progress, engine, workdir, cluster, meter, accept_failures).run([first, *todo]))


class _Driver:
    def __init__(
        self, progress: Progress, engine: Engine, workdir: Workdir, cluster: Cluster, meter: Meter | None, accept_failures: bool
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
        self._idle: asyncio.Queue[Any] = asyncio.Queue()
        self._counted: dict[Any, tuple[int, dict[str, int]]] = {}

    async def run(self, todo: list[tuple[Step, str, int]]) -> None:
        workers = [self._start() for _ in range(min(self._workers, len(todo)))]
        if self._meter:
            self._meter.begin(self._engine, self._log)
        for _ in range(self._at_once):
            for worker in workers:
                self._idle.put_nowait(worker)
        tasks: set[asyncio.Task[None]] = set()
        try:
            for work in todo:
                worker = await self._idle.get()
                if self._meter:
                    self._meter.check(self._engine)
                tasks.add(asyncio.create_task(self._part(worker, *work)))
                for task in [task for task in tasks if task.done()]:
                    tasks.remove(task)
                    task.result()
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(worker.close.remote() for worker in self._counted), return_exceptions=True)
            for worker in self._counted:
                self._ray.kill(worker)

    def _start(self) -> Any:
        worker = self._actor.remote(*self._given)
        self._counted[worker] = (0, {})
        return worker

    async def _part(self, worker: Any, step: Step, key: str, incomplete: int) -> None:
        lost = (self._ray.exceptions.RayActorError, self._ray.exceptions.ObjectLostError, self._ray.exceptions.NodeDiedError)
        for attempt in range(TRIES):
            try:
                about = await worker.make.remote(step, key, incomplete, attempt > 0)
                await self._count(worker)
                break
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause or error from None
            except lost as error:
                if attempt == TRIES - 1:
                    raise InputError(f"{step.part.path}: its worker was lost {TRIES} times; the last time: {error}") from None
                worker = self._replaced(worker)
        self._progress.advance(about.rows, about.rejected, about.incomplete)
        self._idle.put_nowait(worker)

    def _replaced(self, lost: Any) -> Any:
        """Another worker for a lost one: the same for all parts that it had."""
        if lost in self._counted:
            del self._counted[lost]
            self._replacement = self._start()
        return self._replacement

    async def _count(self, worker: Any) -> None:
        calls, spent = await worker.spent.remote()
        calls_before, before = self._counted[worker]
        self._counted[worker] = calls, spent
        new = {name: count - before.get(name, 0) for name, count in spent.items()}
        cost = self._meter.add(self._engine, calls - calls_before, **new) if self._meter else 0.0
        self._progress.at_once = len(self._counted)
        self._progress.answered(calls - calls_before, new["tokens"], cost)
