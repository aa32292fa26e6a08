"""Faults over real sockets: every row ends as an answer or a named failure, none twice, none lost."""

import asyncio
import json
import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from openai_server import Fault, OpenAIServer

from polypref.engines.base import Answer, Request
from polypref.engines.budget import Budget, Meter, Price
from polypref.engines.config import HttpGenerator, Sampling
from polypref.engines.http import HttpEngine
from polypref.engines.pool import PoolOptions, open_pool
from polypref.errors import BudgetReached, InputError, Unavailable
from polypref.progress import Progress
from polypref.store.answers import AnswerLog
from polypref.store.workdir import Workdir

ROWS = 120
FAULTS: list[dict[str, Any]] = [
    {"status": 429, "headers": {"Retry-After": "0"}, "times": 5},
    {"status": 429, "times": 5},
    {"status": 500, "times": 5},
    {"cut": True, "times": 5},
    {"cut": True, "reset": True, "times": 5},
    {"body": '{"choices": [{"mess', "times": 5},
    {"body": '{"choices": []}', "times": 5},
    {"hang": True, "times": 5},
    {"status": 503, "headers": {"Retry-After": "0.1"}, "times": 5},
    {"status": 400, "body": '{"error": {"message": "too long"}}', "times": 2},
    {"body": '{"choices": [{"message": {"content": null}, "finish_reason": "content_filter"}]}', "times": 2},
]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polypref.engines.http.PAUSE", 0.01)
    monkeypatch.setattr("polypref.engines.limiter.BACK_SECONDS", 0.1)
    monkeypatch.setattr("polypref.engines.limiter.BACK_CALLS", 1)


def requests(count: int = ROWS) -> list[Request]:
    return [Request([{"role": "user", "content": f"question {i}"}]) for i in range(count)]


def config(url: str, **fields: Any) -> HttpGenerator:
    defaults = {"concurrency": 8, "timeout": 1.0, "start_seconds": 0}
    return HttpGenerator(kind="http", base_url=url, model="m", **(defaults | fields))


def ask(
    http: HttpEngine, folder: Path, budget: Budget | None = None, count: int = ROWS, **options: Any
) -> tuple[list[Answer | None], Progress]:
    async def go() -> list[Answer | None]:
        pool = open_pool(http, log, PoolOptions(progress, meter, **options))
        try:
            return await pool.ask(requests(count))
        finally:
            await pool.close()

    with (
        Workdir(folder) as workdir,
        Progress("test", count) as progress,
        Meter(budget or Budget(), workdir) as meter,
    ):
        log = workdir.open_log(http.fingerprint)
        return asyncio.run(go()), progress


def test_a_storm_of_faults_loses_no_row_and_answers_none_twice(tmp_path: Path) -> None:
    with OpenAIServer(delay=0.005) as server:
        storm = [Fault(**fault | {"times": 1}) for fault in FAULTS for _ in range(fault["times"])] + [
            None
        ] * ROWS
        random.Random(1).shuffle(storm)
        server.faults.extend(storm)
        given, _ = ask(HttpEngine(config(server.url), "m"), tmp_path)
        assert None not in given
        ends = Counter(answer.error or answer.finish_reason for answer in given if answer)
        assert ends == {"stop": ROWS - 4, "400: too long": 2, "content_filter": 2}
        assert [a.text for a in given if a and not a.error] == [
            f"answer to: question {i}" for i, a in enumerate(given) if a and not a.error
        ]
        assert max(Counter(json.dumps(body) for body in server.answered).values()) == 1
        calls = len(server.calls)
        assert ask(HttpEngine(config(server.url), "m"), tmp_path)[0] == given
        assert len(server.calls) == calls


def test_what_fails_for_now_is_named_and_asked_again_by_the_next_run_only(tmp_path: Path) -> None:
    with OpenAIServer(delay=0.005) as server:
        server.fault(status=500, times=7)
        given, progress = ask(HttpEngine(config(server.url, retries=0), "m"), tmp_path)
        assert (given.count(None), dict(progress.failures)) == (7, {"500: injected": 7})
        again, _ = ask(HttpEngine(config(server.url, retries=0), "m"), tmp_path)
        assert again.count(None) == 0
        assert len(server.calls) == ROWS + 7
        assert [a for a, b in zip(again, given, strict=True) if b] == [b for b in given if b]


def test_accepted_failures_are_for_good(tmp_path: Path) -> None:
    with OpenAIServer(delay=0.005) as server:
        server.fault(status=500, times=3)
        given, _ = ask(HttpEngine(config(server.url, retries=0), "m"), tmp_path, accept_failures=True)
        assert [answer.error for answer in given if answer and answer.error] == ["500: injected"] * 3
        assert ask(HttpEngine(config(server.url), "m"), tmp_path)[0] == given
        assert len(server.calls) == ROWS


