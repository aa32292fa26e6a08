"""Translations that are none, lost or invented something, or oscillate. Every measure compares a text with its source.

It does not know what the words mean: a fluent translation of something else passes, unless its length, numbers or marks give it away.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable

import polars as pl
import regex

from polypref.builders.filters.units import CODE, grams, repeated, spaced, words
from polypref.languages.codes import LANGUAGES

MIN_WORDS = 4  # a name, a number, a word of a common stock may be the same in both languages
NUMBER = regex.compile(r"\d+(?:[.,٫٬’' \u00a0\u202f]\d{3})*(?:[.,٫]\d+)?")
KEPT = regex.compile(r"https?://[^\s<>()\"'、。，）]+|\{\{?\w+\}?\}|```|\$\$|</?\w+>")
SENTENCE_END = regex.compile(r"[\p{Sentence_Terminal}…།]+(?=[\s\"”»」』)）]|\Z|\p{L})")
LEARNED_FROM = 200  # pairs of one language from which its usual ratio of lengths is learned
# Characters to one of English. The medians of MGSM and of MT-Bench's translations where they have the language, of scripts elsewhere.
USUAL_RATIO = {
    "zho_Hans": 0.32,
    "zho_Hant": 0.32,
    "jpn_Jpan": 0.45,
    "kor_Hang": 0.5,
    "arb_Arab": 0.85,
    "heb_Hebr": 0.8,
}
PAIR = {True: 2, False: 9}  # units that are compared: two words; nine characters where words are not spaced
SLACK = 12  # characters that every text may have more or less
IN_A_ROW = 2.5  # what a text says twice in a row counts so much more


def each(rows: pl.DataFrame, measure: Callable[[str, str, str], float | None]) -> pl.Series:
    """`measure(source, text, language)` of the rows that have a source."""
    triples = rows.select("source", "text", "language").iter_rows()
    return pl.Series(
        [None if source is None else measure(source, text, code) for source, text, code in triples],
        dtype=pl.Float64,
    )


def copied_source(rows: pl.DataFrame) -> pl.Series:
    """The share of the source's words that stand in the translation as they are."""
    return each(rows, _copied)


def half_translated(rows: pl.DataFrame) -> pl.Series:
    """The share of the source's runs of four words that stand in the translation as they are: a sentence or half was left."""
    return each(rows, _left)


def oscillation(rows: pl.DataFrame) -> pl.Series:
    """The share of repeated pairs of words beyond the source's share; 2.5 times that in a text that says something twice in a row."""
    return each(rows, _oscillation)


def lost_numbers(rows: pl.DataFrame) -> pl.Series:
    """The share of the numbers of two digits or more, in the digits of whatever script, that only one of the two texts has."""
    return each(rows, _lost_numbers)


def lost_marks(rows: pl.DataFrame) -> pl.Series:
    """The share of the source's URLs, placeholders, tags and fences of code that the translation has not."""
    return each(rows, _lost_marks)


def lost_sentences(rows: pl.DataFrame) -> pl.Series:
    """The share of the source's lines, or of its sentences, that the translation has fewer, whichever is more."""
    return each(rows, sentences_lost)


def length_ratio(rows: pl.DataFrame) -> pl.Series:
    """How many times longer or shorter than usual the text is for its source. `usual` is judge.py's column: see `usual_ratio`."""
    text, source = rows["text"].str.len_chars(), rows["source"].str.len_chars()
    ratio = (text + SLACK) / (source * rows["usual"] + SLACK)
    return pl.select(pl.max_horizontal(ratio, 1 / ratio)).to_series()


def usual_ratio(rows: pl.DataFrame) -> pl.Series:
    """Characters to one of the source's: the median of the rows of a language where it has enough, else a published one."""
    known = {
        code: USUAL_RATIO.get(code, 1.1 if language.script == "Latn" else 1.0)
        for code, language in LANGUAGES.items()
    }
    published = pl.col("language").replace_strict(known, default=1.0, return_dtype=pl.Float64)
    long = pl.when(pl.col("source").str.len_chars() >= 20).then(
        pl.col("text").str.len_chars() / pl.col("source").str.len_chars()
    )
    learned = pl.when(long.count().over("language") >= LEARNED_FROM).then(long.median().over("language"))
    return rows.select(pl.coalesce(learned, published)).to_series()


def _copied(source: str, text: str, code: str) -> float:
    wanted = _prose(source)
    there = set(_prose(text))
    return sum(word in there for word in wanted) / len(wanted) if len(wanted) >= MIN_WORDS else 0.0


def _left(source: str, text: str, code: str) -> float:
    wanted = grams(_prose(source), 4)
    if len(wanted) < MIN_WORDS:
        return 0.0
    there = set(grams(_prose(text), 4))
    return sum(run in there for run in wanted) / len(wanted)


def _plain(text: str) -> list[str]:
    return words(unicodedata.normalize("NFKC", text), "eng_Latn")


def _prose(text: str) -> list[str]:
    """The words of letters outside code: formulas, names of variables and prices stay as they are in every language."""
    return [word for word in _plain(CODE.sub(" ", text)) if len(word) > 1 and word.isalpha()]


def _oscillation(source: str, text: str, code: str) -> float:
    units, original, n = words(text, code), _plain(source), PAIR[spaced(code)]
    if repeated(units, n) - repeated(original, 2) < 2:
        return 0.0
    excess = max(
        0.0, repeated(units, n) / (len(units) - n + 1) - repeated(original, 2) / max(1, len(original) - 1)
    )
    return excess * (IN_A_ROW if _twice_in_a_row(units) and not _twice_in_a_row(original) else 1.0)


def _twice_in_a_row(units: list[str]) -> bool:
    """Whether up to 12 units that have four letters stand twice, one unit ("and", a letter) at most between them."""
    for period in range(1, 14):
        run = 0
        for i in range(period, len(units)):
            run = run + 1 if units[i] == units[i - period] else 0
            if (
                run >= max(1, period - 1)
                and sum(len(u) for u in units[i - run + 1 : i + 1] if u.isalpha()) >= 4
            ):
                return True
    return False


def _numbers(text: str) -> Counter[str]:
    """Numbers as plain digits, without separators: "1,250" and "١٬٢٥٠" are the same."""
    found = (
        "".join(str(unicodedata.digit(c)) for c in number if c.isdigit()) for number in NUMBER.findall(text)
    )
    return Counter(number.rstrip("0") or number for number in found if len(number) > 1)


def _lost_numbers(source: str, text: str, code: str) -> float:
    wanted, there = _numbers(source), _numbers(text)
    lost, invented = set(wanted) - set(there), set(there) - set(wanted)
    if len(lost) + len(invented) < 4:
        return 0.0
    return (len(lost) + len(invented)) / len(set(wanted) | set(there))


def _lost_marks(source: str, text: str, code: str) -> float:
    wanted, there = Counter(KEPT.findall(source)), Counter(KEPT.findall(text))
    return (wanted - there).total() / wanted.total() if wanted else 0.0


def sentences_lost(source: str, text: str, code: str) -> float:
    """The share of a source's lines, of three or more, or of its sentences, of five or more, that its translation has fewer."""
    known = LANGUAGES.get(code)
    counts = [(_lines, 3), (_sentences, 5)][: 1 if known and not known.sentence_marks else 2]
    lost = [1 - count(text) / wanted for count, least in counts if (wanted := count(source)) >= least]
    return max([0.0, *lost])


def _lines(text: str) -> int:
    return sum(any(c.isalnum() for c in line) for line in text.split("\n"))


def _sentences(text: str) -> int:
    return len(SENTENCE_END.findall(text))
