"""The funnel: how many rows of each language ended at each stage of a build, and why.

A funnel is a list of rows {"stage", "reason", "language", "count"}. A reason of None counts the rows that the
stage kept. A stage counts every row that reached it exactly once, so its counts add up to what came in. The
stages of a build are "prompts", one for each table of completions (such as "strong-native"), and "pairs",
where a reason says why a prompt has no pair. Prompts whose language is unknown are counted under the code
"und".
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from polypref.languages.codes import by_name

FunnelRow = Mapping[str, Any]
Funnel = list[FunnelRow]


def stage_rows(stage: str, language: str, kept: int, rejected: Mapping[str, int]) -> Funnel:
    """Return the funnel rows of one stage in one language; `rejected` is {reason: rows}."""
    counts = [(None, kept), *sorted(rejected.items())]
    return [
        {"stage": stage, "reason": reason, "language": language, "count": count} for reason, count in counts
    ]


def stages(funnel: Iterable[FunnelRow]) -> list[str]:
    """Return the stages in the order of the build."""
    names = dict.fromkeys(row["stage"] for row in funnel)
    # The sort is stable: tables of completions keep the order in which they first appear.
    return sorted(names, key=lambda name: (name != "prompts", name == "pairs"))


def counts_by_language(funnel: Iterable[FunnelRow], stage: str) -> dict[str, dict[str | None, int]]:
    """Return {language: {reason: rows}} of one stage, languages in the order of their English names."""
    counts: dict[str, dict[str | None, int]] = {}
    for row in funnel:
        if row["stage"] == stage:
            counts.setdefault(row["language"], {})[row["reason"]] = row["count"]
    return {code: counts[code] for code in by_name(counts)}


def reasons(funnel: Iterable[FunnelRow], stage: str) -> list[str]:
    """Return the reasons of one stage, those with the most rows first."""
    totals: Counter[str] = Counter()
    for row in funnel:
        if row["stage"] == stage and row["reason"] is not None:
            totals[row["reason"]] += row["count"]
    return sorted(totals, key=lambda reason: (-totals[reason], reason))


def kept_by_language(funnel: Iterable[FunnelRow], stage: str) -> dict[str, int]:
    """Return {language: rows that one stage kept}."""
    return {
        row["language"]: row["count"] for row in funnel if row["stage"] == stage and row["reason"] is None
    }


def rejected_by_reason(funnel: Iterable[FunnelRow]) -> dict[str, dict[str, int]]:
    """Return {reason: {language: rows}} over all stages."""
    rejected: dict[str, Counter[str]] = {}
    for row in funnel:
        if row["reason"] is not None:
            rejected.setdefault(row["reason"], Counter())[row["language"]] += row["count"]
    return {reason: dict(counts) for reason, counts in rejected.items()}


def without_languages(funnel: Iterable[FunnelRow], codes: Iterable[str]) -> Funnel:
    """Return the rows of all languages but `codes`."""
    left_out = set(codes)
    return [row for row in funnel if row["language"] not in left_out]
