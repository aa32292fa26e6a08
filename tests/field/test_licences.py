"""Licences as the cards of sources on the Hub state them, and what is checked before anything is asked."""

import json
from pathlib import Path

import pytest

from polypref.cards.release import run_datasets
from polypref.config import read_config
from polypref.errors import InputError
from polypref.eval.recipe import WinrateRecipe
from polypref.eval.winrate import measure_winrates
from polypref.store.workdir import Workdir

RECIPE = """
languages: [en]
prompts: {sources: [{repo: REPO, text: prompt, id: [prompt]}]}
complete:
  generators:
    a: {import: {path: "${here}/a.jsonl", text: text, id: [prompt]}}
    b: {import: {path: "${here}/b.jsonl", text: text, id: [prompt]}}
score: {rule: {kind: language_rule}}
pair: {builder: best-vs-worst, scorer: rule}
publish: {name: n, title: t, LICENSE test_share: 0}
"""

# Own cases: sources with these licences in their cards, and this publish.license.
CASES = {
    "mit, none stated": ("mit", "", None),
    "apache-2.0, none stated": ("apache-2.0", "", None),
    "a list": ("[mit, cc-by-nc-4.0]", "license: apache-2.0,", "conflicts with source REPO (cc-by-nc-4.0)"),
    "non-commercial, apache stated": (
        "cc-by-nc-4.0",
        "license: apache-2.0,",
        "licence: apache-2.0 is stated, but conflicts with source REPO (cc-by-nc-4.0): "
        "it does not allow commercial use",
    ),
    "no derivatives": (
        "cc-by-nc-nd-4.0",
        "license: cc-by-nc-4.0,",
        "source REPO is cc-by-nc-nd-4.0, which allows no derivatives",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_gate_reads_the_cards_of_sources(client, tmp_path: Path, repo: str, case: str) -> None:
    license, stated, refused = CASES[case]
    prompts = ["Name a river in Italy.", "Name a town in Spain."]
    for name in ("a", "b"):
        texts = [{"prompt": prompt, "text": f"The answer is {name}."} for prompt in prompts]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts))
    recipe = RECIPE.replace("REPO", repo).replace("LICENSE", stated)
    # The imports are the author's own texts.
    recipe = recipe.replace("text: text,", "text: text, license: cc0-1.0,")
    (tmp_path / "r.yaml").write_text(recipe)
    error, license_published = client(f"""
from datasets import Dataset
from polypref.builders.build import Build
from polypref.builders.publish import write_folders
from polypref.builders.recipe import Recipe
from polypref.config import read_config
from polypref.store.workdir import Workdir
from polypref.cards.folder import require_facts
Dataset.from_dict({{"prompt": {prompts!r}}}).push_to_hub("{repo}")
card = read_card("{repo}")
upload("{repo}", card.replace("---\\n", "---\\nlicense: {license}\\n", 1))
def build():
    with Workdir(Path("run")) as workdir:
        run = Build(read_config(Path("r.yaml"), Recipe), workdir)
        run.make()
        write_folders(run, "recipe")
error = line(build)
answer([error, error or require_facts(Path("run/published/pairs"))["license"]])
""")
    if refused:
        assert refused.replace("REPO", repo) in error
        assert not (tmp_path / "run" / "tables").exists()
    else:
        assert (error, license_published) == (None, "apache-2.0")


def begin(folder: Path) -> Path:
    """Leave the folder as a training that was stopped does."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "training.json").write_text("{}")
    return folder


def test_a_checkpoint_whose_training_was_stopped_is_named_before_anything_is_done(
    run, tmp_path: Path
) -> None:
    folder = run(["deu_Latn"])
    stopped = begin(folder / "checkpoints" / "dpo")
    message = r"dpo: its training is not finished; repeat the train command to continue it$"
    with pytest.raises(InputError, match=message):
        run_datasets(stopped, "acme/dpo")
    config = f"""
prompts: {folder / "published" / "prompts"}
models: {{base: acme/never-asked, dpo: {stopped}}}
base: base
judge: {{kind: reward_model, model: acme/never-asked}}
output: {tmp_path / "eval"}
"""
    (tmp_path / "winrate.yaml").write_text(config.replace("base: acme/never-asked, ", f"base: {folder}, "))
    recipe = read_config(tmp_path / "winrate.yaml", WinrateRecipe)
    with Workdir(recipe.output) as workdir, pytest.raises(InputError, match=message):
        measure_winrates(recipe, workdir)
    assert not list(recipe.output.glob("answers/*"))
