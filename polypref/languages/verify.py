"""Is a text in the language that it should be in? Verified, not guessed: first its script and letters, then a language identifier.

Three outcomes: yes, no, unsure (too short, or a language that the identifier does not know); unsure is not an error. It does not know
dialects from one another, nor languages that are not among those it is told to choose among.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import regex

from polypref.languages.codes import LANGUAGES, PAPER_23, Language, language
from polypref.languages.identifiers import probabilities

THRESHOLD = 0.2  # P(expected) below which a text of ENOUGH letters is in another language; a shorter text's is proportionally lower
ENOUGH = 36
MAY_BE_A_NAME = {
    "Latn": 14,
    "other": 3,
}  # letters of a foreign script that say nothing yet: "Jean-Paul Sartre" stands in every language
SCRIPT_SHARE = (
    0.4  # names, terms and quotations in another script are common; more than half of a text rarely
)
MIN_UNQUOTED, MIN_PROSE = 15, 24  # letters that must be left where quotations, and where names, are set aside
WINDOW = 70  # characters of each of the three places of a long text that are judged
SCANNED = 20_000  # characters in which the three places lie

# Unicode scripts that a language's letters may have, where they are not one script of the ISO 15924 name.
WRITTEN_IN = {
    "Jpan": ("Hiragana", "Katakana", "Han"),
    "Hang": ("Hangul",),
    "Kore": ("Hangul",),
    "Hans": ("Han",),
    "Hant": ("Han",),
    "Latn": ("Latin",),
    "Cyrl": ("Cyrillic",),
    "Arab": ("Arabic",),
    "Deva": ("Devanagari",),
    "Grek": ("Greek",),
    "Hebr": ("Hebrew",),
}
# Close relatives, which identifiers mix up: the relative need only be MORE_PROBABLE times as probable to say no, and so do letters that
# only the relative's words have, in two words or more.
RELATIVE = {
    "rus_Cyrl": "ukr_Cyrl",
    "ukr_Cyrl": "rus_Cyrl",
    "arb_Arab": "pes_Arab",
    "pes_Arab": "arb_Arab",
    "spa_Latn": "por_Latn",
    "por_Latn": "spa_Latn",
}
MORE_PROBABLE = 1.5
WORD = 15  # letters of two words: a shorter text needs proportionally more to say so
OWN_LETTERS = {
    "rus_Cyrl": frozenset("ыэъё"),
    "ukr_Cyrl": frozenset("іїєґ"),
    "arb_Arab": frozenset("ةىأإ"),
    "pes_Arab": frozenset("پچژگ"),
    "spa_Latn": frozenset("ñ¿¡"),
    "por_Latn": frozenset("ãõçâêôà"),
}
NOT_PROSE = regex.compile(
    r"```.*?(?:```|\Z)|`[^`\n]+`|https?://\S+|[^\s@]+@[\w.-]+\.\w+|</?[A-Za-z][^<>\n]*>", regex.DOTALL
)
MAY_HOLD_CODE = ("`", "://", "@", "<")
# Letters that no other language has: in a third of the words they say yes.
ONLY_LETTERS = {"vie_Latn": frozenset("ảấầẩẫậắằẳẵặẻếềểễệỉỏốồổỗộớờởỡợủứừửữựỷđơư")}
QUOTED = regex.compile(r"[“„«「『《\"][^“”„«»「」『』《》\"]{1,80}[”“»」』》\"]")
LETTER = regex.compile(r"\p{L}")
DENSITY = 3  # letters of an alphabet that one character of these scripts stands for, where scripts are weighed against each other
DENSE_SCRIPTS = ("Hans", "Hant", "Jpan", "Hang", "Kore")
DENSE = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]")
KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a text is in the wanted language, and how probable that is (0 to 1)."""

    outcome: Literal["yes", "no", "unsure"]
    probability: float


def verify(
    text: str,
    code: str,
    threshold: float = THRESHOLD,
    identifier: str = "cascade",
    among: Sequence[str] = PAPER_23,
) -> Verdict:
    """Is `text` in the language with this FLORES code? Code, URLs and addresses are set aside; of a long text three places are judged."""
    wanted = language(code)
    sample = _without_names(_places(_prose(text)))
    letters = {c: n for c, n in Counter(sample).items() if c.isalpha()}
    if not letters:
        return Verdict("unsure", 0.0)
    count, weight = sum(letters.values()), DENSITY if wanted.script in DENSE_SCRIPTS else 1
    everything = count + (DENSITY - 1) * sum(n for c, n in letters.items() if _is_dense(c))
    own = weight * sum(n for c, n in letters.items() if _is_in(c, wanted.script))
    share = own / everything
    if share < SCRIPT_SHARE:
        return Verdict("unsure" if _may_be_a_name(sample, everything - own, wanted) else "no", 0.0)
    if wanted.script in ("Hans", "Hant", "Jpan"):
        return _han(letters, count, wanted)
    if _alone_in_its_script(wanted.script, frozenset(among)):
        return Verdict("yes", share)
    if (
        wanted.code in ONLY_LETTERS
        and _words_with(ONLY_LETTERS[wanted.code], sample) >= len(sample.split()) / 3
    ):
        return Verdict("yes", 1.0)
    if _in_letters_of_relative(sample, wanted.code):
        return Verdict("no", 0.0)
    found = probabilities(sample, wanted.code, identifier, among)
    if found is None:
        return Verdict("unsure", share)
    likely, relative = found[wanted.code], found.get(RELATIVE.get(wanted.code, ""), 0.0)
    enough = likely >= threshold * min(1.0, count / ENOUGH) and relative <= MORE_PROBABLE * likely * max(
        1.0, WORD / count
    )
    return Verdict("yes" if enough else "no", likely)


