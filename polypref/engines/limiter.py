"""The pace of calls to a server: more while it answers, fewer once it refuses some.

Until the first refusal the number of calls at once doubles every round, up to the most. A server may limit
calls at once or calls a second, and tells neither, so from the first refusal on calls start at an even pace:
it is cut by a fifth at a refusal and grows back at a constant percentage. Bursts are smoothed, and one call
in three seconds is as possible as a thousand in one. Limits in tokens are not known here; servers refuse
calls for them, too.
"""

import asyncio
import math
from collections import deque

START = 32  # calls at once
CUT = 0.8
# The way back from a cut to the pace before it takes BACK_SECONDS, or the time of BACK_CALLS calls if that is
# longer: every cut costs a refusal or two, which should stay under 2% of the calls.
BACK_SECONDS = 5.0
BACK_CALLS = 200
# Seconds after a cut, or the time of two calls if that is longer: refusals in it are of earlier calls.
COOL_DOWN = 1.0


class Limiter:
    """`await acquire()`, then the call, then `release(…)`, in one event loop; `most` calls at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = min(START, most)  # calls at once
        self.rate = math.inf  # calls a second
        self.in_use = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._next = 0.0  # when the next call may start
        self._timer: asyncio.TimerHandle | None = None
        self._call_seconds = 0.0  # what an answered call takes, on average
        self._answered = 0  # calls that started after the last cut
        self._cuts = 0
        self._cut_at = 0.0
        self._ignore_until = 0.0  # refusals until then say nothing new
        self._released_at = 0.0

    async def acquire(self, first: bool = False) -> None:
        """Wait for a call's turn; `first` puts it before the others, for calls that are tried again."""
        turn = asyncio.get_running_loop().create_future()
        if first:
            self._waiting.appendleft(turn)
        else:
            self._waiting.append(turn)
        self._start_calls()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting.remove(turn)
            else:  # it got its turn at the same moment
                self._finish_call()
            raise

    def release(self, seconds: float, answered: bool, refused: bool = False, pause: float = 0.0) -> None:
        """Record that a call ended after some seconds: answered, refused for load (429, 503), or neither.

        `pause` is how many seconds the server asks to wait.
        """
        now = asyncio.get_running_loop().time()
        if answered:
            self._call_seconds = 0.9 * self._call_seconds + 0.1 * seconds if self._call_seconds else seconds
            if now - seconds >= self._cut_at:
                self._answered += 1
            if self._waiting:
                self._grow(min(now - self._released_at, 1.0))
        elif refused and now >= self._ignore_until:
            self._cut(now, pause)
        self._released_at = now
        self._finish_call()

    def _grow(self, seconds: float) -> None:
        if self._cuts == 0:
            self.limit = min(self.most, self.limit + 1)
        elif self._cuts == 1:  # the first pace is a guess
            self.rate *= 2**seconds
        else:
            back = max(BACK_SECONDS, BACK_CALLS / self.rate)
            self.rate *= (1 / CUT) ** (seconds / back)

    def _cut(self, now: float, pause: float) -> None:
        if self._cuts == 0:
            self.rate = self.limit / (self._call_seconds or 1.0) / 2
            self.limit = self.most
        elif self._answered:
            self.rate *= CUT
        else:  # nothing gets through, so there is no use in asking before the server says so
            self._next = self._ignore_until = now + max(pause, COOL_DOWN)
            return
        self._cuts += 1
        self._cut_at, self._answered = now, 0
        self._ignore_until = now + max(COOL_DOWN, 2 * self._call_seconds)

    def _start_calls(self) -> None:
        """Give calls their turn while there is room; come back when the next one may start."""
        loop = asyncio.get_running_loop()
        while self._waiting and self.in_use < self.limit and loop.time() >= self._next:
            self.in_use += 1
            # Timers are late; calls make up for it, but in bursts of no more than a hundredth of a second.
            self._next = max(self._next, loop.time() - 0.01) + 1 / self.rate
            self._waiting.popleft().set_result(None)
        timer_is_set = self._timer is not None and self._timer.when() > loop.time()
        if self._waiting and self._next > loop.time() and not timer_is_set:
            self._timer = loop.call_at(self._next, self._start_calls)

    def _finish_call(self) -> None:
        self.in_use -= 1
        self._start_calls()
