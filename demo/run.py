"""The whole loop in the miniature world, through the same recipes, stages and trainers as everything else.

What it shows is about the miniature world: 12 tasks, 40 words, models of a million parameters. The oracle knows every
right answer, so what training did is measured by truth, not by the reward model that the data was made with.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from builders.build import Build
from builders.config import Recipe as BuildRecipe
from builders.publish import publish, rejections
from demo import world
from eval import report
from eval.config import WinrateRecipe
from eval.winrate import winrate
from store.config import read_config
from store.workdir import Workdir
from training import dpo, rloo
from training.config import DpoRecipe, Recipe, RlooRecipe

RECIPES = Path(__file__).parent.parent / "recipes"


def run(rundir: Path, seed: int = 1) -> dict[str, Any]:
    """Builds, trains (DPO, a control on shuffled pairs, RLOO), evaluates and reports into `rundir`; returns what results.json holds.

    Run again, it goes on where it was stopped. A rundir that holds a checkpoint of another seed raises InputError.
    """
    begun = time.monotonic()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a million parameters gain nothing from threads, and lose much on busy cores
    count = len(world.demo_combinations())
    say(f"The miniature world: {count} English prompts that no tiny model was trained on, {len(world.LANGUAGES)} languages.")

    say("1/4 Build: translate, complete, filter, score, pair, publish to a folder.")
    path = RECIPES / "demo.yaml"
    with Workdir(rundir) as workdir:
        build = Build(read_config(path, BuildRecipe), workdir)
        build.make()
        funnels = publish(build, path.read_text("utf-8"))
    pairs = {code: funnel["pairs"] for code, funnel in funnels.items()}
    data = str(rundir / "published" / "pairs")

    say(f"2/4 Train the policy on {sum(pairs.values()):,} pairs: DPO, DPO on shuffled pairs as a control, RLOO.")
    trained = train(rundir / "checkpoints", {"data": data, "seed": seed})

    say("3/4 Evaluate on held-out prompts: the oracle and the reward model judge each checkpoint against the base.")
    overrides = {"prompts": str(rundir / "published" / "prompts"), "models": trained, "output": rundir / "eval", "seed": seed}
    recipe = read_config(RECIPES / "demo-winrate.yaml", WinrateRecipe, overrides=overrides)
    with Workdir(recipe.output) as workdir:
        result = winrate(recipe, workdir, {"oracle": oracle})

    say("4/4 Report.")
    results = {
        "pairs": pairs,
        "rejections": rejections(funnels),
        "right": {model: means["all"] for model, means in result["mean_score"]["oracle"].items()},
        "winrate": {
            "oracle": overall(result, "dpo", "oracle"),
            "reward_model": overall(result, "dpo", "reward_model"),
            "control": overall(result, "control", "oracle"),
            "rloo": overall(result, "rloo", "oracle"),
        },
        "seconds": round(time.monotonic() - begun, 1),
    }
    (rundir / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    page = report.write(rundir)
    say(summary(results, page))
    return results


def train(folder: Path, shared: dict[str, Any]) -> dict[str, str]:
    """Trains the three checkpoints, two at a time; returns their folders by name."""
    dpo_recipe, rloo_recipe = RECIPES / "demo-dpo.yaml", RECIPES / "demo-rloo.yaml"
    jobs: list[tuple[Callable[..., Path], Recipe]] = [
        (dpo.train, read_config(dpo_recipe, DpoRecipe, overrides=shared | {"output": folder / "dpo"})),
        (dpo.train, read_config(dpo_recipe, DpoRecipe, overrides=shared | {"output": folder / "control", "control": "shuffle"})),
        (rloo.train, read_config(rloo_recipe, RlooRecipe, overrides=shared | {"output": folder / "rloo"})),
    ]
    os.environ["TTY_COMPATIBLE"] = "0"  # two bars in one terminal would overwrite each other: lines instead
    try:
        with ProcessPoolExecutor(2, get_context("spawn"), _end_with, (os.getpid(),)) as processes:
            made = [processes.submit(work, recipe) for work, recipe in jobs]
            return {done.result().name: str(done.result()) for done in made}
    finally:
        del os.environ["TTY_COMPATIBLE"]


def _end_with(parent: int) -> None:
    """Ends this process when its parent has, by whatever signal: training that nobody waits for would hold its folder."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def oracle(prompt_id: str, language: str, completion: str) -> float:
    """1.0 for a right answer, 0.0 for any other."""
    return float(world.verdict(prompt_id, language, completion) == "right")


def overall(result: dict[str, Any], model: str, judge: str) -> dict[str, float]:
    """One comparison over all languages."""
    games = result["winrate"][model][judge]
    return {name: games[name] for name in ("win", "loss", "tie", "difference", "low", "high")}


def summary(results: dict[str, Any], page: Path) -> str:
    """What a person should know at the end, in a few lines."""
    lines = [
        f"{sum(results['pairs'].values()):,} pairs in {sum(n >= 50 for n in results['pairs'].values())} languages with at least 50 each."
    ]
    lines += [
        f"The base model answers {results['right']['base']:.1%} of the held-out prompts right, by the oracle. Win minus loss against it:"
    ]
    for name, title in (("oracle", "DPO"), ("control", "control (shuffled pairs)"), ("rloo", "RLOO")):
        games = results["winrate"][name]
        lines.append(f"  {title:<26}{games['difference']:+7.1%}   95% interval {games['low']:+.1%} to {games['high']:+.1%}")
    return "\n".join([*lines, f"{results['seconds']:.0f} seconds. Look at {page}"])


def say(text: str) -> None:
    print(text, flush=True)
