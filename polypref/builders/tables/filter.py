"""Every filter on anybody's table: `polypref filter`. The rows come back whole, with a column a measure and `rejected_by`.

A table is read, judged and written chunk by chunk, so memory does not grow with its rows. What no file of UTF-8 and JSON can hold is
written as U+FFFD (a lone surrogate) or null (not a number, infinity).
"""

import json
import math
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from polypref.builders.filters.apply import NAMES, WORKING_COLUMNS, Filters, measure_rows
from polypref.builders.filters.text import SURROGATE, masked
from polypref.builders.tables.read import Table, finish, of_kind, records, strings
from polypref.errors import InputError
from polypref.languages.codes import LANGUAGES, language

CHUNK = 10_000
UNKNOWN = "und"
Funnel = dict[str, Counter[str]]  # language -> rows by reason; "" for those that are kept


def filter_table(
    path: Path,
    text: str,
    language_is: str,
    filters: Filters,
    source: str | None = None,
    out: Path | None = None,
    mask: bool = False,
) -> Funnel:
    """Judges every row and writes `out` (its ending says how: .jsonl, .csv, .tsv, .parquet); returns the funnel.

    Raises InputError: a file that cannot be parsed, a column that is not there or is in the way, an unknown kind of file.
    """
    funnel: Funnel = {}
    chunks = judged(path, text, language_is, filters, source)
    if out is None:
        for _, found in chunks:
            _count(found, funnel)
        return funnel
    of_kind(out, ".jsonl", ".csv", ".tsv", ".parquet")
    unfinished = out.with_name(f".{out.name}.tmp")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(unfinished, "wb") as file:
            for rows, found in chunks:
                _count(found, funnel)
                if mask:
                    _mask(rows, text)
                measures = found.drop("language").to_dicts()
                file.writelines(_line(row | about) for row, about in zip(rows, measures, strict=True))
        finish(unfinished, out)
    finally:
        unfinished.unlink(missing_ok=True)
    return funnel


def judged(
    path: Path,
    text: str,
    language_is: str,
    filters: Filters,
    source: str | None = None,
    all_measures: bool = False,
) -> Iterator[tuple[list[dict[str, Any]], pl.DataFrame]]:
    """Chunks of rows as they were read, with what was found of them: `language`, a column a measure, `rejected_by`."""
    rows = (row for _, row in records(Table(path=path, text=text)))
    first = True
    while chunk := list(islice(rows, CHUNK)):
        if first:
            constant = _checked(path, chunk[0], text, language_is, source)
            first = False
        if taken := {*filters.enabled(), "rejected_by"}.intersection(key for row in chunk for key in row):
            raise InputError(
                f"{path}: has a column {min(taken)!r} already; expected none of that name, for it will be written"
            )
        yield (
            chunk,
            _judged(
                chunk, text, constant or language_is, constant is not None, filters, source, all_measures
            ),
        )
    if first:
        raise InputError(f"{path}: no rows; expected at least one")


def explain_row(
    path: Path, text: str, language_is: str, filters: Filters, row: int, source: str | None = None
) -> list[tuple[str, str, str]]:
    """(filter, measure, threshold) of one row, counted from 1, every filter asked; the last line says what rejects it."""
    before = 0
    for chunk, found in judged(path, text, language_is, filters, source, all_measures=True):
        if row <= before + len(chunk):
            about = found.row(row - before - 1, named=True)
            measured = [(name, about.get(name), getattr(filters, name)) for name in NAMES]
            lines = [
                (name, "-" if value is None else f"{value:.4g}", _threshold(limit))
                for name, value, limit in measured
            ]
            return [*lines, ("rejected_by", str(about["rejected_by"] or "nothing: kept"), "")]
        before += len(chunk)
    raise InputError(f"{path}: no row {row}; found {before} rows")


def print_funnel(funnel: Funnel) -> None:
    """Reasons by languages; every column adds up to the rows of its language."""
    codes = sorted(funnel)
    reasons = [
        name for name in ("not_text", "unknown_language", *NAMES) if any(funnel[code][name] for code in codes)
    ]
    titles = [(LANGUAGES[code].iso639_1 or code) if code in LANGUAGES else code for code in codes]
    shown = [("rows", [sum(funnel[code].values()) for code in codes])]
    shown += [(reason, [funnel[code][reason] for code in codes]) for reason in reasons]
    shown += [("kept", [funnel[code][""] for code in codes])]
    print(f"{'':20} {'all':>10} " + " ".join(f"{title:>8}" for title in titles))
    for title, counts in shown:
        print(f"{title:20} {sum(counts):>10,} " + " ".join(f"{count:>8,}" for count in counts))


