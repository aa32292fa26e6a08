"""Degenerate repetition: texts that run in circles.

Code, tables, lists and refrains are exempt, and so are texts too short to run in circles. Texts are
measured in words where spaces stand between them, else in characters.

The effects of constants, in comments below, were measured on tata (outputs of models in 8 languages, some
of which people labelled uninterpretable; P and R are precision and recall at the default threshold of .3)
and on 2,138 answers of GPT-4 in 14 languages (MT-Bench). Of 10,380 human translations (XQuAD, WMT24, UDHR)
one is rejected.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import eq
from os.path import commonprefix

import polars as pl
import regex

from polypref.builders.filters.units import CODE, grams, spaced

SCANNED = 20_000  # characters, as many as the filter too_long lets pass; bounds the time that a text takes


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes in units, which are words or characters, for the measures of this module."""

    words: bool  # units are words, else characters
    measured_from: int  # units of a text from which `repetition` is measured
    run: int  # units of the runs that `repetition` counts
    seed: int  # units by which the next copy within a loop is looked for
    longest_period: int  # units of a copy; bounds the time
    twice_from: int  # units of a copy from which two in a row are a loop; shorter ones take three
    shortest_loop: int  # characters of a whole loop


# Runs of 3, 4 and 5 words: P .943, .960, .970, R .230, .208, .192, and 17, 8 and 5 answers of GPT-4 rejected.
# From 12, 24 and 36 words on: R .218, .208, .175 at the same precision; 24 are two or three sentences.
# Of a copy of fewer than 4 words, two in a row may be meant: "very well, very well".
WORDS = Sizes(words=True, measured_from=24, run=4, seed=2, longest_period=60, twice_from=4, shortest_loop=30)
# Runs of 8 characters reject 5 answers of GPT-4 in Thai and 1 in Japanese, runs of 12 none.
CHARACTERS = Sizes(
    words=False, measured_from=48, run=12, seed=8, longest_period=120, twice_from=12, shortest_loop=12
)

# Copies with a stop, a line break or a quotation mark may be a refrain or a list; so many of them are a loop.
REFRAIN = 8
STOPS = tuple('.,;:!?…\n。，、；：！？।؟،؛”“"»«」』)')
LIST_MARK = regex.compile(r"^\s*(?:[-*+•#]+|\w{1,2}[.)、])?\s*")  # "- ", "12. ", "a) ", "一、"
LONG_WORD = 30  # characters of a word that is searched for a loop of letters: "hahahaha…"
LONG_LINE = 20  # characters of a line that counts as repeated; shorter ones, as "}" or "Yes.", may well recur


def loop(rows: pl.DataFrame) -> pl.Series:
    """Return the share of a text's characters in its longest loop: "the shorter the shorter the shorter"."""
    shares = []
    for text, code in rows.select("text", "language").iter_rows():
        shares.append(_loop_share(text[:SCANNED], _sizes(code)))
    return pl.Series(shares, dtype=pl.Float64)


def repetition(rows: pl.DataFrame) -> pl.Series:
    """Return the share of runs (4 words, or 12 characters) that came before, beyond the source's share."""
    shares = []
    for text, code, source in rows.select("text", "language", "source").iter_rows():
        share = _repeated_share(text[:SCANNED], _sizes(code))
        if share and source:
            share = max(0.0, share - _repeated_share(source[:SCANNED], WORDS))
        shares.append(share)
    return pl.Series(shares, dtype=pl.Float64)


def repeated_lines(rows: pl.DataFrame) -> pl.Series:
    """Return the share of a text's lines that came twice before, of 20 characters or more."""
    return pl.Series([_repeated_line_share(text[:SCANNED]) for text in rows["text"]], dtype=pl.Float64)


def _sizes(code: str) -> Sizes:
    return WORDS if spaced(code) else CHARACTERS


