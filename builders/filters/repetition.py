"""Texts that run in circles. What may well repeat itself is set aside: code, tables, and texts too short to run in circles."""

import zlib
from collections import Counter

import polars as pl

from builders.filters.units import CODE, WORD, repeated, spaced

MIN_UNITS = 24
MIN_CHARACTERS = 60
COPIES = 6  # of what is a loop; fewer, and longer, are a repetition
MAX_PERIOD = 60
COMPRESSES = 0.4  # bytes a character; a text that zlib leaves larger than this holds no loop that covers half of it
GRAM = {True: 4, False: 10}  # units of a run: words; characters where words are not spaced
SCANNED = 20_000


def loop(rows: pl.DataFrame) -> pl.Series:
    """The share of a text that one unbroken chain of the same 1 to 60 characters covers: "hahahaha…", "no no no no …"."""
    return pl.Series([_loop(text) for text in rows["text"]], dtype=pl.Float64)


def repetition(rows: pl.DataFrame) -> pl.Series:
    """The share of runs of four words (ten characters where words are not spaced) that stood there before; formulas are set aside."""
    return pl.Series([_repetition(text, spaced(code)) for text, code in rows.select("text", "language").iter_rows()], dtype=pl.Float64)


def repeated_lines(rows: pl.DataFrame) -> pl.Series:
    """The share of lines of 20 characters or more that stood in the text before, from the third time on."""
    return pl.Series([_repeated_lines(text) for text in rows["text"]], dtype=pl.Float64)


def _loop(text: str) -> float:
    text = text[:SCANNED].strip()
    content = text.encode()
    if len(text) < MIN_CHARACTERS or len(zlib.compress(content, 1)) > max(64, COMPRESSES * len(text)):
        return 0.0
    return max(_longest_chain(text, period) for period in range(1, MAX_PERIOD + 1)) / len(text)


def _longest_chain(text: str, period: int) -> int:
    """The longest stretch that repeats its first `period` characters COPIES times or more; a row of dashes or stars is none."""
    longest = run = end = 0
    for i in range(period, len(text)):
        run = run + 1 if text[i] == text[i - period] else 0
        if run > longest:
            longest, end = run, i
    chain = text[end - longest - period + 1 : end + 1]
    return len(chain) if longest >= (COPIES - 1) * period and any(c.isalpha() for c in chain) else 0


def _repetition(text: str, words: bool) -> float:
    text = text[:SCANNED]
    if "```" in text or "|" in text:
        text = CODE.sub(" ", text)
    units = [word for word in WORD.findall(text.lower()) if len(word) > 1] if words else [c for c in text if c.isalpha()]
    units = [unit for unit in units if not unit[0].isdigit()]
    n = GRAM[words]
    if len(units) < MIN_UNITS:
        return 0.0
    return repeated(units, n) / (len(units) - n + 1)


def _repeated_lines(text: str) -> float:
    lines = [line.strip() for line in text[:SCANNED].split("\n")]
    lines = [line for line in lines if line]
    if len(lines) < 4:
        return 0.0
    return sum(count - 2 for line, count in Counter(lines).items() if count > 2 and len(line) >= 20) / len(lines)
