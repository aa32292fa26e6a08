"""A text put together again: its marks and line breaks restored, its sentences replaced and joined."""

import re
from collections.abc import Sequence

import regex

from polypref.builders.text.parse import Piece
from polypref.builders.text.sentences import MARK, SPACES, Break, Gap, Sentence, mark_at, without_marks
from polypref.builders.text.spans import lost_reason
from polypref.languages.codes import language

BRACE = re.compile("[{}｛｝]")


def restore(sentence: Sentence, translation: str) -> tuple[str, list[str]]:
    """Return a sentence's translation with its spans and line breaks back in place, and its faults.

    The faults are marks that are lost (lost_code, lost_url …), that appear more than once (doubled_span)
    or in another order (reordered_spans), and marks and braces that stand for nothing (unrestored).
    """
    spans = sentence.spans
    numbers = [int(number) for number in MARK.findall(translation)]
    faults = []
    for number, span in enumerate(spans):
        if number not in numbers:
            faults.append(lost_reason(span.kind))
        elif numbers.count(number) > 1:
            faults.append("doubled_span")
    unknown_marks = any(number >= len(spans) for number in numbers)
    if unknown_marks or BRACE.search(without_marks(translation)):
        faults.append("unrestored")
    if not faults:
        texts = [spans[number].text for number in numbers]
        if texts != [span.text for span in spans]:  # two spans of one text may change places
            faults.append("reordered_spans")

    def span_text(mark: regex.Match[str]) -> str:
        number = int(mark[1])
        return spans[number].text if number < len(spans) else ""

    return MARK.sub(span_text, _with_breaks(translation, sentence.breaks)), faults


def rebuild(pieces: Sequence[Piece], translations: Sequence[str], code: str) -> str:
    """Return the text with its sentences replaced, joined as the language `code` joins them.

    In Chinese and Japanese there is no space between sentences, unless the first one ends in an ASCII
    character, as a URL does.
    """
    text = ""
    spaced = language(code).sentence_spaces
    remaining = iter(translations)
    for piece in pieces:
        match piece:
            case str():
                text += piece
            case Sentence():
                text += next(remaining)
            case Gap():
                if spaced or "\n" in piece.text:
                    text += piece.text
                elif text[-1:].isascii():
                    text += " "
    return text


def _with_breaks(translation: str, breaks: Sequence[Break]) -> str:
    """Return a translation with the line breaks of its source, the last one first.

    Each takes the place of the space nearest to its share of the length. Where no space is near, as in
    scripts without spaces, it stands between two characters, but not within a mark.
    """
    for share, text in reversed(breaks):
        target = round(share * len(translation))
        start = end = target
        spaces = [space.span() for space in SPACES.finditer(translation) if "\n" not in space[0]]
        nearest = min(spaces, key=lambda space: abs(space[0] - target), default=None)
        if nearest is not None and abs(nearest[0] - target) <= max(20, len(translation) // 4):
            start, end = nearest
        else:
            mark = mark_at(target, translation)
            if mark is not None:
                start = end = mark.end()
        translation = translation[:start] + text + translation[end:]
    return translation
