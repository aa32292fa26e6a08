"""Texts that run in circles."""

import re
from collections import Counter

from builders.filters.subject import Finding, Subject
from cards.languages import language

MIN_UNITS = 24  # shorter texts may well repeat themselves: "ha ha ha", a three-word refrain
TOKEN = re.compile(r"\w+|[^\w\s]")


def repetition(subject: Subject, share: float) -> Finding:
    """The share of the text that the most repeated run of 1 to 8 units covers in one unbroken chain; units are words, or
    characters where words are not spaced. "The capital of France is Paris." is 0, "no no no … no" is near 1."""
    spaced = language(subject.language).spaced
    units = TOKEN.findall(subject.text) if spaced else [c for c in subject.text if not c.isspace()]
    if len(units) < MIN_UNITS:
        return Finding(0.0, False)
    covered = max(_longest_chain(units, period) for period in range(1, 9)) / len(units)
    return Finding(covered, covered > share)


def _longest_chain(units: list[str], period: int) -> int:
    """The length of the longest stretch in which every unit equals the one `period` before it, at least three rounds long."""
    longest = run = 0
    for i in range(period, len(units)):
        run = run + 1 if units[i] == units[i - period] else 0
        longest = max(longest, run)
    whole = longest + period
    return whole if whole >= 3 * period and _varied(units) else 0


def _varied(units: list[str]) -> bool:
    """Whether the text has letters at all: a table's rule ("-----") or a row of stars is not degeneration."""
    return any(unit.isalpha() for unit, _ in Counter(units).most_common(3))
