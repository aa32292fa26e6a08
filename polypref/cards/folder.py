"""One published dataset as a folder: `data/<language>/<split>-*.parquet`, `facts.json`, README.md.

A language that is not written now stays as it is, byte for byte. facts.json holds everything that the card says, so that a
card can be written anew without reading a row; files are described there by size and SHA-256.
"""

import hashlib
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
from polypref.cards.statistics import measured
from polypref.errors import InputError
from polypref.files import write_atomically
from polypref.schemas import TABLES, cast, hash16, split_of

Facts = dict[str, Any]  # facts.json, as `new_facts` makes it
BUILD: Mapping[str, Any] = {
    "recipe": "",
    "models": [],
    "sources": [],
    "source_revisions": {},
    "source_licenses": {},
    "source_datasets": [],
}

SPLITS = ("train", "test")
ROWS_PER_FILE = 200_000
ROWS_PER_GROUP = 10_000


def write_dataset(
    folder: Path, table: str, frames: Mapping[str, pl.DataFrame | pl.LazyFrame], facts: Mapping[str, Any]
) -> None:
    """Publishes `frames` (FLORES code -> the rows of that language) into `folder`, beside the languages that stand there.

    `facts`: name, title, license (None: the one that follows, if one does), test_share, recipe (YAML text), models (role, name,
    model, revision, settings, license), sources (names), source_revisions ({source: sha256 or commit}), source_licenses
    ({source: licence}), source_datasets (ids on the Hub), notes, funnel (rows as in
    cards/funnel.py, also of languages that are not in `frames`). The same input gives the same bytes. A language without rows
    has no files. Raises InputError for rows that are not of `table` or of their language.
    """
    old = read_facts(folder)
    merged(
        old, new_facts(table, facts, {code: {} for code in frames})
    )  # whether they can stand together, before a file is written
    languages: dict[str, Any] = {}
    for code, frame in sorted(frames.items()):
        rows = cast(frame.collect() if isinstance(frame, pl.LazyFrame) else frame, table)
        if other := rows.filter(pl.col("language") != code)["language"].to_list()[:1]:
            raise InputError(f"{folder}: {table}: found a row of {other[0]!r} among the rows of {code!r}")
        files = [
            described
            for split in _splits(rows, facts["test_share"])
            for described in _write_split(folder, table, code, *split)
        ]
        languages[code] = {
            **measured(rows, table),
            "files": files,
        }

    new = merged(old, new_facts(table, facts, languages))
    for code in languages:
        _remove_stale(folder / "data" / code, {Path(file["path"]).name for file in languages[code]["files"]})
    readme = folder / "README.md"
    existing = readme.read_text("utf-8") if readme.exists() else None
    for path, content in documents(new, existing).items():
        with write_atomically(folder / path) as temporary:
            temporary.write_bytes(content)


def documents(
    facts: Facts, existing: str | None = None, repo: str | None = None, draft: str | None = None
) -> dict[str, bytes]:
    """{path: content} of everything beside the rows: facts.json, the card (see `dataset_card`) and its pictures, the card last."""
    card = dataset_card(facts, existing, repo, draft)
    return {
        "facts.json": facts_text(facts).encode(),
        **{path: svg.encode() for path, svg in score_pictures(facts).items()},
        "README.md": card.encode(),
    }


def new_facts(table: str, facts: Mapping[str, Any], languages: Mapping[str, Any]) -> Facts:
    """facts.json for languages that one recipe made; what they have in common is their `build`, whose id is their lineage."""
    build = {key: facts.get(key) or empty for key, empty in BUILD.items()}
    new = {
        "table": table,
        "columns": {field.name: str(field.type) for field in arrow_schema(table)},
        "name": facts["name"],
        "title": facts["title"],
        "license": facts.get("license"),
        "test_share": facts["test_share"],
        "notes": list(facts.get("notes", ())),
        "related": dict(facts.get("related", {})),
        "funnel": list(facts.get("funnel", ())),
        "builds": {hash16(build): build},
        "languages": {code: {"build": hash16(build), **language} for code, language in languages.items()},
    }
    if not new["license"]:
        with suppress(InputError):  # said when it is published
            new["license"] = resolve_license(None, licensed_parts(new))
    return new


def read_facts(folder: Path) -> Facts | None:
    """The folder's facts.json; None where there is none."""
    path = folder / "facts.json"
    return parsed_facts(path.read_text("utf-8"), str(path)) if path.exists() else None


def parsed_facts(text: str, where: str) -> Facts:
    """facts.json from its text. Raises InputError, naming `where`, for what is none."""
    try:
        facts: Facts = json.loads(text)
    except ValueError as error:
        raise InputError(f"{where}: not JSON: {error}") from None
    if (
        not isinstance(facts, dict)
        or not {"table", "test_share", "license", "builds", "languages"} <= facts.keys()
    ):
        raise InputError(
            f"{where}: found another layout, expected table, test_share, license, builds and languages"
        )
    return {"columns": {}, "related": {}, "funnel": [], **facts}


def facts_text(facts: Facts) -> str:
    return json.dumps(facts, ensure_ascii=False, indent=1) + "\n"


