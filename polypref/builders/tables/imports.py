"""Rows that somebody else made, matched by their ids to the prompts of the work dir: translations, completions, scores.

A row whose prompt is not there stays in the table, rejected as `no_prompt`; one whose prompt was rejected, as
`prompt_rejected`; a second row of one id, as `duplicate`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import polars as pl

from polypref.builders.filters.apply import Filters, apply_filters
from polypref.builders.filters.quality import apply_quality
from polypref.builders.filters.text import is_text
from polypref.builders.prompts import text_of
from polypref.builders.recipe import ImportedScores
from polypref.builders.tables.read import Row, Table, digest_table, read_rows, row_id
from polypref.builders.tables.texts import read_prompt
from polypref.schemas import TABLES, hash16, normalised, rows_to_frame
from polypref.store.parts import part_number
from polypref.store.stages import Asking

ByLanguage = dict[str, list[Row]]
Given = tuple[str, Row, str | None]  # prompt_id, the row, why it is rejected


def by_language(table: Table) -> ByLanguage:
    """All rows of a table, by their language; those of an unknown one are under `und`."""
    rows: ByLanguage = defaultdict(list)
    for row in read_rows(table):
        rows[row.language or "und"].append(row)
    return rows


def in_parts(rows: Iterable[Row], prompts: pl.DataFrame, parts: int) -> list[list[Given]]:
    """Imported rows of one language by part: (prompt_id, row, reason or None). `prompts` are all of that language."""
    living = prompts.filter(pl.col("rejected_by").is_null())
    known = dict(prompts.select("source_id", "prompt_id").iter_rows())
    alive = dict(living.select("source_id", "prompt_id").iter_rows())
    numbered: list[list[Given]] = [[] for _ in range(parts)]
    seen: set[str] = set()
    for row in rows:
        reason = None
        if row.id in seen:
            reason = "duplicate"
        elif row.id not in alive:
            reason = "prompt_rejected" if row.id in known else "no_prompt"
        seen.add(row.id)
        prompt_id = alive[row.id] if reason is None else row_id(row.place, "row")
        numbered[part_number(prompt_id, parts)].append((prompt_id, row, reason))
    return numbered


def completions(
    rows: Sequence[Given], generator: str, code: str, filters: Filters
) -> Callable[..., pl.DataFrame]:
    """A stage that asks nobody: the imported completions of one part, checked like our own."""

    def stage(*prompts: pl.DataFrame) -> pl.DataFrame:
        records = []
        for prompt_id, row, reason in rows:
            text = str(row.text) if is_text(row.text) else None
            if reason is None and text is None:
                reason = "not_text"
            records.append({"prompt_id": prompt_id, "completion": text, "rejected_by": reason})
        frame = pl.DataFrame(records, schema=TABLES["completions"]).with_columns(
            language=pl.lit(code), generator=pl.lit(generator), origin=pl.lit("native"), sample=pl.lit(0)
        )
        return apply_filters(frame, filters, text="completion")

    return stage


def translations(
    rows: Sequence[Given], table: Table, code: str, filters: Filters
) -> Callable[..., Asking[pl.DataFrame]]:
    """Return the stage of one part's imported translations, checked like our own; only `quality` asks an engine."""

    def stage(english: pl.DataFrame) -> Asking[pl.DataFrame]:
        originals = dict(english.select("prompt_id", "prompt").iter_rows())
        records = []
        for prompt_id, row, reason in rows:
            prompt = read_prompt(row.text, "all")
            records.append(
                {
                    "prompt_id": prompt_id,
                    "prompt": normalised(prompt or []),
                    "prompt_en": originals[prompt_id] if reason is None else None,
                    "source_id": row.id,
                    "rejected_by": "not_text" if reason is None and prompt is None else reason,
                }
            )
        frame = pl.DataFrame(records, schema=TABLES["prompts"]).with_columns(
            language=pl.lit(code), source=pl.lit(table.name), translator=pl.lit(table.name)
        )
        texts = {"text": text_of("prompt"), "source": text_of("prompt_en")}
        frame = apply_filters(frame, filters, **texts)
        return (yield from apply_quality(frame, filters.quality, **texts))

    return stage


def scores(config: ImportedScores, scorer: str, generator: str, code: str) -> Callable[..., pl.DataFrame]:
    """A stage that asks nobody: the imported scores of one generator's completions, by the prompt's id in its source."""
    found: dict[str, float] = {}
    table = Table(
        path=config.path, text=config.score, id=(*config.id, config.generator), language=config.language
    )
    for row in read_rows(table):
        if row.language == code and isinstance(row.text, int | float):
            found[row.id] = float(row.text)

    def stage(completions: pl.DataFrame, *prompts: pl.DataFrame) -> pl.DataFrame:
        ids = dict(pl.concat(prompts).select("prompt_id", "source_id").iter_rows())
        kept = completions.filter(pl.col("rejected_by").is_null()).to_dicts()
        keyed = [(row, f"{ids.get(row['prompt_id'])}/{generator}") for row in kept]
        return rows_to_frame(
            [row | {"scorer": scorer, "score": found[key]} for row, key in keyed if key in found], "scores"
        )

    return stage


def digest_of(config: ImportedScores) -> str:
    """What imported scores are: their file's sha256 and its columns."""
    return digest_table(Table(path=config.path, text=config.score)) + hash16(
        config.identity() | {"path": None}
    )
