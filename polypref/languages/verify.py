"""Verification of a text's language: first its script and letters, then a language identifier.

The question is not which language a text is in, but whether it is in the one it should be in. The outcome is
yes, no, or unsure (too short, or a language that the identifier does not know); unsure is not an error.
Dialects are not told apart, nor are languages outside those that the identifier chooses among.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import regex

from polypref.languages.codes import LANGUAGES, PAPER_23, language
from polypref.languages.identifiers import probabilities
from polypref.languages.scripts import is_dense, is_in_script

Outcome = Literal["yes", "no", "unsure"]

# On lingua's test data in the 23 languages (bench/language.py) the values below accept 99.93% of right claims
# about sentences and 98.3% about single words, and reject 99.92% of wrong claims about sentences. Comments
# say how other values change these shares; the other constants make no difference there.

# P(wanted language) below which a text of ENOUGH letters is in another; proportionally less for a shorter
# text.
THRESHOLD = 0.2  # at 0.1, 99.74% of wrong claims are rejected; at 0.3, 99.76% of right ones accepted
ENOUGH = 36  # at 20, 97.3% of single words are accepted; at 60, 99.82% of wrong claims rejected
# Share of letters in the wanted script; names, terms and quotations in another rarely exceed the rest.
SCRIPT_SHARE = 0.4
DENSITY = 3  # letters of an alphabet that weigh as much as one Han, kana or Hangul character in that share
# Letters of other scripts that decide nothing: Latin ones of a name ("Jean-Paul Sartre" is in texts of every
# script), or a few of any, as in an abbreviation.
LATIN_NAME, FEW = 14, 3
# Letters that must remain for quotations, and for names, to be left out. With MIN_PROSE at 12, 99.85% of
# wrong claims are rejected; if names always stay, 99.79% of right ones are accepted.
MIN_UNQUOTED, MIN_PROSE = 15, 24
SCANNED = 20_000  # characters of a text that are looked at
WINDOW = 70  # characters of each of the three places in them that are judged; at 35, 99.90% are accepted
MIN_KANA = 0.1  # share of kana in the letters of a Japanese text, and of no Chinese one
# Letters from which a text without kana is not Japanese; a shorter one may be a name or a heading. At 24,
# only 68% of Chinese sentences are found not to be Japanese.
NO_KANA = 12

# Close relatives, which identifiers confuse: to say no, the relative need be only MORE_PROBABLE times as
# probable. Without this rule, Russian claimed to be Ukrainian (the hardest wrong claim) is rejected in 87%
# instead of 96%.
RELATIVE = {
    "rus_Cyrl": "ukr_Cyrl",
    "ukr_Cyrl": "rus_Cyrl",
    "arb_Arab": "pes_Arab",
    "pes_Arab": "arb_Arab",
    "spa_Latn": "por_Latn",
    "por_Latn": "spa_Latn",
}
MORE_PROBABLE = 1.5
# In a text of fewer letters MORE_PROBABLE rises proportionally; otherwise 97.5% of single words would pass.
TWO_WORDS = 15
# Letters that the relative lacks. Two words with them are needed to say no: one may be a name.
OWN_LETTERS = {
    "rus_Cyrl": frozenset("ыэъё"),
    "ukr_Cyrl": frozenset("іїєґ"),
    "arb_Arab": frozenset("ةىأإ"),
    "pes_Arab": frozenset("پچژگ"),
    "spa_Latn": frozenset("ñ¿¡"),
    "por_Latn": frozenset("ãõçâêôà"),
}
# Letters that hardly another language has: a text with one in every third word is in this one, and the
# identifier need not be asked.
ONLY_LETTERS = {"vie_Latn": frozenset("ảấầẩẫậắằẳẵặẻếềểễệỉỏốồổỗộớờởỡợủứừửữựỷđơư")}

# Code (fenced to the end of the text where the fence is not closed), URLs, e-mail addresses and tags.
_NOT_PROSE = regex.compile(
    r"```.*?(?:```|\Z)|`[^`\n]+`|https?://\S+|[^\s@]+@[\w.-]+\.\w+|</?[A-Za-z][^<>\n]*>", regex.DOTALL
)
_MAY_HOLD_CODE = ("`", "://", "@", "<")  # without these the pattern, which is slow, cannot match
_QUOTED = regex.compile(r"[“„«「『《\"][^“”„«»「」『』《》\"]{1,80}[”“»」』》\"]")
_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")
_LETTER = regex.compile(r"\p{L}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer to whether a text is in the wanted language, and the probability (0 to 1) that it is."""

    outcome: Outcome
    probability: float


