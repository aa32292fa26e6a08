"""What a person sees while a stage works: a bar in a terminal, a line a minute without one."""

import sys
import time
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

LINE_SECONDS = 60.0


class Progress:
    """`with Progress("complete strong", rows) as progress: …`; rows, tokens a second and what was rejected, with its reasons."""

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total = title, total
        self.rows = self.tokens = self.calls = self.incomplete = 0
        self.rejected: Counter[str] = Counter()
        self._console = Console(stderr=True)
        self._started = self._said = time.monotonic()
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

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self._bar.update(self._task, total=self.rows, completed=self.rows)
        self._bar.stop()
        if not self._console.is_terminal:
            self._line("stopped" if error else "done")

    def advance(self, rows: int, rejected: Mapping[str, int], incomplete: int) -> None:
        """A part is there, made or found."""
        self.rows += rows
        self.rejected.update(rejected)
        self.incomplete += incomplete
        self._show()

    def answered(self, calls: int, tokens: int) -> None:
        """An engine gave new answers."""
        self.calls += calls
        self.tokens += tokens
        self._show()

    def note(self) -> str:
        """Tokens a second, calls and rejections so far, in words."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        words = [f"{self.calls:,} answers"] if self.calls else []
        words += [f"{self.tokens / seconds:,.0f} tokens/s"] if self.tokens else []
        words += [f"rejected {sum(self.rejected.values()):,}: {_list(self.rejected)}"] if self.rejected else []
        words += [f"incomplete {self.incomplete:,}"] if self.incomplete else []
        return ", ".join(words)

    def _show(self) -> None:
        self._bar.update(self._task, completed=self.rows, note=self.note())
        if not self._console.is_terminal and time.monotonic() - self._said > LINE_SECONDS:
            self._line("so far")

    def _line(self, word: str) -> None:
        self._said = time.monotonic()
        note = self.note()
        print(
            f"{self.title}: {self.rows:,} of {self.total:,} rows {word}, {self._said - self._started:.1f} s"
            + (f"; {note}" if note else ""),
            file=sys.stderr,
            flush=True,
        )


def _list(reasons: Counter[str]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common(4))
