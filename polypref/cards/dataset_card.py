"""The dataset card: README.md with the Hub's metadata, written from facts.json alone.

A person's text, metadata keys, tags and configs are kept when the card is written anew (cards/prose.py).
"""

import re
import string
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from polypref.cards.charts import picture_tag, score_pictures
from polypref.cards.funnel import FunnelRow, counts_by_language, reasons, stages
from polypref.cards.licences import licensed_parts
from polypref.cards.markers import put_together, taken_apart
from polypref.cards.metadata import metadata
from polypref.cards.mixtures import NAMED
from polypref.languages.codes import LANGUAGES, by_name
from polypref.schemas import TABLES

TEMPLATES = Path(__file__).parent / "templates"
BESIDE = ("prompts", "completions", "rejected")  # repositories beside the pairs are called after them
SHARES = {
    "prompts": ("source", "translator"),
    "completions": ("origin", "generator", "finish_reason"),
    "scores": ("scorer",),
    "pairs": ("chosen_origin", "chosen_model"),
    "candidates": ("origin", "generator", "finish_reason"),
    "rejected": ("stage", "rejected_by"),
}


def dataset_card(
    facts: Mapping[str, Any], existing: str | None = None, repo: str | None = None, draft: str | None = None
) -> str:
    """The text of README.md for facts.json, in place of `existing`; `repo` (ORG/NAME) is what its examples load.

    A person's text is taken from `draft` where `existing` has none. Raises InputError where one of them cannot be taken apart:
    metadata that is not YAML, or one marker line without the other.
    """
    old, above, below = taken_apart(existing or "")
    draft_old, draft_above, draft_below = taken_apart(draft or "")
    if not (above + below).strip():
        above, below = draft_above, draft_below
    return put_together(
        metadata(facts, {**draft_old, **old}), above, _body(facts, repo or facts["name"]), below
    )


def _body(facts: Mapping[str, Any], repo: str) -> str:
    table, builds = facts["table"], facts["builds"]
    languages = {code: facts["languages"][code] for code in by_name(facts["languages"])}
    words = yaml.safe_load((TEMPLATES / "dataset_card.yaml").read_text("utf-8"))
    some = next(
        (code for code, about in languages.items() if about["files"] and code != "eng_Latn"), "eng_Latn"
    )
    count = "1 language" if len(languages) == 1 else f"{len(languages)} languages"
    pairs = table == "pairs"
    values = {
        "title": facts["title"],
        "intro": "\n\n".join(
            [*(f"> {note}" for note in facts["notes"]), words["about"][table].replace("LANGUAGES", count)]
        ),
        "sizes": _sizes(languages),
        "funnel": _funnel(facts["funnel"]),
        "scored": ", ".join(f"`{name}`" for name in _scored(languages)),
        "plot": picture_tag(
            "scores", "Quantiles of scores and margins by language; the tables have the numbers."
        )
        if score_pictures(facts)
        else "",
        "longer": words["longer"][table],
        "scores": _scores(languages),
        "shares": "\n\n".join(filter(None, (_shares(languages, column) for column in SHARES[table]))),
        "columns": _table(
            [("column", "what it is"), *((f"`{name}`", words["columns"][name]) for name in TABLES[table])]
        ),
        "made": _made(builds, languages),
        "lineage": _lineage(facts, repo),
        "repo": repo,
        "repo_base": _pairs_of(repo) if any(made["recipe"] for made in builds.values()) else "",
        "filter": words["filter"][table].replace("REPO", repo).replace("LANGUAGE", some),
        "language": some,
        "name": LANGUAGES[some].name,
        "mixtures": ", ".join(f"`{name}`" for name in NAMED) if pairs else "",
        "training": _training(repo) if pairs else "",
        "limits": _bullets(words["limits"][table]),
        "license": facts.get("license") or "",
        "licenses": _licenses(facts),
        "files": _files(languages),
        "recipes": _recipes(builds, languages),
    }
    sections = re.split(r"^(?=##+ )", (TEMPLATES / "dataset_card.md").read_text("utf-8"), flags=re.M)
    return "".join(_filled(section, values) for section in sections).strip()


def _filled(section: str, values: Mapping[str, str]) -> str:
    """The section; nothing where one of its values is empty."""
    part = string.Template(section)
    return "" if any(not values[name] for name in part.get_identifiers()) else part.substitute(values)


