"""Translations from English: of prompts, and of the completions of generators with a pivot."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from polypref.builders.filters.apply import apply_filters
from polypref.builders.filters.measures import kept_rows, list_measures, reject_rows
from polypref.builders.filters.quality import apply_quality
from polypref.builders.recipe import PIVOT, Translate
from polypref.builders.text.lines import has_letters
from polypref.builders.text.translator import Translation, prose, translate_texts
from polypref.schemas import COMPLETION_KEY
from polypref.store.stages import Asking

# What is known of a translation before it is filtered.
UNFILTERED: dict[str, Any] = {
    "row": pl.UInt32,
    "texts": pl.List(pl.String),
    "finish_reason": pl.String,
    "tokens": pl.Int32,
    "rejected_by": pl.String,
    "lost": pl.List(pl.String),
    "back_translation": pl.Float64,
    "text": pl.String,  # the prose of `texts`, for filters
    "source": pl.String,  # the prose of the source, null where there is none
}


def translate_prompts(
    config: Translate, target: str, translator: str, english: pl.DataFrame
) -> Asking[pl.DataFrame]:
    """Translate the kept English prompts into `target` and check them."""
    rows = kept_rows(english).with_row_index("row")
    contents = rows.select(pl.col("prompt").list.eval(pl.element().struct.field("content")))
    sources = contents.to_series().to_list()
    translations = yield from translate_texts(sources, target, config)
    checked = yield from check_translations(sources, translations, target, config)
    rows = rows.drop("measures", "rejected_by").join(checked, on="row", maintain_order="left")
    # Each message keeps its role and gets the translated text in its place.
    messages = rows.select("row", "prompt", "texts").explode("prompt", "texts")
    message = pl.struct(role=pl.col("prompt").struct.field("role"), content=pl.col("texts"))
    prompts = messages.group_by("row", maintain_order=True).agg(prompt=message)
    return rows.with_columns(
        prompts["prompt"],
        prompt_en=pl.col("prompt"),
        language=pl.lit(target),
        translator=pl.lit(translator),
    )


def translate_completions(
    config: Translate, target: str, english: pl.DataFrame, *prompts: pl.DataFrame
) -> Asking[pl.DataFrame]:
    """Translate the kept English completions of prompts that are kept in `target`."""
    kept_prompts = kept_rows(pl.concat(prompts)).select("prompt_id")
    rows = kept_rows(english).join(kept_prompts, on="prompt_id", how="semi").sort(COMPLETION_KEY)
    sources = [[text] for text in rows["completion"]]
    translations = yield from translate_texts(sources, target, config)
    checked = yield from check_translations(sources, translations, target, config)
    rows = rows.select("prompt_id", "generator", "sample").with_row_index("row")
    return rows.join(checked, on="row").with_columns(
        language=pl.lit(target),
        origin=pl.lit("translated"),
        pivot_language=pl.lit(PIVOT),
        completion=pl.col("texts").list.first(),
    )


def check_translations(
    sources: Sequence[Sequence[str]],
    translations: Sequence[Translation | None],
    target: str,
    config: Translate,
) -> Asking[pl.DataFrame]:
    """Filter translations of groups of texts into `target`; only `quality` asks an engine.

    Returns the columns row (the position in `translations`), texts, finish_reason, tokens, measures and
    rejected_by. Translations whose calls failed for now, which are None, are left out.
    """
    records = []
    for row, (source, translation) in enumerate(zip(sources, translations, strict=True)):
        if translation is not None:
            records.append(_unfiltered(row, source, translation))
    rows = pl.DataFrame(records, UNFILTERED, orient="row").with_columns(language=pl.lit(target))
    rows = apply_filters(rows, config.filters, text="text", source="source", finish_reason="finish_reason")
    # What was lost says more than what filters find, unless there is no whole text to compare.
    no_text = pl.col("rejected_by").is_in(["failed_call", "empty", "truncated"]).fill_null(False)
    lost = pl.when(~no_text).then(pl.col("lost").list.first())
    rows = rows.with_columns(rejected_by=pl.coalesce(lost, "rejected_by"))
    if config.back_translation is not None:
        rows = reject_rows(rows, pl.col("back_translation") < config.back_translation, "back_translation")
    losses = pl.col("lost").list.eval(pl.struct(name=pl.element(), value=1.0))
    back_translation = list_measures(rows.select("back_translation"))
    rows = rows.with_columns(measures=pl.concat_list(losses, back_translation, "measures"))
    rows = yield from apply_quality(rows, config.filters.quality, text="text", source="source")
    return rows.select("row", "texts", "finish_reason", "tokens", "measures", "rejected_by")


def _unfiltered(row: int, source: Sequence[str], translation: Translation) -> tuple[Any, ...]:
    """Return a row of the columns UNFILTERED."""
    start = row, translation.texts, translation.finish_reason, translation.tokens
    if translation.finish_reason == "error":
        return *start, "failed_call", [], None, None, None
    pairs = [prose(before, after) for before, after in zip(source, translation.texts, strict=True)]
    original = "\n".join(before for before, _ in pairs if before)
    text = "\n".join(after for _, after in pairs if after)
    findings = None, list(translation.lost), translation.chrf
    if not has_letters(original):  # code, numbers and the like, which stay as they are
        return *start, *findings, "\n".join(translation.texts), None
    return *start, *findings, text, original
