"""Faults of translations that show beside their source: copied, lost or invented parts, and oscillation.

What the words mean is not compared: a fluent translation of something else passes, unless its length, numbers
or marks give it away.

The effects of constants, in comments below, were measured on 3,415 translations with human labels (Guerreiro
et al., arXiv 2208.05309; P and R are precision and recall of `oscillation`) and on 10,380 human translations
(XQuAD, WMT24, UDHR).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import wraps

import polars as pl
import regex

from polypref.builders.filters.units import CODE, grams, repeated, spaced, words
from polypref.builders.text.numbers import numbers
from polypref.languages.codes import LANGUAGES

MIN_WORDS = 4  # of a source that can be copied: a name or a term may be the same in both languages
MIN_NUMBERS = 4  # that differ; fewer may be a date or a unit that was converted
MIN_LINES, MIN_SENTENCES = 3, 5  # of a source whose translation may miss some; two sentences may become one

# What stays as it is in every language.
KEPT = regex.compile(
    r"""
      https?://[^\s<>()"'、。，）]+   # https://a.org/b
    | \{\{?\w+\}?\}                   # {name}   {{name}}
    | ``` | \$\$                      # the two ends of code and of formulas
    | </?\w+>                         # <b>   </b>
    """,
    regex.VERBOSE,
)
WRITTEN_LINE = re.compile(r"^.*?[^\W_]", re.MULTILINE)  # one that has a letter or digit
# A full stop of any script before a space, a closing quotation mark, a letter (Chinese puts no space) or the
# end: not the one in 3.5.
SENTENCE_END = regex.compile(r"[\p{Sentence_Terminal}…།]+(?=[\s\"”»」』)）]|\Z|\p{L})")

# Characters of a translation to one of English, by language. Medians on XQuAD, WMT24, MGSM and MT-Bench:
# Chinese .31 to .36, Japanese .47, Arabic .86, German and French 1.11 to 1.18, Russian and Hindi .99 to 1.06.
USUAL_RATIO = {
    "zho_Hans": 0.32,
    "zho_Hant": 0.32,
    "jpn_Jpan": 0.45,
    "kor_Hang": 0.5,
    "arb_Arab": 0.85,
    "heb_Hebr": 0.8,
}
USUAL_RATIO_LATIN, USUAL_RATIO_ELSEWHERE = 1.1, 1.0
LEARNED_FROM = 200  # pairs of a language from which its usual ratio is their own median
MIN_LENGTH = 20  # characters of a source whose ratio counts for that median
SLACK = 12  # characters that every text may have more or less: a short text's ratio says little

# Of 1, 2 and 3 words: P .40, .88, .96, R .80, .62, .49, and 1,347, 33 and 4 human translations over .25.
PAIR_OF_WORDS = 2
# Where words are not spaced; of 5, 7 and 9 characters: 4, 1 and 0 of 1,788 human translations over .25.
PAIR_OF_CHARACTERS = 9
# The factor for a text that says something twice in a row: 1, 2, 2.5 and 3.5 have R .47, .58, .62, .62, and
# 2, 22, 33 and 68 human translations over .25.
IN_A_ROW = 2.5
LONGEST_TWICE = 13  # units: twelve that stand twice, and one between them


def length_ratio(rows: pl.DataFrame) -> pl.Series:
    """Return how many times longer or shorter the text is than usual for its source.

    The column `usual` holds what is usual in the row's language: see usual_ratio.
    """
    text, source = rows["text"].str.len_chars(), rows["source"].str.len_chars()
    ratio = (text + SLACK) / (source * rows["usual"] + SLACK)
    return pl.select(pl.max_horizontal(ratio, 1 / ratio)).to_series()


def usual_ratio(rows: pl.DataFrame) -> pl.Series:
    """Return the usual ratio of lengths in a row's language: the median of its rows, if there are enough."""
    published = {}
    for code, language in LANGUAGES.items():
        by_script = USUAL_RATIO_LATIN if language.script == "Latn" else USUAL_RATIO_ELSEWHERE
        published[code] = USUAL_RATIO.get(code, by_script)
    fallback = pl.col("language").replace_strict(
        published, default=USUAL_RATIO_ELSEWHERE, return_dtype=pl.Float64
    )
    source_length = pl.col("source").str.len_chars()
    counts = (source_length >= MIN_LENGTH) & pl.col("rejected_by").is_null()
    ratio = pl.when(counts).then(pl.col("text").str.len_chars() / source_length)
    enough = ratio.count().over("language") >= LEARNED_FROM
    learned = pl.when(enough).then(ratio.median().over("language"))
    return rows.select(pl.coalesce(learned, fallback)).to_series()


def _each_row(measure: Callable[[str, str, str], float]) -> Callable[[pl.DataFrame], pl.Series]:
    """Turn `measure(source, text, language)` into a filter, which measures rows."""

    @wraps(measure)
    def measure_rows(rows: pl.DataFrame) -> pl.Series:
        columns = rows.select("source", "text", "language")
        return pl.Series([measure(*row) for row in columns.iter_rows()], dtype=pl.Float64)

    return measure_rows


@_each_row
def copied_source(source: str, text: str, code: str) -> float:
    """Return the share of the source's words that stand in the translation as they are."""
    return _copied_share(source, text, 1)


@_each_row
def half_translated(source: str, text: str, code: str) -> float:
    """Return the share of the source's runs of four words that the translation still has."""
    return _copied_share(source, text, 4)


def _copied_share(source: str, text: str, run: int) -> float:
    """Return the share of the source's runs of `run` words that the translation still has."""
    source_runs = grams(_prose_words(source), run)
    if len(source_runs) < MIN_WORDS:
        return 0.0
    text_runs = set(grams(_prose_words(text), run))
    return sum(words in text_runs for words in source_runs) / len(source_runs)


def _prose_words(text: str) -> list[str]:
    """Return the words of letters alone, outside code and tables: formulas and prices stay as they are."""
    return [word for word in _english_words(CODE.sub(" ", text)) if len(word) > 1 and word.isalpha()]


def _english_words(text: str) -> list[str]:
    return words(unicodedata.normalize("NFKC", text), "eng_Latn")


@_each_row
def oscillation(source: str, text: str, code: str) -> float:
    """Return the share of repeated pairs of words beyond the source's.

    It counts 2.5 times where something is said twice in a row.
    """
    units, source_words = words(text, code), _english_words(source)
    size = PAIR_OF_WORDS if spaced(code) else PAIR_OF_CHARACTERS
    pairs, source_pairs = repeated(units, size), repeated(source_words, PAIR_OF_WORDS)
    if pairs - source_pairs < 2:  # one more, as "of the", says nothing
        return 0.0
    share = pairs / (len(units) - size + 1)
    source_share = source_pairs / max(1, len(source_words) - PAIR_OF_WORDS + 1)
    excess = max(0.0, share - source_share)
    if _twice_in_a_row(units) and not _twice_in_a_row(source_words):
        return excess * IN_A_ROW
    return excess


def _twice_in_a_row(units: list[str]) -> bool:
    """Return whether up to 12 units of four letters or more stand twice, with one ("and") between at most."""
    for period in range(1, LONGEST_TWICE + 1):
        run = 0  # units, up to here, that equal those a period before
        for i in range(period, len(units)):
            run = run + 1 if units[i] == units[i - period] else 0
            if run >= max(1, period - 1):
                letters = sum(len(unit) for unit in units[i - run + 1 : i + 1] if unit.isalpha())
                if letters >= 4:
                    return True
    return False


@_each_row
def lost_numbers(source: str, text: str, code: str) -> float:
    """Return the share of the numbers of two digits or more that only one of the two texts has."""
    source_numbers, text_numbers = _long_numbers(source), _long_numbers(text)
    different = source_numbers ^ text_numbers
    if len(different) < MIN_NUMBERS:
        return 0.0
    return len(different) / len(source_numbers | text_numbers)


def _long_numbers(text: str) -> set[str]:
    """Return numbers of two digits or more: single ones are written in words in many languages.

    Without zeros at the end 5.50 is 5.5, and 1,200 is the 1.2 of "1.2 thousand".
    """
    long_numbers = set()
    for runs in numbers(text):
        digits = "".join(runs)
        if len(digits) > 1:
            long_numbers.add(digits.rstrip("0") or digits)
    return long_numbers


@_each_row
def lost_marks(source: str, text: str, code: str) -> float:
    """Return the share of the source's URLs, placeholders, tags and fences that the translation lacks."""
    source_marks = Counter(KEPT.findall(source))
    if not source_marks:
        return 0.0
    lost = source_marks - Counter(KEPT.findall(text))
    return lost.total() / source_marks.total()


def lost_sentence_share(source: str, text: str, code: str) -> float:
    """Return the share of a source's lines or sentences that its translation lacks, whichever is more.

    Lines are compared from three on, and sentences from five on, where the script marks their ends.
    """
    share = 0.0
    lines = len(WRITTEN_LINE.findall(source))
    if lines >= MIN_LINES:
        share = max(share, 1 - len(WRITTEN_LINE.findall(text)) / lines)
    language = LANGUAGES.get(code)
    if language is None or language.sentence_marks:
        sentences = len(SENTENCE_END.findall(source))
        if sentences >= MIN_SENTENCES:
            share = max(share, 1 - len(SENTENCE_END.findall(text)) / sentences)
    return share


lost_sentences = _each_row(lost_sentence_share)
