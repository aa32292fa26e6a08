"""A user's table in other languages: `polypref translate`. Every row comes back once for each language.

The other columns and the shape of the texts stay as they are.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from polypref.builders.recipe import PIVOT, Translate
from polypref.builders.tables import read
from polypref.builders.tables.answers import CHUNK, Chunk, write_answers
from polypref.builders.tables.files import Record
from polypref.builders.tables.read import Table
from polypref.builders.tables.texts import read_texts, replace_texts
from polypref.builders.tables.write import check_format
from polypref.builders.text.translator import translate_texts
from polypref.builders.translate import check_translations
from polypref.config import check_config
from polypref.engines.seq2seq import check_languages
from polypref.engines.start import open_engine
from polypref.errors import InputError
from polypref.languages.codes import languages
from polypref.store.workdir import Workdir

TRANSLATOR_KINDS = ("ct2", "hf", "http", "pseudo")


def parse_translator(spec: str, base_url: str | None) -> Translate:
    """Return the config of a translator: ct2:MODEL, hf:MODEL, http:MODEL (on `base_url`), or pseudo."""
    kind, _, model = spec.partition(":")
    if kind not in TRANSLATOR_KINDS or (not model and kind != "pseudo"):
        raise InputError(
            f"--translator {spec}: expected KIND:MODEL, KIND one of {', '.join(TRANSLATOR_KINDS)}"
        )
    if (kind == "http") != (base_url is not None):
        raise InputError(
            "--base-url: the address of an OpenAI-compatible server; it goes with --translator http:MODEL"
        )
    engine = {"kind": kind, "model": model or kind}
    filters: dict[str, None] = {"too_long": None}
    if base_url:
        engine["base_url"] = base_url
    if kind == "pseudo":
        filters["wrong_language"] = None  # its output is English with accents
    return check_config(Translate, {"engine": engine, "filters": filters}, "translate")


def translate_table(
    table: Table,
    to: Sequence[str],
    config: Translate,
    out: Path,
    workdir: Workdir,
    accept_failures: bool = False,
    retry_failures: bool = False,
) -> dict[str, int]:
    """Write each row in each language; return the number of rows that are kept and rejected, by reason.

    The columns `language` and `rejected_by` are added. Rows are ordered by language. Those that are not text,
    of no known language, or not in English, are not translated: they are rejected as not_text,
    unknown_language and not_english.

    Raises InputError for a file, column, language or model that cannot be used, and as `write_answers` does.
    """
    codes = [code for code in languages(to) if code != PIVOT]
    if not codes:
        raise InputError(f"--to {','.join(to)}: expected languages other than English")
    check_format(out)
    constant = read.check_columns(table, *table.columns)
    if constant not in (None, PIVOT):
        raise InputError(
            f"--language {table.language}: only English is translated; expected English, or a column"
        )
    assert config.engine is not None
    engine = open_engine(config.engine, config.engine.model, workdir)
    check_languages(engine, codes)

    def chunks() -> Iterator[Chunk]:
        for code in codes:
            for records in read.read_chunks(table, CHUNK):
                yield _translate_chunk(table, records, constant, code, config)

    total = len(codes) * sum(1 for _ in read.read_records(table))
    title = f"translate {table.name}"
    failures = accept_failures, retry_failures
    rejected = write_answers(title, total, chunks(), "rejected_by", engine, workdir, out, *failures)
    return {"kept": total - rejected.total(), **rejected}


def _translate_chunk(
    table: Table, records: Sequence[Record], constant: str | None, code: str, config: Translate
) -> Chunk:
    """Translate rows into `code`; `constant` is the language of all rows, or None if each names its own."""
    column = table.columns[0]
    rows: list[Record | None] = []
    groups: dict[int, list[str]] = {}  # the texts to translate, by their row's place
    for place, record in enumerate(records):
        group = read_texts(read.lookup(record, column))
        source = constant or read.language_code(read.lookup(record, table.language))
        reason = read.reason_to_skip(group, source)
        if reason is None and source != PIVOT:
            reason = "not_english"
        rows.append({**record, "language": code, "rejected_by": reason})
        if group is not None and reason is None:
            groups[place] = group
    sources = list(groups.values())
    translations = yield from translate_texts(sources, code, config)
    checked = yield from check_translations(sources, translations, code, config)
    reasons = dict(checked.select("row", "rejected_by").iter_rows())
    for number, (place, translation) in enumerate(zip(groups, translations, strict=True)):
        if translation is None:
            rows[place] = None
        else:
            text = replace_texts(read.lookup(records[place], column), translation.texts)
            added = {"language": code, "rejected_by": reasons[number]}
            rows[place] = {**records[place], column: text, **added}
    return rows
