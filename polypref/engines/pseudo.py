"""PseudoEngine-localisation, as software is tested with: every word accented, lengthened and bracketed, nothing else touched.

It makes structure visible without a model. With `faults` a share of the sentences (drawn by hashing) loses, doubles or
swaps what it was to carry over: marks such as {0}, else numbers. Every row of such a sentence has to be rejected.
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
WORD = re.compile(r"(\{\d+\})|[^\W\d_]+")
CARRIED = re.compile(r"\{\d+\}")
NUMBER = re.compile(r"\d+")
BATCH = 256


class PseudoEngine:
    """A translator that knows every language and none."""

    def __init__(self, config: PseudoTranslator, name: str) -> None:
        self.name, self.config = name, config
        self.fingerprint = hash32(config.identity())

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        return [
            list(range(start, min(start + BATCH, len(requests)))) for start in range(0, len(requests), BATCH)
        ]

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        return [self._answer(request) for request in batch]

    def _answer(self, request: Request) -> Answer:
        text = request.messages[0]["content"]
        draw = hash16([text, request.target, self.config.seed])
        if uniform(draw, "fault") < self.config.faults:
            text = damage(text, int(draw, 16))
        text = pseudolocalise(text)
        return Answer(text, "stop", len(text.split()))


def pseudolocalise(text: str) -> str:
    """“Open {0} now” -> “⟦~~~~ Öþéñ {0} ñöŵ⟧”: a third longer; a word of a script that has no accents here gets one at its end."""
    if not WORD.search(text):
        return text
    longer = "~" * max(1, len(text) // 3)
    return f"⟦{longer} {WORD.sub(lambda word: word[0] if word[1] else _accented(word[0]), text)}⟧"


def _accented(word: str) -> str:
    changed = word.translate(ACCENTED)
    return changed if changed != word else f"{word}\u0301"


def damage(text: str, draw: int) -> str:
    """The text without one of its marks, with one twice, or with two of them swapped; without marks, the same done to a number."""
    marks = list(CARRIED.finditer(text)) or list(NUMBER.finditer(text))
    if not marks:
        return text
    mark, other = marks[draw % len(marks)], marks[(draw + 1) % len(marks)]
    ways = ["drop", "double"] + (["swap"] if mark[0] != other[0] and mark[0].startswith("{") else [])
    match ways[draw // 7 % len(ways)]:
        case "drop":
            return text[: mark.start()] + text[mark.end() :]
        case "double":
            return f"{text[: mark.end()]} {mark[0]}{text[mark.end() :]}"
        case _:
            first, second = sorted((mark, other), key=lambda m: m.start())
            return (
                text[: first.start()]
                + second[0]
                + text[first.end() : second.start()]
                + first[0]
                + text[second.end() :]
            )
