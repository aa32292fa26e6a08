"""Translations that are none."""

import re
import unicodedata

from builders.filters.subject import Finding, Subject

WORD = re.compile(r"\w+")
MIN_WORDS = 4  # a name, a number, a word of a common stock may be the same in both languages


def copied_source(subject: Subject, share: float) -> Finding:
    """The share of the source's words that stand in the translation as they are, where source and language differ."""
    if subject.source is None or subject.language == "eng_Latn":
        return Finding(0.0, False)
    source, target = _words(subject.source), set(_words(subject.text))
    copied = sum(word in target for word in source) / len(source) if source else 0.0
    return Finding(copied, len(source) >= MIN_WORDS and copied > share)


def _words(text: str) -> list[str]:
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())
