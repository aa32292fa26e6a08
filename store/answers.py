"""Every answer an engine gave, by request key, in an append-only log: what was paid for is never asked again.

A record is one line, a JSON list of [key, answer] pairs, written by one write(): a line is there whole or, torn by a
kill or a full disk, not at all (the next opening cuts it off). Batches that were computed together are one record.
"""

import errno
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

SYNC_EVERY = 64
SYNC_SECONDS = 1.0


class AnswerLog:
    """The log of one engine fingerprint; not for two processes at once (the work dir's lock sees to that)."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "a+b", buffering=0)  # noqa: SIM115 - closed by close()
        self._where: dict[str, tuple[int, int]] = {}  # key -> (offset, position within the record)
        self._end = 0
        self._unsynced, self._synced_at = 0, time.monotonic()
        self._last: tuple[int, list[tuple[str, dict[str, Any]]]] = (-1, [])
        self._index()

    def _index(self) -> None:
        self._file.seek(0)
        for line in _lines(self._file):
            if not line.endswith(b"\n"):
                self._file.truncate(self._end)
                break
            for position, (key, _) in enumerate(json.loads(line)):
                self._where.setdefault(key, (self._end, position))
            self._end += len(line)

    def __contains__(self, key: str) -> bool:
        return key in self._where

    def __len__(self) -> int:
        return len(self._where)

    def get(self, key: str) -> dict[str, Any] | None:
        """The answer kept under `key`, or None."""
        if key not in self._where:
            return None
        offset, position = self._where[key]
        if self._last[0] != offset:
            self._file.seek(offset)
            self._last = (offset, json.loads(next(_lines(self._file))))
        return self._last[1][position][1]

    def add(self, answers: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Keeps answers that belong together as one record. Raises OSError, the log unchanged, where the disk is full."""
        line = json.dumps(answers, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
        written = self._file.write(line)
        if written != len(line):
            self._file.truncate(self._end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._file.name)
        for position, (key, _) in enumerate(answers):
            self._where.setdefault(key, (self._end, position))
        self._end += len(line)
        self._unsynced += len(answers)
        if self._unsynced >= SYNC_EVERY or time.monotonic() - self._synced_at > SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        os.fsync(self._file.fileno())
        self._unsynced, self._synced_at = 0, time.monotonic()

    def close(self) -> None:
        self.sync()
        self._file.close()


def _lines(file: Any) -> Iterator[bytes]:
    """The lines from the file's position on, read in large blocks; the last one may lack its newline."""
    rest = b""
    while block := file.read(1 << 20):
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest
