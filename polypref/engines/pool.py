"""Pools keep engines full and ask nothing twice: only what the answer log does not know reaches an engine."""

import asyncio
from abc import ABC, abstractmethod
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from polypref.engines.base import Answer, Engine, Failure, InProcessEngine, Request, ServerEngine
from polypref.engines.budget import Meter
from polypref.engines.doubts import Doubts
from polypref.progress import Progress
from polypref.schemas import hash16
from polypref.store.answers import AnswerLog
from polypref.store.workdir import Workdir

DOUBT_SECONDS = 1.0  # for other parts to ask, before so few failed calls stop a run


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """Options of all pools of a run. `progress` and `meter` count the answers.

    A call to a server that failed for now has no answer; with `accept_failures` its failure is kept as its
    answer. With `retry_failures`, what earlier runs kept as failures is asked once more.
    """

    progress: Progress | None = None
    meter: Meter | None = None
    accept_failures: bool = False
    retry_failures: bool = False


class Pool(ABC):
    """One engine with its answer log, in one event loop. `any_order` as in `Answerer`."""

    any_order: bool

    def __init__(self, engine: Engine, log: AnswerLog, options: PoolOptions) -> None:
        self.engine, self.log, self.options = engine, log, options
        self._asked: set[str] = set()  # keys that this run has asked, with `retry_failures`
        self.spent: Counter[str] = Counter()  # calls, tokens and prompt_tokens of the answers that it added
        if options.meter:
            options.meter.begin(engine, log)

    async def ask(self, requests: Sequence[Request]) -> list[Answer | None]:
        """Return the answers in the order of the requests; None for a call that failed for now.

        Raises BudgetReached; what is in flight then is kept.
        """
        keys = [request.key(self.engine.fingerprint) for request in requests]
        while True:
            await self._answer(dict(zip(keys, requests, strict=True)))
            damaged = len(self.log.damaged)
            records = [self.log.get(key) for key in keys]
            if len(self.log.damaged) == damaged:
                break
            # Reading has met lines that are damaged: their answers are asked again.
        return [Answer(**record) if record else None for record in records]

    def _is_known(self, key: str) -> bool:
        """Tell whether the log holds an answer to a request that is not to be asked again."""
        if not self.options.retry_failures or key in self._asked:
            return key in self.log
        return key in self.log and not self.log.is_failure(key)

    @abstractmethod
    async def _answer(self, requests: Mapping[str, Request]) -> None:
        """Put those requests, by their keys, to the engine that are not in the log."""

    @abstractmethod
    async def room(self) -> None:
        """Return once another part could make progress."""

    @abstractmethod
    async def close(self) -> None: ...

    def _keep(self, answers: Sequence[tuple[str, Answer]]) -> None:
        if not answers:
            return
        self.log.add([(key, answer.record()) for key, answer in answers])
        if self.options.retry_failures:
            self._asked.update(dict(answers))
        tokens = sum(answer.tokens for _, answer in answers)
        prompt_tokens = sum(answer.prompt_tokens for _, answer in answers)
        spent = {"calls": len(answers), "tokens": tokens, "prompt_tokens": prompt_tokens}
        self.spent.update(spent)
        cost = self.options.meter.add(self.engine, spent) if self.options.meter else 0.0
        if self.options.progress:
            self.options.progress.answered(len(answers), tokens, cost)


class InProcessPool(Pool):
    """An engine in this process. It computes in a thread, so that calls to servers go on meanwhile."""

    any_order = False
    engine: InProcessEngine

    def __init__(self, engine: InProcessEngine, log: AnswerLog, options: PoolOptions) -> None:
        super().__init__(engine, log, options)
        # Parts are computed one after the other, in the order in which they ask. So a request of two parts is
        # always computed with the first one, also after a kill, and every batch is the same again.
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, engine.name)

    async def _answer(self, requests: Mapping[str, Request]) -> None:
        """Plan batches from all requests, answered or not, so that a resumed run repeats them."""
        async with self._turn:
            if all(map(self._is_known, requests)):
                return
            keys, loop = list(requests), asyncio.get_running_loop()
            plan = await loop.run_in_executor(self._thread, self.engine.plan, list(requests.values()))
            for batch in plan:
                missing = [keys[position] for position in batch if not self._is_known(keys[position])]
                if not missing:
                    continue
                if self.options.meter:
                    self.options.meter.check(self.engine, len(missing))
                seed = int(hash16(missing)[:8], 16)  # 32 bits, the same for the same batch
                asked = [requests[key] for key in missing]
                answers = await loop.run_in_executor(self._thread, self.engine.answer, asked, seed)
                self._keep(list(zip(missing, answers, strict=True)))

    async def room(self) -> None:
        async with self._turn:
            pass

    async def close(self) -> None:
        self._thread.shutdown(wait=False)


