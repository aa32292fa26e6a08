"""Language confusion: how often completions stay in the wanted language, by lines (LPR) and by words (WPR).

After Marchisio et al. 2024 (arXiv 2406.20052). WPR looks for English words only. The paper segments Chinese
and Japanese words; here, where spaces do not separate words, two characters count as one.
"""

import string
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import regex

from polypref.languages.codes import PAPER_23, language
from polypref.languages.verify import verify

MIN_WORDS = 5  # of a line that is judged, as in the paper: identifiers are often wrong about shorter ones
WORD = regex.compile(r"[\p{L}\p{M}]+")
ENGLISH_WORD = regex.compile(r"[a-z]{4,}")  # shorter ones are words in many languages
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Confusion:
    """The faults of one completion, looked for in its judged lines only."""

    judged: bool  # it has a line long enough to judge
    wrong_line: bool  # one of them is in another language
    english_word: bool  # one of them has a word of the English list


def find_confusion(
    completion: str,
    code: str,
    english_words: Collection[str] = (),
    identifier: str = "cascade",
    among: Sequence[str] = PAPER_23,
) -> Confusion:
    """Judge one completion in the language `code`.

    It is judged up to a first "\\nQ:", from which a base model continues with questions of its own.
    `english_words` are in lower case, as the benchmark's list; `identifier` and `among` are those of
    `verify`.
    """
    lines = judged_lines(completion, code)
    verdicts = (verify(line, code, identifier=identifier, among=among) for line in lines)
    wrong_line = any(verdict.outcome == "no" for verdict in verdicts)
    words: set[str] = set()
    for line in lines:
        words.update(ENGLISH_WORD.findall(line.lower()))
    return Confusion(bool(lines), wrong_line, not words.isdisjoint(english_words))


def judged_lines(completion: str, code: str) -> list[str]:
    """Return the lines of five words or more, without ASCII punctuation."""
    text = completion.split("\nQ:", 1)[0].strip().translate(_NO_PUNCTUATION)
    return [line for line in text.split("\n") if _count_words(line, code) >= MIN_WORDS]


def line_pass_rate(completions: Iterable[Confusion]) -> float | None:
    """Return LPR: of the completions with a judged line, the share without one in another language.

    None if no completion has a judged line.
    """
    judged = [completion for completion in completions if completion.judged]
    if not judged:
        return None
    return sum(not completion.wrong_line for completion in judged) / len(judged)


def word_pass_rate(completions: Iterable[Confusion]) -> float | None:
    """Return WPR: of completions that pass by lines, the share without an English word; None if none pass.

    It is meant for languages in other scripts than Latin, whose words cannot be on the English list.
    """
    passed = [completion for completion in completions if completion.judged and not completion.wrong_line]
    if not passed:
        return None
    return sum(not completion.english_word for completion in passed) / len(passed)


def _count_words(line: str, code: str) -> int:
    if language(code).word_spaces:
        return len(line.split())
    return sum(1 if word.isascii() else (len(word) + 1) // 2 for word in WORD.findall(line))
