"""Pieces of a text: sentences to translate, and what passes around the translator as it is.

Whole lines pass, the beginnings and ends of lines (lines.py), and the borders of tables; within a
sentence, spans do (sentences.py). A paragraph that was wrapped by hand is read as one, and its
translation is broken at the same shares of its length. rebuild.py puts translations back in place.
"""

import re
from collections.abc import Iterator, Sequence

from polypref.builders.text.lines import Line, kept_lines, split_line, split_lines
from polypref.builders.text.sentences import Gap, Sentence, split_sentences
from polypref.builders.text.spans import find_spans

# Characters of a line that a person may have wrapped; a shorter one ends where it is meant to.
WRAPPED_FROM = 50
# What separates cells: " | ", but not "\|" (group 1); or a tab or three spaces between columns (group 2).
COLUMN = re.compile(r"(\s*(?<!\\)\|\s*)|(\t+|\s{3,})")

Piece = str | Gap | Sentence  # a string is kept as it is


def parse(text: str) -> list[Piece]:
    """Return the pieces of an English text, in order."""
    lines = split_lines(text)
    kept = kept_lines(lines)
    pieces: list[Piece] = []
    first = 0
    while first < len(lines):
        if kept[first]:
            pieces += [lines[first].text, lines[first].end]
            first += 1
            continue
        end = first + 1
        while end < len(lines) and not kept[end] and _is_wrapped(lines[end - 1], lines[end]):
            end += 1
        pieces += _paragraph(lines[first:end])
        first = end
    return [piece for piece in pieces if piece not in ("", Gap(""))]


def sentences(pieces: Sequence[Piece]) -> list[Sentence]:
    """Return the pieces that a translator is asked for, in order."""
    return [piece for piece in pieces if isinstance(piece, Sentence)]


def _is_wrapped(line: Line, following: Line) -> bool:
    """Return whether a sentence goes on in the following line, as where a person wrapped it by hand."""
    text = following.text.strip()
    return (
        len(line.text) >= WRAPPED_FROM
        and line.text.rstrip()[-1:] not in ".!?:;|>"
        and "|" not in line.text
        and text[:1].islower()
        and not split_line(following.text).before.strip()
    )


def _paragraph(lines: Sequence[Line]) -> Iterator[Piece]:
    """Yield the pieces of a line, or of several lines that a person wrapped and that are read as one."""
    parts = [split_line(line.text) for line in lines]
    prose = parts[0].prose
    for number in range(1, len(lines)):
        line_break = parts[number - 1].after + lines[number - 1].end + parts[number].before
        prose += line_break + parts[number].prose
    yield parts[0].before
    for cell, border in _cells(prose):
        yield from split_sentences(cell)
        yield border
    yield parts[-1].after
    yield lines[-1].end


def _cells(prose: str) -> Iterator[tuple[str, str]]:
    """Yield (cell, what stands between it and the next one) of a table's row, or of text set in columns.

    Prose without borders is one cell. A single | is no border, and neither is one in a span, as in `a | b`.
    """
    is_row = prose.count("|") >= 2
    borders = []
    for border in COLUMN.finditer(prose):
        if "\n" not in border[0] and (is_row or border[2]):
            borders.append(border)
    spans = list(find_spans(prose)) if borders else []
    start = 0
    for border in borders:
        in_span = any(span.start < border.end() and border.start() < span.end for span in spans)
        if not in_span:
            yield prose[start : border.start()], border[0]
            start = border.end()
    yield prose[start:], ""
