"""The limiter in simulated time, with servers that refuse: how much is used, and how much is refused."""

import asyncio
import selectors
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from polypref.engines.limiter import Limiter


class Skipping(selectors.SelectSelector):
    """Time passes at once whenever the loop would wait."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.now += timeout or 0.0
        return []


def simulate(main: Callable[[], Any]) -> None:
    skipping = Skipping()
    loop = asyncio.SelectorEventLoop(skipping)
    loop.time = lambda: skipping.now  # type: ignore[method-assign]
    try:
        loop.run_until_complete(main())
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


@dataclass
class Server:
    """A server that allows `rate` calls a second, saved up for at most `burst` seconds, or `slots` at once.

    It refuses everything from the first time of `away` to the second.
    """

    rate: float = 0.0
    burst: float = 1.0
    slots: int = 0
    latency: float = 0.2
    tail: bool = False
    away: tuple[float, float] = (0.0, 0.0)
    tokens: float = 0.0
    filled: float = 0.0
    in_flight: int = 0
    log: list[tuple[float, bool]] = field(default_factory=list)
    draws: Random = field(default_factory=lambda: Random(1))

    def allows(self, now: float) -> bool:
        if self.away[0] <= now < self.away[1]:
            return False
        if self.rate:
            self.tokens = min(self.rate * self.burst, self.tokens + (now - self.filled) * self.rate)
            self.filled = now
            if self.tokens < 1:
                return False
            self.tokens -= 1
        return not self.slots or self.in_flight < self.slots

    async def call(self) -> bool:
        now = asyncio.get_running_loop().time()
        allowed = self.allows(now)
        self.log.append((now, allowed))
        if not allowed:
            await asyncio.sleep(0.001)
            return False
        self.in_flight += 1
        await asyncio.sleep(self.latency * (self.draws.lognormvariate(-0.5, 1.0) if self.tail else 1.0))
        self.in_flight -= 1
        return True

    def answered(self, start: float, end: float) -> float:
        """Answers a second."""
        return sum(allowed for at, allowed in self.log if start <= at < end) / (end - start)

    def refused(self, start: float, end: float) -> float:
        """Refused calls as a share of all."""
        calls = [allowed for at, allowed in self.log if start <= at < end]
        return calls.count(False) / len(calls)


def drive(server: Server, seconds: float, most: int = 200) -> Limiter:
    """As many clients as wanted ask for `seconds`; a refused one waits a little and asks again."""
    limiters: list[Limiter] = []

    async def client(limiter: Limiter) -> None:
        loop, again = asyncio.get_running_loop(), False
        while loop.time() < seconds:
            await limiter.acquire(first=again)
            began = loop.time()
            answered = await server.call()
            limiter.release(loop.time() - began, answered, not answered)
            again = not answered
            if again:
                await asyncio.sleep(0.5)

    async def main() -> None:
        limiters.append(Limiter(most))
        await asyncio.gather(*(client(limiters[0]) for _ in range(most)))

    simulate(main)
    return limiters[0]


@pytest.mark.parametrize("tail", [False, True])
@pytest.mark.parametrize("burst", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("rate", [5.0, 50.0, 300.0])
def test_a_rate_that_is_not_told_is_found_and_kept(rate: float, burst: float, tail: bool) -> None:
    server = Server(rate=rate, burst=max(burst, 2 / rate), tail=tail)
    drive(server, 120)
    assert server.answered(60, 120) > 0.85 * rate
    assert server.refused(60, 120) < 0.02


@pytest.mark.parametrize("slots", [3, 50])
def test_a_number_of_calls_at_once_is_found_and_kept(slots: int) -> None:
    server = Server(slots=slots)
    drive(server, 120)
    assert server.answered(60, 120) > 0.85 * slots / 0.2
    assert server.refused(60, 120) < 0.02


def test_without_refusals_all_calls_allowed_are_soon_made() -> None:
    server = Server()
    assert drive(server, 3).limit == 200
    assert server.answered(1, 3) > 0.99 * 200 / 0.2


def test_a_server_that_was_away_is_asked_little_meanwhile_and_fully_soon_after() -> None:
    server = Server(away=(20, 50), slots=100)
    drive(server, 120)
    assert server.answered(20, 50) == 0
    assert sum(20 <= at < 50 for at, _ in server.log) < 30 * 20
    assert server.answered(70, 120) > 0.7 * 100 / 0.2


def test_calls_tried_again_go_first_and_one_that_is_cancelled_gives_its_turn_back() -> None:
    order: list[str] = []

    async def main() -> None:
        limiter = Limiter(1)
        await limiter.acquire()

        async def turn(name: str, first: bool) -> None:
            await limiter.acquire(first)
            order.append(name)
            limiter.release(0.0, True)

        tasks = [
            asyncio.create_task(turn(name, name == "again")) for name in ("new", "gone", "newer", "again")
        ]
        await asyncio.sleep(0)
        tasks[1].cancel()
        limiter.release(0.0, True)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert limiter.in_use == 0

    simulate(main)
    assert order == ["again", "new", "newer"]
