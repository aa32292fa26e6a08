"""The answer log on object storage, where nothing can be appended to: numbered segments, one PUT each.

What is there is fetched into a file of this machine when the log is opened, so that an answer is found without a call to
the storage. New answers go to that file at once and to the storage every SEGMENT_ANSWERS or SEGMENT_SECONDS: a machine
that is lost with its disk loses the answers since then, and they are asked again.
"""

import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from polypref.store.answers import AnswerLog

SEGMENT_ANSWERS = 1000
SEGMENT_SECONDS = 5.0


class SegmentLog(AnswerLog):
    """The segments in `folder`; `writer` is a name that no other process writes under."""

    sync_every, sync_seconds = SEGMENT_ANSWERS, SEGMENT_SECONDS

    def __init__(self, folder: Path, writer: str) -> None:
        self._folder, self._writer = folder, f"{writer}-{time.time_ns():x}"
        self._segments, self._sent = 0, 0
        self._fetched: set[str] = set()
        self._spool = Path(tempfile.mkstemp(prefix="polypref-", suffix=".jsonl")[1])
        super().__init__(self._spool)

    def refresh(self, others: Sequence[Path] = ()) -> None:
        """Fetches the segments that other writers have added."""
        self._upload()
        self._folder.fs.invalidate_cache()  # type: ignore[attr-defined]
        for segment in sorted(self._folder.glob("*.jsonl"), key=lambda path: path.name):
            if segment.name not in self._fetched:
                self._fetched.add(segment.name)
                for line in segment.read_bytes().splitlines(keepends=True):
                    os.write(self._files[0], line)
                    self._enter(json.loads(line), 0, len(line))
        self._sent = self._ends[0]

    def _flush(self) -> None:
        self._upload()

    def _upload(self) -> None:
        end = self._ends[0]
        if end > self._sent:
            name = f"{self._writer}-{self._segments:06}.jsonl"
            self._fetched.add(name)
            (self._folder / name).write_bytes(os.pread(self._files[0], end - self._sent, self._sent))
            self._segments, self._sent = self._segments + 1, end

    def close(self) -> None:
        super().close()
        self._spool.unlink(missing_ok=True)
