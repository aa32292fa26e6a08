"""What a translation lost of its source: the same question for whoever translated it, by reading both texts.

A reason is a name: what was lost (lost_code, lost_url, lost_number …), came twice (doubled_span, doubled_number) or in
another order (reordered_spans), a frame of lines that is another (lost_lines). The order of spans counts, though a
language may have to change it: which of two placeholders is which, nobody can tell afterwards.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

import regex

from polypref.builders.text import spans
from polypref.builders.text.parse import LETTER, frames, split_lines

NUMBER = re.compile(r"\d+")
SEPARATOR = re.compile(r"(?<=\d)[.,\u00a0\u202f'’٬٫،](?=\d)")
IN_LETTERS = re.compile(  # English words that other languages may write in digits
    r"(?i)\b(?:zero|ones?|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-\w+)?"
    r"|hundreds?|thousands?|[mb]illions?|trillions?|dozens?|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|\w+[tn]th|half|quarters?"
    r"|once|twice|single|double|triple|both|pair|couple|noon|midnight|decades?|centur(?:y|ies)|January|February|March|April|May|June|July|August"
    r"|September|October|November|December)\b"
)
SAID_AGAIN = ("foreign", "word", "quantity")  # the translation itself may use what these hold


def lost(source: str, translation: str, latin: bool = True) -> list[str]:
    """The reasons for which a translation is not the whole of its source; none for a whole one."""
    if source == translation:
        return []
    reasons = list(_lines(source, translation))
    found = [
        (kind, line[start:end])
        for kept, _, line, _ in frames(source)
        if not kept
        for kind, start, end in spans.find(line, latin)
    ]
    equal = []
    for kind, text in dict.fromkeys(found):
        there, wanted = _count(text, translation), _count(text, source)
        if there < wanted:
            reasons.append(f"lost_{spans.NAMES.get(kind, kind)}")
        elif there > wanted and kind not in SAID_AGAIN:
            reasons.append("doubled_span")
        elif there == wanted:
            equal.append(text)
    if _order(equal, source) != _order(equal, translation):
        reasons.append("reordered_spans")
    reasons += lost_numbers(source, translation)
    return list(dict.fromkeys(reasons))


def _lines(source: str, translation: str) -> Iterator[str]:
    """Lines that pass as they are must be the same; the others must begin as they did, and be blank or not as they were."""
    wanted, there = frames(source), split_lines(translation)
    if len(wanted) != len(there):
        yield "lost_lines"
        code = Counter(line.strip() for passes, _, line, _ in wanted if passes and LETTER.search(line))
        if code - Counter(line.strip() for line, _ in there):
            yield "lost_code"
        return
    for (kept, before, line, end), (other, other_end) in zip(wanted, there, strict=True):
        if kept and line != other:
            yield "lost_code" if LETTER.search(line) else "lost_lines"
        elif end != other_end or not other.startswith(before) or bool(line.strip()) != bool(other.strip()):
            yield "lost_lines"


def lost_numbers(source: str, translation: str) -> Iterator[str]:
    """1,000.5 is 1.000,5, 1000.5 and ١٠٠٠٫٥; a number that the source writes in letters may come out in digits, no other may be added."""
    wanted, there = (
        [Counter(numbers(text, joined)) for joined in (False, True)] for text in (source, translation)
    )
    if all(mine - theirs for mine, theirs in zip(wanted, there, strict=True)):
        yield "lost_number"
    more = Counter("".join(there[0].elements())) - Counter("".join(wanted[0].elements()))
    if more and any(there[0][number] > count for number, count in wanted[0].items()):
        yield "doubled_number"
    elif more and min(
        sum((theirs - mine).values()) for mine, theirs in zip(wanted, there, strict=True)
    ) > len(IN_LETTERS.findall(source)):
        yield "added_number"


def numbers(text: str, joined: bool) -> list[str]:
    """The numbers of a text in ASCII digits; `joined`: over separators of thousands and decimals, else each run of digits is one."""
    digits = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
    return NUMBER.findall(SEPARATOR.sub("", digits) if joined else digits)


def _count(text: str, whole: str) -> int:
    return len(_standing(text).findall(whole)) if text in whole else 0


@cache
def _standing(text: str) -> regex.Pattern[str]:
    """The text where it is not within a word of Latin letters."""
    return regex.compile(_alone(text))


def _alone(text: str) -> str:
    before = r"(?<![\p{Latin}\d_-])" if re.match(r"[A-Za-z0-9_-]", text) else ""
    after = r"(?![\p{Latin}\d_])" if re.search(r"[A-Za-z0-9_]$", text) else ""
    return f"{before}{regex.escape(text)}{after}"


def _order(texts: Sequence[str], whole: str) -> list[str]:
    """The spans in the order in which they stand in a text."""
    return (
        regex.findall("|".join(_alone(text) for text in sorted(texts, key=lambda t: -len(t))), whole)
        if texts
        else []
    )
