"""The seconds of a CPU-bound stage on one and two Ray workers: `python -m bench.ray_scaling FOLDER`.

It runs in a process of its own, since Ray starts once a process. Beside them it prints the gain of two plain
processes, which is what this machine allows.
"""

import json
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import ray

from bench.spin import Spin
from polypref.engines.base import Request
from polypref.engines.cluster import Cluster, make_parts_on_ray
from polypref.engines.pool import PoolOptions
from polypref.progress import Progress
from polypref.schemas import TABLES
from polypref.store.parts import Part
from polypref.store.stages import PartTask
from polypref.store.workdir import Workdir

RUNS = 3
PARTS, ROWS = 24, 5  # rows of a part


def main(folder: Path) -> None:
    """Print {"one": seconds, "two": seconds, "ideal": the gain of two plain processes}."""
    ray.init(num_cpus=2, object_store_memory=80_000_000, log_to_driver=False)
    one, two = [], []
    for _ in range(RUNS):
        one.append(stage_seconds(folder, 1))
        two.append(stage_seconds(folder, 2))
    seconds = {"one": statistics.median(one), "two": statistics.median(two), "ideal": ideal_gain()}
    print(json.dumps(seconds))


def stage_seconds(folder: Path, workers: int) -> float:
    """Return the seconds of all parts, without the time that workers need to start."""
    with Workdir(folder / f"{workers}-{time.time_ns()}") as workdir:
        tasks = []
        sources = workdir.table("in", parts=PARTS)
        for source, out in zip(sources, workdir.table("out", parts=PARTS), strict=True):
            write_source(source)
            tasks.append(PartTask(out, "prompts", (source,), "x", answer_all))
        with Progress("spin", PARTS * ROWS) as progress:
            make_parts_on_ray(tasks, {"": Spin()}, workdir, Cluster(workers), PoolOptions(progress))
        written = sorted(task.part.path.stat().st_mtime for task in tasks)
    start = written[workers - 1]  # every worker has loaded what it needs, and written a part
    return (written[-1] - start) * PARTS / (PARTS - workers)


def write_source(part: Part) -> None:
    rows = []
    for number in range(ROWS):
        key = f"{part.number * ROWS + number:016x}"
        prompt = [{"role": "user", "content": key}]
        rows.append({"prompt_id": key, "language": "eng_Latn", "prompt": prompt})
    part.write(pl.DataFrame(rows, schema=TABLES["prompts"]), "prompts", "k", 0)


def answer_all(frame: Any) -> Any:
    """Ask one request for each row, and return the rows as they were."""
    answers = yield [Request(prompt) for prompt in frame["prompt"].to_list()]
    assert len(answers) == frame.height
    return frame


def ideal_gain() -> float:
    """Return the seconds of some requests in one of two plain processes, over those in both."""
    requests = [Request([{"role": "user", "content": str(number)}]) for number in range(24)]
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(spin, requests[:2]))  # starts both processes
        seconds = []
        for chunk in (24, 12):
            start = time.monotonic()
            list(pool.map(spin, requests, chunksize=chunk))
            seconds.append(time.monotonic() - start)
    return seconds[0] / seconds[1]


def spin(request: Request) -> int:
    return len(Spin().answer([request], 0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
