"""A whole build over HTTP: nothing answered is asked again, whatever happens, and the same bytes come out."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from openai_server import OpenAIServer

from polypref.builders.build import Build
from polypref.builders.publish import make_funnel, write_folders
from polypref.builders.recipe import Recipe
from polypref.cards.funnel import counts_by_language, rejected_by_reason
from polypref.errors import Unavailable
from polypref.store import stages, workdir
from polypref.store.workdir import Workdir

ROOT = Path(__file__).parent.parent.parent
PROMPTS = 60


def reply(body: dict[str, Any]) -> str:
    """The weak model loops at times and answers in German at times, by the prompt's number."""
    number = int("".join(c for c in body["messages"][-1]["content"] if c.isdigit()))
    if body["model"] == "weak" and number % 10 == 3:
        return "I do not know. " * 30
    if body["model"] == "weak":
        return f"Das weiß ich leider nicht, denn die Frage ist mir zu schwer, sagt {number}."
    return f"The answer to this question is certainly the number {number}, as everybody knows."


def recipe(tmp_path: Path, url: str, **changes: Any) -> Path:
    """Two generators behind one server, the rule scorer, English prompts only."""
    rows = [
        json.dumps({"id": i, "prompt": f"Please tell me about the number {i} in one sentence."})
        for i in range(changes.pop("prompts", PROMPTS))
    ]
    (tmp_path / "prompts.jsonl").write_text("\n".join(rows) + "\n")

    def engine(model: str) -> dict[str, Any]:
        return {"engine": {"kind": "http", "base_url": url, "model": model, "concurrency": 4, "retries": 1}}

    content = {
        "languages": ["en"],
        "prompts": {"sources": [{"path": str(tmp_path / "prompts.jsonl"), "text": "prompt", "id": ["id"]}]},
        "complete": {
            "generators": {"strong": engine("strong"), "weak": engine("weak")},
            "filters": {"wrong_language": None},
        },
        "score": {"rule": {"kind": "language_rule"}},
        "pair": {"builder": "best-vs-worst", "scorer": "rule"},
        "publish": {"name": "test", "title": "Test", "license": "mit", "test_share": 0.2},
    }
    for key, value in changes.items():
        content["complete"]["filters"][key] = value  # type: ignore[index]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "recipe.yaml"


def make(path: Path, folder: Path) -> Build:
    with Workdir(folder) as opened:
        build = Build(Recipe.model_validate(yaml.safe_load(path.read_text())), opened)
        build.make()
        write_folders(build, path.read_text())
    return build


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_every_prompt_is_accounted_for(tmp_path: Path) -> None:
    with OpenAIServer(reply) as server:
        build = make(recipe(tmp_path, server.url), tmp_path / "run")
    funnel = make_funnel(build)
    assert [tuple(row.values()) for row in funnel] == [
        ("prompts", None, "eng_Latn", 60),
        ("strong-native", None, "eng_Latn", 60),
        ("weak-native", None, "eng_Latn", 54),
        ("weak-native", "loop", "eng_Latn", 6),
        ("pairs", None, "eng_Latn", 54),
        ("pairs", "no_candidates", "eng_Latn", 6),
    ]
    assert rejected_by_reason(funnel) == {"loop": {"eng_Latn": 6}, "no_candidates": {"eng_Latn": 6}}
    pairs = pl.read_parquet(tmp_path / "run/published/pairs/data/**/*.parquet")
    assert pairs["chosen_model"].unique().to_list() == ["strong"]
    assert (pairs["chosen_score"].unique().to_list(), pairs["rejected_score"].unique().to_list()) == (
        [1.0],
        [0.0],
    )


def test_scored_completions_and_rejections_are_laid_out_for_publication(tmp_path: Path) -> None:
    with OpenAIServer(reply) as server:
        make(recipe(tmp_path, server.url), tmp_path / "run")
    published = tmp_path / "run/published"
    completions = pl.read_parquet(published / "completions/data/**/*.parquet")
    assert completions.height == 114
    assert completions.schema["scores"] == pl.List(pl.Struct({"name": pl.String, "value": pl.Float64}))
    ranked = completions.sort("prompt_id", "rank").filter(pl.len().over("prompt_id") == 2)
    assert ranked["generator"].to_list() == ["strong", "weak"] * 54
    assert ranked["rank"].to_list() == [1, 2] * 54
    assert [scores[0]["name"] for scores in ranked["scores"].head(2)] == ["rule", "rule"]
    rejected = pl.read_parquet(published / "rejected/data/**/*.parquet")
    reasons = Counter(rejected.select("stage", "generator", "rejected_by").iter_rows())
    assert reasons == {("completions", "weak", "loop"): 6, ("pairs", None, "no_candidates"): 6}
    loop = rejected.filter(pl.col("stage") == "completions")["messages"][0].to_list()
    assert loop == [{"role": "assistant", "content": "I do not know. " * 30}]
    pairs = pl.read_parquet(published / "pairs/data/**/*.parquet")
    keys = {
        "prompt_id": "prompt_id",
        "language": "language",
        "chosen_model": "generator",
        "chosen_origin": "origin",
        "chosen_sample": "sample",
    }
    joined = pairs.join(completions, left_on=list(keys), right_on=list(keys.values()), how="left")
    assert joined["completion"].to_list() == pairs["chosen"].to_list()
    assert joined["chosen_tokens"].to_list() == joined["tokens"].to_list()