def verify(
    text: str,
    code: str,
    threshold: float = THRESHOLD,
    identifier: str = "cascade",
    among: Sequence[str] = PAPER_23,
) -> Verdict:
    """Verify that `text` is in the language with the FLORES code `code`.

    Code, URLs and addresses are left out, as are names and quotations where enough remains. Of a long text
    the beginning, middle and end are judged. `identifier` (see identifiers.py) chooses among `among` and
    `code`. `threshold` is the least P(`code`) to say yes to a text of ENOUGH letters.
    """
    wanted = language(code)
    sample = _without_names(_places(_prose(text)))
    letters = {character: n for character, n in Counter(sample).items() if character.isalpha()}
    if not letters:
        return Verdict("unsure", 0.0)
    weight, own_weight = _weights(letters, wanted.script)
    share = own_weight / weight
    if share < SCRIPT_SHARE:
        undecided = _may_be_a_name(sample, weight - own_weight, wanted.script)
        return Verdict("unsure" if undecided else "no", 0.0)
    if wanted.script == "Jpan":
        return _verify_japanese(letters)
    if wanted.script in ("Hans", "Hant"):
        return _verify_chinese(letters, wanted.script)
    if _is_alone_in_its_script(wanted.script, frozenset(among)):
        return Verdict("yes", share)
    if wanted.code in ONLY_LETTERS:
        words = _words_with(ONLY_LETTERS[wanted.code], sample)
        if words >= len(sample.split()) / 3:
            return Verdict("yes", 1.0)
    if _is_spelled_as_relative(sample, wanted.code):
        return Verdict("no", 0.0)
    likely = probabilities(sample, wanted.code, identifier, among)
    if likely is None:
        return Verdict("unsure", share)
    return _decide(likely, wanted.code, sum(letters.values()), threshold)


def language_share(text: str, code: str) -> float:
    """Return the share (0 to 1) of a text's lines that are in no other language; 0 without letters."""
    lines = [line for line in text.splitlines() if _LETTER.search(line)]
    if not lines:
        return 0.0
    return sum(verify(line, code).outcome != "no" for line in lines) / len(lines)


def _weights(letters: Mapping[str, int], script: str) -> tuple[int, int]:
    """Return the weight of all letters and of those in a script; `letters` maps each to its count."""
    weight = own_weight = 0
    for letter, n in letters.items():
        letter_weight = n * DENSITY if is_dense(letter) else n
        weight += letter_weight
        if is_in_script(letter, script):
            own_weight += letter_weight
    return weight, own_weight


def _decide(likely: Mapping[str, float], code: str, letters: int, threshold: float) -> Verdict:
    """Return yes if a language is probable enough for its letters and its relative not much more probable."""
    own = likely[code]
    relative = likely.get(RELATIVE.get(code, ""), 0.0)
    probable = own >= threshold * min(1.0, letters / ENOUGH)
    most = MORE_PROBABLE * own * max(1.0, TWO_WORDS / letters)
    return Verdict("yes" if probable and relative <= most else "no", own)


def _prose(text: str) -> str:
    """Return the first SCANNED characters of a text without code, URLs, addresses and tags."""
    text = text[:SCANNED]
    if not any(mark in text for mark in _MAY_HOLD_CODE):
        return text
    return str(_NOT_PROSE.sub(" ", text))


