"""Is a text in the language that it should be in? Verified, not guessed: first its script, then a language identifier.

Three outcomes: yes, no, unsure (too short, or a language that the identifier does not know); unsure is not an error.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Literal

import regex

from cards.languages import LANGUAGES, Language, language

MIN_LETTERS = 12  # below it, even a foreign script may be a name
MIN_IDENTIFIED = 24  # letters below which an identifier's word is not worth much
SCRIPT_SHARE = 0.5  # names, terms and quotations in another script are common; half of a text is not
WINDOW = 200  # characters that the identifier sees

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
NOT_PROSE = regex.compile(r"```.*?(?:```|\Z)|`[^`\n]+`|https?://\S+|\S+@\S+\.\w+", regex.DOTALL)
LETTER = regex.compile(r"\p{L}")
KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a text is in the wanted language, and how probable that is (0 to 1)."""

    outcome: Literal["yes", "no", "unsure"]
    probability: float


def verify(text: str, code: str, threshold: float = 0.1) -> Verdict:
    """Is `text` in the language with this FLORES code? Code, URLs and addresses are set aside first."""
    wanted = language(code)
    prose = NOT_PROSE.sub(" ", text)
    letters = LETTER.findall(prose)
    if not letters:
        return Verdict("unsure", 0.0)
    share = sum(map(len, _script(wanted.script).findall("".join(letters)))) / len(letters)
    if share < SCRIPT_SHARE:
        return Verdict("no" if len(letters) >= MIN_LETTERS else "unsure", 0.0)
    if wanted.script in ("Hans", "Hant", "Jpan"):
        return _han(prose, letters, wanted)
    if _alone_in_its_script(wanted.script):
        return Verdict("yes", share)
    if wanted.langdetect is None:
        return Verdict("unsure", share)
    probability = _langdetect(prose).get(wanted.langdetect, 0.0)
    if probability >= threshold:
        return Verdict("yes", probability)
    return Verdict("no" if len(letters) >= MIN_IDENTIFIED else "unsure", probability)


def language_share(text: str, code: str) -> float:
    """The share of a text's lines that are not in another language than `code`, 0 to 1; 0 for a text without letters."""
    lines = [line for line in text.splitlines() if LETTER.search(line)]
    return sum(verify(line, code).outcome != "no" for line in lines) / len(lines) if lines else 0.0


def _han(prose: str, letters: list[str], wanted: Language) -> Verdict:
    """Chinese has no kana, Japanese has; Hans and Hant have characters that the other's character set lacks."""
    kana = len(KANA.findall(prose)) / len(letters)
    if wanted.script == "Jpan":
        outcome = "yes" if kana >= 0.1 else "no" if len(letters) >= MIN_LETTERS and kana == 0 else "unsure"
        return Verdict(outcome, min(1.0, kana * 2))  # type: ignore[arg-type]
    if kana >= 0.1:
        return Verdict("no", 0.0)
    own, other = ("gb2312", "big5") if wanted.script == "Hans" else ("big5", "gb2312")
    for_it = sum(_encodable(c, own) and not _encodable(c, other) for c in letters)
    against = sum(_encodable(c, other) and not _encodable(c, own) for c in letters)
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
def _script(script: str) -> regex.Pattern[str]:
    """Runs of letters of an ISO 15924 script; names that Unicode does not know by that code match every letter."""
    try:
        return regex.compile("[" + "".join(rf"\p{{Script={name}}}" for name in WRITTEN_IN.get(script, (script,))) + "]+")
    except regex.error:
        return regex.compile(r"\p{L}+")


@cache
def _alone_in_its_script(script: str) -> bool:
    return Counter(known.script for known in LANGUAGES.values())[script] == 1


def _langdetect(prose: str) -> dict[str, float]:
    """langdetect's probabilities (those above 0.1) of the first characters; the same every time."""
    import langdetect

    langdetect.DetectorFactory.seed = 0
    try:
        return {guess.lang: guess.prob for guess in langdetect.detect_langs(" ".join(prose.split())[:WINDOW])}
    except langdetect.LangDetectException:
        return {}
