"""Requests to a language model that translates: a whole text at a time, its structure kept by instruction.

A model that breaks a rule is asked once more, with the rules that it broke.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from polypref.builders.text.lines import kept_lines, split_lines
from polypref.engines.base import Request
from polypref.languages.codes import language

CHUNK = 6000  # characters of one request: its translation fits 4,096 tokens in most scripts

TEXTS = yaml.safe_load(Path(__file__).with_name("instructions.yaml").read_text("utf-8"))
INSTRUCTION, AGAIN = TEXTS["request"], TEXTS["correction"]
RULES = TEXTS["rules"]


class Chunk(NamedTuple):
    """A stretch of a text, in whole lines."""

    text: str
    has_prose: bool  # else all of it passes as it is


def request(text: str, source: str, target: str) -> Request:
    """Return the request to translate `text` from a language into another, both as FLORES-200 codes."""
    instruction = INSTRUCTION.format(text=text, source=language(source).name, target=language(target).name)
    return Request([{"role": "user", "content": instruction}], source=source, target=target)


def again(first: Request, answer: str, faults: Sequence[str]) -> Request:
    """Return the second and last request: the first one, its answer, and the rules that the answer broke."""
    rules = " ".join(RULES[fault] for fault in faults)
    messages = [
        *first.messages,
        {"role": "assistant", "content": answer},
        {"role": "user", "content": AGAIN.format(rules=rules)},
    ]
    return Request(messages, source=first.source, target=first.target)


def chunks(text: str) -> list[Chunk]:
    """Return the text in chunks of at most CHUNK characters where its lines allow it.

    A chunk ends before a blank line if one stands in its second half, and never within lines that are kept.
    Joined, the chunks are the text.
    """
    lines = split_lines(text)
    finished: list[Chunk] = []
    current: list[Chunk] = []  # one for each line
    size = 0  # characters of `current`
    for line, kept in zip(lines, kept_lines(lines), strict=True):
        may_cut = not (kept and line.text.strip())
        if current and may_cut and size + len(line.text) > CHUNK:
            place = _place_to_cut(current)
            finished.append(_joined(current[:place]))
            current = current[place:]
            size = sum(len(part.text) for part in current)
        current.append(Chunk(line.text + line.end, has_prose=not kept))
        size += len(line.text + line.end)
    if current:
        finished.append(_joined(current))
    return finished


def _place_to_cut(lines: Sequence[Chunk]) -> int:
    """Return the number of the last blank line in the second half, else the number of lines."""
    for number in range(len(lines) - 1, len(lines) // 2, -1):
        if not lines[number].text.strip():
            return number
    return len(lines)


def _joined(lines: Sequence[Chunk]) -> Chunk:
    return Chunk("".join(line.text for line in lines), any(line.has_prose for line in lines))
