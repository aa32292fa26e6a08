"""Prompts, the first stage: read from their sources, filtered and sampled.

Every later row keeps the ids given here. Rows that cannot be used stay in the table with the reason:
not_text, unknown_language, duplicate, the name of a filter, near_duplicate, contaminated, not_sampled.
"""

from collections.abc import Iterable
from typing import Any

import polars as pl

from polypref.builders.filters.apply import apply_filters
from polypref.builders.filters.contamination import evaluation_items, overlaps
from polypref.builders.filters.duplicates import near_duplicates
from polypref.builders.filters.measures import add_measure, kept_rows, reject_rows
from polypref.builders.recipe import Prompts
from polypref.builders.tables.read import Row, Table, digest_table, read_rows, reason_to_skip, row_id
from polypref.builders.tables.texts import read_prompt
from polypref.progress import Progress
from polypref.schemas import NO_LANGUAGE, TABLES, hash16, normalised, prompt_id, uniform
from polypref.store.parts import part_number
from polypref.store.storage import read_json, write_json
from polypref.store.workdir import Workdir


def write_prompts(config: Prompts, seed: int, workdir: Workdir) -> dict[str, int]:
    """Write the parts of the source prompts (`prompts/source/LANGUAGE`) unless they are up to date.

    Returns {language: rows} of all languages in the sources.
    """
    key = _key(config, seed)
    state_file = workdir.path / "tables/prompts/source.json"
    state = read_json(state_file)
    if state.get("key") == key:
        return dict(state["languages"])
    rows = filtered_prompts(read_prompts(config.sources, config.turns), config)
    rows = sample_prompts(rows, config.sample, seed)
    by_language = {str(code): group for (code,), group in rows.group_by("language")}
    counts = {code: by_language[code].height for code in sorted(by_language)}
    parts = workdir.part_count(max(counts.values()))
    with Progress("prompts", rows.height) as progress:
        for code in counts:
            numbers = [part_number(identity, parts) for identity in by_language[code]["prompt_id"]]
            numbered = by_language[code].with_columns(part=pl.Series(numbers, dtype=pl.Int64))
            for part in workdir.table("prompts", "source", code, parts=parts):
                part_info = part.write(numbered.filter(part=part.number), "prompts", key, 0)
                progress.advance(part_info.rows, part_info.rejected, 0)
    write_json(state_file, {"key": key, "languages": counts})
    return counts


def _key(config: Prompts, seed: int) -> str:
    """Return the key of the table: everything that its rows depend on."""
    sources = [
        [digest_table(table), table.name, table.text, table.id, table.language] for table in config.sources
    ]
    evaluation_sets = [[digest_table(table), table.text] for table in config.evaluation_sets]
    return hash16([config.identity() | {"sources": sources, "evaluation_sets": evaluation_sets}, seed])


def read_prompts(sources: Iterable[Table], turns: str) -> pl.DataFrame:
    """Return every row of the sources as a row of the prompts table.

    Rows that are not text or of no known language are rejected as such; of equal prompts all but the first
    are rejected as duplicates. Such rows get an id of their own, from their place in their source.
    """
    rows: list[dict[str, Any]] = []
    ids: set[str] = set()
    for table in sources:
        for row in read_rows(table):
            prompt = _prompt_row(row, turns) | {"source": table.name, "source_id": row.id}
            if prompt["rejected_by"] is None and prompt["prompt_id"] in ids:
                prompt["prompt_id"] = row_id(f"{table.name}:{len(rows)}", "duplicate")
                prompt["rejected_by"] = "duplicate"
            ids.add(prompt["prompt_id"])
            rows.append(prompt)
    return pl.DataFrame(rows, schema=TABLES["prompts"])


def _prompt_row(row: Row, turns: str) -> dict[str, Any]:
    """Return a row of a source as a row of the prompts table, without its source."""
    prompt = read_prompt(row.text, turns)
    if prompt is None or row.language is None:
        return {
            "prompt_id": row_id(row.place, "row"),
            "language": row.language or NO_LANGUAGE,
            "prompt": prompt or [],
            "rejected_by": reason_to_skip(prompt, row.language),
        }
    prompt = normalised(prompt)
    return {
        "prompt_id": prompt_id(prompt, row.language),
        "language": row.language,
        "prompt": prompt,
        "prompt_en": prompt if row.language == "eng_Latn" else None,
        "rejected_by": None,
    }


def text_of(column: str) -> pl.Expr:
    """Return the text of a column of messages: their contents, one after the other."""
    return pl.col(column).list.eval(pl.element().struct.field("content")).list.join("\n")


def filtered_prompts(rows: pl.DataFrame, config: Prompts) -> pl.DataFrame:
    """Apply the filters and reject near-duplicates and overlap with evaluation sets, as the recipe says."""
    rows = apply_filters(rows, config.filters, text=text_of("prompt"))
    if config.near_duplicates is not None:
        rows = _reject_near_duplicates(rows, config.near_duplicates)
    if config.evaluation_sets:
        rows = _reject_contaminated(rows, config.evaluation_sets, config.overlap)
    return rows


def _reject_near_duplicates(rows: pl.DataFrame, similarity: float) -> pl.DataFrame:
    """Reject near-duplicates within each language."""
    rows = rows.with_row_index("row")
    kept = kept_rows(rows).select("row", "language", "prompt_id", text=text_of("prompt"))
    duplicates = []
    for _, group in kept.group_by("language"):
        originals = near_duplicates(group["text"].to_list(), group["prompt_id"].to_list(), similarity)
        pairs = zip(group["row"], originals, strict=True)
        duplicates += [row for row, original in pairs if original is not None]
    return reject_rows(rows, pl.col("row").is_in(duplicates), "near_duplicate").drop("row")


def _reject_contaminated(rows: pl.DataFrame, evaluation_sets: Iterable[Table], least: float) -> pl.DataFrame:
    """Reject prompts that contain a share of `least` or more of an item of an evaluation set."""
    rows = rows.with_row_index("row")
    kept = kept_rows(rows).select("row", text=text_of("prompt"))
    shares = overlaps(kept["text"].to_list(), evaluation_items(evaluation_sets))
    measured = kept.select("row", contaminated=pl.Series(shares, dtype=pl.Float64))
    rows = rows.join(measured, on="row", how="left", maintain_order="left")
    rows = reject_rows(rows, pl.col("contaminated") >= least, "contaminated")
    return add_measure(rows, "contaminated").drop("row")


def sample_prompts(rows: pl.DataFrame, count: int | None, seed: int) -> pl.DataFrame:
    """Reject all but `count` of the kept prompts of each language.

    The lowest hashes of id and seed stay, so a larger sample contains a smaller one.
    """
    if count is None:
        return rows
    draws = [uniform(identity, f"sample {seed}") for identity in rows["prompt_id"]]
    rows = rows.with_columns(draw=pl.Series(draws, dtype=pl.Float64))
    draw = pl.when(pl.col("rejected_by").is_null()).then("draw")  # rejected rows: null, and without a rank
    rank = draw.rank("ordinal").over("language")
    return reject_rows(rows, rank > count, "not_sampled").drop("draw")
