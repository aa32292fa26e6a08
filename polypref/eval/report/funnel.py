"""The funnel of a run as tables of languages by reasons, in which every line adds up."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from polypref.cards.funnel import FunnelRow, counts_by_language, kept_by_language, reasons, stages

NOT_JUDGED = {"not_sampled", "prompt_rejected"}  # reasons that say nothing about the row itself


@dataclass(frozen=True, slots=True)
class Column:
    """One way for a row to end, with its count in every language."""

    name: str
    kind: Literal["reason", "aside", "unaccounted", "kept"]
    counts: Mapping[str, int]
    heading: str = ""


@dataclass(frozen=True, slots=True)
class FunnelTable:
    """The rows that entered a stage, by language and by how they ended."""

    title: str
    entered: Mapping[str, int]  # language -> rows
    columns: Sequence[Column]

    def rows(self) -> dict[str, list[int]]:
        """Return a line for every language: the rows that entered, then a count per column; they add up."""
        rows = {}
        for code, entered in self.entered.items():
            rows[code] = [entered, *(column.counts.get(code, 0) for column in self.columns)]
        return rows

    def total(self) -> list[int]:
        """Return the sum of all lines."""
        return [sum(counts) for counts in zip(*self.rows().values(), strict=True)]

    def headings(self) -> list[tuple[str, int]]:
        """Return what stands above the columns, and over how many of them."""
        groups = groupby(self.columns, lambda column: column.heading)
        return [(heading, len(list(columns))) for heading, columns in groups]

    def ended(self, kind: str, heading: str | None = None) -> int:
        """Return how many rows of all languages ended in columns of this kind, below this heading or any."""
        ended = 0
        for column in self.columns:
            if column.kind == kind and heading in (None, column.heading):
                ended += sum(column.counts.values())
        return ended


def prompt_table(funnel: Sequence[FunnelRow], built: Collection[str]) -> FunnelTable | None:
    """Return how every prompt ended: as a pair, without one, or left out before; None without any prompt.

    `built` are the languages that the run made pairs of; kept prompts of other languages were not used there.
    """
    entered = _entered(funnel, "prompts")
    if not entered:
        return None
    columns = _reason_columns(funnel, "prompts", "prompt left out") + _reason_columns(
        funnel, "pairs", "no pair"
    )
    kept = Column("pairs", "kept", kept_by_language(funnel, "pairs"))
    not_built, unaccounted = {}, {}
    for code, rows in entered.items():
        missing = rows - sum(column.counts.get(code, 0) for column in (*columns, kept))
        if code in built:
            unaccounted[code] = missing
        else:
            not_built[code] = missing
    if any(not_built.values()):
        columns.append(Column("language not built", "aside", not_built))
    if any(unaccounted.values()):
        columns.append(Column("unaccounted for", "unaccounted", unaccounted))
    return FunnelTable("prompts", entered, [*columns, kept])


def completion_tables(funnel: Sequence[FunnelRow]) -> list[FunnelTable]:
    """Return a table for every generator and origin: its completions are kept or left out for one reason."""
    tables = []
    for stage in stages(funnel):
        if stage not in ("prompts", "pairs"):
            columns = _reason_columns(funnel, stage, "completion left out")
            kept = Column("kept", "kept", kept_by_language(funnel, stage))
            tables.append(FunnelTable(stage, _entered(funnel, stage), [*columns, kept]))
    return tables


def _entered(funnel: Sequence[FunnelRow], stage: str) -> dict[str, int]:
    return {code: sum(counts.values()) for code, counts in counts_by_language(funnel, stage).items()}


def _reason_columns(funnel: Sequence[FunnelRow], stage: str, heading: str) -> list[Column]:
    counts = counts_by_language(funnel, stage)
    columns = []
    for reason in reasons(funnel, stage):
        by_language = {code: by_reason.get(reason, 0) for code, by_reason in counts.items()}
        kind: Literal["aside", "reason"] = "aside" if reason in NOT_JUDGED else "reason"
        columns.append(Column(reason.replace("_", " "), kind, by_language, heading))
    return columns
