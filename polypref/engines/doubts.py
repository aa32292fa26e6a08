"""Whose fault a failed call is: its row's, the set-up's, or that of a server that is away.

One failed call does not tell. The first ones are held back until another call succeeds, which shows that the
set-up is right, or until so many have failed that it is not. Nothing that is held back is kept as an answer.
"""

import re

from polypref.engines.base import Answer, Failure, Outcome, Rejection
from polypref.errors import InputError, Unavailable

SAME = 8  # rejections in the same words, after which the set-up is at fault
LOST = 64  # calls in a row of which none succeeded

# The setting that a server's words ask to change; the first pattern that fits.
ADVICE = {
    r"max_completion_tokens": "set `rename: {max_tokens: max_completion_tokens}`",
    r"temperature.*top_p|top_p.*temperature": "set `drop: [top_p]`",
    r"temperature": "set `drop: [temperature]`",
    r"top_p": "set `drop: [top_p]`",
    r"\bseed\b": "set `drop: [seed]`",
    r"system (role|message|prompt)|role\W+(system|developer)|(system|developer) instr|must alternate": (
        "set `system_as_user: true`"
    ),
    r"api.?key|credential": "check `key_env`",
    r"only (reasoning|thinking)|was thinking": (
        "raise `sampling.max_tokens`, or switch thinking off by `extra_body`"
    ),
    r"context|too long|too large|max_tokens|max_model_len": "lower `sampling.max_tokens`",
    r"model": "check `model`",
}


class Doubts:
    """The verdicts on an engine's calls in one run.

    `works`: an earlier run has had answers. With `accept_failures` calls that fail for now are answers, too,
    and no number of rejected rows stops the run.
    """

    def __init__(self, name: str, works: bool, accept_failures: bool) -> None:
        self.name, self._works, self._accept_failures = name, works, accept_failures
        self.held: dict[str, Rejection | Failure] = {}  # by the key of the request
        self._responds = works
        self._lost = 0  # calls in a row that failed for now

    def judge(self, key: str, outcome: Outcome) -> list[tuple[str, Answer]]:
        """Return what is to be kept now that a call has ended so.

        Raises InputError if the set-up is at fault, Unavailable if the server is away.
        """
        match outcome:
            case Answer():
                self._works = self._responds = True
                self._lost = 0
                return [*self._release(), (key, outcome)]
            case Rejection():
                self._responds, self._lost = True, 0
                self.held[key] = outcome
                if self._accept_failures or (self._works and not outcome.forbidden):
                    return self._release()
                self._check_set_up()
            case Failure():
                self._count_lost(outcome)
                if self._accept_failures:
                    self.held[key] = outcome
                    if not outcome.away:
                        self._responds = True
                        return self._release()
        return []

    @property
    def is_settled(self) -> bool:
        """True if the calls held back are known to be their rows' fault."""
        return self._works or (self._accept_failures and self._responds)

    def finish(self) -> list[tuple[str, Answer]]:
        """Return what is to be kept of the calls held back, as no other call is going to tell.

        Raises InputError or Unavailable if nothing has succeeded.
        """
        if self.is_settled:
            return self._release()
        if self._accept_failures:
            raise self._unavailable(self._reasons()[-1])
        raise self._set_up_error()

    def _release(self) -> list[tuple[str, Answer]]:
        """Return the calls held back as the failures of their rows."""
        answers = []
        for key, outcome in self.held.items():
            rejection = outcome if isinstance(outcome, Rejection) else Rejection(outcome.reason)
            answers.append((key, rejection.as_answer()))
        self.held = {}
        return answers

    def _reasons(self) -> list[str]:
        return [outcome.reason for outcome in self.held.values()]

    def _check_set_up(self) -> None:
        reasons = self._reasons()
        if len(reasons) >= LOST or (not self._works and reasons.count(reasons[-1]) >= SAME):
            raise self._set_up_error()

    def _set_up_error(self) -> InputError:
        reason = self._reasons()[-1]
        advice = "check the engine's settings"
        for pattern, setting in ADVICE.items():
            if re.search(pattern, reason, re.IGNORECASE):
                advice = setting
                break
        calls = f"the last {len(self.held)} calls all" if len(self.held) > 1 else "the call"
        return InputError(
            f"{self.name}: {calls} failed: {reason}; {advice}, or if only the rows are at fault, "
            "keep them as failures with --accept-failures"
        )

    def _count_lost(self, failure: Failure) -> None:
        if self._accept_failures and not failure.away:
            self._lost = 0
            return
        self._lost += 1
        if self._lost >= LOST:
            raise self._unavailable(f"the last {LOST} calls all failed: {failure.reason}")

    def _unavailable(self, reason: str) -> Unavailable:
        return Unavailable(f"{self.name}: {reason}; run again when it is back")