def _places(prose: str) -> str:
    """Return the beginning, middle and end of a long text, cut at spaces where it has some."""
    prose = " ".join(prose.split())
    if len(prose) <= 3 * WINDOW:
        return prose
    starts = (0, (len(prose) - WINDOW) // 2, len(prose) - WINDOW)
    return " ".join(_whole_words(prose[start : start + WINDOW], start > 0) for start in starts)


def _whole_words(window: str, cut_before: bool) -> str:
    """Return a window without the words that its edges cut, or all of it if less than half would remain."""
    first = window.find(" ") + 1 if cut_before else 0
    last = window.rfind(" ")
    return window[first:last] if last - first > WINDOW // 2 else window


def _without_names(sample: str) -> str:
    """Return the sample without quotations and names, which often mislead identifiers, if enough remains.

    A word with a capital inside a sentence counts as a name. So does every noun in German, where most
    sentences have enough other words.
    """
    unquoted, quotations = _QUOTED.subn(" ", sample)
    if quotations and _count_letters(unquoted) >= MIN_UNQUOTED:
        sample = unquoted
    words = sample.split()
    kept = []
    before = "."  # the first word begins a sentence
    for word in words:
        if not word[0].isupper() or before[-1] in ".!?:":
            kept.append(word)
        before = word
    if len(kept) == len(words):
        return sample
    prose = " ".join(kept)
    return prose if _count_letters(prose) >= MIN_PROSE else sample


def _count_letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _may_be_a_name(sample: str, foreign: float, script: str) -> bool:
    """Return whether the letters of other scripts, weighing `foreign`, are so few that they may be a name.

    In a text of another script than Latin, Latin words with capitals, or a single one, may be.
    """
    if foreign <= FEW:
        return True
    if script == "Latn":
        return False
    latin = sum(is_in_script(character, "Latn") for character in sample if character.isalpha())
    words = sample.split()
    capitals = len(words) == 1 or not any(word[0].islower() for word in words)
    return foreign - FEW <= latin <= LATIN_NAME and capitals


def _is_spelled_as_relative(sample: str, code: str) -> bool:
    """Return whether two words or more have letters of the relative, and fewer have the language's own."""
    if code not in RELATIVE:
        return False
    foreign = _words_with(OWN_LETTERS[RELATIVE[code]], sample)
    return foreign > 1 and foreign > _words_with(OWN_LETTERS[code], sample)


def _words_with(letters: frozenset[str], sample: str) -> int:
    return sum(not letters.isdisjoint(word) for word in sample.lower().split())


def _kana_share(letters: Mapping[str, int]) -> float:
    kana = sum(n for letter, n in letters.items() if _KANA.match(letter))
    return kana / sum(letters.values())


def _verify_japanese(letters: Mapping[str, int]) -> Verdict:
    kana = _kana_share(letters)
    outcome: Outcome = "unsure"
    if kana >= MIN_KANA:
        outcome = "yes"
    elif kana == 0 and sum(letters.values()) >= NO_KANA:
        outcome = "no"
    return Verdict(outcome, min(1.0, kana * 2))


def _verify_chinese(letters: Mapping[str, int], script: str) -> Verdict:
    """Tell simplified from traditional Chinese by the characters that only one of GB 2312 and Big5 has."""
    if _kana_share(letters) >= MIN_KANA:
        return Verdict("no", 0.0)
    own, other = ("gb2312", "big5") if script == "Hans" else ("big5", "gb2312")
    only_own = only_other = 0
    for letter, n in letters.items():
        in_own, in_other = _is_encodable(letter, own), _is_encodable(letter, other)
        if in_own and not in_other:
            only_own += n
        elif in_other and not in_own:
            only_other += n
    if only_own == only_other:
        return Verdict("unsure", 0.5)
    return Verdict("yes" if only_own > only_other else "no", only_own / (only_own + only_other))


@cache
def _is_encodable(character: str, charset: str) -> bool:
    try:
        character.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


@cache
def _is_alone_in_its_script(script: str, among: frozenset[str]) -> bool:
    """Return whether the script alone decides: at most one language to choose among is written in it."""
    return sum(LANGUAGES[code].script == script for code in among) <= 1
