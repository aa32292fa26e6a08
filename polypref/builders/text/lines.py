"""Lines of a text: which pass around the translator as they are, and what of the others does.

A line is kept whole where it belongs to code or to a formula of several lines, or has no letter. Of the
others, the beginning (indentation, list marker, quote mark, speaker) and the end (closing emphasis,
spaces) are kept.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

import regex

from polypref.builders.text.code import code_lines

LETTER = re.compile(r"[^\W\d_]")  # of any script: a word character that is neither a digit nor "_"

OPENING = regex.compile(
    r"""
    ^\s*
    (?: (?: [-*+•‣◦▪●○–—→]                                   # - item   • item
          | [(]?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,4})[.):]       # 1. item   (a) item   iv) item
          | \#{1,6}                                           # ## Title
          | >+                                                # > quotation
          | \[[ xX]\]                                         # [x] task
        )
        (?=\s|$)\s*                                           # then a space: not in "-v" or "a.b"
      | \d{1,3}\)                                             # 1)item
      | \d{1,2}\.(?=\p{L})                                    # 1.Item, but not 1.5
      | [>|]+                                                 # >quotation   | cell
    )*
    (?: (?:\*\*)?(?i:user|assistant|system|human|ai|bot|[qa])\d*\s?:(?:\*\*)?\s+ )?  # User: …   **Q1:** …
    (?P<emphasis>                                             # **a whole line**   __a whole line__:
        (?P<stars>\*{1,3}|__)
        (?= \S(?:(?!(?P=stars)).)*(?P=stars):?\s*$ )          # not "**Note:** read this"
    )?
    """,
    regex.VERBOSE,
)
SPACES_AT_END = re.compile(r"\s*$")
EMPHASIS_AT_END = re.compile(r"(?:\*{1,3}|__):?\s*$")

FORMULA_ENDS = {"$$": "$$", "\\[": "\\]", "\\begin": "\\end"}  # by how a formula of several lines begins
FORMULA_LINES = 60  # in which a formula has to end, so that a stray $$ does not keep the rest of the text


class Line(NamedTuple):
    """A line of a text."""

    text: str  # without the characters that end it
    end: str  # "\n", "\r\n" or any other line break; "" at the end of the text


class LineParts(NamedTuple):
    """A line of prose in three parts, which together are the line."""

    before: str  # indentation, list markers, quote marks, a speaker, opening emphasis
    prose: str
    after: str  # closing emphasis and spaces


class Fence(NamedTuple):
    """A fenced block of code: its lines from `start` up to, and without, `end`."""

    start: int
    end: int
    markup: str  # the characters that open it: ```


def split_lines(text: str) -> list[Line]:
    """Return the lines of a text; joined with their ends they are the text."""
    lines = []
    for line, line_with_end in zip(text.splitlines(), text.splitlines(keepends=True), strict=True):
        lines.append(Line(line, line_with_end[len(line) :]))
    return lines


def has_letters(text: str) -> bool:
    """Return whether there is anything in a text that a translator could translate."""
    return LETTER.search(text) is not None


def kept_lines(lines: Sequence[Line]) -> list[bool]:
    """Return for each line of a text whether it passes around the translator as it is."""
    texts = [line.text for line in lines]
    kept = [not has_letters(text) for text in texts]
    fences = [(fence.start, fence.end) for fence in _fences(texts)]
    for start, end in chain(fences, _formulas(texts)):
        kept[start:end] = [True] * (end - start)
    for number in code_lines(texts, kept):
        kept[number] = True
    return kept


def split_line(line: str) -> LineParts:
    """Return the parts of a line of prose."""
    opening = OPENING.match(line)
    assert opening is not None  # every part of the pattern is optional
    start = opening.end()
    ending = EMPHASIS_AT_END if opening["emphasis"] else SPACES_AT_END
    closing = ending.search(line, start)
    assert closing is not None  # the opening looked ahead to the emphasis that closes
    return LineParts(line[:start], line[start : closing.start()], line[closing.start() :])


def _fences(lines: Sequence[str]) -> list[Fence]:
    """Return the fenced code of a text, as CommonMark has it: in lists and quotations too.

    In CommonMark a fence that nothing closes goes on to the end of the text. People also close one behind the
    last word ("x = 1```"). Such a fence ends with that line here, and the lines below it are parsed anew.
    """
    fences = []
    first = 0
    while any("```" in line or "~~~" in line for line in lines[first:]):
        rest = [line.replace("\r", " ").replace("\0", " ") for line in lines[first:]]
        tokens = _markdown().parse("\n".join(rest))
        fenced = [token for token in tokens if token.type == "fence"]
        blocks = [Fence(token.map[0], token.map[1], token.markup) for token in fenced]
        late_end = _late_end(rest, blocks[-1]) if blocks else None
        if late_end is not None:
            blocks[-1] = blocks[-1]._replace(end=late_end)
        for block in blocks:
            fences.append(block._replace(start=first + block.start, end=first + block.end))
        if late_end is None:
            break
        first += late_end
    return fences


def _late_end(lines: Sequence[str], last: Fence) -> int | None:
    """Return the end of a last fence that is closed behind the last word of a line, else None."""
    if last.end < len(lines) or lines[-1].strip() == last.markup:
        return None
    for number in range(last.start + 1, last.end):
        line = lines[number].rstrip()
        if line.endswith(last.markup) and line.strip() != last.markup:
            return number + 1
    return None


@cache
def _markdown() -> Any:
    from markdown_it import MarkdownIt

    # Indented lines, HTML and link references are prose here: people indent and write tags in prompts freely.
    return MarkdownIt("commonmark").disable(["code", "html_block", "lheading", "reference"])


def _formulas(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the formulas that stand on several lines."""
    end = 0
    for start in range(len(lines)):
        if start >= end:
            end = _formula_end(lines, start)
            yield start, end


def _formula_end(lines: Sequence[str], start: int) -> int:
    """Return the end of the formula of several lines that begins at line `start`, `start` where none does."""
    text = lines[start].strip()
    for opening, closing in FORMULA_ENDS.items():
        if text.startswith(opening) and closing not in text[len("$$") :]:
            for number in range(start + 1, min(start + FORMULA_LINES, len(lines))):
                if closing in lines[number]:
                    return number + 1
    return start
