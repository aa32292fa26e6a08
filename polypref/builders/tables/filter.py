"""The build's filters on a user's table: `polypref filter`.

Rows come back whole, with a column for each measure and `rejected_by`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import polars as pl

from polypref.builders.filters.apply import NAMES, WORKING_COLUMNS, Filters, measure_rows
from polypref.builders.filters.measures import reject_rows
from polypref.builders.filters.quality import estimate_quality
from polypref.builders.filters.text import SURROGATE, masked
from polypref.builders.outcome import check_kept
from polypref.builders.tables import read
from polypref.builders.tables.files import Record
from polypref.builders.tables.read import Table
from polypref.builders.tables.texts import map_values, read_texts
from polypref.builders.tables.write import write_table
from polypref.engines.pool import ask_engine
from polypref.engines.start import open_engine
from polypref.errors import InputError
from polypref.languages.codes import LANGUAGES
from polypref.schemas import NO_LANGUAGE
from polypref.store.stages import StageRun
from polypref.store.workdir import Workdir

CHUNK = 10_000  # rows in memory at once
Funnel = dict[str, Counter[str]]  # {language: {reason: rows}}; the reason of kept rows is ""


def filter_table(
    table: Table,
    filters: Filters,
    source: str | None = None,
    out: Path | None = None,
    mask: bool = False,
    workdir: Workdir | None = None,
) -> Funnel:
    """Apply the filters to every row and write `out`; return the number of rows by language and reason.

    `source` names the column of the texts that were translated, if any. With `mask`, private data in the
    texts is replaced. `workdir` keeps the answers of a quality model; only the filter `quality` needs it.

    Raises InputError for a table that cannot be read or written.
    """
    funnel: Funnel = {}
    with write_table(out) if out else nullcontext() as add_rows:
        for records, measures in measure_table(table, filters, source, workdir):
            _count_reasons(measures, funnel)
            if add_rows:
                if mask:
                    _mask_column(records, table.columns[0])
                added = measures.drop("language").iter_rows(named=True)
                add_rows(record | columns for record, columns in zip(records, added, strict=True))
    return funnel


def measure_table(
    table: Table, filters: Filters, source: str | None, workdir: Workdir | None, all_measures: bool = False
) -> Iterator[tuple[list[Record], pl.DataFrame]]:
    """Yield chunks of rows and their `language`, a column for each measure, and `rejected_by`.

    With `all_measures`, later filters measure rejected rows, too.
    """
    columns = table.columns if source is None else (*table.columns, source)
    constant = read.check_columns(table, *columns)
    quality = filters.quality
    if quality is not None:
        assert workdir is not None
        engine = open_engine(quality.engine, "quality", workdir)
        log = workdir.open_log(engine.fingerprint)
    for records in read.read_chunks(table, CHUNK):
        for record in records:
            read.check_added(table, record, (*filters.enabled(), "rejected_by"))
        rows = _rows(records, table, source, constant)
        measures = measure_rows(rows, filters, all_measures)
        if quality is not None:
            filtered = rows.select("text", "source", measures["rejected_by"])
            run = StageRun(estimate_quality(filtered, all_measures))
            while run.result is None:
                run.send(ask_engine(engine, run.requests, log))
            measures.insert_column(measures.width - 1, run.result)  # before rejected_by
            measures = reject_rows(measures, pl.col("quality") < quality.least, "quality")
        yield records, measures.insert_column(0, rows["language"])


def explain_row(
    table: Table,
    filters: Filters,
    number: int,
    source: str | None = None,
    workdir: Workdir | None = None,
) -> list[tuple[str, str, str]]:
    """Return (filter, measure, threshold) of row `number`, counted from 1, and a last line on its rejection.

    Raises InputError if the table has fewer rows, and as `filter_table` does.
    """
    before = 0
    for records, measures in measure_table(table, filters, source, workdir, all_measures=True):
        if number <= before + len(records):
            row = measures.row(number - before - 1, named=True)
            lines = []
            for name in NAMES:
                value = row.get(name)
                measure = "-" if value is None else f"{value:.4g}"
                lines.append((name, measure, _threshold(getattr(filters, name))))
            return [*lines, ("rejected_by", row["rejected_by"] or "nothing: kept", "")]
        before += len(records)
    raise InputError(f"{table.name}: no row {number}; found {before} rows")


def check_funnel(funnel: Funnel, place: Path) -> None:
    """Raise InputError, naming `place`, if no row is kept."""
    reasons = sum(funnel.values(), Counter[str]())
    rows = reasons.total()
    del reasons[""]  # those that are kept
    check_kept(reasons, rows, place)


def print_funnel(funnel: Funnel) -> None:
    """Print rows by reason and language; each column adds up to the rows of its language."""
    codes = sorted(funnel)
    titles = [LANGUAGES[code].short_code if code in LANGUAGES else code for code in codes]
    print(f"{'':20} {'all':>10} " + " ".join(f"{title:>8}" for title in titles))
    _print_counts("rows", [funnel[code].total() for code in codes])
    for reason in ("not_text", "unknown_language", *NAMES):
        counts = [funnel[code][reason] for code in codes]
        if any(counts):
            _print_counts(reason, counts)
    _print_counts("kept", [funnel[code][""] for code in codes])


def _print_counts(title: str, counts: Sequence[int]) -> None:
    print(f"{title:20} {sum(counts):>10,} " + " ".join(f"{count:>8,}" for count in counts))


def _rows(records: Iterable[Record], table: Table, source: str | None, constant: str | None) -> pl.DataFrame:
    """Return the columns that filters work on; rows on which they cannot work are rejected."""
    rows = []
    for record in records:
        text = _joined(read.join_columns(record, table.columns))
        code = constant or read.language_code(read.lookup(record, table.language))
        reason = read.reason_to_skip(text, code)
        finish_reason = record.get("finish_reason")
        rows.append(
            {
                "text": text,
                "language": code or NO_LANGUAGE,
                "source": None if source is None or reason else _joined(read.lookup(record, source)),
                "finish_reason": finish_reason if isinstance(finish_reason, str) else "stop",
                "rejected_by": reason,
            }
        )
    return pl.DataFrame(rows, schema=WORKING_COLUMNS)


def _joined(value: object) -> str | None:
    """Return the texts of a value, one below the other; None if it is not text."""
    texts = read_texts(value)
    return None if texts is None else "\n".join(texts)


def _count_reasons(measures: pl.DataFrame, funnel: Funnel) -> None:
    counts = measures.group_by("language", "rejected_by", maintain_order=True).len()
    for code, reason, rows in counts.iter_rows():
        funnel.setdefault(code, Counter())[reason or ""] += rows


def _mask_column(records: Iterable[Record], column: str) -> None:
    """Replace private data in every string of a column, also where it is not text that filters accept."""
    strings: list[str] = []
    for record in records:
        map_values(record.get(column), str, strings.append)
    strings = [SURROGATE.sub("\ufffd", string) for string in strings]  # which polars cannot hold
    replacements = iter(masked(pl.Series(strings, dtype=pl.String)))  # all at once: a column is quick to mask
    for record in records:
        if column in record:
            record[column] = map_values(record[column], str, lambda _: next(replacements))


def _threshold(limit: object) -> str:
    """Return a filter's threshold as text."""
    match limit:
        case None | False:
            return "off"
        case True:
            return "on"
        case _:
            return str(getattr(limit, "least", limit))
