"""Letters of the writing systems, by ISO 15924 code, and those that stand for a syllable or a word."""

from functools import cache

import regex

# Scripts in which one letter stands for a syllable or a word, and their letters. The codes of all other
# scripts in languages.csv are names of Unicode scripts, too.
_DENSE_SCRIPTS = {
    "Hang": r"\p{Hangul}",
    "Hans": r"\p{Han}",
    "Hant": r"\p{Han}",
    "Jpan": r"[\p{Hiragana}\p{Katakana}\p{Han}]",
}
_DENSE = regex.compile("|".join(_DENSE_SCRIPTS.values()))


@cache
def is_in_script(letter: str, script: str) -> bool:
    """Return whether a letter belongs to the script with this ISO 15924 code."""
    return _pattern(script).match(letter) is not None


@cache
def is_dense(letter: str) -> bool:
    """Return whether a letter stands for a syllable or a word: Han, kana or Hangul."""
    return _DENSE.match(letter) is not None


@cache
def _pattern(script: str) -> regex.Pattern[str]:
    return regex.compile(_DENSE_SCRIPTS.get(script, rf"\p{{Script={script}}}"))
