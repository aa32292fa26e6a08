"""Users' translations, completions and scores in place of an engine's, matched to prompts by id.

An id is that of a prompt in its source, so rows and prompts match by source, id and language. Every row that
comes in is accounted for. Rows in a language that is not built are only counted, as `other_language` or
`unknown_language`. The others stay in the table, rejected as `missing_id`; `duplicate`: a second row with the
same id; `no_prompt`: no prompt has this id; `ambiguous_id`: several do; or `prompt_rejected`.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import zip_longest
from typing import Any, NamedTuple

import polars as pl

from polypref.builders.filters.apply import Filters, apply_filters
from polypref.builders.filters.measures import kept_rows
from polypref.builders.filters.quality import apply_quality
from polypref.builders.prompts import text_of
from polypref.builders.recipe import Completer, ImportedScores, PairScores, Translate
from polypref.builders.tables.files import Record
from polypref.builders.tables.read import (
    Import,
    Pairs,
    digest_table,
    join_columns,
    lookup,
    read_keyed,
    row_id,
    value_text,
)
from polypref.builders.tables.texts import read_completion, read_prompt
from polypref.errors import InputError
from polypref.schemas import NO_LANGUAGE, TABLES, hash16, normalised
from polypref.store.parts import part_number
from polypref.store.stages import Asking

Reasons = Mapping[str, Mapping[str, int]]  # {language: {reason: rows}}


class KeyedRow(NamedTuple):
    """A row of a user's table, with the source and the id of its prompt; `language` may be NO_LANGUAGE."""

    place: str
    source: str
    id: str | None
    language: str
    text: object
    sample: int = 0
    generator: str | None = None  # the name of the model that wrote it, if the table has one
    score: object = None


class ImportedRow(NamedTuple):
    """A row with the id of its prompt; a rejected row has an id of its own instead."""

    prompt_id: str
    row: KeyedRow
    rejected_by: str | None


def read_rows(config: Translate | Completer, sources: Collection[str]) -> Iterator[KeyedRow]:
    """Yield the rows of an imported table, or the answers in a generator's ready pairs."""
    if isinstance(config, Completer) and config.pairs:
        yield from _read_pairs(config.pairs)
    elif config.imported:
        yield from read_import(config.imported, sources)


def read_import(table: Import, sources: Collection[str]) -> Iterator[KeyedRow]:
    """Yield the rows of a table; `sources` are the names of the recipe's sources of prompts."""
    for place, source, identity, code, record in _read_sourced(table, sources, *table.columns):
        yield KeyedRow(place, source, identity, code, join_columns(record, table.columns))


def _read_pairs(pairs: Pairs) -> Iterator[KeyedRow]:
    """Yield every answer of every row as a row of its own; its sample is its place there."""
    source = pairs.table.name
    for place, identity, code, record in read_keyed(pairs.table, *pairs.columns):
        answers = _values(record, pairs.answers) or [None]  # a row without answers counts, too: not_text
        names = _values(record, pairs.models) if pairs.models else []
        columns = zip_longest(answers, names[: len(answers)], _pair_scores(record, pairs, len(answers)))
        for sample, (text, name, score) in enumerate(columns):
            generator = name if isinstance(name, str) else None
            yield KeyedRow(place, source, identity, code or NO_LANGUAGE, text, sample, generator, score)


def _pair_scores(record: Record, pairs: Pairs, answers: int) -> list[Any]:
    """Return the scores of a row's answers; there may be too few."""
    if pairs.scores:
        return _values(record, pairs.scores)[:answers]
    if pairs.preference:
        value = lookup(record, pairs.preference)
        if pairs.preferred and value is not None:
            return [float(value_text(value) == value_text(label)) for label in pairs.preferred][:answers]
        preference, reason = _read_score(value)
        return [] if reason else [max(0.0, -preference), max(0.0, preference)][:answers]
    return [1.0, *[0.0] * answers][:answers]


def _values(record: Record, columns: str | Sequence[str]) -> list[Any]:
    """Return the values of several columns, or those of the list in one."""
    if not isinstance(columns, str):
        return [lookup(record, column) for column in columns]
    value = lookup(record, columns)
    return value if isinstance(value, list) else []


