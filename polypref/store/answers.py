"""The answer log: the answers of an engine by the keys of their requests, so that nothing is asked twice.

A record is one line, a checksum and a JSON list of [key, answer] pairs, written by one write(): a kill or a
full disk leaves a whole line or a torn last one, which the next opening cuts off. Answers that were computed
in one batch are one record. A line that was damaged later is named and skipped, so that its answers are asked
again.
"""

import codecs
import errno
import json
import os
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polypref.store.index import AnswerIndex, Place
from polypref.store.storage import storage_errors

SYNC_EVERY = 64  # answers
SYNC_SECONDS = 1.0
# The index is saved after so many answers, or a share of its own length if that is more: a save takes 0.7 s
# for a million. What came since is read again after a kill, 50,000 answers in 0.3 s.
SAVE_EVERY = 50_000
SAVE_SHARE = 20
# While a log is read, less often: it takes 40 MB of memory, and every saved record slows down those to come.
SAVE_EVERY_READ = 500_000
SAVE_LEAST = 1000  # answers: fewer are read again in no time
TAIL = 4096  # bytes of a file before the point up to which it is indexed, which tell a file that was replaced
_RECORD = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
INDEX_FORMAT = 3
KINDS: dict[str, type] = {"text": str, "error": str, "tokens": int, "prompt_tokens": int}
Answers = Sequence[tuple[str, dict[str, Any]]]


def encode_line(answers: Answers) -> bytes:
    """Return a line of the log: the CRC-32 of the JSON that follows it, as 8 hex digits, and the JSON."""
    text = _RECORD.encode(answers).encode("utf-8", "surrogatepass")
    return b"%08x %b\n" % (zlib.crc32(text), text)


def decode_line(line: bytes) -> Answers | None:
    """Return the answers in a line of the log, or None if it is damaged.

    Lines that polypref 0.2 wrote have no checksum.
    """
    # An editor may have left a byte order mark, or line ends of its own.
    line = line.removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n")
    checksum, _, text = line.partition(b" ")
    has_checksum = not line.startswith(b"[")
    if not has_checksum:
        text = line
    elif checksum != b"%08x" % zlib.crc32(text):
        return None
    try:
        answers: Answers = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return answers if has_checksum or _are_answers(answers) else None


def _are_answers(content: Any) -> bool:
    """Tell whether JSON that no checksum vouches for is a list of [key, answer] pairs."""
    if not isinstance(content, list):
        return False
    for pair in content:
        match pair:
            case [str(), dict(answer)]:
                for name, value in answer.items():
                    if not isinstance(value, KINDS.get(name, object)):
                        return False
            case _:
                return False
    return True


@dataclass(eq=False)
class LogFile:
    """One file of the log; `end` is where the next line to index begins, after so many `lines`.

    `source` is where its lines were copied from.
    """

    path: Path
    descriptor: int
    end: int = 0
    lines: int = 0
    source: Path | None = None

    def new_lines(self) -> Iterator[bytes]:
        """Yield the lines from `end` on; the last one may lack its newline."""
        with open(self.path, "rb") as file:
            file.seek(self.end)
            yield from file

    def tail_checksum(self, end: int) -> int:
        """Return the CRC-32 of the TAIL bytes before `end`."""
        start = max(0, end - TAIL)
        return zlib.crc32(os.pread(self.descriptor, end - start, start))


