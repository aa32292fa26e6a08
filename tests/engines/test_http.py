"""The HTTP engine over real sockets: what is tried again, what is given up, what stops the run."""

import asyncio
from typing import Any

import pytest
from openai_server import OpenAIServer

from polypref.engines.base import Answer, Failure, Outcome, Rejection, Request
from polypref.engines.config import HttpGenerator
from polypref.engines.http import HttpEngine
from polypref.errors import InputError


def engine(server: OpenAIServer, **fields: Any) -> HttpEngine:
    config = {"kind": "http", "base_url": server.url, "model": "m", "retries": 3, "start_seconds": 0}
    return HttpEngine(HttpGenerator.model_validate(config | fields), "m")


def ask(http: HttpEngine, *texts: str) -> list[Outcome]:
    async def go() -> list[Outcome]:
        try:
            return await asyncio.gather(
                *(http.generate(Request([{"role": "user", "content": text}])) for text in texts)
            )
        finally:
            await http.close()

    return asyncio.run(go())


def test_the_request_says_what_the_config_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "secret")
    with OpenAIServer() as server:
        http = engine(
            server,
            system="Be brief.",
            key_env="A_KEY",
            sampling={"temperature": 0.5, "top_p": 0.9, "max_tokens": 7},
        )
        assert ask(http, "Hallo") == [Answer("answer to: Hallo", "stop", 3)]
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hallo"}]
        assert server.calls == [
            {"model": "m", "messages": messages, "temperature": 0.5, "top_p": 0.9, "max_tokens": 7}
        ]
        assert server.headers[0]["Authorization"] == "Bearer secret"
        assert "secret" not in http.fingerprint


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 503},
        {"status": 429, "headers": {"Retry-After": "0"}},
        {"cut": True},
        {"cut": True, "reset": True},
        {"body": "not json"},
        {"body": '{"choices": []}'},
    ],
)
def test_what_may_pass_is_tried_again(fault: dict[str, Any]) -> None:
    with OpenAIServer() as server:
        server.fault(**fault)
        assert ask(engine(server), "x") == [Answer("answer to: x", "stop", 3)]
        assert len(server.calls) == 2


def test_a_call_that_keeps_failing_has_no_answer_for_now() -> None:
    with OpenAIServer() as server:
        server.fault(status=500, times=99)
        assert ask(engine(server), "x") == [Failure("500: injected")]
        assert len(server.calls) == 4


def test_a_deterministic_error_is_not_tried_again() -> None:
    with OpenAIServer() as server:
        server.fault(status=400, body='{"error": {"message": "too long"}}')
        assert ask(engine(server), "x") == [Rejection("400: too long")]
        assert len(server.calls) == 1


@pytest.mark.parametrize("status", [401, 402, 404])
def test_a_wrong_key_or_model_stops_with_one_line(status: int) -> None:
    with OpenAIServer() as server:
        server.fault(status=status, body='{"error": {"message": "no\\nsuch"}}')
        with pytest.raises(InputError, match=rf"{status} for model 'm', key OPENAI_API_KEY: no such$"):
            ask(engine(server), "x")
        assert len(server.calls) == 1


@pytest.mark.parametrize("url", ["localhost:8000/v1", "ftp://host/v1", "no address", "http://host:99999/v1"])
def test_an_address_that_is_none_stops_with_one_line(url: str) -> None:
    with pytest.raises(ValueError, match=rf"{url}: not an address; expected http://HOST:PORT/v1"):
        HttpGenerator(kind="http", base_url=url, model="m")


def test_a_truncated_answer_is_data() -> None:
    with OpenAIServer(finish_reason="length") as server:
        assert ask(engine(server), "x") == [Answer("answer to: x", "length", 3)]


def test_no_more_calls_at_once_than_the_config_allows() -> None:
    with OpenAIServer(delay=0.02) as server:
        assert len(ask(engine(server, concurrency=8), *map(str, range(40)))) == 40
        assert server.peak == 8


def test_a_dead_server_is_a_call_that_failed_for_now() -> None:
    with OpenAIServer() as server:
        http = engine(server)
    http.config = http.config.model_copy(update={"retries": 0})
    (failure,) = ask(http, "x")
    assert isinstance(failure, Failure)
    assert "Cannot connect" in failure.reason
