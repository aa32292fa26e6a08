"""The answer log: nothing kept is lost, nothing torn is kept."""

import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from polypref.schemas import hash32
from polypref.store.answers import AnswerLog


def test_an_answer_is_there_after_reopening(tmp_path: Path) -> None:
    log = AnswerLog(tmp_path / "a.jsonl")
    log.add([(hash32("k1"), {"text": "eins"})])
    log.add([(hash32("k2"), {"text": "zwei"}), (hash32("k3"), {"text": "\ud800 三\n"})])
    log.close()
    again = AnswerLog(tmp_path / "a.jsonl")
    assert len(again) == 3
    assert again.get(hash32("k2")) == {"text": "zwei"}
    assert again.get(hash32("k3")) == {"text": "\ud800 三\n"}
    assert again.get(hash32("k1")) == {"text": "eins"}
    assert again.get(hash32("k4")) is None


def test_a_torn_last_line_is_cut_and_what_follows_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    log = AnswerLog(path)
    log.add([(hash32("k1"), {"text": "a"})])
    log.add([(hash32("k2"), {"text": "b" * 100}), (hash32("k3"), {"text": "c"})])
    log.close()
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in (first + 1, first + 50, len(whole) - 1):
        path.write_bytes(whole[:end])
        torn = AnswerLog(path)
        assert (hash32("k1") in torn, hash32("k2") in torn, hash32("k3") in torn) == (True, False, False)
        torn.add([(hash32("k4"), {"text": "d"})])
        torn.close()
        again = AnswerLog(path)
        assert [again.get(k) for k in (hash32("k1"), hash32("k4"))] == [{"text": "a"}, {"text": "d"}]
        assert path.read_bytes().count(b"\n") == 2


def test_the_first_answer_to_a_key_stays(tmp_path: Path) -> None:
    log = AnswerLog(tmp_path / "a.jsonl")
    log.add([(hash32("k"), {"text": "first"})])
    log.add([(hash32("k"), {"text": "second"})])
    assert log.get(hash32("k")) == {"text": "first"}
    log.close()
    assert AnswerLog(tmp_path / "a.jsonl").get(hash32("k")) == {"text": "first"}


def test_a_full_disk_leaves_the_log_whole(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from polypref.schemas import hash32
from polypref.store.answers import AnswerLog
log = AnswerLog(Path({str(tmp_path / "a.jsonl")!r}))
for i in range(1000):
    log.add([(hash32(i), {{"text": "x" * 100}})])
"""

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    run = subprocess.run(
        [sys.executable, "-c", script], preexec_fn=small_disk, capture_output=True, text=True
    )
    assert run.returncode == 1
    assert "Unavailable" in run.stderr
    log = AnswerLog(tmp_path / "a.jsonl")
    size = (tmp_path / "a.jsonl").stat().st_size
    assert 9_800 < size <= 10_000
    assert len(log) == size // (size // len(log))
    assert all(log.get(hash32(i)) == {"text": "x" * 100} for i in range(len(log)))


def indexed(path: Path, others: Sequence[Path] = ()) -> AnswerLog:
    return AnswerLog(path, others, index=path.with_suffix(".index"), saves_index=True)


def contents(log: AnswerLog, count: int) -> list[dict[str, Any] | None]:
    return [log.get(hash32(number)) for number in range(count)]


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of 100 answers with its index."""
    monkeypatch.setattr("polypref.store.answers.SAVE_LEAST", 1)
    log = indexed(tmp_path / "f.jsonl")
    for number in range(100):
        log.add([(hash32(number), {"text": f"{number}", "tokens": 1})])
    log.close()
    return tmp_path / "f.jsonl"


ANSWERS = [{"text": f"{number}", "tokens": 1} for number in range(100)]


def test_a_saved_index_stands_for_the_log(saved: Path) -> None:
    log = indexed(saved)
    assert (len(log), len(log._index.recent), log.spent["tokens"]) == (100, 0, 100)
    assert contents(log, 101) == [*ANSWERS, None]
    log.add([(hash32(100), {"text": "new", "tokens": 1})])
    log.add([(hash32(0), {"text": "again"})])
    log.close()
    again = indexed(saved)
    assert (len(again), len(again._index.recent), again.spent["tokens"]) == (101, 0, 101)
    assert contents(again, 101) == [*ANSWERS, {"text": "new", "tokens": 1}]


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped", "garbage"])
def test_an_index_that_is_damaged_is_made_again(saved: Path, damage: str) -> None:
    index = saved.with_suffix(".index")
    content = index.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    damaged = {"empty": b"", "cut": content[:middle], "flipped": flipped, "garbage": b"\x00\n" * 99}
    index.unlink()
    if damage in damaged:
        index.write_bytes(damaged[damage])
    log = indexed(saved)
    assert (len(log), log.spent["tokens"], contents(log, 100)) == (100, 100, ANSWERS)
    log.close()
    assert index.read_bytes() == content


def test_an_index_of_another_log_is_made_again(saved: Path) -> None:
    lines = saved.read_bytes().splitlines(keepends=True)
    for changed in (lines[:50], lines[50:] + lines[:50], lines[:99] + lines[50:51]):
        saved.write_bytes(b"".join(changed))
        log = indexed(saved)
        expected = [answer if line in changed else None for answer, line in zip(ANSWERS, lines, strict=True)]
        assert contents(log, 100) == expected
        assert len(log) == 100 - expected.count(None)


def test_an_index_that_is_behind_is_read_on_from_there(saved: Path) -> None:
    index = saved.with_suffix(".index")
    content = index.read_bytes()
    log = indexed(saved)
    log.add([(hash32(100), {"text": "new"})])
    log.close()
    index.write_bytes(content)
    with open(saved, "ab") as file:
        file.write(b'[["torn')
    again = indexed(saved)
    assert (len(again), len(again._index.recent)) == (101, 1)
    assert contents(again, 101) == [*ANSWERS, {"text": "new"}]
    assert saved.read_bytes().endswith(b'"new"}]]\n')


def test_one_index_holds_the_files_of_all_writers(saved: Path) -> None:
    worker = AnswerLog(
        saved.with_name("f.a.jsonl"), [saved], index=saved.with_suffix(".index"), saves_index=False
    )
    assert contents(worker, 100) == ANSWERS
    worker.add([(hash32(100), {"text": "a worker's"})])
    worker.close()
    for _ in range(2):
        log = indexed(saved, [saved.with_name("f.a.jsonl")])
        assert contents(log, 101) == [*ANSWERS, {"text": "a worker's"}]
        log.close()
    saved.with_name("f.a.jsonl").unlink()
    assert contents(indexed(saved), 101) == [*ANSWERS, None]


def test_the_index_is_saved_from_time_to_time(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polypref.store.answers.SAVE_EVERY", 10)
    log = indexed(saved)
    for number in range(100, 125):
        log.add([(hash32(number), {"text": f"{number}", "tokens": 1})])
    assert len(log._index.recent) == 5
    more = [{"text": f"{number}", "tokens": 1} for number in range(100, 125)]
    assert contents(log, 125) == ANSWERS + more
    killed = indexed(saved)
    assert (contents(killed, 125), killed.spent["tokens"]) == (ANSWERS + more, 125)
