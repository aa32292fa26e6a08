"""What a text is made of: sentences to translate, and what passes around the translator as it is.

Around it pass whole lines (fenced and bare code, blank lines, formulas, rulers of tables), the beginnings and ends of
lines (indentation, list markers, quote marks, emphasis, speakers, cells' borders), and within a sentence everything that
`spans.py` finds: there stands a mark such as {0} instead, which the translator is to carry over. Nothing is cut: a
sentence longer than a sentence model can take is split at its commas, at its spaces, or anywhere.

A paragraph that was wrapped by hand is read as one, and its translation is broken at the same shares of its length.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import regex

from polypref.builders.text import spans
from polypref.builders.text.code import code_lines
from polypref.languages.codes import language

LONGEST = 400  # characters of one request: 100 tokens of English, which fit 512 even where a language needs five times as many

BEFORE = regex.compile(
    r"^\s*(?:(?:[-*+•‣◦▪●○–—→]|[(]?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,4})[.):]|#{1,6}|>+|\[[ xX]\])(?=\s|$)\s*"
    r"|\d{1,3}\)|\d{1,2}\.(?=\p{L})|[>|]+)*"
    r"(?:(?:\*\*)?(?i:user|assistant|system|human|ai|bot|[qa])\d*\s?:(?:\*\*)?\s+)?"
    r"(?P<emphasis>(?P<stars>\*{1,3}|__)(?=\S(?:(?!(?P=stars)).)*(?P=stars):?\s*$))?"
)
AFTER, EMPHASIS = re.compile(r"\s*$"), re.compile(r"(?:\*{1,3}|__):?\s*$")
COLUMN = re.compile(r"(\s*(?<!\\)\|\s*)|(\t+|\s{3,})")
MARK = regex.compile(r"[{｛]\s*(\d{1,3})\s*[}｝]")  # \d: the digits of every script
BRACE = re.compile("[{}｛｝]")
LETTER = re.compile(r"[^\W\d_]")
CLAUSE = re.compile(r"[,;:、，；：)\]–—]\s*(?=\S)")
QUOTED = re.compile(r"[\"“‘'«][a-z]")
SPACE = re.compile(r"\s+")
BREAK = re.compile(r"\s*\n\s*")
MATH_BLOCK = {"$$": "$$", "\\[": "\\]", "\\begin": "\\end"}


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a translator is given: a text with marks; what the marks stand for, in order, as (kind, text); and where in the
    source, by share of its length, line breaks stood that its translation needs too."""

    text: str
    spans: tuple[tuple[str, str], ...] = ()
    breaks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """The space between two sentences of one line, which not every language has."""

    text: str


Piece = str | Gap | Sentence  # a string is kept as it is


def parse(text: str, pivot: str = "eng_Latn") -> list[Piece]:
    """The pieces of a text in order."""
    pieces: list[Piece] = []
    lines = split_lines(text)
    kept = _kept_lines([line for line, _ in lines])
    number = 0
    while number < len(lines):
        line, end = lines[number]
        if kept[number]:
            pieces += [line, end]
            number += 1
            continue
        before, body, after = _split_line(line)
        first = number
        while (
            number + 1 < len(lines)
            and not kept[number + 1]
            and _goes_on(lines[number][0], lines[number + 1][0])
        ):
            number += 1
        if number > first:
            body += "".join(_continuation(lines, first, number, after))
            after, end = _split_line(lines[number][0])[2], lines[number][1]
        pieces.append(before)
        for cell, border in _columns(body):
            pieces += [*_sentences(cell, pivot), border]
        pieces += [after, end]
        number += 1
    return [piece for piece in pieces if piece not in ("", Gap(""))]


def sentences(pieces: Sequence[Piece]) -> list[Sentence]:
    """Those that a translator is asked for, in order."""
    return [piece for piece in pieces if isinstance(piece, Sentence)]


def rebuilt(pieces: Sequence[Piece], translations: Sequence[str], code: str) -> str:
    """The text with its sentences replaced, joined as the language `code` joins them.

    In Chinese and Japanese there is no space between sentences, unless the first one ends in a letter or digit of ASCII.
    """
    out, left, joined = "", iter(translations), language(code).sentence_spaces
    for piece in pieces:
        match piece:
            case str():
                out += piece
            case Gap():
                out += piece.text if joined or "\n" in piece.text else " " if out[-1:].isascii() else ""
            case Sentence():
                out += next(left)
    return out


