"""A text in units to count: words where spaces stand between them, characters where not."""

from collections.abc import Sequence

import regex

from polypref.languages.codes import LANGUAGES

WORD = regex.compile(r"[\w\p{M}]+")
NO_SPACES = ("Hans", "Hant", "Jpan", "Thai", "Laoo", "Khmr", "Mymr", "Tibt")
CODE = regex.compile(r"```.*?(?:```|\Z)|^\s*\|.*\|\s*$", regex.DOTALL | regex.MULTILINE)


def spaced(language: str) -> bool:
    known = LANGUAGES.get(language)
    return known is None or known.script not in NO_SPACES


def words(text: str, language: str) -> list[str]:
    """Words in lower case; where words are not spaced, letters and digits one by one."""
    if spaced(language):
        return list(WORD.findall(text.lower()))
    return [c for c in text.lower() if c.isalnum()]


def grams(units: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """All runs of `n` units, in order."""
    return list(zip(*(units[i:] for i in range(n)), strict=False))


def repeated(units: list[str], n: int) -> int:
    """How many runs of `n` units stood there before."""
    found = grams(units, n)
    return len(found) - len(set(found))
