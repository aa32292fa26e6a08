"""How many calls are under way at once: few at first, more while they are answered, fewer when the server refuses some.

A server may refuse above a number of calls at once or above a rate, and does not tell which or how much. Both are met by
one number, the limit, which need not be whole: of ceil(limit) slots each is kept a little longer than its call took, so
that the calls a second are those of exactly `limit` slots, also below one. After a refusal the limit is cut, and grows
back as TCP's CUBIC does (RFC 9438): fast up to where it was cut, slowly around there, then faster. A refused call keeps
its slot as long as an answered one would. It does not know of a limit in tokens; such a server refuses, too.
"""

import asyncio
import math
import time
from collections import deque

START = 32
CUT = 0.85
CUT_UNSETTLED = 0.5  # while the limit is far too high
BACK_SECONDS = 5.0  # from a cut to where it was made
COOL_DOWN = 1.0  # refusals this long after a cut are of calls sent before it; in calls: as long as two take
LEAST = 0.01


class Limiter:
    """`await acquire()`, then the call, then `release(…)` in the same event loop; at most `most` calls at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(min(START, most))
        self.in_use = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._seconds = 0.0  # what an answered call takes
        self._top = math.inf  # where the last cut was made; no cut yet: double every round
        self._cut_at = -math.inf
        self._grown = 0.0  # seconds that the server was kept busy since the cut
        self._seen = 0.0
        self._answered = True  # any since the last cut
        self._closed_until = 0.0

    async def acquire(self, first: bool = False) -> None:
        """Waits for a slot; a call that is tried again goes first."""
        if not self._waiting and self._free():
            self.in_use += 1
            return
        turn = asyncio.get_running_loop().create_future()
        (self._waiting.appendleft if first else self._waiting.append)(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif turn.done() and not turn.cancelled():
                self._give_back()
            raise

    def release(self, seconds: float, answered: bool, refused: bool = False, pause: float = 0.0) -> None:
        """A call took so long and was answered, refused for the load (429, 503; the server asks to `pause`), or neither."""
        now = time.monotonic()
        if answered:
            self._seconds = 0.9 * self._seconds + 0.1 * seconds if self._seconds else seconds
            self._answered = True
            self._grow(now)
        elif refused:
            self._shrink(now, pause)
        stretched = (self._seconds if refused else seconds) * max(1, math.ceil(self.limit)) / self.limit
        if stretched - seconds > 0.001:
            asyncio.get_running_loop().call_later(stretched - seconds, self._give_back)
        else:
            self._give_back()

    def _grow(self, now: float) -> None:
        since, self._seen = now - self._seen, now
        if self.in_use < 0.8 * self.limit or now - self._cut_at < self._cool_down():
            return
        self._grown += min(since, 1.0)
        if self._top == math.inf:
            self.limit = min(self.most, self.limit + 1)
        else:
            cubic = 1 + (1 - CUT) * (self._grown / BACK_SECONDS - 1) ** 3
            self.limit = min(self.most, max(self.limit, self._top * cubic))

    def _shrink(self, now: float, pause: float) -> None:
        if now - self._cut_at < self._cool_down():
            return
        if not self._answered:  # nothing gets through at all: no use in asking before the server says so
            self._closed_until = now + max(pause, self._cool_down())
            asyncio.get_running_loop().call_at(asyncio.get_running_loop().time() + self._closed_until - now, self._wake)
        settled = self._top < math.inf and self._grown > 0.5 * BACK_SECONDS
        self._top = self.limit if settled else self.limit * CUT_UNSETTLED / CUT
        self.limit = max(LEAST, self._top * CUT)
        self._cut_at, self._grown, self._answered = now, 0.0, False

    def _cool_down(self) -> float:
        return max(COOL_DOWN, 2 * self._seconds)

    def _free(self) -> bool:
        return self.in_use < math.ceil(self.limit) and time.monotonic() >= self._closed_until

    def _give_back(self) -> None:
        self.in_use -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self._free():
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_use += 1
                turn.set_result(None)
