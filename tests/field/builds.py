"""A build of users' tables alone: no engine, rows written as the case has them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from polypref.builders import publish
from polypref.builders.build import Build
from polypref.builders.recipe import Recipe
from polypref.cards.funnel import Funnel, counts_by_language
from polypref.config import read_config
from polypref.store.workdir import Workdir

Q = "How do I sort a list of numbers in Python?"
R = "Which river flows through the city of Rome?"
ANSWERS = {
    "good": {Q: "Use the sorted function with a key.", R: "The river Tiber flows through Rome."},
    "bad": {Q: "Lists cannot be sorted at all.", R: "The river Thames flows through Rome."},
}


class Built(NamedTuple):
    """The pairs and the funnel of a build."""

    pairs: pl.DataFrame
    funnel: Funnel

    def counts(self, stage: str, code: str = "eng_Latn") -> dict[str | None, int]:
        counts = counts_by_language(self.funnel, stage).get(code, {})
        return {reason: count for reason, count in counts.items() if count}

    def texts(self) -> list[tuple[str, str, str]]:
        """Return prompt, chosen and rejected text of every pair."""
        columns = self.pairs.select("prompt", "chosen", "rejected").rows()
        texts = []
        for prompt, chosen, rejected in columns:
            texts.append((prompt[-1]["content"], chosen[-1]["content"], rejected[-1]["content"]))
        return sorted(texts)


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def build(folder: Path, **sections: Any) -> Built:
    """Build a recipe with best-vs-worst pairs and write its folders."""
    content: dict[str, Any] = {
        "languages": ["en"],
        "publish": {"name": "n", "title": "t", "license": "mit", "test_share": 0},
    }
    if "pairs" not in sections:
        content["score"] = {"human": {"kind": "language_rule"}}
        content["pair"] = {"builder": "best-vs-worst", "scorer": "human"}
    (folder / "r.yaml").write_text(json.dumps(content | sections))
    with Workdir(folder / "work") as workdir:
        run = Build(read_config(folder / "r.yaml", Recipe), workdir)
        run.make()
        funnel = publish.write_folders(run, "")
        frames = [frame.collect() for frame in publish.pairs(run).values()]
    return Built(pl.concat(frames), funnel)


def two_generators(
    folder: Path, ids: Mapping[str, Any], scores: Iterable[Mapping[str, Any]], **table: Any
) -> dict[str, Any]:
    """Return the sections of a recipe that imports good and bad answers to prompts with these ids."""
    generators = {}
    for name, answers in ANSWERS.items():
        rows = [{"id": ids[prompt], "text": answer} for prompt, answer in answers.items() if prompt in ids]
        path = write_rows(folder / f"{name}.jsonl", rows)
        generators[name] = {"import": {"path": path, "text": "text", "id": ["id"], **table}}
    path = write_rows(folder / "scores.jsonl", scores)
    return {
        "complete": {"generators": generators},
        "score": {"human": {"kind": "import", "path": path, "id": ["id"], "language": "en", **table}},
    }
