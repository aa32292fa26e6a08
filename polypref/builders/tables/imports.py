"""Users' translations, completions and scores in place of an engine's, matched to prompts by id.

A row whose id is not a prompt's stays in the table, rejected as `no_prompt`; one whose prompt was rejected,
as `prompt_rejected`; a second row with the same id, as `duplicate`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import polars as pl

from polypref.builders.filters.apply import Filters, apply_filters
from polypref.builders.filters.measures import kept_rows
from polypref.builders.filters.quality import apply_quality
from polypref.builders.filters.text import is_text
from polypref.builders.prompts import text_of
from polypref.builders.recipe import ImportedScores
from polypref.builders.tables.read import Row, Table, digest_table, read_rows, row_id
from polypref.builders.tables.texts import read_prompt
from polypref.schemas import NO_LANGUAGE, TABLES, hash16, normalised
from polypref.store.parts import part_number
from polypref.store.stages import Asking


class ImportedRow(NamedTuple):
    """A row with the id of its prompt; a rejected row has an id of its own instead."""

    prompt_id: str
    row: Row
    rejected_by: str | None


def read_by_language(table: Table) -> defaultdict[str, list[Row]]:
    """Return the rows of a table by language; those without a known language are under NO_LANGUAGE."""
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for row in read_rows(table):
        rows[row.language or NO_LANGUAGE].append(row)
    return rows


def split_into_parts(rows: Iterable[Row], prompts: pl.DataFrame, parts: int) -> list[list[ImportedRow]]:
    """Return the rows of one language by the part that they belong to; `prompts` are all of that language."""
    ids = dict(prompts.select("source_id", "prompt_id").iter_rows())
    kept_ids = dict(kept_rows(prompts).select("source_id", "prompt_id").iter_rows())
    rows_by_part: list[list[ImportedRow]] = [[] for _ in range(parts)]
    seen: set[str] = set()
    for row in rows:
        reason = None
        if row.id in seen:
            reason = "duplicate"
        elif row.id not in ids:
            reason = "no_prompt"
        elif row.id not in kept_ids:
            reason = "prompt_rejected"
        seen.add(row.id)
        prompt_id = kept_ids[row.id] if reason is None else row_id(row.place, "row")
        rows_by_part[part_number(prompt_id, parts)].append(ImportedRow(prompt_id, row, reason))
    return rows_by_part


def import_completions(
    rows: Sequence[ImportedRow], generator: str, code: str, filters: Filters
) -> Callable[..., pl.DataFrame]:
    """Return the stage that filters one part's imported completions."""

    def stage(*prompts: pl.DataFrame) -> pl.DataFrame:
        records = []
        for prompt_id, row, reason in rows:
            text = row.text if is_text(row.text) else None
            if reason is None and text is None:
                reason = "not_text"
            records.append({"prompt_id": prompt_id, "completion": text, "rejected_by": reason})
        frame = pl.DataFrame(records, schema=TABLES["completions"]).with_columns(
            language=pl.lit(code), generator=pl.lit(generator), origin=pl.lit("native"), sample=pl.lit(0)
        )
        return apply_filters(frame, filters, text="completion")

    return stage


def import_translations(
    rows: Sequence[ImportedRow], table: Table, code: str, filters: Filters
) -> Callable[..., Asking[pl.DataFrame]]:
    """Return the stage that filters one part's imported translations; only `quality` asks an engine."""

    def stage(english: pl.DataFrame) -> Asking[pl.DataFrame]:
        originals = dict(english.select("prompt_id", "prompt").iter_rows())
        records = []
        for prompt_id, row, reason in rows:
            prompt = read_prompt(row.text, "all")
            record: dict[str, Any] = {
                "prompt_id": prompt_id,
                "prompt": normalised(prompt or []),
                "source_id": row.id,
            }
            record["prompt_en"] = originals.get(prompt_id)  # rows without a prompt have an id of their own
            if reason is None and prompt is None:
                reason = "not_text"
            records.append(record | {"rejected_by": reason})
        frame = pl.DataFrame(records, schema=TABLES["prompts"]).with_columns(
            language=pl.lit(code), source=pl.lit(table.name), translator=pl.lit(table.name)
        )
        texts = {"text": text_of("prompt"), "source": text_of("prompt_en")}
        frame = apply_filters(frame, filters, **texts)
        return (yield from apply_quality(frame, filters.quality, **texts))

    return stage


def import_scores(config: ImportedScores, scorer: str) -> Callable[..., pl.DataFrame]:
    """Return the stage that takes the scores of completions from a table.

    A score belongs to a prompt by the prompt's id in its source. Completions without a score are left out.
    """
    ids = (*config.id, config.generator)
    table = Table(path=config.path, text=config.score, id=ids, language=config.language)
    scores = []
    for row in read_rows(table):
        if row.language is not None and isinstance(row.text, int | float):
            scores.append((row.id, row.language, float(row.text)))
    columns = {"id": pl.String, "language": pl.String, "score": pl.Float64}
    scored = pl.DataFrame(scores, columns, orient="row").unique(["id", "language"], keep="last")

    def stage(completions: pl.DataFrame, *prompts: pl.DataFrame) -> pl.DataFrame:
        sources = pl.concat(prompts).select("prompt_id", "source_id").unique("prompt_id", keep="last")
        rows = kept_rows(completions).join(sources, on="prompt_id")
        rows = rows.with_columns(scorer=pl.lit(scorer), id=pl.format("{}/{}", "source_id", "generator"))
        return rows.join(scored, on=["id", "language"])

    return stage


def digest_scores(config: ImportedScores) -> str:
    """Return what identifies imported scores: their file's sha256, and the columns that are read."""
    digest = digest_table(Table(path=config.path, text=config.score))
    return digest + hash16(config.identity() | {"path": None})
