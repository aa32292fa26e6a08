"""`polypref complete`: one answer a row of anybody's table, by id, resumable."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from openai_server import OpenAIServer

ROOT = Path(__file__).parents[3]


def rows(count: int) -> list[dict[str, Any]]:
    return [{"id": f"r{i}", "question": f"What is {i}?", "level": i % 3} for i in range(count)]


def write(path: Path, content: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


def command(
    folder: Path,
    url: str,
    *more: str,
    file: str = "in.jsonl",
    out: str = "out.jsonl",
    prompt: str = "question",
) -> list[str]:
    words = [
        sys.executable,
        "-m",
        "polypref",
        "complete",
        file,
        "-o",
        out,
        "--text",
        prompt,
        "--base-url",
        url,
        "--model",
        "m",
    ]
    return [*words, *more]


def run(folder: Path, *words: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(folder, *words, **options), cwd=folder, capture_output=True, text=True)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_killed_and_run_again_every_row_has_its_answer_in_its_place(tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", rows(200))
    with OpenAIServer(delay=0.05) as server:
        for target in (40, 150):
            with subprocess.Popen(
                command(tmp_path, server.url, "--concurrency", "8"), cwd=tmp_path, stderr=subprocess.DEVNULL
            ) as killed:
                while killed.poll() is None and len(server.answered) < target:
                    time.sleep(0.005)
                os.kill(killed.pid, signal.SIGKILL)
            assert not (tmp_path / "out.jsonl").exists()
        done = run(tmp_path, server.url, "--concurrency", "8")
        assert (done.returncode, done.stdout) == (0, "200 rows: out.jsonl\n")
        assert (
            sum(count - 1 for count in Counter(json.dumps(body) for body in server.calls).values()) <= 2 * 8
        )
        calls = len(server.calls)
        assert run(tmp_path, server.url).returncode == 0
        assert len(server.calls) == calls
    answered = [
        {"completion": f"answer to: What is {i}?", "finish_reason": "stop", "tokens": 5, "error": None}
        for i in range(200)
    ]
    assert read(tmp_path / "out.jsonl") == [
        row | answer for row, answer in zip(rows(200), answered, strict=True)
    ]


def test_any_table_with_and_without_ids(tmp_path: Path) -> None:
    table = pl.DataFrame({"key": [1, 2, 3], "chat": [[{"role": "user", "content": text}] for text in "abc"]})
    table.write_parquet(tmp_path / "in.parquet")
    with OpenAIServer() as server:
        words = {"file": "in.parquet", "out": "out.parquet", "prompt": "chat"}
        assert run(tmp_path, server.url, "--id", "key", **words).returncode == 0
        out = pl.read_parquet(tmp_path / "out.parquet")
        assert out.select("id", "key", "completion").rows() == [
            (str(i), i, f"answer to: {c}") for i, c in zip((1, 2, 3), "abc", strict=True)
        ]
        table.select("chat", meta=pl.struct("key")).write_parquet(tmp_path / "inner.parquet")
        assert (
            run(tmp_path, server.url, "--id", "meta.key", **words | {"file": "inner.parquet"}).returncode == 0
        )
        assert pl.read_parquet(tmp_path / "out.parquet")["id"].to_list() == ["1", "2", "3"]
        assert run(tmp_path, server.url, file="in.parquet", prompt="chat").returncode == 0
        assert len({row["id"] for row in read(tmp_path / "out.jsonl")}) == 3


@pytest.mark.parametrize(
    ("content", "more", "message"),
    [
        ([*rows(3), rows(2)[1]], [], "in.jsonl:4: id 'r1' stands in line 2 too; every row needs its own"),
        (
            [{"question": "a"}, {"question": "b"}, {"question": "a"}],
            [],
            "stands in line 1 too; every row needs its own",
        ),
        (rows(2), ["--id", "key"], "in.jsonl: missing column 'key'; found id, question, level"),
        (
            [{"question": "a", "error": 1}],
            [],
            "in.jsonl: has a column 'error' already, which is added here; rename it",
        ),
        ([], [], "in.jsonl: no rows; expected at least one"),
    ],
)
def test_a_table_that_cannot_be_used(
    tmp_path: Path, content: list[dict[str, Any]], more: list[str], message: str
) -> None:
    write(tmp_path / "in.jsonl", content)
    done = run(tmp_path, "http://127.0.0.1:1/v1", *more)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.rstrip().endswith(message)


def test_failures_are_named_and_asked_again_or_accepted(tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", [*rows(10), {"id": "empty", "question": None, "level": 0}])
    with OpenAIServer() as server:
        server.fault(status=500, times=20)
        done = run(tmp_path, server.url, "--concurrency", "1", "--retries", "0")
        assert done.returncode == 4
        assert (
            "10 of 11 rows have no answer for now: 500: injected (10); run again to ask again"
            in done.stderr.splitlines()[-1]
        )
        assert not (tmp_path / "out.jsonl").exists()
        done = run(tmp_path, server.url, "--concurrency", "1", "--retries", "0", "--accept-failures")
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1] == (
            "polypref: out.jsonl: none of 11 rows is kept: 500: injected 10 of 11; "
            "not_text 1 of 11: check which column `text` names"
        )
        assert Counter(row["error"] for row in read(tmp_path / "out.jsonl")) == {
            "500: injected": 10,
            "not_text": 1,
        }
        assert run(tmp_path, server.url).returncode == 2
        assert len(server.calls) == 20
