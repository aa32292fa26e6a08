"""Texts that run in circles. What may well repeat itself is set aside: code, tables, refrains, and texts too short to run in circles."""

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import pairwise

import polars as pl
import regex

from polypref.builders.filters.units import CODE, grams, spaced

SCANNED = 20_000  # characters
MIN_UNITS = {
    True: 24,
    False: 48,
}  # of a text that repetition is measured in; by whether words are spaced, as below
GRAM = {True: 4, False: 12}  # units of a run: words; characters where words are not spaced
NEXT = {True: 2, False: 8}  # units by which the next copy is looked for
MAX_PERIOD = {True: 60, False: 120}
TWICE = {
    True: 4,
    False: 12,
}  # units of which two copies in a row are a loop: a word may well be said three times
LOOP = {True: 30, False: 12}  # characters of the shortest loop
REFRAIN = 8  # copies from which what ends with a stop, a line or a quotation mark is a loop; fewer are a refrain or a list
STOPS = tuple('.,;:!?…\n。，、；：！？।؟،؛”“"»«」』)')
MARK = regex.compile(r"^\s*(?:[-*+•#]+|\w{1,2}[.)、])?\s*")
LONG_WORD = 30  # characters of a word that is looked into for a loop of letters: "hahahaha"


def loop(rows: pl.DataFrame) -> pl.Series:
    """The share of a text's characters in its longest stretch that says the same again and again: "the shorter the shorter the shorter"."""
    return pl.Series(
        [_loop(text[:SCANNED], spaced(code)) for text, code in rows.select("text", "language").iter_rows()],
        dtype=pl.Float64,
    )


def repetition(rows: pl.DataFrame) -> pl.Series:
    """The share of runs of four words (twelve characters where words are not spaced) that stood there before, beyond its source's share."""
    return pl.Series(
        [_beyond(*row) for row in rows.select("text", "language", "source").iter_rows()], dtype=pl.Float64
    )


def repeated_lines(rows: pl.DataFrame) -> pl.Series:
    """The share of lines of 20 characters or more that stood in the text before, from the third time on."""
    return pl.Series([_repeated_lines(text[:SCANNED]) for text in rows["text"]], dtype=pl.Float64)


def _loop(text: str, words: bool) -> float:
    if len(text) < LOOP[words]:
        return 0.0
    units = _units(text, words)
    covered = _longest(units, words)
    if words and (long := [word for word in units if len(word) > LONG_WORD and "/" not in word]):
        covered = max(covered, max(_longest(word, False) for word in long))
    return covered / len(text) if covered >= LOOP[words] else 0.0


def _longest(units: Sequence[str], words: bool) -> int:
    """The characters of the longest chain of copies of the same units, spaces between words counted."""
    longest = 0
    for period in _periods(_runs(units, NEXT[words]), MAX_PERIOD[words]):
        run = 0
        for i in range(period, len(units)):
            run = run + 1 if units[i] == units[i - period] else 0
            if run >= period and (i + 1 == len(units) or units[i + 1] != units[i + 1 - period]):
                chain = units[i - run - period + 1 : i + 1]
                if _is_loop(chain, period, words):
                    longest = max(longest, sum(map(len, chain)) + (len(chain) - 1 if words else 0))
    return longest


def _is_loop(chain: Sequence[str], period: int, words: bool) -> bool:
    copies = len(chain) // period
    if not any(c.isalpha() for unit in chain[:period] for c in unit):
        return False
    if any(unit.endswith(STOPS) for unit in chain[:period]):
        return copies >= REFRAIN
    return copies >= 3 or period >= TWICE[words]


def _periods(runs: Sequence[Hashable], most: int) -> set[int]:
    """The distances at which the same runs stand again."""
    if len(set(runs)) == len(runs):
        return set()
    last: dict[Hashable, int] = {}
    periods = set()
    for i, run in enumerate(runs):
        if (before := last.get(run)) is not None and i - before <= most:
            periods.add(i - before)
        last[run] = i
    return periods


def _beyond(text: str, code: str, source: str | None) -> float:
    share = _repetition(text[:SCANNED], spaced(code))
    return max(0.0, share - _repetition(source[:SCANNED], words=True)) if share and source else share


def _repetition(text: str, words: bool) -> float:
    if "```" in text or "|" in text:
        text = CODE.sub(" ", text)
    units = _units(_without_list_openings(text), words)
    if words:
        units = [unit for unit in units if len(unit) > 1 and not unit.isdigit()]
    if len(units) < MIN_UNITS[words]:
        return 0.0
    runs = _runs(units, GRAM[words])
    return 1 - len(set(runs)) / len(runs)


def _without_list_openings(text: str) -> str:
    """The text without what a line, after its mark or number, begins with as the line before does: "2. She said that …"."""
    lines = [MARK.sub("", line) for line in text.split("\n")]
    if len(lines) < 3:
        return text
    return "\n".join([lines[0], *(line[_shared(line, before) :] for before, line in pairwise(lines))])


def _shared(line: str, before: str) -> int:
    """How many characters two lines begin with alike."""
    return next(
        (i for i, (a, b) in enumerate(zip(line, before, strict=False)) if a != b), min(len(line), len(before))
    )


def _units(text: str, words: bool) -> Sequence[str]:
    """Words with their punctuation, and line breaks; characters but spaces where words are not spaced."""
    if words:
        return text.lower().replace("\n", " \n ").split(" ") if "\n" in text else text.lower().split()
    return text.replace(" ", "")


def _runs(units: Sequence[str], n: int) -> list[Hashable]:
    """All runs of `n` units, in order; of characters as text."""
    if isinstance(units, str):
        return [units[i : i + n] for i in range(len(units) - n + 1)]
    return list(grams(units, n))


def _repeated_lines(text: str) -> float:
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if line]
    if len(lines) < 4:
        return 0.0
    return sum(count - 2 for line, count in Counter(lines).items() if count > 2 and len(line) >= 20) / len(
        lines
    )