def _table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first row is its head, and columns of numbers are set to the right."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    numeric = [
        len(rows) > 1 and all(re.fullmatch(r"[-\d.,e+%]*", row[i]) for row in rows[1:])
        for i in range(len(rows[0]))
    ]
    return "\n".join(
        [lines[0], "|" + "|".join("---:" if right else "---" for right in numeric) + "|", *lines[1:]]
    )


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _sizes(languages: Mapping[str, Any]) -> str:
    tokens = list(dict.fromkeys(name for about in languages.values() for name in about.get("tokens", ())))
    lengths = list(
        dict.fromkeys(
            name
            for about in languages.values()
            for name in about["quantiles"]
            if name.endswith("_characters")
        )
    )

    def cells(files: Sequence[Mapping[str, Any]]) -> list[str]:
        split_rows = [
            sum(file["rows"] for file in files if file["split"] == split) for split in ("train", "test")
        ]
        return [*(f"{rows:,}" for rows in split_rows)]

    def megabytes(files: Sequence[Mapping[str, Any]]) -> str:
        return f"{sum(file['bytes'] for file in files) / 1e6:.2f}"

    def total(name: str, abouts: Iterable[Mapping[str, Any]]) -> str:
        return f"{sum(about.get('tokens', {}).get(name, 0) for about in abouts):,}"

    head = [
        "config",
        "language",
        "train",
        "test",
        "prompts",
        *(name.replace("_", " ") for name in [*lengths, *tokens]),
        "MB",
    ]
    rows = [
        [
            code,
            LANGUAGES[code].name,
            *cells(about["files"]),
            f"{about['prompts']:,}",
            *(number(about["quantiles"][name].get("p50")) for name in lengths),
            *(total(name, [about]) for name in tokens),
            megabytes(about["files"]),
        ]
        for code, about in languages.items()
    ]
    files = [file for about in languages.values() for file in about["files"]]
    sums = (total(name, languages.values()) for name in tokens)
    return _table(
        [head, *rows, ["default", "all", *cells(files), "", *("" for _ in lengths), *sums, megabytes(files)]]
    )


def _funnel(funnel: Sequence[FunnelRow]) -> str:
    """Return the funnel as a table of languages (also unpublished ones) by stages and reasons."""
    languages = by_name(row["language"] for row in funnel)
    columns = [["language", *languages]]
    for stage in stages(funnel):
        counts = counts_by_language(funnel, stage)
        if stage == "pairs":
            title, prefix = "pairs", "no pair"
            rows = {code: count[None] for code, count in counts.items()}
        else:
            title = prefix = stage if stage == "prompts" else f"{stage} completions"
            rows = {code: sum(count.values()) for code, count in counts.items()}
        columns.append([title, *(f"{rows[code]:,}" if code in rows else "" for code in languages)])
        for reason in reasons(funnel, stage):
            rejected = {code: count[reason] for code, count in counts.items() if reason in count}
            cells = [f"{rejected[code]:,}" if code in rejected else "" for code in languages]
            columns.append([f"{prefix}: {reason}", *cells])
    return _table(list(zip(*columns, strict=True))) if funnel else ""


def _scored(languages: Mapping[str, Any]) -> list[str]:
    names = dict.fromkeys(name for about in languages.values() for name in about["quantiles"])
    return [name for name in names if name.endswith("score") or name == "margin"]


def _scores(languages: Mapping[str, Any]) -> str:
    names = _scored(languages)
    pairs = any("chosen_longer" in about for about in languages.values())
    head = [
        "language",
        *(f"{name.replace('_', ' ')} {q[1:]}%" for name in names for q in ("p5", "p50", "p95")),
    ]
    rows = [
        [
            code,
            *(
                number(about["quantiles"].get(name, {}).get(q))
                for name in names
                for q in ("p5", "p50", "p95")
            ),
            *([f"{about['chosen_longer'] / _rows(about):.1%}" if _rows(about) else ""] if pairs else []),
        ]
        for code, about in languages.items()
    ]
    head += ["chosen is longer"] if pairs else []
    return _table([head, *rows]) if names else ""


