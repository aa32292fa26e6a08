"""The progress of a stage, in rows: live in a terminal, lines in a log, a file for `polypref status`."""

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from polypref.files import write_atomically

LINE_SECONDS = 60.0  # between lines in a log
FIRST_LINE = 10.0  # seconds after which a log has its first line
SHOW_SECONDS = 0.2  # between updates of the display
FILE_SECONDS = 1.0
BAR_WIDTH = 24
REASONS = 4  # the most common ones are named


class Progress:
    """Counts of one stage: `with Progress("complete strong", rows) as progress: …`.

    Rows are counted in one place, by whatever completes them (`advance`); answers, which may be more or fewer
    than rows, are counted by the pool (`answered`). `total` is an upper bound, as earlier stages may reject
    rows. The file at `path` is gone when the stage ends.
    """

    def __init__(
        self, title: str, total: int, path: Path | None = None, console: Console | None = None
    ) -> None:
        self.title, self.total, self.path = title, total, path
        self.rows = self.answers = self.tokens = self.incomplete = self.at_once = 0
        self.cost = 0.0
        self.rejected: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self._skipped = 0
        self._waiting, self._has_waited = "", False  # why calls wait now, and whether they ever did
        self._note = ""  # as last shown: the display's own thread must not walk the counters
        self._console = console or Console(stderr=True)
        self._started = time.monotonic()
        self._logged_at = self._started - LINE_SECONDS + FIRST_LINE
        self._shown_at = self._filed_at = 0.0
        self._live = Live(get_renderable=self._render, console=self._console)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.total = self.rows
        self._note = self.note()
        self._live.stop()
        if self.path:
            self.path.unlink(missing_ok=True)
        if not self._console.is_terminal:
            self._log("stopped" if error else "done")

    def advance(self, rows: int, rejected: Mapping[str, int], incomplete: int) -> None:
        """Count rows that are done, those rejected among them, and what has no answer for now."""
        self.rows += rows
        self.rejected.update(rejected)
        self.incomplete += incomplete
        self.show()

    def skip(self, rows: int, rejected: Mapping[str, int]) -> None:
        """Count rows that an earlier run has done; they say nothing about the time that is left."""
        self._skipped += rows
        self.advance(rows, rejected, incomplete=0)

    def answered(self, answers: int, tokens: int, cost: float = 0.0) -> None:
        """Count new answers of an engine."""
        self.answers += answers
        self.tokens += tokens
        self.cost += cost
        self.show()

    def failed(self, reason: str) -> None:
        """Count a call that failed for now."""
        self.failures[reason] += 1
        self.show()

    def wait(self, reason: str) -> None:
        """Show why calls wait; "" when they go on."""
        self._waiting = reason
        self.show()
        if reason and not self._has_waited and not self._console.is_terminal:
            self._log("so far")  # at once, so that a log does not look as if nothing went on
        self._has_waited = self._has_waited or bool(reason)

    def note(self) -> str:
        """Return the counts beside rows: answers, tokens, cost, calls at once, rejections and failures."""
        seconds = max(self._seconds(), 1e-9)
        words = [self._waiting] if self._waiting else []
        if self.answers:
            words.append(f"{self.answers:,} answers ({self.answers / seconds:,.1f}/s)")
        if self.tokens:
            words.append(f"{self.tokens / seconds:,.0f} tokens/s")
        if self.cost:
            words.append(f"cost {self.cost:,.{2 if self.cost >= 1 else 4}f}")
        if self.at_once:
            words.append(f"{self.at_once} at once")
        if self.rejected:
            words.append(f"{self.rejected.total():,} rejected ({_list_reasons(self.rejected)})")
        if self.failures:
            words.append(f"{self.failures.total():,} failed ({_list_reasons(self.failures)})")
        if self.incomplete:
            words.append(f"{self.incomplete:,} incomplete")
        return ", ".join(words)

    def counts(self, state: str) -> str:
        """Return the rows, the time and the estimate of the time that is left."""
        of_total = f" of {self.total:,}" if self.rows < self.total else ""
        words = f"{self.rows:,}{of_total} rows {state}, {_duration(self._seconds())}"
        made = self.rows - self._skipped
        if made and self.rows < self.total and state != "stopped":
            words += f", ETA {_duration(self._seconds() * (self.total - self.rows) / made)}"
        return words

    def line(self, state: str) -> str:
        """Return everything in one line."""
        note = self.note()
        return f"{self.title}: {self.counts(state)}" + (f"; {note}" if note else "")

    def show(self) -> None:
        """Update what is due; called with every change, and once a second while nothing changes."""
        now = time.monotonic()
        if now - self._shown_at < SHOW_SECONDS:
            return
        self._shown_at = now
        self._note = self.note()
        if self.path and now - self._filed_at > FILE_SECONDS:
            self._filed_at = now
            content = json.dumps({"at": time.time(), "line": self.line("so far")}, ensure_ascii=False)
            with write_atomically(self.path) as temporary:
                temporary.write_text(content, "utf-8")
        if not self._console.is_terminal and now - self._logged_at > LINE_SECONDS:
            self._log("so far")

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _render(self) -> Group:
        """Return the display: the title with a bar, and below it the counts, which wrap and are never cut."""
        head = Table.grid(padding=(0, 1))
        head.add_row(self.title, ProgressBar(total=max(self.total, 1), completed=self.rows, width=BAR_WIDTH))
        return Group(head, Text(self.counts("done")), Text(self._note, style="dim"))

    def _log(self, state: str) -> None:
        self._logged_at = time.monotonic()
        print(self.line(state), file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=int(seconds)))


def _list_reasons(reasons: Counter[str]) -> str:
    words = [f"{reason} {count:,}" for reason, count in reasons.most_common(REASONS)]
    others = reasons.total() - sum(count for _, count in reasons.most_common(REASONS))
    if others:
        words.append(f"others {others:,}")
    return ", ".join(words)