def test_the_funnel_in_the_card_is_what_the_published_files_hold(tmp_path: Path) -> None:
    with OpenAIServer(reply) as server:
        make(recipe(tmp_path, server.url, too_long=90), tmp_path / "run")
    published = tmp_path / "run/published"
    rows = {
        name: pl.read_parquet(published / name / "data/**/*.parquet")
        for name in ("prompts", "completions", "rejected", "pairs")
    }
    stages = {
        stage: rows["rejected"].filter(pl.col("stage") == stage)
        for stage in ("prompts", "completions", "pairs")
    }
    expected = {"prompts": rows["prompts"].height + stages["prompts"].height}
    for generator in ("strong", "weak"):
        title, of_it = f"{generator}-native completions", pl.col("generator") == generator
        left_out = stages["completions"].filter(of_it)["rejected_by"]
        expected[title] = rows["completions"].filter(of_it).height + left_out.len()
        expected |= {f"{title}: {reason}": (left_out == reason).sum() for reason in left_out.unique()}
    expected["pairs"] = rows["pairs"].height
    expected |= {f"no pair: {reason}": n for reason, n in Counter(stages["pairs"]["rejected_by"]).items()}
    assert (
        sum(expected[step] for step in expected if "no pair" in step) + expected["pairs"]
        == expected["prompts"]
    )
    card = (published / "pairs/README.md").read_text()
    head, _, cells = [
        line.strip("| ").split(" | ") for line in card.split("without one.\n\n")[1].splitlines()[:3]
    ]
    assert dict(zip(head[1:], map(int, cells[1:]), strict=True)) == expected
    assert expected["weak-native completions: too_long"] > 0


def test_a_looser_filter_and_one_more_prompt_ask_for_the_new_rows_only(tmp_path: Path) -> None:
    with OpenAIServer(reply) as server:
        make(recipe(tmp_path, server.url), tmp_path / "run")
        assert len(server.calls) == 120
        build = make(recipe(tmp_path, server.url, prompts=61, loop=None, repetition=None), tmp_path / "run")
        assert [body["messages"][-1]["content"] for body in server.calls[120:]] == [
            "Please tell me about the number 60 in one sentence."
        ] * 2
        assert counts_by_language(make_funnel(build), "pairs") == {"eng_Latn": {None: 55, "tie": 6}}
        make(recipe(tmp_path, server.url, prompts=61, loop=None, repetition=None), tmp_path / "run")
        assert len(server.calls) == 122


def test_calls_that_fail_leave_the_table_incomplete_until_they_succeed(tmp_path: Path) -> None:
    with OpenAIServer(reply) as server:
        server.fault(status=500, times=6)
        path = recipe(tmp_path, server.url)
        with pytest.raises(
            Unavailable, match=r"\d calls failed for now; run again, or publish with --allow-incomplete"
        ):
            make(path, tmp_path / "run")
        assert not (tmp_path / "run/published").exists()
        make(path, tmp_path / "run")
        assert max(Counter(json.dumps(body) for body in server.answered).values()) == 1
        assert len(server.answered) == 120


def test_killed_five_times_the_published_bytes_are_those_of_an_uninterrupted_build(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "polypref", "build", str(tmp_path / "recipe.yaml"), "--workdir"]
    draw = random.Random(5)
    with OpenAIServer(reply, delay=0.1) as server:
        recipe(tmp_path, server.url)
        subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True, cwd=tmp_path)
        server.calls.clear()
        server.answered.clear()
        for target in sorted(draw.sample(range(5, 115), 5)):
            with subprocess.Popen(
                [*command, str(tmp_path / "killed")], cwd=tmp_path, stderr=subprocess.DEVNULL
            ) as build:
                while build.poll() is None and len(server.answered) < target:
                    time.sleep(0.005)
                assert build.poll() is None
                os.kill(build.pid, signal.SIGKILL)
        subprocess.run([*command, str(tmp_path / "killed")], check=True, capture_output=True, cwd=tmp_path)
    assert files(tmp_path / "killed/published") == files(tmp_path / "whole/published")
    requests = Counter(json.dumps(body) for body in server.calls)
    assert sum(count - 1 for count in requests.values()) <= 5 * 4  # in flight at each kill


def test_the_bytes_are_the_same_whatever_the_number_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a translator in this process, which is asked in a fixed order, even its log is the same."""
    monkeypatch.setattr(workdir, "ROWS_PER_PART", 6)
    with OpenAIServer(reply) as server:
        path = recipe(tmp_path, server.url)
        content = yaml.safe_load(path.read_text()) | {
            "languages": ["en", "de", "fr"],
            "translate": {"engine": {"kind": "pseudo", "faults": 0.5}, "filters": {"wrong_language": None}},
        }
        content["complete"]["generators"] = {"strong": content["complete"]["generators"]["strong"]}
        content["complete"]["generators"]["strong"]["pivot"] = "eng_Latn"
        path.write_text(yaml.safe_dump(content))
        make(path, tmp_path / "one")
        monkeypatch.setattr(stages, "MIN_ROWS", 0)
        for processes in (2, 3):
            monkeypatch.setattr(stages, "cores", lambda processes=processes: processes)
            make(path, tmp_path / str(processes))
    one = files(tmp_path / "one")
    translated = [name for name in one if name.startswith("tables/") and "translated" in name]
    assert len(translated) == 2 * 10 * 3  # languages, parts, tables
    (log,) = [name for name in one if name.endswith(".jsonl") and "⟦".encode() in one[name]]
    for processes in ("2", "3"):
        other = files(tmp_path / processes)
        tables = {name: one[name] for name in one if name.startswith(("tables/", "published/"))}
        assert tables == {name: other[name] for name in other if name.startswith(("tables/", "published/"))}
        assert other[log] == one[log]
