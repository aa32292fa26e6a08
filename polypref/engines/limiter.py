"""How many calls are under way at once: few at first, more while they are answered, fewer when the server refuses some.

Until a server refuses, the number doubles every round, up to the most. A server may refuse above a number of calls at
once or above a rate, and does not tell which or how much; from its first refusal on, calls start at an even pace, whose
rate is what adapts: bursts are smoothed, and one call in three seconds is as possible as a thousand in one. At a refusal
the rate is cut to below what was answered on average since the last cut: a server that lets bursts pass has answered no
more than it allows by then. From there it grows as TCP's CUBIC does (RFC 9438): fast up to the top, slowly around it,
then faster. It does not know of a limit in tokens; such a server refuses, too.
"""

import asyncio
import math
from collections import deque

START = 32
CUT = 0.85
MEAN = 1 - (1 - CUT) / 4  # the mean rate from a cut to the top, as a share of the top
BACK_SECONDS = (
    5.0  # from a cut to the top, or as long as BACK_CALLS calls take: a cycle costs a refusal or two
)
BACK_CALLS = 100
BACK_MOST = 200.0
COOL_DOWN = 1.0  # refusals so soon after a cut, or within the time of two calls, are of calls sent before it


class Limiter:
    """`await acquire()`, then the call, then `release(…)` in the same event loop; at most `most` calls at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = min(START, most)  # calls at once
        self.rate = math.inf  # calls a second
        self.in_use = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._seconds = 0.0  # what an answered call takes
        self._top = math.inf
        self._measured = False  # whether the top is, or a guess
        self._cut_at = -math.inf
        self._answered = 0  # since the cut
        self._grown = 0.0  # seconds since the cut in which calls waited
        self._seen = 0.0
        self._closed_until = 0.0
        self._next = 0.0  # when the next call may start
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, first: bool = False) -> None:
        """Waits for a slot; a call that is tried again goes first."""
        if not self._waiting and self._free():
            self._take()
            return
        turn = asyncio.get_running_loop().create_future()
        (self._waiting.appendleft if first else self._waiting.append)(turn)
        self._wake()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting.remove(turn)
            else:
                self._give_back()
            raise

    def release(self, seconds: float, answered: bool, refused: bool = False, pause: float = 0.0) -> None:
        """A call took so long and was answered, refused for the load (429, 503; the server asks to `pause`), or neither."""
        now = asyncio.get_running_loop().time()
        since, self._seen = min(now - self._seen, 1.0), now
        cooled = now - self._cut_at > max(COOL_DOWN, 2 * self._seconds)
        if answered:
            self._seconds = 0.9 * self._seconds + 0.1 * seconds if self._seconds else seconds
            self._answered += 1
            if self._waiting:
                self._grow(since)
        elif refused and cooled and now >= self._closed_until:
            self._shrink(now, pause)
        self._give_back()

    def _grow(self, since: float) -> None:
        if self._top == math.inf:
            self.limit = min(self.most, self.limit + 1)
            return
        if not self._measured:
            self.rate *= 2**since
            return
        self._grown += since
        beyond = self._grown / min(BACK_MOST, max(BACK_SECONDS, BACK_CALLS / self._top)) - 1
        self.rate = max(self.rate, self._top * (1 + (1 - CUT if beyond < 0 else 1.0) * beyond**3))

    def _shrink(self, now: float, pause: float) -> None:
        if self._top == math.inf:
            self._top, self.limit = self.limit / (self._seconds or 1.0) / 2, self.most
        elif self._answered:
            self._top = min(self.rate, max(self._answered / (now - self._cut_at) / MEAN, self.rate / 2))
            self._measured = True
        else:  # nothing gets through: no use in asking before the server says so
            self._next = self._closed_until = now + max(pause, COOL_DOWN)
            return
        self.rate = self._top * CUT
        self._cut_at, self._answered, self._grown = now, 0, 0.0

    def _free(self) -> bool:
        return self.in_use < self.limit and asyncio.get_running_loop().time() >= self._next

    def _take(self) -> None:
        self.in_use += 1
        self._next = max(self._next, asyncio.get_running_loop().time() - 0.01) + 1 / self.rate

    def _give_back(self) -> None:
        self.in_use -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self._free():
            self._take()
            self._waiting.popleft().set_result(None)
        loop = asyncio.get_running_loop()
        if (
            self._waiting
            and self._next > loop.time()
            and (self._timer is None or self._timer.when() <= loop.time())
        ):
            self._timer = loop.call_at(self._next, self._wake)
