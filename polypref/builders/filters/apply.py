"""Apply a recipe's filters to rows, one after the other; the first that rejects a row names the reason.

A filter is a function from rows to one number a row, its measure. It works on the columns `text`, `language`,
`source` (what the text was translated from, or null), `finish_reason` and `prompt` (what the text answers, or
null), and a row is rejected where its measure is over the threshold. A measure is null where there is nothing
to measure. Rows that `rejected_by` says are rejected already are not measured. Two filters differ:
`wrong_language` decides by itself, and `quality`, which asks a model, is not applied here (see quality.py).
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import polars as pl
from pydantic import ValidationInfo, field_validator

from polypref.builders.filters import completion, language, repetition, text, translation
from polypref.builders.filters.measures import kept_rows, list_measures, reject_rows
from polypref.builders.filters.processes import map_chunks
from polypref.builders.filters.quality import QualityFilter
from polypref.config import Config, Operational
from polypref.languages.codes import languages

IS_TRUE = 0.5  # the threshold of filters that measure 0 or 1 and are only on or off
WORKING_COLUMNS = dict.fromkeys(
    ("text", "language", "source", "finish_reason", "prompt", "rejected_by"), pl.String
)
ABSENT = pl.lit(None, pl.String)
STOPPED = pl.lit("stop")  # the finish reason of texts that no engine of ours wrote


class Filters(Config):
    """The filters in the order of application, each with its threshold; `null` or `false` turns it off.

    Languages are identified by `identifier`, which chooses among the languages `among` and the expected one.
    """

    empty: bool = True
    too_long: int | None = 20_000
    truncated: bool = True
    chat_template: int | None = 0
    equals_prompt: bool = True
    refusal: bool = True
    self_identification: int | None = 0
    private: int | None = None
    copied_source: float | None = 0.8
    half_translated: float | None = 0.3
    about_translating: int | None = 0
    length_ratio: float | None = 3.0
    lost_numbers: float | None = 0.6
    lost_marks: float | None = 0.5
    lost_sentences: float | None = 0.5
    oscillation: float | None = 0.25
    loop: float | None = 0.3
    repeated_lines: float | None = 0.3
    repetition: float | None = 0.3
    wrong_language: float | None = 0.2
    quality: QualityFilter | None = None
    identifier: str = "cascade"
    among: tuple[str, ...] = ("paper-23",)
    processes: Operational[int] = 0

    @field_validator("*", mode="before")
    @classmethod
    def _switch(cls, value: object, info: ValidationInfo) -> object:
        """Take `null` for `false`, and `false` for `null` where a number is expected: it would count as 0."""
        is_switch = cls.model_fields[str(info.field_name)].annotation is bool
        if value is None or value is False:
            return False if is_switch else None
        if value is True and not is_switch:
            raise ValueError("expected a threshold, or null")
        return value

    def enabled(self) -> list[str]:
        """Return the names of the filters that are on, in the order of application."""
        names = []
        for name in NAMES:
            threshold = getattr(self, name)
            if threshold is not None and threshold is not False:  # not `in`: a threshold of 0 equals False
                names.append(name)
        return names


# Each filter's function, and the column that a row must have for it to apply.
FILTERS: dict[str, tuple[Callable[[pl.DataFrame], pl.Series], Literal["text", "source", "prompt"]]] = {
    "empty": (text.empty, "text"),
    "too_long": (text.too_long, "text"),
    "truncated": (text.truncated, "text"),
    "chat_template": (completion.chat_template, "text"),
    "equals_prompt": (completion.equals_prompt, "prompt"),
    "refusal": (completion.refusal, "text"),
    "self_identification": (completion.self_identification, "text"),
    "private": (text.private, "text"),
    "copied_source": (translation.copied_source, "source"),
    "half_translated": (translation.half_translated, "source"),
    "about_translating": (completion.about_translating, "source"),
    "length_ratio": (translation.length_ratio, "source"),
    "lost_numbers": (translation.lost_numbers, "source"),
    "lost_marks": (translation.lost_marks, "source"),
    "lost_sentences": (translation.lost_sentences, "source"),
    "oscillation": (translation.oscillation, "source"),
    "loop": (repetition.loop, "text"),
    "repeated_lines": (repetition.repeated_lines, "text"),
    "repetition": (repetition.repetition, "text"),
}
NAMES = (*FILTERS, "wrong_language", "quality")


def apply_filters(
    rows: pl.DataFrame,
    filters: Filters,
    *,
    text: str | pl.Expr,
    source: str | pl.Expr = ABSENT,
    prompt: str | pl.Expr = ABSENT,
    finish_reason: str | pl.Expr = STOPPED,
) -> pl.DataFrame:
    """Return a stage's rows with `measures` and `rejected_by` filled.

    `rows` has the columns `language` and `rejected_by`. Rows that are rejected already keep their reason, and
    their measures are empty. The other arguments are the columns, or expressions, that the filters work on.
    """
    working = rows.select(
        "language", "rejected_by", text=text, source=source, prompt=prompt, finish_reason=finish_reason
    )
    measured = measure_rows(working, filters)
    return rows.with_columns(measured["rejected_by"], list_measures(measured.drop("rejected_by")))


def measure_rows(rows: pl.DataFrame, filters: Filters, all_measures: bool = False) -> pl.DataFrame:
    """Return a column of measures for each enabled filter, and `rejected_by`, in the order of the rows.

    A rejected row is not measured by the filters that follow, unless `all_measures` is set. The work on many
    rows is spread over processes.
    """
    rows = rows.with_columns(usual=translation.usual_ratio(rows))
    measure = partial(_measure_chunk, filters=filters, all_measures=all_measures)
    return map_chunks(measure, rows, filters.processes)


def _measure_chunk(rows: pl.DataFrame, filters: Filters, all_measures: bool) -> pl.DataFrame:
    """Do the work of `measure_rows` on some rows, in this process."""
    rows = rows.with_row_index("row")
    results = rows.select("row", "rejected_by")
    rows = kept_rows(rows)
    for name in filters.enabled():
        if name == "quality":
            continue
        measured = _apply_filter(name, rows, filters)
        results = results.join(measured, on="row", how="left", maintain_order="left")
        results = reject_rows(results, pl.col("rejects"), name).drop("rejects")
        if not all_measures and measured["rejects"].any():
            rows = rows.join(kept_rows(results), on="row", how="semi", maintain_order="left")
    return results.select(pl.exclude("row", "rejected_by"), "rejected_by")


def _apply_filter(name: str, rows: pl.DataFrame, filters: Filters) -> pl.DataFrame:
    """Return `row`, the measure and `rejects` (true or false) of the rows that a filter applies to."""
    threshold = getattr(filters, name)
    if name == "wrong_language":
        measures, rejects = language.wrong_language(
            rows, threshold, filters.identifier, languages(filters.among)
        )
        return rows.select("row", measures.alias(name), rejects=rejects)
    measure, required = FILTERS[name]
    rows = rows.filter(pl.col(required).is_not_null())
    measures = measure(rows).cast(pl.Float64)
    rejects = measures > (IS_TRUE if threshold is True else float(threshold))
    return rows.select("row", measures.alias(name), rejects=rejects)
