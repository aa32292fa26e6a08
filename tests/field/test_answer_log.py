"""Damage to the answer log, as disks, editors and copies do it: named, skipped and asked again.

The cases are our own, after what SQLite and Kafka find by a checksum a page or record.
"""

import asyncio
import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from openai_server import OpenAIServer

from polypref.engines.base import Answer, Request
from polypref.engines.config import HttpGenerator
from polypref.engines.http import HttpEngine
from polypref.engines.pool import PoolOptions, open_pool
from polypref.schemas import hash32
from polypref.store.answers import AnswerLog
from polypref.store.workdir import Workdir

ROWS, MIDDLE = 200, 100  # answers, and the number of the line that is damaged


def ask(url: str, folder: Path) -> list[Answer | None]:
    requests = [Request([{"role": "user", "content": f"question {number}"}]) for number in range(ROWS)]

    async def go() -> list[Answer | None]:
        pool = open_pool(http, workdir.open_log(http.fingerprint), PoolOptions())
        try:
            return await pool.ask(requests)
        finally:
            await pool.close()

    http = HttpEngine(HttpGenerator(kind="http", base_url=url, model="m"), "m")
    with Workdir(folder) as workdir:
        return asyncio.run(go())


def log_file(folder: Path) -> Path:
    (path,) = (folder / "answers").glob("*.jsonl")
    return path


def flip_brace(line: bytes) -> bytes:
    return line.replace(b"}", b"]", 1)


def change_letter(line: bytes) -> bytes:
    return line.replace(b"answer to", b"answer tp")


def change_key_name(line: bytes) -> bytes:
    return line.replace(b'"text"', b'"tegt"')


def change_key(line: bytes) -> bytes:
    return line.replace(b'[["', b'[["f', 1).replace(b'",', b'",', 1)


def zero(line: bytes) -> bytes:
    return b"\0" * len(line)


def zero_without_line_break(line: bytes) -> bytes:
    return b"\0" * (len(line) - 1) + b"\n"


def break_utf8(line: bytes) -> bytes:
    return line.replace(b"answer", b"answ\xff\xfe")


def cut(line: bytes) -> bytes:
    return line[: len(line) // 2] + b"\n"


def drop_line_break(line: bytes) -> bytes:
    return line[:-1]


def empty(line: bytes) -> bytes:
    return b"\n"


DAMAGES = [
    flip_brace,
    change_letter,
    change_key_name,
    change_key,
    zero,
    zero_without_line_break,
    break_utf8,
    cut,
    drop_line_break,
    empty,
]


@pytest.mark.parametrize("is_indexed", [False, True])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_line_is_named_and_asked_again_and_the_others_are_kept(
    tmp_path: Path,
    damage: Callable[[bytes], bytes],
    is_indexed: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("polypref.store.answers.SAVE_LEAST", 1 if is_indexed else 10_000)
    with OpenAIServer() as server:
        given = ask(server.url, tmp_path)
        path = log_file(tmp_path)
        lines = path.read_bytes().splitlines(keepends=True)
        lines[MIDDLE - 1] = damage(lines[MIDDLE - 1])
        path.write_bytes(b"".join(lines))
        assert ask(server.url, tmp_path) == given
        lost = 2 if damage in (zero, drop_line_break) else 1  # the line that follows is lost with its start
        assert len(server.calls) == ROWS + lost
        warning = f"{path}:{MIDDLE}: a damaged line; its answers are asked again"
        assert capsys.readouterr().err.count(warning) == 1
        assert ask(server.url, tmp_path) == given
        assert len(server.calls) == ROWS + lost


def test_four_kilobytes_of_zeros_lose_what_they_cover(tmp_path: Path) -> None:
    with OpenAIServer() as server:
        given = ask(server.url, tmp_path)
        path = log_file(tmp_path)
        content = path.read_bytes()
        half = len(content) // 2
        path.write_bytes(content[:half] + b"\0" * 4096 + content[half + 4096 :])
        covered = content[half : half + 4096].count(b"\n") + 1
        assert ask(server.url, tmp_path) == given
        assert len(server.calls) == ROWS + covered


def test_a_log_without_checksums_is_read_on(tmp_path: Path) -> None:
    with OpenAIServer() as server:
        given = ask(server.url, tmp_path)
        path = log_file(tmp_path)
        path.write_bytes(re.sub(rb"(?m)^[0-9a-f]{8} ", b"", path.read_bytes()))
        for index in path.parent.glob("*.index"):
            index.unlink()
        assert ask(server.url, tmp_path) == given
        assert len(server.calls) == ROWS


@pytest.mark.parametrize(
    "line",
    [
        "[[1, 2]]",
        '[["key", null]]',
        "[[]]",
        '[["key", {"text": 5}]]',
        '[["key", {"tokens": "5"}]]',
        "[" * 100_000,
        "{}",
    ],
)
def test_a_line_without_checksum_that_is_no_record_is_damaged(tmp_path: Path, line: str) -> None:
    with OpenAIServer() as server:
        given = ask(server.url, tmp_path)
        path = log_file(tmp_path)
        path.write_text(f"{line}\n{path.read_text()}")
        log = AnswerLog(path)
        assert log.damaged == [f"{path}:1"]
        log.close()
        assert ask(server.url, tmp_path) == given
        assert len(server.calls) == ROWS


def test_line_ends_and_the_mark_of_an_editor_are_no_damage(tmp_path: Path) -> None:
    with OpenAIServer() as server:
        given = ask(server.url, tmp_path)
        path = log_file(tmp_path)
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
        assert ask(server.url, tmp_path) == given
        assert len(server.calls) == ROWS


def test_files_of_answers_are_never_executable(tmp_path: Path) -> None:
    os.umask(0o022)
    with OpenAIServer() as server:
        ask(server.url, tmp_path)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.rglob("*") if file.is_file()}
    assert modes <= {0o600, 0o644}


def test_an_answer_replaces_a_failure_also_in_a_saved_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polypref.store.answers.SAVE_LEAST", 1)
    path, key = tmp_path / "f.jsonl", hash32("k")

    def log() -> AnswerLog:
        return AnswerLog(path, index=tmp_path / "f.index", saves_index=True)

    first = log()
    first.add([(key, {"error": "400: no"}), (hash32("l"), {"text": "l"})])
    assert (first.is_failure(key), len(first)) == (True, 2)
    first.close()
    second = log()
    second.add([(key, {"error": "400: still no"})])
    second.add([(key, {"text": "yes"})])
    second.add([(key, {"error": "500: too late"})])
    assert (second.get(key), second.is_failure(key), len(second)) == ({"text": "yes"}, False, 2)
    second.close()
    for again in (log(), AnswerLog(path)):
        assert (again.get(key), again.is_failure(key), len(again)) == ({"text": "yes"}, False, 2)


def test_a_line_is_a_checksum_and_json(tmp_path: Path) -> None:
    log = AnswerLog(tmp_path / "f.jsonl")
    log.add([(hash32("k"), {"text": "ü"})])
    log.close()
    checksum, text = (tmp_path / "f.jsonl").read_text("utf-8").split(" ", 1)
    assert (len(checksum), json.loads(text)) == (8, [[hash32("k"), {"text": "ü"}]])
