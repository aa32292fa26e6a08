"""What a work dir holds, read without its lock: for a look from another terminal."""

import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from polypref.errors import InputError
from polypref.store.parts import Part, PartInfo
from polypref.store.storage import read_json
from polypref.store.workdir import Workdir

SILENT_SECONDS = 10.0  # a run says something every second


def tables(workdir: Path) -> dict[str, list[tuple[str, PartInfo]]]:
    """By table (`prompts/translated`, `completions/strong-native`, …): the language and the account of every part."""
    root, found = workdir / "tables", dict[str, list[tuple[str, PartInfo]]]()
    for path in sorted(root.rglob("*.parquet")):
        about = Part(path).read_info()
        if about:
            found.setdefault(str(path.parent.parent.relative_to(root)), []).append((path.parent.name, about))
    return found


def running(workdir: Path) -> str | None:
    """What the run that is at work says of itself; None where there is none, or it was killed."""
    said = read_json(Workdir(workdir).progress)
    return str(said["line"]) if said and time.time() - said["at"] < SILENT_SECONDS else None


def spent(workdir: Path) -> list[str]:
    """A line an engine: calls, tokens and, where it has a price, cost, over all runs."""
    lines = []
    for engine in read_json(workdir / "spent.json").get("engines", {}).values():
        cost = f", cost {engine['cost']:,.2f}" if engine["cost"] else ""
        lines.append(
            f"{engine['name']}: {engine['calls']:,} answers, {engine['tokens']:,} tokens written, {engine['prompt_tokens']:,} read{cost}"
        )
    return lines


def print_status(workdir: Path) -> None:
    """Prints what is at work, a line a table, and what was spent. Raises InputError where there is no work dir."""
    found, now, lines = tables(workdir), running(workdir), spent(workdir)
    if not (found or now or lines):
        raise InputError(f"{workdir}: not a work dir, or nothing was made in it yet")
    if now:
        print(f"at work: {now}")
    for line in lines:
        print(line)
    table = Table(title=str(workdir), title_justify="left")
    for column in ("table", "languages", "parts", "rows", "kept", "incomplete", "rejected"):
        table.add_column(
            column, justify="left" if column in ("table", "rejected") else "right", no_wrap=column == "table"
        )
    for name, parts in found.items():
        rejected: Counter[str] = Counter()
        for _, about in parts:
            rejected.update(about.rejected)
        rows = sum(about.rows for _, about in parts)
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in rejected.most_common())
        counts = [
            len({code for code, _ in parts}),
            len(parts),
            rows,
            rows - rejected.total(),
            sum(about.incomplete for _, about in parts),
        ]
        table.add_row(name, *(f"{count:,}" for count in counts), reasons)
    if found:
        Console().print(table)
