"""The dataset card: README.md with the Hub's metadata, written from facts.json alone.

This module computes the values; the text is in templates/dataset_card.md. Text, metadata keys, tags and
configs that people added stay when the card is written again (cards/markers.py).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from polypref.cards.charts import score_pictures
from polypref.cards.funnel import FunnelRow, counts_by_language, kept_by_language, reasons, stages
from polypref.cards.licences import licensed_parts
from polypref.cards.markers import join_card, split_card
from polypref.cards.metadata import dataset_metadata, rows_by_split, table_title
from polypref.cards.mixtures import NAMED
from polypref.cards.render import render
from polypref.cards.statistics import COUNTED
from polypref.languages.codes import LANGUAGES, by_name
from polypref.schemas import TABLES

BESIDE = ("prompts", "completions", "rejected")  # tables whose repositories are named after that of the pairs
# Columns for which the card shows the share of rows with each value.
SHARES = {**COUNTED, "pairs": ("chosen_origin", "chosen_model")}
SHOWN_QUANTILES = ("p5", "p50", "p95")

Languages = Mapping[str, Any]  # `languages` of facts.json
Table = dict[str, Any]  # head and rows; a cell is text, a number, or None if there is nothing to show


def dataset_card(
    facts: Mapping[str, Any], existing: str | None = None, repo: str | None = None, draft: str | None = None
) -> str:
    """Return the text of README.md for facts.json, in place of `existing`.

    repo: ORG/NAME, which the examples load; the name in facts.json by default.
    draft: a card whose text and metadata by people are used if `existing` has none.

    Raises InputError if one of the cards has metadata that is not YAML, or one marker line without the other.
    """
    old, above, below = split_card(existing or "")
    draft_old, draft_above, draft_below = split_card(draft or "")
    for key in ("configs", "dataset_info"):
        draft_old.pop(key, None)  # a draft may have languages that are not published now
    if not (above + below).strip():
        above, below = draft_above, draft_below
    body = render("dataset_card.md", _values(facts, repo or facts["name"]))
    return join_card(dataset_metadata(facts, {**draft_old, **old}), above, body, below)


def _values(facts: Mapping[str, Any], repo: str) -> dict[str, Any]:
    """Return the values of the template."""
    table, builds = facts["table"], facts["builds"]
    languages = {}
    for code in by_name(facts["languages"]):
        if facts["languages"][code]["files"]:
            languages[code] = facts["languages"][code]
    lineages = _lineages(languages, builds)
    repo = re.sub(r"[^\w./-]+", "-", repo)  # of a folder it is the recipe's `publish.name`
    pairs_repo = re.sub(f"-({'|'.join(BESIDE)})$", "", repo)
    examples = [code for code in languages if code != "eng_Latn"]
    return {
        **facts,
        "title": table_title(facts),
        "repo": repo,
        "run_repo": pairs_repo,
        # The pairs name the commits of the other tables; the other tables, published first, name the pairs.
        "pairs_repo": pairs_repo if table != "pairs" and pairs_repo != repo and "/" in repo else None,
        "languages": languages,
        "language_notes": _language_notes(languages),
        "supporting": [code for code, entry in languages.items() if entry.get("supporting")],
        "example": LANGUAGES[examples[0] if examples else "eng_Latn"],
        "sizes": _size_table(languages),
        "funnel": _funnel_table(facts["funnel"]),
        "unknown_languages": any(row["language"] == "und" for row in facts["funnel"]),
        "scores": _score_table(languages),
        "has_picture": bool(score_pictures(facts)),
        "shares": _share_tables(languages, SHARES[table]),
        "columns": list(TABLES[table]),
        "sources": _source_revisions(builds),
        "lineages": lineages,
        "more": _recipe_changes(facts, lineages),
        "mixtures": list(NAMED),
        "parts": [(name, license or "not known") for name, license in licensed_parts(facts)],
    }


def _lineages(languages: Languages, builds: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every build with its `id`, the `codes` of its languages, and the `fence` around its recipe."""
    codes: dict[str, list[str]] = {}
    for code, entry in sorted(languages.items()):
        codes.setdefault(entry["build"], []).append(code)
    lineages = []
    for lineage in codes:
        recipe = builds[lineage]["recipe"]
        fence = "`" * max(4, 1 + max(map(len, re.findall("`+", recipe)), default=0))
        lineages.append({**builds[lineage], "id": lineage, "codes": codes[lineage], "fence": fence})
    return lineages


def _language_notes(languages: Languages) -> dict[str, list[str]]:
    """Return {note: names of the languages that it is about}."""
    notes: dict[str, list[str]] = {}
    for code, entry in languages.items():
        for note in entry.get("notes", ()):
            notes.setdefault(note, []).append(LANGUAGES[code].name)
    return notes


