"""Quality models in filters: asked last, through the answer log and the budget, and named in the card."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from polypref.builders.build import Build
from polypref.builders.filters.quality import QualityFilter, apply_quality, estimate_quality
from polypref.builders.plan import estimate
from polypref.builders.publish import write_folders
from polypref.builders.recipe import Recipe
from polypref.engines.base import Answer
from polypref.engines.pool import ask_engine
from polypref.engines.start import open_engine
from polypref.errors import BudgetReached, InputError
from polypref.store.parts import read_parts
from polypref.store.workdir import Workdir
from tests.checkers.encoders import write_encoder

ROWS = pl.DataFrame(
    [
        {"text": "the house is old", "source": "the house is old"},
        {"text": "das haus", "source": "the house is old"},
        {"text": "das haus"},
        {
            "text": "haus",
            "source": "the house",
            "rejected_by": "empty",
            "measures": [{"name": "empty", "value": 1.0}],
        },
    ],
    schema={
        "text": pl.String,
        "source": pl.String,
        "rejected_by": pl.String,
        "measures": pl.List(pl.Struct({"name": pl.String, "value": pl.Float64})),
    },
).with_columns(pl.col("measures").fill_null([]))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_encoder(tmp_path_factory.mktemp("encoder")))


def test_the_rows_that_are_left_and_have_a_source_are_asked_about_and_the_worst_are_rejected(
    encoder: str, tmp_path: Path
) -> None:
    quality = QualityFilter(model=encoder, least=0.99)
    stage = apply_quality(ROWS, quality, text="text", source="source")
    requests = next(stage)
    texts = [[message["content"] for message in request.messages] for request in requests]
    assert texts == [["the house is old", "the house is old"], ["the house is old", "das haus"]]
    assert {request.engine for request in requests} == {"quality"}
    with Workdir(tmp_path) as workdir:
        engine = open_engine(quality.engine, "quality", workdir)
        answers = ask_engine(engine, requests, workdir.open_log(engine.fingerprint))
    same, other = (answer.score for answer in answers if answer)
    assert same == pytest.approx(1.0, abs=1e-5)
    assert other is not None
    assert other < 0.99
    with pytest.raises(StopIteration) as stop:
        stage.send(answers)
    rows = stop.value.value
    assert rows["rejected_by"].to_list() == [None, "quality", None, "empty"]
    assert [[(m["name"], m["value"]) for m in measures] for measures in rows["measures"]] == [
        [("quality", pytest.approx(same))],
        [("quality", pytest.approx(other))],
        [],
        [("empty", 1.0)],
    ]


def test_all_rows_with_a_source_can_be_estimated() -> None:
    estimating = estimate_quality(ROWS, all_rows=True)
    assert len(next(estimating)) == 3
    with pytest.raises(StopIteration) as stop:
        estimating.send([Answer(score=score) for score in (0.1, 0.2, 0.3)])
    assert stop.value.value.to_list() == [0.1, 0.2, None, 0.3]


def test_without_a_quality_model_nothing_is_asked() -> None:
    with pytest.raises(StopIteration) as stop:
        next(apply_quality(ROWS, None, text="text", source="source"))
    assert stop.value.value.equals(ROWS)


def test_the_least_score_is_no_part_of_the_engine(encoder: str, tmp_path: Path) -> None:
    with Workdir(tmp_path) as workdir:
        fingerprints = {
            open_engine(QualityFilter(model=encoder, least=least).engine, "quality", workdir).fingerprint
            for least in (0.1, 0.9)
        }
    assert len(fingerprints) == 1


def test_a_quality_model_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with Workdir(tmp_path) as workdir, pytest.raises(InputError, match=r"none: no such folder"):
        open_engine(QualityFilter(model=str(tmp_path / "none"), least=0.5).engine, "quality", workdir)


PROMPTS = [
    "Tell me of the old house.",
    "Is the house old? It is.",
    "What is old and what is not?",
    "the house",
]


def recipe(tmp_path: Path, encoder: str, least: float, **more: Any) -> Recipe:
    """English prompts, pseudo-localised into German, with imported completions."""
    (tmp_path / "p.jsonl").write_text("".join(json.dumps({"p": text}) + "\n" for text in PROMPTS))
    (tmp_path / "c.jsonl").write_text(json.dumps({"id": "1", "c": "An answer, and a long one."}) + "\n")
    return Recipe.model_validate(
        {
            "languages": ["de"],
            "prompts": {"sources": [{"path": tmp_path / "p.jsonl", "text": "p"}]},
            "translate": {
                "engine": {"kind": "pseudo"},
                "filters": {"wrong_language": None, "quality": {"model": encoder, "least": least}},
            },
            "complete": {
                "generators": {"mine": {"import": {"path": tmp_path / "c.jsonl", "text": "c", "id": ["id"]}}}
            },
            "score": {"rule": {"kind": "language_rule"}},
            "pair": {"builder": "best-vs-worst", "scorer": "rule"},
            "publish": {"name": "n", "title": "t", "license": "mit"},
        }
        | more
    )


def make(config: Recipe, folder: Path) -> pl.DataFrame:
    """Build and publish; return the translated prompts with the measure `quality` as a column."""
    with Workdir(folder) as workdir:
        build = Build(config, workdir)
        build.make()
        write_folders(build, "")
        rows = read_parts(workdir.table("prompts", "translated", "deu_Latn", parts=build.parts))
    values = [
        {measure["name"]: measure["value"] for measure in measures}["quality"]
        for measures in rows["measures"]
    ]
    return rows.with_columns(quality=pl.Series(values)).sort("quality")


def test_in_a_build_estimates_are_kept_counted_and_named_in_the_card(encoder: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    rows = make(recipe(tmp_path, encoder, least=-1.0), run)
    assert rows["rejected_by"].to_list() == [None] * 4
    least = rows["quality"][1] + 1e-6
    logs = {path: path.read_bytes() for path in (run / "answers").iterdir()}
    spent = json.loads((run / "spent.json").read_text())["engines"]
    (quality,) = (engine for engine in spent.values() if engine["name"] == "quality")
    assert quality["calls"] == 4
    assert quality["prompt_tokens"] > 0

    rows = make(recipe(tmp_path, encoder, least=least), run)
    assert rows["rejected_by"].to_list() == ["quality", "quality", None, None]
    assert {path: path.read_bytes() for path in (run / "answers").iterdir()} == logs
    models = json.loads((run / "published/pairs/facts.json").read_text())["builds"].popitem()[1]["models"]
    (named,) = (model for model in models if model["role"] == "quality estimator")
    assert (named["name"], named["model"]) == ("quality of prompts", Path(encoder).name)
    assert named["revision"].startswith("sha256:")
    assert named["settings"]["least"] == least


def test_estimates_are_planned(encoder: str, tmp_path: Path) -> None:
    with Workdir(tmp_path / "run") as workdir:
        build = Build(recipe(tmp_path, encoder, least=0.0, throughput={"quality": 100.0}), workdir)
        build.prepare()
        translated, quality = estimate(build)
    assert (translated.stage, quality.stage, quality.language) == (
        "translate prompts",
        "quality of prompts",
        "deu_Latn",
    )
    assert (quality.rows, quality.prompt_tokens, quality.tokens) == (4, 2 * translated.prompt_tokens, 0)
    assert quality.hours == pytest.approx(quality.prompt_tokens / 100 / 3600)


def test_a_budget_stops_estimates_too(encoder: str, tmp_path: Path) -> None:
    with pytest.raises(BudgetReached, match="max_tokens"):
        make(recipe(tmp_path, encoder, least=0.0, budget={"max_tokens": 10}), tmp_path / "run")
    spent = json.loads((tmp_path / "run/spent.json").read_text())["engines"]
    assert {engine["name"]: engine["calls"] for engine in spent.values()} == {"pseudo": 5, "quality": 0}
