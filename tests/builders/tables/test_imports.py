"""Users' completions and scores in place of an engine's: matched by id, and accounted for."""

import json
from pathlib import Path
from typing import Any

from polypref.builders.recipe import ImportedScores
from polypref.builders.tables import imports
from polypref.builders.tables.read import Import
from tests.frames import rows_to_frame

PROMPTS = rows_to_frame(
    [
        {
            "prompt_id": f"{number:016x}",
            "language": "deu_Latn",
            "source": "p.jsonl",
            "source_id": name,
            "rejected_by": reason,
        }
        for number, (name, reason) in enumerate([("a", None), ("b", None), ("c", "empty"), ("d", None)])
    ],
    "prompts",
)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows_find_their_prompts_or_say_why_not(tmp_path: Path) -> None:
    rows = [{"id": name, "text": "x", "language": "de"} for name in ("b", "a", "b", "c", "unknown")]
    rows.append({"id": "a", "text": "x", "language": "Klingon"})
    table = Import(path=write(tmp_path / "t.jsonl", rows), text="text", id=("id",), language="language")
    keyed = imports.read_import(table, ["p.jsonl"])
    by_language, left_out = imports.split_by_language(keyed, ["deu_Latn"])
    assert left_out == {"und": {"unknown_language": 1}}
    parts = imports.split_into_parts(by_language["deu_Latn"], PROMPTS, 2)
    imported = [row for part in parts for row in part]
    assert sorted((row.row.place, row.rejected_by) for row in imported) == [
        ("t.jsonl:1", None),
        ("t.jsonl:2", None),
        ("t.jsonl:3", "duplicate"),
        ("t.jsonl:4", "prompt_rejected"),
        ("t.jsonl:5", "no_prompt"),
    ]
    assert [[row.prompt_id for row in part if row.rejected_by is None] for part in parts] == [
        [f"{0:016x}"],
        [f"{1:016x}"],
    ]
    assert len({row.prompt_id for row in imported}) == 5


def test_scores_are_matched_by_prompt_generator_and_language(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "model": "strong", "score": 7, "language": "de"},
        {"id": "b", "model": "strong", "score": 2.5, "language": "German"},
        {"id": "d", "model": "strong", "score": 9, "language": "fr"},
        {"id": "d", "model": "weak", "score": 8, "language": "de"},
    ]
    config = ImportedScores(
        kind="import",
        path=write(tmp_path / "s.jsonl", rows),
        score="score",
        id=("id",),
        generator="model",
        language="language",
    )
    completions = rows_to_frame(
        [
            {
                "prompt_id": f"{number:016x}",
                "language": "deu_Latn",
                "generator": generator,
                "origin": "native",
                "sample": 0,
                "completion": "x",
                "rejected_by": reason,
            }
            for generator in ("strong", "weak")
            for number, reason in ((0, None), (1, "too_long"), (3, None))
        ],
        "completions",
    )
    scores = imports.read_scores(config, ["p.jsonl"], ["deu_Latn"])
    scored = imports.import_scores("human", scores.frame, completions, PROMPTS).sort("generator")
    assert scored.select("prompt_id", "generator", "scorer", "score").rows() == [
        (f"{0:016x}", "strong", "human", 7.0),
        (f"{3:016x}", "weak", "human", 8.0),
    ]