def _read_sourced(
    table: Import | ImportedScores, sources: Collection[str], *columns: str
) -> Iterator[tuple[str, str, str | None, str, Record]]:
    """Yield place, source, id, language (or NO_LANGUAGE) and all columns of every row."""
    constant = table.source or next(iter(sources))
    if constant not in sources:
        columns = (*columns, constant)
    for place, identity, code, record in read_keyed(table, *columns):
        source = constant if constant in sources else str(lookup(record, constant))
        yield place, source, identity, code or NO_LANGUAGE, record


def split_by_language(
    rows: Iterable[KeyedRow], codes: Collection[str]
) -> tuple[dict[str, list[KeyedRow]], Reasons]:
    """Return the rows in each of the languages `codes`, and the numbers of the others."""
    by_language: dict[str, list[KeyedRow]] = {code: [] for code in codes}
    others: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row.language in by_language:
            by_language[row.language].append(row)
        else:
            others[row.language][other_language(row.language)] += 1
    return by_language, others


def other_language(code: str) -> str:
    """Return why a row in a language that is not built is left out."""
    return "unknown_language" if code == NO_LANGUAGE else "other_language"


def split_into_parts(
    rows: Iterable[KeyedRow], prompts: pl.DataFrame, parts: int, samples: int = 1
) -> list[list[ImportedRow]]:
    """Return the rows of one language by the part that they belong to; `prompts` are all of that language.

    The first `samples` rows with the same id are the samples of its prompt.
    """
    kept_id = pl.col("prompt_id").filter(pl.col("rejected_by").is_null()).first()
    # An id is ambiguous if several prompts have it; the same prompt twice is not.
    found = prompts.group_by("source", "source_id").agg(kept_id, texts=text_of("prompt").n_unique())
    ids = {(source, name): (kept, texts) for source, name, kept, texts in found.iter_rows()}
    rows_by_part: list[list[ImportedRow]] = [[] for _ in range(parts)]
    seen: Counter[tuple[str, str | None, int]] = Counter()
    for row in rows:
        prompt_id, texts = ids.get((row.source, row.id), (None, 0))
        key = (row.source, row.id, row.sample)
        reason = None
        if row.id is None:
            reason = "missing_id"
        elif seen[key] >= samples:
            reason = "duplicate"
        elif texts == 0:
            reason = "no_prompt"
        elif texts > 1:
            reason = "ambiguous_id"
        elif prompt_id is None:
            reason = "prompt_rejected"
        row = row._replace(sample=row.sample + seen[key])
        seen[key] += 1
        if prompt_id is None or reason is not None:
            prompt_id = row_id(f"{row.place}:{row.sample}" if row.sample else row.place, "row")
        rows_by_part[part_number(prompt_id, parts)].append(ImportedRow(prompt_id, row, reason))
    return rows_by_part


def import_completions(
    generator: str, code: str, filters: Filters, rows: Sequence[ImportedRow], *prompts: pl.DataFrame
) -> pl.DataFrame:
    """Filter one part's imported completions.

    A conversation that does not begin with the prompt is rejected as `other_prompt`.
    """
    prompts_by_id = dict(pl.concat(prompts).select("prompt_id", "prompt").iter_rows())
    records = []
    for prompt_id, row, reason in rows:
        text, problem = read_completion(row.text, prompts_by_id.get(prompt_id, ()))
        record = {
            "prompt_id": prompt_id,
            "generator": row.generator or generator,
            "sample": row.sample,
            "completion": text,
            "rejected_by": reason or problem,
        }
        records.append(record)
    frame = pl.DataFrame(records, schema=TABLES["completions"]).with_columns(
        language=pl.lit(code), origin=pl.lit("native")
    )
    return apply_filters(frame, filters, text="completion")


def import_translations(
    table: Import, code: str, filters: Filters, rows: Sequence[ImportedRow], english: pl.DataFrame
) -> Asking[pl.DataFrame]:
    """Filter one part's imported translations; only `quality` asks an engine."""
    originals = dict(english.select("prompt_id", "prompt").iter_rows())
    records = []
    for prompt_id, row, reason in rows:
        prompt = read_prompt(row.text, "all")
        if reason is None and prompt is None:
            reason = "not_text"
        record: dict[str, Any] = {
            "prompt_id": prompt_id,
            "prompt": normalised(prompt or []),
            "prompt_en": originals.get(prompt_id),  # rows without a prompt have an id of their own
            "source": row.source if prompt_id in originals else table.name,
            "source_id": row.id,
            "rejected_by": reason,
        }
        records.append(record)
    frame = pl.DataFrame(records, schema=TABLES["prompts"]).with_columns(
        language=pl.lit(code), translator=pl.lit(table.name)
    )
    texts = {"text": text_of("prompt"), "source": text_of("prompt_en")}
    frame = apply_filters(frame, filters, **texts)
    return (yield from apply_quality(frame, filters.quality, **texts))


