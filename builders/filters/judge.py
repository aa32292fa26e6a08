"""Asks the filters of a recipe in their order; the first that rejects gives its name to the row's `rejected_by`."""

from collections.abc import Callable
from typing import Any

from builders.filters import language, repetition, text, translation
from builders.filters.subject import Finding, Subject
from store.config import Config


class Filters(Config):
    """One key a reason, in the order of asking, with its threshold; `null` or `false` switches a filter off."""

    empty: bool = True
    too_long: int | None = 20_000
    truncated: bool = True
    copied_source: float | None = 0.8
    wrong_language: float | None = 0.1
    repetition: float | None = 0.5


REASONS: dict[str, Callable[[Subject, Any], Finding]] = {
    "empty": text.empty,
    "too_long": text.too_long,
    "truncated": text.truncated,
    "copied_source": translation.copied_source,
    "wrong_language": language.wrong_language,
    "repetition": repetition.repetition,
}


def judge(subject: Subject, filters: Filters) -> tuple[list[dict[str, Any]], str | None]:
    """The measures (name, value) taken up to the first rejection, and the reason of it, or None."""
    measures: list[dict[str, Any]] = []
    for reason, ask in REASONS.items():
        threshold = getattr(filters, reason)
        if threshold is None or threshold is False:
            continue
        finding = ask(subject, threshold)
        measures.append({"name": reason, "value": float(finding.measure)})
        if finding.rejects:
            return measures, reason
    return measures, None
