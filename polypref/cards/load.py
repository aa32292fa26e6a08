"""Published data, read from a folder or from the Hub, as `datasets` objects or as a polars LazyFrame.

facts.json says which files a language has; configs that people added to the card, by
`Dataset.push_to_hub`, are read too. `load_dataset` is never given the name of a repository or a folder:
offline, or with a revision that it has not cached, it may serve another one, and its cache of a folder does
not notice a changed file.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from polypref.cards.folder import Facts, arrow_schema, require_facts
from polypref.cards.markers import as_list, split_metadata
from polypref.cards.mixtures import Mixture, parse_mixture, select_rows
from polypref.cards.retries import call_hub
from polypref.errors import InputError
from polypref.languages import codes
from polypref.schemas import TABLES

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict

Files = dict[str, list[str]]  # {split: paths in the folder or repository}


@dataclass(frozen=True, slots=True)
class Published:
    """An opened dataset.

    folder: its own, or that of one commit in the Hub's cache, to which files are downloaded when needed.
    commit: of a repository; None for a folder. files: by language; those of people may be patterns.
    """

    name: str
    folder: Path
    commit: str | None
    facts: Facts
    files: Mapping[str, Files]

    def select(self, languages: Sequence[str] | None, split: str | None) -> Files:
        """Return the files of these languages, all by default, and of the splits that `split` names.

        Raises InputError for a language or split without rows.
        """
        names = None if split is None else re.findall(r"(?:^|\+)\s*([^\s+\[]+)", split)
        where = f" in split {split!r}" if split else ""
        selected: Files = {}
        for code in self.files if languages is None else languages:
            files = self.files.get(code, {})
            wanted = {name: paths for name, paths in files.items() if names is None or name in names}
            if not wanted and languages is not None:
                having = [
                    other for other, files in self.files.items() if names is None or set(names) & set(files)
                ]
                raise InputError(f"{self.name}: no rows of {code!r}{where}; found {', '.join(having)}")
            for name, paths in wanted.items():
                selected[name] = selected.get(name, []) + paths
        if not selected:
            expected = f"; expected {' or '.join(_splits(self.files.values()))}" if split else ""
            raise InputError(f"{self.name}: no rows{where}{expected}")
        return {name: selected[name] for name in _splits([selected])}

    def fetch(self, files: Files) -> dict[str, list[Path]]:
        """Return the paths of these files on this machine. Raises InputError for one that is missing."""
        patterns = [path for paths in files.values() for path in paths]
        if self.commit:
            _download(self.name, self.commit, patterns)
        found: dict[str, list[Path]] = {}
        for split, paths in files.items():
            found[split] = []
            for path in paths:
                matches = sorted(self.folder.glob(path))
                if not matches:
                    raise InputError(f"{self.name}: {path} is missing")
                found[split] += matches
        return found


def open_published(source: str | Path, revision: str | None = None) -> Published:
    """Open a published folder, or a repository at a revision. Raises InputError if it has no facts.json."""
    folder, commit = Path(source), None
    if folder.is_dir():
        if revision is not None:
            raise InputError(f"{source}: a folder has no revision {revision!r}; only repositories do")
    else:
        commit = resolve_revision(str(source), revision)
        folder = _download(str(source), commit, ["facts.json", "README.md"])
    facts = require_facts(folder, str(source))
    return Published(str(source), folder, commit, facts, _files_by_language(folder, facts))


def published_facts(source: str | Path, revision: str | None = None) -> Facts:
    """Return facts.json of a published folder or repository. Raises InputError if it has none."""
    return open_published(source, revision).facts


def resolve_revision(repo: str, revision: str | None = None) -> str:
    """Return the full SHA of a branch, tag or shortened commit of the dataset `repo`; of main by default.

    Offline it is the one that the name had when the Hub was last asked.
    """
    if revision and re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    from huggingface_hub import HfApi, is_offline_mode

    api = HfApi()
    if not is_offline_mode():
        # Asked first: the call below would silently answer from its cache while the Hub is away.
        call_hub(repo, revision, lambda: api.dataset_info(repo, revision=revision))
    resolved = call_hub(
        repo, revision, lambda: api.resolve_revision(repo, repo_type="dataset", revision=revision)
    )
    return str(resolved.resolved)


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
    if mixture is not None:
        if language is not None:
            raise InputError("language and mixture cannot be combined; expected one of them")
        dataset = _load_mixture(open_published(source, revision), parse_mixture(mixture), split or "train")
        return dataset.to_iterable_dataset() if streaming else dataset
    published = open_published(source, revision)
    files = published.select(_codes(language), split)
    columns = list(published.facts["columns"]) or None
    if published.commit is None and not streaming:
        return _load_into_memory(published.fetch(files), split, columns)
    from datasets import load_dataset

    if not streaming:
        paths = {name: list(map(str, found)) for name, found in published.fetch(files).items()}
    else:
        commit = published.commit
        root = f"hf://datasets/{source}@{commit}" if commit else str(published.folder.resolve())
        paths = {name: [f"{root}/{path}" for path in selected] for name, selected in files.items()}
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
    rows = _scan(published, published.select(_codes(languages), split))
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


def _download(repo: str, commit: str, patterns: Sequence[str]) -> Path:
    """Return the folder of a commit in the Hub's cache, with the files that match downloaded."""
    from huggingface_hub import snapshot_download

    def attempt() -> str:
        return str(
            snapshot_download(repo, repo_type="dataset", revision=commit, allow_patterns=list(patterns))
        )

    return Path(call_hub(repo, commit, attempt))


def _files_by_language(folder: Path, facts: Facts) -> dict[str, Files]:
    """Return the files of each language: those of facts.json, and of languages that only the card has."""
    languages: dict[str, Files] = {}
    for code, entry in facts["languages"].items():
        for file in entry["files"]:
            languages.setdefault(code, {}).setdefault(file["split"], []).append(file["path"])
    readme = folder / "README.md"
    header, _ = split_metadata(readme.read_text("utf-8")) if readme.is_file() else ({}, "")
    for config in as_list(header.get("configs")):
        code = config.get("config_name")
        if code in codes.LANGUAGES and code not in facts["languages"]:
            described = [part for part in as_list(config.get("data_files")) if isinstance(part, dict)]
            languages[code] = {part["split"]: as_list(part["path"]) for part in described}
    return languages


def _splits(files: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of the splits, train first."""
    names = {name for by_split in files for name in by_split}
    return sorted(names, key=lambda name: (name != "train", name))


def _scan(published: Published, files: Files) -> pl.LazyFrame:
    """Scan files, those of people in the columns and types of ours."""
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
    rows = select_rows(_scan(published, published.select(present or mixture.languages, split)), mixture)
    arrow = rows.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(arrow_schema(published.facts["table"]))
    return Dataset(arrow.combine_chunks())
