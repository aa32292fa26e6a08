"""What a work dir holds, read without its lock: for a look from another terminal."""

from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cards.errors import InputError
from store.parts import About, Part


def tables(workdir: Path) -> dict[str, list[tuple[str, About]]]:
    """By table (`prompts/translated`, `completions/strong-native`, …): the language and the account of every part."""
    root, found = workdir / "tables", dict[str, list[tuple[str, About]]]()
    for path in sorted(root.rglob("*.parquet")):
        about = Part(path).about()
        if about:
            found.setdefault(str(path.parent.parent.relative_to(root)), []).append((path.parent.name, about))
    return found


def print_status(workdir: Path) -> None:
    """Prints a line a table. Raises InputError where there is no work dir."""
    found = tables(workdir)
    if not found:
        raise InputError(f"{workdir}: not a work dir, or nothing was made in it yet")
    table = Table(title=str(workdir), title_justify="left")
    for column in ("table", "languages", "parts", "rows", "kept", "incomplete", "rejected"):
        table.add_column(column, justify="left" if column in ("table", "rejected") else "right", no_wrap=column == "table")
    for name, parts in found.items():
        rejected: Counter[str] = Counter()
        for _, about in parts:
            rejected.update(about.rejected)
        rows = sum(about.rows for _, about in parts)
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in rejected.most_common())
        counts = [len({code for code, _ in parts}), len(parts), rows, rows - rejected.total(), sum(about.incomplete for _, about in parts)]
        table.add_row(name, *(f"{count:,}" for count in counts), reasons)
    Console().print(table)
