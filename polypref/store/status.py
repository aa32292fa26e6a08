"""The content of a work dir, read without its lock: `polypref status`, also while a build is running."""

import textwrap
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from polypref.errors import InputError
from polypref.store.parts import Part, PartInfo
from polypref.store.storage import read_json
from polypref.store.workdir import Workdir

SILENT_SECONDS = 10.0  # a run writes its progress every second; after this long it was killed
WIDTH = 80
INDENT = " " * 12  # reasons stand under the counts


def read_tables(workdir: Path) -> dict[str, list[tuple[str, PartInfo]]]:
    """Return (language, facts) for every part, by table, such as `completions/strong-native`."""
    root = workdir / "tables"
    tables: dict[str, list[tuple[str, PartInfo]]] = {}
    for path in sorted(root.rglob("*.parquet")):
        info = Part(path).read_info()
        if info:
            name = str(path.parent.parent.relative_to(root))
            tables.setdefault(name, []).append((path.parent.name, info))
    return tables


def read_progress(workdir: Path) -> str | None:
    """Return the progress line of the run in a work dir; None if nothing is running."""
    progress = read_json(Workdir(workdir).progress)
    if not progress or time.time() - progress["at"] > SILENT_SECONDS:
        return None
    return str(progress["line"])


def read_spending(workdir: Path) -> list[str]:
    """Return a line for each engine: its answers, tokens and, if it has a price, the cost, over all runs."""
    lines = []
    for engine in read_json(workdir / "spent.json").get("engines", {}).values():
        line = f"{engine['name']}: {engine['calls']:,} answers, {engine['tokens']:,} tokens written"
        line += f", {engine['prompt_tokens']:,} read"
        if engine["cost"]:
            line += f", cost {engine['cost']:,.2f}"
        lines.append(line)
    return lines


def print_status(workdir: Path) -> None:
    """Print what is running, what was spent, and the rows of each table.

    Raises InputError if there is nothing of this.
    """
    tables, progress, spending = read_tables(workdir), read_progress(workdir), read_spending(workdir)
    if not (tables or progress or spending):
        raise InputError(f"{workdir}: not a work dir, or nothing was made in it yet")
    if progress:
        print(f"running: {progress}")
    for line in spending:
        print(line)
    if tables:
        print(f"{'rows':>11} {'kept':>11} {'incomplete':>10} {'languages':>9} {'parts':>5}  table")
    for name, parts in tables.items():
        _print_table(name, parts)


def _print_table(name: str, parts: Sequence[tuple[str, PartInfo]]) -> None:
    """Print a table's counts, its name, and below it the reasons of rejection."""
    languages = {code for code, _ in parts}
    rejected: Counter[str] = Counter()
    for _, info in parts:
        rejected.update(info.rejected)
    rows = sum(info.rows for _, info in parts)
    incomplete = sum(info.incomplete for _, info in parts)
    kept = rows - rejected.total()
    print(f"{rows:>11,} {kept:>11,} {incomplete:>10,} {len(languages):>9} {len(parts):>5}  {name}")
    if rejected:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in rejected.most_common())
        print(textwrap.fill(f"rejected: {reasons}", WIDTH, initial_indent=INDENT, subsequent_indent=INDENT))
