"""Estimates of a build: counted, priced, and measured by a probe whose answers the build keeps."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from openai_server import OpenAIServer

from polypref.builders.build import Build
from polypref.builders.plan import Line, estimate
from polypref.builders.recipe import Recipe
from polypref.store.workdir import Workdir

ROOT = Path(__file__).parent.parent.parent
TEXT = "Please tell me about the number {:03} now."  # 40 bytes: 10 tokens


def recipe(tmp_path: Path, url: str, **more: Any) -> Recipe:
    rows = [
        json.dumps({"id": i, "prompt": TEXT.format(i), "language": code})
        for i, code in enumerate(["en"] * 30 + ["de"] * 20)
    ]
    (tmp_path / "prompts.jsonl").write_text("\n".join(rows) + "\n")
    engine = {
        "kind": "http",
        "base_url": url,
        "model": "m",
        "sampling": {"max_tokens": 100},
        "price": {"input": 1.0, "output": 10.0},
    }
    content = {
        "languages": ["en", "de"],
        "prompts": {
            "sources": [
                {
                    "path": str(tmp_path / "prompts.jsonl"),
                    "text": "prompt",
                    "id": ["id"],
                    "language": "language",
                }
            ],
            "filters": {"wrong_language": None},
        },
        "complete": {
            "generators": {"strong": {"engine": engine, "samples": 2}},
            "filters": {"wrong_language": None},
        },
        "score": {"rule": {"kind": "language_rule"}},
        "pair": {"builder": "best-vs-worst", "scorer": "rule"},
        "publish": {"name": "test", "title": "Test", "license": "mit"},
    } | more
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(content))
    return Recipe.model_validate(content)


def lines(config: Recipe, workdir: Path, probe: int = 0) -> list[Line]:
    with Workdir(workdir) as opened:
        build = Build(config, opened)
        build.prepare()
        return estimate(build, probe)


def test_without_a_probe_answers_are_as_long_as_they_may_be(tmp_path: Path) -> None:
    config = recipe(tmp_path, "http://127.0.0.1:1/v1", throughput={"strong": 1000.0})
    estimates = lines(config, tmp_path / "run")
    assert [
        (line.stage, line.language, line.rows, line.prompt_tokens, line.tokens, line.measured)
        for line in estimates
    ] == [
        ("complete strong", "eng_Latn", 60, 600, 6000, False),
        ("complete strong", "deu_Latn", 40, 400, 4000, False),
    ]
    assert [line.cost for line in estimates] == pytest.approx([0.0606, 0.0404])
    assert [line.hours for line in estimates] == pytest.approx([6 / 3600, 4 / 3600])
    assert lines(recipe(tmp_path, "http://127.0.0.1:1/v1"), tmp_path / "run")[0].hours is None


def test_a_probe_measures_and_the_build_does_not_ask_for_its_rows_again(tmp_path: Path) -> None:
    with OpenAIServer(lambda body: "five words are said here", delay=0.01) as server:
        config = recipe(tmp_path, server.url)
        estimates = lines(config, tmp_path / "run", probe=5)
        assert len(server.calls) == 6
        assert [(line.rows, line.tokens, line.measured) for line in estimates] == [
            (60, 300, True),
            (40, 200, True),
        ]
        assert all(line.hours for line in estimates)
        with Workdir(tmp_path / "run") as opened:
            Build(config, opened).make()
        assert len(server.calls) == 100


def test_the_command_prints_sums(tmp_path: Path) -> None:
    recipe(tmp_path, "http://127.0.0.1:1/v1")
    command = [sys.executable, "-m", "polypref", "plan", "recipe.yaml"]
    run = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env={"COLUMNS": "120", "PATH": "/usr/bin"}
    )
    assert run.returncode == 0, run.stderr
    words = [line.split() for line in run.stdout.splitlines()]
    (total,) = [row[2:] for row in words if row[:2] == ["all", "all"]]
    assert total == ["100", "1,000", "10,000", "?", "0.10"]
    assert "Hours are not known" in run.stdout


def test_a_build_stops_at_its_budget_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    def build(more: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "more.yaml").write_text(more)
        command = [
            sys.executable,
            "-m",
            "polypref",
            "build",
            "recipe.yaml",
            "--workdir",
            "run",
            "--overlay",
            "more.yaml",
        ]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    with OpenAIServer(lambda body: "five words are said here", delay=0.01) as server:
        recipe(tmp_path, server.url)  # an answer costs 5 tokens at 10 for a million
        stopped = build("budget: {max_cost: 0.0016}")
        assert stopped.returncode == 3
        message = (
            "polypref: budget.max_cost 0.0016 is used up: 0.0016 spent; "
            "all answers are kept, raise it and run again"
        )
        assert stopped.stderr.splitlines()[-1] == message
        assert len(server.calls) == 32
        done = build("budget: {max_cost: 1}")
        assert len(server.calls) == 100
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "polypref: no pairs: identical 50 of 50 (pairs): use another generator, or a higher temperature",
    )