class Scores(NamedTuple):
    """Imported scores: a frame of SCORE_KEY and `score`, and the numbers of rows that are left out."""

    frame: pl.DataFrame
    left_out: Reasons


SCORE_KEY = {
    "source": pl.String,
    "source_id": pl.String,
    "language": pl.String,
    "generator": pl.String,
    "sample": pl.Int32,
}


def _scored_rows(config: ImportedScores | PairScores, sources: Collection[str]) -> Iterator[KeyedRow]:
    """Yield the scores of all answers in ready pairs, or of a table: of the first sample of a generator."""
    if isinstance(config, PairScores):
        for row in _read_pairs(config.pairs):
            yield row._replace(generator=row.generator or config.generator)
        return
    for place, source, identity, code, record in _read_sourced(config, sources, *config.columns):
        generator, score = (lookup(record, column) for column in config.columns)
        yield KeyedRow(place, source, identity, code, None, 0, str(generator), score)


def read_scores(
    config: ImportedScores | PairScores, sources: Collection[str], codes: Collection[str]
) -> Scores:
    """Return the scores of a table or of ready pairs in the languages `codes`, once each.

    Rows are left out as `missing_id`, `missing_score`, `not_a_number` (such as true), `not_finite`,
    `duplicate`, or for their language. Raises InputError where a completion has two different scores; of
    ready pairs with the same id, whose answers differ, the first one counts.
    """
    left_out: defaultdict[str, Counter[str]] = defaultdict(Counter)
    scores: dict[tuple[object, ...], tuple[float, str]] = {}
    for row in _scored_rows(config, sources):
        score, reason = _read_score(row.score)
        if row.language not in codes:
            reason = other_language(row.language)
        elif row.id is None:
            reason = "missing_id"
        if reason is None:
            key = (row.source, row.id, row.language, row.generator, row.sample)
            first, first_place = scores.setdefault(key, (score, row.place))
            if first != score and isinstance(config, ImportedScores):
                raise InputError(
                    f"{row.place}: score {score:g} of generator {row.generator!r} for id {row.id!r} in "
                    f"{row.language}, but {first:g} at {first_place}; expected one score for a completion"
                )
            if first_place != row.place:
                reason = "duplicate"
        if reason is not None:
            left_out[row.language][reason] += 1
    table = [(*key, score) for key, (score, _) in scores.items()]
    return Scores(pl.DataFrame(table, SCORE_KEY | {"score": pl.Float64}, orient="row"), left_out)


def _read_score(value: object) -> tuple[float, str | None]:
    """Return a number, also from text, and why it cannot be used, if it cannot."""
    if value is None:
        return math.nan, "missing_score"
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
            raise ValueError
        score = float(value)
    except ValueError:
        return math.nan, "not_a_number"
    except OverflowError:
        return math.nan, "not_finite"
    return score, None if math.isfinite(score) else "not_finite"


def import_scores(
    scorer: str, scores: pl.DataFrame, completions: pl.DataFrame, *prompts: pl.DataFrame
) -> pl.DataFrame:
    """Give kept completions their imported scores; those without one are left out."""
    ids = pl.concat(prompts).select("prompt_id", "source", "source_id").unique("prompt_id", keep="last")
    rows = kept_rows(completions).join(ids, on="prompt_id").with_columns(scorer=pl.lit(scorer))
    return rows.join(scores, on=list(SCORE_KEY))


def digest_import(config: Translate | Completer | ImportedScores | PairScores) -> str:
    """Return what identifies an imported table: its name and content, and the columns that are read."""
    assert config.table is not None
    columns: list[object] = [config.table.name, config.table.identity() | {"path": None}]  # not its place
    if isinstance(config, Completer):
        columns.append(config.samples)
    if isinstance(config, Completer | PairScores) and config.pairs:
        columns.append(config.pairs.identity() | {"table": None})
    return digest_table(config.table) + hash16(columns)
