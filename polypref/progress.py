"""What a person sees while a stage works: a bar in a terminal, a line a minute without one, and a file for another terminal."""

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from polypref.files import write_atomically

LINE_SECONDS = 60.0
SHOW_SECONDS = 0.2
FILE_SECONDS = 1.0


class Progress:
    """`with Progress("complete strong", rows) as progress: …`; rows, calls, tokens, cost and what was rejected, with its reasons.

    `path` is a file that says the same once a second, for `polypref status`; gone when the stage is done.
    """

    def __init__(self, title: str, total: int, path: Path | None = None) -> None:
        self.title, self.total, self.path = title, total, path
        self.rows = self.tokens = self.calls = self.incomplete = self.at_once = 0
        self.cost = 0.0
        self.rejected: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self._console = Console(stderr=True)
        self._started = self._said = time.monotonic()
        self._shown = self._filed = 0.0
        self._bar = Bar(
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=self._console,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        self._task = self._bar.add_task(self.title, total=self.total, note="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.update(
            self._task, total=self.total if error else self.rows, completed=self.rows, note=self.note()
        )
        self._bar.stop()
        if self.path:
            self.path.unlink(missing_ok=True)
        if not self._console.is_terminal:
            self._line("stopped" if error else "done")

    def advance(self, rows: int, rejected: Mapping[str, int], incomplete: int) -> None:
        """A part is there, made or found."""
        self.rows += rows
        self.rejected.update(rejected)
        self.incomplete += incomplete
        self.show()

    def answered(self, calls: int, tokens: int, cost: float = 0.0) -> None:
        """An engine gave new answers."""
        self.calls += calls
        self.tokens += tokens
        self.cost += cost
        self.show()

    def failed(self, reason: str) -> None:
        """A call failed for now."""
        self.failures[reason] += 1
        self.show()

    def note(self) -> str:
        """Calls and tokens a second, cost, calls at once, rejections and failures so far, in words."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        words = [f"{self.calls:,} answers, {self.calls / seconds:,.1f}/s"] if self.calls else []
        words += [f"{self.tokens / seconds:,.0f} tokens/s"] if self.tokens else []
        words += [f"cost {self.cost:,.2f}"] if self.cost else []
        words += [f"{self.at_once} at once"] if self.at_once else []
        words += [f"rejected {self.rejected.total():,}: {_list(self.rejected)}"] if self.rejected else []
        words += [f"failed {self.failures.total():,}: {_list(self.failures)}"] if self.failures else []
        words += [f"incomplete {self.incomplete:,}"] if self.incomplete else []
        return ", ".join(words)

    def line(self, word: str) -> str:
        note = self.note()
        seconds = time.monotonic() - self._started
        return f"{self.title}: {self.rows:,} of {self.total:,} rows {word}, {seconds:.1f} s" + (
            f"; {note}" if note else ""
        )

    def show(self) -> None:
        """Shows what is due; called with every change, and once a second while nothing changes."""
        now = time.monotonic()
        if now - self._shown < SHOW_SECONDS:
            return
        self._shown = now
        self._bar.update(self._task, completed=self.rows, note=self.note())
        if self.path and now - self._filed > FILE_SECONDS:
            self._filed = now
            content = json.dumps({"at": time.time(), "line": self.line("so far")}, ensure_ascii=False)
            with write_atomically(self.path) as temporary:
                temporary.write_text(content, "utf-8")
        if not self._console.is_terminal and now - self._said > LINE_SECONDS:
            self._line("so far")

    def _line(self, word: str) -> None:
        self._said = time.monotonic()
        print(self.line(word), file=sys.stderr, flush=True)


def _list(reasons: Counter[str]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common(4))
