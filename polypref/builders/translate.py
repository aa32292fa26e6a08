"""Prompts, and completions with a pivot, from English into another language, with everything that they are made of.

A sentence model gets the sentences of a text (structure.py), which is then put together again; a language
model gets the text itself, with instructions (instructions.py), and a second try. What either lost is found
by the same checks (checks.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from polypref.builders.filters.apply import apply_filters
from polypref.builders.filters.measures import add_measure, kept_rows, reject_rows
from polypref.builders.filters.quality import apply_quality
from polypref.builders.filters.translation import lost_sentence_share
from polypref.builders.recipe import Translate
from polypref.builders.text import instructions
from polypref.builders.text.checks import find_faults, find_number_faults
from polypref.builders.text.lines import has_letters, kept_lines, split_lines
from polypref.builders.text.parse import Piece, parse, sentences
from polypref.builders.text.rebuild import rebuild, restore
from polypref.builders.text.sentences import without_marks
from polypref.engines.base import Answer, Request
from polypref.engines.config import HttpTranslator
from polypref.schemas import COMPLETION_KEY
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


def translate_prompts(
    config: Translate, target: str, translator: str
) -> Callable[[pl.DataFrame], Asking[pl.DataFrame]]:
    """Return the stage that translates the kept English prompts into `target` and checks them."""

    def stage(english: pl.DataFrame) -> Asking[pl.DataFrame]:
        rows = kept_rows(english).with_row_index("row")
        contents = rows.select(pl.col("prompt").list.eval(pl.element().struct.field("content")))
        sources = contents.to_series().to_list()
        translations = yield from texts(sources, target, config)
        checked = yield from check_translations(sources, translations, target, config)
        rows = rows.drop("measures", "rejected_by").join(checked, on="row", maintain_order="left")
        # A message keeps its role and gets the text that stands at its place.
        messages = rows.select("row", "prompt", "texts").explode("prompt", "texts")
        message = pl.struct(role=pl.col("prompt").struct.field("role"), content=pl.col("texts"))
        prompts = messages.group_by("row", maintain_order=True).agg(prompt=message)
        return rows.with_columns(
            prompts["prompt"],
            prompt_en=pl.col("prompt"),
            language=pl.lit(target),
            translator=pl.lit(translator),
        )

    return stage


def translate_completions(config: Translate, target: str) -> Callable[..., Asking[pl.DataFrame]]:
    """Return the stage that translates the kept English completions of the prompts kept in `target`, and checks them."""

    def stage(english: pl.DataFrame, *prompts: pl.DataFrame) -> Asking[pl.DataFrame]:
        kept_prompts = kept_rows(pl.concat(prompts)).select("prompt_id")
        rows = kept_rows(english).join(kept_prompts, on="prompt_id", how="semi").sort(COMPLETION_KEY)
        sources = [[text] for text in rows["completion"]]
        translations = yield from texts(sources, target, config)
        checked = yield from check_translations(sources, translations, target, config)
        rows = rows.select("prompt_id", "generator", "sample").with_row_index("row")
        return rows.join(checked, on="row").with_columns(
            language=pl.lit(target),
            origin=pl.lit("translated"),
            pivot_language=pl.lit(PIVOT),
            completion=pl.col("texts").list.first(),
        )

    return stage


def check_translations(
    sources: Sequence[Sequence[str]],
    translations: Sequence[Translation | None],
    target: str,
    config: Translate,
) -> Asking[pl.DataFrame]:
    """Return the translations as a frame, with what was measured and why a row is rejected.

    A row: `row` (its position), `texts`, `finish_reason`, `tokens`, `measures` and `rejected_by`.
    Translations whose calls failed for now are left out. The filters see prose alone; what the translation
    lost goes before what they find, unless there is no whole text to speak of.
    """
    records = []
    for row, (source, translation) in enumerate(zip(sources, translations, strict=True)):
        if translation is not None:
            records.append(_record(row, source, translation))
    rows = pl.DataFrame(records, TRANSLATED, orient="row").with_columns(language=pl.lit(target))
    rows = apply_filters(rows, config.filters, text="text", source="source", finish_reason="finish_reason")
    overrides = pl.col("rejected_by").is_in(["failed_call", "empty", "truncated"]).not_().fill_null(True)
    loss = pl.when(overrides).then(pl.col("lost").list.first())
    rows = rows.with_columns(rejected_by=pl.coalesce(loss, "rejected_by"))
    if config.back_translation is not None:
        too_far = pl.col("back_translation") < config.back_translation
        rows = reject_rows(rows, too_far, "back_translation")
    from_filters = rows["measures"]
    rows = rows.with_columns(measures=pl.col("lost").list.eval(pl.struct(name=pl.element(), value=1.0)))
    rows = add_measure(rows, "back_translation")
    rows = rows.with_columns(measures=pl.concat_list("measures", from_filters))
    rows = yield from apply_quality(rows, config.filters.quality, text="text", source="source")
    return rows.select("row", "texts", "finish_reason", "tokens", "measures", "rejected_by")


TRANSLATED: dict[str, Any] = {
    "row": pl.UInt32,
    "texts": pl.List(pl.String),
    "finish_reason": pl.String,
    "tokens": pl.Int32,
    "rejected_by": pl.String,
    "lost": pl.List(pl.String),
    "back_translation": pl.Float64,
    "text": pl.String,  # for the filters: prose alone
    "source": pl.String,  # the same, or null where nothing was translated
}


def _record(row: int, source: Sequence[str], translation: Translation) -> tuple[Any, ...]:
    """Return a row of the columns TRANSLATED."""
    start = row, translation.texts, translation.finish_reason, translation.tokens
    if translation.finish_reason == "error":
        return *start, "failed_call", [], None, None, None
    before, after = [], []
    for pair in zip(source, translation.texts, strict=True):
        prose_before, prose_after = prose(*pair)
        before.append(prose_before)
        after.append(prose_after)
    text, original = "\n".join(filter(None, after)), "\n".join(filter(None, before))
    if not has_letters(original):  # all of it is kept as it is: there is no translation to compare
        return *start, None, list(translation.lost), translation.chrf, "\n".join(translation.texts), None
    return *start, None, list(translation.lost), translation.chrf, text, original


def prose(source: str, translation: str) -> tuple[str, str]:
    """Both texts without the lines that pass as they are; both whole where their lines do not correspond."""
    lines, translated = split_lines(source), split_lines(translation)
    if len(lines) != len(translated):
        return source, translation
    before, after = [], []
    for line, other, kept in zip(lines, translated, kept_lines(lines), strict=True):
        if not kept:
            before.append(line.text)
            after.append(other.text)
    return "\n".join(before), "\n".join(after)


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
            answer.text for answer in known.values() if answer is not None and has_letters(answer.text)
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
        found = [restore(sentence, known[sentence.text].text) for sentence in sentences(pieces)]
        contents.append(rebuild(pieces, [text for text, _ in found], target))
        own = [reason for _, why in found for reason in why]
        for sentence in sentences(pieces):
            before, after = without_marks(sentence.text), without_marks(known[sentence.text].text)
            own += find_number_faults(before, after)
            if not has_letters(after):
                own.append("lost_sentences")
        reasons += own or find_faults(source, contents[-1])
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
    return find_faults(source, translation) + (
        ["lost_sentences"] if lost_sentence_share(before, after, target) > limit else []
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
