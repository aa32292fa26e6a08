"""Keeps an engine full and asks nothing twice: requests go to the answer log first, then to the engine, then into the log."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence

from polypref.engines.base import Answer, Engine, Failure, InProcessEngine, Request, Server
from polypref.engines.budget import Meter
from polypref.progress import Progress
from polypref.schemas import hash16
from polypref.store.answers import AnswerLog
from polypref.store.workdir import Workdir


class Pool:
    """One engine with its answer log, within one event loop.

    A call that failed for now is answered by None; with `accept_failures` it is kept as a failure for good.
    """

    def __init__(
        self,
        engine: Engine,
        log: AnswerLog,
        progress: Progress | None = None,
        meter: Meter | None = None,
        accept_failures: bool = False,
    ) -> None:
        self.engine, self.log, self.progress, self.meter, self.accept_failures = (
            engine,
            log,
            progress,
            meter,
            accept_failures,
        )
        self.spent: Counter[str] = (
            Counter()
        )  # calls, tokens and prompt_tokens of the answers that this pool added
        self._queue: deque[tuple[str, Request]] = deque()
        self._open: dict[str, asyncio.Future[None]] = {}  # requests in flight or waiting, by key
        self._workers: set[asyncio.Task[None]] = set()
        self._alive = self._in_flight = 0
        self._stopped: Exception | None = None
        self._closed: asyncio.Future[None] | None = None  # who waits for room
        if meter:
            meter.begin(engine, log)

    async def room(self) -> None:
        """Returns when less than twice of what a server takes at once is open. An engine in this process works while it is asked."""
        if isinstance(self.engine, Server):
            while len(self._open) >= 2 * self.engine.concurrency and not self._stopped:
                self._closed = asyncio.get_running_loop().create_future()
                await self._closed

    async def ask(self, requests: Sequence[Request]) -> list[Answer | None]:
        """An answer a request, in their order; None where a call failed for now. Raises BudgetReached, what is in flight kept."""
        keys = [request.key(self.engine.fingerprint) for request in requests]
        unique = dict(zip(keys, requests, strict=True))
        if isinstance(self.engine, Server):
            await self._serve(self.engine, unique)
        else:
            self._compute(self.engine, unique)
        return [self._known(key) for key in keys]

    async def close(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        if isinstance(self.engine, Server):
            await self.engine.close()

    def _known(self, key: str) -> Answer | None:
        record = self.log.get(key)
        return Answer(**record) if record else None

    def _keep(self, answers: Sequence[tuple[str, Answer]]) -> None:
        self.log.add([(key, answer.record()) for key, answer in answers])
        tokens = sum(answer.tokens for _, answer in answers)
        prompt_tokens = sum(answer.prompt_tokens for _, answer in answers)
        self.spent.update(calls=len(answers), tokens=tokens, prompt_tokens=prompt_tokens)
        cost = 0.0
        if self.meter:
            cost = self.meter.add(self.engine, len(answers), tokens, prompt_tokens)
        if self.progress:
            self.progress.answered(len(answers), tokens, cost)

    def _compute(self, engine: InProcessEngine, unique: dict[str, Request]) -> None:
        """The plan is made from all requests, answered or not, so that a resumed run computes the same batches."""
        if all(key in self.log for key in unique):
            return
        keys, requests = list(unique), list(unique.values())
        for batch in engine.plan(requests):
            todo = [i for i in batch if keys[i] not in self.log]
            if todo:
                if self.meter:
                    self.meter.check(engine, len(todo))
                seed = int(hash16([keys[i] for i in todo])[:8], 16)
                answers = engine.answer([requests[i] for i in todo], seed)
                self._keep([(keys[i], answer) for i, answer in zip(todo, answers, strict=True)])

    async def _serve(self, server: Server, unique: dict[str, Request]) -> None:
        if self._stopped:
            raise self._stopped
        loop = asyncio.get_running_loop()
        for key, request in unique.items():
            if key not in self.log and key not in self._open:
                self._open[key] = loop.create_future()
                self._queue.append((key, request))
        waiting = [self._open[key] for key in unique if key in self._open]
        self._hire(server)
        await asyncio.gather(*waiting)

    def _hire(self, server: Server) -> None:
        """Starts workers, as many as the server, the queue and the budget have work for."""
        while self._alive < min(server.concurrency, self._in_flight + len(self._queue)) and self._affords(
            server, self._alive + 1
        ):
            self._alive += 1
            worker = asyncio.get_running_loop().create_task(self._work(server))
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    def _affords(self, server: Server, calls: int) -> bool:
        """Near the end of a budget fewer calls are under way; the last one finds it used up."""
        return calls == 1 or self.meter is None or self.meter.affords(server, calls)

    async def _work(self, server: Server) -> None:
        """Takes one request after the other. An error is everybody's who waits."""
        try:
            while self._queue and not self._stopped and self._affords(server, self._in_flight + 1):
                key, request = self._queue.popleft()
                try:
                    await self._one(server, key, request)
                except Exception as error:
                    self._stopped = self._stopped or error
                self._hire(server)
        finally:
            self._alive -= 1
        if self._stopped:
            for waiting in self._open.values():
                if not waiting.done():
                    waiting.set_exception(self._stopped)
            self._wake()

    async def _one(self, server: Server, key: str, request: Request) -> None:
        if self.meter:
            self.meter.check(server, self._in_flight + 1)
        self._in_flight += 1
        try:
            if self.progress:
                self.progress.at_once = self._in_flight
            answer = await server.generate(request)
        finally:
            self._in_flight -= 1
        if isinstance(answer, Failure) and self.accept_failures:
            answer = Answer(finish_reason="error", error=answer.reason)
        if isinstance(answer, Answer):
            self._keep([(key, answer)])
        elif self.progress:
            self.progress.failed(answer.reason)
        waiting = self._open.pop(key)
        if not waiting.done():
            waiting.set_result(None)
        self._wake()

    def _wake(self) -> None:
        if self._closed is None or self._closed.done():
            return
        if self._stopped or self._has_room():
            self._closed.set_result(None)

    def _has_room(self) -> bool:
        return not isinstance(self.engine, Server) or len(self._open) < 2 * self.engine.concurrency


