"""Worker processes: calls of functions in other processes, which keep what they have loaded for later calls.

A worker is a new Python that reads calls from its standard input and ends with it, so none outlives a run
that is killed. (Those of multiprocessing do. They also import the caller's main module again, which a script
without `if __name__ == "__main__"` does not survive.)
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, BinaryIO

from polypref.errors import Unavailable

# Rows of work up to which starting processes costs more than it saves: each takes half a second.
MIN_ROWS = 2000
MOST = 16  # processes of 150 MB each; the one process that puts requests to servers feeds no more
_SERVE = "from polypref.store.workers import serve; serve()"

_workers: list["WorkerProcess"] = []
_in_worker = False


class WorkerProcess(ThreadPoolExecutor):
    """An executor with one process, which does one call after the other."""

    def __init__(self) -> None:
        super().__init__(1, "worker")
        # The workers themselves use the cores, so each has one thread of polars.
        environment = {"PYTHONPATH": os.pathsep.join(sys.path), "POLARS_MAX_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | environment,
        )

    def submit(  # type: ignore[override]
        self, function: Callable[..., Any], /, *arguments: Any
    ) -> Future[Any]:
        """Call a function of a module, with arguments and a result that can be pickled, in the process."""
        return super().submit(self._call, function, arguments)

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        calls, results = self._process.stdin, self._process.stdout
        assert calls is not None
        assert results is not None
        try:
            pickle.dump((function, arguments), calls)
            calls.flush()
            result, error = pickle.load(results)
        except (BrokenPipeError, EOFError):
            if self in _workers:
                _workers.remove(self)  # the next run starts another one
            raise Unavailable(
                f"a worker process ended with status {self._process.wait()}, perhaps for lack of memory; "
                "run again to continue"
            ) from None
        if error is not None:
            raise error
        return result


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def start_workers(count: int) -> list[WorkerProcess]:
    """Return `count` workers, at most MOST; they live as long as this process. A worker has none itself."""
    if _in_worker:
        return []
    while len(_workers) < min(count, MOST):
        _workers.append(WorkerProcess())
    return _workers[:count]


def serve() -> None:
    """Answer the calls on the standard input, in the process of a worker."""
    global _in_worker
    _in_worker = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the run's own one ends this
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed must not get between the results
    calls: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()
    threading.Thread(target=_read_calls, args=(sys.stdin.buffer, calls), daemon=True).start()
    while True:
        function, arguments = calls.get()
        result, error = None, None
        try:
            result = function(*arguments)
        except Exception as raised:
            raised.add_note(traceback.format_exc())
            error = raised
        pickle.dump((result, error), results)
        results.flush()


def _read_calls(source: BinaryIO, calls: SimpleQueue[Any]) -> None:
    """Read calls until the run has ended, and then stop at once, also amid a call."""
    try:
        while True:
            calls.put(pickle.load(source))
    except EOFError:
        os._exit(0)
