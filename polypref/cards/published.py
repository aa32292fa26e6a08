"""Opens published data: a folder, or one commit of a repository of the Hub in the Hub's cache.

facts.json says which files a language has; configs that people added to the card, by
`Dataset.push_to_hub`, are read too.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from polypref.cards.folder import Facts, require_facts
from polypref.cards.markers import as_list, split_metadata
from polypref.cards.metadata import is_own_config
from polypref.cards.retries import call_hub
from polypref.errors import InputError
from polypref.languages.codes import LANGUAGES
from polypref.schemas import TABLES

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
        """Return the paths of these files on this machine. Raises InputError if one is missing."""
        if self.commit:
            _download(self.name, self.commit, list(chain.from_iterable(files.values())))
        found: dict[str, list[Path]] = {}
        for split, paths in files.items():
            found[split] = []
            for path in paths:
                if Path(path).is_absolute() or ".." in Path(path).parts:
                    raise InputError(f"{self.name}: {path}: expected a path in the dataset")
                matches = sorted(self.folder.glob(path))
                shards = re.search(r"-of-(\d{5})\.", matches[0].name) if "*" in path and matches else None
                if len(matches) < (int(shards[1]) if shards else 1):
                    raise InputError(
                        f"{self.name}: {path} is missing{' in the cache' if self.commit else ''}"
                    )
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
    readme = folder / "README.md"
    header, _ = split_metadata(readme.read_text("utf-8")) if readme.is_file() else ({}, "")
    facts = (_facts_of_card(folder, header) if commit else None) or require_facts(folder, str(source))
    return Published(str(source), folder, commit, facts, _files_by_language(facts, header))


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


def _download(repo: str, commit: str, patterns: Sequence[str]) -> Path:
    """Return the folder of a commit in the Hub's cache, with the files that match downloaded."""
    from huggingface_hub import snapshot_download

    def attempt() -> str:
        return str(
            snapshot_download(repo, repo_type="dataset", revision=commit, allow_patterns=list(patterns))
        )

    return Path(call_hub(repo, commit, attempt))


def _facts_of_card(folder: Path, header: Mapping[str, Any]) -> Facts | None:
    """Return what a card says of facts.json, which `load_dataset` does not put into the cache.

    None if facts.json is there, or the Hub can be asked for it, or the card is not ours.
    """
    from huggingface_hub import is_offline_mode

    infos = as_list(header.get("dataset_info"))
    if (folder / "facts.json").is_file() or not is_offline_mode() or not infos:
        return None
    columns = [feature["name"] for feature in infos[0].get("features", ())]
    table = next((table for table, schema in TABLES.items() if schema.names() == columns), None)
    if table is None:
        return None
    return {
        "table": table,
        "license": header.get("license"),
        "columns": dict.fromkeys(columns),
        "languages": {},
    }


def _files_by_language(facts: Facts, header: Mapping[str, Any]) -> dict[str, Files]:
    """Return the files of each language: those of facts.json, or of a config that people put in place."""
    languages: dict[str, Files] = {}
    for code, entry in facts["languages"].items():
        for file in entry["files"]:
            languages.setdefault(code, {}).setdefault(file["split"], []).append(file["path"])
    for config in as_list(header.get("configs")):
        code = str(config.get("config_name")) if isinstance(config, dict) else ""
        if code in LANGUAGES and not (code in facts["languages"] and is_own_config(config)):
            described = [part for part in as_list(config.get("data_files")) if isinstance(part, dict)]
            languages[code] = {part.get("split", "train"): as_list(part.get("path")) for part in described}
    return languages


def _splits(files: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of the splits, train first."""
    return sorted(set(chain.from_iterable(files)), key=lambda name: (name != "train", name))
