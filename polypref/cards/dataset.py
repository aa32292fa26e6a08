"""Publishes the folder of one dataset (see cards/folder.py) as a repository of the Hub.

Languages that only the repository has stay in it and in its card, and so does the text that people
wrote there.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polypref.cards.folder import (
    SPLITS,
    Facts,
    content_of,
    described_files,
    documents,
    merge_facts,
    parse_facts,
    publishable_facts,
    whole_languages,
)
from polypref.cards.markers import as_list, split_card
from polypref.cards.metadata import is_own_config, rows_by_split
from polypref.cards.push import Contents, Options, Publication, Pushed, Snapshot
from polypref.cards.statistics import FIRST_PROMPTS
from polypref.errors import InputError


def dataset_publication(
    folder: Path, repo: str, options: Options, related: Mapping[str, Pushed] | None = None
) -> Publication:
    """Return the publication of `folder` as the dataset `repo` (ORG/NAME), in one commit of what changed.

    related: the repositories beside it, by table, for its card to point to.

    Raises InputError as `publishable_facts` does. Pushing and planning raise it also for columns that differ
    from those of the languages that stay, and for a folder that was changed by hand.
    """
    facts = publishable_facts(folder, options.languages)

    def contents_of(snapshot: Snapshot) -> Contents:
        return _contents(snapshot, folder, facts, related or {}, options.replace)

    return Publication(repo, "dataset", options, contents_of)


def _contents(
    snapshot: Snapshot, folder: Path, facts: Facts, related: Mapping[str, Pushed], replace: bool
) -> Contents:
    """Return the folder's files, with facts.json and the card merged with those of the repository."""
    repo = snapshot.repo
    published, card = snapshot.read("facts.json"), snapshot.read("README.md")
    old = parse_facts(published, f"{repo}: facts.json") if published else None
    facts = _without_unneeded(facts, old)
    _refuse_foreign_configs(card, repo, facts, old, replace)
    pointers = dict(old["related"]) if old else {}
    for name, pushed in related.items():
        pointers[name] = _pointer(pushed, pointers.get(name))
    merged = merge_facts(old, {**facts, "name": repo, "related": pointers}, replace)
    new = {
        **merged,
        "languages": {code: entry for code, entry in merged["languages"].items() if entry["files"]},
    }
    draft = folder / "README.md"
    written = documents(new, card, repo, draft.read_text("utf-8") if draft.exists() else None)
    files = {file["path"]: file["sha256"] for file in described_files(facts)}
    # `CODE/` is where Dataset.push_to_hub writes a config.
    languages = list(facts["languages"])
    folders = (*(f"data/{code}/" for code in languages), *(f"{code}/" for code in languages))
    shards = [path for path in snapshot.files if path.startswith(folders) and path.endswith(".parquet")]
    names = ", ".join(languages) if len(languages) <= 3 else f"{len(languages)} languages"
    return Contents(
        folder=folder,
        files=files,
        documents=written,
        stale=tuple(path for path in shards if path not in files),
        message=f"Publish {facts['table']}: {names}",
        changes=_row_changes(old, new),
        removals=_removals(old, merged),
        warnings=_missing_splits(facts, new),
        digest=content_of(new),
    )


def _without_unneeded(facts: Facts, old: Facts | None) -> Facts:
    """Return facts.json without supporting languages of which the repository has as many rows or all."""
    languages = {}
    for code, entry in facts["languages"].items():
        unneeded = code in whole_languages(old) or _removals(old, {"languages": {code: entry}})
        if not (entry.get("supporting") and unneeded):
            languages[code] = entry
    return {**facts, "languages": languages}


def _refuse_foreign_configs(
    card: str | None, repo: str, facts: Facts, old: Facts | None, replace: bool
) -> None:
    """Raise InputError if the repository has configs of our names that polypref did not publish.

    Publishing would replace them.
    """
    header, _, _ = split_card(card or "")
    for config in as_list(header.get("configs")):
        name = config.get("config_name", "default")
        if old is None and (name == "default" or name in facts["languages"]):
            raise InputError(
                f"{repo}: holds a config {name!r} but no facts.json; expected a repository published by "
                "polypref, or a new one"
            )
        if name in ("default", *facts["languages"]) and not is_own_config(config) and not replace:
            raise InputError(
                f"{repo}: holds a config {name!r} that polypref did not publish; --replace removes it"
            )


def _pointer(pushed: Pushed, old: Mapping[str, str] | None) -> dict[str, str]:
    """Return where a repository beside this one holds its rows.

    While it holds the same rows, the commit named before stays: otherwise a word in its card would
    change this one.
    """
    if old and (old["repo"], old["digest"]) == (pushed.repo, pushed.digest):
        return dict(old)
    return {"repo": pushed.repo, "commit": pushed.commit, "digest": pushed.digest}


def _row_changes(old: Facts | None, new: Facts) -> tuple[str, ...]:
    """Return a line for each language and split whose number of rows changes."""
    before = old["languages"] if old else {}
    lines = []
    for code, entry in sorted(new["languages"].items()):
        old_rows = rows_by_split(before[code]["files"] if code in before else ())
        for split, rows in sorted(rows_by_split(entry["files"]).items()):
            if rows != old_rows[split]:
                lines.append(f"{code} {split}: {old_rows[split]:,} -> {rows:,} rows")
    return tuple(lines)


def _removals(old: Facts | None, new: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the languages and splits of `old` that have fewer rows or other prompts in `new`."""
    removals: list[str] = []
    for code, entry in sorted(new["languages"].items()):
        if old is None or code not in old["languages"]:
            continue
        rows = rows_by_split(entry["files"])
        fewer = []
        for split, old_rows in rows_by_split(old["languages"][code]["files"]).items():
            if rows[split] < old_rows:
                fewer.append(f"{code} {split} {old_rows:,} -> {rows[split]:,}")
        removals += fewer or _lost_prompts(code, old["languages"][code], entry)
    return tuple(removals)


def _lost_prompts(code: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a line if the sample of a language's published prompts shows that some are no longer there."""
    present = new.get("first_prompts", [])
    published = old.get("first_prompts", [])
    if len(present) == FIRST_PROMPTS:
        # Whether higher ones are still there is not known.
        published = [prompt for prompt in published if prompt <= present[-1]]
    lost = len(set(published) - set(present))
    return [f"{code} about {lost / len(published):.0%} of the prompts"] if lost else []


def _missing_splits(facts: Facts, new: Facts) -> tuple[str, ...]:
    """Return a line for each language that is published without a split which other languages have."""
    lines = []
    for split in SPLITS:
        having = {file["path"].split("/")[1] for file in described_files(new) if file["split"] == split}
        missing = [code for code in facts["languages"] if code in new["languages"] and code not in having]
        if having and missing:
            lines.append(f"{', '.join(missing)}: no rows in split {split!r}, which other languages have")
    return tuple(lines)
