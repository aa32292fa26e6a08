"""The clients that bench/engines.py compares: `python -m bench.clients bare|polypref|build …`."""

import argparse
import asyncio
import json
import resource
import time
from pathlib import Path
from typing import Any


async def run_bare(url: str, concurrency: int, max_tokens: int, prompts: Path) -> dict[str, Any]:
    """Answer the prompts with aiohttp alone, by workers that post and parse: no client can be faster."""
    import aiohttp

    todo = iter([json.loads(line)["prompt"] for line in prompts.open(encoding="utf-8")])
    sampling = {"model": "m", "temperature": 0.3, "top_p": 0.75, "max_tokens": max_tokens}
    tokens = 0

    async def work(session: aiohttp.ClientSession) -> None:
        nonlocal tokens
        for prompt in todo:
            payload = {**sampling, "messages": [{"role": "user", "content": prompt}]}
            async with session.post(f"{url}/chat/completions", json=payload) as response:
                tokens += (await response.json())["usage"]["completion_tokens"]

    start = time.monotonic()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(work(session) for _ in range(concurrency)))
    return {"seconds": time.monotonic() - start, "tokens": tokens}


def run_polypref(url: str, concurrency: int, max_tokens: int, prompts: Path) -> dict[str, Any]:
    """Answer the prompts as `polypref complete` does, with its log of answers."""
    import aiohttp  # noqa: F401 - loaded before the clock starts, as above

    from polypref.builders.tables.complete import complete_table
    from polypref.builders.tables.read import Table
    from polypref.engines.config import HttpGenerator, Sampling
    from polypref.store.workdir import Workdir

    sampling = Sampling(temperature=0.3, top_p=0.75, max_tokens=max_tokens)
    config = HttpGenerator(kind="http", base_url=url, model="m", concurrency=concurrency, sampling=sampling)
    out = prompts.parent / "out.jsonl"
    start = time.monotonic()
    with Workdir(prompts.parent / "work") as workdir:
        complete_table(Table(path=prompts, text="prompt"), out, config, workdir)
    seconds = time.monotonic() - start
    tokens = sum(json.loads(line)["tokens"] for line in out.open(encoding="utf-8"))
    return {"seconds": seconds, "tokens": tokens}


def run_build(url: str, concurrency: int, max_tokens: int, prompts: Path) -> dict[str, Any]:
    """Make the completions of a build with all filters on; `seconds` are those of this stage alone."""
    import aiohttp  # noqa: F401 - loaded before the clock starts, as above

    from polypref.builders.build import Build
    from polypref.builders.recipe import Recipe
    from polypref.store.workdir import Workdir

    sampling = {"temperature": 0.3, "top_p": 0.75, "max_tokens": max_tokens}
    engine = {"kind": "http", "base_url": url, "model": "m", "concurrency": concurrency, "sampling": sampling}
    content = {
        "languages": ["en"],
        "prompts": {"sources": [{"path": str(prompts), "text": "prompt"}]},
        "complete": {"generators": {"m": {"engine": engine}}},
        "score": {"rule": {"kind": "language_rule"}},
        "pair": {"scorer": "rule"},
        "publish": {"name": "bench", "title": "Bench"},
    }
    with Workdir(prompts.parent / "work") as workdir:
        build = Build(Recipe.model_validate(content), workdir)
        build.make("prompts")
        start = time.monotonic()
        build.make("complete")
        seconds = time.monotonic() - start
        infos = [part.read_info() for part in build.completion_tables("eng_Latn")["m-native"]]
    kept = sum(info.rows - sum(info.rejected.values()) for info in infos if info)
    return {"seconds": seconds, "tokens": 0, "kept": kept}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("client", choices=("bare", "polypref", "build"))
    parser.add_argument("url")
    parser.add_argument("prompts", type=Path)
    parser.add_argument("--concurrency", type=int, default=200)
    parser.add_argument("--max-tokens", type=int, default=1024)
    args = parser.parse_args()
    settings = args.url, args.concurrency, args.max_tokens, args.prompts
    match args.client:
        case "bare":
            result = asyncio.run(run_bare(*settings))
        case "polypref":
            result = run_polypref(*settings)
        case "build":
            result = run_build(*settings)
    result["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(result))
