"""Units of a text to count: words where spaces stand between them, characters where not."""

from collections.abc import Hashable, Sequence

import regex

from polypref.languages.codes import LANGUAGES

WORD = regex.compile(r"[\w\p{M}]+")  # \w lacks combining marks, which are vowels in many scripts
# Fenced code, to the end of the text where the fence is not closed, and lines of tables.
CODE = regex.compile(r"```.*?(?:```|\Z)|^\s*\|.*\|\s*$", regex.DOTALL | regex.MULTILINE)


def spaced(code: str) -> bool:
    """Return whether spaces stand between the words of a language; of an unknown code, they do."""
    language = LANGUAGES.get(code)
    return language is None or language.word_spaces


def words(text: str, code: str) -> list[str]:
    """Return the words in lower case; where spaces do not separate them, letters and digits one by one."""
    if spaced(code):
        return list(WORD.findall(text.lower()))
    return [character for character in text.lower() if character.isalnum()]


def grams(units: Sequence[str], n: int) -> Sequence[Hashable]:
    """Return all runs of `n` consecutive units, in order: tuples, or strings where the units are one."""
    if isinstance(units, str):
        return [units[i : i + n] for i in range(len(units) - n + 1)]
    shifted = [units[start:] for start in range(n)]
    return list(zip(*shifted, strict=False))


def repeated(units: Sequence[str], n: int) -> int:
    """Return how many runs of `n` units have occurred earlier in the text."""
    runs = grams(units, n)
    return len(runs) - len(set(runs))
