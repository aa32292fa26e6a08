"""What became of every row: the funnels of facts.json as tables of languages and reasons whose rows add up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

ASIDE = {"not_sampled", "prompt_rejected"}  # left out, but by no judgement of the row


@dataclass(frozen=True, slots=True)
class Column:
    """One way for a row to end."""

    name: str
    kind: str  # "reason", "aside", "unaccounted" or "kept"
    step: str = ""  # its name in the funnel; nothing where it is computed
    stage: str = ""  # what is said above it


@dataclass(frozen=True, slots=True)
class FunnelTable:
    """A step's rows by language and by how they ended: in every line the first number is the sum of the others."""

    title: str
    columns: Sequence[Column]
    rows: Mapping[str, Sequence[int]]  # language -> rows at the start, then a number a column
    total: Sequence[int]

    def stages(self) -> list[tuple[str, int]]:
        """What stands above the columns, and over how many of them."""
        return [
            (stage, len(list(columns)))
            for stage, columns in groupby(self.columns, lambda column: column.stage)
        ]

    def ended(self, *kinds: str) -> int:
        """How many rows of all languages ended in columns of these kinds."""
        return sum(
            count for column, count in zip(self.columns, self.total[1:], strict=True) if column.kind in kinds
        )

    def ended_before_pairs(self) -> int:
        """How many prompts a filter rejected; those that made no pair are not among them."""
        counts = zip(self.columns, self.total[1:], strict=True)
        return sum(
            count
            for column, count in counts
            if column.kind == "reason" and not column.step.startswith("no pair: ")
        )


def prompt_table(funnels: Mapping[str, Mapping[str, int]]) -> FunnelTable | None:
    """Prompts: each ends as a pair, with the reason why it made none, or with the reason why it was left out."""
    return _table(funnels, "prompts", {"prompts: ": "prompt left out", "no pair: ": "no pair"}, "pairs")


def completion_tables(funnels: Mapping[str, Mapping[str, int]]) -> list[FunnelTable]:
    """A table a generator and origin: each completion is kept, or was left out for one reason."""
    steps = dict.fromkeys(
        step for funnel in funnels.values() for step in funnel if step.endswith(" completions")
    )
    made = (_table(funnels, step, {f"{step}: ": "completion left out"}, "") for step in steps)
    return [table for table in made if table]


def _table(
    funnels: Mapping[str, Mapping[str, int]], start: str, prefixes: Mapping[str, str], end: str
) -> FunnelTable | None:
    """`end` is the step that holds the kept rows; without one, they are what no reason took."""
    funnels = {code: funnel for code, funnel in funnels.items() if start in funnel}
    if not funnels:
        return None
    columns = []
    for prefix, stage in prefixes.items():
        steps = dict.fromkeys(
            step for funnel in funnels.values() for step in funnel if step.startswith(prefix)
        )
        for step in sorted(
            steps, key=lambda step: (-sum(funnel.get(step, 0) for funnel in funnels.values()), step)
        ):
            reason = step.removeprefix(prefix)
            columns.append(
                Column(reason.replace("_", " "), "aside" if reason in ASIDE else "reason", step, stage)
            )
    taken = {code: [funnel.get(column.step, 0) for column in columns] for code, funnel in funnels.items()}
    rest = {code: funnel[start] - sum(taken[code]) for code, funnel in funnels.items()}
    if end:
        kept = {code: funnel.get(end, 0) for code, funnel in funnels.items()}
        if any(rest[code] != kept[code] for code in funnels):
            columns.append(Column("unaccounted for", "unaccounted"))
            taken = {code: [*counts, rest[code] - kept[code]] for code, counts in taken.items()}
        rest = kept
    rows = {code: [funnel[start], *taken[code], rest[code]] for code, funnel in funnels.items()}
    total = [sum(counts) for counts in zip(*rows.values(), strict=True)]
    return FunnelTable(start, [*columns, Column(end or "kept", "kept", end)], rows, total)


def funnels_of(facts: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Every language's funnel in facts.json, those that have one."""
    return {code: about["funnel"] for code, about in facts["languages"].items() if about.get("funnel")}
