"""Language confusion: do completions stay in the language wanted, line by line (LPR) and word by word (WPR)?

After Marchisio et al. 2024 (arXiv 2406.20052). Not known here: words of other languages than English (WPR looks for no others), and where
Chinese and Japanese words end (two characters count as one).
"""

import string
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import regex

from polypref.languages.codes import PAPER_23, language
from polypref.languages.verify import verify

MIN_TOKENS = 5  # a shorter line is not judged
WORD = regex.compile(r"[\p{L}\p{M}]+")
LATIN = regex.compile(r"[a-z]+")
UNSPACED = ("Hans", "Hant", "Jpan", "Thai", "Laoo", "Khmr", "Mymr")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Confusion:
    """What one completion shows: whether it has a line to judge, one in another language, and an English word in its lines."""

    judged: bool
    wrong_line: bool
    english_word: bool


def confusion(
    completion: str,
    code: str,
    english: Collection[str] = (),
    identifier: str = "cascade",
    among: Sequence[str] = PAPER_23,
) -> Confusion:
    """One completion in the language `code`, up to a first "\\nQ:". `english`: words in lower case, the list of the benchmark."""
    lines = judged_lines(completion, code)
    wrong = any(verify(line, code, identifier=identifier, among=among).outcome == "no" for line in lines)
    words = {word for line in lines for word in LATIN.findall(line.lower()) if len(word) > 3}
    return Confusion(bool(lines), wrong, not words.isdisjoint(english))


def judged_lines(completion: str, code: str) -> list[str]:
    """The lines, without ASCII punctuation, of five words or more."""
    text = completion.split("\nQ:", 1)[0].strip().translate(_NO_PUNCTUATION)
    return [line for line in text.split("\n") if _words(line, code) >= MIN_TOKENS]


def line_pass_rate(found: Iterable[Confusion]) -> float | None:
    """LPR: the share of completions with a line to judge that have no line in another language; None where there is none."""
    judged = [one for one in found if one.judged]
    return sum(not one.wrong_line for one in judged) / len(judged) if judged else None


def word_pass_rate(found: Iterable[Confusion]) -> float | None:
    """WPR, of languages in other scripts than Latin: among completions that pass by lines, the share without an English word."""
    passed = [one for one in found if one.judged and not one.wrong_line]
    return sum(not one.english_word for one in passed) / len(passed) if passed else None


def _words(line: str, code: str) -> int:
    if language(code).script not in UNSPACED:
        return len(line.split())
    return sum(1 if word.isascii() else (len(word) + 1) // 2 for word in WORD.findall(line))
