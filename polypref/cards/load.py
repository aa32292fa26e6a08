"""Published data, read from a folder or from the Hub, as `datasets` objects or as a polars LazyFrame.

`load_dataset` is never given the name of a repository or a folder: offline, or with a revision that it has
not cached, it may serve another one, and its cache of a folder does not notice a changed file.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from polypref.cards.folder import arrow_schema
from polypref.cards.mixtures import Mixture, parse_mixture, select_rows
from polypref.cards.published import Published, open_published
from polypref.cards.retries import call_hub
from polypref.errors import InputError
from polypref.languages import codes
from polypref.schemas import TABLES

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict


def load_published(
    source: str | Path,
    *,
    language: str | Sequence[str] | None = None,
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
    if mixture is not None and language is not None:
        raise InputError("language and mixture cannot be combined; expected one of them")
    published = open_published(source, revision)
    if mixture is not None:
        dataset = _load_mixture(published, parse_mixture(mixture), split or "train")
        return dataset.to_iterable_dataset() if streaming else dataset
    files = published.select(_codes(language), None if split == "all" else split)
    if split == "all":
        split = "+".join(files)
    columns = list(published.facts["columns"]) or None
    if published.commit is None and not streaming:
        return _load_into_memory(published.fetch(files), split, columns)
    from datasets import load_dataset

    if not streaming:
        paths = {name: list(map(str, found)) for name, found in published.fetch(files).items()}
    else:
        commit = published.commit
        root = f"hf://datasets/{source}@{commit}" if commit else str(published.folder.resolve())
        paths = {}
        for name, selected in files.items():
            paths[name] = [f"{root}/{path}" for path in selected]
    # Paths in the Hub's cache hold the commit, so `datasets` finds the right rows in its own cache.
    return call_hub(
        str(source),
        revision,
        lambda: load_dataset("parquet", data_files=paths, split=split, streaming=streaming, columns=columns),
    )


def scan_published(
    source: str | Path,
    *,
    languages: str | Sequence[str] | None = None,
    split: str | None = None,
    revision: str | None = None,
    columns: Sequence[str] | None = None,
) -> pl.LazyFrame:
    """Scan the rows of a published folder or repository lazily.

    The files of a repository that are needed are downloaded first. Raises InputError for a language, split
    or column that the source does not have.
    """
    published = open_published(source, revision)
    rows = scan_files(published, _codes(languages), split)
    if columns is None:
        return rows
    names = rows.collect_schema().names()
    for column in columns:
        if column not in names:
            raise InputError(f"{source}: no column {column!r}; expected one of {', '.join(names)}")
    return rows.select(columns)


def _codes(languages: Any) -> tuple[str, ...] | None:
    """Return FLORES codes of one name or several; None for all languages."""
    if languages is None:
        return None
    return codes.languages(languages if isinstance(languages, list | tuple) else [languages])


def scan_files(
    published: Published, languages: Sequence[str] | None, split: str | None = None
) -> pl.LazyFrame:
    """Scan files of whole splits, those of people in the columns and types of ours."""
    if split and "[" in split:
        raise InputError(f"{published.name}: split {split!r}: expected whole splits, as in train+test")
    files = published.select(languages, split)
    schema = TABLES[published.facts["table"]]
    ours, frames = [], []
    for paths in published.fetch(files).values():
        for path in paths:
            if path.relative_to(published.folder).parts[0] == "data":
                ours.append(path)
                continue
            frame = pl.scan_parquet(path, glob=False)
            missing = [name for name in schema if name not in frame.collect_schema()]
            if missing:
                raise InputError(f"{published.name}: {path.parent.name}: no column {missing[0]!r}")
            frames.append(frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items()))
    if ours:
        frames.insert(0, pl.scan_parquet(ours, glob=False))
    return pl.concat(frames)


def _load_into_memory(
    files: Mapping[str, Sequence[Path]], split: str | None, columns: list[str] | None
) -> "Dataset | DatasetDict":
    """Load files of each split; `split` may be a slice or a sum of splits, as `datasets` writes them."""
    import pyarrow.parquet as pq
    from datasets import Dataset, DatasetDict, ReadInstruction, concatenate_datasets

    # partitioning=None: pyarrow would read columns out of the paths otherwise.
    read = {
        name: Dataset(pq.read_table(paths, columns=columns, partitioning=None))
        for name, paths in files.items()
    }
    if split is None:
        return DatasetDict(read)
    try:
        parts = ReadInstruction.from_spec(split).to_absolute({name: len(rows) for name, rows in read.items()})
    except ValueError as error:
        raise InputError(f"split {split!r}: {' '.join(str(error).split())}") from None
    slices = []
    for part in parts:
        rows = read[part.splitname]
        slices.append(rows.select(range(part.from_ or 0, len(rows) if part.to is None else part.to)))
    return concatenate_datasets(slices)


def _load_mixture(published: Published, mixture: Mixture, split: str) -> "Dataset":
    """Load the rows that a mixture takes from one split."""
    from datasets import Dataset

    # A language that is absent has 0 rows, which the mixture may allow; if all are absent, reading fails.
    present = [code for code in mixture.languages if split in published.files.get(code, {})]
    rows = select_rows(scan_files(published, present or mixture.languages, split), mixture)
    arrow = rows.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(arrow_schema(published.facts["table"]))
    return Dataset(arrow.combine_chunks())
