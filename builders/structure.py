"""What a text is made of: prose to translate, and what passes around the translator as it is.

Fenced code, blank lines, indentation and list markers are kept; prose is split into sentences, since sentence models
lose the later ones of a long input. It does not know inline code, URLs, placeholders or tables yet.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cards.languages import language

FENCE = re.compile(r"^\s*(```|~~~)")
MARKER = re.compile(r"^(\s*(?:(?:[-*+•]|\d{1,3}[.)]|#{1,6}|>+)\s+)*)(.*?)(\s*)$")
SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”’»)\]]*\s+(?=[\"“‘«(\[]*[A-Z0-9])")
ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|No|e\.g|i\.e|etc|cf|Fig|approx)|\b[A-Z])\.$")
LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what stands before and after its prose, and the prose in sentences (none: the line is kept as it is)."""

    before: str
    sentences: tuple[str, ...]
    after: str


def parse(text: str) -> list[Line]:
    """The lines of a text."""
    lines, fenced = [], False
    for line in text.split("\n"):
        fence = bool(FENCE.match(line))
        found = MARKER.match(line)
        if fence or fenced or found is None or not LETTER.search(found[2]):
            lines.append(Line(line, (), ""))
        else:
            lines.append(Line(found[1], tuple(sentences(found[2])), found[3]))
        fenced ^= fence
    return lines


def prose(lines: Sequence[Line]) -> list[str]:
    """The sentences to translate, in order."""
    return [sentence for line in lines for sentence in line.sentences]


def rebuilt(lines: Sequence[Line], translations: Sequence[str], code: str) -> str:
    """The text with its sentences replaced, joined as the language `code` joins them (without spaces in Chinese, Japanese, Thai …)."""
    left = iter(translations)
    joiner = " " if language(code).spaced else ""
    return "\n".join(line.before + joiner.join(next(left) for _ in line.sentences) + line.after for line in lines)


def sentences(text: str) -> Iterator[str]:
    """English prose in sentences: cut after a full stop, question or exclamation mark that a capital or a digit follows."""
    start = 0
    for end in SENTENCE_END.finditer(text):
        if not ABBREVIATION.search(text[start : end.start()]):
            yield text[start : end.end()].strip()
            start = end.end()
    yield text[start:].strip()
