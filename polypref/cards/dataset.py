"""Publishes the folder of one dataset (see cards/folder.py) as a repository of the Hub.

Languages that only the repository has stay in it and in its card, and so does the text that people
wrote there.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from polypref.cards.folder import (
    Facts,
    content_of,
    described_files,
    documents,
    merge_facts,
    parse_facts,
    require_facts,
)
from polypref.cards.funnel import without_languages
from polypref.cards.licences import licensed_parts, resolve_license
from polypref.cards.markers import as_list, split_card
from polypref.cards.push import (
    Contents,
    LocalFile,
    Options,
    Plan,
    Pushed,
    Snapshot,
    plan_contents,
    push_contents,
)
from polypref.errors import InputError


def push_dataset(
    folder: Path, repo: str, options: Options, related: Mapping[str, Pushed] | None = None
) -> Pushed:
    """Publish `folder` as the dataset `repo` (ORG/NAME), in one commit of the files that changed.

    related: the repositories beside it, by table, for its card to point to.

    Raises InputError: no licence or conflicting ones, no token, no right to write, columns that differ
    from those of the languages that stay, a folder that was changed by hand; Unavailable: the Hub keeps
    failing.
    """
    facts = publishable_facts(folder, options.languages)
    return push_contents(
        repo, "dataset", options, lambda snapshot: _contents(snapshot, folder, facts, related or {})
    )


def plan_dataset(folder: Path, repo: str, options: Options) -> Plan:
    """Return what `push_dataset` would change, except for the commits of the repositories beside it."""
    facts = publishable_facts(folder, options.languages)
    return plan_contents(repo, "dataset", options, lambda snapshot: _contents(snapshot, folder, facts, {}))


def publishable_facts(folder: Path, languages: Sequence[str] | None = None) -> Facts:
    """Return the folder's facts.json, of these languages alone.

    Raises InputError: no facts.json, a language that it does not have, licences in conflict, or a file
    that is not the one described.
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
    for file in described_files(facts):
        path = folder / file["path"]
        size = path.stat().st_size if path.is_file() else None
        if size != file["bytes"]:
            problem = "missing" if size is None else f"{size:,} bytes"
            raise InputError(f"{path}: {problem}; expected {file['bytes']:,} bytes, as facts.json says")
    return {**facts, "license": resolve_license(facts["license"], licensed_parts(facts))}


def _contents(snapshot: Snapshot, folder: Path, facts: Facts, related: Mapping[str, Pushed]) -> Contents:
    """Return the folder's files, with facts.json and the card merged with those of the repository."""
    repo = snapshot.repo
    published, card = snapshot.read("facts.json"), snapshot.read("README.md")
    old = parse_facts(published, f"{repo}: facts.json") if published else None
    if old is None:
        _refuse_foreign_configs(card, repo, facts)
    pointers = dict(old["related"]) if old else {}
    for name, pushed in related.items():
        pointers[name] = _pointer(pushed, pointers.get(name))
    new = merge_facts(old, {**facts, "name": repo, "related": pointers})
    draft = folder / "README.md"
    written = documents(new, card, repo, draft.read_text("utf-8") if draft.exists() else None)
    files = {
        file["path"]: LocalFile(folder / file["path"], file["sha256"]) for file in described_files(facts)
    }
    folders = tuple(f"data/{code}/" for code in facts["languages"])
    shards = [path for path in snapshot.files if path.startswith(folders) and path.endswith(".parquet")]
    languages = list(facts["languages"])
    names = ", ".join(languages) if len(languages) <= 3 else f"{len(languages)} languages"
    return Contents(
        files=files,
        documents=written,
        stale=tuple(path for path in shards if path not in files),
        message=f"Publish {facts['table']}: {names}",
        row_changes=_row_changes(old, new),
        digest=content_of(new),
    )


def _refuse_foreign_configs(card: str | None, repo: str, facts: Facts) -> None:
    """Raise InputError if the repository has configs of our names that polypref did not publish.

    Publishing would replace them.
    """
    header, _, _ = split_card(card or "")
    for config in as_list(header.get("configs")):
        name = config.get("config_name", "default")
        if name == "default" or name in facts["languages"]:
            raise InputError(
                f"{repo}: holds a config {name!r} but no facts.json; expected a repository published by "
                "polypref, or a new one"
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
    before = _rows_by_split(old) if old else {}
    after = _rows_by_split(new)
    lines = []
    for code, split in sorted({*before, *after}):
        old_rows, new_rows = before.get((code, split), 0), after.get((code, split), 0)
        if old_rows != new_rows:
            lines.append(f"{code} {split}: {old_rows:,} -> {new_rows:,} rows")
    return tuple(lines)


def _rows_by_split(facts: Facts) -> dict[tuple[str, str], int]:
    rows: dict[tuple[str, str], int] = {}
    for code, entry in facts["languages"].items():
        for file in entry["files"]:
            key = code, file["split"]
            rows[key] = rows.get(key, 0) + file["rows"]
    return rows
