"""A work dir: the parts, answers and pinned models of a run, and what it publishes; it can be moved."""

import _thread
import fcntl
import os
import socket
import sys
from pathlib import Path
from typing import IO, Self

from polypref.errors import InputError, Unavailable
from polypref.store.answers import AnswerLog
from polypref.store.lease import Lease
from polypref.store.parts import Part
from polypref.store.revisions import ResolvedModel, resolve_model
from polypref.store.segments import SegmentLog
from polypref.store.storage import is_local, open_path, read_json, storage_errors, write_json

ROWS_PER_PART = 1000


class Workdir:
    """Opens a work dir and holds its lock: `with Workdir(path) as workdir: …`.

    A process with a `worker` name belongs to the run that holds the lock, and writes its answers to files of
    its own.

    Raises InputError where another run holds the lock, Unavailable where the storage is away or the lock was
    lost.
    """

    def __init__(self, path: Path | str, update_revisions: bool = False, worker: str = "") -> None:
        self.path = open_path(path)
        self.update_revisions = update_revisions
        self.worker = worker
        self._lock: IO[str] | Lease | None = None
        self._logs: dict[str, AnswerLog] = {}

    def __enter__(self) -> Self:
        if not self.worker:
            command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:3]])
            holder = f"process {os.getpid()} on {socket.gethostname()} ({command})"
            if is_local(self.path):
                self._lock = _lock_folder(self.path, holder)
            else:
                # An interrupt is the only way to stop the main thread; __exit__ says why it was stopped.
                self._lock = Lease(self.path / "lease", holder, _thread.interrupt_main)
        return self

    def __exit__(self, *error: object) -> None:
        try:
            for log in self._logs.values():
                log.close()
        finally:
            self._logs.clear()
            if isinstance(self._lock, Lease):
                self._lock.release()
            elif self._lock:
                self._lock.close()
        if isinstance(self._lock, Lease) and self._lock.lost:
            raise Unavailable(
                f"{self.path}: its lock was lost: the storage was away, or another run took over"
            )

    @property
    def local_path(self) -> Path:
        """The folder of this machine's own files: the work dir, or runs/NAME if that is on object storage."""
        return self.path if is_local(self.path) else Path("runs") / self.path.name

    @property
    def cache(self) -> Path:
        return self.local_path / "cache"

    @property
    def published(self) -> Path:
        return self.local_path / "published"

    @property
    def progress(self) -> Path:
        """The file in which a run shows its progress to other terminals."""
        return self.local_path / "progress.json"

    def open_log(self, fingerprint: str) -> AnswerLog:
        """Return the answer log of an engine; the same object for the same fingerprint."""
        if fingerprint not in self._logs:
            writer = f"{fingerprint}.{self.worker}" if self.worker else fingerprint
            folder = self.path / "answers"
            log: AnswerLog
            if is_local(self.path):
                log = AnswerLog(
                    folder / f"{writer}.jsonl",
                    self.logs_of_others(fingerprint),
                    index=folder / f"{fingerprint}.index",
                    saves_index=not self.worker,
                )
            else:
                log = SegmentLog(folder / fingerprint, writer)
            self._logs[fingerprint] = log
        return self._logs[fingerprint]

    def logs_of_others(self, fingerprint: str) -> list[Path]:
        """Return the files with an engine's answers, on a disk, that other processes write."""
        own = f"{fingerprint}.{self.worker}.jsonl" if self.worker else f"{fingerprint}.jsonl"
        files = sorted((self.path / "answers").glob(f"{fingerprint}*.jsonl"))
        return [path for path in files if path.name != own]

    def part_count(self, rows: int) -> int:
        """Return the number of parts of a language's tables, fixed by the first build's number of prompts."""
        state = read_json(self.path / "workdir.json")
        if "parts" not in state:
            state["parts"] = max(1, -(-rows // ROWS_PER_PART))
            write_json(self.path / "workdir.json", state)
        return int(state["parts"])

    def table(self, *names: str, parts: int) -> list[Part]:
        """Return the parts of a table, e.g. `table("prompts", "deu_Latn", parts=4)`, made or not."""
        folder = self.path.joinpath("tables", *names)
        return [Part(folder / f"{number:04}.parquet") for number in range(parts)]

    def import_counts(self, *names: str) -> Path:
        """Return the file that counts the rows of an imported table, beside the table's own folder."""
        return self.path.joinpath("tables", *names[:-1], f"{names[-1]}.json")

    def resolve(self, model: str, revision: str = "main") -> ResolvedModel:
        """Pin a model for all runs of this work dir; see `resolve_model`."""
        return resolve_model(model, revision, self.path / "lock.json", self.update_revisions)


def _lock_folder(folder: Path, holder: str) -> IO[str]:
    """Lock a folder for this process until the returned file is closed; the file names the holder."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "a+")  # noqa: SIM115 - it stays open as long as the lock is held
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        other = lock.read().strip() or "another process"
        lock.close()
        raise InputError(f"{folder}: in use by {other}; one work dir, one run") from None
    lock.seek(0)
    lock.truncate()
    lock.write(holder)
    lock.flush()
    return lock
