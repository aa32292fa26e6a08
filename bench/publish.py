"""1.15 million synthetic pairs in 23 languages: written with a card, then pushed to the tests' Hub server.

Every measurement is a process of its own, so that its memory is its own. Each takes turns with its rival, and
the lower time counts.
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from huggingface_hub import HfApi

from bench.table import Row, show
from polypref.cards.dataset import dataset_publication
from polypref.cards.folder import write_dataset
from polypref.cards.push import Options
from polypref.languages.codes import PAPER_23
from polypref.schemas import TABLES, hash16

ROWS = 50_000  # of a language
PARTS = 50  # of a language, as in a work dir
TURNS = 2
SERVERS = Path(__file__).parents[1] / "tests" / "servers"
FACTS: dict[str, Any] = {
    "name": "bench/pairs",
    "title": "Synthetic pairs",
    "license": "apache-2.0",
    "test_share": 0.1,
}


class Usage(NamedTuple):
    """The cost of one action."""

    seconds: float
    gigabytes: float  # at the peak


def run(args: argparse.Namespace) -> None:
    """Print the table; takes some minutes and 5 GB of disk."""
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), ROWS)


def measure(folder: Path, rows: int) -> None:
    """Print the table for `rows` pairs of each language."""
    for number, code in enumerate(PAPER_23):
        make_parts(folder / "parts" / code, code, rows, number)
    show(f"{rows * len(PAPER_23):,} pairs", publish_figures(folder))


def publish_figures(folder: Path) -> Iterator[Row]:
    """Yield the figures of writing a dataset's folder, and of pushing it by LFS and by Xet."""
    rival, ours = [], []
    for _ in range(TURNS):
        rival.append(run_action("scan", folder))
        ours.append(run_action("write", folder))
    goal = "<= 3 x the rival, <= 2 GB"
    yield Row("write with card", compared(ours, rival), goal, f"polars scan to parquet {cost(rival)}")
    goal = "<= 1.2 x the rival, <= 2 GB"
    for mode in ("LFS", "Xet"):
        rival, ours = push_in_turns(folder, mode)
        yield Row(f"push in {mode} mode", compared(ours, rival), goal, f"upload_folder {cost(rival)}")


def cost(usages: list[Usage]) -> str:
    """Return the lowest time and the highest memory."""
    seconds = min(usage.seconds for usage in usages)
    return f"{seconds:.1f} s, {max(usage.gigabytes for usage in usages):.2f} GB"


def compared(usages: list[Usage], rival: list[Usage]) -> str:
    ratio = min(usage.seconds for usage in usages) / min(usage.seconds for usage in rival)
    return f"{cost(usages)}, {ratio:.2f} x"


def push_in_turns(folder: Path, mode: str) -> tuple[list[Usage], list[Usage]]:
    """Push the same folder to the same server by upload_folder and by dataset_publication, in turns."""
    hub = folder / f"hub-{mode}"
    usages: dict[str, list[Usage]] = {"upload_folder": [], "push": []}
    with hub_server(hub) as environment:
        environment["HF_HUB_DISABLE_XET"] = "0" if mode == "Xet" else "1"
        for turn in range(TURNS):
            for action, usage in usages.items():
                repo = f"acme/{action.replace('_', '-')}-{turn}"
                with tempfile.TemporaryDirectory(dir=folder) as home:  # an empty cache
                    usage.append(run_action(action, folder, repo, {**environment, "HF_HOME": home}))
                shutil.rmtree(hub / "repos" / "datasets" / "acme", ignore_errors=True)
    return usages["upload_folder"], usages["push"]


@contextmanager
def hub_server(root: Path) -> Iterator[dict[str, str]]:
    """Run the tests' Hub on an empty folder; yield the environment that points clients to it."""
    command = [sys.executable, "-m", "hubserver", "--root", str(root), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(SERVERS), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        client: dict[str, str] = {}
        while "HF_TOKEN" not in client:  # the last line that it prints before it serves
            name, _, value = server.stdout.readline().removeprefix("export ").strip().partition("=")
            client[name] = value
        try:
            yield client
        finally:
            server.kill()


def run_action(action: str, folder: Path, repo: str = "", environment: dict[str, str] | None = None) -> Usage:
    """Run one action in a process of its own."""
    command = [sys.executable, "-m", "bench.publish", action, str(folder), repo]
    environment = {**os.environ, **(environment or {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return Usage(**json.loads(done.stdout.splitlines()[-1]))


def make_parts(folder: Path, code: str, rows: int, seed: int) -> None:
    """Write pairs of about 1.2 kB, whose words repeat as words do."""
    draw = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyzäöüé"
    words = ["".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(5000)]
    texts = [" ".join(draw.choices(words, k=draw.randint(10, 120))) for _ in range(4000)]
    folder.mkdir(parents=True)
    for part in range(PARTS):
        pairs = [make_pair(draw, texts, code, hash16([part, number])) for number in range(rows // PARTS)]
        frame = pl.DataFrame(pairs, schema=TABLES["pairs"]).sort("prompt_id")
        frame.write_parquet(folder / f"{part:04}.parquet")


def make_pair(draw: random.Random, texts: list[str], code: str, prompt_id: str) -> dict[str, Any]:
    def message(role: str) -> list[dict[str, str]]:
        content = f"{draw.choice(texts)} {draw.randrange(10**9)} {draw.choice(texts)}"
        return [{"role": role, "content": content}]

    low, high = sorted([draw.gauss(1, 1), draw.gauss(0, 1)])
    return {
        "prompt_id": prompt_id,
        "language": code,
        "builder": "native-vs-translated",
        "rank": 0,
        "prompt": message("user"),
        "chosen": message("assistant"),
        "rejected": message("assistant"),
        "chosen_model": "strong",
        "rejected_model": "weak",
        "chosen_origin": "native",
        "rejected_origin": "translated",
        "chosen_sample": 0,
        "rejected_sample": 0,
        "chosen_score": high,
        "rejected_score": low,
        "margin": high - low,
        "chosen_tokens": draw.randint(10, 300),
        "rejected_tokens": draw.randint(10, 300),
    }


def act(action: str, folder: Path, repo: str) -> None:
    """Do what is measured."""
    parts = {code: pl.scan_parquet(sorted((folder / "parts" / code).iterdir())) for code in PAPER_23}
    match action:
        case "scan":
            (folder / "rival").mkdir(exist_ok=True)
            for code, rows in parts.items():
                rows.sink_parquet(folder / "rival" / f"{code}.parquet")
        case "write":
            shutil.rmtree(folder / "pairs", ignore_errors=True)
            write_dataset(folder / "pairs", "pairs", parts, FACTS)
        case "push":
            dataset_publication(folder / "pairs", repo, Options()).push()
        case "upload_folder":
            HfApi().create_repo(repo, repo_type="dataset")
            HfApi().upload_folder(folder_path=folder / "pairs", repo_id=repo, repo_type="dataset")


if __name__ == "__main__":
    start = time.perf_counter()
    act(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
    seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "gigabytes": peak / 1e6}))
