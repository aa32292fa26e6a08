"""Anybody's table through a translator: every row in every language, its columns and the shape of its text as they were."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from polypref.builders.recipe import PIVOT, Translate
from polypref.builders.tables.read import Table, name, of_kind, records, strings, with_strings
from polypref.builders.text.translator import translate_texts
from polypref.builders.translate import check_translations
from polypref.engines.base import Engine
from polypref.engines.pool import ask_engine
from polypref.engines.seq2seq import check_languages
from polypref.engines.start import open_engine
from polypref.errors import InputError
from polypref.languages.codes import language, languages
from polypref.progress import Progress
from polypref.store.answers import AnswerLog
from polypref.store.stages import Asking
from polypref.store.workdir import Workdir

T = TypeVar("T")
TRANSLATOR_KINDS = ("ct2", "hf", "http", "pseudo")
ROWS_AT_ONCE = 1000


def parse_translator(spec: str, base_url: str | None) -> Translate:
    """`ct2:facebook/nllb-200-distilled-600M`, `hf:FOLDER`, `http:MODEL` with a base_url, or `pseudo`, as a config."""
    kind, _, model = spec.partition(":")
    if kind not in TRANSLATOR_KINDS or (not model and kind != "pseudo"):
        raise InputError(
            f"--translator {spec}: expected KIND:MODEL, KIND one of {', '.join(TRANSLATOR_KINDS)}"
        )
    if (kind == "http") != (base_url is not None):
        raise InputError(
            "--base-url: the address of an OpenAI-compatible server; it goes with --translator http:MODEL"
        )
    given = {"kind": kind, "model": model or kind} | ({"base_url": base_url} if base_url else {})
    filters = {"too_long": None} | ({"wrong_language": None} if kind == "pseudo" else {})
    return Translate.model_validate({"engine": given, "filters": filters})


def translate_table(
    path: Path, column: str, to: Sequence[str], config: Translate, out: Path, workdir: Workdir
) -> dict[str, int]:
    """Writes `out` (JSONL or parquet): each row of the table in each language, with `language` and `rejected_by`; returns rows by reason.

    `column` holds a text, a list of texts, or messages ({role, content} or {from, value}), and keeps that shape; rows that
    hold none are kept as they are, rejected as `not_text`. Raises InputError: file, column, language, model.
    """
    codes = [code for code in languages(to) if code != PIVOT]
    if not codes:
        raise InputError(f"--to {','.join(to)}: expected languages other than English")
    of_kind(out, ".jsonl", ".parquet")
    table = Table(path=path, text=column)
    rows = [row for _, row in records(table)]
    if not rows or column not in rows[0]:
        raise InputError(
            f"{name(table)}: missing column {column!r}; found {', '.join(sorted(rows[0])) if rows else 'no rows'}"
        )
    assert config.engine is not None
    engine = open_engine(config.engine, config.engine.model, workdir)
    check_languages(engine, codes)
    reasons = Counter[str]()
    made: list[dict[str, Any]] = []
    with Progress(f"translate {path.name}", len(rows) * len(codes)) as progress:
        for code in codes:
            for first in range(0, len(rows), ROWS_AT_ONCE):
                some = list(
                    _translated(
                        rows[first : first + ROWS_AT_ONCE], column, code, config, engine, workdir, progress
                    )
                )
                rejected = Counter(row["rejected_by"] for row in some if row["rejected_by"])
                progress.advance(len(some), rejected, rejected["failed_call"])
                reasons += rejected
                made += some
    _write(made, out)
    return {"kept": len(made) - reasons.total(), **reasons}


def answered(asking: Asking[T], engine: Engine, log: AnswerLog, progress: Progress | None = None) -> T:
    """What a generator of requests returns, its requests put to an engine: a stage's work outside of its parts."""
    try:
        requests = next(asking)
        while True:
            requests = asking.send(ask_engine(engine, requests, log, progress))
    except StopIteration as stop:
        result: T = stop.value
        return result


def _translated(
    rows: Sequence[dict[str, Any]],
    column: str,
    code: str,
    config: Translate,
    engine: Engine,
    workdir: Workdir,
    progress: Progress,
) -> Iterator[dict[str, Any]]:
    groups = [strings(row[column]) for row in rows]
    asking = translate_texts([group or [] for group in groups], code, config)
    translations = answered(asking, engine, workdir.open_log(engine.fingerprint), progress)
    checking = check_translations([group or [] for group in groups], translations, code, config)
    checked = answered(checking, engine, workdir.open_log(engine.fingerprint), progress)
    reasons = dict(checked.select("row", "rejected_by").iter_rows())
    for number, (row, group, translation) in enumerate(zip(rows, groups, translations, strict=True)):
        new: dict[str, Any] = {"language": language(code).code, "rejected_by": "failed_call"}
        if group is None:
            new["rejected_by"] = "not_text"
        elif translation is not None:
            new |= {
                column: with_strings(row[column], translation.texts),
                "rejected_by": reasons[number],
            }
        yield row | new


def _write(rows: Sequence[dict[str, Any]], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f"{out.name}.tmp")
    if out.suffix == ".parquet":
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(unfinished)
    else:
        with open(unfinished, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    unfinished.replace(out)
