"""Completions: every generator answers every prompt that lives in a language, as often as its recipe says."""

from collections.abc import Callable

import polars as pl

from polypref.builders.filters.apply import Filters, judge_all
from polypref.builders.filters.subject import Subject
from polypref.builders.prompts import kept_rows
from polypref.builders.recipe import Completer
from polypref.engines.base import Request
from polypref.schemas import rows_to_frame
from polypref.store.stages import Asking


def completions(
    config: Completer, generator: str, code: str, filters: Filters
) -> Callable[..., Asking[pl.DataFrame]]:
    """A stage: answers in the language `code` to its prompts, checked. A call that cannot ever succeed is rejected as `failed_call`."""

    def stage(*prompts: pl.DataFrame) -> Asking[pl.DataFrame]:
        rows = kept_rows(pl.concat(prompts)).sort("prompt_id").to_dicts()
        asked = [(row, sample) for row in rows for sample in range(config.samples)]
        answers = yield [Request(row["prompt"], sample=sample) for row, sample in asked]
        given = [
            (row, sample, answer)
            for (row, sample), answer in zip(asked, answers, strict=True)
            if answer is not None
        ]
        subjects = [
            Subject(answer.text, code, None, answer.finish_reason, row["prompt"][-1]["content"])
            for row, _, answer in given
        ]
        out = []
        for (row, sample, answer), (measures, reason) in zip(
            given, judge_all(subjects, filters), strict=True
        ):
            out.append(
                {
                    "prompt_id": row["prompt_id"],
                    "language": code,
                    "generator": generator,
                    "origin": "native",
                    "sample": sample,
                    "completion": answer.text,
                    "finish_reason": answer.finish_reason,
                    "tokens": answer.tokens,
                    "measures": measures,
                    "rejected_by": "failed_call" if answer.error else reason,
                }
            )
        return rows_to_frame(out, "completions")

    return stage
