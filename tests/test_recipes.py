"""The shipped recipes: they can be read and belong together; two of them run with tiny models."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hubserver import HubServer, User

from polypref.builders.recipe import Recipe
from polypref.cards.licences import known_license, resolve_license
from polypref.config import read_config
from polypref.eval.recipe import WinrateRecipe
from polypref.languages.codes import PAPER_23
from polypref.training.recipe import DpoRecipe, RlooRecipe

ROOT = Path(__file__).parent.parent
RECIPES = ROOT / "polypref" / "recipes"
CHECKPOINTS = ROOT / "polypref" / "demo" / "checkpoints"
# The tiny checkpoints have the real ones' architectures: M2M-100, Cohere, and Qwen3 with one output.
PAPER = {
    "facebook/nllb-200-3.3B": "translator",
    "CohereLabs/c4ai-command-r-plus": "strong",
    "CohereLabs/aya-23-8B": "policy",  # `weak` has heads of a size that vLLM does not know on a CPU
    "Skywork/Skywork-Reward-V2-Qwen3-8B": "reward",
    "Skywork/Skywork-Reward-V2-Llama-3.1-8B": "reward",
}
LAPTOP = {
    "facebook/nllb-200-distilled-600M": "translator",
    "Qwen/Qwen2.5-1.5B-Instruct": "strong",
    "HuggingFaceTB/SmolLM2-360M-Instruct": "weak",
    "Skywork/Skywork-Reward-V2-Qwen3-0.6B": "reward",
}
SERVER = {"max_model_len": 256, "start_seconds": 400}
SMALLER = {  # the sizes that depend on a machine's memory
    "complete": {
        "generators": {
            "command-r-plus": {"engine": {**SERVER, "tensor_parallel": 1, "sampling": {"max_tokens": 64}}},
            "aya-23-8b": {"engine": {**SERVER, "sampling": {"max_tokens": 64}}},
        }
    },
    "score": {"skywork": {**SERVER, "max_tokens": 256}},
}


@pytest.mark.parametrize("name", ["paper", "laptop", "expanse"])
def test_a_recipe_and_its_companions_belong_together(name: str) -> None:
    recipe = read_config(RECIPES / f"{name}.yaml", Recipe)
    dpo = read_config(RECIPES / f"{name}-dpo.yaml", DpoRecipe)
    rloo = read_config(RECIPES / f"{name}-rloo.yaml", RlooRecipe)
    winrate = read_config(RECIPES / f"{name}-winrate.yaml", WinrateRecipe)
    assert Path(dpo.data) == Path(rloo.data) == Path("runs") / name / "published" / "pairs"
    assert Path(winrate.prompts) == Path("runs") / name / "published" / "prompts"
    assert dpo.model == rloo.model == winrate.models["base"]
    assert Path(str(winrate.models["dpo"])) == dpo.output
    assert rloo.reward.model == recipe.score[recipe.pair.scorer].model != winrate.judge.model  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["paper", "laptop", "expanse"])
def test_the_data_of_a_recipe_may_not_be_used_commercially(name: str) -> None:
    recipe = read_config(RECIPES / f"{name}.yaml", Recipe)
    engines = [completer.engine for completer in recipe.complete.generators.values()]
    engines += [recipe.translate.engine, *recipe.score.values()]  # type: ignore[union-attr, list-item]
    parts = [(f"model {engine.model}", known_license(engine.model)) for engine in engines]  # type: ignore[union-attr]
    parts += [(f"source {source.repo}", known_license(str(source.repo))) for source in recipe.prompts.sources]
    assert resolve_license(None, parts) == "cc-by-nc-4.0"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_recipe_shows_the_command_that_runs_it(path: Path) -> None:
    kinds = {"dpo": "train dpo", "rloo": "train rloo", "winrate": "eval winrate"}
    command = kinds.get(path.stem.rpartition("-")[2], "build")
    comments = [line for line in path.read_text("utf-8").splitlines() if line.startswith("#   ")]
    assert any(f"polypref {command} {path.stem}" in comment for comment in comments)


class Hub:
    """A Hub with the tiny checkpoints under the real ids, and a command line that uses it."""

    def __init__(self, server: HubServer, home: Path) -> None:
        self.server = server
        self.variables = {
            **os.environ,
            **server.env(token="hf_writer", home=home),
            "OMP_NUM_THREADS": "1",
            "NO_COLOR": "1",
        }
        from huggingface_hub import HfApi

        self.api = HfApi(endpoint=server.url, token="hf_writer")

    def add_models(self, models: dict[str, str]) -> None:
        for repo, checkpoint in models.items():
            self.api.create_repo(repo)
            self.api.upload_folder(repo_id=repo, folder_path=CHECKPOINTS / checkpoint)

    def add_rows(self, repo: str, rows: list[dict[str, Any]], file: str) -> None:
        self.api.create_repo(repo, repo_type="dataset")
        text = "".join(json.dumps(row) + "\n" for row in rows)
        self.api.upload_file(
            path_or_fileobj=text.encode(), path_in_repo=file, repo_id=repo, repo_type="dataset"
        )

    def polypref(self, *words: str | Path, timeout: float = 900) -> str:
        command = [sys.executable, "-m", "polypref", *map(str, words)]
        done = subprocess.run(
            command, env=self.variables, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    namespaces = {name.split("/")[0] for name in [*PAPER, *LAPTOP]} | {"zetavg", "HuggingFaceH4", "acme"}
    with HubServer(
        tmp_path / "hub", users={"hf_writer": User("alice", "write", tuple(namespaces))}
    ) as server:
        yield Hub(server, tmp_path / "home")


def read_prompts() -> list[dict[str, str]]:
    lines = (ROOT / "polypref" / "demo" / "prompts.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.slow
@pytest.mark.vllm
@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="no vLLM in this environment")
def test_the_papers_recipe_from_the_hub_to_the_hub(hub: Hub, tmp_path: Path) -> None:
    hub.add_models(PAPER)
    rows = []
    for prompt in read_prompts():
        turns = [{"from": "human", "value": prompt["prompt"]}, {"from": "gpt", "value": "Well."}]
        rows.append({"id": prompt["id"], "conversations": turns})
    hub.add_rows("zetavg/ShareGPT-Processed", rows, "data/train.jsonl")
    overlay = tmp_path / "tiny.yaml"
    overlay.write_text(yaml.safe_dump(SMALLER))
    run = tmp_path / "run"
    hub.polypref("build", "paper", "--limit", "40", "--workdir", run, "--overlay", overlay)
    hub.polypref("publish", run, "--repo", "acme/paper", "--rejected")

    published = {
        name: pl.read_parquet(run / "published" / name / "data/**/*.parquet")
        for name in ("prompts", "completions", "pairs")
    }
    assert set(published["pairs"]["language"]) == set(PAPER_23)
    assert published["prompts"]["prompt_id"].n_unique() == 40
    origins = (
        published["pairs"]
        .filter(pl.col("language") != "eng_Latn")
        .select("chosen_origin", "rejected_origin")
        .unique()
    )
    assert sorted(map(sorted, origins.iter_rows())) == [["native", "translated"]] * origins.height
    facts = json.loads((run / "published" / "pairs" / "facts.json").read_text())
    assert facts["license"] == "cc-by-nc-4.0"
    (build,) = facts["builds"].values()
    heads = {model["model"]: model["revision"] for model in build["models"]}
    assert heads == {repo: hub.api.model_info(repo).sha for repo in heads}
    assert set(heads) == set(PAPER) - {"Skywork/Skywork-Reward-V2-Llama-3.1-8B"}
    settings = {model["role"]: model["settings"] for model in build["models"]}
    assert settings["translator"] == {"beams": 4, "max_tokens": 256, "quantization": "auto"}
    generator = {"max_model_len": 256, "temperature": 0.3, "top_p": 0.75, "max_tokens": 64}
    assert settings["generator"] == generator
    assert "# --limit 40\n" in build["recipe"]
    assert build["recipe"].startswith((RECIPES / "paper.yaml").read_text().rstrip())

    row = published["pairs"].filter(pl.col("language") == "deu_Latn").sort("prompt_id").to_dicts()[0]
    chain = " ".join(hub.polypref("trace", "acme/paper", row["prompt_id"], "--language", "German").split())
    assert row["chosen"][0]["content"] in chain
    assert "translated by nllb-200-3.3B: facebook/nllb-200-3.3B at" in chain
    assert "CohereLabs/c4ai-command-r-plus at" in chain
    trained = tmp_path / "dpo"
    small = {"max_steps": 2, "max_length": 256, "batch_size": 8}
    small_dpo = yaml.safe_load((RECIPES / "paper-dpo.yaml").read_text()) | small
    (tmp_path / "dpo.yaml").write_text(yaml.safe_dump(small_dpo))
    hub.polypref("train", "dpo", tmp_path / "dpo.yaml", "--data", "acme/paper", "--output", trained)
    assert "datasets:\n- acme/paper\n" in (trained / "README.md").read_text()


@pytest.mark.slow
def test_the_laptops_recipe_from_the_hub_to_the_hub(hub: Hub, tmp_path: Path) -> None:
    hub.add_models(LAPTOP)
    rows = [{"prompt_id": prompt["id"], "prompt": prompt["prompt"]} for prompt in read_prompts()]
    hub.add_rows("HuggingFaceH4/ultrafeedback_binarized", rows, "data/train_prefs-00000-of-00001.jsonl")
    run = tmp_path / "run"
    hub.polypref("build", "laptop", "--limit", "20", "--workdir", run)
    printed = hub.polypref("publish", run, "--repo", "acme/laptop")
    repos = [line.split("/datasets/")[1].split("/commit")[0] for line in printed.splitlines()[:3]]
    assert repos == ["acme/laptop-prompts", "acme/laptop-completions", "acme/laptop"]
    pairs = pl.read_parquet(run / "published/pairs/data/**/*.parquet")
    assert pairs["language"].n_unique() == 5
