"""1.15 million synthetic pairs in 23 languages: laid out and carded, then pushed to the tests' Hub server, each beside its rival.

Every measurement is a process of its own, so that its memory is its own; the two sides take turns, and the lower time counts.
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
from pathlib import Path
from typing import Any

import polars as pl

from bench.table import Row, show
from polypref.languages.codes import PAPER_23
from polypref.schemas import TABLES, hash16

ROWS = 50_000  # a language
PARTS = 50  # a language's, as a work dir has them
TURNS = 2
Measured = dict[str, float]  # seconds, seconds of CPU, gigabytes
FACTS: dict[str, Any] = {
    "name": "bench/pairs",
    "title": "Synthetic pairs",
    "license": "apache-2.0",
    "test_share": 0.1,
}


def run(args: argparse.Namespace) -> None:
    """Prints the table; takes some minutes and 5 GB of disk."""
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), ROWS)


def measure(root: Path, rows: int) -> None:
    for number, code in enumerate(PAPER_23):
        make_parts(root / "parts" / code, code, rows, number)
    show(
        f"{rows * len(PAPER_23):,} pairs",
        [*layout(root), *(row for xet in (False, True) for row in pushes(root, xet))],
    )


def layout(root: Path) -> list[Row]:
    """Folder with card against polars' scan to parquet of the same rows."""
    ours, rival = list[Measured](), list[Measured]()
    for _ in range(TURNS):
        rival.append(child("scan", root))
        ours.append(child("layout", root))
    ratio = best(ours) / best(rival)
    reach = "<= 3 x the rival, <= 2 GB"
    return [
        (
            "lay out and card",
            f"{best(ours):.1f} s = {ratio:.2f} x, {most(ours):.2f} GB",
            reach,
            f"polars scan to parquet {best(rival):.1f} s",
        )
    ]


def pushes(root: Path, xet: bool) -> list[Row]:
    """push_dataset against upload_folder of the same folder, to the same server."""
    hub = root / f"hub-{xet}"
    command = [sys.executable, "-m", "hubserver", "--root", str(hub), "--port", "0"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[1] / "tests" / "servers"),
        "PYTHONUNBUFFERED": "1",
    }
    ours, rival = list[Measured](), list[Measured]()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        client = {}
        while "HF_TOKEN" not in client:  # the last line that it prints before it serves
            name, _, value = server.stdout.readline().removeprefix("export ").strip().partition("=")
            client[name] = value
        client["HF_HUB_DISABLE_XET"] = "0" if xet else "1"
        try:
            for turn in range(TURNS):
                for action, found in (("upload_folder", rival), ("push", ours)):
                    with tempfile.TemporaryDirectory(dir=root) as home:
                        found.append(
                            child(
                                action,
                                root,
                                f"acme/{action.replace('_', '-')}-{turn}",
                                client | {"HF_HOME": home},
                            )
                        )
                    shutil.rmtree(hub / "repos" / "datasets" / "acme", ignore_errors=True)
        finally:
            server.kill()
    mode, ratio = "Xet" if xet else "LFS", best(ours) / best(rival)
    figure = f"{best(ours):.1f} s = {ratio:.2f} x, {most(ours):.2f} GB"
    return [
        (
            f"push in {mode} mode",
            figure,
            "<= 1.2 x the rival, <= 2 GB",
            f"upload_folder {best(rival):.1f} s, {most(rival):.2f} GB",
        )
    ]


def child(action: str, root: Path, repo: str = "", environment: dict[str, str] | None = None) -> Measured:
    command = [sys.executable, "-m", "bench.publish", action, str(root), repo]
    done = subprocess.run(
        command, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: Measured = json.loads(done.stdout.splitlines()[-1])
    return found


def best(found: list[Measured]) -> float:
    return min(one["seconds"] for one in found)


def most(found: list[Measured]) -> float:
    return max(one["gigabytes"] for one in found)


def make_parts(folder: Path, code: str, rows: int, seed: int) -> None:
    """Pairs of about 1.2 kB whose words repeat as words do."""
    draw = random.Random(seed)
    words = [
        "".join(draw.choices("abcdefghijklmnopqrstuvwxyzäöüé", k=draw.randint(2, 9))) for _ in range(5000)
    ]
    texts = [" ".join(draw.choices(words, k=draw.randint(10, 120))) for _ in range(4000)]
    folder.mkdir(parents=True)
    for part in range(PARTS):
        count = rows // PARTS
        scores = [(draw.gauss(1, 1), draw.gauss(0, 1)) for _ in range(count)]
        frame = pl.DataFrame(
            {
                "prompt_id": sorted(hash16([part, n]) for n in range(count)),
                "language": [code] * count,
                "builder": ["native-vs-translated"] * count,
                "rank": [0] * count,
                **{
                    column: [
                        [
                            {
                                "role": role,
                                "content": f"{draw.choice(texts)} {draw.randrange(10**9)} {draw.choice(texts)}",
                            }
                        ]
                        for _ in range(count)
                    ]
                    for column, role in (
                        ("prompt", "user"),
                        ("chosen", "assistant"),
                        ("rejected", "assistant"),
                    )
                },
                **{
                    f"{side}_model": [model] * count
                    for side, model in (("chosen", "strong"), ("rejected", "weak"))
                },
                **{
                    f"{side}_origin": [origin] * count
                    for side, origin in (("chosen", "native"), ("rejected", "translated"))
                },
                "chosen_sample": [0] * count,
                "rejected_sample": [0] * count,
                "chosen_score": [max(pair) for pair in scores],
                "rejected_score": [min(pair) for pair in scores],
                "margin": [max(pair) - min(pair) for pair in scores],
                "chosen_tokens": [draw.randint(10, 300) for _ in range(count)],
                "rejected_tokens": [draw.randint(10, 300) for _ in range(count)],
            },
            schema=TABLES["pairs"],
        )
        frame.write_parquet(folder / f"{part:04}.parquet")


def act(action: str, root: Path, repo: str) -> None:
    """One measured action."""
    parts = {code: pl.scan_parquet(sorted((root / "parts" / code).iterdir())) for code in PAPER_23}
    match action:
        case "scan":
            (root / "rival").mkdir(exist_ok=True)
            for code, rows in parts.items():
                rows.sink_parquet(root / "rival" / f"{code}.parquet")
        case "layout":
            from polypref.cards.folder import write_dataset

            shutil.rmtree(root / "pairs", ignore_errors=True)
            write_dataset(root / "pairs", "pairs", parts, FACTS)
        case "push":
            from polypref.cards.dataset import push_dataset
            from polypref.cards.push import Options

            push_dataset(root / "pairs", repo, Options())
        case "upload_folder":
            from huggingface_hub import HfApi

            HfApi().create_repo(repo, repo_type="dataset")
            HfApi().upload_folder(folder_path=root / "pairs", repo_id=repo, repo_type="dataset")


if __name__ == "__main__":
    import polypref.cards.dataset  # noqa: F401

    begun = time.perf_counter()
    act(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
    seconds, used = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "gigabytes": used.ru_maxrss / 1e6}
        )
    )