def _recipe_changes(facts: Mapping[str, Any], lineages: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how the first recipe of the page is run elsewhere.

    `pins` are lines of YAML over it: the published prompts as its source, and the models' commits.
    `local` are the names of its models that were folders or servers of whoever built the data.
    """
    build = next((lineage for lineage in lineages if lineage["recipe"]), None)
    if build is None:
        return {"pins": [], "local": []}
    pins: dict[str, Any] = {}
    prompts = facts["related"].get("prompts")
    if prompts:
        source = {"repo": prompts["repo"], "revision": prompts["commit"], "split": "train+test"}
        english = "eng_Latn" in facts["languages"]
        columns = {"config": "eng_Latn" if english else build["codes"][0], "text": "prompt_en"}
        pins["prompts"] = {"sources": [{**source, **columns, "id": ["prompt_id"]}]}
    local = []
    for model in build["models"]:
        pin = {"revision": model["revision"]}
        if model["revision"].startswith("sha256:") or model["revision"] == "as served at local":
            local.append(model["name"])
        elif not re.fullmatch("[0-9a-f]{40}", model["revision"]):
            continue
        elif model["role"] == "translator":
            pins["translate"] = {"engine": pin}
        elif model["role"] == "generator":
            generators = pins.setdefault("complete", {"generators": {}})["generators"]
            generators[model["name"]] = {"engine": pin}
        elif model["role"] == "reward model":
            pins.setdefault("score", {})[model["name"]] = pin
    text = yaml.safe_dump(pins, sort_keys=False, allow_unicode=True) if pins else ""
    return {"pins": text.splitlines(), "local": local}


def _names(languages: Languages, key: str) -> list[str]:
    """Return the names that any language has under `key`, in order of appearance."""
    names: dict[str, None] = {}
    for entry in languages.values():
        names |= dict.fromkeys(entry.get(key, ()))
    return list(names)


def _size_table(languages: Languages) -> Table:
    """Return rows, prompts, median characters, tokens and bytes by language, and of all rows together."""
    lengths = [name for name in _names(languages, "quantiles") if name.endswith("_characters")]
    tokens = _names(languages, "tokens")
    labels = [name.replace("_", " ") for name in [*lengths, *tokens]]
    rows: list[list[Any]] = []
    files = []
    totals: Counter[str] = Counter()
    for code, entry in languages.items():
        medians = [entry["quantiles"][name].get("p50") for name in lengths]
        sums = [entry.get("tokens", {}).get(name, 0) for name in tokens]
        train, test, megabytes = _file_totals(entry["files"])
        name = LANGUAGES[code].name
        rows.append([code, name, train, test, entry["prompts"], *medians, *sums, megabytes])
        files += entry["files"]
        totals.update(entry.get("tokens", {}))
    train, test, megabytes = _file_totals(files)
    nothing = [None] * (1 + len(lengths))  # prompts are shared by languages, and medians do not add up
    sums = [totals[name] for name in tokens]
    rows.append(["default", "all", train, test, *nothing, *sums, megabytes])
    return {"head": ["config", "language", "train", "test", "prompts", *labels, "MB"], "rows": rows}


def _file_totals(files: Sequence[Mapping[str, Any]]) -> tuple[int, int, str]:
    """Return the rows of the train split, the rows of the test split, and the megabytes of these files."""
    rows = rows_by_split(files)
    return rows["train"], rows["test"], f"{sum(file['bytes'] for file in files) / 1e6:.2f}"


def _funnel_table(funnel: Sequence[FunnelRow]) -> Table | None:
    """Return the funnel by languages, stages and reasons, also of languages that are not published."""
    if not funnel:
        return None
    columns: dict[str, Mapping[str, int | None]] = {}
    for stage in stages(funnel):
        counts = counts_by_language(funnel, stage)
        if stage == "pairs":
            prefix = "no pair"
            columns["pairs"] = kept_by_language(funnel, stage)
        else:
            prefix = stage if stage == "prompts" else f"{stage} completions"
            columns[prefix] = {code: sum(by_reason.values()) for code, by_reason in counts.items()}
        for reason in reasons(funnel, stage):
            columns[f"{prefix}: {reason}"] = {code: rows.get(reason) for code, rows in counts.items()}
    rows = []
    for code in by_name(row["language"] for row in funnel):
        rows.append([code, *(column.get(code) for column in columns.values())])
    return {"head": ["language", *columns], "rows": rows}


def _score_table(languages: Languages) -> Table | None:
    """Return quantiles of scores and margins by language, and how often the chosen text is longer."""
    quantiles = _names(languages, "quantiles")
    names = [name for name in quantiles if name.endswith("score") or name == "margin"]
    if not names:
        return None
    pairs = any("chosen_longer" in entry for entry in languages.values())
    head = ["language"]
    for name in names:
        head += [f"{name.replace('_', ' ')} {quantile[1:]}%" for quantile in SHOWN_QUANTILES]
    rows = []
    for code, entry in languages.items():
        row: list[Any] = [code]
        for name in names:
            values = entry["quantiles"].get(name, {})
            row += [values.get(quantile) for quantile in SHOWN_QUANTILES]
        if pairs:
            count = sum(file["rows"] for file in entry["files"])
            row.append(f"{entry['chosen_longer'] / count:.1%}")
        rows.append(row)
    return {"names": names, "head": [*head, "chosen is longer"] if pairs else head, "rows": rows}


def _share_tables(languages: Languages, columns: Iterable[str]) -> list[Table]:
    """Return a table for each column that has values: the share of rows with each of them, by language."""
    tables = []
    for column in columns:
        counts = {code: entry["counts"][column] for code, entry in languages.items()}
        counts["all"] = sum(map(Counter, counts.values()), Counter())
        values = sorted(counts["all"])
        if values:
            cells = [[code, *_shares(of_language, values)] for code, of_language in counts.items()]
            tables.append({"column": column, "head": ["language", *values], "rows": cells})
    return tables


def _shares(counts: Mapping[str, int], values: Sequence[str]) -> list[str | None]:
    total = sum(counts.values())
    return [f"{counts.get(value, 0) / total:.1%}" if total else None for value in values]


def _source_revisions(builds: Mapping[str, Any]) -> dict[str, str | None]:
    """Return {source: its revision, a commit or the SHA-256 of a file}."""
    revisions: dict[str, str | None] = {}
    for build in builds.values():
        for name in build["sources"]:
            revisions[name] = build.get("source_revisions", {}).get(name, revisions.get(name))
    return revisions
