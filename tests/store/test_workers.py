"""Worker processes: functions run elsewhere, errors come back, and no worker outlives its run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polypref.errors import InputError, Unavailable
from polypref.store.storage import open_path
from polypref.store.workers import start_workers

ROOT = Path(__file__).parent.parent.parent
# As a user's script may be: without `if __name__ == "__main__"`.
SCRIPT = """
import os, time
from polypref.store.workers import start_workers
worker = start_workers(1)[0]
print(worker.submit(os.getpid).result(), flush=True)
worker.submit(time.sleep, 60).result()
"""


def test_a_worker_is_another_process_which_serves_one_call_after_the_other() -> None:
    (worker,) = start_workers(1)
    pids = [worker.submit(os.getpid) for _ in range(3)]
    assert len({pid.result() for pid in pids}) == 1
    assert pids[0].result() != os.getpid()
    assert start_workers(1) == [worker]


def test_what_a_call_prints_does_not_get_between_the_results() -> None:
    (worker,) = start_workers(1)
    assert worker.submit(print, "hello").result() is None
    assert worker.submit(len, "four").result() == 4


def test_an_error_keeps_its_class_and_its_message() -> None:
    (worker,) = start_workers(1)
    with pytest.raises(InputError, match=r"^nothing://here: "):
        worker.submit(open_path, "nothing://here").result()
    assert worker.submit(len, "four").result() == 4


def test_a_worker_that_is_killed_is_one_line_and_the_next_run_has_another() -> None:
    (worker,) = start_workers(1)
    os.kill(worker.submit(os.getpid).result(), signal.SIGKILL)
    with pytest.raises(Unavailable, match=r"^a worker process ended with status -9, perhaps for lack of"):
        worker.submit(len, "four").result()
    assert start_workers(1)[0].submit(len, "four").result() == 4


def test_a_worker_has_no_workers() -> None:
    (worker,) = start_workers(1)
    assert worker.submit(start_workers, 2).result() == []


def test_a_worker_ends_amid_its_work_when_the_run_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment) as run:
        assert run.stdout
        worker = Path("/proc") / run.stdout.readline().decode().strip()
        assert worker.exists()
        run.kill()
    until = time.monotonic() + 30
    while worker.exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert not worker.exists()
