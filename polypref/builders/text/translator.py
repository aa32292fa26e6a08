"""Texts through a translator, with their structure.

A sentence model gets the sentences of a text, which is then put together again around their translations. A
language model gets whole texts with instructions, and a second try if it broke one. The same checks tell what
either lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from polypref.builders.filters.translation import lost_sentence_share
from polypref.builders.recipe import PIVOT, Translate
from polypref.builders.text import instructions
from polypref.builders.text.checks import find_faults, find_number_faults
from polypref.builders.text.instructions import Chunk, chunks
from polypref.builders.text.lines import has_letters, kept_lines, split_lines
from polypref.builders.text.parse import Piece, parse, sentences
from polypref.builders.text.rebuild import rebuild, restore
from polypref.builders.text.sentences import without_marks
from polypref.engines.base import Answer, Request
from polypref.engines.config import HttpTranslator
from polypref.store.stages import Asking

FINISH_REASONS = ("stop", "length", "error")  # the worse, the later
Answers = Mapping[str, Answer | None]  # by the text that was asked; None: the call failed for now


@dataclass(frozen=True, slots=True)
class Translation:
    """The translation of a group of texts, such as the messages of a prompt.

    `finish_reason` is "length" if a sentence was cut, "error" if a call can never succeed. `lost` names what
    is missing or wrong. `chrf` (0 to 100) compares the English sentences with their translation there and
    back.
    """

    texts: list[str]
    finish_reason: str
    tokens: int
    lost: tuple[str, ...]
    chrf: float | None = None


def translate_texts(
    groups: Sequence[Sequence[str]], target: str, config: Translate
) -> Asking[list[Translation | None]]:
    """Request and return translations of groups of English texts.

    A group is None if one of its calls failed for now.
    """
    if isinstance(config.engine, HttpTranslator):
        limit = config.filters.lost_sentences
        return (yield from _translate_wholes(groups, target, 1.0 if limit is None else limit))
    return (yield from _translate_sentences(groups, target, config.back_translation is not None))


def prose(source: str, translation: str) -> tuple[str, str]:
    """Return both texts without the lines that are kept as they are, or whole if their lines do not match."""
    lines, translated = split_lines(source), split_lines(translation)
    if len(lines) != len(translated):
        return source, translation
    before, after = [], []
    for line, translated_line, kept in zip(lines, translated, kept_lines(lines), strict=True):
        if not kept:
            before.append(line.text)
            after.append(translated_line.text)
    return "\n".join(before), "\n".join(after)


# A sentence model.


def _translate_sentences(
    groups: Sequence[Sequence[str]], target: str, and_back: bool
) -> Asking[list[Translation | None]]:
    parsed_groups = []
    wanted: dict[str, None] = {}  # each sentence once: a dict keeps their order
    for group in groups:
        parsed = [parse(text) for text in group]
        parsed_groups.append(parsed)
        for pieces in parsed:
            wanted.update(dict.fromkeys(sentence.text for sentence in sentences(pieces)))
    answers = yield from _ask({text: _request(text, PIVOT, target) for text in wanted})
    back_answers: Answers | None = None
    if and_back:
        received = [answer.text for answer in answers.values() if answer is not None]
        requests = {text: _request(text, target, PIVOT) for text in received if has_letters(text)}
        back_answers = yield from _ask(requests)
    translations = []
    for group, parsed in zip(groups, parsed_groups, strict=True):
        translations.append(_assemble(group, parsed, target, answers, back_answers))
    return translations


def _assemble(
    group: Sequence[str],
    parsed: Sequence[Sequence[Piece]],
    target: str,
    answers: Answers,
    back_answers: Answers | None,
) -> Translation | None:
    """Return the translation of a group from those of its sentences, None if one is missing."""
    texts: list[str] = []
    faults: list[str] = []
    originals: list[str] = []
    used: list[Answer] = []
    for source, pieces in zip(group, parsed, strict=True):
        asked = [sentence.text for sentence in sentences(pieces)]
        received = [answer for answer in map(answers.get, asked) if answer is not None]
        if len(received) < len(asked):
            return None
        text, text_faults = _assemble_text(pieces, [answer.text for answer in received], target)
        texts.append(text)
        faults += text_faults or find_faults(source, text)
        originals += asked
        used += received
    chrf = None
    if back_answers is not None:
        # An answer without letters was not sent back, and counts as empty.
        back = [back_answers.get(answer.text, Answer()) for answer in used]
        if None in back:
            return None
        chrf = _chrf(originals, [answer.text for answer in back if answer is not None])
    return _translation(texts, used, faults, chrf)


def _assemble_text(
    pieces: Sequence[Piece], translations: Sequence[str], target: str
) -> tuple[str, list[str]]:
    """Return a text from the translations of its sentences, and their faults."""
    restored, mark_faults, faults = [], [], []
    for sentence, translation in zip(sentences(pieces), translations, strict=True):
        text, own_faults = restore(sentence, translation)
        restored.append(text)
        mark_faults += own_faults
        before, after = without_marks(sentence.text), without_marks(translation)
        faults += find_number_faults(before, after)
        if not has_letters(after):
            faults.append("lost_sentences")
    return rebuild(pieces, restored, target), mark_faults + faults


def _chrf(originals: Sequence[str], back: Sequence[str]) -> float | None:
    """Return chrF (Popović 2015) of sentences translated there and back, None without sentences."""
    from sacrebleu.metrics import CHRF

    if not originals:
        return None
    return float(CHRF().corpus_score(back, [originals]).score)


# A language model.


def _translate_wholes(
    groups: Sequence[Sequence[str]], target: str, limit: float
) -> Asking[list[Translation | None]]:
    """Ask for chunks of texts, and once more for those in which something was lost.

    `limit` is the share of sentences that may be missing.
    """
    chunked_groups = [[chunks(text) for text in group] for group in groups]
    first: dict[str, Request] = {}
    for chunked in chunked_groups:
        for chunk in chain.from_iterable(chunked):
            if chunk.has_prose:
                text = chunk.text.strip()
                first[text] = instructions.request(text, PIVOT, target)
    answers = dict((yield from _ask(first)))
    corrections = {}
    for text, answer in answers.items():
        if answer is not None and answer.finish_reason == "stop":
            faults = _faults(text, answer.text.strip(), target, limit)
            if faults:
                corrections[text] = instructions.again(first[text], answer.text, faults)
    answers |= yield from _ask(corrections)
    translations = []
    for group, chunked in zip(groups, chunked_groups, strict=True):
        translations.append(_join_chunks(group, chunked, target, limit, answers))
    return translations


def _join_chunks(
    group: Sequence[str], chunked: Sequence[Sequence[Chunk]], target: str, limit: float, answers: Answers
) -> Translation | None:
    """Return the translation of a group from those of its chunks, None if one is missing."""
    texts: list[str] = []
    faults: list[str] = []
    used: list[Answer] = []
    for source, text_chunks in zip(group, chunked, strict=True):
        parts = []
        for chunk in text_chunks:
            if not chunk.has_prose:
                parts.append(chunk.text)
                continue
            answer = answers[chunk.text.strip()]
            if answer is None:
                return None
            used.append(answer)
            # Between the spaces and line breaks that surround the chunk's text.
            parts.append(chunk.text.replace(chunk.text.strip(), answer.text.strip()))
        texts.append("".join(parts))
        faults += _faults(source, texts[-1], target, limit)
    return _translation(texts, used, faults)


def _faults(source: str, translation: str, target: str, limit: float) -> list[str]:
    faults = find_faults(source, translation)
    before, after = prose(source, translation)
    if lost_sentence_share(before, after, target) > limit:
        faults.append("lost_sentences")
    return faults


# Both.


def _translation(
    texts: list[str], answers: Sequence[Answer], faults: Sequence[str], chrf: float | None = None
) -> Translation:
    finish_reasons = [answer.finish_reason for answer in answers]
    finish_reason = max(finish_reasons, key=FINISH_REASONS.index, default="stop")
    tokens = sum(answer.tokens for answer in answers)
    return Translation(texts, finish_reason, tokens, tuple(dict.fromkeys(faults)), chrf)


def _ask(requests: Mapping[str, Request]) -> Asking[Answers]:
    """Return the answers under the keys of their requests."""
    if not requests:
        return {}
    answers = yield list(requests.values())
    return dict(zip(requests, answers, strict=True))


def _request(text: str, source: str, target: str) -> Request:
    return Request([{"role": "user", "content": text}], source=source, target=target)