class Pools:
    """The engines of one stage, by the name that `Request.engine` gives; the first is the main one, "" by custom."""

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        self.pools = dict(pools)

    async def room(self) -> None:
        """Return once the main engine has room for another part; the others are asked about what it answered."""
        await next(iter(self.pools.values())).room()

    async def ask(self, requests: Sequence[Request]) -> list[Answer | None]:
        """Put each request to its engine, all engines at once; return the answers in the order of the requests."""
        positions: dict[str, list[int]] = defaultdict(list)
        for position, request in enumerate(requests):
            positions[request.engine].append(position)
        asked = []
        for name, own in positions.items():
            asked.append(self.pools[name].ask([requests[position] for position in own]))
        answers: list[Answer | None] = [None] * len(requests)
        for own, given in zip(positions.values(), await asyncio.gather(*asked), strict=True):
            for position, answer in zip(own, given, strict=True):
                answers[position] = answer
        return answers

    async def close(self) -> None:
        for pool in self.pools.values():
            await pool.close()


def open_pools(
    engines: Mapping[str, Engine],
    workdir: Workdir,
    progress: Progress | None = None,
    meter: Meter | None = None,
    accept_failures: bool = False,
) -> Pools:
    """Open a pool for each engine of a stage, with its answer log in the work dir."""
    pools = {}
    for name, engine in engines.items():
        log = workdir.open_log(engine.fingerprint)
        pools[name] = Pool(engine, log, progress, meter, accept_failures)
    return Pools(pools)


def ask_engine(
    engine: Engine,
    requests: Sequence[Request],
    log: AnswerLog,
    progress: Progress | None = None,
    meter: Meter | None = None,
) -> list[Answer | None]:
    """Asks a list of requests and waits: for callers without parts. In the order of the requests."""
    return ask_in_groups(engine, [requests], log, progress, meter)[0]


def ask_in_groups(
    engine: Engine,
    groups: Sequence[Sequence[Request]],
    log: AnswerLog,
    progress: Progress | None = None,
    meter: Meter | None = None,
) -> list[list[Answer | None]]:
    """Asks groups of requests of which each is planned by itself, such as a language each; a server is asked all at once."""

    async def ask(pool: Pool, requests: Sequence[Request]) -> list[Answer | None]:
        given = await pool.ask(requests)
        if progress:
            progress.advance(len(given), {}, given.count(None))
        return given

    async def ask_all() -> list[list[Answer | None]]:
        pool = Pool(engine, log, progress, meter)
        try:
            return await asyncio.gather(*(ask(pool, requests) for requests in groups))
        finally:
            await pool.close()

    return asyncio.run(ask_all())