def _judged(
    chunk: list[dict[str, Any]],
    text: str,
    language_is: str,
    constant: bool,
    filters: Filters,
    source: str | None,
    all_measures: bool,
) -> pl.DataFrame:
    texts = [_content(row.get(text)) for row in chunk]
    codes = [language_is if constant else _code(row.get(language_is)) for row in chunk]
    sources = [_content(row.get(source)) if source else None for row in chunk]
    ends = [
        row.get("finish_reason") if isinstance(row.get("finish_reason"), str) else "stop" for row in chunk
    ]
    reasons = [
        "not_text" if t is None else "unknown_language" if c is None else None
        for t, c in zip(texts, codes, strict=True)
    ]
    columns: dict[str, list[Any]] = {
        "text": texts,
        "language": codes,
        "source": sources,
        "finish_reason": ends,
        "prompt": [None] * len(chunk),
    }
    frame = pl.DataFrame(columns, schema=WORKING_COLUMNS).with_row_index("position")
    unusable = pl.Series(reasons, dtype=pl.String)
    usable = frame.filter(unusable.is_null())
    found = (
        measure_rows(usable.drop("position"), filters, all_measures).with_columns(usable["position"])
        if usable.height
        else None
    )
    out = frame.select("position", pl.col("language").fill_null(UNKNOWN), bad=unusable)
    measured = filters.enabled()
    if found is None:
        return out.with_columns(
            *(pl.lit(None, pl.Float64).alias(n) for n in measured), rejected_by=pl.col("bad")
        ).drop("position", "bad")
    out = out.join(found, on="position", how="left", maintain_order="left")
    return out.with_columns(rejected_by=pl.coalesce("bad", "rejected_by")).drop("position", "bad")


def _checked(path: Path, row: dict[str, Any], text: str, language_is: str, source: str | None) -> str | None:
    """The language of all rows, where `language_is` is no column; raises InputError for columns that are not there."""
    for column in filter(None, (text, source)):
        if column not in row:
            raise InputError(f"{path}: missing column {column!r}; found {', '.join(row)}")
    return None if language_is in row else language(language_is).code


def _content(value: object) -> str | None:
    """A text, or the contents of messages or turns, one after the other; None where there is none."""
    found = strings(value) if isinstance(value, str | list) else None
    return None if found is None else "\n".join(found)


def _code(value: object) -> str | None:
    try:
        return language(str(value)).code
    except InputError:
        return None


def _count(found: pl.DataFrame, funnel: Funnel) -> None:
    for code, reason, rows in (
        found.group_by("language", "rejected_by", maintain_order=True).len().iter_rows()
    ):
        funnel.setdefault(code, Counter())[reason or ""] += rows


def _mask(rows: list[dict[str, Any]], text: str) -> None:
    held = [place for row in rows for place in _strings(row, text)]
    contents = masked(pl.Series([_writable(holder[key]) for holder, key in held], dtype=pl.String))
    for (holder, key), content in zip(held, contents, strict=True):
        holder[key] = content


def _strings(holder: Any, key: Any) -> Iterator[tuple[Any, Any]]:
    """Where strings stand in a value: (what holds it, its key); in messages and turns, too."""
    value = holder.get(key) if isinstance(holder, dict) else holder[key]
    if isinstance(value, str):
        yield holder, key
    elif isinstance(value, dict | list):
        for inner in value if isinstance(value, dict) else range(len(value)):
            yield from _strings(value, inner)


def _line(row: dict[str, Any]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False, default=_plain).encode() + b"\n"
    except ValueError:
        return json.dumps(_writable(row), ensure_ascii=False, default=_plain).encode() + b"\n"


def _writable(value: Any) -> Any:
    if isinstance(value, str):
        return SURROGATE.sub("\ufffd", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_writable(key): _writable(inner) for key, inner in value.items()}
    return [_writable(inner) for inner in value] if isinstance(value, list) else value


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _threshold(limit: object) -> str:
    return (
        "off"
        if limit is None or limit is False
        else "on"
        if limit is True
        else str(getattr(limit, "least", limit))
    )
