"""One published dataset as a folder: `data/<language>/<split>-*.parquet`, `facts.json` and README.md.

Languages that are not written now stay as they are, byte for byte. facts.json holds everything that the card
says, so that a card can be written again without reading a row; it describes files by size and SHA-256.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

from polypref.cards.charts import score_pictures
from polypref.cards.dataset_card import dataset_card
from polypref.cards.funnel import without_languages
from polypref.cards.licences import licensed_parts, resolve_license
from polypref.cards.metadata import content_sha256
from polypref.cards.statistics import describe_rows
from polypref.errors import InputError
from polypref.files import file_sha256, write_atomically
from polypref.schemas import SCHEMA_VERSION, TABLES, cast, hash16, split_of

Facts = dict[str, Any]  # facts.json, as `new_facts` makes it
# Keys of `write_dataset`'s facts that describe one build, with the value of those that are left out.
BUILD: Mapping[str, Any] = {
    "recipe": "",
    "models": [],
    "sources": [],
    "source_revisions": {},
    "source_licenses": {},
    "source_datasets": [],
}
REQUIRED = ("table", "title", "test_share", "license", "builds", "languages")

SPLITS = ("train", "test")
ROWS_PER_FILE = 200_000
ROWS_PER_GROUP = 10_000  # row groups of a parquet file: what a reader loads at once


def write_dataset(
    folder: Path, table: str, frames: Mapping[str, pl.DataFrame | pl.LazyFrame], facts: Mapping[str, Any]
) -> None:
    """Write `frames`, {FLORES code: rows of that language}, into `folder`, beside its other languages.

    facts: name, title, license (None: the one that follows from its parts), test_share, recipe (YAML text),
    models (role, name, model, revision, settings, license), sources (names), source_revisions ({source:
    sha256 or commit}), source_licenses ({source: licence}), source_datasets (ids on the Hub), notes, funnel
    (rows as in cards/funnel.py, also of languages that are not in `frames`), supporting (languages of which
    `frames` has only rows that those of others were made from; they never replace a whole language).

    The same input gives the same bytes. A language without rows has no files.

    Raises InputError for rows that are not of `table` or of their language, and for languages that cannot be
    in one dataset with those of the folder.
    """
    old = read_facts(folder)
    whole = whole_languages(old)
    supporting = whole.intersection(facts.get("supporting", ()))
    frames = {code: rows for code, rows in frames.items() if code not in supporting}
    # Conflicts with the folder's languages are found before a file is written.
    merge_facts(old, new_facts(table, facts, {code: {} for code in frames}))
    languages: dict[str, Any] = {}
    for code, frame in sorted(frames.items()):
        rows = cast(frame.collect() if isinstance(frame, pl.LazyFrame) else frame, table)
        foreign = rows.filter(pl.col("language") != code)
        if not foreign.is_empty():
            language = foreign["language"][0]
            raise InputError(f"{folder}: {table}: found a row of {language!r} among the rows of {code!r}")
        files: list[dict[str, Any]] = []
        for split, split_rows in _split(rows, facts["test_share"]).items():
            files += _write_split(folder, table, code, split, split_rows)
        languages[code] = {**describe_rows(rows, table), "files": files}
    new = merge_facts(old, new_facts(table, facts, languages))
    for code, language in languages.items():
        _remove_stale(folder / "data" / code, {Path(file["path"]).name for file in language["files"]})
    readme = folder / "README.md"
    existing = readme.read_text("utf-8") if readme.exists() else None
    for path, content in documents(new, existing).items():
        with write_atomically(folder / path) as temporary:
            temporary.write_bytes(content)


def documents(
    facts: Facts, existing: str | None = None, repo: str | None = None, draft: str | None = None
) -> dict[str, bytes]:
    """Return {path: content} of all files but the rows: facts.json, pictures, and at the end the card."""
    card = dataset_card(facts, existing, repo, draft)
    pictures = {path: svg.encode() for path, svg in score_pictures(facts).items()}
    text = json.dumps(facts, ensure_ascii=False, indent=1) + "\n"
    return {"facts.json": text.encode(), **pictures, "README.md": card.encode()}


def new_facts(table: str, facts: Mapping[str, Any], languages: Mapping[str, Any]) -> Facts:
    """Return facts.json of languages that were made by one build.

    The build holds what they have in common; a hash of it is their lineage id.
    """
    build = {key: facts.get(key) or default for key, default in BUILD.items()}
    lineage = hash16(build)
    entries = {}
    for code, language in languages.items():
        entries[code] = {"build": lineage, **language}
        if code in facts.get("supporting", ()):
            entries[code]["supporting"] = True
    new = {
        "schema_version": SCHEMA_VERSION,
        "table": table,
        "columns": {field.name: str(field.type) for field in arrow_schema(table)},
        "name": facts["name"],
        "title": facts["title"],
        "license": facts.get("license"),
        "test_share": facts["test_share"],
        "notes": list(facts.get("notes", ())),
        "related": dict(facts.get("related", {})),
        "funnel": list(facts.get("funnel", ())),
        "builds": {lineage: build},
        "languages": entries,
    }
    if not new["license"]:
        # A folder may lack a licence; publishing it then raises this error.
        with suppress(InputError):
            new["license"] = resolve_license(None, licensed_parts(new))
    return new


def read_facts(folder: Path) -> Facts | None:
    """Return the folder's facts.json; None if it has none."""
    path = folder / "facts.json"
    return parse_facts(path.read_text("utf-8"), str(path)) if path.exists() else None


