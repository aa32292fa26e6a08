"""Texts that run in circles."""

import regex

from builders.filters.subject import Finding, Subject
from cards.languages import language

MIN_UNITS = 24  # shorter texts may well repeat themselves: "ha ha ha", a three-word refrain
MAX_PERIOD = 32
TOKEN = regex.compile(r"[\w\p{M}]+|[^\w\s\p{M}]")


def repetition(subject: Subject, share: float) -> Finding:
    """The share of the text that one unbroken chain of the same 1 to 32 units covers, where it holds them three times or more.

    Units are words and marks, or characters where words are not spaced. "The capital of France is Paris." is 0, "no no no no …" near 1.
    """
    spaced = language(subject.language).spaced
    units = TOKEN.findall(subject.text) if spaced else [c for c in subject.text if not c.isspace()]
    if len(units) < MIN_UNITS:
        return Finding(0.0, False)
    covered = max(_longest_chain(units, period) for period in range(1, MAX_PERIOD + 1)) / len(units)
    return Finding(covered, covered > share)


def _longest_chain(units: list[str], period: int) -> int:
    """The longest stretch in which every unit equals the one `period` before it; a row of dashes or stars is none."""
    longest = run = 0
    for i in range(period, len(units)):
        run = run + 1 if units[i] == units[i - period] else 0
        if run > longest and any(unit[0].isalnum() for unit in units[i - period : i]):
            longest = run
    return longest + period if longest >= 2 * period else 0