def language_share(text: str, code: str) -> float:
    """The share of a text's lines that are not in another language than `code`, 0 to 1; 0 for a text without letters."""
    lines = [line for line in text.splitlines() if LETTER.search(line)]
    return sum(verify(line, code).outcome != "no" for line in lines) / len(lines) if lines else 0.0


def _prose(text: str) -> str:
    text = text[:SCANNED]
    if not any(mark in text for mark in MAY_HOLD_CODE):
        return text
    return str(NOT_PROSE.sub(" ", text))


def _places(prose: str) -> str:
    """Three windows of a long text: its beginning, middle and end, cut at spaces where there are some."""
    prose = " ".join(prose.split())
    if len(prose) <= 3 * WINDOW:
        return prose
    starts = (0, (len(prose) - WINDOW) // 2, len(prose) - WINDOW)
    return " ".join(_whole_words(prose[start : start + WINDOW], start > 0) for start in starts)


def _without_names(sample: str) -> str:
    """The sample without names and quotations, if enough is left: they tell little of a language, and often the wrong one.

    Names are words with a capital within a sentence.
    """
    unquoted, quotations = QUOTED.subn(" ", sample)
    if quotations and sum(map(str.isalpha, unquoted)) >= MIN_UNQUOTED:
        sample = unquoted
    words = sample.split()
    kept = [
        word
        for before, word in zip([".", *words], words, strict=False)
        if not word[0].isupper() or before[-1] in ".!?:"
    ]
    if len(kept) == len(words):
        return sample
    left = " ".join(kept)
    return left if sum(map(str.isalpha, left)) >= MIN_PROSE else sample


def _whole_words(window: str, cut_before: bool) -> str:
    first = window.find(" ") + 1 if cut_before else 0
    last = window.rfind(" ")
    return window[first:last] if last - first > WINDOW // 2 else window


def _may_be_a_name(sample: str, foreign: float, wanted: Language) -> bool:
    """Whether so few letters of another script may be a name: in a text that is not in Latin letters, Latin words with capitals."""
    if foreign <= MAY_BE_A_NAME["other"]:
        return True
    latin = sum(_is_in(c, "Latn") for c in sample if c.isalpha())
    words = sample.split()
    capitals = len(words) == 1 or not any(word[0].islower() for word in words)
    return wanted.script != "Latn" and foreign - 3 <= latin <= MAY_BE_A_NAME["Latn"] and capitals


def _in_letters_of_relative(sample: str, code: str) -> bool:
    relative = RELATIVE.get(code)
    if relative is None:
        return False
    foreign = _words_with(OWN_LETTERS[relative], sample)
    return foreign > 1 and foreign > _words_with(OWN_LETTERS[code], sample)


def _words_with(letters: frozenset[str], sample: str) -> int:
    return sum(not letters.isdisjoint(word) for word in sample.lower().split())


def _han(letters: Mapping[str, int], count: int, wanted: Language) -> Verdict:
    """Chinese has no kana, Japanese has; Hans and Hant have characters that the other's character set lacks."""
    kana = sum(n for c, n in letters.items() if KANA.match(c)) / count
    if wanted.script == "Jpan":
        outcome = "yes" if kana >= 0.1 else "no" if count >= 12 and kana == 0 else "unsure"
        return Verdict(outcome, min(1.0, kana * 2))  # type: ignore[arg-type]
    if kana >= 0.1:
        return Verdict("no", 0.0)
    own, other = ("gb2312", "big5") if wanted.script == "Hans" else ("big5", "gb2312")
    for_it = sum(n for c, n in letters.items() if _encodable(c, own) and not _encodable(c, other))
    against = sum(n for c, n in letters.items() if _encodable(c, other) and not _encodable(c, own))
    if for_it == against:
        return Verdict("unsure", 0.5)
    return Verdict("yes" if for_it > against else "no", for_it / (for_it + against))


@cache
def _encodable(character: str, charset: str) -> bool:
    try:
        character.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


@cache
def _is_in(letter: str, script: str) -> bool:
    return _script(script).match(letter) is not None


@cache
def _is_dense(letter: str) -> bool:
    return DENSE.match(letter) is not None


@cache
def _script(script: str) -> regex.Pattern[str]:
    """A letter of an ISO 15924 script; a name that Unicode does not know by that code matches every letter."""
    try:
        return regex.compile(
            "[" + "".join(rf"\p{{Script={name}}}" for name in WRITTEN_IN.get(script, (script,))) + "]"
        )
    except regex.error:
        return LETTER


@cache
def _alone_in_its_script(script: str, among: frozenset[str]) -> bool:
    """Whether the script alone decides: at most one of the languages to choose among is written in it."""
    return sum(LANGUAGES[code].script == script for code in among) <= 1