def merged(old: Facts | None, new: Facts) -> Facts:
    """`new` beside the languages of `old` that it does not replace.

    Raises InputError where the two cannot stand in one dataset: another table, column, share of test prompts, or licence.
    """
    kept = (
        {}
        if old is None
        else {code: about for code, about in old["languages"].items() if code not in new["languages"]}
    )
    if old is None or not kept:
        return new
    for key in ("table", "test_share", "license"):
        if old[key] != new[key]:
            raise InputError(
                f"{new['name']}: {key}: found {new[key]!r}, but the languages already published have {old[key]!r}"
            )
    for column in {**old["columns"], **new["columns"]}:
        found, there = (facts["columns"].get(column, "no such column") for facts in (new, old))
        if found != there:
            raise InputError(
                f"{new['name']}: column {column!r}: found {found}, but the languages already published have {there}"
            )
    languages = dict(sorted({**kept, **new["languages"]}.items()))
    used = {about["build"] for about in languages.values()}
    # Languages that keep their files keep their counts; of the others, the new counts replace the old ones.
    new_funnel = without_languages(new["funnel"], kept)
    replaced = {*new["languages"], *(row["language"] for row in new_funnel)}
    funnel = without_languages(old["funnel"], replaced) + new_funnel
    return {
        **new,
        "related": {**old["related"], **new["related"]},
        "funnel": sorted(funnel, key=lambda row: row["language"]),
        "notes": list(dict.fromkeys([*new["notes"], *old["notes"]])),
        "builds": {
            build: made for build, made in sorted({**old["builds"], **new["builds"]}.items()) if build in used
        },
        "languages": languages,
    }


def described_files(facts: Facts) -> list[Mapping[str, Any]]:
    """What facts.json says of each parquet file."""
    return [file for about in facts["languages"].values() for file in about["files"]]


def content_of(facts: Facts) -> str:
    """A digest of all rows that the facts describe."""
    return hashlib.sha256(
        "".join(f"{file['sha256']}  {file['path']}\n" for file in described_files(facts)).encode()
    ).hexdigest()[:16]


def parquet_files(
    folder: Path, languages: Sequence[str] | None = None, split: str | None = None
) -> list[Path]:
    """The parquet files of a published folder, in the order of languages and shards.

    Raises InputError for a folder that is not a published dataset, and for a language or split that it does not have.
    """
    facts = read_facts(folder)
    if facts is None:
        raise InputError(f"{folder}: found no facts.json, expected the folder of a published dataset")
    found = {
        code: [file for file in about["files"] if split in (None, file["split"])]
        for code, about in facts["languages"].items()
    }
    for code in languages or ():
        if not found.get(code):
            present = ", ".join(code for code, files in found.items() if files)
            raise InputError(
                f"{folder}: no rows of {code!r}"
                + (f" in split {split!r}" if split else "")
                + f"; found {present}"
            )
    files = [folder / file["path"] for code in languages or found for file in found[code]]
    if not files:
        raise InputError(
            f"{folder}: no rows" + (f" in split {split!r}; expected {' or '.join(SPLITS)}" if split else "")
        )
    return files


def arrow_schema(table: str) -> Any:
    """The pyarrow.Schema of `table`, in plain strings and lists, so that users see `string` and `List` features."""
    import pyarrow as pa

    def arrow(dtype: Any) -> Any:
        match dtype:
            case pl.List():
                return pa.list_(arrow(dtype.inner))
            case pl.Struct():
                return pa.struct([(field.name, arrow(field.dtype)) for field in dtype.fields])
            case _:
                return {pl.String: pa.string(), pl.Int32: pa.int32(), pl.Float64: pa.float64()}[
                    dtype.base_type()
                ]

    return pa.schema([(name, arrow(dtype)) for name, dtype in TABLES[table].items()])


def _splits(rows: pl.DataFrame, test_share: float) -> Iterator[tuple[str, pl.DataFrame]]:
    ids = rows["prompt_id"].unique(maintain_order=True).to_list()
    test = pl.Series([prompt for prompt in ids if split_of(prompt, test_share) == "test"], dtype=pl.String)
    is_test = rows["prompt_id"].is_in(test.implode())
    yield "train", rows.filter(~is_test)
    yield "test", rows.filter(is_test)


def _write_split(
    folder: Path, table: str, code: str, split: str, rows: pl.DataFrame
) -> Iterator[dict[str, Any]]:
    """Writes the rows in as few files as ROWS_PER_FILE allows, and yields what facts.json says of each."""
    count = -(-rows.height // ROWS_PER_FILE)
    for n in range(count):
        start, end = n * rows.height // count, (n + 1) * rows.height // count
        path = f"data/{code}/{split}-{n:05d}-of-{count:05d}.parquet"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        arrow_bytes = _write_parquet(folder / path, table, rows[start:end])
        with (folder / path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield {
            "path": path,
            "split": split,
            "rows": end - start,
            "bytes": (folder / path).stat().st_size,
            "arrow_bytes": arrow_bytes,
            "sha256": digest,
        }


def _write_parquet(path: Path, table: str, rows: pl.DataFrame) -> int:
    """Writes one file by atomic rename; pages are cut by content, so that a store by chunks sees what did not change."""
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
