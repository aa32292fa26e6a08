"""Reading what was published: a folder or a repository of the Hub, as `datasets` objects or as a polars LazyFrame."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from polypref.cards import mixtures
from polypref.cards.folder import Facts, arrow_schema, described_files, parquet_files, read_facts
from polypref.cards.mixtures import Mixture
from polypref.cards.retries import one_line, patiently
from polypref.errors import InputError
from polypref.languages.codes import language as find_language

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict


def resolve_revision(repo: str, revision: str | None = None) -> str:
    """The full SHA that a branch, tag or shortened commit of the dataset `repo` means now."""
    if revision and re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    with one_line(repo, revision):
        from huggingface_hub import HfApi

        return patiently(lambda: str(HfApi().dataset_info(repo, revision=revision).sha))


def published_facts(source: str | Path, revision: str | None = None) -> Facts:
    """facts.json of a published folder or repository. Raises InputError where it has none."""
    folder = _folder(source, revision, (), None)
    if (facts := read_facts(folder)) is None:
        raise InputError(f"{source}: found no facts.json, expected a dataset that polypref published")
    return facts


def load_published(
    source: str | Path,
    *,
    language: str | None = None,
    mixture: str | Mixture | Mapping[str, object] | None = None,
    revision: str | None = None,
    split: str | None = None,
    streaming: bool = False,
) -> "Dataset | DatasetDict | IterableDataset | IterableDatasetDict":
    """A published folder or repository (ORG/NAME) as a `datasets` object: a DatasetDict, or a Dataset where `split` is given.

    language: one of them, by any name. mixture: a named or own one, taken from the train split (or from `split`): a Dataset.
    streaming: read as it is used, nothing is kept; else folders, and mixtures always, are held in memory.
    Raises InputError for what cannot be found or read.
    """
    if mixture is not None:
        if language is not None:
            raise InputError("found a language and a mixture, expected one of them")
        mixed = _dataset(*_mixed(source, mixtures.mixture(mixture), revision, split or "train"))
        return mixed.to_iterable_dataset() if streaming else mixed
    code = None if language is None else find_language(language).code
    if Path(source).is_dir():
        folder = _folder(source, revision, None, None)
        facts = read_facts(folder) or {}
        splits = (
            [split]
            if split
            else list(
                dict.fromkeys(
                    f["split"] for f in described_files(facts) if code is None or f"/{code}/" in f["path"]
                )
            )
        )
        files = {name: parquet_files(folder, (code,) if code else None, name) for name in splits or ["train"]}
        if streaming:
            from datasets import load_dataset

            return load_dataset(
                "parquet",
                data_files={name: list(map(str, paths)) for name, paths in files.items()},
                split=split,
                streaming=True,
            )
        found = {name: _read(paths) for name, paths in files.items()}
        return found[split] if split else _dataset_dict(found)
    with one_line(str(source), revision):
        from datasets import load_dataset

        sha = resolve_revision(str(source), revision)
        return patiently(
            lambda: load_dataset(str(source), code, split=split, revision=sha, streaming=streaming)
        )


def scan_published(
    source: str | Path,
    *,
    languages: Sequence[str] | None = None,
    split: str | None = None,
    revision: str | None = None,
    columns: Sequence[str] | None = None,
) -> pl.LazyFrame:
    """The rows of a published folder or repository, lazily; of a repository the files that are needed are downloaded first.

    Raises InputError for a language, split or column that it does not have.
    """
    codes = None if languages is None else tuple(find_language(name).code for name in languages)
    rows = pl.scan_parquet(parquet_files(_folder(source, revision, codes, split), codes, split))
    if columns is None:
        return rows
    names = rows.collect_schema().names()
    if unknown := [column for column in columns if column not in names]:
        raise InputError(f"{source}: found no column {unknown[0]!r}, expected one of {', '.join(names)}")
    return rows.select(columns)


def _folder(
    source: str | Path, revision: str | None, languages: Sequence[str] | None, split: str | None
) -> Path:
    """`source` itself, or where its files of these languages and this split were downloaded to."""
    if Path(source).is_dir():
        if revision is not None:
            raise InputError(
                f"{source}: found revision {revision!r} for a folder, expected none: only repositories have them"
            )
        return Path(source)
    sha = resolve_revision(str(source), revision)
    wanted = [f"data/{code}/{split or ''}*.parquet" for code in (["*"] if languages is None else languages)]
    with one_line(str(source), revision):
        from huggingface_hub import snapshot_download

        patterns = ["facts.json", *wanted]
        return Path(
            patiently(
                lambda: snapshot_download(
                    str(source), repo_type="dataset", revision=sha, allow_patterns=patterns
                )
            )
        )


def _mixed(
    source: str | Path, mixture: Mixture, revision: str | None, split: str
) -> tuple[pl.DataFrame, str]:
    """The rows that the mixture takes, and their table."""
    folder = _folder(source, revision, mixture.languages, split)
    facts = read_facts(folder)
    present = {
        file["path"].split("/")[1]
        for file in described_files(facts or {"languages": {}})
        if file["split"] == split
    }
    files = parquet_files(
        folder, tuple(code for code in mixture.languages if code in present) or mixture.languages, split
    )
    return mixtures.apply(pl.scan_parquet(files), mixture), str(facts and facts["table"])


def _dataset(rows: pl.DataFrame, table: str) -> "Dataset":
    from datasets import Dataset

    return Dataset(
        rows.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(arrow_schema(table)).combine_chunks()
    )


def _read(files: Sequence[Path]) -> "Dataset":
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Dataset

    return Dataset(pa.concat_tables(pq.read_table(file, partitioning=None) for file in files))


def _dataset_dict(splits: "Mapping[str, Dataset]") -> "DatasetDict":
    from datasets import DatasetDict

    return DatasetDict(splits)
