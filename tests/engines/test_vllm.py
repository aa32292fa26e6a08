"""vLLM servers on a CPU: token for token like transformers, restarted once, gone at the end."""

import asyncio
import importlib.util
import os
import signal
import time
from pathlib import Path

import pytest

from polypref.engines.base import Answer, Request
from polypref.engines.config import HfGenerator, RewardModel, Sampling, VllmGenerator, VllmRewardModel
from polypref.engines.pool import ask_engine, open_pool
from polypref.engines.start import open_engine
from polypref.engines.vllm import VllmGeneratorEngine
from polypref.errors import Unavailable
from polypref.store.answers import AnswerLog
from polypref.store.workdir import Workdir

CHECKPOINTS = Path(__file__).parent.parent.parent / "polypref/demo/checkpoints"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="no vLLM in this environment"),
]
GREEDY = Sampling(temperature=0, top_p=1, max_tokens=48)
WORDS = ("cat", "Hund", "chien", "猫", "кошка", "perro", "gatto", "kedi")
REQUESTS = [Request([{"role": "user", "content": f"{word} {i}"}]) for i in range(8) for word in WORDS]


def vllm(workdir: Workdir, **fields: object) -> VllmGeneratorEngine:
    config = VllmGenerator(
        kind="vllm",
        model=str(CHECKPOINTS / "strong"),
        max_model_len=256,
        start_seconds=400,
        **({"sampling": GREEDY} | fields),
    )
    engine = open_engine(config, "strong", workdir)
    assert isinstance(engine, VllmGeneratorEngine)
    return engine


def log_of(workdir: Workdir, name: str) -> AnswerLog:
    return workdir.open_log(name)


def test_greedy_is_transformers_greedy_token_for_token_and_a_server_that_dies_is_restarted_once(
    tmp_path: Path,
) -> None:
    with Workdir(tmp_path) as workdir:
        hf = open_engine(
            HfGenerator(kind="hf", model=str(CHECKPOINTS / "strong"), sampling=GREEDY), "strong", workdir
        )
        expected = ask_engine(hf, REQUESTS, log_of(workdir, "hf"))
        engine = vllm(workdir)
        servers: list[int] = []

        async def go() -> tuple[list[Answer | None], list[Answer | None]]:
            pool, more = (
                open_pool(engine, log_of(workdir, "vllm")),
                open_pool(engine, log_of(workdir, "again")),
            )
            try:
                given = await pool.ask(REQUESTS)
                assert engine._server is not None
                servers.append(engine._server.pid)
                asked = asyncio.create_task(more.ask(REQUESTS))
                await asyncio.sleep(0.02)  # all are in flight, none is answered
                os.killpg(engine._server.pid, signal.SIGKILL)
                again = await asked
                servers.append(engine._server.pid)
                os.killpg(engine._server.pid, signal.SIGKILL)
                with pytest.raises(Unavailable, match=r"its vLLM server died twice; see .*vllm-strong\.log"):
                    await open_pool(engine, log_of(workdir, "third")).ask(REQUESTS)
                return given, again
            finally:
                await pool.close()

        given, again = asyncio.run(go())
    assert [(a.text, a.finish_reason) for a in given if a] == [
        (a.text, a.finish_reason) for a in expected if a
    ]
    assert [(a.text, a.finish_reason) for a in again if a] == [
        (a.text, a.finish_reason) for a in expected if a
    ]
    assert len(set(servers)) == 2


def test_sampled_answers_repeat_by_seed_and_no_server_is_left(tmp_path: Path) -> None:
    sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=16)
    drawn = [Request(REQUESTS[0].messages, sample=sample) for sample in (1, 2, 3, 4)] + [
        Request(REQUESTS[1].messages, sample=1)
    ]
    with Workdir(tmp_path) as workdir:
        engine = vllm(workdir, sampling=sampling)

        async def go() -> list[list[Answer | None]]:
            pools = [open_pool(engine, log_of(workdir, name)) for name in ("one", "two")]
            try:
                first = await pools[0].ask(drawn)
                return [first, list(reversed(await pools[1].ask(list(reversed(drawn)))))]
            finally:
                server = engine._server
                await pools[0].close()
                assert server is not None
                assert server.poll() is not None

        one, two = asyncio.run(go())
    assert one == two
    assert len({answer.text for answer in one[:4] if answer}) > 1


def test_scores_are_the_raw_scores_of_transformers(tmp_path: Path) -> None:
    chats = [
        Request([*request.messages, {"role": "assistant", "content": f"{word} {word}"}])
        for request in REQUESTS[:8]
        for word in WORDS
    ]
    model = str(CHECKPOINTS / "reward")
    with Workdir(tmp_path) as workdir:
        expected = ask_engine(
            open_engine(RewardModel(kind="reward_model", model=model), "rm", workdir),
            chats,
            log_of(workdir, "hf"),
        )
        served = VllmRewardModel(kind="vllm_reward_model", model=model, max_model_len=256, start_seconds=400)
        given = ask_engine(open_engine(served, "rm", workdir), chats, log_of(workdir, "vllm"))
    assert [a.score for a in given if a] == pytest.approx([a.score for a in expected if a], abs=2e-5)
    assert len({round(a.score or 0, 3) for a in given if a}) > 8


def test_a_server_that_does_not_start_says_where_to_look(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    with Workdir(tmp_path) as workdir:
        engine = vllm(workdir, arguments=("--no-such-argument",))
        with pytest.raises(
            Unavailable, match=r"its vLLM server died while it started; see .*vllm-strong\.log"
        ):
            ask_engine(engine, REQUESTS, log_of(workdir, "x"))
    assert "unrecognized arguments: --no-such-argument" in capfd.readouterr().err
    assert time.monotonic() - began < 400