def _units(text: str, sizes: Sizes) -> Sequence[str]:
    """Return words with their punctuation, and line breaks; or the characters, without spaces."""
    if not sizes.words:
        return text.replace(" ", "")
    if "\n" in text:
        return text.lower().replace("\n", " \n ").split(" ")
    return text.lower().split()


def _loop_share(text: str, sizes: Sizes) -> float:
    if len(text) < sizes.shortest_loop:
        return 0.0
    units = _units(text, sizes)
    longest = _longest_loop(units, sizes)
    if sizes.words:
        for word in units:
            if len(word) > LONG_WORD and "/" not in word:  # a URL or a path is none
                longest = max(longest, _longest_loop(word, CHARACTERS))
    return longest / len(text) if longest >= sizes.shortest_loop else 0.0


def _longest_loop(units: Sequence[str], sizes: Sizes) -> int:
    """Return the length of the longest loop in characters, with spaces between words; 0 without a loop."""
    longest = 0
    for period in _periods(units, sizes):
        for chain in _chains(units, period):
            if _is_loop(chain, period, sizes):
                characters = sum(map(len, chain))
                if sizes.words:
                    characters += len(chain) - 1
                longest = max(longest, characters)
    return longest


def _periods(units: Sequence[str], sizes: Sizes) -> set[int]:
    """Return the distances at which the same few units stand again: a loop's period is one of them."""
    seeds = grams(units, sizes.seed)
    if len(set(seeds)) == len(seeds):  # as in most texts; saves the slower loop below
        return set()
    last: dict[Hashable, int] = {}
    periods = set()
    for i, seed in enumerate(seeds):
        before = last.get(seed)
        if before is not None and i - before <= sizes.longest_period:
            periods.add(i - before)
        last[seed] = i
    return periods


def _chains(units: Sequence[str], period: int) -> Iterator[Sequence[str]]:
    """Yield the stretches of two copies or more, in which each unit equals the one `period` units before."""
    equals = bytes(map(eq, units[period:], units))  # a byte for each unit from `period` on: 1, or else 0
    for run in re.finditer(rb"\x01{%d,}" % period, equals):
        yield units[run.start() : run.end() + period]


def _is_loop(chain: Sequence[str], period: int, sizes: Sizes) -> bool:
    """Return whether copies in a row are too many, or too long, to be meant."""
    copy = chain[:period]
    copies = len(chain) // period
    if not any(character.isalpha() for character in "".join(copy)):  # a ruler, or digits in columns
        return False
    if any(unit.endswith(STOPS) for unit in copy):
        return copies >= REFRAIN
    return copies >= 3 or period >= sizes.twice_from


def _repeated_share(text: str, sizes: Sizes) -> float:
    """Return the share of runs that came before: 0 where no run stands twice, near 1 where all are alike."""
    if "```" in text or "|" in text:
        text = CODE.sub(" ", text)
    units = _units(_without_shared_openings(text), sizes)
    if sizes.words:
        units = [unit for unit in units if len(unit) > 1 and not unit.isdigit()]
    if len(units) < sizes.measured_from:
        return 0.0
    runs = grams(units, sizes.run)
    return 1 - len(set(runs)) / len(runs)


def _without_shared_openings(text: str) -> str:
    """Return a text without what each line has in common with the beginning of the line above it.

    Items of a list begin alike after their marks: "1. She said that …", "2. She said that …".
    """
    lines = [LIST_MARK.sub("", line) for line in text.split("\n")]
    if len(lines) < 3:
        return text
    kept = [lines[0]]
    for above, line in pairwise(lines):
        shared = commonprefix([above, line])  # noqa: RUF071 - character by character, as is meant
        kept.append(line[len(shared) :])
    return "\n".join(kept)


def _repeated_line_share(text: str) -> float:
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if line]
    if len(lines) < 4:
        return 0.0
    repeated = 0
    for line, count in Counter(lines).items():
        if count > 2 and len(line) >= LONG_LINE:
            repeated += count - 2  # a line may come twice: in a question and its answer, in a refrain
    return repeated / len(lines)
