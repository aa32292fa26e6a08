"""Prompts, and completions with a pivot, from English into another language, with everything that they are made of.

A sentence model gets the sentences of a text (structure.py), which is then put together again; a language model gets the
text itself, with instructions (instructions.py), and a second try. What either lost is found by the same checks (checks.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from polypref.builders.filters.apply import Judgement, judge_all
from polypref.builders.filters.subject import Subject
from polypref.builders.filters.translation import sentences_lost
from polypref.builders.prompts import kept_rows
from polypref.builders.recipe import Translate
from polypref.builders.text import instructions
from polypref.builders.text.checks import lost, lost_numbers
from polypref.builders.text.parse import (
    LETTER,
    MARK,
    Piece,
    frames,
    parse,
    rebuilt,
    restored,
    sentences,
    split_lines,
)
from polypref.engines.base import Answer, Request
from polypref.engines.config import HttpTranslator
from polypref.schemas import COMPLETION_KEY, rows_to_frame
from polypref.store.stages import Asking

PIVOT = "eng_Latn"


@dataclass(frozen=True, slots=True)
class Translation:
    """Texts that belong together, translated: how it ended ("length": a sentence was cut), tokens, and why it is not whole."""

    texts: list[str]
    finish_reason: str
    tokens: int
    lost: tuple[str, ...]
    chrf: float | None = None  # of the translation back into English, 0 to 100


def prompts(
    config: Translate, target: str, translator: str
) -> Callable[[pl.DataFrame], Asking[pl.DataFrame]]:
    """A stage: the English prompts that no filter rejected, in `target`, checked."""

    def stage(english: pl.DataFrame) -> Asking[pl.DataFrame]:
        rows = kept_rows(english).to_dicts()
        sources = [[m["content"] for m in row["prompt"]] for row in rows]
        translations = yield from texts(sources, target, config)
        given = [
            (row, source, made)
            for row, source, made in zip(rows, sources, translations, strict=True)
            if made is not None
        ]
        judged = checked([(source, made) for _, source, made in given], target, config)
        out = []
        for (row, _, translation), (measures, reason) in zip(given, judged, strict=True):
            prompt = [m | {"content": text} for m, text in zip(row["prompt"], translation.texts, strict=True)]
            new = {
                "language": target,
                "prompt": prompt,
                "translator": translator,
                "measures": measures,
                "rejected_by": reason,
            }
            out.append(row | {"prompt_en": row["prompt"]} | new)
        return rows_to_frame(out, "prompts")

    return stage


def completions(config: Translate, target: str) -> Callable[..., Asking[pl.DataFrame]]:
    """A stage: the English completions that no filter rejected, of the prompts that live in `target`, translated and checked."""

    def stage(english: pl.DataFrame, *prompts: pl.DataFrame) -> Asking[pl.DataFrame]:
        wanted = kept_rows(pl.concat(prompts)).select("prompt_id")
        rows = kept_rows(english).join(wanted, on="prompt_id", how="semi").sort(COMPLETION_KEY).to_dicts()
        translations = yield from texts([[row["completion"]] for row in rows], target, config)
        given = [
            (row, translation)
            for row, translation in zip(rows, translations, strict=True)
            if translation is not None
        ]
        judged = checked([([row["completion"]], translation) for row, translation in given], target, config)
        out = []
        for (row, translation), (measures, reason) in zip(given, judged, strict=True):
            (text,), finish = translation.texts, translation.finish_reason
            new = {
                "language": target,
                "origin": "translated",
                "completion": text,
                "pivot_language": PIVOT,
                "finish_reason": finish,
            }
            out.append(
                row | new | {"tokens": translation.tokens, "measures": measures, "rejected_by": reason}
            )
        return rows_to_frame(out, "completions")

    return stage


def checked(
    rows: Sequence[tuple[Sequence[str], Translation]], target: str, config: Translate
) -> list[Judgement]:
    """Of sources and their translations the measures and the reason to reject: what was lost, then the filters, which see prose alone."""
    judged = judge_all(
        [_subject(source, translation, target) for source, translation in rows], config.filters
    )
    return [
        _checked(translation, judgement, config)
        for (_, translation), judgement in zip(rows, judged, strict=True)
    ]


def _subject(source: Sequence[str], translation: Translation, target: str) -> Subject:
    pairs = [prose(*texts) for texts in zip(source, translation.texts, strict=True)]
    before, after = ("\n".join(text for text in side if text) for side in zip(*pairs, strict=True))
    if not LETTER.search(before):  # all of it passes as it is: no translation to compare
        return Subject("\n".join(translation.texts), target, None, translation.finish_reason)
    return Subject(after, target, before, translation.finish_reason)


def _checked(translation: Translation, judgement: Judgement, config: Translate) -> Judgement:
    if translation.finish_reason == "error":
        return Judgement([], "failed_call")
    measures, reason = [{"name": reason, "value": 1.0} for reason in translation.lost], judgement.rejected_by
    if translation.lost and reason not in ("empty", "truncated"):
        reason = translation.lost[0]
    if translation.chrf is not None:
        measures.append({"name": "back_translation", "value": translation.chrf})
        if reason is None and config.back_translation and translation.chrf < config.back_translation:
            reason = "back_translation"
    return Judgement(measures + judgement.measures, reason)


def prose(source: str, translation: str) -> tuple[str, str]:
    """Both texts without the lines that pass as they are; both whole where their lines do not correspond."""
    wanted, there = frames(source), split_lines(translation)
    if len(wanted) != len(there):
        return source, translation
    kept = [
        (line, other) for (passes, _, line, _), (other, _) in zip(wanted, there, strict=True) if not passes
    ]
    return "\n".join(line for line, _ in kept), "\n".join(line for _, line in kept)


def texts(
    groups: Sequence[Sequence[str]], target: str, config: Translate
) -> Asking[list[Translation | None]]:
    """Translates groups of texts (the messages of a prompt); None for a group of which a call failed for now."""
    if isinstance(config.engine, HttpTranslator):
        limit = config.filters.lost_sentences
        return (yield from _as_wholes(groups, target, 1.0 if limit is None else limit))
    return (yield from _by_sentences(groups, target, config.back_translation is not None))


def _by_sentences(
    groups: Sequence[Sequence[str]], target: str, back: bool
) -> Asking[list[Translation | None]]:
    parsed = [[parse(text, PIVOT) for text in group] for group in groups]
    wanted = dict.fromkeys(
        sentence.text for group in parsed for pieces in group for sentence in sentences(pieces)
    )
    known = yield from _ask({text: _request(text, PIVOT, target) for text in wanted})
    returned: Mapping[str, Answer | None] = {}
    if back:
        there = dict.fromkeys(
            answer.text for answer in known.values() if answer is not None and LETTER.search(answer.text)
        )
        returned = yield from _ask({text: _request(text, target, PIVOT) for text in there})
    out: list[Translation | None] = []
    for group, pieces in zip(groups, parsed, strict=True):
        asked = [sentence.text for part in pieces for sentence in sentences(part)]
        answers = [known[text] for text in asked]
        if any(
            answer is None or (returned and returned.get(answer.text, answer) is None) for answer in answers
        ):
            out.append(None)
            continue
        whole = {text: answer for text, answer in zip(asked, answers, strict=True) if answer is not None}
        score = _chrf([(text, returned.get(whole[text].text)) for text in asked]) if back else None
        out.append(_put_together(group, pieces, whole, target, score))
    return out


def _put_together(
    group: Sequence[str],
    parsed: Sequence[Sequence[Piece]],
    known: Mapping[str, Answer],
    target: str,
    chrf: float | None,
) -> Translation:
    contents, reasons = list[str](), list[str]()
    for source, pieces in zip(group, parsed, strict=True):
        found = [restored(sentence, known[sentence.text].text) for sentence in sentences(pieces)]
        contents.append(rebuilt(pieces, [text for text, _ in found], target))
        own = [reason for _, why in found for reason in why]
        for sentence in sentences(pieces):
            before, after = MARK.sub("", sentence.text), MARK.sub("", known[sentence.text].text)
            own += [*lost_numbers(before, after), *(() if LETTER.search(after) else ("lost_sentences",))]
        reasons += own or lost(source, contents[-1])
    used = [known[sentence.text] for pieces in parsed for sentence in sentences(pieces)]
    return Translation(
        contents, _finish(used), sum(answer.tokens for answer in used), tuple(dict.fromkeys(reasons)), chrf
    )


def _as_wholes(
    groups: Sequence[Sequence[str]], target: str, limit: float
) -> Asking[list[Translation | None]]:
    cut = [[instructions.chunks(text) for text in group] for group in groups]
    wanted = dict.fromkeys(
        part.strip() for group in cut for chunks in group for part, has_prose in chunks if has_prose
    )
    first = {text: instructions.request(text, PIVOT, target) for text in wanted}
    known = dict((yield from _ask(first)))
    corrections: dict[str, Request] = {}
    for text, answer in known.items():
        if answer and answer.finish_reason == "stop":
            reasons = _lost(text, answer.text.strip(), target, limit)
            if reasons:
                corrections[text] = instructions.again(first[text], answer.text, reasons)
    known |= yield from _ask(corrections)
    out: list[Translation | None] = []
    for group, chunked in zip(groups, cut, strict=True):
        used = [known[part.strip()] for chunks in chunked for part, has_prose in chunks if has_prose]
        if any(answer is None for answer in used):
            out.append(None)
            continue
        contents = [
            "".join(_in_place(part, known.get(part.strip())) for part, _ in chunks) for chunks in chunked
        ]
        reasons = [
            reason
            for source, text in zip(group, contents, strict=True)
            for reason in _lost(source, text, target, limit)
        ]
        whole = [answer for answer in used if answer is not None]
        out.append(
            Translation(
                contents,
                _finish(whole),
                sum(answer.tokens for answer in whole),
                tuple(dict.fromkeys(reasons)),
            )
        )
    return out


def _lost(source: str, translation: str, target: str, limit: float) -> list[str]:
    before, after = prose(source, translation)
    return lost(source, translation) + (
        ["lost_sentences"] if sentences_lost(before, after, target) > limit else []
    )


def _in_place(part: str, answer: Answer | None) -> str:
    """A stretch's translation between the spaces that stood around the stretch; the stretch itself where nothing was asked."""
    if answer is None:
        return part
    start = len(part) - len(part.lstrip())
    return part[:start] + answer.text.strip() + part[len(part.rstrip()) :]


def _ask(requests: Mapping[str, Request]) -> Asking[Mapping[str, Answer | None]]:
    """The answers under the requests' names. Nothing is asked where there is nothing to ask."""
    if not requests:
        return {}
    answers = yield list(requests.values())
    return dict(zip(requests, answers, strict=True))


def _request(text: str, source: str, target: str) -> Request:
    return Request([{"role": "user", "content": text}], source=source, target=target)


def _finish(answers: Sequence[Answer]) -> str:
    reasons = {answer.finish_reason for answer in answers}
    return next((reason for reason in ("error", "length") if reason in reasons), "stop")


def _chrf(pairs: Sequence[tuple[str, Answer | None]]) -> float | None:
    """chrF (Popović 2015, by sacrebleu) of sentences translated there and back, 0 to 100; None where there is none."""
    from sacrebleu.metrics import CHRF

    if not pairs:
        return None
    back = [answer.text if answer else "" for _, answer in pairs]
    return float(CHRF().corpus_score(back, [[text for text, _ in pairs]]).score)
