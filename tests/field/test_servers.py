"""Servers as strangers met them, over real sockets: whose fault a call is, and what a run makes of it.

Each case names its source; those without one are our own.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai_server import Fault, OpenAIServer

from polypref.engines.base import Answer, Request
from polypref.engines.http import HttpEngine
from polypref.engines.pool import open_pool
from polypref.errors import InputError, Unavailable
from polypref.store.answers import AnswerLog
from tests.field.questions import ask, config


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polypref.engines.http.PAUSE", 0.001)
    monkeypatch.setattr("polypref.engines.pool.DOUBT_SECONDS", 0.1)
    monkeypatch.setattr("polypref.engines.http.START_PAUSE", 0.05)
    monkeypatch.setattr("polypref.engines.limiter.COOL_DOWN", 0.01)
    monkeypatch.setattr("polypref.engines.limiter.BACK_SECONDS", 0.01)
    monkeypatch.setattr("polypref.engines.limiter.BACK_CALLS", 1)


def errors(answers: list[Answer | None]) -> list[str | None]:
    return [answer.error if answer else "no answer" for answer in answers]


def error(status: int, message: str) -> Fault:
    return Fault(status=status, body=json.dumps({"error": {"message": message}}))


def unless(fault: Fault, *numbers: int) -> Callable[[dict[str, Any]], str | Fault]:
    """Answer some questions, and the others by a fault."""
    questions = {f"question {number}" for number in numbers}
    return lambda body: "fine" if body["messages"][-1]["content"] in questions else fault


def only(fault: Fault, *numbers: int) -> Callable[[dict[str, Any]], str | Fault]:
    """Answer some questions by a fault, and the others well."""
    questions = {f"question {number}" for number in numbers}
    return lambda body: fault if body["messages"][-1]["content"] in questions else "fine"


# Whose fault it is.


# OpenRouterTeam/benchmark-harness#90, OpenRouter's moderation
@pytest.mark.parametrize("number", [0, 4, 7])
@pytest.mark.parametrize("status", [400, 403, 422])
def test_one_row_that_is_rejected_is_that_rows_fault(tmp_path: Path, number: int, status: int) -> None:
    with OpenAIServer(only(error(status, "Your input was flagged"), number)) as server:
        given = ask(config(server.url), tmp_path)
        expected: list[str | None] = [None] * 8
        expected[number] = f"{status}: Your input was flagged"
        assert errors(given) == expected
        assert ask(config(server.url), tmp_path) == given
        assert len(server.calls) == 8


@pytest.mark.parametrize(
    ("message", "setting"),
    [
        # koosoli/ESPHomeDesigner#379, OpenHands#4131: o-series and GPT-5
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            r"set `rename: \{max_tokens: max_completion_tokens\}`",
        ),
        # aandrew-me/tgpt#333
        (
            "Unsupported value: 'temperature' does not support 0.3 with this model.",
            r"set `drop: \[temperature\]`",
        ),
        ("`temperature` and `top_p` cannot both be specified", r"set `drop: \[top_p\]`"),  # Claude
        ("System role not supported", "set `system_as_user: true`"),  # Gemma, EricLBuehler/mistral.rs#506
        ("Role 'system' is not supported for this model", "set `system_as_user: true`"),
        ("API key not valid. Please pass a valid API key.", "check `key_env`"),  # Gemini
        ("Something else", "check the engine's settings"),
    ],
)
@pytest.mark.parametrize("count", [4, 40])
def test_rejecting_all_rows_alike_stops_the_run_and_names_the_setting(
    tmp_path: Path, message: str, setting: str, count: int
) -> None:
    with OpenAIServer(lambda body: error(400, message)) as server:
        with pytest.raises(InputError, match=f"calls all failed: 400: .*; {setting}, or if only the rows"):
            ask(config(server.url), tmp_path, count)
        assert len(server.calls) <= 12
        server.reply = lambda body: "fine"
        assert errors(ask(config(server.url), tmp_path, count)) == [None] * count


def test_a_key_that_is_forbidden_stops_the_run(tmp_path: Path) -> None:
    with (
        OpenAIServer(lambda body: error(403, "no access")) as server,
        pytest.raises(InputError, match="403: no access"),
    ):
        ask(config(server.url), tmp_path, 40)


# vllm#45736: a reasoning model that is cut before it says anything
def test_thinking_alone_for_all_rows_stops_the_run(tmp_path: Path) -> None:
    thinking = {
        "choices": [{"message": {"content": None, "reasoning_content": "Hm"}, "finish_reason": "length"}]
    }
    with (
        OpenAIServer(lambda body: Fault(body=json.dumps(thinking))) as server,
        pytest.raises(InputError, match=r"no text, only reasoning_content; raise `sampling\.max_tokens`"),
    ):
        ask(config(server.url), tmp_path)


def test_a_row_that_an_earlier_run_would_have_rejected_does_not_stop_this_one(tmp_path: Path) -> None:
    with OpenAIServer(unless(error(400, "too long"), 0, 1, 2)) as server:
        ask(config(server.url), tmp_path, 3)
        assert errors(ask(config(server.url), tmp_path, 20)) == [None] * 3 + ["400: too long"] * 17


# The first part has two rows, both flagged; the second one follows while they are in doubt.
def test_a_part_whose_rows_are_all_rejected_waits_for_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polypref.engines.pool.DOUBT_SECONDS", 5.0)
    questions = [Request([{"role": "user", "content": f"question {number}"}]) for number in range(8)]

    async def go() -> list[Answer | None]:
        http = HttpEngine(config(server.url), "m")
        pool = open_pool(http, AnswerLog(tmp_path / "log.jsonl"))
        first = asyncio.create_task(pool.ask(questions[:2]))
        await asyncio.sleep(0.3)
        second = await pool.ask(questions[2:])
        try:
            return [*await first, *second]
        finally:
            await pool.close()

    with OpenAIServer(only(error(403, "flagged"), 0, 1)) as server:
        assert errors(asyncio.run(go())) == ["403: flagged"] * 2 + [None] * 6


# Failures that are kept.


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (error(500, "no"), "500: no"),
        (error(400, "no"), "400: no"),
        (Fault(body="not JSON"), "an answer that is not JSON: not JSON"),
    ],
)
def test_accepted_failures_end_in_one_run_however_many_rows_fail(
    tmp_path: Path, fault: Fault, reason: str
) -> None:
    with OpenAIServer(lambda body: fault) as server:
        given = ask(config(server.url), tmp_path, 200, accept_failures=True)
        assert errors(given) == [reason] * 200


def test_a_server_that_is_away_is_no_failure_to_accept(tmp_path: Path) -> None:
    with OpenAIServer() as server:
        url = server.url
    for count in (5, 200):
        with pytest.raises(Unavailable, match=r"Cannot connect.*; run again when it is back"):
            ask(config(url), tmp_path, count, accept_failures=True)
    with OpenAIServer(port=server.port):
        assert errors(ask(config(url), tmp_path)) == [None] * 8


def test_what_was_kept_as_a_failure_is_asked_again_on_request(tmp_path: Path) -> None:
    with OpenAIServer(only(error(400, "no"), 1, 2)) as server:
        ask(config(server.url), tmp_path)
        server.reply = only(error(400, "no"), 2)
        assert errors(ask(config(server.url), tmp_path))[1:3] == ["400: no", "400: no"]
        assert len(server.calls) == 8
        assert errors(ask(config(server.url), tmp_path, retry_failures=True))[1:3] == [None, "400: no"]
        assert len(server.calls) == 10
        assert errors(ask(config(server.url), tmp_path))[1:3] == [None, "400: no"]
        assert len(server.calls) == 10


# Waiting.


# llama.cpp, Text Generation Inference: 503 while the weights load
def test_a_server_that_is_loading_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OpenAIServer() as server:
        server.fault(status=503, body='{"error": {"message": "Loading model"}}', times=20)
        assert errors(ask(config(server.url, retries=0, start_seconds=30), tmp_path)) == [None] * 8
    shown = "waiting up to 30 s for the server to start: 503: Loading model"
    assert shown in capsys.readouterr().err


def test_a_server_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    with OpenAIServer() as server:
        url, port = server.url, server.port

    async def start_late() -> None:
        await asyncio.sleep(0.3)
        late.__enter__()

    late = OpenAIServer(port=port)

    async def go() -> Any:
        http = HttpEngine(config(url, retries=0, start_seconds=30), "m")
        _, outcome = await asyncio.gather(
            start_late(), http.generate(Request([{"role": "user", "content": "x"}]))
        )
        await http.close()
        return outcome

    assert asyncio.run(go()) == Answer("answer to: x", tokens=3)
    late.__exit__()


def test_a_server_that_asks_to_wait_for_an_hour_is_asked_again_sooner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("polypref.engines.http.LONGEST_PAUSE", 0.1)
    with OpenAIServer() as server:
        server.fault(status=429, headers={"Retry-After": "3600"})
        assert errors(ask(config(server.url), tmp_path, 1)) == [None]
    assert "the server asks to wait 3,600 s, waiting 0 s: 429: injected" in capsys.readouterr().err


# Ways to a server.


# open-webui#2799, its_hub#284, litellm#12066
def test_a_proxy_of_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert errors(ask(config("http://nowhere.invalid/v1"), tmp_path)) == [None] * 8
        assert set(proxy.paths) == {"http://nowhere.invalid/v1/chat/completions"}
        with OpenAIServer() as server:
            ask(config(server.url), tmp_path / "local")
            assert len(server.calls) == 8


def test_a_redirect_is_followed_where_the_call_stays_one_and_named_elsewhere(tmp_path: Path) -> None:
    with OpenAIServer() as server:
        server.fault(status=307, headers={"Location": "/v2/chat/completions"})
        assert errors(ask(config(server.url), tmp_path, 1)) == [None]
        assert server.paths == ["/v1/chat/completions", "/v2/chat/completions"]
        for status, location in ((302, "/login?next=secret"), (308, "http://elsewhere.invalid/v1")):
            server.fault(status=status, headers={"Location": location}, times=9)
            message = rf": {status} for model 'm', key OPENAI_API_KEY: redirects to http://[^?]*; expected"
            with pytest.raises(InputError, match=message):
                ask(config(server.url, identity=str(status)), tmp_path, 1)
            server.faults.clear()
