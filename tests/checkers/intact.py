"""Counts what a text holds and what of it its translation lacks. It knows nothing of builders, on purpose:
plain patterns, the same for both texts, compared as lists."""

import re
import unicodedata
from collections import Counter

FENCE = re.compile(r"^ {0,3}(```|~~~)[^\n]*\n.*?\1[ \t]*$", re.MULTILINE | re.DOTALL)
KINDS = {
    "inline code": re.compile(r"(?<!`)`[^`\n]+`(?!`)"),
    "URLs": re.compile(r"https?://[^\s<>\"'`)\]}“”，。、⟧]+"),
    "placeholders": re.compile(r"\{[^{}\n]*\}"),
    "numbers": re.compile(r"\d+"),
    "list markers": re.compile(r"^[ \t]*(?:[-*+•]|\d{1,3}[.)])(?=[ \t])", re.MULTILINE),
    "line breaks": re.compile(r"\r\n|[\n\r](?:[ \t]*\n)*"),
}
WORD = re.compile(r"(?<![\w`$<{@#/\\.-])[A-Za-z][a-z']{2,}(?![\w`$>}@/\\(=_])")


def counted(source: str, translation: str) -> dict[str, tuple[int, int, int]]:
    """By kind: how many the source has, how many of them the translation lacks, how many it has more."""
    found = {"code fences": _difference(_fences(source), _fences(translation))}
    source, translation = (FENCE.sub("", _ascii_digits(text)) for text in (source, translation))
    for kind, pattern in KINDS.items():
        mine, theirs = (
            [m[0].rstrip(".,;:!?") or m[0] for m in pattern.finditer(text)] for text in (source, translation)
        )
        found[kind] = _difference(mine, theirs)
    return found


def prose_lines(source: str, translation: str) -> tuple[int, int]:
    """(lines that are sentences by their looks, those of them that the translation left as they are)."""
    source, translation = FENCE.sub("", source), FENCE.sub("", translation)
    sentences = [line.strip() for line in source.split("\n") if _is_prose(line)]
    kept = Counter(line.strip() for line in translation.split("\n"))
    return len(sentences), sum(kept[line] > 0 for line in sentences)


def _is_prose(line: str) -> bool:
    text = line.strip()
    plain = sum(c.isalpha() or c in " ,.'’!?-" for c in text)
    code = text != line and (text.startswith(("#", "-- ", "//", "'''")) or text.endswith(";"))
    return not code and len(WORD.findall(text)) >= 5 and plain >= 0.95 * len(text)


def _fences(text: str) -> list[str]:
    return [match[0].rstrip() for match in FENCE.finditer(text)]


def _difference(mine: list[str], theirs: list[str]) -> tuple[int, int, int]:
    mine_counts, theirs_counts = Counter(mine), Counter(theirs)
    return len(mine), (mine_counts - theirs_counts).total(), (theirs_counts - mine_counts).total()


def _ascii_digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
