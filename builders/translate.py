"""Prompts, and completions with a pivot, from English into another language, their lines and lists kept.

Every text is taken apart (structure.py), its sentences are translated, and it is put together again.
"""

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from builders.config import Translate
from builders.filters.judge import judge_all
from builders.filters.subject import Subject
from builders.prompts import alive
from builders.structure import parse, prose, rebuilt
from cards.tables import COMPLETION_KEY, rows_to_frame
from engines.base import Answer, Request
from store.run import Asking, Rows

PIVOT = "eng_Latn"


def prompts(config: Translate, target: str, translator: str) -> Callable[[pl.DataFrame], Rows]:
    """A stage: the English prompts that no filter rejected, in `target`, checked."""

    def stage(english: pl.DataFrame) -> Rows:
        rows = alive(english).to_dicts()
        translations = yield from texts([[m["content"] for m in row["prompt"]] for row in rows], target)
        given = [(row, translation) for row, translation in zip(rows, translations, strict=True) if translation is not None]
        subjects = [Subject("\n".join(c), target, "\n".join(m["content"] for m in row["prompt"]), finish) for row, (c, finish, _) in given]
        out = []
        for (row, (contents, _, _)), (measures, reason) in zip(given, judge_all(subjects, config.filters), strict=True):
            prompt = [m | {"content": text} for m, text in zip(row["prompt"], contents, strict=True)]
            new = {"language": target, "prompt": prompt, "translator": translator, "measures": measures, "rejected_by": reason}
            out.append(row | {"prompt_en": row["prompt"]} | new)
        return rows_to_frame(out, "prompts")

    return stage


def completions(config: Translate, target: str) -> Callable[..., Rows]:
    """A stage: the English completions that no filter rejected, of the prompts that live in `target`, translated and checked."""

    def stage(english: pl.DataFrame, *prompts: pl.DataFrame) -> Rows:
        wanted = alive(pl.concat(prompts)).select("prompt_id")
        rows = alive(english).join(wanted, on="prompt_id", how="semi").sort(COMPLETION_KEY).to_dicts()
        translations = yield from texts([[row["completion"]] for row in rows], target)
        given = [(row, translation) for row, translation in zip(rows, translations, strict=True) if translation is not None]
        subjects = [Subject(text, target, row["completion"], finish) for row, ((text,), finish, _) in given]
        out = []
        for (row, ((text,), finish, tokens)), (measures, reason) in zip(given, judge_all(subjects, config.filters), strict=True):
            new = {"language": target, "origin": "translated", "completion": text, "pivot_language": PIVOT, "finish_reason": finish}
            out.append(row | new | {"tokens": tokens, "measures": measures, "rejected_by": reason})
        return rows_to_frame(out, "completions")

    return stage


Translation = tuple[list[str], str, int]  # the texts, how it ended ("length": a sentence was cut), tokens


def texts(groups: Sequence[Sequence[str]], target: str) -> Asking[list[Translation | None]]:
    """Translates groups of texts (the messages of a prompt); None for a group of which a call failed."""
    parsed = [[parse(text) for text in group] for group in groups]
    wanted = list(dict.fromkeys(sentence for group in parsed for lines in group for sentence in prose(lines)))
    answers = yield [Request([{"role": "user", "content": s}], source=PIVOT, target=target) for s in wanted]
    known: Mapping[str, Answer | None] = dict(zip(wanted, answers, strict=True))
    translated: list[Translation | None] = []
    for group in parsed:
        found = [known[sentence] for lines in group for sentence in prose(lines)]
        whole = [answer for answer in found if answer is not None]
        if len(whole) < len(found):
            translated.append(None)
            continue
        finish = "length" if any(answer.finish_reason != "stop" for answer in whole) else "stop"
        contents = [rebuilt(lines, [known[s].text for s in prose(lines)], target) for lines in group]  # type: ignore[union-attr]
        translated.append((contents, finish, sum(answer.tokens for answer in whole)))
    return translated