class AnswerLog:
    """The log of one engine fingerprint.

    Only this process writes the file `path`; the files of `others` are read. `spent` adds up the numbers in
    the answers that are called tokens and prompt_tokens. `index` is the index's file, or None to index in
    memory; only the process that holds the work dir's lock may save it.
    """

    sync_every, sync_seconds = SYNC_EVERY, SYNC_SECONDS

    def __init__(
        self,
        path: Path,
        others: Sequence[Path] = (),
        index: Path | None = None,
        saves_index: bool = False,
    ) -> None:
        self.path, self._index_path, self._saves_index = path, index, saves_index
        self.spent = {"tokens": 0, "prompt_tokens": 0}
        self.successes = 0  # answers that are no failures
        self.damaged: list[str] = []  # FILE:LINE of the lines that were skipped
        self._index = AnswerIndex()
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._own = LogFile(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644))
        self._files = [self._own]  # by their number in the index
        self._unsynced, self._synced_at = 0, time.monotonic()
        # An fsync takes as long as hundreds of answers, so it does not run on the event loop.
        self._syncer = ThreadPoolExecutor(1, "fsync")
        self._syncing: Future[None] | None = None
        self._last: tuple[Place, dict[str, dict[str, Any]]] | None = None  # the record that was read last
        self._add_files(others)
        self._load_index()
        if self._read(self._own):
            os.truncate(self._own.descriptor, self._own.end)
        self.refresh(others)

    def refresh(self, others: Sequence[Path]) -> None:
        """Read what other writers have added."""
        self._add_files(others)
        for file in self._files:
            if file is not self._own:
                self._read(file)

    def _add_files(self, others: Sequence[Path]) -> None:
        known = {file.path for file in self._files}
        for path in others:
            if path not in known:
                self._files.append(LogFile(path, os.open(path, os.O_RDONLY)))

    def _load_index(self) -> None:
        """Take over the saved index if it was made from these files; if not, they are read from the start."""
        index = AnswerIndex(self._index_path)
        if index.state is None or index.state.get("format") != INDEX_FORMAT:
            return
        files = {file.path.name: file for file in self._files}
        for name, end, _, checksum in index.state["files"]:
            if name not in files or files[name].tail_checksum(end) != checksum:
                return
        self._index, self.spent, self.successes = index, index.state["spent"], index.state["successes"]
        numbered = []
        for name, end, lines, _ in index.state["files"]:
            file = files.pop(name)
            file.end, file.lines = end, lines
            numbered.append(file)
        self._files = [*numbered, *files.values()]

    def _read(self, file: LogFile) -> bool:
        """Index a file from where it was read to; return True if it ends with a torn line."""
        for line in file.new_lines():
            if not line.endswith(b"\n"):
                return True
            self._enter(line, decode_line(line), file)
            if len(self._index.recent) >= SAVE_EVERY_READ:
                self._save_index()
        return False

    def _enter(self, line: bytes, answers: Answers | None, file: LogFile) -> None:
        """Index the next line of a file; without answers it is damaged."""
        file.lines += 1
        if answers is None:
            place = f"{file.source or file.path}:{file.lines}"
            if place not in self.damaged:
                self.damaged.append(place)
                print(f"polypref: {place}: a damaged line; its answers are asked again", file=sys.stderr)
        number = self._files.index(file)
        for key, answer in answers or ():
            is_failure = "error" in answer
            if self._index.add(key, Place(number, file.end, len(line), is_failure)):
                self.successes += not is_failure
                for name in self.spent:
                    self.spent[name] += answer.get(name, 0)
        file.end += len(line)

    def _save_index(self) -> None:
        if self._index_path and self._saves_index:
            files = []
            for file in self._files:
                files.append((file.path.name, file.end, file.lines, file.tail_checksum(file.end)))
            state = {"format": INDEX_FORMAT, "files": files, "spent": self.spent, "successes": self.successes}
            with storage_errors(self._index_path):
                self._index.save(self._index_path, state)

    def _index_again(self) -> None:
        """Make the index again from the log, after a line in it was found damaged."""
        self._index, self._last = AnswerIndex(), None
        self.spent, self.successes = dict.fromkeys(self.spent, 0), 0
        for file in self._files:
            file.end = file.lines = 0
            self._read(file)
        self._save_index()

    def __contains__(self, key: str) -> bool:
        return key in self._index

    def __len__(self) -> int:
        return len(self._index)

    def is_failure(self, key: str) -> bool:
        """Tell whether the answer to the request with this key is a failure that was kept."""
        place = self._index.get(key)
        return place is not None and place.is_failure

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the answer to the request with this key, or None.

        A line that turns out to be damaged is skipped from then on.
        """
        place = self._index.get(key)
        if place is None:
            return None
        if self._last is None or self._last[0] != place:
            answers = decode_line(os.pread(self._files[place.file].descriptor, place.length, place.offset))
            if answers is None:
                self._index_again()
                return self.get(key)
            # If a key is twice in a record, its first answer counts, so that one has to be entered last.
            self._last = place, dict(reversed(answers))
        return self._last[1].get(key)

    def add(self, answers: Answers) -> None:
        """Keep answers that belong together as one record.

        Raises Unavailable if the disk is full; the log is then as it was.
        """
        line = encode_line(answers)
        with storage_errors(self.path):
            written = os.write(self._own.descriptor, line)
            if written != len(line):
                os.truncate(self._own.descriptor, self._own.end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._enter(line, answers, self._own)
        if len(self._index.recent) >= max(SAVE_EVERY, len(self._index) // SAVE_SHARE):
            self._save_index()
        self._unsynced += len(answers)
        if self._unsynced >= self.sync_every or time.monotonic() - self._synced_at > self.sync_seconds:
            self._sync_soon()

    def _sync_soon(self) -> None:
        if self._syncing is None or self._syncing.done():
            self._unsynced, self._synced_at = 0, time.monotonic()
            self._syncing = self._syncer.submit(self._flush)

    def _flush(self) -> None:
        os.fsync(self._own.descriptor)

    def sync(self) -> None:
        """Return when all answers are on the disk."""
        with storage_errors(self.path):
            self._syncer.submit(self._flush).result()

    def close(self) -> None:
        self.sync()
        if len(self._index.recent) >= SAVE_LEAST:
            self._save_index()
        self._syncer.shutdown()
        for file in self._files:
            os.close(file.descriptor)