def _shares(languages: Mapping[str, Any], column: str) -> str:
    """Shares of a column's values by language, and in all of them; nothing where no row has a value."""
    counts = {code: about["counts"][column] for code, about in languages.items()}
    values = sorted({value for counted in counts.values() for value in counted})
    everywhere = {value: sum(counted.get(value, 0) for counted in counts.values()) for value in values}

    def cells(counted: Mapping[str, int]) -> list[str]:
        total = sum(counted.values())
        return [f"{counted.get(value, 0) / total:.1%}" if total else "" for value in values]

    rows = [*([code, *cells(counted)] for code, counted in counts.items()), ["all", *cells(everywhere)]]
    return f"Rows by `{column}`:\n\n" + _table([["language", *values], *rows]) if values else ""


def _builds(languages: Mapping[str, Any]) -> dict[str, list[str]]:
    builds: dict[str, list[str]] = {}
    for code, about in languages.items():
        builds.setdefault(about["build"], []).append(code)
    return builds


def _rows(about: Mapping[str, Any]) -> int:
    return sum(file["rows"] for file in about["files"])


def _made(builds: Mapping[str, Any], languages: Mapping[str, Any]) -> str:
    rows = [
        [
            model["role"],
            model["name"],
            f"`{model['model']}`",
            f"`{model['revision']}`" if model["revision"] else "",
            ", ".join(f"{name} {value}" for name, value in model.get("settings", {}).items()),
            ", ".join(codes) if len(builds) > 1 else "all",
        ]
        for build, codes in _builds(languages).items()
        for model in builds[build]["models"]
    ]
    models = _table([["role", "name", "model", "revision", "settings", "languages"], *rows]) if rows else ""
    revisions = {
        name: revision
        for build in builds.values()
        for name, revision in build.get("source_revisions", {}).items()
    }
    names = dict.fromkeys(source for build in builds.values() for source in build["sources"])
    sources = _bullets(f"{name}, `{revisions[name]}`" if name in revisions else name for name in names)
    return "\n\n".join(filter(None, (models, f"Sources:\n\n{sources}" if sources else "")))


def _pairs_of(repo: str) -> str:
    """The repository of the pairs that `repo` is called after, or `repo` itself."""
    return re.sub(f"-({'|'.join(BESIDE)})$", "", repo)


def _lineage(facts: Mapping[str, Any], repo: str) -> str:
    lines = [f"`{build}`: {', '.join(codes)}" for build, codes in _builds(facts["languages"]).items()]
    related = [
        f"{name}: [{other['repo']}](https://huggingface.co/datasets/{other['repo']}/tree/{other['commit']}) at `{other['commit']}`"
        for name, other in facts["related"].items()
    ]
    pairs = _pairs_of(repo)
    if facts["table"] != "pairs" and pairs != repo and "/" in repo:
        related.append(
            f"pairs: [{pairs}](https://huggingface.co/datasets/{pairs}), which name the commit that holds their rows here"
        )
    return _bullets([*lines, *related])


def _licenses(facts: Mapping[str, Any]) -> str:
    return (
        _table([["made from", "licence"], *([what, found or "not known"] for what, found in licensed_parts(facts))])
        if licensed_parts(facts)
        else ""
    )


def _files(languages: Mapping[str, Any]) -> str:
    rows = [
        [f"`{file['path']}`", f"{file['rows']:,}", f"`{file['sha256']}`"]
        for about in languages.values()
        for file in about["files"]
    ]
    return _table([["file", "rows", "sha256"], *rows]) if rows else ""


def _recipes(builds: Mapping[str, Any], languages: Mapping[str, Any]) -> str:
    return "\n\n".join(
        f"<details><summary>{', '.join(codes)}</summary>\n\n````yaml\n{builds[build]['recipe'].rstrip()}\n````\n\n</details>"
        for build, codes in _builds(languages).items()
        if builds[build]["recipe"]
    )


def _training(repo: str) -> str:
    return f"""from datasets import load_dataset
from trl import DPOConfig, DPOTrainer

pairs = load_dataset("{repo}", split="train")
DPOTrainer("CohereLabs/aya-23-8B", args=DPOConfig("aya-23-8b-dpo"), train_dataset=pairs).train()"""


def number(value: float | None) -> str:
    """A measured number as the card prints it: four digits; nothing for None."""
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
