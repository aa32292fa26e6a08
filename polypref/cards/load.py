"""Published data, read from a folder or from the Hub, as `datasets` objects or as a polars LazyFrame.

A branch or tag is resolved to a commit first: given a revision that it has not cached, `datasets` may
serve another one. Folders are read without `load_dataset`, whose cache does not notice a changed file.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from polypref.cards.folder import Facts, arrow_schema, described_files, parquet_files, read_facts
from polypref.cards.mixtures import Mixture, parse_mixture, select_rows
from polypref.cards.retries import call_hub
from polypref.errors import InputError
from polypref.languages import codes

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict


def resolve_revision(repo: str, revision: str | None = None) -> str:
    """Return the full SHA of a branch, tag or shortened commit of the dataset `repo`; of main by default."""
    if revision and re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    from huggingface_hub import HfApi

    info = call_hub(repo, revision, lambda: HfApi().dataset_info(repo, revision=revision))
    return str(info.sha)


def published_facts(source: str | Path, revision: str | None = None) -> Facts:
    """Return facts.json of a published folder or repository. Raises InputError if it has none."""
    facts = read_facts(_folder(source, revision, languages=(), split=None))
    if facts is None:
        raise InputError(f"{source}: no facts.json; expected a dataset published by polypref")
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
    """Load a published folder or repository (ORG/NAME); see `polypref.load` for the arguments.

    With `split` or `mixture` the result is a Dataset, otherwise a DatasetDict. A mixture is taken from the
    train split by default. Mixtures, and folders unless streamed, are held in memory.

    Raises InputError for what cannot be found or read, Unavailable if the Hub cannot be reached.
    """
    if mixture is not None:
        if language is not None:
            raise InputError("language and mixture cannot be combined; expected one of them")
        dataset = _load_mixture(source, parse_mixture(mixture), revision, split or "train")
        return dataset.to_iterable_dataset() if streaming else dataset
    code = None if language is None else codes.language(language).code
    if Path(source).is_dir():
        return _load_folder(_folder(source, revision, None, None), code, split, streaming)
    from datasets import load_dataset

    repo = str(source)
    sha = resolve_revision(repo, revision)
    return call_hub(
        repo, revision, lambda: load_dataset(repo, code, split=split, revision=sha, streaming=streaming)
    )


def scan_published(
    source: str | Path,
    *,
    languages: Sequence[str] | None = None,
    split: str | None = None,
    revision: str | None = None,
    columns: Sequence[str] | None = None,
) -> pl.LazyFrame:
    """Scan the rows of a published folder or repository lazily.

    The files of a repository that are needed are downloaded first. Raises InputError for a language, split
    or column that the source does not have.
    """
    wanted = None if languages is None else [codes.language(name).code for name in languages]
    folder = _folder(source, revision, wanted, split)
    rows = pl.scan_parquet(parquet_files(folder, wanted, split))
    if columns is None:
        return rows
    names = rows.collect_schema().names()
    for column in columns:
        if column not in names:
            raise InputError(f"{source}: no column {column!r}; expected one of {', '.join(names)}")
    return rows.select(columns)


def _folder(
    source: str | Path, revision: str | None, languages: Sequence[str] | None, split: str | None
) -> Path:
    """Return the folder with the source's files of these languages and this split, downloaded if need be.

    languages: FLORES codes; None for all of them, empty for facts.json alone.
    """
    if Path(source).is_dir():
        if revision is not None:
            raise InputError(f"{source}: a folder has no revision {revision!r}; only repositories do")
        return Path(source)
    repo = str(source)
    sha = resolve_revision(repo, revision)
    from huggingface_hub import snapshot_download

    patterns = ["facts.json"]
    for code in ["*"] if languages is None else languages:
        patterns.append(f"data/{code}/{split or ''}*.parquet")
    path = call_hub(
        repo,
        revision,
        lambda: snapshot_download(repo, repo_type="dataset", revision=sha, allow_patterns=patterns),
    )
    return Path(path)


def _load_folder(
    folder: Path, code: str | None, split: str | None, streaming: bool
) -> "Dataset | DatasetDict | IterableDataset | IterableDatasetDict":
    """Load a published folder: one language or all of them, one split or all of them."""
    import pyarrow.parquet as pq
    from datasets import Dataset, DatasetDict, load_dataset

    languages = None if code is None else [code]
    splits = [split] if split else _splits(folder, code)
    files = {name: parquet_files(folder, languages, name) for name in splits}
    if streaming:
        names = {name: list(map(str, paths)) for name, paths in files.items()}
        return load_dataset("parquet", data_files=names, split=split, streaming=True)
    # partitioning=None: pyarrow would read columns out of the paths otherwise.
    read = {name: Dataset(pq.read_table(paths, partitioning=None)) for name, paths in files.items()}
    return read[split] if split else DatasetDict(read)


def _splits(folder: Path, code: str | None) -> list[str]:
    """Return the splits that a folder has files of; train if it has none, for the error that follows."""
    files = described_files(published_facts(folder))
    splits = [file["split"] for file in files if code is None or f"/{code}/" in file["path"]]
    return list(dict.fromkeys(splits)) or ["train"]


def _load_mixture(source: str | Path, mixture: Mixture, revision: str | None, split: str) -> "Dataset":
    """Load the rows that a mixture takes from one split."""
    from datasets import Dataset

    folder = _folder(source, revision, mixture.languages, split)
    facts = published_facts(folder)
    files = [file for file in described_files(facts) if file["split"] == split]
    present = {file["path"].split("/")[1] for file in files}
    # A language that is absent has 0 rows, which the mixture may allow; if all are absent, reading fails.
    languages = [code for code in mixture.languages if code in present] or mixture.languages
    paths = parquet_files(folder, languages, split)
    rows = select_rows(pl.scan_parquet(paths), mixture)
    arrow = rows.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(arrow_schema(facts["table"]))
    return Dataset(arrow.combine_chunks())
