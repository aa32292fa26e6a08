"""Completions: every generator answers every kept prompt of a language, as often as the recipe says."""

from collections.abc import Sequence

import polars as pl

from polypref.builders.filters.apply import Filters, apply_filters
from polypref.builders.filters.measures import kept_rows
from polypref.engines.base import Answer, Request
from polypref.schemas import TABLES
from polypref.store.stages import Asking


def complete_prompts(
    samples: int, generator: str, filters: Filters, *prompts: pl.DataFrame
) -> Asking[pl.DataFrame]:
    """Complete and filter prompts, each `samples` times.

    A call that can never succeed gives a row that is rejected as `failed_call`.
    """
    rows = kept_rows(pl.concat(prompts)).sort("prompt_id").select("prompt_id", "language", "prompt")
    numbers = pl.DataFrame({"sample": range(samples)}, schema={"sample": pl.Int32})
    rows = rows.join(numbers, how="cross", maintain_order="left_right")
    requests = []
    for prompt, sample in rows.select("prompt", "sample").iter_rows():
        requests.append(Request(prompt, sample=sample))
    answers = yield requests
    rows = add_answers(rows, answers).with_columns(
        generator=pl.lit(generator), origin=pl.lit("native"), pivot_language=pl.lit(None)
    )
    question = pl.col("prompt").list.last().struct.field("content")
    return apply_filters(rows, filters, text="completion", prompt=question, finish_reason="finish_reason")


def add_answers(rows: pl.DataFrame, answers: Sequence[Answer | None]) -> pl.DataFrame:
    """Return the rows that have an answer, with `completion`, `finish_reason`, `tokens` and `rejected_by`.

    Rows without one are left out: their calls failed for now, and the next run asks again.
    """
    received = [answer for answer in answers if answer is not None]
    answered = pl.Series([answer is not None for answer in answers], dtype=pl.Boolean)
    columns = []
    for answer in received:
        reason = None
        if answer.error:
            reason = "template_refused" if answer.error.startswith("template_refused") else "failed_call"
        columns.append((answer.text, answer.finish_reason, answer.tokens, reason))
    names = ("completion", "finish_reason", "tokens", "rejected_by")
    schema = {name: TABLES["completions"][name] for name in names}
    frame = pl.DataFrame(columns, schema, orient="row")
    return pl.concat([rows.filter(answered), frame], how="horizontal")
