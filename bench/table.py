"""How a topic prints what it found."""

from collections.abc import Iterable

Row = tuple[str, str, str, str]  # what, figure, reach, rival in the same run


def show(title: str, rows: Iterable[Row]) -> None:
    """Prints each row as soon as it is there."""
    print(f"\n{title}\n{'what':64} | {'figure':34} | {'reach':26} | rival in the same run", flush=True)
    for what, figure, reach, rival in rows:
        print(f"{what:64} | {figure:34} | {reach:26} | {rival}", flush=True)
