"""What `make demo` leaves behind. The run under test is POLYPREF_DEMO_RUN where it is set (CI has just made one), else a new one."""

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from polypref.languages.codes import PAPER_23

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rundir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if made := os.environ.get("POLYPREF_DEMO_RUN"):
        return ROOT / made
    rundir = tmp_path_factory.mktemp("demo")
    subprocess.run([sys.executable, "-m", "polypref", "demo", "--rundir", str(rundir)], cwd=ROOT, check=True)
    return rundir


@pytest.fixture(scope="module")
def results(rundir: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((rundir / "results.json").read_text("utf-8"))
    return content


def test_there_are_enough_pairs_and_real_rejections(results: dict[str, Any]) -> None:
    assert len(results["pairs"]) == 23
    assert sum(pairs >= 50 for pairs in results["pairs"].values()) >= 20
    rejected = {reason: sum(by_language.values()) for reason, by_language in results["rejections"].items()}
    assert sum(rejected.values()) > 100
    assert "wrong_language" in rejected
    assert {"loop", "repetition"} & set(rejected)


def test_dpo_gains_by_the_oracle_and_shuffled_pairs_do_not(results: dict[str, Any]) -> None:
    assert 0.4 <= results["right"]["base"] <= 0.8
    assert results["winrate"]["oracle"]["low"] > 0
    assert results["winrate"]["control"]["low"] <= 0
    for judged in results["winrate"].values():
        assert judged["win"] + judged["loss"] + judged["tie"] == pytest.approx(1)
        assert judged["difference"] == pytest.approx(judged["win"] - judged["loss"])
        assert judged["low"] <= judged["difference"] <= judged["high"]


def test_load_dataset_gives_every_language_and_dpo_trainer_takes_it(
    rundir: Path, results: dict[str, Any], tmp_path: Path
) -> None:
    script = """
import json, sys
from datasets import get_dataset_config_names, load_dataset
folder = sys.argv[1]
names = get_dataset_config_names(folder)
counts = {name: {split: len(rows) for split, rows in load_dataset(folder, name).items()} for name in names}
everything = load_dataset(folder)
features = {name: str(feature) for name, feature in everything["train"].features.items()}
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer
policy = "polypref/demo/checkpoints/policy"
on_cpu = dict(use_cpu=True, bf16=False, gradient_checkpointing=False, report_to="none")
args = DPOConfig(output_dir=sys.argv[2], max_steps=1, per_device_train_batch_size=2, **on_cpu)
trainer = DPOTrainer(policy, args=args, train_dataset=load_dataset(folder, "deu_Latn", split="train"))
loss = trainer.train().training_loss
print(json.dumps({"counts": counts, "all": sum(map(len, everything.values())), "features": features, "loss": loss}))
"""
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", script, str(rundir / "published/pairs"), str(tmp_path / "out")]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(run.stdout.splitlines()[-1])
    pairs = results["pairs"]
    assert {
        name: sum(splits.values()) for name, splits in found["counts"].items() if name != "default"
    } == pairs
    assert found["all"] == sum(found["counts"]["default"].values()) == sum(pairs.values())
    messages = "List({'role': Value('string'), 'content': Value('string')})"
    assert {found["features"][name] for name in ("prompt", "chosen", "rejected")} == {messages}
    assert found["features"]["chosen_score"] == "Value('float64')"
    assert found["loss"] == pytest.approx(0.6931, abs=1e-3)


def test_the_report_is_one_whole_page(rundir: Path) -> None:
    page = (rundir / "report.html").read_text("utf-8")
    parser = HTMLParser()
    parser.feed(page)
    parser.close()
    assert "miniature world" in page
    assert page.count('dir="rtl"') >= 2
    assert "<link" not in page
    assert "src=" not in page


def test_published_languages_are_the_papers(rundir: Path) -> None:
    assert tuple(folder.name for folder in sorted((rundir / "published/pairs/data").iterdir())) == PAPER_23
