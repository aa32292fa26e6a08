"""Sentences of prose as a translator is given them: one line each, with marks for what must survive.

A mark such as {0} stands for each span (spans.py), and the translator is to carry it over. Nothing is cut: a
sentence longer than a sentence model can take is split at its commas, at its spaces, or anywhere.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import regex

from polypref.builders.text.lines import has_letters
from polypref.builders.text.spans import find_spans

LONGEST = 400  # characters of a sentence: 100 tokens of English, whose translation fits 512 even at 5 for one

# {0}, and as translators write it back: { 0 }, ｛0｝, {٠}. \d stands for the digits of every script.
MARK = regex.compile(r"[{｛]\s*(\d{1,3})\s*[}｝]")
CLAUSE_END = re.compile(r"[,;:、，；：)\]–—]\s*(?=\S)")  # a comma or the like, with the spaces behind it
SPACES = re.compile(r"\s+")
LINE_BREAK = re.compile(r"\s*\n\s*")
SMALL_QUOTATION = re.compile(r"[\"“‘'«][a-z]")  # a quotation that begins with a small letter: “cat”


class HiddenSpan(NamedTuple):
    """A span that a mark stands for."""

    kind: str  # a key of spans.KINDS
    text: str


class Break(NamedTuple):
    """A line break within a sentence, of which its translation needs one too."""

    share: float  # of the sentence's length, at which it stands
    text: str  # with the spaces around it


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as a translator is given it: on one line, with marks numbered from 0."""

    text: str
    spans: tuple[HiddenSpan, ...] = ()  # by the numbers of their marks
    breaks: tuple[Break, ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """The space between two sentences of one line, which some languages do not write."""

    text: str


def without_marks(text: str) -> str:
    return str(MARK.sub("", text))


def mark_at(place: int, text: str) -> regex.Match[str] | None:
    """Return the mark that a cut at this place would go through."""
    for mark in MARK.finditer(text):
        if mark.start() < place < mark.end():
            return mark
    return None


def split_sentences(text: str) -> Iterator[str | Gap | Sentence]:
    """Yield the sentences of English prose, and what stands between them."""
    masked = ""
    hidden: list[HiddenSpan] = []
    place = 0
    for kind, start, end in find_spans(text):
        masked += f"{text[place:start]}{{{len(hidden)}}}"
        hidden.append(HiddenSpan(kind, text[start:end]))
        place = end
    masked += text[place:]
    for segment in _segments(masked):
        for part in _short_parts(segment):
            body = part.strip()
            start = len(part) - len(part.lstrip())
            yield Gap(part[:start])
            yield from _sentence(body, hidden)
            yield Gap(part[start + len(body) :])


def _segments(text: str) -> Iterator[str]:
    """Yield sentences with the spaces behind them, as sentencex splits English.

    A quotation in small letters goes on with the sentence before it: How often is it there? “cat” “cat”
    """
    from sentencex import segment

    sentence = ""
    for part in segment("en", text):
        if sentence and not SMALL_QUOTATION.match(part):
            yield sentence
            sentence = ""
        sentence += part
    yield sentence


def _short_parts(sentence: str) -> Iterator[str]:
    """Yield a sentence in parts of at most LONGEST characters.

    Each is cut after a clause if its last two thirds have one, else at a space, else anywhere but in a mark.
    """
    while len(sentence) > LONGEST:
        ends = list(CLAUSE_END.finditer(sentence, LONGEST // 3, LONGEST))
        if not ends:
            ends = list(SPACES.finditer(sentence, LONGEST // 3, LONGEST))
        cut = ends[-1].end() if ends else LONGEST
        mark = mark_at(cut, sentence)
        if mark is not None:
            cut = mark.start()
        yield sentence[:cut]
        sentence = sentence[cut:]
    yield sentence


def _sentence(body: str, hidden: Sequence[HiddenSpan]) -> Iterator[str | Gap | Sentence]:
    """Yield a sentence with its own marks numbered from 0, and the tags at its ends outside of it.

    Where no word is left to translate, the whole is kept as it is.
    """

    def shown(text: str) -> str:
        return str(MARK.sub(lambda mark: hidden[int(mark[1])].text, text))

    start, end = _without_outer_tags(body, hidden)
    if not has_letters(without_marks(body[start:end])):
        yield shown(body)
        return
    own = [hidden[int(number)] for number in MARK.findall(body[start:end])]
    numbers = iter(range(len(own)))
    text = MARK.sub(lambda _: f"{{{next(numbers)}}}", body[start:end])
    yield shown(body[:start])
    yield Sentence(LINE_BREAK.sub(" ", text), tuple(own), tuple(_breaks(text)))
    yield shown(body[end:])


def _without_outer_tags(body: str, hidden: Sequence[HiddenSpan]) -> tuple[int, int]:
    """Return (start, end) of a sentence without the tags and spaces at its two ends: <p>One word.</p>"""
    tags = [mark for mark in MARK.finditer(body) if hidden[int(mark[1])].kind == "tag"]
    start, end = 0, len(body)
    for tag in tags:
        if not body[start : tag.start()].strip():
            start = tag.end()
    for tag in reversed(tags):
        if tag.start() >= start and not body[tag.end() : end].strip():
            end = tag.start()
    inner = body[start:end]
    return start + len(inner) - len(inner.lstrip()), start + len(inner.rstrip())


def _breaks(text: str) -> list[Break]:
    """Return the line breaks of a sentence, at shares of its length once each of them is one space."""
    length = len(LINE_BREAK.sub(" ", text))
    breaks = []
    excess = 0  # characters of the breaks so far that are not in that length
    for gap in LINE_BREAK.finditer(text):
        breaks.append(Break((gap.start() - excess) / length, gap[0]))
        excess += len(gap[0]) - 1
    return breaks
