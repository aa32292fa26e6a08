"""A stage on a Ray cluster: actors with the stage's engines make parts, the driver hands them out.

The work dir is on a disk that all nodes share, or on object storage. Every worker writes answers to files of
its own. A part whose worker was lost is made again by another worker, which first reads the answers that the
lost one kept. Equal requests of two parts that are in work at the same time on two workers are asked twice.
"""

import asyncio
import uuid
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from polypref.engines.base import Engine, ServerEngine
from polypref.engines.pool import PoolOptions, open_pools
from polypref.errors import InputError, Unavailable
from polypref.store.jobs import show_progress, wait_for_one
from polypref.store.parts import PartInfo
from polypref.store.stages import PartTask, StalePart, finish_part, stale_parts, start_in
from polypref.store.workdir import ROWS_PER_PART, Workdir

CLOSE_SECONDS = 30.0
TRIES = 3  # of one part on workers that are lost: the part itself may be what kills them


@dataclass(frozen=True, slots=True)
class Cluster:
    """How much of a Ray cluster to use: workers, CPUs and accelerators of each; `address` as in ray.init."""

    workers: int
    cpus: float = 1.0
    gpus: float = 0.0
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A part to make on a worker; `attempt` counts from 1."""

    part: StalePart
    attempt: int = 1


class Worker:
    """A Ray actor with the engines of a stage; it makes several parts at once if the main one is a server."""

    def __init__(self, engines: Mapping[str, Engine], workdir: str, options: PoolOptions) -> None:
        self._workdir = Workdir(workdir, worker=uuid.uuid4().hex[:8])
        self._pools = open_pools(engines, self._workdir, options)
        self._thread = ThreadPoolExecutor(1, "stage")

    async def wait_for_start(self) -> None:
        """Return as soon as the cluster has placed and started this worker."""

    async def make(self, job: Job) -> tuple[PartInfo, dict[str, Counter[str]]]:
        """Make a part; return its account, and what each engine spent since the last part was reported."""
        if job.attempt > 1:
            for pool in self._pools.pools.values():
                pool.log.refresh(self._workdir.logs_of_others(pool.engine.fingerprint))
        info = await finish_part(await start_in(self._thread, job.part), self._pools)
        spent = {}
        for name, pool in self._pools.pools.items():
            spent[name], pool.spent = pool.spent, Counter()
        return info, spent

    async def close(self) -> None:
        await self._pools.close()
        self._workdir.__exit__(None, None, None)


def make_parts_on_ray(
    tasks: Iterable[PartTask],
    engines: Mapping[str, Engine],
    workdir: Workdir,
    cluster: Cluster,
    options: PoolOptions,
) -> None:
    """Make the parts that are stale, as `store.stages.make_parts` does, on a cluster.

    `engines` are the stage's, by the name that requests give; the first is the main one. The options need a
    progress.

    Raises InputError where Ray is not installed, Unavailable where workers are lost again and again.
    """
    assert options.progress is not None
    jobs = deque(Job(part) for part in stale_parts(tasks, options.progress, options.retry_failures))
    if jobs:
        asyncio.run(_Driver(engines, workdir, cluster, options).run(jobs))


class _Driver:
    """One stage's jobs, workers and counts, within one event loop."""

    def __init__(
        self, engines: Mapping[str, Engine], workdir: Workdir, cluster: Cluster, options: PoolOptions
    ) -> None:
        try:
            import ray
        except ImportError:
            raise InputError("--executor ray: Ray is not installed; pip install 'polypref[ray]'") from None
        if not ray.is_initialized():
            ray.init(address=cluster.address, log_to_driver=False)
        assert options.progress is not None
        self._ray, self._progress, self._meter = ray, options.progress, options.meter
        self._engines, self._workdir, self._cluster = dict(engines), workdir, cluster
        main = next(iter(self._engines.values()))
        self._parts_per_worker = 1
        if isinstance(main, ServerEngine):  # twice as many requests as it takes at once keep a server full
            self._parts_per_worker += -(-2 * main.concurrency // ROWS_PER_PART)
        self._actor = ray.remote(Worker).options(
            num_cpus=cluster.cpus,
            num_gpus=cluster.gpus,
            max_concurrency=self._parts_per_worker + 2,  # and room for `close` beside the parts
        )
        workers_options = replace(options, progress=None, meter=None)  # the driver counts
        self._worker_arguments = ray.put(self._engines), str(workdir.path), workers_options
        self._workers: set[Any] = set()
        self._idle: deque[Any] = deque()  # each worker as often as it takes one more part
        self._unfinished = 0

    async def run(self, jobs: deque[Job]) -> None:
        for engine in self._engines.values():
            if self._meter:
                self._meter.begin(engine, self._workdir.open_log(engine.fingerprint))
        self._unfinished = len(jobs)
        tasks = {
            asyncio.create_task(self._start_worker()) for _ in range(min(self._cluster.workers, len(jobs)))
        }
        ticking = asyncio.create_task(show_progress(self._progress))
        try:
            while self._unfinished:
                while jobs and self._idle:
                    for engine in self._engines.values():
                        if self._meter:
                            self._meter.check(engine)
                    tasks.add(asyncio.create_task(self._make(self._idle.popleft(), jobs.popleft(), jobs)))
                tasks = await wait_for_one(tasks)
        finally:
            for task in (ticking, *tasks):
                task.cancel()
            await asyncio.gather(ticking, *tasks, return_exceptions=True)
            await self._stop_workers()

    async def _start_worker(self) -> None:
        """Start a worker; it gets parts as soon as the cluster has room for it."""
        worker = self._actor.remote(*self._worker_arguments)
        self._workers.add(worker)
        try:
            await worker.wait_for_start.remote()
        except self._ray.exceptions.RayActorError as error:
            raise Unavailable(f"a Ray worker was lost while it started: {error}") from None
        self._idle.extend([worker] * self._parts_per_worker)

    async def _make(self, worker: Any, job: Job, jobs: deque[Job]) -> None:
        """Make a part on a worker. If the worker is lost, put the job back and start another worker."""
        try:
            info, spent = await worker.make.remote(job)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause or error from None
        except (self._ray.exceptions.RayActorError, self._ray.exceptions.NodeDiedError) as error:
            if job.attempt == TRIES:
                raise Unavailable(
                    f"{job.part.task.part.path}: its worker was lost {TRIES} times; the last time: {error}"
                ) from None
            jobs.appendleft(Job(job.part, job.attempt + 1))
            self._idle = deque(idle for idle in self._idle if idle != worker)
            if worker in self._workers:  # several of its parts fail at the same time; one of them replaces it
                self._workers.remove(worker)
                await self._start_worker()
            return
        self._unfinished -= 1
        self._count(spent)
        self._progress.advance(info.rows, info.rejected, info.incomplete)
        self._idle.append(worker)

    def _count(self, spent: dict[str, Counter[str]]) -> None:
        self._progress.at_once = len(self._workers)
        for name, new in spent.items():
            cost = self._meter.add(self._engines[name], new) if self._meter else 0.0
            self._progress.answered(new["calls"], new["tokens"], cost)

    async def _stop_workers(self) -> None:
        """Let the workers sync their answers and stop their engines, within CLOSE_SECONDS; then end them."""

        async def close(worker: Any) -> None:
            await worker.close.remote()

        if self._workers:
            closing = [asyncio.create_task(close(worker)) for worker in self._workers]
            await asyncio.wait(closing, timeout=CLOSE_SECONDS)
            for task in closing:
                task.cancel()
            await asyncio.gather(*closing, return_exceptions=True)
        for worker in self._workers:
            self._ray.kill(worker)
