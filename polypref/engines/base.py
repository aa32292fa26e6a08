"""What is asked and what comes back, the same for every engine."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, runtime_checkable

from polypref.schemas import Message, hash32


@dataclass(frozen=True, slots=True)
class Request:
    """One question to an engine.

    A generator answers `messages`; a translator translates the one message from `source` to `target` (FLORES codes);
    a reward model scores `messages`, whose last one is the completion. `sample` tells draws of one prompt apart.
    `engine` names which of a stage's engines answers, "" its main one; it is no part of the key.
    """

    messages: Sequence[Message]
    sample: int = 0
    source: str = ""
    target: str = ""
    engine: str = ""

    def key(self, fingerprint: str) -> str:
        """The request's key in the answer log of the engine with this fingerprint."""
        return hash32(
            [
                fingerprint,
                [[m["role"], m["content"]] for m in self.messages],
                self.sample,
                self.source,
                self.target,
            ]
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine said: a text or a score, or why there will never be one (`error`)."""

    text: str = ""
    finish_reason: str = "stop"  # "stop", "length", or "error"
    tokens: int = 0
    score: float | None = None
    error: str | None = None
    prompt_tokens: int = 0

    def record(self) -> dict[str, Any]:
        """What differs from an empty answer, for the log: `Answer(**record)` is the answer again."""
        return {
            field.name: value
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that failed for now, and why: its row waits for the next run."""

    reason: str


class InProcessEngine(Protocol):
    """An engine in this process: batches are planned before the first answer, so that a resumed run repeats them exactly."""

    name: str
    fingerprint: str

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """Batches of positions in `requests`; depends on the requests alone."""

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        """An answer a request, in the order of the batch."""


@runtime_checkable
class Server(Protocol):
    """An engine behind a socket: many requests at once, in any order."""

    name: str
    fingerprint: str
    concurrency: int

    async def generate(self, request: Request) -> Answer | Failure:
        """The answer, or why the call failed for now. Raises InputError where no call can succeed."""

    async def close(self) -> None: ...


Engine = InProcessEngine | Server


def batches_by_length(requests: Sequence[Request], lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Positions in batches of like length, the longest first; rows x longest stays within `budget`, save for a row over it alone."""
    order = sorted(range(len(requests)), key=lambda i: (-lengths[i], requests[i].key("")))
    batches: list[list[int]] = []
    for i in order:
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches
