"""Where a published pair comes from: its prompt, the translation, every completion and score, found by key in the tables beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from polypref.cards.dataset_card import BESIDE
from polypref.cards.folder import Facts
from polypref.cards.load import published_facts, resolve_revision, scan_published
from polypref.errors import InputError
from polypref.languages.codes import language as find_language

Row = dict[str, Any]


def trace_prompt(source: str | Path, prompt_id: str, language: str, revision: str | None = None) -> Row:
    """What is known of a prompt in a language: `prompt`, `completions`, `english` ({(generator, sample): completion} that were
    translated), `pairs`, `models` ({name: model, revision, …}), `places` ({table: where it was read}).

    `source`: ORG/NAME, a run's folder, or a folder of published pairs. Raises InputError where no row has these keys.
    """
    code = find_language(language).code
    pairs, revision = _pairs(source, revision)
    facts = published_facts(pairs, revision)
    if facts["table"] != "pairs":
        raise InputError(f"{source}: found the table {facts['table']!r}, expected pairs")
    beside = _beside(pairs, facts)
    places = {"pairs": (str(pairs), revision), **beside}
    found = {name: _rows(place, prompt_id, code) for name, place in places.items()}
    if not any(found.values()):
        raise InputError(f"{source}: no row of the prompt {prompt_id!r} in {code}")
    build = (
        facts["builds"][facts["languages"][code]["build"]] if code in facts["languages"] else {"models": []}
    )
    translated = [row for row in found.get("completions", ()) if row["pivot_language"]]
    english: dict[tuple[str, int], Row] = {}
    if translated:
        pivots = _rows(beside["completions"], prompt_id, translated[0]["pivot_language"])
        english = {(row["generator"], row["sample"]): row for row in pivots if row["origin"] == "native"}
    return {
        "prompt_id": prompt_id,
        "language": code,
        "prompt": next(iter(found.get("prompts", ())), None),
        "completions": sorted(
            found.get("completions", ()), key=lambda row: (row["rank"] is None, row["rank"], row["generator"])
        ),
        "english": english,
        "rejected": found.get("rejected", []),
        "pairs": found["pairs"],
        "models": {model["name"]: model for model in build["models"]},
        "lineage": facts["languages"].get(code, {}).get("build"),
        "places": {
            name: f"{where}@{commit}" if commit else where for name, (where, commit) in places.items()
        },
    }


def _pairs(source: str | Path, revision: str | None) -> tuple[str | Path, str | None]:
    """The pairs of `source`, and the commit to read where they are a repository."""
    if Path(source).is_dir():
        run = Path(source) / "published" / "pairs"
        return (run if run.is_dir() else Path(source)), revision
    return source, resolve_revision(str(source), revision)


def _beside(pairs: str | Path, facts: Facts) -> dict[str, tuple[str, str | None]]:
    """The tables beside the pairs: the folders, or the repositories at the commits that the pairs name."""
    if Path(pairs).is_dir():
        return {
            name: (str(path), None)
            for name in BESIDE
            if (path := Path(pairs).resolve().parent / name).is_dir()
        }
    related: Mapping[str, Mapping[str, str]] = facts["related"]
    return {name: (other["repo"], other["commit"]) for name, other in related.items()}


def _rows(place: tuple[str, str | None], prompt_id: str, code: str) -> list[Row]:
    source, revision = place
    facts = published_facts(source, revision)
    if not facts["languages"].get(code, {}).get("files"):
        return []
    return (
        scan_published(source, languages=[code], revision=revision)
        .filter(pl.col("prompt_id") == prompt_id)
        .collect()
        .to_dicts()
    )