class ServerPool(Pool):
    """A server, sent as many requests at once as it takes and the budget allows."""

    any_order = True
    engine: ServerEngine

    def __init__(self, engine: ServerEngine, log: AnswerLog, options: PoolOptions) -> None:
        super().__init__(engine, log, options)
        self._queue: deque[tuple[str, Request]] = deque()
        self._open: dict[str, asyncio.Future[None]] = {}  # requests in the queue or in flight, by key
        self._workers: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._doubts = Doubts(engine.name, log.successes > 0, options.accept_failures)
        if options.progress:
            engine.on_wait = options.progress.wait
        self._error: Exception | None = None  # the first one, which stops the pool
        self._has_room = asyncio.Event()
        self._has_room.set()

    async def _answer(self, requests: Mapping[str, Request]) -> None:
        if self._error:
            raise self._error
        loop = asyncio.get_running_loop()
        for key, request in requests.items():
            if key not in self._open and not self._is_known(key):
                self._open[key] = loop.create_future()
                self._queue.append((key, request))
        waiting = [self._open[key] for key in requests if key in self._open]
        self._update_room()
        self._start_workers()
        await asyncio.gather(*waiting)

    async def room(self) -> None:
        await self._has_room.wait()

    def _update_room(self) -> None:
        """There is room while less than twice as many requests are open as the server takes at once."""
        if self._error or len(self._open) - len(self._doubts.held) < 2 * self.engine.concurrency:
            self._has_room.set()
        else:
            self._has_room.clear()

    def _start_workers(self) -> None:
        wanted = min(self.engine.concurrency, self._in_flight + len(self._queue))
        while len(self._workers) < wanted and self._is_affordable(len(self._workers) + 1):
            self._workers.add(asyncio.get_running_loop().create_task(self._work()))

    def _is_affordable(self, calls: int) -> bool:
        """Tell whether so many calls may be under way; near the end of a budget it is fewer.

        One call always may: it finds the budget used up.
        """
        meter = self.options.meter
        return calls == 1 or meter is None or meter.affords(self.engine, calls)

    async def _work(self) -> None:
        """Send one request after the other. On error, fail every waiting caller."""
        try:
            while not self._error:
                try:
                    if self._queue and self._is_affordable(self._in_flight + 1):
                        await self._send(*self._queue.popleft())
                    elif self._is_in_doubt():
                        await self._settle_doubts()
                    else:
                        break
                except Exception as error:
                    self._error = self._error or error
                self._start_workers()
        finally:
            self._workers.remove(asyncio.current_task())  # type: ignore[arg-type]
        if self._error:
            for waiting in self._open.values():
                if not waiting.done():
                    waiting.set_exception(self._error)
            self._update_room()

    async def _send(self, key: str, request: Request) -> None:
        progress, meter = self.options.progress, self.options.meter
        if meter:
            meter.check(self.engine, self._in_flight + 1)
        self._in_flight += 1
        if progress:
            progress.at_once = self._in_flight
        try:
            outcome = await self.engine.generate(request)
        finally:
            self._in_flight -= 1
        if progress and isinstance(outcome, Failure):
            progress.failed(outcome.reason)
        answers = self._doubts.judge(key, outcome)
        self._keep(answers)
        if key not in self._doubts.held:
            self._close_requests({key, *dict(answers)})
        self._update_room()

    def _is_in_doubt(self) -> bool:
        """Tell whether calls are held back, and no other call will tell whose fault they are."""
        return bool(self._doubts.held) and not self._queue and not self._in_flight

    async def _settle_doubts(self) -> None:
        """Decide about the calls that are held back, unless another part asks soon."""
        if not self._doubts.is_settled:
            await asyncio.sleep(DOUBT_SECONDS)
        if self._is_in_doubt():
            answers = self._doubts.finish()
            self._keep(answers)
            self._close_requests(dict(answers))
            self._update_room()

    def _close_requests(self, keys: Iterable[str]) -> None:
        """Let the parts that wait for these requests go on."""
        for key in keys:
            waiting = self._open.pop(key)
            if not waiting.done():
                waiting.set_result(None)

    async def close(self) -> None:
        workers = list(self._workers)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await self.engine.close()


class Pools:
    """The engines of a stage, by the name that `Request.engine` gives; the first, "", is the main one."""

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        self.pools = dict(pools)
        self.any_order = next(iter(self.pools.values())).any_order

    async def room(self) -> None:
        """Return once the main engine has room for another part; the other engines follow it."""
        await next(iter(self.pools.values())).room()

    async def ask(self, requests: Sequence[Request]) -> list[Answer | None]:
        """Ask all engines at once, each its own requests; return the answers in the order of the requests."""
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


def open_pool(engine: Engine, log: AnswerLog, options: PoolOptions = PoolOptions()) -> Pool:
    """Open the pool for an engine."""
    if isinstance(engine, ServerEngine):
        return ServerPool(engine, log, options)
    return InProcessPool(engine, log, options)


def open_pools(engines: Mapping[str, Engine], workdir: Workdir, options: PoolOptions) -> Pools:
    """Open a pool for each engine of a stage, with its answer log in the work dir."""
    pools = {}
    for name, engine in engines.items():
        pools[name] = open_pool(engine, workdir.open_log(engine.fingerprint), options)
    return Pools(pools)


def ask_engine(engine: Engine, requests: Sequence[Request], log: AnswerLog) -> list[Answer | None]:
    """Ask a list of requests and wait for the answers, in their order: for callers without parts."""
    return ask_in_groups(engine, [requests], log)[0]


def ask_in_groups(
    engine: Engine, groups: Sequence[Sequence[Request]], log: AnswerLog, progress: Progress | None = None
) -> list[list[Answer | None]]:
    """Ask groups of requests, such as a language each, and wait for the answers.

    Every request counts as a row. An engine in this process plans batches for each group by itself, so that
    no group changes another one's answers. A server is asked all at once.
    """

    async def ask(pool: Pool, requests: Sequence[Request]) -> list[Answer | None]:
        answers = await pool.ask(requests)
        if progress:
            progress.advance(len(answers), {}, answers.count(None))
        return answers

    async def ask_all() -> list[list[Answer | None]]:
        pool = open_pool(engine, log, PoolOptions(progress))
        try:
            return await asyncio.gather(*(ask(pool, requests) for requests in groups))
        finally:
            await pool.close()

    return asyncio.run(ask_all())
