"""The tables that topics print."""

from collections.abc import Iterable
from typing import NamedTuple


class Row(NamedTuple):
    """One measurement."""

    measure: str
    figure: str
    goal: str = "-"
    rival: str = "-"  # what something else reached in the same run


def show(title: str, rows: Iterable[Row]) -> None:
    """Print a table, each row as soon as it is measured."""
    print(f"\n{title}\n{'measure':64} | {'figure':34} | {'goal':26} | rival in the same run", flush=True)
    for row in rows:
        print(f"{row.measure:64} | {row.figure:34} | {row.goal:26} | {row.rival}", flush=True)