@pytest.mark.parametrize(("status", "message"), [(401, "expired"), (404, "no model m")])
def test_an_expired_key_or_a_wrong_model_stops_in_one_line_and_keeps_what_was_answered(
    tmp_path: Path, status: int, message: str
) -> None:
    expired = json.dumps({"error": {"message": message}})
    with OpenAIServer(lambda body: body["messages"][-1]["content"], delay=0.01) as server:
        answered = 40

        def expire() -> None:
            while len(server.answered) < answered:
                time.sleep(0.002)
            server.fault(status=status, body=expired, times=10_000)

        threading.Thread(target=expire, daemon=True).start()
        with pytest.raises(InputError, match=rf"{status} for model 'm', key OPENAI_API_KEY: {message}$"):
            ask(HttpEngine(config(server.url), "m"), tmp_path)
        server.faults.clear()
        kept = len(server.answered)
        assert answered <= kept < ROWS
        given, _ = ask(HttpEngine(config(server.url), "m"), tmp_path)
        assert [answer.text for answer in given if answer] == [f"question {i}" for i in range(ROWS)]
        repeated = Counter(json.dumps(body) for body in server.answered)
        assert sum(repeated.values()) - ROWS <= 8  # what was in flight when it stopped


def test_a_server_killed_and_back_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polypref.engines.http.PAUSE", 0.1)
    first = OpenAIServer(delay=0.01)
    first.__enter__()
    second = OpenAIServer(delay=0.01, port=first.port)

    def restart() -> None:
        while len(first.answered) < 30:
            time.sleep(0.002)
        first.__exit__()
        time.sleep(0.5)
        second.__enter__()

    thread = threading.Thread(target=restart)
    thread.start()
    given, _ = ask(HttpEngine(config(first.url), "m"), tmp_path)
    thread.join()
    second.__exit__()
    assert [answer.text for answer in given if answer] == [f"answer to: question {i}" for i in range(ROWS)]
    assert len(first.answered) + len(second.answered) <= ROWS + 8


def test_a_server_that_stays_away_ends_the_run_in_one_line(tmp_path: Path) -> None:
    with OpenAIServer() as server:
        url = server.url
    with pytest.raises(
        Unavailable, match=r"the last 64 calls all failed: Cannot connect .*; run again when it is back$"
    ):
        ask(HttpEngine(config(url, retries=1), "m"), tmp_path)


@pytest.mark.parametrize(
    ("budget", "calls", "message"),
    [
        (Budget(max_cost=0.05), 50, r"budget.max_cost 0.0500 is used up: 0.0\d+ spent"),
        (Budget(max_tokens=300), 50, r"budget.max_tokens 300 is used up: \d+ spent"),
        (Budget(max_hours=0.0), 0, r"budget.max_hours 0.00 is used up"),
    ],
)
def test_a_budget_stops_cleanly_and_a_larger_one_goes_on(
    tmp_path: Path, budget: Budget, calls: int, message: str
) -> None:
    with OpenAIServer(lambda body: "a b c", delay=0.01, prompt_tokens=3) as server:
        http = config(server.url, price=Price(output=333.3))
        with pytest.raises(BudgetReached, match=message):
            ask(HttpEngine(http, "m"), tmp_path, budget)
        assert len(server.answered) == calls
        spent = json.loads((tmp_path / "spent.json").read_text())["engines"][
            HttpEngine(http, "m").fingerprint
        ]
        assert spent["tokens"] == spent["prompt_tokens"] == 3 * len(server.answered)
        kept = len(server.answered)
        with pytest.raises(BudgetReached, match=message):
            ask(HttpEngine(http, "m"), tmp_path, budget)
        assert len(server.answered) == kept
        given, _ = ask(HttpEngine(http, "m"), tmp_path, Budget(max_cost=1))
        assert None not in given
        assert len(server.calls) == ROWS


def test_the_key_is_nowhere_in_the_work_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with OpenAIServer() as server:
        server.fault(status=500, times=2)
        server.fault(status=400, body='{"error": {"message": "sk-very-secret may not say this"}}')
        given, _ = ask(HttpEngine(config(server.url), "m"), tmp_path, count=5)
        assert [answer.error for answer in given if answer and answer.error] == [
            "400: $OPENAI_API_KEY may not say this"
        ]
        monkeypatch.setenv("OPENAI_API_KEY", "sk-another")
        assert ask(HttpEngine(config(server.url), "m"), tmp_path, count=5)[0] == given
        assert len(server.calls) == 5 + 2
    assert all(b"sk-" not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_requests_of_equal_key_are_made_once_across_parts_and_runs(tmp_path: Path) -> None:
    async def go(http: HttpEngine, log: AnswerLog) -> None:
        pool = open_pool(http, log)
        try:
            await asyncio.gather(pool.ask(requests(10)), pool.ask(requests(20)), pool.ask(requests(5)))
        finally:
            await pool.close()

    with OpenAIServer(delay=0.01) as server:
        for _ in range(2):
            log = AnswerLog(tmp_path / "log.jsonl")
            asyncio.run(go(HttpEngine(config(server.url, sampling=Sampling(temperature=0)), "m"), log))
            log.close()
        assert len(server.calls) == 20
