"""The index of an answer log: where in the log's files each answer lies.

The keys of the answers up to some point of the log are sorted in one file, which is searched in place; a dict
holds those that came since, until the file is written again. A million answers take 30 MB on the disk and
next to no memory. The log is the only source: an index that is missing, damaged or does not fit the log is
made again from it.
"""

import heapq
import json
import mmap
import os
import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from polypref.files import write_atomically

KEY = 16  # bytes
# The key, the number of the log's file, the line's offset and length, and whether the answer is a failure.
RECORD = struct.Struct(f">{KEY}sHQI?")
CHECKSUM = 4  # bytes, at the end of the file: the CRC-32 of the records


class Place(NamedTuple):
    """A line of one of the log's files, and whether it holds a failure for the key."""

    file: int
    offset: int
    length: int
    is_failure: bool = False


class AnswerIndex:
    """Places by key, with those that `path` holds; `state` is what the caller saved with them, or None.

    A file that is missing or damaged counts as empty.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.state: dict[str, Any] | None = None
        self.recent: dict[bytes, bytes] = {}  # records that are not in the file yet
        self._replaced = 0  # saved records whose key is among the recent ones
        self._saved: mmap.mmap | bytes = b""
        self._start = 0  # where the records begin
        self._count = 0
        if path:
            self._open(path)

    def _open(self, path: Path) -> None:
        try:
            with open(path, "rb") as file:
                state = json.loads(file.readline())
                start = file.tell()
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (FileNotFoundError, ValueError):
            return
        end = len(content) - CHECKSUM
        with memoryview(content) as view:
            checksum = zlib.crc32(view[start:end]).to_bytes(CHECKSUM, "big")
        if checksum == content[end:]:
            self.state, self._saved = state, content
            self._start, self._count = start, (end - start) // RECORD.size

    def __len__(self) -> int:
        return self._count + len(self.recent) - self._replaced

    def __contains__(self, key: str) -> bool:
        return self._find(bytes.fromhex(key)) is not None

    def get(self, key: str) -> Place | None:
        record = self._find(bytes.fromhex(key))
        return Place(*RECORD.unpack(record)[1:]) if record else None

    def add(self, key: str, place: Place) -> bool:
        """Remember the place of a key and return True; leave a known answer as it is and return False.

        Only a failure is replaced, by an answer.
        """
        binary = bytes.fromhex(key)
        known = self._find(binary)
        if known is not None and (place.is_failure or not Place(*RECORD.unpack(known)[1:]).is_failure):
            return False
        if known is not None and binary not in self.recent:
            self._replaced += 1
        self.recent[binary] = RECORD.pack(binary, *place)
        return True

    def _find(self, key: bytes) -> bytes | None:
        record = self.recent.get(key)
        if record is None and self._count:
            record = self._record(bisect_left(range(self._count), key, key=self._key))
        return record if record and record.startswith(key) else None

    def _key(self, number: int) -> bytes:
        start = self._start + number * RECORD.size
        return self._saved[start : start + KEY]

    def _record(self, number: int) -> bytes:
        """Return a saved record; past the last one, the checksum, which is no record of any key."""
        start = self._start + number * RECORD.size
        return self._saved[start : start + RECORD.size]

    def _saved_records(self) -> Iterator[bytes]:
        """Yield the saved records that were not replaced."""
        for number in range(self._count):
            record = self._record(number)
            if not self._replaced or record[:KEY] not in self.recent:
                yield record

    def save(self, path: Path, state: dict[str, Any]) -> None:
        """Write all records and the state in place of the file, at once or not at all.

        It takes 0.7 s for a million answers.
        """
        with write_atomically(path) as temporary, open(temporary, "wb") as file:
            file.write(json.dumps(state).encode() + b"\n")
            checksum = 0
            for record in heapq.merge(self._saved_records(), sorted(self.recent.values())):
                file.write(record)
                checksum = zlib.crc32(record, checksum)
            file.write(checksum.to_bytes(CHECKSUM, "big"))
            file.flush()
            os.fsync(file.fileno())
        self.recent, self._replaced = {}, 0
        self._open(path)
