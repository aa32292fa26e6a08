"""The answer log: nothing kept is lost, nothing torn is kept."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

from polypref.store.answers import AnswerLog


def test_an_answer_is_there_after_reopening(tmp_path: Path) -> None:
    log = AnswerLog(tmp_path / "a.jsonl")
    log.add([("k1", {"text": "eins"})])
    log.add([("k2", {"text": "zwei"}), ("k3", {"text": "\ud800 三\n"})])
    log.close()
    again = AnswerLog(tmp_path / "a.jsonl")
    assert len(again) == 3
    assert again.get("k2") == {"text": "zwei"}
    assert again.get("k3") == {"text": "\ud800 三\n"}
    assert again.get("k1") == {"text": "eins"}
    assert again.get("k4") is None


def test_a_torn_last_line_is_cut_and_what_follows_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    log = AnswerLog(path)
    log.add([("k1", {"text": "a"})])
    log.add([("k2", {"text": "b" * 100}), ("k3", {"text": "c"})])
    log.close()
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in (first + 1, first + 50, len(whole) - 1):
        path.write_bytes(whole[:end])
        torn = AnswerLog(path)
        assert ("k1" in torn, "k2" in torn, "k3" in torn) == (True, False, False)
        torn.add([("k4", {"text": "d"})])
        torn.close()
        again = AnswerLog(path)
        assert [again.get(k) for k in ("k1", "k4")] == [{"text": "a"}, {"text": "d"}]
        assert path.read_bytes().count(b"\n") == 2


def test_the_first_answer_to_a_key_stays(tmp_path: Path) -> None:
    log = AnswerLog(tmp_path / "a.jsonl")
    log.add([("k", {"text": "first"})])
    log.add([("k", {"text": "second"})])
    assert log.get("k") == {"text": "first"}
    log.close()
    assert AnswerLog(tmp_path / "a.jsonl").get("k") == {"text": "first"}


def test_a_full_disk_leaves_the_log_whole(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from polypref.store.answers import AnswerLog
log = AnswerLog(Path({str(tmp_path / "a.jsonl")!r}))
for i in range(1000):
    log.add([(f"key{{i}}", {{"text": "x" * 100}})])
"""

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    run = subprocess.run(
        [sys.executable, "-c", script], preexec_fn=small_disk, capture_output=True, text=True
    )
    assert run.returncode == 1
    assert "OSError" in run.stderr
    log = AnswerLog(tmp_path / "a.jsonl")
    size = (tmp_path / "a.jsonl").stat().st_size
    assert 9_800 < size <= 10_000
    assert len(log) == size // (size // len(log))
    assert all(log.get(f"key{i}") == {"text": "x" * 100} for i in range(len(log)))
