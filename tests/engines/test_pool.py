"""Pools ask nothing twice, plan batches from all requests, and repeat the rest after a kill."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from openai_server import OpenAIServer

from polypref.engines.base import Answer, Request, batches_by_length
from polypref.engines.config import HttpGenerator
from polypref.engines.http import HttpEngine
from polypref.engines.pool import PoolOptions, ask_engine, open_pool, open_pools
from polypref.store.answers import AnswerLog
from polypref.store.workdir import Workdir


class Batches:
    """An engine in this process that answers with its seed and batch, so that another composition shows."""

    name, fingerprint = "b", "f"

    def __init__(self, die_after: int = 99) -> None:
        self.left, self.batches = die_after, list[list[str]]()

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        return batches_by_length(requests, [len(r.messages[0]["content"]) for r in requests], 8)

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        texts = [r.messages[0]["content"] for r in batch]
        self.batches.append(texts)
        return [Answer(f"{text} {seed} {len(batch)}") for text in texts]


def requests(*texts: str) -> list[Request]:
    return [Request([{"role": "user", "content": text}]) for text in texts]


WORDS = requests("aaaa", "bb", "cccc", "dd", "eeee", "ff", "gg", "hh", "cccc")


def test_batches_are_of_like_length_and_within_the_budget() -> None:
    lengths = [3, 9, 1, 4, 4, 20]
    plan = batches_by_length(requests(*"abcdef"), lengths, 10)
    assert [sorted(lengths[i] for i in batch) for batch in plan] == [[20], [9], [4, 4], [1, 3]]
    assert sorted(i for batch in plan for i in batch) == list(range(6))


@pytest.mark.parametrize("died_after", [0, 1, 2])
def test_a_resumed_run_gives_the_answers_of_an_uninterrupted_one(tmp_path: Path, died_after: int) -> None:
    whole = ask_engine(Batches(), WORDS, AnswerLog(tmp_path / "whole.jsonl"))
    with pytest.raises(KeyboardInterrupt):
        ask_engine(Batches(die_after=died_after), WORDS, AnswerLog(tmp_path / "log.jsonl"))
    resumed = Batches()
    assert ask_engine(resumed, WORDS, AnswerLog(tmp_path / "log.jsonl")) == whole
    assert len(resumed.batches) == 3 - died_after
    assert (tmp_path / "log.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_known_answers_are_not_computed_again_when_rows_are_added(tmp_path: Path) -> None:
    log = AnswerLog(tmp_path / "log.jsonl")
    first = ask_engine(Batches(), WORDS, log)
    later = Batches()
    assert ask_engine(later, [*WORDS, *requests("new")], log)[:-1] == first
    assert later.batches == [["new"]]


def test_equal_requests_are_sent_once(tmp_path: Path) -> None:
    with OpenAIServer(delay=0.01) as server:
        http = HttpEngine(HttpGenerator(kind="http", base_url=server.url, model="m"), "m")
        given = ask_engine(http, requests("a", "b", "a", "a"), AnswerLog(tmp_path / "log.jsonl"))
        assert [answer.text for answer in given if answer] == [
            "answer to: a",
            "answer to: b",
            "answer to: a",
            "answer to: a",
        ]
        assert len(server.calls) == 2
        ask_engine(http, requests("b", "c"), AnswerLog(tmp_path / "log.jsonl"))
        assert len(server.calls) == 3
        assert (
            len(
                ask_engine(
                    http,
                    [Request(r.messages, sample=1) for r in requests("a")],
                    AnswerLog(tmp_path / "log.jsonl"),
                )
            )
            == 1
        )
        assert len(server.calls) == 4


class Watching:
    """An engine in this process that notes at each batch how many calls the server has answered."""

    name, fingerprint = "w", "w"

    def __init__(self, server: OpenAIServer) -> None:
        self.server, self.seen = server, list[int]()

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        return [[position] for position in range(len(requests))]

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        time.sleep(0.05)
        self.seen.append(len(self.server.answered))
        return [Answer(score=1.0)]


def test_calls_to_a_server_go_on_beside_an_engine_in_this_process(tmp_path: Path) -> None:
    with OpenAIServer(delay=0.01) as server, Workdir(tmp_path) as workdir:
        config = HttpGenerator(kind="http", base_url=server.url, model="m", concurrency=1)
        watching = Watching(server)
        pools = open_pools({"": HttpEngine(config, "m"), "watching": watching}, workdir, PoolOptions())
        asked = [Request(request.messages, engine="watching") for request in WORDS[:8]]

        async def go() -> list[Answer | None]:
            try:
                return await pools.ask([*asked, *WORDS[:8]])
            finally:
                await pools.close()

        given = asyncio.run(go())
    assert [answer.score for answer in given[:8] if answer] == [1.0] * 8
    assert [answer.text for answer in given[8:] if answer] == [
        f"answer to: {request.messages[0]['content']}" for request in WORDS[:8]
    ]
    assert watching.seen[-1] > 2


def test_parts_ask_an_engine_in_this_process_one_after_the_other(tmp_path: Path) -> None:
    engine = Batches()
    pool = open_pool(engine, AnswerLog(tmp_path / "log.jsonl"))
    first, second = requests("aaaa", "bbbb", "cccc", "dddd"), requests("cccc", "dddd", "eeee", "ffff")

    async def go() -> None:
        await asyncio.gather(pool.ask(first), pool.room(), pool.ask(second))

    asyncio.run(go())
    alone, log = Batches(), AnswerLog(tmp_path / "alone.jsonl")
    ask_engine(alone, first, log)
    ask_engine(alone, second, log)
    assert engine.batches == alone.batches
