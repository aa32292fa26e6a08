"""Keeps an engine full and asks nothing twice: requests go to the answer log first, then to the engine, then into the log."""

import asyncio
from collections.abc import Sequence

from cards.tables import hash16
from engines.base import Answer, Engine, InProcess, Request, Server
from store.answers import AnswerLog
from store.progress import Progress


class Pool:
    """One engine with its answer log, within one event loop."""

    def __init__(self, engine: Engine, log: AnswerLog, progress: Progress | None = None) -> None:
        self.engine, self.log, self.progress = engine, log, progress
        self._open: dict[str, asyncio.Task[None]] = {}  # requests in flight or waiting, by key

    @property
    def full(self) -> bool:
        """Whether there is work enough: an engine in this process takes one part at a time, a server twice what it has at once."""
        return not isinstance(self.engine, Server) or len(self._open) >= 2 * self.engine.concurrency

    async def ask(self, requests: Sequence[Request]) -> list[Answer | None]:
        """An answer a request, in their order; None where a call failed for now."""
        keys = [request.key(self.engine.fingerprint) for request in requests]
        unique = dict(zip(keys, requests, strict=True))
        if isinstance(self.engine, Server):
            await self._serve(self.engine, unique)
        else:
            self._compute(self.engine, unique)
        return [self._known(key) for key in keys]

    async def close(self) -> None:
        if isinstance(self.engine, Server):
            await self.engine.close()

    def _known(self, key: str) -> Answer | None:
        record = self.log.get(key)
        return Answer(**record) if record else None

    def _keep(self, answers: Sequence[tuple[str, Answer]]) -> None:
        self.log.add([(key, answer.record()) for key, answer in answers])
        if self.progress:
            self.progress.answered(len(answers), sum(answer.tokens for _, answer in answers))

    def _compute(self, engine: InProcess, unique: dict[str, Request]) -> None:
        """The plan is made from all requests, answered or not, so that a resumed run computes the same batches."""
        if all(key in self.log for key in unique):
            return
        keys, requests = list(unique), list(unique.values())
        for batch in engine.plan(requests):
            todo = [i for i in batch if keys[i] not in self.log]
            if todo:
                seed = int(hash16([keys[i] for i in todo])[:8], 16)
                answers = engine.answer([requests[i] for i in todo], seed)
                self._keep([(keys[i], answer) for i, answer in zip(todo, answers, strict=True)])

    async def _serve(self, server: Server, unique: dict[str, Request]) -> None:
        for key, request in unique.items():
            if key not in self.log and key not in self._open:
                self._open[key] = asyncio.create_task(self._one(server, key, request))
        tasks = [self._open[key] for key in unique if key in self._open]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            raise

    async def _one(self, server: Server, key: str, request: Request) -> None:
        try:
            answer = await server.generate(request)
            if answer is not None:
                self._keep([(key, answer)])
        finally:
            self._open.pop(key, None)


def answers(engine: Engine, requests: Sequence[Request], log: AnswerLog, progress: Progress | None = None) -> list[Answer | None]:
    """Asks a list of requests and waits: for callers without parts, such as eval. In the order of the requests."""

    async def ask() -> list[Answer | None]:
        pool = Pool(engine, log, progress)
        try:
            return await pool.ask(requests)
        finally:
            await pool.close()

    return asyncio.run(ask())
