"""Read imported tables only when a stale part first needs them, and keep the counts of their rows."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

import polars as pl

from polypref.builders.recipe import Completer, ImportedScores, PairScores, Translate
from polypref.builders.tables import imports
from polypref.progress import Progress
from polypref.schemas import hash16
from polypref.store.parts import Part, read_parts
from polypref.store.storage import read_json, write_json

T = TypeVar("T")


def rows_when_needed(
    file: Path,
    digest: str,
    config: Translate | Completer,
    codes: Sequence[str],
    sources: Sequence[str],
    parts: int,
) -> Callable[[str, tuple[Part, ...], int], list[imports.ImportedRow]]:
    """Return a function of a language, the parts of its prompts and a number that gives a part's rows.

    `digest` identifies the table (`digest_import`), and `file` takes the counts of its rows.
    """

    def read() -> tuple[dict[str, list[imports.KeyedRow]], dict[str, int], imports.Reasons]:
        rows = imports.read_rows(config, sources)
        by_language, left_out = imports.split_by_language(rows, codes)
        return by_language, {code: len(rows) for code, rows in by_language.items()}, left_out

    assert config.table is not None
    samples = config.samples if isinstance(config, Completer) else 1
    identity = [digest, list(codes), list(sources)]
    by_language = _when_needed(file, config.table.name, identity, read)

    @cache
    def split(code: str, prompts: tuple[Part, ...]) -> list[list[imports.ImportedRow]]:
        return imports.split_into_parts(by_language()[code], read_parts(prompts), parts, samples)

    return lambda code, prompts, number: split(code, prompts)[number]


def scores_when_needed(
    file: Path,
    digest: str,
    config: ImportedScores | PairScores,
    codes: Sequence[str],
    sources: Sequence[str],
) -> Callable[[str], pl.DataFrame]:
    """Return a function of a language that gives its scores, the same frame for all parts.

    See `rows_when_needed` for `file` and `digest`.
    """

    def read() -> tuple[pl.DataFrame, dict[str, int], imports.Reasons]:
        scores = imports.read_scores(config, sources, codes)
        return scores.frame, dict(scores.frame["language"].value_counts().iter_rows()), scores.left_out

    identity = [digest, list(codes), list(sources)]
    scores = _when_needed(file, config.table.name, identity, read)
    return cache(lambda code: scores().filter(language=code))


def _when_needed(
    file: Path,
    name: str,
    identity: Sequence[object],
    read: Callable[[], tuple[T, Mapping[str, int], imports.Reasons]],
) -> Callable[[], T]:
    """Return a function that reads a table once, and writes to `file` the counts of its rows.

    The table is read here if the file has the counts of another table, or of other languages.
    """
    key = hash16(identity)

    @cache
    def read_once() -> T:
        content, counts, left_out = read()
        write_json(file, {"key": key, "rows": counts, "left_out": left_out})
        if left_out:
            reasons = sum(map(Counter, left_out.values()), Counter[str]())
            total = sum(counts.values()) + reasons.total()
            with Progress(f"read {name}", total) as progress:
                progress.advance(total, reasons, 0)
        return content

    if read_json(file).get("key") != key:
        read_once()
    return read_once