def restored(sentence: Sentence, translation: str) -> tuple[str, list[str]]:
    """A translation with what its marks stand for and the line breaks of its source; and the reasons for which that could not be done."""
    reasons, marks = list[str](), [int(mark) for mark in MARK.findall(translation)]
    for number, (kind, _) in enumerate(sentence.spans):
        if number not in marks:
            reasons.append(f"lost_{spans.NAMES.get(kind, kind)}")
        elif marks.count(number) > 1:
            reasons.append("doubled_span")
    if (
        BRACE.search(MARK.sub("", translation))
        or max(marks, default=0) >= max(1, len(sentence.spans))
        or (marks and not sentence.spans)
    ):
        reasons.append("unrestored")
    texts = [sentence.spans[number][1] for number in marks if number < len(sentence.spans)]
    if not reasons and texts != [text for _, text in sentence.spans]:
        reasons.append("reordered_spans")

    def text_of(mark: Any) -> str:
        number = int(mark[1])
        return sentence.spans[number][1] if number < len(sentence.spans) else ""

    return MARK.sub(text_of, _broken(translation, sentence.breaks)), reasons


def prose(pieces: Sequence[Piece]) -> str:
    """The text of the sentences alone, a line each, without what only passes around."""
    return "\n".join(restored(sentence, sentence.text)[0] for sentence in sentences(pieces))


def frames(text: str) -> list[tuple[bool, str, str, str]]:
    """(whether it is kept as it is, how it begins, the line, the characters that end it) of each line."""
    lines = split_lines(text)
    kept = _kept_lines([line for line, _ in lines])
    return [(keep, _split_line(line)[0], line, end) for keep, (line, end) in zip(kept, lines, strict=True)]


def split_lines(text: str) -> list[tuple[str, str]]:
    """(line, the characters that end it); together they are the text."""
    lines = []
    for line in text.splitlines(keepends=True):
        content = line.rstrip("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029") if line.splitlines() != [line] else line
        lines.append((content, line[len(content) :]))
    return lines


def _kept_lines(lines: Sequence[str]) -> list[bool]:
    """Which lines pass as they are: fences and what is in them, formulas of several lines, code without a fence, lines without a letter."""
    kept = [not LETTER.search(line) for line in lines]
    for start, end in [*_fences(lines), *_formulas(lines)]:
        kept[start:end] = [True] * (end - start)
    for number in code_lines(lines, kept):
        kept[number] = True
    return kept


