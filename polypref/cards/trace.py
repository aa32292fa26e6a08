"""The history of a published pair: its prompt, the translation, every completion and score.

The rows are found by their keys, in the tables beside the pairs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from polypref.cards.dataset_card import BESIDE
from polypref.cards.folder import Facts
from polypref.cards.load import scan_files
from polypref.cards.published import open_published, published_facts, resolve_revision
from polypref.errors import InputError
from polypref.languages import codes

Row = dict[str, Any]


class Place(NamedTuple):
    """The folder or repository of a table, and the commit to read; no commit for a folder."""

    source: str
    revision: str | None

    def __str__(self) -> str:
        return f"{self.source}@{self.revision}" if self.revision else self.source


def trace_prompt(source: str | Path, prompt_id: str, language: str, revision: str | None = None) -> Row:
    """Return everything that is published about a prompt in one language.

    source: ORG/NAME, a run's folder, or a folder of published pairs.

    Keys of the result: prompt_id; language; prompt (its row, or None); completions and rejected and pairs
    (lists of rows, completions by rank); english ({(generator, sample): row} of the English completions that
    were translated); models ({name: its entry in facts.json}); lineage; places ({table: where it was read}).

    Raises InputError if no table has a row of this prompt.
    """
    code = codes.language(language).code
    pairs = _find_pairs(source, revision)
    facts = published_facts(*pairs)
    if facts["table"] != "pairs":
        raise InputError(f"{source}: found the table {facts['table']!r}, expected pairs")
    places = {"pairs": pairs, **_find_tables_beside(pairs, facts)}
    rows = {table: _read_rows(place, prompt_id, code) for table, place in places.items()}
    if not any(rows.values()):
        raise InputError(f"{source}: no row of the prompt {prompt_id!r} in {code}")
    completions = rows.get("completions", [])
    prompts = rows.get("prompts", [])
    lineage = facts["languages"].get(code, {}).get("build")
    models = facts["builds"][lineage]["models"] if lineage else []
    return {
        "prompt_id": prompt_id,
        "language": code,
        "prompt": prompts[0] if prompts else None,
        "completions": sorted(completions, key=_rank_order),
        "english": _english_completions(completions, places, prompt_id),
        "rejected": rows.get("rejected", []),
        "pairs": rows["pairs"],
        "models": {model["name"]: model for model in models},
        "lineage": lineage,
        "places": {table: str(place) for table, place in places.items()},
    }


def _rank_order(row: Row) -> tuple[bool, int, str]:
    """Return the sort key of a completion: ranks in order, then those without one."""
    return row["rank"] is None, row["rank"] or 0, row["generator"]


def _find_pairs(source: str | Path, revision: str | None) -> Place:
    """Return the place of the pairs; the revision of a repository is resolved to a commit."""
    if not Path(source).is_dir():
        return Place(str(source), resolve_revision(str(source), revision))
    run = Path(source) / "published" / "pairs"
    return Place(str(run if run.is_dir() else source), revision)


def _find_tables_beside(pairs: Place, facts: Facts) -> dict[str, Place]:
    """Return the places of the other tables: folders, or repositories at the commits that the pairs name."""
    if not Path(pairs.source).is_dir():
        return {
            table: Place(pointer["repo"], pointer["commit"]) for table, pointer in facts["related"].items()
        }
    beside = Path(pairs.source).resolve().parent
    return {table: Place(str(beside / table), None) for table in BESIDE if (beside / table).is_dir()}


def _english_completions(
    completions: list[Row], places: Mapping[str, Place], prompt_id: str
) -> dict[tuple[str, int], Row]:
    """Return the completions that translated ones were made from, by generator and sample."""
    translated = [row for row in completions if row["pivot_language"]]
    if not translated:
        return {}
    code, pivot = translated[0]["language"], translated[0]["pivot_language"]
    facts = published_facts(*places["completions"])
    generators, originals = _generators(facts, code), _generators(facts, pivot)
    english = {}
    for row in _read_rows(places["completions"], prompt_id, pivot):
        name = row["generator"]
        # Another build may have published English, with another model of that name.
        if row["origin"] == "native" and generators.get(name) == originals.get(name):
            english[name, row["sample"]] = row
    return english


def _generators(facts: Facts, code: str) -> dict[str, tuple[str, str]]:
    """Return {name: model and revision} of the generators of one language."""
    entry = facts["languages"].get(code)
    models = facts["builds"][entry["build"]]["models"] if entry else []
    return {model["name"]: (model["model"], model["revision"]) for model in models}


def _read_rows(place: Place, prompt_id: str, code: str) -> list[Row]:
    """Return a prompt's rows of one table; none if the table does not have the language."""
    published = open_published(*place)
    if not published.facts["languages"].get(code, {}).get("files"):
        return []
    return scan_files(published, [code]).filter(pl.col("prompt_id") == prompt_id).collect().to_dicts()
