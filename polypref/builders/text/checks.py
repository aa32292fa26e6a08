"""Faults of a translation, found by reading it beside its source: the same checks for every translator.

A fault is a name: what was lost (lost_code, lost_url, lost_number …), what appears more often than in the
source (doubled_span, doubled_number), spans in another order (reordered_spans), other lines (lost_lines). The
order of spans counts though a language may have to change it: nothing in the translation tells which of two
placeholders is which.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

import regex

from polypref.builders.text.lines import Line, has_letters, kept_lines, split_line, split_lines
from polypref.builders.text.numbers import NUMBER_WORD, numbers
from polypref.builders.text.spans import find_spans, lost_reason

MAY_RECUR = ("foreign", "word", "quantity")  # kinds of spans that a translation may well use once more


def find_faults(source: str, translation: str) -> list[str]:
    """Return the names of a translation's faults, each once; none where it equals its source."""
    if source == translation:
        return []
    lines = split_lines(source)
    kept = kept_lines(lines)
    prose = [line.text for line, keep in zip(lines, kept, strict=True) if not keep]
    faults = _line_faults(lines, kept, split_lines(translation))
    faults += _span_faults(prose, source, translation)
    faults += find_number_faults(source, translation)
    return list(dict.fromkeys(faults))


def find_number_faults(source: str, translation: str) -> list[str]:
    """Return lost_number where a number is missing, doubled_number or added_number where one is too many.

    Separators differ between languages, so numbers are compared in two readings: joined (1,000.5 is
    10005) and as runs of digits (1, 000, 5). It suffices that nothing is missing, or added, in one of
    them. A number that the source writes in letters may be added in digits.
    """
    source_numbers, translation_numbers = numbers(source), numbers(translation)
    joined = Counter("".join(number) for number in source_numbers)
    joined_after = Counter("".join(number) for number in translation_numbers)
    runs = Counter(chain.from_iterable(source_numbers))
    runs_after = Counter(chain.from_iterable(translation_numbers))
    faults = []
    if joined - joined_after and runs - runs_after:
        faults.append("lost_number")
    more_digits = Counter("".join(runs_after.elements())) - Counter("".join(runs.elements()))
    if not more_digits:  # other separators alone, as in 1000 for 1,000, add no digit
        return faults
    if any(runs_after[run] > count for run, count in runs.items()):
        faults.append("doubled_number")
    else:
        added = min((joined_after - joined).total(), (runs_after - runs).total())
        if added > len(NUMBER_WORD.findall(source)):
            faults.append("added_number")
    return faults


def _line_faults(lines: Sequence[Line], kept: Sequence[bool], translated: Sequence[Line]) -> list[str]:
    """Compare lines: kept ones must be the same, the others must correspond."""
    faults = []
    if len(lines) != len(translated):
        faults.append("lost_lines")
        kept_texts = [line.text for line, keep in zip(lines, kept, strict=True) if keep]
        code = Counter(text.strip() for text in kept_texts if has_letters(text))
        if code - Counter(line.text.strip() for line in translated):
            faults.append("lost_code")
        return faults
    for line, keep, other in zip(lines, kept, translated, strict=True):
        if keep and line.text != other.text:
            faults.append("lost_code" if has_letters(line.text) else "lost_lines")
        elif not _corresponds(line, other):
            faults.append("lost_lines")
    return faults


def _corresponds(line: Line, other: Line) -> bool:
    """Return whether a line's translation begins and ends as the line does, and is blank where it is."""
    same_opening = other.text.startswith(split_line(line.text).before)
    both_blank_or_not = bool(line.text.strip()) == bool(other.text.strip())
    return line.end == other.end and same_opening and both_blank_or_not


def _span_faults(prose: Iterable[str], source: str, translation: str) -> list[str]:
    """Compare how often, and in which order, the spans of the source's prose stand in both whole texts."""
    spans: dict[tuple[str, str], None] = {}  # (kind, text), each once
    for line in prose:
        for kind, start, end in find_spans(line):
            spans[kind, line[start:end]] = None
    faults = []
    complete = []
    for kind, text in spans:
        expected, count = _count(text, source), _count(text, translation)
        if count < expected:
            faults.append(lost_reason(kind))
        elif count == expected:
            complete.append(text)
        elif kind not in MAY_RECUR:
            faults.append("doubled_span")
    if _in_order(complete, source) != _in_order(complete, translation):
        faults.append("reordered_spans")
    return faults


def _count(span: str, text: str) -> int:
    if span not in text:  # saves compiling a pattern
        return 0
    return len(_pattern(span).findall(text))


@lru_cache(4096)  # bounded: a large table has a million different URLs
def _pattern(span: str) -> regex.Pattern[str]:
    return regex.compile(_standing_alone(span))


def _standing_alone(span: str) -> str:
    """Return a pattern of the span outside words of Latin letters: -v, but not that of "nicht-vor"."""
    before = r"(?<![\p{Latin}\d_-])" if re.match(r"[A-Za-z0-9_-]", span) else ""
    after = r"(?![\p{Latin}\d_])" if re.search(r"[A-Za-z0-9_]$", span) else ""
    return f"{before}{regex.escape(span)}{after}"


def _in_order(spans: Sequence[str], text: str) -> list[str]:
    """Return the spans in the order in which they stand in a text."""
    if not spans:
        return []
    longest_first = sorted(spans, key=len, reverse=True)  # `a b` before `a`, which it begins with
    return list(regex.findall("|".join(_standing_alone(span) for span in longest_first), text))