def _fences(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The fenced code of the text as Markdown has it, in lists and quotes too.

    Markdown lets a fence that is never closed go on to the end. People close theirs behind the last word, too: that counts here.
    """
    first = 0
    while any("```" in line or "~~~" in line for line in lines[first:]):
        rest = [line.replace("\r", " ").replace("\0", " ") for line in lines[first:]]
        for token in _markdown().parse("\n".join(rest)):
            if token.type != "fence":
                continue
            start, end = token.map
            late = [
                n
                for n in range(start + 1, end)
                if rest[n].rstrip().endswith(token.markup) and rest[n].strip() != token.markup
            ]
            if end == len(rest) and rest[-1].strip() != token.markup and late:
                yield first + start, first + late[0] + 1
                first += late[0] + 1
                break
            yield first + start, first + end
        else:
            return


@cache
def _markdown() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").disable(["code", "html_block", "lheading", "reference"])


def _formulas(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    number = 0
    while number < len(lines):
        text = lines[number].strip()
        close = next(
            (
                close
                for opening, close in MATH_BLOCK.items()
                if text.startswith(opening) and close not in text[2:]
            ),
            None,
        )
        ends = [n for n in range(number + 1, min(number + 60, len(lines))) if close and close in lines[n]]
        if ends:
            yield number, ends[0] + 1
            number = ends[0]
        number += 1


def _split_line(line: str) -> tuple[str, str, str]:
    """A line's beginning, its prose, its end."""
    found = BEFORE.match(line)
    start = found.end()
    end = start + (EMPHASIS if found["emphasis"] else AFTER).search(line[start:]).start()  # type: ignore[union-attr]
    return line[:start], line[start:end], line[end:]


def _goes_on(line: str, following: str) -> bool:
    """Whether a person wrapped the line there: it is long, ends within a sentence, and the next one begins with a small letter."""
    bare = following.strip()
    return (
        len(line) >= 50
        and line.rstrip()[-1:] not in ".!?:;|>"
        and "|" not in line
        and bare[:1].islower()
        and not BEFORE.match(following)[0].strip()
    )


def _continuation(lines: Sequence[tuple[str, str]], first: int, last: int, after: str) -> Iterator[str]:
    for number in range(first + 1, last + 1):
        before, body, following_after = _split_line(lines[number][0])
        yield after + lines[number - 1][1] + before + body
        after = following_after


def _columns(body: str) -> Iterator[tuple[str, str]]:
    """(cell, what stands between it and the next): a line of a table, or of text set in columns."""
    start = 0
    borders = [
        border
        for border in COLUMN.finditer(body)
        if "\n" not in border[0] and (border[2] or body.count("|") >= 2)
    ]
    kept = list(spans.find(body)) if borders else []
    for border in borders:
        if not any(span.start < border.end() and border.start() < span.end for span in kept):
            yield body[start : border.start()], border[0]
            start = border.end()
    yield body[start:], ""


def _sentences(text: str, pivot: str) -> Iterator[Piece]:
    """Prose in sentences, as sentencex splits the language of the prose."""
    known = language(pivot)
    found = [
        (kind, text[start:end], start, end) for kind, start, end in spans.find(text, known.script == "Latn")
    ]
    masked, place, hidden = "", 0, list[tuple[str, str]]()
    for kind, span, start, end in found:
        masked += text[place:start] + f"{{{len(hidden)}}}"
        hidden.append((kind, span))
        place = end
    for part in _segments(masked + text[place:], known.short_code):
        for short in _short(part):
            body = short.strip()
            start = len(short) - len(short.lstrip())
            yield Gap(short[:start])
            yield from _sentence(body, hidden)
            yield Gap(short[start + len(body) :])


def _segments(text: str, code: str) -> Iterator[str]:
    """Sentences as sentencex splits the language, save that a quotation in small letters goes on with the sentence before it."""
    from sentencex import segment

    begun = ""
    for part in segment(code, text):
        if begun and not QUOTED.match(part):
            yield begun
            begun = ""
        begun += part
    yield begun


def _sentence(body: str, hidden: Sequence[tuple[str, str]]) -> Iterator[Piece]:
    """One sentence with its marks numbered from 0, tags at its ends outside of it; what has no word to translate is kept as it is."""
    shown = partial(MARK.sub, lambda mark: hidden[int(mark[1])][1])
    marks = list(MARK.finditer(body))
    start, end = 0, len(body)
    for mark in marks:
        if hidden[int(mark[1])][0] == "tag" and not body[start : mark.start()].strip():
            start = mark.end()
    for mark in reversed(marks):
        if hidden[int(mark[1])][0] == "tag" and not body[mark.end() : end].strip() and mark.start() >= start:
            end = mark.start()
    start, end = (
        start + len(body[start:end]) - len(body[start:end].lstrip()),
        start + len(body[start:end].rstrip()),
    )
    if not LETTER.search(MARK.sub("", body[start:end])):
        yield shown(body)
        return
    own = [hidden[int(mark)] for mark in MARK.findall(body[start:end])]
    numbers = iter(range(len(own)))
    text = MARK.sub(lambda _: f"{{{next(numbers)}}}", body[start:end])
    flat, breaks = BREAK.sub(" ", text), list[tuple[float, str]]()
    longer = 0
    for gap in BREAK.finditer(text):
        breaks.append(((gap.start() - longer) / len(flat), gap[0]))
        longer += len(gap[0]) - 1
    yield shown(body[:start])
    yield Sentence(flat, tuple(own), tuple(breaks))
    yield shown(body[end:])


def _short(sentence: str) -> Iterator[str]:
    """A sentence in pieces of at most LONGEST characters, split after a clause if need be, else at a space, else anywhere but in a mark."""
    while len(sentence) > LONGEST:
        clauses = [m.end() for m in CLAUSE.finditer(sentence, LONGEST // 3, LONGEST)]
        spaces = [m.end() for m in SPACE.finditer(sentence, LONGEST // 3, LONGEST)]
        cut = (clauses or spaces or [LONGEST])[-1]
        if inside := next((m for m in MARK.finditer(sentence) if m.start() < cut < m.end()), None):
            cut = inside.start()
        yield sentence[:cut]
        sentence = sentence[cut:]
    yield sentence


def _broken(translation: str, breaks: Sequence[tuple[float, str]]) -> str:
    """The translation with its line breaks, each at the space nearest to its share, or at a character where there are no spaces."""
    for share, gap in reversed(breaks):
        target = round(share * len(translation))
        spaces = [m.span() for m in SPACE.finditer(translation) if "\n" not in m[0]]
        near = min(spaces, key=lambda span: abs(span[0] - target), default=None)
        if near is None or abs(near[0] - target) > max(20, len(translation) // 4):
            near = (target, target)
            if inside := next((m for m in MARK.finditer(translation) if m.start() < target < m.end()), None):
                near = (inside.end(), inside.end())
        translation = translation[: near[0]] + gap + translation[near[1] :]
    return translation
