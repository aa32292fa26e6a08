"""Every answer an engine gave, by request key, in an append-only log: what was paid for is never asked again.

A record is one line, a JSON list of [key, answer] pairs, written by one write(): a line is there whole or, torn by a
kill or a full disk, not at all (the next opening cuts it off). Batches that were computed together are one record.
"""

import errno
import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from polypref.store.index import Index

SYNC_EVERY = 64
SYNC_SECONDS = 1.0
FILE_BITS = 48  # a place is an offset, and above it the number of the file
_RECORD = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class AnswerLog:
    """The log of one engine fingerprint. One writer a file; the files of `others` (workers that share the log) are only read.

    `spent` adds up the numbers in the answers that are called tokens and prompt_tokens.
    """

    sync_every, sync_seconds = SYNC_EVERY, SYNC_SECONDS

    def __init__(self, path: Path, others: Sequence[Path] = ()) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._files = [os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)]
        self._ends = [0]
        self._others = [path]
        self._index = Index()
        self.spent = {"tokens": 0, "prompt_tokens": 0}
        self._unsynced, self._synced_at = 0, time.monotonic()
        self._syncer = ThreadPoolExecutor(
            1, "fsync"
        )  # an fsync takes as long as some hundred answers: not on the event loop
        self._syncing: Future[None] | None = None
        self._last: tuple[int, dict[str, dict[str, Any]]] = (-1, {})
        if self._read(0):
            os.truncate(self._files[0], self._ends[0])
        self.refresh(others)

    def refresh(self, others: Sequence[Path]) -> None:
        """Takes in what other writers have added."""
        for path in others:
            if path not in self._others:
                self._others.append(path)
                self._files.append(os.open(path, os.O_RDONLY))
                self._ends.append(0)
        for number in range(1, len(self._files)):
            self._read(number)

    def _read(self, number: int) -> bool:
        """Indexes a file from where it was read to; whether it ends with a torn line."""
        for line in _lines(self._files[number], self._ends[number]):
            if not line.endswith(b"\n"):
                return True
            self._enter(json.loads(line), number, len(line))
        return False

    def _enter(self, answers: Sequence[tuple[str, dict[str, Any]]], number: int, length: int) -> None:
        for key, answer in answers:
            if self._index.add(key, number << FILE_BITS | self._ends[number], length):
                for name in self.spent:
                    self.spent[name] += answer.get(name, 0)
        self._ends[number] += length

    def __contains__(self, key: str) -> bool:
        return key in self._index

    def __len__(self) -> int:
        return len(self._index)

    def get(self, key: str) -> dict[str, Any] | None:
        """The answer kept under `key`, or None."""
        found = self._index.get(key)
        if found is None:
            return None
        place, length = found
        if self._last[0] != place:
            line = os.pread(self._files[place >> FILE_BITS], length, place & (1 << FILE_BITS) - 1)
            self._last = (
                place,
                dict(reversed(json.loads(line))),
            )  # of a key that stands twice in a record, the first
        return self._last[1].get(key)

    def add(self, answers: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Keeps answers that belong together as one record. Raises OSError, the log unchanged, where the disk is full."""
        line = _RECORD.encode(answers).encode("utf-8", "surrogatepass") + b"\n"
        written = os.write(self._files[0], line)
        if written != len(line):
            os.truncate(self._files[0], self._ends[0])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        self._enter(answers, 0, len(line))
        self._unsynced += len(answers)
        if self._unsynced >= self.sync_every or time.monotonic() - self._synced_at > self.sync_seconds:
            self._sync_soon()

    def _sync_soon(self) -> None:
        if self._syncing is None or self._syncing.done():
            self._unsynced, self._synced_at = 0, time.monotonic()
            self._syncing = self._syncer.submit(self._flush)

    def _flush(self) -> None:
        os.fsync(self._files[0])

    def sync(self) -> None:
        """Returns when all answers are on the disk."""
        self._syncer.submit(self._flush).result()

    def close(self) -> None:
        self.sync()
        self._syncer.shutdown()
        for file in self._files:
            os.close(file)


def _lines(file: int, start: int) -> Iterator[bytes]:
    """The lines of a file from `start` on, read in large blocks; the last one may lack its newline."""
    rest = b""
    while block := os.pread(file, 1 << 20, start):
        start += len(block)
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest
