"""Requests and answers, the same for every engine, and the two kinds of engines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, runtime_checkable

from polypref.schemas import Message, hash32


@dataclass(frozen=True, slots=True)
class Request:
    """One question to an engine.

    A generator answers `messages`; a translator translates the one message from `source` to `target` (FLORES
    codes); a reward model scores `messages`, of which the last one is the completion. `sample` tells draws of
    one prompt apart. `engine` names the engine of the stage that answers, "" its main one; it is no part of
    the key.
    """

    messages: Sequence[Message]
    sample: int = 0
    source: str = ""
    target: str = ""
    engine: str = ""

    def key(self, fingerprint: str) -> str:
        """Return the request's key in the answer log of the engine with this fingerprint: 32 hex digits."""
        messages = [[message["role"], message["content"]] for message in self.messages]
        return hash32([fingerprint, messages, self.sample, self.source, self.target])


@dataclass(frozen=True, slots=True)
class Answer:
    """An engine's answer: a text or a score, or why there will never be one (`error`)."""

    text: str = ""
    finish_reason: str = "stop"  # "stop", "length" (it was cut) or "error"
    tokens: int = 0
    score: float | None = None
    error: str | None = None
    prompt_tokens: int = 0
    thinking: str = ""  # of a reasoning model: kept in the log, and apart from the text

    def record(self) -> dict[str, Any]:
        """Return the fields that differ from an empty answer, for the log; `Answer(**record)` restores it."""
        record = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                record[field.name] = value
        return record


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that failed but may succeed later, so its row waits for the next run.

    `busy`: the server had too much to do. `away`: it did not respond, or a proxy before it did.
    """

    reason: str
    busy: bool = False
    away: bool = False


@dataclass(frozen=True, slots=True)
class Rejection:
    """A call that fails every time: its row is at fault, or the set-up if other calls fail too.

    `stops`: the key, the account, the model or the address is at fault, so no call can succeed.
    `forbidden`: the key may be at fault, or a moderation of this row. The tokens were paid for.
    """

    reason: str
    stops: bool = False
    forbidden: bool = False
    tokens: int = 0
    prompt_tokens: int = 0

    def as_answer(self) -> Answer:
        """Return the rejection as it is kept once its row is found to be at fault."""
        return Answer("", "error", self.tokens, error=self.reason, prompt_tokens=self.prompt_tokens)


Outcome = Answer | Rejection | Failure


class InProcessEngine(Protocol):
    """An engine in this process.

    All batches are planned before the first answer, so that a resumed run repeats them.
    """

    name: str
    fingerprint: str

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """Return batches of positions in `requests`, which depend on the requests alone."""

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        """Return the answers in the order of the batch."""


@runtime_checkable
class ServerEngine(Protocol):
    """An engine behind a socket, which takes `concurrency` requests at once and answers them in any order."""

    name: str
    fingerprint: str
    concurrency: int

    on_wait: Callable[[str], None]  # is told why calls wait; "" when they go on

    async def generate(self, request: Request) -> Outcome:
        """Return the answer, or why the call failed.

        Raises InputError or Unavailable if no call can succeed.
        """

    async def close(self) -> None: ...


Engine = InProcessEngine | ServerEngine


def fold_system(messages: Sequence[Message]) -> list[Message]:
    """Return messages with the system's put in front of the first user's, for models without that role."""
    system = [message["content"] for message in messages if message["role"] == "system"]
    folded: list[Message] = []
    for message in messages:
        if message["role"] == "system":
            continue
        if message["role"] == "user" and system:
            content = "\n\n".join([*system, message["content"]])
            message, system = {"role": "user", "content": content}, []
        folded.append(message)
    return folded


def batches_by_length(requests: Sequence[Request], lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Return positions in batches of similar length, the longest first.

    The rows of a batch times its longest length stay within `budget`; a row that is over it has a batch of
    its own.
    """
    order = sorted(range(len(requests)), key=lambda i: (-lengths[i], requests[i].key("")))
    batches: list[list[int]] = []
    for i in order:
        if batches:
            longest = lengths[batches[-1][0]]
            if longest * (len(batches[-1]) + 1) <= budget:
                batches[-1].append(i)
                continue
        batches.append([i])
    return batches
