"""The answer log on object storage, where nothing can be appended to: numbered segments, one PUT each.

The segments are fetched into a file of this machine when the log is opened, so that looking up an answer
needs no call to the storage. New answers go to that file at once, and to the storage every SEGMENT_ANSWERS or
SEGMENT_SECONDS: if the machine is lost with its disk, the answers since then are lost and asked again.
"""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from polypref.store.answers import AnswerLog
from polypref.store.storage import storage_errors

SEGMENT_ANSWERS = 1000
SEGMENT_SECONDS = 5.0


class SegmentLog(AnswerLog):
    """The segments in `folder`; `writer` is a name that no other process writes under."""

    sync_every, sync_seconds = SEGMENT_ANSWERS, SEGMENT_SECONDS

    def __init__(self, folder: Path, writer: str) -> None:
        self._folder, self._writer = folder, f"{writer}-{time.time_ns():x}"
        self._segments = 0  # written
        self._uploaded = 0  # bytes of the local file that are in segments
        self._known: set[str] = set()  # names of segments that were fetched or written
        self._local = Path(tempfile.mkstemp(prefix="polypref-", suffix=".jsonl")[1])
        super().__init__(self._local, index=self._local.with_suffix(".index"), saves_index=True)

    def refresh(self, others: Sequence[Path] = ()) -> None:
        """Fetch the segments that other writers have added."""
        with storage_errors(self._folder):
            self._flush()
            self._folder.fs.invalidate_cache()  # type: ignore[attr-defined]
            for segment in sorted(self._folder.glob("*.jsonl"), key=lambda path: path.name):
                if segment.name not in self._known:
                    self._known.add(segment.name)
                    self._append(segment)
        self._uploaded = self._own.end

    def _append(self, segment: Path) -> None:
        content = segment.read_bytes()
        self._own.source, self._own.lines = segment, 0
        os.write(self._own.descriptor, content if content.endswith(b"\n") else content + b"\n")
        self._read(self._own)

    def _flush(self) -> None:
        """Write the answers since the last upload as one segment."""
        end = self._own.end
        if end > self._uploaded:
            name = f"{self._writer}-{self._segments:06}.jsonl"
            self._known.add(name)
            content = os.pread(self._own.descriptor, end - self._uploaded, self._uploaded)
            (self._folder / name).write_bytes(content)
            self._segments, self._uploaded = self._segments + 1, end

    def close(self) -> None:
        self._saves_index = False  # both files go
        super().close()
        self._local.unlink(missing_ok=True)
        self._local.with_suffix(".index").unlink(missing_ok=True)
