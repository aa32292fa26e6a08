"""Pseudo-localisation, as software is tested with: every word is accented, lengthened and bracketed.

It shows without a model what a translation does to the structure of texts. With `faults`, a share of the
sentences, drawn by hashing, loses, doubles or swaps its marks such as {0}, or else numbers; the checks have
to reject all of them.
"""

import re
from collections.abc import Sequence

from polypref.engines.base import Answer, Request
from polypref.engines.config import PseudoTranslator
from polypref.schemas import hash16, hash32, uniform

ACCENTED = str.maketrans(
    "aceghijklnorstuwyzACEGHIJKLNORSTUWYZbdfmpqvxBDFMPQVX",
    "áçéĝĥîĵķļñöŕšţûŵýžÅÇÉĜĤÎĴĶĻÑÖŔŠŢÛŴÝŽƀðƒɱþǫṽẋßÐƑṀÞǪṼẊ",
)
MARK_OR_WORD = re.compile(r"(\{\d+\})|[^\W\d_]+")  # a mark in the first group, or a word of letters
MARK = re.compile(r"\{\d+\}")
NUMBER = re.compile(r"\d+")
BATCH = 256


class PseudoEngine:
    """A translator into every language that there is."""

    def __init__(self, config: PseudoTranslator, name: str) -> None:
        self.name, self.config = name, config
        self.fingerprint = hash32(config.identity())

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        positions = list(range(len(requests)))
        return [positions[start : start + BATCH] for start in range(0, len(requests), BATCH)]

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        return [self._translate(request) for request in batch]

    def _translate(self, request: Request) -> Answer:
        text = request.messages[0]["content"]
        draw = hash16([text, request.target, self.config.seed])
        if uniform(draw, "fault") < self.config.faults:
            text = damage(text, int(draw, 16))
        text = pseudolocalise(text)
        return Answer(text, "stop", len(text.split()))


def pseudolocalise(text: str) -> str:
    """Turn “Open {0} now” into “⟦~~~~ Öþéñ {0} ñöŵ⟧”, a third longer; texts without words stay as they are.

    A word of a script that has no accents here gets one at its end.
    """
    if not MARK_OR_WORD.search(text):
        return text
    padding = "~" * max(1, len(text) // 3)
    return f"⟦{padding} {MARK_OR_WORD.sub(_accent, text)}⟧"


def _accent(match: re.Match[str]) -> str:
    word, is_mark = match[0], match[1]
    if is_mark:
        return word
    accented = word.translate(ACCENTED)
    return accented if accented != word else f"{word}\u0301"


def damage(text: str, draw: int) -> str:
    """Drop or double one of the text's marks, or swap two; without marks, drop or double a number."""
    marks = list(MARK.finditer(text)) or list(NUMBER.finditer(text))
    if not marks:
        return text
    mark, next_mark = marks[draw % len(marks)], marks[(draw + 1) % len(marks)]
    faults = ["drop", "double"]
    if mark[0] != next_mark[0] and mark[0].startswith("{"):
        faults.append("swap")
    match faults[draw // 7 % len(faults)]:  # by other digits of the draw than the mark
        case "drop":
            return text[: mark.start()] + text[mark.end() :]
        case "double":
            return f"{text[: mark.end()]} {mark[0]}{text[mark.end() :]}"
        case _:
            first, second = sorted((mark, next_mark), key=lambda match: match.start())
            before, between = text[: first.start()], text[first.end() : second.start()]
            return before + second[0] + between + first[0] + text[second.end() :]