def require_facts(folder: Path, name: str | None = None) -> Facts:
    """Return the folder's facts.json. Raises InputError, about `name` or the folder, if it has none."""
    facts = read_facts(folder)
    if facts is None:
        pairs = folder / "published" / "pairs"
        hint = f"; this run has one in {pairs}" if pairs.is_dir() else ""
        raise InputError(f"{name or folder}: no facts.json; expected a dataset published by polypref{hint}")
    return facts


def publishable_facts(folder: Path, languages: Sequence[str] | None = None) -> Facts:
    """Return the folder's facts.json, of these languages alone.

    Raises InputError: no facts.json, a language that it does not have, no rows, licences in conflict, or a
    file that is not the one described.
    """
    facts = require_facts(folder)
    if languages is not None:
        for code in languages:
            if code not in facts["languages"]:
                raise InputError(f"{folder}: no language {code!r}; found {', '.join(facts['languages'])}")
        others = facts["languages"].keys() - set(languages)
        facts = {
            **facts,
            "languages": {code: facts["languages"][code] for code in languages},
            "funnel": without_languages(facts["funnel"], others),
        }
    if not described_files(facts):
        raise InputError(f"{folder}: no rows to publish in {', '.join(facts['languages']) or 'any language'}")
    for file in described_files(facts):
        path = folder / file["path"]
        size = path.stat().st_size if path.is_file() else None
        if size != file["bytes"]:
            problem = "missing" if size is None else f"{size:,} bytes"
            raise InputError(f"{path}: {problem}; expected {file['bytes']:,} bytes, as facts.json says")
    return {**facts, "license": resolve_license(facts["license"], licensed_parts(facts))}


def parse_facts(text: str, where: str) -> Facts:
    """Return facts.json from its text. Raises InputError, naming `where`, if it cannot be read."""
    try:
        facts: Facts = json.loads(text)
    except ValueError as error:
        raise InputError(f"{where}: not JSON: {error}") from None
    if not isinstance(facts, dict) or any(key not in facts for key in REQUIRED):
        raise InputError(f"{where}: found another layout; expected {', '.join(REQUIRED)}")
    for code, entry in facts["languages"].items():
        if not {"build", "files"} <= set(entry):
            raise InputError(f"{where}: languages.{code}: expected build and files")
    version = facts.get("schema_version", SCHEMA_VERSION)
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{where}: schema version {version}; this polypref reads up to {SCHEMA_VERSION}, so upgrade it"
        )
    return {"columns": {}, "related": {}, "funnel": [], "notes": [], **facts}


def merge_facts(old: Facts | None, new: Facts, replace: bool = False) -> Facts:
    """Return `new`, with the languages of `old` that it does not replace.

    Where languages of `old` stay, so do its title and notes, unless `replace` is set: what the maker of one
    language states is not about all of them. New notes become notes of the new languages.

    Raises InputError if the two cannot be one dataset: they differ in table, column, share of test prompts or
    licence.
    """
    if old is None:
        return new
    kept = {code: entry for code, entry in old["languages"].items() if code not in new["languages"]}
    if not kept:
        return new
    _check_mergeable(old, new)
    if not replace:
        notes = [note for note in new["notes"] if note not in old["notes"]]
        own = {
            code: {**entry, "notes": notes} if notes else entry for code, entry in new["languages"].items()
        }
        new = {**new, "title": old["title"], "notes": old["notes"], "languages": own}
    languages = dict(sorted({**kept, **new["languages"]}.items()))
    used = {entry["build"] for entry in languages.values()}
    builds = sorted({**old["builds"], **new["builds"]}.items())
    # Languages that keep their files keep their counts; of the others, the new counts replace the old ones.
    new_funnel = without_languages(new["funnel"], kept)
    replaced = {*new["languages"], *(row["language"] for row in new_funnel)}
    funnel = without_languages(old["funnel"], replaced) + new_funnel
    return {
        **new,
        "related": {**old["related"], **new["related"]},
        "funnel": sorted(funnel, key=lambda row: row["language"]),
        "builds": {lineage: build for lineage, build in builds if lineage in used},
        "languages": languages,
    }


