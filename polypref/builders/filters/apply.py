"""Asks the filters of a recipe in their order; the first that rejects gives its name to the row's `rejected_by`.

A filter is a function from rows (columns of subject.py) to a measure a row, null where there is nothing to measure; the row is rejected
where its measure is over the threshold. `wrong_language` says itself what it rejects, and `quality` rejects what is under its least.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

import polars as pl

from polypref.builders.filters import completion, language, repetition, text, translation
from polypref.builders.filters.processes import in_processes
from polypref.builders.filters.subject import Subject, frame
from polypref.config import Config, Operational
from polypref.engines.quality import Quality, estimates
from polypref.languages.codes import languages


class Filters(Config):
    """One key a reason, in the order of asking, with its threshold; `null` or `false` switches a filter off.

    `identifier` and `among` say who identifies languages, and among which: the expected one is always one of them.
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
    quality: Quality | None = None
    identifier: str = "cascade"
    among: tuple[str, ...] = ("paper-23",)
    processes: Operational[int] = 0

    def on(self) -> list[str]:
        """The filters that are asked, in their order."""
        return [
            name for name in NAMES if getattr(self, name) is not None and getattr(self, name) is not False
        ]


class Judgement(NamedTuple):
    """The measures ({name, value}) taken up to the first rejection, and its reason, or None."""

    measures: list[dict[str, Any]]
    rejected_by: str | None


Measure = Callable[[pl.DataFrame], pl.Series]
REASONS: dict[str, tuple[Measure, Literal["text", "source", "prompt"]]] = {
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
NAMES = (*REASONS, "wrong_language", "quality")


def judge(subject: Subject, filters: Filters) -> Judgement:
    """One text's judgement."""
    return judge_all([subject], filters)[0]


def judge_all(subjects: Iterable[Subject], filters: Filters) -> list[Judgement]:
    """The judgements of texts, in their order. Lengths of translations are compared with those of the other texts given."""
    judged = judge_frame(frame(subjects), filters)
    columns = [name for name in judged.columns if name != "rejected_by"]
    return [
        Judgement(
            [{"name": name, "value": row[name]} for name in columns if row[name] is not None],
            row["rejected_by"],
        )
        for row in judged.iter_rows(named=True)
    ]


def judge_frame(rows: pl.DataFrame, filters: Filters, all_measures: bool = False) -> pl.DataFrame:
    """A column a filter with its measures (null: not measured) and `rejected_by`, for rows with the columns of subject.py.

    Work of many rows is spread over processes. With `all_measures` later filters measure rejected rows, too.
    """
    if rows["source"].null_count() < rows.height:
        rows = rows.with_columns(usual=translation.usual_ratio(rows))
    found = in_processes(_judged, rows, filters, all_measures)
    return found if filters.quality is None else _with_quality(rows, found, filters.quality, all_measures)


def _judged(rows: pl.DataFrame, filters: Filters, all_measures: bool) -> pl.DataFrame:
    rows = rows.with_row_index("row")
    found = rows.select("row")
    alive, rejected = rows, []
    for name in filters.on():
        threshold = getattr(filters, name)
        if name == "quality":  # asked afterwards, in one process
            continue
        if name == "wrong_language":
            asked = alive
            values, rejects = language.wrong_language(
                asked, float(threshold), filters.identifier, languages(filters.among)
            )
        else:
            measure, needs = REASONS[name]
            asked = alive.filter(pl.col(needs).is_not_null())
            values = measure(asked).cast(pl.Float64) if asked.height else pl.Series([], dtype=pl.Float64)
            rejects = (values > (0.5 if threshold is True else float(threshold))).fill_null(False)
        measured = asked.select("row", values.alias(name))
        found = found.join(measured, on="row", how="left", maintain_order="left")
        if rejects.any():
            out = asked.filter(rejects).select("row", rejected_by=pl.lit(name))
            rejected.append(out)
            if not all_measures:
                alive = alive.join(out, on="row", how="anti", maintain_order="left")
    reasons = pl.concat(
        [*rejected, pl.DataFrame(schema={"row": rows.schema["row"], "rejected_by": pl.String})]
    )
    first = reasons.unique("row", keep="first", maintain_order=True)
    return found.join(first, on="row", how="left", maintain_order="left").drop("row")


def _with_quality(
    rows: pl.DataFrame, found: pl.DataFrame, quality: Quality, all_measures: bool
) -> pl.DataFrame:
    """Asks the model, here and not in other processes, for the translations that nothing rejected."""
    asked = [
        source is not None and (all_measures or reason is None)
        for source, reason in zip(rows["source"], found["rejected_by"], strict=True)
    ]
    values = iter(
        estimates(
            list(rows.filter(pl.Series(asked, dtype=pl.Boolean)).select("source", "text").iter_rows()),
            quality,
        )
    )
    measured = pl.Series("quality", [next(values) if one else None for one in asked], dtype=pl.Float64)
    reasons = pl.coalesce("rejected_by", pl.when(measured < quality.least).then(pl.lit("quality")))
    return found.with_columns(reasons.alias("rejected_by")).insert_column(found.width - 1, measured)
