"""Texts that are in another language than theirs."""

from builders.filters.subject import Finding, Subject
from engines.language_id import verify


def wrong_language(subject: Subject, threshold: float) -> Finding:
    """The text's language is not the one it should be: P(language) is under `threshold`. Texts too short to tell pass."""
    verdict = verify(subject.text, subject.language, threshold)
    return Finding(verdict.probability, verdict.outcome == "no")
