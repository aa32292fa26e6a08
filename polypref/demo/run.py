"""The whole loop in the miniature world, through the same recipes, stages and trainers as real data.

Its numbers are about the miniature world: 12 tasks, 40 words, models of a million parameters. The oracle
knows every right answer, so checkpoints are judged by truth, not only by the reward model that ranked the
data.
"""

import json
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from polypref.builders.build import Build
from polypref.builders.publish import write_folders
from polypref.builders.recipe import Recipe
from polypref.cards.funnel import Funnel, kept_by_language, rejected_by_reason
from polypref.config import read_config
from polypref.demo import world
from polypref.eval.recipe import WinrateRecipe
from polypref.eval.report.page import write_report
from polypref.eval.winrate import measure_winrates
from polypref.store.workdir import Workdir
from polypref.training import dpo, rloo
from polypref.training.recipe import DpoRecipe, RlooRecipe

RECIPES = Path(__file__).parent.parent / "recipes"
QUICK_LANGUAGES = ("eng_Latn", "deu_Latn")
QUICK_STEPS = 4


def run(rundir: Path, seed: int = 1, quick: bool = False) -> dict[str, Any]:
    """Build, train (DPO, a control on shuffled pairs, RLOO), evaluate and report into `rundir`.

    With `quick`, two languages and a few training steps: enough to show that an installation works, but not
    what training achieves. A stopped run continues. Returns the content of results.json.

    Raises InputError: `rundir` holds a checkpoint of another seed or size.
    """
    started = time.monotonic()
    # Threads do not speed up a million parameters, and they slow everything down when the cores are busy.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    languages = QUICK_LANGUAGES if quick else world.LANGUAGES
    prompts = len(world.demo_combinations())
    say(f"The miniature world: {prompts} English prompts unknown to its models, {len(languages)} languages.")

    say("1/4 Build: translate, complete, filter, score, pair, write the folders to publish.")
    funnel = build_data(rundir, languages)
    pairs = kept_by_language(funnel, "pairs")

    say(f"2/4 Train on {sum(pairs.values()):,} pairs: DPO, DPO on shuffled pairs as a control, RLOO.")
    checkpoints = train_checkpoints(rundir, seed, QUICK_STEPS if quick else None)

    say("3/4 Evaluate on held-out prompts: each checkpoint against the base, by oracle and reward model.")
    result = evaluate_checkpoints(rundir, seed, checkpoints)

    say("4/4 Report.")
    results = {
        "pairs": pairs,
        "rejections": rejected_by_reason(funnel),
        "right": {model: means["all"] for model, means in result["mean_score"]["oracle"].items()},
        "winrate": {
            "oracle": overall_games(result, "dpo", "oracle"),
            "reward_model": overall_games(result, "dpo", "reward_model"),
            "control": overall_games(result, "control", "oracle"),
            "rloo": overall_games(result, "rloo", "oracle"),
        },
        "seconds": round(time.monotonic() - started, 1),
    }
    (rundir / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    say(describe_results(results, write_report(rundir)))
    return results


def build_data(rundir: Path, languages: tuple[str, ...]) -> Funnel:
    """Build the data in these languages, write the folders to publish, and return the funnel."""
    path = RECIPES / "demo.yaml"
    recipe = read_config(path, Recipe, overrides={"languages": languages})
    with Workdir(rundir) as workdir:
        build = Build(recipe, workdir)
        build.make()
        return write_folders(build, path.read_text("utf-8"))


def train_checkpoints(rundir: Path, seed: int, max_steps: int | None) -> dict[str, str]:
    """Train the three checkpoints, two at a time, and return their folders by name.

    `max_steps` replaces the recipes' number of steps, if given.
    """
    folder = rundir / "checkpoints"
    shared = {"data": str(rundir / "published" / "pairs"), "seed": seed, "max_steps": max_steps}
    rloo_overrides = {**shared, "output": folder / "rloo"}
    rloo_recipe = read_config(RECIPES / "demo-rloo.yaml", RlooRecipe, overrides=rloo_overrides)
    dpo_overrides = {**shared, "output": folder / "dpo"}
    dpo_recipe = read_config(RECIPES / "demo-dpo.yaml", DpoRecipe, overrides=dpo_overrides)
    control = dpo_recipe.model_copy(update={"output": folder / "control", "control": "shuffle"})
    # Two progress bars would overwrite each other in one terminal: print lines instead.
    os.environ["TTY_COMPATIBLE"] = "0"
    try:
        with ProcessPoolExecutor(2, get_context("spawn"), _exit_with_parent, (os.getpid(),)) as processes:
            futures = [processes.submit(rloo.train, rloo_recipe)]  # the longest one first
            futures += [processes.submit(dpo.train, recipe) for recipe in (dpo_recipe, control)]
            outputs = [future.result() for future in futures]
    finally:
        del os.environ["TTY_COMPATIBLE"]
    return {output.name: str(output) for output in outputs}


def _exit_with_parent(parent: int) -> None:
    """Exit this process once its parent is gone, however it ended: an orphan would keep the folder locked."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def evaluate_checkpoints(rundir: Path, seed: int, checkpoints: dict[str, str]) -> dict[str, Any]:
    """Compare the checkpoints with the base model on held-out prompts; return the content of winrate.json."""
    overrides = {
        "prompts": str(rundir / "published" / "prompts"),
        "models": checkpoints,
        "output": rundir / "eval",
        "seed": seed,
    }
    recipe = read_config(RECIPES / "demo-winrate.yaml", WinrateRecipe, overrides=overrides)
    with Workdir(recipe.output) as workdir:
        return measure_winrates(recipe, workdir, {"oracle": oracle})


def oracle(prompt_id: str, language: str, completion: str) -> float:
    """Return 1.0 for a right answer, 0.0 for any other."""
    return float(world.is_right(prompt_id, language, completion))


def overall_games(result: dict[str, Any], model: str, judge: str) -> dict[str, float]:
    """Return one comparison over all languages."""
    games = result["winrate"][model][judge]
    return {name: games[name] for name in ("win", "loss", "tie", "difference", "low", "high")}


def describe_results(results: dict[str, Any], page: Path) -> str:
    """Return the main results in a few lines."""
    pairs = results["pairs"]
    large = sum(count >= 50 for count in pairs.values())
    lines = [
        f"{sum(pairs.values()):,} pairs in {len(pairs)} languages, {large} of them with 50 or more.",
        f"The base model gets {results['right']['base']:.1%} of the held-out prompts right, by the oracle.",
        "Win minus loss against it:",
    ]
    for name, title in (("oracle", "DPO"), ("control", "control (shuffled pairs)"), ("rloo", "RLOO")):
        games = results["winrate"][name]
        interval = f"95% interval {games['low']:+.1%} to {games['high']:+.1%}"
        lines.append(f"  {title:<26}{games['difference']:+7.1%}   {interval}")
    lines.append("The intervals cover the choice of prompts, not the randomness of training.")
    lines.append(f"{results['seconds']:.0f} seconds. Open {page}")
    return "\n".join(lines)


def say(text: str) -> None:
    print(text, flush=True)