def _check_mergeable(old: Facts, new: Facts) -> None:
    for key in ("table", "test_share", "license"):
        if old[key] != new[key]:
            raise InputError(
                f"{new['name']}: {key}: found {new[key]!r}, "
                f"but the languages already published have {old[key]!r}"
            )
    for column in {**old["columns"], **new["columns"]}:
        old_type, new_type = (facts["columns"].get(column, "no such column") for facts in (old, new))
        if old_type != new_type:
            raise InputError(
                f"{new['name']}: column {column!r}: found {new_type}, "
                f"but the languages already published have {old_type}"
            )


def whole_languages(facts: Facts | None) -> set[str]:
    """Return the languages of facts.json but those that only have rows which others were made from."""
    languages = facts["languages"] if facts else {}
    return {code for code, entry in languages.items() if not entry.get("supporting")}


def described_files(facts: Facts) -> list[Mapping[str, Any]]:
    """Return the entries of all parquet files in facts.json."""
    files = []
    for entry in facts["languages"].values():
        files += entry["files"]
    return files


def content_of(facts: Facts) -> str:
    """Return a digest of all rows that facts.json describes."""
    return content_sha256(described_files(facts))[:16]


def arrow_schema(table: str) -> Any:
    """Return the pyarrow.Schema of `table` in plain strings and lists, which `datasets` shows as such."""
    import pyarrow as pa

    def arrow(dtype: Any) -> Any:
        match dtype:
            case pl.List():
                return pa.list_(arrow(dtype.inner))
            case pl.Struct():
                return pa.struct([(field.name, arrow(field.dtype)) for field in dtype.fields])
            case _:
                plain = {pl.String: pa.string(), pl.Int32: pa.int32(), pl.Float64: pa.float64()}
                return plain[dtype.base_type()]

    return pa.schema([(name, arrow(dtype)) for name, dtype in TABLES[table].items()])


def _split(rows: pl.DataFrame, test_share: float) -> dict[str, pl.DataFrame]:
    ids = rows["prompt_id"].unique().to_list()
    test = pl.Series([prompt for prompt in ids if split_of(prompt, test_share) == "test"], dtype=pl.String)
    is_test = rows["prompt_id"].is_in(test.implode())
    return {"train": rows.filter(~is_test), "test": rows.filter(is_test)}


def _write_split(
    folder: Path, table: str, code: str, split: str, rows: pl.DataFrame
) -> Iterator[dict[str, Any]]:
    """Write rows into as few files of even size as ROWS_PER_FILE allows; yield their facts.json entries."""
    count = -(-rows.height // ROWS_PER_FILE)  # rounded up
    for n in range(count):
        start, end = n * rows.height // count, (n + 1) * rows.height // count
        path = f"data/{code}/{split}-{n:05d}-of-{count:05d}.parquet"
        arrow_bytes = _write_parquet(folder / path, table, rows[start:end])
        yield {
            "path": path,
            "split": split,
            "rows": end - start,
            "bytes": (folder / path).stat().st_size,
            "arrow_bytes": arrow_bytes,
            "sha256": file_sha256(folder / path),
        }


def _write_parquet(path: Path, table: str, rows: pl.DataFrame) -> int:
    """Write one parquet file and return its rows' size in memory, in bytes.

    Pages are cut by content, so that Xet, the Hub's chunked storage, uploads only what changed.
    """
    import pyarrow.parquet as pq

    schema, arrow_bytes = arrow_schema(table), 0
    options = {"compression": "zstd", "use_content_defined_chunking": True, "write_page_index": True}
    with write_atomically(path) as temporary, pq.ParquetWriter(temporary, schema, **options) as writer:
        for group in rows.iter_slices(ROWS_PER_GROUP):
            arrow = group.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema).combine_chunks()
            arrow_bytes += arrow.nbytes
            writer.write_table(arrow)
    return arrow_bytes


def _remove_stale(folder: Path, names: set[str]) -> None:
    for file in folder.glob("*.parquet*"):
        if file.name not in names:
            file.unlink()
