"""Prompts: read from their sources, checked, and drawn. The first stage; every later row keeps the ids given here."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import polars as pl

from polypref.builders.filters.apply import judge_all
from polypref.builders.filters.contamination import evaluation_items, overlaps
from polypref.builders.filters.duplicates import near_duplicates
from polypref.builders.filters.subject import Subject
from polypref.builders.recipe import Prompts
from polypref.builders.tables.read import Table, digest, messages, name, read, row_id
from polypref.progress import Progress
from polypref.schemas import hash16, normalised, prompt_id, rows_to_frame, uniform
from polypref.store.parts import part_number
from polypref.store.storage import read_json, write_json
from polypref.store.workdir import Workdir

BATCH = 5000  # rows that are judged together
NO_LANGUAGE = "und"  # ISO 639-3 for undetermined: rows whose language nobody knows


def build(config: Prompts, seed: int, workdir: Workdir) -> dict[str, int]:
    """Makes the source prompts' parts (`prompts/source/<language>`); returns the languages found, with their rows.

    Rows that cannot be used stay in the table with their reason: not_text, unknown_language, duplicate, a filter's
    name, near_duplicate, contaminated, not_sampled.
    """
    sources = [[digest(s), name(s), s.text, s.id, s.language] for s in config.sources]
    against = [[digest(s), s.text] for s in config.evaluation_sets]
    key = hash16([config.identity() | {"sources": sources, "evaluation_sets": against}, seed])
    done = workdir.path / "tables/prompts/source.json"
    if (state := read_json(done)).get("key") == key:
        return dict(state["languages"])
    by_language: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in drawn(
        compared(list(checked(candidates(config.sources, config.turns), config)), config), config.sample, seed
    ):
        by_language[str(row["language"])].append(row)
    parts = workdir.part_count(max(map(len, by_language.values())))
    with Progress("prompts", sum(map(len, by_language.values()))) as progress:
        for code, rows in sorted(by_language.items()):
            in_part: dict[int, list[dict[str, Any]]] = defaultdict(list)
            for row in rows:
                in_part[part_number(str(row["prompt_id"]), parts)].append(row)
            for part in workdir.table("prompts", "source", code, parts=parts):
                about = part.write(rows_to_frame(in_part[part.number], "prompts"), "prompts", key, 0)
                progress.advance(about.rows, about.rejected, 0)
    languages = {code: len(rows) for code, rows in sorted(by_language.items())}
    write_json(done, {"key": key, "languages": languages})
    return languages


def candidates(sources: Iterable[Table], turns: str) -> Iterator[dict[str, Any]]:
    """Every row of the sources as a row of the prompts table; those that are not text, or of no known language, with that reason."""
    for table in sources:
        for row in read(table):
            prompt = messages(row.text, turns)
            about: dict[str, Any] = {"source": name(table), "source_id": row.id, "measures": []}
            reason = "not_text" if prompt is None else "unknown_language" if row.language is None else None
            if prompt is None or row.language is None:
                yield {
                    "prompt_id": row_id(row.place, "row"),
                    "language": row.language or NO_LANGUAGE,
                    "prompt": prompt or [],
                    "rejected_by": reason,
                } | about
                continue
            prompt = normalised(prompt)
            yield {
                "prompt_id": prompt_id(prompt, row.language),
                "language": row.language,
                "prompt": prompt,
                "prompt_en": prompt if row.language == "eng_Latn" else None,
                "rejected_by": None,
            } | about


def checked(rows: Iterable[dict[str, Any]], config: Prompts) -> Iterator[dict[str, Any]]:
    """Rejects exact duplicates (the first stays), then asks the filters."""
    unique = _unique(rows)
    while batch := list(islice(unique, BATCH)):
        living = [row for row in batch if row["rejected_by"] is None]
        subjects = [Subject(text_of(row["prompt"]), str(row["language"])) for row in living]
        for row, judgement in zip(living, judge_all(subjects, config.filters), strict=True):
            row["measures"], row["rejected_by"] = judgement
        yield from batch


def _unique(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for count, row in enumerate(rows):
        identity = str(row["prompt_id"])
        if row["rejected_by"] is None and identity in seen:
            yield row | {
                "prompt_id": row_id(f"{row['source']}:{count}", "duplicate"),
                "rejected_by": "duplicate",
            }
            continue
        if row["rejected_by"] is None:
            seen.add(identity)
        yield row


def compared(rows: list[dict[str, Any]], config: Prompts) -> list[dict[str, Any]]:
    """Rejects near-duplicates within each language and what overlaps with evaluation sets, where the recipe asks for it."""
    if config.near_duplicates is not None:
        by_language: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            if row["rejected_by"] is None:
                by_language[str(row["language"])].append(row)
        for some in by_language.values():
            texts, ids = [text_of(row["prompt"]) for row in some], [str(row["prompt_id"]) for row in some]
            for row, first in zip(some, near_duplicates(texts, ids, config.near_duplicates), strict=True):
                row["rejected_by"] = None if first is None else "near_duplicate"
    if config.evaluation_sets:
        living = [row for row in rows if row["rejected_by"] is None]
        shares = overlaps(
            [text_of(row["prompt"]) for row in living], evaluation_items(config.evaluation_sets)
        )
        for row, share in zip(living, shares, strict=True):
            row["measures"] = [*row["measures"], {"name": "contaminated", "value": share}]
            row["rejected_by"] = "contaminated" if share >= config.overlap else None
    return rows


def text_of(prompt: Iterable[dict[str, str]]) -> str:
    return "\n".join(message["content"] for message in prompt)


def drawn(rows: Iterable[dict[str, Any]], sample: int | None, seed: int) -> list[dict[str, Any]]:
    """At most `sample` kept prompts a language: those whose seeded hash is lowest, so a larger sample holds a smaller one."""
    rows = list(rows)
    if sample is None:
        return rows
    kept: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["rejected_by"] is None:
            kept[str(row["language"])].append(str(row["prompt_id"]))
    wanted = {
        identity
        for ids in kept.values()
        for identity in sorted(ids, key=lambda i: uniform(i, f"sample {seed}"))[:sample]
    }
    return [
        row | {"rejected_by": "not_sampled"}
        if row["rejected_by"] is None and row["prompt_id"] not in wanted
        else row
        for row in rows
    ]


def kept_rows(prompts: pl.DataFrame) -> pl.DataFrame:
    """The rows that no filter rejected."""
    return prompts.filter(pl.col("rejected_by").is_null())
